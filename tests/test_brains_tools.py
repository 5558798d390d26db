from __future__ import annotations

import json
from typing import Any

import pytest
from helpers_brains import Talk, arguments_of, called, output, pieces, request, system, tool, user

from rtnb.local.brains import PracticeBrain
from rtnb.local.brains.practice import decide
from rtnb.local.seams import Call

WEATHER = tool("get_weather", "Get the current weather of a place.", location="string")
SUM = tool("calculate_sum", "Add two numbers, for example 'What's 4 + 6?'.", a="number", b="number")
STOCK = tool("get_stock_price", "Get the price of a share.", ticker="string")
SET = tool("set_memory", "Saves important data about the user into memory.", key="string", value="string")
GET = tool("get_memory", "Recall what was saved.", key="string")
ALL = (WEATHER, SUM, STOCK, SET, GET)
COORDINATES = tool(
    "get_weather",
    "Retrieves the weather for a given lat, lng coordinate pair. Specify a label for the location.",
    lat={"type": "number", "description": "Latitude"},
    lng={"type": "number", "description": "Longitude"},
    location={"type": "string", "description": "Name of the location"},
)
SHOP = tool(
    "query_database",
    "Run a read-only SQL query on the shop with tables customers(id, name, city) and orders(id, customer_id, total)",
    sql="string",
)


async def test_a_call_streams_its_arguments_as_json() -> None:
    got = await pieces(PracticeBrain(), request([user("What is 4 plus 6?")], tools=ALL))
    assert got[0] == Call("calculate_sum")
    assert len(got) > 2
    assert json.loads(arguments_of(got)) == {"a": 4, "b": 6}


@pytest.mark.parametrize(
    ("question", "call"),
    [
        ("What's the weather in New York?", ("get_weather", {"location": "New York"})),
        ("what's the weather like in new york right now", ("get_weather", {"location": "New York"})),
        ("Should I take an umbrella in Oslo today?", ("get_weather", {"location": "Oslo"})),
        ("weather for the city of Paris please", ("get_weather", {"location": "Paris"})),
        ("how warm is it in Lower Tadfield tomorrow", ("get_weather", {"location": "Lower Tadfield"})),
        ("What is the forecast for Paris, Texas?", ("get_weather", {"location": "Paris, Texas"})),
        ("What's 4 + 6?", ("calculate_sum", {"a": 4, "b": 6})),
        ("what is four plus six", ("calculate_sum", {"a": 4, "b": 6})),
        ("add minus three and four point five", ("calculate_sum", {"a": -3, "b": 4.5})),
        ("please add twenty one to one hundred and five", ("calculate_sum", {"a": 21, "b": 105})),
        ("How much is Apple stock?", ("get_stock_price", {"ticker": "AAPL"})),
        ("what's the share price of tesla", ("get_stock_price", {"ticker": "TSLA"})),
        ("Quote for MSFT, please", ("get_stock_price", {"ticker": "MSFT"})),
        ("stock price of n v d a", ("get_stock_price", {"ticker": "NVDA"})),
        ("Remember that my favourite colour is blue", ("set_memory", {"key": "favourite_colour", "value": "blue"})),
        ("My name is Ann.", ("set_memory", {"key": "name", "value": "Ann"})),
        ("please remember that I like pizza", ("set_memory", {"key": "likes", "value": "pizza"})),
        ("What is my favourite colour?", ("get_memory", {"key": "favourite_colour"})),
        ("do you remember my name", ("get_memory", {"key": "name"})),
    ],
)
def test_the_fitting_tool_of_several_is_called_with_what_was_said(question: str, call: tuple[str, Any]) -> None:
    assert Talk(*ALL).ask(question) == [call]


@pytest.mark.parametrize(
    "question",
    [
        "Hello",
        "Explain in one sentence what a web socket is",
        "Who are you?",
        "Tell me a joke",
        "count to ten",
        "What did I just say?",
        "What is the capital of France?",
        "What is 7 times 8?",
        "thanks",
        "What is a token?",
    ],
)
def test_what_needs_no_tool_calls_none(question: str) -> None:
    assert isinstance(Talk(*ALL, SHOP).ask(question), str)


