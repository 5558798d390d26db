"""What may be claimed to have been heard: the recogniser's raw result becomes a `Transcript`. Pure.

A recogniser always finds words, in a hum and in a foreign language too. Three questions come before they are believed:

- Was there speech at all? The speech detector must have heard a tenth of a second of it. Noise, humming, knocks and
  tones that we tried have none, and give an empty transcript: nothing was said.
- Were words found?
- Are they likely right? A weighing of four facts, fitted by logistic regression to some 390 utterances of synthetic
  voices (sentences of the lessons, many of one word; others; invented words; German): how sure the winning decoder was
  of each word, how far both decoders agree, how well the path through the sound scored for the length of the speech,
  and whether it is a whole sentence of the lessons. For voices left out of the fit, the limit of 0.3 keeps 97 % of what
  was heard without any error and 68 % of what was heard with a third of the words wrong at most, and refuses 71 % of
  what was heard worse, 88 % of invented words and all German. The weighing is the `confidence`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rtnb.local.hearing.wording import worded
from rtnb.local.seams import Transcript

__all__ = ["LEAST_SPEECH_S", "agreement", "confidence", "judge"]

_NOISE: Final = re.compile(r"^(?:<.*>|\[.*\]|\+\+.*\+\+)$")
_VARIANT: Final = re.compile(r"\(\d+\)")  # the dictionary numbers a word's other pronunciations
LEAST_SPEECH_S: Final = 0.1
"""With less than this nothing was said."""

_LIMIT: Final = 0.3
_WEIGHTS: Final = (7.2, 3.64, 1.73, 22.4, 4.76)  # constant, sureness of words, agreement, score, a lesson


def judge(result: Mapping[str, Any], speech_s: float) -> Transcript:
    """Decide what was understood.

    Parameters
    ----------
    result
        What the child process found; see `rtnb.local.hearing.sphinx_child`.
    speech_s
        How many seconds of speech the detector heard in the utterance.
    """
    if speech_s < LEAST_SPEECH_S:
        return Transcript("")
    words = [word for word in result["words"] if not _NOISE.match(word["word"])]
    if not words:
        return Transcript("", confidence=0.0, failed="Somebody spoke, but no words were recognised.")
    sureness = confidence(result, words, speech_s)
    if sureness < _LIMIT:
        return Transcript(
            "", confidence=sureness, failed=f"Somebody spoke, but it was not understood (confidence {sureness:.2f})."
        )
    plain = [{**word, "word": _VARIANT.sub("", word["word"])} for word in words]
    told = tuple({"word": word["word"], "start": word["start"], "end": word["end"]} for word in plain)
    return Transcript(worded([word["word"] for word in plain]), confidence=sureness, words=told)


def confidence(result: Mapping[str, Any], words: Sequence[Mapping[str, Any]], speech_s: float) -> float:
    """Weigh what speaks for these words, 0..1."""
    constant, sure, agree, score, lesson = _WEIGHTS
    sum_of_logs = sum(_log(word["prob"]) for word in words)
    weighed = (
        constant
        + sure * sum_of_logs / len(words)
        + agree * agreement(_plain(result["text"]), _plain(result["other"]["text"]))
        + score * _log(result["score"]) / max(speech_s, 0.1)
        + lesson * bool(result["lesson"])
    )
    return 1 / (1 + math.exp(-max(min(weighed, 30.0), -30.0)))


def agreement(one: Sequence[str], other: Sequence[str]) -> float:
    """Compare two rows of words: 1 the same, 0 nothing in common, by the number of changes between them.

    Examples
    --------
    >>> agreement(["what", "is", "this"], ["what", "was", "this"])
    0.6666666666666667
    """
    row = list(range(len(other) + 1))
    for number, word in enumerate(one, 1):
        diagonal, row[0] = row[0], number
        for place, candidate in enumerate(other, 1):
            diagonal, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, diagonal + (word != candidate))
    return 1 - row[-1] / max(len(one), len(other), 1)


def _plain(text: str) -> list[str]:
    return _VARIANT.sub("", text).split()


def _log(value: float) -> float:
    return math.log10(max(value, 1e-12))
