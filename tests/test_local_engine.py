from __future__ import annotations

import pytest
from helpers_local import Bench, error, loud, only, types, update, user

from rtnb.local.effects import Halt
from rtnb.local.seams import Call, CallArguments, Failed, Finished, Say, Speech

TEXT_TURN = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
    "rate_limits.updated",
]


def text_bench() -> Bench:
    bench = Bench()
    bench.send(update(output_modalities=["text"]))
    return bench


def spoken(bench: Bench, ms: int = 1000, words: str = "Hello there.") -> str:
    """Let the assistant speak; return the id of the item."""
    bench.send({"type": "response.create"})
    done = only(bench.answer(Speech(loud(ms), words)), "response.done")
    item_id: str = done["response"]["output"][0]["id"]
    return item_id


# ---- session ---------------------------------------------------------------------------------------------------------


def test_session_created_comes_first_with_every_field_filled() -> None:
    session = Bench().events[0]["session"]
    assert Bench().events[0]["type"] == "session.created"
    assert session["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24000}
    assert session["audio"]["input"]["turn_detection"]["type"] == "server_vad"
    assert session["output_modalities"] == ["audio"]
    assert session["id"].startswith("sess_")
    assert {"instructions", "tools", "tool_choice", "max_output_tokens", "truncation", "expires_at"} <= set(session)


def test_an_update_is_merged_deeply_and_echoed_whole() -> None:
    bench = Bench()
    bench.send(update(audio={"input": {"transcription": {"model": "whisper-1"}}}, instructions="Be brief."))
    (updated,) = bench.send(update(audio={"input": {"transcription": {"language": "en"}}}))
    session = updated["session"]
    assert session["audio"]["input"]["transcription"] == {"model": "whisper-1", "language": "en"}
    assert session["instructions"] == "Be brief."
    assert session["audio"]["output"]["voice"] == "alloy"


def test_a_bad_update_changes_nothing() -> None:
    bench = Bench()
    told = error(bench.send(update(instructions="Other.", audio={"output": {"voice": "nobody"}}, temperature=1)))
    assert told["code"] in ("unknown_parameter", "invalid_value")
    (updated,) = bench.send(update())
    assert updated["session"] == {**bench.events[0]["session"]}


def test_session_type_is_required_in_every_update() -> None:
    told = error(Bench().send({"type": "session.update", "event_id": "mine", "session": {"instructions": "x"}}))
    assert (told["code"], told["param"]) == ("missing_required_parameter", "session.type")
    assert told["event_id"] == "mine"


@pytest.mark.parametrize("field", ["voice", "modalities", "input_audio_format", "turn_detection", "temperature"])
def test_flat_beta_fields_are_unknown_parameters(field: str) -> None:
    told = error(Bench().send(update(**{field: "x"})))
    assert (told["code"], told["param"]) == ("unknown_parameter", f"session.{field}")


def test_null_clears_what_can_be_cleared() -> None:
    bench = Bench()
    bench.send(
        update(tools=[{"type": "function", "name": "f"}], audio={"input": {"noise_reduction": {"type": "near_field"}}})
    )
    (updated,) = bench.send(
        update(
            tools=[], instructions="", audio={"input": {"noise_reduction": None, "turn_detection": None}}, tracing=None
        )
    )
    session = updated["session"]
    assert session["tools"] == []
    assert session["instructions"] == ""
    assert session["audio"]["input"]["noise_reduction"] is None
    assert session["audio"]["input"]["turn_detection"] is None


def test_a_turn_detection_of_another_type_starts_from_its_own_defaults() -> None:
    bench = Bench()
    (semantic,) = bench.send(update(audio={"input": {"turn_detection": {"type": "semantic_vad"}}}))
    assert semantic["session"]["audio"]["input"]["turn_detection"] == {
        "type": "semantic_vad",
        "eagerness": "auto",
        "create_response": True,
        "interrupt_response": True,
    }
    (server,) = bench.send(update(audio={"input": {"turn_detection": {"type": "server_vad", "threshold": 0.9}}}))
    vad = server["session"]["audio"]["input"]["turn_detection"]
    assert (vad["threshold"], vad["silence_duration_ms"]) == (0.9, 200)


def test_what_sdks_send_at_their_start_is_accepted() -> None:
    bench = Bench()
    for session in (
        {"model": "gpt-realtime-2", "tracing": "auto"},
        {"tracing": "auto"},
        {"audio": {"output": {"speed": 1.2}, "input": {"noise_reduction": None}}, "max_output_tokens": "inf"},
        {"truncation": {"type": "retention_ratio", "retention_ratio": 0.8}, "prompt": None},
        {"include": ["item.input_audio_transcription.logprobs"], "parallel_tool_calls": True},
        {"reasoning": {"effort": "low"}, "tool_choice": {"type": "function", "name": "f"}},
    ):
        assert types(bench.send(update(**session))) == ["session.updated"]
    assert bench.events[-1]["session"]["model"] == "gpt-realtime-2.1"


def test_reasoning_is_refused_by_models_that_do_not_reason() -> None:
    told = error(Bench(model="gpt-realtime-1.5").send(update(reasoning={"effort": "low"})))
    assert told["param"] == "session.reasoning"


def test_tracing_cannot_change_once_it_is_on() -> None:
    bench = Bench()
    bench.send(update(tracing="auto"))
    assert error(bench.send(update(tracing=None)))["param"] == "session.tracing"


def test_the_voice_is_locked_after_assistant_audio_and_the_whole_update_refused() -> None:
    bench = Bench()
    assert types(bench.send(update(audio={"output": {"voice": "verse"}}))) == ["session.updated"]
    spoken(bench)
    told = error(bench.send(update(instructions="new", audio={"output": {"voice": "cedar"}})))
    assert (told["code"], told["param"]) == ("cannot_update_voice", None)
    (updated,) = bench.send(update(audio={"output": {"voice": "verse"}}))
    assert updated["session"]["instructions"] != "new"
    told = error(bench.send({"type": "response.create", "response": {"audio": {"output": {"voice": "ash"}}}}))
    assert told["code"] == "cannot_update_voice"


def test_both_modalities_are_refused() -> None:
    assert error(Bench().send(update(output_modalities=["text", "audio"])))["code"] == "invalid_value"


def test_the_session_ends_at_its_limit() -> None:
    bench = Bench(session_limit_s=60)
    assert bench.engine.deadline == 60
    told = error(bench.tick(60))
    assert told["code"] == "session_expired"
    assert (bench.effects[-1].code, bench.effects[-1].reason) == (1001, told["message"])  # type: ignore[union-attr]
    assert "1 minutes" in told["message"]


# ---- bad events ------------------------------------------------------------------------------------------------------


def test_an_unknown_type_is_an_invalid_value_of_type() -> None:
    told = error(Bench().send({"type": "response.make", "event_id": "e1"}))
    assert (told["type"], told["code"], told["param"]) == ("invalid_request_error", "invalid_value", "type")
    assert "response.create" in told["message"]
    assert told["event_id"] == "e1"


@pytest.mark.parametrize("event", [None, 1, "x", [], {}, {"type": None}, {"type": 5}, {"event_id": 3}])
def test_what_is_no_event_gets_one_error(event: object) -> None:
    assert error(Bench().send(event))["type"] == "invalid_request_error"


def test_an_event_id_that_is_too_long_is_an_error_and_not_echoed() -> None:
    told = error(Bench().send({"type": "response.create", "event_id": "x" * 513}))
    assert (told["code"], told["event_id"]) == ("string_above_max_length", None)


def test_output_audio_buffer_clear_is_not_for_websockets() -> None:
    assert error(Bench().send({"type": "output_audio_buffer.clear"}))["param"] == "type"


def test_an_error_leaves_a_running_response_alone() -> None:
    bench = text_bench()
    bench.send({"type": "response.create"})
    error(bench.send({"type": "nonsense"}))
    assert bench.answer(Say("still here"))[-2]["response"]["status"] == "completed"


# ---- items -----------------------------------------------------------------------------------------------------------


def test_an_item_is_added_and_done_with_the_one_before_it() -> None:
    bench = Bench()
    added, done = bench.send(user("one", id="a"))
    assert (added["type"], done["type"]) == ("conversation.item.added", "conversation.item.done")
    assert added["previous_item_id"] is None
    assert added["item"]["status"] == "completed"
    assert bench.send(user("two"))[0]["previous_item_id"] == "a"


def test_items_go_where_previous_item_id_says() -> None:
    bench = Bench()
    bench.send(user("1", id="a"), user("3", id="c"))
    assert bench.send({**user("2", id="b"), "previous_item_id": "a"})[0]["previous_item_id"] == "a"
    assert bench.send({**user("0", id="z"), "previous_item_id": "root"})[0]["previous_item_id"] is None
    assert bench.engine.conversation.ids == ["z", "a", "b", "c"]


def test_unknown_places_and_taken_ids_are_refused() -> None:
    bench = Bench()
    bench.send(user("x", id="a"))
    told = error(bench.send({**user("y"), "previous_item_id": "nowhere"}))
    assert told["code"] == "item_create_invalid_previous_item_id"
    assert error(bench.send(user("y", id="a")))["code"] == "item_create_duplicate_item_id"
    assert len(bench.engine.conversation) == 1


def test_a_function_call_output_needs_its_call() -> None:
    bench = Bench()
    output = {"type": "function_call_output", "call_id": "call_1", "output": "10"}
    assert error(bench.send({"type": "conversation.item.create", "item": output}))["code"] == "invalid_tool_call_id"
    call = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
    bench.send({"type": "conversation.item.create", "item": call})
    assert types(bench.send({"type": "conversation.item.create", "item": output})) == [
        "conversation.item.added",
        "conversation.item.done",
    ]


def test_items_of_every_kind_are_taken_and_given_back() -> None:
    bench = Bench()
    for item in (
        {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "x"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "x"}]},
        {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_image", "image_url": "data:image/png;base64,AA=="}],
        },
        {"type": "function_call", "name": "f", "arguments": "{}"},
        {"type": "mcp_approval_response", "approval_request_id": "a", "approve": True},
        {"type": "mcp_list_tools", "server_label": "s", "tools": []},
        {"type": "mcp_call", "server_label": "s", "name": "f", "arguments": "{}"},
    ):
        added, done = bench.send({"type": "conversation.item.create", "item": item})
        assert added["item"] == done["item"]
        assert item.items() <= added["item"].items()
        bench.send({"type": "conversation.item.retrieve", "item_id": added["item"]["id"]})
    bench.send({"type": "response.create"})
    assert len(bench.thinks[-1].request.items) == 7


