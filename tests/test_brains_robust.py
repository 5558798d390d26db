"""Whatever is declared and whatever is said: the rules decide, and what they call fits the schema's types."""

from __future__ import annotations

import json
from typing import Any

from helpers_brains import called, output, request, spoken, tool, user
from hypothesis import given, settings
from hypothesis import strategies as st

from rtnb.local.brains.practice import decide


def row(text: str) -> list[str]:
    return text.split("|")


WORDS = row(
    "what|is|the|weather|in|Paris|and|London|add|4|plus|minus|-6.5|twenty|remember|that|my|name|is|Ann|how about|stock"
    "|of|Apple|turn|on|off|light|kitchen|to|21|degrees|tomorrow|at 3 pm|'quoted words'|for|with|search|documents|price"
    "|yes|no|never mind|say exactly|in one sentence|French|%|(|)|?|!|.|,|:|“|#A-12|ann@example.org|€|2026-11-21"
)
TEXT = st.one_of(st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join), st.text(max_size=60))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
SCHEMA_KEYS = st.sampled_from(
    ["type", "properties", "required", "enum", "items", "anyOf", "$ref", "default", "format", "description", "const"]
)
WILD = st.recursive(JSON, lambda inner: st.dictionaries(SCHEMA_KEYS, inner, max_size=4), max_leaves=10)
NAMES = st.sampled_from(
    row(
        "location|city|ort|ville|ticker|key|value|query|sql|a|b|amount|temperature|date|time|on|enabled|room|items|email"
        "|lat|lng|from|to|x1|unit|message|expression|order_id"
    )
)
TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "number": (int, float),
    "integer": int,
    "boolean": bool,
    "array": list,
}
TOOLS = st.builds(
    lambda name, about, params, optional: tool(
        name, about, [each for each in params if each not in optional], **params
    ),
    st.sampled_from(
        ["get_weather", "calculate_sum", "set_memory", "search", "control_light", "f", "wetter", "send_message"]
    ),
    st.sampled_from(
        ["", "Get the weather", "Add numbers", "Remember", "Look something up", "Does things with orders(id, total)"]
    ),
    st.dictionaries(NAMES, st.sampled_from(sorted(TYPES)), max_size=4),
    st.sets(NAMES, max_size=3),
)
CHOICE = st.sampled_from(["auto", "none", "required", {"type": "function", "name": "search"}])
OUTPUTS = st.one_of(TEXT, JSON.map(json.dumps))


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=4), st.lists(TOOLS, max_size=3), CHOICE, TEXT)
def test_any_words_to_any_tools_are_decided_and_fit_the_types(
    said: list[str], tools: list[Any], choice: Any, rules: str
) -> None:
    decision = decide(request([user(text) for text in said], tools=tools, tool_choice=choice, instructions=rules))
    assert bool(decision.text) != bool(decision.calls)
    for planned in decision.calls:
        assert choice != "none"
        for path, value in planned.values.items():
            assert isinstance(value, TYPES[planned.tool.param(path).type])
        assert {param.path for param in planned.tool.params if param.required} <= set(planned.values)
        json.dumps(planned.arguments, allow_nan=False)


@settings(max_examples=60, deadline=None)
@given(TEXT, WILD, CHOICE)
def test_any_schema_is_survived(text: str, schema: Any, choice: Any) -> None:
    decide(
        request([user(text)], tools=[{"type": "function", "name": "search", "parameters": schema}], tool_choice=choice)
    )


@settings(max_examples=60, deadline=None)
@given(OUTPUTS, JSON.map(json.dumps))
def test_any_output_of_any_call_is_told(result: str, arguments: str) -> None:
    items = [user("go on"), called("get_weather", arguments), output(result)]
    assert decide(request(items, tools=[tool("get_weather", "The weather", location="string")])).text


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(JSON, st.dictionaries(st.sampled_from(["type", "role", "content", "call_id"]), JSON)), max_size=4
    ),
    TEXT,
)
def test_any_items_are_survived(items: list[Any], text: str) -> None:
    decide(request([item for item in items if isinstance(item, dict)]))
    decide(request([*(item for item in items if isinstance(item, dict)), spoken(text)]))
