"""What a session tells of itself: events, answers, tokens, money, time. A part of `rtnb.Session`.

Imports `rtnb.core` and its neighbours in `rtnb.session`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rtnb.core.log import EventLog
from rtnb.core.services import service
from rtnb.core.traffic import Traffic, traffic_of
from rtnb.session.core import Core
from rtnb.session.reply import Reply

if TYPE_CHECKING:
    from rtnb.core.accounts import LatencyReport, TurnTable
    from rtnb.core.charges import UsageReport
    from rtnb.core.configuration import Configuration
    from rtnb.core.estimate import Estimate
    from rtnb.core.prices import PriceTable
    from rtnb.core.usage import Cost

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
    def traffic(self) -> Traffic:
        """Bytes a second to and from the server, one row for each second, counted from `events`."""
        return traffic_of(self._core.log)

    @property
    def usage(self) -> UsageReport:
        """Tokens of all responses so far; list-like what they consist of, transcriptions included."""
        return self._core.spending.usage()

    @property
    def cost(self) -> Cost:
        """USD so far, line by line: responses, and transcriptions at the price of their own model.

        A price that is not known makes the sum ``nan`` and is named; it never counts as zero. At an endpoint that costs
        nothing it is what the same tokens would have cost, and `Cost.billed` is 0.
        """
        return self._core.spending.cost()

    @property
    def prices(self) -> PriceTable:
        """What is counted with, with source and date of each row; may be set as ``Session(prices=...)`` takes it."""
        return self._core.spending.prices

    @prices.setter
    def prices(self, prices: Mapping[str, Any] | None) -> None:
        self._core.spending.set_prices(prices)
        self._core.accounts_changed()

    @property
    def budget(self) -> float | None:
        """USD that this session may cost, None for no limit; may be set at any time.

        At 80 % it warns (``on("session.hint")``). When it is spent, `ask`, `respond` and `send` raise
        `rtnb.BudgetSpent` before anything is sent, and the server is told to begin no answers to detected speech, which
        is still heard and kept. What a response costs is known at its end: the last one may go beyond the budget.
        """
        return self._core.spending.budget.limit

    @budget.setter
    def budget(self, usd: float | None) -> None:
        self._core.spending.budget.limit = usd
        self._core.accounts_changed()

    def estimate(self, content: Any = None) -> Estimate:
        """What the next response will cost, about; see `rtnb.core.estimate` for how it is made. Sends nothing.

        Parameters
        ----------
        content
            What would be asked, as for `rtnb.Session.ask`; None for the conversation as it stands.

        Examples
        --------
        >>> session.estimate("And in French?")  # doctest: +SKIP
        <Estimate: about 412 tokens in (384 cached), 190 out: $0.0032, $0.0040 when nothing is cached>
        """
        return self._core.estimate(content)

    @property
    def turns(self) -> TurnTable:
        """One entry for each turn: what called for it, how long what took, tokens and cost. See ``docs/latency.md``."""
        return self._core.turns()

    @property
    def latency(self) -> LatencyReport:
        """Median and 95th percentile of each time over all turns, in milliseconds; see `rtnb.core.latency`."""
        return self._core.latency()

    @property
    def configuration(self) -> Configuration:
        """The settings that were asked for beside those in force, and what the server changed or ignored."""
        return self._core.configuration()

    def cost_chart(self) -> Any:
        """Draw what each response cost, by kind of token: why later turns cost more."""
        return service("session.cost_chart")(self.usage)
