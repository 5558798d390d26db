"""How fast audio is sent: a burst at once, then a multiple of real time.

The real service sends audio far faster than it plays. So do we, yet not as fast as the machine can: a client that plays
ten minutes of speech should not have to hold all of it at once, and a response that is interrupted early should not
have been sent whole.

Imports nothing of rtnb; the clock is passed in.
"""

from __future__ import annotations

__all__ = ["Pacer"]


class Pacer:
    """The schedule of one response.

    Parameters
    ----------
    speed
        How many times faster than real time; None or 0: no limit.
    burst_ms
        Audio that is sent at once at the beginning.

    Examples
    --------
    >>> pacer = Pacer(speed=10, burst_ms=1000)
    >>> pacer.wait(1000, now=0.0), pacer.wait(500, now=0.0)
    (0.0, 0.05)
    """

    def __init__(self, speed: float | None = 10.0, burst_ms: float = 2_000.0) -> None:
        self._speed = speed
        self._burst_ms = burst_ms
        self._sent_ms = 0.0
        self._start: float | None = None

    def wait(self, audio_ms: float, now: float) -> float:
        """Note that `audio_ms` are about to be sent; return the seconds to wait before."""
        if self._start is None:
            self._start = now
        self._sent_ms += audio_ms
        if not self._speed:
            return 0.0
        due = self._start + max(0.0, self._sent_ms - self._burst_ms) / 1000 / self._speed
        return max(0.0, due - now)
