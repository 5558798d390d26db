"""Runs the notebooks offline, writes them back tidied, and says what is wrong with a committed one.

``.ci/notebooks`` is this file as a command; ``.ci/notebooks --check`` only compares. Theory of operation:

1. `execute` runs a copy in an empty folder, in a fresh kernel, without any key and without a ``.env`` above it: what
   comes out is what somebody sees who has nothing.
2. `tidy` takes out what differs between two such runs and means nothing: ids, ports, paths, widget state, versions.
3. What differs and means something (a time, a date) stands in a cell tagged ``varies``. There only the numbers may
   differ: `masked` hides them for comparing, and `keep_what_holds` leaves the committed output as it is.

So a run of unchanged notebooks changes no byte.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from rtnb.core.errors import redact

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"

CELL_TIMEOUT_S = 60
MOST_CODE_LINES = 15
MOST_NOTEBOOK_BYTES = 400_000
MOST_OUTPUT_BYTES = 100_000

_PRIVATE = re.compile(r"^(RTNB|OPENAI)_|KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
_STARTUP = '''
import threading

def wait_for_displays(result=None):
    """A reply grows in its cell from a thread; an executed notebook takes only what comes before the cell's end."""
    for thread in threading.enumerate():
        if thread.name == "rtnb display":
            thread.join(30)

