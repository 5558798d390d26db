"""The practice brain: a set of rules that answers what the lessons ask, calls declared tools, and says what it is.

Theory of operation. A request's items are read into a `Context`; everything else is a pure function of it and of the
request, so the same conversation always gets the same answer. In this order:

1. Outputs of tools that have just come are told in a sentence, or the next call of the same sum follows.
2. Words that were not understood are asked for again; nothing is invented.
3. `planner.plan` decides whether the words want a declared tool; a missing value is asked for.
4. Else the rules answer: what was said before (`recall`), arithmetic, the lessons' words (`knowledge`), small talk.
5. The instructions' manners (`manners`) are put on; for the ear, signs become words (`ear`).

Imports the seams and its own neighbours only.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from rtnb.local.brains.arithmetic import reckon
from rtnb.local.brains.context import Called, Context, Said
from rtnb.local.brains.ear import for_ear
from rtnb.local.brains.english import bare
from rtnb.local.brains.knowledge import capital, explain
from rtnb.local.brains.manners import Manners, read_manners
from rtnb.local.brains.pieces import chunks, words
from rtnb.local.brains.planner import Planned, chained, plan
from rtnb.local.brains.recall import recollection, stated
from rtnb.local.brains.results import tell_all
from rtnb.local.brains.schema import Tool, read_tool
from rtnb.local.brains.small_talk import FALLBACK, NOT_UNDERSTOOD, Company, small_talk
from rtnb.local.seams import Call, CallArguments, Piece, Request, Say

__all__ = ["Decision", "PracticeBrain", "decide"]


_YIELDING: Final = frozenset({"sum", "clock", "stated", "recall"})
"""Answers of the rules that a fitting tool knows better."""


@dataclass(frozen=True)
class Decision:
    """What one response does: words, or calls."""

    text: str = ""
    calls: Sequence[Planned] = ()


class PracticeBrain:
    """Answers by rules, calls the declared tools, and is honest about being no model.

    It has no state, no clock and no chance in it: the same request always gets the same answer. It does not count
    tokens: the endpoint cuts an answer at ``max_output_tokens``.
    """

    name = "practice"

    async def think(self, request: Request) -> AsyncIterator[Piece]:
        """Stream the answer: words one by one, arguments in small chunks."""
        for piece in _pieces(decide(request)):
            yield piece


def _pieces(decision: Decision) -> list[Say | Call | CallArguments]:
    pieces: list[Say | Call | CallArguments] = [Say(word) for word in words(decision.text)]
    for planned in decision.calls:
        pieces.append(Call(planned.tool.name))
        pieces.extend(CallArguments(part) for part in chunks(json.dumps(planned.arguments, ensure_ascii=False), 12))
    return pieces


def decide(request: Request) -> Decision:
    """What to do about a request; pure."""
    decision = _decided(request)
    if request.output == "audio" and decision.text and not _exact(read_manners(request.instructions)):
        return Decision(for_ear(decision.text))
    return decision


def _decided(request: Request) -> Decision:
    context = Context(request.items)
    tools, forced = _callable(request)
    if context.fresh and not forced:
        if (more := chained(context, tools)) is not None:
            return Decision(calls=[more])
        manners = read_manners(request.instructions, *context.system)
        return Decision(_exact(manners) or manners.apply(tell_all(context.fresh), "result"))
    if (arrived := _arrived(context)) is not None and not forced:
        return Decision(read_manners(request.instructions).apply(tell_all([arrived]), "result"))
    last = context.last
    directive = _directive(request.instructions) if _nothing_asked(context) else None
    if directive is not None:
        context = Context([*request.items, _as_user(directive)])
        last = context.last
    text = last.text if last else ""
    manners = read_manners(*([] if directive is not None else [request.instructions]), *context.system, text)
    if forced and tools:
        found = plan(context, tools, forced=True)
        return Decision(calls=found.calls) if found else Decision(FALLBACK)
    if words_ := _exact(manners):
        return Decision(words_)
    if last is None:
        return Decision(manners.apply("Hello! What would you like to try?", "greeting"))
    if not text:
        return Decision(manners.apply(_pictures(last.pictures) or NOT_UNDERSTOOD, "not_understood"))
    if context.messages[-1].role == "assistant":
        return Decision(manners.apply("I have answered that already. What else would you like to know?", "again"))
    company = Company(context, manners.name, [tool.name for tool in tools], request.output == "audio")
    answer = _answer(text, context, company, manners)
    found = plan(context, tools, has_answer=answer is not None and answer[0] not in _YIELDING)
    if found is not None and found.dropped:
        return Decision(manners.apply("All right, I leave that.", "no"))
    if found is not None and found.calls:
        return Decision(calls=found.calls)
    if found is not None and found.question:
        return Decision(manners.apply(found.question, "ask"))
    if answer is None and last.pictures:
        answer = ("picture", _pictures(last.pictures))
    intent, said = answer or ("", _no_rule(request, text))
    return Decision(manners.apply(said, intent))


def _callable(request: Request) -> tuple[list[Tool], bool]:
    """The tools that may be called, and whether one must be."""
    tools = [tool for tool in map(read_tool, request.tools) if tool.name]
    choice = request.tool_choice
    if choice == "none":
        return [], False
    if isinstance(choice, str):
        return tools, choice == "required" and bool(tools)
    inner = choice.get("function")
    name = choice.get("name") or (inner.get("name") if isinstance(inner, dict) else None)
    named = [tool for tool in tools if tool.name == name]
    return (named, True) if named else (tools, False)


def _answer(text: str, context: Context, company: Company, manners: Manners) -> tuple[str, str] | None:
    """The rules' own answer: its intent and its words."""
    before = bare(context.user[-2]) if len(context.user) > 1 else ""
    plainly = _without_form(text)
    again = "capital" in before and bool(re.match(r"(?:and|what about|how about)\b", bare(text)))
    for intent, words_ in (("recall", recollection(text, context)), ("capital", capital(plainly, follow_up=again))):
        if words_:
            return intent, words_
    if (talk := small_talk(plainly, company)) is not None and talk[0] != "outside":
        return talk
    for intent, words_ in (
        ("explain", explain(plainly, long=manners.long, most=manners.words, follow_up=True)),
        ("stated", stated(text)),
        ("sum", reckon(plainly)),
    ):
        if words_:
            return intent, words_
    return None


