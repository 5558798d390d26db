"""Words an answer for the ear: signs and units as they are said. Pure."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["for_ear"]

_SAID: Final = (
    (r"\s*°\s*C\b", " degrees Celsius"),
    (r"\s*°\s*F\b", " degrees Fahrenheit"),
    (r"\s*°", " degrees"),
    (r"(?<=\d)\s*km/h\b", " kilometres per hour"),
    (r"(?<=\d)\s*(?:mph|mp/h)\b", " miles per hour"),
    (r"(?<=\d)\s*m/s\b", " metres per second"),
    (r"(?<=\d)\s*%", " percent"),
    (r"(?<=\d) USD\b", " US dollars"),
    (r"(?<=\d) EUR\b", " euros"),
    (r"(?<=\w)_(?=\w)", " "),
    (r"\.env\b", "dot env"),
    (r"(?<=\d) \^ (?=\d)", " to the power of "),
    (r"(?<![\w.])-(?=\d)", "minus "),
)


def for_ear(text: str) -> str:
    """`text` with its signs in words: ``8.4 °C`` becomes ``8.4 degrees Celsius``."""
    for pattern, words in _SAID:
        text = re.sub(pattern, words, text)
    return text
