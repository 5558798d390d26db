"""One client: the shell around an engine.

The reader parses frames and feeds the engine; what the engine returns goes into an outbox (events) or becomes a task
(effects); the sender writes the outbox to the socket, so that the order of events is the order of the engine. When the
client is slow the outbox fills, and answers wait. All tasks end with the connection.

May import `rtnb.core` and its neighbours in `rtnb.local`.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final, Protocol

import orjson
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from rtnb.core.protocol import Event
from rtnb.local import problems
from rtnb.local.answering import Answer
from rtnb.local.effects import Close, Effect, Halt, Hear, HearCancel, HearEnd, Listen, Output, Think
from rtnb.local.engine import Engine
from rtnb.local.faults import Faults, Trouble
from rtnb.local.hearing_task import Utterance
from rtnb.local.pacing import Pacer
from rtnb.local.seams import Brain, Hearing, Voice

__all__ = ["Connection", "Dialect", "Engines", "encode"]

_LOG = logging.getLogger(__name__)

_TRANSCRIPTS: Final = "conversation.item.input_audio_transcription."
_ANSWERS_WAIT_BYTES: Final = 512 * 1024  # with more than this unsent, answers wait for the client
_DROP_TICK_S: Final = 0.005
_DROP_TICKS: Final = 200
_READER_WAITS_BYTES: Final = 32 * 1024 * 1024  # and with more than this no further client event is read


class Engines(Protocol):
    """The brain, the voice and the ears of an endpoint; each is made when first needed and may not be there."""

    def brain(self) -> Brain:
        """The brain."""
        ...

    def voice(self) -> Voice:
        """The voice."""
        ...

    async def hearing(self) -> Hearing:
        """The ears."""
        ...


class Dialect(Protocol):
    """How the client's events become GA events, and ours the client's."""

    def read(self, event: Any) -> Any:
        """A client event as GA."""
        ...

    def write(self, event: Event) -> Iterable[Event]:
        """A GA server event as the client knows it: none, one or several."""
        ...


def encode(event: Event) -> bytes:
    """An event as the bytes of a text frame."""
    try:
        return orjson.dumps(event)
    except TypeError:
        # A lone surrogate, from a brain or from a client's escape: not UTF-8, but JSON can say it.
        return json.dumps(event).encode("ascii")


class Connection:
    """One client.

    Parameters
    ----------
    socket
        The open WebSocket.
    engine
        Its session.
    engines
        Brain, voice and ears.
    dialect
        Translates; None: GA, as it is.
    pacer
        Makes the schedule of a response's audio.
    faults
        What is to go wrong.
    """

    def __init__(
        self,
        socket: ServerConnection,
        engine: Engine,
        engines: Engines,
        *,
        dialect: Dialect | None = None,
        pacer: Callable[[], Pacer] = Pacer,
        faults: Faults | None = None,
    ) -> None:
        self._socket, self._engine, self._engines = socket, engine, engines
        self._dialect, self._pacer = dialect, pacer
        self._loop = asyncio.get_running_loop()
        self._outbox: deque[bytes | Close] = deque()
        self._queued_bytes = 0
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._answers: dict[str, asyncio.Task[None]] = {}
        self._utterances: dict[str, tuple[Utterance, asyncio.Task[None]]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._faults = faults if faults is not None else Faults()
        self._is_warm = False  # the recogniser was told that it will be needed
        self._late: dict[str, tuple[float, list[bytes]]] = {}  # transcripts that are held back, by item

    async def run(self) -> None:
        """Serve the client until it goes, or has to."""
        sender = asyncio.create_task(self._send(), name="sender")
        self._tasks.add(sender)
        try:
            self._put(self._engine.start(self._now()))
            await self._receive()
        except ConnectionClosed:
            pass
        finally:
            if self._timer is not None:
                self._timer.cancel()
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _now(self) -> float:
        return self._loop.time()

    # ---- in ----

    async def _receive(self) -> None:
        async for frame in self._socket:
            self._put(self._take(frame))
            while self._engine.has_backlog:
                await asyncio.sleep(0)
                self._put(self._engine.digest(self._now()))
            while self._queued_bytes > _READER_WAITS_BYTES:
                await self._wait_emptied()

    def _take(self, frame: str | bytes) -> list[Output]:
        now = self._now()
        if isinstance(frame, bytes):
            problem = problems.invalid_event(
                "Binary frames are not supported. Send each event as JSON in a text frame."
            )
            return self._engine.refuse(problem, now)
        try:
            event = orjson.loads(frame)
        except orjson.JSONDecodeError as exc:
            return self._engine.refuse(problems.invalid_json(str(exc)), now)
        event_id = event.get("event_id") if isinstance(event, dict) else None
        try:
            if self._dialect is not None:
                event = self._dialect.read(event)
            if not self._is_warm and isinstance(event, dict) and event.get("type") == "input_audio_buffer.append":
                self._is_warm = True
                self._spawn(self._warm(), "warm hearing")
            return self._engine.receive(event, now)
        except Exception:  # noqa: BLE001
            # No client event may end the session; that one could is our fault, and said so.
            _LOG.exception("a client event could not be handled")
            problem = problems.Problem(
                "server_error", "The server had an error while processing your event.", type="server_error"
            )
            return self._engine.refuse(problem, now, event_id)

    # ---- out ----

    def _put(self, outputs: list[Output]) -> None:
        """Send events and carry out effects, in order."""
        for output in outputs:
            if isinstance(output, dict):
                for event in [output] if self._dialect is None else self._dialect.write(output):
                    self._queue_or_hold(event)
            else:
                self._do(output)
        self._set_timer()

    def _queue_or_hold(self, event: Event) -> None:
        frame = encode(event)
        if not self._late or not str(event["type"]).startswith(_TRANSCRIPTS) or event["item_id"] not in self._late:
            self._queue(frame)
            return
        seconds, frames = self._late[event["item_id"]]
        frames.append(frame)
        if not event["type"].endswith(".delta"):
            del self._late[event["item_id"]]
            self._spawn(self._send_late(seconds, frames), "late transcript")

    async def _send_late(self, seconds: float, frames: list[bytes]) -> None:
        await asyncio.sleep(seconds)
        for frame in frames:
            self._queue(frame)

    def _queue(self, frame: bytes) -> None:
        self._outbox.append(frame)
        self._queued_bytes += len(frame)
        self._filled.set()

    async def _send(self) -> None:
        try:
            while True:
                await self._filled.wait()
                while self._outbox:
                    frame = self._outbox.popleft()
                    if isinstance(frame, Close):
                        await self._socket.close(frame.code, frame.reason)
                        return
                    await self._socket.send(frame, text=True)
                    self._queued_bytes -= len(frame)
                    if self._queued_bytes <= _ANSWERS_WAIT_BYTES:
                        self._emptied.set()
                self._filled.clear()
        except ConnectionClosed:
            return

    async def _wait_emptied(self) -> None:
        self._emptied.clear()
        await self._emptied.wait()

    async def _ready(self) -> None:
        """Wait until the client has taken most of what was sent."""
        while self._queued_bytes > _ANSWERS_WAIT_BYTES:
            await self._wait_emptied()

    # ---- effects ----

    def _do(self, effect: Effect) -> None:
        if isinstance(effect, Think):
            self._answer(effect)
        elif isinstance(effect, Halt):
            task = self._answers.pop(effect.response_id, None)
            if task is not None:
                task.cancel()
        elif isinstance(effect, Listen):
            self._listen(effect)
        elif isinstance(effect, Hear):
            self._utterances[effect.key][0].push(effect.pcm)
        elif isinstance(effect, HearEnd):
            self._utterances[effect.key][0].end()
        elif isinstance(effect, HearCancel):
            held = self._utterances.pop(effect.key, None)
            if held is not None:
                held[1].cancel()
        else:
            self._outbox.append(effect)
            self._filled.set()

    def _answer(self, think: Think) -> None:
        answer = Answer(
            think,
            self._engine,
            brain=self._engines.brain,
            voice=self._engines.voice,
            pacer=self._pacer(),
            clock=self._now,
            put=self._put,
            ready=self._ready,
            trouble=Trouble(
                self._faults.take(),
                drop=self._drop,
                expire=lambda: self._put(self._engine.expire(self._now())),
                tell=lambda problem: self._put(self._engine.refuse(problem, self._now())),
                send=self._queue,
            ),
        )
        response_id = think.request.response_id
        task = self._answers[response_id] = self._spawn(answer.run(), f"answer {response_id}")
        task.add_done_callback(lambda _: self._answers.pop(response_id, None))

    async def _drop(self) -> None:
        """Break the connection without a goodbye; what was said before reaches the client, as far as it takes it."""
        for _ in range(_DROP_TICKS):
            if not self._queued_bytes:
                break
            await asyncio.sleep(_DROP_TICK_S)
        self._socket.transport.abort()

    def _listen(self, listen: Listen) -> None:
        key = listen.key
        fault = self._faults.take(of_hearing=True)
        if fault is not None:
            self._late[key] = fault.seconds, []
        utterance = Utterance(
            self._engines.hearing,
            listen.settings,
            partial=lambda text: self._put(self._engine.heard_so_far(key, text, self._now())),
            final=lambda transcript: self._put(self._engine.heard(key, transcript, self._now())),
        )
        task = self._spawn(utterance.run(), f"utterance {key}")
        self._utterances[key] = utterance, task
        task.add_done_callback(lambda _: self._utterances.pop(key, None))

    async def _warm(self) -> None:
        """Have the recogniser ready when somebody may speak soon: starting it takes longer than a short sentence."""
        try:
            warm = getattr(await self._engines.hearing(), "warm", None)  # an engine may have it
            if warm is not None:
                await warm()
        except Exception:  # noqa: BLE001 - an engine that cannot be had is told with the first utterance
            _LOG.debug("the recogniser could not be started ahead", exc_info=True)

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = self._loop.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # ---- the clock ----

    def _set_timer(self) -> None:
        due = None if self._engine.is_closed else self._engine.deadline
        if self._timer is not None:
            if self._timer.when() == due:
                return
            self._timer.cancel()
        self._timer = None if due is None else self._loop.call_at(due, self._tick)

    def _tick(self) -> None:
        self._timer = None
        # A loop may call a little early, by its clock's resolution; what is due is due.
        self._put(self._engine.tick(max(self._now(), self._engine.deadline)))
