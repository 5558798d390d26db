"""The sequencer's rules one by one; random lives stand in `test_sequencer_properties`."""

from __future__ import annotations

from typing import Any

import pytest

from rtnb.core.errors import ConnectionClosed, ResponseFailed
from rtnb.core.protocol import item_create, user_message
from rtnb.session.reply import Reply
from rtnb.session.sequencer import REPLY_KEY, Sequencer, State, Turn
from rtnb.session.tool_call import ToolCall


class Desk:
    """A sequencer, what it sent, and the tools that it began."""

    def __init__(self, **options: Any) -> None:
        self.sent: list[dict[str, Any]] = []
        self.begun: list[ToolCall] = []
        self.adopted: list[Reply] = []
        self.sequencer = Sequencer(send=self.sent.append, start_tool=self.start, adopt=self.adopt, **options)
        self.count = 0

    def start(self, reply: Reply, call: ToolCall) -> bool:
        self.begun.append(call)
        return True

    def adopt(self) -> Reply:
        self.adopted.append(Reply(None))  # type: ignore[arg-type]
        return self.adopted[-1]

    def ask(self, *items: dict[str, Any], **settings: Any) -> Turn:
        turn = Turn(Reply(None), items=list(items), settings=settings)  # type: ignore[arg-type]
        self.sequencer.submit(turn)
        return turn

    @property
    def creates(self) -> list[dict[str, Any]]:
        return [event for event in self.sent if event["type"] == "response.create"]

    def begin(self, event: dict[str, Any] | None = None) -> str:
        """The server begins the response that this event asked for; None: one by itself."""
        self.count += 1
        metadata = event["response"]["metadata"] if event else None
        self.sequencer.created({"id": f"resp_{self.count}", "metadata": metadata, "conversation_id": "conv"})
        return f"resp_{self.count}"

    def end(self, response_id: str, *call_ids: str, status: str = "completed", **more: Any) -> None:
        calls = [
            {"type": "function_call", "name": "f", "call_id": call_id, "arguments": "{}", "status": "completed"}
            for call_id in call_ids
        ]
        self.sequencer.done({"id": response_id, "status": status, "output": calls, **more})

    def error(self, code: str, event_id: str | None) -> bool:
        return self.sequencer.refused({"type": "error", "error": {"code": code, "event_id": event_id}})


BUSY = "conversation_already_has_active_response"


def test_an_output_sent_while_another_turn_is_being_asked_still_gets_its_answer() -> None:
    desk = Desk()
    first = desk.ask()
    desk.end(desk.begin(desk.creates[0]), "call_1")
    second = desk.ask()
    desk.sequencer.tool_finished("call_1", "result")  # after the second question's response.create
    response = desk.begin(desk.creates[1])
    desk.sequencer.output_added("call_1")
    desk.end(response)
    assert second.reply.status == "completed"
    assert not first.reply.is_done
    assert len(desk.creates) == 3
    desk.end(desk.begin(desk.creates[2]))
    assert first.reply.status == "completed"
    assert desk.sequencer.state is State.IDLE


def test_an_output_that_another_answer_has_seen_is_not_answered_twice() -> None:
    desk = Desk()
    first = desk.ask()
    desk.end(desk.begin(desk.creates[0]), "call_1", "call_2")
    desk.sequencer.tool_finished("call_1", "one")
    desk.sequencer.output_added("call_1")
    desk.sequencer.tool_finished("call_2", "two")
    desk.sequencer.output_added("call_2")
    desk.sequencer.expect_foreign()
    spoken = desk.begin()  # the user spoke; our follow-up comes too late
    assert desk.error(BUSY, desk.creates[1]["event_id"])
    desk.end(spoken)
    assert first.reply.status == "completed"
    assert "later turn" in first.reply.notes[0]
    assert len(desk.creates) == 2


def test_a_response_that_began_before_the_output_arrived_has_not_seen_it() -> None:
    desk = Desk()
    first = desk.ask()
    desk.end(desk.begin(desk.creates[0]), "call_1")
    desk.sequencer.tool_finished("call_1", "one")
    spoken = desk.begin()  # without metadata, as none of ours is
    desk.sequencer.output_added("call_1")
    assert desk.error(BUSY, desk.creates[1]["event_id"])
    assert len(desk.creates) == 2
    desk.end(spoken)
    assert len(desk.creates) == 3
    desk.end(desk.begin(desk.creates[2]))
    assert first.reply.status == "completed"


