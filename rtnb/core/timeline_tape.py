"""Sound on the clock of a session: how it looks, and when which moment of it was sent, came, or was heard.

A `Tape` keeps the outline of one stream of sound, the lowest and the highest sample of each 5 ms, never the samples
themselves. It takes the payloads of events as they come; so an hour costs a few megabytes, and drawing costs what is
drawn. A `Track` says when the sound of a tape was there: pairs of a time and a place on the tape, straight lines
between them. `Sent` makes the track of a microphone, `heard_track` the one of a loudspeaker.

Imports numpy and its neighbours in `rtnb.core`.
"""

from __future__ import annotations

import binascii
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from rtnb.core.content import base64_bytes
from rtnb.core.g711 import decode_pcma, decode_pcmu
from rtnb.core.pcm16 import FULL_SCALE, FloatArray, Int16Array

__all__ = ["BIN_S", "Outline", "Sent", "Tape", "Track", "heard_track"]

BIN_S: Final = 0.005
"""Seconds of a bin: a screen that shows four seconds has one for each point."""

_FLUSH_BYTES: Final = 1 << 17
_LAW_RATE: Final = 8_000
_PCM_RATE: Final = 24_000

_TOLERANCE_S: Final = 0.08  # a frame of a microphone may come so much early or late without a gap in the picture
_SHIFT_S: Final = 2.0  # frames that were held up and then came at once belong to the time before, if it was not longer
_TOGETHER_S: Final = 0.02  # reports of a loudspeaker that come together tell of one moment: the last holds
_CLIP_S: Final = 0.5  # what comes longer than this in one event is a clip, not a frame of a microphone

_DECODERS: Final[dict[str, Callable[[bytes], Int16Array]]] = {"audio/pcmu": decode_pcmu, "audio/pcma": decode_pcma}


class Tape:
    """The outline of a stream of sound, in bins of `BIN_S`.

    Parameters
    ----------
    format
        ``audio/pcm`` (24 kHz, 16 bit), ``audio/pcmu`` or ``audio/pcma``.

    Examples
    --------
    >>> tape = Tape()
    >>> tape.push("AAAA" * 320)  # 960 bytes, 20 ms
    0.02
    >>> tape.seconds
    0.02
    """

    def __init__(self, format: str = "audio/pcm") -> None:
        self._decode = _DECODERS.get(format)
        self.rate = _LAW_RATE if self._decode is not None else _PCM_RATE
        self._per_second = self.rate * (1 if self._decode is not None else 2)  # bytes
        self._bin_bytes = round(self._per_second * BIN_S)
        self.n_bytes = 0
        self.is_complete = True
        """Whether all its sound is known; of a log that was saved without sound only its length is."""
        self._peak = 0
        self._waiting: list[str] = []
        self._waiting_bytes = 0
        self._rest = b""  # less than a bin
        self._low = np.zeros(256, dtype=np.int16)
        self._high = np.zeros(256, dtype=np.int16)
        self._used = 0

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.n_bytes / self._per_second

    @property
    def peak(self) -> float:
        """How loud it gets, of 1."""
        self._flush()
        return self._peak / FULL_SCALE

    def push(self, payload: str) -> float:
        """Take the next sound, as base64; gives its length in seconds."""
        n_bytes = _stated(payload) if payload.startswith("<") else base64_bytes(payload)
        if n_bytes <= 0:
            return 0.0
        self.n_bytes += n_bytes
        self._waiting.append(payload)
        self._waiting_bytes += n_bytes
        if self._waiting_bytes >= _FLUSH_BYTES:
            self._flush()
        return n_bytes / self._per_second

    def outline(self, edges: npt.NDArray[np.float64]) -> tuple[FloatArray, FloatArray]:
        """Lowest and highest sample between neighbouring `edges` (seconds of the tape, never falling).

        Between two equal edges there is nothing: NaN.
        """
        self._flush()
        n_bins = self._used + bool(self._rest)
        low = np.full(edges.size - 1, np.nan, dtype=np.float32)
        high = low.copy()
        first = np.clip(np.floor(edges[:-1] / BIN_S + 1e-9), 0, max(n_bins - 1, 0)).astype(np.int64)
        last = np.clip(np.ceil(edges[1:] / BIN_S - 1e-9), 0, n_bins).astype(np.int64)
        is_there = (edges[1:] > edges[:-1]) & (last > first)
        if not is_there.any():
            return low, high
        base = int(first[is_there][0])
        top = int(last[is_there][-1])
        lows, highs = self._bins(base, top)
        pairs = np.stack([first[is_there], last[is_there]], axis=1).ravel() - base
        low[is_there] = np.minimum.reduceat(lows, pairs)[::2] * np.float32(1 / FULL_SCALE)
        high[is_there] = np.maximum.reduceat(highs, pairs)[::2] * np.float32(1 / FULL_SCALE)
        return low, high

    def _bins(self, base: int, top: int) -> tuple[Int16Array, Int16Array]:
        """Bins `base` to `top`, the begun one included, and one more so that each may be an end."""
        low = np.zeros(top - base + 1, dtype=np.int16)
        high = low.copy()
        whole = min(top, self._used) - base
        low[:whole] = self._low[base : base + whole]
        high[:whole] = self._high[base : base + whole]
        if top > self._used:
            whole_bytes = len(self._rest) & ~1 if self._decode is None else len(self._rest)
            samples = self._samples(self._rest[:whole_bytes])
            if samples.size:
                low[whole], high[whole] = samples.min(), samples.max()
        return low, high

    def _samples(self, data: bytes) -> Int16Array:
        return np.frombuffer(data, dtype="<i2") if self._decode is None else self._decode(data)

    def _flush(self) -> None:
        if not self._waiting:
            return
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        data = b"".join([self._rest, *map(self._decoded, waiting)])
        whole = len(data) // self._bin_bytes
        self._rest = data[whole * self._bin_bytes :]
        if not whole:
            return
        bins = self._samples(data[: whole * self._bin_bytes]).reshape(whole, -1)
        while self._used + whole > self._low.size:
            self._low = np.concatenate([self._low, np.zeros_like(self._low)])
            self._high = np.concatenate([self._high, np.zeros_like(self._high)])
        low, high = bins.min(axis=1), bins.max(axis=1)
        self._peak = max(self._peak, -int(low.min()), int(high.max()))
        self._low[self._used : self._used + whole] = low
        self._high[self._used : self._used + whole] = high
        self._used += whole

    def _decoded(self, payload: str) -> bytes:
        if payload.startswith("<"):
            self.is_complete = False
            return bytes(_stated(payload))
        try:
            return binascii.a2b_base64(payload + "=" * (-len(payload) % 4))
        except ValueError:
            self.is_complete = False
            return bytes(base64_bytes(payload))


