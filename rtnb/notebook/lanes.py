"""How audio crosses between page and kernel: the lanes, and the kernel's end of them.

Theory of operation
-------------------
One thread per process, the hub, has a loop of its own and serves all lanes; a busy cell does not hold it up. Each
`rtnb.notebook.audio_io.AudioIO` has one `Link` there. The page tries the lanes in this order and keeps the first that
answers a round trip:

``websocket``
    from the page straight to the hub on 127.0.0.1; ``proxy`` is the same through jupyter-server-proxy. The server
    names itself first, the page then shows the link's secret token in its first message; foreign origins are refused.
``control``
    the kernel's control channel with the message type ``rtnb_audio``. The handler only hands over to the hub.
    The way back is the widget's own messages.
``comm``
    the widget's messages both ways. Last, because a stream of them disturbs what running cells show.

What the kernel sends that must arrive (`play`, `end`, `stop`, `mic`) is numbered and kept until the page acknowledged
it, so a lane may break and another one continues. One page is active at a time: the one that came last, or asked to be
it.

The table of messages stands in `rtnb.notebook.wires`. Imports nothing else of rtnb.
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
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from rtnb.notebook.wires import PROBE, Header, MessageWire, SocketWire, Wire, is_origin_allowed, unpack

if TYPE_CHECKING:
    from websockets.asyncio.server import Server, ServerConnection
    from websockets.http11 import Request, Response

__all__ = ["CONTROL_TYPE", "Hub", "Link", "Owner"]

CONTROL_TYPE: Final = "rtnb_audio"
"""Our message type on the kernel's control channel."""

MERGE_BYTES: Final = 48_000  # audio that goes in one message at most: 1 s
BACKLOG_BYTES: Final = 48_000 * 60 * 30  # half an hour that no page fetched
MAX_PENDING: Final = 256  # messages from other threads that the hub has not looked at: 10 s of frames
PAGE_GRACE_S: Final = 5.0  # a page without a lane for so long is gone
CONTROL_SILENCE_S: Final = 20.0  # the page pings every 5 s
GATHER_S: Final = 0.06  # a message smaller than its wire likes waits so long for more

_log = logging.getLogger(__name__)


class Owner(Protocol):
    """What a link serves; all calls come from the hub's thread and must return soon."""

    def on_message(self, header: Header, payload: bytes) -> None:
        """Take a message of the active page."""

    def on_page(self, page: str | None) -> None:
        """Take note that another page is active now, or none."""

    def on_lane(self, name: str, ms: float | None, tried: Sequence[str]) -> None:
        """Take note of the lane in use; "" when there is none."""


@dataclass
class _Outgoing:
    seq: int
    header: Header
    payload: bytes
    sent: bool = False


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
        self._links: dict[str, Link] = {}  # by their id; touched on the loop only
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

    def add(self, link: Link) -> None:
        """Serve a link."""
        self.call(self._links.__setitem__, link.id, link)

    def remove(self, link: Link) -> None:
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
        link._on_posted(lane, content, payload)

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
            link._end()
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
            await link._serve(socket, hello)
        except ConnectionClosed:
            pass
        except (ValueError, KeyError, TypeError, TimeoutError) as exc:
            _log.debug("a page was turned away: %r", exc)
            await socket.close(1002, "not one of our messages")


