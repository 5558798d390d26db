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

from rtnb.local.brains.allowed import chosen, truth
from rtnb.local.brains.english import name_words, number_text, numbers, quoted, snake, stem
from rtnb.local.brains.finders import FINDERS, fact, listed, polite_stripped, wished_key
from rtnb.local.brains.places import position
from rtnb.local.brains.schema import Param, Tool
from rtnb.local.brains.sql import sql_for
from rtnb.local.brains.tables import bag
from rtnb.local.brains.world import LANGUAGES

__all__ = ["Filled", "Path", "fill", "nested"]

Path = tuple[str, ...]
"""Where a value goes: one name, or several for a nested object."""

_TYPED: Final = bag(
    "place place_from place_to ticker company latitude longitude language currency email url"
    " expression date datetime time id"
    " device room person zodiac"
)
"""Kinds whose presence in an utterance tells something about which tool is meant."""

_COUNTS: Final = bag("limit count max maximum top k n page offset results")
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
        values = chosen(param, text)
        if values:
            put[param.path] = values if param.type == "array" else values[0]
            filled.evidence += 0.7
    elif param.type == "boolean":
        if (value := truth(param, text)) is not None:
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
    """For a string of no known kind: quoted words; what follows *for*, *of*, *about* when nothing else is wanted."""
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


def _member_type(param: Param) -> str:
    member = param.schema.get("items")
    return str(member.get("type") or "") if isinstance(member, Mapping) else ""
