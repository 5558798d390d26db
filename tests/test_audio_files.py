from __future__ import annotations

import io
import wave

import numpy as np
import pytest
from helpers_audio import DATA, fit, loudest_hz

from rtnb.core.audio import Audio, decode_pcma, decode_pcmu
from rtnb.core.audiofiles import container_of, encode_sound, encode_wav

# name, rate, amplitude, what may be left beside the sine (dB)
OTHERS = [
    ("sox_pcm16.wav", 24_000, 0.5, -80),
    ("sox_pcm24.wav", 22_050, 0.5, -80),
    ("sox_pcm8.wav", 16_000, 0.5, -35),
    ("sox_left_only.wav", 16_000, 0.25, -80),
    ("sox.flac", 24_000, 0.5, -80),
    ("sox_vorbis.ogg", 24_000, 0.5, -20),
    ("sox_mulaw.wav", 8_000, 0.5, -30),
    ("ffmpeg_alaw.wav", 8_000, 0.5, -30),
    ("ffmpeg_piped.wav", 24_000, 0.5, -80),
    ("ffmpeg.mp3", 44_100, 0.5, -20),
    ("ffmpeg_opus.ogg", 48_000, 0.5, -20),
]


@pytest.mark.parametrize(("name", "rate", "amplitude", "rest"), OTHERS, ids=[row[0] for row in OTHERS])
def test_files_of_other_programs_hold_the_tone_that_was_written(name, rate, amplitude, rest):
    audio = Audio.from_file(DATA / name)
    assert audio.rate == rate
    assert audio.seconds == pytest.approx(0.2, abs=0.001)
    assert loudest_hz(audio.array, rate) == pytest.approx(1_000, abs=6)
    found, beside = fit(audio.array, rate, 1_000)
    assert found == pytest.approx(amplitude, rel=0.03 if rest < -20 else 0.06)
    assert beside < rest
    assert Audio.from_wav((DATA / name).read_bytes()) == audio


def test_a_float_file_beyond_full_scale_is_clipped():
    audio = Audio.from_file(DATA / "ffmpeg_float_peak_2.wav")
    assert audio.samples.max() == 32_767
    assert audio.samples.min() == -32_768
    assert (np.abs(audio.array) > 0.999).mean() == pytest.approx(2 / 3, abs=0.1)  # |2 sin| > 1 for two thirds


@pytest.mark.parametrize("kind", [str, DATA.__class__, "open"])
def test_a_file_may_be_given_as_path_text_or_open_file(kind):
    path = DATA / "sox.flac"
    with path.open("rb") as file:
        audio = Audio.from_file(file if kind == "open" else kind(path))
    assert audio == Audio.from_file(DATA / "sox_pcm16.wav")  # both lossless, both of the same sine


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".WAV"])
def test_lossless_files_come_back_sample_for_sample(tmp_path, suffix):
    noise = np.random.default_rng(3).integers(-32_768, 32_768, 100_001).astype(np.int16)
    audio = Audio.from_array(noise, 22_050)
    path = audio.save(tmp_path / f"noise{suffix}")
    assert path == tmp_path / f"noise{suffix}"
    assert Audio.from_file(path) == audio


def test_an_ogg_file_comes_back_as_the_same_tone(tmp_path):
    path = Audio.tone(1_000, 0.5).save(str(tmp_path / "tone.ogg"))
    back = Audio.from_file(path)
    amplitude, rest = fit(back.array, 24_000, 1_000)
    assert len(back) == 12_000
    assert amplitude == pytest.approx(0.5, rel=0.03)
    assert rest < -20
    assert path.stat().st_size < 24_000 / 2


