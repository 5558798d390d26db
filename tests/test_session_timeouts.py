"""How long things may take: one limit over all the steps of a call, and in words which step used it up."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import rtnb
from rtnb.session.session import SessionState


class Slow:
    """A transport to a server that greets, and confirms the settings, after so many seconds; None: never."""

    closing = (1000, "")

    def __init__(self, greets: float | None, confirms: float | None) -> None:
        self.waits = {"session.created": greets, "session.updated": confirms}
        self.inbox: asyncio.Queue[str | None] = asyncio.Queue()

    def say(self, name: str, session: dict[str, Any]) -> None:
        if (seconds := self.waits[name]) is not None:
            text = json.dumps({"type": name, "session": session})
            asyncio.get_running_loop().call_later(seconds, self.inbox.put_nowait, text)

    async def send(self, text: str | bytes) -> None:
        event = json.loads(text)
        if event["type"] == "session.update":
            self.say("session.updated", event["session"])

    async def __aiter__(self) -> AsyncIterator[str]:
        self.say("session.created", {"type": "realtime"})
        while (text := await self.inbox.get()) is not None:
            yield text

    async def close(self, code: int = 1000, reason: str = "") -> None:
        self.inbox.put_nowait(None)


@pytest.mark.parametrize(
    ("greets", "confirms", "said"),
    [
        (None, None, "took the connection and then said nothing within 1 s"),
        (0.0, None, "greeted, but did not confirm the settings within 1 s"),
        (0.6, 0.6, "within 1 s"),
    ],
    ids=["no greeting", "no confirmation", "both too late together"],
)
def test_connect_has_one_time_limit_over_all_its_steps(greets: Any, confirms: Any, said: str) -> None:
    session = rtnb.Session("local", output="text", transport=Slow(greets, confirms))
    with pytest.raises(rtnb.ConnectionFailed, match=said) as caught:
        session.connect(timeout=1)
    assert caught.value.reason == "timeout"
    session.close()


@contextlib.contextmanager
def silent_server() -> Iterator[str]:
    """The address of a server that takes connections, and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"ws://127.0.0.1:{server.getsockname()[1]}/v1/realtime"


def test_whoever_waits_while_the_session_is_being_opened_waits_no_longer_than_asked_for() -> None:
    with silent_server() as url:
        session = rtnb.Session(url, output="text")
        reply = session.ask("hello", timeout=0.2)
        with pytest.raises(rtnb.WaitTimeout, match=r"not open within 0\.2 s"):
            session.wait("response.done", timeout=0.2)
        with pytest.raises(rtnb.WaitTimeout, match=r"not open within 0\.2 s"):
            session.connect(timeout=0.2)
        with pytest.raises(rtnb.WaitTimeout):
            _ = reply.text
        assert session.state is SessionState.CONNECTING  # it goes on, for whoever is more patient
        session.close()
