"""Servers that never tell of items: what was confirmed is not waited for."""

from __future__ import annotations

import asyncio
import json

import pytest
from helpers_local import loud
from helpers_relay import upstream
from helpers_session import TIMEOUT_S, Heard
from websockets.asyncio.server import ServerConnection

import rtnb


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rtnb.session.calls._ITEM_S", 0.1)


async def test_a_commit_that_the_server_confirms_does_not_fail_for_want_of_its_item() -> None:
    async def talk(client: ServerConnection) -> None:
        session = {"type": "realtime", "id": "sess_1"}
        await client.send(json.dumps({"type": "session.created", "session": session}))
        async for message in client:
            name = json.loads(message)["type"]
            if name == "session.update":
                await client.send(json.dumps({"type": "session.updated", "session": session}))
            elif name == "input_audio_buffer.commit":
                await client.send(json.dumps({"type": "input_audio_buffer.committed", "item_id": "item_1"}))

    async with upstream(talk) as other, rtnb.Session(other.url, output="text") as session:
        hints = Heard()
        session.on("session.hint", hints)
        session.append_audio(loud(200))
        item = await session.aio.commit()
        assert (item.id, item.role) == ("item_1", "user")
        assert "does not tell of the item" in hints.next()


async def test_a_commit_waits_for_its_item_in_the_next_connection_as_long_as_it_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rtnb.session.calls._ITEM_S", 1.5)  # enough to see that the connection is gone
    greeted = 0

    async def talk(client: ServerConnection) -> None:
        nonlocal greeted
        greeted += 1
        if greeted == 2:
            await asyncio.sleep(1.8)  # longer than an item may take once the connection is there
        session = {"type": "realtime", "id": "sess_1"}
        await client.send(json.dumps({"type": "session.created", "session": session}))
        async for message in client:
            event = json.loads(message)
            if event["type"] == "session.update":
                await client.send(json.dumps({"type": "session.updated", "session": session}))
            elif event["type"] == "input_audio_buffer.commit":
                await client.send(json.dumps({"type": "input_audio_buffer.committed", "item_id": "item_1"}))
                client.transport.abort()
            elif event["type"] == "conversation.item.create":
                await client.send(json.dumps({"type": "conversation.item.added", "item": event["item"]}))

    async with upstream(talk) as other, rtnb.Session(other.url, output="text") as session:
        hints = Heard()
        session.on("session.hint", hints)
        session.append_audio(loud(200))
        item = await session.aio.commit(timeout=TIMEOUT_S)
        assert (item.id, greeted) == ("item_1", 2)
        assert not [hint for hint in hints.all() if "does not tell" in hint]
