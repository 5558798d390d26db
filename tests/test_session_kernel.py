"""A session in a real IPython kernel, driven as a notebook drives it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from helpers_session import TIMEOUT_S
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

INTERRUPTED_WITHIN_S = 5.0
"""It is promised within half a second; a busy machine takes longer, and what waits for its own time-out much longer."""

SETUP = """
import asyncio, time
import rtnb
from rtnb.local.brains import ScriptBrain, call, wait

class Gate(asyncio.Event):
    async def wait(self):
        self.home = asyncio.get_running_loop()
        return await super().wait()
    def open(self):
        self.home.call_soon_threadsafe(self.set)

brain = ScriptBrain()
endpoint = rtnb.LocalEndpoint(brain=brain).start()
session = rtnb.Session(endpoint, output="text", transcription=None)
"""


class Notebook:
    """Cells that are run one after the other, and what they show."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager = manager
        self.client = client
        self.messages: list[dict[str, Any]] = []

    def start(self, code: str) -> str:
        return self.client.execute(code, stop_on_error=False)

    def finish(self, cell: str) -> list[dict[str, Any]]:
        """Wait for the end of a cell; what it showed."""
        self.until(lambda message: self._ends(message, cell))
        self.client.get_shell_msg(timeout=TIMEOUT_S)
        return [each for each in self.messages if each["parent_header"].get("msg_id") == cell]

    def until(self, condition: Any) -> dict[str, Any]:
        """The first message, from now on, for which this is true."""
        end = time.monotonic() + TIMEOUT_S
        while time.monotonic() < end:
            message = self.client.get_iopub_msg(timeout=TIMEOUT_S)
            self.messages.append(message)
            if condition(message):
                return message
        raise AssertionError("it did not come")

    @staticmethod
    def _ends(message: dict[str, Any], cell: str) -> bool:
        is_idle = message["msg_type"] == "status" and message["content"]["execution_state"] == "idle"
        return is_idle and message["parent_header"].get("msg_id") == cell

    def run(self, code: str) -> str:
        """Run a cell to its end; its printed text. Errors are raised."""
        shown = self.finish(self.start(code))
        for each in shown:
            if each["msg_type"] == "error":
                raise RuntimeError("\n".join(each["content"]["traceback"]))
        return "".join(each["content"]["text"] for each in shown if each["msg_type"] == "stream")

    def interrupted(self, code: str) -> str:
        """Run a cell that prints "waiting" and waits for a minute or longer; interrupt it. The error that ends it."""
        cell = self.start(code)
        self.until(lambda message: "waiting" in message["content"].get("text", ""))
        start = time.monotonic()
        self.manager.interrupt_kernel()
        shown = self.finish(cell)
        assert time.monotonic() - start < INTERRUPTED_WITHIN_S
        return next(each["content"]["ename"] for each in shown if each["msg_type"] == "error")


@pytest.fixture(scope="module")
def notebook() -> Iterator[Notebook]:
    manager = KernelManager()
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    made = Notebook(manager, client)
    made.said = made.run(SETUP)  # type: ignore[attr-defined]
    yield made
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    manager.cleanup_resources()


def test_a_session_says_in_one_line_where_it_connects_to(notebook: Notebook) -> None:
    said = notebook.said  # type: ignore[attr-defined]
    assert said.count("\n") == 1
    assert said.startswith("rtnb: local endpoint")


def test_plain_calls_and_await_work_in_cells(notebook: Notebook) -> None:
    assert notebook.run("brain.add('one'); print(session.ask('x').text)") == "one\n"
    assert notebook.run("brain.add('two'); reply = await session.ask('x'); print(reply.text)") == "two\n"
    code = "brain.add('three four')\nasync for piece in session.ask('x'): print(piece, end='|')"
    assert notebook.run(code) == "three| four|"
    assert notebook.run("print((await session.aio.wait('response.done'))['type'])") == "response.done\n"


