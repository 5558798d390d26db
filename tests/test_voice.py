"""Voices: eSpeak NG in its own process, the stand-in without it, and the plain function."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from helpers_speech import FirstShort
from hypothesis import given
from hypothesis import strategies as st

from rtnb.core.errors import RtnbError
from rtnb.core.protocol import VOICES
from rtnb.local import voice as voices
from rtnb.local.seams import Speech, Voice
from rtnb.local.voice import CHARACTERS, EspeakVoice, ToneVoice, default_voice, espeak, synthesize
from rtnb.local.voice.espeak import character, locate
from rtnb.local.voice.pieces import sentences, words

TEXT = "Hello there, naïve wörld! What's the weather in New York? It is 4.5 degrees; the sum is 12:30.\n\n“Really?”  "

needs_espeak = pytest.mark.skipif(locate() is None, reason="espeakng-loader is not installed")


@pytest.fixture
async def voice() -> AsyncIterator[EspeakVoice]:
    voice = EspeakVoice()
    yield voice
    await voice.close()


async def heard(voice: Voice, text: str, name: str = "alloy", speed: float = 1.0) -> list[Speech]:
    return [speech async for speech in voice.speak(text, voice=name, speed=speed)]


def samples(speeches: list[Speech]) -> np.ndarray:
    return np.frombuffer(b"".join(speech.pcm for speech in speeches), dtype="<i2").astype(float)


def seconds(speeches: list[Speech]) -> float:
    return samples(speeches).size / 24_000


# -- eSpeak NG -------------------------------------------------------------------------------------------------------


@needs_espeak
async def test_the_pieces_of_text_are_the_text(voice: EspeakVoice) -> None:
    speeches = await heard(voice, TEXT)
    assert "".join(speech.text for speech in speeches) == TEXT
    assert len(speeches) > 12


@needs_espeak
async def test_each_word_comes_with_its_own_sound(voice: EspeakVoice) -> None:
    speeches = await heard(voice, "hiss moon hiss moon", "ash")
    assert [speech.text for speech in speeches] == ["hiss ", "moon ", "hiss ", "moon"]
    hissing = []
    for speech in speeches:
        spectrum = np.abs(np.fft.rfft(samples([speech]))) ** 2
        hissing.append(spectrum[spectrum.size // 3 :].sum() / spectrum.sum())  # above 4 kHz
    assert min(hissing[0], hissing[2]) > 5 * max(hissing[1], hissing[3])


@needs_espeak
async def test_it_is_speech_at_24_khz_and_not_clipped(voice: EspeakVoice) -> None:
    sound = samples(await heard(voice, "The weather in New York is sunny and mild today."))
    assert 1.5 < sound.size / 24_000 < 4.5
    assert 500 < np.sqrt(np.mean(sound**2)) < 12_000
    assert np.max(np.abs(sound)) < 32_767
    spectrum = np.abs(np.fft.rfft(sound)) ** 2
    above_source = spectrum[int(11_100 / 12_000 * spectrum.size) :].sum()
    assert above_source < 1e-4 * spectrum.sum(), "nothing lies above what 22.05 kHz can carry"


@needs_espeak
async def test_the_same_text_takes_the_same_time(voice: EspeakVoice) -> None:
    lengths = {samples(await heard(voice, "How about Chicago?")).size for _ in range(4)}
    assert len(lengths) == 1


@needs_espeak
@pytest.mark.parametrize("name", ["alloy", "echo", "marin", "cedar"])
def test_a_clip_of_the_same_text_is_the_same_sound_whatever_was_said_before(name: str) -> None:
    first = synthesize("How about Chicago? And now?", name)
    begun = int(time.time())
    while int(time.time()) == begun:  # left alone, the library's noise begins with the second it is
        synthesize("Something else.", "verse")
    assert synthesize("How about Chicago? And now?", name) == first


@needs_espeak
async def test_the_voices_of_the_service_all_sound_different(voice: EspeakVoice) -> None:
    assert set(CHARACTERS) == set(VOICES)
    spectra = []
    for name in VOICES:
        sound = samples(await heard(voice, "The quick brown fox jumps over the lazy dog.", name))
        power = np.abs(np.fft.rfft(sound, 1 << 17)[: 1 << 15]) ** 2
        bands = np.log(np.add.reduceat(power, np.geomspace(60, (1 << 15) - 1, 40).astype(int)) + 1.0)
        spectra.append(bands - bands.mean())
    for one in range(len(spectra)):
        for other in range(one):
            assert np.sqrt(np.mean((spectra[one] - spectra[other]) ** 2)) > 0.3, (VOICES[one], VOICES[other])


@needs_espeak
@pytest.mark.parametrize("name", ["nobody", "espeak:no-such-voice", "", "Ünbekannt"])
async def test_an_unknown_voice_speaks_all_the_same(voice: EspeakVoice, name: str) -> None:
    assert seconds(await heard(voice, "Hello", name)) > 0.2


def test_an_unknown_voice_is_always_the_same_one() -> None:
    assert character("somebody") == character("somebody")
    assert character("somebody") in CHARACTERS.values()


@needs_espeak
@pytest.mark.parametrize("name", ["alloy", "cedar"])
async def test_speed_changes_the_time_it_takes(voice: EspeakVoice, name: str) -> None:
    text = "The weather in New York is sunny and mild today."
    took = [seconds(await heard(voice, text, name, speed)) for speed in (0.25, 0.5, 1.0, 1.5)]
    assert took == sorted(took, reverse=True)
    assert 3 < took[0] / took[2] < 5.5
    assert 1.6 < took[1] / took[2] < 2.4
    assert 1.2 < took[2] / took[3] < 1.8


@needs_espeak
async def test_a_speed_out_of_range_is_brought_into_it(voice: EspeakVoice) -> None:
    assert seconds(await heard(voice, "Hello", speed=100.0)) > 0.1
    assert seconds(await heard(voice, "Hello", speed=-1.0)) < 5


@needs_espeak
async def test_what_cannot_be_spoken_is_silence_with_its_text(voice: EspeakVoice) -> None:
    for text in ("", "   ", "...", "\n", "😀", "—"):
        speeches = await heard(voice, text)
        assert "".join(speech.text for speech in speeches) == text
        assert seconds(speeches) < 1.5


@needs_espeak
async def test_a_text_without_sentences_is_spoken_in_bounded_pieces(voice: EspeakVoice) -> None:
    text = "word " * 400
    stream = voice.speak(text, voice="alloy")
    first = await anext(stream)
    assert first.text == "word "
    rest = [speech.text async for speech in stream]
    assert first.text + "".join(rest) == text


@needs_espeak
async def test_markup_and_control_characters_are_read_not_obeyed(voice: EspeakVoice) -> None:
    for text in ("<speak><break time='9s'/></speak>", "[[h@l'oU]]", "a\0b", "\x1b[0m it", "x" * 700):
        assert "".join(speech.text for speech in await heard(voice, text)) == text


@needs_espeak
async def test_a_cancelled_answer_leaves_the_voice_usable(voice: EspeakVoice) -> None:
    await heard(voice, "Start.")
    stream = voice.speak("A long story. " * 50, voice="alloy")
    await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    task = asyncio.create_task(heard(voice, "Another long story. " * 200))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seconds(await heard(voice, "Hello")) > 0.2


@needs_espeak
async def test_several_speak_at_once_and_nothing_is_mixed_up(voice: EspeakVoice) -> None:
    texts = [f"Sentence number {number}. It has two parts." for number in range(8)]
    answers = await asyncio.gather(*(heard(voice, text, VOICES[number]) for number, text in enumerate(texts)))
    assert ["".join(speech.text for speech in answer) for answer in answers] == texts
    again = await heard(voice, texts[3], VOICES[3])
    assert samples(again).size == samples(answers[3]).size


@needs_espeak
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
async def test_it_is_started_again_when_it_dies(voice: EspeakVoice) -> None:
    await heard(voice, "Hello")
    assert voice._child is not None
    first = voice._child.pid
    os.kill(first, signal.SIGKILL)
    assert seconds(await heard(voice, "Hello again")) > 0.2
    assert voice._child.pid != first


@needs_espeak
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
async def test_a_process_that_hangs_is_replaced(voice: EspeakVoice, monkeypatch: pytest.MonkeyPatch) -> None:
    await heard(voice, "Hello")
    hung = voice._child
    assert hung is not None
    os.kill(hung.pid, signal.SIGSTOP)
    monkeypatch.setattr(EspeakVoice, "patience_s", FirstShort())
    assert seconds(await heard(voice, "Hello again")) > 0.2
    assert voice._child is not hung
    assert not hung.alive


@needs_espeak
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
async def test_processes_that_hang_are_told_in_words(voice: EspeakVoice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EspeakVoice, "patience_s", 0.0)
    with pytest.raises(RtnbError, match="gave no answer within 0 s"):
        await heard(voice, "Hello")


@needs_espeak
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks into /proc")
async def test_nothing_is_left_when_it_is_closed() -> None:
    before = set(os.listdir("/proc/self/fd"))
    voice = EspeakVoice()
    await heard(voice, "Hello")
    assert voice._child is not None
    pid = voice._child.pid
    await voice.close()
    await voice.close()
    assert not Path(f"/proc/{pid}").exists(), "neither running nor a zombie"
    assert set(os.listdir("/proc/self/fd")) == before
    with pytest.raises(RtnbError, match="closed"):
        await heard(voice, "Hello")


@needs_espeak
def test_a_forgotten_voice_ends_with_its_program_and_warns_of_nothing() -> None:
    program = (
        "import asyncio\n"
        "from rtnb.local.voice import EspeakVoice\n"
        "voice = EspeakVoice()\n"
        "async def main():\n"
        "    async for speech in voice.speak('Hello', voice='alloy'):\n"
        "        pass\n"
        "    print(voice._child.pid)\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert not Path(f"/proc/{done.stdout.strip()}").exists()


@needs_espeak
def test_the_library_is_never_loaded_into_the_process_that_asks() -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from rtnb.local.voice import synthesize\n"
        "synthesize('Hello')\n"
        "assert 'espeakng_loader' not in sys.modules\n"
        "maps = Path('/proc/self/maps')\n"
        "assert not maps.exists() or 'espeak' not in maps.read_text()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@needs_espeak
@pytest.mark.skipif(sys.platform == "win32", reason="needs links")
def test_data_in_a_deep_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = locate()
    assert where is not None
    deep = tmp_path / ("a" * 90) / ("b" * 90)
    deep.mkdir(parents=True)
    (deep / "espeak-ng-data").symlink_to(where[1])
    monkeypatch.setattr(espeak, "locate", lambda: (where[0], deep / "espeak-ng-data"))
    assert len(synthesize("Hello")) > 9_600


@needs_espeak
async def test_a_broken_installation_is_told_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(espeak, "locate", lambda: (tmp_path / "nothing.so", tmp_path))
    voice = EspeakVoice()
    with pytest.raises(RtnbError, match="eSpeak NG does not run"):
        await heard(voice, "Hello")
    await voice.close()


async def test_a_missing_installation_is_told_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(espeak, "locate", lambda: None)
    with pytest.raises(RtnbError, match="pip install 'rtnb\\[local\\]'"):
        await heard(EspeakVoice(), "Hello")


def test_the_default_needs_no_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voices, "locate", lambda: None)
    assert default_voice().name == "tones"
    assert len(synthesize("Hello there")) > 4_800


def test_the_package_is_looked_for_and_not_imported() -> None:
    assert (locate() is not None) == (importlib.util.find_spec("espeakng_loader") is not None)


# -- the plain function ----------------------------------------------------------------------------------------------


def test_a_clip_is_made_in_a_script() -> None:
    assert len(synthesize("Hello")) > 9_600


async def test_a_clip_is_made_within_a_running_loop() -> None:
    assert len(synthesize("Hello")) > 9_600


def test_what_goes_wrong_in_the_clips_thread_reaches_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(ToneVoice):
        async def speak(self, text: str, *, voice: str, speed: float = 1.0) -> AsyncIterator[Speech]:
            raise RtnbError("no voice today")
            yield Speech(b"")

    monkeypatch.setattr(voices, "default_voice", Broken)
    with pytest.raises(RtnbError, match="no voice today"):
        synthesize("Hello")


# -- tones -----------------------------------------------------------------------------------------------------------


async def test_tones_are_audible_timed_and_keep_the_text() -> None:
    speeches = await heard(ToneVoice(), TEXT)
    assert "".join(speech.text for speech in speeches) == TEXT
    assert 4 < seconds(speeches) < 12
    assert np.sqrt(np.mean(samples(speeches) ** 2)) > 1000
    assert max(np.abs(samples(speeches))) < 32_767


async def test_tones_follow_the_speed_and_the_voice() -> None:
    one, slow = await heard(ToneVoice(), "Hello world"), await heard(ToneVoice(), "Hello world", speed=0.5)
    assert seconds(slow) == pytest.approx(2 * seconds(one), rel=0.01)
    other = await heard(ToneVoice(), "Hello world", "cedar")
    assert samples(other).size == samples(one).size
    assert not np.array_equal(samples(other), samples(one))


# -- text in pieces --------------------------------------------------------------------------------------------------


@given(st.text(max_size=400), st.integers(8, 60))
def test_sentences_and_words_joined_are_the_text(text: str, longest: int) -> None:
    pieces = list(sentences(text, longest))
    assert "".join(pieces) == text
    assert all(0 < len(piece) <= longest for piece in pieces)
    assert "".join(words(text)) == text


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("It is 4.5 degrees. And in Chicago?", ["It is 4.5 degrees. ", "And in Chicago?"]),
        ("Mr. Smith came. He left.", ["Mr. Smith came. ", "He left."]),
        ("By J. S. Bach.", ["By J. S. Bach."]),
        ("“Really?” she said. Yes!", ["“Really?” ", "she said. ", "Yes!"]),
        ("one\ntwo", ["one\n", "two"]),
        ("Wait... what?", ["Wait... ", "what?"]),
    ],
)
def test_sentences_end_where_a_reader_pauses(text: str, wanted: list[str]) -> None:
    assert list(sentences(text)) == wanted


def test_cutting_a_long_text_takes_no_quadratic_time() -> None:
    begun = time.process_time()
    assert sum(map(len, sentences("a" * 200_000))) == 200_000
    assert sum(map(len, words("a " * 100_000))) == 200_000
    assert time.process_time() - begun < 20
