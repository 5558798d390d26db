"""The items of a conversation as a list that shows itself as a table.

Imports `rtnb.core.errors`, `rtnb.core.items` and `rtnb.core.tables`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from rtnb.core.errors import redact
from rtnb.core.items import Item
from rtnb.core.tables import Table, html_table

__all__ = ["ItemTable"]

_SHOWN_CHARS: Final = 160


class ItemTable(Table[Item]):
    """The items of a conversation, in its order: a list, equal to any list of the same items.

    Parameters
    ----------
    items
        In order.
    secrets
        Keys in use: like all that looks like a key, they are not shown as HTML. The items themselves stay as they are.
    """

    __slots__ = ("_secrets",)

    columns = (
        "index",
        "id",
        "type",
        "role",
        "status",
        "text",
        "audio_ms",
        "truncated_at_ms",
        "heard_transcript",
        "name",
        "call_id",
        "arguments",
        "output",
        "transcription",
        "response_id",
        "audio_start_ms",
        "audio_end_ms",
    )

    def __init__(self, items: Iterable[Item] = (), *, secrets: tuple[str, ...] = ()) -> None:
        super().__init__(items)
        self._secrets = secrets

    def to_dict(self) -> list[dict[str, Any]]:
        """One plain row for each item, sound as its length; `Item.to_dict` gives all of one."""
        return [_row(index, item) for index, item in enumerate(self)]

    def _repr_html_(self) -> str:
        rows: list[list[object]] = []
        for index, item in enumerate(self):
            said = item.text or (
                f"{item.name}({item.arguments})" if item.type == "function_call" else item.output or ""
            )
            said = redact(said, *self._secrets)  # before it is cut: half a key is not known as one
            seconds = f"{item.audio_ms / 1000:.1f} s" if item.audio_ms else None
            what = item.role or item.type.replace("_", " ")
            rows.append([index, what, item.status, said if len(said) <= _SHOWN_CHARS else said[:159] + "…", seconds])
        return html_table(["", "from", "status", "content", "sound"], rows, caption=f"{len(self)} items")


def _row(index: int, item: Item) -> dict[str, Any]:
    return {
        "index": index,
        "id": item.id,
        "type": item.type,
        "role": item.role,
        "status": item.status,
        "text": item.text,
        "audio_ms": item.audio_ms,
        "truncated_at_ms": item.truncated_at_ms,
        "heard_transcript": item.heard_transcript,
        "name": item.name,
        "call_id": item.call_id,
        "arguments": item.arguments if item.type == "function_call" else None,
        "output": item.output,
        "transcription": item.transcription,
        "response_id": item.response_id,
        "audio_start_ms": item.audio_start_ms,
        "audio_end_ms": item.audio_end_ms,
    }
