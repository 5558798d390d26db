"""Running tools: threads, tasks, timeouts, refusals, and what the model is told of each."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import json
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from rtnb.core.errors import ToolError
from rtnb.core.tool_output import Result
from rtnb.core.tools import PREFER_RECORDED, Tool, tool
from rtnb.session.tool_runner import ToolRunner
from rtnb.session.tool_threads import ThreadsBusy, ToolThreads

WAIT_S = 20


@pytest.fixture
async def runner() -> AsyncIterator[ToolRunner]:
    """A runner, closed at the end."""
    runner = ToolRunner()
    yield runner
    runner.close()


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Holds a tool up until it is set, which it is in the end, so that no thread stays behind."""
    gate = threading.Event()
    yield gate
    gate.set()


@tool
def calculate_sum(a: float, b: float) -> float:
    """Add two numbers."""
    return a + b


async def test_a_plain_function_gives_its_result_as_json(runner: ToolRunner) -> None:
    outcome = await runner.run(calculate_sum, '{"a": 4, "b": 6}', call_id="call_1")
    assert (outcome.output, outcome.ok, outcome.error, outcome.value) == ("10.0", True, None, 10.0)
    assert (outcome.call_id, outcome.name, outcome.kind, outcome.arguments) == (
        "call_1",
        "calculate_sum",
        "completed",
        {"a": 4.0, "b": 6.0},
    )
    assert outcome.milliseconds > 0
    assert outcome.traceback == ""


async def test_a_plain_function_runs_off_the_loops_thread_in_a_daemon_thread(runner: ToolRunner) -> None:
    seen: list[threading.Thread] = []

    @tool
    def where() -> str:
        """Tell the thread."""
        seen.append(threading.current_thread())
        return "here"

    await runner.run(where, "{}")
    assert seen[0] is not threading.current_thread()
    assert seen[0].daemon


async def test_an_async_function_runs_on_the_loop(runner: ToolRunner) -> None:
    @tool
    async def where(x: int) -> dict[str, Any]:
        """Tell the thread."""
        await asyncio.sleep(0)
        return {"x": x, "thread": threading.current_thread().name}

    outcome = await runner.run(where, '{"x": 1}')
    assert json.loads(outcome.output) == {"x": 1, "thread": threading.current_thread().name}


async def test_a_plain_function_that_makes_a_coroutine_is_awaited(runner: ToolRunner) -> None:
    async def inner() -> str:
        return "done"

    @tool
    def outer() -> Any:
        """Make a coroutine."""
        return inner()

    assert (await runner.run(outer, "{}")).output == "done"


async def test_a_partial_of_an_async_function_is_awaited(runner: ToolRunner) -> None:
    async def scale(x: float, factor: float) -> float:
        """Scale a number."""
        return x * factor

    assert (await runner.run(tool(functools.partial(scale, factor=3)), '{"x": 2}')).output == "6.0"


async def test_several_calls_run_at_once(runner: ToolRunner) -> None:
    together = threading.Barrier(3)

    @tool
    def meet(name: str) -> str:
        """Wait for the others."""
        together.wait(WAIT_S)
        return name

    outcomes = await asyncio.gather(*(runner.run(meet, json.dumps({"name": each})) for each in "abc"))
    assert [each.output for each in outcomes] == ["a", "b", "c"]


async def test_threads_are_used_again(runner: ToolRunner) -> None:
    for _ in range(20):
        await runner.run(calculate_sum, '{"a": 1, "b": 2}')
    assert runner._threads.alive == 1


async def test_context_variables_reach_the_tool(runner: ToolRunner) -> None:
    who = contextvars.ContextVar("who", default="nobody")
    who.set("learner")

    @tool
    def name_plain() -> str:
        """Tell who."""
        return who.get()

    @tool
    async def name_async() -> str:
        """Tell who."""
        return who.get()

    assert (await runner.run(name_plain, "")).output == "learner"
    assert (await runner.run(name_async, "")).output == "learner"


