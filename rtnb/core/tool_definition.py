"""A tool's JSON definition, as the Realtime API takes it, and how a function that carries it out is called.

The forms that other APIs take are refused here in words, before the service refuses them with a code. Imports only
`rtnb.core.errors`.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from rtnb.core.errors import ToolError

__all__ = ["check_name", "definition_caller", "read_definition"]

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KEYS: Final = frozenset({"type", "name", "description", "parameters"})


def check_name(name: object) -> None:
    """Refuse what is no name for a tool: 1 to 64 letters, digits, ``_`` or ``-``."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ToolError(
            f"{name!r} is no name for a tool: 1 to 64 letters a-z, digits, '_' or '-'. Set one with name=..."
        )


def read_definition(definition: Mapping[str, Any]) -> tuple[str, str, dict[str, Any]]:
    """Name, description and parameters of a definition that the service would take; `ToolError` for any other.

    Parameters
    ----------
    definition
        ``{"type": "function", "name": ..., "description": ..., "parameters": {...}}``; ``type`` may be left out.
    """
    if not isinstance(definition, Mapping):
        raise ToolError(
            f"A definition is a dict with name, description and parameters; got {type(definition).__name__}."
        )
    if isinstance(definition.get("function"), Mapping):
        inner = definition["function"]
        raise ToolError(
            "This is the nested form of Chat Completions. The Realtime API takes the same keys flat, without "
            f"'function': {{'type': 'function', 'name': {inner.get('name', '...')!r}, 'description': ..., "
            "'parameters': ...}."
        )
    kind = definition.get("type", "function")
    if kind != "function":
        raise ToolError(
            f"A tool of type {kind!r} has no handler here: the service runs it. Send it with "
            "session.update(tools=[...]) instead."
        )
    name = definition.get("name")
    check_name(name)
    if extra := sorted(str(key) for key in definition if key not in _KEYS):
        raise ToolError(
            f"Tool {name!r}: the Realtime API refuses the key {', '.join(map(repr, extra))}. Leave it out; a tool has "
            "type, name, description and parameters only."
        )
    description = definition.get("description") or ""
    parameters = definition.get("parameters") or {"type": "object", "properties": {}}
    if not isinstance(description, str):
        raise ToolError(f"Tool {name!r}: the description is a text; got {type(description).__name__}.")
    if not isinstance(parameters, Mapping) or parameters.get("type") != "object":
        raise ToolError(
            f"Tool {name!r}: parameters is a JSON schema of an object: {{'type': 'object', 'properties': {{...}}}}."
        )
    try:
        parameters = json.loads(json.dumps(parameters))
    except (TypeError, ValueError) as exc:
        raise ToolError(f"Tool {name!r}: parameters is not JSON: {exc}.") from exc
    parameters.setdefault("properties", {})
    if not isinstance(parameters["properties"], dict):
        raise ToolError(f"Tool {name!r}: properties is an object of parameter names and their schemas.")
    return str(name), description, parameters


def definition_caller(
    name: str, parameters: Mapping[str, Any], handler: Callable[..., Any]
) -> Callable[[dict[str, Any]], Any]:
    """How a handler is called: with the arguments by name, or with one dict of all of them.

    Parameters
    ----------
    name
        The tool, for the text of an error.
    parameters
        Its JSON schema.
    handler
        Its function; `ToolError` when it fits neither way.
    """
    properties = list(parameters.get("properties", {}))
    try:
        signature = inspect.signature(handler)
    except (TypeError, ValueError):  # a builtin without a signature: trust it
        return lambda arguments: handler(**arguments)
    takes = signature.parameters.values()
    by_name = {each.name for each in takes if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)}
    takes_any = any(each.kind is each.VAR_KEYWORD for each in takes)
    needed = {each.name for each in takes if each.default is each.empty and each.kind is not each.VAR_KEYWORD}
    if (takes_any or by_name.issuperset(properties)) and needed.issubset(properties):
        return lambda arguments: handler(**arguments)
    first = next(iter(takes), None)
    if (
        first is not None
        and needed == {first.name}
        and first.name not in properties
        and first.kind is not first.KEYWORD_ONLY
    ):
        return lambda arguments: handler(arguments)
    raise ToolError(
        f"Tool {name!r}: its handler does not fit the definition. It takes {', '.join(properties) or 'no arguments'} "
        "by name, or all arguments as one dict."
    )
