"""What the user told, and what was said before: facts, first and last questions, repeats. Pure."""

from __future__ import annotations

import re
from typing import Final

from rtnb.local.brains.context import Context
from rtnb.local.brains.english import bare, name_words, stem, title
from rtnb.local.brains.finders import fact, polite_stripped, wished_key

__all__ = ["facts_of", "recollection", "stated"]

_TOLD: Final = {
    "name": ("Your name is {}.", "Nice to meet you, {}."),
    "home": ("You live in {}.", "Noted: you live in {}."),
    "age": ("You are {} years old.", "Noted: you are {}."),
    "allergies": ("You are allergic to {}.", "Noted: you are allergic to {}."),
    "job": ("You work as {}.", "Noted: you work as {}."),
    "origin": ("You are from {}.", "Noted: you are from {}."),
    "likes": ("You like {}.", "Noted: you like {}."),
    "dislikes": ("You do not like {}.", "Noted: you do not like {}."),
}


def facts_of(context: Context) -> dict[str, str]:
    """All facts that the user told, by key; a later one replaces an earlier one."""
    found: dict[str, str] = {}
    for text in context.user:
        for statement in _statements(text):
            told = fact(statement)
            if told and told[0] and told[1] and _is_about_the_user(statement):
                found[told[0]] = title(told[1]) if told[0] in {"name", "home"} else told[1]
    return found


def _statements(text: str) -> list[str]:
    """What is told in one utterance: ``my name is Ann and I live in Oslo`` tells two things."""
    return re.split(r"[.!?;]\s+|,?\s+and\s+(?=(?:my|i|i'm)\b)", text, flags=re.IGNORECASE)


def _is_about_the_user(text: str) -> bool:
    return bool(re.search(r"\b(?:my|i|i'm|call me|remember|note|our)\b", text, re.IGNORECASE)) or " is " in f" {text} "


def stated(text: str) -> str | None:
    """What to answer when the user tells a fact; ``None`` when the text tells none."""
    answers = [_noted(statement) for statement in _statements(text)]
    return " ".join(answer for answer in answers if answer) or None


def _noted(text: str) -> str | None:
    told = fact(text)
    if not told or not re.search(
        r"\b(?:my|i|i'm|call me|remember|note|keep in mind|memori[sz]e)\b", text, re.IGNORECASE
    ):
        return None
    key, value = told
    if key in _TOLD:
        return _TOLD[key][1].format(title(value) if key in {"name", "home"} else value)
    if key.startswith("to_"):
        return f"I keep in mind: {value}."
    return f"Noted: your {_spoken(key)} is {_yours(value)}."


def recollection(text: str, context: Context) -> str | None:
    """The answer to a question about this conversation; ``None`` when the text asks nothing of the kind."""
    spoken = bare(text)
    for pattern, find in _ASKED:
        if re.search(pattern, spoken):
            return find(context)
    if re.search(
        r"\bwhat (?:do you|have you) (?:know|remember|learned?|learnt)\b.*\b(?:me|i)\b|\bwhat did i tell you\b", spoken
    ):
        told = facts_of(context)
        if not told:
            return "You have not told me anything about yourself yet."
        return " ".join(
            _TOLD[key][0].format(value) if key in _TOLD else f"Your {_spoken(key)} is {_yours(value)}."
            for key, value in told.items()
        )
    spoken, key = polite_stripped(spoken), wished_key(text)
    if (
        key
        and (re.search(r"\b(?:my|am i|do i|i)\b", spoken))
        and re.match(r"(?:what|who|where|how old|do you|tell|say|which|whats)", spoken)
    ):
        return _recalled(key, context)
    return None


def _recalled(key: str, context: Context) -> str:
    told = facts_of(context)
    wanted = {stem(word) for word in name_words(key)}
    for have, value in reversed(told.items()):
        words = {stem(word) for word in name_words(have)}
        if wanted == words or wanted < words or words < wanted:
            return _TOLD[have][0].format(value) if have in _TOLD else f"Your {_spoken(have)} is {_yours(value)}."
    return f"You have not told me {_UNTOLD.get(key, f'anything about your {_spoken(key)}')} yet."


_UNTOLD: Final = {
    "name": "your name",
    "home": "where you live",
    "age": "how old you are",
    "likes": "what you like",
    "dislikes": "what you do not like",
    "origin": "where you are from",
}


def _spoken(key: str) -> str:
    return " ".join(name_words(key))


def _yours(value: str) -> str:
    return re.sub(r"\bmy\b", "your", value)


def _earlier(context: Context) -> list[str]:
    return context.user[:-1]


def _quote(text: str) -> str:
    return f"“{text.strip()}”"


def _just_said(context: Context) -> str:
    before = _earlier(context)
    return f"You said: {_quote(before[-1])}" if before else "Nothing before this: it is the first thing you said to me."


def _first(context: Context) -> str:
    before = _earlier(context)
    return f"The first thing you asked was: {_quote(before[0])}" if before else "This is your first question."


def _own_words(context: Context) -> str:
    said = [message.text for message in context.messages if message.role == "assistant" and message.text]
    return said[-1] if said else "I have not said anything yet."


def _how_many(context: Context) -> str:
    count = len(context.user)
    return f"With this one, you have said {count} thing{'s' if count != 1 else ''} to me."


_ASKED: Final = (
    (r"\bwhat (?:did|have) i (?:ask|say|tell)(?: you)? first\b", _first),
    (
        r"\bwhat (?:did|have) i (?:just |last )?(?:say|said|ask|asked)\b|\bmy (?:last|previous)"
        r" (?:question|sentence|message)\b",
        _just_said,
    ),
    (r"\bwhat was the last thing i\b|\brepeat what i (?:just )?said\b", _just_said),
    (
        r"\b(?:my|the) (?:very )?first (?:question|sentence|message)\b|\bwhat did i (?:ask|say) first\b"
        r"|\bfirst thing i\b",
        _first,
    ),
    (
        r"\bwhat (?:did|have) you (?:just )?(?:say|said)\b|^(?:please )?(?:repeat that|say that again"
        r"|say it again|repeat|come again|pardon|once more|again)(?: please)?$",
        _own_words,
    ),
    (r"\byour (?:last|previous) (?:answer|sentence|reply)\b|^(?:can|could) you repeat(?: that| it)?\b", _own_words),
    (r"\bhow many (?:questions|things|messages)\b.*\b(?:i|we)\b", _how_many),
)
