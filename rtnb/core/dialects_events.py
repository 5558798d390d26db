"""Names of events, items and response objects in the 2024 beta and in GA, side by side.

Imports `rtnb.core.protocol` and `rtnb.core.dialects_fields`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from rtnb.core.dialects_fields import (
    MARK,
    RESPONSE,
    SERVER_SESSION,
    SERVER_TRANSCRIPTION,
    TEMPERATURE,
    Dropped,
    flatten,
    nest,
)
from rtnb.core.protocol import Event

__all__ = [
    "BETA_EVENTS",
    "NOT_IN_BETA",
    "beta_item",
    "beta_response",
    "beta_session",
    "client_item",
    "ga_item",
    "ga_response",
    "ga_session",
    "with_items",
]

BETA_EVENTS: Final[Mapping[str, str]] = {
    "response.text.delta": "response.output_text.delta",
    "response.text.done": "response.output_text.done",
    "response.audio.delta": "response.output_audio.delta",
    "response.audio.done": "response.output_audio.done",
    "response.audio_transcript.delta": "response.output_audio_transcript.delta",
    "response.audio_transcript.done": "response.output_audio_transcript.done",
    "conversation.item.created": "conversation.item.added",
    "transcription_session.update": "session.update",
    "transcription_session.created": "session.created",
    "transcription_session.updated": "session.updated",
}
"""Beta event -> GA event, where the name is another."""

NOT_IN_BETA: Final[Mapping[str, str]] = {
    "conversation.item.done": "The beta told of an item once, when it was created.",
    "input_audio_buffer.timeout_triggered": "Idle timeouts came after the beta.",
    "input_audio_buffer.dtmf_event_received": "Telephone keys came after the beta.",
    "conversation.item.input_audio_transcription.segment": "Speakers were not told apart in the beta.",
    **dict.fromkeys(
        (
            "mcp_list_tools.in_progress",
            "mcp_list_tools.completed",
            "mcp_list_tools.failed",
            "response.mcp_call_arguments.delta",
            "response.mcp_call_arguments.done",
            "response.mcp_call.in_progress",
            "response.mcp_call.completed",
            "response.mcp_call.failed",
        ),
        "Tools of MCP servers came after the beta.",
    ),
}
"""Server events of GA that a beta client never saw, and why."""

_PARTS: Final = {"text": "output_text", "audio": "output_audio"}
_BETA_PARTS: Final = {ga: beta for beta, ga in _PARTS.items()}
_CLIENT_PARTS: Final = {
    "system": ("input_text",),
    "user": ("input_text", "input_audio"),
    "assistant": ("text", "audio"),
}

# ---- items -----------------------------------------------------------------------------------------------------------


def with_items(holder: Any, translate: Callable[[Any], Any]) -> Any:
    """A list with each item translated; anything else as it is."""
    return [translate(item) for item in holder] if isinstance(holder, list) else holder


def client_item(item: Any) -> Any:
    """A beta client's item as GA: strict, so that what was wrong stays wrong."""
    known = _CLIENT_PARTS.get(_role(item))
    if known is None:
        return item

    def part_type(name: str) -> str:
        return _PARTS.get(name, name) if name in known else MARK + name

    return _with_part_types(item, part_type)


def ga_item(item: Any) -> Any:
    """A beta server's item as GA."""
    if _role(item) != "assistant":
        return item
    return _with_part_types(item, lambda name: _PARTS.get(name, name))


def beta_item(item: Any, dropped: list[Dropped] | None = None, path: str = "item") -> Any:
    """A GA item as a beta one; pictures are left out."""
    role = _role(item)
    if role == "assistant":
        return _with_part_types(item, lambda name: _BETA_PARTS.get(name, name))
    content = item.get("content") if role == "user" else None
    if isinstance(content, list):
        kept = [part for part in content if not (isinstance(part, Mapping) and part.get("type") == "input_image")]
        if len(kept) < len(content):
            if dropped is not None:
                dropped.append(Dropped(f"{path}.content", "The beta took no pictures."))
            return {**item, "content": kept}
    return item


def _role(item: Any) -> str:
    role = item.get("role") if isinstance(item, Mapping) and item.get("type") == "message" else None
    return role if isinstance(role, str) else ""


def _with_part_types(item: Mapping[str, Any], translate: Callable[[str], str]) -> Any:
    content = item.get("content")
    if not isinstance(content, list):
        return item
    return {
        **item,
        "content": [
            {**part, "type": translate(part["type"])}
            if isinstance(part, Mapping) and isinstance(part.get("type"), str)
            else part
            for part in content
        ],
    }


# ---- responses and sessions, as a server tells them ------------------------------------------------------------------


def ga_response(response: Any) -> Any:
    """A beta server's response object as GA."""
    if not isinstance(response, Mapping):
        return response
    nested = nest(response, RESPONSE, strict=False, path="response")
    return {**nested, "output": with_items(nested["output"], ga_item)} if "output" in nested else nested


def beta_response(response: Any, temperature: float = TEMPERATURE) -> Any:
    """A GA server's response object as a beta one. It keeps what the beta did not know by name, `audio` excepted."""
    if not isinstance(response, Mapping):
        return response
    flat = {name: value for name, value in response.items() if name not in ("audio", "output_modalities")}
    settings = flatten(
        {name: response[name] for name in ("audio", "output_modalities") if name in response}, RESPONSE, path="response"
    )
    if "output" in flat:
        flat["output"] = with_items(flat["output"], beta_item)
    return {**flat, **settings, "temperature": temperature}


def ga_session(session: Any, *, transcription: bool) -> Any:
    """A beta server's session object as GA."""
    if not isinstance(session, Mapping):
        return session
    table = SERVER_TRANSCRIPTION if transcription else SERVER_SESSION
    nested: Event = {"type": "transcription" if transcription else "realtime"}
    return {**nested, **nest(session, table, strict=False, path="session")}


def beta_session(session: Any, temperature: float = TEMPERATURE, dropped: list[Dropped] | None = None) -> Any:
    """A GA server's session object as a beta one."""
    if not isinstance(session, Mapping):
        return session
    inner = {name: value for name, value in session.items() if name != "type"}
    if session.get("type") == "transcription":
        return flatten(inner, SERVER_TRANSCRIPTION, path="session", dropped=dropped)
    return {**flatten(inner, SERVER_SESSION, path="session", dropped=dropped), "temperature": temperature}
