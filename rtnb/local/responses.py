"""One response: from the pieces of a brain to the events of the wire, always properly closed.

The order is that of the service: ``response.created``, then for each output item ``response.output_item.added``,
``conversation.item.added``, ``response.content_part.added``, deltas, the ``done`` of each,
``response.content_part.done``, ``conversation.item.done``, ``response.output_item.done``, at last ``response.done``.
The same closing events are sent when the response is cancelled, incomplete or failed; only the status tells. A response
outside of the conversation (``conversation: "none"``) has no ``conversation.item`` events.

May import `rtnb.core.protocol` and its neighbours in `rtnb.local`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from rtnb.core.protocol import BYTES_PER_MS, Event, new_id
from rtnb.local import codec
from rtnb.local.counting import InputCount, audio_out_tokens
from rtnb.local.store import Conversation, StoredItem, Track

__all__ = ["ResponseRun", "Settings"]

_ARGUMENTS_DELTA_CHARS: Final = 24  # arguments that come whole are sent in pieces of this size, as a model would

Status = Literal["completed", "cancelled", "incomplete", "failed"]


@dataclass
class Settings:
    """What is in force for one response."""

    instructions: str = ""
    tools: list[Event] = field(default_factory=list)
    tool_choice: Any = "auto"
    modality: Literal["text", "audio"] = "audio"
    max_output_tokens: int | Literal["inf"] = "inf"
    parallel_tool_calls: bool = True
    voice: Any = "alloy"
    speed: float = 1.0
    format: Event = field(default_factory=dict)
    metadata: Event | None = None

    @property
    def voice_name(self) -> str:
        """The voice as one word."""
        return str(self.voice.get("id", "")) if isinstance(self.voice, Mapping) else str(self.voice)


@dataclass
class _Open:
    """The output item that is being made."""

    stored: StoredItem
    index: int
    call_id: str | None = None  # None: a message
    has_part: bool = False
    sent: str = ""  # text, transcript or arguments so far


class ResponseRun:
    """A response while it runs.

    Parameters
    ----------
    settings
        What is in force.
    conversation
        The default conversation, or None for a response outside of it.
    emit
        Takes each event.
    context
        Ids of the items that it reads, in order; raw items of ``response.input`` stand as `StoredItem`.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        conversation: Conversation | None,
        emit: Callable[[Event], None],
        context: list[str | StoredItem],
    ) -> None:
        self.id = new_id("resp")
        self.settings = settings
        self.context = context
        self.waiting: set[str] = set()  # recognitions that must end before the brain is asked
        self.input_count: InputCount = []
        self.told_usage: Mapping[str, int] | None = None
        self.is_done = False
        self.audio_ms = 0.0
        self.text_chars = 0
        self._conversation = conversation
        self._emit = emit
        self._output: list[StoredItem] = []
        self._open: _Open | None = None
        self._encoder: codec.Encoder | None = None
        self._half = b""
        self._status: str = "in_progress"
        self._details: Event | None = None
        self._usage: Event | None = None

    @property
    def in_conversation(self) -> bool:
        """Whether its items enter the default conversation."""
        return self._conversation is not None

    @property
    def text_tokens_out(self) -> int:
        """Text tokens made so far: words, transcripts, arguments."""
        return -(-self.text_chars // 4)

    @property
    def audio_tokens_out(self) -> int:
        """Audio tokens made so far."""
        return audio_out_tokens(self.audio_ms)

    @property
    def is_over_limit(self) -> bool:
        """Whether ``max_output_tokens`` is used up."""
        limit = self.settings.max_output_tokens
        return limit != "inf" and self.text_tokens_out + self.audio_tokens_out >= limit

    # ---- the pieces ----

    def created(self) -> None:
        """Announce the response."""
        self._emit({"type": "response.created", "response": self.view()})

    def say(self, text: str) -> None:
        """The next words of a text answer."""
        text = text[: self._room_chars()]
        if not text:
            return
        opened = self._message()
        opened.sent += text
        self.text_chars += len(text)
        self._emit({"type": "response.output_text.delta", **self._ids(opened), "delta": text})

    def speak(self, pcm: bytes, words: str) -> None:
        """The next stretch of a spoken answer: 24 kHz PCM16, and the words that begin with it."""
        opened = self._message()
        track = opened.stored.tracks[0]
        words = words[: self._room_chars()]
        if words:
            opened.sent += words
            self.text_chars += len(words)
            self._emit({"type": "response.output_audio_transcript.delta", **self._ids(opened), "delta": words})
        pcm = self._half + pcm
        pcm, self._half = pcm[: len(pcm) & ~1], pcm[len(pcm) & ~1 :]
        room = self._room_chars() // 4 * 50 * BYTES_PER_MS
        pcm = pcm[:room]
        track.add(pcm, words)
        self.audio_ms += len(pcm) / BYTES_PER_MS
        if pcm:
            if self._encoder is None:
                self._encoder = codec.encoder(self.settings.format["type"])
            self._audio_delta(opened, self._encoder.push(pcm))

    def call(self, name: str, arguments: str = "", call_id: str | None = None) -> None:
        """A function call begins, perhaps with all of its arguments."""
        self._close("completed")
        call_id = call_id or new_id("call")
        item: Event = {
            "id": new_id("item"),
            "object": "realtime.item",
            "type": "function_call",
            "status": "in_progress",
            "name": name,
            "call_id": call_id,
            "arguments": "",
        }
        self._add(StoredItem(item), call_id)
        for start in range(0, len(arguments), _ARGUMENTS_DELTA_CHARS):
            self.arguments(arguments[start : start + _ARGUMENTS_DELTA_CHARS])

    def arguments(self, delta: str) -> None:
        """The next piece of the arguments of the open call; without one it is dropped."""
        delta = delta[: self._room_chars()]
        opened = self._open
        if opened is None or opened.call_id is None or not delta:
            return
        opened.sent += delta
        self.text_chars += len(delta)
        self._emit({"type": "response.function_call_arguments.delta", **self._call_ids(opened), "delta": delta})

    def close(self, status: Status, details: Event | None, usage: Event) -> None:
        """End the response: close what is open, then ``response.done``."""
        self._close("completed" if status == "completed" else "incomplete")
        self._status, self._details, self._usage = status, details, usage
        self.is_done = True
        self._emit({"type": "response.done", "response": self.view()})

    @property
    def calls(self) -> int:
        """How many function calls it has made."""
        return sum(stored.item["type"] == "function_call" for stored in self._output)

    def view(self) -> Event:
        """The response object as it is now."""
        settings = self.settings
        return {
            "object": "realtime.response",
            "id": self.id,
            "status": self._status,
            "status_details": self._details,
            "output": [stored.view() for stored in self._output],
            "conversation_id": self._conversation.id if self._conversation is not None else None,
            "output_modalities": [settings.modality],
            "max_output_tokens": settings.max_output_tokens,
            "audio": {"output": {"format": dict(settings.format), "voice": settings.voice}},
            "usage": self._usage,
            "metadata": settings.metadata,
        }

    # ---- opening and closing ----

    def _room_chars(self) -> int:
        limit = self.settings.max_output_tokens
        if limit == "inf":
            return 1 << 60
        return max(0, 4 * (limit - self.audio_tokens_out) - self.text_chars)

    def _message(self) -> _Open:
        """The open message with its content part; opens one when there is none."""
        opened = self._open
        if opened is not None and opened.call_id is not None:
            self._close("completed")
            opened = None
        if opened is None:
            item: Event = {
                "id": new_id("item"),
                "object": "realtime.item",
                "type": "message",
                "status": "in_progress",
                "role": "assistant",
                "content": [],
            }
            opened = self._add(StoredItem(item), None)
        if not opened.has_part:
            opened.has_part = True
            if self.settings.modality == "audio":
                opened.stored.tracks[0] = Track()
                self._encoder = None
            self._emit({"type": "response.content_part.added", **self._ids(opened), "part": self._part("")})
        return opened

    def _add(self, stored: StoredItem, call_id: str | None) -> _Open:
        opened = self._open = _Open(stored, len(self._output), call_id)
        self._output.append(stored)
        self._emit(
            {
                "type": "response.output_item.added",
                "response_id": self.id,
                "output_index": opened.index,
                "item": stored.view(),
            }
        )
        if self._conversation is not None:
            previous = self._conversation.add(stored)
            self._emit({"type": "conversation.item.added", "previous_item_id": previous, "item": stored.view()})
        return opened

    def _close(self, status: Literal["completed", "incomplete"]) -> None:
        opened, self._open = self._open, None
        if opened is None:
            return
        stored = opened.stored
        if opened.call_id is not None:
            stored.item["arguments"] = opened.sent
            self._emit(
                {
                    "type": "response.function_call_arguments.done",
                    **self._call_ids(opened),
                    "name": stored.item["name"],
                    "arguments": opened.sent,
                }
            )
        elif opened.has_part:
            self._close_part(opened)
        stored.item["status"] = status
        if self._conversation is not None:
            previous = self._conversation.previous_id(stored.id)
            self._emit({"type": "conversation.item.done", "previous_item_id": previous, "item": stored.view()})
        self._emit(
            {
                "type": "response.output_item.done",
                "response_id": self.id,
                "output_index": opened.index,
                "item": stored.view(),
            }
        )

    def _close_part(self, opened: _Open) -> None:
        ids = self._ids(opened)
        if self.settings.modality == "audio":
            if self._encoder is not None:
                self._audio_delta(opened, self._encoder.flush())
            self._half = b""
            self._emit({"type": "response.output_audio.done", **ids})
            self._emit({"type": "response.output_audio_transcript.done", **ids, "transcript": opened.sent})
            # A client may truncate an item while it is made: then its transcript is gone, as after any truncation.
            kept = None if opened.stored.tracks[0].cut else opened.sent
            opened.stored.item["content"] = [{"type": "output_audio", "transcript": kept}]
        else:
            self._emit({"type": "response.output_text.done", **ids, "text": opened.sent})
            opened.stored.item["content"] = [{"type": "output_text", "text": opened.sent}]
        self._emit({"type": "response.content_part.done", **ids, "part": self._part(opened.sent)})

    def _part(self, text: str) -> Event:
        if self.settings.modality == "audio":
            return {"type": "audio", "transcript": text}
        return {"type": "text", "text": text}

    def _audio_delta(self, opened: _Open, data: bytes) -> None:
        if data:
            delta = base64.b64encode(data).decode("ascii")
            self._emit({"type": "response.output_audio.delta", **self._ids(opened), "delta": delta})

    def _ids(self, opened: _Open) -> Event:
        return {
            "response_id": self.id,
            "item_id": opened.stored.id,
            "output_index": opened.index,
            "content_index": 0,
        }

    def _call_ids(self, opened: _Open) -> Event:
        return {
            "response_id": self.id,
            "item_id": opened.stored.id,
            "output_index": opened.index,
            "call_id": opened.call_id,
        }
