"""The input half of a session: appended audio, turns, commits, and what the recogniser makes of them.

All speech is recognised, whether or not the session asked for transcripts: a brain reads words. Transcription events
are sent only when they were asked for. Recognition begins with the first audio of an utterance, so that its text is
there shortly after the end; it ends with `InputSide.heard`.

May import `rtnb.core.protocol` and its neighbours in `rtnb.local`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from rtnb.core.protocol import BYTES_PER_MS, LIMITS, Event, new_id
from rtnb.local import codec, problems
from rtnb.local.counting import audio_in_tokens, text_tokens
from rtnb.local.effects import Effect, Hear, HearCancel, HearEnd, Listen
from rtnb.local.input_buffer import InputBuffer
from rtnb.local.problems import Problem
from rtnb.local.seams import Transcript
from rtnb.local.session_state import SessionState
from rtnb.local.store import Conversation, StoredItem, Track

__all__ = ["InputSide", "MakeTurns", "Turns"]

_SLICE_BYTES: Final = 200 * BYTES_PER_MS  # a long append is digested in slices of this size
_BY_DURATION: Final = frozenset({"whisper-1", "gpt-realtime-whisper", "gpt-live-transcribe", "gpt-transcribe"})
_WORDS_PER_DELTA: Final = 4


class Turns(Protocol):
    """Turn detection, as `rtnb.local.turns` builds it."""

    def push(self, pcm24k: bytes) -> Sequence[Any]:
        """Take audio; return ``SpeechStarted(audio_start_ms)`` and ``SpeechStopped(audio_end_ms)``."""
        ...

    def commit(self) -> None:
        """The client committed by hand."""
        ...

    def clear(self) -> None:
        """The client cleared the buffer."""
        ...

    def update(self, settings: Mapping[str, Any]) -> None:
        """Other settings from now on."""
        ...

    def hint(self, partial_text: str) -> None:
        """What was understood so far of what is being said."""
        ...


MakeTurns = Callable[[Mapping[str, Any]], Turns]


class InputSide:
    """Audio in.

    Parameters
    ----------
    session, conversation
        The state it works on.
    emit, ask
        Take server events and effects, in order.
    make_turns
        Builds turn detection from a ``turn_detection`` object; None: there is none.
    on_speech, on_turn, on_heard
        Called at the start of speech, after the automatic commit of a turn, and when a recognition has ended (with its
        key).
    """

    def __init__(
        self,
        session: SessionState,
        conversation: Conversation,
        *,
        emit: Callable[[Event], None],
        ask: Callable[[Effect], None],
        make_turns: MakeTurns | None,
        on_speech: Callable[[], None],
        on_turn: Callable[[], None],
        on_heard: Callable[[str], None],
    ) -> None:
        self._session = session
        self._conversation = conversation
        self._emit, self._ask = emit, ask
        self._make_turns = make_turns
        self._on_speech, self._on_turn, self._on_heard = on_speech, on_turn, on_heard
        self._buffer = InputBuffer()
        self._backlog: deque[bytes] = deque()
        self._decoder = codec.decoder(session.input_format)
        self._format = session.input_format
        self._turns: Turns | None = None
        self._turns_from_ms = 0  # where on the session's clock the present turn detection began
        self._turn_settings: Mapping[str, Any] | None = None
        self._utterance: str | None = None  # item id of the audio that is being listened to, before its commit
        self._speech_ms: int | None = None  # start of the speech that turn detection is in
        self._live: dict[str, str] = {}  # transcription deltas that were sent before the commit
        self._tracks: dict[str, tuple[StoredItem, int]] = {}  # what is being recognised after its commit
        self.configure()

    @property
    def clock_ms(self) -> int:
        """Milliseconds of all audio appended in the session."""
        return self._buffer.end_ms

    @property
    def is_speech(self) -> bool:
        """Whether turn detection hears speech now."""
        return self._speech_ms is not None

    def configure(self) -> None:
        """Follow the session after an update; speech goes on, unless turn detection is switched on or off."""
        if self._session.input_format != self._format:
            self._decoded(self._decoder.flush())
            self._format = self._session.input_format
            self._decoder = codec.decoder(self._format)
        settings = self._session.turn_detection
        before, self._turn_settings = self._turn_settings, settings
        if settings == before:
            return
        if settings is not None and before is not None:
            if self._turns is not None:
                self._turns.update(settings)
            return
        self._forget_utterance()
        self._turns = None
        self._turns_from_ms = self._buffer.end_ms
        if not self._has_turns and self._buffer.ms:
            self._begin(new_id("item"), self._buffer.read(self._buffer.start_ms))

    @property
    def _has_turns(self) -> bool:
        return self._turn_settings is not None and self._make_turns is not None

    # ---- appended audio ----

    @property
    def has_backlog(self) -> bool:
        """Whether appended audio waits to be looked at."""
        return bool(self._backlog)

    def append(self, data: bytes) -> None:
        """Take audio in the session's input format; `digest` looks at it."""
        self._decoded(self._decoder.push(data))

    def _decoded(self, pcm: bytes) -> None:
        if not self._has_turns:
            if pcm:
                self._take(pcm)
            return
        self._backlog.extend(pcm[i : i + _SLICE_BYTES] for i in range(0, len(pcm), _SLICE_BYTES))

    def digest(self) -> None:
        """Look at the next slice of appended audio."""
        if self._backlog:
            self._take(self._backlog.popleft())

    def digest_all(self) -> None:
        """Look at all appended audio."""
        while self._backlog:
            self.digest()

    def _take(self, pcm: bytes) -> None:
        self._buffer.append(pcm)
        if self._utterance is not None:
            self._ask(Hear(self._utterance, pcm))
        elif not self._has_turns:
            self._begin(new_id("item"), self._buffer.read(self._buffer.start_ms))
        for event in self._detect(pcm):
            start_ms = getattr(event, "audio_start_ms", None)
            if start_ms is not None:
                self._speech_started(start_ms + self._turns_from_ms)
            else:
                self._speech_stopped(event.audio_end_ms + self._turns_from_ms)
        if self._has_turns and self._speech_ms is None:
            self._buffer.forget_silence()

    def _detect(self, pcm: bytes) -> Sequence[Any]:
        if self._make_turns is None or self._turn_settings is None:
            return ()
        if self._turns is None:  # made with the first audio: a text session needs no detector
            self._turns = self._make_turns(self._turn_settings)
        return self._turns.push(pcm)

    def _speech_started(self, start_ms: int) -> None:
        start_ms = max(start_ms, self._buffer.start_ms)
        self._speech_ms = start_ms
        item_id = new_id("item")
        self._emit({"type": "input_audio_buffer.speech_started", "audio_start_ms": start_ms, "item_id": item_id})
        self._on_speech()
        self._begin(item_id, self._buffer.read(start_ms))

    def _speech_stopped(self, end_ms: int) -> None:
        if self._speech_ms is None or self._utterance is None:
            return
        end_ms = max(self._speech_ms, min(end_ms, self._buffer.end_ms))
        item_id, start_ms = self._utterance, self._speech_ms
        self._emit({"type": "input_audio_buffer.speech_stopped", "audio_end_ms": end_ms, "item_id": item_id})
        self._commit(item_id, self._buffer.take(start_ms, end_ms))
        self._on_turn()

    def _begin(self, item_id: str, pcm: bytes) -> None:
        self._utterance = item_id
        self._ask(Listen(item_id, self._session.transcription or {}))
        if pcm:
            self._ask(Hear(item_id, pcm))

    def _forget_utterance(self) -> None:
        if self._utterance is not None:
            self._ask(HearCancel(self._utterance))
            self._live.pop(self._utterance, None)
        self._utterance = self._speech_ms = None

    # ---- commits ----

    def commit(self) -> Problem | None:
        """Commit by hand."""
        self.digest_all()
        if self._held_ms >= LIMITS.MIN_COMMIT_MS:  # else the audio is kept, and goes on without a seam
            self._decoded(self._decoder.flush())
            self.digest_all()
        held_ms = self._held_ms
        if held_ms < LIMITS.MIN_COMMIT_MS:
            return problems.buffer_too_small(held_ms)
        pcm = self._buffer.take(self._speech_ms)
        if self._utterance is None:
            self._begin(new_id("item"), pcm)
        assert self._utterance is not None
        if self._turns is not None:
            self._turns.commit()
        self._commit(self._utterance, pcm)
        return None

    @property
    def _held_ms(self) -> float:
        """What a commit would take."""
        held_ms = self._buffer.ms if self._speech_ms is None else float(self._buffer.end_ms - self._speech_ms)
        # What the resampler of G.711 still holds counts as appended; rounded, for it is a sum of fractions.
        return round(held_ms + (self._decoder.held_ms if held_ms else 0.0), 2)

    def clear(self) -> None:
        """Throw the buffer away."""
        self.digest_all()
        self._decoder = codec.decoder(self._format)
        self._forget_utterance()
        self._buffer.clear()
        if self._turns is not None:
            self._turns.clear()
        self._emit({"type": "input_audio_buffer.cleared"})

    def time_out(self, from_ms: int) -> None:
        """Commit the silence since `from_ms`: nobody spoke for ``idle_timeout_ms``."""
        self.digest_all()
        end_ms = self._buffer.end_ms
        start_ms = min(from_ms, end_ms)
        item_id = new_id("item")
        self._emit(
            {
                "type": "input_audio_buffer.timeout_triggered",
                "audio_start_ms": start_ms,
                "audio_end_ms": end_ms,
                "item_id": item_id,
            }
        )
        self._utterance = None
        self._commit(item_id, self._buffer.take(start_ms), silent=True)

    def _commit(self, item_id: str, pcm: bytes, *, silent: bool = False) -> None:
        self._utterance = self._speech_ms = None
        self._emit(
            {
                "type": "input_audio_buffer.committed",
                "item_id": item_id,
                "previous_item_id": self._conversation.last_id,
            }
        )
        item: Event = {
            "id": item_id,
            "object": "realtime.item",
            "type": "message",
            "status": "completed",
            "role": "user",
            "content": [{"type": "input_audio", "transcript": None}],
        }
        track = Track()
        track.add(pcm)
        track.key, track.pending = item_id, not silent
        track.transcribe = not silent and (
            self._session.transcription is not None or self._session.kind == "transcription"
        )
        track.streamed = self._live.pop(item_id, "")
        stored = StoredItem(item, {0: track})
        previous = self._conversation.add(stored)
        for name in ("added", "done"):
            self._emit({"type": f"conversation.item.{name}", "previous_item_id": previous, "item": stored.view()})
        if not silent:
            self._tracks[item_id] = (stored, 0)
            self._ask(HearEnd(item_id))

    def recognise(self, stored: StoredItem) -> None:
        """Have the audio of an item recognised that a client made (no transcription events are sent for it)."""
        for index, track in stored.tracks.items():
            if track.n_bytes:
                track.key, track.pending = new_id("item"), True
                self._tracks[track.key] = (stored, index)
                self._ask(Listen(track.key, self._session.transcription or {}))
                self._ask(Hear(track.key, track.pcm()))
                self._ask(HearEnd(track.key))

    def forget(self, stored: StoredItem) -> None:
        """An item was deleted: its recognition is of no use any more."""
        for key in stored.pending:
            del self._tracks[key]
            self._ask(HearCancel(key))
            self._on_heard(key)

    # ---- what was heard ----

    def heard_so_far(self, key: str, text: str) -> None:
        """A partial text: a hint to turn detection; shown before the commit only by models that transcribe live."""
        if key == self._utterance and self._turns is not None:
            self._turns.hint(text)
        sent = self._live.get(key, "")
        if key != self._utterance or not self._session.transcribes_live or not text.startswith(sent) or text == sent:
            return
        self._live[key] = text
        self._emit(_delta(key, 0, text[len(sent) :]))

    def heard(self, key: str, transcript: Transcript) -> None:
        """The recognition under `key` has ended."""
        if key not in self._tracks:
            return
        stored, index = self._tracks.pop(key)
        track = stored.tracks[index]
        track.pending = False
        track.heard = transcript.text or None
        if track.transcribe:
            self._tell(stored, index, track, transcript)
        self._on_heard(key)

    def _tell(self, stored: StoredItem, index: int, track: Track, transcript: Transcript) -> None:
        if transcript.failed is not None:
            self._emit(
                {
                    "type": "conversation.item.input_audio_transcription.failed",
                    "item_id": stored.id,
                    "content_index": index,
                    "error": {
                        "type": "transcription_error",
                        "code": "audio_unintelligible",
                        "message": transcript.failed or "The audio could not be transcribed.",
                        "param": None,
                    },
                }
            )
            return
        settings = self._session.transcription or {}
        model = str(settings.get("model") or "gpt-4o-transcribe")
        rest = transcript.text
        if track.streamed:
            rest = rest[len(track.streamed) :] if rest.startswith(track.streamed) else ""
        for piece in [rest] if model == "whisper-1" else _in_pieces(rest):
            if piece:
                self._emit(_delta(stored.id, index, piece))
        stored.item["content"][index]["transcript"] = transcript.text
        self._emit(
            {
                "type": "conversation.item.input_audio_transcription.completed",
                "item_id": stored.id,
                "content_index": index,
                "transcript": transcript.text,
                "usage": _usage(model, track, transcript.text, str(settings.get("prompt") or "")),
            }
        )


def _delta(item_id: str, index: int, text: str) -> Event:
    return {
        "type": "conversation.item.input_audio_transcription.delta",
        "item_id": item_id,
        "content_index": index,
        "delta": text,
    }


def _in_pieces(text: str) -> list[str]:
    """A text in deltas of a few words; joined they are the text."""
    words = text.split(" ")
    spaced = [words[0], *(" " + word for word in words[1:])]
    return ["".join(spaced[i : i + _WORDS_PER_DELTA]) for i in range(0, len(spaced), _WORDS_PER_DELTA)]


def _usage(model: str, track: Track, text: str, prompt: str) -> Event:
    if model in _BY_DURATION:
        return {"type": "duration", "seconds": round(track.ms / 1000, 3)}
    audio, prompt_tokens, out = audio_in_tokens(track.ms), text_tokens(prompt), text_tokens(text)
    return {
        "type": "tokens",
        "input_tokens": audio + prompt_tokens,
        "output_tokens": out,
        "total_tokens": audio + prompt_tokens + out,
        "input_token_details": {"text_tokens": prompt_tokens, "audio_tokens": audio},
    }
