from __future__ import annotations

import json
from typing import Any

import pytest

from rtnb.local.brains.arithmetic import evaluate, reckon
from rtnb.local.brains.context import Called
from rtnb.local.brains.ear import for_ear
from rtnb.local.brains.english import (
    bare,
    clauses,
    dates,
    items_of,
    name_words,
    number_text,
    numbers,
    plain,
    stem,
    times,
)
from rtnb.local.brains.finders import fact, polite_stripped, wished_key
from rtnb.local.brains.pieces import chunks, words
from rtnb.local.brains.places import places, position
from rtnb.local.brains.results import number_of, tell, tell_all
from rtnb.local.brains.sql import sql_for, tables


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("What's 4 + 6?", [4, 6]),
        ("one and two and 4.5", [1, 2, 4.5]),
        ("minus five plus 3", [-5, 3]),
        ("10 minus 3", [10, 3]),
        ("10-3", [10, 3]),
        ("-4 and 6", [-4, 6]),
        ("twenty one plus one hundred and five", [21, 105]),
        ("two thousand three hundred and four", [2304]),
        ("three point one four", [3.14]),
        ("1,000 and 2.5 million", [1000, 2_500_000]),
        ("a hundred and a dozen", [100, 12]),
        ("in one sentence, the one that I like", []),
        ("at 3 pm on 21 november 2026 with 7 people", [7]),
        ("covid-19 and room B12", []),
        ("", []),
    ],
)
def test_numbers_are_found_in_digits_and_words(text: str, found: list[float]) -> None:
    assert [number.value for number in numbers(text)] == found


@pytest.mark.parametrize(
    ("text", "day", "hour"),
    [
        ("tomorrow at 3 pm", ["tomorrow"], ["3 pm"]),
        ("next monday at noon", ["next monday"], ["noon"]),
        ("on 2026-11-21 at 15:30", ["2026-11-21"], ["15:30"]),
        ("the 3rd of May, 2027", ["the 3rd of May, 2027"], []),
        ("in three days", ["in three days"], []),
        ("at three o'clock today", ["today"], ["three o'clock"]),
        ("nothing of the kind", [], []),
    ],
)
def test_dates_and_times_are_found_as_they_were_said(text: str, day: list[str], hour: list[str]) -> None:
    assert (dates(text), times(text)) == (day, hour)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("What's the weather in New York?", ["New York"]),
        ("weather in paris and in london", ["Paris", "London"]),
        ("Weather in Paris, London and Rome tomorrow", ["Paris", "London", "Rome"]),
        ("in Paris, France and Rome", ["Paris, France", "Rome"]),
        ("in paris and tell me a joke", ["Paris"]),
        ("from Berlin to Stratford upon Avon on Friday", ["Berlin", "Stratford upon Avon"]),
        ("San Francisco, CA", ["San Francisco, CA"]),
        ("chicago weather", ["Chicago"]),
        ("in the Netherlands", ["the Netherlands"]),
        ("in the kitchen, in celsius, in one sentence, in my memory, in upper case", []),
    ],
)
def test_places_are_found(text: str, found: list[str]) -> None:
    assert places(text) == found


def test_known_places_have_a_position() -> None:
    assert position("Paris, France") == (48.86, 2.35)
    assert position("Germany") == position("berlin")
    assert position("Atlantis") is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("remember that my favourite colour is blue", ("favourite_colour", "blue")),
        ("Remember my name is Ann.", ("name", "Ann")),
        ("I'm Ann", ("name", "Ann")),
        ("store 42 as the answer", ("answer", "42")),
        ("save blue under key colour", ("colour", "blue")),
        ("set mood to happy", ("mood", "happy")),
        ("please remember that i like pizza", ("likes", "pizza")),
        ("the wifi password is hunter2", ("wifi_password", "hunter2")),
        ("what is my name", None),
        ("I am tired", None),
        ("hello", None),
    ],
)
def test_facts_are_told_from_questions(text: str, told: tuple[str, str] | None) -> None:
    assert fact(text) == told


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("what is my favourite colour", "favourite_colour"),
        ("do you remember my shoe size?", "shoe_size"),
        ("where do I live", "home"),
        ("what's the value of x?", "x"),
        ("what do you know about me", None),
    ],
)
def test_the_key_of_a_question_is_found(text: str, key: str | None) -> None:
    assert wished_key(text) == key


