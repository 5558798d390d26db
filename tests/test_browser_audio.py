"""AudioIO in a real JupyterLab with a real kernel: microphone, loudspeaker and lanes.

Chromium's microphone plays a file, a second tap on the page's output hears what is played.
"""

from __future__ import annotations

import base64
import logging
import pathlib
import shutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("playwright")
pytest.importorskip("jupyterlab")
from helpers_browser import READ_TAP, Lab, Notebook, attach, open_notebook, running_lab
from helpers_browser_sound import hearing_browser, tapped_context

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium"),
]

_log = logging.getLogger(__name__)

SPOKEN_S = 3
RAW = "echo_cancellation=False, noise_suppression=False, auto_gain=False"

SETUP = """
import json, threading, time
import numpy as np
from rtnb.notebook.audio_io import AudioIO
audio = None

def make(**options):
    global audio, heard, frames, stamps, dropped, recordings
    if audio is not None:
        audio.close()
    heard, frames, stamps, dropped, recordings = [], [], [], [], []
    audio = AudioIO(**options)
    audio.speaker.on_heard = lambda *report: heard.append(report)
    def on_audio(pcm, seq):
        frames.append((seq, bytes(pcm)))
        stamps.append(time.monotonic())
    audio.microphone.on_audio = on_audio
    audio.microphone.on_dropped = dropped.append
    audio.microphone.on_recording = recordings.append
    return audio

def tone(seconds, hz=440, amplitude=8000):
    t = np.arange(round(24000 * seconds)) / 24000
    return (amplitude * np.sin(2 * np.pi * hz * t)).astype('<i2').tobytes()

def play(item, pcm, piece=9600):
    for at in range(0, len(pcm), piece):
        audio.speaker.play(item, pcm[at:at + piece])

def last(item):
    return next((n for i, n, final in heard if i == item and final), None)
"""


def spoken() -> np.ndarray:
    """What the fake microphone says, 24 kHz: a sweep with a rhythm, so that no two places are alike."""
    t = np.arange(24_000 * SPOKEN_S) / 24_000
    sweep = np.sin(2 * np.pi * (200 * t + 3000 * t**2 / (2 * SPOKEN_S)))
    return np.asarray(0.4 * sweep * (0.6 + 0.4 * np.sin(2 * np.pi * 1.7 * t)))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with hearing_browser(spoken(), tmp_path_factory.mktemp("microphone")) as running:
        yield running


@pytest.fixture(scope="module")
def notebook(lab: Lab, browser: Any) -> Iterator[Notebook]:
    context = tapped_context(browser)
    opened = open_notebook(context, lab, "audio.ipynb")
    opened.run(SETUP)
    yield opened
    context.close()


def make(notebook: Notebook, lane: str, options: str = RAW) -> None:
    """A new AudioIO with one lane; its view is in the cell."""
    notebook.run_cell(f"make(lanes=[{lane!r}], {options})")
    notebook.wait_for("audio.lane_ms is not None")
    assert notebook.value("audio.lane") == lane


def tapped(notebook: Notebook) -> tuple[np.ndarray, dict[str, Any]]:
    told = notebook.page.evaluate(READ_TAP)
    return np.frombuffer(base64.b64decode(told.pop("data")), np.float32), told


def warm_up(notebook: Notebook) -> None:
    """The tap stands before what is compared is played."""
    notebook.run("play('warm-up', tone(0.1)); audio.speaker.end('warm-up')")
    notebook.wait_for("last('warm-up') == 2400")
    notebook.page.wait_for_function("window.__taps.at(-1).ready && window.__taps.at(-1).blocks.length")
    tapped(notebook)


def sounding(samples: np.ndarray) -> np.ndarray:
    """From the first to the last sample that is not silence."""
    at = np.flatnonzero(np.abs(samples) > 1e-5)
    return samples[at[0] : at[-1] + 1] if len(at) else samples[:0]


