"""What stands below the panel's controls: conversation, events, and what tools show; and the panel without a kernel.

The views are widgets of their own (`rtnb.notebook.conversation`, `rtnb.notebook.side_panels`,
`rtnb.notebook.events`), made when the panel is first shown.

Imports its neighbours in `rtnb.notebook`, these when first used.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets

if TYPE_CHECKING:
    from rtnb.notebook.panel_wire import Console
    from rtnb.session.session import Session

__all__ = ["Views", "shipped_clips", "static_html"]

_log = logging.getLogger(__name__)


class Views:
    """The widget of the whole panel: the controls, and the views below.

    Parameters
    ----------
    session
        Whose views they are.
    console
        The controls.
    """

    def __init__(self, session: Session, console: Console) -> None:
        self._session = session
        self._console = console
        self._widget: ipywidgets.VBox | None = None
        self._views: list[Any] = []

    @property
    def is_made(self) -> bool:
        """Whether the panel was shown."""
        return self._widget is not None

    @property
    def widget(self) -> ipywidgets.VBox:
        """All of it; made when first asked for."""
        if self._widget is None:
            row = ipywidgets.Box(
                self._made("rtnb.notebook.conversation:ConversationView")
                + self._made("rtnb.notebook.side_panels:SidePanels")
                + self._made("rtnb.notebook.events:EventTable")
            )
            row.add_class("rtnb-views")
            tiles = [view.tiles for view in self._views if hasattr(view, "tiles")]  # of the weather, once asked for
            self._widget = ipywidgets.VBox([self._console, row, *tiles])
            self._widget.add_class("rtnb-whole")
        return self._widget

    def _made(self, target: str) -> list[Any]:
        """The view in a list; none when it cannot be made."""
        module, _, name = target.partition(":")
        try:
            view = getattr(importlib.import_module(module), name)(self._session)
        except Exception:  # noqa: BLE001 - the controls must stay usable without a view; it is logged
            _log.exception("the panel goes without its %s", name)
            return []
        self._views.append(view)
        return [view]

    def close(self) -> None:
        """Take all of it away, the boxes around it too: ipywidgets keeps every widget that was not closed."""
        whole = self._widget
        around = (*whole.children, whole) if whole is not None else ()
        for widget in dict.fromkeys((*self._views, self._console, *around)):
            widget.close()


def static_html(session: Session) -> str:
    """The session as HTML without scripts, for saved notebooks."""
    from rtnb.notebook.static import session_html

    return session_html(session)


def shipped_clips() -> Iterator[tuple[str, Path]]:
    """The spoken questions of the lessons, by their names."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "tutorials" / "data", package.parent / "notebooks" / "data"):
        if folder.is_dir():
            for path in sorted(folder.glob("*.flac")):
                yield path.stem.replace("_", " "), path
            return
