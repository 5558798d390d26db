"""Beside the conversation: what tools remember and where their weather is, as soon as such tools exist.

A session with a tool of `rtnb.toolbox.Memory` gets a table of what is remembered, live. A session with a weather tool
(one whose results have a latitude and a longitude) gets a map: drawn on outlines that come with rtnb, so it shows
offline; where ipyleaflet is installed, a button opens the same places on a map with tiles from the network.

It is fed by messages (`rtnb.notebook.feed`):

============  ==========  ========================================================================
kind          from        what
============  ==========  ========================================================================
hello         page        shows the panels now
panels        kernel      ``memory`` and ``weather``, each None when there is no such tool; ``land``
tiles         page        wants the map with tiles
============  ==========  ========================================================================

Imports the core, `rtnb.session` and `rtnb.toolbox`; ipyleaflet when its map is asked for.
"""

from __future__ import annotations

import importlib.util
import json
import pathlib
from collections.abc import Mapping
from typing import Any, Final

import ipywidgets

from rtnb.core.changes import Changes
from rtnb.core.errors import redact
from rtnb.core.items import Item
from rtnb.core.log import Entry
from rtnb.notebook.events import secrets_of
from rtnb.notebook.feed import View, styles
from rtnb.notebook.modules import joined
from rtnb.toolbox.memory import Memory
from rtnb.toolbox.sources import load_data
from rtnb.toolbox.weather_map import weather_map

__all__ = ["SidePanels", "side_panels"]

_PLACES: Final = 30
_ROWS: Final = 200
_SHOWN: Final = ("temperature", "temperature_unit", "weather", "wind_speed", "wind_speed_unit", "source")


class SidePanels(View):
    """Memory and weather of a session's tools; empty, and without height, as long as there are no such tools.

    Parameters
    ----------
    session
        The session whose tools they are.
    """

    _esm = joined(pathlib.Path(__file__).with_suffix(".js"))
    _css = styles("views.css", "side_panels.css")

    def __init__(self, session: Any) -> None:
        self._session = session
        self._told: dict[str, Any] = {}
        self._watched: Memory | None = None
        self.tiles = ipywidgets.VBox()
        """Holds the map with tiles once it was asked for: to be shown near the panels, as `side_panels` does."""
        super().__init__()
        session.watch(self._note)

    def __repr__(self) -> str:
        names = [name for name, value in (("memory", self.memory), ("weather", self.weather)) if value is not None]
        return f"<SidePanels: {', '.join(names) or 'none'}>"

    def close(self) -> None:
        """Take the widget away, and follow the session no more."""
        self._session.unwatch(self._note)
        for widget in (*self.tiles.children, self.tiles):
            widget.close()
        super().close()
        self._follow(None)

    @property
    def memory(self) -> Memory | None:
        """The memory that a tool of the session fills; None when there is none."""
        for tool in list(self._session._core.tools):
            owner = getattr(tool.handler, "__self__", None)
            if isinstance(owner, Memory):
                return owner
        return None

    @property
    def weather(self) -> list[dict[str, Any]] | None:
        """The newest results that have a place on the map, one a place; None when no tool is about the weather."""
        places: dict[str, dict[str, Any]] = {}
        for item in reversed(self._session.items):
            place = _place(item)
            if place is not None and len(places) < _PLACES:
                places.setdefault(place["location"], place)
        if not places and not any("weather" in tool.name for tool in list(self._session._core.tools)):
            return None
        return list(reversed(places.values()))

    # ---- from other threads

    def _note(self, entry: Entry, changes: Changes) -> None:
        for change in changes:
            if change.kind == "session" or (change.item is not None and change.item.type == "function_call_output"):
                self.news()

    def _remembered(self, memory: Memory) -> None:
        self.news()

    def _follow(self, memory: Memory | None) -> None:
        """Hear of changes of this memory, and of no other."""
        if memory is not self._watched:
            if self._watched is not None:
                self._watched.unwatch(self._remembered)
            if memory is not None:
                memory.watch(self._remembered)
            self._watched = memory

    # ---- on the feed's thread

    def hello(self) -> None:
        """Send both panels, and the outlines of the land."""
        self._told = {}
        self.flush(land=[[[round(x, 1), round(y, 1)] for x, y in ring] for ring in load_data("land.json")["rings"]])

    def flush(self, land: Any = None) -> None:
        """Send the panels when they are different."""
        memory, weather = self.memory, self.weather
        self._follow(memory)
        secrets = secrets_of(self._session)
        told: dict[str, Any] = {"memory": None, "weather": weather}
        if memory is not None:
            rows = [[redact(key, *secrets), redact(value, *secrets)] for key, value in list(memory.items())[-_ROWS:]]
            told["memory"] = {"rows": rows, "problem": memory.problem or ""}
        if told != self._told or land is not None:
            self._told = told
            has_tiles = importlib.util.find_spec("ipyleaflet") is not None
            self.send({"kind": "panels", **told, "land": land, "has_tiles": has_tiles})

    def heard(self, message: dict[str, Any]) -> None:
        """Open the map with tiles, or close it."""
        if message.get("kind") == "tiles":
            places = self.weather
            self.tiles.children = () if self.tiles.children or not places else (weather_map(places, kind="leaflet"),)


def side_panels(session: Any) -> ipywidgets.VBox:
    """The panels of a session's tools, with room for the map with tiles below: to be put beside the conversation."""
    panels = SidePanels(session)
    return ipywidgets.VBox([panels, panels.tiles])


def _place(item: Item) -> dict[str, Any] | None:
    """What a tool said of a place, if this is a tool's output and it did."""
    if item.type != "function_call_output" or '"latitude"' not in (item.output or ""):
        return None
    try:
        value = json.loads(item.output or "")
    except ValueError:
        return None
    if not isinstance(value, Mapping):
        return None
    latitude, longitude = value.get("latitude"), value.get("longitude")
    if not (isinstance(latitude, (int, float)) and isinstance(longitude, (int, float))):
        return None
    place = {"location": str(value.get("location") or f"{latitude:.2f}, {longitude:.2f}")}
    place.update(
        {name: value.get(name, "" if "unit" in name or name in ("weather", "source") else 0) for name in _SHOWN}
    )
    return {**place, "latitude": latitude, "longitude": longitude}
