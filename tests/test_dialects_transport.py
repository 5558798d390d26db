"""The transport between a session and a server that is not the service: whatever comes, it goes on."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtnb.core.protocol import SERVER_EVENTS
from rtnb.core.regular import REPAIRS, Regular
from rtnb.net.dialect import DialectTransport, dialect_of
from rtnb.net.transport import memory_pair

BETA_NAMES = ("response.text.delta", "response.audio.delta", "conversation.item.created", "response.output_item.done")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "resp_1", "item_1", "completed"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "type", "role", "item", "response", "output", "status", "metadata", "error", "event_id"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
EVENTS = st.fixed_dictionaries(
    {"type": st.sampled_from([*sorted(SERVER_EVENTS), *BETA_NAMES]) | JSON},
    optional=dict.fromkeys(
        ("response", "item", "error", "session", "response_id", "item_id", "delta", "event_id", "part"), JSON
    ),
)
SENT = st.sampled_from(
    [
        {"type": "response.create", "event_id": "event_a", "response": {"metadata": {"k": "v"}}},
        {"type": "response.create", "response": None},
        {"type": "response.cancel"},
        {"type": "session.update", "event_id": "event_b", "session": {}},
    ]
)


@given(st.lists(st.tuples(st.booleans(), EVENTS, SENT), max_size=12))
def test_whatever_a_server_says_is_repaired_or_passed_on_and_never_raises(steps: list[Any]) -> None:
    regular = Regular()
    for ours, event, sent in steps:
        if ours:
            regular.sent(sent)
        else:
            before = json.dumps(event)
            told = regular(event)
            assert told
            assert json.dumps(event) == before, "the event itself was changed"
            assert told[-1].get("type") == event["type"]
    assert regular.repaired <= REPAIRS.keys()


@given(EVENTS)
def test_the_dialect_of_anything_is_asked_without_harm(event: Any) -> None:
    assert dialect_of(event) in ("ga", "beta", None)


@pytest.mark.parametrize(
    ("session", "dialect"),
    [
        ({"modalities": ["text"]}, "beta"),
        ({"input_audio_format": "pcm16", "voice": "x"}, "beta"),
        ({"output_modalities": ["text"]}, "ga"),
        ({"audio": {}, "modalities": ["text"]}, "ga"),
        ({"type": "realtime"}, None),
        ({}, None),
        (None, None),
    ],
)
def test_the_first_event_tells_the_dialect(session: Any, dialect: str | None) -> None:
    assert dialect_of({"type": "session.created", "session": session}) == dialect


def test_what_is_regular_passes_as_the_very_same_object() -> None:
    regular = Regular()
    regular.sent({"type": "response.create", "event_id": "a"})
    response = {"id": "resp_1", "status": "in_progress", "output": [], "metadata": {}}
    place = {"response_id": "resp_1", "item_id": "item_1"}
    for event in (
        {"type": "session.updated", "session": {}},
        {"type": "response.output_text.delta", **place, "delta": "x"},
        {"type": "rate_limits.updated", "rate_limits": []},
    ):
        if event["type"].startswith("response."):
            regular({"type": "response.created", "response": response})
            (told,) = regular(event)
            assert told == event
        else:
            assert regular(event) == [event]
    assert not regular.repaired


async def test_texts_that_need_no_repair_are_not_written_anew() -> None:
    ours, theirs = memory_pair()
    transport = DialectTransport(ours)
    odd = '{"type" :"response.output_text.delta",  "response_id": "resp_1", "item_id": "i", "delta": "\\u00e9"}'
    created = '{"type":  "response.created", "response": {"id": "resp_1", "output": [], "status": "in_progress"}}'
    texts = ['{"type": "session.created",   "session": {"audio": {}}}', "no json", "[1]", created, odd, odd]
    for text in texts:
        await theirs.send(text)
    await theirs.close()
    got = [text async for text in transport]
    assert [json.loads(text) if "resp_1" in str(text) else text for text in got] == [
        json.loads(text) if "resp_1" in text else text for text in texts
    ]
    assert got[-1] == odd
    assert transport.spoken.dialect == "ga"


async def test_what_the_beta_cannot_say_is_kept_once() -> None:
    ours, theirs = memory_pair()
    transport = DialectTransport(ours, "beta")
    for _ in range(3):
        await transport.send(json.dumps({"type": "session.update", "session": {"reasoning": {"effort": "low"}}}))
        async with asyncio.timeout(20):
            assert json.loads(await anext(aiter(theirs)))["session"] == {}
    assert [each.param for each in transport.spoken.dropped] == ["session.reasoning"]
    frame = b'{"type":"input_audio_buffer.append","audio":"' + b"A" * 1000 + b'"}'
    await transport.send(frame)
    async with asyncio.timeout(20):
        assert await anext(aiter(theirs)) == frame
