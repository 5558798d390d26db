"""A scripted realtime server over a real socket, as odd as compatible servers are: each oddity has a name."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

TIMEOUT_S = 4.0

ODDITIES = {
    "no-event-ids": "events have no event_id",
    "no-metadata": "response.created and response.done do not echo the metadata",
    "nulls": "members that it has nothing to say of are there, and null",
    "created": "it says conversation.item.created where GA says added and done",
    "late-rate-limits": "rate_limits.updated comes after response.done",
    "no-session-created": "it says nothing until it is spoken to",
    "no-session-updated": "settings are taken without a word",
    "no-response-created": "a response begins with its first piece",
    "no-output-items": "no response.output_item.* and no response.content_part.*",
    "no-items": "no conversation.item.* at all",
    "no-deltas": "the whole text in the .done alone",
    "no-usage": "response.done without usage",
    "no-response-ids": "deltas without response_id and item_id",
    "bare-errors": "errors without event_id, code and param",
    "no-statuses": "items and responses without a status",
    "unknown-events": "events that nobody knows, in between",
    "bare-items": "items that are a text, or nothing, where an object belongs",
}
WORDS = {"hello": "Hello from the odd server.", "sum": None}


class OddServer:
    """One server; `oddities` are names of `ODDITIES`.

    It answers "sum" with a call of ``calculate_sum(a=4, b=6)`` and the output with a sentence, "long" with an answer
    that goes on until it is cancelled, and all else with a greeting; spoken when the session asks for audio.
    """

    def __init__(self, *oddities: str) -> None:
        unknown = set(oddities) - ODDITIES.keys()
        assert not unknown, unknown
        self.oddities = set(oddities)
        self.received: list[dict[str, Any]] = []
        self.news = threading.Condition()

    def has(self, oddity: str) -> bool:
        return oddity in self.oddities

    @contextlib.contextmanager
    def run(self) -> Iterator[str]:
        quiet = logging.getLogger("the odd server")
        quiet.setLevel(logging.CRITICAL)
        with serve(self._client, "127.0.0.1", 0, logger=quiet) as server:
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/v1/realtime"
            server.shutdown()
            thread.join(TIMEOUT_S)

    def _client(self, socket: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            _Talk(self, socket).run()

    def wait_for(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first client event for which this holds."""

        def found() -> dict[str, Any] | None:
            return next((event for event in self.received if condition(event)), None)

        with self.news:
            assert self.news.wait_for(lambda: found() is not None, TIMEOUT_S), [e["type"] for e in self.received]
        event = found()
        assert event is not None
        return event


