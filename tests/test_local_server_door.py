from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from helpers_local import (
    TIMEOUT_S,
    client,
    http,
    make,
)
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from rtnb.local.admission import Admission, Refusal, Rules, Visitor, is_served, judge
from rtnb.local.client_secrets import ClientSecrets
from rtnb.local.front_door import FrontDoor
from rtnb.local.server import LocalEndpoint

KEY = "sk-" + "x" * 24
TEXT = {"type": "response.create", "response": {"output_modalities": ["text"]}}


@pytest.fixture
async def endpoint() -> AsyncIterator[LocalEndpoint]:
    async with make().serve() as running:
        yield running


async def refused(endpoint: LocalEndpoint, query: str, **options: Any) -> tuple[str, int | None, str | None]:
    """The error code, close code and close reason of a connection that may not stay."""
    async with client(endpoint, query, **options) as guest:
        event = await guest.next()
        assert event["type"] == "error"
        return (event["error"]["code"], *await guest.closed())


# ---- handshake -------------------------------------------------------------------------------------------------------


async def test_a_bad_key_gets_an_error_then_close_3000() -> None:
    async with make(key=KEY).serve() as endpoint:
        bad = "sk-" + "y" * 24
        for headers in ({}, {"Authorization": f"Bearer {bad}"}, {"api-key": bad}):
            code, close_code, reason = await refused(endpoint, "?model=gpt-realtime", additional_headers=headers)
            assert (code, close_code) == ("invalid_api_key", 3000)
            assert reason == "invalid_request_error.invalid_api_key"


@pytest.mark.parametrize("how", ["bearer", "api-key", "subprotocol", "query"])
async def test_the_key_is_taken_wherever_it_stands(how: str) -> None:
    options: dict[str, Any] = {
        "bearer": {"additional_headers": {"Authorization": f"Bearer {KEY}"}},
        "api-key": {"additional_headers": {"api-key": KEY}},
        "subprotocol": {"subprotocols": ["realtime", f"openai-insecure-api-key.{KEY}"]},
        "query": {},
    }[how]
    query = "?model=gpt-realtime" + (f"&api-key={KEY}" if how == "query" else "")
    async with make(key=KEY).serve() as endpoint, client(endpoint, query, **options) as guest:
        await guest.until("session.created")


async def test_events_leave_at_once_and_wait_for_no_acknowledgement(monkeypatch: pytest.MonkeyPatch) -> None:
    made, options = FrontDoor.connection_made, []

    def look(self: FrontDoor, transport: asyncio.Transport) -> None:
        made(self, transport)
        options.append(transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    monkeypatch.setattr(FrontDoor, "connection_made", look)
    async with make().serve() as endpoint, client(endpoint) as guest:
        await guest.until("session.created")
    assert options
    assert all(options)


async def test_without_a_key_of_its_own_it_takes_any_or_none(endpoint: LocalEndpoint) -> None:
    for headers in ({}, {"Authorization": "Bearer any"}):
        async with client(endpoint, additional_headers=headers) as guest:
            await guest.until("session.created")


@pytest.mark.parametrize(
    "offered",
    [
        ["realtime", "openai-insecure-api-key.null"],
        ["realtime", "openai-insecure-api-key.k", "openai-agents-sdk.0.20.0"],
        ["realtime"],
        ["something-else", "realtime"],
    ],
)
async def test_the_subprotocol_realtime_is_chosen(endpoint: LocalEndpoint, offered: list[Any]) -> None:
    async with client(endpoint, subprotocols=offered, origin="https://elsewhere.example") as guest:  # type: ignore[arg-type]
        assert guest.socket.subprotocol == "realtime"
        await guest.until("session.created")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "missing_model"),
        ("?model=", "missing_model"),
        ("?model=gpt-4", "invalid_model"),
        ("?model=gpt-realtime-whisper", "invalid_model"),
        ("?intent=transcription&model=gpt-4o-transcribe", "invalid_model"),
    ],
)
async def test_a_bad_model_gets_an_error_then_close_4000(endpoint: LocalEndpoint, query: str, code: str) -> None:
    assert await refused(endpoint, query) == (code, 4000, f"invalid_request_error.{code}")


