"""Threads for tools: started when needed, used again, and never in the way of the end of the process.

`concurrent.futures.ThreadPoolExecutor` joins its threads when Python ends, so that one hung tool would keep a
kernel from stopping. These threads are daemons. A job that hangs keeps its thread; the next job gets another.

Imports nothing of rtnb.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any, Final, TypeAlias

__all__ = ["MAX_THREADS", "ThreadsBusy", "ToolThreads"]

MAX_THREADS: Final = 64
"""The most threads at once, those of hung tools included; more are surely a mistake in a tool."""

_Job: TypeAlias = Callable[[], None]


class ThreadsBusy(RuntimeError):
    """All threads are at work, most likely hung."""


class ToolThreads:
    """Runs functions in daemon threads and gives their outcome to an event loop.

    Parameters
    ----------
    name
        Prefix of the threads' names, for debuggers.
    max_threads
        The most threads at once.
    """

    def __init__(self, name: str = "rtnb-tool", *, max_threads: int = MAX_THREADS) -> None:
        self._name = name
        self._max = max_threads
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._idle = 0  # threads that wait for a job and have none promised; changed under the lock
        self._alive = 0  # threads that have not ended; changed under the lock
        self._running: set[asyncio.Future[tuple[Any, BaseException | None]]] = set()  # changed under the lock
        self._closed = False

    @property
    def alive(self) -> int:
        """How many threads there are, at work or waiting."""
        return self._alive

    @property
    def abandoned(self) -> int:
        """How many jobs are at work though nobody waits for them any more."""
        with self._lock:
            return sum(future.cancelled() for future in self._running)

    def submit(self, function: Callable[[], Any]) -> asyncio.Future[tuple[Any, BaseException | None]]:
        """Run a function in a thread; awaited on the loop, the future gives ``(value, error)``.

        The error is a part of the result, not raised: a future cannot carry `StopIteration`, and `SystemExit` raised on
        the loop would end it.

        Parameters
        ----------
        function
            Called without arguments.

        Raises
        ------
        ThreadsBusy
            When `max_threads` are at work already, or after `close`.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[tuple[Any, BaseException | None]] = loop.create_future()

        def settle(value: Any, error: BaseException | None) -> None:
            if not future.done():
                future.set_result((value, error))

        def job() -> None:
            value, error = None, None
            try:
                value = function()
            except BaseException as exc:  # noqa: BLE001 - whatever a tool raises is its outcome
                error = exc
            with self._lock:
                self._running.discard(future)
                self._idle += 1  # before the result is known: the call that follows it is to find this thread free
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, value, error)

        self._start(job, future)
        return future

    def close(self) -> None:
        """End the waiting threads; those at work end after their job. Nothing is joined."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            for _ in range(self._alive):
                self._jobs.put(None)

    def _start(self, job: _Job, future: asyncio.Future[tuple[Any, BaseException | None]]) -> None:
        with self._lock:
            if self._closed:
                raise ThreadsBusy("the session is closed")
            if not self._idle and self._alive >= self._max:
                raise ThreadsBusy(f"{self._alive} tools are running or hung")
            self._running.add(future)
            if self._idle:
                self._idle -= 1
                self._jobs.put(job)
                return
            self._alive += 1
            number = self._alive
        threading.Thread(target=self._work, args=(job,), name=f"{self._name}-{number}", daemon=True).start()

    def _work(self, job: _Job | None) -> None:
        while job is not None:
            job()
            job = None  # or its arguments and result would live until the next one
            job = self._jobs.get()
        with self._lock:
            self._alive -= 1
