"""The rules of staying connected, without a connection: what is tried, what a new one is told, what it changes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rtnb.core.conversation import Conversation, Item
from rtnb.core.errors import ConnectionClosed, ConnectionFailed, ProtocolError, RtnbError, ServerError
from rtnb.core.lint import lint
from rtnb.core.log import EventLog
from rtnb.core.restore import create_events, item_of, unanswered
from rtnb.core.staying import backoff, cause, is_worth_retrying, rotation

CREATED = {"type": "session.created", "session": {"type": "realtime"}}


def added(item_id: str, *content: dict[str, Any], _name: str = "added", **item: Any) -> dict[str, Any]:
    described = {"id": item_id, "type": "message", "role": "user", "content": list(content), **item}
    return {"type": f"conversation.item.{_name}", "item": described}


def text(words: str, kind: str = "input_text") -> dict[str, Any]:
    return {"type": kind, "text": words}


def told(*events: dict[str, Any]) -> Conversation:
    conversation = Conversation()
    conversation.apply(CREATED)
    for event in events:
        conversation.apply(event)
    return conversation


ANSWERING = [
    added("item_q", text("question")),
    {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress", "conversation_id": "conv_1"}},
    {"type": "response.output_item.added", "response_id": "resp_1", "item": {"id": "item_a", "type": "message"}},
    {**added("item_a", role="assistant", status="in_progress"), "previous_item_id": "item_q"},
]
PIECE = {"type": "response.output_text.delta", "response_id": "resp_1", "item_id": "item_a", "delta": "half"}
CALL = [
    {
        "type": "response.output_item.added",
        "response_id": "resp_1",
        "item": {"id": "item_c", "type": "function_call", "name": "f", "call_id": "call_1", "arguments": ""},
    },
    {
        "type": "conversation.item.added",
        "item": {"id": "item_c", "type": "function_call", "name": "f", "call_id": "call_1", "arguments": ""},
    },
]


# ---- when


def test_waits_grow_up_to_a_limit_and_are_shortened_by_chance() -> None:
    assert [backoff(attempt, 1.0) for attempt in range(7)] == [0.25, 0.5, 1, 2, 4, 8, 8]
    assert backoff(1000, 0.0) == 4.0
    assert all(backoff(3, 0.0) <= backoff(3, chance / 10) <= backoff(3, 1.0) for chance in range(10))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionClosed("x", code=1006), True),
        (ConnectionClosed("x", code=1001), True),
        (ConnectionClosed("x", code=1011), True),
        (ConnectionClosed("x", code=1000), False),
        (ConnectionClosed("x", code=1008), False),
        (ConnectionClosed("x", code=3000, reason="invalid_request_error.invalid_api_key"), False),
        (ConnectionClosed("x", code=4001, reason="insufficient_quota"), False),
        (ConnectionFailed("x", reason="refused"), True),
        (ConnectionFailed("x", reason="name"), True),
        (ConnectionFailed("x", reason="limit"), True),
        (ConnectionFailed("x", reason="http"), True),
        (ConnectionFailed("x", reason="key"), False),
        (ConnectionFailed("x", reason="quota"), False),
        (ConnectionFailed("x", reason="model"), False),
        (ServerError({"error": {"code": "invalid_value"}}), False),
        (ProtocolError("x"), False),
        (RtnbError("x"), True),
    ],
)
def test_what_is_worth_a_try(error: RtnbError, expected: bool) -> None:
    assert is_worth_retrying(error) is expected
    assert is_worth_retrying(error, code="insufficient_quota") is False
    assert is_worth_retrying(error, code="server_error") is expected


def test_the_time_limit_is_left_a_margin() -> None:
    assert rotation(3600) == 3300
    assert rotation(10) == 8
    assert cause(RtnbError("it broke; do this; do that")) == "it broke"


# ---- what a new connection changes


def test_what_stands_keeps_standing() -> None:
    conversation = told(added("item_q", text("question")), added("item_q", text("question"), _name="done"))
    before = conversation.to_dict()["known"]
    assert [change.kind for change in conversation.apply(CREATED)] == ["session"]
    conversation.apply({"type": "conversation.item.create", "item": {"id": "item_q"}}, "client")
    for name in ("added", "done", "created"):
        assert conversation.apply(added("item_q", text("other words"), _name=name)) == ()
    assert conversation.to_dict()["known"] == before
    assert conversation.items[0].restored
    assert conversation.items[0].text == "question"


def test_an_answer_under_way_ends_where_it_was() -> None:
    conversation = told(*ANSWERING, PIECE)
    kinds = [(change.kind, change.item and change.item.id) for change in conversation.apply(CREATED)]
    assert kinds == [("item_done", "item_a"), ("response_done", None), ("session", None)]
    answer = conversation.items[1]
    assert (answer.text, answer.status, answer.done) == ("half", "incomplete", True)
    assert conversation.active is None
    assert conversation.responses[0].reason == "connection_lost"


def test_an_empty_beginning_and_a_call_that_nobody_ran_are_forgotten() -> None:
    conversation = told(*ANSWERING, *CALL)
    kinds = [(change.kind, change.item and change.item.id) for change in conversation.apply(CREATED)]
    assert kinds == [("item_deleted", "item_a"), ("item_deleted", "item_c"), ("response_done", None), ("session", None)]
    assert [item.id for item in conversation.items] == ["item_q"]
    assert conversation.responses[0].status == "failed"


def test_speech_that_was_committed_stands_and_a_transcript_is_no_longer_awaited() -> None:
    conversation = told()
    conversation.apply({"type": "session.updated", "session": {"audio": {"input": {"transcription": {"model": "x"}}}}})
    conversation.apply({"type": "input_audio_buffer.append", "audio": "AAAA" * 100}, "client")
    conversation.apply({"type": "input_audio_buffer.commit"}, "client")
    conversation.apply({"type": "input_audio_buffer.committed", "item_id": "item_s", "previous_item_id": None})
    conversation.apply({"type": "input_audio_buffer.append", "audio": "BBBB"}, "client")
    assert conversation.uncommitted == ["BBBB"]
    conversation.apply(CREATED)
    item = conversation.items[0]
    assert (item.id, len(item.audio()), item.done) == ("item_s", 300, True)
    assert item.transcription == "failed"
    assert "connection was lost" in str(item.transcription_error)
    assert conversation.uncommitted == []
    conversation.apply(added("item_s"))
    delta = {"item_id": "item_s", "content_index": 0}
    name = "conversation.item.input_audio_transcription."
    conversation.apply({"type": name + "completed", "transcript": "hello", **delta})
    assert (item.transcription, item.transcript) == ("done", "hello")
    assert conversation.apply({"type": name + "delta", "delta": "again", **delta}) == ()
    assert conversation.apply({"type": name + "completed", "transcript": "other", **delta}) == ()
    assert item.transcript == "hello"


# ---- what it is told


def test_every_kind_of_item_can_be_created_again() -> None:
    picture = {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}
    sound = {"type": "input_audio", "audio": "AAAA" * 50, "transcript": "hi"}
    mcp = {"id": "item_7", "type": "mcp_call", "server_label": "box", "name": "open", "arguments": "{}", "output": "ok"}
    conversation = told(
        added("item_1", text("be kind"), role="system"),
        added("item_2", text("look"), picture, sound),
        added("item_3", {"type": "output_audio", "transcript": "I see"}, role="assistant"),
        added("item_4", type="function_call", name="f", call_id="call_1", arguments='{"a": 1}'),
        added("item_5", type="function_call_output", call_id="call_1", output="10"),
        added("item_6", role="assistant"),
        {"type": "conversation.item.added", "item": mcp},
        added("item_8", type="mcp_list_tools", server_label="box", tools=[]),
        added("item_9", type="function_call", name="f", call_id="call_2", arguments='{"a'),
    )
    made = {event["item"]["id"]: event["item"] for event in create_events(conversation.items)}
    assert list(made) == [f"item_{number}" for number in (1, 2, 3, 4, 5, 6, 7, 9)]
    assert made["item_2"]["content"] == [text("look"), picture, sound]
    assert made["item_3"]["content"] == [text("I see", "output_text")]
    assert made["item_4"]["arguments"] == '{"a": 1}'
    assert made["item_5"]["output"] == "10"
    assert made["item_6"]["content"][0]["text"]
    assert made["item_7"] == mcp
    assert made["item_9"]["arguments"] == "{}"
    findings = [each for item in made.values() for each in lint({"type": "conversation.item.create", "item": item})]
    assert [each for each in findings if each.severity == "error"] == []


def test_long_speech_goes_as_its_words_the_oldest_first() -> None:
    sound = {"type": "input_audio", "audio": "AAAA" * 100, "transcript": "hi"}
    conversation = told(*(added(f"item_{number}", dict(sound)) for number in range(4)))
    events = create_events(conversation.items, most_audio=900)
    kinds = [event["item"]["content"][0]["type"] for event in events]
    assert kinds == ["input_text", "input_text", "input_audio", "input_audio"]
    encoded: dict[tuple[str, int], str] = {}
    first, second = (create_events(conversation.items, encoded=encoded) for _ in range(2))
    assert first[0]["item"]["content"][0]["audio"] is second[0]["item"]["content"][0]["audio"]
    assert create_events(conversation.items, bytes_per_ms=8)[0]["item"]["content"] == [text("hi")]


def test_only_what_was_heard_is_told() -> None:
    item = Item("item_a", "message", "assistant")
    conversation = told(*ANSWERING)
    for number in range(10):
        delta = {"response_id": "resp_1", "item_id": "item_a", "content_index": 0}
        conversation.apply({"type": "response.output_audio_transcript.delta", "delta": f"word{number} ", **delta})
        conversation.apply({"type": "response.output_audio.delta", "delta": "AAAA" * 1600, **delta})  # 100 ms
    item = conversation.items[1]
    whole = item_of(item)
    half = item_of(item, heard_ms=500)
    assert whole is not None
    assert half is not None
    assert whole["content"][0]["text"].startswith(half["content"][0]["text"])
    assert len(half["content"][0]["text"]) < len(whole["content"][0]["text"])


def test_what_was_never_answered_is_found_in_its_order() -> None:
    log = EventLog()

    def sent(**event: Any) -> None:
        log.append(event, "client", 0.0)

    def came(**event: Any) -> None:
        log.append(event, "server", 0.0)

    came(**CREATED)
    for name in ("kept", "open", "refused"):
        sent(type="conversation.item.create", event_id=f"event_{name}", item={"id": f"item_{name}"})
    sent(type="input_audio_buffer.commit", event_id="event_c1")
    sent(type="input_audio_buffer.commit", event_id="event_c2")
    sent(type="conversation.item.delete", event_id="event_d", item_id="item_x")
    sent(type="conversation.item.retrieve", event_id="event_r", item_id="item_y")
    sent(type="response.create", event_id="event_a1")
    sent(type="response.create", event_id="event_a2")
    sent(type="session.update", event_id="event_u", session={})
    came(**added("item_kept"))
    came(type="error", error={"event_id": "event_refused", "code": "x"})
    came(type="error", error={"event_id": None})
    came(type="error", error="text")
    came(type="input_audio_buffer.committed", item_id="item_z")
    came(type="conversation.item.deleted", item_id="item_x")
    came(type="response.created", response={})
    found = [event["event_id"] for event in unanswered(log)]
    assert found == ["event_open", "event_c2", "event_r", "event_a2"]
    assert json.dumps(unanswered(log))