def test_the_standard_library_reads_the_wav_that_is_made():
    audio = Audio.tone(440, 0.1, rate=16_000)
    with wave.open(io.BytesIO(audio.to_wav())) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16_000)
        assert file.readframes(99_999) == audio.pcm


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("empty_of_samples.wav", "without a single sample"),
        ("ffmpeg.webm", "is WebM.*ffmpeg -i"),
        ("ffmpeg.m4a", "is MP4.*ffmpeg -i"),
        ("sox_decoded_pcma.raw", r"nothing of its own rate.*from_bytes"),
        ("make_audio.sh", r"not a sound file.*WAV, FLAC, OGG, MP3"),
    ],
)
def test_files_that_cannot_be_read_say_why(name, words):
    with pytest.raises(ValueError, match=f"{name}.*{words}"):
        Audio.from_file(DATA / name)


def test_an_empty_file_is_called_empty(tmp_path):
    (tmp_path / "nothing.wav").touch()
    with pytest.raises(ValueError, match=r"nothing\.wav.*empty"):
        Audio.from_file(tmp_path / "nothing.wav")
    with pytest.raises(ValueError, match="empty"):
        Audio.from_wav(b"")


def test_half_a_header_is_refused(tmp_path):
    (tmp_path / "half.wav").write_bytes(Audio.tone(440, 0.1).to_wav()[:20])
    with pytest.raises(ValueError, match="begins like a WAV file, but cannot be read"):
        Audio.from_file(tmp_path / "half.wav")


def test_a_missing_file_says_where_it_was_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=rf"question\.wav.*{tmp_path.name}"):
        Audio.from_file("question.wav")
    with pytest.raises(IsADirectoryError, match="folder"):
        Audio.from_file(tmp_path)


def test_saving_says_what_is_wrong_with_the_name(tmp_path):
    with pytest.raises(ValueError, match=r"\.wav, \.flac, \.ogg"):
        Audio.silence(1).save(tmp_path / "clip.doc")
    with pytest.raises(FileNotFoundError, match="make it first"):
        Audio.silence(1).save(tmp_path / "none" / "clip.wav")


def test_a_format_that_does_not_take_the_rate_is_refused_in_words():
    with pytest.raises(ValueError, match="OGG/OPUS cannot be written at 22050"):
        encode_sound(bytes(2_000), 22_050, "OGG", "OPUS")


@pytest.mark.parametrize(
    ("name", "container"),
    [
        ("sox_pcm16.wav", "WAV"),
        ("sox.flac", "FLAC"),
        ("sox_vorbis.ogg", "OGG"),
        ("ffmpeg.mp3", "MP3"),
        ("ffmpeg.webm", "WebM"),
        ("ffmpeg.m4a", "MP4"),
        ("sox_decoded_pcma.raw", None),
    ],
)
def test_whole_files_are_told_from_bare_samples(name, container):
    data = (DATA / name).read_bytes()
    assert container_of(data) == container
    if container:
        with pytest.raises(ValueError, match=f"whole {container} file"):
            Audio.from_bytes(data)


def test_samples_that_happen_to_spell_the_start_of_a_magic_number_are_sound():
    for start in (b"OggS", b"fLaC", b"RIFF", b"\x1a\x45\xdf\xa3"):
        assert Audio.from_bytes(start + bytes(60)).pcm[:4] == start
    inside = Audio(b"\0\0" + Audio.tone(440, 0.01).to_wav(), 1_000)
    assert inside[0.001:].pcm[:4] == b"RIFF"  # a stretch is cut, whatever it holds


@pytest.mark.parametrize(("law", "decode"), [(7, decode_pcmu), (6, decode_pcma)])
def test_a_wav_of_bytes_is_read_by_libsndfile_also_when_their_number_is_odd(law, decode):
    codes = bytes(range(0, 255, 2)) + b"\x80"
    file = encode_wav(codes, 8_000, law=law)
    assert len(codes) % 2 == 1
    assert len(file) % 2 == 0  # chunks of RIFF are padded to even lengths
    assert int.from_bytes(file[4:8], "little") == len(file) - 8
    assert Audio.from_wav(file) == Audio.from_array(decode(codes), 8_000)
