"""Dated facts about versions and models that are known to make trouble, and what to do about each.

Packages: what was measured or is documented, with the month. Models: when the service shuts them down. Both tables
are data; `package_findings` and `model_finding` are pure, the day is passed in.

Imports `rtnb.core.checkup`.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from rtnb.core.checkup import Row, Status

__all__ = [
    "MODEL_ENDS",
    "TROUBLE",
    "ModelEnd",
    "Trouble",
    "model_finding",
    "package_findings",
    "release",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A range of versions of one package, and what is wrong with it.

    Attributes
    ----------
    package : str
        As its distribution is called.
    since, before : tuple of int
        From this release on (inclusive), up to that one (exclusive); empty: without a bound.
    status : {"warning", "problem"}
        Whether rtnb works with it.
    what, fix : str
        What happens, and the command or step that ends it.
    as_of : str
        The month of the finding.
    only_loaded : bool
        It harms only where something imported it.
    """

    package: str
    since: tuple[int, ...] = ()
    before: tuple[int, ...] = ()
    status: Status = "warning"
    what: str
    fix: str
    as_of: str = "2026-11"
    only_loaded: bool = False


TROUBLE: Final = (
    Trouble(
        package="ipykernel",
        since=(7, 0),
        before=(7, 4),
        what="its cells can get stuck under a stream of widget messages (5 of 6 stress runs at 50 messages a second)",
        fix='pip install "ipykernel>=7.4", then restart the kernel',
    ),
    Trouble(
        package="ipykernel",
        before=(6, 29),
        what="older than any that was tried with rtnb",
        fix='pip install "ipykernel>=7.4", then restart the kernel',
    ),
    Trouble(
        package="nest_asyncio",
        only_loaded=True,
        what=(
            "archived; with ipykernel 7.4 “Run all” loses the cells after one with asyncio.run(), and on Python 3.12 "
            "and newer asyncio.timeout breaks"
        ),
        fix="restart the kernel and use %load_ext rtnb, which applies nest-asyncio2; a Session needs neither",
    ),
    Trouble(
        package="websockets",
        before=(15,),
        status="problem",
        what="too old: it knows no proxies of the environment, and names its options otherwise",
        fix='pip install "websockets>=15", then restart the kernel',
    ),
    Trouble(
        package="anywidget",
        before=(0, 9, 18),
        status="problem",
        what="too old for the widgets of rtnb: their sound belongs to a hook that it does not call",
        fix='pip install "anywidget>=0.9.18", restart the kernel and reload the page',
    ),
    Trouble(
        package="ipywidgets",
        before=(8, 1),
        status="problem",
        what="too old for the panel",
        fix='pip install "ipywidgets>=8.1", restart the kernel and reload the page',
    ),
    Trouble(
        package="jupyterlab_widgets",
        before=(3,),
        what="made for ipywidgets 7: widgets stay empty",
        fix='pip install "jupyterlab_widgets>=3" beside JupyterLab, restart it and reload the page',
    ),
    Trouble(
        package="jupyterlab",
        before=(4, 4),
        what="older than any that was tried with rtnb",
        fix='pip install "jupyterlab>=4.4", and start it anew',
    ),
    Trouble(
        package="notebook",
        before=(7,),
        what="the classic notebook gives no control channel to widgets, so audio may need widget messages",
        fix='pip install "notebook>=7.4", and start it anew',
    ),
    Trouble(
        package="jupyter-server-proxy",
        before=(4, 4),
        what="older than any that was tried with rtnb",
        fix='pip install "jupyter-server-proxy>=4.4" beside the Jupyter server, and start it anew',
    ),
)
"""Versions with known trouble. What is not listed was tried, or is newer than this table."""


@dataclass(frozen=True, slots=True)
class ModelEnd:
    """When the service shuts a model down.

    Attributes
    ----------
    pattern : str
        A regular expression that the whole name fits.
    day : datetime.date or None
        None: it is gone already; secondary sources differ about the day.
    instead : str
        What to use.
    as_of : str
        The month of the finding.
    """

    pattern: str
    day: datetime.date | None
    instead: str
    as_of: str = "2026-11"


MODEL_ENDS: Final = (
    ModelEnd(r"gpt-4o(-mini)?-realtime-preview(-\d{4}-\d{2}-\d{2})?", None, "gpt-realtime-2.1-mini"),
    ModelEnd(r"gpt-realtime(-2025-08-28)?", datetime.date(2027, 1, 20), "gpt-realtime-2.1"),
    ModelEnd(r"gpt-realtime-mini(-\d{4}-\d{2}-\d{2})?", datetime.date(2027, 1, 20), "gpt-realtime-2.1-mini"),
    ModelEnd(
        r"whisper-1|gpt-4o-transcribe(-diarize)?|gpt-4o-mini-transcribe(-2025-12-15)?",
        datetime.date(2027, 2, 26),
        "gpt-transcribe",
    ),
)
"""Shutdowns that are announced or done, as of November 2026. What is not listed has no known end."""

_SOON: Final = datetime.timedelta(days=90)


def release(version: str) -> tuple[int, ...]:
    """The numbers of a version: ``"7.4.0rc1"`` is ``(7, 4, 0)``; empty when it begins with none.

    Examples
    --------
    >>> release("7.4.0rc1") >= (7, 4)
    True
    """
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, found[0].split("."))) if found else ()


def package_findings(installed: Mapping[str, str], loaded: Collection[str] = ()) -> list[Row]:
    """One row for each installed version that is known to make trouble.

    Parameters
    ----------
    installed
        Versions by the name of the distribution.
    loaded
        Modules that something imported.
    """
    rows = []
    versions = {_plain(name): version for name, version in installed.items()}
    modules = {_plain(name) for name in loaded}
    for trouble in TROUBLE:
        name = _plain(trouble.package)
        version = versions.get(name)
        if version is None or (trouble.only_loaded and name not in modules):
            continue
        numbers = release(version)
        if numbers and trouble.since <= numbers and (not trouble.before or numbers < trouble.before):
            rows.append(Row(trouble.package, trouble.status, f"{version}: {trouble.what}", trouble.fix))
    return rows


def model_finding(model: str, today: datetime.date) -> Row:
    """Whether a model has an end, and when."""
    for end in MODEL_ENDS:
        if not re.fullmatch(end.pattern, model):
            continue
        fix = f'use {end.instead}, for example rtnb.Session(model="{end.instead}")'
        if end.day is None or end.day <= today:
            return Row("model", "problem", f"{model} was shut down", fix)
        words = f"{model} will be shut down on {end.day.isoformat()}"
        return Row("model", "warning" if end.day - today <= _SOON else "ok", words, fix)
    return Row("model", "ok", f"{model}; no shutdown is known (as of {MODEL_ENDS[0].as_of})")


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
