"""A sound card that is turned by hand, in the place of the package sounddevice."""

from __future__ import annotations

import sys
import threading
import types
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest


class PortAudioError(Exception):
    pass


class Stream:
    """What sounddevice's streams look like; the test calls `turn` instead of the sound card."""

    latency = 0.01
    opened: list[Stream]

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.open = False

    def start(self) -> None:
        self.open = True
        Stream.opened.append(self)

    def close(self) -> None:
        self.open = False

    def give(self, samples: np.ndarray, overflow: bool = False) -> None:
        status = types.SimpleNamespace(input_overflow=overflow)
        self.options["callback"](samples.reshape(-1, 1), len(samples), None, status)

    def take(self, blocks: int) -> np.ndarray:
        parts = []
        for _ in range(blocks):
            out = np.full((480, 1), 77, np.int16)
            self.options["callback"](out, 480, None, None)
            parts.append(out[:, 0])
        return np.concatenate(parts)


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """The package sounddevice, with nothing behind it."""
    module = types.ModuleType("sounddevice")
    module.InputStream = module.OutputStream = Stream  # type: ignore[attr-defined]
    module.PortAudioError = PortAudioError  # type: ignore[attr-defined]
    module.query_devices = list  # type: ignore[attr-defined]
    Stream.opened = []
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    return module


class Slow(Stream):
    """A stream whose device opens when the test lets it."""

    reached: threading.Event
    go: threading.Event

    def start(self) -> None:
        Slow.reached.set()
        assert Slow.go.wait(20)
        super().start()


@pytest.fixture
def slow_card(card: types.ModuleType) -> Iterator[types.ModuleType]:
    """A sound card whose microphone opens as late as the test wants."""
    Slow.reached, Slow.go = threading.Event(), threading.Event()
    card.InputStream = Slow  # type: ignore[attr-defined]
    yield card
    Slow.go.set()
