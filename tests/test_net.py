"""Connections that fail: each cause is told apart, in words, and no key appears anywhere."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
import socket
import ssl
import subprocess
import threading
import traceback
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from helpers_session import TIMEOUT_S, Lab, lab
from websockets.asyncio.client import connect
from websockets.sync.server import ServerConnection, serve

import rtnb
from rtnb.net.endpoints import Endpoint
from rtnb.session.session import SessionState

__all__ = ["lab"]

KEY = "sk-" + "planted" * 4
ODD_KEY = "zz" + "Planted" * 4  # looks like no key of OpenAI


@contextlib.contextmanager
def http_server(status: int, headers: dict[str, str] | None = None) -> Iterator[tuple[str, list[Any]]]:
    """An HTTP server that answers every request so; with what it was asked."""
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked.append(dict(self.headers))
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join(TIMEOUT_S)
    server.server_close()


@contextlib.contextmanager
def socket_server(talk: Callable[[ServerConnection], None], **options: Any) -> Iterator[str]:
    """A WebSocket server that does this with each client."""

    def handler(connection: ServerConnection) -> None:
        with contextlib.suppress(Exception):
            talk(connection)

    quiet = logging.getLogger("the other side")
    quiet.setLevel(logging.CRITICAL)
    with serve(handler, "127.0.0.1", 0, logger=quiet, **options) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()
        thread.join(TIMEOUT_S)


@contextlib.contextmanager
def tcp_server(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """A TCP server that takes one client."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def run() -> None:
            with contextlib.suppress(OSError):
                accepted, _ = server.accept()
                with accepted:
                    talk(accepted)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
    thread.join(TIMEOUT_S)


def failure(url: str, *, timeout: float = TIMEOUT_S, key: str = KEY, again: bool = False) -> rtnb.ConnectionFailed:
    """How connecting fails; nothing of it may hold the key."""
    session = rtnb.Session(url, output="text", key=key)
    with pytest.raises(rtnb.ConnectionFailed) as caught:
        session.connect(timeout=timeout)
    assert session.state is SessionState.FAILED
    shown = [str(caught.value), repr(caught.value), repr(session), session.endpoint]
    shown.append("".join(traceback.format_exception(caught.value)))
    if again:
        with pytest.raises(rtnb.ConnectionFailed):
            _ = session.ask("hello").text
    session.close()
    assert not [text for text in shown if key in text]
    return caught.value


def test_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    error = failure(f"ws://127.0.0.1:{port}/", again=True)
    assert error.reason == "refused"
    assert "nothing listens at ws://127.0.0.1" in str(error)


def test_no_such_name() -> None:
    error = failure("ws://no-such-host.invalid/v1/realtime")
    assert error.reason == "name"
    assert "no-such-host.invalid" in str(error)


@pytest.mark.parametrize(
    "url",
    [f"ws://{'a' * 70}.example/", "ws://127.0.0.1:99999/", "ws://127.0.0.1:port/", "ws://[::1/", "ws://\x00/", "ws://"],
)
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(rtnb.ConnectionFailed) as caught:
        rtnb.Session(url, output="text").connect()
    assert caught.value.reason in ("endpoint", "name")


def test_not_a_websocket_server() -> None:
    with http_server(200) as (host, _):
        error = failure(f"ws://{host}/")
    assert error.reason == "http"
    assert "HTTP 200" in str(error)
    with tcp_server(lambda each: each.sendall(b"220 mail.example ESMTP\r\n")) as host:
        error = failure(f"ws://{host}/")
    assert error.reason == "http"
    assert "not as a WebSocket server" in str(error)


@pytest.mark.parametrize(
    ("status", "reason", "words"),
    [(401, "key", "key"), (403, "key", "key"), (404, "http", "path"), (429, "limit", "wait"), (503, "http", "503")],
)
def test_a_refusal_by_http(status: int, reason: str, words: str) -> None:
    with http_server(status) as (host, asked):
        error = failure(f"ws://{host}/")
    assert error.reason == reason
    assert words in str(error)
    assert asked[0]["Authorization"] == f"Bearer {KEY}"


def test_a_redirect_never_carries_the_key_elsewhere() -> None:
    with http_server(401) as (other, asked), http_server(302, {"Location": f"ws://{other}/"}) as (host, _):
        error = failure(f"ws://{host}/")
    assert not [headers for headers in asked if "Authorization" in headers]
    assert error.reason == "http"


