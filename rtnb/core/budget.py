"""A budget in USD: when it warns, and when it is spent.

What a session costs is known when the server reports it, at the end of a response. So a budget is overspent by one
response at most (and by the transcriptions that are still on their way).

Imports `rtnb.core.errors`, `rtnb.core.prices` and `rtnb.core.usage`.
"""

from __future__ import annotations

import math
from typing import Final

from rtnb.core.errors import BudgetSpent, ProtocolError
from rtnb.core.usage import Cost, dollars

__all__ = ["WARN_AT", "Budget"]

WARN_AT: Final = 0.8
"""The part of a budget at which it warns."""


class Budget:
    """How much a session may cost.

    Parameters
    ----------
    limit
        USD; None for no limit.

    Examples
    --------
    >>> budget = Budget(1.0)
    >>> budget.warning(0.85)
    '$0.8500 of the budget of $1.00 is spent (85 %); session.budget = ... sets another one'
    >>> budget.warning(0.90) is None  # once is enough
    True
    """

    def __init__(self, limit: float | None = None) -> None:
        self._limit: float | None = None
        self._has_warned = False
        self.limit = limit

    @property
    def limit(self) -> float | None:
        """USD; None for no limit. A new one warns anew."""
        return self._limit

    @limit.setter
    def limit(self, limit: float | None) -> None:
        if limit is not None:
            if isinstance(limit, bool) or not isinstance(limit, (int, float)) or not 0 <= limit < math.inf:
                raise ProtocolError(
                    f"a budget is a number of US dollars, 0 or more, or None, not {limit!r}", param="budget"
                )
            limit = float(limit)
        self._limit = limit
        self._has_warned = False

    def warning(self, spent: float) -> str | None:
        """What to tell the user now that so much is spent; None for nothing, or nothing new."""
        limit = self._limit
        if limit is None or self._has_warned or spent < WARN_AT * limit or limit == 0:
            return None
        self._has_warned = True
        return (
            f"{dollars(spent)} of the budget of {dollars(limit)} is spent ({100 * spent / limit:.0f} %); "
            "session.budget = ... sets another one"
        )

    def refusal(self, cost: Cost, *, model: str | None, is_priced: bool, about: float = 0.0) -> BudgetSpent | None:
        """Why no response may begin; None when one may.

        Parameters
        ----------
        cost
            What was charged so far. What a model costs whose price is not known is not counted: `is_priced` speaks of
            the one that would be asked.
        model
            The model that would be asked.
        is_priced
            Its prices are known.
        about
            USD that come on top, estimated: for answers whose tokens nobody reported.
        """
        limit = self._limit
        if limit is None:
            return None
        if not is_priced:
            return BudgetSpent(
                f"the budget of {dollars(limit)} cannot be kept, because the price of {model or 'the model'} is not "
                "known: nothing was sent. Give Session(prices={...}), or session.budget = None for no limit.",
                spent=math.nan,
                budget=limit,
            )
        spent = cost.at_least + about
        if spent < limit:
            return None
        guess = f", of which about {dollars(about)} for answers that were lost" if about else ""
        return BudgetSpent(
            f"the budget of {dollars(limit)} is spent (so far {dollars(spent)}{guess}), so no new response was asked "
            f"for. All that was said is still there; session.budget = {_next(spent, limit):g} or so lets it go on.",
            spent=spent,
            budget=limit,
        )


def _next(spent: float, limit: float) -> float:
    """A round budget that would let the session go on."""
    wanted = max(2 * limit, 1.5 * spent, 0.001)
    step = 10.0 ** math.floor(math.log10(wanted))
    return math.ceil(wanted / step) * step
