"""The judges of what the local endpoint sends.

`judge` holds an event against the `openai` package's model of its name. `check_conformance` looks for what published
clients were measured to need, in GA and in the beta: without it they crash, stall or lose words.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, get_args

from openai.types.realtime.realtime_server_event import RealtimeServerEvent
from pydantic import BaseModel

__all__ = ["check_conformance", "judge"]

_MODELS: dict[str, type[BaseModel]] = {
    get_args(model.model_fields["type"].annotation)[0]: model for model in get_args(get_args(RealtimeServerEvent)[0])
}

# The package types `session` of session.created and session.updated as the *request*; the service fills in these too.
_ALLOWED_EXTRA = {
    ("RealtimeSessionCreateRequest", "id"),
    ("RealtimeSessionCreateRequest", "object"),
    ("RealtimeSessionCreateRequest", "expires_at"),
    ("RealtimeTranscriptionSessionCreateRequest", "id"),
    ("RealtimeTranscriptionSessionCreateRequest", "object"),
    ("RealtimeTranscriptionSessionCreateRequest", "expires_at"),
}


def judge(event: Mapping[str, Any]) -> None:
    """Fail unless the event is one of openai's, complete, with no field that the package does not know."""
    check_conformance(event)
    model = _MODELS[event["type"]]
    _no_extras(model.model_validate(event), event["type"])


def _no_extras(value: Any, path: str) -> None:
    if isinstance(value, BaseModel):
        for name in value.model_extra or {}:
            assert (type(value).__name__, name) in _ALLOWED_EXTRA, f"{path}.{name} is unknown to {type(value).__name__}"
        for name in type(value).model_fields:
            _no_extras(getattr(value, name), f"{path}.{name}")
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            _no_extras(entry, f"{path}[{index}]")


# ---- what published clients need -------------------------------------------------------------------------------------

_PART_EVENTS = ("content_part.", "output_text.", "output_audio.", "output_audio_transcript.", "text.", "audio.")
_STATUSES = ("in_progress", "completed", "incomplete")


def check_conformance(event: Mapping[str, Any]) -> None:
    """Fail if a field is missing, or null, on which a published client was seen to stumble; both dialects."""
    name = event["type"]
    assert isinstance(event["event_id"], str)
    assert event["event_id"].startswith("event_")
    if name.startswith("response.") and name not in ("response.created", "response.done"):
        assert isinstance(event["response_id"], str)
        assert isinstance(event["output_index"], int)
    if name.startswith(tuple(f"response.{kind}" for kind in (*_PART_EVENTS, "audio_transcript."))):
        assert isinstance(event["item_id"], str)
        assert event["content_index"] == 0
    if name.startswith("response.function_call_arguments."):
        assert isinstance(event["item_id"], str)
        assert isinstance(event["call_id"], str)
    if name in ("response.output_audio.delta", "response.audio.delta"):
        base64.b64decode(event["delta"], validate=True)
    if "part" in event:
        assert event["part"]["type"] in ("text", "audio")
        assert None not in event["part"].values()
    if "item" in event:
        _check_item(event["item"], name)
        if name.startswith("conversation.item.") and not name.endswith("retrieved"):
            assert "previous_item_id" in event
    if "response" in event:
        _check_response(event["response"], is_new=name == "response.created")
    if name.endswith("input_audio_transcription.completed"):
        assert event["content_index"] == 0 or isinstance(event["content_index"], int)
        _check_numbers({key: value for key, value in event["usage"].items() if key != "type"})
    if name == "rate_limits.updated":
        assert {limit["name"] for limit in event["rate_limits"]} <= {"requests", "tokens"}
    if name in ("input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped"):
        assert isinstance(event["item_id"], str)
    if name == "error":
        assert set(event["error"]) == {"type", "code", "message", "param", "event_id"}


def _check_item(item: Mapping[str, Any], event: str) -> None:
    assert isinstance(item["id"], str)
    assert item.get("status", "completed") in _STATUSES
    if item["type"] == "message":
        assert isinstance(item["role"], str)
        assert isinstance(item["content"], list)
        for part in item["content"]:
            if part["type"] == "input_audio":
                assert "transcript" in part
                assert event.endswith("retrieved") or "audio" not in part
    if item["type"] == "function_call":
        assert all(isinstance(item[key], str) for key in ("name", "call_id", "arguments"))
        if event == "response.output_item.added":
            assert (item["status"], item["arguments"]) == ("in_progress", "")


def _check_response(response: Mapping[str, Any], *, is_new: bool) -> None:
    assert response["id"].startswith("resp_")
    assert "metadata" in response
    assert response["status_details"] is None or isinstance(response["status_details"], dict)
    if is_new:
        assert (response["status"], response["output"], response["usage"]) == ("in_progress", [], None)
    else:
        assert response["status"] in ("completed", "cancelled", "failed", "incomplete")
        for item in response["output"]:
            _check_item(item, "response.done")
        _check_numbers(response["usage"])


def _check_numbers(tree: Mapping[str, Any]) -> None:
    for value in tree.values():
        if isinstance(value, Mapping):
            _check_numbers(value)
        else:
            assert isinstance(value, int | float)
