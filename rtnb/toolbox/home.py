"""A house to talk to, in memory: tools that change the state of something you can see.

Each tool says what it did and what the state is now: the model then tells the truth about it, and corrects itself
when a room does not exist. Bounds stand in the annotations, so that the model knows them beforehand; ``confirm=True``
is for what should not happen by a word overheard::

    home = rtnb.toolbox.Home()
    session = rtnb.Session(tools=[home.get_home, home.set_light, home.set_temperature])
    session.tool(home.set_door, confirm=True)
    session.ask("Turn on the light in the kitchen.")
    home

Imports `rtnb.core`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from html import escape
from typing import Annotated, Any, Final, Literal

from rtnb.core.errors import ToolError

__all__ = ["Home", "Room"]

_CELSIUS: Final = (5.0, 30.0)


@dataclass(frozen=True)
class Room:
    """One room: its light, and the temperature that its heating is set to."""

    light: Literal["on", "off"] = "off"
    brightness: int = 100
    celsius: float = 20.0


class Home:
    """A house with rooms and a front door.

    Parameters
    ----------
    rooms
        Their names.
    """

    def __init__(self, rooms: Iterable[str] = ("living room", "kitchen", "bedroom", "bathroom", "office")) -> None:
        self.rooms: dict[str, Room] = {name.casefold(): Room() for name in rooms}
        self.door: Literal["locked", "unlocked"] = "locked"
        self._lock = threading.Lock()

    def get_home(self) -> dict[str, Any]:
        """Tell the state of the house: the light and the temperature of each room, and the front door."""
        return {"rooms": [{"room": name, **asdict(room)} for name, room in self.rooms.items()], "door": self.door}

    def set_light(
        self,
        room: Annotated[str, 'The room, for example "kitchen", or "all".'],
        state: Annotated[Literal["on", "off"], "Whether the light is to be on or off."],
        brightness: Annotated[int | None, "From 1 to 100 percent; leave it out to keep what was set."] = None,
    ) -> dict[str, Any]:
        """Turn the light of a room on or off, or dim it. Use it for wishes like "It's too dark in here"."""
        if brightness is not None and not 1 <= brightness <= 100:
            raise ToolError(f"Brightness goes from 1 to 100 percent; got {brightness}.")
        return self._change(room, light=state, **({} if brightness is None else {"brightness": brightness}))

    def set_temperature(
        self,
        room: Annotated[str, 'The room, for example "bedroom", or "all".'],
        celsius: Annotated[float, "The temperature to heat to, in degrees Celsius, from 5 to 30."],
    ) -> dict[str, Any]:
        """Set the heating of a room to a temperature."""
        least, most = _CELSIUS
        if not least <= celsius <= most:
            raise ToolError(f"The heating goes from {least:g} to {most:g} degrees Celsius; got {celsius:g}.")
        return self._change(room, celsius=celsius)

    def set_door(self, state: Annotated[Literal["locked", "unlocked"], "What the door is to be."]) -> dict[str, Any]:
        """Lock or unlock the front door."""
        self.door = state
        return {"door": self.door}

    @property
    def tools(self) -> list[Callable[..., Any]]:
        """All four tools, to give to a session."""
        return [self.get_home, self.set_light, self.set_temperature, self.set_door]

    def __repr__(self) -> str:
        lit = [name for name, room in self.rooms.items() if room.light == "on"]
        return f"<Home, light on in {', '.join(lit) or 'no room'}, door {self.door}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{'💡 ' if room.light == 'on' else ''}{room.light}</td>"
            f"<td>{room.brightness} %</td><td>{room.celsius:g} °C</td></tr>"
            for name, room in self.rooms.items()
        )
        head = "<tr><th>room</th><th>light</th><th>brightness</th><th>heating</th></tr>"
        return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table><p>Front door: {self.door}</p>"

    def _change(self, room: str, **settings: Any) -> dict[str, Any]:
        name = room.strip().casefold().removeprefix("the ")
        names = list(self.rooms) if name in ("all", "everywhere", "house", "home") else [name]
        with self._lock:
            if names[0] not in self.rooms:
                raise ToolError(f"There is no room {room!r}. There are: {', '.join(self.rooms)}.")
            self.rooms = {key: replace(old, **settings) if key in names else old for key, old in self.rooms.items()}
        return {"room": room.strip(), **settings}
