"""PocketSphinx as hearing, in processes of its own.

Licence: PocketSphinx and its English model are BSD; package ``pocketsphinx`` of the ``local`` extra. It hears English.

Each process has one pair of decoders and takes one utterance at a time (about 0.15 of real time, 120 MB). A second
process is started when two people speak at once; a third speaker's sound is kept and heard as soon as one is free.

Imports `rtnb.local.child` and its neighbours; nothing heavy before the first utterance.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib.util
import json
import re
import sys
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from rtnb.core.errors import RtnbError
from rtnb.local.child import GONE, Child, ChildGone
from rtnb.local.detect import Downsampler, default_detector
from rtnb.local.hearing.judge import LEAST_SPEECH_S, judge
from rtnb.local.hearing.lessons import sentences
from rtnb.local.seams import Transcript

__all__ = ["SphinxHearing", "SphinxListener"]

_IN_FLIGHT: Final = 32_000  # bytes: at most 1 s of sound on its way, so that a cancellation is quick
_CHUNK: Final = 3_200
_SLICE: Final = 24_000  # bytes: half a second, after which other tasks get their turn
_LEAD_S: Final = 0.2  # quiet before a clip that begins with its first syllable, which is lost else
_LOUD: Final = 160.0  # root mean square of 16-bit samples, -46 dBFS: no quiet
_LOUD_SAMPLES: Final = 1_200  # the first 50 ms
_LEAD: Final = np.random.default_rng(0).integers(-2, 3, round(16_000 * _LEAD_S)).astype("<i2").tobytes()
_CLOSED: Final = "The recogniser has been closed."


class SphinxHearing:
    """Hear with PocketSphinx; see the module.

    Parameters
    ----------
    processes
        How many utterances are heard at the same time at most.
    """

    name = "pocketsphinx"
    patience_s: float = 20.0
    """How long a process may say nothing at the end of an utterance; then it hangs, and is replaced."""

    def __init__(self, processes: int = 2) -> None:
        self._limit = processes
        self._lock = threading.Lock()
        self._idle: list[Child] = []
        self._n_running = 0  # idle, busy or being started
        self._waiting: deque[SphinxListener] = deque()
        self._busy: dict[SphinxListener, Child] = {}
        self._closed = False
        self._warming = False  # a process is being started ahead: an utterance that comes now waits for it

    @staticmethod
    def available() -> bool:
        """Whether the package is installed."""
        return importlib.util.find_spec("pocketsphinx") is not None

    async def listen(self, settings: Mapping[str, Any]) -> SphinxListener:
        """Begin an utterance; ``prompt`` and ``keywords`` of the settings are expected besides the lessons' words."""
        if self._closed:
            raise RtnbError(_CLOSED)
        listener = SphinxListener(self, expected(settings))
        await self._provide(listener)
        return listener

    async def warm(self) -> None:
        """Start a process ahead of the first utterance, which then need not wait for it so long."""
        with self._lock:
            if self._n_running or self._closed or self._warming:
                return
            self._warming = True
        listener = SphinxListener(self, [])
        try:
            await self._provide(listener, ahead=True)
        finally:
            with self._lock:
                self._warming = False
            await listener.cancel()  # gives the process to whoever waits
            with self._lock:
                left = list(self._waiting) if not self._busy else []  # it did not start: they are to see for themselves
                for each in left:
                    self._waiting.remove(each)
            for each in left:
                each._loop.call_soon_threadsafe(each._provided, None)

    async def close(self) -> None:
        """End the processes; utterances still open fail."""
        with self._lock:
            self._closed = True
            children = [*self._idle, *self._busy.values()]
            self._idle.clear()
            self._busy.clear()
            waiting = list(self._waiting)
            self._waiting.clear()
        for listener in waiting:
            listener._fail(_CLOSED)
        await asyncio.gather(*(asyncio.to_thread(child.close) for child in children))

    async def _provide(self, listener: SphinxListener, *, ahead: bool = False) -> None:
        """Give the listener a process: an idle one, a new one, or the first that is free."""
        with self._lock:
            if self._closed:
                listener._fail(_CLOSED)
                return
            while self._idle:
                child = self._idle.pop()
                if child.alive:
                    self._busy[listener] = child
                    listener._begin(child)
                    return
                self._n_running -= 1
                child.close()
            if self._n_running >= self._limit or (self._warming and not ahead):
                self._waiting.append(listener)
                return
            self._n_running += 1
        try:
            child = await asyncio.to_thread(_started)
        except BaseException as exc:
            with self._lock:
                self._n_running -= 1
            if not isinstance(exc, ChildGone):
                raise
            listener._fail(f"PocketSphinx does not run: {exc}.")
            return
        with self._lock:
            if not self._closed:
                self._busy[listener] = child
        if self._closed:
            await asyncio.to_thread(child.close)
            listener._fail(_CLOSED)
        elif listener.over:
            self._give_back(listener)
        else:
            listener._begin(child)

    def _give_back(self, listener: SphinxListener) -> None:
        """Take the process of a listener that needs it no more, and give it to the next."""
        with self._lock:
            with contextlib.suppress(ValueError):
                self._waiting.remove(listener)
            child = self._busy.pop(listener, None)
            if child is None:
                return
            following = None
            while self._waiting and following is None:
                candidate = self._waiting.popleft()
                following = None if candidate.over else candidate
            if not child.alive:
                self._n_running -= 1
                child.close()
            elif following is None:
                self._idle.append(child)
                return
            else:
                self._busy[following] = child
        if following is not None:
            following._loop.call_soon_threadsafe(following._provided, child if child.alive else None)


