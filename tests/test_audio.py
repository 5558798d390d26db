from __future__ import annotations

import math
import pickle
import subprocess
import sys
import types
import warnings
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from helpers_audio import fit, loudest_hz, sine
from hypothesis import given
from hypothesis import strategies as st

import rtnb.core.audio as audio_module
from rtnb.core import services
from rtnb.core.audio import Audio
from rtnb.core.errors import RtnbError

RATE = 24_000


def test_a_tone_has_its_frequency_its_level_and_its_length():
    tone = Audio.tone(1_000, 0.5, amplitude=0.5)
    amplitude, rest = fit(tone.array, RATE, 1_000)
    assert amplitude == pytest.approx(0.5, abs=1e-4)
    assert rest < -80  # nothing but the rounding to 16 bits
    assert tone.level == pytest.approx(20 * math.log10(0.5) - 3.01, abs=0.01)
    assert (tone.seconds, len(tone), tone.rate) == (0.5, 12_000, RATE)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"hz": 12_000}, "below 12000 Hz"), ({"amplitude": 1.5}, "between 0 and 1"), ({"seconds": -1}, "0 seconds")],
)
def test_a_tone_that_cannot_be_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        Audio.tone(**options)


def test_silence_is_silent_and_has_no_level():
    silence = Audio.silence(0.25, rate=8_000)
    assert len(silence) == 2_000
    assert not silence.samples.any()
    assert silence.level == -math.inf


def test_the_array_is_float32_below_one_and_cannot_be_written():
    audio = Audio.from_array(np.array([0.0, 0.5, -1.0, 1.0]))
    assert audio.array.dtype == np.float32
    assert audio.array.tolist() == [0.0, 0.5, -1.0, 32_767 / 32_768]
    for array in (audio.array, audio.samples):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    with pytest.raises(FrozenInstanceError):
        audio.rate = 8_000


@given(st.binary(max_size=400).filter(lambda data: len(data) % 2 == 0))
def test_floats_and_back_change_no_sample(data):
    audio = Audio(data, 16_000)
    assert Audio.from_array(audio.array, 16_000) == audio
    assert Audio.from_array(audio.samples, 16_000) == audio


def test_two_are_equal_when_samples_and_rate_are():
    assert Audio(b"\1\2") == Audio.from_bytes(bytearray(b"\1\2"))
    assert Audio(b"\1\2") != Audio(b"\1\3")
    assert Audio(b"\1\2", 8_000) != Audio(b"\1\2", 16_000)
    assert len({Audio(b"\1\2"), Audio(b"\1\2")}) == 1
    assert pickle.loads(pickle.dumps(Audio(b"\1\2", 8_000))) == Audio(b"\1\2", 8_000)


def test_numpy_takes_it_as_its_array():
    audio = Audio.tone(500, 0.01)
    assert np.array_equal(np.asarray(audio), audio.array)
    assert np.asarray(audio, dtype=np.float64).dtype == np.float64


def test_several_channels_become_their_mean():
    left, right = sine(300, 0.1, RATE), sine(700, 0.1, RATE)
    stereo = np.stack([left, right], axis=1)
    assert Audio.from_array(stereo).array == pytest.approx((left + right) / 2, abs=1 / 32_768)
    as_int16 = Audio.from_array((stereo * 32_768).astype(np.int16))
    assert as_int16.array == pytest.approx((left + right) / 2, abs=2 / 32_768)
    assert not Audio.from_array(np.stack([left, -left], axis=1)).samples.any()


