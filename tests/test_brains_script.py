from __future__ import annotations

import asyncio

import pytest

from rtnb.local.brains import ScriptBrain, call, fail, incomplete, wait, when
from rtnb.local.seams import Call, CallArguments, Failed, Finished, Piece, Request, Say


def request(text: str = "hi", id: str = "resp_1") -> Request:
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    return Request(response_id=id, model="m", instructions="", items=[item])


async def run(brain: ScriptBrain, text: str = "hi") -> list[Piece]:
    return [piece async for piece in brain.think(request(text))]


async def test_a_text_is_streamed_word_by_word_and_stays_the_same() -> None:
    pieces = await run(ScriptBrain("Hello  there,\nyou "))
    assert pieces == [Say("Hello"), Say("  there,"), Say("\nyou"), Say(" ")]


async def test_a_list_of_texts_goes_out_as_it_stands() -> None:
    assert await run(ScriptBrain(["two", " pieces of it"])) == [Say("two"), Say(" pieces of it")]


async def test_steps_are_used_in_order() -> None:
    brain = ScriptBrain("one", "two")
    assert [await run(brain), await run(brain)] == [[Say("one")], [Say("two")]]
    assert brain.left == 0


async def test_a_call_has_its_arguments_as_json() -> None:
    assert await run(ScriptBrain(call("calculate_sum", a=4, b=6))) == [Call("calculate_sum", '{"a": 4, "b": 6}')]


async def test_a_call_takes_a_mapping_an_id_and_broken_json() -> None:
    step = [call("a", {"name": "ü"}, call_id="call_1"), call("b", '{"half": ')]
    assert await run(ScriptBrain(step)) == [Call("a", '{"name": "ü"}', "call_1"), Call("b", '{"half": ')]


async def test_a_call_refuses_raw_and_named_arguments_together() -> None:
    with pytest.raises(TypeError, match="not both"):
        call("a", "{}", b=1)


async def test_the_arguments_of_a_call_can_come_in_chunks() -> None:
    pieces = await run(ScriptBrain(call("f", '{"a": 12}', chunk=4)))
    assert pieces == [Call("f"), CallArguments('{"a"'), CallArguments(": 12"), CallArguments("}")]


async def test_words_and_several_calls_fit_into_one_response() -> None:
    pieces = await run(ScriptBrain(["One moment.", call("a"), call("b", x=1)]))
    assert pieces == [Say("One moment."), Call("a", "{}"), Call("b", '{"x": 1}')]


async def test_a_failure_ends_its_step() -> None:
    pieces = await run(ScriptBrain(["half", fail("rate_limit_exceeded", "Slow down."), "never said"]))
    error = {"type": "server_error", "code": "rate_limit_exceeded", "message": "Slow down."}
    assert pieces == [Say("half"), Failed(error)]


async def test_an_incomplete_step_says_why() -> None:
    assert await run(ScriptBrain(incomplete("half"))) == [Say("half"), Finished("max_output_tokens")]
    assert await run(ScriptBrain(incomplete(reason="content_filter"))) == [Finished("content_filter")]


async def test_none_is_an_empty_answer() -> None:
    assert await run(ScriptBrain(None)) == []


async def test_a_wait_holds_the_rest_of_the_step_until_its_event() -> None:
    event = asyncio.Event()
    answer = ScriptBrain(["before", wait(event), "after"]).think(request())
    assert await anext(answer) == Say("before")
    rest = asyncio.ensure_future(anext(answer))
    done, _ = await asyncio.wait({rest}, timeout=0)
    assert not done
    event.set()
    assert await asyncio.wait_for(rest, 5) == Say("after")


async def test_a_response_closed_during_a_wait_is_noted_as_interrupted() -> None:
    brain = ScriptBrain(["before", wait(asyncio.Event()), "after"])

    async def consume() -> None:
        async for piece in brain.think(request(id="resp_9")):
            if piece == Say("before"):
                reached.set()

    reached = asyncio.Event()
    task = asyncio.create_task(consume())
    await asyncio.wait_for(reached.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert brain.interrupted == ["resp_9"]


async def test_a_finished_response_is_not_noted_as_interrupted() -> None:
    brain = ScriptBrain("all of it", fail())
    await run(brain)
    await run(brain)
    assert brain.interrupted == []


async def test_a_step_can_be_a_function_of_the_request_plain_or_async() -> None:
    async def later(request: Request) -> object:
        return lambda _: call("echo", model=request.model)

    brain = ScriptBrain(lambda request: f"{len(request.items)} item", later)
    assert await run(brain) == [Say("1"), Say(" item")]
    assert await run(brain) == [Call("echo", '{"model": "m"}')]


async def test_an_exhausted_script_fails_and_says_so() -> None:
    brain = ScriptBrain("one")
    await run(brain)
    (piece,) = await run(brain, "what now")
    assert isinstance(piece, Failed)
    assert piece.error["code"] == "script_exhausted"
    assert "1 steps" in piece.error["message"]
    assert "what now" in piece.error["message"]


async def test_an_exhausted_script_starts_again_when_told_to_repeat() -> None:
    brain = ScriptBrain("one", "two", repeat=True)
    said = [await run(brain) for _ in range(3)]
    assert said == [[Say("one")], [Say("two")], [Say("one")]]


async def test_a_rule_answers_what_it_matches_and_uses_no_step() -> None:
    brain = ScriptBrain("step", when("WEATHER", call("get_weather")), when(lambda r: r.model == "other", "no"))
    assert await run(brain, "the weather?") == [Call("get_weather", "{}")]
    assert await run(brain, "the weather?") == [Call("get_weather", "{}")]
    assert await run(brain, "hello") == [Say("step")]


async def test_a_rule_with_times_is_used_up() -> None:
    brain = ScriptBrain("step", when("a", "rule", times=1))
    assert [await run(brain, "a"), await run(brain, "a")] == [[Say("rule")], [Say("step")]]


async def test_every_request_is_kept() -> None:
    brain = ScriptBrain("one", "two")
    await run(brain, "first")
    await run(brain, "second")
    assert [r.items[0]["content"][0]["text"] for r in brain.requests] == ["first", "second"]


def test_a_step_that_makes_no_sense_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="no use for 3"):
        ScriptBrain("fine", 3)  # type: ignore[arg-type]


async def test_a_spoken_question_matches_by_its_transcript() -> None:
    item = {"type": "message", "role": "user", "content": [{"type": "input_audio", "transcript": "what time"}]}
    brain = ScriptBrain(when("time", "late"))
    spoken = Request(response_id="r", model="m", instructions="", items=[item])
    assert [piece async for piece in brain.think(spoken)] == [Say("late")]
