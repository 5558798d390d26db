from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtnb.core.dialects import (
    RENAMED,
    BetaToGaServer,
    Dropped,
    GaToBetaServer,
    beta_message,
    beta_param,
    beta_to_ga_client,
    beta_to_ga_secret_request,
    ga_param,
    ga_to_beta_client,
    ga_to_beta_secret,
)
from rtnb.core.dialects_names import RENAMED_FIELDS
from rtnb.core.protocol import (
    CLIENT_EVENTS,
    SERVER_EVENTS,
    VOICES,
    assistant_message,
    function_call_output,
    item_create,
    response_create,
    session_update,
    user_message,
)
from rtnb.core.shapes import secret_violations, violations

# The session of the 2024 reference client, as it sends it after each change.
REFERENCE_SESSION = {
    "modalities": ["text", "audio"],
    "instructions": "",
    "voice": "verse",
    "input_audio_format": "pcm16",
    "output_audio_format": "pcm16",
    "input_audio_transcription": None,
    "turn_detection": None,
    "tools": [],
    "tool_choice": "auto",
    "temperature": 0.8,
    "max_response_output_tokens": 4096,
}


def test_the_flat_session_becomes_the_nested_one():
    assert beta_to_ga_client({"event_id": "evt_1", "type": "session.update", "session": REFERENCE_SESSION}) == {
        "event_id": "evt_1",
        "type": "session.update",
        "session": {
            "type": "realtime",
            "output_modalities": ["audio"],
            "instructions": "",
            "audio": {
                "output": {"voice": "verse", "format": {"type": "audio/pcm", "rate": 24000}},
                "input": {
                    "format": {"type": "audio/pcm", "rate": 24000},
                    "transcription": None,
                    "turn_detection": None,
                },
            },
            "tools": [],
            "tool_choice": "auto",
            "max_output_tokens": 4096,
        },
    }


def test_the_nested_session_becomes_the_flat_one_and_says_what_is_lost():
    dropped: list[Dropped] = []
    event = session_update(
        {
            "output_modalities": ["audio"],
            "reasoning": {"effort": "low"},
            "audio": {
                "input": {"format": {"type": "audio/pcmu"}, "transcription": {"model": "whisper-1", "keywords": ["a"]}},
                "output": {"voice": "marin", "speed": 1.2},
            },
            "tools": [{"type": "function", "name": "f"}, {"type": "mcp", "server_label": "s"}],
        }
    )
    assert ga_to_beta_client(event, dropped)["session"] == {
        "modalities": ["text", "audio"],
        "input_audio_format": "g711_ulaw",
        "input_audio_transcription": {"model": "whisper-1"},
        "voice": "marin",
        "speed": 1.2,
        "tools": [{"type": "function", "name": "f"}],
    }
    assert [entry.param for entry in dropped] == [
        "session.reasoning",
        "session.audio.input.transcription.keywords",
        "session.tools",
    ]
    assert all(entry.reason for entry in dropped)


def test_temperature_has_no_place_in_ga_and_that_is_said():
    dropped: list[Dropped] = []
    event = {"type": "response.create", "response": {"temperature": 0.7, "modalities": ["text"]}}
    assert beta_to_ga_client(event, dropped)["response"] == {"output_modalities": ["text"]}
    assert dropped == [Dropped("response.temperature", "GA has no temperature.")]


def test_both_names_of_the_token_limit_of_a_response_are_taken():
    for name in ("max_output_tokens", "max_response_output_tokens"):
        event = beta_to_ga_client({"type": "response.create", "response": {name: 10}})
        assert event["response"] == {"max_output_tokens": 10}


def test_a_transcription_session_has_one_event_name_less():
    beta = {
        "type": "transcription_session.update",
        "session": {"input_audio_format": "pcm16", "input_audio_transcription": {"model": "whisper-1"}},
    }
    ga = beta_to_ga_client(beta)
    assert ga["type"] == "session.update"
    assert ga["session"]["type"] == "transcription"
    assert violations(ga) == []
    assert ga_to_beta_client(ga) == beta


