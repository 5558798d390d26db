"""The views in a real JupyterLab with a real kernel: events, conversation, what tools show.

Screenshots of both themes are written to the folder in ``RTNB_SCREENSHOTS``, when that is set, to be looked at.
"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("playwright")
pytest.importorskip("jupyterlab")
pytest.importorskip("axe_playwright_python")
from helpers_axe import assert_accessible
from helpers_browser import Lab, Notebook, attach, open_notebook, running_browser, running_lab

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium"),
]

SETUP = """
import json, rtnb
from rtnb.notebook.conversation import ConversationView
from rtnb.notebook.events import EventTable
from rtnb.notebook.side_panels import side_panels
from rtnb.toolbox import Memory

memory = Memory()
session = rtnb.Session("local", output="audio", tools=memory.tools)

@session.tool
def calculate_sum(a: float, b: float) -> float:
    "Add two numbers."
    return a + b

@session.tool
def get_weather(location: str) -> dict:
    "Get the weather of a place. Use it when asked for the weather."
    return {"location": "Paris", "latitude": 48.9, "longitude": 2.3, "temperature": 9, "temperature_unit": "°C",
            "weather": "rain", "wind_speed": 12, "wind_speed_unit": "km/h", "source": "a test"}

session.ask("What is 4 plus 6?").wait()
memory.set_memory("name", "Ada")

def big(n):
    log = rtnb.EventLog()
    for i in range(n):
        log.append({"type": ("response.done", "response.created")[i % 2], "number": i}, "server", i / 100)
    return log
