"""`Endpoint`: the value that says where to connect, as whom, and in which dialect.

It is made by `rtnb.net.endpoints`. May import `rtnb.core`; the embedded endpoint is a service of an upper floor.
"""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from rtnb.core.errors import ConnectionFailed, redact
from rtnb.core.services import service

if TYPE_CHECKING:
    from rtnb.net.client_secret import ClientSecret

__all__ = ["EMBEDDED", "Dialect", "Endpoint", "Headers", "Kind", "Token", "shown_url"]

EMBEDDED: Final = "local:"
"""Stands for the address of the embedded endpoint until it is started."""

Kind: TypeAlias = Literal["local", "openai", "azure", "url", "replay"]

Dialect: TypeAlias = Literal["ga", "beta"]
"""Today's protocol, or that of 2024."""

Token: TypeAlias = str | Callable[[], "str | Awaitable[str]"]
"""A bearer token, or what gives one."""

_SECRET_NAME: Final = re.compile("key|token|secret|password|sig", re.IGNORECASE)


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
        ``"local"`` (embedded, free), ``"openai"`` and ``"azure"`` (cost money), ``"url"`` (any compatible
        server) or ``"replay"`` (a recording, free).
    url
        WebSocket address without the model.
    model
        The model asked for, on Azure the deployment; None leaves it to the server.
    key
        Sent as ``Authorization: Bearer``, or as `key_header` says; None sends none.
    key_header
        The header that carries the key: ``"Authorization"`` or ``"api-key"``.
    token
        Gives a bearer token for each connection, instead of a key.
    dialect
        ``"ga"``, ``"beta"``, or None: the server's first event tells.
    extra
        Further headers for the handshake.
    source
        What serves it, kept alive by this; a replay.
    """

    kind: Kind
    url: str
    model: str | None
    key: str | None = field(default=None, repr=False)
    key_header: Literal["Authorization", "api-key"] = "Authorization"
    token: Token | None = field(default=None, repr=False)
    dialect: Dialect | None = None
    extra: Headers = field(default_factory=Headers, repr=False)
    source: Any = field(default=None, repr=False, compare=False)

    def __repr__(self) -> str:
        dialect = f", dialect={self.dialect!r}" if self.dialect else ""
        return f"Endpoint(kind={self.kind!r}, url={shown_url(self.url)!r}, model={self.model!r}{dialect})"

    @property
    def is_free(self) -> bool:
        """Whether nobody pays for what is answered here."""
        return self.kind in ("local", "replay")

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine; then no proxy of the environment is asked."""
        return urlsplit(self.url).hostname in ("127.0.0.1", "localhost", "::1")

    def located(self) -> Endpoint:
        """The same endpoint with its real address: starts the embedded one, which has none before."""
        return replace(self, url=service("endpoint.local")()) if self.url == EMBEDDED else self

    def started(self) -> Endpoint:
        """The same endpoint, ready for one connection: located, and with a token where one must be fetched.

        May take a while: call it on a thread that may wait.
        """
        found = self.located()
        return found if self.token is None else replace(found, key=_value(self.token), key_header="Authorization")

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
        made = Headers(self.extra)
        key = self.key
        if key is None and self.token is not None:
            key = _value(self.token)
        if key:
            made[self.key_header] = f"Bearer {key}" if self.key_header == "Authorization" else key
        if self.dialect == "beta":
            made.setdefault("OpenAI-Beta", "realtime=v1")
        return made

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not appear in any text: the key, and what stands for one in the address or in a header."""
        parts = urlsplit(self.url)
        found = [self.key, parts.password, self.token if isinstance(self.token, str) else None]
        found += [value for name, value in parse_qsl(parts.query) if _SECRET_NAME.search(name)]
        found += [value for name, value in self.extra.items() if _SECRET_NAME.search(name) or name == "Authorization"]
        return tuple(value for value in found if value)

    def describe(self) -> str:
        """One line for people: which endpoint, which model, and what it costs."""
        model = self.model or "the server's own model"
        beta = ", in the 2024 beta dialect" if self.dialect == "beta" else ""
        host = urlsplit(self.url).netloc.rpartition("@")[2]
        if self.kind == "local":
            return f"local endpoint (no key, nothing leaves this machine, costs nothing), model name {model}{beta}"
        if self.kind == "replay":
            return f"{self.source.title} (no key, nothing leaves this machine, costs nothing), model {model}"
        if self.kind == "openai":
            return f"OpenAI, model {model}: each answer costs money on your account (see session.cost)"
        if self.kind == "azure":
            return f"Azure OpenAI ({host}), deployment {model}{beta}: each answer costs money on your subscription"
        return f"{host}, model {model}{beta}"

    def client_secret(
        self, session: Mapping[str, Any] | None = None, *, seconds: int | None = None, timeout: float = 10
    ) -> ClientSecret:
        """Mint an ephemeral key (``ek_...``) for a browser or another machine; OpenAI, Azure, local, and relays.

        Parameters
        ----------
        session
            Settings that its sessions begin with, as the protocol names them; the model is added.
        seconds
            How long it can start sessions, from 10 to 7200; 600 when not given.
        timeout
            Seconds to wait for the answer.

        Raises
        ------
        ConnectionFailed
            The server did not mint one; the text says why.

        Examples
        --------
        >>> import rtnb
        >>> secret = rtnb.endpoint("local").client_secret(seconds=60)
        >>> secret.value.startswith("ek_")
        True
        """
        from rtnb.net.client_secret import mint

        return mint(self.started(), session, seconds=seconds, timeout=timeout)


def shown_url(url: str) -> str:
    """The address without user, password and query, which may hold keys."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))


def _value(token: Token) -> str:
    """The token, fetched when it is a function; an ``async`` one runs in a loop of its own."""
    try:
        value = token() if callable(token) else token
        if inspect.isawaitable(value):
            value = asyncio.run(_awaited(value))
    except Exception as exc:
        raise ConnectionFailed(
            f"token= could not give a token ({type(exc).__name__}: {redact(str(exc))})", reason="key"
        ) from exc
    if not isinstance(value, str) or not value:
        raise ConnectionFailed(f"token= gave no token but {type(value).__name__}", reason="key")
    return value


async def _awaited(value: Awaitable[str]) -> str:
    return await value
