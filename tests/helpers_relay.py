"""What the tests of the relay share: a scripted upstream, a relay before the local endpoint, a client."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from helpers_local import Client, Dictation, LoudDetector, ToneVoice
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from rtnb.local.brains import ScriptBrain
from rtnb.local.server import LocalEndpoint
from rtnb.net.relay import Relay

TIMEOUT_S = 20.0
KEY = "sk-" + "planted" * 4
TOKEN = "relay-" + "t" * 20
GA = "?model=gpt-realtime"
BEARER: Any = {"additional_headers": {"Authorization": f"Bearer {TOKEN}"}}


class Upstream:
    """A WebSocket server that does with each client what it is told; and what it was asked."""

    def __init__(self, talk: Callable[[ServerConnection], Awaitable[None]]) -> None:
        self._talk = talk
        self.requests: list[Any] = []
        self.clients: list[ServerConnection] = []
        self.closed: asyncio.Queue[tuple[int | None, str | None]] = asyncio.Queue()
        self.url = ""

    async def _serve(self, client: ServerConnection) -> None:
        assert client.request is not None
        self.requests.append(client.request)
        self.clients.append(client)
        with contextlib.suppress(ConnectionClosed):
            await self._talk(client)
        await client.wait_closed()
        self.closed.put_nowait((client.close_code, client.close_reason))


@contextlib.asynccontextmanager
async def upstream(talk: Callable[[ServerConnection], Awaitable[None]], **options: Any) -> AsyncIterator[Upstream]:
    made = Upstream(talk)
    quiet = logging.getLogger("the other side")
    quiet.setLevel(logging.CRITICAL)
    async with serve(made._serve, "127.0.0.1", 0, logger=quiet, compression=None, **options) as server:
        made.url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/v1/realtime"
        yield made


@contextlib.asynccontextmanager
async def relay_to(target: Any, **options: Any) -> AsyncIterator[Relay]:
    async with Relay(target, **{"key": KEY, **options}).serve() as relay:
        yield relay


@contextlib.asynccontextmanager
async def relay_lab(*steps: Any, heard: tuple[str, ...] = (), **options: Any) -> AsyncIterator[Relay]:
    """A relay before a local endpoint that follows a script and takes the relay's key only."""
    endpoint = LocalEndpoint(
        brain=ScriptBrain(*steps),
        voice=ToneVoice(),
        hearing=Dictation(*heard),
        detector=LoudDetector,
        pace=None,
        key=KEY,
    )
    async with endpoint.serve() as running, relay_to(running.url, **options) as relay:
        yield relay


@contextlib.asynccontextmanager
async def guest(relay: Relay, path: str = f"/v1/realtime{GA}", *, judged: bool = True, **options: Any) -> Any:
    async with connect(f"ws://127.0.0.1:{relay.port}{path}", **{"compression": None, **options}) as socket:
        yield Client(socket, judged=judged)


async def eventually(condition: Callable[[], Any]) -> Any:
    """Wait until a condition that no event tells of is true."""
    async with asyncio.timeout(TIMEOUT_S):
        while not (value := condition()):
            await asyncio.sleep(0.01)
    return value


async def echo(client: ServerConnection) -> None:
    """An upstream that says everything back."""
    async for message in client:
        await client.send(message)


async def turned_away(relay: Relay, path: str = f"/v1/realtime{GA}", **options: Any) -> tuple[Any, ...]:
    """The error code, close code and reason of a client that may not stay."""
    async with guest(relay, path, judged=False, **options) as client:
        event = await client.next()
        assert event["type"] == "error"
        return (event["error"]["code"], *await client.closed())
