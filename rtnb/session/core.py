"""`Core`: what of a session lives on its own thread. `Session` is its face, and hands every call over.

One rule: all that changes state here runs on the runner's loop. What other threads call (`ask`, `send`,
`append_audio`, `close`) only checks, makes values and posts.

Imports `rtnb.core`, `rtnb.net` and its neighbours in `rtnb.session`.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import contextvars
import functools
import logging
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from rtnb.core.changes import Changes
from rtnb.core.conversation import Conversation
from rtnb.core.errors import (
    ConnectionClosed,
    NotConnected,
    ProtocolError,
    RtnbError,
    WaitTimeout,
)
from rtnb.core.lint import lint
from rtnb.core.log import Entry, EventLog
from rtnb.core.protocol import (
    Event,
    new_id,
)
from rtnb.core.tools import ToolSet
from rtnb.net.dialect import Spoken
from rtnb.net.endpoints import resolve
from rtnb.net.transport import Transport
from rtnb.session.accounts import Accounting
from rtnb.session.asking import Asking
from rtnb.session.calls import Calls
from rtnb.session.capture import Capture
from rtnb.session.cursor import Cursor
from rtnb.session.link import Link, checked
from rtnb.session.listeners import Listeners
from rtnb.session.opening import open_link
from rtnb.session.reconnect import Staying, tries_for
from rtnb.session.reply import ANSWER_S, Reply
from rtnb.session.requested import Requested
from rtnb.session.router import Router
from rtnb.session.runner import Runner, keep
from rtnb.session.sequencer import Sequencer
from rtnb.session.settings import is_apart, session_object
from rtnb.session.sound import Sound
from rtnb.session.sounding import Sounding
from rtnb.session.spending import Spending
from rtnb.session.states import SessionState
from rtnb.session.telephone import Line, format_of
from rtnb.session.tool_runner import ToolRunner
from rtnb.session.tooling import Tooling, ask_for_approval
from rtnb.session.unclaimed import Unclaimed

__all__ = ["Core", "SessionState"]

logger = logging.getLogger(__name__)

_CONNECT_S: Final = 10.0
_ABANDONED_S: Final = 0.1


class Core(Accounting, Calls, Sounding):
    """The state of one session; see `rtnb.Session` for the parameters."""

    def __init__(
        self,
        endpoint: Any,
        *,
        model: str | None,
        key: str | None,
        options: Mapping[str, Any],
        config: Mapping[str, Any] | None,
        tools: Iterable[Any],
        name: str | None,
        transport: Any,
        budget: float | None = None,
        prices: Mapping[str, Any] | None = None,
        reconnect: bool | float = True,
    ) -> None:
        self.name = name
        self.endpoint = resolve(endpoint, model=model, key=key)
        self.tools = ToolSet(tools)
        self.requested = Requested(self, session_object(options, config=config), self.tools)
        self.state = SessionState.IDLE
        self.failure: RtnbError | None = None  # why the connection failed or ended; None while all is well
        self.origin = time.perf_counter()
        self.log = EventLog(origin=time.time(), secrets=self.endpoint.secrets)
        self.conversation = Conversation()
        self.replies: list[Reply] = []
        self.runner = Runner(f"rtnb session {name or ''}".strip())
        self.cursor = Cursor()
        self.listeners = Listeners(
            f"rtnb listeners {name or ''}".strip(), cursor=self.cursor, now=lambda: len(self.log) - 1
        )
        self.link: Link | None = None
        self.spoken: Spoken | None = None  # how it is spoken with a server that is not the service itself
        self._transport = transport  # instead of a socket, once
        self.staying = Staying(self, tries_for(reconnect) if transport is None else 0.0)
        self._opening: asyncio.Task[None] | None = None
        self._joined = 0  # how many wait for the opening
        self._closing: asyncio.Task[None] | None = None
        self.asking = Asking(self)
        self.line = Line(lambda: self.input_format)
        self._appended = 0  # bytes of 24 kHz PCM16 in the input buffer that were not committed yet
        self._open_accounts()
        self.spending = Spending(
            is_free=self.endpoint.is_free,
            prices=prices,
            budget=budget,
            model=lambda: self.model,
            send=self.send_for_budget,
            is_ready=lambda: self.is_ready,
            hint=self.hint,
            answers_speech=self.answers_speech,
            expected=lambda: self.estimate().usage,
        )
        self.sequencer = Sequencer(
            send=self._put,
            refusal=self.spending.refusal,
            start_tool=lambda reply, call: self.tooling.start(self.sequencer, reply, call),
            adopt=self.asking.adopt,
            changed=lambda state: self.listeners.tell("session.activity", state),
        )
        self.tooling = Tooling(
            self.tools,
            ToolRunner(
                approve=functools.partial(ask_for_approval, contextvars.copy_context(), self.endpoint.secrets),
                prefer_recorded=self.endpoint.is_free,
                secrets=self.endpoint.secrets,
            ),
            declared=lambda: self.conversation.session.get("tools") or [],
            new_reply=self.asking.adopt,
        )
        self.sound = Sound(post=self.post, truncate=self._send_cut, clock=self.clock, hint=self.hint)
        self.capture = Capture(self)
        self.unclaimed = Unclaimed(self.log)
        self.router = Router(self.sequencer, self.listeners, self.sound, unclaimed=self.unclaimed.came)
        _open_cores.add(self)

    # ---- opening and closing

    async def do_connect(self, timeout: float = _CONNECT_S, *, patience: float | None = None) -> None:
        """Open, or join whoever is opening; for as long as that takes, or `patience` seconds."""
        if self.state is SessionState.READY:
            return
        if self.staying.is_away:
            await self.staying.join(timeout if patience is None else patience)
            return
        opening = self._opening
        if opening is None:
            opening = self._opening = asyncio.get_running_loop().create_task(self._open(timeout))
            opening.add_done_callback(self._opened)
        elif patience is None:
            patience = timeout
        self._joined += 1
        try:
            await asyncio.wait({opening}, timeout=patience)
        except asyncio.CancelledError:
            if self._joined == 1:
                opening.cancel()  # an interrupted connect() leaves nothing behind that goes on trying
            raise
        finally:
            self._joined -= 1
        if not opening.done():
            raise WaitTimeout(f"the connection was not open within {patience:g} s; it is still being opened")
        if opening.cancelled():
            raise ConnectionClosed("the session was closed before it was open", code=1000)
        opening.result()

    def _opened(self, task: asyncio.Task[None]) -> None:
        self._opening = None
        if not task.cancelled():
            task.exception()  # those who waited have it; it must not be reported as never retrieved

    async def _open(self, timeout: float) -> None:
        before = self.state
        self.requested.settle()
        self._set_state(SessionState.CONNECTING)
        self.sound.connected()
        if not self.staying.continues:
            self.conversation = Conversation()
        self._appended = 0
        self.line.clear()
        _open_cores.add(self)
        link: Link | None = None
        try:
            transport, self._transport = self._transport, None
            link = await self.open_new_link(timeout, transport)
            await self.staying.put_back(link)
            if link.ending is not None:  # it ended between its last answer and now
                raise link.ending
        except BaseException as exc:
            if link is not None:
                await link.close()
            if isinstance(exc, asyncio.CancelledError):
                self._set_state(before)
                raise
            if told := self.log.last("error", direction="server"):
                self.unclaimed.claim(told)  # whoever called has it
            self.failure = exc if isinstance(exc, RtnbError) else None
            self._set_state(SessionState.FAILED)
            raise
        self.link = link
        self.failure = None
        self.sequencer.opened()
        self.tooling.open()
        self._set_state(SessionState.READY)
        self.staying.watch()
        self.capture.connected()

    async def open_new_link(self, timeout: float, transport: Transport | None = None) -> Link:
        """A new connection, configured as the session is; nothing is told of it yet."""
        endpoint = self.endpoint
        if transport is None:
            endpoint = await asyncio.to_thread(self.endpoint.started)
        link = await open_link(
            endpoint,
            config=self.requested.session,
            timeout=timeout,
            log=self.log,
            conversation=self.conversation,
            origin=self.origin,
            received=self._received,
            closed=self._lost,
            sent=self.router.tell,
            odd=self.hint,
            stranded=self.staying.strand,
            transport=transport,
        )
        self.spoken = link.spoken
        return link

    def close(self) -> None:
        """Close from any thread but the session's own; see `do_close`."""
        if not self.runner.is_current:
            if self.runner.is_running:
                self.runner.call(self.do_close())
            self.stop()
        else:
            raise RtnbError("close() was called on the session's own thread; use await session.aio.close()")

    async def do_close(self) -> None:
        """Close the connection; open replies end. Who comes while it is being closed waits for that."""
        closing = self._closing
        if closing is None or closing.done():
            closing = self._closing = asyncio.get_running_loop().create_task(self._close())
        await asyncio.shield(closing)

    async def _close(self) -> None:
        was_opening = self._opening is not None
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait([self._opening])
        await self.staying.close()
        self.capture.closed()
        self.sound.lost()  # silence first: saying goodbye may take a while
        link, self.link = self.link, None
        self.tooling.close()
        if link is not None:
            await link.close()
        self.spending.lost()
        self.sequencer.lost(ConnectionClosed("the session was closed before the answer was complete", code=1000))
        self.unclaimed.close()
        if was_opening or self.state is not SessionState.IDLE:
            self._set_state(SessionState.CLOSED)

    def abandon(self) -> None:
        """Nobody holds the session any more: close once its open answers are done. On any thread, the collector too."""
        loop = self.runner.loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # it was closed just now
                loop.call_soon_threadsafe(lambda: keep(loop.create_task(self._close_abandoned())))

    async def _close_abandoned(self) -> None:
        for _ in range(round(ANSWER_S / _ABANDONED_S)):
            if not self.is_playing and all(reply.is_done for reply in self.replies):
                break
            await asyncio.sleep(_ABANDONED_S)
        await self.do_close()
        self.listeners.close()
        self.runner.stop()
        _open_cores.discard(self)

    def stop(self) -> None:
        """End the threads; the next call starts new ones."""
        self.listeners.close()
        if not self.runner.is_current:
            self.runner.stop()
        _open_cores.discard(self)

    def _lost(self, error: ConnectionClosed) -> None:
        """Note that the connection ended by itself."""
        link = self.link
        if link is None or link.is_open or self.staying.lost(link, error):
            return  # one that is only being opened: whoever opens it is told
        self.give_up(error, SessionState.CLOSED if error.code in (1000, 1001) else SessionState.FAILED)

    def give_up(self, error: RtnbError, state: SessionState = SessionState.FAILED) -> None:
        """There is no connection, and none will come by itself: what is open ends."""
        self.link = None
        self.failure = error
        self._appended = 0
        self.spending.lost()
        self._set_state(state)
        self.tooling.close()
        self.sound.lost()
        self.sequencer.lost(error)

    def _received(self, entry: Entry, changes: Changes) -> None:
        self.spending.received(entry)
        self.router.received(entry, changes)

    def _set_state(self, state: SessionState) -> None:
        self.state = state
        if state is SessionState.READY:
            self.spending.look()
        self.listeners.tell("session.state", state)

    # ---- for its parts

    def post(self, call: Callable[..., object], *args: object) -> None:
        """Run on the session's loop, from any thread."""
        self.runner.post(call, *args)

    def clock(self) -> float:
        """Seconds of the log, now."""
        return time.perf_counter() - self.origin

    def hint(self, text: str) -> None:
        """Tell the user something worth knowing: to ``on("session.hint")``, or as a warning when nobody listens."""
        if self.listeners.of("session.hint"):
            self.listeners.tell("session.hint", text)
        else:
            logger.warning("%s", text)

    @property
    def is_ready(self) -> bool:
        """Whether the connection is open."""
        return self.state is SessionState.READY

    @property
    def is_opening(self) -> bool:
        """Whether the connection is being opened, for the first time or after a close."""
        return self._opening is not None

    @property
    def is_away(self) -> bool:
        """Whether the connection was lost, and is being opened again."""
        return self.staying.is_away

    @property
    def outage(self) -> RtnbError | None:
        """Why there is no connection, while it is being opened again."""
        return self.failure if self.is_away else None

    @property
    def input_format(self) -> str | None:
        """The format of the user's audio on the wire, or what it will be when it is connected; from any thread."""
        return format_of(self.conversation.session if self.is_ready else self.requested.config, "input")

    # ---- events

    def send(self, event: Any, *, check: bool) -> str:
        """Lint, then send; from any thread."""
        event = dict(checked(event))
        if check:
            for finding in lint(event):
                if finding.severity == "error":
                    raise ProtocolError(str(finding), param=finding.param)
                logger.warning("%s: %s", event["type"], finding)
        if self.asking.is_handing_over and not self.runner.is_current:
            self.runner.call(asyncio.sleep(0))  # what was asked before goes out before
        if not self.staying.is_away:
            self.open_link()
        if event["type"] == "response.create":
            self.spending.check()
        self.cursor.move(len(self.log) - 1)
        event["event_id"] = event_id = event.get("event_id") or new_id("event")
        if event["type"] == "response.create" and not is_apart(event.get("response")):
            self.runner.post(self.sequencer.expect_foreign, event_id)
        self.give(event)
        if event["type"] == "session.update":
            self.requested.sent_by_hand(event_id, event.get("session") or {})
        return event_id

    def open_link(self) -> Link:
        """The connection, or `NotConnected` with what to do."""
        link = self.link
        if link is not None and link.is_open:
            return link
        words = {
            SessionState.IDLE: "the session was never opened: call session.connect(), or session.ask(...)",
            SessionState.CONNECTING: "the session is still connecting: call session.connect(), which waits for it",
            SessionState.RECONNECTING: "the connection is being opened again: session.connect() waits for it",
            SessionState.CLOSED: "the session is closed: session.connect() opens a new one",
        }.get(self.state, "the session is not connected: session.connect() tries again")
        raise NotConnected(f"{words} ({self.failure})" if self.failure else words)

    def _put(self, event: Event) -> None:
        if self.link is not None:
            self.link.put(event)
        elif event["type"] == "input_audio_buffer.clear":
            self.staying.keep(event)

    # ---- the host of replies

    def cancel_reply(self, reply: Reply) -> None:
        """Cancel from any thread."""

        def cancel() -> None:
            self.tooling.cancel(reply)
            self.sequencer.cancel(reply)

        if self.runner.is_current:
            cancel()
        elif not reply.is_done or self.tooling.is_at_work_for(reply):
            self.runner.post(cancel)

    def check_may_block(self) -> None:
        """Raise on the session's own thread."""
        if self.runner.is_current:
            raise RtnbError(
                "waiting for an answer here would stop the session, whose own thread this is (async callbacks and "
                "async tools run there): use await reply"
            )


_open_cores: weakref.WeakSet[Core] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """Say goodbye to servers when the program ends without `close`."""
    for core in list(_open_cores):
        with contextlib.suppress(Exception):
            core.close()
