"""Random lives of the sequencer, against a server that holds the rules of the protocol. Pure: no sockets, no clock.

The model server takes client events in order and answers in order; what is on its way in either direction stays there
until a rule moves it, so every race that a network can make comes up.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rtnb.core.errors import ConnectionClosed, ServerError
from rtnb.core.protocol import function_call_output, item_create, system_message, user_message
from rtnb.session.reply import Reply
from rtnb.session.sequencer import Sequencer, State, Turn
from rtnb.session.tool_call import ToolCall

MAX_ROUNDS = 3
STATUSES = ("completed", "completed", "completed", "cancelled", "incomplete", "failed")


class NoHost:
    """A reply's session, which none of these replies needs."""


@dataclass
class Response:
    """A response of the model server."""

    id: str
    began_at: int  # length of the conversation then
    is_ours: bool
    metadata: Any
    is_apart: bool = False
    reply: Reply | None = None
    tool_choice: str | None = None


@dataclass
class Sent:
    """A client event on its way, and what only the test knows of it."""

    event: dict[str, Any]
    reply: Reply | None = None  # whose turn it was sent for
    is_follow_up: bool = False


@dataclass
class Server:
    """The rules of the protocol."""

    echoes: bool = True
    conversation: list[tuple[str, str]] = field(default_factory=list)  # ("item" | "call" | "output", id)
    active: Response | None = None
    apart: dict[str, Response] = field(default_factory=dict)
    begun: list[Response] = field(default_factory=list)
    down: deque[dict[str, Any]] = field(default_factory=deque)
    count: int = 0

    def new_id(self, kind: str) -> str:
        self.count += 1
        return f"{kind}_{self.count}"

    def take(self, sent: Sent, *, refuse: bool, names_event: bool) -> None:
        event = sent.event
        name, event_id = event["type"], event.get("event_id")
        if name == "conversation.item.create":
            item = event["item"]
            key = item.get("call_id") or item["id"]
            kind = "output" if item["type"] == "function_call_output" else "item"
            assert (kind, key) not in self.conversation, "an item was sent twice"
            if kind == "output":
                assert ("call", key) in self.conversation, "an output without its call"
            if refuse and kind == "item":
                self.error("invalid_value", event_id)
                return
            self.conversation.append((kind, key))
            self.down.append({"type": "conversation.item.added", "item": item})
        elif name == "response.create":
            self.create(sent, event.get("response") or {}, event_id, refuse=refuse, names_event=names_event)
        else:
            assert name == "response.cancel"
            response_id = event["response_id"]
            if self.active is not None and self.active.id == response_id:
                self.finish(self.active, "cancelled", [])
            elif response_id in self.apart:
                self.finish(self.apart[response_id], "cancelled", [])
            else:
                self.error("response_cancel_not_active", event_id)

    def create(self, sent: Sent, wanted: dict[str, Any], event_id: Any, *, refuse: bool, names_event: bool) -> None:
        apart = wanted.get("conversation") == "none"
        if refuse:
            self.error("invalid_value", event_id)
        elif self.active is not None and not apart:
            assert sent.reply is None or not self.active.is_ours, "a second response was asked for during our own"
            self.error("conversation_already_has_active_response", event_id if names_event else None)
        else:
            response = self.begin(ours=sent.reply is not None, metadata=wanted.get("metadata"), apart=apart)
            response.reply = sent.reply
            response.tool_choice = wanted.get("tool_choice")

    def begin(self, *, ours: bool, metadata: Any = None, apart: bool = False) -> Response:
        shown = metadata if self.echoes else None
        response = Response(self.new_id("resp"), len(self.conversation), ours, shown, apart)
        self.begun.append(response)
        if apart:
            self.apart[response.id] = response
        else:
            self.active = response
        self.tell("response.created", response, "in_progress", [])
        return response

    def finish(self, response: Response, status: str, calls: list[dict[str, Any]]) -> None:
        if response.is_apart:
            del self.apart[response.id]
        else:
            self.active = None
            self.conversation.extend(("call", call["call_id"]) for call in calls)
        self.tell("response.done", response, status, calls)

    def tell(self, name: str, response: Response, status: str, output: list[dict[str, Any]]) -> None:
        described = {
            "id": response.id,
            "status": status,
            "output": output,
            "metadata": response.metadata,
            "conversation_id": None if response.is_apart else "conv",
        }
        self.down.append({"type": name, "response": described})

    def error(self, code: str, event_id: Any) -> None:
        self.down.append({"type": "error", "error": {"code": code, "message": code, "event_id": event_id}})


