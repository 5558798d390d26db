"""Snapshots, restoring and forks: a conversation beyond its session."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from helpers_local import Dictation, ToneVoice, loud
from helpers_reconnect import ContentBrain
from helpers_recordings import a_key, everything_in
from helpers_session import TIMEOUT_S, Heard, Lab, eventually, lab

import rtnb
from rtnb.core.snapshot import Snapshot
from rtnb.local.brains import call

__all__ = ["lab"]


def shape(session: rtnb.Session) -> list[tuple[str, str]]:
    return [(item.id, item.text or item.arguments or item.output or "") for item in session.items]


def note(text: str) -> str:
    """Note."""
    return text


def test_a_snapshot_is_json_and_a_restored_session_goes_on_from_it(lab: Lab, tmp_path: Path) -> None:
    lab.serve(brain=ContentBrain())
    session = lab.session(instructions="Be brief.", tools=[note])
    session.ask("one").wait()
    session.ask("a tool please").wait()
    session.send({"type": "session.update", "session": {"type": "realtime", "max_output_tokens": 99}})
    snapshot = session.snapshot()
    path = snapshot.save(tmp_path / "talk.json")
    assert json.loads(json.dumps(snapshot)) == snapshot == Snapshot.load(path)
    assert repr(snapshot) == f"<Snapshot: 6 items, model {session.model}>"
    for source in (snapshot, json.loads(path.read_text()), path, str(path)):
        again = rtnb.restore(source, lab.endpoint, tools=[note])
        assert shape(again) == shape(session)
        assert again.settings["instructions"] == "Be brief."
        assert again.settings["max_output_tokens"] == 99
        assert again.settings["output_modalities"] == ["text"]
        assert again.settings["audio"]["input"]["transcription"] is None
        assert [tool["name"] for tool in again.settings["tools"]] == ["note"]
        assert again.model == session.model
        again.close()
    again = rtnb.restore(snapshot, lab.endpoint, tools=[note])
    assert again.ask("another tool").tool_calls[0].output == "another tool"
    assert lab.brain.seen[-1] == [item.id for item in again.items][:-1]
    again.close()
    again.connect()
    assert list(again.items) == []  # closed by its user, it begins anew, as any session does
    again.close()


def test_speech_is_in_it_as_sound_or_as_words(lab: Lab) -> None:
    lab.serve(brain=ContentBrain(1), voice=ToneVoice(), hearing=Dictation("hello"))
    session = lab.session(output="audio", transcription="whisper-1")
    session.connect()
    session.append_audio(loud(300))
    question = session.commit()
    answer = session.respond().wait().items[0]
    eventually(lambda: question.transcription == "done", "the transcript")
    first, second = session.snapshot()["items"]
    assert first["content"][0]["type"] == "input_audio"
    assert first["content"][0]["transcript"] == "hello"
    assert second["content"] == [{"type": "output_text", "text": answer.transcript}]
    assert session.snapshot(audio=False)["items"][0]["content"] == [{"type": "input_text", "text": "hello"}]
    again = rtnb.restore(session.snapshot(), lab.endpoint)
    assert again.items[0].audio() == loud(300)
    assert again.ask("go on").audio.seconds > 0
    again.close()


def test_there_are_no_keys_in_it(lab: Lab) -> None:
    key, other = "planted-" + "q" * 20, "sk-" + "z" * 24
    lab.serve("one", key=key)
    mcp = {"type": "mcp", "server_label": "box", "server_url": "https://box.invalid/", "authorization": "Bearer abc"}
    session = rtnb.Session(
        lab.endpoint.url, key=key, output="text", instructions=f"{key} {other}", config={"tools": [mcp]}
    )
    text = json.dumps(session.snapshot())
    assert not [secret for secret in (key, other, "Bearer abc", "authorization") if secret in text]
    assert "https://box.invalid/" in text
    session.close()


def test_a_saved_snapshot_keeps_no_key_that_a_recording_would_not_keep(lab: Lab, tmp_path: Path) -> None:
    session = lab.session("one", "two", "three")
    key = a_key("Ab3")
    hidden = [base64.b64encode(key.encode()).decode(), key.replace("-", "%2D"), "hunter" + "2" * 12]
    for words in (f"remember {hidden[0]}", f"see https://h/?q={hidden[1]}", f"go to https://me:{hidden[2]}@host/x"):
        session.ask(words).wait()
    saved = session.snapshot().save(tmp_path / "talk.json")
    text = saved.read_text() + everything_in(session.save(tmp_path / "talk")).decode("latin-1")
    assert not [secret for secret in hidden if secret in text]
    again = Snapshot.load(saved)
    assert [item["role"] for item in again["items"]] == ["user", "assistant"] * 3
    assert again["items"][2]["content"][0]["text"] == "see https://h/?q=[key]"


def test_tools_without_a_function_are_left_out_and_said_so(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    lab.serve(brain=ContentBrain())
    session = lab.session(tools=[note])
    session.ask("one").wait()
    again = rtnb.restore(session.snapshot(), lab.endpoint)
    assert again.settings["tools"] == []
    assert "tools note have no function here" in caplog.text
    again.close()


@pytest.mark.parametrize(
    "value",
    [{}, {"rtnb_snapshot": 7, "items": []}, {"rtnb_snapshot": 1, "items": [1]}, {"rtnb_snapshot": 1, "session": {}}],
)
def test_what_is_no_snapshot_is_told(value: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(rtnb.ProtocolError, match="snapshot"):
        rtnb.restore(value)
    damaged = tmp_path / "damaged.json"
    damaged.write_text("{")
    with pytest.raises(rtnb.ProtocolError, match="no snapshot"):
        rtnb.restore(damaged)


def test_a_fork_continues_from_any_turn_and_the_first_goes_on(lab: Lab) -> None:
    lab.serve(brain=ContentBrain())
    session = lab.session(instructions="Be brief.", tools=[note])
    session.ask("one").wait()
    session.ask("two").wait()
    middle = session.items[1]
    for item in (middle, middle.id):
        fork = session.fork(item, name="second")
        assert shape(fork) == shape(session)[:2]
        assert fork.settings["instructions"] == "Be brief."
        assert fork.ask("a tool here").tool_calls[0].output == "a tool here"
        fork.close()
    whole = session.fork()
    assert shape(whole) == shape(session)
    before = shape(session)
    whole.ask("three").wait()
    assert shape(session) == before
    assert session.ask("four").text
    whole.close()
    with pytest.raises(rtnb.ProtocolError, match="no item of this conversation"):
        session.fork("item_of_nobody")


def test_a_fork_lives_on_when_the_first_is_closed_and_loses_nothing_when_it_is_cut(lab: Lab) -> None:
    lab.serve("one", "two")
    session = lab.session()
    session.ask("a").wait()
    fork = session.fork()
    session.close()
    states = Heard()
    fork.on("session.state", states)
    lab.endpoint.fault("drop")
    reply = fork.ask("b")
    reply.wait(TIMEOUT_S)
    assert [states.next().value, states.next().value] == ["reconnecting", "ready"]
    assert shape(fork)[:2] == shape(session)
    fork.close()


def test_a_call_that_waits_for_its_output_is_in_it(lab: Lab) -> None:
    session = lab.session(call("by_hand", value=1))
    session.update(config={"tools": [{"type": "function", "name": "by_hand"}]})
    session.ask("x").wait()
    items = session.snapshot()["items"]
    assert [item["type"] for item in items] == ["message", "function_call"]
    assert json.loads(items[1]["arguments"]) == {"value": 1}
