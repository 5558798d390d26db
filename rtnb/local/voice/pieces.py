"""Text cut into pieces that can be spoken one after the other. Pure; imports nothing of rtnb."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

__all__ = ["sentences", "words"]

# A sentence ends with its mark, closing quotes and the blanks behind it. A dot within a number, or behind one letter
# ("e.g.", "J. S. Bach") or a title, ends nothing.
_END: Final = re.compile(
    r"(?:(?<!\b[A-Za-z])(?<!\bMr)(?<!\bMs)(?<!\bDr)(?<!\bSt)(?<!\bMrs)\.|[!?…])[.!?…\"'”’)\]]*(?:\s+|$)|\n\s*"
)
_WORD: Final = re.compile(r"\s*\S+\s*$|\s*\S+")


def sentences(text: str, longest: int = 240) -> Iterator[str]:
    """Cut text into sentences, none longer than `longest` characters; joined they are the text, exactly.

    Examples
    --------
    >>> list(sentences("It is 4.5 degrees. And in Chicago?"))
    ['It is 4.5 degrees. ', 'And in Chicago?']
    """
    start = 0
    for match in _END.finditer(text):
        yield from _shorter(text[start : match.end()], longest)
        start = match.end()
    yield from _shorter(text[start:], longest)


def _shorter(sentence: str, longest: int) -> Iterator[str]:
    while len(sentence) > longest:
        head = sentence[:longest]
        cut = max(head.rfind(", "), head.rfind("; "), head.rfind(": "), head.rfind(" – ")) + 2
        if cut < longest // 3:
            cut = head.rfind(" ") + 1 or longest
        yield sentence[:cut]
        sentence = sentence[cut:]
    if sentence:
        yield sentence


def words(text: str) -> list[str]:
    """Cut text into words, each with the blanks before it; joined they are the text, exactly.

    Examples
    --------
    >>> words("What is  a socket? ")
    ['What', ' is', '  a', ' socket? ']
    """
    return _WORD.findall(text) or ([text] if text else [])
