"""What is paid for: one charge for each response and for each transcription, read from the log.

The model of a response is the one that the session had when it was created; that of a transcription the one that was
configured when the speech became an item. So a log over several connections, or with a change of the transcription,
is billed right.

A response that was still being made when its connection ended is charged as well: the server bills it, and nobody was
told how many tokens it took. So its cost is not known, never zero.

Imports `rtnb.core.log`, `rtnb.core.tables`, `rtnb.core.tokens` and `rtnb.core.usage`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Literal, overload

from rtnb.core.log import Entry
from rtnb.core.tables import frame, html_table
from rtnb.core.tokens import TranscriptionUsage, Usage
from rtnb.core.usage import PRICES, Cost, PriceTable, cost, dollars, transcription_cost, unreported

__all__ = ["WATCHED", "Charge", "ChargeMeter", "UsageReport", "bill", "charges"]

_NOTHING: Final = Usage()
_NOT_WRITTEN: Final = TranscriptionUsage()
_LOST: Final = "lost"


@dataclass(frozen=True, slots=True)
class Charge:
    """One thing that is paid for.

    Attributes
    ----------
    kind : {"response", "transcription"}
    id : str
        Of the response, or of the item that was written down.
    model : str or None
    time : float
        When it ended, in seconds of the log; when it began if nobody saw it end.
    status : str
        Of the response; ``"lost"``: its connection ended before it did.
    usage : Usage
        Tokens of a response.
    transcription : TranscriptionUsage
        What a transcription used.
    is_reported : bool
        The server said how many tokens it took.
    """

    kind: Literal["response", "transcription"]
    id: str
    model: str | None
    time: float
    status: str = "completed"
    usage: Usage = _NOTHING
    transcription: TranscriptionUsage = _NOT_WRITTEN
    is_reported: bool = True

    def cost(self, prices: PriceTable = PRICES, *, is_free: bool = False) -> Cost:
        """What it cost; with `is_free` what it would have cost."""
        if self.kind == "transcription":
            found = transcription_cost(self.transcription, self.model, prices=prices)
        elif self.is_reported or self.status not in ("completed", _LOST):
            found = cost(self.usage, self.model, prices=prices)
        else:
            found = unreported(self.model)
        return replace(found, hypothetical=True) if is_free else found

    def to_dict(self) -> dict[str, Any]:
        """One plain row."""
        row: dict[str, Any] = {"time": self.time, "kind": self.kind, "id": self.id, "model": self.model}
        row.update(self.usage.to_dict())
        row["seconds"] = self.transcription.seconds
        if self.kind == "transcription":
            row.update(self.transcription.to_dict())
        return row


class ChargeMeter:
    """Follows a session entry by entry. What an entry costs does not depend on how many there were.

    Parameters
    ----------
    model
        That of responses as long as the server has not named one.
    """

    def __init__(self, model: str | None = None) -> None:
        self.charges: list[Charge] = []
        """The charges so far, in the order in which they came."""
        self._model = model
        self._writer: str | None = None  # the model of transcription
        self._open: dict[str, tuple[str | None, float]] = {}  # responses that are being made: their model, their begin
        self._writers: dict[str, str | None] = {}  # of items that await their transcription
        self._billed: set[tuple[str, str]] = set()

    def push(self, entry: Entry) -> Charge | None:
        """Take the next entry of the log; gives the charge that it brings."""
        if entry.direction != "server":
            return None
        take = _TAKES.get(entry.name)
        return None if take is None else take(self, entry)

    def end(self) -> list[Charge]:
        """The connection ended: what is still being made is lost. Gives the charges that this brings."""
        lost, self._open = self._open, {}
        found = (
            self._charge(Charge("response", key, model, began, _LOST, is_reported=False))
            for key, (model, began) in lost.items()
        )
        return [charge for charge in found if charge is not None]

    def _began(self, entry: Entry) -> None:
        self.end()  # it went on in another connection
        self._session(entry)

    def _session(self, entry: Entry) -> None:
        session = _mapping(entry.event.get("session"))
        if isinstance(model := session.get("model"), str):
            self._model = model
        hearing = _mapping(_mapping(session.get("audio")).get("input"))
        writer = _mapping(hearing.get("transcription")).get("model")
        self._writer = writer if isinstance(writer, str) else None

    def _created(self, entry: Entry) -> None:
        self._open[str(_mapping(entry.event.get("response")).get("id"))] = (self._model, entry.time)

    def _committed(self, entry: Entry) -> None:
        self._writers[str(entry.event.get("item_id"))] = self._writer

    def _added(self, entry: Entry) -> None:
        item = _mapping(entry.event.get("item"))
        if item.get("role") == "user":
            self._writers.setdefault(str(item.get("id")), self._writer)

    def _done(self, entry: Entry) -> Charge | None:
        response = _mapping(entry.event.get("response"))
        key = str(response.get("id"))
        model, _ = self._open.pop(key, (self._model, 0.0))
        used = response.get("usage")
        return self._charge(
            Charge(
                "response",
                key,
                model,
                entry.time,
                str(response.get("status") or "completed"),
                Usage.of(used if isinstance(used, Mapping) else None),
                is_reported=isinstance(used, Mapping),
            )
        )

    def _transcribed(self, entry: Entry) -> Charge | None:
        key = str(entry.event.get("item_id"))
        writer = self._writers.pop(key, self._writer)
        used = TranscriptionUsage.of(entry.event.get("usage"))
        if not used:
            return None
        return self._charge(Charge("transcription", key, writer or self._writer, entry.time, transcription=used))

    def _charge(self, charge: Charge) -> Charge | None:
        if (charge.kind, charge.id) in self._billed:
            return None
        self._billed.add((charge.kind, charge.id))
        self.charges.append(charge)
        return charge


_TAKES: Final[Mapping[str, Any]] = {
    "session.created": ChargeMeter._began,
    "session.updated": ChargeMeter._session,
    "response.created": ChargeMeter._created,
    "response.done": ChargeMeter._done,
    "input_audio_buffer.committed": ChargeMeter._committed,
    "conversation.item.added": ChargeMeter._added,
    "conversation.item.input_audio_transcription.completed": ChargeMeter._transcribed,
}


WATCHED: Final = frozenset(_TAKES)
"""Names of the server's events that a `ChargeMeter` looks at; it may be spared the others."""


