from __future__ import annotations

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

from rtnb.local.brains import ScriptBrain, when
from rtnb.local.faults import FAULTS
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
