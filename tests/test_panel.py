"""The panel's side in the kernel: what pages ask for is done, and all of them are told; no browser."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from helpers_local import silence
from helpers_panel import Pages, shown, speech
from helpers_session import Gate, Lab, eventually, lab

import rtnb
from rtnb.core.errors import ConnectionFailed, ProtocolError, WaitTimeout
from rtnb.local.brains.script import wait
from rtnb.notebook import panel_wire
from rtnb.notebook.panel import Panel

__all__ = ["lab", "shown"]

Show = Callable[[Any], Pages]


# ---- one panel, many pages -------------------------------------------------------------------------------------------


def test_a_session_has_one_panel_and_a_new_one_after_its_close(lab: Lab) -> None:
    session = lab.session()
    panel = session.panel
    assert isinstance(panel, Panel)
    assert session.panel is panel
    panel.close()
    panel.close()
    other = session.panel
    assert other is not panel
    other.close()


def test_a_closed_panel_keeps_nothing_of_its_session(lab: Lab) -> None:
    def shown_and_closed() -> weakref.ref[rtnb.Session]:
        session = rtnb.Session(lab.endpoint, output="text")
        assert session.panel.widget.children
        session.ask("Hello").wait()
        session.panel.close()
        session.close()
        return weakref.ref(session)

    session = shown_and_closed()
    eventually(lambda: gc.collect() >= 0 and session() is None, "the end of the session")


def test_a_page_that_says_hello_is_told_everything(lab: Lab, shown: Show) -> None:
    page = shown(lab.session()).open()
    assert set(page.parts) == {
        "connection",
        "talk",
        "settings",
        "captions",
        "account",
        "counters",
        "notices",
    }
    assert page.parts["connection"]["state"] == "idle"


def test_all_pages_stay_in_step_and_answers_go_to_the_one_that_asked(lab: Lab, shown: Show) -> None:
    pages = shown(lab.session())
    one, other = pages.open(), pages.open()
    assert one.ask("connect")
    for page in (one, other):
        page.until(lambda page=page: page.parts["connection"]["state"] == "ready")
    assert not [message for message in other.told if message["kind"] == "answer"]


def test_a_page_that_comes_later_gets_the_history(lab: Lab, shown: Show) -> None:
    session = lab.session("The capital is Paris.")
    pages = shown(session)
    pages.open()
    session.ask("What is the capital?").wait()
    late = pages.open()
    late.until(
        lambda: [row["text"] for row in late.parts["captions"]] == ["What is the capital?", "The capital is Paris."]
    )


def test_nothing_is_attached_before_a_page_shows_the_panel(lab: Lab, shown: Show) -> None:
    session = lab.session()
    pages = shown(session)
    microphone = pages.panel.devices.microphone
    assert microphone.on_audio is None
    pages.open()
    assert microphone.on_audio is not None


def test_messages_of_another_panel_or_without_a_kind_are_left_alone(lab: Lab, shown: Show) -> None:
    pages = shown(lab.session())
    page = pages.open()
    pages.panel.console._receive({"panel": "another", "kind": "connect", "page": "x", "n": 1}, [])
    pages.panel.console._receive({"panel": pages.panel.console.panel, "page": "x"}, [])
    assert page.ask("interrupt")
    assert page.parts["connection"]["state"] == "idle"


def test_the_control_channel_leads_to_the_panel_that_is_named(lab: Lab, shown: Show) -> None:
    pages = shown(lab.session())
    handlers: dict[str, Any] = {}
    kernel = type("Kernel", (), {"control_handlers": handlers})()
    assert pages.panel.console.listen_on_control(kernel)
    content = {"panel": pages.panel.console.panel, "page": "p", "n": 1, "kind": "hello"}
    handlers[panel_wire.CONTROL_TYPE](None, None, {"content": {**content, "panel": "another"}, "buffers": []})
    assert pages.told == []
    handlers[panel_wire.CONTROL_TYPE](None, None, {"content": content, "buffers": []})
    pages.until(lambda: pages.told)


def test_the_widgets_state_that_a_notebook_may_save_holds_nothing_of_the_conversation(lab: Lab, shown: Show) -> None:
    session = lab.session("A secret answer.")
    pages = shown(session)
    page = pages.open()
    session.ask("A secret question").wait()
    page.until(lambda: len(page.parts["captions"]) == 2)
    saved = json.dumps(pages.panel.console.get_state(), default=str)
    assert "secret" not in saved


# ---- the connection --------------------------------------------------------------------------------------------------


def test_connect_disconnect_and_a_new_session(lab: Lab, shown: Show) -> None:
    session = lab.session("Yes.")
    page = shown(session).open()
    assert page.ask("connect")
    session.ask("Are you there?").wait()
    assert page.ask("new")
    page.until(lambda: page.parts["connection"]["state"] == "ready" and page.parts["captions"] == [])
    assert page.ask("disconnect")
    page.until(lambda: page.parts["connection"]["state"] == "closed")


def test_a_failed_connection_says_why(shown: Show) -> None:
    session = rtnb.Session("ws://127.0.0.1:9/v1/realtime", output="text")
    page = shown(session).open()
    assert not page.ask("connect")
    page.until(lambda: page.parts["connection"]["state"] == "failed")
    assert "127.0.0.1:9" in page.parts["connection"]["why"]
    session.close()


def test_an_opening_connection_is_shown_and_does_not_hold_up_other_clicks(lab: Lab, shown: Show) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:  # never answered
        session = rtnb.Session(f"ws://127.0.0.1:{server.getsockname()[1]}/v1/realtime", output="text")
        page = shown(session).open()
        page.say("connect")
        page.until(lambda: page.parts["connection"]["state"] == "connecting")
        assert page.ask("option", name="when_busy", value="queue")
        assert page.parts["settings"]["voice"]["locked"]
        assert page.ask("disconnect")
        page.until(lambda: page.parts["connection"]["state"] == "closed")
        session.close()


def test_the_greeting_is_off_until_it_is_wanted(lab: Lab, shown: Show) -> None:
    session = lab.session("Hello to you.")
    pages = shown(session)
    page = pages.open()
    page.ask("connect")
    page.ask("disconnect")
    assert session.replies == []
    page.ask("option", name="greet", value=True)
    page.ask("connect")
    assert session.replies[0].text == "Hello to you."


def test_connecting_from_python_raises_what_goes_wrong(shown: Show) -> None:
    session = rtnb.Session("ws://127.0.0.1:9/v1/realtime", output="text")
    pages = shown(session)
    page = pages.open()
    with pytest.raises(ConnectionFailed) as failed:
        pages.panel.connect()
    page.until(lambda: page.notices() == [str(failed.value)])
    session.close()


def test_connecting_from_python_takes_no_longer_than_it_may_and_says_so(shown: Show) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:  # nobody answers
        session = rtnb.Session(f"ws://127.0.0.1:{server.getsockname()[1]}/v1/realtime", output="text")
        pages = shown(session)
        page = pages.open()
        with pytest.raises(ConnectionFailed, match="within") as failed:
            pages.panel.connect(timeout=0.2)
        page.until(lambda: page.notices() == [str(failed.value)])
        assert session.state.value == "failed"
        session.close()


def test_what_takes_too_long_is_given_up_with_words(lab: Lab, shown: Show) -> None:
    pages = shown(lab.session())
    page = pages.open()

    async def forever(*_: object) -> None:
        await asyncio.Event().wait()

    pages.panel._desk.handlers["disconnect"] = forever
    with pytest.raises(WaitTimeout, match=r"disconnect took more than 0\.1 s"):
        pages.panel._do("disconnect", 0.1)
    page.until(lambda: len(page.notices()) == 1 and "disconnect took" in page.notices()[0])


# ---- asking ----------------------------------------------------------------------------------------------------------


def test_a_typed_question_interrupts_or_waits_by_choice(lab: Lab, shown: Show) -> None:
    gates = [Gate(), Gate()]
    session = lab.session(["One ", wait(gates[0]), "two."], "Second.", ["Three ", wait(gates[1]), "four."], "Fourth.")
    page = shown(session).open()
    assert page.ask("ask", text="first")
    assert gates[0].reached.wait(20)
    page.ask("option", name="when_busy", value="queue")
    assert page.ask("ask", text="second")
    gates[0].open()
    assert [reply.text for reply in session.replies] == ["One two.", "Second."]
    assert page.ask("ask", text="third")
    assert gates[1].reached.wait(20)
    page.ask("option", name="when_busy", value="interrupt")
    assert page.ask("ask", text="fourth")
    assert session.replies[3].text == "Fourth."
    assert session.replies[2].wait().status == "cancelled"


def test_stop_ends_the_answer(lab: Lab, shown: Show) -> None:
    gate = Gate()
    session = lab.session(["One ", wait(gate), "two."])
    page = shown(session).open()
    page.ask("ask", text="count")
    assert gate.reached.wait(20)
    assert page.ask("interrupt")
    assert session.replies[0].wait().status == "cancelled"


def test_an_uploaded_file_is_asked(lab: Lab, shown: Show, tmp_path: Any) -> None:
    session = lab.session("I heard it.")
    page = shown(session).open()
    data = speech().save(tmp_path / "question.wav").read_bytes()
    assert page.ask("upload", (data[:1000], data[1000:]), name="question.wav")
    assert session.replies[0].text == "I heard it."
    assert session.items[0].parts[0].type == "input_audio"


@pytest.mark.parametrize("data", [b"no sound at all", b""])
def test_an_upload_that_is_no_sound_is_refused_in_words(lab: Lab, shown: Show, data: bytes) -> None:
    page = shown(lab.session()).open()
    assert not page.ask("upload", (data,), name="notes.txt")
    assert "notes.txt cannot be read as sound" in page.notices()[0]


def test_a_clip_is_asked_and_an_unknown_one_is_named(lab: Lab, shown: Show) -> None:
    session = lab.session("Yes.")
    pages = shown(session)
    pages.panel.clips = {"mine": speech()}
    page = pages.open()
    assert page.ask("clip", name="mine")
    assert session.replies[0].text == "Yes."
    assert not page.ask("clip", name="yours")
    assert "there are: mine" in page.notices()[0]


def test_the_lessons_questions_are_among_the_clips(lab: Lab, shown: Show) -> None:
    clips = shown(lab.session()).panel.clips
    assert "capital of france" in clips
    assert all(path.is_file() for path in clips.values())


def test_what_the_machine_is_to_say_is_asked_as_sound(lab: Lab, shown: Show) -> None:
    pytest.importorskip("espeakng_loader")
    session = lab.session("Nice weather.")
    page = shown(session).open()
    assert page.ask("say", text="What is the weather?")
    assert session.replies[0].text == "Nice weather."
    assert session.items[0].audio_ms > 300


# ---- speaking --------------------------------------------------------------------------------------------------------


def test_record_with_a_clip_is_a_turn_without_turn_detection(lab: Lab, shown: Show) -> None:
    session = lab.session("I heard it.")
    reply = shown(session).panel.press_record(speech())
    assert reply is not None
    assert reply.text == "I heard it."


def test_record_with_a_clip_is_a_turn_with_turn_detection(lab: Lab, shown: Show) -> None:
    session = lab.session("I heard it.", turn_detection="server_vad")
    reply = shown(session).panel.press_record(rtnb.Audio(speech().pcm))
    assert reply is not None
    assert reply.text == "I heard it."
    assert not session.events.filter("input_audio_buffer.commit")


def test_a_clip_in_which_nobody_speaks_is_no_turn(lab: Lab, shown: Show) -> None:
    session = lab.session(turn_detection="server_vad")
    with pytest.raises(WaitTimeout, match="heard no turn"):
        shown(session).panel.press_record(rtnb.Audio(silence(500)), timeout=0.2)


def test_a_clip_that_is_too_short_is_refused_with_the_reason(lab: Lab, shown: Show) -> None:
    with pytest.raises(ProtocolError, match="only 50 ms"):
        shown(lab.session()).panel.press_record(speech(0.05))


def test_the_microphone_records_from_press_to_release(lab: Lab, shown: Show) -> None:
    session = lab.session("I heard it.")
    panel = shown(session).panel
    assert panel.press_record() is None
    panel.devices.microphone.say(speech().pcm)
    answered = threading.Event()
    session.on("response.done", lambda _: answered.set())
    panel.release_record()
    assert answered.wait(20)
    assert session.replies[0].text == "I heard it."


def test_what_was_recorded_can_be_thrown_away(lab: Lab, shown: Show) -> None:
    session = lab.session("Never said.").connect()
    pages = shown(session)
    page = pages.open()
    page.ask("claim")
    microphone = pages.panel.devices.microphone
    microphone.press()
    microphone.say(speech().pcm)
    assert page.ask("discard")
    session.wait("input_audio_buffer.cleared")
    assert not session.events.filter("input_audio_buffer.commit")
    assert microphone.calls == ["stop"]
    assert page.parts["talk"]["owns"], "the next recording is heard again"


def test_the_microphone_belongs_to_the_panel_that_claimed_it_last(lab: Lab, shown: Show) -> None:
    one, other = lab.session("One."), lab.session("Other.")
    pages, others = shown(one), shown(other)
    others.panel._devices = pages.panel._devices
    page, another = pages.open(), others.open()
    page.ask("claim")
    another.ask("claim")
    page.until(lambda: page.ask("interrupt") and not page.parts["talk"]["owns"])
    page.ask("claim")
    microphone = pages.panel.devices.microphone
    microphone.press()
    microphone.say(speech().pcm)
    microphone.release()
    page.until(lambda: one.replies and one.replies[0].text == "One.")
    assert other.replies == []


def test_kernel_devices_that_are_missing_are_told_with_what_to_install(
    lab: Lab, shown: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sounddevice", None)
    page = shown(lab.session()).open()
    assert not page.ask("source", name="kernel")
    assert "pip install 'rtnb[sounddevice]'" in page.notices()[0]
    assert page.parts["talk"]["source"] == "page"


def test_it_knows_the_ways_to_speak_without_a_microphone(lab: Lab, shown: Show) -> None:
    ways = {way["name"]: way for way in shown(lab.session()).panel.state["settings"]["ways"]}
    assert list(ways) == ["kernel microphone", "upload", "clip", "spoken text", "text"]
    assert all(way["reason"] for way in ways.values())
    assert ways["text"]["works"]
