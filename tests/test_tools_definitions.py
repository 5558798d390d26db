"""Tools declared by JSON, and sets of tools."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rtnb.core.errors import ToolError
from rtnb.core.tools import Tool, ToolArgumentError, ToolSet, as_tool, tool

MEMORY: dict[str, Any] = {
    "type": "function",
    "name": "set_memory",
    "description": "Save something.",
    "parameters": {
        "type": "object",
        "properties": {
            "key": {"type": "string", "description": "The key."},
            "value": {"type": ["string", "number"]},
            "level": {"type": "integer", "minimum": 1, "maximum": 3},
            "tags": {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}},
        },
        "required": ["key", "value"],
        "additionalProperties": False,
    },
}


def test_a_definition_with_a_handler_is_sent_as_it_stands() -> None:
    made = Tool.from_definition(MEMORY, lambda key, value, level=1, tags=(): [key, value, level])
    assert made.definition() == MEMORY
    assert made.run(made.parse('{"key": "a", "value": 1.5}')) == ["a", 1.5, 1]


def test_type_may_be_left_out_as_in_the_reference_client() -> None:
    made = Tool.from_definition({"name": "now"}, lambda: "noon")
    assert made.definition() == {"type": "function", "name": "now", "parameters": {"type": "object", "properties": {}}}
    assert made.run(made.parse("{}")) == "noon"


def test_a_handler_with_one_other_parameter_gets_all_arguments_as_a_dict() -> None:
    made = Tool.from_definition(MEMORY, lambda arguments: dict(arguments, seen=True))
    assert made.run(made.parse('{"key": "a", "value": "b"}')) == {"key": "a", "value": "b", "seen": True}


def test_a_handler_that_takes_any_keywords_gets_them() -> None:
    made = Tool.from_definition(MEMORY, lambda **anything: anything)
    assert made.run({"key": "a"}) == {"key": "a"}


def test_changing_the_dict_afterwards_changes_nothing() -> None:
    definition = json.loads(json.dumps(MEMORY))
    made = Tool.from_definition(definition, lambda **anything: anything)
    definition["parameters"]["properties"].clear()
    made.definition()["parameters"].clear()
    assert made.definition() == MEMORY


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        ({"type": "function", "function": {"name": "f"}}, "nested form of Chat Completions.*'name': 'f'"),
        ({"name": "f", "strict": True}, "refuses the key 'strict'. Leave it out"),
        ({"type": "mcp", "server_label": "x"}, "type 'mcp' has no handler here"),
        ({"name": "f", "parameters": {"type": "string"}}, "schema of an object"),
        ({"name": "f", "parameters": {"type": "object", "properties": []}}, "properties is an object"),
        ({"name": "f", "parameters": {"type": "object", "x": object()}}, "is not JSON"),
        ({"name": "f", "description": 1}, "description is a text"),
        ({"description": "no name"}, "None is no name for a tool"),
        ("f", "A definition is a dict"),
    ],
)
def test_definitions_that_the_service_refuses_are_refused_here_with_the_fix(definition: Any, words: str) -> None:
    with pytest.raises(ToolError, match=words):
        Tool.from_definition(definition, lambda **anything: anything)


@pytest.mark.parametrize(
    "handler", [lambda: None, lambda a, b: None, lambda key: None, lambda key, value, level, tags, x: 0]
)
def test_a_handler_that_cannot_take_the_arguments_is_refused_at_once(handler: Any) -> None:
    with pytest.raises(ToolError, match=r"does not fit the definition\. It takes key, value, level, tags by name"):
        Tool.from_definition(MEMORY, handler)
    with pytest.raises(ToolError, match="the handler is a function; got str"):
        Tool.from_definition(MEMORY, "handler")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"key": "a"}, "'value' is missing"),
        ({"key": 1, "value": "b"}, "'key' must be a string, got 1"),
        ({"key": "a", "value": True}, "'value' must be a string or a number, got true"),
        ({"key": "a", "value": "b", "level": 4}, "'level' must be at most 3, got 4"),
        ({"key": "a", "value": "b", "level": 0}, "'level' must be at least 1, got 0"),
        ({"key": "a", "value": "b", "level": 1.5}, "'level' must be an integer"),
        ({"key": "a", "value": "b", "tags": ["c"]}, r"'tags\[0\]' must be one of \"a\", \"b\", got \"c\""),
        ({"key": "a", "value": "b", "more": 1}, "'more' is unknown"),
    ],
)
def test_arguments_are_held_against_the_schema(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ToolArgumentError, match=words):
        Tool.from_definition(MEMORY, lambda **anything: anything).parse(json.dumps(arguments))


def test_choices_references_and_open_objects_are_checked_too() -> None:
    made = Tool.from_definition(
        {
            "name": "f",
            "parameters": {
                "type": "object",
                "properties": {
                    "a": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
                    "b": {"$ref": "#/$defs/B"},
                    "c": {"allOf": [{"type": "string"}], "const": "c"},
                },
                "additionalProperties": {"type": "number"},
                "$defs": {"B": {"type": "array", "minItems": 1, "maxItems": 2}},
            },
        },
        lambda **anything: anything,
    )
    assert made.parse('{"a": null, "b": [1], "c": "c", "z": 1}') == {"a": None, "b": [1], "c": "c", "z": 1}
    for text, words in [
        ('{"a": "x"}', "'a' fits none of the forms"),
        ('{"b": []}', "'b' needs at least 1"),
        ('{"b": [1, 2, 3]}', "'b' takes at most 2"),
        ('{"c": "d"}', "'c' must be \"c\""),
        ('{"z": "x"}', "'z' must be a number"),
    ]:
        with pytest.raises(ToolArgumentError, match=words):
            made.parse(text)


def weather(location: str) -> str:
    """Tell the weather."""
    return location


def test_a_set_keeps_order_and_gives_definitions() -> None:
    tools = ToolSet([weather, (MEMORY, lambda **anything: anything)])
    assert tools.names == ["weather", "set_memory"]
    assert [each["name"] for each in tools.definitions()] == ["weather", "set_memory"]
    assert "weather" in tools
    assert tools.get("nothing") is None
    assert len(tools) == 2
    assert repr(tools) == "<ToolSet weather, set_memory>"
    assert tools.remove("weather").name == "weather"
    assert [each.name for each in tools] == ["set_memory"]


def test_a_second_tool_of_the_same_name_is_refused_unless_it_replaces() -> None:
    def other(a: int) -> int:
        """Be another."""
        return a

    tools = ToolSet([weather])
    with pytest.raises(ToolError, match="already a tool 'weather'"):
        tools.add(tool(other, name="weather"))
    assert tools.add(tool(other, name="weather"), replace=True).handler is other
    assert len(tools) == 1


def test_a_cell_that_runs_again_redefines_its_tool() -> None:
    def cell() -> Any:
        def f(a: int) -> int:
            """Do."""
            return a

        return f

    tools = ToolSet([cell()])
    again = tools.add(cell())
    assert tools.get("f") is again


def test_a_method_of_a_new_object_and_the_same_lambda_are_redefinitions_too() -> None:
    class Shelf:
        def put(self, thing: str) -> None:
            """Put."""

    tools = ToolSet()
    for _ in range(2):
        shelf = Shelf()
        tools.add(shelf.put)
        tools.add((MEMORY, lambda **anything: anything))
    assert tools.names == ["put", "set_memory"]
    assert tools.get("put").handler.__self__ is shelf  # type: ignore[union-attr]
    with pytest.raises(ToolError, match="already a tool 'set_memory'"):
        tools.add(({"name": "set_memory"}, lambda **anything: anything))


def test_one_list_may_not_name_a_tool_twice() -> None:
    with pytest.raises(ToolError, match="already a tool 'weather'"):
        ToolSet([weather, weather])


def test_removing_what_is_not_there_tells_what_is() -> None:
    with pytest.raises(ToolError, match="no tool 'x'; there are: weather"):
        ToolSet([weather]).remove("x")
    with pytest.raises(ToolError, match="there are: none"):
        ToolSet().remove("x")


def test_a_definition_without_handler_is_refused_in_a_list_of_tools() -> None:
    with pytest.raises(ToolError, match="'set_memory' is a definition without a handler"):
        as_tool(MEMORY)
