"""What a session spends, and the budget that it keeps to.

Three doors lead to a response, and a spent budget shuts each of them in its own way:

====================================  =================================================================================
a response that is asked for here     refused with `rtnb.BudgetSpent` before anything is sent: `ask`, `respond`, `send`;
                                      an answer whose tools ran meanwhile gets their outputs, and ends with this error
a response to detected speech         the server would begin it by itself, so ``create_response`` of the turn detection
                                      is switched off: speech is still heard, written down and kept in the conversation
one that the server began meanwhile   is cancelled as soon as it is created
====================================  =================================================================================

A raised budget switches ``create_response`` on again. What was said while it was off is in the conversation:
``session.respond()`` answers it.

What an answer cost that was lost with its connection, nobody tells. The budget counts what it was estimated to cost.

Imports `rtnb.core`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from rtnb.core.budget import Budget
from rtnb.core.charges import WATCHED, Charge, ChargeMeter, UsageReport
from rtnb.core.errors import BudgetSpent
from rtnb.core.log import Entry
from rtnb.core.prices import Price, PriceTable
from rtnb.core.protocol import Event, new_id, session_update
from rtnb.core.usage import Cost, Usage, cost

__all__ = ["Spending"]

_SESSIONS: Final = ("session.created", "session.updated")


class Spending:
    """Follows the charges of a session; keeps its budget.

    Parameters
    ----------
    is_free
        Nobody pays at this endpoint. With prices of the user's own it is taken as a paid one.
    prices, budget
        As for `rtnb.Session`.
    model
        Tells the model that would be asked now.
    send, is_ready
        Sends a client event, and whether there is a connection to send it through; on the session's loop.
    answers_speech
        Whether the user's own settings let the server answer detected speech.
    expected
        Tells the tokens that the next response would take, about.
    hint
        Tells the user something worth knowing.
    """

    def __init__(
        self,
        *,
        is_free: bool,
        prices: Mapping[str, Price | Mapping[str, Any]] | None,
        budget: float | None,
        model: Callable[[], str | None],
        send: Callable[[Event], object],
        is_ready: Callable[[], bool],
        hint: Callable[[str], None],
        answers_speech: Callable[[], bool] = lambda: True,
        expected: Callable[[], Usage] = Usage,
    ) -> None:
        self._at_free_endpoint = is_free
        self._has_own_prices = prices is not None
        self.prices = PriceTable.of(prices)
        self.budget = Budget(budget)
        self._model = model
        self._send = send
        self._is_ready = is_ready
        self._answers_speech = answers_speech
        self._expected = expected
        self._hint = hint
        self._meter = ChargeMeter(model())
        self._lock = threading.Lock()
        self._counted = 0  # charges that are in the total
        self._total = Cost(hypothetical=self.is_free)
        self._lost: list[tuple[str | None, Usage]] = []  # answers that were lost: their models, their tokens, about
        self._is_shut = False  # create_response was switched off here
        self._detection: Mapping[str, Any] | None = None  # the turn detection in force
        self._has_told = False  # that the budget is spent
        self._handlers: dict[str, Callable[[Entry], None]] = {
            "response.created": self._created,
            "session.created": self._session,
            "session.updated": self._session,
        }

    # ---- reading, on any thread

    @property
    def options(self) -> dict[str, Any]:
        """``budget`` and ``prices``, as a session takes them that is to keep to the same."""
        return {"budget": self.budget.limit, "prices": self.prices if self._has_own_prices else None}

    @property
    def is_free(self) -> bool:
        """Nobody pays: the cost is what it would have been."""
        return self._at_free_endpoint and not self._has_own_prices

    @property
    def charges(self) -> list[Charge]:
        """All charges so far."""
        return list(self._meter.charges)

    def usage(self) -> UsageReport:
        """Tokens of all responses, and what they consist of."""
        return UsageReport(self.charges, prices=self.prices, is_free=self.is_free)

    def cost(self) -> Cost:
        """Cost of all charges so far."""
        with self._lock:
            new = self._meter.charges[self._counted :]
            self._counted += len(new)
            self._total = sum((each.cost(self.prices, is_free=self.is_free) for each in new), self._total)
            return self._total

    @property
    def spent(self) -> float:
        """USD that count toward the budget: what is known, and what lost answers were estimated to cost."""
        return 0.0 if self.is_free else self.cost().at_least + self._about()

    def refusal(self) -> BudgetSpent | None:
        """Why no response may begin; None when one may."""
        if self.budget.limit is None or self.is_free:
            return None
        model = self._model()
        is_priced = (model or "") in self.prices
        return self.budget.refusal(self.cost(), model=model, is_priced=is_priced, about=self._about())

    def check(self) -> None:
        """Raise `BudgetSpent` when no response may begin."""
        if (refusal := self.refusal()) is not None:
            raise refusal

    def _about(self) -> float:
        """What the answers cost that were lost, about, in USD."""
        return sum(cost(used, model, prices=self.prices).at_least for model, used in self._lost)

    # ---- changing, on any thread

    def set_prices(self, prices: Mapping[str, Price | Mapping[str, Any]] | None) -> None:
        """Count with other prices from now on, also what was used before."""
        table = PriceTable.of(prices)
        with self._lock:
            self.prices = table
            self._has_own_prices = prices is not None
            self._counted, self._total = 0, Cost(hypothetical=self.is_free)

    # ---- on the session's loop

    def received(self, entry: Entry) -> None:
        """Take one event of the server."""
        name = entry.name
        if name not in WATCHED:  # nearly all: pieces of text and sound
            return
        before = len(self._meter.charges)
        charge = self._meter.push(entry)
        self._estimate(self._meter.charges[before:])
        if charge is not None:
            self.look()
        elif (handler := self._handlers.get(name)) is not None:
            handler(entry)

    def lost(self) -> None:
        """The connection ended: what was being made is charged, and counted as what it was estimated to take."""
        self._estimate(self._meter.end())

    def _estimate(self, charges: Iterable[Charge]) -> None:
        lost = [charge for charge in charges if charge.status == "lost"]
        if lost:
            used = self._expected()
            self._lost += [(charge.model, used) for charge in lost]
            self.look()

    def look(self) -> None:
        """Warn, shut the door or open it again, as it is now: after a charge, a new budget, a new connection."""
        if self.budget.limit is None:
            self._open()
            return
        refusal = self.refusal()
        if refusal is None:
            self._has_told = False
            self._open()
            if not self.is_free and (warning := self.budget.warning(self.spent)):
                self._hint(warning)
            return
        if not self._has_told:
            self._has_told = True
            self._hint(str(refusal))
        self._shut()

    def _session(self, entry: Entry) -> None:
        session = entry.event.get("session")
        detection: Any = session
        for name in ("audio", "input", "turn_detection"):
            detection = detection.get(name) if isinstance(detection, Mapping) else None
        self._detection = detection if isinstance(detection, Mapping) else None
        if entry.name == "session.created":
            self._is_shut = False
        elif self.budget.limit is not None:
            if self._detection is not None and self._detection.get("create_response") is not False:
                self._is_shut = False  # somebody switched it on again
            self.look()

    def _shut(self) -> None:
        detection = self._detection
        if self._is_shut or detection is None or detection.get("create_response") is False or not self._is_ready():
            return
        self._is_shut = True
        self._send(_update(detection, create_response=False))

    def _open(self) -> None:
        if not self._is_shut or not self._is_ready():
            return
        self._is_shut = False
        if self._detection is not None and self._answers_speech():
            self._send(_update(self._detection, create_response=True))

    def _created(self, entry: Entry) -> None:
        if self.budget.limit is None or self.refusal() is None:
            return
        response = entry.event.get("response")
        if isinstance(response, Mapping):
            self._send({"type": "response.cancel", "event_id": new_id("event"), "response_id": response.get("id")})


def _update(detection: Mapping[str, Any], *, create_response: bool) -> Event:
    changed = {"type": detection.get("type"), "create_response": create_response}
    return {**session_update({"audio": {"input": {"turn_detection": changed}}}), "event_id": new_id("event")}
