"""Staying connected while somebody speaks, or listens."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from helpers_local import Dictation, ToneVoice, loud, silence
from helpers_reconnect import ContentBrain, Wire, wired
from helpers_session import TIMEOUT_S, Heard, Lab, eventually, lab
from helpers_sound import FedMicrophone, NotingSpeaker

import rtnb
from rtnb.session.session import SessionState

__all__ = ["lab"]

VAD = {"type": "server_vad", "silence_duration_ms": 200, "prefix_padding_ms": 0}


@pytest.fixture
def wire(lab: Lab) -> Iterator[Wire]:
    endpoint = lab.serve(brain=ContentBrain(2), voice=ToneVoice(), hearing=Dictation(*["hello"] * 9))
    with wired(endpoint.url) as made:
        yield made


def lose(wire: Wire, session: rtnb.Session) -> None:
    wire.is_down = True
    wire.cut()
    eventually(lambda: session.state is SessionState.RECONNECTING, "the loss")


def test_a_recording_goes_on_over_the_loss_with_every_frame(wire: Wire) -> None:
    microphone = FedMicrophone()
    with rtnb.Session(wire.url, output="text", transcription=None) as session:
        session.attach(microphone=microphone)
        microphone.press()
        microphone.say(loud(400))
        eventually(lambda: session._core.conversation.input_ms == 400, "the sound to be sent")
        lose(wire, session)
        microphone.say(loud(200))
        wire.is_down = False
        session.connect(timeout=TIMEOUT_S)
        microphone.say(loud(120))
        microphone.release()
        eventually(lambda: session.replies and session.replies[-1].is_done, "the answer")
        assert session.replies[-1].status == "completed"
        assert session.items[0].audio() == loud(720)
        assert session.dropped == 0


def test_a_recording_that_ends_meanwhile_is_answered_in_the_new_connection(wire: Wire) -> None:
    microphone = FedMicrophone()
    with rtnb.Session(wire.url, output="text", transcription=None) as session:
        session.attach(microphone=microphone)
        lose(wire, session)
        microphone.press()
        microphone.say(loud(320))
        microphone.release()
        wire.is_down = False
        eventually(lambda: session.replies and session.replies[-1].is_done, "the answer")
        assert session.replies[-1].text
        assert session.items[0].audio() == loud(320)


def test_an_open_microphone_is_not_sent_late_and_that_is_said(wire: Wire) -> None:
    microphone = FedMicrophone()
    with rtnb.Session(wire.url, output="text", transcription=None, turn_detection=VAD) as session:
        hints = Heard()
        session.on("session.hint", hints)
        session.attach(microphone=microphone)
        microphone.press()
        microphone.say(loud(400))
        eventually(lambda: session._core.conversation.speech is not None, "the server to hear it")
        lose(wire, session)
        before = session.dropped
        microphone.say(loud(400))
        eventually(lambda: session.dropped == before + 10, "the count")
        wire.is_down = False
        session.connect(timeout=TIMEOUT_S)
        said = ""
        while "frames of the microphone were not sent" not in said:
            said += hints.next()
        assert "what you were saying when the connection was lost did not arrive" in said
        microphone.say(loud(400) + silence(600))
        eventually(lambda: session.replies and session.replies[-1].is_done, "the answer")
        assert session.replies[-1].text
        conversation = session._core.conversation
        eventually(lambda: conversation.input_ms >= 1000, "the rest of the silence")  # the turn may end before it
        assert conversation.input_ms == 1000  # nothing of what was said before


def test_speech_that_was_committed_is_answered_though_its_answer_was_lost(wire: Wire) -> None:
    microphone = FedMicrophone()
    with rtnb.Session(wire.url, output="text", transcription=None, turn_detection=VAD) as session:
        session.attach(microphone=microphone)
        microphone.press()
        # Cut as soon as the server has said that the speech is an item: its answer never comes through this wire.
        session.on("input_audio_buffer.committed", lambda event: wire.cut())
        microphone.say(loud(400) + silence(600))
        eventually(lambda: session.replies and session.replies[-1].is_done, "the answer")
        assert session.replies[-1].status in ("completed", "incomplete")
        assert [item.role for item in session.items] == ["user", "assistant"]
        session.off("input_audio_buffer.committed")


def test_what_has_come_is_heard_to_its_end_though_the_connection_is_lost(wire: Wire) -> None:
    speaker = NotingSpeaker()
    with rtnb.Session(wire.url, transcription=None) as session:
        session.attach(speaker=speaker)
        reply = session.ask("one").wait(TIMEOUT_S)
        (item,) = reply.items
        eventually(lambda: ("end", item.id) in speaker.calls, "the end of the sound")
        states = Heard()
        session.on("session.state", states)
        wire.cut()
        assert [states.next().value, states.next().value] == ["reconnecting", "ready"]
        assert ("stop", "") not in speaker.calls
        assert speaker.pcm[item.id] == item.audio()
        assert session.is_playing
        session.interrupt()  # now the server has its words only: there is nothing to truncate
        speaker.report(item.id, 40, final=True)
        assert session.ask("two").text
        assert "conversation.item.truncate" not in session.events.names
        assert "error" not in session.events.names


def test_an_answer_cut_in_its_midst_is_heard_as_far_as_it_came(lab: Lab) -> None:
    endpoint = lab.serve(["One two three. ", "Four five six. "] * 20, "after", pace=1.0)
    speaker = NotingSpeaker()
    with wired(endpoint.url) as wire, rtnb.Session(wire.url, transcription=None) as session:
        session.attach(speaker=speaker)
        reply = session.ask("go on")
        eventually(lambda: speaker.pcm, "the first sound")
        wire.cut()
        assert reply.wait(TIMEOUT_S).status == "incomplete"
        item = reply.items[0]
        eventually(lambda: ("end", item.id) in speaker.calls, "the end of what there is")
        assert speaker.pcm[item.id] == item.audio()
        assert session.ask("and now?").text == "after"
