"""Fills a tool's parameters from what was said. Pure.

Each parameter takes its value by the first way that works: its own name beside a value (``brightness 40``), one of its
allowed values, the next number, or what the finder of its kind finds. What is not there is not invented: a required
parameter without a value is missing, and the brain asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rtnb.local.brains.english import bare, name_words, numbers, number_text, quoted, snake, stem, stems, title
from rtnb.local.brains.finders import FINDERS, fact, listed, polite_stripped, wished_key
from rtnb.local.brains.places import position
from rtnb.local.brains.schema import Param, Tool
from rtnb.local.brains.sql import sql_for
from rtnb.local.brains.world import LANGUAGES

__all__ = ["Filled", "Path", "answer_for", "fill", "nested", "placeholder", "question"]

Path = tuple[str, ...]
"""Where a value goes: one name, or several for a nested object."""

_TYPED: Final = frozenset(
    "place place_from place_to ticker company latitude longitude language currency email url expression date datetime time id"
    " device room person zodiac".split()
)
"""Kinds whose presence in an utterance tells something about which tool is meant."""

_COUNTS: Final = frozenset("limit count max maximum top k n page offset results".split())
"""Numbers that nobody means by saying a number alone."""


@dataclass
class Filled:
    """What was found.

    Attributes
    ----------
    values
        By path.
    missing
        Required parameters without a value, in order.
    others
        Further candidates of a parameter: a second city wants a second call.
    evidence
        How much of what was found speaks for the tool.
    """

    values: dict[Path, Any] = field(default_factory=dict)
    missing: list[Param] = field(default_factory=list)
    others: dict[Path, list[Any]] = field(default_factory=dict)
    evidence: float = 0.0


def fill(tool: Tool, text: str, *, facts: Mapping[str, str] | None = None, keys: Sequence[str] = ()) -> Filled:
    """Find a value for each parameter of `tool` in `text`.

    Parameters
    ----------
    facts
        What the user told before; a place called *here* or *home* is looked up there.
    keys
        Keys that earlier calls stored something under: a similar one is taken as it was written.
    """
    filled = Filled()
    _numbers(tool, text, filled)
    taken: dict[str, int] = {}
    for param in sorted(tool.params, key=lambda each: not each.required):
        if param.path not in filled.values:
            _one(tool, param, text, filled, taken, facts or {}, keys)
    for param in tool.params:
        if param.path in filled.values:
            continue
        if "const" in param.schema:
            filled.values[param.path] = param.schema["const"]
        elif param.required and "default" in param.schema:
            filled.values[param.path] = param.schema["default"]
        elif param.required and param.nullable:
            filled.values[param.path] = None
        elif param.required:
            filled.missing.append(param)
    order = [param.path for param in tool.params]
    filled.values = dict(sorted(filled.values.items(), key=lambda pair: order.index(pair[0])))
    return filled


def nested(values: Mapping[Path, Any]) -> dict[str, Any]:
    """The arguments as an object, from values by path."""
    result: dict[str, Any] = {}
    for path, value in values.items():
        here = result
        for name in path[:-1]:
            here = here.setdefault(name, {})
        here[path[-1]] = value
    return result


_UNIT_OF: Final = {
    "percent": "brightness percent percentage level volume dim dimmer intensity helligkeit luminosité",
    "degrees": "temperature temp degrees target setpoint temperatur température",
    "minutes": "minutes duration minute time",
    "seconds": "seconds duration second",
    "hours": "hours duration hour",
    "days": "days duration day tage jours",
    "sides": "sides faces",
    "dice": "count dice number amount",
    "people": "people guests persons party size seats adults",
    "guests": "people guests persons party size",
    "dollars": "amount price sum betrag montant",
    "euros": "amount price sum betrag montant",
}
_UNIT_WORDS: Final = {word: {stem(each) for each in row.split()} for word, row in _UNIT_OF.items()}


def _numbers(tool: Tool, text: str, filled: Filled) -> None:
    """Give the numbers of the utterance to the numeric parameters: by name, by unit, then in order."""
    wanting = [param for param in tool.params if _is_numeric(param) and not param.choices]
    found = list(numbers(text))
    for param in wanting:
        for number in found:
            if _beside(param, text, number.start, number.end):
                _put_number(param, number.value, filled)
                found.remove(number)
                break
    wanting = [
        param for param in wanting if param.path not in filled.values and param.kind not in {"latitude", "longitude"}
    ]
    required = [param for param in wanting if param.required]
    free = [param for param in wanting if not _COUNTS & set(param.words)]
    order = required if required else free[:1]
    if len(found) >= 2 and re.search(
        r"\b(?:subtract|take)\b.+\bfrom\b|\bfrom\b.+\b(?:subtract|take away)\b", text, re.IGNORECASE
    ):
        found[:2] = found[1::-1]
    for param in order:
        value = next((number for number in found if param.type != "integer" or number.value == int(number.value)), None)
        if value is not None:
            _put_number(param, value.value, filled)
            found.remove(value)
    for param in tool.params:
        if param.type == "array" and _member_type(param) in {"number", "integer"} and found and not param.choices:
            filled.values[param.path] = [_number_value(number.value, _member_type(param)) for number in found]
            filled.evidence += 0.7 if len(found) > 1 else 0.3
            found = []


def _is_numeric(param: Param) -> bool:
    untyped = param.type == "" and (not param.kind or param.kind in {"latitude", "longitude"})
    letter = param.type == "string" and not param.kind and len("".join(param.words)) == 1
    return param.type in {"number", "integer"} or untyped or letter


def _put_number(param: Param, value: float, filled: Filled) -> None:
    filled.values[param.path] = number_text(value) if param.type == "string" else _number_value(value, param.type)
    filled.evidence += 0.7


def _number_value(value: float, type_name: str) -> float | int:
    return int(value) if type_name == "integer" or value == int(value) else value


def _beside(param: Param, text: str, start: int, end: int) -> bool:
    """Whether a number stands right after the parameter's name, or right before its name or unit."""
    before, after = text[:start].casefold(), text[end:].casefold()
    name = r"[\s_-]+".join(map(re.escape, param.words))
    equals = (
        r"\s*(?:=|:|\bis\b|\bequals?\b)\s*" if len(name) < 3 else r"\s*(?:=|:|\bis\b|\bto\b|\bof\b|\bat\b|\bas\b)?\s*"
    )
    if re.search(rf"(?<!\w){name}{equals}$", before):
        return True
    unit = re.match(r"\s*(?:-\s*)?(%|°|[a-z]+)", after)
    if not unit:
        return False
    word = {"%": "percent", "°": "degrees", "degree": "degrees", "sided": "sides", "die": "dice"}.get(unit[1], unit[1])
    own = {stem(each) for each in param.words if each not in {"of", "to"}}
    plural = word if word in _UNIT_WORDS else f"{word}s"
    return stem(word) in own or bool(_UNIT_WORDS.get(plural, set()) & own and len(word) > 2)


