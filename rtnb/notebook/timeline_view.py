"""`TimelineView`: the timeline to zoom, hover and click in.

The page draws by itself (``timeline_view.js``, where the table of messages stands); the kernel is asked for finer
outlines and for the JSON of an event. The view shows what had happened when it was made, or refreshed. A saved notebook
keeps the picture of it.

Imports the core and its neighbours; anywidget with this module.
"""

from __future__ import annotations

import base64
import json
import pathlib
from typing import Any, Final

import anywidget
import numpy as np
import traitlets

from rtnb.core import recording
from rtnb.core.explain import explain
from rtnb.core.timeline import LANES, SOUND_LANES, Timeline
from rtnb.core.timeline_tape import Outline
from rtnb.notebook.modules import joined
from rtnb.notebook.timeline import log_of, timeline_of
from rtnb.notebook.timeline_figure import KIND_COLOURS, LANE_COLOURS, LANE_NAMES, plot_timeline, used_lanes

__all__ = ["TimelineView"]

_BINS: Final = 2_000
_MOST_BINS: Final = 8_000
_MOST_CHARS: Final = 20_000
_NONE: Final = -128


class TimelineView(anywidget.AnyWidget):  # type: ignore[misc]  # no types there
    """A timeline to look around in.

    Parameters
    ----------
    source
        A session, a recording, or a log.
    timeline
        The part of it that is shown.
    title
        Text above it.

    Attributes
    ----------
    selected : int
        The event that was clicked last: its place in the log; -1: none. May be observed.
    timeline : Timeline
        What is shown.
    """

    _esm = joined(pathlib.Path(__file__).with_suffix(".js"))
    data = traitlets.Dict().tag(sync=True)
    title = traitlets.Unicode("").tag(sync=True)
    selected = traitlets.Int(-1).tag(sync=True)

    def __init__(self, source: Any, timeline: Timeline, *, title: str | None = None) -> None:
        self.timeline = timeline
        self._source = source
        super().__init__(data=_data(timeline), title=title or "")
        self.on_msg(self._on_message)

    def refresh(self) -> None:
        """Read what has happened since; what was shown to its end is shown to the new end."""
        whole = timeline_of(self._source)
        self.timeline = whole.between(min(self.timeline.start, whole.start), whole.end)
        self.data = _data(self.timeline)

    def _on_message(self, _: Any, content: Any, buffers: Any = None) -> None:
        kind = content.get("kind") if isinstance(content, dict) else None
        if kind == "refresh":
            self.refresh()
        elif kind == "event":
            self._send_event(content.get("index"))
        elif kind == "outline":
            self._send_outline(content)

    def _send_event(self, index: object) -> None:
        log = log_of(self._source)
        if not isinstance(index, int) or not 0 <= index < len(log):
            return
        entry = log[index]
        text = json.dumps(recording.scrubbed(recording.shown(entry.event)), indent=2, ensure_ascii=False, default=str)
        if len(text) > _MOST_CHARS:
            text = text[:_MOST_CHARS] + f"\n… {len(text) - _MOST_CHARS:,} characters more"
        title = f"event {index}: {entry.name}, from the {entry.direction}, at {entry.time:.3f} s"
        self.send({"kind": "event", "index": index, "title": title, "what": _explained(entry.event), "json": text})

    def _send_outline(self, content: dict[str, Any]) -> None:
        try:
            part = self.timeline.between(float(content["start"]), float(content["end"]))
            bins = min(max(int(content["bins"]), 10), _MOST_BINS)
        except (KeyError, TypeError, ValueError):
            return  # a page that asks for nonsense keeps what it has
        self.send({"kind": "outline", **_sound(part, bins)})

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """The live view; and the picture, for where no kernel is."""
        bundle = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle or {}, {})
        png = plot_timeline(self.timeline, title=self.title or None)._repr_png_()
        return {**data, "image/png": base64.b64encode(png).decode("ascii"), "text/plain": repr(self)}, metadata

    def __repr__(self) -> str:
        return f"<TimelineView: {self.timeline!r}>".replace("<Timeline: ", "").replace(">>", ">")


def _data(timeline: Timeline) -> dict[str, Any]:
    marks = []
    for row in timeline.rows():
        lane, kind = row["lane"], row["kind"]
        marks.append(
            {
                "lane": lane,
                "start": round(row["start"], 4),
                "end": round(row["end"], 4),
                "kind": kind,
                "label": recording.scrubbed(row["label"]),
                "text": recording.scrubbed(row["text"])[:400],
                "index": row["index"],
                "colour": KIND_COLOURS.get(kind, LANE_COLOURS[lane]),
                "row": int(lane == "words" and kind == "assistant"),
            }
        )
    return {
        "start": timeline.start,
        "end": timeline.end,
        "lanes": used_lanes(timeline),
        "names": {lane: LANE_NAMES[lane] for lane in LANES},
        "colours": {lane: LANE_COLOURS[lane] for lane in SOUND_LANES},
        "marks": marks,
        "sound": _sound(timeline, _BINS),
    }


def _sound(timeline: Timeline, bins: int) -> dict[str, Any]:
    lanes = {}
    for lane in SOUND_LANES:
        outline = timeline.outline(lane, bins)
        if not np.isnan(outline.high).all():
            lanes[lane] = _packed(outline, _peak(timeline, lane))
    return {"start": timeline.start, "end": timeline.end, "lanes": lanes}


def _peak(timeline: Timeline, lane: Any) -> float:
    """The loudest of the whole lane, so that a closer look keeps its measure."""
    peaks = [track.tape.peak for track in timeline.tracks.get(lane, ())]
    return max([0.05, *peaks])


def _packed(outline: Outline, peak: float) -> list[str]:
    """Lowest and highest as signed bytes, -127 to 127 of the peak, -128 where there is nothing."""
    packed = []
    for values in (outline.low, outline.high):
        scaled = np.clip(np.nan_to_num(values) / peak * 127, -127, 127).round()
        packed.append(base64.b64encode(np.where(np.isnan(values), _NONE, scaled).astype(np.int8).tobytes()).decode())
    return packed


def _explained(event: Any) -> str:
    told = explain(event)
    parts = (("", told.what), ("Why: ", told.cause), ("What to do: ", told.fix))
    return "\n".join(f"{label}{text}" for label, text in parts if text)