def places(samples: np.ndarray, reference: np.ndarray, width: int = 6_000) -> list[tuple[int, float]]:
    """Where each stretch of `samples` lies in the looped `reference`, and how well it fits (cross-correlation)."""
    looped = np.concatenate([reference, reference])
    squares = np.concatenate([[0.0], np.cumsum(looped**2)])
    n = 1 << (2 * len(looped)).bit_length()
    energy = (squares[width:] - squares[:-width])[: len(reference)]
    found = []
    for at in range(0, len(samples) - width + 1, width):
        part = samples[at : at + width]
        correlation = np.fft.irfft(np.fft.rfft(looped, n) * np.conj(np.fft.rfft(part, n)), n)[: len(reference)]
        fit = correlation / np.sqrt(energy * np.sum(part**2) + 1e-9)
        best = int(np.argmax(fit))
        found.append(((best - at) % len(reference), float(fit[best])))
    return found


LANES = ["websocket", "proxy", "control", "comm"]


@pytest.mark.parametrize("lane", LANES)
def test_frames_arrive_in_order_and_hold_what_the_microphone_heard(notebook: Notebook, lane: str) -> None:
    make(notebook, lane)
    notebook.run("audio.microphone.start()")
    notebook.wait_for("len(frames) > 60")
    notebook.run("audio.microphone.stop()")
    notebook.wait_for("recordings == [True, False]")
    numbers = notebook.value("[seq for seq, _ in frames]")
    assert numbers == list(range(len(numbers)))
    assert notebook.value("[len(pcm) for _, pcm in frames[:-1]]") == [1920] * (len(numbers) - 1)
    assert notebook.value("[dropped, audio.dropped]") == [[], 0]
    data = notebook.value("__import__('base64').b64encode(b''.join(pcm for _, pcm in frames)).decode()")
    samples = np.frombuffer(base64.b64decode(data), "<i2") / 32768
    # Chromium's fake device is driven by a timer and slips some samples on a busy machine: a stretch may straddle that.
    found = places(samples[12_000:60_000], spoken())
    fitting = [place for place, fit in found if fit > 0.95]
    assert len(fitting) >= len(found) - 2, found
    distance = [abs((place - fitting[0] + 36_000) % 72_000 - 36_000) for place in fitting]
    assert max(distance) < 2_400, "one continuous sound, in order"


@pytest.mark.parametrize("lane", LANES)
def test_what_is_played_is_what_was_sent_sample_for_sample(notebook: Notebook, lane: str) -> None:
    make(notebook, lane, "context_rate=24000")
    warm_up(notebook)
    notebook.run("""
rng = np.random.default_rng(1)
sent = [(rng.standard_normal(n) * 4000).clip(-32768, 32767).astype('<i2') for n in (24000, 7777)]
for pcm in sent: pcm[0] = pcm[-1] = 0
play('a', sent[0].tobytes(), 1999); audio.speaker.end('a')   # odd pieces too
play('b', sent[1].tobytes()); audio.speaker.end('b')
""")
    notebook.wait_for("last('b') is not None")
    assert notebook.value("[last('a'), last('b'), audio.underruns]") == [24_000, 7_777, 0]
    got, _ = tapped(notebook)
    rng = np.random.default_rng(1)  # the same draws again
    pieces = [(rng.standard_normal(n) * 4000).clip(-32768, 32767).astype("<i2") for n in (24_000, 7_777)]
    for piece in pieces:
        piece[0] = piece[-1] = 0
    sent = np.trim_zeros(np.concatenate(pieces))
    heard = np.round(sounding(got) * 32768).astype(int)
    assert len(heard) == len(sent)
    assert np.array_equal(heard, sent)


