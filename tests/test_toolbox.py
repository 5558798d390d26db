"""The toolbox as a whole, and its small examples: sum, calendar, home."""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
from typing import Any

import pytest
from openai.types.realtime import RealtimeFunctionTool

import rtnb.toolbox
from rtnb.core.errors import ToolError
from rtnb.core.tools import Tool, ToolSet, tool
from rtnb.session.tool_runner import ToolRunner
from rtnb.toolbox import Appointment, Calendar, Home, Memory, calculate_sum

FRIDAY = datetime.date(2026, 11, 20)


def all_tools() -> ToolSet:
    box = rtnb.toolbox
    return ToolSet(
        [
            box.calculate_sum,
            box.get_weather,
            box.get_stock_price,
            box.query_database,
            box.search_documents,
            *Memory().tools,
            *Calendar().tools,
            *Home().tools,
        ]
    )


def test_every_tool_is_described_to_the_last_parameter() -> None:
    for each in all_tools():
        assert len(each.description) > 25, each.name
        for name, schema in each.parameters["properties"].items():
            assert schema.get("description"), f"{each.name}.{name}"
        RealtimeFunctionTool.model_validate(each.definition())


def test_all_of_them_together_fit_into_a_session() -> None:
    assert len(json.dumps(all_tools().definitions())) < 12_000  # some 3,000 of the 16,384 tokens that a session has


def test_importing_the_toolbox_loads_nothing_heavy() -> None:
    heavy = ("pydantic", "httpx", "matplotlib", "ipywidgets", "numpy")
    code = f"import sys, rtnb.toolbox; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_every_name_of_the_toolbox_is_there() -> None:
    assert sorted(rtnb.toolbox.__all__) == list(rtnb.toolbox.__all__)
    for name in rtnb.toolbox.__all__:
        assert getattr(rtnb.toolbox, name).__doc__


async def test_the_sum_through_the_runner() -> None:
    runner = ToolRunner()
    assert (await runner.run(tool(calculate_sum), '{"a": 4, "b": "6"}')).output == "10.0"
    runner.close()


# ---- calendar


def calendar_with(*appointments: tuple[str, str, int]) -> Calendar:
    return Calendar(
        [Appointment(datetime.datetime.fromisoformat(start), minutes, title) for title, start, minutes in appointments],
        today=lambda: FRIDAY,
    )


def call(function: Any, **arguments: Any) -> Any:
    made: Tool = tool(function)
    return made.run(made.parse(json.dumps(arguments)))


def test_the_calendar_tells_the_day_and_what_comes() -> None:
    calendar = calendar_with(
        ("Gone", "2026-11-19T10:00", 30), ("Late", "2026-11-21T18:00", 30), ("Soon", "2026-11-20T09:00", 60)
    )
    assert call(calendar.list_events) == {
        "today": "Friday, 2026-11-20",
        "events": [
            {"title": "Soon", "start": "2026-11-20 09:00", "minutes": 60},
            {"title": "Late", "start": "2026-11-21 18:00", "minutes": 30},
        ],
    }
    assert [each["title"] for each in call(calendar.list_events, day="2026-11-19")["events"]] == ["Gone"]


def test_an_appointment_is_added_in_order_and_an_overlap_is_told() -> None:
    calendar = calendar_with(("Lunch", "2026-11-20T12:00", 60))
    assert call(calendar.add_event, title="Call", start="2026-11-20T12:30:15Z", minutes=15) == {
        "added": "Call",
        "start": "2026-11-20 12:30",
        "minutes": 15,
        "note": "It overlaps with Lunch.",
    }
    assert "note" not in call(calendar.add_event, title="Walk", start="2026-11-20T11:00")
    assert [each.title for each in calendar.appointments] == ["Walk", "Lunch", "Call"]


@pytest.mark.parametrize("wrong", [{"title": " "}, {"minutes": 0}, {"minutes": 20_000}, {"start": "tomorrow"}])
def test_a_wrong_appointment_is_refused_in_words(wrong: dict[str, Any]) -> None:
    with pytest.raises(ToolError):
        call(Calendar().add_event, **{"title": "Lunch", "start": "2026-11-20T12:00", **wrong})


def test_cancelling_wants_one_appointment() -> None:
    calendar = calendar_with(("Lunch", "2026-11-20T12:00", 60), ("Lunch with Ada", "2026-11-21T12:00", 60))
    with pytest.raises(
        ToolError, match=r"Several appointments fit 'lun'\. There are: Lunch \(2026-11-20 12:00\), Lunch with"
    ):
        calendar.cancel_event("lun")
    with pytest.raises(ToolError, match="No appointment fits 'gym'"):
        calendar.cancel_event("gym")
    with pytest.raises(ToolError, match="No appointment fits ''"):
        calendar.cancel_event("")
    assert calendar.cancel_event("LUNCH") == {"cancelled": "Lunch", "start": "2026-11-20 12:00"}
    assert calendar.cancel_event("ada")["cancelled"] == "Lunch with Ada"
    assert repr(calendar) == "<Calendar with 0 appointments>"


def test_the_calendar_shows_as_a_table() -> None:
    assert "no appointments" in calendar_with()._repr_html_()
    shown = calendar_with(("A <b>", "2026-11-20T12:00", 90))._repr_html_()
    assert "<td>Fri 2026-11-20</td><td>12:00-13:30</td><td>A &lt;b&gt;</td>" in shown


# ---- home


def test_the_house_does_what_it_is_told_and_says_so() -> None:
    home = Home()
    assert call(home.set_light, room="The Kitchen", state="on", brightness=40) == {
        "room": "The Kitchen",
        "light": "on",
        "brightness": 40,
    }
    assert call(home.set_temperature, room="all", celsius=21.5) == {"room": "all", "celsius": 21.5}
    assert call(home.set_door, state="unlocked") == {"door": "unlocked"}
    state = call(home.get_home)
    assert state["rooms"][1] == {"room": "kitchen", "light": "on", "brightness": 40, "celsius": 21.5}
    assert {room["celsius"] for room in state["rooms"]} == {21.5}
    assert repr(home) == "<Home, light on in kitchen, door unlocked>"
    assert "<td>kitchen</td><td>💡 on</td><td>40 %</td><td>21.5 °C</td>" in home._repr_html_()


def test_dimming_is_kept_when_the_light_goes_off_and_on() -> None:
    home = Home(["Hall"])
    home.set_light("hall", "on", 30)
    home.set_light("hall", "off")
    home.set_light("hall", "on")
    assert home.rooms["hall"].brightness == 30


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda home: home.set_light("attic", "on"), "no room 'attic'. There are: living room, kitchen"),
        (lambda home: home.set_light("kitchen", "on", 0), "Brightness goes from 1 to 100"),
        (lambda home: home.set_temperature("kitchen", 99), "from 5 to 30 degrees Celsius; got 99"),
        (lambda home: call(home.set_light, room="kitchen", state="dim"), "should be 'on' or 'off'"),
    ],
)
def test_what_the_house_cannot_do_is_refused_in_words(act: Any, words: str) -> None:
    home = Home()
    before = home.get_home()
    with pytest.raises(ToolError, match=words):
        act(home)
    assert home.get_home() == before
