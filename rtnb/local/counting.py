"""Token counts of the local endpoint: an estimate, with the shape of the service's figures.

How it is counted:

- text: one token for four characters, at least one for any text;
- audio of a user: one token for 100 ms; audio of the assistant: one for 50 ms, as output and, later, as input;
- a picture: 85 tokens with ``detail: "low"``, else 765;
- tools: the text of their JSON; each item has 4 tokens of overhead;
- cached: what an answer's input has in common with the input of the answer before, from its beginning, in blocks of 64.

May import `rtnb.core.protocol` and `rtnb.local.store`.
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from rtnb.core.protocol import Event
from rtnb.local.store import StoredItem

__all__ = ["InputCount", "RateWindow", "audio_in_tokens", "audio_out_tokens", "count_input", "text_tokens", "usage"]

InputCount = list[tuple[str, str, int]]
"""Blocks of input in order: (what it is, modality, tokens). Equal beginnings of two lists are what a cache saves."""

_ITEM_OVERHEAD: Final = 4
_CACHE_BLOCK: Final = 64
_MODALITIES: Final = ("text", "audio", "image")


def text_tokens(text: str) -> int:
    """Tokens of a text: about four characters each."""
    return math.ceil(len(text) / 4)


def audio_in_tokens(ms: float) -> int:
    """Tokens of a user's audio: one for 100 ms."""
    return math.ceil(ms / 100)


def audio_out_tokens(ms: float) -> int:
    """Tokens of the assistant's audio: one for 50 ms."""
    return math.ceil(ms / 50)


def count_input(instructions: str, tools: Sequence[Mapping[str, Any]], items: Iterable[StoredItem]) -> InputCount:
    """Count what a response reads."""
    blocks: InputCount = [(f"instructions {hash(instructions)}", "text", text_tokens(instructions))]
    if tools:
        spelled = json.dumps(list(tools), sort_keys=True, default=str)
        blocks.append((f"tools {hash(spelled)}", "text", text_tokens(spelled)))
    for stored in items:
        text, audio, image = _ITEM_OVERHEAD, 0, 0
        item = stored.item
        text += text_tokens(
            str(item.get("name") or "") + str(item.get("arguments") or "") + str(item.get("output") or "")
        )
        for part in item.get("content") or ():
            text += text_tokens(part.get("text") or "")
            if part.get("type") == "input_image":
                image += 85 if part.get("detail") == "low" else 765
        for track in stored.tracks.values():
            audio += audio_in_tokens(track.ms) if item.get("role") == "user" else audio_out_tokens(track.ms)
        for modality, tokens in zip(_MODALITIES, (text, audio, image), strict=True):
            if tokens:
                blocks.append((f"{stored.id} {tokens}", modality, tokens))
    return blocks


def usage(
    blocks: InputCount, before: InputCount, *, text: int, audio: int, told: Mapping[str, int] | None = None
) -> Event:
    """The ``usage`` object of a response.

    Parameters
    ----------
    blocks, before
        The input of this response, and of the one before it.
    text, audio
        Output tokens.
    told
        Real totals, when the brain knows them: ``input_tokens`` and ``output_tokens``.
    """
    read = dict.fromkeys(_MODALITIES, 0)
    cached = dict.fromkeys(_MODALITIES, 0)
    same = True
    for index, block in enumerate(blocks):
        same = same and index < len(before) and before[index] == block
        read[block[1]] += block[2]
        if same:
            cached[block[1]] += block[2]
    cached = {name: tokens // _CACHE_BLOCK * _CACHE_BLOCK for name, tokens in cached.items()}
    if told:
        # The brain's own tokenizer counted text; audio and pictures stay ours.
        read["text"] = max(0, told.get("input_tokens", sum(read.values())) - read["audio"] - read["image"])
        cached["text"] = min(cached["text"], read["text"])
        text = max(0, told.get("output_tokens", text))
    total_in, total_out = sum(read.values()), text + audio
    return {
        "total_tokens": total_in + total_out,
        "input_tokens": total_in,
        "output_tokens": total_out,
        "input_token_details": {
            "text_tokens": read["text"],
            "audio_tokens": read["audio"],
            "image_tokens": read["image"],
            "cached_tokens": sum(cached.values()),
            "cached_tokens_details": {
                "text_tokens": cached["text"],
                "audio_tokens": cached["audio"],
                "image_tokens": cached["image"],
            },
        },
        "output_token_details": {"text_tokens": text, "audio_tokens": audio},
    }


class RateWindow:
    """What ``rate_limits.updated`` tells: a window of one minute. Nothing is ever refused for it.

    Parameters
    ----------
    requests, tokens
        The limits that are told.
    """

    def __init__(self, requests: int = 1_000, tokens: int = 400_000) -> None:
        self._limits = {"requests": requests, "tokens": tokens}
        self._spent: deque[tuple[float, int]] = deque()

    def spend(self, tokens: int, now: float) -> list[Event]:
        """Note a response and return the ``rate_limits`` list."""
        self._spent.append((now, tokens))
        while self._spent[0][0] <= now - 60:
            self._spent.popleft()
        used = {"requests": len(self._spent), "tokens": sum(spent for _, spent in self._spent)}
        return [
            {
                "name": name,
                "limit": limit,
                "remaining": max(0, limit - used[name]),
                "reset_seconds": round(60 * used[name] / limit, 3),
            }
            for name, limit in self._limits.items()
        ]