def test_the_nested_form_of_a_chosen_function_is_taken():
    nested = {"type": "session.update", "session": {"tool_choice": {"type": "function", "function": {"name": "f"}}}}
    assert beta_to_ga_client(nested)["session"]["tool_choice"] == {"type": "function", "name": "f"}


def test_assistant_text_is_named_anew_in_items_and_in_input():
    beta = {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "hi"}]}
    assert beta_to_ga_client({"type": "conversation.item.create", "item": beta})["item"] == assistant_message("hi")
    event = {"type": "response.create", "response": {"input": [beta, {"type": "item_reference", "id": "i"}]}}
    ga = beta_to_ga_client(event)
    assert ga["response"]["input"] == [assistant_message("hi"), {"type": "item_reference", "id": "i"}]
    assert violations(ga) == []
    assert ga_to_beta_client(ga) == event


def test_pictures_are_left_out_for_a_beta_server_and_that_is_said():
    dropped: list[Dropped] = []
    picture = {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}
    event = item_create(user_message([{"type": "input_text", "text": "look"}, picture]))
    assert ga_to_beta_client(event, dropped)["item"]["content"] == [{"type": "input_text", "text": "look"}]
    assert dropped == [Dropped("item.content", "The beta took no pictures.")]


WRONG = [
    # what a beta client sends, the beta's path, a piece of the sentence
    ({"voice": 5}, "session.voice", "Invalid type for 'session.voice'"),
    ({"foo": 1}, "session.foo", "Unknown parameter: 'session.foo'."),
    ({"type": "realtime"}, "session.type", "Unknown parameter: 'session.type'."),
    ({"audio": {}}, "session.audio", "Unknown parameter: 'session.audio'."),
    ({"output_modalities": ["audio"]}, "session.output_modalities", "Unknown parameter"),
    ({"max_output_tokens": 5}, "session.max_output_tokens", "Unknown parameter"),
    (
        {"modalities": ["audio"]},
        "session.modalities",
        "Invalid modalities: ['audio']. Supported combinations are: ['text'] and ['audio', 'text'].",
    ),
    (
        {"input_audio_format": "g711-ulaw"},
        "session.input_audio_format",
        "Invalid value: 'g711-ulaw'. Supported values are: 'pcm16', 'g711_ulaw', and 'g711_alaw'.",
    ),
    (
        {"output_audio_format": {"type": "audio/pcm"}},
        "session.output_audio_format",
        "Invalid type for 'session.output_audio_format': expected one of 'pcm16', 'g711_ulaw', or 'g711_alaw', "
        "but got an object instead.",
    ),
    (
        {"input_audio_format": "audio/pcm"},
        "session.input_audio_format",
        "Invalid value: 'audio/pcm'. Supported values are: 'pcm16', 'g711_ulaw', and 'g711_alaw'.",
    ),
    (
        {"input_audio_transcription": {"enabled": True}},
        "session.input_audio_transcription.enabled",
        "Unknown parameter: 'session.input_audio_transcription.enabled'.",
    ),
    (
        {"turn_detection": {"type": "none"}},
        "session.turn_detection.type",
        "Invalid value: 'none'. Supported values are: 'server_vad' and 'semantic_vad'.",
    ),
    ({"temperature": 0.2}, "session.temperature", "session.temperature"),
    ({"max_response_output_tokens": 0}, "session.max_response_output_tokens", "below minimum value"),
    ({"tool_choice": {"type": "function"}}, "session.tool_choice.name", "Missing required parameter"),
]


@pytest.mark.parametrize(("session", "param", "sentence"), WRONG, ids=lambda value: str(value)[:40])
def test_a_wrong_beta_session_is_refused_in_the_names_of_the_beta(session, param, sentence):
    found = violations(beta_to_ga_client({"type": "session.update", "session": session}))
    assert found
    error = {"type": "invalid_request_error", "code": found[0].code, "message": found[0].message}
    [told] = GaToBetaServer()({"type": "error", "event_id": "e", "error": {**error, "param": found[0].param}})
    assert told["error"]["param"] == param
    assert sentence in told["error"]["message"]
    assert "beta:" not in told["error"]["message"]


