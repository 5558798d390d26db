"""A recording with lost connections: its replay loses them again, and cells see what they saw."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from helpers_reconnect import ContentBrain, wired
from helpers_recordings import INSTANTLY
from helpers_session import TIMEOUT_S, Heard, Lab, eventually, lab
from test_reconnect_random import converse

import rtnb
from rtnb.core.recorded import Recording
from rtnb.replay.client import Client
from rtnb.replay.player import NOT_RECORDED
from rtnb.session.session import SessionState

__all__ = ["lab"]

Meanwhile = Callable[[int], object]
"""Done before a question, by its number."""


def nothing(number: int) -> None:
    """Leave the connection alone."""


def tooled(session: rtnb.Session) -> None:
    @session.tool
    def note(text: str) -> str:
        """Note."""
        return text


def cells(session: rtnb.Session, before: Meanwhile = nothing) -> list[tuple[str, str]]:
    """Ask three questions; gives what came."""
    session.on("session.hint", Heard())
    told: list[tuple[str, str]] = []
    for number, question in enumerate(("one", "a tool please", "three")):
        before(number)
        reply = session.ask(question, timeout=TIMEOUT_S).wait()
        told.append((reply.text, reply.status))
    return told


def shown(session: rtnb.Session) -> list[tuple[Any, ...]]:
    return [(item.type, item.role, item.status, item.text, item.output) for item in session.items]


def open_session(endpoint: Any, **options: Any) -> rtnb.Session:
    return rtnb.Session(endpoint, **{"output": "text", "transcription": None, **options})


@pytest.mark.parametrize("output", ["text", "audio"])
@pytest.mark.parametrize("speed", [4.0, INSTANTLY])
def test_a_loss_in_the_midst_of_an_answer_comes_again(output: Any, speed: float) -> None:
    with rtnb.LocalEndpoint() as endpoint, rtnb.Session(endpoint.url, output=output) as live:
        live.connect()  # the tool is declared after the configuration; in the replay with it
        tooled(live)
        told = cells(live, lambda number: endpoint.fault("drop") if number == 1 else None)
        recording = Recording(live.events)
        assert [status for _, status in told] == ["completed", "incomplete", "completed"]
        with rtnb.Session(recording.endpoint(speed=speed), output=output) as replayed:
            tooled(replayed)
            assert cells(replayed) == told
            assert shown(replayed) == shown(live)


@pytest.mark.parametrize("speed", [1.0, INSTANTLY])
def test_a_loss_between_two_turns_comes_again(lab: Lab, speed: float) -> None:
    with wired(lab.serve(brain=ContentBrain()).url) as wire:
        live = open_session(wire.url)
        tooled(live)

        def lose(number: int) -> None:
            if number:
                wire.cut()
                eventually(lambda: live.events.names["session.created"] == 1 + number, "the new connection")

        with live:
            told = cells(live, lose)
            recording = Recording(live.events)
            assert [status for _, status in told] == ["completed"] * 3
            with open_session(recording.endpoint(speed=speed)) as replayed:
                tooled(replayed)
                assert cells(replayed) == told
                assert shown(replayed) == shown(live)
                assert replayed.events.names["session.created"] == 3


class Unbroken:
    """Stands for a wire where none is cut."""

    def cut(self) -> None:
        """Cut nothing."""

    def cut_after(self, count: int, way: str = "down") -> None:
        """Cut nothing."""


@pytest.mark.parametrize("seed", range(4))
def test_whatever_byte_a_connection_was_lost_at_its_replay_is_what_was_live(lab: Lab, seed: int) -> None:
    def talk(session: rtnb.Session, wire: Any) -> list[tuple[str, str]]:
        session.on("session.hint", Heard())
        tooled(session)
        session.connect()
        replies = converse(session, wire, random.Random(seed), spoken=False)
        return [(reply.text_so_far, reply.status) for reply in replies]

    with wired(lab.serve(brain=ContentBrain()).url) as wire, open_session(wire.url) as live:
        told = talk(live, wire)
        with open_session(Recording(live.events).endpoint(speed=INSTANTLY)) as replayed:
            assert talk(replayed, Unbroken()) == told
            assert shown(replayed) == shown(live)


@pytest.mark.parametrize("reconnect", [True, False])
def test_a_recording_that_ends_in_the_midst_of_an_answer_keeps_nobody_waiting(lab: Lab, reconnect: bool) -> None:
    lab.serve(brain=ContentBrain())
    with open_session(lab.endpoint) as live:
        live.ask("one").wait()
        delta = next(entry for entry in live.events if entry.name == "response.output_text.delta")
        recording = Recording(live.events[: delta.index + 1])
    with open_session(recording.endpoint(speed=INSTANTLY), reconnect=reconnect) as replayed:
        reply = replayed.ask("one").wait(TIMEOUT_S)
        assert (reply.status, reply.text_so_far) == ("failed", delta.event["delta"])
        eventually(lambda: replayed.state is SessionState.CLOSED, "the end")
        assert replayed.events.names["session.created"] == 1


def test_a_connection_that_is_lost_before_a_word_was_said_is_no_dead_end(lab: Lab) -> None:
    with wired(lab.serve(brain=ContentBrain()).url) as wire, open_session(wire.url) as live:
        live.on("session.hint", Heard())
        live.connect()
        wire.cut()
        eventually(lambda: live.events.names["session.created"] == 2, "the new connection")
        text = live.ask("one").text
        with open_session(Recording(live.events).endpoint(speed=INSTANTLY)) as replayed:
            replayed.on("session.hint", Heard())
            replayed.connect()
            assert replayed.ask("one").text == text


def test_a_replay_loses_nothing_where_the_recording_ends(lab: Lab) -> None:
    lab.serve("one")
    with open_session(lab.endpoint) as live:
        live.ask("first").wait()
        recording = Recording(live.events)
    with open_session(recording.endpoint(speed=INSTANTLY)) as replayed:
        assert replayed.ask("first").text == "one"
        with pytest.raises(rtnb.ServerError) as refused:
            replayed.ask("second").text  # noqa: B018
        assert refused.value.code == NOT_RECORDED
        assert replayed.events.names["session.created"] == 1


async def test_the_end_may_come_between_two_looks_at_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = itertools.count(0.0, 0.5)
    player: Any = SimpleNamespace(due=None, is_done=True)  # nothing is left to be said
    closed: list[int] = []

    async def close(code: int, reason: str) -> None:
        closed.append(code)

    socket: Any = SimpleNamespace(close=close)
    client = Client(socket, player, stepped=False, lost_after=1.0)
    monkeypatch.setattr("rtnb.replay.client.asyncio.get_running_loop", lambda: SimpleNamespace(time=ticks.__next__))
    await client._send_due()
    assert closed == [1001]