class Life(RuleBasedStateMachine):
    """A user, a network, tools and a server, all unruly."""

    @initialize(echoes=st.sampled_from([True, True, True, False]))
    def begin(self, echoes: bool) -> None:
        self.server = Server(echoes=echoes)
        self.up: deque[Sent] = deque()
        self.replies: list[Reply] = []
        self.asked_for: set[Reply] = set()
        self.runs: dict[str, int] = {}
        self.running: dict[str, tuple[Reply, ToolCall]] = {}
        self.late: list[str] = []  # background tools that were told of already and still run
        self.completed_calls: set[str] = set()
        self.by_hand: set[str] = set()  # calls without a handler here, which nobody has answered
        self.rounds: list[set[str]] = []  # the calls of each response that had some
        self.told: list[State] = []
        self.sequencer = Sequencer(
            send=self.sent, start_tool=self.start, adopt=self.adopt, changed=self.told.append, max_rounds=MAX_ROUNDS
        )

    # ---- what the sequencer is given

    def sent(self, event: dict[str, Any]) -> None:
        reply, is_follow_up = None, False
        if event["type"] == "response.create":
            turn = self.sequencer.asked
            if turn is None or turn.event_id != event["event_id"]:
                turn = self.sequencer._apart[event["event_id"]]
            assert not turn.reply.is_done, "a response was asked for that nobody wants any more"
            reply, is_follow_up = turn.reply, turn.is_follow_up
            if is_follow_up:
                self.check_round(turn.reply)
        self.up.append(Sent(event, reply, is_follow_up))

    def check_round(self, reply: Reply) -> None:
        """Every call of the round that a follow-up answers has its output, also those that the user answers by hand."""
        unseen = self.sequencer._rounds[reply].unseen
        for calls in self.rounds:
            if calls & unseen:
                assert calls <= self.outputs, "a follow-up was asked for before all outputs of its round were sent"

    @property
    def outputs(self) -> set[str]:
        """Call ids of the outputs that were sent."""
        coming = {str(sent.event["item"].get("call_id")) for sent in self.up if "item" in sent.event}
        return coming | {key for kind, key in self.server.conversation if kind == "output"}

    def start(self, reply: Reply, call: ToolCall) -> bool:
        assert call.call_id in self.completed_calls, "a call of a response that was not completed was run"
        assert not reply.is_done
        self.runs[call.call_id] = self.runs.get(call.call_id, 0) + 1
        assert self.runs[call.call_id] == 1, "a call was run twice"
        if call.name == "manual":
            self.by_hand.add(call.call_id)
            return False
        self.running[call.call_id] = (reply, call)
        return True

    def adopt(self) -> Reply:
        return self.reply()

    def reply(self) -> Reply:
        self.replies.append(Reply(NoHost(), number=len(self.replies)))  # type: ignore[arg-type]
        return self.replies[-1]

    # ---- the user

    @rule(apart=st.sampled_from([False, False, False, True]), items=st.integers(0, 2))
    def asks(self, apart: bool, items: int) -> None:
        questions = [item_create(user_message("x", id=self.server.new_id("item"))) for _ in range(items)]
        for event in questions:
            event["event_id"] = self.server.new_id("event")
        settings = {"conversation": "none"} if apart else {}
        turn = Turn(self.reply(), items=questions, settings=settings)
        self.asked_for.add(turn.reply)
        self.sequencer.submit(turn)

    @precondition(lambda self: self.server.echoes)
    @rule()
    def asks_by_a_raw_event(self) -> None:
        event_id = self.server.new_id("raw")
        self.sequencer.expect_foreign(event_id)
        self.up.append(Sent({"type": "response.create", "event_id": event_id}))

    @precondition(lambda self: self.replies)
    @rule(data=st.data())
    def cancels(self, data: st.DataObject) -> None:
        self.sequencer.cancel(data.draw(st.sampled_from(self.replies)))

    @precondition(lambda self: self.sequencer.state is not State.IDLE)
    @rule()
    def interrupts(self) -> None:
        self.sequencer.interrupt()

    # ---- tools

    @precondition(lambda self: self.by_hand)
    @rule(data=st.data(), asks_on=st.booleans())
    def user_answers_by_hand(self, data: st.DataObject, asks_on: bool) -> None:
        self.answer_by_hand(data.draw(st.sampled_from(sorted(self.by_hand))))
        if asks_on and self.server.echoes:
            self.asks_by_a_raw_event()

    def answer_by_hand(self, call_id: str) -> None:
        self.by_hand.discard(call_id)
        item = item_create(function_call_output(call_id, "by hand"))
        item["item"]["id"] = self.server.new_id("item")
        self.up.append(Sent(item))

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def tool_ends(self, data: st.DataObject) -> None:
        self.end_tool(data.draw(st.sampled_from(sorted(self.running))))

    def end_tool(self, call_id: str) -> None:
        _, call = self.running.pop(call_id)
        self.sequencer.tool_finished(call_id, "result")
        if call.name == "background":
            self.late.append(call_id)

    @precondition(lambda self: self.late)
    @rule()
    def background_result_comes(self) -> None:
        self.late.pop()
        item = item_create(system_message("result"))
        item["item"]["id"] = self.server.new_id("item")
        item["event_id"] = self.server.new_id("event")
        turn = Turn(self.reply(), items=[item])
        self.asked_for.add(turn.reply)
        self.sequencer.submit(turn)

    # ---- the server and the network

    @precondition(lambda self: self.up)
    @rule(refuse=st.sampled_from([False] * 7 + [True]), names_event=st.booleans())
    def server_takes(self, refuse: bool, names_event: bool) -> None:
        sent = self.up.popleft()
        raw = sent.event["type"] == "response.create" and sent.reply is None
        # An unnamed refusal is told apart from another one's only when ours alone are on their way.
        self.server.take(sent, refuse=refuse, names_event=names_event or raw)

    @precondition(lambda self: self.server.echoes and self.server.active is None)
    @rule()
    def user_speaks(self) -> None:
        server = self.server
        server.down.append({"type": "input_audio_buffer.committed"})
        server.conversation.append(("item", server.new_id("item")))
        server.begin(ours=False)

    @precondition(lambda self: self.server.active is not None or self.server.apart)
    @rule(data=st.data(), status=st.sampled_from(STATUSES), names=st.lists(st.sampled_from("tbm"), max_size=3))
    def response_ends(self, data: st.DataObject, status: str, names: list[str]) -> None:
        server = self.server
        going = list(server.apart.values()) + ([server.active] if server.active else [])
        response = data.draw(st.sampled_from(going), label="response")
        if response.tool_choice == "none" and not data.draw(st.sampled_from([False, False, True]), label="disobeys"):
            names = []
        calls = [
            {
                "type": "function_call",
                "name": {"t": "tool", "b": "background", "m": "manual"}[letter],
                "call_id": server.new_id("call"),
                "arguments": "{}",
                "status": "completed",
            }
            for letter in names
        ]
        if status == "completed" and not response.is_apart:
            self.completed_calls.update(call["call_id"] for call in calls)
            self.rounds.append({call["call_id"] for call in calls})
        server.finish(response, status, calls)

    @precondition(lambda self: self.server.down)
    @rule()
    def client_hears(self) -> None:
        event = self.server.down.popleft()
        name, sequencer = event["type"], self.sequencer
        if name == "response.created":
            sequencer.created(event["response"])
        elif name == "response.done":
            sequencer.done(event["response"])
        elif name == "input_audio_buffer.committed":
            sequencer.expect_foreign()
        elif name == "conversation.item.added":
            call_id = event["item"].get("call_id")
            if call_id is not None:
                sequencer.output_added(call_id)
        elif not sequencer.refused(event):
            sequencer.item_refused(str(event["error"]["event_id"]), ServerError(event))

    @precondition(lambda self: self.replies)
    @rule(again=st.sampled_from([True, True, False]))
    def connection_breaks(self, again: bool) -> None:
        self.sequencer.lost(ConnectionClosed("gone"))
        assert all(reply.is_done for reply in self.replies)
        assert self.sequencer.state is State.IDLE
        self.up.clear()
        echoes, count = self.server.echoes, self.server.count
        self.server = Server(echoes=echoes, count=count)
        assert not self.up
        if again:
            self.sequencer.opened()
        else:  # whatever still comes is told at once, and sends nothing
            self.asks(apart=False, items=1)
            assert self.replies[-1].is_done
            for call_id in list(self.running):
                self.end_tool(call_id)
            assert not self.up
            self.sequencer.opened()
        self.running.clear()
        self.late.clear()
        self.by_hand.clear()
        self.rounds.clear()

    # ---- what always holds

    @invariant()
    def state_is_told_after_each_change(self) -> None:
        if hasattr(self, "sequencer"):
            assert self.sequencer.state is (self.told[-1] if self.told else State.IDLE)

    @invariant()
    def rounds_are_limited(self) -> None:
        if hasattr(self, "server"):
            for reply in self.replies:
                assert sum(each.reply is reply for each in self.server.begun) <= MAX_ROUNDS + 2

    def teardown(self) -> None:
        """Let everything end; then nobody waits, and nothing is lost."""
        if not hasattr(self, "server"):
            return
        server = self.server
        for _ in range(10_000):
            if self.up:
                self.server.take(self.up.popleft(), refuse=False, names_event=True)
            elif server.down:
                self.client_hears()
            elif self.running:
                self.end_tool(next(iter(self.running)))
            elif self.late:
                self.background_result_comes()
            elif server.active is not None:
                server.finish(server.active, "completed", [])
            elif server.apart:
                server.finish(next(iter(server.apart.values())), "completed", [])
            elif self.by_hand:
                self.answer_by_hand(min(self.by_hand))
            else:
                break
        else:
            raise AssertionError("it never comes to rest")
        assert self.sequencer.state is State.IDLE
        assert not self.sequencer.queue
        assert not self.sequencer._rounds
        assert not self.sequencer._left
        waiting = [reply.number for reply in self.replies if not reply.is_done]
        assert not waiting, f"replies {waiting} wait for ever"
        self.check_outputs()

    def check_outputs(self) -> None:
        """Every call that was run has one output, and a response saw it, unless the user stopped the reply."""
        conversation = self.server.conversation
        calls = {key for kind, key in conversation if kind == "call"}
        for reply in self.replies:
            for call in reply.tool_calls_so_far:
                if call.call_id not in calls or call.name == "manual":
                    continue
                if self.runs.get(call.call_id):
                    assert ("output", call.call_id) in conversation, "an output was lost"
                    place = conversation.index(("output", call.call_id))
                    seen = any(each.began_at > place and not each.is_apart for each in self.server.begun)
                    assert seen or reply.status != "completed", f"nobody answered the output of {call.call_id}"


TestSequencer = Life.TestCase
TestSequencer.settings = settings(
    max_examples=150,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
