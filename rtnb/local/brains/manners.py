"""What instructions say about the form of an answer, as far as rules can keep to it. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from rtnb.local.brains.english import numbers, quoted
from rtnb.local.brains.phrases import SPOKEN, in_language

__all__ = ["Manners", "read_manners"]


@dataclass(frozen=True)
class Manners:
    """The form an answer is to have.

    Attributes
    ----------
    name
        What the assistant is called.
    exact
        The very words to say, whatever was asked.
    sentences, words
        The most of each; ``None``: as many as there are.
    case
        ``"upper"``, ``"lower"`` or ``""``.
    """

    name: str = ""
    exact: str = ""
    sentences: int | None = None
    words: int | None = None
    long: bool = False
    case: str = ""
    pirate: bool = False
    start: str = ""
    end: str = ""
    language: str = ""

    def apply(self, text: str, intent: str = "") -> str:
        """`text` in this form. Questions that ask for a missing value (``intent="ask"``) stay in English and whole."""
        if self.language and intent not in {"ask", "repeat", "phrase"}:
            text = in_language(self.language, intent, text)
        if intent not in {"ask", "repeat"}:
            # What a tool gave is told whole: with two results the second one must not fall to "be brief".
            text = _shortened(text, None if intent == "result" else self.sentences, self.words)
        if self.pirate:
            text = _pirate(text)
        if self.start and not text.startswith(self.start):
            text = f"{self.start} {text}"
        if self.case:
            text = text.upper() if self.case == "upper" else text.lower()
        if self.end and not text.endswith(self.end):
            text = f"{text} {self.end}"
        return text


def read_manners(*texts: str) -> Manners:
    """The manners that `texts` ask for: instructions first, then what comes later and overrules it."""
    manners = Manners()
    for text in texts:
        changes: dict[str, object] = {}
        for pattern, read in _RULES:
            if match := re.search(pattern, text, re.IGNORECASE):
                changes.update(read(match))
        if "words" not in changes and "sentences" in changes:
            changes["words"] = None
        manners = replace(manners, **changes)  # type: ignore[arg-type]
    return manners


def _count(text: str) -> int | None:
    found = numbers(text)
    return (
        int(found[0].value)
        if found and found[0].value > 0
        else 1
        if re.search(r"\b(?:one|single|a)\b", text, re.I)
        else None
    )


def _words(match: re.Match[str]) -> Mapping[str, object]:
    count = _count(match[1])
    return {"words": count} if count else {}


def _sentences(match: re.Match[str]) -> Mapping[str, object]:
    count = _count(match[1])
    return {"sentences": count} if count else {}


def _fixed(name: str) -> Callable[[re.Match[str]], Mapping[str, object]]:
    """Reads the words to say: quoted, or the rest of the sentence."""

    def read(match: re.Match[str]) -> Mapping[str, object]:
        rest = match[1].strip()
        words = quoted(rest) if rest[:1] in "\"'“„«‘`" else []
        return {name: words[0] if words else re.split(r"(?<=[.!?])\s|\n", rest)[0].strip()}

    return read


_COUNT: Final = r"((?:\w+[ -]){0,2}?\w+)"
_RULES: Final[tuple[tuple[str, Callable[[re.Match[str]], Mapping[str, object]]], ...]] = (
    (r"\byour name is (?:now )?([A-Z][\w-]*|[\w-]+)", lambda m: {"name": m[1].strip(".")}),
    (r"\byou(?:'re| are) (?:called|named) ([\w-]+)", lambda m: {"name": m[1]}),
    (
        r"\b(?:[Yy]ou are|[Yy]ou're|[Aa]ct as) ((?-i:[A-Z][a-z]+))(?=,|\.|;| (?:the|a|an|from|and)\b)",
        lambda m: {"name": m[1]},
    ),
    (r"\bcall yourself ([\w-]+)", lambda m: {"name": m[1]}),
    (
        r"\b(?:be (?:very )?(?:brief|concise|terse|short)|(?:answer|reply|respond)s? (?:very"
        r" )?(?:briefly|concisely|shortly)|keep (?:it|your answers?|answers?|responses?) (?:very"
        r" )?(?:short|brief))\b",
        lambda m: {"sentences": 1},
    ),
    (
        rf"\bin (?:at most |no more than |up to |just |only |exactly |under )?{_COUNT} (?:short |brief "
        rf"|simple |complete )?sentences?\b",
        _sentences,
    ),
    (
        rf"\b(?:at most|no more than|up to|maximum(?: of)?|max|exactly|only|not more than|within|use"
        rf"|with) {_COUNT} (?:short )?sentences?\b",
        _sentences,
    ),
    (
        rf"\b(?:at most|no more than|up to|maximum(?: of)?|max|exactly|only|not more than|within|under"
        rf"|fewer than|less than|in(?: at most| under| no more than| fewer than| just| only)?) {_COUNT}"
        rf" words?\b",
        _words,
    ),
    (
        r"\b(?:in detail|detailed (?:answer|explanation)|at length|long (?:answer|explanation)"
        r"|everything you know|as much as you can|thoroughly)\b",
        lambda m: {"long": True},
    ),
    (r"\b(?:upper ?case|all caps|capital letters|capitals)\b", lambda m: {"case": "upper"}),
    (r"\b(?:lower ?case|small letters)\b(?! and underscores)", lambda m: {"case": "lower"}),
    (r"\bpirate\b", lambda m: {"pirate": True}),
    (
        r"\b(?:always |must )?(?:end|finish|close) (?:(?:every|each|all|your|the|any)\s)*(?:answers?"
        r"|repl(?:y|ies)|responses?|sentences?|messages?)?\s*(?:with|by saying)(?: the words?| the"
        r" phrase)?:?\s+(.+)",
        _fixed("end"),
    ),
    (
        r"\b(?:always |must )?(?:start|begin|open) (?:(?:every|each|all|your|the|any)\s)*(?:answers?"
        r"|repl(?:y|ies)|responses?|sentences?|messages?)?\s*(?:with|by saying)(?: the words?| the"
        r" phrase)?:?\s+(.+)",
        _fixed("start"),
    ),
    (
        rf"\b(?:(?:speak|answer|reply|respond|talk|write|converse)(?: to \w+)?(?: only| always|"
        rf" exclusively)?(?: in)?(?: only)?|(?:only|always)(?: speak| use| in)?) ({'|'.join(SPOKEN)})\b",
        lambda m: {"language": SPOKEN[m[1].casefold()]},
    ),
    (
        rf"^in ({'|'.join(SPOKEN)})[,:]|\bin ({'|'.join(SPOKEN)}) please\b",
        lambda m: {"language": SPOKEN[(m[1] or m[2]).casefold()]},
    ),
    (
        r"\b(?:speak|answer|reply|respond|talk)(?: only| always)?(?: in)?(?: only)? english\b",
        lambda m: {"language": ""},
    ),
    (
        r"\b(?:say|reply|respond|answer|output|speak)(?: back)?(?: to \w+| the user)?(?:"
        r" with)?\s+(?:exactly|verbatim|word for word|nothing but|only with|only the words?)(?: this|"
        r" these words| the words?| the following)?(?: sentence| text)?\s*:?\s+(.+)",
        _fixed("exact"),
    ),
)

_SENTENCE_END: Final = re.compile(r"(?<=[.!?…])[\"”’]?\s+(?=[A-Z0-9“\"])")


def _shortened(text: str, sentences: int | None, words: int | None) -> str:
    if sentences:
        text = " ".join(_SENTENCE_END.split(text)[:sentences])
    if words and len(text.split()) > words:
        whole = ""
        for sentence in _SENTENCE_END.split(text):
            if len(f"{whole} {sentence}".split()) > words:
                break
            whole = f"{whole} {sentence}".strip()
        text = whole or " ".join(text.split()[:words]).rstrip(" ,;:.") + "."
    return text


_PIRATE_WORDS: Final = (
    (r"\b(?:hello|hi)\b", "ahoy"),
    (r"\bfriend\b", "matey"),
    (r"\byour\b", "yer"),
    (r"\byou are\b", "ye be"),
    (r"\byou\b", "ye"),
    (r"\bmy\b", "me"),
    (r"\b(?:am|is|are)\b", "be"),
    (r"\byes\b", "aye"),
    (r"\bthe\b(?! \d)", "th'"),
)


def _pirate(text: str) -> str:
    for pattern, word in _PIRATE_WORDS:
        text = re.sub(pattern, partial(_as_cased, word), text, flags=re.IGNORECASE)
    return f"Arr! {text}"


def _as_cased(word: str, match: re.Match[str]) -> str:
    return word.capitalize() if match[0][0].isupper() else word
