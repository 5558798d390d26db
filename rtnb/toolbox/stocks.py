"""The price of a share: a tool that needs a key.

The shape is that of the weather tool. New is the key: it is taken from the settings or the environment when a call
needs it, travels in a header, and stands in no result, error or picture. Without a key the answers come from a file
of made-up prices, and say so.

To ask a provider, set ``RTNB_STOCK_KEY``, and for another one than Finnhub ``RTNB_STOCK_URL``, an address with
``{ticker}`` (and ``{key}``, if the provider wants the key there). Answers of Finnhub, Alpha Vantage, and any that
names a ``price`` or ``close`` are understood.

Imports `rtnb.core` and `rtnb.toolbox.sources`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from rtnb.core.errors import ToolError
from rtnb.toolbox.sources import Mode, ServiceFailed, check_mode, fetch_json, load_data, settled_mode, some

__all__ = ["Stocks", "get_stock_price"]

_SERVICE: Final = "The stock price service"
_RECORDED: Final = "recorded sample data, made up"
_PRICE: Final = ("c", "price", "close", "last", "latestprice", "regularmarketprice")
_CHANGE: Final = ("dp", "changepercent", "change percent", "change_percent", "percent_change")


class Stocks:
    """The stock price tool with its settings; `get_stock_price` is one with the usual ones.

    Parameters
    ----------
    mode
        Where answers come from, see `rtnb.toolbox.sources`. ``"auto"`` without a key is ``"recorded"``.
    url
        The provider's address with ``{ticker}`` and perhaps ``{key}``; without it ``RTNB_STOCK_URL``, then Finnhub's.
    key
        The provider's key; without it ``RTNB_STOCK_KEY``.
    key_header
        The header in which the key travels, unless the address has a place for it.
    timeout
        Seconds to wait for the provider.
    """

    def __init__(
        self,
        *,
        mode: Mode = "auto",
        url: str | None = None,
        key: str | None = None,
        key_header: str = "X-Finnhub-Token",
        timeout: float = 6.0,
    ) -> None:
        check_mode(mode)
        self.mode: Mode = mode
        self.key_header = key_header
        self.timeout = timeout
        self._url = url
        self._key = key

    def get_stock_price(self, ticker: str) -> dict[str, Any]:
        """Get the current price of a company's share.

        Use it whenever someone asks what a stock costs or how it is doing, for example "What is Apple trading at?".

        Parameters
        ----------
        ticker
            The ticker symbol, for example "AAPL" for Apple.
        """
        symbol = _symbol(ticker)
        mode = settled_mode(self.mode)
        key = self._key or os.environ.get("RTNB_STOCK_KEY", "")
        if mode == "recorded" or (mode == "auto" and not key):
            return _recorded(symbol, ticker, _RECORDED)
        if not key:
            raise ToolError("No key for stock prices is set. The user can set one in RTNB_STOCK_KEY.")
        try:
            return self._live(symbol, key)
        except ServiceFailed as failure:
            if mode == "live":
                raise
            try:
                return _recorded(symbol, ticker, f"{_RECORDED}. {failure}")
            except ToolError as none:
                raise ToolError(f"{failure} {none}") from failure

    @staticmethod
    def tickers() -> list[str]:
        """The tickers with a recorded answer."""
        return [each["ticker"] for each in load_data("stocks.json")["recordings"]]

    def _live(self, symbol: str, key: str) -> dict[str, Any]:
        url = self._url or os.environ.get("RTNB_STOCK_URL") or "https://finnhub.io/api/v1/quote?symbol={ticker}"
        headers = {} if "{key}" in url else {self.key_header: key}
        address = url.replace("{ticker}", quote(symbol)).replace("{key}", quote(key))
        answer = fetch_json(_SERVICE, address, headers=headers, timeout=self.timeout, secret=key)
        values = dict(_leaves(answer))
        price = _first(values, _PRICE)
        if not price:  # Finnhub knows no "not found": it gives zeros
            raise ToolError(f"The ticker {symbol} was not found. Ask for the right one.")
        result: dict[str, Any] = {"ticker": symbol, "price": price}
        if (change := _first(values, _CHANGE)) is not None:
            result["change_percent"] = change
        return {**result, "source": "live price"}

    def __repr__(self) -> str:
        return f"<Stocks {self.mode}>"


def _recorded(symbol: str, ticker: str, source: str) -> dict[str, Any]:
    for each in load_data("stocks.json")["recordings"]:
        if symbol == each["ticker"] or ticker.strip().casefold() in each["names"]:
            fields = {key: each[key] for key in ("ticker", "name", "price", "currency", "change_percent")}
            return {**fields, "source": source}
    raise ToolError(f"There is no recorded price for {symbol}. Recorded are: {some(Stocks.tickers())}.")


def _symbol(ticker: str) -> str:
    symbol = ticker.strip().lstrip("$").upper()
    if not re.fullmatch(r"[A-Z0-9][A-Z0-9.\-=^:& ']{0,29}", symbol):
        raise ToolError(f"{ticker!r} is no ticker symbol. One looks like AAPL or BRK.B.")
    return symbol


def _leaves(answer: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """All simple values with their names in small letters; Alpha Vantage numbers its names: ``05. price``."""
    for name, value in answer.items():
        if isinstance(value, Mapping):
            yield from _leaves(value)
        else:
            yield re.sub(r"^\d+\.\s*", "", name).casefold(), value


def _first(values: Mapping[str, Any], names: tuple[str, ...]) -> float | None:
    for name in names:
        try:
            return round(float(str(values[name]).rstrip("%")), 4)
        except (KeyError, ValueError):
            continue
    return None


get_stock_price = Stocks().get_stock_price
