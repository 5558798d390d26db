from __future__ import annotations

import base64

import pytest
from helpers_local import (
    Bench,
    append,
    b64,
    error,
    judge,
    loud,
    only,
    silence,
    turn_detection,
    types,
    update,
    user,
)

from rtnb.local.effects import HearEnd, Listen
from rtnb.local.seams import Say, Speech

COMMIT = {"type": "input_audio_buffer.commit"}
CLEAR = {"type": "input_audio_buffer.clear"}
WHISPER = update(audio={"input": {"transcription": {"model": "whisper-1"}}})
VAD_TURN = [
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "conversation.item.added",
    "conversation.item.done",
    "response.created",
]


def manual() -> Bench:
    bench = Bench()
    bench.send(turn_detection(None))
    return bench


def vad(**settings: object) -> Bench:
    bench = Bench()
    bench.send(turn_detection({"type": "server_vad", **settings}))
    return bench


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
    assert 300 < len(base64.b64decode(retrieved["item"]["content"][0]["audio"])) <= 810
    bench.send({"type": "response.create"})
    bench.hear("hello")
    events = bench.answer(Speech(loud(500), "Hello."), Speech(loud(500), " You."))
    sent = b"".join(base64.b64decode(e["delta"]) for e in events if e["type"] == "response.output_audio.delta")
    assert abs(len(sent) - 8000) < 80


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


# ---- turn detection --------------------------------------------------------------------------------------------------


def test_a_vad_turn_has_the_order_of_the_service_and_one_item_id() -> None:
    bench = vad()
    events = bench.send(append(silence(1000)), append(loud(600)), append(silence(600)))
    assert types(events) == VAD_TURN
    started, stopped, committed, added = events[:4]
    assert len({started["item_id"], stopped["item_id"], committed["item_id"], added["item"]["id"]}) == 1
    assert started["audio_start_ms"] == 1000 - 300
    assert stopped["audio_end_ms"] == 1000 + 600 + 200
    bench.hear("hello")
    assert only(bench.answer(Speech(loud(100), "Hi.")), "response.done")["response"]["status"] == "completed"


def test_the_committed_item_is_the_segment_that_was_told() -> None:
    bench = vad()
    events = bench.send(append(silence(1000)), append(loud(600)), append(silence(600)))
    item_id = only(events, "input_audio_buffer.committed")["item_id"]
    (retrieved,) = bench.send({"type": "conversation.item.retrieve", "item_id": item_id})
    pcm = base64.b64decode(retrieved["item"]["content"][0]["audio"])
    assert pcm == silence(300) + loud(600) + silence(200)
    assert bench.listened(item_id).startswith(silence(300) + loud(600))


def test_the_clock_counts_all_audio_of_the_session() -> None:
    bench = vad()
    bench.send(append(silence(1000)), append(loud(600)), append(silence(400)))
    bench.hear()
    bench.answer()
    bench.send(CLEAR)
    events = bench.send(append(silence(1000)), append(loud(600)), append(silence(400)))
    assert only(events, "input_audio_buffer.speech_started")["audio_start_ms"] == 3000 - 300
    bench.hear()
    bench.answer()
    bench.send(turn_detection(None), append(silence(500)), turn_detection({"type": "server_vad"}))
    events = bench.send(append(silence(1000)), append(loud(600)))
    assert only(events, "input_audio_buffer.speech_started")["audio_start_ms"] == 5500 - 300


def test_one_large_append_is_the_same_as_many_small_ones() -> None:
    sound = silence(500) + loud(500) + silence(500)
    large, small = vad(create_response=False), vad(create_response=False)
    events = large.send(append(sound))
    again = small.send(*(append(sound[i : i + 961]) for i in range(0, len(sound), 961)))
    assert types(events) == types(again) == VAD_TURN[:-1]
    assert [e.get("audio_start_ms") for e in events] == [e.get("audio_start_ms") for e in again]
    assert [e.get("audio_end_ms") for e in events] == [e.get("audio_end_ms") for e in again]


def test_semantic_vad_uses_the_same_events() -> None:
    bench = Bench()
    bench.send(turn_detection({"type": "semantic_vad", "eagerness": "high"}))
    events = bench.send(append(loud(800)), append(silence(3000)))
    assert types(events) == VAD_TURN