def charges(log: Iterable[Entry], *, model: str | None = None) -> list[Charge]:
    """The charges of a log, or of part of one. What is still being made at its end is charged as lost.

    Parameters
    ----------
    log
        Entries in their order.
    model
        That of responses as long as the server has not named one.
    """
    meter = ChargeMeter(model)
    for entry in log:
        meter.push(entry)
    meter.end()
    return meter.charges


def bill(of: Iterable[Charge], *, prices: PriceTable = PRICES, is_free: bool = False) -> Cost:
    """What several charges cost together.

    Parameters
    ----------
    of
        Charges.
    prices
        Where to look.
    is_free
        Nobody pays: the cost is marked as what it would have been.
    """
    return sum((each.cost(prices, is_free=is_free) for each in of), Cost(hypothetical=is_free))


class UsageReport(Usage, Sequence[Charge]):
    """Tokens of a session: the total of its responses, and list-like the charges that it consists of.

    Attributes
    ----------
    charges : tuple of Charge
        Responses and transcriptions; the tokens of these are not in the total, since they are another model's.
    """

    __slots__ = ("charges", "is_free", "prices")

    charges: tuple[Charge, ...]
    prices: PriceTable
    is_free: bool

    def __init__(self, of: Iterable[Charge] = (), *, prices: PriceTable = PRICES, is_free: bool = False) -> None:
        parts = tuple(of)
        total = sum((each.usage for each in parts), Usage())
        super().__init__(*(getattr(total, f.name) for f in fields(Usage)))
        object.__setattr__(self, "charges", parts)
        object.__setattr__(self, "prices", prices)
        object.__setattr__(self, "is_free", is_free)

    @property
    def transcription(self) -> TranscriptionUsage:
        """What all transcriptions used."""
        return sum((each.transcription for each in self.charges), TranscriptionUsage())

    def __len__(self) -> int:
        return len(self.charges)

    def __iter__(self) -> Iterator[Charge]:
        return iter(self.charges)

    @overload
    def __getitem__(self, index: int) -> Charge: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Charge, ...]: ...
    def __getitem__(self, index: int | slice) -> Charge | tuple[Charge, ...]:
        return self.charges[index]

    def rows(self) -> list[dict[str, Any]]:
        """One plain row for each response and each transcription, with its cost in USD (``nan``: not known)."""
        return [
            {**each.to_dict(), "usd": each.cost(self.prices).usd, "billed": not self.is_free} for each in self.charges
        ]

    def to_pandas(self) -> Any:
        """The rows as a ``pandas.DataFrame``; without pandas an ImportError that says how to install it."""
        return frame(self.rows(), _COLUMNS)

    def __repr__(self) -> str:
        return f"<Usage: {self}>"

    def _repr_html_(self) -> str:
        rows = [
            [row["kind"], row["model"], *(row[name] or None for name in _SHOWN), dollars(row["usd"])]
            for row in self.rows()
        ]
        total = self.to_dict()
        foot = [["together", "", *(total.get(name) for name in _SHOWN[:-1]), self.transcription.seconds or None, ""]]
        head = ["for", "model", *(name.replace("_", " ") for name in _SHOWN), "USD"]
        return html_table(head, rows, caption=f"{self}; cached is part of in", foot=foot)


_COUNTS: Final = tuple(f.name for f in fields(Usage))
_SHOWN: Final = (*_COUNTS, "seconds")
_COLUMNS: Final = ("time", "kind", "id", "model", *_COUNTS, "seconds", "usd", "billed")


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
