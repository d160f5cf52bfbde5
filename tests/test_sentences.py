"""Text is cut where sentences end, and joins to what it was."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.sentences import split_text


def sentences(text: str) -> list[str]:
    return [piece.text for piece in split_text(text) if piece.is_sentence]


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.sampled_from("aB1 .!?。\n\r\t\u2028\"')-*é؟"), max_size=60) | st.text(max_size=60))
def test_the_pieces_joined_are_the_text(text: str) -> None:
    pieces = split_text(text)
    assert "".join(piece.text for piece in pieces) == text
    for piece in pieces:
        assert piece.text
        if piece.is_sentence:
            assert len(piece.text.splitlines()) == 1
            assert piece.text == piece.text.strip()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I eat rice. You drink tea! Do we go?", ["I eat rice.", "You drink tea!", "Do we go?"]),
        ("Dr. Smith came. He sat.", ["Dr. Smith came.", "He sat."]),
        ("J. Smith paid 3.50 for it.", ["J. Smith paid 3.50 for it."]),
        ("He said “stop.” Then he left.", ["He said “stop.”", "Then he left."]),
        ("Wait... what?", ["Wait... what?"]),
        ("no mark at the end", ["no mark at the end"]),
        ("- One thing.\n- Another thing.", ["One thing.", "Another thing."]),
        ("1. First\n\n2) Second", ["First", "Second"]),
        ("---\n12 345\n\nHello", ["Hello"]),
        ("我吃饭。你喝茶。", ["我吃饭。", "你喝茶。"]),
        ("كيف حالك؟ أنا بخير.", ["كيف حالك؟", "أنا بخير."]),
        ("   ", []),
        ("", []),
    ],
)
def test_sentences_are_found(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_paragraphs_indents_and_bullets_are_kept_between_sentences() -> None:
    text = "Title\n\n  - One. Two.\n\tThree.\r\n"
    shape = "".join("x" if piece.is_sentence else piece.text for piece in split_text(text))
    assert shape == "x\n\n  - x x\n\tx\r\n"


@pytest.mark.parametrize("unit", [".", "a. ", "A. ", "- ", " ", "word ", "Word. ", "。", '."'])
def test_hostile_text_costs_no_more_than_its_length(unit: str) -> None:
    text = unit * (400_000 // len(unit))
    begin = time.process_time()
    assert "".join(piece.text for piece in split_text(text)) == text
    assert time.process_time() - begin < 5
