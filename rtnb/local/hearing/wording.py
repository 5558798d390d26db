"""How recognised words are written: the recogniser knows small letters only. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from rtnb.local.hearing.lessons import SLOTS

__all__ = ["worded"]

_QUESTION: Final = re.compile(
    r"(?:and |but |so |hello |hi |please )*(?:what|what's|who|who's|whose|which|where|where's|when|why|how|how's|is|"
    r"are|was|were|do|does|did|can|could|will|would|should|may)\b(?! you (?:please )?(?:stop|wait|be quiet))"
)
_SHORT: Final = {
    "a p i": "API",
    "p c m": "PCM",
    "v a d": "VAD",
    "i b m": "IBM",
    "ibm": "IBM",
    "nvidia": "NVIDIA",
    "jupiter": "Jupyter",
    "base sixty four": "base64",
    "coca cola": "Coca-Cola",
}
_JASON: Final = re.compile(r"(?<!name is )(?<!called )(?<!call me )\bjason\b")
_ME: Final = re.compile(r"\bi(?=\b(?:'|\s|$))")
_CAPITAL: Final = {
    *(name for slot in ("city", "name", "country", "language", "company") for name in SLOTS[slot]),
    *("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
    "jason",
    *("january", "february", "april", "june", "july", "august", "september", "october", "november", "december"),
} - {"meta", "visa", "ford", "max", "mark", "tom", "jack", "sam", "alphabet", "oracle", "rice"}
_NAMES: Final = re.compile(r"\b(?:" + "|".join(sorted(map(re.escape, _CAPITAL), key=len, reverse=True)) + r")\b")
_SMALL: Final = {"the", "of"}


def worded(words: Sequence[str]) -> str:
    """Write recognised words as a sentence: names with capitals, a full stop or a question mark at the end.

    Examples
    --------
    >>> worded(["what's", "the", "weather", "in", "new", "york"])
    "What's the weather in New York?"
    """
    text = " ".join(words)
    if not text:
        return ""
    question = _QUESTION.match(text) is not None
    for spoken, written in _SHORT.items():
        text = re.sub(rf"\b{spoken}\b", written, text)
    text = _JASON.sub("JSON", text)
    text = _ME.sub("I", text)
    text = _NAMES.sub(lambda match: _capitals(match[0]), text)
    return text[0].upper() + text[1:] + ("?" if question else ".")


def _capitals(name: str) -> str:
    return " ".join(part if part in _SMALL else part.capitalize() for part in name.split())
