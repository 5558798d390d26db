"""Failures on request, so that a lesson can cause what it explains, and a test what it guards against.

A fault waits until it has its occasion: most befall the next answer, ``late_transcripts`` the next utterance. See
`FAULTS` for all of them.

May import `rtnb.local.seams` and `rtnb.local.problems`.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from rtnb.local.problems import Problem
from rtnb.local.seams import Failed, Finished

__all__ = ["FAULTS", "FORM", "Fault", "Faults", "Trouble"]

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
    "garbage": "a frame that is no JSON comes in the midst of the answer, which goes on",
    "huge": "a frame of 12 MB comes in the midst of the answer, which goes on",
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


_GARBAGE: Final = b'{"type": "response.output_text.delta", "delta": "cut off'
_HUGE_BYTES: Final = 12_000_000

_USUAL: Final[list[Any]] = [1.0, 1]

FORM: Final = "NAME[:SECONDS[:TIMES]]"
"""How a fault is written in one word: ``drop``, ``delay:2``, ``failed:1:3``."""


@dataclass(frozen=True)
class Fault:
    """A failure that will happen.

    Attributes
    ----------
    name
        One of `FAULTS`.
    seconds
        How long, for those that take time.
    times
        How many answers (or utterances) it befalls.

    Examples
    --------
    >>> Fault.of("delay:2.5:3")
    Fault(name='delay', seconds=2.5, times=3)
    """

    name: str
    seconds: float = 1.0
    times: int = 1

    def __post_init__(self) -> None:
        if self.name not in FAULTS:
            raise ValueError(f"There is no fault {self.name!r}; there are {', '.join(FAULTS)}.")
        if not 0 <= self.seconds < float("inf"):
            raise ValueError(f"A fault takes 0 seconds or more, not {self.seconds!r}.")
        if self.times < 1:
            raise ValueError(f"A fault happens once or more often, not {self.times!r} times.")

    @classmethod
    def of(cls, value: Fault | str | Sequence[Any]) -> Fault:
        """Make one of a word (see `FORM`), or of name, seconds and times in a row.

        Raises
        ------
        ValueError
            It is none; the text says what is.
        """
        if isinstance(value, Fault):
            return value
        parts: list[Any] = value.split(":") if isinstance(value, str) else list(value)
        if not 1 <= len(parts) <= 3:
            raise ValueError(f"A fault is written {FORM}, not {value!r}.")
        name, seconds, times = (*parts, *_USUAL[len(parts) - 1 :])
        try:
            numbers = float(seconds), int(times)
        except (TypeError, ValueError):
            raise ValueError(f"A fault is written {FORM}, with numbers, not {value!r}.") from None
        return cls(str(name).strip(), *numbers)


class Faults:
    """The failures that an endpoint still owes; may be added from any thread."""

    def __init__(self) -> None:
        self._owed: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Owe a failure, after those that are owed already."""
        with self._lock:
            self._owed.append(fault)

    def clear(self) -> None:
        """Owe nothing any more."""
        with self._lock:
            self._owed.clear()

    def take(self, *, of_hearing: bool = False) -> Fault | None:
        """The next failure of an answer, or of an utterance; it is owed once less."""
        with self._lock:
            for index, fault in enumerate(self._owed):
                if (fault.name == "late_transcripts") is of_hearing:
                    if fault.times > 1:
                        self._owed[index] = replace(fault, times=fault.times - 1)
                    else:
                        del self._owed[index]
                    return fault
        return None


class Trouble:
    """What befalls one answer.

    Parameters
    ----------
    fault
        None: nothing.
    drop, expire, tell, send
        Break the connection, end the session, send an ``error`` event, send a frame as it stands.
    """

    def __init__(
        self,
        fault: Fault | None = None,
        *,
        drop: Callable[[], Awaitable[None]],
        expire: Callable[[], None],
        tell: Callable[[Problem], None],
        send: Callable[[bytes], None],
    ) -> None:
        self._fault = fault
        self._drop, self._expire, self._tell, self._send = drop, expire, tell, send
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
            await self._drop()
            await asyncio.Event().wait()  # the connection's end ends this task
        elif self._is("expire"):
            self._expire()
        elif self._is("error"):
            message = "The server had an error while processing your request (it was asked for). Sorry about that!"
            self._tell(Problem("server_error", message, type="server_error"))
        elif self._is("garbage"):
            self._send(_GARBAGE)
        elif self._is("huge"):
            self._send(b'{"type": "fault.huge", "event_id": "event_huge", "audio": "' + b"A" * _HUGE_BYTES + b'"}')
        return _ENDINGS.get(self._fault.name)
