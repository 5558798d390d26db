"""The things a conversation consists of: items with their content parts, and responses.

They are live: `rtnb.core.conversation` changes them as events come, everybody else only reads them, from any thread.
Nothing is joined or decoded when an event comes: text is kept in the pieces that came and audio as the very strings
of the events, so a payload exists once, in the log and here. Joining happens when somebody reads.

Imports `rtnb.core.protocol` only.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from rtnb.core.protocol import BYTES_PER_MS, Event

__all__ = ["Change", "Item", "Kind", "Part", "Pieces", "Response", "Transcription", "base64_bytes"]

Transcription: TypeAlias = Literal["off", "awaiting", "done", "failed"]
"""How far the transcription of a user's speech is; ``off``: none was asked for, and none came."""

Kind: TypeAlias = Literal[
    "session",
    "conversation",
    "item_added",
    "item_updated",
    "item_done",
    "item_retrieved",
    "item_truncated",
    "item_deleted",
    "output_added",
    "text",
    "transcript",
    "audio",
    "audio_done",
    "arguments",
    "call",
    "user_transcript",
    "segment",
    "response_created",
    "response_done",
    "speech_started",
    "speech_stopped",
    "committed",
    "cleared",
    "timeout",
    "dtmf",
    "output_started",
    "output_stopped",
    "output_cleared",
    "rate_limits",
    "error",
    "unknown",
]
"""What a `Change` tells; explained in the docstring of `Change`."""

_WORD_CHARS: Final = 24
"""How far back a cut through a transcript looks for the start of the word: no longer word is worth keeping whole."""


def base64_bytes(text: str) -> int:
    """How many bytes well-formed base64 `text` decodes to, in constant time; padding may be missing.

    >>> base64_bytes("AAAA"), base64_bytes("AAA="), base64_bytes("AA==")
    (3, 2, 1)
    """
    size = len(text)
    if text.endswith("=="):
        size -= 2
    elif text.endswith("="):
        size -= 1
    return size * 3 // 4


def _decoded(chunk: str) -> bytes:
    try:
        return binascii.a2b_base64(chunk + "=" * (-len(chunk) % 4))
    except ValueError:  # not base64 at all: nothing that could be heard
        return b""


class Pieces:
    """A text that comes in pieces: adding one costs the same however long it is; joined when read.

    Reading is safe while another thread adds: the join is remembered together with how far it went.
    """

    __slots__ = ("_joined", "pieces")

    def __init__(self) -> None:
        self.pieces: list[str] = []  # as they came; replaced, never cut, when the server settles on another text
        self._joined: tuple[list[str], int, str] = (self.pieces, 0, "")  # of which list, how many pieces, the join

    @property
    def value(self) -> str:
        """The whole text so far."""
        pieces = self.pieces
        source, done, text = self._joined
        if source is not pieces:
            done, text = 0, ""
        count = len(pieces)
        if count != done:
            text += "".join(pieces[done:count])
            self._joined = (pieces, count, text)
        return text

    def settle(self, full: str) -> str | None:
        """Take the server's final text; return what the pieces had not brought, None if they said something else.

        An empty text never erases one that came: after a truncation the server has none, yet it was spoken.
        """
        value = self.value
        if not full or full == value:
            return ""
        if full.startswith(value):
            rest = full[len(value) :]
            self.pieces.append(rest)
            return rest
        self.pieces = [full]
        return None


