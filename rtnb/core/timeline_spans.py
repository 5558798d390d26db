"""What is remembered of items and responses while a log is read, and the spans that come of it.

Imports its neighbours in `rtnb.core`.
"""

from __future__ import annotations

from typing import Final

from rtnb.core.timeline import Point, Span
from rtnb.core.timeline_tape import Sent, Tape, Track

__all__ = [
    "ItemCourse",
    "ResponseCourse",
    "arrivals",
    "brief",
    "clip_spans",
    "cut_point",
    "item_spans",
    "response_span",
]

_LABEL_CHARS: Final = 60
_SENT_AT_ONCE: Final = "sent at once, and drawn over its own length"


class ItemCourse:
    """What is remembered of an item."""

    __slots__ = (
        "arrived",
        "call",
        "committed",
        "cut",
        "first",
        "index",
        "last",
        "mic",
        "output",
        "pieces",
        "response_id",
        "role",
        "speech",
        "tape",
        "text",
    )

    def __init__(self, role: str, index: int, time: float) -> None:
        self.role = role
        self.index = index  # the event that says the most of it
        self.first = self.last = time
        self.response_id: str | None = None
        self.tape: Tape | None = None
        self.arrived: list[tuple[float, float]] = []  # when, how far
        self.pieces: list[str] = []
        self.text = ""
        self.cut: tuple[float, float, int] | None = None  # seconds of the item, time, index
        self.mic: int = -1  # which microphone
        self.speech: list[float | None] = [None, None]  # seconds of the microphone
        self.committed: tuple[float, float] | None = None  # seconds of the microphone, from and to
        self.call: tuple[str, float, int] | None = None  # name, when complete, index
        self.output: tuple[str, float] | None = None


class ResponseCourse:
    """What is remembered of a response."""

    __slots__ = ("index", "reason", "start", "status", "stop")

    def __init__(self, index: int, start: float) -> None:
        self.index, self.start, self.stop, self.status, self.reason = index, start, -1.0, "in_progress", ""


def response_span(response_id: str, response: ResponseCourse, end: float) -> Span:
    """From created to done."""
    words = response.status + (f" ({response.reason})" if response.reason else "")
    stop = response.stop if response.stop >= 0 else end
    return Span(
        "response", response.start, stop, response.status, response.status, words, response.index, None, response_id
    )


def item_spans(
    item_id: str,
    item: ItemCourse,
    mics: list[Track],
    played: Track | None,
    asked: tuple[float, float] | None,
    end: float,
) -> list[Span]:
    """All spans of an item; `asked`: where the sound that came inside it is drawn."""
    spans: list[Span] = []
    spoken: tuple[float, float] | None = None
    track = mics[item.mic] if 0 <= item.mic < len(mics) and mics[item.mic] else None
    begin, stop = item.speech
    if begin is not None:
        spoken = (
            (track.time_at(begin, is_start=True), end if stop is None else track.time_at(stop))
            if track is not None
            else (item.first, item.last)
        )
        spoken = (spoken[0], max(spoken))
        spans.append(Span("speech", *spoken, "speech", "speech", "speech detected", item.index, item_id))
    elif item.committed is not None and track is not None:
        spoken = track.time_at(item.committed[0], is_start=True), track.time_at(item.committed[1])
        spoken = (min(spoken), spoken[1])
    elif asked is not None:
        spoken = asked
        spans.append(Span("you", *spoken, "clip", f"{spoken[1] - spoken[0]:.1f} s", _SENT_AT_ONCE, item.index, item_id))
    if item.call is not None:
        spans.append(_call_span(item_id, item, end))
        return spans
    text = item.text or "".join(item.pieces)
    if text:
        where = spoken or ((played.start, played.end) if played is not None else (item.first, item.last))
        spans.append(Span("words", *where, item.role, brief(text), text, item.index, item_id, item.response_id))
    if item.tape is not None:
        words = f"{item.tape.seconds:.1f} s received"
        received = item.arrived[0][0], item.arrived[-1][0]
        spans.append(Span("received", *received, "audio", words, words, item.index, item_id, item.response_id))
        if played is not None:
            seconds = float(played.places[-1])
            words = f"{seconds:.1f} s heard"
            spans.append(
                Span("heard", played.start, played.end, "audio", words, words, item.index, item_id, item.response_id)
            )
    return spans


def arrivals(item: ItemCourse) -> list[tuple[float, float]]:
    """When how much had come: each piece from the moment at which it came to the next piece, at most its own length."""
    knots: list[tuple[float, float]] = []
    pairs = item.arrived
    for number in range(0, len(pairs), 2):
        (time, before), (_, after) = pairs[number], pairs[number + 1]
        following = pairs[number + 2][0] if number + 2 < len(pairs) else time
        knots += [(time, before), (min(following, time + after - before), after)]
    return knots


def clip_spans(sent: Sent, index: int) -> list[Span]:
    """What was sent at once."""
    return [
        Span("you", start, end, "clip", f"{length:.1f} s", _SENT_AT_ONCE, index) for start, end, length in sent.clips
    ]


def _call_span(item_id: str, item: ItemCourse, end: float) -> Span:
    assert item.call is not None
    name, start, index = item.call
    if item.output is None:
        return Span("tools", start, end, "in_progress", name, f"{name}({item.text})", index, item_id, item.response_id)
    output, stop = item.output
    words = f"{name}({item.text}) → {output}"
    return Span("tools", start, max(start, stop), "completed", name, words, index, item_id, item.response_id)


def cut_point(item_id: str, item: ItemCourse, played: Track | None) -> Point:
    """Where an answer was cut, at the moment at which it had been heard to there."""
    assert item.cut is not None
    place, time, index = item.cut
    of = f" of {item.tape.seconds:.1f} s" if item.tape is not None else ""
    at = min(time, played.time_at(place)) if played is not None else time
    return Point(
        "heard", at, "cut", f"cut at {place:.1f} s", f"the answer was cut at {place:.2f} s{of}", index, item_id
    )


def brief(text: str) -> str:
    """As much of a text as fits on a label."""
    text = " ".join(text.split())
    return text if len(text) <= _LABEL_CHARS else text[: _LABEL_CHARS - 1] + "…"
