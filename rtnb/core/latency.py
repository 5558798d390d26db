"""How long the answers took: distances between the events of a turn, from the log.

A turn is one response and what called for it. All its distances begin at the same moment, the one at which the user
had done their part::

    speech (speech detector)   speech_stopped came
    speech (sent by hand)      input_audio_buffer.commit was sent
    text, picture, tool output the last conversation.item.create before the response.create was sent
    nothing of these           response.create was sent

``speech_stopped`` itself comes after the silence that the detector waits for (``silence_duration_ms``).

Imports `rtnb.core.log` only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from rtnb.core.log import Entry

__all__ = ["Latency", "LatencyMeter", "Spread", "Turn", "percentile", "spread", "turns"]

Kind: TypeAlias = Literal["speech", "text", "tool", "other"]


@dataclass(frozen=True, slots=True)
class Latency:
    """Distances of one turn in milliseconds, all from its beginning; None: has not happened, or cannot be known.

    Attributes
    ----------
    committed : float or None
        The server made an item of the user's speech.
    created : float or None
        ``response.created`` came.
    first_text : float or None
        The first piece of text, or of what is being said, came.
    first_audio : float or None
        The first sound came.
    first_heard : float or None
        The first sound left the loudspeaker; known only where the speaker tells.
    done : float or None
        ``response.done`` came.
    """

    committed: float | None = None
    created: float | None = None
    first_text: float | None = None
    first_audio: float | None = None
    first_heard: float | None = None
    done: float | None = None

    def to_dict(self) -> dict[str, float | None]:
        """The distances by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


@dataclass(frozen=True, slots=True)
class Turn:
    """One response and what called for it.

    Attributes
    ----------
    response_id : str
    kind : {"speech", "text", "tool", "other"}
        What called for it: speech, an item of the user, the output of a tool, or a bare ``response.create``.
    begin : str
        Name of the event that its distances begin at.
    start : float
        When that was, in seconds of the log.
    item_id : str or None
        The item that called for it, as far as its id is known.
    status : str
        Of the response: ``in_progress`` until it is done.
    out_of_band : bool
        The response does not belong to the conversation.
    first_index, last_index : int
        Entries of the log from the beginning to the end so far.
    latency : Latency
    """

    response_id: str
    kind: Kind
    begin: str
    start: float
    item_id: str | None
    status: str
    out_of_band: bool
    first_index: int
    last_index: int
    latency: Latency


class _Cause:
    """What called, or may call, for a response. A commit may be confirmed after the response was asked for."""

    __slots__ = ("committed", "entry", "item_id", "kind")

    def __init__(self, kind: Kind, entry: Entry, item_id: str | None = None) -> None:
        self.kind = kind
        self.entry = entry
        self.item_id = item_id
        self.committed: float | None = None


class _Course:
    """A response while it is being followed. Times are those of the log."""

    __slots__ = (
        "cause",
        "created",
        "done",
        "first_audio",
        "first_text",
        "items",
        "last_index",
        "out_of_band",
        "status",
    )

    def __init__(self, cause: _Cause, created: Entry, *, out_of_band: bool) -> None:
        self.cause = cause
        self.created = created.time
        self.out_of_band = out_of_band
        self.first_text: float | None = None
        self.first_audio: float | None = None
        self.done: float | None = None
        self.status = "in_progress"
        self.items: set[str] = set()
        self.last_index = created.index


