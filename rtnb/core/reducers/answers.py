"""Events of a response while it runs: text, speech and arguments as they come. The hot path of a session.

Imports `rtnb.core.changes`, `content`, `protocol` and `rtnb.core.reducers.state`.
"""

from __future__ import annotations

from typing import Final

from rtnb.core.changes import Change, Changes, Kind
from rtnb.core.content import base64_bytes
from rtnb.core.protocol import Event
from rtnb.core.reducers.state import Handler, State, content_part, fill, unknown

__all__ = ["ANSWERS"]


def _audio_delta(state: State, event: Event) -> Changes:
    delta = event.get("delta")
    item = state.spoken(event)
    part = content_part(item, event.get("content_index"), "output_audio") if item is not None else None
    if item is None or part is None or type(delta) is not str:
        return unknown(event)
    part.audio_chunks.append(delta)
    part.audio_bytes += base64_bytes(delta)
    return (Change("audio", item, item.response, delta, event),)


def _transcript_delta(state: State, event: Event) -> Changes:
    delta = event.get("delta")
    item = state.spoken(event)
    part = content_part(item, event.get("content_index"), "output_audio") if item is not None else None
    if item is None or part is None or type(delta) is not str:
        return unknown(event)
    part.transcript_pieces.pieces.append(delta)
    part.heard_marks.append(part.audio_bytes)
    return (Change("transcript", item, item.response, delta, event),)


def _text_delta(state: State, event: Event) -> Changes:
    delta = event.get("delta")
    item = state.spoken(event)
    part = content_part(item, event.get("content_index"), "output_text") if item is not None else None
    if item is None or part is None or type(delta) is not str:
        return unknown(event)
    part.text_pieces.pieces.append(delta)
    return (Change("text", item, item.response, delta, event),)


def _arguments_delta(state: State, event: Event) -> Changes:
    return _arguments(state, event, "function_call")


def _mcp_arguments_delta(state: State, event: Event) -> Changes:
    return _arguments(state, event, "mcp_call")


def _arguments(state: State, event: Event, kind: str) -> Changes:
    delta = event.get("delta")
    item = state.spoken(event, kind)
    if item is None or type(delta) is not str:
        return unknown(event)
    item.argument_pieces.pieces.append(delta)
    return (Change("arguments", item, item.response, delta, event),)


def _text_done(state: State, event: Event) -> Changes:
    return _settled(state, event, "text", "text", "output_text")


def _transcript_done(state: State, event: Event) -> Changes:
    return _settled(state, event, "transcript", "transcript", "output_audio")


def _settled(state: State, event: Event, field: str, kind: Kind, part_type: str) -> Changes:
    """The whole text: mostly what the deltas brought; where a server sends none, it comes here."""
    item = state.spoken(event)
    part = content_part(item, event.get("content_index"), part_type) if item is not None else None
    if item is None or part is None:
        return unknown(event)
    full = event.get(field)
    pieces = part.text_pieces if field == "text" else part.transcript_pieces
    rest = (pieces.settle(full) if isinstance(full, str) else None) or ""
    return (Change(kind if rest else "item_updated", item, item.response, rest, event),)


def _audio_done(state: State, event: Event) -> Changes:
    item = state.spoken(event)
    if item is None:
        return unknown(event)
    return (Change("audio_done", item, item.response, "", event),)


def _arguments_done(state: State, event: Event) -> Changes:
    return _arguments_settled(state, event, "function_call")


def _mcp_arguments_done(state: State, event: Event) -> Changes:
    return _arguments_settled(state, event, "mcp_call")


def _arguments_settled(state: State, event: Event, kind: str) -> Changes:
    """The whole arguments; not yet a call, since those of a cancelled response end the same way."""
    item = state.spoken(event, kind)
    if item is None:
        return unknown(event)
    state.name_call(item, event)
    full = event.get("arguments")
    rest = item.argument_pieces.settle(full) if isinstance(full, str) else ""
    return (Change("arguments" if rest else "item_updated", item, item.response, rest or "", event),)


def _part(state: State, event: Event) -> Changes:
    item = state.spoken(event)
    given = event.get("part")
    part = content_part(item, event.get("content_index"), "") if item is not None else None
    if item is None or part is None or not isinstance(given, dict):
        return unknown(event)
    kind = given.get("type")
    if not part.type and isinstance(kind, str):  # says "text" where the item says "output_text"
        part.type = _PART_TYPES.get(kind, kind)
    changes: list[Change] = []
    fill(item, part, given, event, changes)
    changes.append(Change("item_updated", item, item.response, "", event))
    return tuple(changes)


def _mcp_state(state: State, event: Event) -> Changes:
    item = state.named(event)
    if item is None:
        return unknown(event)
    name: str = event["type"]
    if not item.type:
        item.type = "mcp_list_tools" if name.startswith("mcp_list_tools") else "mcp_call"
    item.status = name.rpartition(".")[2]
    return (Change("item_updated", item, item.response, "", event),)


_PART_TYPES: Final = {"text": "output_text", "audio": "output_audio"}

ANSWERS: Final[dict[str, Handler]] = {
    "response.output_audio.delta": _audio_delta,
    "response.output_audio_transcript.delta": _transcript_delta,
    "response.output_text.delta": _text_delta,
    "response.function_call_arguments.delta": _arguments_delta,
    "response.mcp_call_arguments.delta": _mcp_arguments_delta,
    "response.output_audio.done": _audio_done,
    "response.output_audio_transcript.done": _transcript_done,
    "response.output_text.done": _text_done,
    "response.function_call_arguments.done": _arguments_done,
    "response.mcp_call_arguments.done": _mcp_arguments_done,
    "response.content_part.added": _part,
    "response.content_part.done": _part,
    "response.mcp_call.in_progress": _mcp_state,
    "response.mcp_call.completed": _mcp_state,
    "response.mcp_call.failed": _mcp_state,
    "mcp_list_tools.in_progress": _mcp_state,
    "mcp_list_tools.completed": _mcp_state,
    "mcp_list_tools.failed": _mcp_state,
}
"""Server events of a running response, and of MCP servers."""
