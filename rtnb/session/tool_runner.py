"""`ToolRunner`: carries out the calls of a model, and turns whatever happens into an output.

Theory of operation
-------------------
`ToolRunner.run` is awaited on the session's loop, once for each call, several at a time. It never raises for what a
tool or a model did wrong: an unknown tool, arguments that do not fit, a refusal, an exception and a timeout all become
a `ToolOutcome` whose `output` tells the model what happened, in short JSON. It raises only `asyncio.CancelledError`,
when its own task is cancelled.

======================  ==========================================================================================
plain function          runs in a daemon thread, with a copy of the caller's context variables; its result is encoded
                        there too, so that the loop never waits for it
``async`` function      runs as a task on the session's loop; one that blocks holds up the sound
timeout, cancelled      a task is cancelled; a thread cannot be, it is abandoned and whatever it gives is dropped
======================  ==========================================================================================

What a tool prints goes where prints of a thread go. Imports `rtnb.core` and its neighbours in `rtnb.session`.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import time
import traceback
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from rtnb.core.errors import redact
from rtnb.core.tool_arguments import ToolArgumentError
from rtnb.core.tool_output import OUTPUT_CHARS, Result, encode_output, error_output, error_text
from rtnb.core.tools import PREFER_RECORDED, Tool
from rtnb.session.cursor import apart
from rtnb.session.tool_threads import ThreadsBusy, ToolThreads

__all__ = ["Approve", "OutcomeKind", "ToolOutcome", "ToolRunner"]

_log = logging.getLogger(__name__)

Approve: TypeAlias = Callable[[Tool, dict[str, Any]], Awaitable[bool | None]]
"""Asks the user whether a tool may run with these arguments; None: nobody answered."""

OutcomeKind: TypeAlias = Literal["completed", "unknown", "arguments", "denied", "exception", "timeout"]
"""How a call went: it completed, or why it did not."""

_GRACE_S: Final = 0.2
_PLAIN: Final = frozenset({str, int, float, bool, type(None)})


@dataclass(frozen=True)
class ToolOutcome:
    """What came of one call.

    Attributes
    ----------
    output
        The text that goes back to the model, whatever happened.
    ok
        Whether the tool completed.
    error
        Why it did not, in words; None when it did.
    shown
        What the person is to see: the `show` of a `Result`.
    milliseconds
        How long the tool ran, its result's encoding included; the user's time for approval is not counted.
    value
        What the tool returned; of a `Result` the part for the model.
    call_id, name
        Of the call.
    kind
        How it went.
    arguments
        What the tool was called with; None when it was not called.
    exception
        What the tool raised, for the person who writes it; see `traceback`.
    """

    output: str
    ok: bool
    error: str | None = None
    shown: Any = None
    milliseconds: float = 0.0
    value: Any = None
    call_id: str = ""
    name: str = ""
    kind: OutcomeKind = "completed"
    arguments: dict[str, Any] | None = None
    exception: BaseException | None = field(default=None, repr=False)
    secrets: tuple[str | None, ...] = field(default=(), repr=False)

    @property
    def traceback(self) -> str:
        """The exception with its lines from the tool on, without keys; empty when there was none."""
        if self.exception is None:
            return ""
        own = self.exception.__traceback__
        while own is not None and str(own.tb_frame.f_globals.get("__name__", "")).startswith(_INNER):
            own = own.tb_next
        lines = traceback.format_exception(type(self.exception), self.exception, own or self.exception.__traceback__)
        return redact("".join(lines), *self.secrets)


_INNER: Final = ("rtnb.session.", "rtnb.core.")


class ToolRunner:
    """Runs tools. All methods but `close` are called on one event loop.

    Parameters
    ----------
    approve
        Asks the user about a tool with ``confirm=True``. None: nobody can be asked, and such a tool does not run.
    output_chars
        The longest output, see `rtnb.core.tool_output`.
    prefer_recorded
        Whether tools with recorded answers give those (see `rtnb.core.tools.PREFER_RECORDED`): for the local endpoint.
    secrets
        Keys in use, which are taken out of every output, error and traceback.
    """

    def __init__(
        self,
        *,
        approve: Approve | None = None,
        output_chars: int = OUTPUT_CHARS,
        prefer_recorded: bool = False,
        secrets: Iterable[str | None] = (),
    ) -> None:
        self.approve = approve
        self.output_chars = output_chars
        self.prefer_recorded = prefer_recorded
        self.secrets = tuple(secrets)
        self._threads = ToolThreads()
        self._abandoned: set[asyncio.Future[Any]] = set()  # a task that nobody holds may be collected while it runs

    @property
    def abandoned(self) -> int:
        """How many calls were given up (timeout, cancelled) and have not come to an end yet."""
        return len(self._abandoned) + self._threads.abandoned

    async def run(
        self, tool: Tool | str, arguments: str, *, call_id: str = "", known: Iterable[str] = ()
    ) -> ToolOutcome:
        """Carry out one call.

        Parameters
        ----------
        tool
            The tool, or the name that the model called when no tool has it.
        arguments
            JSON text, as the model wrote it.
        call_id
            Of the call; kept in the outcome.
        known
            Names of the tools there are, for the words about an unknown one.
        """
        if isinstance(tool, str):
            names = ", ".join(known) or "none"
            return self._failure(tool, call_id, "unknown", f"There is no tool {tool!r}. There are: {names}.")
        try:
            values = tool.parse(arguments)
        except ToolArgumentError as exc:
            return self._failure(tool.name, call_id, "arguments", str(exc))
        except Exception as exc:  # noqa: BLE001 - a validator of the tool's author may raise anything
            return self._failure(tool.name, call_id, "arguments", error_text(exc, *self.secrets), exception=exc)
        if tool.confirm and (refusal := await self._refusal(tool, values)):
            return self._failure(tool.name, call_id, "denied", refusal, arguments=values)
        return await self._run(tool, values, call_id)

    def open(self) -> None:
        """Take calls again after a `close`."""
        self._threads.close()
        self._threads = ToolThreads()

    def close(self) -> None:
        """Cancel what was abandoned and let the threads go; hung ones are left behind. May be called twice.

        Called on the loop's thread, or after it has ended.
        """
        for each in self._abandoned:
            if not each.get_loop().is_closed():
                each.cancel()
        self._threads.close()

    async def _refusal(self, tool: Tool, values: dict[str, Any]) -> str | None:
        if self.approve is None:
            return f"{tool.name} needs the user's consent, and there is nobody here to ask. It was not run."
        try:
            allowed = await self.approve(tool, values)
        except Exception:  # noqa: BLE001 - whatever goes wrong there, the answer is no
            _log.exception("asking for consent failed")
            return f"{tool.name} needs the user's consent, and asking for it failed. It was not run."
        if allowed is None:
            return f"{tool.name} needs the user's consent, and nobody answered. It was not run."
        return (
            None if allowed is True else f"The user did not consent to {tool.name}. It was not run; do not try again."
        )

    async def _run(self, tool: Tool, values: dict[str, Any], call_id: str) -> ToolOutcome:
        start = time.perf_counter()
        work = asyncio.ensure_future(self._work(tool, values))
        try:
            await asyncio.wait({work}, timeout=tool.timeout)
        except asyncio.CancelledError:
            self._abandon(work)
            raise
        milliseconds = (time.perf_counter() - start) * 1000
        if not work.done():
            self._abandon(work)
            await asyncio.wait({work}, timeout=_GRACE_S)  # the `finally` of a task may close what it opened
            still = "; it may still be at work" if not (tool.is_async and work.done()) else ""
            error = f"{tool.name} did not finish within {tool.timeout:g} s and was given up{still}."
            return self._failure(tool.name, call_id, "timeout", error, arguments=values, milliseconds=milliseconds)
        if work.cancelled():
            error = f"{tool.name} was cancelled from within."
            return self._failure(tool.name, call_id, "exception", error, arguments=values, milliseconds=milliseconds)
        output, value, shown, exception = work.result()
        if exception is not None:
            _log.info("tool %s raised %s", tool.name, type(exception).__name__)
            return self._failure(
                tool.name,
                call_id,
                "exception",
                error_text(exception, *self.secrets),
                arguments=values,
                milliseconds=milliseconds,
                exception=exception,
            )
        return ToolOutcome(
            self._clean(output), True, None, shown, milliseconds, value, call_id, tool.name, arguments=values
        )

    async def _work(self, tool: Tool, values: dict[str, Any]) -> tuple[str, Any, Any, BaseException | None]:
        """Output, value, shown, exception: a failure is a part of the result, see `ToolThreads.submit`."""
        apart()  # this and the next are for this task, and through its context for the thread
        PREFER_RECORDED.set(self.prefer_recorded)
        try:
            if tool.is_async:
                returned = await tool.run(values)
            else:
                returned, error = await self._threads.submit(_in_context(_called, tool, values, self.output_chars))
                if error is not None:
                    return "", None, None, error
                if isinstance(returned, _Encoded):
                    return returned.output, returned.value, returned.shown, None
                returned = await returned  # a plain function that made a coroutine
            if type(returned) in _PLAIN:
                encoded = _encoded(returned, self.output_chars)
            else:
                encoded, error = await self._threads.submit(_in_context(_encoded, returned, self.output_chars))
                if error is not None:
                    return "", None, None, error
        except asyncio.CancelledError:
            raise
        except ThreadsBusy as exc:
            return "", None, None, RuntimeError(f"no thread is free for a tool: {exc}")
        except BaseException as exc:  # noqa: BLE001 - whatever a tool raises is its outcome; SystemExit would end the loop
            return "", None, None, exc
        return encoded.output, encoded.value, encoded.shown, None

    def _abandon(self, work: asyncio.Future[Any]) -> None:
        if work.done():
            return
        self._abandoned.add(work)
        work.add_done_callback(self._abandoned.discard)
        work.cancel()

    def _failure(
        self,
        name: str,
        call_id: str,
        kind: OutcomeKind,
        error: str,
        *,
        arguments: dict[str, Any] | None = None,
        milliseconds: float = 0.0,
        exception: BaseException | None = None,
    ) -> ToolOutcome:
        error = redact(error, *self.secrets)
        return ToolOutcome(
            error_output(error),
            False,
            error,
            milliseconds=milliseconds,
            call_id=call_id,
            name=name,
            kind=kind,
            arguments=arguments,
            exception=exception,
            secrets=self.secrets,
        )

    def _clean(self, output: str) -> str:
        for secret in self.secrets:
            if secret:
                output = output.replace(secret, "[key]")
        return output


@dataclass(frozen=True)
class _Encoded:
    output: str
    value: Any
    shown: Any


def _in_context(function: Callable[..., Any], *args: Any) -> Callable[[], Any]:
    context = contextvars.copy_context()
    return lambda: context.run(function, *args)


def _called(tool: Tool, values: Mapping[str, Any], output_chars: int) -> Any:
    returned = tool.run(dict(values))
    return returned if inspect.isawaitable(returned) else _encoded(returned, output_chars)


def _encoded(returned: Any, output_chars: int) -> _Encoded:
    value, shown = (returned.for_model, returned.show) if isinstance(returned, Result) else (returned, None)
    return _Encoded(encode_output(value, limit=output_chars), value, shown)
