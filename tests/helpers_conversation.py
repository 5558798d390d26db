"""Server events as short calls, and a conversation that collects the changes of what it is given."""

from __future__ import annotations

import base64
from typing import Any

from hypothesis import HealthCheck, settings

from rtnb.core.changes import Change
from rtnb.core.conversation import Conversation

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For property tests: a machine that others use too may be slow for a while, and that is no failure."""


def pcm(ms: int, value: int = 1) -> str:
    """Base64 of `ms` milliseconds of 24 kHz PCM16, each byte `value`."""
    return base64.b64encode(bytes([value]) * (48 * ms)).decode()


def session(kind: str = "created", **settings: Any) -> dict[str, Any]:
    return {"type": f"session.{kind}", "session": {"type": "realtime", "id": "sess_1", **settings}}


def transcribing(kind: str = "created") -> dict[str, Any]:
    return session(kind, audio={"input": {"transcription": {"model": "gpt-transcribe"}}})


def user(item_id: str, text: str = "Hi", previous: str | None = None, phase: str = "added") -> dict[str, Any]:
    item = {"id": item_id, "type": "message", "role": "user", "status": "completed"}
    item["content"] = [{"type": "input_text", "text": text}]
    return {"type": f"conversation.item.{phase}", "item": item, "previous_item_id": previous}


def spoken(item_id: str, previous: str | None = None, phase: str = "added") -> dict[str, Any]:
    event = user(item_id, previous=previous, phase=phase)
    event["item"]["content"] = [{"type": "input_audio", "transcript": None}]
    return event


def response(kind: str, response_id: str = "resp_1", **fields: Any) -> dict[str, Any]:
    body = {"id": response_id, "object": "realtime.response", "conversation_id": "conv_1", **fields}
    body.setdefault("status", "in_progress" if kind == "created" else "completed")
    return {"type": f"response.{kind}", "response": body}


def message(item_id: str, status: str = "in_progress", *content: dict[str, Any]) -> dict[str, Any]:
    return {"id": item_id, "type": "message", "role": "assistant", "status": status, "content": list(content)}


def call(item_id: str, status: str = "in_progress", arguments: str = "") -> dict[str, Any]:
    return {
        "id": item_id,
        "type": "function_call",
        "status": status,
        "name": "calculate_sum",
        "call_id": "call_1",
        "arguments": arguments,
    }


def output(kind: str, item: dict[str, Any], response_id: str = "resp_1") -> dict[str, Any]:
    return {"type": f"response.output_item.{kind}", "response_id": response_id, "output_index": 0, "item": item}


def item(kind: str, described: dict[str, Any], previous: str | None = None) -> dict[str, Any]:
    return {"type": f"conversation.item.{kind}", "item": described, "previous_item_id": previous}


def delta(of: str, item_id: str, text: str, response_id: str = "resp_1", content_index: int = 0) -> dict[str, Any]:
    return {
        "type": f"response.{of}.delta",
        "response_id": response_id,
        "item_id": item_id,
        "output_index": 0,
        "content_index": content_index,
        "delta": text,
    }


def done(of: str, item_id: str, response_id: str = "resp_1", **fields: Any) -> dict[str, Any]:
    ids = {"response_id": response_id, "item_id": item_id, "output_index": 0, "content_index": 0}
    return {"type": f"response.{of}.done", **ids, **fields}


def transcription(kind: str, item_id: str, **fields: Any) -> dict[str, Any]:
    return {
        "type": f"conversation.item.input_audio_transcription.{kind}",
        "item_id": item_id,
        "content_index": 0,
        **fields,
    }


def buffer(kind: str, item_id: str | None = None, **fields: Any) -> dict[str, Any]:
    ids = {"item_id": item_id} if item_id is not None else {}
    return {"type": f"input_audio_buffer.{kind}", **ids, **fields}


def spoken_answer(words: str = "one two three four", ms: int = 400) -> list[dict[str, Any]]:
    """A whole answer in sound: all of the transcript, then `ms` of audio in four deltas."""
    return [
        response("created"),
        output("added", message("item_a")),
        item("added", message("item_a")),
        delta("output_audio_transcript", "item_a", words),
        *[delta("output_audio", "item_a", pcm(ms // 4, n)) for n in range(4)],
    ]


class Told:
    """A conversation and the changes it has told."""

    def __init__(self, *events: dict[str, Any]) -> None:
        self.conversation = Conversation()
        self.changes: list[Change] = []
        self.server(*events)

    def server(self, *events: dict[str, Any]) -> list[Change]:
        new = [change for event in events for change in self.conversation.apply(event)]
        self.changes += new
        return new

    def client(self, *events: dict[str, Any]) -> None:
        for event in events:
            self.changes += self.conversation.apply(event, "client")

    @property
    def kinds(self) -> list[str]:
        return [change.kind for change in self.changes]

    def of(self, kind: str) -> list[Change]:
        return [change for change in self.changes if change.kind == kind]

    @property
    def ids(self) -> list[str]:
        return [item.id for item in self.conversation.items]

    def __getitem__(self, item_id: str) -> Any:
        return self.conversation.item(item_id)
