"""The timeline as a picture: lanes on one clock, and the four lengths of an interrupted answer.

May import the core; matplotlib is imported with this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

from rtnb.core.timeline import LANES, SOUND_LANES, Lane, Span, Timeline
from rtnb.core.timeline_item import ItemAccount

from .clip import WAVE_COLOUR
from .figures import GRID_COLOUR, TEXT_COLOUR, Picture, new_figure

__all__ = ["KIND_COLOURS", "LANE_COLOURS", "LANE_NAMES", "plot_item", "plot_timeline", "used_lanes"]

LANE_NAMES: Final[dict[Lane, str]] = {
    "you": "you",
    "speech": "speech detected",
    "response": "responses",
    "tools": "tools",
    "received": "audio received",
    "heard": "audio heard",
    "words": "words",
    "errors": "errors",
}
"""What the lanes are called."""

LANE_COLOURS: Final[dict[Lane, str]] = {
    "you": "#0d9488",
    "speech": "#0d9488",
    "response": "#16a34a",
    "tools": "#a855f7",
    "received": "#858585",
    "heard": WAVE_COLOUR,
    "words": TEXT_COLOUR,
    "errors": "#dc2626",
}
"""Mid-tones: at least 3:1 both to white and to JupyterLab's dark background."""

KIND_COLOURS: Final[dict[str, str]] = {
    "cancelled": "#d97706",
    "incomplete": "#d97706",
    "failed": "#dc2626",
    "in_progress": "#858585",
    "user": "#0d9488",
    "assistant": WAVE_COLOUR,
    "cut": "#dc2626",
}
"""Colours of what is not as its lane."""

_WIDTH: Final = 9.6  # inches
_HEIGHTS: Final[dict[Lane, float]] = {"you": 1.0, "received": 1.0, "heard": 1.0, "words": 1.0}
_FLAT: Final = 0.5
_BINS: Final = 1_600
_CHAR_INCHES: Final = 0.062  # of a letter at the size of the labels
_FONT: Final = 8
_MOST_LABELS: Final = 120


def plot_timeline(timeline: Timeline, *, title: str | None = None) -> Picture:
    """Draw a timeline; lanes in which nothing happened are left out."""
    lanes = used_lanes(timeline)
    heights = [_HEIGHTS.get(lane, _FLAT) for lane in lanes]
    figure, axes = new_figure(_WIDTH, 0.7 + 0.62 * sum(heights))
    axes.set_xlim(timeline.start, timeline.end)
    total = sum(heights)
    axes.set_ylim(0.0, total)
    at, middles = total, []
    for lane, height in zip(lanes, heights, strict=True):
        at -= height
        middles.append(at + height / 2)
        _draw_lane(axes, timeline, lane, at, height)
        axes.axhline(at, color=GRID_COLOUR, linewidth=0.6)
    axes.set_yticks(middles, [LANE_NAMES[lane] for lane in lanes])
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")
    _clock(axes, timeline.end - timeline.start)
    if title:
        axes.set_title(title, loc="left", parse_math=False, color=TEXT_COLOUR, fontsize=9)
    return figure


def used_lanes(timeline: Timeline) -> list[Lane]:
    """The lanes in which something happened, from above."""
    used = {span.lane for span in timeline.spans} | {point.lane for point in timeline.points}
    for lane in SOUND_LANES:
        tracks = [track for track in timeline.tracks.get(lane, ()) if track]
        if any(track.end >= timeline.start and track.start <= timeline.end for track in tracks):
            used.add(lane)
    return [lane for lane in LANES if lane in used] or ["response"]


def _draw_lane(axes: Axes, timeline: Timeline, lane: Lane, bottom: float, height: float) -> None:
    colour = LANE_COLOURS[lane]
    spans = [span for span in timeline.spans if span.lane == lane]
    if lane in SOUND_LANES:
        _draw_sound(axes, timeline, lane, bottom, height)
        for span in spans:
            if lane == "received":
                _arrived(axes, timeline, span, spans, bottom + height - 0.04)
            if span.kind == "clip":
                axes.plot(
                    [span.start, span.end], [bottom + 0.06] * 2, color=colour, linewidth=1.0, linestyle=(0, (2, 2))
                )
                words = f"{span.label} sent at once"
                axes.text(span.start, bottom + height - 0.04, words, va="top", color=TEXT_COLOUR, fontsize=_FONT - 1)
    elif lane == "words":
        rows = {"assistant": bottom + height * 0.27}
        _draw_bars(axes, timeline, spans, [rows.get(span.kind, bottom + height * 0.73) for span in spans], 0.4)
    else:
        _draw_bars(axes, timeline, spans, [bottom + height / 2] * len(spans), height * 0.8)
    _draw_points(axes, timeline, lane, bottom, height)


