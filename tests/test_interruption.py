"""Interruptions over a real socket: silence, cancel when something is active, truncate where it was heard."""

from __future__ import annotations

from typing import Any

import pytest
from helpers_local import loud, silence
from helpers_session import Gate, Heard, Lab, eventually, lab
from helpers_sound import FedMicrophone, Hand

import rtnb
from rtnb.local import voice
from rtnb.local.brains import wait

__all__ = ["lab"]

STORY = "One two three four five six seven eight nine ten."  # ten words of 60 ms: 600 ms
VAD = {"type": "server_vad", "silence_duration_ms": 200, "prefix_padding_ms": 0}


def sent(session: rtnb.Session, name: str) -> list[dict[str, Any]]:
    return [entry.event for entry in session.events.filter(name, direction="client")]


def order(session: rtnb.Session) -> list[str]:
    """What the client sent about stopping, in its order."""
    names = ("response.cancel", "conversation.item.truncate")
    return [entry.name for entry in session.events if entry.direction == "client" and entry.name in names]


def no_errors(session: rtnb.Session) -> bool:
    return not [entry for entry in session.events if entry.name == "error"]


class Stage:
    """A session that speaks through a hand-turned loudspeaker."""

    def __init__(self, lab: Lab, *steps: Any, **options: Any) -> None:
        self.session = lab.session(*steps, **{"output": "audio", **options})
        self.hand = Hand()
        self.session.attach(speaker=self.hand.speaker)
        self.interrupted = Heard()
        self.session.on("conversation.interrupted", self.interrupted)
        self.session.connect()

    def received(self, ms: float, item: int = -1) -> str:
        """Wait until so much of an answer has come; gives the item."""
        ledger = self.session._core.sound.ledger

        def look() -> str | None:
            tracks = list(ledger)
            return tracks[item].item_id if tracks and tracks[item].received_ms >= ms else None

        found: str = eventually(look, f"{ms} ms of audio")
        return found

    def truncated(self, item_id: str) -> dict[str, Any]:
        return self.session.wait("conversation.item.truncated", lambda event: event["item_id"] == item_id, after=-1)


def test_an_answer_that_is_being_made_is_cancelled_and_cut_where_it_was_heard(lab: Lab) -> None:
    gate = Gate()
    stage = Stage(lab, [STORY + " ", wait(gate), "Never said."])
    reply = stage.session.ask("Tell me a story")
    item_id = stage.received(600)
    stage.hand.turn(0.25)
    assert stage.session.interrupt()
    assert reply.wait().status == "cancelled"
    assert stage.truncated(item_id)["audio_end_ms"] == 250
    assert order(stage.session) == ["response.cancel", "conversation.item.truncate"]
    assert stage.interrupted.next() == {"item": None}
    assert not stage.session.is_playing
    assert stage.hand.speaker.played.seconds == 0.25
    assert not stage.session.interrupt()
    assert no_errors(stage.session)


def test_the_part_that_was_heard_is_kept_and_marked(lab: Lab) -> None:
    stage = Stage(lab, STORY)
    reply = stage.session.ask("Tell me a story").wait()
    item_id = stage.received(600)
    stage.hand.turn(0.3125)
    stage.session.interrupt()
    stage.truncated(item_id)
    item = reply.items[0]
    assert item.truncated_at_ms == 312
    assert item.transcript == STORY == item.heard_transcript + item.unheard
    assert STORY.startswith(item.heard_transcript)
    assert "two" in item.heard_transcript
    assert "eight" in item.unheard
    assert len(item.audio(heard=True)) == 312 * 48
    assert reply.text == STORY


def test_an_answer_that_is_done_and_still_heard_is_only_cut(lab: Lab) -> None:
    stage = Stage(lab, STORY)
    reply = stage.session.ask("Tell me a story").wait()
    item_id = stage.received(600)
    stage.hand.turn(0.125)
    assert stage.session.interrupt()
    assert stage.truncated(item_id)["audio_end_ms"] == 125
    assert order(stage.session) == ["conversation.item.truncate"]
    assert reply.status == "completed"
    assert stage.interrupted.next() == {"item": None}
    assert no_errors(stage.session)