def _one(
    tool: Tool,
    param: Param,
    text: str,
    filled: Filled,
    taken: dict[str, int],
    facts: Mapping[str, str],
    keys: Sequence[str],
) -> None:
    """Find the value of one parameter that is no plain number."""
    put = filled.values
    if param.choices:
        chosen = _chosen(param, text)
        if chosen:
            put[param.path] = chosen if param.type == "array" else chosen[0]
            filled.evidence += 0.7
    elif param.type == "boolean":
        if (value := _truth(param, text)) is not None:
            put[param.path] = value
            filled.evidence += 0.3
    elif param.kind in {"latitude", "longitude"}:
        spots = [spot for place in FINDERS["place"](text) if (spot := position(place))]
        if spots:
            axis = 0 if param.kind == "latitude" else 1
            values = [spot[axis] for spot in spots]
            put[param.path], filled.others[param.path] = values[0], values[1:]
            filled.evidence += 0.4
    elif param.kind in {"key", "value"} and param.type in {"string", ""}:
        _keyed(tool, param, text, filled, keys)
    elif param.type == "array":
        members = FINDERS[param.kind](text) if param.kind in _TYPED | {"colour"} else listed(text)
        if members:
            put[param.path] = members
            filled.evidence += 0.5 if param.kind in _TYPED else 0.2
    elif param.type in {"string", ""}:
        _text(tool, param, text, filled, taken, facts)


