"""The tests' own programs: a missing browser fails in words, and is installed when that is asked for."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import helpers_programs
import pytest
from helpers_programs import ProgramMissing, find_chromium, find_node, install_chromium

TESTS = pathlib.Path(__file__).resolve().parent


def script(folder: pathlib.Path, name: str, text: str) -> pathlib.Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def pytest_without_a_browser(folder: pathlib.Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run one browser test, with the project's conftest, where there is no Chromium."""
    (folder / "test_it.py").write_text(
        "import pytest\n\n"
        "@pytest.mark.browser\n@pytest.mark.skipif(True, reason='would be skipped')\ndef test_a_page(): pass\n\n"
        "def test_no_page(): pass\n"
    )
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = browser: drives a real Chromium\n")
    (folder / "bin").mkdir()
    environment = {name: value for name, value in os.environ.items() if name not in ("CHROMIUM", "PYTEST_ADDOPTS")}
    environment |= {"PATH": str(folder / "bin"), "PLAYWRIGHT_BROWSERS_PATH": str(folder / "none")}
    environment |= {"PYTHONPATH": str(TESTS), **more}
    command = [sys.executable, "-m", "pytest", "-p", "conftest", "-p", "no:cacheprovider", *words, "test_it.py"]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=100, check=False
    )


def test_without_a_browser_its_tests_fail_and_say_what_to_run(tmp_path: pathlib.Path) -> None:
    done = pytest_without_a_browser(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 passed, 1 error" in done.stdout
    assert helpers_programs.MISSING in done.stdout


def test_a_named_browser_that_is_not_there_is_told(tmp_path: pathlib.Path) -> None:
    done = pytest_without_a_browser(tmp_path, CHROMIUM="/nowhere/chromium")
    assert "CHROMIUM names /nowhere/chromium, which is no program" in done.stdout


def test_where_none_can_be_installed_the_run_ends_in_words(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setattr(helpers_programs, "_playwrights", lambda: None)
    monkeypatch.setattr(helpers_programs, "_run", lambda tried, command, *, limit: tried.append(" ".join(command)))
    with pytest.raises(ProgramMissing, match=r"playwright install chromium\n.*no apt-get"):
        install_chromium()


def test_debians_package_is_taken_when_playwright_has_none(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(tmp_path, "apt-get", f'echo "$@" >> "{tmp_path}/log"; /bin/cp "{tmp_path}/ready" "{tmp_path}/chromium"')
    script(tmp_path, "ready", "echo Chromium 1")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setattr(helpers_programs, "_playwrights", lambda: None)
    monkeypatch.setattr(helpers_programs, "_as_root", list)
    run = helpers_programs._run
    monkeypatch.setattr(
        helpers_programs,
        "_run",
        lambda tried, command, *, limit: "playwright" not in command and run(tried, command, limit=limit),
    )
    assert install_chromium() == str(tmp_path / "chromium")
    assert (tmp_path / "log").read_text().splitlines() == [
        "update -q",
        "install -q -y --no-install-recommends chromium",
    ]


def test_one_that_starts_is_kept_and_one_that_does_not_is_not(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = script(tmp_path, "google-chrome", "echo Chrome 1")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    assert install_chromium() == str(good)
    script(tmp_path, "google-chrome", "exit 127")
    monkeypatch.setattr(helpers_programs, "_playwrights", lambda: None)
    monkeypatch.setattr(helpers_programs, "_run", lambda tried, command, *, limit: False)
    with pytest.raises(ProgramMissing):
        install_chromium()


def test_the_environments_choice_comes_first(tmp_path: pathlib.Path) -> None:
    script(tmp_path, "chromium", "")
    other = script(tmp_path, "my-browser", "")
    assert find_chromium({"PATH": str(tmp_path), "CHROMIUM": str(other)}) == str(other)
    assert find_chromium({"PATH": str(tmp_path)}) == str(tmp_path / "chromium")


def test_node_is_there_without_being_installed(node: str) -> None:
    assert find_node({"PATH": ""}) == node
    done = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=60, check=True)
    assert int(done.stdout.removeprefix("v").partition(".")[0]) >= 20


@pytest.mark.browser
def test_the_chromium_that_was_found_starts(chromium: str) -> None:
    assert helpers_programs.starts(chromium)
