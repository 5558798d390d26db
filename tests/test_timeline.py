"""The timeline's data against a scripted session with known times."""

from __future__ import annotations

import numpy as np
import pytest
from helpers_timeline import Script, b64, interrupted, tone
from hypothesis import given
from hypothesis import strategies as st

from rtnb.core.g711 import encode_pcmu
from rtnb.core.log import EventLog
from rtnb.core.protocol import SERVER_EVENTS
from rtnb.core.timeline import LANES, SOUND_LANES, Span, Timeline
from rtnb.core.timeline_meter import TimelineMeter, timeline
from rtnb.core.timeline_tape import BIN_S, Sent, Tape, heard_track


def seen(script: Script) -> Timeline:
    return timeline(script.log, script.heard)


def spans(found: Timeline, lane: str) -> list[Span]:
    return [span for span in found.spans if span.lane == lane]


def times(span: Span) -> tuple[float, float]:
    return round(span.start, 6), round(span.end, 6)


# ---- lanes -----------------------------------------------------------------------------------------------------------


def test_detected_speech_lies_where_it_was_spoken_not_where_the_event_came() -> None:
    (speech,) = spans(seen(interrupted()), "speech")
    assert times(speech) == (1.2, 2.4)


def test_a_commit_is_a_point_at_its_event() -> None:
    found = seen(interrupted())
    assert [(p.time, p.label) for p in found.points if p.lane == "speech"] == [(2.5, "committed")]


def test_responses_last_from_created_to_done_and_tell_how_they_ended() -> None:
    first, second = spans(seen(interrupted()), "response")
    assert (times(first), first.kind, first.text) == ((2.6, 4.0), "cancelled", "cancelled (turn_detected)")
    assert (times(second), second.kind) == ((4.8, 5.1), "completed")


def test_a_call_lasts_from_its_last_argument_to_its_output() -> None:
    (call,) = spans(seen(interrupted()), "tools")
    assert times(call) == (5.0, 5.5)
    assert call.text == 'add({"a": 1}) → 2'


def test_a_call_that_nobody_answers_lasts_to_the_end() -> None:
    script = interrupted()
    log = script.log.filter(where=lambda event: event["type"] != "conversation.item.create")
    (call,) = spans(timeline(log, script.heard), "tools")
    assert (times(call), call.kind) == ((5.0, 6.0), "in_progress")


def test_received_and_heard_are_two_things() -> None:
    found = seen(interrupted())
    (received,), (heard,) = spans(found, "received"), spans(found, "heard")
    assert times(received) == (3.0, 3.39)
    assert times(heard) == (3.1, 4.1)
    assert (received.label, heard.label) == ("4.0 s received", "1.0 s heard")


def test_an_answer_is_cut_where_it_was_heard_to() -> None:
    (cut,) = [point for point in seen(interrupted()).points if point.kind == "cut"]
    assert cut.lane == "heard"
    assert cut.time == pytest.approx(4.1)
    assert cut.text == "the answer was cut at 1.00 s of 4.0 s"


def test_words_stand_where_they_were_spoken_and_heard() -> None:
    user, assistant = spans(seen(interrupted()), "words")
    assert (user.kind, user.text, times(user)) == ("user", "Tell me a story", (1.2, 2.4))
    assert (assistant.kind, assistant.text, times(assistant)) == ("assistant", "Once upon a time", (3.1, 4.1))


def test_without_reports_of_a_loudspeaker_words_stand_where_they_came() -> None:
    found = timeline(interrupted().log)
    assert spans(found, "heard") == []
    assert times(spans(found, "words")[1]) == (3.0, 3.39)


def test_an_error_is_a_point_with_its_words() -> None:
    (error,) = [point for point in seen(interrupted()).points if point.lane == "errors"]
    assert (error.time, error.kind, error.text) == (6.0, "unknown_parameter", "Unknown parameter: 'x'.")


def test_every_mark_leads_to_its_event() -> None:
    script = interrupted()
    named = {"response": "response.done", "tools": "response.output_item.done", "errors": "error"}
    found = seen(script)
    for mark in [*found.spans, *found.points]:
        name = script.log[mark.index].name
        assert name == named.get(mark.lane, name)
    (cut,) = [point for point in found.points if point.kind == "cut"]
    assert script.log[cut.index].name == "conversation.item.truncated"


