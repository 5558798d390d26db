"""Speech to text for the local endpoint.

| Engine | Class | Licence | Where it runs |
|---|---|---|---|
| PocketSphinx | `SphinxHearing` (the default with the ``local`` extra) | BSD | processes of its own |
| none | `NoHearing` (the default without it) | | |
| any server with ``/v1/audio/transcriptions`` | `HttpHearing` | the server's | behind a URL |
| faster-whisper | `FasterWhisperHearing` | MIT, Whisper's models too | a thread here |
| Moonshine | `MoonshineHearing` | MIT, the English models too | a thread here |
| Vosk | `VoskHearing` | Apache 2.0, the small models too | a thread here |

Imports rtnb.core.protocol, rtnb.core.errors and its neighbours in rtnb.local.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rtnb.local.hearing.engines import FasterWhisperHearing, MoonshineHearing, VoskHearing
from rtnb.local.hearing.service import HttpHearing
from rtnb.local.hearing.sphinx import SphinxHearing
from rtnb.local.seams import Hearing, Transcript

__all__ = [
    "FasterWhisperHearing",
    "HttpHearing",
    "MoonshineHearing",
    "NoHearing",
    "SphinxHearing",
    "VoskHearing",
    "default_hearing",
]


def default_hearing() -> Hearing:
    """Choose the best hearing that is installed; starts nothing before the first utterance."""
    return SphinxHearing() if SphinxHearing.available() else NoHearing()


class NoHearing:
    """No recogniser is installed: every utterance fails, and says what to install."""

    name = "none"

    async def listen(self, settings: Mapping[str, Any]) -> _Deaf:
        """Begin an utterance that will not be understood."""
        return _Deaf()

    async def close(self) -> None:
        """Nothing is held."""


class _Deaf:
    async def push(self, pcm: bytes) -> str:
        return ""

    async def finish(self) -> Transcript:
        return Transcript("", failed="No speech recognition is installed here: run  pip install 'rtnb[local]'")

    async def cancel(self) -> None:
        return
