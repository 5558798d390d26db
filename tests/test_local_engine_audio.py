from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
from helpers_local import (
    CLEAR,
    COMMIT,
    VAD_TURN,
    Bench,
    append,
    b64,
    error,
    loud,
    manual,
    only,
    silence,
    types,
    update,
    user,
    vad,
)
from helpers_local_judge import judge

from rtnb.core.audio import Audio, decode_pcmu, encode_pcmu
from rtnb.local.seams import Say, Speech

WHISPER = update(audio={"input": {"transcription": {"model": "whisper-1"}}})
# ---- the buffer ------------------------------------------------------------------------------------------------------


def test_an_append_is_not_answered() -> None:
    assert manual().send(append(loud(40))) == []


def test_a_commit_makes_an_item_without_audio_bytes_and_no_response() -> None:
    bench = manual()
    bench.send(user("before", id="a"))
    events = bench.send(append(loud(60)), append(loud(60)), COMMIT)
    assert types(events) == ["input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"]
    committed, added, _ = events
    assert committed["previous_item_id"] == added["previous_item_id"] == "a"
    assert committed["item_id"] == added["item"]["id"]
    assert added["item"]["content"] == [{"type": "input_audio", "transcript": None}]
    assert added["item"]["status"] == "completed"


def test_a_commit_under_100_ms_is_refused_and_the_audio_kept() -> None:
    bench = manual()
    told = error(bench.send(COMMIT))
    assert told["code"] == "input_audio_buffer_commit_empty"
    assert "0.00ms" in told["message"]
    assert "99.00ms" in error(bench.send(append(loud(99)), COMMIT))["message"]
    assert types(bench.send(append(loud(1)), COMMIT))[0] == "input_audio_buffer.committed"
    assert error(bench.send(COMMIT))["code"] == "input_audio_buffer_commit_empty"


def test_clear_is_always_answered() -> None:
    bench = manual()
    assert types(bench.send(CLEAR)) == ["input_audio_buffer.cleared"]
    bench.send(append(loud(200)))
    assert types(bench.send(CLEAR)) == ["input_audio_buffer.cleared"]
    assert len(bench.cancelled_hearing()) == 1
    assert error(bench.send(COMMIT))["code"] == "input_audio_buffer_commit_empty"


@pytest.mark.parametrize("bad", ["%%%", "AAA", "ä", "AA==A"])
def test_broken_base64_is_refused(bad: str) -> None:
    told = error(manual().send({"type": "input_audio_buffer.append", "audio": bad, "event_id": "e"}))
    assert (told["param"], told["event_id"]) == ("audio", "e")


def test_more_than_15_mib_in_one_append_is_refused() -> None:
    told = error(manual().send({"type": "input_audio_buffer.append", "audio": "A" * (21 * 1024 * 1024)}))
    assert told["param"] == "audio"


def test_odd_chunks_are_joined_to_whole_samples() -> None:
    bench = manual()
    sound = loud(150)
    chunks = [sound[i : i + 777] for i in range(0, len(sound), 777)]
    item_id = only(bench.send(*map(append, chunks), COMMIT), "conversation.item.added")["item"]["id"]
    (retrieved,) = bench.send({"type": "conversation.item.retrieve", "item_id": item_id})
    assert base64.b64decode(retrieved["item"]["content"][0]["audio"]) == sound


def test_telephone_audio_is_taken_and_given_back() -> None:
    bench = manual()
    bench.send(
        update(audio={"input": {"format": {"type": "audio/pcmu"}}, "output": {"format": {"type": "audio/pcma"}}})
    )
    item_id = only(bench.send(append(b"\xff" * 800), COMMIT), "conversation.item.added")["item"]["id"]
    (retrieved,) = bench.send({"type": "conversation.item.retrieve", "item_id": item_id})
    assert len(base64.b64decode(retrieved["item"]["content"][0]["audio"])) == 800
    bench.send({"type": "response.create"})
    bench.hear("hello")
    events = bench.answer(Speech(loud(500), "Hello."), Speech(loud(500), " You."))
    sent = b"".join(base64.b64decode(e["delta"]) for e in events if e["type"] == "response.output_audio.delta")
    assert abs(len(sent) - 8000) < 80


TELEPHONE = {"audio": {"input": {"format": {"type": "audio/pcmu"}}}}
TONE_8K = encode_pcmu(Audio.tone(440, 0.5, rate=8_000).samples)
HUSH_8K = b"\xff" * 4_000


def stored(bench: Bench, item_id: str) -> bytes:
    (retrieved,) = bench.send({"type": "conversation.item.retrieve", "item_id": item_id})
    return base64.b64decode(retrieved["item"]["content"][0]["audio"])


def committed(bench: Bench, *events: dict[str, Any]) -> bytes:
    """What is stored of the turn that these events make."""
    return stored(bench, only(bench.send(*events, COMMIT), "input_audio_buffer.committed")["item_id"])


