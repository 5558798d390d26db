"""Says what tools gave back, in sentences: objects, lists, numbers, plain text, errors, and *still under way*. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from rtnb.local.brains.context import Called
from rtnb.local.brains.english import name_words, number_text
from rtnb.local.brains.tables import bag

__all__ = ["number_of", "tell", "tell_all"]

_UNDER_WAY: Final = re.compile(
    r"\b(?:under ?way|in the background|background|pending|in[ _]progress|running|queued|started"
    r"|still working|scheduled|accepted)\b",
    re.IGNORECASE,
)
_FAILED: Final = re.compile(
    r"^\W*(?:error|failed|failure|exception|traceback|could not|cannot|can't|unable|timed? ?out"
    r"|timeout|invalid|denied|refused|no such"
    r"|unknown tool|[A-Z]\w*(?:Error|Exception)\b|not (?:found|allowed|permitted|available))",
    re.IGNORECASE,
)
_SHOWN: Final = 5


def tell_all(calls: Sequence[Called]) -> str:
    """One answer for several results."""
    sentences = [tell(call) for call in calls]
    return " ".join(dict.fromkeys(sentences))


def tell(call: Called) -> str:
    """One result as a sentence."""
    value = _read(call.output or "")
    if (reason := _failure(value)) is not None:
        return f"I could not {_deed(call)}: {_ended(reason or 'no reason was given')}"
    if _is_under_way(value):
        return f"The {_thing(call)} is under way; I will tell you when I have the result."
    if isinstance(value, Mapping):
        return _object(call, value)
    if isinstance(value, list):
        return _list(call, value)
    if value is None or value == "":
        return _done(call)
    if isinstance(value, bool):
        return f"The answer of {_thing(call)} is {'yes' if value else 'no'}."
    if isinstance(value, int | float):
        return _number(call, value)
    return _text(call, str(value))


def number_of(output: str | None) -> float | None:
    """The one number in a result, to go on reckoning with it."""
    value = _read(output or "")
    if isinstance(value, Mapping):
        plain = [each for each in value.values() if isinstance(each, int | float) and not isinstance(each, bool)]
        named = [value[key] for key in ("result", "sum", "total", "value") if isinstance(value.get(key), int | float)]
        value = named[0] if named else plain[0] if len(plain) == 1 else None
    if isinstance(value, str):
        found = re.findall(r"-?\d+(?:\.\d+)?", value)
        value = float(found[-1]) if found else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _read(output: str) -> Any:
    """The output as JSON when it is some, else as text; a string that holds JSON once more is opened too."""
    value: Any = output.strip()
    for _ in range(2):
        if not isinstance(value, str):
            break
        try:
            value = json.loads(value)
        except ValueError:
            break
    return value


def _failure(value: Any) -> str | None:
    """The reason, when the result is an error; ``""`` when it gives none."""
    if isinstance(value, Mapping):
        error = value.get("error", value.get("errors", value.get("exception")))
        if isinstance(error, Mapping):
            return str(error.get("message") or error.get("code") or error.get("type") or "")
        if error:
            extra = value.get("message") or value.get("detail") or value.get("reason")
            return str(extra if error is True and extra else error if not extra else f"{error}: {extra}")
        status = str(value.get("status") or "").casefold()
        if (
            value.get("ok") is False
            or value.get("success") is False
            or status in {"error", "failed", "failure", "denied"}
        ):
            return str(value.get("message") or value.get("reason") or value.get("detail") or "")
        return None
    if isinstance(value, str) and _FAILED.search(value) and len(value) < 600:
        line = value.strip().splitlines()[-1] if value.startswith("Traceback") else value
        return re.sub(r"^\W*(?:error|failed|failure)\s*[:\-]\s*", "", line, flags=re.IGNORECASE)
    return None


def _is_under_way(value: Any) -> bool:
    if isinstance(value, Mapping):
        status = str(value.get("status") or value.get("state") or "")
        return bool(_UNDER_WAY.search(status)) or (len(value) == 1 and _is_under_way(next(iter(value.values()))))
    return (
        isinstance(value, str)
        and len(value) < 300
        and bool(
            re.search(r"under ?way|in the background|in[ _]progress|result (?:will )?(?:come|follow)", value, re.I)
        )
    )


_VERBS: Final = {
    "get": "get",
    "fetch": "get",
    "read": "read",
    "recall": "recall",
    "set": "set",
    "save": "save",
    "store": "store",
    "calculate": "calculate",
    "compute": "compute",
    "search": "search",
    "query": "query",
    "find": "find",
    "send": "send",
    "add": "add",
    "create": "create",
    "book": "book",
    "list": "list",
    "show": "show",
    "delete": "delete",
    "remove": "remove",
    "turn": "turn",
    "switch": "switch",
    "play": "play",
    "convert": "convert",
    "translate": "translate",
    "check": "check",
    "update": "update",
    "remember": "remember",
    "look": "look",
    "open": "open",
    "close": "close",
    "start": "start",
    "stop": "stop",
}
_SINGULAR_GET: Final = bag("get fetch calculate compute read recall query find show list check set convert")


def _deed(call: Called) -> str:
    """What the tool does, to be said after *could not*: ``get the weather``."""
    words = name_words(call.name)
    if not words:
        return "do that"
    if words[0] in _VERBS:
        thing = " ".join(words[1:])
        if not thing:
            return f"{words[0]} that"
        return f"{_VERBS[words[0]]} {'the ' if words[0] in _SINGULAR_GET else ''}{thing}"
    return f"use {' '.join(words)}"


def _thing(call: Called) -> str:
    words = name_words(call.name)
    return " ".join(words[1:] if len(words) > 1 and words[0] in _VERBS else words) or "tool"


def _done(call: Called) -> str:
    key, value = call.arguments.get("key"), call.arguments.get("value")
    if isinstance(key, str) and key and value is not None:
        return f"I will remember that your {' '.join(name_words(key))} is {_value(value)}."
    return f"Done: {_subject(call)}."


def _subject(call: Called) -> str:
    """What the call was about, in the user's own values."""
    values = [_value(value) for value in _flat(call.arguments).values() if value not in (None, "", [], {})]
    return f"{' '.join(name_words(call.name)) or 'the tool'}{' (' + ', '.join(values) + ')' if values else ''}"


