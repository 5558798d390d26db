"""A file without its keys: as it was, byte for byte, but for them.

What is JSON, or JSON lines, is JSON afterwards; line ends, indentation, encoding and the order of members stay. What
is no text cannot be cleaned without breaking it, and is only told.

Pure: files are read and written elsewhere. Imports `rtnb.core.keys`, `key_pieces` and `recording`.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from rtnb.core.key_pieces import cleaned_deltas
from rtnb.core.keys import MARK, Found, find_keys

__all__ = ["Finding", "Scrubbed", "scrubbed_file"]

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_HEAD: Final = 8_192
_DELTA: Final = re.compile(r'"delta"\s*:\s*"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Finding:
    """A key in a file.

    Attributes
    ----------
    line : int
        In which line, from 1 on; 0 where there are no lines.
    kind : str
        What it looks like, in words.
    """

    line: int
    kind: str


@dataclass(frozen=True)
class Scrubbed:
    """What was found in a file.

    Attributes
    ----------
    findings : tuple of Finding
    data : bytes or None
        The file without them; None when they cannot be taken out without breaking it.
    """

    findings: tuple[Finding, ...]
    data: bytes | None


def scrubbed_file(data: bytes, known: Sequence[str] = ()) -> Scrubbed:
    """Look for keys in the bytes of a file, and take them out.

    Parameters
    ----------
    data
        All of the file.
    known
        Keys in use, found whatever they look like.
    """
    mark, encoding = next(((mark, name) for mark, name in _MARKS if data.startswith(mark)), (b"", "utf-8"))
    if not mark and b"\0" in data[:_HEAD]:
        return _of_binary(data, known)
    text = data[len(mark) :].decode(encoding, "surrogateescape" if encoding == "utf-8" else "surrogatepass")
    found = _merged(_in_pieces(text, known), find_keys(text, known))
    if not found:
        return Scrubbed((), data)
    findings = tuple(Finding(text.count("\n", 0, each.start) + 1, each.kind) for each in found if each.kind)
    cleaned = _without(text, found)
    rest = find_keys(cleaned, known)  # none, unless what was around a key is now part of another
    cleaned = _without(cleaned, rest)
    if _shape(text) != _shape(cleaned):
        return Scrubbed(findings, None)
    coded = cleaned.encode(encoding, "surrogateescape" if encoding == "utf-8" else "surrogatepass")
    return Scrubbed(findings, mark + coded)


def _of_binary(data: bytes, known: Sequence[str]) -> Scrubbed:
    texts = (data.decode("latin-1"), *(data[at:].decode("utf-16-le", "ignore") for at in (0, 1)))
    kinds = dict.fromkeys(each.kind for text in texts for each in find_keys(text, known))
    return Scrubbed(tuple(Finding(0, kind) for kind in kinds), None if kinds else data)


def _in_pieces(text: str, known: Sequence[str]) -> list[Found]:
    """Pieces of keys in the deltas of a log: where they stand, and what to write instead."""
    events: list[Any] = []
    spans: list[tuple[int, int, str]] = []
    at = 0
    for line in text.split("\n"):
        match = _DELTA.search(line)
        event = _event(line) if match else None
        if match and event is not None and _loads(f'"{match[1]}"') == event.get("delta"):
            events.append(event)
            spans.append((at + match.start(1), at + match.end(1), match[1]))
        at += len(line) + 1
    found = []
    is_first = True
    for place, delta in cleaned_deltas(events, known).items():
        start, end, old = spans[place]
        new = json.dumps(delta)[1:-1]
        if new != old:
            found.append(Found(start, end, "key in pieces" if MARK in delta or is_first else "", new))
            is_first = False
    return found


def _event(line: str) -> dict[str, Any] | None:
    value = _loads(line)
    inner = value.get("event", value) if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else None


def _merged(pieces: list[Found], found: list[Found]) -> list[Found]:
    """Both, in order; a key that is whole in one delta is already in its piece."""
    kept = [each for each in found if not any(one.start < each.end and each.start < one.end for one in pieces)]
    return sorted([*pieces, *kept], key=lambda each: each.start)


def _without(text: str, found: list[Found]) -> str:
    parts, at = [], 0
    for each in found:
        parts += [text[at : each.start], each.instead]
        at = each.end
    return "".join([*parts, text[at:]])


def _shape(text: str) -> tuple[bool, int]:
    """Whether a text is JSON, and how many of its lines are."""
    lines = [line for line in text.split("\n") if line[:1] in ("{", "[")]
    return _loads(text) is not None, sum(_loads(line) is not None for line in lines)


def _loads(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
