"""How long things may take: one limit over all the steps of a call, and in words which step used it up."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from helpers_session import TIMEOUT_S, Heard, eventually, in_thread

import rtnb
from rtnb.session.core import Core
from rtnb.session.deadline import countdown
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
    ("greets", "confirms", "seconds", "said"),
    [
        (None, None, 1, "took the connection and then said nothing within 1 s"),
        (0.0, None, 3, "greeted, but did not confirm the settings within 3 s"),
        (1.0, 3.5, 4, "greeted, but did not confirm the settings within 4 s"),
    ],
    ids=["no greeting", "no confirmation", "both too late together"],
)
def test_connect_has_one_time_limit_over_all_its_steps(greets: Any, confirms: Any, seconds: float, said: str) -> None:
    session = rtnb.Session("local", output="text", transport=Slow(greets, confirms))
    with pytest.raises(rtnb.ConnectionFailed, match=said) as caught:
        session.connect(timeout=seconds)
    assert caught.value.reason == "timeout"
    session.close()


def test_a_wait_that_began_before_the_session_was_open_tells_the_limit_that_it_was_given() -> None:
    session = rtnb.Session("local", output="text", transport=Slow(0.2, 0.0))
    session.ask("hello")
    with pytest.raises(rtnb.WaitTimeout, match=r"no response\.done within 2 s"):
        session.wait("response.done", timeout=2)
    session.close()


def test_what_is_left_of_a_limit_counts_down_and_is_told_as_the_limit() -> None:
    left = countdown(2)
    first = left()
    assert 0 <= left() <= first <= 2
    assert f"{left():g} s" == "2 s"
    assert countdown(0)() == 0


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


def test_what_is_asked_or_said_while_a_patient_connect_is_at_work_waits_as_long_as_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Core.do_connect, "__defaults__", (0.1,))
    with contextlib.closing(rtnb.Session("local", output="text", transport=Slow(0.5, 0.0))) as session:
        hints = Heard()
        session.on("session.hint", hints)
        opened = in_thread(lambda: session.connect(timeout=TIMEOUT_S))
        eventually(lambda: session.state is SessionState.CONNECTING, "the opening")
        session._core.post(session._core.begin_speaking)
        reply = session.ask("hello")
        opened()
        session.wait("session.updated", after=-1)
        assert session.state is SessionState.READY
        assert (reply.status, hints.all()) == ("in_progress", [])
