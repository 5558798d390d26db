"""Recordings as endpoints: what is given to a session may be one, or the folder of one.

Imports `rtnb.core`, the recordings only when one is given.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

__all__ = ["replayed"]

_NAMES: Final = ("local", "openai", "azure")
"""Endpoints, also where a folder is called so."""


def replayed(chosen: Any) -> Any:
    """A replay of `chosen`, when it is a recording or the folder of one; else `chosen` itself.

    Raises
    ------
    RtnbError
        The folder is no recording.
    """
    if isinstance(chosen, str):
        if chosen in _NAMES or "://" in chosen or not Path(chosen).expanduser().is_dir():
            return chosen
    elif not isinstance(chosen, os.PathLike) and not hasattr(chosen, "steps"):
        return chosen
    from rtnb.core.recorded import Recording, load

    if isinstance(chosen, (str, os.PathLike)):
        chosen = load(chosen)
    return chosen.endpoint() if isinstance(chosen, Recording) else chosen
