"""Finds places in what was said: known ones anywhere, unknown ones after *in*, *for* and the like. Pure."""

from __future__ import annotations

import re
from typing import Final

from rtnb.local.brains.english import FILLER, dates, times, title
from rtnb.local.brains.tables import bag
from rtnb.local.brains.world import CAPITALS, CITIES, CURRENCIES, LANGUAGES

__all__ = ["is_known", "places", "position"]

_PREPOSITIONS: Final = bag("in for at near around from to of over nach von für aus pour à en au vers de between")
_INNER: Final = bag("of de la le del upon am an der sur les los san st")
_NOT_PLACES: Final = (
    bag(
        "general detail details total short brief celsius fahrenheit kelvin degrees words word sentence"
        " sentences caps capitals"
        " case memory mind home here there bed town city kilometers kilometres miles percent minutes"
        " hours days weeks seconds fact order"
        " addition stock stocks share shares price weather forecast temperature sum today's tomorrow's"
        " sure example free advance"
        " least most once first last next morning afternoon evening noon midnight lunch dinner work"
        " school someone something anything"
        " documents docs handbook manual kitchen office bedroom bathroom garage garden room"
    )
    | frozenset(LANGUAGES)
    | frozenset(CURRENCIES)
)
_REGIONS: Final = bag(
    "alabama alaska arizona california colorado florida georgia hawaii illinois indiana kansas"
    " maine maryland massachusetts"
    " michigan minnesota missouri montana nevada ohio oregon pennsylvania tennessee texas utah"
    " virginia washington bavaria ontario"
    " quebec usa uk england scotland wales germany france"
)
_COUNTRIES: Final = {name.casefold().removeprefix("the "): name for name in CAPITALS}


def is_known(name: str) -> bool:
    """Whether the place stands in the tables."""
    folded = name.casefold().removeprefix("the ")
    return folded in CITIES or folded in _COUNTRIES


def position(name: str) -> tuple[float, float] | None:
    """Latitude and longitude of a known city, or of a country's capital."""
    folded = name.casefold().split(",")[0].strip().removeprefix("the ")
    if folded in _COUNTRIES and folded not in CITIES:
        folded = CAPITALS[_COUNTRIES[folded]].casefold()
    row = CITIES.get(folded)
    return (row[1], row[2]) if row else None


def places(text: str) -> list[str]:
    """The places of `text` in order, each once, with capitals."""
    clean = text
    for said in (*dates(text), *times(text)):
        clean = clean.replace(said, ";" + " " * (len(said) - 1))
    found = {**_after_prepositions(clean), **_known(clean)}
    ordered: list[str] = []
    for name in (found[at] for at in sorted(found)):
        if not any(name.casefold() in other.casefold() for other in ordered):
            ordered.append(name)
    return ordered


def _known(text: str) -> dict[int, str]:
    """Known cities and countries anywhere in the text, the longest name at each place, with a region after a comma."""
    found: dict[int, str] = {}
    taken: list[tuple[int, int]] = []
    names = {**_COUNTRIES, **{folded: row[0] for folded, row in CITIES.items()}}
    folded_text = text.casefold()
    if len(folded_text) != len(text):
        return found
    for folded in sorted(names, key=len, reverse=True):
        if folded not in folded_text:
            continue
        for match in re.finditer(rf"(?<!\w){re.escape(folded)}(?!\w)", folded_text):
            start, end = match.span()
            if any(a < end and start < b for a, b in taken):
                continue
            end += _region_length(text[end:])
            taken.append((start, end))
            said = text[start:end]
            found[start] = said if said != said.casefold() else names[folded] + title(text[match.end() : end])
    return found


def _region_length(rest: str) -> int:
    """How much of what follows a place is its region: ``, France`` or ``, NY``."""
    match = re.match(r",\s*((?:the )?[A-Za-z]+(?: [A-Z][a-z]+)?)", rest)
    if not match:
        return 0
    word = match[1]
    for candidate in (word, word.split()[0]):
        folded = candidate.casefold().removeprefix("the ")
        if folded in _COUNTRIES or folded in _REGIONS or (len(candidate) == 2 and candidate.isupper()):
            return match.start(1) + len(candidate)
    return 0


def _after_prepositions(text: str) -> dict[int, str]:
    tokens = list(re.finditer(r"[^\W_][\w'’.-]*|[,;:?!&]", text))
    found: dict[int, str] = {}
    at = 0
    while at < len(tokens):
        if tokens[at][0].casefold() not in _PREPOSITIONS:
            at += 1
            continue
        at += 1
        while True:
            end = _phrase_end(tokens, at)
            if end == at:
                break
            name = text[tokens[at].start() : tokens[end - 1].end()].strip(" .'")
            region = _region_length(text[tokens[end - 1].end() :])
            found[tokens[at].start()] = title(name) + text[tokens[end - 1].end() : tokens[end - 1].end() + region]
            while (
                region and end < len(tokens) and tokens[end].start() < tokens[end - 1].end() + region and end - at < 8
            ):
                region -= tokens[end].end() - tokens[end - 1].end()
                end += 1
            at = end
            joined = at < len(tokens) and tokens[at][0].casefold() in {",", "and", "or", "&", "und", "et"}
            if not joined:
                break
            at += 1
            while at < len(tokens) and tokens[at][0].casefold() in _PREPOSITIONS | {"and", "or", "also"}:
                at += 1
    return found


def _phrase_end(tokens: list[re.Match[str]], at: int) -> int:
    """Where the name that begins at token `at` ends; `at` when none begins there."""
    end = at
    while end < len(tokens) and end - at < 4:
        word = tokens[end][0]
        folded = word.casefold().removesuffix("'s")
        if re.fullmatch(r"[,;:?!&]", word) or word[0].isdigit():
            break
        if folded in {"upper", "lower"} and end + 1 < len(tokens) and tokens[end + 1][0].casefold() == "case":
            break
        if folded in _INNER and end > at:
            following = tokens[end + 1][0] if end + 1 < len(tokens) else ""
            if following[:1].isupper() or (folded in {"upon", "de", "am", "san"} and following[:1].isalpha()):
                end += 1
                continue
            break
        if folded == "the" and end == at and end + 1 < len(tokens) and tokens[end + 1][0][:1].isupper():
            end += 1
            continue
        if folded == "new" or (word[0].isupper() and end > at):
            end += 1
            continue
        if folded in FILLER or folded in _NOT_PLACES or folded in _PREPOSITIONS or folded in _STOPS:
            break
        end += 1
        if word.endswith("."):
            break
    return end


_STOPS: Final = bag(
    "using currently please again instead tonight today tomorrow show add plus minus times turn"
    " play search remember set call"
    " compare compared versus vs because while during before after since until per each every both"
    " going looking weather rain snow look say explain repeat open start stop book find send be"
)
