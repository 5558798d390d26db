"""Endpoints: where a session connects to, with which model, key and headers, and what it costs to do so.

`resolve` turns what a user gave (nothing, a name, an address, a running local endpoint) into an `Endpoint`. Order:
the argument, ``RTNB_ENDPOINT``, an ``OPENAI_API_KEY`` in the environment or in ``.env``, else the local endpoint.

A key is sent only to the service it belongs to: ``OPENAI_API_KEY`` to api.openai.com, ``RTNB_API_KEY`` to any other
address. May import `rtnb.core`; the embedded endpoint is a service of an upper floor (`rtnb.core.services`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from rtnb.core.errors import ConnectionFailed
from rtnb.core.protocol import DEFAULT_MODEL
from rtnb.core.services import service

__all__ = ["EMBEDDED", "OPENAI_URL", "Endpoint", "Headers", "endpoint", "resolve", "shown_url"]

OPENAI_URL: Final = "wss://api.openai.com/v1/realtime"

EMBEDDED: Final = "local:"
"""Stands for the address of the embedded endpoint until it is started."""

_SECRET_NAME: Final = re.compile("key|token|secret|password|sig", re.IGNORECASE)

Kind: TypeAlias = Literal["local", "openai", "url"]


class Headers(dict[str, str]):
    """Headers that hold a key: their ``repr`` tells the names only, so that the end of a cell cannot show it."""

    def __repr__(self) -> str:
        return "{" + ", ".join(f"{name!r}: [hidden]" for name in self) + "}"

    __str__ = __repr__


@dataclass(frozen=True)
class Endpoint:
    """One realtime endpoint. Its ``repr`` never shows the key.

    Attributes
    ----------
    kind
        ``"local"`` (embedded, free), ``"openai"`` (costs money) or ``"url"`` (any compatible server).
    url
        WebSocket address without the model.
    model
        The model asked for; None leaves it to the server.
    key
        Sent as ``Authorization: Bearer``; None sends none.
    """

    kind: Kind
    url: str
    model: str | None
    key: str | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        return f"Endpoint(kind={self.kind!r}, url={shown_url(self.url)!r}, model={self.model!r})"

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine; then no proxy of the environment is asked."""
        return urlsplit(self.url).hostname in ("127.0.0.1", "localhost", "::1")

    def started(self) -> Endpoint:
        """The same endpoint with its real address: starts the embedded one, which has none before."""
        if self.url != EMBEDDED:
            return self
        return replace(self, url=service("endpoint.local")())

    @property
    def address(self) -> str:
        """The full WebSocket address, model included."""
        parts = urlsplit(self.url)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        if self.model and not {"call_id", "deployment"} & query.keys() and query.get("intent") != "transcription":
            query.setdefault("model", self.model)
        return urlunsplit(parts._replace(query=urlencode(query)))

    @property
    def headers(self) -> Headers:
        """Headers for the handshake; they hold the key, which their ``repr`` does not show."""
        return Headers({"Authorization": f"Bearer {self.key}"} if self.key else {})

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not appear in any text: the key, and what stands for one in the address."""
        parts = urlsplit(self.url)
        in_query = (value for name, value in parse_qsl(parts.query) if _SECRET_NAME.search(name))
        return tuple(value for value in (self.key, parts.password, *in_query) if value)

    def describe(self) -> str:
        """One line for people: which endpoint, which model, and what it costs."""
        model = self.model or "the server's own model"
        if self.kind == "local":
            return f"local endpoint (no key, nothing leaves this machine, costs nothing), model name {model}"
        if self.kind == "openai":
            return f"OpenAI, model {model}: each answer costs money on your account (see session.cost)"
        host = urlsplit(self.url).netloc.rpartition("@")[2]
        return f"{host}, model {model}"


def shown_url(url: str) -> str:
    """The address without user, password and query, which may hold keys."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))


