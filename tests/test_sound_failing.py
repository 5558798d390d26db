"""A loudspeaker that fails: what of the session needs none goes on."""

from __future__ import annotations

import pytest
from helpers_session import eventually
from helpers_sound import MS, Booth, NotingSpeaker

import rtnb
from rtnb import RtnbError
from rtnb.core.playback import Cut
from rtnb.core.saved import Heard

WORDS = "The kernel's loudspeaker cannot be opened: the device is busy."


class Failing(NotingSpeaker):
    """Fails at these calls."""

    def __init__(self, *calls: str) -> None:
        super().__init__()
        self.failing = set(calls)

    def _try(self, call: str) -> None:
        if call in self.failing:
            raise RtnbError(WORDS)

    def play(self, item_id: str, pcm: bytes) -> None:
        self._try("play")
        super().play(item_id, pcm)

    def end(self, item_id: str) -> None:
        self._try("end")
        super().end(item_id)

    def stop(self) -> None:
        self._try("stop")
        super().stop()


@pytest.mark.parametrize("call", ["play", "end"])
def test_it_is_told_once_in_its_words_and_attached_no_more(call: str) -> None:
    booth = Booth(Failing(call))
    booth.speak("a", response="R")
    booth.speak("b", response="S")
    assert [WORDS in hint for hint in booth.hints] == [True]
    assert booth.sound.speaker is None
    assert booth.speaker.on_heard is None
    assert not booth.sound.is_playing
    assert booth.cuts == []  # as without a loudspeaker: the answers stay whole


def test_what_was_interrupted_before_is_cut_where_it_was_heard() -> None:
    booth = Booth(Failing("stop"))
    booth.begin()
    booth.item("a")
    booth.delta("a", bytes(1000 * MS))
    booth.speaker.report("a", 300)
    assert booth.sound.silence()
    assert booth.cuts == [Cut("a", 300)]
    assert not booth.sound.is_playing


def test_another_loudspeaker_plays_the_next_answer() -> None:
    booth = Booth(Failing("play"))
    booth.speak("a", response="R")
    booth.sound.attach(other := NotingSpeaker())
    booth.speak("b", response="S")
    assert [item for _, item in other.calls] == ["b", "b"]
    assert booth.sound.failure == ""


def test_taking_away_one_that_cannot_even_stop_is_quiet() -> None:
    booth = Booth(Failing("stop"))
    booth.speak()
    booth.sound.attach(None)
    assert booth.hints == []
    assert not booth.sound.is_playing


def test_who_waits_for_the_rest_hears_why_it_does_not_come() -> None:
    booth = Booth(Failing())
    booth.speak("a", response="R")
    booth.speaker.report("a", 1000, final=True)
    booth.speaker.failing = {"play"}
    booth.speak("b", response="S")
    assert booth.sound.heard_of({"a"}) == (24_000, True)
    with pytest.raises(RtnbError, match="the device is busy"):
        booth.sound.heard_of({"a", "b"})


def test_the_session_around_it_goes_on() -> None:
    with rtnb.Session("local") as session:
        hints: list[str] = []
        deltas: list[object] = []
        session.on("session.hint", hints.append)
        session.on("response.output_audio.delta", deltas.append)
        session.attach(speaker=Failing("play", "end", "stop"))
        reply = session.ask("What is the capital of France?")
        assert "Paris" in reply.text
        count = len(session.events.filter("response.output_audio.delta"))
        assert count > 0
        eventually(lambda: len(deltas) == count, "each piece of sound")
        with pytest.raises(RtnbError, match="the device is busy"):
            reply.wait_heard(timeout=20)
        story = session.ask("Tell me a long story")
        session.wait("response.output_audio.delta", after=story.started_at)
        assert session.interrupt()
        assert story.wait(timeout=20).status == "cancelled"
        eventually(lambda: hints, "the hint")
        assert len(hints) == 1


def test_how_much_was_heard_is_known_without_going_through_all_reports() -> None:
    booth = Booth()
    booth.speak()
    booth.speaker.report("a", 400)
    booth.speaker.report("a", 300)

    class Closed(list[Heard]):
        def __iter__(self) -> object:  # type: ignore[override]
            raise AssertionError("each report of the session was looked at")

    booth.sound.heard = Closed(booth.sound.heard)
    assert booth.sound.heard_of({"a", "unknown"}) == (9_600, False)
    booth.sound.lost()
    assert booth.sound.heard_of({"a"}) == (9_600, True)
