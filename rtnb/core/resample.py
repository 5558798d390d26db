"""Band-limited change of the sampling rate, of a whole sound or of a stream (soxr, quality HQ).

What lies above half of the lower rate is removed, not folded back. Dropping every other sample, or drawing straight
lines between them, would leave it in as tones that were never there.

May import numpy, and soxr when it is first used.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .pcm16 import FloatArray

__all__ = ["Resampler", "check_rate"]


def check_rate(rate: int) -> int:
    """Return `rate` as an int if it can be a sampling rate.

    Raises
    ------
    TypeError
        If it is not a whole number.
    ValueError
        If it is not between 1,000 and 768,000 samples a second.
    """
    if isinstance(rate, bool) or not isinstance(rate, int | np.integer):
        raise TypeError(f"A rate is a whole number of samples a second, such as 24000, not {rate!r}.")
    if not 1_000 <= rate <= 768_000:
        raise ValueError(f"A rate lies between 1,000 and 768,000 samples a second; {rate} does not.")
    return int(rate)


class Resampler:
    """Changes the rate of a stream, chunk by chunk; the chunks joined equal the whole resampled at once.

    The filter looks ahead, so some milliseconds of sound (5 from 48 to 24 kHz, 34 from 22.05 to 24) stay inside until
    more comes or until `flush`.

    Parameters
    ----------
    source_rate, target_rate
        Samples a second of what goes in and of what comes out. Equal rates pass through unchanged.

    Examples
    --------
    >>> resampler = Resampler(48_000, 24_000)
    >>> out = [resampler.push(chunk) for chunk in np.zeros((10, 960), dtype=np.float32)]
    >>> sum(len(piece) for piece in out) + len(resampler.flush())
    4800
    """

    def __init__(self, source_rate: int, target_rate: int) -> None:
        self.source_rate = check_rate(source_rate)
        self.target_rate = check_rate(target_rate)
        self._stream: Any = None  # soxr's state; None between streams, and always when the rates are equal

    def push(self, samples: npt.ArrayLike) -> FloatArray:
        """Take the next samples (``float32`` in [-1, 1], shape ``(n,)``); return what is ready, maybe nothing."""
        chunk = np.ascontiguousarray(samples, dtype=np.float32)
        if chunk.ndim != 1:
            raise ValueError(f"A resampler takes one channel, shape (n,), not {chunk.shape}.")
        if self.source_rate == self.target_rate:
            return chunk.copy()
        if self._stream is None:
            import soxr

            self._stream = soxr.ResampleStream(self.source_rate, self.target_rate, 1, dtype="float32", quality="HQ")
        return np.asarray(self._stream.resample_chunk(chunk), dtype=np.float32)

    def flush(self) -> FloatArray:
        """End the stream: return what was still inside. The next `push` begins a new stream."""
        stream, self._stream = self._stream, None
        if stream is None:
            return np.zeros(0, dtype=np.float32)
        return np.asarray(stream.resample_chunk(np.zeros(0, dtype=np.float32), last=True), dtype=np.float32)
