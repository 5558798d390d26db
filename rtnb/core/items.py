"""The things a conversation consists of: items and responses.

They are live: `rtnb.core.conversation` changes them as events come, everybody else only reads them, from any thread.

Imports `rtnb.core.content` and `rtnb.core.protocol`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from rtnb.core.content import Part, Pieces
from rtnb.core.protocol import BYTES_PER_MS, Event

__all__ = ["Item", "Response", "Transcription"]

Transcription: TypeAlias = Literal["off", "awaiting", "done", "failed"]
"""How far the transcription of a user's speech is; ``off``: none was asked for, and none came."""


class Item:
    """One item: a message, a function call, its output, or one of the MCP kinds.

    Attributes
    ----------
    id : str
    type : str
        ``message``, ``function_call``, ``function_call_output``, ``mcp_...``; empty as long as nothing has told it.
    role : str or None
        ``user``, ``assistant`` or ``system`` of a message.
    status : str
        ``in_progress``, ``completed`` or ``incomplete``; of an MCP call also ``failed``.
    parts : list of Part
        The content.
    response : Response or None
        The response that made it; None for what the user and the client added.
    placed : bool
        It is in the conversation. Items of an out-of-band response never are, others not before the server says so.
    deleted, done : bool
        The server deleted it; the server finished it.
    previous, next : Item or None
        Its neighbours in the conversation.
    follows : str or None
        The ``previous_item_id`` that the server gave.
    name, call_id : str or None
        Of a function call (`call_id` of its output too).
    answer : Item or None
        The ``function_call_output`` that belongs to a function call.
    transcription : Transcription
        How far the transcription of the user's speech is, with `transcription_error`, `transcription_usage` (as they
        came) and `segments` (events of a diarising model).
    audio_start_ms, audio_end_ms : int or None
        Where the user's speech lies on the clock of all audio sent in the session.
    truncated_at_ms : int or None
        Where the server cut the audio, because the user heard no more than that.
    restored : bool
        It was put into a new connection again: its sound is here, the server has the words of an answer only.
    bytes_per_ms : int
        Of its audio: 48 for PCM, 8 for G.711.
    raw : dict
        The item as the server gave it last.
    """

    __slots__ = (
        "answer",
        "argument_pieces",
        "audio_end_ms",
        "audio_start_ms",
        "bytes_per_ms",
        "call_id",
        "called",
        "deleted",
        "done",
        "follows",
        "id",
        "name",
        "next",
        "output",
        "parts",
        "placed",
        "previous",
        "raw",
        "response",
        "restored",
        "role",
        "segments",
        "status",
        "transcription",
        "transcription_error",
        "transcription_usage",
        "truncated_at_ms",
        "type",
    )

    def __init__(self, id: str, type: str = "", role: str | None = None, *, bytes_per_ms: int = BYTES_PER_MS) -> None:
        self.id = id
        self.type = type
        self.role = role
        self.status = "in_progress"
        self.parts: list[Part] = []
        self.response: Response | None = None
        self.placed = False
        self.deleted = False
        self.done = False
        self.called = False  # its "call" change has been given out
        self.previous: Item | None = None
        self.next: Item | None = None
        self.follows: str | None = None
        self.name: str | None = None
        self.call_id: str | None = None
        self.argument_pieces = Pieces()
        self.output: str | None = None  # of a function_call_output, or an MCP call
        self.answer: Item | None = None
        self.transcription: Transcription = "off"
        self.transcription_error: Mapping[str, Any] | None = None
        self.transcription_usage: Mapping[str, Any] | None = None
        self.segments: list[Event] = []
        self.audio_start_ms: int | None = None
        self.audio_end_ms: int | None = None
        self.truncated_at_ms: int | None = None
        self.restored = False
        self.bytes_per_ms = bytes_per_ms
        self.raw: dict[str, Any] = {}

    @property
    def response_id(self) -> str | None:
        """Id of the response that made it."""
        return self.response.id if self.response is not None else None

    @property
    def text(self) -> str:
        """What it says, written or spoken: the texts and transcripts of its parts."""
        return "".join([part.text or part.transcript for part in self.parts])

    @property
    def transcript(self) -> str:
        """What is said in its audio. A truncation does not shorten it: see `heard_transcript` and `unheard`."""
        return "".join([part.transcript for part in self.parts])

    @property
    def heard_transcript(self) -> str:
        """The part of the transcript that the user heard, estimated (see `Part.heard`); all of it if not truncated."""
        return "".join([part.transcript[: self._heard(part)] for part in self.parts])

    @property
    def unheard(self) -> str:
        """The rest of the transcript, which a truncation cut off."""
        return "".join([part.transcript[self._heard(part) :] for part in self.parts])

    def _heard(self, part: Part) -> int | None:
        if self.truncated_at_ms is None:
            return len(part.transcript)
        return part.heard(self.truncated_at_ms * self.bytes_per_ms)

    @property
    def arguments(self) -> str:
        """The arguments of a call so far: a JSON text, complete when `done`."""
        return self.argument_pieces.value

    @property
    def audio_bytes(self) -> int:
        """How many bytes of audio there are."""
        return sum([part.audio_bytes for part in self.parts])

    @property
    def audio_ms(self) -> float:
        """How long the audio lasts."""
        return self.audio_bytes / self.bytes_per_ms

    def audio(self, *, heard: bool = False) -> bytes:
        """Its audio, decoded now; with `heard` only up to where it was truncated."""
        audio = b"".join([part.audio() for part in self.parts])
        if heard and self.truncated_at_ms is not None:
            return audio[: self.truncated_at_ms * self.bytes_per_ms]
        return audio

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {
            "id": self.id,
            "type": self.type,
            "role": self.role,
            "status": self.status,
            "content": [part.to_dict() for part in self.parts],
            "response_id": self.response_id,
            "name": self.name,
            "call_id": self.call_id,
            "arguments": self.arguments,
            "output": self.output,
            "answer": self.answer.id if self.answer is not None else None,
            "transcription": self.transcription,
            "transcription_error": self.transcription_error,
            "transcription_usage": self.transcription_usage,
            "segments": list(self.segments),
            "audio_start_ms": self.audio_start_ms,
            "audio_end_ms": self.audio_end_ms,
            "truncated_at_ms": self.truncated_at_ms,
            "heard_transcript": self.heard_transcript,
            "placed": self.placed,
            "deleted": self.deleted,
            "done": self.done,
        }

    def __repr__(self) -> str:
        what = f"{self.role} message" if self.type == "message" else self.type or "item"
        return f"<Item {self.id}: {what}, {self.status}>"


