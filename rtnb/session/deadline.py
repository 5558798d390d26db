"""One time limit over several steps.

Imports nothing of rtnb.
"""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["countdown"]


class _Left(float):
    """Seconds that are left. Formatted, they are those that were given: an error tells the limit that its user set."""

    given: float

    def __format__(self, spec: str) -> str:
        return format(self.given, spec)


def countdown(seconds: float) -> Callable[[], float]:
    """Begin to count; gives a function that tells how many seconds are left, in words those that were given.

    Parameters
    ----------
    seconds
        For all the steps together.
    """
    end = time.monotonic() + seconds

    def left() -> float:
        found = _Left(max(end - time.monotonic(), 0.0))
        found.given = seconds
        return found

    return left
