from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest
from helpers_local import TIMEOUT_S, Dictation, LoudDetector, ToneVoice, b64, loud, silence
from openai import AsyncOpenAI, OpenAI

from rtnb.local.brains import ScriptBrain, call
from rtnb.local.seams import Brain
from rtnb.local.server import LocalEndpoint

# openai's synchronous client opens its socket in a way that websockets 17.1 began to deprecate.
SYNC = pytest.mark.filterwarnings("ignore:connect.. must be used as a context manager:DeprecationWarning")

TOOL: Any = {
    "type": "function",
    "name": "calculate_sum",
    "description": "Add two numbers.",
    "parameters": {"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}},
}


def make(brain: Brain, *heard: str) -> LocalEndpoint:
    return LocalEndpoint(brain=brain, voice=ToneVoice(), hearing=Dictation(*heard), detector=LoudDetector, pace=None)


def address(endpoint: LocalEndpoint) -> dict[str, Any]:
    base = endpoint.url.removesuffix("/realtime")
    return {"api_key": "k", "websocket_base_url": base, "base_url": base.replace("ws:", "http:")}


def question(text: str) -> Any:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


async def test_openais_async_client_completes_a_text_turn() -> None:
    async with (
        make(ScriptBrain("Hello, world.")).serve() as endpoint,
        AsyncOpenAI(**address(endpoint)) as openai,
        openai.realtime.connect(model="gpt-realtime") as connection,
        asyncio.timeout(TIMEOUT_S),
    ):
        await connection.session.update(session={"type": "realtime", "output_modalities": ["text"]})
        await connection.conversation.item.create(item=question("Say hello!"))
        await connection.response.create()
        text = ""
        async for event in connection:
            assert event.type != "error", event
            if event.type == "response.output_text.delta":
                text += event.delta
            elif event.type == "response.done":
                assert event.response.status == "completed"
                assert event.response.usage is not None
                assert event.response.usage.total_tokens
                break
        assert text == "Hello, world."


async def test_openais_async_client_completes_an_audio_turn_with_turn_detection() -> None:
    async with (
        make(ScriptBrain("Good day to you."), "good day").serve() as endpoint,
        AsyncOpenAI(**address(endpoint)) as openai,
        openai.realtime.connect(model="gpt-realtime") as connection,
        asyncio.timeout(TIMEOUT_S),
    ):
        transcription: Any = {"model": "gpt-4o-transcribe"}
        await connection.session.update(
            session={"type": "realtime", "audio": {"input": {"transcription": transcription}}}
        )
        await connection.input_audio_buffer.append(audio=b64(loud(500)))
        await connection.input_audio_buffer.append(audio=b64(silence(500)))
        audio, words, heard = b"", "", ""
        async for event in connection:
            assert event.type != "error", event
            if event.type == "response.output_audio.delta":
                audio += base64.b64decode(event.delta)
            elif event.type == "response.output_audio_transcript.delta":
                words += event.delta
            elif event.type == "conversation.item.input_audio_transcription.completed":
                heard = event.transcript
            elif event.type == "response.done":
                break
        assert (words, heard) == ("Good day to you.", "good day")
        assert len(audio) == 4 * 60 * 48


async def test_openais_async_client_completes_a_tool_turn() -> None:
    async with (
        make(ScriptBrain(call("calculate_sum", a=4, b=6), "It is 10.")).serve() as endpoint,
        AsyncOpenAI(**address(endpoint)) as openai,
        openai.realtime.connect(model="gpt-realtime") as connection,
        asyncio.timeout(TIMEOUT_S),
    ):
        await connection.session.update(
            session={"type": "realtime", "output_modalities": ["text"], "tools": [TOOL], "tool_choice": "auto"}
        )
        await connection.conversation.item.create(item=question("What is 4 + 6?"))
        await connection.response.create()
        text = ""
        async for event in connection:
            assert event.type != "error", event
            if event.type == "response.output_text.delta":
                text += event.delta
            elif event.type == "response.function_call_arguments.done":
                values = json.loads(event.arguments)
                assert event.name == "calculate_sum"
                output: Any = {
                    "type": "function_call_output",
                    "call_id": event.call_id,
                    "output": str(values["a"] + values["b"]),
                }
            elif event.type == "response.done":
                if text:
                    break
                await connection.conversation.item.create(item=output)
                await connection.response.create()
        assert text == "It is 10."


@SYNC
def test_openais_sync_client_completes_a_tool_turn() -> None:
    brain = ScriptBrain(call("calculate_sum", a=1, b=2), "Three.")
    with make(brain) as endpoint:
        openai = OpenAI(**address(endpoint))
        with openai, openai.realtime.connect(model="gpt-realtime") as connection:
            connection.session.update(session={"type": "realtime", "output_modalities": ["text"], "tools": [TOOL]})
            connection.response.create()
            text = ""
            for event in connection:
                assert event.type != "error", event
                if event.type == "response.output_item.done" and event.item.type == "function_call":
                    assert event.item.call_id is not None
                    connection.conversation.item.create(
                        item={"type": "function_call_output", "call_id": event.item.call_id, "output": "3"}
                    )
                elif event.type == "response.output_text.done":
                    text = event.text
                elif event.type == "response.done":
                    if text:
                        break
                    connection.response.create()
            assert text == "Three."


@SYNC
def test_openais_sync_client_completes_a_push_to_talk_turn() -> None:
    with make(ScriptBrain("I heard you."), "can you hear me") as endpoint:
        openai = OpenAI(**address(endpoint))
        with openai, openai.realtime.connect(model="gpt-realtime") as connection:
            audio_input: Any = {"turn_detection": None, "transcription": {"model": "whisper-1"}}
            connection.session.update(session={"type": "realtime", "audio": {"input": audio_input}})
            connection.input_audio_buffer.append(audio=b64(loud(400)))
            connection.input_audio_buffer.commit()
            connection.response.create()
            audio, heard = b"", ""
            for event in connection:
                assert event.type != "error", event
                if event.type == "response.output_audio.delta":
                    audio += base64.b64decode(event.delta)
                elif event.type == "conversation.item.input_audio_transcription.completed":
                    heard = event.transcript
                elif event.type == "response.done":
                    break
            assert heard == "can you hear me"
            assert len(audio) == 3 * 60 * 48


@SYNC
def test_openais_client_mints_a_secret_and_connects_with_it() -> None:
    with make(ScriptBrain("Hi.")) as endpoint, OpenAI(**address(endpoint)) as openai:
        minted = openai.realtime.client_secrets.create(
            session={"type": "realtime", "model": "gpt-realtime", "output_modalities": ["text"]},
            expires_after={"anchor": "created_at", "seconds": 60},
        )
        assert minted.value.startswith("ek_")
        assert minted.session.type == "realtime"
        with (
            OpenAI(**{**address(endpoint), "api_key": minted.value}) as guest,
            guest.realtime.connect(model="gpt-realtime") as connection,
        ):
            created = connection.recv()
            assert created.type == "session.created"
            assert created.session.type == "realtime"
            assert created.session.output_modalities == ["text"]


@SYNC
@pytest.mark.filterwarnings("ignore:.*[Bb]eta:DeprecationWarning")
def test_openais_beta_client_completes_a_text_turn_in_the_beta_dialect() -> None:
    brain = ScriptBrain("Hello from 2024.")
    endpoint = LocalEndpoint(brain=brain, beta=True, pace=None)
    with endpoint, OpenAI(**address(endpoint)) as openai:
        resource = getattr(openai.beta, "realtime", None)
        if resource is None:
            pytest.skip("this openai has no beta.realtime any more")
        with resource.connect(model="gpt-4o-realtime-preview") as connection:
            connection.session.update(session={"modalities": ["text"], "temperature": 0.8})
            connection.conversation.item.create(item=question("Say hello!"))
            connection.response.create()
            text = ""
            for event in connection:
                assert event.type != "error", event
                if event.type == "response.text.delta":
                    text += event.delta
                elif event.type == "response.done":
                    break
            assert text == "Hello from 2024."
