"""A conversation as plain values, to be saved and continued elsewhere.

What a server must be told so that it goes on (`rtnb.core.restore`): settings, definitions of tools, items. No sound of
answers, since no server takes it, and no keys. As JSON::

    {"rtnb_snapshot": 1, "model": "gpt-realtime-2.1-mini", "session": {...}, "items": [{"id": "item_...", ...}, ...]}

Imports `rtnb.core`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Final

from rtnb.core.errors import ProtocolError
from rtnb.core.items import Item
from rtnb.core.protocol import Event, item_create, new_id
from rtnb.core.recording import clean
from rtnb.core.restore import create_events

__all__ = ["Snapshot", "snapshot_of"]

_VERSION: Final = 1
_NO_LIMIT: Final = 1 << 40
_CREDENTIALS: Final = ("authorization", "headers")


class Snapshot(dict[str, Any]):
    """A conversation as plain values: JSON can hold it, and `rtnb.restore` continues it.

    Examples
    --------
    >>> import rtnb
    >>> with rtnb.Session("local", output="text") as session:
    ...     text = session.ask("Say hello").text
    ...     snapshot = session.snapshot()
    >>> [item["role"] for item in snapshot["items"]]
    ['user', 'assistant']
    """

    def save(self, path: str | PathLike[str]) -> Path:
        """Write it as JSON; gives the path."""
        target = Path(path)
        target.write_text(json.dumps(self, ensure_ascii=False, indent=1), encoding="utf-8")
        return target

    @classmethod
    def load(cls, source: Mapping[str, Any] | str | PathLike[str]) -> Snapshot:
        """Take one as it was given, or read it from a file.

        Raises
        ------
        ProtocolError
            It is none; the text says why.
        """
        value: Any = source
        if isinstance(source, (str, PathLike)):
            try:
                value = json.loads(Path(source).read_text(encoding="utf-8"))
            except ValueError as exc:
                raise ProtocolError(f"{source} is no snapshot: {exc}") from exc
        if not isinstance(value, Mapping) or "rtnb_snapshot" not in value:
            raise ProtocolError("this is no snapshot: give what session.snapshot() gave, or the path of its file")
        if value["rtnb_snapshot"] != _VERSION:
            raise ProtocolError(f"this snapshot has version {value['rtnb_snapshot']!r}; this rtnb reads {_VERSION}")
        items = value.get("items")
        if not isinstance(items, list) or not all(isinstance(item, Mapping) and item.get("type") for item in items):
            raise ProtocolError("the items of this snapshot are damaged", param="items")
        return cls(value)

    def events(self) -> list[Event]:
        """One ``conversation.item.create`` for each item."""
        return [{**item_create(item), "event_id": new_id("event")} for item in self["items"]]

    def __repr__(self) -> str:
        return f"<Snapshot: {len(self.get('items') or ())} items, model {self.get('model')}>"


def snapshot_of(
    items: Iterable[Item],
    *,
    model: str | None,
    session: Mapping[str, Any],
    audio: bool = True,
    heard_ms: Mapping[str, float] | None = None,
    secrets: Iterable[str | None] = (),
) -> Snapshot:
    """Take a snapshot.

    Parameters
    ----------
    items
        In the order of the conversation.
    model, session
        What the session is opened with.
    audio
        False: the user's speech as its transcript only.
    heard_ms
        How much was heard of answers that were interrupted, where the server was not told.
    secrets
        Keys in use: replaced wherever they stand, as is what looks like one; the same as in a recording.
    """
    bytes_per_ms = None if audio else 0
    events = create_events(items, bytes_per_ms=bytes_per_ms, heard_ms=heard_ms, most_audio=_NO_LIMIT)
    value = {
        "rtnb_snapshot": _VERSION,
        "model": model,
        "session": _without_credentials(session),
        "items": [event["item"] for event in events],
    }
    return Snapshot(json.loads(clean(value, tuple(secrets))))


def _without_credentials(session: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, without what opens the doors of MCP servers."""
    tools = session.get("tools")
    if not isinstance(tools, list):
        return dict(session)
    return {
        **session,
        "tools": [
            {name: value for name, value in tool.items() if name not in _CREDENTIALS}
            if isinstance(tool, Mapping)
            else tool
            for tool in tools
        ],
    }
