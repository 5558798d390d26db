"""The stock price tool: sample prices, providers on loopback, and a key that stays where it is."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from helpers_toolbox import Service, serving

from rtnb.core.errors import ToolError
from rtnb.core.tools import tool
from rtnb.session.tool_runner import ToolRunner
from rtnb.toolbox.sources import ServiceFailed
from rtnb.toolbox.stocks import Stocks, get_stock_price

KEY = "provider-key-" + "q" * 12


@pytest.fixture(autouse=True)
def _usual_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RTNB_TOOLBOX", "RTNB_STOCK_KEY", "RTNB_STOCK_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def service() -> Iterator[Service]:
    """A provider."""
    with serving() as service:
        yield service


@pytest.mark.parametrize("ticker", ["AAPL", "aapl", "$AAPL", " Apple "])
def test_without_a_key_the_price_is_sample_data_and_says_so(ticker: str) -> None:
    assert get_stock_price(ticker) == {
        "ticker": "AAPL",
        "name": "Apple",
        "price": 268.4,
        "currency": "USD",
        "change_percent": 0.82,
        "source": "recorded sample data, made up",
    }


def test_an_unknown_ticker_is_told_with_those_that_are_recorded() -> None:
    with pytest.raises(ToolError, match=r"no recorded price for ZZZZ. Recorded are: AAPL, MSFT"):
        get_stock_price("ZZZZ")


@pytest.mark.parametrize("ticker", ["", "a/b?c", "x" * 40, "../etc"])
def test_what_is_no_ticker_never_reaches_an_address(ticker: str, service: Service) -> None:
    with pytest.raises(ToolError, match="is no ticker symbol"):
        Stocks(mode="live", url=service.url + "/{ticker}", key=KEY).get_stock_price(ticker)
    assert service.asked == []


@pytest.mark.parametrize(
    ("answer", "price", "change"),
    [
        (
            {"c": 261.74, "d": 2.1, "dp": 0.8088, "h": 263.31, "o": 261.07, "pc": 259.45, "t": 1763600000},
            261.74,
            0.8088,
        ),
        (
            {"Global Quote": {"01. symbol": "AAPL", "05. price": "261.7400", "10. change percent": "0.8088%"}},
            261.74,
            0.8088,
        ),
        ({"symbol": "AAPL", "price": 261.74}, 261.74, None),
        ({"data": {"close": "261.74"}}, 261.74, None),
    ],
)
def test_answers_of_several_providers_are_understood(service: Service, answer: Any, price: float, change: Any) -> None:
    service.answers["/quote"] = (200, answer)
    result = Stocks(url=service.url + "/quote?symbol={ticker}", key=KEY).get_stock_price("aapl")
    assert (result["ticker"], result["price"], result.get("change_percent")) == ("AAPL", price, change)
    assert result["source"] == "live price"


def test_the_key_travels_in_a_header(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service.answers["/quote"] = (200, {"c": 1.5})
    monkeypatch.setenv("RTNB_STOCK_KEY", KEY)
    monkeypatch.setenv("RTNB_STOCK_URL", service.url + "/quote?symbol={ticker}")
    Stocks().get_stock_price("AAPL")
    path, query, headers = service.asked[0]
    assert (path, query, headers["x-finnhub-token"]) == ("/quote", {"symbol": "AAPL"}, KEY)


def test_a_key_in_the_address_is_in_no_log(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    service.answers["/quote"] = (200, {"c": 1.5})
    Stocks(url=service.url + "/quote?symbol={ticker}&token={key}", key=KEY).get_stock_price("AAPL")
    assert service.asked[0][1]["token"] == KEY
    assert "x-finnhub-token" not in service.asked[0][2]
    assert "token=[key]" in caplog.text
    assert KEY not in caplog.text


def test_a_redirect_does_not_take_the_key_elsewhere(service: Service) -> None:
    service.answers["/quote"] = (302, (service.url + "/elsewhere").encode())
    with pytest.raises(ServiceFailed):
        Stocks(mode="live", url=service.url + "/quote", key=KEY).get_stock_price("AAPL")
    assert [path for path, _, _ in service.asked] == ["/quote"]


@pytest.mark.parametrize("status", [200, 401, 429, 500])
async def test_no_failure_tells_the_key(service: Service, status: int) -> None:
    service.answers["/quote"] = (status, f"no good key: {KEY}".encode())
    stocks = Stocks(mode="live", url=service.url + "/quote?symbol={ticker}&token={key}", key=KEY)
    with pytest.raises(ServiceFailed) as caught:
        stocks.get_stock_price("AAPL")
    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert KEY not in repr(stocks)
    runner = ToolRunner()
    outcome = await runner.run(tool(stocks.get_stock_price), '{"ticker": "AAPL"}')
    assert not outcome.ok
    assert KEY not in outcome.output + outcome.traceback + repr(outcome)
    runner.close()


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/{key}", "no address {key}", "http://[{key}/"])
def test_an_address_that_leads_nowhere_does_not_tell_the_key(url: str) -> None:
    with pytest.raises(ServiceFailed, match="could not be reached") as caught:
        Stocks(mode="live", url=url, key=KEY).get_stock_price("AAPL")
    assert KEY not in "".join(traceback.format_exception(caught.value))


def test_auto_falls_back_to_sample_data_and_says_why(service: Service) -> None:
    service.answers["/quote"] = (500, {})
    stocks = Stocks(url=service.url + "/quote", key=KEY)
    assert "failed (status 500)" in stocks.get_stock_price("AAPL")["source"]
    with pytest.raises(ToolError, match=r"failed \(status 500\).*no recorded price for ZZZZ"):
        stocks.get_stock_price("ZZZZ")


def test_finnhubs_zeros_mean_not_found(service: Service) -> None:
    service.answers["/quote"] = (200, {"c": 0, "d": None, "dp": None})
    with pytest.raises(ToolError, match=r"ticker ZZZZ was not found"):
        Stocks(url=service.url + "/quote", key=KEY).get_stock_price("ZZZZ")


def test_live_without_a_key_says_what_to_set() -> None:
    with pytest.raises(ToolError, match="RTNB_STOCK_KEY"):
        Stocks(mode="live").get_stock_price("AAPL")


def test_every_recorded_ticker_has_a_price() -> None:
    assert len(Stocks.tickers()) >= 30
    for ticker in Stocks.tickers():
        assert get_stock_price(ticker)["price"] > 0