def peak(coded: bytes) -> int:
    return int(np.abs(decode_pcmu(coded).astype(int)).max())


def test_a_turn_in_telephone_audio_keeps_its_end_and_gives_nothing_to_the_next() -> None:
    bench = manual()
    bench.send(update(**TELEPHONE))
    first, second = committed(bench, append(TONE_8K)), committed(bench, append(HUSH_8K))
    assert (len(first), len(second)) == (4_000, 4_000)
    assert peak(first[-400:]) > 5_000
    assert peak(second) < 100


def test_what_was_cleared_does_not_begin_the_next_turn() -> None:
    bench = manual()
    bench.send(update(**TELEPHONE))
    bench.send(append(TONE_8K), CLEAR)
    assert peak(committed(bench, append(HUSH_8K))) < 100


def test_a_turn_that_turn_detection_hears_is_committed_by_hand_to_its_end() -> None:
    bench = vad()
    bench.send(update(**TELEPHONE))
    start_ms = only(bench.send(append(HUSH_8K), append(TONE_8K)), "input_audio_buffer.speech_started")["audio_start_ms"]
    assert len(committed(bench)) == (1_000 - start_ms) * 8


@pytest.mark.parametrize("between", [CLEAR, COMMIT])
def test_half_a_sample_does_not_shift_the_next_turn(between: dict[str, Any]) -> None:
    bench = manual()
    bench.send(append(loud(200) + b"\x01"), between)
    assert committed(bench, append(loud(300))) == loud(300)


def test_a_refused_commit_does_not_cut_telephone_audio_apart() -> None:
    whole, halves = manual(), manual()
    for bench in (whole, halves):
        bench.send(update(**TELEPHONE))
    assert error(halves.send(append(TONE_8K[:400]), COMMIT))["code"] == "input_audio_buffer_commit_empty"
    assert committed(halves, append(TONE_8K[400:])) == committed(whole, append(TONE_8K))


# ---- recognition -----------------------------------------------------------------------------------------------------


def test_the_transcript_follows_the_commit_when_it_was_asked_for() -> None:
    bench = manual()
    bench.send(WHISPER, append(loud(500)))
    item_id = only(bench.send(COMMIT), "input_audio_buffer.committed")["item_id"]
    delta, completed = bench.hear("hello world")
    assert delta["delta"] == "hello world"
    assert completed["type"] == "conversation.item.input_audio_transcription.completed"
    assert (completed["item_id"], completed["content_index"]) == (item_id, 0)
    assert completed["usage"] == {"type": "duration", "seconds": 0.5}
    (retrieved,) = bench.send({"type": "conversation.item.retrieve", "item_id": item_id})
    assert retrieved["item"]["content"][0]["transcript"] == "hello world"


def test_token_models_send_deltas_and_token_usage() -> None:
    bench = manual()
    bench.send(update(audio={"input": {"transcription": {"model": "gpt-4o-transcribe", "prompt": "words"}}}))
    bench.send(append(loud(1000)), COMMIT)
    *deltas, completed = bench.hear("one two three four five six")
    assert "".join(event["delta"] for event in deltas) == completed["transcript"] == "one two three four five six"
    assert len(deltas) == 2
    usage = completed["usage"]
    assert usage["input_token_details"] == {"text_tokens": 2, "audio_tokens": 10}
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_without_transcription_nothing_is_told_but_the_brain_knows() -> None:
    bench = manual()
    bench.send(append(loud(500)), COMMIT)
    assert bench.hear("what time is it") == []
    bench.send({"type": "response.create"})
    assert bench.thinks[-1].request.items[-1]["content"][0]["transcript"] == "what time is it"


def test_speech_that_was_not_understood_fails_in_words() -> None:
    bench = manual()
    bench.send(WHISPER, append(loud(500)), COMMIT)
    (failed,) = bench.hear("", failed="Too noisy.")
    assert failed["type"] == "conversation.item.input_audio_transcription.failed"
    assert failed["error"]["message"] == "Too noisy."
    bench.send({"type": "response.create"})
    assert bench.thinks[-1].request.items[-1]["content"][0]["transcript"] is None


def test_a_response_waits_for_what_was_said_before_it() -> None:
    bench = manual()
    bench.send(append(loud(500)), COMMIT)
    assert types(bench.send({"type": "response.create"})) == ["response.created"]
    assert bench.thinks == []
    bench.hear("now I know")
    assert bench.thinks[0].request.items[0]["content"][0]["transcript"] == "now I know"


def test_deleting_what_a_response_waits_for_lets_it_go_on() -> None:
    bench = manual()
    bench.send(append(loud(500)))
    item_id = only(bench.send(COMMIT), "input_audio_buffer.committed")["item_id"]
    bench.send({"type": "response.create"})
    bench.send({"type": "conversation.item.delete", "item_id": item_id})
    assert bench.thinks[0].request.items == []
    assert bench.cancelled_hearing() == [item_id]
    assert bench.hear("too late", key=item_id) == []