def test_a_busy_cell_does_not_stop_the_stream(notebook: Notebook) -> None:
    code = """
        brain.add("one two three")
        reply = session.ask("x")
        end = time.monotonic() + 20
        while not reply.is_done and time.monotonic() < end:
            pass
        print(reply.text_so_far)
    """
    assert notebook.run(code) == "one two three\n"
    code = "brain.add('four')\nreply = session.ask('x')\ntime.sleep(0.5)\nprint(reply.is_done)"
    assert notebook.run(code) == "True\n"


def test_a_reply_at_the_end_of_a_cell_grows_there_until_it_is_complete(notebook: Notebook) -> None:
    notebook.run("gate = Gate(); brain.add(['one ', wait(gate), 'two <three>'])")
    shown = notebook.finish(notebook.start("session.ask('x')"))
    [first] = [each for each in shown if each["msg_type"] == "display_data"]
    display_id = first["content"]["transient"]["display_id"]
    assert not [each for each in shown if each["msg_type"] == "execute_result"]
    assert "text/html" in first["content"]["data"]

    def grew(message: dict[str, Any], text: str) -> bool:
        content = message["content"]
        is_update = message["msg_type"] == "update_display_data" and content["transient"]["display_id"] == display_id
        return is_update and text in content["data"]["text/plain"]

    if "one" not in first["content"]["data"]["text/plain"] and not any(grew(each, "one") for each in notebook.messages):
        notebook.until(lambda message: grew(message, "one"))
    notebook.messages.clear()
    opened = notebook.start("gate.open()")
    notebook.finish(opened)
    done = next((each for each in notebook.messages if grew(each, "one two <three>")), None)
    done = done or notebook.until(lambda message: grew(message, "one two <three>"))
    assert "one two &lt;three&gt;" in done["content"]["data"]["text/html"]
    last = done
    while "&#9646;" in last["content"]["data"]["text/html"]:  # the cursor of an answer that is not complete
        last = notebook.until(lambda message: grew(message, "one two <three>"))


def test_a_complete_reply_is_shown_at_once(notebook: Notebook) -> None:
    shown = notebook.finish(notebook.start("brain.add('done'); session.ask('x').wait()"))
    bundles = [each["content"]["data"] for each in shown if each["msg_type"] in ("display_data", "execute_result")]
    assert [bundle["text/plain"] for bundle in bundles] == ["done"]


def test_an_interrupt_ends_a_blocking_cell_and_an_awaiting_one(notebook: Notebook) -> None:
    for code in ("session.ask('x').text", "await session.ask('x')", "session.wait('never', timeout=1000)"):
        notebook.run("session.connect(); gate = Gate(); brain.add(['one ', wait(gate)])")
        assert notebook.interrupted(f"print('waiting', flush=True)\n{code}") in ("KeyboardInterrupt", "CancelledError")
        notebook.run("session.interrupt(); session.replies[-1].wait(20); brain._next = len(brain._row)")
        assert notebook.run("brain.add('again'); print(session.ask('x').text)") == "again\n"


def test_a_guides_script_runs_in_a_cell_and_run_all_still_runs_all(notebook: Notebook) -> None:
    cells = [
        "%load_ext rtnb",
        "async def main():\n    brain.add('from main')\n    print((await session.ask('x')).text)\nasyncio.run(main())",
        "brain.add('after'); print(session.ask('x').text)",
        "asyncio.run(main())",
        "brain.add('awaited'); print((await session.ask('x')).text)",
    ]
    started = [notebook.start(cell) for cell in cells]
    printed = []
    for cell in started:
        shown = notebook.finish(cell)
        assert not [each for each in shown if each["msg_type"] == "error"], shown
        printed += [each["content"]["text"] for each in shown if each["msg_type"] == "stream"]
    assert "".join(printed) == "from main\nafter\nfrom main\nawaited\n"
