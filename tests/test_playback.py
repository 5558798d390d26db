from __future__ import annotations

import pytest

from rtnb.core.playback import Cut, Ledger, looks_like_echo

SECOND = 48_000  # bytes
HALF = 12_000  # samples


def playing(*items: str, n_bytes: int = SECOND) -> Ledger:
    ledger = Ledger()
    for item in items:
        assert ledger.receive(item, n_bytes)
    return ledger


def test_an_interrupted_answer_is_cut_where_it_was_heard() -> None:
    ledger = playing("a")
    ledger.hear("a", 4_800, final=False)
    assert ledger.stop() == ["a"]
    assert ledger.hear("a", 6_000, final=True) == Cut("a", 250)


def test_what_was_reported_past_the_end_is_cut_at_the_end() -> None:
    ledger = playing("a")
    ledger.stop()
    assert ledger.hear("a", 99_999, final=True) == Cut("a", 1000)
    assert ledger["a"].heard_ms == ledger["a"].received_ms == 1000


def test_a_part_of_a_millisecond_is_left_off() -> None:
    ledger = playing("a")
    ledger.stop()
    assert ledger.hear("a", 6_023, final=True) == Cut("a", 250)


def test_many_small_pieces_add_up_exactly() -> None:
    ledger = Ledger()
    for _ in range(1000):
        ledger.receive("a", 7)
    assert ledger["a"].received_ms == 7000 / 48
    ledger.stop()
    assert ledger.hear("a", 3_500, final=True) == Cut("a", 145)  # 145.83


def test_telephone_audio_is_counted_in_its_own_bytes() -> None:
    ledger = Ledger()
    ledger.receive("a", 800, bytes_per_ms=8)
    assert ledger["a"].received == 2_400
    ledger.stop()
    assert ledger.hear("a", 2_000, final=True) == Cut("a", 83)


def test_an_answer_that_was_heard_to_its_end_is_not_cut() -> None:
    ledger = playing("a")
    ledger.complete("a")
    assert ledger.hear("a", 24_000, final=True) is None
    assert ledger.stop() == []


def test_nor_when_its_last_report_comes_after_the_interruption() -> None:
    ledger = playing("a")
    ledger.complete("a")
    ledger.stop()
    assert ledger.hear("a", 24_000, final=True) is None


def test_an_answer_that_goes_on_is_cut_though_all_that_came_was_heard() -> None:
    ledger = playing("a")
    ledger.stop()
    assert ledger.hear("a", 24_000, final=True) == Cut("a", 1000)


def test_what_fell_silent_by_itself_is_cut_too() -> None:
    ledger = playing("a")
    assert ledger.hear("a", HALF, final=True) == Cut("a", 500)
    assert not ledger.receive("a", SECOND)
    assert not ledger.is_playing


def test_late_audio_of_a_stopped_item_is_not_played() -> None:
    ledger = playing("a")
    ledger.stop()
    assert not ledger.receive("a", SECOND)
    assert ledger.hear("a", 0, final=True) == Cut("a", 0)
    assert not ledger.receive("a", SECOND)


def test_an_item_that_begins_unwanted_is_stopped_from_its_beginning() -> None:
    ledger = Ledger()
    assert not ledger.receive("a", SECOND, is_unwanted=True)
    assert not ledger.is_playing
    assert ledger.stop() == []
    assert ledger.hear("a", 0, final=True) == Cut("a", 0)


def test_doubled_and_unknown_reports_change_nothing() -> None:
    ledger = playing("a")
    assert ledger.hear("b", 1, final=True) is None
    ledger.stop()
    assert ledger.hear("a", 480, final=True) == Cut("a", 20)
    assert ledger.hear("a", 960, final=True) is None
    assert ledger["a"].heard == 480


def test_late_reports_do_not_turn_back_what_was_heard() -> None:
    ledger = playing("a")
    ledger.hear("a", HALF, final=False)
    ledger.hear("a", 240, final=False)
    ledger.stop()
    assert ledger.hear("a", 480, final=True) == Cut("a", 500)


def test_several_items_are_cut_each_where_it_was_heard() -> None:
    ledger = playing("a", "b", "c")
    ledger.complete("a")
    assert ledger.hear("a", 24_000, final=True) is None
    assert ledger.stop() == ["b", "c"]
    assert ledger.hear("b", HALF, final=True) == Cut("b", 500)
    assert ledger.hear("c", 0, final=True) == Cut("c", 0)


def test_after_a_lost_connection_nothing_is_cut() -> None:
    ledger = playing("a")
    ledger.clear()
    assert "a" not in ledger
    assert ledger.hear("a", HALF, final=True) is None


@pytest.mark.parametrize(
    ("said", "spoken", "is_echo"),
    [
        ("once upon a time", "Once upon a time there was a fox.", True),
        ("there was a", "Once upon a time, there was a fox.", True),
        ("stop telling me about it", "Once upon a time there was a fox.", False),
        ("a fox", "Once upon a time there was a fox.", False),  # too short to tell
        ("", "Once upon a time", False),
        ("once upon a time", "", False),
    ],
)
def test_echo_is_told_by_its_words(said: str, spoken: str, is_echo: bool) -> None:
    assert looks_like_echo(said, spoken) is is_echo