def test_audio_of_a_client_made_item_is_recognised_too() -> None:
    bench = Bench()
    part = {"type": "input_audio", "audio": b64(loud(300))}
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "and:"}, part]}
    added, _ = bench.send({"type": "conversation.item.create", "item": item})
    assert added["item"]["content"][1] == {"type": "input_audio", "transcript": None}
    bench.send({"type": "response.create"})
    assert bench.hear("a clip") == []
    assert bench.thinks[0].request.items[0]["content"][1]["transcript"] == "a clip"
    broken = {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": "%"}]}
    assert "audio" in error(bench.send({"type": "conversation.item.create", "item": broken}))["param"]


def test_audio_in_the_input_of_a_response_is_recognised() -> None:
    bench = Bench()
    part = {"type": "input_audio", "audio": b64(loud(300))}
    item = {"type": "message", "role": "user", "content": [part]}
    bench.send({"type": "response.create", "response": {"conversation": "none", "input": [item]}})
    assert bench.thinks == []
    bench.hear("outside")
    assert bench.thinks[0].request.items[0]["content"][0]["transcript"] == "outside"


def test_models_that_transcribe_live_send_deltas_before_the_commit() -> None:
    bench = Bench(kind="transcription", model="")
    bench.send(
        {
            "type": "session.update",
            "session": {
                "type": "transcription",
                "audio": {"input": {"transcription": {"model": "gpt-live-transcribe"}, "turn_detection": None}},
            },
        }
    )
    bench.send(append(loud(500)))
    (first,) = bench.hear_so_far("one")
    (second,) = bench.hear_so_far("one two")
    assert (first["delta"], second["delta"]) == ("one", " two")
    assert bench.hear_so_far("won too") == []  # what was sent cannot be taken back
    item_id = only(bench.send(COMMIT), "input_audio_buffer.committed")["item_id"]
    assert first["item_id"] == item_id
    *rest, completed = bench.hear("one two three")
    assert "".join(event["delta"] for event in rest) == " three"
    assert completed["transcript"] == "one two three"


def test_partial_texts_of_other_models_wait_for_the_commit() -> None:
    bench = manual()
    bench.send(update(audio={"input": {"transcription": {"model": "gpt-4o-transcribe"}}}), append(loud(500)))
    assert bench.hear_so_far("one") == []


# ---- transcription sessions ------------------------------------------------------------------------------------------


def test_a_transcription_session_transcribes_and_never_answers() -> None:
    bench = Bench(kind="transcription", model="")
    session = bench.events[0]["session"]
    assert (session["type"], session["object"]) == ("transcription", "realtime.transcription_session")
    assert set(session["audio"]) == {"input"}
    assert "create_response" not in session["audio"]["input"]["turn_detection"]
    (updated,) = bench.send(
        {
            "type": "session.update",
            "session": {
                "type": "transcription",
                "audio": {"input": {"transcription": {"model": "gpt-4o-transcribe"}}},
                "include": ["item.input_audio_transcription.logprobs"],
            },
        }
    )
    assert updated["session"]["audio"]["input"]["transcription"] == {"model": "gpt-4o-transcribe"}
    assert types(bench.send(append(loud(400)), append(silence(500)))) == VAD_TURN[:-1]
    assert types(bench.hear("words"))[-1] == "conversation.item.input_audio_transcription.completed"
    assert error(bench.send({"type": "response.create"}))["param"] == "type"
    assert error(bench.send(update()))["param"] == "session.type"


def test_live_transcription_models_take_no_turn_detection() -> None:
    bench = Bench(kind="transcription", model="")
    transcription = {"model": "gpt-realtime-whisper"}
    for turn in ({"type": "server_vad"}, None):
        audio = {"input": {"transcription": transcription, "turn_detection": turn}}
        events = bench.send({"type": "session.update", "session": {"type": "transcription", "audio": audio}})
        if turn:
            assert error(events)["param"] == "session.audio.input.turn_detection"
    assert events[0]["session"]["audio"]["input"]["turn_detection"] is None


# ---- the judge itself ------------------------------------------------------------------------------------------------


def test_the_judge_finds_unknown_and_missing_fields() -> None:
    bench = Bench()
    bench.send(user("x"), {"type": "response.create"})
    (added, *_) = [event for event in bench.events if event["type"] == "conversation.item.added"]
    with pytest.raises(AssertionError, match="surprise"):
        judge({**added, "item": {**added["item"], "surprise": 1}})
    with pytest.raises(ValueError, match="item"):
        judge({key: value for key, value in added.items() if key != "item"})


def test_a_failure_of_the_recogniser_is_no_reason_to_wait_for_ever() -> None:
    bench = manual()
    bench.send(append(loud(500)), COMMIT, {"type": "response.create"})
    bench.hear("", failed="The recogniser crashed.")
    assert only(bench.answer(Say("Sorry?")), "response.done")["response"]["status"] == "completed"
