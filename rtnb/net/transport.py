"""The seam between a session and the network: a transport sends texts, yields texts, and closes.

`WebSocketTransport` is the real one, over the package ``websockets``; `memory_pair` joins two ends without a network,
for tests. `open_websocket` opens a connection and tells failures apart in words.

May import `rtnb.core`, `rtnb.net.window` and websockets.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import urllib.request
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from rtnb.core.errors import ConnectionClosed, ConnectionFailed, redact
from rtnb.net.endpoint import shown_url
from rtnb.net.window import Window

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

__all__ = [
    "MemoryTransport",
    "RedactingLogger",
    "Transport",
    "WebSocketTransport",
    "closed_error",
    "connect_websocket",
    "memory_pair",
    "open_websocket",
    "proxy_of",
]

logger = logging.getLogger(__name__)


class Transport(Protocol):
    """Carries events as JSON texts, in order, both ways."""

    async def send(self, text: str | bytes) -> None:
        """Send one event; waits while the other side cannot take more. Raises `ConnectionClosed`."""
        ...

    def __aiter__(self) -> AsyncIterator[str | bytes]:
        """Yield each text as it comes; ends when either side closed normally, else raises `ConnectionClosed`."""
        ...

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close; may be called twice."""
        ...

    @property
    def closing(self) -> tuple[int, str]:
        """Code and reason of the close, ``(1006, "")`` while there was none."""
        ...


class WebSocketTransport:
    """A transport over an open WebSocket.

    Parameters
    ----------
    connection
        A connection of ``websockets.asyncio.client``.
    secrets
        Keys that must not appear in any text of this connection.
    """

    def __init__(self, connection: ClientConnection, *, secrets: Sequence[str] = ()) -> None:
        self._connection = connection
        self._secrets = tuple(secrets)
        self.window = Window(connection.ping)
        """What is under way; a long upload waits here."""

    async def send(self, text: str | bytes) -> None:
        """Send one event as a text frame (bytes are UTF-8 JSON, as orjson makes them)."""
        from websockets.exceptions import ConnectionClosed as Closed

        try:
            await self.window.room(len(text))
            await self._connection.send(text, text=True)
            await self.window.sent(len(text))
        except Closed as exc:
            raise self._closed() from exc

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield each message as UTF-8 bytes, which orjson reads without a detour over str."""
        from websockets.exceptions import ConnectionClosed as Closed
        from websockets.exceptions import ConnectionClosedOK

        receive = self._connection.recv
        try:
            while True:
                yield await receive(decode=False)
        except ConnectionClosedOK:
            return
        except Closed as exc:
            raise self._closed() from exc

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close, with at most the handshake's time-out of waiting for the other side."""
        await self._connection.close(code, reason)

    @property
    def closing(self) -> tuple[int, str]:
        """Code and reason of the close frame; 1006 when there was none."""
        code = self._connection.close_code
        reason = self._connection.close_reason
        return (1006 if code is None else code), redact(reason or "", *self._secrets)

    def _closed(self) -> ConnectionClosed:
        code, reason = self.closing
        return closed_error(code, reason)


