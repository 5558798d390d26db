"""Bytes a second, both ways, counted from the log: what a session asks of the line.

Imports `rtnb.core.log`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import Any, Final, overload

import orjson

from rtnb.core.log import Entry

__all__ = ["Second", "Traffic", "traffic_of"]

_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Second:
    """What crossed in one second.

    Attributes
    ----------
    second : int
        Since the session began.
    up, down : int
        Bytes to and from the server: the events as JSON text, without what WebSocket and TLS add.
    events : int
        How many events, both ways.
    """

    second: int
    up: int
    down: int
    events: int


class Traffic(Sequence[Second]):
    """One row for each second in which something crossed; list-like.

    Attributes
    ----------
    up, down : int
        Bytes in all.

    Examples
    --------
    >>> Traffic([Second(0, 100, 2_000, 3), Second(1, 50, 0, 1)])
    <Traffic 150 bytes up, 2000 down in 2 s, at most 100 a second up>
    """

    def __init__(self, rows: Iterable[Second]) -> None:
        self._rows = list(rows)
        self.up = sum(row.up for row in self._rows)
        self.down = sum(row.down for row in self._rows)

    @overload
    def __getitem__(self, index: int) -> Second: ...
    @overload
    def __getitem__(self, index: slice) -> Traffic: ...
    def __getitem__(self, index: int | slice) -> Second | Traffic:
        return Traffic(self._rows[index]) if isinstance(index, slice) else self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Second]:
        return iter(self._rows)

    @property
    def most_up(self) -> int:
        """Bytes of the busiest second to the server."""
        return max((row.up for row in self._rows), default=0)

    def to_dict(self) -> list[dict[str, Any]]:
        """The rows as plain values."""
        return [asdict(row) for row in self._rows]

    def __repr__(self) -> str:
        return f"<Traffic {self.up} bytes up, {self.down} down in {len(self)} s, at most {self.most_up} a second up>"

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><td>{row.second}</td><td>{row.up:,}</td><td>{row.down:,}</td><td>{row.events}</td></tr>"
            for row in self._rows[-_SHOWN:]
        )
        head = "<tr><th>second</th><th>bytes up</th><th>bytes down</th><th>events</th></tr>"
        return f"<table><thead>{head}</thead><tbody>{cells}</tbody></table><p>{escape(repr(self)[1:-1])}</p>"


def traffic_of(log: Iterable[Entry]) -> Traffic:
    """Count a log; seconds in which nothing crossed have no row."""
    found: dict[int, list[int]] = {}
    for entry in log:
        row = found.setdefault(int(entry.time), [0, 0, 0])
        row[entry.direction == "server"] += len(orjson.dumps(entry.event))
        row[2] += 1
    return Traffic(Second(second, *found[second]) for second in sorted(found))
