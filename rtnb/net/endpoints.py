"""Endpoints: where a session connects to, with which model, key and headers, and what it costs to do so.

`resolve` turns what a user gave (nothing, a name, an address, a running local endpoint) into an `Endpoint`. Order:
the argument, ``RTNB_ENDPOINT``, an ``OPENAI_API_KEY`` in the environment or in ``.env``, else the local endpoint.

A key is sent only to the service it belongs to: ``OPENAI_API_KEY`` to api.openai.com, ``AZURE_OPENAI_API_KEY`` to
Azure (`rtnb.net.azure`), ``RTNB_API_KEY`` to any other address. May import `rtnb.core` and its neighbours in
`rtnb.net`; the embedded endpoint is a service of an upper floor (`rtnb.core.services`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit, urlunsplit

from rtnb.core.errors import ConnectionFailed
from rtnb.core.protocol import DEFAULT_MODEL
from rtnb.net import azure
from rtnb.net.endpoint import EMBEDDED, Dialect, Endpoint, Headers, Token, shown_url
from rtnb.net.replays import replayed

__all__ = ["EMBEDDED", "OPENAI_URL", "Endpoint", "Headers", "endpoint", "resolve", "shown_url"]

OPENAI_URL: Final = "wss://api.openai.com/v1/realtime"

_FORMS: Final = (
    'give nothing, "local", "openai", "azure", an address such as "ws://127.0.0.1:8765/v1/realtime", '
    "a LocalEndpoint, or a recording or its folder"
)


def resolve(
    endpoint: Any = None,
    *,
    model: str | None = None,
    key: str | None = None,
    token: Token | None = None,
    api_version: str | None = None,
    dialect: Dialect | None = None,
    headers: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Endpoint:
    """Find the endpoint to use; see `endpoint` for the parameters.

    Parameters
    ----------
    endpoint, model, key, token, api_version, dialect, headers
        As for `endpoint`.
    environment
        Instead of ``os.environ`` and ``.env``.

    Raises
    ------
    ConnectionFailed
        When a service is asked for and there is no key, or the address is none. ``reason`` is ``"key"``, ``"beta"`` or
        ``"endpoint"``.
    """
    settings = _environment() if environment is None else environment
    chosen = endpoint if endpoint is not None else settings.get("RTNB_ENDPOINT") or None
    model = model or settings.get("RTNB_MODEL") or None
    found = _find(chosen, model, key, token, api_version, settings)
    if headers:
        found = replace(found, extra=Headers({**found.extra, **headers}))
    return _with_dialect(found, dialect or _given_dialect(settings, found))


def endpoint(
    endpoint: Any = None,
    *,
    model: str | None = None,
    key: str | None = None,
    token: Token | None = None,
    api_version: str | None = None,
    dialect: Dialect | None = None,
    headers: Mapping[str, str] | None = None,
) -> Endpoint:
    """Find the endpoint that a `rtnb.Session` would use; for a Session, or to connect to it by hand.

    It starts the embedded one, and mints ephemeral keys: `rtnb.net.endpoint.Endpoint.client_secret`.

    Parameters
    ----------
    endpoint
        None, ``"local"``, ``"openai"``, ``"azure"``, a ``ws://`` or ``wss://`` address, a base address as other clients
        take it (``http://127.0.0.1:8080/v1``), an `Endpoint`, anything with a ``url`` (a `rtnb.LocalEndpoint`), or a
        recording, or its folder, which is replayed.
    model
        Model name, on Azure the name of the deployment; `rtnb.core.protocol.DEFAULT_MODEL` when not given.
    key
        A key or an ephemeral secret (``ek_...``) for this endpoint, instead of the environment's.
    token
        Instead of a key: a bearer token, or a function that gives one for each connection (Azure's Entra tokens).
    api_version
        Azure's preview path, with this version (``"2025-04-01-preview"``); the current path when not given.
    dialect
        ``"ga"`` (today's protocol) or ``"beta"`` (that of 2024); when not given, the server's first event tells.
    headers
        Further headers for the handshake.

    Raises
    ------
    ConnectionFailed
        When a service is asked for and there is no key, or the address is none.

    Examples
    --------
    With the package websockets, in a cell::

        endpoint = rtnb.endpoint()
        async with websockets.connect(endpoint.address, additional_headers=endpoint.headers) as socket:
            print(await socket.recv())
    """
    found = resolve(
        endpoint, model=model, key=key, token=token, api_version=api_version, dialect=dialect, headers=headers
    )
    return found.located()


# ---- which one it is -------------------------------------------------------------------------------------------------


def _find(
    chosen: Any,
    model: str | None,
    key: str | None,
    token: Token | None,
    api_version: str | None,
    settings: Mapping[str, str],
) -> Endpoint:
    if isinstance(chosen, Endpoint):
        found = chosen if model is None else replace(chosen, model=model)
        return found if key is None else replace(found, key=key, token=None)
    if chosen is None:
        chosen = "openai" if key or settings.get("OPENAI_API_KEY") else "local"
    chosen = replayed(chosen)
    running = getattr(chosen, "url", None)
    if isinstance(running, str) and getattr(chosen, "kind", None) == "replay":
        return Endpoint("replay", running, model or chosen.model or DEFAULT_MODEL, chosen.key, source=chosen)
    if isinstance(running, str):
        return Endpoint("local", running, model or DEFAULT_MODEL, key or getattr(chosen, "key", None))
    if not isinstance(chosen, str):
        raise ConnectionFailed(f"{type(chosen).__name__} is no endpoint: {_FORMS}", reason="endpoint")
    if chosen == "local":
        return Endpoint("local", EMBEDDED, model or DEFAULT_MODEL)
    if chosen == "openai":
        return _openai(OPENAI_URL, model, key or settings.get("OPENAI_API_KEY"))
    if chosen == "azure":
        return azure.from_environment(settings, model=model, key=key, token=token, api_version=api_version)
    parts = _address(chosen)
    if azure.is_azure(parts, settings):
        return azure.from_address(parts, settings, model=model, key=key, token=token, api_version=api_version)
    url = urlunsplit(parts)
    if parts.hostname == "api.openai.com":
        if parts.scheme != "wss":
            raise ConnectionFailed(
                "OpenAI is reached by wss:// only: over ws:// the key could be read", reason="endpoint"
            )
        return _openai(url, model, key or settings.get("OPENAI_API_KEY"))
    return Endpoint("url", url, model or DEFAULT_MODEL, key or settings.get("RTNB_API_KEY"), token=token)


def _address(text: str) -> SplitResult:
    """The parts of a WebSocket address; a base address (``https://host/v1``) becomes the one of its realtime API."""
    try:
        parts = urlsplit(text)
        is_address = parts.port != 0 and parts.scheme in ("ws", "wss", "http", "https") and bool(parts.hostname)
    except ValueError:
        raise ConnectionFailed(
            f"this address is no endpoint (a wrong host or port): {_FORMS}", reason="endpoint"
        ) from None
    if not is_address:
        shown = shown_url(text).rpartition("@")[2]  # without "//" there is a user all the same, for whoever wrote it
        raise ConnectionFailed(f"{shown!r} is no endpoint: {_FORMS}", reason="endpoint")
    if parts.scheme in ("ws", "wss"):
        return parts
    path = parts.path.rstrip("/")
    if not azure.is_host(parts) and not path.endswith("/realtime"):
        path = f"{path or '/v1'}/realtime"
    return parts._replace(scheme=parts.scheme.replace("http", "ws"), path=path)


def _openai(url: str, model: str | None, key: str | None) -> Endpoint:
    if not key:
        raise ConnectionFailed(
            "OpenAI needs a key: put OPENAI_API_KEY=... into a file .env beside the notebook, or into the environment; "
            'or use Session("local"), which needs none',
            reason="key",
        )
    return Endpoint("openai", url, model or DEFAULT_MODEL, key.strip())


def _given_dialect(settings: Mapping[str, str], found: Endpoint) -> Dialect | None:
    """``RTNB_DIALECT`` is about the server that ``RTNB_ENDPOINT`` names, or any other address."""
    named = settings.get("RTNB_DIALECT") if found.kind == "url" else None
    return named or None  # type: ignore[return-value]  # judged by _with_dialect


def _with_dialect(found: Endpoint, dialect: Dialect | None) -> Endpoint:
    if dialect is None:
        return found
    if dialect not in ("ga", "beta"):
        raise ConnectionFailed(f'dialect is "ga" or "beta", not {dialect!r}', reason="endpoint")
    if dialect == "beta" and found.kind == "openai":
        raise ConnectionFailed(
            "OpenAI shut the beta dialect off in May 2026: leave dialect= out; sessions speak the current one",
            reason="beta",
        )
    return replace(found, dialect=dialect)


def _environment() -> Mapping[str, str]:
    """The environment, over what the nearest ``.env`` from here upwards says (which is read, not exported)."""
    from dotenv import dotenv_values

    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / ".env").is_file():
            found = {name: value for name, value in dotenv_values(folder / ".env").items() if value}
            return {**found, **{name: value for name, value in os.environ.items() if value}}
    return os.environ
