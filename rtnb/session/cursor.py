"""`Cursor`: where `wait` looks from.

``session.wait`` gives what came since the last thing that its caller did. Listeners and tools call the session too,
beside the caller's cell and at any time; were there only one place, a listener that sends something would move it past
the events that the cell is about to wait for. So everything that the session itself calls, through `apart`, has places
of its own. Those of a tool begin where the cell's stands; that of a listener, for each call, at what it is called for.

Imports nothing of rtnb.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final
from weakref import WeakKeyDictionary

__all__ = ["Cursor", "apart"]

_OWN: Final[ContextVar[WeakKeyDictionary[Cursor, int] | None]] = ContextVar("rtnb_places", default=None)


class Cursor:
    """An index of the log for each who waits; follows the context of the caller, also onto the session's loop."""

    def __init__(self) -> None:
        self._shared = -1

    @property
    def place(self) -> int:
        """The index after which the caller has seen nothing."""
        own = _OWN.get()
        return self._shared if own is None else own.get(self, self._shared)

    def move(self, place: int) -> None:
        """Look from here from now on."""
        own = _OWN.get()
        if own is None:
            self._shared = place
        else:
            own[self] = place


def apart(cursor: Cursor | None = None, place: int = -1) -> None:
    """Give the current context (a task, a thread) places of its own, with every session.

    Parameters
    ----------
    cursor
        Of the session where it begins at `place`; with all others it begins where the cell's stands.
    place
        An index of the log.
    """
    _OWN.set(WeakKeyDictionary() if cursor is None else WeakKeyDictionary({cursor: place}))
