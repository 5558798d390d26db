from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from helpers_local import (
    COMMIT,
    Dictation,
    LoudDetector,
    ToneVoice,
    append,
    client,
    loud,
    turn_detection,
    types,
    update,
)
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError

from rtnb.local.brains import ScriptBrain, when
from rtnb.local.faults import FAULTS, Fault
from rtnb.local.server import LocalEndpoint

TEXT: dict[str, Any] = {"type": "response.create", "response": {"output_modalities": ["text"]}}
AUDIO = {"type": "response.create"}


@pytest.fixture
async def endpoint() -> AsyncIterator[LocalEndpoint]:
    brain = ScriptBrain(when(lambda _: True, ["One. ", "Two. ", "Three."]))
    hearing = Dictation("hello", "hello")
    made = LocalEndpoint(brain=brain, voice=ToneVoice(), hearing=hearing, detector=LoudDetector, pace=None)
    async with made.serve() as running:
        yield running


@pytest.mark.parametrize("create", [TEXT, AUDIO])
@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("failed", "failed", "server_error"),
        ("rate_limit", "failed", "rate_limit_exceeded"),
        ("incomplete", "incomplete", None),
    ],
)
async def test_an_answer_ends_badly_once(
    endpoint: LocalEndpoint, create: dict[str, Any], name: str, status: str, code: str | None
) -> None:
    endpoint.fault(name)
    async with client(endpoint) as guest:
        response = await guest.ask(create)
        assert response["status"] == status
        assert (response["status_details"].get("error") or {}).get("code") == code
        assert response["output"][0]["status"] == "incomplete"
        assert (await guest.ask(create))["status"] == "completed"


@pytest.mark.parametrize("name", ["delay", "jitter", "stall"])
async def test_a_slow_answer_is_a_whole_one(endpoint: LocalEndpoint, name: str) -> None:
    endpoint.fault(name, seconds=0.02)
    async with client(endpoint) as guest:
        response = await guest.ask(TEXT)
        assert response["output"][0]["content"][0]["text"] == "One. Two. Three."


async def test_a_stalled_answer_can_be_cancelled(endpoint: LocalEndpoint) -> None:
    endpoint.fault("stall", seconds=3600)
    async with client(endpoint) as guest:
        await guest.send(TEXT)
        await guest.until("response.output_text.delta")
        assert (await guest.ask({"type": "response.cancel"}))["status"] == "cancelled"


async def test_a_dropped_connection_has_no_close_frame_and_a_new_one_works(endpoint: LocalEndpoint) -> None:
    endpoint.fault("drop")
    async with client(endpoint) as guest:
        await guest.send(TEXT)
        assert (await guest.closed())[0] == 1006
    async with client(endpoint) as another:
        assert (await another.ask(TEXT))["status"] == "completed"


async def test_an_error_event_disturbs_nothing(endpoint: LocalEndpoint) -> None:
    endpoint.fault("error")
    async with client(endpoint) as guest:
        assert (await guest.ask(TEXT))["status"] == "completed"
        assert types(guest.events).count("error") == 1


async def test_a_session_expires_in_the_midst_of_an_answer(endpoint: LocalEndpoint) -> None:
    endpoint.fault("expire")
    async with client(endpoint) as guest:
        await guest.send(TEXT)
        assert (await guest.until("error"))["error"]["code"] == "session_expired"
        assert (await guest.closed())[0] == 1001


async def test_a_transcript_can_come_after_the_answer(endpoint: LocalEndpoint) -> None:
    endpoint.fault("late_transcripts", seconds=1.5)
    async with client(endpoint) as guest:
        await guest.send(turn_detection(None), update(audio={"input": {"transcription": {"model": "whisper-1"}}}))
        await guest.send(append(loud(300)), COMMIT, TEXT)
        completed = await guest.until("conversation.item.input_audio_transcription.completed")
        assert completed["transcript"] == "hello"
        names = types(guest.events)
        assert names.index("response.done") < names.index("conversation.item.input_audio_transcription.delta")


