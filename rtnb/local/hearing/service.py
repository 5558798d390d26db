"""Hearing behind a URL: any server that speaks OpenAI's ``POST /v1/audio/transcriptions``.

Imports httpx with the first utterance.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rtnb.core.audio import Audio
from rtnb.core.errors import redact
from rtnb.core.protocol import RATE
from rtnb.local.seams import Transcript

__all__ = ["HttpHearing"]

_SHORTEST: Final = RATE * 2 // 10  # bytes: servers refuse less than 100 ms


class HttpHearing:
    """Hear through a server's ``/v1/audio/transcriptions``: the utterance is sent as one WAV file when it is over.

    There are no partial texts. Whatever goes wrong is told in the transcript's `failed`, never with the key. Licence
    and price are the server's.

    Parameters
    ----------
    url
        The server's base, ``http://127.0.0.1:8000/v1``, or the whole path up to ``/audio/transcriptions``.
    model
        As the server names it.
    api_key
        Sent as a bearer token; never shown.
    timeout
        Seconds without an answer.
    """

    name = "http"

    def __init__(self, url: str, model: str, api_key: str | None = None, *, timeout: float = 30.0) -> None:
        self._url = url.rstrip("/")
        if not self._url.endswith("/audio/transcriptions"):
            self._url += "/audio/transcriptions"
        self._model = model
        self._key = api_key
        self._timeout = timeout
        self._client: Any = None

    def __repr__(self) -> str:
        return f"<HttpHearing {redact(self._url, self._key)}>"

    async def listen(self, settings: Mapping[str, Any]) -> _Recording:
        """Begin an utterance; ``language`` and ``prompt`` of the settings are passed on."""
        return _Recording(self, settings)

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def transcribe(self, pcm: bytes, settings: Mapping[str, Any]) -> Transcript:
        """Send one utterance, 24 kHz PCM16."""
        import httpx

        if len(pcm) < _SHORTEST:
            return Transcript("")
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=self._timeout)
        sound = Audio(pcm[: len(pcm) // 2 * 2], RATE).to_wav()
        fields = {"model": self._model, "response_format": "json"}
        fields |= {key: str(settings[key]) for key in ("language", "prompt") if settings.get(key)}
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        try:
            answer = await self._client.post(
                self._url, data=fields, files={"file": ("speech.wav", sound, "audio/wav")}, headers=headers
            )
        except httpx.TimeoutException:
            return self._failed(f"gave no answer within {self._timeout:g} s")
        except httpx.HTTPError as exc:
            return self._failed(f"cannot be reached: {exc}")
        if answer.status_code != 200:
            return self._failed(f"answered {answer.status_code}: {answer.text[:300]}")
        try:
            text = answer.json()["text"]
        except (ValueError, KeyError, TypeError):
            return self._failed("sent something that is not a transcription")
        if not isinstance(text, str):
            return self._failed("sent something that is not a transcription")
        return Transcript(text.strip())

    def _failed(self, reason: str) -> Transcript:
        return Transcript("", failed=redact(f"The transcription server at {self._url} {reason}.", self._key))


class _Recording:
    """Keeps an utterance until it is over."""

    def __init__(self, hearing: HttpHearing, settings: Mapping[str, Any]) -> None:
        self._hearing = hearing
        self._settings = dict(settings)
        self._pcm = bytearray()

    async def push(self, pcm: bytes) -> str:
        self._pcm += pcm
        return ""

    async def finish(self) -> Transcript:
        return await self._hearing.transcribe(bytes(self._pcm), self._settings)

    async def cancel(self) -> None:
        self._pcm.clear()
