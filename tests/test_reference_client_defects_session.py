"""The defects of the 2024 reference client that concern a whole session; the core's stand beside this file."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from helpers_session import TIMEOUT_S, Heard, Lab, lab

import rtnb
from rtnb.local.brains import call

__all__ = ["lab"]


def add(a: float, b: float) -> float:
    """Add two numbers."""
    return a + b


def test_defect_1_url_and_model_are_those_that_were_given(lab: Lab) -> None:
    session = lab.session("Hello", model="gpt-realtime-2.1")
    session.connect()
    assert session.settings["model"] == "gpt-realtime-2.1"
    assert session.model == "gpt-realtime-2.1"


def test_defect_5_two_calls_of_a_response_ask_for_one_answer(lab: Lab) -> None:
    session = lab.session([call("add", a=1, b=2), call("add", a=3, b=4)], "3 and 7.", tools=[add])
    reply = session.ask("Add 1 and 2, and 3 and 4")
    assert reply.text == "3 and 7."
    assert len(reply.tool_calls) == 2
    assert session.events.names["response.create"] == 2  # the question's, and one for both outputs


def test_defect_7_nothing_is_interrupted_in_silence(lab: Lab) -> None:
    session = lab.session("Hello")
    interrupted: list[object] = []
    session.on("conversation.interrupted", interrupted.append)
    session.ask("Hi").wait()
    assert session.interrupt() is False
    session.insert("a marker")
    assert interrupted == []
    assert not session.events.filter("response.cancel", "conversation.item.truncate", direction="client")


def test_defect_8_a_truncation_never_goes_past_the_end(lab: Lab) -> None:
    session = lab.session("Hello", output="audio")
    reply = session.ask("Hi").wait()
    [item] = reply.items
    session.truncate(item, 10_000_000)
    sent = session.events.last("conversation.item.truncate", direction="client")
    assert sent is not None
    assert sent.event["audio_end_ms"] == int(item.audio_ms)


def test_defect_11_an_error_reaches_who_listens(lab: Lab) -> None:
    session = lab.session("Hello")
    session.connect()
    errors = Heard()
    session.on("error", errors)
    session.send({"type": "conversation.item.delete", "item_id": "item_unknown"}, check=False)
    assert errors.next()["error"]["code"] == "item_delete_invalid_item_id"


def test_defect_13_a_removed_tool_is_removed_on_the_server(lab: Lab) -> None:
    session = lab.session("Hello", tools=[add])
    session.connect()
    assert [tool["name"] for tool in session.settings["tools"]] == ["add"]
    session.remove_tool("add")
    assert session.settings["tools"] == []


def test_defect_15_a_view_of_an_array_sends_only_what_it_shows(lab: Lab) -> None:
    session = lab.session("Hello")
    session.connect()
    samples = np.arange(24_000, dtype=np.int16)
    session.append_audio(samples[4_800:9_600])
    session.clear_audio()
    [sent] = session.events.filter("input_audio_buffer.append", direction="client")
    assert base64.b64decode(sent.event["audio"]) == samples[4_800:9_600].tobytes()


def test_defect_16_a_wait_finds_what_came_just_before_it(lab: Lab) -> None:
    session = lab.session("Hello")
    reply = session.ask("Hi").wait()
    assert reply.status == "completed"  # so response.done is over
    assert session.wait("response.done", timeout=TIMEOUT_S)["response"]["status"] == "completed"
    with pytest.raises(rtnb.WaitTimeout):
        session.wait("response.done", timeout=0.05)
