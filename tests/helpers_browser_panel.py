"""A panel in a real page: made by a cell, driven by mouse and keys, looked at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from helpers_browser import Lab, Notebook, running_lab
from helpers_browser_sound import RATE, hearing_browser, tapped_context

LEAD_S, PAUSE_S = 0.6, 4.0
BIG = {"width": 1280, "height": 1000}

SETUP = """
import threading, time
import ipykernel
import rtnb
from rtnb.notebook.recording import shared_audio

session = None

def clear():
    if session is not None:
        session.panel.close()
        session.close()

def answers():
    return [item for item in session.items if item.role == "assistant"]

def said():
    done = session.events.filter("conversation.item.input_audio_transcription.completed")
    return [entry.event["transcript"].lower() for entry in done]

def appended():
    return len(session.events.filter("input_audio_buffer.append"))
"""


class Shown:
    """The panel of the session in a page; the `nth`, where there are several views of it."""

    def __init__(self, notebook: Notebook, nth: int = 0) -> None:
        self.notebook = notebook
        self.page = notebook.page
        panel = notebook.value("session.panel.console.panel")
        self.root = self.page.locator(f".rtnb-panel[data-panel='{panel}']").nth(nth)

    def find(self, selector: str) -> Any:
        return self.root.locator(selector)

    def until_state(self, state: str, timeout: float = 30) -> None:
        self.page.wait_for_function(
            "([root, state]) => root.dataset.state === state",
            arg=[self.root.element_handle(), state],
            timeout=1000 * timeout,
        )

    def caption(self, text: str, timeout: float = 60) -> None:
        self.find(".rtnb-captions").filter(has_text=text).wait_for(timeout=1000 * timeout)

    def open(self, name: str) -> None:
        self.find(f".rtnb-{name}").evaluate("each => { each.open = true; }")

    def hold(self, seconds: float) -> None:
        """Hold the button until the server was sent so much sound; release outside of it."""
        record = self.find(".rtnb-record")
        record.scroll_into_view_if_needed()
        before = self.notebook.value("appended()")
        record.hover()
        self.page.mouse.down()
        self.find(".rtnb-record[aria-pressed=true]").wait_for()
        self.notebook.wait_for(f"appended() >= {before + round(seconds / 0.04)}", timeout=60)
        self.page.mouse.move(5, 5)
        self.page.mouse.up()
        self.find(".rtnb-record[aria-pressed=false]").wait_for()


def show(notebook: Notebook, settings: str = "") -> Shown:
    """A new session, and its panel in a new cell."""
    notebook.run("clear(); shared_audio().microphone.stop(release=True)")  # opened again, it begins with the question
    notebook.wait_for("shared_audio().microphone_state in ('off', 'refused')")
    notebook.run(f"session = rtnb.Session('local'{settings and ', ' + settings})")
    notebook.start("session")
    shown = Shown(notebook)
    shown.root.wait_for(timeout=60_000)
    shown.root.scroll_into_view_if_needed()
    shown.until_state("idle", timeout=60)
    notebook.wait_for("shared_audio().lane_ms is not None", timeout=30)
    return shown


# ---- a server, and a browser whose microphone asks for the capital of France again and again ----


@pytest.fixture(scope="module")
def question_s() -> list[float]:
    """When the question is over, in seconds since the microphone was opened."""
    return []


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory, question_s: list[float]) -> Iterator[Any]:
    from rtnb.local.voice import synthesize

    question = np.frombuffer(synthesize("What is the capital of France", "ash"), "<i2") / 32768
    question_s.append(LEAD_S + len(question) / RATE)
    spoken = np.concatenate([np.zeros(round(LEAD_S * RATE)), question, np.zeros(round(PAUSE_S * RATE))])
    with hearing_browser(spoken, tmp_path_factory.mktemp("microphone")) as running:
        yield running


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


def new_context(browser: Any, **options: Any) -> Any:
    return tapped_context(browser, viewport=BIG, **options)
