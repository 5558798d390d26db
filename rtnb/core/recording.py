"""A log as JSON lines: written, read, and shown without the weight of its sound.

The first line tells the version and the wall-clock time of time 0, each other line is one entry::

    {"rtnb": 1, "origin": 1763689538.2}
    {"time": 0.512, "direction": "client", "event": {"type": "response.create"}}

A file that was cut off, or edited badly, loses the lines at fault and no other.

Imports `rtnb.core.protocol`, `errors`, `keys` and `content`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from os import PathLike
from pathlib import Path
from typing import IO, Any, Final, Literal, TypeAlias

import orjson

from rtnb.core.content import base64_bytes
from rtnb.core.errors import redact
from rtnb.core.keys import find_keys, without_keys
from rtnb.core.protocol import Direction, Event

__all__ = [
    "AUDIO_DELTAS",
    "Row",
    "brief",
    "clean",
    "dumps",
    "finite",
    "loads",
    "read",
    "row",
    "scrubbed",
    "shown",
    "write",
]

_VERSION: Final = 1

AUDIO_DELTAS: Final = frozenset({"response.output_audio.delta", "response.audio.delta", "session.output_audio.delta"})
"""Events whose ``delta`` is sound: of GA, of the 2024 beta, of translation sessions."""

_DATA_URI_CHARS: Final = 64
"""A ``data:`` URI longer than this is a picture, not an example of one."""

_DULL: Final = frozenset({"type", "event_id", "object"})
"""Members that say nothing in a one-line view."""

_MOST: Final = 1e15
"""No time in seconds and no count is larger."""

_PAYLOAD_CHARS: Final = 256
_PAYLOAD: Final = re.compile(r"([A-Za-z0-9+/]{32})[A-Za-z0-9+/]{224,}")
"""A run of base64 too long for a key; its start is enough to see a key that it may be the rest of."""

Row: TypeAlias = tuple[float, Direction, Event]
"""Time, direction and event of an entry."""


def shown(event: Any) -> Any:
    """A copy of `event` with sound and pictures replaced by their length.

    >>> shown({"type": "input_audio_buffer.append", "audio": "AAAAAAAA"})
    {'type': 'input_audio_buffer.append', 'audio': '<6 bytes>'}
    """
    if not isinstance(event, dict):
        return _light(event)
    light = {key: _member(key, value) for key, value in event.items()}
    name = event.get("type")
    if isinstance(name, str) and name in AUDIO_DELTAS and isinstance(event.get("delta"), str):
        light["delta"] = _length(event["delta"])
    return light


def _light(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _member(key, member) for key, member in value.items()}
    if isinstance(value, list):
        return [_light(member) for member in value]
    return value


def _member(key: object, value: Any) -> Any:
    if isinstance(value, str):
        if key == "audio":
            return _length(value)
        if key == "image_url" and len(value) > _DATA_URI_CHARS and value.startswith("data:"):
            start, _, payload = value.partition(",")
            return f"{start},{_length(payload)}"
        return value
    return _light(value)


def _length(payload: str) -> str:
    return payload if payload.startswith("<") and payload.endswith(" bytes>") else f"<{base64_bytes(payload)} bytes>"


def brief(event: Any, chars: int) -> str:
    """What an event says, on one line of at most `chars` characters."""
    light = shown(event)
    if isinstance(light, dict):
        light = {key: value for key, value in light.items() if key not in _DULL}
        if not light:
            return ""
    text = dumps(light).decode("utf-8", "replace")
    return text if len(text) <= chars else text[: chars - 1] + "…"


def scrubbed(value: Any, keys: tuple[str | None, ...] = ()) -> Any:
    """A copy of `value` in which each text that looks like a key, or is one of `keys`, is replaced."""
    if isinstance(value, str):
        return redact(value, *keys)
    if isinstance(value, dict):
        return {scrubbed(key, keys): scrubbed(member, keys) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [scrubbed(member, keys) for member in value]
    return value


def write(
    target: str | PathLike[str] | IO[bytes],
    entries: Iterable[tuple[int, float, Direction, Event]],
    *,
    origin: float | None,
    audio: bool,
    keys: tuple[str | None, ...],
) -> None:
    """Write the lines of a log; see `rtnb.core.log.EventLog.to_jsonl`."""
    with _opened(target, "wb") as file:
        file.write(dumps({"rtnb": _VERSION, "origin": origin}) + b"\n")
        for _, time, direction, event in entries:
            line = {"time": time, "direction": direction, "event": event if audio else shown(event)}
            file.write(clean(line, keys) + b"\n")


def read(source: str | PathLike[str] | IO[bytes]) -> tuple[float | None, list[Row], int]:
    """Read the lines of a log: its wall-clock origin, its rows, and how many lines were damaged."""
    origin: float | None = None
    rows: list[Row] = []
    damaged = 0
    with _opened(source, "rb") as file:
        for number, line in enumerate(file):
            if not line.strip():
                continue
            value = loads(line)
            if number == 0 and isinstance(value, dict) and "rtnb" in value:
                origin = finite(value.get("origin"))
                continue
            found = row(value)
            if found is None:
                damaged += 1
            else:
                rows.append(found)
    return origin, rows, damaged


def clean(value: Any, keys: tuple[str | None, ...] = ()) -> bytes:
    """A value as one line of JSON without keys."""
    line = dumps(value)
    text = line.decode("utf-8", "replace")
    if find_keys(_without_payloads(text), keys):
        line = without_keys(text, keys).encode()
        text = line.decode()
    if _has_key(text, keys):  # in the values: to replace it in the line could break the JSON
        line = dumps(scrubbed(loads(line), keys))
    return line


def _without_payloads(line: str) -> str:
    return _PAYLOAD.sub(r"\1", line) if len(line) > _PAYLOAD_CHARS else line


def _has_key(line: str, keys: tuple[str | None, ...]) -> bool:
    """Whether a line of JSON has a key in it. Of long payloads only the start is searched: many times faster."""
    if any(key in line for key in keys if key):
        return True
    light = _without_payloads(line)
    return redact(light) != light


def _opened(file: str | PathLike[str] | IO[bytes], mode: Literal["rb", "wb"]) -> AbstractContextManager[IO[bytes]]:
    return Path(file).open(mode) if isinstance(file, (str, PathLike)) else nullcontext(file)


def row(value: object) -> Row | None:
    """The entry that a line holds; None when it holds none."""
    if not isinstance(value, Mapping):
        return None
    time, direction, event = finite(value.get("time")), value.get("direction"), value.get("event")
    if time is None or not isinstance(event, dict):
        return None
    if direction == "client":
        return time, "client", event
    return (time, "server", event) if direction == "server" else None


def finite(value: object) -> float | None:
    """A number that one can count with; None for what is none, and for the endless ones that Python's JSON knows."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if is_number and -_MOST < value < _MOST else None  # type: ignore[operator,return-value]


def dumps(value: Any) -> bytes:
    """JSON of whatever an event may hold."""
    try:
        return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:  # a huge number, half of a surrogate pair, very deep: rare, and the slow way can do it
        return json.dumps(value, default=str).encode()


def loads(line: bytes) -> object:
    """What a line holds; None when it is no JSON."""
    try:
        return orjson.loads(line)
    except ValueError:
        try:
            return json.loads(line)
        except (ValueError, RecursionError):
            return None
