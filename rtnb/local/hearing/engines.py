"""Adapters for other recognisers that one may have: each takes a local path, and nothing is downloaded.

They need packages that rtnb does not install; the transcript's `failed` says so, with the line that installs them.
Each works in a thread: where an engine holds the interpreter's lock, put it behind a server and use `HttpHearing`.
"""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rtnb.local.detect import Downsampler
from rtnb.local.seams import Transcript

__all__ = ["FasterWhisperHearing", "MoonshineHearing", "VoskHearing"]


class _LocalHearing:
    """What the adapters share: the model is loaded once, and hears an utterance when it is over."""

    name = ""
    install = ""

    def __init__(self, model: str | Path, **options: Any) -> None:
        self._path = Path(model)
        self._options = options
        self._model: Any = None
        self._one_at_a_time = asyncio.Lock()

    async def listen(self, settings: Mapping[str, Any]) -> _Recording:
        """Begin an utterance."""
        return _Recording(self, settings)

    async def close(self) -> None:
        """Let the model go."""
        self._model = None

    async def hear(self, samples: np.ndarray[Any, np.dtype[np.float32]], settings: Mapping[str, Any]) -> Transcript:
        """Hear one utterance, 16 kHz float samples."""
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._work, samples, dict(settings))

    def _work(self, samples: np.ndarray[Any, np.dtype[np.float32]], settings: Mapping[str, Any]) -> Transcript:
        if not self._path.exists():
            return Transcript("", failed=f"There is no model for {self.name} at {self._path}.")
        try:
            if self._model is None:
                self._model = self._load()
            return self._run(self._model, samples, settings)
        except ImportError:
            return Transcript("", failed=f"{self.name} is not installed: run  {self.install}")
        except Exception as exc:  # noqa: BLE001  (an engine of somebody else: whatever fails, the session goes on)
            return Transcript("", failed=f"{self.name} could not hear this: {exc}")

    def _load(self) -> Any:
        raise NotImplementedError

    def _run(
        self, model: Any, samples: np.ndarray[Any, np.dtype[np.float32]], settings: Mapping[str, Any]
    ) -> Transcript:
        raise NotImplementedError


class _Recording:
    """Keeps an utterance until it is over."""

    def __init__(self, hearing: _LocalHearing, settings: Mapping[str, Any]) -> None:
        self._hearing = hearing
        self._settings = settings
        self._pcm = bytearray()

    async def push(self, pcm: bytes) -> str:
        self._pcm += pcm
        return ""

    async def finish(self) -> Transcript:
        whole = bytes(self._pcm[: len(self._pcm) // 6 * 6])
        if not whole:
            return Transcript("")
        samples = np.frombuffer(whole, dtype="<i2").astype(np.float32) / np.float32(32768)
        return await self._hearing.hear(Downsampler().push(samples), self._settings)

    async def cancel(self) -> None:
        self._pcm.clear()


class FasterWhisperHearing(_LocalHearing):
    """Hear with faster-whisper (MIT; the Whisper models too).

    Parameters
    ----------
    model
        A folder with a CTranslate2 model.
    options
        Passed to ``faster_whisper.WhisperModel``: ``device``, ``compute_type`` ...
    """

    name = "faster-whisper"
    install = "pip install faster-whisper"

    def _load(self) -> Any:
        package = importlib.import_module("faster_whisper")
        return package.WhisperModel(str(self._path), local_files_only=True, **self._options)

    def _run(
        self, model: Any, samples: np.ndarray[Any, np.dtype[np.float32]], settings: Mapping[str, Any]
    ) -> Transcript:
        segments, _ = model.transcribe(
            samples, language=settings.get("language"), initial_prompt=settings.get("prompt"), beam_size=5
        )
        heard = [segment for segment in segments if segment.no_speech_prob < 0.6]
        if not heard:
            return Transcript("")
        confidence = float(np.exp(np.mean([segment.avg_logprob for segment in heard])))
        return Transcript("".join(segment.text for segment in heard).strip(), confidence=min(confidence, 1.0))


class MoonshineHearing(_LocalHearing):
    """Hear with Moonshine through ``useful-moonshine-onnx`` (MIT; its English models too).

    Parameters
    ----------
    model
        A folder with the model's ``.onnx`` files.
    model_name
        Which size they are: ``"base"`` or ``"tiny"``.
    """

    name = "moonshine"
    install = "pip install useful-moonshine-onnx"

    def _load(self) -> Any:
        package = importlib.import_module("moonshine_onnx")
        options = {"model_name": "base", **self._options}
        return package.MoonshineOnnxModel(models_dir=str(self._path), **options), package.load_tokenizer()

    def _run(
        self, model: Any, samples: np.ndarray[Any, np.dtype[np.float32]], settings: Mapping[str, Any]
    ) -> Transcript:
        engine, tokenizer = model
        return Transcript(str(tokenizer.decode_batch(engine.generate(samples[np.newaxis, :]))[0]).strip())


class VoskHearing(_LocalHearing):
    """Hear with Vosk (Apache 2.0; its small models too).

    Parameters
    ----------
    model
        A folder with a Vosk model.
    """

    name = "vosk"
    install = "pip install vosk"

    def _load(self) -> Any:
        vosk = importlib.import_module("vosk")
        vosk.SetLogLevel(-1)
        return vosk.Model(str(self._path))

    def _run(
        self, model: Any, samples: np.ndarray[Any, np.dtype[np.float32]], settings: Mapping[str, Any]
    ) -> Transcript:
        recogniser = importlib.import_module("vosk").KaldiRecognizer(model, 16_000)
        recogniser.SetWords(True)
        recogniser.AcceptWaveform(np.rint(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
        result = json.loads(recogniser.FinalResult())
        words = result.get("result", [])
        confidence = float(np.mean([word["conf"] for word in words])) if words else None
        return Transcript(result.get("text", ""), confidence=confidence)
