"""What the panel tells its user in words: errors, hints. Bounded, and nothing twice in a row.

Imports nothing of rtnb.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

__all__ = ["Notice", "Notices"]

KEPT: Final = 6

Level = Literal["error", "hint"]


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
        How often it came in a row.
    """

    number: int
    level: Level
    text: str
    times: int = 1


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

    def add(self, level: Level, text: str) -> None:
        """Tell something. An error comes by several ways (the call, the event): it is told once, and counted."""
        with self._lock:
            known = next((notice for notice in self._kept if notice.text == text), None)
            if known is not None:
                known.times += 1
            else:
                self._count += 1
                self._kept.append(Notice(self._count, level, text))
        self._changed()

    def remove(self, number: int) -> None:
        """Take one away; 0 for all."""
        with self._lock:
            kept = [notice for notice in self._kept if number and notice.number != number]
            self._kept = deque(kept, maxlen=KEPT)
        self._changed()

    def to_dict(self) -> list[dict[str, Any]]:
        """As the page shows them."""
        return [{"number": each.number, "level": each.level, "text": each.text} for each in self]
