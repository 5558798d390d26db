"""From a Python function to what a model is told of it: name, description, JSON schema, and a parser of arguments.

Theory of operation
-------------------
The signature is turned into a pydantic model with one field for each parameter. That model gives the JSON schema, and
later turns the model's JSON into values of the annotated classes. Fields have neutral names and the
parameter's name as alias, so that no parameter can collide with pydantic's own names (``schema``, ``copy``, ...).

The schema is then made as plain as it can be, see `rtnb.core.tool_tidy`.

Imports only `rtnb.core`; pydantic only inside functions.
"""

from __future__ import annotations

import functools
import inspect
import json
import sys
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from rtnb.core.errors import ToolError
from rtnb.core.tool_arguments import ToolArgumentError, loads_arguments, problems_text, value_text
from rtnb.core.tool_docstring import read_docstring
from rtnb.core.tool_tidy import tidy

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

__all__ = ["Described", "describe"]


@dataclass(frozen=True)
class Described:
    """What is known of a function.

    Attributes
    ----------
    name, description
        As a model will see them; the description may be empty.
    parameters
        The JSON schema of its arguments.
    parse
        From a call's JSON text to arguments by name; raises `ToolArgumentError`.
    call
        Calls the function with arguments by name.
    """

    name: str
    description: str
    parameters: dict[str, Any]
    parse: Callable[[str], dict[str, Any]]
    call: Callable[[dict[str, Any]], Any]


@dataclass(frozen=True)
class _Parameter:
    name: str
    annotation: Any
    default: Any  # inspect.Parameter.empty: required
    is_positional_only: bool


def describe(function: Callable[..., Any], *, name: str | None = None, description: str | None = None) -> Described:
    """Read a function: plain, ``async``, a bound method, a ``functools.partial`` or an object with ``__call__``.

    Parameters
    ----------
    function
        What the tool runs. Every parameter needs an annotation.
    name
        Instead of the function's own.
    description
        Instead of the first part of its docstring.

    Raises
    ------
    ToolError
        In words, when the function cannot be a tool.
    """
    source = _source(function)
    label = name or _own_name(function, source)
    described, texts = read_docstring(_docstring(source))
    parameters = list(_parameters(function, source, label))
    model = _model(parameters, texts, label)
    positional = [each.name for each in parameters if each.is_positional_only]
    return Described(
        name=label,
        description=described if description is None else description,
        parameters=_schema(model, label),
        parse=_parser(model, parameters, label),
        call=_caller(function, positional, parameters),
    )


def _source(function: Any) -> Any:
    """The function whose name, docstring and annotations count."""
    while isinstance(function, functools.partial):
        function = function.func
    if isinstance(function, (staticmethod, classmethod)):
        raise ToolError(
            f"{function!r} is not bound to a class yet. Make the tool from outside the class: tool(TheClass.method)."
        )
    if inspect.isclass(function):
        raise ToolError(f"{function.__name__} is a class. Give a function that makes the object, or an object to call.")
    if not callable(function):
        raise ToolError(f"A tool is made from a function; got {type(function).__name__}.")
    if inspect.isroutine(function):
        return function
    return type(function).__call__


def _own_name(function: Any, source: Any) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.isroutine(function):
        own = str(getattr(source, "__name__", ""))
        if own == "<lambda>":
            raise ToolError("A lambda has no name, no annotations and no docstring. Write a function with def instead.")
        return own
    return type(function).__name__


def _docstring(source: Any) -> str | None:
    text = inspect.getdoc(source)
    return text if text != object.__call__.__doc__ else None