LIGHT = {"room": "string", "state": {"type": "string", "enum": ["on", "off"]}, "brightness": "integer"}
THERMOSTAT = {"temperature": "number", "room": {"type": "string", "enum": ["kitchen", "living_room", "bedroom"]}}
EVENT = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("title", "date", "time")},
    "required": ["title"],
}
ARITHMETIC = {
    "a": "number",
    "b": "number",
    "operation": {"type": "string", "enum": ["add", "subtract", "multiply", "divide"]},
}
MANY_NUMBERS = {"type": "array", "items": {"type": "number"}}
NAMES = {"type": "array", "items": {"type": "string"}}
UNSEEN: list[tuple[Any, str, dict[str, Any]]] = [
    (
        tool("wetter_abfragen", "Fragt das Wetter ab", ort="string"),
        "Wie ist das Wetter in München?",
        {"ort": "München"},
    ),
    (
        tool("meteo", "Donne la météo", ville="string", jour="string"),
        "weather in Lyon tomorrow",
        {"ville": "Lyon", "jour": "tomorrow"},
    ),
    (
        tool("addiere", "Addiert zwei Zahlen", zahl1="number", zahl2="number"),
        "What is 4 plus 6?",
        {"zahl1": 4, "zahl2": 6},
    ),
    (
        tool("tool_7", "weather", p1={"type": "string", "description": "the city"}),
        "weather in Oslo please",
        {"p1": "Oslo"},
    ),
    (tool("wx", "", city={}), "what is the wx in Rome", {"city": "Rome"}),
    (
        tool("roll_dice", "Roll some dice", [], count="integer", sides="integer"),
        "roll two dice with 20 sides",
        {"count": 2, "sides": 20},
    ),
    (
        tool("convert_currency", "Convert money", amount="number", from_currency="string", to_currency="string"),
        "convert 100 dollars to euros",
        {"amount": 100, "from_currency": "USD", "to_currency": "EUR"},
    ),
    (
        tool("convert", "Convert units of length", value="number", from_unit="string", to_unit="string"),
        "how many kilometers are 10 miles",
        {"value": 10, "from_unit": "miles", "to_unit": "kilometers"},
    ),
    (
        tool(
            "translate",
            "Translate a text",
            text="string",
            target_language={"type": "string", "description": "ISO code"},
        ),
        "translate 'good morning' into French",
        {"text": "good morning", "target_language": "fr"},
    ),
    (
        tool("send_email", "Send an email", to="string", subject="string", body="string"),
        "send an email to ann@example.org with subject: lunch saying see you at noon",
        {"to": "ann@example.org", "subject": "lunch", "body": "see you at noon"},
    ),
    (
        tool("send_message", "Send a message", recipient="string", message="string"),
        "tell Bob that I am late",
        {"recipient": "Bob", "message": "I am late"},
    ),
    (
        tool("set_thermostat", "Set the thermostat", **THERMOSTAT),
        "make the living room 21.5 degrees warm",
        {"temperature": 21.5, "room": "living_room"},
    ),
    (
        tool("control_light", "Switch lights", ["room", "state"], **LIGHT),
        "turn the bedroom light off",
        {"room": "bedroom", "state": "off"},
    ),
    (
        tool("control_light", "Switch lights", ["room"], **LIGHT),
        "dim the lamp in the kitchen to 40 percent",
        {"room": "kitchen", "brightness": 40},
    ),
    (tool("light_switch", "", on="boolean"), "please turn off the lamp", {"on": False}),
    (
        tool(
            "search_flights",
            "Search flights",
            origin="string",
            destination="string",
            date="string",
            passengers="integer",
        ),
        "find me a flight to New York from Berlin on Friday for 2 passengers",
        {"origin": "Berlin", "destination": "New York", "date": "Friday", "passengers": 2},
    ),
    (
        tool("calculator", "Evaluates an arithmetic expression", expression="string"),
        "What is 3 times (4 + 5)?",
        {"expression": "3 * (4 + 5)"},
    ),
    (
        tool("calculate", "Does arithmetic", **ARITHMETIC),
        "what is 8 divided by 2",
        {"a": 8, "b": 2, "operation": "divide"},
    ),
    (tool("subtract", "Subtracts b from a", a="number", b="number"), "subtract 3 from 10", {"a": 10, "b": 3}),
    (
        tool("statistics", "Compute the mean of numbers", numbers=MANY_NUMBERS),
        "the mean of 1, 2 and 10",
        {"numbers": [1, 2, 10]},
    ),
    (
        tool("add_to_shopping_list", "Add items to the list", items=NAMES),
        "add milk, eggs and bread to my shopping list",
        {"items": ["milk", "eggs", "bread"]},
    ),
    (
        tool("create_event", "Create a calendar event", event=EVENT),
        "book a dentist appointment tomorrow at 3 pm",
        {"event": {"title": "dentist appointment", "date": "tomorrow", "time": "3 pm"}},
    ),
    (tool("track_order", "Where is a parcel?", order_id="string"), "where is my order A-1234?", {"order_id": "A-1234"}),
    (
        tool("set_timer", "Set a timer", ["minutes"], minutes="integer", label="string"),
        "set a timer for ten minutes",
        {"minutes": 10},
    ),
    (tool("get_current_time", "The time in a timezone", [], timezone="string"), "what time is it?", {}),
    (tool("list_tables", "List the tables of the database"), "which tables are there?", {}),
    (
        tool("ask_docs", "Look something up in our handbook", q="string"),
        "How many days of holiday do I get?",
        {"q": "How many days of holiday do I get"},
    ),
    (
        tool("search_documents", "Search", ["query"], query="string", limit="integer"),
        "search the documents for the 2024 report",
        {"query": "the 2024 report"},
    ),
    (
        tool("get_population", "Population", country="string", year="integer"),
        "the population of France in 1990",
        {"country": "France", "year": 1990},
    ),
    (SHOP, "How many customers are there?", {"sql": "SELECT COUNT(*) FROM customers"}),
    (SHOP, "what is the average total of orders", {"sql": "SELECT AVG(total) FROM orders"}),
    (SHOP, "show me the first 3 customers", {"sql": "SELECT * FROM customers LIMIT 3"}),
    (
        tool(
            "get_horoscope",
            "Today's horoscope for a sign",
            sign={"type": "string", "description": "like Taurus or Aquarius"},
        ),
        "What is my horoscope? I am an aquarius.",
        {"sign": "Aquarius"},
    ),
]


