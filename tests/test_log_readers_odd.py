"""One wrong event spoils no view of the log: whatever JSON stands under a known name, each reader gives what it can."""

from __future__ import annotations

import string
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtnb.core.capabilities import capabilities_of
from rtnb.core.folding import fold
from rtnb.core.log import Entry, EventLog
from rtnb.core.protocol import CLIENT_EVENTS, SERVER_EVENTS
from rtnb.core.timeline import SOUND_LANES
from rtnb.core.timeline_meter import timeline

NAMES = sorted({*CLIENT_EVENTS, *SERVER_EVENTS})
MEMBERS = [
    *("arguments", "audio", "audio_end_ms", "audio_start_ms", "call_id", "code", "content", "content_index", "delta"),
    *("error", "event_id", "format", "id", "input", "item", "item_id", "message", "metadata", "name", "output", "part"),
    *("previous_item_id", "reason", "response", "response_id", "role", "session", "status", "status_details", "text"),
    *("total_tokens", "transcript", "type", "usage"),
]
WORDS = [*NAMES, "message", "function_call", "mcp_call", "user", "assistant", "completed", "failed", "audio/pcmu", "a"]

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(WORDS),
    st.text(string.printable, max_size=8),
)


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=5)


JSON = st.recursive(SCALARS, _nested, max_leaves=12)


@st.composite
def logs(draw: st.DrawFn) -> list[tuple[Any, dict[str, Any]]]:
    def event() -> dict[str, Any]:
        members = draw(st.dictionaries(st.sampled_from(MEMBERS), JSON, max_size=6))
        return {**members, "type": draw(st.sampled_from(NAMES) | JSON)}

    return [(draw(st.sampled_from(["client", "server"])), event()) for _ in range(draw(st.integers(0, 8)))]


def log_of(*events: tuple[Any, dict[str, Any]]) -> EventLog:
    return EventLog(0.0, [Entry(place, 0.1 * place, side, event) for place, (side, event) in enumerate(events)])


def read(log: EventLog) -> None:
    drawn = timeline(log, [(0.5, "a", 2400, False)])
    assert len(drawn.rows()) == len(drawn.spans) + len(drawn.points)
    assert all(drawn.outline(lane, 16).low.size == 16 for lane in SOUND_LANES)
    assert len(capabilities_of(log)._repr_html_()) > 0
    assert sum(row.count for row in fold(log)) == len(log)
    assert "<table" in log._repr_html_()


@given(logs())
def test_any_json_under_a_known_name_stops_no_reader(events: list[tuple[Any, dict[str, Any]]]) -> None:
    assert orjson.loads(orjson.dumps(events)) is not None
    read(log_of(*events))


ODD: tuple[Any, ...] = (None, True, 5, 3.5, "x", [], ["x"], [None], {}, {"id": []})


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_a_wrong_member_hides_nothing_of_the_events_around_it(odd: Any) -> None:
    def item(**members: Any) -> dict[str, Any]:
        return {"type": "conversation.item.create", "item": {"type": "message", "role": "user", **members}}

    log = log_of(
        ("client", item(id="item_1", content=odd)),
        ("client", {"type": "response.cancel", "event_id": odd}),
        ("server", {"type": "error", "error": {"code": odd, "event_id": odd, "message": odd}}),
        ("server", {"type": "response.output_text.delta", "item_id": odd, "delta": "one"}),
        ("client", item(id="item_2", content=[{"type": "input_text", "text": "hello"}])),
        ("server", {"type": "response.output_text.delta", "item_id": "item_3", "delta": "two"}),
    )
    read(log)
    spoken = {span.item_id: span.text for span in timeline(log).spans if span.lane == "words"}
    assert spoken["item_2"] == "hello"
    assert spoken["item_3"] == "two"
    assert capabilities_of(log)["text"].has is True