@pytest.mark.parametrize(
    ("role", "part", "sentence"),
    [
        ("assistant", "output_text", "Invalid value: 'output_text'. Value must be 'text'."),
        ("user", "text", "Invalid value: 'text'. Supported values are: 'input_text' and 'input_audio'."),
        ("user", "input_image", "Invalid value: 'input_image'. Supported values are: 'input_text' and 'input_audio'."),
    ],
)
def test_a_wrong_beta_part_is_refused_in_the_names_of_the_beta(role, part, sentence):
    item = {"type": "message", "role": role, "content": [{"type": part, "text": "x"}]}
    [breach] = violations(beta_to_ga_client({"type": "conversation.item.create", "item": item}))
    assert beta_param(breach.param) == "item.content[0].type"
    assert beta_message(breach.message, breach.param) == sentence


def test_an_unknown_event_is_told_the_events_of_the_beta():
    [breach] = violations(beta_to_ga_client({"type": "nope"}))
    assert "'session.update', 'transcription_session.update', " in beta_message(breach.message, breach.param)


def test_paths_of_errors_go_both_ways():
    assert len(RENAMED_FIELDS) == 13
    for beta, ga in RENAMED_FIELDS.items():
        assert ga_param(beta) == ga
        assert beta_param(ga) == beta
    assert beta_param("session.audio.input.turn_detection.threshold") == "session.turn_detection.threshold"
    assert beta_param("session.audio.input.format.rate") == "session.input_audio_format"
    assert beta_param("item.call_id") == ga_param("item.call_id") == "item.call_id"
    assert beta_param("session.output_modalities[1]") == "session.modalities[1]"


def test_renamed_tells_events_and_fields():
    assert RENAMED["response.text.delta"] == "response.output_text.delta"
    assert RENAMED["session.voice"] == "session.audio.output.voice"
    assert RENAMED["response.modalities"] == "response.output_modalities"
    assert set(RENAMED.values()) & SERVER_EVENTS == {
        *(
            f"response.output_{kind}.{end}"
            for kind in ("text", "audio", "audio_transcript")
            for end in ("delta", "done")
        ),
        "conversation.item.added",
        "session.created",
        "session.updated",
    }


def test_a_key_of_the_beta_has_the_flat_session_around_it():
    request = beta_to_ga_secret_request(
        {"model": "m", "voice": "ash", "client_secret": {"expires_after": {"seconds": 60}}}
    )
    assert request == {
        "session": {"type": "realtime", "model": "m", "audio": {"output": {"voice": "ash"}}},
        "expires_after": {"seconds": 60},
    }
    assert secret_violations(request) == []
    answer = ga_to_beta_secret({"value": "v", "expires_at": 5, "session": {"id": "sess_1", **request["session"]}})
    assert answer["client_secret"] == {"value": "v", "expires_at": 5}
    assert (answer["id"], answer["voice"], answer["model"]) == ("sess_1", "ash", "m")


# ---- properties ------------------------------------------------------------------------------------------------------

