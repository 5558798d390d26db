"""Asking the user whether a tool may run: in a notebook, in a terminal, not at all where nobody is.

Theory of operation
-------------------
A kernel handles clicks only between cells. So in a notebook a question has two ways:

=======================  =============================================================================================
a cell waits or awaits   an input field under that cell, as of ``input()``: its answers pass while a cell runs. The
                         waiting thread asks and looks for the answer (`rtnb.session.waiting`), so the wait keeps its
                         time-out, and Ctrl-C ends it
nobody waits             buttons, under the cell that asked the model; in a cell that is busy otherwise, a click counts
                         as soon as that cell has ended
=======================  =============================================================================================

One question is put at a time. Imports `rtnb.core.tools` and `rtnb.session.waiting`; ipywidgets for the buttons.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import logging
import select
import sys
import threading
import time
from typing import Any, Final

from rtnb.core.errors import redact
from rtnb.core.tools import Tool
from rtnb.notebook.live import in_kernel, say
from rtnb.session.waiting import attendants

__all__ = ["approve"]

_WAIT_S: Final = 60.0
_LOOK_S: Final = 0.1
_ALONE_S: Final = 0.5
"""With no wait that attends to the question for so long, no cell waits."""

logger = logging.getLogger(__name__)

_asking = threading.Lock()


async def approve(
    tool: Tool, arguments: dict[str, Any], home: contextvars.Context, secrets: tuple[str, ...] = ()
) -> bool | None:
    """Ask, and wait at most a minute; None when nobody answers or can be asked. Awaited on the session's loop.

    The context is that of the code that asked the model; `home` serves where that was no cell, but a click. No key is
    shown: neither what looks like one nor the `secrets` in use.
    """
    words = redact(f"{tool.name}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})", *secrets)
    end = asyncio.get_running_loop().time() + _WAIT_S
    try:
        async with asyncio.timeout_at(end):
            while not _asking.acquire(blocking=False):  # noqa: ASYNC110 - each session has a loop: no asyncio.Event
                await asyncio.sleep(_LOOK_S)
    except TimeoutError:
        logger.warning("%s was not run: another question was not answered within %g s", words, _WAIT_S)
        return None
    try:
        if in_kernel():
            return await _ask_in_notebook(words, home, end)
        if sys.stdin is not None and sys.stdin.isatty():
            return await _ask_in_terminal(words, end)
    finally:
        _asking.release()
    logger.warning("%s was not run: it needs consent, and nobody can be asked here", words)
    return None


def _prompt(words: str) -> str:
    return f"The model wants to run {words}. Allow it? [y/N] "


def _is_yes(line: str) -> bool:
    return line.strip().lower() in ("y", "yes")


# ---- in a notebook


async def _ask_in_notebook(words: str, home: contextvars.Context, end: float) -> bool | None:
    question = _Question(words, _cell_of(home))
    answer = asyncio.wrap_future(question.answer)
    attendants.append(question.attend)
    outcome = "was not run: the question was withdrawn"
    try:
        async with asyncio.timeout_at(end):
            while not answer.done():
                await asyncio.wait({answer}, timeout=_LOOK_S)
                if not answer.done() and question.is_alone:
                    question.show_buttons()
        allowed = answer.result()
        outcome = {True: "was allowed", False: "was denied", None: "was not run: nobody can be asked here"}[allowed]
        return allowed
    except TimeoutError:
        outcome = f"was not run: nobody answered within {_WAIT_S:g} s"
        return None
    finally:
        attendants.remove(question.attend)
        question.decide(None)  # from now on no cell asks
        question.close(outcome)
        if question.has_field:
            say(f"{words} {outcome}. Press Enter in the field before you run another cell: JupyterLab waits for it.")


class _Question:
    """One question to the user of a notebook. Buttons are the session's thread's, the input field the main thread's."""

    def __init__(self, words: str, cell: dict[str, Any]) -> None:
        self.words = words
        self.cell = cell
        self.answer: concurrent.futures.Future[bool | None] = concurrent.futures.Future()
        self._attended = time.monotonic()  # when a waiting cell last looked after it
        self._asked: object = None  # the cell that shows an input field for it
        self._request: object = None  # a field of an earlier question may still be there: its answers name another
        self._label: Any = None
        self._buttons: list[Any] = []

    @property
    def has_field(self) -> bool:
        """Whether an input field is shown that was not left; a kernel cannot take it away."""
        return self._asked is not None

    @property
    def is_alone(self) -> bool:
        """Whether no cell waits, so that buttons are needed and none are there."""
        return self._label is None and time.monotonic() - self._attended > _ALONE_S

    def decide(self, allowed: bool | None) -> None:
        """Take the first answer; from any thread."""
        with contextlib.suppress(concurrent.futures.InvalidStateError):
            self.answer.set_result(allowed)

    def attend(self) -> None:
        """Ask on the thread that waits, and look for what was typed; never waits itself."""
        if threading.current_thread() is not threading.main_thread() or self.answer.done():
            return
        self._attended = time.monotonic()
        try:
            self._look()
        except Exception:
            logger.exception("the question about %s could not be asked", self.words)
            self.decide(None)

    def _look(self) -> None:
        """What ``Kernel.raw_input`` does, without waiting."""
        from IPython.core.getipython import get_ipython

        kernel: Any = get_ipython().kernel
        if not kernel._allow_stdin:  # a program runs the notebook: nobody is there until the cell ends
            logger.warning("%s was not run: it needs consent, and this front end takes no input", self.words)
            self.decide(None)
            return
        cell = kernel.get_parent("shell")
        if self._asked != cell["header"]["msg_id"]:
            self._asked = cell["header"]["msg_id"]
            if self.answer.done():  # given up meanwhile
                self._asked = None
                return
            sys.stdout.flush()
            while kernel.session.recv(kernel.stdin_socket)[1] is not None:
                pass  # an answer to an earlier question
            content = {"prompt": _prompt(self.words), "password": False}
            ident = kernel._parent_ident["shell"]
            request = kernel.session.send(kernel.stdin_socket, "input_request", content, cell, ident=ident)
            self._request = request["header"]["msg_id"]
        _, reply = kernel.session.recv(kernel.stdin_socket)
        if reply is not None and reply["parent_header"].get("msg_id", self._request) == self._request:
            self._asked = None
            self.decide(_is_yes(str(reply["content"].get("value"))))

    def show_buttons(self) -> None:
        """Show them under the cell that asked the model."""
        import ipywidgets
        from IPython.core.getipython import get_ipython

        yes = ipywidgets.Button(description="Allow", button_style="success", tooltip=f"Run {self.words}")
        no = ipywidgets.Button(description="Deny", tooltip=f"Do not run {self.words}")
        yes.on_click(lambda _: self.decide(True))
        no.on_click(lambda _: self.decide(False))
        self._label, self._buttons = ipywidgets.Label(f"The model wants to run {self.words}"), [yes, no]
        shell: Any = get_ipython()
        data, metadata = shell.display_formatter.format(ipywidgets.HBox([self._label, yes, no]))
        content = {"data": data, "metadata": metadata, "transient": {}}
        # not `display`: in older kernels, its output goes to the cell, or the click, that came last
        shell.kernel.session.send(shell.kernel.iopub_socket, "display_data", content, parent=self.cell)

    def close(self, outcome: str) -> None:
        """Say what came of it; the buttons do nothing any more."""
        if self._label is not None:
            self._label.value = f"{self.words} {outcome}"
            for button in self._buttons:
                button.disabled = True


