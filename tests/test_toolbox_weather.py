"""The weather tool: recorded answers, live ones from a service on loopback, failures in words, and its map."""

from __future__ import annotations

import builtins
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from helpers_toolbox import Service, serving

from rtnb.core.errors import ToolError
from rtnb.core.tools import tool
from rtnb.session.tool_runner import ToolRunner
from rtnb.toolbox.sources import ServiceFailed, load_data
from rtnb.toolbox.weather import Weather, get_weather
from rtnb.toolbox.weather_map import MapPicture, weather_map

RECORDINGS = load_data("weather.json")["recordings"]


@pytest.fixture(autouse=True)
def _usual_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RTNB_TOOLBOX", raising=False)


@pytest.fixture
def service() -> Iterator[Service]:
    """Open-meteo's two services, with two places called Paris."""

    def geocode(query: dict[str, str]) -> tuple[int, Any]:
        places = [
            {"name": "Paris", "latitude": 48.85, "longitude": 2.35, "country": "France", "country_code": "FR"},
            {
                "name": "Paris", "latitude": 33.66, "longitude": -95.56, "country": "United States",
                "country_code": "US", "admin1": "Texas",
            },
        ]  # fmt: skip
        return 200, {"results": places} if query["name"] == "Paris" else {"generationtime_ms": 0.4}

    def forecast(query: dict[str, str]) -> tuple[int, Any]:
        metric = query["temperature_unit"] == "celsius"
        return 200, {
            "latitude": float(query["latitude"]),
            "current_units": {
                "temperature_2m": "°C" if metric else "°F",
                "wind_speed_10m": "km/h" if metric else "mp/h",
            },
            "current": {
                "time": "2026-11-20T13:15", "temperature_2m": 11.5 if metric else 52.7,
                "wind_speed_10m": 20.0 if metric else 12.4, "weather_code": 3,
            },
        }  # fmt: skip

    with serving() as service:
        service.answers = {"/search": geocode, "/forecast": forecast}
        yield service


def weather_of(service: Service, mode: Any = "live", timeout: float = 20) -> Weather:
    return Weather(
        mode=mode, geocoding_url=f"{service.url}/search", forecast_url=f"{service.url}/forecast", timeout=timeout
    )


# ---- recorded


@pytest.mark.parametrize(
    ("location", "found"),
    [
        ("New York", "New York, United States"),
        ("nyc", "New York, United States"),
        ("New York, NY", "New York, United States"),
        ("CHICAGO, USA", "Chicago, United States"),
        ("Paris, France", "Paris, France"),
        ("sao paulo", "São Paulo, Brazil"),
        ("Washington D.C.", "Washington, United States"),
        ("München", "Munich, Germany"),
        ("London, England", "London, United Kingdom"),
        ("Singapore", "Singapore"),
    ],
)
def test_recorded_places_are_found_by_the_names_people_use(location: str, found: str) -> None:
    result = Weather(mode="recorded").get_weather(location)
    assert result["location"] == found
    assert result["source"] == "recorded sample data, not live"


def test_a_result_names_place_coordinates_values_and_units() -> None:
    assert Weather(mode="recorded").get_weather("New York") == {
        "location": "New York, United States",
        "latitude": 40.71427,
        "longitude": -74.00597,
        "weather": "light rain",
        "temperature": 8.4,
        "temperature_unit": "°C",
        "wind_speed": 14.2,
        "wind_speed_unit": "km/h",
        "source": "recorded sample data, not live",
    }


def test_recorded_answers_are_converted_to_imperial_units() -> None:
    result = Weather(mode="recorded").get_weather("New York", "imperial")
    assert (result["temperature"], result["temperature_unit"]) == (47.1, "°F")
    assert (result["wind_speed"], result["wind_speed_unit"]) == (8.8, "mph")


