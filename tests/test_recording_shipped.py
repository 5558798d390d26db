"""The recordings that come with the lessons: whole, small, without keys, and as the lessons need them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from helpers_recordings import everything_in
from helpers_session import TIMEOUT_S

import rtnb
from rtnb.core.keys import find_keys

FOLDER = Path(__file__).resolve().parent.parent / "notebooks" / "data" / "recordings"
NAMES = ["interrupted", "text_and_tool"]


def test_these_two_are_there() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_it_is_whole_and_small_and_holds_no_key(name: str) -> None:
    recording = rtnb.load(FOLDER / name)
    assert recording.missing == []
    assert recording.name == name
    assert sum(path.stat().st_size for path in (FOLDER / name).rglob("*") if path.is_file()) < 400_000
    assert find_keys(everything_in(FOLDER / name).decode("latin-1")) == []


def test_the_one_has_a_tool_and_its_cells_run_with_it() -> None:
    with rtnb.Session(rtnb.load(FOLDER / "text_and_tool").endpoint(speed=math.inf), output="text") as session:

        @session.tool
        def calculate_sum(a: float, b: float) -> float:
            """Add two numbers. Use it when asked to add, for example 'What's 4 + 6?'."""
            return a + b

        assert session.ask("What is the capital of France?").text == "The capital of France is Paris."
        reply = session.ask("What is 4 plus 6?")
        assert reply.text == "4 plus 6 is 10."
        assert reply.tool_calls[0].arguments == {"a": 4, "b": 6}


def test_the_other_has_an_answer_that_was_generated_delivered_and_heard_in_part() -> None:
    recording = rtnb.load(FOLDER / "interrupted")
    question, story, second, answer = recording.items
    assert [item.role for item in recording.items] == ["user", "assistant"] * 2
    assert question.text == "Tell me a long story."
    assert story.truncated_at_ms is not None
    assert 0 < story.truncated_at_ms < story.audio_ms
    heard = max(report.samples for report in recording.heard if report.item_id == story.id) / 24
    assert story.truncated_at_ms == pytest.approx(heard, abs=1)
    assert story.heard_transcript != story.text
    assert "four plus six" in second.text
    assert "10" in answer.text
    assert recording.audio().seconds > 3
    assert [turn.kind for turn in recording.turns] == ["speech", "speech"]
    assert recording.latency["first_heard"].n == 2


def test_the_other_is_seen_again_by_who_only_watches() -> None:
    endpoint = rtnb.load(FOLDER / "interrupted").endpoint(speed=math.inf)
    with rtnb.Session(endpoint, turn_detection="server_vad") as session:
        session.wait("response.done", where=lambda event: event["response"]["status"] == "completed", timeout=TIMEOUT_S)
        assert [item.role for item in session.items] == ["user", "assistant"] * 2
        assert [reply.status for reply in session.replies] == ["cancelled", "completed"]
