"""The JSON schema of pydantic, made as plain as it can be.

- ``$defs`` are put in place of each ``$ref``. No document promises that the service resolves references in a tool's
  parameters, other servers of the protocol do not, and a person reading the event should see the shape. Only a type
  that contains itself keeps its ``$defs``, since nothing else can describe it.
- ``additionalProperties: false`` wherever an object's properties are listed.
- ``str | None = None`` is said as an optional string: a model leaves it out; ``null`` is still accepted when it comes.
- A tuple is said as an array with ``items``, which the service wants in every array.
- Titles, which only repeat the names, are dropped: they cost tokens in every session.

Imports nothing of rtnb.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["tidy"]

_ORDER: Final = ("type", "description", "enum", "properties", "required", "additionalProperties", "items")


def tidy(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON schema of pydantic, made plain: references replaced, titles dropped, objects closed.

    Parameters
    ----------
    schema
        The schema of a whole tool; it is not changed.
    """
    definitions: Mapping[str, Any] = schema.get("$defs", {})
    kept: dict[str, Any] = {}

    def walk(node: Any, inside: tuple[str, ...]) -> Any:
        if not isinstance(node, Mapping):
            return node
        node = {key: value for key, value in node.items() if key not in ("$defs", "title", "discriminator")}
        if "$ref" in node:
            name = node["$ref"].rpartition("/")[2]
            if name in inside:
                if name not in kept:
                    kept[name] = {}  # marks it, should it meet itself again just below
                    kept[name] = walk(definitions[name], (name,))
                return node
            del node["$ref"]
            return {**walk(definitions[name], (*inside, name)), **node}
        if len(node.get("allOf", ())) == 1:
            only = node.pop("allOf")[0]
            return {**walk(only, inside), **node}
        for key in ("anyOf", "oneOf", "allOf"):
            if key in node:
                node[key] = [walk(each, inside) for each in node[key]]
        for key in ("items", "additionalProperties"):
            if key in node:
                node[key] = walk(node[key], inside)
        if "properties" in node:
            node["properties"] = {key: _optional(walk(each, inside)) for key, each in node["properties"].items()}
            node.setdefault("additionalProperties", False)
        if "const" in node:
            node["enum"] = [node.pop("const")]
        if "prefixItems" in node:  # the service wants `items` in every array
            _merge_prefix(node, [walk(each, inside) for each in node.pop("prefixItems")])
        return dict(sorted(node.items(), key=_place))

    plain: dict[str, Any] = walk(schema, ())
    if kept:
        plain["$defs"] = kept
    return plain


def _place(item: tuple[str, Any]) -> int:
    key = item[0]
    return _ORDER.index(key) if key in _ORDER else len(_ORDER)


def _optional(schema: Any) -> Any:
    """``str | None = None`` as an optional string."""
    if not isinstance(schema, dict) or schema.get("default", ...) is not None:
        return schema
    schema = {key: value for key, value in schema.items() if key != "default"}
    choices = [each for each in schema.pop("anyOf", []) if each != {"type": "null"}]
    if len(choices) == 1:
        return {**choices[0], **schema}
    return {"anyOf": choices, **schema} if choices else schema


def _merge_prefix(node: dict[str, Any], members: list[Any]) -> None:
    different = [each for index, each in enumerate(members) if each not in members[:index]]
    node["items"] = different[0] if len(different) == 1 else {"anyOf": different}
