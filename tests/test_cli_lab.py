"""`rtnb lab`: JupyterLab on this machine only, behind a token, with kernels that have rtnb."""

from __future__ import annotations

import json
import pathlib
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from helpers_cli import ROOT, Running, rtnb, running

from rtnb.commands.lab import tutorials


@pytest.fixture
def folders(tmp_path: pathlib.Path) -> dict[str, str]:
    """Jupyter's own folders, so that nothing of this user's settings is used or changed."""
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_SETTINGS_DIR", "IPYTHONDIR")
    return {name: str(tmp_path / name.lower()) for name in names} | {
        "JUPYTERLAB_WORKSPACES_DIR": str(tmp_path / "workspaces")
    }


@pytest.fixture
def notebooks(tmp_path: pathlib.Path) -> pathlib.Path:
    folder = tmp_path / "notebooks"
    folder.mkdir()
    (folder / "lesson.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    return folder


@pytest.fixture
def lab(tmp_path: pathlib.Path, notebooks: pathlib.Path, folders: dict[str, str]) -> Iterator[Running]:
    (tmp_path / "jupyter_config_dir").mkdir()
    (tmp_path / "jupyter_config_dir" / "jupyter_server_config.py").write_text(
        "c.ServerApp.ip = '0.0.0.0'\nc.IdentityProvider.token = ''\nc.ServerApp.base_url = '/mine/'\n"
    )
    words = ["lab", "--no-browser", "--port", "0", "--notebooks", str(notebooks)]
    with running(*words, cwd=tmp_path, env=folders) as command:
        yield command


def ready(command: Running) -> str:
    said, _, url = command.line(90).partition(": ")
    assert said == "JupyterLab ready"
    return url


def get(url: str, path: str, token: str | None) -> Any:
    parts = urlsplit(url)
    headers = {"Authorization": f"token {token}"} if token is not None else {}
    request = urllib.request.Request(f"{parts.scheme}://{parts.netloc}{path}", headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def test_its_token_opens_it_and_nothing_else_does_and_ctrl_c_ends_it(lab: Running) -> None:
    url = ready(lab)
    assert urlsplit(url).hostname == "127.0.0.1"
    (token,) = parse_qs(urlsplit(url).query)["token"]
    assert len(token) >= 32
    names = [entry["name"] for entry in get(url, "/api/contents", token)["content"]]
    assert names == ["lesson.ipynb"]
    for wrong in (None, "", token[:-1]):
        with pytest.raises(urllib.error.HTTPError) as refused:
            get(url, "/api/contents", wrong)
        assert refused.value.code == 403
        refused.value.close()
    with urllib.request.urlopen(url, timeout=30) as page:
        assert b"jupyter-config-data" in page.read()
    port = urlsplit(url).port
    assert port is not None
    with socket.socket() as elsewhere:  # another address of this machine, as all of 127/8 is on Linux
        elsewhere.settimeout(5)
        with pytest.raises(OSError, match=r"refused|assign|timed out"):
            elsewhere.connect(("127.0.0.2", port))
    code, error = lab.end(signal.SIGINT)
    assert code == 0
    assert "Traceback" not in error
    assert "local endpoint" in error


def test_a_key_beside_the_notebooks_is_announced_as_costing_money(
    tmp_path: pathlib.Path, notebooks: pathlib.Path, folders: dict[str, str]
) -> None:
    key = "sk-" + "z" * 24
    (notebooks / ".env").write_text(f"OPENAI_API_KEY={key}\n")
    words = ["lab", "--no-browser", "--port", "0", "--notebooks", str(notebooks)]
    with running(*words, cwd=tmp_path, env=folders) as command:
        ready(command)
        code, error = command.end(signal.SIGTERM)
    assert code == 0
    assert "costs money" in error
    assert key not in error


def test_a_port_that_is_taken_is_told_in_words(tmp_path: pathlib.Path, notebooks: pathlib.Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = rtnb("lab", "--no-browser", "--port", port, "--notebooks", str(notebooks), cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"rtnb lab: port {port} is taken")


def test_a_folder_that_is_not_there_is_told_in_words(tmp_path: pathlib.Path) -> None:
    done = rtnb("lab", "--no-browser", "--notebooks", "nowhere", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == "rtnb lab: there is no folder nowhere: name one that is there with --notebooks DIR\n"


def test_in_a_clone_the_tutorials_are_its_notebooks() -> None:
    assert tutorials() == ROOT / "notebooks"
