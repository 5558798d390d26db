"""`Link`: one open connection, with a task that reads and a task that sends.

Everything that passes is logged and applied to the conversation, in the order of the wire, before anybody is told. All
of it happens on the session's loop; only `Link.put` may be called from any thread: events are handed over in batches,
one wake-up of the loop for as many as wait.

Imports `rtnb.core` and `rtnb.net.transport`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson

from rtnb.core.changes import Changes
from rtnb.core.conversation import Conversation
from rtnb.core.errors import ConnectionClosed, ProtocolError, ServerError, WaitTimeout, redact
from rtnb.core.log import Entry, EventLog, matcher
from rtnb.core.protocol import Event, new_id
from rtnb.net.dialect import Spoken
from rtnb.net.transport import Transport, closed_error

__all__ = ["Link", "carries", "checked"]

logger = logging.getLogger(__name__)

_APPEND: Final = "input_audio_buffer.append"
_CLOSE_S: Final = 5.0
_FLUSH_S: Final = 1.0
_MOST_FRAMES: Final = 250  # ten seconds of 40 ms
_FRAME: Final[Event] = {"": "frame"}  # stands in the outbox for the next frame of the microphone
_LAST: Final[Event] = {}  # ends the sender, after what waits before it
_HUGE_BYTES: Final = 8 * 1024 * 1024  # three minutes of speech in one event: nothing that a turn needs


class _Waiter:
    """Somebody who waits for an event."""

    __slots__ = ("fits", "future", "where")

    def __init__(self, fits: Callable[[str], bool], where: Callable[[Event], bool] | None) -> None:
        self.fits = fits
        self.where = where
        self.future: asyncio.Future[Entry] = asyncio.get_running_loop().create_future()


class Link:
    """One connection.

    Parameters
    ----------
    transport
        Open already.
    log, conversation
        Where events go.
    origin
        Reading of `time.perf_counter` at time 0 of the log.
    received
        Told each event of the server with what it changed.
    closed
        Told once when it ends by itself; not after `close`.
    sent
        Told each event that is about to be sent.
    secrets
        Keys that are taken out of the server's errors: it may quote what it was given.
    odd
        Told in words of what comes and should not.
    stranded
        Told when an event was put here after it had ended, by a thread that did not know yet; see `unsent`.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        log: EventLog,
        conversation: Conversation,
        origin: float,
        received: Callable[[Entry, Changes], None],
        closed: Callable[[ConnectionClosed], None],
        sent: Callable[[Entry], None] = lambda entry: None,
        secrets: Sequence[str] = (),
        odd: Callable[[str], None] = logger.warning,
        stranded: Callable[[Link], None] = lambda link: None,
    ) -> None:
        self._transport = transport
        self.spoken: Spoken | None = getattr(transport, "spoken", None)
        """How it is spoken with a server that is not the service itself; None with the service."""
        self._log = log
        self._conversation = conversation
        self._origin = origin
        self._received = received
        self._closed = closed
        self._sent = sent
        self._secrets = tuple(secrets)
        self._odd = odd
        self._stranded = stranded
        self.start = len(log)
        """Index in the log of its first event."""
        self._loop = asyncio.get_running_loop()
        self.updates = asyncio.Lock()
        """Held during a ``session.update``: its answer does not say which one it answers."""
        self._outbox: deque[Event] = deque()
        self._frames: deque[bytes] = deque(maxlen=_MOST_FRAMES)  # each is announced by a _FRAME in the outbox
        self.dropped = 0
        """Frames of the microphone that were dropped because the socket could not keep up."""
        self._news = asyncio.Event()  # something waits in the outbox
        self._is_woken = False  # the loop has been told of it
        self._waiters: list[_Waiter] = []
        self._requests: dict[str, asyncio.Future[Entry]] = {}  # by the id of the client event that may be refused
        self._ending: ConnectionClosed | None = None
        self._reader = self._loop.create_task(self._read())
        self._writer = self._loop.create_task(self._write())

    # ---- sending

    def put(self, event: Event) -> str:
        """Send an event after what already waits; gives its ``event_id``. From any thread.

        Ids that are missing are filled in: errors name the event by its id, and an item is followed by its own.
        """
        event_id = event.get("event_id")
        if event_id is None and event.get("type") != _APPEND:  # an append is not worth an id: 25 come each second
            event = {**event, "event_id": (event_id := new_id("event"))}
        if event.get("type") == "conversation.item.create":
            item = event.get("item")
            if isinstance(item, dict) and item.get("id") is None:
                event["item"] = {"id": new_id("item"), **item}
        self._outbox.append(event)
        if self._ending is not None:  # asked after the append: `unsent` takes the event, or is called for it
            self._loop.call_soon_threadsafe(self._stranded, self)
        self._wake()
        return str(event_id or "")

    def _wake(self) -> None:
        if not self._is_woken:
            self._is_woken = True
            self._loop.call_soon_threadsafe(self._news.set)

    def put_frame(self, pcm: bytes) -> None:
        """Append a frame of the microphone after what already waits. From any thread.

        When the socket cannot keep up, the oldest frames are dropped, and counted in `dropped`: sound that is ten
        seconds late helps nobody, and must not use up the memory.
        """
        if len(self._frames) == _MOST_FRAMES:
            self.dropped += 1
        self._frames.append(pcm)
        self._outbox.append(_FRAME)
        self._wake()

    def unsent(self) -> tuple[list[Event], list[bytes]]:
        """Take out what was never sent: events, but for the requests whose callers wait for them, and frames."""
        events = []
        while self._outbox:
            event = self._outbox.popleft()
            if event is not _FRAME and event is not _LAST and event.get("event_id") not in self._requests:
                events.append(event)
        frames = list(self._frames)
        self._frames.clear()
        return events, frames

    @property
    def requests(self) -> frozenset[str]:
        """The ids of the events that somebody waits to see answered."""
        return frozenset(self._requests)

    async def request(
        self, event: Event, name: str, *, where: Callable[[Event], bool] | None = None, timeout: float
    ) -> Entry:
        """Send an event and wait for the one that answers it.

        Raises
        ------
        ServerError
            The server refused it.
        WaitTimeout
            Neither came in `timeout` seconds.
        ConnectionClosed
            The connection ended before.
        """
        self._check_open()
        event_id = str(event.setdefault("event_id", new_id("event")))
        waiter = _Waiter(matcher(name), where)
        self._waiters.append(waiter)
        self._requests[event_id] = waiter.future
        self.put(event)
        try:
            return await self._wait(waiter, name, timeout)
        finally:
            self._requests.pop(event_id, None)

    # ---- waiting

    async def wait(
        self, pattern: str, *, where: Callable[[Event], bool] | None = None, after: int, timeout: float
    ) -> Entry:
        """The first server event after index `after` of the log that fits; waits for it where it has not come yet."""
        found = self._log.find(pattern, direction="server", where=where, after=after)
        if found is not None:
            return found
        self._check_open()
        waiter = _Waiter(matcher(pattern), where)
        self._waiters.append(waiter)
        return await self._wait(waiter, pattern, timeout)

    async def _wait(self, waiter: _Waiter, name: str, timeout: float) -> Entry:
        try:
            return await asyncio.wait_for(waiter.future, timeout)
        except TimeoutError:
            last = self._log.last(direction="server")
            came = f"the last event of the server was {last.name}" if last else "the server sent nothing"
            raise WaitTimeout(f"no {name} within {timeout:g} s; {came}") from None
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def _claim(self, event: Event) -> bool:
        """Give an ``error`` event to the request that it refuses; False when it is none's, or no error."""
        detail = event.get("error") if event.get("type") == "error" else None
        event_id = detail.get("event_id") if isinstance(detail, dict) else None
        future = self._requests.pop(str(event_id), None)
        if future is None or future.done():
            return False
        future.set_exception(ServerError(event))
        return True

    # ---- ending

    @property
    def is_open(self) -> bool:
        """Whether events can be sent."""
        return self._ending is None

    @property
    def ending(self) -> ConnectionClosed | None:
        """Why it ended; None while it is open."""
        return self._ending

    async def close(self) -> None:
        """Send what waits, close, and end both tasks. May be called twice."""
        if self._ending is None:
            self._outbox.append(_LAST)
            self._news.set()
            await asyncio.wait([self._writer], timeout=_FLUSH_S)
            self._end(ConnectionClosed("the session was closed; session.connect() opens a new one", code=1000))
            try:
                await asyncio.wait_for(self._transport.close(), _CLOSE_S)
            except (TimeoutError, OSError) as exc:
                logger.debug("closing: %s", exc)
        tasks = [task for task in (self._reader, self._writer) if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=_CLOSE_S)

    def _check_open(self) -> None:
        if self._ending is not None:
            raise self._ending

    def _end(self, error: ConnectionClosed) -> None:
        self._ending = error
        self._news.set()
        for waiter in self._waiters:
            if not waiter.future.done():
                waiter.future.set_exception(error)
        self._waiters.clear()

    # ---- the two tasks

    async def _write(self) -> None:
        outbox = self._outbox
        while self._ending is None:
            await self._news.wait()
            self._news.clear()
            self._is_woken = False
            while outbox:
                event = outbox.popleft()
                if event is _LAST:
                    return
                if event is _FRAME:
                    if not self._frames:
                        continue  # it was dropped
                    event = {"type": _APPEND, "audio": b64encode(self._frames.popleft()).decode("ascii")}
                try:
                    text = orjson.dumps(event)
                except TypeError as exc:  # `Session.send` checks first; this keeps the task alive whatever comes
                    logger.error("an event could not be written as JSON and was not sent: %s", exc)
                    continue
                entry = self._log.append(event, "client", time.perf_counter() - self._origin)
                self._conversation.apply(event, "client")
                self._sent(entry)
                try:
                    await self._transport.send(text)
                except ConnectionClosed:
                    return  # the reader tells why

    async def _read(self) -> None:
        log_append, apply, clock = self._log.append, self._conversation.apply, time.perf_counter
        loads, origin, received, waiters = orjson.loads, self._origin, self._received, self._waiters
        try:
            async for text in self._transport:
                try:
                    event = loads(text)
                except ValueError:
                    self._odd(f"the server sent {len(text)} bytes that are no JSON; they were skipped")
                    continue
                if type(event) is not dict:
                    self._odd(f"the server sent a JSON {type(event).__name__}, not an event; it was skipped")
                    continue
                if len(text) > _HUGE_BYTES:
                    size = f"{len(text) / 1e6:.0f} MB ({event.get('type')})"
                    self._odd(f"the server sent one event of {size}; it was taken, but sound had to wait for it")
                if event.get("type") == "error":
                    event = loads(redact(orjson.dumps(event).decode(), *self._secrets))
                entry = log_append(event, "server", clock() - origin)
                changes = apply(event)
                try:
                    # What a request waits for is raised there, and is no news for anybody but the listeners.
                    received(entry, () if self._requests and self._claim(event) else changes)
                except Exception:  # whatever goes wrong with one event, the next one must be heard
                    logger.exception("handling %s failed", entry.name)
                if waiters:
                    self._serve_waiters(entry)
            code, reason = self._transport.closing
            error = closed_error(code, reason)
        except ConnectionClosed as exc:
            error = exc
        except OSError as exc:
            error = ConnectionClosed(f"the connection broke ({exc}); session.connect() opens a new one")
        if self._ending is None:
            self._end(error)
            self._closed(error)

    def _serve_waiters(self, entry: Entry) -> None:
        name = entry.name
        for waiter in list(self._waiters):
            if waiter.future.done() or not waiter.fits(name):
                continue
            try:
                fits = waiter.where is None or waiter.where(entry.event)
            except Exception as exc:  # noqa: BLE001 - the caller's own function: the failure is the caller's to see
                waiter.future.set_exception(exc)
                continue
            if fits:
                waiter.future.set_result(entry)


def checked(event: Any) -> Event:
    """The event, if it is a JSON object with a ``type``.

    Raises
    ------
    ProtocolError
        When it is not, with the reason.
    """
    if not isinstance(event, dict) or not isinstance(event.get("type"), str):
        raise ProtocolError('an event is a dict with a "type", for example {"type": "response.create"}')
    try:
        orjson.dumps(event)
    except TypeError as exc:
        raise ProtocolError(f"the event cannot be written as JSON: {exc}") from exc
    return event


def carries(item_id: object) -> Callable[[Event], bool]:
    """A test if an event carries the item with this id, whatever else a server puts there."""

    def test(event: Event) -> bool:
        item = event.get("item")
        return isinstance(item, dict) and item.get("id") == item_id

    return test
