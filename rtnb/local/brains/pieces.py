"""How a text is cut into the pieces that are streamed. Imports nothing of rtnb."""

from __future__ import annotations

import re

__all__ = ["chunks", "words"]

_WORD = re.compile(r"\s*\S+|\s+$")


def words(text: str) -> list[str]:
    """The words of `text`, each with the space before it; joined they are `text` again."""
    return _WORD.findall(text)


def chunks(text: str, size: int) -> list[str]:
    """`text` in pieces of `size` characters."""
    return [text[at : at + size] for at in range(0, len(text), size)]
