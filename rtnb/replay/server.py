"""`ReplayEndpoint`: serves a recording to any client, over a real WebSocket on this machine.

It listens on a thread of its own. The thread holds a `_Server`, never the endpoint itself: an endpoint that nobody
holds any more stops listening by itself.

Imports `rtnb.core` and its neighbours in `rtnb.replay`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import secrets
import socket
import threading
import time
import weakref
from types import EllipsisType
from typing import Any, Final
from urllib.parse import urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from rtnb.core.errors import RtnbError, WaitTimeout
from rtnb.core.protocol import Event
from rtnb.core.recorded import Recording, connections
from rtnb.replay.client import Client
from rtnb.replay.player import Player
from rtnb.replay.script import Script, lost_after

__all__ = ["ReplayEndpoint", "replay"]

_LOG = logging.getLogger(__name__)
_SOCKET_LOG = logging.getLogger(f"{__name__}.websockets")  # broken handshakes of port scanners are no news
_SOCKET_LOG.addHandler(logging.NullHandler())
_SOCKET_LOG.setLevel(logging.CRITICAL)

_MAX_FRAME_BYTES: Final = 32 * 1024 * 1024
_START_S: Final = 10.0
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_KEY_PROTOCOL: Final = "openai-insecure-api-key."


def replay(recording: Any, **options: Any) -> ReplayEndpoint:
    """An endpoint that replays a recording; see `ReplayEndpoint` for the options."""
    return ReplayEndpoint(recording, **options)


class ReplayEndpoint:
    """Replays a recording to each client that connects; started when its `url` is first asked for.

    A recording of several connections gives the first client the first of them, the next client the next one, and
    begins again after the last. Where a connection was lost, and the next one went on, it is lost again.
    Where a recording ends in the midst of an answer, the connection is closed; a session does not open another by
    itself.

    Parameters
    ----------
    recording
        What is replayed.
    speed
        1: at the times at which it happened. 4: four times as fast. ``float("inf")``: without waiting.
    film
        Wait for nothing that the client did when it was recorded: all comes at its time, to be watched.
    stepped
        Nothing is sent but by `step`, or after `play`. A client can connect nevertheless.
    host, port
        Where to listen; port 0 picks a free one.
    key
        What clients must show; made up when not given. None lets everybody in who is on this machine.

    Examples
    --------
    >>> endpoint = rtnb.load("talk").endpoint(speed=4)  # doctest: +SKIP
    >>> session = rtnb.Session(endpoint)  # doctest: +SKIP
    """

    kind: Final = "replay"

    def __init__(
        self,
        recording: Recording,
        *,
        speed: float = 1.0,
        film: bool = False,
        stepped: bool = False,
        host: str = "127.0.0.1",
        port: int = 0,
        key: str | EllipsisType | None = ...,
    ) -> None:
        if isinstance(speed, bool) or not isinstance(speed, (int, float)) or math.isnan(speed) or speed <= 0:
            raise RtnbError(f'speed is a number above 0, not {speed!r}; 1 is real time, float("inf") does not wait')
        self.recording = recording
        self.speed = float(speed)
        self.key = f"replay-{secrets.token_hex(12)}" if isinstance(key, EllipsisType) else key
        self._server = _Server(recording, self.speed, film=film, stepped=stepped, host=host, port=port, key=self.key)
        self._finalizer = weakref.finalize(self, self._server.stop)

    @property
    def model(self) -> str | None:
        """Name of the model that answered."""
        return self.recording.model

    @property
    def title(self) -> str:
        """What is replayed, and how fast, in words."""
        at = "without waiting" if math.isinf(self.speed) else "at its own speed" if self.speed == 1 else ""
        return f"replay of {self.recording.name!r} {at or f'{self.speed:g} times as fast'}"

    @property
    def url(self) -> str:
        """The address for clients: ``ws://127.0.0.1:PORT/v1/realtime``. Starts to listen."""
        self.start()
        return self._server.url

    @property
    def port(self) -> int:
        """The port. Starts to listen."""
        self.start()
        return self._server.port

    @property
    def is_running(self) -> bool:
        """Whether it listens."""
        return self._server.is_running

    @property
    def waits_for(self) -> str:
        """What the client is expected to do next, in words; empty while there is something to send, and at the end."""
        return self._server.waits_for

    def start(self) -> ReplayEndpoint:
        """Listen, on a thread of its own. Starting twice is fine."""
        self._server.start()
        return self

    def stop(self) -> None:
        """Close all clients and stop listening. Stopping twice is fine."""
        self._server.stop()

    def __enter__(self) -> ReplayEndpoint:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def step(self, timeout: float = 10.0) -> Event | None:
        """Send the next event, whatever its time; gives it. None: it is the client's turn (`waits_for`), or the end.

        Parameters
        ----------
        timeout
            Seconds to wait for a client to connect.

        Raises
        ------
        WaitTimeout
            No client is connected.
        """
        return self._server.step(timeout)

    def play(self) -> None:
        """Go on by itself."""
        self._server.set_stepped(False)

    def pause(self) -> None:
        """Send nothing more but by `step`."""
        self._server.set_stepped(True)

    def __repr__(self) -> str:
        where = self._server.url if self.is_running else "not started"
        return f"<ReplayEndpoint {where}, {self.title}>"


