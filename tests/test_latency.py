"""Distances between the events of a turn, on logs with known times."""

from __future__ import annotations

from typing import Any

import pytest
from helpers_conversation import UNHURRIED
from hypothesis import given
from hypothesis import strategies as st

from rtnb.core.latency import Latency, LatencyMeter, Spread, percentile, spread, turns
from rtnb.core.log import EventLog

Line = tuple[float, str, dict[str, Any]]


def a_log(*lines: Line) -> EventLog:
    log = EventLog()
    for time, name, fields in lines:
        client = name in ("response.create", "conversation.item.create", "input_audio_buffer.commit")
        log.append({"type": name, **fields}, "client" if client else "server", time)
    return log


def answer(start: float, response_id: str = "resp_1", item_id: str = "item_a", **fields: Any) -> list[Line]:
    """An answer in sound: created, text after 50 ms, sound after 100 ms, done after a second."""
    ids = {"response_id": response_id, "item_id": item_id}
    return [
        (start, "response.created", {"response": {"id": response_id, "status": "in_progress", **fields}}),
        (start + 0.05, "response.output_audio_transcript.delta", ids),
        (start + 0.1, "response.output_audio.delta", ids),
        (start + 0.5, "response.output_audio.delta", ids),
        (start + 1.0, "response.done", {"response": {"id": response_id, "status": "completed", **fields}}),
    ]


def test_a_spoken_turn_is_measured_from_the_end_of_speech() -> None:
    log = a_log(
        (1.0, "input_audio_buffer.speech_started", {"item_id": "item_u"}),
        (3.0, "input_audio_buffer.speech_stopped", {"item_id": "item_u"}),
        (3.1, "input_audio_buffer.committed", {"item_id": "item_u"}),
        *answer(3.25),
    )
    (turn,) = turns(log, heard={"item_a": 3.5, "item_other": 0.0})
    assert turn.latency == Latency(
        committed=100,
        created=250,
        first_text=300,
        first_audio=350,
        first_heard=500,
        done=1250,
        browser_queue=150,
    )
    assert (turn.kind, turn.begin, turn.item_id, turn.start) == (
        "speech",
        "input_audio_buffer.speech_stopped",
        "item_u",
        3.0,
    )
    assert (turn.first_index, turn.last_index, turn.status, turn.response_id) == (1, 7, "completed", "resp_1")


def test_a_typed_turn_is_measured_from_its_item() -> None:
    log = a_log(
        (1.0, "conversation.item.create", {"item": {"id": "item_u", "type": "message"}}),
        (1.01, "response.create", {}),
        (1.2, "response.created", {"response": {"id": "resp_1"}}),
        (1.3, "response.output_text.delta", {"response_id": "resp_1", "item_id": "item_a"}),
        (1.4, "response.output_text.delta", {"response_id": "resp_1", "item_id": "item_a"}),
        (1.5, "response.done", {"response": {"id": "resp_1", "status": "completed"}}),
    )
    (turn,) = turns(log)
    assert turn.latency == Latency(created=200, first_text=300, done=500)
    assert (turn.kind, turn.begin, turn.item_id) == ("text", "conversation.item.create", "item_u")


def test_the_times_of_a_turn_read_well() -> None:
    assert repr(Latency(created=199.6, done=500)) == "<Latency: created 200 ms, done 500 ms>"
    assert repr(Latency()) == "<Latency: nothing yet>"


def message(time: float, item_id: str, role: str = "user") -> Line:
    return (time, "conversation.item.create", {"item": {"id": item_id, "type": "message", "role": role}})


def test_an_answer_that_a_new_connection_begins_anew_belongs_to_the_same_turn() -> None:
    log = a_log(
        (0.0, "session.created", {}),
        message(1.0, "item_u"),
        (1.0, "response.create", {}),
        *answer(1.2, "resp_1")[:2],  # its first words, at 1.25; then the connection is lost
        (4.0, "session.created", {}),
        message(4.1, "item_u"),  # put back
        (4.2, "response.create", {}),
        *answer(4.5, "resp_2", "item_b"),  # sound at 4.6, done at 5.5
        message(9.0, "item_v"),
        (9.0, "response.create", {}),
        *answer(9.3, "resp_3", "item_c"),
    )
    first, second = turns(log)
    assert first.responses == ("resp_1", "resp_2")
    assert (first.latency.created, first.latency.first_audio, first.latency.done) == (200, 3600, 4500)
    assert (second.item_id, second.latency.created) == ("item_v", 300)


def test_a_question_that_was_lost_with_its_connection_is_measured_from_when_it_was_asked() -> None:
    log = a_log(
        message(1.0, "item_u"),
        (1.0, "response.create", {}),
        (3.0, "session.created", {}),
        message(3.1, "item_u"),
        (3.2, "response.create", {}),
        *answer(3.5),
    )
    (turn,) = turns(log)
    assert (turn.start, turn.item_id, turn.latency.created) == (1.0, "item_u", 2500)


