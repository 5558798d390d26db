from __future__ import annotations

import base64
import sys
from typing import Any

import numpy as np
import pytest
from helpers_audio import fit
from helpers_sound import MS, Booth, NotingSpeaker

from rtnb.core.audio import Audio, encode_pcma, encode_pcmu
from rtnb.core.content import base64_bytes
from rtnb.core.playback import Cut
from rtnb.session import sound as sound_module
from rtnb.session.telephone import pcm_of_item


def test_an_answer_is_played_to_its_end() -> None:
    booth = Booth()
    booth.speak(ms=100)
    assert booth.speaker.pcm == {"a": bytes(100 * MS)}
    assert booth.speaker.calls[-1] == ("end", "a")
    booth.speaker.report("a", 100, final=True)
    assert not booth.sound.is_playing
    assert booth.cuts == []
    assert not booth.sound.silence()


def test_an_answer_that_is_done_and_still_heard_is_cut() -> None:
    booth = Booth()
    booth.speak()
    booth.speaker.report("a", 300)
    assert booth.sound.silence()
    assert booth.speaker.calls[-1] == ("stop", "")
    assert booth.cuts == []  # until the last report
    booth.speaker.report("a", 340, final=True)
    booth.speaker.report("a", 340, final=True)
    assert booth.cuts == [Cut("a", 340)]


def test_late_audio_of_a_stopped_item_is_neither_played_nor_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    booth = Booth()
    booth.begin()
    booth.item("a")
    booth.delta("a", bytes(100 * MS))
    booth.sound.silence()
    monkeypatch.setattr(sound_module.base64, "b64decode", None)
    booth.delta("a", bytes(100 * MS))
    booth.speaker.report("a", 20, final=True)
    booth.delta("a", bytes(100 * MS))
    booth.end("a")
    booth.done(status="cancelled")
    assert booth.speaker.pcm == {"a": bytes(100 * MS)}
    assert ("end", "a") not in booth.speaker.calls
    assert booth.cuts == [Cut("a", 20)]


def test_an_item_that_begins_after_the_interruption_is_not_played_and_cut_at_0() -> None:
    booth = Booth()
    booth.begin()
    booth.item("a")
    booth.delta("a", bytes(100 * MS))
    booth.sound.silence()
    booth.speaker.report("a", 20, final=True)
    booth.item("b")
    booth.delta("b", bytes(100 * MS))
    assert booth.cuts == [Cut("a", 20)]  # a response that is being made is not cut behind its back
    booth.end("b")
    booth.done(status="cancelled")
    assert booth.cuts == [Cut("a", 20), Cut("b", 0)]
    assert "b" not in booth.speaker.pcm


def test_an_answer_interrupted_before_its_first_sound_is_cut_at_0() -> None:
    booth = Booth()
    booth.begin()
    booth.sound.silence()
    booth.item("a")
    booth.delta("a", bytes(100 * MS))
    booth.done(status="cancelled")
    assert booth.speaker.pcm == {}
    assert booth.cuts == [Cut("a", 0)]


def test_a_response_that_nobody_wants_any_more_is_not_played() -> None:
    booth = Booth()
    booth.begin()
    booth.sound.mute("R")
    booth.item("a")
    booth.delta("a", bytes(100 * MS))
    booth.done(status="cancelled")
    assert booth.speaker.pcm == {}
    booth.speak("b", response="R2")
    assert booth.speaker.pcm == {"b": bytes(1000 * MS)}


def test_an_item_ends_with_its_response_at_the_latest() -> None:
    booth = Booth()
    booth.begin()
    booth.item("a")
    booth.delta("a", bytes(100 * MS))
    booth.done(status="failed")
    assert booth.speaker.calls[-1] == ("end", "a")
    booth.end("a")
    assert booth.speaker.calls.count(("end", "a")) == 1


# ---- silence that began at the loudspeaker


def test_silence_at_the_loudspeaker_cuts_an_answer_that_is_done() -> None:
    booth = Booth()
    booth.speak()
    booth.speaker.report("a", 300, final=True)
    assert booth.cuts == [Cut("a", 300)]
    assert booth.sound.silence()  # whoever asks next did interrupt something
    assert not booth.sound.silence()


