"""What each event does to a conversation."""

from __future__ import annotations

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
    session,
    spoken,
    transcribing,
    transcription,
    user,
)

from rtnb.core.conversation import Conversation
from rtnb.core.protocol import SERVER_EVENTS

WELL_FORMED: dict[str, dict[str, Any]] = {
    "session.created": {"session": {"id": "sess_1"}},
    "session.updated": {"session": {"id": "sess_1"}},
    "conversation.created": {"conversation": {"id": "conv_1"}},
    "rate_limits.updated": {"rate_limits": [{"name": "tokens", "limit": 1, "remaining": 1, "reset_seconds": 1}]},
    "response.created": {"response": {"id": "resp_1"}},
    "response.done": {"response": {"id": "resp_1"}},
}
ANY = {
    "item": {"id": "item_1", "type": "message", "role": "user", "content": []},
    "item_id": "item_1",
    "response_id": "resp_1",
    "content_index": 0,
    "audio_end_ms": 0,
    "part": {"type": "text", "text": ""},
    "delta": "AAAA",
}


@pytest.mark.parametrize("name", sorted(SERVER_EVENTS))
def test_every_event_of_the_protocol_has_a_meaning(name: str) -> None:
    changes = Conversation().apply({"type": name, **WELL_FORMED.get(name, ANY)})
    assert changes
    assert all(change.kind != "unknown" for change in changes)


@pytest.mark.parametrize("event", [{"type": "response.cancelled"}, {}, {"type": None}, {"type": []}, None, [], "x", 3])
def test_what_is_unknown_is_told_as_it_came(event: Any) -> None:
    (change,) = Conversation().apply(event)
    assert change.kind == "unknown"
    assert change.event is event


def test_a_text_turn_ends_as_two_items_and_one_response() -> None:
    told = Told(
        user("item_1", "What is a socket?"),
        user("item_1", "What is a socket?", phase="done"),
        response("created"),
        output("added", message("item_2")),
        item("added", message("item_2"), "item_1"),
        {**delta("x", "item_2", ""), "type": "response.content_part.added", "part": {"type": "text", "text": ""}},
        delta("output_text", "item_2", "A "),
        delta("output_text", "item_2", "door."),
        done("output_text", "item_2", text="A door."),
        item("done", message("item_2", "completed", {"type": "output_text", "text": "A door."}), "item_1"),
        output("done", message("item_2", "completed", {"type": "output_text", "text": "A door."})),
        response("done", usage={"total_tokens": 7}, output=[message("item_2", "completed")]),
    )
    assert [(x.role, x.text, x.status, x.done) for x in told.conversation.items] == [
        ("user", "What is a socket?", "completed", True),
        ("assistant", "A door.", "completed", True),
    ]
    assert [change.delta for change in told.of("text")] == ["A ", "door."]
    assert told.kinds.count("item_added") == 2
    assert told.kinds.count("item_done") == 2
    answer = told.conversation.response("resp_1")
    assert answer is not None
    assert (answer.status, answer.text, answer.usage, answer.item_ids) == (
        "completed",
        "A door.",
        {"total_tokens": 7},
        ["item_2"],
    )
    assert told["item_2"].parts[0].type == "output_text"


def test_a_server_that_sends_no_deltas_still_yields_the_text_once() -> None:
    told = Told(
        response("created"),
        output("added", message("item_1")),
        done("output_text", "item_1", text="All at once."),
        output("done", message("item_1", "completed", {"type": "output_text", "text": "All at once."})),
    )
    assert [change.delta for change in told.of("text")] == ["All at once."]


def test_a_final_text_that_differs_from_its_deltas_holds() -> None:
    told = Told(delta("output_text", "item_1", "Helo"), done("output_text", "item_1", text="Hello"))
    assert told["item_1"].text == "Hello"
    assert told.kinds[-1] == "item_updated"


def test_reading_a_text_between_deltas_does_not_lose_any() -> None:
    told = Told()
    for n in range(5):
        told.server(delta("output_text", "item_1", str(n)))
        assert told["item_1"].text == "01234"[: n + 1]


