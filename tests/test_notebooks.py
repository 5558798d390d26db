"""The notebooks run from top to bottom with nothing there, and what is committed is what such a run gives."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from helpers_notebooks import (
    NOTEBOOKS,
    all_notebooks,
    code_cells,
    complaints,
    execute,
    keep_what_holds,
    masked,
    read,
    tidy,
)
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from rtnb.core.dialects import RENAMED

notebooks = pytest.mark.parametrize("path", all_notebooks(), ids=lambda path: path.stem)


def notebook(*sources: str, tags: tuple[str, ...] = ()) -> NotebookNode:
    cells = [new_code_cell(source, id=f"c{place}") for place, source in enumerate(sources)]
    for cell in cells:
        cell.metadata.tags = list(tags)
    return new_notebook(cells=cells)


def written(path: Path, *cells: NotebookNode) -> Path:
    nbformat.write(new_notebook(cells=[new_markdown_cell("# Ten minutes", id="top"), *cells]), path)
    return path


# ---- the notebooks ---------------------------------------------------------------------------------------------------


@pytest.mark.timeout(300)
@notebooks
def test_a_fresh_run_without_anything_gives_the_committed_outputs(path: Path) -> None:
    committed = read(path)
    fresh = execute(committed)
    for before, after in zip(code_cells(committed), code_cells(fresh), strict=True):
        assert masked(after) == masked(before), f"cell {after.id}: run .ci/notebooks {path.name}"
        assert after.execution_count == before.execution_count


@notebooks
def test_the_committed_notebook_is_clean(path: Path) -> None:
    assert not list(complaints(path))


@notebooks
def test_the_committed_notebook_is_as_the_tool_writes_it(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == nbformat.writes(tidy(read(path))) + "\n"


def test_the_lessons_lead_from_one_to_the_next() -> None:
    paths = all_notebooks()
    assert paths[0].name == "00_start_here.ipynb"
    start = "\n".join(cell.source for cell in read(paths[0]).cells)
    for path in paths[1:]:
        assert f"]({path.name})" in start, f"{path.name} is not linked from the first notebook"


def test_the_table_of_old_and_new_names_is_the_one_that_the_code_uses() -> None:
    text = "\n".join(cell.source for cell in read(NOTEBOOKS / "01_text.ipynb").cells)
    rows = re.findall(r"^\| `([^`]+)` \| `([^`]+)`", text, re.MULTILINE)
    assert dict(rows) == dict(RENAMED)


# ---- the tool --------------------------------------------------------------------------------------------------------


def test_a_run_sees_no_key_and_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-" + "x" * 24)
    monkeypatch.setenv("RTNB_ENDPOINT", "openai")
    done = execute(notebook("import os\nprint([name for name in os.environ if name[:4] in ('OPEN', 'RTNB')])"))
    assert done.cells[0].outputs[0].text == "[]\n"


def test_a_failing_cell_fails_the_run_unless_it_is_tagged() -> None:
    with pytest.raises(CellExecutionError):
        execute(notebook("1 / 0"))
    done = execute(notebook("1 / 0", "print('on it goes')", tags=("raises-exception",)))
    assert done.cells[0].outputs[0].traceback == ["ZeroDivisionError: division by zero"]
    assert done.cells[1].outputs[0].text == "on it goes\n"


def test_ids_ports_and_paths_become_the_same_in_each_run() -> None:
    done = [
        notebook("x"),
        notebook("x"),
    ]
    for each, (item, port) in zip(done, [("a1B2" * 5, 40123), ("z9Y8" * 5, 51234)], strict=True):
        text = f"item_{item} resp_{item} item_{item} ws://127.0.0.1:{port}/v1 {NOTEBOOKS}/data"
        each.cells[0].outputs = [new_output("stream", name="stdout", text=text)]
    first, second = (tidy(each).cells[0].outputs[0].text for each in done)
    assert first == second
    assert first.split()[0] == first.split()[2]
    assert first.endswith("ws://127.0.0.1:8765/v1 ./data")


def test_where_numbers_vary_the_committed_ones_stay() -> None:
    committed, fresh, other = (notebook("x", tags=("varies",)) for _ in range(3))
    for each, text in ((committed, "took 41 ms"), (fresh, "took 43.5 ms"), (other, "failed after 43 ms")):
        each.cells[0].outputs = [new_output("stream", name="stdout", text=text)]
    assert keep_what_holds(fresh, committed).cells[0].outputs[0].text == "took 41 ms"
    assert keep_what_holds(other, committed).cells[0].outputs[0].text == "failed after 43 ms"


@pytest.mark.parametrize(
    ("output", "complaint"),
    [
        (new_output("stream", name="stdout", text="sk-" + "x" * 24), "looks like a key"),
        (new_output("stream", name="stdout", text="in /home/ada/rtnb/x.py"), "path of somebody's machine"),
        (new_output("stream", name="stderr", text="Warning: beware"), "stderr"),
        (new_output("error", ename="ValueError", evalue="no", traceback=[]), "it failed: ValueError"),
        (
            new_output("display_data", data={"application/vnd.jupyter.widget-view+json": {"model_id": "1"}}),
            "widget state",
        ),
        (new_output("stream", name="stdout", text="x" * 200_000), "an output of"),
    ],
)
def test_a_bad_output_is_found(tmp_path: Path, output: NotebookNode, complaint: str) -> None:
    cell = new_code_cell("x", id="bad", execution_count=1, outputs=[output])
    found = list(complaints(written(tmp_path / "n.ipynb", new_markdown_cell("Words.", id="w"), cell)))
    assert len(found) == 1
    assert complaint in found[0]


def test_a_cell_without_words_a_long_one_and_two_runs_are_found(tmp_path: Path) -> None:
    cells = [
        new_code_cell("x\n" * 16, id="long", execution_count=1),
        new_code_cell("x", id="bare", execution_count=3),
    ]
    found = " / ".join(complaints(written(tmp_path / "n.ipynb", *cells)))
    assert "not from one clean run: [1, 3]" in found
    assert "cell long: more than 15 lines" in found
    assert "cell bare: no words stand before its code" in found


def test_a_link_to_nowhere_is_found(tmp_path: Path) -> None:
    path = written(tmp_path / "n.ipynb", new_markdown_cell("[on](99_nowhere.ipynb)", id="link"))
    assert list(complaints(path)) == ["cell link: there is no 99_nowhere.ipynb"]
