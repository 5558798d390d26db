"""The check-up in a real JupyterLab: the page answers while the cell runs."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
from collections.abc import Iterator

import pytest

pytest.importorskip("playwright")
pytest.importorskip("jupyterlab")
from helpers_browser import Lab, open_notebook, running_browser, running_lab

ROOT = pathlib.Path(__file__).resolve().parent.parent

CHECK = """
import json
import rtnb
found = rtnb.check("local", timeout=30)
print(json.dumps(found.to_dict()))
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.mark.browser
@pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium")
def test_the_page_answers_in_the_midst_of_the_cell(lab: Lab) -> None:
    import json

    with running_browser() as browser:
        context = browser.new_context()
        notebook = open_notebook(context, lab, "check.ipynb")

        def check() -> dict[str, dict[str, str]]:
            text = notebook.run_cell(CHECK)
            told = json.loads(text.strip().splitlines()[-1])
            found = {row["name"]: row for row in told["rows"]}
            found["best"] = told["best_input"]
            return found

        found = check()
        assert found["front end"]["text"].startswith("JupyterLab 4"), found
        assert "Chrome" in found["front end"]["text"]
        assert "websocket" in found["audio lane"]["text"]
        assert found["bytes"] == {**found["bytes"], "status": "ok"}
        assert "control" in found["bytes"]["text"]
        assert found["busy cell"]["status"] == "ok"
        assert found["secure page"]["status"] == "ok"
        assert found["microphone"]["status"] == "ok"
        assert found["best"] == "browser microphone"
        assert notebook.run("print(rtnb.notebook.checkup._last_look)").strip() == "None", "the widget was taken away"

        context.grant_permissions(["microphone"], origin=f"http://127.0.0.1:{lab.port}")
        assert "allowed" in check()["microphone"]["text"]
        assert not [line for line in notebook.messages if line.startswith("pageerror")]


def test_the_pure_parts_of_the_page(node: str, tmp_path: pathlib.Path) -> None:
    module = ROOT / "rtnb" / "notebook" / "checkup_page.js"
    copy = tmp_path / "checkup_page.mjs"
    copy.write_text(module.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "it.test.mjs").write_text("""
import assert from "node:assert/strict";
import test from "node:test";
import { browserName, isProbe, socketAddresses } from "./checkup_page.mjs";

test("browsers by their names", () => {
  const chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156.0.0.0 Safari/537.36";
  assert.equal(browserName(chrome), "Chrome 156");
  assert.equal(browserName(chrome + " Edg/156.0"), "Edge 156");
  assert.equal(browserName("Mozilla/5.0 (X11; rv:153.0) Gecko/20100101 Firefox/153.0"), "Firefox 153");
  assert.equal(browserName("Mozilla/5.0 (Macintosh) AppleWebKit/605.1 Version/26.0 Safari/605.1"), "Safari 26");
  assert.equal(browserName("curl/8"), "");
});

test("the probe is known in any wrapping", () => {
  const bytes = Uint8Array.of(9, 1, 2, 254, 255, 9);
  assert.ok(isProbe(new DataView(bytes.buffer, 1, 4)));
  assert.ok(isProbe(bytes.slice(1, 5).buffer));
  assert.ok(!isProbe(bytes));
  assert.ok(!isProbe(null));
});

test("sockets are looked for where they can be", () => {
  const at = (href) => { const { protocol, hostname, host } = new URL(href); return { protocol, hostname, host }; };
  assert.deepEqual(socketAddresses(at("http://localhost:8888/lab"), "/", 5), [
    { name: "websocket", url: "ws://127.0.0.1:5/" },
    { name: "proxy", url: "ws://localhost:8888/proxy/5/" },
  ]);
  assert.deepEqual(socketAddresses(at("https://hub.example/user/a/lab"), "/user/a", 5), [
    { name: "proxy", url: "wss://hub.example/user/a/proxy/5/" },
  ]);
  assert.deepEqual(socketAddresses(at("http://localhost:8888/lab"), "/", 0), []);
});
""")
    done = subprocess.run(
        [node, "--test", str(tmp_path / "it.test.mjs")], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
