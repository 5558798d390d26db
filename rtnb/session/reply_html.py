"""How a reply reads: as plain text in a terminal, as HTML without scripts in a notebook; no key in either.

Imports `rtnb.core.errors` only.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, Final

from rtnb.core.errors import redact

if TYPE_CHECKING:
    from rtnb.session.reply import Reply
    from rtnb.session.tool_call import ToolCall

__all__ = ["html_of", "plain_of"]

_LINE: Final = 200  # characters of a tool's output on the line of its call
_MOST: Final = 8_000  # characters of a tool's output that a notebook keeps


def plain_of(reply: Reply, outcome: str, secrets: tuple[str, ...] = ()) -> str:
    """The text so far, calls and outcome.

    Parameters
    ----------
    reply
        Any reply.
    outcome
        How it stands, in words.
    secrets
        Keys in use, whatever they look like.
    """
    lines = [
        f"[{call.name}({_arguments(call.arguments, secrets)}) -> {_result(call, secrets)}]"
        for call in reply.tool_calls_so_far
    ]
    if reply.text_so_far:
        lines.append(redact(reply.text_so_far, *secrets))
    if reply.status not in ("completed", "in_progress") or not lines:
        lines.append(f"({redact(outcome, *secrets)})")
    return "\n".join(lines)


def html_of(reply: Reply, outcome: str, secrets: tuple[str, ...] = ()) -> str:
    """The same for a notebook; what a tool gave at length is folded away."""
    rows = [_call(call, secrets) for call in reply.tool_calls_so_far]
    text = html.escape(redact(reply.text_so_far, *secrets)).replace("\n", "<br>")
    cursor = "" if reply.is_done else "<span aria-hidden='true'>&#9646;</span>"
    rows.append(f"<div>{text}{cursor}</div>")
    if reply.status not in ("completed", "in_progress"):
        rows.append(f"<div style='opacity:.75'><em>{html.escape(redact(outcome, *secrets))}</em></div>")
    notes = (html.escape(redact(note, *secrets)) for note in reply.notes)
    rows += [f"<div style='opacity:.75'><em>{note}</em></div>" for note in notes]
    return f"<div class='rtnb-reply' style='max-width:60em'>{''.join(rows)}</div>"


def _call(call: ToolCall, secrets: tuple[str, ...]) -> str:
    head = f"&#9881; {html.escape(call.name)}({html.escape(_arguments(call.arguments, secrets))}) &rarr;"
    output = redact(call.output or "", *secrets)
    if call.error is not None or len(output) <= _LINE:
        return f"<div style='opacity:.75;font-family:monospace'>{head} {html.escape(_result(call, secrets))}</div>"
    shown = output if len(output) <= _MOST else f"{output[:_MOST]}… ({len(output) - _MOST:,} more characters)"
    return (
        f"<details style='opacity:.75;font-family:monospace'><summary>{head} {len(output):,} characters</summary>"
        f"<pre style='white-space:pre-wrap;overflow-wrap:anywhere'>{html.escape(shown)}</pre></details>"
    )


def _arguments(arguments: Any, secrets: tuple[str, ...]) -> str:
    if isinstance(arguments, dict):
        text = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
    else:
        text = str(arguments)
    text = redact(text, *secrets)  # before it is cut: half a key is not known as one
    return text if len(text) <= 120 else text[:117] + "..."


def _result(call: ToolCall, secrets: tuple[str, ...]) -> str:
    if call.error is not None:
        return redact(f"error: {call.error}", *secrets)
    if call.output is None:
        return "running"
    output = redact(call.output, *secrets)
    return output if len(output) <= _LINE else output[: _LINE - 3] + "..."
