"""`SilentSpeaker`: a loudspeaker without sound, which counts as one that is heard.

Imports `rtnb.core`.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final, TypeAlias

from rtnb.core.audio import Audio
from rtnb.core.protocol import RATE

__all__ = ["SilentSpeaker"]

_Report: TypeAlias = tuple[str, int, bool]

_REPORT_S: Final = 0.1
_SHORTEST_S: Final = 0.005  # between two looks, however fast it plays
_IDLE_S: Final = 1.0  # after so long with nothing to do the thread ends


class SilentSpeaker:
    """A loudspeaker without sound: plays in real time into nothing, and reports what a listener would have heard.

    For notebooks without a browser, for tests, and to try interruptions without noise. Time in which nothing waits to
    be heard counts for no item, as with a real loudspeaker that ran dry.

    Parameters
    ----------
    speed
        How many times faster than real time it plays.
    clock
        Gives seconds, instead of the time of day: then it plays only when `advance` is called, and no thread runs.
    keep_s
        How many seconds of what was heard `played` keeps.

    Examples
    --------
    >>> now = [0.0]
    >>> speaker = SilentSpeaker(clock=lambda: now[0])
    >>> speaker.on_heard = lambda item, samples, final: final and print(item, samples)
    >>> speaker.play("item_1", bytes(48_000))  # a second
    >>> now[0] = 0.25
    >>> speaker.stop()
    item_1 6000
    """

    def __init__(self, *, speed: float = 1.0, clock: Callable[[], float] | None = None, keep_s: float = 600.0) -> None:
        if not speed > 0:
            raise ValueError(f"The speed of a loudspeaker is above 0, not {speed!r}.")
        self.on_heard: Callable[[str, int, bool], None] | None = None
        self.speed = speed
        self._clock = clock or time.monotonic
        self._has_thread_of_its_own = clock is None
        self._condition = threading.Condition()
        # What was not heard yet, by item, in the order of their beginnings. Views, so that nothing is copied twice.
        self._waiting: dict[str, deque[memoryview]] = {}
        self._half: dict[str, bytes] = {}  # an odd byte, until its other half comes
        self._heard: dict[str, int] = {}  # samples, of the items that wait
        self._ended: set[str] = set()
        self._stopped: set[str] = set()
        self._at = 0.0  # up to when all was heard that could be
        self._owed = 0.0  # part of a sample
        self._told: list[_Report] = []  # not handed out yet
        self._played: deque[memoryview] = deque()
        self._played_bytes = 0
        self._keep_bytes = round(keep_s * RATE) * 2
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        return f"<SilentSpeaker, {len(self._waiting)} items unheard>"

    @property
    def played(self) -> Audio:
        """What was heard, as one sound: the last `keep_s` seconds."""
        with self._condition:
            return Audio(b"".join(self._played))

    def play(self, item_id: str, pcm: bytes) -> None:
        """Append 24 kHz PCM16 to the item's queue; what comes for a stopped item is dropped."""
        with self._condition:
            if item_id in self._stopped:
                return
            self._advance()
            pieces = self._waiting.setdefault(item_id, deque())
            self._heard.setdefault(item_id, 0)
            half = self._half.pop(item_id, b"")
            if half or len(pcm) % 2:
                pcm = half + pcm
                if len(pcm) % 2:
                    self._half[item_id] = pcm[-1:]
            if len(pcm) > 1:
                pieces.append(memoryview(pcm)[: len(pcm) & ~1])
            self._wake()

    def end(self, item_id: str) -> None:
        """No more comes for the item."""
        with self._condition:
            if item_id in self._stopped:
                return
            self._advance()
            self._ended.add(item_id)
            self._waiting.setdefault(item_id, deque())  # of an item without sound the end is told too
            self._heard.setdefault(item_id, 0)
            self._wake()

    def stop(self) -> None:
        """Stop, and report how much of each item was heard."""
        with self._condition:
            self._advance()
            for item_id in self._waiting:
                self._told.append((item_id, self._heard.pop(item_id), True))
                self._stopped.add(item_id)
            self._ended.difference_update(self._waiting)
            self._waiting.clear()
            self._half.clear()
        self._report()

    def advance(self) -> None:
        """Hear what the time that went by allows, and report it."""
        with self._condition:
            self._advance()
        self._report()

    # ---- inside

    def _wake(self) -> None:
        if not self._has_thread_of_its_own:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="rtnb silent speaker", daemon=True)
            self._thread.start()
        self._condition.notify_all()

    def _run(self) -> None:
        """Report every 100 ms while there is something to hear."""
        step = max(_REPORT_S / self.speed, _SHORTEST_S)
        while True:
            with self._condition:
                if not self._waiting and not self._condition.wait_for(lambda: self._waiting, timeout=_IDLE_S):
                    self._thread = None
                    return
                self._condition.wait_for(lambda: not self._waiting, timeout=step)
                self._advance()
            self._report()

    def _advance(self) -> None:
        now = self._clock()
        allowed = max(now - self._at, 0.0) * RATE * self.speed + self._owed
        self._at = now
        left = int(allowed)
        for item_id in list(self._waiting):
            pieces, before = self._waiting[item_id], self._heard[item_id]
            while left and pieces:
                taken = min(left, len(pieces[0]) // 2)
                self._hear(pieces, taken)
                self._heard[item_id] += taken
                left -= taken
            if not pieces and item_id in self._ended:
                del self._waiting[item_id]
                self._ended.discard(item_id)
                self._told.append((item_id, self._heard.pop(item_id), True))
            elif self._heard[item_id] != before:
                self._told.append((item_id, self._heard[item_id], False))
        # Time in which nothing was there to be heard is gone; a part of a sample is not.
        self._owed = allowed - int(allowed) if any(self._waiting.values()) else 0.0

    def _hear(self, pieces: deque[memoryview], n_samples: int) -> None:
        piece = pieces.popleft()
        if 2 * n_samples < len(piece):
            pieces.appendleft(piece[2 * n_samples :])
        self._played.append(piece[: 2 * n_samples])
        self._played_bytes += 2 * n_samples
        while self._played and self._played_bytes - len(self._played[0]) >= self._keep_bytes:
            self._played_bytes -= len(self._played.popleft())

    def _report(self) -> None:
        with self._condition:
            told, self._told = self._told, []
        for report in told:
            if self.on_heard is not None:
                self.on_heard(*report)
