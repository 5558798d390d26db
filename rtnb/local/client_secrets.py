"""Ephemeral keys: minted by ``POST /v1/realtime/client_secrets``, taken as keys until they expire.

A secret carries a session configuration, with which each session begins that it opens. Expiry limits the start of
sessions, not their length.

May import `rtnb.core` and its neighbours in `rtnb.local`.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rtnb.core.protocol import DEFAULT_MODEL, Event
from rtnb.core.shapes import secret_violations
from rtnb.local.problems import Problem
from rtnb.local.session_state import SessionKind, SessionState

__all__ = ["ClientSecrets", "Secret"]

_DEFAULT_TTL_S: Final = 600
_KEEP_EXPIRED_S: Final = 3_600  # an expired secret is told apart from an unknown key for so long


@dataclass(frozen=True)
class Secret:
    """One ephemeral key.

    Attributes
    ----------
    value
        ``ek_...``.
    expires_at
        Epoch seconds.
    session
        What each of its sessions begins with, as in a ``session.update``.
    """

    value: str
    expires_at: int
    session: Mapping[str, Any]

    @property
    def kind(self) -> SessionKind:
        """The kind of its sessions."""
        return "transcription" if self.session.get("type") == "transcription" else "realtime"

    @property
    def model(self) -> str | None:
        """The model of its sessions, if it names one."""
        model = self.session.get("model")
        return str(model) if model else None


class ClientSecrets:
    """All secrets of an endpoint."""

    def __init__(self) -> None:
        self._secrets: dict[str, Secret] = {}

    def mint(self, body: Any, now: float) -> Event | Problem:
        """Answer a request: the response body, or what is wrong with it.

        Parameters
        ----------
        body
            The parsed request body.
        now
            Epoch seconds.
        """
        body = {} if body is None else body
        for found in secret_violations(body):
            return Problem(found.code, found.message, found.param)
        config: dict[str, Any] = dict(body.get("session") or {"type": "realtime"})
        kind: SessionKind = "transcription" if config.get("type") == "transcription" else "realtime"
        state = SessionState(kind=kind, model=str(config.get("model") or DEFAULT_MODEL), expires_at=0)
        problem = state.update(config)
        if problem is not None:
            return problem
        if kind == "realtime":
            config.setdefault("model", state.model)
        seconds = (body.get("expires_after") or {}).get("seconds") or _DEFAULT_TTL_S
        secret = Secret("ek_" + secrets.token_hex(16), int(now) + seconds, config)
        self._secrets = {v: s for v, s in self._secrets.items() if s.expires_at + _KEEP_EXPIRED_S > now}
        self._secrets[secret.value] = secret
        return {"value": secret.value, "expires_at": secret.expires_at, "session": state.view()}

    def find(self, key: str | None) -> Secret | None:
        """The secret with this value, expired or not."""
        return self._secrets.get(key or "")
