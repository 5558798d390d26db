"""Azure's two paths and two kinds of credentials, base addresses, tokens, ephemeral keys."""

from __future__ import annotations

import asyncio
import traceback
from pathlib import Path
from typing import Any

import pytest

import rtnb
from rtnb.net.endpoints import Endpoint, resolve

TIMEOUT_S = 20.0
OPENAI = "sk-" + "ours" * 6
AZURE = "azure-" + "k" * 26
HOST = "lab.openai.azure.com"
SETTINGS = {"AZURE_OPENAI_ENDPOINT": f"https://{HOST}/", "AZURE_OPENAI_API_KEY": AZURE, "OPENAI_API_KEY": OPENAI}


def azure(endpoint: Any = "azure", *, environment: dict[str, str] | None = None, **options: Any) -> Endpoint:
    return resolve(endpoint, environment=SETTINGS if environment is None else environment, **options)


# ---- Azure -----------------------------------------------------------------------------------------------------------


def test_the_current_path_has_the_deployment_as_its_model_and_the_key_in_its_own_header() -> None:
    endpoint = azure(model="talk")
    assert endpoint.address == f"wss://{HOST}/openai/v1/realtime?model=talk"
    assert dict(endpoint.headers) == {"api-key": AZURE}
    assert (endpoint.kind, endpoint.dialect) == ("azure", "ga")
    assert "costs money" in endpoint.describe()
    assert "deployment talk" in endpoint.describe()
    assert AZURE not in endpoint.describe() + repr(endpoint) + repr(endpoint.headers)


def test_the_preview_path_has_a_version_and_speaks_the_beta() -> None:
    endpoint = azure(model="talk", api_version="2025-04-01-preview")
    assert endpoint.address == f"wss://{HOST}/openai/realtime?api-version=2025-04-01-preview&deployment=talk"
    assert endpoint.dialect == "beta"
    assert dict(endpoint.headers) == {"api-key": AZURE, "OpenAI-Beta": "realtime=v1"}


@pytest.mark.parametrize(
    ("url", "address"),
    [
        (f"https://{HOST}", f"wss://{HOST}/openai/v1/realtime?model=talk"),
        (f"https://{HOST}/openai/v1", f"wss://{HOST}/openai/v1/realtime?model=talk"),
        (f"wss://{HOST}/openai/v1/realtime?model=talk", f"wss://{HOST}/openai/v1/realtime?model=talk"),
        (
            f"wss://{HOST}/openai/realtime?api-version=2024-10-01-preview&deployment=talk",
            f"wss://{HOST}/openai/realtime?api-version=2024-10-01-preview&deployment=talk",
        ),
        ("https://x.cognitiveservices.azure.com", "wss://x.cognitiveservices.azure.com/openai/v1/realtime?model=talk"),
        ("https://x.openai.azure.us", "wss://x.openai.azure.us/openai/v1/realtime?model=talk"),
    ],
)
def test_azure_is_known_by_its_address(url: str, address: str) -> None:
    endpoint = azure(url, environment={**SETTINGS, "AZURE_OPENAI_DEPLOYMENT": "talk"})
    assert (endpoint.kind, endpoint.address) == ("azure", address)
    assert endpoint.key == AZURE


def test_all_of_it_can_stand_in_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RTNB_ENDPOINT", "azure")
    named = {**SETTINGS, "AZURE_OPENAI_DEPLOYMENT": "talk", "AZURE_OPENAI_API_VERSION": "2025-04-01-preview"}
    for name, value in named.items():
        monkeypatch.setenv(name, value)
    endpoint = rtnb.endpoint()
    assert "deployment=talk" in endpoint.address
    assert endpoint.dialect == "beta"
    monkeypatch.setenv("AZURE_OPENAI_API_VERSION", "preview")
    assert rtnb.endpoint().address == f"wss://{HOST}/openai/v1/realtime?model=talk"


def test_a_gateway_is_azure_when_the_environment_names_it() -> None:
    settings = {**SETTINGS, "AZURE_OPENAI_ENDPOINT": "https://gateway.example/ai/openai/v1/realtime"}
    endpoint = azure("wss://gateway.example/ai/openai/v1/realtime", environment=settings, model="talk")
    assert (endpoint.kind, endpoint.key) == ("azure", AZURE)
    assert azure("wss://other.example/v1/realtime", environment=settings).kind == "url"