@pytest.mark.parametrize(
    ("declared", "question", "arguments"), UNSEEN, ids=lambda each: each if isinstance(each, str) else ""
)
def test_a_tool_never_seen_before_is_filled_by_its_schema(
    declared: Any, question: str, arguments: dict[str, Any]
) -> None:
    assert Talk(declared).ask(question) == [(declared["name"], arguments)]


def test_references_unions_and_defaults_in_a_schema_are_followed() -> None:
    schema = {
        "type": "object",
        "properties": {
            "location": {"type": "string"},
            "unit": {"$ref": "#/$defs/Unit"},
            "days": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
            "source": {"const": "lab"},
            "style": {"type": "string", "default": "short"},
        },
        "required": ["location", "unit", "source", "style"],
        "$defs": {"Unit": {"enum": ["celsius", "fahrenheit"], "type": "string"}},
    }
    talk = Talk({"type": "function", "name": "get_weather", "description": "", "parameters": schema})
    filled = {"location": "Oslo", "unit": "fahrenheit", "days": 3, "source": "lab", "style": "short"}
    assert talk.ask("weather in Oslo in fahrenheit for the next 3 days") == [("get_weather", filled)]


def test_a_strict_schema_gets_null_for_what_was_not_said() -> None:
    unit = {"type": ["string", "null"], "enum": ["celsius", "fahrenheit", None]}
    assert Talk(tool("get_weather", location="string", unit=unit)).ask("weather in Oslo") == [
        ("get_weather", {"location": "Oslo", "unit": None})
    ]


def test_a_place_becomes_coordinates_where_they_are_wanted() -> None:
    talk = Talk(COORDINATES)
    assert talk.ask("What's the weather in Tokyo?") == [
        ("get_weather", {"lat": 35.68, "lng": 139.69, "location": "Tokyo"})
    ]
    talk.give("mild")
    assert talk.ask("and in Sydney?") == [("get_weather", {"lat": -33.87, "lng": 151.21, "location": "Sydney"})]
    talk.give("warm")
    assert "Which city" in talk.ask("weather in Smallville")


def test_several_wishes_are_several_calls() -> None:
    assert Talk(*ALL).ask("weather in Paris and in London") == [
        ("get_weather", {"location": "Paris"}),
        ("get_weather", {"location": "London"}),
    ]
    assert Talk(*ALL).ask("add 1 and 2 and also 3 and 4") == [
        ("calculate_sum", {"a": 1, "b": 2}),
        ("calculate_sum", {"a": 3, "b": 4}),
    ]
    assert [name for name, _ in Talk(*ALL).ask("What's the weather in Paris and what is 1 plus 1?")] == [
        "get_weather",
        "calculate_sum",
    ]
    assert Talk(*ALL).ask("the stock price of Apple and Microsoft") == [
        ("get_stock_price", {"ticker": "AAPL"}),
        ("get_stock_price", {"ticker": "MSFT"}),
    ]


