"""Audio formats of the wire, in and out of 24 kHz PCM16.

Everything inside the local endpoint is 24 kHz PCM16 little-endian mono: detector, recogniser, voice and item store.
Decoding is streaming (half samples and filter state are kept between appends); encoding a delta is streaming too.

May import `rtnb.core.protocol` and `rtnb.core.audio` (late: G.711 needs numpy and a resampler, PCM does not).
"""

from __future__ import annotations

from typing import Final, Protocol

from rtnb.core.protocol import BYTES_PER_MS, RATE

__all__ = ["Decoder", "Encoder", "decoder", "encode_all", "encoder"]

_G711_RATE: Final = 8_000


class Decoder(Protocol):
    """From the wire's format to 24 kHz PCM16."""

    held_ms: float

    def push(self, data: bytes) -> bytes:
        """Take bytes of any length; return whole samples at 24 kHz."""
        ...

    def flush(self) -> bytes:
        """What is still held, at the end of a turn; what comes next begins anew."""
        ...


class Encoder(Protocol):
    """From 24 kHz PCM16 to the wire's format."""

    def push(self, pcm: bytes) -> bytes:
        """Take whole samples; return what is ready for the wire."""
        ...

    def flush(self) -> bytes:
        """The rest, at the end of an item."""
        ...


class _Pcm:
    """``audio/pcm`` is what we have; only half samples are held back."""

    def __init__(self) -> None:
        self.held_ms = 0.0
        self._half = b""

    def push(self, data: bytes) -> bytes:
        data = self._half + data
        whole = len(data) & ~1
        self._half = data[whole:]
        return data[:whole]

    def flush(self) -> bytes:
        self._half = b""
        return b""


class _FromG711:
    """``audio/pcmu`` and ``audio/pcma`` at 8 kHz, brought to 24 kHz."""

    def __init__(self, format: str) -> None:
        from rtnb.core.audio import Resampler, decode_pcma, decode_pcmu, float_to_pcm16

        self.held_ms = 0.0
        self._decode = decode_pcmu if format == "audio/pcmu" else decode_pcma
        self._resampler = Resampler(_G711_RATE, RATE)
        self._to_pcm16 = float_to_pcm16

    def push(self, data: bytes) -> bytes:
        samples = self._decode(data).astype("float32") / 32768.0
        pcm: bytes = self._to_pcm16(self._resampler.push(samples))
        self.held_ms += len(data) * 1000 / _G711_RATE - len(pcm) / BYTES_PER_MS
        return pcm

    def flush(self) -> bytes:
        self.held_ms = 0.0
        pcm: bytes = self._to_pcm16(self._resampler.flush())
        return pcm


class _ToG711:
    def __init__(self, format: str) -> None:
        from rtnb.core.audio import Pcm16Reader, Resampler, encode_pcma, encode_pcmu, float_to_pcm16, pcm16_to_float

        self._encode = encode_pcmu if format == "audio/pcmu" else encode_pcma
        self._resampler = Resampler(RATE, _G711_RATE)
        self._to_float, self._to_pcm16, self._reader = pcm16_to_float, float_to_pcm16, Pcm16Reader

    def push(self, pcm: bytes) -> bytes:
        return self._code(self._resampler.push(self._to_float(pcm)))

    def flush(self) -> bytes:
        return self._code(self._resampler.flush())

    def _code(self, samples: object) -> bytes:
        coded: bytes = self._encode(self._reader().push(self._to_pcm16(samples)))  # type: ignore[arg-type]
        return coded


def decoder(format: str) -> Decoder:
    """A streaming decoder for ``audio/pcm``, ``audio/pcmu`` or ``audio/pcma``."""
    return _Pcm() if format == "audio/pcm" else _FromG711(format)


def encoder(format: str) -> Encoder:
    """A streaming encoder for ``audio/pcm``, ``audio/pcmu`` or ``audio/pcma``."""
    return _Pcm() if format == "audio/pcm" else _ToG711(format)


def encode_all(pcm: bytes, format: str) -> bytes:
    """A finished piece of audio in the wire's format."""
    if format == "audio/pcm":
        return pcm
    made = encoder(format)
    return made.push(pcm) + made.flush()
