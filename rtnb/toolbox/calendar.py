"""A calendar in memory: tools that take dates and times.

A model writes dates as text, a function wants dates. The annotations ``date`` and ``datetime`` do the work: the model
is told the format, and what it sends comes in as a date, or goes back to it as an error. A model does not know what
day it is, so `list_events` tells it. The object shows as a table::

    calendar = rtnb.toolbox.Calendar()
    session = rtnb.Session(tools=calendar.tools)
    session.ask("Put lunch with Ada into my calendar, tomorrow at noon.")
    calendar

Imports `rtnb.core`.
"""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

from rtnb.core.errors import ToolError

__all__ = ["Appointment", "Calendar"]


@dataclass(frozen=True, order=True)
class Appointment:
    """One entry of the calendar, in local time."""

    start: datetime.datetime
    minutes: int
    title: str

    @property
    def end(self) -> datetime.datetime:
        """When it is over."""
        return self.start + datetime.timedelta(minutes=self.minutes)

    def to_dict(self) -> dict[str, Any]:
        """As a model reads it."""
        return {"title": self.title, "start": f"{self.start:%Y-%m-%d %H:%M}", "minutes": self.minutes}


class Calendar:
    """Appointments, in memory only.

    Parameters
    ----------
    appointments
        What stands in it at first.
    today
        Gives the present day; a test turns the clock here.
    """

    def __init__(
        self, appointments: list[Appointment] | None = None, *, today: Callable[[], datetime.date] = datetime.date.today
    ) -> None:
        self.appointments = sorted(appointments or [])
        self._today = today
        self._lock = threading.Lock()

    def list_events(self, day: datetime.date | None = None) -> dict[str, Any]:
        """List the appointments in the user's calendar, and tell what day it is today.

        Use it when asked what is planned, and before you add something relative to today, like "tomorrow".

        Parameters
        ----------
        day
            Only this day; without it, everything from today on.
        """
        today = self._today()
        shown = [
            each for each in self.appointments if (each.start.date() == day if day else each.start.date() >= today)
        ]
        return {"today": f"{today:%A, %Y-%m-%d}", "events": [each.to_dict() for each in shown]}

    def add_event(self, title: str, start: datetime.datetime, minutes: int = 60) -> dict[str, Any]:
        """Add an appointment to the user's calendar, for example "Put lunch with Ada into my calendar, Friday at noon".

        Parameters
        ----------
        title
            What it is, for example "Lunch with Ada".
        start
            When it begins, local time, for example "2026-11-20T12:00".
        minutes
            How long it takes.
        """
        if not title.strip() or not 0 < minutes <= 7 * 24 * 60:
            raise ToolError("An appointment needs a title, and takes between one minute and a week.")
        new = Appointment(start.replace(tzinfo=None, second=0, microsecond=0), minutes, title.strip())
        with self._lock:
            clashes = [each.title for each in self.appointments if each.start < new.end and new.start < each.end]
            self.appointments = sorted([*self.appointments, new])
        result: dict[str, Any] = {"added": new.title, "start": new.to_dict()["start"], "minutes": minutes}
        if clashes:
            result["note"] = f"It overlaps with {', '.join(clashes)}."
        return result

    def cancel_event(self, title: str) -> dict[str, Any]:
        """Cancel an appointment and remove it from the user's calendar, for example "Cancel my dentist".

        Parameters
        ----------
        title
            Its title, or a part of it that no other has.
        """
        with self._lock:
            wanted = title.strip().casefold()
            found = [each for each in self.appointments if each.title.casefold() == wanted]
            found = found or [each for each in self.appointments if wanted and wanted in each.title.casefold()]
            if len(found) != 1:
                names = ", ".join(f"{each.title} ({each.start:%Y-%m-%d %H:%M})" for each in found or self.appointments)
                several = "Several appointments fit" if found else "No appointment fits"
                raise ToolError(f"{several} {title!r}. There are: {names or 'none'}.")
            self.appointments = [each for each in self.appointments if each is not found[0]]
        return {"cancelled": found[0].title, "start": found[0].to_dict()["start"]}

    @property
    def tools(self) -> list[Callable[..., Any]]:
        """All three tools, to give to a session."""
        return [self.list_events, self.add_event, self.cancel_event]

    def __repr__(self) -> str:
        return f"<Calendar with {len(self.appointments)} appointment{'s' * (len(self.appointments) != 1)}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{each.start:%a %Y-%m-%d}</td><td>{each.start:%H:%M}-{each.end:%H:%M}</td>"
            f"<td>{escape(each.title)}</td></tr>"
            for each in self.appointments
        )
        body = rows or '<tr><td colspan="3"><i>no appointments</i></td></tr>'
        return f"<table><thead><tr><th>day</th><th>time</th><th>what</th></tr></thead><tbody>{body}</tbody></table>"
