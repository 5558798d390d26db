"""Physics for the tests of sound: sines fitted to samples, sweeps, spectra, and where the sample files are."""

from __future__ import annotations

from pathlib import Path

import numpy as np

DATA = Path(__file__).parent / "data"


def sine(hz: float, seconds: float, rate: int, amplitude: float = 0.5) -> np.ndarray:
    return (amplitude * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def sweep(start_hz: float, stop_hz: float, seconds: float, rate: int) -> np.ndarray:
    """A sine whose frequency rises evenly."""
    time = np.arange(round(seconds * rate)) / rate
    turns = start_hz * time + (stop_hz - start_hz) * time**2 / (2 * seconds)
    return (0.5 * np.sin(2 * np.pi * turns)).astype(np.float32)


def fit(samples: np.ndarray, rate: int, hz: float) -> tuple[float, float]:
    """Amplitude of the sine of `hz` in the middle of the samples, and the level (dB) of all else relative to it."""
    edge = len(samples) // 8  # the first and last moments hold the ringing of filters
    middle = np.asarray(samples, dtype=np.float64)[edge : len(samples) - edge]
    angle = 2 * np.pi * hz * np.arange(len(middle)) / rate
    basis = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    weights, *_ = np.linalg.lstsq(basis, middle, rcond=None)
    rest = middle - basis @ weights
    amplitude = float(np.hypot(*weights))
    return amplitude, 10 * np.log10(np.mean(rest**2) / (amplitude**2 / 2) + 1e-30)


def loudest_hz(samples: np.ndarray, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(np.asarray(samples, dtype=np.float64) * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate / len(samples))


def pieces(data, cuts: list[int]):
    """Cut a sequence into chunks of the sizes given, over and over; sizes of 0 are empty chunks."""
    at, turn = 0, 0
    while at < len(data):
        size = cuts[turn % len(cuts)] if any(cuts) else len(data)
        yield data[at : at + size]
        at, turn = at + size, turn + 1
