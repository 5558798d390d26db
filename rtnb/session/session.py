"""`Session`: what the user holds. Connects, asks, and shows what happened.

The work is done on a thread of the session's own (`rtnb.session.runner`); public calls hand it over and, where they
give a result, wait for it, open to Ctrl-C. Each blocking call has an awaitable twin of the same name on `Session.aio`:
the coroutine ``_do_<name>``, which the blocking call runs too. `Core` (in `rtnb.session.core`) holds what lives on
the thread.

Imports `rtnb.core`, `rtnb.net` and its neighbours in `rtnb.session`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from rtnb.core.conversation import Item
from rtnb.core.errors import ProtocolError
from rtnb.core.latency import Spread, spread
from rtnb.core.log import Entry, EventLog
from rtnb.core.protocol import Event
from rtnb.core.services import is_provided, service
from rtnb.core.tools import Tool
from rtnb.session.core import Core, SessionState
from rtnb.session.listeners import Listener
from rtnb.session.reply import Reply
from rtnb.session.sequencer import State
from rtnb.session.settings import TurnDetection
from rtnb.session.sound import Heard

if TYPE_CHECKING:
    from rtnb.core.latency import Turn
    from rtnb.core.usage import Cost, Usage

__all__ = ["Session", "SessionState"]

T = TypeVar("T")
Fn = TypeVar("Fn", bound=Callable[..., Any])

_ANSWER_S: Final = 120.0


class Session:
    """A conversation with a realtime voice model.

    Parameters
    ----------
    endpoint
        None: OpenAI when there is a key (``OPENAI_API_KEY`` in the environment or in ``.env``), else the embedded local
        endpoint, which needs nothing. Or ``"local"``, ``"openai"``, a ``ws://`` or ``wss://`` address, a
        `rtnb.LocalEndpoint`. ``RTNB_ENDPOINT`` stands in for None.
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
    config
        Merged into the session object as it stands, for what has no option of its own.
    name
        Shown in the ``repr`` and in thread names.
    key
        A key for this endpoint, instead of the environment's.

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
        config: Mapping[str, Any] | None = None,
        name: str | None = None,
        key: str | None = None,
        transport: Any = None,
    ) -> None:
        options: dict[str, Any] = {"output": output, "turn_detection": turn_detection, "transcription": transcription}
        if instructions is not None:
            options["instructions"] = instructions
        if voice is not None:
            options["voice"] = voice
        self._core = Core(
            endpoint, model=model, key=key, options=options, config=config, tools=tools, name=name, transport=transport
        )
        self.aio = Aio(self._core)
        """The same calls, awaitable: ``await session.aio.wait("response.done")``."""
        if is_provided("session.say"):
            service("session.say")(f"rtnb: {self._core.endpoint.describe()}")

    # ---- opening and closing

    def connect(self, timeout: float = 10) -> Session:
        """Open the connection and wait until the configuration holds; when it is open, nothing happens.

        Raises
        ------
        ConnectionFailed
            ``reason`` tells the cause in one word, the text what to do.
        ServerError
            The server refused the configuration.
        """
        self._call(self._core.do_connect(timeout))
        return self

    def close(self) -> None:
        """Close the connection and end the session's thread; when it is closed, nothing happens."""
        self._core.close()

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
        timeout: float = _ANSWER_S,
    ) -> Reply:
        """Add a user message and get an answer, tool rounds included. Connects if needed; returns at once.

        While another answer is under way this one waits for its end, unless `interrupt` stops that one first.

        Parameters
        ----------
        content
            Text, `rtnb.Audio`, a picture (PNG or JPEG), or a list of these.
        output, instructions, tools, tool_choice, max_output_tokens, metadata
            For this answer only. `instructions` replace the session's own, as the service does it.
        interrupt
            Stop what is being answered or heard before.
        timeout
            Seconds that reading the reply may wait for its end.

        Raises
        ------
        ProtocolError
            The content is nothing that can be asked.
        """
        settings = self._core.response_settings(
            output=output,
            instructions=instructions,
            tools=tools,
            tool_choice=tool_choice,
            max_output_tokens=max_output_tokens,
            metadata=metadata,
        )
        return self._core.ask(content, settings, timeout, interrupt=interrupt)

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
        timeout: float = _ANSWER_S,
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
        settings = self._core.response_settings(
            output=output,
            instructions=instructions,
            tools=tools,
            tool_choice=tool_choice,
            max_output_tokens=max_output_tokens,
            metadata=metadata,
            conversation=conversation,
            input=None if input is None else list(input),
        )
        return self._core.ask(None, settings, timeout)

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
        the last `wait` gave, or since the last `send`, `ask`, `respond`, `commit` or `update`, whichever is later.

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
        return self._call(self._core.do_update(settings, config))

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
        self._call(self._core.do_add_tool(made))
        return made

    def add_tool(self, definition: Mapping[str, Any] | Tool, handler: Callable[..., Any] | None = None) -> Tool:
        """Add a tool from a JSON definition and the function that carries it out; the server is told."""
        if isinstance(definition, Tool):
            made = definition
        elif handler is None:
            raise ProtocolError("add_tool needs the definition and the function that carries it out")
        else:
            made = Tool.from_definition(definition, handler)
        self._call(self._core.do_add_tool(made))
        return made

    def remove_tool(self, name: str | Tool) -> None:
        """Take a tool away, here and on the server."""
        self._call(self._core.do_remove_tool(name))

    # ---- the audio buffer

    def append_audio(self, sound: Any) -> None:
        """Append sound to the server's input buffer: `rtnb.Audio`, 24 kHz PCM16 bytes, or an array. From any thread."""
        self._core.append_audio(sound)

    def commit(self, timeout: float = 10) -> Item:
        """Make the buffer a user message; gives the item. No answer is begun: see `respond`.

        Raises
        ------
        ProtocolError
            Less than 100 ms were appended, which the service refuses.
        """
        return self._call(self._core.do_commit(timeout))

    def clear_audio(self, timeout: float = 10) -> None:
        """Empty the server's input buffer."""
        self._call(self._core.do_clear_audio(timeout))

    def attach(self, audio: Any = None, *, speaker: Any = ..., microphone: Any = ...) -> None:
        """Play answers through a loudspeaker, and listen to a microphone; ``attach(None)`` detaches both.

        Parameters
        ----------
        audio
            Something with a ``speaker`` and a ``microphone``, such as `rtnb.AudioIO`.
        speaker, microphone
            One of them by itself, or None to detach it; the other one stays. See `rtnb.session.sound`:
            ``SilentSpeaker()`` plays without sound. Several sessions may share a loudspeaker; a microphone belongs to
            the last that took it.
        """
        if audio is not None or (speaker is ... and microphone is ...):
            speaker = getattr(audio, "speaker", None) if speaker is ... else speaker
            microphone = getattr(audio, "microphone", None) if microphone is ... else microphone
        self._core.attach(speaker, microphone)

    @property
    def half_duplex(self) -> bool:
        """Whether the microphone is deaf while an answer is heard; may be set."""
        return self._core.capture.half_duplex

    @half_duplex.setter
    def half_duplex(self, is_on: bool) -> None:
        self._core.capture.half_duplex = is_on

    @property
    def dropped(self) -> int:
        """How many frames of the microphone were lost: in the page, on the way, or because the socket was too slow."""
        return self._core.capture.dropped

    @property
    def is_playing(self) -> bool:
        """Whether an answer is being heard, or is about to be."""
        return self._core.is_playing

    @property
    def heard(self) -> list[Heard]:
        """What the loudspeaker reported as heard: time, item, samples at 24 kHz, whether it was the last report."""
        return list(self._core.sound.heard)

    # ---- the conversation

    @property
    def items(self) -> list[Item]:
        """The items of the conversation, in its order."""
        return self._core.conversation.items

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

    # ---- what happened

    @property
    def events(self) -> EventLog:
        """Every event of both directions."""
        return self._core.log

    @property
    def replies(self) -> list[Reply]:
        """All answers, oldest first, those to detected speech included."""
        return list(self._core.replies)

    @property
    def usage(self) -> Usage:
        """Tokens of all responses so far."""
        return self._core.usage()

    @property
    def cost(self) -> Cost | None:
        """USD of all responses so far by the price table; None when the price of the model is unknown."""
        return self._core.cost()

    @property
    def turns(self) -> list[Turn]:
        """One entry for each response: what called for it, and how long what took."""
        return self._core.turns()

    @property
    def latency(self) -> dict[str, Spread]:
        """Median and 95th percentile of each distance over all turns, in milliseconds; see `rtnb.core.latency`."""
        return spread(self._core.turns())

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

    def __repr__(self) -> str:
        core = self._core
        name = f" {core.name}" if core.name else ""
        why = f" ({core.failure})" if core.failure and core.state is SessionState.FAILED else ""
        return f"<Session{name} {core.state.value}{why}, {core.conversation.count} items, {len(core.log)} events>"

    @contextlib.contextmanager
    def recording(self, timeout: float = _ANSWER_S) -> Iterator[list[Reply]]:
        """Speak by hand: what comes inside is a turn, which on leaving is committed and answered.

        An attached microphone records meanwhile; without one, append audio inside. What was being said is interrupted.
        The list that it gives holds the reply afterwards.

        Raises
        ------
        ProtocolError
            Turn detection is on: the server would take the same speech as a turn. Or less than 100 ms came.

        Examples
        --------
        >>> with session.recording() as answers:
        ...     session.append_audio(rtnb.Audio.speak("What time is it?"))
        >>> answers[0].text  # doctest: +SKIP
        """
        self.connect()
        core = self._core
        if core.detects_turns:
            raise ProtocolError(
                "turn detection is on, so the server says when a turn ends: append audio as it is, or switch it off "
                "with session.update(turn_detection=None)",
                param="audio.input.turn_detection",
            )
        self.interrupt()
        self.clear_audio()
        core.capture.begin()
        answers: list[Reply] = []
        try:
            try:
                yield answers
            finally:
                core.capture.finish()
            self.commit()
        except BaseException:
            if core.is_ready:
                core.runner.post(core.discard_speech)  # half a turn must not begin the next one
            raise
        answers.append(self.respond(timeout=timeout))

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return self._core.runner.call(work)