def test_several_results_are_told_in_one_answer() -> None:
    talk = Talk(*ALL)
    talk.ask("weather in Paris and in London")
    assert talk.give("sunny", "cloudy") == "The weather for Paris is sunny. The weather for London is cloudy."


def test_a_sum_of_three_numbers_is_added_step_by_step() -> None:
    talk = Talk(*ALL)
    assert talk.ask("add 1, 2 and 3") == [("calculate_sum", {"a": 1, "b": 2})]
    assert talk.give("3") == [("calculate_sum", {"a": 3, "b": 3})]
    assert talk.give("6") == "1 plus 2 is 3. 3 plus 3 is 6."


def test_a_missing_value_is_asked_for_and_the_answer_used() -> None:
    talk = Talk(*ALL)
    assert talk.ask("What's the weather?") == "Which city?"
    assert talk.ask("Berlin, please") == [("get_weather", {"location": "Berlin"})]


def test_several_missing_values_are_asked_for_one_after_another() -> None:
    talk = Talk(tool("send_message", "Send a message to a person", recipient="string", message="string"))
    assert talk.ask("I want to send a message") == "Who?"
    assert talk.ask("ann") == "What should the message say?"
    assert talk.ask("dinner is ready") == [("send_message", {"recipient": "Ann", "message": "dinner is ready"})]


def test_two_missing_numbers_may_come_in_one_answer() -> None:
    talk = Talk(SUM)
    assert talk.ask("Please calculate a sum") == "Which number is a?"
    assert talk.ask("four and six") == [("calculate_sum", {"a": 4, "b": 6})]


def test_a_choice_is_asked_for_with_its_values() -> None:
    talk = Talk(tool("set_thermostat", "Set the thermostat", **THERMOSTAT))
    assert talk.ask("set the heating to 20") == "Which room: kitchen, living room or bedroom?"
    assert talk.ask("the living room") == [("set_thermostat", {"temperature": 20, "room": "living_room"})]


def test_a_question_may_be_answered_with_no() -> None:
    talk = Talk(tool("book_table", "Book a table", people="integer", outside="boolean"))
    assert talk.ask("book a table for 4 people") == "Yes or no: outside?"
    assert talk.ask("no") == [("book_table", {"people": 4, "outside": False})]


def test_noise_between_question_and_answer_does_no_harm() -> None:
    talk = Talk(*ALL)
    talk.ask("what's the weather")
    assert "did not understand" in talk.hear(None)
    assert talk.hear("in lower tadfield") == [("get_weather", {"location": "Lower Tadfield"})]


def test_an_open_question_can_be_dropped_or_passed_over() -> None:
    talk = Talk(*ALL)
    talk.ask("what's the weather")
    assert talk.ask("never mind") == "All right, I leave that."
    talk.ask("what's the weather")
    assert talk.ask("what is 1 plus 2") == [("calculate_sum", {"a": 1, "b": 2})]
    talk.give("3")
    talk.ask("what's the weather")
    assert "connection that stays open" in talk.ask("what is a web socket")


def test_an_answer_that_is_none_is_asked_for_again() -> None:
    talk = Talk(SUM)
    first = talk.ask("add 3")
    assert first == "Which number is b?"
    assert talk.ask("hmm") == first
    assert talk.ask("4") == [("calculate_sum", {"a": 3, "b": 4})]


def test_questions_are_found_again_in_whatever_form_they_were_asked() -> None:
    talk = Talk(*ALL, instructions="Talk like a pirate, in upper case.")
    assert talk.ask("what's the weather") == "ARR! WHICH CITY?"
    assert talk.ask("Oslo") == [("get_weather", {"location": "Oslo"})]


@pytest.mark.parametrize(
    "follow_up", ["How about Chicago?", "and in Chicago?", "what about chicago", "And Chicago", "Chicago?"]
)
def test_a_follow_up_asks_the_same_of_another_place(follow_up: str) -> None:
    talk = Talk(*ALL)
    talk.ask("What's the weather in New York?")
    talk.give({"temperature": 12})
    assert talk.ask(follow_up) == [("get_weather", {"location": "Chicago"})]