async def test_tools_are_told_when_recorded_answers_are_wanted() -> None:
    @tool
    def ask() -> bool:
        """Tell."""
        return PREFER_RECORDED.get()

    for wanted in (True, False):
        runner = ToolRunner(prefer_recorded=wanted)
        assert (await runner.run(ask, "{}")).value is wanted
        runner.close()
    assert PREFER_RECORDED.get() is False


async def test_an_unknown_tool_is_answered_with_the_names_there_are(runner: ToolRunner) -> None:
    outcome = await runner.run("get_wether", "{}", call_id="call_1", known=["get_weather", "calculate_sum"])
    assert not outcome.ok
    assert outcome.kind == "unknown"
    assert json.loads(outcome.output) == {
        "error": "There is no tool 'get_wether'. There are: get_weather, calculate_sum."
    }


@pytest.mark.parametrize(
    "arguments", ['{"a": 4', "[1, 2]", '{"a": 4}', '{"a": "four", "b": 1}', '{"a": 1, "b": 2, "c": 3}']
)
async def test_arguments_that_do_not_fit_never_reach_the_tool(runner: ToolRunner, arguments: str) -> None:
    ran: list[float] = []

    @tool
    def add(a: float, b: float) -> float:
        """Add."""
        ran.append(a)
        return a + b

    outcome = await runner.run(add, arguments)
    assert (outcome.ok, outcome.kind, outcome.arguments, ran) == (False, "arguments", None, [])
    assert outcome.error
    assert json.loads(outcome.output)["error"].startswith("add: ")


async def test_a_validator_that_raises_anything_is_an_error_outcome(runner: ToolRunner) -> None:
    from typing import Annotated

    from pydantic import AfterValidator

    def broken(value: int) -> int:
        raise KeyError("oops")

    @tool
    def f(x: Annotated[int, AfterValidator(broken)]) -> int:
        """Check."""
        return x

    assert (await runner.run(f, '{"x": 1}')).kind == "arguments"


async def test_an_exception_goes_to_the_model_in_short_and_to_the_author_in_full(runner: ToolRunner) -> None:
    @tool
    def read(path: str) -> str:
        """Read a file."""
        with open(path) as file:
            return file.read()

    outcome = await runner.run(read, json.dumps({"path": "/no/such/folder/notes.txt"}))
    assert (outcome.ok, outcome.kind) == (False, "exception")
    said = json.loads(outcome.output)["error"]
    assert said == "FileNotFoundError: [Errno 2] No such file or directory: 'notes.txt'"
    assert isinstance(outcome.exception, FileNotFoundError)
    assert "with open(path) as file" in outcome.traceback
    assert "rtnb/session" not in outcome.traceback


async def test_a_tool_error_is_told_in_its_own_words(runner: ToolRunner) -> None:
    @tool
    async def find(place: str) -> str:
        """Find a place."""
        raise ToolError(f"No place is called {place}.")

    assert json.loads((await runner.run(find, '{"place": "Xyz"}')).output) == {"error": "No place is called Xyz."}


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), StopIteration(1), asyncio.CancelledError()])
async def test_whatever_a_tool_raises_is_an_outcome(runner: ToolRunner, error: BaseException) -> None:
    @tool
    def plain() -> None:
        """Raise."""
        raise error

    @tool
    async def on_loop() -> None:
        """Raise."""
        raise error

    for each in (plain, on_loop):
        outcome = await asyncio.wait_for(runner.run(each, "{}"), WAIT_S)
        assert (outcome.ok, outcome.kind) == (False, "exception")


async def test_a_result_that_cannot_be_encoded_is_an_error_outcome(runner: ToolRunner) -> None:
    class Broken(dict):  # type: ignore[type-arg]
        def items(self) -> Any:
            raise OSError("no items")

    @tool
    async def f() -> Any:
        """Give something broken."""
        return Broken()

    assert (await runner.run(f, "{}")).error == "OSError: no items"


