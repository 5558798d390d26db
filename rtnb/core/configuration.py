"""The session that was asked for beside the session that is in force, setting by setting.

Imports `rtnb.core.log` and `rtnb.core.tables`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, TypeAlias

from rtnb.core.log import Entry
from rtnb.core.tables import Table, html_table

__all__ = ["Configuration", "Setting", "configuration", "configuration_of"]

Verdict: TypeAlias = Literal["as asked", "changed", "ignored", "refused", "default", "not connected"]

_MISSING: Final = object()
_SET_BY_SERVER: Final = ("id", "object", "expires_at")
_SHOWN_CHARS: Final = 90
_WORDS: Final[Mapping[str, str]] = {
    "as asked": "",
    "changed": "the server uses another value than it was asked to",
    "ignored": "the server says nothing of it: it does not know this setting, or does not use it now",
    "default": "not asked for: the server's own",
    "not connected": "not sent yet",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a session.

    Attributes
    ----------
    name : str
        Its path within the session object: ``audio.output.voice``.
    requested, effective : object
        What was asked for, and what is in force; None also where it is not there.
    verdict : {"as asked", "changed", "ignored", "refused", "default", "not connected"}
    note : str
        The verdict in words.
    """

    name: str
    requested: Any
    effective: Any
    verdict: Verdict
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """One plain row."""
        return asdict(self)


class Configuration(Table[Setting]):
    """The settings of a session, those that were asked for first."""

    __slots__ = ()

    columns = ("name", "requested", "effective", "verdict", "note")

    @property
    def differences(self) -> Configuration:
        """Those that are not as they were asked for."""
        return Configuration(each for each in self if each.verdict in ("changed", "ignored", "refused"))

    def __repr__(self) -> str:
        found = [f"{each.name} {each.verdict}" for each in self.differences]
        asked = sum(each.verdict != "default" for each in self)
        if any(each.verdict == "not connected" for each in self):
            return f"<Configuration: {asked} settings, not connected yet>"
        return f"<Configuration: {asked} settings asked for, {', '.join(found) or 'all of them in force'}>"

    def _repr_html_(self) -> str:
        asked = [each for each in self if each.verdict != "default"]
        others = [each for each in self if each.verdict == "default"]
        rows = [[each.name, _shown(each.requested), _shown(each.effective), _said(each)] for each in asked]
        table = html_table(["setting", "requested", "effective", ""], rows, caption=repr(self)[1:-1])
        if not others:
            return table
        more = html_table(["setting", "in force"], [[each.name, _shown(each.effective)] for each in others])
        summary = f"{len(others)} that were not asked for: the server's own"
        return f"{table}<details><summary>{summary}</summary>{more}</details>"


def configuration(
    requested: Mapping[str, Any],
    effective: Mapping[str, Any],
    *,
    refused: Mapping[str, tuple[Any, str]] | None = None,
) -> Configuration:
    """Compare two session objects.

    Parameters
    ----------
    requested
        What was asked for, merged.
    effective
        As the server gave it last; empty before the connection.
    refused
        By path what was asked for in an update that the server refused, and its reason.
    """
    wanted = dict(_leaves(requested))
    real = dict(_leaves(effective, split=wanted))
    rows = [_compared(name, value, real, effective) for name, value in wanted.items()]
    for name, (value, reason) in (refused or {}).items():
        rows = [row for row in rows if row.name != name]
        rows.append(Setting(name, value, real.get(name), "refused", reason))
    known = {row.name for row in rows}
    for name, value in real.items():
        if name in known or name in _SET_BY_SERVER or any(each.startswith(name + ".") for each in known):
            continue
        rows.append(Setting(name, None, value, "default", _WORDS["default"]))
    return Configuration(rows)


def configuration_of(log: Iterable[Entry], *, requested: Mapping[str, Any] | None = None) -> Configuration:
    """The same from a log: all updates that were sent, and the session of the last answer.

    Parameters
    ----------
    log
        Entries in their order.
    requested
        What was asked for outside of the log, such as the model in the address.
    """
    wanted: dict[str, Any] = dict(requested or {})
    effective: Mapping[str, Any] = {}
    sent: dict[str, Mapping[str, Any]] = {}
    refused: dict[str, tuple[Any, str]] = {}
    for entry in log:
        event = entry.event
        session = event.get("session") if isinstance(event, Mapping) else None
        if entry.name == "session.update" and isinstance(session, Mapping):
            sent[str(event.get("event_id"))] = session
            for name, _ in _leaves(session):
                refused.pop(name, None)  # asked for again
        elif entry.name in ("session.created", "session.updated") and isinstance(session, Mapping):
            effective = session
        elif entry.name == "error":
            error = event.get("error")
            error = error if isinstance(error, Mapping) else {}
            update = sent.pop(str(error.get("event_id")), None)
            if update is not None:
                for name, value in _leaves(update):
                    refused[name] = (value, f"{error.get('code') or 'error'}: {error.get('message') or ''}".strip())
    for update in sent.values():
        wanted = _merged(wanted, update)
    refused.pop("type", None)
    return configuration(wanted, effective, refused=refused)


def _compared(name: str, value: Any, real: Mapping[str, Any], effective: Mapping[str, Any]) -> Setting:
    found = real.get(name, _MISSING)
    verdict: Verdict
    if not effective:
        verdict = "not connected"
    elif found is _MISSING and _is_within_null(name, real):
        verdict = "changed"  # the whole object is switched off
    elif found is _MISSING:
        verdict = "as asked" if value in (None, [], {}) else "ignored"  # switched off is nothing there
    else:
        verdict = "as asked" if _is_as_asked(value, found) else "changed"
    return Setting(name, value, None if found is _MISSING else found, verdict, _WORDS[verdict])


def _is_within_null(name: str, real: Mapping[str, Any]) -> bool:
    steps = name.split(".")
    return any(real.get(".".join(steps[:n]), _MISSING) is None for n in range(1, len(steps)))


def _is_as_asked(value: Any, found: Any) -> bool:
    """Whether the server took it: it may add to an object what was left open, and name a voice by an object."""
    if isinstance(value, Mapping) and isinstance(found, Mapping):
        return all(name in found and _is_as_asked(each, found[name]) for name, each in value.items())
    if isinstance(value, list) and isinstance(found, list):
        return len(value) == len(found) and all(map(_is_as_asked, value, found))
    if isinstance(value, str) and isinstance(found, Mapping):
        return found.get("id") == value
    return bool(value == found)


def _leaves(session: Mapping[str, Any], path: str = "", *, split: Iterable[str] = ()) -> Iterator[tuple[str, Any]]:
    """Path and value of everything that is no object; `split`: paths that are taken as they are there."""
    for name, value in session.items():
        place = f"{path}.{name}" if path else str(name)
        if isinstance(value, Mapping) and value and place not in split:
            yield from _leaves(value, place, split=split)
        else:
            yield place, value


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        result[key] = _merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result


def _shown(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, list) and value and all(isinstance(each, Mapping) and "name" in each for each in value):
        value = [each["name"] for each in value]  # tools
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…"


def _said(setting: Setting) -> str:
    return f"{setting.verdict}: {setting.note}" if setting.note else setting.verdict
