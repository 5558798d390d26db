"""From a session to its views in the page: one thread, batches at most 20 a second, nothing kept in traits.

Theory of operation
-------------------
A `View` is an anywidget whose content crosses as custom messages only, so none of it is state that a notebook could
save. The page says ``hello`` when it shows the widget, again after a reload, and from each further tab; the answer is
the whole content, sent to all pages, each of which takes what it does not have yet. From then on the kernel sends what
changes. A view that no page has ever shown sends nothing.

All of it runs on one thread for all views, so views need no locks. The session's thread only says that there is news
(`View.news`, which costs a flag), the kernel's threads hand messages of the page over; the thread waits until `EVERY_S`
have passed since the view's last batch and lets it send one (`View.flush`). A view whose widget was closed, or that
nobody holds any more, is left out.

Imports the core; anywidget.
"""

from __future__ import annotations

import logging
import pathlib
import queue
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, Final

import anywidget

__all__ = ["EVERY_S", "View", "styles"]

EVERY_S: Final = 0.05
"""Seconds between two batches of one view, at least."""

_log = logging.getLogger(__name__)


def styles(*names: str) -> str:
    """The text of style sheets beside this module, one after the other."""
    return "\n".join(pathlib.Path(__file__).with_name(name).read_text(encoding="utf-8") for name in names)


class View(anywidget.AnyWidget):  # type: ignore[misc]
    """A widget that is fed by messages; see the module for how.

    A subclass answers `hello` and `flush`, and hears the page's other messages in `heard`; all on the feed's thread.
    """

    _esm = "export default {}"

    def __init__(self, **options: Any) -> None:
        self._is_shown = False  # a page has said hello
        self._has_news = False  # waits for the feed; set from any thread, cleared on the feed's
        self._sent_at = -1.0
        super().__init__(**options)
        self.on_msg(self._on_page)

    # ---- for subclasses

    def hello(self) -> None:
        """Send all there is."""

    def flush(self) -> None:
        """Send what is new."""

    def heard(self, message: dict[str, Any]) -> None:
        """Take a message of the page."""

    # ---- for everybody

    def news(self) -> None:
        """Say that there is something to send; from any thread, at the cost of a flag."""
        if self._is_shown and not self._has_news:
            self._has_news = True
            _feed.post(self, None)

    def later(self, fn: Callable[[], None]) -> None:
        """Run `fn` on the feed's thread, after what already waits there."""
        _feed.post(self, fn)

    def _on_page(self, _: Any, content: Any, buffers: Any) -> None:
        if isinstance(content, dict):
            self.later(lambda: self._take(content))

    def _take(self, message: dict[str, Any]) -> None:
        if message.get("kind") == "hello":
            self._is_shown = True
            self.hello()
        elif message.get("kind") == "ping":
            self.send({"kind": "pong", "of": message.get("of")})
        else:
            self.heard(message)

    def _flush(self) -> None:
        self._has_news = False
        self._sent_at = time.monotonic()
        self.flush()


class _Feed:
    """The thread, and what waits for it."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[tuple[weakref.ref[View], Callable[[], None] | None]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def post(self, view: View, fn: Callable[[], None] | None) -> None:
        self._queue.put((weakref.ref(view), fn))
        if self._thread is None or not self._thread.is_alive():
            with self._lock:
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(target=self._run, name="rtnb views", daemon=True)
                    self._thread.start()

    def _run(self) -> None:
        waiting: list[tuple[float, weakref.ref[View]]] = []  # batches that are due later
        while True:
            timeout = max(0.0, min(due for due, _ in waiting) - time.monotonic()) if waiting else None
            try:
                ref, fn = self._queue.get(timeout=timeout)
            except queue.Empty:
                pass
            else:
                view = ref()
                if view is not None and fn is not None:
                    _guarded(view, fn)
                elif view is not None:
                    waiting.append((view._sent_at + EVERY_S, ref))
                del view
            now = time.monotonic()
            ready = [ref for due, ref in waiting if due <= now]
            if ready:
                waiting = [each for each in waiting if each[0] > now]
            for ref in ready:
                view = ref()
                if view is not None:
                    _guarded(view, view._flush)
                del view


def _guarded(view: View, fn: Callable[[], None]) -> None:
    if view.comm is None:
        return  # closed
    try:
        fn()
    except Exception:  # noqa: BLE001 - a view that fails must not take the others with it; it is logged
        _log.exception("the view %s failed", type(view).__name__)


_feed = _Feed()
