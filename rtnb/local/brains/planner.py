"""Decides which declared tools are called, with what, and what is asked back first. Pure.

The whole state is the conversation: an unanswered question of ours is found again in it, so a brain needs no memory of
its own, and two brains behind one endpoint behave alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from rtnb.local.brains.asking import answer_for, placeholder, question
from rtnb.local.brains.choose import ENOUGH, SURE, Choice, asks_or_tells, choose
from rtnb.local.brains.context import Called, Context, Said
from rtnb.local.brains.english import bare, clauses, numbers
from rtnb.local.brains.recall import facts_of
from rtnb.local.brains.results import number_of
from rtnb.local.brains.schema import Param, Tool
from rtnb.local.brains.slots import Path, fill, nested
from rtnb.local.brains.synonyms import concepts
from rtnb.local.brains.tables import bag

__all__ = ["Plan", "Planned", "chained", "plan"]


@dataclass(frozen=True)
class Planned:
    """One call: the tool, and its values by path."""

    tool: Tool
    values: Mapping[Path, Any]

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments as an object."""
        return nested(self.values)


@dataclass(frozen=True)
class Plan:
    """What to do: call, or ask for the first of the missing values, or drop what was asked."""

    calls: Sequence[Planned] = ()
    asks: Planned | None = None
    missing: Sequence[Param] = field(default=())
    dropped: bool = False

    @property
    def question(self) -> str:
        """What to ask the user."""
        return question(self.missing[0]) if self.missing else ""


_DROP: Final = re.compile(
    r"^(?:never ?mind|forget (?:it|that)|cancel(?: that| it)?|stop|nothing|no|none|leave it|skip it)\b", re.IGNORECASE
)
_FOLLOWS: Final = re.compile(
    r"^(?:and|or|how about|what about|now|same(?: thing)?|also|then|plus|minus|but|ok(?:ay)?|in|for"
    r"|at)\b[\s,]*(?:and\b|how about\b|what about\b|now\b|then\b|for\b|in\b|the same\b|also\b|\s|,)*",
    re.IGNORECASE,
)
_JOINED: Final = re.compile(
    r"\s*,?\s+and\s+(?=(?:please |also )*(?:what|what's|how|who|where|when|is|are|add|turn|switch"
    r"|set|tell|remember|remind|book|search|find|look|"
    r"calculate|compute|give|get|show|play|send|open|close|dim|lock|unlock|the (?:weather|price|stock|time|sum))\b)",
    re.IGNORECASE,
)


def plan(context: Context, tools: Sequence[Tool], *, forced: bool = False, has_answer: bool = False) -> Plan | None:
    """What to do about the user's last words; ``None`` when no tool is wanted.

    Parameters
    ----------
    forced
        A tool must be called (``tool_choice``): what is missing is filled from before, or by a value of the right type.
    has_answer
        The rules have an answer of their own, so that a tool must fit well to be preferred.
    """
    last = context.last
    if not tools or last is None:
        return None
    if not last.text:
        return _forced(context, tools, "") if forced else None
    pending = None if forced else _pending(context, tools)
    if pending and pending.asks:
        answered = _answered(context, tools, pending, last.text, has_answer)
        if answered is not None:
            return answered
    previous = _previous(context, tools)
    if previous is not None and (more := _continued_sum(*previous, last.text)) is not None:
        return more
    found = _wanted(context, tools, last.text, SURE if has_answer else ENOUGH)
    if found is None or (not found.calls and not forced and _FOLLOWS.match(last.text)):
        found = _follow_up(context, tools, last.text, has_answer) or found
    if found is None and not has_answer and not forced:
        found = _looked_up(tools, last.text)
    if forced and (found is None or not found.calls):
        return _forced(context, tools, last.text)
    return found


def _keys(context: Context) -> list[str]:
    return [str(call.arguments["key"]) for call in context.calls if isinstance(call.arguments.get("key"), str)]


def _rated(context: Context, tools: Sequence[Tool], text: str) -> list[Choice]:
    return choose(tools, text, facts=facts_of(context), keys=_keys(context))


def _wanted(context: Context, tools: Sequence[Tool], text: str, least: float) -> Plan | None:
    """The calls that the words ask for, several when there are several wishes in them."""
    parts = [part for clause in clauses(text) for part in _JOINED.split(clause)]
    planned: list[Planned] = []
    ask: Plan | None = None
    before: Tool | None = None
    for part in parts if len(parts) > 1 else []:
        best = _rated(context, tools, part)[0]
        if best.score >= least:
            one = _from_choice(context, tools, best, part)
            before = best.tool
        elif before is not None and not (filled := fill(before, part)).missing and filled.evidence > 0.5:
            one = _from_choice(context, tools, Choice(before, ENOUGH, filled), part)
        else:
            continue
        planned.extend(one.calls)
        ask = ask or (one if one.asks else None)
    if planned:
        return Plan(planned)
    best = _rated(context, tools, text)[0]
    if best.score >= least:
        return _from_choice(context, tools, best, text)
    return ask


