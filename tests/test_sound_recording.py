"""`Audio.record` and `Audio.from_recorder`.

The ``chromium_*.webm`` files were recorded by Chromium 156's MediaRecorder from a 1 kHz oscillator, for a second.
"""

from __future__ import annotations

import sys
import types
from typing import Any

import numpy as np
import pytest
from helpers_audio import DATA, fit
from hypothesis import given
from hypothesis import strategies as st

import rtnb
from rtnb.core.audio import Audio
from rtnb.core.webm import unwrap_webm
from rtnb.notebook import audio_io, kernel_audio, recording

CHROMIUM = DATA / "chromium_mediarecorder.webm"
STEREO = DATA / "chromium_mediarecorder_stereo.webm"


def recorder(data: Any, *, recording: bool = False) -> Any:
    """What an ipywebrtc recorder looks like after the page delivered."""
    return types.SimpleNamespace(audio=types.SimpleNamespace(value=data), recording=recording)


# ---- WebM


@pytest.mark.parametrize("path", [CHROMIUM, STEREO, DATA / "ffmpeg.webm"], ids=lambda path: path.stem)
def test_a_recorded_tone_has_its_pitch_and_level(path: Any) -> None:
    clip = Audio.from_recorder(recorder(path.read_bytes()))
    assert clip.rate == 48_000
    assert 0.19 < clip.seconds < 1.1
    amplitude, noise_db = fit(clip.array, clip.rate, 1000)
    assert amplitude == pytest.approx(0.5, abs=0.01)
    assert noise_db < -40


