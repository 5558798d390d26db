"""What the tests of the local endpoint share: an engine on a bench, a client, small stand-in engines.

Every event that comes by is judged by `helpers_local_judge`.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from helpers_local_judge import check_conformance, judge
from websockets.asyncio.client import ClientConnection, connect

from rtnb.local.brains import ScriptBrain, when
from rtnb.local.effects import Effect, Hear, HearCancel, HearEnd, Listen, Output, Think
from rtnb.local.engine import Engine
from rtnb.local.seams import Call, CallArguments, Failed, Finished, Piece, Say, Speech, Transcript
from rtnb.local.server import LocalEndpoint
from rtnb.local.session_state import SessionState
from rtnb.local.turns import make_turns

MS = 48  # bytes of 24 kHz PCM16 in a millisecond
TIMEOUT_S = 20.0

# ---- sounds ----------------------------------------------------------------------------------------------------------


def loud(ms: int) -> bytes:
    """What `LoudDetector` takes for speech."""
    return b"\x00\x40\x00\xc0" * (ms * MS // 4)


def silence(ms: int) -> bytes:
    return bytes(ms * MS)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def append(data: bytes, **more: Any) -> dict[str, Any]:
    return {"type": "input_audio_buffer.append", "audio": b64(data), **more}


def user(text: str, **item: Any) -> dict[str, Any]:
    content = [{"type": "input_text", "text": text}]
    return {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": content, **item}}


def update(**session: Any) -> dict[str, Any]:
    return {"type": "session.update", "session": {"type": "realtime", **session}}


def turn_detection(value: Any) -> dict[str, Any]:
    return update(audio={"input": {"turn_detection": value}})


class LoudDetector:
    """Speech is what is loud."""

    name = "loud"
    frame_ms = 20.0

    def __init__(self) -> None:
        self._held = b""

    def push(self, pcm: bytes) -> list[float]:
        self._held += pcm
        size = int(self.frame_ms * MS)
        frames = [self._held[i : i + size] for i in range(0, len(self._held) - size + 1, size)]
        self._held = self._held[len(frames) * size :]
        return [1.0 if any(frame) else 0.0 for frame in frames]

    def reset(self) -> None:
        self._held = b""


# ---- an engine on a bench --------------------------------------------------------------------------------------------


class Bench:
    """An engine, a clock turned by hand, and all that came out, each event judged."""

    def __init__(self, *, kind: Any = "realtime", model: str = "gpt-realtime-2.1", turns: bool = True, **options: Any):
        session = SessionState(kind=kind, model=model, expires_at=1)
        self.now = 0.0
        make = (lambda settings: make_turns(settings, LoudDetector())) if turns else None
        self.engine = Engine(session, make_turns=make, now=0.0, **options)
        self.events: list[dict[str, Any]] = []
        self.effects: list[Effect] = []
        self._take(self.engine.start(0.0))

    def _take(self, outputs: Sequence[Output]) -> list[dict[str, Any]]:
        events = [output for output in outputs if isinstance(output, dict)]
        for event in events:
            judge(event)
        self.events += events
        self.effects += [output for output in outputs if not isinstance(output, dict)]
        return events

    def send(self, *events: Any) -> list[dict[str, Any]]:
        """Send client events; return what came of them, appended audio looked at to the end."""
        out: list[dict[str, Any]] = []
        for event in events:
            out += self._take(self.engine.receive(event, self.now))
            while self.engine.has_backlog:
                out += self._take(self.engine.digest(self.now))
        return out

    def tick(self, seconds: float) -> list[dict[str, Any]]:
        self.now += seconds
        return self._take(self.engine.tick(self.now))

    @property
    def thinks(self) -> list[Think]:
        return [effect for effect in self.effects if isinstance(effect, Think)]

    def answer(self, *pieces: Piece | Speech, think: Think | None = None, end: bool = True) -> list[dict[str, Any]]:
        """Give the pieces of a brain (or stretches of speech) to the response that was asked for last."""
        id = (think or self.thinks[-1]).request.response_id
        engine, out = self.engine, []
        for piece in pieces:
            match piece:
                case Say(text):
                    out += self._take(engine.say(id, text, self.now))
                case Speech(pcm, text):
                    out += self._take(engine.speak(id, pcm, text, self.now))
                case Call(name, arguments, call_id):
                    out += self._take(engine.call(id, name, arguments, call_id, self.now))
                case CallArguments(delta):
                    out += self._take(engine.arguments(id, delta, self.now))
                case Failed(error):
                    out += self._take(engine.failed(id, error, self.now))
                case Finished(incomplete, usage):
                    if usage:
                        engine.told_usage(id, usage)
                    if incomplete:
                        out += self._take(engine.incomplete(id, incomplete, self.now))
        if end:
            out += self._take(engine.ended(id, self.now))
        return out

    def hear(self, text: str = "hello", *, key: str | None = None, failed: str | None = None) -> list[dict[str, Any]]:
        """Let the recogniser finish the utterance that ended last."""
        key = key or [effect for effect in self.effects if isinstance(effect, HearEnd)][-1].key
        return self._take(self.engine.heard(key, Transcript(text, failed=failed), self.now))

    def hear_so_far(self, text: str) -> list[dict[str, Any]]:
        key = [effect for effect in self.effects if isinstance(effect, Listen)][-1].key
        return self._take(self.engine.heard_so_far(key, text, self.now))

    def listened(self, key: str) -> bytes:
        return b"".join(effect.pcm for effect in self.effects if isinstance(effect, Hear) and effect.key == key)

    def cancelled_hearing(self) -> list[str]:
        return [effect.key for effect in self.effects if isinstance(effect, HearCancel)]


def types(events: Sequence[Mapping[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


def only(events: Sequence[dict[str, Any]], type: str) -> dict[str, Any]:
    found = [event for event in events if event["type"] == type]
    assert len(found) == 1, f"{len(found)} of {type} in {types(events)}"
    return found[0]


def error(events: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The error of a refused event, which must be the only thing that came of it."""
    assert types(events) == ["error"], types(events)
    told: dict[str, Any] = events[0]["error"]
    return told


