"""What is shown of an item of a conversation: one plain row, for the live view and for the saved notebook alike.

A call of a tool and its output are one row. What was heard of an interrupted answer and what was not are told apart.

Imports the core and `rtnb.session`.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias

import numpy as np

from rtnb.core.envelope import Envelope
from rtnb.core.errors import redact
from rtnb.core.items import Item
from rtnb.core.log import Entry
from rtnb.core.protocol import BYTES_PER_MS
from rtnb.session.telephone import pcm_of_item
from rtnb.session.tool_call import ToolCall

__all__ = ["BARS", "Tone", "Wave", "call_times", "is_shown", "row_of", "shown_before"]

BARS: Final = 72
"""Bars of a small waveform."""

_LONG: Final = 20_000  # characters of one text that a view gets; all of it is in the item

Tone: TypeAlias = Literal["", "busy", "good", "warn", "bad"]
"""How a state is meant: nothing special, under way, done, worth knowing, gone wrong. Never told by colour alone."""


def row_of(
    item: Item,
    *,
    call: ToolCall | None = None,
    call_ms: float | None = None,
    is_speaking: bool = False,
    is_over: bool = False,
    secrets: Iterable[str] = (),
) -> dict[str, Any]:
    """One item as plain values that JSON can hold.

    Parameters
    ----------
    item
        A message, or a call; its output, when it has come, is part of the row.
    call, call_ms
        What is known of a call beside the wire: how it went, and how many milliseconds it took.
    is_speaking
        The user is speaking it just now.
    is_over
        The connection is gone: nothing more comes.
    secrets
        Keys in use; they, and what looks like one, are replaced.
    """
    row: dict[str, Any] = {"id": item.id, "who": _who(item)}
    if item.type in ("function_call", "mcp_call"):
        row["call"] = _call(item, call, call_ms, is_over=is_over)
        row["state"], row["tone"] = row["call"]["state"], row["call"]["tone"]
    else:
        row["text"], row["rest"] = _texts(item)
        row["state"], row["tone"] = _state(item, is_speaking=is_speaking, is_over=is_over)
        row["images"] = sum(1 for part in item.parts if part.image_url)
    row["ms"] = round(item.audio_ms) if item.audio_bytes else 0
    row["cut"] = item.truncated_at_ms
    return {name: _clean(value, tuple(secrets)) for name, value in row.items()}


def is_shown(item: Item) -> bool:
    """Whether an item has a row of its own: outputs of tools stand in the row of their call."""
    return not (item.type == "function_call_output" and _has_call(item))


def shown_before(item: Item) -> str | None:
    """Id of the row before an item's own; None when it is the first."""
    before = item.previous
    while before is not None and not is_shown(before):
        before = before.previous
    return before.id if before is not None else None


def _has_call(output: Item) -> bool:
    """Whether the call of an output stands before it: mostly its neighbour, always near."""
    before = output.previous
    for _ in range(64):
        if before is None:
            return False
        if before.answer is output:
            return True
        before = before.previous
    return False


def _who(item: Item) -> str:
    if item.type == "message":
        return item.role or "other"
    return "tool" if item.type else "other"


def _texts(item: Item) -> tuple[str, str]:
    """What is read, and what of it was never heard."""
    if item.type == "function_call_output":
        return _cut(item.output or ""), ""
    if item.type not in ("message", ""):
        return _cut(json.dumps(item.raw, ensure_ascii=False, default=str)), ""
    written = "".join([part.text for part in item.parts])
    return _cut(written + item.heard_transcript), _cut(item.unheard)


def _cut(text: str) -> str:
    return text if len(text) <= _LONG else f"{text[:_LONG]}… ({len(text) - _LONG:,} more characters)"


def _state(item: Item, *, is_speaking: bool, is_over: bool) -> tuple[str, Tone]:
    if item.role == "user":
        return _said(item, is_speaking=is_speaking, is_over=is_over)
    if item.role != "assistant":
        return "", ""
    response = item.response
    if item.truncated_at_ms is not None and (item.unheard or item.truncated_at_ms < item.audio_ms):
        heard, whole = item.truncated_at_ms / 1000, item.audio_ms / 1000
        return f"interrupted: {heard:.1f} s of {whole:.1f} s heard", "warn"
    if response is not None and response.done and response.status != "completed":
        error = response.error
        why = (error.get("message") or error.get("code")) if error is not None else response.reason
        words = {"turn_detected": "the user spoke", "client_cancelled": "stopped here"}.get(str(why), str(why or ""))
        tone: Tone = "bad" if response.status == "failed" else "warn"
        return f"{response.status}: {words}" if words else response.status, tone
    if item.status == "incomplete":
        return "incomplete", "warn"
    if item.status == "in_progress" and not item.done:
        return ("cut off: the connection ended", "bad") if is_over else ("answering…", "busy")
    return "", ""


