"""EventTable: every event of a session in the page, folded, searchable, and light.

The page holds one short row for each *run* of events (`rtnb.core.folding`), at most `MOST_ROWS`; the events themselves
stay in the kernel, and one is fetched when its row is expanded. It is fed by messages (`rtnb.notebook.feed`):

============  ==========  =======================================================================================
kind          from        what
============  ==========  =======================================================================================
hello         page        shows the table now; wants all rows
rows          kernel      ``rows`` that are new or have grown, as `_row` writes them; names, from the ``first`` on
expand        page        wants member ``member`` of row ``row``
event         kernel      that event: ``json``, and ``note`` with its meaning, cause and fix
search        page        wants the rows after ``after`` in which ``text`` stands
found         kernel      their ids; they hold for all rows before ``end``
ping, pong    page, then  whether the kernel is there
              kernel
============  ==========  =======================================================================================

Imports the core and `rtnb.session`.
"""

from __future__ import annotations

import importlib
import json
import pathlib
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any, Final

from rtnb.core import recording
from rtnb.core.changes import Changes
from rtnb.core.folding import Fold, Folder
from rtnb.core.log import Entry, EventLog
from rtnb.notebook.feed import View, styles
from rtnb.notebook.modules import joined

__all__ = ["MOST_ROWS", "EventTable"]

MOST_ROWS: Final = 20_000
"""How many rows a page holds; older ones are in ``session.events``."""

_CHUNK: Final = 2_000  # rows in one message
_JSON_CHARS: Final = 200_000
_MEMBERS_SEARCHED: Final = 2_000


