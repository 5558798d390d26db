"""What models cost, as a dated table with the source of each row; replaceable, since prices change.

Imports `rtnb.core.errors` and `rtnb.core.tables`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final

from rtnb.core.errors import ProtocolError
from rtnb.core.tables import frame, html_table

__all__ = ["PRICES", "Price", "PriceTable"]

_SNAPSHOT: Final = re.compile(r"-\d{4}-\d{2}-\d{2}$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one model costs. US dollars for a million tokens; None: not known, or there is none of that kind.

    Attributes
    ----------
    text_in, audio_in, image_in : float or None
        Input that was not cached.
    text_cached, audio_cached, image_cached : float or None
        Input that was cached.
    text_out, audio_out : float or None
        Output.
    per_minute : float or None
        Dollars for a minute of audio, of models (of transcription) that are priced so.
    source : str
        Where the row comes from.
    as_of : str
        When that was, as year and month or as a date.
    note : str
        What is doubtful about it.
    """

    text_in: float | None = None
    text_cached: float | None = None
    text_out: float | None = None
    audio_in: float | None = None
    audio_cached: float | None = None
    audio_out: float | None = None
    image_in: float | None = None
    image_cached: float | None = None
    per_minute: float | None = None
    source: str
    as_of: str
    note: str = ""


