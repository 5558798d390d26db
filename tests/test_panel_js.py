"""The panel's module in the page: its pure parts, run by node, and the one text that is made of its files."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import rtnb.notebook
from rtnb.notebook.modules import joined

HERE = Path(__file__).parent
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


@needs_node
def test_the_pure_parts_of_the_module_pass_their_own_tests() -> None:
    files = sorted(map(str, (HERE / "js").glob("panel*.test.mjs")))
    assert files
    done = subprocess.run(["node", "--test", *files], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


@needs_node
def test_the_joined_module_is_one_that_a_notebook_can_load(tmp_path: Path) -> None:
    text = joined(Path(rtnb.notebook.__file__).with_name("panel.js"))
    assert not re.search(r"^import\b", text, re.MULTILINE), "a module from a blob address can import nothing"
    module = tmp_path / "panel.mjs"
    module.write_text(text)
    code = f"import({str(module)!r}).then((m) => console.log(Object.keys(m.default()).join()))"
    done = subprocess.run(["node", "-e", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "initialize,render", done.stderr
