"""How much of a relay one client may use, and what happens when it is too much."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from helpers_local import Client, user
from helpers_relay import (
    BEARER,
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
from websockets.asyncio.server import ServerConnection

from rtnb.core.prices import PRICES, Price
from rtnb.local.brains import when
from rtnb.net.relay import Limits
from rtnb.net.relay_bill import Bill
from rtnb.net.relay_limits import Account, Accounts, Bucket

TEXT = {"type": "response.create", "response": {"output_modalities": ["text"]}}
ALWAYS = when(lambda _: True, "Hello.")
PAGE = "https://app.example"
BEARER_HTTP: Any = {"headers": BEARER["additional_headers"]}


# ---- limits ----------------------------------------------------------------------------------------------------------


async def test_a_client_that_has_its_sessions_gets_no_other_until_one_ends() -> None:
    async with relay_lab(limits=Limits(sessions=2)) as relay:
        async with guest(relay) as one, guest(relay) as two:
            await one.next()
            await two.next()
            assert await turned_away(relay) == ("rate_limit_exceeded", 1013, "sessions")
        await eventually(lambda: relay.sessions == 0)
        async with guest(relay) as three:
            assert (await three.next())["type"] == "session.created"


async def test_each_token_has_limits_of_its_own() -> None:
    other = TOKEN + "-other"
    async with relay_lab(tokens=[TOKEN, other], limits=Limits(sessions=1)) as relay, guest(relay, **BEARER) as one:
        await one.next()
        assert (await turned_away(relay, **BEARER))[0] == "rate_limit_exceeded"
        async with guest(relay, additional_headers={"Authorization": f"Bearer {other}"}) as two:
            assert (await two.next())["type"] == "session.created"


@pytest.mark.parametrize(
    ("limits", "words"),
    [(Limits(events_per_second=50), "50 events a second"), (Limits(bytes_per_second=5000), "5000 bytes a second")],
    ids=["events", "bytes"],
)
async def test_who_is_too_fast_is_told_once_slowed_down_and_loses_nothing(limits: Limits, words: str) -> None:
    async with upstream(echo) as other, relay_to(other.url, limits=limits) as relay, guest(relay) as client:
        for number in range(80):
            await client.socket.send(f"{number:03d}" + "x" * 97)
        async with asyncio.timeout(TIMEOUT_S):
            got = [str(await client.socket.recv()) for _ in range(81)]
        errors = [json.loads(text)["error"] for text in got if text.startswith("{")]
        assert [text[:3] for text in got if not text.startswith("{")] == [f"{n:03d}" for n in range(80)]
        assert [error["code"] for error in errors] == ["rate_limit_exceeded"]
        assert words in errors[0]["message"]


async def test_who_leaves_while_slowed_down_is_gone_at_once() -> None:
    async with upstream(echo) as other, relay_to(other.url, limits=Limits(bytes_per_second=10)) as relay:
        async with guest(relay, judged=False) as client:
            await client.socket.send("\u00e9" * 5000)  # some twenty minutes
            assert (await client.next())["error"]["code"] == "rate_limit_exceeded"
        await eventually(lambda: relay.sessions == 0)
        assert await asyncio.wait_for(other.closed.get(), TIMEOUT_S) == (1000, "")


async def test_when_the_minutes_are_over_the_session_ends_and_no_other_begins() -> None:
    async with relay_lab(limits=Limits(minutes=0.3 / 60)) as relay:
        async with guest(relay) as client:
            assert (await client.next())["type"] == "session.created"
            error = (await client.next())["error"]
            assert error["code"] == "insufficient_quota"  # clients know that trying again is of no use
            assert "minutes a day" in error["message"]
            assert (await client.closed())[0] == 4000
        assert (await turned_away(relay))[:2] == ("insufficient_quota", 4000)
        assert relay.metrics.get("limits_total", limit="minutes") == 2


async def test_when_the_money_is_spent_the_session_ends_after_its_answer_and_no_other_begins() -> None:
    async with relay_lab(ALWAYS, limits=Limits(dollars=1e-9)) as relay:
        async with guest(relay) as client:
            assert (await client.ask(user("hi"), TEXT))["status"] == "completed"
            event = await client.until("error")
            assert event["error"]["code"] == "insufficient_quota"
            assert "$1e-09" in event["error"]["message"]
            assert (await client.closed())[0] == 4000
        assert (await turned_away(relay))[0] == "insufficient_quota"


def _talker(*, reports: bool) -> Any:
    """An upstream that tells of an answer only its beginning; told to stop, it reports its tokens, or breaks off."""

    async def talk(client: ServerConnection) -> None:
        session = {"type": "realtime", "model": "gpt-realtime"}
        await client.send(json.dumps({"type": "session.created", "session": session}))
        async for message in client:
            event = json.loads(message)
            if event["type"] == "response.create":
                await client.send(json.dumps({"type": "response.created", "response": {"id": "resp_1"}}))
                delta = {"type": "response.output_text.delta", "response_id": "resp_1", "delta": "a" * 400}
                await client.send(json.dumps(delta))
            elif event["type"] == "response.cancel":
                assert event["response_id"] == "resp_1"
                if not reports:
                    client.transport.abort()
                    return
                done = {"id": "resp_1", "status": "cancelled", "usage": {"output_tokens": 1_000_000}}
                await client.send(json.dumps({"type": "response.done", "response": done}))

    return talk


@pytest.mark.parametrize(("reports", "tokens"), [(True, 1_000_000), (False, 100)], ids=["reported", "estimated"])
async def test_who_leaves_before_its_answer_ends_has_it_stopped_and_pays_for_it(reports: bool, tokens: int) -> None:
    price = PRICES["gpt-realtime"].text_out
    assert price is not None
    async with (
        upstream(_talker(reports=reports)) as other,
        relay_to(other.url, limits=Limits(dollars=1e-6)) as relay,
    ):
        async with guest(relay, judged=False) as client, asyncio.timeout(TIMEOUT_S):
            await client.send(TEXT)
            while "output_text.delta" not in str(await client.socket.recv()):
                pass
        await eventually(lambda: relay.sessions == 0)
        assert relay.metrics.get("dollars_total") == pytest.approx(tokens * price / 1e6)
        assert (await turned_away(relay))[0] == "insufficient_quota"


def _silent_after(*events: dict[str, Any]) -> Any:
    """An upstream that says these when it is asked for an answer, and never a word of it again."""

    async def talk(client: ServerConnection) -> None:
        session = {"type": "realtime", "model": "gpt-realtime"}
        await client.send(json.dumps({"type": "session.created", "session": session}))
        async for message in client:
            if json.loads(message)["type"] == "response.create":
                for event in events:
                    await client.send(json.dumps(event))

    return talk


async def _told(client: Client, name: str) -> dict[str, Any]:
    """The next event of that name."""
    async with asyncio.timeout(TIMEOUT_S):
        while (event := json.loads(await client.socket.recv()))["type"] != name:
            pass
    found: dict[str, Any] = event
    return found


BEGUN = (
    {"type": "response.created", "response": {"id": "resp_1"}},
    {"type": "response.output_text.delta", "response_id": "resp_1", "delta": "a" * 400},
)
WRITING = {"type": "conversation.item.input_audio_transcription.delta", "item_id": "item_1", "delta": "so"}


@pytest.mark.parametrize("events", [BEGUN, (WRITING,)], ids=["an answer", "a transcription"])
async def test_a_page_that_reloads_has_its_place_at_once_though_its_last_session_is_not_settled(
    events: tuple[dict[str, Any], ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rtnb.net.relay_session._LAST_WORDS_S", TIMEOUT_S)
    async with (
        upstream(_silent_after(*events)) as other,
        relay_to(other.url, limits=Limits(sessions=1)) as relay,
    ):
        async with guest(relay) as client:
            await client.send(TEXT)
            await _told(client, events[-1]["type"])
            account = next(each for each in relay._accounts._accounts.values() if each.sessions)
        await eventually(lambda: not account.sessions)
        assert relay.sessions == 1, "upstream may still tell what it cost"
        async with guest(relay) as client:
            await _told(client, "session.created")
        for each in other.clients:
            await each.close()


async def test_who_used_up_a_limit_is_told_before_the_rest_is_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rtnb.net.relay_session._LAST_WORDS_S", 2 * TIMEOUT_S)
    unknown = {"type": "session.updated", "session": {"type": "realtime", "model": "gpt-realtime-unheard-of"}}
    async with (
        upstream(_silent_after(*BEGUN, unknown)) as other,
        relay_to(other.url, limits=Limits(dollars=1)) as relay,
    ):
        async with guest(relay) as client:
            await client.send(TEXT)
            assert (await _told(client, "error"))["error"]["code"] == "insufficient_quota"
            assert (await client.closed())[0] == 4000
        assert relay.sessions == 1
        await other.clients[0].close()


async def test_an_answer_is_charged_also_where_passing_on_broke_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rtnb.net.relay_session._LAST_WORDS_S", 0.1)
    price = PRICES["gpt-realtime"].text_out
    assert price is not None

    def break_once(*_: object) -> None:
        monkeypatch.undo()
        raise ZeroDivisionError

    async with upstream(_silent_after(*BEGUN)) as other, relay_to(other.url, limits=Limits(dollars=1)) as relay:
        async with guest(relay) as client:
            await client.send(TEXT)
            await _told(client, "response.output_text.delta")
            monkeypatch.setattr(Account, "breach", break_once)
            await client.send(TEXT)
            await client.closed()
        await eventually(lambda: relay.sessions == 0)
        assert relay.metrics.get("dollars_total") == pytest.approx(200 * price / 1e6)


def test_a_response_that_is_not_reported_costs_what_came_of_it_and_reads_what_the_last_one_read() -> None:
    prices = PRICES.with_prices(
        {"talk": Price(text_in=1e6, text_out=10e6, audio_out=100e6, source="test", as_of="2026")}
    )
    bill = Bill(prices, "talk")
    bill.add({"type": "response.created", "response": {"id": "a"}})
    bill.add({"type": "response.done", "response": {"id": "a", "usage": {"input_tokens": 7, "output_tokens": 1}}})
    assert bill.rest() == 0
    bill.add({"type": "response.created", "response": {"id": "b"}})
    bill.add({"type": "response.output_audio_transcript.delta", "delta": "twelve chars"})
    bill.heard(6400)  # base64 of 100 ms
    assert bill.is_open
    assert bill.rest() == pytest.approx(7 * 1 + 3 * 10 + 2 * 100)
    assert (bill.rest(), bill.is_open) == (0, False)
    bill.add({"type": "conversation.item.input_audio_transcription.delta", "item_id": "i", "delta": "so"})
    assert bill.is_open, "how long it was is told with its end"
    bill.add({"type": "conversation.item.input_audio_transcription.failed", "item_id": "i"})
    assert not bill.is_open


async def test_what_ephemeral_tokens_spend_is_spent_by_who_minted_them() -> None:
    other = TOKEN + "-other"
    async with (
        relay_lab(ALWAYS, tokens=[TOKEN, other], limits=Limits(dollars=1e-9)) as relay,
        httpx.AsyncClient() as web,
    ):
        url = f"http://127.0.0.1:{relay.port}/v1/realtime/client_secrets"
        minted = [(await web.post(url, **BEARER_HTTP)).json()["value"] for _ in range(2)]
        one, two = ({**BEARER, "additional_headers": {"Authorization": f"Bearer {value}"}} for value in minted)
        async with guest(relay, **one) as client:
            assert (await client.ask(user("hi"), TEXT))["status"] == "completed"
            assert (await client.until("error"))["error"]["code"] == "insufficient_quota"
        for options in (one, two, BEARER):
            assert (await turned_away(relay, **options))[0] == "insufficient_quota"
        refused = await web.post(url, **BEARER_HTTP)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "insufficient_quota")
        assert (await web.post(url, headers={"Authorization": f"Bearer {other}"})).status_code == 200


async def test_with_a_limit_on_money_a_model_without_a_price_is_not_relayed() -> None:
    path = "/v1/realtime?model=gpt-realtime-unheard-of"
    async with relay_lab(limits=Limits(dollars=1)) as relay, guest(relay, path) as client:
        assert (await client.next())["type"] == "session.created"
        event = await client.next()
        assert "gpt-realtime-unheard-of" in event["error"]["message"]
        assert (await client.closed())[0] == 4000


def test_transcription_and_answers_are_billed_at_their_own_prices() -> None:
    prices = PRICES.with_prices(
        {
            "talk": Price(text_in=1, text_out=1_000_000, source="test", as_of="2026"),
            "ears": Price(per_minute=6, source="test", as_of="2026"),
        }
    )
    bill = Bill(prices, "other")
    heard = {"input": {"transcription": {"model": "ears"}}}
    assert bill.add({"type": "session.updated", "session": {"model": "talk", "audio": heard}}) == 0
    assert bill.add({"type": "response.done", "response": {"usage": {"output_tokens": 2}}}) == pytest.approx(2)
    completed = "conversation.item.input_audio_transcription.completed"
    assert bill.add({"type": completed, "usage": {"type": "duration", "seconds": 30}}) == pytest.approx(3)
    assert bill.unknown is None
    assert bill.add({"type": "response.done", "response": None}) == 0
    bill.add({"type": "session.updated", "session": {"model": "nobody"}})
    assert bill.unknown == "nobody"


def test_a_rate_lets_a_burst_through_and_then_its_pace() -> None:
    bucket = Bucket(10)
    assert [bucket.take(1, 100.0) for _ in range(10)] == [0.0] * 10
    assert bucket.take(1, 100.0) == pytest.approx(0.1)
    assert bucket.take(1, 100.2) == 0.0
    assert bucket.take(30, 200.0) == pytest.approx(2.0)  # one large message is waited for, not refused


def test_minutes_are_shared_by_a_clients_sessions_and_a_new_day_begins_anew() -> None:
    accounts = Accounts(Limits(minutes=1))
    account = accounts.of("a", 0.0)
    assert account.enter(0.0) is None
    assert account.enter(10.0) is None
    assert account.seconds_left(20.0) == pytest.approx(15.0)  # 60 - 10 - 2 * 10, for two
    assert account.breach(45.0) is not None
    account.leave(45.0)
    assert accounts.of("a", 86_401.0) is account, "a session of yesterday is still open"
    account.leave(45.0)
    assert accounts.of("a", 86_401.0) is not account
    assert isinstance(accounts.of("b", 86_401.0), Account)
