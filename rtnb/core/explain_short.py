"""The cause and the remedy of an error in two sentences, for the text of the error itself.

Imports `rtnb.core.dialects`, `rtnb.core.explain_codes` and `rtnb.core.lint_tables`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from rtnb.core.dialects import RENAMED
from rtnb.core.explain_codes import CODES, Told
from rtnb.core.lint_tables import OLD, UNKNOWN

__all__ = ["in_words", "refusal", "renamed"]

_INDEX: Final = re.compile(r"\[\d+\]")


def renamed(name: str) -> Told | None:
    """What a name of the 2024 beta is called now; None for any other name."""
    new = RENAMED.get(name)
    if new is None:
        return None
    what = f"`{name}` was renamed to `{new}`; {OLD}."
    fix = f"Write `{new}`; `rtnb.lint(event)` shows the new form with your values."
    return what, "Code written for the 2024 beta.", fix


def refusal(code: str | None, kind: str | None, param: str | None) -> Told | None:
    """What an error of the service means; None when it is not known.

    Parameters
    ----------
    code, kind, param
        ``error.code``, ``error.type`` and ``error.param``.
    """
    if code == "unknown_parameter" and param:
        if (found := renamed(param)) is not None:
            return found
        path = _INDEX.sub("[]", param)
        for ending, (what, fix) in UNKNOWN.items():
            if path == ending or path.endswith("." + ending):
                return what, CODES[code][1], fix
    return CODES.get(str(code)) or CODES.get(str(kind))


def in_words(error: Mapping[str, Any]) -> str:
    """What to add to the server's own sentence; empty when nothing is known.

    Parameters
    ----------
    error
        The ``error`` of an event, or of a failed response.
    """
    code, kind, param = (value if isinstance(value := error.get(name), str) else None for name in _FIELDS)
    told = refusal(code, kind, param)
    return "" if told is None else f" That means: {told[0]} What to do: {told[2]}"


_FIELDS: Final = ("code", "type", "param")
