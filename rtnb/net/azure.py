"""Azure OpenAI: its two paths, its two kinds of credentials, and the names of its settings.

=============  =====================================================================================================
current path   ``wss://RESOURCE.openai.azure.com/openai/v1/realtime?model=DEPLOYMENT``, today's protocol
preview path   ``wss://RESOURCE.openai.azure.com/openai/realtime?api-version=...&deployment=DEPLOYMENT``, the 2024 beta
key            header ``api-key``, from ``key=`` or ``AZURE_OPENAI_API_KEY``
Entra token    header ``Authorization: Bearer``, from ``token=`` or ``AZURE_OPENAI_AD_TOKEN``
=============  =====================================================================================================

May import `rtnb.core` and `rtnb.net.endpoint`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

from rtnb.core.errors import ConnectionFailed
from rtnb.net.endpoint import Endpoint, Token

__all__ = ["from_address", "from_environment", "is_azure", "is_host"]

_HOSTS: Final = tuple(
    f".{service}.{cloud}"
    for service in ("openai", "cognitiveservices", "services.ai")
    for cloud in ("azure.com", "azure.us", "azure.cn")
)
_PATH: Final = "/openai/v1/realtime"
_PREVIEW_PATH: Final = "/openai/realtime"


def is_host(parts: SplitResult) -> bool:
    """Whether this is a resource of Azure, by its host name."""
    return (parts.hostname or "").endswith(_HOSTS)


def is_azure(parts: SplitResult, settings: Mapping[str, str]) -> bool:
    """Whether an address is Azure's: by its host, or because ``AZURE_OPENAI_ENDPOINT`` names the same host."""
    named = settings.get("AZURE_OPENAI_ENDPOINT")
    return is_host(parts) or bool(named and urlsplit(named).netloc == parts.netloc)


def from_environment(
    settings: Mapping[str, str],
    *,
    model: str | None,
    key: str | None,
    token: Token | None,
    api_version: str | None,
) -> Endpoint:
    """The endpoint that the ``AZURE_OPENAI_...`` settings name.

    Raises
    ------
    ConnectionFailed
        One of them is missing.
    """
    named = settings.get("AZURE_OPENAI_ENDPOINT", "")
    try:
        parts = urlsplit(named)
        is_address = parts.scheme in ("https", "wss", "http", "ws") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        what = "is no address" if named else "is not set"
        raise ConnectionFailed(
            f"AZURE_OPENAI_ENDPOINT {what}: set it to https://RESOURCE.openai.azure.com, in the environment or in a "
            "file .env; or give that address as the endpoint",
            reason="endpoint",
        )
    return from_address(parts, settings, model=model, key=key, token=token, api_version=api_version)


def from_address(
    parts: SplitResult,
    settings: Mapping[str, str],
    *,
    model: str | None,
    key: str | None,
    token: Token | None,
    api_version: str | None,
) -> Endpoint:
    """The endpoint at an address of Azure, complete or only its host.

    Raises
    ------
    ConnectionFailed
        The deployment or the credentials are missing, or the address is not encrypted.
    """
    parts = parts._replace(scheme=parts.scheme.replace("http", "ws"))
    if parts.scheme != "wss" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise ConnectionFailed(
            "Azure is reached by https:// or wss:// only: over others the key could be read", reason="endpoint"
        )
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    version = api_version or query.get("api-version") or settings.get("AZURE_OPENAI_API_VERSION")
    deployment = (
        model or query.get("deployment") or query.get("model") or settings.get("AZURE_OPENAI_DEPLOYMENT") or None
    )
    if not deployment:
        raise ConnectionFailed(
            "Azure needs the name of your deployment: give model=..., or set AZURE_OPENAI_DEPLOYMENT", reason="model"
        )
    is_preview = version is not None and version not in ("v1", "preview")  # those two name the current path
    if is_preview:
        query = {**query, "api-version": str(version), "deployment": deployment}
        query.pop("model", None)
    else:
        for name in ("api-version", "deployment", "model"):
            query.pop(name, None)
    path = parts.path if parts.path.endswith("/realtime") else _PREVIEW_PATH if is_preview else _PATH
    url = urlunsplit(parts._replace(path=path, query=urlencode(query), fragment=""))
    if key is None and token is None:
        token = settings.get("AZURE_OPENAI_AD_TOKEN") or None
        key = settings.get("AZURE_OPENAI_API_KEY") or None
        token = None if key else token
    if key is None and token is None:
        raise ConnectionFailed(
            "Azure needs a key or a token: set AZURE_OPENAI_API_KEY (or AZURE_OPENAI_AD_TOKEN) in the environment or "
            'in a file .env, or give key=... or rtnb.endpoint("azure", token=...)',
            reason="key",
        )
    return Endpoint(
        "azure",
        url,
        deployment,
        key.strip() if key else None,
        # an ephemeral secret is a bearer token wherever it goes
        key_header="Authorization" if key is None or key.startswith("ek_") else "api-key",
        token=token,
        dialect="beta" if is_preview else "ga",
    )
