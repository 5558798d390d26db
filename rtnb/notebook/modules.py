"""ES modules in parts: a notebook loads a widget's module from a blob address, where it can import nothing.

So a module may be written in several files that import each other by ``import { a, b } from "./part.js";``, each tested
by itself, and is joined into one text for the page. Names at the top of the parts of one module must differ.

Imports nothing of rtnb.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final

__all__ = ["joined"]

_IMPORT: Final = re.compile(r'^import (?:[^;"]* from )?"\./([\w.-]+)";\n', re.MULTILINE)
_EXPORT: Final = re.compile(r"^export (?=function|const|class|async)", re.MULTILINE)


@cache
def joined(path: Path) -> str:
    """The text of an ES module behind all that it imports from beside it, each once.

    Parameters
    ----------
    path
        The module that has the default export.
    """
    texts: dict[Path, str] = {}
    _collect(path, texts)
    main = texts.pop(path)
    return "\n".join([*(_EXPORT.sub("", text) for text in texts.values()), main])


def _collect(path: Path, texts: dict[Path, str]) -> None:
    text = path.read_text(encoding="utf-8")
    texts[path] = ""  # its place is kept for the case that two import each other
    for name in _IMPORT.findall(text):
        if path.with_name(name) not in texts:
            _collect(path.with_name(name), texts)
    del texts[path]
    texts[path] = _IMPORT.sub("", text)
