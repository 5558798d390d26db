"""The check-up in a real JupyterLab: the page answers while the cell runs."""

from __future__ import annotations

import pathlib
import shutil
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
