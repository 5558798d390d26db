"""The local endpoint: a realtime server in this process, for lessons and for tests of other programs.

`LocalEndpoint` listens on a thread of its own, with an event loop of its own, so that a busy notebook cell does not
hold it up. Rules of the protocol live in `rtnb.local.engine`, the life of one client in `rtnb.local.connection`.

May import `rtnb.core` and its neighbours in `rtnb.local`.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import importlib
import logging
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from rtnb.core.protocol import LIMITS, new_id
from rtnb.local.admission import Admission, Refusal, Rules, Visitor, is_served, judge
from rtnb.local.client_secrets import ClientSecrets
from rtnb.local.connection import Connection, Dialect, encode
from rtnb.local.dialect import BetaDialect
from rtnb.local.engine import Engine
from rtnb.local.faults import Fault, Faults
from rtnb.local.front_door import front_door
from rtnb.local.input_side import Turns
from rtnb.local.pacing import Pacer
from rtnb.local.problems import error_event
from rtnb.local.rest import Rest
from rtnb.local.seams import Brain, Detector, Hearing, Voice
from rtnb.local.session_state import SessionState
from rtnb.local.socket_log import SocketLogger

__all__ = ["LocalEndpoint"]

_LOG = logging.getLogger(__name__)
# Broken handshakes of port scanners and closed browsers are no news to a notebook.
_SOCKET_LOG = logging.getLogger(f"{__name__}.websockets")
_SOCKET_LOG.addHandler(logging.NullHandler())
_SOCKET_LOG.setLevel(logging.CRITICAL)

# 15 MiB of audio are 20 MiB of base64; a little more is told in words, much more ends the connection with 1009.
_MAX_FRAME_BYTES: Final = 32 * 1024 * 1024
_START_S: Final = 10.0


class LocalEndpoint:
    """A realtime server on this machine.

    Parameters
    ----------
    host
        Where to listen; ``"localhost"`` takes both 127.0.0.1 and ::1.
    port
        0 picks a free one.
    key
        The only key that is taken, beside client secrets; None takes any, or none.
    beta
        Also speak the dialect of the 2024 beta, when a client asks for it; else it is refused as the service does.
    brain, hearing, voice
        What answers, listens and speaks; the practice brain and the installed engines when left out. They are used by
        all clients.
    detector
        Makes a speech detector; called once for each client.
    models
        Names of models that are taken beside the service's own.
    session_limit_s
        After so many seconds a session is closed as expired.
    pace
        How many times faster than real time audio is sent after a first burst; None: as fast as it goes.
    faults
        What is to go wrong, in this order: names of `rtnb.local.faults.FAULTS`, ``"delay:2"`` with seconds,
        ``"failed:1:3"`` with how many answers it befalls, or the three in a tuple. More can be asked for by `fault`.

    Examples
    --------
    >>> with LocalEndpoint() as endpoint:
    ...     endpoint.url.startswith("ws://127.0.0.1:")
    True
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        key: str | None = None,
        beta: bool = False,
        brain: Brain | None = None,
        hearing: Hearing | None = None,
        voice: Voice | None = None,
        detector: Callable[[], Detector] | None = None,
        models: Iterable[str] = (),
        session_limit_s: float = LIMITS.SESSION_S,
        pace: float | None = 10.0,
        faults: Iterable[Fault | str | Sequence[Any]] = (),
    ) -> None:
        self._host, self._wanted_port = host, port
        self._rules = Rules.of(key, beta, models)
        self._secrets = ClientSecrets()
        self._engines = _Engines(brain, hearing, voice)
        self._detector = detector
        self._session_limit_s, self._pace = session_limit_s, pace
        self._faults = Faults()
        for each in faults:
            self._faults.add(Fault.of(each))
        self._port: int | None = None
        self._sessions = 0  # open now
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None

    def __repr__(self) -> str:
        where = self.url if self._port is not None else "stopped"
        return f"<LocalEndpoint {where}, {self._sessions} sessions>"

    # ---- where it is ----

    @property
    def port(self) -> int:
        """The port it listens on; `RuntimeError` before it was started."""
        if self._port is None:
            raise RuntimeError("The local endpoint is not running: call start() first, or use it in a with statement.")
        return self._port

    @property
    def url(self) -> str:
        """The address for realtime clients: ``ws://127.0.0.1:PORT/v1/realtime``."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._host, self._host)  # listening everywhere is no address
        host = f"[{host}]" if ":" in host else host
        return f"ws://{host}:{self.port}/v1/realtime"

    @property
    def is_running(self) -> bool:
        """Whether it listens."""
        return self._port is not None

    @property
    def sessions(self) -> int:
        """How many clients are connected."""
        return self._sessions

    def fault(self, name: str, *, seconds: float = 1.0, times: int = 1) -> None:
        """Let something go wrong with the next answer (or utterance) of any client; from any thread.

        Parameters
        ----------
        name
            One of `rtnb.local.faults.FAULTS`: ``"drop"``, ``"delay"``, ``"failed"`` and so on.
        seconds
            How long, for those that take time.
        times
            How many answers it befalls.

        Raises
        ------
        ValueError
            If there is none of that name.
        """
        self._faults.add(Fault(name, seconds, times))

    def clear_faults(self) -> None:
        """Nothing goes wrong any more, as far as we can help it."""
        self._faults.clear()

    # ---- running on a thread ----

    def start(self) -> LocalEndpoint:
        """Listen, on a thread of its own; returns when clients can connect. Starting twice is fine."""
        if self._thread is not None:
            return self
        started = threading.Event()
        failure: list[Exception] = []

        async def main() -> None:
            async with self.serve():
                started.set()
                assert self._stopping is not None
                await self._stopping.wait()

        def run() -> None:
            try:
                asyncio.run(main())
            except Exception as exc:  # noqa: BLE001 - told by the thread that waits, or at least in the log
                failure.append(exc)
                _LOG.debug("the local endpoint ended", exc_info=True)
            started.set()

        self._thread = threading.Thread(target=run, name="rtnb local endpoint", daemon=True)
        self._thread.start()
        if not started.wait(_START_S) or failure:
            self._thread = None
            cause = failure[0] if failure else None
            why = f": {cause}" if cause else ""
            raise OSError(
                f"The local endpoint could not listen on {self._host}:{self._wanted_port}{why}. "
                "Is the port taken? Port 0 picks a free one."
            ) from cause
        return self

    def stop(self) -> None:
        """Close all clients and stop listening. Stopping twice is fine."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        if self._loop is not None and self._stopping is not None and not self._loop.is_closed():
            with contextlib.suppress(RuntimeError):  # the loop may close between the two lines
                self._loop.call_soon_threadsafe(self._stopping.set)
        thread.join(_START_S)

    def __enter__(self) -> LocalEndpoint:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # ---- running in a loop ----

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator[LocalEndpoint]:
        """Listen in the running loop, as an asynchronous context manager.

        Examples
        --------
        >>> async def lesson():
        ...     async with LocalEndpoint().serve() as endpoint:
        ...         return endpoint.url
        """
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        self._engines.open()
        rest = Rest(self._rules, self._secrets, now=time.time, describe=self._describe)
        servers: list[Server] = []
        try:
            for listener in _listeners(self._host, self._wanted_port):
                servers.append(
                    await serve(
                        self._serve_client,
                        sock=listener,
                        create_connection=front_door(rest.answer),
                        process_request=_process_request,
                        select_subprotocol=_select_subprotocol,
                        max_size=_MAX_FRAME_BYTES,
                        close_timeout=2,
                        logger=SocketLogger(_SOCKET_LOG, self._rules.key),
                    )
                )
                self._port = listener.getsockname()[1]
            yield self
        finally:
            self._port = None
            for server in servers:
                server.close()
            for server in servers:
                await server.wait_closed()
            await self._engines.close()
            self._loop = self._stopping = None

    def _describe(self) -> dict[str, Any]:
        return {"sessions": self._sessions, "beta": self._rules.beta, "brain": self._engines.brain_name}

    # ---- one client ----

    async def _serve_client(self, client: ServerConnection) -> None:
        assert client.request is not None
        judgement = judge(_visitor(client.request), self._rules, self._secrets, time.time())
        if isinstance(judgement, Refusal):
            await _refuse(client, judgement)
            return
        loop = asyncio.get_running_loop()
        session = self._session(judgement)
        engine = Engine(
            session,
            make_turns=self._make_turns(),
            now=loop.time(),
            session_limit_s=self._session_limit_s,
        )
        dialect: Dialect | None = BetaDialect(engine.conversation.id) if judgement.dialect == "beta" else None
        connection = Connection(
            client, engine, self._engines, dialect=dialect, pacer=lambda: Pacer(self._pace), faults=self._faults
        )
        self._sessions += 1
        try:
            await connection.run()
        finally:
            self._sessions -= 1

    def _session(self, admission: Admission) -> SessionState:
        expires_at = int(time.time() + self._session_limit_s)
        session = SessionState(kind=admission.kind, model=admission.model, expires_at=expires_at)
        if admission.secret is not None and admission.secret.kind == admission.kind:
            session.update(admission.secret.session)
        return session

    def _make_turns(self) -> Callable[[Mapping[str, Any]], Turns]:
        """Turn detection for one client, whose detector is made when first needed."""
        detectors: list[Detector] = []

        def make(settings: Mapping[str, Any]) -> Turns:
            turns = importlib.import_module("rtnb.local.turns")
            if not detectors:
                detectors.append((self._detector or turns.default_detector)())
            detectors[0].reset()
            made: Turns = turns.make_turns(dict(settings), detectors[0])
            return made

        return make


