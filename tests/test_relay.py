"""The relay as a pipe: today's clients and those of 2024, bytes, closes, slow readers, upstreams that are not there."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from typing import Any

import pytest
from helpers_local import append, loud, silence, types, user
from helpers_relay import GA, KEY, TIMEOUT_S, echo, eventually, guest, relay_lab, relay_to, upstream
from openai import AsyncOpenAI
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

import rtnb
from rtnb.local.brains import call
from rtnb.net.relay import Relay

CONSOLE = {"subprotocols": ["realtime", "openai-insecure-api-key.null", "openai-beta.realtime-v1"]}
OLD_MODEL = "/?model=gpt-4o-realtime-preview-2024-10-01"
CREATE = {"type": "response.create"}
TOOL: Any = {
    "type": "function",
    "name": "calculate_sum",
    "description": "Add two numbers.",
    "parameters": {"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}},
}
ADD = call("calculate_sum", a=4, b=6)


# ---- today's clients -------------------------------------------------------------------------------------------------


async def test_openais_client_completes_text_audio_and_tool_turns_without_a_key_of_its_own() -> None:
    async with relay_lab("Hello.", "Good day to you.", ADD, "It is 10.", heard=("good day",)) as relay:
        base = relay.url.removesuffix("/realtime")
        openai = AsyncOpenAI(api_key="none", websocket_base_url=base, base_url=base.replace("ws:", "http:"))
        async with openai, openai.realtime.connect(model="gpt-realtime") as connection, asyncio.timeout(TIMEOUT_S):
            await connection.session.update(session={"type": "realtime", "output_modalities": ["text"]})
            await connection.conversation.item.create(item=user("Say hello!")["item"])
            await connection.response.create()
            text = [
                event.delta async for event in _until_done(connection) if event.type == "response.output_text.delta"
            ]
            assert "".join(text) == "Hello."

            audio: Any = {"input": {"transcription": {"model": "gpt-4o-transcribe"}}}
            await connection.session.update(
                session={"type": "realtime", "output_modalities": ["audio"], "audio": audio}
            )
            for piece in (loud(500), silence(500)):
                await connection.input_audio_buffer.append(audio=base64.b64encode(piece).decode())
            events = [event async for event in _until_done(connection)]
            sound = b"".join(base64.b64decode(e.delta) for e in events if e.type == "response.output_audio.delta")
            assert len(sound) == 4 * 60 * 48

            await connection.session.update(
                session={"type": "realtime", "output_modalities": ["text"], "tools": [TOOL], "tool_choice": "auto"}
            )
            await connection.conversation.item.create(item=user("4 + 6?")["item"])
            await connection.response.create()
            done = [e async for e in _until_done(connection) if e.type == "response.function_call_arguments.done"]
            assert json.loads(done[0].arguments) == {"a": 4, "b": 6}
            output: Any = {"type": "function_call_output", "call_id": done[0].call_id, "output": "10"}
            await connection.conversation.item.create(item=output)
            await connection.response.create()
            text = [e.text async for e in _until_done(connection) if e.type == "response.output_text.done"]
            assert text == ["It is 10."]


async def _until_done(connection: Any) -> Any:
    async for event in connection:
        assert event.type != "error", event
        yield event
        if event.type == "response.done":
            return


def test_our_session_works_through_a_relay_on_a_thread() -> None:
    with rtnb.LocalEndpoint(key=KEY) as endpoint, Relay(endpoint.url, key=KEY) as relay:
        with rtnb.Session(relay.url, output="text") as session:
            assert session.ask("What is the capital of France?", timeout=TIMEOUT_S).text
        assert relay.metrics.get("sessions_total", dialect="ga") == 1
    assert "stopped" in repr(relay)


async def test_messages_pass_untouched_byte_for_byte_both_ways() -> None:
    odd = [
        '{"type" :  "x", "b":1e2,\t"a":"\\u00e9\\ud83d\\ude00"}',
        "no json at all",
        "",
        "é😀" * 40_000,
        b"\x00\xffbinary stays binary",
        json.dumps({"type": "response.output_audio.delta", "delta": "A" * 500_000}),
    ]
    async with upstream(echo) as other, relay_to(other.url) as relay, guest(relay) as client:
        for message in odd:
            await client.socket.send(message)
            async with asyncio.timeout(TIMEOUT_S):
                assert await client.socket.recv() == message
        assert relay.sessions == 1


async def test_upstream_gets_the_relays_key_and_nothing_of_the_clients() -> None:
    theirs = "sk-" + "client" * 5
    async with upstream(echo) as other, relay_to(other.url) as relay:
        path = f"/v1/realtime?model=gpt-realtime&call_id=rtc_{theirs}&api-key={theirs}"
        subprotocols: Any = ["realtime", f"openai-insecure-api-key.{theirs}"]
        headers = {"Authorization": f"Bearer {theirs}", "X-Secret": theirs, "Cookie": theirs}
        async with guest(relay, path, subprotocols=subprotocols, additional_headers=headers) as client:
            assert client.socket.subprotocol == "realtime"
            await client.socket.send("hello")
            await client.socket.recv()
        (request,) = other.requests
        assert request.headers["Authorization"] == f"Bearer {KEY}"
        assert request.path == "/v1/realtime?model=gpt-realtime"
        assert theirs not in str(request)
        assert "Sec-WebSocket-Protocol" not in request.headers


async def test_what_comes_before_upstream_is_open_is_kept_in_order() -> None:
    release = asyncio.Event()

    async def process(client: ServerConnection, request: Any) -> None:
        await release.wait()

    async with upstream(echo, process_request=process) as other, relay_to(other.url) as relay, guest(relay) as client:
        for number in range(100):
            await client.socket.send(str(number))
        release.set()
        async with asyncio.timeout(TIMEOUT_S):
            assert [await client.socket.recv() for _ in range(100)] == [str(number) for number in range(100)]


# ---- clients of 2024 -------------------------------------------------------------------------------------------------


async def test_the_console_of_2024_has_a_text_turn_an_audio_turn_and_a_tool_turn() -> None:
    async with relay_lab("Hello you.", "Good day.", ADD, "It is 10.", heard=("good day",)) as relay:
        async with guest(relay, OLD_MODEL, judged=False, **CONSOLE) as client:
            session = {"modalities": ["text", "audio"], "voice": "verse", "input_audio_format": "pcm16"}
            session |= {"output_audio_format": "pcm16", "input_audio_transcription": {"model": "whisper-1"}}
            session |= {"turn_detection": None, "tools": [TOOL], "temperature": 0.8, "max_response_output_tokens": 4096}
            await client.send(
                {"type": "session.update", "event_id": "evt_1", "session": session}
            )  # before the greeting
            created = await client.next()
            assert (created["type"], "audio" in created["session"]) == ("session.created", False)
            updated = await client.until("session.updated")
            assert (updated["session"]["voice"], updated["session"]["temperature"]) == ("verse", 0.8)

            response = await client.ask(user("hi"), CREATE)
            assert response["output"][0]["content"][0]["transcript"] == "Hello you."
            assert "response.audio.delta" in types(client.events)
            todays = ("conversation.item.added", "conversation.item.done", "response.output_audio.delta")
            assert not set(todays) & set(types(client.events))

            await client.send(append(loud(400)), {"type": "input_audio_buffer.commit"})
            response = await client.ask(CREATE)
            assert response["output"][0]["content"][0]["transcript"] == "Good day."
            heard = "conversation.item.input_audio_transcription.completed"
            if heard not in types(client.events):
                await client.until(heard)

            response = await client.ask(user("4 + 6?"), CREATE)
            made = response["output"][0]
            deltas = [e["delta"] for e in client.events if e["type"] == "response.function_call_arguments.delta"]
            assert json.loads("".join(deltas)) == {"a": 4, "b": 6}
            output = {"type": "function_call_output", "call_id": made["call_id"], "output": "10"}
            response = await client.ask({"type": "conversation.item.create", "item": output}, CREATE)
            assert response["output"][0]["content"][0]["transcript"] == "It is 10."
        assert relay.metrics.get("sessions_total", dialect="beta") == 1


async def test_an_interruption_and_a_refusal_reach_a_client_of_2024_in_its_own_words() -> None:
    async with relay_lab("One two three.") as relay, guest(relay, "/", judged=False, **CONSOLE) as client:
        response = await client.ask(CREATE)
        item_id = response["output"][0]["id"]
        cut = {"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0, "audio_end_ms": 100}
        await client.send({"type": "response.cancel"}, cut)
        assert (await client.until("error"))["error"]["code"] == "response_cancel_not_active"
        await client.until("conversation.item.truncated")
        await client.send({"type": "session.update", "session": {"voice": "nobody"}})
        assert (await client.until("error"))["error"]["param"] == "session.voice"
        await client.socket.send("{ no json")
        await client.until("error")


async def test_a_client_of_2024_that_names_its_model_in_its_session_does_not_ask_upstream_for_it() -> None:
    model = "gpt-4o-realtime-preview-2024-10-01"  # gone: upstream was asked for another, and would refuse a change
    async with upstream(echo) as other, relay_to(other.url) as relay:
        async with guest(relay, OLD_MODEL, judged=False, **CONSOLE) as client:
            await client.send({"type": "session.update", "session": {"model": model, "voice": "verse"}})
            async with asyncio.timeout(TIMEOUT_S):
                passed = json.loads(await client.socket.recv())
        assert passed["session"] == {"type": "realtime", "audio": {"output": {"voice": "verse"}}}
        assert model not in other.requests[0].path


@pytest.mark.parametrize("how", ["subprotocol", "header"])
async def test_a_client_of_2024_is_known_on_todays_path_too(how: str) -> None:
    options: Any = CONSOLE if how == "subprotocol" else {"additional_headers": {"OpenAI-Beta": "realtime=v1"}}
    async with relay_lab() as relay, guest(relay, judged=False, **options) as client:
        assert "modalities" in (await client.next())["session"]


async def test_the_relay_may_fix_the_model() -> None:
    async with upstream(echo) as other, relay_to(other.url, model="gpt-realtime-2.1-mini") as relay:
        for path in ("/v1/realtime?model=gpt-realtime-2.1", OLD_MODEL, "/", "/v1/realtime"):
            async with guest(relay, path) as client:
                await client.socket.send("x")
                await client.socket.recv()
        assert {request.path for request in other.requests} == {"/v1/realtime?model=gpt-realtime-2.1-mini"}


async def test_a_transcription_session_names_no_model_in_its_address() -> None:
    async with upstream(echo) as other, relay_to(other.url) as relay:
        async with guest(relay, "/v1/realtime?intent=transcription") as client:
            await client.socket.send("x")
            await client.socket.recv()
        assert other.requests[0].path == "/v1/realtime?intent=transcription"


# ---- ends ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (1000, ""),
        (1001, "session limit"),
        (1011, "fault"),
        (3000, "invalid_request_error.invalid_api_key"),
        (4999, "x"),
    ],
)
async def test_the_client_is_closed_with_upstreams_code_and_reason_after_its_last_words(code: int, reason: str) -> None:
    async def talk(each: ServerConnection) -> None:
        for number in range(50):
            await each.send(str(number))
        await each.close(code, reason)

    async with upstream(talk) as other, relay_to(other.url) as relay, guest(relay) as client:
        async with asyncio.timeout(TIMEOUT_S):
            got = []
            with contextlib.suppress(ConnectionClosed):
                while True:
                    got.append(await client.socket.recv())
        assert got == [str(number) for number in range(50)]
        assert (client.socket.close_code, client.socket.close_reason) == (code, reason)


@pytest.mark.parametrize(("code", "reason"), [(1000, "done"), (1001, "page left"), (4001, "own")])
async def test_upstream_is_closed_with_the_clients_code_and_reason_after_its_last_words(code: int, reason: str) -> None:
    got: list[Any] = []

    async def talk(each: ServerConnection) -> None:
        async for message in each:
            got.append(message)

    async with upstream(talk) as other, relay_to(other.url) as relay:
        async with guest(relay) as client:
            for number in range(50):
                await client.socket.send(str(number))
            await client.socket.close(code, reason)
        async with asyncio.timeout(TIMEOUT_S):
            assert await other.closed.get() == (code, reason)
        assert got == [str(number) for number in range(50)]
        await eventually(lambda: relay.sessions == 0)


async def test_a_side_that_breaks_off_is_told_to_the_other() -> None:
    async def broken(each: ServerConnection) -> None:
        await each.recv()
        each.transport.abort()

    async with upstream(broken) as other, relay_to(other.url) as relay, guest(relay) as client:
        await client.socket.send("x")
        assert (await client.closed())[0] == 1014

    async with upstream(echo) as other, relay_to(other.url) as relay, guest(relay) as client:
        await client.socket.send("x")
        await client.socket.recv()
        client.socket.transport.abort()
        async with asyncio.timeout(TIMEOUT_S):
            assert (await other.closed.get())[0] == 1001


async def test_a_client_that_leaves_while_upstream_opens_leaves_nothing_behind() -> None:
    hold = asyncio.Event()

    async def process(client: ServerConnection, request: Any) -> None:
        await hold.wait()

    async with upstream(echo, process_request=process) as other, relay_to(other.url) as relay:
        async with guest(relay):
            await eventually(lambda: relay.sessions == 1)
        await eventually(lambda: relay.sessions == 0)
        hold.set()


async def test_an_upstream_that_is_not_there_is_told_by_an_error_event() -> None:
    async with upstream(echo) as other:
        gone = other.url
    async with relay_to(gone) as relay, guest(relay, judged=False) as client:
        event = await client.next()
        assert (event["type"], event["error"]["code"]) == ("error", "upstream_unavailable")
        assert "127.0.0.1" not in json.dumps(event)
        assert await client.closed() == (1014, "relay_error.upstream")
        assert relay.metrics.get("upstream_failures_total", reason="refused") == 1


async def test_our_session_says_that_the_relay_was_reached_but_not_its_upstream() -> None:
    async with upstream(echo) as other:
        gone = other.url
    async with relay_to(gone) as relay:
        session = rtnb.Session(relay.url, output="text")
        with pytest.raises(rtnb.ConnectionFailed, match="not what is behind it") as caught:
            await session.aio.connect()
        assert caught.value.reason == "network"
        await session.aio.close()


async def test_upstreams_refusal_passes_through() -> None:
    async with relay_lab(key="sk-" + "wrong" * 5) as relay, guest(relay) as client:
        assert (await client.next())["error"]["code"] == "invalid_api_key"
        assert await client.closed() == (3000, "invalid_request_error.invalid_api_key")


async def test_a_slow_reader_slows_upstream_and_loses_nothing() -> None:
    sent = 0
    count, size = 400, 100_000  # 40 MB: more than all buffers between

    async def talk(each: ServerConnection) -> None:
        nonlocal sent
        for number in range(count):
            await each.send(f"{number:06d}" + "x" * size)
            sent += 1

    async with upstream(talk) as other, relay_to(other.url) as relay, guest(relay, max_queue=1) as client:
        first = await client.socket.recv()
        before = -1
        while sent != before:  # until it stands still
            before = sent
            await asyncio.sleep(0.3)
        assert sent < count * 0.9, "nothing held upstream back"
        got = [first] + [await client.socket.recv() for _ in range(count - 1)]
        assert [int(text[:6]) for text in got] == list(range(count))


async def test_a_slow_upstream_slows_the_client() -> None:
    go = asyncio.Event()

    async def talk(each: ServerConnection) -> None:
        await go.wait()
        await echo(each)

    async with upstream(talk, max_queue=1) as other, relay_to(other.url) as relay, guest(relay) as client:

        async def push() -> None:
            for number in range(400):
                await client.socket.send(f"{number:06d}" + "x" * 100_000)

        pushing = asyncio.create_task(push())
        done, _ = await asyncio.wait({pushing}, timeout=1)
        assert not done, "40 MB went somewhere"
        go.set()
        async with asyncio.timeout(TIMEOUT_S):
            got = [await client.socket.recv() for _ in range(400)]
            await pushing
        assert [int(text[:6]) for text in got] == list(range(400))


async def test_draining_refuses_new_sessions_and_lets_open_ones_end() -> None:
    async with relay_lab("Hi.") as relay:
        async with guest(relay) as client:
            await client.next()
            draining = asyncio.create_task(relay.drain())
            await eventually(lambda: relay._is_draining)
            with pytest.raises(InvalidStatus) as refused:
                await connect(f"ws://127.0.0.1:{relay.port}/v1/realtime{GA}")
            assert refused.value.response.status_code == 503
            text = {"type": "response.create", "response": {"output_modalities": ["text"]}}
            assert (await client.ask(text))["status"] == "completed"
            assert not draining.done()
        await asyncio.wait_for(draining, TIMEOUT_S)


async def test_what_still_runs_when_the_relay_ends_is_closed_as_a_restart() -> None:
    async with relay_lab("Hi.", drain_s=0.05) as relay, guest(relay) as client:
        await client.next()
        await relay.drain()
        closing = asyncio.create_task(client.closed())
        for server in relay._servers:
            server.close(code=1012, reason="the relay is restarting")
        assert await closing == (1012, "the relay is restarting")
