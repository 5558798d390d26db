"""What a session used, cost and took: everything that is computed from its log, live and from a saved recording alike.

Imports `rtnb.core.charges`, `latency`, `log`, `prices`, `tables`, `tokens` and `usage`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any, Final

from rtnb.core.charges import Charge, UsageReport, bill, charges
from rtnb.core.latency import Latency, Spread, Turn, spread, turns
from rtnb.core.log import Entry
from rtnb.core.prices import PRICES, PriceTable
from rtnb.core.tables import Table, frame, html_table
from rtnb.core.tokens import Usage
from rtnb.core.usage import Cost, dollars

__all__ = ["MEANINGS", "LatencyReport", "TurnTable", "cost_of", "turn_table", "turns_of", "usage_of"]

_TIMES: Final = tuple(f.name for f in fields(Latency))
_COUNTS: Final = tuple(f.name for f in fields(Usage))

MEANINGS: Final[Mapping[str, str]] = {
    "committed": "speech became an item",
    "created": "the response began",
    "first_text": "the first words came",
    "first_audio": "the first sound came",
    "first_heard": "the first sound was heard",
    "done": "the answer was complete",
    "tools": "the tools ran",
    "browser_queue": "the first sound waited to be played",
    "kernel_queue": "the question waited to be sent",
}
"""Each time of a turn in a few words."""


def usage_of(
    log: Iterable[Entry], *, prices: PriceTable = PRICES, is_free: bool = False, model: str | None = None
) -> UsageReport:
    """Tokens of a log: the total of its responses, list-like its charges.

    Parameters
    ----------
    log
        Entries in their order.
    prices
        For the cost of each row.
    is_free
        Nobody pays at this endpoint.
    model
        That of responses as long as the server has not named one.
    """
    return UsageReport(charges(log, model=model), prices=prices, is_free=is_free)


def cost_of(
    log: Iterable[Entry], *, prices: PriceTable = PRICES, is_free: bool = False, model: str | None = None
) -> Cost:
    """What the responses and transcriptions of a log cost; parameters as for `usage_of`."""
    return bill(charges(log, model=model), prices=prices, is_free=is_free)


class TurnTable(Table[Turn]):
    """The turns of a session: a list, and a table with their times, tokens and cost."""

    __slots__ = ()

    columns = (
        "turn",
        "kind",
        "status",
        "start",
        *_TIMES,
        "responses",
        "tool_calls",
        *_COUNTS,
        "usd",
        "response_id",
        "item_id",
        "begin",
        "out_of_band",
    )

    def to_dict(self) -> list[dict[str, Any]]:
        """One plain row for each turn; times in milliseconds, `start` in seconds, `usd` None while it is not known."""
        return [self._row(number, turn) for number, turn in enumerate(self, 1)]

    def _row(self, number: int, turn: Turn) -> dict[str, Any]:
        found = turn.cost
        return {
            "turn": number,
            "kind": turn.kind,
            "status": turn.status,
            "start": turn.start,
            **turn.latency.to_dict(),
            "responses": len(turn.responses),
            "tool_calls": turn.tool_calls,
            **turn.usage.to_dict(),
            "usd": None if found is None or found.unknown else found.usd,
            "response_id": turn.response_id,
            "item_id": turn.item_id,
            "begin": turn.begin,
            "out_of_band": turn.out_of_band,
        }

    def __repr__(self) -> str:
        known = spread(self)
        words = [f"{len(self)} turn{'' if len(self) == 1 else 's'}"]
        for name in ("first_text", "first_audio", "first_heard", "done"):
            if name in known:
                words.append(f"{name} {known[name].p50:.0f} ms (p95 {known[name].p95:.0f})")
        return f"<Turns: {', '.join(words)}>"

    def _repr_html_(self) -> str:
        known = [name for name in _TIMES if any(getattr(turn.latency, name) is not None for turn in self)]
        head = ["turn", "began with", "status", "at s", *(f"{name} ms" for name in known), "tools", "tokens", "USD"]
        rows: list[list[object]] = []
        for number, turn in enumerate(self, 1):
            times = [_ms(getattr(turn.latency, name)) for name in known]
            usd = "–" if turn.cost is None else dollars(turn.cost.usd)
            begin = [number, turn.kind, turn.status, round(turn.start, 2)]
            rows.append([*begin, *times, turn.tool_calls or None, turn.usage.total, usd])
        below = "".join(f"<li><code>{name}</code>: {MEANINGS[name]}</li>" for name in known)
        table = html_table(head, rows, caption="Milliseconds from the end of what the user did")
        return f"{table}<details><summary>What the times mean</summary><ul>{below}</ul></details>"


class LatencyReport(dict[str, Spread]):
    """For each time that is known in some turn its `Spread`: median, 95th percentile, number of turns.

    Examples
    --------
    >>> LatencyReport({"first_audio": Spread(412.0, 640.0, 12)})
    <Latency: first_audio 412 ms (p95 640)>
    """

    @classmethod
    def of(cls, turns: Iterable[Turn]) -> LatencyReport:
        """The report of these turns."""
        return cls(spread(turns))

    def rows(self) -> list[dict[str, Any]]:
        """One plain row for each time."""
        return [{"time": name, **each._asdict()} for name, each in self.items()]

    def to_dict(self) -> list[dict[str, Any]]:
        """The same as `rows`."""
        return self.rows()

    def to_pandas(self) -> Any:
        """The rows as a ``pandas.DataFrame``; without pandas an ImportError that says how to install it."""
        return frame(self.rows(), ["time", "p50", "p95", "n"])

    def __repr__(self) -> str:
        words = [f"{name} {each.p50:.0f} ms (p95 {each.p95:.0f})" for name, each in self.items()]
        return f"<Latency: {', '.join(words) or 'no turns yet'}>"

    def _repr_html_(self) -> str:
        rows = [[name, MEANINGS[name], _ms(each.p50), _ms(each.p95), each.n] for name, each in self.items()]
        return html_table(
            ["", "until, or how long", "p50 ms", "p95 ms", "turns"], rows, caption="Latency over all turns"
        )


def turn_table(
    of: Iterable[Turn], paid: Iterable[Charge] = (), *, prices: PriceTable = PRICES, is_free: bool = False
) -> TurnTable:
    """Turns with their cost: of their responses, and of writing down what the user said.

    Parameters
    ----------
    of
        Turns, as `rtnb.core.latency.turns` finds them.
    paid
        The charges of the same log.
    prices, is_free
        As for `usage_of`.
    """
    costs_by_id = {(charge.kind, charge.id): charge.cost(prices, is_free=is_free) for charge in paid}
    table = TurnTable()
    for turn in of:
        parts = [costs_by_id.get(("response", each)) for each in turn.responses]
        if turn.item_id is not None:
            parts.append(costs_by_id.pop(("transcription", turn.item_id), None))
        known = [part for part in parts if part is not None]
        table.append(replace(turn, cost=sum(known, Cost(hypothetical=is_free))) if known else turn)
    return table


def turns_of(
    log: Iterable[Entry],
    *,
    heard: Mapping[str, float] | None = None,
    asked: Mapping[str, float] | None = None,
    prices: PriceTable = PRICES,
    is_free: bool = False,
    model: str | None = None,
) -> TurnTable:
    """The turns of a log with their times, tokens and cost.

    Parameters
    ----------
    log
        Entries in their order.
    heard, asked
        As for `rtnb.core.latency.turns`.
    prices, is_free, model
        As for `usage_of`.
    """
    entries = list(log)
    return turn_table(
        turns(entries, heard=heard, asked=asked), charges(entries, model=model), prices=prices, is_free=is_free
    )


def _ms(value: float | None) -> int | None:
    return None if value is None else round(value)
