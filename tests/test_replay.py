"""A recording as an endpoint: a session, and any other client, over a real socket."""

from __future__ import annotations

import gc
import json
import math
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import websockets
from helpers_conversation import session as session_event
from helpers_recordings import INSTANTLY, a_key, log_of, names, recording_of
from helpers_session import TIMEOUT_S, Heard, Lab, eventually, lab
from websockets.sync.client import connect

import rtnb
from rtnb.core.recorded import Recording
from rtnb.local.brains.script import call
from rtnb.net.endpoints import resolve
from rtnb.replay.player import NOT_RECORDED
from rtnb.replay.server import ReplayEndpoint

__all__ = ["lab"]


def notebook(endpoint: Any, **options: Any) -> rtnb.Session:
    """Cells that run unchanged with any endpoint."""
    session = rtnb.Session(endpoint, **{"output": "text", "transcription": None, **options})

    @session.tool
    def calculate_sum(a: float, b: float) -> float:
        """Add two numbers."""
        return a + b

    session.ask("What is 4 plus 6?").wait()
    session.insert("Be brief.", role="system")
    session.update(instructions="Be brief.")
    session.ask("And then?").wait()
    session.delete(session.items[0])
    return session


@pytest.fixture
def recorded(lab: Lab) -> Recording:
    lab.serve(call("calculate_sum", {"a": 4, "b": 6}), "It is ten.", "Nothing more.")
    session = notebook(lab.endpoint)
    session.close()
    return Recording(session.events, session.heard, name="talk", kind="local", model=session.model)


@pytest.fixture
def replayed(recorded: Recording) -> Iterator[Any]:
    """Makes sessions with the recording; each is closed at the end."""
    made: list[rtnb.Session] = []

    def make(speed: float = INSTANTLY, **options: Any) -> rtnb.Session:
        made.append(rtnb.Session(recorded.endpoint(speed=speed, **options), output="text", transcription=None))
        return made[-1]

    yield make
    for session in made:
        session.close()


# -- a notebook runs unchanged


@pytest.mark.parametrize("speed", [1.0, 3.0, INSTANTLY])
def test_the_cells_of_a_notebook_run_unchanged_with_a_recording(recorded: Recording, speed: float) -> None:
    session = notebook(recorded.endpoint(speed=speed))
    try:
        assert [reply.text for reply in session.replies] == ["It is ten.", "Nothing more."]
        assert session.replies[0].tool_calls[0].output == "10.0"
        assert [item.text for item in session.items] == [item.text for item in recorded.items]
        assert [item.status for item in session.items] == [item.status for item in recorded.items]
        assert sorted(names(session.events)) == sorted(names(recorded.events))
        assert session.usage == recorded.usage
        assert session.settings["instructions"] == "Be brief."
    finally:
        session.close()


def test_a_session_takes_a_recording_its_folder_and_the_name_of_its_folder(recorded: Recording, tmp_path: Path) -> None:
    folder = recorded.save(tmp_path / "talk")
    for endpoint in (recorded, folder, str(folder)):
        with rtnb.Session(endpoint, output="text", transcription=None) as session:
            assert session.endpoint.startswith("replay of 'talk' at its own speed (no key")
            assert session.model == recorded.model
            assert session.cost.billed == 0


def test_a_folder_that_is_no_recording_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(rtnb.RtnbError, match="is no recording"):
        rtnb.Session(tmp_path)


def test_a_folder_called_local_does_not_hide_the_local_endpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "local").mkdir()
    monkeypatch.chdir(tmp_path)
    assert resolve("local").kind == "local"


def test_what_is_replayed_can_be_saved_and_replayed_again(recorded: Recording, tmp_path: Path) -> None:
    session = notebook(recorded.endpoint(speed=INSTANTLY))
    session.close()
    again = rtnb.load(session.save(tmp_path / "again"))
    assert again.kind == "replay"
    assert again.is_free
    third = notebook(again.endpoint(speed=INSTANTLY))
    third.close()
    assert [item.text for item in third.items] == [item.text for item in recorded.items]


def test_what_is_asked_beside_the_recording_fails_with_the_reason(replayed: Any) -> None:
    session = replayed()
    reply = session.ask("Who was the first to climb Mount Everest?")
    with pytest.raises(rtnb.ServerError, match="This is a replay of 'talk'") as caught:
        reply.text  # noqa: B018
    assert caught.value.code == NOT_RECORDED


def test_an_update_that_was_not_recorded_is_refused_with_the_reason(replayed: Any) -> None:
    session = replayed()
    session.connect()
    session.update(instructions="That was recorded.")
    with pytest.raises(rtnb.ServerError, match=r"which holds a message of the user: .* here, not session\.update\."):
        session.update(instructions="That was not.")


# -- speech, and interruptions


