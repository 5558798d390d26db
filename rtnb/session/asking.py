"""From a question to a turn of the sequencer: the reply is made at once, a connection opened where there is none.

Replies are answered in the order in which they were asked for, also those asked before the connection was ready.

Imports `rtnb.core` and its neighbours in `rtnb.session`.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import TYPE_CHECKING, Any

from rtnb.core.errors import ConnectionClosed, RtnbError, redact
from rtnb.core.protocol import item_create, new_id, user_message
from rtnb.session.calls import refuse_errors
from rtnb.session.content import content_parts
from rtnb.session.reply import ANSWER_S, Reply
from rtnb.session.runner import keep
from rtnb.session.sequencer import Turn
from rtnb.session.settings import response_object

if TYPE_CHECKING:
    from rtnb.session.core import Core

__all__ = ["Asking"]


class Asking:
    """The questions of a session on their way to its sequencer."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._early: deque[Turn] = deque()  # asked before the connection was ready
        self._handed_over: set[int] = set()  # asked on another thread, and not yet seen by the session's own

    @property
    def is_waiting_to_open(self) -> bool:
        """Whether questions wait for the connection."""
        return bool(self._early)

    @property
    def is_handing_over(self) -> bool:
        """Whether the session's own thread has yet to see a question; from any thread."""
        return bool(self._handed_over)

    def ask(self, content: Any, options: dict[str, Any], timeout: float, *, interrupt: bool = False) -> Reply:
        """Make the reply and hand the turn over; `content` None asks about the conversation as it stands.

        From any thread.
        """
        core = self._core
        settings, own = core.tooling.for_one_answer(response_object(options))
        core.spending.check()
        items = (
            []
            if content is None
            else [item_create(user_message(content_parts(content, core.input_format), id=new_id("item")))]
        )
        for event in items:
            event["event_id"] = new_id("event")
        turn = Turn(self._new_reply(timeout), items=items, settings=settings)
        turn.reply.tools = own
        if core.endpoint.kind != "url":  # other servers may take more than the service does
            refuse_errors({"type": "response.create", "response": settings})
        core.cursor.move(len(core.log) - 1)
        turn.reply.started_at = len(core.log)
        core.asked_at[turn.event_id] = core.clock()
        core.replies.append(turn.reply)
        if core.runner.is_current:
            if interrupt:
                core.interrupt()
            if not core.staying.keep(turn):
                self.begin(turn)
        else:
            if interrupt:
                core.runner.post(core.interrupt)
            if not core.staying.keep(turn):
                self._handed_over.add(id(turn))
                core.runner.post(self.begin, turn)
        return turn.reply

    def adopt(self) -> Reply:
        """A reply that nobody asked for by `ask`: to detected speech, to a raw event, or with a late tool result."""
        reply = self._new_reply()
        reply.started_at = max(len(self._core.log) - 1, 0)
        self._core.replies.append(reply)
        return reply

    def _new_reply(self, timeout: float = ANSWER_S) -> Reply:
        return Reply(self._core, number=len(self._core.replies) + 1, timeout=timeout)

    # ---- on the session's loop

    def begin(self, turn: Turn) -> None:
        """Give a turn to the sequencer, at once or when the connection is open."""
        core = self._core
        self._handed_over.discard(id(turn))
        if (core.is_ready or core.staying.is_away) and not self._early:
            core.sequencer.submit(turn)
            return
        self._early.append(turn)
        if len(self._early) == 1:
            keep(asyncio.get_running_loop().create_task(self._begin_early()))

    async def _begin_early(self) -> None:
        """Connect, then hand over what was asked meanwhile, in its order."""
        core = self._core
        error: RtnbError | None = None
        try:
            await core.do_connect(patience=math.inf)  # the opening has its own limit, of whoever began it
        except RtnbError as exc:
            error = exc
        except asyncio.CancelledError:
            error = ConnectionClosed("the session was closed before it was open", code=1000)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the reader of the reply must learn it
            error = RtnbError(f"{type(exc).__name__}: {redact(str(exc), *core.endpoint.secrets)}")
        while self._early:
            turn = self._early.popleft()
            if error is not None:
                turn.reply.finish("failed", error)
            elif not turn.reply.is_done:
                core.sequencer.submit(turn)