formats = st.sampled_from(["pcm16", "g711_ulaw", "g711_alaw"])
names = st.text("abcdefghij_", min_size=1, max_size=12)
tools = st.lists(
    st.fixed_dictionaries({"type": st.just("function"), "name": names, "parameters": st.just({"type": "object"})}),
    max_size=2,
)
detection = st.none() | st.fixed_dictionaries(
    {"type": st.just("server_vad")},
    optional={"threshold": st.floats(0, 1), "silence_duration_ms": st.integers(0, 5000)},
)
tool_choice = st.sampled_from(["auto", "none", "required"]) | st.fixed_dictionaries(
    {"type": st.just("function"), "name": names}
)
tokens = st.just("inf") | st.integers(1, 4096)
modalities = st.sampled_from([["text", "audio"], ["text"]])
beta_sessions = st.fixed_dictionaries(
    {},
    optional={
        "modalities": modalities,
        "instructions": st.text(max_size=20),
        "voice": st.sampled_from(VOICES),
        "input_audio_format": formats,
        "output_audio_format": formats,
        "input_audio_transcription": st.none() | st.just({"model": "whisper-1"}),
        "turn_detection": detection,
        "tools": tools,
        "tool_choice": tool_choice,
        "max_response_output_tokens": tokens,
    },
)
audio_part = st.fixed_dictionaries({"type": st.just("input_audio"), "audio": st.just("AAAA")})
text_part = st.fixed_dictionaries({"type": st.just("input_text"), "text": st.text(max_size=20)})
beta_items = (
    st.builds(user_message, st.lists(text_part | audio_part, max_size=3))
    | st.builds(function_call_output, names, st.text(max_size=20))
    | st.builds(
        lambda text: {"type": "message", "role": "assistant", "content": [{"type": "text", "text": text}]},
        st.text(max_size=20),
    )
)
beta_events = (
    st.builds(lambda session: {"type": "session.update", "session": session}, beta_sessions)
    | st.builds(item_create, beta_items)
    | st.builds(
        lambda response: {"type": "response.create", "response": response},
        st.fixed_dictionaries(
            {}, optional={"modalities": modalities, "voice": st.sampled_from(VOICES), "tool_choice": tool_choice}
        ),
    )
    | st.sampled_from(
        [
            {"type": "response.create"},
            {"type": "response.cancel"},
            {"type": "response.cancel", "response_id": "resp_1"},
            {"type": "input_audio_buffer.append", "audio": "AAAA"},
            {"type": "input_audio_buffer.commit"},
            {"type": "conversation.item.truncate", "item_id": "i", "content_index": 0, "audio_end_ms": 5},
            {"type": "conversation.item.delete", "item_id": "i"},
        ]
    )
)


@settings(max_examples=200, deadline=None)
@given(beta_events)
def test_what_the_reference_client_sends_is_right_in_ga_and_comes_back_the_same(event):
    before = copy.deepcopy(event)
    ga = beta_to_ga_client(event)
    assert violations(ga) == []
    assert ga_to_beta_client(ga) == before
    assert event == before


@settings(max_examples=100, deadline=None)
@given(beta_sessions)
def test_a_session_survives_ga_to_beta_to_ga_as_a_server_tells_it(flat):
    nested = beta_to_ga_client({"type": "session.update", "session": flat})["session"]
    told = {
        "type": "session.updated",
        "event_id": "e",
        "session": {**nested, "id": "sess_1", "object": "realtime.session"},
    }
    [beta] = GaToBetaServer()(told)
    assert beta["session"]["temperature"] == 0.8
    assert {**flat, "id": "sess_1"}.items() <= beta["session"].items()
    assert BetaToGaServer()(beta) == [told]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["message", "user", "audio/pcm"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "role", "content", "item", "audio", "output", "id"]), inner, max_size=4
        )
    ),
    max_leaves=15,
)
fields = st.sampled_from(["session", "response", "item", "error", "part", "previous_item_id"])
any_events = st.builds(
    lambda name, rest: {**rest, "type": name},
    st.sampled_from(sorted({*CLIENT_EVENTS, *SERVER_EVENTS, *RENAMED})) | json_values,
    st.dictionaries(fields, json_values, max_size=4),
)


@settings(max_examples=400, deadline=None)
@given(any_events | json_values)
def test_no_event_makes_a_translator_raise(event):
    before = copy.deepcopy(event)
    beta_to_ga_client(event, [])
    ga_to_beta_client(event, [])
    server, client = GaToBetaServer(), BetaToGaServer()
    for translated in server(event):
        client(translated)
    server.note(event)
    client(event)
    assert event == before


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text(max_size=8), json_values, max_size=5))
def test_a_wrong_beta_session_never_comes_out_right(session):
    known = set(REFERENCE_SESSION) | {"client_secret", "model", "speed", "tracing", "include", "prompt", "truncation"}
    unknown = set(session) - known - {"input_audio_noise_reduction"}
    found = violations(beta_to_ga_client({"type": "session.update", "session": session}))
    assert {breach.param for breach in found if breach.code == "unknown_parameter"} >= {
        f"session.beta:{name}" for name in unknown
    }


def test_response_create_without_settings_is_the_same_in_both():
    assert beta_to_ga_client(response_create()) == ga_to_beta_client(response_create()) == response_create()
