"""Tools in a session, over a real socket: rounds, failures, slow ones, and what the server is told."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest
from helpers_session import TIMEOUT_S, Gate, Heard, Lab, eventually, in_thread, lab

import rtnb
from rtnb.local.brains import call, fail, incomplete, wait, when
from rtnb.session.sequencer import State

__all__ = ["lab"]


def add(a: float, b: float) -> float:
    """Add two numbers."""
    return a + b


def outputs(lab: Lab) -> list[Any]:
    """What the model was told by tools, as it stands in the last request."""
    return [item["output"] for item in lab.brain.requests[-1].items if item["type"] == "function_call_output"]


def test_a_tool_round_gives_one_reply_with_the_final_answer(lab: Lab) -> None:
    session = lab.session(call("add", a=4, b=6), "That is 10.", tools=[add])
    reply = session.ask("What is 4 plus 6?")
    assert reply.text == "That is 10."
    [made] = reply.tool_calls
    assert (made.name, made.arguments, made.output, made.error) == ("add", {"a": 4, "b": 6}, "10.0", None)
    assert made.milliseconds is not None
    assert made.milliseconds >= 0
    assert len(reply.responses) == 2
    assert [item.type for item in reply.items] == ["function_call", "message"]
    assert outputs(lab) == ["10.0"]
    names = reply.events.names
    assert names["response.create"] == 2
    assert names["conversation.item.create"] == 2
    assert session.activity is State.IDLE


def test_the_decorator_tells_an_open_session(lab: Lab) -> None:
    session = lab.session(call("double", x=4), "Eight.")
    session.connect()

    @session.tool
    def double(x: int) -> int:
        """Double a number."""
        return 2 * x

    assert [tool["name"] for tool in session.settings["tools"]] == ["double"]
    assert session.ask("x").text == "Eight."
    assert outputs(lab) == ["8"]
    assert double(3) == 6


def test_an_async_tool_runs_on_the_sessions_loop_and_may_await_the_session(lab: Lab) -> None:
    names = []
    session = lab.session(call("think"), when("classify", "spam"), "It is spam.")

    @session.tool
    async def think() -> str:
        """Think."""
        await asyncio.sleep(0)
        names.append(threading.current_thread().name)
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "classify"}]}
        aside = session.respond(conversation="none", input=[item])
        return (await aside).text

    assert session.ask("x").text == "It is spam."
    assert outputs(lab) == ["spam"]
    assert "session" in names[0]


def test_two_calls_of_one_response_run_at_the_same_time_and_have_one_follow_up(lab: Lab) -> None:
    meeting = threading.Barrier(2, timeout=TIMEOUT_S)
    session = lab.session([call("meet", who="a"), call("meet", who="b")], "They met.")

    @session.tool
    def meet(who: str) -> str:
        """Meet the other one."""
        meeting.wait()
        return who

    reply = session.ask("x")
    assert reply.text == "They met."
    assert sorted(outputs(lab)) == ["a", "b"]
    assert [made.output for made in reply.tool_calls] == ["a", "b"]
    assert session.events.names["response.create"] == 2


def test_rounds_follow_each_other_until_the_model_has_no_call_left(lab: Lab) -> None:
    session = lab.session(*(call("add", a=n, b=1) for n in range(4)), "Done.", tools=[add])
    reply = session.ask("count")
    assert reply.text == "Done."
    assert [made.output for made in reply.tool_calls] == ["1.0", "2.0", "3.0", "4.0"]


def test_a_model_that_calls_without_end_is_stopped(lab: Lab) -> None:
    every = when(lambda _: True, lambda asked: "Enough." if asked.tool_choice == "none" else call("add", a=1, b=1))
    session = lab.session(every, tools=[add])
    reply = session.ask("x")
    assert reply.text == "Enough."
    assert len(reply.tool_calls) == 8
    assert "8 rounds" in reply.notes[0]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [('{"a": 1, "b": ', "JSON"), ({"a": 1}, "b"), ({"a": "many", "b": 1}, "a"), ({"a": 1, "b": 2, "c": 3}, "c")],
)
def test_arguments_that_do_not_fit_are_told_to_the_model(lab: Lab, arguments: Any, told: str) -> None:
    session = lab.session(call("add", arguments), "I see.", tools=[add])
    reply = session.ask("x")
    assert reply.text == "I see."
    [made] = reply.tool_calls
    assert made.error is not None
    assert told in made.error
    assert "error" in json.loads(outputs(lab)[0])


def test_a_failing_tool_is_told_to_the_model_and_seen_in_the_reply(lab: Lab) -> None:
    session = lab.session(call("divide", a=1), "It failed.")

    @session.tool
    def divide(a: int) -> float:
        """Divide by nothing."""
        return a / 0

    reply = session.ask("x")
    assert reply.text == "It failed."
    assert "ZeroDivisionError" in reply.tool_calls[0].error
    assert "ZeroDivisionError" in json.loads(outputs(lab)[0])["error"]
    assert "ZeroDivisionError" in reply.as_html()


def test_a_tool_that_takes_too_long_is_given_up_and_told(lab: Lab) -> None:
    never = threading.Event()
    session = lab.session(call("hang"), "It hung.")

    @session.tool(timeout=0.1)
    def hang() -> None:
        """Hang."""
        never.wait(TIMEOUT_S)

    reply = session.ask("x")
    assert reply.text == "It hung."
    assert "0.1 s" in reply.tool_calls[0].error
    never.set()


def test_a_background_tool_answers_at_once_and_tells_its_result_when_it_comes(lab: Lab) -> None:
    go_on = threading.Event()
    session = lab.session(call("search", what="bees"), "I am looking.", "Bees are insects.")

    @session.tool(background=True)
    def search(what: str) -> str:
        """Search."""
        go_on.wait(TIMEOUT_S)
        return f"{what} are insects"

    reply = session.ask("What are bees?")
    assert reply.text == "I am looking."
    assert reply.tool_calls[0].result is None
    go_on.set()
    eventually(lambda: len(session.replies) == 2, "the late answer")
    assert session.replies[1].text == "Bees are insects."
    assert reply.tool_calls[0].result == "bees are insects"
    assert "bees are insects" in json.dumps(lab.brain.requests[-1].items)


def test_a_background_tool_that_ends_after_the_connection_does_not_block_the_next_one(lab: Lab) -> None:
    go_on, ended = threading.Event(), threading.Event()
    session = lab.session(call("search"), "I am looking.", "Hello again.")

    @session.tool(background=True)
    def search() -> str:
        """Search."""
        go_on.wait(TIMEOUT_S)
        ended.set()
        return "found"

    session.ask("a").wait()
    session.close()
    go_on.set()
    ended.wait(TIMEOUT_S)
    assert session.ask("b", timeout=TIMEOUT_S).text == "Hello again."


def test_a_tool_that_needs_consent_does_not_run_where_nobody_can_be_asked(lab: Lab) -> None:
    ran = []
    session = lab.session(call("erase"), "I was not allowed to.")

    @session.tool(confirm=True)
    def erase() -> None:
        """Erase all."""
        ran.append(1)

    reply = session.ask("x")
    assert reply.text == "I was not allowed to."
    assert ran == []
    assert "consent" in reply.tool_calls[0].error


def test_a_rich_result_shows_one_thing_and_tells_another(lab: Lab) -> None:
    picture = object()
    session = lab.session(call("draw"), "Here it is.")

    @session.tool
    def draw() -> rtnb.Result:
        """Draw."""
        return rtnb.Result("a drawing of a bee", show=picture)

    reply = session.ask("x")
    assert reply.text == "Here it is."
    assert reply.tool_calls[0].shown is picture
    assert outputs(lab) == ["a drawing of a bee"]


def test_a_json_definition_with_a_handler_is_a_tool_too(lab: Lab) -> None:
    session = lab.session(call("get_time", zone="UTC"), "Noon.")
    session.connect()
    definition = {
        "type": "function",
        "name": "get_time",
        "description": "The time.",
        "parameters": {"type": "object", "properties": {"zone": {"type": "string"}}, "required": ["zone"]},
    }
    session.add_tool(definition, lambda arguments: {"time": "12:00", "zone": arguments["zone"]})
    assert session.ask("x").text == "Noon."
    assert json.loads(outputs(lab)[0]) == {"time": "12:00", "zone": "UTC"}
    with pytest.raises(rtnb.ProtocolError):
        session.add_tool(definition)


def test_removing_a_tool_tells_the_server(lab: Lab) -> None:
    session = lab.session("ok", tools=[add])
    session.connect()
    assert [tool["name"] for tool in session.settings["tools"]] == ["add"]
    session.remove_tool("add")
    assert session.settings["tools"] == []
    with pytest.raises(rtnb.ToolError, match="add"):
        session.remove_tool("add")


def test_a_cell_that_runs_again_redefines_its_tool(lab: Lab) -> None:
    session = lab.session(call("answer"), "First.", call("answer"), "Second.")
    session.connect()
    for value in (1, 2):
        namespace: dict[str, Any] = {"session": session}
        source = f"@session.tool\ndef answer() -> int:\n    '''Answer.'''\n    return {value}\n"
        exec(compile(source, "<cell>", "exec"), namespace)
        session.ask("x").wait()
        assert outputs(lab)[-1] == str(value)
    assert [tool["name"] for tool in session.settings["tools"]] == ["answer"]


def test_a_tool_that_the_server_refuses_is_not_kept(lab: Lab) -> None:
    session = lab.session("fine")
    session.connect()
    bad = {"type": "function", "name": "fine_name", "description": "x", "parameters": {"type": "object"}, "extra": 1}
    with pytest.raises(rtnb.RtnbError):
        session.add_tool(bad, lambda arguments: 1)
    session.add_tool(rtnb.tool(add))
    assert [tool["name"] for tool in session.settings["tools"]] == ["add"]
    session.close()
    session.connect()
    assert session.ask("x").text == "fine"


def test_declaring_tools_by_config_keeps_those_with_a_handler(lab: Lab) -> None:
    session = lab.session("fine", tools=[add])
    session.connect()
    raw = {"type": "function", "name": "raw", "description": "Raw.", "parameters": {"type": "object", "properties": {}}}
    session.update(config={"tools": [raw]})
    assert sorted(tool["name"] for tool in session.settings["tools"]) == ["add", "raw"]


def test_tools_work_again_after_the_session_was_closed_and_opened(lab: Lab) -> None:
    session = lab.session(call("add", a=1, b=1), "Two.", call("add", a=2, b=2), "Four.", tools=[add])
    assert session.ask("x").text == "Two."
    session.close()
    reply = session.ask("y")
    assert reply.text == "Four."
    assert reply.tool_calls[0].output == "4.0"


def test_a_tool_may_ask_the_session_in_its_body(lab: Lab) -> None:
    session = lab.session(call("consult"), when("advice", "Do it.", times=1), "I was told to do it.")

    @session.tool
    def consult() -> str:
        """Ask oneself."""
        return session.ask("advice").text

    reply = session.ask("x")
    assert reply.wait(TIMEOUT_S).status == "completed"
    assert reply.tool_calls[0].output == "Do it."
    assert reply.text == "I was told to do it."


def test_a_question_while_a_tool_runs_is_not_held_up_by_it(lab: Lab) -> None:
    go_on, running = threading.Event(), threading.Event()
    session = lab.session(call("slow"), when("meanwhile", "Right away.", times=1), "It is done.")

    @session.tool
    def slow() -> str:
        """Take long."""
        running.set()
        go_on.wait(TIMEOUT_S)
        return "done"

    first = session.ask("x")
    assert running.wait(TIMEOUT_S)
    assert session.activity is State.TOOLS
    assert session.ask("meanwhile").text == "Right away."
    assert not first.is_done
    go_on.set()
    assert first.text == "It is done."
    assert outputs(lab) == ["done"]


def test_nothing_runs_for_a_cut_or_failed_response(lab: Lab) -> None:
    ran = []
    session = lab.session(incomplete([call("note")]), [call("note"), fail()], "fine")

    @session.tool
    def note() -> None:
        """Note."""
        ran.append(1)

    assert session.ask("a").wait().status == "incomplete"
    assert session.ask("b").wait().status == "failed"
    assert session.ask("c").text == "fine"
    assert ran == []


def test_nothing_runs_for_a_cancelled_response(lab: Lab) -> None:
    gate, ran = Gate(), []
    session = lab.session([call("note"), "so ", wait(gate)], "fine")

    @session.tool
    def note() -> None:
        """Note."""
        ran.append(1)

    reply = session.ask("a")
    next(iter(reply))
    reply.cancel()
    assert reply.wait().status == "cancelled"
    assert session.ask("b").text == "fine"
    assert ran == []


def test_cancelling_a_reply_while_its_tool_runs_tells_the_model_and_asks_for_nothing(lab: Lab) -> None:
    go_on, running = threading.Event(), threading.Event()
    session = lab.session(call("slow"), "Next.")

    @session.tool
    def slow() -> str:
        """Take long."""
        running.set()
        go_on.wait(TIMEOUT_S)
        return "late"

    reply = session.ask("x")
    assert running.wait(TIMEOUT_S)
    reply.cancel()
    assert reply.wait().status == "cancelled"
    eventually(lambda: session.activity is State.IDLE, "the tool to be given up")
    go_on.set()
    assert session.ask("y").text == "Next."
    assert len(outputs(lab)) == 1
    assert "cancelled" in outputs(lab)[0]
    assert session.events.names["response.create"] == 2


@pytest.mark.parametrize("when_done", [False, True], ids=["while it answers", "after its end"])
def test_cancelling_a_reply_gives_up_its_tool_in_the_background(lab: Lab, when_done: bool) -> None:
    given_up = threading.Event()
    pause = Gate()
    first = "Under way." if when_done else ["Under ", wait(pause)]
    session = lab.session(call("brew"), first, "Next.", "Your coffee is ready.")

    @session.tool(background=True)
    async def brew() -> str:
        """Brew coffee."""
        try:
            await asyncio.Event().wait()
        finally:
            given_up.set()
        return "ready"

    reply = session.ask("coffee")
    if when_done:
        reply.wait()
    else:
        assert pause.reached.wait(TIMEOUT_S)
    reply.cancel()
    assert given_up.wait(TIMEOUT_S)
    assert reply.wait().status == ("completed" if when_done else "cancelled")
    eventually(lambda: reply.tool_calls[0].error, "the call to be over")
    assert session.ask("y").text == "Next."
    assert len(session.replies) == 2


def test_the_state_of_the_rounds_can_be_followed(lab: Lab) -> None:
    session = lab.session(call("add", a=1, b=1), "Two.", tools=[add])
    states, done = Heard(), Heard()
    session.connect()
    session.on("session.activity", states)
    session.on("rate_limits.updated", done)
    session.ask("x").wait()
    done.next()
    done.next()
    seen = states.all()
    assert seen == [State.RESPONDING, State.TOOLS, State.FOLLOW_UP, State.RESPONDING, State.IDLE]


def test_tools_of_one_answer_only(lab: Lab) -> None:
    session = lab.session("a", "b", tools=[add])
    session.ask("x", tools=["add"], tool_choice="required").wait()
    assert session.events.last("response.create").event["response"]["tools"][0]["name"] == "add"
    session.ask("y", tools=[], tool_choice="none").wait()
    assert session.events.last("response.create").event["response"]["tools"] == []
    with pytest.raises(rtnb.RtnbError, match="nobody"):
        session.ask("z", tools=["nobody"])


def test_a_broken_connection_does_not_leave_tools_behind(lab: Lab) -> None:
    go_on, running = threading.Event(), threading.Event()
    session = lab.session(call("slow"), "Next.", reconnect=False)

    @session.tool
    def slow() -> str:
        """Take long."""
        running.set()
        go_on.wait(TIMEOUT_S)
        return "late"

    reply = session.ask("x")
    assert running.wait(TIMEOUT_S)
    lab.endpoint.stop()
    with pytest.raises(rtnb.ConnectionClosed):
        _ = reply.text
    lab.endpoint.start()
    go_on.set()
    waiting = in_thread(lambda: rtnb.Session(lab.endpoint, output="text").connect())
    waiting().close()


def test_a_background_call_whose_arguments_do_not_fit_is_told_so_at_once(lab: Lab) -> None:
    session = lab.session(call("brew", cups="many"), "Tell me a number.")

    @session.tool(background=True)
    def brew(cups: int) -> str:
        """Brew coffee."""
        return f"{cups} cups"

    reply = session.ask("Brew many cups")
    assert reply.text == "Tell me a number."
    [made] = reply.tool_calls
    assert made.error is not None
    assert "cups" in made.error
    assert made.result is None
    assert "error" in json.loads(made.output or "")


def test_what_a_tool_shows_is_part_of_what_the_cell_shows(lab: Lab) -> None:
    from rtnb.notebook.live import _bundle

    class Picture:
        def _repr_html_(self) -> str:
            return "<b>a map</b>"

    session = lab.session(call("look"), "There it is.")

    @session.tool
    def look() -> rtnb.Result:
        """Look at the map."""
        return rtnb.Result("seen", show=Picture())

    reply = session.ask("Look").wait()
    bundle = _bundle(reply)
    assert "<b>a map</b>" in bundle["text/html"]
    assert "There it is." in bundle["text/html"]
    assert outputs(lab) == ["seen"]
