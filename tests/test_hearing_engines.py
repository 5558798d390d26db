"""Hearing through a server (a real one, on loopback) and the thin adapters."""

from __future__ import annotations

import importlib.util
import io
import json
import sys
import types
import wave
from pathlib import Path

import numpy as np
import pytest
from helpers_speech import Answer, Asked, served

from rtnb.local.hearing import FasterWhisperHearing, HttpHearing, MoonshineHearing, VoskHearing
from rtnb.local.seams import Hearing, Transcript

PCM = (np.sin(np.arange(24_000) / 10) * 8000).astype("<i2").tobytes()
KEY = "sk-" + "x" * 24


async def understood(hearing: Hearing, pcm: bytes = PCM, **settings: object) -> Transcript:
    listener = await hearing.listen(settings)
    for start in range(0, len(pcm), 4801):
        assert await listener.push(pcm[start : start + 4801]) == ""
    transcript = await listener.finish()
    await hearing.close()
    return transcript


def says(content: object, status: int = 200) -> Answer:
    return Answer(status, [content if isinstance(content, bytes) else json.dumps(content).encode()])


async def test_an_utterance_is_sent_as_a_wav_file_and_its_text_comes_back() -> None:
    with served(lambda _: says({"text": " Hello there. "})) as (url, asked):
        transcript = await understood(HttpHearing(url, "whisper", KEY), language="en", prompt="Zurich")
    assert transcript == Transcript("Hello there.")
    (request,) = asked
    assert request.path == "/v1/audio/transcriptions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    fields = request.fields
    assert (fields["model"], fields["language"], fields["prompt"]) == (b"whisper", b"en", b"Zurich")
    with wave.open(io.BytesIO(fields["file"])) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (24_000, 1, 2)
        assert sound.readframes(sound.getnframes()) == PCM


async def test_without_a_key_none_is_sent() -> None:
    with served(lambda _: says({"text": "x"})) as (url, asked):
        await understood(HttpHearing(url + "/audio/transcriptions", "m"))
    assert "authorization" not in asked[0].headers
    assert asked[0].path == "/v1/audio/transcriptions"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (says({"error": {"message": f"Incorrect API key provided: {KEY}"}}, 401), "answered 401"),
        (says(b"<html>busy</html>", 503), "answered 503"),
        (says(b"not json"), "not a transcription"),
        (says({"words": []}), "not a transcription"),
        (says([1]), "not a transcription"),
        (says({"text": None}), "not a transcription"),
    ],
)
async def test_what_goes_wrong_is_told_in_words_and_never_with_the_key(answer: Answer, reason: str) -> None:
    with served(lambda _: answer) as (url, _):
        hearing = HttpHearing(url, "m", KEY)
        transcript = await understood(hearing)
    assert transcript.text == ""
    assert transcript.failed is not None
    assert reason in transcript.failed
    assert KEY not in transcript.failed
    assert KEY not in repr(hearing)


async def test_a_server_that_is_not_there_is_told_in_words() -> None:
    with served(lambda _: says({})) as (url, _):
        pass
    transcript = await understood(HttpHearing(url, "m"))
    assert transcript.failed is not None
    assert "cannot be reached" in transcript.failed


async def test_a_server_that_does_not_answer_is_given_up() -> None:
    import threading

    hold = threading.Event()
    with served(lambda _: Answer(200, [b"{}"], hold=hold)) as (url, _):
        transcript = await understood(HttpHearing(url, "m", timeout=0.2))
        hold.set()
    assert transcript.failed is not None
    assert "no answer within 0.2 s" in transcript.failed


async def test_less_than_a_tenth_of_a_second_is_not_sent() -> None:
    with served(lambda _: says({"text": "Thanks for watching!"})) as (url, asked):
        assert await understood(HttpHearing(url, "m"), PCM[:4000]) == Transcript("")
    assert asked == []


def test_the_request_is_what_the_tests_believe() -> None:
    request = Asked(
        "/", {"content-type": "multipart/form-data; boundary=B"}, b'--B\r\nC: form; name="a"\r\n\r\n1\r\n--B--\r\n'
    )
    assert request.fields == {"a": b"1"}


# -- adapters: tested with a small module in place of a package that is not there ------------------------------------


