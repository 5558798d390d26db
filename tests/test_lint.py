from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtnb.core import protocol
from rtnb.core.dialects import RENAMED
from rtnb.core.dialects_events import BETA_EVENTS
from rtnb.core.lint import Finding, lint
from rtnb.core.protocol import (
    CLIENT_EVENTS,
    SERVER_EVENTS,
    function_call_output,
    item_create,
    response_create,
    session_update,
    user_message,
)
from rtnb.core.shapes import violations


def append(data):
    return {"type": "input_audio_buffer.append", "audio": base64.b64encode(data).decode()}


def message(role, *content):
    return item_create({"type": "message", "role": role, "content": list(content)})


def tool(**fields):
    return session_update({"tools": [{"type": "function", "name": "f", **fields}]})


CLEAN = [
    session_update({"instructions": "hi", "audio": {"input": {"turn_detection": None}, "output": {"voice": "marin"}}}),
    session_update({"model": "gpt-realtime-2.1-mini", "reasoning": {"effort": "low"}}),
    item_create(user_message("hello")),
    item_create(function_call_output("call_1", '{"sum": 10}')),
    item_create(function_call_output("call_1", "plain words")),
    item_create(function_call_output("call_1", "10")),
    response_create(output_modalities=["text"]),
    append(bytes(480)),
    tool(parameters={"type": "object", "properties": {}}),
    {"type": "response.cancel"},
]


@pytest.mark.parametrize("event", CLEAN, ids=lambda event: json.dumps(event)[:60])
def test_what_is_right_is_left_in_peace(event):
    assert lint(event) == []