class RedactingLogger(logging.LoggerAdapter[logging.Logger]):
    """Logs what websockets has to say, without keys: it writes every header of the handshake at level DEBUG.

    Parameters
    ----------
    logger
        Where it goes.
    secrets
        Keys in use; what looks like a key is taken out as well.
    """

    def __init__(self, logger: logging.Logger, secrets: Sequence[str] = ()) -> None:
        super().__init__(logger, {})
        self._secrets = tuple(secrets)

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Log one message, redacted as a whole."""
        if self.isEnabledFor(level):
            text = str(msg) % args if args else str(msg)
            self.logger.log(level, "%s", redact(text, *self._secrets), **kwargs)


def closed_error(code: int, reason: str) -> ConnectionClosed:
    """Put the close of an open connection into words.

    Parameters
    ----------
    code, reason
        Of the close frame; 1006 stands for a connection that broke without one.
    """
    if code == 1001:
        words = f"the server ended the session ({reason or 'it is going away'}); session.connect() opens a new one"
    elif code == 1006:
        words = "the connection broke without a goodbye; check the network, then session.connect()"
    elif code in (1011, 1012, 1013):
        words = f"the server had a fault of its own or is restarting ({reason or code}); try session.connect() soon"
    elif code == 1009:
        words = "a message was larger than the other side takes; send audio in smaller pieces"
    elif code in (1000, 1005):
        words = f"the server closed the connection{f' ({reason})' if reason else ''}; session.connect() opens a new one"
    else:
        words = f"the server closed the connection with code {code}{f' ({reason})' if reason else ''}"
    return ConnectionClosed(words, code=code, reason=reason)


async def open_websocket(
    url: str,
    *,
    headers: Mapping[str, str],
    timeout: float,
    proxy: bool = True,
    secrets: Sequence[str] = (),
) -> WebSocketTransport:
    """Open a WebSocket as a transport; see `connect_websocket`."""
    connection = await connect_websocket(url, headers=headers, timeout=timeout, proxy=proxy, secrets=secrets)
    return WebSocketTransport(connection, secrets=secrets)


async def connect_websocket(
    url: str,
    *,
    headers: Mapping[str, str],
    timeout: float,
    proxy: bool = True,
    secrets: Sequence[str] = (),
    **options: Any,
) -> ClientConnection:
    """Open a WebSocket and tell failures apart.

    Parameters
    ----------
    url
        ``ws://`` or ``wss://``, model and other query values included.
    headers
        Additional headers, the key among them.
    timeout
        Seconds until the handshake must be done.
    proxy
        Whether a proxy that the environment names is used (``https_proxy``, ``all_proxy``, ``no_proxy``).
    secrets
        Keys to keep out of every text.
    options
        For ``websockets.asyncio.client.connect``, over what stands here.

    Raises
    ------
    ConnectionFailed
        With ``reason`` ``"name"``, ``"refused"``, ``"network"``, ``"tls"``, ``"timeout"``, ``"key"``, ``"http"``,
        ``"proxy"`` or ``"endpoint"``.
    """
    from websockets.asyncio.client import connect
    from websockets.exceptions import InvalidHandshake, InvalidProxy, InvalidStatus, InvalidURI, ProxyError

    class Connect(connect):
        """A connect that goes nowhere else: a redirect could carry the key away."""

        def process_redirect(self, exc: Exception) -> Exception | str:
            """Take a redirect for the failure that it is."""
            return exc

    where = shown_url(url)
    through = proxy_of(url) if proxy else None  # its address without a password, for the errors
    for value in headers.values():
        if not (value.isascii() and value.isprintable()):
            raise ConnectionFailed(
                "the key holds characters that no key has; was it copied with quotes, a line break, or from a picture?",
                reason="key",
            )
    try:
        settings: dict[str, Any] = {
            "additional_headers": dict(headers),
            "logger": RedactingLogger(logging.getLogger("rtnb.net.websocket"), secrets),
            "proxy": True if proxy else None,
            "open_timeout": timeout,
            "max_size": None,  # conversation.item.retrieved carries a whole answer's audio
            "max_queue": (256, 64),  # deltas come in bursts; below, the socket's back-pressure holds
            "compression": None,  # base64 audio does not shrink enough to pay for the CPU
        }
        return await Connect(url, **{**settings, **options})
    except TimeoutError as exc:
        raise ConnectionFailed(
            f"{where} did not answer within {timeout:g} s; check the network, or give connect(timeout=...) more time",
            reason="timeout",
        ) from exc
    except (InvalidProxy, ProxyError) as exc:
        status = getattr(getattr(exc, "response", None), "status_code", None)
        said = f"answered HTTP {status}" if status else "could not be used"
        raise ConnectionFailed(
            f"the proxy {through} {said} for {where}; check https_proxy and all_proxy in the environment, or name the "
            "host in no_proxy",
            reason="proxy",
        ) from None  # its text may show the proxy's password
    except ImportError as exc:
        raise ConnectionFailed(
            f"the environment names the SOCKS proxy {through}, and that needs a package: pip install python-socks",
            reason="proxy",
        ) from exc
    except InvalidURI:
        words = "is not a WebSocket address (ws:// or wss://, no '#', and no user without a password)"
        raise ConnectionFailed(f"{where} {words}", reason="endpoint") from None  # its text is the whole address
    except InvalidStatus as exc:
        raise _status_error(where, exc.response.status_code) from None  # its request carries the key
    except InvalidHandshake as exc:
        detail = redact(str(exc), *secrets)
        raise ConnectionFailed(f"{where} answered, but not as a WebSocket server ({detail})", reason="http") from None
    except (ssl.SSLError, ssl.CertificateError) as exc:
        raise ConnectionFailed(
            f"the secure connection to {where} failed ({redact(str(exc), *secrets)}); behind a company proxy, "
            "point SSL_CERT_FILE at its certificates",
            reason="tls",
        ) from exc
    except ValueError as exc:  # UnicodeError too: a host that no name can be
        detail = redact(str(exc), *secrets)
        raise ConnectionFailed(f"{where} is no address that can be reached ({detail})", reason="endpoint") from None
    except OSError as exc:
        if through is not None and not isinstance(exc, (ssl.SSLError, ssl.CertificateError)):
            raise ConnectionFailed(
                f"there is no way to {where} through the proxy {through} ({redact(str(exc), *secrets)}); check "
                "https_proxy and all_proxy in the environment, or name the host in no_proxy",
                reason="proxy",
            ) from exc
        raise _no_path(exc, where, secrets) from exc


def proxy_of(url: str) -> str | None:
    """The proxy that the environment names for an address, without user and password; as websockets chooses it.

    Parameters
    ----------
    url
        A ``ws://`` or ``wss://`` address.
    """
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "wss" else 80)
    if urllib.request.proxy_bypass(f"{parts.hostname}:{port}"):
        return None
    named = urllib.request.getproxies()
    order = ("wss", "socks", "https") if parts.scheme == "wss" else ("ws", "socks", "https", "http")
    found = next((named[scheme] for scheme in order if scheme in named), None)
    return shown_url(found) if found else None


def _no_path(exc: OSError, where: str, secrets: Sequence[str]) -> ConnectionFailed:
    """Why the network did not let through, in words."""
    if isinstance(exc, socket.gaierror):
        return ConnectionFailed(
            f"the name in {where} was not found; check the spelling, and whether this machine is online",
            reason="name",
        )
    if isinstance(exc, ConnectionRefusedError):
        return ConnectionFailed(f"nothing listens at {where}; is the server started?", reason="refused")
    reason = "refused" if _all_refused(exc) else "network"
    words = "nothing listens at" if reason == "refused" else "no network path to"
    return ConnectionFailed(f"{words} {where} ({redact(str(exc), *secrets)})", reason=reason)


def _all_refused(error: OSError) -> bool:
    """Whether every address of a name refused: asyncio joins their errors into one text."""
    return "Multiple exceptions" in str(error) and str(error).count("refused") >= str(error).count("[Errno")


def _status_error(where: str, status: int) -> ConnectionFailed:
    if status in (401, 403):
        return ConnectionFailed(f"{where} refused the key (HTTP {status}); check it", reason="key")
    if status == 404:
        return ConnectionFailed(f"{where} is not a realtime endpoint (HTTP 404); check the path", reason="http")
    if status == 429:
        return ConnectionFailed(f"{where} takes no more sessions now (HTTP 429); wait a little", reason="limit")
    return ConnectionFailed(f"{where} answered with HTTP {status} instead of opening a WebSocket", reason="http")


class MemoryTransport:
    """One end of a transport without a network; made by `memory_pair`."""

    def __init__(self, inbox: asyncio.Queue[str | bytes | None], outbox: asyncio.Queue[str | bytes | None]) -> None:
        self._inbox = inbox
        self._outbox = outbox
        self._closing: list[tuple[int, str]] = []  # shared by both ends; empty while open

    async def send(self, text: str | bytes) -> None:
        """Hand one text to the other end."""
        if self._closing:
            raise closed_error(*self._closing[0])
        await self._outbox.put(text)

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        """Yield the texts of the other end until either closes."""
        while (text := await self._inbox.get()) is not None:
            yield text
        if self.closing[0] not in (1000, 1001):
            raise closed_error(*self.closing)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close both ends."""
        if not self._closing:
            self._closing.append((code, reason))
            self._inbox.put_nowait(None)
            self._outbox.put_nowait(None)

    @property
    def closing(self) -> tuple[int, str]:
        """Code and reason given to `close` by either end."""
        return self._closing[0] if self._closing else (1006, "")


def memory_pair() -> tuple[MemoryTransport, MemoryTransport]:
    """Two transports, joined: what one sends, the other yields."""
    left: asyncio.Queue[str | bytes | None] = asyncio.Queue()
    right: asyncio.Queue[str | bytes | None] = asyncio.Queue()
    one, two = MemoryTransport(left, right), MemoryTransport(right, left)
    two._closing = one._closing
    return one, two
