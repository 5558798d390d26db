"""A JupyterLab server with a real kernel, and a Chromium that drives it.

The kernel runs with this interpreter, or with the one in ``RTNB_TEST_KERNEL_PYTHON`` (another ipykernel, say).
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
ROOT = pathlib.Path(__file__).resolve().parent.parent


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@dataclass
class Lab:
    """A running JupyterLab server."""

    port: int
    token: str
    folder: pathlib.Path

    def url(self, document: str = "") -> str:
        """A page with a workspace of its own: of two pages with the same one JupyterLab sends the second elsewhere."""
        path = f"lab/workspaces/{secrets.token_hex(4)}" + (document and f"/tree/{document}")
        return f"http://127.0.0.1:{self.port}/{path}?token={self.token}&reset"

    def api(self, path: str) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/{path}", headers={"Authorization": f"token {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)


@contextlib.contextmanager
def running_lab(folder: pathlib.Path, headers: dict[str, str] | None = None) -> Iterator[Lab]:
    """Start a server in `folder`; stop it at the end."""
    python = os.environ.get("RTNB_TEST_KERNEL_PYTHON", sys.executable)
    kernel = folder / "share" / "kernels" / "rtnb-test"
    kernel.mkdir(parents=True)
    spec = {
        "argv": [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "rtnb test",
        "language": "python",
        "env": {"PYTHONPATH": str(ROOT), "MPLCONFIGDIR": str(folder / "mpl")},
    }
    (kernel / "kernel.json").write_text(json.dumps(spec))
    work = folder / "work"
    work.mkdir()
    lab = Lab(free_port(), secrets.token_hex(16), work)
    config = {
        "ServerApp": {
            "ip": "127.0.0.1",
            "port": lab.port,
            "port_retries": 0,
            "open_browser": False,
            "allow_root": True,
            "root_dir": str(work),
            "tornado_settings": {"headers": headers or {}},
        },
        "IdentityProvider": {"token": lab.token},
        "LabApp": {"expose_app_in_browser": True, "check_for_updates_class": "jupyterlab.NeverCheckForUpdate"},
        "JupyterNotebookApp": {"expose_app_in_browser": True},
        "MultiKernelManager": {"default_kernel_name": "rtnb-test"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    environment = {
        **os.environ,
        "JUPYTER_PATH": str(folder / "share"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
    }
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", "--config", str(folder / "config.json")],
            stdout=log,
            stderr=log,
            env=environment,
            cwd=work,
        )
        try:
            deadline = time.monotonic() + 60
            while True:
                with contextlib.suppress(OSError):
                    lab.api("status")
                    break
                if server.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((folder / "server.log").read_text()[-3000:])
                time.sleep(0.1)
            yield lab
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


@contextlib.contextmanager
def running_browser(*flags: str, **options: Any) -> Iterator[Any]:
    """A headless Chromium with a fake microphone that nobody asks about."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--use-fake-device-for-media-stream", *flags],
            **options,
        )
        try:
            yield browser
        finally:
            browser.close()


RUN_CELL = """async (code) => {
  const app = window.jupyterapp;
  const panel = app.shell.currentWidget;
  await panel.sessionContext.ready;
  const notebook = panel.content;
  notebook.activeCellIndex = notebook.widgets.length - 1;
  await app.commands.execute('notebook:insert-cell-below');
  const cell = notebook.activeCell;
  cell.model.sharedModel.setSource(code);
  window.__cells = (window.__cells ?? 0) + 1;
  const id = cell.model.id;
  const done = app.commands.execute('notebook:run-cell');
  (window.__running ??= {})[id] = done;
  return id;
}"""

READ_CELL = """async ([id, wait]) => {
  if (wait) await window.__running[id];
  const cells = window.jupyterapp.shell.currentWidget.content.model.cells;
  for (let i = 0; i < cells.length; i++)
    if (cells.get(i).id === id) return { count: cells.get(i).executionCount, outputs: cells.get(i).outputs.toJSON() };
}"""


EXECUTE = """async (code) => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const future = kernel.requestExecute({ code, store_history: false, stop_on_error: false });
  let [text, error] = ['', null];
  future.onIOPub = ({ header, content }) => {
    if (header.msg_type === 'stream') text += content.text;
    if (header.msg_type === 'execute_result') text += content.data['text/plain'];
    if (header.msg_type === 'error') error = content.traceback.join('\\n');
  };
  await future.done;
  return { text, error };
}"""