def test_an_answer_in_sound_has_the_same_bytes(lab: Lab) -> None:
    session = lab.session("Good morning to you.", output="audio")
    session.attach(speaker=rtnb.SilentSpeaker(speed=50))
    audio = session.ask("Good morning").audio
    eventually(lambda: any(report.final for report in session.heard))
    session.close()
    recording = Recording(session.events, session.heard)
    with rtnb.Session(recording.endpoint(speed=INSTANTLY), transcription=None) as again:
        assert again.ask("Good morning").audio.pcm == audio.pcm
        assert again.items[-1].transcript == session.items[-1].transcript


def test_a_recorded_interruption_happens_again(lab: Lab, tmp_path: Path) -> None:
    long = " ".join(["word"] * 200)
    lab.serve(long, pace=1.0)
    session = lab.session(output="audio")
    session.attach(speaker=rtnb.SilentSpeaker())
    session.ask("Tell me a long story")
    eventually(lambda: any(report.samples for report in session.heard), "something was heard")
    session.interrupt()
    session.wait("conversation.item.truncated", after=-1)
    session.wait("response.done", after=-1)
    session.close()
    recording = rtnb.load(Recording(session.events, session.heard).save(tmp_path / "talk"))
    cut = recording.items[-1].truncated_at_ms
    assert cut is not None

    again = rtnb.Session(recording.endpoint(), output="audio", transcription=None)
    again.attach(speaker=rtnb.SilentSpeaker())
    reply = again.ask("Tell me a long story")
    eventually(lambda: any(report.samples for report in again.heard), "something was heard again")
    again.interrupt()
    again.wait("conversation.item.truncated", after=-1)
    assert again.items[-1].truncated_at_ms == cut
    assert reply.wait(TIMEOUT_S).status == "cancelled"
    again.close()


def test_speech_that_a_detector_heard_is_seen_without_a_microphone(lab: Lab) -> None:
    lab.serve("You said hello.")
    session = lab.session(turn_detection="server_vad")
    session.connect()
    session.append_audio(rtnb.Audio.tone(seconds=1.0, amplitude=0.9) + rtnb.Audio.silence(1.0))
    session.wait("response.done", after=-1, timeout=TIMEOUT_S)
    session.close()
    recording = Recording(session.events)
    with rtnb.Session(
        recording.endpoint(speed=INSTANTLY), output="text", transcription=None, turn_detection="server_vad"
    ) as again:
        again.wait("response.done", after=-1, timeout=TIMEOUT_S)
        assert [item.role for item in again.items] == ["user", "assistant"]
        assert again.replies[0].text == "You said hello."


# -- several connections


def test_the_second_connection_gets_what_the_second_had(lab: Lab) -> None:
    session = lab.session("one", "two")
    session.ask("first").wait()
    session.close()
    session.ask("second").wait()
    session.close()
    recording = Recording(session.events)
    again = rtnb.Session(recording.endpoint(speed=INSTANTLY), output="text", transcription=None)
    assert again.ask("first").text == "one"
    again.close()
    assert again.ask("second").text == "two"
    again.close()
    assert again.ask("first").text == "one", "after the last one it begins again"
    again.close()


def test_a_connection_that_was_lost_is_lost_again() -> None:
    message = {"id": "item_1", "type": "message", "role": "user", "content": []}
    sent = [
        ("server", session_event()),
        ("server", {"type": "conversation.item.added", "item": message}),
        ("server", session_event()),
        ("client", {"type": "conversation.item.create", "item": message}),
    ]
    endpoint = Recording(log_of(sent)).endpoint(speed=INSTANTLY, key=None)
    with endpoint, connect(endpoint.url) as socket:
        received = [json.loads(socket.recv(timeout=TIMEOUT_S))["type"] for _ in range(2)]
        assert received == ["session.created", "conversation.item.added"]
        with pytest.raises(websockets.ConnectionClosed) as caught:
            socket.recv(timeout=TIMEOUT_S)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1001


# -- step by step


def test_it_can_be_stepped_event_by_event(recorded: Recording) -> None:
    endpoint = recorded.endpoint(stepped=True)
    session = rtnb.Session(endpoint, output="text", transcription=None)
    heard = Heard()
    session.on("response.*", heard)
    session.connect()
    assert endpoint.step() is None
    assert "What is 4 plus 6?" in endpoint.waits_for
    reply = session.ask("What is 4 plus 6?")
    eventually(lambda: any(entry.name == "response.create" for entry in session.events))
    stepped = eventually(endpoint.step, "the next event was sent")
    assert stepped["type"] == "conversation.item.added"
    assert not reply.is_done
    while stepped is not None and stepped["type"] != "response.created":
        stepped = endpoint.step()
    assert heard.next()["type"] == "response.created"
    assert heard.all() == []
    endpoint.play()
    eventually(lambda: any(entry.name == "response.done" for entry in session.events))
    endpoint.pause()
    session.close()


