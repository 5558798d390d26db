from __future__ import annotations

import base64

from helpers_local import (
    CLEAR,
    COMMIT,
    VAD_TURN,
    Bench,
    append,
    loud,
    only,
    silence,
    turn_detection,
    types,
    update,
    user,
    vad,
)

from rtnb.local.effects import HearEnd, Listen
from rtnb.local.seams import Speech

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


def test_speech_that_goes_on_after_a_commit_by_hand_is_a_new_turn() -> None:
    bench = vad()
    first = only(bench.send(append(silence(400)), append(loud(400))), "input_audio_buffer.speech_started")
    bench.send(COMMIT)
    second = only(bench.send(append(loud(400))), "input_audio_buffer.speech_started")
    assert second["item_id"] != first["item_id"]
    assert second["audio_start_ms"] >= 800


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
