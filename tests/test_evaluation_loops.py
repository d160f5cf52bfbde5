"""Answers that end in a loop are found in any script, and ordinary ones are not."""

from __future__ import annotations

import pytest

from toolkit.evaluation.loops import ends_in_loop, looping_share


@pytest.mark.parametrize(
    "answer",
    [
        "mwa mwa mwa mwa mwa mwa mwa mwa",
        "The house is the house is the house is the house is the house is the house is the",
        "Nara hutan, lan kali banjur kali banjur kali banjur kali banjur kali banjur kali banjur",
        "အိမ်အိမ်အိမ်အိမ်အိမ်အိမ်အိမ်အိမ်",
        "Sa  balay\nsa balay Sa balay sa balay sa balay sa balay sa balay sa balay",
    ],
)
def test_a_loop_is_found(answer: str) -> None:
    assert ends_in_loop(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "mwa mwa",
        "1000000000000000000000000000",
        "................................",
        "The bird sits near the river and the fish swims in the river.",
        "Alon-alon waton kelakon, alon-alon waton kelakon.",
        "No, no, no, no, he said, that is not the way to the market at all.",
    ],
)
def test_other_answers_are_none(answer: str) -> None:
    assert not ends_in_loop(answer)


def test_the_share_is_of_all_answers() -> None:
    assert looping_share(["mwa " * 20, "the house", "", "a bird"]) == 0.25
    assert looping_share([]) == 0.0
