"""Results as the one string that a model reads."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import itertools
import json
import pathlib
import re
import uuid
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from rtnb.core.errors import ToolError
from rtnb.core.tool_output import (
    OUTPUT_CHARS,
    Result,
    background_output,
    background_result,
    encode_output,
    error_output,
    error_text,
)


class Level(enum.Enum):
    LOW = 1


class Mood(enum.StrEnum):
    GOOD = "good"


@dataclasses.dataclass
class Place:
    name: str
    at: tuple[float, float]


class Reading(BaseModel):
    value: float
    at: datetime.date


Pair = collections.namedtuple("Pair", "left right")
FRAME = pd.DataFrame({"city": ["Rome", None], "t": [1.5, np.nan], "day": pd.to_datetime(["2026-11-20", None])})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('as it is, "quotes" and all\n', 'as it is, "quotes" and all\n'),
        ("", ""),
        (None, "null"),
        (True, "true"),
        (7, "7"),
        (float("nan"), "null"),
        ([1.5, float("inf"), {"a": float("-inf")}], '[1.5, null, {"a": null}]'),
        ({"grüß": "Gott", 1: 2, None: 3, Level.LOW: 4, ("a", 1): 5}, '{"grüß": "Gott", "1": 4, "None": 3, "a 1": 5}'),
        (Level.LOW, "1"),
        (Mood.GOOD, '"good"'),
        (Place("Rome", (41.9, 12.5)), '{"name": "Rome", "at": [41.9, 12.5]}'),
        (Reading(value=float("nan"), at=datetime.date(2026, 11, 20)), '{"value": null, "at": "2026-11-20"}'),
        (Pair(1, 2), '{"left": 1, "right": 2}'),
        ({3, 1, 2}, "[1, 2, 3]"),
        ({1, "a"}, None),
        (datetime.datetime(2026, 11, 20, 18, tzinfo=datetime.UTC), '"2026-11-20T18:00:00+00:00"'),
        (datetime.time(8, 30), '"08:30:00"'),
        (datetime.timedelta(minutes=90), '"1:30:00"'),
        (decimal.Decimal("19.99"), "19.99"),
        (decimal.Decimal("0.12345678901234567890123"), '"0.12345678901234567890123"'),
        (decimal.Decimal("NaN"), "null"),
        (b"text", '"text"'),
        (b"\x00\xff", '"AP8="'),
        (pathlib.PurePosixPath("a/b"), '"a/b"'),
        (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (range(3), "[0, 1, 2]"),
        (collections.deque([1]), "[1]"),
        ({"a": 1}.keys(), '["a"]'),
        ({"a": 1}.values(), "[1]"),
        (map(str, [1, 2]), '["1", "2"]'),
        (np.float32(2.5), "2.5"),
        (np.float64("nan"), "null"),
        (np.bool_(True), "true"),
        (np.str_("s"), "s"),
        (np.array(3), "3"),
        (np.array([[1, 2], [3, 4]]), "[[1, 2], [3, 4]]"),
        (np.array([1.0, np.nan]), "[1.0, null]"),
        (np.datetime64("2026-11-20"), '"2026-11-20"'),
        (np.datetime64("NaT"), "null"),
        (pd.NaT, "null"),
        (pd.NA, "null"),
        (pd.Timestamp("2026-11-20"), '"2026-11-20T00:00:00"'),
        (pd.Series([1, 2]), "[1, 2]"),
        (pd.Series({"a": 1.5}), '{"a": 1.5}'),
        (pd.Index(["a"]), '["a"]'),
        (FRAME, '[{"city": "Rome", "t": 1.5, "day": "2026-11-20T00:00:00"}, {"city": null, "t": null, "day": null}]'),
        (pd.DataFrame({"n": [1]}, index=["row"]), '[{"index": "row", "n": 1}]'),
        (Result([1], show="a figure"), "[1]"),
        (KeyError("x"), "\"KeyError: 'x'\""),
    ],
)
def test_every_kind_of_result_has_its_text(value: Any, text: str | None) -> None:
    encoded = encode_output(value)
    if text is None:
        assert json.loads(encoded)
    else:
        assert encoded == text


def test_what_has_no_form_goes_as_its_repr_without_addresses() -> None:
    class Thing:
        pass

    class Broken:
        def __repr__(self) -> str:
            raise ValueError("no")

    assert re.fullmatch(r'"<.*Thing object>"', encode_output(Thing()))
    assert encode_output(Broken()) == '"<Broken>"'


def test_what_contains_itself_ends() -> None:
    loop: list[Any] = [1]
    loop.append(loop)
    assert json.loads(encode_output(loop))[0] == 1
    deep: Any = 0
    for _ in range(5_000):
        deep = [deep]
    assert encode_output(deep)


@pytest.mark.parametrize(
    "value",
    [
        "x" * 20_000,
        list(range(20_000)),
        itertools.count(),
        np.zeros((3_000, 3_000)),
        pd.DataFrame(np.zeros((200_000, 3))),
    ],
)
def test_a_long_result_is_cut_with_a_note(value: Any) -> None:
    output = encode_output(value)
    assert len(output) == OUTPUT_CHARS
    assert re.search(
        r"\n\[cut: the result had (20,000|108,890|more than 16,000) characters; ask for less at a time\]$", output
    )


def test_a_result_that_just_fits_is_not_cut() -> None:
    assert encode_output("x" * 100, limit=100) == "x" * 100
    assert encode_output("x" * 101, limit=100).endswith("ask for less at a time]")


def test_half_a_surrogate_pair_does_not_break_the_wire() -> None:
    assert encode_output("a\ud83d").encode("utf-8") == b"a?"
    assert encode_output(["a\ud83d"]).encode("utf-8")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(json_values.filter(lambda value: not isinstance(value, str)))
def test_json_goes_there_and_back(value: Any) -> None:
    output = encode_output(value)
    assert json.loads(output, parse_constant=pytest.fail) == _without_nan(value)


def _without_nan(value: Any) -> Any:
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, list):
        return [_without_nan(each) for each in value]
    return {key: _without_nan(each) for key, each in value.items()} if isinstance(value, dict) else value


# ---- errors


def test_errors_are_short_json_without_folders_keys_or_lines() -> None:
    key = "sk-" + "x" * 24
    error = ValueError(f"at /home/someone/work/notes.txt and C:\\Users\\someone\\a.csv\n with {key} " + "y" * 900)
    output = json.loads(error_output(error_text(error)))
    assert list(output) == ["error"]
    assert output["error"].startswith("ValueError: at notes.txt and a.csv with [key] yyy")
    assert len(output["error"]) == 400


def test_urls_keep_their_host_and_lose_their_secrets() -> None:
    key = "abc" + "123"
    text = error_text(OSError(f"GET https://user:pw@api.example.com/v1/x?apikey={key}&q=1 failed at 3 km/h and/or 4"))
    assert text == "OSError: GET https://api.example.com/v1/x failed at 3 km/h and/or 4"


def test_keys_in_use_are_taken_out_whatever_they_look_like() -> None:
    assert error_text(ToolError("refused house-key-9"), "house-key-9", None) == "refused [key]"


def test_an_error_without_text_has_its_name() -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise ValueError("no")

    assert error_text(TimeoutError()) == "TimeoutError"
    assert error_text(Broken()) == "Broken"
    assert error_text(ToolError("")) == "the tool failed"


# ---- background


def test_a_background_call_is_answered_at_once_and_later() -> None:
    assert json.loads(background_output("book_trip"))["status"] == "under way"
    text = background_result("book_trip", '{"ok": true}')
    assert text == 'Result of book_trip (it was under way; tell the user now): {"ok": true}'
