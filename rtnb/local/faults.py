"""Failures on request, so that a lesson can cause what it explains, and a test what it guards against.

A fault waits until it has its occasion: most befall the next answer, ``late_transcripts`` the next utterance. See
`FAULTS` for all of them.

May import `rtnb.local.seams` and `rtnb.local.problems`.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from rtnb.local.problems import Problem
from rtnb.local.seams import Failed, Finished

__all__ = ["FAULTS", "Fault", "Faults", "Trouble"]

FAULTS: Final[Mapping[str, str]] = {
    "delay": "the answer begins `seconds` later",
    "jitter": "the pieces of the answer come at random, up to `seconds` apart",
    "stall": "the answer stops for `seconds` in its midst",
    "drop": "the connection breaks in the midst of the answer, without a close frame",
    "error": "an error event comes in the midst of the answer, which goes on",
    "failed": "the answer fails in its midst",
    "rate_limit": "the answer fails because a rate limit was reached",
    "incomplete": "the answer is stopped by the content filter",
    "expire": "the session reaches its time limit in the midst of the answer",
    "late_transcripts": "the transcript of what the user says comes `seconds` late, after the answer perhaps",
}
"""What can be made to go wrong, by name."""

_ENDINGS: Final[Mapping[str, Failed | Finished]] = {
    "failed": Failed(
        {"type": "server_error", "code": "server_error", "message": "The server had an error (it was asked for)."}
    ),
    "rate_limit": Failed(
        {
            "type": "tokens",
            "code": "rate_limit_exceeded",
            "message": "Rate limit reached (it was asked for). Please try again in 1.5s.",
        }
    ),
    "incomplete": Finished("content_filter"),
}


@dataclass(frozen=True)
class Fault:
    """One failure that will happen."""

    name: str
    seconds: float = 1.0


class Faults:
    """The failures that an endpoint still owes; may be added from any thread."""

    def __init__(self) -> None:
        self._owed: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, name: str, seconds: float, times: int) -> None:
        """Owe a failure.

        Raises
        ------
        ValueError
            If there is none of that name.
        """
        if name not in FAULTS:
            raise ValueError(f"There is no fault {name!r}; there are {', '.join(FAULTS)}.")
        with self._lock:
            self._owed += [Fault(name, seconds)] * times

    def clear(self) -> None:
        """Owe nothing any more."""
        with self._lock:
            self._owed.clear()

    def take(self, *, of_hearing: bool = False) -> Fault | None:
        """The next failure of an answer, or of an utterance; it is not owed any more."""
        with self._lock:
            for fault in self._owed:
                if (fault.name == "late_transcripts") is of_hearing:
                    self._owed.remove(fault)
                    return fault
        return None


class Trouble:
    """What befalls one answer.

    Parameters
    ----------
    fault
        None: nothing.
    drop, expire, tell
        Break the connection, end the session, send an ``error`` event.
    """

    def __init__(
        self,
        fault: Fault | None = None,
        *,
        drop: Callable[[], None],
        expire: Callable[[], None],
        tell: Callable[[Problem], None],
    ) -> None:
        self._fault = fault
        self._drop, self._expire, self._tell = drop, expire, tell
        self._has_happened = False

    def _is(self, name: str) -> bool:
        return self._fault is not None and self._fault.name == name

    async def before(self) -> None:
        """Before the brain is asked."""
        if self._fault is not None and self._is("delay"):
            await asyncio.sleep(self._fault.seconds)

    async def between(self) -> None:
        """Before each piece."""
        if self._fault is not None and self._is("jitter"):
            await asyncio.sleep(random.uniform(0, self._fault.seconds))

    async def midst(self) -> Failed | Finished | None:
        """Once, when something of the answer has been sent; returns what ends it."""
        if self._fault is None or self._has_happened:
            return None
        self._has_happened = True
        if self._is("stall"):
            await asyncio.sleep(self._fault.seconds)
        elif self._is("drop"):
            self._drop()
            await asyncio.Event().wait()  # the connection's end ends this task
        elif self._is("expire"):
            self._expire()
        elif self._is("error"):
            message = "The server had an error while processing your request (it was asked for). Sorry about that!"
            self._tell(Problem("server_error", message, type="server_error"))
        return _ENDINGS.get(self._fault.name)
