"""Programs that the tests need beside Python: a Chromium, and node.

node comes with the Playwright package. A Chromium is looked for, and installed when that is asked for.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MISSING = "no Chromium was found: run `uv run pytest --install-browser` once, or name one in CHROMIUM"


class ProgramMissing(Exception):
    """Its text says what to do."""


def find_chromium(environment: Mapping[str, str] = os.environ) -> str | None:
    """CHROMIUM, then what the PATH has, then Playwright's own."""
    named = environment.get("CHROMIUM")
    if named:
        found = shutil.which(named, path=environment.get("PATH"))
        if found is None:
            raise ProgramMissing(f"CHROMIUM names {named}, which is no program: correct it, or leave it out")
        return found
    for name in CHROMIUM_NAMES:
        found = shutil.which(name, path=environment.get("PATH", ""))
        if found is not None:
            return found
    return _playwrights()


def _playwrights() -> str | None:
    """Asked in a process of its own: Playwright's sync API leaves an event loop behind."""
    code = (
        "from playwright.sync_api import sync_playwright\n"
        "with sync_playwright() as p: print(p.chromium.executable_path)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    path = done.stdout.strip()
    return path if path and pathlib.Path(path).is_file() else None


def starts(program: str) -> bool:
    """Whether it runs here; a downloaded Chromium may lack the system's libraries."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        return subprocess.run([program, "--version"], capture_output=True, timeout=60, check=False).returncode == 0
    return False


def install_chromium() -> str:
    """Find one that starts, else install Playwright's own, else Debian's package."""
    found = find_chromium()
    if found is not None and starts(found):
        return found
    tried: list[str] = []
    if _run(tried, [sys.executable, "-m", "playwright", "install", "chromium"], limit=600):
        found = _playwrights()
        if found is not None and starts(found):
            return found
        tried.append("Playwright's Chromium is there, but does not start: libraries of the system are missing")
    as_root = _as_root()
    if shutil.which("apt-get") is None:
        tried.append("there is no apt-get here")
    elif as_root is None:
        tried.append("apt-get needs root, or sudo without a password")
    else:
        _run(tried, [*as_root, "apt-get", "update", "-q"], limit=300)
        _run(tried, [*as_root, "apt-get", "install", "-q", "-y", "--no-install-recommends", "chromium"], limit=900)
        found = shutil.which("chromium")
        if found is not None and starts(found):
            return found
    raise ProgramMissing(
        "no Chromium could be installed; install one by hand and name it in CHROMIUM. Tried:\n  " + "\n  ".join(tried)
    )


def _as_root() -> list[str] | None:
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return []
    if (
        shutil.which("sudo")
        and subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0
    ):
        return ["sudo", "-n"]
    return None


def _run(tried: list[str], command: Sequence[str], *, limit: float) -> bool:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=limit,
            env=environment,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        tried.append(f"{' '.join(command)}: {exc}")
        return False
    if done.returncode:
        last = [line for line in done.stdout.strip().splitlines() if line.strip()][-3:]
        tried.append(f"{' '.join(command)}: ended with {done.returncode}: {' / '.join(last)}")
    return done.returncode == 0


def find_node(environment: Mapping[str, str] = os.environ) -> str | None:
    """The one in the Playwright package, the same everywhere; else what the PATH has."""
    import playwright

    driver = pathlib.Path(playwright.__file__).parent / "driver"
    return shutil.which("node", path=str(driver)) or shutil.which("node", path=environment.get("PATH", ""))


def put_on_path(folder: pathlib.Path, name: str, program: str) -> None:
    """Let `program` be found by `name`, in this process and in those that it starts."""
    if shutil.which(name) == program:
        return
    if os.name == "nt":
        (folder / f"{name}.cmd").write_text(f'@"{program}" %*\n')
    else:
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec "{program}" "$@"\n')
        script.chmod(0o755)
    path = os.environ.get("PATH", "")
    if str(folder) not in path.split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([str(folder), path])
