"""What a thread does while it waits for a session: every wait calls `attend`, ten times a second at least.

A kernel handles no clicks while a cell waits or awaits. Whoever has to ask the user meanwhile adds a function to
`attendants`, and gets its turns on the waiting thread. Imports nothing of rtnb.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

__all__ = ["attend", "attendants"]

attendants: Final[list[Callable[[], None]]] = []
"""Called on any thread that waits, again and again; each returns at once."""


def attend() -> None:
    """Give all of them a turn."""
    for each in tuple(attendants):
        each()
