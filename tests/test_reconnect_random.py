"""Staying connected, whatever byte of the conversation a socket breaks at: no lost item, no other order, no leak."""

from __future__ import annotations

import asyncio
import random
import threading
from typing import Any

import pytest
from helpers_local import Dictation, ToneVoice, loud
from helpers_reconnect import ContentBrain, Wire, wired
from helpers_session import TIMEOUT_S, Heard, Lab, eventually, lab

import rtnb
from rtnb.core.conversation import Conversation
from rtnb.session.session import SessionState

__all__ = ["lab"]

TURNS = 6


def cut_somewhere(wire: Wire, chance: random.Random) -> None:
    """Mostly within what a turn takes; now and then at once, in the new connection's first words, or later."""
    way = chance.choice(["down", "down", "down", "up"])
    wire.cut_after(chance.choice([0, chance.randrange(400), chance.randrange(8_000), chance.randrange(60_000)]), way)


def converse(session: rtnb.Session, wire: Wire, chance: random.Random, *, spoken: bool) -> list[rtnb.Reply]:
    """Ask, with and without a tool, while the wire is cut now and then."""
    replies = []
    for number in range(TURNS):
        if chance.random() < 0.8:
            cut_somewhere(wire, chance)
        kind = chance.choice(["plain", "tool", "two"])
        if spoken and chance.random() < 0.5:
            session.append_audio(loud(200))
            session.commit(timeout=TIMEOUT_S)
            replies.append(session.respond(timeout=TIMEOUT_S))
        elif kind == "two":
            replies.append(session.ask(f"question {number}", timeout=TIMEOUT_S))
            replies.append(session.ask(f"question {number} as well", timeout=TIMEOUT_S))
        else:
            replies.append(session.ask(f"{kind} {number}", timeout=TIMEOUT_S))
        for reply in replies[-2:]:
            reply.wait(TIMEOUT_S)
        if chance.random() < 0.3:
            wire.cut()
    return replies


def check(session: rtnb.Session, replies: list[rtnb.Reply], noted: list[str]) -> None:
    items = list(session.items)
    ids = [item.id for item in items]
    assert len(set(ids)) == len(ids)
    asked = [reply for reply in replies if reply.sent_items]
    place = -1
    for reply in replies:
        assert reply.status in ("completed", "incomplete"), (reply, reply.error)
        if reply.status == "incomplete":
            assert isinstance(reply.error, rtnb.ConnectionClosed)
            assert reply.text_so_far
    for reply in asked:  # each question once, in its order, and what was answered after it
        sent = [index for index, item in enumerate(items) if item.id in reply.sent_items and item.role == "user"]
        assert len(sent) == 1
        assert sent[0] > place
        place = sent[0]
        made = [item.id for response in reply.responses for item in response.output if not item.deleted]
        assert set(made) <= set(ids)
        assert all(ids.index(each) > place for each in made)
    calls = [item for item in items if item.type == "function_call"]
    outputs = [item.call_id for item in items if item.type == "function_call_output"]
    assert sorted(str(call.call_id) for call in calls) == sorted(map(str, outputs))  # each call has its output, once
    assert len(noted) == len(calls)  # and no tool ran twice
    assert Conversation.replay(session.events) == session._core.conversation


def states_make_sense(states: list[SessionState]) -> bool:
    """After the first READY it goes to and fro."""
    return states == [SessionState.RECONNECTING, SessionState.READY] * (len(states) // 2)


@pytest.mark.parametrize("seed", range(12))
def test_a_conversation_survives_cuts_anywhere(lab: Lab, seed: int) -> None:
    chance = random.Random(seed)
    spoken = seed % 3 == 2
    brain = ContentBrain()
    endpoint = lab.serve(brain=brain, voice=ToneVoice(), hearing=Dictation(*["hello"] * 50))
    noted: list[str] = []
    before = set(threading.enumerate())
    with wired(endpoint.url) as wire:
        session = rtnb.Session(wire.url, output="audio" if spoken else "text", transcription=None)

        @session.tool
        def note(text: str) -> str:
            """Note."""
            noted.append(text)
            if chance.random() < 0.3:
                wire.cut()
            return text

        session.connect()
        states = Heard()
        session.on("session.hint", Heard())
        session.on("session.state", states)
        replies = converse(session, wire, chance, spoken=spoken)
        wire.cut_after(10**9)
        wire.cut_after(10**9, "up")
        session.update(instructions="Go on.")  # answered by a connection that lives
        replies.append(session.ask("last", timeout=TIMEOUT_S).wait())
        ids = [item.id for item in session.items]
        assert brain.seen[-1] == ids[:-1]  # what the server answered is what is shown here, in this order
        check(session, replies, noted)
        seen: list[Any] = states.all()
        assert states_make_sense(seen), seen
        assert session.events.names["session.created"] >= 1 + len(seen) // 2
        names = asyncio.run(_tasks(session))
        assert [name for name in names if "names" not in name] == ["Connection.keepalive", "Link._read", "Link._write"]
        session.close()
    eventually(
        lambda: {each for each in set(threading.enumerate()) - before if "note" not in each.name} == set(),
        "the end of all threads",
    )
    eventually(lambda: endpoint.sessions == 0, "the end of all sockets")


async def _tasks(session: rtnb.Session) -> list[str]:
    async def names() -> list[str]:
        return sorted(str(task.get_coro().__qualname__) for task in asyncio.all_tasks())  # type: ignore[union-attr]

    return await session._core.runner.bridge(names())


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_called_meanwhile_arrives_in_the_order_of_the_calls(lab: Lab, seed: int) -> None:
    chance = random.Random(seed)
    with (
        wired(lab.serve(brain=ContentBrain()).url) as wire,
        rtnb.Session(wire.url, output="text", transcription=None) as session,
    ):
        session.on("session.hint", Heard())
        session.connect()
        said: list[str] = []
        for _ in range(3):
            wire.is_down = True
            wire.cut()
            eventually(lambda: session.state is SessionState.RECONNECTING, "the loss")
            waiting: rtnb.Reply | None = None
            for _ in range(chance.randrange(1, 6)):
                said.append(f"line {len(said)}")
                if chance.random() < 0.5 and waiting is None:  # a second question waits for the first one's answer
                    waiting = session.ask(said[-1], timeout=TIMEOUT_S)
                else:
                    content = [{"type": "input_text", "text": said[-1]}]
                    item = {"type": "message", "role": "user", "content": content}
                    session.send({"type": "conversation.item.create", "item": item})
            wire.is_down = False
            session.connect(timeout=TIMEOUT_S)
            if waiting is not None:
                assert waiting.wait(TIMEOUT_S).status == "completed"
            session.update(instructions="Go on.")  # when it is answered, so is all that was sent before it
            assert [item.text for item in session.items if item.role == "user"] == said
