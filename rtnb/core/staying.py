"""The rules of staying connected: what is tried again, when, and how often. Pure: times and chances are passed in.

======================================  ===============================================================================
how the connection ended                what follows
======================================  ===============================================================================
network, server restart, time limit     it is opened again
key, quota, model, policy               nothing: trying again changes nothing
the server closed it normally (1000)    nothing: it meant to
======================================  ===============================================================================

Tries come after about 0.2, 0.4, 0.8, ... 8 seconds, each shortened by up to a half by chance, so that a thousand
clients do not come back at once. Imports `rtnb.core.errors`.
"""

from __future__ import annotations

from typing import Final

from rtnb.core.errors import ConnectionClosed, ConnectionFailed, ProtocolError, ServerError

__all__ = ["FATAL_CODES", "GIVE_UP_S", "MOST_TRIES", "backoff", "cause", "is_worth_retrying", "rotation"]

GIVE_UP_S: Final = 60.0
"""So long a lost connection is tried to be opened again, unless told otherwise."""

MOST_TRIES: Final = 12

FATAL_CODES: Final = frozenset(
    {
        "account_deactivated",
        "beta_api_shape_disabled",
        "billing_hard_limit_reached",
        "insufficient_quota",
        "invalid_api_key",
        "invalid_model",
        "missing_model",
        "model_not_found",
    }
)
"""Codes of errors and closes after which trying again changes nothing."""

_FATAL_REASONS: Final = frozenset({"key", "quota", "model", "beta", "endpoint"})
_FATAL_CLOSES: Final = frozenset({1000, 1008, 3000, 4000, 4004})
_FIRST_S: Final = 0.25
_LONGEST_S: Final = 8.0
_MARGIN_S: Final = 300.0
_MARGIN_SHARE: Final = 0.2


def backoff(attempt: int, chance: float) -> float:
    """Seconds to wait before a try.

    Parameters
    ----------
    attempt
        Counted from 0.
    chance
        A random number in [0, 1).

    Examples
    --------
    >>> [backoff(attempt, 0.0) for attempt in (0, 1, 2, 20)]
    [0.125, 0.25, 0.5, 4.0]
    """
    return min(_FIRST_S * 2.0 ** min(attempt, 10), _LONGEST_S) * (0.5 + chance / 2)


def is_worth_retrying(error: BaseException, *, code: str | None = None) -> bool:
    """Whether opening the connection once more may help.

    Parameters
    ----------
    error
        How it ended, or why it could not be opened.
    code
        Of the ``error`` event that came last before the end.
    """
    if code in FATAL_CODES:
        return False
    if isinstance(error, ConnectionFailed):
        return error.reason not in _FATAL_REASONS
    if isinstance(error, ConnectionClosed):
        return error.code not in _FATAL_CLOSES and error.reason.rpartition(".")[2] not in FATAL_CODES
    return not isinstance(error, (ServerError, ProtocolError))


def cause(error: BaseException) -> str:
    """How a connection ended, in words, without the advice that follows in the error's text.

    >>> cause(ConnectionClosed("the connection broke without a goodbye; check the network"))
    'the connection broke without a goodbye'
    """
    return str(error).partition("; ")[0]


def rotation(remaining_s: float) -> float:
    """In how many seconds the next quiet moment is to be used for a new connection.

    Parameters
    ----------
    remaining_s
        Until the service ends the session.
    """
    return remaining_s - min(_MARGIN_S, _MARGIN_SHARE * remaining_s)
