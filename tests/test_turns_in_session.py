"""Spoken turns over a real socket: by hand, by push-to-talk, and by what the server detects."""

from __future__ import annotations

import base64
import threading
from typing import Any

import pytest
from helpers_local import Dictation, loud, silence
from helpers_session import Gate, Heard, Lab, eventually, in_thread, lab
from helpers_sound import MS, FedMicrophone

import rtnb
from rtnb.core.lint import lint
from rtnb.local.brains import wait

__all__ = ["lab"]

VAD = {"type": "server_vad", "silence_duration_ms": 200, "prefix_padding_ms": 0}


def appended(session: rtnb.Session) -> bytes:
    entries = session.events.filter("input_audio_buffer.append", direction="client")
    return b"".join(base64.b64decode(entry.event["audio"]) for entry in entries)


def counted(frames: int, first: int = 0) -> bytes:
    """Frames of 40 ms that can be told apart."""
    return b"".join((number + 1).to_bytes(2, "little") * 960 for number in range(first, first + frames))


def numbers(pcm: bytes) -> list[int]:
    return [int.from_bytes(pcm[at : at + 2], "little") - 1 for at in range(0, len(pcm), 1920)]


def names(session: rtnb.Session, direction: str = "client") -> list[str]:
    return [entry.name for entry in session.events if entry.direction == direction]


# ---- by hand


def test_a_turn_by_hand_is_appended_committed_and_answered(lab: Lab) -> None:
    session = lab.session("I hear you.").connect()
    session.append_audio(loud(300))
    item = session.commit()
    assert item.role == "user"
    assert item.audio_ms == 300
    assert session.respond().text == "I hear you."
    assert session.items[0] is item


def test_less_than_100_ms_is_refused_in_words_and_nothing_is_sent(lab: Lab) -> None:
    session = lab.session().connect()
    session.append_audio(loud(60))
    with pytest.raises(rtnb.ProtocolError, match=r"only 60 ms .* 100 ms and more"):
        session.commit()
    assert "input_audio_buffer.commit" not in names(session)
    session.append_audio(loud(60))
    assert session.commit().audio_ms == 120


def test_what_was_cleared_does_not_count(lab: Lab) -> None:
    session = lab.session().connect()
    session.append_audio(loud(300))
    session.clear_audio()
    with pytest.raises(rtnb.ProtocolError, match="only 0 ms"):
        session.commit()


# ---- session.recording()


def test_a_recording_without_a_microphone_is_what_was_appended(lab: Lab) -> None:
    session = lab.session("I hear you.")
    with session.recording() as answers:
        session.append_audio(loud(300))
    assert answers[0].text == "I hear you."
    assert session.items[0].audio_ms == 300


def test_a_recording_starts_the_microphone_and_waits_for_its_last_frame(lab: Lab) -> None:
    session = lab.session("I hear you.")
    microphone = FedMicrophone()
    session.attach(microphone=microphone)
    with session.recording() as answers:
        assert microphone.calls == ["start"]
        microphone.say(counted(5))
        microphone.last = counted(1, first=5)  # comes late, from another thread
    assert microphone.calls == ["start", "stop"]
    assert answers[0].text == "I hear you."
    assert numbers(session.items[0].audio()) == [0, 1, 2, 3, 4, 5]
    assert len(session.replies) == 1  # push-to-talk has not answered a second time


def test_a_microphone_that_does_not_tell_its_end_is_waited_for_too(lab: Lab) -> None:
    session = lab.session("I hear you.")
    microphone = FedMicrophone(tells=False)
    session.attach(microphone=microphone)
    with session.recording() as answers:
        microphone.say(counted(5))
        microphone.last = counted(1, first=5)
    assert answers[0].text == "I hear you."
    assert numbers(session.items[0].audio()) == [0, 1, 2, 3, 4, 5]


def test_a_recording_that_is_too_short_is_told_and_leaves_nothing_behind(lab: Lab) -> None:
    session = lab.session("I hear you.")
    with pytest.raises(rtnb.ProtocolError, match="only 40 ms"), session.recording():
        session.append_audio(loud(40))
    with session.recording() as answers:
        session.append_audio(loud(120))
    assert answers[0].text == "I hear you."
    assert session.items[0].audio_ms == 120