class _Server:
    """What the thread holds."""

    def __init__(
        self,
        recording: Recording,
        speed: float,
        *,
        film: bool,
        stepped: bool,
        host: str,
        port: int,
        key: str | None,
    ) -> None:
        self._log = recording.events
        self._name = recording.name
        self._speed, self._film, self._stepped = speed, film, stepped
        self._host, self._wanted_port, self._key = host, port, key
        self._port: int | None = None
        self._count = 0  # clients so far
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._client: Client | None = None  # the last that connected
        self._came = threading.Event()  # a client connected

    @property
    def port(self) -> int:
        return self._port or 0

    @property
    def url(self) -> str:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._host, self._host)
        return f"ws://{f'[{host}]' if ':' in host else host}:{self.port}/v1/realtime"

    @property
    def is_running(self) -> bool:
        return self._port is not None

    @property
    def waits_for(self) -> str:
        client = self._client
        return client.player.waits_for if client is not None else "a client"

    # ---- the thread

    def start(self) -> None:
        with self._lock:
            if self._thread is not None:
                return
            started = threading.Event()
            failure: list[Exception] = []
            self._thread = threading.Thread(
                target=self._run, args=(started, failure), name=f"rtnb replay {self._name}", daemon=True
            )
            self._thread.start()
            if not started.wait(_START_S) or failure:
                self._thread = None
                why = f": {failure[0]}" if failure else ""
                raise OSError(
                    f"the replay could not listen on {self._host}:{self._wanted_port}{why}; port 0 picks a free one"
                )

    def stop(self) -> None:
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is None:
            return
        if self._loop is not None and self._stopping is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                self._loop.call_soon_threadsafe(self._stopping.set)
        if thread is not threading.current_thread():
            thread.join(_START_S)

    def _run(self, started: threading.Event, failure: list[Exception]) -> None:
        try:
            asyncio.run(self._main(started))
        except Exception as exc:  # noqa: BLE001 - told by the thread that waits, or at least in the log
            failure.append(exc)
            _LOG.debug("the replay ended", exc_info=True)
        started.set()

    async def _main(self, started: threading.Event) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listener = socket.create_server((self._host, self._wanted_port), family=family)
        try:
            async with serve(
                self._serve_client,
                sock=listener,
                process_request=self._admit,
                select_subprotocol=_select_subprotocol,
                max_size=_MAX_FRAME_BYTES,
                compression=None,
                close_timeout=2,
                logger=_SOCKET_LOG,
            ):
                self._port = listener.getsockname()[1]
                started.set()
                await self._stopping.wait()
        finally:
            self._port = None

    def _admit(self, client: ServerConnection, request: Request) -> Response | None:
        """Let in who has the key. Without one, everybody on this machine, but no page of another site."""
        headers = request.headers
        if self._key is not None:
            bearer = headers.get("Authorization", "").removeprefix("Bearer ").strip()
            shown = [bearer, headers.get("api-key", ""), *_keys_of(headers.get_all("Sec-WebSocket-Protocol"))]
            if any(secrets.compare_digest(each.encode(), self._key.encode()) for each in shown):
                return None
            return client.respond(401, "This replay asks for its key: endpoint.key, as a bearer token.\n")
        origin = headers.get("Origin")
        if origin and urlsplit(origin).hostname not in _LOOPBACK:
            return client.respond(403, "Pages of other sites may not read this recording.\n")
        return None

    async def _serve_client(self, socket: ServerConnection) -> None:
        spans = connections(self._log)
        number = self._count % max(len(spans), 1)
        self._count += 1
        span = spans[number] if spans else range(0)
        entries, following = self._log[span.start : span.stop], self._log[span.stop :]
        loop = asyncio.get_running_loop()
        shift = None if entries.origin is None else time.time() - entries.origin - (entries[0].time if entries else 0)
        player = Player(
            Script(entries), loop.time(), speed=self._speed, name=self._name, film=self._film, origin_shift=shift
        )
        lost = lost_after(entries, following)
        if lost:
            lost = lost if math.isinf(lost) else lost / self._speed
        self._client = client = Client(socket, player, stepped=self._stepped, lost_after=lost, is_last=not following)
        self._came.set()
        try:
            await client.run()
        finally:
            if self._client is client:
                self._came.clear()
                self._client = None

    # ---- step by step, from any thread

    def set_stepped(self, stepped: bool) -> None:
        self._stepped = stepped
        client, loop = self._client, self._loop
        if client is not None and loop is not None:
            loop.call_soon_threadsafe(client.set_stepped, stepped)

    def step(self, timeout: float) -> Event | None:
        self.start()
        self._came.wait(timeout)
        client, loop = self._client, self._loop
        if client is None or loop is None:
            raise WaitTimeout(
                f"no client is connected to the replay after {timeout:g} s: connect a session to it first"
            )
        try:
            return asyncio.run_coroutine_threadsafe(client.step(), loop).result(timeout)
        except TimeoutError as exc:
            raise WaitTimeout(f"the client did not take the event within {timeout:g} s") from exc


def _keys_of(offers: list[str]) -> list[str]:
    names = [name.strip() for line in offers for name in line.split(",")]
    return [name.removeprefix(_KEY_PROTOCOL) for name in names if name.startswith(_KEY_PROTOCOL)]


def _select_subprotocol(_: ServerConnection, offered: Any) -> Subprotocol | None:
    return Subprotocol("realtime") if "realtime" in offered else next(iter(offered), None)
