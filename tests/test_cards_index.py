"""The list of all languages, the note in a collection, and the card of a Space."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from card_records import BASE, SCORES, make_records

from hub_cards import CardFacts, collect
from hub_cards.index import MAX_NOTE_CHARACTERS, collection_note, render_index, render_organisation
from hub_cards.metadata import read_front_matter
from hub_cards.space import MAX_DESCRIPTION_CHARACTERS, Preload, is_space_card, render_space
from toolkit.errors import CardError


@pytest.fixture
def javanese(tmp_path: Path) -> CardFacts:
    return collect(make_records(tmp_path / "jav"), "cogsym/llama-2-7b-cogsym-jav")


@pytest.fixture
def sundanese(tmp_path: Path) -> CardFacts:
    scores = {"sun>eng": ("target", SCORES["jav>eng"][1])}
    changes = {"language": "sun", "directions": ("eng>sun", "sun>eng")}
    run = make_records(tmp_path / "sun-run", config=changes, training={"language": "sun", "data": ()}, scores=scores)
    return collect(run)


def test_a_run_in_the_folder_that_a_command_made_is_listed_by_that(tmp_path: Path, cogsym: Callable[..., Any]) -> None:
    make_records(tmp_path / "javanese" / "run")
    listed = cogsym("index", tmp_path / "javanese" / "run")
    assert listed.code == 0, listed.err
    assert rows(listed.out)[0][0] == "Javanese (`javanese`)"


def rows(page: str) -> list[list[str]]:
    """Cells of the table's rows, below its head."""
    table = [line.strip("|").split("|") for line in page.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in table[2:]]


def test_the_index_lists_languages_by_name_with_the_numbers_of_their_cards(
    javanese: CardFacts, sundanese: CardFacts
) -> None:
    page = render_index([sundanese, javanese], title="Languages of CogSym", introduction="All of them.")
    assert page.startswith("# Languages of CogSym\n\nAll of them.\n")
    assert rows(page) == [
        [
            "[Javanese](https://huggingface.co/cogsym/llama-2-7b-cogsym-jav)",
            "Basa Jawa",
            "Llama-2-7b-hf",
            "English: chrF++ 47.3 (46.4–48.2), fair",
            "English: chrF++ 36.9 (36.0–37.8), weak",
            "NusaX",
            "902 MB",
        ],
        [
            "Sundanese (`sun-run`)",
            "Basa Sunda",
            "Llama-2-7b-hf",
            "not measured",
            "English: chrF++ 36.9 (36.0–37.8), weak",
            "NusaX",
            "902 MB",
        ],
    ]


def test_an_index_of_nothing_is_refused() -> None:
    with pytest.raises(CardError, match="there is no delta to list"):
        render_index([], title="x")


def test_an_organisation_page_is_a_static_space(javanese: CardFacts) -> None:
    page = render_organisation([javanese], title="CogSym: languages | all")
    assert read_front_matter(page) == {"title": "CogSym: languages | all", "sdk": "static", "pinned": False}
    assert "# CogSym: languages \\| all" in page


def test_a_collection_note_holds_scores_and_size_within_the_hubs_limit(javanese: CardFacts, tmp_path: Path) -> None:
    assert collection_note(javanese) == (
        "Javanese for Llama-2-7b-hf. English → Javanese chrF++ 47.3 (fair, NusaX). "
        "Javanese → English chrF++ 36.9 (weak, NusaX). 902 MB on top of the base"
    )
    long = collect(make_records(tmp_path / "long", dataset="d" * 5000))
    assert len(collection_note(long)) <= MAX_NOTE_CHARACTERS


def test_a_space_card_has_what_the_hub_needs_to_build_it(javanese: CardFacts, sundanese: CardFacts) -> None:
    page = render_space([javanese, sundanese], sdk_version="6.31.0", hardware="zero-a10g")
    fields = read_front_matter(page)
    assert (fields["sdk"], fields["sdk_version"], fields["python_version"]) == ("gradio", "6.31.0", "3.12")
    assert fields["app_file"] == "app.py"
    assert fields["suggested_hardware"] == "zero-a10g"
    assert fields["short_description"] == "Translate to and from Javanese, Sundanese"
    assert fields["models"] == ["cogsym/llama-2-7b-cogsym-jav", "meta-llama/Llama-2-7b-hf"]
    assert "preload_from_hub" not in fields
    assert is_space_card(page)
    assert not is_space_card(page.replace("- cogsym-space\n", ""))
    assert not is_space_card("# Another")
    assert (
        "| [cogsym/llama-2-7b-cogsym-jav](https://huggingface.co/cogsym/llama-2-7b-cogsym-jav) "
        "| chrF++ 47.3 (46.4–48.2), fair | chrF++ 36.9 (36.0–37.8), weak |" in page
    )
    assert "| `sun-run` | not measured | chrF++ 36.9 (36.0–37.8), weak |" in page


def test_what_a_space_preloads_is_pinned(javanese: CardFacts) -> None:
    preload = [Preload("org/name", ("config.json", "delta.safetensors"), "c" * 40)]
    fields = read_front_matter(render_space([javanese], sdk_version="6.31.0", preload=preload))
    assert fields["preload_from_hub"] == ["org/name config.json,delta.safetensors " + "c" * 40]


@pytest.mark.parametrize(
    ("size_bytes", "machine"),
    [
        (4_000_000, "cpu-basic"),
        (13_476_831_232, "l4x1"),
        (26_000_000_000, "l40sx1"),
        (60_000_000_000, "a100-large"),
        (137_953_296_384, "a100x4"),
    ],
)
def test_a_space_suggests_the_smallest_machine_that_its_base_fits_into(
    tmp_path: Path, size_bytes: int, machine: str
) -> None:
    base = BASE.model_copy(update={"size_bytes": size_bytes})
    facts = collect(make_records(tmp_path / "run", base=base), "org/name")
    assert read_front_matter(render_space([facts], sdk_version="6.31.0"))["suggested_hardware"] == machine


def test_a_space_of_many_languages_keeps_its_description_within_the_hubs_limit(javanese: CardFacts) -> None:
    def named(name: str) -> CardFacts:
        return javanese.model_copy(update={"language": javanese.language.model_copy(update={"english": name})})

    many = [named(f"A language with a long name {number}") for number in range(30)]
    description = read_front_matter(render_space(many, sdk_version="6.31.0"))["short_description"]
    assert description == "Translate to and from 30 languages"
    assert len(description) <= MAX_DESCRIPTION_CHARACTERS


def test_a_range_of_gradio_versions_is_refused(javanese: CardFacts) -> None:
    with pytest.raises(CardError, match="'>=6' is not an exact version of Gradio"):
        render_space([javanese], sdk_version=">=6")


def test_index_command_prints_or_writes_the_page(cogsym: Any, tmp_path: Path) -> None:
    run = make_records(tmp_path / "jav")
    printed = cogsym("index", run.root, "--title", "Java")
    assert printed.code == 0
    assert printed.out.startswith("# Java\n")
    assert cogsym("index", run.root, "--organisation", "--out", tmp_path / "org" / "README.md").code == 0
    assert read_front_matter((tmp_path / "org" / "README.md").read_text(encoding="utf-8"))["sdk"] == "static"
    refused = cogsym("index", tmp_path / "nothing")
    assert refused.code == 1
    assert "config.json cannot be read" in refused.err
