"""The memory: two tools on one object, seen as a table, kept in a file that is never half written."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

import rtnb.toolbox
from rtnb.core.errors import ToolError
from rtnb.core.tools import ToolSet
from rtnb.toolbox import Memory


def test_what_was_set_can_be_got_however_the_key_is_written() -> None:
    memory = Memory()
    assert memory.set_memory("Favorite color", "blue") == {"ok": True}
    for key in ("favorite_color", "favorite-color", " FAVORITE  COLOR "):
        assert memory.get_memory(key) == {"key": "favorite_color", "value": "blue"}
    assert dict(memory) == {"favorite_color": "blue"}
    assert memory["favorite color"] == "blue"
    assert "name" not in memory
    assert "" not in memory


def test_what_was_never_set_is_told_with_what_there_is() -> None:
    memory = Memory()
    with pytest.raises(ToolError, match=r"Nothing is remembered as 'name'. Remembered are: nothing yet."):
        memory.get_memory("name")
    memory.set_memory("city", "Rome")
    with pytest.raises(ToolError, match=r"Remembered are: city."):
        memory.get_memory("name")
    with pytest.raises(ToolError, match=r"The key is empty"):
        memory.set_memory("  ", "x")


def test_the_tools_have_names_descriptions_and_texts_for_their_parameters() -> None:
    for definition in ToolSet(Memory().tools).definitions():
        assert definition["name"] in {"set_memory", "get_memory"}
        assert definition["description"]
        assert all(each["description"] for each in definition["parameters"]["properties"].values())


def test_it_shows_as_a_table_in_which_nothing_is_markup() -> None:
    memory = Memory()
    assert "nothing remembered yet" in memory._repr_html_()
    memory.set_memory("name", "<b>Ada</b>")
    assert "<td>name</td><td>&lt;b&gt;Ada&lt;/b&gt;</td>" in memory._repr_html_()
    assert repr(memory) == '<Memory {"name": "<b>Ada</b>"}>'


def test_on_change_is_told_and_its_failure_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    memory = Memory()
    seen: list[dict[str, str]] = []

    def watch(changed: Memory) -> None:
        seen.append(dict(changed))
        raise OSError("view is gone")

    memory.on_change = watch
    assert memory.set_memory("a", "1") == {"ok": True}
    memory.clear()
    assert seen == [{"a": "1"}, {}]
    assert "on_change of a memory failed" in caplog.text


def test_a_file_keeps_it_for_the_next_session(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "memory.json"
    Memory(path).set_memory("straße", "Grüße")
    again = Memory(str(path))
    assert dict(again) == {"strasse": "Grüße"}
    again.clear()
    assert dict(Memory(path)) == {}
    assert [each.name for each in path.parent.iterdir()] == ["memory.json"]


@pytest.mark.parametrize("content", [b"", b'{"a": "1', b"[1]", b"\xff\xfe", b'{"": "x"}'])
def test_a_damaged_file_is_put_aside_and_said_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "memory.json"
    path.write_bytes(content)
    memory = Memory(path)
    assert dict(memory) == {}
    assert "was damaged" in str(memory.problem)
    assert "was damaged" in memory._repr_html_()
    assert (tmp_path / "memory.json.damaged").read_bytes() == content
    memory.set_memory("a", "1")
    assert json.loads(path.read_text()) == {"a": "1"}
    assert Memory(path).problem is None


def test_values_of_a_foreign_file_are_read_as_text(tmp_path: Path) -> None:
    path = tmp_path / "memory.json"
    path.write_text('{"Age": 36, "tags": ["a"]}')
    assert dict(Memory(path)) == {"age": "36", "tags": '["a"]'}


def test_a_write_that_fails_changes_neither_file_nor_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "memory.json"
    memory = Memory(path)
    memory.set_memory("a", "1")

    def refuse(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(ToolError, match="could not be saved: No space left on device"):
        memory.set_memory("a", "2")
    monkeypatch.undo()
    assert memory["a"] == "1"
    assert json.loads(path.read_text()) == {"a": "1"}
    assert [each.name for each in tmp_path.iterdir()] == ["memory.json"]


def test_two_threads_lose_nothing(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "memory.json")

    def fill(prefix: str) -> None:
        for number in range(20):
            memory.set_memory(f"{prefix}{number}", "x")

    threads = [threading.Thread(target=fill, args=(prefix,)) for prefix in "ab"]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(Memory(tmp_path / "memory.json")) == 40


def test_the_two_functions_share_one_memory() -> None:
    rtnb.toolbox.set_memory("test key", "x")
    try:
        assert rtnb.toolbox.get_memory("test_key")["value"] == "x"
        assert rtnb.toolbox.shared_memory["test_key"] == "x"
    finally:
        rtnb.toolbox.shared_memory.clear()
