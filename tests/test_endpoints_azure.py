"""Azure's two paths and two kinds of credentials, base addresses, tokens, proxies, ephemeral keys."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.server import ServerConnection, serve

import rtnb
from rtnb.net.endpoints import Endpoint, resolve
from rtnb.net.transport import proxy_of

TIMEOUT_S = 20.0
OPENAI = "sk-" + "ours" * 6
AZURE = "azure-" + "k" * 26
HOST = "lab.openai.azure.com"
SETTINGS = {"AZURE_OPENAI_ENDPOINT": f"https://{HOST}/", "AZURE_OPENAI_API_KEY": AZURE, "OPENAI_API_KEY": OPENAI}


def azure(endpoint: Any = "azure", *, environment: dict[str, str] | None = None, **options: Any) -> Endpoint:
    return resolve(endpoint, environment=SETTINGS if environment is None else environment, **options)


# ---- Azure -----------------------------------------------------------------------------------------------------------


def test_the_current_path_has_the_deployment_as_its_model_and_the_key_in_its_own_header() -> None:
    endpoint = azure(model="talk")
    assert endpoint.address == f"wss://{HOST}/openai/v1/realtime?model=talk"
    assert dict(endpoint.headers) == {"api-key": AZURE}
    assert (endpoint.kind, endpoint.dialect) == ("azure", "ga")
    assert "costs money" in endpoint.describe()
    assert "deployment talk" in endpoint.describe()
    assert AZURE not in endpoint.describe() + repr(endpoint) + repr(endpoint.headers)


def test_the_preview_path_has_a_version_and_speaks_the_beta() -> None:
    endpoint = azure(model="talk", api_version="2025-04-01-preview")
    assert endpoint.address == f"wss://{HOST}/openai/realtime?api-version=2025-04-01-preview&deployment=talk"
    assert endpoint.dialect == "beta"
    assert dict(endpoint.headers) == {"api-key": AZURE, "OpenAI-Beta": "realtime=v1"}


@pytest.mark.parametrize(
    ("url", "address"),
    [
        (f"https://{HOST}", f"wss://{HOST}/openai/v1/realtime?model=talk"),
        (f"https://{HOST}/openai/v1", f"wss://{HOST}/openai/v1/realtime?model=talk"),
        (f"wss://{HOST}/openai/v1/realtime?model=talk", f"wss://{HOST}/openai/v1/realtime?model=talk"),
        (
            f"wss://{HOST}/openai/realtime?api-version=2024-10-01-preview&deployment=talk",
            f"wss://{HOST}/openai/realtime?api-version=2024-10-01-preview&deployment=talk",
        ),
        ("https://x.cognitiveservices.azure.com", "wss://x.cognitiveservices.azure.com/openai/v1/realtime?model=talk"),
        ("https://x.openai.azure.us", "wss://x.openai.azure.us/openai/v1/realtime?model=talk"),
    ],
)
def test_azure_is_known_by_its_address(url: str, address: str) -> None:
    endpoint = azure(url, environment={**SETTINGS, "AZURE_OPENAI_DEPLOYMENT": "talk"})
    assert (endpoint.kind, endpoint.address) == ("azure", address)
    assert endpoint.key == AZURE


def test_all_of_it_can_stand_in_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RTNB_ENDPOINT", "azure")
    named = {**SETTINGS, "AZURE_OPENAI_DEPLOYMENT": "talk", "AZURE_OPENAI_API_VERSION": "2025-04-01-preview"}
    for name, value in named.items():
        monkeypatch.setenv(name, value)
    endpoint = rtnb.endpoint()
    assert "deployment=talk" in endpoint.address
    assert endpoint.dialect == "beta"
    monkeypatch.setenv("AZURE_OPENAI_API_VERSION", "preview")
    assert rtnb.endpoint().address == f"wss://{HOST}/openai/v1/realtime?model=talk"


def test_a_gateway_is_azure_when_the_environment_names_it() -> None:
    settings = {**SETTINGS, "AZURE_OPENAI_ENDPOINT": "https://gateway.example/ai/openai/v1/realtime"}
    endpoint = azure("wss://gateway.example/ai/openai/v1/realtime", environment=settings, model="talk")
    assert (endpoint.kind, endpoint.key) == ("azure", AZURE)
    assert azure("wss://other.example/v1/realtime", environment=settings).kind == "url"


def test_each_key_goes_to_its_own_service_alone() -> None:
    for url in ("wss://example.com/v1/realtime", "wss://openai.azure.com.example.com/", "wss://azure.example/"):
        assert azure(url).key is None
    assert azure("openai").key == OPENAI
    assert OPENAI not in str(dict(azure(model="talk").headers))
    with pytest.raises(rtnb.ConnectionFailed, match="https"):
        azure(f"ws://{HOST}/openai/v1/realtime", model="talk")


@pytest.mark.parametrize(
    ("missing", "reason", "words"),
    [
        ("AZURE_OPENAI_ENDPOINT", "endpoint", "AZURE_OPENAI_ENDPOINT is not set"),
        ("AZURE_OPENAI_API_KEY", "key", "AZURE_OPENAI_API_KEY"),
        ("AZURE_OPENAI_DEPLOYMENT", "model", "deployment"),
    ],
)
def test_what_is_missing_is_named(missing: str, reason: str, words: str) -> None:
    settings = {**SETTINGS, "AZURE_OPENAI_DEPLOYMENT": "talk"}
    del settings[missing]
    with pytest.raises(rtnb.ConnectionFailed, match=words) as caught:
        azure(environment=settings)
    assert caught.value.reason == reason
    with pytest.raises(rtnb.ConnectionFailed, match="is no address"):
        azure(environment={**SETTINGS, "AZURE_OPENAI_ENDPOINT": "lab"})


def test_tokens_are_fetched_for_each_connection() -> None:
    given = iter(["first", "second"])
    endpoint = azure(model="talk", token=lambda: next(given))
    assert dict(endpoint.started().headers) == {"Authorization": "Bearer first"}
    assert dict(endpoint.started().headers) == {"Authorization": "Bearer second"}
    assert "first" in azure(model="talk", token="first").started().secrets

    async def fetch() -> str:
        return "fetched"

    assert azure(model="talk", token=fetch).started().headers["Authorization"] == "Bearer fetched"
    settings = {name: value for name, value in SETTINGS.items() if name != "AZURE_OPENAI_API_KEY"}
    entra = azure(model="talk", environment={**settings, "AZURE_OPENAI_AD_TOKEN": "from-entra"})
    assert entra.headers["Authorization"] == "Bearer from-entra"


def test_a_token_function_that_fails_is_told() -> None:
    def fails() -> str:
        raise LookupError("nobody is signed in")

    with pytest.raises(rtnb.ConnectionFailed, match="nobody is signed in") as caught:
        azure(model="talk", token=fails).started()
    assert caught.value.reason == "key"
    with pytest.raises(rtnb.ConnectionFailed, match="gave no token"):
        azure(model="talk", token=lambda: None).started()  # type: ignore[arg-type,return-value]


def test_a_session_with_azures_preview_speaks_the_beta_over_a_real_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    with rtnb.LocalEndpoint(beta=True, key=AZURE) as server:
        monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", f"http://127.0.0.1:{server.port}")
        monkeypatch.setenv("AZURE_OPENAI_API_KEY", AZURE)
        endpoint = rtnb.endpoint("azure", model="talk", api_version="2025-04-01-preview")
        with rtnb.Session(endpoint, output="text", transcription=None) as session:
            assert session.ask("What is 4 plus 6?", timeout=TIMEOUT_S).text
            assert session.capabilities.dialect == "beta"
        with rtnb.Session(rtnb.endpoint("azure", model="gpt-realtime"), output="text", transcription=None) as session:
            assert session.ask("hello", timeout=TIMEOUT_S).text
            assert session.capabilities.dialect == "ga"


def test_the_check_up_asks_azure_for_no_model_of_a_deployments_name() -> None:
    from rtnb.net.service_check import Answer, models_url, service_rows

    endpoint = azure(model="talk")
    assert models_url(endpoint) == f"https://{HOST}/openai/v1/models"
    assert [row.name for row in service_rows(endpoint, Answer(200, ("gpt-realtime",)))] == ["key"]
    (refused,) = service_rows(endpoint, Answer(401))
    assert "AZURE_OPENAI_API_KEY" in str(refused)


# ---- any address -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("http://127.0.0.1:8080", "ws://127.0.0.1:8080/v1/realtime"),
        ("http://127.0.0.1:8080/v1", "ws://127.0.0.1:8080/v1/realtime"),
        ("http://127.0.0.1:8080/v1/", "ws://127.0.0.1:8080/v1/realtime"),
        ("https://host.example/api/v1/realtime", "wss://host.example/api/v1/realtime"),
        ("https://api.openai.com/v1", "wss://api.openai.com/v1/realtime"),
        ("ws://127.0.0.1:8080/", "ws://127.0.0.1:8080/"),  # a WebSocket address is taken at its word
    ],
)
def test_a_base_address_becomes_that_of_its_realtime_api(given: str, url: str) -> None:
    assert resolve(given, environment={"OPENAI_API_KEY": OPENAI}).url == url


def test_openai_by_http_is_refused_as_its_key_could_be_read() -> None:
    with pytest.raises(rtnb.ConnectionFailed, match="wss"):
        resolve("http://api.openai.com/v1", environment={"OPENAI_API_KEY": OPENAI})


def test_further_headers_are_sent_and_those_that_are_secret_are_kept() -> None:
    endpoint = resolve("ws://127.0.0.1:9/", headers={"X-Api-Token": "t" * 9, "X-Team": "lab"}, environment={})
    assert endpoint.headers["X-Team"] == "lab"
    assert endpoint.secrets == ("t" * 9,)
    assert "ttt" not in repr(endpoint) + repr(endpoint.headers)


def test_the_dialect_is_an_argument_or_a_setting_and_never_openais() -> None:
    assert resolve("ws://127.0.0.1:9/", dialect="beta", environment={}).headers["OpenAI-Beta"] == "realtime=v1"
    assert resolve("ws://127.0.0.1:9/", environment={"RTNB_DIALECT": "beta"}).dialect == "beta"
    assert resolve("ws://127.0.0.1:9/", environment={}).dialect is None
    with pytest.raises(rtnb.ConnectionFailed, match="May 2026") as caught:
        resolve("openai", dialect="beta", key=OPENAI, environment={})
    assert caught.value.reason == "beta"
    with pytest.raises(rtnb.ConnectionFailed, match="dialect"):
        resolve("ws://127.0.0.1:9/", dialect="alpha", environment={})  # type: ignore[arg-type]


# ---- ephemeral keys --------------------------------------------------------------------------------------------------


def test_an_ephemeral_key_is_minted_and_opens_a_session() -> None:
    with rtnb.LocalEndpoint(key=OPENAI) as server:
        endpoint = rtnb.endpoint(server.url, key=OPENAI)
        secret = endpoint.client_secret({"instructions": "Be brief.", "output_modalities": ["text"]}, seconds=60)
        assert secret.value.startswith("ek_")
        assert secret.session["instructions"] == "Be brief."
        assert secret.value not in repr(secret)
        assert OPENAI not in repr(secret)
        with rtnb.Session(secret.endpoint, output="text") as session:
            assert session.ask("hello", timeout=TIMEOUT_S).text


def test_what_mints_no_key_says_why() -> None:
    with rtnb.LocalEndpoint(key=OPENAI) as server:
        with pytest.raises(rtnb.ConnectionFailed, match="Incorrect API key") as caught:
            rtnb.endpoint(server.url, key="wrong-" + "x" * 9).client_secret()
        assert caught.value.reason == "key"
        with pytest.raises(rtnb.ConnectionFailed, match="surprise"):
            rtnb.endpoint(server.url, key=OPENAI).client_secret({"surprise": 1})
        url = server.url
    with pytest.raises(rtnb.ConnectionFailed) as caught:
        rtnb.endpoint(url, key=OPENAI).client_secret()
    assert caught.value.reason == "network"
    assert OPENAI not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(rtnb.ConnectionFailed, match="beta"):
        rtnb.endpoint(url, dialect="beta").client_secret()


def test_azure_is_asked_at_its_own_path_with_its_own_header() -> None:
    from rtnb.net.client_secret import _rest_url

    assert _rest_url(azure(model="talk")) == f"https://{HOST}/openai/v1/realtime/client_secrets"
    assert _rest_url(azure("openai")) == "https://api.openai.com/v1/realtime/client_secrets"


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


def test_asyncio_is_not_needed_to_fetch_a_token_but_may_run() -> None:
    async def inside() -> str:
        endpoint = azure(model="talk", token=lambda: "plain")
        return endpoint.headers["Authorization"]

    assert asyncio.run(inside()) == "Bearer plain"