async def test_the_beta_header_is_refused_as_the_service_refuses_it(endpoint: LocalEndpoint) -> None:
    told = ("beta_api_shape_disabled", 4000, "invalid_request_error.beta_api_shape_disabled")
    assert await refused(endpoint, "?model=gpt-realtime", additional_headers={"OpenAI-Beta": "realtime=v1"}) == told
    offered: Any = ["realtime", "openai-beta.realtime-v1"]
    assert await refused(endpoint, "?model=gpt-realtime", subprotocols=offered) == told
    assert await refused(endpoint, "?api-version=2024-10-01-preview&deployment=d") == told


@pytest.mark.parametrize(
    "path",
    [
        "/v1/realtime?model=gpt-realtime",
        "/realtime?model=gpt-realtime",
        "/?model=gpt-realtime",
        "/openai/v1/realtime?model=my-deployment",
    ],
)
async def test_the_paths_that_clients_use(endpoint: LocalEndpoint, path: str) -> None:
    async with connect(f"ws://127.0.0.1:{endpoint.port}{path}") as socket:
        assert json.loads(await socket.recv())["type"] == "session.created"


async def test_other_paths_are_not_found(endpoint: LocalEndpoint) -> None:
    with pytest.raises(InvalidStatus) as info:
        await connect(f"ws://127.0.0.1:{endpoint.port}/v1/elsewhere")
    assert info.value.response.status_code == 404


async def test_further_models_can_be_named() -> None:
    async with make(models=["my-model"]).serve() as endpoint, client(endpoint, "?model=my-model") as guest:
        assert (await guest.until("session.created"))["session"]["model"] == "my-model"


async def test_a_transcription_session_is_opened_by_its_intent(endpoint: LocalEndpoint) -> None:
    async with client(endpoint, "?intent=transcription") as guest:
        assert (await guest.until("session.created"))["session"]["type"] == "transcription"


async def test_permessage_deflate_is_granted_and_not_needed(endpoint: LocalEndpoint) -> None:
    for compression in ("deflate", None):
        async with client(endpoint, compression=compression) as guest:
            assert bool(guest.socket.response.headers.get("Sec-WebSocket-Extensions")) is bool(compression)  # type: ignore[union-attr]
            assert (await guest.ask(TEXT))["status"] == "completed"


async def test_pings_are_answered(endpoint: LocalEndpoint) -> None:
    async with client(endpoint) as guest, asyncio.timeout(TIMEOUT_S):
        await (await guest.socket.ping())


def test_admission_reads_the_query_with_its_escapes() -> None:
    visitor = Visitor("/v1/realtime/?model=gpt%2Drealtime&x=1")
    admitted = judge(visitor, Rules(), ClientSecrets(), 0.0)
    assert admitted == Admission("ga", "realtime", "gpt-realtime")
    assert is_served(visitor)
    assert not is_served(Visitor("/v1/realtime/translations?model=gpt-realtime-translate"))


def test_an_azure_preview_client_speaks_beta_and_names_a_deployment() -> None:
    visitor = Visitor("/openai/realtime?api-version=2024-10-01-preview&deployment=any", api_key="k")
    assert judge(visitor, Rules(beta=True), ClientSecrets(), 0.0) == Admission("beta", "realtime", "any")
    assert isinstance(judge(visitor, Rules(), ClientSecrets(), 0.0), Refusal)


# ---- client secrets and plain HTTP -----------------------------------------------------------------------------------


async def test_a_client_secret_is_minted_and_carries_its_session() -> None:
    async with make(key=KEY).serve() as endpoint, httpx.AsyncClient() as web:
        body = {
            "expires_after": {"anchor": "created_at", "seconds": 100},
            "session": {
                "type": "realtime",
                "model": "gpt-realtime-2",
                "instructions": "From the secret.",
                "audio": {"output": {"voice": "sage"}},
            },
        }
        headers = {"Authorization": f"Bearer {KEY}"}
        answer = await web.post(http(endpoint, "/v1/realtime/client_secrets"), json=body, headers=headers)
        assert answer.status_code == 200
        minted = answer.json()
        assert minted["value"].startswith("ek_")
        assert (minted["session"]["expires_at"], minted["session"]["object"]) == (0, "realtime.session")
        assert minted["session"]["audio"]["output"]["voice"] == "sage"
        offered: Any = ["realtime", f"openai-insecure-api-key.{minted['value']}"]
        for query in ("", "?model=gpt-realtime-2"):  # it can open several sessions
            async with client(endpoint, query, subprotocols=offered) as guest:
                session = (await guest.until("session.created"))["session"]
                assert (session["instructions"], session["model"]) == ("From the secret.", "gpt-realtime-2")


