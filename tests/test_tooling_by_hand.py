"""Calls that the user answers by hand, beside calls that the session carries out; over a real socket."""

from __future__ import annotations

import threading
from typing import Any

from helpers_session import TIMEOUT_S, Lab, eventually, lab

import rtnb
from rtnb.core.tools import as_tool
from rtnb.local.brains import call

__all__ = ["lab"]


def add(a: float, b: float) -> float:
    """Add two numbers."""
    return a + b


def look_up() -> str:
    """Look something up."""
    return ""


DECLARED = {"tools": [as_tool(look_up).definition()]}
BOTH = [call("add", a=1, b=2), call("look_up")]


def answer(session: rtnb.Session, reply: rtnb.Reply) -> None:
    [made] = [each for each in reply.tool_calls_so_far if each.name == "look_up"]
    item = {"type": "function_call_output", "call_id": made.call_id, "output": "found"}
    session.send({"type": "conversation.item.create", "item": item})


def asked_with(lab: Lab) -> list[Any]:
    """The outputs in the conversation at the last request."""
    return sorted(item["output"] for item in lab.brain.requests[-1].items if item["type"] == "function_call_output")


def test_the_follow_up_of_a_mixed_round_waits_for_what_the_user_answers(lab: Lab) -> None:
    session = lab.session(BOTH, "Three, and found.", "Next.", tools=[add], config=DECLARED)
    reply = session.ask("x").wait()
    assert (reply.status, reply.text_so_far) == ("completed", "")
    assert [made.output for made in reply.tool_calls] == ["3.0", None]
    assert "yours to answer" in reply.notes[0]
    session.wait("conversation.item.added", where=lambda event: event["item"]["type"] == "function_call_output")
    assert session.events.names["response.create"] == 1

    answer(session, reply)
    eventually(lambda: len(session.replies) == 2, "the follow-up")
    assert session.replies[1].text == "Three, and found."
    assert asked_with(lab) == ["3.0", "found"]
    assert session.ask("y").text == "Next."
    assert session.events.names["response.create"] == 3


def test_a_follow_up_that_the_user_asks_for_at_once_is_the_only_one(lab: Lab) -> None:
    session = lab.session(BOTH, "Three, and found.", "Next.", tools=[add], config=DECLARED)
    reply = session.ask("x").wait()
    both_sent = threading.Event()
    session._core.post(both_sent.wait, TIMEOUT_S)  # before the server's word on the output is read
    answer(session, reply)
    session.send({"type": "response.create"})
    both_sent.set()
    session.wait("response.done")
    assert session.replies[1].text == "Three, and found."
    assert asked_with(lab) == ["3.0", "found"]
    assert session.ask("y").text == "Next."
    assert session.events.names["response.create"] == 3
    assert session.events.names["error"] == 0
    assert len(session.replies) == 3


def test_a_call_that_the_user_answers_while_a_tool_runs_is_a_part_of_the_reply(lab: Lab) -> None:
    answered = threading.Event()
    session = lab.session(BOTH, "Three, and found.", config=DECLARED)

    def slow_add(a: float, b: float) -> float:
        """Add two numbers."""
        answered.wait(TIMEOUT_S)
        return a + b

    session.tool(slow_add, name="add")
    session.connect()
    reply = session.ask("x")
    session.wait("response.done")
    answer(session, reply)
    session.wait("conversation.item.added", where=lambda event: event["item"].get("output") == "found")
    assert session.events.names["response.create"] == 1
    answered.set()
    assert reply.text == "Three, and found."
    assert asked_with(lab) == ["3.0", "found"]
    assert len(session.replies) == 1


def test_functions_of_one_answer_are_known_to_its_follow_up_after_the_user_has_answered(lab: Lab) -> None:
    session = lab.session(BOTH, call("add", a=3, b=4), "Seven.", config=DECLARED)
    reply = session.ask("x", tools=[add, *DECLARED["tools"]]).wait()
    answer(session, reply)
    eventually(lambda: len(session.replies) == 2, "the follow-up")
    assert session.replies[1].text == "Seven."
    assert [made.output for made in session.replies[1].tool_calls] == ["7.0"]
