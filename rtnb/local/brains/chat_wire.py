"""Between the Realtime protocol and the chat-completions API of many model servers: pure translation, both ways.

`messages`, `body` and `endpoint_of` make a request; `Reading` takes what is streamed back, in the forms that servers
really send: tool calls in one chunk or in many, without an index, with arguments as an object, chunks without choices,
thoughts beside the answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from rtnb.local.seams import Call, CallArguments, Failed, Finished, Piece, Request, Say

__all__ = ["Lines", "Reading", "body", "endpoint_of", "error_of", "messages"]

_INAUDIBLE: Final = "(The user said something that was not understood.)"
_NO_RESULT: Final = "(There is no result: the call was cut off.)"
_CALL_ID_CHARS: Final = 32


def endpoint_of(url: str) -> str:
    """The full address for a base URL with or without ``/v1``, or for the full one.

    Raises
    ------
    ValueError
        When it is no http or https address.
    """
    if "://" not in url:
        url = f"http://{url}"
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("a chat endpoint needs an http or https URL, such as http://127.0.0.1:11434/v1")
    path = parts.path.rstrip("/")
    if not path.endswith("/chat/completions"):
        last = path.rsplit("/", 1)[-1]
        path += "/chat/completions" if re.fullmatch(r"v\d+\w*|openai", last) else "/v1/chat/completions"
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))


def body(request: Request, model: str, *, spoken: str = "", options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The JSON body of a streamed chat request.

    Parameters
    ----------
    spoken
        A sentence that is added to the instructions of an answer that will be spoken.
    options
        Further members, such as ``temperature``; they win.
    """
    instructions = request.instructions
    if spoken and request.output == "audio":
        instructions = f"{instructions}\n\n{spoken}".strip()
    result: dict[str, Any] = {
        "model": model,
        "messages": messages(instructions, request.items),
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    tools = [_tool(tool) for tool in request.tools if tool.get("type") == "function"]
    if tools and request.tool_choice != "none":
        result["tools"] = tools
        if request.tool_choice == "required":
            result["tool_choice"] = "required"
        elif isinstance(request.tool_choice, Mapping):
            result["tool_choice"] = {"type": "function", "function": {"name": request.tool_choice.get("name")}}
    if request.max_output_tokens is not None:
        result["max_tokens"] = request.max_output_tokens
    return {**result, **(options or {})}


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    function = {"name": tool.get("name"), "description": tool.get("description") or ""}
    return {"type": "function", "function": {**function, "parameters": tool.get("parameters") or _NO_PARAMETERS}}


_NO_PARAMETERS: Final = {"type": "object", "properties": {}}


def messages(instructions: str, items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The conversation as chat messages.

    The chat API wants every call answered right after the message that holds it, once. So outputs are moved there,
    calls without one get a word that says so, and a second output of a call becomes a message of its own.
    """
    result: list[dict[str, Any]] = [{"role": "system", "content": instructions}] if instructions else []
    outputs: dict[str, str] = {}
    names: dict[str, str] = {}
    for item in items:
        if item.get("type") == "function_call_output":
            outputs.setdefault(str(item.get("call_id")), str(item.get("output") or ""))
        elif item.get("type") == "function_call":
            names[str(item.get("call_id"))] = str(item.get("name"))
    told: set[str] = set()
    answered = False
    for item in items:
        kind, call_id = item.get("type"), str(item.get("call_id"))
        if kind == "message":
            if (message := _message(item)) is not None:
                result.append(message)
        elif kind == "function_call":
            _add_call(result, item, outputs.get(call_id, _NO_RESULT), alone=answered)
            answered = False
        elif kind == "function_call_output":
            if call_id in told or call_id not in names:
                about = f"Later result of {names[call_id]}" if call_id in names else "Result of a tool"
                result.append({"role": "system", "content": f"{about}: {item.get('output') or ''}"})
            told.add(call_id)
            answered = True
    return result


def _add_call(result: list[dict[str, Any]], item: Mapping[str, Any], output: str, *, alone: bool) -> None:
    """Put a call into the assistant's message at the end, or a new one, and its output behind all of that message's.

    It stands `alone` when results came since the call before: it belongs to another round.
    """
    call = {
        "id": str(item.get("call_id")),
        "type": "function",
        "function": {"name": item.get("name"), "arguments": item.get("arguments") or "{}"},
    }
    at = len(result)
    while at and result[at - 1]["role"] == "tool":
        at -= 1
    if at and result[at - 1]["role"] == "assistant" and not alone:
        result[at - 1].setdefault("tool_calls", []).append(call)
    else:
        result.append({"role": "assistant", "content": None, "tool_calls": [call]})
    result.append({"role": "tool", "tool_call_id": call["id"], "content": output})


def _message(item: Mapping[str, Any]) -> dict[str, Any] | None:
    role = str(item.get("role"))
    parts = [part for part in item.get("content") or () if isinstance(part, Mapping)]
    content: list[dict[str, Any]] = []
    for part in parts:
        text = part.get("text") or part.get("transcript")
        if part.get("image_url"):
            address: dict[str, Any] = {"url": part["image_url"]}
            if part.get("detail"):
                address["detail"] = part["detail"]
            content.append({"type": "image_url", "image_url": address})
        elif text:
            content.append({"type": "text", "text": str(text)})
        elif role == "user" and "audio" in str(part.get("type")):
            content.append({"type": "text", "text": _INAUDIBLE})
    if not content:
        return None
    if all(part["type"] == "text" for part in content):
        return {"role": role, "content": "\n".join(part["text"] for part in content)}
    return {"role": role, "content": content}


class Lines:
    """The data of server-sent events, line by line; comments and other fields are skipped."""

    def __init__(self) -> None:
        self._data: list[str] = []

    def push(self, line: str) -> str | None:
        """Take a line; return the data of the event that it ends, if it ends one."""
        if line.startswith("data:"):
            piece = line[5:].removeprefix(" ")
            ended = self.end() if self._data and _is_whole(self._data) else None  # servers that forget the empty line
            self._data.append(piece)
            return ended
        return self.end() if not line.strip() else None

    def end(self) -> str | None:
        """The data that is left."""
        data, self._data = "\n".join(self._data), []
        return data or None


def _is_whole(data: Sequence[str]) -> bool:
    text = "\n".join(data)
    if text.strip() == "[DONE]":
        return True
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


@dataclass
class _Open:
    """A tool call that is being read."""

    key: object
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)
    begun: bool = False
    sent: bool = False


class Reading:
    """Reads the chunks of one streamed completion into pieces.

    The first call is streamed as it comes; further calls are kept back to the end, because their chunks may be mixed
    and a piece of arguments always belongs to the call that began last.

    Attributes
    ----------
    finished : bool
        Whether the server has said that the answer is whole.
    """

    def __init__(self) -> None:
        self.finished = False
        self._reason = ""
        self._usage: dict[str, int] | None = None
        self._calls: list[_Open] = []
        self._thoughts = _Thoughts()

    def push(self, data: str) -> Iterator[Piece]:
        """Take the data of one event."""
        if data.strip() == "[DONE]":
            self.finished = True
            return
        try:
            chunk = json.loads(data)
        except ValueError:
            yield _failed("broken_stream", f"sent a piece that is no JSON: {data[:120]!r}")
            return
        if not isinstance(chunk, Mapping):
            return
        if chunk.get("error"):
            detail = error_of(chunk, "")
            yield _failed(detail[0] or "server_error", f"reported an error: {detail[1]}")
            return
        self._take_usage(chunk.get("usage"))
        for choice in chunk.get("choices") or ():
            delta = choice.get("delta") or choice.get("message") or {}
            yield from self._delta(delta)
            if reason := choice.get("finish_reason"):
                self.finished, self._reason = True, str(reason)

    def end(self) -> Iterator[Piece]:
        """What is left to say when the stream is over."""
        if rest := self._thoughts.end():
            yield Say(rest)
        for call in self._calls:
            if call.begun:
                if not call.sent:
                    yield CallArguments("{}")
            elif call.name:
                yield Call(call.name, "".join(call.arguments) or "{}", _usable(call.id))
        if self._reason == "error":
            yield _failed("server_error", "ended the answer with an error and no reason")
        elif self._reason in {"length", "max_tokens"}:
            yield Finished("max_output_tokens", self._usage)
        elif self._reason == "content_filter":
            yield Finished("content_filter", self._usage)
        elif self._usage:
            yield Finished(None, self._usage)

    def _take_usage(self, usage: Any) -> None:
        if isinstance(usage, Mapping):
            counts = usage.get("prompt_tokens"), usage.get("completion_tokens")
            if all(isinstance(count, int) for count in counts):
                self._usage = {"input_tokens": int(counts[0] or 0), "output_tokens": int(counts[1] or 0)}

    def _delta(self, delta: Mapping[str, Any]) -> Iterator[Piece]:
        content = delta.get("content") or delta.get("refusal")
        if isinstance(content, list):
            content = "".join(str(part.get("text") or "") for part in content if isinstance(part, Mapping))
        if isinstance(content, str) and (said := self._thoughts.push(content)):
            yield Say(said)
        calls = delta.get("tool_calls") or ()
        if isinstance(delta.get("function_call"), Mapping):
            calls = [{"index": "legacy", "function": delta["function_call"]}]
        for call in calls:
            yield from self._call(call)

    def _call(self, delta: Mapping[str, Any]) -> Iterator[Piece]:
        inner = delta.get("function")
        function: Mapping[str, Any] = inner if isinstance(inner, Mapping) else {}
        call = self._which(delta, function)
        call.id = call.id or str(delta.get("id") or "")
        call.name = call.name or str(function.get("name") or "")
        arguments = function.get("arguments")
        if isinstance(arguments, Mapping | list):
            arguments = json.dumps(arguments, ensure_ascii=False)
        if arguments:
            call.arguments.append(str(arguments))
        if call is not self._calls[0]:
            return
        if not call.begun and call.name:
            call.begun = True
            yield Call(call.name, "", _usable(call.id))
        if call.begun and call.arguments:
            call.sent = True
            yield CallArguments("".join(call.arguments))
            call.arguments.clear()

    def _which(self, delta: Mapping[str, Any], function: Mapping[str, Any]) -> _Open:
        """The call that a chunk belongs to: by index, else by id, else the last; a new id with a name is a new call."""
        index, call_id, name = delta.get("index"), str(delta.get("id") or ""), function.get("name")
        key: object = index if index is not None else call_id or None
        for call in reversed(self._calls):
            other = bool(call_id and call.id and call_id != call.id and name)
            if (call.key == key or (key is None and not name)) and not other:
                return call
        self._calls.append(_Open(key if key is not None else len(self._calls)))
        return self._calls[-1]


class _Thoughts:
    """Leaves out ``<think>...</think>`` at the beginning of an answer: what nobody should hear."""

    _OPEN, _CLOSE = "<think>", "</think>"

    def __init__(self) -> None:
        self._held: str | None = ""
        self._inside = False

    def push(self, text: str) -> str:
        if self._held is None:
            return text
        self._held += text
        if not self._inside:
            start = self._held.lstrip()
            if start.startswith(self._OPEN):
                self._inside, self._held = True, start
            elif self._OPEN.startswith(start):
                return ""
            else:
                said, self._held = self._held, None
                return said
        if self._CLOSE in self._held:
            said, self._held = self._held.split(self._CLOSE, 1)[1].lstrip(), None
            return said
        return ""

    def end(self) -> str:
        rest = "" if self._inside else self._held or ""
        self._held = None
        return rest


def _usable(call_id: str) -> str | None:
    return call_id if 0 < len(call_id) <= _CALL_ID_CHARS else None


def _failed(code: str, what: str) -> Failed:
    return Failed({"type": "server_error", "code": code, "message": what})


def error_of(answer: Any, otherwise: str) -> tuple[str, str]:
    """Code and message of an error, in the forms that servers give it; `otherwise` when there is none."""
    error = answer.get("error", answer.get("detail", answer)) if isinstance(answer, Mapping) else answer
    if isinstance(error, Mapping):
        code, message = error.get("code"), error.get("message") or error.get("msg") or error.get("error")
        return (code if isinstance(code, str) else ""), str(message or json.dumps(error, ensure_ascii=False)[:300])
    return "", str(error)[:300] if error else otherwise
