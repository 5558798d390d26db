"""Who may come in, and what for: the judgement of a handshake.

As on the real service the upgrade is granted first; a client that may not stay then gets one ``error`` event and a
close frame whose reason is ``TYPE.CODE``. Pure: the request's target and headers in, a judgement out.

May import `rtnb.core.protocol` and its neighbours in `rtnb.local`.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import parse_qs, urlsplit

from rtnb.local.client_secrets import ClientSecrets, Secret
from rtnb.local.problems import Problem
from rtnb.local.session_state import SessionKind

__all__ = ["KNOWN_MODELS", "Admission", "Refusal", "Rules", "Visitor", "is_served", "judge"]

KNOWN_MODELS: Final = frozenset(
    {"gpt-audio-1.5", "gpt-audio-mini", "gpt-audio-mini-2025-10-06", "gpt-audio-mini-2025-12-15"}
)
"""Models of conversation sessions whose names do not say ``realtime``; those that do are taken by their form."""

# Realtime models that do not converse: they have endpoints or intents of their own.
_NOT_FOR_CONVERSATION: Final = frozenset({"gpt-realtime-whisper", "gpt-realtime-translate"})

_KEY_PROTOCOL: Final = "openai-insecure-api-key."
_BETA_PROTOCOL: Final = "openai-beta.realtime-v1"

Dialect = Literal["ga", "beta"]


@dataclass(frozen=True)
class Visitor:
    """What a request shows.

    Attributes
    ----------
    target
        Path and query of the request line.
    authorization, api_key, beta
        The headers ``Authorization``, ``api-key`` and ``OpenAI-Beta``.
    subprotocols
        What ``Sec-WebSocket-Protocol`` offers.
    """

    target: str
    authorization: str | None = None
    api_key: str | None = None
    beta: str | None = None
    subprotocols: Sequence[str] = ()

    @property
    def path(self) -> str:
        """The path, without a slash at its end."""
        return urlsplit(self.target).path.rstrip("/") or "/"

    def query(self, name: str) -> str | None:
        """A value of the query."""
        return next(iter(parse_qs(urlsplit(self.target).query).get(name, [])), None)

    @property
    def key(self) -> str | None:
        """The key, wherever it stands."""
        if self.authorization and self.authorization.lower().startswith("bearer "):
            return self.authorization[7:].strip()
        if self.api_key:
            return self.api_key
        offered = (p[len(_KEY_PROTOCOL) :] for p in self.subprotocols if p.startswith(_KEY_PROTOCOL))
        return next(offered, None) or self.query("api-key")

    @property
    def dialect(self) -> Dialect:
        """Beta by header, by subprotocol, or by the query of the old preview."""
        by_header = (self.beta or "").replace(" ", "").lower() == "realtime=v1"
        return "beta" if by_header or _BETA_PROTOCOL in self.subprotocols or self.query("api-version") else "ga"


@dataclass(frozen=True)
class Rules:
    """What an endpoint lets in.

    Attributes
    ----------
    key
        The only key that is good, beside minted secrets; None: any, or none.
    beta
        Whether the dialect of 2024 is spoken.
    models
        Further names of models that are taken.
    """

    key: str | None = None
    beta: bool = False
    models: frozenset[str] = frozenset()

    @classmethod
    def of(cls, key: str | None, beta: bool, models: Iterable[str]) -> Rules:
        """Rules from the options of an endpoint."""
        return cls(key, beta, frozenset(models))


@dataclass(frozen=True)
class Admission:
    """Come in."""

    dialect: Dialect
    kind: SessionKind
    model: str
    secret: Secret | None = None


@dataclass(frozen=True)
class Refusal:
    """Stay out: the error that is told, and the code of the close frame."""

    problem: Problem
    close_code: int

    @property
    def reason(self) -> str:
        """The reason of the close frame."""
        return f"{self.problem.type}.{self.problem.code}"


def is_served(visitor: Visitor) -> bool:
    """Whether there is a realtime session behind this path; the query of the old preview opens any path."""
    return visitor.path == "/" or visitor.path.endswith("/realtime") or visitor.query("api-version") is not None


def judge(visitor: Visitor, rules: Rules, secrets: ClientSecrets, now: float) -> Admission | Refusal:
    """Decide on a handshake.

    Parameters
    ----------
    visitor
        What the request shows.
    rules, secrets
        What the endpoint lets in.
    now
        Epoch seconds.
    """
    key = visitor.key
    secret = secrets.find(key)
    if not _is_good(key, rules.key, secret, now):
        return _refuse("invalid_api_key", _bad_key(key, secret), 3000)
    dialect = visitor.dialect
    if dialect == "beta" and not rules.beta:
        return _refuse(
            "beta_api_shape_disabled",
            "The Realtime Beta API is no longer supported. Please use /v1/realtime for the GA API. "
            "(This local endpoint speaks the beta when it is started with beta=True, or rtnb serve --beta.)",
            4000,
        )
    model = visitor.query("model")
    if visitor.query("intent") == "transcription":
        if model is not None:
            return _refuse("invalid_model", f'Model "{model}" is not supported in transcription mode.', 4000)
        return Admission(dialect, "transcription", "", secret)
    if model is None and secret is not None:
        if secret.kind == "transcription":
            return Admission(dialect, "transcription", "", secret)
        model = secret.model
    deployment = visitor.query("deployment")
    if model is None and deployment:
        return Admission(dialect, "realtime", deployment, secret)
    if not model:
        return _refuse("missing_model", "You must provide a model parameter.", 4000)
    if not _is_model(model, rules) and not visitor.path.startswith("/openai/"):  # there it names a deployment
        return _refuse("invalid_model", f'Model "{model}" is not supported in realtime mode.', 4000)
    return Admission(dialect, "realtime", model, secret)


def _is_good(key: str | None, wanted: str | None, secret: Secret | None, now: float) -> bool:
    if secret is not None:
        return secret.expires_at > now
    if wanted is None:
        return True
    return key is not None and hmac.compare_digest(key.encode("utf-8", "replace"), wanted.encode("utf-8", "replace"))


def _bad_key(key: str | None, secret: Secret | None) -> str:
    if key is None:
        return "You didn't provide an API key."
    if secret is not None:
        return "This client secret has expired; ask for a new one."
    return "Incorrect API key provided."


def _is_model(model: str, rules: Rules) -> bool:
    if model in rules.models or model in KNOWN_MODELS:
        return True
    return model.startswith("gpt-") and "realtime" in model and model not in _NOT_FOR_CONVERSATION


def _refuse(code: str, message: str, close_code: int) -> Refusal:
    return Refusal(Problem(code, message), close_code)
