"""The interactive timeline in a real JupyterLab: mouse, keys, and what who listens is told."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("playwright")
pytest.importorskip("jupyterlab")
from helpers_browser import Lab, Notebook, open_notebook, running_browser, running_lab

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium"),
]

TESTS = pathlib.Path(__file__).parent

SETUP = f"""
import sys
sys.path.insert(0, {str(TESTS)!r})
from helpers_timeline import interrupted
from rtnb.notebook.timeline import show_timeline
class Recording:
    pass
script = interrupted()
recording = Recording()
recording.events, recording.heard = script.log, script.heard
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture(scope="module")
def notebook(lab: Lab) -> Iterator[Notebook]:
    with running_browser() as browser:
        context = browser.new_context(viewport={"width": 1300, "height": 900})
        opened = open_notebook(context, lab, "timeline.ipynb")
        opened.run(SETUP)
        opened.start("view = show_timeline(recording, interactive=True, title='A talk'); view")
        opened.page.wait_for_selector(".rtnb-tl .mark", timeout=30_000)
        yield opened
        context.close()


@pytest.fixture(autouse=True)
def whole(notebook: Notebook) -> None:
    """Each test begins with all in view and nothing open."""
    notebook.page.keyboard.press("Escape")
    notebook.page.get_by_role("button", name="Show all").click()


def seen(notebook: Notebook) -> tuple[float, float]:
    text = notebook.page.locator(".rtnb-tl .range").inner_text()
    start, end = (float(part.replace(" s", "")) for part in text.split(" – "))
    return start, end


def mark(notebook: Notebook, lane: str, kind: str = "") -> Any:
    return notebook.page.locator(
        f'.rtnb-tl .mark[data-lane="{lane}"]' + (f'[data-kind="{kind}"]' if kind else "")
    ).first


def test_every_lane_has_its_name_its_marks_and_its_sound(notebook: Notebook) -> None:
    page = notebook.page
    names = page.locator(".rtnb-tl svg .name").all_text_contents()
    assert names == ["you", "speech detected", "responses", "tools", "audio received", "audio heard", "words", "errors"]
    for lane in ("you", "received", "heard"):
        assert len(page.locator(f'.rtnb-tl .wave[data-lane="{lane}"]').get_attribute("d")) > 50
    assert page.locator(".rtnb-tl .mark").count() == 11
    assert seen(notebook) == (0.0, 6.0)
    assert not [line for line in notebook.messages if "timeline" in line and line.startswith(("error", "pageerror"))]


def test_pointing_at_a_mark_tells_what_it_is(notebook: Notebook) -> None:
    mark(notebook, "tools").hover()
    tip = notebook.page.locator(".rtnb-tl .tip")
    tip.wait_for(state="visible")
    assert tip.inner_text() == 'tools: add({"a": 1}) → 2, 5.00 s to 5.50 s, 0.50 s long'


def test_a_click_goes_to_the_event_and_says_what_it_means(notebook: Notebook) -> None:
    page = notebook.page
    mark(notebook, "response", "cancelled").click()
    page.locator(".rtnb-tl .event pre").wait_for(state="visible", timeout=15_000)
    page.wait_for_function("document.querySelector('.rtnb-tl .event pre').textContent.includes('turn_detected')")
    assert "response.done, from the server, at 4.000 s" in page.locator(".rtnb-tl .event h4").inner_text()
    assert json.loads(page.locator(".rtnb-tl .event pre").inner_text())["response"]["status"] == "cancelled"
    assert len(page.locator(".rtnb-tl .event p").inner_text()) > 20
    notebook.wait_for("recording.events[view.selected].name == 'response.done'")
    page.evaluate("document.querySelector('.rtnb-tl .mark.open').dataset.old = 1")
    notebook.run("view.data = {**view.data, 'again': True}")  # as Refresh does
    page.wait_for_function("!document.querySelector('.rtnb-tl [data-old]')")
    assert page.locator(".rtnb-tl .mark.open").count() == 1, "what is open stays marked"
    page.get_by_role("button", name="Close the event").click()
    page.locator(".rtnb-tl .event").wait_for(state="hidden")


def test_the_wheel_zooms_where_the_pointer_is_once_one_has_clicked(notebook: Notebook) -> None:
    page = notebook.page
    box = page.locator(".rtnb-tl .plot").bounding_box()
    middle = (box["x"] + 112 + (box["width"] - 112) / 2, box["y"] + 10)
    page.evaluate("document.activeElement.blur()")
    page.mouse.move(*middle)
    page.mouse.wheel(0, -300)
    page.wait_for_timeout(200)
    assert seen(notebook) == (0.0, 6.0), "the page scrolls, until somebody means the timeline"
    page.locator(".rtnb-tl .plot").scroll_into_view_if_needed()
    box = page.locator(".rtnb-tl .plot").bounding_box()
    page.mouse.move(box["x"] + 112 + (box["width"] - 112) / 2, box["y"] + 10)
    page.mouse.down()
    page.mouse.up()
    page.mouse.wheel(0, -300)
    page.wait_for_function("document.querySelector('.rtnb-tl .range').textContent !== '0.00 s – 6.00 s'")
    start, end = seen(notebook)
    assert end - start < 5
    assert (start + end) / 2 == pytest.approx(3.0, abs=0.1)


def test_a_closer_look_brings_finer_sound_from_the_kernel(notebook: Notebook) -> None:
    page = notebook.page
    for _ in range(4):
        page.get_by_role("button", name="Zoom in").click()
    page.wait_for_selector('.rtnb-tl .wave[data-fine="1"]', state="attached", timeout=15_000)


