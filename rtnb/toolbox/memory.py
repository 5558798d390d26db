"""A memory that the model fills and the person sees: two tools that share an object.

A tool may be a method. `Memory` holds what was remembered, `Memory.set_memory` and `Memory.get_memory` are the tools,
and the object itself shows as a table at the end of a cell. With a file it remembers beyond the session::

    memory = rtnb.toolbox.Memory("memory.json")
    session = rtnb.Session(tools=memory.tools)
    session.ask("My favourite colour is blue.")
    memory

Imports `rtnb.core`.
"""

from __future__ import annotations

import json
import logging
import os
import re
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

from rtnb.core.errors import ToolError

__all__ = ["Memory", "get_memory", "set_memory", "shared_memory"]

_log = logging.getLogger(__name__)


class Memory(Mapping[str, str]):
    """What was remembered, by key; a mapping to read, changed by its tools.

    Parameters
    ----------
    path
        A JSON file to keep it in. It is written anew at each change, whole or not at all. When it is damaged, it is put
        aside under another name, the memory starts empty, and `problem` says so.

    Attributes
    ----------
    problem
        What went wrong with the file, in words; None when nothing did.
    on_change
        Called with the memory after each change, from the thread that made it.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = Path(path) if path is not None else None
        self.problem: str | None = None
        self.on_change: Callable[[Memory], None] | None = None
        self._watchers: tuple[Callable[[Memory], None], ...] = ()
        self._lock = threading.Lock()
        self._entries: dict[str, str] = self._load() if self.path is not None else {}

    def set_memory(self, key: str, value: str) -> dict[str, Any]:
        """Remember something about the user for later, for example their name or what they like.

        Use it whenever they tell you something worth remembering, or ask you to.

        Parameters
        ----------
        key
            A short name for it, in small letters with underscores, for example "favorite_color".
        value
            What to remember.
        """
        name = _key(key)
        with self._lock:
            self._replace({**self._entries, name: value})
        self._tell()
        return {"ok": True}

    def get_memory(self, key: str) -> dict[str, Any]:
        """Recall something that was remembered earlier. Use it when asked for what the user told you before.

        Parameters
        ----------
        key
            The name under which it was remembered, for example "favorite_color".
        """
        name = _key(key)
        if name not in self._entries:
            known = ", ".join(self._entries) or "nothing yet"
            raise ToolError(f"Nothing is remembered as {name!r}. Remembered are: {known}.")
        return {"key": name, "value": self._entries[name]}

    @property
    def tools(self) -> list[Callable[..., Any]]:
        """Both tools, to give to a session."""
        return [self.set_memory, self.get_memory]

    def watch(self, watcher: Callable[[Memory], None]) -> None:
        """Call `watcher` as `on_change` is, beside it; views that show the memory do so."""
        with self._lock:
            self._watchers = (*self._watchers, watcher)

    def unwatch(self, watcher: Callable[[Memory], None]) -> None:
        """Call it no more."""
        with self._lock:
            self._watchers = tuple(each for each in self._watchers if each != watcher)

    def clear(self) -> None:
        """Forget everything, in the file too."""
        with self._lock:
            self._replace({})
        self._tell()

    def __getitem__(self, key: str) -> str:
        return self._entries[_plain(key)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"<Memory {json.dumps(self._entries, ensure_ascii=False)}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(key)}</td><td>{escape(value)}</td></tr>" for key, value in self._entries.items()
        )
        body = rows or '<tr><td colspan="2"><i>nothing remembered yet</i></td></tr>'
        problem = f"<p>{escape(self.problem)}</p>" if self.problem else ""
        return f"<table><thead><tr><th>key</th><th>value</th></tr></thead><tbody>{body}</tbody></table>{problem}"

    def _replace(self, entries: dict[str, str]) -> None:
        """Write first, change then: after a failure file and memory still agree."""
        if self.path is not None:
            try:
                _write_whole(self.path, json.dumps(entries, ensure_ascii=False, indent=2) + "\n")
            except OSError as exc:
                raise ToolError(f"It could not be saved: {exc.strerror or type(exc).__name__}.") from exc
        self._entries = entries

    def _tell(self) -> None:
        for tell in (self.on_change, *self._watchers):
            if tell is not None:
                try:
                    tell(self)
                except Exception:  # noqa: BLE001 - a view that fails must not fail the tool
                    _log.exception("on_change of a memory failed")

    def _load(self) -> dict[str, str]:
        assert self.path is not None
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            if not isinstance(content, dict):
                raise ValueError("it holds no JSON object")  # noqa: TRY004 - caught below, with what json raises
            return {
                _key(str(key)): value if isinstance(value, str) else json.dumps(value) for key, value in content.items()
            }
        except FileNotFoundError:
            return {}
        except (ValueError, ToolError) as exc:
            aside = self.path.with_name(f"{self.path.name}.damaged")
            os.replace(self.path, aside)
            self.problem = f"{self.path.name} was damaged ({exc}); it was put aside as {aside.name}."
            _log.warning("%s", self.problem)
            return {}


def _key(key: str) -> str:
    """``"Favorite color "`` and ``"favorite_color"`` are one: models are not strict about it, and speech less so."""
    if name := _plain(key):
        return name
    raise ToolError("The key is empty. Give a short name, for example favorite_color.")


def _plain(key: str) -> str:
    return re.sub(r"[\s\-]+", "_", key.strip().casefold())


def _write_whole(path: Path, text: str) -> None:
    """Write beside, then rename: a crash leaves the old file or the new one, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


shared_memory = Memory()
"""The memory of the two functions below; it lasts as long as the kernel."""

set_memory = shared_memory.set_memory
get_memory = shared_memory.get_memory
