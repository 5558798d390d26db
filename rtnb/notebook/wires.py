"""The messages between page and kernel, and the ways that carry them to one page.

Messages, on every lane: a JSON object, with bytes beside it where noted
-----------------------------------------------------------------------
====================  =============================================================================================
page to kernel
``hello``             token, page, round, lane, seen, take, state: opens a lane; bytes: a probe (message lanes)
``ping``              key: answered by ``pong`` with the same key
``lane``              name, ms, tried: which lane the page uses, its round trip, why better ones failed
``buffers``           ok: whether binary buffers reach the page; else base64 is used
``ack``               seq: all numbered messages up to it were carried out
``audio``             take, seq, pre, last, dropped; bytes: PCM16 frame of at most 40 ms (pre: from before the start)
``heard``             reports [[item, samples heard at 24 kHz, final]], stopped, underruns, late
``state``             recording, microphone, sound, muted, mutes, error, devices, sounding, take
``device``            id: the user picked a microphone
``bye``               the page goes away
kernel to page
``rtnb``              id: the hub names itself (WebSocket only)
``welcome``           lane, active, buffers; bytes: the probe (message lanes)
``pong``              key
``play``              seq, item; bytes: PCM16 at 24 kHz
``end``               seq, item: no more audio will come for it
``stop``              seq, items: silence at once; each of the items gets its last report
``mic``               seq, on, release: start or stop sending microphone frames
``mute``              seq, on, n: send silence; the page tells the highest n that it knows as mutes
``replaced``          another page is active now
====================  =============================================================================================

On a WebSocket a message with bytes is: length of the header as uint16 little endian, the header, padded with a space to
an even length, the bytes. On message lanes the object is the content, the bytes are the first buffer, or ``data64``.

Imports nothing of rtnb.
"""

from __future__ import annotations

import base64
import ipaddress
import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection

__all__ = ["PROBE", "Header", "MessageWire", "SocketWire", "Wire", "is_origin_allowed", "pack", "unpack"]

Header = dict[str, Any]
"""The JSON part of a message."""

PROBE: Final = bytes([1, 2, 254, 255])
"""Bytes that show whether a front end loses binary buffers."""

CHUNK_BYTES: Final = 4_800  # 100 ms: below, a Jupyter server that sees many small messages starts to drop them


def pack(header: Mapping[str, Any], payload: bytes) -> bytes:
    """Put header and bytes into one binary WebSocket message."""
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (len(text) % 2)
    return len(text).to_bytes(2, "little") + text + payload


def unpack(message: bytes | str) -> tuple[Header, bytes]:
    """Take a WebSocket message apart; raises `ValueError` on anything that is not one of ours."""
    if isinstance(message, str):
        header, payload = json.loads(message), b""
    else:
        size = 2 + int.from_bytes(message[:2], "little")
        header, payload = json.loads(message[2:size]), message[size:]
    if not isinstance(header, dict) or not isinstance(header.get("kind"), str):
        raise ValueError("a message without kind")  # noqa: TRY004 - what is wrong is the peer's text, not our type
    return header, payload


def _is_loopback(host: str | None) -> bool:
    if not host:
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def is_origin_allowed(origin: str | None, hosts: Iterable[str], port: int) -> bool:
    """Whether a page of this origin may open the WebSocket (it must show the token in any case).

    Parameters
    ----------
    origin
        The ``Origin`` header; browsers always send one, other programs need not.
    hosts
        The ``Host`` and ``X-Forwarded-Host`` headers: a proxy keeps the name under which the page knows the server.
    port
        Our own port. A foreign name with our port is a name made to point at 127.0.0.1.
    """
    if origin is None:
        return True
    try:
        parts = urlsplit(origin)
        own_port = parts.port == port
    except ValueError:
        return False
    if parts.scheme == "vscode-webview" or _is_loopback(parts.hostname):
        return True
    return bool(parts.netloc) and not own_port and parts.netloc in hosts


class Wire:
    """A way to one page.

    Attributes
    ----------
    name
        The lane: ``websocket``, ``proxy``, ``control`` or ``comm``.
    page
        The page at its other end.
    turn
        How often that page has looked for a lane; a later look wins.
    smallest
        Bytes of audio below which waiting a moment for more is worth it.
    """

    smallest = 0

    def __init__(self, name: str, page: str, turn: int) -> None:
        self.name = name
        self.page = page
        self.turn = turn

    async def send(self, header: Header, payload: bytes = b"") -> None:
        """Send one message; any exception means that the lane is lost."""
        raise NotImplementedError


class SocketWire(Wire):
    """A WebSocket."""

    def __init__(self, name: str, page: str, turn: int, socket: ServerConnection) -> None:
        super().__init__(name, page, turn)
        self.socket = socket

    async def send(self, header: Header, payload: bytes = b"") -> None:
        """Send one message; waits while the socket's buffer is full."""
        await self.socket.send(pack(header, payload) if payload else json.dumps(header))


class MessageWire(Wire):
    """Widget messages, each with at most one buffer."""

    smallest = CHUNK_BYTES

    def __init__(self, name: str, page: str, turn: int, post: Callable[[Header, list[bytes]], None]) -> None:
        super().__init__(name, page, turn)
        self.post = post
        self.binary = True

    async def send(self, header: Header, payload: bytes = b"") -> None:
        """Post one message."""
        content = {"rtnb": self.page, **header}
        if not payload:
            self.post(content, [])
        elif self.binary:
            self.post(content, [payload])
        else:
            self.post({**content, "data64": base64.b64encode(payload).decode()}, [])
