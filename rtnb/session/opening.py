"""Opening a connection: from an endpoint to a configured `Link`, or to an error that says which door was shut.

api.openai.com accepts the WebSocket before it looks at the key (REALTIME handshake: 101, one ``error`` event, close),
so a failure is mostly told by the first event, not by HTTP.

Imports `rtnb.core`, `rtnb.net` and its neighbours in `rtnb.session`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from rtnb.core.changes import Changes
from rtnb.core.conversation import Conversation
from rtnb.core.errors import ConnectionClosed, ConnectionFailed, RtnbError, WaitTimeout, redact
from rtnb.core.log import Entry, EventLog
from rtnb.core.protocol import session_update
from rtnb.net.dialect import DialectTransport
from rtnb.net.endpoints import Endpoint, shown_url
from rtnb.net.transport import Transport, open_websocket
from rtnb.session.deadline import countdown
from rtnb.session.greeting import confirmed, greeting
from rtnb.session.link import Link

__all__ = ["open_link", "open_transport"]

logger = logging.getLogger(__name__)

_REASONS: Final = {
    "invalid_api_key": ("key", "the key was refused: check OPENAI_API_KEY for missing or additional characters"),
    "account_deactivated": ("key", "the account of this key is deactivated"),
    "insufficient_quota": ("quota", "the account has no credit left; see its billing page"),
    "billing_hard_limit_reached": ("quota", "the account's spending limit is reached; see its billing page"),
    "model_not_found": ("model", "this model does not exist, or the account may not use it; give Session(model=...)"),
    "invalid_model": ("model", "this model does not speak the realtime protocol; give Session(model=...)"),
    "missing_model": ("model", "no model was named; give Session(model=...)"),
    "beta_api_shape_disabled": ("beta", "the 2024 beta dialect was asked for, which was shut off in May 2026"),
    "upstream_unavailable": ("network", "the relay was reached, but not what is behind it; try again soon"),
    "session_expired": ("limit", "the time limit of the session is over"),
    "rate_limit_exceeded": ("limit", "too many sessions or requests at once; wait a little"),
}


async def open_link(
    endpoint: Endpoint,
    *,
    config: Mapping[str, Any],
    timeout: float,
    log: EventLog,
    conversation: Conversation,
    origin: float,
    received: Callable[[Entry, Changes], None],
    closed: Callable[[ConnectionClosed], None],
    sent: Callable[[Entry], None] = lambda entry: None,
    odd: Callable[[str], None] = logger.warning,
    stranded: Callable[[Link], None] = lambda link: None,
    transport: Transport | None = None,
) -> Link:
    """Connect, wait for ``session.created``, send the configuration and wait until it holds; all that in `timeout` s.

    Raises
    ------
    ConnectionFailed
        With `reason`, and what to do about it.
    ServerError
        The server refused the configuration.
    """
    left = countdown(timeout)
    address = "the given transport"
    if transport is None:
        address = shown_url(endpoint.url)
        transport = await open_transport(endpoint, timeout)
    start = len(log) - 1
    link = Link(
        transport,
        log=log,
        conversation=conversation,
        origin=origin,
        received=received,
        closed=closed,
        sent=sent,
        secrets=endpoint.secrets,
        odd=odd,
        stranded=stranded,
    )
    first: Entry | None = None
    try:
        first = await greeting(link, after=start, timeout=left())
        if first is not None and first.name == "error":
            raise _failure(first.event, endpoint)
        await confirmed(link, session_update(config), timeout=left())
    except BaseException as exc:
        await link.close()
        if isinstance(exc, ConnectionClosed):
            raise _closed(exc, log, start, endpoint) from exc
        if isinstance(exc, WaitTimeout):
            words = f"took the connection and then said nothing within {timeout:g} s; is it a realtime endpoint?"
            if first is not None:
                words = (
                    f"greeted, but did not confirm the settings within {timeout:g} s; give connect(timeout=...) more"
                )
            raise ConnectionFailed(f"{address} {words}", reason="timeout") from exc
        raise
    return link


async def open_transport(endpoint: Endpoint, timeout: float) -> Transport:
    """Open the WebSocket of an endpoint; nothing is said through it yet.

    Raises
    ------
    ConnectionFailed
        With `reason`, and what to do about it.
    """
    transport: Transport = await open_websocket(
        endpoint.address,
        headers=endpoint.headers,
        timeout=timeout,
        proxy=not endpoint.is_loopback,
        secrets=endpoint.secrets,
    )
    if endpoint.kind == "url" or endpoint.dialect == "beta":
        transport = DialectTransport(transport, endpoint.dialect)
    return transport


def _failure(error: Mapping[str, Any], endpoint: Endpoint) -> RtnbError:
    detail = error.get("error")
    detail = detail if isinstance(detail, Mapping) else {}
    reason, words = _REASONS.get(str(detail.get("code")), ("closed", "the server refused the session"))
    said = redact(str(detail.get("message") or detail.get("code") or "no reason given"), *endpoint.secrets)
    return ConnectionFailed(f"{words} ({_host(endpoint)} said: {said})", reason=reason)


def _closed(closed: ConnectionClosed, log: EventLog, start: int, endpoint: Endpoint) -> RtnbError:
    """The error event just before the close tells more than the close does."""
    last = log.last("error", direction="server")
    if last is not None and last.index > start:
        return _failure(last.event, endpoint)
    code = closed.reason.rpartition(".")[2]
    if code in _REASONS:
        return _failure({"error": {"code": code, "message": closed.reason}}, endpoint)
    return ConnectionFailed(f"{_host(endpoint)} ended the connection before it was ready: {closed}", reason="closed")


def _host(endpoint: Endpoint) -> str:
    return "OpenAI" if endpoint.kind == "openai" else "the server"
