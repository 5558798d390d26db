"""From a log to a `Timeline`: follows a session entry by entry, and remembers times and outlines only.

What an entry costs does not depend on how many there were; so a long session is drawn at once when its meter has kept
up with it. Client events count as what they are: what was sent.

Imports its neighbours in `rtnb.core`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from rtnb.core.log import Entry
from rtnb.core.timeline import Lane, Point, Span, Timeline
from rtnb.core.timeline_spans import (
    ItemCourse,
    ResponseCourse,
    arrivals,
    brief,
    clip_spans,
    cut_point,
    item_spans,
    response_span,
)
from rtnb.core.timeline_tape import Sent, Tape, Track, heard_track

__all__ = ["TimelineMeter", "timeline"]

_RATE: Final = 24_000  # of the reports of a loudspeaker


class TimelineMeter:
    """Follows a session.

    Examples
    --------
    >>> meter = TimelineMeter()
    >>> for time, name in [(1.0, "response.created"), (1.5, "response.done")]:
    ...     meter.push(Entry(0, time, "server", {"type": name, "response": {"id": "resp_1", "status": "completed"}}))
    >>> [(span.lane, span.start, span.end) for span in meter.result().spans]
    [('response', 1.0, 1.5)]
    """

    def __init__(self) -> None:
        self._end = 0.0
        self._items: dict[str, ItemCourse] = {}
        self._responses: dict[str, ResponseCourse] = {}
        self._calls: dict[str, ItemCourse] = {}  # by call_id
        self._points: list[Point] = []
        self._mics: list[tuple[Sent, float, int]] = []  # sound, its place on the server's clock, first event
        self._asked = Sent()  # sound in messages
        self._asked_at: dict[str, tuple[float, float]] = {}
        self._boundary = 0.0  # seconds of the microphone that were committed or cleared
        self._formats: dict[str, str] = {"input": "audio/pcm", "output": "audio/pcm"}

    def push(self, entry: Entry) -> None:
        """Take the next entry of the log."""
        event: Any = entry.event
        try:
            handler = (_CLIENT if entry.direction == "client" else _SERVER).get(event["type"])
        except (KeyError, TypeError):  # no name, or one that is none
            handler = None
        if entry.time > self._end:
            self._end = entry.time
        if handler is not None:
            handler(self, event, entry)

    def result(self, heard: Iterable[tuple[float, str, int, bool]] = ()) -> Timeline:
        """All so far.

        Parameters
        ----------
        heard
            Reports of the loudspeaker: time, item, samples (24 kHz) of it heard by then, whether it is the last.
        """
        reports: dict[str, list[tuple[float, float]]] = {}
        for time, item_id, samples, _ in heard:
            reports.setdefault(item_id, []).append((time, samples / _RATE))
        mics = [sent.track() for sent, _, _ in self._mics]
        received: list[Track] = []
        played: dict[str, Track] = {}
        for item_id, item in self._items.items():
            if item.tape is not None:
                received.append(Track(item.tape, arrivals(item)))
                if track := heard_track(item.tape, reports.get(item_id, ())):
                    played[item_id] = track
        end = max([self._end, *(track.end for track in played.values())])
        spans: list[Span] = [response_span(*pair, end) for pair in self._responses.items()]
        points = list(self._points)
        for item_id, item in self._items.items():
            spans += item_spans(item_id, item, mics, played.get(item_id), self._asked_at.get(item_id), end)
            if item.cut is not None:
                points.append(cut_point(item_id, item, played.get(item_id)))
        for sent, _, index in self._mics:
            spans += clip_spans(sent, index)
        spans.sort(key=lambda span: (span.start, span.index))
        points.sort(key=lambda point: (point.time, point.index))
        tracks: dict[Lane, list[Track]] = {
            "you": [*mics, self._asked.track()],
            "received": received,
            "heard": list(played.values()),
        }
        length = max([end, *(span.end for span in spans)])
        return Timeline(0.0, max(length, 1e-3), length, spans, points, tracks)

    # ---- what the client sends

    def _appended(self, event: Mapping[str, Any], entry: Entry) -> None:
        audio = event.get("audio")
        if isinstance(audio, str):
            if not self._mics:
                self._new_mic(entry.index)
            self._mics[-1][0].push(audio, entry.time)

    def _new_mic(self, index: int, position: float = 0.0) -> None:
        self._mics.append((Sent(self._formats["input"]), position, index))
        self._boundary = 0.0

    def _created_by_client(self, event: Mapping[str, Any], entry: Entry) -> None:
        described = _mapping(event.get("item"))
        if described.get("type") == "function_call_output":
            call = self._calls.get(str(described.get("call_id")))
            if call is not None and call.output is None:
                call.output = str(described.get("output") or ""), entry.time
            return
        role = described.get("role")
        item_id = described.get("id")
        if role not in ("user", "assistant", "system") or not isinstance(item_id, str) or item_id in self._items:
            return  # one that is known was given back to a new connection
        item = self._items[item_id] = ItemCourse(str(role), entry.index, entry.time)
        content = described.get("content")
        for part in map(_mapping, content if isinstance(content, list) else ()):
            if isinstance(audio := part.get("audio"), str):
                length = self._asked.push(audio, entry.time)
                self._asked_at[item_id] = entry.time, entry.time + length
            words = part.get("text") or part.get("transcript")
            if isinstance(words, str):
                item.text += words

    def _cancelled(self, event: Mapping[str, Any], entry: Entry) -> None:
        self._points.append(Point("response", entry.time, "cancel", "cancel", "response.cancel was sent", entry.index))

    # ---- what the server sends

    def _session(self, event: Mapping[str, Any], entry: Entry) -> None:
        settings = _mapping(_mapping(event.get("session")).get("audio"))
        before = self._formats["input"]
        for side in ("input", "output"):
            named = _mapping(_mapping(settings.get(side)).get("format")).get("type")
            if isinstance(named, str):
                self._formats[side] = named
        if event.get("type") == "session.created" and self._mics:
            self._new_mic(entry.index)
        elif self._mics and self._formats["input"] != before:
            sent, position, _ = self._mics[-1]
            self._new_mic(entry.index, position + sent.tape.seconds)

    def _place(self, ms: object) -> float | None:
        """Seconds of the present microphone, of a place on the server's clock of all that was sent."""
        if not isinstance(ms, (int, float)) or isinstance(ms, bool):
            return None
        return max(0.0, ms / 1000 - (self._mics[-1][1] if self._mics else 0.0))

    def _speech_started(self, event: Mapping[str, Any], entry: Entry) -> None:
        item = self._item(event, entry, "user")
        if item is not None:
            item.mic, item.index, item.first = len(self._mics) - 1, entry.index, entry.time
            item.speech[0] = self._place(event.get("audio_start_ms"))

    def _speech_stopped(self, event: Mapping[str, Any], entry: Entry) -> None:
        item = self._item(event, entry, "user")
        if item is not None:
            item.last = entry.time
            item.speech[1] = self._place(event.get("audio_end_ms"))

    def _committed(self, event: Mapping[str, Any], entry: Entry) -> None:
        item = self._item(event, entry, "user")
        place = self._mics[-1][0].tape.seconds if self._mics else 0.0
        if item is not None:
            item.mic = len(self._mics) - 1
            if item.speech[0] is None:
                item.committed = self._boundary, place
        self._boundary = place
        self._point("speech", "commit", "committed", "the input buffer became an item", event, entry)

    def _cleared(self, event: Mapping[str, Any], entry: Entry) -> None:
        self._boundary = self._mics[-1][0].tape.seconds if self._mics else 0.0
        self._point("speech", "clear", "cleared", "the input buffer was emptied", event, entry)

    def _timeout(self, event: Mapping[str, Any], entry: Entry) -> None:
        self._point("speech", "timeout", "nobody spoke", "idle_timeout_ms went by in silence", event, entry)

    def _transcribed(self, event: Mapping[str, Any], entry: Entry) -> None:
        item = self._item(event, entry, "user")
        if item is not None and isinstance(event.get("transcript"), str):
            item.text = event["transcript"]
            item.index = entry.index

    def _not_transcribed(self, event: Mapping[str, Any], entry: Entry) -> None:
        self._error(event, entry)

    def _response_created(self, event: Mapping[str, Any], entry: Entry) -> None:
        response_id = _mapping(event.get("response")).get("id")
        if isinstance(response_id, str):
            self._responses.setdefault(response_id, ResponseCourse(entry.index, entry.time))

    def _response_done(self, event: Mapping[str, Any], entry: Entry) -> None:
        described = _mapping(event.get("response"))
        response = self._responses.get(str(described.get("id")))
        if response is None or response.stop >= 0:
            return
        response.stop, response.index = entry.time, entry.index
        response.status = str(described.get("status") or "completed")
        details = _mapping(described.get("status_details"))
        error = details.get("error")
        response.reason = str(details.get("reason") or (_mapping(error).get("message") if error else "") or "")
        if response.status == "failed":
            words = response.reason or "the response failed"
            self._points.append(Point("errors", entry.time, "failed", brief(words), words, entry.index))

    def _audio(self, event: Mapping[str, Any], entry: Entry) -> None:
        item = self._item(event, entry, "assistant")
        delta = event.get("delta")
        if item is None or not isinstance(delta, str):
            return
        if item.tape is None:
            item.tape = Tape(self._formats["output"])
        before = item.tape.seconds
        item.tape.push(delta)
        item.arrived += [(entry.time, before), (entry.time, item.tape.seconds)]
        item.last = entry.time

    def _text(self, event: Mapping[str, Any], entry: Entry) -> None:
        item = self._item(event, entry, "assistant")
        if item is not None and isinstance(event.get("delta"), str):
            item.pieces.append(event["delta"])
            item.last = entry.time

    def _text_done(self, event: Mapping[str, Any], entry: Entry) -> None:
        item = self._item(event, entry, "assistant")
        if item is not None:
            item.index = entry.index

    def _output_item(self, event: Mapping[str, Any], entry: Entry) -> None:
        described = _mapping(event.get("item"))
        item_id, kind = described.get("id"), described.get("type")
        if not isinstance(item_id, str) or kind not in ("function_call", "mcp_call"):
            return
        item = self._items.setdefault(item_id, ItemCourse("tool", entry.index, entry.time))
        item.response_id = _string(event.get("response_id"))
        is_done = event.get("type") == "response.output_item.done"
        if kind == "mcp_call":  # the server runs it
            name = item.call[0] if item.call else str(described.get("name") or "")
            item.call = name, item.call[1] if item.call else entry.time, entry.index
            if is_done:
                item.output = str(described.get("output") or described.get("error") or ""), entry.time
        elif is_done and item.call is None:
            item.call = str(described.get("name") or ""), entry.time, entry.index
            item.text = str(described.get("arguments") or "")
            item.index = entry.index
            if described.get("status") == "incomplete":  # nobody runs it
                item.output = "", entry.time
            else:
                self._calls[str(described.get("call_id"))] = item

    def _truncated(self, event: Mapping[str, Any], entry: Entry) -> None:
        item = self._items.get(str(event.get("item_id")))
        ms = event.get("audio_end_ms")
        if item is not None and isinstance(ms, (int, float)):
            item.cut = ms / 1000, entry.time, entry.index

    def _error(self, event: Mapping[str, Any], entry: Entry) -> None:
        detail = _mapping(event.get("error"))
        words = str(detail.get("message") or detail.get("code") or "an error")
        self._point("errors", str(detail.get("code") or "error"), brief(words), words, event, entry)

    def _item(self, event: Mapping[str, Any], entry: Entry, role: str) -> ItemCourse | None:
        item_id = event.get("item_id")
        if not isinstance(item_id, str):
            return None
        item = self._items.get(item_id)
        if item is None:
            item = self._items[item_id] = ItemCourse(role, entry.index, entry.time)
        if item.response_id is None:
            item.response_id = _string(event.get("response_id"))
        return item

    def _point(self, lane: Lane, kind: str, label: str, text: str, event: Mapping[str, Any], entry: Entry) -> None:
        self._points.append(Point(lane, entry.time, kind, label, text, entry.index, _string(event.get("item_id"))))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _string(value: object) -> str | None:
    return value if isinstance(value, str) else None


