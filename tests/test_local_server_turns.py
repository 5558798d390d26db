from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from helpers_local import (
    MS,
    TIMEOUT_S,
    Dictation,
    LoudDetector,
    ToneVoice,
    append,
    client,
    loud,
    silence,
    turn_detection,
    types,
    update,
    user,
)

from rtnb.local.brains import ScriptBrain, call, fail, incomplete, wait, when
from rtnb.local.pacing import Pacer
from rtnb.local.seams import Brain, Request, Say, Speech, Transcript
from rtnb.local.server import LocalEndpoint

CREATE = {"type": "response.create"}
TEXT = {"type": "response.create", "response": {"output_modalities": ["text"]}}
COMMIT = {"type": "input_audio_buffer.commit"}


def make(brain: Brain, **options: Any) -> LocalEndpoint:
    options = {"voice": ToneVoice(), "hearing": Dictation(), "pace": None, **options}
    return LocalEndpoint(brain=brain, detector=LoudDetector, **options)


def sound(events: list[dict[str, Any]]) -> bytes:
    return b"".join(base64.b64decode(e["delta"]) for e in events if e["type"] == "response.output_audio.delta")


def transcript(events: list[dict[str, Any]]) -> str:
    return "".join(e["delta"] for e in events if e["type"] == "response.output_audio_transcript.delta")


# ---- speaking --------------------------------------------------------------------------------------------------------


async def test_an_audio_turn_is_spoken_sentence_by_sentence() -> None:
    voice = ToneVoice()
    text = "Dr. Who is here. He paid 3.50 euros! What now?"
    async with make(ScriptBrain(text), voice=voice).serve() as endpoint, client(endpoint) as guest:
        await guest.send(update(audio={"output": {"voice": "verse", "speed": 1.2}}))
        response = await guest.ask(CREATE)
        assert [asked[0] for asked in voice.asked] == ["Dr. Who is here. ", "He paid 3.50 euros! ", "What now?"]
        assert {asked[1:] for asked in voice.asked} == {("verse", 1.2)}
        assert transcript(guest.events) == text == response["output"][0]["content"][0]["transcript"]
        assert len(sound(guest.events)) >= 11 * 60 * MS


async def test_audio_begins_before_the_brain_has_ended() -> None:
    go_on = asyncio.Event()
    brain = ScriptBrain(["The first sentence. And then ", wait(go_on), "the second."])
    async with make(brain).serve() as endpoint, client(endpoint) as guest:
        await guest.send(CREATE)
        await guest.until("response.output_audio.delta")
        assert transcript(guest.events).startswith("The")
        go_on.set()
        await guest.until("response.done")
        assert transcript(guest.events) == "The first sentence. And then the second."


async def test_frames_of_long_stretches_stay_small() -> None:
    class Long(ToneVoice):
        async def speak(self, text: str, *, voice: str, speed: float = 1.0) -> AsyncIterator[Speech]:
            yield Speech(loud(20_000), text)

    async with make(ScriptBrain("One."), voice=Long()).serve() as endpoint, client(endpoint) as guest:
        await guest.ask(CREATE)
        assert sound(guest.events) == loud(20_000)
        assert max(len(e["delta"]) for e in guest.events if e["type"] == "response.output_audio.delta") <= 16_000


async def test_a_voice_that_reports_no_words_loses_none() -> None:
    class Mute(ToneVoice):
        async def speak(self, text: str, *, voice: str, speed: float = 1.0) -> AsyncIterator[Speech]:
            yield Speech(loud(40))

    async with make(ScriptBrain("All the words."), voice=Mute()).serve() as endpoint, client(endpoint) as guest:
        response = await guest.ask(CREATE)
        assert response["output"][0]["content"][0]["transcript"] == "All the words."


async def test_a_voice_that_breaks_fails_the_response() -> None:
    class Broken(ToneVoice):
        async def speak(self, text: str, *, voice: str, speed: float = 1.0) -> AsyncIterator[Speech]:
            yield Speech(loud(40), "A")
            raise OSError("The loudspeaker is on fire.")

    async with make(ScriptBrain("A b.", "c"), voice=Broken()).serve() as endpoint, client(endpoint) as guest:
        response = await guest.ask(CREATE)
        assert response["status"] == "failed"
        assert response["status_details"]["error"]["message"] == "The loudspeaker is on fire."
        assert (await guest.ask(TEXT))["status"] == "completed"