def resolve(
    endpoint: Any = None,
    *,
    model: str | None = None,
    key: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Endpoint:
    """Find the endpoint to use.

    Parameters
    ----------
    endpoint
        None, ``"local"``, ``"openai"``, a ``ws://`` or ``wss://`` address, an `Endpoint`, or anything with a ``url``
        (a running `rtnb.LocalEndpoint`).
    model
        Model name; for OpenAI and the local endpoint `rtnb.core.protocol.DEFAULT_MODEL` when not given.
    key
        A key for this endpoint, instead of the environment's.
    environment
        Instead of ``os.environ`` and ``.env``.

    Raises
    ------
    ConnectionFailed
        When OpenAI is asked for and there is no key, or the address is none. ``reason`` is ``"key"`` or ``"endpoint"``.
    """
    settings = _environment() if environment is None else environment
    chosen = endpoint if endpoint is not None else settings.get("RTNB_ENDPOINT") or None
    model = model or settings.get("RTNB_MODEL") or None
    if isinstance(chosen, Endpoint):
        return chosen if model is None else Endpoint(chosen.kind, chosen.url, model, chosen.key)
    if chosen is None:
        chosen = "openai" if key or settings.get("OPENAI_API_KEY") else "local"
    running = getattr(chosen, "url", None)
    if isinstance(running, str):
        return Endpoint("local", running, model or DEFAULT_MODEL, key or getattr(chosen, "key", None))
    if not isinstance(chosen, str):
        raise ConnectionFailed(f"{type(chosen).__name__} is no endpoint: {_FORMS}", reason="endpoint")
    if chosen == "local":
        return Endpoint("local", EMBEDDED, model or DEFAULT_MODEL)
    if chosen == "openai":
        return _openai(OPENAI_URL, model, key or settings.get("OPENAI_API_KEY"))
    try:
        parts = urlsplit(chosen)
        is_address = parts.scheme in ("ws", "wss") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise ConnectionFailed(
            f"this address is no endpoint (a wrong host or port): {_FORMS}", reason="endpoint"
        ) from None
    if not is_address:
        raise ConnectionFailed(f"{chosen.split('?')[0]!r} is no endpoint: {_FORMS}", reason="endpoint")
    if parts.hostname == "api.openai.com":
        if parts.scheme != "wss":
            raise ConnectionFailed(
                "OpenAI is reached by wss:// only: over ws:// the key could be read", reason="endpoint"
            )
        return _openai(chosen, model, key or settings.get("OPENAI_API_KEY"))
    return Endpoint("url", chosen, model or DEFAULT_MODEL, key or settings.get("RTNB_API_KEY"))


def endpoint(endpoint: Any = None, *, model: str | None = None, key: str | None = None) -> Endpoint:
    """Find the endpoint that a `rtnb.Session` would use, to connect to it by hand; starts the embedded one.

    Parameters
    ----------
    endpoint, model, key
        As for `rtnb.Session`.

    Raises
    ------
    ConnectionFailed
        When OpenAI is asked for and there is no key, or the address is none.

    Examples
    --------
    With the package websockets, in a cell::

        endpoint = rtnb.endpoint()
        async with websockets.connect(endpoint.address, additional_headers=endpoint.headers) as socket:
            print(await socket.recv())
    """
    return resolve(endpoint, model=model, key=key).started()


_FORMS: Final = (
    'give nothing, "local", "openai", an address such as "ws://127.0.0.1:8765/v1/realtime", or a LocalEndpoint'
)


def _openai(url: str, model: str | None, key: str | None) -> Endpoint:
    if not key:
        raise ConnectionFailed(
            "OpenAI needs a key: put OPENAI_API_KEY=... into a file .env beside the notebook, or into the environment; "
            'or use Session("local"), which needs none',
            reason="key",
        )
    return Endpoint("openai", url, model or DEFAULT_MODEL, key.strip())


def _environment() -> Mapping[str, str]:
    """The environment, over what the nearest ``.env`` from here upwards says (which is read, not exported)."""
    from dotenv import dotenv_values

    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / ".env").is_file():
            found = {name: value for name, value in dotenv_values(folder / ".env").items() if value}
            return {**found, **{name: value for name, value in os.environ.items() if value}}
    return os.environ