@dataclass
class Notebook:
    """One notebook, open in a page."""

    page: Any
    path: str
    messages: list[str] = field(default_factory=list)

    def start(self, code: str) -> str:
        """Run code in a new cell; do not wait for it."""
        return str(self.page.evaluate(RUN_CELL, code))

    def outputs(self, cell: str, wait: bool = True) -> list[dict[str, Any]]:
        return list(self.page.evaluate(READ_CELL, [cell, wait])["outputs"])

    def is_running(self, cell: str) -> bool:
        return self.page.evaluate(READ_CELL, [cell, False])["count"] is None

    def text(self, cell: str) -> str:
        """What the cell printed; fails on a traceback."""
        parts = []
        for output in self.outputs(cell):
            if output["output_type"] == "error":
                raise AssertionError("\n".join(output["traceback"]))
            data = output.get("data", {})
            parts.append(output.get("text", "") or data.get("text/plain", ""))
        return "".join("".join(part) for part in parts)

    def run(self, code: str) -> str:
        """Run code as the page does for a cell, but without drawing one: much faster."""
        told = self.page.evaluate(EXECUTE, code)
        assert told["error"] is None, told["error"]
        return str(told["text"])

    def run_cell(self, code: str) -> str:
        """Run code in a new cell and wait for it."""
        return self.text(self.start(code))

    def value(self, expression: str) -> Any:
        """A JSON value out of the kernel."""
        return json.loads(self.run(f"import json; print(json.dumps({expression}))"))

    def wait_for(self, expression: str, timeout: float = 15) -> None:
        """Wait until the expression is true in the kernel, which is free between the looks."""
        deadline = time.monotonic() + timeout
        while self.run(f"print(bool({expression}))").strip() != "True":
            if time.monotonic() > deadline:
                raise TimeoutError(expression)
            self.page.wait_for_timeout(50)


def open_notebook(context: Any, lab: Lab, name: str, timeout: float = 90) -> Notebook:
    """Open a new notebook (or one that is there) in a new page; the kernel is ready."""
    path = lab.folder / name
    if not path.exists():
        content = {
            "cells": [],
            "metadata": {"kernelspec": {"name": "rtnb-test", "display_name": "rtnb test", "language": "python"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        path.write_text(json.dumps(content))
    page = context.new_page()
    notebook = Notebook(page, name)
    page.on("console", lambda message: notebook.messages.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: notebook.messages.append(f"pageerror: {error}"))
    page.goto(lab.url(), timeout=1000 * timeout)
    attach(notebook, timeout)
    return notebook


def attach(notebook: Notebook, timeout: float = 90) -> None:
    """Open the notebook in a page that has just loaded JupyterLab."""
    page = notebook.page
    page.wait_for_function("window.jupyterapp?.restored !== undefined", timeout=1000 * timeout)
    page.evaluate(
        """async (path) => {
          const app = window.jupyterapp;
          await app.restored;
          const panel = await app.commands.execute('docmanager:open', { path, factory: 'Notebook' });
          await panel.context.ready;
          await panel.sessionContext.ready;
          app.shell.activateById(panel.id);
          await panel.revealed;
        }""",
        notebook.path,
    )
    page.wait_for_function(
        "window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'",
        timeout=1000 * timeout,
    )


# A second pair of ears: records what any node hands to the loudspeaker, and remembers every microphone stream.
TAP = """(() => {
  const source = `class Tap extends AudioWorkletProcessor {
    process([input]) {
      if (input.length) this.port.postMessage({ frame: currentFrame, samples: input[0].slice() });
      return true;
    }
  }
  registerProcessor('test-tap', Tap);`;
  window.__taps = [];
  window.__streams = [];
  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (to, ...rest) {
    const result = connect.call(this, to, ...rest);
    if (to instanceof AudioDestinationNode && this instanceof AudioWorkletNode && this.numberOfInputs === 0) {
      const tap = { rate: this.context.sampleRate, context: this.context, blocks: [], offset: Infinity };
      window.__taps.push(tap);
      const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
      this.context.audioWorklet.addModule(url).then(() => {
        const node = new AudioWorkletNode(this.context, 'test-tap', { numberOfOutputs: 0, channelCount: 1 });
        node.port.onmessage = ({ data }) => {
          tap.blocks.push(data);
          // the smallest distance between wall clock and sample clock: when a sample was drawn
          tap.offset = Math.min(tap.offset, Date.now() - (1000 * data.frame) / tap.rate);
        };
        connect.call(this, node);
        tap.ready = true;
      });
    }
    return result;
  };
  const media = navigator.mediaDevices;
  if (media) {
    const getUserMedia = media.getUserMedia.bind(media);
    media.getUserMedia = async (constraints) => {
      const stream = await getUserMedia(constraints);
      window.__streams.push(stream);
      return stream;
    };
  }
})();"""

READ_TAP = """() => {
  const tap = window.__taps.at(-1);
  const total = tap.blocks.reduce((n, block) => n + block.samples.length, 0);
  const all = new Float32Array(total);
  let at = 0;
  for (const block of tap.blocks) { all.set(block.samples, at); at += block.samples.length; }
  const bytes = new Uint8Array(all.buffer);
  let text = '';
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  const first = tap.blocks[0]?.frame ?? 0;
  tap.blocks = [];
  return { rate: tap.rate, first, offset: tap.offset, latency: tap.context.outputLatency, data: btoa(text) };
}"""