def test_at_the_device_rate_the_count_is_exact_and_the_sound_the_same(notebook: Notebook) -> None:
    import soxr

    make(notebook, "websocket")
    warm_up(notebook)
    notebook.run("""
n = 24000
ramp = np.minimum(1, np.minimum(np.arange(n), np.arange(n)[::-1]) / 1200)
sweep = np.sin(2 * np.pi * (300 * np.arange(n) / n + 4000 * (np.arange(n) / n) ** 2))
play('a', (9000 * ramp * sweep).astype('<i2').tobytes()); audio.speaker.end('a')
""")
    notebook.wait_for("last('a') is not None")
    assert notebook.value("last('a')") == 24_000
    got, told = tapped(notebook)
    n = np.arange(24_000)
    ramp = np.minimum(1, np.minimum(n, n[::-1]) / 1200)
    sent = (9000 * ramp * np.sin(2 * np.pi * (300 * n / 24_000 + 4000 * (n / 24_000) ** 2))).astype("<i2") / 32768
    expected = soxr.resample(sent, 24_000, told["rate"], quality="VHQ")
    loud = np.flatnonzero(np.abs(expected) > 0.02)
    heard = np.flatnonzero(np.abs(got) > 0.02)
    assert abs((heard[-1] - heard[0]) - (loud[-1] - loud[0])) <= 2
    n = 1 << (len(got) + len(expected)).bit_length()
    shift = int(np.argmax(np.fft.irfft(np.fft.rfft(got, n) * np.conj(np.fft.rfft(expected, n)), n)))
    part = got[shift : shift + len(expected)]
    error = np.sqrt(np.mean((part - expected) ** 2) / np.mean(expected**2))
    assert 20 * np.log10(error) < -50


NOTE_STOP = """() => {
  const engine = [...rtnbEngines.values()].at(-1);
  const receive = engine.receive.bind(engine);
  engine.receive = (header, payload) => {
    if (header.kind === 'stop') window.__stopCame = engine.context.currentTime;
    receive(header, payload);
  };
}"""


@pytest.mark.parametrize("lane", ["websocket", "control"])
def test_stop_silences_and_tells_what_was_heard_and_late_audio_is_dropped(notebook: Notebook, lane: str) -> None:
    make(notebook, lane, "context_rate=24000")
    warm_up(notebook)
    notebook.page.evaluate(NOTE_STOP)
    notebook.run("play('a', tone(20)); play('b', tone(1)); audio.speaker.end('b')")
    notebook.wait_for("heard and heard[-1][0] == 'a' and heard[-1][1] > 12000")
    notebook.run("""
stopped_at = time.time() * 1000
audio.speaker.stop()
audio.speaker.play('a', tone(1))  # the server had this on its way
audio.speaker.end('a')
""")
    notebook.wait_for("last('a') is not None and last('b') is not None")
    notebook.run("time.sleep(0.4)")
    got, told = tapped(notebook)
    sound = np.flatnonzero(np.abs(got) > 1e-4)
    drawn = int(sound[-1] - sound[0])
    heard = notebook.value("last('a')")
    assert abs(drawn - heard) <= 0.06 * 24_000 + 24_000 * told["latency"]
    # By the clock of the sound itself: a busy machine makes the way to the page longer, but not this.
    late = told["first"] + sound[-1] - 24_000 * notebook.page.evaluate("window.__stopCame")
    assert -0.06 * 24_000 < late <= 0.06 * 24_000, "60 ms after stop reached the page"
    assert notebook.value("[last('b'), audio.speaker.late]") == [0, 48_000]
    assert notebook.value("[len([r for r in heard if r[0] == i and r[2]]) for i in 'ab']") == [1, 1]
    silent = told["offset"] + 1000 * (told["first"] + sound[-1]) / 24_000
    measured = silent - notebook.value("stopped_at")
    _log.info("%s: last sample drawn %.0f ms after stop(), %d samples of them in the page", lane, measured, late)
    notebook.run("play('c', tone(0.2)); audio.speaker.end('c')")
    notebook.wait_for("last('c') == 4800")


def test_the_page_falls_silent_by_itself_while_the_kernel_is_busy(notebook: Notebook) -> None:
    make(notebook, "websocket", "context_rate=24000")
    warm_up(notebook)
    notebook.run("play('a', tone(20))")
    button = notebook.page.locator(".rtnb-quiet").last
    button.wait_for(state="visible")
    busy = notebook.start("time.sleep(4); told_while_busy = last('a')")
    button.click()
    button.wait_for(state="hidden")
    assert notebook.is_running(busy)
    notebook.text(busy)
    assert notebook.value("told_while_busy") == notebook.value("last('a')") > 0
    notebook.run("audio.speaker.play('a', tone(1)); time.sleep(0.3)")
    assert notebook.value("audio.speaker.late") == 48_000
    got, _ = tapped(notebook)
    assert not np.any(got[-12_000:])


