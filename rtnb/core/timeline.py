"""A session on one clock: what was said, sent, made, received and heard, when.

A `Timeline` has spans and points in lanes, and the sound of the three lanes that have some. It is a plain value;
figures and widgets draw it. `rtnb.core.timeline_meter` makes it from a log and the reports of a loudspeaker,
`rtnb.core.timeline_tape` keeps the outlines of the sound.

======== ==========================================================================================================
lane     what it shows
======== ==========================================================================================================
you      the sound that was sent: microphone, or clips
speech   what the speech detector heard, where the sound lies in `you`; commits of the buffer
response from ``response.created`` to ``response.done``
tools    from the complete call to its output
received when the sound of answers came
heard    when it left the loudspeaker, as far as one reported; where answers were cut
words    transcripts and texts of both sides
errors   what was refused, and what failed
======== ==========================================================================================================

All times are seconds of the log. Imports numpy and its neighbours in `rtnb.core`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal, TypeAlias, get_args

import numpy as np

from rtnb.core.timeline_tape import Outline, Track

__all__ = ["LANES", "SOUND_LANES", "Lane", "Point", "Span", "Timeline"]

Lane: TypeAlias = Literal["you", "speech", "response", "tools", "received", "heard", "words", "errors"]

LANES: Final[tuple[Lane, ...]] = get_args(Lane)
"""All lanes, from above."""

SOUND_LANES: Final[tuple[Lane, ...]] = ("you", "received", "heard")
"""The lanes that have sound."""


@dataclass(frozen=True, slots=True)
class Span:
    """Something that lasted.

    Attributes
    ----------
    lane : str
    start, end : float
        Seconds of the log. What has not ended ends with the log.
    kind : str
        What sort of thing: the status of a response or a call; ``user`` or ``assistant`` of words; ``clip``.
    label : str
        A few words.
    text : str
        All that there is to say about it.
    index : int
        The event that says so: its place in the log.
    item_id, response_id : str or None
        What it belongs to.
    """

    lane: Lane
    start: float
    end: float
    kind: str
    label: str
    text: str
    index: int
    item_id: str | None = None
    response_id: str | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """Something that happened at a moment; the attributes are those of `Span`."""

    lane: Lane
    time: float
    kind: str
    label: str
    text: str
    index: int
    item_id: str | None = None


@dataclass(frozen=True)
class Timeline:
    """A session on one clock.

    Attributes
    ----------
    start, end : float
        The part of the log that it shows.
    length : float
        The whole log, with what was still heard after its last event.
    spans : list of Span
    points : list of Point
    tracks : dict
        For each of `SOUND_LANES` its tracks.
    """

    start: float
    end: float
    length: float
    spans: Sequence[Span] = ()
    points: Sequence[Point] = ()
    tracks: Mapping[Lane, Sequence[Track]] = field(default_factory=dict, repr=False)

    def between(self, start: float | None = None, end: float | None = None) -> Timeline:
        """The part from `start` to `end`; what lasts beyond is kept whole.

        Raises
        ------
        ValueError
            The end does not lie after the start.
        """
        begin = self.start if start is None else float(start)
        stop = self.end if end is None else float(end)
        if not stop > begin:
            raise ValueError(f"a timeline ends after it starts; {begin:g} s to {stop:g} s does not")
        return Timeline(
            begin,
            stop,
            self.length,
            [span for span in self.spans if span.start <= stop and span.end >= begin],
            [point for point in self.points if begin <= point.time <= stop],
            self.tracks,
        )

    def around(self, response_ids: Iterable[str], item_ids: Iterable[str] = (), start: float | None = None) -> Timeline:
        """The part in which some responses were asked for, made and heard.

        Parameters
        ----------
        response_ids, item_ids
            What belongs to it.
        start
            When the user had done their part.
        """
        responses, items = set(response_ids), set(item_ids)
        mine = [
            span for span in self.spans if span.response_id in responses or (span.item_id and span.item_id in items)
        ]
        begins = [span.start for span in mine] + ([start] if start is not None else [])
        ends = [span.end for span in mine]
        if not begins:
            raise ValueError("nothing of this is in the log")
        first, last = min(begins), max([*ends, *begins])
        margin = max(0.05, 0.03 * (last - first))
        return self.between(max(0.0, first - margin), last + margin)

    def outline(self, lane: Lane, bins: int) -> Outline:
        """The sound of a lane in `bins` equal stretches of time; NaN where there is none."""
        edges = np.linspace(self.start, self.end, bins + 1)
        low = np.full(bins, np.nan, dtype=np.float32)
        high = low.copy()
        width = (self.end - self.start) / bins
        for track in self.tracks.get(lane, ()):
            if not track or track.end < self.start or track.start > self.end:
                continue
            first = max(0, int((track.start - self.start) / width) - 1)
            last = min(bins, int((track.end - self.start) / width) + 2)
            if last <= first:
                continue
            bottom, top = track.outline(edges[first : last + 1])
            low[first:last] = np.fmin(low[first:last], bottom)
            high[first:last] = np.fmax(high[first:last], top)
        return Outline(edges, low, high)

    def seconds(self, lane: Lane) -> float:
        """How much sound a lane has, over the whole log."""
        return float(sum(track.places[-1] - track.places[0] for track in self.tracks.get(lane, ()) if track))

    def rows(self) -> list[dict[str, Any]]:
        """Spans and points as plain rows, by time; a point has the same start and end."""
        rows = [asdict(span) for span in self.spans]
        for point in self.points:
            row = asdict(point)
            row["start"] = row["end"] = row.pop("time")
            rows.append({**row, "response_id": None})
        return sorted(rows, key=lambda row: (row["start"], row["index"]))

    def __repr__(self) -> str:
        return f"<Timeline: {self.start:.2f} to {self.end:.2f} s, {len(self.spans)} spans, {len(self.points)} points>"
