"""Waiting for what another thread does, open to Ctrl-C at any moment.

Python raises KeyboardInterrupt in the main thread between any two calls, also within ``threading.Condition`` and
``concurrent.futures``, which are written in Python: struck there, they keep a lock that the session's thread takes a
moment later, and everything stops for good. Here nobody shares a lock. Who waits is woken through a queue of C, which
is struck before or after, never in between, and looks up every tenth of a second, since not every system interrupts a
wait; whoever rings only puts something into each queue.

Imports `rtnb.session.waiting`.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import queue
import time
from collections.abc import Callable
from typing import Final, Protocol

from rtnb.session.waiting import attend

__all__ = ["Bell"]

_SLICE_S: Final = 0.1
"""How long a wait sleeps at most before it looks up."""


class _Ear(Protocol):
    def put(self, item: None) -> None: ...


class _AsyncEar:
    """Wakes a coroutine of another loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.news = asyncio.Event()

    def put(self, item: None) -> None:
        with contextlib.suppress(RuntimeError):  # that loop was closed, and nobody waits on it any more
            self._loop.call_soon_threadsafe(self.news.set)


class Bell:
    """Tells whoever waits that something changed, which they then look at."""

    def __init__(self) -> None:
        self._ears: set[_Ear] = set()

    def ring(self) -> None:
        """Something changed; from any thread."""
        for ear in list(self._ears):
            ear.put(None)

    def wait_until(self, is_so: Callable[[], object], timeout: float = math.inf, *, step: float = _SLICE_S) -> bool:
        """Wait until it is so; False when `timeout` seconds went by before.

        Parameters
        ----------
        is_so
            Looked at now, after each ring, and every `step` seconds.
        timeout, step
            In seconds.
        """
        end = time.monotonic() + timeout
        ear: queue.SimpleQueue[None] = queue.SimpleQueue()
        try:
            self._ears.add(ear)  # in here: struck right after it, it is taken out again
            while not is_so():
                left = end - time.monotonic()
                if left <= 0:
                    return False
                with contextlib.suppress(queue.Empty):
                    ear.get(timeout=min(step, left))
                attend()
            return True
        finally:
            self._ears.discard(ear)

    async def until(self, is_so: Callable[[], object], timeout: float = math.inf) -> bool:
        """Await what `wait_until` waits for, on the caller's own loop."""
        end = time.monotonic() + timeout
        ear = _AsyncEar()
        try:
            self._ears.add(ear)
            while not is_so():
                left = end - time.monotonic()
                if left <= 0:
                    return False
                # Not `asyncio.wait_for`: before Python 3.12 a cancellation is lost in it that comes with the news.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(_SLICE_S, left)):
                        await ear.news.wait()
                ear.news.clear()  # before the next look
                attend()
            return True
        finally:
            self._ears.discard(ear)
