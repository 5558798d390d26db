r"""Keys and tokens in a text: where they stand, also when they are written with escapes.

Theory of operation
-------------------
The same key may stand in a file as it is, with characters escaped (``sk-\u0061...``, ``%2D``, ``&#45;``), between the
colours of a terminal, within JSON that is itself a string of JSON, or in base64. So a text is looked at in several
*views*: as it stands; with escapes and colours undone; with those undone that then appear; and so on. Each view knows
which stretch of the text a character stands for, so that what is found in any view can be cut out of the text, whole
escapes with it: what was JSON stays JSON.

What keys look like is told in `rtnb.core.key_shapes`.

Pure. Imports `rtnb.core.key_shapes`.
"""

from __future__ import annotations

import base64
import binascii
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from html import unescape
from itertools import pairwise
from typing import Final, NamedTuple

from rtnb.core.key_shapes import NEEDLES, Shape

__all__ = ["MARK", "Found", "find_keys", "without_keys"]

MARK: Final = "[key]"
"""What stands in place of a key."""

_VIEWS: Final = 5
_MOST_BASE64: Final = 1 << 20
_SHORT: Final = 2_000
_KNOWN_CHARS: Final = 6
"""A known key that is shorter is no key: it would be found everywhere."""


class Found(NamedTuple):
    """A key in a text.

    Attributes
    ----------
    start, end : int
        Where it stands.
    kind : str
        What it looks like, in words.
    instead : str
        What to put in its place.
    """

    start: int
    end: int
    kind: str
    instead: str


_ESCAPE: Final = re.compile(
    r"\\(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[\"'\\/bfnrt])|%[0-9A-Fa-f]{2}|&(?:\#\d{1,7}|\#[xX][0-9A-Fa-f]{1,6}|[a-z]{2,6});"
    r"|\x1b\[[0-9;]*m"
)
_SIMPLE: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_BASE64: Final = re.compile(r"(?<![A-Za-z0-9+/_-])(?=[A-Za-z0-9+/_-]*[A-Z])[A-Za-z0-9+/_-]{24,}={0,2}")


def without_keys(text: str, known: Iterable[str | None] = ()) -> str:
    """The text with `MARK` in place of each key."""
    found = find_keys(text, known)
    if not found:
        return text
    pieces, at = [], 0
    for each in found:
        pieces += [text[at : each.start], each.instead]
        at = each.end
    return "".join([*pieces, text[at:]])


def find_keys(text: str, known: Iterable[str | None] = ()) -> list[Found]:
    """The keys in a text, in their order; none overlaps another.

    Parameters
    ----------
    text
        Any text: prose, a log, JSON.
    known
        Keys in use, found whatever they look like.
    """
    wanted = [key for key in known if key and len(key) >= _KNOWN_CHARS]
    spans: list[Found] = []
    for colour in (" ", ""):  # a colour may stand before a key, or within one
        view: _View | None = _View(text)
        has_colour = False
        for _ in range(_VIEWS):
            if view is None:
                break
            has_colour = has_colour or "\x1b[" in view.text
            for start, end, kind in _in_view(view.text, wanted):
                spans.append(Found(*view.span(start, end), kind, MARK))
            view = view.unescaped(colour)
        if not has_colour:
            break
    spans += _in_base64(text, wanted)
    return _joined(spans)


class _View:
    """A text, and where in the first text each of its characters begins and ends; None: it is the first text."""

    def __init__(self, text: str, places: tuple[array[int], array[int]] | None = None) -> None:
        self.text = text
        self._places = places

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The stretch of the first text that ``text[start:end]`` stands for."""
        return (start, end) if self._places is None else (self._places[0][start], self._places[1][end - 1])

    def unescaped(self, colour: str) -> _View | None:
        """The same with its escapes undone, those of colours replaced; None when there are none."""
        starts, ends, pieces, at = array("q"), array("q"), [], 0

        def copy(begin: int, end: int) -> None:
            pieces.append(self.text[begin:end])
            starts.extend(range(begin, end) if self._places is None else self._places[0][begin:end])
            ends.extend(range(begin + 1, end + 1) if self._places is None else self._places[1][begin:end])

        for match in _ESCAPE.finditer(self.text):
            plain = _plain(match.group(), colour)
            if plain is None:
                continue
            copy(at, match.start())
            if plain:
                begin, end = self.span(match.start(), match.end())
                pieces.append(plain)
                starts.append(begin)
                ends.append(end)
            at = match.end()
        if not at:
            return None
        copy(at, len(self.text))
        return _View("".join(pieces), (starts, ends))


def _plain(escape: str, colour: str) -> str | None:
    """What an escape stands for; None when that is not one character."""
    if escape[0] == "\x1b":
        return colour
    if escape[0] == "\\":
        if escape[1] in "ux":
            return chr(int(escape[2:], 16))
        return _SIMPLE.get(escape[1], escape[1])
    if escape[0] == "%":
        code = int(escape[1:], 16)
        return chr(code) if code < 0x80 else None
    plain = unescape(escape)
    return plain if len(plain) == 1 else None


def _in_view(text: str, wanted: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    for key in wanted:
        at = text.find(key)
        while at >= 0:
            yield at, at + len(key), "key in use"
            at = text.find(key, at + len(key))
    small = text.lower()
    small = small if len(small) == len(text) else text  # some letters become two: then small ones only are found
    for needle in [needle for needle in NEEDLES if needle in small]:
        for shape in NEEDLES[needle]:
            for start, end in _near(small, needle, shape):
                for span in shape.spans(text, start, end):
                    yield *span, shape.kind


def _near(small: str, needle: str, shape: Shape) -> Iterator[tuple[int, int]]:
    """Where in a text a shape may be: the lines with its needle. Many times faster than to look everywhere."""
    if len(small) < _SHORT or not shape.in_line:
        yield 0, len(small)
        return
    at = small.find(needle)
    while at >= 0:
        end = small.find("\n", at)
        end = len(small) if end < 0 else end
        yield small.rfind("\n", 0, at) + 1, end
        at = small.find(needle, end)


def _in_base64(text: str, wanted: Sequence[str]) -> Iterator[Found]:
    """Text in base64 with a key in it; it is written again without."""
    for match in _BASE64.finditer(text):
        run = match.group()
        if len(run) > _MOST_BASE64 or not _is_text(run[:64]):
            continue
        plain = _decoded(run)
        cleaned = plain if plain is None else without_keys(plain, wanted)
        if cleaned is not None and cleaned != plain:
            coded = base64.b64encode(cleaned.encode()).decode("ascii")
            yield Found(match.start(), match.end(), "key in base64", coded)


def _is_text(run: str) -> bool:
    plain = _decoded(run[: len(run) // 4 * 4])
    return plain is not None and all(sign.isprintable() or sign.isspace() for sign in plain)


def _decoded(run: str) -> str | None:
    run = run.rstrip("=").translate({ord("-"): "+", ord("_"): "/"})
    try:
        return binascii.a2b_base64(run + "=" * (-len(run) % 4)).decode("utf-8")
    except ValueError:
        return None


def _joined(spans: list[Found]) -> list[Found]:
    """Found places without overlaps: what lies in several is one."""
    joined: list[Found] = []
    for each in sorted(spans, key=lambda found: (found.start, -found.end)):
        if joined and each.start < joined[-1].end:
            last = joined[-1]
            if each.end > last.end:
                joined[-1] = Found(last.start, each.end, last.kind, MARK)
        else:
            joined.append(each)
    assert all(one.end <= other.start for one, other in pairwise(joined))
    return joined