# ---- often used beginnings -------------------------------------------------------------------------------------------

COMMIT = {"type": "input_audio_buffer.commit"}
CLEAR = {"type": "input_audio_buffer.clear"}
VAD_TURN = [
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "conversation.item.added",
    "conversation.item.done",
    "response.created",
]


def text_bench() -> Bench:
    """A session that answers in text."""
    bench = Bench()
    bench.send(update(output_modalities=["text"]))
    return bench


def manual() -> Bench:
    """A session without turn detection."""
    bench = Bench()
    bench.send(turn_detection(None))
    return bench


def vad(**settings: object) -> Bench:
    """A session with server_vad."""
    bench = Bench()
    bench.send(turn_detection({"type": "server_vad", **settings}))
    return bench


def spoken(bench: Bench, ms: int = 1000, words: str = "Hello there.") -> str:
    """Let the assistant speak; return the id of the item."""
    bench.send({"type": "response.create"})
    done = only(bench.answer(Speech(loud(ms), words)), "response.done")
    item_id: str = done["response"]["output"][0]["id"]
    return item_id


# ---- stand-ins for voice and ears ------------------------------------------------------------------------------------


class ToneVoice:
    """Speaks 60 ms of tone for each word; notes what it was asked."""

    name = "tone"

    def __init__(self, ms_per_word: int = 60) -> None:
        self.asked: list[tuple[str, str, float]] = []
        self.ms_per_word = ms_per_word
        self.is_closed = False

    async def speak(self, text: str, *, voice: str, speed: float = 1.0) -> AsyncIterator[Speech]:
        self.asked.append((text, voice, speed))
        for index, word in enumerate(text.split(" ")):
            await asyncio.sleep(0)
            yield Speech(loud(self.ms_per_word), word if index == 0 else f" {word}")

    async def close(self) -> None:
        self.is_closed = True


class DictationListener:
    def __init__(self, ears: Dictation) -> None:
        self._ears = ears
        self.ms = 0

    async def push(self, pcm: bytes) -> str:
        self.ms += len(pcm) // MS
        return ""

    async def finish(self) -> Transcript:
        self._ears.heard_ms.append(self.ms)
        return Transcript(self._ears.texts.pop(0) if self._ears.texts else "")

    async def cancel(self) -> None:
        self._ears.cancelled += 1


class Dictation:
    """Understands what it was told to, one text for each utterance."""

    name = "dictation"

    def __init__(self, *texts: str) -> None:
        self.texts = list(texts)
        self.heard_ms: list[int] = []
        self.cancelled = 0

    async def listen(self, settings: Mapping[str, Any]) -> DictationListener:
        return DictationListener(self)

    async def close(self) -> None:
        pass


# ---- a client over a real socket -------------------------------------------------------------------------------------


class Client:
    """A bare client; every event is judged as it comes in, and no frame may reach the usual limit of 1 MiB.

    With ``judged=False``, for the beta, openai's GA models stay out of it; what clients need is checked all the same.
    """

    def __init__(self, socket: ClientConnection, *, judged: bool = True) -> None:
        self.socket = socket
        self.events: list[dict[str, Any]] = []
        self._judged = judged

    async def send(self, *events: Mapping[str, Any]) -> None:
        for event in events:
            await self.socket.send(json.dumps(event))

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(TIMEOUT_S):
            frame = await self.socket.recv()
        assert isinstance(frame, str)
        assert len(frame.encode()) < 900_000
        event: dict[str, Any] = json.loads(frame)
        if self._judged:
            judge(event)
        else:
            check_conformance(event)
        self.events.append(event)
        return event

    async def until(self, type: str, *, limit: int = 10_000) -> dict[str, Any]:
        for _ in range(limit):
            event = await self.next()
            if event["type"] == type:
                return event
        raise AssertionError(f"no {type} in {limit} events")

    async def ask(self, *events: Mapping[str, Any]) -> dict[str, Any]:
        """Send, and return the response of the next response.done."""
        await self.send(*events)
        done = await self.until("response.done")
        response: dict[str, Any] = done["response"]
        return response

    async def closed(self) -> tuple[int | None, str | None]:
        """Wait for the close frame: its code and reason."""
        async with asyncio.timeout(TIMEOUT_S):
            await self.socket.wait_closed()
        return self.socket.close_code, self.socket.close_reason


def make(**options: Any) -> LocalEndpoint:
    """An endpoint that answers "Hello." at once, and hears words written as sound."""
    options = {
        "brain": ScriptBrain(when(lambda _: True, "Hello.")),
        "voice": ToneVoice(),
        "hearing": Dictation(),
        **options,
    }
    return LocalEndpoint(detector=LoudDetector, pace=None, **options)


def http(endpoint: LocalEndpoint, path: str) -> str:
    return f"http://127.0.0.1:{endpoint.port}{path}"


@contextlib.asynccontextmanager
async def client(
    endpoint: LocalEndpoint, query: str = "?model=gpt-realtime-2.1", *, judged: bool = True, **options: Any
) -> AsyncIterator[Client]:
    async with connect(endpoint.url + query, **options) as socket:
        yield Client(socket, judged=judged)
