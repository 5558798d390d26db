"""The rounds of tool calls: a part of the sequencer.

A response that ends with calls begins a round: all of them run at once, each output is sent when it is there, and after
the last one follows one ``response.create``. A call of a tool that was declared without a handler here is the user's to
answer, by a raw event. Nothing waits for a person:

==================================  ===================================================================================
a round has                         what follows
==================================  ===================================================================================
calls for handlers here             the follow-up, in the same reply
calls for the user alone            the reply ends; the user answers them, and asks for what follows
both                                the follow-up, as soon as the server has the last output. When that one is the
                                    user's, the reply has ended before, and the follow-up is a reply of its own. None is
                                    sent when another response began meanwhile, or was asked for before the server
                                    confirmed the output: that one saw what there was
==================================  ===================================================================================

Imports `rtnb.core` and its neighbours in `rtnb.session`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rtnb.core.errors import RtnbError
from rtnb.core.protocol import Event, function_call_output, item_create
from rtnb.core.tool_output import error_output
from rtnb.session.reply import Reply, Status
from rtnb.session.tool_call import ToolCall

if TYPE_CHECKING:
    from rtnb.session.sequencer import Turn

__all__ = ["Rounds", "ToolRounds", "calls_of"]


@dataclass
class Rounds:
    """The tools of one reply; calls are known by their ids.

    Attributes
    ----------
    settings
        The ``response`` object that the reply was asked for with.
    count
        How many rounds there were.
    running
        Calls without an output yet.
    unseen
        Calls whose outputs were sent, and that no response has seen.
    by_user
        Calls that the user has to answer, and has not yet.
    stopped
        Interrupted: outputs are still sent, but nothing follows.
    """

    settings: dict[str, Any]
    count: int = 0
    running: set[str] = field(default_factory=set)
    unseen: set[str] = field(default_factory=set)
    by_user: set[str] = field(default_factory=set)
    stopped: bool = False


class ToolRounds:
    """A part of `rtnb.session.sequencer.Sequencer`."""

    max_rounds: int
    asked: Turn | None
    _foreign_due: int
    _start_tool: Callable[[Reply, ToolCall], bool]
    _adopt: Callable[[], Reply]

    def __init__(self) -> None:
        super().__init__()
        self._rounds: dict[Reply, Rounds] = {}
        self._left: dict[Reply, Rounds] = {}  # of replies that ended, which go on when the user has answered
        self._calls: dict[str, Reply] = {}  # whose tool runs, by call id
        self._seen_calls: set[str] = set()
        self._added: set[str] = set()  # call ids of unseen outputs that the server has confirmed

    def _turn(self, reply: Reply, settings: dict[str, Any]) -> Turn:
        raise NotImplementedError

    def _ask(self, turn: Turn) -> None:
        raise NotImplementedError

    def _send_for(self, reply: Reply, event: Event) -> None:
        raise NotImplementedError

    def _end(self, reply: Reply, status: Status, error: RtnbError | None = None) -> None:
        raise NotImplementedError

    def _pump(self) -> None:
        raise NotImplementedError

    # ---- inputs

    def tool_finished(self, call_id: str, output: str) -> None:
        """A tool ended, well or not: its output goes to the model."""
        reply = self._calls.pop(call_id, None)
        if reply is None:
            return
        self._send_for(reply, item_create(function_call_output(call_id, output)))
        rounds = self._rounds.get(reply)
        if rounds is not None:
            rounds.running.discard(call_id)
            rounds.unseen.add(call_id)
            self._settle(reply, rounds)
        reply.changed()
        self._pump()

    def output_added(self, call_id: str) -> None:
        """The server put the output of a call into the conversation; of one that the user answered, too."""
        for rounds in (*self._rounds.values(), *self._left.values()):
            if call_id in rounds.by_user:
                rounds.by_user.discard(call_id)
                rounds.unseen.add(call_id)
            if call_id in rounds.unseen:
                self._added.add(call_id)
        if self._left:
            self._pump()

    # ---- inside

    def _begin_tools(self, reply: Reply, rounds: Rounds, response: Mapping[str, Any]) -> None:
        calls = [ToolCall.from_item(item) for item in calls_of(response) if item["call_id"] not in self._seen_calls]
        self._seen_calls.update(call.call_id for call in calls)
        reply.tool_calls_so_far.extend(calls)
        if rounds.count >= self.max_rounds:
            self._refuse_calls(reply, calls)
            calls = []
        rounds.count += bool(calls)
        for call in calls:
            self._calls[call.call_id] = reply
            rounds.running.add(call.call_id)
        for call in calls:
            if not self._start_tool(reply, call):
                self._calls.pop(call.call_id, None)
                rounds.running.discard(call.call_id)
                rounds.by_user.add(call.call_id)
        self._settle(reply, rounds)
        reply.changed()

    def _settle(self, reply: Reply, rounds: Rounds) -> None:
        """End the reply when none of its tools runs and no follow-up of its own comes."""
        if rounds.running:
            return
        if rounds.stopped:
            self._end(reply, "cancelled")
        elif rounds.by_user:
            if rounds.unseen:
                self._left[reply] = rounds
                reply.notes.append("a call in it is yours to answer; the model goes on when you have sent its output")
            self._end(reply, "completed")
        elif not rounds.unseen:
            self._end(reply, "completed")

    def _refuse_calls(self, reply: Reply, calls: list[ToolCall]) -> None:
        """Calls of a model that was told to call no more: each gets an output, so that the conversation stays whole."""
        for call in calls:
            call.error = f"not run: the reply had {self.max_rounds} rounds of tool calls already"
            call.output = error_output(call.error)
            self._send_for(reply, item_create(function_call_output(call.call_id, call.output)))

    def _unseen(self) -> frozenset[str]:
        """The outputs that were sent and no response has seen."""
        return frozenset().union(*(rounds.unseen for rounds in (*self._rounds.values(), *self._left.values())))

    def _saw(self, outputs: frozenset[str]) -> None:
        """A response began that sees these outputs and all that the server has confirmed, whatever it is for."""
        seen = self._added | outputs
        for rounds in (*self._rounds.values(), *self._left.values()):
            rounds.unseen -= seen
        self._added -= seen
        self._left = {reply: rounds for reply, rounds in self._left.items() if rounds.unseen}

    def _owed(self) -> list[Reply]:
        """The replies that are owed a follow-up."""
        return [reply for reply, rounds in self._rounds.items() if rounds.unseen and not rounds.running]

    def _take_up(self) -> None:
        """Go on with the rounds of replies that ended, where the user has answered what was left to do."""
        if self._foreign_due:
            return  # a response comes, and sees the outputs
        for former, rounds in list(self._left.items()):
            if not rounds.by_user:
                del self._left[former]
                reply = self._adopt()
                reply.tools = former.tools
                self._rounds[reply] = rounds

    def _follow_up(self) -> bool:
        """Ask for the next follow-up that is owed; False when none is."""
        self._take_up()
        for reply in self._owed():
            rounds = self._rounds[reply]
            settings = {key: value for key, value in rounds.settings.items() if key not in ("input", "tool_choice")}
            if rounds.count >= self.max_rounds:
                settings["tool_choice"] = "none"
                reply.notes.append(f"stopped after {rounds.count} rounds of tool calls; the model had to answer")
            self.asked = self._turn(reply, settings)
            self.asked.is_follow_up = True
            self._ask(self.asked)
            return True
        return False


def calls_of(response: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The calls of a response that are complete; the arguments of a cancelled call may be cut anywhere.

    Parameters
    ----------
    response
        As ``response.done`` carries it.
    """
    output = response.get("output")
    return [
        item
        for item in (output if isinstance(output, list) else ())
        if isinstance(item, dict)
        and item.get("type") == "function_call"
        and item.get("status", "completed") == "completed"
        and isinstance(item.get("call_id"), str)
        and item["call_id"]
    ]
