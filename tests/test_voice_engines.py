"""Speaking through a server (a real one, on loopback) and the thin adapters."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import io
import sys
import threading
import types
import wave
from pathlib import Path

import numpy as np
import pytest
from helpers_speech import Answer, served
from hypothesis import given
from hypothesis import strategies as st

from rtnb.core.errors import RtnbError
from rtnb.local.seams import Speech, Voice
from rtnb.local.voice import HttpVoice, KokoroVoice, PiperVoice
from rtnb.local.voice.service import PcmStream

KEY = "sk-" + "x" * 24
TONE = (np.sin(np.arange(24_000) * 2 * np.pi * 440 / 24_000) * 8000).astype("<i2")


async def heard(voice: Voice, text: str, name: str = "alloy", speed: float = 1.0) -> list[Speech]:
    try:
        return [speech async for speech in voice.speak(text, voice=name, speed=speed)]
    finally:
        await voice.close()


def wav_file(samples: np.ndarray, rate: int, channels: int = 1) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return out.getvalue()


def sound(*pieces: bytes) -> Answer:
    return Answer(200, list(pieces), "audio/pcm")


async def test_each_sentence_is_asked_for_and_its_sound_and_words_come_back() -> None:
    pcm = TONE.tobytes()
    with served(lambda _: sound(pcm[:1001], pcm[1001:])) as (url, asked):
        speeches = await heard(HttpVoice(url, "tts", KEY), "Hello there. How are you? ", "ash", 1.25)
    assert b"".join(speech.pcm for speech in speeches) == 2 * pcm
    assert all(len(speech.pcm) % 2 == 0 for speech in speeches)
    assert "".join(speech.text for speech in speeches) == "Hello there. How are you? "
    assert [request.path for request in asked] == 2 * ["/v1/audio/speech"]
    assert asked[0].headers["authorization"] == f"Bearer {KEY}"
    assert asked[0].json == {
        "model": "tts",
        "input": "Hello there.",
        "voice": "ash",
        "speed": 1.25,
        "response_format": "pcm",
    }


async def test_sound_is_handed_on_before_it_is_complete() -> None:
    hold = threading.Event()
    answer = Answer(200, [TONE.tobytes(), TONE.tobytes()], "audio/pcm", hold)
    with served(lambda _: answer) as (url, _):
        voice = HttpVoice(url, "tts")
        stream = voice.speak("Hello", voice="alloy")
        first = await anext(stream)
        assert len(first.pcm) > 0
        assert not hold.is_set()
        hold.set()
        rest = [speech async for speech in stream]
        await voice.close()
    assert len(first.pcm) + sum(len(speech.pcm) for speech in rest) == 4 * TONE.size


async def test_a_voice_of_the_servers_own_can_be_fixed() -> None:
    with served(lambda _: sound(TONE.tobytes())) as (url, asked):
        await heard(HttpVoice(url + "/audio/speech", "tts", voice="af_heart"), "Hello", "alloy")
    assert asked[0].json["voice"] == "af_heart"
    assert "authorization" not in asked[0].headers


async def test_a_wav_file_of_another_rate_is_brought_to_24_khz() -> None:
    slow = (np.sin(np.arange(22_050) * 2 * np.pi * 440 / 22_050) * 8000).astype("<i2")
    data = wav_file(slow, 22_050)
    with served(lambda _: sound(data[:30], data[30:5001], data[5001:])) as (url, _):
        speeches = await heard(HttpVoice(url, "tts"), "Hello")
    samples = np.frombuffer(b"".join(speech.pcm for speech in speeches), dtype="<i2").astype(float)
    assert abs(samples.size - 24_000) <= 2
    middle = slice(2000, 22_000)
    assert np.max(np.abs(samples[middle] - TONE[: samples.size][middle])) < 80


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=8), st.sampled_from(["pcm", "wav", "stereo"]))
def test_the_pieces_in_which_sound_comes_change_nothing(cuts: list[int], kind: str) -> None:
    data = {
        "pcm": TONE.tobytes(),
        "wav": wav_file(TONE, 24_000),
        "stereo": wav_file(np.repeat(TONE, 2), 24_000, channels=2),
    }[kind]
    stream, out, start, turn = PcmStream(), b"", 0, 0
    while start < len(data):
        out += stream.push(data[start : start + cuts[turn % len(cuts)]])
        start, turn = start + cuts[turn % len(cuts)], turn + 1
    out += stream.flush()
    got = np.frombuffer(out, dtype="<i2").astype(int)
    assert got.size == TONE.size
    assert np.max(np.abs(got - TONE)) <= 1


@pytest.mark.parametrize("size", [1, 999, 100_000])
def test_what_follows_the_sound_in_a_wav_file_is_not_played(size: int) -> None:
    tail = b"LIST" + (400).to_bytes(4, "little") + b"\x7f" * 400
    data, stream = wav_file(TONE, 24_000) + tail, PcmStream()
    out = b"".join(stream.push(data[at : at + size]) for at in range(0, len(data), size)) + stream.flush()
    assert out == TONE.tobytes()


@pytest.mark.parametrize("length", [b"\0\0\0\0", b"\xff\xff\xff\xff"])
def test_a_wav_file_of_unknown_length_is_played_to_its_end(length: bytes) -> None:
    data, stream = wav_file(TONE, 24_000), PcmStream()
    at = data.index(b"data") + 4
    assert stream.push(data[:at] + length + data[at + 4 :]) + stream.flush() == TONE.tobytes()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(401, [b'{"error": {"message": "Incorrect API key provided: ' + KEY.encode() + b'"}}']), "answered 401"),
        (sound(b"ID3\x04" + bytes(100)), "compressed"),
        (sound(wav_file(TONE, 24_000).replace(b"\x10\x00data", b"\x18\x00data", 1)), "24 bits"),
    ],
)
async def test_what_goes_wrong_is_told_in_words_and_never_with_the_key(answer: Answer, reason: str) -> None:
    with served(lambda _: answer) as (url, _):
        voice = HttpVoice(url, "tts", KEY)
        with pytest.raises(RtnbError, match=reason) as caught:
            await heard(voice, "Hello")
    assert KEY not in str(caught.value)
    assert KEY not in repr(voice)


async def test_a_server_that_is_not_there_is_told_in_words() -> None:
    with served(lambda _: sound()) as (url, _):
        pass
    with pytest.raises(RtnbError, match="cannot be reached"):
        await heard(HttpVoice(url, "tts"), "Hello")


async def test_a_server_that_does_not_answer_is_given_up() -> None:
    hold = threading.Event()
    with served(lambda _: Answer(200, [b"x"], "audio/pcm", hold)) as (url, _):
        with pytest.raises(RtnbError, match=r"no answer within 0\.2 s"):
            await heard(HttpVoice(url, "tts", timeout=0.2), "Hello")
        hold.set()


async def test_silence_has_its_text_without_a_request() -> None:
    with served(lambda _: sound()) as (url, asked):
        assert await heard(HttpVoice(url, "tts"), "... ") == [Speech(b"", "... ")]
        assert await heard(HttpVoice(url, "tts"), "Hello") == [Speech(b"", "Hello")]
    assert len(asked) == 1


# -- adapters --------------------------------------------------------------------------------------------------------


async def test_kokoro_is_brought_to_pcm(monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("kokoro_onnx") is not None:
        pytest.skip("the real kokoro_onnx is installed")

    class Kokoro:
        def __init__(self, model: str, voices: str) -> None:
            assert (model, voices) == ("m.onnx", "v.bin")

        def create(self, text: str, *, voice: str, speed: float, lang: str) -> tuple[np.ndarray, int]:
            assert (voice, speed, lang) == ("af_heart", 0.5, "en-us")
            return TONE.astype(np.float32) / 32767, 24_000

    module = types.ModuleType("kokoro_onnx")
    module.__dict__["Kokoro"] = Kokoro
    monkeypatch.setitem(sys.modules, "kokoro_onnx", module)
    speeches = await heard(KokoroVoice("m.onnx", "v.bin"), "One. Two.", speed=0.25)
    assert [speech.text for speech in speeches] == ["One. ", "Two."]
    assert speeches[0].pcm == TONE.tobytes()


async def test_kokoro_that_is_missing_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kokoro_onnx", None)
    with pytest.raises(RtnbError, match="pip install kokoro-onnx"):
        await heard(KokoroVoice("m.onnx", "v.bin"), "One.")


def _pretend_piper(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    if importlib.util.find_spec("piper") is not None:
        pytest.skip("the real piper is installed")
    (folder / "piper.py").write_text(body)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", str(folder))


async def test_piper_runs_as_a_program_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _pretend_piper(
        tmp_path,
        monkeypatch,
        "import sys\n"
        "assert sys.argv[1:] == ['--model', sys.argv[2], '--output-raw', '--length-scale', '0.800'], sys.argv\n"
        "sys.stdout.buffer.write(bytes(2 * 240) * len(sys.stdin.read().split()))\n",
    )
    model = tmp_path / "voice.onnx"
    model.touch()
    speeches = await heard(PiperVoice(model, rate=24_000), "One two. Three.", speed=1.25)
    assert [(speech.text, len(speech.pcm)) for speech in speeches] == [("One two. ", 960), ("Three.", 480)]
    assert "piper" not in sys.modules


async def test_piper_that_fails_is_told_in_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _pretend_piper(tmp_path, monkeypatch, "raise SystemExit('bad voice file')")
    model = tmp_path / "voice.onnx"
    with pytest.raises(RtnbError, match="There is no Piper voice at"):
        await heard(PiperVoice(model), "One.")
    model.touch()
    with pytest.raises(RtnbError, match="bad voice file"):
        await heard(PiperVoice(model), "One.")


async def test_piper_that_is_missing_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def none_found(name: str, package: str | None = None) -> importlib.machinery.ModuleSpec | None:
        return None

    monkeypatch.setattr(importlib.util, "find_spec", none_found)
    with pytest.raises(RtnbError, match="pip install piper-tts"):
        await heard(PiperVoice(tmp_path / "voice.onnx"), "One.")
