"""G.711, the format of telephones, for loudspeakers that do not know it.

A session may give 8 kHz mu-law or A-law (``audio/pcmu``, ``audio/pcma``); everything here that takes sound works with
24 kHz PCM16.

Imports `rtnb.core`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rtnb.core.audio import Resampler, decode_pcma, decode_pcmu, float_to_pcm16
from rtnb.core.items import Item
from rtnb.core.protocol import BYTES_PER_MS, RATE

__all__ = ["FromTelephone", "format_of", "is_telephone", "pcm_of_item"]

_RATE: Final = 8_000
_MU: Final = "audio/pcmu"
_A: Final = "audio/pcma"


def is_telephone(format: object) -> bool:
    """Whether a format of the protocol is one of the two."""
    return format in (_MU, _A)


def format_of(settings: Mapping[str, Any], side: str) -> str | None:
    """The format that a session or response object names for ``"input"`` or ``"output"``; None when it names none."""
    inner: Any = settings
    for name in ("audio", side, "format", "type"):
        inner = inner.get(name) if isinstance(inner, Mapping) else None
    return inner if isinstance(inner, str) else None


class FromTelephone:
    """A stream of G.711 as 24 kHz PCM16.

    Parameters
    ----------
    format
        ``audio/pcmu`` or ``audio/pcma``.
    """

    def __init__(self, format: str) -> None:
        self._decode = decode_pcma if format == _A else decode_pcmu
        self._resampler = Resampler(_RATE, RATE)

    def push(self, data: bytes) -> bytes:
        """Take the next bytes; gives what is ready."""
        return float_to_pcm16(self._resampler.push(self._decode(data).astype("float32") / 32768))

    def flush(self) -> bytes:
        """Give the rest: what comes out is exactly as long as what went in."""
        return float_to_pcm16(self._resampler.flush())


def pcm_of_item(item: Item) -> bytes:
    """All audio of an item as 24 kHz PCM16, whatever the format it came in."""
    data = item.audio()
    if item.bytes_per_ms == BYTES_PER_MS:
        return data
    reader = FromTelephone((format_of(item.response.raw, "output") if item.response is not None else None) or _MU)
    return reader.push(data) + reader.flush()