def test_each_key_goes_to_its_own_service_alone() -> None:
    for url in ("wss://example.com/v1/realtime", "wss://openai.azure.com.example.com/", "wss://azure.example/"):
        assert azure(url).key is None
    assert azure("openai").key == OPENAI
    assert OPENAI not in str(dict(azure(model="talk").headers))
    with pytest.raises(rtnb.ConnectionFailed, match="https"):
        azure(f"ws://{HOST}/openai/v1/realtime", model="talk")


@pytest.mark.parametrize(
    ("missing", "reason", "words"),
    [
        ("AZURE_OPENAI_ENDPOINT", "endpoint", "AZURE_OPENAI_ENDPOINT is not set"),
        ("AZURE_OPENAI_API_KEY", "key", "AZURE_OPENAI_API_KEY"),
        ("AZURE_OPENAI_DEPLOYMENT", "model", "deployment"),
    ],
)
def test_what_is_missing_is_named(missing: str, reason: str, words: str) -> None:
    settings = {**SETTINGS, "AZURE_OPENAI_DEPLOYMENT": "talk"}
    del settings[missing]
    with pytest.raises(rtnb.ConnectionFailed, match=words) as caught:
        azure(environment=settings)
    assert caught.value.reason == reason
    with pytest.raises(rtnb.ConnectionFailed, match="is no address"):
        azure(environment={**SETTINGS, "AZURE_OPENAI_ENDPOINT": "lab"})


def test_tokens_are_fetched_for_each_connection() -> None:
    given = iter(["first", "second"])
    endpoint = azure(model="talk", token=lambda: next(given))
    assert dict(endpoint.started().headers) == {"Authorization": "Bearer first"}
    assert dict(endpoint.started().headers) == {"Authorization": "Bearer second"}
    assert "first" in azure(model="talk", token="first").started().secrets

    async def fetch() -> str:
        return "fetched"

    assert azure(model="talk", token=fetch).started().headers["Authorization"] == "Bearer fetched"
    settings = {name: value for name, value in SETTINGS.items() if name != "AZURE_OPENAI_API_KEY"}
    entra = azure(model="talk", environment={**settings, "AZURE_OPENAI_AD_TOKEN": "from-entra"})
    assert entra.headers["Authorization"] == "Bearer from-entra"


def test_asyncio_is_not_needed_to_fetch_a_token_but_may_run() -> None:
    async def inside() -> str:
        endpoint = azure(model="talk", token=lambda: "plain")
        return endpoint.headers["Authorization"]

    assert asyncio.run(inside()) == "Bearer plain"


def test_a_token_function_that_fails_is_told() -> None:
    def fails() -> str:
        raise LookupError("nobody is signed in")

    with pytest.raises(rtnb.ConnectionFailed, match="nobody is signed in") as caught:
        azure(model="talk", token=fails).started()
    assert caught.value.reason == "key"
    with pytest.raises(rtnb.ConnectionFailed, match="gave no token"):
        azure(model="talk", token=lambda: None).started()  # type: ignore[arg-type,return-value]


def test_a_session_with_azures_preview_speaks_the_beta_over_a_real_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    with rtnb.LocalEndpoint(beta=True, key=AZURE) as server:
        monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", f"http://127.0.0.1:{server.port}")
        monkeypatch.setenv("AZURE_OPENAI_API_KEY", AZURE)
        endpoint = rtnb.endpoint("azure", model="talk", api_version="2025-04-01-preview")
        with rtnb.Session(endpoint, output="text", transcription=None) as session:
            assert session.ask("What is 4 plus 6?", timeout=TIMEOUT_S).text
            assert session.capabilities.dialect == "beta"
        with rtnb.Session(rtnb.endpoint("azure", model="gpt-realtime"), output="text", transcription=None) as session:
            assert session.ask("hello", timeout=TIMEOUT_S).text
            assert session.capabilities.dialect == "ga"


def test_the_check_up_asks_azure_for_no_model_of_a_deployments_name() -> None:
    from rtnb.net.service_check import Answer, models_url, service_rows

    endpoint = azure(model="talk")
    assert models_url(endpoint) == f"https://{HOST}/openai/v1/models"
    assert [row.name for row in service_rows(endpoint, Answer(200, ("gpt-realtime",)))] == ["key"]
    (refused,) = service_rows(endpoint, Answer(401))
    assert "AZURE_OPENAI_API_KEY" in str(refused)


