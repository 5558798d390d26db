"""Servers that are not the service itself: a transport that lets a session hear today's protocol from all of them.

`DialectTransport` stands between a session and the socket. With a server that speaks the dialect of 2024, what the
session sends goes out in the beta's words, and what the server says comes in as GA; so log, conversation and listeners
know one dialect only. Which one the server speaks is known beforehand, or told by its first event: a flat session
object is the beta's. What a compatible server leaves out is put back (`rtnb.core.regular`).

May import `rtnb.core` and `rtnb.net`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import orjson

from rtnb.core.dialects import BetaToGaServer, Dropped, ga_to_beta_client
from rtnb.core.protocol import Event
from rtnb.core.regular import Regular
from rtnb.net.endpoint import Dialect
from rtnb.net.transport import Transport

__all__ = ["DialectTransport", "Spoken", "dialect_of"]

_BETA_FIELDS: Final = ("modalities", "input_audio_format", "output_audio_format", "input_audio_transcription")
_MOST_DROPPED: Final = 100
_HEAD: Final = 400  # so far into a text names and ids are looked for


def dialect_of(event: Any) -> Dialect | None:
    """The dialect of a server, by its first event; None when that does not tell.

    Parameters
    ----------
    event
        What came first.

    Examples
    --------
    >>> dialect_of({"type": "session.created", "session": {"modalities": ["text"]}})
    'beta'
    """
    if not isinstance(event, Mapping):
        return None
    if str(event.get("type")).startswith("transcription_session."):
        return "beta"
    session = event.get("session")
    if not isinstance(session, Mapping):
        return None
    if isinstance(session.get("audio"), Mapping) or "output_modalities" in session:
        return "ga"
    return "beta" if any(name in session for name in _BETA_FIELDS) else None


class Spoken:
    """How it is spoken with one server.

    Attributes
    ----------
    dialect
        ``"ga"``, ``"beta"``, or None while that is not known.
    dropped
        What could not be said in the server's dialect, the last 100.
    repaired
        Names of `rtnb.core.regular.REPAIRS`: what the server leaves out.
    greets, confirms
        Whether it says ``session.created`` by itself, and ``session.updated``; found out when a session opens.
    """

    def __init__(self, dialect: Dialect | None) -> None:
        self.dialect = dialect
        self.dropped: list[Dropped] = []
        self.repaired: set[str] = set()
        self.greets = True
        self.confirms = True

    def note(self, dropped: list[Dropped]) -> None:
        """Keep what was just left out, each thing once."""
        self.dropped += [each for each in dropped if each not in self.dropped]
        del self.dropped[:-_MOST_DROPPED]


class DialectTransport:
    """A transport that translates when the server speaks the beta, and puts back what it leaves out.

    Parameters
    ----------
    inner
        The transport to the server.
    dialect
        The server's; None: its first event tells.
    """

    def __init__(self, inner: Transport, dialect: Dialect | None = None) -> None:
        self._inner = inner
        self._to_ga = BetaToGaServer()
        self._regular = Regular()
        self.spoken = Spoken(dialect)
        self.spoken.repaired = self._regular.repaired

    async def send(self, text: str | bytes) -> None:
        """Send one event of the session, in the server's words."""
        if len(text) < _HEAD or b"input_audio_buffer.append" not in _bytes(text)[:_HEAD]:
            event = orjson.loads(text)
            self._regular.sent(event)
            if self.spoken.dialect == "beta":
                dropped: list[Dropped] = []
                text = orjson.dumps(ga_to_beta_client(event, dropped))
                self.spoken.note(dropped)
        await self._inner.send(text)

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        """Yield the server's events as GA; what is no JSON is yielded as it came."""
        regular = self._regular
        async for text in self._inner:
            if regular.active is not None and self.spoken.dialect != "beta":
                head = _bytes(text[:_HEAD])
                if b'.delta"' in head and regular.active.encode() in head:  # nothing to repair: by far the most
                    yield text
                    continue
            event = _event(text)
            if event is None:
                yield text
                continue
            if self.spoken.dialect is None:
                self.spoken.dialect = dialect_of(event)
            said = [event] if self.spoken.dialect != "beta" else self._to_ga(event)
            for each in said:
                told = regular(each)
                if len(told) == 1 and told[0] is event:
                    yield text
                else:
                    for one in told:
                        yield orjson.dumps(one)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close; may be called twice."""
        await self._inner.close(code, reason)

    @property
    def closing(self) -> tuple[int, str]:
        """Code and reason of the close."""
        return self._inner.closing


def _bytes(text: str | bytes) -> bytes:
    return text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text


def _event(text: str | bytes) -> Event | None:
    try:
        event = orjson.loads(text)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None
