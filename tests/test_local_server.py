from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from helpers_local import (
    TIMEOUT_S,
    Client,
    Dictation,
    append,
    client,
    http,
    loud,
    make,
    silence,
    turn_detection,
    types,
    update,
    user,
)
from websockets.asyncio.client import connect

from rtnb.local.server import LocalEndpoint

TEXT = {"type": "response.create", "response": {"output_modalities": ["text"]}}


@pytest.fixture
async def endpoint() -> AsyncIterator[LocalEndpoint]:
    async with make().serve() as running:
        yield running


# ---- a turn ----------------------------------------------------------------------------------------------------------


async def test_a_text_turn_over_a_real_socket(endpoint: LocalEndpoint) -> None:
    async with client(endpoint) as guest:
        response = await guest.ask(user("hi"), TEXT)
        assert response["output"][0]["content"] == [{"type": "output_text", "text": "Hello."}]
        assert types(guest.events)[:4] == [
            "session.created",
            "conversation.item.added",
            "conversation.item.done",
            "response.created",
        ]


async def test_events_may_be_sent_before_session_created_was_read(endpoint: LocalEndpoint) -> None:
    async with client(endpoint) as guest:
        await guest.send(update(instructions="a"), update(instructions="b"), user("x"))
        await guest.until("conversation.item.done")
        assert types(guest.events) == [
            "session.created",
            "session.updated",
            "session.updated",
            "conversation.item.added",
            "conversation.item.done",
        ]


async def test_several_clients_have_sessions_of_their_own(endpoint: LocalEndpoint) -> None:
    async with client(endpoint) as one, client(endpoint, "?model=gpt-realtime-mini") as two:
        await one.send(update(instructions="one"))
        assert (await one.until("session.updated"))["session"]["instructions"] == "one"
        created = await two.until("session.created")
        assert created["session"]["instructions"] != "one"
        assert created["session"]["model"] == "gpt-realtime-mini"
        assert endpoint.sessions == 2
        await asyncio.gather(one.ask(TEXT), two.ask(TEXT))


async def test_a_bad_frame_gets_an_error_and_the_session_stays_open(endpoint: LocalEndpoint) -> None:
    async with client(endpoint) as guest:
        codes = []
        for frame in (b"\x00\x01", "{not json", "[]", "null", '{"type": "nope"}', '"\\ud83d"', "[" * 5000):
            await guest.socket.send(frame)
            codes.append((await guest.until("error"))["error"]["code"])
        assert codes[:2] == ["invalid_event", "invalid_json"]
        assert codes[4] == "invalid_value"
        assert (await guest.ask(TEXT))["status"] == "completed"