async def test_a_hung_thread_is_abandoned_and_said_so(runner: ToolRunner, gate: threading.Event) -> None:
    @tool(timeout=0.05)
    def hang() -> str:
        """Hang."""
        gate.wait(WAIT_S)
        return "late"

    outcome = await runner.run(hang, "{}")
    assert (outcome.ok, outcome.kind) == (False, "timeout")
    assert outcome.error == "hang did not finish within 0.05 s and was given up; it may still be at work."
    assert runner.abandoned == 1
    assert (await runner.run(calculate_sum, '{"a": 1, "b": 2}')).ok  # another thread serves the next call
    gate.set()
    await _until(lambda: runner.abandoned == 0)


async def test_an_async_tool_that_takes_too_long_is_cancelled(runner: ToolRunner) -> None:
    closed = []

    @tool(timeout=0.05)
    async def hang() -> None:
        """Hang."""
        try:
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    outcome = await runner.run(hang, "{}")
    assert outcome.error == "hang did not finish within 0.05 s and was given up."
    assert closed == [True]
    assert runner.abandoned == 0


async def test_an_async_tool_that_will_not_be_cancelled_does_not_hold_the_answer_up(runner: ToolRunner) -> None:
    release = asyncio.Event()

    @tool(timeout=0.05)
    async def stubborn() -> None:
        """Refuse to end."""
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    outcome = await asyncio.wait_for(runner.run(stubborn, "{}"), WAIT_S)
    assert outcome.kind == "timeout"
    assert "may still be at work" in str(outcome.error)
    assert runner.abandoned == 1
    release.set()
    await _until(lambda: runner.abandoned == 0)


async def test_timeout_none_waits(runner: ToolRunner) -> None:
    @tool(timeout=None)
    def f() -> str:
        """Take its time."""
        return "done"

    assert (await runner.run(f, "{}")).output == "done"


async def test_cancelling_a_call_cancels_its_task_and_raises(runner: ToolRunner) -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    @tool
    async def wait() -> None:
        """Wait."""
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    call = asyncio.create_task(runner.run(wait, "{}"))
    await asyncio.wait_for(started.wait(), WAIT_S)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await asyncio.wait_for(ended.wait(), WAIT_S)


async def test_cancelling_a_call_lets_go_of_its_thread(runner: ToolRunner, gate: threading.Event) -> None:
    started = threading.Event()

    @tool
    def hang() -> None:
        """Hang."""
        started.set()
        gate.wait(WAIT_S)

    call = asyncio.create_task(runner.run(hang, "{}"))
    await asyncio.to_thread(started.wait, WAIT_S)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await _until(lambda: runner.abandoned == 1)
    gate.set()
    await _until(lambda: runner.abandoned == 0)


@pytest.mark.parametrize(("answer", "runs"), [(True, True), (False, False), (None, False), ("yes", False)])
async def test_a_tool_that_needs_consent_runs_only_when_it_is_given(answer: Any, runs: bool) -> None:
    asked: list[tuple[str, dict[str, Any]]] = []

    async def approve(tool: Tool, arguments: dict[str, Any]) -> bool:
        asked.append((tool.name, arguments))
        return answer  # type: ignore[no-any-return]

    runner = ToolRunner(approve=approve)
    outcome = await runner.run(tool(calculate_sum, confirm=True), '{"a": 1, "b": 2}')
    assert asked == [("calculate_sum", {"a": 1.0, "b": 2.0})]
    assert outcome.ok is runs
    assert outcome.kind == ("completed" if runs else "denied")
    runner.close()


@pytest.mark.parametrize(("answer", "words"), [(False, "did not consent"), (None, "nobody answered")])
async def test_silence_is_not_told_as_a_refusal(answer: bool | None, words: str) -> None:
    async def approve(tool: Tool, arguments: dict[str, Any]) -> bool | None:
        return answer

    runner = ToolRunner(approve=approve)
    outcome = await runner.run(tool(calculate_sum, confirm=True), '{"a": 1, "b": 2}')
    assert words in json.loads(outcome.output)["error"]
    runner.close()


async def test_nobody_to_ask_means_no(runner: ToolRunner) -> None:
    outcome = await runner.run(tool(calculate_sum, confirm=True), '{"a": 1, "b": 2}')
    assert outcome.kind == "denied"
    assert "nobody here to ask" in json.loads(outcome.output)["error"]