_PLACES: Final = ("location", "city", "place", "town", "name", "ort", "stadt", "ville", "label")
_NOTES: Final = ("note", "notes", "notice", "hint", "warning", "label_note", "disclaimer")
_SOURCE: Final = ("source", "recorded", "sample", "simulated")
_SILENT: Final = bag("ok success id ids lat lng lon latitude longitude status_code units unit")
_MAIN: Final = ("answer", "result", "message", "text", "summary", "output")


def _object(call: Called, value: Mapping[str, Any]) -> str:
    if not value:
        return f"The {_thing(call)} gave nothing back."
    for key in _MAIN:
        main = value.get(key)
        if isinstance(main, int | float) and not isinstance(main, bool):
            return _number(call, main) + _remarks(value)
        if isinstance(main, str) and main:
            return _ended(main) + _remarks(value)
        if isinstance(main, Mapping) and len(value) <= 3:
            return _object(call, main) + _remarks(value)
    for rows in value.values():
        if isinstance(rows, list) and (not rows or isinstance(rows[0], Mapping | list)):
            return _list(call, rows) + _remarks(value)
    if {"key", "value"} <= set(value):
        return _ended(f"Your {' '.join(name_words(str(value['key'])))} is {_value(value['value'])}")
    where = next((str(value[key]) for key in _PLACES if isinstance(value.get(key), str) and value[key]), None)
    echoes = {str(each).casefold() for each in (where, *_flat(call.arguments).values()) if isinstance(each, str)}
    pairs = _pairs(value, echoes, "the ")
    if not pairs:
        settled = value.get("ok") or value.get("success") or value.get("status")
        return _done(call) if settled else f"The {_thing(call)} gave back: {_short(value)}."
    if len(pairs) == 1 and not where and not call.arguments:
        return f"{pairs[0][0].upper()}{pairs[0][1:]}." + _remarks(value)
    at = (
        next((str(call.arguments[key]) for key in _PLACES if isinstance(call.arguments.get(key), str)), None)
        if not where
        else None
    )
    about = where or at or _asked_for(call)
    lead = (
        f"In {about}"
        if (where or at) and _speaks_of_weather(value)
        else f"For {about}"
        if about
        else _title(_thing(call))
    )
    return f"{lead}{',' if about else ':'} {_and(pairs)}." + _remarks(value)


