"""What is known of a base before training starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit import pocket
from toolkit.adaptation import licence_of


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: llama2\nlanguage: en\n---\n# Llama", "llama2"),
        ("---\nlanguage: en\n---\n# x", None),
        ("---\nlicense: [a, b]\n---\n", None),
        ("---\nlicense: {\n---\n", None),
        ("# no front matter\nlicense: mit\n", None),
        (None, None),
        ('---\nlicense: "apache-2.0"  # as its authors say\n---\n', "apache-2.0"),
        ("---\nlicense: llama2\ndate: 2020-13-45\nx: " + "[" * 50_000 + "\n---\n", "llama2"),
        ("---\nlicense: [llama2]\n---\n", None),
    ],
)
def test_the_licence_is_what_the_base_s_card_states(tmp_path: Path, card: str | None, licence: str | None) -> None:
    if card is not None:
        (tmp_path / "README.md").write_text(card)
    assert licence_of(tmp_path) == licence


def test_the_pocket_states_its_licence() -> None:
    assert licence_of(pocket.folder()) == "apache-2.0"