@pytest.mark.parametrize("lane", ["websocket", "control"])
def test_a_busy_cell_does_not_hold_the_lane(notebook: Notebook, lane: str) -> None:
    make(notebook, lane)
    notebook.run("audio.microphone.start()")
    notebook.wait_for("len(frames) > 5")
    notebook.run_cell("""
def during(work):
    before, count = time.monotonic(), len(frames)
    play(f'busy {count}', tone(1)); audio.speaker.end(f'busy {count}')
    work()
    return len(frames) - count, time.monotonic() - before, last(f'busy {count}')

def loop():
    end = time.monotonic() + 3
    while time.monotonic() < end:
        sum(i * i for i in range(1000))

slept, looped = during(lambda: time.sleep(3)), during(loop)
audio.microphone.stop()
""")
    for count, seconds, heard in notebook.value("[slept, looped]"):
        assert count >= 0.8 * seconds / 0.04, "frames came while the cell ran"
        assert heard == 24_000, "the answer was heard while the cell ran"
    gap = notebook.value("max(b - a for a, b in zip(stamps, stamps[1:])) * 1000")
    numbers = notebook.value("[seq for seq, _ in frames]")
    _log.info("%s: longest gap between frames %.0f ms", lane, gap)
    assert numbers == list(range(len(numbers)))


PLOTS = """
import matplotlib.pyplot as plt
from IPython.display import display, HTML
%matplotlib inline
said = []
def talk():
    for i in range(30):
        print(f'thread {i}')
        said.append(i)
        time.sleep(0.05)
thread = threading.Thread(target=talk)
thread.start()
for i in range(7):
    plt.figure(figsize=(2, 1)); plt.plot(range(i + 2)); plt.title(f'plot {i}'); plt.show()
    print(f'after plot {i}')
    time.sleep(0.2)
for i in range(3):
    display(HTML(f'<b>display {i}</b>'))
thread.join()
print('done')
"""


@pytest.mark.parametrize("lane", ["websocket", "control"])
def test_a_cell_shows_every_output_in_place_while_the_microphone_streams(notebook: Notebook, lane: str) -> None:
    make(notebook, lane)
    notebook.run("audio.microphone.start()")
    notebook.wait_for("len(frames) > 5")
    count = notebook.value("len(frames)")
    outputs = notebook.outputs(notebook.start(PLOTS))
    assert notebook.value("len(frames)") > count + 20
    notebook.run("audio.microphone.stop()")
    text = "".join("".join(x["text"]) for x in outputs if x["output_type"] == "stream")
    assert [line for line in text.split("\n") if line.startswith("thread")] == [f"thread {i}" for i in range(30)]
    order = [
        "image" if "image/png" in x.get("data", {}) else "html" if "text/html" in x.get("data", {}) else "text"
        for x in outputs
    ]
    assert order.count("image") == 7
    assert order.count("html") == 3
    marks = "".join(
        "I" if kind == "image" else "".join(x.get("text", "")) for kind, x in zip(order, outputs, strict=True)
    )
    places = [marks.index(f"after plot {i}") for i in range(7)]
    assert [marks[:place].count("I") for place in places] == list(range(1, 8)), "each plot before its line"
    assert marks.rstrip().endswith("done")


