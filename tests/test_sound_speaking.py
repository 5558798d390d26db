from __future__ import annotations

import pytest

import rtnb
from rtnb.local import speaking


def test_a_text_becomes_a_clip_of_speech() -> None:
    clip = rtnb.Audio.speak("What is four plus six?")
    assert clip.rate == 24_000
    assert 0.5 < clip.seconds < 5
    assert -40 < clip.level < -5


def test_speed_and_voice_change_the_clip() -> None:
    usual = rtnb.Audio.speak("Count from one to ten, please.")
    assert rtnb.Audio.speak("Count from one to ten, please.", speed=0.5).seconds > 1.5 * usual.seconds
    assert rtnb.Audio.speak("Count from one to ten, please.", voice="cedar").pcm != usual.pcm


def test_nothing_to_say_is_an_empty_clip() -> None:
    assert rtnb.Audio.speak("  \n").seconds == 0


@pytest.mark.parametrize("speed", [0.0, 0.2, 1.6, float("nan")])
def test_a_speed_that_the_service_would_refuse_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match=r"between 0\.25 and 1\.5"):
        speaking.speak("Hello", speed=speed)


def test_only_text_is_spoken() -> None:
    with pytest.raises(TypeError, match="not int"):
        speaking.speak(4)  # type: ignore[arg-type]


def test_a_voice_that_breaks_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> bytes:
        raise OSError("the loudspeaker is on fire")

    monkeypatch.setattr(speaking, "synthesize", broken)
    with pytest.raises(rtnb.RtnbError, match="could not speak: the loudspeaker is on fire"):
        rtnb.Audio.speak("Hello")