class EventTable(View):
    """The events of a session, live, or of a log or recording.

    Parameters
    ----------
    source
        A `rtnb.Session`, which it follows; or an `rtnb.EventLog`, or anything with ``events``.

    Examples
    --------
    >>> EventTable(session)  # doctest: +SKIP
    """

    _esm = joined(pathlib.Path(__file__).with_suffix(".js"))
    _css = styles("views.css", "events.css")

    def __init__(self, source: Any) -> None:
        self._source = source
        self._folder = Folder(secrets_of(source))
        self._names: dict[str, int] = {}
        self._sent_names = 0
        self._begun: list[float] = []  # when each connection was made, in seconds of the log
        super().__init__()
        watch = getattr(source, "watch", None)
        if watch is not None:
            watch(self._note)

    def __repr__(self) -> str:
        return f"<EventTable: {len(self.entries)} events>"

    @property
    def entries(self) -> EventLog:
        """The events that it shows."""
        events = self._source if isinstance(self._source, EventLog) else self._source.events
        assert isinstance(events, EventLog)
        return events

    def close(self) -> None:
        """Take the widget away, and follow the session no more."""
        unwatch = getattr(self._source, "unwatch", None)
        if unwatch is not None:
            unwatch(self._note)
        super().close()

    def _note(self, entry: Entry, changes: Changes) -> None:
        self.news()

    # ---- on the feed's thread

    def hello(self) -> None:
        """Send all rows, the newest ones last."""
        self._take_up()
        self._sent_names = 0
        rows = self._folder.rows[-MOST_ROWS:]
        for start in range(0, max(1, len(rows)), _CHUNK):
            self._tell_rows(rows[start : start + _CHUNK], is_last=start + _CHUNK >= len(rows))

    def flush(self) -> None:
        """Send the rows that are new or have grown."""
        touched = self._take_up()
        rows = list(touched.values())
        for start in range(0, len(rows), _CHUNK):
            self._tell_rows(rows[start : start + _CHUNK])

    def heard(self, message: dict[str, Any]) -> None:
        """Answer a page that expands a row, or searches."""
        if message.get("kind") == "expand":
            self._expand(message)
        elif message.get("kind") == "search":
            self._search(message, int(message.get("after", -1)) + 1, [])

    def _take_up(self) -> dict[int, Fold]:
        folder, log = self._folder, self.entries
        touched = {}
        for entry in log[folder.place :]:
            if not self._begun or (entry.direction == "server" and entry.name == "session.created"):
                self._begun.append(entry.time)
            row = folder.push(entry)
            touched[row.id] = row
        return touched

    def _tell_rows(self, rows: list[Fold], *, is_last: bool = True) -> None:
        first, folder = self._sent_names, self._folder
        written = [self._row(row) for row in rows]
        names = list(self._names)[first:]
        self._sent_names = len(self._names)
        self.send(
            {
                "kind": "rows",
                "first": first,
                "names": names,
                "rows": written,
                "most": MOST_ROWS,
                "is_last": is_last,
                "totals": [
                    [folder.counts[side], folder.n_bytes[side], round(folder.ms[side])] for side in ("client", "server")
                ],
            }
        )

    def _row(self, row: Fold) -> list[Any]:
        """As a page reads it.

        Id, seconds since its connection was made, whether received, number of the name, count, ms and bytes of sound,
        trouble, words.
        """
        return [
            row.id,
            self._since(row.time),
            int(row.direction == "server"),
            self._names.setdefault(row.name, len(self._names)),
            row.count,
            round(row.ms),
            row.n_bytes,
            int(row.trouble),
            row.words,
        ]

    def _expand(self, message: Mapping[str, Any]) -> None:
        answer: dict[str, Any] = {"kind": "event", "row": message.get("row"), "member": message.get("member")}
        try:
            row = self._folder.rows[int(message["row"])]
            place = row.members[int(message.get("member") or 0)]
        except (LookupError, TypeError, ValueError):
            self.send({**answer, "json": "", "note": {"what": "this event is not in the log any more"}})
            return
        entry = self.entries[place]
        text = json.dumps(self._light(entry), indent=2, ensure_ascii=False, default=str)
        if len(text) > _JSON_CHARS:
            text = f"{text[:_JSON_CHARS]}\n… {len(text) - _JSON_CHARS:,} more characters: session.events[{entry.index}]"
        at = self._since(entry.time)
        self.send({**answer, "json": text, "index": entry.index, "time": at, "note": explained(entry.event)})

    def _since(self, time: float) -> float:
        place = bisect_right(self._begun, time)
        return round(time - self._begun[max(0, place - 1)], 3)

    def _light(self, entry: Entry) -> Any:
        return recording.scrubbed(recording.shown(entry.event), secrets_of(self._source))

    def _search(self, message: Mapping[str, Any], start: int, found: list[int]) -> None:
        """Look through some rows, then let others have the thread."""
        wanted = str(message.get("text") or "").casefold()
        rows = self._folder.rows
        end = min(len(rows), start + 500)
        log = self.entries
        found += [row.id for row in rows[start:end] if _stands_in(wanted, row, log)]
        if end < len(rows):
            self.later(lambda: self._search(message, end, found))
        else:
            after = message.get("after", -1)
            whose = {"of": message.get("of"), "from": message.get("from")}
            self.send({"kind": "found", **whose, "ids": found, "after": after, "end": end})


def _stands_in(wanted: str, row: Fold, log: EventLog) -> bool:
    if wanted in row.name or wanted in row.words.casefold():
        return True
    said = ""
    for place in row.members[:_MEMBERS_SEARCHED]:
        event = recording.shown(log[place].event)
        if wanted in json.dumps(event, ensure_ascii=False, default=str).casefold():
            return True
        delta = event.get("delta")
        said += delta if isinstance(delta, str) else ""
    return wanted in said.casefold()  # words that cross from one delta to the next


def secrets_of(source: object) -> tuple[str, ...]:
    """Keys that the session uses, which no view may show."""
    core = getattr(source, "_core", None)
    secrets = (
        source.secrets if isinstance(source, EventLog) else getattr(getattr(core, "endpoint", None), "secrets", ())
    )
    return tuple(each for each in secrets if each)


def explained(event: Mapping[str, Any]) -> dict[str, str]:
    """What an event means, why it comes and what to do about it, in words; empty where nothing is known."""
    try:
        explain = importlib.import_module("rtnb.core.explain").explain
    except ImportError:
        return {}
    try:
        found = explain(event)
    except Exception:  # noqa: BLE001 - an event that nobody can explain is still shown
        return {}
    told = {name: getattr(found, name, None) for name in ("what", "cause", "fix", "source")}
    return {name: str(value) for name, value in told.items() if value}
