"""The private thread of a session, with an event loop of its own: the only crossing between threads.

A notebook's own loop is blocked by every busy cell; a session's is not, because nobody's code runs on it but ours.
Other threads hand work over in two ways: `Runner.call` waits for the result, `Runner.post` does not. Both waits and
awaits are open to Ctrl-C (a kernel interrupt) at any moment; see `rtnb.session.bell`.

Imports `rtnb.core.errors` and `rtnb.session.bell`.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

from rtnb.core.errors import ConnectionClosed, RtnbError
from rtnb.session.bell import Bell

__all__ = ["Job", "Runner", "keep"]

T = TypeVar("T")


class Job(Generic[T]):
    """A coroutine on the loop of a `Runner`, as other threads see it; made by `Runner.submit`.

    Parameters
    ----------
    work
        The coroutine.
    loop
        Where it runs.
    name
        Of the thread, for errors.
    """

    def __init__(self, work: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop, name: str) -> None:
        self._work = work
        self._loop = loop
        self._name = name
        self._bell = Bell()
        self._task: asyncio.Task[T] | None = None
        self._ended: asyncio.Task[T] | None = None  # the same, once it is done

    # ---- on the loop

    def begin(self) -> None:
        """Run it."""
        self._task = self._loop.create_task(self._work)
        self._task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[T]) -> None:
        if not task.cancelled():
            task.exception()  # whoever waited may have been interrupted: it must not be reported as never retrieved
        self._ended = task
        self._bell.ring()

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    # ---- on any other thread

    def cancel(self) -> None:
        """Stop it, if it is not done."""
        if self._ended is None:
            with contextlib.suppress(RuntimeError):  # its loop was closed meanwhile
                self._loop.call_soon_threadsafe(self._cancel)

    def result(self, timeout: float = math.inf) -> T:
        """Wait for its end; gives what it gave, or raises what it raised.

        Raises
        ------
        ConnectionClosed
            It was cancelled: the thread was ended.
        TimeoutError
            It was not done within `timeout` seconds, and goes on.
        """
        if not self._bell.wait_until(lambda: self._ended is not None, timeout):
            raise TimeoutError
        return self._outcome()

    def __await__(self) -> Generator[Any, None, T]:
        """Await its end; raises as `result` does."""
        yield from self._bell.until(lambda: self._ended is not None).__await__()
        return self._outcome()

    def _outcome(self) -> T:
        assert self._ended is not None
        if self._ended.cancelled():
            raise ConnectionClosed(f"{self._name} was closed before this was done", code=1000)
        return self._ended.result()


class Runner:
    """A daemon thread that runs an event loop; started by the first use, ended by `stop`.

    Parameters
    ----------
    name
        Name of the thread, as debuggers show it.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.RLock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def is_current(self) -> bool:
        """Whether the calling code runs on this thread."""
        return self._thread is threading.current_thread()

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop, when there is one; asking takes no lock, so that the garbage collector may."""
        return self._loop

    @property
    def is_running(self) -> bool:
        """Whether there is a thread."""
        return self._thread is not None

    def submit(self, work: Coroutine[Any, Any, T]) -> Job[T]:
        """Start a coroutine on the loop."""
        with self._lock:  # a loop that is stopped meanwhile would take it, and never run it
            loop = self._running()
            job = Job(work, loop, self._name)
            loop.call_soon_threadsafe(job.begin)
        return job

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and wait for its result; Ctrl-C cancels it.

        Raises
        ------
        RtnbError
            On the session's own thread, where waiting would stop everything: use ``await session.aio...`` there.
        ConnectionClosed
            The thread was ended meanwhile.
        """
        if self.is_current:
            work.close()
            raise RtnbError(
                "a blocking call was made on the session's own thread (an async callback or an async tool runs there); "
                "await the same name on session.aio instead, for example: await session.aio.wait(...)"
            )
        job = self.submit(work)
        try:
            return job.result()
        except BaseException:
            job.cancel()
            raise

    async def bridge(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop and await its result on the caller's; cancelling the await cancels it.

        Raises
        ------
        ConnectionClosed
            The thread was ended meanwhile.
        """
        if self.is_current:
            return await work
        job = self.submit(work)
        try:
            return await job
        except BaseException:
            job.cancel()
            raise

    def post(self, call: Callable[..., object], *args: object) -> None:
        """Run a plain function on the loop soon, without waiting."""
        with self._lock:
            self._running().call_soon_threadsafe(call, *args)

    def stop(self, timeout: float = 5.0) -> None:
        """Cancel what still runs and end the thread; a later use starts a new one."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None:
            return
        loop.call_soon_threadsafe(loop.stop)
        if thread is not threading.current_thread():
            thread.join(timeout)

    def _running(self) -> asyncio.AbstractEventLoop:
        """The loop, which is started where there is none; under the lock."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=_run, args=(self._loop,), name=self._name, daemon=True)
            self._thread.start()
        return self._loop


_tasks: set[asyncio.Task[None]] = set()


def keep(task: asyncio.Task[None]) -> None:
    """Hold a task until it ends: a loop does not."""
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left, timeout=2.0))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