def _from_choice(context: Context, tools: Sequence[Tool], choice: Choice, text: str) -> Plan:
    values, missing = dict(choice.filled.values), []
    for param in choice.filled.missing:
        value = _from_before(context, tools, param, text)
        if value is None:
            missing.append(param)
        else:
            values[param.path] = value
    if missing:
        return Plan(asks=Planned(choice.tool, values), missing=missing)
    others = choice.filled.others
    calls = [Planned(choice.tool, values)]
    for index in range(max((len(row) for row in others.values()), default=0)):
        changed = {path: row[index] for path, row in others.items() if index < len(row)}
        calls.append(Planned(choice.tool, {**values, **changed}))
    return Plan(calls)


def _from_before(context: Context, tools: Sequence[Tool], param: Param, text: str) -> Any | None:
    """What *there*, *it* or *that* stands for: the value that an earlier call had for this kind of parameter."""
    if not re.search(r"\b(?:there|it|that|this|them|same|again|those)\b", text, re.IGNORECASE):
        return None
    for call in reversed(context.calls):
        tool = next((each for each in tools if each.name == call.name), None)
        for other in tool.params if tool else ():
            same = other.path == param.path or (param.kind and other.kind == param.kind)
            if same and (value := _at(call.arguments, other.path)) is not None:
                return value
        if tool is None and (value := _at(call.arguments, param.path)) is not None:
            return value
    return None


def _at(arguments: Any, path: Path) -> Any | None:
    for name in path:
        arguments = arguments.get(name) if isinstance(arguments, Mapping) else None
    return arguments


def _pending(context: Context, tools: Sequence[Tool]) -> Plan | None:
    """The plan whose question the user has just been asked, found again from what was said."""
    said = _heard(context.messages)
    at = len(said) - 1
    while (
        at >= 2
        and said[at - 1].role == "assistant"
        and said[at - 2].role == "user"
        and _asked(said[at - 1].text, tools)
    ):
        at -= 2
    if at == len(said) - 1:
        return None
    state = plan(context.before(said[at]), tools)
    for answer in said[at + 2 : -1 : 2]:
        if state is None or state.asks is None:
            return None
        state = _given(context, state, answer.text) or state
    if state is None or state.asks is None or bare(state.question) not in bare(said[-2].text):
        return None
    return state


def _heard(messages: Sequence[Said]) -> list[Said]:
    """The messages without the user's that were not understood, and without what was answered to those."""
    kept: list[Said] = []
    skip = False
    for said in messages:
        if said.role == "user":
            skip = not said.text
        if not skip and said.text:
            kept.append(said)
    return kept


def _asked(text: str, tools: Sequence[Tool]) -> bool:
    spoken = bare(text)
    return any(bare(question(param)) in spoken for tool in tools for param in tool.params if param.required)


def _given(context: Context, state: Plan, text: str) -> Plan | None:
    """`state` with the answer taken in; ``None`` when the answer holds no value for what was asked."""
    assert state.asks is not None
    tool, missing = state.asks.tool, list(state.missing)
    values: dict[Path, Any] = dict(state.asks.values)
    value = answer_for(tool, missing[0], text, facts=facts_of(context))
    if value is None:
        return None
    values[missing[0].path] = value
    rest = fill(tool, text)
    for param in missing[1:]:
        if param.path in rest.values and (
            param.kind in {"latitude", "longitude", "value"} or _more_than_one_number(param, text)
        ):
            values[param.path] = rest.values[param.path]
    missing = [param for param in missing if param.path not in values]
    if missing:
        return Plan(asks=Planned(tool, values), missing=missing)
    others = {path: row for path, row in rest.others.items() if path == state.missing[0].path}
    calls = [Planned(tool, values)]
    calls.extend(Planned(tool, {**values, path: other}) for path, row in others.items() for other in row)
    return Plan(calls)


def _more_than_one_number(param: Param, text: str) -> bool:
    return param.type in {"number", "integer"} and len(numbers(text)) > 1


def _answered(context: Context, tools: Sequence[Tool], pending: Plan, text: str, has_answer: bool) -> Plan | None:
    """What follows from the user's answer to our question; ``None`` when it is no answer but something new."""
    assert pending.asks is not None
    if _DROP.search(text) and pending.missing[0].type != "boolean":
        return Plan(dropped=True)
    best = _rated(context, tools, text)[0]
    if best.score >= SURE and best.tool.name != pending.asks.tool.name:
        return None
    if best.score >= SURE and not best.filled.missing:
        return None
    if asks_or_tells(text) == "read" and not re.search(r"^(?:what|how) about\b", text, re.IGNORECASE):
        return None
    given = _given(context, pending, text)
    return given or (None if has_answer or best.score >= ENOUGH else pending)


_PRONOUNS: Final = bag("you that it me this him her them us yourself your mine")


def _previous(context: Context, tools: Sequence[Tool]) -> tuple[Tool, Called] | None:
    """The last call of a tool that is still declared."""
    by_name = {tool.name: tool for tool in tools}
    return next(((by_name[call.name], call) for call in reversed(context.calls) if call.name in by_name), None)


