"""The errors of rtnb, as a drawn tree.

::

    RtnbError
    ├── ConnectionFailed          a connection could not be opened; `reason` tells the cause in one word
    ├── ConnectionClosed          an open connection ended; `code` and `reason` of the close frame
    ├── NotConnected              a call that needs a connection, and there is none
    ├── WaitTimeout               a wait ended by its timeout (also a TimeoutError)
    ├── ProtocolError             what was about to be sent breaks the protocol (also a ValueError)
    ├── ServerError               the server's own `error` event, in `event`
    ├── ResponseFailed            a response ended as failed; `response` is its last state
    ├── BudgetSpent               the session's budget is spent, so nothing was asked; `spent` and `budget`
    └── ToolError                 a tool could not be declared, or did not run

No text of an error ever carries a key: see `redact`. What the server says is followed by what it means, in words of
`rtnb.core.explain_short`, which is imported for that when there is something to explain; else nothing of rtnb is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

__all__ = [
    "BudgetSpent",
    "ConnectionClosed",
    "ConnectionFailed",
    "NotConnected",
    "ProtocolError",
    "ResponseFailed",
    "RtnbError",
    "ServerError",
    "ToolError",
    "WaitTimeout",
    "redact",
]

_SECRETS: Final = re.compile(
    r"\b(?:sk|ek|rk|pk)[-_][A-Za-z0-9_\-*.]{6,}"  # OpenAI keys and ephemeral secrets, also half starred
    r"|(?<=[Bb]earer )(?!(?:tokens?|headers?|auth[a-z]*)[.:!?)]*(?:[\s\"',;]|$))[^\s\"',;]+"  # no prose about them
    r"|(?<=openai-insecure-api-key\.)[^\s\"',;]+"  # the browser's subprotocol
    r"|(?<=api-key: )[^\s\"',;]+"
    r"|(?<=api_key=)[^\s\"',;&]+"
)


def redact(text: str, *known: str | None) -> str:
    """Replace what looks like a key, and each of the `known` keys, by ``[key]``.

    Parameters
    ----------
    text
        Any text that is about to be shown, logged or saved.
    known
        Keys in use, replaced wherever they stand, whatever they look like.
    """
    for key in known:
        if key:
            text = text.replace(key, "[key]")
    return _SECRETS.sub("[key]", text)


class RtnbError(Exception):
    """The root of all errors that rtnb raises on purpose."""


class ConnectionFailed(RtnbError):
    """A connection could not be opened.

    Attributes
    ----------
    reason : str
        One of ``"network"``, ``"name"``, ``"refused"``, ``"tls"``, ``"timeout"``, ``"key"``, ``"model"``,
        ``"beta"``, ``"limit"``, ``"quota"``, ``"http"``, ``"proxy"``, ``"endpoint"`` or ``"closed"``.
    """

    def __init__(self, message: str, *, reason: str = "network") -> None:
        super().__init__(redact(message))
        self.reason = reason


class ConnectionClosed(RtnbError):
    """An open connection ended.

    Attributes
    ----------
    code : int
        The WebSocket close code; 1006 when there was no close frame.
    reason : str
        The text of the close frame.
    """

    def __init__(self, message: str, *, code: int = 1006, reason: str = "") -> None:
        super().__init__(redact(message))
        self.code = code
        self.reason = redact(reason)


class NotConnected(RtnbError):
    """A call needs a connection and there is none; the text says what to do."""


class WaitTimeout(RtnbError, TimeoutError):
    """A wait ended by its timeout."""


class ProtocolError(RtnbError, ValueError):
    """An event that the service would refuse was about to be sent.

    Attributes
    ----------
    param : str or None
        The dotted path of the field at fault, as the service writes it: ``session.audio.output.voice``.
    """

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(redact(message))
        self.param = param


def _in_words(error: Mapping[str, Any]) -> str:
    from rtnb.core.explain_short import in_words

    return in_words(error)


class ServerError(RtnbError):
    """The server answered with an ``error`` event.

    Attributes
    ----------
    event : dict
        The event as it came.
    code, type, param, event_id : str or None
        Its fields, for short; None where a server fills in something else. `event_id` names the client event at fault.
    """

    def __init__(self, event: Mapping[str, Any]) -> None:
        error = event.get("error")
        detail: Mapping[str, Any] = error if isinstance(error, Mapping) else {"message": str(error)}
        self.event = dict(event)
        self.code, self.type, self.param, self.event_id = (
            str(value) if isinstance(value := detail.get(name), (str, int)) else None
            for name in ("code", "type", "param", "event_id")
        )
        where = f" (at {self.param})" if self.param else ""
        name = self.code or self.type or "error"
        said = f"{name}{where}: {detail.get('message') or 'the server gave no message'}"
        super().__init__(redact(said + _in_words(detail)))


class ResponseFailed(RtnbError):
    """A response ended as failed.

    Attributes
    ----------
    response : dict
        The response object of its ``response.done``; empty when the connection ended before it.
    """

    def __init__(self, message: str, *, response: Mapping[str, Any] | None = None) -> None:
        self.response = dict(response or {})
        details = self.response.get("status_details")
        error = details.get("error") if isinstance(details, Mapping) else None
        super().__init__(redact(message + (_in_words(error) if isinstance(error, Mapping) else "")))


class BudgetSpent(RtnbError):
    """The session's budget is spent, or cannot be kept: nothing was sent, and nothing of the session is lost.

    Attributes
    ----------
    spent : float
        USD that the session has cost; ``nan`` when the price of its model is not known.
    budget : float
        USD that it may cost.
    """

    def __init__(self, message: str, *, spent: float, budget: float) -> None:
        super().__init__(message)
        self.spent = spent
        self.budget = budget


class ToolError(RtnbError):
    """A tool could not be declared, or a call of it could not be carried out."""
