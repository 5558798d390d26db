"""What all tests share: a Chromium and node, Hypothesis' profiles, and no key of the person who runs them.

A test that needs a browser is marked ``browser``. Where none is found it fails, and says what to run.
"""

from __future__ import annotations

import os
import pathlib
import tempfile

import pytest
from helpers_programs import MISSING, ProgramMissing, find_chromium, find_node, install_chromium, put_on_path
from hypothesis import settings

# A machine that others use too may be slow for a while, and that is no failure. CI draws the same examples each time.
settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")

# No test may reach a paid service, or find somebody's settings.
for _name in ("OPENAI_API_KEY", "RTNB_API_KEY", "RTNB_CHAT_KEY", "RTNB_MODEL"):
    os.environ.pop(_name, None)
os.environ["RTNB_ENDPOINT"] = "local"  # also where the clone has a .env with a key

_CHROMIUM = pytest.StashKey[str | None]()
_WHY_NOT = pytest.StashKey[str]()
_FOLDER = pytest.StashKey[tempfile.TemporaryDirectory[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--install-browser",
        action="store_true",
        help="install a Chromium where none is found: Playwright's own, else Debian's package",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Before any test module is imported: they look for the programs when they are."""
    found: str | None = None
    why_not = MISSING
    try:
        found = install_chromium() if config.getoption("--install-browser") else find_chromium()
    except ProgramMissing as exc:
        if config.getoption("--install-browser"):
            raise pytest.UsageError(str(exc)) from exc
        why_not = str(exc)
    config.stash[_CHROMIUM], config.stash[_WHY_NOT] = found, why_not
    config.stash[_FOLDER] = tempfile.TemporaryDirectory(prefix="rtnb-programs-")
    folder = pathlib.Path(config.stash[_FOLDER].name)
    for name, program in (("chromium", found), ("node", find_node())):
        if program is not None:
            put_on_path(folder, name, program)
    if found is not None:
        os.environ["CHROMIUM"] = found


def pytest_unconfigure(config: pytest.Config) -> None:
    folder = config.stash.get(_FOLDER, None)
    if folder is not None:
        folder.cleanup()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail a browser test that has no browser, before any other mark could skip it."""
    if item.get_closest_marker("browser") and item.config.stash[_CHROMIUM] is None:
        pytest.fail(item.config.stash[_WHY_NOT], pytrace=False)


def pytest_report_header(config: pytest.Config) -> list[str]:
    return [f"chromium: {config.stash[_CHROMIUM] or 'none'}", f"node: {find_node() or 'none'}"]


@pytest.fixture(scope="session")
def chromium(pytestconfig: pytest.Config) -> str:
    """Path of a Chromium; a test that uses it is marked ``browser``."""
    found = pytestconfig.stash[_CHROMIUM]
    if found is None:
        pytest.fail(pytestconfig.stash[_WHY_NOT], pytrace=False)
    return found


@pytest.fixture(scope="session")
def node() -> str:
    """Path of node."""
    found = find_node()
    if found is None:
        pytest.fail("node was not found: it comes with the package playwright, so run `uv sync`", pytrace=False)
    return found