def test_a_follow_up_keeps_the_other_values() -> None:
    unit = {"type": "string", "enum": ["celsius", "fahrenheit"]}
    talk = Talk(tool("get_weather", "Weather", ["location"], location="string", unit=unit))
    talk.ask("weather in Oslo in fahrenheit")
    talk.give("40 degrees")
    assert talk.ask("and in Rome?") == [("get_weather", {"location": "Rome", "unit": "fahrenheit"})]
    talk.give("60 degrees")
    assert talk.ask("and in celsius?") == [("get_weather", {"location": "Rome", "unit": "celsius"})]


@pytest.mark.parametrize("follow_up", ["and 5 more?", "plus five", "Now add 5 to that"])
def test_a_follow_up_goes_on_from_the_last_sum(follow_up: str) -> None:
    talk = Talk(*ALL)
    talk.ask("What's 4 + 6?")
    talk.give("10")
    assert talk.ask(follow_up) == [("calculate_sum", {"a": 10, "b": 5})]


def test_there_means_the_place_that_was_spoken_of() -> None:
    talk = Talk(WEATHER, tool("get_population", "How many people live in a city", city="string"))
    talk.ask("What's the weather in Oslo?")
    talk.give("cold")
    assert talk.ask("How many people live there?") == [("get_population", {"city": "Oslo"})]


def test_home_is_where_the_user_said_to_live() -> None:
    talk = Talk(WEATHER)
    talk.ask("I live in Bergen")
    assert talk.ask("What's the weather at home?") == [("get_weather", {"location": "Bergen"})]


def test_a_key_is_recalled_as_it_was_stored() -> None:
    talk = Talk(SET, GET)
    stored = {"key": "favorite_color", "value": "red"}
    talk.items += [called("set_memory", json.dumps(stored), "c0"), output("ok", "c0")]
    assert talk.ask("What is my favourite colour?") == [("get_memory", {"key": "favorite_color"})]


def test_tool_choice_none_calls_nothing() -> None:
    assert "may not call a tool" in Talk(*ALL).ask("What's the weather in Rome?", tool_choice="none")


def test_tool_choice_required_calls_something_whatever_was_said() -> None:
    ((name, arguments),) = Talk(WEATHER).ask("hello", tool_choice="required")
    assert (name, list(arguments)) == ("get_weather", ["location"])


def test_tool_choice_of_a_function_calls_that_one() -> None:
    choice = {"type": "function", "name": "get_stock_price"}
    ((name, _),) = Talk(*ALL).ask("What's the weather in Rome?", tool_choice=choice)
    assert name == "get_stock_price"
    assert Talk(SUM).ask("hello", tool_choice={"type": "function", "name": "calculate_sum"}) == [
        ("calculate_sum", {"a": 0, "b": 0})
    ]


def test_a_demanded_value_is_taken_from_the_example_in_the_schema() -> None:
    place = {"type": "string", "description": "A city, e.g. Paris, France"}
    assert Talk(tool("get_weather", "", location=place)).ask("hello", tool_choice="required") == [
        ("get_weather", {"location": "Paris, France"})
    ]


def test_a_result_that_comes_later_is_told() -> None:
    talk = Talk(tool("slow_report", "Make a report"))
    talk.ask("make a report")
    assert "under way" in talk.give({"status": "under way"})
    talk.items.append(system('Result of slow_report: {"pages": 3}'))
    assert "3" in talk.respond()


def test_being_brief_does_not_cost_the_second_result() -> None:
    items = [
        user("What is 2 plus 3, and what is 10 plus 20?"),
        called("calculate_sum", '{"a": 2, "b": 3}', "c1"),
        called("calculate_sum", '{"a": 10, "b": 20}', "c2"),
        output("5", "c1"),
        output("30", "c2"),
    ]
    assert decide(request(items, tools=ALL, instructions="Be brief.")).text == "2 plus 3 is 5. 10 plus 20 is 30."


def test_results_are_told_in_the_order_of_the_calls_whichever_came_first() -> None:
    calls = [called("get_weather", f'{{"location": "{city}"}}', city) for city in ("Paris", "Tokyo")]
    outputs = [output(f"Fine weather in {city}.", city) for city in ("Paris", "Tokyo")]
    question = user("What's the weather in Paris and in Tokyo?")
    told = {decide(request([question, *calls, *order], tools=ALL)).text for order in (outputs, list(reversed(outputs)))}
    assert told == {"Fine weather in Paris. Fine weather in Tokyo."}
