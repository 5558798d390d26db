"""Sessions with servers that are compatible, more or less: text, audio, tools and interruption, whatever is missing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from helpers_odd_server import ODDITIES, TIMEOUT_S, OddServer

import rtnb

EACH = sorted(ODDITIES)
# What cannot be told apart without it: whose piece a piece is, or that anything began.
SETS = [*((name,) for name in EACH), tuple(EACH[:0])]
MANY = ("no-event-ids", "no-metadata", "nulls", "created", "late-rate-limits", "no-usage", "no-statuses", "bare-errors")
MUTE = ("no-response-created", "no-output-items", "no-items", "no-deltas", "no-metadata", "no-usage", "no-event-ids")
CASES = [*SETS, MANY, MUTE]


def name(oddities: tuple[str, ...]) -> str:
    return "+".join(oddities) if 0 < len(oddities) < 3 else f"{len(oddities)} oddities"


@pytest.fixture(params=CASES, ids=name)
def server(request: pytest.FixtureRequest) -> OddServer:
    return OddServer(*request.param)


@pytest.fixture
def url(server: OddServer) -> Iterator[str]:
    with server.run() as url:
        yield url


def test_a_text_turn(url: str) -> None:
    with rtnb.Session(url, output="text", transcription=None) as session:
        for _ in range(2):
            reply = session.ask("hello", timeout=TIMEOUT_S)
            assert reply.text == "Hello from the odd server."
            assert reply.status == "completed"


def test_an_audio_turn(url: str) -> None:
    with rtnb.Session(url, transcription=None) as session:
        reply = session.ask(rtnb.Audio.from_array([0.1] * 4800, 24_000), timeout=TIMEOUT_S)
        assert reply.text == "Hello from the odd server."
        assert reply.audio.seconds == pytest.approx(1.0)


def test_a_tool_turn(url: str) -> None:
    with rtnb.Session(url, output="text", transcription=None) as session:

        @session.tool
        def calculate_sum(a: float, b: float) -> float:
            """Add two numbers."""
            return int(a + b)

        reply = session.ask("sum", timeout=TIMEOUT_S)
        assert reply.text == "It is 10."
        assert [(call.name, call.output) for call in reply.tool_calls] == [("calculate_sum", "10")]


def test_an_interruption(url: str, server: OddServer) -> None:
    with rtnb.Session(url, transcription=None) as session:
        reply = session.ask("long", timeout=TIMEOUT_S)
        session.wait("response.output_audio.delta", timeout=TIMEOUT_S)
        session.interrupt()
        reply.wait(TIMEOUT_S)
        server.wait_for(lambda event: event["type"] == "response.cancel")
        assert reply.status == "cancelled"
        assert session.ask("hello", timeout=TIMEOUT_S).text == "Hello from the odd server."


def test_a_refused_update_is_told_though_the_error_does_not_name_it() -> None:
    with OddServer("bare-errors").run() as url, rtnb.Session(url, output="text", transcription=None) as session:
        with pytest.raises(rtnb.ServerError, match="refused"):
            session.update(instructions="refuse me")
        assert session.ask("hello", timeout=TIMEOUT_S).text == "Hello from the odd server."


def test_what_a_server_lacks_is_known_and_said_in_words() -> None:
    odd = OddServer("no-metadata", "no-usage", "no-event-ids", "nulls", "no-session-updated", "no-items")
    with odd.run() as url, rtnb.Session(url, transcription=None) as session:
        before = session.capabilities
        assert before["speech"].has is None
        assert "not known" in repr(rtnb.Session(url).capabilities)
        session.ask("hello", timeout=TIMEOUT_S).wait(TIMEOUT_S)
        reply = session.ask("long", timeout=TIMEOUT_S)
        session.wait("response.output_audio.delta", timeout=TIMEOUT_S)
        session.send({"type": "conversation.item.truncate", "item_id": "x", "content_index": 0, "audio_end_ms": 0})
        session.interrupt()
        reply.wait(TIMEOUT_S)
        found = session.capabilities
    has = {each.name: each.has for each in found}
    assert (has["speech"], has["interruption"]) == (True, True)
    for lacking in ("metadata", "usage", "truncation", "settings", "nulls"):
        assert has[lacking] is False, lacking
    assert found["truncation"].source == "refused"
    assert "truncation is not supported" in found["truncation"].words
    assert any("cost is not known" in sentence for sentence in found.lacks)
    assert "not known" in found._repr_html_()
    assert found.to_dict()[0]["what"] == "text"
    with pytest.raises(KeyError, match="tools"):
        found["nonsense"]


def test_of_the_service_and_of_the_local_endpoint_it_is_known_beforehand() -> None:
    with rtnb.Session("local") as session:
        assert session.capabilities["truncation"].has is True
        assert session.capabilities["pictures"].has is None
        assert session.capabilities.dialect == "ga"
    assert rtnb.Session("openai", key="sk-" + "x" * 20).capabilities["tools"].source == "known"


def test_an_item_that_is_none_does_not_end_a_wait_for_another() -> None:
    with OddServer("bare-items").run() as url, rtnb.Session(url, output="text", turn_detection=None) as session:
        assert session.insert("kept", timeout=TIMEOUT_S).text == "kept"
        session.append_audio(rtnb.Audio.from_array([0.1] * 4800, 24_000))
        assert session.commit(timeout=TIMEOUT_S).role == "user"