def test_typed_words_are_a_moment() -> None:
    script = Script()
    message = {"id": "item_t", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]}
    script.client(1.0, "conversation.item.create", item=message)
    script.server(2.0, "response.output_text.delta", item_id="item_b", response_id="resp_1", delta="Good ")
    script.server(2.5, "response.output_text.delta", item_id="item_b", response_id="resp_1", delta="day")
    user, assistant = spans(seen(script), "words")
    assert (times(user), user.text) == ((1.0, 1.0), "Hello")
    assert (times(assistant), assistant.text) == ((2.0, 2.5), "Good day")


def test_words_of_push_to_talk_lie_over_what_was_recorded() -> None:
    script = Script()
    script.speak(1.0, 2.0)
    script.server(2.1, "input_audio_buffer.committed", item_id="item_1")
    script.speak(5.0, 6.0)
    script.server(6.1, "input_audio_buffer.committed", item_id="item_2")
    for item in ("item_1", "item_2"):
        script.server(7.0, "conversation.item.input_audio_transcription.completed", item_id=item, transcript="Hm")
    assert [times(span) for span in spans(seen(script), "words")] == [(1.0, 2.0), (5.0, 6.0)]


def test_a_question_sent_as_a_clip_is_marked_as_one() -> None:
    script = Script()
    message = {"id": "item_q", "role": "user", "content": [{"type": "input_audio", "audio": b64(tone(2.0))}]}
    script.client(1.0, "conversation.item.create", item=message)
    found = seen(script)
    (clip,) = spans(found, "you")
    assert (times(clip), clip.kind, clip.label) == ((1.0, 3.0), "clip", "2.0 s")
    assert found.end == 3.0
    assert found.seconds("you") == 2.0


def test_the_clock_of_the_servers_offsets_begins_anew_with_each_connection() -> None:
    script = Script()
    script.server(0.0, "session.created", session={})
    script.speak(1.0, 2.0)
    script.server(10.0, "session.created", session={})
    script.speak(11.0, 12.0)
    script.server(11.5, "input_audio_buffer.speech_started", item_id="item_1", audio_start_ms=100)
    script.server(12.0, "input_audio_buffer.speech_stopped", item_id="item_1", audio_end_ms=900)
    (speech,) = spans(seen(script), "speech")
    assert times(speech) == (11.1, 11.9)


def test_speech_that_has_not_ended_lasts_to_the_end() -> None:
    script = Script()
    script.speak(1.0, 2.0)
    script.server(2.5, "input_audio_buffer.speech_started", item_id="item_1", audio_start_ms=400)
    (speech,) = spans(seen(script), "speech")
    assert times(speech) == (1.4, 2.5)


def test_telephone_sound_is_drawn_like_any_other() -> None:
    script = Script()
    form = {"format": {"type": "audio/pcmu"}}
    script.server(0.0, "session.updated", session={"audio": {"input": form, "output": form}})
    samples = np.frombuffer(tone(1.0, 0.5, rate=8_000), "<i2")
    data = b64(encode_pcmu(samples))
    script.server(1.0, "response.output_audio.delta", item_id="item_a", response_id="resp_1", delta=data)
    found = seen(script)
    assert found.seconds("received") == 1.0
    assert spans(found, "received")[0].label == "1.0 s received"
    script.client(5.0, "input_audio_buffer.append", audio=data)
    _, low, high = seen(script).between(5.0, 6.0).outline("you", 100)
    assert np.nanmax(high) == pytest.approx(0.5, abs=0.02)
    assert np.nanmin(low) == pytest.approx(-0.5, abs=0.02)


# ---- part of it ------------------------------------------------------------------------------------------------------


def test_a_part_holds_what_touches_it() -> None:
    found = seen(interrupted()).between(3.95, 4.5)
    assert {span.lane for span in found.spans} == {"response", "heard", "words"}
    assert [point.kind for point in found.points] == ["cut"]
    assert (found.start, found.end) == (3.95, 4.5)


def test_a_part_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(ValueError, match="4 s to 3 s does not"):
        seen(interrupted()).between(4, 3)


def test_a_response_can_be_shown_alone() -> None:
    found = seen(interrupted()).around(["resp_1"], ["item_u"])
    assert 0.9 < found.start < 1.2  # the question's speech
    assert 4.1 < found.end < 4.5  # to the last that was heard


