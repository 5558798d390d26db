"""The console of a session, and what it needs to know of it. A part of `rtnb.Session`.

Imports `rtnb.core` and its neighbours in `rtnb.session`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rtnb.core.conversation import Item
from rtnb.core.errors import ProtocolError
from rtnb.core.services import is_provided, service
from rtnb.core.tools import Tool
from rtnb.session.core import Core, SessionState

__all__ = ["PanelFace"]


class PanelFace:
    """How a session shows itself."""

    _core: Core
    _panel: Any = None  # made when first asked for

    @property
    def panel(self) -> Any:
        """The console of this session: connect, record, turn detection, and everything in view. One per session."""
        if self._panel is None or self._panel.is_closed:
            self._panel = service("session.panel")(self)
        return self._panel

    @property
    def tools(self) -> list[Tool]:
        """The tools that the model may call."""
        return [tool for name in self._core.tools.names if (tool := self._core.tools.get(name)) is not None]

    @property
    def configured(self) -> dict[str, Any]:
        """The session object as it holds now, or as the next connection will ask for it."""
        effective = self._core.conversation.session
        return effective if effective and self._core.state is SessionState.READY else self._core.requested.config

    @property
    def next_model(self) -> str | None:
        """Name of the model that the next connection asks for; may be set while there is none."""
        return self._core.endpoint.model

    @next_model.setter
    def next_model(self, model: str | None) -> None:
        if self._core.state in (SessionState.READY, SessionState.CONNECTING, SessionState.RECONNECTING):
            raise ProtocolError(
                "the model is fixed for the life of a connection: close it, choose the model, and connect again",
                param="model",
            )
        self._core.endpoint = replace(self._core.endpoint, model=model)

    def heard_so_far(self, item: Item) -> int | None:
        """How many letters of what an item says were heard, estimated; None where no loudspeaker plays it."""
        ledger = self._core.sound.ledger
        if item.id not in ledger:
            return None
        return sum(part.heard(ledger[item.id].heard * item.bytes_per_ms // 24) for part in item.parts)

    def _keep(self) -> None:
        """Let the cells that show the panel keep what was said up to now."""
        if self._panel is not None:
            self._panel.keep()

    def _ipython_display_(self) -> None:
        if not (is_provided("session.panel") and _in_kernel()):
            raise NotImplementedError("no page is there to show a panel: `_repr_mimebundle_` says what there is")
        self.panel._ipython_display_()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Mapping[str, Any]:
        if is_provided("session.panel") and _in_kernel():
            shown: Mapping[str, Any] = self.panel._repr_mimebundle_(include, exclude)
            return shown
        return {"text/plain": repr(self)}


def _in_kernel() -> bool:
    import sys

    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None
