"""`Reply`: one answer of the model, its tool rounds included, live while it comes.

A reply is filled on the session's thread and read from any other. Reading what is not known yet waits for it, under
the reply's time-out, and open to Ctrl-C.

Imports `rtnb.core` and its neighbours in `rtnb.session`.
"""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias

from rtnb.core.errors import ResponseFailed, RtnbError, WaitTimeout, redact
from rtnb.core.services import is_provided, service
from rtnb.session.bell import Bell
from rtnb.session.reply_html import html_of, plain_of
from rtnb.session.reply_outcome import outcome_of
from rtnb.session.tool_call import ToolCall

if TYPE_CHECKING:
    from rtnb.core.audio import Audio
    from rtnb.core.charges import UsageReport
    from rtnb.core.conversation import Item, Response
    from rtnb.core.latency import Latency
    from rtnb.core.log import EventLog
    from rtnb.core.tools import Tool
    from rtnb.core.usage import Cost

logger = logging.getLogger(__name__)

__all__ = ["ANSWER_S", "Host", "Reply", "Status"]

ANSWER_S: Final = 120.0
"""How long reading an answer waits for its end unless told otherwise, in seconds."""

Status: TypeAlias = Literal["in_progress", "completed", "cancelled", "incomplete", "failed"]


class Host(Protocol):
    """What a reply needs of its session."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Keys in use, which nothing that is shown may hold."""
        ...

    def cancel_reply(self, reply: Reply) -> None:
        """Cancel its response, or take it out of the queue."""
        ...

    def check_may_block(self) -> None:
        """Raise on the session's own thread, where waiting would wait for ever."""
        ...

    @property
    def outage(self) -> RtnbError | None:
        """Why there is no connection, while it is being opened again."""
        ...

    def reply_events(self, reply: Reply) -> EventLog:
        """All events that belong to it, both directions."""
        ...

    def reply_usage(self, reply: Reply) -> UsageReport:
        """What its responses used."""
        ...

    def reply_cost(self, reply: Reply) -> Cost:
        """What its responses cost."""
        ...

    def reply_latency(self, reply: Reply) -> Latency:
        """The distances between its events."""
        ...

    def wait_heard(self, reply: Reply, seconds: float | None, timeout: float) -> float:
        """Wait until so much of it was heard."""
        ...