def test_two_parts_of_an_item_are_kept_apart() -> None:
    told = Told(delta("output_text", "item_1", "b", content_index=1), delta("output_text", "item_1", "a"))
    assert [part.text for part in told["item_1"].parts] == ["a", "b"]


@pytest.mark.parametrize("index", [-1, 10**9, True, "0", [], 1.5])
def test_a_senseless_content_index_makes_no_part(index: Any) -> None:
    told = Told({**delta("output_text", "item_1", "a"), "content_index": index})
    assert told.kinds == ["unknown"]
    assert told["item_1"].parts == []


def test_the_deltas_of_a_response_whose_beginning_was_missed_are_kept() -> None:
    told = Told(delta("output_audio", "item_9", pcm(10), "resp_9"))
    answer = told.conversation.response("resp_9")
    assert answer is not None
    assert answer.output == [told["item_9"]]
    assert told["item_9"].audio_ms == 10
    assert told.conversation.items == []


# -- responses


@pytest.mark.parametrize(
    ("status", "details", "reason", "code"),
    [
        ("cancelled", {"type": "cancelled", "reason": "turn_detected"}, "turn_detected", None),
        ("incomplete", {"type": "incomplete", "reason": "max_output_tokens"}, "max_output_tokens", None),
        ("failed", {"type": "failed", "error": {"code": "rate_limit_exceeded", "message": "slow"}}, None, "slow"),
        ("failed", {"type": "failed", "error": "slow"}, None, "slow"),
    ],
)
def test_how_a_response_ended_is_known(
    status: str, details: dict[str, Any], reason: str | None, code: str | None
) -> None:
    told = Told(response("created"), delta("output_text", "item_1", "par"))
    told.server(response("done", status=status, status_details=details))
    answer = told.conversation.response("resp_1")
    assert answer is not None
    assert (answer.status, answer.reason, (answer.error or {}).get("message")) == (status, reason, code)
    assert (told["item_1"].status, told["item_1"].text) == ("incomplete", "par")
    assert told.kinds[-2:] == ["item_done", "response_done"]


def test_the_running_response_is_active_until_it_is_done() -> None:
    told = Told(response("created"))
    assert told.conversation.active is told.conversation.response("resp_1")
    told.server(response("done"))
    assert told.conversation.active is None


def test_a_response_out_of_band_stays_out_of_the_conversation() -> None:
    told = Told(
        response("created"),
        response("created", "resp_2", conversation_id=None, metadata={"topic": "x"}),
        output("added", message("item_o"), "resp_2"),
        delta("output_text", "item_o", "aside", "resp_2"),
        output("done", message("item_o", "completed"), "resp_2"),
        response("done", "resp_2", conversation_id=None, output=[message("item_o", "completed")]),
    )
    aside = told.conversation.response("resp_2")
    assert aside is not None
    assert (aside.out_of_band, aside.text, aside.metadata) == (True, "aside", {"topic": "x"})
    assert told.conversation.items == []
    assert told.conversation.active is told.conversation.response("resp_1")
    assert told.kinds.count("item_done") == 1


def test_a_done_without_created_is_a_response_all_the_same() -> None:
    told = Told(response("done", "resp_7", status="cancelled"))
    assert [answer.id for answer in told.conversation.responses] == ["resp_7"]
    assert told.conversation.active is None


def test_a_created_that_comes_after_its_done_does_not_stay_active() -> None:
    told = Told(response("done", status="completed"), response("created"))
    assert told.conversation.active is None


def test_a_response_lists_its_items_in_the_order_of_its_end() -> None:
    told = Told(output("added", message("item_2")), output("added", message("item_1")))
    told.server(response("done", output=[message("item_1"), message("item_2")]))
    assert told.conversation.responses[0].item_ids == ["item_1", "item_2"]


# -- function calls


