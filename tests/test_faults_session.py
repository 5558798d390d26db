"""Each fault of the local endpoint as a user meets it: nothing is lost, and a sentence says what was."""

from __future__ import annotations

from typing import Any

import pytest
from helpers_local import Dictation, ToneVoice, loud
from helpers_session import TIMEOUT_S, Gate, Heard, Lab, eventually, lab

import rtnb
from rtnb.local.brains import ScriptBrain, wait, when
from rtnb.local.faults import FAULTS, Fault
from rtnb.session.session import SessionState

__all__ = ["lab"]

ANSWER = "One. Two. Three."


@pytest.fixture(params=["text", "audio"])
def output(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def ask_with(lab: Lab, fault: Any, output: str) -> tuple[rtnb.Session, rtnb.Reply, Heard, Heard]:
    """A session of three turns, the second of which is befallen; with its hints and errors."""
    brain = ScriptBrain(when(lambda _: True, ["One. ", "Two. ", "Three."]))
    lab.serve(brain=brain, voice=ToneVoice())
    session = lab.session(output=output)
    hints, errors = Heard(), Heard()
    session.on("session.hint", hints)
    session.on("error", errors)
    assert session.ask("first").text == ANSWER
    lab.endpoint._faults.add(Fault.of(fault))
    reply = session.ask("second").wait(TIMEOUT_S)
    assert session.ask("third").text == ANSWER
    assert session.state is SessionState.READY
    assert session.failure is None
    questions = [item.text for item in session.items if item.role == "user"]
    assert questions == ["first", "second", "third"]
    assert [item.text for item in session.items][-1] == ANSWER
    return session, reply, hints, errors


def told(heard: Heard, words: str) -> str:
    """Everything that was told up to what has these words in it."""
    said = ""
    while words not in said:
        said += " | " + str(heard.next())
    return said


@pytest.mark.parametrize("fault", ["drop", "expire"])
def test_a_lost_connection_is_said_and_opened_again(lab: Lab, fault: str, output: str) -> None:
    session, reply, hints, _ = ask_with(lab, fault, output)
    assert reply.status in ("completed", "incomplete")
    if reply.status == "incomplete":
        assert ANSWER.startswith(reply.text_so_far.strip())
        assert isinstance(reply.error, rtnb.ConnectionClosed)
    assert session.events.names["session.created"] == 2
    words = told(hints, "connected again after")
    assert "it is being opened again, with the conversation" in words
    assert ("the server ended the session" in words) is (fault == "expire")


def test_what_was_said_before_a_drop_is_kept(lab: Lab) -> None:
    gate = Gate()
    lab.serve(["One. ", wait(gate), "Two."], "again")
    session = lab.session()
    lab.endpoint.fault("drop")
    reply = session.ask("x").wait(TIMEOUT_S)
    assert (reply.status, reply.text) == ("incomplete", "One. ")
    assert reply.as_plain() == "One. \n(incomplete: the connection broke without a goodbye)"


@pytest.mark.parametrize("fault", ["failed", "rate_limit", "incomplete"])
def test_an_answer_that_ends_badly_says_why(lab: Lab, fault: str, output: str) -> None:
    _, reply, _, _ = ask_with(lab, fault, output)
    words = {
        "failed": "server_error: The server had an error",
        "rate_limit": "rate_limit_exceeded: Rate limit reached",
        "incomplete": "the content filter stopped it",
    }[fault]
    assert words in reply.as_plain()
    assert reply.status == ("incomplete" if fault == "incomplete" else "failed")
    if reply.status == "failed":
        with pytest.raises(rtnb.ResponseFailed, match=words):
            _ = reply.text


def test_an_error_event_is_told_and_the_answer_goes_on(lab: Lab, output: str) -> None:
    _, reply, _, errors = ask_with(lab, "error", output)
    assert reply.text == ANSWER
    assert errors.next()["error"]["code"] == "server_error"


def test_garbage_is_skipped_and_told(lab: Lab, output: str) -> None:
    session, reply, hints, _ = ask_with(lab, "garbage", output)
    assert reply.text == ANSWER
    assert told(hints, "bytes that are no JSON; they were skipped")
    assert session.events.names["session.created"] == 1


def test_a_huge_frame_is_taken_and_told(lab: Lab, output: str) -> None:
    session, reply, hints, _ = ask_with(lab, "huge", output)
    assert reply.text == ANSWER
    assert told(hints, "the server sent one event of 12 MB (fault.huge)")
    assert session.events.find("fault.huge") is not None


@pytest.mark.parametrize("fault", ["delay", "jitter", "stall"])
def test_a_silence_is_explained_and_the_answer_is_whole(
    lab: Lab, fault: str, output: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rtnb.session.watching.STALL_S", 0.02)
    monkeypatch.setattr("rtnb.local.faults.random.uniform", lambda low, high: high)  # jitter is by chance
    _, reply, hints, _ = ask_with(lab, f"{fault}:0.4", output)
    assert reply.text == ANSWER
    assert told(hints, "nothing has come of answer 2 for")


def test_a_late_transcript_is_told_and_comes(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rtnb.session.watching.STALL_S", 0.02)
    lab.serve("fine", hearing=Dictation("hello"))
    session = lab.session(transcription="whisper-1")
    hints = Heard()
    session.on("session.hint", hints)
    session.connect()
    lab.endpoint.fault("late_transcripts", seconds=0.5)
    session.append_audio(loud(300))
    item = session.commit()
    assert session.respond().text == "fine"
    eventually(lambda: item.transcription == "done", "the transcript")
    assert item.transcript == "hello"
    assert told(hints, "the transcript of what you said is late")


def test_each_fault_has_its_test_here() -> None:
    marks = [
        mark
        for name, value in globals().items()
        if name.startswith("test_")
        for mark in getattr(value, "pytestmark", [])
    ]
    named = {each for mark in marks if mark.args[0] == "fault" for each in mark.args[1]}
    assert set(FAULTS) - named == {"error", "garbage", "huge", "late_transcripts"}  # which have one of their own
