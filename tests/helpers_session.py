"""What the tests of the session share: an endpoint over a real socket, gates, a listener that can be read."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from helpers_local import Dictation, LoudDetector, ToneVoice

import rtnb
from rtnb.local.brains import ScriptBrain
from rtnb.local.server import LocalEndpoint

TIMEOUT_S = 20.0


class Gate(asyncio.Event):
    """A pause in a script (``wait(gate)``) that any thread can end."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()
        self._home: asyncio.AbstractEventLoop | None = None

    async def wait(self) -> bool:  # type: ignore[override]
        self._home = asyncio.get_running_loop()
        self.reached.set()
        return await super().wait()

    def open(self) -> None:
        """Let the script go on; when it has not come here yet, it will not stop here."""
        if self._home is None:
            self.set()
        else:
            self._home.call_soon_threadsafe(self.set)


class Heard(queue.Queue):
    """A listener whose payloads are read one after the other, under a timeout."""

    def __call__(self, payload: Any) -> None:
        self.put(payload)

    def next(self) -> Any:
        return self.get(timeout=TIMEOUT_S)

    def all(self) -> list[Any]:
        """What has come so far."""
        found = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self.get_nowait())
        return found


class Lab:
    """An endpoint that follows a script, and the sessions of one test."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self.brain: Any = ScriptBrain()
        self._endpoint: LocalEndpoint | None = None

    def serve(self, *steps: Any, **options: Any) -> LocalEndpoint:
        """Start the endpoint of this test."""
        self.brain = options.pop("brain", None) or ScriptBrain(*steps)
        engines = {"pace": None, "detector": LoudDetector, "voice": ToneVoice(), "hearing": Dictation("hello")}
        self._endpoint = self._stack.enter_context(LocalEndpoint(brain=self.brain, **{**engines, **options}))
        return self._endpoint

    @property
    def endpoint(self) -> LocalEndpoint:
        return self._endpoint or self.serve()

    def session(self, *steps: Any, **options: Any) -> rtnb.Session:
        """A session with the endpoint, which is started with this script when it is not yet."""
        if self._endpoint is None:
            self.serve(*steps)
        session = rtnb.Session(self.endpoint, **{"output": "text", "transcription": None, **options})
        self._stack.callback(session.close)
        return session

    def close(self) -> None:
        self._stack.close()


@pytest.fixture
def lab() -> Iterator[Lab]:
    """One `Lab` for one test."""
    made = Lab()
    yield made
    made.close()


def eventually(condition: Callable[[], Any], what: str = "the condition") -> Any:
    """Wait until a condition that no event tells of is true."""
    tick = threading.Event()
    end = time.monotonic() + TIMEOUT_S
    while time.monotonic() < end:
        if value := condition():
            return value
        tick.wait(0.01)
    raise AssertionError(f"{what} did not come true in {TIMEOUT_S:g} s")


def in_thread(work: Callable[[], Any]) -> Callable[[], Any]:
    """Start work in another thread; the result gives its value, or raises its error."""
    box: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            box.put((work(), None))
        except BaseException as exc:  # noqa: BLE001 - raised where it is looked for
            box.put((None, exc))

    threading.Thread(target=run, daemon=True).start()

    def result() -> Any:
        value, error = box.get(timeout=TIMEOUT_S)
        if error is not None:
            raise error
        return value

    return result
