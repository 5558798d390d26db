"""Finds values in what was said: places, tickers, keys and values, titles, messages, units and so on.

Each finder takes the text of one utterance and gives the candidates in the order in which they were said. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from rtnb.local.brains.english import FILLER, dates, items_of, number_text, numbers, quoted, snake, times, title
from rtnb.local.brains.places import places
from rtnb.local.brains.tables import bag
from rtnb.local.brains.world import CURRENCIES, LANGUAGES, TICKERS

__all__ = ["FINDERS", "fact", "listed", "polite_stripped", "wished_key"]

_POLITE: Final = re.compile(
    r"^(?:(?:hey|hi|hello|ok|okay|well|so|and|now|then|also|please|yes|no|actually|um|uh)\b[,\s]*"
    r"|(?:can|could|would|will) you (?:please )?|(?:i(?:'d| would) like (?:you )?to|i want (?:you"
    r" )?to|i need (?:you )?to)\s+"
    r"|(?:let me know|tell me|do you know)\s+(?=what|who|where|when|how|if|about)|the answer is\s+|i"
    r" mean\s+|i said\s+)+",
    re.IGNORECASE,
)


def polite_stripped(text: str) -> str:
    """`text` without what is only polite, and without its last punctuation."""
    text = re.sub(r"[\s,]*\b(?:please|thanks|thank you)[\s.!?]*$", "", text.strip(), flags=re.IGNORECASE)
    return _POLITE.sub("", text).strip(" .?!,;:")


def tickers(text: str) -> list[str]:
    """Ticker symbols: of companies by their names, or as they stand in capitals."""
    found: list[tuple[int, str]] = []
    folded = text.casefold()
    for company, ticker in TICKERS.items():
        if (at := _word_at(company, folded)) >= 0 and not (company in _COMMON_WORDS and company.title() not in text):
            found.append((at, ticker))
    known = set(TICKERS.values())
    for match in re.finditer(r"(?<![\w$])\$?([A-Za-z]{1,5}(?:\.[A-Z])?)(?!\w)", text):
        word = match[1]
        shouted = word.isupper() and len(word) > 1 and word not in _NOT_TICKERS and text != text.upper()
        if (
            (word.upper() in known and len(word) > 2 and word.casefold() not in _COMMON_WORDS)
            or shouted
            or match[0][0] == "$"
        ):
            found.append((match.start(), word.upper()))
    return list(dict.fromkeys(ticker for _, ticker in sorted(found)))


_COMMON_WORDS: Final = bag("ford visa shell zoom meta coke apple uber") - {
    "apple",
    "uber",
    "meta",
    "coke",
}
_NOT_TICKERS: Final = bag("OK USA UK US EU API AI PM AM TV PDF SQL URL USD EUR GBP VAD PCM CEO IT AND OR THE")


def companies(text: str) -> list[str]:
    """Company names: known ones, or what follows *of* or *for* and begins with a capital."""
    folded = text.casefold()
    found = sorted((at, name) for name in TICKERS if (at := _word_at(name, folded)) >= 0)
    if found:
        return [title(name) for _, name in found]
    return re.findall(r"\b(?:of|for|about|from|at)\s+((?:[A-Z][\w&.-]*)(?:\s+[A-Z][\w&.-]*)*)", text)


def _word_at(word: str, text: str) -> int:
    match = re.search(rf"(?<!\w){re.escape(word)}(?:'s)?(?!\w)", text)
    return match.start() if match else -1


_MY_FACT: Final = re.compile(
    r"\b(my|the|our|his|her|their)\s+([\w' -]+?)\s+(?:is|are|was|=)\s+(?:called\s+|now\s+)?(.+)", re.IGNORECASE
)
_ABOUT_ME: Final = (
    (re.compile(r"\b(?:call me|i am called)\s+(.+)", re.IGNORECASE), "name"),
    (re.compile(r"\bi (?:live|am living|'m living) in\s+(.+)", re.IGNORECASE), "home"),
    (re.compile(r"\bi(?:'m| am) allergic to\s+(.+)", re.IGNORECASE), "allergies"),
    (re.compile(r"\bi (?:work as|am working as)\s+(?:an?\s+)?(.+)", re.IGNORECASE), "job"),
    (re.compile(r"\bi(?:'m| am) from\s+(.+)", re.IGNORECASE), "origin"),
    (re.compile(r"\bi(?:'m| am)\s+(\d+|[a-z-]+)\s+years old", re.IGNORECASE), "age"),
    (re.compile(r"\bi (?:really )?(?:like|love|prefer|enjoy)\s+(.+)", re.IGNORECASE), "likes"),
    (re.compile(r"\bi (?:hate|dislike|don't like|do not like)\s+(.+)", re.IGNORECASE), "dislikes"),
)
_STORE: Final = r"(?:remember|store|save|note|memori[sz]e|keep(?: in mind)?|write down|record|merke?(?: dir)?)"
_KEYED: Final = (
    re.compile(
        rf"\b{_STORE}\s+(?P<value>.+?)\s+(?:as|under|for)\s+(?:the\s+)?(?:key\s+|name\s+)?(?P<key>[\w' -]+)$",
        re.IGNORECASE,
    ),
    re.compile(r"\bset\s+(?:the\s+)?(?:key\s+)?(?P<key>[\w' -]+?)\s+to\s+(?P<value>.+)$", re.IGNORECASE),
    re.compile(
        r"\b(?:key\s+)(?P<key>[\w-]+)\s*(?:,|and|with|to)?\s*(?:the\s+)?(?:value\s+)(?P<value>.+)$", re.IGNORECASE
    ),
)


def fact(text: str) -> tuple[str, str] | None:
    """A key and its value, when the text states something to keep: ``my favourite colour is blue``."""
    text = re.sub(
        r"[\s,]*\b(?:please|thanks|ok|okay|will you)[\s.!?]*$", "", text.strip(" .!"), flags=re.IGNORECASE
    ).strip(" .!")
    if re.match(r"(?:what|who|where|when|how|which|is|are|do|does|did|whats|what's)\b", text, re.IGNORECASE):
        return None
    for pattern in _KEYED[:1] + _KEYED[2:]:
        match = pattern.search(text)
        if match and not re.search(r"\b(?:is|are)\b", match["value"]):
            return _clean_key(match["key"]), _clean_value(match["value"])
    for pattern, key in _ABOUT_ME:
        if match := pattern.search(text):
            return key, _clean_value(match[1])
    if match := _MY_FACT.search(text):
        return _clean_key(match[2]), _clean_value(match[3])
    if match := re.search(
        rf"\b{_STORE}\s+(?:that\s+)?([\w' -]+?)\s*(?:\bis\b|\bare\b|=|:)\s*(.+)$", text, re.IGNORECASE
    ):
        return _clean_key(match[1]), _clean_value(match[2])
    if match := _KEYED[1].search(text):
        return _clean_key(match["key"]), _clean_value(match["value"])
    if (match := re.search(r"\b[Ii](?:'m| am)\s+([A-Z][\w-]+)$", text)) and match[1].casefold() not in FILLER:
        return "name", match[1]
    if match := re.search(rf"\b{_STORE}\s+(?:that\s+|this:?\s+|the\s+)?(.+)$", text, re.IGNORECASE):
        value = _clean_value(match[1])
        return ("_".join(snake(value).split("_")[:3]), value) if value else None
    return None


def _clean_key(text: str) -> str:
    return snake(re.sub(r"^(?:that\s+)?(?:my|the|our|a|an)\s+", "", text.strip(), flags=re.IGNORECASE))


def _clean_value(text: str) -> str:
    return text.strip().strip("\"'“”").strip(" .!?")


_WISHED: Final = (
    (re.compile(r"\bwhere (?:do|did) i live\b|\bmy home\b", re.IGNORECASE), "home"),
    (re.compile(r"\bwhat am i called\b|\bwho am i\b", re.IGNORECASE), "name"),
    (re.compile(r"\bhow old am i\b", re.IGNORECASE), "age"),
    (re.compile(r"\bwhat am i allergic to\b", re.IGNORECASE), "allergies"),
    (re.compile(r"\bwhat do i (?:like|love|prefer)\b", re.IGNORECASE), "likes"),
    (re.compile(r"\bwhat do i (?:hate|dislike)\b", re.IGNORECASE), "dislikes"),
    (re.compile(r"\bwhere am i from\b", re.IGNORECASE), "origin"),
)
_MY: Final = re.compile(
    r"\b(?:my|the value (?:of|for)|the key|under|recall|look up|fetch|retrieve|key)\s+(?:the\s+"
    r"|my\s+|key\s+)?([\w' -]+?)"
    r"(?:\s+(?:is|are|was|again|from (?:your |the )?memory|in (?:your |the )?memory|called|i told"
    r" you|that i told you))*[?.!]*$",
    re.IGNORECASE,
)


def wished_key(text: str) -> str | None:
    """The key that a question asks for: ``what is my favourite colour`` -> ``favourite_colour``."""
    text = polite_stripped(text)
    for pattern, key in _WISHED:
        if pattern.search(text):
            return key
    match = _MY.search(text) or re.search(r"\bwhich ([\w ]+?) (?:do i have|did i tell|have i)", text, re.IGNORECASE)
    if match and match[1].casefold() not in {"me", "memory", "mind", "about me"}:
        return _clean_key(match[1])
    return None


_SEARCH: Final = (
    r"\b(?:search|look|browse|scan|google|check)\b(?:\s+(?:in|through|the|our|my|your|all|web"
    r"|internet|online|documents?|docs|files|"
    r"folder|notes|handbook|manual|database|knowledge|base))*\s+for\s+(.+)",
    r"\b(?:look up|google|search)\s+(?:for\s+)?(.+)",
    r"\bsays?\s+(?:about|on|regarding)\s+(.+)",
    r"\b(?:find|get|show)\s+(?:me\s+)?(?:out\s+)?(?:something|anything|everything|information|info"
    r"|passages?|documents?|articles?|papers?|news)?"
    r"\s*(?:about|on|regarding|that mentions?|mentioning)\s+(.+)",
    r"\bfind\s+(?:me\s+)?(?:the\s+|an?\s+)?(.+)",
    r"\bnews\s+(?:about|on)\s+(.+)",
)
_SEARCH_TAIL: Final = re.compile(
    r"\s+(?:in|on|from|inside|within)\s+(?:the|my|our|your)?\s*(?:documents?|docs|files|folder|web"
    r"|internet|handbook|manual|notes|"
    r"knowledge base|wiki|wikipedia|online|database)$|\s+online$",
    re.IGNORECASE,
)


def queries(text: str) -> list[str]:
    """What to search for: the quoted words, what follows *search for* and the like, else the whole question."""
    if words := quoted(text):
        return words[:1]
    text = polite_stripped(text)
    for pattern in _SEARCH:
        if match := re.search(pattern, text, re.IGNORECASE):
            return [_SEARCH_TAIL.sub("", match[1].strip())]
    return [_SEARCH_TAIL.sub("", text)] if text else []


_DATED: Final = r"(?:\b(?:on|at|for|by|until|from)\s+)?"
_OBJECT: Final = re.compile(
    r"\b(?:add|create|book|schedule|make|put|set up|plan|enter|remind me (?:to|about|of)|new|note"
    r"|buy|order|play|start|complete|delete|"
    r"remove|cancel|finish|tick off)\s+(?:an?\s+|the\s+|my\s+|some\s+|new\s+|me\s+|up\s+)*(?P<what>.+?)"
    r"(?=\s+(?:(?:on)?to|in|from|on|off)\s+(?:the|my|our)\b|\s+(?:on|at|for|with|by|called|under)\b|\s*$)",
    re.IGNORECASE,
)


def titles(text: str) -> list[str]:
    """What something is called, or what is to be added: ``book a table tomorrow`` -> table."""
    if words := quoted(text):
        return words
    if match := re.search(
        r"\b(?:called|named|titled|entitled|labell?ed)\s+(.+?)(?=\s+(?:on|at|for|with|tomorrow|today)\b|$)", text, re.I
    ):
        return [match[1].strip(" .?!")]
    rest = polite_stripped(text)
    for said in (*dates(rest), *times(rest)):
        rest = re.sub(_DATED + re.escape(said), " ", rest, flags=re.IGNORECASE)
    rest = polite_stripped(" ".join(rest.split()))
    match = _OBJECT.search(rest)
    return [match["what"].strip(" .?!,")] if match else []


def messages(text: str) -> list[str]:
    """The words of a message: quoted, or after *saying*, *that*, a colon."""
    if words := quoted(text):
        return words[:1]
    if match := re.search(
        r"\b(?:saying(?: that)?|that says|with the (?:text|message))\s*:?\s+(.+)$", text.strip(" .?!"), re.IGNORECASE
    ):
        return [match[1].strip()]
    pattern = (
        r"(?:\btell (?:him|her|them|[A-Z]\w+)(?: that)?|:"
        r"|\btranslate(?: the (?:word|sentence|phrase|text))?|\bsummari[sz]e|\bsay|\bthat)\s+(.+?)"
        r"(?=\s+(?:in)?to\s+(?:" + "|".join(LANGUAGES) + r")\b|$)"
    )
    match = re.search(pattern, text.strip(" .?!"), re.IGNORECASE)
    return [match[1].strip()] if match else []


def persons(text: str) -> list[str]:
    """People: after *with*, *to*, *for*, *call*, *named*, or at the end of ``my name is``."""
    verbs = (
        r"\b(?:[Ww]ith|[Tt]o|[Ff]or|[Bb]y|[Ff]rom|[Cc]all|[Ii]nvite|[Nn]amed|[Aa]sk|[Tt]ell|[Cc]alled"
        r"|name is|[Mm]essage|[Mm]ail|[Gg]reet|is)\s+"
    )
    found = [
        match[1]
        for match in re.finditer(verbs + r"((?:(?:Dr|Mr|Mrs|Ms)\.?\s+)?[A-Z][\w'-]+(?:\s+[A-Z][\w'-]+)*)", text)
    ]
    if not found and text == text.casefold():
        small = re.finditer(
            r"\b(?:with|to|call|invite|named|called|name is|greet)\s+(?!my\b|the\b|a\b)([a-z'-]{2,})", text
        )
        found = [title(match[1]) for match in small if match[1] not in FILLER]
    return found


_ROOMS: Final = (
    "living room|bedroom|bathroom|kitchen|hall|hallway|office|study|garage|garden|basement|attic"
    "|dining room|nursery|guest room|"
    "terrace|balcony|cellar|wohnzimmer|küche|schlafzimmer|bad|flur|salon|cuisine|chambre"
)
_DEVICES: Final = (
    "lights?|lamps?|heating|heater|thermostat|radiator|tv|television|fan|blinds?|shutters?"
    "|curtains?|door|garage door|gate|radio|"
    "speakers?|oven|coffee machine|dishwasher|washing machine|vacuum|air conditioning|ac|alarm"
    "|music|licht|lampe|heizung|lumière"
)
_COLOURS: Final = (
    "red|green|blue|yellow|white|black|orange|purple|violet|pink|brown|grey|gray|turquoise|warm"
    " white|gold|silver|rot|grün|blau|gelb|"
    "rouge|vert|bleu|jaune"
)
_UNIT_NAMES: Final = (
    "celsius|fahrenheit|kelvin|kilometers?|kilometres?|km|miles?|met(?:er|re)s?|feet|foot"
    "|inch(?:es)?|centimet(?:er|re)s?|cm|yards?|kilograms?|"
    "kilos?|kg|grams?|pounds?|ounces?|lit(?:er|re)s?|gallons?|hours?|minutes?|seconds?|metric|imperial"
)


_ZODIAC: Final = "aries|taurus|gemini|cancer|leo|virgo|libra|scorpio|sagittarius|capricorn|aquarius|pisces"


def _any_of(pattern: str) -> Callable[[str], list[str]]:
    compiled = re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE)
    return lambda text: [match[0].casefold() for match in compiled.finditer(text)]


def rooms(text: str) -> list[str]:
    """Rooms: known ones, or what follows *in the*."""
    return _any_of(_ROOMS)(text) or [m[1] for m in re.finditer(r"\b(?:in|on) the ([a-z]+(?: floor| room)?)\b", text)]


def ids(text: str) -> list[str]:
    """Numbers of orders and the like: any word with a digit in it, dates and times apart."""
    for said in (*dates(text), *times(text)):
        text = text.replace(said, " ")
    found = re.findall(r"(?<![\w-])#?((?:[A-Za-z]+-?)?\d[\w-]*)", text)
    return found or [number_text(number.value) for number in numbers(text)]


def expressions(text: str) -> list[str]:
    """An arithmetic expression in symbols, from symbols or words."""
    for words, symbol in _OPERATORS:
        text = re.sub(words, f" {symbol} ", text, flags=re.IGNORECASE)
    for number in reversed(numbers(text)):
        if not text[number.start : number.end].lstrip("-").replace(".", "").isdigit():
            text = text[: number.start] + number_text(number.value) + text[number.end :]
    match = re.search(r"[-(]?\s*\d[\d\s.()+*/^%-]*[\d)]|\d+", text)
    return [" ".join(match[0].split())] if match else []


_OPERATORS: Final = (
    (r"\bplus\b", "+"),
    (r"\bminus\b", "-"),
    (r"\b(?:times|multiplied by)\b|×|(?<=\d)\s*x\s*(?=\d)", "*"),
    (r"\b(?:divided by|over)\b|÷", "/"),
    (r"\bto the power of\b", "**"),
)


def listed(text: str) -> list[str]:
    """The members of a list: several quoted ones, or what is to be added, cut at commas and *and*."""
    words = quoted(text)
    if len(words) > 1:
        return words
    found = titles(text)
    return items_of(found[0]) if found else []


def _currencies(text: str) -> list[str]:
    words = re.findall(r"[a-zA-Z]+|[$€£]", text)
    return list(dict.fromkeys(CURRENCIES[word.casefold()] for word in words if word.casefold() in CURRENCIES))


def _languages(text: str) -> list[str]:
    return [title(word.casefold()) for word in re.findall(r"[A-Za-z]+", text) if word.casefold() in LANGUAGES]


def _datetimes(text: str) -> list[str]:
    day, hour = dates(text), times(text)
    if len(hour) > 1 and len(day) < 2:
        return [f"{day[0]} {each}".strip() if day else each for each in hour]
    return [" ".join(pair) for pair in zip(day, hour, strict=False)] or day or hour


FINDERS: Final[Mapping[str, Callable[[str], list[str]]]] = {
    "place": places,
    "place_from": places,
    "place_to": places,
    "ticker": tickers,
    "company": companies,
    "query": queries,
    "title": titles,
    "message": messages,
    "person": persons,
    "room": rooms,
    "device": _any_of(_DEVICES),
    "colour": _any_of(_COLOURS),
    "unit": _any_of(_UNIT_NAMES),
    "unit_to": _any_of(_UNIT_NAMES),
    "currency": _currencies,
    "currency_to": _currencies,
    "language": _languages,
    "id": ids,
    "expression": expressions,
    "date": dates,
    "time": times,
    "datetime": _datetimes,
    "duration": lambda text: [
        m[0] for m in re.finditer(r"\b[\w.]+[\s-](?:second|minute|hour|day|week|month)s?\b", text)
    ],
    "zodiac": lambda text: [title(sign) for sign in _any_of(_ZODIAC)(text)],
    "email": lambda text: re.findall(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", text),
    "phone": lambda text: [m.strip() for m in re.findall(r"\+?\d[\d /-]{5,}\d", text)],
    "url": lambda text: re.findall(
        r"https?://[^\s\"'<>]+[^\s\"'<>.,!?]|\b(?:www\.)?[\w-]+\.(?:com|org|net|io|de|fr)\b(?:/\S*)?", text
    ),
    "state": lambda text: re.findall(
        r"\b(on|off|open|closed?|locked|unlocked|lock|unlock|start|stop|pause|resume)\b", text.casefold()
    ),
}
"""Kind of value -> what finds it; keys and values are found together by `fact`."""