def test_spelled_letters_are_joined() -> None:
    assert plain("what is a v a d and p c m sixteen") == "what is a vad and pcm sixteen"
    assert plain("I am a U.S. citizen") == "I am a U.S. citizen"


def test_words_are_compared_by_rough_stems() -> None:
    assert len({stem(word) for word in ("price", "prices", "pricing")}) == 1
    assert len({stem(word) for word in ("city", "cities")}) == 1
    assert stem("colour") == stem("colors")
    assert stem("weather") != stem("web")


def test_identifiers_are_taken_apart() -> None:
    assert name_words("getWeatherFor_city-name") == ["get", "weather", "for", "city", "name"]
    assert name_words("HTTPServerURL2") == ["http", "server", "url2"]


def test_lists_and_clauses_are_cut() -> None:
    assert items_of("milk, eggs, and bread") == ["milk", "eggs", "bread"]
    assert clauses("add 1 and 2 and also 3 and 4") == ["add 1 and 2", "3 and 4"]
    assert clauses("What is 4.5 plus 3? Then stop.") == ["What is 4.5 plus 3", "stop"]


def test_politeness_is_stripped() -> None:
    assert polite_stripped("Could you please tell me what time it is, please?") == "what time it is"
    assert polite_stripped("ok so, Berlin please.") == "Berlin"
    assert bare("Hello, What's 4.5?") == "hello what's 4.5"


def test_pieces_joined_are_the_text() -> None:
    for text in ("", " a  b\n", "one", "ü ö."):
        assert "".join(words(text)) == text
        assert "".join(chunks(text, 2)) == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("What is 7 times 8?", "7 times 8 is 56."),
        ("2+2*3", "2 plus 2 times 3 is 8."),
        ("what is 10 divided by 4", "10 divided by 4 is 2.5."),
        ("1/3", "1 divided by 3 is about 0.333333."),
        ("0.1 + 0.2", "0.1 plus 0.2 is 0.3."),
        ("subtract 3 from 10", "10 minus 3 is 7."),
        ("what is 3.5 minus 5", "3.5 minus 5 is -1.5."),
        ("i have 3 apples", None),
        ("9 to the power of 999999999", None),
    ],
)
def test_sums_are_reckoned_exactly(text: str, says: str | None) -> None:
    assert reckon(text) == says


@pytest.mark.parametrize(
    "expression", ["__import__('os')", "(1).real", "'a'*9", "2**9999", "1 if 1 else 2", "", "1/0", "x"]
)
def test_only_arithmetic_is_evaluated(expression: str) -> None:
    assert evaluate(expression) is None


def told(name: str, arguments: dict[str, Any], output: Any) -> str:
    return tell(Called(name, arguments, "c1", output if isinstance(output, str) else json.dumps(output)))


PLACE = {"location": "New York"}