def test_a_large_picture_is_kept_but_not_echoed() -> None:
    bench = Bench()
    picture = "data:image/png;base64," + "A" * 400_000
    item = {"type": "message", "role": "user", "content": [{"type": "input_image", "image_url": picture}]}
    added, _ = bench.send({"type": "conversation.item.create", "item": item})
    assert added["item"]["content"] == [{"type": "input_image"}]
    bench.send({"type": "response.create"})
    assert bench.thinks[-1].request.items[0]["content"][0]["image_url"] == picture


def test_only_functions_are_offered_to_the_brain() -> None:
    bench = Bench()
    bench.send(update(tools=[{"type": "mcp", "server_label": "s"}, {"type": "function", "name": "f"}]))
    bench.send({"type": "response.create"})
    assert [tool["name"] for tool in bench.thinks[-1].request.tools] == ["f"]


def test_over_long_ids_and_texts_are_refused() -> None:
    bench = Bench()
    call = {"type": "function_call_output", "call_id": "c" * 33, "output": ""}
    told = error(bench.send({"type": "conversation.item.create", "item": call}))
    assert told["code"] == "string_above_max_length"
    assert error(bench.send(user("x" * 256_001)))["code"] == "string_above_max_length"


def test_deleting_repairs_the_chain() -> None:
    bench = Bench()
    bench.send(user("1", id="a"), user("2", id="b"))
    (deleted,) = bench.send({"type": "conversation.item.delete", "item_id": "b"})
    assert deleted["item_id"] == "b"
    assert bench.send(user("3"))[0]["previous_item_id"] == "a"
    assert (
        error(bench.send({"type": "conversation.item.delete", "item_id": "b"}))["code"] == "item_delete_invalid_item_id"
    )


