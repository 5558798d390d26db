"""How fast sound crosses between page and session: each lane, beside an idle and beside a busy cell, in one run.

Run it with::

    uv run python benchmarks/lanes.py [--minutes 5] [--lanes websocket proxy control comm]

A JupyterLab with a real kernel, a real Chromium with a silent microphone, a session on the local endpoint. The stamps
are taken where the sound is: in the audio thread of the page, and in the session's log. Page and kernel run on one
machine and share its wall clock, which the page reads in whole milliseconds: single values are good to 0.5 ms.

=====================  =================================================================================================
microphone to socket   the audio thread hands out a 40 ms frame -> its event is on the session's socket
server to worklet      an ``output_audio.delta`` is read from the socket -> the audio thread has its last sample
time to silence        ``speaker.stop()`` is called -> the audio thread has drawn the last sample (5 ms of it fading);
                       the device adds its own latency, which is printed below the table
frames lost            of those that the audio thread handed out in ``--minutes``, a half of it beside busy cells
=====================  =================================================================================================

A busy cell is a pure Python loop of 10 s; between two of them the kernel is free for a moment.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import sys
import tempfile
import wave
from bisect import bisect_left
from typing import Any

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))
from helpers_browser import Notebook, open_notebook, running_browser, running_lab

BUSY_S = 10
STOPS = 10

# Before the page's own worklet module another one is loaded, which wraps what that one registers.
STAMPS = """(() => {
  const source = `const register = globalThis.registerProcessor;
  globalThis.registerProcessor = (name, Processor) => register.call(globalThis, name, class extends Processor {
    constructor(options) {
      super(options);
      const post = this.port.postMessage.bind(this.port);
      if (name === 'rtnb-capture')
        this.port.postMessage = (data, moved) => post(data.frames?.length ? { ...data, at: Date.now() } : data, moved);
      const take = this.port.onmessage;
      this.port.onmessage = (event) => {
        const n = event.data.pcm?.length;
        take.call(this.port, event);
        if (n) this.tell({ arrived: Date.now(), item: event.data.item, n });
        if (event.data.stop) this.stopped = true;
      };
      this.tell = (stamp) => {
        const { underruns, late } = this.queue;
        post({ reports: [], stopped: false, sounding: this.sounding, underruns, late, stamp });
      };
    }
    process(inputs, outputs) {
      const result = super.process(inputs, outputs);
      if (this.stopped && outputs[0][0].every((x) => x === 0)) {
        this.stopped = false;
        this.tell({ silent: Date.now() });
      }
      return result;
    }
  });`;
  const stamps = (window.__stamps = { frames: [], pcm: [], silent: [], latency: 0 });
  const addModule = AudioWorklet.prototype.addModule;
  AudioWorklet.prototype.addModule = async function (...rest) {
    const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
    await addModule.call(this, url);
    return addModule.apply(this, rest);
  };
  window.AudioWorkletNode = class extends AudioWorkletNode {
    constructor(context, name, options) {
      super(context, name, options);
      this.port.addEventListener('message', ({ data: { frames, at, stamp } }) => {
        for (const frame of frames ?? []) stamps.frames.push([frame.seq, at + 0.5]);
        if (stamp?.arrived) stamps.pcm.push([stamp.item, stamp.n, stamp.arrived + 0.5]);
        if (stamp?.silent) stamps.silent.push(stamp.silent + 0.5);
        stamps.latency = context.outputLatency;
      });
    }
  };
})();"""

READ = """() => {
  const { frames, pcm, silent, latency } = window.__stamps;
  Object.assign(window.__stamps, { frames: [], pcm: [], silent: [] });
  return { frames, pcm, silent, latency };
}"""

SETUP = """
import base64, json, threading, time
import rtnb
from rtnb.notebook.audio_io import AudioIO
session = audio = None

def make(lane):
    global session, audio
    if session is not None:
        session.close(); audio.close()
    detector = {"type": "server_vad", "create_response": False, "interrupt_response": False}
    session = rtnb.Session("local", turn_detection=detector, transcription=None)
    audio = AudioIO(lanes=[lane])
    session.attach(audio)
    session.connect()
    return audio

def wall(entry):
    return 1000 * (entry.time + session._core.origin + time.time() - time.perf_counter())

def appended():
    return [wall(entry) for entry in session.events.filter("input_audio_buffer.append")]

def deltas(reply):
    out, total = [], 0
    for entry in session.events.filter("response.output_audio.delta"):
        if entry.event["item_id"] == reply.items[-1].id:
            total += len(base64.b64decode(entry.event["delta"])) // 2
            out.append([total, wall(entry)])
    return [reply.items[-1].id, out]

def busy(seconds):
    '''A pure Python loop; gives when it began and ended.'''
    begin = time.time()
    while time.time() < begin + seconds:
        sum(i * i for i in range(1000))
    return 1000 * begin, 1000 * time.time()

def stops(n):
    '''Play and stop n times; gives when each stop was called.'''
    called = []
    for i in range(n):
        audio.speaker.play(f"noise {time.time()}", b"\\0\\x10" * 48_000)
        time.sleep(0.6)
        called.append(1000 * time.time())
        audio.speaker.stop()
        time.sleep(0.4)
    return called
