"""Tools in a session: which there are, and what happens when the model calls one.

The sequencer says *when* a call runs; here it is run, its outcome is written into the reply, and the output is given
back. A call of a tool that was declared without a handler here (in ``config`` or by a raw event) is left to the user.

Imports `rtnb.core` and its neighbours in `rtnb.session`.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from rtnb.core.errors import ProtocolError, ToolError, redact
from rtnb.core.protocol import item_create, system_message
from rtnb.core.services import is_provided, service
from rtnb.core.tool_output import background_output, background_result, error_output
from rtnb.core.tools import Tool, ToolSet, as_tool
from rtnb.session.reply import Reply
from rtnb.session.sequencer import Sequencer, Turn
from rtnb.session.tool_call import ToolCall
from rtnb.session.tool_runner import ToolOutcome, ToolRunner

__all__ = ["Tooling", "defined"]

logger = logging.getLogger(__name__)


class Tooling:
    """The tools of a session at work.

    Parameters
    ----------
    tools
        What the session has.
    runner
        Carries calls out.
    declared
        Gives the definitions that the server holds, handlers or not.
    new_reply
        Makes the reply in which a background result is told.
    """

    def __init__(
        self,
        tools: ToolSet,
        runner: ToolRunner,
        *,
        declared: Callable[[], list[Any]],
        new_reply: Callable[[], Reply],
    ) -> None:
        self.tools = tools
        self.runner = runner
        self._declared = declared
        self._new_reply = new_reply
        self._tasks: dict[str, tuple[Reply, asyncio.Task[None]]] = {}  # by call id

    def for_one_answer(self, settings: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Tool]]:
        """The settings of one answer with its tools as definitions, and those of them that the session may not have.

        Raises
        ------
        ToolError
            A function can be none, two have one name, or a name is none of the session's.
        """
        if "tools" not in settings:
            return settings, {}
        given = [each if isinstance(each, Mapping) else self._known(each) for each in settings["tools"]]
        own = ToolSet(each for each in given if isinstance(each, Tool))
        definitions = [each.definition() if isinstance(each, Tool) else each for each in given]
        return {**settings, "tools": definitions}, {tool.name: tool for tool in own}

    def _known(self, value: Any) -> Tool:
        tool = self.tools.get(value) if isinstance(value, str) else as_tool(value)
        if tool is None:
            raise ToolError(f"there is no tool {value!r} here; there are: {', '.join(self.tools.names) or 'none'}")
        return tool

    def start(self, sequencer: Sequencer, reply: Reply, call: ToolCall) -> bool:
        """Begin a call; False when it is the user's to answer."""
        tool = reply.tools.get(call.name) or self.tools.get(call.name)
        if tool is None and any(
            isinstance(each, Mapping) and each.get("name") == call.name for each in self._declared()
        ):
            return False
        work = self._run(sequencer, reply, call, tool)
        task = asyncio.get_running_loop().create_task(work, context=reply.context)
        self._tasks[call.call_id] = reply, task
        task.add_done_callback(lambda _: self._tasks.pop(call.call_id, None))
        return True

    def is_at_work_for(self, reply: Reply) -> bool:
        """Whether calls of a reply run, also in the background after its end; from any thread."""
        return any(owner is reply for owner, _ in list(self._tasks.values()))

    def cancel(self, reply: Reply) -> None:
        """Stop waiting for the calls of a reply; the model is told so of those that it has no output of yet."""
        for owner, task in self._tasks.values():
            if owner is reply:
                task.cancel()

    def open(self) -> None:
        """Take calls, on a new connection."""
        self.runner.open()

    def close(self) -> None:
        """Stop all calls and let the threads go."""
        for _, task in self._tasks.values():
            task.cancel()
        self.runner.close()

    async def _run(self, sequencer: Sequencer, reply: Reply, call: ToolCall, tool: Tool | None) -> None:
        arguments = call.arguments_text
        was_cancelled = False
        is_late = tool is not None and tool.background and _will_run(tool, arguments)
        if tool is not None and is_late:
            call.output = background_output(tool.name)
            reply.changed()
            sequencer.tool_finished(call.call_id, call.output)
        try:
            known = dict.fromkeys((*self.tools.names, *reply.tools))
            outcome = await self.runner.run(tool or call.name, arguments, call_id=call.call_id, known=known)
        except asyncio.CancelledError:
            was_cancelled = True
            outcome = ToolOutcome(error_output("The call was cancelled by the user."), False, "cancelled")
        if outcome.exception is not None:
            logger.debug("tool %s failed\n%s", call.name, outcome.traceback)
        call.error = outcome.error
        call.milliseconds = outcome.milliseconds
        call.shown = outcome.shown
        if tool is not None and is_late:
            call.result = outcome.output
            reply.changed()
            if was_cancelled:
                return
            told = system_message(background_result(tool.name, outcome.output))
            sequencer.submit(Turn(self._new_reply(), items=[item_create(told)]))
        else:
            call.output = outcome.output
            reply.changed()
            sequencer.tool_finished(call.call_id, outcome.output)


def defined(definition: Mapping[str, Any] | Tool, handler: Callable[..., Any] | None) -> Tool:
    """A tool from a JSON definition and what carries it out; one that is a tool already is left as it is.

    Parameters
    ----------
    definition, handler
        As for `rtnb.Session.add_tool`.

    Raises
    ------
    ProtocolError
        One of the two is missing.
    """
    if isinstance(definition, Tool):
        return definition
    if handler is None:
        raise ProtocolError("add_tool needs the definition and the function that carries it out")
    return Tool.from_definition(definition, handler)


def _will_run(tool: Tool, arguments: str) -> bool:
    """Whether a call is sure to begin, so that "under way" is true: its arguments fit, and nobody is to be asked."""
    if tool.confirm:
        return False
    try:
        tool.parse(arguments)
    except Exception:  # noqa: BLE001 - whatever it is, the runner meets it again and puts it into words
        return False
    return True


async def ask_for_approval(
    home: contextvars.Context, secrets: tuple[str, ...], tool: Tool, arguments: dict[str, Any]
) -> bool | None:
    """Ask the user in a notebook or a terminal; None when nobody answers, or can be asked.

    `home` is of the code that made the session; that of the question may be a click's, which has no cell.
    """
    if is_provided("session.approve"):
        answer: bool | None = await service("session.approve")(tool, arguments, home, secrets)
        return answer
    told = redact(orjson.dumps(arguments).decode(), *secrets)
    logger.warning("%s(%s) was not run: nobody can be asked here", tool.name, told)
    return None
