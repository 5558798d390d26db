"""Consent to a tool in JupyterLab: an input field while a cell waits, buttons under the asking cell while none does."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("playwright")
pytest.importorskip("jupyterlab")
from helpers_browser import Notebook, open_notebook, running_browser, running_lab

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

SETUP = """
import rtnb
import rtnb.notebook.approval as approval
ran = []

@rtnb.tool(confirm=True)
def calculate_sum(a: float, b: float) -> float:
    "Add two numbers. Use it when asked to add."
    ran.append((a, b))
    return a + b

session = rtnb.Session("local", output="text", tools=[calculate_sum]).connect()
"""

HOLDERS = """(name) => [...document.querySelectorAll('.jp-Notebook .jp-Cell')]
  .filter((cell) => [...cell.querySelectorAll('button')].some((each) => each.innerText.trim() === name))
  .map((cell) => cell.querySelector('.jp-InputArea').innerText)"""


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    folder: pathlib.Path = tmp_path_factory.mktemp("approval")
    with running_lab(folder) as lab, running_browser() as browser:
        opened = open_notebook(browser.new_context(), lab, "approval.ipynb")
        opened.run_cell(SETUP)
        yield opened


def answer(notebook: Notebook, text: str) -> None:
    """Type into the input field, which is shown while a cell runs."""
    field = notebook.page.locator(".jp-Stdin-input")
    field.wait_for()
    field.fill(text)
    field.press("Enter")
    field.wait_for(state="detached")


def button(notebook: Notebook, name: str) -> Any:
    return notebook.page.get_by_role("button", name=name, disabled=False)


@pytest.mark.parametrize("wait", ["reply.wait()", "await reply"])
def test_a_cell_that_waits_asks_in_an_input_field(notebook: Notebook, wait: str) -> None:
    for text, allowed in [("y", True), ("", False)]:
        cell = notebook.start(f"ran.clear(); reply = session.ask('What is 4 plus 6?'); {wait}; print(reply.text, ran)")
        answer(notebook, text)
        told = notebook.text(cell)
        assert ("4 plus 6 is 10. [(4.0, 6.0)]" in told) is allowed
        assert ("did not consent" in told and told.strip().endswith("[]")) is not allowed
    assert button(notebook, "Allow").count() == 0


@pytest.mark.parametrize(("name", "allowed"), [("Allow", True), ("Deny", False)])
def test_between_cells_buttons_stand_under_the_cell_that_asked(notebook: Notebook, name: str, allowed: bool) -> None:
    asking = f"ran.clear(); reply = session.ask('What is 4 plus 6?')  # {name}"
    notebook.run_cell(asking)
    button(notebook, name).wait_for()
    cells = notebook.page.evaluate(HOLDERS, name)
    assert asking in cells[-1]
    button(notebook, name).click()
    notebook.wait_for("reply.is_done")
    assert notebook.value("[reply.text, bool(ran)]")[1] is allowed
    button(notebook, name).wait_for(state="detached")


def test_asked_by_a_click_the_buttons_stand_under_the_cell_that_made_the_session(notebook: Notebook) -> None:
    notebook.run_cell(
        """
        import ipywidgets
        by_click = ipywidgets.Button(description="Ask it")
        by_click.on_click(lambda _: globals().update(reply=session.ask("What is 4 plus 6?")))
        ran.clear()
        by_click
        """
    )
    button(notebook, "Ask it").click()
    button(notebook, "Allow").wait_for()
    cells = notebook.page.evaluate(HOLDERS, "Allow")
    assert "session = rtnb.Session(" in cells[0]
    button(notebook, "Allow").click()
    notebook.wait_for("ran and reply.is_done")


def test_a_question_that_nobody_answers_ends_and_the_field_lets_go_with_enter(notebook: Notebook) -> None:
    notebook.run("approval._WAIT_S = 1.0")
    cell = notebook.start("ran.clear(); reply = session.ask('What is 4 plus 6?'); print(reply.text, ran)")
    told = notebook.text(cell)
    assert "nobody answered" in reply_line(told)
    assert "Press Enter in the field" in told
    answer(notebook, "y")
    assert notebook.run_cell("print(ran)").strip() == "[]"
    notebook.run("approval._WAIT_S = 60.0")


def reply_line(told: str) -> str:
    return next(line for line in told.splitlines() if line.startswith("I could not"))
