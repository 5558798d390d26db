"""Staying connected: what a user sees when a connection is lost, over a wire that is cut on purpose."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from helpers_local import Dictation, ToneVoice, loud
from helpers_reconnect import ContentBrain, Wire, closing_server, wired
from helpers_relay import upstream
from helpers_session import TIMEOUT_S, Gate, Heard, Lab, eventually, in_thread, lab
from websockets.asyncio.server import ServerConnection

import rtnb
from rtnb.core.conversation import Conversation
from rtnb.local.brains import ScriptBrain, call, wait, when
from rtnb.session.session import SessionState

__all__ = ["lab"]

LOST = [SessionState.RECONNECTING, SessionState.READY]


@pytest.fixture
def wire(lab: Lab) -> Iterator[Wire]:
    """A wire in front of an endpoint that answers by content."""
    endpoint = lab.serve(brain=ContentBrain())
    with wired(endpoint.url) as made:
        yield made


def open_session(wire: Wire, **options: Any) -> rtnb.Session:
    return rtnb.Session(wire.url, **{"output": "text", "transcription": None, **options})


def on_server(session: rtnb.Session) -> list[str]:
    """The ids that the server has, asked one by one."""
    found = []
    for item in session.items:
        session.send({"type": "conversation.item.retrieve", "item_id": item.id})
        found.append(session.wait("conversation.item.retrieved", timeout=TIMEOUT_S)["item"]["id"])
    return found


def texts(session: rtnb.Session) -> list[str]:
    return [item.text or item.arguments or item.output or "" for item in session.items]


# ---- the conversation


def test_a_cut_between_turns_loses_nothing(wire: Wire) -> None:
    with open_session(wire) as session:
        hints, states = Heard(), Heard()
        session.on("session.hint", hints)
        session.on("session.state", states)
        first = session.ask("one").text
        before = [item.id for item in session.items]
        wire.cut()
        assert [states.next(), states.next()] == LOST
        assert [item.id for item in session.items] == before == on_server(session)
        assert session.failure is None
        second = session.ask("two").text
        assert texts(session) == ["one", first, "two", second]
        assert "it is being opened again" in hints.next()
        assert "connected again after" in hints.next()
        assert Conversation.replay(session.events) == session._core.conversation


def test_settings_and_tools_hold_in_the_new_connection(wire: Wire) -> None:
    with open_session(wire, instructions="Be brief.") as session:
        session.update(speed=1.2)
        session.send({"type": "session.update", "session": {"type": "realtime", "max_output_tokens": 77}})
        session.wait("session.updated")

        @session.tool
        def note(text: str) -> str:
            """Note."""
            return text

        wire.cut()
        eventually(
            lambda: session.events.names["session.created"] == 2 and session._core.is_ready, "the new connection"
        )
        assert session.settings["instructions"] == "Be brief."
        assert session.settings["max_output_tokens"] == 77
        assert session.settings["audio"]["output"]["speed"] == 1.2
        assert [tool["name"] for tool in session.settings["tools"]] == ["note"]
        assert session.ask("a tool please").tool_calls[0].output == "a tool please"


def test_speech_comes_back_as_sound_and_answers_as_their_words(lab: Lab) -> None:
    endpoint = lab.serve(brain=ContentBrain(pieces=1), voice=ToneVoice(), hearing=Dictation("hello", "hello"))
    with wired(endpoint.url) as wire, rtnb.Session(wire.url) as session:
        session.connect()
        session.append_audio(loud(300))
        session.commit()
        assert session.respond().audio.seconds > 0
        question, answer = session.items
        eventually(lambda: question.transcription == "done", "the transcript")
        sound = answer.audio()
        wire.cut()
        eventually(
            lambda: session.events.names["session.created"] == 2 and session._core.is_ready, "the new connection"
        )
        created = [entry.event["item"] for entry in session.events.filter("conversation.item.create")][-2:]
        assert [item["id"] for item in created] == [question.id, answer.id]
        assert created[0]["content"][0]["type"] == "input_audio"
        assert len(created[0]["content"][0]["audio"]) == len(loud(300)) * 4 // 3
        assert created[1]["content"] == [{"type": "output_text", "text": answer.transcript}]
        assert (answer.audio(), answer.parts[0].type, answer.restored) == (sound, "output_audio", True)
        assert question.transcript == "hello"
        assert list(session.items) == [question, answer]


def test_what_was_not_heard_of_an_interrupted_answer_is_not_told_again(lab: Lab) -> None:
    endpoint = lab.serve(["One two three. ", "Four five six. "], pace=None)
    with wired(endpoint.url) as wire, rtnb.Session(wire.url, transcription=None) as session:
        session.ask("count").wait()
        answer = session.items[-1]
        session.truncate(answer, int(answer.audio_ms / 2))
        wire.cut()
        eventually(
            lambda: session.events.names["session.created"] == 2 and session._core.is_ready, "the new connection"
        )
        told = session.events.last("conversation.item.create")
        assert told is not None
        assert told.event["item"]["content"][0]["text"] == answer.heard_transcript != answer.transcript


# ---- answers under way


def test_an_answer_that_had_begun_to_come_is_kept_as_incomplete(lab: Lab) -> None:
    gate = Gate()
    endpoint = lab.serve(["One ", wait(gate), "two"], "after")
    with wired(endpoint.url) as wire, open_session(wire) as session:
        reply = session.ask("a")
        assert next(iter(reply)) == "One "
        wire.cut()
        assert reply.wait(TIMEOUT_S).status == "incomplete"
        assert reply.text == "One "
        assert isinstance(reply.error, rtnb.ConnectionClosed)
        assert "incomplete: the connection broke without a goodbye" in reply.as_plain()
        assert session.ask("b").text == "after"
        assert [(item.text, item.status) for item in session.items[:2]] == [("a", "completed"), ("One ", "incomplete")]
        assert "One " in [words for item in session.items for words in [item.text]]
        gate.open()


def test_an_answer_of_which_nothing_came_is_asked_for_again(lab: Lab) -> None:
    gate = Gate()
    endpoint = lab.serve([wait(gate), "never"], "second time")
    with wired(endpoint.url) as wire, open_session(wire) as session:
        reply = session.ask("a")
        assert gate.reached.wait(TIMEOUT_S)
        queued = session.ask("b")
        wire.cut()
        assert reply.text == "second time"
        assert [item.role for item in session.items][:2] == ["user", "assistant"]
        queued.wait(TIMEOUT_S)
        gate.open()


def test_a_tool_that_runs_meanwhile_is_answered_in_the_new_connection(wire: Wire) -> None:
    with open_session(wire) as session:
        running, go_on = threading.Event(), threading.Event()

        @session.tool
        def note(text: str) -> str:
            """Note."""
            running.set()
            assert go_on.wait(TIMEOUT_S)
            return "it"

        reply = session.ask("a tool please")
        assert running.wait(TIMEOUT_S)
        wire.is_down = True
        wire.cut()
        eventually(lambda: wire.refused > 0, "a try")
        go_on.set()
        eventually(lambda: session._core.sequencer._held, "the output that waits")
        wire.is_down = False
        assert reply.text == "noted it"
        assert [call.output for call in reply.tool_calls] == ["it"]
        kinds = [item.type for item in session.items]
        assert kinds == ["message", "function_call", "function_call_output", "message"]
        assert on_server(session) == [item.id for item in session.items]


def test_an_answer_out_of_band_is_asked_for_again(lab: Lab) -> None:
    gate = Gate()
    endpoint = lab.serve([wait(gate), "never"], "aside")
    with wired(endpoint.url) as wire, open_session(wire) as session:
        aside = session.respond(conversation="none", input=[])
        assert gate.reached.wait(TIMEOUT_S)
        wire.cut()
        assert aside.text == "aside"
        assert session.items == []
        gate.open()


# ---- what the user does meanwhile


def test_everything_waits_for_the_new_connection(wire: Wire) -> None:
    with open_session(wire) as session:
        session.connect()
        wire.is_down = True
        wire.cut()
        eventually(lambda: session.state is SessionState.RECONNECTING, "the loss")
        assert isinstance(session.failure, rtnb.ConnectionClosed)
        assert "being opened again" in str(session.failure)
        asked = session.ask("one")
        sent = session.send({"type": "conversation.item.create", "item": _user("by hand")})
        inserting = in_thread(lambda: session.insert("inserted", timeout=TIMEOUT_S))
        updating = in_thread(lambda: session.update(instructions="New."))
        waiting = in_thread(lambda: session.wait("response.done", timeout=TIMEOUT_S, after=-1))
        connecting = in_thread(lambda: session.connect(timeout=TIMEOUT_S))
        eventually(lambda: wire.refused > 1, "tries")
        assert not asked.is_done
        wire.is_down = False
        assert connecting() is session
        assert inserting().text == "inserted"
        assert updating()["instructions"] == "New."
        assert waiting()["response"]["status"] == "completed"
        assert asked.text
        assert [text for text in texts(session) if text in ("one", "by hand")] == ["one", "by hand"]
        assert "inserted" in texts(session)
        assert session.events.find("conversation.item.create", where=lambda event: event["event_id"] == sent)


def test_what_is_called_meanwhile_goes_on_in_the_order_of_the_calls(wire: Wire) -> None:
    with open_session(wire) as session:
        session.connect()
        wire.is_down = True
        wire.cut()
        eventually(lambda: session.state is SessionState.RECONNECTING, "the loss")
        first = session.ask("one")
        session.send({"type": "conversation.item.create", "item": _user("two")})
        cancelled = session.ask("never")
        session.send({"type": "conversation.item.create", "item": _user("three")})
        last = session.ask("four")
        cancelled.cancel()
        wire.is_down = False
        assert first.text
        assert last.text
        assert cancelled.status == "cancelled"
        assert [item.text for item in session.items if item.role == "user"] == ["one", "two", "three", "four"]


def test_a_time_out_while_the_connection_is_away_names_the_loss(wire: Wire) -> None:
    with open_session(wire) as session:
        session.connect()
        wire.is_down = True
        wire.cut()
        eventually(lambda: session.state is SessionState.RECONNECTING, "the loss")
        with pytest.raises(rtnb.WaitTimeout, match=r"since the connection broke .* it is being opened again"):
            session.ask("one", timeout=0.05).wait()


def test_a_question_that_waits_for_a_connection_ends_with_the_session(wire: Wire) -> None:
    session = open_session(wire)
    session.connect()
    wire.is_down = True
    wire.cut()
    eventually(lambda: session.state is SessionState.RECONNECTING, "the loss")
    reply = session.ask("one")
    session.close()
    assert reply.wait(TIMEOUT_S).status == "failed"
    assert "closed before the answer" in str(reply.error)


def _user(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def test_only_so_much_may_wait(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rtnb.session.reconnect.MOST_WAITING", 3)
    with open_session(wire) as session:
        session.connect()
        wire.is_down = True
        wire.cut()
        eventually(lambda: session.state is SessionState.RECONNECTING, "the loss")
        for _ in range(3):
            session.send({"type": "input_audio_buffer.clear"})
        with pytest.raises(rtnb.NotConnected, match="3 events wait"):
            session.send({"type": "input_audio_buffer.clear"})
        wire.is_down = False
        session.connect(timeout=TIMEOUT_S)
        eventually(lambda: session.events.names.get("input_audio_buffer.cleared") == 3, "what waited")


def test_sound_that_was_appended_and_not_committed_is_appended_again(lab: Lab) -> None:
    endpoint = lab.serve(brain=ContentBrain(pieces=1), hearing=Dictation("hello", "hello"))
    with wired(endpoint.url) as wire, open_session(wire) as session:
        session.connect()
        session.append_audio(loud(200))
        eventually(lambda: session._core.conversation.input_ms == 200, "the sound to be sent")
        wire.is_down = True
        wire.cut()
        eventually(lambda: session.state is SessionState.RECONNECTING, "the loss")
        session.append_audio(loud(100))
        wire.is_down = False
        item = session.commit(timeout=TIMEOUT_S)
        assert item.audio() == loud(300)


def test_closing_ends_the_tries(wire: Wire) -> None:
    before = set(threading.enumerate())
    session = open_session(wire)
    session.connect()
    wire.is_down = True
    wire.cut()
    eventually(lambda: wire.refused > 0, "a try")
    reply = session.ask("one")
    connecting = session._core.runner.submit(session._core.do_connect(TIMEOUT_S))  # begins to wait before the close
    session.close()
    assert session.state is SessionState.CLOSED
    with pytest.raises(rtnb.ConnectionClosed):
        connecting.result(TIMEOUT_S)
    with pytest.raises(rtnb.ConnectionClosed):
        _ = reply.text
    mine = lambda: {each for each in set(threading.enumerate()) - before if each.name != "wire"}  # noqa: E731
    eventually(lambda: all(not each.name.startswith("rtnb") for each in mine()), "the threads to end")


# ---- giving up


def test_after_giving_up_connect_goes_on_with_the_conversation(wire: Wire) -> None:
    with open_session(wire, reconnect=0.3) as session:
        session.ask("one").wait()
        states, hints = Heard(), Heard()
        session.on("session.state", states)
        session.on("session.hint", hints)
        wire.is_down = True
        wire.cut()
        assert [states.next(), states.next()] == [SessionState.RECONNECTING, SessionState.FAILED]
        assert "could not be opened again" in str(session.failure)
        assert "could not be opened again" in [hints.next(), hints.next()][-1]
        with pytest.raises(rtnb.ConnectionFailed):
            _ = session.ask("nobody").text
        wire.is_down = False
        session.connect()
        assert texts(session)[0] == "one"
        assert on_server(session) == [item.id for item in session.items]


def test_it_can_be_switched_off(wire: Wire) -> None:
    with open_session(wire, reconnect=False) as session:
        session.connect()
        states = Heard()
        session.on("session.state", states)
        wire.cut()
        assert states.next() is SessionState.FAILED
        with pytest.raises(rtnb.NotConnected):
            session.send({"type": "input_audio_buffer.clear"})
    with pytest.raises(ValueError, match="reconnect is True, False or the seconds"):
        rtnb.Session(wire.url, reconnect="often")  # type: ignore[arg-type]


def test_a_wrong_key_is_not_tried_twice(lab: Lab) -> None:
    lab.serve("hi", key="right-key")
    port = lab.endpoint.port
    session = rtnb.Session(lab.endpoint.url, key="right-key", output="text", transcription=None)
    with session:
        states = Heard()
        session.on("session.state", states)
        lab.endpoint.stop()
        with rtnb.LocalEndpoint(port=port, key="new-key", brain=ScriptBrain()):
            seen = [states.next(), states.next()]
            assert seen == [SessionState.RECONNECTING, SessionState.FAILED]
            assert isinstance(session.failure, rtnb.ConnectionFailed)
            assert session.failure.reason == "key"


def test_a_server_that_ends_the_session_on_purpose_is_left_alone(lab: Lab) -> None:
    with closing_server(1000, "done") as url:
        session = rtnb.Session(url, output="text")
        states = Heard()
        session.on("session.state", states)
        session.connect()
        while (state := states.next()) in (SessionState.CONNECTING, SessionState.READY):
            pass
        assert state is SessionState.CLOSED
        session.close()


# ---- the time limit


def test_it_moves_to_a_new_connection_before_the_limit_and_between_turns(lab: Lab) -> None:
    gate = Gate()
    lab.serve(
        when("first", "one"), when("slow", ["two ", wait(gate), "three"]), when("last", "four"), session_limit_s=2.5
    )
    session = lab.session()
    hints, closed = Heard(), Heard()
    session.on("session.hint", hints)
    session.on("error", closed)
    session.ask("first").wait()
    assert "time limit" in hints.next()
    assert "connected again" in hints.next()
    assert closed.all() == []
    assert texts(session) == ["first", "one"]
    assert session.ask("last").text == "four"
    gate.open()


def test_a_session_that_expires_in_the_midst_of_an_answer_goes_on(lab: Lab) -> None:
    session = lab.session("one", ["two ", "more"], "three")
    session.ask("a").wait()
    lab.endpoint.fault("expire")
    reply = session.ask("b").wait(TIMEOUT_S)
    assert reply.status in ("incomplete", "completed")
    assert session.ask("c").text
    assert session.events.names["session.created"] == 2


# ---- a call that hangs


def test_ctrl_c_while_it_is_opened_again_leaves_it_going(wire: Wire) -> None:
    with open_session(wire) as session:
        session.connect()
        wire.is_down = True
        wire.cut()
        eventually(lambda: session.state is SessionState.RECONNECTING, "the loss")
        future = session._core.runner.submit(session._core.do_connect(TIMEOUT_S))
        future.cancel()
        wire.is_down = False
        assert session.connect(timeout=TIMEOUT_S).ask("still here").text


def test_a_script_with_a_call_is_not_run_twice(lab: Lab) -> None:
    endpoint = lab.serve(call("count"), "done")
    counted = []
    with wired(endpoint.url) as wire, open_session(wire) as session:

        @session.tool
        def count() -> int:
            """Count."""
            counted.append(1)
            wire.cut()
            return len(counted)

        assert session.ask("x").text == "done"
        assert counted == [1]


async def test_items_that_a_server_begins_with_are_not_put_into_it_again() -> None:
    told: list[str] = []

    async def talk(client: ServerConnection) -> None:
        session = {"type": "realtime", "id": "sess_1"}
        await client.send(json.dumps({"type": "session.created", "session": session}))
        await client.send(
            json.dumps({"type": "conversation.item.added", "item": {"id": "item_old", **_user("before")}})
        )
        async for message in client:
            told.append(json.loads(message)["type"])
            if told[-1] == "session.update":
                await client.send(json.dumps({"type": "session.updated", "session": session}))

    async with upstream(talk) as other, rtnb.Session(other.url, output="text") as session:
        assert [item.text for item in session.items] == ["before"]
    assert told == ["session.update"]