def test_samples_beyond_full_scale_are_clipped_and_counted_aloud():
    with pytest.warns(UserWarning, match=r"2 of 3 samples lie beyond \[-1, 1\] \(up to 1\.5\) and were clipped"):
        audio = Audio.from_array([0.5, 1.5, -1.2])
    assert audio.samples.tolist() == [16_384, 32_767, -32_768]
    with pytest.warns(UserWarning, match=r"look like 16-bit numbers"):
        Audio.from_array(np.array([1_000.0, -20_000.0]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Audio.from_array([1.0, -1.0])


@pytest.mark.parametrize(
    ("samples", "error", "words"),
    [
        (np.zeros((2, 24_000)), ValueError, "transpose"),
        (np.zeros((2, 2, 2)), ValueError, r"\(n,\) or \(n, channels\)"),
        (np.zeros((5, 0)), ValueError, "shape"),
        (np.float32(1), ValueError, "shape"),
        (np.array([0.0, np.nan]), ValueError, "finite"),
        (np.array([0.0, 0.1, -np.inf]), ValueError, "finite"),
        (np.array([1, 2, 3]), TypeError, "int64"),
        (np.zeros(3, dtype=np.uint8), TypeError, "uint8"),
    ],
)
@pytest.mark.filterwarnings("ignore:1 of 3 samples")
def test_arrays_that_are_no_sound_are_refused_in_words(samples, error, words):
    with pytest.raises(error, match=words):
        Audio.from_array(samples)


def test_an_odd_number_of_bytes_is_refused():
    with pytest.raises(ValueError, match=r"3 bytes.*Pcm16Reader"):
        Audio.from_bytes(b"\0\0\0")


def test_a_wav_header_among_the_samples_is_refused_with_the_way_out():
    with pytest.raises(ValueError, match=r"whole WAV file.*Audio\.from_file.*Audio\.from_wav"):
        Audio.from_bytes(Audio.tone(440, 0.1).to_wav())


@pytest.mark.parametrize(
    ("rate", "error"), [(0, ValueError), (-1, ValueError), (24_000.5, TypeError), (True, TypeError)]
)
def test_a_rate_that_is_none_is_refused(rate, error):
    with pytest.raises(error, match="rate"):
        Audio(b"", rate)
    with pytest.raises(error, match="rate"):
        Audio.silence(1).resample(rate)


def test_a_stretch_is_cut_by_seconds():
    audio = Audio.from_array(np.arange(24_000, dtype=np.int16))
    assert audio[0.25:0.5].samples.tolist() == list(range(6_000, 12_000))
    assert audio[:0.001].samples.tolist() == list(range(24))
    assert audio[-0.001:].samples.tolist() == list(range(23_976, 24_000))
    assert audio[0:1] == audio[:] == audio[: math.inf] == audio
    assert len(audio[0.5:0.25]) == len(audio[3:]) == 0
    assert audio[:0.3] + audio[0.3:] == audio


@pytest.mark.parametrize(
    ("key", "error", "words"),
    [
        (3, TypeError, r"audio\.samples\[3\]"),
        (slice(0, 1, 2), ValueError, "step"),
        (slice(math.nan, 1), ValueError, "NaN"),
    ],
)
def test_what_is_no_stretch_is_refused(key, error, words):
    with pytest.raises(error, match=words):
        Audio.silence(1)[key]


def test_plus_puts_one_after_the_other():
    first, second = Audio.tone(400, 0.1), Audio.tone(900, 0.2)
    both = first + second
    assert both[:0.1] == first
    assert both[0.1:] == second
    assert sum([first, second]) == both
    with pytest.raises(TypeError):
        first + 3


def test_plus_brings_the_right_one_to_the_rate_of_the_left_one():
    both = Audio.tone(400, 0.2, rate=24_000) + Audio.tone(900, 0.2, rate=16_000)
    assert (both.rate, both.seconds) == (24_000, 0.4)
    assert loudest_hz(both[0.2:].array, 24_000) == pytest.approx(900, abs=5)


def test_another_rate_keeps_frequency_level_and_length():
    tone = Audio.tone(1_000, 1.0, rate=44_100)
    for rate in (8_000, 16_000, 22_050, 24_000, 48_000):
        resampled = tone.resample(rate)
        amplitude, rest = fit(resampled.array, rate, 1_000)
        assert (resampled.rate, len(resampled)) == (rate, rate)
        assert amplitude == pytest.approx(0.5, abs=0.001)
        assert rest < -75
    assert tone.resample(44_100) is tone
    assert len(Audio().resample(8_000)) == 0


def test_a_fade_begins_and_ends_softly_and_leaves_the_middle():
    audio = Audio.from_array(np.full(2_400, 0.5))
    faded = audio.fade(in_ms=10, out_ms=20)
    assert len(faded) == len(audio)
    assert faded.array[0] < 0.001
    assert faded.array[-1] < 0.001
    assert faded.array[120] == pytest.approx(0.25, abs=0.005)  # half way up
    assert (faded.samples[240:-480] == audio.samples[240:-480]).all()
    assert np.all(np.diff(faded.array[:240]) >= 0)
    assert audio.fade(0, 0) == audio
    assert len(audio.fade(10_000, 10_000)) == len(audio)
    with pytest.raises(ValueError, match="0 ms"):
        audio.fade(-1)


def test_the_one_line_form_says_length_and_rate():
    assert repr(Audio.silence(1.5, 16_000)) == "<Audio 1.50 s at 16000 Hz>"
    assert repr(Audio()) == "<Audio 0.00 s at 24000 Hz>"


@pytest.fixture
def upper_floor(monkeypatch):
    """A module that provides all services, and an empty table for them."""
    calls = []
    module = types.ModuleType("upper_floor_of_the_test")

    def speak(text, *, voice, speed):
        calls.append((text, voice, speed))
        return Audio.silence(len(text) / 10)

    module.speak = speak
    module.record = lambda seconds: Audio.silence(seconds)
    module.from_recorder = lambda recorder: "no audio"
    module.plot = lambda audio, *, ax, title: (audio, ax, title)
    module.show = lambda audio: {"text/html": "<b>"}
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(services, "_targets", {})
    return calls


def test_services_of_upper_floors_are_called_by_name(upper_floor):
    for service in ("speak", "record", "from_recorder", "plot", "show"):
        services.provide(f"audio.{service}", f"upper_floor_of_the_test:{service}")
    assert Audio.speak("hello", voice="cedar").seconds == 0.5
    assert upper_floor == [("hello", "cedar", 1.0)]
    assert Audio.record(2).seconds == 2
    audio = Audio.silence(1)
    assert audio.plot(title="t") == (audio, None, "t")
    assert audio._repr_mimebundle_() == {"text/html": "<b>"}
    with pytest.raises(RtnbError, match="gave str instead of an Audio"):
        Audio.from_recorder(object())


def test_services_that_nobody_provides_say_so(upper_floor):
    with pytest.raises(RtnbError, match="a voice"):
        Audio.speak("hello")
    with pytest.raises(RtnbError, match="a microphone"):
        Audio.record(1)
    with pytest.raises(RtnbError, match="a waveform"):
        Audio.silence(1).plot()
    assert Audio.silence(1)._repr_mimebundle_() == {"text/plain": "<Audio 1.00 s at 24000 Hz>"}
    with pytest.raises(ValueError, match="no service 'sing'"):
        services.provide("sing", "a:b")
    with pytest.raises(ValueError, match="module:function"):
        services.provide("audio.speak", "just_a_module")


def test_making_sound_loads_no_heavy_package():
    heavy = ("soundfile", "soxr", "matplotlib", "IPython", "asyncio")
    code = (
        "import sys; from rtnb.core.audio import Audio; Audio.tone(440, 0.1).fade().to_wav(); "
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    # The package root may grow: a stand-in for it keeps this a test of the core alone.
    root = "import sys, types; m = types.ModuleType('rtnb'); m.__path__ = [sys.argv[1]]; sys.modules['rtnb'] = m; "
    folder = audio_module.__file__.rsplit("core", 1)[0]
    done = subprocess.run(
        [sys.executable, "-c", root + code, folder], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