@pytest.mark.parametrize("location", ["Atlantis", "Paris, Texas", ""])
def test_a_place_without_a_recording_is_said_so_in_words(location: str) -> None:
    with pytest.raises(
        ToolError, match=r"no recorded weather for .*Recorded places are: New York, Chicago|No place was named"
    ):
        Weather(mode="recorded").get_weather(location)


def test_every_recording_can_be_read_and_lies_on_the_map() -> None:
    assert len(RECORDINGS) >= 30
    weather = Weather(mode="recorded")
    for each in RECORDINGS:
        for name in each["names"]:
            result = weather.get_weather(name)
            assert result["latitude"] == each["place"]["latitude"]
            assert result["weather"] != "unknown"
            assert -40 < result["temperature"] < 50
            assert -90 < result["latitude"] < 90
            assert -180 < result["longitude"] < 180


def test_the_environment_settles_auto(monkeypatch: pytest.MonkeyPatch, service: Service) -> None:
    monkeypatch.setenv("RTNB_TOOLBOX", "recorded")
    assert "not live" in weather_of(service, "auto").get_weather("Paris")["source"]
    assert service.asked == []
    monkeypatch.setenv("RTNB_TOOLBOX", "live")
    assert "open-meteo.com" in weather_of(service, "auto").get_weather("Paris")["source"]


def test_an_unknown_mode_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="mode is 'auto', 'live' or 'recorded'; got 'offline'"):
        Weather(mode="offline")  # type: ignore[arg-type]


# ---- live


def test_live_looks_the_place_up_then_asks_for_its_weather(service: Service) -> None:
    assert weather_of(service).get_weather("Paris") == {
        "location": "Paris, France",
        "latitude": 48.85,
        "longitude": 2.35,
        "weather": "overcast",
        "temperature": 11.5,
        "temperature_unit": "°C",
        "wind_speed": 20.0,
        "wind_speed_unit": "km/h",
        "source": "open-meteo.com, 2026-11-20 13:15 local time",
    }
    assert [path for path, _, _ in service.asked] == ["/search", "/forecast"]
    assert service.asked[0][1]["name"] == "Paris"
    assert service.asked[1][1]["current"] == "temperature_2m,wind_speed_10m,weather_code"


def test_what_stands_after_a_comma_picks_among_places_of_one_name(service: Service) -> None:
    assert weather_of(service).get_weather("Paris, Texas")["location"] == "Paris, United States"
    assert weather_of(service).get_weather("Paris, France")["location"] == "Paris, France"
    with pytest.raises(ToolError, match=r"No place called 'Paris, Japan' was found"):
        weather_of(service).get_weather("Paris, Japan")


def test_live_imperial_units_are_the_services_own(service: Service) -> None:
    result = weather_of(service).get_weather("Paris", "imperial")
    assert (result["temperature"], result["temperature_unit"]) == (52.7, "°F")
    assert (result["wind_speed"], result["wind_speed_unit"]) == (12.4, "mph")


def test_an_unknown_place_is_no_failure_of_the_service_and_falls_back_to_nothing(service: Service) -> None:
    for mode in ("live", "auto"):
        with pytest.raises(
            ToolError, match=r"No place called 'Atlantis' was found. Ask which place is meant."
        ) as caught:
            weather_of(service, mode).get_weather("Atlantis")
        assert not isinstance(caught.value, ServiceFailed)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((500, {"error": True}), r"failed \(status 500\)"),
        ((429, {}), "asked too often"),
        ((403, {}), "refused the key"),
        ((200, b"<html>hello</html>"), "cannot be read"),
        ((200, b"\xff\xfe\x00"), "cannot be read"),
        ((200, [1, 2]), "cannot be read"),
        ((200, {"current": {}}), "cannot be read"),
        ((200, {"current": None}), "cannot be read"),
    ],
)
def test_a_failing_service_is_an_error_in_words_without_its_address(service: Service, answer: Any, words: str) -> None:
    service.answers["/forecast"] = answer
    with pytest.raises(ServiceFailed, match=f"The weather service open-meteo.com .*{words}") as caught:
        weather_of(service).get_weather("Paris")
    assert "127.0.0.1" not in str(caught.value)


