"""Whether a client event is acceptable: its shape, and its sense in the present state.

Shapes are the business of `rtnb.core.shapes`; this module turns its first violation into the one error that an event
gets, and judges what only the state can tell. Nothing here changes anything: an event is judged whole, then done whole.

May import `rtnb.core` and its neighbours in `rtnb.local`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from rtnb.core.protocol import CLIENT_EVENTS, LIMITS, Event
from rtnb.core.shapes import first_violation
from rtnb.local import problems
from rtnb.local.problems import Problem
from rtnb.local.session_state import SessionKind, SessionState
from rtnb.local.store import Conversation

__all__ = ["decode_audio", "judge_item", "judge_shape", "judge_truncate", "judge_voice"]

# `output_audio_buffer.clear` is for WebRTC and SIP only: there the server owns the loudspeaker.
_REALTIME: Final = frozenset(CLIENT_EVENTS - {"output_audio_buffer.clear"})
_TRANSCRIPTION: Final = frozenset(name for name in _REALTIME if not name.startswith("response."))


def judge_shape(event: object, kind: SessionKind) -> Problem | None:
    """Judge an event without any state but the kind of the session.

    Parameters
    ----------
    event
        What came, parsed.
    kind
        A transcription session takes no ``response`` events.
    """
    found = first_violation(event)
    if found is not None:
        return Problem(found.code, found.message, found.param)
    name = event["type"] if isinstance(event, Mapping) else None
    accepted = _REALTIME if kind == "realtime" else _TRANSCRIPTION
    return None if name in accepted else problems.unknown_type(name, accepted)


def decode_audio(data: str) -> bytes | Problem:
    """The bytes of an append; a problem when it is no base64, or too much."""
    if len(data) // 4 * 3 > LIMITS.APPEND_BYTES + 3:
        return problems.invalid_value("Invalid 'audio'. One event may hold at most 15 MiB of audio.", "audio")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return problems.invalid_value(
            "Invalid 'audio'. Expected base64-encoded audio bytes, but got an invalid value.", "audio"
        )


def judge_item(item: Event, previous: str | None, conversation: Conversation) -> Problem | None:
    """Judge a ``conversation.item.create`` against the conversation."""
    item_id = item.get("id")
    if item_id and item_id in conversation:
        return problems.duplicate_item(item_id)
    if previous and previous != "root" and previous not in conversation:
        return problems.unknown_previous_item(previous)
    if item.get("type") == "function_call_output" and not conversation.has_call(item.get("call_id") or ""):
        return problems.unknown_tool_call(str(item.get("call_id")))
    return judge_parts(item, "item")


def judge_parts(item: Mapping[str, Any], path: str) -> Problem | None:
    """Judge the audio of an item's parts: it must be base64."""
    for index, part in enumerate(item.get("content") or ()):
        if part.get("type") == "input_audio" and part.get("audio"):
            audio = decode_audio(part["audio"])
            if isinstance(audio, Problem):
                return Problem(audio.code, audio.message, f"{path}.content[{index}].audio")
    return None


def judge_truncate(event: Mapping[str, Any], conversation: Conversation) -> Problem | None:
    """Judge a ``conversation.item.truncate`` against the item's audio."""
    stored = conversation.get(event["item_id"])
    if stored is None:
        return problems.unknown_item("truncate", event["item_id"])
    track = stored.tracks.get(event["content_index"])
    if stored.item.get("role") != "assistant" or not stored.tracks:
        return problems.truncate_not_audio()
    if track is None:
        return problems.invalid_value(
            f"The item '{stored.id}' has no audio at content index {event['content_index']}.", "content_index"
        )
    if event["audio_end_ms"] > track.ms:
        return problems.already_truncated_shorter(track.ms, event["audio_end_ms"])
    return None


def judge_voice(response: Mapping[str, Any], session: SessionState) -> Problem | None:
    """Judge the voice of a ``response.create``: it is locked once the assistant has spoken."""
    voice = ((response.get("audio") or {}).get("output") or {}).get("voice")
    if voice is not None and session.voice_is_locked and voice != session.voice_setting:
        return problems.voice_locked()
    return None
