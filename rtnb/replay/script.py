"""One connection of a recording as a script: what waits for the client, and what of the server answers what.

Theory of operation
-------------------
A *cue* is an event of the client that the replay waits for. Each *line* (an event of the server) hangs on a cue, and
is said so long after it as it was in the recording:

=========================================  ============================================================================
line                                       hangs on
=========================================  ============================================================================
an item that the client made               its ``conversation.item.create``
a response and all that is in it           its ``response.create``; where the server began it by itself: as below
``committed``, ``cleared``, ``updated``,   the commit, clear, update, truncate, delete or retrieve that it answers
``truncated``, ``deleted``, ``retrieved``
an ``error`` that names an event           that event
all else (speech was heard, limits, ...)   nothing of its own: the last *main* cue before it
=========================================  ============================================================================

Main cues are what a conversation cannot go on without: items, commits, ``response.create``, ``session.update``. The
others (cancel, truncate, clear, delete, retrieve, a ``session.update`` of tools alone) hold up nothing but their own
answers: whether and when they come depends on loudspeakers and fingers, and on the order of a notebook's cells. Audio
that is appended is not waited for at all.

Pure: no sockets, no clock. Imports `rtnb.core`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Final

from rtnb.core.log import Entry, event_name
from rtnb.core.protocol import Event

__all__ = ["APPEND", "OF_CLIENT", "Cue", "Line", "Script", "is_main", "lost_after"]

APPEND: Final = "input_audio_buffer.append"

OF_CLIENT: Final = frozenset({"tools", "tool_choice", "type"})
"""Settings that are the client's own matter: no answer that was recorded depends on when they came."""

_MAIN: Final = frozenset({"session.update", "conversation.item.create", "input_audio_buffer.commit", "response.create"})

_ANSWERS: Final = {
    "session.updated": "session.update",
    "input_audio_buffer.committed": "input_audio_buffer.commit",
    "input_audio_buffer.cleared": "input_audio_buffer.clear",
    "conversation.item.truncated": "conversation.item.truncate",
    "conversation.item.deleted": "conversation.item.delete",
    "conversation.item.retrieved": "conversation.item.retrieve",
}
"""Events of the server that answer one of the client, in its order."""


class Cue:
    """An event of the client.

    Attributes
    ----------
    index : int
        Its place among all events of the connection.
    time : float
        When it was sent, in the recording.
    event : dict
        As it was sent.
    is_main : bool
        The conversation cannot go on without it.
    arrived : float or None
        When the client of the replay sent its like.
    """

    __slots__ = ("arrived", "event", "index", "is_main", "time")

    def __init__(self, index: int, time: float, event: Event) -> None:
        self.index = index
        self.time = time
        self.event = event
        self.is_main = is_main(event)
        self.arrived: float | None = None

    @property
    def name(self) -> str:
        """Its type."""
        return event_name(self.event)


class Line:
    """An event of the server, and what it hangs on.

    Attributes
    ----------
    index : int
        Its place among all events of the connection.
    time : float
        When it came, in the recording.
    event : dict
        As it came.
    cue : Cue or None
        What it answers; None when it hangs on the course of things.
    """

    __slots__ = ("cue", "event", "index", "time")

    def __init__(self, index: int, time: float, event: Event, cue: Cue | None) -> None:
        self.index = index
        self.time = time
        self.event = event
        self.cue = cue


def is_main(event: Event) -> bool:
    """Whether a conversation cannot go on without this event of its client."""
    session = event.get("session")
    if isinstance(session, dict) and "tools" in session and session.keys() <= OF_CLIENT:
        return False
    return event_name(event) in _MAIN


def lost_after(before: Sequence[Entry], after: Sequence[Entry]) -> float | None:
    """How long after its last event a connection was lost; None when it was not, but closed.

    It was lost when a later one went on with its conversation: items are put into it again; and when it never got its
    configuration. Of one in which nothing was said it cannot be told: it is taken for lost when the client goes on
    (``inf``). The last one is lost where it ends in the midst of an answer, which would otherwise be waited for.

    Parameters
    ----------
    before
        The events of the connection.
    after
        All that follow.
    """
    if not after:
        begun, done = (sum(entry.name == f"response.{what}" for entry in before) for what in ("created", "done"))
        return 0.0 if begun > done else None
    known = {_id(entry.event.get("item")) for entry in before} - {None}
    if not known and any(entry.name == "session.updated" for entry in before):
        return math.inf
    goes_on = not known or any(
        entry.direction == "client"
        and entry.name == "conversation.item.create"
        and _id(entry.event.get("item")) in known
        for entry in after
    )
    return max(after[0].time - before[-1].time, 0.0) if goes_on else None


