"""Reading the arguments of a call: what fits becomes the annotated classes, what does not is told in words."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest
from helpers_tools import Options, Order, Point, Unit, weather
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from rtnb.core.tools import ToolArgumentError, tool


def place_order(order: Order, unit: Unit, options: Options, tags: dict[str, int], pairs: list[tuple[int, str]]) -> None:
    """Order."""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"location": "R', "weather: the arguments are not valid JSON at character"),
        ("[1]", "must be one JSON object, got \\[1\\]"),
        ("{}", "weather: 'location' is missing. It takes location, unit, days."),
        ('{"location": "R", "town": 1}', "'town' is unknown"),
        ('{"location": "R", "unit": "k"}', "'unit': input should be 'c' or 'f', got \"k\""),
        ('{"location": "R", "days": "some"}', "'days': input should be a valid integer"),
        ('{"location": {"a": 1}}', "'location': input should be a valid string"),
        ("[" * 200_000, "weather: the arguments are"),
    ],
)
def test_bad_arguments_are_told_shortly(text: str, words: str) -> None:
    with pytest.raises(ToolArgumentError, match=words) as caught:
        tool(weather).parse(text)
    assert len(str(caught.value)) < 300


def test_bad_arguments_deep_inside_are_named_by_their_path() -> None:
    with pytest.raises(
        ToolArgumentError, match=r"'order\.at\.x': input should be a valid integer.*; 'unit' is missing"
    ):
        tool(place_order).parse(
            '{"order": {"item": "tea", "at": {"x": "left"}}, "options": {}, "tags": {}, "pairs": []}'
        )


def test_arguments_become_the_annotated_classes() -> None:
    values = tool(place_order).parse(
        '{"order": {"item": "tea", "at": {"x": "1"}}, "unit": "celsius", "options": {"loud": true}, "tags": {"a": 1}, '
        '"pairs": [[1, "b"]]}'
    )
    assert values == {
        "order": Order(item="tea", at=Point(1, 3)),
        "unit": Unit.CELSIUS,
        "options": {"loud": True},
        "tags": {"a": 1},
        "pairs": [(1, "b")],
    }


def test_null_for_what_has_a_default_means_left_out() -> None:
    assert tool(weather).parse('{"location": "Rome", "unit": null, "days": null}') == {"location": "Rome", "days": None}
    with pytest.raises(ToolArgumentError, match="'location'"):
        tool(weather).parse('{"location": null}')


def test_strict_models_take_what_json_can_say() -> None:
    class Strict(BaseModel):
        model_config = ConfigDict(strict=True)
        day: datetime.date

    def f(it: Strict) -> None:
        """Be strict."""

    assert tool(f).parse('{"it": {"day": "2026-01-02"}}')["it"].day == datetime.date(2026, 1, 2)


@given(
    st.dictionaries(
        st.sampled_from(["location", "unit", "days", "x"]), st.from_type(type(None)) | st.integers() | st.text()
    )
)
def test_any_object_is_parsed_or_refused_never_anything_else(arguments: dict[str, Any]) -> None:
    try:
        values = WEATHER.parse(json.dumps(arguments))
    except ToolArgumentError:
        return
    WEATHER.run(values)


@given(st.text())
def test_any_text_is_parsed_or_refused_never_anything_else(text: str) -> None:
    with pytest.raises(ToolArgumentError):
        WEATHER.parse(text or "{}")


WEATHER = tool(weather)
