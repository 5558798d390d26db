"""Consent to a tool: in a terminal, and in a kernel whose front end answers input requests or takes none."""

from __future__ import annotations

import asyncio
import contextvars
import io
import logging
import os
import threading
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from helpers_session import TIMEOUT_S
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from rtnb.core.tools import tool
from rtnb.notebook import approval
from rtnb.notebook.approval import approve
from rtnb.toolbox import calculate_sum

HOME = contextvars.copy_context()
SUM = tool(calculate_sum, confirm=True)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while not condition():
            await asyncio.sleep(0.01)


def readers() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "rtnb question"]


# ---- in a terminal


class Terminal:
    """The user's end of a terminal that is this process's standard input, and what was written."""

    def __init__(self, end: int, stdin: io.TextIOBase, written: io.StringIO) -> None:
        self._end = end
        self.stdin = stdin
        self._written = written

    def type(self, line: str) -> None:
        os.write(self._end, line.encode() + b"\n")

    @property
    def prompts(self) -> int:
        return self._written.getvalue().count("Allow it? [y/N]")

    @property
    def text(self) -> str:
        return self._written.getvalue()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    pty = pytest.importorskip("pty")
    mine, theirs = pty.openpty()
    written = io.StringIO()
    with os.fdopen(theirs) as stdin:
        monkeypatch.setattr(approval, "sys", types.SimpleNamespace(stdin=stdin, stdout=written))
        yield Terminal(mine, stdin, written)
    os.close(mine)


@pytest.mark.parametrize(
    ("typed", "allowed"), [("y", True), ("Yes", True), ("", False), ("no", False), ("what", False)]
)
async def test_a_terminal_takes_yes_for_a_yes_and_all_else_for_a_no(
    terminal: Terminal, typed: str, allowed: bool
) -> None:
    asked = asyncio.create_task(approve(SUM, {"a": 4, "b": 6}, HOME))
    await until(lambda: terminal.prompts)
    assert "The model wants to run calculate_sum(a=4, b=6). Allow it?" in terminal.text
    terminal.type(typed)
    assert await asyncio.wait_for(asked, TIMEOUT_S) is allowed


