from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtnb.local.sentences import Sentences


def cut(text: str, size: int = 1) -> list[str]:
    splitter = Sentences()
    pieces = [piece for i in range(0, len(text), size) for piece in splitter.push(text[i : i + size])]
    return pieces + splitter.flush()


@pytest.mark.parametrize(
    "sentences",
    [
        ["Hello. ", "How are you? ", "Fine!"],
        ["Dr. Smith met Mr. J. Jones at 5 p.m. in the U.S. Embassy. ", "Yes."],
        ["It costs 3.50 euros, i.e. 4 dollars. ", "Good?"],
        ['He said "Stop!" ', "And left."],
        ["Wait... ", "What?! ", "No."],
        ["1. First, 2. second."],
        ["The answer is 10. ", "Next?"],
        ["One line\n\n", "another"],
        ["See rtnb.local.server or example.com for more. ", "Bye."],
        ["你好。", "再见！"],
    ],
)
@pytest.mark.parametrize("size", [1, 4, 1000])
def test_sentences_are_cut_where_a_speaker_would(sentences: list[str], size: int) -> None:
    assert cut("".join(sentences), size) == sentences


def test_the_first_piece_comes_early_at_a_comma() -> None:
    text = "Well, if I think about it for a moment or two longer, then I would say that it depends. Or not."
    pieces = cut(text)
    assert pieces[0] == "Well, if I think about it for a moment or two longer, "
    assert pieces[1] == "then I would say that it depends. "


def test_endless_words_are_cut_too() -> None:
    pieces = cut("word " * 200)
    assert max(map(len, pieces)) <= 250
    assert all(piece.endswith(" ") for piece in pieces)


def test_a_word_without_end_is_cut_as_well() -> None:
    assert max(map(len, cut("x" * 1000))) <= 250


@given(st.text(alphabet="ab .,!?1\n\"'()-。", max_size=400), st.integers(1, 30))
def test_nothing_is_lost(text: str, size: int) -> None:
    assert "".join(cut(text, size)) == text