# ---- any address -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("http://127.0.0.1:8080", "ws://127.0.0.1:8080/v1/realtime"),
        ("http://127.0.0.1:8080/v1", "ws://127.0.0.1:8080/v1/realtime"),
        ("http://127.0.0.1:8080/v1/", "ws://127.0.0.1:8080/v1/realtime"),
        ("https://host.example/api/v1/realtime", "wss://host.example/api/v1/realtime"),
        ("https://api.openai.com/v1", "wss://api.openai.com/v1/realtime"),
        ("ws://127.0.0.1:8080/", "ws://127.0.0.1:8080/"),  # a WebSocket address is taken at its word
    ],
)
def test_a_base_address_becomes_that_of_its_realtime_api(given: str, url: str) -> None:
    assert resolve(given, environment={"OPENAI_API_KEY": OPENAI}).url == url


def test_openai_by_http_is_refused_as_its_key_could_be_read() -> None:
    with pytest.raises(rtnb.ConnectionFailed, match="wss"):
        resolve("http://api.openai.com/v1", environment={"OPENAI_API_KEY": OPENAI})


def test_further_headers_are_sent_and_those_that_are_secret_are_kept() -> None:
    endpoint = resolve("ws://127.0.0.1:9/", headers={"X-Api-Token": "t" * 9, "X-Team": "lab"}, environment={})
    assert endpoint.headers["X-Team"] == "lab"
    assert endpoint.secrets == ("t" * 9,)
    assert "ttt" not in repr(endpoint) + repr(endpoint.headers)


def test_the_dialect_is_an_argument_or_a_setting_and_never_openais() -> None:
    assert resolve("ws://127.0.0.1:9/", dialect="beta", environment={}).headers["OpenAI-Beta"] == "realtime=v1"
    assert resolve("ws://127.0.0.1:9/", environment={"RTNB_DIALECT": "beta"}).dialect == "beta"
    assert resolve("ws://127.0.0.1:9/", environment={}).dialect is None
    with pytest.raises(rtnb.ConnectionFailed, match="May 2026") as caught:
        resolve("openai", dialect="beta", key=OPENAI, environment={})
    assert caught.value.reason == "beta"
    with pytest.raises(rtnb.ConnectionFailed, match="dialect"):
        resolve("ws://127.0.0.1:9/", dialect="alpha", environment={})  # type: ignore[arg-type]


# ---- ephemeral keys --------------------------------------------------------------------------------------------------


def test_an_ephemeral_key_is_minted_and_opens_a_session() -> None:
    with rtnb.LocalEndpoint(key=OPENAI) as server:
        endpoint = rtnb.endpoint(server.url, key=OPENAI)
        secret = endpoint.client_secret({"instructions": "Be brief.", "output_modalities": ["text"]}, seconds=60)
        assert secret.value.startswith("ek_")
        assert secret.session["instructions"] == "Be brief."
        assert secret.value not in repr(secret)
        assert OPENAI not in repr(secret)
        with rtnb.Session(secret.endpoint, output="text") as session:
            assert session.ask("hello", timeout=TIMEOUT_S).text


def test_what_mints_no_key_says_why() -> None:
    with rtnb.LocalEndpoint(key=OPENAI) as server:
        with pytest.raises(rtnb.ConnectionFailed, match="Incorrect API key") as caught:
            rtnb.endpoint(server.url, key="wrong-" + "x" * 9).client_secret()
        assert caught.value.reason == "key"
        with pytest.raises(rtnb.ConnectionFailed, match="surprise"):
            rtnb.endpoint(server.url, key=OPENAI).client_secret({"surprise": 1})
        url = server.url
    with pytest.raises(rtnb.ConnectionFailed) as caught:
        rtnb.endpoint(url, key=OPENAI).client_secret()
    assert caught.value.reason == "network"
    assert OPENAI not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(rtnb.ConnectionFailed, match="beta"):
        rtnb.endpoint(url, dialect="beta").client_secret()


def test_azure_is_asked_at_its_own_path_with_its_own_header() -> None:
    from rtnb.net.client_secret import _rest_url

    assert _rest_url(azure(model="talk")) == f"https://{HOST}/openai/v1/realtime/client_secrets"
    assert _rest_url(azure("openai")) == "https://api.openai.com/v1/realtime/client_secrets"
