from __future__ import annotations

import base64
import re
import shutil
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pytest
from helpers_audio import fit, loudest_hz, sweep

from rtnb.core.audio import Audio
from rtnb.notebook import clip
from rtnb.notebook.clip import clip_html, mimebundle, preview, size_limit, waveform_svg

CHROMIUM = shutil.which("chromium")


def speechlike(seconds: float, rate: int = 24_000) -> Audio:
    """Harmonics of a voice, opening and closing three times a second, over a little noise."""
    time = np.arange(round(seconds * rate)) / rate
    turns = 120 * time + 5 * np.sin(2 * np.pi * 0.7 * time)
    voice = sum(np.sin(2 * np.pi * k * turns) / k for k in range(1, 40))
    noise = np.random.default_rng(0).standard_normal(time.size)
    return Audio.from_array(0.1 * voice * np.sin(2 * np.pi * 1.5 * time) ** 2 + 0.005 * noise, rate)


class Tags(HTMLParser):
    """The start tags of a page, and its text; fails on an end tag that fits no start."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words += data

    def only(self, name: str) -> dict[str, str | None]:
        (found,) = [attrs for tag, attrs in self.tags if tag == name]
        return found


def sound_in(html: str) -> tuple[str, bytes]:
    source = Tags(html).only("audio")["src"]
    mime, data = re.fullmatch(r"data:([a-z/]+);base64,(.*)", source).groups()
    return mime, base64.b64decode(data, validate=True)


def test_ten_seconds_take_at_most_40_kilobytes():
    noise = Audio.from_array(np.random.default_rng(1).uniform(-0.9, 0.9, 240_000))
    for audio in (speechlike(10), noise, Audio.tone(3_000, 10), Audio.from_array(sweep(20, 11_900, 10, 24_000))):
        assert len(mimebundle(audio)["text/html"]) <= size_limit(10) == 40_000


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000])
def test_other_rates_take_no_more(rate):
    audio = speechlike(2, rate)
    html = clip_html(audio)
    mime, data = sound_in(html)
    assert len(html) <= size_limit(2)
    assert mime == "audio/ogg"
    assert Audio.from_wav(data).seconds == pytest.approx(2, abs=0.001)


def test_the_preview_sounds_like_the_clip():
    audio = Audio.tone(1_000, 3) + speechlike(2)
    mime, data = sound_in(clip_html(audio))
    heard = Audio.from_wav(data)
    assert mime == "audio/ogg"
    assert heard.seconds == pytest.approx(audio.seconds, abs=0.001)
    amplitude, rest = fit(heard.resample(24_000)[0.2:2.8].array, 24_000, 1_000)
    assert amplitude == pytest.approx(0.5, rel=0.1)
    assert rest < -15
    for start in range(3, 5):  # the loudness of the voice, second by second
        assert heard[start : start + 1].level == pytest.approx(audio[start : start + 1].level, abs=1.5)


def test_the_loss_is_stated_beside_the_player_and_in_its_title():
    page = Tags(clip_html(speechlike(5)))
    assert re.search(r"5\.00 s, 24 kHz, -\d+\.\d dBFS · preview: Opus, \d+ kbit/s", page.words)
    assert re.search(r"preview: Opus.*Audio\.save writes every sample", page.only("audio")["title"])


def test_a_beep_is_saved_exactly():
    beep = Audio.tone(880, 0.08)
    html = clip_html(beep)
    mime, data = sound_in(html)
    assert (mime, Audio.from_wav(data)) == ("audio/wav", beep)
    assert len(html) <= size_limit(beep.seconds)
    assert "exact" in Tags(html).words


def test_a_long_clip_is_previewed_from_its_beginning_and_says_so():
    audio = Audio.tone(500, 61) + Audio.silence(120 - 61)
    html = clip_html(audio)
    _, data = sound_in(html)
    assert len(html) <= size_limit(audio.seconds) == size_limit(36_000) == 190_000
    assert Audio.from_wav(data).seconds == pytest.approx(60, abs=0.001)
    assert "2 min, 24 kHz" in Tags(html).words
    assert "the first 1 min only" in Tags(html).words


def test_what_turns_out_too_large_is_encoded_smaller(monkeypatch):
    audio = speechlike(10)
    usual = preview(audio)
    monkeypatch.setattr(clip, "_OPUS_LEVELS", (0.5, 0.98))
    assert len(preview(audio).data) < len(usual.data)
    assert len(clip_html(audio)) <= 40_000


def test_without_opus_the_preview_is_telephone_sound_within_the_same_limit(monkeypatch):
    def no_opus(*_args, **_options):
        raise ValueError("OGG/OPUS cannot be written")

    monkeypatch.setattr(clip, "encode_sound", no_opus)
    audio = Audio.tone(1_000, 10)
    html = clip_html(audio)
    mime, data = sound_in(html)
    heard = Audio.from_wav(data)
    assert len(html) <= 40_000
    assert (mime, heard.rate) == ("audio/wav", 8_000)
    assert 2.5 < heard.seconds < 4
    assert loudest_hz(heard.array, 8_000) == pytest.approx(1_000, abs=1)
    assert re.search(r"mu-law at 8 kHz, the first 3\.\d\d s only", Tags(html).words)
    short = preview(Audio.tone(1_000, 2))
    assert (short.seconds, short.codec) == (2.0, "mu-law at 8 kHz") or short.seconds < 2


def test_without_soundfile_settings_for_the_bit_rate_there_still_is_a_preview(monkeypatch):
    import soundfile

    class Old(soundfile.SoundFile):
        def __init__(self, file, mode, samplerate, channels, subtype, format):
            super().__init__(file, mode, samplerate, channels, subtype, format=format)

    monkeypatch.setattr(soundfile, "SoundFile", Old)
    assert preview(Audio.tone(1_000, 10)).codec == "mu-law at 8 kHz"


def test_labels_are_escaped_everywhere():
    label = """<script>alert("x")</script> & 'more'"""
    page = Tags(clip_html(speechlike(1), label=label))
    assert {tag for tag, _ in page.tags} == {"div", "img", "audio"}
    assert label in page.words
    assert page.tags[0][1]["aria-label"] == label
    assert page.only("img")["alt"].startswith(label)
    assert page.only("audio")["aria-label"].startswith(label)


def test_picture_and_player_have_words_for_screen_readers():
    page = Tags(clip_html(speechlike(3)))
    assert re.fullmatch(r"waveform, 3\.00 s, 24 kHz, -\d+\.\d dBFS", page.only("img")["alt"])
    assert page.only("audio")["aria-label"] == "play 3.00 s of sound"
    assert "controls" in page.only("audio")


def test_a_clip_without_samples_has_no_player():
    page = Tags(clip_html(Audio()))
    assert page.words == "no sound (0 samples at 24,000 Hz)"
    assert [tag for tag, _ in page.tags] == ["div", "div"]
    assert "silence" in Tags(clip_html(Audio.silence(1))).words


def test_the_bundle_has_a_line_for_terminals():
    bundle = mimebundle(Audio.silence(0.5))
    assert list(bundle) == ["text/plain", "text/html"]
    assert bundle["text/plain"] == "<Audio 0.50 s at 24000 Hz>"


def bars(audio: Audio) -> list[tuple[float, float, float]]:
    root = ET.fromstring(waveform_svg(audio))
    path = root.find("{http://www.w3.org/2000/svg}path").get("d")
    return [tuple(map(float, bar)) for bar in re.findall(r"M([\d.]+) ([\d.]+)v([\d.]+)", path)]


def test_the_picture_shows_where_it_is_loud_and_a_single_click():
    half = bars(Audio.silence(1) + Audio.tone(1_000, 1))
    assert [x for x, _, _ in half] == sorted({x for x, _, _ in half})
    assert all(0 <= x <= 640 and y >= 0 and y + height <= 64 for x, y, height in half)
    assert all((height > 40) == (x > 320) for x, _, height in half)
    click = np.zeros(240_000)
    click[60_000] = 0.9
    assert [x for x, _, height in bars(Audio.from_array(click)) if height > 1] == [162]


def test_near_silence_is_not_drawn_loud():
    loud, quiet = bars(Audio.tone(1_000, 1, amplitude=0.9)), bars(Audio.tone(1_000, 1, amplitude=0.01))
    assert max(height for _, _, height in loud) > 50
    assert max(height for _, _, height in quiet) <= 4


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
def test_chromium_decodes_every_kind_of_preview(monkeypatch):
    from playwright.sync_api import sync_playwright

    clips = [clip_html(Audio.tone(1_000, 4)), clip_html(Audio.tone(1_000, 0.05))]
    monkeypatch.setattr(clip, "_OPUS_LEVELS", ())
    clips.append(clip_html(Audio.tone(1_000, 2)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            page = browser.new_page()
            page.set_content("".join(clips))
            found = page.evaluate(
                """() => Promise.all([...document.querySelectorAll('audio')].map(async (audio) => {
                    const bytes = Uint8Array.from(atob(audio.src.split(',')[1]), (c) => c.charCodeAt(0));
                    const sound = await new OfflineAudioContext(1, 1, 24000).decodeAudioData(bytes.buffer);
                    const x = sound.getChannelData(0);
                    let crossings = 0;
                    for (let i = 1; i < x.length; i += 1) if (x[i - 1] < 0 && x[i] >= 0) crossings += 1;
                    return [sound.duration, crossings / sound.duration, audio.error];
                }))"""
            )
            loaded = page.evaluate("() => [...document.images].every((image) => image.naturalWidth === 640)")
        finally:
            browser.close()
    assert loaded
    assert [round(seconds, 2) for seconds, _, _ in found][:2] == [4.0, 0.05]
    for _, hz, error in found:
        assert hz == pytest.approx(1_000, rel=0.03)
        assert error is None


def test_a_cell_that_ends_with_audio_shows_the_clip(monkeypatch):
    from IPython.core.formatters import DisplayFormatter

    from rtnb.core import services

    monkeypatch.setitem(services._targets, "audio.show", "rtnb.notebook.clip:mimebundle")
    data, _ = DisplayFormatter().format(Audio.silence(0.1))
    assert data["text/html"].startswith("<div role=")
    assert data["text/plain"] == "<Audio 0.10 s at 24000 Hz>"
