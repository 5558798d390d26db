from __future__ import annotations

import json
from typing import Any

import pytest
from helpers_brains import (
    arguments_of,
    assistant,
    call_delta,
    called,
    delta,
    output,
    request,
    spoken,
    system,
    tool,
    user,
    words_of,
)

from rtnb.local.brains.chat_wire import Lines, Reading, body, endpoint_of, messages
from rtnb.local.seams import Call, CallArguments, Failed, Finished, Piece, Say


def read(*chunks: dict[str, Any] | str) -> list[Piece]:
    reading = Reading()
    got = [piece for chunk in chunks for piece in reading.push(chunk if isinstance(chunk, str) else json.dumps(chunk))]
    return [*got, *reading.end()]


@pytest.mark.parametrize(
    ("url", "full"),
    [
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434/v1/chat/completions"),
        ("localhost:1234", "http://localhost:1234/v1/chat/completions"),
        ("https://host/v1/", "https://host/v1/chat/completions"),
        ("https://host/api/v3", "https://host/api/v3/chat/completions"),
        ("https://host/v1beta/openai", "https://host/v1beta/openai/chat/completions"),
        ("https://host/proxy", "https://host/proxy/v1/chat/completions"),
        ("https://host/x/chat/completions?api-version=1", "https://host/x/chat/completions?api-version=1"),
    ],
)
def test_every_form_of_address_leads_to_the_same_door(url: str, full: str) -> None:
    assert endpoint_of(url) == full


def test_a_conversation_keeps_its_order_and_roles() -> None:
    items = [system("Be kind."), user("hi"), assistant("hello"), spoken("bye")]
    assert messages("Rules.", items) == [
        {"role": "system", "content": "Rules."},
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "hello"},
        {"role": "user", "content": "bye"},
    ]


def test_speech_that_was_not_understood_is_said_to_be() -> None:
    assert "not understood" in messages("", [spoken(None)])[0]["content"]


