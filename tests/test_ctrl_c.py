"""Ctrl-C strikes a wait at every place where Python may raise it, and the session goes on each time.

CPython looks for signals when a function begins, after a call, and when a loop jumps back. A trace function raises
KeyboardInterrupt at each of these places in turn, in all code below the wait, the standard library's included.
"""

from __future__ import annotations

import asyncio
import contextlib
import dis
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from helpers_session import TIMEOUT_S, Gate, Lab, in_thread, lab

from rtnb.local.brains import wait
from rtnb.session.runner import Runner

__all__ = ["lab"]

# Struck before it is handed over, a coroutine is never awaited.
pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")

_CHECKED = ("CALL", "RESUME", "JUMP_BACKWARD")


def struck(work: Callable[[], object], place: int) -> bool:
    """Run `work`, and interrupt it at the n-th place; False when it has fewer."""
    seen = 0
    last: dict[FrameType, str] = {}

    def trace(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal seen
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode":
            before = last.get(frame, "RESUME")
            last[frame] = dis.opname[frame.f_code.co_code[frame.f_lasti]]
            if before.startswith(_CHECKED):
                seen += 1
                if seen == place:
                    sys.settrace(None)
                    raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


def everywhere(work: Callable[[], object], check: Callable[[], object]) -> int:
    """Strike `work` at each place; `check` must come back every time. Gives how many places there were."""
    place = 1
    while struck(work, place):
        in_thread(check)()
        place += 1
    return place - 1


async def nothing() -> None:
    await asyncio.sleep(0.002)


def test_a_call_may_be_struck_anywhere() -> None:
    runner = Runner("the thread of a test")
    runner.call(nothing())  # the thread is there
    try:
        assert everywhere(lambda: runner.call(nothing()), lambda: runner.call(nothing())) > 50
    finally:
        runner.stop()


@pytest.mark.parametrize("how", ["wait", "text", "iteration"])
def test_a_wait_for_an_answer_may_be_struck_anywhere(lab: Lab, how: str) -> None:
    gate = Gate()
    session = lab.session(["one ", wait(gate), "two"], *["again"] * 2)
    reply = session.ask("count", timeout=TIMEOUT_S)
    session.wait("response.output_text.delta", timeout=TIMEOUT_S)
    reads: dict[str, Callable[[], object]] = {
        "wait": lambda: reply.wait(0.002),
        "text": lambda: reply.text,
        "iteration": lambda: list(reply),
    }

    def read() -> None:
        reply._timeout = 0.002
        with contextlib.suppress(TimeoutError):
            reads[how]()

    assert everywhere(read, lambda: session.update(instructions="Go on.")) > 10
    assert not reply._bell._ears, "nobody waits any more"
    reply._timeout = TIMEOUT_S
    gate.open()
    assert in_thread(lambda: reply.text)() == "one two"
    assert session.ask("more").text == "again"


def test_a_wait_for_an_event_may_be_struck_anywhere(lab: Lab) -> None:
    session = lab.session("one").connect()

    def never() -> None:
        with contextlib.suppress(TimeoutError):
            session.wait("never", timeout=0.002)

    assert everywhere(never, lambda: session.update(instructions="Go on.")) > 50
    assert session.ask("more").text == "one"
