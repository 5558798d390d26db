"""Where a tool's data comes from: the network, or recorded answers that are shipped with rtnb.

A lesson must run on a train. So each tool that asks a service also has answers on file and a *mode* that says which
to use:

==============  ===================================================================================================
``"live"``      ask the service; a failure is a failure
``"recorded"``  never touch the network
``"auto"``      on the local endpoint the recorded answers; otherwise ask the service, and when it cannot be reached
                take the recorded answer, if there is one
==============  ===================================================================================================

The environment variable ``RTNB_TOOLBOX`` (``live`` or ``recorded``) settles ``"auto"`` for all tools. A result always
says in its ``source`` which it was: an answer from a file must never pass for the truth of today.

Imports `rtnb.core`; httpx loads with the first request.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import resources
from typing import Any, Literal, TypeAlias
from urllib.parse import quote

from rtnb.core.errors import ToolError, redact
from rtnb.core.tools import PREFER_RECORDED

__all__ = ["Mode", "ServiceFailed", "check_mode", "fetch_json", "load_data", "settled_mode", "some"]

Mode: TypeAlias = Literal["auto", "live", "recorded"]


class ServiceFailed(ToolError):
    """A service gave no usable answer; the text says in words what happened, without address and key."""


def check_mode(mode: str) -> None:
    """Refuse an unknown mode, where it was written and not in the middle of a conversation."""
    if mode not in ("auto", "live", "recorded"):
        raise ValueError(f"mode is 'auto', 'live' or 'recorded'; got {mode!r}")


def settled_mode(mode: Mode) -> Mode:
    """The mode that holds for this call: ``"auto"`` is settled by the environment, then by the endpoint in use."""
    if mode == "auto":
        wish = os.environ.get("RTNB_TOOLBOX", "").strip().lower()
        if wish == "live":
            return "live"
        if wish == "recorded" or PREFER_RECORDED.get():
            return "recorded"
    return mode


def fetch_json(
    service: str,
    url: str,
    params: Mapping[str, str | float] | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    timeout: float = 6.0,
    secret: str | None = None,
) -> dict[str, Any]:
    """Ask a service for a JSON object.

    Parameters
    ----------
    service
        Its name, for the words of a failure. The address is never told: it may hold a key.
    url, params, headers
        The request, a GET.
    timeout
        Seconds to connect, and seconds to wait for each piece of the answer.
    secret
        A key in the address or the headers. It is kept out of httpx's log, and follows no redirect to another host.

    Raises
    ------
    ServiceFailed
        When it cannot be reached, takes too long, answers with an error or with anything but a JSON object.
    """
    import httpx

    try:
        with _kept_out_of_logs(secret), httpx.Client(timeout=timeout, follow_redirects=secret is None) as client:
            answer = client.get(url, params=params, headers=headers)
    except httpx.TimeoutException as exc:
        raise ServiceFailed(f"{service} did not answer within {timeout:g} seconds.") from exc
    except (httpx.HTTPError, httpx.InvalidURL):
        # Not chained: the text of these may hold the address, and the address a key.
        raise ServiceFailed(f"{service} could not be reached: no network, or a wrong address.") from None
    if answer.status_code in (401, 403):
        raise ServiceFailed(f"{service} refused the key (status {answer.status_code}).")
    if answer.status_code == 429:
        raise ServiceFailed(f"{service} was asked too often (status 429). Try again later.")
    try:
        body = answer.json()
    except ValueError:
        body = None
    if answer.status_code >= 300:
        raise ServiceFailed(f"{service} failed (status {answer.status_code}).")
    if not isinstance(body, dict):
        raise ServiceFailed(f"{service} gave an answer that cannot be read.")
    return body


@contextmanager
def _kept_out_of_logs(secret: str | None) -> Iterator[None]:
    """While it lasts, httpx's log of requests, which tells whole addresses, tells this key as ``[key]``."""

    def clean(record: logging.LogRecord) -> bool:
        if secret:
            record.msg, record.args = redact(record.getMessage(), secret, quote(secret)), None
        return True

    log = logging.getLogger("httpx")
    log.addFilter(clean)
    try:
        yield
    finally:
        log.removeFilter(clean)


@cache
def load_data(name: str) -> dict[str, Any]:
    """A JSON file of the toolbox's data; not to be changed, it is loaded once.

    Parameters
    ----------
    name
        Of the file, without its folder.
    """
    text = resources.files("rtnb.toolbox").joinpath("data", name).read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return data


def some(names: list[str], most: int = 6) -> str:
    """A few names for a text that may be spoken: ``"Rome, Paris and 3 others"``.

    Parameters
    ----------
    names
        All of them.
    most
        How many to tell.
    """
    rest = len(names) - most
    return ", ".join(names) if rest <= 0 else f"{', '.join(names[:most])} and {rest} others"