class _Engines:
    """Brain, voice and ears: what was given, else the defaults, made when first needed."""

    def __init__(self, brain: Brain | None, hearing: Hearing | None, voice: Voice | None) -> None:
        self._given: dict[str, Any] = {"brain": brain, "hearing": hearing, "voice": voice}
        self._made: dict[str, Any] = {}
        self._is_closed = False
        self._locks = {what: threading.Lock() for what in self._given}  # wanted by several at once, one is made once

    @property
    def brain_name(self) -> str:
        return str(getattr(self._given["brain"] or self._made.get("brain"), "name", "default"))

    def brain(self) -> Brain:
        brain: Brain = self._get("brain", "rtnb.local.brains", "default_brain")
        return brain

    def voice(self) -> Voice:
        voice: Voice = self._get("voice", "rtnb.local.voice", "default_voice")
        return voice

    async def hearing(self) -> Hearing:
        wanted = ("hearing", "rtnb.local.hearing", "default_hearing")
        if self._given["hearing"] is None and "hearing" not in self._made:
            await asyncio.to_thread(self._get, *wanted)  # its packages take a while to load
        hearing: Hearing = self._get(*wanted)
        return hearing

    def _get(self, what: str, module: str, function: str) -> Any:
        with self._locks[what]:
            given = self._given[what] or self._made.get(what)
            if given is None:
                if self._is_closed:  # a thread that came late
                    raise RuntimeError(f"the {what} is not needed any more: the local endpoint has closed")
                given = self._made[what] = getattr(importlib.import_module(module), function)()
        return given

    def open(self) -> None:
        """Let what is needed be made, again."""
        self._is_closed = False

    async def close(self) -> None:
        """Close what we made, and what a thread is making just now; what was given belongs to who gave it."""
        self._is_closed = True
        for what in ("voice", "hearing", "brain"):
            made = await asyncio.to_thread(self._taken, what)
            close = getattr(made, "close", None)
            if close is not None:
                try:
                    await close()
                except Exception:  # noqa: BLE001 - an engine that cannot close must not keep the others open
                    _LOG.exception("the %s could not be closed", what)

    def _taken(self, what: str) -> Any:
        with self._locks[what]:
            return self._made.pop(what, None)