# Jupyter's binary messages: number of offsets, offsets, then channel, header, parent, metadata, content, buffers.
LOSE_BUFFERS = """(() => {
  const without = (data) => {
    if (!(data instanceof ArrayBuffer)) return data;
    const view = new DataView(data);
    const number = (i) => Number(view.getBigUint64(8 * i, true));
    const at = Array.from({ length: number(0) }, (_, i) => number(i + 1));
    if (at.length <= 6) return data;
    globalThis.lost = (globalThis.lost ?? 0) + at.length - 6;
    const made = new Uint8Array(56 + at[5] - at[0]);
    const head = new DataView(made.buffer);
    head.setBigUint64(0, 6n, true);
    for (let i = 0; i < 6; i++) head.setBigUint64(8 + 8 * i, BigInt(56 + at[i] - at[0]), true);
    made.set(new Uint8Array(data, at[0], at[5] - at[0]), 56);
    return made.buffer;
  };
  const { send } = WebSocket.prototype;
  WebSocket.prototype.send = function (data) { send.call(this, without(data)); };
  const { set } = Object.getOwnPropertyDescriptor(WebSocket.prototype, "onmessage");
  Object.defineProperty(WebSocket.prototype, "onmessage", { set(take) {
    set.call(this, take && ((event) => take(new MessageEvent("message", { data: without(event.data) }))));
  } });
})()"""


@pytest.mark.parametrize("lane", ["control", "comm"])
def test_sound_crosses_a_front_end_that_loses_binary_buffers(lab: Lab, browser: Any, lane: str) -> None:
    context = tapped_context(browser)
    context.add_init_script(LOSE_BUFFERS)
    try:
        notebook = open_notebook(context, lab, f"lossy-{lane}.ipynb")
        notebook.run(SETUP)
        check_lossy(notebook, lane)
    finally:
        context.close()


def check_lossy(notebook: Notebook, lane: str) -> None:
    make(notebook, lane, "context_rate=24000")
    assert notebook.page.evaluate("globalThis.lost") > 0
    warm_up(notebook)
    notebook.run("play('a', tone(0.5, amplitude=8000)); audio.speaker.end('a')")
    notebook.wait_for("last('a') == 12000")
    got, _ = tapped(notebook)
    assert abs(np.max(np.abs(got)) * 32768 - 8000) < 2
    notebook.run("audio.microphone.start()")
    notebook.wait_for("len(frames) > 30")
    notebook.run("audio.microphone.stop()")
    data = notebook.value("__import__('base64').b64encode(b''.join(pcm for _, pcm in frames)).decode()")
    samples = np.frombuffer(base64.b64decode(data), "<i2") / 32768
    fits = [fit for _, fit in places(samples[6_000:], spoken())]
    assert sum(fit > 0.95 for fit in fits) >= len(fits) - 1, fits


def test_record_blocks_in_a_cell_and_gives_what_was_asked(notebook: Notebook) -> None:
    make(notebook, "websocket")
    assert notebook.run("print(len(audio.record(1.0)))").strip() == "48000"
    assert "only" not in notebook.value("audio.error")
    make(notebook, "comm")
    outputs = notebook.outputs(notebook.start("audio.record(1.0, timeout=5)"))
    assert outputs[-1]["ename"] == "RtnbError"
    assert "widget messages" in outputs[-1]["evalue"]


def test_two_views_play_once(notebook: Notebook) -> None:
    make(notebook, "websocket", "context_rate=24000")
    notebook.run_cell("display(audio); display(audio)")
    assert notebook.page.locator(".rtnb-io:visible").count() >= 3
    warm_up(notebook)
    taps = notebook.page.evaluate("window.__taps.length")
    notebook.run("play('a', tone(0.5, amplitude=8000)); audio.speaker.end('a')")
    notebook.wait_for("last('a') == 12000")
    got, _ = tapped(notebook)
    assert notebook.page.evaluate("window.__taps.length") == taps
    assert abs(np.max(np.abs(got)) * 32768 - 8000) < 2
    assert len(sounding(got)) <= 12_000 + 2 * 72, "with the short ramps around it"


