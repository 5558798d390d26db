"""Word error rate of the shipped speech recognition, on sentences spoken by eSpeak NG's voices.

    python benchmarks/word_error_rate.py [--voices NAME ...] [--every N] [--noise DB]

Three rows of sentences (see `lesson_sentences.py`), several voices. "Refused" are utterances that gave a failed
transcript instead of words: they count as if no word had been understood, so that refusing is no way to a better rate.
"Wrong" are words claimed that were not said, per word said.

These voices are synthetic: each says a word the same way every time, there is no room and no breath. The rates flatter.
The limits of the recogniser were chosen with ``en-us+edward``, ``f2``, ``f3``, ``m6`` and ``Mike``; the voices below
that are marked * had no part in it.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import time
from collections.abc import Sequence

import numpy as np
from lesson_sentences import HELD_OUT, LESSON, OUTSIDE

from rtnb.core.audio import float_to_pcm16, pcm16_to_float
from rtnb.local.hearing import SphinxHearing
from rtnb.local.hearing.lessons import sentences
from rtnb.local.seams import Transcript
from rtnb.local.voice import EspeakVoice

SEEN = ("en-us+edward", "en-us+f2", "en-us+m6")
UNSEEN = ("en-us+klatt3", "en-us+announcer", "en-us-nyc+edward", "en-gb-x-rp+edward", "en-us+f5", "en-us+adam", "en-us")


def plain(text: str) -> list[str]:
    """Words without capitals, stops and the spellings in which a transcript is written."""
    text = text.lower().replace("api", "a p i").replace("base64", "base sixty four").replace("json", "jason")
    return re.findall(r"[a-z']+", text.replace("what's", "what is").replace("i'd", "i would"))


def errors(said: Sequence[str], heard: Sequence[str]) -> int:
    """Count the words to change, add or take away."""
    row = list(range(len(heard) + 1))
    for number, word in enumerate(said, 1):
        diagonal, row[0] = row[0], number
        for place, candidate in enumerate(heard, 1):
            diagonal, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, diagonal + (word != candidate))
    return row[-1]


def utterance(clip: bytes, noise_db: float | None) -> bytes:
    """Cut as a turn detector cuts: 300 ms before, 500 ms behind; with white noise so far below the speech."""
    sound = pcm16_to_float(clip)
    loud = np.flatnonzero(np.abs(sound) > 0.003)
    sound = sound[loud[0] : loud[-1] + 1]
    level = float(np.sqrt(np.mean(sound**2)))
    sound = np.concatenate([np.zeros(7_200), sound, np.zeros(12_000)])
    noise = 0.0003 if noise_db is None else level * 10 ** (-noise_db / 20)
    sound = sound + np.random.default_rng(1).standard_normal(sound.size) * noise
    return float_to_pcm16(sound.astype(np.float32))


async def heard(hearing: SphinxHearing, pcm: bytes) -> tuple[Transcript, float]:
    listener = await hearing.listen({})
    for start in range(0, len(pcm), 4_800):
        await listener.push(pcm[start : start + 4_800])
        while listener.backlog_s > 0.2:  # as fast as it can, as if it were spoken: nothing waits at the end
            await asyncio.sleep(0.005)
    begun = time.perf_counter()
    transcript = await listener.finish()
    return transcript, 1000 * (time.perf_counter() - begun)


async def main(voices: Sequence[str], every: int, noise_db: float | None) -> None:
    known = {" ".join(plain(line)) for line in sentences()}
    rows = {
        "lesson sentences": [s for s in LESSON if " ".join(plain(s)) in known],
        "lesson sentences, other words": [s for s in LESSON if " ".join(plain(s)) not in known],
        "held-out phrasings": [s for s in HELD_OUT if " ".join(plain(s)) not in known],
        "other subjects": OUTSIDE,
    }
    voice, hearing = EspeakVoice(), SphinxHearing()
    print(f"{'':32}{'voice':22}{'words':>7}{'errors':>9}{'wrong':>8}{'refused':>9}{'exact':>7}{'final ms':>10}")
    for title, lines in rows.items():
        totals = np.zeros(5)
        waits: list[float] = []
        for name in voices:
            counts = np.zeros(5)  # words, errors, wrong words, refused, exact
            for line in lines[::every]:
                clip = b"".join([s.pcm async for s in voice.speak(line, voice=f"espeak:{name}")])
                transcript, wait = await heard(hearing, utterance(clip, noise_db))
                said, got = plain(line), plain(transcript.text)
                wrong = errors(said, got)
                counts += (len(said), wrong, wrong if got else 0, not got, wrong == 0)
                waits.append(wait)
            totals += counts
            show(title, name + ("" if name in SEEN else " *"), counts, len(lines[::every]))
        if lines[::every]:
            show(title, "all", totals, len(lines[::every]) * len(voices), f"{np.median(waits):10.0f}")
    await voice.close()
    await hearing.close()


def show(title: str, voice: str, counts: np.ndarray, n: int, wait: str = "") -> None:
    if n:
        words, wrong, claimed, refused, exact = counts
        shares = f"{wrong / words:9.1%}{claimed / words:8.1%}{refused / n:9.0%}{exact / n:7.0%}"
        print(f"{title:32}{voice:22}{words:7.0f}{shares}{wait}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Word error rate of the shipped speech recognition.")
    parser.add_argument("--voices", nargs="+", default=[*SEEN, *UNSEEN], help="eSpeak NG's names")
    parser.add_argument("--every", type=int, default=1, help="only every n-th sentence")
    parser.add_argument("--noise", type=float, help="white noise, so many dB below the speech")
    given = parser.parse_args()
    if not SphinxHearing.available():
        sys.exit("pocketsphinx is not installed: pip install 'rtnb[local]'")
    asyncio.run(main(given.voices, given.every, given.noise))
