"""`rtnb replay`: a process of its own that serves a recording to any client."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest
from helpers_cli import rtnb as command
from helpers_cli import running

import rtnb

RECORDINGS = Path(__file__).resolve().parent.parent / "notebooks" / "data" / "recordings"
TALK = str(RECORDINGS / "text_and_tool")


def test_it_serves_a_recording_until_it_is_ended(tmp_path: Path) -> None:
    with running("replay", TALK, "--port", "0", "--speed", "inf", cwd=tmp_path) as replay:
        assert replay.line().startswith("<Recording text_and_tool")
        said, _, url = replay.line().partition(": ")
        assert said == "Replay ready"
        with rtnb.Session(url, output="text") as session:
            assert session.ask("What is the capital of France?").text == "The capital of France is Paris."
        assert replay.end(signal.SIGTERM) == (0, "")


def test_a_key_lets_only_some_in(tmp_path: Path) -> None:
    key = "mine-" + "7" * 9
    with running("replay", TALK, "--port", "0", "--speed", "inf", "--key", key, cwd=tmp_path) as replay:
        replay.line()
        url = replay.line().partition(": ")[2]
        with pytest.raises(rtnb.ConnectionFailed) as caught:
            rtnb.Session(url).connect()
        assert caught.value.reason == "key"
        with rtnb.Session(url, output="text", key=key) as session:
            assert session.state.value == "ready"


def test_what_is_missing_is_told_and_the_rest_served(tmp_path: Path) -> None:
    events = (RECORDINGS / "text_and_tool" / "events.jsonl").read_bytes()
    (tmp_path / "events.jsonl").write_bytes(events)
    with running("replay", str(tmp_path), "--port", "0", cwd=tmp_path) as replay:
        assert "2 things missing" in replay.line()
        assert replay.line().startswith("Replay ready")
        code, error = replay.end(signal.SIGTERM)
        assert code == 0
        assert "manifest.json is not there" in error


def test_what_it_cannot_do_is_one_sentence(tmp_path: Path) -> None:
    done = command("replay", str(tmp_path / "nowhere"), cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("rtnb replay: ")
    assert "nowhere" in done.stderr
    assert done.stderr.count("\n") == 1
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = command("replay", TALK, "--port", str(taken.getsockname()[1]), cwd=tmp_path)
    assert done.returncode == 1
    assert "port 0 picks a free one" in done.stderr
    for words in (("--speed", "0"), ("--speed", "fast"), ("--port", "x")):
        assert command("replay", TALK, *words, cwd=tmp_path).returncode == 2
