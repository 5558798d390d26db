"""The search in documents: passages with their source, in a folder that may change."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtnb.core.errors import ToolError
from rtnb.toolbox.documents import Documents, search_documents


@pytest.mark.parametrize(
    ("query", "source", "words"),
    [
        ("When is the museum open on Thursdays?", "opening-hours.md, line 3", "On Thursdays it stays open until 21:00"),
        ("refund", "tickets.md, line 13", "can be returned up to one day"),
        ("What do school classes pay?", "tickets.md, line 9", "School classes are free"),
        ("touching wax cylinders", "collection.md, line 5", "may not be touched"),
        ("can I bring my dog", "visiting.txt, line 6", "Guide dogs are welcome"),
    ],
)
def test_the_best_passage_comes_first_with_its_source(query: str, source: str, words: str) -> None:
    best = search_documents(query)["passages"][0]
    assert best["source"] == source
    assert words in best["passage"]


def test_the_line_of_a_source_is_where_the_passage_begins(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# Title\n\n\nfirst line\nsecond line with zebra\n\nother\n")
    found = Documents(tmp_path).search_documents("zebra")["passages"]
    assert found == [{"passage": "first line second line with zebra", "source": "a.md, line 4"}]


def test_a_title_counts_for_its_passages(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# Parking\n\nBehind the house.\n\n# Other\n\nNo cars here.\n")
    assert Documents(tmp_path).search_documents("parking")["passages"][0]["passage"] == "Behind the house."


def test_nothing_found_is_said_so() -> None:
    result = search_documents("unicorn")
    assert result["passages"] == []
    assert "Nothing in the documents fits" in result["note"]


def test_a_question_without_words_is_refused() -> None:
    with pytest.raises(ToolError, match="no words to look for"):
        search_documents("what is it?")


@given(st.text())
def test_no_query_is_a_syntax_error(query: str) -> None:
    if re.findall(r"\w", query):
        query = "museum " + query  # in front: of a very long question the first words count
        assert DOCUMENTS.search_documents(query)["passages"]
    else:
        with pytest.raises(ToolError, match="no words"):
            DOCUMENTS.search_documents(query)


DOCUMENTS = Documents()


def test_changed_new_and_removed_files_are_noticed(tmp_path: Path) -> None:
    documents = Documents(tmp_path)
    assert documents.search_documents("zebra")["passages"] == []
    file = tmp_path / "deep" / "b.TXT"
    file.parent.mkdir()
    file.write_text("a zebra")
    assert documents.search_documents("zebra")["passages"][0]["source"] == "deep/b.TXT, line 1"
    file.write_text("a horse")
    os.utime(file, (1, 1))  # a new time, whatever the file system's clock resolves
    assert documents.search_documents("zebra")["passages"] == []
    assert documents.search_documents("horse")["passages"]
    file.unlink()
    assert documents.search_documents("horse")["passages"] == []


def test_only_text_inside_the_folder_is_read(tmp_path: Path) -> None:
    inside = tmp_path / "notes"
    (inside / ".git").mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("zebra")
    (inside / ".git" / "x.txt").write_text("zebra")
    (inside / "code.py").write_text("zebra")
    (inside / "link.txt").symlink_to(tmp_path / "secret.txt")
    (inside / "broken.txt").symlink_to(tmp_path / "nowhere.txt")
    (inside / "odd.txt").write_bytes(b"\xff\x00 zebra crossing")
    found = Documents(inside).search_documents("zebra")["passages"]
    assert [each["source"] for each in found] == ["odd.txt, line 1"]


def test_long_texts_come_in_passages_of_bounded_length(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("zebra " * 3_000)
    (tmp_path / "many.txt").write_text("\n".join(["a line with a zebra in it"] * 500))
    found = Documents(tmp_path, max_passages=50).search_documents("zebra")["passages"]
    assert len(found) > 20
    assert max(len(each["passage"]) for each in found) <= 1_400


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError, match="there is no folder"):
        Documents(tmp_path / "none")
    assert repr(Documents(tmp_path)) == f"<Documents in {tmp_path.name}>"
