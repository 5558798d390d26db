"""The user's speech: the input buffer, the speech detector, and transcription; and what the client sent for it.

Imports `rtnb.core.changes`, `items`, `protocol` and `rtnb.core.reducers.state`.
"""

from __future__ import annotations

from typing import Final

from rtnb.core.changes import Change, Changes
from rtnb.core.items import Item
from rtnb.core.protocol import Event
from rtnb.core.reducers.state import Handler, State, at, content_part, unknown, whole

__all__ = ["SENT", "SPEECH"]


def _user_item(state: State, event: Event) -> Item | None:
    """The user's item that an event speaks of; made when it is new: its transcript may come before it."""
    item = state.named(event)
    if item is not None and not item.type:
        item.type, item.role = "message", "user"
        item.bytes_per_ms = state.input.bytes_per_ms
    return item


def _speech_started(state: State, event: Event) -> Changes:
    item = _user_item(state, event)
    if item is not None:
        item.audio_start_ms = whole(event.get("audio_start_ms"))
        state.speech = item
    return (Change("speech_started", item, None, "", event),)


def _speech_stopped(state: State, event: Event) -> Changes:
    item = _user_item(state, event)
    if item is not None:
        item.audio_end_ms = whole(event.get("audio_end_ms"))
    state.speech = None
    return (Change("speech_stopped", item, None, "", event),)


def _timeout(state: State, event: Event) -> Changes:
    item = _user_item(state, event)
    if item is not None:
        item.audio_start_ms = whole(event.get("audio_start_ms"))
        item.audio_end_ms = whole(event.get("audio_end_ms"))
    return (Change("timeout", item, None, "", event),)


def _committed(state: State, event: Event) -> Changes:
    item = _user_item(state, event)
    state.speech = None
    if item is not None:
        previous_id = event.get("previous_item_id")
        item.follows = previous_id if isinstance(previous_id, str) else ""
        part = content_part(item, 0, "input_audio")
        if part is not None and not part.audio_chunks:
            state.input.committed(item, part)
        if state.transcribes and item.transcription == "off":
            item.transcription = "awaiting"
    return (Change("committed", item, None, "", event),)


def _cleared(state: State, event: Event) -> Changes:
    state.input.cleared()
    state.speech = None
    return (Change("cleared", None, None, "", event),)


def _dtmf(state: State, event: Event) -> Changes:
    key = event.get("event")
    return (Change("dtmf", None, None, key if isinstance(key, str) else "", event),)


def _is_known_already(item: Item) -> bool:
    """Whether a new connection transcribes again what a former one had transcribed."""
    return item.restored and item.transcription == "done"


def _transcription_delta(state: State, event: Event) -> Changes:
    item = _user_item(state, event)
    part = content_part(item, event.get("content_index"), "input_audio") if item is not None else None
    if item is None or part is None:
        return unknown(event)
    if _is_known_already(item):
        return ()
    delta = event.get("delta")
    text = delta if isinstance(delta, str) else ""
    if text:
        part.transcript_pieces.pieces.append(text)
    if item.transcription == "off":
        item.transcription = "awaiting"
    return (Change("user_transcript", item, None, text, event),)


def _transcription_completed(state: State, event: Event) -> Changes:
    item = _user_item(state, event)
    part = content_part(item, event.get("content_index"), "input_audio") if item is not None else None
    if item is None or part is None:
        return unknown(event)
    if _is_known_already(item):
        return ()
    full, usage = event.get("transcript"), event.get("usage")
    rest = part.transcript_pieces.settle(full) if isinstance(full, str) else ""
    item.transcription = "done"
    item.transcription_error = None
    if isinstance(usage, dict):
        item.transcription_usage = usage
    return (Change("user_transcript", item, None, rest or "", event),)


def _transcription_failed(state: State, event: Event) -> Changes:
    item = _user_item(state, event)
    if item is None:
        return unknown(event)
    if _is_known_already(item):
        return ()
    error = event.get("error")
    item.transcription = "failed"
    item.transcription_error = error if isinstance(error, dict) else {"message": str(error or "no reason given")}
    return (Change("user_transcript", item, None, "", event),)


def _transcription_segment(state: State, event: Event) -> Changes:
    item = _user_item(state, event)
    if item is None:
        return unknown(event)
    item.segments.append(event)
    text = event.get("text")
    return (Change("segment", item, None, text if isinstance(text, str) else "", event),)


def _sent_append(state: State, event: Event) -> Changes:
    audio = event.get("audio")
    if type(audio) is str:
        state.input.append(audio)
    return ()


def _sent_commit(state: State, event: Event) -> Changes:
    state.input.commit_sent()
    return ()


def _sent_clear(state: State, event: Event) -> Changes:
    state.input.clear_sent()
    return ()


def _sent_item(state: State, event: Event) -> Changes:
    item_id = at(event, "item", "id")
    if isinstance(item_id, str):
        state.sent[item_id] = event
    return ()


SPEECH: Final[dict[str, Handler]] = {
    "input_audio_buffer.speech_started": _speech_started,
    "input_audio_buffer.speech_stopped": _speech_stopped,
    "input_audio_buffer.timeout_triggered": _timeout,
    "input_audio_buffer.committed": _committed,
    "input_audio_buffer.cleared": _cleared,
    "input_audio_buffer.dtmf_event_received": _dtmf,
    "conversation.item.input_audio_transcription.delta": _transcription_delta,
    "conversation.item.input_audio_transcription.completed": _transcription_completed,
    "conversation.item.input_audio_transcription.failed": _transcription_failed,
    "conversation.item.input_audio_transcription.segment": _transcription_segment,
}
"""Server events about the user's speech."""

SENT: Final[dict[str, Handler]] = {
    "input_audio_buffer.append": _sent_append,
    "input_audio_buffer.commit": _sent_commit,
    "input_audio_buffer.clear": _sent_clear,
    "conversation.item.create": _sent_item,
}
"""Client events that bring what the server will not repeat. They change nothing until the server confirms."""