_FORM: Final = re.compile(
    r"[\s,]*\b(?:in|with|using) (?:at most |no more than |only |just |under |exactly )?(?:\w+"
    r" ){1,2}(?:sentences?|words?)\b"
    r"|[\s,]*\b(?:in|using) (?:upper case|uppercase|capitals|capital letters|lower case|detail)\b"
    r"|[\s,]*\blike a pirate\b|[\s,]*\bbriefly\b",
    re.IGNORECASE,
)


def _without_form(text: str) -> str:
    """The question without what it says about the answer's form, unless that is all there is."""
    return " ".join(_FORM.sub("", text).split()).strip(" ,") or text


def _no_rule(request: Request, text: str) -> str:
    company = Company(Context(()), tools=[str(tool.get("name") or "") for tool in request.tools])
    if request.tools and request.tool_choice == "none":
        return "I may not call a tool in this answer, and without one I have no rule for that."
    talk = small_talk(_without_form(text), company)
    return talk[1] if talk is not None and talk[0] == "outside" else FALLBACK


def _exact(manners: Manners) -> str:
    return manners.exact


def _pictures(count: int) -> str:
    if not count:
        return ""
    return (
        f"I have received {'a picture' if count == 1 else f'{count} pictures'}, but I am a set of rules"
        f" and cannot see what is in it."
    )


_RESULT: Final = re.compile(
    r"^(?:the )?(?:result|output) (?:of|from|for) (?:the tool |tool |the call )?[`'\"]?([\w-]+)[^:]*:\s*(.+)$",
    re.IGNORECASE,
)


def _arrived(context: Context) -> Called | None:
    """A result that came later, told by a system message at the end: ``Result of get_weather: ...``."""
    entry = context.entries[-1] if context.entries else None
    match = _RESULT.match(entry.text) if isinstance(entry, Said) and entry.role == "system" else None
    return Called(match[1], {}, "", match[2]) if match else None


def _nothing_asked(context: Context) -> bool:
    """Whether all the user's words are answered, or there are none: then the instructions may hold a wish."""
    messages = context.messages
    return not messages or messages[-1].role == "assistant"


_DIRECTIVE: Final = re.compile(
    r"^(?:please |now |then |first,? )*(?:say|greet|tell|explain|welcome|count|repeat|introduce|sing"
    r"|ask|describe|what|who|how|name|spell|give|add|use|call|get|check|remember|answer)\b",
    re.IGNORECASE,
)


def _directive(instructions: str) -> str | None:
    """The wish that instructions begin with (``Say hello to the user``), for a response that nobody asked for."""
    text = instructions.strip()
    return text if _DIRECTIVE.match(text) and len(text) < 400 else None


def _as_user(text: str) -> dict[str, object]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
