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
from rtnb.core.timeline_tape import Sent, Tape, Track, heard_track

__all__ = ["TimelineMeter", "timeline"]

_LABEL_CHARS: Final = 60
_RATE: Final = 24_000  # of the reports of a loudspeaker


class _Item:
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


class _Response:
    __slots__ = ("index", "reason", "start", "status", "stop")

    def __init__(self, index: int, start: float) -> None:
        self.index, self.start, self.stop, self.status, self.reason = index, start, -1.0, "in_progress", ""


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
        self._items: dict[str, _Item] = {}
        self._responses: dict[str, _Response] = {}
        self._calls: dict[str, _Item] = {}  # by call_id
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
                received.append(Track(item.tape, _arrivals(item)))
                if track := heard_track(item.tape, reports.get(item_id, ())):
                    played[item_id] = track
        end = max([self._end, *(track.end for track in played.values())])
        spans: list[Span] = [self._response_span(*pair, end) for pair in self._responses.items()]
        points = list(self._points)
        for item_id, item in self._items.items():
            spans += self._item_spans(item_id, item, mics, played.get(item_id), end)
            if item.cut is not None:
                points.append(_cut_point(item_id, item, played.get(item_id)))
        for sent, _, index in self._mics:
            spans += _clip_spans(sent, index)
        spans.sort(key=lambda span: (span.start, span.index))
        points.sort(key=lambda point: (point.time, point.index))
        tracks: dict[Lane, list[Track]] = {
            "you": [*mics, self._asked.track()],
            "received": received,
            "heard": list(played.values()),
        }
        length = max([end, *(span.end for span in spans)])
        return Timeline(0.0, max(length, 1e-3), length, spans, points, tracks)

    # ---- from what is remembered to spans

    @staticmethod
    def _response_span(response_id: str, response: _Response, end: float) -> Span:
        words = response.status + (f" ({response.reason})" if response.reason else "")
        stop = response.stop if response.stop >= 0 else end
        return Span(
            "response", response.start, stop, response.status, response.status, words, response.index, None, response_id
        )

    def _item_spans(self, item_id: str, item: _Item, mics: list[Track], played: Track | None, end: float) -> list[Span]:
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
        elif item_id in self._asked_at:
            spoken = self._asked_at[item_id]
            spans.append(
                Span("you", *spoken, "clip", f"{spoken[1] - spoken[0]:.1f} s", _SENT_AT_ONCE, item.index, item_id)
            )
        if item.call is not None:
            spans.append(_call_span(item_id, item, end))
            return spans
        text = item.text or "".join(item.pieces)
        if text:
            where = spoken or ((played.start, played.end) if played is not None else (item.first, item.last))
            spans.append(Span("words", *where, item.role, _brief(text), text, item.index, item_id, item.response_id))
        if item.tape is not None:
            words = f"{item.tape.seconds:.1f} s received"
            received = item.arrived[0][0], item.arrived[-1][0]
            spans.append(Span("received", *received, "audio", words, words, item.index, item_id, item.response_id))
            if played is not None:
                seconds = float(played.places[-1])
                words = f"{seconds:.1f} s heard"
                spans.append(
                    Span(
                        "heard", played.start, played.end, "audio", words, words, item.index, item_id, item.response_id
                    )
                )
        return spans

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
        if role not in ("user", "assistant", "system") or not isinstance(item_id, str):
            return
        item = self._items.setdefault(item_id, _Item(str(role), entry.index, entry.time))
        for part in described.get("content") or ():
            part = _mapping(part)
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
            self._responses.setdefault(response_id, _Response(entry.index, entry.time))

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
            self._points.append(Point("errors", entry.time, "failed", _brief(words), words, entry.index))

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
        item = self._items.setdefault(item_id, _Item("tool", entry.index, entry.time))
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
        self._point("errors", str(detail.get("code") or "error"), _brief(words), words, event, entry)

    def _item(self, event: Mapping[str, Any], entry: Entry, role: str) -> _Item | None:
        item_id = event.get("item_id")
        if not isinstance(item_id, str):
            return None
        item = self._items.get(item_id)
        if item is None:
            item = self._items[item_id] = _Item(role, entry.index, entry.time)
        if item.response_id is None:
            item.response_id = _string(event.get("response_id"))
        return item

    def _point(self, lane: Lane, kind: str, label: str, text: str, event: Mapping[str, Any], entry: Entry) -> None:
        self._points.append(Point(lane, entry.time, kind, label, text, entry.index, _string(event.get("item_id"))))


_SENT_AT_ONCE: Final = "sent at once, and drawn over its own length"


def _arrivals(item: _Item) -> list[tuple[float, float]]:
    """When how much had come: each piece from the moment at which it came to the next piece, at most its own length."""
    knots: list[tuple[float, float]] = []
    pairs = item.arrived
    for number in range(0, len(pairs), 2):
        (time, before), (_, after) = pairs[number], pairs[number + 1]
        following = pairs[number + 2][0] if number + 2 < len(pairs) else time
        knots += [(time, before), (min(following, time + after - before), after)]
    return knots


def _clip_spans(sent: Sent, index: int) -> list[Span]:
    return [
        Span("you", start, end, "clip", f"{length:.1f} s", _SENT_AT_ONCE, index) for start, end, length in sent.clips
    ]


def _call_span(item_id: str, item: _Item, end: float) -> Span:
    assert item.call is not None
    name, start, index = item.call
    if item.output is None:
        return Span("tools", start, end, "in_progress", name, f"{name}({item.text})", index, item_id, item.response_id)
    output, stop = item.output
    words = f"{name}({item.text}) → {output}"
    return Span("tools", start, max(start, stop), "completed", name, words, index, item_id, item.response_id)


def _cut_point(item_id: str, item: _Item, played: Track | None) -> Point:
    assert item.cut is not None
    place, time, index = item.cut
    of = f" of {item.tape.seconds:.1f} s" if item.tape is not None else ""
    at = min(time, played.time_at(place)) if played is not None else time
    return Point(
        "heard", at, "cut", f"cut at {place:.1f} s", f"the answer was cut at {place:.2f} s{of}", index, item_id
    )


def _brief(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LABEL_CHARS else text[: _LABEL_CHARS - 1] + "…"


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
