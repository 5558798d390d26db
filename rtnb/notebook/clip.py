"""How an `Audio` looks in a cell: its waveform and a player, small enough to be saved with the notebook.

A notebook keeps what its cells show, so a player's sound is in the file, as base64. PCM16 would take 64 kB a second.
What is saved is therefore a *preview*: Ogg Opus at about 16 kbit/s, which every current browser plays, the first
`PREVIEW_S` seconds of it; it keeps speech clear and loses what lies above some 8 kHz and the exact samples. The
size of a whole clip stays below `size_limit`: 40,000 characters for ten seconds. The player's title and the line below
it say that it is a preview, and `Audio.save` writes every sample. A clip so short that its WAV fits is saved exactly.
Where soundfile cannot write Opus the preview is mu-law at 8 kHz, as on a telephone, and cut where the limit is.

The HTML has no script and no style sheet. JupyterLab's sanitizer, at work in notebooks that are not trusted, leaves
picture, player and texts (of the labels for screen readers only `alt` and `title`). The colours can be read on white
and on black.

May import the core; of what is outside numpy only.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from html import escape
from typing import Final

import numpy as np

from rtnb.core.audio import Audio, encode_pcmu, envelope, level_dbfs
from rtnb.core.audiofiles import encode_sound, encode_wav

__all__ = ["PREVIEW_S", "WAVE_COLOUR", "Preview", "clip_html", "mimebundle", "preview", "size_limit", "waveform_svg"]

PREVIEW_S: Final = 60.0
"""A preview holds at most so many seconds."""

WAVE_COLOUR: Final = "#3b82f6"
"""Blue with a contrast of at least 3:1 both to white (3.7) and to JupyterLab's dark background (4.9)."""

_OPUS_RATES: Final = (8_000, 12_000, 16_000, 24_000)  # Opus knows 48,000 too, which a preview has no use for
_OPUS_LEVELS: Final = (0.96, 0.97, 0.98, 1.0)  # libsndfile's "compression level": 16, 13, 11, 6 kbit/s, tried in turn

_FRAME: Final = 4_200  # characters of a clip that are not its sound: the picture (2,400) and the words around it
_WIDTH, _HEIGHT = 640, 64  # of the picture, in its own units
_BAR: Final = 4  # distance between the bars of the picture
_QUIET: Final = 0.25  # a peak below this is not drawn any larger, so that near silence looks like it


def size_limit(seconds: float) -> int:
    """The most characters that a clip of so many seconds takes: 40,000 for ten seconds, 190,000 for an hour.

    A label comes on top, as long as it is.
    """
    return 10_000 + int(3_000 * min(seconds, PREVIEW_S))


@dataclass(frozen=True)
class Preview:
    """A clip's sound as it is saved with the notebook.

    Attributes
    ----------
    data
        A whole file.
    mime
        Its type, for the browser.
    seconds
        How much of the clip it holds, from the beginning.
    is_exact
        Whether it holds every sample as it is.
    codec
        What it is, in words.
    """

    data: bytes
    mime: str
    seconds: float
    is_exact: bool
    codec: str


def preview(audio: Audio) -> Preview:
    """Encode the beginning of `audio` so that it fits below `size_limit` as base64."""
    room = (size_limit(audio.seconds) - _FRAME) * 3 // 4  # base64 makes four characters of three bytes
    if 44 + len(audio.pcm) <= room:
        return Preview(audio.to_wav(), "audio/wav", audio.seconds, True, "WAV")
    start = audio[:PREVIEW_S]
    rate = next((rate for rate in _OPUS_RATES if rate >= start.rate), _OPUS_RATES[-1])
    try:
        pcm = start.resample(rate).pcm
        for level in _OPUS_LEVELS:
            data = encode_sound(pcm, rate, "OGG", "OPUS", compression_level=level)
            if len(data) <= room:
                kbits = len(data) * 8 / 1000 / start.seconds
                return Preview(data, "audio/ogg", start.seconds, False, f"Opus, {kbits:.0f} kbit/s")
    except ValueError:  # a libsndfile without Opus, or a soundfile before 0.13 that cannot set the bit rate
        pass
    return _telephone(start, room)