class Aio:
    """The blocking calls of a session, awaitable from any loop: ``await session.aio.connect()``.

    ``connect``, ``close``, ``wait``, ``update``, ``interrupt``, ``commit``, ``clear_audio``, ``insert``, ``delete``,
    ``truncate``, ``add_tool`` and ``remove_tool``, with the same arguments.
    """

    def __init__(self, core: Core) -> None:
        self._core = core

    async def connect(self, timeout: float = 10) -> None:
        """As `Session.connect`."""
        await self._core.runner.bridge(self._core.do_connect(timeout))

    async def close(self) -> None:
        """As `Session.close`."""
        await self._core.runner.bridge(self._core.do_close())
        self._core.stop()

    async def wait(
        self,
        event: str,
        where: Callable[[Event], bool] | None = None,
        timeout: float = 10,
        *,
        after: int | Entry | Event | None = None,
    ) -> Event:
        """As `Session.wait`."""
        return await self._core.runner.bridge(self._core.do_wait(event, where, timeout, after=after))

    async def update(self, *, config: Mapping[str, Any] | None = None, **settings: Any) -> dict[str, Any]:
        """As `Session.update`."""
        return await self._core.runner.bridge(self._core.do_update(settings, config))

    async def interrupt(self) -> bool:
        """As `Session.interrupt`."""
        return await self._core.runner.bridge(self._core.do_interrupt())

    async def commit(self, timeout: float = 10) -> Item:
        """As `Session.commit`."""
        return await self._core.runner.bridge(self._core.do_commit(timeout))

    async def clear_audio(self, timeout: float = 10) -> None:
        """As `Session.clear_audio`."""
        await self._core.runner.bridge(self._core.do_clear_audio(timeout))

    async def insert(
        self,
        content: Any,
        *,
        role: Literal["user", "assistant", "system"] = "user",
        after: str | Item | None = None,
        timeout: float = 10,
    ) -> Item:
        """As `Session.insert`."""
        return await self._core.runner.bridge(self._core.do_insert(content, role=role, after=after, timeout=timeout))

    async def delete(self, item: str | Item, timeout: float = 10) -> None:
        """As `Session.delete`."""
        await self._core.runner.bridge(self._core.do_delete(item, timeout))

    async def truncate(self, item: str | Item, audio_end_ms: int, timeout: float = 10) -> None:
        """As `Session.truncate`."""
        await self._core.runner.bridge(self._core.do_truncate(item, audio_end_ms, timeout))

    async def add_tool(self, tool: Tool) -> None:
        """As `Session.add_tool`, for a tool that is made already."""
        await self._core.runner.bridge(self._core.do_add_tool(tool))

    async def remove_tool(self, name: str | Tool) -> None:
        """As `Session.remove_tool`."""
        await self._core.runner.bridge(self._core.do_remove_tool(name))
