from __future__ import annotations

from helpers_local import Bench, error, loud, only, spoken, types, update, user

from rtnb.local.seams import Speech

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
