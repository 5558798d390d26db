"""Adapters for other engines that one may have: each takes a local path, and nothing is downloaded.

They need packages that rtnb does not install; the first sentence says so, with the line that installs them.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np

from rtnb.core.errors import RtnbError
from rtnb.core.protocol import RATE
from rtnb.local.seams import Speech
from rtnb.local.voice.pieces import sentences

__all__ = ["KokoroVoice", "PiperVoice"]


class PiperVoice:
    """Speak with Piper (package ``piper-tts``), which runs as a program of its own for each sentence.

    Licence: Piper is GPLv3 or later, hence its own process; each voice has a licence of its own.

    Parameters
    ----------
    model
        The voice's ``.onnx`` file, with its ``.onnx.json`` beside it. It has one voice: `voice` of `speak` is ignored.
    rate
        The voice's sampling rate, as its ``.onnx.json`` says.
    """

    name = "piper"

    def __init__(self, model: str | Path, *, rate: int = 22_050) -> None:
        self._model = Path(model)
        self._rate = rate

    async def speak(self, text: str, *, voice: str, speed: float = 1.0) -> AsyncIterator[Speech]:
        """Speak one or more sentences; see `rtnb.local.seams.Voice`."""
        if importlib.util.find_spec("piper") is None:
            raise RtnbError("Piper is not installed: run  pip install piper-tts")
        if not self._model.is_file():
            raise RtnbError(f"There is no Piper voice at {self._model}.")
        for sentence in sentences(text):
            yield Speech(_to_24k(await self._run(sentence.strip(), speed), self._rate), sentence)

    async def close(self) -> None:
        """Nothing is held."""

    async def _run(self, sentence: str, speed: float) -> bytes:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "piper", "--model", str(self._model), "--output-raw"),
            *("--length-scale", f"{1 / speed:.3f}"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            pcm, complaint = await process.communicate(sentence.encode() + b"\n")
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            raise
        if process.returncode:
            lines = complaint.decode(errors="replace").strip().splitlines() or ["no reason given"]
            raise RtnbError(f"Piper could not speak: {lines[-1]}")
        return pcm


class KokoroVoice:
    """Speak with Kokoro through ``kokoro-onnx``, in a thread.

    Licence: kokoro-onnx is MIT and the model Apache 2.0, but to find the sounds of words it loads eSpeak NG (GPLv3)
    into this process: mind that before you pass a program on.

    Parameters
    ----------
    model, voices
        The files ``kokoro-v1.0.onnx`` and ``voices-v1.0.bin``.
    voice
        One of its voices, for every voice asked for.
    """

    name = "kokoro"

    def __init__(self, model: str | Path, voices: str | Path, *, voice: str = "af_heart") -> None:
        self._paths = (str(model), str(voices))
        self._voice = voice
        self._engine: Any = None

    async def speak(self, text: str, *, voice: str, speed: float = 1.0) -> AsyncIterator[Speech]:
        """Speak one or more sentences; see `rtnb.local.seams.Voice`."""
        for sentence in sentences(text):
            samples, rate = await asyncio.to_thread(self._run, sentence.strip(), speed)
            pcm = np.rint(np.clip(samples, -1.0, 1.0) * 32767).astype("<i2").tobytes()
            yield Speech(_to_24k(pcm, rate), sentence)

    async def close(self) -> None:
        """Let the model go."""
        self._engine = None

    def _run(self, sentence: str, speed: float) -> tuple[Any, int]:
        if self._engine is None:
            try:
                package = importlib.import_module("kokoro_onnx")
            except ImportError as exc:
                raise RtnbError("Kokoro is not installed: run  pip install kokoro-onnx") from exc
            self._engine = package.Kokoro(*self._paths)
        samples, rate = self._engine.create(sentence, voice=self._voice, speed=max(0.5, speed), lang="en-us")
        return samples, int(rate)


def _to_24k(pcm: bytes, rate: int) -> bytes:
    if rate == RATE or not pcm:
        return pcm
    import soxr

    samples = np.frombuffer(pcm[: len(pcm) // 2 * 2], dtype="<i2").astype(np.float32) / 32768
    out = soxr.resample(samples, rate, RATE, quality="HQ")
    result: bytes = np.rint(np.clip(out, -1.0, 1.0) * 32767).astype("<i2").tobytes()
    return result
