"""How a click in the panel reaches the kernel, and what the kernel tells all pages that show the panel.

A widget message waits until the running cell has ended. So a page sends what its user does on the kernel's control
channel, with the message type ``rtnb_panel``, which a busy cell does not hold up; where the front end gives no way to
it (VS Code, Colab), the widget's own messages carry it, and the panel says that they wait. Back goes a widget message,
which is on time in any case; it is for all pages, or for the one named in ``to``.

Sound takes the lanes of `rtnb.notebook.lanes`; nothing of it passes here, but for an uploaded file.

Messages: JSON objects with a ``kind``
--------------------------------------
==============  ======================================================================================================
page to kernel  each with ``panel``, ``page`` and ``n``, its number in that page
``hello``       a page shows the panel, and is still there: answered by all parts of the state
``bye``         it does not any more
``connect``     open the connection
``disconnect``  close it
``new``         close it, and open a new one: an empty conversation
``claim``       the microphone of the page belongs to this session from now on
``discard``     what is being recorded is no turn
``record``      on: start or stop the kernel's microphone
``interrupt``   stop the answer
``ask``         text
``vad``         detection: None, or the object of the protocol
``set``         name, value: ``voice``, ``instructions``, ``output`` or ``model``
``option``      name, value: ``greet``, ``when_busy`` or ``half_duplex``
``source``      name: ``page`` or ``kernel``, whose microphone and loudspeaker are used
``upload``      name; bytes: a sound file to send as a question
``clip``        name: a recorded clip to send as a question
``say``         text: to be spoken by the machine, and sent as a question
``dismiss``     notice: its number
kernel to page
``state``       parts: those that changed, by name; see `rtnb.notebook.panel_state`
``answer``      to, n, ok: what was asked for is done, or failed (a notice tells why)
``gone``        the panel was closed
==============  ======================================================================================================

Imports nothing of rtnb.
"""

from __future__ import annotations

import logging
import pathlib
import secrets
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import anywidget
import ipywidgets
import traitlets

from rtnb.notebook.modules import joined

__all__ = ["CONTROL_TYPE", "Console"]

CONTROL_TYPE: Final = "rtnb_panel"
"""Our message type on the kernel's control channel."""

_log = logging.getLogger(__name__)
_consoles: weakref.WeakValueDictionary[str, Console] = weakref.WeakValueDictionary()


def _on_control(stream: object, ident: object, parent: Mapping[str, Any]) -> None:
    """Take a message of the control channel, on its own thread: copy and hand over, nothing else."""
    content = parent["content"]
    console = _consoles.get(str(content.get("panel")))
    if console is not None:
        console._receive(content, parent.get("buffers") or ())


class Console(anywidget.AnyWidget):  # type: ignore[misc]
    """The panel's controls in the page.

    Its state is told by messages, not by traits: a notebook that is saved with its widgets' state must not hold the
    conversation.

    Parameters
    ----------
    audio
        The AudioIO whose engine in the page it steers.
    take
        Called with each message of a page and its bytes, from any thread; must return soon.
    """

    _esm = joined(pathlib.Path(__file__).with_name("panel.js"))
    _css = (pathlib.Path(__file__).parent / "panel.css").read_text(encoding="utf-8")

    panel = traitlets.Unicode().tag(sync=True)
    audio = traitlets.Instance(ipywidgets.Widget, allow_none=True).tag(sync=True, **ipywidgets.widget_serialization)

    def __init__(self, audio: ipywidgets.Widget | None, take: Callable[[dict[str, Any], list[bytes]], None]) -> None:
        self._take = take
        super().__init__(panel=secrets.token_hex(8), audio=audio)
        self.on_msg(lambda _, content, buffers: self._receive(content, buffers))
        _consoles[self.panel] = self
        self.listen_on_control()

    def __repr__(self) -> str:
        return "<Console of a panel>"

    def listen_on_control(self, kernel: Any = None) -> bool:
        """Register our message type with the kernel; False where there is none, or one without control handlers."""
        handlers = getattr(kernel if kernel is not None else _kernel(), "control_handlers", None)
        if not isinstance(handlers, dict):
            return False
        handlers[CONTROL_TYPE] = _on_control
        return True

    def _receive(self, content: Mapping[str, Any], buffers: Iterable[Any]) -> None:
        if content.get("panel") == self.panel and isinstance(content.get("kind"), str):
            self._take(dict(content), [bytes(buffer) for buffer in buffers])

    def tell(self, content: Mapping[str, Any]) -> None:
        """Send a message to the pages, from any thread."""
        if self.comm is None:
            return
        try:
            self.send(dict(content))
        except Exception:  # noqa: BLE001 - the kernel is going away, or its socket: nobody is there to be told
            _log.debug("a page could not be told of %s", content.get("kind"), exc_info=True)


def _kernel() -> Any:
    try:
        from IPython import get_ipython
    except ImportError:
        return None
    return getattr(get_ipython(), "kernel", None)
