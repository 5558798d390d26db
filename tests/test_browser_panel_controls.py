"""Every control of the panel by mouse, by keyboard and by finger, and what it does in the kernel, in a real page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("playwright")
pytest.importorskip("jupyterlab")
pytest.importorskip("pocketsphinx")
pytest.importorskip("espeakng_loader")
from helpers_browser import Lab, Notebook, open_notebook
from helpers_browser_panel import SETUP, Shown, browser, lab, new_context, question_s, show

__all__ = ["browser", "lab", "question_s"]

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]  # a kernel and its speech engines start within a test

ENGINE = "[...rtnbEngines.values()].at(-1)"
FOLDED = ("without", "settings", "account")


@pytest.fixture(scope="module")
def notebook(lab: Lab, browser: Any) -> Iterator[Notebook]:
    context = new_context(browser)
    opened = open_notebook(context, lab, "controls.ipynb")
    opened.run(SETUP)
    yield opened
    opened.run("clear()")
    context.close()


def of_engine(notebook: Notebook, name: str) -> Any:
    return notebook.page.evaluate(f"{ENGINE}.{name}")


def until_engine(notebook: Notebook, condition: str) -> None:
    notebook.page.wait_for_function(f"{ENGINE}.{condition}")


def with_devices(shown: Shown) -> None:
    """Devices have names once a microphone was opened; here by the page itself, so that no turn comes of it."""
    shown.page.evaluate(
        f"""async () => {{
          const stream = await navigator.mediaDevices.getUserMedia({{ audio: true }});
          for (const track of stream.getTracks()) track.stop();
          await {ENGINE}.listDevices();
        }}"""
    )
    shown.find(".rtnb-input option").nth(1).wait_for(state="attached")
    shown.find(".rtnb-output option").nth(1).wait_for(state="attached")


def speaks(notebook: Notebook) -> None:
    notebook.run("session.half_duplex = False; reply = session.ask('Tell me a long story')")
    notebook.wait_for("session.is_playing", timeout=30)


def is_stopped(notebook: Notebook) -> None:
    notebook.wait_for("reply.is_done and not session.is_playing")
    notebook.wait_for("answers()[-1].truncated_at_ms is not None")


# ---- by mouse --------------------------------------------------------------------------------------------------------


def test_what_is_folded_is_opened_by_a_click_and_by_enter(notebook: Notebook) -> None:
    shown = show(notebook)
    for name in FOLDED:
        for toggle in (
            lambda summary: summary.click(),
            lambda summary: (summary.focus(), notebook.page.keyboard.press("Enter")),
        ):
            summary = shown.find(f".rtnb-{name} > summary")
            toggle(summary)
            shown.find(f".rtnb-{name} .rtnb-body").wait_for()
            toggle(summary)
            shown.find(f".rtnb-{name} .rtnb-body").wait_for(state="hidden")


def test_devices_volume_mute_and_stop_by_mouse(notebook: Notebook) -> None:
    shown = show(notebook)
    shown.find(".rtnb-connect").click()
    shown.until_state("ready")
    shown.open("settings")
    with_devices(shown)
    device = shown.find(".rtnb-input option").nth(1).get_attribute("value")
    shown.find(".rtnb-input").select_option(device)
    notebook.wait_for(f"shared_audio().device == {device!r}")
    shown.find(".rtnb-input").select_option("")
    notebook.wait_for("not shared_audio().device")
    speaker = shown.find(".rtnb-output option").nth(1).get_attribute("value")
    shown.find(".rtnb-output").select_option(speaker)
    until_engine(notebook, f"context?.sinkId === {speaker!r}")
    shown.find(".rtnb-output").select_option("")
    until_engine(notebook, "context?.sinkId === ''")
    volume = shown.find(".rtnb-volume")
    box = volume.bounding_box()
    volume.click(position={"x": box["width"] / 4, "y": box["height"] / 2})
    assert 0.1 < of_engine(notebook, "volume") < 0.45
    volume.click(position={"x": box["width"] - 1, "y": box["height"] / 2})
    assert of_engine(notebook, "volume") == 1
    shown.find(".rtnb-mute").click()
    notebook.wait_for("shared_audio().muted")
    shown.find(".rtnb-mute").click()
    notebook.wait_for("not shared_audio().muted")
    assert shown.find(".rtnb-stop").is_disabled(), "there is nothing to stop"
    speaks(notebook)
    shown.find(".rtnb-stop").click()
    is_stopped(notebook)
    shown.find(".rtnb-stop:disabled").wait_for()


def test_a_new_session_listens_again_when_the_one_before_did(notebook: Notebook) -> None:
    shown = show(notebook, "turn_detection='server_vad'")
    shown.find(".rtnb-connect").click()
    shown.find(".rtnb-record").filter(has_text="Listening").wait_for()
    notebook.wait_for("appended() > 5", timeout=30)
    connections = "len(session.events.filter('session.created'))"
    shown.find(".rtnb-new").click()
    notebook.wait_for(f"{connections} == 2 and session.state.value == 'ready'", timeout=30)
    before = notebook.value("appended()")
    notebook.wait_for(f"shared_audio().recording and appended() > {before} + 5", timeout=30)
    shown.find(".rtnb-record").filter(has_text="Listening").wait_for()
    shown.find(".rtnb-record").click()
    shown.find(".rtnb-record[aria-pressed=false]").wait_for()
    shown.find(".rtnb-new").click()
    notebook.wait_for(f"{connections} == 3 and session.state.value == 'ready'", timeout=30)
    shown.find(".rtnb-connect").filter(has_text="Disconnect").wait_for()
    assert not notebook.value("shared_audio().recording"), "who closed the microphone finds it closed"


def test_with_the_kernels_devices_those_of_the_page_are_out_of_reach(notebook: Notebook) -> None:
    shown = show(notebook)
    shown.open("settings")
    controls = [shown.find(f".rtnb-{name}") for name in ("mute", "input", "output", "volume")]
    for source, is_kernel in (("kernel", True), ("page", False)):
        notebook.run(f"session.panel._source = {source!r}; session.panel._wake()")  # no sound card is here
        shown.find(f".rtnb-kernel[aria-pressed={str(is_kernel).lower()}]").wait_for(state="attached")
        assert [each.is_disabled() for each in controls] == [is_kernel] * 4
        assert ["kernel's devices" in (each.get_attribute("title") or "") for each in controls] == [is_kernel] * 4
        assert shown.find(".rtnb-waves").is_visible() is not is_kernel, "they show the sound of the page"


# ---- by keyboard -----------------------------------------------------------------------------------------------------


def test_each_control_is_operated_by_keys(notebook: Notebook) -> None:
    shown = show(notebook)

    def press(selector: str, *keys: str) -> None:
        shown.find(selector).focus()
        for key in keys:
            notebook.page.keyboard.press(key)

    press(".rtnb-settings > summary", "Enter")
    press("[data-set=model]", "End")
    last = shown.find("[data-set=model] option").last.get_attribute("value")
    notebook.wait_for(f"session.next_model == {last!r}")
    press("[data-set=voice]", "End")
    voice = shown.find("[data-set=voice] option").last.get_attribute("value")
    notebook.wait_for(f"session.configured['audio']['output']['voice'] == {voice!r}")
    press(".rtnb-greet", " ")
    notebook.wait_for("session.panel.greeting")
    press(".rtnb-greet", " ")
    notebook.wait_for("not session.panel.greeting")
    press(".rtnb-half", " ")
    notebook.wait_for("session.half_duplex")
    press(".rtnb-busy", "ArrowDown")
    notebook.wait_for("session.panel.when_busy == 'queue'")
    press(".rtnb-connect", "Enter")
    shown.until_state("ready")
    with_devices(shown)
    press(".rtnb-input", "End")
    notebook.wait_for("shared_audio().device == shared_audio().devices[-1]['id']")
    press(".rtnb-input", "Home")
    notebook.wait_for("not shared_audio().device")
    press(".rtnb-output", "End")
    until_engine(notebook, "context?.sinkId")
    press(".rtnb-output", "Home")
    until_engine(notebook, "context?.sinkId === ''")
    press(".rtnb-volume", "ArrowLeft", "ArrowLeft")
    assert of_engine(notebook, "volume") == 0.9
    press(".rtnb-volume", "End")
    assert of_engine(notebook, "volume") == 1
    press(".rtnb-mute", " ")
    notebook.wait_for("shared_audio().muted")
    press(".rtnb-mute", "Enter")
    notebook.wait_for("not shared_audio().muted")
    speaks(notebook)
    shown.find(".rtnb-stop:enabled").wait_for()
    press(".rtnb-stop", "Enter")
    is_stopped(notebook)
    press("[data-set=output]", "ArrowDown")
    notebook.wait_for("session.settings['output_modalities'] == ['text']")
    press("[data-set=instructions]", "Control+a", "B", "Tab")
    notebook.wait_for("session.settings['instructions'] == 'B'")
    press(".rtnb-without > summary", "Enter")
    press(".rtnb-clip", "Home")
    press(".rtnb-send-clip", "Enter")
    notebook.wait_for("len(session.replies) == 2 and session.replies[-1].is_done", timeout=30)
    press(".rtnb-say input", "Enter")
    notebook.wait_for("len(session.replies) == 3 and session.replies[-1].is_done", timeout=30)
    press(".rtnb-vad input >> nth=0", "ArrowDown")
    press("[data-parameter=threshold]", "ArrowUp", "Tab")
    notebook.wait_for("session.settings['audio']['input']['turn_detection'].get('threshold') == 0.55")
    press(".rtnb-vad input:checked", "ArrowUp")
    notebook.wait_for("session.settings['audio']['input']['turn_detection'] is None")
    press(".rtnb-new", "Enter")
    notebook.wait_for("session.state.value == 'ready' and not session.items", timeout=30)
    shown.find(".rtnb-connect").filter(has_text="Disconnect").wait_for()
    press(".rtnb-connect", " ")
    shown.until_state("closed")


# ---- by finger -------------------------------------------------------------------------------------------------------


def test_a_finger_holds_the_button_and_may_leave_it(lab: Lab, browser: Any, question_s: list[float]) -> None:
    context = new_context(browser, has_touch=True)
    try:
        notebook = open_notebook(context, lab, "touch.ipynb")
        notebook.run(SETUP)
        shown = show(notebook)
        record = shown.find(".rtnb-record")
        record.scroll_into_view_if_needed()
        box = record.bounding_box()
        device = context.new_cdp_session(notebook.page)

        def touch(kind: str, *points: tuple[float, float]) -> None:
            where = [{"x": x, "y": y} for x, y in points]
            device.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": where})

        middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        touch("touchStart", middle)
        shown.find(".rtnb-record[aria-pressed=true]").wait_for()
        notebook.wait_for(f"appended() > {round((question_s[0] + 0.4) / 0.04)}", timeout=60)
        touch("touchMove", (middle[0], middle[1] + 200))
        touch("touchEnd")
        shown.find(".rtnb-record[aria-pressed=false]").wait_for()
        shown.caption("Paris")
        assert notebook.value("len(session.events.filter('input_audio_buffer.commit'))") == 1
        shown.find(".rtnb-mute").tap()
        notebook.wait_for("shared_audio().muted")
        notebook.run("clear()")
    finally:
        context.close()