def test_an_answer_of_which_nothing_was_heard_is_cut_at_0(lab: Lab) -> None:
    stage = Stage(lab, STORY)
    stage.session.ask("Tell me a story").wait()
    item_id = stage.received(600)
    assert stage.session.interrupt()
    assert stage.truncated(item_id)["audio_end_ms"] == 0
    assert stage.session._core.conversation.item(item_id).heard_transcript == ""  # type: ignore[union-attr]
    assert no_errors(stage.session)


def test_an_answer_that_was_heard_to_its_end_is_not_touched(lab: Lab) -> None:
    stage = Stage(lab, STORY)
    stage.session.ask("Tell me a story").wait()
    stage.received(600)
    stage.hand.turn(2)
    eventually(lambda: not stage.session.is_playing)
    assert not stage.session.interrupt()
    stage.session.clear_audio()  # a round trip: whatever was sent before has been answered
    assert order(stage.session) == []
    assert stage.interrupted.all() == []


def test_when_nothing_plays_nothing_is_sent(lab: Lab) -> None:
    stage = Stage(lab)
    assert not stage.session.interrupt()
    stage.session.clear_audio()
    assert order(stage.session) == []
    assert stage.interrupted.all() == []


def test_several_answers_that_wait_are_each_cut_where_they_were_heard(lab: Lab) -> None:
    stage = Stage(lab, STORY, STORY)
    stage.session.ask("Tell me a story").wait()
    first = stage.received(600)
    stage.session.ask("And another one").wait()
    second = stage.received(600, item=1)
    stage.hand.turn(0.75)
    eventually(lambda: len(stage.session.heard) >= 2)
    assert stage.session.interrupt()
    assert stage.truncated(second)["audio_end_ms"] == 150
    assert [event["item_id"] for event in sent(stage.session, "conversation.item.truncate")] == [second]
    assert first != second
    assert no_errors(stage.session)


def test_a_typed_question_interrupts_when_it_is_told_to(lab: Lab) -> None:
    gate = Gate()
    stage = Stage(lab, [STORY + " ", wait(gate), "Never said."], "Sure.")
    story = stage.session.ask("Tell me a story")
    item_id = stage.received(600)
    stage.hand.turn(0.125)
    answer = stage.session.ask("Stop, what time is it?", interrupt=True)
    assert answer.text == "Sure."
    assert story.status == "cancelled"
    assert stage.truncated(item_id)["audio_end_ms"] == 125
    assert stage.interrupted.next() == {"item": None}
    assert no_errors(stage.session)


def test_a_typed_question_waits_when_it_is_not(lab: Lab) -> None:
    stage = Stage(lab, STORY, "Sure.")
    story = stage.session.ask("Tell me a story")
    assert stage.session.ask("What time is it?").text == "Sure."
    assert story.status == "completed"
    assert order(stage.session) == []


def test_pressing_record_interrupts(lab: Lab) -> None:
    gate = Gate()
    stage = Stage(lab, [STORY + " ", wait(gate), "Never said."])
    microphone = FedMicrophone()
    stage.session.attach(microphone=microphone)
    story = stage.session.ask("Tell me a story")
    item_id = stage.received(600)
    stage.hand.turn(0.5)
    microphone.press()
    assert story.wait().status == "cancelled"
    assert stage.truncated(item_id)["audio_end_ms"] == 500
    assert order(stage.session) == ["response.cancel", "conversation.item.truncate"]


def test_pressing_record_in_the_page_which_is_silent_first_interrupts_too(lab: Lab) -> None:
    """The page stops its loudspeaker before the kernel hears of the button."""
    gate = Gate()
    stage = Stage(lab, [STORY + " ", wait(gate), "Never said."])
    microphone = FedMicrophone()
    stage.session.attach(microphone=microphone)
    story = stage.session.ask("Tell me a story")
    item_id = stage.received(600)
    stage.hand.turn(0.25)
    stage.hand.speaker.stop()
    microphone.press()
    assert story.wait().status == "cancelled"
    assert stage.truncated(item_id)["audio_end_ms"] == 250
    assert order(stage.session) == ["response.cancel", "conversation.item.truncate"]
    assert stage.interrupted.next() == {"item": None}
    assert no_errors(stage.session)


