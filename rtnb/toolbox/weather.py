"""The weather of a place: a tool that asks two services, one after the other.

A model knows place names, a weather service wants coordinates. So the place is looked up first (geocoding), then the
weather at its coordinates. Both services are open-meteo's, which need no key. Things to notice:

- What cannot be found or reached is said in words (`ToolError`): the model reads them and can ask back.
- The result names its units and the place that was found: "Paris" may be in Texas.
- Without a network the answer comes from a file, and its ``source`` says so (see `rtnb.toolbox.sources`).

::

    session.tool(rtnb.toolbox.get_weather)
    reply = session.ask("What's the weather in New York?")
    rtnb.toolbox.weather_map(rtnb.toolbox.get_weather("New York"))

Imports `rtnb.core` and `rtnb.toolbox.sources`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

from rtnb.core.errors import ToolError
from rtnb.toolbox.sources import Mode, ServiceFailed, check_mode, fetch_json, load_data, settled_mode, some

__all__ = ["Units", "Weather", "get_weather"]

Units: TypeAlias = Literal["metric", "imperial"]

_SERVICE: Final = "The weather service open-meteo.com"
_RECORDED: Final = "recorded sample data, not live"
_CODES: Final[Mapping[int, str]] = {
    0: "clear sky", 1: "mainly clear", 2: "partly cloudy", 3: "overcast", 45: "fog", 48: "freezing fog",
    51: "light drizzle", 53: "drizzle", 55: "heavy drizzle", 56: "freezing drizzle", 57: "heavy freezing drizzle",
    61: "light rain", 63: "rain", 65: "heavy rain", 66: "freezing rain", 67: "heavy freezing rain",
    71: "light snow", 73: "snow", 75: "heavy snow", 77: "snow grains", 80: "light showers", 81: "showers",
    82: "heavy showers", 85: "snow showers", 86: "heavy snow showers", 95: "thunderstorm",
    96: "thunderstorm with hail", 99: "thunderstorm with heavy hail",
}  # fmt: skip
"""WMO codes of the weather, in words."""


class Weather:
    """The weather tool with its settings; `get_weather` is one with the usual ones.

    Parameters
    ----------
    mode
        Where answers come from, see `rtnb.toolbox.sources`.
    geocoding_url, forecast_url
        The services; a test puts its own in their place.
    timeout
        Seconds to wait for each of them.
    """

    def __init__(
        self,
        *,
        mode: Mode = "auto",
        geocoding_url: str = "https://geocoding-api.open-meteo.com/v1/search",
        forecast_url: str = "https://api.open-meteo.com/v1/forecast",
        timeout: float = 6.0,
    ) -> None:
        check_mode(mode)
        self.mode: Mode = mode
        self.geocoding_url = geocoding_url
        self.forecast_url = forecast_url
        self.timeout = timeout

    def get_weather(self, location: str, units: Units = "metric") -> dict[str, Any]:
        """Get the current weather of a place: temperature, wind, and what the sky does.

        Use it whenever someone asks about the weather, for example "What's the weather in New York?".

        Parameters
        ----------
        location
            A city or other place, for example "New York" or "Paris, France".
        units
            "metric" for degrees Celsius and km/h, "imperial" for degrees Fahrenheit and mph.
        """
        mode = settled_mode(self.mode)
        if mode == "recorded":
            return self._recorded(location, units, _RECORDED)
        try:
            return self._live(location, units)
        except ServiceFailed as failure:
            if mode == "live":
                raise
            try:
                return self._recorded(location, units, f"{_RECORDED}. {failure}")
            except ToolError as none:
                raise ToolError(f"{failure} {none}") from failure

    @staticmethod
    def places() -> list[str]:
        """The places with a recorded answer."""
        return [each["place"]["name"] for each in load_data("weather.json")["recordings"]]

    def _live(self, location: str, units: Units) -> dict[str, Any]:
        name, hints = _parts(location)
        found = fetch_json(
            _SERVICE,
            self.geocoding_url,
            {"name": name, "count": 10, "language": "en", "format": "json"},
            timeout=self.timeout,
        )
        place = _best(found.get("results") or [], hints)
        if place is None:
            raise ToolError(f"No place called {location!r} was found. Ask which place is meant.")
        imperial = units == "imperial"
        try:
            forecast = fetch_json(
                _SERVICE,
                self.forecast_url,
                {
                    "latitude": place["latitude"],
                    "longitude": place["longitude"],
                    "current": "temperature_2m,wind_speed_10m,weather_code",
                    "timezone": "auto",
                    "temperature_unit": "fahrenheit" if imperial else "celsius",
                    "wind_speed_unit": "mph" if imperial else "kmh",
                },
                timeout=self.timeout,
            )
            return _result(
                place, forecast, f"open-meteo.com, {forecast['current']['time'].replace('T', ' ')} local time"
            )
        except (KeyError, TypeError, AttributeError) as exc:
            raise ServiceFailed(f"{_SERVICE} gave an answer that cannot be read.") from exc

    def _recorded(self, location: str, units: Units, source: str) -> dict[str, Any]:
        name, hints = _parts(location)
        for each in load_data("weather.json")["recordings"]:
            if _plain(name) in map(_plain, each["names"]) and _fits(each["place"], hints):
                result = _result(each["place"], each["forecast"], source)
                return _imperial(result) if units == "imperial" else result
        raise ToolError(
            f"There is no recorded weather for {location!r}, and the network is not used here. "
            f"Recorded places are: {some(self.places())}."
        )


def _result(place: Mapping[str, Any], forecast: Mapping[str, Any], source: str) -> dict[str, Any]:
    now, units = forecast["current"], forecast["current_units"]
    country = place.get("country")
    return {
        "location": f"{place['name']}, {country}" if country and country != place["name"] else place["name"],
        "latitude": place["latitude"],
        "longitude": place["longitude"],
        "weather": _CODES.get(now.get("weather_code"), "unknown"),
        "temperature": now["temperature_2m"],
        "temperature_unit": units["temperature_2m"],
        "wind_speed": now["wind_speed_10m"],
        "wind_speed_unit": "mph" if units["wind_speed_10m"] == "mp/h" else units["wind_speed_10m"],
        "source": source,
    }


def _imperial(result: dict[str, Any]) -> dict[str, Any]:
    return {
        **result,
        "temperature": round(result["temperature"] * 9 / 5 + 32, 1),
        "temperature_unit": "°F",
        "wind_speed": round(result["wind_speed"] / 1.609344, 1),
        "wind_speed_unit": "mph",
    }


def _parts(location: str) -> tuple[str, list[str]]:
    """``"Paris, France"`` as the name, which the service looks up, and hints, which it does not understand."""
    name, *hints = (part.strip() for part in location.split(","))
    if not name:
        raise ToolError("No place was named. Ask which place is meant.")
    return name, [hint for hint in hints if hint]


def _best(places: list[Any], hints: list[str]) -> Mapping[str, Any] | None:
    """The first place that fits the hints; the service puts the largest first."""
    known = [place for place in places if isinstance(place, Mapping)]
    return next((place for place in known if _fits(place, hints)), known[0] if known and not hints else None)


_COUNTRY_NAMES: Final = {"usa": "us", "america": "us", "uk": "gb", "england": "gb", "great britain": "gb", "uae": "ae"}
_STATES: Final = {"ny": "new york", "il": "illinois", "ca": "california", "wa": "washington", "ma": "massachusetts",
                  "fl": "florida", "tx": "texas", "dc": "district of columbia"}  # fmt: skip


def _fits(place: Mapping[str, Any], hints: list[str]) -> bool:
    known = {_plain(str(place.get(key) or "")) for key in ("country", "country_code", "admin1", "admin2", "name")}
    return all({hint, _COUNTRY_NAMES.get(hint), _STATES.get(hint)} & known for hint in map(_plain, hints))


def _plain(text: str) -> str:
    """Small letters without accents and dots, so that "Sao Paulo" finds "São Paulo"."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(each for each in letters if each.isalnum() or each.isspace()).split())


get_weather = Weather().get_weather
