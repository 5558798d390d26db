"""For tests of speech: an HTTP server that speaks as much of OpenAI's endpoints as a test wants, and a patience."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Answer:
    """What the server says: the body in pieces, flushed one by one; `hold` is awaited before the last."""

    status: int = 200
    pieces: list[bytes] = field(default_factory=list)
    content_type: str = "application/json"
    hold: threading.Event | None = None


@dataclass
class Asked:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, object]:
        return json.loads(self.body)

    @property
    def fields(self) -> dict[str, bytes]:
        """The parts of a multipart form by name."""
        boundary = self.headers["content-type"].split("boundary=")[1].encode()
        found = {}
        for part in self.body.split(b"--" + boundary)[1:-1]:
            head, _, value = part.strip(b"\r\n").partition(b"\r\n\r\n")
            found[head.split(b'name="')[1].split(b'"')[0].decode()] = value
        return found


@contextlib.contextmanager
def served(answer: Callable[[Asked], Answer]) -> Iterator[tuple[str, list[Asked]]]:
    """Serve on a free port; gives the base URL and the list of what was asked."""
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            request = Asked(self.path, {key.lower(): value for key, value in self.headers.items()}, body)
            asked.append(request)
            reply = answer(request)
            with contextlib.suppress(ConnectionError):
                self.send_response(reply.status)
                self.send_header("content-type", reply.content_type)
                self.send_header("transfer-encoding", "chunked")
                self.end_headers()
                for number, piece in enumerate(reply.pieces):
                    if reply.hold is not None and number == len(reply.pieces) - 1:
                        reply.hold.wait(20)
                    self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                    self.wfile.flush()
                self.wfile.write(b"0\r\n\r\n")

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class FirstShort:
    """A patience that is short once."""

    def __init__(self) -> None:
        self.times = iter([0.2])

    def __get__(self, owner: object, kind: type) -> float:
        return next(self.times, 60.0)
