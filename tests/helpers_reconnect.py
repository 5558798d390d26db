"""What the tests of staying connected share: a wire that can be cut anywhere, and a brain that answers by content."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlsplit

from rtnb.local.seams import Call, Piece, Request, Say

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER of 0 s: the other side gets a reset, not a goodbye


class Wire:
    """A TCP proxy in front of an endpoint: forwards bytes, and cuts sockets where it is told, in mid-frame too."""

    def __init__(self, url: str) -> None:
        self._target = ("127.0.0.1", urlsplit(url).port or 0)
        self._door = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._threads: list[threading.Thread] = []
        self._left: dict[str, int | None] = {"up": None, "down": None}
        self.is_down = False
        self.connections = 0
        self.refused = 0
        self.url = url.replace(f":{self._target[1]}/", f":{self._door.getsockname()[1]}/")
        self._start(self._accept)

    def _start(self, work: Any, *args: Any) -> None:
        thread = threading.Thread(target=work, args=args, name="wire", daemon=True)
        self._threads.append(thread)
        thread.start()

    def cut_after(self, count: int, way: str = "down") -> None:
        """Cut when so many more bytes have gone ``"down"`` (to the client) or ``"up"``."""
        with self._lock:
            self._left[way] = count

    def cut(self) -> None:
        """Cut now."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for each in pair:
                with contextlib.suppress(OSError):
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    each.shutdown(socket.SHUT_RDWR)
                each.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)  # wakes `accept`
        self._door.close()
        self._threads[0].join(10)
        self.cut()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._door.accept()
            except OSError:
                return
            if self.is_down:
                self.refused += 1
                near.close()
                continue
            self.connections += 1
            try:
                far = socket.create_connection(self._target)
            except OSError:
                near.close()
                continue
            with self._lock:
                self._pairs.append((near, far))
            self._start(self._pump, near, far, "up")
            self._start(self._pump, far, near, "down")

    def _pump(self, source: socket.socket, target: socket.socket, way: str) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                with self._lock:
                    left = self._left[way]
                    is_last = left is not None and left <= len(data)
                    if left is not None:
                        self._left[way] = None if is_last else left - len(data)
                target.sendall(data[:left] if is_last else data)
                if is_last:
                    self.cut()
                    return
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def wired(url: str) -> Iterator[Wire]:
    """A wire in front of an endpoint."""
    wire = Wire(url)
    try:
        yield wire
    finally:
        wire.close()


@contextlib.contextmanager
def closing_server(code: int, reason: str) -> Iterator[str]:
    """A server that configures a session and then closes it."""
    from websockets.sync.server import ServerConnection, serve

    def talk(each: ServerConnection) -> None:
        each.send(json.dumps({"type": "session.created", "session": {"type": "realtime"}}))
        each.recv(20)
        each.send(json.dumps({"type": "session.updated", "session": {"type": "realtime"}}))
        each.close(code, reason)

    with serve(talk, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/"
        finally:
            server.shutdown()
            thread.join(10)


class ContentBrain:
    """Answers by what stands in the context alone, so that a question asked again gets the same answer.

    A question with ``tool`` in it is answered by a call of ``note`` with the question, then by what came of it.
    """

    name = "content"

    def __init__(self, pieces: int = 4) -> None:
        self.pieces = pieces
        self.seen: list[list[str]] = []

    async def think(self, request: Request) -> AsyncIterator[Piece]:
        items = [item for item in request.items if item.get("type") in ("message", "function_call", _OUTPUT)]
        self.seen.append([str(item["id"]) for item in request.items])
        last = items[-1]
        if last.get("type") == _OUTPUT:
            yield Say(f"noted {last['output']}")
            return
        question = words(last)
        answered = {item["call_id"] for item in items if item.get("type") == _OUTPUT}
        calls = [item for item in items if item.get("type") == "function_call" and item["call_id"] in answered]
        if "tool" in question and question not in [json.loads(call["arguments"])["text"] for call in calls]:
            yield Call("note", json.dumps({"text": question}))
            return
        for number in range(self.pieces):
            yield Say(f"{question} {number}. ")


_OUTPUT = "function_call_output"


def words(item: Any) -> str:
    """What an item says."""
    return " ".join(str(part.get("text") or part.get("transcript") or "") for part in item.get("content") or ())
