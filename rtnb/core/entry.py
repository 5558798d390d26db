"""One event as it was sent or came: what a log consists of.

Imports `rtnb.core.protocol`.
"""

from __future__ import annotations

from typing import NamedTuple

from rtnb.core.protocol import Direction, Event

__all__ = ["Entry", "event_name"]


class Entry(NamedTuple):
    """One event as it was sent or came.

    Attributes
    ----------
    index : int
        Its place in the log of the session; a filtered log keeps it.
    time : float
        Seconds since the session began.
    direction : {"client", "server"}
        Who sent it.
    event : dict
        The event as it stands on the wire.
    """

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody wants of an entry
    time: float
    direction: Direction
    event: Event

    @property
    def name(self) -> str:
        """The event's ``type``; empty when it has none."""
        return event_name(self.event)


def event_name(event: object) -> str:
    """The ``type`` of an event; empty when it has none, or is none."""
    name = event.get("type") if isinstance(event, dict) else None
    return name if isinstance(name, str) else ""