def _text(tool: Tool, param: Param, text: str, filled: Filled, taken: dict[str, int], facts: Mapping[str, str]) -> None:
    if param.kind == "sql":
        if statement := sql_for(text, f"{tool.description} {param.text}"):
            filled.values[param.path] = statement
            filled.evidence += 0.3
        return
    if (named := _named(param, text)) is not None:
        filled.values[param.path] = named
        filled.evidence += 0.5
        return
    found = FINDERS[param.kind](text) if param.kind in FINDERS else _loose(tool, param, text)
    if param.kind.startswith(("unit", "currency")):
        found.sort(key=lambda value: not re.search(rf"\d\s*{re.escape(value)}", text, re.IGNORECASE))
    if (
        not found
        and param.kind == "place"
        and (home := facts.get("home"))
        and re.search(r"\b(?:here|home|my (?:city|town|place))\b", text)
    ):
        found = [home]
    family = param.kind.split("_")[0]
    if param.kind == "place_to" and re.search(r"\bto\b.+\bfrom\b", text) and len(found) > 1:
        found = [found[0]]
    elif param.kind == "place_from" and re.search(r"\bto\b.+\bfrom\b", text) and len(found) > 1:
        found = [found[-1]]
    elif (
        param.kind == "place_to"
        and "place" not in taken
        and len(found) == 1
        and any(p.kind == "place_from" for p in tool.params)
    ):
        found = found if re.search(r"\b(?:to|nach|à)\b", text) else []
    elif (
        param.kind == "place_from"
        and len(found) == 1
        and re.search(rf"\b(?:to|nach|à)\s+{re.escape(found[0])}", text, re.IGNORECASE)
    ):
        found = []
    else:
        found = found[taken.get(family, 0) :]
    if not found:
        return
    taken[family] = taken.get(family, 0) + 1
    values = [_written(param, value) for value in found]
    filled.values[param.path] = values[0]
    if param.kind in {"place", "ticker", "company"} and not any(
        other is not param and other.kind.split("_")[0] == family for other in tool.params
    ):
        filled.others[param.path] = values[1:]
    filled.evidence += 0.7 if param.kind in _TYPED else 0.2


def _named(param: Param, text: str) -> str | None:
    """A value with the parameter's name before it: ``subject: lunch``, ``city is Paris``."""
    name = r"[\s_-]+".join(map(re.escape, param.words))
    if len(name) < 3:
        return None
    match = re.search(
        rf"(?<!\w){name}\s*(?:=|:|\bis\b|\bcalled\b|\bnamed\b)\s*(.+?)(?=\s+(?:and|with|on|at|saying|that)\b|[,;?!]|$)",
        text,
        re.I,
    )
    return match[1].strip(" .\"'") if match else None


def _loose(tool: Tool, param: Param, text: str) -> list[str]:
    """For a string of no known kind: quoted words, or what follows *for*, *of*, *about* when it is the only one wanted."""
    if words := quoted(text):
        return words
    alone = [each for each in tool.params if each.required and each.type in {"string", ""}] == [param]
    rest = polite_stripped(text)
    if alone and (
        match := re.search(
            r"\b(?:for|of|about|on|named|called|to)\s+(?:the\s+|an?\s+|my\s+)?(.+)$", rest, re.IGNORECASE
        )
    ):
        return [match[1]]
    return []


def _written(param: Param, value: str) -> str:
    """The value in the form that the schema asks for."""
    about = param.text.casefold()
    if param.kind == "language" and re.search(r"\bcode\b|iso", about):
        return LANGUAGES.get(value.casefold(), value)
    if param.kind == "id" and param.schema.get("pattern") is None:
        return value
    if "lower" in about and "case" in about:
        return value.casefold()
    if "upper" in about and "case" in about:
        return value.upper()
    return value


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


def _chosen(param: Param, text: str) -> list[Any]:
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


def _truth(param: Param, text: str) -> bool | None:
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


