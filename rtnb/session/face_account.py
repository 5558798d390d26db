"""What a session tells of itself: events, answers, tokens, money, time. A part of `rtnb.Session`.

Imports `rtnb.core` and its neighbours in `rtnb.session`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtnb.core.latency import Spread, spread
from rtnb.core.log import EventLog
from rtnb.session.core import Core
from rtnb.session.reply import Reply

if TYPE_CHECKING:
    from rtnb.core.latency import Turn
    from rtnb.core.usage import Cost, Usage

__all__ = ["AccountFace"]


class AccountFace:
    """What happened, read from the log."""

    _core: Core

    @property
    def events(self) -> EventLog:
        """Every event of both directions."""
        return self._core.log

    @property
    def replies(self) -> list[Reply]:
        """All answers, oldest first, those to detected speech included."""
        return list(self._core.replies)

    @property
    def usage(self) -> Usage:
        """Tokens of all responses so far."""
        return self._core.usage()

    @property
    def cost(self) -> Cost | None:
        """USD of all responses so far by the price table; None when the price of the model is unknown."""
        return self._core.cost()

    @property
    def turns(self) -> list[Turn]:
        """One entry for each response: what called for it, and how long what took."""
        return self._core.turns()

    @property
    def latency(self) -> dict[str, Spread]:
        """Median and 95th percentile of each distance over all turns, in milliseconds; see `rtnb.core.latency`."""
        return spread(self._core.turns())
