"""The output half of a session: responses, one in the default conversation and any number outside of it.

A response is created at once, but its brain is asked only when all speech in its context has been recognised. Whatever
happens then, `response.done` follows, exactly once.

May import `rtnb.core.protocol` and its neighbours in `rtnb.local`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from rtnb.core.protocol import Event
from rtnb.local import problems
from rtnb.local.counting import InputCount, RateWindow, count_input, usage
from rtnb.local.effects import Effect, Halt, Think
from rtnb.local.problems import Problem
from rtnb.local.responses import ResponseRun, Settings
from rtnb.local.seams import Request
from rtnb.local.session_state import SessionState, token_limit
from rtnb.local.store import Conversation, StoredItem, stored_from_client
from rtnb.local.validate import judge_parts, judge_voice

__all__ = ["OutputSide"]


class OutputSide:
    """Responses.

    Parameters
    ----------
    session, conversation
        The state it works on.
    emit, ask
        Take server events and effects, in order.
    recognise
        Has the audio of an item recognised (for raw items in ``response.input``).
    on_done
        Called after the ``response.done`` of a response of the default conversation, with it and its status.
    """

    def __init__(
        self,
        session: SessionState,
        conversation: Conversation,
        *,
        emit: Callable[[Event], None],
        ask: Callable[[Effect], None],
        recognise: Callable[[StoredItem], None],
        on_done: Callable[[ResponseRun, str], None],
    ) -> None:
        self._session = session
        self._conversation = conversation
        self._emit, self._ask = emit, ask
        self._recognise, self._on_done = recognise, on_done
        self._runs: dict[str, ResponseRun] = {}
        self._active: ResponseRun | None = None
        self._last_input: InputCount = []
        self._rates = RateWindow()
        self.now = 0.0  # set by the engine with every call

    @property
    def active_id(self) -> str | None:
        """The id of the running response of the default conversation."""
        return self._active.id if self._active is not None else None

    @property
    def running(self) -> list[str]:
        """The ids of all running responses."""
        return list(self._runs)

    # ---- beginning ----

    def create(self, wanted: Mapping[str, Any] | None = None) -> Problem | None:
        """Begin a response, or say why not.

        Parameters
        ----------
        wanted
            The ``response`` of a ``response.create``; None for one that turn detection begins.
        """
        wanted = wanted or {}
        outside = wanted.get("conversation") == "none"
        if not outside and self._active is not None:
            return problems.active_response(self._active.id)
        problem = judge_voice(wanted, self._session) or self._judge_input(wanted)
        if problem is not None:
            return problem
        run = ResponseRun(
            self._settings(wanted),
            conversation=None if outside else self._conversation,
            emit=self._emit,
            context=self._context(wanted),
        )
        self._runs[run.id] = run
        if not outside:
            self._active = run
        run.created()
        for entry in run.context:
            if isinstance(entry, StoredItem):
                self._recognise(entry)
        run.waiting = set().union(*(stored.pending for stored in self._items(run)))
        self._think_if_ready(run)
        return None

    def _judge_input(self, wanted: Mapping[str, Any]) -> Problem | None:
        for index, item in enumerate(wanted.get("input") or ()):
            path = f"response.input[{index}]"
            if item.get("type") == "item_reference":
                if item.get("id") not in self._conversation:
                    return problems.invalid_value(f"Item with id '{item.get('id')}' not found.", f"{path}.id")
            elif (problem := judge_parts(item, path)) is not None:
                return problem
        return None

    def _settings(self, wanted: Mapping[str, Any]) -> Settings:
        defaults = self._session.response_defaults()
        values = {key: wanted[key] if wanted.get(key) is not None else default for key, default in defaults.items()}
        output = self._session.output
        asked = (wanted.get("audio") or {}).get("output") or {}
        parallel = values["parallel_tool_calls"]
        return Settings(
            instructions=values["instructions"],
            tools=values["tools"],
            tool_choice=values["tool_choice"],
            modality="text" if values["output_modalities"] == ["text"] else "audio",
            max_output_tokens=values["max_output_tokens"],
            parallel_tool_calls=True if parallel is None else bool(parallel),
            voice=asked.get("voice") or output["voice"],
            speed=float(output["speed"] or 1.0),
            format=asked.get("format") or output["format"],
            metadata=wanted.get("metadata"),
        )

    def _context(self, wanted: Mapping[str, Any]) -> list[str | StoredItem]:
        if wanted.get("input") is None:
            return list(self._conversation.ids)
        return [
            item["id"] if item.get("type") == "item_reference" else stored_from_client(item, self._session.input_format)
            for item in wanted["input"]
        ]

    def _items(self, run: ResponseRun) -> list[StoredItem]:
        """What the response reads, without what was deleted meanwhile."""
        found = (entry if isinstance(entry, StoredItem) else self._conversation.get(entry) for entry in run.context)
        return [stored for stored in found if stored is not None]

    def recognised(self, key: str) -> None:
        """A recognition has ended; responses may have waited for it."""
        for run in list(self._runs.values()):
            if key in run.waiting:
                run.waiting.discard(key)
                self._think_if_ready(run)

    def _think_if_ready(self, run: ResponseRun) -> None:
        if run.waiting:
            return
        settings = run.settings
        items = self._items(run)
        run.input_count = count_input(settings.instructions, settings.tools, items)
        request = Request(
            response_id=run.id,
            model=self._session.model,
            instructions=settings.instructions,
            items=[stored.for_brain() for stored in items],
            tools=[tool for tool in settings.tools if tool.get("type") == "function"],
            tool_choice=settings.tool_choice,
            output=settings.modality,
            max_output_tokens=token_limit(settings.max_output_tokens),
            metadata=settings.metadata,
        )
        self._ask(Think(request, settings.voice_name, settings.speed))

    # ---- the brain's pieces ----

    def say(self, response_id: str, text: str) -> None:
        """The next words of a text answer."""
        run = self._runs.get(response_id)
        if run is not None:
            run.say(text)
            self._check_limit(run)

    def speak(self, response_id: str, pcm: bytes, words: str) -> None:
        """The next stretch of a spoken answer."""
        run = self._runs.get(response_id)
        if run is not None and (pcm or words):
            run.speak(pcm, words)
            self._session.voice_is_locked = self._session.voice_is_locked or run.audio_ms > 0
            self._check_limit(run)

    def call(self, response_id: str, name: str, arguments: str, call_id: str | None) -> None:
        """A call begins. None is made with ``tool_choice: "none"``, one without ``parallel_tool_calls``."""
        run = self._runs.get(response_id)
        if run is None or run.settings.tool_choice == "none":
            return
        if run.calls and not run.settings.parallel_tool_calls:
            return
        run.call(name, arguments, call_id)
        self._check_limit(run)

    def arguments(self, response_id: str, delta: str) -> None:
        """The next piece of the open call's arguments."""
        run = self._runs.get(response_id)
        if run is not None:
            run.arguments(delta)
            self._check_limit(run)

    def _check_limit(self, run: ResponseRun) -> None:
        if run.is_over_limit:
            self._ask(Halt(run.id))
            self._finish(run, "incomplete", {"type": "incomplete", "reason": "max_output_tokens"})

    # ---- the end ----

    def ended(self, response_id: str) -> None:
        """The brain and the voice are through."""
        run = self._runs.get(response_id)
        if run is not None:
            self._finish(run, "completed", None)

    def incomplete(self, response_id: str, reason: str) -> None:
        """The brain stopped early."""
        run = self._runs.get(response_id)
        if run is not None:
            self._finish(run, "incomplete", {"type": "incomplete", "reason": reason})

    def told_usage(self, response_id: str, told: Mapping[str, int]) -> None:
        """Real token counts of the brain."""
        run = self._runs.get(response_id)
        if run is not None:
            run.told_usage = told

    def failed(self, response_id: str, error: Mapping[str, Any]) -> None:
        """The brain or the voice failed."""
        run = self._runs.get(response_id)
        if run is None:
            return
        shown = {
            "type": str(error.get("type") or "server_error"),
            "code": error.get("code"),
            "message": str(error.get("message") or "The answer failed."),
        }
        self._finish(run, "failed", {"type": "failed", "error": shown})

    def cancel(self, response_id: str | None = None) -> Problem | None:
        """Cancel for the client: the given response, or the active one of the default conversation."""
        run = self._active if response_id is None else self._runs.get(response_id)
        if run is None:
            return problems.nothing_to_cancel()
        self._cancel(run, "client_cancelled")
        return None

    def interrupt(self) -> None:
        """The user began to speak: cancel the active response, if there is one."""
        if self._active is not None:
            self._cancel(self._active, "turn_detected")

    def _cancel(self, run: ResponseRun, reason: str) -> None:
        self._ask(Halt(run.id))
        self._finish(run, "cancelled", {"type": "cancelled", "reason": reason})

    def _finish(
        self, run: ResponseRun, status: Literal["completed", "cancelled", "incomplete", "failed"], details: Event | None
    ) -> None:
        del self._runs[run.id]
        before = self._last_input if run.in_conversation else []
        counted = usage(
            run.input_count, before, text=run.text_tokens_out, audio=run.audio_tokens_out, told=run.told_usage
        )
        if run is self._active:
            self._active = None
            self._last_input = run.input_count or self._last_input
        run.close(status, details, counted)
        limits = self._rates.spend(counted["total_tokens"], self.now)
        self._emit({"type": "rate_limits.updated", "rate_limits": limits})
        if run.in_conversation:
            self._on_done(run, status)
