"""The stand-in for a chat model: a real server, honest about itself."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import openai
import pytest

import rtnb
from rtnb.local.brains import ChatBrain
from rtnb.local.chat_stub import ChatStub


@pytest.fixture
def stub() -> Iterator[ChatStub]:
    with ChatStub() as made:
        yield made


def test_a_session_talks_to_it_through_the_chat_brain(stub: ChatStub) -> None:
    with (
        rtnb.LocalEndpoint(brain=ChatBrain(stub.url, stub.model)) as endpoint,
        rtnb.Session(endpoint, output="text") as session,
    ):
        text = session.ask("Is anybody there?").text
    assert text == "You said: Is anybody there? I am a stand-in over HTTP, not a model."
    assert stub.requests[0]["model"] == "stand-in"


def test_openais_own_client_takes_it_for_a_chat_endpoint(stub: ChatStub) -> None:
    with openai.OpenAI(api_key="none", base_url=f"{stub.url}/v1") as client:
        assert [model.id for model in client.models.list()] == ["stand-in"]
        message = {"role": "user", "content": "Hello"}
        stream = client.chat.completions.create(model="stand-in", messages=[message], stream=True)  # type: ignore[call-overload]
        text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert text.startswith("You said: Hello ")


def test_what_it_does_not_understand_is_refused_and_stops_nothing(stub: ChatStub) -> None:
    assert httpx.get(f"{stub.url}/elsewhere").status_code == 404
    assert httpx.post(f"{stub.url}/v1/elsewhere", json={}).status_code == 404
    assert httpx.post(f"{stub.url}/v1/chat/completions", content=b"{").status_code == 400
    assert httpx.post(f"{stub.url}/v1/chat/completions", json={"messages": [1]}).status_code == 400
    assert stub.requests == []
    stub.close()
    stub.close()
