"""`Hub`: the thread in the kernel on which all lanes end, whoever they belong to.

It has a loop of its own, so that a busy cell does not hold it up. It listens on 127.0.0.1 and on the kernel's control
channel, decides who may speak at all (origin, then secret token), and hands what comes to the link that it is for
(`rtnb.notebook.lanes.Link`; known here as what a hub serves). Other threads only leave things at its door.

Imports only `rtnb.notebook.wires` of rtnb.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import json
import logging
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

from rtnb.notebook.wires import Header, is_origin_allowed, unpack

if TYPE_CHECKING:
    from websockets.asyncio.server import Server, ServerConnection
    from websockets.http11 import Request, Response

__all__ = ["CONTROL_TYPE", "Hub", "Served"]

CONTROL_TYPE: Final = "rtnb_audio"
"""Our message type on the kernel's control channel."""

MAX_PENDING: Final = 256  # messages from other threads that the hub has not looked at: 10 s of frames

_log = logging.getLogger(__name__)


class Served(Protocol):
    """What a hub serves; all calls come from its thread.

    Attributes
    ----------
    id
        Names it in the messages of the message lanes.
    token
        Names it in a WebSocket's first message; secret.
    """

    id: str
    token: str

    async def serve(self, socket: ServerConnection, hello: Header) -> None:
        """Talk with a page that showed the token, until its WebSocket ends."""

    def on_posted(self, lane: str, header: Header, payload: bytes) -> None:
        """Take a message that a page sent on a message lane."""

    def end(self) -> None:
        """Give up page and queue: no more will be served."""


class Hub:
    """The thread in the kernel that serves every lane of every AudioIO.

    Attributes
    ----------
    port : int
        Where the WebSocket server listens on 127.0.0.1; 0 when it could not be opened.
    """

    _shared: Hub | None = None
    _lock = threading.Lock()

    def __init__(self) -> None:
        self.id = secrets.token_hex(8)
        self.port = 0
        self.loop = asyncio.new_event_loop()
        self._links: dict[str, Served] = {}  # by their id; touched on the loop only
        self._pending = 0  # messages handed over by other threads
        self._pending_lock = threading.Lock()
        self._server: Server | None = None
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rtnb-audio-lanes", daemon=True)
        self._thread.start()
        self._started.wait(10)

    @classmethod
    def shared(cls) -> Hub:
        """The hub of this process, started when first asked for."""
        with cls._lock:
            if cls._shared is None or not cls._shared._thread.is_alive():
                cls._shared = cls()
            return cls._shared

    def __repr__(self) -> str:
        return f"<Hub on 127.0.0.1:{self.port}, {len(self._links)} links>"

    def close(self) -> None:
        """Close all lanes and end the thread. May be called twice."""
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(5)

    def call(self, fn: Callable[..., object], *args: object) -> None:
        """Run `fn` on the hub's thread, soon; silently not when the hub is closed."""
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(fn, *args)

    def add(self, link: Served) -> None:
        """Serve a link."""
        self.call(self._links.__setitem__, link.id, link)

    def remove(self, link: Served) -> None:
        """Serve a link no longer."""
        self.call(self._links.pop, link.id, None)

    def listen_on_control(self, kernel: Any) -> bool:
        """Register our message type with an ipykernel; False when it has no control handlers."""
        handlers = getattr(kernel, "control_handlers", None)
        if not isinstance(handlers, dict):
            return False
        handlers[CONTROL_TYPE] = self._on_control
        return True

    def _on_control(self, stream: object, ident: object, parent: Mapping[str, Any]) -> None:
        # On the control thread, or wherever the kernel handles it: copy and hand over, nothing else.
        self.hand_over("control", parent["content"], parent.get("buffers") or ())

    def hand_over(self, lane: str, content: Mapping[str, Any], buffers: Iterable[Any]) -> None:
        """Take a message of a message lane, from any thread; frames are dropped when the hub is 10 s behind."""
        if content.get("kind") == "audio" and self._pending > MAX_PENDING:
            return  # the gap in the frames' numbers is counted by the receiver
        copied = [bytes(buffer) for buffer in buffers]
        with self._pending_lock:
            self._pending += 1
        self.call(self._take_over, lane, dict(content), copied)

    def _take_over(self, lane: str, content: Header, buffers: list[bytes]) -> None:
        with self._pending_lock:
            self._pending -= 1
        link = self._links.get(str(content.pop("rtnb", "")))
        if link is None:
            return
        data64 = content.pop("data64", None)
        payload = base64.b64decode(data64) if isinstance(data64, str) else (buffers[0] if buffers else b"")
        link.on_posted(lane, content, payload)

    # ---- the thread

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_until_complete(self._open())
            self._started.set()
            self.loop.run_forever()
        finally:
            self._started.set()
            self.loop.run_until_complete(self._shut())
            self.loop.close()

    async def _open(self) -> None:
        from websockets.asyncio.server import serve

        try:
            self._server = await serve(
                self._serve, "127.0.0.1", 0, compression=None, max_size=2**20, process_request=self._check_origin
            )
        except OSError as exc:
            _log.warning("no WebSocket lane, the server socket could not be opened: %s", exc)
        else:
            self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def _shut(self) -> None:
        for link in list(self._links.values()):
            link.end()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _check_origin(self, connection: ServerConnection, request: Request) -> Response | None:
        headers = request.headers
        hosts = [value for name in ("Host", "X-Forwarded-Host") for value in headers.get_all(name)]
        if is_origin_allowed(headers.get("Origin"), hosts, self.port):
            return None
        _log.warning("a page of a foreign origin was refused: %s", headers.get("Origin"))
        return connection.respond(403, "This origin may not open the audio lane.\n")

    async def _serve(self, socket: ServerConnection) -> None:
        from websockets.exceptions import ConnectionClosed

        try:
            await socket.send(json.dumps({"kind": "rtnb", "id": self.id}))
            async with asyncio.timeout(10):
                hello, _ = unpack(await socket.recv())
            token = str(hello.get("token", "")).encode()
            link = next((x for x in self._links.values() if hmac.compare_digest(token, x.token.encode())), None)
            if link is None or hello["kind"] != "hello":
                await socket.close(1008, "wrong token")
                return
            await link.serve(socket, hello)
        except ConnectionClosed:
            pass
        except (ValueError, KeyError, TypeError, TimeoutError) as exc:
            _log.debug("a page was turned away: %r", exc)
            await socket.close(1002, "not one of our messages")