def _said(item: Item, *, is_speaking: bool, is_over: bool) -> tuple[str, Tone]:
    if is_speaking and not item.done:
        return ("cut off: the connection ended", "bad") if is_over else ("speaking…", "busy")
    if not any(part.type == "input_audio" or part.audio_bytes for part in item.parts) or item.transcript:
        return "", ""
    if item.transcription == "failed":
        error = item.transcription_error or {}
        return f"no transcript: {error.get('message') or error.get('code') or 'it failed'}", "bad"
    if item.transcription == "awaiting":
        return ("no transcript: the connection ended", "warn") if is_over else ("transcript awaited…", "busy")
    if item.transcription == "done":
        return "nothing was understood", "warn"
    return "no transcript", ""


def _call(item: Item, call: ToolCall | None, call_ms: float | None, *, is_over: bool) -> dict[str, Any]:
    output = item.answer.output if item.answer is not None else item.output
    result = call.result if call is not None and call.result is not None else output
    if result is None and call is not None:
        result = call.output
    error = call.error if call is not None else _error_in(output)
    ms = call.milliseconds if call is not None and call.milliseconds is not None else call_ms
    response = item.response
    state: tuple[str, Tone]
    if error is not None:
        state = "failed", "bad"
    elif result is not None:
        state = "done", "good"
    elif (
        item.status == "failed"
        or item.status == "incomplete"
        or (response is not None and response.status == "cancelled")
    ):
        state = "not carried out", "warn"
    elif is_over:
        state = "never answered", "warn"
    elif item.status == "completed" or item.done:
        state = "running…", "busy"
    else:
        state = "being written…", "busy"
    return {
        "name": item.name or str(item.raw.get("name") or item.type),
        "arguments": _pretty(item.arguments or str(item.raw.get("arguments") or "")),
        "state": state[0],
        "tone": state[1],
        "ms": None if ms is None else round(ms, 1),
        "result": None if result is None else _cut(_pretty(result)),
        "error": error,
    }


def _pretty(text: str) -> str:
    """JSON on one line if it is short, on several if it is not; anything else as it is."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    line = json.dumps(value, ensure_ascii=False)
    return line if len(line) <= 100 else json.dumps(value, ensure_ascii=False, indent=2)


def _error_in(output: str | None) -> str | None:
    """The error that a tool's output tells, as rtnb and most others write it."""
    if not output or '"error"' not in output[:200]:
        return None
    try:
        value = json.loads(output)
    except ValueError:
        return None
    error = value.get("error") if isinstance(value, Mapping) else None
    if isinstance(error, Mapping):
        error = error.get("message")
    return error if isinstance(error, str) else None


def _clean(value: Any, secrets: tuple[str, ...]) -> Any:
    if isinstance(value, str):
        return redact(value, *secrets)
    if isinstance(value, dict):
        return {name: _clean(member, secrets) for name, member in value.items()}
    return value


def call_times(log: Iterable[Entry]) -> dict[str, float]:
    """Milliseconds from each call's arguments to the output that was sent for it, by call id, from a log alone."""
    asked: dict[str, float] = {}
    took: dict[str, float] = {}
    for entry in log:
        if entry.name == "response.function_call_arguments.done":
            asked[str(entry.event.get("call_id"))] = entry.time
        elif entry.name == "conversation.item.create" and entry.direction == "client":
            item = entry.event.get("item")
            call_id = str(item.get("call_id")) if isinstance(item, dict) else ""
            if call_id in asked and call_id not in took:
                took[call_id] = 1000 * (entry.time - asked[call_id])
    return took


class Wave:
    """The small waveform of an item, which grows with it at the cost of what is new.

    `bars` gives up to `BARS` peaks from 0 to 100.
    """

    def __init__(self) -> None:
        self._envelope = Envelope(256)
        self._taken: dict[int, int] = {}  # chunks of each part that are in it
        self._is_whole = False

    def take(self, item: Item) -> bool:
        """Take what is new of an item's sound; False when nothing is."""
        if self._is_whole or not item.audio_bytes:
            return False
        if item.role == "assistant" and item.bytes_per_ms == BYTES_PER_MS and not item.done:
            return self._grow(item)
        self._envelope = Envelope(256)
        self._is_whole = item.done
        self._envelope.push(np.frombuffer(_even(pcm_of_item(item)), "<i2"))
        return True

    def _grow(self, item: Item) -> bool:
        is_new = False
        for number, part in enumerate(item.parts):
            chunks = part.audio_chunks
            done, count = self._taken.get(number, 0), len(chunks)
            for chunk in chunks[done:count]:
                try:
                    pcm = base64.b64decode(chunk)
                except (ValueError, binascii.Error):
                    continue
                self._envelope.push(np.frombuffer(_even(pcm), "<i2"))
                is_new = True
            self._taken[number] = count
        return is_new

    @property
    def bars(self) -> list[int]:
        """The peaks so far, relative to the loudest, but near silence stays small."""
        low, high = self._envelope.result()
        peaks = np.maximum(np.abs(low), np.abs(high))
        if not peaks.size:
            return []
        edges = np.linspace(0, peaks.size, min(BARS, peaks.size) + 1).astype(int)[:-1]
        bars = np.maximum.reduceat(peaks, edges)
        return [int(bar) for bar in np.round(100 * bars / max(0.25, float(bars.max())))]


def _even(pcm: bytes) -> bytes:
    return pcm[: len(pcm) & ~1]
