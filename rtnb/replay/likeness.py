"""Whether what a client sends is what the recording holds: by type, and leniently by content.

Ids that a client makes differ each time, sound is never the same twice, and a question may have been retyped; a tool's
output may tell another time of day. None of this makes a notebook another notebook.

Pure. Imports `rtnb.core.protocol`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Any, Final

from rtnb.core.protocol import Event

__all__ = ["exactly", "roughly", "shown"]

_ALIKE: Final = 0.6
"""Texts are the same question when so much of them is (`difflib`): another wording, not another matter."""

_COMPARED_CHARS: Final = 1_000
_SHOWN_CHARS: Final = 60


def exactly(sent: Event, recorded: Event) -> bool:
    """Whether both are the same but for ids and sound."""
    return bool(_gist(sent) == _gist(recorded))


def roughly(sent: Event, recorded: Event) -> bool:
    """Whether one may stand for the other."""
    name = sent.get("type")
    if name != recorded.get("type"):
        return False
    if name == "conversation.item.create":
        return _is_like_item(sent.get("item"), recorded.get("item"))
    if name == "response.create":
        return _is_aside(sent) == _is_aside(recorded)
    if name in ("conversation.item.delete", "conversation.item.retrieve"):
        return bool(sent.get("item_id") == recorded.get("item_id"))
    return True


def shown(event: Event) -> str:
    """An event in a few words, for an error."""
    name = str(event.get("type"))
    item = event.get("item")
    if name != "conversation.item.create" or not isinstance(item, dict):
        return name
    if item.get("type") == "function_call_output":
        return "the output of a tool"
    text = " ".join(_texts(item)) or ", ".join(sorted(_kinds(item))) or "nothing"
    text = text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"
    return f"a message of the {item.get('role')}: {text!r}"


def _is_like_item(sent: Any, recorded: Any) -> bool:
    if not isinstance(sent, dict) or not isinstance(recorded, dict):
        return False
    if any(sent.get(name) != recorded.get(name) for name in ("type", "role", "call_id")):
        return False
    if sent.get("type") != "message":
        return True
    if _kinds(sent) != _kinds(recorded):
        return False
    one, other = (_plain(" ".join(_texts(item))) for item in (sent, recorded))
    return one == other or SequenceMatcher(None, one, other, autojunk=False).ratio() >= _ALIKE


def _is_aside(event: Event) -> bool:
    response = event.get("response")
    return isinstance(response, dict) and response.get("conversation") == "none"


def _gist(event: Event) -> Any:
    name = event.get("type")
    if name == "conversation.item.create":
        item = event.get("item")
        described = item if isinstance(item, dict) else {}
        return name, *(described.get(key) for key in ("type", "role", "call_id", "output")), [*_texts(described)]
    if name == "response.create":
        response = event.get("response")
        described = response if isinstance(response, dict) else {}
        return name, {key: value for key, value in described.items() if key != "metadata"}
    return {key: value for key, value in event.items() if key not in ("event_id", "audio_end_ms")}


def _parts(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    content = item.get("content")
    for part in content if isinstance(content, list) else ():
        if isinstance(part, dict):
            yield part


def _texts(item: dict[str, Any]) -> Iterator[str]:
    for part in _parts(item):
        text = part.get("text")
        if isinstance(text, str):
            yield text


def _kinds(item: dict[str, Any]) -> set[str]:
    return {str(part.get("type")) for part in _parts(item)}


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))[:_COMPARED_CHARS]
