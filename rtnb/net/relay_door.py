"""The relay's one port for two protocols: WebSocket upgrades go on to `websockets`, all else is plain HTTP.

`websockets` reads nothing but a GET with an upgrade, and a relay must also mint tokens (POST) and answer the health
checks of load balancers. So the connection looks at the head of the first request itself: an upgrade is handed on byte
for byte, any other request is read to its end, answered, and the connection closed.

May import `rtnb.core` and its neighbours in `rtnb.net`.
"""

from __future__ import annotations

import asyncio
import http
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from websockets.asyncio.server import ServerConnection

from rtnb.core.errors import redact
from rtnb.net.relay_access import Visitor

__all__ = ["Door", "QuietLogger", "WebRequest", "WebResponse", "door"]

_HEAD_BYTES: Final = 32 * 1024
_BODY_BYTES: Final = 64 * 1024
_PATIENCE_S: Final = 10.0  # for a whole plain request; an upgrade has websockets' own limit


@dataclass
class WebRequest:
    """A request that is no upgrade."""

    method: str
    target: str
    headers: Mapping[str, Sequence[str]] = field(repr=False)
    body: bytes = field(default=b"", repr=False)

    @classmethod
    def from_head(cls, head: str) -> WebRequest | None:
        """Read request line and headers; None when this is no HTTP."""
        first, *lines = head.split("\r\n")
        words = first.split(" ")
        if len(words) != 3 or not words[0].isalpha() or not words[2].startswith("HTTP/1."):
            return None
        headers: dict[str, list[str]] = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip():
                return None
            headers.setdefault(name.lower(), []).append(value.strip())
        return cls(words[0].upper(), words[1], headers)

    @property
    def visitor(self) -> Visitor:
        """What it shows."""
        return Visitor(self.target, lambda name: self.headers.get(name.lower(), ()))

    def header(self, name: str) -> str:
        """A header's value; empty when it is not there."""
        return next(iter(self.headers.get(name, ())), "")


@dataclass(frozen=True)
class WebResponse:
    """An answer."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, status: int, value: Any, headers: Mapping[str, str] | None = None) -> WebResponse:
        """An answer in JSON."""
        return cls(status, orjson.dumps(value), headers=headers or {})

    @classmethod
    def error(cls, status: int, message: str, headers: Mapping[str, str] | None = None) -> WebResponse:
        """An error, written as the service writes them."""
        error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
        return cls.json(status, {"error": error}, headers)

    def to_bytes(self) -> bytes:
        """The answer as it goes over the socket."""
        headers = {
            "Content-Type": f"{self.content_type}; charset=utf-8",
            "Content-Length": str(len(self.body)),
            "Cache-Control": "no-store",
            "Connection": "close",
            **self.headers,
        }
        lines = [f"HTTP/1.1 {self.status} {http.HTTPStatus(self.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + self.body


class Door(ServerConnection):
    """A server connection that tells upgrades from plain requests; see `door`."""

    def __init__(self, *args: Any, answer: Callable[[WebRequest], WebResponse], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._answer = answer
        self._head: bytearray | None = bytearray()  # None: handed on to websockets, or answered
        self._plain: WebRequest | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; called by asyncio."""
        super().connection_made(transport)
        self._timer = self.loop.call_later(_PATIENCE_S, self._impatient)

    def connection_lost(self, exc: Exception | None) -> None:
        """End; called by asyncio."""
        self._settle()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes from the socket; called by asyncio."""
        if self._head is None:
            return
        self._head += data
        if self._plain is None and not self._read_head():
            return
        assert self._plain is not None
        length = int(self._plain.header("content-length") or 0)
        if self._head is not None and len(self._head) >= length:
            self._plain.body = bytes(self._head[:length])
            self._reply(self._answer(self._plain))

    def _read_head(self) -> bool:
        """Read the head; True when it is a plain request whose body may be read."""
        assert self._head is not None
        end = self._head.find(b"\r\n\r\n")
        if end < 0:
            if len(self._head) > _HEAD_BYTES:
                self._reply(WebResponse.error(431, "The request's head is too large."))
            return False
        request = WebRequest.from_head(bytes(self._head[:end]).decode("latin-1"))
        if request is None:
            self._reply(WebResponse.error(400, "This is no HTTP request."))
            return False
        if request.method == "GET" and "websocket" in request.header("upgrade").lower():
            held, self._head = bytes(self._head), None
            self._settle()
            # from here on asyncio calls websockets without a detour: it is called for each piece of each client
            self.data_received = super().data_received  # type: ignore[method-assign]
            self.data_received(held)
            return False
        length = request.header("content-length") or "0"
        if request.header("transfer-encoding") or not length.isdigit():
            self._reply(WebResponse.error(411, "Send a body with its Content-Length."))
            return False
        if int(length) > _BODY_BYTES:
            self._reply(WebResponse.error(413, "The body is too large."))
            return False
        if request.header("expect").lower() == "100-continue":
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        del self._head[: end + 4]
        self._plain = request
        return True

    def _reply(self, response: WebResponse) -> None:
        self._head, self._plain = None, WebRequest("", "", {})  # what may still come is not read
        self._settle()
        if not self.transport.is_closing():
            self.transport.write(response.to_bytes())
            self.transport.close()

    def _impatient(self) -> None:
        if self._head is not None:
            self._reply(WebResponse.error(408, "The request took too long."))

    def _settle(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def door(answer: Callable[[WebRequest], WebResponse]) -> type[ServerConnection]:
    """A connection class for `websockets.serve` that gives plain requests to `answer`."""

    class TheDoor(Door):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, answer=answer, **kwargs)

    return TheDoor


class QuietLogger(logging.LoggerAdapter[logging.Logger]):
    """What websockets has to say, without content and keys.

    Parameters
    ----------
    logger
        Where the rest goes.
    """

    def __init__(self, logger: logging.Logger) -> None:
        super().__init__(logger, {})

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - logging's name
        """Only for what needs attention: below it are frames, headers, and each connection."""
        return level > logging.INFO and super().isEnabledFor(level)

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Log one message, redacted; of an exception its type alone, since its text may quote a header."""
        if not self.isEnabledFor(level):
            return
        text = redact(str(msg) % args if args else str(msg))
        exc = kwargs.get("exc_info")
        exc = sys.exc_info()[1] if exc is True else exc
        if isinstance(exc, BaseException):
            text = f"{text} ({type(exc).__name__})"
        # handshakes of port scanners and of pages that were closed are no error of anybody here
        self.logger.log(logging.DEBUG if text.startswith("opening handshake") else level, "%s", text)
