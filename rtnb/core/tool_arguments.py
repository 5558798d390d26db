"""The arguments of a call: JSON text of a model, checked before a handler sees them.

A model makes mistakes, and mends them when it is told what was wrong: the texts of `ToolArgumentError` are written
for it, short, with the name of the argument and what was expected. Imports only
`rtnb.core.errors`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from rtnb.core.errors import ToolError, redact

__all__ = ["ToolArgumentError", "check_value", "loads_arguments", "problems_text", "schema_parser", "value_text"]

_SHOWN_PROBLEMS: Final = 4
_SHOWN_CHARS: Final = 60
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


class ToolArgumentError(ToolError):
    """The arguments of a call do not fit the tool; the text is fit to be sent to the model."""


def loads_arguments(name: str, text: str) -> dict[str, Any]:
    """The arguments as a dict, from the JSON text of a call.

    Parameters
    ----------
    name
        The tool, for the text of an error.
    text
        What the model wrote. Blank text and ``null`` stand for no arguments: models write both.

    Raises
    ------
    ToolArgumentError
        When the text is no JSON, or no JSON object.
    """
    if not text.strip():
        return {}
    try:
        arguments = json.loads(text)
    except ValueError as exc:
        where = f" at character {exc.pos}: {exc.msg.lower()}" if isinstance(exc, json.JSONDecodeError) else ""
        raise ToolArgumentError(f"{name}: the arguments are not valid JSON{where}. Send one JSON object.") from exc
    except RecursionError as exc:
        raise ToolArgumentError(f"{name}: the arguments are nested too deeply.") from exc
    if arguments is None:
        return {}
    if not isinstance(arguments, dict):
        raise ToolArgumentError(f"{name}: the arguments must be one JSON object, got {value_text(arguments)}.")
    return arguments


def problems_text(name: str, problems: Iterable[str], properties: Iterable[str]) -> str:
    """One sentence that tells a model what is wrong with its arguments, and what the tool takes."""
    found = list(problems)
    more = f"; and {len(found) - _SHOWN_PROBLEMS} more" if len(found) > _SHOWN_PROBLEMS else ""
    takes = ", ".join(properties) or "no arguments"
    return redact(f"{name}: {'; '.join(found[:_SHOWN_PROBLEMS])}{more}. It takes {takes}.")


def value_text(value: object) -> str:
    """A value as short JSON, for a text that a model reads."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = type(value).__name__
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…"


def schema_parser(name: str, parameters: Mapping[str, Any]) -> Callable[[str], dict[str, Any]]:
    """A parser that holds arguments against a JSON schema, for tools that were declared by one.

    Parameters
    ----------
    name
        The tool, for the texts of errors.
    parameters
        The schema. What `check_value` does not know is not checked: the model was told, and the handler will see.
    """

    def parse(text: str) -> dict[str, Any]:
        arguments = loads_arguments(name, text)
        problems = list(check_value(arguments, parameters, root=parameters))
        if problems:
            raise ToolArgumentError(problems_text(name, problems, parameters.get("properties", {})))
        return arguments

    return parse


def check_value(value: object, schema: object, path: str = "", *, root: Mapping[str, Any]) -> Iterable[str]:
    """What is wrong with a value, in words; nothing when it fits.

    Knows ``type``, ``enum``, ``const``, ``properties``, ``required``, ``additionalProperties``, ``items``,
    ``minItems``, ``maxItems``, ``minimum``, ``maximum``, ``anyOf``, ``oneOf``, ``allOf`` and ``$ref`` into the
    same schema.

    Parameters
    ----------
    value
        A decoded JSON value.
    schema
        The JSON schema that it must fit.
    path
        Where the value stands in the arguments, for the words.
    root
        The whole schema, in which references are looked up.
    """
    if not isinstance(schema, Mapping):
        return
    if isinstance(reference := schema.get("$ref"), str):
        yield from check_value(value, _resolve(reference, root), path, root=root)
        return
    label = f"'{path}'" if path else "the arguments"
    if not _has_type(value, schema.get("type")):
        yield f"{label} must be {_type_words(schema['type'])}, got {value_text(value)}"
        return
    if "enum" in schema and value not in schema["enum"]:
        allowed = ", ".join(value_text(each) for each in schema["enum"])
        yield f"{label} must be one of {allowed}, got {value_text(value)}"
    if "const" in schema and value != schema["const"]:
        yield f"{label} must be {value_text(schema['const'])}, got {value_text(value)}"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if (least := schema.get("minimum")) is not None and value < least:
            yield f"{label} must be at least {least}, got {value_text(value)}"
        if (most := schema.get("maximum")) is not None and value > most:
            yield f"{label} must be at most {most}, got {value_text(value)}"
    for key in ("anyOf", "oneOf"):
        choices = schema.get(key)
        if choices and all(any(True for _ in check_value(value, each, path, root=root)) for each in choices):
            yield f"{label} fits none of the forms that are allowed, got {value_text(value)}"
    for each in schema.get("allOf", ()):
        yield from check_value(value, each, path, root=root)
    if isinstance(value, dict):
        yield from _check_object(value, schema, path, root)
    elif isinstance(value, list):
        yield from _check_array(value, schema, path, root)


def _check_object(
    value: dict[str, Any], schema: Mapping[str, Any], path: str, root: Mapping[str, Any]
) -> Iterable[str]:
    inner = f"{path}." if path else ""
    properties = schema.get("properties", {})
    for key in schema.get("required", ()):
        if key not in value:
            yield f"'{inner}{key}' is missing"
    others = schema.get("additionalProperties", True)
    for key, each in value.items():
        if key in properties:
            yield from check_value(each, properties[key], f"{inner}{key}", root=root)
        elif others is False:
            yield f"'{inner}{key}' is unknown"
        else:
            yield from check_value(each, others, f"{inner}{key}", root=root)


def _check_array(value: list[Any], schema: Mapping[str, Any], path: str, root: Mapping[str, Any]) -> Iterable[str]:
    label = f"'{path}'"
    if (least := schema.get("minItems")) is not None and len(value) < least:
        yield f"{label} needs at least {least} elements, got {len(value)}"
    if (most := schema.get("maxItems")) is not None and len(value) > most:
        yield f"{label} takes at most {most} elements, got {len(value)}"
    for index, each in enumerate(value):
        yield from check_value(each, schema.get("items"), f"{path}[{index}]", root=root)


def _has_type(value: object, wanted: object) -> bool:
    if wanted is None:
        return True
    names = wanted if isinstance(wanted, list) else [wanted]
    return any(_is(value, name) for name in names)


def _is(value: object, name: object) -> bool:
    if not isinstance(name, str) or name not in _TYPES:
        return True
    if isinstance(value, bool):  # in Python a bool is an int; in JSON it is not
        return name == "boolean"
    if name == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[name])


def _type_words(wanted: object) -> str:
    names = wanted if isinstance(wanted, list) else [wanted]
    return " or ".join(
        str(name) if name == "null" else f"{'an' if str(name)[0] in 'aeiou' else 'a'} {name}" for name in names
    )


def _resolve(reference: str, root: Mapping[str, Any]) -> object:
    node: object = root
    for part in reference.removeprefix("#/").split("/"):
        node = node.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(node, Mapping) else None
    return node
