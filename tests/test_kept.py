"""A cell that shows a panel keeps what was said later, for those who open the notebook without a kernel."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers_notebooks import execute
from helpers_panel import shown
from helpers_session import TIMEOUT_S, Lab
from nbformat.v4 import new_code_cell, new_notebook

from rtnb.core.errors import ConnectionClosed
from rtnb.notebook import kept
from rtnb.notebook.panel import Panel

__all__ = ["shown"]

Show = Callable[[Any], Any]
FRANCE = "session.ask('What is the capital of France?').wait()"


class Cells:
    """What the cells of a notebook hold, by display id."""

    def __init__(self) -> None:
        self.written: list[tuple[str, str, bool]] = []
        self._changed = threading.Condition()

    def publish(self, bundle: dict[str, str], display_id: str, *, update: bool) -> None:
        with self._changed:
            self.written.append((display_id, bundle["text/html"], update))
            self._changed.notify_all()

    def until(self, text: str) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.written and text in self.written[-1][1], TIMEOUT_S)


@pytest.fixture
def cells(monkeypatch: pytest.MonkeyPatch) -> Cells:
    made = Cells()
    monkeypatch.setattr(kept, "_publish", made.publish)
    return made


@pytest.fixture
def lab() -> Iterator[Lab]:
    made = Lab()
    yield made
    made.close()


@pytest.mark.parametrize("end", ["session.close()", "session.panel.close()", "session.save('talk')"])
def test_a_cell_run_before_anything_was_said_holds_the_transcript_in_the_end(end: str) -> None:
    sources = ["import rtnb\nsession = rtnb.Session('local', output='text')\nsession", FRANCE + "\n" + end]
    done = execute(new_notebook(cells=[new_code_cell(source) for source in sources]))
    view, words = done.cells[0].outputs[-2:]
    assert "text/html" not in view.data, "an update of the widget's own output would build the widget again"
    assert "What is the capital of France?" in words.data["text/html"]
    assert "Paris" in words.data["text/html"]
    assert "Nothing was said yet" not in str(done.cells[0])


def test_a_panel_shown_twice_keeps_the_same_in_both_cells() -> None:
    sources = ["import rtnb\nsession = rtnb.Session('local', output='text')\nsession", "session.panel"]
    done = execute(new_notebook(cells=[new_code_cell(source) for source in [*sources, FRANCE + "\nsession.close()"]]))
    first, second = (cell.outputs[-1].data["text/html"] for cell in done.cells[:2])
    assert "Paris" in first
    assert first == second


def test_it_is_written_after_an_answer_and_when_the_connection_fails(lab: Lab, cells: Cells, shown: Show) -> None:
    session = lab.session("forty-two")
    panel: Panel = shown(session).panel
    panel._kept.show(panel.widget)
    cells.until("Nothing was said yet")
    session.ask("What is it?").wait()
    cells.until("forty-two")
    session._core.runner.call(_fail(session))
    cells.until("Session, failed")
    first, *later = cells.written
    assert not first[2]
    assert all(each[0] == first[0] and each[2] for each in later)


async def _fail(session: Any) -> None:
    await session._core.do_close()
    session._core.give_up(ConnectionClosed("it is gone", code=1006))


def test_a_picture_that_cannot_be_drawn_keeps_no_session_from_closing(
    lab: Lab, cells: Cells, shown: Show, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    session = lab.session("one")
    panel = shown(session).panel
    panel._kept.show(panel.widget)

    def fails(_: object) -> str:
        raise RuntimeError("no ink")

    monkeypatch.setattr(kept, "session_html", fails)
    session.close()
    assert "older picture" in caplog.text


def test_a_panel_that_nobody_was_shown_writes_nothing(lab: Lab, cells: Cells, shown: Show, tmp_path: Path) -> None:
    session = lab.session("one")
    panel = shown(session).panel
    session.ask("x").wait()
    session.save(tmp_path / "talk")
    panel.keep()
    session.close()
    assert cells.written == []