def test_audio_is_sent_in_a_burst_and_then_faster_than_real_time() -> None:
    pacer = Pacer(speed=10, burst_ms=1000)
    assert pacer.wait(1000, now=5.0) == 0
    assert pacer.wait(2000, now=5.0) == pytest.approx(0.2)
    assert pacer.wait(2000, now=5.2) == pytest.approx(0.2)
    assert pacer.wait(1000, now=9.0) == 0
    assert Pacer(speed=None).wait(1e9, now=0.0) == 0


async def test_an_answer_waits_for_a_client_that_does_not_read() -> None:
    class Endless:
        name = "endless"
        pieces = 0

        async def think(self, request: Request) -> AsyncIterator[Say]:
            while True:
                self.pieces += 1
                await asyncio.sleep(0)
                yield Say("x" * 10_000)

    brain = Endless()
    async with make(brain).serve() as endpoint, client(endpoint, compression=None, max_queue=1) as guest:
        await guest.send(TEXT)
        before, turns = -1, 0
        async with asyncio.timeout(TIMEOUT_S):
            while turns < 2_000:  # until nothing has moved for so many rounds of the loop
                turns = turns + 1 if brain.pieces == before else 0
                before = brain.pieces
                await asyncio.sleep(0)
        assert brain.pieces * 10_000 < 40_000_000
        await guest.until("response.output_text.delta")


# ---- brains ----------------------------------------------------------------------------------------------------------


async def test_a_tool_turn_and_the_answer_after_it() -> None:
    brain = ScriptBrain(["One moment. ", call("calculate_sum", a=4, b=6, chunk=4)], "It is 10.")
    tool = {"type": "function", "name": "calculate_sum", "parameters": {"type": "object"}}
    async with make(brain).serve() as endpoint, client(endpoint) as guest:
        await guest.send(update(output_modalities=["text"], tools=[tool]))
        response = await guest.ask(user("4 + 6?"), CREATE)
        message, made = response["output"]
        assert message["content"][0]["text"] == "One moment. "
        assert (made["name"], made["arguments"], made["status"]) == ("calculate_sum", '{"a": 4, "b": 6}', "completed")
        output = {"type": "function_call_output", "call_id": made["call_id"], "output": "10"}
        response = await guest.ask({"type": "conversation.item.create", "item": output}, CREATE)
        assert response["output"][0]["content"][0]["text"] == "It is 10."
        kinds = [item["type"] for item in brain.requests[-1].items]
        assert kinds == ["message", "message", "function_call", "function_call_output"]
        assert brain.requests[0].tools == [tool]


async def test_words_before_a_call_are_spoken_before_it() -> None:
    brain = ScriptBrain(["Let me see", call("f")])
    async with make(brain).serve() as endpoint, client(endpoint) as guest:
        response = await guest.ask(CREATE)
        assert [item["type"] for item in response["output"]] == ["message", "function_call"]
        assert response["output"][0]["content"][0]["transcript"] == "Let me see"


async def test_a_brain_that_raises_is_a_failed_response_without_keys_in_its_text() -> None:
    secret = "sk-" + "q" * 30

    def broken(request: Request) -> None:
        raise RuntimeError(f"No route with {secret} to the model.")

    async with make(ScriptBrain(broken, "fine")).serve() as endpoint, client(endpoint) as guest:
        response = await guest.ask(TEXT)
        assert response["status"] == "failed"
        assert response["status_details"]["error"]["message"] == "No route with [key] to the model."
        assert (await guest.ask(TEXT))["status"] == "completed"


