"""A declared tool's parameters, flat and resolved, and what kind of value each one wants.

The kind is guessed from the parameter's name first, then from its format, then from its description: names in English,
German and French. Imports nothing but the words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rtnb.local.brains.english import name_words

__all__ = ["Param", "Tool", "read_tool"]


@dataclass(frozen=True)
class Param:
    """One parameter; those of a nested object are parameters with a longer `path`."""

    path: tuple[str, ...]
    schema: Mapping[str, Any]
    required: bool
    kind: str
    words: tuple[str, ...]

    @property
    def type(self) -> str:
        """The JSON type; ``""`` when the schema names none."""
        return _type_of(self.schema)

    @property
    def choices(self) -> list[Any]:
        """The values that the schema allows, when it lists them; those of an array's members too."""
        member = self.schema.get("items")
        source = member if self.type == "array" and isinstance(member, Mapping) else self.schema
        if "const" in source:
            return [source["const"]]
        return [value for value in _list(source.get("enum")) if value is not None]

    @property
    def nullable(self) -> bool:
        """Whether ``null`` is a value."""
        declared = self.schema.get("type")
        return bool(self.schema.get("nullable")) or (isinstance(declared, list) and "null" in declared)

    @property
    def text(self) -> str:
        """The description."""
        return str(self.schema.get("description") or "")


@dataclass(frozen=True)
class Tool:
    """A declared tool, read once."""

    name: str
    description: str
    params: tuple[Param, ...]
    words: tuple[str, ...] = field(default=())

    def param(self, path: tuple[str, ...]) -> Param:
        """The parameter at `path`."""
        return next(param for param in self.params if param.path == path)


def read_tool(tool: Mapping[str, Any]) -> Tool:
    """A tool from its GA declaration; the nested one of the chat API is understood too."""
    inner = tool.get("function")
    source = inner if isinstance(inner, Mapping) else tool
    name, description = str(source.get("name") or ""), str(source.get("description") or "")
    root = source.get("parameters")
    schema: Mapping[str, Any] = root if isinstance(root, Mapping) else {}
    found = _params(_resolve(schema, schema), schema, (), name, description, required=True)
    return Tool(name, description, tuple(found), tuple(name_words(name)))


def _params(
    schema: Mapping[str, Any],
    root: Mapping[str, Any],
    path: tuple[str, ...],
    tool: str,
    about: str,
    *,
    required: bool,
) -> list[Param]:
    found: list[Param] = []
    needed = _list(schema.get("required"))
    properties = schema.get("properties")
    for name, raw in (properties if isinstance(properties, Mapping) else {}).items():
        inner = _resolve(raw if isinstance(raw, Mapping) else {}, root)
        here, must = (*path, str(name)), required and name in needed
        if _type_of(inner) == "object" and isinstance(inner.get("properties"), Mapping) and len(path) < 2:
            found.extend(_params(inner, root, here, tool, about, required=must))
        else:
            words = tuple(name_words(str(name)))
            found.append(Param(here, inner, must, _kind(words, inner, f"{' '.join(name_words(tool))} {about}"), words))
    return found


def _resolve(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int = 0) -> Mapping[str, Any]:
    """`schema` with its reference followed and its single real alternative taken; nullable is kept as a mark."""
    if depth > 8:
        return schema
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/"):
        target: Any = root
        for step in reference[2:].split("/"):
            target = target.get(step) if isinstance(target, Mapping) else None
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return _resolve({**target, **rest}, root, depth + 1) if isinstance(target, Mapping) else rest
    for key in ("anyOf", "oneOf", "allOf"):
        options = schema.get(key)
        if isinstance(options, list):
            real = [option for option in options if isinstance(option, Mapping) and option.get("type") != "null"]
            rest = {name: value for name, value in schema.items() if name != key}
            if real:
                merged = {**_resolve(real[0], root, depth + 1), **rest}
                if all("const" in option for option in real):
                    merged = {"enum": [option["const"] for option in real], **rest}
                return {**merged, "nullable": True} if len(real) < len(options) else merged
    member = schema.get("items")
    return {**schema, "items": _resolve(member, root, depth + 1)} if isinstance(member, Mapping) else schema


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _type_of(schema: Mapping[str, Any]) -> str:
    declared = schema.get("type")
    if isinstance(declared, list):
        declared = next((name for name in declared if name != "null"), "")
    if isinstance(declared, str) and declared:
        return declared
    if schema.get("properties"):
        return "object"
    values = _list(schema.get("enum"))
    return "string" if values and all(isinstance(value, str) for value in values) else ""