def test_a_recording_with_open_lengths_is_read_the_same() -> None:
    """A recorder that delivers piece by piece cannot know the lengths of segment and cluster."""
    data = CHROMIUM.read_bytes()
    open_ended = data
    for master in (b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75"):
        at = data.index(master, 200 if master[0] == 0x1F else 0) + 4
        assert data[at] == 0x01  # a length of eight bytes
        open_ended = open_ended[:at] + b"\x01" + b"\xff" * 7 + open_ended[at + 8 :]
    assert open_ended != data
    assert unwrap_webm(open_ended) == unwrap_webm(data)


def test_a_recording_that_breaks_off_gives_what_it_holds() -> None:
    data = CHROMIUM.read_bytes()
    half = Audio.from_wav(unwrap_webm(data[: len(data) // 2]))
    whole = Audio.from_wav(unwrap_webm(data))
    assert 0.3 * whole.seconds < half.seconds < 0.7 * whole.seconds


def test_float_samples_are_taken_exactly() -> None:
    """Chromium's ``audio/webm;codecs=pcm``."""
    samples = np.linspace(-0.5, 0.5, 960, dtype="<f4")

    def element(name: bytes, body: bytes) -> bytes:
        return name + b"\x01" + len(body).to_bytes(7, "big") + body

    audio = element(b"\xb5", np.array([48_000], ">f4").tobytes()) + element(b"\x9f", b"\x01")
    track = element(b"\xd7", b"\x01") + element(b"\x86", b"A_PCM/FLOAT/IEEE") + element(b"\xe1", audio)
    blocks = b"".join(
        element(b"\xa3", b"\x81\0\0\x80" + samples[at : at + 480].tobytes()) for at in range(0, len(samples), 480)
    )
    data = element(b"\x1a\x45\xdf\xa3", element(b"\x42\x82", b"webm")) + element(
        b"\x18\x53\x80\x67",
        element(b"\x16\x54\xae\x6b", element(b"\xae", track)) + element(b"\x1f\x43\xb6\x75", blocks),
    )
    clip = Audio.from_recorder(recorder(data))
    assert clip.rate == 48_000
    assert np.abs(clip.array - samples).max() < 1 / 30_000


@given(st.binary(max_size=200), st.integers(0, 600), st.integers(0, 255))
def test_no_damage_breaks_the_reader(tail: bytes, at: int, byte: int) -> None:
    data = bytearray(CHROMIUM.read_bytes()[:600] + tail)
    data[min(at, len(data) - 1)] = byte
    try:
        made = unwrap_webm(bytes(data))
    except ValueError:
        return
    assert made[:4] in (b"OggS", b"RIFF")


# ---- recorders


@pytest.mark.parametrize("name", ["ffmpeg_opus.ogg", "sox_pcm16.wav"])
def test_what_other_browsers_deliver_is_read_too(name: str) -> None:
    clip = Audio.from_recorder(recorder(memoryview((DATA / name).read_bytes())))
    assert fit(clip.array, clip.rate, 1000)[0] == pytest.approx(0.5, abs=0.02)


def test_a_recorder_of_ipywebrtc_is_understood() -> None:
    ipywebrtc = pytest.importorskip("ipywebrtc")
    real = ipywebrtc.AudioRecorder()
    with pytest.raises(rtnb.RtnbError, match="after it was stopped, and only between cells"):
        Audio.from_recorder(real)
    real.audio.value = CHROMIUM.read_bytes()
    assert Audio.from_recorder(real).seconds == pytest.approx(1.0, abs=0.1)
    real.recording = True
    with pytest.raises(rtnb.RtnbError, match="still recording"):
        Audio.from_recorder(real)


@pytest.mark.parametrize("data", [b"\x1a\x45\xdf\xa3webm", (DATA / "ffmpeg.m4a").read_bytes(), b"noise" * 50])
def test_what_cannot_be_read_is_told_in_words(data: bytes) -> None:
    with pytest.raises(rtnb.RtnbError, match="what the recorder holds cannot be read"):
        Audio.from_recorder(recorder(data))


def test_what_is_no_recorder_is_refused() -> None:
    with pytest.raises(TypeError, match="dict has not"):
        Audio.from_recorder({})


# ---- the microphone


class Page:
    """A stand-in for AudioIO: a page on a lane, or none."""

    lane = ""

    def __init__(self, answer: bytes | Exception) -> None:
        self.answer = answer
        self.lane = "websocket"

    def observe(self, *_: object) -> None: ...

    def unobserve(self, *_: object) -> None: ...

    def record(self, seconds: float) -> bytes:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer[: round(seconds * 48_000)]


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "_in_kernel", lambda: True)
    monkeypatch.setattr(recording, "_PAGE_S", 0.01)
    monkeypatch.setitem(sys.modules, "sounddevice", None)


@pytest.mark.usefixtures("notebook")
def test_in_a_notebook_the_page_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "shared_audio", lambda: Page(Audio.tone(seconds=2).pcm))
    clip = Audio.record(0.5)
    assert clip == Audio.tone(seconds=2)[:0.5]


@pytest.mark.usefixtures("notebook")
def test_a_refused_microphone_is_not_replaced_by_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    monkeypatch.setattr(kernel_audio.KernelAudio, "record", lambda self, seconds: asked.append(seconds))
    monkeypatch.setattr(recording, "shared_audio", lambda: Page(rtnb.RtnbError("You said no.")))
    with pytest.raises(rtnb.RtnbError, match=r"You said no\. .*KernelAudio.*Audio\.from_file"):
        Audio.record(1)
    assert not asked


@pytest.mark.usefixtures("notebook")
def test_without_a_page_the_kernels_microphone_records(monkeypatch: pytest.MonkeyPatch) -> None:
    page = Page(b"")
    page.lane = ""
    monkeypatch.setattr(recording, "shared_audio", lambda: page)
    monkeypatch.setattr(kernel_audio.KernelAudio, "record", lambda self, seconds: bytes(round(seconds * 48_000)))
    assert Audio.record(0.25) == Audio.silence(0.25)


@pytest.mark.usefixtures("notebook")
def test_without_any_microphone_it_says_what_works(monkeypatch: pytest.MonkeyPatch) -> None:
    page = Page(b"")
    page.lane = ""
    monkeypatch.setattr(recording, "shared_audio", lambda: page)
    with pytest.raises(rtnb.RtnbError, match=r"no page of this notebook answered.*sounddevice.*Audio\.speak"):
        Audio.record(1)
    monkeypatch.setattr(recording, "_in_kernel", lambda: False)
    with pytest.raises(rtnb.RtnbError, match="there is no notebook here"):
        Audio.record(1)


@pytest.mark.parametrize("seconds", [0, -1, 601, float("nan"), "5"])
def test_a_length_that_is_none_is_refused(seconds: Any) -> None:
    with pytest.raises(ValueError, match="at most 600 seconds"):
        Audio.record(seconds)


def test_everybody_shares_one_audio_io_until_it_is_closed() -> None:
    first = recording.shared_audio()
    try:
        assert isinstance(first, audio_io.AudioIO)
        assert recording.shared_audio() is first
    finally:
        first.close()
    second = recording.shared_audio()
    assert second is not first
    second.close()
