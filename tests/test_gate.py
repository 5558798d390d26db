"""The gate, by physics: silence stays here, speech goes out whole, and turns end as without it."""

from __future__ import annotations

import numpy as np
import pytest
from helpers_session import Heard, Lab, eventually, lab

from rtnb.core.gate import Gate
from rtnb.core.protocol import RATE

__all__ = ["lab"]

FRAME = 960


def noise(seconds: float, db: float, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 10 ** (db / 20), round(seconds * RATE))


def tone(seconds: float, db: float = -15.0) -> np.ndarray:
    t = np.arange(round(seconds * RATE)) / RATE
    syllables = 0.55 + 0.45 * np.sin(2 * np.pi * 4 * t)
    return np.sqrt(2) * 10 ** (db / 20) * syllables * np.sin(2 * np.pi * 300 * t)


def pcm(*parts: np.ndarray) -> bytes:
    return (np.clip(np.concatenate(parts), -1, 1) * 32767).astype("<i2").tobytes()


def passed(gate: Gate, data: bytes, frame: int = FRAME) -> bytes:
    step = 2 * frame
    return b"".join(piece for at in range(0, len(data), step) for piece in gate.push(data[at : at + step]))


def test_silence_is_kept_back_and_counted() -> None:
    gate = Gate()
    data = pcm(noise(10, -70))
    assert passed(gate, data) == b""
    assert not gate.is_open
    assert gate.kept_back >= len(data) - 2 * RATE * 0.35


def test_speech_goes_out_whole_with_what_stood_before_and_after_it() -> None:
    gate = Gate(preroll_ms=300, hangover_ms=1000)
    data = pcm(noise(2, -60), tone(1.5), noise(4, -60, seed=2))
    out = passed(gate, data)
    speech = data[2 * RATE * 2 : 2 * (RATE * 2 + RATE * 3 // 2)]
    at = out.find(speech)
    assert at == 2 * round(0.32 * RATE)
    assert abs(len(out) / 2 / RATE - (0.32 + 1.5 + 1.0)) < 0.3
    assert out == data[2 * RATE * 2 - at :][: len(out)], "a piece of the original, with no sample changed"


@pytest.mark.parametrize("frame", [240, 480, 960, 2400])
def test_the_size_of_the_frames_hardly_matters(frame: int) -> None:
    data = pcm(noise(2, -60), tone(1), noise(3, -60, seed=2))
    out = passed(Gate(), data, frame)
    assert data[2 * 2 * RATE : 2 * 3 * RATE] in out
    assert len(out) < len(data) * 0.5


def test_speech_above_a_fan_opens_it_and_the_fan_does_not_stay() -> None:
    gate = Gate()
    fan = pcm(noise(8, -35))
    passed(gate, fan)
    assert not gate.is_open
    out = passed(gate, pcm(noise(1, -35, seed=3), tone(1, -15) + noise(1, -35, seed=4), noise(4, -35, seed=5)))
    assert 2 * RATE * 1.8 < len(out) < 2 * RATE * 3.2
    assert not gate.is_open


def test_a_fan_that_is_switched_on_counts_as_noise_soon() -> None:
    gate = Gate()
    passed(gate, pcm(noise(2, -65)))
    out = passed(gate, pcm(noise(15, -35)))
    assert 0 < len(out) < 2 * RATE * 8
    assert not gate.is_open


def test_who_speaks_at_once_is_heard() -> None:
    out = passed(Gate(), pcm(tone(2, -20)))
    assert len(out) > 2 * RATE * 1.7


def test_it_stays_open_while_the_server_hears_speech() -> None:
    gate = Gate(hangover_ms=200)
    passed(gate, pcm(noise(1, -60), tone(0.5)))
    quiet = pcm(noise(FRAME / RATE, -70))
    assert all(gate.push(quiet, hold=True) == [quiet] for _ in range(100))
    assert gate.push(quiet) == []
    assert not gate.is_open


def test_another_recording_begins_without_the_old_ones_preroll() -> None:
    gate = Gate()
    passed(gate, pcm(noise(1, -60)))
    gate.reset()
    out = passed(gate, pcm(noise(0.04, -60, seed=9), tone(0.5)))
    assert len(out) <= 2 * RATE * 0.6


# ---- in a session


class Microphone:
    on_audio = None
    on_dropped = None
    on_recording = None
    _frames = 0

    def start(self) -> None:
        self._frames = 0
        self.on_recording(True)  # type: ignore[misc]

    def stop(self) -> None:
        self.on_recording(False)  # type: ignore[misc]

    def say(self, data: bytes) -> None:
        for at in range(0, len(data), 2 * FRAME):
            self.on_audio(data[at : at + 2 * FRAME], self._frames)  # type: ignore[misc]
            self._frames += 1


def appended(session: object) -> float:
    events = session.events.filter("input_audio_buffer.append", direction="client")  # type: ignore[attr-defined]
    return sum(len(entry.event["audio"]) for entry in events) * 3 / 4 / 2 / RATE


def test_a_gated_turn_by_hand_sends_speech_only_and_is_answered(lab: Lab) -> None:
    session = lab.session("Yes.", turn_detection=None)
    microphone = Microphone()
    session.attach(microphone=microphone)
    session.gate = True
    assert session.gate
    session.connect()
    microphone.start()
    microphone.say(pcm(noise(3, -65), tone(1), noise(6, -65, seed=2)))
    microphone.stop()
    eventually(lambda: session.replies, "an answer")
    assert session.replies[0].text == "Yes."
    assert 1.0 < appended(session) < 3.5


def test_a_recording_of_silence_alone_is_no_turn(lab: Lab) -> None:
    session = lab.session("Never.", turn_detection=None)
    hints = Heard()
    session.on("session.hint", hints)
    microphone = Microphone()
    session.attach(microphone=microphone)
    session.gate = True
    session.connect()
    microphone.start()
    microphone.say(pcm(noise(2, -65)))
    microphone.stop()
    assert "no silence" in hints.next()
    assert session.replies == []


def test_with_turn_detection_the_server_hears_the_silence_that_ends_the_turn(lab: Lab) -> None:
    session = lab.session(
        "I heard you.", turn_detection={"type": "server_vad", "silence_duration_ms": 1_400, "threshold": 0.5}
    )
    microphone = Microphone()
    session.attach(microphone=microphone)
    session.connect()
    session.gate = True
    microphone.start()
    microphone.say(pcm(np.zeros(2 * RATE), tone(1), np.zeros(2 * RATE)))  # to this detector all but zero is speech
    session.wait("input_audio_buffer.speech_stopped", timeout=20)  # until then nothing is kept back
    microphone.say(pcm(np.zeros(4 * RATE)))
    eventually(lambda: session.replies, "an answer")
    assert session.replies[0].text == "I heard you."
    assert appended(session) < 4.5
    session.gate = False
    assert not session.gate
