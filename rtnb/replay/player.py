"""One client of a replay: its events are matched with the recorded ones, and what is due is given out.

Pure: the clock is passed in, in seconds. Imports `rtnb.core` and its neighbours in `rtnb.replay`.
"""

from __future__ import annotations

import heapq
from collections import deque
from typing import Any, Final

from rtnb.core.log import event_name
from rtnb.core.protocol import Event, new_id
from rtnb.replay.likeness import exactly, roughly, shown
from rtnb.replay.script import APPEND, OF_CLIENT, Cue, Line, Script

__all__ = ["NOT_RECORDED", "Player"]

NOT_RECORDED: Final = "not_in_recording"
"""Code of the ``error`` event for what the recording does not hold."""

_INPUTS: Final = frozenset({"conversation.item.create", "input_audio_buffer.commit"})
_TAKEN: Final = frozenset(
    {
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.created",
        "conversation.item.done",
    }
)
_MOST_TAKEN: Final = 32


class Player:
    """Plays one connection to one client.

    Parameters
    ----------
    script
        What was recorded; used up.
    now
        The time of the clock.
    speed
        How many times as fast as it was; ``inf`` without waiting.
    name
        Of the recording, for errors.
    film
        Wait for nothing of the client: everything comes at its time.
    origin_shift
        What is to be added to times of the wall clock, such as ``expires_at``, to make them today's.
    """

    def __init__(
        self,
        script: Script,
        now: float,
        *,
        speed: float = 1.0,
        name: str = "recording",
        film: bool = False,
        origin_shift: float | None = None,
    ) -> None:
        self._script = script
        self._speed = speed
        self._name = name
        self._film = film
        self._shift = origin_shift
        self._started = now
        self._front = -1  # index of the main cue that came last
        self._ids: dict[str, str] = {}  # of the recording -> of this client
        self._origins: dict[str, str] = {}  # of this client -> of the recording
        self._metadata: dict[int, Any] = {}  # by the cue of a response
        self._input_refused = False
        self._is_configured = False
        self._append_refused = False
        self._hanging: dict[int, deque[Line]] = {}  # by the index of their cue, until it comes
        self._course: deque[Line] = deque()  # lines that hang on the course of things
        self._due: list[tuple[float, int, Line]] = []  # a heap
        self._taken: deque[tuple[int, float]] = deque(maxlen=_MOST_TAKEN)  # inputs: index of the server's word, due
        self._settings: dict[str, Any] = {}
        first_update = next((cue for cue in script.cues if cue.name == "session.update"), None)
        for line in script.lines:
            if line.cue is None or (film and line.cue is not first_update):  # connecting waits for its answer
                self._course.append(line)
            else:
                self._hanging.setdefault(line.cue.index, deque()).append(line)
            session = line.event.get("session")
            if isinstance(session, dict) and not self._settings:
                self._settings = session
        if not any(line.event.get("type") == "session.created" for line in script.lines):
            self._due.append((now, -1, Line(-1, script.start, self._created(), None)))
        self._roll(now)

    # -- what comes from the client

    def receive(self, event: Any, now: float) -> list[Event]:
        """Take an event of the client; gives what is to be said at once, which is an ``error`` when it fits nothing."""
        if not isinstance(event, dict) or not isinstance(event.get("type"), str):
            return [_error("invalid_event", "An event is a JSON object with a type.", None)]
        name = event["type"]
        if name == APPEND:
            return self._appended(event)
        cue = self._match(event)
        if cue is None:
            return self._unmatched(event)
        self._came(cue, event, now)
        return []

    def _appended(self, event: Event) -> list[Event]:
        if self._script.appends or self._append_refused:
            return []
        self._append_refused = True  # once is enough: 25 come each second
        return [self._refusal(event, "no sound of a microphone; what is said now is not heard")]

    def _match(self, event: Event) -> Cue | None:
        name = event["type"]
        if name == "response.create" and self._input_refused:
            self._input_refused = False
            return None
        asked = {
            **event,
            **{key: self._origins[event[key]] for key in ("item_id",) if _is_in(event, key, self._origins)},
        }
        open_cues = [cue for cue in self._script.cues if cue.arrived is None and cue.name == name]
        ahead = [cue for cue in open_cues if cue.index > self._front]
        if name == "response.create":
            found = next((cue for cue in ahead if roughly(asked, cue.event)), None)
            return None if found is None or self._skipped(found) else found
        for cues, is_like in ((ahead, exactly), (open_cues, exactly), (ahead, roughly), (open_cues, roughly)):
            if is_like is roughly and name == "session.update" and self._is_confirmed(event):
                return None
            for cue in cues:
                if is_like(asked, cue.event):
                    return cue
        return None

    def _skipped(self, asking: Cue) -> Cue | None:
        """What the client did not say, and what this response would answer."""
        for cue in self._script.cues:
            if self._front < cue.index < asking.index and cue.arrived is None and cue.name in _INPUTS:
                item = cue.event.get("item")
                if not isinstance(item, dict) or item.get("role") != "system":
                    return cue
        return None

    def _came(self, cue: Cue, event: Event, now: float) -> None:
        cue.arrived = now
        if cue.is_main:
            self._front = cue.index
        if cue.name in _INPUTS:
            self._input_refused = False
        if cue.name == "session.update":
            self._is_configured = True
        self._same(cue.event.get("event_id"), event.get("event_id"))
        recorded, sent = cue.event.get("item"), event.get("item")
        if isinstance(recorded, dict) and isinstance(sent, dict):
            self._same(recorded.get("id"), sent.get("id"))
        if cue.name == "response.create":
            response = event.get("response")
            self._metadata[cue.index] = response.get("metadata") if isinstance(response, dict) else None
        for line in self._hanging.pop(cue.index, ()):
            self._schedule(line, now + (line.time - cue.time) / self._speed)
        self._roll(now)

    def _same(self, recorded: object, sent: object) -> None:
        if isinstance(recorded, str) and isinstance(sent, str) and recorded != sent:
            self._ids[recorded] = sent
            self._origins[sent] = recorded

    def _unmatched(self, event: Event) -> list[Event]:
        name = event["type"]
        if name == "session.update" and (not self._is_configured or self._is_confirmed(event)):
            self._is_configured = True  # every client begins so: it gets what held when this was recorded
            return [{"type": "session.updated", "event_id": new_id("event"), "session": self._settings}]
        if name in _INPUTS:
            self._input_refused = True
        return [self._refusal(event, self._instead(event))]

    def _is_confirmed(self, event: Event) -> bool:
        """Whether an update changes nothing but the tools, which the client carries out itself; notes them."""
        asked = event.get("session")
        if not self._is_configured or not isinstance(asked, dict):
            return False
        if not all(key in OF_CLIENT or _is_within(value, self._settings.get(key)) for key, value in asked.items()):
            return False
        self._settings = {**self._settings, **{key: asked[key] for key in OF_CLIENT if key in asked}}
        return True

    def _instead(self, event: Event) -> str:
        name = event["type"]
        ahead = [cue for cue in self._script.cues if cue.arrived is None and cue.index > self._front and cue.is_main]
        if not ahead:
            return f"no further {name}: it is at its end"
        if name == "response.create":
            asking = next((cue for cue in ahead if cue.name == name), None)
            if asking is None:
                return f"no further {name}"
        return f"{shown(ahead[0].event)} here, not {shown(event)}"

    def _refusal(self, event: Event, what: str) -> Event:
        event_id = event.get("event_id")
        message = (
            f"This is a replay of {self._name!r}, which holds {what}. To ask something else, use a real endpoint: "
            'rtnb.Session("local") needs no key.'
        )
        return _error(NOT_RECORDED, message, event_id if isinstance(event_id, str) else None)

    # -- what goes to the client

    def _roll(self, now: float) -> None:
        """Schedule what hangs on the course of things, up to the next main cue that has not come."""
        mains = [cue for cue in self._script.cues if cue.is_main]
        while self._course:
            line = self._course[0]
            anchor_time, anchor_at = self._script.start, self._started
            if not self._film:
                before = [cue for cue in mains if cue.index < line.index]
                last = before[-1] if before else None
                if last is not None and last.arrived is not None:
                    anchor_time, anchor_at = last.time, last.arrived
                elif last is not None:
                    if self._front <= last.index:
                        return  # the client's turn
                    anchor_time, anchor_at = line.time, now  # the client went on without it
            self._course.popleft()
            self._schedule(line, anchor_at + (line.time - anchor_time) / self._speed)

    def _schedule(self, line: Line, due: float) -> None:
        # A client that is faster than the recorded one gets its inputs taken as late as then: what hangs on a later
        # event of its own must not overtake that.
        due = max([due, *(taken for index, taken in self._taken if index < line.index)])
        if line.cue is not None and line.cue.name in _INPUTS and event_name(line.event) in _TAKEN:
            self._taken.append((line.index, due))
        heapq.heappush(self._due, (due, line.index, line))

    @property
    def due(self) -> float | None:
        """When the next event is to be sent; None: it is the client's turn, or the end."""
        return self._due[0][0] if self._due else None

    @property
    def is_over(self) -> bool:
        """Whether all was said."""
        return not self._due and not self._course and not self._hanging

    @property
    def asks_nothing(self) -> bool:
        """Whether the client has its configuration, and no part left: all main cues came, or were left out.

        Settings are not waited for: a client may have had them from its beginning.
        """
        cues = self._script.cues
        if not self._is_configured and any(cue.name == "session.update" for cue in cues):
            return False
        return self._film or all(
            cue.arrived is not None or not cue.is_main or cue.name == "session.update" or cue.index < self._front
            for cue in cues
        )

    @property
    def is_done(self) -> bool:
        """Whether nothing more comes: the client has no part left, and all that hangs on what it did was said."""
        return not self._due and not self._course and self.asks_nothing

    @property
    def waits_for(self) -> str:
        """What the client is expected to do next, in words; empty when nothing."""
        if self._due or self._film:
            return ""
        for cue in self._script.cues:
            if cue.arrived is None and cue.index > self._front and cue.is_main:
                return shown(cue.event)
        return ""

    def pop(self) -> Event:
        """The next event, with the ids of this client."""
        _, _, line = heapq.heappop(self._due)
        event: Event = self._translated(line.event)
        if line.cue is not None and line.cue.index in self._metadata:
            response = event.get("response")
            if isinstance(response, dict) and "metadata" in response:
                event = {**event, "response": {**response, "metadata": self._metadata[line.cue.index]}}
        session = event.get("session")
        if isinstance(session, dict):
            self._settings = session
        if self._shift is not None and isinstance(session, dict):
            expires = session.get("expires_at")
            if isinstance(expires, (int, float)) and not isinstance(expires, bool):
                event = {**event, "session": {**session, "expires_at": int(expires + self._shift)}}
        return event

    def _translated(self, value: Any) -> Any:
        if not self._ids:
            return value
        if isinstance(value, str):
            return self._ids.get(value, value)
        if isinstance(value, dict):
            return {key: self._translated(member) for key, member in value.items()}
        if isinstance(value, list):
            return [self._translated(member) for member in value]
        return value

    def _created(self) -> Event:
        session = self._settings or {"type": "realtime", "object": "realtime.session", "id": "sess_replay"}
        return {"type": "session.created", "event_id": new_id("event"), "session": session}


def _is_within(asked: Any, effective: Any) -> bool:
    if isinstance(asked, dict) and isinstance(effective, dict):
        return all(_is_within(value, effective.get(key)) for key, value in asked.items())
    return bool(asked == effective)


def _is_in(event: Event, key: str, ids: dict[str, str]) -> bool:
    value = event.get(key)
    return isinstance(value, str) and value in ids


def _error(code: str, message: str, event_id: str | None) -> Event:
    return {
        "type": "error",
        "event_id": new_id("event"),
        "error": {
            "type": "invalid_request_error",
            "code": code,
            "message": message,
            "param": None,
            "event_id": event_id,
        },
    }
