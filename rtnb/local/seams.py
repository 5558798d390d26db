"""The seams of the local endpoint: what brains, voices, ears and speech detectors look like to it.

Each engine is a small class behind one of these protocols, so that another one (a language model, a better voice) can
be put in its place. All but the detector are asynchronous: they run in the server's loop and hand slow work to threads,
processes or sockets of their own. Cancelling the task that iterates them must stop their work.

Imports nothing of rtnb.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

__all__ = [
    "Brain",
    "Call",
    "CallArguments",
    "Detector",
    "Failed",
    "Finished",
    "Hearing",
    "Listener",
    "Piece",
    "Request",
    "Say",
    "Speech",
    "Transcript",
    "Voice",
]


@dataclass(frozen=True)
class Request:
    """What a brain is asked: one response, with all that is in force for it.

    Attributes
    ----------
    items
        The context as GA items in conversation order. A user's speech has its transcript in the part's
        ``transcript`` (``None``: nothing was understood), never audio.
    tools
        The declared tools, GA shape: ``{"type": "function", "name", "description", "parameters"}``.
    tool_choice
        ``"auto"``, ``"none"``, ``"required"`` or ``{"type": "function", "name": ...}``.
    output
        ``"text"`` or ``"audio"``: a brain may word an answer for the ear differently.
    """

    response_id: str
    model: str
    instructions: str
    items: Sequence[Mapping[str, Any]]
    tools: Sequence[Mapping[str, Any]] = ()
    tool_choice: str | Mapping[str, Any] = "auto"
    output: Literal["text", "audio"] = "text"
    max_output_tokens: int | None = None
    metadata: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Say:
    """The next piece of the answer's words."""

    text: str


@dataclass(frozen=True)
class Call:
    """A tool call begins. `arguments` may be complete here, or follow in `CallArguments`."""

    name: str
    arguments: str = ""
    call_id: str | None = None


@dataclass(frozen=True)
class CallArguments:
    """The next piece of the arguments, as JSON text, of the call that began last."""

    delta: str


@dataclass(frozen=True)
class Failed:
    """The answer failed; ends it. `error` is ``{"type", "code", "message"}`` as in ``status_details.error``."""

    error: Mapping[str, Any]


@dataclass(frozen=True)
class Finished:
    """Ends the answer early as incomplete (``max_output_tokens`` or ``content_filter``).

    An iterator that just ends is a completed answer. `usage` may carry real token counts:
    ``{"input_tokens": int, "output_tokens": int}``.
    """

    incomplete: Literal["max_output_tokens", "content_filter"] | None = None
    usage: Mapping[str, int] | None = None


Piece: TypeAlias = Say | Call | CallArguments | Failed | Finished


class Brain(Protocol):
    """Decides what is said and which tools are called."""

    name: str

    def think(self, request: Request) -> AsyncIterator[Piece]:
        """Stream the answer; the iterator is closed when the response is cancelled."""
        ...


@dataclass(frozen=True)
class Speech:
    """A stretch of speech: 24 kHz PCM16 little-endian mono, and the words that it says.

    `text` holds the piece of the transcript that belongs to this stretch (it may be empty for a continuation);
    all `text` of one call joined are the text that was to be spoken.
    """

    pcm: bytes
    text: str = ""


class Voice(Protocol):
    """Text to speech."""

    name: str

    def speak(self, text: str, *, voice: str, speed: float = 1.0) -> AsyncIterator[Speech]:
        """Speak one or more sentences; an unknown `voice` name is mapped to a near one, never an error."""
        ...

    async def close(self) -> None:
        """Release what the engine holds."""
        ...


@dataclass(frozen=True)
class Transcript:
    """What was understood of one utterance.

    `text` is empty when nothing was said; `failed` holds the reason when speech was there and was not understood.
    `confidence` is 0..1, or None when the engine has none.
    """

    text: str
    confidence: float | None = None
    failed: str | None = None
    words: Sequence[Mapping[str, Any]] = field(default_factory=tuple)


class Listener(Protocol):
    """One utterance, while it is spoken."""

    async def push(self, pcm: bytes) -> str:
        """Take 24 kHz PCM16, any length; return the partial text so far ("" when there is none)."""
        ...

    async def finish(self) -> Transcript:
        """The utterance is over: the final text."""
        ...

    async def cancel(self) -> None:
        """Throw the utterance away."""
        ...


class Hearing(Protocol):
    """Speech to text."""

    name: str

    async def listen(self, settings: Mapping[str, Any]) -> Listener:
        """Begin an utterance; `settings` is the session's ``audio.input.transcription`` object (may be empty)."""
        ...

    async def close(self) -> None:
        """Release what the engine holds (child processes, models)."""
        ...


class Detector(Protocol):
    """Speech detector: how probable speech is, frame by frame. Synchronous, a millisecond of work a frame."""

    name: str
    frame_ms: float

    def push(self, pcm: bytes) -> list[float]:
        """Take 24 kHz PCM16, any length; return the speech probability (0..1) of each frame completed by it."""
        ...

    def reset(self) -> None:
        """Forget all state; the next frame starts a new stream."""
        ...
