"""Functions that are given to one answer: no other answer knows them."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from helpers_session import TIMEOUT_S, Lab, eventually, lab

import rtnb
from rtnb.local.brains import call

__all__ = ["lab"]


def add(a: float, b: float) -> float:
    """Add two numbers."""
    return a + b


def twin(value: str) -> Any:
    """A function `same`, another one with each value."""

    def same() -> str:
        """Tell something."""
        return value

    return same


def test_a_function_for_one_answer_is_known_in_all_its_rounds_and_to_no_other_answer(lab: Lab) -> None:
    session = lab.session(call("add", a=1, b=2), call("add", a=3, b=4), "Ten.", call("add", a=5, b=6), "No.")
    reply = session.ask("x", tools=[add])
    assert reply.text == "Ten."
    assert [made.output for made in reply.tool_calls] == ["3.0", "7.0"]
    for create in session.events.filter("response.create"):
        assert [tool["name"] for tool in create.event["response"]["tools"]] == ["add"]
    assert session.settings.get("tools", []) == []

    reply = session.ask("y").wait()
    [made] = reply.tool_calls
    assert "no tool 'add'" in (made.error or "")
    session.tool(twin("a tool of the session"))
    assert [tool["name"] for tool in session.settings["tools"]] == ["same"]


def test_two_answers_may_have_different_functions_of_one_name(lab: Lab) -> None:
    session = lab.session(call("same"), "1", call("same"), "2", call("same"), "3", tools=[twin("of the session")])
    for value, given in {
        "one": {"tools": [twin("one")]},
        "two": {"tools": [twin("two")]},
        "of the session": {},
    }.items():
        [made] = session.ask("x", **given).tool_calls
        assert made.output == value
    with pytest.raises(rtnb.ToolError, match="already a tool 'same'"):
        session.ask("x", tools=[twin("one"), twin("two")])


def test_a_background_function_for_one_answer_finds_its_handler(lab: Lab) -> None:
    go_on = threading.Event()
    session = lab.session(call("brew"), "It is brewing.", "Your coffee is ready.")

    def brew() -> str:
        """Brew coffee."""
        go_on.wait(TIMEOUT_S)
        return "ready"

    reply = session.ask("coffee", tools=[rtnb.tool(brew, background=True)])
    assert reply.text == "It is brewing."
    go_on.set()
    eventually(lambda: len(session.replies) == 2, "the result to be told")
    assert session.replies[1].text == "Your coffee is ready."
    assert reply.tool_calls[0].result == "ready"
