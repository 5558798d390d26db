"""What the check-up gathers, as values: about the kernel, about the page, about the ways between them.

Imports nothing of rtnb.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

__all__ = ["HOSTED", "Kernel", "Lane", "Page"]

HOSTED: Final = {
    "binder": "Binder",
    "jupyterhub": "JupyterHub",
    "colab": "Google Colab",
}
"""Places whose machine is not the user's, by the name that `Kernel.place` has for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """What this process knows of its surroundings.

    Attributes
    ----------
    place : str
        ``"notebook"`` (some kernel), ``"vscode"``, ``"colab"``, ``"binder"``, ``"jupyterhub"``, ``"marimo"``,
        ``"ipython"`` or ``"python"``.
    devices : int or None
        Microphones of the kernel's machine; None when they cannot be counted.
    devices_note : str
        Why they cannot.
    can_read_clips, can_speak : bool
        Whether sound files are read, and whether there is a local voice.
    """

    place: str = "python"
    devices: int | None = None
    devices_note: str = ""
    can_read_clips: bool = True
    can_speak: bool = True

    @property
    def has_page(self) -> bool:
        """Whether there can be a page at all."""
        return self.place not in ("ipython", "python")

    @property
    def is_remote(self) -> bool:
        """Whether its machine is known not to be the user's."""
        return self.place in HOSTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What the page told of itself.

    Attributes
    ----------
    app, version : str
        The front end's own name and version; empty when it does not say.
    browser : str
        Its name and version.
    host : str
        Where the page comes from.
    secure, vscode, colab, media, policy, worklet : bool
        A secure context; a webview of VS Code; Colab; whether it offers microphones; whether the server's headers
        allow one; whether it has an AudioWorklet.
    permission : str
        ``"granted"``, ``"prompt"``, ``"denied"`` or ``"unknown"``.
    microphones : int
        -1: not known.
    """

    app: str = ""
    version: str = ""
    browser: str = ""
    host: str = ""
    secure: bool = True
    vscode: bool = False
    colab: bool = False
    media: bool = True
    policy: bool = True
    worklet: bool = True
    permission: str = "unknown"
    microphones: int = -1

    @classmethod
    def from_message(cls, facts: Mapping[str, Any]) -> Page:
        """Take what a page sent; what is missing or of another type is left at its default."""
        known: dict[str, Any] = {}
        for field in fields(cls):
            value, default = facts.get(field.name), field.default
            if isinstance(value, str) and isinstance(default, str):
                known[field.name] = value[:200]
            elif type(value) is type(default):
                known[field.name] = value
        return cls(**known)

    @property
    def is_local(self) -> bool:
        """Whether its address is this machine's."""
        name = self.host.rsplit(":", 1)[0].strip("[]")
        return name in ("localhost", "::1") or name.startswith("127.")


@dataclass(frozen=True, slots=True)
class Lane:
    """One way for audio between page and kernel.

    Attributes
    ----------
    name : str
        ``"websocket"``, ``"proxy"``, ``"control"`` or ``"comm"``.
    ms : float or None
        Its round trip; None when it does not work.
    why : str
        Why it does not.
    up, down : bool or None
        Whether bytes arrived whole in the kernel, and in the page; None: not tried.
    """

    name: str
    ms: float | None = None
    why: str = ""
    up: bool | None = None
    down: bool | None = None
