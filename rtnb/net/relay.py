"""The relay: browsers connect to it without a key, and it adds the key on the way to the service.

============================  ========================================================================================
``/``                         the console of 2024: its dialect in, today's upstream, and back
``/v1/realtime``              today's clients, passed on as they are (those that ask for 2024 are translated)
``/v1/realtime/client_...``   POST ``/v1/realtime/client_secrets``: ephemeral tokens, for those who have a token
``/healthz``, ``/metrics``    for load balancers and Prometheus
============================  ========================================================================================

It keeps no state that another relay needs: several behind any load balancer work as one, but for the limits, which each
keeps for itself. Access is judged in `rtnb.net.relay_access`, limits are kept by `rtnb.net.relay_limits`, one client's
pipe is `rtnb.net.relay_session`.

May import `rtnb.core` and its neighbours in `rtnb.net`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import threading
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlencode, urlsplit, urlunsplit

import orjson
from websockets.asyncio.connection import Connection
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from rtnb.core.errors import ConnectionFailed, RtnbError, redact
from rtnb.core.prices import PRICES, PriceTable
from rtnb.core.protocol import session_update
from rtnb.net.endpoint import Endpoint
from rtnb.net.endpoints import resolve
from rtnb.net.relay_access import Access, Guest, Visitor
from rtnb.net.relay_bill import Bill
from rtnb.net.relay_door import QuietLogger, WebRequest, door
from rtnb.net.relay_ends import (
    connect_upstream,
    end,
    part,
    said_model,
    select_subprotocol,
    visitor_of,
    without_model,
)
from rtnb.net.relay_limits import Account, Accounts, Limits
from rtnb.net.relay_metrics import Metrics
from rtnb.net.relay_rest import Rest
from rtnb.net.relay_session import Bridge, Ending, problem_event

__all__ = ["Limits", "Relay"]

logger = logging.getLogger(__name__)

_MOST_BYTES: Final = 24 * 1024 * 1024  # 15 MiB of audio are 20 MiB of base64
_CLIENT_QUEUE: Final = (4, 1)  # messages read ahead of upstream: they may be large, and strangers may send them
_START_S: Final = 10.0
_GONE_MODELS: Final = re.compile(r"gpt-4o(-mini)?-realtime-preview(-\d{4}-\d{2}-\d{2})?")


class Relay:
    """A relay on this machine.

    Parameters
    ----------
    upstream
        Where to, as for `rtnb.Session`: None is OpenAI when there is a key, else the embedded local endpoint.
    host, port
        Where to listen; port 0 picks a free one.
    key
        The key for upstream, instead of the environment's.
    model
        The model of every session, whatever clients ask for.
    tokens
        Bearer tokens that let clients in; without any, everybody on this machine may come in.
    secret
        Signs the ephemeral tokens; give several relays the same one.
    origins
        Origins of web pages that may connect; without any, pages of this machine.
    limits
        What each client may use.
    prices
        For the limit on money.
    drain_s
        How long `drain` lets open sessions go on.

    Raises
    ------
    RtnbError
        It would stand open to others, or upstream is none.

    Examples
    --------
    >>> with Relay("local") as relay:
    ...     relay.url.startswith("ws://127.0.0.1:")
    True
    """

    def __init__(
        self,
        upstream: Any = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        key: str | None = None,
        model: str | None = None,
        tokens: Iterable[str] = (),
        secret: str | None = None,
        origins: Iterable[str] = (),
        limits: Limits | None = None,
        prices: PriceTable = PRICES,
        drain_s: float = 30.0,
    ) -> None:
        self._access = Access(host=host, tokens=tokens, secret=secret, origins=origins)
        self._upstream = resolve(upstream, model=model, key=key)
        if self._upstream.dialect == "beta":
            raise RtnbError("a relay's upstream speaks today's protocol: leave dialect= and api_version= out")
        self._model = model
        self._host, self._wanted_port = host, port
        self._prices, self._drain_s = prices, drain_s
        self._accounts = Accounts(limits or Limits())
        self.metrics = Metrics()
        """What it counts."""
        self._rest = Rest(
            self._access,
            self.metrics,
            now=time.time,
            describe=self._describe,
            breach=lambda guest: self._account_of(guest).breach(asyncio.get_running_loop().time()),
        )
        self._port: int | None = None
        self._sessions = 0
        self._is_draining = False
        self._idle: asyncio.Event | None = None  # set while no session is open
        self._servers: list[Server] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._thread: threading.Thread | None = None

    def __repr__(self) -> str:
        where = self.url if self._port is not None else "stopped"
        return f"<Relay {where} to {self._upstream.describe().split(':')[0]}, {self._sessions} sessions>"

    # ---- where it is

    @property
    def port(self) -> int:
        """The port it listens on; `RuntimeError` before it was started."""
        if self._port is None:
            raise RuntimeError("The relay is not running: call start() first, or use it in a with statement.")
        return self._port

    @property
    def url(self) -> str:
        """The address for today's clients; that of the console of 2024 is the same without its path."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._host, self._host)
        return f"ws://{f'[{host}]' if ':' in host else host}:{self.port}/v1/realtime"

    @property
    def sessions(self) -> int:
        """How many clients are connected."""
        return self._sessions

    @property
    def upstream(self) -> str:
        """Where it passes on to, in words."""
        return self._upstream.describe()

    def _describe(self) -> dict[str, Any]:
        return {"status": "draining" if self._is_draining else "ok", "sessions": self._sessions}

    # ---- running

    def start(self) -> Relay:
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
            except Exception as exc:  # noqa: BLE001 - told by the thread that waits
                failure.append(exc)
            started.set()

        self._thread = threading.Thread(target=run, name="rtnb relay", daemon=True)
        self._thread.start()
        if not started.wait(_START_S) or failure:
            self._thread = None
            why = f": {failure[0]}" if failure else ""
            raise OSError(f"The relay could not listen on {self._host}:{self._wanted_port}{why}.") from (
                failure[0] if failure else None
            )
        return self

    def stop(self) -> None:
        """Close all sessions and stop listening. Stopping twice is fine."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        if self._loop is not None and self._stopping is not None:
            with contextlib.suppress(RuntimeError):  # the loop may have closed just now
                self._loop.call_soon_threadsafe(self._stopping.set)
        thread.join(_START_S)

    def __enter__(self) -> Relay:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator[Relay]:
        """Listen in the running loop, as an asynchronous context manager."""
        self._loop, self._stopping, self._idle = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
        self._idle.set()
        self._upstream = await asyncio.to_thread(self._upstream.located)
        try:
            await self._listen(self._host if self._host != "localhost" else "127.0.0.1", self._wanted_port)
            if self._host == "localhost":
                with contextlib.suppress(OSError):  # there may be no IPv6 here
                    await self._listen("::1", self.port)
            yield self
        finally:
            self._port = None
            for server in self._servers:
                server.close(code=1012, reason="the relay is restarting")
            for server in self._servers:
                await server.wait_closed()
            self._servers.clear()
            self._loop = self._stopping = None

    async def drain(self) -> None:
        """Take no new session, and wait for the open ones to end, for as long as `drain_s` says."""
        self._is_draining = True
        self.metrics.add("draining")
        logger.info("draining: %d sessions are open", self._sessions)
        if self._idle is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), self._drain_s)

    async def _listen(self, host: str, port: int) -> None:
        server = await serve(
            self._serve_client,
            host,
            port,
            create_connection=door(self._answer),
            process_request=self._process_request,
            select_subprotocol=select_subprotocol,
            max_size=_MOST_BYTES,
            max_queue=_CLIENT_QUEUE,
            compression=None,  # base64 audio does not shrink enough to pay for the CPU
            # A browser that went to sleep holds a session that costs money. Not sooner: while a client is slowed down,
            # its pongs wait behind its events.
            ping_timeout=120,
            close_timeout=5,
            logger=QuietLogger(logging.getLogger("rtnb.net.relay.websockets")),
        )
        self._servers.append(server)
        self._port = next(iter(server.sockets)).getsockname()[1]

    # ---- one client

    def _answer(self, request: WebRequest) -> Any:
        return self._rest.answer(request)

    def _process_request(self, client: ServerConnection, request: Request) -> Response | None:
        visitor = visitor_of(request)
        if self._is_draining:
            return self._refused(client, "draining", 503, "The relay is restarting; connect again.\n")
        if visitor.path != "/" and not visitor.path.endswith("/realtime"):
            return self._refused(client, "path", 404, "There is no realtime session here; try /v1/realtime.\n")
        if not self._access.is_origin_allowed(visitor.origin):
            return self._refused(client, "origin", 403, "Pages of this origin may not use the relay.\n")
        return None

    def _refused(self, client: ServerConnection, reason: str, status: int, words: str) -> Response:
        self.metrics.add("refused_total", reason=reason)
        return client.respond(status, words)

    async def _serve_client(self, client: ServerConnection) -> None:
        assert client.request is not None
        visitor = visitor_of(client.request)
        guest = self._access.judge(visitor, time.time())
        if isinstance(guest, str):
            self.metrics.add("refused_total", reason="token")
            await end(client, 3000, "relay_error.invalid_api_key", problem_event("invalid_api_key", guest))
            return
        account, clock = self._account_of(guest), asyncio.get_running_loop().time
        breach = account.enter(clock())
        if breach is not None:
            self.metrics.add("refused_total", reason=breach.limit)
            self.metrics.add("limits_total", limit=breach.limit)
            await end(client, breach.close_code or 1013, breach.limit, problem_event(breach.code, breach.message))
            return
        self._sessions += 1
        self.metrics.add("open_sessions")
        assert self._idle is not None
        self._idle.clear()
        place = contextlib.ExitStack()
        place.callback(lambda: account.leave(clock()))
        try:
            await self._relay(client, visitor, guest, account, place)
        finally:
            place.close()
            self._sessions -= 1
            self.metrics.add("open_sessions", -1)
            if not self._sessions:
                self._idle.set()

    def _account_of(self, guest: Guest) -> Account:
        return self._accounts.of(guest.name, time.time(), payer=guest.payer)

    async def _relay(
        self,
        client: ServerConnection,
        visitor: Visitor,
        guest: Guest,
        account: Account,
        place: contextlib.ExitStack,
    ) -> None:
        started = time.monotonic()
        wanted = self._wanted(visitor, guest)
        upstream = await self._opened(client, wanted)
        if upstream is None:
            return
        self.metrics.add("upstream_connect_seconds_total", time.monotonic() - started)
        self.metrics.add("sessions_total", dialect="beta" if visitor.is_beta else "ga")
        # what a client says is no news for a log, unless it is a name and none of its keys
        model = redact(wanted.model or "none", *visitor.keys)
        logger.info("%s: opened, %s, model %s", guest.name, "beta" if visitor.is_beta else "ga", model)
        bridge = Bridge(
            client,
            upstream,
            account=account,
            bill=Bill(self._prices, wanted.model),
            metrics=self.metrics,
            is_beta=visitor.is_beta,
            fixed_model=wanted.model != said_model(visitor),
            secrets=wanted.secrets,
        )
        ending = Ending("relay", 1011)
        try:
            if guest.session is not None:
                with contextlib.suppress(ConnectionClosed):
                    await upstream.send(orjson.dumps(session_update(without_model(guest.session))).decode())
            ending = await bridge.run()
        finally:
            place.close()  # a page that reloads takes it again before this session is settled
            seconds = time.monotonic() - started
            self.metrics.add("session_seconds_total", seconds)
            self.metrics.closed("relay" if self._port is None else ending.by, ending.code)
            await part(client, bridge, upstream, ending)
            counts = bridge.passed
            logger.info(
                "%s: closed by %s with %d after %.1f s, %d events up, %d down, $%.4f",
                *(guest.name, ending.by, ending.code, seconds, counts["client"][0], counts["upstream"][0]),
                bridge.dollars,
            )

    async def _opened(self, client: ServerConnection, wanted: Endpoint) -> Connection | None:
        """Upstream, open; None when the client went meanwhile, or was told that there is none."""
        opening = asyncio.create_task(connect_upstream(wanted))
        gone = asyncio.create_task(client.wait_closed())
        try:
            await asyncio.wait({opening, gone}, return_when=asyncio.FIRST_COMPLETED)
            if opening.done():
                return opening.result()
        except ConnectionFailed as exc:
            self.metrics.add("upstream_failures_total", reason=exc.reason)
            logger.warning("upstream cannot be reached: %s", redact(str(exc), *wanted.secrets))
            words = f"The relay could not reach its upstream ({exc.reason})."
            await end(client, 1014, "relay_error.upstream", problem_event("upstream_unavailable", words))
        finally:
            gone.cancel()
            if not opening.done():
                opening.cancel()
                with contextlib.suppress(asyncio.CancelledError, ConnectionFailed):
                    await (await opening).close()
        return None

    def _wanted(self, visitor: Visitor, guest: Guest) -> Endpoint:
        """Upstream for this client: of all that it may say in its address, model and intent are heard."""
        endpoint = self._upstream
        given = (guest.session or {}).get("type")
        if ("intent", "transcription") in visitor.query or given == "transcription":
            parts = urlsplit(endpoint.url)
            query = f"{parts.query}&{urlencode({'intent': 'transcription'})}".lstrip("&")
            return replace(endpoint, url=urlunsplit(parts._replace(query=query)))
        asked = (guest.session or {}).get("model") or said_model(visitor)
        if self._model is None and endpoint.kind != "azure" and asked is not None and not _GONE_MODELS.fullmatch(asked):
            return replace(endpoint, model=asked)
        return endpoint
