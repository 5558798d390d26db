"""How audio crosses between page and kernel: the lanes, and the kernel's end of them.

Theory of operation
-------------------
One thread per process, the hub (`rtnb.notebook.lane_hub`), has a loop of its own and serves all lanes; a busy cell does
not hold it up. Each `rtnb.notebook.audio_io.AudioIO` has one `Link` there. The page tries the lanes in this order and
keeps the first that answers a round trip:

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

The table of messages stands in `rtnb.notebook.wires`. Imports only that and the hub of rtnb.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from rtnb.notebook.lane_hub import Hub
from rtnb.notebook.wires import PROBE, Header, MessageWire, SocketWire, Wire, unpack

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection

__all__ = ["Link", "Owner"]

MERGE_BYTES: Final = 48_000  # audio that goes in one message at most: 1 s
BACKLOG_BYTES: Final = 48_000 * 60 * 30  # half an hour that no page fetched
PAGE_GRACE_S: Final = 5.0  # a page without a lane for so long is gone
CONTROL_SILENCE_S: Final = 20.0  # the page pings every 5 s
MOST_POSTED: Final = 8  # lanes of widget and control messages; who was silent longest has to say hello again
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
        self.hub.call(self.end)
        self.hub.remove(self)

    # ---- for the hub, on its thread

    async def serve(self, socket: ServerConnection, hello: Header) -> None:
        """Talk with a page that showed the token, until its WebSocket ends (called by the hub)."""
        wire = SocketWire(str(hello.get("lane", "websocket")), str(hello["page"]), int(hello.get("round", 0)), socket)
        try:
            await self._greet(wire, hello, {})
            async for message in socket:
                header, payload = unpack(message)
                await self._handle_safely(wire, header, payload)
        finally:
            self._lose(wire)

    def on_posted(self, lane: str, header: Header, payload: bytes) -> None:
        """Take a message that a page sent on a message lane (called by the hub)."""
        page, turn = str(header.pop("page", "")), int(header.get("round", 0))
        wire = self._posted.pop(page + lane, None)
        if wire is None:
            if header.get("kind") != "hello":
                return  # of a page from before the kernel restarted
            wire = MessageWire(lane, page, turn, self._post)
        self._posted[page + lane] = wire  # last is who was heard of last
        while len(self._posted) > MOST_POSTED:
            del self._posted[next(iter(self._posted))]
        wire.turn = max(wire.turn, turn)
        self._hold(asyncio.ensure_future(self._handle_posted(wire, header, payload)))

    def end(self) -> None:
        """Give up the page and the queue (called by the hub)."""
        self._closed = True
        self._out.clear()
        if self._writer is not None:
            self._writer.cancel()
        if self._gone is not None:
            self._gone.cancel()
        if isinstance(self._wire, SocketWire):
            self._hold(asyncio.ensure_future(self._wire.socket.close()))
        self._wire = None

    # ---- the inside, on the same thread

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