def test_silence_at_the_loudspeaker_alone_lets_the_answer_be_made_to_its_end(lab: Lab) -> None:
    gate = Gate()
    stage = Stage(lab, [STORY + " ", wait(gate), "And the end."])
    story = stage.session.ask("Tell me a story")
    item_id = stage.received(600)
    stage.hand.turn(0.25)
    stage.hand.speaker.stop()
    gate.open()
    assert story.text.endswith("the end.")
    assert stage.truncated(item_id)["audio_end_ms"] == 250
    assert order(stage.session) == ["conversation.item.truncate"]
    assert no_errors(stage.session)


def test_an_answer_that_was_called_off_before_it_began_is_not_heard(lab: Lab) -> None:
    stage = Stage(lab, STORY)
    replies = Heard()

    def ask_and_call_off() -> None:
        replies(stage.session.ask("Tell me a story"))
        stage.session._core.interrupt()

    stage.session._core.post(ask_and_call_off)
    assert replies.next().wait().status == "cancelled"
    stage.session.wait("response.done", after=-1)
    stage.session.clear_audio()
    stage.hand.turn(5)
    assert stage.hand.speaker.played.seconds == 0
    cuts = sent(stage.session, "conversation.item.truncate")
    assert [cut["audio_end_ms"] for cut in cuts] == [0] * len(cuts)
    errors = [entry.event["error"]["code"] for entry in stage.session.events.filter("error")]
    assert set(errors) <= {"response_cancel_not_active"}  # it was made before the cancel came


# ---- the user speaks


def test_speech_interrupts_and_the_server_cancels(lab: Lab) -> None:
    gate = Gate()
    stage = Stage(lab, [STORY + " ", wait(gate), "Never said."], "Yes?", turn_detection=VAD)
    story = stage.session.ask("Tell me a story")
    item_id = stage.received(600)
    stage.hand.turn(0.25)
    stage.session.append_audio(loud(300))
    assert stage.interrupted.next()["item"].role == "user"
    assert story.wait().status == "cancelled"
    assert stage.truncated(item_id)["audio_end_ms"] == 250
    stage.session.append_audio(silence(400))
    stage.session.wait("response.done", lambda event: event["response"]["status"] == "completed", after=-1)
    assert stage.session.replies[-1].text == "Yes?"
    assert order(stage.session) == ["conversation.item.truncate"]  # no cancel of ours
    assert no_errors(stage.session)


def test_speech_over_an_answer_that_is_done_only_cuts_it(lab: Lab) -> None:
    stage = Stage(lab, STORY, "Yes?", turn_detection=VAD)
    stage.session.ask("Tell me a story").wait()
    item_id = stage.received(600)
    stage.hand.turn(0.375)
    stage.session.append_audio(loud(300))
    assert stage.truncated(item_id)["audio_end_ms"] == 375
    assert stage.interrupted.next()["item"].role == "user"
    assert no_errors(stage.session)


def test_speech_into_silence_interrupts_nothing(lab: Lab) -> None:
    stage = Stage(lab, "Yes?", turn_detection=VAD)
    stage.session.append_audio(loud(300) + silence(400))
    stage.session.wait("response.done", after=-1)
    assert order(stage.session) == []
    assert stage.interrupted.all() == []


def test_without_interrupt_response_speech_does_not_silence(lab: Lab) -> None:
    stage = Stage(lab, STORY, turn_detection={**VAD, "interrupt_response": False, "create_response": False})
    stage.session.ask("Tell me a story").wait()
    stage.received(600)
    stage.session.append_audio(loud(300) + silence(400))
    stage.session.wait("input_audio_buffer.committed", after=-1)
    assert stage.session.is_playing
    stage.hand.turn(1)
    eventually(lambda: not stage.session.is_playing)
    assert stage.hand.speaker.played.seconds == pytest.approx(0.6, abs=0.01)
    assert order(stage.session) == []
    assert stage.interrupted.all() == []


