"""eSpeak NG as a voice, in a process of its own.

Licence: eSpeak NG is GPLv3 or later (https://github.com/espeak-ng/espeak-ng). It comes with the optional package
``espeakng-loader``, which carries no licence file of its own. rtnb neither imports nor links it: `espeak_child` is a
program that loads the library and speaks over pipes, and this module only asks where the library lies.

Its voices sound like a machine and are understood by everybody; the first sound is there after some milliseconds.

Imports `rtnb.local.child` and its neighbours; nothing heavy before the first word is spoken.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import itertools
import json
import sys
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from rtnb.core.errors import RtnbError
from rtnb.core.protocol import RATE
from rtnb.local.child import GONE, Child, ChildGone
from rtnb.local.seams import Speech
from rtnb.local.voice.pieces import sentences

__all__ = ["CHARACTERS", "Character", "EspeakVoice", "character"]

_LOADER: Final = "espeakng_loader"
_INSTALL: Final = "eSpeak NG is not installed: run  pip install 'rtnb[local]'  (or  pip install espeakng-loader )"
_TEMPO: Final = 165  # words a minute at speed 1
_SLOWEST: Final = 80  # the library speaks no slower; pauses between words do the rest


@dataclass(frozen=True)
class Character:
    """How one of the service's voices sounds here: an eSpeak NG voice, and its pitch and liveliness (0..100)."""

    espeak: str
    pitch: int = 50
    range: int = 50
    tempo: float = 1.0


CHARACTERS: Final[dict[str, Character]] = {
    "alloy": Character("en-us+f2", 50, 50),
    "ash": Character("en-us+m6", 42, 45),
    "ballad": Character("en-gb-scotland+edward", 48, 60, 0.95),
    "coral": Character("en-us+f5", 55, 60),
    "echo": Character("en-us+klatt3", 45, 45),
    "sage": Character("en-gb-x-rp+f2", 45, 45, 0.96),
    "shimmer": Character("en-us+f1", 62, 65, 1.03),
    "verse": Character("en-us+Hugo", 50, 60),
    "marin": Character("en-us+announcer", 50, 50),
    "cedar": Character("en-us+klatt5", 38, 40, 0.96),
}
"""The service's voice names and what stands in for them: those voices that a recogniser understands best."""


def character(voice: str) -> Character:
    """Find how a voice sounds: by the service's name, by ``espeak:NAME``, else any of them, always the same.

    Examples
    --------
    >>> character("espeak:en-us+edward").espeak
    'en-us+edward'
    """
    if voice.startswith("espeak:"):
        return Character(voice.removeprefix("espeak:"))
    if voice not in CHARACTERS:
        names = sorted(CHARACTERS)
        voice = names[hashlib.sha256(voice.encode()).digest()[0] % len(names)]
    return CHARACTERS[voice]


def locate() -> tuple[Path, Path] | None:
    """Find the library and its data without importing the package; None when it is not installed."""
    found = importlib.util.find_spec(_LOADER)
    if found is None or not found.submodule_search_locations:
        return None
    folder = Path(next(iter(found.submodule_search_locations)))
    name = {"win32": "espeak-ng.dll", "darwin": "libespeak-ng.dylib"}.get(sys.platform, "libespeak-ng.so")
    library, data = folder / name, folder / "espeak-ng-data"
    return (library, data) if library.exists() and data.is_dir() else None


