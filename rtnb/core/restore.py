"""What a new connection must be told, so that a conversation goes on where the former one ended.

A server forgets a session with its connection. `item_of` says an item as the protocol lets a client create it, under
its old id; `create_events` all of a conversation; `unanswered` finds in the log what the former connection was sent and
never answered.

==============================  =====================================================================================
item                            how it is created again
==============================  =====================================================================================
user's text, picture            as it is
user's speech                   as audio; as its transcript where there is no audio, and for the older ones of a long
                                conversation (`MOST_AUDIO` characters of base64 are sent in all)
assistant's text                as it is
assistant's speech              as text: the service takes no assistant audio. Where the user interrupted it, only the
                                words that were heard
function call, its output       as they are; arguments that were cut in their midst as ``{}``
MCP call, approval              as they are; lists of MCP tools are left out, the server asks for them again
==============================  =====================================================================================

Imports `rtnb.core`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from rtnb.core.content import Part
from rtnb.core.items import Item
from rtnb.core.log import Entry
from rtnb.core.protocol import LIMITS, Event, item_create, new_id

__all__ = ["MOST_AUDIO", "create_events", "item_of", "unanswered"]

MOST_AUDIO: Final = 8 * 1024 * 1024
"""Characters of base64 of the user's speech that are sent again as audio where there is a transcript: two minutes."""

_NOTHING_HEARD: Final = "…"
_MCP_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "mcp_call": ("server_label", "name", "arguments", "output", "error", "approval_request_id"),
    "mcp_approval_request": ("server_label", "name", "arguments"),
    "mcp_approval_response": ("approval_request_id", "approve", "reason"),
}


def create_events(
    items: Iterable[Item],
    *,
    bytes_per_ms: int | None = None,
    heard_ms: Mapping[str, float] | None = None,
    most_audio: int = MOST_AUDIO,
    encoded: dict[tuple[str, int], str] | None = None,
) -> list[Event]:
    """One ``conversation.item.create`` for each item that a client can create, in their order.

    Parameters
    ----------
    items
        In the order of the conversation.
    bytes_per_ms
        Of the input audio of the new connection: speech in another format goes as its transcript. None: any fits.
    heard_ms
        How much was heard of answers that were interrupted, where the server was not told any more.
    most_audio
        Characters of base64 that speech may take in all, where there are transcripts that can stand for it.
    encoded
        Remembers the base64 of speech, by item and part: a log that is told it again and again keeps it once.
    """
    events: list[Event] = []
    room = most_audio
    encoded = {} if encoded is None else encoded
    for item in reversed(list(items)):
        heard = (heard_ms or {}).get(item.id)
        made = item_of(item, room=room, bytes_per_ms=bytes_per_ms, heard_ms=heard, encoded=encoded)
        if made is None:
            continue
        room -= sum(len(part.get("audio") or "") for part in made.get("content") or ())
        events.append({**item_create(made), "event_id": new_id("event")})
    return events[::-1]


def item_of(
    item: Item,
    *,
    room: int = MOST_AUDIO,
    bytes_per_ms: int | None = None,
    heard_ms: float | None = None,
    encoded: dict[tuple[str, int], str] | None = None,
) -> dict[str, Any] | None:
    """An item as a client may create it; None where it may not.

    Parameters
    ----------
    item
        Any item.
    room
        Characters of base64 that its speech may take, where there is a transcript that can stand for it.
    bytes_per_ms, heard_ms, encoded
        As for `create_events`.
    """
    named: dict[str, Any] = {"id": item.id, "type": item.type}
    if item.type == "message":
        content = _content(item, room, bytes_per_ms, heard_ms, {} if encoded is None else encoded)
        return {**named, "role": item.role, "content": content}
    if item.type == "function_call":
        return {**named, "call_id": item.call_id or "", "name": item.name or "", "arguments": _arguments(item)}
    if item.type == "function_call_output":
        return {**named, "call_id": item.call_id or "", "output": item.output or ""}
    fields = _MCP_FIELDS.get(item.type)
    if fields is None:
        return None
    return {**named, **{name: item.raw[name] for name in fields if item.raw.get(name) is not None}}


