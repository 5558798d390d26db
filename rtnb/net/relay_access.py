"""Who may use a relay: what a request shows, tokens, ephemeral tokens, origins. Pure: no sockets, no clock.

An ephemeral token carries its own expiry and settings and is signed, so that every relay with the same secret takes it
and none has to remember it: ``ek_`` + base64url(payload) + ``.`` + base64url(signature).

May import `rtnb.core`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets as random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from rtnb.core.errors import RtnbError
from rtnb.core.shapes import secret_violations

__all__ = ["Access", "Guest", "Visitor", "is_loopback", "is_loopback_origin"]

_KEY_PROTOCOL: Final = "openai-insecure-api-key."
_BETA_PROTOCOL: Final = "openai-beta.realtime-v1"
_LEAST_TOKEN: Final = 16
_DEFAULT_TTL_S: Final = 600
_MOST_SESSION_BYTES: Final = 4096  # a token must fit into a header, beside others
_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s?#@]+")
_LOOPBACK_HOSTS: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Visitor:
    """What a request shows.

    Attributes
    ----------
    target
        Path and query of the request line.
    header
        Gives a header's values by its name.
    """

    target: str
    header: Callable[[str], Sequence[str]] = field(repr=False)

    @property
    def path(self) -> str:
        """The path, without a slash at its end."""
        return urlsplit(self.target).path.rstrip("/") or "/"

    @property
    def query(self) -> list[tuple[str, str]]:
        """The pairs of the query."""
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)

    @property
    def subprotocols(self) -> list[str]:
        """What ``Sec-WebSocket-Protocol`` offers."""
        return [name.strip() for line in self.header("Sec-WebSocket-Protocol") for name in line.split(",")]

    @property
    def origin(self) -> str | None:
        """The page that asks, when a browser does."""
        return next(iter(self.header("Origin")), None)

    @property
    def is_forwarded(self) -> bool:
        """Whether another server says that it passes the request on."""
        return any(self.header(name) for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP"))

    @property
    def keys(self) -> list[str]:
        """Every key that it shows, wherever it stands."""
        found = [line[7:].strip() for line in self.header("Authorization") if line[:7].lower() == "bearer "]
        found += self.header("api-key")
        found += [name[len(_KEY_PROTOCOL) :] for name in self.subprotocols if name.startswith(_KEY_PROTOCOL)]
        return [key for key in found if key and key != "null"]  # a client of 2024 without a key offers "null"

    @property
    def is_beta(self) -> bool:
        """Whether it speaks the dialect of 2024: by its path, its header or its subprotocol."""
        by_header = any(line.replace(" ", "").lower() == "realtime=v1" for line in self.header("OpenAI-Beta"))
        return self.path == "/" or by_header or _BETA_PROTOCOL in self.subprotocols


@dataclass(frozen=True)
class Guest:
    """Somebody who may come in.

    Attributes
    ----------
    name
        By which limits are kept and sessions are logged: it tells no key.
    payer
        By which its money is counted as well: for an ephemeral token it stands for whoever minted it.
    session
        Settings that an ephemeral token brings.
    may_mint
        Whether it may ask for ephemeral tokens.
    """

    name: str
    payer: str
    session: Mapping[str, Any] | None = None
    may_mint: bool = False


class Access:
    """The rules of one relay.

    Parameters
    ----------
    host
        Where it listens.
    tokens
        Bearer tokens that let in.
    secret
        Signs ephemeral tokens; relays with the same one take each other's. A fresh one when not given.
    origins
        Origins of pages that may connect, as a browser tells them: ``https://app.example``.

    Raises
    ------
    RtnbError
        It would stand open to others.
    """

    def __init__(
        self, *, host: str, tokens: Iterable[str] = (), secret: str | None = None, origins: Iterable[str] = ()
    ) -> None:
        tokens = [token.strip() for token in tokens if token.strip()]
        self._digests = {_digest(token): token for token in tokens}
        self._origins = frozenset(origin.rstrip("/").lower() for origin in origins)
        self.is_open = not tokens and secret is None
        """Whether anybody on this machine may come in, without a token."""
        for each in (*tokens, *((secret,) if secret is not None else ())):
            if len(each) < _LEAST_TOKEN:
                raise RtnbError(f"a token or secret of the relay has fewer than {_LEAST_TOKEN} characters: too easy")
        for origin in self._origins:
            if not _ORIGIN.fullmatch(origin):
                raise RtnbError(f"{origin!r} is no origin: give scheme and host, as https://app.example")
        if not is_loopback(host):
            if self.is_open:
                raise RtnbError(
                    f"on {host} others could reach the relay and spend your money: give it bearer tokens (--tokens "
                    "FILE, or RTNB_RELAY_TOKENS), or listen on 127.0.0.1"
                )
            if not self._origins:
                raise RtnbError(
                    f"on {host} any web page could use a visitor's token: name the pages that may connect (--origin "
                    "https://app.example), or listen on 127.0.0.1"
                )
        self._secret = (secret or random.token_hex(32)).encode()

    def is_origin_allowed(self, origin: str | None) -> bool:
        """Whether this page may connect. Programs that are no browser send no origin; their token decides.

        Without a list it is pages of this machine: otherwise every web page that the user visits could.
        """
        if origin is None:
            return True
        if self._origins:
            return origin.rstrip("/").lower() in self._origins
        return is_loopback_origin(origin)

    def judge(self, visitor: Visitor, now: float) -> Guest | str:
        """Who it is, or why it may not come in.

        Parameters
        ----------
        visitor
            What the request shows.
        now
            Epoch seconds.
        """
        keys = visitor.keys
        expired = False
        for key in keys:
            token = self._digests.get(_digest(key))
            if token is not None and hmac.compare_digest(token.encode(), key.encode("utf-8", "replace")):
                return self._host_of(f"token-{_digest(key)[:8]}")
            ephemeral = self._read(key)
            if ephemeral is not None and ephemeral[0] > now:
                return Guest(f"guest-{ephemeral[1]}", ephemeral[3], ephemeral[2])
            expired = expired or ephemeral is not None
        if self.is_open:
            if visitor.is_forwarded:
                return "This relay serves its own machine; to be reached through another server it needs tokens."
            return self._host_of("local")
        if expired:
            return "This token has expired; ask for a new one."
        return "Incorrect token provided." if keys else "You didn't provide a token."

    def mint(self, body: Any, now: float, *, payer: str) -> tuple[int, dict[str, Any]]:
        """Answer a request for an ephemeral token: HTTP status and JSON.

        Parameters
        ----------
        body
            The parsed request, as for the service: ``expires_after`` and ``session``, both optional.
        now
            Epoch seconds.
        payer
            Who asks, as `Guest.payer` has it.
        """
        body = {} if body is None else body
        for found in secret_violations(body):
            return _problem(400, found.message, found.code, found.param)
        session = dict(body.get("session") or {"type": "realtime"})
        packed = json.dumps(session, separators=(",", ":"))
        if len(packed.encode("utf-8", "replace")) > _MOST_SESSION_BYTES:
            words = f"The relay's tokens carry their session: at most {_MOST_SESSION_BYTES} bytes of JSON."
            return _problem(400, words, "string_above_max_length", "session")
        seconds = (body.get("expires_after") or {}).get("seconds") or _DEFAULT_TTL_S
        expires_at = int(now) + int(seconds)
        payload = [expires_at, random.token_hex(4), session if set(session) - {"type"} else None, payer]
        text = _encode(json.dumps(payload, separators=(",", ":")).encode())
        value = f"ek_{text}.{self._sign(text)}"
        told = {"object": "realtime.session", "id": "", "expires_at": 0, **session}
        return 200, {"value": value, "expires_at": expires_at, "session": told}

    def _host_of(self, name: str) -> Guest:
        """Somebody who may let others in, at their own cost. Pages see what a payer is called, so it tells no name."""
        return Guest(name, f"payer-{self._sign(name)[:8]}", may_mint=True)

    def _read(self, key: str) -> tuple[int, str, Mapping[str, Any] | None, str] | None:
        """Expiry, name, settings and payer of an ephemeral token; None when it is none of ours."""
        text, _, signature = key.removeprefix("ek_").partition(".")
        if not key.startswith("ek_") or not hmac.compare_digest(self._sign(text).encode(), signature.encode()):
            return None
        expires_at, name, session, payer = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return expires_at, name, session, payer

    def _sign(self, text: str) -> str:
        return _encode(hmac.digest(self._secret, text.encode("utf-8", "replace"), "sha256")[:18])


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    return host in _LOOPBACK_HOSTS or (host.startswith("127.") and host.count(".") == 3)


def is_loopback_origin(origin: str) -> bool:
    """Whether a page is of this machine."""
    try:
        return urlsplit(origin).hostname in _LOOPBACK_HOSTS
    except ValueError:
        return False


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _problem(status: int, message: str, code: str | None, param: str | None) -> tuple[int, dict[str, Any]]:
    return status, {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}
