"""What a service says of a key and a model without being paid for it: ``GET /v1/models``.

The key goes only to the host of the endpoint it belongs to, redirects are not followed, and no text that comes out of
here holds it.

Imports `rtnb.core` and `rtnb.net.endpoints`; httpx when it asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit, urlunsplit

from rtnb.core.checkup import Row
from rtnb.core.errors import redact
from rtnb.net.endpoints import Endpoint

if TYPE_CHECKING:
    import httpx

__all__ = ["Answer", "ask_models", "models_url", "service_rows"]

_SCHEMES: Final = {"ws": "http", "wss": "https"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes
    ----------
    status : int
        HTTP status; 0 when there was no answer.
    models : tuple of str
        Their names; empty when the answer lists none.
    said : str
        The service's or the network's own words about a failure, without any key.
    """

    status: int
    models: tuple[str, ...] = ()
    said: str = ""


def models_url(endpoint: Endpoint) -> str | None:
    """Where its models are listed; None when its address does not tell."""
    parts = urlsplit(endpoint.url)
    path = parts.path.rstrip("/")
    if parts.scheme not in _SCHEMES or not path.endswith("/v1/realtime"):
        return None
    netloc = parts.netloc.rpartition("@")[2]
    return urlunsplit((_SCHEMES[parts.scheme], netloc, path.removesuffix("realtime") + "models", "", ""))


def ask_models(endpoint: Endpoint, *, timeout: float = 5.0, transport: httpx.BaseTransport | None = None) -> Answer:
    """Ask for the list of models, with the endpoint's own key; a failure is an answer too.

    Parameters
    ----------
    endpoint
        A started one.
    timeout
        Seconds.
    transport
        Instead of the network.
    """
    import httpx

    url = models_url(endpoint)
    if url is None:
        return Answer(0, said="its address does not tell where the models are listed")
    try:
        with httpx.Client(timeout=timeout, transport=transport, trust_env=not endpoint.is_loopback) as client:
            response = client.get(url, headers=dict(endpoint.headers))
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, OSError) as exc:
        return Answer(0, said=redact(str(exc) or type(exc).__name__, *endpoint.secrets))
    try:
        body: Any = response.json()
    except ValueError:
        body = None
    names: tuple[str, ...] = ()
    said = ""
    if isinstance(body, dict):
        data, error = body.get("data"), body.get("error")
        if isinstance(data, list):
            names = tuple(str(each["id"]) for each in data if isinstance(each, dict) and "id" in each)
        if isinstance(error, dict):
            said = redact(str(error.get("message") or error.get("code") or ""), *endpoint.secrets)
    return Answer(response.status_code, names, said[:300])


def service_rows(endpoint: Endpoint, answer: Answer) -> list[Row]:
    """What the answer says about the key and the model, as rows."""
    host = urlsplit(endpoint.url).netloc.rpartition("@")[2]
    if models_url(endpoint) is None:
        return [Row("key", "ok", f"not asked: {host} does not tell where its models are listed")]
    said = f" ({answer.said})" if answer.said else ""
    if answer.status == 200:
        rows = [
            Row("key", "ok", f"{host} accepts it") if endpoint.key else Row("key", "ok", f"{host} answers without one")
        ]
        if endpoint.model and answer.models and endpoint.kind != "azure":  # there it names a deployment, not a model
            rows.append(_model_row(endpoint.model, answer.models))
        return rows
    if answer.status == 401:
        what = "the key was refused" if endpoint.key else "a key is wanted, and there is none"
        return [Row("key", "problem", f"{what} by {host}{said}", _key_fix(endpoint))]
    if answer.status == 403:
        fix = "ask the owner of the project, or use a key of another one"
        return [Row("key", "problem", f"{host} knows the key, but it may not be used for this{said}", fix)]
    if answer.status == 429:
        return [
            Row("key", "warning", f"{host} takes no more requests now{said}", "wait a little, and look at its limits")
        ]
    if answer.status in (404, 405):
        return [Row("key", "ok", f"not asked: {host} lists no models; a session will show whether it is accepted")]
    if answer.status:
        fix = "try again soon; a session will show whether it works"
        return [Row("key", "warning", f"{host} answered with HTTP {answer.status}{said}", fix)]
    fix = "check the network and the proxy settings (https_proxy, no_proxy)"
    return [Row("network", "problem", f"{host} was not reached{said}", fix)]


def _model_row(model: str, known: tuple[str, ...]) -> Row:
    if model in known:
        return Row("model", "ok", f"{model} is available with this key")
    others = sorted(name for name in known if "realtime" in name)[:6]
    fix = f"give Session(model=...), one of {', '.join(others)}" if others else "give Session(model=...)"
    return Row("model", "problem", f"{model} is not among the models of this key", fix)


def _key_fix(endpoint: Endpoint) -> str:
    name = {"openai": "OPENAI_API_KEY", "azure": "AZURE_OPENAI_API_KEY"}.get(endpoint.kind, "RTNB_API_KEY")
    return f"check {name} (environment, or .env beside the notebook) for missing or additional characters"