def test_a_recording_that_fails_stops_the_microphone_and_sends_no_turn(lab: Lab) -> None:
    session = lab.session()
    microphone = FedMicrophone()
    session.attach(microphone=microphone)

    def fail() -> None:
        with session.recording():
            microphone.say(counted(5))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert microphone.calls == ["start", "stop"]
    session.wait("input_audio_buffer.cleared", after=-1)
    assert "input_audio_buffer.commit" not in names(session)
    assert session.replies == []


def test_a_recording_where_the_server_detects_turns_is_refused(lab: Lab) -> None:
    session = lab.session(turn_detection=VAD)
    with pytest.raises(rtnb.ProtocolError, match=r"turn_detection=None"), session.recording():
        pass


def test_a_recording_interrupts_what_is_said(lab: Lab) -> None:
    gate = Gate()
    session = lab.session([wait(gate), "Never said."], "I hear you.")
    story = session.ask("Tell me a story")
    session.wait("response.created", after=-1)
    with session.recording() as answers:
        session.append_audio(loud(300))
    assert story.wait().status == "cancelled"
    assert answers[0].text == "I hear you."


# ---- push-to-talk


def push_to_talk(lab: Lab, *steps: Any, **options: Any) -> tuple[rtnb.Session, FedMicrophone]:
    session = lab.session(*steps, **options)
    microphone = FedMicrophone()
    session.attach(microphone=microphone)
    return session, microphone


def first_reply(session: rtnb.Session) -> rtnb.Reply:
    reply: rtnb.Reply = eventually(lambda: session.replies)[0]
    return reply


def test_releasing_the_button_sends_the_turn_and_gets_the_answer(lab: Lab) -> None:
    session, microphone = push_to_talk(lab, "I hear you.")
    session.connect()
    microphone.press()
    microphone.say(counted(5))
    microphone.release()
    assert first_reply(session).text == "I hear you."
    assert numbers(session.items[0].audio()) == [0, 1, 2, 3, 4]
    told = [name for name in names(session) if name != "session.update"]
    assert told == ["input_audio_buffer.append"] * 5 + ["input_audio_buffer.commit", "response.create"]


def test_a_button_that_is_only_touched_sends_nothing_and_hints(lab: Lab) -> None:
    session, microphone = push_to_talk(lab, "I hear you.")
    hints = Heard()
    session.on("session.hint", hints)
    session.connect()
    microphone.press()
    microphone.say(loud(80))
    microphone.release()
    assert hints.next() == "only 80 ms were recorded: hold the button while you speak"
    session.wait("input_audio_buffer.cleared", after=-1)
    assert session.replies == []
    microphone.press()
    microphone.say(counted(3))
    microphone.release()
    assert first_reply(session).text == "I hear you."
    assert numbers(session.items[0].audio()) == [0, 1, 2]  # nothing is left of the touch


def test_pressing_before_the_session_is_open_connects_and_loses_no_frame(lab: Lab) -> None:
    session, microphone = push_to_talk(lab, "I hear you.")
    microphone.press()
    microphone.say(counted(20))
    eventually(lambda: session.state.value == "ready")
    microphone.say(counted(20, first=20))
    microphone.release()
    assert first_reply(session).text == "I hear you."
    assert numbers(session.items[0].audio()) == list(range(40))
    assert session.dropped == 0


def test_a_whole_turn_that_was_spoken_before_the_session_is_open_is_answered(lab: Lab) -> None:
    session, microphone = push_to_talk(lab, "I hear you.")
    microphone.press()
    microphone.say(counted(10))
    microphone.release()
    assert first_reply(session).text == "I hear you."
    assert numbers(session.items[0].audio()) == list(range(10))


def test_pressing_where_no_server_is_says_that_nobody_hears() -> None:
    session = rtnb.Session("ws://127.0.0.1:9/v1/realtime", key="none")
    hints = Heard()
    session.on("session.hint", hints)
    microphone = FedMicrophone()
    session.attach(microphone=microphone)
    microphone.press()
    assert "nobody hears you" in hints.next()
    session.close()