class Link:
    """The kernel's end of the lanes of one AudioIO.

    Parameters
    ----------
    owner
        Who gets the messages, on the hub's thread.
    post
        Sends a widget message: ``post(content, buffers)``, from the hub's thread.
    hub
        The hub to use; the process's shared one if not given.
    """

    def __init__(self, owner: Owner, post: Callable[[Header, list[bytes]], None], hub: Hub | None = None) -> None:
        self.hub = hub or Hub.shared()
        self.id = secrets.token_hex(8)
        self.token = secrets.token_urlsafe(32)
        self._owner = owner
        self._post = post
        # Below: touched on the hub's thread only.
        self._page: str | None = None  # the active page
        self._replaced: set[str] = set()  # pages that were active before
        self._wire: Wire | None = None  # the lane to the active page
        self._posted: dict[str, MessageWire] = {}  # message lanes by page and name
        self._out: deque[_Outgoing] = deque()  # numbered, kept until acknowledged
        self._seq = 0
        self._bytes = 0
        self._wake = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._gone: asyncio.TimerHandle | None = None
        self._closed = False
        self.hub.add(self)

    @property
    def address(self) -> dict[str, Any]:
        """What the page must know to reach this link; secret."""
        return {"port": self.hub.port, "id": self.hub.id, "link": self.id, "token": self.token}

    def __repr__(self) -> str:
        return f"<Link {self._wire.name if self._wire else 'without a page'}>"

    # ---- for the owner, from any thread

    def send(self, header: Header, payload: bytes = b"") -> None:
        """Send a numbered message: in order, once, over whatever lane there is. Returns at once."""
        self.hub.call(self._enqueue, header, payload)

    def discard(self, items: Iterable[str], keep_sent: bool = True) -> None:
        """Throw away what was queued for these items and not sent yet (or sent and not acknowledged)."""
        self.hub.call(self._discard, frozenset(items), keep_sent)

    def post(self, content: Mapping[str, Any], buffers: Iterable[Any]) -> None:
        """Take a widget message of the page."""
        if content.get("rtnb") == self.id:
            self.hub.hand_over("comm", content, buffers)

    def close(self) -> None:
        """Give up the page and the queue."""
        self.hub.call(self._end)
        self.hub.remove(self)

    # ---- on the hub's thread

    def _enqueue(self, header: Header, payload: bytes) -> None:
        if self._closed:
            return
        if payload and self._bytes + len(payload) > BACKLOG_BYTES:
            _log.warning("no page fetched the last half hour of audio; %d bytes are dropped", len(payload))
            return
        self._seq += 1
        self._bytes += len(payload)
        self._out.append(_Outgoing(self._seq, header, payload))
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._write())
        self._wake.set()

    def _discard(self, items: frozenset[str], keep_sent: bool = True) -> None:
        kept = [x for x in self._out if x.header.get("item") not in items or (keep_sent and x.sent)]
        self._out = deque(kept)
        self._bytes = sum(len(x.payload) for x in kept)

    def _end(self) -> None:
        self._closed = True
        self._out.clear()
        if self._writer is not None:
            self._writer.cancel()
        if self._gone is not None:
            self._gone.cancel()
        if isinstance(self._wire, SocketWire):
            self._hold(asyncio.ensure_future(self._wire.socket.close()))
        self._wire = None

    _background: Final[set[asyncio.Future[None]]] = set()  # the loop keeps only weak references to tasks

    def _hold(self, task: asyncio.Future[None]) -> None:
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _next(self) -> list[_Outgoing]:
        """What is sent next in one message: audio of one item is joined up to a second."""
        batch: list[_Outgoing] = []
        size = 0
        for x in self._out:
            if x.sent:
                continue
            same = batch and x.header["kind"] == "play" and x.header == batch[0].header
            if batch and (not same or size + len(x.payload) > MERGE_BYTES):
                break
            batch.append(x)
            size += len(x.payload)
        return batch

    async def _write(self) -> None:
        waited = False
        while True:
            wire, batch = self._wire, self._next()
            if wire is None or not batch:
                self._wake.clear()
                await self._wake.wait()
                waited = False
                continue
            size = sum(len(x.payload) for x in batch)
            if 0 < size < wire.smallest and batch[-1] is self._out[-1] and not waited:
                self._wake.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(GATHER_S):
                        await self._wake.wait()
                        continue
                waited = True
                continue
            waited = False
            for x in batch:
                x.sent = True
            payload = batch[0].payload if len(batch) == 1 else b"".join(x.payload for x in batch)
            try:
                await wire.send({**batch[0].header, "seq": batch[-1].seq}, payload)
            except Exception as exc:  # noqa: BLE001 - sockets and comms fail in many ways; all mean: this lane is lost
                _log.debug("a lane was lost while sending: %r", exc)
                self._lose(wire)

    async def _serve(self, socket: ServerConnection, hello: Header) -> None:
        wire = SocketWire(str(hello.get("lane", "websocket")), str(hello["page"]), int(hello.get("round", 0)), socket)
        try:
            await self._greet(wire, hello, {})
            async for message in socket:
                header, payload = unpack(message)
                await self._handle_safely(wire, header, payload)
        finally:
            self._lose(wire)

    def _on_posted(self, lane: str, header: Header, payload: bytes) -> None:
        page, turn = str(header.pop("page", "")), int(header.get("round", 0))
        wire = self._posted.get(page + lane)
        if wire is None:
            if header.get("kind") != "hello":
                return  # of a page from before the kernel restarted
            wire = self._posted[page + lane] = MessageWire(lane, page, turn, self._post)
            while len(self._posted) > 8:
                del self._posted[next(iter(self._posted))]
        wire.turn = max(wire.turn, turn)
        self._hold(asyncio.ensure_future(self._handle_posted(wire, header, payload)))

    async def _handle_posted(self, wire: MessageWire, header: Header, payload: bytes) -> None:
        # Nothing in here awaits for real on a message lane, so messages stay in order.
        header["page"] = wire.page
        await self._handle_safely(wire, header, payload)

    async def _handle_safely(self, wire: Wire, header: Header, payload: bytes) -> None:
        from websockets.exceptions import ConnectionClosed

        try:
            await self._handle(wire, header, payload)
        except ConnectionClosed:
            raise
        except Exception:  # noqa: BLE001 - one bad message of a page must not end its lane; it is logged
            _log.exception("a message of the page could not be handled")

    async def _greet(self, wire: Wire, hello: Header, extra: Header) -> None:
        """A page opens a lane: make it the active one, unless it was replaced by another before."""
        page = wire.page
        active = page == self._page or hello.get("take") is True or page not in self._replaced
        if active and page != self._page:
            self._take_page(page)
        # A late hello of the comm must not win over a lane that the page found since.
        current = self._wire
        if active and (current is None or wire.turn >= current.turn or not isinstance(current, SocketWire)):
            seen = int(hello.get("seen", 0))
            self._acknowledge(seen)
            for x in self._out:
                x.sent = False
            self._wire = wire
            if self._gone is not None:
                self._gone.cancel()
                self._gone = None
        await wire.send(
            {"kind": "welcome", "lane": hello.get("lane", wire.name), "active": active, **extra},
            PROBE if extra else b"",
        )
        if active:
            if isinstance(hello.get("state"), dict):
                self._owner.on_message({**hello["state"], "kind": "state"}, b"")
            if self._wire is wire:
                self._owner.on_lane(wire.name, None, ())
            self._wake.set()

    def _take_page(self, page: str) -> None:
        old, wire = self._page, self._wire
        self._page, self._wire = page, None
        self._replaced.discard(page)
        if old is not None:
            self._replaced.add(old)
        if wire is not None:
            self._hold(asyncio.ensure_future(self._say(wire, {"kind": "replaced"})))
        # What the old page got and did not acknowledge is lost with it; microphone commands were meant for it alone.
        if old is not None:
            lost = {str(x.header["item"]) for x in self._out if x.sent and "item" in x.header}
            self._out = deque(x for x in self._out if not x.sent and x.header["kind"] != "mic")
            self._discard(frozenset(lost), keep_sent=False)
        self._owner.on_page(page)

    async def _say(self, wire: Wire, header: Header) -> None:
        with contextlib.suppress(Exception):
            await wire.send(header)

    def _acknowledge(self, seq: int) -> None:
        while self._out and self._out[0].sent and self._out[0].seq <= seq:
            self._bytes -= len(self._out.popleft().payload)

    async def _handle(self, wire: Wire, header: Header, payload: bytes) -> None:
        kind = header.get("kind")
        if kind == "ping":
            await wire.send({"kind": "pong", "key": header.get("key")})
        elif kind == "hello":
            await self._greet(wire, header, {"buffers": payload == PROBE} if isinstance(wire, MessageWire) else {})
        elif kind == "buffers":
            if isinstance(wire, MessageWire):
                wire.binary = header.get("ok") is True
        elif wire.page != self._page:
            return
        elif kind == "ack":
            self._acknowledge(int(header["seq"]))
        elif kind == "lane":
            if wire is self._wire:
                self._owner.on_lane(wire.name, float(header["ms"]), [str(x) for x in header.get("tried", ())])
        elif kind == "bye":
            self._lose(wire, 0.0)
        else:
            self._owner.on_message(header, payload)
        if wire is self._wire and wire.name == "control":
            self._watch(CONTROL_SILENCE_S)

    def _watch(self, seconds: float) -> None:
        if self._gone is not None:
            self._gone.cancel()
        self._gone = asyncio.get_running_loop().call_later(seconds, self._page_gone)

    def _lose(self, wire: Wire, grace: float = PAGE_GRACE_S) -> None:
        if wire is not self._wire or self._closed:
            return
        self._wire = None
        self._owner.on_lane("", None, ())
        if grace:
            self._watch(grace)
        else:
            self._page_gone()

    def _page_gone(self) -> None:
        page, self._page, self._wire = self._page, None, None
        self._gone = None
        if page is None or self._closed:
            return
        lost = {str(x.header["item"]) for x in self._out if x.sent and "item" in x.header}
        self._out = deque(x for x in self._out if not x.sent and x.header["kind"] != "mic")
        self._discard(frozenset(lost), keep_sent=False)
        self._owner.on_lane("", None, ())
        self._owner.on_page(None)