"""

EVENTS = ".rtnb-events"
TALK = ".rtnb-conversation"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture(scope="module")
def context(lab: Lab) -> Iterator[Any]:
    with running_browser("--autoplay-policy=no-user-gesture-required") as browser:
        opened = browser.new_context(viewport={"width": 1100, "height": 900})
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def notebook(lab: Lab, context: Any) -> Notebook:
    opened = open_notebook(context, lab, "views.ipynb")
    opened.run(SETUP)
    return opened


@pytest.fixture(autouse=True)
def empty(notebook: Notebook) -> None:
    """No views of the tests before: cells that are out of sight are not drawn."""
    notebook.page.evaluate(
        """() => {
          const content = window.jupyterapp.shell.currentWidget.content;
          const cells = content.model.sharedModel;
          cells.deleteCellRange(0, cells.cells.length);
        }"""
    )


def show(notebook: Notebook, code: str, selector: str) -> Any:
    """Run a cell that shows a view; gives its newest element, live."""
    notebook.run_cell(code)
    found = notebook.page.locator(selector).last
    found.wait_for(timeout=20_000)
    found.scroll_into_view_if_needed()
    return found


def wait(notebook: Notebook, condition: str, argument: Any = None) -> None:
    notebook.page.wait_for_function(condition, arg=argument, timeout=20_000)


def rows(view: Any) -> list[str]:
    return list(view.locator(".rv-row .rv-name").all_text_contents())


def test_ten_thousand_events_are_a_few_rows_in_the_page_and_every_one_can_be_reached(notebook: Notebook) -> None:
    table = show(notebook, "t = EventTable(big(10_000))\nt", EVENTS)
    table.locator(".rv-row").first.wait_for()
    grid = table.locator("[role=treegrid]")
    wait(
        notebook, "() => [...document.querySelectorAll('.rtnb-events [role=treegrid]')].at(-1).ariaRowCount === '10000'"
    )
    assert table.locator(".rv-row").count() < 60
    assert table.locator("[aria-rowindex='10000']").count() == 1, "the newest are in sight"
    grid.focus()
    notebook.page.keyboard.press("Home")
    table.locator("[aria-rowindex='1']").wait_for()
    assert table.locator(".rv-row").count() < 60
    notebook.page.keyboard.press("End")
    table.locator("[aria-rowindex='10000']").wait_for()
    grid.evaluate("(node) => { node.scrollTop = 26 * 5000; }")
    table.locator("[aria-rowindex='5001']").wait_for()
    assert "sent 0 events" in table.inner_text()
    assert "received 10,000 events" in table.inner_text()


def test_filter_and_search_leave_what_fits(notebook: Notebook) -> None:
    table = show(notebook, "EventTable(big(4_000))", EVENTS)
    grid = table.locator("[role=treegrid]")
    table.get_by_label("Event types").fill("*.done")
    table.locator("[role=treegrid][aria-rowcount='2000']").wait_for()
    assert set(rows(table)) == {"response.done"}
    table.get_by_label("Search in events").fill('"number": 77,')
    table.locator(".rv-empty").wait_for()
    table.get_by_label("Search in events").fill('"number": 1234')
    table.locator("[role=treegrid][aria-rowcount='1']").wait_for()
    table.get_by_label("Event types").fill("")
    table.get_by_label("Direction").select_option("sent")
    assert "No event fits" in grid.inner_text()


def test_a_row_expands_to_its_json_by_mouse_and_by_keyboard(notebook: Notebook) -> None:
    table = show(notebook, "EventTable(session)", EVENTS)
    table.get_by_label("Event types").fill("response.output_audio.delta")
    row = table.locator(".rv-row").first
    row.click()
    wait(
        notebook,
        "() => document.querySelector('.rtnb-events pre')?.textContent.includes('bytes>')",
    )
    assert row.get_attribute("aria-expanded") == "true"
    assert re.search(r"1 of \d+", table.inner_text())
    table.get_by_label("Next event of this run").click()
    table.get_by_text(re.compile(r"^2 of ")).wait_for()
    table.locator("[role=treegrid]").focus()
    for key, expanded in (
        ("ArrowLeft", "false"),
        ("Enter", "true"),
        ("Enter", "false"),
        (" ", "true"),
        ("Escape", "false"),
    ):
        notebook.page.keyboard.press(key)
        table.locator(f".rv-row[aria-expanded='{expanded}']").first.wait_for()
    notebook.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    row.click()
    table.get_by_role("button", name="Copy JSON").click()
    table.get_by_text("copied", exact=True).wait_for()
    assert '"type": "response.output_audio.delta"' in notebook.page.evaluate("navigator.clipboard.readText()")


def test_errors_stand_out_and_say_what_to_do(notebook: Notebook) -> None:
    table = show(notebook, "EventTable(session)", EVENTS)
    notebook.run("session.on('error', lambda event: None)")
    notebook.run("session.send({'type': 'session.update', 'session': {'type': 'realtime', 'bogus': 1}}, check=False)")
    row = table.locator(".rv-row.rv-trouble").first
    row.wait_for()
    assert "✖" in row.inner_text()
    row.click()
    table.locator(".rv-note-what").wait_for()
    assert table.locator(".rv-note-fix").count() == 1


def test_pause_holds_the_table_still_and_counts_what_comes(notebook: Notebook) -> None:
    table = show(notebook, "EventTable(session)", EVENTS)
    table.locator(".rv-row").first.wait_for()
    table.get_by_role("button", name="Pause").click()
    before = table.locator("[role=treegrid]").get_attribute("aria-rowcount")
    notebook.run("session.insert('while paused')")
    resume = table.get_by_role("button", name=re.compile(r"Resume \(\d+ new\)"))
    resume.wait_for()
    assert table.locator("[role=treegrid]").get_attribute("aria-rowcount") == before
    assert "while paused" not in table.inner_text()
    resume.click()
    table.get_by_text("while paused").first.wait_for()


def test_two_views_and_a_second_tab_stay_in_step(notebook: Notebook, lab: Lab, context: Any) -> None:
    show(notebook, "v = ConversationView(session)\nv", TALK)
    show(notebook, "v", TALK)
    page = notebook.page
    page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    second = open_notebook(context, lab, "views.ipynb")
    try:
        second.page.locator(f"{TALK} .rv-item").first.wait_for(timeout=20_000)
        notebook.run("session.insert('seen by all of them')")
        for tab in (page, second.page):
            tab.wait_for_function(
                """() => [...document.querySelectorAll('.rtnb-conversation')].slice(-2)
                  .every((view) => view.textContent.includes('seen by all of them'))""",
                timeout=20_000,
            )
    finally:
        second.page.close()


def test_a_reload_reattaches_and_keeps_the_history(notebook: Notebook) -> None:
    show(notebook, "w = ConversationView(session)\nw", TALK)
    count = notebook.page.locator(TALK).last.locator(".rv-item").count()
    notebook.page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    notebook.page.reload()
    attach(notebook)
    view = notebook.page.locator(TALK).last
    view.locator(".rv-item").first.wait_for(timeout=30_000)
    assert view.locator(".rv-item").count() == count
    notebook.run("session.insert('after the reload')")
    view.get_by_text("after the reload").wait_for()


def test_turns_are_played_replayed_and_deleted(notebook: Notebook) -> None:
    view = show(notebook, "ConversationView(session)", TALK)
    play = view.get_by_role("button", name=re.compile("^Play turn")).first
    play.focus()
    notebook.page.keyboard.press("Enter")
    view.get_by_role("button", name=re.compile("^Pause turn")).wait_for()
    view.locator(".rv-playing").wait_for()
    view.get_by_role("button", name="■ Stop replay").click()
    wait(notebook, "() => !document.querySelector('.rv-playing')")
    notebook.run("session.ask('hello').wait()")
    view.locator(".rv-item.rv-assistant").nth(1).wait_for()
    view.get_by_role("button", name=re.compile("^Replay from")).first.click()
    first = view.locator(".rv-playing").first
    first.wait_for()
    playing = first.get_attribute("data-item")
    wait(
        notebook,
        "(id) => { const now = document.querySelector('.rv-playing'); return now && now.dataset.item !== id; }",
        playing,
    )
    view.get_by_role("button", name="■ Stop replay").click()
    count = view.locator(".rv-item").count()
    view.get_by_role("button", name=re.compile("^Delete turn 1")).first.click()
    wait(
        notebook,
        "(n) => [...document.querySelectorAll('.rtnb-conversation')].at(-1).querySelectorAll('.rv-item').length === n",
        count - 1,
    )
    assert notebook.value("[i.text for i in session.items if i.text == 'What is 4 plus 6?']") == []


def test_five_hundred_items_are_shown_and_the_newest_is_in_sight(notebook: Notebook) -> None:
    notebook.run(
        """
