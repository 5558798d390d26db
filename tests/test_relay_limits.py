"""How much of a relay one client may use, and what happens when it is too much."""

from __future__ import annotations

import asyncio
import json

import pytest
from helpers_local import user
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

from rtnb.core.prices import PRICES, Price
from rtnb.local.brains import when
from rtnb.net.relay import Limits
from rtnb.net.relay_limits import Account, Accounts, Bill, Bucket

TEXT = {"type": "response.create", "response": {"output_modalities": ["text"]}}
ALWAYS = when(lambda _: True, "Hello.")
PAGE = "https://app.example"


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