def test_a_step_without_a_client_is_refused_in_words(recorded: Recording) -> None:
    with recorded.endpoint(stepped=True) as endpoint, pytest.raises(rtnb.WaitTimeout, match="no client is connected"):
        endpoint.step(timeout=0.05)


# -- the server


def test_only_who_has_the_key_may_read_it(recorded: Recording) -> None:
    with recorded.endpoint() as endpoint:
        assert endpoint.key
        assert endpoint.key not in repr(endpoint)
        with pytest.raises(websockets.InvalidStatus, match="401"):
            connect(endpoint.url)
        with connect(endpoint.url, additional_headers={"Authorization": f"Bearer {endpoint.key}"}):
            pass
        with connect(endpoint.url, additional_headers={"api-key": endpoint.key}):
            pass
        offers: Any = ["realtime", f"openai-insecure-api-key.{endpoint.key}"]
        with connect(endpoint.url, subprotocols=offers) as socket:
            assert socket.subprotocol == "realtime"


def test_without_a_key_pages_of_other_sites_are_kept_out(recorded: Recording) -> None:
    with recorded.endpoint(key=None) as endpoint:
        with pytest.raises(websockets.InvalidStatus, match="403"):
            connect(endpoint.url, origin="https://evil.example")  # type: ignore[arg-type]
        with connect(endpoint.url, origin="http://localhost:5173"):  # type: ignore[arg-type]
            pass


def test_an_endpoint_that_nobody_holds_ends(recorded: Recording) -> None:
    before = set(threading.enumerate())
    session = rtnb.Session(recorded.endpoint(speed=INSTANTLY), output="text", transcription=None)
    session.connect()
    session.close()
    name = f"rtnb replay {recorded.name}"
    (thread,) = [each for each in threading.enumerate() if each not in before and each.name == name]
    del session
    eventually(lambda: (gc.collect(), not thread.is_alive())[1], "its thread ended")


@pytest.mark.parametrize("speed", [0, -1, math.nan, "fast", True])
def test_a_speed_that_is_none_is_refused(recorded: Recording, speed: Any) -> None:
    with pytest.raises(rtnb.RtnbError, match="speed is a number above 0"):
        recorded.endpoint(speed=speed)


def test_a_port_that_is_taken_is_told(recorded: Recording) -> None:
    with recorded.endpoint() as first, pytest.raises(OSError, match="port 0 picks a free one"):
        recorded.endpoint(port=first.port).start()


def test_it_tells_what_it_is(recorded: Recording) -> None:
    endpoint = recorded.endpoint(speed=4)
    assert repr(endpoint) == "<ReplayEndpoint not started, replay of 'talk' 4 times as fast>"
    assert isinstance(endpoint, ReplayEndpoint)
    with endpoint:
        assert "ws://127.0.0.1:" in repr(endpoint)


def test_garbage_from_a_client_is_answered(recorded: Recording) -> None:
    with recorded.endpoint(key=None, speed=INSTANTLY) as endpoint, connect(endpoint.url) as socket:
        assert json.loads(socket.recv(timeout=TIMEOUT_S))["type"] == "session.created"
        for text in ("garbage", "[1]", '{"type": 7}'):
            socket.send(text)
            assert json.loads(socket.recv(timeout=TIMEOUT_S))["type"] == "error"
        socket.send(json.dumps({"type": "response.create", "event_id": a_key()}))
        assert json.loads(socket.recv(timeout=TIMEOUT_S))["error"]["code"] == NOT_RECORDED


@pytest.mark.filterwarnings("ignore:connect.. must be used as a context manager:DeprecationWarning")
def test_the_official_client_reads_a_recording(recorded: Recording) -> None:
    import openai

    with recorded.endpoint(speed=INSTANTLY) as endpoint:
        base = endpoint.url.replace("ws://", "http://").removesuffix("/realtime")
        client = openai.OpenAI(api_key=endpoint.key, base_url=base, websocket_base_url=base.replace("http", "ws"))
        with client.realtime.connect(model="gpt-realtime") as connection:
            assert connection.recv().type == "session.created"
            connection.session.update(session={"type": "realtime"})
            assert connection.recv().type == "session.updated"


def test_events_that_only_python_can_write_are_sent() -> None:
    recording = recording_of(("server", session_event()), ("server", {"type": "x", "n": 10**30, "s": "\ud800"}))
    with recording.endpoint(key=None, speed=INSTANTLY) as endpoint, connect(endpoint.url) as socket:
        socket.recv(timeout=TIMEOUT_S)
        assert json.loads(socket.recv(timeout=TIMEOUT_S))["n"] == 10**30