def test_closing_while_the_button_is_held_stops_the_microphone_and_sends_no_turn(lab: Lab) -> None:
    session, microphone = push_to_talk(lab)
    session.connect()
    microphone.press()
    microphone.say(counted(5))
    session.close()
    assert microphone.calls == ["stop"]
    eventually(lambda: not microphone.is_on)
    assert session.state.value == "closed"
    assert session.replies == []


def test_two_presses_are_two_turns(lab: Lab) -> None:
    session, microphone = push_to_talk(lab, "One.", "Two.")
    session.connect()
    for index, answer in enumerate(("One.", "Two.")):
        microphone.press()
        microphone.say(counted(4, first=10 * index))
        microphone.release()
        eventually(lambda count=index: len(session.replies) > count)
        assert session.replies[index].text == answer
    spoken = [numbers(item.audio()) for item in session.items if item.role == "user"]
    assert spoken == [[0, 1, 2, 3], [10, 11, 12, 13]]


# ---- frames that are lost


def test_frames_that_the_socket_cannot_take_are_counted_and_the_newest_survive(lab: Lab) -> None:
    session, microphone = push_to_talk(lab)
    session.connect()
    microphone.press()
    session.wait("session.updated", after=-1)
    go_on, reached = threading.Event(), threading.Event()
    session._core.post(lambda: (reached.set(), go_on.wait(20)))
    assert reached.wait(20)
    microphone.say(counted(300))
    assert session.dropped == 50
    go_on.set()
    session.clear_audio()
    assert numbers(appended(session)) == list(range(50, 300))


def test_frames_that_the_microphone_lost_are_counted(lab: Lab) -> None:
    session, microphone = push_to_talk(lab)
    assert microphone.on_dropped is not None
    microphone.on_dropped(2)
    microphone.on_dropped(3)
    assert session.dropped == 3
    session.attach(None)
    assert session.dropped == 3


def test_what_is_said_for_too_long_before_the_connection_is_counted(lab: Lab) -> None:
    session = lab.session()
    microphone = FedMicrophone()
    session.attach(microphone=microphone)
    gate, reached = threading.Event(), threading.Event()
    session._core.post(lambda: (reached.set(), gate.wait(20)))
    assert reached.wait(20)
    microphone.press()
    microphone.say(counted(260))
    assert session.dropped == 10
    gate.set()
    session.connect()
    session.clear_audio()
    assert numbers(appended(session)) == list(range(10, 260))


# ---- devices


def test_attach_none_detaches_both(lab: Lab) -> None:
    session, microphone = push_to_talk(lab)
    speaker = rtnb.session.sound.SilentSpeaker()
    session.attach(speaker=speaker)
    assert microphone.on_audio is not None
    eventually(lambda: speaker.on_heard is not None)
    session.connect()
    session.attach(None)
    assert microphone.on_audio is None
    assert microphone.on_recording is None
    eventually(lambda: speaker.on_heard is None)
    microphone.press()
    microphone.say(loud(200))
    session.clear_audio()
    assert appended(session) == b""


def test_one_device_is_changed_and_the_other_stays(lab: Lab) -> None:
    session, microphone = push_to_talk(lab)
    session.attach(speaker=None)
    assert microphone.on_audio is not None
    session.attach(microphone=None)
    assert microphone.on_audio is None


def test_a_microphone_belongs_to_the_session_that_took_it_last(lab: Lab) -> None:
    session, microphone = push_to_talk(lab)
    other = lab.session()
    other.attach(microphone=microphone)
    session.attach(None)
    assert microphone.on_audio is not None
    assert microphone.calls == []
    other.connect()
    microphone.press()
    microphone.say(loud(200))
    other.clear_audio()
    assert len(appended(other)) == 200 * MS


# ---- turns that the server detects


def test_a_clip_is_asked_without_turn_detection(lab: Lab) -> None:
    session = lab.session("I hear you.")
    assert session.ask(rtnb.Audio.tone(seconds=0.5)).text == "I hear you."
    assert session.items[0].audio_ms == 500


def test_a_clip_is_asked_with_turn_detection_too(lab: Lab) -> None:
    session = lab.session("I hear you.", turn_detection=VAD)
    assert session.ask(rtnb.Audio.tone(seconds=0.5)).text == "I hear you."
    assert len(session.replies) == 1
    assert "input_audio_buffer.speech_started" not in names(session, "server")


