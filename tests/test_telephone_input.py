"""G.711 on the way to the server: whatever sound is given, the wire has what the session's input format says."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from rtnb import Audio, LocalEndpoint, ProtocolError, Session
from rtnb.core.audio import decode_pcma, decode_pcmu
from rtnb.session.telephone import Line, ToTelephone, encoded

DECODE = {"audio/pcmu": decode_pcmu, "audio/pcma": decode_pcma}
laws = pytest.mark.parametrize("law", list(DECODE))


def tone(seconds: float, hertz: float = 440) -> Audio:
    time = np.arange(round(24_000 * seconds)) / 24_000
    return Audio.from_array((0.5 * np.sin(2 * np.pi * hertz * time)).astype(np.float32), rate=24_000)


def heard(data: bytes, law: str) -> Audio:
    return Audio.from_array(DECODE[law](data), rate=8_000)


def sent(session: Session) -> bytes:
    appends = session.events.filter("input_audio_buffer.append", direction="client")
    return b"".join(base64.b64decode(entry.event["audio"]) for entry in appends)


def pitch(audio: Audio) -> float:
    spectrum = np.abs(np.fft.rfft(audio.array * np.hanning(len(audio))))
    return float(np.argmax(spectrum) * audio.rate / len(audio))


@pytest.fixture(params=list(DECODE))
def session(request: pytest.FixtureRequest) -> Iterator[Session]:
    config = {"audio": {"input": {"format": {"type": request.param}}}}
    # An endpoint of its own: a recogniser gets used to who spoke before.
    with LocalEndpoint() as endpoint, Session(endpoint, output="text", config=config) as opened:
        yield opened


def law_of(session: Session) -> str:
    return str(session.settings["audio"]["input"]["format"]["type"])


@laws
def test_chunked_equals_whole_and_is_a_sixth_of_the_bytes(law: str) -> None:
    pcm = tone(1).pcm
    whole = encoded(pcm, law)
    coder = ToTelephone(law)
    steps = [pcm[start : start + 1_914] for start in range(0, len(pcm), 1_914)]
    assert b"".join([*(coder.push(step) for step in steps), coder.flush()]) == whole
    assert len(whole) == len(pcm) // 6


@laws
def test_the_tone_stays_a_tone_of_its_pitch_and_loudness(law: str) -> None:
    back = heard(encoded(tone(1).pcm, law), law)
    assert pitch(back) == pytest.approx(440, abs=1)
    assert float(np.sqrt(np.mean(back.array[400:-400] ** 2))) == pytest.approx(0.5 / np.sqrt(2), rel=0.02)


def test_pcm_passes_a_line_untouched() -> None:
    line = Line(lambda: "audio/pcm")
    assert line.push(b"\1\2") == b"\1\2"
    assert line.flush() == b""


def test_a_line_that_was_cleared_forgets_what_it_kept_back() -> None:
    line = Line(lambda: "audio/pcmu")
    fresh = line.push(tone(0.1).pcm) + line.flush()
    line.push(tone(0.3, 1_000).pcm)
    line.clear()
    assert line.push(tone(0.1).pcm) + line.flush() == fresh


def test_appended_sound_is_encoded_whole(session: Session) -> None:
    session.append_audio(tone(0.5))
    session.append_audio(tone(0.5).pcm)
    item = session.commit()
    assert len(sent(session)) == 8_000  # one second, nothing kept back
    assert pitch(heard(sent(session), law_of(session))) == pytest.approx(440, abs=2)
    assert item.audio_ms == pytest.approx(1_000, abs=1)


def test_less_than_100_ms_is_refused_as_with_pcm(session: Session) -> None:
    session.append_audio(tone(0.09))
    with pytest.raises(ProtocolError, match="90 ms"):
        session.commit()
    session.clear_audio()
    session.append_audio(tone(0.1))
    session.commit()


def test_a_spoken_question_in_a_message_is_understood(session: Session) -> None:
    question = Audio.speak("What is the capital of France?")
    assert "Paris" in session.ask(Audio.silence(0.3) + question + Audio.silence(0.3)).text


def test_a_spoken_question_in_the_buffer_is_understood(session: Session) -> None:
    with session.recording() as answers:
        session.append_audio(Audio.silence(0.3) + Audio.speak("What is the capital of France?") + Audio.silence(0.3))
    assert "Paris" in answers[0].text


class Microphone:
    """Says what it is told to."""

    on_audio: Callable[[bytes, int], None] | None = None
    on_recording: Callable[[bool], None] | None = None
    on_dropped: Callable[[int], None] | None = None

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def say(self, sound: Audio) -> None:
        assert self.on_recording is not None
        assert self.on_audio is not None
        self.on_recording(True)
        for seq, start in enumerate(range(0, len(sound.pcm), 1_920)):
            self.on_audio(sound.pcm[start : start + 1_920], seq)
        self.on_recording(False)


def test_the_microphone_is_encoded_and_nothing_of_the_turn_is_kept_back(session: Session) -> None:
    microphone: Any = Microphone()
    session.attach(microphone=microphone)
    microphone.say(Audio.silence(0.3) + Audio.speak("What is the capital of France?") + Audio.silence(0.3))
    session.wait("response.done", timeout=60)
    assert "Paris" in session.replies[-1].text
    item = session.items[0]
    assert item.audio_ms == pytest.approx(len(sent(session)) / 8, abs=1)


def test_a_format_that_is_switched_in_an_open_session_counts_from_then_on() -> None:
    with Session("local", output="text") as session:
        session.append_audio(tone(0.2))
        session.commit()
        before = len(sent(session))
        session.update(config={"audio": {"input": {"format": {"type": "audio/pcmu"}}}})
        session.append_audio(tone(0.2))
        session.commit()
        assert before == 9_600
        assert len(sent(session)) - before == 1_600
