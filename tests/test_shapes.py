from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtnb.core import protocol
from rtnb.core.protocol import CLIENT_EVENTS, item_create, response_create, session_update, user_message
from rtnb.core.shapes import (
    CLIENT_SHAPES,
    first_violation,
    item_violations,
    secret_violations,
    session_violations,
    violations,
)

PCM = base64.b64encode(b"\0\0" * 100).decode()
PNG = "data:image/png;base64,iVBORw0KGgo="


def only(event):
    found = violations(event)
    assert len(found) == 1, found
    return found[0].code, found[0].message, found[0].param


ACCEPTED = [
    session_update({}),
    session_update({"instructions": None, "tools": [], "tool_choice": "auto", "tracing": None}),
    {"type": "session.update", "session": {"type": "realtime", "tracing": "auto"}},
    session_update({"model": "gpt-realtime-2.1", "max_output_tokens": "inf", "parallel_tool_calls": True}),
    session_update({"truncation": "auto", "include": None, "prompt": None, "reasoning": None}),
    session_update({"truncation": {"type": "retention_ratio", "retention_ratio": 0.8}}),
    session_update({"audio": {"input": {"noise_reduction": None, "transcription": None, "turn_detection": None}}}),
    session_update({"audio": {"input": {"turn_detection": {"type": "server_vad"}}}}),
    session_update({"audio": {"input": {"turn_detection": {"type": "server_vad", "idle_timeout_ms": None}}}}),
    session_update({"audio": {"input": {"turn_detection": {"type": "semantic_vad", "eagerness": "low"}}}}),
    session_update({"audio": {"output": {"voice": {"id": "voice_1"}, "speed": 1}}}),
    session_update(
        {"audio": {"input": {"format": {"type": "audio/pcmu"}}, "output": {"format": {"type": "audio/pcm"}}}}
    ),
    {"type": "session.update", "session": {"type": "transcription", "audio": {"input": {"transcription": None}}}},
    {"type": "input_audio_buffer.append", "audio": PCM, "event_id": "e" * 512},
    {"type": "input_audio_buffer.commit", "event_id": None},
    item_create(user_message("hello")),
    item_create(user_message("hello", id="f" * 32), previous_item_id="root"),
    item_create(user_message([protocol.input_audio(PCM), protocol.input_image(PNG)])),
    item_create(protocol.system_message("be brief")),
    item_create(protocol.assistant_message("hi")),
    item_create(protocol.function_call_output("call_1", "42")),
    item_create({"type": "message", "role": "user", "content": []}),
    {"type": "conversation.item.create", "item": user_message("x"), "previous_item_id": None},
    response_create(),
    {"type": "response.create", "response": {}},
    {"type": "response.create", "response": None},
    response_create(instructions=None, conversation="none", input=[], metadata={"a": "b"}),
    response_create(input=[{"type": "item_reference", "id": "item_1"}, user_message("x")]),
    response_create(tool_choice={"type": "function", "name": "f"}, tools=[{"type": "function", "name": "f"}]),
    response_create(metadata=None, output_modalities=["text"], max_output_tokens=1),
    {"type": "response.cancel"},
    {"type": "response.cancel", "response_id": None},
]


@pytest.mark.parametrize("event", ACCEPTED, ids=lambda event: json.dumps(event)[:60])
def test_what_a_server_must_accept_has_no_breach(event):
    assert violations(event) == []


def test_every_client_event_has_a_shape():
    assert set(CLIENT_SHAPES) == CLIENT_EVENTS