async def test_an_expired_secret_opens_nothing() -> None:
    secrets = ClientSecrets()
    minted = secrets.mint({"expires_after": {"anchor": "created_at", "seconds": 10}}, now=1000.0)
    assert isinstance(minted, dict)
    assert minted["expires_at"] == 1010
    visitor = Visitor("/v1/realtime?model=gpt-realtime", authorization=f"Bearer {minted['value']}")
    assert isinstance(judge(visitor, Rules(), secrets, 1009.0), Admission)
    assert isinstance(judge(visitor, Rules(), secrets, 1010.0), Refusal)


async def test_a_secret_of_a_transcription_session_opens_one() -> None:
    async with make().serve() as endpoint, httpx.AsyncClient() as web:
        session = {"type": "transcription", "audio": {"input": {"transcription": {"model": "gpt-4o-transcribe"}}}}
        answer = await web.post(http(endpoint, "/v1/realtime/client_secrets"), json={"session": session})
        headers = {"Authorization": f"Bearer {answer.json()['value']}"}
        async with client(endpoint, "", additional_headers=headers) as guest:
            created = await guest.until("session.created")
            assert created["session"]["audio"]["input"]["transcription"] == {"model": "gpt-4o-transcribe"}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"session": {"type": "realtime", "voice": "x"}}, "session.voice"),
        ({"expires_after": {"anchor": "created_at", "seconds": 5}}, "expires_after.seconds"),
        ({"surprise": 1}, "surprise"),
    ],
)
async def test_bad_requests_for_secrets_are_told_why(endpoint: LocalEndpoint, body: dict[str, Any], param: str) -> None:
    async with httpx.AsyncClient() as web:
        answer = await web.post(http(endpoint, "/v1/realtime/client_secrets"), json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param


async def test_secrets_need_the_key_and_json() -> None:
    async with make(key=KEY).serve() as endpoint, httpx.AsyncClient() as web:
        url = http(endpoint, "/v1/realtime/client_secrets")
        assert (await web.post(url, json={})).status_code == 401
        assert (await web.post(url, json={}, headers={"Authorization": "Bearer wrong"})).status_code == 401
        headers = {"Authorization": f"Bearer {KEY}"}
        assert (await web.post(url, content="{no", headers=headers)).status_code == 400
        assert (await web.post(url, headers=headers)).status_code == 200
        assert (await web.get(url, headers=headers)).status_code == 405


async def test_browsers_may_ask_from_anywhere(endpoint: LocalEndpoint) -> None:
    async with httpx.AsyncClient() as web:
        headers = {"Origin": "https://elsewhere.example", "Access-Control-Request-Headers": "authorization"}
        answer = await web.options(http(endpoint, "/v1/realtime/client_secrets"), headers=headers)
        assert answer.status_code == 204
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "authorization" in answer.headers["access-control-allow-headers"].lower()


async def test_plain_pages_are_friendly(endpoint: LocalEndpoint) -> None:
    async with httpx.AsyncClient() as web:
        assert (await web.get(http(endpoint, "/healthz"))).json()["status"] == "ok"
        assert "WebSocket" in (await web.get(http(endpoint, "/"))).text
        assert (await web.get(http(endpoint, "/v1/realtime?model=gpt-realtime"))).status_code == 426
        assert (await web.post(http(endpoint, "/v1/chat/completions"), json={})).status_code == 404


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"HELLO\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nbroken header\r\n\r\n", b"400"),
        (b"POST /v1/realtime/client_secrets HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"411"),
        (b"POST /v1/realtime/client_secrets HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n", b"413"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000, b"431"),
    ],
)
async def test_broken_http_gets_a_status(endpoint: LocalEndpoint, request_bytes: bytes, status: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
    async with asyncio.timeout(TIMEOUT_S):
        writer.write(request_bytes)
        assert (await reader.readline()).split(b" ")[1] == status
        await reader.read()
        writer.close()
        await writer.wait_closed()


async def test_a_request_in_single_bytes_is_read_as_one(endpoint: LocalEndpoint) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
    async with asyncio.timeout(TIMEOUT_S):
        for byte in b"POST /v1/realtime/client_secrets HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n{}":
            writer.write(bytes([byte]))
            await writer.drain()
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")
    assert b'"value": "ek_' in answer
