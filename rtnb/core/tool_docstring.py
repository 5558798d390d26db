"""What a docstring says about a tool: its description, and a text for each parameter.

The numpy style is the house style; the styles of Google and of reStructuredText are read as well, since people bring
functions that they already have. Imports nothing of rtnb.
"""

from __future__ import annotations

import inspect
import re
import warnings
from typing import Final

__all__ = ["read_docstring", "warn_of_missing_docstring"]

_UNDERLINE: Final = re.compile(r"^\s*-{3,}\s*$")
_GOOGLE: Final = re.compile(
    r"^(Args|Arguments|Parameters|Params|Keyword Args|Keyword Arguments|Other Parameters|Attributes|"
    r"Returns?|Yields?|Raises|Examples?|Notes?|Warnings?|See Also|References|Todo):\s*$"
)
_GOOGLE_PARAMETERS: Final = frozenset(
    {"Args", "Arguments", "Parameters", "Params", "Keyword Args", "Keyword Arguments", "Other Parameters"}
)
_REST: Final = re.compile(r"^:(\w+)(?:\s+[^:]*)?:")
_REST_PARAMETER: Final = re.compile(
    r"^:(?:param|parameter|arg|argument|key|keyword)\s+(?:[^:]*\s)?\*{0,2}(\w+)\s*:\s*(.*)$"
)
_GOOGLE_ENTRY: Final = re.compile(r"^\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)$")
_NUMPY_ENTRY: Final = re.compile(r"^(\*{0,2}\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?::.*)?$")


def read_docstring(text: str | None) -> tuple[str, dict[str, str]]:
    """The description and the texts of the parameters.

    Parameters
    ----------
    text
        A docstring as it stands in the source; ``None`` and blank give an empty description.

    Returns
    -------
    tuple of (str, dict)
        All paragraphs before the first section, each joined to one line, paragraphs parted by a blank line; and for
        each parameter that is described, its text on one line.
    """
    lines = inspect.cleandoc(text or "").splitlines()
    start = next((index for index in range(len(lines)) if _starts_section(lines, index)), len(lines))
    description = "\n\n".join(_paragraphs(lines[:start]))
    return description, {**_numpy(lines), **_google(lines), **_rest(lines)}


def _starts_section(lines: list[str], index: int) -> bool:
    line = lines[index]
    if _is_numpy_title(lines, index) or _GOOGLE.match(line):
        return True
    return bool(_REST_PARAMETER.match(line)) or (
        (field := _REST.match(line)) is not None and field[1] in {"return", "returns", "rtype", "raises", "type"}
    )


def _is_numpy_title(lines: list[str], index: int) -> bool:
    title = lines[index]
    return (
        bool(title.strip())
        and not title.startswith(" ")
        and index + 1 < len(lines)
        and bool(_UNDERLINE.match(lines[index + 1]))
    )


def _paragraphs(lines: list[str]) -> list[str]:
    blocks = re.split(r"\n\s*\n", "\n".join(lines).strip())
    return [" ".join(block.split()) for block in blocks if block.strip()]


def _numpy(lines: list[str]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    names: list[str] = []
    inside = False
    for index, line in enumerate(lines):
        if _is_numpy_title(lines, index):
            inside, names = line.strip() in {"Parameters", "Other Parameters"}, []
        elif not inside or _UNDERLINE.match(line):
            continue
        elif line and not line.startswith(" "):
            entry = _NUMPY_ENTRY.match(line.rstrip())
            names = [name.strip().lstrip("*") for name in entry[1].split(",")] if entry else []
            found.update({name: [] for name in names})
        else:
            for name in names:
                found[name].append(line)
    return _joined(found)


def _google(lines: list[str]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    inside = False
    indent = 0
    current: list[str] | None = None
    for line in lines:
        if title := _GOOGLE.match(line):
            inside, indent, current = title[1] in _GOOGLE_PARAMETERS, 0, None
        elif not inside or not line.strip():
            continue
        elif not line.startswith((" ", "\t")):
            inside = False
        else:
            depth = len(line) - len(line.lstrip())
            indent = indent or depth
            entry = _GOOGLE_ENTRY.match(line.strip()) if depth <= indent else None
            if entry:
                current = found[entry[1]] = [entry[2]]
            elif current is not None:
                current.append(line)
    return _joined(found)


def _rest(lines: list[str]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in lines:
        if entry := _REST_PARAMETER.match(line):
            current = found[entry[1]] = [entry[2]]
        elif not line.startswith((" ", "\t")):
            current = None
        elif current is not None:
            current.append(line)
    return _joined(found)


def _joined(found: dict[str, list[str]]) -> dict[str, str]:
    texts = {name: " ".join(" ".join(lines).split()) for name, lines in found.items()}
    return {name: text for name, text in texts.items() if text}


def warn_of_missing_docstring(name: str) -> None:
    """Warn, at the user's own line, that a model has nothing but the name to pick this tool by.

    Parameters
    ----------
    name
        The tool.
    """
    level, frame = 1, inspect.currentframe()
    while frame is not None and str(frame.f_globals.get("__name__", "")).startswith("rtnb."):
        level, frame = level + 1, frame.f_back
    warnings.warn(
        f"Tool {name!r} has no docstring, so the model has only its name to pick it by. Say in one sentence what it "
        "does and when to use it.",
        UserWarning,
        stacklevel=level,
    )
