"""Annotations as users write them, for the tests of tools."""

from __future__ import annotations

import dataclasses
import enum
from typing import Literal, Optional

from pydantic import BaseModel
from typing_extensions import TypedDict


class Unit(enum.Enum):
    CELSIUS = "celsius"
    FAHRENHEIT = "fahrenheit"


@dataclasses.dataclass
class Point:
    x: int
    y: int = 3


class Order(BaseModel):
    """What is ordered."""

    item: str
    at: Point
    notes: list[str] = []


class Options(TypedDict, total=False):
    title: str
    loud: bool


def weather(location: str, unit: Literal["c", "f"] = "c", days: Optional[int] = None) -> str:  # noqa: UP045 - as users write
    """Tell the weather.

    Use it when asked about
    the weather of a place.

    Parameters
    ----------
    location : str
        The place, for example
        'New York'.
    unit, days
        As asked.

    Returns
    -------
    str
        Words.
    """
    return f"{location} {unit} {days}"
