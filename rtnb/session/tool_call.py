"""`ToolCall`: one call of a tool in a reply, from the model's word to what came of it.

It is filled by those who run the tool, and read by the reply and by all who show one. Imports nothing of rtnb.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

__all__ = ["ToolCall"]


@dataclass
class ToolCall:
    """One call of a tool in a reply.

    Attributes
    ----------
    name, call_id
        As the model gave them.
    arguments
        The arguments, parsed; the text itself where it is no JSON object.
    output
        What went back to the model; None while it is not known (or when nobody here runs this tool).
    error
        What went wrong, in words; None when nothing did.
    milliseconds
        How long the tool ran; None while it runs.
    shown
        What the tool wants a person to see (see `rtnb.Result`); None when nothing.
    result
        What a tool with ``background=True`` gave in the end; its `output` only said that it was under way.
    arguments_text
        The arguments as the model wrote them.
    """

    name: str
    call_id: str
    arguments: Any
    output: str | None = None
    error: str | None = None
    milliseconds: float | None = None
    shown: Any = field(default=None, repr=False)
    result: str | None = None
    arguments_text: str = field(default="{}", repr=False)

    @classmethod
    def from_item(cls, item: dict[str, Any]) -> ToolCall:
        """Make it from a ``function_call`` item as it stands on the wire."""
        text = item.get("arguments") or "{}"
        try:
            arguments = json.loads(text)
        except (ValueError, TypeError):
            arguments = text
        return cls(str(item.get("name") or ""), str(item.get("call_id") or ""), arguments, arguments_text=str(text))
