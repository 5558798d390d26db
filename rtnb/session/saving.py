"""Saving a session as a recording.

Imports `rtnb.core`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from rtnb.core.saved_folder import write_folder

if TYPE_CHECKING:
    from rtnb.session.core import Core

__all__ = ["save"]


def save(core: Core, folder: str | os.PathLike[str], *, overwrite: bool) -> Path:
    """Write what has happened in a session so far; see `rtnb.Session.save`."""
    endpoint = core.endpoint
    entries = list(core.log)  # it may grow meanwhile
    return write_folder(
        folder,
        entries,
        list(core.sound.heard),
        about={
            "name": core.name,
            "endpoint": {"kind": endpoint.kind, "model": core.model},
            "asked": dict(core.asked_at),
        },
        origin=core.log.origin,
        keys=endpoint.secrets,
        overwrite=overwrite,
    )