async def test_consent_is_not_asked_for_arguments_that_do_not_fit() -> None:
    async def approve(tool: Tool, arguments: dict[str, Any]) -> bool:
        raise AssertionError("asked")

    runner = ToolRunner(approve=approve)
    assert (await runner.run(tool(calculate_sum, confirm=True), "{}")).kind == "arguments"
    runner.close()


async def test_asking_that_fails_means_no(caplog: pytest.LogCaptureFixture) -> None:
    async def approve(tool: Tool, arguments: dict[str, Any]) -> bool:
        raise OSError("no terminal")

    runner = ToolRunner(approve=approve)
    outcome = await runner.run(tool(calculate_sum, confirm=True), '{"a": 1, "b": 2}')
    assert outcome.kind == "denied"
    assert "asking for consent failed" in caplog.text
    runner.close()


async def test_a_rich_result_shows_one_thing_and_tells_another(runner: ToolRunner) -> None:
    @tool
    def plot() -> Result:
        """Plot."""
        return Result({"points": 3}, show="a figure")

    outcome = await runner.run(plot, "{}")
    assert (outcome.output, outcome.value, outcome.shown) == ('{"points": 3}', {"points": 3}, "a figure")


async def test_a_long_result_is_cut_with_a_note() -> None:
    @tool
    def long() -> str:
        """Say much."""
        return "x" * 5000

    runner = ToolRunner(output_chars=200)
    outcome = await runner.run(long, "{}")
    assert len(outcome.output) == 200
    assert outcome.output.endswith("[cut: the result had 5,000 characters; ask for less at a time]")
    assert len(outcome.value) == 5000
    runner.close()


async def test_keys_in_use_are_in_no_output_error_or_traceback() -> None:
    key = "house-key-" + "z" * 12

    @tool
    def leak(fail: bool) -> str:
        """Leak."""
        if fail:
            raise ValueError(f"401 for {key}")
        return f"the key is {key}"

    runner = ToolRunner(secrets=[key, None])
    for outcome in [await runner.run(leak, '{"fail": false}'), await runner.run(leak, '{"fail": true}')]:
        assert key not in outcome.output
        assert key not in str(outcome.error)
        assert key not in outcome.traceback
        assert key not in repr(outcome).replace(repr(outcome.value), "")
    runner.close()


async def test_what_a_tool_prints_is_not_swallowed(runner: ToolRunner, capsys: pytest.CaptureFixture[str]) -> None:
    @tool
    def speak() -> None:
        """Print."""
        print("hello from the tool")  # noqa: T201

    await runner.run(speak, "{}")
    assert capsys.readouterr().out == "hello from the tool\n"


async def test_a_closed_runner_says_so_instead_of_running() -> None:
    runner = ToolRunner()
    runner.close()
    runner.close()
    outcome = await runner.run(calculate_sum, '{"a": 1, "b": 2}')
    assert "session is closed" in str(outcome.error)


async def test_too_many_hung_tools_are_refused_in_words(gate: threading.Event) -> None:
    threads = ToolThreads(max_threads=1)
    first = threads.submit(lambda: gate.wait(WAIT_S))
    with pytest.raises(ThreadsBusy, match="1 tools are running or hung"):
        threads.submit(lambda: None)
    gate.set()
    assert await asyncio.wait_for(first, WAIT_S) == (True, None)
    threads.close()


async def test_closing_ends_the_waiting_threads() -> None:
    threads = ToolThreads()
    await threads.submit(lambda: None)
    assert threads.alive == 1
    threads.close()
    await _until(lambda: threads.alive == 0)


def test_a_hung_tool_does_not_keep_the_process_alive() -> None:
    script = """
        import asyncio, threading
        from rtnb.core.tools import tool
        from rtnb.session.tool_runner import ToolRunner

        @tool(timeout=0.05)
        def hang() -> None:
            "Hang for ever."
            threading.Event().wait()

        async def main():
            print((await ToolRunner().run(hang, "{}")).kind)

        asyncio.run(main())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout.strip(), done.returncode) == ("timeout", 0), done.stderr


async def _until(condition: Any) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():  # a thread's end has no event to wait for
            await asyncio.sleep(0.005)
