"""The panel in pages of its own: twice, after a reload and a restart, without a microphone, in Notebook 7."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytest.importorskip("playwright")
pytest.importorskip("jupyterlab")
pytest.importorskip("axe_playwright_python")
pytest.importorskip("pocketsphinx")
pytest.importorskip("espeakng_loader")
from helpers_axe import assert_accessible
from helpers_browser import Lab, Notebook, attach, open_notebook
from helpers_browser_panel import SETUP, Shown, browser, lab, new_context, question_s, show

__all__ = ["browser", "lab", "question_s"]

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]  # a kernel and its speech engines start within a test


# ---- twice, again, and after the end ---------------------------------------------------------------------------------


def test_two_cells_and_two_tabs_stay_in_step_and_play_once(lab: Lab, browser: Any) -> None:
    context = new_context(browser)
    try:
        notebook = open_notebook(context, lab, "twice.ipynb")
        notebook.run(SETUP)
        show(notebook)
        notebook.run_cell("session")
        one, two = Shown(notebook, 0), Shown(notebook, 1)
        one.find(".rtnb-connect").click()
        two.until_state("ready")
        two.find(".rtnb-ask textarea").fill("What is the capital of France?")
        two.find(".rtnb-ask textarea").press("Enter")
        one.caption("Paris")
        notebook.wait_for("answers() and answers()[0].done and not session.is_playing", timeout=30)
        assert notebook.page.evaluate("window.__taps.length") == 1, "one loudspeaker for both views"
        one.find(".rtnb-record").hover()
        notebook.page.mouse.down()
        two.find(".rtnb-record[aria-pressed=true]").wait_for()
        notebook.page.mouse.up()

        notebook.page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
        other = Notebook(context.new_page(), notebook.path)
        other.page.goto(lab.url())
        attach(other)
        tab = Shown(other)
        tab.until_state("ready", timeout=60)
        tab.caption("Paris")  # the history is there
        tab.find(".rtnb-ask textarea").fill("What is the capital of Germany?")
        tab.find(".rtnb-ask textarea").press("Enter")
        one.caption("Berlin")
        tab.caption("Berlin")
        other.wait_for("session.replies[-1].is_done and not session.is_playing", timeout=30)
        sounding = (
            "window.__taps.flatMap((tap) => tap.blocks).filter((b) => b.samples.some((x) => Math.abs(x) > 0.01)).length"
        )
        before = notebook.page.evaluate("(window.__taps.forEach((tap) => (tap.blocks = [])), 0)")
        other.run("reply = session.ask('What is four plus six?')")
        other.wait_for("reply.is_done and not session.is_playing", timeout=30)
        heard = [page.evaluate(sounding) > 0 for page in (notebook.page, other.page)]
        assert (before, sum(heard)) == (0, 1), "one of the tabs plays it"
        notebook.run("clear()")
    finally:
        context.close()


def test_keys_pressed_in_the_panel_are_no_commands_of_the_notebook(lab: Lab, browser: Any) -> None:
    context = new_context(browser)
    try:
        notebook = open_notebook(context, lab, "keys.ipynb")
        notebook.run(SETUP)
        panel = show(notebook)
        cells = notebook.page.locator(".jp-Notebook .jp-Cell")
        before = cells.count()
        for name in (
            ".rtnb-connect",
            ".rtnb-mute",
            ".rtnb-io button",
            ".rtnb-events [role=treegrid]",
            ".rtnb-events button",
        ):
            for element in notebook.page.locator(f"{name}:visible").all()[:2]:
                if element.is_enabled():
                    element.focus()
                    for key in "xdda":
                        notebook.page.keyboard.press(key)
        assert cells.count() == before
        panel.until_state("idle")
        notebook.run("clear()")
    finally:
        context.close()


def test_a_reload_keeps_the_session_and_a_restart_of_the_kernel_is_said(lab: Lab, browser: Any) -> None:
    context = new_context(browser)
    try:
        notebook = open_notebook(context, lab, "again.ipynb")
        page = notebook.page
        notebook.run(SETUP)
        shown = show(notebook, "output='text'")
        notebook.run("session.ask('What is the capital of France?').wait()")
        shown.caption("Paris")
        page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
        page.reload()
        attach(notebook)
        shown = Shown(notebook)
        shown.until_state("ready", timeout=60)
        shown.caption("Paris")
        shown.find(".rtnb-ask textarea").fill("What is the capital of Germany?")
        shown.find(".rtnb-ask textarea").press("Enter")
        shown.caption("Berlin")
        page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
        shown.until_state("dead")
        assert "kernel was restarted" in shown.find(".rtnb-why").inner_text()
        assert shown.find(".rtnb-word").inner_text() == "Ended"
        shown.caption("Berlin")
        assert shown.find("button:enabled, input:enabled, select:enabled, textarea:enabled").count() == 0
        assert_accessible(page, ".rtnb-panel")
    finally:
        context.close()


def test_the_saved_cell_keeps_what_was_said_and_the_live_panel_is_not_built_again(lab: Lab, browser: Any) -> None:
    context = new_context(browser)
    try:
        notebook = open_notebook(context, lab, "kept.ipynb")
        page = notebook.page
        notebook.run(SETUP)
        shown = show(notebook, "output='text'")
        kept = page.locator(".rtnb-kept")
        shown.open("settings")
        shown.find(".rtnb-ask textarea").fill("half a question")
        root = shown.root.element_handle()
        notebook.run("session.ask('What is the capital of France?').wait()")
        kept.filter(has_text="Paris").wait_for(state="attached")
        assert not kept.is_visible(), "the panel shows it already"
        shown.find(".rtnb-connect").click()
        shown.until_state("closed")
        kept.filter(has_text="Session, closed").wait_for(state="attached")
        assert root.evaluate("each => each.isConnected"), "it is the same panel"
        assert page.locator(".rtnb-panel").count() == 1
        assert shown.find(".rtnb-settings").evaluate("each => each.open")
        assert shown.find(".rtnb-ask textarea").input_value() == "half a question"
        page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
        saved = json.loads((lab.folder / "kept.ipynb").read_text())
        assert "Paris" in str(saved["cells"][-1]["outputs"])
        # Who opens it without a kernel sees it; so does who looks at a panel that has ended.
        page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
        shown.until_state("dead")
        kept.wait_for(state="visible")
    finally:
        context.close()


# ---- without a microphone --------------------------------------------------------------------------------------------


def test_a_refused_microphone_is_explained_and_the_rest_works(lab: Lab, browser: Any) -> None:
    context = new_context(browser, microphone=False)
    try:
        notebook = open_notebook(context, lab, "refused.ipynb")
        notebook.run(SETUP)
        shown = show(notebook, "output='text'")
        without = shown.find(".rtnb-without")
        assert not without.evaluate("each => each.open"), "nothing is known against it yet"
        shown.find(".rtnb-record").focus()
        notebook.page.keyboard.press("Enter")
        shown.find(".rtnb-hints").filter(has_text="refused to this page").wait_for()
        assert without.evaluate("each => each.open")
        assert "address bar" in shown.find(".rtnb-reason").inner_text()
        assert "Best here instead: " in shown.find(".rtnb-reason").inner_text()
        assert shown.find(".rtnb-record").get_attribute("aria-pressed") == "false"
        shown.find(".rtnb-send-clip").click()
        shown.caption("Paris")
        # A page that is not secure cannot even ask.
        notebook.page.evaluate("Object.defineProperty(window, 'isSecureContext', { get: () => false })")
        notebook.page.evaluate(
            "for (const e of rtnbEngines.values()) { e.microphone = 'off'; e.error = ''; e.changed(); }"
        )
        shown.find(".rtnb-reason").filter(has_text="secure pages").wait_for()
        notebook.run("clear()")
    finally:
        context.close()


# ---- Notebook 7 ------------------------------------------------------------------------------------------------------


def test_it_works_in_notebook_7_too(lab: Lab, browser: Any, question_s: list[float]) -> None:
    pytest.importorskip("notebook")
    context = new_context(browser)
    try:
        kernelspec = {"name": "rtnb-test", "display_name": "rtnb test", "language": "python"}
        cell = {"cell_type": "code", "id": "a", "execution_count": None, "metadata": {}, "outputs": [], "source": ""}
        content = {"cells": [cell], "metadata": {"kernelspec": kernelspec}, "nbformat": 4, "nbformat_minor": 5}
        (lab.folder / "classic.ipynb").write_text(json.dumps(content))
        notebook = Notebook(context.new_page(), "classic.ipynb")
        page = notebook.page
        page.goto(f"http://127.0.0.1:{lab.port}/notebooks/classic.ipynb?token={lab.token}", timeout=90_000)
        page.wait_for_function(
            "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'", timeout=90_000
        )
        notebook.run(SETUP)
        shown = show(notebook)
        shown.find(".rtnb-connect").click()
        shown.until_state("ready")
        shown.hold(question_s[0] + 0.4)
        shown.caption("Paris")
        shown.find(".rtnb-ask textarea").fill("What is the capital of Germany?")
        shown.find(".rtnb-ask textarea").press("Enter")
        shown.caption("Berlin")
        assert_accessible(page, ".rtnb-panel")
        notebook.run("clear()")
    finally:
        context.close()
