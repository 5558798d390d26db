"""The one owner of ``response.create``: who may send it, and when; and the rounds of tool calls.

The service allows one response at a time in the default conversation. Everything that wants an answer therefore passes
through here: questions wait in a queue, tool rounds ask for their follow-up, and responses that the server began by
itself (voice activity detection) or that the user asked for with a raw event are noticed and waited for.

Theory of operation
-------------------
Four things are known at any time: the *queue* of turns not yet sent; the turn whose ``response.create`` is on its way
(*asked*); the *active* response; and, for each reply, the tools still *running* and whether an output is *owed* an
answer. `State` follows from them and is stored nowhere. After every input `_pump` looks whether the way is free:

====================  =================================================================================
input                 what follows
====================  =================================================================================
`submit`              queued; sent when nothing is asked or active. While only tools run, it goes first
`created`             the asked turn, or a response that the server began: now active
`done`                completed with calls: run them all (`rtnb.session.rounds`). Else the reply ends. The way is free
`tool_finished`       its output is sent at once; the last one of a round makes the reply owed a follow-up
`output_added`        the output is in the conversation: whatever response begins now has seen it. The user's
                      own output too, which the follow-up of its round waits for
`refused`             "already has an active response": the turn waits for that one. Else its reply fails
`lost`                the connection is gone: every open reply fails
`suspend`, `resume`   it is gone and opened again: see `rtnb.session.suspended`
====================  =================================================================================

A follow-up is owed only for outputs that no response has seen: when another response began after them, it answered
them too. Which ones it saw is known: all that were sent before its ``response.create``, and, for a response that the
server began by itself, all that the server had confirmed before. Pure: sends and starts tools through the functions it
is given; no sockets, no asyncio, no clock.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rtnb.core.errors import ResponseFailed, RtnbError, ServerError
from rtnb.core.protocol import LIMITS, Event, new_id
from rtnb.session.reply import Reply, Status
from rtnb.session.rounds import Rounds, ToolRounds, calls_of
from rtnb.session.suspended import Suspendable
from rtnb.session.tool_call import ToolCall

__all__ = ["REPLY_KEY", "Sequencer", "State", "Turn"]

REPLY_KEY: Final = "rtnb_reply"
"""Key in ``response.metadata`` by which a response is recognised: the service echoes metadata, never an event id."""

_BUSY: Final = "conversation_already_has_active_response"
_MOST_TRIES: Final = 8

_UNKNOWN: Final = "?"
"""Stands for an active response that the server spoke of and that was not seen to begin; its end is waited for."""


class State(enum.Enum):
    """What the sequencer is at."""

    IDLE = "idle"
    RESPONDING = "responding"
    TOOLS = "tools"
    FOLLOW_UP = "follow-up"


@dataclass
class Turn:
    """One answer that is wanted.

    Attributes
    ----------
    reply
        Filled with the answer.
    items
        Events that put the question into the conversation, sent just before ``response.create``.
    settings
        The ``response`` object of ``response.create``.
    is_follow_up
        Whether it continues a reply after tools.
    """

    reply: Reply
    items: list[Event] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    is_follow_up: bool = False
    event_id: str = field(default_factory=lambda: new_id("event"))
    sees: frozenset[str] = frozenset()  # call ids of the outputs sent before its response.create
    tries: int = 0
    behind: Reply | None = None  # the reply that it waits for, tool rounds included


class Sequencer(ToolRounds, Suspendable):
    """Decides what is sent next. All methods are called on one thread.

    Parameters
    ----------
    send
        Sends one client event.
    start_tool
        Begins to run a call; its end is told by `tool_finished`. None leaves calls to the user.
    adopt
        Makes a reply for a response that nobody here asked for.
    changed
        Told the state after each change of it.
    refusal
        Why no response may be asked for now; None when one may.
    max_rounds
        How many tool rounds one reply may take; after these the model must answer without tools.
    """

    def __init__(
        self,
        *,
        send: Callable[[Event], object],
        start_tool: Callable[[Reply, ToolCall], bool],
        adopt: Callable[[], Reply],
        changed: Callable[[State], None] = lambda state: None,
        refusal: Callable[[], RtnbError | None] = lambda: None,
        max_rounds: int = 8,
    ) -> None:
        super().__init__()
        self._send = send
        self._start_tool = start_tool
        self._adopt = adopt
        self._changed = changed
        self._refusal = refusal
        self._told = State.IDLE
        self.max_rounds = max_rounds
        self.queue: deque[Turn] = deque()
        self.asked: Turn | None = None
        self.active: str | None = None
        self.replies: dict[str, Reply] = {}  # response id -> reply
        self._apart: dict[str, Turn] = {}  # out-of-band turns under way, by event id: they wait for nobody
        self._foreign_due = 0  # how many responses may begin that were not asked for here
        self._echoes = False  # the server is known to echo metadata: a response without ours is none of ours
        self._raw: set[str] = set()  # event ids of the user's own response.create
        self._loss: RtnbError | None = None  # why there is no connection; None while there is one

    @property
    def state(self) -> State:
        """What it is at: follows from what is asked, active, running and owed."""
        if self.asked is not None:
            return State.FOLLOW_UP if self.asked.is_follow_up else State.RESPONDING
        if self.active is not None:
            return State.RESPONDING
        if self._calls:
            return State.TOOLS
        return State.FOLLOW_UP if self._owed() else State.IDLE

    @property
    def has_aside(self) -> bool:
        """Whether an answer out of band is under way."""
        return bool(self._apart or self.replies)

    @property
    def owned(self) -> frozenset[str]:
        """Ids of the events that the turns which wait will send."""
        return frozenset(str(event.get("event_id")) for turn in self._turns() for event in turn.items)

    # ---- inputs

    def submit(self, turn: Turn) -> None:
        """Answer this turn as soon as the way is free; an out-of-band one at once.

        A turn that comes while something is being answered waits for that whole reply, tools included; one that
        comes while only tools run is not held up by them, nor are those before it.
        """
        if self._loss is not None:
            turn.reply.finish("failed", self._loss)
            return
        if turn.settings.get("conversation") == "none":
            self._apart[turn.event_id] = turn
            if not self.is_suspended:
                self._ask(turn)
            return
        turn.behind = self._current()
        if turn.behind is None:
            for waiting in self.queue:
                waiting.behind = None
        self.queue.append(turn)
        self._pump()

    def expect_foreign(self, event_id: str | None = None) -> None:
        """Be ready for a response that was not asked for here: VAD committed speech, or the user sent a raw event."""
        self._foreign_due += 1
        if event_id is not None:
            self._raw.add(event_id)

    def created(self, response: Mapping[str, Any]) -> None:
        """``response.created`` came."""
        response_id = str(response.get("id") or "")
        turn = self._asked_by(response)
        if turn is not None:
            self._asked_for[response_id] = turn
        if turn is not None and turn.event_id in self._apart:
            del self._apart[turn.event_id]
            self.replies[response_id] = turn.reply
            if turn.reply.is_done:
                self._send({"type": "response.cancel", "response_id": response_id})
            return
        if turn is None and _is_apart(response):
            return  # out of band, and none of ours: in nobody's way
        if turn is None:
            self._foreign_due = max(self._foreign_due - 1, 0)
            reply = self._adopt()
        else:
            self.asked = None
            reply = turn.reply
        self._saw(turn.sees if turn else frozenset())
        rounds = self._rounds.setdefault(reply, Rounds(turn.settings if turn else {}))
        self.replies[response_id] = reply
        self.active = response_id
        if rounds.stopped or reply.is_done:
            rounds.stopped = True
            self._send({"type": "response.cancel", "response_id": response_id})
        self._end_answered()
        self._pump()

    def is_ours(self, response: Mapping[str, Any]) -> bool:
        """Whether a response that was not seen to begin is known by its metadata as one that was asked for here."""
        metadata = response.get("metadata")
        return isinstance(metadata, Mapping) and REPLY_KEY in metadata and self._asked_by(response) is not None

    def done(self, response: Mapping[str, Any]) -> None:
        """``response.done`` came."""
        response_id = str(response.get("id") or "")
        reply = self.replies.pop(response_id, None)
        self._asked_for.pop(response_id, None)
        if self.active in (response_id, _UNKNOWN):
            self.active = None
        if reply is not None:
            self._conclude(reply, response)
        self._pump()

    def refused(self, error: Mapping[str, Any]) -> bool:
        """An ``error`` came; True when it was about a turn here and is dealt with."""
        told = ServerError(error)
        event_id, busy = told.event_id, told.code == _BUSY
        if event_id in self._apart:
            self._apart.pop(event_id).reply.finish("failed", told)
            return True
        if event_id in self._raw:
            self._raw.discard(event_id)
            self._foreign_due = max(self._foreign_due - 1, 0)
            self._pump()  # what was left to that response
        turn = self.asked
        if turn is None or (event_id != turn.event_id and not (event_id is None and busy)):
            return False
        self.asked = None
        turn.tries += 1
        if turn.reply.is_done:
            self._rounds.pop(turn.reply, None)  # cancelled meanwhile
        elif turn.is_follow_up and not self._rounds[turn.reply].unseen:
            self._end_answered()
        elif busy and turn.tries < _MOST_TRIES:
            turn.items = []  # they are in the conversation already
            turn.event_id = new_id("event")
            turn.behind = None
            self.queue.appendleft(turn)
            if self.active is None:
                self.active = _UNKNOWN
        else:
            self._end(turn.reply, "failed", told)
        self._pump()
        return True

    def item_refused(self, event_id: str, error: RtnbError) -> bool:
        """Fail the turn whose item was refused; True when there is one. Its response is called off."""
        for turn in self._turns():
            if any(event.get("event_id") == event_id for event in turn.items):
                turn.reply.finish("failed", error)
                self.cancel(turn.reply)
                return True
        return False

    def cancel(self, reply: Reply) -> None:
        """Stop one reply: out of the queue, or its response cancelled. Outputs of running tools are still sent."""
        self.queue = deque(turn for turn in self.queue if turn.reply is not reply)
        is_answering = False
        for response_id, owner in self.replies.items():
            if owner is reply:
                is_answering = True
                self._send({"type": "response.cancel", "response_id": response_id})
        rounds = self._rounds.get(reply)
        if rounds is not None:
            rounds.stopped = True
        if not is_answering:
            reply.finish("cancelled")  # an answering one ends with its response.done, which tells how far it came
            if rounds is not None and not rounds.running:
                self._end(reply, "cancelled")
        self._pump()

    def interrupt(self) -> bool:
        """Cancel what is being answered now, tools when only these run; True when there was anything."""
        current = self._current()
        targets = [current] if current is not None else list(dict.fromkeys(self._calls.values()))
        for reply in targets:
            self.cancel(reply)
        return bool(targets)

    def opened(self) -> None:
        """There is a connection again."""
        self._loss = None

    def lost(self, error: RtnbError) -> None:
        """The connection is gone: nothing that is open, or comes before `opened`, will be answered."""
        self._loss = error
        open_replies = [*(turn.reply for turn in self._turns()), *self.replies.values(), *self._rounds]
        self.queue.clear()
        self.asked = self.active = None
        self._foreign_due = 0
        self._raw.clear()
        self._added.clear()
        self.replies.clear()
        self._apart.clear()
        self._rounds.clear()
        self._left.clear()
        self._calls.clear()
        self._seen_calls.clear()
        self._forget()
        for reply in open_replies:
            reply.finish("failed", error)
        self._tell()

    # ---- inside

    def _turn(self, reply: Reply, settings: dict[str, Any]) -> Turn:
        return Turn(reply, settings=settings)

    def _turns(self) -> list[Turn]:
        return [*self.queue, *([self.asked] if self.asked else []), *self._apart.values()]

    def _current(self) -> Reply | None:
        """The reply that is asked for or being answered."""
        if self.asked is not None:
            return self.asked.reply
        return self.replies.get(self.active) if self.active else None

    def _asked_by(self, response: Mapping[str, Any]) -> Turn | None:
        """Whose response it is: by the metadata, else by elimination where a server does not echo it."""
        metadata = response.get("metadata")
        if isinstance(metadata, Mapping) and metadata:
            key = metadata.get(REPLY_KEY)
            for turn in (*([self.asked] if self.asked else []), *self._apart.values()):
                if key == turn.event_id or (key is None and metadata == turn.settings.get("metadata")):
                    self._echoes = True
                    return turn
            return None
        if self._echoes:
            return None
        if _is_apart(response):
            return next(iter(self._apart.values()), None)
        return None if self._foreign_due else self.asked

    def _conclude(self, reply: Reply, response: Mapping[str, Any]) -> None:
        status = response.get("status")
        rounds = self._rounds.get(reply)
        if status in ("cancelled", "incomplete"):
            self._end(reply, status)
        elif status != "completed":
            self._end(reply, "failed", _failure(response))
        elif rounds is None:  # out of band: its calls are no items of the conversation, so no output can answer them
            reply.tool_calls_so_far.extend(ToolCall.from_item(item) for item in calls_of(response))
            reply.finish("completed")
        elif rounds.stopped:
            self._end(reply, "cancelled")
        else:
            self._begin_tools(reply, rounds, response)

    def _end_answered(self) -> None:
        """End the replies whose outputs another reply's response sees."""
        self.queue = deque(turn for turn in self.queue if not turn.is_follow_up or self._rounds[turn.reply].unseen)
        waiting = {turn.reply for turn in self._turns()} | set(self.replies.values())
        for reply, rounds in list(self._rounds.items()):
            if reply not in waiting and not rounds.running and not rounds.unseen:
                reply.notes.append("its tool results were answered together with a later turn")
                self._end(reply, "completed")

    def _end(self, reply: Reply, status: Status, error: RtnbError | None = None) -> None:
        self._rounds.pop(reply, None)
        reply.finish(status, error)

    def _pump(self) -> None:
        """Send the next ``response.create`` if the way is free."""
        while not self.is_suspended and self.asked is None and self.active is None and self._ask_next():
            pass  # what was refused leaves the way free for the next
        self._tell()

    def _ask_next(self) -> bool:
        behind = self.queue[0].behind if self.queue else None
        if self.queue and (behind is None or behind not in self._rounds):
            self.asked = self.queue.popleft()
            self._ask(self.asked)
            return True
        return self._follow_up()

    def _ask(self, turn: Turn) -> None:
        if (refusal := self._refusal()) is not None:
            self._refuse(turn, refusal)
            return
        turn.sees = self._unseen()
        for event in turn.items:
            self._send_for(turn.reply, event)
        metadata = dict(turn.settings.get("metadata") or {})
        if len(metadata) < LIMITS.METADATA_PAIRS:
            metadata[REPLY_KEY] = turn.event_id
        settings = {**turn.settings, "metadata": metadata}
        self._send_for(turn.reply, {"type": "response.create", "event_id": turn.event_id, "response": settings})

    def _refuse(self, turn: Turn, refusal: RtnbError) -> None:
        """Ask for nothing; but what was spoken becomes an item, since the buffer would mix it with what comes next."""
        for event in turn.items:
            if event.get("type") == "input_audio_buffer.commit":
                self._send_for(turn.reply, event)
        self._apart.pop(turn.event_id, None)
        if self.asked is turn:
            self.asked = None
        self._end(turn.reply, "failed", refusal)

    def _send_for(self, reply: Reply, event: Event) -> None:
        """Send an event with ids by which it is known later that it was sent for this reply."""
        event_id = event.setdefault("event_id", new_id("event"))
        reply.sent_events.add(event_id)
        item = event.get("item")
        if isinstance(item, dict):
            reply.sent_items.add(item.setdefault("id", new_id("item")))
        if self.is_suspended:
            self._hold(event)
        else:
            self._send(event)

    def _tell(self) -> None:
        state = self.state
        if state is not self._told:
            self._told = state
            self._changed(state)


def _is_apart(response: Mapping[str, Any]) -> bool:
    """Whether it is out of band: the service names no conversation then."""
    return response.get("conversation_id", "") is None


def _failure(response: Mapping[str, Any]) -> ResponseFailed:
    details = response.get("status_details")
    error = details.get("error") if isinstance(details, Mapping) else details
    if isinstance(error, Mapping):
        name = error.get("code") or error.get("type") or "error"
        words = f"{name}: {error.get('message') or 'the server gave no message'}"
    else:
        words = str(error) if error else "the server gave no reason"
    return ResponseFailed(f"the response failed: {words}", response=response)