_NAMES: Final = (
    ("latitude", r"lat|latitude|breitengrad|breite"),
    ("longitude", r"lng|lon|long|longitude|längengrad|länge"),
    (
        "place_from",
        r"origin|departure|from (?:city|airport|station|place|location|address)|startort|abfahrtsort"
        r"|abflugort|départ",
    ),
    ("place_to", r"destination|dest|to (?:city|airport|station|place|location|address)|zielort|ziel|arrivée"),
    (
        "place",
        r"location|city|town|place|country|region|address|ort|stadt|stadtname|ortsname|standort|land"
        r"|ville|lieu|endroit|adresse",
    ),
    ("ticker", r"ticker|symbol|stock|tickersymbol|kürzel|aktie"),
    ("company", r"company|firm|organi[sz]ation|firma|unternehmen|entreprise|société"),
    ("sql", r"sql|statement"),
    ("expression", r"expression|formula|calculation|ausdruck|formel|formule"),
    ("key", r"key|schlüssel|clé|cle"),
    ("value", r"value|wert|valeur"),
    ("email", r"email|e mail|mail|courriel"),
    ("zodiac", r"sign|zodiac|star ?sign|sternzeichen|signe"),
    ("phone", r"phone|telephone|mobile|telefon|téléphone"),
    ("url", r"url|uri|link|website"),
    ("language", r"language|lang|locale|sprache|zielsprache|langue"),
    ("currency_to", r"(?:to|target|quote) currency|zielwährung"),
    ("currency", r"currency|währung|devise"),
    ("unit_to", r"(?:to|target) units?|zieleinheit"),
    ("unit", r"units?|einheit|unité"),
    ("colour", r"colou?r|farbe|couleur"),
    ("room", r"room|zimmer|raum|pièce|piece"),
    ("device", r"device|appliance|gerät|appareil|lamp|lampe|entity"),
    ("datetime", r"datetime|date ?time|start|end|begin|when|due|wann|quand|timestamp"),
    ("date", r"date|day|datum|tag|jour"),
    ("time", r"time|hour|uhrzeit|zeit|heure"),
    ("duration", r"duration|dauer|durée"),
    ("id", r"id|number|code|reference|nummer|bestellnummer|numéro|tracking"),
    (
        "query",
        r"query|q|question|search|search ?terms?|terms?|keywords?|topic|phrase|suche|suchbegriff"
        r"|suchtext|frage|thema|stichwort|requête|recherche|sujet",
    ),
    (
        "person",
        r"person|name|recipient|contact|attendees?|guests?|customer|who|nom|prénom|empfänger|kunde"
        r"|teilnehmer|destinataire|to",
    ),
    ("message", r"message|text|body|content|prompt|nachricht|inhalt|texte|contenu|corps"),
    (
        "title",
        r"title|subject|summary|event|song|track|album|movie|film|book|game|product|dish|recipe|label"
        r"|tasks?|items?|todo|titel|betreff|aufgabe|artikel|titre|tâche|article|reminder|note",
    ),
    ("state", r"state|status|action|mode|command|power|zustand|état"),
    ("device", r"light|heater|heating|licht|heizung"),
)

_FORMATS: Final = {"date": "date", "time": "time", "date-time": "datetime", "email": "email", "uri": "url"}

_ABOUT: Final = (
    ("latitude", r"\blatitude\b"),
    ("longitude", r"\blongitude\b"),
    ("sql", r"\bsql\b|\bselect\b.*\bfrom\b"),
    ("ticker", r"\bticker\b|\bstock symbol\b"),
    ("place", r"\b(?:city|town|place|location|country|stadt|ort|ville|lieu)\b"),
    ("language", r"\blanguage\b"),
    ("datetime", r"\bdate and time\b"),
    ("date", r"\b(?:date|day)\b"),
    ("time", r"\btime of day\b"),
    ("query", r"\b(?:search|look for|question|query|keywords?)\b"),
    ("id", r"\b(?:identifier|id|number)\b"),
    ("person", r"\b(?:person|recipient|name of)\b"),
    ("message", r"\b(?:message|text)\b"),
    ("title", r"\b(?:title|item|task)\b"),
)


def _kind(words: tuple[str, ...], schema: Mapping[str, Any], tool: str) -> str:
    """The kind of value wanted, ``""`` when nothing tells."""
    name, about = " ".join(words), str(schema.get("description") or "").casefold()
    travels = re.search(
        r"flight|train|route|direction|distance|travel|fare|flug|bahn|drive|trip|weg\b", tool.casefold()
    )
    if travels and words:
        if words[0] in {"from", "start", "von", "source", "de", "begin"}:
            return "place_from"
        if words[0] in {"to", "end", "nach", "target", "à", "vers"}:
            return "place_to"
    if name in {"to", "recipient", "address", "from"} and re.search(r"\be-?mail", f"{tool.casefold()} {about}"):
        return "email"
    for kind, pattern in _NAMES:
        if re.fullmatch(pattern, name):
            return "sql" if kind == "query" and re.search(r"\bsql\b", about) else kind
    if form := _FORMATS.get(str(schema.get("format") or "")):
        return form
    for kind, pattern in _NAMES:
        if re.search(rf"(?:^|\s)(?:{pattern})s?(?:$|\s)", name):
            return kind
    return next((kind for kind, pattern in _ABOUT if re.search(pattern, about)), "")