def put(monkeypatch: pytest.MonkeyPatch, name: str, **names: object) -> None:
    if importlib.util.find_spec(name) is not None:
        pytest.skip(f"the real {name} is installed")
    module = types.ModuleType(name)
    module.__dict__.update(names)
    monkeypatch.setitem(sys.modules, name, module)


async def test_faster_whisper_gets_16_khz_floats_and_its_segments_are_joined(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    got: dict[str, object] = {}

    class WhisperModel:
        def __init__(self, path: str, **options: object) -> None:
            got.update(path=path, **options)

        def transcribe(self, samples: np.ndarray, **options: object) -> tuple[list[types.SimpleNamespace], None]:
            got.update(samples=samples, **options)
            segment = types.SimpleNamespace
            return [
                segment(text=" Hello", no_speech_prob=0.1, avg_logprob=-0.1),
                segment(text=" there.", no_speech_prob=0.1, avg_logprob=-0.1),
                segment(text=" Thanks for watching!", no_speech_prob=0.9, avg_logprob=-1.0),
            ], None

    put(monkeypatch, "faster_whisper", WhisperModel=WhisperModel)
    transcript = await understood(FasterWhisperHearing(tmp_path, device="cpu"), language="en")
    assert transcript.text == "Hello there."
    assert transcript.confidence == pytest.approx(np.exp(-0.1))
    samples = got["samples"]
    assert isinstance(samples, np.ndarray)
    assert (samples.size, samples.dtype) == (16_000, np.float32)
    assert 0.2 < np.max(np.abs(samples)) < 0.3
    assert (got["path"], got["device"], got["local_files_only"], got["language"]) == (str(tmp_path), "cpu", True, "en")


async def test_moonshine_gets_a_batch_of_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Model:
        def __init__(self, models_dir: str, model_name: str) -> None:
            assert (models_dir, model_name) == (str(tmp_path), "tiny")

        def generate(self, samples: np.ndarray) -> list[list[int]]:
            assert samples.shape == (1, 16_000)
            return [[1, 2]]

    tokenizer = types.SimpleNamespace(decode_batch=lambda tokens: [f"tokens {tokens[0]} "])
    put(monkeypatch, "moonshine_onnx", MoonshineOnnxModel=Model, load_tokenizer=lambda: tokenizer)
    assert (await understood(MoonshineHearing(tmp_path, model_name="tiny"))).text == "tokens [1, 2]"


async def test_vosk_gets_16_khz_pcm_and_gives_its_confidence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class KaldiRecognizer:
        def __init__(self, model: str, rate: int) -> None:
            assert (model, rate) == (str(tmp_path), 16_000)

        def SetWords(self, wanted: bool) -> None:
            assert wanted

        def AcceptWaveform(self, pcm: bytes) -> None:
            assert len(pcm) == 32_000

        def FinalResult(self) -> str:
            return json.dumps({"text": "hello there", "result": [{"conf": 1.0}, {"conf": 0.5}]})

    put(monkeypatch, "vosk", SetLogLevel=lambda _: None, Model=str, KaldiRecognizer=KaldiRecognizer)
    assert await understood(VoskHearing(tmp_path)) == Transcript("hello there", confidence=0.75)


ADAPTERS = [(FasterWhisperHearing, "faster_whisper"), (MoonshineHearing, "moonshine_onnx"), (VoskHearing, "vosk")]


@pytest.mark.parametrize(("adapter", "package"), ADAPTERS)
async def test_a_missing_package_is_told_with_the_line_that_installs_it(
    adapter: type[VoskHearing], package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    transcript = await understood(adapter(tmp_path))
    assert transcript.failed is not None
    assert "pip install" in transcript.failed


@pytest.mark.parametrize(("adapter", "package"), ADAPTERS)
async def test_a_missing_model_is_told_with_its_path(adapter: type[VoskHearing], package: str, tmp_path: Path) -> None:
    transcript = await understood(adapter(tmp_path / "nowhere"))
    assert transcript.failed is not None
    assert "nowhere" in transcript.failed


async def test_an_engine_that_breaks_does_not_break_the_session(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(path: str) -> None:
        raise RuntimeError("no such layer")

    put(monkeypatch, "vosk", SetLogLevel=lambda _: None, Model=broken)
    transcript = await understood(VoskHearing(tmp_path))
    assert transcript.failed == "vosk could not hear this: no such layer"