def test_a_picture_is_passed_as_an_image_url() -> None:
    parts = [
        {"type": "input_text", "text": "what is it"},
        {"type": "input_image", "image_url": "data:image/png;base64,AA", "detail": "low"},
    ]
    (message,) = messages("", [{"type": "message", "role": "user", "content": parts}])
    assert message["content"] == [
        {"type": "text", "text": "what is it"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA", "detail": "low"}},
    ]


def test_calls_of_one_round_share_a_message_and_are_answered_right_after_it() -> None:
    items = [user("hi"), called("a", "{}", "1"), called("b", '{"x": 1}', "2"), output("one", "1"), output("two", "2")]
    _, calls, first, second = messages("", items)
    assert [call["function"]["name"] for call in calls["tool_calls"]] == ["a", "b"]
    assert (first, second) == (
        {"role": "tool", "tool_call_id": "1", "content": "one"},
        {"role": "tool", "tool_call_id": "2", "content": "two"},
    )


def test_calls_of_two_rounds_stay_apart() -> None:
    items = [called("a", "{}", "1"), output("one", "1"), called("b", "{}", "2"), output("two", "2")]
    assert [message["role"] for message in messages("", items)] == ["assistant", "tool", "assistant", "tool"]


def test_words_before_a_call_are_in_its_message() -> None:
    said, answer = messages("", [assistant("One moment."), called("a", "{}", "1")])
    assert said["content"] == "One moment."
    assert said["tool_calls"][0]["id"] == "1"
    assert answer["role"] == "tool"
    assert "no result" in answer["content"]


def test_a_late_output_is_moved_to_its_call() -> None:
    items = [called("a", "{}", "1"), user("and?"), output("one", "1")]
    roles = [(message["role"], message.get("content")) for message in messages("", items)]
    assert roles == [("assistant", None), ("tool", "one"), ("user", "and?")]


def test_a_second_output_of_a_call_is_told_where_it_came() -> None:
    items = [called("a", "{}", "1"), output("under way", "1"), user("and?"), output("done", "1")]
    assert messages("", items)[-1] == {"role": "system", "content": "Later result of a: done"}


def test_an_output_without_a_call_is_told_as_well() -> None:
    assert messages("", [output("one", "9")]) == [{"role": "system", "content": "Result of a tool: one"}]


def test_tool_choice_none_leaves_the_tools_out() -> None:
    assert "tools" not in body(request([user("hi")], tools=[tool("a")], tool_choice="none"), "m")


def test_a_named_tool_is_demanded_in_the_form_of_the_chat_api() -> None:
    wanted = body(request([user("hi")], tools=[tool("a")], tool_choice={"type": "function", "name": "a"}), "m")
    assert wanted["tool_choice"] == {"type": "function", "function": {"name": "a"}}


def test_a_tool_without_parameters_gets_an_empty_schema() -> None:
    wanted = body(request([user("hi")], tools=[{"type": "function", "name": "a"}, {"type": "mcp"}]), "m")
    assert wanted["tools"] == [
        {
            "type": "function",
            "function": {"name": "a", "description": "", "parameters": {"type": "object", "properties": {}}},
        }
    ]


def test_events_are_read_with_and_without_spaces_comments_and_empty_lines() -> None:
    lines = Lines()
    text = [": ping", "event: x", 'data: {"a": 1}', "", 'data:{"b": 2}', 'data: {"c":', "data: 3}", "", "data: [DONE]"]
    got = [data for line in text if (data := lines.push(line)) is not None]
    assert [*got, lines.end()] == ['{"a": 1}', '{"b": 2}', '{"c":\n3}', "[DONE]"]


def test_a_call_in_one_chunk_without_an_index_is_a_call() -> None:
    got = read(call_delta('{"a": 1}', id="x", name="f"), delta("tool_calls"))
    assert got == [Call("f", "", "x"), CallArguments('{"a": 1}')]


def test_several_calls_in_one_chunk_are_several_calls() -> None:
    both = delta(
        tool_calls=[{"function": {"name": "f", "arguments": "{}"}}, {"function": {"name": "g", "arguments": "{}"}}]
    )
    assert [piece.name for piece in read(both, delta("stop")) if isinstance(piece, Call)] == ["f", "g"]


def test_calls_whose_pieces_are_mixed_are_sorted_out() -> None:
    got = read(
        call_delta("", index=0, id="1", name="f"),
        call_delta("", index=1, id="2", name="g"),
        call_delta('{"a"', index=0),
        call_delta('{"b"', index=1),
        call_delta(": 1}", index=0),
        call_delta(": 2}", index=1),
    )
    assert got == [Call("f", "", "1"), CallArguments('{"a"'), CallArguments(": 1}"), Call("g", '{"b": 2}', "2")]


def test_calls_that_all_have_index_zero_are_told_apart_by_their_ids() -> None:
    got = read(call_delta("{}", index=0, id="1", name="f"), call_delta("{}", index=0, id="2", name="g"))
    assert [piece.name for piece in got if isinstance(piece, Call)] == ["f", "g"]


def test_an_id_repeated_with_every_piece_is_one_call() -> None:
    got = read(call_delta('{"a"', index=0, id="1", name="f"), call_delta(": 1}", index=0, id="1", name="f"))
    assert [piece for piece in got if isinstance(piece, Call)] == [Call("f", "", "1")]
    assert arguments_of(got) == '{"a": 1}'


def test_a_call_without_arguments_has_an_empty_object() -> None:
    assert read(call_delta("", index=0, id="1", name="f")) == [Call("f", "", "1"), CallArguments("{}")]


def test_an_id_too_long_for_the_protocol_is_left_to_the_endpoint() -> None:
    assert read(call_delta("{}", index=0, id="chatcmpl-tool-" + "a" * 32, name="f"))[0] == Call("f", "", None)


def test_the_old_function_call_is_understood() -> None:
    got = read(delta(function_call={"name": "f", "arguments": ""}), delta(function_call={"arguments": '{"a": 1}'}))
    assert got == [Call("f"), CallArguments('{"a": 1}')]


def test_thoughts_are_not_spoken() -> None:
    reasoning = delta(reasoning_content="hm", content=None)
    tagged = [delta(content=text) for text in ("<th", "ink>let me", " see</thi", "nk>\n\nYes", ", <think>")]
    assert words_of(read(reasoning, *tagged)) == "Yes, <think>"


def test_an_answer_that_only_looks_like_a_thought_is_spoken() -> None:
    assert words_of(read(delta(content="<thin"), delta(content="g> is small"))) == "<thing> is small"
    assert words_of(read(delta(content="<"))) == "<"


def test_content_in_parts_and_refusals_are_words() -> None:
    assert read(delta(content=[{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])) == [Say("ab")]
    assert read(delta(refusal="I may not.")) == [Say("I may not.")]


def test_chunks_without_choices_and_null_usage_do_no_harm() -> None:
    assert read({"choices": []}, {"choices": None}, {"choices": [], "usage": None}, "[]", delta(content="a")) == [
        Say("a")
    ]


def test_a_piece_that_is_no_json_is_a_failure() -> None:
    (failed,) = read("{broken")
    assert isinstance(failed, Failed)
    assert failed.error["code"] == "broken_stream"


def test_usage_beside_a_cut_answer_is_kept() -> None:
    usage = {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}
    assert read(delta("length"), usage) == [Finished("max_output_tokens", {"input_tokens": 1, "output_tokens": 2})]
