"""`Collector`: gathers the frames of a microphone for those who `record`.

Imports `rtnb.session.bell`.
"""

from __future__ import annotations

from rtnb.session.bell import Bell

__all__ = ["Collector"]


class Collector:
    """Takes frames until there are enough; called on the microphone's thread, waited for on another.

    Parameters
    ----------
    wanted
        Bytes.
    """

    def __init__(self, wanted: int) -> None:
        self._bell = Bell()
        self._wanted = wanted
        self._pcm = bytearray()

    def __call__(self, pcm: bytes) -> None:
        """Take a frame."""
        self._pcm += pcm
        if self._is_enough():
            self._bell.ring()

    def wait(self, timeout: float) -> bool:
        """Wait until there are enough; False when `timeout` seconds went by before."""
        return self._bell.wait_until(self._is_enough, timeout)

    def _is_enough(self) -> bool:
        return len(self._pcm) >= self._wanted

    @property
    def pcm(self) -> bytes:
        """What was gathered, no more than was wanted."""
        return bytes(self._pcm[: self._wanted])
