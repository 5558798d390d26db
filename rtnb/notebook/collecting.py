"""`Collector`: gathers the frames of a microphone for those who `record`.

Imports nothing of rtnb.
"""

from __future__ import annotations

import threading

__all__ = ["Collector"]


class Collector:
    """Takes frames until there are enough; called on the microphone's thread, waited for on another.

    Parameters
    ----------
    wanted
        Bytes.

    Attributes
    ----------
    done : threading.Event
        Set when there are enough.
    """

    def __init__(self, wanted: int) -> None:
        self.done = threading.Event()
        self._wanted = wanted
        self._pcm = bytearray()

    def __call__(self, pcm: bytes) -> None:
        """Take a frame."""
        self._pcm += pcm
        if len(self._pcm) >= self._wanted:
            self.done.set()

    @property
    def pcm(self) -> bytes:
        """What was gathered, no more than was wanted."""
        return bytes(self._pcm[: self._wanted])