REFUSED = [
    (
        {"type": "nope"},
        "invalid_value",
        "Invalid value: 'nope'. Supported values are: 'session.update', 'input_audio_buffer.append', "
        "'input_audio_buffer.commit', 'input_audio_buffer.clear', 'conversation.item.create', "
        "'conversation.item.truncate', 'conversation.item.delete', 'conversation.item.retrieve', 'response.create', "
        "and 'response.cancel'.",
        "type",
    ),
    (
        {"type": "session.update", "session": {"instructions": "x"}},
        "missing_required_parameter",
        "Missing required parameter: 'session.type'.",
        "session.type",
    ),
    (
        session_update({"voice": "alloy"}),
        "unknown_parameter",
        "Unknown parameter: 'session.voice'.",
        "session.voice",
    ),
    (
        session_update({"tools": [{"type": "function", "name": "a"}, {"type": "function", "name": "b", "meta": {}}]}),
        "unknown_parameter",
        "Unknown parameter: 'session.tools[1].meta'.",
        "session.tools[1].meta",
    ),
    (
        session_update({"audio": {"input": {"format": "pcm16"}}}),
        "invalid_type",
        "Invalid type for 'session.audio.input.format': expected an object, but got a string instead.",
        "session.audio.input.format",
    ),
    (
        session_update({"output_modalities": ["audio", "text"]}),
        "invalid_value",
        "Invalid modalities: ['audio', 'text']. Supported combinations are: ['text'] and ['audio'].",
        "session.output_modalities",
    ),
    (
        session_update({"audio": {"input": {"format": {"type": "audio/pcm", "rate": 16000}}}}),
        "integer_below_min_value",
        "Invalid 'session.audio.input.format.rate': integer below minimum value. "
        "Expected a value >= 24000, but got 16000 instead.",
        "session.audio.input.format.rate",
    ),
    (
        session_update({"audio": {"input": {"turn_detection": {"type": "none"}}}}),
        "invalid_value",
        "Invalid value: 'none'. Supported values are: 'server_vad' and 'semantic_vad'.",
        "session.audio.input.turn_detection.type",
    ),
    (
        session_update({"audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 2}}}}),
        "decimal_above_max_value",
        "Invalid 'session.audio.input.turn_detection.threshold': decimal above maximum value. "
        "Expected a value <= 1, but got 2 instead.",
        "session.audio.input.turn_detection.threshold",
    ),
    (
        session_update({"max_output_tokens": 5000}),
        "integer_above_max_value",
        "Invalid 'session.max_output_tokens': integer above maximum value. "
        "Expected a value <= 4096, but got 5000 instead.",
        "session.max_output_tokens",
    ),
    (
        session_update({"max_output_tokens": "many"}),
        "invalid_value",
        "Invalid value: 'many'. Value must be 'inf'.",
        "session.max_output_tokens",
    ),
    (
        {"type": "conversation.item.truncate", "item_id": "item_1", "content_index": 0, "audio_end_ms": 1.5},
        "invalid_type",
        "Invalid type for 'audio_end_ms': expected an integer, but got a decimal number instead.",
        "audio_end_ms",
    ),
    (
        item_create({"type": "message", "role": "user", "content": [{"type": "text", "text": "x"}]}),
        "invalid_value",
        "Invalid value: 'text'. Supported values are: 'input_text' and 'input_audio'.",
        "item.content[0].type",
    ),
    (
        item_create({"type": "message", "role": "assistant", "content": [{"type": "input_text", "text": "x"}]}),
        "invalid_value",
        "Invalid value: 'input_text'. Value must be 'output_text'.",
        "item.content[0].type",
    ),
    (
        item_create({"type": "message", "role": "assistant", "content": [{"type": "output_audio", "transcript": "x"}]}),
        "missing_required_parameter",
        "Missing required parameter: 'item.content[0].text'.",
        "item.content[0].text",
    ),
    (
        item_create({"type": "message", "role": "user", "content": [{"type": "input_image"}]}),
        "missing_required_parameter",
        "Missing required parameter: 'item.content[0].image_url'.",
        "item.content[0].image_url",
    ),
    (
        item_create({"type": "message", "content": []}),
        "missing_required_parameter",
        "Missing required parameter: 'item.role'.",
        "item.role",
    ),
    (
        item_create(protocol.function_call_output("c" * 40, "x")),
        "string_above_max_length",
        "Invalid 'item.call_id': string too long. "
        "Expected a string with maximum length 32, but got a string with length 40 instead.",
        "item.call_id",
    ),
    (
        item_create({"type": "function_call_output", "call_id": "c", "output": {"a": 1}}),
        "invalid_type",
        "Invalid type for 'item.output': expected a string, but got an object instead.",
        "item.output",
    ),
    (
        {"type": "input_audio_buffer.append", "audio": "not base64!"},
        "invalid_value",
        "Invalid 'audio'. Expected base64-encoded audio bytes (mono PCM16 at 24kHz) but got an invalid value.",
        "audio",
    ),
    (
        response_create(metadata={str(n): "v" for n in range(17)}),
        "object_above_max_properties",
        "Invalid 'response.metadata': too many properties. "
        "Expected an object with at most 16 properties, but got an object with 17 properties instead.",
        "response.metadata",
    ),
    (
        response_create(metadata={"k": "v" * 513}),
        "string_above_max_length",
        "Invalid 'response.metadata.k': string too long. "
        "Expected a string with maximum length 512, but got a string with length 513 instead.",
        "response.metadata.k",
    ),
    (
        response_create(temperature=0.8),
        "unknown_parameter",
        "Unknown parameter: 'response.temperature'.",
        "response.temperature",
    ),
    (
        {"type": "response.cancel", "event_id": "e" * 513},
        "string_above_max_length",
        "Invalid 'event_id': string too long. "
        "Expected a string with maximum length 512, but got a string with length 513 instead.",
        "event_id",
    ),
    ({"event_id": "x"}, "invalid_event", "The 'type' field is missing.", None),
    ([], "invalid_event", "Invalid event: expected an object, but got an array instead.", None),
]


@pytest.mark.parametrize(("event", "code", "message", "param"), REFUSED, ids=lambda value: str(value)[:50])
def test_a_breach_is_told_in_the_words_of_the_service(event, code, message, param):
    assert only(event) == (code, message, param)


def test_what_is_missing_is_told_before_what_is_unknown_and_before_what_is_wrong():
    event = {"type": "conversation.item.truncate", "item_id": 5, "colour": "red"}
    assert [breach.code for breach in violations(event)] == [
        "missing_required_parameter",
        "missing_required_parameter",
        "unknown_parameter",
        "invalid_type",
    ]


def test_append_takes_fifteen_mebibytes_and_no_more():
    largest = base64.b64encode(bytes(protocol.LIMITS.APPEND_BYTES)).decode()
    assert violations({"type": "input_audio_buffer.append", "audio": largest}) == []
    assert only({"type": "input_audio_buffer.append", "audio": largest + "AAAA"})[0] == "string_above_max_length"


def test_a_message_never_grows_with_the_event():
    for event in (
        {"type": "x" * 100_000},
        session_update({"y" * 100_000: 1}),
        session_update({"max_output_tokens": 10**5000}),
        response_create(metadata={"z" * 100_000: "v"}),
    ):
        assert all(len(breach.message) < 1_000 for breach in violations(event))


def test_a_hostile_event_gets_a_bounded_list():
    assert len(violations(session_update({str(n): n for n in range(5_000)}))) == 64


def test_a_message_can_always_be_sent():
    for breach in violations({"type": "\ud800"}):
        breach.message.encode()


def test_the_parts_of_an_event_can_be_asked_for_alone():
    assert session_violations({"type": "realtime"}) == []
    assert session_violations(3)[0].param == "session"
    assert item_violations({"type": "message"}, "input[3]")[0].param == "input[3].role"


def test_a_secret_request_is_held_to_its_limits():
    assert secret_violations({}) == []
    assert secret_violations({"expires_after": {"anchor": "created_at", "seconds": 10}}) == []
    assert secret_violations({"expires_after": {"seconds": 9}})[0].param == "expires_after.seconds"
    assert secret_violations({"session": {}})[0].message == "Missing required parameter: 'session.type'."
    assert secret_violations("x")[0].code == "invalid_type"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def key_names():
    seen = {"type", "session", "response", "item", "audio", "input", "output", "turn_detection", "format", "tools"}
    return st.sampled_from(sorted(seen)) | st.text(max_size=3)


event_like = st.recursive(
    json_values | st.sampled_from(["realtime", "message", "user", "function", "mcp", "server_vad", "audio/pcm"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(key_names(), inner, max_size=5),
    max_leaves=30,
)


@settings(max_examples=300, deadline=None)
@given(json_values | event_like)
def test_no_json_value_makes_it_raise(value):
    for breach in violations(value):
        assert breach.code
        assert breach.message


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(CLIENT_EVENTS)), st.dictionaries(key_names(), event_like, max_size=5))
def test_no_event_of_a_known_type_makes_it_raise(name, fields):
    event = {**fields, "type": name}
    found = violations(event)
    assert first_violation(event) == (found[0] if found else None)