def test_a_secure_address_of_a_plain_server() -> None:
    with tcp_server(lambda each: each.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as host:
        error = failure(f"wss://{host}/")
    assert error.reason == "tls"
    assert "secure connection" in str(error)


def test_a_certificate_that_nobody_signed(tmp_path: Path) -> None:
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout key.pem -out cert.pem"
    try:
        subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no openssl here")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with socket_server(lambda each: None, ssl=context) as host:
        error = failure(f"wss://{host}/")
    assert error.reason == "tls"
    assert "certificate" in str(error)


def test_a_server_that_takes_the_connection_and_is_silent() -> None:
    done = threading.Event()
    with tcp_server(lambda each: done.wait(TIMEOUT_S)) as host:
        error = failure(f"ws://{host}/", timeout=0.2)
        done.set()
    assert error.reason == "timeout"
    assert "0.2 s" in str(error)


def test_a_websocket_server_that_says_nothing() -> None:
    with socket_server(lambda each: [each.recv(), each.recv()]) as host:  # type: ignore[arg-type,return-value]
        error = failure(f"ws://{host}/", timeout=0.2)
    assert error.reason == "timeout"
    assert "said nothing" in str(error)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("invalid_api_key", "key"),
        ("model_not_found", "model"),
        ("beta_api_shape_disabled", "beta"),
        ("insufficient_quota", "quota"),
        ("session_expired", "limit"),
        ("rate_limit_exceeded", "limit"),
        ("something_new", "closed"),
    ],
)
@pytest.mark.parametrize("key", [KEY, ODD_KEY])
def test_a_refusal_by_an_error_event(code: str, reason: str, key: str, caplog: pytest.LogCaptureFixture) -> None:
    def talk(each: ServerConnection) -> None:
        error = {"type": "invalid_request_error", "code": code, "message": f"Refused, you with {key}."}
        each.send(json.dumps({"type": "error", "event_id": "event_1", "error": error}))
        each.close(3000, f"invalid_request_error.{code}")

    caplog.set_level(logging.DEBUG)
    with socket_server(talk) as host:
        error = failure(f"ws://{host}/", key=key, again=True)
    assert error.reason == reason
    assert "the server said: Refused" in str(error)
    assert key not in caplog.text


def test_a_refusal_by_the_close_alone() -> None:
    with socket_server(lambda each: each.close(3000, "invalid_request_error.invalid_api_key")) as host:
        assert failure(f"ws://{host}/").reason == "key"
    with socket_server(lambda each: each.close(1000, f"bye {ODD_KEY}")) as host:
        error = failure(f"ws://{host}/", key=ODD_KEY)
    assert error.reason == "closed"
    assert "before it was ready" in str(error)


def test_a_server_that_breaks_off_at_once() -> None:
    with socket_server(lambda each: each.socket.shutdown(socket.SHUT_RDWR)) as host:
        assert failure(f"ws://{host}/").reason == "closed"


def test_a_server_that_sends_garbage_is_heard_past_it(caplog: pytest.LogCaptureFixture) -> None:
    def talk(each: ServerConnection) -> None:
        for text in ("no json", "[1, 2]", "null", '{"no": "type"}', '{"type": 7}', '{"type": "session.made.up"}'):
            each.send(text)
        each.send(b"\xff\xfe")
        each.send(json.dumps({"type": "session.created", "session": {"type": "realtime", "model": "m"}}))
        update = json.loads(each.recv(TIMEOUT_S))
        assert update["type"] == "session.update"
        each.send(json.dumps({"type": "response.done", "response": None}))
        each.send(json.dumps({"type": "error", "error": "a text"}))
        each.send(json.dumps({"type": "session.updated", "session": {"type": "realtime", "model": "m"}}))
        each.recv(TIMEOUT_S)

    with socket_server(talk) as host, rtnb.Session(f"ws://{host}/", output="text") as session:
        assert session.state is SessionState.READY
        assert session.model == "m"
    assert "no JSON" in caplog.text