def _speaks_of_weather(value: Mapping[str, Any]) -> bool:
    return any("temp" in key or "wind" in key or "weather" in key for key in value)


def _asked_for(call: Called) -> str | None:
    values = [
        each
        for key, each in _flat(call.arguments).items()
        if isinstance(each, str) and 0 < len(each) < 40 and "sql" not in key and "query" not in key
    ]
    return values[0] if len(values) == 1 else None


def _pairs(value: Mapping[str, Any], echoes: Collection[str] = (), article: str = "") -> list[str]:
    """The members as ``name is value``, units beside their numbers, without what only repeats the question."""
    table = value.get("units")
    units: Mapping[str, Any] = table if isinstance(table, Mapping) else {}
    said: list[str] = []
    for key, each in value.items():
        unit_key = re.fullmatch(r"(.*?)_?units?", key)
        if key in _SILENT or key in _NOTES or key in _SOURCE or (isinstance(each, str) and each.casefold() in echoes):
            continue
        if unit_key and unit_key[1] and any(other.startswith(unit_key[1]) and other != key for other in value):
            continue
        if isinstance(each, Mapping) and "value" in each:
            said.append(
                f"{article}{_name(key)} is {_value(each['value'])}{_unit(each.get('unit') or each.get('units'))}"
            )
        elif isinstance(each, Mapping):
            said.extend(f"{_name(key)} {pair}" for pair in _pairs(each)[:_SHOWN])
        elif each is not None and each != "":
            root = re.sub(r"_(?:value|speed|current|c|f)$", "", key)
            unit = units.get(key) or value.get(f"{key}_unit") or value.get(f"{key}_units") or value.get(f"{root}_unit")
            table = table or value.get("unit")
            if unit is None and isinstance(table, str) and isinstance(each, int | float):
                unit = table if "temp" in key else None
            if unit is None and key == "price":
                unit = value.get("currency")
            if key == "currency" and "price" in value:
                continue
            if key.endswith(("_percent", "_pct")):
                key, unit = key.rsplit("_", 1)[0], "percent"
            said.append(f"{article}{_name(key)} is {_value(each)}{_unit(unit)}")
    return said[: 2 * _SHOWN]


_SPOKEN_KEYS: Final = {
    "temperature 2m": "temperature",
    "wind speed 10m": "wind speed",
    "temp": "temperature",
    "temp c": "temperature",
}
_UNIT_TAILS: Final = {
    "kmh": " km/h",
    "kph": " km/h",
    "ms": " m/s",
    "mph": " mph",
    "c": " °C",
    "celsius": " °C",
    "f": " °F",
    "percent": " %",
}


def _name(key: str) -> str:
    words = " ".join(name_words(key))
    return _SPOKEN_KEYS.get(words, words)


def _title(text: Any) -> str:
    words = " ".join(name_words(str(text)))
    return words[:1].upper() + words[1:]


def _unit(unit: Any) -> str:
    if not unit:
        return ""
    shown = {"C": "°C", "F": "°F", "celsius": "°C", "fahrenheit": "°F"}.get(str(unit), str(unit))
    return f" {shown}"


