from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from helpers_local import Client, Dictation, LoudDetector, ToneVoice, append, b64, client, loud, silence, types
from websockets.asyncio.client import connect

from rtnb.local.brains import ScriptBrain, call
from rtnb.local.server import LocalEndpoint

MODEL = "?model=gpt-4o-realtime-preview-2024-10-01"
HEADER = {"additional_headers": {"OpenAI-Beta": "realtime=v1"}}
CREATE = {"type": "response.create"}


def user(text: str) -> dict[str, Any]:
    content = [{"type": "input_text", "text": text}]
    return {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": content}}


@pytest.fixture
async def brain() -> ScriptBrain:
    return ScriptBrain()


@pytest.fixture
async def endpoint(brain: ScriptBrain) -> AsyncIterator[LocalEndpoint]:
    hearing = Dictation("hello")
    made = LocalEndpoint(brain=brain, voice=ToneVoice(), hearing=hearing, detector=LoudDetector, beta=True, pace=None)
    async with made.serve() as running:
        yield running


async def test_a_session_starts_flat_and_with_its_conversation(endpoint: LocalEndpoint) -> None:
    async with client(endpoint, MODEL, judged=False, **HEADER) as guest:
        session = (await guest.next())["session"]
        assert session["modalities"] in (["text", "audio"], ["audio", "text"])
        assert session["input_audio_format"] == session["output_audio_format"] == "pcm16"
        assert session["turn_detection"]["type"] == "server_vad"
        assert session["model"] == "gpt-4o-realtime-preview-2024-10-01"
        assert "audio" not in session
        assert "type" not in session
        conversation = await guest.next()
        assert conversation["type"] == "conversation.created"
        assert all(event["event_id"] for event in guest.events)


@pytest.mark.parametrize("how", ["header", "subprotocol", "api-version"])
async def test_the_dialect_is_told_in_three_ways(endpoint: LocalEndpoint, how: str) -> None:
    query, options = {
        "header": (MODEL, HEADER),
        "subprotocol": (MODEL, {"subprotocols": ["realtime", "openai-insecure-api-key.k", "openai-beta.realtime-v1"]}),
        "api-version": ("?api-version=2024-10-01-preview&deployment=mine", {"additional_headers": {"api-key": "k"}}),
    }[how]
    async with client(endpoint, query, judged=False, **options) as guest:
        assert "modalities" in (await guest.next())["session"]


async def test_ga_clients_are_served_in_ga_beside_it(endpoint: LocalEndpoint) -> None:
    async with client(endpoint, "?model=gpt-realtime") as guest:
        assert (await guest.next())["session"]["type"] == "realtime"


async def test_an_audio_turn_has_the_order_of_the_beta(endpoint: LocalEndpoint, brain: ScriptBrain) -> None:
    brain.add("Hello you.")
    async with client(endpoint, MODEL, judged=False, **HEADER) as guest:
        await guest.send({"type": "session.update", "session": {"turn_detection": None, "voice": "verse"}})
        updated = await guest.until("session.updated")
        assert (updated["session"]["voice"], updated["session"]["turn_detection"]) == ("verse", None)
        await guest.send(user("hi"), CREATE)
        done = await guest.until("response.done")
        names = [name for name in types(guest.events) if not name.endswith(".delta")]
        assert names[3:] == [
            "conversation.item.created",
            "response.created",
            "response.output_item.added",
            "conversation.item.created",
            "response.content_part.added",
            "response.audio.done",
            "response.audio_transcript.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.done",
        ]
        part = next(e for e in guest.events if e["type"] == "response.content_part.added")["part"]
        assert part == {"type": "audio", "transcript": ""}
        assert {"response.audio.delta", "response.audio_transcript.delta"} <= set(types(guest.events))
        item = done["response"]["output"][0]
        assert item["content"][0] == {"type": "audio", "transcript": "Hello you."}
        assert done["response"]["usage"]["total_tokens"] > 0


async def test_a_spoken_turn_with_turn_detection_and_transcript(endpoint: LocalEndpoint, brain: ScriptBrain) -> None:
    brain.add("Hi.")
    async with client(endpoint, MODEL, judged=False, **HEADER) as guest:
        await guest.send({"type": "session.update", "session": {"input_audio_transcription": {"model": "whisper-1"}}})
        await guest.send(append(silence(400)), append(loud(500)), append(silence(400)))
        completed = await guest.until("conversation.item.input_audio_transcription.completed")
        assert completed["transcript"] == "hello"
        await guest.until("response.done")
        started = next(e for e in guest.events if e["type"] == "input_audio_buffer.speech_started")
        assert started["audio_start_ms"] == 100
        created = next(e for e in guest.events if e["type"] == "conversation.item.created")
        assert created["item"]["content"] == [{"type": "input_audio", "transcript": None}]
        assert created["item"]["id"] == started["item_id"]


async def test_a_tool_turn_has_its_arguments_in_deltas(endpoint: LocalEndpoint, brain: ScriptBrain) -> None:
    brain.add(call("f", x=1), "Done.")
    async with client(endpoint, MODEL, judged=False, **HEADER) as guest:
        tool = {"type": "function", "name": "f", "parameters": {"type": "object"}}
        await guest.send({"type": "session.update", "session": {"modalities": ["text"], "tools": [tool]}})
        response = await guest.ask(user("go"), CREATE)
        assert response["output"][0]["type"] == "function_call"
        deltas = [e["delta"] for e in guest.events if e["type"] == "response.function_call_arguments.delta"]
        assert json.loads("".join(deltas)) == {"x": 1}
        call_id = response["output"][0]["call_id"]
        output = {"type": "function_call_output", "call_id": call_id, "output": "1"}
        response = await guest.ask({"type": "conversation.item.create", "item": output}, CREATE)
        assert response["output"][0]["content"] == [{"type": "text", "text": "Done."}]


async def test_cancel_and_truncate_as_the_reference_client_does(endpoint: LocalEndpoint, brain: ScriptBrain) -> None:
    brain.add("One two three four.")
    async with client(endpoint, MODEL, judged=False, **HEADER) as guest:
        response = await guest.ask(CREATE)
        item_id = response["output"][0]["id"]
        await guest.send(
            {"type": "response.cancel"},
            {"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0, "audio_end_ms": 100},
            {"type": "conversation.item.delete", "item_id": item_id},
        )
        assert (await guest.until("error"))["error"]["code"] == "response_cancel_not_active"
        await guest.until("conversation.item.truncated")
        await guest.until("conversation.item.deleted")


async def test_history_of_the_beta_is_taken(endpoint: LocalEndpoint) -> None:
    async with client(endpoint, MODEL, judged=False, **HEADER) as guest:
        said = {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "Earlier."}]}
        heard = {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": b64(loud(200))}]}
        for item in (said, heard):
            await guest.send({"type": "conversation.item.create", "item": item})
            created = await guest.until("conversation.item.created")
            assert created["item"]["role"] == item["role"]


async def test_fields_of_ga_and_unknown_ones_are_refused_in_the_names_of_the_beta(endpoint: LocalEndpoint) -> None:
    async with client(endpoint, MODEL, judged=False, **HEADER) as guest:
        await guest.send({"type": "session.update", "session": {"surprise": 1}, "event_id": "evt_1"})
        told = (await guest.until("error"))["error"]
        assert (told["code"], told["param"], told["event_id"]) == ("unknown_parameter", "session.surprise", "evt_1")
        await guest.send({"type": "session.update", "session": {"voice": "nobody"}})
        assert (await guest.until("error"))["error"]["param"] == "session.voice"
        await guest.send({"type": "session.update", "session": {"turn_detection": {"type": "none"}}})
        assert (await guest.until("error"))["error"]["code"] == "invalid_value"
        for frame in ("[]", "{", '{"type": 1}', "null"):
            await guest.socket.send(frame)
            await guest.until("error")


async def test_a_beta_transcription_session(endpoint: LocalEndpoint) -> None:
    async with client(endpoint, "?intent=transcription", judged=False, **HEADER) as guest:
        assert (await guest.next())["type"] == "transcription_session.created"
        settings = {"input_audio_transcription": {"model": "whisper-1"}}
        await guest.send({"type": "transcription_session.update", "session": settings})
        await guest.until("transcription_session.updated")


async def test_beta_keys_are_minted_flat(endpoint: LocalEndpoint) -> None:
    async with httpx.AsyncClient() as web:
        url = f"http://127.0.0.1:{endpoint.port}/v1/realtime/sessions"
        answer = await web.post(url, json={"model": "gpt-4o-realtime-preview", "voice": "verse"})
        session = answer.json()
        assert (session["voice"], session["client_secret"]["value"][:3]) == ("verse", "ek_")
    headers = {"Authorization": f"Bearer {session['client_secret']['value']}", "OpenAI-Beta": "realtime=v1"}
    async with connect(endpoint.url, additional_headers=headers) as socket:
        guest = Client(socket, judged=False)
        assert (await guest.next())["session"]["voice"] == "verse"


async def test_without_beta_there_are_no_beta_keys() -> None:
    async with LocalEndpoint().serve() as plain, httpx.AsyncClient() as web:
        answer = await web.post(f"http://127.0.0.1:{plain.port}/v1/realtime/sessions", json={})
        assert answer.status_code == 404
