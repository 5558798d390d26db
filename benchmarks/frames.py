"""How smooth the page stays while a session streams: times between two frames of a real Chromium, side by side.

    uv run python benchmarks/frames.py [--seconds 20]

A JupyterLab with a real kernel. The same events, an answer of a minute again and again at some 600 events a second (a
service in a hurry), are told by each way in turn, beside a page that shows nothing new. Software rendering on shared
cores: compare the rows.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from helpers_browser import open_notebook, running_browser, running_lab

WATCH = """(seconds) => new Promise((done) => {
  const times = [], end = performance.now() + 1000 * seconds;
  let last = performance.now();
  const frame = (now) => {
    times.push(now - last);
    last = now;
    now < end ? requestAnimationFrame(frame) : done(times);
  };
  requestAnimationFrame(frame);
})"""

SETUP = f"""
import sys
sys.path.insert(0, {str(pathlib.Path(__file__).resolve().parent)!r})
import asyncio, itertools, time
import ipywidgets
import panel as bench
from IPython.display import display
from rtnb.core.log import EventLog
from rtnb.core.conversation import Conversation
from rtnb.notebook.conversation import ConversationView
from rtnb.notebook.events import EventTable

task = None

async def stream(tell, seconds):
    end = time.monotonic() + seconds
    for event in itertools.chain.from_iterable(bench.answers(5_000) for _ in itertools.count()):
        tell(event)
        if time.monotonic() > end:
            break
        await asyncio.sleep(1 / 600)

def nothing():
    return lambda event: None

def views():
    source = bench.Source()
    display(ConversationView(source), EventTable(source))
    return source.take

def output():
    shown = ipywidgets.Output()
    display(shown)
    return lambda event: shown.append_stdout(str(event)[:100] + "\\n")

def start(make, seconds):
    global task
    task = asyncio.get_event_loop().create_task(stream(make(), seconds))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20)
    given = parser.parse_args()
    print(f"Load of the machine: {os.getloadavg()[0]:.1f} before, {os.cpu_count()} cores")
    print("| | frames | p50, ms | p99, ms | longest, ms |\n|---|---|---|---|---|")
    with (
        tempfile.TemporaryDirectory() as folder,
        running_lab(pathlib.Path(folder)) as lab,
        running_browser() as browser,
    ):
        for name in ("nothing", "views", "output"):
            context = browser.new_context()
            notebook = open_notebook(context, lab, f"{name}.ipynb")
            notebook.run(SETUP)
            notebook.start(f"start({name}, {given.seconds + 5})")
            notebook.page.wait_for_timeout(3_000)
            times = sorted(notebook.page.evaluate(WATCH, given.seconds))
            middle, late = times[len(times) // 2], times[int(len(times) * 0.99)]
            print(f"| {name} | {len(times)} | {middle:.1f} | {late:.1f} | {times[-1]:.1f} |", flush=True)
            context.close()


if __name__ == "__main__":
    main()