def test_switching_the_microphone_off_in_the_middle_of_a_sentence_ends_the_turn(lab: Lab) -> None:
    session, microphone = push_to_talk(lab, "I hear you.", turn_detection=VAD)
    session.connect()
    microphone.press()
    microphone.say(loud(400))
    session.wait("input_audio_buffer.speech_started", after=-1)
    microphone.release()
    assert first_reply(session).text == "I hear you."
    assert len(session.replies) == 1


def test_switching_it_off_in_silence_does_nothing(lab: Lab) -> None:
    session, microphone = push_to_talk(lab, "I hear you.", turn_detection=VAD)
    session.connect()
    microphone.press()
    microphone.say(loud(400) + silence(400))
    assert first_reply(session).text == "I hear you."
    microphone.release()
    session.clear_audio()
    assert "input_audio_buffer.commit" not in names(session)


EVERY_PARAMETER = [
    {
        "type": "server_vad",
        "threshold": 0.6,
        "prefix_padding_ms": 200,
        "silence_duration_ms": 300,
        "create_response": False,
        "interrupt_response": False,
        "idle_timeout_ms": 6000,
    },
    {"type": "semantic_vad", "eagerness": "high", "create_response": False, "interrupt_response": True},
    {"type": "semantic_vad", "eagerness": "low", "create_response": True, "interrupt_response": False},
]


@pytest.mark.parametrize("detection", EVERY_PARAMETER, ids=["server", "semantic", "semantic-low"])
def test_every_parameter_of_turn_detection_is_taken_and_can_be_switched_live(lab: Lab, detection: Any) -> None:
    session = lab.session().connect()
    assert not session._core.detects_turns
    told = session.update(turn_detection=detection)["audio"]["input"]["turn_detection"]
    assert {key: told[key] for key in detection} == detection
    assert session._core.detects_turns
    assert session._core.router.creates_responses is detection["create_response"]
    session.update(turn_detection=None)
    assert not session._core.detects_turns


def test_turn_detection_switched_on_and_off_changes_who_ends_the_turn(lab: Lab) -> None:
    session = lab.session("By the server.", "By hand.").connect()
    session.update(turn_detection=VAD)
    session.append_audio(loud(300) + silence(400))
    assert first_reply(session).text == "By the server."
    session.update(turn_detection=None)
    with session.recording() as answers:
        session.append_audio(loud(300) + silence(400))
    assert answers[0].text == "By hand."
    assert session.items[-2].audio_ms == 700
    assert names(session, "server").count("input_audio_buffer.speech_started") == 1


def test_without_create_response_the_user_asks_for_the_answer(lab: Lab) -> None:
    session = lab.session("Now.", turn_detection={**VAD, "create_response": False}).connect()
    session.append_audio(loud(300) + silence(400))
    session.wait("input_audio_buffer.committed", after=-1)
    assert session.replies == []
    assert session.respond().text == "Now."


def test_what_the_user_said_is_shown_in_the_order_of_the_conversation(lab: Lab) -> None:
    """Transcripts come when they are ready; their items stand where they were said."""
    lab.serve("One.", "Two.", hearing=Dictation("first", "second"))
    session = lab.session(transcription={"model": "gpt-transcribe"}).connect()
    for _ in range(2):
        session.append_audio(loud(300))
        session.commit()
        session.respond().wait()
    eventually(lambda: all(item.transcription == "done" for item in session.items if item.role == "user"))
    assert [item.text for item in session.items] == ["first", "One.", "second", "Two."]


def test_a_wait_in_another_thread_sees_the_turn(lab: Lab) -> None:
    session = lab.session("Yes?", turn_detection=VAD).connect()
    result = in_thread(lambda: session.wait("input_audio_buffer.committed", timeout=20))
    session.append_audio(loud(300) + silence(400))
    assert result()["item_id"] == first_item(session)


def first_item(session: rtnb.Session) -> str:
    found: str = eventually(lambda: session.items)[0].id
    return found


def test_the_defaults_of_a_session_pass_the_lint() -> None:
    for detection in EVERY_PARAMETER:
        session = {"type": "realtime", "audio": {"input": {"turn_detection": detection}}}
        assert lint({"type": "session.update", "session": session}) == []