def _content(
    item: Item, room: int, bytes_per_ms: int | None, heard_ms: float | None, encoded: dict[tuple[str, int], str]
) -> list[dict[str, Any]]:
    if item.role == "assistant":
        return [{"type": "output_text", "text": _words(item, heard_ms)[: LIMITS.TEXT_CHARS] or _NOTHING_HEARD}]
    parts = []
    for index, part in enumerate(item.parts):
        if part.image_url is not None:
            parts.append(_picture(item, index, part.image_url))
        elif part.type == "input_audio" and item.role == "user":
            fits = bytes_per_ms is None or item.bytes_per_ms == bytes_per_ms
            size = part.audio_bytes * 4 // 3 if fits else 0
            if size and (size <= room or not part.transcript):
                parts.append(_speech(part, encoded, (item.id, index)))
            else:
                parts.append(_text(part.transcript or "(something was said that was not kept)"))
        else:
            parts.append(_text(part.text or part.transcript))
    return parts or [_text("")]


def _words(item: Item, heard_ms: float | None) -> str:
    if item.truncated_at_ms is None and heard_ms is not None:
        position = int(heard_ms * item.bytes_per_ms)
        return "".join([part.text or part.transcript[: part.heard(position)] for part in item.parts])
    return item.text if item.truncated_at_ms is None else item.heard_transcript


def _speech(part: Part, encoded: dict[tuple[str, int], str], key: tuple[str, int]) -> dict[str, Any]:
    if key not in encoded:
        encoded[key] = base64.b64encode(part.audio()[: LIMITS.APPEND_BYTES]).decode("ascii")
    made = {"type": "input_audio", "audio": encoded[key]}
    return {**made, "transcript": part.transcript} if part.transcript else made


def _picture(item: Item, index: int, url: str) -> dict[str, Any]:
    given = item.raw.get("content")
    given = given[index] if isinstance(given, list) and index < len(given) else None
    detail = given.get("detail") if isinstance(given, Mapping) else None
    made = {"type": "input_image", "image_url": url}
    return {**made, "detail": detail} if isinstance(detail, str) else made


def _text(text: str) -> dict[str, Any]:
    return {"type": "input_text", "text": text[: LIMITS.TEXT_CHARS]}


def _arguments(item: Item) -> str:
    try:
        json.loads(item.arguments)
    except ValueError:
        return "{}"
    return item.arguments


_ANSWERS: Final = {
    "input_audio_buffer.commit": "input_audio_buffer.committed",
    "input_audio_buffer.clear": "input_audio_buffer.cleared",
}


def unanswered(entries: Iterable[Entry]) -> list[Event]:
    """The client events of a connection that the server has neither carried out nor refused, in their order.

    Only of those that can be sent again: items to create, delete and retrieve, commits and clears, and responses to
    create. Audio is known to the conversation (`Conversation.uncommitted`), settings to the session.

    Parameters
    ----------
    entries
        Of the log, from the ``session.created`` of the connection on.
    """
    waiting: dict[tuple[str, str], list[Event]] = {}
    order: dict[int, Event] = {}  # by identity, in the order in which they were sent
    for entry in entries:
        event, name = entry.event, entry.name
        if entry.direction == "client":
            key = _key(name, event)
            if key is not None:
                waiting.setdefault(key, []).append(event)
                order[id(event)] = event
        elif name == "error":
            _refuse(event, waiting, order)
        else:
            found = waiting.get(_answered(name, event))
            if found:
                del order[id(found.pop(0))]
    return list(order.values())


def _key(name: str, event: Event) -> tuple[str, str] | None:
    """What a client event waits for."""
    if name == "conversation.item.create":
        return "added", _id(event.get("item"))
    if name in ("conversation.item.delete", "conversation.item.retrieve"):
        return name.rpartition(".")[2], str(event.get("item_id"))
    if name == "response.create":
        return name, ""
    return (_ANSWERS[name], "") if name in _ANSWERS else None


def _answered(name: str, event: Event) -> tuple[str, str]:
    """What a server event answers."""
    if name in ("conversation.item.added", "conversation.item.created", "conversation.item.done"):
        return "added", _id(event.get("item"))
    if name == "conversation.item.deleted":
        return "delete", str(event.get("item_id"))
    if name == "conversation.item.retrieved":
        return "retrieve", _id(event.get("item"))
    return ("response.create", "") if name == "response.created" else (name, "")


def _refuse(error: Event, waiting: dict[tuple[str, str], list[Event]], order: dict[int, Event]) -> None:
    detail = error.get("error")
    event_id = detail.get("event_id") if isinstance(detail, Mapping) else None
    if event_id is None:
        return
    for events in waiting.values():
        for event in events:
            if event.get("event_id") == event_id:
                events.remove(event)
                del order[id(event)]
                return


def _id(value: object) -> str:
    return str(value.get("id")) if isinstance(value, Mapping) else ""
