"""How a log lies in a folder: lines without sound, and the sound as clips.

Theory of operation
-------------------
A payload of audio leaves its event for a *clip*, a stretch of sound that is one file: the microphone's, and one for
each item. The line keeps where it was, as a member ``sound`` beside the event, so that each event gets the very bytes
back that it had, in the very pieces::

    {"time": 1.2, "direction": "server", "event": {..., "delta": "<4800 bytes>"},
     "sound": [[["delta"], "01-item_7", 9600, 4800]]}

is: at the path ``delta`` of the event belong 4,800 bytes of the clip ``01-item_7``, from byte 9,600 on. What is not
base64 as everybody writes it stays in the line.

Where a clip is missing, or ends too early, silence of the same length stands in: all that counts in milliseconds of
audio (what was heard, where an item was cut) stays true.

Pure: files are the matter of `rtnb.core.saved_folder`. Imports `rtnb.core.errors`, `log`, `protocol` and
`recording`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from rtnb.core.errors import redact
from rtnb.core.log import Entry, event_name
from rtnb.core.protocol import Event
from rtnb.core.recording import AUDIO_DELTAS, Row, finite, row

__all__ = ["MICROPHONE", "Clip", "Heard", "Layout", "Restorer", "heard_line", "heard_of"]

MICROPHONE: Final = "microphone"
"""What the clip of ``input_audio_buffer.append`` is called."""

_PCM: Final = "audio/pcm"
_FORMATS: Final = frozenset({_PCM, "audio/pcmu", "audio/pcma"})
_SILENCE: Final = {"audio/pcmu": b"\xff", "audio/pcma": b"\xd5"}
_ID_CHARS: Final = 64
_DEPTH: Final = 16
"""How deep within an event sound is looked for; the protocol has it at most at depth 4."""

_PIECE_BYTES: Final = 16 * 1024 * 1024
"""No payload is longer: the service takes 15 MiB in one event."""

_MOST_SILENCE: Final = 256 * 1024 * 1024
"""More than an hour of silence is put in for no recording, whatever its lines say."""


class Heard(NamedTuple):
    """One report of the loudspeaker: at `time` (seconds of the log) `samples` (24 kHz) of the item had been heard."""

    time: float
    item_id: str
    samples: int
    final: bool


def heard_line(report: tuple[float, str, int, bool]) -> dict[str, Any]:
    """A report as a line holds it."""
    return dict(zip(Heard._fields, report, strict=True))


def heard_of(value: object) -> Heard | None:
    """The report that a line holds; None when it holds none."""
    if not isinstance(value, Mapping):
        return None
    time, item_id, samples, final = (value.get(name) for name in Heard._fields)
    time, samples = finite(time), finite(samples)
    if time is None or not isinstance(item_id, str) or not isinstance(samples, int) or not isinstance(final, bool):
        return None
    return Heard(time, item_id, samples, final)


class Clip:
    """A stretch of sound that becomes one file.

    Attributes
    ----------
    name : str
        Of the file, without its suffix.
    format : str
        ``audio/pcm`` (24 kHz, 16 bits), ``audio/pcmu`` or ``audio/pcma`` (8 kHz, 8 bits).
    item_id : str or None
        Whose sound it is; None for the microphone.
    payloads : list of str
        Base64, each piece encoded on its own, as the events hold it.
    size : int
        Bytes of all pieces.
    """

    __slots__ = ("format", "item_id", "name", "payloads", "size")

    def __init__(self, name: str, format: str, item_id: str | None) -> None:
        self.name = name
        self.format = format
        self.item_id = item_id
        self.payloads: list[str] = []
        self.size = 0

    def pieces(self) -> Iterator[bytes]:
        """The sound, piece by piece."""
        return map(binascii.a2b_base64, self.payloads)


class Layout:
    """Takes entries in the order of the log; gives lines, and collects the clips.

    Nothing is decoded or joined before a clip is written: a payload exists once, in the log.

    Parameters
    ----------
    keys
        Keys in use, which must not stand in the name of a clip.
    """

    def __init__(self, keys: tuple[str | None, ...] = ()) -> None:
        self._keys = keys
        self._clips: dict[tuple[str | None, int, str], Clip] = {}
        self._formats = {"input": _PCM, "output": _PCM}
        self._responses: dict[str, str] = {}  # those whose format is not the session's

    @property
    def clips(self) -> list[Clip]:
        """All clips so far, in the order in which their sound began."""
        return list(self._clips.values())

    def line(self, entry: Entry) -> dict[str, Any]:
        """The line of an entry, its sound taken out."""
        event = entry.event
        self._follow(event)
        line: dict[str, Any] = {"time": entry.time, "direction": entry.direction, "event": event}
        sound: list[Any] = []
        light = event
        for path, payload in _payloads(event):
            size = _size(payload)
            if not size:
                continue
            clip = self._clip(event, path, entry.index)
            sound.append([list(path), clip.name, clip.size, size])
            clip.payloads.append(payload)
            clip.size += size
            light = _with(light, path, f"<{size} bytes>")
        if sound:
            line["event"], line["sound"] = light, sound
        return line

    def _clip(self, event: Event, path: tuple[str | int, ...], index: int) -> Clip:
        item_id, part, side = _whose(event, path)
        if event.get("type") == "input_audio_buffer.append":
            item_id, part = None, 0
        elif item_id is None:
            item_id, part = f"event-{index}", 0
        if side == "output":
            format = self._responses.get(str(event.get("response_id")), self._formats["output"])
        else:
            format = self._formats["input"]
        key = (item_id, part, format)
        clip = self._clips.get(key)
        if clip is None:
            label = MICROPHONE if item_id is None else _label(redact(item_id, *self._keys))
            clip = self._clips[key] = Clip(f"{len(self._clips):02d}-{label}", format, item_id)
        return clip

    def _follow(self, event: Event) -> None:
        """Note which formats hold from here on."""
        name = event_name(event)
        if name in ("session.created", "session.updated"):
            for side in ("input", "output"):
                format = _format(event.get("session"), side)
                if format is not None and format in _FORMATS:
                    self._formats[side] = format
        elif name == "response.created":
            response = event.get("response")
            format = _format(response, "output")
            if format is not None and format in _FORMATS and isinstance(response, dict):
                self._responses[str(response.get("id"))] = format


class Restorer:
    """Takes lines in their order; gives rows, their sound put back.

    Parameters
    ----------
    clips
        What could be read of each clip, with its format: ``{"00-microphone": (b"...", "audio/pcm")}``.

    Attributes
    ----------
    short : dict
        For each clip that was missing, or ended too early, how many of its bytes are silence now.
    wanted : dict
        For each clip how many bytes the lines say it has.
    """

    def __init__(self, clips: Mapping[str, tuple[bytes, str]]) -> None:
        self._clips = clips
        self._silence = 0
        self.short: dict[str, int] = {}
        self.wanted: dict[str, int] = {}

    def row(self, value: object) -> Row | None:
        """The entry that a line holds; None when it holds none."""
        found = row(value)
        sound = value.get("sound") if isinstance(value, Mapping) else None
        if found is None or not isinstance(sound, list):
            return found
        event = found[2]
        for reference in sound:
            event = self._put_back(event, reference)
        return found[0], found[1], event

    def _put_back(self, event: Event, reference: object) -> Event:
        if not (isinstance(reference, list) and len(reference) == 4):
            return event
        path, name, start, size = reference
        is_whole = (
            isinstance(path, list)
            and 0 < len(path) <= _DEPTH + 1
            and isinstance(name, str)
            and type(start) is int
            and type(size) is int
        )
        if not is_whole or start < 0 or not 0 < size <= _PIECE_BYTES or _at(event, path) != f"<{size} bytes>":
            return event
        data, format = self._clips.get(name, (b"", _PCM))
        piece = data[start : start + size]
        self.wanted[name] = max(self.wanted.get(name, 0), start + size)
        lost = size - len(piece)
        if lost:
            self._silence += lost
            if self._silence > _MOST_SILENCE:
                return event
            self.short[name] = self.short.get(name, 0) + lost
            piece += _SILENCE.get(format, b"\0") * lost
        whole: Event = _with(event, tuple(path), base64.b64encode(piece).decode("ascii"))
        return whole


def _label(item_id: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", item_id)[:_ID_CHARS]


def _payloads(event: Event) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Where in an event sound may be, and what is there."""
    if event_name(event) in AUDIO_DELTAS:
        delta = event.get("delta")
        if isinstance(delta, str):
            yield ("delta",), delta
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), event)]
    while waiting:
        path, value = waiting.pop()
        members: Any = value.items() if isinstance(value, dict) else enumerate(value)
        for key, member in members:
            if isinstance(member, (dict, list)):
                if len(path) < _DEPTH:
                    waiting.append(((*path, key), member))
            elif key == "audio" and isinstance(member, str):
                yield (*path, key), member


