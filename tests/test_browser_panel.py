"""The panel in a real JupyterLab and Notebook 7, on a real kernel: by mouse and by keyboard, light and dark, twice.

Chromium's microphone asks for the capital of France again and again. The most telling tests run with ipykernel 6.31
too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright")
pytest.importorskip("jupyterlab")
pytest.importorskip("axe_playwright_python")
pytest.importorskip("pocketsphinx")
pytest.importorskip("espeakng_loader")
from helpers_axe import assert_accessible
from helpers_browser import Lab, Notebook, open_notebook
from helpers_browser_panel import (
    SETUP,
    Shown,
    browser,
    lab,
    new_context,
    question_s,
    show,
)
from helpers_browser_sound import OLD_KERNEL, install_old_kernel

__all__ = ["browser", "lab", "question_s"]

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]  # a kernel and its speech engines start within a test


@pytest.fixture(scope="module")
def current(lab: Lab, browser: Any) -> Iterator[Notebook]:
    context = new_context(browser)
    opened = open_notebook(context, lab, "panel.ipynb")
    opened.run(SETUP)
    yield opened
    opened.run("clear()")
    context.close()


@pytest.fixture(scope="module")
def old(lab: Lab, browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    """The same environment with an older ipykernel."""
    if "RTNB_TEST_KERNEL_PYTHON" in os.environ:
        pytest.skip("the kernel's interpreter is given")
    if reason := install_old_kernel(lab, tmp_path_factory.mktemp("ipykernel"), "panel-old.ipynb"):
        pytest.skip(reason)
    context = new_context(browser)
    opened = open_notebook(context, lab, "panel-old.ipynb")
    opened.run(SETUP)
    assert opened.value("ipykernel.__version__") == OLD_KERNEL
    yield opened
    opened.run("clear()")
    context.close()


@pytest.fixture(params=["current", "old"])
def notebook(request: pytest.FixtureRequest) -> Notebook:
    opened: Notebook = request.getfixturevalue(request.param)
    return opened


def checked(shown: Shown) -> str:
    return str(shown.find(".rtnb-vad input:checked").get_attribute("value"))


TAPS = """(record, n) => {  // as quick as no finger is, and as a loaded machine would not send it
  for (let i = 0; i < n; i++)
    for (const name of ["pointerdown", "pointerup"]) record.dispatchEvent(new PointerEvent(name, { bubbles: true }));
}"""


# ---- by mouse --------------------------------------------------------------------------------------------------------


def test_connect_hold_to_talk_and_hang_up(notebook: Notebook, question_s: list[float]) -> None:
    shown = show(notebook)
    shown.find(".rtnb-connect").click()
    shown.until_state("ready")
    shown.hold(question_s[0] + 0.4)
    shown.caption("Paris")
    assert "capital of france" in notebook.value("said()[0]")
    notebook.wait_for("answers()[0].done and not session.is_playing", timeout=30)
    assert notebook.value("answers()[0].truncated_at_ms") is None
    assert notebook.value("len(session.events.filter('input_audio_buffer.commit'))") == 1
    assert "first answer" in shown.find(".rtnb-sum").inner_text()
    shown.find(".rtnb-new").click()
    notebook.wait_for("session.state.value == 'ready' and not session.items")
    shown.find(".rtnb-connect").click()
    shown.until_state("closed")


def test_a_double_click_keeps_recording_and_a_touch_is_a_hint(current: Notebook) -> None:
    shown = show(current)
    record = shown.find(".rtnb-record")
    record.evaluate(TAPS, 1)
    shown.find(".rtnb-hints").filter(has_text="too short").wait_for()
    current.wait_for("not session.panel.state['talk']['recording']")
    assert current.value("len(session.events.filter('input_audio_buffer.commit'))") == 0
    record.evaluate(TAPS, 2)
    shown.find(".rtnb-record").filter(has_text="Recording").wait_for()
    current.wait_for("appended() > 30", timeout=60)
    record.click()
    current.wait_for("answers() and answers()[0].done", timeout=60)
    assert current.value("len(session.events.filter('input_audio_buffer.commit'))") == 1
    assert current.value("session.panel.state['connection']['state']") == "ready", "pressing it connects"


def test_record_pressed_while_the_model_speaks_interrupts_first(current: Notebook, question_s: list[float]) -> None:
    shown = show(current)
    current.run("reply = session.ask('Tell me a long story')")
    current.wait_for("session.heard and session.heard[-1].samples > 12_000", timeout=60)
    shown.find(".rtnb-stop:enabled").wait_for()
    shown.hold(question_s[0] + 0.4)
    shown.caption("Paris")
    current.wait_for("answers()[0].truncated_at_ms is not None")
    shown.find(".rtnb-captions").filter(has_text="interrupted").wait_for()
    assert current.value("[entry.event['error'] for entry in session.events.filter('error')]") == []


def test_turn_detection_is_switched_by_mouse_before_and_during_a_connection(current: Notebook) -> None:
    shown = show(current)
    shown.find(".rtnb-vad input").nth(1).check()
    shown.open("settings")
    shown.find("[data-parameter=threshold]").fill("0.6")
    shown.find("[data-parameter=threshold]").press("Tab")
    current.wait_for("session.configured['audio']['input']['turn_detection'].get('threshold') == 0.6")
    shown.find(".rtnb-connect").click()
    shown.find(".rtnb-record").filter(has_text="Listening").wait_for()  # hands free: it listens by itself
    shown.caption("Paris")
    assert current.value("len(session.events.filter('input_audio_buffer.commit'))") == 0
    shown.find(".rtnb-vad input").nth(2).check()
    current.wait_for("session.settings['audio']['input']['turn_detection']['type'] == 'semantic_vad'")
    shown.find("[data-parameter=eagerness]").select_option("low")
    current.wait_for("session.settings['audio']['input']['turn_detection']['eagerness'] == 'low'")
    shown.find(".rtnb-record").click()
    shown.find(".rtnb-record[aria-pressed=false]").wait_for()
    shown.find(".rtnb-vad input").nth(0).check()
    current.wait_for("session.settings['audio']['input']['turn_detection'] is None")


def test_settings_text_and_the_rest_by_mouse(current: Notebook, tmp_path: Path) -> None:
    shown = show(current)
    for name in ("settings", "without", "account"):
        shown.open(name)
    shown.find("[data-set=model]").select_option("gpt-realtime")
    shown.find("[data-set=voice]").select_option("cedar")
    shown.find(".rtnb-greet").check()
    current.wait_for("session.panel.greeting and session.next_model == 'gpt-realtime'")
    shown.find(".rtnb-connect").click()
    shown.find(".rtnb-captions p").nth(1).wait_for()  # a greeting, and its answer
    shown.find("[data-set=model]:disabled").wait_for()
    shown.find("small").filter(has_text="fixed while connected").wait_for()
    shown.find("small").filter(has_text="the model has spoken").wait_for()
    assert current.value("session.settings['audio']['output']['voice']") == "cedar"
    shown.find("[data-set=output]").select_option("text")
    shown.find("[data-set=instructions]").fill("Be brief.")
    shown.find("[data-set=instructions]").press("Tab")
    current.wait_for("session.settings['instructions'] == 'Be brief.'")
    current.wait_for("session.settings['output_modalities'] == ['text']")
    shown.find(".rtnb-busy").select_option("queue")
    shown.find(".rtnb-half").check()
    current.wait_for("session.panel.when_busy == 'queue' and session.half_duplex")
    shown.find(".rtnb-ask textarea").fill("What is four plus six?")
    shown.find(".rtnb-send").click()
    shown.caption("10")
    shown.find(".rtnb-clip").select_option("capital of france")
    shown.find(".rtnb-send-clip").click()
    shown.caption("Paris")
    shown.find(".rtnb-say input").fill("What is the capital of Germany?")
    shown.find(".rtnb-say button").click()
    shown.caption("Berlin")
    clip = tmp_path / "question.wav"
    current.run(f"rtnb.Audio.speak('What is two plus three?').save({str(clip)!r})")
    shown.find(".rtnb-upload").set_input_files(str(clip))
    shown.caption("5")
    shown.find("tbody tr").nth(4).wait_for()
    assert "0 errors" in shown.find(".rtnb-counters").inner_text()
    mute = shown.find(".rtnb-mute")
    mute.click()
    current.wait_for("shared_audio().muted")
    assert mute.get_attribute("aria-pressed") == "true"
    mute.click()
    current.wait_for("not shared_audio().muted")
    shown.find(".rtnb-volume").fill("40")
    assert current.page.evaluate("[...rtnbEngines.values()].at(-1).volume") == 0.4
    shown.find(".rtnb-volume").fill("100")
    shown.find(".rtnb-kernel").click()  # there is no such device here: it says so, and nothing changes
    shown.find(".rtnb-errors").filter(has_text="PortAudio").or_(
        shown.find(".rtnb-errors").filter(has_text="sounddevice")
    ).first.wait_for()
    shown.find(".rtnb-errors button").first.click()
    shown.page.wait_for_function("(box) => !box.children.length", arg=shown.find(".rtnb-errors").element_handle())


# ---- by keyboard -----------------------------------------------------------------------------------------------------


def test_everything_by_keyboard(current: Notebook, question_s: list[float]) -> None:
    shown = show(current)
    page = current.page
    page.keyboard.press("Escape")
    shown.find(".rtnb-connect").focus()
    page.keyboard.press("Enter")
    shown.until_state("ready")
    # Space holds, and scrolls nothing.
    record = shown.find(".rtnb-record")
    record.focus()
    page.keyboard.down(" ")
    shown.find(".rtnb-record[aria-pressed=true]").wait_for()
    current.wait_for(f"appended() > {round((question_s[0] + 0.4) / 0.04)}", timeout=60)
    page.keyboard.up(" ")
    shown.caption("Paris")
    # Enter latches, Enter sends.
    current.wait_for("not session.is_playing", timeout=30)
    page.keyboard.press("Enter")
    shown.find(".rtnb-record").filter(has_text="Recording").wait_for()
    current.wait_for("shared_audio().recording")
    page.keyboard.press("Enter")
    shown.find(".rtnb-record[aria-pressed=false]").wait_for()
    # The radio buttons by arrows, the text box by Enter, Escape stops.
    shown.find(".rtnb-vad input").nth(0).focus()
    page.keyboard.press("ArrowDown")
    current.wait_for("session.settings['audio']['input']['turn_detection']['type'] == 'server_vad'")
    page.keyboard.press("ArrowUp")
    current.wait_for("session.settings['audio']['input']['turn_detection'] is None")
    shown.find(".rtnb-ask textarea").focus()
    page.keyboard.type("Tell me a long story")
    page.keyboard.press("Enter")
    current.wait_for("session.is_playing", timeout=30)
    page.keyboard.press("Escape")
    current.wait_for("not session.is_playing and session.replies[-1].is_done")
    # Tab reaches all of it, in order, and the focus is seen.
    for name in ("settings", "without", "account"):
        shown.open(name)
    shown.find(".rtnb-connect").focus()
    reached = []
    for _ in range(60):
        told = page.evaluate(
            """() => { const e = document.activeElement, s = getComputedStyle(e);
            const name = e.className || e.dataset.set || e.name || e.tagName;
            return [e.closest('.rtnb-panel') !== null, name, s.outlineStyle]; }"""
        )
        if not told[0]:
            break
        reached.append(told[1])
        assert told[2] != "none", f"no focus is seen on {told[1]}"
        page.keyboard.press("Tab")
    for name in ("rtnb-connect", "rtnb-record", "rtnb-mute", "rtnb-send", "rtnb-upload", "instructions", "rtnb-greet"):
        assert any(name in each for each in reached), (name, reached)
    assert current.page.evaluate("window.jupyterapp.shell.currentWidget.content.widgets.length") > 1


# ---- a busy kernel ---------------------------------------------------------------------------------------------------

BUSY = """
end = time.monotonic() + 60
while time.monotonic() < end and not (session.replies and session.replies[-1].is_done):
    sum(i * i for i in range(1000))