@pytest.mark.parametrize("results", [[], None, [{"name": "Paris"}], ["Paris"], "Paris"])
def test_garbage_for_places_is_an_error_in_words(service: Service, results: Any) -> None:
    service.answers["/search"] = (200, {"results": results})
    with pytest.raises(ToolError, match=r"No place called|cannot be read"):
        weather_of(service).get_weather("Paris")


def test_a_service_that_does_not_answer_in_time_is_given_up(service: Service) -> None:
    service.hold = threading.Event()
    with pytest.raises(ServiceFailed, match=r"did not answer within 0.2 seconds"):
        weather_of(service, timeout=0.2).get_weather("Paris")


def test_without_a_network_live_fails_and_auto_takes_the_recording() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody answers here
        nowhere = Service(f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(ServiceFailed, match="could not be reached"):
            weather_of(nowhere, "live").get_weather("Paris")
        result = weather_of(nowhere, "auto").get_weather("Paris")
        assert result["source"].startswith(
            "recorded sample data, not live. The weather service open-meteo.com could not be"
        )
        with pytest.raises(ToolError, match=r"could not be reached.*no recorded weather for 'Atlantis'"):
            weather_of(nowhere, "auto").get_weather("Atlantis")


async def test_on_the_local_endpoint_the_network_is_not_touched(service: Service) -> None:
    runner = ToolRunner(prefer_recorded=True)
    outcome = await runner.run(tool(weather_of(service, "auto").get_weather), '{"location": "Paris"}')
    assert json.loads(outcome.output)["source"] == "recorded sample data, not live"
    assert service.asked == []
    runner.close()


async def test_elsewhere_the_service_is_asked(service: Service) -> None:
    runner = ToolRunner()
    outcome = await runner.run(tool(weather_of(service, "auto").get_weather), '{"location": "Paris", "units": null}')
    assert "open-meteo.com" in json.loads(outcome.output)["source"]
    runner.close()


# ---- the map


def test_the_picture_is_a_png_with_words_beside_it() -> None:
    weather = Weather(mode="recorded")
    for shown in (weather.get_weather("Auckland"), [weather.get_weather(name) for name in weather.places()]):
        picture = weather_map(shown, kind="picture")
        assert isinstance(picture, MapPicture)
        assert picture._repr_mimebundle_()["image/png"].startswith(b"\x89PNG")
    one = weather_map(weather.get_weather("Berlin"), kind="picture")
    assert repr(one) == "Berlin, Germany: 4.9 °C, overcast, wind 15.8 km/h"


def test_the_map_of_ipyleaflet_has_a_marker_for_each_place() -> None:
    leaflet = pytest.importorskip("ipyleaflet")
    weather = Weather(mode="recorded")
    shown = weather_map([weather.get_weather("Berlin"), weather.get_weather("Paris")])
    assert isinstance(shown, leaflet.Map)
    markers = [layer for layer in shown.layers if isinstance(layer, leaflet.Marker)]
    assert [marker.location for marker in markers] == [[52.52437, 13.41053], [48.85341, 2.3488]]
    assert "not live" in markers[0].popup.value
    shown.close_all()


def test_without_ipyleaflet_the_picture_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] == "ipyleaflet":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    weather = Weather(mode="recorded").get_weather("Berlin")
    assert isinstance(weather_map(weather), MapPicture)
    with pytest.raises(ImportError):
        weather_map(weather, kind="leaflet")


def test_an_empty_map_is_refused() -> None:
    with pytest.raises(ValueError, match="empty list"):
        weather_map([])


def test_the_function_is_the_tool() -> None:
    definition = tool(get_weather).definition()
    assert definition["name"] == "get_weather"
    assert "What's the weather in New York?" in definition["description"]
    assert definition["parameters"]["required"] == ["location"]