async def test_silence_in_a_terminal_ends_the_question_and_leaves_the_next_line_to_others(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(approval, "_WAIT_S", 0.05)
    assert await asyncio.wait_for(approve(SUM, {}, HOME), TIMEOUT_S) is None
    assert "nobody answered" in terminal.text
    await until(lambda: not readers())
    terminal.type("print(1)")
    assert await asyncio.to_thread(terminal.stdin.readline) == "print(1)\n"


async def test_a_question_that_is_cancelled_reads_no_more(terminal: Terminal) -> None:
    asked = asyncio.create_task(approve(SUM, {}, HOME))
    await until(lambda: terminal.prompts)
    assert all(each.daemon for each in readers())
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    await until(lambda: not readers())


async def test_two_questions_are_put_one_after_the_other(terminal: Terminal) -> None:
    asked = [asyncio.create_task(approve(SUM, {"a": number}, HOME)) for number in range(2)]
    await until(lambda: terminal.prompts)
    assert terminal.prompts == 1
    terminal.type("y")
    await until(lambda: terminal.prompts == 2)
    terminal.type("n")
    assert await asyncio.wait_for(asyncio.gather(*asked), TIMEOUT_S) == [True, False]


async def test_a_question_that_waits_for_another_has_its_minute_too(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(approval, "_WAIT_S", 0.05)
    with approval._asking, caplog.at_level(logging.WARNING):
        assert await asyncio.wait_for(approve(SUM, {}, HOME), TIMEOUT_S) is None
    assert "calculate_sum() was not run: another question was not answered within 0.05 s" in caplog.text
    assert not terminal.prompts


async def test_a_question_that_was_given_up_is_decided_before_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def is_decided(question: approval._Question) -> bool:
        assert question.answer.done(), "a cell may still put an input field there"
        return False

    monkeypatch.setattr(approval, "_WAIT_S", 0.05)
    monkeypatch.setattr(approval, "in_kernel", lambda: True)
    monkeypatch.setattr(approval._Question, "has_field", property(is_decided))
    assert await asyncio.wait_for(approve(SUM, {}, HOME), TIMEOUT_S) is None


def test_a_question_that_is_given_up_while_a_cell_looks_gets_no_field(monkeypatch: pytest.MonkeyPatch) -> None:
    question = approval._Question("add()", {})

    def parent(_: str) -> dict[str, Any]:
        question.decide(None)
        return {"header": {"msg_id": "cell"}}

    kernel = types.SimpleNamespace(_allow_stdin=True, get_parent=parent)  # without a way to send
    monkeypatch.setattr("IPython.core.getipython.get_ipython", lambda: types.SimpleNamespace(kernel=kernel))
    question._look()
    assert not question.has_field


async def test_without_a_terminal_or_a_notebook_nobody_answers(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    planted, own = "sk-proj-" + "Ab1" * 12, "f00d" * 8
    with caplog.at_level(logging.WARNING):
        assert await approve(SUM, {"a": planted, "b": own}, HOME, (own,)) is None
    assert "nobody can be asked" in caplog.text
    assert planted not in caplog.text
    assert own not in caplog.text


# ---- in a kernel

SETUP = """
import rtnb
from rtnb.toolbox import calculate_sum
ran = []

@rtnb.tool(confirm=True)
def add(a: float, b: float) -> float:
    "Add two numbers. Use it when asked to add."
    ran.append((a, b))
    return a + b

from rtnb.local.brains import ScriptBrain, call
brain = ScriptBrain()
endpoint = rtnb.LocalEndpoint(brain=brain).start()
session = rtnb.Session(endpoint, output="text", transcription=None, tools=[add]).connect()

def ask():
    ran.clear()
    brain.add(call("add", a=1, b=2), "Done.")
    return session.ask("x")
"""


class Kernel:
    """Runs cells, and answers what they ask."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager, self.client = manager, client

    def run(self, code: str, *answers: str, stdin: bool = True) -> str:
        """What a cell printed, and the name of its error."""
        left = list(answers)
        told: list[str] = []

        def answer(message: dict[str, Any]) -> None:
            told.append("ASKED " + message["content"]["prompt"] + "\n")
            if not left:
                self.manager.interrupt_kernel()
                return
            self.client.input(left.pop(0))

        def take(message: dict[str, Any]) -> None:
            told.append(message["content"].get("text") or message["content"].get("ename") or "")

        self.client.execute_interactive(
            code, allow_stdin=stdin, stdin_hook=answer, output_hook=take, timeout=TIMEOUT_S, stop_on_error=False
        )
        return "".join(told)


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    manager = KernelManager()
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    made = Kernel(manager, client)
    assert "Error" not in made.run(SETUP)
    yield made
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    manager.cleanup_resources()


WAITS = [
    "ask().wait()",
    "await ask()",
    "for _ in ask(): pass",
    "async for _ in ask(): pass",
    "ask(); session.wait('response.done', where=lambda e: e['response']['output'][0]['type'] == 'message')",
]


@pytest.mark.parametrize("wait", WAITS)
@pytest.mark.parametrize(("typed", "ran"), [("y", "[(1.0, 2.0)]"), ("n", "[]")])
def test_every_way_to_wait_in_a_cell_asks(kernel: Kernel, wait: str, typed: str, ran: str) -> None:
    told = kernel.run(f"{wait}\nprint(ran)", typed)
    assert told.startswith("ASKED The model wants to run add(a=1.0, b=2.0). Allow it? [y/N]")
    assert told.endswith(f"{ran}\n")


def test_an_answer_to_an_earlier_question_allows_nothing(kernel: Kernel) -> None:
    session, channel = kernel.client.session, kernel.client.stdin_channel

    def answer(message: dict[str, Any]) -> None:
        earlier = {**message["header"], "msg_id": "earlier"}
        channel.send(session.msg("input_reply", {"value": "y"}, parent={"header": earlier}))
        channel.send(session.msg("input_reply", {"value": "n"}, parent=message))

    told: list[str] = []
    kernel.client.execute_interactive(
        "ask().wait(); print(ran)",
        stdin_hook=answer,
        output_hook=lambda message: told.append(message["content"].get("text") or ""),
        timeout=TIMEOUT_S,
    )
    assert "".join(told) == "[]\n"


def test_an_interrupt_ends_the_wait_and_the_next_cell_asks_again(kernel: Kernel) -> None:
    assert "KeyboardInterrupt" in kernel.run("reply = ask(); reply.wait()")
    told = kernel.run("reply.wait(); print(ran)", "y")
    assert told.startswith("ASKED")
    assert told.endswith("[(1.0, 2.0)]\n")


def test_a_front_end_that_takes_no_input_is_nobody(kernel: Kernel) -> None:
    told = kernel.run("reply = ask().wait(); print(reply.tool_calls[0].error, ran)", stdin=False)
    assert "nobody answered. It was not run. []" in told


CANCELLED = """
import time
from rtnb.session.waiting import attendants

def until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)

reply = ask()
until(lambda: attendants)  # no wait of the session: it would ask
reply.cancel()
until(lambda: not attendants)
reply.wait()
print(reply.status)
"""


def test_a_cancelled_question_is_asked_no_more(kernel: Kernel) -> None:
    told = kernel.run(CANCELLED)
    assert told.endswith("cancelled\n")
    told = kernel.run("session.ask('the script goes on').wait(); ask().wait(); print(ran)", "y")
    assert told.count("ASKED") == 1
    assert told.endswith("[(1.0, 2.0)]\n")