def test_in_half_duplex_the_microphone_is_deaf_while_an_answer_is_heard(lab: Lab) -> None:
    stage = Stage(lab, STORY, "Yes?", turn_detection=VAD)
    stage.session.half_duplex = True
    microphone = FedMicrophone()
    stage.session.attach(microphone=microphone)
    stage.session.ask("Tell me a story").wait()
    stage.received(600)
    microphone.say(loud(400))
    stage.session.clear_audio()
    assert sent(stage.session, "input_audio_buffer.append") == []
    stage.hand.turn(1)
    eventually(lambda: not stage.session.is_playing)
    microphone.say(loud(400) + silence(400))
    stage.session.wait("input_audio_buffer.speech_started", after=-1)


def test_echo_is_hinted_at(lab: Lab) -> None:
    from helpers_local import Dictation

    lab.serve(STORY, "Yes?", hearing=Dictation("two three four five"))
    stage = Stage(lab, turn_detection=VAD, transcription={"model": "gpt-transcribe"})
    hints = Heard()
    stage.session.on("session.hint", hints)
    stage.session.ask("Tell me a story").wait()
    stage.received(600)
    stage.hand.turn(0.25)
    stage.session.append_audio(loud(300) + silence(400))
    assert "echo" in hints.next()


# ---- around it


def test_closing_while_an_answer_plays_is_silent_at_once(lab: Lab) -> None:
    stage = Stage(lab, STORY)
    stage.session.ask("Tell me a story").wait()
    stage.received(600)
    stage.hand.turn(0.125)
    stage.session.close()
    assert not stage.session.is_playing
    stage.hand.turn(5)
    assert stage.hand.speaker.played.seconds == 0.125


def test_after_closing_and_opening_again_answers_are_heard(lab: Lab) -> None:
    stage = Stage(lab, STORY, STORY)
    stage.session.ask("Tell me a story").wait()
    stage.session.close()
    stage.session.ask("Tell me a story").wait()
    stage.received(600)
    stage.hand.turn(1)
    eventually(lambda: not stage.session.is_playing)
    assert stage.hand.speaker.played.seconds == pytest.approx(0.6, abs=0.01)


def test_telephone_answers_are_played_for_as_long_as_they_last(lab: Lab) -> None:
    lab.serve(STORY, STORY, voice=voice.ToneVoice())
    plain = Stage(lab)
    wanted = plain.session.ask("Tell me a story").audio
    stage = Stage(lab, config={"audio": {"output": {"format": {"type": "audio/pcma"}}}})
    reply = stage.session.ask("Tell me a story").wait()
    item_id = stage.received(1000 * wanted.seconds - 20)
    stage.hand.turn(0.25)
    stage.session.interrupt()
    assert stage.truncated(item_id)["audio_end_ms"] == 250
    assert reply.audio.seconds == pytest.approx(wanted.seconds, abs=0.02)
    assert reply.audio.level == pytest.approx(wanted.level, abs=1)
    assert stage.hand.speaker.played.level == pytest.approx(wanted[:0.25].level, abs=1)
    assert no_errors(stage.session)


def test_two_sessions_share_a_loudspeaker(lab: Lab) -> None:
    one = Stage(lab, STORY, STORY)
    other = lab.session(output="audio")
    other.attach(speaker=one.hand.speaker)
    one.session.ask("Tell me a story").wait()
    mine = one.received(600)
    other.ask("And you").wait()
    eventually(lambda: other.is_playing)
    one.hand.turn(0.25)
    one.session.interrupt()
    assert one.truncated(mine)["audio_end_ms"] == 250
    cut = other.wait("conversation.item.truncated", after=-1)
    assert cut["audio_end_ms"] == 0  # it was next, and nothing of it was heard
    assert not other.is_playing


def test_the_loudspeaker_may_play_on_a_thread_of_its_own(lab: Lab) -> None:
    from rtnb.session.sound import SilentSpeaker

    session = lab.session(STORY, output="audio")
    session.attach(speaker=SilentSpeaker(speed=50))
    session.ask("Tell me a story").wait()
    eventually(lambda: session.heard and session.heard[-1].final)
    assert session.heard[-1].samples == 14_400
    assert not session.interrupt()
