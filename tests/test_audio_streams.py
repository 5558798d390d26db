from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from helpers_audio import fit, pieces, sine, sweep
from hypothesis import given, settings
from hypothesis import strategies as st

from rtnb.core.audio import (
    Audio,
    Envelope,
    Pcm16Reader,
    Resampler,
    envelope,
    float_to_pcm16,
    level_dbfs,
    pcm16_to_float,
)

CHUNKS = st.lists(st.integers(0, 3_000), min_size=1, max_size=8)


def stream(x, source, target, cuts):
    resampler = Resampler(source, target)
    out = [resampler.push(piece) for piece in pieces(x, cuts)]
    return np.concatenate([*out, resampler.flush()])


# ---- the resampler


@settings(max_examples=30, deadline=None)
@given(cuts=CHUNKS, rates=st.sampled_from([(48_000, 24_000), (44_100, 24_000), (22_050, 24_000), (24_000, 16_000)]))
def test_chunks_resampled_equal_the_whole_resampled(cuts, rates):
    x = sweep(50, 10_000, 0.3, rates[0])
    whole = stream(x, *rates, [len(x)])
    chunked = stream(x, *rates, cuts)
    assert len(chunked) == len(whole) == pytest.approx(0.3 * rates[1], abs=1)
    assert np.max(np.abs(chunked - whole)) < 1e-6


