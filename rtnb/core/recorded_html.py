"""How a recording reads in a notebook: its items as an HTML table without scripts, and what is missing of it.

Imports `rtnb.core.errors` only.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from rtnb.core.errors import redact

if TYPE_CHECKING:
    from rtnb.core.items import Item
    from rtnb.core.recorded import Recording

__all__ = ["html_of", "kind_of"]

_TEXT_CHARS: Final = 300


def html_of(recording: Recording, endpoint: str) -> str:
    """A row for each item, under what is known of the whole.

    Parameters
    ----------
    recording
        Any recording.
    endpoint
        What it was recorded with, in words.
    """
    rows = "".join(_html_row(item) for item in recording.items)
    lacks = "".join(f"<li>{escape(redact(each))}</li>" for each in recording.missing)
    when = escape(str(recording.about.get("recorded") or ""))
    model = f", model {escape(redact(recording.model))}" if recording.model else ""
    caption = (
        f"<b>{escape(recording.name)}</b>: {recording.seconds:.1f} s, {len(recording.events)} events, "
        f"recorded with {endpoint}{model}{f', {when}' if when else ''}"
    )
    return (
        f"<table><caption>{caption}</caption>"
        "<thead><tr><th>who</th><th>what</th><th>sound</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>" + (f"<p>What is missing:</p><ul>{lacks}</ul>" if lacks else "")
    )


def kind_of(item: Item) -> str:
    """What an item is, in words: ``user message``, ``function call``."""
    return f"{item.role} message" if item.type == "message" else (item.type or "item").replace("_", " ")


def _html_row(item: Item) -> str:
    if item.type == "function_call":
        what = f"{item.name}({item.arguments})"
    elif item.type == "function_call_output":
        what = item.output or ""
    else:
        what = item.text
    what = redact(what)
    what = what if len(what) <= _TEXT_CHARS else f"{what[:_TEXT_CHARS]}…"
    sound = f"{item.audio_ms / 1000:.1f} s" if item.audio_bytes else ""
    if item.truncated_at_ms is not None:
        sound += f", cut at {item.truncated_at_ms / 1000:.1f} s"
    cells = (kind_of(item), what, sound)
    return "<tr>" + "".join(f'<td style="text-align:left">{escape(str(cell))}</td>' for cell in cells) + "</tr>"
