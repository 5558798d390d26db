"""Who wants to hear of what: subscriptions by event name, by glob, and by the reference client's names.

Plain functions run on one thread of their own, in the order of the events, so that a slow one stops neither the socket
nor the loop and may itself call any method of the session. ``async`` functions run on the session's loop. A function
that fails is reported through logging (which shows it when nothing is configured) and stays subscribed.

Imports `rtnb.session.cursor`.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import queue
import threading
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any, Final, TypeAlias

from rtnb.session.cursor import Cursor, apart

__all__ = ["REFERENCE_EVENTS", "Listener", "Listeners"]

logger = logging.getLogger(__name__)

Listener: TypeAlias = Callable[[Any], Any]

_Call: TypeAlias = tuple[Listener, Any, int]
"""Whom to call, with what, and the last index of the log then."""

REFERENCE_EVENTS: Final = frozenset(
    {
        "realtime.event",
        "conversation.updated",
        "conversation.interrupted",
        "conversation.item.appended",
        "conversation.item.completed",
    }
)
"""Names of the 2024 reference client beyond the wire's own (its ``error`` is the wire's)."""

_OWN: Final = "session.activity", "session.hint", "session.state"
"""Names of our own: they carry no event of the wire."""

_NO_WIRE: Final = REFERENCE_EVENTS.union(_OWN)


class Listeners:
    """A table of subscriptions.

    Parameters
    ----------
    name
        Name of the thread that plain functions run on.
    cursor
        Where `wait` looks from: each call has a place of its own.
    now
        The last index of the log; there the place of a call begins.
    """

    def __init__(self, name: str, *, cursor: Cursor, now: Callable[[], int]) -> None:
        self._name = name
        self._cursor = cursor
        self._now = now
        self._lock = threading.Lock()
        self._by_pattern: dict[str, list[Listener]] = {}
        self._matching: dict[str, tuple[Listener, ...]] = {}  # event name -> who hears it; emptied by each change
        self._queue: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.is_empty = True
        """Whether nobody listens to anything: asked for each event, so a plain attribute."""

    def on(self, pattern: str, fn: Listener) -> Listener:
        """Subscribe `fn` to an event name or a glob such as ``response.*``; gives `fn` back."""
        if not callable(fn):
            raise TypeError(f"a listener must be callable, not {type(fn).__name__}")
        with self._lock:
            self._by_pattern.setdefault(pattern, []).append(fn)
            self._matching = {}
            self.is_empty = False
        return fn

    def off(self, pattern: str, fn: Listener | None = None) -> None:
        """End the subscription of `fn`, or all under this very `pattern`; unknown ones are no error."""
        with self._lock:
            kept = [] if fn is None else [each for each in self._by_pattern.get(pattern, ()) if each != fn]
            self._by_pattern[pattern] = kept
            if not kept:
                del self._by_pattern[pattern]
            self._matching = {}
            self.is_empty = not self._by_pattern

    def of(self, name: str) -> tuple[Listener, ...]:
        """Who hears of `name`; the answer is remembered, so asking for every event costs one look-up."""
        found = self._matching.get(name)
        if found is None:
            with self._lock:
                found = tuple(fn for pattern, fns in self._by_pattern.items() if _matches(name, pattern) for fn in fns)
                self._matching[name] = found
        return found

    def tell(self, name: str, payload: Any) -> None:
        """Call everybody who hears of `name`; on the session's loop."""
        fns = self.of(name)
        if not fns:
            return
        place = self._now()
        for fn in fns:
            if inspect.iscoroutinefunction(fn):
                task = asyncio.ensure_future(_guarded(fn, payload, self._cursor, place))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            else:
                self._call_later(fn, payload, place)

    def _call_later(self, fn: Listener, payload: Any, place: int) -> None:
        """Call `fn` on the listeners' thread, after what already waits there."""
        if self._thread is None:
            loop = asyncio.get_running_loop()
            self._thread = threading.Thread(
                target=_drain, args=(self._queue, loop, self._cursor), name=self._name, daemon=True
            )
            self._thread.start()
        self._queue.put((fn, payload, place))

    def close(self) -> None:
        """End the thread after what already waits; a later subscription call starts a new one."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread = None
            self._queue = queue.SimpleQueue()


def _matches(name: str, pattern: str) -> bool:
    # These are no wire names: a glob over the wire must not pick events up twice, nor meet what is no event.
    return name == pattern or (name not in _NO_WIRE and fnmatchcase(name, pattern))


def _drain(waiting: queue.SimpleQueue[_Call | None], loop: asyncio.AbstractEventLoop, cursor: Cursor) -> None:
    while (work := waiting.get()) is not None:
        fn, payload, place = work
        apart(cursor, place)
        try:
            result = fn(payload)
            if inspect.iscoroutine(result):  # a lambda or an object around an ``async`` function
                given = _guarded(lambda _, given=result: given, payload, cursor, place)  # type: ignore[misc]
                asyncio.run_coroutine_threadsafe(given, loop)
        except BaseException:
            logger.exception("the listener %r failed", fn)


async def _guarded(fn: Listener, payload: Any, cursor: Cursor, place: int) -> None:
    apart(cursor, place)
    try:
        await fn(payload)
    except asyncio.CancelledError:
        raise
    except Exception:
        logger.exception("the listener %r failed", fn)