async def test_faults_befall_as_often_as_they_were_asked_for_and_can_be_taken_back(endpoint: LocalEndpoint) -> None:
    endpoint.fault("failed", times=2)
    endpoint.fault("incomplete", times=5)
    async with client(endpoint) as guest:
        assert [(await guest.ask(TEXT))["status"] for _ in range(3)] == ["failed", "failed", "incomplete"]
        endpoint.clear_faults()
        assert (await guest.ask(TEXT))["status"] == "completed"


def test_a_fault_that_does_not_exist_is_told_with_those_that_do() -> None:
    with pytest.raises(ValueError, match=r"no fault 'fire'.*late_transcripts"):
        LocalEndpoint().fault("fire")
    assert all(text[0].islower() for text in FAULTS.values())


@pytest.mark.parametrize("create", [TEXT, AUDIO])
async def test_a_frame_of_garbage_disturbs_nothing(endpoint: LocalEndpoint, create: dict[str, Any]) -> None:
    endpoint.fault("garbage")
    async with client(endpoint) as guest:
        await guest.send(create)
        frames = [await guest.socket.recv()]
        while b'"response.done"' not in _bytes(frames[-1]):
            frames.append(await guest.socket.recv())
        broken = [frame for frame in frames if not _is_json(frame)]
        assert len(broken) == 1
        assert json.loads(frames[-1])["response"]["status"] == "completed"


async def test_a_huge_frame_comes_whole(endpoint: LocalEndpoint) -> None:
    endpoint.fault("huge")
    async with connect(f"{endpoint.url}?model=gpt-realtime-2.1", max_size=None, proxy=None) as socket:
        await socket.send(json.dumps(TEXT))
        frames = [await socket.recv()]
        while b'"response.done"' not in _bytes(frames[-1])[:10_000]:
            frames.append(await socket.recv())
    assert [len(frame) > 12_000_000 for frame in frames].count(True) == 1
    assert all(_is_json(frame) for frame in frames)


async def test_a_client_that_takes_no_huge_frames_closes_and_may_come_again(endpoint: LocalEndpoint) -> None:
    endpoint.fault("huge")
    async with connect(f"{endpoint.url}?model=gpt-realtime-2.1", proxy=None) as socket:
        await socket.send(json.dumps(TEXT))
        with pytest.raises(ConnectionClosedError) as closed:
            await _all(socket)
        assert closed.value.sent is not None
        assert closed.value.sent.code == 1009
    async with client(endpoint) as another:
        assert (await another.ask(TEXT))["status"] == "completed"


async def _all(socket: ClientConnection) -> None:
    while True:
        await socket.recv()


def _bytes(frame: str | bytes) -> bytes:
    return frame.encode() if isinstance(frame, str) else frame


def _is_json(frame: str | bytes) -> bool:
    try:
        json.loads(frame)
    except ValueError:
        return False
    return True


async def test_faults_can_be_given_from_the_beginning() -> None:
    brain = ScriptBrain(when(lambda _: True, ["One. ", "Two."]))
    faults = ["failed", "incomplete:1:2", ("delay", 0.01), Fault("failed")]
    made = LocalEndpoint(brain=brain, pace=None, faults=faults)
    async with made.serve() as running, client(running) as guest:
        statuses = [(await guest.ask(TEXT))["status"] for _ in range(6)]
    assert statuses == ["failed", "incomplete", "incomplete", "completed", "failed", "completed"]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("fire", "no fault 'fire'"),
        ("drop:soon", "with numbers"),
        ("drop:1:2:3", r"is written NAME\[:SECONDS\[:TIMES\]\]"),
        ("drop:-1", "0 seconds or more"),
        ("drop:1:0", "once or more"),
        (("delay", None), "with numbers"),
        ((), "is written"),
    ],
)
def test_a_fault_that_is_none_is_told(value: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        LocalEndpoint(faults=[value])
    assert Fault.of(" delay :2:3") == Fault("delay", 2.0, 3)