def _visitor(request: Request) -> Visitor:
    headers = request.headers

    def header(name: str) -> str | None:
        values = headers.get_all(name)
        return values[0] if values else None

    offered = [name.strip() for line in headers.get_all("Sec-WebSocket-Protocol") for name in line.split(",")]
    return Visitor(request.path, header("Authorization"), header("api-key"), header("OpenAI-Beta"), offered)


def _process_request(client: ServerConnection, request: Request) -> Response | None:
    if is_served(_visitor(request)):
        return None
    return client.respond(404, "There is no realtime session here; try /v1/realtime.\n")


def _select_subprotocol(_: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    # Browsers and Node's ws refuse a connection on which nothing of their offer was chosen.
    return "realtime" if "realtime" in offered else next(iter(offered), None)  # type: ignore[return-value]


async def _refuse(client: ServerConnection, refusal: Refusal) -> None:
    event = {**error_event(refusal.problem), "event_id": new_id("event")}
    with contextlib.suppress(ConnectionClosed):
        await client.send(encode(event), text=True)
        await client.close(refusal.close_code, refusal.reason)


def _listeners(host: str, port: int) -> list[socket.socket]:
    """Bound sockets; "localhost" means IPv4 and, where there is one, IPv6, on the same port."""
    if host != "localhost":
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return [socket.create_server((host, port), family=family)]
    for _ in range(16):
        first = socket.create_server(("127.0.0.1", port))
        if not socket.has_ipv6:
            return [first]
        try:
            return [first, socket.create_server(("::1", first.getsockname()[1]), family=socket.AF_INET6)]
        except OSError as exc:
            if port or exc.errno != _IN_USE:
                return [first]  # no IPv6 here, or somebody else's there
            first.close()
    raise OSError("No port is free on 127.0.0.1 and ::1 alike.")


_IN_USE: Final = errno.EADDRINUSE
