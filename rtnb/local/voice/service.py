"""A voice behind a URL: any server that speaks OpenAI's ``POST /v1/audio/speech``.

Imports httpx and soxr with the first sentence.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import numpy as np

from rtnb.core.errors import RtnbError, redact
from rtnb.core.protocol import RATE
from rtnb.local.seams import Speech
from rtnb.local.voice.pieces import sentences

__all__ = ["HttpVoice", "PcmStream"]

_UNKNOWN: Final = 0xFFFFFFFF  # length of a WAV file that is written while it is made; some write 0
_LONGEST_HEADER: Final = 1 << 16


class HttpVoice:
    """Speak through a server's ``/v1/audio/speech``; its audio is streamed as it comes.

    Such a server tells nothing of word times: the words of a sentence come with the first piece of its audio. Licence
    and price are the server's.

    Parameters
    ----------
    url
        The server's base, ``http://127.0.0.1:8880/v1``, or the whole path up to ``/audio/speech``.
    model
        As the server names it.
    api_key
        Sent as a bearer token; never shown.
    voice
        The server's voice for every voice asked for; by default the name is passed on as it is.
    timeout
        Seconds without an answer.

    Raises
    ------
    RtnbError
        From `speak`: the server cannot be reached, or refuses.
    """

    name = "http"

    def __init__(
        self, url: str, model: str, api_key: str | None = None, *, voice: str | None = None, timeout: float = 30.0
    ) -> None:
        self._url = url.rstrip("/")
        if not self._url.endswith("/audio/speech"):
            self._url += "/audio/speech"
        self._model = model
        self._key = api_key
        self._voice = voice
        self._timeout = timeout
        self._client: Any = None

    def __repr__(self) -> str:
        return f"<HttpVoice {redact(self._url, self._key)}>"

    async def speak(self, text: str, *, voice: str, speed: float = 1.0) -> AsyncIterator[Speech]:
        """Speak one or more sentences; see `rtnb.local.seams.Voice`."""
        for sentence in sentences(text):
            if not any(letter.isalnum() for letter in sentence):
                yield Speech(b"", sentence)
                continue
            words = sentence
            async for pcm in self._sentence(sentence, voice, speed):
                yield Speech(pcm, words)
                words = ""
            if words:
                yield Speech(b"", words)

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _sentence(self, sentence: str, voice: str, speed: float) -> AsyncIterator[bytes]:
        import httpx

        if self._client is None:
            self._client = httpx.AsyncClient(timeout=self._timeout)
        order = {
            "model": self._model,
            "input": sentence.strip(),
            "voice": self._voice or voice,
            "speed": speed,
            "response_format": "pcm",
        }
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        sound = PcmStream()
        try:
            async with self._client.stream("POST", self._url, json=order, headers=headers) as answer:
                if answer.status_code != 200:
                    body = (await answer.aread()).decode(errors="replace")[:300]
                    raise self._problem(f"answered {answer.status_code}: {body}")
                async for data in answer.aiter_bytes():
                    if pcm := sound.push(data):
                        yield pcm
        except httpx.TimeoutException as exc:
            raise self._problem(f"gave no answer within {self._timeout:g} s") from exc
        except httpx.HTTPError as exc:
            raise self._problem(f"cannot be reached: {exc}") from exc
        except ValueError as exc:
            raise self._problem(str(exc)) from exc
        if pcm := sound.flush():
            yield pcm

    def _problem(self, text: str) -> RtnbError:
        return RtnbError(redact(f"The speech server at {self._url} {text}", self._key))


class PcmStream:
    """What such servers send as ``pcm``: 24 kHz PCM16, or a WAV file of any rate, in pieces of any size.

    Raises
    ------
    ValueError
        From `push`: the sound is in a format that it does not know.
    """

    def __init__(self) -> None:
        self._head: bytearray | None = bytearray()  # what came before it was clear what this is
        self._rest = b""
        self._left = _UNKNOWN  # bytes of sound that are still to come
        self._channels = 1
        self._resampler: Any = None

    def push(self, data: bytes) -> bytes:
        """Take some bytes; return 24 kHz PCM16."""
        if self._head is None:
            return self._sound(data)
        self._head += data
        head = bytes(self._head)
        if len(head) < 4:
            return b""
        if head.startswith((b"ID3", b"\xff\xfb", b"\xff\xf3", b"OggS", b"fLaC")):
            raise ValueError("sent compressed sound; it must be able to send pcm or wav")
        start = 0
        if head.startswith(b"RIFF"):
            found = self._wav(head)
            if found is None:
                if len(head) > _LONGEST_HEADER:
                    raise ValueError("sent a WAV file without a data chunk")
                return b""
            start = found
        self._head = None
        return self._sound(head[start:])

    def flush(self) -> bytes:
        """Return what was held back."""
        if self._head:
            head, self._head = bytes(self._head), None
            return b"" if head.startswith(b"RIFF") else self._samples(head)
        if self._resampler is None:
            return b""
        return self._bytes(self._resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True))

    def _wav(self, head: bytes) -> int | None:
        """Read the header; return where the samples begin, None when it is not complete."""
        position = 12
        while position + 8 <= len(head):
            name, length = head[position : position + 4], int.from_bytes(head[position + 4 : position + 8], "little")
            body = position + 8
            if name == b"data":
                self._left = length or _UNKNOWN
                return body
            if body + min(length, 16) > len(head):
                return None
            if name == b"fmt ":
                coding, self._channels = (int.from_bytes(head[body + n : body + n + 2], "little") for n in (0, 2))
                rate = int.from_bytes(head[body + 4 : body + 8], "little")
                bits = int.from_bytes(head[body + 14 : body + 16], "little")
                if coding not in (1, 0xFFFE) or bits != 16 or not self._channels:
                    raise ValueError(f"sent a WAV file with {bits} bits, format {coding}; only PCM16 is understood")
                if rate != RATE:
                    import soxr

                    self._resampler = soxr.ResampleStream(rate, RATE, 1, dtype="float32")
            position = body + length + length % 2
        return None

    def _sound(self, data: bytes) -> bytes:
        """Take bytes of the file as far as they are sound: a WAV file may end with chunks of other things."""
        if self._left != _UNKNOWN:
            data = data[: self._left]
            self._left -= len(data)
        return self._samples(data)

    def _samples(self, data: bytes) -> bytes:
        data = self._rest + data
        step = 2 * self._channels
        whole = len(data) // step * step
        self._rest = data[whole:]
        if self._channels == 1 and self._resampler is None:
            return data[:whole]
        samples = np.frombuffer(data[:whole], dtype="<i2").reshape(-1, self._channels).astype(np.float32).mean(axis=1)
        samples = (samples / 32768).astype(np.float32)
        return self._bytes(self._resampler.resample_chunk(samples) if self._resampler is not None else samples)

    @staticmethod
    def _bytes(samples: np.ndarray[Any, np.dtype[np.float32]]) -> bytes:
        pcm: bytes = np.rint(np.clip(samples, -1.0, 1.0) * 32767).astype("<i2").tobytes()
        return pcm
