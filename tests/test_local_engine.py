from __future__ import annotations

from helpers_local import Bench, error, loud, only, text_bench, types, update, user

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