def _parameters(function: Any, source: Any, label: str) -> Iterator[_Parameter]:
    try:
        signature = inspect.signature(function)
    except (ValueError, TypeError) as exc:
        raise ToolError(
            f"Tool {label!r}: its parameters are not known to Python. Wrap it in a function of yours."
        ) from exc
    except NameError as exc:
        raise ToolError(f"Tool {label!r}: {exc}. Define the type before the tool.") from exc
    if inspect.isgeneratorfunction(source) or inspect.isasyncgenfunction(source):
        raise ToolError(f"Tool {label!r} yields. A tool gives one result: return a list instead.")
    fixed = _fixed_by_partial(function)
    for each in signature.parameters.values():
        if each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD):
            stars = "*" if each.kind is each.VAR_POSITIONAL else "**"
            raise ToolError(
                f"Tool {label!r} takes {stars}{each.name}, which cannot be described to a model. Name its parameters, "
                f"or take one list or dict: {each.name}: {'list[str]' if stars == '*' else 'dict[str, str]'}."
            )
        if each.name in fixed:
            continue
        if each.annotation is each.empty:
            raise ToolError(_unannotated(label, each.name))
        annotation = _resolved(each.annotation, source, label, each.name)
        yield _Parameter(each.name, annotation, each.default, each.kind is each.POSITIONAL_ONLY)


def _unannotated(label: str, parameter: str) -> str:
    if parameter in ("self", "cls"):
        return (
            f"Tool {label!r} is a method that is not bound yet. Decorate nothing inside the class; make the tool from "
            f"an object: tool(thing.{label})."
        )
    return (
        f"Tool {label!r}: parameter {parameter!r} has no annotation, so the model cannot be told what to send. "
        f"Write its type, for example {parameter}: str."
    )


def _fixed_by_partial(function: Any) -> set[str]:
    fixed: set[str] = set()
    while isinstance(function, functools.partial):
        fixed |= set(function.keywords)
        function = function.func
    return fixed


def _resolved(annotation: Any, source: Any, label: str, parameter: str) -> Any:
    """The annotation as an object: text of ``from __future__ import annotations`` is looked up."""

    def holder() -> None: ...

    holder.__annotations__ = {"it": annotation}
    scope = dict(getattr(inspect.unwrap(source), "__globals__", {}))
    while True:
        try:
            return typing.get_type_hints(holder, globalns=scope, include_extras=True)["it"]
        except NameError as exc:
            missing = exc.name or ""
            if missing in scope or not _add_from_callers(missing, scope):
                raise ToolError(
                    f"Tool {label!r}: the annotation of {parameter!r} names {missing!r}, which is not known here. "
                    f"Define or import it at the top level, before the tool."
                ) from exc
        except Exception as exc:
            raise ToolError(f"Tool {label!r}: the annotation of {parameter!r} cannot be read: {exc}") from exc


def _add_from_callers(name: str, scope: dict[str, Any]) -> bool:
    """Look a local class up where the function was written: its callers are still on the stack."""
    frame = sys._getframe(1)
    while frame is not None:
        if name in frame.f_locals:
            scope[name] = frame.f_locals[name]
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False


def _model(parameters: list[_Parameter], texts: Mapping[str, str], label: str) -> type[BaseModel]:
    from pydantic import ConfigDict, Field, create_model
    from pydantic.errors import PydanticUserError

    aliases = _fields(parameters)
    fields: dict[str, Any] = {}
    for field_name, each in zip(aliases, parameters, strict=True):
        base, *extras = typing.get_args(each.annotation) if _is_annotated(each.annotation) else (each.annotation,)
        text = _text_of(extras) or texts.get(each.name)
        metadata = ([Field(description=text)] if text else []) + [
            extra for extra in extras if not isinstance(extra, str)
        ]
        annotation = functools.reduce(lambda so_far, extra: Annotated[so_far, extra], metadata, base)
        fields[field_name] = (annotation, ... if each.default is inspect.Parameter.empty else each.default)
    config = ConfigDict(
        extra="forbid",
        alias_generator=lambda field: aliases.get(field, field),  # pydantic asks for dataclasses inside, too
        coerce_numbers_to_str=True,  # a model may send the house number 12 where a text is asked for
        protected_namespaces=(),
    )
    try:
        return create_model(f"{label}_arguments", __config__=config, **fields)
    except (PydanticUserError, TypeError) as exc:
        hint = "" if "Please use" in str(exc) else " Annotate with types that JSON can carry."
        raise ToolError(f"Tool {label!r}: {_first_line(exc)}{hint}") from exc


