"""Keys that came in pieces: a model that says a key streams it, and no piece of it looks like one.

Pure. Imports `rtnb.core.keys`, `protocol` and `recording`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from rtnb.core.keys import find_keys
from rtnb.core.protocol import Event
from rtnb.core.recording import AUDIO_DELTAS

__all__ = ["cleaned_deltas"]

_Stream: TypeAlias = tuple[Any, ...]


def cleaned_deltas(events: Iterable[Event], known: Sequence[str | None] = ()) -> dict[int, str]:
    """The deltas that hold a piece of a key, without it: new texts by the place of their event.

    >>> said = ("a s", "k-" + "x" * 24, "!")
    >>> cleaned_deltas([{"type": "response.output_text.delta", "delta": text} for text in said])
    {0: 'a [key]', 1: ''}
    """
    streams: dict[_Stream, list[tuple[int, str]]] = {}
    for index, event in enumerate(events):
        name, delta = event.get("type"), event.get("delta")
        if isinstance(name, str) and name.endswith(".delta") and isinstance(delta, str) and name not in AUDIO_DELTAS:
            ids = (str(event.get(key)) for key in ("response_id", "item_id", "content_index", "output_index"))
            streams.setdefault((name, *ids), []).append((index, delta))
    cleaned: dict[int, str] = {}
    for pieces in streams.values():
        cleaned.update(_clean(pieces, known))
    return cleaned


def _clean(pieces: list[tuple[int, str]], known: Sequence[str | None]) -> dict[int, str]:
    found = find_keys("".join(delta for _, delta in pieces), known)
    cleaned: dict[int, str] = {}
    begin = 0
    for index, delta in pieces:
        end = begin + len(delta)
        text, at = "", begin
        for each in found:
            if each.end <= begin or each.start >= end:
                continue
            text += delta[at - begin : max(each.start, begin) - begin]
            text += each.instead if each.start >= begin else ""
            at = min(each.end, end)
        if at > begin or text:
            cleaned[index] = text + delta[at - begin :]
        begin = end
    return cleaned