def test_a_call_is_told_once_when_its_item_is_completed() -> None:
    told = Told(
        response("created"),
        output("added", call("item_c")),
        item("added", call("item_c")),
        delta("function_call_arguments", "item_c", '{"a": 4,'),
        delta("function_call_arguments", "item_c", ' "b": 6}'),
        done("function_call_arguments", "item_c", arguments='{"a": 4, "b": 6}', call_id="call_1"),
    )
    assert told.of("call") == []
    finished = call("item_c", "completed", '{"a": 4, "b": 6}')
    told.server(item("done", finished), output("done", finished), response("done", output=[finished]))
    (change,) = told.of("call")
    assert change.item is told["item_c"]
    assert (change.item.name, change.item.call_id, change.item.arguments) == (
        "calculate_sum",
        "call_1",
        '{"a": 4, "b": 6}',
    )
    assert [change.delta for change in told.of("arguments")] == ['{"a": 4,', ' "b": 6}']


def test_a_call_without_a_status_waits_for_the_end_of_its_response() -> None:
    bare = {key: value for key, value in call("item_c", arguments="{}").items() if key != "status"}
    told = Told(output("added", bare), output("done", bare))
    assert told.of("call") == []
    told.server(response("done", output=[bare]))
    assert len(told.of("call")) == 1


def test_a_call_that_the_client_restores_is_not_carried_out_again() -> None:
    told = Told(item("added", call("item_c", "completed", "{}")), item("done", call("item_c", "completed", "{}")))
    assert told.of("call") == []
    assert told["item_c"].done


@pytest.mark.parametrize("answer_first", [False, True])
def test_a_call_and_its_output_find_each_other(answer_first: bool) -> None:
    made = item("added", call("item_c", "completed", "{}"))
    answer = item("added", {"id": "item_o", "type": "function_call_output", "call_id": "call_1", "output": "10"})
    told = Told(*([answer, made] if answer_first else [made, answer]))
    assert told["item_c"].answer is told["item_o"]
    assert told["item_o"].output == "10"
    assert told.conversation.call("call_1") is told["item_c"]


def test_an_mcp_call_collects_its_arguments_and_its_end() -> None:
    told = Told(
        delta("mcp_call_arguments", "item_m", '{"q"'),
        done("mcp_call_arguments", "item_m", arguments='{"q": 1}'),
        {"type": "response.mcp_call.failed", "item_id": "item_m", "output_index": 0},
    )
    assert (told["item_m"].type, told["item_m"].arguments, told["item_m"].status) == ("mcp_call", '{"q": 1}', "failed")


# -- what the user says


def test_speech_becomes_an_item_with_its_offsets_and_its_transcript() -> None:
    told = Told(transcribing())
    told.server(buffer("speech_started", "item_1", audio_start_ms=120))
    assert told.conversation.speech is told["item_1"]
    told.server(buffer("speech_stopped", "item_1", audio_end_ms=900), buffer("committed", "item_1"))
    assert told.conversation.speech is None
    told.server(spoken("item_1"))
    assert (told["item_1"].audio_start_ms, told["item_1"].audio_end_ms) == (120, 900)
    assert (told["item_1"].transcription, told.ids) == ("awaiting", ["item_1"])
    told.server(transcription("delta", "item_1", delta="Good "), transcription("delta", "item_1", delta="day"))
    told.server(transcription("completed", "item_1", transcript="Good day!", usage={"type": "duration", "seconds": 1}))
    assert (told["item_1"].transcription, told["item_1"].text) == ("done", "Good day!")
    assert [change.delta for change in told.of("user_transcript")] == ["Good ", "day", "!"]
    assert told["item_1"].transcription_usage == {"type": "duration", "seconds": 1}


def test_a_failed_transcription_is_told_with_its_reason() -> None:
    told = Told(transcribing(), buffer("committed", "item_1"), spoken("item_1"))
    told.server(transcription("failed", "item_1", error={"code": "audio_unintelligible", "message": "?"}))
    assert told["item_1"].transcription == "failed"
    assert told["item_1"].transcription_error["code"] == "audio_unintelligible"


