"""A log as a person reads it: runs of the same event folded into one row, with count, sound and a few words.

An answer is hundreds of deltas; a microphone sends 25 frames a second between them. A row stands for a *run*: events of
one name and direction that follow each other. Deltas and frames of several streams arrive interleaved, so a stream's
run goes on as long as nothing but other streams comes between; the row stands where the run began. Errors never fold.

`Folder` takes the entries one by one, at a cost that does not depend on how many there were, and tells which row each
of them touched. The event table, and the table in a saved notebook, are drawn from its rows.

Imports `rtnb.core.content`, `entry`, `errors`, `protocol` and `recording`.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from rtnb.core import recording
from rtnb.core.content import base64_bytes
from rtnb.core.entry import Entry, event_name
from rtnb.core.errors import redact
from rtnb.core.protocol import BYTES_PER_MS, Direction, Event

__all__ = ["Fold", "Folder", "clock", "fold", "is_trouble", "summary", "type_filter"]

_SUMMARY_CHARS: Final = 120
_SEARCHED_CHARS: Final = 4 * _SUMMARY_CHARS

_FRAMES: Final = "input_audio_buffer.append"

_SOUND: Final = {
    _FRAMES: "audio",
    "response.output_audio.delta": "delta",
    "response.audio.delta": "delta",
    "session.output_audio.delta": "delta",
}
"""Events that carry sound, and in which member."""

_SETTINGS: Final = frozenset({"session.created", "session.updated"})
_SIDES: Final[dict[Direction, str]] = {"client": "input", "server": "output"}
_TELEPHONE: Final = ("audio/pcmu", "audio/pcma", "g711")
_G711: Final = 8  # bytes a millisecond

_WORDS: Final = {
    "conversation.item.input_audio_transcription.completed": "transcript",
    "response.output_text.done": "text",
    "response.text.done": "text",
    "response.output_audio_transcript.done": "transcript",
    "response.audio_transcript.done": "transcript",
    "response.function_call_arguments.done": "arguments",
}
"""Events whose one telling member is a text."""


class Fold:
    """One row: an event, or a run of them.

    Attributes
    ----------
    id : int
        Counts the rows, from 0.
    time : float
        When the first event was sent or came, in seconds of the log.
    direction : {"client", "server"}
    name : str
        The events' ``type``.
    members : array of int
        Places of the events in the sequence that was folded.
    n_bytes : int
        Bytes of sound in them, decoded.
    ms : float
        How long that sound lasts.
    trouble : bool
        It tells of something that went wrong.
    words : str
        What the first event says, on one line; empty for streams.
    """

    __slots__ = ("direction", "id", "members", "ms", "n_bytes", "name", "time", "trouble", "words")

    def __init__(self, id: int, time: float, direction: Direction, name: str) -> None:
        self.id = id
        self.time = time
        self.direction = direction
        self.name = name
        self.members = array("L")
        self.n_bytes = 0
        self.ms = 0.0
        self.trouble = False
        self.words = ""

    @property
    def count(self) -> int:
        """How many events it stands for."""
        return len(self.members)

    def __repr__(self) -> str:
        return f"<Fold {self.id}: {self.count} {self.name}>"


class Folder:
    """Folds entries as they come.

    Examples
    --------
    >>> folder = Folder()
    >>> for number in range(3):
    ...     row = folder.push(Entry(number, 0.1 * number, "server", {"type": "response.audio.delta", "delta": "AAAA"}))
    >>> folder.rows, folder.rows[0].n_bytes
    ([<Fold 0: 3 response.audio.delta>], 9)
    """

    def __init__(self, secrets: tuple[str, ...] = ()) -> None:
        self._secrets = secrets  # keys in use, which no row shows
        self.rows: list[Fold] = []
        self.counts: dict[Direction, int] = {"client": 0, "server": 0}
        """Events of each side."""
        self.n_bytes: dict[Direction, int] = {"client": 0, "server": 0}
        """Bytes of sound of each side."""
        self.ms: dict[Direction, float] = {"client": 0.0, "server": 0.0}
        """Milliseconds of sound of each side."""
        self.place = 0
        """How many entries were taken."""
        self._bytes_per_ms: dict[Direction, int] = {"client": BYTES_PER_MS, "server": BYTES_PER_MS}
        self._run: Fold | None = None  # the row of the very event before, unless that was of a stream
        self._streams: dict[tuple[Direction, str, object], Fold] = {}  # streams whose runs may go on

    def push(self, entry: Entry) -> Fold:
        """Take the next entry; gives the row that stands for it."""
        event: Event = entry.event if isinstance(entry.event, dict) else {}
        direction: Direction = "client" if entry.direction == "client" else "server"
        name = event_name(event)
        is_stream = name.endswith(".delta") or name == _FRAMES
        if is_stream:
            self._run = None
            item_id = event.get("item_id")
            key = (direction, name, item_id if isinstance(item_id, str) else None)
            row = self._streams.get(key)
            if row is None:
                row = self._streams[key] = self._add(entry.time, direction, name)
        else:
            self._streams.clear()
            row, trouble = self._run, is_trouble(event)
            if row is None or trouble or row.name != name or row.direction != direction:
                row = self._add(entry.time, direction, name)
                row.trouble = trouble
                row.words = summary(event, self._secrets)
            self._run = None if trouble else row
        row.members.append(self.place)
        self.place += 1
        member = _SOUND.get(name)
        if member is not None:
            payload = event.get(member)
            n_bytes = base64_bytes(payload) if isinstance(payload, str) else 0
            ms = n_bytes / self._bytes_per_ms[direction]
            row.n_bytes += n_bytes
            row.ms += ms
            self.n_bytes[direction] += n_bytes
            self.ms[direction] += ms
        elif name in _SETTINGS and direction == "server":
            self._settle(event.get("session"))
        self.counts[direction] += 1
        return row

    def _settle(self, session: object) -> None:
        """Note whether sound is PCM or, as on a telephone, G.711."""
        settings = session if isinstance(session, Mapping) else {}
        for direction, side in _SIDES.items():
            told: Any = settings.get("audio")
            for member in (side, "format", "type"):
                told = told.get(member) if isinstance(told, Mapping) else None
            is_telephone = str(told or settings.get(f"{side}_audio_format")).startswith(_TELEPHONE)
            self._bytes_per_ms[direction] = _G711 if is_telephone else BYTES_PER_MS

    def _add(self, time: float, direction: Direction, name: str) -> Fold:
        row = Fold(len(self.rows), time, direction, name)
        self.rows.append(row)
        return row


def fold(entries: Iterable[Entry], secrets: tuple[str, ...] = ()) -> list[Fold]:
    """The rows of a log, without `secrets`, the keys in use."""
    folder = Folder(secrets)
    for entry in entries:
        folder.push(entry)
    return folder.rows


def clock(seconds: float) -> str:
    """A moment as ``mm:ss.hh``.

    >>> clock(0), clock(61.239), clock(6000)
    ('00:00.00', '01:01.23', '100:00.00')
    """
    hundredths = int(max(0.0, seconds) * 100 + 1e-6)
    return f"{hundredths // 6000:02d}:{hundredths // 100 % 60:02d}.{hundredths % 100:02d}"


def is_trouble(event: Event) -> bool:
    """Whether an event tells of something that went wrong.

    >>> is_trouble({"type": "error"}), is_trouble({"type": "response.done", "response": {"status": "failed"}})
    (True, True)
    """
    name = event_name(event)
    if name == "error" or name.endswith(".failed"):
        return True
    response = event.get("response") if name == "response.done" else None
    return isinstance(response, Mapping) and response.get("status") in ("failed", "incomplete")


def summary(event: Event, secrets: tuple[str, ...] = ()) -> str:
    """What an event says, in a few words; empty when its name says it all.

    Nothing in it looks like a key or is one of `secrets`.
    """
    name = event_name(event)
    words: Any = event.get(_WORDS[name]) if name in _WORDS else None
    if words is None:
        words = _of_error(event) or _of_item(event.get("item")) or _of_response(event.get("response"))
    if words is None and name.startswith(("session.", "response.create")):
        return ""  # a whole configuration: to be expanded
    if words is None:
        words = recording.brief(event, _SEARCHED_CHARS)
    line = redact(" ".join(str(words)[:_SEARCHED_CHARS].split()), *secrets)  # before it is cut: half a key is none
    return line if len(line) <= _SUMMARY_CHARS else line[: _SUMMARY_CHARS - 1] + "…"


def _of_error(event: Event) -> str | None:
    error = event.get("error")
    if not isinstance(error, Mapping):
        return None
    code = error.get("code") or error.get("type")
    return ": ".join(str(each) for each in (code, error.get("message")) if each) or None


def _of_item(item: object) -> str | None:
    if not isinstance(item, Mapping):
        return None
    kind = item.get("type")
    if kind == "function_call":
        return f"{item.get('name')}({item.get('arguments') or ''})"
    if kind == "function_call_output":
        return f"output: {item.get('output')}"
    content = item.get("content")
    parts = [part for part in content if isinstance(part, Mapping)] if isinstance(content, list) else []
    told = [str(part.get("text") or part.get("transcript") or f"<{part.get('type')}>") for part in parts]
    return ": ".join(each for each in (str(item.get("role") or kind or ""), " ".join(told)) if each)


def _of_response(response: object) -> str | None:
    if not isinstance(response, Mapping) or not response.get("status"):
        return None
    words = str(response["status"])
    details = response.get("status_details")
    if isinstance(details, Mapping):
        error = details.get("error")
        reason = error.get("message") or error.get("code") if isinstance(error, Mapping) else details.get("reason")
        words += f": {reason}" if reason else ""
    usage = response.get("usage")
    if isinstance(usage, Mapping) and usage.get("total_tokens"):
        words += f", {usage['total_tokens']} tokens"
    return words


def type_filter(text: str) -> Callable[[str], bool]:
    """A test for names from what a person types: globs, parted by spaces or commas; ``-`` or ``!`` before one excludes.

    A word without ``*`` fits anywhere in the name.

    >>> test = type_filter("response.* -*.delta")
    >>> test("response.done"), test("response.output_text.delta"), test("error")
    (True, False, False)
    """
    words = text.replace(",", " ").lower().split()
    wanted = [_glob(word) for word in words if word[0] not in "-!"]
    unwanted = [_glob(word[1:]) for word in words if word[0] in "-!" and len(word) > 1]

    def test(name: str) -> bool:
        name = name.lower()
        if any(fnmatchcase(name, each) for each in unwanted):
            return False
        return not wanted or any(fnmatchcase(name, each) for each in wanted)

    return test


def _glob(word: str) -> str:
    return word if "*" in word or "?" in word else f"*{word}*"