@pytest.mark.parametrize(("source", "target"), [(48_000, 24_000), (24_000, 16_000), (24_000, 8_000), (44_100, 24_000)])
def test_tones_that_the_new_rate_cannot_hold_are_gone_not_folded_back(source, target):
    limit = target / 2
    for hz in (limit * 1.05, limit * 1.3, min(limit * 1.9, source * 0.49)):
        out = stream(sine(hz, 0.5, source), source, target, [480])
        middle = out[len(out) // 8 : -len(out) // 8]
        assert level_dbfs(middle) < -9 - 90, f"{hz} Hz"


@pytest.mark.parametrize(("source", "target"), [(48_000, 24_000), (22_050, 24_000), (8_000, 24_000), (24_000, 16_000)])
def test_tones_that_both_rates_hold_keep_their_level_and_stay_alone(source, target):
    for hz in (100, 1_000, 0.45 * min(source, target)):
        amplitude, rest = fit(stream(sine(hz, 0.5, source), source, target, [441]), target, hz)
        assert amplitude == pytest.approx(0.5, rel=0.01), f"{hz} Hz"
        assert rest < -90, f"{hz} Hz"


def test_a_click_stays_where_it_is():
    x = np.zeros(4_800, dtype=np.float32)
    x[2_400] = 0.9
    out = stream(x, 48_000, 24_000, [97])
    assert int(np.argmax(np.abs(out))) == 1_200


def test_silence_stays_silence():
    assert not stream(np.zeros(1_000, dtype=np.float32), 44_100, 24_000, [10]).any()


def test_equal_rates_pass_through_as_a_copy():
    x = sine(440, 0.01, 24_000)
    resampler = Resampler(24_000, 24_000)
    out = resampler.push(x)
    assert np.array_equal(out, x)
    assert not np.shares_memory(out, x)
    assert len(resampler.flush()) == 0


def test_after_flush_a_new_stream_begins():
    x = sweep(50, 5_000, 0.1, 48_000)
    resampler = Resampler(48_000, 24_000)
    first, second = (np.concatenate([resampler.push(x), resampler.flush()]) for _ in range(2))
    assert np.array_equal(first, second)
    assert len(resampler.flush()) == 0


def test_a_resampler_refuses_channels_and_rates_that_are_none():
    with pytest.raises(ValueError, match="one channel"):
        Resampler(48_000, 24_000).push(np.zeros((10, 2), dtype=np.float32))
    with pytest.raises(ValueError, match="rate"):
        Resampler(0, 24_000)


# ---- PCM16 in chunks


@given(data=st.binary(max_size=600), cuts=st.lists(st.integers(0, 9), min_size=1, max_size=6))
def test_bytes_cut_anywhere_give_the_same_samples(data, cuts):
    reader = Pcm16Reader()
    samples = np.concatenate([np.zeros(0, dtype=np.int16), *(reader.push(piece) for piece in pieces(data, cuts))])
    whole = data[: len(data) // 2 * 2]
    assert samples.dtype == np.int16
    assert samples.tolist() == np.frombuffer(whole, dtype="<i2").tolist()
    assert reader.pending == len(data) % 2


def test_conversion_clips_rounds_and_refuses():
    assert float_to_pcm16([2.0, -2.0, 0.4 / 32_768, 0.6 / 32_768]) == np.array([32_767, -32_768, 0, 1], "<i2").tobytes()
    with pytest.raises(ValueError, match="finite"):
        float_to_pcm16([math.nan])
    with pytest.raises(ValueError, match="Pcm16Reader"):
        pcm16_to_float(b"\0")


# ---- levels


def test_levels_are_those_of_physics():
    assert level_dbfs(np.ones(100)) == pytest.approx(0.0)
    assert level_dbfs(np.array([32_767, -32_768], dtype=np.int16)) == pytest.approx(0.0, abs=0.001)
    assert level_dbfs(sine(1_000, 1, 24_000, amplitude=1.0)) == pytest.approx(-3.01, abs=0.01)
    assert level_dbfs(sine(1_000, 1, 24_000, amplitude=0.1)) == pytest.approx(-23.01, abs=0.01)
    assert level_dbfs(np.tile([0.5, -0.5], 400_000)) == pytest.approx(-6.02, abs=0.01)  # longer than one block
    assert level_dbfs(np.zeros(10)) == level_dbfs(np.zeros(0)) == -math.inf


# ---- envelopes


@given(n=st.integers(0, 3_000), bins=st.integers(1, 400))
def test_an_envelope_holds_every_extreme(n, bins):
    samples = np.random.default_rng(n).uniform(-1, 1, n).astype(np.float32)
    low, high = envelope(samples, bins)
    assert len(low) == len(high) == min(n, bins)
    if n:
        assert (low.min(), high.max()) == (samples.min(), samples.max())
        stretches = [samples[i * n // len(low) : (i + 1) * n // len(low)] for i in range(len(low))]
        assert low.tolist() == [stretch.min() for stretch in stretches]
        assert high.tolist() == [stretch.max() for stretch in stretches]


def test_a_single_click_is_seen():
    samples = np.zeros(1_000_003, dtype=np.int16)
    samples[777_777] = -32_768
    low, high = envelope(samples, 500)
    assert low.min() == -1.0
    assert np.argmin(low) == 777_777 * 500 // 1_000_003
    assert not high.any()


@given(
    n=st.integers(0, 2_000),
    cuts=st.lists(st.integers(0, 500), min_size=1, max_size=6),
    bins=st.sampled_from([2, 8, 64]),
)
def test_the_envelope_of_a_stream_does_not_depend_on_its_chunks(n, cuts, bins):
    samples = np.random.default_rng(n).uniform(-1, 1, n).astype(np.float32)
    running = Envelope(bins)
    for piece in pieces(samples, cuts):
        running.push(piece)
    low, high = running.result()
    per_bin = running.samples_per_bin
    assert running.n_samples == n
    assert len(low) <= bins
    assert n <= bins or len(low) > bins // 2
    assert low.tolist() == [samples[i : i + per_bin].min() for i in range(0, n, per_bin)]
    assert high.tolist() == [samples[i : i + per_bin].max() for i in range(0, n, per_bin)]


def test_an_hour_needs_no_more_memory_than_a_minute():
    minute = (sine(440, 60, 24_000) * 32_767).astype(np.int16)
    running = Envelope(2_048)
    tracemalloc.start()
    try:
        for _ in range(60):
            running.push(minute)
        low, high = running.result()
        peak_of_stream = tracemalloc.get_traced_memory()[1]
        hour = Audio(bytes(minute.tobytes() * 60))
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        envelope(hour.samples, 2_048)
        peak_of_whole = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert running.n_samples == 3_600 * 24_000
    assert 1_024 < len(low) <= 2_048
    assert low[:-1] == pytest.approx(-0.5, abs=0.001)
    assert high[:-1] == pytest.approx(0.5, abs=0.001)
    assert peak_of_stream < 1_000_000  # a minute of it is 2,880,000 bytes
    assert peak_of_whole < 1_000_000  # the hour is 172,800,000


def test_an_envelope_without_bins_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        envelope([0.0], 0)
    for bins in (0, 3):
        with pytest.raises(ValueError, match="even"):
            Envelope(bins)