seen = [session.state.value, len(session.replies), time.monotonic() < end]
"""


def test_the_panel_works_while_a_cell_is_busy(notebook: Notebook) -> None:
    shown = show(notebook, "output='text'")
    cell = notebook.start(BUSY)
    shown.find(".rtnb-connect").click()
    shown.until_state("ready")
    shown.find(".rtnb-ask textarea").fill("What is the capital of France?")
    shown.find(".rtnb-ask textarea").press("Enter")
    shown.caption("Paris")
    notebook.outputs(cell)
    assert notebook.value("seen") == ["ready", 1, True], "all of it while the cell ran"


# ---- looks -----------------------------------------------------------------------------------------------------------

THEME = "(name) => window.jupyterapp.commands.execute('apputils:change-theme', { theme: name })"


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_it_is_accessible_and_fits_in_both_themes(current: Notebook, theme: str, tmp_path: Path) -> None:
    page = current.page
    page.evaluate(THEME, theme)
    page.wait_for_function("(light) => document.body.dataset.jpThemeLight === light", arg=str("Light" in theme).lower())
    try:
        shown = show(current, "turn_detection='server_vad'")
        assert_accessible(page, ".rtnb-panel:not(.rtnb-dead)")
        current.run("session.ask('What is the capital of France?').wait()")
        shown.caption("Paris")
        for name in ("settings", "without", "account"):
            shown.open(name)
        shown.find("tbody tr").first.wait_for()
        assert_accessible(page, ".rtnb-panel:not(.rtnb-dead)")
        picture = Path(os.environ.get("RTNB_TEST_PICTURES", tmp_path)) / f"panel {theme}.png"
        shown.root.screenshot(path=picture)
        # Nothing sticks out, as narrow as a phone and as wide as the window.
        for width in (420, 700, 1000):
            shown.root.evaluate("(each, width) => { each.style.width = width + 'px'; }", width)
            assert shown.root.evaluate("each => each.scrollWidth - each.clientWidth") <= 0, f"at {width} px"
            shown.root.screenshot(path=picture.with_name(f"panel {theme} {width}.png"))
    finally:
        page.evaluate(THEME, "JupyterLab Light")


@pytest.mark.parametrize(("motion", "names"), [("no-preference", {"none", "rtnb-turn"}), ("reduce", {"none"})])
def test_who_asked_for_less_motion_gets_less(current: Notebook, motion: str, names: set[str]) -> None:
    current.page.emulate_media(reduced_motion=motion)
    try:
        shown = show(current)
        current.run("session.connect()")
        shown.until_state("ready")
        current.run("from rtnb.session.states import SessionState; session._core._set_state(SessionState.RECONNECTING)")
        shown.until_state("reconnecting")
        found = shown.find("*").evaluate_all("all => all.map((e) => getComputedStyle(e).animationName)")
        assert set(found) == names
    finally:
        current.page.emulate_media(reduced_motion="no-preference")