@pytest.mark.parametrize(
    ("name", "arguments", "result", "says"),
    [
        (
            "get_weather",
            PLACE,
            {
                "location": "New York",
                "temperature": 12.3,
                "temperature_unit": "°C",
                "wind_speed": 14,
                "wind_speed_unit": "km/h",
            },
            "In New York, the temperature is 12.3 °C and the wind speed is 14 km/h.",
        ),
        (
            "get_weather",
            PLACE,
            {"temperature": {"value": 20.1, "units": "C"}, "wind_speed": {"value": 5, "units": "km/h"}},
            "In New York, the temperature is 20.1 °C and the wind speed is 5 km/h.",
        ),
        (
            "get_weather",
            PLACE,
            {"temperature": 20, "units": {"temperature": "°F"}},
            "In New York, the temperature is 20 °F.",
        ),
        ("get_weather", PLACE, "Sunny, and warm for the season", "Sunny, and warm for the season."),
        ("get_weather", PLACE, {"temperature": 3, "note": "recorded"}, "In New York, the temperature is 3. Recorded."),
        ("calculate_sum", {"a": 4, "b": 6}, 10, "4 plus 6 is 10."),
        ("calculate_sum", {"a": 4, "b": 6}, "10.0", "4 plus 6 is 10."),
        ("calculate_sum", {"a": 4, "b": 6}, {"result": 10}, "4 plus 6 is 10."),
        (
            "get_stock_price",
            {"ticker": "AAPL"},
            {"ticker": "AAPL", "price": 210.5, "currency": "USD"},
            "For AAPL, the price is 210.5 USD.",
        ),
        (
            "set_memory",
            {"key": "favourite_colour", "value": "blue"},
            {"ok": True},
            "I will remember that your favourite colour is blue.",
        ),
        ("get_memory", {"key": "favourite_colour"}, "blue", "Your favourite colour is blue."),
        ("get_memory", {"key": "favourite_colour"}, '"blue"', "Your favourite colour is blue."),
        ("query_database", {"sql": "x"}, [{"COUNT(*)": 5}], "The answer is 5."),
        ("query_database", {"sql": "x"}, {"columns": ["n"], "rows": [[5]]}, "The database is 5."),
        (
            "list_users",
            {},
            [{"id": 1, "name": "Ann"}, {"id": 2, "name": "Bob"}],
            "I found 2 results: id 1, name Ann; id 2, name Bob.",
        ),
        ("list_things", {}, list("abcdefg"), "I found 7 results: a, b, c, d and e and 2 more."),
        ("query_database", {}, [], "I found nothing with query database."),
        ("turn_on", {"room": "kitchen"}, "null", "Done: turn on (kitchen)."),
        ("turn_on", {"room": "kitchen"}, "", "Done: turn on (kitchen)."),
        ("is_open", {}, True, "The answer of is open is yes."),
        ("noop", {}, {}, "The noop gave nothing back."),
        ("get_weather", PLACE, {"error": "no such place"}, "I could not get the weather: no such place."),
        ("get_weather", PLACE, "Error: the network is down", "I could not get the weather: the network is down."),
        ("send_mail", {}, "TimeoutError: took 5 s", "I could not send mail: TimeoutError: took 5 s."),
        ("frobnicate", {}, {"error": {"message": "bad", "code": 3}}, "I could not use frobnicate: bad."),
        ("frobnicate", {}, {"ok": False}, "I could not use frobnicate: no reason was given."),
        ("frobnicate", {}, {"status": "failed", "message": "Too hot!"}, "I could not use frobnicate: Too hot!"),
        (
            "slow_report",
            {},
            {"status": "under way"},
            "The slow report is under way; I will tell you when I have the result.",
        ),
        (
            "slow_report",
            {},
            "Running in the background.",
            "The slow report is under way; I will tell you when I have the result.",
        ),
    ],
)
def test_results_are_told_in_a_sentence(name: str, arguments: dict[str, Any], result: Any, says: str) -> None:
    assert told(name, arguments, result) == says


def test_equal_results_are_told_once() -> None:
    call = Called("turn_on", {}, "1", "ok")
    assert tell_all([call, call]) == "Done: turn on."


def test_a_long_text_is_cut() -> None:
    assert len(told("read", {}, "word " * 2000)) < 1300


def test_the_number_of_a_result_is_found() -> None:
    assert number_of("10") == 10
    assert number_of('{"a": 4, "b": 6, "sum": 10}') == 10
    assert number_of("4 plus 6 is 10") == 10
    assert number_of('{"a": 4, "b": 6}') is None
    assert number_of("true") is None
    assert number_of(None) is None


def test_numbers_are_written_as_one_says_them() -> None:
    assert [number_text(value) for value in (10.0, 0.5, -3.25, 1e-9, 1 / 3)] == [
        "10",
        "0.5",
        "-3.25",
        "1e-09",
        "0.333333",
    ]


def test_tables_are_read_from_a_description() -> None:
    about = "Read-only SQL (SELECT only). Tables: customers(id, name, city), orders(id, total)."
    assert tables(about) == {"customers": ["id", "name", "city"], "orders": ["id", "total"]}
    assert tables("Query the tables customers and orders") == {"customers": [], "orders": []}


@pytest.mark.parametrize(
    ("question", "statement"),
    [
        ("How many customers are there?", "SELECT COUNT(*) FROM customers"),
        ("what is the highest total", "SELECT MAX(total) FROM orders"),
        ("list all orders", "SELECT * FROM orders LIMIT 10"),
        ("run select name from customers where id = 3", "select name from customers where id = 3"),
        ("which tables are there", "SELECT name FROM sqlite_master WHERE type = 'table'"),
        ("hello", None),
    ],
)
def test_simple_questions_become_sql(question: str, statement: str | None) -> None:
    assert sql_for(question, "Tables: customers(id, name, city), orders(id, total).") == statement


def test_signs_are_said_in_words() -> None:
    said = "It is minus 3.5 degrees Celsius, 40 percent and 5 kilometres per hour; my key"
    assert for_ear("It is -3.5 °C, 40% and 5 km/h; my_key") == said
    assert for_ear("well-known 10-3") == "well-known 10-3"