class SphinxListener:
    """One utterance; see `rtnb.local.seams.Listener`."""

    def __init__(self, hearing: SphinxHearing, phrases: list[str]) -> None:
        self._hearing = hearing
        self._phrases = phrases
        self._loop = asyncio.get_running_loop()
        self._downsampler = Downsampler()
        self._detector = default_detector()
        self._speech_s = 0.0
        self._rest = b""  # 24 kHz bytes that do not yet make three samples
        self._lead_s = 0.0
        self._has_begun = False
        self._sound = bytearray()  # the whole utterance at 16 kHz: kept, in case the process dies
        self._n_sent = 0
        self._n_heard = 0
        self._child: Child | None = None
        self._stream = 0
        self._partial = ""
        self._ending = False
        self._end_sent = False
        self._n_deaths = 0
        self._n_frames = 0  # came from the process
        self._tasks: set[asyncio.Task[None]] = set()
        self._final: asyncio.Future[Transcript] = self._loop.create_future()

    @property
    def over(self) -> bool:
        """Whether the final text is known, or no longer wanted."""
        return self._final.done()

    @property
    def backlog_s(self) -> float:
        """How many seconds of sound have been pushed and not been heard yet."""
        return (len(self._sound) - self._n_heard) / 32_000

    async def push(self, pcm: bytes) -> str:
        """Take 24 kHz PCM16, any length; return the text so far."""
        for start in range(0, len(pcm), _SLICE):
            if not self.over:
                self._take(pcm[start : start + _SLICE])
            await asyncio.sleep(0)
        await asyncio.sleep(0)  # what has come from the process meanwhile gets its turn
        return self._partial

    def _take(self, pcm: bytes) -> None:
        frames = self._detector.push(pcm)
        self._speech_s += sum(probability >= 0.5 for probability in frames) * self._detector.frame_ms / 1000
        data = self._rest + pcm
        whole = len(data) // 6 * 6
        self._rest = data[whole:]
        if whole and not self._has_begun:
            self._has_begun = True
            start = np.frombuffer(data[:whole], dtype="<i2")[:_LOUD_SAMPLES].astype(np.float32)
            if float(np.sqrt(np.mean(start**2))) > _LOUD:
                self._lead_s = _LEAD_S
                self._sound += _LEAD
        low = self._downsampler.push(np.frombuffer(data[:whole], dtype="<i2").astype(np.float32))
        self._sound += np.clip(np.rint(low), -32768, 32767).astype("<i2").tobytes()
        self._pump()

    async def finish(self) -> Transcript:
        """Wait for the final text, some 20 ms."""
        if self._speech_s < LEAST_SPEECH_S:
            self._abandon(Transcript(""))
        self._ending = True
        self._pump()
        try:
            while True:
                child, n_frames = self._child, self._n_frames
                done, _ = await asyncio.wait([self._final], timeout=self._hearing.patience_s)
                if done:
                    return self._final.result()
                if child is not None and (child, n_frames) == (self._child, self._n_frames):
                    await asyncio.to_thread(child.close)  # what follows is as if it had died
        except asyncio.CancelledError:
            await self.cancel()
            raise

    async def cancel(self) -> None:
        """Throw the utterance away."""
        self._abandon(Transcript("", failed="The utterance was thrown away."))

    def _abandon(self, transcript: Transcript) -> None:
        """Settle without the process."""
        if self._child is not None and not self.over:
            self._child.send(b"C", self._stream)
        self._settle(transcript)

    def _provided(self, child: Child | None) -> None:
        """A process is free for this utterance, or a new one may be started for it."""
        if child is not None and not self.over:
            self._begin(child)
        elif child is not None:
            self._hearing._give_back(self)
        else:
            self._look_for_another()

    def _look_for_another(self) -> None:
        task = self._loop.create_task(self._hearing._provide(self))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _begin(self, child: Child) -> None:
        self._child = child
        self._n_sent = self._n_heard = 0
        self._end_sent = False
        try:
            self._stream = child.open(self._on_frame)
        except ChildGone as exc:
            self._arrived(GONE, str(exc).encode(), 0)
            return
        child.send(b"B", self._stream, json.dumps({"phrases": self._phrases}).encode())
        self._pump()

    def _pump(self) -> None:
        """Send what may be sent."""
        if self._child is None or self.over:
            return
        while self._n_sent < len(self._sound) and self._n_sent - self._n_heard < _IN_FLIGHT:
            chunk = bytes(self._sound[self._n_sent : self._n_sent + _CHUNK])
            self._child.send(b"A", self._stream, chunk)
            self._n_sent += len(chunk)
        if self._ending and not self._end_sent and self._n_sent == len(self._sound):
            self._child.send(b"E", self._stream)
            self._end_sent = True

    def _on_frame(self, kind: bytes, payload: bytes) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._arrived, kind, payload, self._n_deaths)

    def _arrived(self, kind: bytes, payload: bytes, life: int) -> None:
        self._n_frames += 1
        if self.over or (life != self._n_deaths and kind != GONE):
            return
        if kind == b"P":
            news = json.loads(payload)
            self._n_heard = news["bytes"]
            if self._speech_s >= 0.3:  # before that any words are a guess
                self._partial = news["text"]
            self._pump()
        elif kind == b"F":
            self._settle(_later(judge(json.loads(payload), self._speech_s), -self._lead_s))
        elif kind == GONE:
            self._n_deaths += 1
            self._child = None
            if self._n_deaths > 1:
                self._fail(f"PocketSphinx does not run: {payload.decode()}.")
            else:
                self._hearing._give_back(self)
                self._look_for_another()
        else:
            self._fail(json.loads(payload)["message"])

    def _fail(self, reason: str) -> None:
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._settle, Transcript("", failed=reason))

    def _settle(self, transcript: Transcript) -> None:
        if self.over:
            return
        self._final.set_result(transcript)
        if self._child is not None:
            self._child.forget(self._stream)
        self._hearing._give_back(self)