"""


def percentiles(values: list[float]) -> str:
    if not values:
        return "-"
    p50, p99 = np.percentile(values, [50, 99])
    return " / ".join(f"{p:.1f}" if p < 100 else f"{p:,.0f}" for p in (p50, p99))


def downlink(notebook: Notebook, pcm: list[Any]) -> list[float]:
    """From each delta on the socket to the audio thread."""
    item, sent = notebook.value("deltas(reply)")
    totals, times, total = [], [], 0
    for name, n, at in pcm:
        if name == item:
            total += n
            totals.append(total)
            times.append(at)
    return [times[bisect_left(totals, end)] - at for end, at in sent if totals and end <= totals[-1]]


def to_silence(called: list[float], silent: list[float]) -> list[float]:
    """From each stop to the first silence after it."""
    found = []
    for at, until in zip(called, [*called[1:], float("inf")], strict=True):
        found += [s - at for s in silent if at - 1 <= s < until][:1]
    return found


def measure(notebook: Notebook, lane: str, minutes: float) -> dict[str, str]:
    page = notebook.page
    notebook.run_cell(f"make({lane!r})")
    notebook.wait_for("audio.lane_ms is not None", timeout=60)
    assert notebook.value("audio.lane") == lane
    half_ms = 30_000 * minutes

    # microphone to socket
    notebook.run("audio.microphone.start()")
    notebook.wait_for("len(appended()) > 25", timeout=30)
    page.wait_for_timeout(half_ms)
    windows = []
    for _ in range(max(1, round(half_ms / 1000 / BUSY_S))):
        notebook.run(f"window = busy({BUSY_S})")
        windows.append(notebook.value("window"))
    notebook.run("audio.microphone.stop(release=True)")
    notebook.wait_for("not audio.recording", timeout=60)
    stamps = page.evaluate(READ)
    arrived = notebook.value("appended()")
    lost = len(stamps["frames"]) - len(arrived)
    pairs = list(zip(stamps["frames"], arrived, strict=False)) if lost == 0 else []
    first = 8  # the pre-roll comes at once, and the page draws its button
    idle = [there - at for (seq, at), there in pairs if seq >= first and at < windows[0][0] - 100]
    beside = [there - at for (_, at), there in pairs if any(a <= at <= b for a, b in windows)]

    # server to worklet
    notebook.run("reply = session.ask('Tell me a long story'); _ = reply.text")
    notebook.wait_for("reply.is_done")
    page.wait_for_timeout(1500)
    down_idle = downlink(notebook, page.evaluate(READ)["pcm"])
    notebook.run(f"session.interrupt(); reply = session.ask('Tell me a long story'); busy({BUSY_S})")
    notebook.wait_for("reply.is_done", timeout=30)
    page.wait_for_timeout(1500)
    down_busy = downlink(notebook, page.evaluate(READ)["pcm"])
    notebook.run("session.interrupt()")

    # time to silence
    page.wait_for_timeout(500)
    page.evaluate(READ)
    notebook.run(f"called = stops({STOPS})")
    page.wait_for_timeout(500)
    quiet_idle = to_silence(notebook.value("called"), page.evaluate(READ)["silent"])
    notebook.run(f"""
called = []
thread = threading.Thread(target=lambda: called.extend(stops({STOPS})))
thread.start()
busy({STOPS + 1})
thread.join()
""")
    page.wait_for_timeout(500)
    told = page.evaluate(READ)
    quiet_busy = to_silence(notebook.value("called"), told["silent"])
    return {
        "lane": lane,
        "microphone to socket, idle": percentiles(idle),
        "busy": percentiles(beside),
        "server to worklet, idle": percentiles(down_idle),
        "busy ": percentiles(down_busy),
        "time to silence, idle": percentiles(quiet_idle),
        "busy  ": percentiles(quiet_busy),
        "frames lost": f"{lost} of {len(stamps['frames']):,}",
        "round trip": f"{notebook.value('audio.lane_ms'):.1f}",
        "latency": f"{1000 * told['latency']:.0f}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--lanes", nargs="+", default=["websocket", "proxy", "control", "comm"])
    options = parser.parse_args()
    rows, load = [], [os.getloadavg()[0]]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = pathlib.Path(name)
        with wave.open(str(folder / "silence.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(48_000)
            file.writeframes(bytes(2 * 48_000))
        (folder / "lab").mkdir()
        flag = f"--use-file-for-fake-audio-capture={folder / 'silence.wav'}"
        with running_lab(folder / "lab") as lab, running_browser(flag) as browser:
            context = browser.new_context(permissions=["microphone"])
            context.add_init_script(STAMPS)
            notebook = open_notebook(context, lab, "lanes.ipynb")
            notebook.run(SETUP)
            for lane in options.lanes:
                print(f"{lane} ...", file=sys.stderr, flush=True)
                rows.append(measure(notebook, lane, options.minutes))
            kernel = notebook.run("import ipykernel; print(ipykernel.__version__)").strip()
    load.append(os.getloadavg()[0])
    latency = {row.pop("latency") for row in rows}
    print(f"Milliseconds, p50 / p99; {options.minutes:g} minutes of microphone on each lane; ipykernel {kernel}\n")
    print("| " + " | ".join(rows[0]) + " |\n|" + "---|" * len(rows[0]))
    for row in rows:
        print("| " + " | ".join(row.values()) + " |")
    print(f"\nOutput latency of the device, as the browser tells it: {', '.join(sorted(latency))} ms")
    print(f"Load of the machine: {load[0]:.1f} before, {load[1]:.1f} after, {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
