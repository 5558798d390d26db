"""A gate that lets speech through and keeps silence back, for thin uplinks. Pure: frames in, frames out.

Theory of operation
-------------------
The noise floor is the quietest frame of the last five seconds: speech has pauses, so it does not raise the floor, while
a fan that was switched on does, after five seconds. A frame well above the floor opens the gate, and what was said just
before goes first (pre-roll: the soft beginning of a word). The gate closes when nothing was above the floor for the
hangover. A sound without any pause for longer than five seconds counts as noise.

Imports `rtnb.core.audio` and `rtnb.core.protocol`.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np

from rtnb.core.audio import level_dbfs
from rtnb.core.protocol import BYTES_PER_MS

__all__ = ["Gate"]

_OPEN_DB: Final = 10.0  # above the floor
_STAY_DB: Final = 6.0
_QUIETEST_DB: Final = -60.0  # below, nothing is speech, and no floor is
_LOUDEST_FLOOR_DB: Final = -25.0  # who begins in the midst of a word must be heard too
_WINDOW_MS: Final = 5_000.0
_BLOCK_MS: Final = 250.0


class Gate:
    """Lets speech through, and what stood just before it.

    Parameters
    ----------
    preroll_ms
        How much from before the opening is sent.
    hangover_ms
        How long it stays open after the last speech. Where the server detects turns by silence, this must be longer
        than its ``silence_duration_ms``, or it never hears the silence that ends a turn; `rtnb.Session` sees to that.

    Attributes
    ----------
    is_open : bool
        Whether frames pass just now.
    kept_back : int
        Bytes that were not let through.
    """

    def __init__(self, *, preroll_ms: float = 300.0, hangover_ms: float = 1_000.0) -> None:
        self.preroll_ms = preroll_ms
        self.hangover_ms = hangover_ms
        self.is_open = False
        self.kept_back = 0
        self._before: deque[bytes] = deque()
        self._before_ms = 0.0
        self._quiet_ms = 0.0
        self._blocks: deque[float] = deque(maxlen=round(_WINDOW_MS / _BLOCK_MS))  # the quietest frame of each
        self._block_ms = 0.0
        self._block_db = 0.0

    def push(self, frame: bytes, *, hold: bool = False) -> list[bytes]:
        """Take a frame of 24 kHz PCM16; gives the frames to send now, oldest first.

        Parameters
        ----------
        frame
            Of any length.
        hold
            Keep the gate open if it is: the server still hears somebody speak.
        """
        ms = len(frame) / BYTES_PER_MS
        level = max(level_dbfs(np.frombuffer(frame[: len(frame) & ~1], "<i2").astype(np.float32) / 32768), -100.0)
        floor = min(max(self._floor(level, ms), _QUIETEST_DB), _LOUDEST_FLOOR_DB)
        if level >= floor + (_STAY_DB if self.is_open else _OPEN_DB):
            self._quiet_ms = 0.0
            passing = [*self._before, frame] if not self.is_open else [frame]
            self.is_open = True
            self._before.clear()
            self._before_ms = 0.0
            return passing
        self._quiet_ms += ms
        if self.is_open and (hold or self._quiet_ms <= self.hangover_ms):
            return [frame]
        self.is_open = False
        self._keep(frame, ms)
        return []

    def reset(self) -> None:
        """Begin anew, with what is known of the noise: another recording."""
        self.is_open = False
        self._quiet_ms = self._before_ms = 0.0
        self._before.clear()

    def _keep(self, frame: bytes, ms: float) -> None:
        self._before.append(frame)
        self._before_ms += ms
        while self._before and self._before_ms - len(self._before[0]) / BYTES_PER_MS >= self.preroll_ms:
            old = self._before.popleft()
            self._before_ms -= len(old) / BYTES_PER_MS
            self.kept_back += len(old)

    def _floor(self, level: float, ms: float) -> float:
        self._block_db = level if self._block_ms == 0 else min(self._block_db, level)
        self._block_ms += ms
        floor = min([self._block_db, *self._blocks])
        if self._block_ms >= _BLOCK_MS:
            self._blocks.append(self._block_db)
            self._block_ms = 0.0
        return floor