_Handler = Callable[[TimelineMeter, Mapping[str, Any], Entry], None]

_CLIENT: Final[Mapping[str, _Handler]] = {
    "input_audio_buffer.append": TimelineMeter._appended,
    "conversation.item.create": TimelineMeter._created_by_client,
    "response.cancel": TimelineMeter._cancelled,
}

_SERVER: Final[Mapping[str, _Handler]] = {
    "session.created": TimelineMeter._session,
    "session.updated": TimelineMeter._session,
    "input_audio_buffer.speech_started": TimelineMeter._speech_started,
    "input_audio_buffer.speech_stopped": TimelineMeter._speech_stopped,
    "input_audio_buffer.committed": TimelineMeter._committed,
    "input_audio_buffer.cleared": TimelineMeter._cleared,
    "input_audio_buffer.timeout_triggered": TimelineMeter._timeout,
    "conversation.item.input_audio_transcription.completed": TimelineMeter._transcribed,
    "conversation.item.input_audio_transcription.failed": TimelineMeter._not_transcribed,
    "response.created": TimelineMeter._response_created,
    "response.done": TimelineMeter._response_done,
    "response.output_audio.delta": TimelineMeter._audio,
    "response.output_audio_transcript.delta": TimelineMeter._text,
    "response.output_text.delta": TimelineMeter._text,
    "response.output_audio_transcript.done": TimelineMeter._text_done,
    "response.output_text.done": TimelineMeter._text_done,
    "response.output_item.added": TimelineMeter._output_item,
    "response.output_item.done": TimelineMeter._output_item,
    "conversation.item.truncated": TimelineMeter._truncated,
    "error": TimelineMeter._error,
}


def timeline(log: Iterable[Entry], heard: Iterable[tuple[float, str, int, bool]] = ()) -> Timeline:
    """Read a log, and the reports of a loudspeaker, into a `Timeline`.

    Parameters
    ----------
    log
        A log; of a part of one only that part is known.
    heard
        As `rtnb.Session.heard` gives it.
    """
    meter = TimelineMeter()
    for entry in log:
        meter.push(entry)
    return meter.result(heard)