def test_the_button_is_held_latched_and_interrupts(notebook: Notebook) -> None:
    make(notebook, "websocket")
    page = notebook.page
    talk = page.locator(".rtnb-mic").last
    talk.scroll_into_view_if_needed()
    notebook.run("play('a', tone(20))")
    page.locator(".rtnb-quiet").last.wait_for(state="visible")
    talk.click()  # short: latched; the voice is interrupted first
    page.locator(".rtnb-mic[aria-pressed=true]").wait_for()
    page.locator(".rtnb-quiet").last.wait_for(state="hidden")
    notebook.wait_for("last('a') is not None and recordings == [True] and len(frames) > 10")
    talk.click()
    notebook.wait_for("recordings == [True, False] and not audio.recording")
    talk.hover()
    page.mouse.down()
    notebook.wait_for("recordings[2:] == [True] and frames[-1][0] > 15")
    page.mouse.move(5, 5)  # let go outside the button
    page.mouse.up()
    notebook.wait_for("recordings[2:] == [True, False]")
    first = notebook.value("[i for i, (seq, _) in enumerate(frames) if seq == 0][1]")
    assert notebook.value(f"[seq for seq, _ in frames[{first}:]]") == list(
        range(notebook.value(f"len(frames[{first}:])"))
    )
    talk.focus()
    page.keyboard.press("Space")
    notebook.wait_for("recordings[4:] == [True]")
    page.keyboard.press("Escape")
    notebook.wait_for("recordings[4:] == [True, False]")


def test_mute_and_options_go_both_ways(notebook: Notebook) -> None:
    make(notebook, "websocket")
    notebook.page.locator(".rtnb-mute").last.click()
    notebook.wait_for("audio.muted")
    notebook.run("audio.microphone.start()")
    notebook.wait_for("len(frames) > 20")
    assert notebook.value("any(any(pcm) for _, pcm in frames)") is False
    notebook.run("audio.muted = False")
    notebook.wait_for("any(any(pcm) for _, pcm in frames) and audio.level > -60")
    notebook.run("audio.microphone.stop()")
    notebook.wait_for("audio.devices")


def test_a_media_stream_of_ipywebrtc_takes_the_microphones_place(notebook: Notebook) -> None:
    pytest.importorskip("ipywebrtc")
    if notebook.run("import importlib.util; print(importlib.util.find_spec('ipywebrtc') is None)").strip() == "True":
        pytest.skip("the kernel has no ipywebrtc")
    notebook.run("import ipywebrtc; camera = ipywebrtc.CameraStream(constraints={'audio': True, 'video': False})")
    make(notebook, "websocket", "source=camera")
    streams = notebook.page.evaluate("window.__streams.length")
    notebook.run("audio.microphone.start()")
    notebook.wait_for("len(frames) > 20 and any(any(pcm) for _, pcm in frames)")
    notebook.run("audio.close(); camera.close()")
    assert notebook.page.evaluate("window.__streams.length") == streams + 1, "opened by ipywebrtc, not by us"
    notebook.page.evaluate("window.__streams.at(-1).getTracks().forEach((track) => track.stop())")


def test_closing_leaves_no_open_microphone(notebook: Notebook) -> None:
    make(notebook, "websocket")
    notebook.run("audio.microphone.start()")
    notebook.wait_for("len(frames) > 5")
    assert live_tracks(notebook.page) == 1
    notebook.run("audio.close()")
    notebook.page.wait_for_function(LIVE + " === 0")


LIVE = "window.__streams.flatMap((s) => s.getTracks()).filter((t) => t.readyState === 'live').length"


def live_tracks(page: Any) -> int:
    return int(page.evaluate(LIVE))


def test_a_refused_microphone_is_told_in_words(lab: Lab, browser: Any) -> None:
    context = tapped_context(browser, microphone=False)
    try:
        notebook = open_notebook(context, lab, "refused.ipynb")
        notebook.run(SETUP)
        make(notebook, "websocket")
        notebook.page.locator(".rtnb-mic").click()
        note = notebook.page.locator(".rtnb-note")
        note.filter(has_text="refused to this page").wait_for()
        notebook.wait_for("audio.microphone_state == 'refused' and 'address bar' in audio.error")
        outputs = notebook.outputs(notebook.start("audio.record(1)"))
        assert outputs[-1]["ename"] == "RtnbError"
        assert "refused to this page" in outputs[-1]["evalue"]
        # As under the header `Permissions-Policy: microphone=()`.
        notebook.page.evaluate(
            "Object.defineProperty(document, 'featurePolicy', { value: { allowsFeature: () => false } })"
        )
        notebook.page.locator(".rtnb-mic").click()
        note.filter(has_text="Permissions-Policy").wait_for()
        notebook.wait_for("'Permissions-Policy' in audio.error")
    finally:
        context.close()


