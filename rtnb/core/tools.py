"""Tools: Python functions that a model may call.

A tool is a function with annotations and a docstring::

    @rtnb.tool
    def calculate_sum(a: float, b: float) -> float:
        '''Add two numbers. Use it when asked to add, for example "What's 4 + 6?".'''
        return a + b

Its name is the tool's name, the first part of its docstring is what the model picks it by, and the annotations say what
it must send. How that is read stands in `rtnb.core.tool_schema`, how results become text in `rtnb.core.tool_output`,
how a call is run in `rtnb.session.tool_runner`. Imports only `rtnb.core`; pydantic loads when the first tool is made.
"""

from __future__ import annotations

import copy
import dataclasses
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, overload

from rtnb.core.errors import ToolError
from rtnb.core.tool_arguments import ToolArgumentError, schema_parser
from rtnb.core.tool_definition import check_name, definition_caller, read_definition
from rtnb.core.tool_docstring import warn_of_missing_docstring
from rtnb.core.tool_schema import describe

__all__ = ["PREFER_RECORDED", "TIMEOUT_S", "Tool", "ToolArgumentError", "ToolSet", "as_tool", "tool"]

TIMEOUT_S: Final = 30.0
"""How long a tool may run unless it says otherwise, in seconds."""

PREFER_RECORDED: ContextVar[bool] = ContextVar("rtnb_prefer_recorded", default=False)
"""True while a tool runs for the local endpoint: tools with recorded answers then give those, and touch no network."""


