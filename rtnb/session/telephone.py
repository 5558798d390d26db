"""G.711, the format of telephones, for loudspeakers and microphones that do not know it.

A session may give and take 8 kHz mu-law or A-law (``audio/pcmu``, ``audio/pcma``); everything here that takes or
gives sound works with 24 kHz PCM16.

Imports `rtnb.core`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from rtnb.core.audio import (
    Pcm16Reader,
    Resampler,
    decode_pcma,
    decode_pcmu,
    encode_pcma,
    encode_pcmu,
    float_to_pcm16,
    pcm16_to_float,
)
from rtnb.core.items import Item
from rtnb.core.protocol import BYTES_PER_MS, RATE

__all__ = ["FromTelephone", "Line", "ToTelephone", "encoded", "format_of", "is_telephone", "pcm_of_item"]

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


class ToTelephone:
    """A stream of 24 kHz PCM16 as G.711.

    Parameters
    ----------
    format
        ``audio/pcmu`` or ``audio/pcma``.
    """

    def __init__(self, format: str) -> None:
        self._encode = encode_pcma if format == _A else encode_pcmu
        self._resampler = Resampler(RATE, _RATE)

    def push(self, pcm: bytes) -> bytes:
        """Take the next whole samples; gives what is ready."""
        return self._coded(self._resampler.push(pcm16_to_float(pcm)))

    def flush(self) -> bytes:
        """Give the rest: a third of the samples that went in, and a sixth of the bytes."""
        return self._coded(self._resampler.flush())

    def _coded(self, samples: Any) -> bytes:
        return self._encode(Pcm16Reader().push(float_to_pcm16(samples)))


def encoded(pcm: bytes, format: str | None) -> bytes:
    """A finished piece of 24 kHz PCM16 in a format of the wire."""
    if not is_telephone(format):
        return pcm
    coder = ToTelephone(str(format))
    return coder.push(pcm) + coder.flush()


class Line:
    """What goes into the server's buffer, in the format that the session takes; from any thread.

    Parameters
    ----------
    format
        The session's input format as it is now: a change counts for the sound that comes after it.
    """

    def __init__(self, format: Callable[[], str | None]) -> None:
        self._format = format
        self._lock = threading.Lock()
        self._coder: ToTelephone | None = None
        self._law: str | None = None

    def push(self, pcm: bytes) -> bytes:
        """Take 24 kHz PCM16; gives what is to be appended, which may be nothing yet."""
        law = self._format()
        if not is_telephone(law):
            return pcm
        with self._lock:
            if self._coder is None or law != self._law:
                self._coder, self._law = ToTelephone(str(law)), law
            return self._coder.push(pcm)

    def flush(self) -> bytes:
        """What is left before a commit: a resampler keeps a few milliseconds back."""
        with self._lock:
            coder, self._coder = self._coder, None
            return coder.flush() if coder is not None else b""

    def clear(self) -> None:
        """Forget what is left: the buffer was emptied."""
        with self._lock:
            self._coder = None


def pcm_of_item(item: Item) -> bytes:
    """All audio of an item as 24 kHz PCM16, whatever the format it came in."""
    data = item.audio()
    if item.bytes_per_ms == BYTES_PER_MS:
        return data
    reader = FromTelephone((format_of(item.response.raw, "output") if item.response is not None else None) or _MU)
    return reader.push(data) + reader.flush()
