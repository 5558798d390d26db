"""What tokens cost: a bill of lines, each so much of one kind at one price.

Where one price is missing, the line says so and the sum is unknown (``nan``): never too low, and never zero.

Transcription is billed apart, at the price of the transcription model, by tokens or by time.

Imports `rtnb.core.prices`, `rtnb.core.protocol`, `rtnb.core.tables` and `rtnb.core.tokens`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from rtnb.core.prices import PRICES, Price, PriceTable
from rtnb.core.protocol import DEFAULT_MODEL
from rtnb.core.tables import frame, html_table
from rtnb.core.tokens import TranscriptionUsage, Usage

__all__ = [
    "PRICES",
    "PRICE_UNKNOWN",
    "Cost",
    "CostLine",
    "Price",
    "PriceTable",
    "TranscriptionUsage",
    "Usage",
    "cost",
    "dollars",
    "transcription_cost",
    "unreported",
    "would_have_cost",
]

PRICE_UNKNOWN: Final = "price unknown"
"""What is shown where a price is missing."""

_MILLION: Final = 1_000_000

_UNREPORTED: Final = "unreported"

_KINDS: Final = {
    "text_in": "text in",
    "text_cached": "text in, cached",
    "audio_in": "audio in",
    "audio_cached": "audio in, cached",
    "image_in": "image in",
    "image_cached": "image in, cached",
    "text_out": "text out",
    "audio_out": "audio out",
    "minutes": "minutes",
    _UNREPORTED: "tokens not reported",
}


def dollars(usd: float) -> str:
    """An amount for people: ``$1.20``, ``$0.0060``, ``under $0.0001``; ``price unknown`` when it is no number."""
    if math.isnan(usd):
        return PRICE_UNKNOWN
    return f"${usd:.2f}" if usd >= 1 or usd == 0 else f"${usd:.4f}" if usd >= 1e-4 else "under $0.0001"


@dataclass(frozen=True, slots=True)
class CostLine:
    """One line of a bill: so much of one kind at one price.

    Attributes
    ----------
    model : str
    kind : str
        ``text_in``, ``audio_cached``, ..., ``minutes``, or ``unreported``: the server did not say how many tokens.
    amount : float
        Tokens, or minutes.
    price : float or None
        Dollars for a million tokens, or for a minute; None: not known.
    is_transcription : bool
        It is for writing down what the user said.
    """

    model: str
    kind: str
    amount: float
    price: float | None
    is_transcription: bool = False

    @property
    def usd(self) -> float:
        """Dollars; ``nan`` when the price is not known."""
        if self.price is None:
            return math.nan
        return self.amount * self.price / (1 if self.kind == "minutes" else _MILLION)

    def to_dict(self) -> dict[str, Any]:
        """One plain row."""
        return {
            "for": "transcription" if self.is_transcription else "response",
            "model": self.model,
            "kind": self.kind,
            "amount": self.amount,
            "price": self.price,
            "usd": self.usd,
        }


@dataclass(frozen=True, slots=True, repr=False)
class Cost:
    """What something cost, line by line. May be added; lines of the same model, kind and price are merged.

    Attributes
    ----------
    lines : tuple of CostLine
    source, as_of : str
        Where the prices come from and when that was.
    hypothetical : bool
        Nobody is billed: it is what the tokens would have cost.

    Examples
    --------
    >>> print(cost(Usage(audio_out=2_000), "gpt-realtime-2.1"), cost(Usage(text_in=1), "mine"), sep=" | ")
    $0.1280 | price unknown (mine)
    """

    lines: tuple[CostLine, ...] = ()
    source: str = ""
    as_of: str = ""
    hypothetical: bool = False

    @property
    def usd(self) -> float:
        """Dollars; ``nan`` when a price is not known."""
        return sum(line.usd for line in self.lines)

    @property
    def billed(self) -> float:
        """Dollars that are really charged: 0 when it is hypothetical."""
        return 0.0 if self.hypothetical else self.usd

    @property
    def at_least(self) -> float:
        """Dollars of the lines whose price is known."""
        return sum(line.usd for line in self.lines if line.price is not None)

    @property
    def unknown(self) -> tuple[str, ...]:
        """The models of which a price is not known, or did not report its tokens."""
        return tuple(dict.fromkeys(line.model for line in self.lines if line.price is None))

    @property
    def why_unknown(self) -> str:
        """What is not known: a price, or else how many tokens there were; empty when all is known."""
        kinds = {line.kind for line in self.lines if line.price is None}
        return (PRICE_UNKNOWN if kinds - {_UNREPORTED} else _KINDS[_UNREPORTED]) if kinds else ""

    @property
    def responses(self) -> Cost:
        """The part for responses."""
        return replace(self, lines=tuple(line for line in self.lines if not line.is_transcription))

    @property
    def transcription(self) -> Cost:
        """The part for writing down what the user said."""
        return replace(self, lines=tuple(line for line in self.lines if line.is_transcription))

    def __float__(self) -> float:
        return float(self.usd)

    def __add__(self, other: Cost) -> Cost:
        if not isinstance(other, Cost):
            return NotImplemented
        amounts: dict[tuple[str, str, float | None, bool], float] = {}
        for line in (*self.lines, *other.lines):
            key = (line.model, line.kind, line.price, line.is_transcription)
            amounts[key] = amounts.get(key, 0) + line.amount
        return Cost(
            tuple(CostLine(*key[:2], amount, *key[2:]) for key, amount in amounts.items()),
            _both(self.source, other.source),
            min(filter(None, (self.as_of, other.as_of)), default=""),  # as old as the older
            self.hypothetical or other.hypothetical,
        )

    def __radd__(self, other: object) -> Cost:
        return self if other == 0 else NotImplemented

    def __str__(self) -> str:
        if not self.unknown:
            amount = dollars(self.usd)
            return f"would have cost {amount}" if self.hypothetical else amount
        whose = ", ".join(self.unknown)
        if not self.at_least:
            return f"{self.why_unknown} ({whose})"
        amount = f"at least {dollars(self.at_least)} ({self.why_unknown}: {whose})"
        return f"would have cost {amount}" if self.hypothetical else amount

    def __repr__(self) -> str:
        return f"<Cost: {self}>"

    def to_dict(self) -> list[dict[str, Any]]:
        """One plain row for each line."""
        return [line.to_dict() for line in self.lines]

    def to_pandas(self) -> Any:
        """The lines as a ``pandas.DataFrame``; without pandas an ImportError that says how to install it."""
        return frame(self.to_dict(), ["for", "model", "kind", "amount", "price", "usd"])

    def _repr_html_(self) -> str:
        rows = [
            [
                f"{line.model} (transcription)" if line.is_transcription else line.model,
                _KINDS.get(line.kind, line.kind),
                round(line.amount, 2) if line.kind == "minutes" else int(line.amount),
                PRICE_UNKNOWN if line.price is None else _rate(line),
                dollars(line.usd),
            ]
            for line in self.lines
        ]
        foot = [["together", "", None, "", str(self)]] if rows else []
        table = html_table(["model", "what", "how much", "price", "USD"], rows, caption=self._sentence(), foot=foot)
        prices = f"Prices of {self.as_of}: {self.source}." if self.source else ""
        return f"{table}<div style='opacity:.75'>{prices}</div>" if prices else table

    def _sentence(self) -> str:
        if not self.lines:
            return "Nothing was used, so nothing is to pay."
        if self.hypothetical:
            return f"This endpoint costs nothing; with a paid one it {_lower(str(self))}."
        return f"Cost so far: {self}."


def _lower(text: str) -> str:
    return text if text.startswith("would") else f"would have cost an unknown amount: {text}"


def _rate(line: CostLine) -> str:
    return f"${line.price:g} a minute" if line.kind == "minutes" else f"${line.price:g} a million"


_INPUTS: Final = (("text_in", "text_cached"), ("audio_in", "audio_cached"), ("image_in", "image_cached"))


def cost(usage: Usage, model: str | None, *, prices: PriceTable = PRICES) -> Cost:
    """What `usage` cost with `model`. A price that is not known makes a line without one.

    Parameters
    ----------
    usage
        Tokens.
    model
        As the session names it; a snapshot costs what its family costs, unless it has a row of its own.
    prices
        Where to look.
    """
    amounts: dict[str, float] = {}
    for whole, cached in _INPUTS:
        amounts[whole] = getattr(usage, whole) - getattr(usage, cached)
        amounts[cached] = getattr(usage, cached)
    amounts["text_out"], amounts["audio_out"] = usage.text_out, usage.audio_out
    return _bill(model, amounts, prices)


def transcription_cost(usage: TranscriptionUsage, model: str | None, *, prices: PriceTable = PRICES) -> Cost:
    """What a transcription cost with its `model`, by tokens or by time."""
    amounts = {
        "text_in": usage.text_in,
        "audio_in": usage.audio_in,
        "text_out": usage.text_out,
        "minutes": usage.seconds / 60,
    }
    bill = _bill(model, amounts, prices)
    return replace(bill, lines=tuple(replace(line, is_transcription=True) for line in bill.lines))


def would_have_cost(usage: Usage, model: str = DEFAULT_MODEL, *, prices: PriceTable = PRICES) -> Cost:
    """What the tokens of a local endpoint, which cost nothing, would have cost with `model`."""
    return replace(cost(usage, model, prices=prices), hypothetical=True)


def unreported(model: str | None) -> Cost:
    """The cost of a response of which the server did not say how many tokens it took: not known."""
    return Cost((CostLine(model or _NAMELESS, _UNREPORTED, 0, None),))


_NAMELESS: Final = "a model without a name"


def _bill(model: str | None, amounts: Mapping[str, float], prices: PriceTable) -> Cost:
    price = prices.get(model) if model else None
    lines: list[CostLine] = []
    for kind, amount in amounts.items():
        rate = getattr(price, "per_minute" if kind == "minutes" else kind, None)
        if amount:
            lines.append(CostLine(model or _NAMELESS, kind, amount, rate))
    if not lines or price is None:
        return Cost(tuple(lines))
    return Cost(tuple(lines), price.source, price.as_of)


def _both(one: str, other: str) -> str:
    return one if other in one else f"{one}; {other}" if one else other
