"""ConversationView: the conversation in the page, one row an item, in its true order.

Driven by what changes: the session's thread notes the items that an event touched, and the feed's thread sends what is
different in their rows since they were sent last (`rtnb.notebook.feed`, `rtnb.notebook.conversation_rows`). Sound stays
in the kernel; a row has the small picture of its waveform, and the sound is fetched when it is to be played.

============  ==========  ==================================================================================
kind          from        what
============  ==========  ==================================================================================
hello         page        shows the conversation now; wants all rows
items         kernel      ``rows``: whole ones (``full``), or what changed in one: members, and in ``add`` what was
                          appended to its text; ``gone``: ids; ``reset``: forget all others; ``is_last`` of several
audio         page        wants the sound of ``id``
sound         kernel      that sound: a file in the buffer, its ``mime``; or ``why`` there is none
delete        page        wants the item ``id`` deleted
told          kernel      ``text`` for the person who looks
============  ==========  ==================================================================================

Imports the core and `rtnb.session`.
"""

from __future__ import annotations

import pathlib
import threading
from collections import deque
from typing import Any, Final

from rtnb.core.audio import Audio
from rtnb.core.changes import Changes
from rtnb.core.conversation import Conversation
from rtnb.core.errors import redact
from rtnb.core.items import Item
from rtnb.core.log import Entry
from rtnb.notebook.conversation_rows import Wave, call_times, is_shown, row_of, shown_before
from rtnb.notebook.events import secrets_of
from rtnb.notebook.feed import View, styles
from rtnb.notebook.modules import joined
from rtnb.session.session import SessionState
from rtnb.session.telephone import pcm_of_item
from rtnb.session.tool_call import ToolCall

__all__ = ["ConversationView"]

_CHUNK: Final = 100  # rows in one message
_WAVE_S: Final = 1.0  # seconds of new sound after which the picture of a growing waveform is sent again
_EXACT_S: Final = 20.0  # longer sound goes to the page as Opus
_REPLIES_SEARCHED: Final = 50

_OVER: Final = (SessionState.CLOSED, SessionState.FAILED)


