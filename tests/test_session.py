"""A session over a real socket: opening, closing, asking, and what a reply tells."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest
from helpers_session import TIMEOUT_S, Gate, Heard, Lab, eventually, in_thread, lab

import rtnb
from rtnb.core.protocol import item_create
from rtnb.local.brains import call, fail, incomplete, wait, when
from rtnb.session.sequencer import State
from rtnb.session.session import SessionState

__all__ = ["lab"]


# ---- opening and closing


def test_connect_twice_keeps_one_connection(lab: Lab) -> None:
    session = lab.session("hi")
    assert session.state is SessionState.IDLE
    assert session.connect() is session
    session.connect()
    assert session.state is SessionState.READY
    assert session.events.names["session.created"] == 1
    assert lab.endpoint.sessions == 1


def test_close_twice_is_fine_and_connect_opens_a_new_one(lab: Lab) -> None:
    session = lab.session("one", "two")
    assert session.ask("a").text == "one"
    session.close()
    session.close()
    assert session.state is SessionState.CLOSED
    assert lab.brain.left == 1
    session.connect()
    assert session.state is SessionState.READY
    assert session.items == []
    assert session.ask("b").text == "two"
    assert session.events.names["session.created"] == 2


def test_a_second_close_waits_for_the_first(lab: Lab) -> None:
    core = lab.session("hi").connect()._core
    assert core.link is not None
    close, begun, go_on = core.link.close, threading.Event(), threading.Event()

    async def slowly() -> None:
        begun.set()
        await asyncio.to_thread(go_on.wait, TIMEOUT_S)
        await close()

    core.link.close = slowly  # type: ignore[method-assign]
    first = in_thread(core.close)
    assert begun.wait(TIMEOUT_S)
    second = core.runner.submit(core.do_close())
    with pytest.raises(TimeoutError):
        second.result(0.05)
    go_on.set()
    first()
    second.result(TIMEOUT_S)
    assert core.state is SessionState.CLOSED


def test_a_tool_may_close_its_own_session(lab: Lab) -> None:
    session = lab.session(call("hang_up"), "never said")

    @session.tool
    async def hang_up() -> str:
        """End the call."""
        await session.aio.close()
        return "never heard"

    reply = session.ask("goodbye")
    eventually(lambda: session.state is SessionState.CLOSED, "the close")
    assert session._core.link is None
    assert isinstance(reply.wait(TIMEOUT_S).error, rtnb.ConnectionClosed)
    session.connect()
    assert session.ask("hello").text == "never said"


def test_closing_a_session_that_was_never_opened_starts_nothing() -> None:
    before = set(threading.enumerate())
    session = rtnb.Session("local")
    session.close()
    session.close()
    assert set(threading.enumerate()) <= before
    assert session.state is SessionState.IDLE


def test_a_with_statement_opens_and_closes(lab: Lab) -> None:
    with lab.session("hi") as session:
        assert session.state is SessionState.READY
        assert session.ask("a").text == "hi"
    assert session.state is SessionState.CLOSED


async def test_an_async_with_statement_opens_and_closes(lab: Lab) -> None:
    async with lab.session("hi") as session:
        assert session.state is SessionState.READY
        reply = await session.ask("a")
        assert reply.text == "hi"
    assert session.state is SessionState.CLOSED


def test_many_threads_that_connect_at_once_share_one_connection(lab: Lab) -> None:
    session = lab.session("hi")
    for each in [in_thread(session.connect) for _ in range(8)]:
        assert each() is session
    assert session.events.names["session.created"] == 1


def test_closing_while_it_connects_tells_the_one_who_waits_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        session = rtnb.Session(f"ws://127.0.0.1:{silent.getsockname()[1]}/", output="text")
        waiting = in_thread(lambda: session.connect(timeout=60))
        reply = session.ask("hello")
        accepted, _ = silent.accept()
        session.close()
        with pytest.raises(rtnb.ConnectionClosed, match="closed before"):
            waiting()
        with pytest.raises(rtnb.ConnectionClosed):
            _ = reply.text
        assert session.state is SessionState.CLOSED
        accepted.close()


def test_a_server_that_closes_right_after_the_configuration_leaves_no_dead_session(lab: Lab) -> None:
    session = lab.session("never", reconnect=False)
    session.connect()
    gone = Heard()
    session.on("session.state", gone)
    lab.endpoint.stop()
    while gone.next() is SessionState.READY:
        pass
    assert session.state in (SessionState.CLOSED, SessionState.FAILED)
    with pytest.raises(rtnb.NotConnected, match="connect"):
        session.send({"type": "response.create"})
    with pytest.raises(rtnb.ConnectionFailed) as caught:
        _ = session.ask("hello").text
    assert caught.value.reason == "refused"


def test_a_call_that_needs_a_connection_says_what_to_do(lab: Lab) -> None:
    session = lab.session("hi")
    for use in (
        lambda: session.send({"type": "response.create"}),
        lambda: session.wait("response.done", timeout=1),
        lambda: session.append_audio(bytes(4800)),
        lambda: session.commit(),
        lambda: session.insert("hello"),
        lambda: session.delete("item_1"),
    ):
        with pytest.raises(rtnb.NotConnected, match=r"connect\(\)"):
            use()
    session.connect()
    session.close()
    with pytest.raises(rtnb.NotConnected, match="closed"):
        session.send({"type": "response.create"})


def test_the_repr_is_one_line_and_safe_in_every_state(lab: Lab) -> None:
    session = lab.session("hi", name="first")
    assert repr(session) == "<Session first idle, 0 items, 0 events>"
    session.ask("a").wait()
    assert repr(session).startswith("<Session first ready, 2 items, ")
    session.close()
    assert repr(session).startswith("<Session first closed, ")


# ---- asking


def test_ask_connects_and_gives_the_answer(lab: Lab) -> None:
    session = lab.session("Hello there, friend.")
    reply = session.ask("hello")
    assert reply.text == "Hello there, friend."
    assert reply.status == "completed"
    assert reply.error is None
    assert session.state is SessionState.READY
    assert session.activity is State.IDLE
    assert [item.role for item in session.items] == ["user", "assistant"]


def test_a_reply_is_iterated_piece_by_piece_while_it_comes(lab: Lab) -> None:
    gate = Gate()
    session = lab.session(["one ", "two ", wait(gate), "three"])
    pieces = iter(session.ask("count"))
    assert next(pieces) + next(pieces) == "one two "
    gate.open()
    assert "".join(pieces) == "three"


async def test_a_reply_is_iterated_without_blocking_the_loop(lab: Lab) -> None:
    gate = Gate()
    session = lab.session(["one ", wait(gate), "two"])
    got = []
    async for piece in session.ask("count"):
        got.append(piece)
        gate.open()
    assert got == ["one ", "two"]


async def test_replies_are_awaited_one_after_the_other_and_together(lab: Lab) -> None:
    session = lab.session("one", "two", "three")
    assert (await session.ask("a")).text == "one"
    both = await asyncio.gather(session.ask("b"), session.ask("c"))
    assert [reply.text for reply in both] == ["two", "three"]


def test_several_turns_are_remembered_by_the_server(lab: Lab) -> None:
    session = lab.session("one", "two", "three")
    for word in ("a", "b", "c"):
        session.ask(word).wait()
    said = [item.get("role") for item in lab.brain.requests[-1].items]
    assert said == ["user", "assistant", "user", "assistant", "user"]
    assert [reply.text for reply in session.replies] == ["one", "two", "three"]


def test_questions_asked_at_once_are_answered_in_their_order(lab: Lab) -> None:
    session = lab.session(*(when(f"question {n} please", f"answer {n}") for n in range(6)))
    replies = [session.ask(f"question {n} please") for n in range(6)]
    assert [reply.text for reply in replies] == [f"answer {n}" for n in range(6)]
    assert "error" not in session.events.names
    kinds = [item.role for item in session.items]
    assert kinds == ["user", "assistant"] * 6


def test_what_is_sent_after_a_question_goes_out_after_it(lab: Lab) -> None:
    session = lab.session("Hello").connect()
    busy = threading.Event()
    session._core.post(busy.wait, TIMEOUT_S)  # the session's thread has not seen the question when the item is sent
    threading.Timer(0.2, busy.set).start()
    reply = session.ask("first")
    content = [{"type": "input_text", "text": "second"}]
    session.send(item_create({"id": "item_second", "type": "message", "role": "user", "content": content}))
    reply.wait()
    # `send` waits for no socket: the item has gone when the server tells of it.
    session.wait("conversation.item.added", where=lambda event: event["item"]["id"] == "item_second", after=0)
    sent = [entry.event["item"] for entry in session.events.filter("conversation.item.create", direction="client")]
    assert [item["content"][0]["text"] for item in sent] == ["first", "second"]


def test_a_reply_tells_usage_cost_latency_events_and_items(lab: Lab) -> None:
    session = lab.session("Hello there", "Again")
    reply = session.ask("hello")
    assert reply.usage.output > 0
    assert reply.usage.input > 0
    assert reply.cost is not None
    assert reply.latency.first_text is not None
    assert [item.text for item in reply.items] == ["Hello there"]
    names = reply.events.names
    assert {"response.create", "response.created", "response.output_text.delta", "response.done"} <= names.keys()
    assert "session.created" not in names
    session.ask("more").wait()
    assert reply.events.names == names
    assert session.usage.output > reply.usage.output
    assert session.cost is not None
    assert len(session.turns) == 2


def test_the_question_is_among_the_events_of_its_reply(lab: Lab) -> None:
    session = lab.session("one", "two")
    first, second = session.ask("a"), session.ask("b")
    second.wait()
    for reply in (first, second):
        assert reply.events.names["conversation.item.create"] == 1


def test_a_cancelled_reply_keeps_what_had_come(lab: Lab) -> None:
    gate = Gate()
    session = lab.session(["one ", "two ", wait(gate), "three"], "next")
    reply = session.ask("count")
    pieces = iter(reply)
    next(pieces)
    next(pieces)
    reply.cancel()
    assert reply.wait().status == "cancelled"
    assert reply.text == "one two "
    reply.cancel()
    assert session.ask("go on").text == "next"


def test_a_queued_question_is_cancelled_without_being_asked(lab: Lab) -> None:
    gate = Gate()
    session = lab.session(["one", wait(gate)], when("third", "three"))
    first, second, third = session.ask("first"), session.ask("second"), session.ask("third")
    next(iter(first))
    second.cancel()
    assert second.wait().status == "cancelled"
    gate.open()
    assert (first.text, third.text) == ("one", "three")
    asked = [item for item in session.items if item.role == "user"]
    assert len(asked) == 2


def test_interrupt_stops_what_is_under_way_and_tells_if_there_was_anything(lab: Lab) -> None:
    gate = Gate()
    session = lab.session(["one ", wait(gate)], "two")
    session.connect()
    assert session.interrupt() is False
    reply = session.ask("count")
    next(iter(reply))
    assert session.interrupt() is True
    assert reply.wait().status == "cancelled"
    assert session.interrupt() is False
    assert session.ask("again").text == "two"


def test_an_incomplete_reply_keeps_its_text_and_says_why(lab: Lab) -> None:
    session = lab.session(incomplete("This was cut"))
    reply = session.ask("tell me")
    assert reply.text == "This was cut"
    assert reply.status == "incomplete"
    assert "max_output_tokens" in reply.as_plain()


def test_a_failed_reply_raises_on_text_with_the_servers_words(lab: Lab) -> None:
    session = lab.session(["half ", fail("rate_limit_exceeded", "Too many of them.")], "fine")
    reply = session.ask("a")
    assert reply.wait().status == "failed"
    with pytest.raises(rtnb.ResponseFailed, match=r"rate_limit_exceeded: Too many of them\."):
        _ = reply.text
    assert reply.text_so_far == "half "
    assert isinstance(reply.error, rtnb.ResponseFailed)
    with pytest.raises(rtnb.ResponseFailed):
        list(reply)
    assert session.ask("b").text == "fine"


async def test_awaiting_a_failed_reply_raises(lab: Lab) -> None:
    with pytest.raises(rtnb.ResponseFailed):
        await lab.session(fail()).ask("a")


def test_a_reply_that_takes_too_long_says_how_far_it_came(lab: Lab) -> None:
    gate = Gate()
    session = lab.session(["12345", wait(gate), "6"])
    reply = session.ask("count", timeout=0.3)
    session.wait("response.output_text.delta", timeout=TIMEOUT_S)
    with pytest.raises(rtnb.WaitTimeout, match=r"after 0\.3 s \(5 characters had come\)") as caught:
        _ = reply.text
    assert isinstance(caught.value, TimeoutError)
    with pytest.raises(rtnb.WaitTimeout):
        reply.wait(0.01)
    with pytest.raises(rtnb.WaitTimeout):
        list(reply)
    gate.open()
    assert reply.wait(20).text == "123456"


def test_a_reply_ends_when_the_connection_does(lab: Lab) -> None:
    gate = Gate()
    session = lab.session(["one ", wait(gate)], reconnect=False)
    answering, queued = session.ask("a"), session.ask("b")
    next(iter(answering))
    lab.endpoint.stop()
    for reply in (answering, queued):
        with pytest.raises(rtnb.ConnectionClosed):
            _ = reply.text
        assert reply.status == "failed"
    assert answering.text_so_far == "one "


def test_closing_ends_open_replies_in_words(lab: Lab) -> None:
    gate = Gate()
    session = lab.session(["one ", wait(gate)])
    reply = session.ask("a")
    next(iter(reply))
    session.close()
    with pytest.raises(rtnb.ConnectionClosed, match="the session was closed before the answer was complete"):
        _ = reply.text


def test_respond_answers_the_conversation_as_it_stands(lab: Lab) -> None:
    session = lab.session("an answer")
    session.connect()
    session.insert("a question")
    assert session.respond().text == "an answer"
    assert len(session.items) == 2


def test_an_answer_out_of_band_stays_out_of_the_conversation_and_waits_for_nobody(lab: Lab) -> None:
    gate = Gate()
    session = lab.session(when("slow", ["one ", wait(gate), "two"]), when("classify", "spam"))
    slow = session.ask("slow")
    next(iter(slow))
    asked = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "classify this"}]}
    aside = session.respond(conversation="none", input=[asked], metadata={"topic": "mail"})
    assert aside.text == "spam"
    assert aside.responses[0].metadata["topic"] == "mail"
    gate.open()
    assert slow.text == "one two"
    assert len(session.items) == 2


def test_options_of_one_answer_reach_the_server(lab: Lab) -> None:
    session = lab.session("a", "b")
    session.ask("x", instructions="Be brief.", max_output_tokens=100, metadata={"k": "v"}).wait()
    sent = session.events.last("response.create").event["response"]
    assert sent["instructions"] == "Be brief."
    assert sent["max_output_tokens"] == 100
    assert sent["metadata"]["k"] == "v"
    with pytest.raises(rtnb.ProtocolError):
        session.ask("x", max_output_tokens=-1)
    with pytest.raises(rtnb.ProtocolError, match="empty"):
        session.ask("  ")
    with pytest.raises(rtnb.ProtocolError, match="cannot be asked"):
        session.ask(object())
    assert session.ask("y").text == "b"


def test_metadata_of_the_most_pairs_is_left_alone_and_answered(lab: Lab) -> None:
    session = lab.session("fine", "again")
    metadata = {f"key{n}": "v" for n in range(16)}
    reply = session.ask("x", metadata=metadata)
    assert reply.wait(20).text == "fine"
    assert reply.responses[0].metadata == metadata
    assert session.ask("y", timeout=20).text == "again"


def test_several_sessions_do_not_disturb_each_other(lab: Lab) -> None:
    lab.serve(*(when(f"I am {n}.", f"Hello {n}") for n in range(5)))
    sessions = [lab.session() for _ in range(5)]
    replies = [session.ask(f"I am {n}.") for n, session in enumerate(sessions)]
    assert [reply.text for reply in replies] == [f"Hello {n}" for n in range(5)]
    assert lab.endpoint.sessions == 5
    for session in sessions:
        session.close()
    eventually(lambda: lab.endpoint.sessions == 0, "the sessions to end")


def test_a_tool_call_of_an_unknown_tool_is_answered_and_does_not_stop_the_session(lab: Lab) -> None:
    session = lab.session(call("nobody", x=1), "So be it.")
    reply = session.ask("a")
    assert reply.text == "So be it."
    assert "nobody" in reply.tool_calls[0].error
