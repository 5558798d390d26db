"""The server side of one realtime session, as a pure state machine.

Client events go in, server events and effects come out; time comes in as an argument. Nothing here sleeps, reads a
clock, or knows of sockets: the shell (`rtnb.local.connection`) carries out the effects (think, speak, listen, close)
and brings back what came of them. So two ends can be run against each other in memory, with a clock turned by hand.

The rules are those of the GA protocol: `session.created` first; an update is taken whole or refused whole; one `error`
for each bad event, which disturbs nothing else; every `response.created` is followed by its `response.done`.

May import `rtnb.core.protocol` and its neighbours in `rtnb.local`; never asyncio, sockets or a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rtnb.core.protocol import LIMITS, Event, new_id
from rtnb.local import problems
from rtnb.local.effects import Close, Effect, Output
from rtnb.local.input_side import InputSide, MakeTurns
from rtnb.local.output_side import OutputSide
from rtnb.local.problems import Problem
from rtnb.local.responses import ResponseRun
from rtnb.local.seams import Transcript
from rtnb.local.session_state import SessionState
from rtnb.local.store import Conversation, stored_from_client
from rtnb.local.validate import decode_audio, judge_item, judge_shape, judge_truncate

__all__ = ["Engine"]


class Engine:
    """One session.

    Parameters
    ----------
    session
        Its state, perhaps with what a client secret or the beta's defaults have set already.
    make_turns
        Builds turn detection from a ``turn_detection`` object; None: speech is never detected.
    now
        The time in seconds on any clock that only goes forward.
    session_limit_s
        After this time the session is closed as expired.

    Examples
    --------
    >>> engine = Engine(SessionState(), now=0.0)
    >>> [event["type"] for event in engine.start(0.0)]
    ['session.created']
    """

    def __init__(
        self,
        session: SessionState,
        *,
        make_turns: MakeTurns | None = None,
        now: float = 0.0,
        session_limit_s: float = LIMITS.SESSION_S,
    ) -> None:
        self.session = session
        self.conversation = Conversation()
        self._limit_s = session_limit_s
        self._expires_at = now + session_limit_s
        self._now = now
        self._out: list[Output] = []
        self._idle_at: float | None = None  # when nobody has spoken for too long
        self._idle_from_ms = 0
        self.is_closed = False
        self._input = InputSide(
            session,
            self.conversation,
            emit=self._emit,
            ask=self._ask,
            make_turns=make_turns,
            on_speech=self._on_speech,
            on_turn=self._on_turn,
            on_heard=self._on_heard,
        )
        self._output = OutputSide(
            session,
            self.conversation,
            emit=self._emit,
            ask=self._ask,
            recognise=self._input.recognise,
            on_done=self._on_response_done,
        )
        self._handlers: Mapping[str, Callable[[Event], Problem | None]] = {
            "session.update": self._session_update,
            "input_audio_buffer.append": self._append,
            "input_audio_buffer.commit": lambda _: self._input.commit(),
            "input_audio_buffer.clear": lambda _: self._input.clear(),
            "conversation.item.create": self._item_create,
            "conversation.item.retrieve": self._item_retrieve,
            "conversation.item.truncate": self._item_truncate,
            "conversation.item.delete": self._item_delete,
            "response.create": self._response_create,
            "response.cancel": lambda event: self._output.cancel(event.get("response_id")),
        }

    # ---- from the client ----

    def start(self, now: float) -> list[Output]:
        """The first events of a connection."""
        self._at(now)
        self._emit({"type": "session.created", "session": self.session.view()})
        return self._drain()

    def receive(self, event: object, now: float) -> list[Output]:
        """Take one client event, already parsed.

        Anything may come; what is no proper event gets one ``error``.
        """
        self._at(now)
        problem = judge_shape(event, self.session.kind)
        if problem is None and isinstance(event, dict):
            self._input.digest_all()
            problem = self._handlers[event["type"]](event)
        if problem is not None:
            self._refuse(problem, event.get("event_id") if isinstance(event, Mapping) else None)
        return self._drain()

    def refuse(self, problem: Problem, now: float, event_id: Any = None) -> list[Output]:
        """Answer a frame that could not become an event."""
        self._at(now)
        self._refuse(problem, event_id)
        return self._drain()

    @property
    def has_backlog(self) -> bool:
        """Whether appended audio is still to be looked at: call `digest` before the next event."""
        return self._input.has_backlog

    def digest(self, now: float) -> list[Output]:
        """Look at the next slice of appended audio; a long append would else hold up all other sessions."""
        self._at(now)
        self._input.digest()
        return self._drain()

    # ---- from the clock ----

    @property
    def deadline(self) -> float:
        """When `tick` must be called next, at the latest."""
        return self._expires_at if self._idle_at is None else min(self._expires_at, self._idle_at)

    def tick(self, now: float) -> list[Output]:
        """Do what has become due: idle timeout, end of the session."""
        self._at(now)
        if now >= self._expires_at:
            self._expire()
        elif self._idle_at is not None and now >= self._idle_at:
            self._idle_at = None
            if self._output.active_id is None and not self._input.is_speech:
                self._input.time_out(self._idle_from_ms)
                self._output.create()
        return self._drain()

    def expire(self, now: float) -> list[Output]:
        """End the session as if its time were over."""
        self._at(now)
        self._expire()
        return self._drain()

    def _expire(self) -> None:
        problem = problems.session_expired(self._limit_s)
        self._refuse(problem, None)
        self._ask(Close(1001, problem.message))
        self.is_closed = True

    # ---- from the brain and the voice ----

    def say(self, response_id: str, text: str, now: float) -> list[Output]:
        """The next words of a text answer. Ids of responses that are over are ignored, here and below."""
        self._at(now)
        self._output.say(response_id, text)
        return self._drain()

    def speak(self, response_id: str, pcm: bytes, words: str, now: float) -> list[Output]:
        """The next stretch of a spoken answer: 24 kHz PCM16, and the words that begin with it."""
        self._at(now)
        self._output.speak(response_id, pcm, words)
        return self._drain()

    def call(self, response_id: str, name: str, arguments: str, call_id: str | None, now: float) -> list[Output]:
        """A function call begins; `arguments` may be complete, or go on in `arguments`."""
        self._at(now)
        self._output.call(response_id, name, arguments, call_id)
        return self._drain()

    def arguments(self, response_id: str, delta: str, now: float) -> list[Output]:
        """The next piece of the arguments of the call that began last."""
        self._at(now)
        self._output.arguments(response_id, delta)
        return self._drain()

    def ended(self, response_id: str, now: float) -> list[Output]:
        """The answer is complete."""
        self._at(now)
        self._output.ended(response_id)
        return self._drain()

    def incomplete(self, response_id: str, reason: str, now: float) -> list[Output]:
        """The answer ends early: ``max_output_tokens`` or ``content_filter``."""
        self._at(now)
        self._output.incomplete(response_id, reason)
        return self._drain()

    def failed(self, response_id: str, error: Mapping[str, Any], now: float) -> list[Output]:
        """The answer failed; `error` has ``type``, ``code`` and ``message``."""
        self._at(now)
        self._output.failed(response_id, error)
        return self._drain()

    def told_usage(self, response_id: str, usage: Mapping[str, int]) -> None:
        """Real token counts of the brain for a running response."""
        self._output.told_usage(response_id, usage)

    # ---- from the recogniser ----

    def heard_so_far(self, key: str, text: str, now: float) -> list[Output]:
        """A partial text of an utterance."""
        self._at(now)
        self._input.heard_so_far(key, text)
        return self._drain()

    def heard(self, key: str, transcript: Transcript, now: float) -> list[Output]:
        """The final text of an utterance."""
        self._at(now)
        self._input.heard(key, transcript)
        return self._drain()

    # ---- handlers ----

    def _session_update(self, event: Event) -> Problem | None:
        turn_detection = self.session.turn_detection
        problem = self.session.update(event["session"])
        if problem is None:
            if self.session.turn_detection != turn_detection:
                self._idle_at = None
            self._emit({"type": "session.updated", "session": self.session.view()})
            self._input.configure()
        return problem

    def _append(self, event: Event) -> Problem | None:
        audio = decode_audio(event["audio"])
        if isinstance(audio, Problem):
            return audio
        self._input.append(audio)
        self._input.digest()
        return None

    def _item_create(self, event: Event) -> Problem | None:
        previous = event.get("previous_item_id")
        problem = judge_item(event["item"], previous, self.conversation)
        if problem is not None:
            return problem
        stored = stored_from_client(event["item"], self.session.input_format)
        before = self.conversation.add(stored, previous)
        for name in ("added", "done"):
            self._emit({"type": f"conversation.item.{name}", "previous_item_id": before, "item": stored.view()})
        self._input.recognise(stored)
        return None

    def _item_retrieve(self, event: Event) -> Problem | None:
        stored = self.conversation.get(event["item_id"])
        if stored is None:
            return problems.unknown_item("retrieve", event["item_id"])
        output_format = self.session.output["format"]["type"] if self.session.kind == "realtime" else "audio/pcm"
        item = stored.retrieved(self.session.input_format, output_format)
        self._emit({"type": "conversation.item.retrieved", "item": item})
        return None

    def _item_truncate(self, event: Event) -> Problem | None:
        problem = judge_truncate(event, self.conversation)
        if problem is not None:
            return problem
        stored = self.conversation.get(event["item_id"])
        assert stored is not None
        index, end_ms = event["content_index"], event["audio_end_ms"]
        stored.tracks[index].truncate(end_ms)
        if index < len(stored.item["content"]):
            stored.item["content"][index]["transcript"] = None
        self._emit(
            {
                "type": "conversation.item.truncated",
                "item_id": stored.id,
                "content_index": index,
                "audio_end_ms": end_ms,
            }
        )
        return None

    def _item_delete(self, event: Event) -> Problem | None:
        if event["item_id"] not in self.conversation:
            return problems.unknown_item("delete", event["item_id"])
        stored = self.conversation.remove(event["item_id"])
        self._emit({"type": "conversation.item.deleted", "item_id": stored.id})
        self._input.forget(stored)
        return None

    def _response_create(self, event: Event) -> Problem | None:
        problem = self._output.create(event.get("response"))
        if problem is None and self._output.active_id is not None:
            self._idle_at = None
        return problem

    # ---- what one half tells the other ----

    def _on_speech(self) -> None:
        self._idle_at = None
        if (self.session.turn_detection or {}).get("interrupt_response"):
            self._output.interrupt()

    def _on_turn(self) -> None:
        # While another response runs (interrupt_response off) none is created: the service says that it "may fail".
        if (self.session.turn_detection or {}).get("create_response") and self._output.active_id is None:
            self._idle_at = None
            self._output.create()

    def _on_heard(self, key: str) -> None:
        self._output.recognised(key)

    def _on_response_done(self, run: ResponseRun, status: str) -> None:
        turn = self.session.turn_detection or {}
        timeout_ms = turn.get("idle_timeout_ms")
        if turn.get("type") == "server_vad" and timeout_ms and status != "failed" and not self._input.is_speech:
            self._idle_at = self._now + (run.audio_ms + timeout_ms) / 1000
            self._idle_from_ms = self._input.clock_ms + round(run.audio_ms)

    # ---- out ----

    def _at(self, now: float) -> None:
        self._now = self._output.now = now

    def _emit(self, event: Event) -> None:
        self._out.append({"type": event["type"], "event_id": new_id("event"), **event})

    def _ask(self, effect: Effect) -> None:
        self._out.append(effect)

    def _refuse(self, problem: Problem, event_id: Any) -> None:
        # An absurdly long id is not echoed: the answer must not grow with the offence.
        is_id = isinstance(event_id, str) and len(event_id) <= LIMITS.EVENT_ID_CHARS
        self._emit(problems.error_event(problem, event_id if is_id else None))

    def _drain(self) -> list[Output]:
        out, self._out = self._out, []
        return out
