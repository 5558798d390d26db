"""Proxies of the environment, and servers that speak the dialect of 2024."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import threading
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.sync.server import ServerConnection, serve

import rtnb
from rtnb.net.transport import proxy_of

TIMEOUT_S = 20.0


# ---- proxies ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def tunnel(status: str = "200 OK") -> Iterator[tuple[str, list[str]]]:
    """An HTTP proxy that connects whatever name it is asked for to 127.0.0.1; and what it was asked."""
    asked: list[str] = []
    threads: list[threading.Thread] = []

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def talk(client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(4096)
            asked.append(head.decode())
            client.sendall(f"HTTP/1.1 {status}\r\n\r\n".encode())
            if not status.startswith("200"):
                return
            port = int(head.split()[1].rpartition(b":")[2])
            with socket.create_connection(("127.0.0.1", port)) as server:
                back = threading.Thread(target=pump, args=(server, client), daemon=True)
                back.start()
                pump(client, server)
                back.join(TIMEOUT_S)

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    threads.append(threading.Thread(target=talk, args=(client,), daemon=True))
                    threads[-1].start()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}", asked
        listener.shutdown(socket.SHUT_RDWR)
    accepting.join(TIMEOUT_S)
    for thread in threads:
        thread.join(TIMEOUT_S)


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "wss_proxy", "socks_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.usefixtures("no_proxies")
def test_a_proxy_of_the_environment_is_used_but_not_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    with rtnb.LocalEndpoint() as server, tunnel() as (proxy, asked):
        monkeypatch.setenv("http_proxy", f"http://user:{'secret' * 3}@{proxy}")
        with rtnb.Session(f"ws://realtime.test:{server.port}/v1/realtime", output="text") as session:
            assert session.ask("hello", timeout=TIMEOUT_S).text
        assert asked[0].startswith(f"CONNECT realtime.test:{server.port} ")
        assert "Proxy-Authorization" in asked[0]
        with rtnb.Session(server.url, output="text") as session:
            assert session.ask("hello", timeout=TIMEOUT_S).text
        assert len(asked) == 1
        monkeypatch.setenv("no_proxy", "realtime.test")
        assert proxy_of(f"ws://realtime.test:{server.port}/") is None


@pytest.mark.usefixtures("no_proxies")
@pytest.mark.parametrize("kind", ["refuses", "is not there", "is none", "is SOCKS"])
def test_a_proxy_that_fails_is_told_without_its_password(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    password = "hidden" * 3
    with tunnel("407 Proxy Authentication Required") as (proxy, _), socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        taken.close()
        value = {
            "refuses": f"http://user:{password}@{proxy}",
            "is not there": f"http://user:{password}@127.0.0.1:{port}",
            "is none": f"gopher://user:{password}@{proxy}",
            "is SOCKS": f"socks5h://user:{password}@{proxy}",
        }[kind]
        monkeypatch.setenv("http_proxy", value)
        with pytest.raises(rtnb.ConnectionFailed) as caught:
            rtnb.Session("ws://realtime.test/v1/realtime", output="text").connect(TIMEOUT_S)
    assert caught.value.reason == "proxy"
    assert "127.0.0.1" in str(caught.value)
    assert password not in "".join(traceback.format_exception(caught.value))


# ---- a server of 2024 ------------------------------------------------------------------------------------------------


def beta_server(asked: list[dict[str, Any]]) -> Any:
    """A server that speaks nothing but the beta, and says so by its first event alone."""

    def talk(client: ServerConnection) -> None:
        session: dict[str, Any] = {"id": "sess_1", "object": "realtime.session", "model": "old-1"}
        session |= {"modalities": ["text", "audio"], "input_audio_format": "pcm16", "turn_detection": None}
        numbers = iter(range(1000))

        def say(name: str, **members: Any) -> None:
            client.send(json.dumps({"type": name, "event_id": f"event_{next(numbers)}", **members}))

        say("session.created", session=session)
        for text in client:
            event = json.loads(text)
            asked.append(event)
            if event["type"] == "session.update":
                session |= event["session"]
                say("session.updated", session=session)
            elif event["type"] == "conversation.item.create":
                say("conversation.item.created", previous_item_id=None, item={**event["item"], "status": "completed"})
            elif event["type"] == "response.create":
                item = {"id": "item_a", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
                place = {"response_id": "resp_1", "item_id": "item_a", "output_index": 0, "content_index": 0}
                response = {"id": "resp_1", "status": "in_progress", "output": [], "modalities": ["text"]}
                say("response.created", response=response)
                say("response.output_item.added", response_id="resp_1", output_index=0, item=item)
                say("conversation.item.created", previous_item_id=None, item=item)
                say("response.content_part.added", **place, part={"type": "text", "text": ""})
                say("response.text.delta", **place, delta="From ")
                say("response.text.delta", **place, delta="2024.")
                say("response.text.done", **place, text="From 2024.")
                final = {**item, "status": "completed", "content": [{"type": "text", "text": "From 2024."}]}
                say("response.output_item.done", response_id="resp_1", output_index=0, item=final)
                usage = {"total_tokens": 3, "input_tokens": 1, "output_tokens": 2}
                say("response.done", response={**response, "status": "completed", "output": [final], "usage": usage})

    return talk


def test_the_dialect_is_found_out_from_the_first_event_and_all_above_stays_in_todays() -> None:
    asked: list[dict[str, Any]] = []
    quiet = logging.getLogger("the other side")
    quiet.setLevel(logging.CRITICAL)
    with serve(beta_server(asked), "127.0.0.1", 0, logger=quiet) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        url = f"ws://127.0.0.1:{server.socket.getsockname()[1]}/v1/realtime"
        config = {"reasoning": {"effort": "low"}}
        with rtnb.Session(url, output="text", transcription=None, config=config) as session:
            reply = session.ask("hello", timeout=TIMEOUT_S)
            assert reply.text == "From 2024."
            assert session.settings["output_modalities"] == ["text"]
            names = set(session.events.names)
            assert {"conversation.item.added", "conversation.item.done", "response.output_text.delta"} <= names
            assert not [name for name in names if name.startswith("response.text") or name.endswith("item.created")]
            found = session.capabilities
            assert found.dialect == "beta"
            assert "session.reasoning" in [each.name for each in found]
            assert "2024" in found._repr_html_()
        server.shutdown()
        thread.join(TIMEOUT_S)
    assert asked[0]["session"]["modalities"] == ["text"]
    assert not {"type", "output_modalities", "audio", "reasoning"} & asked[0]["session"].keys()


@pytest.mark.parametrize("how", ["argument", "endpoint", "address"])
def test_a_session_speaks_the_beta_with_a_real_server_in_text_audio_and_tools(how: str) -> None:
    from helpers_local import Dictation, LoudDetector, ToneVoice

    from rtnb.local.brains import ScriptBrain, call

    brain = ScriptBrain("Hello.", call("calculate_sum", a=4, b=6), "It is 10.", "A long answer of many words.")
    engines: Any = {"voice": ToneVoice(), "hearing": Dictation("hello"), "detector": LoudDetector, "pace": None}
    with rtnb.LocalEndpoint(brain=brain, beta=True, **engines) as server:
        endpoint: Any = {
            "argument": server,
            "endpoint": rtnb.endpoint(server, dialect="beta"),
            "address": f"ws://127.0.0.1:{server.port}/openai/realtime?api-version=2024-10-01-preview&deployment=mine",
        }[how]
        dialect: Any = {"dialect": "beta"} if how == "argument" else {}
        with rtnb.Session(endpoint, transcription=None, **dialect) as session:

            @session.tool
            def calculate_sum(a: float, b: float) -> int:
                """Add two numbers."""
                return int(a + b)

            reply = session.ask(rtnb.Audio.from_array([0.1] * 9600, 24_000), timeout=TIMEOUT_S)
            assert (reply.text, reply.audio.seconds > 0) == ("Hello.", True)
            reply = session.ask("4 + 6?", timeout=TIMEOUT_S)
            assert (reply.text, [each.output for each in reply.tool_calls]) == ("It is 10.", ["10"])
            reply = session.ask("Go on", timeout=TIMEOUT_S)
            reply.wait(TIMEOUT_S)
            session.truncate(reply.items[-1], 60)
            assert session.capabilities.dialect == "beta"
            assert session.capabilities["truncation"].has