class Response:
    """One response of the model.

    Attributes
    ----------
    id : str
    status : str
        ``in_progress``, ``completed``, ``cancelled``, ``incomplete`` or ``failed``.
    status_details, usage, metadata : dict or None
        As the server gave them.
    conversation_id : str or None
        None also for a response out of band.
    out_of_band : bool
        It does not belong to the conversation (``conversation: none``): its items are found here only.
    output : list of Item
        Its items, in order.
    done : bool
        Its ``response.done`` has come.
    raw : dict
        The response as the server gave it last.
    """

    __slots__ = (
        "bytes_per_ms",
        "conversation_id",
        "done",
        "id",
        "metadata",
        "out_of_band",
        "output",
        "raw",
        "status",
        "status_details",
        "usage",
    )

    def __init__(self, id: str, *, bytes_per_ms: int = BYTES_PER_MS) -> None:
        self.id = id
        self.status = "in_progress"
        self.status_details: Mapping[str, Any] | None = None
        self.usage: Mapping[str, Any] | None = None
        self.metadata: Mapping[str, Any] | None = None
        self.conversation_id: str | None = None
        self.out_of_band = False
        self.output: list[Item] = []
        self.done = False
        self.bytes_per_ms = bytes_per_ms
        self.raw: dict[str, Any] = {}

    @property
    def item_ids(self) -> list[str]:
        """Ids of its items, in order."""
        return [item.id for item in self.output]

    @property
    def text(self) -> str:
        """What it says, written or spoken."""
        return "".join([item.text for item in self.output if item.type == "message"])

    @property
    def calls(self) -> list[Item]:
        """The function calls among its items."""
        return [item for item in self.output if item.type == "function_call"]

    @property
    def reason(self) -> str | None:
        """Why it was cancelled or is incomplete: ``turn_detected``, ``client_cancelled``, ``max_output_tokens``, ..."""
        reason = self.status_details.get("reason") if self.status_details is not None else None
        return reason if isinstance(reason, str) else None

    @property
    def error(self) -> Mapping[str, Any] | None:
        """Why it failed, with ``type``, ``code`` and ``message``; some servers give one text only: then `message`."""
        error = self.status_details.get("error") if self.status_details is not None else None
        if isinstance(error, str):
            return {"message": error}
        return error if isinstance(error, Mapping) else None

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values, items as their ids."""
        return {
            "id": self.id,
            "status": self.status,
            "status_details": self.status_details,
            "usage": self.usage,
            "metadata": self.metadata,
            "conversation_id": self.conversation_id,
            "out_of_band": self.out_of_band,
            "output": self.item_ids,
            "done": self.done,
        }

    def __repr__(self) -> str:
        return f"<Response {self.id}: {self.status}, {len(self.output)} items>"
