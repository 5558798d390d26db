"""Which endpoint a session uses, and which key goes where."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import rtnb
from rtnb.core.protocol import DEFAULT_MODEL
from rtnb.net.endpoints import OPENAI_URL, resolve
from rtnb.notebook import live

OURS = "sk-" + "ours" * 6
THEIRS = "their-" + "k" * 20


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No key, no setting, and no ``.env`` from here upwards that is not of the test."""
    for name in ("OPENAI_API_KEY", "RTNB_API_KEY", "RTNB_ENDPOINT", "RTNB_MODEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_with_nothing_it_is_the_local_endpoint() -> None:
    endpoint = resolve()
    assert (endpoint.kind, endpoint.model, endpoint.key) == ("local", DEFAULT_MODEL, None)
    assert "no key" in endpoint.describe()


def test_a_key_in_the_environment_means_openai(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f" {OURS}\n")
    endpoint = resolve()
    assert (endpoint.kind, endpoint.url, endpoint.model) == ("openai", OPENAI_URL, DEFAULT_MODEL)
    assert endpoint.headers["Authorization"] == f"Bearer {OURS}"
    assert "costs money" in endpoint.describe()
    assert OURS not in endpoint.describe()


def test_a_key_in_a_dotenv_file_means_openai_and_stays_out_of_the_environment(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f'OPENAI_API_KEY="{OURS}"\nRTNB_MODEL=gpt-other\n')
    below = tmp_path / "notebooks"
    below.mkdir()
    os.chdir(below)
    endpoint = resolve()
    assert (endpoint.kind, endpoint.key, endpoint.model) == ("openai", OURS, "gpt-other")
    assert "OPENAI_API_KEY" not in os.environ
    assert "RTNB_MODEL" not in os.environ


def test_the_environment_wins_over_the_dotenv_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text(f"OPENAI_API_KEY={THEIRS}\n")
    monkeypatch.setenv("OPENAI_API_KEY", OURS)
    assert resolve().key == OURS
    monkeypatch.setenv("OPENAI_API_KEY", "")
    assert resolve().key == THEIRS


def test_rtnb_endpoint_stands_in_for_the_argument_and_wins_over_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", OURS)
    monkeypatch.setenv("RTNB_ENDPOINT", "local")
    assert resolve().kind == "local"
    monkeypatch.setenv("RTNB_ENDPOINT", "ws://127.0.0.1:9/v1/realtime")
    assert resolve().url == "ws://127.0.0.1:9/v1/realtime"
    assert resolve("openai").kind == "openai"
    assert resolve("local").kind == "local"


@pytest.mark.parametrize(
    "url",
    [
        "wss://example.com/v1/realtime",
        "wss://api.openai.com.example.com/v1/realtime",
        "wss://api.openai.com@example.com/v1/realtime",
        "wss://example.com/api.openai.com",
        "wss://example.com/?host=api.openai.com",
        "ws://127.0.0.1:8765/v1/realtime",
        "wss://notapi.openai.com/v1/realtime",
    ],
)
def test_the_openai_key_goes_to_openai_alone(url: str) -> None:
    environment = {"OPENAI_API_KEY": OURS}
    endpoint = resolve(url, environment=environment)
    assert endpoint.kind == "url"
    assert OURS not in str(dict(endpoint.headers)) + endpoint.address
    assert resolve(url, environment={**environment, "RTNB_API_KEY": THEIRS}).key == THEIRS
    assert resolve(url, key=THEIRS, environment=environment).key == THEIRS


def test_openai_by_its_address_gets_its_key_and_only_over_tls() -> None:
    endpoint = resolve("wss://API.openai.com/v1/realtime", environment={"OPENAI_API_KEY": OURS, "RTNB_API_KEY": THEIRS})
    assert (endpoint.kind, endpoint.key) == ("openai", OURS)
    with pytest.raises(rtnb.ConnectionFailed, match="wss") as caught:
        resolve("ws://api.openai.com/v1/realtime", environment={"OPENAI_API_KEY": OURS})
    assert caught.value.reason == "endpoint"


def test_openai_without_a_key_says_where_to_put_one() -> None:
    with pytest.raises(rtnb.ConnectionFailed, match=r"OPENAI_API_KEY.*\.env.*local") as caught:
        rtnb.Session("openai")
    assert caught.value.reason == "key"


def test_a_running_local_endpoint_is_taken_with_its_key() -> None:
    with rtnb.LocalEndpoint(key=THEIRS) as running:
        endpoint = resolve(running, environment={"OPENAI_API_KEY": OURS})
        assert (endpoint.kind, endpoint.url) == ("local", running.url)
        assert endpoint.key != OURS
        assert "costs nothing" in endpoint.describe()


@pytest.mark.parametrize("wrong", ["ftp://example.com", "nonsense", 7, "wss://"])
def test_what_is_no_endpoint_is_told(wrong: object) -> None:
    with pytest.raises(rtnb.ConnectionFailed, match="is no endpoint") as caught:
        rtnb.Session(wrong)
    assert caught.value.reason == "endpoint"


def test_the_model_is_a_query_of_the_address_unless_the_address_says_otherwise() -> None:
    assert resolve("ws://h/v1?x=1", model="m", environment={}).address == "ws://h/v1?x=1&model=m"
    assert resolve("ws://h/v1?model=n", model="m", environment={}).address == "ws://h/v1?model=n"
    assert resolve("ws://h/v1?deployment=d", environment={}).address == "ws://h/v1?deployment=d"
    assert resolve("ws://h/", environment={"RTNB_MODEL": "e"}).model == "e"
    assert resolve("ws://h/", model="m", environment={"RTNB_MODEL": "e"}).model == "m"


def test_outside_a_kernel_a_session_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    rtnb.Session("local")
    assert capsys.readouterr().out == ""
    assert not live.in_kernel()
