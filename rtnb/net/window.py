"""How much may be under way at once: a long upload goes no faster than the line carries it.

Theory of operation
-------------------
A socket takes megabytes into its own buffers at once, whatever the line behind it carries. On a thin line everything
sent later then waits behind them for a minute: an interruption, and the keep-alive whose pong decides whether the
connection still lives. So after every `STEP` bytes a ping goes along; its pong says that all before it has arrived; and
no more than `MOST` bytes go out beyond the last pong. Nothing is measured and nothing is guessed: the line sets the
pace. A microphone (66 kB a second) never meets the limit on a line that carries it.

Imports nothing of rtnb.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

__all__ = ["MOST", "STEP", "Window"]

MOST: Final = 256 * 1024
"""Bytes under way at once: two seconds of a 1 Mbit/s line, 14 of one with 150 kbit/s."""

STEP: Final = 64 * 1024

_PATIENCE_S: Final = 15.0  # a peer that answers no pings is not waited for longer, each time


class Window:
    """Counts what is under way on one connection. Lives on its loop.

    Parameters
    ----------
    ping
        Sends a ping; gives an awaitable of its pong.
    most
        Bytes under way at once; a single larger message goes out when nothing else is under way.
    """

    def __init__(self, ping: Callable[[], Awaitable[Awaitable[object]]], *, most: int = MOST) -> None:
        self._ping = ping
        self._most = most
        self._sent = 0
        self._asked = 0  # all up to here will be confirmed by a pong
        self._arrived = 0
        self._news = asyncio.Event()
        self.waits = 0
        """How often somebody had to wait."""

    @property
    def under_way(self) -> int:
        """Bytes that were sent and not yet confirmed."""
        return self._sent - self._arrived

    async def room(self, size: int) -> None:
        """Wait until so many bytes may be sent."""
        if not self.under_way or self.under_way + size <= self._most:
            return
        self.waits += 1
        while self.under_way and self.under_way + size > self._most:
            self._news.clear()
            if self._asked < self._sent:
                await self._ask()
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    await self._news.wait()
            except TimeoutError:
                self._confirm(self._sent)

    async def sent(self, size: int) -> None:
        """So many bytes were sent."""
        self._sent += size
        if self._sent - self._asked >= STEP:
            await self._ask()

    async def _ask(self) -> None:
        mark = self._asked = self._sent
        pong = asyncio.ensure_future(await self._ping())

        def came(answer: asyncio.Future[object]) -> None:
            if not answer.cancelled():
                answer.exception()  # the connection ended: whoever sends next learns it there
            self._confirm(mark)

        pong.add_done_callback(came)

    def _confirm(self, mark: int) -> None:
        self._arrived = max(self._arrived, mark)
        self._news.set()