def _telephone(start: Audio, room: int) -> Preview:
    n_samples = room - 60  # what a WAV header of mu-law takes, and a byte of padding
    body = encode_pcmu(start.resample(8_000).samples[:n_samples])
    return Preview(encode_wav(body, 8_000, law=7), "audio/wav", len(body) / 8_000, False, "mu-law at 8 kHz")


def waveform_svg(audio: Audio) -> str:
    """Draw the waveform as a small picture: a bar from the lowest to the highest sample of each stretch.

    It is drawn relative to the clip's peak, but a quiet clip (peak below 0.25) at most four times larger.
    """
    low, high = envelope(audio.samples, _WIDTH // _BAR)
    peak = max(_QUIET, float(np.max(np.abs([low, high]), initial=0.0)))
    middle = _HEIGHT / 2
    reach = middle - 3
    step = _WIDTH / max(1, low.size)
    bars = []
    for index, (bottom, top) in enumerate(zip(low.tolist(), high.tolist(), strict=True)):
        x, y = round((index + 0.5) * step), round(middle - top / peak * reach)
        bars.append(f"M{x} {y}v{max(1, round((top - bottom) / peak * reach))}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}">'
        f'<path d="{"".join(bars)}" stroke="{WAVE_COLOUR}" stroke-width="2.4" stroke-linecap="round" fill="none"/>'
        "</svg>"
    )


def clip_html(audio: Audio, *, label: str = "") -> str:
    """Picture, player and a line of facts, as HTML without scripts.

    Parameters
    ----------
    audio
        The sound.
    label
        What it is, in a few words (``"answer 3, as heard"``); shown above and said by screen readers. Any text: it is
        escaped.
    """
    name = f"{label}: " if label else ""
    facts = f"{_duration(audio.seconds)}, {audio.rate:,} Hz, {_level(audio)}".replace(",000 Hz", " kHz")
    parts = [f"<div>{escape(label)}</div>"] if label else []
    if len(audio):
        picture = b64encode(waveform_svg(audio).encode()).decode()
        parts.append(
            f'<img alt="{escape(f"{name}waveform, {facts}")}" src="data:image/svg+xml;base64,{picture}" '
            'style="display:block;width:100%;max-width:640px;height:auto">'
        )
        sound = preview(audio)
        hint, note = _words(audio, sound)
        play = f"{name}play {_duration(sound.seconds)} of sound"
        parts.append(
            f'<audio controls preload="metadata" aria-label="{escape(play)}" '
            f'title="{escape(hint)}" src="data:{sound.mime};base64,{b64encode(sound.data).decode()}" '
            'style="display:block;width:100%;max-width:640px;height:36px"></audio>'
        )
        facts = f"{facts} · {note}"
    else:
        facts = f"no sound (0 samples at {audio.rate:,} Hz)"
    parts.append(f'<div style="opacity:0.8;margin-top:2px">{escape(facts)}</div>')
    return (
        f'<div role="group" aria-label="{escape(label or "Sound")}" '
        'style="max-width:640px;font:12px/1.5 system-ui,sans-serif;padding:4px 0">' + "".join(parts) + "</div>"
    )


def _words(audio: Audio, sound: Preview) -> tuple[str, str]:
    """The player's title, and its short form for the line below."""
    if sound.is_exact:
        return "All samples, exactly.", "exact"
    note = f"preview: {sound.codec}"
    if sound.seconds < audio.seconds - 0.01:
        note += f", the first {_duration(sound.seconds)} only"
    return f"A small {note}. Audio.save writes every sample to a file.", note


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if rest else f"{minutes} min"


def _level(audio: Audio) -> str:
    level = level_dbfs(audio.samples)
    return "silence" if level == float("-inf") else f"{level:.1f} dBFS"


def mimebundle(audio: Audio) -> dict[str, str]:
    """What a cell shows of an `Audio`: HTML, and its one-line form for terminals."""
    return {"text/plain": repr(audio), "text/html": clip_html(audio)}
