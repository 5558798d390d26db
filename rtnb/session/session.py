"""`Session`: what the user holds. Connects, asks, and shows what happened.

The work is done on a thread of the session's own (`rtnb.session.runner`); public calls hand it over and, where they
give a result, wait for it, open to Ctrl-C. `Core` (in `rtnb.session.core`) holds what lives on the thread. Each
blocking call has an awaitable twin of the same name on `Session.aio`; both run the core's coroutine ``do_<name>``.

Imports `rtnb.core`, `rtnb.net` and its neighbours in `rtnb.session`.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Coroutine, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from rtnb.core.capabilities import Capabilities, capabilities_of
from rtnb.core.changes import Changes
from rtnb.core.conversation import Item
from rtnb.core.item_table import ItemTable
from rtnb.core.log import Entry
from rtnb.core.protocol import Event
from rtnb.core.services import is_provided, service
from rtnb.core.tools import Tool
from rtnb.net.dialect import Spoken
from rtnb.net.endpoints import resolve
from rtnb.session.aio import Aio
from rtnb.session.core import Core, SessionState
from rtnb.session.face_account import AccountFace
from rtnb.session.face_panel import PanelFace
from rtnb.session.face_sound import SoundFace
from rtnb.session.face_staying import StayingFace
from rtnb.session.face_timeline import TimelineFace
from rtnb.session.listeners import Listener
from rtnb.session.reply import ANSWER_S, Reply
from rtnb.session.saving import save
from rtnb.session.sequencer import State
from rtnb.session.settings import TurnDetection
from rtnb.session.tooling import defined

__all__ = ["Session", "SessionState"]

T = TypeVar("T")
Fn = TypeVar("Fn", bound=Callable[..., Any])


class Session(AccountFace, PanelFace, SoundFace, StayingFace, TimelineFace):
    """A conversation with a realtime voice model.

    Parameters
    ----------
    endpoint
        None: OpenAI when there is a key (``OPENAI_API_KEY`` in the environment or in ``.env``), else the embedded local
        endpoint, which needs nothing. Or ``"local"``, ``"openai"``, ``"azure"``, an address, what `rtnb.endpoint`
        gives, a `rtnb.LocalEndpoint`, a recording or its folder (replayed at its own speed). ``RTNB_ENDPOINT`` stands
        in for None.
    model
        Name of the model; ``gpt-realtime-2.1-mini`` when not given.
    instructions
        What the model is told about its task and manner.
    voice
        Name of a voice; fixed once the model has spoken.
    output
        ``"audio"`` (with a transcript) or ``"text"``.
    turn_detection
        None: you say when a turn ends. ``"server_vad"``, ``"semantic_vad"`` or a dict with their parameters: the
        server does.
    transcription
        How the user's speech is written down: a model's name, a dict, or None for not at all.
    tools
        Functions, `rtnb.Tool` values or pairs of definition and handler.
    budget
        USD that the session may cost: it warns at 80 %, and asks for no new response when they are spent. May be set
        later: ``session.budget = 2``.
    prices
        Rows to lay over the price table, ``{"my-model": {"text_in": 1.0, "text_out": 2.0}}`` in USD for a million
        tokens, or a `rtnb.core.prices.PriceTable` instead of it. With prices of its own even the local endpoint counts
        as a paid one.
    config
        Merged into the session object as it stands, for what has no option of its own.
    name
        Shown in the ``repr`` and in thread names.
    key
        A key for this endpoint, instead of the environment's.
    dialect
        ``"beta"`` for a server that speaks the protocol of 2024; when not given, its first event tells.
    reconnect
        Whether a connection that is lost is opened again, with the whole conversation; a number: for so many seconds
        at most (60 when True). See `rtnb.session.reconnect`.

    Raises
    ------
    ConnectionFailed
        OpenAI was asked for and there is no key, or the address is none.
    ProtocolError
        An option has a value that the service would refuse.

    Examples
    --------
    >>> import rtnb
    >>> with rtnb.Session("local", output="text") as session:
    ...     text = session.ask("Say hello").text
    """

    def __init__(
        self,
        endpoint: Any = None,
        *,
        model: str | None = None,
        instructions: str | None = None,
        voice: str | Mapping[str, Any] | None = None,
        output: Literal["audio", "text"] = "audio",
        turn_detection: TurnDetection = None,
        transcription: Any = ...,
        tools: Iterable[Any] = (),
        budget: float | None = None,
        prices: Mapping[str, Any] | None = None,
        config: Mapping[str, Any] | None = None,
        name: str | None = None,
        key: str | None = None,
        dialect: Literal["ga", "beta"] | None = None,
        reconnect: bool | float = True,
        transport: Any = None,
    ) -> None:
        if dialect is not None:
            endpoint = resolve(endpoint, model=model, key=key, dialect=dialect)
        options: dict[str, Any] = {"output": output, "turn_detection": turn_detection, "transcription": transcription}
        if instructions is not None:
            options["instructions"] = instructions
        if voice is not None:
            options["voice"] = voice
        self._core = Core(
            endpoint,
            model=model,
            key=key,
            options=options,
            config=config,
            tools=tools,
            name=name,
            transport=transport,
            budget=budget,
            prices=prices,
            reconnect=reconnect,
        )
        weakref.finalize(self, self._core.abandon).atexit = False  # at the end of the program the core closes itself
        if is_provided("session.say"):
            service("session.say")(f"rtnb: {self._core.endpoint.describe()}")

    @property
    def aio(self) -> Aio:
        """The same calls, awaitable: ``await session.aio.wait("response.done")``."""
        return Aio(self._core, self)

    # ---- opening and closing

    def connect(self, timeout: float = 10) -> Session:
        """Open the connection and wait until the configuration holds; when it is open, nothing happens.

        Parameters
        ----------
        timeout
            Seconds for all of it; the conversation of a session that goes on has its own time to be put back.

        Raises
        ------
        ConnectionFailed
            ``reason`` tells the cause in one word, the text what to do.
        ServerError
            The server refused the configuration.
        WaitTimeout
            It was being opened already, and still is.
        """
        self._call(self._core.do_connect(timeout))
        return self

    def close(self) -> None:
        """Close the connection and end the session's thread; when it is closed, nothing happens.

        A session that nobody holds any more closes by itself, as soon as its open answers are done.
        """
        self._core.close()
        self._keep()

    def __enter__(self) -> Session:
        return self.connect()

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Session:
        await self.aio.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aio.close()

    # ---- asking

    def ask(
        self,
        content: Any,
        *,
        output: Literal["audio", "text"] | None = None,
        instructions: str | None = None,
        tools: Iterable[Any] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        max_output_tokens: int | None = None,
        metadata: Mapping[str, str] | None = None,
        interrupt: bool = False,
        timeout: float = ANSWER_S,
    ) -> Reply:
        """Add a user message and get an answer, tool rounds included. Connects if needed; returns at once.

        While another answer is under way this one waits for its end, unless `interrupt` stops that one first.

        Parameters
        ----------
        content
            Text, `rtnb.Audio`, a picture (PNG or JPEG), or a list of these.
        output, instructions, tools, tool_choice, max_output_tokens, metadata
            For this answer only. `instructions` replace the session's own, as the service does it; so do
            `tools`: names of the session's, or what `Session` takes, which no later answer knows.
        interrupt
            Stop what is being answered or heard before.
        timeout
            Seconds that reading the reply may wait for its end.

        Raises
        ------
        ProtocolError
            The content is nothing that can be asked.
        """
        options = {
            "output": output,
            "instructions": instructions,
            "tools": tools,
            "tool_choice": tool_choice,
            "max_output_tokens": max_output_tokens,
            "metadata": metadata,
        }
        return self._core.asking.ask(content, options, timeout, interrupt=interrupt)

    def respond(
        self,
        *,
        output: Literal["audio", "text"] | None = None,
        instructions: str | None = None,
        tools: Iterable[Any] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        max_output_tokens: int | None = None,
        metadata: Mapping[str, str] | None = None,
        conversation: Literal["auto", "none"] | None = None,
        input: Iterable[Mapping[str, Any]] | None = None,
        timeout: float = ANSWER_S,
    ) -> Reply:
        """Get an answer to the conversation as it stands, or, with ``conversation="none"``, beside it.

        Parameters
        ----------
        conversation
            ``"none"``: the answer does not enter the conversation, and may run beside another one.
        input
            Items that stand in for the conversation.
        output, instructions, tools, tool_choice, max_output_tokens, metadata, timeout
            As for `ask`.
        """
        options = {
            "output": output,
            "instructions": instructions,
            "tools": tools,
            "tool_choice": tool_choice,
            "max_output_tokens": max_output_tokens,
            "metadata": metadata,
            "conversation": conversation,
            "input": None if input is None else list(input),
        }
        return self._core.asking.ask(None, options, timeout)

    def interrupt(self) -> bool:
        """Stop the answer that is under way or still being heard; True when there was one.

        Silence first, then the response is cancelled if one is active, then the answer is cut where it was heard to.
        """
        return self._call(self._core.do_interrupt())

    # ---- events

    def send(self, event: Event, check: bool = True) -> str:
        """Send any client event; gives its ``event_id``, which is made when it has none.

        An ``error`` that the server answers later reaches ``on("error")``, or a warning when nobody listens.

        Parameters
        ----------
        event
            A dict with a ``type``.
        check
            Lint it first and raise when the service would refuse it, with the reason and the fix.

        Raises
        ------
        ProtocolError
            It is no event, or would be refused.
        NotConnected
            There is no connection.
        """
        return self._core.send(event, check=check)

    def wait(
        self,
        event: str,
        where: Callable[[Event], bool] | None = None,
        timeout: float = 10,
        *,
        after: int | Entry | Event | None = None,
    ) -> Event:
        """Wait for an event of the server.

        It never misses one that came between two calls: without `after` it looks at everything since the event that
        the last `wait` gave, or since the last `send`, `ask`, `respond`, `commit` or `update`, whichever is later. What
        listeners and tools do does not count; in these it is what they did themselves, and in a listener since what it
        was called with.

        Parameters
        ----------
        event
            Name, or a glob such as ``response.*``.
        where
            Only an event for which this is true.
        timeout
            Seconds.
        after
            Look after this place of the log instead: an index (-1 for all), an entry, or an event.

        Raises
        ------
        WaitTimeout
            None came in time.
        ConnectionClosed
            The connection ended before one came.
        """
        return self._call(self._core.do_wait(event, where, timeout, after=after))

    def on(self, name: str, fn: Fn | None = None) -> Any:
        """Call `fn` with each event of that name; without `fn` a decorator.

        Plain functions run one after the other on a thread of their own and may call anything here; ``async`` ones run
        on the session's loop and must not block.

        Parameters
        ----------
        name
            A server event or glob (``"response.done"``, ``"response.*"``): `fn` gets the event. Or a name of the 2024
            reference client, with what it gave there: ``realtime.event`` (time, source, event),
            ``conversation.updated`` (item, delta), ``conversation.interrupted``, ``conversation.item.appended`` and
            ``conversation.item.completed`` (item).
        """
        if fn is None:
            return lambda inner: self._core.listeners.on(name, inner)
        return self._core.listeners.on(name, fn)

    def off(self, name: str, fn: Listener | None = None) -> None:
        """End the subscription of `fn` to `name`, or all of that name."""
        self._core.listeners.off(name, fn)

    def watch(self, fn: Callable[[Entry, Changes], None]) -> None:
        """Call `fn` with each event of both sides as it stands in the log, and what it changed in the conversation.

        The cheap way for views, which only note that something is new: `fn` runs on the session's own thread, so it
        must be brief and must call nothing of the session that waits. For all else there is `on`.
        """
        self._core.router.watch(fn)

    def unwatch(self, fn: Callable[[Entry, Changes], None]) -> None:
        """End a `watch`."""
        self._core.router.unwatch(fn)

    # ---- settings and tools

    def update(self, *, config: Mapping[str, Any] | None = None, **settings: Any) -> dict[str, Any]:
        """Change the session; gives the effective session object. Refused settings change nothing.

        Parameters
        ----------
        settings
            Any of ``instructions``, ``voice``, ``output``, ``turn_detection``, ``transcription``, ``speed``,
            ``max_output_tokens``. Before the first `connect` they are kept for it.
        config
            Members of the session object as the protocol names them.

        Raises
        ------
        ServerError
            The server refused it.
        ProtocolError
            There is no such setting, or no such value.
        """
        return self._call(self._core.requested.update(settings, config))

    def tool(self, fn: Callable[..., Any] | None = None, **options: Any) -> Any:
        """Let the model call a function; for use as a decorator, with the options of `rtnb.tool` or without.

        Raises
        ------
        ToolError
            The function cannot be a tool; the text says why.
        """
        if fn is None:
            return lambda inner: self.tool(inner, **options)
        made = Tool.from_function(fn, **options) if options or not isinstance(fn, Tool) else fn
        return self._call(self._core.requested.add_tool(made))

    def add_tool(self, definition: Mapping[str, Any] | Tool, handler: Callable[..., Any] | None = None) -> Tool:
        """Add a tool from a JSON definition and the function that carries it out; the server is told."""
        return self._call(self._core.requested.add_tool(defined(definition, handler)))

    def remove_tool(self, name: str | Tool) -> None:
        """Take a tool away, here and on the server."""
        self._call(self._core.requested.remove_tool(name))

    # ---- the conversation

    @property
    def items(self) -> ItemTable:
        """The items of the conversation, in its order: a list, with ``to_dict()`` and ``to_pandas()``."""
        return ItemTable(self._core.conversation.items, secrets=self._core.secrets)

    def insert(
        self,
        content: Any,
        *,
        role: Literal["user", "assistant", "system"] = "user",
        after: str | Item | None = None,
        timeout: float = 10,
    ) -> Item:
        """Put a message into the conversation, without an answer; gives the item.

        Parameters
        ----------
        content
            As for `ask`; of the assistant and the system text only. Or a whole item as the protocol has it.
        after
            The item before it, ``"root"`` for the front; the end when not given.
        """
        return self._call(self._core.do_insert(content, role=role, after=after, timeout=timeout))

    def delete(self, item: str | Item, timeout: float = 10) -> None:
        """Delete an item from the conversation."""
        self._call(self._core.do_delete(item, timeout))

    def truncate(self, item: str | Item, audio_end_ms: int, timeout: float = 10) -> None:
        """Cut the audio of an answer, so that the model knows what was heard; clamped to what there is."""
        self._call(self._core.do_truncate(item, audio_end_ms, timeout))

    @property
    def state(self) -> SessionState:
        """Where the connection stands."""
        return self._core.state

    @property
    def activity(self) -> State:
        """What is being done: ``IDLE``, ``RESPONDING``, ``TOOLS`` or ``FOLLOW_UP``."""
        return self._core.sequencer.state

    @property
    def settings(self) -> dict[str, Any]:
        """The effective session object, as the server gave it last."""
        return self._core.conversation.session

    @property
    def model(self) -> str | None:
        """Name of the model."""
        return self._core.model

    @property
    def endpoint(self) -> str:
        """Where it connects to, in words."""
        return self._core.endpoint.describe()

    @property
    def capabilities(self) -> Capabilities:
        """What the server can do and what it lacks, as far as it was seen, refused or is known; a table of words."""
        core = self._core
        spoken = core.spoken or Spoken(core.endpoint.dialect or ("ga" if core.endpoint.kind != "url" else None))
        return capabilities_of(
            core.log,
            kind=core.endpoint.kind,
            dialect=spoken.dialect,
            repaired=spoken.repaired,
            dropped=[(each.param, each.reason) for each in spoken.dropped],
            greets=spoken.greets,
            confirms=spoken.confirms,
        )

    def save(self, folder: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write what has happened so far as a recording: a folder, for `rtnb.load` and to be replayed.

        Events as JSON lines, sound as FLAC, what was heard, and a manifest; no key, wherever it stood. The folder is
        there as a whole, or not at all.

        Parameters
        ----------
        folder
            Its name; folders above it are made.
        overwrite
            Replace a recording of that name. What is no recording is never replaced.

        Raises
        ------
        RtnbError
            There is something already, or it cannot be written.
        """
        self._keep()
        return save(self._core, folder, overwrite=overwrite)

    def __repr__(self) -> str:
        core = self._core
        name = f" {core.name}" if core.name else ""
        why = f" ({core.failure})" if core.failure and core.state is SessionState.FAILED else ""
        return f"<Session{name} {core.state.value}{why}, {core.conversation.count} items, {len(core.log)} events>"

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return self._core.runner.call(work)