class LatencyMeter:
    """Follows a session entry by entry. What an entry costs does not depend on how many there were.

    Examples
    --------
    >>> meter = LatencyMeter()
    >>> for time, direction, name in [(1.0, "client", "response.create"), (1.25, "server", "response.created")]:
    ...     meter.push(Entry(0, time, direction, {"type": name, "response": {"id": "resp_1"}}))
    >>> meter.turns()[0].latency.created
    250.0
    """

    def __init__(self) -> None:
        self._courses: dict[str, _Course] = {}
        self._asked: _Cause | None = None  # the last thing that the user did and that nothing has answered
        self._spoken: _Cause | None = None  # speech that the server has not made an item of
        self._pending: deque[tuple[_Cause, Entry]] = deque()  # responses asked for and not created
        self._pending_aside: deque[tuple[_Cause, Entry]] = deque()  # those out of band

    def push(self, entry: Entry) -> None:
        """Take the next entry of the log."""
        event: Any = entry.event
        name = event.get("type") if isinstance(event, dict) else None
        if not isinstance(name, str):
            return
        if entry.direction == "client":
            self._client(name, event, entry)
        elif name in _FIRSTS:
            self._first(_FIRSTS[name], event, entry)
        elif name in _SERVER:
            self._server(name, event, entry)

    def turns(self, heard: Mapping[str, float] | None = None) -> list[Turn]:
        """The turns so far, in the order in which their responses were created.

        Parameters
        ----------
        heard
            For each item the time, in seconds of the log, at which its first sound was heard.
        """
        return [self._turn(response_id, course, heard or {}) for response_id, course in self._courses.items()]

    def _client(self, name: str, event: Mapping[str, Any], entry: Entry) -> None:
        if name == "conversation.item.create":
            described = _mapping(event.get("item"))
            kind: Kind = "tool" if described.get("type") == "function_call_output" else "text"
            self._asked = _Cause(kind, entry, _text(described.get("id")))
        elif name == "input_audio_buffer.commit":
            self._asked = self._spoken = _Cause("speech", entry)
        elif name == "response.create":
            cause = self._asked or _Cause("other", entry)
            aside = _mapping(event.get("response")).get("conversation") == "none"
            if aside:  # it is not what the user's item was for
                cause = _Cause("other", entry)
            else:
                self._asked = None
            (self._pending_aside if aside else self._pending).append((cause, entry))

    def _server(self, name: str, event: Mapping[str, Any], entry: Entry) -> None:
        if name == "response.created":
            self._created(event, entry)
        elif name == "response.done":
            self._done(event, entry)
        elif name == "error":
            self._refused(event)
        elif name == "input_audio_buffer.speech_stopped":
            self._asked = self._spoken = _Cause("speech", entry)
        else:  # input_audio_buffer.committed
            if self._spoken is None:  # nobody spoke, and the idle time is over
                self._asked = self._spoken = _Cause("speech", entry)
            self._spoken.item_id = _text(event.get("item_id"))
            self._spoken.committed = entry.time
            self._spoken = None

    def _created(self, event: Mapping[str, Any], entry: Entry) -> None:
        response = _mapping(event.get("response"))
        response_id = _text(response.get("id"))
        if response_id is None or response_id in self._courses:
            return
        aside = "conversation_id" in response and response["conversation_id"] is None
        waiting = self._pending_aside if aside and self._pending_aside else self._pending
        if waiting:
            cause, _ = waiting.popleft()
        else:  # the server's own: the detector heard the end of speech
            cause, self._asked = self._asked or _Cause("other", entry), None
        self._courses[response_id] = _Course(cause, entry, out_of_band=aside)

    def _first(self, field: Literal["first_text", "first_audio"], event: Mapping[str, Any], entry: Entry) -> None:
        course = self._courses.get(_text(event.get("response_id")) or "")
        if course is None:
            return
        course.last_index = entry.index
        if getattr(course, field) is None:
            setattr(course, field, entry.time)
        item_id = event.get("item_id")
        if isinstance(item_id, str):
            course.items.add(item_id)

    def _done(self, event: Mapping[str, Any], entry: Entry) -> None:
        response = _mapping(event.get("response"))
        course = self._courses.get(_text(response.get("id")) or "")
        if course is None or course.done is not None:
            return
        course.done = entry.time
        course.last_index = entry.index
        course.status = _text(response.get("status")) or "completed"

    def _refused(self, event: Mapping[str, Any]) -> None:
        """What was refused will not be answered."""
        detail = _mapping(event.get("error"))
        event_id = detail.get("event_id")
        for waiting in (self._pending, self._pending_aside):
            for pending in waiting:
                if event_id is not None and pending[1].event.get("event_id") == event_id:
                    waiting.remove(pending)
                    return
        if detail.get("code") == "conversation_already_has_active_response" and self._pending:
            self._pending.popleft()
        elif detail.get("code") == "input_audio_buffer_commit_empty" and self._spoken is not None:
            self._asked = None if self._asked is self._spoken else self._asked
            self._spoken = None

    @staticmethod
    def _turn(response_id: str, course: _Course, heard: Mapping[str, float]) -> Turn:
        start = course.cause.entry.time

        def ms(time: float | None) -> float | None:
            return None if time is None else round((time - start) * 1000, 3)

        latency = Latency(
            committed=ms(course.cause.committed),
            created=ms(course.created),
            first_text=ms(course.first_text),
            first_audio=ms(course.first_audio),
            first_heard=ms(min((heard[item] for item in course.items if item in heard), default=None)),
            done=ms(course.done),
        )
        return Turn(
            response_id=response_id,
            kind=course.cause.kind,
            begin=course.cause.entry.name,
            start=start,
            item_id=course.cause.item_id,
            status=course.status,
            out_of_band=course.out_of_band,
            first_index=course.cause.entry.index,
            last_index=course.last_index,
            latency=latency,
        )


class Spread(NamedTuple):
    """How one distance is spread over several turns.

    Attributes
    ----------
    p50, p95 : float
        Milliseconds that half, and 95 of 100, of the turns stay within.
    n : int
        In how many turns it is known.
    """

    p50: float
    p95: float
    n: int


def turns(log: Iterable[Entry], *, heard: Mapping[str, float] | None = None) -> list[Turn]:
    """The turns of a log, in the order in which their responses were created.

    Parameters
    ----------
    log
        A log, or part of one.
    heard
        For each item the time, in seconds of the log, at which its first sound was heard.
    """
    meter = LatencyMeter()
    for entry in log:
        meter.push(entry)
    return meter.turns(heard)


def percentile(values: Iterable[float], percent: float) -> float:
    """The value that `percent` of 100 `values` do not exceed, between neighbours in proportion.

    Raises
    ------
    ValueError
        There are no values.

    Examples
    --------
    >>> percentile([1, 2, 3, 4, 5], 50)
    3.0
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("a percentile of no values is not defined: give at least one")
    place = (len(ordered) - 1) * min(max(percent, 0.0), 100.0) / 100
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return float(ordered[below] + (ordered[above] - ordered[below]) * (place - below))


def spread(of: Iterable[Turn]) -> dict[str, Spread]:
    """For each distance that is known in some turn its p50 and p95."""
    latencies = [turn.latency for turn in of]
    known: dict[str, Spread] = {}
    for field in fields(Latency):
        values = [value for latency in latencies if (value := getattr(latency, field.name)) is not None]
        if values:
            known[field.name] = Spread(percentile(values, 50), percentile(values, 95), len(values))
    return known


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


_FIRSTS: Final[Mapping[str, Literal["first_text", "first_audio"]]] = {
    "response.output_text.delta": "first_text",
    "response.output_audio_transcript.delta": "first_text",
    "response.output_audio.delta": "first_audio",
}

_SERVER: Final = frozenset(
    {
        "response.created",
        "response.done",
        "error",
        "input_audio_buffer.committed",
        "input_audio_buffer.speech_stopped",
    }
)
