r"""Keys and tokens in a text: where they stand, also when they are written with escapes.

Theory of operation
-------------------
The same key may stand in a file as it is, with characters escaped (``sk-\u0061...``, ``%2D``, ``&#45;``), between the
colours of a terminal, within JSON that is itself a string of JSON, or in base64. So a text is looked at in several
*views*: as it stands; with escapes and colours undone; with those undone that then appear; and so on. Each view knows
which stretch of the text a character stands for, so that what is found in any view can be cut out of the text, whole
escapes with it: what was JSON stays JSON.

A shape is taken for a key when keys look so and little else does: ``sk-`` is also how some class names of style sheets
begin, so a long run of letters and digits is asked for. A value without a shape of its own is known by its name
(``api-key: ...``, ``?token=...``, ``"client_secret": {"value": ...}``).

Pure. Imports nothing of rtnb.
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


class _Shape(NamedTuple):
    kind: str
    needles: tuple[str, ...]  # one of these is in it, in small letters
    pattern: re.Pattern[str]
    in_line: bool  # it never goes on in the next line


def _shape(kind: str, needles: str, pattern: str, *, in_line: bool = True) -> _Shape:
    return _Shape(kind, tuple(needles.split()), re.compile(pattern), in_line)


_NAME: Final = r"(?:api[-_]?key|apikey|client[-_]?secret|secret[-_]?key|access[-_]?key|secret|password|passwd)"
_TOKEN_NAME: Final = r"(?:[a-z0-9]+[-_.])*token"

_SHAPES: Final = (
    _shape("OpenAI key", "sk- sk_", r"(?<![A-Za-z0-9_-])sk[-_](?=[A-Za-z0-9_-]*[A-Za-z0-9]{16})[A-Za-z0-9_-]{16,}"),
    _shape(
        "ephemeral key",
        "ek_ ek- rk_ rk- pk_ pk-",
        r"(?<![A-Za-z0-9_-])(?:ek|rk|pk)[-_](?=[A-Za-z0-9_-]*[A-Za-z0-9]{12})[A-Za-z0-9_-]{12,}",
    ),
    _shape("Hugging Face token", "hf_", r"(?<![A-Za-z0-9_])hf_[A-Za-z0-9]{20,}"),
    _shape(
        "GitHub token",
        "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_",
        r"(?<![A-Za-z0-9_])(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})",
    ),
    _shape("GitLab token", "glpat-", r"(?<![A-Za-z0-9_])glpat-[A-Za-z0-9_-]{18,}"),
    _shape("Slack token", "xox", r"(?<![A-Za-z0-9_])xox[abeprs]-[A-Za-z0-9-]{10,}"),
    _shape("AWS key", "akia asia", r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[0-9A-Z]{16}(?![A-Za-z0-9])"),
    _shape("Google key", "aiza", r"(?<![A-Za-z0-9_])AIza[A-Za-z0-9_-]{35}"),
    _shape("key", "gsk_ r8_ nvapi- xai- pplx-", r"(?<![A-Za-z0-9_])(?:gsk_|r8_|nvapi-|xai-|pplx-)[A-Za-z0-9_-]{30,}"),
    _shape("signed token", "eyj", r"(?<![A-Za-z0-9_])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
    _shape(
        "private key",
        "private",
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----[A-Za-z0-9+/=\s]+(?:-----END [A-Z ]*PRIVATE KEY-----)?",
        in_line=False,
    ),
    _shape(
        "key of a browser's connection", "insecure-api-key", r"openai-insecure-api-key\.(?P<key>[A-Za-z0-9._~+/=-]{6,})"
    ),
    _shape(
        "Authorization header",
        "authorization",
        r"(?i)\bauthorization\b[\"']?\s*[:=,]\s*[\"']?"
        r"(?:(?:bearer|basic|token)\s+|(?=[A-Za-z._~+/=-]*[0-9]))(?P<key>[A-Za-z0-9._~+/=-]{8,})",
    ),
    _shape("bearer token", "bearer", r"(?i)\bbearer\s+(?P<key>(?=[A-Za-z._~+/=-]*[0-9])[A-Za-z0-9._~+/=-]{8,})"),
    _shape("bearer token", "bearer", r"(?i)\bbearer\s+(?P<key>[A-Za-z0-9_~+/=-]{24,})"),
    _shape(
        "api-key header",
        "api-key",
        r"(?i)\b(?:x-)?api-key\b[\"']?\s*[:,]\s*[\"']?(?P<key>(?=[A-Za-z._~+/=-]*[0-9])[A-Za-z0-9._~+/=-]{8,})",
    ),
    _shape(
        "client secret",
        "client_secret",
        r"(?i)\bclient_secret[\"']?\s*[:=]\s*\{[^{}]{0,400}?[\"']value[\"']\s*:\s*[\"'](?P<key>[^\"'\\\s]{6,})",
        in_line=False,
    ),
    _shape(
        "named secret",
        "key secret passw",
        rf"(?i)(?<![a-z0-9]){_NAME}[\"']?\s*[:=]\s*[\"'](?P<key>[^\"'\\\s<>{{}}$]{{8,}})[\"']",
    ),
    _shape(
        "named token",
        "token",
        rf"(?i)(?<![a-z0-9]){_TOKEN_NAME}[\"']?\s*[:=]\s*[\"'](?P<key>(?=[^\"'\\\s]*[0-9])[^\"'\\\s<>{{}}$]{{16,}})[\"']",
    ),
    _shape(
        "secret in a setting",
        "key token secret password",
        r"(?<![A-Za-z0-9])(?:[A-Z0-9]+_)*(?:API_?KEY|TOKEN|SECRET|PASSWORD)\s?=\s?"
        r"(?P<key>(?>(?=[A-Za-z_~+/=-]*[0-9])[A-Za-z0-9_~+/=-]{12,}))(?![\w.(\[])",
    ),
    _shape(
        "token in an address",
        "=",
        r"(?i)[?&;#](?:access_|auth_)?(?:token|api[-_]?key|key|sig|signature|secret|client_secret|password)="
        r"(?P<key>[^\s\"'&;#\\<>)\]{}$]{6,})",
    ),
    _shape("Jupyter token", "token=", r"(?i)\b(?:[a-z]+\.)?token=(?P<key>[0-9a-f]{32,64})\b"),
    _shape("password in an address", "://", r"://[^\s/:@\"'\\]*:(?P<key>[^\s/@\"'\\:]{3,})@[A-Za-z0-9\[]"),
)

_NEEDLES: Final = {
    needle: [shape for shape in _SHAPES if needle in shape.needles]
    for needle in dict.fromkeys(needle for shape in _SHAPES for needle in shape.needles)
}
"""What may be found where a needle is: without any of them there is nothing to look for."""

_ESCAPE: Final = re.compile(
    r"\\(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|[\"'\\/bfnrt])|%[0-9A-Fa-f]{2}|&(?:\#\d{1,7}|\#[xX][0-9A-Fa-f]{1,6}|[a-z]{2,6});"
    r"|\x1b\[[0-9;]*m"
)
_SIMPLE: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_BASE64: Final = re.compile(r"(?<![A-Za-z0-9+/_-])(?=[A-Za-z0-9+/_-]*[A-Z])[A-Za-z0-9+/_-]{24,}={0,2}")
_PLACEHOLDERS: Final = re.compile(
    r"(?i)\byour\b|your[-_]|example|placeholder|redacted|hidden|dummy|needed|\.\.\.|^\[key|\*{3}|^x+$"
)


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
    for needle in [needle for needle in _NEEDLES if needle in small]:
        for shape in _NEEDLES[needle]:
            group = "key" if "key" in shape.pattern.groupindex else 0
            for start, end in _near(small, needle, shape):
                for match in shape.pattern.finditer(text, start, end):
                    if not (group and _PLACEHOLDERS.search(match[group])):
                        yield match.start(group), match.end(group), shape.kind


def _near(small: str, needle: str, shape: _Shape) -> Iterator[tuple[int, int]]:
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