def _stated(payload: str) -> int:
    """What ``<1920 bytes>`` stands for: a payload that a saved log left out."""
    digits = payload[1:].partition(" ")[0]
    return int(digits) if digits.isdigit() and len(digits) < 12 else 0


class Outline(NamedTuple):
    """The sound of a lane: between ``edges[i]`` and ``edges[i + 1]`` from ``low[i]`` to ``high[i]``; NaN: none."""

    edges: npt.NDArray[np.float64]
    low: FloatArray
    high: FloatArray


class Track:
    """When the sound of a tape was there.

    Attributes
    ----------
    tape : Tape
    times, places : numpy.ndarray
        At ``times[i]`` (seconds of the log) the sound had come to ``places[i]`` (seconds of the tape). Neither falls.
    """

    def __init__(self, tape: Tape, knots: Iterable[tuple[float, float]]) -> None:
        self.tape = tape
        pairs = np.array(list(knots), dtype=np.float64).reshape(-1, 2)
        self.times = np.maximum.accumulate(pairs[:, 0]) if len(pairs) else pairs[:, 0]
        self.places = np.maximum.accumulate(pairs[:, 1]) if len(pairs) else pairs[:, 1]

    def __bool__(self) -> bool:
        return bool(self.times.size)

    @property
    def start(self) -> float:
        """When its sound begins."""
        return float(self.times[0])

    @property
    def end(self) -> float:
        """When its sound ends."""
        return float(self.times[-1])

    def place_at(self, times: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """How far the sound had come, in seconds of the tape."""
        return np.asarray(np.interp(np.asarray(times, dtype=np.float64), self.times, self.places))

    def time_at(self, place: float, *, is_start: bool = False) -> float:
        """When the sound had come to `place`; where nothing came for a while, before that, or after it (`is_start`)."""
        nudge = 1e-6  # seconds: far less than a sample, more than rounding
        index = bisect_right(self.places, place + nudge) if is_start else bisect_left(self.places, place - nudge)
        if index == 0:
            return self.start
        if index == self.places.size:
            return self.end
        before, after = self.places[index - 1], self.places[index]
        share = (place - before) / (after - before) if after > before else 0.0
        return float(self.times[index - 1] + share * (self.times[index] - self.times[index - 1]))

    def outline(self, edges: npt.NDArray[np.float64]) -> tuple[FloatArray, FloatArray]:
        """Lowest and highest sample between neighbouring times; NaN where there was no sound."""
        return self.tape.outline(self.place_at(edges))


class _Run:
    """Sound without a gap, drawn from `start` to `end`; the first of it was sent at `sent`."""

    __slots__ = ("end", "is_clip", "length", "place", "sent", "start")

    def __init__(self, place: float, start: float, end: float, length: float, sent: float, *, is_clip: bool) -> None:
        self.place, self.start, self.end, self.length, self.sent = place, start, end, length, sent
        self.is_clip = is_clip


class Sent:
    """The sound that a client sent, laid on the clock.

    A frame of a microphone lies before the moment at which it was sent: it was spoken until then. A *clip*, sent at
    once and much faster than it lasts, never was on this clock. It is drawn from the moment at which it was sent, over
    its own length, or as much as there is until the next sound.
    """

    def __init__(self, format: str = "audio/pcm") -> None:
        self.tape = Tape(format)
        self._runs: list[_Run] = []

    def push(self, payload: str, time: float) -> float:
        """Take what was sent at `time`; gives its length in seconds."""
        place = self.tape.seconds
        length = self.tape.push(payload)
        if length <= 0.0:
            return length
        last = self._runs[-1] if self._runs else None
        if length <= _CLIP_S and last is not None and self._goes_on(last, length, time):
            last.length = self.tape.seconds - last.place  # not a sum of pieces: that would drift
        elif length > _CLIP_S:
            self._runs.append(_Run(place, time, time + length, length, time, is_clip=True))
        else:
            floor = min(self._floor(len(self._runs)), time)
            self._runs.append(_Run(place, max(floor, time - length), time, length, time, is_clip=False))
        return length

    def _floor(self, index: int) -> float:
        """Before when nothing of this run can lie."""
        before = self._runs[index - 1] if index else None
        return 0.0 if before is None else before.sent if before.is_clip else before.end

    def _goes_on(self, run: _Run, length: float, time: float) -> bool:
        """Whether what was sent just now belongs to the last run, which is then drawn to hold it."""
        if run.is_clip:
            whole = run.length + length
            if time - run.sent > whole / 2:
                return False
            run.end = run.start + whole
            return True
        ahead = run.end + length - time
        if ahead < -_TOLERANCE_S:  # nothing came for a while
            return False
        if ahead <= _TOLERANCE_S:
            run.end += length
            return True
        start = run.start - ahead
        floor = max(self._floor(len(self._runs) - 1), run.sent - _SHIFT_S)
        if start >= floor - _TOLERANCE_S:  # it was held up on the way: it was spoken before
            run.start, run.end = max(start, floor), time
        elif time - run.sent <= (run.length + length) / 2:  # faster than anybody speaks
            run.is_clip, run.start, run.end = True, run.sent, run.sent + run.length + length
        else:
            return False
        return True

    @property
    def clips(self) -> list[tuple[float, float, float]]:
        """Sound that was sent at once: drawn from, drawn to, its length."""
        return [(start, end, run.length) for run, start, end in self._laid() if run.is_clip]

    def track(self) -> Track:
        """Its track so far."""
        knots: list[tuple[float, float]] = []
        for run, start, end in self._laid():
            knots += [(start, run.place), (end, run.place + run.length)]
        return Track(self.tape, knots)

    def _laid(self) -> list[tuple[_Run, float, float]]:
        laid = []
        for index, run in enumerate(self._runs):
            end = run.end
            if run.is_clip and index + 1 < len(self._runs):
                end = max(min(end, self._runs[index + 1].start), run.start)
            laid.append((run, run.start, end))
        return laid


def heard_track(tape: Tape, reports: Iterable[tuple[float, float]]) -> Track:
    """Lay out what a loudspeaker played, by its reports.

    Parameters
    ----------
    tape
        The sound of the item.
    reports
        Time of the log, and how many seconds of the item had been heard by then.
    """
    ordered: list[tuple[float, float]] = []
    for time, place in reports:
        if ordered and time - ordered[-1][0] < _TOGETHER_S:
            time = ordered.pop()[0]
        ordered.append((time, place))
    knots: list[tuple[float, float]] = []
    before_time, before = 0.0, 0.0
    for time, place in ordered:
        if place > before:
            knots += [(max(before_time, time - (place - before)), before), (time, place)]
            before = place
        before_time = max(before_time, time)
    return Track(tape, knots)
