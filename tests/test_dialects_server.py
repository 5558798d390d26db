"""Server events in both dialects; the `openai` package's models of the beta and of GA are the judge."""

from __future__ import annotations

import pytest
from openai.types.beta.realtime import RealtimeServerEvent as BetaServerEvent
from openai.types.realtime import RealtimeServerEvent as GaServerEvent
from pydantic import TypeAdapter

from rtnb.core.dialects import BetaToGaServer, GaToBetaServer

BETA = TypeAdapter(BetaServerEvent)
GA = TypeAdapter(GaServerEvent)

SESSION = {
    "type": "realtime",
    "object": "realtime.session",
    "id": "sess_1",
    "model": "gpt-realtime",
    "expires_at": 1,
    "output_modalities": ["audio"],
    "instructions": "Be brief.",
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24000},
            "noise_reduction": None,
            "transcription": {"model": "whisper-1"},
            "turn_detection": {"type": "server_vad", "threshold": 0.5, "silence_duration_ms": 200},
        },
        "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "alloy", "speed": 1.0},
    },
    "tools": [],
    "tool_choice": "auto",
    "max_output_tokens": "inf",
    "tracing": None,
    "truncation": "auto",
    "prompt": None,
    "include": None,
}
IDS = {"response_id": "resp_1", "item_id": "item_a", "output_index": 0, "content_index": 0}