def test_without_transcription_nothing_is_awaited() -> None:
    told = Told(session(), buffer("committed", "item_1"), spoken("item_1"))
    assert told["item_1"].transcription == "off"


@pytest.mark.parametrize("place", range(4))
def test_a_transcript_may_come_before_during_or_after_its_item(place: int) -> None:
    events = [buffer("committed", "item_1"), spoken("item_1"), spoken("item_1", phase="done")]
    events.insert(place, transcription("completed", "item_1", transcript="Hello."))
    told = Told(transcribing(), *events)
    assert (told["item_1"].text, told["item_1"].transcription, told.ids) == ("Hello.", "done", ["item_1"])


def test_segments_of_speakers_are_kept() -> None:
    told = Told(transcription("segment", "item_1", text="Hi", speaker="A", start=0.0, end=0.4))
    assert [(s["speaker"], s["text"]) for s in told["item_1"].segments] == [("A", "Hi")]


def test_the_idle_timeout_and_the_keys_of_a_telephone_are_told() -> None:
    told = Told(
        buffer("timeout_triggered", "item_1", audio_start_ms=10, audio_end_ms=20),
        {"type": "input_audio_buffer.dtmf_event_received", "event": "5", "received_at": 1},
    )
    assert told.kinds == ["timeout", "dtmf"]
    assert told.changes[1].delta == "5"


# -- the session


def test_the_session_is_the_last_that_the_server_gave() -> None:
    told = Told(session(instructions="a"), session("updated", instructions="b"))
    assert told.conversation.session["instructions"] == "b"
    assert told.kinds == ["session", "session"]


def test_nothing_runs_any_more_on_a_new_socket() -> None:
    told = Told(session(), response("created"), session(id="sess_2"))
    assert told.conversation.active is None


def test_an_error_is_told_with_its_words() -> None:
    (change,) = Told().server({"type": "error", "error": {"code": "invalid_value", "message": "No such voice"}})
    assert (change.kind, change.delta) == ("error", "No such voice")


def test_what_the_client_sends_is_no_fact_before_the_server_says_so() -> None:
    told = Told(user("item_1"))
    told.client(
        {"type": "conversation.item.create", "item": {"id": "item_2", "type": "message", "role": "user"}},
        {"type": "conversation.item.delete", "item_id": "item_1"},
        {"type": "conversation.item.truncate", "item_id": "item_1", "content_index": 0, "audio_end_ms": 1},
        {"type": "nonsense"},
    )
    assert told.ids == ["item_1"]
    assert told.kinds == ["item_added"]


def test_a_retrieved_item_brings_its_audio() -> None:
    told = Told(spoken("item_1"))
    retrieved = spoken("item_1", phase="retrieved")
    retrieved["item"]["content"] = [{"type": "input_audio", "audio": pcm(30), "transcript": "Hm"}]
    told.server(retrieved)
    assert told.kinds[-1] == "item_retrieved"
    assert (told["item_1"].audio_ms, told["item_1"].text) == (30, "Hm")


def test_a_late_word_does_not_reopen_an_item_that_is_done() -> None:
    told = Told(item("done", message("item_1", "completed")), output("added", message("item_1", "in_progress")))
    assert (told["item_1"].status, told["item_1"].done) == ("completed", True)


def test_what_was_asked_of_an_old_socket_does_not_count_on_a_new_one() -> None:
    told = Told(session(), user("item_1"))
    told.client({"type": "conversation.item.create", "item": {"id": "item_2", "type": "message"}})
    told.server(session(id="sess_2"), user("item_2", previous=None))
    assert told.ids == ["item_2", "item_1"]


def test_an_empty_description_erases_nothing() -> None:
    told = Told(delta("output_text", "item_1", "kept"))
    told.server(item("done", {"id": "item_1", "type": None, "role": None, "content": [{"type": "output_text"}, None]}))
    assert (told["item_1"].text, told["item_1"].role) == ("kept", "assistant")
