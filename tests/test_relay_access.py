"""Who may use a relay, and that no key shows anywhere."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import httpx
import pytest
from helpers_local import user
from helpers_relay import (
    BEARER,
    KEY,
    TIMEOUT_S,
    TOKEN,
    echo,
    eventually,
    guest,
    relay_lab,
    relay_to,
    turned_away,
    upstream,
)
from openai import AsyncOpenAI
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import InvalidStatus

import rtnb
from rtnb.local.brains import when
from rtnb.net.relay import Limits, Relay
from rtnb.net.relay_access import Access, Visitor, is_loopback
from rtnb.net.relay_metrics import Metrics

TEXT = {"type": "response.create", "response": {"output_modalities": ["text"]}}
ALWAYS = when(lambda _: True, "Hello.")
PAGE = "https://app.example"


def http(relay: Relay, path: str) -> str:
    return f"http://127.0.0.1:{relay.port}{path}"


# ---- starting --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "relay.example"])
def test_off_loopback_it_starts_with_tokens_and_an_origin_list_only(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(rtnb.RtnbError, match="tokens"):
        Relay("local", host=host)
    with pytest.raises(rtnb.RtnbError, match="origin"):
        Relay("local", host=host, tokens=[TOKEN])
    with pytest.raises(rtnb.RtnbError, match="tokens"):
        Relay("local", host=host, origins=[PAGE])
    Relay("local", host=host, tokens=[TOKEN], origins=[PAGE])
    Relay("local", host=host, secret="s" * 32, origins=[PAGE])


def test_weak_tokens_odd_origins_and_odd_limits_are_refused() -> None:
    for options in ({"tokens": ["short"]}, {"secret": "short"}, {"origins": ["*"]}, {"origins": ["app.example"]}):
        with pytest.raises(rtnb.RtnbError) as caught:
            Relay("local", **options)  # type: ignore[arg-type]
        assert "short" not in str(caught.value)
    with pytest.raises(rtnb.RtnbError, match="minutes"):
        Limits(minutes=0)
    with pytest.raises(rtnb.RtnbError, match="today"):
        Relay("ws://127.0.0.1:9/", key=KEY).__class__(rtnb.endpoint("ws://127.0.0.1:9/", dialect="beta"))


# ---- coming in -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        ("http://localhost:3000", True),
        ("http://127.0.0.1:8888", True),
        ("http://[::1]:80", True),
        (PAGE, False),
        ("null", False),
        ("http://localhost.example", False),
        ("http://127.0.0.1.example", False),
        ("file://", False),
        ("http://[bad", False),
    ],
)
async def test_without_a_list_pages_of_this_machine_alone_may_connect(origin: str | None, allowed: bool) -> None:
    async with upstream(echo) as other, relay_to(other.url) as relay:
        headers = {"Origin": origin} if origin is not None else {}
        if allowed:
            async with guest(relay, additional_headers=headers) as client:
                await client.socket.send("x")
                assert await client.socket.recv() == "x"
        else:
            with pytest.raises(InvalidStatus) as refused:
                await connect(f"ws://127.0.0.1:{relay.port}/v1/realtime", additional_headers=headers)
            assert refused.value.response.status_code == 403
            assert not other.requests


async def test_with_a_list_its_pages_alone_may_connect() -> None:
    async with upstream(echo) as other, relay_to(other.url, origins=[PAGE + "/"]) as relay:
        async with guest(relay, additional_headers={"Origin": PAGE}) as client:
            await client.socket.send("x")
            await client.socket.recv()
        for origin in ("http://localhost:3000", "https://evil.example", PAGE + ".evil.example", "http://app.example"):
            with pytest.raises(InvalidStatus):
                await connect(f"ws://127.0.0.1:{relay.port}/v1/realtime", additional_headers={"Origin": origin})
        assert relay.metrics.get("refused_total", reason="origin") == 4


@pytest.mark.parametrize(
    "options",
    [
        BEARER,
        {"additional_headers": {"api-key": TOKEN}},
        {"subprotocols": ["realtime", f"openai-insecure-api-key.{TOKEN}", "openai-beta.realtime-v1"]},
    ],
    ids=["bearer", "api-key", "subprotocol"],
)
async def test_a_token_lets_in_wherever_it_stands(options: Any) -> None:
    async with relay_lab(tokens=[TOKEN]) as relay, guest(relay, judged=False, **options) as client:
        assert (await client.next())["type"] == "session.created"


async def test_without_a_token_or_with_a_wrong_one_nobody_comes_in() -> None:
    async with upstream(echo) as other, relay_to(other.url, tokens=[TOKEN]) as relay:
        refused = ("invalid_api_key", 3000, "relay_error.invalid_api_key")
        assert await turned_away(relay) == refused
        for key in (TOKEN[:-1], TOKEN + "x", "ek_" + "x" * 30, "ek_" + "x" * 30 + ".y", "ä" * 20):
            headers = {"Authorization": f"Bearer {key}".encode().decode("latin-1")}
            assert await turned_away(relay, additional_headers=headers) == refused
        assert await turned_away(relay, f"/v1/realtime?api-key={TOKEN}") == refused  # addresses end up in logs
        assert not other.requests


async def test_an_open_relay_behind_another_server_lets_nobody_in() -> None:
    async with relay_lab() as relay:
        for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP"):
            assert (await turned_away(relay, additional_headers={name: "203.0.113.7"}))[0] == "invalid_api_key"
    async with relay_lab(tokens=[TOKEN]) as relay:
        headers = {**BEARER["additional_headers"], "X-Forwarded-For": "203.0.113.7"}
        async with guest(relay, additional_headers=headers) as client:
            assert (await client.next())["type"] == "session.created"


async def test_an_ephemeral_token_is_minted_brings_its_session_and_expires() -> None:
    async with relay_lab(ALWAYS, tokens=[TOKEN]) as relay:
        base = relay.url.removesuffix("/realtime").replace("ws:", "http:")
        async with AsyncOpenAI(api_key=TOKEN, base_url=base) as openai:
            session: Any = {"type": "realtime", "model": "gpt-realtime-2.1", "output_modalities": ["text"]}
            minted = await openai.realtime.client_secrets.create(
                session={**session, "instructions": "Be brief."}, expires_after={"anchor": "created_at", "seconds": 60}
            )
        assert minted.value.startswith("ek_")
        for offered in ({"additional_headers": {"Authorization": f"Bearer {minted.value}"}}, None):
            options: Any = offered or {"subprotocols": ["realtime", f"openai-insecure-api-key.{minted.value}"]}
            async with guest(relay, "/v1/realtime", **options) as client:
                assert (await client.next())["session"]["model"] == "gpt-realtime-2.1"
                assert (await client.until("session.updated"))["session"]["instructions"] == "Be brief."
                assert (await client.ask(user("hi"), {"type": "response.create"}))["status"] == "completed"

    access = Access(host="0.0.0.0", tokens=[TOKEN], origins=[PAGE])
    value = access.mint({"expires_after": {"anchor": "created_at", "seconds": 10}}, 1000.0, payer="payer-x")[1]["value"]
    shows = Visitor("/v1/realtime", lambda name: [f"Bearer {value}"] if name == "Authorization" else [])
    assert getattr(access.judge(shows, 1009.0), "name", None)
    assert "expired" in str(access.judge(shows, 1011.0))


def test_relays_with_the_same_secret_take_each_others_ephemeral_tokens() -> None:
    one, two, other = (Access(host="127.0.0.1", tokens=[TOKEN], secret=secret) for secret in ("s" * 20, "s" * 20, None))
    value = one.mint(None, 0.0, payer="payer-x")[1]["value"]
    shows = Visitor("/", lambda name: [value] if name == "api-key" else [])
    assert not isinstance(two.judge(shows, 1.0), str)
    assert isinstance(other.judge(shows, 1.0), str)
    forged = value.replace(value[10], "A" if value[10] != "A" else "B")
    shows = Visitor("/", lambda name: [forged] if name == "api-key" else [])
    assert isinstance(two.judge(shows, 1.0), str)


async def test_minting_needs_a_token_and_a_sound_request() -> None:
    async with relay_lab(tokens=[TOKEN]) as relay, httpx.AsyncClient() as web:
        url, bearer = http(relay, "/v1/realtime/client_secrets"), BEARER["additional_headers"]
        assert (await web.post(url, json={})).status_code == 401
        minted = await web.post(url, headers=bearer)
        assert minted.status_code == 200
        again = await web.post(url, headers={"Authorization": f"Bearer {minted.json()['value']}"})
        assert again.status_code == 403
        assert (await web.get(url, headers=bearer)).status_code == 405
        assert (await web.post(url, headers=bearer, content=b"{")).status_code == 400
        odd = {"session": {"type": "realtime", "surprise": 1}}
        assert (await web.post(url, headers=bearer, json=odd)).json()["error"]["code"] == "unknown_parameter"
        large = {"session": {"type": "realtime", "instructions": "x" * 5000}}
        assert (await web.post(url, headers=bearer, json=large)).status_code == 400
        short = {"expires_after": {"anchor": "created_at", "seconds": 1}}
        assert (await web.post(url, headers=bearer, json=short)).status_code == 400
        assert (await web.post(url, headers=bearer, content=b"x" * 100_000)).status_code == 413


async def test_our_own_helper_mints_at_a_relay() -> None:
    async with relay_lab(tokens=[TOKEN]) as relay:
        secret = await asyncio.to_thread(rtnb.endpoint(relay.url, key=TOKEN).client_secret, {"instructions": "Hi"})
        async with connect(secret.endpoint.address, additional_headers=secret.endpoint.headers) as socket:
            assert json.loads(await socket.recv())["type"] == "session.created"


# ---- health, metrics, pages ------------------------------------------------------------------------------------------


async def test_health_metrics_and_the_requests_that_lead_nowhere() -> None:
    async with relay_lab(tokens=[TOKEN], origins=[PAGE]) as relay, httpx.AsyncClient() as web:
        assert (await web.get(http(relay, "/healthz"))).json() == {"status": "ok", "sessions": 0}
        assert (await web.get(http(relay, "/metrics"))).status_code == 401
        text = (await web.get(http(relay, "/metrics"), headers=BEARER["additional_headers"])).text
        assert "rtnb_relay_open_sessions 0" in text
        assert (await web.get(http(relay, "/nowhere"))).status_code == 404
        assert (await web.get(http(relay, "/v1/realtime"))).status_code == 426
        asked = await web.options(http(relay, "/v1/realtime/client_secrets"), headers={"Origin": PAGE})
        assert asked.headers["Access-Control-Allow-Origin"] == PAGE
        asked = await web.post(http(relay, "/v1/realtime/client_secrets"), headers={"Origin": "https://evil.example"})
        assert asked.status_code == 403
        assert "Access-Control-Allow-Origin" not in asked.headers
        with pytest.raises(InvalidStatus) as lost:
            await connect(f"ws://127.0.0.1:{relay.port}/nowhere", **BEARER)
        assert lost.value.response.status_code == 404
        draining = asyncio.create_task(relay.drain())
        await draining
        assert (await web.get(http(relay, "/healthz"))).status_code == 503


def test_the_metrics_are_read_by_the_reader_of_prometheus() -> None:
    parser = pytest.importorskip("prometheus_client.parser", reason="prometheus_client comes with JupyterLab")
    metrics = Metrics()
    metrics.add("open_sessions")
    metrics.add("events_total", 12, sender="client")
    metrics.add("dollars_total", 0.0125)
    metrics.closed("client", 4321)
    families = {family.name: family for family in parser.text_string_to_metric_families(metrics.text())}
    assert families["rtnb_relay_open_sessions"].samples[0].value == 1
    (sample,) = families["rtnb_relay_events"].samples
    assert (sample.labels, sample.value) == ({"sender": "client"}, 12)
    assert families["rtnb_relay_dollars"].samples[0].value == 0.0125
    assert families["rtnb_relay_closed"].samples[0].labels == {"by": "client", "code": "4xxx"}


async def test_sessions_are_counted_and_measured() -> None:
    async with relay_lab(ALWAYS) as relay:
        async with guest(relay) as client:
            await client.ask(user("hi"), TEXT)
            assert relay.metrics.get("open_sessions") == 1
        await eventually(lambda: relay.metrics.get("closed_total", by="client", code="1000") == 1)
        assert relay.metrics.get("open_sessions") == 0
        assert relay.metrics.get("events_total", sender="client") == 2
        assert relay.metrics.get("events_total", sender="upstream") >= len(client.events)
        assert relay.metrics.get("dollars_total") > 0


# ---- keys ------------------------------------------------------------------------------------------------------------


async def test_no_key_token_or_content_is_in_any_log_metric_error_or_repr(caplog: pytest.LogCaptureFixture) -> None:
    for name in ("", "websockets", "websockets.server", "rtnb", "rtnb.net", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    said = "a confidential sentence"
    odd_key = "zz" + "Planted" * 4  # not only keys that look like one
    theirs = "sk-" + "theirs" * 5
    shown: list[str] = []

    async def talk(each: ServerConnection) -> None:
        message = await each.recv()
        error = {"type": "invalid_request_error", "code": "x", "message": f"Incorrect API key provided: {odd_key}."}
        await each.send(json.dumps({"type": "error", "event_id": "event_1", "error": error}))
        await each.send(message)
        await each.close(3000, f"key {odd_key}")

    async with upstream(talk) as other, relay_to(other.url, tokens=[TOKEN], key=odd_key) as relay:
        protocols: Any = ["realtime", f"openai-insecure-api-key.{TOKEN}"]
        path = f"/v1/realtime?model={theirs}&key={theirs}"
        headers = {"api-key": theirs, "X-Note": theirs}
        async with guest(relay, path, judged=False, subprotocols=protocols, additional_headers=headers) as client:
            await client.socket.send(json.dumps({"type": "x", "text": said}))
            assert client.socket.response is not None
            shown += [str(await client.socket.recv()), repr(client.socket.response.headers)]
            await client.socket.recv()
            shown += [str(each) for each in await client.closed()]
        shown.append(str(await turned_away(relay, additional_headers={"Authorization": f"Bearer {theirs}"})))
        async with httpx.AsyncClient() as web:
            url = http(relay, "/v1/realtime/client_secrets")
            shown.append((await web.post(url, headers={"Authorization": f"Bearer {theirs}"})).text)
        shown += [repr(relay), relay.upstream, relay.metrics.text(), str(vars(relay))]
    ours = [r for r in caplog.records if r.name.startswith(("rtnb", "asyncio"))]
    assert any("opened" in record.getMessage() for record in ours)
    logged = [record.getMessage() + str(record.exc_info) for record in ours]
    for secret in (KEY, odd_key, TOKEN, theirs):
        assert not [text for text in (*shown, *logged) if secret in text]
    assert not [text for text in logged if said in text]


async def test_broken_handshakes_leave_no_header_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with relay_lab() as relay:
        for line in (f"Sec-WebSocket-Protocol: realtime,, {TOKEN}=", f"X Y: {TOKEN}", f"Authorization: Bearer {TOKEN}"):
            reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
            writer.write(f"GET /v1/realtime HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n{line}\r\n\r\n".encode())
            async with asyncio.timeout(TIMEOUT_S):
                answer = await reader.read()
            assert not answer or b" 4" in answer[:20]
            writer.close()
    texts = [record.getMessage() + str(record.exc_text) for record in caplog.records if record.name.startswith("rtnb")]
    assert not [text for text in texts if TOKEN in text]


async def test_a_key_that_an_upstream_quotes_does_not_reach_the_client() -> None:
    async def talk(each: ServerConnection) -> None:
        await each.send(json.dumps({"type": "error", "error": {"message": f"Incorrect API key provided: {KEY}"}}))
        await each.close(3000, f"bad {KEY}")

    async with upstream(talk) as other, relay_to(other.url) as relay, guest(relay, judged=False) as client:
        told = str(await client.socket.recv())
        assert KEY not in told
        assert json.loads(told)["error"]["message"] == "Incorrect API key provided: [key]"
        code, reason = await client.closed()
        assert (code, KEY in str(reason)) == (3000, False)