def _follow_up(context: Context, tools: Sequence[Tool], text: str, has_answer: bool) -> Plan | None:
    """``How about Chicago?`` after a call: the same call with what is new."""
    previous = _previous(context, tools)
    if previous is None:
        return None
    tool, last = previous
    lead = _FOLLOWS.match(text)
    if lead is None and len(text.split()) > 4:
        return None
    if has_answer and lead is None:
        return None
    rest = text[lead.end() :] if lead else text
    words = bare(rest).split()
    if not words or _PRONOUNS & set(words[:2]) or asks_or_tells(rest) == "read":
        return None
    filled = fill(tool, text, keys=_keys(context))
    new = {path: value for path, value in filled.values.items() if tool.param(path).kind or not isinstance(value, bool)}
    new = {path: value for path, value in new.items() if value != tool.param(path).schema.get("default", object())}
    loose = {path for path in new if tool.param(path).kind in {"query", "message", "title"}}
    if set(new) == loose:
        main = next((param for param in tool.params if param.required and param.type in {"string", ""}), None)
        value = answer_for(tool, main, rest) if main and lead and main.kind != "sql" else None
        new = {main.path: value} if main and value is not None else {}
    if not new or (has_answer and filled.evidence <= 0.6):
        return None
    if any(param.kind == "latitude" and param.path not in new for param in tool.params):
        return None
    old = {param.path: value for param in tool.params if (value := _at(last.arguments, param.path)) is not None}
    calls = [Planned(tool, {**old, **new})]
    for path, row in filled.others.items():
        calls.extend(Planned(tool, {**old, **new, path: other}) for other in row if path in new)
    return Plan(calls)


def _adds(tool: Tool) -> bool:
    ideas = {idea for word in tool.words for idea in concepts(word)}
    about = {idea for word in bare(tool.description).split() for idea in concepts(word)}
    return "sum" in ideas | about


def _continued_sum(tool: Tool, last: Called, text: str) -> Plan | None:
    """``And 5 more?``: the last result and the new number."""
    numeric = [param for param in tool.params if param.type in {"number", "integer"} and param.required]
    found, before = numbers(text), number_of(last.output)
    continues = re.search(
        r"\b(?:more|to (?:that|it|this)|on top|the result|as well|too|again)\b|^(?:and |now |then )*(?:plus|add|and)\b",
        text,
        re.IGNORECASE,
    )
    if not _adds(tool) or before is None or not continues or len(found) != 1:
        return None
    new = found[0].value
    row = [_whole(before), _whole(new)]
    if len(numeric) == 2:
        return Plan([Planned(tool, dict(zip((param.path for param in numeric), row, strict=True)))])
    lists = [param for param in tool.params if param.type == "array"]
    return Plan([Planned(tool, {lists[0].path: row})]) if lists and not numeric else None


def chained(context: Context, tools: Sequence[Tool]) -> Planned | None:
    """The next call of a sum of three or more numbers with a tool that adds two: the result and the next number."""
    last, fresh = context.last, context.fresh
    if last is None or len(fresh) != 1 or len(clauses(last.text)) > 1:
        return None
    tool = next((each for each in tools if each.name == fresh[0].name), None)
    before = number_of(fresh[0].output)
    if tool is None or before is None or not _adds(tool):
        return None
    numeric = [param for param in tool.params if param.type in {"number", "integer"} and param.required]
    row = [number.value for number in numbers(last.text)]
    done = _calls_since(context, last)
    if len(numeric) != 2 or len(row) < 3 or done + 1 >= len(row) or re.search(r"\bminus\b|\btimes\b|[*/×÷]", last.text):
        return None
    if abs(before - sum(row[: done + 1])) > 1e-9:
        return None
    return Planned(
        tool, dict(zip((param.path for param in numeric), map(_whole, (before, row[done + 1])), strict=True))
    )


def _whole(value: float) -> float | int:
    return int(value) if value == int(value) else value


def _calls_since(context: Context, message: Said) -> int:
    at = next(index for index, entry in enumerate(context.entries) if entry is message)
    return sum(isinstance(entry, Called) for entry in context.entries[at:])


def _looked_up(tools: Sequence[Tool], text: str) -> Plan | None:
    """The last resort before *I do not know*: a question goes to a tool that searches."""
    if asks_or_tells(text) != "read":
        return None
    for tool in tools:
        required = [param for param in tool.params if param.required]
        ideas = {idea for word in tool.words for idea in concepts(word)}
        if len(required) == 1 and required[0].kind == "query" and ideas & {"search", "document", "web", "database"}:
            return Plan([Planned(tool, fill(tool, text).values)])
    return None


def _forced(context: Context, tools: Sequence[Tool], text: str) -> Plan:
    """The best tool, called whatever is missing: from earlier calls, else a value of the right type."""
    best = _rated(context, tools, text)[0]
    values = dict(best.filled.values)
    for param in best.filled.missing:
        before = _from_before(context, tools, param, "that")
        values[param.path] = placeholder(param) if before is None else before
    once = replace(best.filled, values=values, missing=[])
    return _from_choice(context, tools, replace(best, filled=once), text)
