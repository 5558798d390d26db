"""Spoken turns in a real JupyterLab: a session on the local endpoint, heard and spoken through the page.

Chromium's microphone plays two spoken questions in turn, a second tap on the page's output hears what is played. The
most telling tests run with ipykernel 6.31 too, which is laid over the environment for its kernel alone; with
``RTNB_TEST_KERNEL_PYTHON`` all of them run with another interpreter.
"""

from __future__ import annotations

import base64
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("playwright")
pytest.importorskip("jupyterlab")
pytest.importorskip("pocketsphinx")
pytest.importorskip("espeakng_loader")
from helpers_browser import READ_TAP, Lab, Notebook, attach, open_notebook, running_lab
from helpers_browser_sound import OLD_KERNEL, RATE, hearing_browser, install_old_kernel, tapped_context

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]  # a kernel and its speech engines start within a test

QUESTIONS = ("What is the capital of France", "What is the capital of Germany")
LEAD_S, PAUSE_S = 0.6, 8.0  # silence before the first question, and after each: room for an answer

CELL = """
session = rtnb.Session("local"{settings})
audio = AudioIO({options})
session.attach(audio)
audio
"""

SETUP = """
import base64, json, time
import ipykernel
import rtnb
from rtnb.notebook.audio_io import AudioIO

session = audio = None

def clear():
    if session is not None:
        session.close()
        audio.close()

def said():
    done = session.events.filter("conversation.item.input_audio_transcription.completed")
    return [entry.event["transcript"].lower().strip(" .?") for entry in done]

def answers():
    return [item for item in session.items if item.role == "assistant"]

def heard(item, final=False):
    return max((h.samples for h in session.heard if h.item_id == item.id and (h.final or not final)), default=-1)

def heard_to_its_end(n):
    '''Whether the n-th answer is complete and was heard.'''
    if len(answers()) < n or not answers()[n - 1].done:
        return False
    item = answers()[n - 1]
    return len(item.audio()) > 0 and heard(item, final=True) == len(item.audio()) // 2

def two_in_a_row():
    '''The last two spoken questions that were answered, with their answers, when these were heard to their ends.'''
    found = [(q, a) for q, a in zip(session.items, session.items[1:]) if a in answers() and a.done and a.audio()]
    two = found[-2:]
    ended = all(a.truncated_at_ms is None and heard(a, final=True) == len(a.audio()) // 2 for q, a in two)
    return [[q.text.lower(), a.transcript] for q, a in two] if len(two) == 2 and ended else []

def appended():
    return len(session.events.filter("input_audio_buffer.append"))

def pcm(item):
    return base64.b64encode(item.audio()).decode()
"""


@pytest.fixture(scope="module")
def question_s() -> list[float]:
    """When each question is over, in seconds since the microphone was opened."""
    return []


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory, question_s: list[float]) -> Iterator[Any]:
    from rtnb.local.voice import synthesize

    spoken = [np.zeros(round(LEAD_S * RATE))]
    for question in QUESTIONS:
        spoken.append(np.frombuffer(synthesize(question, "ash"), "<i2") / 32768)
        question_s.append(sum(map(len, spoken)) / RATE)
        spoken.append(np.zeros(round(PAUSE_S * RATE)))
    with hearing_browser(np.concatenate(spoken), tmp_path_factory.mktemp("microphone")) as running:
        yield running


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture(scope="module")
def current(lab: Lab, browser: Any) -> Iterator[Notebook]:
    context = tapped_context(browser)
    opened = open_notebook(context, lab, "turns.ipynb")
    opened.run(SETUP)
    yield opened
    opened.run("clear()")
    context.close()


