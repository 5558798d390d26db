"""Functions and definitions as tools: what the model is told, and how its arguments are read."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import inspect
import json
import subprocess
import sys
from decimal import Decimal
from typing import Annotated, Any

import pytest
from helpers_tools import Options, Order, Unit, weather
from openai.types.realtime import RealtimeFunctionTool
from pydantic import BaseModel, Field

from rtnb.core.errors import ToolError
from rtnb.core.tools import TIMEOUT_S, tool


class Tree(BaseModel):
    title: str
    children: list[Tree] = []


def parameters_of(function: Any) -> dict[str, Any]:
    return tool(function).definition()["parameters"]["properties"]


def test_a_function_becomes_a_definition_with_the_four_keys_of_the_service() -> None:
    assert tool(weather).definition() == {
        "type": "function",
        "name": "weather",
        "description": "Tell the weather.\n\nUse it when asked about the weather of a place.",
        "parameters": {
            "type": "object",
            "properties": {
                "location": {"type": "string", "description": "The place, for example 'New York'."},
                "unit": {"type": "string", "description": "As asked.", "enum": ["c", "f"], "default": "c"},
                "days": {"type": "integer", "description": "As asked."},
            },
            "required": ["location"],
            "additionalProperties": False,
        },
    }


def test_definitions_fit_the_official_typed_model() -> None:
    for each in (weather, place_order, grow):
        typed = RealtimeFunctionTool.model_validate(tool(each).definition())
        assert typed.name == each.__name__
        assert not typed.model_extra


def place_order(order: Order, unit: Unit, options: Options, tags: dict[str, int], pairs: list[tuple[int, str]]) -> None:
    """Order."""


def grow(tree: Tree) -> None:
    """Grow."""


def test_nested_types_are_written_in_place_and_closed() -> None:
    schema = tool(place_order).parameters
    assert "$ref" not in json.dumps(schema)
    order = schema["properties"]["order"]
    assert order["description"] == "What is ordered."
    assert order["additionalProperties"] is False
    assert order["required"] == ["item", "at"]
    assert order["properties"]["at"] == {
        "type": "object",
        "properties": {"x": {"type": "integer"}, "y": {"type": "integer", "default": 3}},
        "required": ["x"],
        "additionalProperties": False,
    }
    assert schema["properties"]["unit"] == {"type": "string", "enum": ["celsius", "fahrenheit"]}
    assert schema["properties"]["tags"] == {"type": "object", "additionalProperties": {"type": "integer"}}


def test_a_property_named_title_survives_though_titles_are_dropped() -> None:
    options = tool(place_order).parameters["properties"]["options"]
    assert options["properties"] == {"title": {"type": "string"}, "loud": {"type": "boolean"}}


def test_every_array_has_items_also_that_of_a_tuple() -> None:
    pairs = tool(place_order).parameters["properties"]["pairs"]
    assert pairs["items"] == {
        "type": "array",
        "items": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        "maxItems": 2,
        "minItems": 2,
    }


def test_a_type_that_contains_itself_keeps_its_reference() -> None:
    schema = tool(grow).parameters
    assert schema["properties"]["tree"]["properties"]["children"]["items"] == {"$ref": "#/$defs/Tree"}
    assert list(schema["$defs"]) == ["Tree"]
    parsed = tool(grow).parse('{"tree": {"title": "a", "children": [{"title": "b"}]}}')
    assert parsed["tree"] == Tree(title="a", children=[Tree(title="b")])


def test_dates_are_strings_with_a_format_and_come_as_dates() -> None:
    def book(day: datetime.date, at: datetime.datetime, price: Decimal) -> None:
        """Book."""

    assert parameters_of(book)["day"] == {"type": "string", "format": "date"}
    parsed = tool(book).parse('{"day": "2026-11-20", "at": "2026-11-20T18:00:00Z", "price": "1.50"}')
    assert parsed == {
        "day": datetime.date(2026, 11, 20),
        "at": datetime.datetime(2026, 11, 20, 18, tzinfo=datetime.UTC),
        "price": Decimal("1.50"),
    }


def test_annotated_text_and_field_win_over_the_docstring() -> None:
    def f(
        a: Annotated[float, "said here"], b: Annotated[int, Field(ge=1, description="said in Field")], c: float
    ) -> None:
        """Do it.

        Args:
            a: from the docstring
            b: from the docstring
            c (float): from the docstring,
                on two lines
        """

    assert parameters_of(f) == {
        "a": {"type": "number", "description": "said here"},
        "b": {"type": "integer", "description": "said in Field", "minimum": 1},
        "c": {"type": "number", "description": "from the docstring, on two lines"},
    }


def test_a_field_as_default_gives_its_default_to_the_function() -> None:
    def f(n: int = Field(5, ge=1, description="how many")) -> int:
        """Count."""
        return n

    made = tool(f)
    assert made.parameters["properties"] == {
        "n": {"type": "integer", "description": "how many", "default": 5, "minimum": 1}
    }
    assert made.run(made.parse("{}")) == 5


def test_rest_docstrings_are_read() -> None:
    def f(a: float, b: float) -> float:
        """Add.

        :param a: the first
            of two
        :param float b: the second
        :returns: the sum
        """
        return a + b

    made = tool(f)
    assert made.description == "Add."
    assert [each["description"] for each in made.parameters["properties"].values()] == [
        "the first of two",
        "the second",
    ]


def test_parameters_may_have_names_that_pydantic_uses_itself() -> None:
    def f(
        schema: str, copy: int, model_config: str, _hidden: int = 1, json: str = "j", self_: str = "s"
    ) -> dict[str, Any]:
        """Use difficult names."""
        return dict(locals())

    made = tool(f)
    values = made.parse('{"schema": "s", "copy": 1, "model_config": "m", "_hidden": 2}')
    assert made.run(values) == {"schema": "s", "copy": 1, "model_config": "m", "_hidden": 2, "json": "j", "self_": "s"}


def test_a_function_without_parameters_has_an_empty_closed_object() -> None:
    def now() -> str:
        """Tell the time."""
        return "noon"

    made = tool(now)
    assert made.parameters == {"type": "object", "properties": {}, "additionalProperties": False}
    assert [made.parse(text) for text in ("", "{}", " null ")] == [{}, {}, {}]


def test_methods_partials_and_callable_objects_are_tools() -> None:
    class Shelf:
        def __init__(self) -> None:
            self.things: list[str] = []

        def put(self, thing: str) -> int:
            """Put a thing on the shelf."""
            self.things.append(thing)
            return len(self.things)

    class Adder:
        """Adds."""

        def __call__(self, a: float) -> float:
            """Add one."""
            return a + 1

    shelf = Shelf()
    put = tool(shelf.put)
    assert put.run(put.parse('{"thing": "book"}')) == 1
    assert shelf.things == ["book"]

    bound = tool(functools.partial(weather, unit="f"))
    assert (bound.name, list(bound.parameters["properties"])) == ("weather", ["location", "days"])
    assert bound.run(bound.parse('{"location": "Rome"}')) == "Rome f None"
    first = tool(functools.partial(weather, "Oslo"))
    assert first.run(first.parse('{"days": 2}')) == "Oslo c 2"

    adder = tool(Adder(), name="adder")
    assert (adder.description, adder.run(adder.parse('{"a": 1}'))) == ("Add one.", 2)


def test_positional_only_parameters_are_given_by_position() -> None:
    def f(a: int, b: int = 2, /, c: int = 3) -> tuple[int, int, int]:
        """Keep."""
        return a, b, c

    made = tool(f)
    assert made.run(made.parse('{"a": 1, "c": 9}')) == (1, 2, 9)


def test_a_tool_can_still_be_called_and_inspected_as_the_function() -> None:
    made = tool(weather)
    assert made("Rome", days=1) == "Rome c 1"
    assert list(inspect.signature(made).parameters) == ["location", "unit", "days"]
    assert str(made.__doc__).startswith("Tell the weather.")
    assert repr(made) == "<Tool weather(location, unit=…, days=…)>"


def test_the_decorator_takes_options_and_keeps_those_of_a_tool() -> None:
    @tool(name="slow_weather", description="Slowly.", timeout=5, background=True)
    def f(place: str) -> str:
        """Not said."""
        return place

    assert (f.name, f.description, f.timeout, f.background, f.confirm) == ("slow_weather", "Slowly.", 5, True, False)
    again = tool(f, confirm=True)
    assert (again.name, again.timeout, again.background, again.confirm) == ("slow_weather", 5, True, True)
    assert tool(weather).timeout == TIMEOUT_S
    assert repr(again) == "<Tool slow_weather(place), background, confirm>"


def test_types_that_a_calling_function_defined_are_found() -> None:
    @dataclasses.dataclass
    class Local:
        n: int

    def f(it: Local, more: list[Local]) -> int:
        """Count."""
        return it.n

    made = tool(f)
    assert made.parse('{"it": {"n": 1}, "more": [{"n": 2}]}') == {"it": Local(1), "more": [Local(2)]}


# ---- what cannot be a tool, in words


def no_annotation(a, b: int) -> None:  # type: ignore[no-untyped-def]
    """Lack one."""


def stars(*names: str) -> None:
    """Take any number."""


def star_star(**options: str) -> None:
    """Take anything."""


def callback(then: Any, when: functools.partial) -> None:  # type: ignore[type-arg]
    """Take a function."""


def unknown_type(x: Nowhere) -> None:  # type: ignore[name-defined]  # noqa: F821 - the point of it
    """Name what is not there."""


def generator(n: int) -> Any:
    """Yield."""
    yield n


class Shelf:
    def put(self, thing: str) -> None:
        """Put."""

    @staticmethod
    def static(a: int) -> None:
        """Be static."""


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (no_annotation, r"parameter 'a' has no annotation.*for example a: str"),
        (stars, r"takes \*names.*names: list\[str\]"),
        (star_star, r"takes \*\*options.*options: dict\[str, str\]"),
        (callback, r"Tool 'callback'.*types that JSON can carry"),
        (unknown_type, r"annotation of 'x' names 'Nowhere'"),
        (generator, r"yields.*return a list"),
        (Shelf.put, r"method that is not bound yet"),
        (Shelf.__dict__["static"], r"not bound to a class"),
        (Shelf, r"Shelf is a class"),
        (lambda a: a, r"A lambda has no name"),
        (max, r"Tool 'max'"),
        ("weather", r"made from a function; got str"),
    ],
)
def test_what_cannot_be_a_tool_is_refused_at_once_in_words(function: Any, words: str) -> None:
    with pytest.raises(ToolError, match=words):
        tool(function)


@pytest.mark.parametrize("name", ["", "get weather", "wetter_für", "a" * 65, "a.b", "name\n"])
def test_invalid_names_are_refused(name: str) -> None:
    with pytest.raises(ToolError, match="is no name for a tool"):
        tool(weather, name=name)


@pytest.mark.parametrize("timeout", [0, -1, True])
def test_a_timeout_is_positive_or_none(timeout: Any) -> None:
    with pytest.raises(ToolError, match="timeout is a number of seconds"):
        tool(weather, timeout=timeout)
    assert tool(weather, timeout=None).timeout is None


def test_a_missing_docstring_warns_at_the_users_line_unless_a_description_is_given() -> None:
    def bare(a: int) -> int:
        return a

    with pytest.warns(UserWarning, match="'bare' has no docstring") as caught:
        made = tool(bare)
    assert caught[0].filename == __file__
    assert "description" not in made.definition()
    tool(bare, description="Give it back.")
    tool(bare, description="")


def test_importing_tools_loads_no_pydantic() -> None:
    code = "import sys, rtnb.core.tools, rtnb.session.tool_runner; print('pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"
