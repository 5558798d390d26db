"""The log: every event of both directions with its time. All else can be computed from it.

Times are seconds since the session began, on a clock that never goes back; they are passed in. The wall clock is kept
once, as `EventLog.origin`. How a log is written to a file and read again stands in `rtnb.core.recording`.

Imports `rtnb.core.protocol`, `rtnb.core.errors`, `rtnb.core.recording` and `rtnb.core.tables`; pandas when asked for.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import translate
from itertools import islice
from operator import attrgetter
from os import PathLike
from typing import IO, Any, overload

from rtnb.core import recording
from rtnb.core.entry import Entry, event_name
from rtnb.core.folding import clock, fold
from rtnb.core.protocol import Direction, Event
from rtnb.core.tables import frame, html_table

__all__ = ["Entry", "EventLog", "event_name", "matcher"]


def matcher(*patterns: str) -> Callable[[str], bool]:
    """A test if a name fits one of the globs: ``"response.done"``, ``"response.*"``, ``"*.delta"``.

    Each name is compared once; a log has few names and many events.
    """
    fits = re.compile("|".join(map(translate, patterns)) or r"(?!)").match
    seen: dict[str, bool] = {}

    def test(name: str) -> bool:
        known = seen.get(name)
        if known is None:
            known = seen[name] = fits(name) is not None
        return known

    return test


class _Counts(dict[str, int]):
    """What is not there was counted 0 times."""

    def __missing__(self, key: str) -> int:
        return 0


class EventLog(Sequence[Entry]):
    """Every event of a session, in order. List-like; a slice or a filter is a log again.

    Parameters
    ----------
    origin
        Wall-clock time (seconds since the epoch) of time 0; None when it is not known.
    entries
        To start with.
    secrets
        Keys in use: neither shown nor written to a file, whatever they look like. The entries themselves stay as they
        are.

    Attributes
    ----------
    damaged : int
        How many lines of the file could not be read.

    Examples
    --------
    >>> log = EventLog()
    >>> entry = log.append({"type": "response.create"}, "client", 0.5)
    >>> entry = log.append({"type": "response.done", "response": {"id": "resp_1"}}, "server", 1.25)
    >>> [entry.name for entry in log.filter("response.*", direction="server")]
    ['response.done']
    """

    __slots__ = ("_entries", "damaged", "origin", "secrets")

    def __init__(
        self, origin: float | None = None, entries: Iterable[Entry] = (), *, secrets: tuple[str, ...] = ()
    ) -> None:
        self.origin = origin
        self.secrets = secrets
        self._entries: list[Entry] = list(entries)
        self.damaged = 0

    def append(self, event: Event, direction: Direction, time: float) -> Entry:
        """Add an event that was sent or has come just now, `time` seconds after the session began."""
        entry = Entry(len(self._entries), time, direction, event)
        self._entries.append(entry)
        return entry

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> EventLog: ...
    def __getitem__(self, index: int | slice) -> Entry | EventLog:
        if isinstance(index, slice):
            return EventLog(self.origin, self._entries[index], secrets=self.secrets)
        return self._entries[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EventLog) and self._entries == other._entries

    __hash__ = None  # type: ignore[assignment]  # it grows

    # -- looking for events ------------------------------------------------------------------------------------------

    def filter(
        self,
        *patterns: str,
        direction: Direction | None = None,
        where: Callable[[Event], bool] | None = None,
    ) -> EventLog:
        """The entries whose name fits one of the globs `patterns` (none: any), as they are now.

        Parameters
        ----------
        patterns
            As for `fnmatch`: ``"response.*"``.
        direction
            Only events of this side.
        where
            Only events for which this is true.
        """
        found = self._matching(iter(self._entries), patterns, direction, where)
        return EventLog(self.origin, found, secrets=self.secrets)

    def find(
        self,
        *patterns: str,
        direction: Direction | None = None,
        where: Callable[[Event], bool] | None = None,
        after: int = -1,
    ) -> Entry | None:
        """The first entry that fits, as in `filter`; None if there is none.

        Parameters
        ----------
        after
            Only entries whose `Entry.index` is greater.
        """
        start = bisect_right(self._entries, after, key=attrgetter("index"))
        return next(self._matching(islice(self._entries, start, None), patterns, direction, where), None)

    def last(
        self,
        *patterns: str,
        direction: Direction | None = None,
        where: Callable[[Event], bool] | None = None,
    ) -> Entry | None:
        """The last entry that fits, as in `filter`; None if there is none. Looked for from the end."""
        return next(self._matching(reversed(self._entries), patterns, direction, where), None)

    @staticmethod
    def _matching(
        entries: Iterator[Entry],
        patterns: tuple[str, ...],
        direction: Direction | None,
        where: Callable[[Event], bool] | None,
    ) -> Iterator[Entry]:
        fits = matcher(*patterns) if patterns else None
        for entry in entries:
            if direction is not None and entry.direction != direction:
                continue
            if fits is not None and not fits(event_name(entry.event)):
                continue
            if where is None or where(entry.event):
                yield entry

    @property
    def names(self) -> dict[str, int]:
        """How often each event occurs, in the order of first occurrence; ``names["error"]`` is 0 when there is none."""
        counts = _Counts()
        for entry in self._entries:
            counts[event_name(entry.event)] += 1
        return counts

    @property
    def seconds(self) -> float:
        """From the session's beginning to the last entry."""
        return self._entries[-1].time if self._entries else 0.0

    # -- as plain values ---------------------------------------------------------------------------------------------

    def rows(self) -> list[dict[str, Any]]:
        """One plain row for each entry, audio and pictures shown as their length."""
        return [
            {
                "index": entry.index,
                "time": entry.time,
                "direction": entry.direction,
                "type": event_name(entry.event),
                "event": recording.shown(entry.event),
            }
            for entry in self._entries
        ]

    def to_dict(self) -> list[dict[str, Any]]:
        """The same as `rows`."""
        return self.rows()

    def to_pandas(self) -> Any:
        """The rows as a ``pandas.DataFrame``.

        Raises
        ------
        ImportError
            pandas is not installed; the text says how to.
        """
        return frame(self.rows(), ["index", "time", "direction", "type", "event"])

    def to_jsonl(
        self, target: str | PathLike[str] | IO[bytes], *, audio: bool = True, keys: Iterable[str | None] = ()
    ) -> None:
        """Write the log, one JSON object a line; what looks like a key is replaced.

        Parameters
        ----------
        target
            A path, or a file opened for bytes.
        audio
            False leaves out sound and pictures, and keeps their length.
        keys
            More keys in use, replaced wherever they stand.
        """
        known = (*self.secrets, *keys)
        recording.write(target, self._entries, origin=self.origin, audio=audio, keys=known)

    @classmethod
    def from_jsonl(cls, source: str | PathLike[str] | IO[bytes]) -> EventLog:
        """Read a log again. Lines that are damaged are left out, and counted in `damaged`."""
        log = cls()
        log.origin, rows, log.damaged = recording.read(source)
        for time, direction, event in rows:
            log.append(event, direction, time)
        return log

    # -- looking at it -----------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"<EventLog: {len(self._entries)} events, {self.seconds:.2f} s>"

    def _repr_html_(self) -> str:
        zero = self._entries[0].time if self._entries else 0.0
        rows = [
            (
                clock(row.time - zero),
                "▲ sent" if row.direction == "client" else "▼ received",
                row.name,
                f"×{row.count:,}" if row.count > 1 else "",
                "; ".join(
                    each for each in (f"{row.ms / 1000:.1f} s of sound" if row.n_bytes else "", row.words) if each
                ),
            )
            for row in fold(self._entries, self.secrets)
        ]
        return html_table(("time", "", "event", "", "content"), rows, caption=repr(self)[1:-1])