def _keyed(tool: Tool, param: Param, text: str, filled: Filled, keys: Sequence[str]) -> None:
    stated = fact(text)
    if stated and any(each.kind == "value" for each in tool.params):
        filled.values[param.path] = _known_key(stated[0], keys) if param.kind == "key" else stated[1]
        filled.evidence += 0.7
    elif param.kind == "key" and (key := wished_key(text)):
        filled.values[param.path] = _known_key(key, keys)
        filled.evidence += 0.7


def _known_key(key: str, keys: Sequence[str]) -> str:
    """An earlier key that means the same as `key`, else `key`."""
    wanted = {stem(word) for word in key.split("_")}
    for old in keys:
        have = {stem(word) for word in name_words(old)} - {"user", "my"}
        if have and (have == wanted or (have & wanted and (have < wanted or wanted < have))):
            return old
    return snake(key)


_QUESTIONS: Final = {
    "place": "Which city?",
    "place_from": "From which city?",
    "place_to": "To which city?",
    "latitude": "Which city? I know only where the larger ones lie.",
    "longitude": "Which city? I know only where the larger ones lie.",
    "ticker": "Which company or ticker symbol?",
    "company": "Which company?",
    "key": "What is it called?",
    "value": "What should I store?",
    "query": "What should I look for?",
    "sql": "What would you like to know from the table?",
    "date": "On which day?",
    "time": "At what time?",
    "datetime": "When?",
    "person": "Who?",
    "message": "What should the message say?",
    "title": "What is it about?",
    "language": "Into which language?",
    "room": "In which room?",
    "device": "Which device?",
    "colour": "Which colour?",
    "email": "Which email address?",
    "expression": "What should I calculate?",
}


def question(param: Param) -> str:
    """What to ask when `param` has no value."""
    words = " ".join(param.words) or "value"
    if param.choices:
        choices = [str(choice).replace("_", " ") for choice in param.choices]
        listing = f"{', '.join(choices[:-1])} or {choices[-1]}" if len(choices) > 1 else choices[0]
        return f"Which {words}: {listing}?"
    if param.type == "boolean":
        return f"Yes or no: {words}?"
    if param.type in {"number", "integer"} and param.kind not in {"latitude", "longitude"}:
        return f"Which number is {words}?" if len(words) < 3 else f"What is the {words}? Please give me a number."
    return _QUESTIONS.get(param.kind, f"What is the {words}?")


def answer_for(tool: Tool, param: Param, text: str, *, facts: Mapping[str, str] | None = None) -> Any | None:
    """The value of `param` in the user's answer to its `question`; ``None`` when there is none in it."""
    found = fill(Tool(tool.name, tool.description, (param,), tool.words), text, facts=facts)
    if found.values.get(param.path) is not None:
        return found.values[param.path]
    rest = polite_stripped(text)
    rest = re.sub(r"^(?:in|at|for|to|from|on|of|it is|it's|its|that is|that's|the)\s+", "", rest, flags=re.IGNORECASE)
    if not rest or param.choices or param.type not in {"string", ""} or param.kind in {"latitude", "longitude", "sql"}:
        return None
    if param.kind == "ticker":
        return rest.upper() if re.fullmatch(r"[A-Za-z.]{1,6}", rest) else None
    if param.kind in {"place", "place_from", "place_to", "person", "company"}:
        return title(rest)
    return snake(re.sub(r"^my\s+", "", rest)) if param.kind == "key" else rest


def placeholder(param: Param) -> Any:
    """A value of the right type, for a call that was demanded without words to fill it."""
    if param.choices:
        return [param.choices[0]] if param.type == "array" else param.choices[0]
    if example := re.search(r"(?:e\.g\.,?|for example,?|such as|like)\s+['\"]?([^'\".;)]+)", param.text):
        if param.type in {"string", ""}:
            return example[1].strip()
    empty: dict[str, Any] = {"number": 0, "integer": 0, "boolean": False, "array": [], "object": {}}
    return empty.get(param.type, "")


def _member_type(param: Param) -> str:
    member = param.schema.get("items")
    return str(member.get("type") or "") if isinstance(member, Mapping) else ""
