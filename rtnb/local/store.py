"""The conversation of one session: items in order, and the audio that belongs to them.

Items are dicts as on the wire, without audio bytes; audio lies beside them as 24 kHz PCM16, one track per content part,
with the words that belong to each stretch. So an item can be shown without audio (``added``, ``done``), with it
(``retrieved``), or as words only (to a brain), and cut where it was interrupted.

May import `rtnb.core.protocol` and `rtnb.local.codec`.
"""

from __future__ import annotations

import base64
import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from rtnb.core.protocol import BYTES_PER_MS, Event, new_id
from rtnb.local import codec

__all__ = ["Conversation", "StoredItem", "Track", "stored_from_client"]

_RETRIEVE_BYTES: Final = 660_000  # raw bytes; base64 makes 880,000 of them: a frame stays under 1 MiB
_ECHO_IMAGE_CHARS: Final = 100_000  # longer data URIs are not echoed, for the same reason

_WITH_STATUS: Final = frozenset({"message", "function_call", "function_call_output"})  # MCP's items have none


class Track:
    """The audio of one content part, and the words that are known of it."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._marks: list[tuple[int, str]] = []  # (byte at which the words begin, words)
        self.key = ""  # under which it is being recognised
        self.n_bytes = 0
        self.cut = False  # truncated: what is added later is not kept
        self.heard: str | None = None  # of user audio: what the recogniser understood
        self.pending = False  # the recogniser is still at it
        self.transcribe = False  # whether the session asked for transcription events when this was committed
        self.streamed = ""  # transcription deltas sent so far

    @property
    def ms(self) -> int:
        """Whole milliseconds of audio."""
        return self.n_bytes // BYTES_PER_MS

    def add(self, pcm: bytes, words: str = "") -> None:
        """Append audio, and the words that begin with it."""
        if self.cut:
            return
        if words:
            self._marks.append((self.n_bytes, words))
        if pcm:
            self._chunks.append(pcm)
            self.n_bytes += len(pcm)

    def truncate(self, ms: int) -> None:
        """Keep the audio up to `ms`, and only the words that began before."""
        keep = min(self.n_bytes, ms * BYTES_PER_MS)
        self._chunks = [self.pcm()[:keep]]
        self._marks = [(start, words) for start, words in self._marks if start < keep]
        self.n_bytes, self.cut = keep, True

    def words(self) -> str:
        """The words that belong to the audio that is left."""
        return "".join(words for _, words in self._marks)

    def pcm(self) -> bytes:
        """All audio, joined."""
        if len(self._chunks) > 1:
            self._chunks = [b"".join(self._chunks)]
        return self._chunks[0] if self._chunks else b""


@dataclass
class StoredItem:
    """An item with its tracks, keyed by ``content_index``."""

    item: Event
    tracks: dict[int, Track] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The item's id."""
        return str(self.item["id"])

    def view(self) -> Event:
        """The item as it is sent: no audio bytes, no oversized pictures."""
        shown = copy.deepcopy(self.item)
        for part in shown.get("content", ()):
            if len(str(part.get("image_url") or "")) > _ECHO_IMAGE_CHARS:
                del part["image_url"]
        return shown

    def retrieved(self, input_format: str, output_format: str) -> Event:
        """The item with its audio, base64 in the session's formats.

        Audio that would make the frame larger than common clients accept (about 14 s of PCM) is cut to what fits.
        """
        shown = self.view()
        room = _RETRIEVE_BYTES
        for index, track in sorted(self.tracks.items()):
            if index < len(shown.get("content", ())):
                format = input_format if shown["role"] == "user" else output_format
                data = codec.encode_all(track.pcm(), format)[: room & ~1]
                room -= len(data)
                shown["content"][index]["audio"] = base64.b64encode(data).decode("ascii")
        return shown

    def for_brain(self) -> Event:
        """The item as words: what was heard of a user's audio, what is left of an assistant's."""
        shown = copy.deepcopy(self.item)
        for index, part in enumerate(shown.get("content", ())):
            track = self.tracks.get(index)
            if track is not None:
                part["transcript"] = track.heard if shown.get("role") == "user" else track.words()
        return shown

    @property
    def pending(self) -> set[str]:
        """Keys of the recognitions that have not ended."""
        return {track.key for track in self.tracks.values() if track.pending}


class Conversation:
    """Items in conversation order."""

    def __init__(self) -> None:
        self.id = new_id("conv")
        self._order: list[str] = []
        self._items: dict[str, StoredItem] = {}

    def __contains__(self, item_id: object) -> bool:
        return item_id in self._items

    def __iter__(self) -> Iterator[StoredItem]:
        return (self._items[item_id] for item_id in self._order)

    def __len__(self) -> int:
        return len(self._order)

    def get(self, item_id: str) -> StoredItem | None:
        """The item, or None."""
        return self._items.get(item_id)

    @property
    def last_id(self) -> str | None:
        """The id of the last item."""
        return self._order[-1] if self._order else None

    @property
    def ids(self) -> list[str]:
        """All ids in order, a copy."""
        return list(self._order)

    def add(self, stored: StoredItem, after: str | None = None) -> str | None:
        """Insert an item and return the id of the one before it.

        Parameters
        ----------
        stored
            The item.
        after
            An item id, ``"root"`` for the front, None (or empty) for the end.
        """
        if not after:
            index = len(self._order)
        elif after == "root":
            index = 0
        else:
            index = self._order.index(after) + 1
        self._order.insert(index, stored.id)
        self._items[stored.id] = stored
        return self._order[index - 1] if index else None

    def previous_id(self, item_id: str) -> str | None:
        """The id of the item just before; None for the first and for what is gone."""
        if item_id not in self._items:
            return None
        index = self._order.index(item_id)
        return self._order[index - 1] if index else None

    def remove(self, item_id: str) -> StoredItem:
        """Take an item out."""
        self._order.remove(item_id)
        return self._items.pop(item_id)

    def has_call(self, call_id: str) -> bool:
        """Whether a function call with this ``call_id`` stands in the conversation."""
        return any(s.item.get("type") == "function_call" and s.item.get("call_id") == call_id for s in self)


def stored_from_client(item: Any, input_format: str) -> StoredItem:
    """An item that a client made, as the server keeps it: with id, status, and its audio on tracks.

    Raises
    ------
    ValueError
        If the base64 of an audio part is broken.
    """
    kept: Event = copy.deepcopy(dict(item))
    kept["id"] = item.get("id") or new_id("item")
    if kept["type"] in _WITH_STATUS:
        kept["object"], kept["status"] = "realtime.item", "completed"
    stored = StoredItem(kept)
    if kept.get("type") == "function_call" and not kept.get("call_id"):
        kept["call_id"] = new_id("call")
    if kept.get("type") == "message":
        kept.setdefault("content", [])
    for index, part in enumerate(kept.get("content") or ()):
        if part.get("type") == "input_audio":
            part.setdefault("transcript", None)
            data = base64.b64decode(part.pop("audio", None) or "", validate=True)
            track = stored.tracks[index] = Track()
            track.add(codec.decoder(input_format).push(data))
    return stored
