from __future__ import annotations

import pytest
from helpers_local import Bench, error, spoken, text_bench, types, update

from rtnb.local.seams import Say

# ---- session ---------------------------------------------------------------------------------------------------------


def test_session_created_comes_first_with_every_field_filled() -> None:
    session = Bench().events[0]["session"]
    assert Bench().events[0]["type"] == "session.created"
    assert session["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24000}
    assert session["audio"]["input"]["turn_detection"]["type"] == "server_vad"
    assert session["output_modalities"] == ["audio"]
    assert session["id"].startswith("sess_")
    assert {"instructions", "tools", "tool_choice", "max_output_tokens", "truncation", "expires_at"} <= set(session)


def test_an_update_is_merged_deeply_and_echoed_whole() -> None:
    bench = Bench()
    bench.send(update(audio={"input": {"transcription": {"model": "whisper-1"}}}, instructions="Be brief."))
    (updated,) = bench.send(update(audio={"input": {"transcription": {"language": "en"}}}))
    session = updated["session"]
    assert session["audio"]["input"]["transcription"] == {"model": "whisper-1", "language": "en"}
    assert session["instructions"] == "Be brief."
    assert session["audio"]["output"]["voice"] == "alloy"


def test_a_bad_update_changes_nothing() -> None:
    bench = Bench()
    told = error(bench.send(update(instructions="Other.", audio={"output": {"voice": "nobody"}}, temperature=1)))
    assert told["code"] in ("unknown_parameter", "invalid_value")
    (updated,) = bench.send(update())
    assert updated["session"] == {**bench.events[0]["session"]}


def test_session_type_is_required_in_every_update() -> None:
    told = error(Bench().send({"type": "session.update", "event_id": "mine", "session": {"instructions": "x"}}))
    assert (told["code"], told["param"]) == ("missing_required_parameter", "session.type")
    assert told["event_id"] == "mine"


@pytest.mark.parametrize("field", ["voice", "modalities", "input_audio_format", "turn_detection", "temperature"])
def test_flat_beta_fields_are_unknown_parameters(field: str) -> None:
    told = error(Bench().send(update(**{field: "x"})))
    assert (told["code"], told["param"]) == ("unknown_parameter", f"session.{field}")


def test_null_clears_what_can_be_cleared() -> None:
    bench = Bench()
    bench.send(
        update(tools=[{"type": "function", "name": "f"}], audio={"input": {"noise_reduction": {"type": "near_field"}}})
    )
    (updated,) = bench.send(
        update(
            tools=[], instructions="", audio={"input": {"noise_reduction": None, "turn_detection": None}}, tracing=None
        )
    )
    session = updated["session"]
    assert session["tools"] == []
    assert session["instructions"] == ""
    assert session["audio"]["input"]["noise_reduction"] is None
    assert session["audio"]["input"]["turn_detection"] is None


def test_a_turn_detection_of_another_type_starts_from_its_own_defaults() -> None:
    bench = Bench()
    (semantic,) = bench.send(update(audio={"input": {"turn_detection": {"type": "semantic_vad"}}}))
    assert semantic["session"]["audio"]["input"]["turn_detection"] == {
        "type": "semantic_vad",
        "eagerness": "auto",
        "create_response": True,
        "interrupt_response": True,
    }
    (server,) = bench.send(update(audio={"input": {"turn_detection": {"type": "server_vad", "threshold": 0.9}}}))
    vad = server["session"]["audio"]["input"]["turn_detection"]
    assert (vad["threshold"], vad["silence_duration_ms"]) == (0.9, 200)


def test_what_sdks_send_at_their_start_is_accepted() -> None:
    bench = Bench()
    for session in (
        {"model": "gpt-realtime-2", "tracing": "auto"},
        {"tracing": "auto"},
        {"audio": {"output": {"speed": 1.2}, "input": {"noise_reduction": None}}, "max_output_tokens": "inf"},
        {"truncation": {"type": "retention_ratio", "retention_ratio": 0.8}, "prompt": None},
        {"include": ["item.input_audio_transcription.logprobs"], "parallel_tool_calls": True},
        {"reasoning": {"effort": "low"}, "tool_choice": {"type": "function", "name": "f"}},
    ):
        assert types(bench.send(update(**session))) == ["session.updated"]
    assert bench.events[-1]["session"]["model"] == "gpt-realtime-2.1"


def test_reasoning_is_refused_by_models_that_do_not_reason() -> None:
    told = error(Bench(model="gpt-realtime-1.5").send(update(reasoning={"effort": "low"})))
    assert told["param"] == "session.reasoning"


def test_tracing_cannot_change_once_it_is_on() -> None:
    bench = Bench()
    bench.send(update(tracing="auto"))
    assert error(bench.send(update(tracing=None)))["param"] == "session.tracing"


def test_the_voice_is_locked_after_assistant_audio_and_the_whole_update_refused() -> None:
    bench = Bench()
    assert types(bench.send(update(audio={"output": {"voice": "verse"}}))) == ["session.updated"]
    spoken(bench)
    told = error(bench.send(update(instructions="new", audio={"output": {"voice": "cedar"}})))
    assert (told["code"], told["param"]) == ("cannot_update_voice", None)
    (updated,) = bench.send(update(audio={"output": {"voice": "verse"}}))
    assert updated["session"]["instructions"] != "new"
    told = error(bench.send({"type": "response.create", "response": {"audio": {"output": {"voice": "ash"}}}}))
    assert told["code"] == "cannot_update_voice"


def test_both_modalities_are_refused() -> None:
    assert error(Bench().send(update(output_modalities=["text", "audio"])))["code"] == "invalid_value"


def test_the_session_ends_at_its_limit() -> None:
    bench = Bench(session_limit_s=60)
    assert bench.engine.deadline == 60
    told = error(bench.tick(60))
    assert told["code"] == "session_expired"
    assert (bench.effects[-1].code, bench.effects[-1].reason) == (1001, told["message"])  # type: ignore[union-attr]
    assert "1 minutes" in told["message"]


# ---- bad events ------------------------------------------------------------------------------------------------------


def test_an_unknown_type_is_an_invalid_value_of_type() -> None:
    told = error(Bench().send({"type": "response.make", "event_id": "e1"}))
    assert (told["type"], told["code"], told["param"]) == ("invalid_request_error", "invalid_value", "type")
    assert "response.create" in told["message"]
    assert told["event_id"] == "e1"


@pytest.mark.parametrize("event", [None, 1, "x", [], {}, {"type": None}, {"type": 5}, {"event_id": 3}])
def test_what_is_no_event_gets_one_error(event: object) -> None:
    assert error(Bench().send(event))["type"] == "invalid_request_error"


def test_an_event_id_that_is_too_long_is_an_error_and_not_echoed() -> None:
    told = error(Bench().send({"type": "response.create", "event_id": "x" * 513}))
    assert (told["code"], told["event_id"]) == ("string_above_max_length", None)


def test_output_audio_buffer_clear_is_not_for_websockets() -> None:
    assert error(Bench().send({"type": "output_audio_buffer.clear"}))["param"] == "type"


def test_an_error_leaves_a_running_response_alone() -> None:
    bench = text_bench()
    bench.send({"type": "response.create"})
    error(bench.send({"type": "nonsense"}))
    assert bench.answer(Say("still here"))[-2]["response"]["status"] == "completed"