def _fields(parameters: list[_Parameter]) -> dict[str, str]:
    return {f"rtnb_argument_{index}": each.name for index, each in enumerate(parameters)}


def _is_annotated(annotation: Any) -> bool:
    return typing.get_origin(annotation) is Annotated


def _text_of(extras: list[Any]) -> str | None:
    for extra in extras:
        text = extra if isinstance(extra, str) else getattr(extra, "documentation", None)  # PEP 727's Doc("...")
        if isinstance(text, str):
            return " ".join(text.split())
    return None


def _schema(model: type[BaseModel], label: str) -> dict[str, Any]:
    from pydantic.errors import PydanticInvalidForJsonSchema
    from pydantic.json_schema import GenerateJsonSchema

    class Quiet(GenerateJsonSchema):
        ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012 - pydantic's own declaration

    try:
        schema = tidy(model.model_json_schema(schema_generator=Quiet))
    except PydanticInvalidForJsonSchema as exc:
        raise ToolError(f"Tool {label!r}: {_first_line(exc)} Annotate with types that JSON can carry.") from exc
    schema.setdefault("properties", {})
    schema.pop("description", None)
    return schema


def _first_line(exc: Exception) -> str:
    return (str(exc).strip().splitlines() or [type(exc).__name__])[0].rstrip(".") + "."


def _parser(model: type[BaseModel], parameters: list[_Parameter], label: str) -> Callable[[str], dict[str, Any]]:
    from pydantic import ValidationError
    from pydantic.fields import FieldInfo

    optional = {each.name for each in parameters if each.default is not inspect.Parameter.empty}
    names = _fields(parameters)
    filled = {field for field, each in zip(names, parameters, strict=True) if isinstance(each.default, FieldInfo)}

    def validated(arguments: dict[str, Any]) -> BaseModel:
        try:
            return model.model_validate_json(json.dumps(arguments))
        except ValidationError as exc:
            nulls = {
                error["loc"][0]
                for error in exc.errors(include_url=False, include_context=False)
                if error["input"] is None
            } & {key for key in optional if arguments.get(key, ...) is None}
            if not nulls:
                raise
            # Models send null for what they mean to leave out.
            return validated({key: value for key, value in arguments.items() if key not in nulls})

    def parse(text: str) -> dict[str, Any]:
        arguments = loads_arguments(label, text)
        try:
            instance = validated(arguments)
        except ValidationError as exc:
            raise ToolArgumentError(problems_text(label, _problems(exc), names.values())) from exc
        given = instance.model_fields_set | filled
        return {name: getattr(instance, field) for field, name in names.items() if field in given}

    return parse


def _problems(exc: ValidationError) -> Iterator[str]:
    for error in exc.errors(include_url=False, include_context=False):
        path = ".".join(str(part) for part in error["loc"]) or "the arguments"
        if error["type"] == "missing":
            yield f"'{path}' is missing"
        elif error["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            yield f"'{path}' is unknown"
        else:
            message = error["msg"][:1].lower() + error["msg"][1:]
            yield f"'{path}': {message}, got {value_text(error['input'])}"


def _caller(
    function: Callable[..., Any], positional: list[str], parameters: list[_Parameter]
) -> Callable[[dict[str, Any]], Any]:
    if not positional:
        return lambda arguments: function(**arguments)
    defaults = {each.name: each.default for each in parameters if each.is_positional_only}

    def call(arguments: dict[str, Any]) -> Any:
        keywords = dict(arguments)
        first = [keywords.pop(name, defaults[name]) for name in positional]
        return function(*first, **keywords)

    return call