def _cell_of(home: contextvars.Context) -> dict[str, Any]:
    """The request that ran the cell which asked, or else the one of `home`; a click has none."""
    for context in (contextvars.copy_context(), home):
        parent: dict[str, Any] = context.run(lambda: getattr(sys.stdout, "parent_header", {}))
        if parent.get("msg_type") == "execute_request":
            return parent
    return {}


# ---- in a terminal


async def _ask_in_terminal(words: str, end: float) -> bool | None:
    answer: concurrent.futures.Future[bool] = concurrent.futures.Future()
    threading.Thread(target=_read_answer, args=(_prompt(words), answer), name="rtnb question", daemon=True).start()
    try:
        async with asyncio.timeout_at(end):
            return await asyncio.wrap_future(answer)  # ends the thread when it is given up
    except TimeoutError:
        _write(f"\n{words} was not run: nobody answered within {_WAIT_S:g} s\n")
        return None


def _read_answer(prompt: str, answer: concurrent.futures.Future[bool]) -> None:
    """Read a line, unless the question is given up before there is one: the next line is then another reader's."""
    _write(prompt)
    while not answer.done():
        try:
            is_there = bool(select.select([sys.stdin], [], [], _LOOK_S)[0])
            line = sys.stdin.readline() if is_there else None
        except OSError:  # Windows cannot look: the thread holds until a line is typed
            line = input()
        if line is not None:
            with contextlib.suppress(concurrent.futures.InvalidStateError):
                answer.set_result(_is_yes(line))


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
