"""A child process that speaks in frames over its standard input and output.

The speech engines run in processes of their own: one because its licence (GPLv3) asks for arm's length, one because it
holds the interpreter's lock for seconds. Both speak the same small protocol, so that a child needs nothing of rtnb.

One frame, in either direction::

    kind    1 byte    what it is, a letter; the engine's module lists its letters
    stream  4 bytes   unsigned little-endian: which piece of work the frame belongs to
    length  4 bytes   unsigned little-endian: bytes that follow
    payload           JSON in UTF-8, or PCM16 little-endian mono

The end of its input tells the child to end, so no child outlives its parent, however that one dies.

Two threads do the waiting on pipes, because asyncio's own subprocesses need a special loop on Windows, and notebooks do
not have it. Imports nothing of rtnb.
"""

from __future__ import annotations

import contextlib
import itertools
import queue
import struct
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import IO, Final

__all__ = ["GONE", "Child", "ChildGone", "OnFrame"]

_HEADER: Final = struct.Struct("<cII")
_LONGEST: Final = 1 << 26  # a header that asks for more than 64 MiB is garbage

GONE: Final = b"!"
"""The kind that `Child` itself gives to every open stream when the process has ended; the payload says how."""

OnFrame = Callable[[bytes, bytes], None]
"""Called as ``on_frame(kind, payload)`` from a thread; it must not block and must not raise."""


class ChildGone(Exception):
    """The child process has ended, or could not be started; the text says how."""


class Child:
    """One running child process.

    Parameters
    ----------
    arguments
        Its command line.

    Raises
    ------
    ChildGone
        When it cannot be started.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        try:
            # A session of its own: the Ctrl-C of a terminal and the interrupt of a notebook are not meant for it.
            self._process = subprocess.Popen(
                list(arguments),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=sys.platform != "win32",
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as exc:
            raise ChildGone(f"the process could not be started: {exc}") from exc
        self._state = _State()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        # The threads know the pipes and the state, not the Child: a forgotten Child can still be collected.
        self._writer = threading.Thread(
            target=_write, args=(self._process.stdin, self._state), name="rtnb-child-writer", daemon=True
        )
        self._reader = threading.Thread(
            target=_read, args=(self._process, self._process.stdout, self._state), name="rtnb-child-reader", daemon=True
        )
        self._writer.start()
        self._reader.start()
        # Also runs when the program ends, and when the Child is forgotten.
        self._finalizer = weakref.finalize(self, _end, self._process, self._state, self._writer, self._reader)

    @property
    def alive(self) -> bool:
        """Whether it can still be spoken to."""
        return not self._state.gone

    @property
    def pid(self) -> int:
        """The process id, for the curious and for tests."""
        return self._process.pid

    def open(self, on_frame: OnFrame) -> int:
        """Begin a stream: frames that the child sends for it reach `on_frame`, from a thread.

        Raises
        ------
        ChildGone
            When the process has ended.
        """
        with self._state.lock:
            if self._state.gone:
                raise ChildGone(self._state.gone)
            stream = next(self._state.numbers)
            self._state.streams[stream] = on_frame
        return stream

    def forget(self, stream: int) -> None:
        """End a stream: what the child still sends for it is dropped."""
        with self._state.lock:
            self._state.streams.pop(stream, None)

    def send(self, kind: bytes, stream: int, payload: bytes = b"") -> None:
        """Queue one frame for the child; returns at once. A dead child is told by the `GONE` frame, not here."""
        self._state.outbox.put(_HEADER.pack(kind, stream, len(payload)) + payload)

    def close(self) -> None:
        """End the process and wait for it (normally some ms; at most about three seconds). May be called twice."""
        self._finalizer()


class _State:
    """What the two threads and the Child share."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.numbers = itertools.count(1)
        self.streams: dict[int, OnFrame] = {}
        self.outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()  # None: close the pipe
        self.gone = ""  # why it can no longer be spoken to; empty while it can


def _write(pipe: IO[bytes], state: _State) -> None:
    with contextlib.suppress(OSError), pipe:
        while (data := state.outbox.get()) is not None:
            pipe.write(data)
            if state.outbox.empty():
                pipe.flush()


def _read(process: subprocess.Popen[bytes], pipe: IO[bytes], state: _State) -> None:
    with pipe:
        while len(header := pipe.read(_HEADER.size)) == _HEADER.size:
            kind, stream, length = _HEADER.unpack(header)
            if length > _LONGEST:
                break
            payload = pipe.read(length)
            if len(payload) < length:
                break
            with state.lock:
                on_frame = state.streams.get(stream)
            if on_frame is not None:
                on_frame(kind, payload)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(1.0)
    if process.poll() is None:
        process.kill()
    code = process.wait()
    with state.lock:
        state.gone = state.gone or f"the process has ended (exit code {code})"
        streams = list(state.streams.values())
        state.streams.clear()
    state.outbox.put(None)
    for on_frame in streams:
        on_frame(GONE, state.gone.encode())


def _end(process: subprocess.Popen[bytes], state: _State, writer: threading.Thread, reader: threading.Thread) -> None:
    with state.lock:
        state.gone = state.gone or "it was closed"
    state.outbox.put(None)
    current = threading.current_thread()
    if writer is not current:
        writer.join(1.0)
    if writer.is_alive() or reader.is_alive():
        try:
            process.wait(1.0)
        except subprocess.TimeoutExpired:
            process.kill()
    if reader is not current:
        reader.join(2.0)
