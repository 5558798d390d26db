from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

import rtnb.notebook
from rtnb.notebook.modules import joined

HERE = Path(rtnb.notebook.__file__).parent
PURE = sorted((Path(__file__).parent / "js").glob("*.test.mjs"))
MODULES = sorted(path for path in HERE.glob("*.js") if "export default" in path.read_text(encoding="utf-8"))


def test_parts_come_before_those_that_use_them_and_only_once(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("export const a = 1;\n")
    (tmp_path / "b.js").write_text('import { a } from "./a.js";\n\nexport const b = a + 1;\n')
    main = tmp_path / "main.js"
    main.write_text('// @ts-check\nimport { b } from "./b.js";\nimport { a } from "./a.js";\n\nexport default a + b;\n')
    text = joined(main)
    assert "import" not in text
    assert [line for line in text.splitlines() if line and not line.startswith("//")] == [
        "const a = 1;",
        "const b = a + 1;",
        "export default a + b;",
    ]


def test_parts_that_use_each_other_are_joined_too(tmp_path: Path) -> None:
    (tmp_path / "one.js").write_text('import { two } from "./two.js";\nexport const one = () => two;\n')
    (tmp_path / "two.js").write_text('import { one } from "./one.js";\nexport const two = () => one;\n')
    assert joined(tmp_path / "one.js").count("const two") == 1


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_every_widget_s_module_is_one_that_a_page_can_load(path: Path, node: str, tmp_path: Path) -> None:
    text = joined(path)
    assert not re.search(r"^import\b", text, re.MULTILINE), "a module from a blob address can import nothing"
    whole = tmp_path / "whole.mjs"
    whole.write_text(text, encoding="utf-8")
    program = f"""
        const {{ default: widget }} = await import({whole.as_uri()!r});
        console.log(Object.keys(typeof widget === "function" ? widget() : widget).sort().join());
    """
    found = output(node, "--input-type=module", "-e", program).strip()
    assert found in {"initialize,render", "initialize", "render"}


@pytest.mark.parametrize("path", PURE, ids=lambda path: path.name.removesuffix(".test.mjs"))
def test_the_pure_parts_of_a_module_pass_their_own_tests(path: Path, node: str) -> None:
    output(node, "--test", str(path))


def output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout
