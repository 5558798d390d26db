"""The pages in docs/ keep what they say: the reference is the code's, examples run, links lead somewhere."""

from __future__ import annotations

import doctest
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helpers_docs
import pytest
from helpers_cli import ROOT
from helpers_docs import REFERENCE, markdown, public_members, reference, values_of_other_modules

import rtnb
from rtnb.testing import ScriptedEndpoint

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))


# ---- the reference


def test_the_reference_is_what_the_code_says() -> None:
    assert REFERENCE.read_text(encoding="utf-8") == reference(), "run: uv run python tests/helpers_docs.py"


def test_every_public_name_method_and_property_has_its_place() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    headings = set(re.findall(r"^#{3,4} `([\w.]+)`", text, re.MULTILINE))
    for name in rtnb.__all__:
        assert f"rtnb.{name}" in headings
    for cls in (rtnb.Session, rtnb.Reply, rtnb.Audio, rtnb.LocalEndpoint, rtnb.EventLog, rtnb.AudioIO, rtnb.Tool):
        members = [name for name in dir(cls) if not name.startswith("_")]
        own = {name for name, _ in public_members(cls)}
        assert own <= set(members)
        assert {f"{cls.__name__}.{name}" for name in own} <= headings
    assert {"Session.ask", "Session.gate", "Session.traffic", "Reply.text", "Audio.from_file"} <= headings


def test_it_holds_nothing_of_one_machine() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    assert not re.search(r"0x[0-9a-f]{6,}|/home/|/root/|/tmp/", text)


def test_a_changed_signature_changes_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(self: Any, content: str, *, loud: bool = True) -> None:
        """Ask aloud."""

    monkeypatch.setattr(rtnb.Session, "ask", ask)
    assert "ask(content: str, *, loud: bool = True) -> None" in reference()


def test_a_numpy_docstring_becomes_markdown() -> None:
    text = markdown("Do `it`.\n\nParameters\n----------\nx : int\n    How\n    often.\n\nExamples\n--------\n>>> 1\n1")
    expected = "Do `it`. *Parameters* - `x` (int): How often. *Examples* ```python >>> 1 1 ```"
    assert " ".join(text.split()) == expected


def documented() -> Iterator[tuple[str, Any, Any]]:
    """Every docstring of the reference: its name, the object, and the module that it is from."""
    named = [(f"rtnb.{name}", getattr(rtnb, name)) for name in rtnb.__all__] + values_of_other_modules()
    for name, value in named:
        module = importlib.import_module(value.__module__)
        yield name, value, module
        if inspect.isclass(value):
            for member, thing in public_members(value):
                yield f"{name}.{member}", thing, module


EXAMPLES = [(name, value, module) for name, value, module in documented() if ">>>" in (inspect.getdoc(value) or "")]


@pytest.mark.parametrize(("name", "value", "module"), EXAMPLES, ids=[name for name, _, _ in EXAMPLES])
def test_the_example_of(name: str, value: Any, module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with ScriptedEndpoint() as endpoint, rtnb.Session(endpoint, output="text") as session:
        names = {each: getattr(rtnb, each) for each in rtnb.__all__}
        names |= {"rtnb": rtnb, "session": session, "pcm": b"\0\0" * 2400, **vars(module)}
        test = doctest.DocTestParser().get_doctest(inspect.getdoc(value) or "", names, name, None, 0)
        told: list[str] = []
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        failed = doctest.DocTestRunner(optionflags=flags).run(test, out=told.append, clear_globs=False).failed
        made = [thing for thing in test.globs.values() if isinstance(thing, rtnb.Session)]
        for each in made:
            each.close()
    assert failed == 0, "".join(told)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 10


# ---- the other pages


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_links_lead_to_what_is_there(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_the_index_leads_to_every_page() -> None:
    text = (DOCS / "README.md").read_text(encoding="utf-8")
    for path in PAGES:
        assert path.name == "README.md" or f"]({path.name})" in text, path.name


def test_the_page_of_front_ends_names_each_and_says_what_was_not_tried() -> None:
    text = (DOCS / "front_ends.md").read_text(encoding="utf-8")
    for name in ("JupyterLab", "Notebook 7", "JupyterHub", "Colab", "VS Code", "marimo", "Binder"):
        assert f"## {name}" in text, name
    assert text.count("not tried") >= 3


def test_the_page_of_front_ends_tells_the_lanes_by_their_names() -> None:
    from rtnb.notebook.audio_io import AudioIO

    text = (DOCS / "front_ends.md").read_text(encoding="utf-8")
    for lane in (
        AudioIO.lanes.default_args[0] if AudioIO.lanes.default_args else ("websocket", "proxy", "control", "comm")
    ):
        assert f"`{lane}`" in text


def test_the_tool_writes_where_the_reference_is() -> None:
    assert helpers_docs.REFERENCE == DOCS / "reference.md"
