"""Any order of arrivals, reports and interruptions, between a ledger, a loudspeaker and what the service takes."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from rtnb.core.playback import Cut, Ledger

MS = 48


class Playing(RuleBasedStateMachine):
    """A response speaks, a loudspeaker plays and reports (late, doubled), somebody interrupts."""

    items: Bundle[str] = Bundle("items")
    reports: Bundle[tuple[str, int, bool]] = Bundle("reports")

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.sent: dict[str, int] = {}  # bytes that the server sent
        self.given: dict[str, int] = {}  # samples that the loudspeaker got
        self.heard: dict[str, int] = {}  # samples that it truly played
        self.complete: set[str] = set()
        self.refused: set[str] = set()  # stopped before: may never play again
        self.over: set[str] = set()  # the loudspeaker gave its last report
        self.told: dict[str, int] = {}  # the most that the ledger was told of
        self.told_last: set[str] = set()
        self.cuts: dict[str, int] = {}

    @rule(target=items, number=st.integers(0, 5))
    def begin(self, number: int) -> str:
        return f"item_{number}"

    @rule(item=items, n_bytes=st.integers(0, 5_000), is_unwanted=st.booleans())
    def arrive(self, item: str, n_bytes: int, is_unwanted: bool) -> None:
        if item in self.complete:
            return
        is_new = item not in self.sent
        self.sent[item] = self.sent.get(item, 0) + n_bytes
        plays = self.ledger.receive(item, n_bytes, is_unwanted=is_unwanted)
        if is_new and is_unwanted:
            self.refused.add(item)
        assert plays == (item not in self.refused and item not in self.told_last)
        if plays and item not in self.over:
            self.given[item] = self.sent[item] // 2

    @rule(item=items)
    def end(self, item: str) -> None:
        if item in self.sent:
            self.complete.add(item)
            self.ledger.complete(item)

    @rule(target=reports, item=items, share=st.floats(0, 1))
    def play(self, item: str, share: float) -> tuple[str, int, bool]:
        """The loudspeaker plays some of what waits; its report is on its way."""
        before = self.heard.get(item, 0)
        if item not in self.over:
            self.heard[item] = before + int((self.given.get(item, 0) - before) * share)
        return item, self.heard.get(item, 0), False

    @rule(target=reports, item=items)
    def finish(self, item: str) -> tuple[str, int, bool]:
        """It falls silent: at the end, by an interruption or by itself."""
        is_last = item in self.sent
        if is_last:
            self.over.add(item)
        return item, self.heard.get(item, 0), is_last

    @rule(report=consumes(reports), twice=st.booleans())
    def report(self, report: tuple[str, int, bool], twice: bool) -> None:
        item, samples, final = report
        was_over = item in self.told_last
        if item in self.sent and not was_over:
            self.note(item, samples)
            if final:
                self.told_last.add(item)
        self.take(item, self.ledger.hear(item, samples, final=final), may_cut=final and not was_over)
        if twice:
            assert self.ledger.hear(item, samples, final=final) is None

    @rule(item=items, samples=st.integers(-10, 10_000))
    def nonsense(self, item: str, samples: int) -> None:
        """A loudspeaker that counts wrongly."""
        if item in self.sent and item not in self.told_last:
            self.note(item, samples)
        assert self.ledger.hear(item, samples, final=False) is None

    @rule()
    def interrupt(self) -> None:
        stopped = self.ledger.stop()
        assert set(stopped) == set(self.sent) - self.refused - self.told_last
        self.refused.update(stopped)
        assert not self.ledger.is_playing

    def note(self, item: str, samples: int) -> None:
        """What the ledger is told, as far as it can be true when it is told."""
        self.told[item] = max(self.told.get(item, 0), min(samples, self.sent[item] // 2))

    def take(self, item: str, cut: Cut | None, *, may_cut: bool) -> None:
        received, heard = self.sent.get(item, 0) // 2, self.told.get(item, 0)
        if not may_cut:
            assert cut is None
            return
        if item in self.complete and received - heard < MS // 2:
            assert cut is None, "it was heard to its end"
            return
        assert cut is not None
        assert cut.item_id == item not in self.cuts, "twice"
        assert type(cut.audio_end_ms) is int
        assert 0 <= cut.audio_end_ms <= heard / 24
        assert cut.audio_end_ms <= self.sent[item] // MS, "past the end: the service refuses it"
        assert heard / 24 - cut.audio_end_ms < 1
        self.cuts[item] = cut.audio_end_ms

    @invariant()
    def nothing_is_heard_that_was_not_received(self) -> None:
        for track in self.ledger:
            assert 0 <= track.heard <= track.received == self.sent[track.item_id] // 2

    @invariant()
    def playing_is_what_was_neither_stopped_nor_over(self) -> None:
        assert self.ledger.is_playing == bool(set(self.sent) - self.refused - self.told_last)


Playing.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestPlaying = Playing.TestCase