get_ipython().events.register("post_run_cell", wait_for_displays)
'''


# ---- running ---------------------------------------------------------------------------------------------------------


def all_notebooks() -> list[Path]:
    return sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def execute(notebook: NotebookNode) -> NotebookNode:
    """A copy of it, run from top to bottom; raises nbclient's error at a failure that is not tagged."""
    notebook = copy.deepcopy(notebook)
    for cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
    with tempfile.TemporaryDirectory(prefix="rtnb-") as temporary:
        folder, ipython = Path(temporary, "notebooks"), Path(temporary, "ipython")
        shutil.copytree(NOTEBOOKS, folder, ignore=shutil.ignore_patterns("*.ipynb", ".*"))
        startup = ipython / "profile_default" / "startup"
        startup.mkdir(parents=True)
        (startup / "00-wait.py").write_text(_STARTUP)
        environment = {name: value for name, value in os.environ.items() if not _PRIVATE.search(name)}
        environment |= {"IPYTHONDIR": str(ipython), "PYTHONPATH": str(ROOT)}
        client = NotebookClient(
            notebook,
            timeout=CELL_TIMEOUT_S,
            kernel_name="python3",
            resources={"metadata": {"path": str(folder)}},
            record_timing=False,
            store_widget_state=False,
        )
        client.execute(env=environment)
        return tidy(notebook, folder)


# ---- tidying ---------------------------------------------------------------------------------------------------------


def tidy(notebook: NotebookNode, folder: Path = NOTEBOOKS) -> NotebookNode:
    """Without what differs between runs and means nothing; changes the notebook and gives it back."""
    clean = _Cleaner(folder)
    notebook.metadata = NotebookNode(
        kernelspec={"display_name": "Python 3", "language": "python", "name": "python3"},
        language_info={"name": "python"},
    )
    for cell in notebook.cells:
        tags = cell.metadata.get("tags")
        cell.metadata = NotebookNode(tags=tags) if tags else NotebookNode()
        if cell.cell_type == "code":
            cell.outputs = [_tidy_output(output, clean) for output in _joined(cell.outputs)]
    return notebook


class _Cleaner:
    """Gives every random id of a notebook another one, always the same in the same place."""

    def __init__(self, folder: Path) -> None:
        self._ids: dict[str, str] = {}
        places = {str(folder): ".", str(ROOT): "..", str(Path.home()): "~", tempfile.gettempdir(): "tmp"}
        self._places = {place: name for place, name in places.items() if len(place) > 1}

    def __call__(self, text: str) -> str:
        for place, name in self._places.items():
            text = text.replace(place, name)
        text = re.sub(r"\x1b\[[0-9;]*m", "", text)
        text = re.sub(r"\b(item|resp|event|sess|conv|call)_([A-Za-z0-9]{16,})\b", self._id, text)
        text = re.sub(r"(127\.0\.0\.1|localhost|\[::1\]):\d{4,5}", r"\1:8765", text)
        text = re.sub(r"\b0x[0-9a-f]{8,}\b", "0x7f0000000000", text)
        return re.sub(r"(expires_at['\"]?: )\d{10}", r"\g<1>1800000000", text)

    def _id(self, match: re.Match[str]) -> str:
        kind, old = match[1], match[2]
        if old not in self._ids:
            digest = hashlib.sha256(f"{len(self._ids)}".encode()).hexdigest()
            self._ids[old] = digest[: len(old)]
        return f"{kind}_{self._ids[old]}"


def _joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Streams of one name that follow each other as one: how they were cut depends on the moment."""
    joined: list[NotebookNode] = []
    for output in outputs:
        last = joined[-1] if joined else None
        if last is not None and output.output_type == "stream" == last.output_type and output.name == last.name:
            last.text += output.text
        else:
            joined.append(output)
    return joined


def _tidy_output(output: NotebookNode, clean: Callable[[str], str]) -> NotebookNode:
    if output.output_type == "stream":
        output.text = clean(output.text)
    elif output.output_type == "error":
        # Lines of rtnb in a traceback change with each version; the last line is what there is to learn.
        output.evalue = clean(output.evalue)
        output.traceback = [f"{output.ename}: {output.evalue}"]
    else:
        output.metadata = NotebookNode()
        for kind in [kind for kind in output.data if "widget" in kind]:
            del output.data[kind]
        for kind, value in output.data.items():
            if isinstance(value, str) and not kind.startswith("image/png"):
                output.data[kind] = clean(value)
    return output


def keep_what_holds(fresh: NotebookNode, committed: NotebookNode) -> NotebookNode:
    """Outputs of `fresh`, but the committed ones where the run says the same."""
    old = {cell.id: cell for cell in code_cells(committed)}
    for cell in code_cells(fresh):
        before = old.get(cell.id)
        if before is not None and before.source == cell.source and masked(before) == masked(cell):
            cell.outputs = before.outputs
    return fresh


def masked(cell: NotebookNode) -> list[Any]:
    """What must be the same in each run of a cell."""
    varies = "varies" in cell.metadata.get("tags", [])
    found: list[Any] = []
    for output in cell.outputs:
        if output.output_type == "stream":
            parts = {output.name: output.text}
        elif output.output_type == "error":
            parts = {"error": output.ename, "text": output.evalue}
        else:
            parts = dict(output.data)
        found.append({kind: _hidden(kind, text, varies) for kind, text in sorted(parts.items())})
    return found


def _hidden(kind: str, text: Any, varies: bool) -> Any:
    if kind.startswith(("image/", "audio/")) or "data:audio" in str(text):
        return "..."  # pictures and sounds differ by the version of what drew them
    return re.sub(r"\d+(?:[.,]\d+)*", "#", str(text)) if varies else text


# ---- judging ---------------------------------------------------------------------------------------------------------

_PATHS = re.compile(r"(?:^|[\s'\"(=])(/(?:home|Users|root|tmp|work|opt|usr|var|mnt)/\S+|[A-Z]:\\\S+)", re.MULTILINE)


def complaints(path: Path) -> Iterator[str]:
    """What is wrong with a committed notebook, without running it."""
    text, notebook = path.read_text(encoding="utf-8"), read(path)
    cells = list(code_cells(notebook))
    counts = [cell.execution_count for cell in cells]
    if counts != list(range(1, len(cells) + 1)):
        yield f"its outputs are not from one clean run: {counts}"
    if "widgets" in notebook.metadata or "widget-view" in text:
        yield "it holds widget state"
    if redact(text) != text:
        yield "something in it looks like a key"
    if len(text.encode()) > MOST_NOTEBOOK_BYTES:
        yield f"it has {len(text.encode())} bytes"
    if "minutes" not in notebook.cells[0].source:
        yield "its first cell does not say how long it takes"
    for place, cell in enumerate(notebook.cells):
        yield from (f"cell {cell.id}: {wrong}" for wrong in _cell_complaints(notebook, place, cell))


def _cell_complaints(notebook: NotebookNode, place: int, cell: NotebookNode) -> Iterator[str]:
    if cell.cell_type == "markdown":
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", cell.source):
            if "://" not in target and not (NOTEBOOKS / target).exists():
                yield f"there is no {target}"
        return
    if len(cell.source.splitlines()) > MOST_CODE_LINES:
        yield f"more than {MOST_CODE_LINES} lines"
    if place == 0 or notebook.cells[place - 1].cell_type != "markdown":
        yield "no words stand before its code"
    tags = cell.metadata.get("tags", [])
    for output in cell.outputs:
        if output.output_type == "error" and "raises-exception" not in tags:
            yield f"it failed: {output.ename}: {output.evalue}"
        if output.output_type == "stream" and output.name == "stderr":
            yield f"it wrote to stderr: {output.text[:200]}"
        shown = str(output)
        if len(shown) > MOST_OUTPUT_BYTES:
            yield f"an output of {len(shown)} characters"
        if found := _PATHS.search(shown):
            yield f"a path of somebody's machine: {found[1]}"


def code_cells(notebook: NotebookNode) -> Iterator[NotebookNode]:
    return (cell for cell in notebook.cells if cell.cell_type == "code")


# ---- the command -----------------------------------------------------------------------------------------------------


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Run the notebooks offline and write them back with tidied outputs.")
    parser.add_argument("paths", nargs="*", type=Path, help="notebooks; all when none is given")
    parser.add_argument("--check", action="store_true", help="write nothing, fail when something would change")
    options = parser.parse_args(arguments)
    failed = False
    for path in [given.resolve() for given in options.paths] or all_notebooks():
        committed = read(path)
        before = path.read_text(encoding="utf-8")
        try:
            after = nbformat.writes(keep_what_holds(execute(committed), committed)) + "\n"
        except CellExecutionError as error:
            sys.stdout.write(f"{path.name}: {error}\n")
            failed = True
            continue
        changed = before != after
        if changed and not options.check:
            path.write_text(after, encoding="utf-8")
        wrong = list(complaints(path))
        failed = failed or bool(wrong) or (changed and options.check)
        sys.stdout.write("\n  ".join([f"{path.name}: {'changed' if changed else 'unchanged'}", *wrong]) + "\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
