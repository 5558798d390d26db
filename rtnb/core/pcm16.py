"""Samples as 16-bit numbers and as floats, and how loud they are.

On the wire sound is 16-bit signed little-endian mono; in calculations it is ``float32`` in [-1, 1], shape ``(n,)``.
A sample ``v`` of PCM16 is ``v / 32768`` as a float, so that the way there and back changes nothing; +1.0 itself does
not exist in PCM16 and becomes 32767.

May import numpy only.
"""

from __future__ import annotations

import math
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = [
    "FULL_SCALE",
    "FloatArray",
    "Int16Array",
    "Pcm16Reader",
    "float_to_pcm16",
    "level_dbfs",
    "pcm16_to_float",
]

FloatArray: TypeAlias = npt.NDArray[np.float32]
"""Samples in [-1, 1], shape ``(n,)``."""

Int16Array: TypeAlias = npt.NDArray[np.int16]
"""Samples from -32768 to 32767, shape ``(n,)``."""

FULL_SCALE: Final = 32_768
"""What 1.0 is in PCM16."""

_BLOCK: Final = 1 << 18  # samples that are converted at a time, so that an hour needs no second hour of memory


def pcm16_to_float(data: bytes | bytearray | memoryview) -> FloatArray:
    """PCM16 bytes as floats.

    Parameters
    ----------
    data
        16-bit signed little-endian mono samples; an even number of bytes.

    Returns
    -------
    numpy.ndarray
        ``float32`` in [-1, 1), shape ``(n,)``, a new array.

    Raises
    ------
    ValueError
        If the number of bytes is odd: use `Pcm16Reader` for chunks that may end within a sample.
    """
    if len(data) % 2:
        raise ValueError(f"PCM16 has two bytes a sample, and these are {len(data)}; use Pcm16Reader for odd chunks.")
    samples = np.frombuffer(data, dtype="<i2")
    floats: FloatArray = np.multiply(samples, np.float32(1 / FULL_SCALE), dtype=np.float32)
    return floats


def float_to_pcm16(samples: npt.ArrayLike) -> bytes:
    """Floats as PCM16 bytes; what lies beyond [-1, 1] is clipped.

    Parameters
    ----------
    samples
        Real numbers, shape ``(n,)``; full scale is 1.0.

    Returns
    -------
    bytes
        16-bit signed little-endian samples, rounded to the nearest step.

    Raises
    ------
    ValueError
        If a sample is not a number or infinite.
    """
    scaled = np.asarray(samples, dtype=np.float32) * np.float32(FULL_SCALE)
    if not np.isfinite(scaled).all():
        raise ValueError("Sound cannot hold samples that are not finite (NaN or infinity).")
    np.rint(scaled, out=scaled)
    np.clip(scaled, -FULL_SCALE, FULL_SCALE - 1, out=scaled)
    return scaled.astype("<i2").tobytes()


def level_dbfs(samples: npt.ArrayLike) -> float:
    """How loud the samples are: root mean square in decibels below full scale.

    A square wave at full scale has 0 dBFS, a sine -3.0; normal speech lies between -35 and -15.

    Parameters
    ----------
    samples
        Floats in [-1, 1], or ``int16``; shape ``(n,)``.

    Returns
    -------
    float
        ``-inf`` for digital silence and for no samples at all.
    """
    array = np.asarray(samples).reshape(-1)
    scale = FULL_SCALE if array.dtype.kind in "iu" else 1.0
    energy = 0.0
    for start in range(0, array.size, _BLOCK):
        block = array[start : start + _BLOCK].astype(np.float64)
        energy += float(np.dot(block, block))
    if energy == 0.0:
        return -math.inf
    return 10 * math.log10(energy / array.size / (scale * scale))


class Pcm16Reader:
    r"""Takes PCM16 in chunks of any size, also odd ones, and gives whole samples.

    A chunk that ends within a sample is no error on a stream: its last byte waits for the next chunk.

    Examples
    --------
    >>> reader = Pcm16Reader()
    >>> reader.push(b"\x01")
    array([], dtype=int16)
    >>> reader.push(b"\x02\xff\xff")
    array([513,  -1], dtype=int16)
    """

    def __init__(self) -> None:
        self._half = b""  # the first byte of a sample whose second byte has not come yet

    @property
    def pending(self) -> int:
        """Bytes that wait for their other half: 0 or 1; after the last chunk 1 means that the stream was cut."""
        return len(self._half)

    def push(self, data: bytes | bytearray | memoryview) -> Int16Array:
        """Take the next bytes; return the samples completed by them, a new ``int16`` array of shape ``(n,)``."""
        joined = self._half + bytes(data)
        whole = len(joined) - len(joined) % 2
        self._half = joined[whole:]
        return np.frombuffer(joined[:whole], dtype="<i2").astype(np.int16)