class PriceTable(Mapping[str, Price]):
    """Prices by the name of the model. The name of a snapshot finds its family: ``gpt-realtime-2.1-2026-07-01``.

    Examples
    --------
    >>> own = PRICES.with_prices({"my-model": Price(text_in=1.0, text_out=2.0, source="my contract", as_of="2026-11")})
    >>> own["my-model"].text_out
    2.0
    """

    __slots__ = ("_rows",)

    def __init__(self, rows: Mapping[str, Price]) -> None:
        self._rows = dict(rows)

    def __getitem__(self, model: str) -> Price:
        row = self._rows.get(model)
        return row if row is not None else self._rows[_SNAPSHOT.sub("", model)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def with_prices(self, rows: Mapping[str, Price]) -> PriceTable:
        """A new table in which `rows` are added or replaced."""
        return PriceTable({**self._rows, **rows})

    @classmethod
    def of(cls, prices: Mapping[str, Price | Mapping[str, Any]] | None) -> PriceTable:
        """A table from what a user gives: None for `PRICES`, a table as it is, rows to lay over `PRICES`.

        Parameters
        ----------
        prices
            A row is a `Price`, or a dict of its fields: ``{"my-model": {"text_in": 1.0, "text_out": 2.0}}``.

        Raises
        ------
        ProtocolError
            A row is no price, with what is wrong.
        """
        if prices is None:
            return PRICES
        if isinstance(prices, PriceTable):
            return prices
        if not isinstance(prices, Mapping):
            raise ProtocolError(f"prices are a dict of model to price, or a PriceTable, not {type(prices).__name__}")
        return PRICES.with_prices({model: _row(model, row) for model, row in prices.items()})

    def to_dict(self) -> list[dict[str, Any]]:
        """One plain row for each model."""
        return [{"model": model, **asdict(price)} for model, price in self._rows.items()]

    def to_pandas(self) -> Any:
        """The rows as a ``pandas.DataFrame``; without pandas an ImportError that says how to install it."""
        return frame(self.to_dict())

    def _repr_html_(self) -> str:
        head = ["model", *(name for name in _AMOUNTS), "per_minute", "source", "as_of", "note"]
        rows = [[row[name] for name in head] for row in self.to_dict()]
        return html_table(head, rows, caption="US dollars for a million tokens, or for a minute of audio")

    def __repr__(self) -> str:
        return f"<PriceTable: {len(self._rows)} models>"


_AMOUNTS: Final = (
    "text_in",
    "text_cached",
    "text_out",
    "audio_in",
    "audio_cached",
    "audio_out",
    "image_in",
    "image_cached",
)


def _row(model: str, row: object) -> Price:
    if isinstance(row, Price):
        return row
    if not isinstance(row, Mapping):
        raise ProtocolError(f"the price of {model!r} is a Price or a dict of its fields, not {type(row).__name__}")
    names = {f.name for f in fields(Price)}
    if strange := [str(name) for name in row if name not in names]:
        raise ProtocolError(f"a price has no {strange[0]!r}; it has {', '.join(sorted(names))}", param=strange[0])
    for name in (*_AMOUNTS, "per_minute"):
        amount = row.get(name)
        if amount is None:
            continue
        if isinstance(amount, bool) or not isinstance(amount, (int, float)) or not 0 <= amount < math.inf:
            raise ProtocolError(f"the price {name} of {model!r} is a number of dollars, not {amount!r}", param=name)
    return Price(**{"source": "given to this session", "as_of": "", **row})


_BIG: Final = Price(
    text_in=4.0,
    text_cached=0.40,
    text_out=24.0,
    audio_in=32.0,
    audio_cached=0.40,
    audio_out=64.0,
    image_in=5.0,
    image_cached=0.50,
    source="model page on developers.openai.com; litellm 1.109.1 price map",
    as_of="2026-11",
)

_MINI: Final = Price(
    text_in=0.60,
    text_cached=0.06,
    text_out=2.40,
    audio_in=10.0,
    audio_cached=0.30,
    audio_out=20.0,
    image_in=0.80,
    image_cached=0.08,
    source="model page on developers.openai.com; litellm 1.109.1 price map",
    as_of="2026-11",
)

_PREVIEW: Final = Price(
    text_in=5.0,
    text_cached=2.50,
    text_out=20.0,
    audio_in=40.0,
    audio_cached=2.50,
    audio_out=80.0,
    source="litellm 1.74.0 price map",
    as_of="2025-07",
    note="model removed; the price of cached audio is from a forum post",
)

_MAP: Final = "litellm 1.109.1 price map"
_PAGE_AND_MAP: Final = "model page on developers.openai.com; litellm 1.109.1 price map"

PRICES: Final = PriceTable(
    {
        "gpt-realtime-2.1": _BIG,
        "gpt-realtime-2": _BIG,
        "gpt-realtime-1.5": replace(_BIG, text_out=16.0),
        "gpt-realtime": replace(_BIG, text_out=16.0, source=_MAP),
        "gpt-realtime-2.1-mini": _MINI,
        "gpt-realtime-mini": replace(_MINI, source=_MAP),
        "gpt-realtime-mini-2025-10-06": replace(_MINI, source=_MAP, note="assumed to cost what the family costs"),
        "gpt-4o-realtime-preview": _PREVIEW,
        "gpt-4o-realtime-preview-2024-10-01": replace(
            _PREVIEW, audio_in=100.0, audio_cached=20.0, audio_out=200.0, note="model removed"
        ),
        "gpt-4o-mini-realtime-preview": replace(
            _MINI,
            text_cached=0.30,
            image_in=None,
            image_cached=None,
            source="model page on developers.openai.com; litellm 1.74.0 price map",
            as_of="2025-07",
            note="model removed or about to be",
        ),
        "gpt-realtime-translate": Price(per_minute=0.034, source=_PAGE_AND_MAP, as_of="2026-11"),
        "gpt-realtime-whisper": Price(per_minute=0.017, source=_PAGE_AND_MAP, as_of="2026-11"),
        "gpt-live-transcribe": Price(per_minute=0.017, source=_PAGE_AND_MAP, as_of="2026-11"),
        "gpt-transcribe": Price(per_minute=0.0045, source=_MAP, as_of="2026-11"),
        "gpt-4o-transcribe": Price(
            text_in=2.50,
            audio_in=2.50,
            text_out=10.0,
            per_minute=0.006,
            source=_MAP,
            as_of="2026-11",
            note="minute: about",
        ),
        "gpt-4o-transcribe-diarize": Price(
            text_in=2.50,
            audio_in=2.50,
            text_out=10.0,
            per_minute=0.006,
            source=_MAP,
            as_of="2026-11",
            note="minute: about",
        ),
        "gpt-4o-mini-transcribe": Price(
            text_in=1.25,
            audio_in=1.25,
            text_out=5.0,
            per_minute=0.003,
            source=_MAP,
            as_of="2026-11",
            note="minute: about",
        ),
        "whisper-1": Price(per_minute=0.006, source=_MAP, as_of="2026-11"),
    }
)
"""Prices as of November 2026. Look again before you rely on them for a bill."""
