"""A small real HTTP server that answers as chat endpoints do, and conversations for the brains' tests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from rtnb.local.brains.practice import decide
from rtnb.local.seams import Brain, CallArguments, Piece, Request, Say

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


def user(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def spoken(transcript: str | None) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_audio", "transcript": transcript}]}


def assistant(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}


def system(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "system", "content": [{"type": "input_text", "text": text}]}


def called(name: str, arguments: str, call_id: str = "c1") -> dict[str, Any]:
    return {"type": "function_call", "name": name, "arguments": arguments, "call_id": call_id}


def output(text: str, call_id: str = "c1") -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": text}


def tool(name: str, description: str = "", required: Sequence[str] | None = None, **params: Any) -> dict[str, Any]:
    """A declared tool; a parameter is its type's name or its schema, all are required unless `required` says which."""
    properties = {key: {"type": value} if isinstance(value, str) else value for key, value in params.items()}
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(required if required is not None else params),
    }
    return {"type": "function", "name": name, "description": description, "parameters": schema}


def request(items: Sequence[Mapping[str, Any]] = (), **settings: Any) -> Request:
    return Request(**{"response_id": "resp_1", "model": "m", "instructions": "", "items": items, **settings})


async def pieces(brain: Brain, wanted: Request) -> list[Piece]:
    return [piece async for piece in brain.think(wanted)]


def words_of(pieces: Sequence[Piece]) -> str:
    return "".join(piece.text for piece in pieces if isinstance(piece, Say))


def arguments_of(pieces: Sequence[Piece]) -> str:
    return "".join(piece.delta for piece in pieces if isinstance(piece, CallArguments))


class Talk:
    """A conversation with the practice brain's rules, as an endpoint would hold it."""

    def __init__(self, *tools: Mapping[str, Any], instructions: str = "") -> None:
        self.items: list[dict[str, Any]] = []
        self.tools = tools
        self.instructions = instructions
        self._calls = 0

    def ask(self, text: str, **settings: Any) -> Any:
        """Say `text`; the answer is a text, or the calls as (name, arguments)."""
        self.items.append(user(text))
        return self.respond(**settings)

    def hear(self, transcript: str | None) -> Any:
        """Speak."""
        self.items.append(spoken(transcript))
        return self.respond()

    def give(self, *outputs: Any) -> Any:
        """The outputs of the last calls, in order; what follows is the answer."""
        first = self._calls - len(outputs) + 1
        for number, value in enumerate(outputs, first):
            self.items.append(output(value if isinstance(value, str) else json.dumps(value), f"c{number}"))
        return self.respond()

    def respond(self, **settings: Any) -> Any:
        decision = decide(request(self.items, **{"tools": self.tools, "instructions": self.instructions, **settings}))
        if decision.text:
            self.items.append(assistant(decision.text))
            return decision.text
        calls = []
        for planned in decision.calls:
            self._calls += 1
            self.items.append(called(planned.tool.name, json.dumps(planned.arguments), f"c{self._calls}"))
            calls.append((planned.tool.name, planned.arguments))
        return calls


class ChatServer:
    """What a chat endpoint was asked, and how it answers."""

    def __init__(self) -> None:
        self.url = ""
        self.bodies: list[dict[str, Any]] = []
        self.heads: list[str] = []
        self.answers: list[Answer] = []
        self.gone = asyncio.Event()  # a client closed its connection while it was being answered

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(int(line[15:]) for line in head.splitlines() if line.lower().startswith("content-length:"))
            self.heads.append(head)
            self.bodies.append(json.loads(await reader.readexactly(length)))
            answering = asyncio.ensure_future(self.answers.pop(0)(writer))
            leaving = asyncio.ensure_future(reader.read(1))
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                self.gone.set()
            for task in (answering, leaving):
                task.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)
        finally:
            writer.close()


@asynccontextmanager
async def chat_server(*answers: Answer) -> AsyncIterator[ChatServer]:
    """A chat endpoint on a free port of 127.0.0.1, with one answer for each request."""
    state = ChatServer()
    state.answers.extend(answers)
    server = await asyncio.start_server(state.serve, "127.0.0.1", 0)
    state.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield state
    finally:
        server.close()
        await server.wait_closed()


def raw(status: str, body: str, *, kind: str = "application/json") -> Answer:
    """A whole answer at once."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        data = body.encode()
        head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + data)
        await writer.drain()

    return answer


def stream(
    *chunks: Mapping[str, Any] | str | asyncio.Event,
    done: bool = True,
    hold: asyncio.Event | None = None,
    cut: bool = False,
) -> Answer:
    """A streamed answer: mappings go out as events, texts as they stand, an event is waited for.

    `hold`: wait for it at the end. `cut`: end the connection in the middle of the body.
    """

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for chunk in (*chunks, *(["data: [DONE]\n\n"] if done else [])):
            if isinstance(chunk, asyncio.Event):
                await chunk.wait()
                continue
            text = chunk if isinstance(chunk, str) else f"data: {json.dumps(chunk)}\n\n"
            data = text.encode()
            writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            await writer.drain()
        if hold is not None:
            await hold.wait()
        if not cut:
            writer.write(b"0\r\n\r\n")
            await writer.drain()

    return answer


def delta(finish: str | None = None, **content: Any) -> dict[str, Any]:
    """A chunk with one choice."""
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": content, "finish_reason": finish}]}


def call_delta(arguments: Any = None, **known: Any) -> dict[str, Any]:
    """A chunk with a piece of one tool call: ``index``, ``id``, ``name``."""
    function = {
        key: value for key, value in (("name", known.pop("name", None)), ("arguments", arguments)) if value is not None
    }
    return delta(tool_calls=[{**known, "type": "function", "function": function}])