def response(status, output):
    return {
        "object": "realtime.response",
        "id": "resp_1",
        "status": status,
        "status_details": None,
        "output": output,
        "conversation_id": "conv_1",
        "output_modalities": ["audio"],
        "max_output_tokens": "inf",
        "audio": {"output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "alloy"}},
        "usage": None,
        "metadata": {"a": "b"},
    }


def item(role, content, status, id):
    return {"id": id, "object": "realtime.item", "type": "message", "role": role, "status": status, "content": content}


USER = item("user", [{"type": "input_text", "text": "hi"}], "completed", "item_u")
EMPTY = item("assistant", [], "in_progress", "item_a")
FULL = item("assistant", [{"type": "output_audio", "transcript": "hello"}], "completed", "item_a")

TURN = [
    {"type": "session.created", "session": SESSION},
    {"type": "conversation.item.added", "previous_item_id": None, "item": USER},
    {"type": "conversation.item.done", "previous_item_id": None, "item": USER},
    {"type": "response.created", "response": response("in_progress", [])},
    {"type": "response.output_item.added", "response_id": "resp_1", "output_index": 0, "item": EMPTY},
    {"type": "conversation.item.added", "previous_item_id": "item_u", "item": EMPTY},
    {"type": "response.content_part.added", **IDS, "part": {"type": "audio", "transcript": ""}},
    {"type": "response.output_audio_transcript.delta", **IDS, "delta": "hello"},
    {"type": "response.output_audio.delta", **IDS, "delta": "AAAA"},
    {"type": "response.output_audio.done", **IDS},
    {"type": "response.output_audio_transcript.done", **IDS, "transcript": "hello"},
    {"type": "response.content_part.done", **IDS, "part": {"type": "audio", "transcript": "hello"}},
    {"type": "conversation.item.done", "previous_item_id": "item_u", "item": FULL},
    {"type": "response.output_item.done", "response_id": "resp_1", "output_index": 0, "item": FULL},
    {"type": "response.done", "response": response("completed", [FULL])},
    {"type": "rate_limits.updated", "rate_limits": []},
]
TURN = [{**event, "event_id": f"event_{number}"} for number, event in enumerate(TURN)]


def test_a_turn_told_to_a_beta_client():
    translate = GaToBetaServer(conversation_id="conv_1")
    told = [beta for event in TURN for beta in translate(event)]
    assert [event["type"] for event in told] == [
        "session.created",
        "conversation.created",
        "conversation.item.created",
        "response.created",
        "response.output_item.added",
        "conversation.item.created",
        "response.content_part.added",
        "response.audio_transcript.delta",
        "response.audio.delta",
        "response.audio.done",
        "response.audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    assert all(event["event_id"] for event in told)
    assert told[1]["conversation"] == {"id": "conv_1", "object": "realtime.conversation"}
    assert told[-3]["item"]["content"] == [{"type": "audio", "transcript": "hello"}]
    done = told[-2]["response"]
    assert (done["modalities"], done["voice"], done["output_audio_format"]) == (["text", "audio"], "alloy", "pcm16")
    assert (done["temperature"], done["max_output_tokens"], done["metadata"]) == (0.8, "inf", {"a": "b"})
    assert "audio" not in done
    assert "output_modalities" not in done
    assert done["output"][0]["content"][0]["type"] == "audio"


@pytest.mark.parametrize("event", TURN, ids=lambda event: event["type"])
def test_what_a_beta_client_is_told_fits_the_models_of_the_beta(event):
    for told in GaToBetaServer()(event):
        BETA.validate_python(told, strict=True)


def test_the_session_of_the_beta_is_flat_and_whole():
    session = GaToBetaServer()(TURN[0])[0]["session"]
    assert session == {
        "object": "realtime.session",
        "id": "sess_1",
        "model": "gpt-realtime",
        "expires_at": 1,
        "modalities": ["text", "audio"],
        "instructions": "Be brief.",
        "input_audio_format": "pcm16",
        "input_audio_noise_reduction": None,
        "input_audio_transcription": {"model": "whisper-1"},
        "turn_detection": {"type": "server_vad", "threshold": 0.5, "silence_duration_ms": 200},
        "output_audio_format": "pcm16",
        "voice": "alloy",
        "speed": 1.0,
        "tools": [],
        "tool_choice": "auto",
        "max_response_output_tokens": "inf",
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "include": None,
        "temperature": 0.8,
    }


def test_a_turn_survives_ga_to_beta_to_ga():
    there, back = GaToBetaServer(), BetaToGaServer()
    seen = [ga for event in TURN for beta in there(event) for ga in back(beta)]
    seen = [event for event in seen if event["type"] != "conversation.created"]
    assert [event["type"] for event in seen] == [event["type"] for event in TURN]
    for event, original in zip(seen, TURN, strict=True):
        assert {**event, "event_id": ""} == {**original, "event_id": ""}
        assert event["event_id"]
        GA.validate_python(event)


def test_an_item_finished_at_once_is_added_and_done_at_once():
    told = BetaToGaServer()(
        {"type": "conversation.item.created", "event_id": "e", "previous_item_id": None, "item": USER}
    )
    assert [event["type"] for event in told] == ["conversation.item.added", "conversation.item.done"]
    assert told[0]["event_id"] != told[1]["event_id"]
    assert told[0]["item"] == told[1]["item"] == USER


def test_an_item_without_status_is_judged_by_its_kind():
    translate = BetaToGaServer()
    user = {"id": "u", "type": "message", "role": "user", "content": []}
    call = {"id": "c", "type": "function_call", "name": "f", "call_id": "x", "arguments": ""}
    answer = {"id": "a", "type": "message", "role": "assistant", "content": []}
    counts = [len(translate({"type": "conversation.item.created", "item": kind})) for kind in (user, call, answer)]
    assert counts == [2, 1, 1]


def test_items_left_open_are_done_before_their_response_is():
    translate = BetaToGaServer()
    translate({"type": "conversation.item.created", "event_id": "e", "previous_item_id": "p", "item": EMPTY})
    cut = item("assistant", [{"type": "audio", "transcript": "he"}], "incomplete", "item_a")
    told = translate({"type": "response.done", "event_id": "f", "response": {"id": "resp_1", "output": [cut]}})
    assert [event["type"] for event in told] == ["conversation.item.done", "response.done"]
    assert told[0]["previous_item_id"] == "p"
    assert told[0]["item"]["content"] == [{"type": "output_audio", "transcript": "he"}]


def test_an_out_of_band_item_is_never_said_to_be_in_the_conversation():
    event = {"type": "response.output_item.done", "event_id": "e", "item": FULL}
    assert [told["type"] for told in BetaToGaServer()(event)] == ["response.output_item.done"]


def test_an_item_that_was_only_done_is_created():
    told = GaToBetaServer()({"type": "conversation.item.done", "event_id": "e", "previous_item_id": None, "item": USER})
    assert [event["type"] for event in told] == ["conversation.item.created"]


def test_what_the_beta_had_no_name_for_is_left_out_with_the_reason():
    translate = GaToBetaServer()
    timeout = {"type": "input_audio_buffer.timeout_triggered", "event_id": "e", "item_id": "i"}
    listing = {"type": "conversation.item.added", "event_id": "e", "item": {"id": "m", "type": "mcp_list_tools"}}
    assert translate(timeout) == translate(listing) == []
    assert [entry.param for entry in translate.dropped] == [
        "input_audio_buffer.timeout_triggered",
        "item.type mcp_list_tools",
    ]


def test_the_conversation_is_told_once():
    translate = GaToBetaServer()
    told = [event["type"] for _ in range(2) for event in translate(TURN[0])]
    assert told == ["session.created", "conversation.created", "session.created"]


def test_the_temperature_that_the_client_asked_for_is_echoed():
    translate = GaToBetaServer()
    translate.note({"type": "session.update", "session": {"temperature": 0.6}})
    translate.note({"type": "session.update", "session": {"temperature": 7}})
    assert translate(TURN[0])[0]["session"]["temperature"] == 0.6


def test_a_transcription_session_has_names_of_its_own_in_the_beta():
    session = {"type": "transcription", "id": "sess_1", "audio": {"input": {"transcription": {"model": "whisper-1"}}}}
    told = GaToBetaServer()({"type": "session.created", "event_id": "e", "session": session})
    assert told == [
        {
            "type": "transcription_session.created",
            "event_id": "e",
            "session": {"id": "sess_1", "input_audio_transcription": {"model": "whisper-1"}},
        }
    ]
    [back] = BetaToGaServer()(told[0])
    assert back == {"type": "session.created", "event_id": "e", "session": session}


def test_an_error_of_a_beta_server_names_the_field_of_ga():
    error = {"type": "invalid_request_error", "code": "x", "message": "m", "param": "session.voice"}
    [told] = BetaToGaServer()({"type": "error", "event_id": "e", "error": error})
    assert told["error"] == {**error, "param": "session.audio.output.voice"}