def test_what_is_not_in_the_log_cannot_be_shown() -> None:
    with pytest.raises(ValueError, match="nothing of this"):
        seen(interrupted()).around(["resp_9"])


def test_rows_are_plain_and_in_order() -> None:
    rows = seen(interrupted()).rows()
    assert [row["start"] for row in rows] == sorted(row["start"] for row in rows)
    assert {row["lane"] for row in rows} == set(LANES) - {"you"}
    assert all(row["end"] >= row["start"] for row in rows)


# ---- sound -----------------------------------------------------------------------------------------------------------


def test_the_outline_of_a_lane_is_the_sound_at_its_time() -> None:
    found = seen(interrupted()).between(0.0, 5.0)
    for lane, start, end, peak in (("you", 1.0, 3.0, 0.5), ("received", 3.0, 3.4, 0.25), ("heard", 3.1, 4.1, 0.25)):
        edges, low, high = found.outline(lane, 500)
        there = ~np.isnan(high)
        assert edges[:-1][there][0] == pytest.approx(start, abs=0.03)
        assert edges[1:][there][-1] == pytest.approx(end, abs=0.03)
        assert np.allclose(high[there], peak, atol=1e-3)
        assert np.allclose(low[there], -peak, atol=1e-3)


def test_a_click_in_an_hour_is_not_lost() -> None:
    tape = Tape()
    silence = b64(bytes(48_000))
    click = np.zeros(24_000, dtype="<i2")
    click[13] = 20_000
    for second in range(3_600):
        tape.push(b64(click.tobytes()) if second == 1_234 else silence)
    _, high = tape.outline(np.linspace(0.0, 3_600.0, 801))
    assert np.flatnonzero(high).tolist() == [1_234 * 800 // 3_600]
    assert high.max() == pytest.approx(20_000 / 32_768)


@given(st.lists(st.integers(0, 700), min_size=1, max_size=40), st.integers(1, 60), st.randoms())
def test_an_outline_is_that_of_the_samples_however_they_came(sizes: list[int], bins: int, random: object) -> None:
    rng = np.random.default_rng(sum(sizes))
    data = rng.integers(-32_768, 32_767, size=sum(sizes), dtype=np.int16).tobytes()
    tape, at = Tape(), 0
    for size in sizes:
        tape.push(b64(data[at : at + 2 * size]))
        at += 2 * size
    assert tape.n_bytes == len(data)
    if not data:
        return
    samples = np.frombuffer(data, "<i2") / 32_768
    edges = np.linspace(0.0, tape.seconds, bins + 1)
    low, high = tape.outline(edges)
    per_bin = round(24_000 * BIN_S)
    for number in range(bins):
        first = int(edges[number] / BIN_S + 1e-9) * per_bin
        last = int(np.ceil(edges[number + 1] / BIN_S - 1e-9)) * per_bin
        assert low[number] == pytest.approx(samples[first:last].min())
        assert high[number] == pytest.approx(samples[first:last].max())


def test_sound_that_was_left_out_of_the_log_keeps_its_length() -> None:
    tape = Tape()
    assert tape.push("<48000 bytes>") == 1.0
    low, high = tape.outline(np.array([0.0, 0.5, 1.0]))
    assert low.tolist() == high.tolist() == [0.0, 0.0]
    assert not tape.is_complete


def test_frames_of_a_microphone_lie_before_the_moment_at_which_they_were_sent() -> None:
    sent = Sent()
    for number in range(50):
        jitter = 0.02 * (number % 3)
        sent.push(b64(tone(0.04)), 1.0 + 0.04 * (number + 1) + jitter)
    track = sent.track()
    assert track.start == pytest.approx(1.0, abs=0.05)
    assert track.end == pytest.approx(3.0, abs=0.05)
    assert sent.clips == []


def test_a_pause_of_the_microphone_is_a_pause_in_the_picture() -> None:
    script = Script()
    script.speak(1.0, 2.0)
    script.speak(5.0, 6.0)
    (track,) = [track for track in seen(script).tracks["you"] if track]
    assert track.time_at(1.0) == pytest.approx(2.0)
    assert track.time_at(1.0, is_start=True) == pytest.approx(5.0)
    assert track.time_at(1.5) == pytest.approx(5.5)


def test_frames_that_were_held_up_belong_to_the_time_before() -> None:
    sent = Sent()
    for number in range(25):
        sent.push(b64(tone(0.04)), 1.0 + 0.04 * (number + 1))
    for _ in range(25):  # a second of nothing, then all of it
        sent.push(b64(tone(0.04)), 3.0)
    for number in range(25):
        sent.push(b64(tone(0.04)), 3.0 + 0.04 * (number + 1))
    track = sent.track()
    assert track.time_at(1.5) == pytest.approx(2.5, abs=0.1)
    assert track.time_at(2.5) == pytest.approx(3.5, abs=0.1)
    assert sent.clips == []


def test_pieces_that_come_faster_than_speech_are_a_clip() -> None:
    sent = Sent()
    for number in range(100):
        sent.push(b64(tone(0.1)), 1.0 + 0.0001 * number)
    ((start, end, length),) = sent.clips
    assert (start, end, length) == pytest.approx((1.0, 11.0, 10.0))


def test_a_clip_ends_where_the_next_sound_begins() -> None:
    sent = Sent()
    sent.push(b64(tone(3.0)), 1.0)
    sent.push(b64(tone(3.0)), 2.0)
    assert [clip[:2] for clip in sent.clips] == [(1.0, 2.0), (2.0, 5.0)]


def test_where_the_loudspeaker_ran_dry_nothing_was_heard() -> None:
    tape = Tape()
    tape.push(b64(tone(2.0)))
    track = heard_track(tape, [(1.5, 0.5), (2.0, 1.0), (4.5, 1.5), (5.0, 2.0)])
    assert (track.start, track.end) == (1.0, 5.0)
    _, high = track.outline(np.array([1.0, 2.0, 4.0, 5.0]))
    assert np.isnan(high).tolist() == [False, True, False]


# ---- it never fails --------------------------------------------------------------------------------------------------


def test_an_empty_log_has_a_timeline() -> None:
    found = timeline(EventLog())
    assert (found.spans, found.points) == ([], [])
    assert all(np.isnan(found.outline(lane, 10).high).all() for lane in SOUND_LANES)


junk = st.recursive(
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.sampled_from(["item_1", "resp_1"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "item",
                    "item_id",
                    "response",
                    "response_id",
                    "id",
                    "delta",
                    "audio",
                    "audio_start_ms",
                    "audio_end_ms",
                    "error",
                    "session",
                    "type",
                    "role",
                    "content",
                    "text",
                    "transcript",
                    "call_id",
                    "output",
                    "status",
                    "status_details",
                    "name",
                    "arguments",
                    "format",
                    "input",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*SERVER_EVENTS, "input_audio_buffer.append", "conversation.item.create"]),
            st.sampled_from(["client", "server"]),
            st.dictionaries(
                st.sampled_from(
                    [
                        "item",
                        "item_id",
                        "response",
                        "delta",
                        "audio",
                        "audio_start_ms",
                        "audio_end_ms",
                        "error",
                        "session",
                    ]
                ),
                junk,
                max_size=6,
            ),
        ),
        max_size=25,
    )
)
def test_whatever_a_log_holds_there_is_a_timeline(events: list) -> None:
    meter = TimelineMeter()
    log = EventLog()
    for number, (name, direction, members) in enumerate(events):
        meter.push(log.append({"type": name, **members}, direction, 0.1 * number))
    found = meter.result([(1.0, "item_1", 2_400, True)])
    for span in found.spans:
        assert span.end >= span.start >= 0
    for lane in SOUND_LANES:
        found.outline(lane, 7)


def test_what_was_read_before_need_not_be_read_again() -> None:
    script = interrupted()
    meter = TimelineMeter()
    for entry in script.log[:40]:
        meter.push(entry)
    meter.result(script.heard)
    for entry in script.log[40:]:
        meter.push(entry)
    assert meter.result(script.heard).rows() == seen(script).rows()


def test_what_is_given_back_to_a_new_connection_was_said_once() -> None:
    script = Script()
    parts = [{"type": "input_text", "text": "Hello"}, {"type": "input_audio", "audio": b64(tone(2.0))}]
    message = {"id": "item_t", "type": "message", "role": "user", "content": parts}
    script.client(1.0, "conversation.item.create", item=message)
    script.server(10.0, "session.created", session={})
    script.client(10.1, "conversation.item.create", item=message)
    found = seen(script)
    (words,) = spans(found, "words")
    assert words.text == "Hello"
    assert found.seconds("you") == 2.0
