"""The few plain HTTP requests of the endpoint: client secrets, health, a friendly page.

Pure: a request value in, a response value out; bytes and sockets are the business of `rtnb.local.front_door`.

May import `rtnb.core` and its neighbours in `rtnb.local`.
"""

from __future__ import annotations

import http
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rtnb.core.dialects import beta_to_ga_secret_request, ga_to_beta_secret
from rtnb.local.admission import Rules, Visitor
from rtnb.local.client_secrets import ClientSecrets
from rtnb.local.problems import Problem

__all__ = ["HttpRequest", "HttpResponse", "Rest"]

_CORS: Final[Mapping[str, str]] = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    # "*" does not cover Authorization; the others are what the SDKs send from browsers.
    "Access-Control-Allow-Headers": "Authorization, Content-Type, api-key, OpenAI-Beta, OpenAI-Organization, "
    "OpenAI-Project, OpenAI-Safety-Identifier, *",
    "Access-Control-Allow-Private-Network": "true",
    "Access-Control-Max-Age": "600",
}

_BETA_PATHS: Final = ("/realtime/sessions", "/realtime/transcription_sessions")  # where the beta minted its keys


@dataclass
class HttpRequest:
    """A request that is no upgrade."""

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @classmethod
    def from_head(cls, head: str) -> HttpRequest | None:
        """Read the request line and the headers; None when this is no HTTP."""
        lines = head.split("\r\n")
        words = lines[0].split(" ")
        if len(words) != 3 or not words[0].isalpha() or not words[2].startswith("HTTP/1."):
            return None
        headers: dict[str, str] = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon or not name or name != name.strip():
                return None
            headers[name.lower()] = value.strip()
        return cls(words[0].upper(), words[1], headers)

    def header(self, name: str) -> str:
        """A header's value; empty when it is not there."""
        return self.headers.get(name.lower(), "")


@dataclass(frozen=True)
class HttpResponse:
    """An answer."""

    status: int
    body: bytes
    content_type: str = "application/json"

    @classmethod
    def json(cls, status: int, value: Any) -> HttpResponse:
        """An answer in JSON."""
        return cls(status, json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))

    @classmethod
    def problem(cls, status: int, problem: Problem) -> HttpResponse:
        """An error as the service's HTTP endpoints write it."""
        error = {"message": problem.message, "type": problem.type, "param": problem.param, "code": problem.code}
        return cls.json(status, {"error": error})

    @classmethod
    def error(cls, status: int, message: str, code: str | None = None) -> HttpResponse:
        """An error with a sentence."""
        return cls.problem(status, Problem(code, message))

    def to_bytes(self) -> bytes:
        """The answer as it goes over the socket."""
        lines = [f"HTTP/1.1 {self.status} {http.HTTPStatus(self.status).phrase}"]
        headers = {
            "Content-Type": f"{self.content_type}; charset=utf-8",
            "Content-Length": str(len(self.body)),
            "Connection": "close",
            **_CORS,
        }
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + self.body


class Rest:
    """The routes.

    Parameters
    ----------
    rules, secrets
        Who may mint secrets, and where they are kept.
    now
        Epoch seconds.
    describe
        What ``GET /healthz`` tells.
    """

    def __init__(
        self, rules: Rules, secrets: ClientSecrets, *, now: Callable[[], float], describe: Callable[[], dict[str, Any]]
    ) -> None:
        self._rules, self._secrets = rules, secrets
        self._now, self._describe = now, describe

    def answer(self, request: HttpRequest) -> HttpResponse:
        """Answer a request."""
        path = Visitor(request.target).path
        if request.method == "OPTIONS":
            return HttpResponse(204, b"")
        if path.endswith("/realtime/client_secrets") or (self._rules.beta and path.endswith(_BETA_PATHS)):
            if request.method != "POST":
                return HttpResponse.error(405, f"Invalid method for URL ({request.method} {path})")
            return self._client_secrets(request, path)
        if request.method == "GET":
            if path == "/healthz":
                return HttpResponse.json(200, {"status": "ok", **self._describe()})
            if path == "/":
                return HttpResponse(200, _page(self._describe()).encode(), "text/html")
            if path.endswith("/realtime"):
                return HttpResponse.error(426, "This is a WebSocket: connect with ws:// and an Upgrade header.")
        return HttpResponse.error(404, f"Invalid URL ({request.method} {path})", "unknown_url")

    def _client_secrets(self, request: HttpRequest, path: str) -> HttpResponse:
        key = Visitor(request.target, request.header("authorization") or None, request.header("api-key") or None).key
        if self._rules.key is not None and key != self._rules.key:
            code = "invalid_api_key" if key else None
            return HttpResponse.error(
                401, "Incorrect API key provided." if key else "You didn't provide an API key.", code
            )
        try:
            body = json.loads(request.body) if request.body.strip() else None
        except (ValueError, RecursionError):
            return HttpResponse.error(400, "We could not parse the JSON body of your request.", "invalid_json")
        is_beta = path.endswith(_BETA_PATHS)
        if is_beta:
            body = beta_to_ga_secret_request(body or {}, transcription=path.endswith("/transcription_sessions"))
        made = self._secrets.mint(body, self._now())
        if isinstance(made, Problem):
            return HttpResponse.problem(400, made)
        return HttpResponse.json(200, ga_to_beta_secret(made) if is_beta else made)


def _page(facts: dict[str, Any]) -> str:
    rows = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in facts.items())
    return (
        "<!doctype html><meta charset=utf-8><title>rtnb local endpoint</title>"
        "<body style='font:16px system-ui;margin:3em'><h1>rtnb local endpoint</h1>"
        "<p>This is a realtime server for tests and lessons. Clients connect by WebSocket to "
        f"<code>/v1/realtime?model=gpt-realtime-2.1-mini</code>.</p><table>{rows}</table></body>"
    )