def _remarks(value: Mapping[str, Any]) -> str:
    notes = [_ended(str(value[key])) for key in _NOTES if isinstance(value.get(key), str) and value[key]]
    source = value.get("source")
    if isinstance(source, str) and source and not source.startswith("http"):
        notes.append(f"Source: {_ended(source)}")
    notes.extend(f"This is {key} data." for key in ("recorded", "sample", "simulated") if value.get(key) is True)
    return "".join(f" {note[:1].upper()}{note[1:]}" for note in notes)


def _list(call: Called, value: list[Any]) -> str:
    if not value:
        return f"I found nothing with {_subject(call)}."
    if all(isinstance(row, Mapping) for row in value):
        if len(value) == 1 and len(value[0]) == 1:
            key, single = next(iter(value[0].items()))
            return f"{_title(key) if key.isidentifier() else 'The answer'} is {_value(single)}."
        shown = [
            "; ".join([", ".join(f"{_name(key)} {_value(each)}" for key, each in row.items())])
            for row in value[:_SHOWN]
        ]
    elif len(value) == 1 and isinstance(value[0], list) and len(value[0]) == 1:
        return (
            _number(call, value[0][0])
            if isinstance(value[0][0], int | float)
            else f"The answer is {_value(value[0][0])}."
        )
    else:
        shown = [", ".join(map(_value, row)) if isinstance(row, list) else _value(row) for row in value[:_SHOWN]]
    rest = len(value) - len(shown)
    joined = "; ".join(shown) if any("," in row for row in shown) else _and(shown)
    number = f"{len(value)} result{'s' if len(value) != 1 else ''}"
    return _ended(f"I found {number}: {joined}{f' and {rest} more' if rest > 0 else ''}")


def _number(call: Called, value: float) -> str:
    operands = [
        each for each in call.arguments.values() if isinstance(each, int | float) and not isinstance(each, bool)
    ]
    only_list = next((each for each in call.arguments.values() if isinstance(each, list)), None)
    if not operands and only_list and all(isinstance(each, int | float) for each in only_list):
        operands = list(only_list)
    words = set(name_words(call.name))
    for names, sign in ((("sum", "add", "addition", "plus", "summe"), "plus"), (("multiply", "product"), "times")):
        if words & set(names) and len(operands) > 1:
            return f"{f' {sign} '.join(number_text(each) for each in operands)} is {number_text(value)}."
    about = _asked_for(call)
    return f"The {_thing(call)}{f' for {about}' if about else ''} is {number_text(value)}."


def _text(call: Called, value: str) -> str:
    if len(value) > 1200:
        value = value[:1200].rsplit(" ", 1)[0] + " …"
    if value.casefold() in {"ok", "done", "success", "true", "yes"}:
        return _done(call)
    if len(value.split()) > 3 or value[-1] in ".!?":
        return _ended(value)
    key = next((call.arguments[name] for name in ("key", "name") if isinstance(call.arguments.get(name), str)), None)
    if key is not None:
        return f"Your {' '.join(name_words(str(key)))} is {value}."
    about = _asked_for(call)
    return f"The {_thing(call)}{f' for {about}' if about else ''} is {_ended(value)}"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return number_text(value)
    if isinstance(value, list):
        return _and([_value(each) for each in value[:_SHOWN]]) + (" and more" if len(value) > _SHOWN else "")
    if isinstance(value, Mapping):
        return ", ".join(_pairs(value)) or _short(value)
    return "unknown" if value is None else str(value)


def _flat(value: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, each in value.items():
        flat.update(_flat(each) if isinstance(each, Mapping) else {key: each})
    return flat


def _and(words: Sequence[str]) -> str:
    if not words:
        return "nothing"
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) < 200 else text[:200] + " …"


def _ended(text: str) -> str:
    text = text.strip()
    return text if text[-1:] in {".", "!", "?", "…"} else f"{text}."
