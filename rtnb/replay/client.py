"""One client of a replay on its socket: what it sends goes to the player, what is due goes out.

Imports `rtnb.core` and its neighbours in `rtnb.replay`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json

import orjson
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from rtnb.core.protocol import Event
from rtnb.replay.player import NOT_RECORDED, Player
from rtnb.replay.script import is_main

__all__ = ["Client"]


class Client:
    """One connection; lives on the loop of the server.

    Parameters
    ----------
    socket
        Open already.
    player
        What is played to it.
    stepped
        Once the client has its configuration, send nothing but by `step`.
    lost_after
        Seconds after the last event at which the connection is lost, as it was when it was recorded; at once when the
        client goes on with what only the next connection can hold. None: it stays.
    is_last
        No connection follows in the recording: where this one is lost, nobody is to open another by itself.
    """

    def __init__(
        self,
        socket: ServerConnection,
        player: Player,
        *,
        stepped: bool,
        lost_after: float | None = None,
        is_last: bool = False,
    ) -> None:
        self.player = player
        self._lost_after = lost_after
        self._is_last = is_last
        self._socket = socket
        self._stepped = stepped
        self._is_open = False  # the client has its configuration
        self._news = asyncio.Event()
        self._sending = asyncio.Lock()
        self._ends_at: float | None = None  # when it is lost, once all was said

    async def run(self) -> None:
        """Serve until the client goes."""
        loop = asyncio.get_running_loop()
        sender = loop.create_task(self._send_due())
        try:
            async for text in self._socket:
                event = _parsed(text)
                was_over = self._lost_after is not None and self.player.asks_nothing
                for each in self.player.receive(event, loop.time()):
                    if was_over and _is_for_the_next(event, each):
                        await self._lose()
                        return
                    await self._send(each)
                self._news.set()
        except ConnectionClosed:
            pass
        finally:
            sender.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sender

    async def _send_due(self) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(ConnectionClosed):
            while True:
                due = self.player.due
                if self._lost_after is not None and self.player.is_done:
                    self._ends_at = self._ends_at or loop.time() + self._lost_after
                    if self._ends_at <= loop.time():
                        await self._lose()
                        return
                    due = self._ends_at
                elif self._stepped and self._is_open:
                    due = None
                if due is None:
                    await self._news.wait()
                elif (wait := due - loop.time()) > 0:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._news.wait(), wait)
                elif self.player.due is None:
                    continue  # its end came just now
                else:
                    await self._send(self.player.pop())
                    continue
                self._news.clear()

    async def _lose(self) -> None:
        """Say what is left, and lose the connection."""
        while self.player.due is not None:
            await self._send(self.player.pop())
        if self._is_last:
            await self._socket.close(1000, "the recording ends here")
        else:
            await self._socket.close(1001, "the recorded connection was lost here")

    async def step(self) -> Event | None:
        """Send the next event now; gives it, or None when there is none."""
        if self.player.due is None:
            return None
        event = self.player.pop()
        with contextlib.suppress(ConnectionClosed):
            await self._send(event)
        return event

    def set_stepped(self, stepped: bool) -> None:
        """Go on by itself, or not."""
        self._stepped = stepped
        self._news.set()

    async def _send(self, event: Event) -> None:
        if event.get("type") == "session.updated":
            self._is_open = True
        async with self._sending:
            await self._socket.send(_text(event), text=True)


def _is_for_the_next(event: object, answer: Event) -> bool:
    """Whether an event of the client, with what it is answered here, is for the connection that goes on with this."""
    detail = answer.get("error")
    is_refused = isinstance(detail, dict) and detail.get("code") == NOT_RECORDED
    return is_refused and isinstance(event, dict) and is_main(event)


def _parsed(text: str | bytes) -> object:
    try:
        return orjson.loads(text)
    except ValueError:
        return None


def _text(event: Event) -> bytes:
    try:
        return orjson.dumps(event)
    except TypeError:  # a huge number, half of a surrogate pair: what JSON can hold and orjson does not
        return json.dumps(event).encode()