async def test_failed_and_incomplete_steps() -> None:
    brain = ScriptBrain(["half", fail("rate_limit_exceeded", "Slow down.")], incomplete("cut"), None)
    async with make(brain).serve() as endpoint, client(endpoint) as guest:
        response = await guest.ask(TEXT)
        assert response["status_details"]["error"]["code"] == "rate_limit_exceeded"
        response = await guest.ask(TEXT)
        assert response["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
        response = await guest.ask(TEXT)
        assert (response["status"], response["output"]) == ("completed", [])


async def test_cancelling_stops_the_brain_at_once() -> None:
    never = asyncio.Event()
    brain = ScriptBrain(["Half", wait(never)], "next")
    async with make(brain).serve() as endpoint, client(endpoint) as guest:
        await guest.send(TEXT)
        await guest.until("response.output_text.delta")
        response = await guest.ask({"type": "response.cancel"})
        assert response["status_details"]["reason"] == "client_cancelled"
        await guest.send({"type": "response.cancel"}, {"type": "response.cancel", "response_id": response["id"]})
        for _ in range(2):
            assert (await guest.until("error"))["error"]["code"] == "response_cancel_not_active"
        assert (await guest.ask(TEXT))["status"] == "completed"
        assert brain.interrupted


async def test_responses_outside_of_the_conversation_run_at_the_same_time() -> None:
    first = asyncio.Event()
    brain = ScriptBrain(["main", wait(first)], "aside")
    async with make(brain).serve() as endpoint, client(endpoint) as guest:
        await guest.send(TEXT)
        await guest.until("response.output_text.delta")
        aside = {"conversation": "none", "output_modalities": ["text"], "metadata": {"client_event_id": "7"}}
        response = await guest.ask({"type": "response.create", "response": aside})
        assert (response["metadata"], response["conversation_id"]) == ({"client_event_id": "7"}, None)
        first.set()
        done = await guest.until("response.done")
        assert done["response"]["conversation_id"].startswith("conv_")


# ---- hearing ---------------------------------------------------------------------------------------------------------


async def test_a_push_to_talk_turn() -> None:
    hearing = Dictation("What is four plus six?")
    brain = ScriptBrain("Ten.")
    async with make(brain, hearing=hearing).serve() as endpoint, client(endpoint) as guest:
        await guest.send(turn_detection(None), update(audio={"input": {"transcription": {"model": "whisper-1"}}}))
        await guest.send(*[append(loud(100)) for _ in range(8)], COMMIT)
        response = await guest.ask(CREATE)
        assert response["output"][0]["content"][0]["transcript"] == "Ten."
        completed = [e for e in guest.events if e["type"].endswith("transcription.completed")]
        assert completed[0]["transcript"] == "What is four plus six?"
        assert hearing.heard_ms == [800]
        assert brain.requests[0].items[0]["content"][0]["transcript"] == "What is four plus six?"


async def test_a_spoken_turn_with_turn_detection() -> None:
    brain = ScriptBrain("Hello to you.")
    async with make(brain, hearing=Dictation("hello")).serve() as endpoint, client(endpoint) as guest:
        for start in range(0, 1500, 40):
            await guest.send(append(loud(40) if 300 <= start < 900 else silence(40)))
        await guest.until("response.done")
        names = types(guest.events)
        assert names[:7] == [
            "session.created",
            "input_audio_buffer.speech_started",
            "input_audio_buffer.speech_stopped",
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done",
            "response.created",
        ]
        assert brain.requests[0].items[0]["content"][0]["transcript"] == "hello"


async def test_barge_in_over_a_real_socket() -> None:
    never = asyncio.Event()
    brain = ScriptBrain(["A long story begins here. It goes on ", wait(never)], "Yes?")
    async with make(brain, hearing=Dictation("stop")).serve() as endpoint, client(endpoint) as guest:
        await guest.send(CREATE)
        await guest.until("response.output_audio.delta")
        await guest.send(append(loud(400)))
        started = await guest.until("input_audio_buffer.speech_started")
        done = await guest.until("response.done")
        assert done["response"]["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
        item = done["response"]["output"][0]
        sent_ms = len(sound(guest.events)) // MS
        cut = {"type": "conversation.item.truncate", "item_id": item["id"], "content_index": 0, "audio_end_ms": sent_ms}
        await guest.send(cut, {"type": "conversation.item.retrieve", "item_id": item["id"]})
        assert (await guest.until("conversation.item.truncated"))["audio_end_ms"] == sent_ms
        retrieved = await guest.until("conversation.item.retrieved")
        assert len(base64.b64decode(retrieved["item"]["content"][0]["audio"])) == sent_ms * MS
        await guest.send(append(silence(600)))
        assert (await guest.until("input_audio_buffer.committed"))["item_id"] == started["item_id"]
        assert (await guest.until("response.done"))["response"]["status"] == "completed"


async def test_ears_that_break_are_a_failed_transcription_and_the_turn_goes_on() -> None:
    class Broken(Dictation):
        async def listen(self, settings: Mapping[str, Any]) -> Any:
            raise ImportError("No recogniser is installed: pip install rtnb[local].")

    async with make(ScriptBrain("Pardon?"), hearing=Broken()).serve() as endpoint, client(endpoint) as guest:
        await guest.send(turn_detection(None), update(audio={"input": {"transcription": {"model": "whisper-1"}}}))
        response = await guest.ask(append(loud(300)), COMMIT, CREATE)
        assert response["status"] == "completed"
        failed = next(e for e in guest.events if e["type"].endswith("transcription.failed"))
        assert "pip install" in failed["error"]["message"]


async def test_deleting_what_is_being_recognised_stops_the_recogniser() -> None:
    class Slow(Dictation):
        async def listen(self, settings: Mapping[str, Any]) -> Any:
            return SlowListener()

    class SlowListener:
        async def push(self, pcm: bytes) -> str:
            return ""

        async def finish(self) -> Transcript:
            finishing.set()
            await asyncio.Event().wait()
            raise AssertionError

        async def cancel(self) -> None:
            cancelled.set()

    finishing, cancelled = asyncio.Event(), asyncio.Event()
    async with make(ScriptBrain("Yes."), hearing=Slow()).serve() as endpoint, client(endpoint) as guest:
        await guest.send(turn_detection(None), append(loud(300)), COMMIT, CREATE)
        item_id = (await guest.until("input_audio_buffer.committed"))["item_id"]
        async with asyncio.timeout(TIMEOUT_S):
            await finishing.wait()
            await guest.send({"type": "conversation.item.delete", "item_id": item_id})
            await cancelled.wait()
        assert (await guest.until("response.done"))["response"]["status"] == "completed"


async def test_audio_that_is_cleared_is_not_understood_any_further() -> None:
    hearing = Dictation("kept")
    async with make(ScriptBrain(), hearing=hearing).serve() as endpoint, client(endpoint) as guest:
        await guest.send(turn_detection(None), append(loud(300)))
        await guest.send({"type": "input_audio_buffer.clear"}, append(loud(200)), COMMIT, user("x"))
        await guest.until("input_audio_buffer.committed")
        async with asyncio.timeout(TIMEOUT_S):
            while not hearing.heard_ms:
                await asyncio.sleep(0)
        assert hearing.heard_ms == [200]


async def test_partial_texts_reach_turn_detection_and_live_transcription() -> None:
    class Live(Dictation):
        async def listen(self, settings: Mapping[str, Any]) -> Any:
            assert settings["model"] == "gpt-live-transcribe"
            return LiveListener()

    class LiveListener:
        async def push(self, pcm: bytes) -> str:
            return "so far"

        async def finish(self) -> Transcript:
            return Transcript("so far so good")

        async def cancel(self) -> None:
            pass

    async with (
        make(ScriptBrain(), hearing=Live()).serve() as endpoint,
        client(endpoint, "?intent=transcription") as guest,
    ):
        audio = {"input": {"transcription": {"model": "gpt-live-transcribe"}}}
        await guest.send({"type": "session.update", "session": {"type": "transcription", "audio": audio}})
        await guest.send(append(loud(200)))
        delta = await guest.until("conversation.item.input_audio_transcription.delta")
        assert delta["delta"] == "so far"
        await guest.send(append(loud(200)), COMMIT)
        assert (await guest.until("input_audio_buffer.committed"))["item_id"] == delta["item_id"]
        completed = await guest.until("conversation.item.input_audio_transcription.completed")
        assert completed["transcript"] == "so far so good"


async def test_the_idle_timeout_asks_again() -> None:
    brain = ScriptBrain("Hello.", "Are you there?")
    async with make(brain).serve() as endpoint, client(endpoint) as guest:
        await guest.send(turn_detection({"type": "server_vad", "idle_timeout_ms": 5000}))
        await guest.ask(TEXT)
        await guest.until("input_audio_buffer.timeout_triggered")
        response = (await guest.until("response.done"))["response"]
        assert response["output"][0]["content"][0]["transcript"] == "Are you there?"
        await guest.send(turn_detection(None))


async def test_the_default_engines_are_used_when_none_is_given() -> None:
    async with LocalEndpoint().serve() as endpoint, client(endpoint) as guest:
        response = await guest.ask(user("Hello!"), TEXT)
        assert response["status"] == "completed"
        assert response["output"][0]["content"][0]["text"]


async def test_a_rule_answers_what_was_said() -> None:
    brain = ScriptBrain(when("weather", "It rains."), "Something else.")
    async with make(brain).serve() as endpoint, client(endpoint) as guest:
        response = await guest.ask(user("How is the weather?"), TEXT)
        assert response["output"][0]["content"][0]["text"] == "It rains."
