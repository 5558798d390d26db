"""A search in your own documents: the model answers from passages, and can say where they stand.

That is all there is to "retrieval": cut documents into passages, find those that fit the question, give them to the
model with their source. Here sqlite's full-text index (FTS5) finds them: by words, ranked by how rare and how close
they are, with word endings cut (*opens* finds *open*). No embeddings, no network. The index lives in memory and
follows the folder: a file that was changed is read again at the next question::

    session.tool(rtnb.toolbox.Documents("my_notes").search_documents)
    session.ask("What do my notes say about microphones?")

Imports `rtnb.core`.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from importlib import resources
from pathlib import Path
from typing import Any, Final

from rtnb.core.errors import ToolError

__all__ = ["Documents", "search_documents"]

_SUFFIXES: Final = frozenset({".md", ".txt"})
_PASSAGE_CHARS: Final = 700
_FILE_BYTES: Final = 5_000_000
_FILES: Final = 5_000
_COMMON: Final = frozenset(
    re.findall(
        r"\w+",
        """
        a about an and any are as at be by can could did do does for from had has have how i if in is it its me my of on
        or our please say should so tell than that the their them there these they this to was we were what when where
        which who why will with would you your
        """,
    )
)


class Documents:
    """A folder of text files to be searched; `search_documents` searches the sample ones.

    Parameters
    ----------
    folder
        Where the ``.md`` and ``.txt`` files are, also in folders below. Without one, the pages of a made-up museum.
    max_passages
        The most passages of a result.
    """

    def __init__(self, folder: str | Path | None = None, *, max_passages: int = 3) -> None:
        sample = resources.files("rtnb.toolbox").joinpath("data", "documents")
        self.folder = Path(folder) if folder is not None else Path(str(sample))
        if not self.folder.is_dir():
            raise NotADirectoryError(f"there is no folder {str(folder)!r}")
        self.max_passages = max_passages
        self._lock = threading.Lock()  # over the making of the index
        self._index = b""  # a whole database: each question opens a connection of its own, in whatever thread it is
        self._seen: dict[Path, tuple[int, int]] = {}  # what the index holds: file -> time of change, size

    def search_documents(self, query: str) -> dict[str, Any]:
        """Search the documents and get the passages that fit best, each with its source.

        Use it whenever the answer may stand in the documents: opening hours, tickets, rules, what a museum shows.
        Answer from the passages only, and name the source.

        Parameters
        ----------
        query
            What to look for: a question or a few words, for example "opening hours on Monday".
        """
        words = [word for word in re.findall(r"\w+", query.casefold()) if word not in _COMMON]
        if not words:
            raise ToolError("The query has no words to look for. Give a few words that may stand in the text.")
        # Each word in quotation marks is a plain word to FTS5, whatever it looks like.
        expression = " OR ".join(f'"{word}"' for word in words[:20])
        with closing(sqlite3.connect(":memory:")) as index:
            index.deserialize(self._refreshed())
            rows = index.execute(
                "SELECT text, source, line FROM passages WHERE passages MATCH ? "
                "ORDER BY bm25(passages, 1.0, 2.0) LIMIT ?",  # a section's title counts twice as much as the text
                (expression, self.max_passages),
            ).fetchall()
        result: dict[str, Any] = {
            "passages": [{"passage": text, "source": f"{source}, line {line}"} for text, source, line in rows]
        }
        if not rows:
            result["note"] = "Nothing in the documents fits. Try other words, or say that it is not there."
        return result

    def __repr__(self) -> str:
        return f"<Documents in {self.folder.name}>"

    def _refreshed(self) -> bytes:
        now = {path: (state.st_mtime_ns, state.st_size) for path in self._files() if (state := path.stat())}
        with self._lock:
            if not self._index or now != self._seen:
                self._index, self._seen = self._indexed(now), now
            return self._index

    def _indexed(self, paths: Iterable[Path]) -> bytes:
        with closing(sqlite3.connect(":memory:")) as index:
            index.execute(
                "CREATE VIRTUAL TABLE passages USING fts5(text, title, source UNINDEXED, line UNINDEXED, "
                "tokenize='porter unicode61 remove_diacritics 2')"
            )
            for path in paths:
                text = path.read_text(encoding="utf-8", errors="replace")
                source = path.relative_to(self.folder).as_posix()
                index.executemany(
                    "INSERT INTO passages VALUES (?, ?, ?, ?)",
                    [(passage, title, source, line) for passage, title, line in _passages(text)],
                )
            index.commit()
            return index.serialize()

    def _files(self) -> Iterator[Path]:
        inside = self.folder.resolve()
        count = 0
        for path in sorted(self.folder.rglob("*")):
            hidden = any(part.startswith(".") for part in path.relative_to(self.folder).parts)
            if path.suffix.lower() not in _SUFFIXES or hidden or not path.is_file():
                continue
            if not path.resolve().is_relative_to(inside) or path.stat().st_size > _FILE_BYTES:
                continue  # a link to elsewhere is not in the folder
            count += 1
            if count > _FILES:
                return
            yield path


def _passages(text: str) -> Iterator[tuple[str, str, int]]:
    """Passages with the title they stand under and the line they begin at: paragraphs, short ones joined."""
    title, start, lines = "", 1, list[str]()
    for number, line in enumerate([*text.splitlines(), ""], 1):
        heading = re.match(r"#{1,6}\s+(.*)", line)
        full = sum(map(len, lines)) > _PASSAGE_CHARS
        if lines and (heading or not line.strip() or full):
            yield from _cut(" ".join(lines), title, start)
            lines = []
        if heading:
            title = heading[1].strip()
        elif line.strip():
            start = start if lines else number
            lines.append(line.strip())


def _cut(passage: str, title: str, line: int) -> Iterator[tuple[str, str, int]]:
    for start in range(0, len(passage), 2 * _PASSAGE_CHARS):  # a paragraph may be one endless line
        yield passage[start : start + 2 * _PASSAGE_CHARS], title, line


search_documents = Documents().search_documents
