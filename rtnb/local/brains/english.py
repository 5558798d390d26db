"""Words as rules see them: plain text, stems, numbers in digits and words, dates and times, lists.

Understands typed text and what a recogniser writes: no capitals, no punctuation, numbers as words, letters one by one.
Imports nothing of rtnb.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rtnb.local.brains.tables import bag

__all__ = [
    "FILLER",
    "Number",
    "bare",
    "clauses",
    "dates",
    "items_of",
    "name_words",
    "number_text",
    "numbers",
    "plain",
    "quoted",
    "snake",
    "stem",
    "stems",
    "times",
    "title",
]

_UNITS: Final = {
    word: value
    for value, word in enumerate(
        [
            "zero",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
        ]
    )
}
_TENS: Final = {
    "twenty": 20,
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
}
_SCALES: Final = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
_NUMBER_WORDS: Final = {**_UNITS, **_TENS, **_SCALES, "dozen": 12}
_NOT_A_ONE: Final = bag("the this that which no any every each last next another a good bad big small")

FILLER: Final = bag(
    "a an the of to in on at for from by with and or is are was were be been am do does did have has had will would can"
    " could shall should may might must it its this that these those there here i me my mine you your we us our they"
    " them he she his her what which who whom whose when where why how please just now right so then than as if not no"
    " yes ok okay hey hi hello well tell give let s t re ll ve m d about into up out over more some any all also too"
    " like want need know say get got make use used using user users call called function tool tools returns return"
    " given value values current information data e g eg example etc one"
)
"""Words that say little about what is asked."""

_MONTHS: Final = "january|february|march|april|may|june|july|august|september|october|november|december"
_WEEKDAYS: Final = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
_MONTH_RE: Final = "|".join(f"{month}|{month[:3]}" for month in _MONTHS.split("|"))
_DATE: Final = re.compile(
    rf"""\b(?:
      \d{{4}}-\d{{2}}-\d{{2}}
    | \d{{1,2}}\.\d{{1,2}}\.(?:\d{{4}})?
    | \d{{1,2}}/\d{{1,2}}/\d{{2,4}}
    | (?:the\s+)?\d{{1,2}}(?:st|nd|rd|th)?\s+(?:of\s+)?(?:{_MONTH_RE})\b(?:,?\s+\d{{4}})?
    | (?:{_MONTH_RE})\s+\d{{1,2}}(?:st|nd|rd|th)?\b(?:,?\s+\d{{4}})?
    | (?:the\s+)?day\s+after\s+tomorrow | today | tonight
    | tomorrow(?:\s+(?:morning|afternoon|evening|night))? | yesterday
    | (?:(?:this|next|last|coming)\s+)?(?:{_WEEKDAYS})(?:\s+(?:morning|afternoon|evening|night))?
    | (?:this|next|last|the)\s+(?:week(?:end)?|month|year|morning|afternoon|evening)
    | in\s+(?:\d+|a|{"|".join(_UNITS)})\s+(?:day|week|month|year)s?
    | heute | morgen | übermorgen | gestern | aujourd'hui | demain | hier
    )\b""",
    re.IGNORECASE | re.VERBOSE,
)
_HOUR: Final = rf"(?:\d{{1,2}}|{'|'.join(word for word, value in _UNITS.items() if 0 < value < 13)})"
_TIME: Final = re.compile(
    rf"""\b(?:
      \d{{1,2}}[:.]\d{{2}}(?::\d{{2}})?(?:\s*(?:am|pm|a\.m\.|p\.m\.))?
    | {_HOUR}(?:\s+(?:thirty|fifteen|forty\s+five))?\s*(?:am|pm|a\.m\.|p\.m\.|o'clock|oclock|o\s+clock|uhr)
    | noon | midday | midnight
    | (?<=\bat\s){_HOUR}(?=\s*(?:$|[?.!,]|for\b|with\b|on\b|in\s+the\b|tomorrow\b|today\b|please\b))
    )(?!\w)""",
    re.IGNORECASE | re.VERBOSE,
)
_QUOTED: Final = re.compile(r"[\"“„«]([^\"”“»]+)[\"”»]|(?<![\w])'([^']+)'(?![\w])|‘([^’]+)’|`([^`]+)`")


def plain(text: str) -> str:
    """`text` in one line, with straight apostrophes and spelled letters joined: ``"v a d"`` -> ``"vad"``."""
    text = " ".join(text.replace("’", "'").replace("\u00a0", " ").split())
    return re.sub(r"\b(?:[a-zA-Z] ){1,5}[a-zA-Z]\b(?![.'])", _joined, text)


def _joined(match: re.Match[str]) -> str:
    letters = match[0].split()
    lead = ""
    if (
        len(letters) > 2
        and letters[0].casefold() in {"a", "i"}
        and (letters[0] == "I" or "".join(letters[1:]) in _SPELLED)
    ):
        lead, letters = letters[0] + " ", letters[1:]
    if len(letters) == 2 and letters[0].casefold() in {"a", "i"}:
        return match[0]
    return lead + "".join(letters)


_SPELLED: Final = bag("pcm vad api json wav url sql http llm ai tts stt")


def bare(text: str) -> str:
    """`text` in small letters without punctuation, to compare what was said."""
    return " ".join(re.sub(r"[^\w\s'+*/=%.-]|(?<!\d)\.|\.(?!\d)|(?<![\w\s])-", " ", plain(text).casefold()).split())


def name_words(name: str) -> list[str]:
    """The words of an identifier: ``"getWeatherFor_city-name"`` -> get, weather, for, city, name."""
    spaced = re.sub(r"(?<=[a-zà-ÿ0-9])(?=[A-ZÀ-Þ])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-zÀ-ÿ0-9]+", " ", name)
    return spaced.casefold().split()


def stem(word: str) -> str:
    """A rough stem, good enough to see that *prices*, *price* and *pricing* belong together."""
    word = word.casefold().removesuffix("'s").replace("colour", "color").replace("favourite", "favorite")
    for ending, kept, least in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= least:
            word = word[: len(word) - len(ending)] + kept
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lse":
        word = word[:-1]
    return word.removesuffix("e") if len(word) > 3 else word


_ENDINGS: Final = (
    ("ies", "y", 2),
    ("sses", "ss", 2),
    ("ches", "ch", 2),
    ("shes", "sh", 2),
    ("ings", "", 3),
    ("ing", "", 3),
    ("ed", "", 3),
    ("ss", "ss", 1),
    ("us", "us", 1),
    ("s", "", 2),
)


def stems(text: str) -> list[str]:
    """The stems of the telling words of `text`, in order."""
    words = re.findall(r"[a-zà-ÿ]+(?:'[a-z]+)?|\d+", plain(text).casefold())
    return [stem(word) for word in words if word.removesuffix("'s") not in FILLER]


@dataclass(frozen=True)
class Number:
    """A number in a text: its value and where it stands."""

    value: float
    start: int
    end: int


def numbers(text: str) -> list[Number]:
    """The numbers of `text` in order: digits, decimals, negatives, number words; not those of dates and times."""
    taken = [match.span() for pattern in (_DATE, _TIME) for match in pattern.finditer(text)]
    found: list[Number] = []
    for number in sorted((*_digits(text), *_number_words(text)), key=lambda n: n.start):
        if any(start < number.end and number.start < end for start, end in taken):
            continue
        found.append(_signed(text, number, found))
    return found


def _digits(text: str) -> Iterator[Number]:
    pattern = (
        r"(?<![\w.])(?<![A-Za-z]-)\$?(?:\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)(?!\d|(?:st|nd|rd|th)\b)"
    )
    for match in re.finditer(pattern, text):
        if len(match[0]) > 40:
            continue  # a row of digits, no number that anybody means
        value = float(match[0].replace(",", "").lstrip("$"))
        end = match.end()
        if scale := re.match(r"\s+(hundred|thousand|million|billion)\b", text[end:], re.IGNORECASE):
            value, end = value * _SCALES[scale[1].casefold()], end + scale.end()
        yield Number(value, match.start(), end)


def _number_words(text: str) -> Iterator[Number]:
    words = list(re.finditer(r"[A-Za-z]+", text))
    at = 0
    while at < len(words):
        end, value = _phrase(text, words, at)
        if end == at:
            at += 1
            continue
        alone_one = end == at + 1 and words[at][0].casefold() == "one"
        before = words[at - 1][0].casefold() if at else ""
        after = words[end][0].casefold() if end < len(words) else ""
        if not (alone_one and (before in _NOT_A_ONE or after in {"of", "sentence", "word"})):
            yield Number(value, words[at].start(), words[end - 1].end())
        at = end


def _phrase(text: str, words: list[re.Match[str]], at: int) -> tuple[int, float]:
    """One number phrase from `at` on: where it ends and its value; it ends at `at` when there is none."""
    total, group, kind, end = 0.0, 0.0, "", at
    for index in range(at, len(words)):
        word = words[index][0].casefold()
        if index > at and not re.fullmatch(r"[\s-]+", text[words[index - 1].end() : words[index].start()]):
            break
        if word in _UNITS and (kind in {"", "scale"} or (kind == "tens" and 0 < _UNITS[word] < 10)):
            group, kind = group + _UNITS[word], "unit"
        elif word in _TENS and kind in {"", "scale"}:
            group, kind = group + _TENS[word], "tens"
        elif word == "hundred" and (kind or _article(words, index)):
            group, kind = (group or 1) * 100, "scale"
        elif word in _SCALES and (kind or _article(words, index)):
            total, group, kind = total + (group or 1) * _SCALES[word], 0.0, "scale"
        elif word == "dozen":
            group, kind = (group or 1) * 12, "unit"
        elif word == "point" and kind and index + 1 < len(words) and words[index + 1][0].casefold() in _UNITS:
            decimals = ""
            for digit in words[index + 1 :]:
                if digit[0].casefold() not in _UNITS or _UNITS[digit[0].casefold()] > 9:
                    break
                decimals, end = decimals + str(_UNITS[digit[0].casefold()]), words.index(digit) + 1
            return end, float(f"{int(total + group)}.{decimals}")
        elif word == "and" and kind == "scale" and index + 1 < len(words) and _below_hundred(words[index + 1][0]):
            continue
        else:
            break
        end = index + 1
    return end, total + group


def _article(words: list[re.Match[str]], index: int) -> bool:
    return index > 0 and words[index - 1][0].casefold() == "a"


def _below_hundred(word: str) -> bool:
    return word.casefold() in _UNITS or word.casefold() in _TENS


def _signed(text: str, number: Number, before: list[Number]) -> Number:
    """`number` with the minus sign or the word that stands before it, unless that joins it to another number."""
    head = text[: number.start]
    match = re.search(r"(?:\b(minus|negative)\s+|(?<![\w)])([-−]))\$?$", head, re.IGNORECASE)
    if not match or (
        match[1] and match[1].casefold() == "minus" and before and not head[before[-1].end : match.start()].strip()
    ):
        return number
    return Number(-number.value, match.start(), number.end)


def number_text(value: float) -> str:
    """A number as one says it: ``10`` and not ``10.0``, at most six decimals."""
    if not math.isfinite(value):
        return "endless" if value > 0 else "minus endless" if value < 0 else "no number"
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.6f}".rstrip("0").rstrip(".") if abs(value) >= 1e-6 else f"{value:g}"


def dates(text: str) -> list[str]:
    """The dates of `text` as they were said: ``"tomorrow"``, ``"next monday"``, ``"2026-11-21"``."""
    return [match[0] for match in _DATE.finditer(text)]


def times(text: str) -> list[str]:
    """The times of day of `text` as they were said: ``"3 pm"``, ``"15:30"``, ``"noon"``."""
    return [match[0].strip() for match in _TIME.finditer(text)]


def quoted(text: str) -> list[str]:
    """What stands in quotation marks."""
    return [next(group for group in match.groups() if group).strip() for match in _QUOTED.finditer(text)]


def items_of(text: str) -> list[str]:
    """The members of a list in words: ``"milk, eggs and bread"`` -> milk, eggs, bread."""
    parts = re.split(
        r"\s*(?:,\s*(?:and|or|und|et)\b|,|;|\band\b|\bund\b|\bet\b|&)\s*", text.strip(" .?!"), flags=re.IGNORECASE
    )
    return [part.strip() for part in parts if part.strip()]


def clauses(text: str) -> list[str]:
    """The separate wishes of an utterance: cut at *and also*, *and then*, at the ends of sentences."""
    cut = (
        r"(?:[,;.?!]\s*|\s+)(?:and\s+(?:also|then|after that)|as well as|plus also|but also|then)\s+"
        r"|[;?!]\s+|(?<=\w{2})\.\s+"
    )
    return [part.strip(" ,.;") for part in re.split(cut, text, flags=re.IGNORECASE) if part.strip(" ,.;?!")]


def snake(text: str) -> str:
    """A key from words: ``"favourite colour"`` -> ``"favourite_colour"``."""
    return "_".join(re.findall(r"[^\W_]+", text.casefold()))


_SMALL: Final = bag("of the upon on in de la le du des sur am an der and al")


def title(text: str) -> str:
    """A name with its capitals; one that has capitals already stays as it is."""
    if text != text.casefold():
        return text
    words = [word if at and word in _SMALL else word[:1].upper() + word[1:] for at, word in enumerate(text.split())]
    return " ".join(re.sub(r"(?<=-)[a-z]", lambda m: m[0].upper(), word) for word in words)
