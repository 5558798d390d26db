"""Changes of the tools that the server refuses, or never answers."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

import rtnb


def add(a: float, b: float) -> float:
    """Add two numbers."""
    return a + b


class Unwilling:
    """A transport to a server that takes the first configuration, and then answers none (None) or refuses (a text)."""

    def __init__(self, refusal: str | None) -> None:
        self.refusal = refusal
        self.updates: list[dict[str, Any]] = []
        self.inbox: asyncio.Queue[str | None] = asyncio.Queue()
        self.closing = (1000, "")
        self.say({"type": "session.created", "session": {"type": "realtime"}})

    def say(self, event: dict[str, Any]) -> None:
        self.inbox.put_nowait(json.dumps(event))

    async def send(self, text: str | bytes) -> None:
        event = json.loads(text)
        if event["type"] == "session.update":
            self.updates.append(event["session"])
            if len(self.updates) == 1:
                self.say({"type": "session.updated", "session": event["session"]})
            elif self.refusal is not None:
                self.say({"type": "error", "error": {"code": self.refusal, "event_id": event["event_id"]}})

    async def __aiter__(self) -> Any:
        while (text := await self.inbox.get()) is not None:
            yield text

    async def close(self, code: int = 1000, reason: str = "") -> None:
        self.inbox.put_nowait(None)


def subtract(a: float, b: float) -> float:
    """Subtract two numbers."""
    return a - b


@pytest.mark.parametrize("refusal", ["invalid_value", None], ids=["refused", "unanswered"])
def test_tools_stay_the_same_on_both_sides_when_a_change_of_them_fails(
    refusal: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if refusal is None:
        monkeypatch.setattr("rtnb.session.requested._CONFIRM_S", 0.2)
    transport = Unwilling(refusal)
    with rtnb.Session("local", output="text", tools=[add], transport=transport) as session:
        for change in (lambda: session.remove_tool("add"), lambda: session.tool(subtract)):
            with pytest.raises(rtnb.ServerError if refusal else rtnb.WaitTimeout):
                change()
            assert [tool["name"] for tool in session.settings["tools"]] == ["add"]
            assert session._core.tools.names == ["add"]
    assert [[tool["name"] for tool in each["tools"]] for each in transport.updates] == [
        ["add"],
        [],
        ["add", "subtract"],
    ]