class _Talk:
    def __init__(self, server: OddServer, socket: ServerConnection) -> None:
        self.server, self.socket = server, socket
        self.has = server.has
        self.numbers = itertools.count()
        self.session: dict[str, Any] = {"type": "realtime", "model": "odd-1", "output_modalities": ["audio"]}
        self.question = ""
        self.last_item: str | None = None
        self.open: dict[str, Any] | None = None  # the answer that goes on until it is cancelled

    def say(self, name: str, **members: Any) -> None:
        event: dict[str, Any] = {"type": name}
        if not self.has("no-event-ids"):
            event["event_id"] = f"event_{next(self.numbers)}"
        if self.has("nulls"):
            event.update(previous_item_id=None, response_id=None, item=None, part=None, error=None, logprobs=None)
            if name.startswith("conversation"):
                del event["error"]
        if self.has("no-response-ids") and ".delta" in name:
            members = {key: value for key, value in members.items() if key in ("delta", "call_id")}
        event.update(members)
        if name != "error":
            event.pop("error", None)
        self.socket.send(json.dumps(event))
        if self.has("unknown-events"):
            self.socket.send(json.dumps({"type": "server.mood", "mood": {"of": name}}))

    def run(self) -> None:
        if not self.has("no-session-created"):
            self.say("session.created", session=self.session)
        for text in self.socket:
            event = json.loads(text)
            with self.server.news:
                self.server.received.append(event)
                self.server.news.notify_all()
            handler = getattr(self, event["type"].replace(".", "_"), None)
            if handler is None:
                self.error(event, f"unknown event {event['type']}")
            else:
                handler(event)

    def error(self, event: dict[str, Any], message: str) -> None:
        error: dict[str, Any] = {"type": "invalid_request_error", "message": message}
        if not self.has("bare-errors"):
            error.update(code="invalid_value", param=None, event_id=event.get("event_id"))
        self.say("error", error=error)

    # ---- client events

    def session_update(self, event: dict[str, Any]) -> None:
        if event["session"].get("instructions") == "refuse me":
            self.error(event, "these instructions are refused")
            return
        self.session.update(event["session"])
        if self.has("nulls"):
            self.session.update(tools=None, tool_choice=None, prompt=None)
        if not self.has("no-session-updated"):
            self.say("session.updated", session=self.session)

    def conversation_item_create(self, event: dict[str, Any]) -> None:
        item = dict(event["item"])
        content = item.get("content") or []
        self.question = next((part.get("text", "") for part in content), "") if item["type"] == "message" else "output"
        self.item(item, "completed")

    def input_audio_buffer_append(self, event: dict[str, Any]) -> None:
        pass

    def input_audio_buffer_commit(self, event: dict[str, Any]) -> None:
        item_id = f"item_{next(self.numbers)}"
        self.say("input_audio_buffer.committed", item_id=item_id, previous_item_id=self.last_item)
        content = [{"type": "input_audio", "transcript": None}]
        self.item({"id": item_id, "type": "message", "role": "user", "content": content}, "completed")

    def conversation_item_truncate(self, event: dict[str, Any]) -> None:
        if self.has("no-items"):
            self.error(event, "truncation is not supported")
        else:
            told = {name: event[name] for name in ("item_id", "content_index", "audio_end_ms")}
            self.say("conversation.item.truncated", **told)

    def response_cancel(self, event: dict[str, Any]) -> None:
        if self.open is None:
            self.error(event, "nothing to cancel")
            return
        response, self.open = self.open, None
        self.done(response, [], "cancelled")

    def response_create(self, event: dict[str, Any]) -> None:
        settings = event.get("response") or {}
        response = {"id": f"resp_{next(self.numbers)}", "object": "realtime.response", "status": "in_progress"}
        response["output"] = []
        if not self.has("no-metadata"):
            response["metadata"] = settings.get("metadata")
        if self.has("nulls"):
            response.update(metadata=None, usage=None, status_details=None, conversation_id=None, output=None)
        if not self.has("no-response-created"):
            self.say("response.created", response=self.bare(response))
        if self.question == "sum":
            self.call(response)
        else:
            modalities = settings.get("output_modalities") or self.session["output_modalities"]
            self.speak(response, "audio" in modalities)

    # ---- pieces

    def bare(self, value: dict[str, Any]) -> dict[str, Any]:
        return {k: v for k, v in value.items() if k != "status"} if self.has("no-statuses") else value

    def item(self, item: dict[str, Any], status: str) -> None:
        item = self.bare({**item, "status": status})
        if self.has("nulls"):
            item.update(object=None, call_id=item.get("call_id"))
        previous, self.last_item = self.last_item, item.get("id")
        if self.has("no-items"):
            return
        if self.has("bare-items"):
            for bare in (item.get("id"), None, [item]):
                self.say("conversation.item.added", item=bare, previous_item_id=previous)
        if self.has("created"):
            self.say("conversation.item.created", item=item, previous_item_id=previous)
            return
        self.say("conversation.item.added", item=item, previous_item_id=previous)
        if status == "completed":
            self.say("conversation.item.done", item=item, previous_item_id=previous)

    def begin(self, response: dict[str, Any], item: dict[str, Any]) -> dict[str, Any]:
        if not self.has("no-output-items"):
            self.say(
                "response.output_item.added", response_id=response["id"], output_index=0, item=self.bare(dict(item))
            )
        self.item(item, "in_progress")
        return {"response_id": response["id"], "item_id": item["id"], "output_index": 0, "content_index": 0}

    def speak(self, response: dict[str, Any], aloud: bool) -> None:
        item = {"id": f"item_{next(self.numbers)}", "type": "message", "role": "assistant", "status": "in_progress"}
        place = self.begin(response, {**item, "content": []})
        kind = "audio" if aloud else "text"
        if not self.has("no-output-items"):
            self.say("response.content_part.added", **place, part={"type": kind, "transcript": "", "text": ""})
        words = "Hello from the odd server." if self.question != "output" else "It is 10."
        stream = "response.output_audio_transcript" if aloud else "response.output_text"
        if not self.has("no-deltas"):
            for word in words.split(" "):
                self.say(f"{stream}.delta", **place, delta=word if word == words.split(" ")[0] else f" {word}")
        if aloud:
            sound = base64.b64encode(b"\1\2" * 4800).decode()
            for _ in range(5):
                self.say("response.output_audio.delta", **place, delta=sound)
        if self.question == "long":
            self.open = response
            return
        self.say(f"{stream}.done", **place, **{"transcript" if aloud else "text": words})
        part = {"type": "output_audio", "transcript": words} if aloud else {"type": "output_text", "text": words}
        self.finish(response, {**item, "content": [part]})

    def call(self, response: dict[str, Any]) -> None:
        item = {"id": f"item_{next(self.numbers)}", "type": "function_call", "name": "calculate_sum"}
        item.update(call_id=f"call_{next(self.numbers)}", arguments="", status="in_progress")
        place = self.begin(response, item)
        arguments = json.dumps({"a": 4, "b": 6})
        told = {**place, "call_id": item["call_id"]}
        del told["content_index"]
        if not self.has("no-deltas"):
            self.say("response.function_call_arguments.delta", **told, delta=arguments)
        self.say("response.function_call_arguments.done", **told, arguments=arguments)
        self.finish(response, {**item, "arguments": arguments})

    def finish(self, response: dict[str, Any], item: dict[str, Any]) -> None:
        item = self.bare({**item, "status": "completed"})
        if not (self.has("no-items") or self.has("created")):
            self.say("conversation.item.done", item=item)
        if not self.has("no-output-items"):
            self.say("response.output_item.done", response_id=response["id"], output_index=0, item=item)
        self.done(response, [item], "completed")

    def done(self, response: dict[str, Any], output: list[Any], status: str) -> None:
        final = {**response, "status": status, "output": output}
        if not self.has("no-usage"):
            final["usage"] = {"total_tokens": 12, "input_tokens": 5, "output_tokens": 7}
            if self.has("nulls"):
                final["usage"].update(input_token_details=None, output_token_details=None)
        self.say("response.done", response=self.bare(final))
        if self.has("late-rate-limits"):
            self.say("rate_limits.updated", rate_limits=[{"name": "tokens", "limit": 100, "remaining": None}])
