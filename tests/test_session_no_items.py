"""Servers that never tell of items: what was confirmed is not waited for."""

from __future__ import annotations

import json

from helpers_local import loud
from helpers_relay import upstream
from helpers_session import Heard
from websockets.asyncio.server import ServerConnection

import rtnb


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
