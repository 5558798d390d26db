"""The calls of a session that change the conversation or the audio buffer and wait for the server's word.

Imports `rtnb.core` and its neighbours in `rtnb.session`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from rtnb.core.conversation import Conversation, Item
from rtnb.core.errors import ConnectionClosed, NotConnected, ProtocolError, WaitTimeout
from rtnb.core.lint import lint
from rtnb.core.log import Entry, EventLog
from rtnb.core.protocol import (
    BYTES_PER_MS,
    LIMITS,
    Event,
    assistant_message,
    item_create,
    new_id,
    system_message,
    user_message,
)
from rtnb.session.content import content_parts, pcm_of
from rtnb.session.cursor import Cursor
from rtnb.session.deadline import countdown
from rtnb.session.link import Link, carries
from rtnb.session.router import Router
from rtnb.session.telephone import Line

if TYPE_CHECKING:
    from rtnb.session.asking import Asking
    from rtnb.session.reconnect import Staying
    from rtnb.session.unclaimed import Unclaimed

__all__ = ["Calls", "refuse_errors"]

_PIECE_BYTES: Final = 96_000
"""Two seconds of PCM16: a long clip goes in pieces, at the pace of the line (`rtnb.net.window`)."""

_ITEM_S: Final = 2.0  # so soon after "committed" the item is told of, where a server tells of items at all


class Calls:
    """A part of `rtnb.session.core.Core`; runs on the session's loop, but for `append_audio`."""

    conversation: Conversation
    log: EventLog
    router: Router
    asking: Asking
    cursor: Cursor
    line: Line
    link: Link | None
    staying: Staying
    unclaimed: Unclaimed
    _appended: int  # bytes of 24 kHz PCM16 in the input buffer that were not committed yet

    @property
    def input_format(self) -> str | None:
        """The format of the user's audio on the wire."""
        raise NotImplementedError

    @property
    def is_opening(self) -> bool:
        """Whether the connection is being opened."""
        raise NotImplementedError

    async def do_connect(self, *, patience: float | None = None) -> None:
        """Open, or join whoever is opening, for `patience` seconds."""
        raise NotImplementedError

    def hint(self, text: str) -> None:
        """Tell the user something worth knowing."""
        raise NotImplementedError

    def open_link(self) -> Link:
        """The connection; raises `rtnb.NotConnected`."""
        raise NotImplementedError

    # ---- over this connection, or the next one

    def give(self, event: Event) -> None:
        """Send an event, or keep it while the connection is opened again; from any thread."""
        if self.staying.keep(event):
            return
        try:
            self.open_link().put(event)
        except NotConnected:
            if not self.staying.keep(event):  # lost just now
                raise

    async def ready_link(self, timeout: float) -> Link:
        """The connection; waits while it is being opened again."""
        if self.staying.is_away:
            await self.staying.join(timeout)
        return self.open_link()

    async def request(
        self, event: Event, name: str, *, where: Callable[[Event], bool] | None = None, timeout: float
    ) -> Entry:
        """Send an event and wait for its answer; when the connection is lost meanwhile, once more in the next one."""
        left = countdown(timeout)
        while True:
            link = await self.ready_link(left())
            try:
                return await link.request(event, name, where=where, timeout=left())
            except ConnectionClosed:
                if not self.staying.is_away:
                    raise

    async def await_event(
        self, pattern: str, *, where: Callable[[Event], bool] | None = None, after: int, timeout: float
    ) -> Entry:
        """Wait for an event of the server, also over the loss of a connection."""
        left = countdown(timeout)
        while True:
            link = await self.ready_link(left())
            try:
                return await link.wait(pattern, where=where, after=after, timeout=left())
            except ConnectionClosed:
                if not self.staying.is_away:
                    raise

    async def do_wait(
        self,
        pattern: str,
        where: Callable[[Event], bool] | None,
        timeout: float,
        *,
        after: int | Entry | Event | None = None,
    ) -> Event:
        """Wait for an event; see `rtnb.Session.wait`."""
        start = self.cursor.place if after is None else self._place(after)
        left = countdown(timeout)
        if self.link is None and (self.is_opening or self.asking.is_waiting_to_open):
            await self.do_connect(patience=timeout)  # something was asked just now
        entry = self.log.find(pattern, direction="server", where=where, after=start)
        if entry is None:
            entry = await self.await_event(pattern, where=where, after=start, timeout=left())
        self.cursor.move(entry.index)
        self.unclaimed.claim(entry)
        return entry.event

    def _place(self, after: int | Entry | Event) -> int:
        if isinstance(after, int):
            return after
        if isinstance(after, Entry):
            return after.index
        for entry in reversed(self.log):
            if entry.event is after or (entry.event.get("event_id") == after.get("event_id", object())):
                return entry.index
        raise ProtocolError("after= is an event that is not in this session's log")

    # ---- the audio buffer

    def append_audio(self, sound: Any) -> None:
        """Append sound; from any thread."""
        data = pcm_of(sound)
        if not self.staying.is_away:
            self.open_link()
        step = _PIECE_BYTES
        for start in range(0, len(data), step):
            self._append(self.line.push(data[start : start + step]))
        self._appended += len(data)

    def _append(self, data: bytes) -> None:
        if data:
            self.give({"type": "input_audio_buffer.append", "audio": base64.b64encode(data).decode("ascii")})

    async def do_commit(self, timeout: float) -> Item:
        """Commit the buffer."""
        left = countdown(timeout)
        await self.ready_link(left())
        if not self.router.creates_responses and self._appended < LIMITS.MIN_COMMIT_MS * BYTES_PER_MS:
            raise ProtocolError(
                f"only {self._appended / BYTES_PER_MS:.0f} ms of audio were appended since the last commit; the "
                f"service takes turns of {LIMITS.MIN_COMMIT_MS} ms and more. Record a little longer."
            )
        self._appended = 0
        self._append(self.line.flush())
        self.cursor.move(len(self.log) - 1)
        entry = await self.request(
            {"type": "input_audio_buffer.commit"}, "input_audio_buffer.committed", timeout=left()
        )
        item_id = entry.event.get("item_id")
        while True:
            try:
                await self.await_event(
                    "conversation.item.*",
                    where=carries(item_id),
                    after=entry.index,
                    timeout=min(left(), _ITEM_S),
                )
            except WaitTimeout:
                if self.staying.is_away:
                    await self.ready_link(left())
                    continue
                self.hint("the server took what was said, but does not tell of the item that it became")
            return self._item(str(item_id))

    async def do_clear_audio(self, timeout: float) -> None:
        """Clear the buffer."""
        self._appended = 0
        self.line.clear()
        await self.request({"type": "input_audio_buffer.clear"}, "input_audio_buffer.cleared", timeout=timeout)

    # ---- the conversation

    async def do_insert(
        self,
        content: Any,
        *,
        role: Literal["user", "assistant", "system"],
        after: str | Item | None,
        timeout: float,
    ) -> Item:
        """Create an item and wait until it is there."""
        await self.ready_link(timeout)
        item = _message(content, role, self.input_format)
        item.setdefault("id", new_id("item"))
        event = item_create(item, previous_item_id=_id_of(after) if after is not None else None)
        refuse_errors(event)
        await self.request(
            event,
            "conversation.item.*",  # added, or created where an old server says so
            where=carries(item["id"]),
            timeout=timeout,
        )
        return self._item(item["id"])

    async def do_delete(self, item: str | Item, timeout: float) -> None:
        """Delete an item and wait until it is gone."""
        await self._about({"type": "conversation.item.delete", "item_id": _id_of(item)}, "deleted", timeout)

    async def do_truncate(self, item: str | Item, audio_end_ms: int, timeout: float) -> None:
        """Cut an item's audio, never past its end: the service refuses that."""
        known = self.conversation.item(_id_of(item))
        end = int(min(audio_end_ms, known.audio_ms)) if known is not None else int(audio_end_ms)
        event = {
            "type": "conversation.item.truncate",
            "item_id": _id_of(item),
            "content_index": 0,
            "audio_end_ms": max(end, 0),
        }
        await self._about(event, "truncated", timeout)

    async def _about(self, event: Event, answer: str, timeout: float) -> None:
        await self.request(
            event,
            f"conversation.item.{answer}",
            where=lambda each: each.get("item_id") == event["item_id"],
            timeout=timeout,
        )

    def _item(self, item_id: str) -> Item:
        item = self.conversation.item(item_id)
        assert item is not None, "the server confirmed an item that is not known"
        return item


def refuse_errors(event: Event) -> None:
    """Raise `ProtocolError` for the first thing for which the service would refuse the event."""
    for finding in lint(event):
        if finding.severity == "error":
            raise ProtocolError(str(finding), param=finding.param)


def _id_of(item: str | Item) -> str:
    return item.id if isinstance(item, Item) else item


def _message(content: Any, role: str, input_format: str | None) -> dict[str, Any]:
    if isinstance(content, Mapping) and "type" in content and ("role" in content or content["type"] != "message"):
        return dict(content)
    if role == "user":
        return user_message(content_parts(content, input_format))
    if not isinstance(content, str):
        raise ProtocolError(f"a message of the {role} is text; the service takes nothing else")
    if role == "assistant":
        return assistant_message(content)
    if role == "system":
        return system_message(content)
    raise ProtocolError(f"role is 'user', 'assistant' or 'system', not {role!r}")