def test_a_server_that_closes_right_after_its_configuration_leaves_no_ready_session() -> None:
    def talk(each: ServerConnection) -> None:
        each.send(json.dumps({"type": "session.created", "session": {"type": "realtime"}}))
        each.recv(TIMEOUT_S)
        each.send(json.dumps({"type": "session.updated", "session": {"type": "realtime"}}))
        each.close(1001, "restarting")

    with socket_server(talk) as host:
        session = rtnb.Session(f"ws://{host}/", output="text", reconnect=False)
        with contextlib.suppress(rtnb.RtnbError):
            session.connect()
        with pytest.raises((rtnb.ConnectionClosed, rtnb.ConnectionFailed)):
            _ = session.ask("hello", timeout=TIMEOUT_S).text
        session.close()


def test_the_local_endpoint_refuses_a_wrong_key_an_unknown_model_and_an_old_session(lab: Lab) -> None:
    lab.serve("hi", key="right-key", session_limit_s=0.3)
    assert failure(lab.endpoint.url, key=KEY).reason == "key"
    wrong = rtnb.Session(lab.endpoint.url, key="right-key", model="gpt-nothing", output="text")
    with pytest.raises(rtnb.ConnectionFailed) as caught:
        wrong.connect()
    assert caught.value.reason == "model"
    with rtnb.Session(lab.endpoint.url, key="right-key", output="text", reconnect=False) as session:
        with pytest.raises((rtnb.ConnectionClosed, rtnb.NotConnected)) as closed:  # while it waits, or just before
            session.wait("never", timeout=TIMEOUT_S)
        assert "session.connect()" in str(closed.value)
        assert session.state in (SessionState.CLOSED, SessionState.FAILED)


@pytest.mark.parametrize("key", ["schl\u00fcssel-" + "x" * 20, "two\nlines-" + "x" * 20, " spaced-" + "x" * 20])
def test_a_key_that_no_header_can_carry_is_told_without_showing_it(key: str) -> None:
    with http_server(401) as (host, asked):
        with pytest.raises(rtnb.ConnectionFailed) as caught:
            rtnb.Session(f"ws://{host}/", key=key, output="text").connect(TIMEOUT_S)
        assert caught.value.reason == "key"
        assert key.strip() not in "".join(traceback.format_exception(caught.value))
        assert "x" * 20 not in str(caught.value)
        assert len(asked) <= 1


def test_a_password_in_the_address_is_not_shown() -> None:
    secret = "hidden" + "w" * 12
    with http_server(404) as (host, _):
        session = rtnb.Session(f"ws://user:{secret}@{host}/path?api-key={secret}", output="text")
        with pytest.raises(rtnb.ConnectionFailed) as caught:
            session.connect()
    shown = [str(caught.value), repr(session), session.endpoint, "".join(traceback.format_exception(caught.value))]
    assert not [text for text in shown if secret in text]