def test_speech_interrupts_the_answer() -> None:
    bench = Bench()
    bench.send(user("tell me"), {"type": "response.create"})
    bench.answer(Speech(loud(500), "Once upon"), end=False)
    events = bench.send(append(silence(500)), append(loud(300)))
    assert types(events)[0] == "input_audio_buffer.speech_started"
    done = only(events, "response.done")["response"]
    assert done["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert done["output"][0]["status"] == "incomplete"
    item_id = done["output"][0]["id"]
    cut = {"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0, "audio_end_ms": 250}
    assert types(bench.send(cut)) == ["conversation.item.truncated"]
    assert types(bench.send(append(silence(500)))) == VAD_TURN[1:]


def test_speech_over_a_response_outside_of_the_conversation_does_not_cancel_it() -> None:
    bench = Bench()
    bench.send({"type": "response.create", "response": {"conversation": "none"}})
    assert types(bench.send(append(loud(300)))) == ["input_audio_buffer.speech_started"]


def test_interrupt_response_false_lets_the_answer_go_on() -> None:
    bench = vad(interrupt_response=False)
    bench.send(user("tell me"), {"type": "response.create"})
    bench.answer(Speech(loud(100), "Once"), end=False)
    events = bench.send(append(loud(400)), append(silence(500)))
    assert types(events) == VAD_TURN[:-1]  # and none is created while it runs
    assert only(bench.answer(Speech(loud(100), " upon")), "response.done")["response"]["status"] == "completed"


def test_create_response_false_only_commits() -> None:
    assert types(vad(create_response=False).send(append(loud(400)), append(silence(500)))) == VAD_TURN[:-1]


def test_a_commit_by_hand_in_the_midst_of_speech_skips_speech_stopped() -> None:
    bench = vad()
    started = only(bench.send(append(silence(400)), append(loud(400))), "input_audio_buffer.speech_started")
    events = bench.send(COMMIT)
    assert types(events) == ["input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"]
    assert events[0]["item_id"] == started["item_id"]
    assert bench.send(append(silence(600))) == []


def test_a_commit_by_hand_while_nobody_speaks_takes_what_is_there() -> None:
    bench = vad()
    bench.send(append(silence(400)))
    item_id = only(bench.send(COMMIT), "input_audio_buffer.committed")["item_id"]
    assert bench.listened(item_id) == silence(400)


def test_an_update_in_the_midst_of_speech_keeps_the_turn() -> None:
    bench = vad()
    started = only(bench.send(append(loud(400))), "input_audio_buffer.speech_started")
    bench.send(update(instructions="brief"), turn_detection({"type": "server_vad", "silence_duration_ms": 300}))
    events = bench.send(append(silence(700)))
    assert only(events, "input_audio_buffer.speech_stopped")["item_id"] == started["item_id"]
    assert only(events, "input_audio_buffer.speech_stopped")["audio_end_ms"] == 700


def test_switching_turn_detection_off_in_the_midst_of_speech_leaves_the_audio_to_the_client() -> None:
    bench = vad()
    bench.send(append(loud(400)), turn_detection(None), append(loud(100)))
    assert len(bench.cancelled_hearing()) == 1
    item_id = only(bench.send(COMMIT), "input_audio_buffer.committed")["item_id"]
    assert bench.listened(item_id) == loud(500)


def test_an_open_microphone_does_not_fill_the_memory() -> None:
    bench = vad()
    for _ in range(80):
        bench.send(append(silence(1000)))
    assert bench.engine._input._buffer.ms < 45_000


def test_each_utterance_is_listened_to_once() -> None:
    bench = vad(create_response=False)
    bench.send(append(loud(400) + silence(500) + loud(400) + silence(500)))
    listens = [effect.key for effect in bench.effects if isinstance(effect, Listen)]
    ends = [effect.key for effect in bench.effects if isinstance(effect, HearEnd)]
    assert len(listens) == 2
    assert listens == ends


# ---- idle timeout ----------------------------------------------------------------------------------------------------


def test_the_idle_timer_runs_from_the_end_of_playback() -> None:
    bench = vad(idle_timeout_ms=6000)
    bench.send(user("hi"), {"type": "response.create"})
    bench.answer(Speech(loud(2000), "Hello."))
    assert bench.engine.deadline == 8.0
    for _ in range(8):
        bench.send(append(silence(1000)))
    assert bench.tick(7.9) == []
    events = bench.tick(0.1)
    assert types(events) == [
        "input_audio_buffer.timeout_triggered",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
    ]
    timeout = events[0]
    assert (timeout["audio_start_ms"], timeout["audio_end_ms"]) == (2000, 8000)
    assert timeout["item_id"] == events[1]["item_id"]
    assert bench.thinks[-1].request.items[-1]["content"][0]["transcript"] is None


def test_speech_stops_the_idle_timer() -> None:
    bench = vad(idle_timeout_ms=5000)
    bench.send({"type": "response.create"})
    bench.answer(Speech(loud(100), "Hi."))
    bench.send(append(loud(400)))
    assert bench.engine.deadline > 100
    assert bench.tick(20) == []


def test_there_is_no_idle_timer_unless_it_was_asked_for() -> None:
    bench = Bench()
    bench.send({"type": "response.create"})
    bench.answer(Speech(loud(100), "Hi."))
    assert bench.engine.deadline == 3600


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