def test_silence_at_the_loudspeaker_waits_for_the_interruption_that_follows() -> None:
    booth = Booth(at_once=False)
    booth.begin()
    booth.item("a")
    booth.delta("a", bytes(1000 * MS))
    booth.speaker.report("a", 300, final=True)
    booth.settle()
    assert booth.cuts == []
    assert booth.sound.silence()
    assert booth.cuts == []  # the cancel goes first
    booth.settle()
    assert booth.cuts == [Cut("a", 300)]


def test_silence_at_the_loudspeaker_without_an_interruption_waits_for_the_end() -> None:
    booth = Booth()
    booth.begin()
    booth.item("a")
    booth.delta("a", bytes(1000 * MS))
    booth.speaker.report("a", 300, final=True)
    booth.delta("a", bytes(1000 * MS))
    assert booth.speaker.pcm["a"] == bytes(1000 * MS)
    assert booth.cuts == []
    booth.done()
    assert booth.cuts == [Cut("a", 300)]


# ---- what must not be cut


def test_what_is_not_in_the_conversation_is_not_cut() -> None:
    booth = Booth()
    booth.begin(apart=True)
    booth.item("a", apart=True)
    booth.delta("a", bytes(1000 * MS))
    booth.done()
    booth.sound.silence()
    booth.speaker.report("a", 300, final=True)
    assert booth.cuts == []


def test_a_deleted_item_is_not_cut() -> None:
    booth = Booth()
    booth.speak()
    booth.feed({"type": "conversation.item.deleted", "item_id": "a"})
    booth.sound.silence()
    booth.speaker.report("a", 300, final=True)
    assert booth.cuts == []


def test_a_lost_connection_is_silent_and_nothing_more_is_played() -> None:
    booth = Booth()
    booth.begin()
    booth.item("a")
    booth.delta("a", bytes(1000 * MS))
    booth.sound.lost()
    assert booth.speaker.calls[-1] == ("stop", "")
    booth.delta("a", bytes(1000 * MS))
    booth.speaker.report("a", 300, final=True)
    assert booth.speaker.pcm["a"] == bytes(1000 * MS)
    assert booth.cuts == []
    booth.sound.connected()
    booth.speak("b", response="R2")
    assert "b" in booth.speaker.pcm


# ---- loudspeakers come and go


def test_without_a_loudspeaker_nothing_is_counted() -> None:
    booth = Booth(None)
    booth.speak()
    assert not booth.sound.is_playing
    assert not booth.sound.silence()


def test_a_loudspeaker_that_comes_late_plays_the_answer_from_its_beginning() -> None:
    booth = Booth(None)
    booth.begin()
    booth.item("a")
    booth.delta("a", bytes([1, 0]) * 4_800)
    speaker = NotingSpeaker()
    booth.sound.attach(speaker)
    booth.delta("a", bytes([2, 0]) * 4_800)
    assert speaker.pcm["a"] == bytes([1, 0]) * 4_800 + bytes([2, 0]) * 4_800
    booth.sound.silence()
    speaker.report("a", 399, final=True)
    assert booth.cuts == [Cut("a", 399)]


def test_taking_the_loudspeaker_away_ends_what_it_played() -> None:
    booth = Booth()
    booth.speak()
    booth.speaker.report("a", 300)
    booth.sound.attach(None)
    assert booth.speaker.calls[-1] == ("stop", "")
    assert booth.cuts == [Cut("a", 300)]
    assert not booth.sound.is_playing
    assert booth.speaker.on_heard is None


def test_who_listened_to_the_loudspeaker_before_still_does() -> None:
    speaker, heard = NotingSpeaker(), []
    speaker.on_heard = listener = lambda *report: heard.append(report)
    booth = Booth(speaker)
    booth.speak()
    speaker.report("a", 10)
    assert heard == [("a", 240, False)]
    booth.sound.attach(None)
    assert speaker.on_heard is listener