def test_page_reload_and_kernel_restart_leave_no_open_microphone(lab: Lab, browser: Any) -> None:
    context = tapped_context(browser)
    try:
        notebook = open_notebook(context, lab, "reload.ipynb")
        page = notebook.page
        notebook.run(SETUP)
        notebook.run(f"make({RAW})")
        notebook.run_cell("display(audio)")
        notebook.run("audio.microphone.start(); play('a', tone(20))")
        notebook.wait_for("len(frames) > 5 and heard")
        page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
        page.reload()
        attach(notebook)
        assert page.evaluate("window.__streams.length") == 0, "nobody pressed anything in the new page"
        notebook.wait_for("audio.lane_ms is not None and not audio.recording and recordings == [True, False]")
        notebook.wait_for("last('a') is not None")  # the session learns that no more of it is heard
        count = notebook.value("len(frames)")
        page.locator(".rtnb-mic").first.click()
        notebook.wait_for(f"len(frames) > {count + 10}")
        numbers = notebook.value(f"[seq for seq, _ in frames[{count}:]]")
        assert numbers == list(range(len(numbers)))
        assert live_tracks(page) == 1
        page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
        page.wait_for_function(LIVE + " === 0")
    finally:
        context.close()


def test_without_a_click_the_page_offers_one(lab: Lab, browser: Any) -> None:
    """Playwright's own evaluate counts as a gesture, so this page is driven over the raw protocol."""
    context = tapped_context(browser)
    try:
        driver = open_notebook(context, lab, "gesture.ipynb")
        driver.run(SETUP)
        driver.run("make()")
        driver.run_cell("display(audio)")
        driver.page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
        page = context.new_page()
        raw = context.new_cdp_session(page)

        def quietly(expression: str) -> Any:
            answer = raw.send("Runtime.evaluate", {"expression": expression, "returnByValue": True})
            assert "exceptionDetails" not in answer, answer
            return answer["result"].get("value")

        def until(condition: str) -> None:
            for _ in range(300):
                if quietly(f"!!({condition})"):
                    return
                page.wait_for_timeout(100)
            raise TimeoutError(condition)

        raw.send("Page.navigate", {"url": lab.url("gesture.ipynb")})
        until("document.querySelector('.rtnb-lane')?.textContent.includes('ms')")
        driver.wait_for("audio.lane_ms is not None")
        driver.run("play('a', tone(0.5)); audio.speaker.end('a')")
        until("document.querySelector('.rtnb-enable:not([hidden])')")
        driver.wait_for("audio.sound == 'blocked'")
        assert driver.value("heard") == []
        box = quietly("(({x, y}) => [x, y])(document.querySelector('.rtnb-enable').getBoundingClientRect())")
        page.mouse.click(box[0] + 5, box[1] + 5)
        driver.wait_for("last('a') == 12000")
        assert driver.value("audio.sound") == "running"
        # Two pages show this notebook: the one that came last plays, the other says so and can take over.
        driver.page.bring_to_front()
        driver.page.locator(".rtnb-note").filter(has_text="Another page").first.wait_for()
        driver.page.locator(".rtnb-here").first.click()
        until("document.querySelector('.rtnb-note').textContent.includes('Another page')")
        driver.run("play('b', tone(0.5)); audio.speaker.end('b')")
        driver.wait_for("last('b') == 12000")
        assert driver.page.evaluate("window.__taps.length") == 1
    finally:
        context.close()


def test_the_view_is_drawn_in_both_themes(notebook: Notebook, tmp_path: pathlib.Path) -> None:
    make(notebook, "websocket")
    colours = set()
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        notebook.page.evaluate(
            "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", theme
        )
        notebook.page.wait_for_function("(theme) => document.body.dataset.jpThemeName === theme", arg=theme)
        mic = notebook.page.locator(".rtnb-mic").last
        mic.wait_for()
        colours.add(mic.evaluate("(el) => getComputedStyle(el).color + getComputedStyle(el).backgroundColor"))
    assert len(colours) == 2
