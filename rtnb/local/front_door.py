"""One port for two protocols: WebSocket upgrades go on to `websockets`, all else is plain HTTP, answered here.

`websockets` reads nothing but a GET with an upgrade. So the connection looks at the head of the first request itself:
an upgrade is handed on byte for byte, any other request is read to its end and answered by `Rest`, then the connection
is closed. Small on purpose: no keep-alive, no chunked bodies.

May import `rtnb.local.rest`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any, Final

from websockets.asyncio.server import ServerConnection

from rtnb.local.rest import HttpRequest, HttpResponse

__all__ = ["FrontDoor", "front_door"]

_HEAD_BYTES: Final = 64 * 1024
_BODY_BYTES: Final = 4 * 1024 * 1024


class FrontDoor(ServerConnection):
    """A server connection that tells upgrades from plain requests."""

    def __init__(self, *args: Any, answer: Callable[[HttpRequest], HttpResponse], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._answer = answer
        self._received: bytearray | None = bytearray()  # None: handed on
        self._request: HttpRequest | None = None
        self._body_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; called by asyncio."""
        # asyncio does this only for sockets that name their protocol, which those of `socket.create_server` do not.
        # Without it the second of two small events waits some 40 ms for the client's acknowledgement of the first.
        with contextlib.suppress(OSError):
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Take bytes from the socket; called by asyncio."""
        if self._received is None:
            super().data_received(data)
            return
        self._received += data
        if self._request is None and not self._read_head():
            return
        assert self._request is not None
        if len(self._received) >= self._body_bytes:
            self._request.body = bytes(self._received[: self._body_bytes])
            self._reply(self._answer(self._request))

    def _read_head(self) -> bool:
        """Read the head of the request; True when it is a plain one and complete."""
        assert self._received is not None
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            if len(self._received) > _HEAD_BYTES:
                self._reply(HttpResponse.error(431, "The request's head is too large."))
            return False
        head = bytes(self._received[:end]).decode("latin-1")
        request = HttpRequest.from_head(head)
        if request is not None and request.method == "GET" and "websocket" in request.header("upgrade").lower():
            held, self._received = bytes(self._received), None
            super().data_received(held)
            return False
        if request is None:
            self._reply(HttpResponse.error(400, "This is no HTTP request."))
            return False
        length = request.header("content-length") or "0"
        if request.header("transfer-encoding") or not length.isdigit():
            self._reply(HttpResponse.error(411, "Send a body with its Content-Length."))
            return False
        if int(length) > _BODY_BYTES:
            self._reply(HttpResponse.error(413, "The body is too large."))
            return False
        if request.header("expect").lower() == "100-continue":
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        del self._received[: end + 4]
        self._request, self._body_bytes = request, int(length)
        return True

    def _reply(self, response: HttpResponse) -> None:
        self._received = bytearray()
        self._request, self._body_bytes = HttpRequest("", ""), 1 << 62  # what may still come is not read
        if not self.transport.is_closing():
            self.transport.write(response.to_bytes())
            self.transport.close()


def front_door(answer: Callable[[HttpRequest], HttpResponse]) -> type[ServerConnection]:
    """A connection class for `websockets.serve` that gives plain requests to `answer`."""

    class Door(FrontDoor):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, answer=answer, **kwargs)

    return Door
