"""The judges are sox and ffmpeg (files in tests/data, see make_audio.sh) and libsndfile."""

from __future__ import annotations

import io

import numpy as np
import pytest
from helpers_audio import DATA

from rtnb.core.audio import decode_pcma, decode_pcmu, encode_pcma, encode_pcmu

LAWS = {"mu": (encode_pcmu, decode_pcmu, "ULAW"), "a": (encode_pcma, decode_pcma, "ALAW")}
CODES = bytes(range(256))
ALL = np.arange(-32_768, 32_768).astype(np.int16)


@pytest.fixture(params=LAWS)
def law(request):
    return request.param


def test_every_code_decodes_as_sox_and_libsndfile_decode_it(law):
    import soundfile

    _, decode, subtype = LAWS[law]
    ours = decode(CODES)
    assert ours.dtype == np.int16
    assert ours.tobytes() == (DATA / f"sox_decoded_pcm{law}.raw").read_bytes()
    theirs, _ = soundfile.read(
        io.BytesIO(CODES), samplerate=8_000, channels=1, format="RAW", subtype=subtype, dtype="int16"
    )
    assert np.array_equal(ours, theirs)


def test_encoding_agrees_with_ffmpeg_but_for_ties(law):
    encode, decode, _ = LAWS[law]
    samples = ALL[::16]
    ours, theirs = encode(samples), (DATA / f"ffmpeg_encoded_pcm{law}.raw").read_bytes()
    differ = np.frombuffer(ours, np.uint8) != np.frombuffer(theirs, np.uint8)
    our_error = np.abs(decode(ours).astype(int) - samples)
    their_error = np.abs(decode(theirs).astype(int) - samples)
    assert differ.mean() < 0.07  # a sixteenth of the samples, all multiples of 16, is where ties are
    assert np.all(our_error <= their_error)


def test_each_sample_takes_the_nearest_code(law):
    encode, decode, _ = LAWS[law]
    error = np.abs(decode(encode(ALL)).astype(int) - ALL)
    nearest = np.abs(np.unique(decode(CODES)).astype(int)[None, :] - ALL[::37, None].astype(int)).min(axis=1)
    assert np.array_equal(error[::37], nearest)


def test_every_code_survives_decoding_and_encoding(law):
    encode, decode, _ = LAWS[law]
    back = encode(decode(CODES))
    changed = [code for code in range(256) if back[code] != code]
    assert changed == ([0x7F] if law == "mu" else [])  # mu-law's negative zero is no sample of its own


def test_silence_has_its_own_code():
    assert encode_pcmu(np.zeros(3, dtype=np.int16)) == b"\xff\xff\xff"
    assert encode_pcma(np.zeros(1, dtype=np.int16)) in (b"\xd5", b"\x55")


def test_the_noise_of_a_tone_stays_33_decibels_below_it_at_every_level(law):
    encode, decode, _ = LAWS[law]
    for amplitude in (0.9, 0.3, 0.1, 0.03):
        tone = (amplitude * 32_767 * np.sin(np.arange(8_000) * 0.7)).astype(np.int16)
        noise = decode(encode(tone)).astype(float) - tone
        assert 10 * np.log10(np.mean(tone.astype(float) ** 2) / np.mean(noise**2)) > 33


def test_other_types_than_int16_are_refused(law):
    encode, decode, _ = LAWS[law]
    with pytest.raises(TypeError, match="float32"):
        encode(np.zeros(3, dtype=np.float32))
    assert encode(np.zeros(0, dtype=np.int16)) == b""
    assert decode(b"").tolist() == []
