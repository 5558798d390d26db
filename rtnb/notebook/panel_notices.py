"""What the panel tells its user in words: errors, hints. Bounded; what comes again is counted and is the newest again.

Imports nothing of rtnb.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

__all__ = ["Level", "Notice", "Notices"]

KEPT: Final = 6

Level: TypeAlias = Literal["error", "hint"]
"""What a notice is: something failed, or is worth knowing."""


@dataclass
class Notice:
    """One thing to tell.

    Attributes
    ----------
    number
        Counts the notices, from 1.
    level
        ``"error"``: something failed. ``"hint"``: worth knowing.
    text
        In words, with what to do about it.
    times
        How often it came.
    event
        The server's event that it tells of, if it is one.
    """

    number: int
    level: Level
    text: str
    times: int = 1
    event: Mapping[str, Any] | None = None


class Notices:
    """The newest notices, oldest first; read and changed from any thread.

    Parameters
    ----------
    changed
        Called after each change.
    """

    def __init__(self, changed: Callable[[], object] = lambda: None) -> None:
        self._changed = changed
        self._lock = threading.Lock()
        self._kept: deque[Notice] = deque(maxlen=KEPT)
        self._count = 0

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[Notice]:
        with self._lock:
            return iter(list(self._kept))

    def __repr__(self) -> str:
        return f"<Notices: {len(self)}>"

    def add(self, level: Level, text: str, event: Mapping[str, Any] | None = None) -> None:
        """Tell something; what is told already is counted and moves to the end.

        An error of the server comes by two ways, as the `event` and from the call that it fails: that is once.
        """
        with self._lock:
            known = next((notice for notice in self._kept if notice.text == text), None)
            if known is None:
                self._count += 1
                known = Notice(self._count, level, text)
            elif event is not None and known.event == event:
                return
            else:
                known.times += 1
                self._kept.remove(known)
            known.event = event
            self._kept.append(known)
        self._changed()

    def remove(self, number: int) -> None:
        """Take one away; 0 for all."""
        with self._lock:
            kept = [notice for notice in self._kept if number and notice.number != number]
            self._kept = deque(kept, maxlen=KEPT)
        self._changed()

    def to_dict(self) -> list[dict[str, Any]]:
        """As the page shows them."""
        return [{"number": each.number, "level": each.level, "text": each.text, "times": each.times} for each in self]