def test_dragging_moves(notebook: Notebook) -> None:
    page = notebook.page
    page.get_by_role("button", name="Zoom in").click()
    before = seen(notebook)
    box = page.locator(".rtnb-tl .plot").bounding_box()
    y = box["y"] + 30
    page.mouse.move(box["x"] + 700, y)
    page.mouse.down()
    page.mouse.move(box["x"] + 500, y, steps=5)
    page.mouse.up()
    after = seen(notebook)
    assert after[1] - after[0] == pytest.approx(before[1] - before[0], abs=0.02)
    assert after[0] > before[0] + 0.2
    assert page.locator(".rtnb-tl .event").is_hidden(), "a drag is no click"


def test_the_keyboard_goes_from_mark_to_mark_and_the_notebook_stays_out_of_it(notebook: Notebook) -> None:
    page = notebook.page
    cells = page.evaluate("window.jupyterapp.shell.currentWidget.content.widgets.length")
    page.locator(".rtnb-tl .plot").focus()
    focused = "document.activeElement.getAttribute('aria-label')"
    page.keyboard.press("Home")
    assert page.evaluate(focused).startswith("speech detected")
    labels = []
    for _ in range(4):
        page.keyboard.press("ArrowRight")
        labels.append(page.evaluate(focused))
    assert len(set(labels)) == 4
    page.keyboard.press("End")
    assert page.evaluate(focused) == "errors: Unknown parameter: 'x'., at 6.00 s"
    page.keyboard.press("ArrowUp")
    assert "Once upon a time" in page.evaluate(focused)
    page.keyboard.press("+")
    start, end = seen(notebook)
    assert end - start == pytest.approx(3.0, abs=0.02)
    page.keyboard.press("Enter")
    page.locator(".rtnb-tl .event pre").wait_for(state="visible", timeout=15_000)
    page.keyboard.press("Escape")
    page.locator(".rtnb-tl .event").wait_for(state="hidden")
    assert "Once upon a time" in page.evaluate(focused), "the focus comes back"
    page.keyboard.press("0")
    assert seen(notebook) == (0.0, 6.0)
    for key in ("a", "b", "d", "x"):
        page.keyboard.press(key)
    assert page.evaluate("window.jupyterapp.shell.currentWidget.content.widgets.length") == cells


def test_who_listens_hears_names_roles_and_news(notebook: Notebook) -> None:
    page = notebook.page
    plot = page.get_by_role("group", name="Timeline, 0.00 s to 6.00 s, 11 marks in 8 lanes")
    assert plot.count() == 1
    assert page.get_by_role("button", name="errors: Unknown parameter: 'x'., at 6.00 s").count() == 1
    assert page.locator(".rtnb-tl .event").get_attribute("aria-live") == "polite"
    unnamed = page.evaluate(
        """[...document.querySelectorAll('.rtnb-tl button, .rtnb-tl [role=button]')]
           .filter((each) => !(each.getAttribute('aria-label') || each.textContent.trim())).length"""
    )
    assert unnamed == 0


def test_what_came_since_is_shown_on_request(notebook: Notebook) -> None:
    page = notebook.page
    notebook.run("_ = recording.events.append({'type': 'error', 'error': {'message': 'late'}}, 'server', 8.0)")
    page.get_by_role("button", name="Read what came since").click()
    page.get_by_role("button", name="errors: late, at 8.00 s").wait_for(state="attached", timeout=15_000)
    notebook.run("del recording.events._entries[-1]; view.refresh()")
    page.wait_for_function("document.querySelectorAll('.rtnb-tl .mark').length === 11", timeout=15_000)


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_texts_can_be_read_in_both_themes(notebook: Notebook, theme: str) -> None:
    page = notebook.page
    page.evaluate("(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", theme)
    page.wait_for_function(
        "(dark) => document.body.dataset.jpThemeLight === String(!dark)", arg="Dark" in theme, timeout=15_000
    )
    mark(notebook, "response", "cancelled").click()
    page.locator(".rtnb-tl .event pre").wait_for(state="visible", timeout=15_000)
    poor = page.evaluate(CONTRAST)
    assert poor == []
    if folder := os.environ.get("RTNB_SCREENSHOTS"):
        name = f"timeline_{theme.split()[-1].lower()}.png"
        page.locator(".rtnb-tl").screenshot(path=str(pathlib.Path(folder) / name))


CONTRAST = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) => [r, g, b].map((v) => linear(v / 255))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (node) => {
    for (let each = node; each; each = each.parentElement) {
      const colour = parse(getComputedStyle(each).backgroundColor);
      if (colour.length < 4 || colour[3] > 0.5) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const node of document.querySelectorAll('.rtnb-tl :is(text, button, h4 span, p, pre, .range, .hint)')) {
    if (!node.textContent.trim() || !node.getClientRects().length) continue;
    const style = getComputedStyle(node);
    const colour = parse(node instanceof SVGElement ? style.fill : style.color);
    const [light, dark] = [luminance(colour), luminance(ground(node))].sort((a, b) => b - a);
    const ratio = (light + 0.05) / (dark + 0.05);
    if (ratio < 4.5) poor.push(`${node.textContent.slice(0, 20)}: ${ratio.toFixed(2)}`);
  }
  return poor;
}"""


def test_the_saved_notebook_holds_the_picture(notebook: Notebook, lab: Lab) -> None:
    notebook.page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
    path = lab.folder / "timeline.ipynb"
    outputs: list[dict[str, Any]] = []
    for _ in range(100):
        outputs = [each for cell in json.loads(path.read_text())["cells"] for each in cell.get("outputs", [])]
        if outputs:
            break
        notebook.page.wait_for_timeout(100)
    assert "image/png" in outputs[0]["data"]
