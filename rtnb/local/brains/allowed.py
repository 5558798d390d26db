"""Values that a schema lists, and yes or no, found in what was said. Pure."""

from __future__ import annotations

import re
from typing import Any, Final

from rtnb.local.brains.english import bare, name_words, stem, stems
from rtnb.local.brains.schema import Param

__all__ = ["chosen", "truth"]

_SAME: Final = {
    "celsius": "celsius centigrade c metric",
    "c": "celsius centigrade metric",
    "metric": "metric celsius kilometers kilometres",
    "fahrenheit": "fahrenheit f imperial",
    "f": "fahrenheit imperial",
    "imperial": "imperial fahrenheit miles",
    "add": "add plus sum addition",
    "subtract": "subtract minus difference",
    "multiply": "multiply times multiplied product",
    "divide": "divide divided over",
    "+": "add plus sum addition",
    "-": "subtract minus difference",
    "*": "multiply times multiplied product",
    "/": "divide divided over",
    "on": "on an ein",
    "off": "off aus",
    "lock": "lock locked",
    "unlock": "unlock unlocked",
    "open": "open opened",
    "close": "close closed shut",
    "true": "yes true on",
    "false": "no false off",
    "high": "high urgent important",
}
_OPERATOR_SIGNS: Final = (("+", "plus"), ("×", "times"), ("*", "times"), ("÷", "divided"), ("/", "divided"))


def chosen(param: Param, text: str) -> list[Any]:
    """The allowed values that are named, in the order of the text."""
    spoken = bare(text)
    for sign, word in _OPERATOR_SIGNS:
        spoken = re.sub(rf"(?<=[\d\s]){re.escape(sign)}(?=[\s\d])", f" {word} ", spoken)
    spoken = re.sub(r"(?<=\d)\s+-\s+(?=\d)|(?<=\d)-(?=\d)", " minus ", spoken)
    said = spoken.split()
    stemmed = [stem(word) for word in said]
    found: list[tuple[int, int, Any]] = []
    for place, choice in enumerate(param.choices):
        words = name_words(str(choice)) or [str(choice)]
        key = " ".join(words)
        if (at := _run_at([stem(word) for word in words], stemmed)) is not None and (len(key) > 1 or key.isdigit()):
            found.append((at, place, choice))
            continue
        marks = [said.index(word) for word in _SAME.get(key, "").split() if word in said]
        if marks:
            found.append((min(marks), place, choice))
    if not found and all(isinstance(choice, str) for choice in param.choices):
        found = [
            (0, place, choice)
            for place, choice in enumerate(param.choices)
            if set(stems(" ".join(name_words(choice)))) & set(stems(text))
        ]
    return [choice for _, _, choice in sorted(found, key=lambda row: row[:2])]


def _run_at(wanted: list[str], said: list[str]) -> int | None:
    return next((at for at in range(len(said) - len(wanted) + 1) if said[at : at + len(wanted)] == wanted), None)


_NO: Final = r"\b(?:not|no|without|don't|do not|disable|deactivate|never|isn't)\b"


def truth(param: Param, text: str) -> bool | None:
    """Yes, no, or nothing said about it."""
    spoken = bare(text)
    own = [
        word
        for word in param.words
        if word not in {"is", "include", "with", "use", "enable", "should", "has", "on", "state"}
    ]
    mentioned = own and all(any(stem(word) == stem(each) for each in spoken.split()) for word in own)
    if mentioned:
        return not re.search(rf"{_NO}(?:\s+\w+){{0,3}}\s+{re.escape(own[0][:4])}", spoken)
    if {"on", "enabled", "enable", "power", "state", "active", "activate", "value", "an", "ein", "allumé"} & set(
        param.words
    ):
        if re.search(r"\b(?:off|disable|deactivate|aus|éteins)\b", spoken):
            return False
        if re.search(r"\b(?:on|enable|activate|ein|allume|dim|set)\b", spoken):
            return True
    if re.fullmatch(r"(?:yes|yeah|yep|sure|true|of course|ja|oui)(?: please)?", spoken):
        return True
    return False if re.fullmatch(r"(?:no|nope|false|nein|non)(?: thanks| thank you)?", spoken) else None
