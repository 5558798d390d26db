"""Sound as a value: `Audio`, mono PCM16 with its rate.

An `Audio` never changes; whatever is done to it gives a new one. Times are in seconds, rates in samples a second.
The streaming parts and the number work live beside it and are offered here too: `Resampler`, `Pcm16Reader`, `Envelope`,
G.711, levels.

Four things that an `Audio` promises belong to upper floors: to be drawn, shown in a cell, spoken, and recorded. They
are reached through `rtnb.core.services`, so that this module knows no one above it.

May import numpy; soundfile and soxr when first used; of rtnb only its neighbours in `core`.
"""

from __future__ import annotations

import io
import math
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from .audiofiles import container_of, encode_wav, read_sound, write_sound
from .envelope import Envelope, envelope
from .errors import RtnbError
from .g711 import decode_pcma, decode_pcmu, encode_pcma, encode_pcmu
from .pcm16 import (
    FULL_SCALE,
    FloatArray,
    Int16Array,
    Pcm16Reader,
    float_to_pcm16,
    level_dbfs,
    pcm16_to_float,
)
from .protocol import RATE
from .resample import Resampler, check_rate
from .services import is_provided, service

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "Audio",
    "Envelope",
    "Pcm16Reader",
    "Resampler",
    "decode_pcma",
    "decode_pcmu",
    "encode_pcma",
    "encode_pcmu",
    "envelope",
    "float_to_pcm16",
    "level_dbfs",
    "pcm16_to_float",
]