class ConversationView(View):
    """The conversation of a session, live, or of a recording.

    Parameters
    ----------
    source
        A `rtnb.Session`, which it follows; or a recording, or anything with ``conversation`` and ``events``.

    Examples
    --------
    >>> ConversationView(session)  # doctest: +SKIP
    """

    _esm = joined(pathlib.Path(__file__).with_suffix(".js"))
    _css = styles("views.css", "conversation.css")

    def __init__(self, source: Any) -> None:
        self._source = source
        self._is_live = hasattr(source, "watch")
        self._shown_conversation: Conversation | None = None
        self._touched: deque[Item] = deque()  # since the last batch; filled on the session's thread
        self._sent: dict[str, dict[str, Any]] = {}  # rows as the pages have them
        self._waves: dict[str, Wave] = {}
        self._wave_ms: dict[str, float] = {}  # how much sound each picture shows
        self._calls: dict[str, ToolCall] = {}
        self._times: dict[str, float] | None = None
        super().__init__()
        if self._is_live:
            source.watch(self._note)
            source.on("session.state", self._on_state)

    def __repr__(self) -> str:
        return f"<ConversationView: {self.conversation.count} items>"

    @property
    def conversation(self) -> Conversation:
        """The conversation that it shows."""
        core = getattr(self._source, "_core", None)
        found = core.conversation if core is not None else self._source.conversation
        assert isinstance(found, Conversation)
        return found

    def close(self) -> None:
        """Take the widget away, and follow the session no more."""
        if self._is_live:
            self._source.unwatch(self._note)
            self._source.off("session.state", self._on_state)
        super().close()

    # ---- from other threads

    def _note(self, entry: Entry, changes: Changes) -> None:
        if not self._is_shown:
            return
        for change in changes:
            if change.item is not None:
                self._touched.append(change.item)
            if change.kind == "response_done" and change.response is not None:
                self._touched.extend(change.response.output)
        if self._touched:
            self.news()

    def _on_state(self, state: object) -> None:
        for item in self.conversation.items:
            if item.status == "in_progress" or item.transcription == "awaiting":
                self._touched.append(item)
        self.news()

    # ---- on the feed's thread

    def hello(self) -> None:
        """Send all rows."""
        self._touched.clear()
        self._sent.clear()
        if self.conversation is not self._shown_conversation:
            self._waves.clear()
            self._wave_ms.clear()
            self._calls.clear()
        self._shown_conversation = self.conversation
        items = [item for item in self.conversation.items if is_shown(item)]
        speech = self.conversation.speech
        if speech is not None and not speech.placed:
            items.append(speech)
        rows = []
        for item in items:
            row = self._row(item, is_hello=True)
            self._sent[item.id] = row
            rows.append({**row, "full": True})
        for start in range(0, max(1, len(rows)), _CHUNK):
            is_last = start + _CHUNK >= len(rows)
            self._tell(rows[start : start + _CHUNK], is_last=is_last, reset=start == 0)

    def flush(self) -> None:
        """Send what is different in the rows that were touched."""
        if self.conversation is not self._shown_conversation:  # a new connection
            self.hello()
            return
        touched: dict[str, Item] = {}
        while self._touched:
            item = self._touched.popleft()
            touched[item.id] = item
        rows, gone = [], []
        for item in touched.values():
            if item.deleted:
                self._forget(item)
                if self._sent.pop(item.id, None) is not None:
                    gone.append(item.id)
                continue
            if item.type == "function_call_output" and not is_shown(item):
                call = self.conversation.call(str(item.call_id))
                if self._sent.pop(item.id, None) is not None:
                    gone.append(item.id)
                if call is None:
                    continue
                item = call
            if not item.placed and item is not self.conversation.speech:
                continue  # of a response out of band, or announced only
            if (row := self._difference(item)) is not None:
                rows.append(row)
        if rows or gone:
            self._tell(rows, gone=gone)

    def _forget(self, item: Item) -> None:
        """Drop what was kept of an item that is gone, its sound first of all."""
        self._waves.pop(item.id, None)
        self._wave_ms.pop(item.id, None)
        if item.call_id is not None and item.type == "function_call":
            self._calls.pop(item.call_id, None)

    def heard(self, message: dict[str, Any]) -> None:
        """Answer a page that plays or deletes an item."""
        item = self.conversation.item(str(message.get("id")))
        if message.get("kind") == "audio":
            self._send_sound(str(message.get("id")), item)
        elif message.get("kind") == "delete" and item is not None and self._is_live:
            threading.Thread(target=self._delete, args=(item,), name="rtnb delete", daemon=True).start()

    def _tell(
        self, rows: list[dict[str, Any]], *, gone: list[str] | None = None, is_last: bool = True, reset: bool = False
    ) -> None:
        message = {"kind": "items", "rows": rows, "gone": gone or [], "is_last": is_last, "reset": reset}
        self.send({**message, "can_delete": self._is_live})

    def _row(self, item: Item, *, is_hello: bool = False) -> dict[str, Any]:
        call = self._call_of(item)
        if not self._is_live and self._times is None:
            self._times = call_times(self._source.events)
        conversation = self.conversation
        row = row_of(
            item,
            call=call,
            call_ms=(self._times or {}).get(str(item.call_id)),
            is_speaking=conversation.speech is item,
            is_over=not self._is_live or self._source.state in _OVER,
            secrets=secrets_of(self._source),
        )
        if item.placed:
            row["after"] = shown_before(item)
        else:
            last = conversation.last
            row["after"] = last.id if last is not None and is_shown(last) else last and shown_before(last)
        row["wave"] = self._bars(item, is_hello=is_hello)
        return row

    def _bars(self, item: Item, *, is_hello: bool) -> list[int]:
        if not item.audio_bytes:
            return []
        wave = self._waves.setdefault(item.id, Wave())
        shown_ms = self._wave_ms.get(item.id, 0.0)
        if is_hello or item.done or item.audio_ms - shown_ms >= 1000 * _WAVE_S:
            self._wave_ms[item.id] = item.audio_ms
            if wave.take(item) or is_hello:
                return wave.bars
        before = self._sent.get(item.id)
        return list(before["wave"]) if before is not None else wave.bars

    def _call_of(self, item: Item) -> ToolCall | None:
        if item.type != "function_call" or item.call_id is None:
            return None
        known = self._calls.get(item.call_id)
        if known is None:
            replies = getattr(self._source, "replies", [])[-_REPLIES_SEARCHED:]
            calls = (call for reply in reversed(replies) for call in reply.tool_calls_so_far)
            known = next((call for call in calls if call.call_id == item.call_id), None)
            if known is not None:
                self._calls[item.call_id] = known
        return known

    def _difference(self, item: Item) -> dict[str, Any] | None:
        """What of an item's row the pages do not have yet; None when they have all."""
        row = self._row(item)
        before = self._sent.get(item.id)
        self._sent[item.id] = row
        if before is None:
            return {**row, "full": True}
        changed = {name: value for name, value in row.items() if before.get(name) != value}
        if not changed:
            return None
        old, new = before.get("text"), row.get("text")
        if "text" in changed and old and isinstance(new, str) and new.startswith(old):
            del changed["text"]
            changed["add"] = new[len(old) :]
        return {"id": item.id, **changed}

    def _send_sound(self, item_id: str, item: Item | None) -> None:
        answer = {"kind": "sound", "id": item_id}
        try:
            audio = self._sound(item)
            if audio is None or not len(audio):
                self.send({**answer, "why": "there is no sound of this turn"})
                return
            data, mime = _file(audio)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the person who pressed play must learn it
            self.send({**answer, "why": f"the sound could not be made: {redact(str(exc))}"})
            return
        self.send({**answer, "mime": mime}, buffers=[data])

    def _sound(self, item: Item | None) -> Audio | None:
        if item is None:
            return None
        if not self._is_live and hasattr(self._source, "audio"):
            found = self._source.audio(item)
            return found if isinstance(found, Audio) else None
        pcm = pcm_of_item(item)
        return Audio(pcm[: len(pcm) & ~1])

    def _delete(self, item: Item) -> None:
        """On a thread of its own: the server is waited for."""
        try:
            self._source.delete(item)
            if item.answer is not None and item.answer.placed:
                self._source.delete(item.answer)
        except Exception as exc:  # noqa: BLE001 - it is shown
            text = redact(str(exc), *secrets_of(self._source))
            self.later(lambda: self.send({"kind": "told", "text": f"It was not deleted: {text}"}))


def _file(audio: Audio) -> tuple[bytes, str]:
    """What the page plays: exact, or when it is long a tenth of that."""
    if audio.seconds > _EXACT_S:
        try:
            from rtnb.core.audiofiles import encode_sound

            return encode_sound(audio.pcm, audio.rate, "OGG", "OPUS"), "audio/ogg"
        except ValueError:  # a libsndfile without Opus
            pass
    return audio.to_wav(), "audio/wav"