def test_retrieve_gives_the_item_with_its_audio() -> None:
    bench = Bench()
    item_id = spoken(bench, ms=500)
    (retrieved,) = bench.send({"type": "conversation.item.retrieve", "item_id": item_id})
    (part,) = retrieved["item"]["content"]
    assert part["type"] == "output_audio"
    assert len(part["audio"]) == 500 * 48 * 4 // 3
    told = error(bench.send({"type": "conversation.item.retrieve", "item_id": "x"}))
    assert told["code"] == "item_retrieve_invalid_item_id"


def test_a_retrieved_item_never_makes_a_frame_of_a_megabyte() -> None:
    bench = Bench()
    item_id = spoken(bench, ms=120_000)
    (retrieved,) = bench.send({"type": "conversation.item.retrieve", "item_id": item_id})
    assert len(retrieved["item"]["content"][0]["audio"]) < 900_000


def test_truncate_drops_the_transcript_and_keeps_the_audio_up_to_the_cut() -> None:
    bench = Bench()
    bench.send({"type": "response.create"})
    done = only(bench.answer(Speech(loud(400), "One,"), Speech(loud(400), " two.")), "response.done")
    item_id = done["response"]["output"][0]["id"]
    cut = {"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0, "audio_end_ms": 300}
    assert types(bench.send(cut)) == ["conversation.item.truncated"]
    (retrieved,) = bench.send({"type": "conversation.item.retrieve", "item_id": item_id})
    (part,) = retrieved["item"]["content"]
    assert part["transcript"] is None
    assert len(part["audio"]) == 300 * 48 * 4 // 3
    bench.send({"type": "response.create"})
    heard = bench.thinks[-1].request.items[-1]["content"][0]["transcript"]
    assert heard == "One,"  # a brain knows what the user can have heard


def test_truncate_past_the_end_is_refused() -> None:
    bench = Bench()
    item_id = spoken(bench, ms=500)
    event = {"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0}
    told = error(bench.send({**event, "audio_end_ms": 501}))
    assert (told["code"], told["message"]) == ("invalid_value", "Audio content of 500ms is already shorter than 501ms")
    assert types(bench.send({**event, "audio_end_ms": 500})) == ["conversation.item.truncated"]
    assert error(bench.send({**event, "content_index": 1, "audio_end_ms": 1}))["param"] == "content_index"
    assert error(bench.send({**event, "item_id": "x", "audio_end_ms": 1}))["code"] == "item_truncate_invalid_item_id"
    assert error(bench.send({**event, "audio_end_ms": 1.5}))["code"] == "invalid_type"


def test_only_assistant_audio_can_be_truncated() -> None:
    bench = Bench()
    bench.send(user("x", id="a"))
    event = {"type": "conversation.item.truncate", "item_id": "a", "content_index": 0, "audio_end_ms": 0}
    assert error(bench.send(event))["message"] == "Only model output audio messages can be truncated"


# ---- responses -------------------------------------------------------------------------------------------------------


def test_a_text_turn_has_the_order_of_the_service() -> None:
    bench = text_bench()
    bench.send(user("hi"))
    events = bench.send({"type": "response.create"}) + bench.answer(Say("Hel"), Say("lo"))
    assert types(events) == TEXT_TURN
    done = only(events, "response.done")["response"]
    assert done["output"][0]["content"] == [{"type": "output_text", "text": "Hello"}]
    assert (done["status"], done["status_details"]) == ("completed", None)
    created = only(events, "response.created")["response"]
    assert (created["status"], created["output"], created["usage"]) == ("in_progress", [], None)
    assert only(events, "response.content_part.added")["part"] == {"type": "text", "text": ""}


def test_an_audio_turn_interleaves_words_and_sound_and_closes_audio_first() -> None:
    bench = Bench()
    events = bench.send({"type": "response.create"})
    events += bench.answer(Speech(loud(100), "Hello"), Speech(loud(100), " there."))
    assert types(events)[3:13] == [
        "response.content_part.added",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
    ]
    assert only(events, "response.content_part.added")["part"] == {"type": "audio", "transcript": ""}
    done = only(events, "response.done")["response"]
    assert done["output"][0]["content"] == [{"type": "output_audio", "transcript": "Hello there."}]


def test_odd_bytes_of_a_voice_never_split_a_sample() -> None:
    bench = Bench()
    bench.send({"type": "response.create"})
    events = bench.answer(Speech(b"\x01\x02\x03", "a"), Speech(b"\x04\x05\x06\x07", "b"))
    deltas = [event["delta"] for event in events if event["type"] == "response.output_audio.delta"]
    assert deltas == ["AQI=", "AwQFBg=="]


def test_a_message_and_then_calls_are_items_of_one_response() -> None:
    bench = text_bench()
    bench.send({"type": "response.create"})
    events = bench.answer(Say("One moment."), Call("f", '{"a": 1}', "call_a"), Call("g"), CallArguments("{}"))
    output = only(events, "response.done")["response"]["output"]
    assert [(item["type"], item["status"]) for item in output] == [
        ("message", "completed"),
        ("function_call", "completed"),
        ("function_call", "completed"),
    ]
    assert [item.get("arguments") for item in output[1:]] == ['{"a": 1}', "{}"]
    added = [event for event in events if event["type"] == "response.output_item.added"]
    assert [event["output_index"] for event in added] == [0, 1, 2]
    assert (added[1]["item"]["status"], added[1]["item"]["arguments"]) == ("in_progress", "")
    done = next(event for event in events if event["type"] == "response.function_call_arguments.done")
    assert (done["name"], done["call_id"], done["arguments"]) == ("f", "call_a", '{"a": 1}')
    order = types(events)
    first_call = order.index("response.function_call_arguments.delta")
    assert order[first_call - 2 : first_call] == ["response.output_item.added", "conversation.item.added"]


def test_tool_choice_none_allows_no_call() -> None:
    bench = text_bench()
    bench.send({"type": "response.create", "response": {"tool_choice": "none"}})
    events = bench.answer(Call("f", "{}"), Say("No tools."))
    assert [item["type"] for item in only(events, "response.done")["response"]["output"]] == ["message"]


def test_without_parallel_tool_calls_there_is_one() -> None:
    bench = text_bench()
    bench.send({"type": "response.create", "response": {"parallel_tool_calls": False}})
    events = bench.answer(Call("f", "{}"), Call("g", "{}"))
    assert [item["name"] for item in only(events, "response.done")["response"]["output"]] == ["f"]


def test_a_response_overrides_the_session() -> None:
    bench = Bench()
    bench.send(update(instructions="session", tools=[{"type": "function", "name": "f"}]))
    bench.send(user("hi"))
    bench.send(
        {
            "type": "response.create",
            "response": {
                "instructions": "response",
                "tools": [],
                "output_modalities": ["text"],
                "max_output_tokens": 50,
                "metadata": {"k": "v"},
                "tool_choice": "auto",
            },
        }
    )
    request = bench.thinks[-1].request
    assert (request.instructions, request.tools, request.output) == ("response", [], "text")
    assert (request.max_output_tokens, request.metadata) == (50, {"k": "v"})
    done = only(bench.answer(Say("x")), "response.done")["response"]
    assert done["metadata"] == {"k": "v"}
    assert done["max_output_tokens"] == 50


def test_null_instructions_mean_those_of_the_session() -> None:
    bench = Bench()
    bench.send(update(instructions="session"), {"type": "response.create", "response": {"instructions": None}})
    assert bench.thinks[-1].request.instructions == "session"


def test_a_second_response_is_refused_and_the_first_goes_on() -> None:
    bench = text_bench()
    bench.send({"type": "response.create"})
    told = error(bench.send({"type": "response.create", "event_id": "second"}))
    assert (told["code"], told["event_id"]) == ("conversation_already_has_active_response", "second")
    assert only(bench.answer(Say("x")), "response.done")["response"]["status"] == "completed"


def test_responses_outside_of_the_conversation_run_beside_it() -> None:
    bench = text_bench()
    bench.send(user("hi", id="a"), {"type": "response.create"})
    outside = {"conversation": "none", "metadata": {"topic": "x"}, "input": [{"type": "item_reference", "id": "a"}]}
    created = bench.send({"type": "response.create", "response": outside})
    assert created[0]["response"]["conversation_id"] is None
    first, second = bench.thinks
    assert [item["id"] for item in second.request.items] == ["a"]
    events = bench.answer(Say("aside"), think=second)
    assert not [name for name in types(events) if name.startswith("conversation.item")]
    done = only(events, "response.done")["response"]
    assert (done["metadata"], done["conversation_id"]) == ({"topic": "x"}, None)
    assert len(bench.engine.conversation) == 1
    assert only(bench.answer(Say("main"), think=first), "response.done")["response"]["conversation_id"]


def test_input_replaces_the_context() -> None:
    bench = text_bench()
    bench.send(user("old"))
    raw = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "new"}]}
    bench.send({"type": "response.create", "response": {"input": [raw]}})
    (item,) = bench.thinks[-1].request.items
    assert item["content"][0]["text"] == "new"
    bench.answer()
    bench.send({"type": "response.create", "response": {"input": []}})
    assert bench.thinks[-1].request.items == []
    bench.answer()
    bad = {"conversation": "none", "input": [{"type": "item_reference", "id": "gone"}]}
    assert error(bench.send({"type": "response.create", "response": bad}))["param"] == "response.input[0].id"


