"""The weather on a map: what a person sees while the model talks.

With ipyleaflet installed it is a map to drag and zoom; its tiles come from the network, by the browser. Otherwise it
is a picture, drawn by matplotlib on outlines that are shipped with rtnb: it also shows offline, on GitHub and in
print.

Imports `rtnb.toolbox`; ipyleaflet, ipywidgets and matplotlib load when a map is drawn.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Literal

from rtnb.toolbox.sources import load_data

__all__ = ["MapPicture", "weather_map"]


class MapPicture:
    """A drawn map, shown as a PNG when a cell ends with it.

    Attributes
    ----------
    png
        The picture's bytes.
    text
        What it shows, in words: for a terminal and for who cannot see it.
    """

    def __init__(self, png: bytes, text: str) -> None:
        self.png = png
        self.text = text

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return {"image/png": self.png, "text/plain": self.text}

    def __repr__(self) -> str:
        return self.text


def weather_map(
    weather: Mapping[str, Any] | Sequence[Mapping[str, Any]], *, kind: Literal["auto", "leaflet", "picture"] = "auto"
) -> Any:
    """Draw results of `get_weather` on a map.

    Parameters
    ----------
    weather
        One result, or a list of them.
    kind
        ``"leaflet"`` for ipyleaflet's map, ``"picture"`` for the drawn one, ``"auto"`` for the first that is there.

    Returns
    -------
    ipyleaflet.Map or MapPicture
        To end a cell with, or to show by ``rtnb.Result(weather, show=...)``.
    """
    places = [weather] if isinstance(weather, Mapping) else list(weather)
    if not places:
        raise ValueError("weather_map draws results of get_weather; got an empty list")
    if kind != "picture":
        try:
            import ipyleaflet  # noqa: F401 - asks whether it is installed
        except ImportError:
            if kind == "leaflet":
                raise
        else:
            return _leaflet(places)
    return _picture(places)


def _line(place: Mapping[str, Any]) -> str:
    return (
        f"{place['location']}: {place['temperature']:g} {place['temperature_unit']}, {place['weather']}, "
        f"wind {place['wind_speed']:g} {place['wind_speed_unit']}"
    )


def _leaflet(places: list[Mapping[str, Any]]) -> Any:
    from ipyleaflet import Map, Marker
    from ipywidgets import HTML

    points = [(place["latitude"], place["longitude"]) for place in places]
    middle = tuple(sum(values) / len(points) for values in zip(*points, strict=True))
    shown = Map(center=middle, zoom=9 if len(points) == 1 else 2, scroll_wheel_zoom=True)
    for point, place in zip(points, places, strict=True):
        note = HTML(f"<b>{escape(_line(place))}</b><br><small>{escape(str(place['source']))}</small>")
        shown.add(Marker(location=point, title=_line(place), popup=note, draggable=False))
    return shown


def _picture(places: list[Mapping[str, Any]]) -> MapPicture:
    # Not through pyplot: it keeps figures open, and is not made for a tool's thread.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.collections import PolyCollection
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.8), layout="constrained")
    axes = figure.add_subplot()
    axes.set_facecolor("#dfeaf2")
    rings = load_data("land.json")["rings"]
    axes.add_collection(PolyCollection(rings, facecolors="#f3efe4", edgecolors="#a9a08c", linewidths=0.6))
    longitudes = [place["longitude"] for place in places]
    latitudes = [place["latitude"] for place in places]
    axes.scatter(longitudes, latitudes, s=45, color="#c8102e", edgecolors="white", zorder=3)
    west, east, south, north = _window(longitudes, latitudes)
    for number, place in enumerate(places):
        leans_left = place["longitude"] > (west + east) / 2
        is_crowded = any(
            abs(place["longitude"] - other["longitude"]) < (east - west) / 4
            and abs(place["latitude"] - other["latitude"]) < (north - south) / 6
            for other in places[:number]
        )
        axes.annotate(
            f"{place['location']}\n{place['temperature']:g} {place['temperature_unit']}, {place['weather']}\n"
            f"wind {place['wind_speed']:g} {place['wind_speed_unit']}",
            (place["longitude"], place["latitude"]),
            xytext=(-8 if leans_left else 8, -7 if is_crowded else 7),
            va="top" if is_crowded else "bottom",
            textcoords="offset points",
            ha="right" if leans_left else "left",
            fontsize=8 if len(places) < 6 else 6,
            bbox={"boxstyle": "round", "facecolor": "white", "alpha": 0.85, "edgecolor": "#cccccc"},
        )
    axes.set_xlim(west, east)
    axes.set_ylim(south, north)
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
    figure.suptitle("; ".join(dict.fromkeys(str(place["source"]) for place in places)), fontsize=7, color="#666666")
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    return MapPicture(buffer.getvalue(), "\n".join(_line(place) for place in places))


def _window(longitudes: list[float], latitudes: list[float]) -> tuple[float, float, float, float]:
    """West, east, south, north: all places with room around them, twice as wide as high, on the map."""
    height = max(max(latitudes) - min(latitudes) + 20, (max(longitudes) - min(longitudes) + 40) / 2, 40)
    height = min(height, 180)
    middle = (max(latitudes) + min(latitudes)) / 2
    centre = (max(longitudes) + min(longitudes)) / 2
    south = min(max(middle - height / 2, -90), 90 - height)
    west = min(max(centre - height, -180), 180 - 2 * height)
    return west, west + 2 * height, south, south + height
