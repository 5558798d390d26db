"""Tokens and what they cost.

A token is counted once: `Usage` splits what the service reports into text, audio and image, fresh and cached, in and
out. Cost is their sum of count times price; where one price is missing there is no cost at all, rather than too low a
one, and never zero.

Transcription is billed apart, at the price of the transcription model, by tokens or by time.

Imports `rtnb.core.prices` and `rtnb.core.protocol`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from rtnb.core.prices import PRICES, Price, PriceTable
from rtnb.core.protocol import DEFAULT_MODEL

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
    "transcription_cost",
    "would_have_cost",
]

PRICE_UNKNOWN: Final = "price unknown"
"""What is shown where `cost` gives None."""

_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one response, or of several added up. Inputs include what of them was cached, as the service counts.

    Attributes
    ----------
    text_in, audio_in, image_in : int
        Input tokens.
    text_cached, audio_cached, image_cached : int
        How many of these were cached.
    text_out, audio_out : int
        Output tokens; an answer in sound also has text tokens, those of its transcript.

    Examples
    --------
    >>> one = Usage.of({"input_token_details": {"text_tokens": 7}, "output_token_details": {"audio_tokens": 20}})
    >>> (one + one).total
    54
    """

    text_in: int = 0
    audio_in: int = 0
    image_in: int = 0
    text_cached: int = 0
    audio_cached: int = 0
    image_cached: int = 0
    text_out: int = 0
    audio_out: int = 0

    @classmethod
    def of(cls, wire: Mapping[str, Any] | None) -> Usage:
        """The ``usage`` of a ``response.done``; none, or a damaged one, counts as no tokens.

        Tokens that the details do not account for are taken as text, so that the totals are those of the service.
        """
        given = _mapping(wire)
        inputs, outputs = _mapping(given.get("input_token_details")), _mapping(given.get("output_token_details"))
        cached = _mapping(inputs.get("cached_tokens_details"))
        text_in, audio_in, image_in = (_count(inputs, kind) for kind in ("text_tokens", "audio_tokens", "image_tokens"))
        text_in += max(0, _count(given, "input_tokens") - text_in - audio_in - image_in)
        text_out, audio_out = _count(outputs, "text_tokens"), _count(outputs, "audio_tokens")
        text_out += max(0, _count(given, "output_tokens") - text_out - audio_out)
        in_cache = [
            min(_count(cached, "text_tokens"), text_in),
            min(_count(cached, "audio_tokens"), audio_in),
            min(_count(cached, "image_tokens"), image_in),
        ]
        left = _count(inputs, "cached_tokens") - sum(in_cache)
        for kind, whole in enumerate((text_in, audio_in, image_in)):  # cached, but not said what
            more = min(max(0, left), whole - in_cache[kind])
            in_cache[kind] += more
            left -= more
        text_cached, audio_cached, image_cached = in_cache
        return cls(text_in, audio_in, image_in, text_cached, audio_cached, image_cached, text_out, audio_out)

    @property
    def input(self) -> int:
        """All input tokens."""
        return self.text_in + self.audio_in + self.image_in

    @property
    def cached(self) -> int:
        """All cached input tokens."""
        return self.text_cached + self.audio_cached + self.image_cached

    @property
    def output(self) -> int:
        """All output tokens."""
        return self.text_out + self.audio_out

    @property
    def total(self) -> int:
        """All tokens."""
        return self.input + self.output

    def __add__(self, other: Usage) -> Usage:
        if not isinstance(other, Usage):
            return NotImplemented
        return Usage(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def __radd__(self, other: object) -> Usage:
        return self if other == 0 else NotImplemented  # sum() begins with 0

    def __bool__(self) -> bool:
        return self.total > 0

    def to_dict(self) -> dict[str, int]:
        """The counts by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def __str__(self) -> str:
        return f"{self.input:,} tokens in ({self.cached:,} cached), {self.output:,} out"


@dataclass(frozen=True, slots=True)
class TranscriptionUsage:
    """What one transcription used, or several: tokens with some models, seconds of audio with others."""

    text_in: int = 0
    audio_in: int = 0
    text_out: int = 0
    seconds: float = 0.0

    @classmethod
    def of(cls, wire: Mapping[str, Any] | None) -> TranscriptionUsage:
        """The ``usage`` of an ``input_audio_transcription.completed``: of type ``tokens`` or ``duration``."""
        given = _mapping(wire)
        seconds = given.get("seconds")
        if isinstance(seconds, (int, float)) and not isinstance(seconds, bool):
            return cls(seconds=max(0.0, float(seconds)))
        details = _mapping(given.get("input_token_details"))
        text, audio = _count(details, "text_tokens"), _count(details, "audio_tokens")
        audio += max(0, _count(given, "input_tokens") - text - audio)
        return cls(text, audio, _count(given, "output_tokens"))

    def __add__(self, other: TranscriptionUsage) -> TranscriptionUsage:
        if not isinstance(other, TranscriptionUsage):
            return NotImplemented
        return TranscriptionUsage(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def __radd__(self, other: object) -> TranscriptionUsage:
        return self if other == 0 else NotImplemented

    def __bool__(self) -> bool:
        return bool(self.text_in or self.audio_in or self.text_out or self.seconds)


@dataclass(frozen=True, slots=True)
class CostLine:
    """One line of a bill: so much of one kind at one price.

    Attributes
    ----------
    model : str
    kind : str
        ``text_in``, ``audio_cached``, ... or ``minutes``.
    amount : float
        Tokens, or minutes.
    price : float
        Dollars for a million tokens, or for a minute.
    """

    model: str
    kind: str
    amount: float
    price: float

    @property
    def usd(self) -> float:
        """Dollars."""
        return self.amount * self.price / (1 if self.kind == "minutes" else _MILLION)


@dataclass(frozen=True, slots=True)
class Cost:
    """What something cost, line by line. May be added; lines of the same model, kind and price are merged.

    Attributes
    ----------
    lines : tuple of CostLine
    source, as_of : str
        Where the prices come from and when that was.
    hypothetical : bool
        Nobody is billed: it is what the tokens would have cost.
    """

    lines: tuple[CostLine, ...] = ()
    source: str = ""
    as_of: str = ""
    hypothetical: bool = False

    @property
    def usd(self) -> float:
        """Dollars."""
        return sum(line.usd for line in self.lines)

    def __float__(self) -> float:
        return self.usd

    def __add__(self, other: Cost) -> Cost:
        if not isinstance(other, Cost):
            return NotImplemented
        amounts: dict[tuple[str, str, float], float] = {}
        for line in (*self.lines, *other.lines):
            key = (line.model, line.kind, line.price)
            amounts[key] = amounts.get(key, 0) + line.amount
        return Cost(
            tuple(CostLine(model, kind, amount, price) for (model, kind, price), amount in amounts.items()),
            _both(self.source, other.source),
            min(filter(None, (self.as_of, other.as_of)), default=""),  # as old as the older
            self.hypothetical or other.hypothetical,
        )

    def __radd__(self, other: object) -> Cost:
        return self if other == 0 else NotImplemented

    def __str__(self) -> str:
        usd = self.usd
        amount = f"${usd:.2f}" if usd >= 1 or usd == 0 else f"${usd:.4f}" if usd >= 1e-4 else "under $0.0001"
        return f"would have cost {amount}" if self.hypothetical else amount


_INPUTS: Final = (("text_in", "text_cached"), ("audio_in", "audio_cached"), ("image_in", "image_cached"))


def cost(usage: Usage, model: str | None, *, prices: PriceTable = PRICES) -> Cost | None:
    """What `usage` cost with `model`; None when a price that it needs is not known.

    Parameters
    ----------
    usage
        Tokens.
    model
        As the session names it; a snapshot costs what its family costs, unless it has a row of its own.
    prices
        Where to look.
    """
    price = prices.get(model) if model else None
    if price is None or model is None:
        return None
    amounts: dict[str, int] = {}
    for whole, cached in _INPUTS:
        amounts[whole] = getattr(usage, whole) - getattr(usage, cached)
        amounts[cached] = getattr(usage, cached)
    amounts["text_out"], amounts["audio_out"] = usage.text_out, usage.audio_out
    if not usage and price.text_in is None:  # a model of transcription: no tokens of a response can be priced
        return None
    return _bill(model, price, amounts)


def transcription_cost(usage: TranscriptionUsage, model: str | None, *, prices: PriceTable = PRICES) -> Cost | None:
    """What a transcription cost with its `model`; None when a price that it needs is not known."""
    price = prices.get(model) if model else None
    if price is None or model is None:
        return None
    bill = _bill(model, price, {"text_in": usage.text_in, "audio_in": usage.audio_in, "text_out": usage.text_out})
    if bill is None or not usage.seconds:
        return bill
    if price.per_minute is None:
        return None
    return replace(bill, lines=(*bill.lines, CostLine(model, "minutes", usage.seconds / 60, price.per_minute)))


def would_have_cost(usage: Usage, model: str = DEFAULT_MODEL, *, prices: PriceTable = PRICES) -> Cost | None:
    """What the tokens of a local endpoint, which cost nothing, would have cost with `model`."""
    bill = cost(usage, model, prices=prices)
    return replace(bill, hypothetical=True) if bill is not None else None


def _bill(model: str, price: Price, amounts: Mapping[str, int]) -> Cost | None:
    lines: list[CostLine] = []
    for kind, amount in amounts.items():
        rate = getattr(price, kind)
        if amount and rate is None:
            return None
        if amount:
            lines.append(CostLine(model, kind, amount, rate))
    return Cost(tuple(lines), price.source, price.as_of)


def _both(one: str, other: str) -> str:
    return one if other in one else f"{one}; {other}" if one else other


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _count(given: Mapping[str, Any], key: str) -> int:
    value = given.get(key)
    return max(0, value) if isinstance(value, int) and not isinstance(value, bool) else 0