class EspeakVoice:
    """Speak with eSpeak NG (GPLv3, in a process of its own).

    The process is started with the first sentence, shared by all sessions of the endpoint, and started again should it
    die. Text is spoken sentence by sentence; each word is a `Speech` of its own, cut where the word begins.

    Raises
    ------
    RtnbError
        From `speak`, when eSpeak NG is not installed or does not run.
    """

    name = "espeak-ng"
    patience_s: float = 20.0
    """How long a sentence may take; a process that needs longer hangs, and is replaced."""

    def __init__(self) -> None:
        self._child: Child | None = None
        self._starting = threading.Lock()
        self._closed = False

    async def speak(self, text: str, *, voice: str, speed: float = 1.0) -> AsyncIterator[Speech]:
        """Speak one or more sentences; see `rtnb.local.seams.Voice`. `voice` may also be ``espeak:NAME``."""
        sound = character(voice)
        for sentence in sentences(text):
            if not any(letter.isalnum() for letter in sentence):
                yield Speech(b"", sentence)
                continue
            for speech in await self._sentence(sentence, sound, speed):
                yield speech

    async def close(self) -> None:
        """End the process."""
        self._closed = True
        child, self._child = self._child, None
        if child is not None:
            await asyncio.to_thread(child.close)

    def _running(self) -> Child:
        with self._starting:
            if self._closed:
                raise RtnbError("This voice has been closed.")
            if self._child is None or not self._child.alive:
                if self._child is not None:
                    self._child.close()
                where = locate()
                if where is None:
                    raise RtnbError(_INSTALL)
                script = Path(__file__).with_name("espeak_child.py")
                # -I: nothing of the user's environment can get in the way; the script needs the standard library only.
                self._child = Child([sys.executable, "-I", "-S", str(script), str(where[0]), str(where[1])])
            return self._child

    async def _sentence(self, sentence: str, sound: Character, speed: float) -> list[Speech]:
        order = {"text": sentence, "voice": sound.espeak, "pitch": sound.pitch, "range": sound.range}
        order |= pace(speed * sound.tempo)
        try:
            return await self._ask(sentence, order)
        except ChildGone:  # it may have died since the last sentence: once more, in a new process
            try:
                return await self._ask(sentence, order)
            except ChildGone as exc:
                raise RtnbError(f"eSpeak NG does not run: {exc}.") from exc

    async def _ask(self, sentence: str, order: dict[str, Any]) -> list[Speech]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[tuple[bytes, bytes]] = loop.create_future()
        audio: list[bytes] = []

        def answered(kind: bytes, payload: bytes) -> None:
            if not answer.done():
                answer.set_result((kind, payload))

        def on_frame(kind: bytes, payload: bytes) -> None:
            if kind == b"A":
                audio.append(payload)
            elif not loop.is_closed():
                loop.call_soon_threadsafe(answered, kind, payload)

        child = self._running()
        stream = child.open(on_frame)
        try:
            child.send(b"S", stream, json.dumps(order).encode())
            async with asyncio.timeout(self.patience_s):
                kind, payload = await answer
        except TimeoutError:
            await asyncio.to_thread(child.close)
            raise ChildGone(f"the process gave no answer within {self.patience_s:g} s") from None
        except asyncio.CancelledError:
            child.send(b"C", stream)
            raise
        finally:
            child.forget(stream)
        if kind == GONE:
            raise ChildGone(payload.decode())
        outcome = json.loads(payload)
        if kind != b"D":
            raise RtnbError(f"eSpeak NG could not speak: {outcome['message']}.")
        return _cut(sentence, b"".join(audio), outcome["rate"], outcome["words"])


def pace(speed: float) -> dict[str, int]:
    """Give the library's words a minute, and its pause between words, for a speed of 0.25 to 1.5."""
    wanted = _TEMPO * min(max(speed, 0.2), 1.6)
    if wanted >= _SLOWEST:
        return {"rate": round(wanted), "gap": 0}
    # At 80 words a minute one word takes 750 ms; the rest of the time that a word should take is pause.
    missing_ms = 60_000 / wanted - 60_000 / _SLOWEST
    return {"rate": _SLOWEST, "gap": round(missing_ms / 10 * 0.28)}


def _cut(text: str, pcm: bytes, rate: int, words: list[tuple[int, int]]) -> list[Speech]:
    """Bring one sentence to 24 kHz and cut it where words begin."""
    import soxr  # loaded with the first word

    samples = np.frombuffer(pcm, dtype="<i2")
    if not samples.size:
        return [Speech(b"", text)]
    whole = soxr.resample(samples.astype(np.float32) / 32768, rate, RATE, quality="HQ")
    out = np.rint(np.clip(whole, -1.0, 1.0) * 32767).astype("<i2")
    marks = [(0, 0)]
    for sample, position in words:
        at = min(round(sample * RATE / rate), out.size)
        if at > marks[-1][0] and marks[-1][1] < position < len(text):
            marks.append((at, position))
    if len(marks) > 1 and not text[: marks[1][1]].strip():
        marks[1] = (0, 0)  # silence before the first word is no word of its own
        del marks[0]
    marks.append((out.size, len(text)))
    return [
        Speech(out[start:end].tobytes(), text[first:last]) for (start, first), (end, last) in itertools.pairwise(marks)
    ]
