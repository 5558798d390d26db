"""What can be wrong with a client event, in the codes and texts of the real service.

Shapes are judged by `rtnb.core.shapes` (wrong types, unknown fields, ranges); here live the refusals that need to know
the state of the session: unknown items, a second response, a locked voice. Texts follow those that the service is
known to send, because clients compare them.

May import `rtnb.core.protocol`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rtnb.core.protocol import LIMITS, Event

__all__ = [
    "Problem",
    "active_response",
    "already_truncated_shorter",
    "buffer_too_small",
    "duplicate_item",
    "error_event",
    "invalid_event",
    "invalid_json",
    "invalid_value",
    "nothing_to_cancel",
    "session_expired",
    "truncate_not_audio",
    "unknown_item",
    "unknown_previous_item",
    "unknown_tool_call",
    "unknown_type",
    "unsupported_parameter",
    "voice_locked",
]


@dataclass(frozen=True)
class Problem:
    """One refusal: the fields of ``error`` in an ``error`` event.

    Attributes
    ----------
    code
        The code of the service; None where it sends null.
    message
        The sentence for people.
    param
        Dotted path of the field at fault.
    type
        ``"invalid_request_error"`` for what the client did, ``"server_error"`` for what went wrong here.
    """

    code: str | None
    message: str
    param: str | None = None
    type: str = "invalid_request_error"


def error_event(problem: Problem, client_event_id: str | None = None) -> Event:
    """The ``error`` event for a problem, still without its own ``event_id``.

    Parameters
    ----------
    problem
        What is wrong.
    client_event_id
        The ``event_id`` of the client's event, if it had one.
    """
    return {
        "type": "error",
        "error": {
            "type": problem.type,
            "code": problem.code,
            "message": problem.message,
            "param": problem.param,
            "event_id": client_event_id,
        },
    }


def invalid_json(detail: str) -> Problem:
    """A frame that is not JSON."""
    return Problem(
        "invalid_json", f"We could not parse the JSON of your event: {detail}. Send one JSON object a frame."
    )


def invalid_event(message: str, param: str | None = None) -> Problem:
    """A frame that is no event: binary, a list, without a ``type``."""
    return Problem("invalid_event", message, param)


def invalid_value(message: str, param: str | None) -> Problem:
    """A value outside of what is accepted."""
    return Problem("invalid_value", message, param)


def unknown_type(got: Any, accepted: Iterable[str]) -> Problem:
    """An event type that this session does not take."""
    names = ", ".join(f"'{name}'" for name in sorted(accepted))
    return invalid_value(f"Invalid value: '{got}'. Supported values are: {names}.", "type")


def unsupported_parameter(param: str, why: str) -> Problem:
    """A known parameter that the model or session kind does not have."""
    return Problem("unsupported_parameter", f"Unsupported parameter: '{param}' {why}.", param)


def voice_locked() -> Problem:
    """The voice is fixed once the assistant has spoken; the whole update is refused."""
    return Problem("cannot_update_voice", "Cannot update a conversation's voice if assistant audio is present.")


def buffer_too_small(milliseconds: float) -> Problem:
    """A commit of less than 100 ms."""
    return Problem(
        "input_audio_buffer_commit_empty",
        "Error committing input audio buffer: buffer too small. Expected at least "
        f"{LIMITS.MIN_COMMIT_MS}ms of audio, but buffer only has {milliseconds:.2f}ms of audio.",
    )


def unknown_item(verb: str, item_id: str) -> Problem:
    """An item id that the conversation does not have; `verb` is ``truncate``, ``retrieve`` or ``delete``."""
    doing = {"truncate": "truncating", "retrieve": "retrieving", "delete": "deleting"}[verb]
    return Problem(
        f"item_{verb}_invalid_item_id",
        f"Error {doing} item: the item with id '{item_id}' does not exist.",
        "item_id",
    )


def duplicate_item(item_id: str) -> Problem:
    """A client-chosen id that is taken."""
    return Problem(
        "item_create_duplicate_item_id", f"Error adding item: an item with id '{item_id}' already exists.", "item.id"
    )


def unknown_previous_item(item_id: str) -> Problem:
    """A ``previous_item_id`` that the conversation does not have."""
    return Problem(
        "item_create_invalid_previous_item_id",
        f"Error adding item: the previous item with id '{item_id}' does not exist.",
        "previous_item_id",
    )


def unknown_tool_call(call_id: str) -> Problem:
    """A ``function_call_output`` for a call that the conversation does not have."""
    return Problem("invalid_tool_call_id", f"Tool call ID '{call_id}' not found in conversation.", "item.call_id")


def truncate_not_audio() -> Problem:
    """A truncation of something that has no assistant audio; the service sends neither code nor param."""
    return Problem(None, "Only model output audio messages can be truncated")


def already_truncated_shorter(have_ms: int, asked_ms: int) -> Problem:
    """A truncation past the end of the audio."""
    return invalid_value(f"Audio content of {have_ms}ms is already shorter than {asked_ms}ms", "audio_end_ms")


def active_response(response_id: str) -> Problem:
    """A second response in the default conversation."""
    return Problem(
        "conversation_already_has_active_response",
        f"Conversation already has an active response in progress: {response_id}. "
        "Wait until the response is finished before creating a new one.",
    )


def nothing_to_cancel() -> Problem:
    """A ``response.cancel`` with nothing to cancel; harmless."""
    return Problem("response_cancel_not_active", "Cancellation failed: no active response found")


def session_expired(limit_s: float) -> Problem:
    """The session's time limit was reached."""
    minutes = limit_s / 60
    span = f"{minutes:g} minutes" if minutes >= 1 else f"{limit_s:g} seconds"
    return Problem("session_expired", f"Your session hit the maximum duration of {span}.")
