"""`rtnb.endpoint`: the address and headers for those who connect by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

import rtnb


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("OPENAI_API_KEY", "RTNB_ENDPOINT", "RTNB_MODEL", "RTNB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


async def test_without_a_key_it_is_the_embedded_endpoint_and_it_runs() -> None:
    endpoint = rtnb.endpoint()
    assert endpoint.kind == "local"
    async with connect(endpoint.address, additional_headers=endpoint.headers, proxy=None) as socket:
        assert json.loads(await socket.recv())["type"] == "session.created"


def test_with_a_key_it_is_openai_with_the_model_in_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    key = "sk-" + "x" * 24
    monkeypatch.setenv("OPENAI_API_KEY", key)
    endpoint = rtnb.endpoint(model="gpt-realtime-2.1")
    assert endpoint.address == "wss://api.openai.com/v1/realtime?model=gpt-realtime-2.1"
    assert dict(endpoint.headers) == {"Authorization": f"Bearer {key}"}


def test_no_way_of_showing_it_shows_the_key() -> None:
    key = "sk-" + "x" * 24
    endpoint = rtnb.endpoint("openai", key=key)
    for shown in (repr(endpoint), str(endpoint), repr(endpoint.headers), f"{endpoint.headers}", endpoint.describe()):
        assert key not in shown
    assert repr(endpoint.headers) == "{'Authorization': [hidden]}"