# event, severity, path, a piece of the message, a piece of the fix
FOUND = [
    # names of the beta
    (
        response_create(modalities=["text", "audio"]),
        "error",
        "response.modalities",
        "`response.modalities` was renamed to `output_modalities`; the old name was valid until May 2026.",
        '"output_modalities": ["audio"]',
    ),
    (
        session_update({"modalities": ["audio"]}),
        "error",
        "session.modalities",
        "renamed to `output_modalities`",
        '"output_modalities": ["audio"]`',
    ),
    (
        session_update({"voice": "ash"}),
        "error",
        "session.voice",
        "renamed to `audio.output.voice`",
        '`"audio": {"output": {"voice": "ash"}}` inside `session`',
    ),
    (
        session_update({"input_audio_format": "g711_ulaw"}),
        "error",
        "session.input_audio_format",
        "renamed to `audio.input.format`",
        '"audio": {"input": {"format": {"type": "audio/pcmu"}}}',
    ),
    (
        session_update({"turn_detection": {"type": "server_vad"}}),
        "error",
        "session.turn_detection",
        "renamed to `audio.input.turn_detection`",
        '"turn_detection": {"type": "server_vad"}',
    ),
    (
        session_update({"max_response_output_tokens": 100}),
        "error",
        "session.max_response_output_tokens",
        "renamed to `max_output_tokens`",
        '"max_output_tokens": 100',
    ),
    (session_update({"temperature": 0.8}), "error", "session.temperature", "was removed", "Leave it out"),
    (response_create(temperature=0.8), "error", "response.temperature", "was removed", "Leave it out"),
    (
        {"type": "transcription_session.update", "session": {}},
        "error",
        "type",
        "was renamed to `session.update`",
        '"type": "transcription"',
    ),
    (
        {"type": "response.text.delta", "delta": "x"},
        "error",
        "type",
        "is an event that the server sends",
        '`session.wait("response.output_text.delta")`',
    ),
    ({"type": "response.done"}, "error", "type", "is an event that the server sends", "Wait for it"),
    ({"type": "conversation.item.created"}, "error", "type", "the server sends", "conversation.item.added"),
    ({"type": "session.input_audio.append"}, "error", "type", "belongs to another API", "input_audio_buffer.append"),
    ({"type": "response.creat"}, "error", "type", "There is no client event", "Did you mean `response.create`?"),
    ({"type": "ping"}, "error", "type", "There is no client event `ping`.", "`session.update`"),
    (
        {"type": "session.update", "session": {}},
        "error",
        "session.type",
        "`session.type` is missing",
        '"type": "realtime"',
    ),
    (
        session_update({"audio": {"input": {"format": "pcm16"}}}),
        "error",
        "session.audio.input.format",
        "An audio format is an object now",
        '{"type": "audio/pcm", "rate": 24000}',
    ),
    # values
    (
        session_update({"output_modalities": ["text", "audio"]}),
        "error",
        "session.output_modalities",
        "either text or audio, never both",
        '`["audio"]` or `["text"]`',
    ),
    (
        session_update({"audio": {"input": {"turn_detection": {"type": "none"}}}}),
        "error",
        "session.audio.input.turn_detection.type",
        "switched off with null",
        '"turn_detection": null',
    ),
    (
        session_update({"audio": {"input": {"turn_detection": "semantic_vad"}}}),
        "error",
        "session.audio.input.turn_detection",
        "is an object",
        '{"type": "semantic_vad"}',
    ),
    (
        session_update({"audio": {"input": {"turn_detection": {"type": "semantic_vad", "threshold": 0.5}}}}),
        "error",
        "session.audio.input.turn_detection.threshold",
        "`semantic_vad` has no threshold",
        "server_vad",
    ),
    (
        session_update({"audio": {"input": {"format": {"type": "audio/pcm", "rate": 16000}}}}),
        "error",
        "session.audio.input.format.rate",
        "24000 samples a second here, not 16000",
        "Resample",
    ),
    (
        session_update({"audio": {"input": {"transcription": {"enabled": True}}}}),
        "error",
        "session.audio.input.transcription.enabled",
        "Transcription has no `enabled`",
        "null",
    ),
    (
        session_update({"max_output_tokens": 10_000}),
        "error",
        "session.max_output_tokens",
        "above maximum",
        "a value of at most 4096",
    ),
    (session_update({"id": "sess_1"}), "error", "session.id", "set by the server", "Leave it out"),
    (session_update({"colour": "red"}), "error", "session.colour", "Unknown parameter", "Leave `session.colour` out"),
    (
        session_update({"audio": {"output": {"voice": "af_heart"}}}),
        "warning",
        "session.audio.output.voice",
        "Invalid value: 'af_heart'",
        "'alloy'",
    ),
    # items
    (
        message("user", {"type": "text", "text": "x"}),
        "error",
        "item.content[0].type",
        '`"text"` is no content for the role `user`',
        '"type": "input_text"',
    ),
    (
        message("assistant", {"type": "text", "text": "x"}),
        "error",
        "item.content[0].type",
        "An assistant's words are `output_text`",
        '"type": "output_text"',
    ),
    (
        message("assistant", {"type": "output_audio", "transcript": "x"}),
        "error",
        "item.content[0].text",
        "speech cannot be given back",
        "Send the transcript",
    ),
    (
        item_create({"type": "message", "role": "user", "content": "hello"}),
        "error",
        "item.content",
        "a list of parts",
        '[{"type": "input_text", "text": ...}]',
    ),
    (
        message("user", protocol.input_image("https://example.org/cat.png")),
        "error",
        "item.content[0].image_url",
        "sent inside the event",
        "data:image/png;base64",
    ),
    (
        item_create(function_call_output("c" * 33, "x")),
        "error",
        "item.call_id",
        "at most 32 characters",
        "shorten",
    ),
    (item_create(user_message("x", id="i" * 36)), "error", "item.id", "a UUID with dashes has 36", "dashes"),
    (
        item_create({"type": "function_call_output", "call_id": "c", "output": {"a": 1}}),
        "error",
        "item.output",
        "one string",
        "json.dumps",
    ),
    (
        item_create(function_call_output("c", json.dumps(json.dumps({"a": 1})))),
        "warning",
        "item.output",
        "encoded twice",
        "Encode it once",
    ),
    (
        item_create({"type": "function_call", "name": "f", "call_id": "c", "arguments": "not json"}),
        "warning",
        "item.arguments",
        "not a JSON object",
        "json.dumps",
    ),
    (
        item_create({"type": "function_call_output", "call_id": "c", "output": "x", "role": "tool"}),
        "error",
        "item.role",
        "Only messages have a role",
        "Leave `role` out",
    ),
    # tools
    (tool(strict=True), "error", "session.tools[0].strict", "know no `strict`", "Leave `strict` out"),
    (
        session_update({"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]}),
        "error",
        "session.tools[0].function",
        "the form of the chat API",
        "Move them up",
    ),
    (
        session_update({"tool_choice": {"type": "function", "function": {"name": "f"}}}),
        "error",
        "session.tool_choice.function",
        "the form of the chat API",
        '{"type": "function", "name": ...}',
    ),
    (
        session_update({"tools": [{"type": "function", "name": "get weather"}]}),
        "error",
        "session.tools[0].name",
        "letters, digits, `_` and `-`.",
        "get_weather",
    ),
    (
        tool(parameters={"properties": {"a": {"type": "number"}}}),
        "warning",
        "session.tools[0].parameters",
        "a JSON schema of an object",
        '"type": "object"',
    ),
    (tool(parameters="{}"), "error", "session.tools[0].parameters", "an object", '"type": "object"'),
    # audio
    (append(b"RIFF\x24\x08\x00\x00WAVEfmt "), "error", "audio", "begins like a WAV file", "Send samples only"),
    (append(b"OggS" + bytes(100)), "error", "audio", "an Ogg file", "from_file"),
    (
        message("user", {"type": "input_audio", "audio": base64.b64encode(b"RIFF" + bytes(40)).decode()}),
        "error",
        "item.content[0].audio",
        "begins like a WAV file",
        "Send samples only",
    ),
    (append(bytes(481)), "warning", "audio", "an odd number of bytes", "the next piece"),
    ({"type": "input_audio_buffer.append", "audio": b"\0\0"}, "error", "audio", "raw bytes", "b64encode"),
    ({"type": "input_audio_buffer.append", "audio": ""}, "error", "audio", "no audio in this event", "Send no event"),
    (
        {"type": "input_audio_buffer.append", "audio": "data:audio/wav;base64,AAAA"},
        "error",
        "audio",
        "not a `data:` address",
        "comma",
    ),
    ({"type": "input_audio_buffer.append", "audio": "_-A="}, "error", "audio", "URL-safe", "`base64.b64encode`"),
    ({"type": "input_audio_buffer.append", "audio": "AAA"}, "error", "audio", "not valid base64", "b64encode"),
    (
        {"type": "conversation.item.truncate", "item_id": "i", "content_index": 0, "audio_end_ms": 12.5},
        "error",
        "audio_end_ms",
        "whole numbers",
        "int(",
    ),
    # more of the beta
    (
        session_update({"turn_detection": {"type": "none"}}),
        "error",
        "session.turn_detection",
        "was renamed to `audio.input.turn_detection`",
        '`"audio": {"input": {"turn_detection": null}}` inside `session`',
    ),
    (
        message("assistant", {"type": "text", "text": "hi"}),
        "error",
        "item.content[0].type",
        "was renamed to `output_text`; the old name was valid until May 2026.",
        '"type": "output_text"',
    ),
    (
        message("assistant", {"type": "audio", "transcript": "hi"}),
        "error",
        "item.content[0].type",
        "was renamed to `output_audio`",
        "the words only",
    ),
    # what belongs elsewhere
    (
        response_create(turn_detection=None),
        "error",
        "response.turn_detection",
        "a setting of the session, not of one response",
        "`session.update` before",
    ),
    (
        response_create(audio={"output": {"speed": 1.2}}),
        "error",
        "response.audio.output.speed",
        "a setting of the session",
        "`session.update` before",
    ),
    (
        response_create(audio={"input": {}}),
        "error",
        "response.audio.input",
        "hears nothing by itself",
        "session.update",
    ),
    (session_update({"metadata": {}}), "error", "session.metadata", "of one response", "`response.create`"),
    # what a model does not do
    (
        session_update({"model": "gpt-realtime-2025-08-28", "reasoning": {"effort": "low"}}),
        "warning",
        "session.reasoning",
        "does not reason",
        "gpt-realtime-2",
    ),
    (
        session_update(
            {
                "audio": {
                    "input": {
                        "transcription": {"model": "gpt-realtime-whisper"},
                        "turn_detection": {"type": "server_vad"},
                    }
                }
            }
        ),
        "warning",
        "session.audio.input.turn_detection",
        "without turn detection only",
        "null",
    ),
    (
        session_update({"audio": {"input": {"transcription": {"model": "gpt-realtime-whisper", "prompt": "x"}}}}),
        "warning",
        "session.audio.input.transcription.prompt",
        "takes no prompt",
        "Leave it out",
    ),
    ({"type": "output_audio_buffer.clear"}, "warning", "type", "WebRTC", "response.cancel"),
    (response_create(metadata={"n": 1}), "error", "response.metadata.n", "are strings", "str(value)"),
    # no event at all
    ({}, "error", None, "has no `type`", '"type"'),
    (None, "error", None, "not nothing", '{"type": "...", ...}'),
    ("response.create", "error", None, "not a `str`", '{"type": "...", ...}'),
    ({"type": "conversation.item.delete"}, "error", "item_id", "Missing required parameter", "Add `item_id`"),
]


@pytest.mark.parametrize(("event", "severity", "param", "said", "fix"), FOUND, ids=lambda value: str(value)[:50])
def test_one_mistake_is_one_finding_with_its_fix(event, severity, param, said, fix):
    [finding] = lint(event)
    assert (finding.severity, finding.param) == (severity, param)
    assert said in finding.message
    assert fix in finding.fix


def test_a_whole_session_of_the_beta_is_explained_field_by_field():
    session = {"modalities": ["text", "audio"], "voice": "alloy", "temperature": 0.8, "turn_detection": None}
    findings = lint({"type": "session.update", "session": session})
    assert [finding.param for finding in findings] == ["session.type", *(f"session.{name}" for name in session)]
    assert {finding.severity for finding in findings} == {"error"}


def test_errors_come_before_warnings():
    event = tool(strict=True, parameters={})
    assert [finding.severity for finding in lint(event)] == ["error", "warning"]


def test_a_finding_reads_as_two_sentences():
    assert str(Finding("error", "This is wrong.", "Do that.")) == "This is wrong. Do that."


@pytest.mark.parametrize("name", sorted(SERVER_EVENTS | set(BETA_EVENTS) - {"transcription_session.update"}))
def test_a_server_event_is_never_taken_for_a_client_event(name):
    [finding] = lint({"type": name})
    assert finding.param == "type"
    assert "the server sends" in finding.message


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "role", "content", "tools", "audio", "input", "model", "voice", "parameters"])
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@settings(max_examples=300, deadline=None)
@given(
    json_values
    | st.builds(
        lambda name, fields: {**fields, "type": name},
        st.sampled_from(sorted(CLIENT_EVENTS | set(RENAMED))) | json_values,
        st.dictionaries(st.sampled_from(["session", "response", "item", "audio", "item_id"]), json_values, max_size=3),
    )
)
def test_nothing_makes_it_raise_and_no_breach_goes_unfound(event):
    findings = lint(event)
    assert all(finding.message and finding.fix for finding in findings)
    assert bool(violations(event)) <= bool(findings)
    for finding in findings:
        assert "beta:" not in finding.fix


def test_it_survives_what_is_not_json():
    loop: dict = {}
    loop["self"] = loop
    for value in (object(), loop, {("a", "b"): 1}, {1, 2}):
        assert lint(session_update({"voice": value, "audio": value, "tools": value}))
