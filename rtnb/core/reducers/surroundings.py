"""The session around the conversation: its settings, limits and errors.

Imports `rtnb.core.changes`, `protocol` and its neighbours in `rtnb.core.reducers`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rtnb.core.changes import Change, Changes, Kind
from rtnb.core.protocol import Event
from rtnb.core.reducers.connection import new_connection
from rtnb.core.reducers.state import Handler, State, at, bytes_per_ms, unknown

__all__ = ["SURROUNDINGS"]


def _session(state: State, event: Event) -> Changes:
    session = event.get("session")
    if not isinstance(session, dict):
        return unknown(event)
    changes: Changes = ()
    if event["type"] == "session.created" and state.session:
        changes = new_connection(state, event)
    state.session = session
    state.input.bytes_per_ms = bytes_per_ms(session, "input", state.input.bytes_per_ms)
    state.output_bytes_per_ms = bytes_per_ms(session, "output", state.output_bytes_per_ms)
    state.transcribes = bool(at(session, "audio", "input", "transcription"))
    return (*changes, Change("session", None, None, "", event))


def _conversation(state: State, event: Event) -> Changes:
    conversation_id = at(event, "conversation", "id")
    if isinstance(conversation_id, str):
        state.id = conversation_id
    return (Change("conversation", None, None, "", event),)


def _rate_limits(state: State, event: Event) -> Changes:
    limits = event.get("rate_limits")
    if not isinstance(limits, list):
        return unknown(event)
    state.rate_limits = [limit for limit in limits if isinstance(limit, dict)]
    return (Change("rate_limits", None, None, "", event),)


def _error(state: State, event: Event) -> Changes:
    if at(event, "error", "code") == "input_audio_buffer_commit_empty":
        state.input.commit_refused()
    message = at(event, "error", "message")
    return (Change("error", None, None, message if isinstance(message, str) else "", event),)


def _output_buffer(state: State, event: Event) -> Changes:
    response = state.response_of(event.get("response_id"))
    return (Change(_OUTPUT_BUFFER[event["type"]], None, response, "", event),)


_OUTPUT_BUFFER: Final[Mapping[str, Kind]] = {
    "output_audio_buffer.started": "output_started",
    "output_audio_buffer.stopped": "output_stopped",
    "output_audio_buffer.cleared": "output_cleared",
}

SURROUNDINGS: Final[dict[str, Handler]] = {
    "session.created": _session,
    "session.updated": _session,
    "conversation.created": _conversation,
    "rate_limits.updated": _rate_limits,
    "error": _error,
    **dict.fromkeys(_OUTPUT_BUFFER, _output_buffer),
}
"""Server events about the session."""