def test_several_responses_of_others_are_not_taken_for_ours() -> None:
    desk = Desk()
    desk.sequencer.expect_foreign("raw_1")
    desk.sequencer.expect_foreign()
    turn = desk.ask()
    desk.end(desk.begin())
    desk.end(desk.begin())
    assert len(desk.adopted) == 2
    assert not turn.reply.is_done
    desk.end(desk.begin(desk.creates[0]))
    assert turn.reply.status == "completed"


def test_a_response_without_metadata_is_none_of_ours_where_ours_carry_it() -> None:
    desk = Desk()
    desk.ask()
    desk.end(desk.begin(desk.creates[0]))
    turn = desk.ask()
    desk.end(desk.begin())  # nobody announced it: the idle timeout of a speech detector, say
    assert len(desk.adopted) == 1
    assert not turn.reply.is_done


def test_a_busy_refusal_waits_for_the_other_response_and_sends_the_question_once() -> None:
    desk = Desk()
    turn = desk.ask(item_create(user_message("hello", id="item_1")))
    assert desk.error(BUSY, None)
    assert desk.sequencer.state is State.RESPONDING
    assert len(desk.creates) == 1
    desk.end("resp_unseen")
    assert [event["type"] for event in desk.sent].count("conversation.item.create") == 1
    desk.end(desk.begin(desk.creates[1]))
    assert turn.reply.status == "completed"


def test_a_server_that_is_always_busy_is_given_up() -> None:
    desk = Desk()
    turn = desk.ask()
    for _ in range(8):
        assert desk.error(BUSY, desk.creates[-1]["event_id"])
        desk.end("resp_unseen")
    assert turn.reply.status == "failed"
    assert desk.sequencer.state is State.IDLE


def test_a_raw_response_that_is_refused_is_not_waited_for() -> None:
    desk = Desk()
    desk.sequencer.expect_foreign("raw")
    assert not desk.error("invalid_value", "raw")
    turn = desk.ask()
    desk.sequencer.created({"id": "resp_1", "metadata": None})  # a server that echoes nothing
    desk.end("resp_1")
    assert turn.reply.status == "completed"
    assert desk.adopted == []


def test_metadata_of_the_user_is_kept_beside_ours_and_full_metadata_alone() -> None:
    desk = Desk()
    desk.ask(metadata={"topic": "bees"})
    sent = desk.creates[0]["response"]["metadata"]
    assert sent["topic"] == "bees"
    assert REPLY_KEY in sent
    full = {f"key{n}": "v" for n in range(16)}
    desk = Desk()
    turn = desk.ask(metadata=full)
    assert desk.creates[0]["response"]["metadata"] == full
    desk.end(desk.begin(desk.creates[0]))
    assert turn.reply.status == "completed"


def test_a_failed_response_tells_the_servers_reason() -> None:
    desk = Desk()
    turn = desk.ask()
    details = {"type": "failed", "error": {"code": "rate_limit_exceeded", "message": "Too many."}}
    desk.end(desk.begin(desk.creates[0]), status="failed", status_details=details)
    assert turn.reply.status == "failed"
    with pytest.raises(ResponseFailed, match=r"rate_limit_exceeded: Too many\."):
        raise turn.reply.error  # type: ignore[misc]


def test_what_is_asked_after_the_connection_was_lost_fails_at_once() -> None:
    desk = Desk()
    gone = ConnectionClosed("gone")
    desk.sequencer.lost(gone)
    turn = desk.ask()
    assert turn.reply.error is gone
    assert desk.sent == []
    desk.sequencer.opened()
    desk.ask()
    assert len(desk.creates) == 1


def test_settings_of_one_answer_hold_for_its_follow_up_but_not_a_forced_call() -> None:
    desk = Desk()
    desk.ask(instructions="Be brief.", tool_choice="required", input=[])
    desk.end(desk.begin(desk.creates[0]), "call_1")
    desk.sequencer.tool_finished("call_1", "one")
    follow_up = desk.creates[1]["response"]
    assert follow_up["instructions"] == "Be brief."
    assert not {"tool_choice", "input"} & follow_up.keys()


def test_a_call_that_is_told_twice_runs_once() -> None:
    desk = Desk()
    desk.ask()
    desk.end(desk.begin(desk.creates[0]), "call_1")
    desk.sequencer.tool_finished("call_1", "one")
    desk.sequencer.tool_finished("call_1", "again")
    desk.end(desk.begin(desk.creates[1]), "call_1")
    assert [call.call_id for call in desk.begun] == ["call_1"]
    assert [event["type"] for event in desk.sent].count("conversation.item.create") == 1