@dataclass(frozen=True, slots=True, repr=False)
class Audio:
    """A piece of mono sound: 16-bit samples and their rate. It never changes.

    Two are equal when rate and samples are. In a cell it shows its waveform and a player.

    Parameters
    ----------
    pcm
        16-bit signed little-endian samples, bare, without a file's header.
    rate
        Samples a second.

    Examples
    --------
    >>> beep = Audio.tone(880, 0.2) + Audio.silence(0.3)
    >>> beep
    <Audio 0.50 s at 24000 Hz>
    >>> len(beep[0.1:0.3])
    4800
    """

    pcm: bytes = b""
    rate: int = RATE

    def __post_init__(self) -> None:
        object.__setattr__(self, "rate", check_rate(self.rate))
        if not isinstance(self.pcm, bytes | bytearray | memoryview):
            raise TypeError(f"Samples are given as bytes here, not {type(self.pcm).__name__}; see Audio.from_array.")
        object.__setattr__(self, "pcm", bytes(self.pcm))
        if len(self.pcm) % 2:
            raise ValueError(
                f"PCM16 has two bytes a sample, and these are {len(self.pcm)} bytes: the last sample is cut, or this "
                "is another format. For chunks of a stream use Pcm16Reader."
            )

    # ---- where it comes from

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview, rate: int = RATE) -> Audio:
        """Bare PCM16 bytes (little-endian, mono), as the service sends them.

        Raises
        ------
        ValueError
            If the number of bytes is odd, or they begin with the header of a WAV (FLAC, OGG, MP3, ...) file.
        """
        data = bytes(data)
        if kind := container_of(data):
            raise ValueError(
                f"These bytes are a whole {kind} file, not bare samples: its header would be heard as noise. "
                "Use Audio.from_file(path), or Audio.from_wav(data) for a file in memory."
            )
        return cls(data, rate)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str] | BinaryIO) -> Audio:
        """Read a WAV, FLAC, OGG or MP3 file, at the file's own rate.

        Several channels are mixed down to their mean; samples beyond full scale (float files, MP3) are clipped.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If it is empty or no sound file.
        """
        return cls(*read_sound(path))

    @classmethod
    def from_wav(cls, data: bytes) -> Audio:
        """Read a whole sound file that is already in memory: WAV, and also FLAC, OGG, MP3."""
        return cls(*read_sound(io.BytesIO(data)))

    @classmethod
    def from_array(cls, samples: npt.ArrayLike, rate: int = RATE) -> Audio:
        """Take samples from an array.

        Parameters
        ----------
        samples
            Floats, full scale 1.0, or ``int16``; shape ``(n,)`` or ``(n, channels)``, which is mixed down to the mean.
            Floats beyond [-1, 1] are clipped, with a `UserWarning` that says how many.
        rate
            Samples a second. An array does not know its own: 16 kHz samples taken as 24 kHz play half as long and
            a fifth too high.

        Raises
        ------
        TypeError
            If the numbers are of another type.
        ValueError
            If the shape is another, or a sample is not finite.
        """
        array = np.asarray(samples)
        if array.ndim not in (1, 2) or (array.ndim == 2 and array.shape[1] == 0):
            raise ValueError(f"Samples have the shape (n,) or (n, channels), not {array.shape}.")
        if array.ndim == 2 and array.shape[1] > 64:
            raise ValueError(f"{array.shape} would be {array.shape[1]} channels; transpose it to (n, channels).")
        if array.dtype == np.int16:
            if array.ndim == 1:
                return cls(array.astype("<i2").tobytes(), rate)
            return cls(float_to_pcm16(array.mean(axis=1) / FULL_SCALE), rate)
        if array.dtype.kind != "f":
            raise TypeError(f"Samples are floats in [-1, 1] or int16, not {array.dtype}; convert them first.")
        mono = array if array.ndim == 1 else array.mean(axis=1)
        beyond = np.abs(mono) > 1
        if n_beyond := int(np.count_nonzero(beyond)):
            peak = float(np.abs(mono).max())
            hint = " They look like 16-bit numbers: use .astype('int16')." if peak > 100 else ""
            warnings.warn(
                f"{n_beyond} of {mono.size} samples lie beyond [-1, 1] (up to {peak:.3g}) and were clipped.{hint}",
                stacklevel=2,
            )
        return cls(float_to_pcm16(mono), rate)

    @classmethod
    def silence(cls, seconds: float, rate: int = RATE) -> Audio:
        """Digital silence."""
        return cls(bytes(2 * _count(seconds, rate)), rate)

    @classmethod
    def tone(cls, hz: float = 440.0, seconds: float = 1.0, *, amplitude: float = 0.5, rate: int = RATE) -> Audio:
        """A sine.

        Parameters
        ----------
        hz
            Its frequency; below half of the rate.
        amplitude
            Its peak, 0 to 1. The level is 3 dB below it: 0.5 gives -9.0 dBFS.
        """
        if not 0 <= hz < check_rate(rate) / 2:
            raise ValueError(f"At {rate} samples a second a tone lies below {rate / 2:g} Hz; {hz:g} does not.")
        if not 0 <= amplitude <= 1:
            raise ValueError(f"An amplitude lies between 0 and 1; {amplitude:g} does not.")
        turns = np.arange(_count(seconds, rate)) * (hz / rate)
        return cls(float_to_pcm16(amplitude * np.sin(2 * np.pi * turns)), rate)

    @classmethod
    def speak(cls, text: str, *, voice: str | None = None, speed: float = 1.0) -> Audio:
        """Have `text` spoken by the voice of the local endpoint: no key, no network, each time the same sound."""
        return _returned("speak", service("audio.speak")(text, voice=voice, speed=speed))

    @classmethod
    def record(cls, seconds: float = 5.0) -> Audio:
        """Record from the microphone: the browser's, else the kernel's own."""
        return _returned("record", service("audio.record")(seconds))

    @classmethod
    def from_recorder(cls, recorder: object) -> Audio:
        """Take what an ``AudioRecorder`` of ipywebrtc holds; it has something only after it was stopped."""
        return _returned("from_recorder", service("audio.from_recorder")(recorder))

    # ---- what it is

    @property
    def samples(self) -> Int16Array:
        """The samples as ``int16``, shape ``(n,)``, read-only, not copied."""
        return np.frombuffer(self.pcm, dtype="<i2")

    @property
    def array(self) -> FloatArray:
        """The samples as ``float32`` in [-1, 1), shape ``(n,)``, read-only."""
        array = pcm16_to_float(self.pcm)
        array.flags.writeable = False
        return array

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self) / self.rate

    @property
    def level(self) -> float:
        """Root mean square in dBFS: a full sine has -3.0, speech -35 to -15, silence ``-inf``."""
        return level_dbfs(self.samples)

    def __len__(self) -> int:
        """How many samples there are."""
        return len(self.pcm) // 2

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """Let numpy take it as `array`."""
        if copy is False:
            raise ValueError("Floats are made anew each time; Audio.samples gives the int16 without a copy.")
        return pcm16_to_float(self.pcm).astype(dtype or np.float32, copy=False)

    def __repr__(self) -> str:
        return f"<Audio {self.seconds:.2f} s at {self.rate} Hz>"

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> Mapping[str, str]:  # called by IPython, which filters by itself
        if not is_provided("audio.show"):
            return {"text/plain": repr(self)}
        bundle: Mapping[str, str] = service("audio.show")(self)
        return bundle

    # ---- what can be made of it

    def __getitem__(self, time: slice) -> Audio:
        """A stretch by seconds: ``audio[1.0:2.5]``, ``audio[-0.5:]``; beyond the ends there is nothing."""
        if not isinstance(time, slice):
            raise TypeError(
                f"Give a stretch in seconds, audio[1.0:2.5]; single samples are in audio.samples[{time!r}]."
            )
        if time.step is not None:
            raise ValueError("A stretch has no step; to change the rate use resample.")
        ends = [None if end is None else _index(end, self.rate) for end in (time.start, time.stop)]
        start, stop, _ = slice(*ends).indices(len(self))
        return Audio(self.pcm[2 * start : 2 * max(start, stop)], self.rate)

    def __add__(self, other: Audio) -> Audio:
        """One after the other. At different rates the right one is resampled to the rate of the left one."""
        if not isinstance(other, Audio):
            return NotImplemented
        return Audio(self.pcm + other.resample(self.rate).pcm, self.rate)

    def __radd__(self, other: object) -> Audio:
        """``sum(clips)`` begins with 0."""
        return self if other == 0 else NotImplemented

    def resample(self, rate: int) -> Audio:
        """The same sound at another rate (soxr HQ); what the new rate cannot hold is removed, not folded back."""
        if check_rate(rate) == self.rate:
            return self
        resampler = Resampler(self.rate, rate)
        step = 2 * 10 * self.rate  # ten seconds at a time, so that an hour is never in memory as floats
        pieces = [
            float_to_pcm16(resampler.push(pcm16_to_float(self.pcm[start : start + step])))
            for start in range(0, len(self.pcm), step)
        ]
        return Audio(b"".join([*pieces, float_to_pcm16(resampler.flush())]), rate)

    def fade(self, in_ms: float = 10.0, out_ms: float = 10.0) -> Audio:
        """Let it begin and end softly, along half a cosine; a fade longer than the sound covers all of it."""
        if in_ms < 0 or out_ms < 0:
            raise ValueError("A fade lasts 0 ms or longer.")
        array = pcm16_to_float(self.pcm)
        n_in = min(_count(in_ms / 1000, self.rate), array.size)
        n_out = min(_count(out_ms / 1000, self.rate), array.size)
        array[:n_in] *= _rise(n_in)
        array[array.size - n_out :] *= _rise(n_out)[::-1]
        return Audio(float_to_pcm16(array), self.rate)

    def to_wav(self) -> bytes:
        """A WAV file in memory, PCM16."""
        return encode_wav(self.pcm, self.rate)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a file; ``.wav``, ``.flac`` (both exact) or ``.ogg`` (Vorbis, smaller, loses a little)."""
        return write_sound(path, self.pcm, self.rate)

    def plot(self, *, ax: Axes | None = None, title: str | None = None) -> Figure:
        """Draw the waveform over seconds, into `ax` or into a figure of its own, which is returned."""
        figure: Figure = service("audio.plot")(self, ax=ax, title=title)
        return figure


def _count(seconds: float, rate: int) -> int:
    """Samples in a length of time."""
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ValueError(f"A length is 0 seconds or more, not {seconds!r}.")
    return round(seconds * check_rate(rate))


def _index(time: float, rate: int) -> int:
    """Sample at a time; negative counts from the end."""
    if isinstance(time, float) and math.isnan(time):
        raise ValueError("A time that is not a number (NaN) is nowhere in a sound.")
    # Infinity is a legal "as far as it goes"; no sound is longer than this many samples.
    return round(max(-1e15, min(1e15, time * rate)))


def _rise(n_samples: int) -> FloatArray:
    """From just above 0 to just below 1 along half a cosine, ``float32``, shape ``(n_samples,)``."""
    phase = (np.arange(n_samples) + 0.5) / max(n_samples, 1)
    return (0.5 - 0.5 * np.cos(np.pi * phase)).astype(np.float32)


def _returned(name: str, result: object) -> Audio:
    if not isinstance(result, Audio):
        raise RtnbError(f"The provider of Audio.{name} gave {type(result).__name__} instead of an Audio.")
    return result
