"""Chooses among the declared tools by what their names and descriptions share with what was said. Pure.

A score adds up: words of the name (most), of the description, of the parameters; values that could be filled; an
example in the description that sounds the same. It falls when the tool does another arithmetic than was asked, writes
where something was asked, or needs what was not said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rtnb.local.brains.english import bare, name_words, quoted, stem, stems
from rtnb.local.brains.finders import fact, wished_key
from rtnb.local.brains.schema import Tool
from rtnb.local.brains.slots import Filled, fill
from rtnb.local.brains.synonyms import READING, WRITING, concepts
from rtnb.local.brains.tables import bag

__all__ = ["ENOUGH", "SURE", "Choice", "asks_or_tells", "choose"]

ENOUGH: Final = 2.0
"""The least score with which a tool is called."""

SURE: Final = 3.0
"""The least score against an answer that the rules have of their own."""

_OPERATIONS: Final = frozenset({"sum", "difference", "product", "quotient"})
_SIGNS: Final = (
    (r"\d\s*\+\s*\.?\d|\bplus\b|\badd\b|\bsum\b", "sum"),
    (r"\d\s+-\s+\d|\d-\d|\bminus\b|\bsubtract\b", "difference"),
    (r"\d\s*[*×x]\s*\d|\btimes\b(?! zone)|\bmultipl", "product"),
    (r"\d\s*[/÷]\s*\d|\bdivided?\b", "quotient"),
)
_QUESTION_WORDS: Final = bag(
    "what what's whats which who who's when where where's why how how's is are do does did was were"
    " has have any am wie was wo wann"
    " quel quelle comment combien"
)


@dataclass(frozen=True)
class Choice:
    """A tool, how well it fits, and what could be filled."""

    tool: Tool
    score: float
    filled: Filled


def choose(
    tools: Sequence[Tool], text: str, *, facts: Mapping[str, str] | None = None, keys: Sequence[str] = ()
) -> list[Choice]:
    """All tools with their scores, the best first; of equal ones the first declared."""
    rated = []
    for tool in tools:
        filled = fill(tool, text, facts=facts, keys=keys)
        rated.append(Choice(tool, _score(tool, text, filled), filled))
    return sorted(rated, key=lambda choice: -choice.score)


def _score(tool: Tool, text: str, filled: Filled) -> float:
    said = _ideas(text)
    asked = _operations(text)
    said |= asked
    name = {idea for word in tool.words if len(word) > 1 for idea in _word_ideas(word)}
    about = _ideas(re.split(r"\b(?:e\.g\.|[Ff]or example|[Ee]xamples?:)", tool.description)[0])
    own = {idea for param in tool.params for idea in _ideas(" ".join((*param.words, *map(str, param.choices))))}
    described = {idea for param in tool.params for idea in _ideas(param.text)}
    score: float = (
        3.0 * len(said & name) / max(1.0, len(name) ** 0.5)
    )  # a name of two ideas needs both for the full score
    score += min(2.2, 1.5 * len((said & about) - name))
    score += min(1.0, 0.5 * len((said & own) - name - about))
    score += min(0.5, 0.25 * len((said & described) - name - about - own))
    touched = score > 0
    score += min(1.4, filled.evidence) if touched else 0.5 * min(1.0, filled.evidence)
    score += 2.0 * _like_an_example(tool, text)
    does = _OPERATIONS & (name | about | own)
    if asked and does and not asked & does:
        score -= 4.0
    if "compute" in name | about and asked and (not does or asked <= does):
        score += 2.0
    score += _memory(tool, text, filled)
    kinds = {tool.param(path).kind for path in filled.values}
    score += 2.0 if "message" in kinds and kinds & {"person", "email"} else 0.0
    score += 4.0 if "_" in tool.name and tool.name.casefold() in text.casefold() else 0.0
    mode, wanted = _tool_mode(tool), asks_or_tells(text)
    if mode and wanted and not does:
        score += 0.3 if mode == wanted else -2.0
    if filled.missing and touched:
        score -= 0.4
    return score


def _ideas(text: str) -> set[str]:
    return {idea for word in stems(text) for idea in concepts(word)}


def _word_ideas(word: str) -> frozenset[str] | set[str]:
    root = stem(word)
    if word in {
        "get",
        "set",
        "do",
        "my",
        "the",
        "a",
        "of",
        "for",
        "by",
        "tool",
        "function",
        "run",
        "fetch",
        "call",
        "api",
        "new",
        "in",
    }:
        return set()
    known = concepts(root)
    return known if known != {root} or root not in WRITING | READING else set()


def _operations(text: str) -> set[str]:
    return {name for pattern, name in _SIGNS if re.search(pattern, text, re.IGNORECASE)}


def _like_an_example(tool: Tool, text: str) -> float:
    """How much of the best quoted example in the description is said, numbers apart."""
    best = 0.0
    said = set(re.sub(r"\d+", "#", bare(text)).split())
    for example in quoted(tool.description):
        words = set(re.sub(r"\d+", "#", bare(example)).split())
        if len(words) > 2:
            share = len(words & said) / len(words | said)
            best = max(best, share if share >= 0.5 else 0.0)
    return best


def _memory(tool: Tool, text: str, filled: Filled) -> float:
    """Facts that are told or asked for belong to tools with a key, and with a value when told."""
    kinds = {param.kind for param in tool.params}
    if "key" not in kinds:
        return 0.0
    if "value" in kinds:
        return 2.0 if fact(text) and not filled.missing else 0.0
    return 2.0 if wished_key(text) and asks_or_tells(text) == "read" else 0.0


def asks_or_tells(text: str) -> str:
    """``"read"`` for a question, ``"write"`` for an order to change something, ``""`` when neither is clear."""
    words = bare(text).split()
    while words and words[0] in {
        "please",
        "hey",
        "ok",
        "okay",
        "and",
        "then",
        "now",
        "also",
        "so",
        "well",
        "hi",
        "hello",
        "just",
    }:
        words = words[1:]
    if words[:2] and words[0] in {"can", "could", "would", "will"} and words[1] in {"you", "we"}:
        words = [word for word in words[2:] if word != "please"]
    elif len(words) > 2 and words[0] in {"i", "i'd"} and words[1] in {"want", "need", "like", "would"}:
        words = words[words.index("to") + 1 :] if "to" in words else words
    if not words:
        return ""
    if words[0] in _QUESTION_WORDS:
        return "read"
    if words[0] == "tell" and words[1:2] and words[1] not in {"me", "us"}:
        return "write"
    root = stem(words[0])
    if root in WRITING:
        return "write"
    if root in READING:
        return "read"
    return "write" if fact(text) else ""


def _tool_mode(tool: Tool) -> str:
    for word in (*tool.words[:1], *tool.words[-1:], *name_words(" ".join(tool.description.split()[:1]))):
        root = stem(word)
        if root in WRITING and root not in {stem("schedule"), stem("note"), stem("order")}:
            return "write"
        if root in READING:
            return "read"
    return ""
