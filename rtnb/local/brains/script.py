"""The script brain, for tests and lessons: it says and does exactly what it was told to.

A script is a row of steps, one for each response. A step is a text, a list of pieces, a tool call, a failure, a wait,
a list of those, or a function of the request that returns one of those. Rules made with `when` stand beside the row:
they answer whatever request they match and are not used up.

Imports the seams only, and how a text is cut.
"""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from rtnb.local.brains.pieces import words
from rtnb.local.seams import Call, CallArguments, Failed, Finished, Piece, Request, Say

__all__ = ["ScriptBrain", "Step", "Wait", "When", "call", "fail", "incomplete", "wait", "when"]


@dataclass(frozen=True)
class Wait:
    """A pause in a step until `event` is set; cancelling the response ends it."""

    event: asyncio.Event


@dataclass(frozen=True)
class When:
    """A rule: `step` answers each request that `match` accepts, at most `times` times."""

    match: Callable[[Request], bool]
    step: Step
    times: int | None = None


Step: TypeAlias = "str | Piece | Wait | Sequence[Step] | Callable[[Request], Any] | None"
"""What one response does; see `ScriptBrain`."""


def call(
    name: str,
    arguments: str | Mapping[str, Any] | None = None,
    /,
    *,
    call_id: str | None = None,
    chunk: int | None = None,
    **values: Any,
) -> Step:
    """A tool call as a step, or as a part of one.

    Parameters
    ----------
    name
        The tool.
    arguments
        A mapping, or a raw string that goes out as it stands, broken JSON included.
    call_id
        The call's id; the endpoint makes one up when there is none.
    chunk
        Characters of the arguments in each delta; all in one by default.
    **values
        The arguments, for short: ``call("calculate_sum", a=4, b=6)``.
    """
    if isinstance(arguments, str):
        if values:
            raise TypeError("give the arguments as a raw string or by name, not both")
        raw = arguments
    else:
        raw = json.dumps({**(arguments or {}), **values}, ensure_ascii=False)
    if chunk is None:
        return Call(name, raw, call_id)
    return [Call(name, "", call_id), *(CallArguments(raw[at : at + chunk]) for at in range(0, len(raw), chunk))]


def fail(code: str = "server_error", message: str = "The script says: fail.", *, type: str = "server_error") -> Failed:
    """A step, or the end of one: the response fails with this error."""
    return Failed({"type": type, "code": code, "message": message})


def incomplete(
    text: Step = None, *, reason: Literal["max_output_tokens", "content_filter"] = "max_output_tokens"
) -> Step:
    """A step that says `text` and then ends as incomplete."""
    return [text, Finished(reason)]


def wait(event: asyncio.Event) -> Wait:
    """A part of a step: go on when `event` is set."""
    return Wait(event)


def when(match: str | Callable[[Request], bool], step: Step, *, times: int | None = None) -> When:
    """A rule beside the row of steps.

    Parameters
    ----------
    match
        A function of the request, or words to look for (ignoring case) in the last thing that the user said.
    step
        What to do then; it is not used up, unless `times` says so.
    times
        How often the rule may answer; ``None``: always.
    """
    if callable(match):
        return When(match, step, times)
    words = match.casefold()
    return When(lambda request: words in _last_user_text(request).casefold(), step, times)


class ScriptBrain:
    """Says this, calls that, fails so: one step for each response, in order.

    Parameters
    ----------
    *steps
        For each response one of

        - a text, streamed word by word;
        - a list of pieces, which go out as they stand: texts, `call`, `wait`, `fail`, `incomplete`, or any piece of
          `rtnb.local.seams`; several calls in a list are several calls of one response;
        - a function of the `Request`, plain or async, that returns one of these;
        - ``None``: the response completes with nothing;
        - a `when` rule, which stands beside the row and is tried first.
    repeat
        Start the row again at its end, instead of failing.

    Attributes
    ----------
    requests : list of Request
        Everything the brain was asked, in order.
    interrupted : list of str
        Ids of the responses that were closed before they had ended.

    Examples
    --------
    >>> brain = ScriptBrain("Hello there", call("calculate_sum", a=4, b=6), "That is 10.", fail("rate_limit_exceeded"))
    """

    name = "script"

    def __init__(self, *steps: Step | When, repeat: bool = False) -> None:
        self.requests: list[Request] = []
        self.interrupted: list[str] = []
        self._row: list[Step] = []
        self._rules: list[When] = []
        self._used: list[int] = []
        self._next = 0
        self._repeat = repeat
        self.add(*steps)

    def add(self, *steps: Step | When) -> None:
        """Put more steps at the end of the row, or more rules beside it."""
        for step in steps:
            if isinstance(step, When):
                self._rules.append(step)
                self._used.append(0)
            else:
                if not callable(step):
                    list(
                        _flat(step, whole=True)
                    )  # a step that makes no sense is told here, not in the middle of a test
                self._row.append(step)

    @property
    def left(self) -> int:
        """How many steps of the row are still to come."""
        return len(self._row) - self._next

    async def think(self, request: Request) -> AsyncIterator[Piece]:
        """Stream the step that is due."""
        self.requests.append(request)
        step = self._due(request)
        while callable(step):
            step = step(request)
            if inspect.isawaitable(step):
                step = await step
        ended = False
        try:
            for part in _flat(step, whole=True):
                if isinstance(part, Wait):
                    await part.event.wait()
                    continue
                yield part
                if isinstance(part, Failed | Finished):
                    break
            ended = True
        finally:
            if not ended:
                self.interrupted.append(request.response_id)

    def _due(self, request: Request) -> Step:
        for index, rule in enumerate(self._rules):
            if (rule.times is None or self._used[index] < rule.times) and rule.match(request):
                self._used[index] += 1
                return rule.step
        if self._repeat and self._row and self._next == len(self._row):
            self._next = 0
        if self._next == len(self._row):
            said = _last_user_text(request)
            return fail(
                "script_exhausted",
                f"The script has {len(self._row)} steps, all are used, and no rule matches this request"
                f" (the user's last words: {said!r}). Add a step.",
            )
        self._next += 1
        return self._row[self._next - 1]


def _flat(step: Step, *, whole: bool) -> Iterator[Piece | Wait]:
    """The pieces of a step; a text that is the `whole` step, or all of a part, goes out word by word."""
    if step is None:
        return
    if isinstance(step, str):
        for text in words(step) if whole else [step]:
            yield Say(text)
    elif isinstance(step, Say | Call | CallArguments | Failed | Finished | Wait):
        yield step
    elif isinstance(step, Sequence):
        for part in step:
            yield from _flat(part, whole=False)
    else:
        raise TypeError(f"a script has no use for {step!r}")


def _last_user_text(request: Request) -> str:
    for item in reversed(request.items):
        if item.get("role") == "user":
            return " ".join(part.get("text") or part.get("transcript") or "" for part in item.get("content") or ())
    return ""
