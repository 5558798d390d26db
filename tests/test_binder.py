"""What Binder gets: repo2docker accepts the folder, and the same steps in a fresh environment run every notebook."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import nbformat
import pytest
from helpers_browser import free_port

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINDER = ROOT / "binder"
TOKEN = "t" * 24


def tracked(*patterns: str) -> list[str]:
    """Files that a clone has (also those that are about to be committed)."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    return [name for name in told.stdout.splitlines() if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A copy of what a clone has, in a place of its own."""
    folder = tmp_path_factory.mktemp("clone")
    for name in tracked():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    return folder


def test_repo2docker_accepts_the_folder(clone: pathlib.Path) -> None:
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug", "--user-id", "1000", "--user-name", "u"]
    done = subprocess.run([*command, str(clone)], capture_output=True, text=True, timeout=100, check=False)
    told = done.stdout + done.stderr
    assert done.returncode == 0, told[-3000:]
    assert 'pip install --no-cache-dir -r "binder/requirements.txt"' in told
    assert "postBuild" in told
    assert "binder/start" in told
    version = (BINDER / "runtime.txt").read_text().strip().removeprefix("python-")
    assert f"python={version}" in told or f"py-{version}" in told or f"environment.py-{version}" in told


def test_its_python_is_one_that_rtnb_takes_and_the_recogniser_has_wheels_for() -> None:
    text = (BINDER / "runtime.txt").read_text().strip()
    assert re.fullmatch(r"python-3\.1[123]", text)


def test_the_scripts_can_be_run_and_name_no_key() -> None:
    for name in ("postBuild", "start"):
        path = BINDER / name
        assert os.access(path, os.X_OK), name
        assert path.read_text().startswith("#!/bin/bash\n")
        assert subprocess.run(["bash", "-n", str(path)], timeout=30, check=False).returncode == 0
    done = subprocess.run(
        [str(BINDER / "start"), "bash", "-c", 'echo "$RTNB_ENDPOINT ${OPENAI_API_KEY-none}"'],
        env={**os.environ, "OPENAI_API_KEY": "sk-" + "x" * 24},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout == "local none\n"


def test_no_notebook_asks_for_a_key_by_itself() -> None:
    for name in tracked("notebooks/*.ipynb"):
        for cell in nbformat.read(ROOT / name, as_version=4).cells:
            if cell.cell_type == "code":
                code = "\n".join(line for line in cell.source.splitlines() if not line.lstrip().startswith("#"))
                assert not re.search(r"\binput\(|getpass\(", code), f"{name}: a cell would wait for a key"
                assert not re.search(r"OPENAI_API_KEY['\"]\]\s*=\s*['\"]sk-", cell.source), name


# ---- the same steps, here


@contextlib.contextmanager
def lab(python: pathlib.Path, clone: pathlib.Path, home: pathlib.Path) -> Iterator[str]:
    """JupyterLab of that environment, started as Binder starts it."""
    port = free_port()
    words = [str(python.with_name("jupyter")), "lab", "--ip=127.0.0.1", f"--port={port}", "--no-browser"]
    words += ["--allow-root", f"--IdentityProvider.token={TOKEN}", "--ServerApp.port_retries=0"]
    with (home / "lab.log").open("w+") as log:
        process = subprocess.Popen(
            [str(clone / "binder" / "start"), *words], cwd=clone, env=fresh(python, home), stdout=log, stderr=log
        )
        try:
            for _ in range(900):
                with contextlib.suppress(OSError):
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/status?token={TOKEN}", timeout=5):
                        pass
                    break
                assert process.poll() is None, (home / "lab.log").read_text()[-3000:]
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def fresh(python: pathlib.Path, home: pathlib.Path) -> dict[str, str]:
    """An environment that knows nothing of this checkout or of whoever runs the test."""
    kept = ("PATH", "LANG", "LC_ALL", "UV_CACHE_DIR", "TMPDIR", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
    found = {name: os.environ[name] for name in kept if name in os.environ}
    found["PATH"] = f"{python.parent}:{found.get('PATH', '/usr/bin:/bin')}"
    folders = {"HOME": home, "JUPYTER_CONFIG_DIR": home / "jupyter", "JUPYTER_RUNTIME_DIR": home / "runtime"}
    return {**found, **{name: str(path) for name, path in folders.items()}, "JUPYTER_PREFER_ENV_PATH": "1"}


@pytest.mark.timeout(900)
def test_the_same_steps_in_a_fresh_environment_run_every_notebook(clone: pathlib.Path, tmp_path: pathlib.Path) -> None:
    uv = shutil.which("uv")
    assert uv is not None, "uv is needed: pip install uv"
    home = tmp_path / "home"
    home.mkdir()
    python = tmp_path / "venv" / "bin" / "python"

    def run(*words: str, **more: str) -> str:
        done = subprocess.run(
            words,
            cwd=clone,
            env={**os.environ, **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        assert done.returncode == 0, f"{words}: {done.stdout[-2000:]}{done.stderr[-3000:]}"
        return done.stdout

    run(uv, "venv", "--quiet", "--python", sys.executable, str(python.parent.parent))
    run(uv, "pip", "install", "--quiet", "--python", str(python), "-r", "binder/requirements.txt")
    where = run(str(python), "-I", "-c", "import rtnb; print(rtnb.__file__)").strip()
    assert where.startswith(str(python.parent.parent)), where
    environment = fresh(python, home)
    done = subprocess.run(
        [str(clone / "binder" / "postBuild")],
        cwd=clone,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with lab(python, clone, home) as url:
        listed = urllib.request.urlopen(f"{url}/api/contents/notebooks/00_start_here.ipynb?token={TOKEN}", timeout=30)
        assert json.load(listed)["type"] == "notebook"

    def execute(name: str) -> str:
        words = [str(python.with_name("jupyter")), "execute", "--timeout=120", "--kernel_name=python3", name]
        done = subprocess.run(
            [str(clone / "binder" / "start"), *words],
            cwd=clone / "notebooks",
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        return "" if done.returncode == 0 else f"{name}: {done.stderr[-1500:]}"

    names = sorted(path.name for path in (clone / "notebooks").glob("[0-9]*.ipynb"))
    assert len(names) >= 4
    with ThreadPoolExecutor(2) as pool:
        failures = [failure for failure in pool.map(execute, names) if failure]
    assert failures == []
