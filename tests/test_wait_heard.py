from __future__ import annotations

import pytest

import rtnb
from rtnb import RtnbError, SilentSpeaker, WaitTimeout


def test_it_waits_for_so_many_seconds_of_this_answer_and_no_other() -> None:
    with rtnb.Session("local") as session:
        session.attach(speaker=SilentSpeaker(speed=20))
        session.ask("What is the capital of France?").wait_heard()
        story = session.ask("Tell me a long story", interrupt=True)
        heard = story.wait_heard(2.0, timeout=60)
        session.interrupt()
        assert heard >= 2.0
        cut = session.wait("conversation.item.truncated", after=story.started_at)
        assert cut["audio_end_ms"] >= 2_000
        assert story.wait_heard(timeout=60) == pytest.approx(cut["audio_end_ms"] / 1000, abs=0.001)


def test_without_a_number_it_waits_until_all_was_heard() -> None:
    with rtnb.Session("local") as session:
        session.attach(speaker=SilentSpeaker(speed=20))
        reply = session.ask("What is the capital of France?")
        assert reply.wait_heard(timeout=60) == pytest.approx(reply.audio.seconds, abs=0.001)
        assert reply.wait_heard(1e9) == pytest.approx(reply.audio.seconds, abs=0.001)
        assert not session.is_playing


def test_a_written_answer_is_heard_at_once() -> None:
    with rtnb.Session("local", output="text") as session:
        session.attach(speaker=SilentSpeaker())
        assert session.ask("hello").wait_heard(timeout=60) == 0


def test_too_short_a_patience_is_told_in_words() -> None:
    with rtnb.Session("local") as session:
        session.attach(speaker=SilentSpeaker(speed=0.01))
        reply = session.ask("What is the capital of France?").wait()
        with pytest.raises(WaitTimeout, match="were heard within"):
            reply.wait_heard(timeout=0.1)


def test_without_a_loudspeaker_it_says_so() -> None:
    with rtnb.Session("local", output="text") as session:
        reply = session.ask("hello").wait()
        with pytest.raises(RtnbError, match=r"session\.attach"):
            reply.wait_heard()