@pytest.mark.parametrize("beta", [False, True])
@pytest.mark.parametrize("frame", ["[1]", "[]", "null", '"x"', "1", "true", "{}"])
async def test_json_that_is_no_event_is_refused_as_the_clients_fault(
    beta: bool, frame: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with make(beta=True).serve() as endpoint:
        headers = {"OpenAI-Beta": "realtime=v1"} if beta else {}
        async with client(endpoint, judged=not beta, additional_headers=headers) as guest:
            await guest.socket.send(frame)
            error = (await guest.until("error"))["error"]
            assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_event")
            assert (await guest.ask({"type": "response.create"}))["status"] == "completed"
    assert not caplog.records


async def test_a_frame_of_absurd_size_ends_the_connection_with_1009(endpoint: LocalEndpoint) -> None:
    async with client(endpoint, compression="deflate") as guest:  # so that it is small on its way
        await guest.until("session.created")
        await guest.socket.send("x" * (33 * 1024 * 1024))
        assert (await guest.closed())[0] == 1009
    async with client(endpoint) as another:
        assert (await another.ask(TEXT))["status"] == "completed"


# ---- engines ---------------------------------------------------------------------------------------------------------


async def test_a_recogniser_that_is_slow_to_load_holds_up_no_client_and_is_made_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entered, gate = threading.Event(), threading.Event()
    made: list[Dictation] = []

    def load() -> Dictation:
        entered.set()
        assert gate.wait(TIMEOUT_S), "the loop was held up"
        made.append(Dictation())
        return made[-1]

    monkeypatch.setattr("rtnb.local.hearing.default_hearing", load)
    async with make(hearing=None).serve() as endpoint, client(endpoint) as one, client(endpoint) as two:
        settings = {"turn_detection": {"type": "server_vad"}, "transcription": {"model": "whisper-1"}}
        await one.send(update(audio={"input": settings}), append(loud(1000)))
        await one.until("input_audio_buffer.speech_started")
        assert await asyncio.to_thread(entered.wait, TIMEOUT_S)
        assert (await two.ask(TEXT))["status"] == "completed"
        assert not made
        gate.set()
        await one.send(append(silence(1000)))
        await one.until("conversation.item.input_audio_transcription.completed")
    assert len(made) == 1


async def test_a_recogniser_that_is_loaded_when_the_endpoint_closes_is_closed_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entered, gate, ready, closed = threading.Event(), threading.Event(), threading.Event(), asyncio.Event()

    class Ears(Dictation):
        async def close(self) -> None:
            closed.set()

    def load() -> Dictation:
        entered.set()
        assert gate.wait(TIMEOUT_S)
        ready.set()
        return Ears()

    monkeypatch.setattr("rtnb.local.hearing.default_hearing", load)
    async with contextlib.AsyncExitStack() as stack:
        endpoint = await stack.enter_async_context(make(hearing=None).serve())
        async with client(endpoint) as guest:
            settings = {"turn_detection": {"type": "server_vad"}, "transcription": {"model": "whisper-1"}}
            await guest.send(update(audio={"input": settings}), append(loud(1000)))
            assert await asyncio.to_thread(entered.wait, TIMEOUT_S)
        closing = asyncio.create_task(stack.aclose())
        await asyncio.wait({closing}, timeout=0.2)
        gate.set()
        await closing
    assert await asyncio.to_thread(ready.wait, TIMEOUT_S)
    assert closed.is_set()
    async with endpoint.serve() as again, client(again) as guest:  # and opens again
        await guest.send(update(audio={"input": settings}), append(loud(1000)), append(silence(1000)))
        await guest.until("conversation.item.input_audio_transcription.completed")


# ---- starting and stopping -------------------------------------------------------------------------------------------


def test_it_runs_on_a_thread_of_its_own() -> None:
    before = threading.active_count()
    endpoint = make()
    with pytest.raises(RuntimeError, match="start"):
        _ = endpoint.url
    with endpoint as same:
        assert same is endpoint
        assert endpoint.start() is endpoint
        assert endpoint.url == f"ws://127.0.0.1:{endpoint.port}/v1/realtime"
        assert httpx.get(http(endpoint, "/healthz")).status_code == 200
        assert str(endpoint.port) in repr(endpoint)
    endpoint.stop()
    assert not endpoint.is_running
    assert threading.active_count() == before


def test_it_can_be_started_again() -> None:
    endpoint = make()
    for _ in range(2):
        with endpoint:
            assert httpx.get(http(endpoint, "/healthz")).status_code == 200


def test_a_taken_port_is_told_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="Port 0 picks a free one"):
        make(port=taken.getsockname()[1]).start()


async def test_localhost_means_both_loopback_addresses() -> None:
    async with make(host="localhost").serve() as endpoint:
        hosts = ["127.0.0.1"]
        with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
            hosts.append("[::1]")
        for host in hosts:
            async with connect(f"ws://{host}:{endpoint.port}/v1/realtime?model=gpt-realtime") as ws:
                assert json.loads(await ws.recv())["type"] == "session.created"


async def test_stopping_closes_clients_and_leaves_no_task_behind() -> None:
    never = asyncio.Event()

    class Stuck:
        name = "stuck"
        is_closed = False

        async def think(self, request: Any) -> AsyncIterator[Any]:
            try:
                await never.wait()
                yield None
            finally:
                self.is_closed = True

    brain = Stuck()
    async with make(brain=brain).serve() as endpoint:
        socket = await connect(endpoint.url + "?model=gpt-realtime")
        guest = Client(socket)
        await guest.send(TEXT)
        await guest.until("response.created")
    assert (await guest.closed())[0] == 1001
    assert brain.is_closed
    left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task() and not task.done()]
    assert left == []


async def test_a_session_is_closed_at_its_limit() -> None:
    async with make(session_limit_s=0.05).serve() as endpoint, client(endpoint) as guest:
        told = (await guest.until("error"))["error"]
        assert told["code"] == "session_expired"
        assert await guest.closed() == (1001, told["message"])


async def test_a_client_that_leaves_in_the_midst_frees_everything() -> None:
    freed = asyncio.Event()

    class Endless:
        name = "endless"

        async def think(self, request: Any) -> AsyncIterator[Any]:
            from rtnb.local.seams import Say

            try:
                while True:
                    await asyncio.sleep(0)
                    yield Say("word ")
            finally:
                freed.set()

    async with make(brain=Endless()).serve() as endpoint:
        async with client(endpoint) as guest:
            await guest.send(TEXT)
            await guest.until("response.output_text.delta")
            guest.socket.transport.abort()
        async with asyncio.timeout(TIMEOUT_S):
            await freed.wait()
            while endpoint.sessions:
                await asyncio.sleep(0)


async def test_audio_for_turn_detection_in_one_large_append_does_not_hold_up_others(endpoint: LocalEndpoint) -> None:
    async with client(endpoint) as one, client(endpoint) as two:
        await one.send(turn_detection({"type": "server_vad"}), append(silence(100_000)))
        assert (await two.ask(TEXT))["status"] == "completed"
        await one.send(update())
        await one.until("session.updated")
        await one.until("session.updated")