def _arrived(axes: Axes, timeline: Timeline, span: Span, spans: Sequence[Span], top: float) -> None:
    """How much sound came, beside where it came: it may have come within a pixel."""
    text = span.label.partition(" received")[0]
    per_second = (_WIDTH - 1.2) / (timeline.end - timeline.start)
    following = min((other.start for other in spans if other.start > span.start), default=timeline.end)
    if timeline.start <= span.end <= timeline.end and (following - span.end) * per_second > len(text) * _CHAR_INCHES:
        axes.text(span.end + 0.05 / per_second, top, text, va="top", color=TEXT_COLOUR, fontsize=_FONT)


def _draw_sound(axes: Axes, timeline: Timeline, lane: Lane, bottom: float, height: float) -> None:
    edges, low, high = timeline.outline(lane, _BINS)
    there = ~np.isnan(high)
    if not there.any():
        return
    peak = max(0.05, float(np.nanmax(np.abs([low, high]))))
    middle, reach = bottom + height / 2, height * 0.42
    # A thin line where it is silent, so that silence can be told from nothing.
    top = middle + np.maximum(np.where(there, high, 0.0) / peak * reach, 0.015)
    floor = middle + np.minimum(np.where(there, low, 0.0) / peak * reach, -0.015)
    pixels = (timeline.end - timeline.start) / _BINS
    quads = np.empty((int(there.sum()), 4, 2))
    left, right = edges[:-1][there], edges[1:][there] + pixels * 0.1
    quads[:, :, 0] = np.stack([left, left, right, right], axis=1)
    quads[:, :, 1] = np.stack([floor[there], top[there], top[there], floor[there]], axis=1)
    colour = LANE_COLOURS[lane]  # the thin edge keeps what is narrower than a point of the screen
    axes.add_collection(PolyCollection(list(quads), facecolors=colour, edgecolors=colour, linewidths=0.4))


def _draw_bars(axes: Axes, timeline: Timeline, spans: Sequence[Span], middles: Sequence[float], height: float) -> None:
    least = (timeline.end - timeline.start) / 500  # so much is seen of what was short
    by_colour: dict[str, list[list[tuple[float, float]]]] = {}
    for span, middle in zip(spans, middles, strict=True):
        colour = KIND_COLOURS.get(span.kind, LANE_COLOURS[span.lane])
        right = max(span.end, span.start + least)
        low, high = middle - height / 2, middle + height / 2
        quad = [(span.start, low), (span.start, high), (right, high), (right, low)]
        by_colour.setdefault(colour, []).append(quad)
    for colour, quads in by_colour.items():
        axes.add_collection(PolyCollection(quads, facecolors=colour, alpha=0.2, linewidths=0))
        edges = [[quad[0], quad[1]] for quad in quads]
        axes.add_collection(PolyCollection(edges, edgecolors=colour, facecolors="none", linewidths=1.6, closed=False))
    if len(spans) <= _MOST_LABELS:
        for number, (span, middle) in enumerate(zip(spans, middles, strict=True)):
            following = min(
                (
                    other.start
                    for other, at in zip(spans, middles, strict=True)
                    if at == middle and other.start > span.start
                ),
                default=timeline.end,
            )
            _label(axes, timeline, span, middle, following if number < len(spans) else timeline.end)


def _label(axes: Axes, timeline: Timeline, span: Span, middle: float, following: float) -> None:
    """Write as much as there is room for before the next one."""
    begin = max(span.start, timeline.start)
    per_second = (_WIDTH - 1.2) / (timeline.end - timeline.start)
    room = int((min(following, timeline.end) - begin) * per_second / _CHAR_INCHES) - 1
    text = " ".join((span.text if span.lane == "words" else span.label).split())
    if room < 2:
        return
    if len(text) > room:
        text = text[: room - 1].rstrip() + "…"
    axes.text(
        begin + 0.05 / per_second,
        middle,
        text,
        va="center",
        color=TEXT_COLOUR,
        fontsize=_FONT,
        parse_math=False,
        clip_on=True,
    )


def _draw_points(axes: Axes, timeline: Timeline, lane: Lane, bottom: float, height: float) -> None:
    points = [point for point in timeline.points if point.lane == lane]
    for point in points:
        colour = KIND_COLOURS.get(point.kind, LANE_COLOURS[lane])
        axes.plot([point.time] * 2, [bottom + 0.04, bottom + height - 0.04], color=colour, linewidth=1.8)
    if not points or len(points) > _MOST_LABELS:
        return
    per_second = (_WIDTH - 1.2) / (timeline.end - timeline.start)
    for point, following in zip(points, [*[p.time for p in points[1:]], timeline.end], strict=True):
        room = int((following - point.time) * per_second / _CHAR_INCHES) - 1
        is_right = room < len(point.label) and following == timeline.end
        if room < len(point.label) and not is_right and lane != "errors":
            continue
        text = point.label if is_right or lane != "errors" else point.label[: max(room, 3)]
        shift = (-0.05 if is_right else 0.05) / per_second
        axes.text(
            point.time + shift,
            bottom + (height / 2 if height == _FLAT else height - 0.04),
            text,
            va="center" if height == _FLAT else "top",
            ha="right" if is_right else "left",
            color=KIND_COLOURS.get(point.kind, TEXT_COLOUR if lane != "errors" else LANE_COLOURS[lane]),
            fontsize=_FONT,
            parse_math=False,
            clip_on=True,
        )


