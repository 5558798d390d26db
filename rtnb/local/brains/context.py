"""What a request's items mean to a rule: who said what, which calls are answered, what is due.

Imports the seams only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rtnb.local.brains.english import plain

__all__ = ["Called", "Context", "Said", "spoken_part"]


_MOST: Final = 2_000
"""Characters of a message that the rules read: patterns are slow on a pasted book."""


@dataclass(frozen=True)
class Said:
    """A message. `text` is empty when nothing was understood, or when it holds pictures only."""

    role: str
    text: str
    pictures: int = 0
    sound: bool = False


@dataclass(frozen=True)
class Called:
    """A tool call and its output, which is ``None`` while there is none."""

    name: str
    arguments: Mapping[str, Any]
    call_id: str
    output: str | None = None


def spoken_part(part: Mapping[str, Any]) -> str:
    """The words of one content part, in either dialect; empty when it has none."""
    return str(part.get("text") or part.get("transcript") or "")


class Context:
    """A conversation, read once.

    Attributes
    ----------
    entries : list of Said or Called
        Messages and calls in their order; outputs stand in their calls.
    fresh : list of Called
        Calls whose outputs came since the last words of user and assistant: what is to be told now.
    """

    def __init__(self, items: Sequence[Mapping[str, Any]]) -> None:
        self.items = items
        self.entries: list[Said | Called] = []
        self._where: dict[str, int] = {}
        self.fresh: list[Called] = []
        for item in items:
            self._take(item)

    def _take(self, item: Mapping[str, Any]) -> None:
        kind = item.get("type")
        if kind == "message":
            parts = [part for part in _listed(item.get("content")) if isinstance(part, Mapping)]
            said = Said(
                role=str(item.get("role")),
                text=plain(" ".join(text for text in map(spoken_part, parts) if text)[:_MOST]),
                pictures=sum("image" in str(part.get("type")) for part in parts),
                sound=any("audio" in str(part.get("type")) for part in parts),
            )
            self.entries.append(said)
            if said.role != "system" and (said.text or said.role == "user"):
                self.fresh = []
        elif kind == "function_call":
            call_id = str(item.get("call_id"))
            self._where[call_id] = len(self.entries)
            self.entries.append(Called(str(item.get("name")), _arguments(item.get("arguments")), call_id))
        elif kind == "function_call_output":
            call_id, output = str(item.get("call_id")), str(item.get("output") or "")
            where = self._where.get(call_id)
            old = self.entries[where] if where is not None else None
            called = (
                Called(old.name, old.arguments, call_id, output)
                if isinstance(old, Called)
                else Called("", {}, call_id, output)
            )
            if where is None:
                self.entries.append(called)
            else:
                self.entries[where] = called
            fresh = [*(call for call in self.fresh if call.call_id != call_id), called]
            # Told in the order in which they were asked for: which of two tools ends first is chance.
            self.fresh = sorted(fresh, key=lambda call: self._where.get(call.call_id, len(self.entries)))

    @property
    def messages(self) -> list[Said]:
        """What user and assistant said; not the system's messages."""
        return [entry for entry in self.entries if isinstance(entry, Said) and entry.role in {"user", "assistant"}]

    @property
    def user(self) -> list[str]:
        """Everything the user said and that was understood, in order."""
        return [said.text for said in self.messages if said.role == "user" and said.text]

    @property
    def last(self) -> Said | None:
        """The user's last message, understood or not."""
        return next((said for said in reversed(self.messages) if said.role == "user"), None)

    @property
    def calls(self) -> list[Called]:
        """All tool calls, in order."""
        return [entry for entry in self.entries if isinstance(entry, Called)]

    @property
    def system(self) -> list[str]:
        """The system's messages."""
        return [entry.text for entry in self.entries if isinstance(entry, Said) and entry.role == "system"]

    def before(self, message: Said) -> Context:
        """The conversation up to and including `message` (found by identity of its place from the end)."""
        count = next(at for at, entry in enumerate(self.entries) if entry is message)
        cut = Context(())
        cut.entries = self.entries[: count + 1]
        return cut


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _arguments(raw: Any) -> Mapping[str, Any]:
    try:
        value = json.loads(raw) if isinstance(raw, str) else raw
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
