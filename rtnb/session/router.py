"""From what an event changed to who must know: the sequencer, the replies, and the listeners.

Imports `rtnb.core` and its neighbours in `rtnb.session`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from rtnb.core.changes import Change, Changes
from rtnb.core.conversation import Item
from rtnb.core.errors import ServerError
from rtnb.core.log import Entry
from rtnb.session.listeners import Listeners
from rtnb.session.sequencer import Sequencer
from rtnb.session.sound import Sound
from rtnb.session.telephone import is_telephone

__all__ = ["Router", "Watcher"]

logger = logging.getLogger(__name__)

Watcher: TypeAlias = Callable[[Entry, Changes], None]
"""Hears of each event of either side, with what it changed (nothing, of an event that was sent)."""

_HARMLESS: Final = frozenset({"response_cancel_not_active", "session_expired"})
"""Errors that need no warning: a race was lost (the answer was over when it was to be cancelled), or the connection is
about to end, which is told when it does."""

_UPDATES: Final = {
    "item_added": None,
    "text": "text",
    "transcript": "transcript",
    "audio": "audio",
    "arguments": "arguments",
    "user_transcript": "transcript",
    "item_updated": None,
    "item_done": None,
    "item_truncated": None,
    "item_retrieved": None,
}
"""Changes that are a ``conversation.updated`` of the reference client, and what their delta is called there."""


class Router:
    """Hears every event of the server, on the session's loop.

    Parameters
    ----------
    sequencer
        Told of responses and refusals.
    listeners
        Told of everything they subscribed to.
    sound
        Plays what is said, and falls silent when the user speaks.
    unclaimed
        Told of errors that are no turn's, and that nobody listens to.
    """

    def __init__(
        self, sequencer: Sequencer, listeners: Listeners, sound: Sound, *, unclaimed: Callable[[ServerError], None]
    ) -> None:
        self._sequencer = sequencer
        self._listeners = listeners
        self._sound = sound
        self._unclaimed = unclaimed
        self.detects_turns = False
        """Whether the server says when a turn of the user ends."""
        self._interrupts = False  # the server stops its answer when the user speaks, and so do we
        self._speaker_item: Item | None = None  # what is, or was last, being said
        self.creates_responses = False
        """Whether the server begins responses by itself: voice activity detection with ``create_response``."""
        self._watchers: tuple[Watcher, ...] = ()
        self._handlers: dict[str, Callable[[Change], None]] = {
            "text": self._said,
            "transcript": self._said,
            "response_created": self._created,
            "response_done": self._done,
            "item_added": self._added,
            "session": self._session,
            "committed": self._committed,
            "speech_started": self._speech_started,
            "user_transcript": self._understood,
            "audio": sound.audio,
            "audio_done": sound.audio_done,
            "error": self._error,
        }

    def received(self, entry: Entry, changes: Changes) -> None:
        """Take one event of the server."""
        handlers = self._handlers
        for change in changes:
            handler = handlers.get(change.kind)
            if handler is not None:
                handler(change)
        for watch in self._watchers:
            watch(entry, changes)
        if self._listeners.is_empty:
            return
        self._tell(entry)
        if self._listeners.of("conversation.updated"):
            for change in changes:
                if change.kind in _UPDATES and change.item is not None:
                    name = _UPDATES[change.kind]
                    delta = {name: change.delta} if name and change.delta else None
                    self._listeners.tell("conversation.updated", {"item": change.item, "delta": delta})
        for change in changes:
            if change.kind == "item_added":
                self._listeners.tell("conversation.item.appended", {"item": change.item})
            elif change.kind == "item_done":
                self._listeners.tell("conversation.item.completed", {"item": change.item})

    def watch(self, fn: Watcher) -> None:
        """Call `fn` with each event of either side and what it changed, on the session's loop; from any thread."""
        self._watchers = (*self._watchers, fn)

    def unwatch(self, fn: Watcher) -> None:
        """End a `watch`."""
        self._watchers = tuple(each for each in self._watchers if each != fn)

    def tell(self, entry: Entry) -> None:
        """Take one event that was sent."""
        for watch in self._watchers:
            watch(entry, ())
        self._tell(entry)

    def _tell(self, entry: Entry) -> None:
        listeners = self._listeners
        if entry.direction == "server":
            listeners.tell(entry.name, entry.event)
        if listeners.of("realtime.event"):
            listeners.tell("realtime.event", {"time": entry.time, "source": entry.direction, "event": entry.event})

    # ---- by kind of change

    def _said(self, change: Change) -> None:
        reply = self._sequencer.replies.get(change.response.id) if change.response is not None else None
        if reply is not None and change.delta:
            reply.add_text(change.item.id if change.item is not None else None, change.delta)
        if change.item is not None:
            self._speaker_item = change.item

    def _created(self, change: Change) -> None:
        response = _member(change.event, "response")
        self._sequencer.created(response)
        reply = self._sequencer.replies.get(str(response.get("id") or ""))
        self._sound.response_created(change)
        if reply is not None and change.response is not None:
            if reply.is_done:  # it was called off before it began
                self._sound.mute(change.response.id)
            reply.responses.append(change.response)
            reply.changed()

    def _done(self, change: Change) -> None:
        self._sound.response_done(change)
        response = _member(change.event, "response")
        if str(response.get("id") or "") not in self._sequencer.replies and self._sequencer.is_ours(response):
            self._created(change)  # a server that skips response.created
        self._sequencer.done(response)

    def _added(self, change: Change) -> None:
        if change.item is not None and change.item.type == "function_call_output":
            self._sequencer.output_added(str(change.item.call_id))

    def _session(self, change: Change) -> None:
        audio = _member(_member(change.event, "session"), "audio")
        detection = _member(audio, "input").get("turn_detection")
        self.detects_turns = isinstance(detection, Mapping)
        flags = detection if isinstance(detection, Mapping) else {"create_response": False, "interrupt_response": False}
        self.creates_responses = flags.get("create_response") is not False
        self._interrupts = flags.get("interrupt_response") is not False
        law = _member(_member(audio, "output"), "format").get("type")
        if is_telephone(law):
            self._sound.law = str(law)

    def _committed(self, change: Change) -> None:
        if self.creates_responses:
            self._sequencer.expect_foreign()

    def _speech_started(self, change: Change) -> None:
        if change.item is not None:
            self._sound.speech_began(change.item.id, self._speaker_item.text if self._speaker_item is not None else "")
        if not self._interrupts:
            return
        was_playing = self._sound.silence()
        if was_playing or self._sequencer.active is not None:
            self._listeners.tell("conversation.interrupted", {"item": change.item})

    def _understood(self, change: Change) -> None:
        item = change.item
        if item is not None and item.transcription == "done":
            self._sound.understood(item.id, item.transcript)

    def _error(self, change: Change) -> None:
        event = change.event
        if self._sequencer.refused(event):
            return
        told = ServerError(event)
        if self._sequencer.item_refused(str(told.event_id), told):
            return
        if told.code in _HARMLESS:
            logger.debug("%s", told)
        elif not self._listeners.of("error"):
            self._unclaimed(told)


def _member(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    inner = value.get(name)
    return inner if isinstance(inner, Mapping) else {}
