"""The defects of the 2024 reference client that concern the conversation and the log: we have none of them."""

from __future__ import annotations

import base64
import itertools
from typing import Any

import pytest
from helpers_conversation import (
    Told,
    buffer,
    call,
    delta,
    done,
    item,
    message,
    output,
    pcm,
    response,
    spoken,
    spoken_answer,
    transcription,
    user,
)

from rtnb.core.conversation import Conversation
from rtnb.core.log import EventLog


def append(audio: str) -> dict[str, Any]:
    return {"type": "input_audio_buffer.append", "audio": audio}


def test_defect_2_the_users_audio_is_not_copied_and_is_let_go_when_the_detector_commits_it() -> None:
    told = Told()
    frames = [append(base64.b64encode(bytes([n]) * 1920).decode()) for n in range(10)]
    told.client(*frames)
    told.server(
        buffer("speech_started", "item_1", audio_start_ms=0),
        buffer("speech_stopped", "item_1", audio_end_ms=200),
        buffer("committed", "item_1"),
    )
    kept = told["item_1"].parts[0].audio_chunks
    assert all(chunk is frame["audio"] for chunk, frame in zip(kept, frames[:5], strict=True))
    told.server(
        buffer("speech_started", "item_2", audio_start_ms=200),
        buffer("speech_stopped", "item_2", audio_end_ms=400),
        buffer("committed", "item_2"),
    )
    assert told["item_2"].audio() == b"".join(bytes([n]) * 1920 for n in range(5, 10))


def test_defect_3_a_transcript_that_comes_before_its_item_is_not_lost() -> None:
    told = Told(transcription("completed", "item_1", transcript="Hello"), spoken("item_1"))
    assert told.conversation.items[0].transcript == "Hello"


def test_defect_4_previous_item_id_decides_where_an_item_stands() -> None:
    told = Told(user("item_1"), user("item_3", previous="item_1"), user("item_2", previous="item_1"))
    assert told.ids == ["item_1", "item_2", "item_3"]


def test_defect_5_calls_are_told_one_by_one_and_the_end_of_their_response_once() -> None:
    first = {**call("item_1", "completed", "{}"), "call_id": "call_1"}
    second = {**call("item_2", "completed", "{}"), "call_id": "call_2"}
    told = Told(output("done", first), output("done", second), response("done", output=[first, second]))
    assert [x for x in told.kinds if x in ("call", "response_done")] == ["call", "call", "response_done"]


@pytest.mark.parametrize("status", ["cancelled", "incomplete", "failed"])
def test_defect_6_no_call_is_told_for_an_item_that_was_not_completed(status: str) -> None:
    told = Told(
        response("created"),
        output("added", call("item_c")),
        delta("function_call_arguments", "item_c", '{"a": 1'),
        done("function_call_arguments", "item_c", arguments='{"a": 1'),
        item("done", call("item_c", "incomplete", '{"a": 1')),
        output("done", call("item_c", "incomplete", '{"a": 1')),
        response("done", status=status, output=[call("item_c", "incomplete", '{"a": 1')]),
    )
    assert told.of("call") == []


@pytest.mark.parametrize("status", ["cancelled", "incomplete", "failed"])
def test_defect_6_a_call_without_status_of_a_response_that_was_not_completed_is_not_told(status: str) -> None:
    bare = {key: value for key, value in call("item_c", arguments="{}").items() if key != "status"}
    told = Told(output("added", bare), output("done", bare), response("done", status=status, output=[bare]))
    assert told.of("call") == []


def test_defect_7_speech_in_silence_is_told_apart_from_speech_into_an_answer() -> None:
    told = Told(buffer("speech_started", "item_1", audio_start_ms=0))
    assert told.conversation.active is None
    told.server(response("created"), buffer("speech_started", "item_2", audio_start_ms=0))
    assert told.conversation.active is not None


def test_defect_8_an_item_without_audio_can_be_asked_how_long_it_is() -> None:
    told = Told(output("added", message("item_a")))
    assert (told["item_a"].audio_ms, told["item_a"].audio(heard=True)) == (0, b"")
    told.server(delta("output_audio", "item_a", pcm(35)))
    assert told["item_a"].audio_ms == 35


def test_defect_9_a_truncation_keeps_the_transcript() -> None:
    cut = {"type": "conversation.item.truncated", "item_id": "item_a", "content_index": 0, "audio_end_ms": 200}
    told = Told(*spoken_answer("one two three four", 400), cut)
    assert told["item_a"].transcript == "one two three four"
    assert told["item_a"].heard_transcript == "one two "


def test_defect_10_usage_and_the_reason_of_a_failure_are_kept() -> None:
    error = {"type": "server_error", "code": "rate_limit_exceeded", "message": "slow down"}
    told = Told(response("done", status="failed", status_details={"error": error}, usage={"total_tokens": 3}))
    answer = told.conversation.responses[0]
    assert (answer.status, answer.error, answer.usage) == ("failed", error, {"total_tokens": 3})


def test_defect_11_an_error_is_told() -> None:
    told = Told({"type": "error", "error": {"code": "invalid_value", "message": "no"}})
    assert told.kinds == ["error"]


def test_defect_12_no_order_of_the_events_of_a_turn_raises() -> None:
    events = [
        user("item_1"),
        response("created"),
        output("added", message("item_2")),
        delta("output_text", "item_2", "x"),
        output("done", message("item_2", "completed")),
        response("done", output=[message("item_2", "completed")]),
    ]
    for order in itertools.permutations(events):
        told = Told(*order)
        assert told["item_2"].text == "x"
        assert "unknown" not in told.kinds


def test_defect_14_offsets_fit_after_a_commit_by_hand() -> None:
    told = Told()
    told.client(append(pcm(100, 1)), {"type": "input_audio_buffer.commit"})
    told.server(buffer("committed", "item_1"))
    told.client(append(pcm(100, 2)))
    told.server(
        buffer("speech_started", "item_2", audio_start_ms=120),
        buffer("speech_stopped", "item_2", audio_end_ms=200),
        buffer("committed", "item_2"),
    )
    assert told["item_2"].audio() == bytes([2]) * 80 * 48


def test_defect_16_an_event_that_came_before_one_asked_is_still_found() -> None:
    log = EventLog()
    asked = log.append({"type": "response.create"}, "client", 0.0)
    log.append({"type": "response.done"}, "server", 0.1)
    found = log.find("response.done", after=asked.index)
    assert found is not None
    assert found.index == 1


def test_a_conversation_is_no_copy_of_its_events() -> None:
    event = user("item_1")
    conversation = Conversation()
    conversation.apply(event)
    assert conversation.items[0].raw is event["item"]