class Part:
    """One content part of an item.

    Attributes
    ----------
    type : str
        As the server names it: ``input_text``, ``input_audio``, ``input_image``, ``output_text``, ``output_audio``;
        events of a running response say ``text`` and ``audio``.
    audio_chunks : list of str
        Base64 as it came, each chunk encoded on its own.
    audio_bytes : int
        How many bytes the chunks decode to, counted without decoding.
    heard_marks : list of int
        For each piece of the transcript the bytes of audio that had come before it.
    image_url : str or None
        The data URI of a picture.
    """

    __slots__ = (
        "_limit",
        "_skip",
        "audio_bytes",
        "audio_chunks",
        "heard_marks",
        "image_url",
        "text_pieces",
        "transcript_pieces",
        "type",
    )

    def __init__(self, type: str = "") -> None:
        self.type = type
        self.text_pieces = Pieces()
        self.transcript_pieces = Pieces()
        self.audio_chunks: list[str] = []
        self.audio_bytes = 0
        self.heard_marks: list[int] = []
        self.image_url: str | None = None
        self._skip = 0  # bytes of the first chunk that belong to what came before
        self._limit: int | None = None  # bytes after which the last chunk belongs to what comes next

    @property
    def text(self) -> str:
        """The text of a text part."""
        return self.text_pieces.value

    @property
    def transcript(self) -> str:
        """What is said in an audio part."""
        return self.transcript_pieces.value

    def audio(self) -> bytes:
        """The audio, decoded now: in the format of the session, usually PCM16 at 24 kHz."""
        joined = b"".join(map(_decoded, self.audio_chunks[:]))
        end = None if self._limit is None else self._skip + self._limit
        return joined[self._skip : end]

    def hold(self, chunks: list[str], *, skip: int = 0, limit: int | None = None) -> None:
        """Take `chunks` as the whole audio: of their bytes leave out `skip` in front, then keep `limit`."""
        size = max(0, sum(map(base64_bytes, chunks)) - skip)
        self._skip, self._limit = skip, limit
        self.audio_chunks = chunks
        self.audio_bytes = size if limit is None else min(size, limit)

    def heard(self, position: int) -> int:
        """How many characters of the transcript were spoken within the first `position` bytes of audio.

        An estimate, since the protocol gives no times of words: the share of the audio, taken of the transcript, but
        never more than what had been written when that audio came (a transcript runs ahead of its audio, not behind),
        and cut back to the start of a word.
        """
        transcript = self.transcript
        if position <= 0 or not transcript:
            return 0
        if position >= self.audio_bytes:
            return len(transcript)
        count = len(transcript) * position // self.audio_bytes
        pieces = self.transcript_pieces.pieces
        if len(self.heard_marks) == len(pieces):
            count = min(
                count, sum(len(p) for p, mark in zip(pieces, self.heard_marks, strict=False) if mark < position)
            )
        if count >= len(transcript) or transcript[count].isspace():
            return count
        start = count
        while start > max(0, count - _WORD_CHARS) and not transcript[start - 1].isspace():
            start -= 1
        at_word = start == 0 or transcript[start - 1].isspace()
        return start if at_word else count

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values, audio as its chunks."""
        return {
            "type": self.type,
            "text": self.text,
            "transcript": self.transcript,
            "audio": (tuple(self.audio_chunks), self._skip, self._limit),
            "audio_bytes": self.audio_bytes,
            "image_url": self.image_url,
        }


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


class Change(NamedTuple):
    """What one event changed. A named tuple, since one is made for each event: it costs a fifth of a frozen dataclass.

    ===================  ==========================================================================================
    kind                 told when
    ===================  ==========================================================================================
    session              the session was created or updated; `Conversation.session` holds it whole
    conversation         the server named the conversation (old servers)
    item_added           an item entered the conversation; once for each
    output_added         a response began an item (also out of band, where no `item_added` follows)
    item_updated         something else of an item changed
    item_done            an item is finished, see its `status`; once for each
    item_retrieved       the answer to ``conversation.item.retrieve``: `item` now has the server's audio
    item_truncated       its audio was cut: see `truncated_at_ms`, `heard_transcript`, `unheard`
    item_deleted         it left the conversation
    text, transcript     `delta` was written, or is being said, by the model
    audio                `delta`, base64 as it came, is to be played
    audio_done           no more audio comes for `item`
    arguments            `delta` of the arguments of a call
    call                 a complete function call, to be carried out; never for a cancelled or incomplete item
    user_transcript      `delta` of what the user said; see `item.transcription` for done and failed. When the text
                         comes at once at the end, or a rest of it, `delta` is that
    segment              a speaker's stretch of the user's audio, the last of `item.segments`
    response_created     a response began
    response_done        a response ended, see its `status`
    speech_started       the user began to speak; `item` is what it will become
    speech_stopped       the user ended
    committed            the audio buffer became `item`
    cleared              the audio buffer was emptied
    timeout              nobody spoke for the idle time
    dtmf                 a telephone key, in `delta`
    output_started       the server began to play (WebRTC and SIP; also output_stopped, output_cleared)
    rate_limits          see `Conversation.rate_limits`
    error                the server's error; its message in `delta`
    unknown              anything else, kept as it came
    ===================  ==========================================================================================
    """

    kind: Kind
    item: Item | None
    response: Response | None
    delta: str
    event: Event
