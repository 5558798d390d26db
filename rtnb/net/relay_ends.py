"""The two ends of a relayed session: opening upstream, reading a request, closing each side as the other closed.

May import `rtnb.core` and its neighbours in `rtnb.net`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import socket
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from websockets.asyncio.connection import Connection
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import EXTERNAL_CLOSE_CODES
from websockets.http11 import Request
from websockets.typing import Subprotocol

from rtnb.core.protocol import Event
from rtnb.net.endpoint import Endpoint
from rtnb.net.relay_access import Visitor
from rtnb.net.relay_door import QuietLogger
from rtnb.net.relay_session import Bridge, Ending
from rtnb.net.transport import connect_websocket

__all__ = [
    "QUEUE",
    "connect_upstream",
    "end",
    "part",
    "said_model",
    "select_subprotocol",
    "sendable",
    "visitor_of",
    "without_model",
]

QUEUE: Final = (16, 4)
"""Messages that are read ahead of the other side; then the socket holds them back."""

_MOST_UPSTREAM_BYTES: Final = 64 * 1024 * 1024  # a retrieved item carries a whole answer's audio
_OPEN_S: Final = 10.0
_USER_TIMEOUT_MS: Final = 60_000
_SAID_MODEL: Final = re.compile(r"[A-Za-z0-9][\w.:/-]{0,79}")


async def connect_upstream(wanted: Endpoint) -> Connection:
    """Open a connection to upstream; raises `rtnb.ConnectionFailed`."""
    endpoint = await asyncio.to_thread(wanted.started) if wanted.token is not None else wanted
    upstream = await connect_websocket(
        endpoint.address,
        headers=endpoint.headers,
        timeout=_OPEN_S,
        proxy=not endpoint.is_loopback,
        secrets=endpoint.secrets,
        max_size=_MOST_UPSTREAM_BYTES,
        max_queue=QUEUE,
        # A client that reads slowly stops us from reading, pongs too. So a dead upstream is told by the kernel instead:
        # pings that nobody acknowledges.
        ping_timeout=None,
        close_timeout=5,
        logger=QuietLogger(logging.getLogger("rtnb.net.relay.websockets")),
    )
    found = upstream.transport.get_extra_info("socket")
    if found is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
        with contextlib.suppress(OSError):
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT_MS)
    return upstream


async def part(client: ServerConnection, bridge: Bridge, upstream: Connection, ending: Ending) -> None:
    """Close each side as the other closed; upstream once it told what the session cost, for which no client waits."""
    code = sendable(ending)
    if ending.by == "client":
        await bridge.settle()
        await upstream.close(code, ending.reason)
    else:
        await asyncio.gather(end(client, code, ending.reason, ending.event), bridge.settle())
        await upstream.close()


async def end(client: ServerConnection, code: int, reason: str, event: Event | None) -> None:
    """Tell a client why, and close."""
    with contextlib.suppress(ConnectionClosed):
        if event is not None:
            await client.send(orjson.dumps(event).decode())
    await client.close(code, reason)


def sendable(ending: Ending) -> int:
    """The code to close the other side with: some only stand for what came without a close frame."""
    if ending.code in EXTERNAL_CLOSE_CODES or 3000 <= ending.code < 5000:
        return ending.code
    if ending.code == 1005:
        return 1000
    return 1014 if ending.by == "upstream" else 1001  # it broke off: a bad gateway, or a page that went


def visitor_of(request: Request) -> Visitor:
    """What a request for a WebSocket shows."""
    return Visitor(request.path, lambda name: request.headers.get_all(name))


def said_model(visitor: Visitor) -> str | None:
    """The model that a client names, when it may be the name of one."""
    found = next((value for name, value in visitor.query if name == "model"), None)
    return found if found is not None and _SAID_MODEL.fullmatch(found) else None


def without_model(session: Mapping[str, Any]) -> dict[str, Any]:
    """Settings without the model, which stands in the address already."""
    return {name: value for name, value in session.items() if name != "model"}


def select_subprotocol(_: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Choose one: browsers refuse a connection on which nothing of their offer was chosen. No key is said back."""
    names = [name for name in offered if not name.startswith("openai-insecure-api-key.")]
    return "realtime" if "realtime" in names else next(iter((*names, *offered)), None)  # type: ignore[return-value]