@pytest.fixture(scope="module")
def old(lab: Lab, browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    """The same environment with an older ipykernel before it on the path of one kernel: installed in a second."""
    if "RTNB_TEST_KERNEL_PYTHON" in os.environ:
        pytest.skip("the kernel's interpreter is given")
    if reason := install_old_kernel(lab, tmp_path_factory.mktemp("ipykernel"), "turns-old.ipynb"):
        pytest.skip(reason)
    context = tapped_context(browser)
    opened = open_notebook(context, lab, "turns-old.ipynb")
    opened.run(SETUP)
    assert opened.value("ipykernel.__version__") == OLD_KERNEL
    yield opened
    opened.run("clear()")
    context.close()


@pytest.fixture(params=["current", "old"])
def notebook(request: pytest.FixtureRequest) -> Notebook:
    opened: Notebook = request.getfixturevalue(request.param)
    return opened


def make(notebook: Notebook, settings: str = "", options: str = "") -> None:
    """A new session with a new AudioIO, as a user's cell makes them; its view is the last one of the page."""
    notebook.run("clear()")
    notebook.run_cell(CELL.format(settings=settings and ", " + settings, options=options))
    notebook.wait_for("audio.lane_ms is not None")
    # The tap must stand before what is compared is played: a tenth of a second of silence makes the page build it.
    notebook.run("audio.speaker.play('warm-up', bytes(4800)); audio.speaker.end('warm-up')")
    notebook.page.wait_for_function("window.__taps.at(-1)?.ready && window.__taps.at(-1).blocks.length")
    tapped(notebook)


def tapped(notebook: Notebook) -> tuple[np.ndarray, dict[str, Any]]:
    told = notebook.page.evaluate(READ_TAP)
    return np.frombuffer(base64.b64decode(told.pop("data")), np.float32), told


def sent_audio(notebook: Notebook, item: str) -> np.ndarray:
    """What the server sent of an item; through a file, since Jupyter drops outputs of a megabyte."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "sent"
        notebook.run(f"import pathlib; n = pathlib.Path({str(file)!r}).write_text(pcm({item}))")
        return np.frombuffer(base64.b64decode(file.read_text()), "<i2")


def place(samples: np.ndarray, part: np.ndarray) -> int:
    """Where `part` lies in `samples`, by cross-correlation."""
    n = 1 << (len(samples) + len(part)).bit_length()
    return int(np.argmax(np.fft.irfft(np.fft.rfft(samples, n) * np.conj(np.fft.rfft(part, n)), n)[: len(samples)]))


def speak(notebook: Notebook, seconds: float) -> None:
    """Hold the button until the server was sent so much sound."""
    page = notebook.page
    talk = page.locator(".rtnb-mic").last
    talk.scroll_into_view_if_needed()
    talk.hover()
    page.mouse.down()
    page.locator(".rtnb-mic[aria-pressed=true]").last.wait_for()
    notebook.wait_for(f"appended() >= {round(seconds / 0.04)}", timeout=30)
    page.mouse.up()


def test_push_to_talk_is_understood_and_answered_aloud(notebook: Notebook, question_s: list[float]) -> None:
    make(notebook)
    speak(notebook, question_s[0] + 0.5)
    notebook.wait_for("said()", timeout=60)  # the first turn of a kernel starts the recogniser
    assert "capital of france" in notebook.value("said()[0]")
    notebook.wait_for("heard_to_its_end(1)", timeout=30)
    assert "Paris" in notebook.value("answers()[0].transcript")
    assert notebook.value("[item.role for item in session.items]") == ["user", "assistant"]
    assert notebook.value("[audio.dropped, audio.underruns, audio.recording]") == [0, 0, False]
    assert notebook.value("len(session.events.filter('input_audio_buffer.commit'))") == 1


def test_what_was_heard_is_what_the_server_sent_at_the_device_rate(current: Notebook) -> None:
    import soxr

    make(current)
    current.run("reply = session.ask('What is the capital of France?')")
    current.wait_for("heard_to_its_end(1)", timeout=30)
    got, told = tapped(current)
    sent = sent_audio(current, "answers()[0]") / 32768
    expected = soxr.resample(sent, RATE, told["rate"], quality="VHQ")
    start = place(got, expected)
    part = got[start : start + len(expected)]
    assert len(part) == len(expected)
    error = np.sqrt(np.mean((part - expected) ** 2) / np.mean(expected**2))
    assert 20 * np.log10(error) < -45, "the same sound, in the same time"
    outside = np.concatenate([got[: start - 500], got[start + len(expected) + 500 :]])
    assert not np.any(np.abs(outside) > 1e-4), "and nothing else"


def test_what_was_heard_is_what_the_server_sent_sample_for_sample(current: Notebook) -> None:
    make(current, options="context_rate=24000")
    current.run("reply = session.ask('What is four plus six?')")
    current.wait_for("heard_to_its_end(1)", timeout=30)
    got = np.round(tapped(current)[0] * 32768).astype(int)
    sent = np.trim_zeros(sent_audio(current, "answers()[0]")).astype(int)
    start = place(got.astype(float), sent.astype(float))
    assert np.array_equal(got[start : start + len(sent)], sent)
    ramp = 72  # 3 ms around the sound, against clicks
    assert not np.any(got[: start - ramp])
    assert not np.any(got[start + len(sent) + ramp :])


def test_two_turns_in_a_row_with_voice_activity_detection(current: Notebook) -> None:
    make(current, "turn_detection='server_vad'")
    current.run("audio.microphone.start()")
    # Where the machine is so slow that a question comes over an answer, the questions come round again.
    current.wait_for("two_in_a_row()", timeout=90)
    current.run("audio.microphone.stop(release=True)")
    (first, answer), (second, other) = sorted(current.value("two_in_a_row()"))
    assert "capital of france" in first
    assert "Paris" in answer
    assert "capital of germany" in second
    assert "Berlin" in other
    assert current.value("audio.dropped") == 0
    numbers = current.value("[len(session.events.filter('input_audio_buffer.' + n)) for n in ('commit', 'committed')]")
    assert numbers[0] == 0, "the server ends the turns"
    assert numbers[1] >= 2


def check_cut(notebook: Notebook, item: str, record_property: Any) -> None:
    """The answer was truncated where the page's output fell silent, and the server had nothing against it."""
    cut = notebook.value("session.events.find('conversation.item.truncate').event")
    assert cut["item_id"] == notebook.value(f"{item}.id")
    got = np.round(tapped(notebook)[0] * 32768).astype(int)
    sent = sent_audio(notebook, item).astype(int)
    begin = int(np.flatnonzero(sent)[0])
    start = place(got.astype(float), sent[begin : begin + RATE // 2].astype(float)) - begin
    length = min(len(sent), len(got) - start)
    other = np.flatnonzero(got[start + begin : start + length] != sent[begin:length])
    drawn_ms = (begin + int(other[0])) / (RATE / 1000)  # from there on it was faded out
    record_property("drawn, ms", round(drawn_ms))
    record_property("truncated at, ms", cut["audio_end_ms"])
    assert 500 < drawn_ms < len(sent) / (RATE / 1000), "some of it was heard, not all"
    assert abs(drawn_ms - cut["audio_end_ms"]) <= 60
    assert notebook.value(f"{item}.truncated_at_ms") == cut["audio_end_ms"]
    assert 0 < notebook.value(f"len({item}.heard_transcript) / len({item}.transcript)") < 1
    assert notebook.value("[entry.event['error'] for entry in session.events.filter('error')]") == []


def test_talk_pressed_over_an_answer_cuts_it_where_it_was_heard(
    current: Notebook, question_s: list[float], record_property: Any
) -> None:
    make(current, options="context_rate=24000")
    current.run("reply = session.ask('Tell me a long story')")
    current.wait_for("answers() and heard(answers()[0]) > 24_000", timeout=30)
    speak(current, question_s[0] + 0.5)
    current.wait_for("heard_to_its_end(2)", timeout=45)
    check_cut(current, "answers()[0]", record_property)
    assert "Paris" in current.value("answers()[1].transcript")


def test_speech_over_an_answer_cuts_it_where_it_was_heard(notebook: Notebook, record_property: Any) -> None:
    make(notebook, "turn_detection='server_vad'", "context_rate=24000")
    notebook.run("audio.muted = True; audio.microphone.start()")
    notebook.wait_for("appended() > 5")
    notebook.run("reply = session.ask('Tell me a long story')")  # longer than the microphone is ever silent
    notebook.wait_for("answers() and heard(answers()[0]) > 24_000", timeout=30)
    notebook.run("audio.muted = False")
    notebook.wait_for("session.events.find('conversation.item.truncated') and said()", timeout=60)
    notebook.run("audio.muted = True")
    check_cut(notebook, "answers()[0]", record_property)
    names = "[e.name for e in session.events if e.name in {'input_audio_buffer.speech_started', %s}]"
    order = notebook.value(names % "'conversation.item.truncate', 'response.cancel'")
    assert order[:2] == ["input_audio_buffer.speech_started", "conversation.item.truncate"]
    assert "response.cancel" not in order, "the server cancels what speech interrupts"
    notebook.wait_for("len(answers()) > 1 and heard(answers()[1]) > 0", timeout=45)  # and answers what was said


BUSY = """
def busy(work):
    '''Be busy until the turn is over: 8 s, more only where the machine is slow.'''
    audio.microphone.start()
    for _ in range(4):
        work()
        audio.microphone.stop(release=True)  # before the second question
        if heard_to_its_end(1):
            break
    return said(), len(answers()), heard_to_its_end(1), audio.lane

def loop():
    end = time.monotonic() + 8
    while time.monotonic() < end:
        sum(i * i for i in range(1000))

told = busy({work})
"""


@pytest.mark.parametrize("work", ["lambda: time.sleep(8)", "loop"])
def test_a_busy_cell_does_not_hold_up_a_turn(notebook: Notebook, work: str) -> None:
    make(notebook, "turn_detection='server_vad'")
    notebook.run_cell(BUSY.replace("{work}", work))
    said, answers, is_heard, lane = notebook.value("told")
    assert (answers, is_heard, lane) == (1, True, "websocket"), "heard to its end while the cell ran"
    assert "capital of france" in said[0]
    assert notebook.value("[audio.dropped, audio.underruns]") == [0, 0]


def test_a_refused_microphone_is_told_and_text_still_works(lab: Lab, browser: Any) -> None:
    context = tapped_context(browser, microphone=False)
    try:
        notebook = open_notebook(context, lab, "refused.ipynb")
        notebook.run(SETUP)
        notebook.run_cell(CELL.format(settings="", options=""))
        notebook.wait_for("audio.lane_ms is not None")
        notebook.page.locator(".rtnb-mic").click()
        note = notebook.page.locator(".rtnb-note")
        note.filter(has_text="The microphone was refused to this page.").wait_for()
        notebook.wait_for("'address bar' in audio.error")
        assert "Paris" in notebook.run_cell("print(session.ask('What is the capital of France?', output='text').text)")
        notebook.run("reply = session.ask('What is four plus six?')")  # and aloud
        notebook.wait_for("heard_to_its_end(2)", timeout=30)
        assert notebook.page.evaluate("window.__streams.length") == 0
        notebook.run("clear()")
    finally:
        context.close()


LIVE = "window.__streams.flatMap((s) => s.getTracks()).filter((t) => t.readyState === 'live').length"


def test_a_session_goes_on_when_its_page_is_reloaded(lab: Lab, browser: Any) -> None:
    context = tapped_context(browser)
    try:
        notebook = open_notebook(context, lab, "reload.ipynb")
        page = notebook.page
        notebook.run(SETUP)
        make(notebook, "turn_detection='server_vad'")
        page.locator(".rtnb-mute").last.click()
        notebook.wait_for("audio.muted")
        notebook.run("audio.microphone.start()")  # recording, but nobody speaks
        notebook.wait_for("appended() > 5")
        notebook.run("reply = session.ask('Tell me a long story')")
        notebook.wait_for("answers() and heard(answers()[0]) > 0", timeout=60)
        assert page.evaluate(LIVE) == 1
        page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
        page.reload()
        attach(notebook)
        assert page.evaluate("window.__streams.length") == 0, "nobody pressed anything in the new page"
        notebook.wait_for("audio.lane_ms is not None and not audio.recording")
        notebook.wait_for("not session.is_playing")  # what the old page had got is not heard any more
        assert notebook.value("session.state.value") == "ready"
        assert notebook.value("len(session.events.filter('session.created'))") == 1, "the same connection"
        assert "Paris" in notebook.run("print(session.ask('What is the capital of France?', output='text').text)")
        page.locator(".rtnb-mute").last.click()
        notebook.wait_for("not audio.muted")
        page.locator(".rtnb-mic").last.hover()
        page.mouse.down()
        notebook.wait_for("session.events.find('input_audio_buffer.speech_stopped')", timeout=60)
        assert page.evaluate(LIVE) == 1
        page.mouse.up()
        notebook.wait_for("heard_to_its_end(3)", timeout=60)
        assert "capital of france" in notebook.value("said()[0]")
        assert "Paris" in notebook.value("answers()[2].transcript")
        notebook.wait_for("not audio.recording")
        notebook.run("clear()")
        page.wait_for_function(LIVE + " === 0")
    finally:
        context.close()
