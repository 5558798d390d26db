"""`rtnb serve`: a process of its own that any client can use."""

from __future__ import annotations

import http.server
import json
import pathlib
import signal
import socket
import threading

import openai
import pytest
from helpers_cli import Running, rtnb, running

import rtnb as package
from rtnb import ConnectionFailed
from rtnb.local.faults import FAULTS

KEY = "sk-" + "y" * 24


def ready(command: Running) -> str:
    said, _, url = command.line().partition(": ")
    assert said == "Local endpoint ready"
    return url


@pytest.mark.filterwarnings("ignore:connect.. must be used as a context manager:DeprecationWarning")
def test_openais_client_talks_to_it(tmp_path: pathlib.Path) -> None:
    with running("serve", "--port", "0", cwd=tmp_path) as command:
        base = ready(command).removesuffix("/realtime")
        with (
            openai.OpenAI(api_key="any", websocket_base_url=base) as client,
            client.realtime.connect(model="gpt-realtime-2.1") as connection,
        ):
            connection.session.update(session={"type": "realtime", "output_modalities": ["text"]})
            content = [{"type": "input_text", "text": "What is 4 plus 6?"}]
            connection.conversation.item.create(item={"type": "message", "role": "user", "content": content})  # type: ignore[typeddict-item]
            connection.response.create()
            text = ""
            for event in connection:
                assert event.type != "error", event
                if event.type == "response.output_text.delta":
                    text += event.delta
                elif event.type == "response.done":
                    break
        assert "10" in text


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT], ids=lambda by: by.name)
def test_a_signal_ends_it_cleanly_and_its_clients_too(by: signal.Signals, tmp_path: pathlib.Path) -> None:
    with running("serve", "--port", "0", cwd=tmp_path) as command:
        url = ready(command)
        with package.Session(url, output="text") as session:
            assert session.ask("hello").text
            assert command.end(by) == (0, "")
    with pytest.raises(ConnectionFailed):
        package.Session(url).connect()


def test_only_its_key_is_let_in_and_it_is_not_shown(tmp_path: pathlib.Path) -> None:
    with running("serve", "--port", "0", "--key", KEY, cwd=tmp_path) as command:
        url = ready(command)
        with package.Session(url, key=KEY, output="text") as session:
            assert session.ask("hello").text
        with pytest.raises(ConnectionFailed) as refused:
            package.Session(url, key="another").connect()
        assert refused.value.reason == "key"
        code, error = command.end(signal.SIGTERM)
    assert code == 0
    assert KEY not in url + error


def test_a_port_that_is_taken_is_told_in_words(tmp_path: pathlib.Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = rtnb("serve", "--port", str(port), cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    said = "is taken by another program: end that, or give another --port (0 picks a free one)"
    assert done.stderr == f"rtnb serve: 127.0.0.1:{port} {said}\n"


def test_a_host_that_is_none_is_told_in_words(tmp_path: pathlib.Path) -> None:
    done = rtnb("serve", "--host", "256.0.0.1", "--port", "0", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("rtnb serve: it could not listen on 256.0.0.1:0: ")
    assert "Traceback" not in done.stderr


def test_listening_for_everybody_without_a_key_is_warned_about(tmp_path: pathlib.Path) -> None:
    with running("serve", "--host", "0.0.0.0", "--port", "0", cwd=tmp_path) as command:
        assert ready(command).startswith("ws://127.0.0.1:")
        code, error = command.end(signal.SIGTERM)
    assert code == 0
    assert "--key" in error


def test_the_beta_is_refused_unless_asked_for(tmp_path: pathlib.Path) -> None:
    from websockets.sync.client import connect

    def first_event(*words: str) -> str:
        with running("serve", "--port", "0", *words, cwd=tmp_path) as command:
            address = ready(command) + "?model=gpt-4o-realtime-preview"
            with connect(address, additional_headers={"OpenAI-Beta": "realtime=v1"}, proxy=None) as client:
                event = json.loads(client.recv(timeout=20))
        return str(event["type"])

    assert first_event() == "error"
    assert first_event("--beta") == "session.created"


def test_a_chat_endpoint_answers_with_its_model_and_key(tmp_path: pathlib.Path) -> None:
    seen: list[tuple[str | None, str]] = []

    class Chat(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.append((self.headers["Authorization"], asked["model"]))
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            chunk = {"choices": [{"index": 0, "delta": {"content": "From the chat."}, "finish_reason": None}]}
            end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
            for piece in (json.dumps(chunk), json.dumps(end), "[DONE]"):
                self.wfile.write(f"data: {piece}\n\n".encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Chat) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            chat = f"http://127.0.0.1:{server.server_port}/v1"
            words = ["serve", "--port", "0", "--chat-url", chat, "--chat-model", "tiny"]
            with (
                running(*words, cwd=tmp_path, env={"RTNB_CHAT_KEY": KEY}) as command,
                package.Session(ready(command), output="text") as session,
            ):
                assert session.ask("hello").text == "From the chat."
        finally:
            server.shutdown()
    assert seen == [(f"Bearer {KEY}", "tiny")]


def test_things_go_wrong_on_request(tmp_path: pathlib.Path) -> None:
    words = ["--fault", "failed:1:2", "--fault", "incomplete"]
    with (
        running("serve", "--port", "0", *words, cwd=tmp_path) as command,
        package.Session(ready(command), output="text") as session,
    ):
        statuses = [session.ask("hello").wait().status for _ in range(4)]
    assert statuses == ["failed", "failed", "incomplete", "completed"]


def test_what_can_go_wrong_is_listed(tmp_path: pathlib.Path) -> None:
    done = rtnb("serve", "--fault", "list", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(f"  {name} " in done.stdout for name in FAULTS)
    assert "NAME[:SECONDS[:TIMES]]" in done.stdout


@pytest.mark.parametrize("word", ["fire", "drop:soon"])
def test_a_fault_that_is_none_is_told_in_words(word: str, tmp_path: pathlib.Path) -> None:
    done = rtnb("serve", "--port", "0", "--fault", word, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("rtnb serve: --fault: ")
    assert done.stderr.count("\n") == 1
