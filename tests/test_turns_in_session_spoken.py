"""Turns with real speech: spoken by the local voice, detected and understood by the engines that are installed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from helpers_local import ToneVoice
from helpers_session import TIMEOUT_S, Heard, eventually
from helpers_sound import FedMicrophone, Hand

import rtnb
from rtnb.core.audio import Audio
from rtnb.local.brains import ScriptBrain
from rtnb.local.server import LocalEndpoint
from rtnb.local.voice import synthesize

STORY = "One two three four five six seven eight nine ten. " * 4
PAUSE = Audio.silence(1.2)
SPEAKER = "espeak:en-us+edward"  # whom the recogniser understands best

EDGE = Audio.silence(0.3)  # as a microphone's pre-roll has it: a clip cut to its first sound is hard to understand
SUM = EDGE + Audio(synthesize("What is four plus six?", SPEAKER)) + EDGE
STOP = EDGE + Audio(synthesize("What time is it in Paris?", SPEAKER)) + EDGE


@pytest.fixture(scope="module")
def endpoint() -> Iterator[LocalEndpoint]:
    brain = ScriptBrain("Ten.", repeat=True)
    with LocalEndpoint(brain=brain, voice=ToneVoice(), pace=None) as running:
        yield running


@pytest.fixture
def session(endpoint: LocalEndpoint) -> Iterator[rtnb.Session]:
    made = rtnb.Session(endpoint)
    yield made
    made.close()


def users(session: rtnb.Session) -> list[Any]:
    return [item for item in session.items if item.role == "user"]


def understood(session: rtnb.Session, count: int = 1) -> list[str]:
    eventually(lambda: [item.transcription for item in users(session)].count("done") >= count, "a transcript")
    return [item.text.lower() for item in users(session)]


def test_a_spoken_question_is_a_turn_by_its_meaning_too(session: rtnb.Session) -> None:
    session.connect()
    session.update(turn_detection={"type": "semantic_vad", "eagerness": "low"})
    stopped = threading.Event()
    session.on("input_audio_buffer.speech_stopped", lambda _: stopped.set())
    piece = Audio.silence(0.1)
    for at in range(0, len(SUM) + 6 * 24_000, len(piece)):  # as fast as it is spoken: the words must be known in time
        session.append_audio(SUM[at / 24_000 : at / 24_000 + 0.1] if at < len(SUM) else piece)
        if stopped.wait(0.1):
            break
    assert "four plus six" in understood(session)[0]
    assert eventually(lambda: session.replies)[0].text == "Ten."
    item = users(session)[0]
    # What looks complete ends 0.9 s after its last sound, 0.6 s after this clip; what nobody understood, after 4.4 s.
    assert SUM.seconds < item.audio_end_ms / 1000 < SUM.seconds + 3
    assert item.audio_start_ms < item.audio_end_ms


def test_spoken_questions_are_turns_and_stand_in_their_order(session: rtnb.Session) -> None:
    session.connect()
    session.update(turn_detection={"type": "server_vad", "silence_duration_ms": 400})
    for count, question in enumerate((SUM, STOP), 1):
        session.append_audio(question + PAUSE)
        eventually(lambda wanted=count: len(session.replies) == wanted)
        session.replies[-1].wait()
    first, second = understood(session, 2)
    assert "four plus six" in first
    assert "paris" in second
    assert [item.role for item in session.items] == ["user", "assistant", "user", "assistant"]


def test_push_to_talk_with_speech(session: rtnb.Session) -> None:
    microphone = FedMicrophone()
    session.attach(microphone=microphone)
    microphone.press()
    microphone.say(SUM.pcm)
    microphone.release()
    assert eventually(lambda: session.replies)[0].text == "Ten."
    assert "four plus six" in understood(session)[0]


def test_speech_over_the_answer_cuts_it_where_it_was_heard() -> None:
    with LocalEndpoint(brain=ScriptBrain(STORY, "Yes?"), voice=ToneVoice(), pace=None) as endpoint:
        session = rtnb.Session(endpoint, turn_detection={"type": "server_vad", "silence_duration_ms": 400})
        try:
            hand = Hand()
            session.attach(speaker=hand.speaker)
            interrupted = Heard()
            session.on("conversation.interrupted", interrupted)
            story = session.ask("Tell me a story").wait()
            hand.turn(0.5)
            session.append_audio(STOP[:0.9])
            assert interrupted.next()["item"].role == "user"
            cut = session.wait("conversation.item.truncated", after=-1, timeout=TIMEOUT_S)
            assert cut["audio_end_ms"] == 500
            assert story.items[0].unheard
            session.append_audio(STOP[0.9:] + PAUSE)
            eventually(lambda: len(session.replies) == 2)
            assert session.replies[1].text == "Yes?"
            assert not [entry for entry in session.events if entry.name == "error"]
        finally:
            session.close()
