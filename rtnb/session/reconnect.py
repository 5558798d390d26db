"""Staying connected: a lost connection is opened again, and the conversation put into it.

Theory of operation
-------------------
The service keeps nothing of a session whose socket ended, and after an hour it ends each. Here everything is known that
the server knew (`rtnb.core.conversation`), so a new connection is told all of it again:

1. The connection ends (`Staying.lost`), or nears its time limit in a quiet moment (`rtnb.session.rotation`).
   The state becomes RECONNECTING, open answers are suspended (`rtnb.session.suspended`), what has been played plays on.
2. It is opened again, after waits that grow (`rtnb.core.staying`), for a minute at most.
3. The new connection gets the settings and tools, then the items in their order, under their old ids
   (`rtnb.core.restore`), then what the old one was sent and never answered.
4. The state is READY, open answers go on, then all goes on that waited, in the order in which it was called.

==================================  ===================================================================================
while it is being opened again      what happens
==================================  ===================================================================================
``ask``, ``respond``                wait
``send``, ``append_audio``          wait, `MOST_WAITING` events and `MOST_WAITING_BYTES` at most; then `NotConnected`
``update``, ``insert``, ``wait``    go on in the new connection, under their own time-outs
a recording (push-to-talk)          goes on; what was said meanwhile is sent, ten seconds at most
an open microphone (VAD)            is not sent: nobody could answer it in time. Counted in ``session.dropped``
``close()``                         ends it
==================================  ===================================================================================

Imports `rtnb.core`, `rtnb.net` and its neighbours in `rtnb.session`.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from collections import deque
from collections.abc import Mapping
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from rtnb.core.errors import ConnectionClosed, ConnectionFailed, NotConnected, RtnbError, ServerError, WaitTimeout
from rtnb.core.protocol import Event
from rtnb.core.restore import create_events, unanswered
from rtnb.core.staying import GIVE_UP_S, MOST_TRIES, backoff, cause, is_worth_retrying
from rtnb.session.link import Link, carries
from rtnb.session.rotation import Rotation
from rtnb.session.sequencer import REPLY_KEY, Turn
from rtnb.session.states import SessionState
from rtnb.session.watching import Watch

if TYPE_CHECKING:
    from rtnb.net.transport import Transport
    from rtnb.session.core import Core

__all__ = ["MOST_WAITING", "MOST_WAITING_BYTES", "Staying", "tries_for"]

logger = logging.getLogger(__name__)

MOST_WAITING: Final = 1000
"""Events that may wait for the new connection."""

MOST_WAITING_BYTES: Final = 32 * 1024 * 1024
"""Characters of base64 audio that may wait for it."""

_TRY_S: Final = 10.0
_STEADY_S: Final = 10.0  # a connection that lived shorter is counted with the tries before it
_PUT_BACK_S: Final = 15.0
_BYTES_PER_S: Final = 50_000  # the slowest uplink that a long conversation is put back through
_VOID: Final = frozenset(
    {"response.cancel", "conversation.item.truncate", "output_audio_buffer.clear"}
)  # about what has ended


class Staying:
    """Keeps one session connected; lives on the session's loop, but for `keep`.

    Parameters
    ----------
    core
        The session.
    seconds
        How long to try; 0: not at all.
    preset
        Items (``conversation.item.create``) that the first connection is given: a conversation to continue.
    """

    def __init__(self, core: Core, seconds: float = GIVE_UP_S, *, preset: list[Event] | None = None) -> None:
        self._core = core
        self.seconds = seconds
        self.preset = list(preset or ())
        self.continues = False
        """Whether the next connection goes on with the conversation of the last one."""
        self._lock = threading.Lock()
        self._is_away = False  # what is sent must wait here
        self._waiting: deque[Event | Turn] = deque()  # in the order of the calls
        self._waiting_bytes = 0
        self._frames: list[bytes] = []  # of the microphone, as they go over the wire
        self._task: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()  # somebody asked for the connection: try now
        self._again: list[Event] = []  # sent and never answered
        self._uncommitted: list[str] = []  # audio that was in the server's buffer
        self._since = 0.0  # when the connection became ready
        self._tries = 0
        self._dropped = 0  # frames of the microphone lost before the connection was
        self._began = 0.0
        self._watch = Watch(core)
        self._rotation = Rotation(core, self._move)
        self._encoded: dict[tuple[str, int], str] = {}  # the user's speech as it was put back before

    @property
    def is_away(self) -> bool:
        """Whether the connection is being opened again; from any thread."""
        return self._is_away

    # ---- the user's side

    def keep(self, called: Event | Turn) -> bool:
        """Keep an event or a turn for the new connection; False when there is one already. From any thread.

        Raises
        ------
        NotConnected
            Too many wait.
        """
        with self._lock:
            if not self._is_away:
                return False
            if isinstance(called, Turn):
                self._waiting.append(called)
                return True
            size = _size(called)
            if len(self._waiting) >= MOST_WAITING or self._waiting_bytes + size > MOST_WAITING_BYTES:
                raise NotConnected(
                    f"the connection is being opened again, and {len(self._waiting)} events wait for it already: wait "
                    "for session.connect(), which returns when it is open"
                )
            self._waiting.append(called)
            self._waiting_bytes += size
            return True

    async def join(self, timeout: float) -> None:
        """Wait until the connection is open again.

        Raises
        ------
        RtnbError
            It could not be opened; see the text.
        WaitTimeout
            Not within `timeout` seconds; it is still tried.
        """
        task = self._task
        if task is None:
            return
        self._hurry.set()
        done, _ = await asyncio.wait({task}, timeout=timeout)
        if not done:
            raise WaitTimeout(f"the connection is still being opened again after {timeout:g} s ({self._core.failure})")
        if self._core.state is not SessionState.READY:
            raise self._core.failure or ConnectionClosed("the session was closed before it was open", code=1000)

    async def close(self) -> None:
        """Stop trying, and forget."""
        self.stop_watching()
        tasks = {task for task in (self._task, self._rotation.task) if task is not None}
        self._task = None
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_TRY_S)
        self._drop()
        self._encoded.clear()
        self.continues = False

    # ---- losing a connection

    def lost(self, link: Link, error: ConnectionClosed) -> bool:
        """The connection ended by itself; True when it is opened again."""
        self.stop_watching()
        core = self._core
        self.continues = self.seconds > 0
        last = core.log.last(direction="server")
        code = ServerError(last.event).code if last is not None and last.name == "error" else None
        if self.seconds <= 0 or not is_worth_retrying(error, code=code):
            return False
        words = f"{cause(error)}; it is being opened again, with the conversation"
        told = ConnectionClosed(words, code=error.code, reason=error.reason)
        self._leave(link, told, asks_again=error.code != 1009)
        self._task = asyncio.get_running_loop().create_task(self._keep_trying(told))
        return True

    def _leave(self, link: Link, error: ConnectionClosed, *, asks_again: bool = True) -> None:
        """Take over what the connection leaves behind."""
        core = self._core
        now = core.clock()
        if now - self._since >= _STEADY_S or core.log.find("response.done", after=link.start) is not None:
            self._tries = 0
        self._began = now
        self._hurry.clear()
        with self._lock:
            self._is_away = True
            core.link = None
        core.failure = error
        core.spending.lost()
        loose = unanswered(core.log[link.start :])
        unsent, frames = link.unsent()
        waits = {event.get("event_id") for event in (*loose, *unsent)}
        requests = link.requests
        self._dropped = core.capture.dropped
        self._uncommitted = core.conversation.uncommitted
        was_speaking = core.conversation.speech is not None
        if core.detects_turns:
            self._uncommitted, self._frames = [], []
            core.capture.lose(len(frames))
            core.line.clear()
            core._appended = 0
        else:
            self._frames = frames
        cut = core.sequencer.suspend(
            error,
            is_open=lambda event: event.get("event_id") in waits,
            has_come=self._has_come,
            answers_speech=core.router.creates_responses and core.router.detects_turns,
            asks_again=asks_again,
        )
        core.sound.suspend()
        owned = core.sequencer.owned
        self._again = [
            event
            for event in (*loose, *unsent)
            if asks_again and event.get("event_id") not in requests | owned and not _is_void(event)
        ]
        core._set_state(SessionState.RECONNECTING)
        core.hint(str(error) + "".join(f"; answer {reply.number} was cut and keeps what had come" for reply in cut))
        if was_speaking:
            core.hint("what you were saying when the connection was lost did not arrive; say it again")

    def strand(self, link: Link) -> None:
        """Take what a thread gave to a connection that had ended just then."""
        events, frames = link.unsent()
        core = self._core
        if core.link is None:
            self._frames += frames
        else:
            for frame in frames:
                core.link.put_frame(frame)
        for event in events:
            if not _is_void(event) and not self.keep(event) and core.link is not None:
                core.link.put(event)

    def _has_come(self, response_id: str) -> bool:
        response = self._core.conversation.response(response_id)
        return response is not None and any(item.text or item.audio_bytes for item in response.output)

    # ---- opening it again

    async def _keep_trying(self, loss: RtnbError) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + self.seconds
        error: Exception = loss
        for number in count(1):
            delay = backoff(self._tries, random.random())
            left = end - loop.time() - delay
            if self._tries >= MOST_TRIES or left <= 0:
                break
            try:
                async with asyncio.timeout(delay):  # `wait_for` would swallow a cancellation that meets the event
                    await self._hurry.wait()
                    self._hurry.clear()  # a try that somebody asked for is not counted
            except TimeoutError:
                self._tries += 1
            if self._task is not asyncio.current_task():
                return  # closed meanwhile
            try:
                await self._open(min(_TRY_S, max(left, 1.0)))
            except Exception as exc:  # noqa: BLE001 - whatever it is, it is tried again, or told
                logger.debug("try %d failed: %s", number, exc)
                error = exc
                if not is_worth_retrying(exc):
                    break
            else:
                return
        self._give_up(loss, error)

    async def _open(self, timeout: float, transport: Transport | None = None) -> None:
        core = self._core
        core.requested.settle()
        link = await core.open_new_link(timeout, transport)
        try:
            await self.put_back(link)
            if link.ending is not None:
                raise link.ending
        except BaseException:
            await link.close()
            raise
        self._resume(link)

    async def put_back(self, link: Link) -> None:
        """Tell a new connection the conversation as it stands here."""
        core = self._core
        preset, self.preset = self.preset, []
        heard = {track.item_id: track.heard_ms for track in core.sound.ledger if track.is_stopped}
        listed = core.log[link.start :].filter("conversation.item.*", direction="server")
        given = [entry.event.get("item") for entry in listed]  # a server may begin with items of its own
        named = [item.get("id") for item in given if isinstance(item, Mapping)]
        known = {name for name in named if isinstance(name, str)}
        items = [item for item in core.conversation.items if item.id not in known]
        rate = core.conversation.input_bytes_per_ms
        events = create_events(items, bytes_per_ms=rate, heard_ms=heard, encoded=self._encoded) or preset
        if not events:
            return
        for event in events[:-1]:
            link.put(event)
        last = events[-1]
        size = sum(len(part.get("audio") or "") for e in events for part in e["item"].get("content") or ())
        failures = []
        try:
            await link.request(
                last,
                "conversation.item.*",
                where=carries(last["item"]["id"]),
                timeout=_PUT_BACK_S + size / _BYTES_PER_S,
            )
        except ServerError as exc:
            failures.append(exc)
        ids = {event["event_id"] for event in events}
        for entry in core.log[link.start :].filter("error", direction="server"):
            error = ServerError(entry.event)
            if error.event_id in ids and len(failures) < len(ids):
                failures.append(error)
        if failures:
            told = failures[-1]
            core.hint(f"the server did not take {len(ids)} items of the conversation all again: {told}")

    def _resume(self, link: Link) -> None:
        """The new connection is as the old one was: go on."""
        core = self._core
        for audio in self._uncommitted:
            link.put({"type": "input_audio_buffer.append", "audio": audio})
        for frame in self._frames:
            link.put_frame(frame)
        for event in self._again:
            if event["type"] == "response.create":
                core.sequencer.expect_foreign(event.get("event_id"))
            link.put(event)
        self._again, self._uncommitted, self._frames, self._task = [], [], [], None
        core.link = link
        core.failure = None
        core._set_state(SessionState.READY)
        self.watch()
        core.capture.connected()
        core.sequencer.resume()
        self._go_on(link)
        took = core.clock() - self._began
        core.hint(f"connected again after {took:.1f} s, with all {core.conversation.count} items of the conversation")
        lost = core.capture.dropped - self._dropped
        if lost > 0:
            core.hint(f"{lost} frames of the microphone were not sent while there was no connection; say that again")

    def _go_on(self, link: Link) -> None:
        """What waited is done as if it were called now; what is called meanwhile waits behind it."""
        while True:
            with self._lock:
                if not self._waiting:
                    self._is_away = False
                    return
                called = self._waiting.popleft()
                if not isinstance(called, Turn):
                    self._waiting_bytes -= _size(called)
            # without the lock: a watcher of the reply may call anything
            if not isinstance(called, Turn):
                link.put(called)
            elif not called.reply.is_done:  # cancelled meanwhile
                self._core.sequencer.submit(called)

    def _give_up(self, loss: RtnbError, error: Exception) -> None:
        core = self._core
        took = core.clock() - self._began
        reason = getattr(error, "reason", "closed") if isinstance(error, ConnectionFailed) else "closed"
        told = ConnectionFailed(
            f"{cause(loss)}, and it could not be opened again within {took:.0f} s: {error}; "
            "session.connect() tries again, and goes on with the conversation",
            reason=reason,
        )
        waited = sum(not isinstance(called, Turn) for called in self._waiting)
        self._drop()
        self._task = None
        core.give_up(told)
        core.hint(str(told) + (f"; {waited} events that waited were not sent" if waited else ""))

    def _drop(self) -> None:
        with self._lock:
            self._is_away = False
            turns = [called for called in self._waiting if isinstance(called, Turn)]
            self._waiting.clear()
            self._waiting_bytes = 0
        for turn in turns:
            self._core.sequencer.submit(turn)  # which is told next that there is no connection
        self._again, self._uncommitted, self._frames = [], [], []

    # ---- the time limit

    def watch(self) -> None:
        """The connection is ready: look at the clock."""
        self._since = self._core.clock()
        self._watch.start()
        if self.seconds > 0:
            self._rotation.start()

    def stop_watching(self) -> None:
        """There is nothing to look at."""
        self._watch.stop()
        self._rotation.stop()

    def _move(self, link: Link, transport: Transport) -> None:
        """Leave a connection that nears its limit, for one that is open already."""
        self.stop_watching()
        error = ConnectionClosed("the time limit of the session is near; it moves to a new connection", code=1001)
        self._leave(link, error)
        self._task = asyncio.get_running_loop().create_task(self._open_moved(link, error, transport))

    async def _open_moved(self, link: Link, error: ConnectionClosed, transport: Transport) -> None:
        await link.close()
        self.strand(link)
        try:
            await self._open(_TRY_S, transport)
        except Exception as exc:  # noqa: BLE001 - from here on it is a lost connection like any other
            logger.debug("moving to a new connection failed: %s", exc)
            await self._keep_trying(error)


def tries_for(reconnect: bool | float) -> float:
    """How many seconds to try, from the option of `rtnb.Session`.

    Raises
    ------
    ValueError
        It is neither a bool nor a number of seconds.
    """
    if reconnect is True:
        return GIVE_UP_S
    if reconnect is False:
        return 0.0
    if isinstance(reconnect, (int, float)) and 0 <= reconnect < float("inf"):
        return float(reconnect)
    raise ValueError(f"reconnect is True, False or the seconds to try at most, not {reconnect!r}")


def _size(event: Event) -> int:
    return len(event.get("audio") or "")


def _is_void(event: Event) -> bool:
    """Whether an event means nothing in a new connection, or is sent anew by who sent it."""
    name = event.get("type")
    if name == "response.create":
        response: Any = event.get("response")
        metadata = response.get("metadata") if isinstance(response, Mapping) else None
        return isinstance(metadata, Mapping) and REPLY_KEY in metadata
    return name in _VOID
