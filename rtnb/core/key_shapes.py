"""What keys look like, and the names that stand before those without a look of their own.

A shape is taken for a key when keys look so and little else does: ``sk-`` is also how some class names of style sheets
begin, so a long run of letters and digits is asked for. A value without a shape of its own is known by its name
(``api-key: ...``, ``?token=...``, ``"client_secret": {"value": ...}``). Where the name is as ordinary as ``key=``, or
much may stand between it and the value (``os.environ["MY_KEY"] = ...``), the value must look drawn by lot as well:
``key="alloy"`` is none.

Pure. Imports nothing of rtnb.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

__all__ = ["NEEDLES", "Shape"]

_PLACEHOLDERS: Final = re.compile(
    r"(?i)\byour\b|your[-_]|example|placeholder|redacted|hidden|dummy|needed|\.\.\.|^\[key|\*{3}|^x+$"
)


class Shape(NamedTuple):
    """One look of keys.

    Attributes
    ----------
    kind : str
        What it is, in words.
    needles : tuple of str
        One of these is in it, in small letters.
    pattern : re.Pattern
        Its group ``key`` is the key, or all of it is when there is no such group.
    in_line : bool
        It never goes on in the next line.
    is_guess : bool
        The keys are those words of the group that look drawn by lot.
    """

    kind: str
    needles: tuple[str, ...]
    pattern: re.Pattern[str]
    in_line: bool
    is_guess: bool

    def spans(self, text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Where in ``text[start:end]`` there are keys that look so."""
        group = "key" if "key" in self.pattern.groupindex else 0
        for match in self.pattern.finditer(text, start, end):
            if self.is_guess:
                for word in _WORD.finditer(text, *match.span(group)):
                    if _is_drawn(word.group()) and not _PLACEHOLDERS.search(word.group()):
                        yield word.span()
            elif not (group and _PLACEHOLDERS.search(match[group])):
                yield match.span(group)


def _shape(kind: str, needles: str, pattern: str, *, in_line: bool = True, is_guess: bool = False) -> Shape:
    return Shape(kind, tuple(needles.split()), re.compile(pattern), in_line, is_guess)


_WORD: Final = re.compile(r"[A-Za-z0-9_~+/=.-]{16,}")
_UUID: Final = re.compile(r"(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_RUN: Final = re.compile(r"(?=[A-Za-z]{0,80}[0-9])(?=[0-9]{0,80}[A-Za-z])[A-Za-z0-9]{16,}")
_TURN: Final = re.compile(r"(?<=[a-z])(?=[A-Z0-9])|(?<=[A-Z])(?=[a-z0-9])|(?<=[0-9])(?=[A-Za-z])")
"""Where letters turn to digits, or small ones to large ones."""


def _is_drawn(word: str) -> bool:
    """Whether this is no name that somebody chose: a UUID is none, ``gpt-4o-mini-2024-07-18`` is one."""
    return bool(_RUN.search(word) or _UUID.search(word)) or (
        len(word) >= 20 and len(_TURN.findall(word)) * 4 >= len(word)
    )


_NAME: Final = r"(?:api[-_]?key|apikey|client[-_]?secret|secret[-_]?key|access[-_]?key|secret|password|passwd)"
_QUOTED: Final = r"[\"'][^\"'\\\n]{16,}[\"']"
_BARE: Final = r"(?>[A-Za-z0-9_~+/=.-]{16,})(?![\w.(\[])"
_LIST: Final = r"[\[({](?:\s*[\"'][^\"'\\\n]*[\"']\s*,?)+"

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
        "api-key subscription-key",
        r"(?i)\b(?:api|subscription)-key\b[\"']?\s*[:,]\s*[\"']?(?P<key>(?=[A-Za-z._~+/=-]*[0-9])[A-Za-z0-9._~+/=-]{8,})",
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
        "named secret",
        "key secret passw token",
        rf"(?i)(?<![a-z0-9])(?:{_NAME}|token)s?(?:[\"']\s*\]?)?\s*[:=,]\s*(?P<key>{_QUOTED}|{_LIST})",
        is_guess=True,
    ),
    _shape("key as an argument", "key", rf"(?i)(?<![a-z0-9-])key\s*=\s*(?P<key>{_QUOTED})", is_guess=True),
    _shape(
        "key of a command",
        "--",
        r"(?i)(?<![\w-])--(?:[a-z]+-)*(?:key|token|secret|password)s?[\"']?(?:\s*[=,]\s*|[ \t]+)"
        rf"(?P<key>{_QUOTED}|{_BARE})",
        is_guess=True,
    ),
    _shape(
        "named token",
        "token",
        r"(?i)(?<![a-z0-9])token[\"']?\s*[:=]\s*[\"'](?P<key>(?=[^\"'\\\s]*[0-9])[^\"'\\\s<>{}$]{16,})[\"']",
    ),
    _shape(
        "secret in a setting",
        "key token secret password",
        r"(?<![A-Za-z0-9])(?:API_?KEY|TOKEN|SECRET|PASSWORD)\s?=\s?"
        r"(?P<key>(?>(?=[A-Za-z_~+/=-]*[0-9])[A-Za-z0-9_~+/=-]{12,}))(?![\w.(\[])",
    ),
    _shape(
        "secret in a setting",
        "_key token secret password apikey",
        r"(?<![A-Za-z0-9])(?:(?<=_)KEY|API_?KEY|TOKEN|SECRET|PASSWORD)S?\b(?:[\"']\s*\]?)?[ \t]*(?:[:=,][ \t]*)?"
        rf"(?P<key>{_QUOTED}|{_BARE})",
        is_guess=True,
    ),
    _shape(
        "token in an address",
        "=",
        r"(?i)[?&;#](?:access_|auth_)?(?:token|api[-_]?key|key|sig|signature|secret|client_secret|password)="
        r"(?P<key>[^\s\"'&;#\\<>)\]{}$]{6,})",
    ),
    _shape("Jupyter token", "token=", r"(?i)\b(?:[a-z]+\.)?token=(?P<key>[0-9a-f]{32,64})\b"),
    _shape(
        "password in an address", "://", r"://[^\s/:@\"'\\]*:(?!\$?\{\w+\})(?P<key>[^\s/@\"'\\:]{3,})@[A-Za-z0-9\[]"
    ),
)

NEEDLES: Final = {
    needle: [shape for shape in _SHAPES if needle in shape.needles]
    for needle in dict.fromkeys(needle for shape in _SHAPES for needle in shape.needles)
}
"""What may be found where a needle is: without any of them there is nothing to look for."""
