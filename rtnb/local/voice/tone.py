"""A voice without any engine: syllables as tones. Imports numpy only."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Final

import numpy as np

from rtnb.core.protocol import RATE, VOICES
from rtnb.local.seams import Speech
from rtnb.local.voice.pieces import words

__all__ = ["ToneVoice"]

_SYLLABLE: Final = re.compile(r"[aeiouyäöüáéíóúàèìòùâêîôû]+|\d", re.IGNORECASE)
_MELODY: Final = (0, 4, 2, 5, 3, 7, 2, 0)  # semitones above the voice's own tone
_SYLLABLE_S: Final = 0.16


class ToneVoice:
    """A stand-in that is not speech: a short tone for each syllable, a pause at each comma and full stop.

    It takes as long as speech would, starts and stops as speech would, and its words are timed; nobody can understand
    it, and it does not pretend. It keeps every lesson running where no speech engine is installed
    (``pip install 'rtnb[local]'``). Licence: rtnb's own (MIT).
    """

    name = "tones"

    async def speak(self, text: str, *, voice: str, speed: float = 1.0) -> AsyncIterator[Speech]:
        """Give one `Speech` for each word; see `rtnb.local.seams.Voice`."""
        known = VOICES.index(voice) if voice in VOICES else sum(voice.encode()) % len(VOICES)
        base = 140.0 * 2 ** (known / 6)
        step = 0
        for word in words(text):
            n_syllables = len(_SYLLABLE.findall(word)) or (1 if any(c.isalnum() for c in word) else 0)
            sounds = []
            for _ in range(n_syllables):
                sounds.append(_tone(base * 2 ** (_MELODY[step % len(_MELODY)] / 12), _SYLLABLE_S / _clamped(speed)))
                step += 1
            pause_s = 0.25 if re.search(r"[.!?…]\W*$", word) else 0.12 if re.search(r"[,;:]\W*$", word) else 0.04
            sounds.append(np.zeros(round(pause_s / _clamped(speed) * RATE), dtype="<i2"))
            yield Speech(np.concatenate(sounds).astype("<i2").tobytes(), word)

    async def close(self) -> None:
        """Nothing is held."""


def _clamped(speed: float) -> float:
    return min(max(speed, 0.25), 1.5)


def _tone(hertz: float, seconds: float) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    n_samples = round(seconds * RATE)
    time = np.arange(n_samples) / RATE
    sound = np.sin(2 * np.pi * hertz * time) + 0.4 * np.sin(4 * np.pi * hertz * time)
    fade = np.minimum(1.0, np.minimum(np.arange(n_samples), np.arange(n_samples)[::-1]) / (0.02 * RATE))
    return np.asarray(np.rint(0.18 * 32767 * sound * fade), dtype="<i2")
