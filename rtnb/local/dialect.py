"""The dialect of the 2024 beta, in front of the engine: tables of `rtnb.core.dialects`, one pair for each client.

May import `rtnb.core.dialects`.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

from rtnb.core.protocol import Event

__all__ = ["BetaDialect"]


class BetaDialect:
    """Translates the events of one beta client."""

    def __init__(self) -> None:
        tables = importlib.import_module("rtnb.core.dialects")
        self._to_ga = tables.beta_to_ga_client
        self._to_beta = tables.GaToBetaServer()

    def read(self, event: Any) -> Any:
        """A beta client event as GA; what is no event stays as it is, to be refused."""
        return self._to_ga(event) if isinstance(event, dict) else event

    def write(self, event: Event) -> Iterable[Event]:
        """A GA server event in the beta's words."""
        translated: list[Event] = self._to_beta(event)
        return translated