@dataclass(frozen=True, eq=False)
class Tool:
    """A function that a model may call, with what the model is told of it.

    Made by `tool`, `Tool.from_function` or `Tool.from_definition`. Calling it calls the function.

    Attributes
    ----------
    name
        1 to 64 letters, digits, ``_`` or ``-``.
    description
        What the model picks the tool by.
    parameters
        JSON schema of the arguments.
    handler
        The function, plain or ``async``.
    timeout
        Seconds that a call may take; None for no limit.
    background
        Whether the model is answered at once that the call is under way, and told the result when it comes.
    confirm
        Whether the user is asked before each call.
    """

    name: str
    description: str
    parameters: dict[str, Any]
    handler: Callable[..., Any] = dataclasses.field(repr=False)
    timeout: float | None = TIMEOUT_S
    background: bool = False
    confirm: bool = False
    _parse: Callable[[str], dict[str, Any]] | None = dataclasses.field(default=None, repr=False)
    _call: Callable[[dict[str, Any]], Any] | None = dataclasses.field(default=None, repr=False)

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.timeout is not None and (isinstance(self.timeout, bool) or not self.timeout > 0):
            raise ToolError(
                f"Tool {self.name!r}: timeout is a number of seconds above 0, or None; got {self.timeout!r}."
            )
        if self._parse is None:
            object.__setattr__(self, "_parse", schema_parser(self.name, self.parameters))
        if self._call is None:
            object.__setattr__(self, "_call", definition_caller(self.name, self.parameters, self.handler))
        # So that Shift-Tab and help() show the function.
        object.__setattr__(self, "__wrapped__", self.handler)
        object.__setattr__(self, "__name__", self.name)
        object.__setattr__(self, "__doc__", inspect.getdoc(self.handler) or self.description)

    @classmethod
    def from_function(
        cls,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        description: str | None = None,
        timeout: float | None = TIMEOUT_S,
        background: bool = False,
        confirm: bool = False,
    ) -> Tool:
        """A tool from a function; see `tool`, which is the same as a decorator."""
        if name is not None:
            check_name(name)
        described = describe(function, name=name, description=description)
        if not described.description and description is None:
            warn_of_missing_docstring(described.name)
        return cls(
            described.name,
            described.description,
            described.parameters,
            function,
            timeout=timeout,
            background=background,
            confirm=confirm,
            _parse=described.parse,
            _call=described.call,
        )

    @classmethod
    def from_definition(
        cls,
        definition: Mapping[str, Any],
        handler: Callable[..., Any],
        *,
        timeout: float | None = TIMEOUT_S,
        background: bool = False,
        confirm: bool = False,
    ) -> Tool:
        """A tool from a JSON definition and a function that carries it out.

        Parameters
        ----------
        definition
            ``{"type": "function", "name": ..., "description": ..., "parameters": {...}}``; ``type`` may be left out.
        handler
            Called with the arguments by name; or with all of them as one dict, when it has one parameter that is
            none of the schema's properties. It gets plain JSON values: its annotations are not read.
        timeout, background, confirm
            As for `tool`.

        Raises
        ------
        ToolError
            When the service would refuse the definition, with what to write instead; when the handler does not fit.
        """
        name, description, parameters = read_definition(definition)
        if not callable(handler):
            raise ToolError(f"Tool {name!r}: the handler is a function; got {type(handler).__name__}.")
        return cls(name, description, parameters, handler, timeout=timeout, background=background, confirm=confirm)

    def definition(self) -> dict[str, Any]:
        """What the service is told: ``type``, ``name``, ``description``, ``parameters``, and nothing else."""
        definition: dict[str, Any] = {"type": "function", "name": self.name}
        if self.description:
            definition["description"] = self.description
        definition["parameters"] = copy.deepcopy(self.parameters)
        return definition

    def parse(self, arguments: str) -> dict[str, Any]:
        """The arguments of a call by name, checked, as values of the annotated classes.

        Parameters
        ----------
        arguments
            JSON text, as the model wrote it.

        Raises
        ------
        ToolArgumentError
            When they do not fit; its text tells a model what to mend.
        """
        assert self._parse is not None
        return self._parse(arguments)

    def run(self, arguments: dict[str, Any]) -> Any:
        """Call the function with arguments from `parse`; an ``async`` one gives its awaitable."""
        assert self._call is not None
        return self._call(arguments)

    @property
    def is_async(self) -> bool:
        """Whether the function is ``async``: it then runs on the session's loop, else in a thread."""
        return inspect.iscoroutinefunction(self.handler) or inspect.iscoroutinefunction(
            getattr(self.handler, "__call__", None)  # noqa: B004 - not asked whether it is callable, but which way
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function, as if it were no tool."""
        return self.handler(*args, **kwargs)

    def __repr__(self) -> str:
        required = self.parameters.get("required", [])
        takes = ", ".join(name if name in required else f"{name}=…" for name in self.parameters.get("properties", {}))
        marks = "".join(f", {mark}" for mark in ("background", "confirm") if getattr(self, mark))
        return f"<Tool {self.name}({takes}){marks}>"


@overload
def tool(
    function: Callable[..., Any],
    /,
    *,
    name: str | None = ...,
    description: str | None = ...,
    timeout: float | None = ...,
    background: bool = ...,
    confirm: bool = ...,
) -> Tool: ...


@overload
def tool(
    function: None = ...,
    /,
    *,
    name: str | None = ...,
    description: str | None = ...,
    timeout: float | None = ...,
    background: bool = ...,
    confirm: bool = ...,
) -> Callable[[Callable[..., Any]], Tool]: ...


def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    timeout: float | None = TIMEOUT_S,
    background: bool = False,
    confirm: bool = False,
) -> Tool | Callable[[Callable[..., Any]], Tool]:
    """Make a tool from a function, with or without options in brackets: ``@tool`` or ``@tool(timeout=5)``.

    Parameters
    ----------
    function
        Plain, ``async``, a bound method, a ``functools.partial`` or an object with ``__call__``. Every parameter needs
        an annotation; a text for each comes from the docstring, or from ``Annotated[float, "the text"]``.
    name
        Instead of the function's name.
    description
        Instead of the first part of its docstring. The model picks by it: say what the tool does and when to use it.
    timeout
        Seconds that a call may take; None for no limit.
    background
        Answer at once that it is under way, and tell the result when it comes: for what takes long.
    confirm
        Ask the user before each call: for what cannot be undone. A cell that waits for the answer asks in an input
        field under it; else there are buttons under the cell that asked, and a terminal asks in its window. Without an
        answer within a minute, the tool does not run.

    Raises
    ------
    ToolError
        At once and in words, when the function cannot be a tool.

    Examples
    --------
    >>> @tool
    ... def double(x: float) -> float:
    ...     '''Double a number.'''
    ...     return 2 * x
    >>> double, double(4)
    (<Tool double(x)>, 8)
    """

    def make(inner: Callable[..., Any]) -> Tool:
        if isinstance(inner, Tool):
            return _with_options(inner, name, description, timeout, background, confirm)
        return Tool.from_function(
            inner, name=name, description=description, timeout=timeout, background=background, confirm=confirm
        )

    return make if function is None else make(function)


def as_tool(value: Any) -> Tool:
    """A tool from what people put into a list of tools: a `Tool`, a function, or ``(definition, handler)``.

    Parameters
    ----------
    value
        Any of the three.
    """
    if isinstance(value, Tool):
        return value
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], Mapping):
        return Tool.from_definition(value[0], value[1])
    if isinstance(value, Mapping):
        raise ToolError(
            f"Tool {value.get('name', '')!r} is a definition without a handler. Give both: (definition, handler)."
        )
    return Tool.from_function(value)


class ToolSet:
    """The tools of a session, by name, in the order in which they came.

    Parameters
    ----------
    tools
        Tools, functions, or pairs of definition and handler.
    """

    def __init__(self, tools: Iterable[Any] = ()) -> None:
        self._tools: dict[str, Tool] = {}  # replaced at each change, never changed: any thread may read it
        for each in map(as_tool, tools):
            if each.name in self._tools:
                raise ToolError(_duplicate(each.name))
            self.add(each)

    def add(self, value: Any, *, replace: bool = False) -> Tool:
        """Add a tool.

        A function or method that was defined anew under its old name (a notebook cell that runs again) takes the
        place of its former self; any other tool of the same name is refused.

        Parameters
        ----------
        value
            A tool, a function, or ``(definition, handler)``.
        replace
            Take the place of any tool of that name.
        """
        new = as_tool(value)
        old = self._tools.get(new.name)
        if old is not None and old is not new and not replace and not _is_redefinition(old, new):
            raise ToolError(_duplicate(new.name))
        self._tools = {**self._tools, new.name: new}
        return new

    def remove(self, name: str | Tool) -> Tool:
        """Take a tool out, by its name or itself, and give it back."""
        key = name.name if isinstance(name, Tool) else name
        if key not in self._tools:
            raise ToolError(f"There is no tool {key!r}; there are: {', '.join(self._tools) or 'none'}.")
        rest = dict(self._tools)
        removed = rest.pop(key)
        self._tools = rest
        return removed

    def get(self, name: str) -> Tool | None:
        """The tool of that name, or None."""
        return self._tools.get(name)

    @property
    def names(self) -> list[str]:
        """The names, in order."""
        return list(self._tools)

    def definitions(self) -> list[dict[str, Any]]:
        """What the service is told, for ``session.tools``. An empty list clears the tools there."""
        return [each.definition() for each in self._tools.values()]

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    def __len__(self) -> int:
        return len(self._tools)

    def __contains__(self, name: object) -> bool:
        return (name.name if isinstance(name, Tool) else name) in self._tools

    def __repr__(self) -> str:
        return f"<ToolSet {', '.join(self._tools) or 'empty'}>"


def _duplicate(name: str) -> str:
    return (
        f"There is already a tool {name!r}. Remove it first, or give this one another name: "
        f"tool(function, name='{name[:62]}_2')."
    )


def _with_options(
    old: Tool, name: str | None, description: str | None, timeout: float | None, background: bool, confirm: bool
) -> Tool:
    return dataclasses.replace(
        old,
        name=old.name if name is None else name,
        description=old.description if description is None else description,
        timeout=old.timeout if timeout == TIMEOUT_S else timeout,
        background=old.background or background,
        confirm=old.confirm or confirm,
    )


def _is_redefinition(old: Tool, new: Tool) -> bool:
    """Whether both come from the same place in the source; one lambda looks like another, so it must say the same."""

    def origin(function: Any) -> tuple[str, str] | None:
        known = inspect.isfunction(function) or inspect.ismethod(function)
        return (function.__module__, function.__qualname__) if known else None

    place = origin(new.handler)
    if place is None or place != origin(old.handler):
        return old.handler is new.handler
    return "<lambda>" not in place[1] or old.definition() == new.definition()
