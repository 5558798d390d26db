"""Events of a session: sending them, waiting for them, listening to them."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from typing import Any

import pytest
from helpers_session import TIMEOUT_S, Gate, Heard, Lab, eventually, in_thread, lab

import rtnb
from rtnb.local.brains import call, wait
from rtnb.session.aio import Aio

__all__ = ["lab"]

CREATE = {"type": "response.create"}


# ---- send


def test_a_raw_event_is_sent_with_an_id_and_its_answer_awaited(lab: Lab) -> None:
    session = lab.session("Hello")
    session.connect()
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
    event = {"type": "conversation.item.create", "item": item}
    event_id = session.send(event)
    assert event_id.startswith("event_")
    assert "event_id" not in event
    assert "id" not in item
    assert session.send({**CREATE, "event_id": "mine"}) == "mine"
    done = session.wait("response.done")
    assert done["response"]["status"] == "completed"
    assert [item.text for item in session.items] == ["hi", "Hello"]
    assert [reply.text for reply in session.replies] == ["Hello"]


def test_what_the_service_would_refuse_is_not_sent(lab: Lab) -> None:
    session = lab.session("Hello")
    session.connect()
    sent = len(session.events.filter(direction="client"))
    wrong = {"type": "session.update", "session": {"type": "realtime", "modalities": ["text"]}}
    with pytest.raises(rtnb.ProtocolError, match="output_modalities"):
        session.send(wrong)
    for event in ({"type": "response.make"}, {"no": "type"}, "response.create", {"type": "response.create", "x": {1}}):
        with pytest.raises(rtnb.ProtocolError):
            session.send(event)
    assert len(session.events.filter(direction="client")) == sent


def test_an_unchecked_event_is_sent_and_the_refusal_heard(lab: Lab) -> None:
    session = lab.session("Hello")
    session.connect()
    errors = Heard()
    session.on("error", errors)
    event_id = session.send({"type": "response.make"}, check=False)
    assert errors.next()["error"]["event_id"] == event_id
    assert session.ask("go on").text == "Hello"


def test_an_error_that_nobody_claims_is_logged_as_a_warning(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    session = lab.session("Hello")
    session.connect()
    with caplog.at_level(logging.WARNING, logger="rtnb"):
        session.send({"type": "conversation.item.delete", "item_id": "item_none"})
        eventually(lambda: "item_none" in caplog.text, "the warning")
    assert 'nobody listens to "error"' in caplog.text


def test_an_error_that_somebody_waits_for_is_no_warning(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    session = lab.session("Hello")
    session.connect()
    with caplog.at_level(logging.WARNING, logger="rtnb"):
        session.send({"type": "conversation.item.delete", "item_id": "item_waited"})
        assert session.wait("error")["error"]["code"] == "item_delete_invalid_item_id"
        session.close()  # what nobody took would be told now
    assert "item_waited" not in caplog.text


def test_a_raw_item_that_is_refused_does_not_fail_a_reply(lab: Lab) -> None:
    session = lab.session("Hello")
    errors = Heard()
    session.connect()
    session.on("error", errors)
    reply = session.ask("a")
    session.send({"type": "conversation.item.delete", "item_id": "item_none"})
    assert reply.text == "Hello"
    assert errors.next()["error"]["message"]


# ---- wait


def test_wait_never_misses_an_event_that_came_between_two_calls(lab: Lab) -> None:
    session = lab.session("one two three")
    session.ask("a").wait()  # everything is there already
    created = session.wait("response.created", timeout=1)
    first = session.wait("response.output_text.delta", timeout=1)
    second = session.wait("response.output_text.delta", timeout=1)
    assert first["delta"] + second["delta"] == "one two"
    done = session.wait("response.done", timeout=1)
    assert done["response"]["id"] == created["response"]["id"]


def test_what_a_listener_or_a_tool_sends_hides_no_event_from_the_cell_that_waits(lab: Lab) -> None:
    session = lab.session([call("look"), call("listen")], "Done.")
    heard, awaited = Heard(), Heard()
    clear = {"type": "input_audio_buffer.clear"}

    @session.tool
    def look() -> str:
        """Look."""
        session.send(clear)
        return "seen"

    @session.tool
    async def listen() -> str:
        """Listen."""
        session.send(clear)
        return "heard"

    def answer(event: Any) -> None:
        session.send(clear)
        heard(session.wait("input_audio_buffer.cleared"))

    async def answer_too(event: Any) -> None:
        session.send(clear)
        awaited(await session.aio.wait("input_audio_buffer.cleared"))

    session.connect()
    session.on("response.done", answer)
    session.on("response.done", answer_too)
    session.send(CREATE)
    for _ in range(2):  # the response with the call, and the follow-up
        assert heard.next()["type"] == awaited.next()["type"] == "input_audio_buffer.cleared"
    assert session.wait("response.created") == session.events.filter("response.created")[0].event
    assert session.wait("response.done") == session.events.filter("response.done")[0].event
    outputs = [entry.event["item"]["output"] for entry in session.events.filter("conversation.item.create")]
    assert sorted(outputs) == ["heard", "seen"]
    session.send(clear)
    session.wait("input_audio_buffer.cleared")
    with pytest.raises(rtnb.WaitTimeout):
        session.wait("response.done", timeout=0.05)


def test_a_listener_waits_for_what_comes_after_that_of_which_it_is_told(lab: Lab) -> None:
    session = lab.session("one", "two", "three").connect()
    plain, awaited = Heard(), Heard()
    taken = threading.Event()

    def follow(event: Any) -> None:
        if len(session.replies) != 2:
            taken.wait(TIMEOUT_S)
            plain((event["response"]["id"], session.wait("response.done", timeout=1)["response"]["id"]))

    async def follow_too(event: Any) -> None:
        if len(session.replies) != 2:
            await asyncio.to_thread(taken.wait, TIMEOUT_S)
            awaited((event["response"]["id"], (await session.aio.wait("response.done", timeout=1))["response"]["id"]))

    session.on("response.created", follow)
    session.on("response.created", follow_too)
    for turn in (1, 2, 3):
        session.ask("a").wait()
        session.wait("response.done")
        taken.set()
        for heard in (plain, awaited) if turn != 2 else ():
            told, found = heard.next()
            assert told == found
        taken.clear()


def test_wait_takes_a_glob_and_a_condition(lab: Lab) -> None:
    session = lab.session("one two three")
    session.ask("a")
    assert session.wait("response.*_text.delta", where=lambda event: "three" in event["delta"])["delta"] == " three"
    with pytest.raises(ZeroDivisionError):
        session.wait("response.done", where=lambda event: 1 / 0)


def test_a_condition_that_fails_while_waiting_is_the_callers_error_only(lab: Lab) -> None:
    gate = Gate()
    session = lab.session(["one ", wait(gate), "two"])
    reply = session.ask("a")
    waiting = in_thread(lambda: session.wait("response.done", where=lambda event: 1 / 0))
    eventually(lambda: session._core.link is not None and session._core.link._waiters, "the wait to begin")
    gate.open()
    with pytest.raises(ZeroDivisionError):
        waiting()
    assert reply.text == "one two"


def test_wait_looks_after_a_given_place(lab: Lab) -> None:
    session = lab.session("one", "two")
    session.ask("a").wait()
    first = session.wait("response.done")
    session.ask("b").wait()
    assert session.wait("response.done", after=-1) == first
    second = session.wait("response.done", after=first)
    assert second["response"]["id"] != first["response"]["id"]
    entry = session.events.find("response.created")
    assert entry is not None
    assert session.wait("response.done", after=entry) == first
    assert session.wait("session.created", after=-1)["type"] == "session.created"
    with pytest.raises(rtnb.ProtocolError, match="not in this session's log"):
        session.wait("response.done", after={"type": "response.done", "event_id": "other"})
    with pytest.raises(rtnb.WaitTimeout):
        session.wait("response.done", after=second, timeout=0.05)


def test_wait_sees_only_what_came_after_the_last_question(lab: Lab) -> None:
    gate = Gate()
    session = lab.session("one", [wait(gate), "two"])
    session.ask("a").wait()
    session.ask("b")
    gate.open()
    done = session.wait("response.done")
    assert session.replies[1].wait().responses[0].id == done["response"]["id"]


def test_a_wait_that_ends_by_its_timeout_says_what_came_last(lab: Lab) -> None:
    session = lab.session("one")
    session.connect()
    with pytest.raises(rtnb.WaitTimeout, match=r"no response\.done within 0\.05 s; .*session\.updated"):
        session.wait("response.done", timeout=0.05)


def test_a_wait_ends_when_the_connection_does(lab: Lab) -> None:
    session = lab.session("one", reconnect=False)
    session.connect()
    waiting = in_thread(lambda: session.wait("response.done"))
    eventually(lambda: session._core.link._waiters, "the wait to begin")
    lab.endpoint.stop()
    with pytest.raises(rtnb.ConnectionClosed):
        waiting()


def test_a_wait_on_a_closed_session_still_reads_its_log(lab: Lab) -> None:
    session = lab.session("one")
    session.ask("a").wait()
    session.close()
    assert session.wait("response.done", after=-1)["response"]["status"] == "completed"
    with pytest.raises(rtnb.NotConnected):
        session.wait("response.done")


async def test_everything_that_blocks_can_be_awaited(lab: Lab) -> None:
    session = lab.session("one", "two")
    await session.aio.connect()
    session.ask("a")
    assert (await session.aio.wait("response.done"))["response"]["status"] == "completed"
    assert (await session.aio.update(instructions="Be kind."))["instructions"] == "Be kind."
    item = await session.aio.insert("hello")
    await session.aio.delete(item)
    assert await session.aio.interrupt() is False
    with pytest.raises(rtnb.WaitTimeout):
        await session.aio.wait("never", timeout=0.05)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(session.aio.wait("never", timeout=30), 0.05)
    await session.aio.close()


@pytest.mark.parametrize("name", [name for name in vars(Aio) if not name.startswith("_")])
def test_the_awaitable_twin_of_a_call_takes_the_same_arguments(name: str) -> None:
    twin, call = (inspect.signature(getattr(each, name)) for each in (Aio, rtnb.Session))
    assert list(twin.parameters.values()) == list(call.parameters.values())


async def test_a_tool_is_added_and_removed_without_blocking(lab: Lab) -> None:
    session = lab.session(call("now"), "Noon.")
    await session.aio.connect()
    definition = {"name": "now", "description": "The time.", "parameters": {"type": "object", "properties": {}}}
    made = await session.aio.add_tool(definition, lambda: "12:00")
    assert [tool["name"] for tool in session.settings["tools"]] == ["now"]
    assert (await session.ask("x")).tool_calls[0].output == "12:00"
    await session.aio.remove_tool(made)
    assert await session.aio.add_tool(made) is made
    with pytest.raises(rtnb.ProtocolError, match="the function"):
        await session.aio.add_tool(definition)
    await session.aio.close()


# ---- on and off


def test_a_listener_hears_each_event_of_its_name_in_order(lab: Lab) -> None:
    session = lab.session("one two three")
    deltas, everything, done = Heard(), Heard(), Heard()
    session.on("response.output_text.delta", deltas)
    session.on("response.*", everything)
    session.on("response.done", done)
    session.ask("a")
    done.next()
    assert "".join(event["delta"] for event in deltas.all()) == "one two three"
    names = [event["type"] for event in everything.all()]
    assert names[0] == "response.created"
    assert names.count("response.output_text.delta") == 3
    assert all(name.startswith("response.") for name in names)


def test_on_is_a_decorator_too_and_off_ends_it(lab: Lab) -> None:
    session = lab.session("one", "two", "three")
    heard, other, end = Heard(), Heard(), Heard()

    @session.on("response.done")
    def listener(event: object) -> None:
        heard.put(event)

    session.on("response.done", other)
    session.on("response.done", end)
    session.ask("a")
    end.next()
    session.off("response.done", listener)
    session.ask("b")
    end.next()
    assert (len(heard.all()), len(other.all())) == (1, 2)
    session.off("response.done")
    session.off("response.done")
    session.off("never.heard.of", listener)
    session.ask("c").wait()
    session.on("rate_limits.updated", end)
    assert other.all() == []


def test_a_listener_must_be_callable(lab: Lab) -> None:
    with pytest.raises(TypeError, match="callable"):
        lab.session().on("response.done", "print")


def test_the_reference_clients_names_give_its_payloads(lab: Lab) -> None:
    session = lab.session("one two")
    appended, completed, updated, events = Heard(), Heard(), Heard(), Heard()
    session.on("conversation.item.appended", appended)
    session.on("conversation.item.completed", completed)
    session.on("conversation.updated", updated)
    session.on("realtime.event", events)
    session.ask("hello").wait()
    assert [appended.next()["item"].role for _ in range(2)] == ["user", "assistant"]
    assert [completed.next()["item"].role for _ in range(2)] == ["user", "assistant"]
    seen = [events.next()]
    while seen[-1]["event"]["type"] != "response.done":
        seen.append(events.next())
    assert {each["source"] for each in seen} == {"client", "server"}
    assert all(set(each) == {"time", "source", "event"} for each in seen)
    sent = [each["event"]["type"] for each in seen if each["source"] == "client"]
    assert sent == ["session.update", "conversation.item.create", "response.create"]
    deltas = [each["delta"]["text"] for each in updated.all() if each["delta"]]
    assert "".join(deltas) == "one two"


def test_client_events_are_told_by_realtime_event_only(lab: Lab) -> None:
    session = lab.session("one")
    everything = Heard()
    session.on("*", everything)
    session.ask("a").wait()
    names = [everything.next()["type"]]
    while names[-1] != "response.done":
        names.append(everything.next()["type"])
    assert "response.create" not in names
    assert "session.created" in names


def test_interruption_is_told_by_the_reference_clients_name(lab: Lab) -> None:
    gate = Gate()
    session = lab.session(["one ", wait(gate)])
    interrupted = Heard()
    session.on("conversation.interrupted", interrupted)
    reply = session.ask("a")
    next(iter(reply))
    session.interrupt()
    assert "item" in interrupted.next()
    assert reply.wait().status == "cancelled"


def test_a_failing_listener_is_logged_and_stops_nothing(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    session = lab.session("one two", "three")
    done = Heard()

    @session.on("response.output_text.delta")
    def bad(event: object) -> None:
        raise ValueError("a mistake in the listener")

    @session.on("response.created")
    async def bad_too(event: object) -> None:
        raise ValueError("a mistake in the async one")

    session.on("response.done", done)
    with caplog.at_level(logging.ERROR, logger="rtnb"):
        assert session.ask("a").text == "one two"
        done.next()
        assert session.ask("b").text == "three"
        done.next()
    assert caplog.text.count("ValueError: a mistake in the listener") == 3
    assert caplog.text.count("ValueError: a mistake in the async one") == 2


def test_a_listener_that_exits_does_not_end_the_listening(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    session = lab.session("one")
    done = Heard()

    @session.on("response.created")
    def leave(event: object) -> None:
        raise SystemExit

    session.on("response.done", done)
    session.ask("a")
    assert done.next()


def test_a_failing_watcher_of_a_reply_stops_nothing(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()
    session = lab.session([wait(gate), "one two"], "three")
    reply = session.ask("a")

    def bad(each: rtnb.Reply) -> None:
        if each.text_so_far:
            raise ValueError("a mistake in the watcher")

    reply.watch(bad)
    gate.open()
    assert reply.wait(TIMEOUT_S).text == "one two"
    assert session.ask("b").text == "three"
    assert "a mistake in the watcher" in caplog.text


def test_a_slow_listener_does_not_stop_the_stream(lab: Lab) -> None:
    session = lab.session("one two three", "four")
    go_on, heard = threading.Event(), Heard()

    @session.on("response.output_text.delta")
    def slow(event: dict) -> None:
        go_on.wait(TIMEOUT_S)
        heard.put(event["delta"])

    assert session.ask("a").text == "one two three"
    assert session.ask("b").text == "four"
    assert heard.all() == []
    go_on.set()
    assert [heard.next() for _ in range(4)] == ["one", " two", " three", "four"]


def test_a_listener_may_call_the_session(lab: Lab) -> None:
    session = lab.session("one", "two")
    heard = Heard()

    @session.on("response.done")
    def again(event: object) -> None:
        session.off("response.done")
        heard.put(session.ask("b").text)

    session.ask("a")
    assert heard.next() == "two"


def test_an_async_listener_may_await_and_a_blocking_call_in_it_says_so(lab: Lab) -> None:
    session = lab.session("one", "two", "three")
    heard = Heard()
    kept = session.ask("warm up")
    kept.wait()

    @session.on("response.done")
    async def listen(event: object) -> None:
        session.off("response.done")
        reply = session.ask("b")
        for attempt in (
            lambda: reply.text,
            lambda: reply.wait(),
            lambda: list(reply),
            lambda: session.wait("response.done"),
            lambda: session.update(instructions="x"),
            lambda: session.close(),
        ):
            try:
                heard.put(attempt())
            except rtnb.RtnbError as exc:
                heard.put(str(exc))
        heard.put((await reply).text)
        heard.put(kept.text)

    session.ask("a").wait()
    for _ in range(6):
        assert "await" in heard.next()
    assert heard.next() == "three"
    assert heard.next() == "one"


def test_a_lambda_that_makes_a_coroutine_is_awaited(lab: Lab) -> None:
    session = lab.session("one")
    heard = Heard()

    async def listen(event: dict) -> None:
        await asyncio.sleep(0)
        heard.put(event["type"])

    session.on("response.done", lambda event: listen(event))
    session.ask("a")
    assert heard.next() == "response.done"


def test_a_raw_tool_call_is_answered_by_hand_with_raw_events(lab: Lab) -> None:
    tool = {
        "type": "function",
        "name": "calculate_sum",
        "description": "Add two numbers.",
        "parameters": {"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}},
    }
    session = lab.session(call("calculate_sum", a=4, b=6), "That is 10.", config={"tools": [tool]})
    reply = session.ask("What is 4 plus 6?")
    assert reply.wait().status == "completed"
    [made] = reply.tool_calls
    assert (made.name, made.arguments, made.output) == ("calculate_sum", {"a": 4, "b": 6}, None)
    item = {"type": "function_call_output", "call_id": made.call_id, "output": "10"}
    session.send({"type": "conversation.item.create", "item": item})
    session.send(CREATE)
    session.wait("response.done")
    assert session.replies[-1].text == "That is 10."
    assert lab.brain.requests[-1].items[-1]["output"] == "10"
    assert len(session.events.filter("response.create")) == 2