def test_two_sessions_share_a_loudspeaker_and_each_is_cut_where_it_was_heard() -> None:
    speaker = NotingSpeaker()
    one, other = Booth(speaker), Booth(speaker)
    one.speak("a")
    other.speak("b")
    assert one.sound.silence()
    speaker.report("a", 100, final=True)
    speaker.report("b", 0, final=True)
    assert (one.cuts, other.cuts) == ([Cut("a", 100)], [Cut("b", 0)])
    assert [each.item_id for each in one.sound.heard] == ["a"]
    one.sound.attach(None)
    other.speak("c", response="R2")
    speaker.report("c", 1000, final=True)
    assert not other.sound.is_playing
    assert speaker.calls.count(("stop", "")) == 1


# ---- telephones


@pytest.mark.parametrize(("law", "encode"), [("audio/pcmu", encode_pcmu), ("audio/pcma", encode_pcma)])
def test_telephone_audio_is_heard_as_it_was_meant(law: str, encode: Any) -> None:
    tone = Audio.tone(440, 1.0, rate=8_000)
    data = encode(tone.samples)
    booth = Booth()
    booth.begin(format=law)
    booth.item("a")
    for at in range(0, len(data), 333):
        booth.delta("a", data[at : at + 333])
    booth.end("a")
    booth.done()
    played = np.frombuffer(booth.speaker.pcm["a"], "<i2") / 32768
    assert len(played) == 24_000
    amplitude, noise_db = fit(played, 24_000, 440)
    assert amplitude == pytest.approx(0.5, abs=0.02)
    assert noise_db < -30
    booth.speaker.report("a", 1000, final=True)
    assert booth.cuts == []
    item = booth.conversation.item("a")
    assert item is not None
    assert fit(Audio(pcm_of_item(item)).array, 24_000, 440)[0] == pytest.approx(0.5, abs=0.02)


def test_the_law_of_the_session_holds_where_the_response_names_none() -> None:
    tone = Audio.tone(440, 0.5, rate=8_000)
    booth = Booth()
    booth.feed({"type": "session.updated", "session": {"audio": {"output": {"format": {"type": "audio/pcma"}}}}})
    booth.sound.law = "audio/pcma"  # as the router does
    booth.begin()
    booth.item("a")
    booth.delta("a", encode_pcma(tone.samples))
    booth.end("a")
    assert fit(np.frombuffer(booth.speaker.pcm["a"], "<i2") / 32768, 24_000, 440)[1] < -30


# ---- echo


def test_echo_is_told_once_the_words_are_known() -> None:
    booth = Booth()
    booth.speak()
    booth.sound.speech_began("u", "Once upon a time there was a fox.")
    booth.sound.understood("u", "upon a time there")
    booth.sound.understood("u", "upon a time there")
    assert len(booth.hints) == 1
    assert "half_duplex" in booth.hints[0]


def test_who_speaks_into_silence_is_no_echo() -> None:
    booth = Booth()
    booth.sound.speech_began("u", "Once upon a time there was a fox.")
    booth.sound.understood("u", "upon a time there")
    assert booth.hints == []


# ---- cost


def test_a_long_answer_costs_the_same_for_each_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """600 s in pieces of 100 ms: every byte is decoded once, handed over once, and joined never."""
    booth = Booth()
    handed: list[int] = []
    monkeypatch.setattr(booth.speaker, "play", lambda item_id, pcm: handed.append(len(pcm)))
    decoded: list[int] = []
    decode = base64.b64decode

    def counting(text: str) -> bytes:
        decoded.append(base64_bytes(text))
        return decode(text)

    monkeypatch.setattr(sound_module.base64, "b64decode", counting)
    monkeypatch.setattr("rtnb.core.content.Part.audio", lambda self: pytest.fail("the audio was joined"))
    booth.begin()
    booth.item("a")
    piece = bytes(100 * MS)
    booth.delta("a", piece)
    track = booth.sound.ledger["a"]
    sizes = {sys.getsizeof(each) for each in (track, booth.sound._items, booth.sound.ledger._tracks)}
    for _ in range(5_999):
        booth.delta("a", piece)
    booth.end("a")
    booth.done()
    assert handed == [len(piece)] * 6_000
    assert decoded == [len(piece)] * 6_000
    assert track.received_ms == 600_000
    assert {sys.getsizeof(each) for each in (track, booth.sound._items, booth.sound.ledger._tracks)} == sizes
