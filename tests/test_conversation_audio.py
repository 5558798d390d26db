"""Sound in a conversation: kept once, counted without decoding, cut where it was heard, found again for the user."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from helpers_conversation import (
    UNHURRIED,
    Told,
    buffer,
    delta,
    done,
    message,
    output,
    pcm,
    session,
    spoken,
    spoken_answer,
    user,
)
from hypothesis import given
from hypothesis import strategies as st

from rtnb.core.content import base64_bytes


def truncated(item_id: str, ms: Any) -> dict[str, Any]:
    return {"type": "conversation.item.truncated", "item_id": item_id, "content_index": 0, "audio_end_ms": ms}


def append(audio: str) -> dict[str, Any]:
    return {"type": "input_audio_buffer.append", "audio": audio}


COMMIT = {"type": "input_audio_buffer.commit"}
CLEAR = {"type": "input_audio_buffer.clear"}


@UNHURRIED
@given(st.binary(max_size=40), st.booleans())
def test_bytes_are_counted_as_they_would_be_decoded(data: bytes, padded: bool) -> None:
    text = base64.b64encode(data).decode()
    assert base64_bytes(text if padded else text.rstrip("=")) == len(data)


def test_the_very_string_of_the_event_is_kept() -> None:
    event = delta("output_audio", "item_1", pcm(20))
    told = Told(event)
    assert told["item_1"].parts[0].audio_chunks[0] is event["delta"]
    assert told.changes[0].delta is event["delta"]
    assert told.changes[0].event is event


def test_audio_is_joined_from_chunks_of_odd_length() -> None:
    told = Told(*[delta("output_audio", "item_1", base64.b64encode(data).decode()) for data in (b"a", b"bcd", b"ef")])
    assert told["item_1"].audio() == b"abcdef"
    assert told["item_1"].audio_bytes == 6


def test_what_is_no_base64_is_silence() -> None:
    told = Told(delta("output_audio", "item_1", "é!"), delta("output_audio", "item_1", pcm(1)))
    assert told["item_1"].audio() == bytes([1]) * 48


def test_the_end_of_an_items_audio_is_told() -> None:
    assert Told(delta("output_audio", "item_1", pcm(1)), done("output_audio", "item_1")).kinds == [
        "audio",
        "audio_done",
    ]


def test_telephone_audio_counts_eight_bytes_a_millisecond() -> None:
    told = Told(session(audio={"output": {"format": {"type": "audio/pcmu"}}}))
    told.server(
        output("added", message("item_1")), delta("output_audio", "item_1", base64.b64encode(b"x" * 80).decode())
    )
    assert told["item_1"].audio_ms == 10


# -- truncation


def test_a_truncation_keeps_the_transcript_and_marks_what_was_heard() -> None:
    told = Told(*spoken_answer("one two three four", 400), truncated("item_a", 200))
    item = told["item_a"]
    assert item.truncated_at_ms == 200
    assert item.transcript == "one two three four"
    assert item.heard_transcript + item.unheard == item.transcript
    assert item.heard_transcript == "one two "
    assert told.kinds[-1] == "item_truncated"


def test_the_heard_audio_ends_where_the_server_cut_it() -> None:
    told = Told(*spoken_answer(ms=400), truncated("item_a", 250))
    assert len(told["item_a"].audio(heard=True)) == 250 * 48
    assert told["item_a"].audio_ms == 400


@pytest.mark.parametrize(("ms", "heard"), [(0, ""), (400, "one two"), (10**12, "one two")])
def test_the_ends_of_what_can_be_heard(ms: int, heard: str) -> None:
    assert Told(*spoken_answer("one two", 400), truncated("item_a", ms))["item_a"].heard_transcript == heard


def test_words_that_had_not_been_written_were_not_heard() -> None:
    told = Told()
    for word in ("slow ", "and then a very long rest of it all"):
        told.server(delta("output_audio_transcript", "item_1", word), delta("output_audio", "item_1", pcm(100)))
    told.server(truncated("item_1", 100))
    assert told["item_1"].heard_transcript == "slow "


def test_a_text_without_spaces_is_cut_between_characters() -> None:
    told = Told(*spoken_answer("今日はとてもいい天気ですねそうですね、いい" * 4, 400), truncated("item_a", 200))
    assert len(told["item_a"].heard_transcript) == 42


def test_a_truncation_before_any_audio_is_kept() -> None:
    told = Told(truncated("item_1", 0))
    assert (told["item_1"].truncated_at_ms, told["item_1"].heard_transcript) == (0, "")


def test_a_transcript_that_the_server_cut_does_not_replace_the_whole_one() -> None:
    told = Told(*spoken_answer("one two three four", 400), truncated("item_a", 200))
    told.server(output("done", message("item_a", "incomplete", {"type": "output_audio", "transcript": "one"})))
    assert told["item_a"].transcript == "one two three four"


# -- the user's own audio


def test_audio_that_the_client_gave_an_item_stays_with_it() -> None:
    told = Told()
    content = [{"type": "input_audio", "audio": pcm(40)}]
    create = {"type": "conversation.item.create", "item": {"id": "item_1", "type": "message", "content": content}}
    told.client(create)
    assert told["item_1"] is None
    told.server(spoken("item_1"))
    assert told["item_1"].parts[0].audio_chunks[0] is content[0]["audio"]
    assert told["item_1"].audio_ms == 40


def test_a_picture_that_the_client_gave_an_item_stays_with_it() -> None:
    told = Told()
    content = [{"type": "input_image", "image_url": "data:image/png;base64,AAAA"}]
    told.client({"type": "conversation.item.create", "item": {"id": "item_1", "type": "message", "content": content}})
    told.server(user("item_1"))
    assert told["item_1"].parts[0].image_url == "data:image/png;base64,AAAA"


def test_a_commit_by_hand_takes_what_was_sent_before_it() -> None:
    told = Told()
    told.client(append(pcm(50, 1)), append(pcm(50, 2)), COMMIT, append(pcm(50, 3)))
    told.server(buffer("committed", "item_1"))
    told.client(COMMIT)
    told.server(buffer("committed", "item_2"))
    assert told["item_1"].audio() == bytes([1]) * 2400 + bytes([2]) * 2400
    assert told["item_2"].audio() == bytes([3]) * 2400


def test_a_speech_detectors_item_is_what_lies_between_its_offsets() -> None:
    told = Told()
    told.client(*[append(pcm(100, n)) for n in range(1, 6)])
    told.server(
        buffer("speech_started", "item_1", audio_start_ms=150),
        buffer("speech_stopped", "item_1", audio_end_ms=320),
        buffer("committed", "item_1"),
    )
    assert told["item_1"].audio() == bytes([2]) * 2400 + bytes([3]) * 4800 + bytes([4]) * 960
    assert told["item_1"].audio_ms == 170


def test_audio_that_became_an_item_is_not_in_the_next_one_too() -> None:
    told = Told()
    told.client(append(pcm(100, 1)), append(pcm(100, 2)))
    for item_id, start, end in (("item_1", 0, 150), ("item_2", 120, 200)):
        told.server(
            buffer("speech_started", item_id, audio_start_ms=start),
            buffer("speech_stopped", item_id, audio_end_ms=end),
            buffer("committed", item_id),
        )
    assert told["item_2"].audio() == bytes([2]) * 50 * 48


def test_offsets_still_fit_after_a_commit_by_hand_and_a_clear() -> None:
    told = Told()
    told.client(append(pcm(100, 1)), COMMIT)
    told.server(buffer("committed", "item_1"))
    told.client(append(pcm(100, 2)), CLEAR)
    told.server(buffer("cleared"))
    told.client(append(pcm(100, 3)))
    told.server(
        buffer("speech_started", "item_2", audio_start_ms=210),
        buffer("speech_stopped", "item_2", audio_end_ms=260),
        buffer("committed", "item_2"),
    )
    assert told["item_2"].audio() == bytes([3]) * 50 * 48
    assert told.conversation.input_ms == 300


def test_what_was_cleared_is_in_no_item() -> None:
    told = Told()
    told.client(append(pcm(100, 1)), CLEAR, append(pcm(100, 2)), COMMIT)
    told.server(buffer("cleared"), buffer("committed", "item_1"))
    assert told["item_1"].audio() == bytes([2]) * 4800


def test_a_refused_commit_does_not_shift_the_next() -> None:
    told = Told()
    told.client(COMMIT, append(pcm(100, 1)), COMMIT)
    told.server({"type": "error", "error": {"code": "input_audio_buffer_commit_empty"}}, buffer("committed", "item_1"))
    assert told["item_1"].audio() == bytes([1]) * 4800


def test_a_new_session_starts_the_clock_anew() -> None:
    told = Told(session())
    told.client(append(pcm(100, 1)))
    told.server(session(id="sess_2"))
    told.client(append(pcm(100, 2)))
    told.server(
        buffer("speech_started", "item_1", audio_start_ms=0),
        buffer("speech_stopped", "item_1", audio_end_ms=100),
        buffer("committed", "item_1"),
    )
    assert told["item_1"].audio() == bytes([2]) * 4800


@UNHURRIED
@given(st.lists(st.integers(1, 90), min_size=1, max_size=12), st.data())
def test_any_stretch_of_any_chunks_is_found(sizes: list[int], data: st.DataObject) -> None:
    told, whole = Told(), b""
    for n, ms in enumerate(sizes):
        told.client(append(pcm(ms, n + 1)))
        whole += bytes([n + 1]) * (48 * ms)
    start = 0
    for turn in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(start, sum(sizes)))
        end = data.draw(st.integers(start, sum(sizes)))
        told.server(
            buffer("speech_started", f"item_{turn}", audio_start_ms=start),
            buffer("speech_stopped", f"item_{turn}", audio_end_ms=end),
            buffer("committed", f"item_{turn}"),
        )
        assert told[f"item_{turn}"].audio() == whole[48 * start : 48 * end]
        assert told[f"item_{turn}"].audio_bytes == 48 * (end - start)
        start = end
