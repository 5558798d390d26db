"""One client of a relay: a pipe from its socket to upstream and back, and what may end it.

Each direction reads a message, then waits until the other side has taken it: so a slow reader slows its sender, and
nothing piles up here. What the client sends before upstream is open waits in its socket, of which only so much is read.
Events of today's dialect pass as they are, byte for byte and not even parsed; those of a client of 2024 are translated.

Upstream events are looked at for two things: the relay's key, should an error quote it, and what an answer cost. Audio,
nearly all of the traffic, is passed on after one glance at its first characters. When a session ends in the midst of
an answer, the answer is stopped, and charged all the same.

May import `rtnb.core` and its neighbours in `rtnb.net`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from websockets.asyncio.connection import Connection
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from rtnb.core.dialects import GaToBetaServer, beta_to_ga_client
from rtnb.core.errors import redact
from rtnb.core.protocol import Event, new_id
from rtnb.net.relay_bill import Bill
from rtnb.net.relay_limits import Account, Breach
from rtnb.net.relay_metrics import Metrics

__all__ = ["Bridge", "Ending", "problem_event"]

logger = logging.getLogger("rtnb.net.relay")

_AUDIO: Final = ('{"type":"response.output_audio.delta"', '{"type": "response.output_audio.delta"')
_TELLING: Final = ('.delta"', '"response.created"', '"response.done"', '"session.', "_transcription.")
"""In the events that a bill is made of."""
_SLOW_NOTE_S: Final = 10.0  # how often a client is told that it is slowed down
_LAST_WORDS_S: Final = 2.0
_LOOK_S: Final = 5.0  # how often the minutes are looked at: another session of the client may use them up


@dataclass(frozen=True)
class Ending:
    """How a session ended: by ``"client"``, ``"upstream"`` or ``"relay"``, with what code."""

    by: str
    code: int
    reason: str = ""
    event: Event | None = None  # what the client is told before


class _Over(Exception):
    def __init__(self, breach: Breach) -> None:
        super().__init__(breach.limit)
        self.breach = breach


class Bridge:
    """The pipe of one client.

    Parameters
    ----------
    client, upstream
        Both open.
    account
        What the client may use.
    bill
        Adds up what it costs.
    metrics
        Counts.
    is_beta
        The client speaks the dialect of 2024.
    fixed_model
        The model that upstream was asked for, when the client asked for another.
    secrets
        Keys of the relay, which no client may see.
    """

    def __init__(
        self,
        client: ServerConnection,
        upstream: Connection,
        *,
        account: Account,
        bill: Bill,
        metrics: Metrics,
        is_beta: bool = False,
        fixed_model: bool = False,
        secrets: Iterable[str] = (),
    ) -> None:
        self._client, self._upstream = client, upstream
        self._account, self._bill, self._metrics = account, bill, metrics
        self._secrets = tuple(secrets)
        self._fixed_model = fixed_model
        self._to_beta = GaToBetaServer() if is_beta else None
        self._clock: Callable[[], float] = asyncio.get_running_loop().time
        self._told_at = -_SLOW_NOTE_S
        self.passed = {"client": (0, 0), "upstream": (0, 0)}
        """Events and characters passed on, by who sent them."""
        self.dollars = 0.0

    async def run(self) -> Ending:
        """Pass on until either side ends, or a limit does. However it ends, `settle` comes next."""
        up = asyncio.create_task(self._up(), name="relay up")
        down = asyncio.create_task(self._down(), name="relay down")
        tasks = {up, down}
        try:
            while True:
                left = self._account.seconds_left(self._clock())
                pause = None if left is None else max(0.0, min(left, _LOOK_S))
                done, _ = await asyncio.wait(tasks, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
                if done:
                    break
                breach = self._account.breach(self._clock())
                if breach is not None:
                    return self._ending_of(breach)
            over = next((task.exception() for task in done if task.exception() is not None), None)
            if over is not None:
                if isinstance(over, _Over):
                    return self._ending_of(over.breach)
                raise over
            ended = next(iter(done)).result()
            # what the other side still had to say is passed on, as far as anybody hears it
            await asyncio.wait(tasks, timeout=0 if ended == "client" and up in done else _LAST_WORDS_S)
            return self._closed_by(ended)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for side, (events, characters) in self.passed.items():
                self._metrics.add("events_total", events, sender=side)
                self._metrics.add("bytes_total", characters, sender=side)

    # ---- the two directions

    async def _up(self) -> str:
        receive, send, account, clock = self._client.recv, self._upstream.send, self._account, self._clock
        is_rated, is_beta = account.is_rated, self._to_beta is not None
        events = characters = 0
        try:
            while True:
                try:
                    message = await receive()
                except ConnectionClosed:
                    return "client"
                events += 1
                characters += len(message)
                if is_rated:
                    wait, breach = account.take(_size(message), clock())
                    if breach is not None:
                        await self._slow(wait, breach)
                if is_beta:
                    message = self._as_ga(message)
                try:
                    await send(message)
                except ConnectionClosed:
                    return "upstream"
        finally:
            self.passed["client"] = events, characters

    async def _down(self) -> str:
        receive, send = self._upstream.recv, self._client.send
        is_beta = self._to_beta is not None
        events = characters = 0
        try:
            while True:
                try:
                    message = await receive()
                except ConnectionClosed:
                    return "upstream"
                events += 1
                characters += len(message)
                over: _Over | None = None
                if type(message) is str:
                    if message.startswith(_AUDIO):
                        self._bill.heard(len(message))
                    else:
                        message, over = self._looked_at(message)
                try:
                    if is_beta:
                        for each in self._as_beta(message):
                            await send(each)
                    else:
                        await send(message)
                except ConnectionClosed:
                    return "client"
                if over is not None:
                    raise over
        finally:
            self.passed["upstream"] = events, characters

    # ---- looking

    def _looked_at(self, message: str) -> tuple[str, _Over | None]:
        """A message without our key; and the end, when it tells of the cost that was too much."""
        for secret in self._secrets:
            if secret in message:
                message = redact(message, *self._secrets)
        if any(word in message for word in _TELLING):
            with contextlib.suppress(ValueError):
                event = orjson.loads(message)
                if isinstance(event, dict):
                    return message, self._charge(event)
        return message, None

    def _charge(self, event: Event) -> _Over | None:
        self._spend(self._bill.add(event))
        if self._account.limits.dollars is None:
            return None
        if self._bill.unknown is not None:
            words = f"This relay limits what is spent, and knows no price of {redact(self._bill.unknown)}."
            return _Over(Breach("dollars", "insufficient_quota", words, 4000))
        breach = self._account.breach(self._clock())
        return _Over(breach) if breach is not None else None

    def _spend(self, dollars: float) -> None:
        if dollars:
            self.dollars += dollars
            self._account.spend(dollars)
            self._metrics.add("dollars_total", dollars)

    async def settle(self) -> None:
        """Stop what nobody hears any more, and charge it: by upstream's last words, else by an estimate."""
        try:
            with contextlib.suppress(ConnectionClosed, TimeoutError):
                async with asyncio.timeout(_LAST_WORDS_S):
                    for response_id in sorted(self._bill.responses):
                        cancel = {"type": "response.cancel", "response_id": response_id}
                        await self._upstream.send(orjson.dumps(cancel).decode())
                    while self._bill.is_open:
                        message = await self._upstream.recv()
                        if type(message) is not str:
                            continue
                        if message.startswith(_AUDIO):
                            self._bill.heard(len(message))
                        else:
                            self._looked_at(message)
        finally:
            self._spend(self._bill.rest())

    async def _slow(self, wait: float, breach: Breach) -> None:
        now = self._clock()
        if now - self._told_at >= _SLOW_NOTE_S:
            self._told_at = now
            self._metrics.add("limits_total", limit=breach.limit)
            with contextlib.suppress(ConnectionClosed):
                await self._client.send(orjson.dumps(problem_event(breach.code, breach.message)).decode())
        gone = asyncio.ensure_future(self._client.wait_closed())
        await asyncio.wait({gone}, timeout=wait)
        gone.cancel()

    # ---- the dialect of 2024

    def _as_ga(self, message: str | bytes) -> str | bytes:
        event = _event(message)
        if event is None or self._to_beta is None:
            return message
        self._to_beta.note(event)
        session = event.get("session")
        if self._fixed_model and isinstance(session, Mapping) and "model" in session:
            event["session"] = {name: value for name, value in session.items() if name != "model"}
        return orjson.dumps(beta_to_ga_client(event)).decode()

    def _as_beta(self, message: str | bytes) -> list[str | bytes]:
        event = _event(message)
        if event is None or self._to_beta is None:
            return [message]
        return [orjson.dumps(each).decode() for each in self._to_beta(event)]

    # ---- ending

    def _ending_of(self, breach: Breach) -> Ending:
        self._metrics.add("limits_total", limit=breach.limit)
        return Ending("relay", breach.close_code or 1008, breach.limit, problem_event(breach.code, breach.message))

    def _closed_by(self, side: str) -> Ending:
        closed = self._client if side == "client" else self._upstream
        code = closed.close_code
        return Ending(side, 1006 if code is None else code, redact(closed.close_reason or "", *self._secrets))


def problem_event(code: str, message: str) -> Event:
    """An ``error`` event of the relay's own.

    Parameters
    ----------
    code
        One that clients of the service know.
    message
        For the client's user.
    """
    error = {"type": "relay_error", "code": code, "message": message, "param": None, "event_id": None}
    return {"type": "error", "event_id": new_id("event"), "error": error}


def _size(message: str | bytes) -> int:
    return len(message) if isinstance(message, bytes) or message.isascii() else len(message.encode())


def _event(message: Any) -> Event | None:
    with contextlib.suppress(ValueError):
        event = orjson.loads(message)
        if isinstance(event, dict):
            return event
    return None