class Script:
    """What one connection of a recording asks of its client, and what it answers.

    Parameters
    ----------
    entries
        The events of the connection, in their order.

    Attributes
    ----------
    start : float
        Time of the first event.
    cues : list of Cue
    lines : list of Line
    appends : bool
        The client appended audio.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.start = 0.0
        self.cues: list[Cue] = []
        self.lines: list[Line] = []
        self.appends = False
        self._unanswered: list[Cue] = []
        self._asking: list[Cue] = []  # response.create without their response
        self._items: dict[str, Cue | None] = {}
        self._responses: dict[str, Cue | None] = {}
        self._by_event_id: dict[str, Cue] = {}
        for index, entry in enumerate(entries):
            if index == 0:
                self.start = entry.time
            if entry.direction == "client":
                self._sent(index, entry)
            else:
                self.lines.append(Line(index, entry.time, entry.event, self._cue_of(entry.event)))

    def _sent(self, index: int, entry: Entry) -> None:
        event = entry.event
        if event.get("type") == APPEND:
            self.appends = True
            return
        cue = Cue(index, entry.time, event)
        self.cues.append(cue)
        event_id = event.get("event_id")
        if isinstance(event_id, str):
            self._by_event_id[event_id] = cue
        if cue.name == "response.create":
            self._asking.append(cue)
        elif cue.name == "conversation.item.create":
            item_id = _id(event.get("item"))
            if item_id is None:
                self._unanswered.append(cue)
            else:
                self._items[item_id] = cue
        else:
            self._unanswered.append(cue)

    def _cue_of(self, event: Event) -> Cue | None:
        name = event_name(event)
        if name == "error":
            return self._refused(event)
        if name == "response.created":
            return self._begun(event)
        response_id = event.get("response_id") or _id(event.get("response"))
        if isinstance(response_id, str) and response_id in self._responses:
            cue = self._responses[response_id]
            if name == "response.output_item.added":
                self._own(event.get("item"), cue)
            return cue
        if name in _ANSWERS:
            cue = self._answered(_ANSWERS[name], event.get("item_id"))
            if name == "input_audio_buffer.committed":
                self._items.setdefault(str(event.get("item_id")), cue)
            return cue
        item_id = _id(event.get("item")) or event.get("item_id")
        if isinstance(item_id, str):
            if item_id not in self._items and name in ("conversation.item.added", "conversation.item.created"):
                self._items[item_id] = self._nameless(event.get("item"))
            return self._items.get(item_id)
        return None

    def _refused(self, event: Event) -> Cue | None:
        detail = event.get("error")
        event_id = detail.get("event_id") if isinstance(detail, dict) else None
        cue = self._by_event_id.get(event_id) if isinstance(event_id, str) else None
        for waiting in (self._asking, self._unanswered):
            if cue is not None and cue in waiting:
                waiting.remove(cue)
        return cue

    def _begun(self, event: Event) -> Cue | None:
        """Whose response it is: by its metadata, else that of the client which has waited longest."""
        response = event.get("response")
        described = response if isinstance(response, dict) else {}
        metadata = described.get("metadata")
        found = None
        for cue in self._asking:
            asked = cue.event.get("response")
            wanted = asked.get("metadata") if isinstance(asked, dict) else None
            if wanted and wanted == metadata:
                found = cue
                break
            if found is None and not wanted and not metadata:
                found = cue
        if found is not None:
            self._asking.remove(found)
        response_id = _id(described)
        if response_id is not None:
            self._responses[response_id] = found
        return found

    def _answered(self, name: str, item_id: object) -> Cue | None:
        for cue in self._unanswered:
            if cue.name == name and cue.event.get("item_id") in (None, item_id):
                self._unanswered.remove(cue)
                return cue
        return None

    def _nameless(self, item: object) -> Cue | None:
        """The ``conversation.item.create`` without an id that an item is of; a model's answer is of none."""
        kind = _kind(item)
        for cue in self._unanswered:
            if cue.name == "conversation.item.create" and _kind(cue.event.get("item")) == kind:
                self._unanswered.remove(cue)
                return cue
        return None

    def _own(self, item: object, cue: Cue | None) -> None:
        item_id = _id(item)
        if item_id is not None:
            self._items.setdefault(item_id, cue)


def _kind(item: object) -> tuple[Any, Any]:
    return (item.get("type"), item.get("role")) if isinstance(item, dict) else (None, None)


def _id(value: object) -> str | None:
    found = value.get("id") if isinstance(value, dict) else None
    return found if isinstance(found, str) else None
