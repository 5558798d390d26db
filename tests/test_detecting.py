"""What turn detection would make of a clip: known times, known words, and the same as in a session."""

from __future__ import annotations

import numpy as np
import pytest
from helpers_local import Dictation, DictationListener, LoudDetector

import rtnb
from rtnb.core.audio import Audio
from rtnb.local.detecting import DetectedTurn, detect_turns
from rtnb.notebook.turns_figure import plot_turns


def clip(*parts: tuple[float, bool]) -> Audio:
    """Stretches of loud noise (True) and of silence."""
    pieces = [Audio.tone(300, seconds) if is_loud else Audio.silence(seconds) for seconds, is_loud in parts]
    return sum(pieces[1:], pieces[0])


HESITANT = clip((0.5, False), (1.0, True), (0.6, False), (0.8, True), (3.0, False))
"""Speech from 0.5 to 1.5 and from 2.1 to 2.9."""


def detect(audio: Audio, kind: str = "server_vad", **settings) -> list[DetectedTurn]:
    return detect_turns(audio, kind, detector=LoudDetector(), **settings)


def test_a_short_silence_cuts_a_sentence_in_two() -> None:
    first, second = detect(HESITANT, silence_duration_ms=400)
    assert (first.start, first.end, first.speech_end) == pytest.approx((0.2, 1.9, 1.5), abs=0.03)
    assert (second.start, second.end, second.speech_end) == pytest.approx((1.9, 3.3, 2.9), abs=0.03)


def test_a_longer_one_waits_for_its_end_and_the_user_waits_too() -> None:
    (turn,) = detect(HESITANT, silence_duration_ms=700)
    assert (turn.start, turn.end) == pytest.approx((0.2, 3.6), abs=0.03)
    assert turn.wait == pytest.approx(0.7, abs=0.06)
    assert turn.seconds == turn.end - turn.start


def test_what_is_not_given_is_what_the_service_begins_with() -> None:
    first, _ = detect(HESITANT)
    assert first.wait == pytest.approx(0.2, abs=0.06)
    assert first.start == pytest.approx(0.2, abs=0.03)


def test_the_padding_moves_the_beginning_and_nothing_else() -> None:
    (padded,) = detect(HESITANT, silence_duration_ms=700, prefix_padding_ms=450)
    (bare,) = detect(HESITANT, silence_duration_ms=700, prefix_padding_ms=0)
    assert bare.start - padded.start == pytest.approx(0.45, abs=0.001)
    assert (bare.end, bare.noticed, bare.ended) == (padded.end, padded.noticed, padded.ended)


def test_an_event_cannot_come_before_what_it_tells_of() -> None:
    for turn in detect(HESITANT, silence_duration_ms=300):
        assert turn.start <= turn.noticed <= turn.speech_end <= turn.end <= turn.ended


def test_speech_to_the_end_is_no_turn_yet() -> None:
    assert detect(clip((0.5, False), (1.0, True))) == []


def test_silence_has_no_turns() -> None:
    assert detect(Audio.silence(3)) == []
    assert detect(Audio()) == []


def test_the_rate_of_the_clip_does_not_matter() -> None:
    one = [turn.to_dict() for turn in detect(HESITANT, silence_duration_ms=400)]
    other = [turn.to_dict() for turn in detect(HESITANT.resample(48_000), silence_duration_ms=400)]
    for mine, theirs in zip(one, other, strict=True):
        assert {k: v for k, v in mine.items() if k != "text"} == pytest.approx(
            {k: v for k, v in theirs.items() if k != "text"}, abs=0.05
        )


class Reading(Dictation):
    """Understands a text word by word, ten words a second of sound."""

    async def listen(self, settings) -> DictationListener:
        words = self.texts.pop(0).split()

        class Listener(DictationListener):
            async def push(self, pcm: bytes) -> str:
                await super().push(pcm)
                return " ".join(words[: self.ms // 100])

        return Listener(self)


def test_words_that_break_off_are_waited_for_and_whole_ones_are_not() -> None:
    spoken = clip((0.5, False), (1.0, True), (9.0, False))
    waits = {
        text: detect(spoken, "semantic_vad", hearing=Reading(text))[0]
        for text in ("what is the capital of", "what is the capital of France")
    }
    assert waits["what is the capital of"].wait > 3
    assert waits["what is the capital of France"].wait < 1
    assert waits["what is the capital of France"].text == "what is the capital of France"


def test_eagerness_says_how_long_at_most() -> None:
    spoken = clip((0.5, False), (1.0, True), (9.0, False))
    waits = [
        detect(spoken, "semantic_vad", eagerness=eagerness, hearing=Reading("and then"))[0].wait
        for eagerness in ("high", "medium", "low")
    ]
    assert waits == pytest.approx([2.0, 4.0, 8.0], abs=0.1)


async def test_words_are_listened_to_where_a_loop_runs_already() -> None:
    spoken = clip((0.5, False), (1.0, True), (2.0, False))
    (turn,) = detect(spoken, "semantic_vad", hearing=Reading("hello there"))
    assert turn.text == "hello there"


@pytest.mark.parametrize(
    ("kind", "settings", "param"),
    [
        ("server_vad", {"threshold": 2.0}, "threshold"),
        ("server_vad", {"eagerness": "low"}, "eagerness"),
        ("semantic_vad", {"threshold": 0.5}, "threshold"),
        ("semantic_vad", {"eagerness": "very"}, "eagerness"),
        ("push_to_talk", {}, "type"),
    ],
)
def test_what_the_service_would_refuse_is_refused(kind: str, settings: dict, param: str) -> None:
    with pytest.raises(rtnb.ProtocolError) as caught:
        detect(HESITANT, kind, **settings)
    assert param in str(caught.value.param)


def test_it_is_what_a_session_would_have_been_told() -> None:
    with (
        rtnb.LocalEndpoint(detector=LoudDetector, hearing=Dictation("one", "two")) as endpoint,
        rtnb.Session(
            endpoint,
            turn_detection={"type": "server_vad", "silence_duration_ms": 400, "create_response": False},
        ) as session,
    ):
        session.append_audio(HESITANT)
        after = -1
        told = []
        for _ in range(2):
            stopped = session.wait("input_audio_buffer.speech_stopped", timeout=20, after=after)
            after = session.events.find("input_audio_buffer.speech_stopped", after=after).index
            told.append(stopped["audio_end_ms"])
        starts = [entry.event["audio_start_ms"] for entry in session.events.filter("*.speech_started")]
    turns = detect(HESITANT, silence_duration_ms=400)
    assert [turn.end for turn in turns] == [ms / 1000 for ms in told]
    assert [turn.start for turn in turns] == [ms / 1000 for ms in starts]


# ---- as a picture ----------------------------------------------------------------------------------------------------


def test_each_setting_is_a_row_with_its_turns_and_waits() -> None:
    rows = {"400 ms": detect(HESITANT, silence_duration_ms=400), "$1": detect(HESITANT, silence_duration_ms=700)}
    figure = plot_turns(HESITANT, rows, title="What would have been cut out")
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["the clip", "400 ms", "$1"]
    assert [text.get_text() for text in axes.texts] == ["0.4 s", "0.4 s", "0.7 s"]
    assert len(axes.patches) == 6
    assert axes.get_xlim() == (0.0, HESITANT.seconds)
    assert figure.patch.get_alpha() == 0
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_nothing_detected_is_drawn_all_the_same() -> None:
    assert plot_turns(Audio(), {"nothing": []})._repr_png_().startswith(b"\x89PNG")
    assert np.isfinite(plot_turns(HESITANT, {}).axes[0].get_xlim()).all()
