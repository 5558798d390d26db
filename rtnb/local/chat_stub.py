"""A stand-in for a chat model: a real HTTP server in the shape of OpenAI's chat endpoint, with no model behind it.

For lessons and tests of `rtnb.local.brains.ChatBrain` where neither Ollama nor any other server is there. It repeats
what it was told, and says that it is no model.

Imports nothing of rtnb.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

__all__ = ["ChatStub"]

_NAME: Final = "stand-in"


class ChatStub:
    """A chat server on 127.0.0.1 that answers ``You said: ...``, streamed word by word.

    Attributes
    ----------
    requests : list of dict
        The bodies that it was sent.

    Examples
    --------
    >>> with ChatStub() as stub:
    ...     stub.url.startswith("http://127.0.0.1:")
    True
    """

    model: Final = _NAME

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.requests))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="rtnb chat stub", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"<ChatStub {self.url}, {len(self.requests)} requests>"

    @property
    def url(self) -> str:
        """Its address, as `rtnb.local.brains.ChatBrain` takes it."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop it. May be called twice."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(5)
        self._server.server_close()

    def __enter__(self) -> ChatStub:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _handler(requests: list[dict[str, Any]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.rstrip("/") != "/v1/models":
                self.send_error(404)
                return
            self._begin("application/json")
            self.wfile.write(json.dumps({"object": "list", "data": [{"id": _NAME, "object": "model"}]}).encode())

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path.rstrip("/") != "/v1/chat/completions":
                self.send_error(404)
                return
            try:
                body = json.loads(text)
                words = _answer(body)
            except (ValueError, TypeError, AttributeError, KeyError):
                self.send_error(400)
                return
            requests.append(body)
            self._begin("text/event-stream")
            for word in words:
                self._chunk({"delta": {"content": word}, "finish_reason": None})
            self._chunk({"delta": {}, "finish_reason": "stop"})
            self.wfile.write(b"data: [DONE]\n\n")

        def _begin(self, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Connection", "close")
            self.end_headers()

        def _chunk(self, choice: dict[str, Any]) -> None:
            data = {"object": "chat.completion.chunk", "model": _NAME, "choices": [{"index": 0, **choice}]}
            self.wfile.write(b"data: " + json.dumps(data).encode() + b"\n\n")
            self.wfile.flush()

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing: it would stand in a notebook's cells."""

    return Handler


def _answer(body: dict[str, Any]) -> list[str]:
    said = [message["content"] for message in body["messages"] if message["role"] == "user"]
    last = said[-1] if said else ""
    if isinstance(last, list):
        last = " ".join(part.get("text", "") for part in last)
    text = f"You said: {last} I am a stand-in over HTTP, not a model."
    return [f"{word} " for word in text.split()[:-1]] + text.split()[-1:]
