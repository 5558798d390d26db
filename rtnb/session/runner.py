"""The private thread of a session, with an event loop of its own: the only crossing between threads.

A notebook's own loop is blocked by every busy cell; a session's is not, because nobody's code runs on it but ours.
Other threads hand work over in two ways: `Runner.call` waits for the result, `Runner.post` does not. Both waits and
awaits look up every tenth of a second, so that Ctrl-C (a kernel interrupt) ends them; a blocking wait on a quiet lock
or loop could not be interrupted on every system.

Imports `rtnb.core.errors` and `rtnb.session.waiting`.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from rtnb.core.errors import ConnectionClosed, RtnbError
from rtnb.session.waiting import attend

__all__ = ["Runner", "join", "keep", "wait_for"]

T = TypeVar("T")

_SLICE_S: Final = 0.1
"""How long a wait sleeps at most before it looks for an interrupt."""


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

    def submit(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Start a coroutine on the loop; its future may be awaited with `join` or waited for with `wait_for`."""
        with self._lock:  # a loop that is stopped meanwhile would take it, and never run it
            return asyncio.run_coroutine_threadsafe(work, self._running())

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
        future = self.submit(work)
        try:
            return wait_for(future)
        except concurrent.futures.CancelledError:
            raise self._ended() from None
        except BaseException:
            future.cancel()
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
        future = self.submit(work)
        try:
            return await join(future)
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if future.cancelled() and not (caller is not None and caller.cancelling()):
                raise self._ended() from None
            future.cancel()
            raise
        except BaseException:
            future.cancel()
            raise

    def _ended(self) -> ConnectionClosed:
        return ConnectionClosed(f"{self._name} was closed before this was done", code=1000)

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


def wait_for(future: concurrent.futures.Future[T], timeout: float | None = None) -> T:
    """Wait for a future of another thread, open to Ctrl-C.

    Raises
    ------
    TimeoutError
        When `timeout` seconds went by; the future goes on.
    """
    left = timeout
    while True:
        step = _SLICE_S if left is None else min(_SLICE_S, left)
        done, _ = concurrent.futures.wait([future], timeout=step)
        if done:
            return future.result()
        attend()
        if left is not None:
            left -= step
            if left <= 0:
                raise TimeoutError


async def join(future: concurrent.futures.Future[T], timeout: float | None = None) -> T:
    """Await a future of another thread, open to Ctrl-C.

    Cancelling the await does not cancel the future. Raises TimeoutError like `wait_for`.
    """
    inner = asyncio.wrap_future(future)
    loop = asyncio.get_running_loop()
    end = None if timeout is None else loop.time() + timeout
    while not inner.done():
        step = _SLICE_S if end is None else min(_SLICE_S, max(end - loop.time(), 0))
        await asyncio.wait({inner}, timeout=step)
        attend()
        if end is not None and not inner.done() and loop.time() >= end:
            raise TimeoutError
    return inner.result()
