"""Ephemeral keys: asked of a server by REST, for a browser that must not have the real one.

May import `rtnb.core` and `rtnb.net.endpoint`; httpx when a key is minted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from rtnb.core.errors import ConnectionFailed, redact
from rtnb.net.endpoint import Endpoint, shown_url

__all__ = ["ClientSecret", "mint"]


@dataclass(frozen=True)
class ClientSecret:
    """An ephemeral key. Its ``repr`` does not show it.

    Attributes
    ----------
    value
        ``ek_...``: what the browser gives as its key.
    expires_at
        Epoch seconds; until then it can start sessions.
    session
        What they begin with.
    endpoint
        The endpoint with this key instead of the real one, for a `rtnb.Session`.
    """

    value: str = field(repr=False)
    expires_at: int
    session: Mapping[str, Any] = field(repr=False)
    endpoint: Endpoint


def mint(
    endpoint: Endpoint, session: Mapping[str, Any] | None = None, *, seconds: int | None = None, timeout: float = 10
) -> ClientSecret:
    """Ask for an ephemeral key; see `Endpoint.client_secret`."""
    import httpx

    url = _rest_url(endpoint)
    body: dict[str, Any] = {"session": {"type": "realtime", **(session or {})}}
    if endpoint.model and body["session"]["type"] == "realtime":
        body["session"].setdefault("model", endpoint.model)
    if seconds is not None:
        body["expires_after"] = {"anchor": "created_at", "seconds": seconds}
    where = shown_url(url)
    try:
        with httpx.Client(timeout=timeout, trust_env=not endpoint.is_loopback) as web:
            answer = web.post(url, json=body, headers=endpoint.headers)
    except httpx.TimeoutException as exc:
        raise ConnectionFailed(f"{where} did not answer within {timeout:g} s", reason="timeout") from exc
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as exc:
        detail = redact(str(exc), *endpoint.secrets)
        raise ConnectionFailed(f"{where} could not be asked for a key ({detail})", reason="network") from None
    return _read(answer, endpoint, where)


def _read(answer: Any, endpoint: Endpoint, where: str) -> ClientSecret:
    try:
        told = answer.json()
    except ValueError:
        told = None
    told = told if isinstance(told, dict) else {}
    if answer.status_code >= 400:
        error = told.get("error")
        said = error.get("message") if isinstance(error, Mapping) else None
        words = redact(str(said or f"HTTP {answer.status_code}"), *endpoint.secrets)
        reason = {401: "key", 403: "key", 429: "limit"}.get(answer.status_code, "http")
        hint = "; this server mints no ephemeral keys" if answer.status_code in (404, 405) else ""
        raise ConnectionFailed(f"{where} minted no key: {words}{hint}", reason=reason)
    value, expires_at = told.get("value"), told.get("expires_at")
    if not isinstance(value, str) or not value:
        raise ConnectionFailed(f"{where} answered, but with no key in it", reason="http")
    own = told.get("session")
    guest = replace(endpoint, key=value, key_header="Authorization", token=None)
    return ClientSecret(
        value, expires_at if isinstance(expires_at, int) else 0, own if isinstance(own, Mapping) else {}, guest
    )


def _rest_url(endpoint: Endpoint) -> str:
    if endpoint.dialect == "beta":
        raise ConnectionFailed(
            "ephemeral keys of the 2024 beta are not minted here: use the current protocol (no dialect=, no "
            "api_version=)",
            reason="beta",
        )
    parts = urlsplit(endpoint.url)
    query = [(name, value) for name, value in parse_qsl(parts.query) if name not in ("model", "intent", "call_id")]
    path = parts.path.rstrip("/")
    path = path if path.endswith("/realtime") else f"{path}/v1/realtime"  # a relay's "/" too
    return urlunsplit(
        parts._replace(
            scheme=parts.scheme.replace("ws", "http"),
            path=f"{path}/client_secrets",
            query=urlencode(query),
            fragment="",
        )
    )