def _later(transcript: Transcript, seconds: float) -> Transcript:
    """Move the times of the words."""
    if not seconds:
        return transcript
    words = tuple(
        {**word, **{end: round(max(word[end] + seconds, 0.0), 2) for end in ("start", "end")}}
        for word in transcript.words
    )
    return replace(transcript, words=words)


def expected(settings: Mapping[str, Any]) -> list[str]:
    """List the phrases of a transcription prompt and its keywords, as the recogniser's dictionary spells words.

    Examples
    --------
    >>> expected({"prompt": "Expect names: Zurich, the Matterhorn."})
    ['expect names', 'zurich', 'the matterhorn']
    """
    texts = [str(settings.get("prompt") or ""), *(str(word) for word in settings.get("keywords") or ())]
    phrases = (
        " ".join(re.findall(r"[a-z']+", part.lower())) for text in texts for part in re.split(r"[.,;:!?\n]", text)
    )
    return [phrase for phrase in phrases if phrase][:200]


@functools.cache
def _lessons() -> bytes:
    return json.dumps({"sentences": list(sentences())}).encode()


def _started() -> Child:
    script = Path(__file__).with_name("sphinx_child.py")
    child = Child([sys.executable, "-P", str(script)])  # -P: this folder's names must not hide the library's
    child.send(b"L", 0, _lessons())
    return child
