"""How a reply reads: as plain text in a terminal, as HTML without scripts in a notebook.

Imports nothing of rtnb when run.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rtnb.session.reply import Reply, ToolCall

__all__ = ["html_of", "plain_of"]

_LINE: Final = 200  # characters of a tool's output on the line of its call
_MOST: Final = 8_000  # characters of a tool's output that a notebook keeps


def plain_of(reply: Reply, outcome: str) -> str:
    """The text so far, calls and outcome.

    Parameters
    ----------
    reply
        Any reply.
    outcome
        How it stands, in words.
    """
    lines = [f"[{call.name}({_arguments(call.arguments)}) -> {_result(call)}]" for call in reply.tool_calls_so_far]
    if reply.text_so_far:
        lines.append(reply.text_so_far)
    if reply.status not in ("completed", "in_progress") or not lines:
        lines.append(f"({outcome})")
    return "\n".join(lines)


def html_of(reply: Reply, outcome: str) -> str:
    """The same for a notebook; what a tool gave at length is folded away."""
    rows = [_call(call) for call in reply.tool_calls_so_far]
    text = html.escape(reply.text_so_far).replace("\n", "<br>")
    cursor = "" if reply.is_done else "<span aria-hidden='true'>&#9646;</span>"
    rows.append(f"<div>{text}{cursor}</div>")
    if reply.status not in ("completed", "in_progress"):
        rows.append(f"<div style='opacity:.75'><em>{html.escape(outcome)}</em></div>")
    rows += [f"<div style='opacity:.75'><em>{html.escape(note)}</em></div>" for note in reply.notes]
    return f"<div class='rtnb-reply' style='max-width:60em'>{''.join(rows)}</div>"


def _call(call: ToolCall) -> str:
    head = f"&#9881; {html.escape(call.name)}({html.escape(_arguments(call.arguments))}) &rarr;"
    output = call.output or ""
    if call.error is not None or len(output) <= _LINE:
        return f"<div style='opacity:.75;font-family:monospace'>{head} {html.escape(_result(call))}</div>"
    shown = output if len(output) <= _MOST else f"{output[:_MOST]}… ({len(output) - _MOST:,} more characters)"
    return (
        f"<details style='opacity:.75;font-family:monospace'><summary>{head} {len(output):,} characters</summary>"
        f"<pre style='white-space:pre-wrap;overflow-wrap:anywhere'>{html.escape(shown)}</pre></details>"
    )


def _arguments(arguments: Any) -> str:
    if isinstance(arguments, dict):
        text = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
    else:
        text = str(arguments)
    return text if len(text) <= 120 else text[:117] + "..."


def _result(call: ToolCall) -> str:
    if call.error is not None:
        return f"error: {call.error}"
    if call.output is None:
        return "running"
    return call.output if len(call.output) <= _LINE else call.output[: _LINE - 3] + "..."