long = rtnb.Session("local", output="text")
long.connect()
for n in range(250):
    long.insert(f"question {n}")
    long.insert(f"answer {n}", role="assistant")
"""
    )
    view = show(notebook, "ConversationView(long)", TALK)
    view.get_by_text("500 items").wait_for(timeout=20_000)
    wait(
        notebook,
        "() => { const n = document.querySelector('.rv-items');"
        " return n.scrollTop + n.clientHeight >= n.scrollHeight - 40; }",
    )
    assert view.locator(".rv-item").last.inner_text().endswith("answer 249")
    notebook.run("long.close()")


def theme(notebook: Notebook, name: str) -> None:
    notebook.page.evaluate(
        "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", f"JupyterLab {name}"
    )
    wait(notebook, "(light) => document.body.dataset.jpThemeLight === light", str(name == "Light").lower())
    notebook.page.wait_for_timeout(400)  # style sheets of the theme are being applied


@pytest.mark.parametrize("name", ["Light", "Dark"])
def test_all_views_are_accessible_in_both_themes_also_when_narrow(notebook: Notebook, name: str) -> None:
    page = notebook.page
    theme(notebook, name)
    notebook.run("session.ask('What is the weather in Paris?').wait(); session.ask('Tell me a long story').wait()")
    notebook.run("session.truncate(session.items[-1], 1500); session.ask(rtnb.Audio.speak('hello there')).wait()")
    show(
        notebook,
        "from IPython.display import display\n"
        "display(EventTable(session), ConversationView(session), side_panels(session))",
        ".rtnb-side-panels",
    )
    notebook.run("session.send({'type': 'session.update', 'session': {'type': 'realtime', 'bogus': 1}}, check=False)")
    page.locator(f"{EVENTS} .rv-row.rv-trouble").last.click()
    page.locator(f"{EVENTS} .rv-note-what").wait_for()
    page.locator(".rv-memory td").first.wait_for()
    page.locator(".rv-map circle").first.wait_for()
    page.locator(f"{TALK} .rv-rest").first.wait_for(state="attached")
    for width in (1100, 420):
        page.set_viewport_size({"width": width + 330, "height": 900})
        for selector in (EVENTS, TALK, ".rtnb-side-panels"):
            page.evaluate("(s) => { document.querySelector(s).parentElement.style.maxWidth = ''; }", selector)
            if width == 420:
                page.evaluate("(s) => { document.querySelector(s).style.width = '420px'; }", selector)
            assert page.evaluate(
                "(s) => { const n = document.querySelector(s); return n.scrollWidth <= n.clientWidth; }", selector
            )
        if folder := os.environ.get("RTNB_SCREENSHOTS"):
            for selector in (EVENTS, TALK, ".rtnb-side-panels"):
                page.locator(selector).last.scroll_into_view_if_needed()
                path = pathlib.Path(folder) / f"{selector[6:]}-{name.lower()}-{width}.png"
                page.locator(selector).last.screenshot(path=path)
        assert_accessible(page, EVENTS, TALK, ".rtnb-side-panels")
    page.set_viewport_size({"width": 1100, "height": 900})


def test_a_restarted_kernel_is_told_in_words(notebook: Notebook) -> None:
    page = notebook.page
    show(notebook, "EventTable(session)", EVENTS).locator(".rv-row").first.wait_for()
    show(notebook, "ConversationView(session)", TALK).locator(".rv-item").first.wait_for()
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    for selector in (EVENTS, TALK):
        state = page.locator(selector).last.locator(".rv-state")
        state.wait_for(timeout=30_000)
        assert "The kernel was restarted" in state.inner_text()
        assert page.locator(selector).last.locator(".rv-item, .rv-row").count() > 0, "what was there stays to be read"


def test_the_pages_reported_no_error_of_ours(notebook: Notebook) -> None:
    ours = [each for each in notebook.messages if "rtnb" in each or each.startswith("pageerror")]
    assert not ours, ours
