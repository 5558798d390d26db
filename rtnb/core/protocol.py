"""The words of the Realtime protocol: event names, limits, ids, and builders of client events.

An event is a plain ``dict`` on the wire and stays one, so nothing that a server said is lost. Names are those of
the generally available (GA) protocol of November 2026; the dialect of the 2024 beta lives in `rtnb.core.dialects`,
the shapes of the fields in `rtnb.core.shapes`.

Imports nothing of rtnb.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

__all__ = [
    "BYTES_PER_MS",
    "CLIENT_EVENTS",
    "DEFAULT_MODEL",
    "LIMITS",
    "RATE",
    "SERVER_EVENTS",
    "VOICES",
    "Direction",
    "Event",
    "assistant_message",
    "function_call_output",
    "input_audio",
    "input_image",
    "input_text",
    "item_create",
    "new_id",
    "response_create",
    "session_update",
    "system_message",
    "user_message",
]

Event: TypeAlias = dict[str, Any]
"""One event of the protocol, as it stands on the wire."""

Direction: TypeAlias = Literal["client", "server"]
"""Who sent an event."""

RATE: Final = 24_000
"""Samples a second of ``audio/pcm``: 16-bit signed little-endian mono, the only rate the service takes."""

BYTES_PER_MS: Final = 48
"""Bytes of ``audio/pcm`` in a millisecond: 24 samples of two bytes."""

DEFAULT_MODEL: Final = "gpt-realtime-2.1-mini"
"""The cheapest current speech-to-speech model."""

VOICES: Final = ("alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar")
"""Built-in voices of the service; a custom voice is given as ``{"id": ...}``."""


class LIMITS:
    """Limits of the service, with their unit in the name. Source: API reference and guides, as of 2026-11."""

    SESSION_S: Final = 60 * 60
    APPEND_BYTES: Final = 15 * 1024 * 1024
    MIN_COMMIT_MS: Final = 100
    EVENT_ID_CHARS: Final = 512
    CALL_ID_CHARS: Final = 32
    ITEM_ID_CHARS: Final = 32
    TEXT_CHARS: Final = 256_000
    METADATA_PAIRS: Final = 16
    METADATA_KEY_CHARS: Final = 64
    METADATA_VALUE_CHARS: Final = 512
    MAX_OUTPUT_TOKENS: Final = 4096
    SECRET_TTL_S: Final = (10, 7200)
    IDLE_TIMEOUT_MS: Final = (5_000, 30_000)
    SPEED: Final = (0.25, 1.5)


CLIENT_EVENTS: Final = frozenset(
    {
        "session.update",
        "input_audio_buffer.append",
        "input_audio_buffer.commit",
        "input_audio_buffer.clear",
        "conversation.item.create",
        "conversation.item.retrieve",
        "conversation.item.truncate",
        "conversation.item.delete",
        "response.create",
        "response.cancel",
        "output_audio_buffer.clear",
    }
)
"""Every client event of a realtime session (``output_audio_buffer.clear``: WebRTC and SIP only)."""

SERVER_EVENTS: Final = frozenset(
    {
        "session.created",
        "session.updated",
        "error",
        "conversation.created",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.created",
        "conversation.item.retrieved",
        "conversation.item.truncated",
        "conversation.item.deleted",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.segment",
        "conversation.item.input_audio_transcription.completed",
        "conversation.item.input_audio_transcription.failed",
        "input_audio_buffer.committed",
        "input_audio_buffer.cleared",
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.timeout_triggered",
        "input_audio_buffer.dtmf_event_received",
        "output_audio_buffer.started",
        "output_audio_buffer.stopped",
        "output_audio_buffer.cleared",
        "response.created",
        "response.done",
        "response.output_item.added",
        "response.output_item.done",
        "response.content_part.added",
        "response.content_part.done",
        "response.output_text.delta",
        "response.output_text.done",
        "response.output_audio_transcript.delta",
        "response.output_audio_transcript.done",
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.mcp_call_arguments.delta",
        "response.mcp_call_arguments.done",
        "response.mcp_call.in_progress",
        "response.mcp_call.completed",
        "response.mcp_call.failed",
        "mcp_list_tools.in_progress",
        "mcp_list_tools.completed",
        "mcp_list_tools.failed",
        "rate_limits.updated",
    }
)
"""Every server event of the GA schema; ``conversation.item.created`` is the beta's name that the schema kept."""

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def new_id(prefix: Literal["event", "item", "resp", "call", "sess", "conv"]) -> str:
    """A fresh id in the service's form, at most 32 characters: ``item_`` and 21 letters and digits.

    Parameters
    ----------
    prefix
        What the id names.
    """
    return f"{prefix}_" + "".join(secrets.choice(_ALPHABET) for _ in range(21))


def input_text(text: str) -> Event:
    """A content part with text of a user or of the system."""
    return {"type": "input_text", "text": text}


def input_audio(audio: str) -> Event:
    """A content part with a user's speech: base64 of audio in the session's input format."""
    return {"type": "input_audio", "audio": audio}


def input_image(image_url: str, *, detail: Literal["auto", "low", "high"] = "auto") -> Event:
    """A content part with a picture: a ``data:`` URI of a PNG or JPEG (the service takes no other address)."""
    return {"type": "input_image", "image_url": image_url, "detail": detail}


def user_message(content: str | Sequence[Mapping[str, Any]], *, id: str | None = None) -> Event:
    """A user's message item, from a text or from content parts."""
    parts = [input_text(content)] if isinstance(content, str) else [dict(part) for part in content]
    return _with_id({"type": "message", "role": "user", "content": parts}, id)


def system_message(text: str, *, id: str | None = None) -> Event:
    """A system message item: instructions in the course of a conversation."""
    return _with_id({"type": "message", "role": "system", "content": [input_text(text)]}, id)


def assistant_message(text: str, *, id: str | None = None) -> Event:
    """An assistant's message item, to restore a history. Text only: the service takes no assistant audio."""
    return _with_id({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}, id)


def function_call_output(call_id: str, output: str, *, id: str | None = None) -> Event:
    """The result of a tool call: `output` is one plain string (encode JSON once, not twice)."""
    return _with_id({"type": "function_call_output", "call_id": call_id, "output": output}, id)


def item_create(item: Mapping[str, Any], *, previous_item_id: str | None = None) -> Event:
    """``conversation.item.create``: at the end, after `previous_item_id`, or in front with ``"root"``."""
    event: Event = {"type": "conversation.item.create", "item": dict(item)}
    if previous_item_id is not None:
        event["previous_item_id"] = previous_item_id
    return event


def response_create(**response: Any) -> Event:
    """``response.create``; without settings the session's own hold."""
    return {"type": "response.create", "response": response} if response else {"type": "response.create"}


def session_update(session: Mapping[str, Any]) -> Event:
    """``session.update``; ``type`` is required by the service in every one and is added when missing."""
    return {"type": "session.update", "session": {"type": "realtime", **session}}


def _with_id(item: Event, id: str | None) -> Event:
    return item if id is None else {"id": id, **item}
