"""The plain HTTP requests of a relay: ephemeral tokens, health, metrics. Pure but for the clock that it is given.

May import `rtnb.core` and its neighbours in `rtnb.net`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from rtnb.net.relay_access import Access, Guest
from rtnb.net.relay_door import WebRequest, WebResponse
from rtnb.net.relay_limits import Breach
from rtnb.net.relay_metrics import Metrics

__all__ = ["Rest"]


class Rest:
    """The routes.

    Parameters
    ----------
    access
        Who may mint, and what pages may ask.
    metrics
        Shown at ``/metrics``.
    now
        Epoch seconds.
    describe
        What ``/healthz`` tells.
    breach
        The limit that a guest has met, if any.
    """

    def __init__(
        self,
        access: Access,
        metrics: Metrics,
        *,
        now: Callable[[], float],
        describe: Callable[[], dict[str, Any]],
        breach: Callable[[Guest], Breach | None],
    ) -> None:
        self._access, self._metrics = access, metrics
        self._now, self._describe, self._breach = now, describe, breach

    def answer(self, request: WebRequest) -> WebResponse:
        """Answer a request."""
        path = request.visitor.path
        if request.method in ("GET", "HEAD") and path == "/healthz":
            told = self._describe()
            answer = WebResponse.json(200 if told["status"] == "ok" else 503, told)
            return answer if request.method == "GET" else WebResponse(answer.status)
        origin = request.visitor.origin
        if not self._access.is_origin_allowed(origin):
            return WebResponse.error(403, "Pages of this origin may not use the relay.")
        headers = _cors(origin)
        if request.method == "OPTIONS":
            return WebResponse(204, headers=headers)
        if request.method == "GET" and path == "/metrics":
            if isinstance(self._access.judge(request.visitor, self._now()), str):
                return WebResponse.error(401, "The metrics are for those who have a token.")
            return WebResponse(200, self._metrics.text().encode(), "text/plain; version=0.0.4")
        if path.endswith("/realtime/client_secrets"):
            if request.method != "POST":
                return WebResponse.error(405, f"Invalid method for URL ({request.method} {path})", headers)
            return self._mint(request, headers)
        if request.method == "GET" and (path == "/" or path.endswith("/realtime")):
            return WebResponse.error(426, "This is a WebSocket: connect with ws:// and an Upgrade header.", headers)
        return WebResponse.error(404, "There is nothing here; try /v1/realtime.", headers)

    def _mint(self, request: WebRequest, headers: dict[str, str]) -> WebResponse:
        guest = self._access.judge(request.visitor, self._now())
        if isinstance(guest, str):
            return WebResponse.error(401, guest, headers)
        if not guest.may_mint:
            return WebResponse.error(403, "An ephemeral token mints no others.", headers)
        breach = self._breach(guest)
        if breach is not None:
            told = {"message": breach.message, "type": breach.code, "param": None, "code": breach.code}
            return WebResponse.json(429, {"error": told}, headers)
        try:
            body = orjson.loads(request.body) if request.body.strip() else None
        except ValueError:
            return WebResponse.error(400, "We could not parse the JSON body of your request.", headers)
        status, told = self._access.mint(body, self._now(), payer=guest.payer)
        return WebResponse.json(status, told, headers)


def _cors(origin: str | None) -> dict[str, str]:
    if origin is None:
        return {}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
        "Access-Control-Allow-Headers": "Authorization, Content-Type, api-key, OpenAI-Beta, OpenAI-Safety-Identifier",
        "Vary": "Origin",
    }
