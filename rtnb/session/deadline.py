"""One time limit over several steps.

Imports nothing of rtnb.
"""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["countdown"]


def countdown(seconds: float) -> Callable[[], float]:
    """Begin to count; gives a function that tells how many seconds are left, rounded as one tells it.

    Parameters
    ----------
    seconds
        For all the steps together.
    """
    end = time.monotonic() + seconds
    return lambda: round(max(end - time.monotonic(), 0.0), 2)
