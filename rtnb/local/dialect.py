"""The dialect of the 2024 beta, in front of the engine: the tables of `rtnb.core.dialects`, one pair for each client.

May import `rtnb.core.dialects`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rtnb.core.dialects import GaToBetaServer, beta_to_ga_client
from rtnb.core.protocol import Event

__all__ = ["BetaDialect"]


class BetaDialect:
    """Translates the events of one beta client.

    Parameters
    ----------
    conversation_id
        What ``conversation.created`` tells.
    """

    def __init__(self, conversation_id: str) -> None:
        self._to_beta = GaToBetaServer(conversation_id=conversation_id)

    def read(self, event: Any) -> Any:
        """A beta client event as GA; what is no event stays as it is, to be refused."""
        self._to_beta.note(event)
        return beta_to_ga_client(event)

    def write(self, event: Event) -> Iterable[Event]:
        """A GA server event in the beta's words."""
        return self._to_beta(event)
