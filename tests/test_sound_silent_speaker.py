from __future__ import annotations

import threading

import pytest
from helpers_session import eventually
from hypothesis import given
from hypothesis import strategies as st

from rtnb.session import silent_speaker
from rtnb.session.silent_speaker import SilentSpeaker

SECOND = bytes(48_000)


class Room:
    """A silent speaker on a clock that is turned by hand, and its reports."""

    def __init__(self, **options: float) -> None:
        self.now = 128.0  # and steps of eighths, which floats add up exactly
        self.speaker = SilentSpeaker(clock=lambda: self.now, **options)  # type: ignore[arg-type]
        self.reports: list[tuple[str, int, bool]] = []
        self.speaker.on_heard = lambda *report: self.reports.append(report)

    def turn(self, seconds: float) -> list[tuple[str, int, bool]]:
        self.now += seconds
        self.reports.clear()
        self.speaker.advance()
        return list(self.reports)


def test_it_counts_as_time_goes_by_and_ends_with_the_item() -> None:
    room = Room()
    room.speaker.play("a", SECOND)
    assert room.turn(0.25) == [("a", 6_000, False)]
    assert room.turn(0.25) == [("a", 12_000, False)]
    assert room.turn(5) == [("a", 24_000, False)]
    assert room.turn(5) == []
    room.speaker.end("a")
    assert room.turn(0) == [("a", 24_000, True)]
    assert room.turn(5) == []
    assert room.speaker.played.pcm == SECOND


def test_time_in_which_it_ran_dry_counts_for_nothing() -> None:
    room = Room()
    room.speaker.play("a", SECOND[:6_000])  # 125 ms
    room.turn(1)
    room.speaker.play("a", SECOND)
    assert room.turn(0.125) == [("a", 3_000 + 3_000, False)]
    room.now += 10
    room.speaker.play("a", SECOND)
    assert room.turn(0.5)[-1] == ("a", 3_000 + 24_000 + 12_000, False)


def test_a_stop_tells_how_much_was_heard_of_each_item() -> None:
    room = Room()
    for item in "abc":
        room.speaker.play(item, SECOND)
    room.speaker.end("a")
    room.now += 1.5
    room.speaker.stop()
    assert room.reports == [("a", 24_000, True), ("b", 12_000, False), ("b", 12_000, True), ("c", 0, True)]
    assert room.turn(5) == []


def test_what_ended_just_before_the_stop_is_reported_as_heard_to_its_end() -> None:
    room = Room()
    room.speaker.play("a", SECOND)
    room.speaker.end("a")
    room.now += 3
    room.speaker.stop()
    assert room.reports == [("a", 24_000, True)]


def test_late_audio_of_a_stopped_item_is_dropped() -> None:
    room = Room()
    room.speaker.play("a", SECOND)
    room.speaker.stop()
    room.speaker.play("a", SECOND)
    room.speaker.end("a")
    assert room.turn(5) == []
    assert room.speaker.played.seconds == 0


def test_items_play_one_after_the_other_though_one_is_not_complete() -> None:
    room = Room()
    room.speaker.play("a", SECOND)
    room.speaker.play("b", SECOND)
    assert room.turn(1.5) == [("a", 24_000, False), ("b", 12_000, False)]
    room.speaker.end("a")
    assert room.turn(0.5) == [("a", 24_000, True), ("b", 24_000, False)]


def test_speed_makes_the_time_go_by_faster() -> None:
    room = Room(speed=10)
    room.speaker.play("a", SECOND)
    assert room.turn(0.0625) == [("a", 15_000, False)]
    with pytest.raises(ValueError, match="above 0"):
        SilentSpeaker(speed=0)


def test_an_odd_byte_waits_for_its_other_half() -> None:
    room = Room()
    pcm = bytes(range(200))
    for at in range(0, 200, 7):
        room.speaker.play("a", pcm[at : at + 7])
    room.speaker.end("a")
    assert room.turn(1) == [("a", 100, True)]
    assert room.speaker.played.pcm == pcm


def test_it_keeps_only_the_last_of_what_it_played() -> None:
    room = Room(keep_s=1.0)
    for value in range(10):
        room.speaker.play("a", bytes([value, 0]) * 12_000)
        room.turn(0.5)
    assert room.speaker.played.seconds == 1.0
    assert set(room.speaker.played.pcm) == {0, 8, 9}


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 3_000), st.floats(0, 0.2)), max_size=30))
def test_it_never_hears_more_than_came_nor_more_than_time_allows(steps: list[tuple[str, int, float]]) -> None:
    room = Room()
    given: dict[str, int] = {"a": 0, "b": 0}
    reports: list[tuple[str, int, bool]] = []
    for item, n_samples, seconds in steps:
        room.speaker.play(item, bytes(2 * n_samples))
        given[item] += n_samples
        reports += room.turn(seconds)
        heard = {name: max((n for each, n, _ in reports if each == name), default=0) for name in given}
        assert all(heard[name] <= given[name] for name in given)
        assert sum(heard.values()) <= (room.now - 128) * 24_000 + 1
    for name in given:
        counts = [samples for each, samples, _ in reports if each == name]
        assert counts == sorted(counts)


def test_its_thread_reports_by_itself_and_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silent_speaker, "_IDLE_S", 0.01)
    speaker = SilentSpeaker(speed=100)
    reports: list[tuple[str, int, bool]] = []
    over = threading.Event()

    def heard(item: str, samples: int, final: bool) -> None:
        reports.append((item, samples, final))
        if final:
            over.set()

    speaker.on_heard = heard
    for _ in range(2):  # and begins again
        over.clear()
        speaker.play("a", SECOND)
        speaker.end("a")
        assert over.wait(10)
        assert reports[-1] == ("a", 24_000, True)
        eventually(lambda: not [each for each in threading.enumerate() if each.name == "rtnb silent speaker"])
        reports.clear()


def test_a_long_sound_is_not_copied_as_it_plays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten minutes in one piece: what is kept are views of it."""
    room = Room()
    long = bytes(600 * 48_000)
    room.speaker.play("a", long)
    for _ in range(20):
        room.turn(0.1)
    assert all(piece.obj is long for piece in room.speaker._waiting["a"])
    assert all(piece.obj is long for piece in room.speaker._played)
