"""The check-up's look at the page: a widget that shows nothing, and what it found.

The page (``checkup_page.js``) tries every lane of `rtnb.notebook.lanes` and reports over the best, so a look works in
the midst of a cell wherever audio would. Where only widget messages are left, its answer comes when the cell has
ended: the next look finds it.

Imports `rtnb.core.check_facts`, `rtnb.session.bell` and its neighbours in `rtnb.notebook`.
"""

from __future__ import annotations

import pathlib
import time
from collections.abc import Sequence
from typing import Any, Final

import anywidget
import traitlets

from rtnb.core.check_facts import Lane, Page
from rtnb.notebook.lanes import Link
from rtnb.notebook.modules import joined
from rtnb.notebook.wires import Header
from rtnb.session.bell import Bell

__all__ = ["PageLook"]

_COMM_GRACE_S: Final = 1.0  # after the other lanes answered, widget messages have had their chance


class PageLook(anywidget.AnyWidget):  # type: ignore[misc]
    """One look at the page. Make it on the kernel's main thread, then `wait`.

    Attributes
    ----------
    page : Page or None
        What the page told of itself; None: no page has answered yet.
    found : list of Lane
        The lanes that were tried, best first.
    during_cell : bool or None
        Whether widget messages arrived before `wait` ended, which is while a cell runs; None: not known.
    """

    _esm = joined(pathlib.Path(__file__).with_suffix(".js"))
    _address = traitlets.Dict().tag(sync=True)

    def __init__(self) -> None:
        self.page: Page | None = None
        self.found: list[Lane] = []
        self.during_cell: bool | None = None
        self._news = Bell()
        self._comm_came = False
        self._lanes_came = False
        self._link = Link(self, self._post)
        super().__init__(_address=self._link.address)
        self.on_msg(self._on_comm)
        from IPython import get_ipython

        self._link.hub.listen_on_control(getattr(get_ipython(), "kernel", None))

    def __repr__(self) -> str:
        return f"<PageLook {'answered' if self.page else 'without an answer'}>"

    def wait(self, timeout: float) -> Page | None:
        """Wait for the page, at most so long, open to Ctrl-C; gives what it told, None when it did not."""
        deadline = time.monotonic() + timeout
        if not self._news.wait_until(lambda: self._lanes_came, timeout):
            return self.page
        left = deadline - time.monotonic()
        self.during_cell = self._news.wait_until(lambda: self._comm_came, min(left, _COMM_GRACE_S))
        return self.page

    def close(self) -> None:
        """Take the widget away. May be called twice."""
        self._link.close()
        super().close()

    # ---- the link's owner, on the hub's thread

    def _post(self, content: Header, buffers: list[bytes]) -> None:
        self.send(content, buffers)

    def _on_comm(self, _widget: Any, content: Any, buffers: Any) -> None:
        self._comm_came = True
        self._news.ring()
        if isinstance(content, dict):
            self._link.post(content, buffers)

    def on_message(self, header: Header, payload: bytes) -> None:
        """Take what the page found (called by the link)."""
        if header["kind"] == "facts" and isinstance(header.get("facts"), dict):
            self.page = Page.from_message(header["facts"])
        elif header["kind"] == "lanes" and isinstance(header.get("lanes"), list):
            self.found = [_lane(each) for each in header["lanes"] if isinstance(each, dict)]
            self._lanes_came = True
            self._news.ring()

    def on_page(self, page: str | None) -> None:
        """Another page is active now (called by the link)."""

    def on_lane(self, name: str, ms: float | None, tried: Sequence[str]) -> None:
        """Another lane is in use (called by the link)."""


def _lane(told: dict[str, Any]) -> Lane:
    ms, up, down = told.get("ms"), told.get("up"), told.get("down")
    return Lane(
        str(told.get("name", ""))[:40],
        float(ms) if isinstance(ms, int | float) else None,
        str(told.get("why") or "")[:200],
        up if isinstance(up, bool) else None,
        down if isinstance(down, bool) else None,
    )
