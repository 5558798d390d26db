"""``rtnb lab``: JupyterLab on the tutorials, on this machine only, always behind a token.

The kernels find the local endpoint in rtnb itself: it is embedded, and starts with the first session that asks for it.

Imports JupyterLab when it runs.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.resources
import os
import secrets
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rtnb.core.errors import RtnbError

__all__ = ["COPY", "run", "tutorials"]

COPY: Final = "rtnb-tutorials"
"""Where the tutorials of an installed rtnb are copied to, in the current folder."""

_USUAL_PORT: Final = 8888


def run(options: argparse.Namespace) -> int:
    """Run JupyterLab until Ctrl-C or SIGTERM; 0 when it ended as told."""
    folder = options.notebooks if options.notebooks is not None else tutorials()
    if not folder.is_dir():
        raise RtnbError(f"there is no folder {folder}: name one that is there with --notebooks DIR")
    port = _free_port(options.port)
    try:
        lab = importlib.import_module("jupyterlab.labapp").LabApp
    except ModuleNotFoundError as exc:
        raise RtnbError('JupyterLab is not installed: pip install "rtnb[tutorials]"') from exc
    token = secrets.token_hex(24)
    # Only kernels of this environment have this rtnb; a kernel "python3" of the user's own would come first.
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    server = lab.initialize_server(argv=_settings(folder.resolve(), port, token, opens=not options.no_browser))
    url = f"http://127.0.0.1:{port}/lab?token={token}"
    server.io_loop.add_callback(print, f"JupyterLab ready: {url}", flush=True)  # after it has begun to listen
    print(f"{folder.resolve()}; sessions use the {_endpoint(folder)}. Ctrl-C ends it.", file=sys.stderr)
    # Jupyter's own handler asks whether it is meant, and stands only where there is a terminal.
    signal.signal(signal.SIGINT, lambda *_: server.stop(from_signal=True))
    server.start()
    return 0


def tutorials() -> Path:
    """The folder of the tutorials: ``notebooks/`` of a clone, else a copy of the shipped ones, which keeps changes.

    Raises
    ------
    RtnbError
        None came with this rtnb.
    """
    package = Path(str(importlib.resources.files("rtnb")))
    clone = package.parent
    if (clone / "pyproject.toml").is_file() and (clone / "notebooks").is_dir():
        return clone / "notebooks"
    shipped = package / "tutorials"
    if not shipped.is_dir():
        raise RtnbError("no tutorials came with this rtnb: open a folder of your own with --notebooks DIR")
    copy = Path.cwd() / COPY
    for source in sorted(shipped.rglob("*")):
        target = copy / source.relative_to(shipped)
        if source.is_file() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    return copy


def _settings(folder: Path, port: int, token: str, *, opens: bool) -> list[str]:
    """Settings that win over the user's own files, as those of a command line do. They appear in no process list."""
    settings = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.base_url": "/",
        "ServerApp.root_dir": folder,
        "ServerApp.open_browser": opens,
        "Application.log_level": "WARN",
        "IdentityProvider.token": token,
        "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
    }
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # a container's only user
        settings["ServerApp.allow_root"] = True
    return [f"--{name}={value}" for name, value in settings.items()]


def _free_port(wanted: int | None) -> int:
    for port in (_USUAL_PORT, 0) if wanted is None else (wanted,):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)) as probe:
            return int(probe.getsockname()[1])
    raise RtnbError(f"port {wanted} is taken, or not for this user: give another --port (0 picks a free one)")


def _endpoint(folder: Path) -> str:
    """What a session in a notebook there will use, in words."""
    from rtnb.net.endpoints import resolve

    with _inside(folder):
        try:
            return resolve().describe()
        except RtnbError as exc:
            return f"endpoint that RTNB_ENDPOINT names, which is none: {exc}"


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    with contextlib.chdir(folder):  # a kernel looks for .env from its notebook upwards
        yield
