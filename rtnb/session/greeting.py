"""The first words with a server: its greeting, and its word that settings hold; also where a server gives neither.

The service greets with ``session.created`` and confirms each ``session.update``. Servers that are only compatible may
do neither (`rtnb.net.dialect`); with them the session goes on after a short while, and `Spoken` remembers it.

Imports `rtnb.core` and `rtnb.session.link`.
"""

from __future__ import annotations

from typing import Final

from rtnb.core.errors import WaitTimeout
from rtnb.core.log import Entry
from rtnb.core.protocol import Event
from rtnb.session.link import Link

__all__ = ["confirmed", "greeting"]

_PATIENCE_S: Final = 3.0
_KNOWN_SILENT_S: Final = 0.2


async def greeting(link: Link, *, after: int, timeout: float) -> Entry | None:
    """The first event of the server; None when a compatible one waits to be spoken to.

    Parameters
    ----------
    link
        Just opened.
    after
        Index of the log.
    timeout
        Seconds left for opening as a whole.
    """
    if link.spoken is None:
        return await link.wait("*", after=after, timeout=timeout)
    try:
        return await link.wait("*", after=after, timeout=min(timeout / 2, _PATIENCE_S))
    except WaitTimeout:
        link.spoken.greets = False
        return None


async def confirmed(link: Link, update: Event, *, timeout: float) -> None:
    """Send a ``session.update`` and wait until it holds; with a server that never says so, for a moment.

    Raises
    ------
    ServerError
        The server refused it.
    WaitTimeout
        Nothing came, and the server is one that should have confirmed, or says nothing at all.
    """
    spoken = link.spoken
    if spoken is None:
        await link.request(update, "session.updated", timeout=timeout)
        return
    patience = min(timeout / 2, _PATIENCE_S) if spoken.confirms else min(timeout, _KNOWN_SILENT_S)
    if not spoken.greets and spoken.confirms:
        patience = timeout  # it said nothing so far, and may still load its models
    try:
        await link.request(update, "session.updated", timeout=patience)
        spoken.confirms = True
    except WaitTimeout:
        if not spoken.greets and spoken.confirms:
            raise  # not a word from it so far
        spoken.confirms = False