def test_a_cancelled_response_is_closed_properly() -> None:
    bench = Bench()
    bench.send({"type": "response.create"})
    bench.answer(Speech(loud(100), "Half a"), end=False)
    events = bench.send({"type": "response.cancel"})
    assert types(events) == [
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    response = only(events, "response.done")["response"]
    assert response["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    assert response["output"][0]["status"] == "incomplete"
    assert response["output"][0]["content"][0]["transcript"] == "Half a"
    assert isinstance(bench.effects[-1], Halt)
    assert bench.answer(Speech(loud(100), "late")) == []  # what comes after is nobody's
    assert error(bench.send({"type": "response.cancel"}))["code"] == "response_cancel_not_active"


def test_a_cancelled_call_is_incomplete_with_its_arguments_so_far() -> None:
    bench = text_bench()
    bench.send({"type": "response.create"})
    bench.answer(Call("f", '{"a"'), end=False)
    events = bench.send({"type": "response.cancel"})
    assert types(events)[0] == "response.function_call_arguments.done"
    assert only(events, "response.done")["response"]["output"][0]["status"] == "incomplete"


def test_a_response_is_cancelled_by_its_id() -> None:
    bench = text_bench()
    bench.send({"type": "response.create", "response": {"conversation": "none"}})
    outside = bench.thinks[-1].request.response_id
    assert error(bench.send({"type": "response.cancel"}))["code"] == "response_cancel_not_active"
    events = bench.send({"type": "response.cancel", "response_id": outside})
    assert only(events, "response.done")["response"]["output"] == []
    assert (
        error(bench.send({"type": "response.cancel", "response_id": outside}))["code"] == "response_cancel_not_active"
    )


def test_a_failed_response_says_why() -> None:
    bench = text_bench()
    bench.send({"type": "response.create"})
    failure = Failed({"type": "server_error", "code": "rate_limit_exceeded", "message": "Slow down."})
    response = only(bench.answer(Say("half"), failure, end=False), "response.done")["response"]
    assert response["status"] == "failed"
    assert response["status_details"]["error"]["message"] == "Slow down."
    assert response["output"][0]["status"] == "incomplete"
    assert response["usage"]["total_tokens"] >= 0


def test_an_incomplete_response_says_why() -> None:
    bench = text_bench()
    bench.send({"type": "response.create"})
    response = only(bench.answer(Say("x"), Finished("content_filter"), end=False), "response.done")["response"]
    assert response["status_details"] == {"type": "incomplete", "reason": "content_filter"}


def test_max_output_tokens_cuts_the_answer() -> None:
    bench = text_bench()
    bench.send({"type": "response.create", "response": {"max_output_tokens": 3}})
    events = bench.answer(Say("twelve chars and more"), Say("never"))
    response = only(events, "response.done")["response"]
    assert response["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
    assert response["output"][0]["content"][0]["text"] == "twelve chars"
    assert response["usage"]["output_tokens"] == 3
    assert isinstance(bench.effects[-1], Halt)


def test_max_output_tokens_counts_audio_too() -> None:
    bench = Bench()
    bench.send({"type": "response.create", "response": {"max_output_tokens": 10}})
    response = only(bench.answer(Speech(loud(2000), "four")), "response.done")["response"]
    assert response["status"] == "incomplete"
    assert response["usage"]["output_token_details"] == {"text_tokens": 1, "audio_tokens": 9}


def test_usage_has_every_subfield_and_adds_up() -> None:
    bench = Bench()
    bench.send(user("a question of some length, so that there is something to count"))
    bench.send({"type": "response.create"})
    usage = only(bench.answer(Speech(loud(1000), "An answer.")), "response.done")["response"]["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert usage["output_token_details"] == {"text_tokens": 3, "audio_tokens": 20}
    details = usage["input_token_details"]
    assert details["text_tokens"] + details["audio_tokens"] + details["image_tokens"] == usage["input_tokens"]
    assert set(details["cached_tokens_details"]) == {"text_tokens", "audio_tokens", "image_tokens"}


def test_later_turns_are_partly_cached() -> None:
    bench = text_bench()
    bench.send(user("x" * 1000), {"type": "response.create"})
    first = only(bench.answer(Say("y")), "response.done")["response"]["usage"]
    bench.send(user("more"), {"type": "response.create"})
    second = only(bench.answer(Say("y")), "response.done")["response"]["usage"]
    assert first["input_token_details"]["cached_tokens"] == 0
    assert 0 < second["input_token_details"]["cached_tokens"] <= first["input_tokens"]
    assert second["input_token_details"]["cached_tokens"] % 64 == 0


def test_a_brain_that_counts_is_believed() -> None:
    bench = text_bench()
    bench.send({"type": "response.create"})
    told = Finished(usage={"input_tokens": 123, "output_tokens": 45})
    usage = only(bench.answer(Say("x"), told), "response.done")["response"]["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (123, 45, 168)


def test_ids_have_the_form_of_the_service() -> None:
    bench = text_bench()
    bench.send(user("x"), {"type": "response.create"})
    bench.answer(Say("y"), Call("f", "{}"))
    response = only(bench.events, "response.done")["response"]
    for id, prefix in (
        (response["id"], "resp_"),
        (response["conversation_id"], "conv_"),
        (response["output"][0]["id"], "item_"),
        (response["output"][1]["call_id"], "call_"),
        (bench.events[0]["session"]["id"], "sess_"),
    ):
        assert id.startswith(prefix)
        assert len(id) <= 32
        assert id.removeprefix(prefix).isalnum()
    ids = [event["event_id"] for event in bench.events]
    assert len(set(ids)) == len(ids)


def test_deleting_an_item_while_it_is_made_does_not_stop_the_response() -> None:
    bench = text_bench()
    bench.send({"type": "response.create"})
    added = only(bench.answer(Say("x"), end=False), "conversation.item.added")
    bench.send({"type": "conversation.item.delete", "item_id": added["item"]["id"]})
    assert only(bench.answer(Say("y")), "response.done")["response"]["status"] == "completed"
    assert len(bench.engine.conversation) == 0


def test_truncating_an_item_while_it_is_made_keeps_the_cut() -> None:
    bench = Bench()
    bench.send({"type": "response.create"})
    item_id = only(bench.answer(Speech(loud(500), "a b"), end=False), "conversation.item.added")["item"]["id"]
    bench.send({"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0, "audio_end_ms": 200})
    bench.answer(Speech(loud(500), " c d"))
    (retrieved,) = bench.send({"type": "conversation.item.retrieve", "item_id": item_id})
    assert len(retrieved["item"]["content"][0]["audio"]) == 200 * 48 * 4 // 3
    assert retrieved["item"]["content"][0]["transcript"] is None