class Reply:
    """One answer, tool rounds included; made by ``session.ask(...)``, never by hand.

    Awaitable (``await reply``), iterable (``for piece in reply`` gives the text as it comes), and shown live in a cell.
    """

    def __init__(self, host: Host, *, number: int = 0, timeout: float = ANSWER_S) -> None:
        self._host = host
        self._timeout = timeout
        self._bell = Bell()  # rings with each piece, and at the end
        self._is_done = False
        self._lock = threading.Lock()  # over the list of watchers
        self._pieces: list[str] = []  # text or transcript, as it came
        self._spoken_item: str | None = None  # the item of the last piece
        self._status: Status = "in_progress"
        self._error: RtnbError | None = None
        self._watchers: list[Callable[[Reply], None]] = []
        self.context = contextvars.copy_context()
        """Of the code that asked: what its tools show and print appears under the same cell."""
        self.number = number
        """Counts the answers of a session, from 1."""
        self.started_at = 0
        """Index in the session's log where it was asked."""
        self.sent_events: set[str] = set()
        """Ids of the client events that were sent for it."""
        self.sent_items: set[str] = set()
        """Ids of the items that were sent for it: the question, and outputs of tools."""
        self.tools: Mapping[str, Tool] = {}
        """The tools that were given for this answer, by name; its calls look here before they look in the session."""
        self.responses: list[Response] = []
        """Its responses: one, and one more for each tool round."""
        self.tool_calls_so_far: list[ToolCall] = []
        """Its tool calls as far as they are known, without waiting; `tool_calls` waits for the end."""
        self.notes: list[str] = []
        """What a person should know about this answer, in words."""

    # ---- what a user reads

    @property
    def status(self) -> Status:
        """How it stands, without waiting."""
        return self._status

    @property
    def is_done(self) -> bool:
        """Whether nothing more will come, without waiting."""
        return self._is_done

    @property
    def text_so_far(self) -> str:
        """What has come of the text or transcript, without waiting."""
        return "".join(self._pieces)

    @property
    def error(self) -> RtnbError | None:
        """Why it failed, or was cut by the loss of the connection; None when it was not (yet)."""
        return self._error

    @property
    def text(self) -> str:
        """The whole text, or the transcript of what was spoken; several messages are parted by a line break.

        Raises
        ------
        ResponseFailed
            When the answer failed. What had come is in `text_so_far`.
        WaitTimeout
            When it is not complete within the reply's time-out.
        """
        self._settled()
        return self.text_so_far

    @property
    def items(self) -> list[Item]:
        """The items that the model made for this answer: messages and calls."""
        self.wait()
        return [item for response in self.responses for item in response.output]

    @property
    def audio(self) -> Audio:
        """Everything that was spoken, as one `rtnb.Audio` (24 kHz); empty for a text answer."""
        from rtnb.core.audio import Audio
        from rtnb.session.telephone import pcm_of_item

        self._settled()
        return Audio(b"".join(pcm_of_item(item) for item in self.items))

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The tool calls: name, arguments, output or error, milliseconds."""
        self.wait()
        return self.tool_calls_so_far

    @property
    def usage(self) -> UsageReport:
        """Tokens of all its responses; list-like these."""
        self.wait()
        return self._host.reply_usage(self)

    @property
    def cost(self) -> Cost:
        """What its responses cost in USD by the price table, line by line; ``nan`` when a price is not known."""
        self.wait()
        return self._host.reply_cost(self)

    @property
    def latency(self) -> Latency:
        """How long it took until what, in milliseconds."""
        self.wait()
        return self._host.reply_latency(self)

    @property
    def events(self) -> EventLog:
        """The events that belong to it so far, both directions, without waiting."""
        return self._host.reply_events(self)

    def wait(self, timeout: float | None = None) -> Reply:
        """Wait until it is complete, whatever its outcome; gives itself back.

        Parameters
        ----------
        timeout
            Seconds; the reply's own (`ask(timeout=...)`) when not given.

        Raises
        ------
        WaitTimeout
            The answer goes on; wait again, or `cancel`.
        """
        if not self.is_done:
            self._host.check_may_block()
        limit = self._timeout if timeout is None else timeout
        if not self._bell.wait_until(lambda: self._is_done, limit):
            raise self._late(limit)
        return self

    def wait_heard(self, seconds: float | None = None, timeout: float | None = None) -> float:
        """Wait until so much of it was heard through the session's loudspeaker; gives the seconds that were.

        Parameters
        ----------
        seconds
            Return as soon as so much was heard; not before the loudspeaker is through with it when not given. An
            answer that is shorter, or is interrupted, ends the wait too.
        timeout
            Seconds to wait at most; the reply's own when not given.

        Raises
        ------
        RtnbError
            No loudspeaker is attached; see `Session.attach`.
        WaitTimeout
            It was not heard in time.
        """
        self._host.check_may_block()
        return self._host.wait_heard(self, seconds, self._timeout if timeout is None else timeout)

    def cancel(self) -> None:
        """Stop it: what has come stays, its status becomes ``cancelled``. No error when it is already done.

        Its tools are given up too, also one that works on in the background after the answer.
        """
        self._host.cancel_reply(self)

    def __await__(self) -> Generator[Any, None, Reply]:
        """Await the end; raises like `text`."""
        return self._awaited().__await__()

    def __iter__(self) -> Iterator[str]:
        """Give the text piece by piece as it comes; raises at the end when the answer failed."""
        place = 0
        while True:
            piece = self._next_piece(place)
            if piece is None:
                break
            place += 1
            yield piece
        self._settled()

    async def __aiter__(self) -> AsyncIterator[str]:
        """Give the text piece by piece, without blocking the caller's loop."""
        place = 0
        while True:
            if not await self._bell.until(partial(self._has_come, place), self._timeout):
                raise self._late(self._timeout)
            if place >= len(self._pieces):
                break
            place += 1
            yield self._pieces[place - 1]
        self._settled()

    def __repr__(self) -> str:
        calls = f", {len(self.tool_calls_so_far)} tool calls" if self.tool_calls_so_far else ""
        text = redact(self.text_so_far, *self._host.secrets)
        short = text if len(text) <= 60 else text[:57] + "..."
        return f"<Reply {self._status}{calls}: {short!r}>"

    def _ipython_display_(self) -> None:
        """Stream into a notebook's cell; a terminal waits for the end and prints the text."""
        if is_provided("reply.show"):
            service("reply.show")(self)
        else:
            raise NotImplementedError

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        html = service("reply.html")(self) if is_provided("reply.html") else self.as_html()
        return {"text/plain": self.as_plain(), "text/html": html}

    def as_plain(self) -> str:
        """What a terminal shows: the text so far, calls and outcome."""
        return plain_of(self, outcome_of(self), self._host.secrets)

    def as_html(self) -> str:
        """What a notebook shows: the same, without scripts."""
        return html_of(self, outcome_of(self), self._host.secrets)

    def watch(self, fn: Callable[[Reply], None]) -> None:
        """Call `fn` (on the session's thread, so briefly) at each change, and once at once."""
        with self._lock:
            self._watchers.append(fn)
        fn(self)

    def unwatch(self, fn: Callable[[Reply], None]) -> None:
        """End a `watch`."""
        with self._lock:
            self._watchers = [each for each in self._watchers if each is not fn]

    # ---- what the session writes, on its own thread

    def add_text(self, item_id: str | None, delta: str) -> None:
        """Take a piece of text or transcript; a new item begins on a new line."""
        if self._spoken_item not in (None, item_id) and self._pieces:
            delta = "\n" + delta
        self._spoken_item = item_id
        self._pieces.append(delta)
        self._bell.ring()
        self.changed()

    def finish(self, status: Status, error: RtnbError | None = None) -> None:
        """Close it, once; later calls change nothing."""
        if self._is_done:
            return
        self._status = status
        self._error = error
        self._is_done = True
        self._bell.ring()
        self.changed()

    def changed(self) -> None:
        """Tell the watchers."""
        for fn in self._watchers:
            try:
                fn(self)
            except Exception:  # a view that fails must not stop the session
                logger.exception("a watcher of a reply failed")

    # ---- inside

    def _next_piece(self, place: int) -> str | None:
        if not self.is_done:
            self._host.check_may_block()
        if not self._bell.wait_until(partial(self._has_come, place), self._timeout):
            raise self._late(self._timeout)
        return self._pieces[place] if place < len(self._pieces) else None

    def _has_come(self, place: int) -> bool:
        """Whether the piece at this place is there, or never will be."""
        return place < len(self._pieces) or self._is_done

    async def _awaited(self) -> Reply:
        if not await self._bell.until(lambda: self._is_done, self._timeout):
            raise self._late(self._timeout)
        return self._settled()

    def _settled(self) -> Reply:
        self.wait()
        if self._status == "failed":
            raise self._error or ResponseFailed(outcome_of(self))
        return self

    def _late(self, limit: float) -> WaitTimeout:
        outage = self._host.outage
        return WaitTimeout(
            f"the answer was not complete after {limit:g} s ({len(self.text_so_far)} characters had come)"
            + (f", since {outage}" if outage is not None else "")
            + "; wait again with reply.wait(), stop it with reply.cancel(), or give ask(timeout=...) more time"
        )
