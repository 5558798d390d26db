"""G.711: ``audio/pcmu`` (mu-law) and ``audio/pcma`` (A-law), 8 bits a sample at 8,000 samples a second.

Telephones speak these. Eight bits hold a sign, an exponent and four bits of fraction, so that the error follows the
loudness. Decoding is a table of 256 entries, fixed by the standard. Encoding is a table of all 65,536 inputs: each
takes the code that decodes nearest to it. Other encoders may take the neighbour where an input lies right between two.

May import numpy only.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from .pcm16 import Int16Array

__all__ = ["decode_pcma", "decode_pcmu", "encode_pcma", "encode_pcmu"]

_MU_BIAS = 33  # makes every segment of mu-law begin at a power of two, in 14 bits
_A_FLIP = 0x55  # A-law inverts its even bits, so that silence is not a row of zeros on the line


@cache
def _mu_decoder() -> Int16Array:
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    exponent, fraction = (code >> 4) & 7, code & 15
    magnitude = ((2 * fraction + _MU_BIAS) << exponent) - _MU_BIAS
    return (np.where(code & 0x80, -magnitude, magnitude) * 4).astype(np.int16)


@cache
def _a_decoder() -> Int16Array:
    code = np.arange(256, dtype=np.int32) ^ _A_FLIP
    exponent, fraction = (code >> 4) & 7, code & 15
    magnitude = np.where(exponent == 0, 2 * fraction + 1, (2 * fraction + 33) << np.maximum(exponent - 1, 0))
    return (np.where(code & 0x80, magnitude, -magnitude) * 8).astype(np.int16)


def _encoder(decoded: Int16Array, preferred: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Make the table of codes by sample, indexed by the sample's unsigned reading.

    `preferred` orders the codes: of two that decode to the same value (mu-law's zeros) the earlier one is taken.
    """
    values, first = np.unique(decoded[preferred].astype(np.int32), return_index=True)
    samples = np.arange(65_536, dtype=np.uint16).astype(np.int16).astype(np.int32)
    limits = (values[1:] + values[:-1]) / 2  # half way between neighbours; a sample right there takes the lower one
    codes: npt.NDArray[np.uint8] = preferred[first][np.searchsorted(limits, samples)]
    return codes


@cache
def _mu_encoder() -> npt.NDArray[np.uint8]:
    return _encoder(_mu_decoder(), np.arange(256, dtype=np.uint8)[::-1])  # 0xFF, silence, before 0x7F, its negative


@cache
def _a_encoder() -> npt.NDArray[np.uint8]:
    return _encoder(_a_decoder(), np.arange(256, dtype=np.uint8))


def _encode(samples: npt.ArrayLike, table: npt.NDArray[np.uint8]) -> bytes:
    array = np.asarray(samples)
    if array.dtype != np.int16:
        raise TypeError(f"G.711 is made of int16 samples, not {array.dtype}.")
    codes: bytes = table[array.view(np.uint16)].tobytes()
    return codes


def encode_pcmu(samples: npt.ArrayLike) -> bytes:
    """Encode ``int16`` samples, shape ``(n,)``, as mu-law, one byte a sample; `TypeError` for other types."""
    return _encode(samples, _mu_encoder())


def decode_pcmu(data: bytes | bytearray | memoryview) -> Int16Array:
    """Mu-law bytes as ``int16`` samples, shape ``(n,)``, a new array."""
    return _mu_decoder()[np.frombuffer(data, dtype=np.uint8)]


def encode_pcma(samples: npt.ArrayLike) -> bytes:
    """Encode ``int16`` samples, shape ``(n,)``, as A-law, one byte a sample; `TypeError` for other types."""
    return _encode(samples, _a_encoder())


def decode_pcma(data: bytes | bytearray | memoryview) -> Int16Array:
    """A-law bytes as ``int16`` samples, shape ``(n,)``, a new array."""
    return _a_decoder()[np.frombuffer(data, dtype=np.uint8)]