def _size(payload: str) -> int:
    """How many bytes of sound a payload holds; 0 when it would not be the same after decoding and encoding."""
    try:
        data = binascii.a2b_base64(payload)
    except ValueError:
        return 0
    return len(data) if len(data) <= _PIECE_BYTES and base64.b64encode(data).decode("ascii") == payload else 0


def _whose(event: Event, path: tuple[str | int, ...]) -> tuple[str | None, int, str]:
    """Item, content part, and side (``"input"``, ``"output"``) of what is at a path of an event."""
    if path == ("delta",):
        item_id, part = event.get("item_id"), event.get("content_index")
        side = "output"
    else:
        item = event.get("item")
        item_id = item.get("id") if isinstance(item, dict) else event.get("item_id")
        part = path[2] if len(path) > 2 else event.get("content_index")
        side = "input" if not isinstance(item, dict) or item.get("role") != "assistant" else "output"
    return (item_id if isinstance(item_id, str) else None), (part if type(part) is int else 0), side


def _format(settings: object, side: str) -> str | None:
    inner = settings
    for name in ("audio", side, "format", "type"):
        inner = inner.get(name) if isinstance(inner, dict) else None
    return inner if isinstance(inner, str) else None


def _at(value: Any, path: list[Any]) -> object:
    for key in path:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _with(value: Any, path: tuple[str | int, ...], put: str) -> Any:
    """A copy of `value`, as deep as the path, with `put` at its end."""
    key, *rest = path
    copy: Any = value.copy()
    copy[key] = _with(value[key], tuple(rest), put) if rest else put
    return copy