def test_a_planted_key_appears_nowhere(lab: Lab, caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("websockets", "websockets.client", "rtnb", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    lab.serve("Hello", f"You said {ODD_KEY}.", key=ODD_KEY)
    session = rtnb.Session(lab.endpoint.url, key=ODD_KEY, output="text")

    def peek() -> str:
        """Look at the key."""
        raise ValueError(f"the key is {ODD_KEY}")

    session.tool(peek)
    reply = session.ask("hello")
    assert reply.text == "Hello"
    told = session.ask(f"say {ODD_KEY}").wait()
    memory = io.BytesIO()
    session.events.to_jsonl(memory)
    snapshot = session.snapshot().save(tmp_path / "talk.json").read_text()
    saved = session.save(tmp_path / "talk")
    recording = "".join(path.read_text() for path in saved.rglob("*.json*"))
    core = session._core
    assert core.link is not None
    session.close()
    objects: list[Any] = [session, session.events, reply, core, core.endpoint, core.endpoint.headers, core.router]
    objects += [
        core.sequencer,
        core.tooling,
        core.log,
        core.conversation,
        core.requested.config,
        *session.items,
        vars(session),
    ]
    shown = [repr(each) for each in objects] + [str(each) for each in objects]
    shown += [
        memory.getvalue().decode(),
        snapshot,
        recording,
        reply.as_html(),
        session.events._repr_html_(),
        session.endpoint,
    ]
    shown += [repr(told), told.as_html(), str(told._repr_mimebundle_()), session.items._repr_html_()]
    shown += [told.events._repr_html_(), session.events[1:].filter("*")._repr_html_()]
    assert not [text for text in shown if ODD_KEY in text]
    records = [record for record in caplog.records if not record.name.startswith("websockets.server")]
    texts = [record.getMessage() for record in records if "the local endpoint" not in record.threadName]
    assert texts
    assert not [text for text in texts if ODD_KEY in text]


PLANTED = [
    "ws://127.0.0.1:9/v1/realtime?token={key}#a",
    "ws://127.0.0.1:9/v1/realtime?code={key}",
    "wss://{key}@host.invalid/v1",
    "ws://me:{key}@127.0.0.1:9/v1",
    "ws://me:{key}@127.0.0.1:99999/v1",
    "htp://me:{key}@host/v1",
    "htp://me:{key}?@host/v1",
    "me:{key}@host/v1",
    "htp://host/v1#{key}",
]


@pytest.mark.parametrize("address", PLANTED)
def test_the_traceback_of_a_failed_connect_shows_no_key_of_the_address(address: str) -> None:
    with pytest.raises(rtnb.ConnectionFailed) as caught:
        rtnb.Session(address.replace("{key}", ODD_KEY), output="text").connect(TIMEOUT_S)
    assert caught.value.reason in ("endpoint", "refused")
    assert ODD_KEY not in "".join(traceback.format_exception(caught.value))


def test_debug_logs_tell_the_traffic_of_the_client_without_its_key(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with http_server(401) as (host, _):
        failure(f"ws://{host}/", key=ODD_KEY)
    assert "authorization" in caplog.text.lower()
    assert ODD_KEY not in caplog.text


@pytest.mark.parametrize("key", [KEY, ODD_KEY])
async def test_debug_logs_of_the_local_endpoint_show_no_key_of_its_clients(
    key: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="rtnb.local.server.websockets")
    quiet = logging.getLogger("the other side")
    quiet.setLevel(logging.CRITICAL)
    ways: list[dict[str, Any]] = [
        {"additional_headers": {"Authorization": f"Bearer {key}"}},
        {"additional_headers": {"API-Key": key}},
        {"subprotocols": ["realtime", f"openai-insecure-api-key.{key}"]},
        {"additional_headers": {"Cookie": f"session={key}"}},
    ]
    async with rtnb.LocalEndpoint().serve() as endpoint:
        for way in ways:
            async with connect(f"{endpoint.url}?model=gpt-realtime&api-key={key}", logger=quiet, **way) as client:
                await client.recv()
    assert "GET /v1/realtime" in caplog.text
    assert key not in caplog.text


async def test_memory_transports_carry_texts_and_close_together() -> None:
    from rtnb.net.transport import memory_pair

    left, right = memory_pair()
    await left.send("one")
    await left.send(b"two")
    got = [text async for text in _some(right, 2)]
    assert got == ["one", b"two"]
    await left.close(1000, "done")
    await left.close()
    assert [text async for text in right] == []
    assert right.closing == (1000, "done")
    with pytest.raises(rtnb.ConnectionClosed):
        await right.send("three")


async def _some(transport: Any, count: int):  # type: ignore[no-untyped-def]
    async for text in transport:
        yield text
        count -= 1
        if not count:
            return


async def test_a_session_runs_over_a_given_transport() -> None:
    from rtnb.net.transport import memory_pair

    ours, theirs = memory_pair()

    async def server() -> None:
        await theirs.send(json.dumps({"type": "session.created", "session": {"type": "realtime"}}))
        async for text in theirs:
            event = json.loads(text)
            if event["type"] == "session.update":
                await theirs.send(json.dumps({"type": "session.updated", "session": {"type": "realtime"}}))

    session = rtnb.Session("local", output="text", transport=ours)

    async def on_the_sessions_loop() -> None:
        asyncio.get_running_loop()._rtnb_server = asyncio.ensure_future(server())  # type: ignore[attr-defined]

    await session._core.runner.bridge(on_the_sessions_loop())
    await session.aio.connect()
    assert session.state is SessionState.READY
    await session.aio.close()


def test_the_endpoint_does_not_show_its_key() -> None:
    endpoint = Endpoint("url", "ws://127.0.0.1/", "m", KEY)
    assert KEY not in repr(endpoint) + str(endpoint) + repr(endpoint.headers) + str(endpoint.headers)
