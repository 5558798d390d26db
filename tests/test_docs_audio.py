"""The programs of docs/audio.md, run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parent.parent / "docs" / "audio.md").read_text(encoding="utf-8")
needs_speech = [pytest.importorskip("pocketsphinx"), pytest.importorskip("espeakng_loader")]


def test_every_program_of_the_page_runs_and_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    told = re.findall(r"(<!-- not run[^>]*-->\n)?```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(told) >= 5
    names: dict[str, object] = {}
    try:
        for skipped, code in told:
            if not skipped:
                exec(compile(code, "docs/audio.md", "exec"), names)
    finally:
        for name in ("session", "audio"):
            if name in names:
                names[name].close()  # type: ignore[attr-defined]
    printed = capsys.readouterr().out.splitlines()
    assert printed == ["0.6 24000", "The capital of France is Paris."]