def test_a_conversation_that_is_put_back_asks_nothing() -> None:
    log = a_log(
        (0.0, "session.created", {}),
        message(0.1, "item_1"),
        message(0.2, "item_2", "assistant"),
        (5.0, "response.create", {}),
        *answer(5.5),
        (8.0, "session.created", {}),
        message(8.1, "item_1"),
        message(8.2, "item_2", "assistant"),
        (20.0, "response.create", {}),
        *answer(20.25, "resp_2"),
    )
    assert [(turn.kind, turn.latency.created) for turn in turns(log)] == [("other", 500), ("other", 250)]


def test_a_bare_response_is_measured_from_its_own_request() -> None:
    (turn,) = turns(a_log((2.0, "response.create", {}), *answer(2.5)))
    assert (turn.kind, turn.begin, turn.latency.created) == ("other", "response.create", 500)


@pytest.mark.parametrize("committed_at", [1.05, 1.15])
def test_speech_sent_by_hand_is_measured_from_the_commit(committed_at: float) -> None:
    lines: list[Line] = [
        (1.0, "input_audio_buffer.commit", {}),
        (committed_at, "input_audio_buffer.committed", {"item_id": "item_u"}),
        (1.1, "response.create", {}),
        *answer(1.2),
    ]
    (turn,) = turns(a_log(*sorted(lines, key=lambda line: line[0])))
    assert turn.latency.committed == pytest.approx((committed_at - 1.0) * 1000)
    assert turn.latency.created == pytest.approx(200)
    assert (turn.kind, turn.item_id) == ("speech", "item_u")


def calling(start: float, response_id: str, *call_ids: str) -> list[Line]:
    """A response that calls tools: created, done after 300 ms."""
    output = [{"type": "function_call", "call_id": call_id, "status": "completed"} for call_id in call_ids]
    usage = {"input_tokens": 100, "output_tokens": 10}
    done = {"id": response_id, "status": "completed", "output": output, "usage": usage}
    return [
        (start, "response.created", {"response": {"id": response_id}}),
        (start + 0.3, "response.done", {"response": done}),
    ]


def output(time: float, call_id: str) -> Line:
    return (time, "conversation.item.create", {"item": {"type": "function_call_output", "call_id": call_id}})


def test_tools_belong_to_the_turn_that_called_them_and_their_time_is_told() -> None:
    log = a_log(
        (1.0, "input_audio_buffer.speech_stopped", {}),
        (1.1, "input_audio_buffer.committed", {"item_id": "item_u"}),
        *calling(1.2, "resp_1", "call_1", "call_2"),  # done at 1.5
        output(1.6, "call_1"),
        output(2.0, "call_2"),  # 500 ms after the call
        (2.0, "response.create", {}),
        *calling(2.1, "resp_2", "call_3"),  # done at 2.4
        output(2.65, "call_3"),  # 250 ms
        (2.65, "response.create", {}),
        *answer(3.0, "resp_3"),
        (9.0, "conversation.item.create", {"item": {"type": "message"}}),
        (9.0, "response.create", {}),
        *answer(9.2, "resp_4", "item_b"),
    )
    spoken, typed = turns(log, heard={"item_a": 3.4})
    assert spoken.latency == Latency(
        committed=100,
        created=200,
        first_text=2050,
        first_audio=2100,
        first_heard=2400,
        done=3000,
        tools=750,
        browser_queue=300,
    )
    assert (spoken.kind, spoken.responses, spoken.tool_calls) == ("speech", ("resp_1", "resp_2", "resp_3"), 3)
    assert (spoken.usage.input, spoken.usage.output, spoken.status) == (200, 20, "completed")
    assert (typed.kind, typed.responses, typed.latency.tools, typed.latency.created) == ("text", ("resp_4",), None, 200)


def test_a_turn_whose_tools_still_run_has_no_tool_time_yet() -> None:
    log = a_log((1.0, "response.create", {}), *calling(1.2, "resp_1", "call_1"))
    (turn,) = turns(log)
    assert (turn.latency.tools, turn.latency.done, turn.tool_calls) == (None, 500, 1)


def test_a_word_of_the_user_between_call_and_answer_begins_a_turn() -> None:
    log = a_log(
        (1.0, "response.create", {}),
        *calling(1.2, "resp_1", "call_1"),
        output(2.0, "call_1"),
        (2.2, "conversation.item.create", {"item": {"type": "message"}}),
        (2.2, "response.create", {}),
        *answer(2.4, "resp_2"),
    )
    first, second = turns(log)
    assert (first.responses, first.latency.tools) == (("resp_1",), 500)
    assert (second.kind, second.latency.created) == ("text", 200)


def test_the_time_a_question_waited_to_be_sent_is_told() -> None:
    log = a_log((5.0, "response.create", {"event_id": "event_1"}), *answer(5.2))
    (turn,) = turns(log, asked={"event_1": 4.4, "event_other": 0.0})
    assert turn.latency.kernel_queue == 600
    assert turns(log)[0].latency.kernel_queue is None


def test_the_answer_to_the_output_of_an_unknown_call_is_a_turn_of_its_own() -> None:
    log = a_log(
        (1.0, "conversation.item.create", {"item": {"type": "message"}}),
        (1.0, "response.create", {}),
        *answer(1.1, "resp_1"),
        (2.5, "conversation.item.create", {"item": {"type": "function_call_output"}}),
        (2.5, "response.create", {}),
        *answer(2.7, "resp_2"),
    )
    assert [(turn.kind, turn.latency.created) for turn in turns(log)] == [("text", 100), ("tool", 200)]


def test_a_response_out_of_band_takes_nothing_from_the_turn_beside_it() -> None:
    log = a_log(
        (1.0, "conversation.item.create", {"item": {"type": "message"}}),
        (1.1, "response.create", {"response": {"conversation": "none"}}),
        (1.2, "response.create", {}),
        *answer(1.3, "resp_1", conversation_id="conv_1"),
        *answer(1.4, "resp_2", conversation_id=None),
    )
    first, aside = turns(log)
    assert (first.out_of_band, first.latency.created) == (False, 300)
    assert (aside.out_of_band, aside.latency.created) == (True, 300)


def test_a_refused_request_is_not_taken_for_the_next_one() -> None:
    log = a_log(
        (1.0, "response.create", {"event_id": "event_1"}),
        (1.1, "error", {"error": {"code": "invalid_value", "event_id": "event_1"}}),
        (5.0, "response.create", {"event_id": "event_2"}),
        *answer(5.2),
    )
    assert turns(log)[0].latency.created == 200


def test_a_refused_commit_is_no_speech() -> None:
    log = a_log(
        (1.0, "input_audio_buffer.commit", {}),
        (1.1, "error", {"error": {"code": "input_audio_buffer_commit_empty"}}),
        (5.0, "response.create", {}),
        *answer(5.2),
    )
    (turn,) = turns(log)
    assert (turn.kind, turn.latency.created) == ("other", 200)


def test_a_silence_that_the_server_committed_begins_a_turn() -> None:
    (turn,) = turns(a_log((1.0, "input_audio_buffer.committed", {"item_id": "item_u"}), *answer(1.5)))
    assert (turn.latency.committed, turn.latency.created, turn.item_id) == (0, 500, "item_u")


def test_a_turn_that_is_not_over_has_no_end() -> None:
    (turn,) = turns(a_log((1.0, "response.create", {}), *answer(1.2)[:3]))
    assert turn.latency.done is None
    assert turn.status == "in_progress"
    assert turn.latency.first_audio == 300


def test_a_cancelled_response_says_so() -> None:
    log = a_log((1.0, "response.created", {"response": {"id": "r"}}))
    log.append({"type": "response.done", "response": {"id": "r", "status": "cancelled"}}, "server", 1.5)
    assert turns(log)[0].status == "cancelled"


def test_the_meter_goes_along_with_the_session() -> None:
    meter, log = LatencyMeter(), a_log((1.0, "response.create", {}), *answer(1.2))
    for entry in log:
        meter.push(entry)
    assert meter.turns() == turns(log)


def test_the_spread_of_several_turns() -> None:
    lines: list[Line] = []
    for n in range(5):
        lines += [(10.0 * n, "response.create", {}), *answer(10.0 * n + 0.1 * (n + 1), f"resp_{n}")]
    known = spread(turns(a_log(*lines)))
    assert known["created"] == Spread(pytest.approx(300), pytest.approx(480), 5)
    assert "committed" not in known


def test_percentiles_lie_between_their_neighbours() -> None:
    assert percentile([4.0], 95) == 4.0
    assert percentile([10, 0], 50) == 5.0
    assert percentile(range(101), 95) == 95.0
    assert (percentile([1, 2], -5), percentile([1, 2], 500)) == (1.0, 2.0)
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


ODD = st.one_of(st.none(), st.integers(), st.text(max_size=3), st.lists(st.none(), max_size=1), st.just({"id": []}))
CREATE, COMMIT = "conversation.item.create", "input_audio_buffer.commit"
NAMES = st.one_of(
    st.sampled_from(["response.create", "response.created", "response.done", "response.output_audio.delta", "error"]),
    st.sampled_from(["input_audio_buffer.committed", "input_audio_buffer.speech_stopped", CREATE, COMMIT]),
)


@UNHURRIED
@given(
    st.lists(
        st.fixed_dictionaries(
            {"type": st.one_of(NAMES, ODD)},
            optional={
                "response": st.one_of(ODD, st.just({"id": "r"})),
                "item": ODD,
                "item_id": ODD,
                "response_id": st.one_of(ODD, st.just("r")),
                "error": st.one_of(ODD, st.just({"code": "input_audio_buffer_commit_empty", "event_id": []})),
            },
        ),
        max_size=12,
    )
)
def test_no_log_is_too_odd(events: list[dict[str, Any]]) -> None:
    log = EventLog()
    for n, event in enumerate(events):
        for direction in ("client", "server"):
            log.append(event, direction, float(n))  # type: ignore[arg-type]
    assert all(turn.latency.created is not None for turn in turns(log))
