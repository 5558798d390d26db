"""The outline of a sound: the lowest and the highest sample of each stretch, for drawing.

A picture a thousand pixels wide needs two numbers a pixel, however long the sound is, and must not lose a click. So
each bin keeps the minimum and the maximum of *all* its samples; no sample is skipped.

May import numpy only.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .pcm16 import FULL_SCALE, FloatArray

__all__ = ["Envelope", "envelope"]


def _as_unit(values: npt.NDArray[np.generic], kind: str) -> FloatArray:
    return np.asarray(values, dtype=np.float32) * np.float32(1 / FULL_SCALE if kind in "iu" else 1)


def envelope(samples: npt.ArrayLike, bins: int) -> tuple[FloatArray, FloatArray]:
    """Lowest and highest sample in each of `bins` equal stretches.

    Parameters
    ----------
    samples
        Floats in [-1, 1], or ``int16``; shape ``(n,)``. They are not copied, so an hour needs no memory but its own.
    bins
        How many stretches; fewer come back when there are fewer samples.

    Returns
    -------
    (minimum, maximum)
        Two ``float32`` arrays in [-1, 1] of shape ``(min(bins, n),)``.
    """
    if bins < 1:
        raise ValueError(f"An envelope has at least one bin, not {bins}.")
    array = np.asarray(samples).reshape(-1)
    bins = min(bins, array.size)
    if bins == 0:
        return np.zeros(0, dtype=np.float32), np.zeros(0, dtype=np.float32)
    starts = np.arange(bins, dtype=np.int64) * array.size // bins
    kind = array.dtype.kind
    return _as_unit(np.minimum.reduceat(array, starts), kind), _as_unit(np.maximum.reduceat(array, starts), kind)


class Envelope:
    """The envelope of a stream of unknown length, in bounded memory.

    It begins with one sample a bin. Each time all bins are full, neighbours are joined and a bin holds twice as many
    samples from then on; so the number of bins in use lies between half of `bins` and `bins` once that many samples
    came, and depends on the samples only, never on how they were cut into chunks.

    Parameters
    ----------
    bins
        The most bins to keep; even, at least 2.
    """

    def __init__(self, bins: int = 2048) -> None:
        if bins < 2 or bins % 2:
            raise ValueError(f"The number of bins is even and at least 2; {bins} is not.")
        self.bins = bins
        self.n_samples = 0  # pushed so far
        self.samples_per_bin = 1  # a power of two
        self._low = np.zeros(bins, dtype=np.float32)
        self._high = np.zeros(bins, dtype=np.float32)

    def push(self, samples: npt.ArrayLike) -> None:
        """Take the next samples: floats in [-1, 1] or ``int16``, shape ``(n,)``."""
        array = np.asarray(samples).reshape(-1)
        while array.size:
            room = self.bins * self.samples_per_bin - self.n_samples
            if room == 0:
                self._join_neighbours()
                continue
            self._add(array[:room])
            array = array[room:]

    def _add(self, array: npt.NDArray[np.generic]) -> None:
        """Add samples that fit into the bins as they are now."""
        kind = array.dtype.kind
        first, filled = divmod(self.n_samples, self.samples_per_bin)
        starts = np.arange(-filled, array.size, self.samples_per_bin, dtype=np.int64)
        starts[0] = 0
        low = _as_unit(np.minimum.reduceat(array, starts), kind)
        high = _as_unit(np.maximum.reduceat(array, starts), kind)
        if filled:  # the first stretch goes on in a bin that was begun before
            low[0] = min(low[0], self._low[first])
            high[0] = max(high[0], self._high[first])
        self._low[first : first + low.size] = low
        self._high[first : first + high.size] = high
        self.n_samples += array.size

    def _join_neighbours(self) -> None:
        half = self.bins // 2
        self._low[:half] = np.minimum(self._low[0::2], self._low[1::2])
        self._high[:half] = np.maximum(self._high[0::2], self._high[1::2])
        self.samples_per_bin *= 2

    def result(self) -> tuple[FloatArray, FloatArray]:
        """(minimum, maximum) so far: ``float32`` in [-1, 1], one pair a begun bin; the last bin may be partial."""
        used = -(-self.n_samples // self.samples_per_bin)
        return self._low[:used].copy(), self._high[:used].copy()
