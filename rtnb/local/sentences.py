"""Cutting a stream of words into sentences for the voice.

The first piece is cut early, at a comma if need be, so that sound begins soon; later ones are whole sentences, because
they sound better. Nothing is lost: the pieces joined are the text.

Imports nothing of rtnb.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["Sentences"]

_FIRST_CHARS: Final = 48  # the first piece may end at a comma after this many characters
_LONG_CHARS: Final = 240  # any piece may end at a comma or a space after this many

_WORDS: Final = (
    "mr mrs ms dr prof sr jr st vs etc e.g i.e z.b d.h u.a no nr fig vol approx ca dept est inc ltd co gen col sgt rev "
    "hon jan feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu fri sat sun a.m p.m u.s u.k"
)
_ABBREVIATIONS: Final = frozenset(_WORDS.split())

# The end of a sentence: its sign, closing quotes and brackets, then white space. Chinese and Japanese signs need none.
_END: Final = re.compile(r"(?:[.!?…]+[\"'”’)\]]*(?=\s)|[。！？]+[」』”’）]*|\n{2,})")
_PAUSE: Final = re.compile(r"[,;:–—](?=\s)|[，、；：]|\s-(?=\s)")


class Sentences:
    """A streaming splitter.

    Examples
    --------
    >>> cut = Sentences()
    >>> cut.push("Dr. Who paid 3.50 euros. And")
    ['Dr. Who paid 3.50 euros. ']
    >>> cut.flush()
    ['And']
    """

    def __init__(self) -> None:
        self._text = ""
        self._is_first = True

    def push(self, text: str) -> list[str]:
        """Take the next words; return the pieces that are complete, each with the white space after it."""
        self._text += text
        pieces: list[str] = []
        while (end := self._cut()) is not None:
            pieces.append(self._text[:end])
            self._text = self._text[end:]
            self._is_first = False
        return pieces

    def flush(self) -> list[str]:
        """The rest."""
        rest, self._text = self._text, ""
        return [rest] if rest else []

    def _cut(self) -> int | None:
        text = self._text
        for found in _END.finditer(text):
            if self._is_end(found):
                return self._after_space(found.end())
        if self._is_first and len(text) > _FIRST_CHARS:
            for found in _PAUSE.finditer(text, _FIRST_CHARS):
                return self._after_space(found.end())
        if len(text) > _LONG_CHARS:
            pauses = [found.end() for found in _PAUSE.finditer(text, _FIRST_CHARS, _LONG_CHARS)]
            end = pauses[-1] if pauses else text.rfind(" ", _FIRST_CHARS, _LONG_CHARS)
            return self._after_space(end if end > 0 else _LONG_CHARS)
        return None

    def _is_end(self, found: re.Match[str]) -> bool:
        if not found.group().startswith("."):
            return True
        before = self._text[: found.start()]
        word = re.split(r"[\s(\[\"'“‘]", before)[-1].lower() if before else ""
        if found.group() == "." and (word in _ABBREVIATIONS or (len(word) == 1 and word.isalpha())):
            return False  # "Dr. Who", "J. Smith"
        if found.group() == "." and word.isdigit() and len(word) <= 3:
            # "1. First", "the 3. of May": a list or an ordinal; yet "the answer is 10. Next" ends here.
            return bool(before[: -len(word)].strip()) and self._capital_follows(found.end())
        return True

    def _capital_follows(self, end: int) -> bool:
        rest = self._text[end:].lstrip()
        return bool(rest) and not rest[0].islower()

    def _after_space(self, end: int) -> int:
        while end < len(self._text) and self._text[end].isspace():
            end += 1
        return end