def _clock(axes: Axes, seconds: float) -> None:
    if seconds < 120:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=10, steps=[1, 2, 5, 10]))
        axes.set_xlabel("seconds since the session began", color=TEXT_COLOUR, fontsize=9)
        return
    step = next((step for step in (30, 60, 120, 300, 600, 900, 1_800) if seconds / step <= 9), 3_600)
    axes.xaxis.set_major_locator(MultipleLocator(step))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{int(value) // 60}:{int(value) % 60:02d}"))
    axes.set_xlabel("minutes:seconds since the session began", color=TEXT_COLOUR, fontsize=9)


# ---- one answer ------------------------------------------------------------------------------------------------------

_BARS: Final = (
    ("generated", "made by the model, and paid for", "#858585"),
    ("delivered", "came over the wire", "#858585"),
    ("heard", "left the loudspeaker", WAVE_COLOUR),
    ("kept", "the model believes to have said", "#16a34a"),
)


def plot_item(account: ItemAccount, *, title: str | None = None) -> Figure:
    """Draw what was generated, delivered, heard and kept of one answer, on the answer's own clock."""
    lengths = account.to_dict()
    end = max([value for value in lengths.values() if value is not None] + [0.1])
    figure, axes = new_figure(_WIDTH, 3.1)
    axes.set_xlim(0.0, end * 1.02)
    axes.set_ylim(0.0, 6.6)
    _draw_answer(axes, account, bottom=4.2, height=1.7)
    per_second = (_WIDTH - 1.2) / (end * 1.02)
    for row, (name, words, colour) in enumerate(_BARS):
        y, value = 3.3 - row, lengths[name]
        if value is not None:
            axes.barh(y, value, height=0.62, color=colour, alpha=0.2, linewidth=0)
            axes.plot([value] * 2, [y - 0.31, y + 0.31], color=colour, linewidth=2)
            text = f"{value:.1f} s: {words}"
        else:
            text = "not known"
        inside = value is not None and value * per_second > len(text) * _CHAR_INCHES + 0.2
        x = 0.06 / per_second if inside or value is None else value + 0.06 / per_second
        axes.text(x, y, text, va="center", color=TEXT_COLOUR, fontsize=_FONT)
    names = [name for name, _, _ in _BARS]
    axes.set_yticks([5.05, 3.3, 2.3, 1.3, 0.3], ["the answer", *names])
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")
    axes.set_ylim(-0.2, 6.6)
    if account.is_cut:
        axes.axvline(account.kept, color=KIND_COLOURS["cut"], linewidth=1.4, linestyle=(0, (4, 2)))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, steps=[1, 2, 5, 10]))
    axes.set_xlabel("seconds of the answer", color=TEXT_COLOUR, fontsize=9)
    if title:
        axes.set_title(title, loc="left", parse_math=False, color=TEXT_COLOUR, fontsize=9)
    return figure


def _draw_answer(axes: Axes, account: ItemAccount, bottom: float, height: float) -> None:
    edges = np.linspace(0.0, account.tape.seconds, _BINS + 1)
    low, high = account.tape.outline(edges)
    peak = max(0.05, float(np.nanmax(np.abs([low, high]), initial=0.0)))
    middle, reach = bottom + height / 2, height / 2
    is_kept = edges[:-1] < account.kept
    for part, colour in ((is_kept, WAVE_COLOUR), (~is_kept, "#858585")):
        if part.any():
            axes.fill_between(
                edges[:-1],
                np.where(part, middle + np.nan_to_num(low) / peak * reach, np.nan),
                np.where(part, middle + np.nan_to_num(high) / peak * reach, np.nan),
                color=colour,
                linewidth=0.3,
            )
    axes_end = axes.get_xlim()[1]
    per_second = (_WIDTH - 1.2) / axes_end
    if account.heard_words:
        room = int(account.kept * per_second / _CHAR_INCHES)
        text = account.heard_words.strip()
        text = text if len(text) <= room else "…" + text[len(text) - max(room - 1, 8) :].lstrip()
        axes.text(account.kept, 6.1, text, va="bottom", ha="right", color=WAVE_COLOUR, fontsize=_FONT, parse_math=False)
    if account.unheard_words:
        room = int((axes_end - account.kept) * per_second / _CHAR_INCHES) - 2
        text = account.unheard_words.strip()
        text = text if len(text) <= room else text[: max(room - 1, 3)].rstrip() + "…"
        x = account.kept + 0.05 / per_second
        axes.text(x, 6.1, text, va="bottom", color=TEXT_COLOUR, fontsize=_FONT, style="italic", parse_math=False)
