"""How long the answers took: distances between the events of a turn, from the log.

A turn is what the user did and the response to it; when the model called tools, with the responses that followed their
outputs. All its distances begin at the same moment, the one at which the user had done their part::

    speech (speech detector)   speech_stopped came
    speech (sent by hand)      input_audio_buffer.commit was sent
    text, picture              the last conversation.item.create before the response.create was sent
    tool output, of no turn    the same: the output of a call that this log does not have
    nothing of these           response.create was sent

``speech_stopped`` itself comes after the silence that the detector waits for (``silence_duration_ms``). Each name is
explained for readers in ``docs/latency.md``.

Imports `rtnb.core.log`, `rtnb.core.tokens` and `rtnb.core.turn`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

from rtnb.core.log import Entry
from rtnb.core.tokens import Usage
from rtnb.core.turn import Kind, Latency, Spread, Turn, percentile, spread

__all__ = ["Latency", "LatencyMeter", "Spread", "Turn", "percentile", "spread", "turns"]

_NOTHING: Final = Usage()


class _Cause:
    """What called, or may call, for a response. A commit may be confirmed after the response was asked for."""

    __slots__ = ("committed", "course", "entry", "item_id", "kind")

    def __init__(self, kind: Kind, entry: Entry, item_id: str | None = None, *, course: _Course | None = None) -> None:
        self.kind = kind
        self.entry = entry
        self.item_id = item_id
        self.committed: float | None = None
        self.course = course  # that it goes on with


class _Course:
    """A turn while it is being followed. Times are those of the log."""

    __slots__ = (
        "asked",
        "calls",
        "cause",
        "created",
        "done",
        "first_audio",
        "first_text",
        "items",
        "last_index",
        "n_calls",
        "out_of_band",
        "responses",
        "status",
        "tools",
        "usage",
    )

    def __init__(self, cause: _Cause, asked: Entry | None, created: Entry, *, out_of_band: bool) -> None:
        self.cause = cause
        self.asked = asked  # the response.create; None when the server began by itself
        self.created = created.time
        self.responses: list[str] = []
        self.calls: set[str] = set()  # that wait for their output
        self.n_calls = 0
        self.tools: float | None = None  # seconds
        self.usage = _NOTHING
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
        self._turns: list[_Course] = []
        self._courses: dict[str, _Course] = {}  # by response
        self._calls: dict[str, _Course] = {}  # by call
        self._items: set[str] = set()  # that the server has, or was sent
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

    def turns(
        self, heard: Mapping[str, float] | None = None, *, asked: Mapping[str, float] | None = None
    ) -> list[Turn]:
        """The turns so far, in the order in which their first responses were created.

        Parameters
        ----------
        heard
            For each item the time, in seconds of the log, at which its first sound was heard.
        asked
            For the ``event_id`` of a ``response.create`` the time at which it was called for, before it was sent.
        """
        return [_turn(course, heard or {}, asked or {}) for course in self._turns]

    def _client(self, name: str, event: Mapping[str, Any], entry: Entry) -> None:
        if name == "conversation.item.create":
            self._item_sent(_mapping(event.get("item")), entry)
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

    def _item_sent(self, item: Mapping[str, Any], entry: Entry) -> None:
        item_id = _text(item.get("id"))
        if item_id is not None:
            if item_id in self._items:
                return  # put back into a new connection: nobody said it again
            self._items.add(item_id)
        kind = item.get("type")
        if kind == "function_call_output":
            self._asked = self._answered(_text(item.get("call_id")), entry, item_id)
        elif item.get("role") == "assistant" or kind == "function_call":
            if self._asked is not None and self._asked.kind != "speech":
                self._asked = None  # a history: what was asked before has this for an answer
        else:
            self._asked = _Cause("text", entry, item_id)

    def _answered(self, call_id: str | None, entry: Entry, item_id: str | None) -> _Cause:
        """The output of a call was sent."""
        course = self._calls.get(call_id or "")
        if course is not None and call_id in course.calls:
            course.calls.discard(call_id)
            if not course.calls and course.done is not None:
                course.tools = (course.tools or 0.0) + max(entry.time - course.done, 0.0)
        return _Cause("tool", entry, item_id, course=course)

    def _server(self, name: str, event: Mapping[str, Any], entry: Entry) -> None:
        if name == "response.created":
            self._created(event, entry)
        elif name == "response.done":
            self._done(event, entry)
        elif name == "conversation.item.added":
            item_id = _text(_mapping(event.get("item")).get("id"))
            if item_id is not None:
                self._items.add(item_id)
        elif name == "session.created":
            self._connected(entry)
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

    def _connected(self, entry: Entry) -> None:
        """A connection was opened: what the one before did not answer may be asked again, and goes on as one turn."""
        if self._asked is None and self._pending:
            self._asked = self._pending[-1][0]
        open_turns = [course for course in self._turns if course.done is None and not course.out_of_band]
        if self._asked is None and open_turns:
            self._asked = _Cause(open_turns[-1].cause.kind, entry, course=open_turns[-1])
        self._pending.clear()
        self._pending_aside.clear()

    def _created(self, event: Mapping[str, Any], entry: Entry) -> None:
        response = _mapping(event.get("response"))
        response_id = _text(response.get("id"))
        if response_id is None or response_id in self._courses:
            return
        aside = "conversation_id" in response and response["conversation_id"] is None
        waiting = self._pending_aside if aside and self._pending_aside else self._pending
        asked: Entry | None = None
        if waiting:
            cause, asked = waiting.popleft()
        else:  # the server's own: the detector heard the end of speech
            cause, self._asked = self._asked or _Cause("other", entry), None
        course = cause.course
        if course is None:
            course = _Course(cause, asked, entry, out_of_band=aside)
            self._turns.append(course)
        else:
            course.done = None
            course.status = "in_progress"
            course.last_index = entry.index
        course.responses.append(response_id)
        self._courses[response_id] = course

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
        response_id = _text(response.get("id")) or ""
        course = self._courses.get(response_id)
        if course is None or course.done is not None or course.responses[-1] != response_id:
            return
        course.done = entry.time
        course.last_index = entry.index
        course.status = _text(response.get("status")) or "completed"
        course.usage += Usage.of(response.get("usage"))
        output = response.get("output")
        for item in output if isinstance(output, list) else ():
            call_id = _text(_mapping(item).get("call_id"))
            if call_id is not None and item.get("type") == "function_call":
                course.n_calls += 1
                course.calls.add(call_id)
                self._calls[call_id] = course

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


def _turn(course: _Course, heard: Mapping[str, float], asked: Mapping[str, float]) -> Turn:
    start = course.cause.entry.time

    def ms(time: float | None, since: float = start) -> float | None:
        return None if time is None else round((time - since) * 1000, 3)

    first_heard = min((heard[item] for item in course.items if item in heard), default=None)
    request = course.asked
    wanted = None if request is None else asked.get(_text(request.event.get("event_id")) or "")
    latency = Latency(
        committed=ms(course.cause.committed),
        created=ms(course.created),
        first_text=ms(course.first_text),
        first_audio=ms(course.first_audio),
        first_heard=ms(first_heard),
        done=ms(course.done),
        tools=None if course.tools is None else round(course.tools * 1000, 3),
        browser_queue=None if course.first_audio is None else ms(first_heard, course.first_audio),
        kernel_queue=None if wanted is None or request is None else ms(request.time, wanted),
    )
    return Turn(
        response_id=course.responses[0],
        kind=course.cause.kind,
        begin=course.cause.entry.name,
        start=start,
        item_id=course.cause.item_id,
        status=course.status,
        out_of_band=course.out_of_band,
        first_index=course.cause.entry.index,
        last_index=course.last_index,
        latency=latency,
        responses=tuple(course.responses),
        tool_calls=course.n_calls,
        usage=course.usage,
    )


def turns(
    log: Iterable[Entry], *, heard: Mapping[str, float] | None = None, asked: Mapping[str, float] | None = None
) -> list[Turn]:
    """The turns of a log, in the order in which their first responses were created.

    Parameters
    ----------
    log
        A log, or part of one.
    heard
        For each item the time, in seconds of the log, at which its first sound was heard.
    asked
        For the ``event_id`` of a ``response.create`` the time at which it was called for, before it was sent.
    """
    meter = LatencyMeter()
    for entry in log:
        meter.push(entry)
    return meter.turns(heard, asked=asked)


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
        "conversation.item.added",
        "session.created",
    }
)
