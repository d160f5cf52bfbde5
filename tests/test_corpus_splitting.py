"""One file of sentence pairs becomes a file to train on and a file to test on, and nothing is in both."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.corpus import comparable, read_pairs
from toolkit.corpus.splitting import Split, split_corpus, usual_test_rows
from toolkit.errors import CorpusError, OutputError

LANGUAGES = ("eng", "ban")


def write(path: Path, rows: list[tuple[str, str]], header: str = "eng\tban") -> Path:
    path.write_text("\n".join([header, *("\t".join(row) for row in rows)]) + "\n", encoding="utf-8")
    return path


def rows_of(path: Path) -> list[tuple[str, ...]]:
    return [tuple(line.split("\t")) for line in path.read_text(encoding="utf-8").splitlines()[1:]]


def sentences(path: Path) -> set[str]:
    return {comparable(text) for row in rows_of(path) for text in row}


def many(count: int) -> list[tuple[str, str]]:
    return [(f"the house {number}", f"umah {number}") for number in range(count)]


@pytest.mark.parametrize(
    ("rows", "test_rows"), [(10, 2), (300, 60), (500, 100), (1000, 100), (5000, 500), (10_000, 1000), (10**6, 1000)]
)
def test_a_tenth_is_kept_for_testing_within_bounds(rows: int, test_rows: int) -> None:
    assert usual_test_rows(rows) == test_rows


def test_every_clean_row_goes_to_one_of_the_files_in_its_order(tmp_path: Path) -> None:
    rows = many(300)
    source = write(tmp_path / "my.tsv", [*rows, ("alone", ""), ("same", "same"), rows[7]])
    split = split_corpus(source, tmp_path / "data", LANGUAGES)
    assert (split.train_rows, split.test_rows) == (240, 60)
    assert split.dropped == {"empty side": 1, "same text in two languages": 1, "repeated row": 1}
    train, test = rows_of(split.train), rows_of(split.test)
    assert (len(train), len(test)) == (240, 60)
    assert sorted(train + test) == sorted(rows)
    assert train == [row for row in rows if row in set(train)]
    assert read_pairs(split.train, LANGUAGES).dropped == {}


def test_columns_are_found_by_the_names_given(tmp_path: Path) -> None:
    source = write(tmp_path / "my.tsv", many(20), "English\tBahasa Bali")
    split = split_corpus(source, tmp_path, LANGUAGES, columns={"eng": "English", "ban": "Bahasa Bali"})
    assert split.train.read_text().startswith("eng\tban\nthe house")
    bare = tmp_path / "bare.tsv"
    bare.write_text("".join("\t".join(row) + "\n" for row in many(20)))
    again = split_corpus(bare, tmp_path / "bare", LANGUAGES, header=("eng", "ban"))
    assert again.test.read_bytes() == split.test.read_bytes()


def test_the_same_rows_are_tested_on_whatever_their_order(tmp_path: Path) -> None:
    rows = many(200)
    one = split_corpus(write(tmp_path / "one.tsv", rows), tmp_path / "one", LANGUAGES)
    random.Random(1).shuffle(rows)
    other = split_corpus(write(tmp_path / "other.tsv", rows), tmp_path / "other", LANGUAGES)
    assert set(rows_of(one.test)) == set(rows_of(other.test))
    turned = write(tmp_path / "turned.tsv", [(right, left) for left, right in rows], "ban\teng")
    third = split_corpus(turned, tmp_path / "turned", LANGUAGES)
    assert set(rows_of(one.test)) == set(rows_of(third.test))
    seeded = split_corpus(tmp_path / "one.tsv", tmp_path / "seeded", LANGUAGES, seed=1)
    assert set(rows_of(one.test)) != set(rows_of(seeded.test))


def test_rows_that_share_a_sentence_stay_together(tmp_path: Path) -> None:
    pairs = [(f"one {number}", f"asiki {number}") for number in range(50)]
    again = [(f"One {number}.", f"besik {number}") for number in range(50)]  # case and full stop aside, the same
    chained = [(f"first {number}", f"BESIK {number}!") for number in range(25)]
    split = split_corpus(write(tmp_path / "my.tsv", pairs + again + chained), tmp_path, LANGUAGES, test_rows=20)
    assert split.test_rows == 20
    assert not sentences(split.train) & sentences(split.test)


def test_a_sentence_in_another_column_counts_too(tmp_path: Path) -> None:
    # Training compares its sentences with those of the test set whatever their language.
    rows = [
        (f"Denpasar {n}" if n % 2 else f"the town {n}", f"kota {n}" if n % 2 else f"Denpasar {n + 1}")
        for n in range(40)
    ]
    split = split_corpus(write(tmp_path / "my.tsv", rows), tmp_path, LANGUAGES, test_rows=8)
    assert split.test_rows == 8
    assert not sentences(split.train) & sentences(split.test)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abcdefghijklmnop"), st.sampled_from("ABCqrstuvwxyz")), min_size=2, max_size=40),
    st.integers(1, 10),
)
def test_nothing_is_trained_and_tested_on_whatever_repeats(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], wanted: int
) -> None:
    folder = tmp_path_factory.mktemp("split")
    source = write(folder / "my.tsv", rows)
    try:
        split = split_corpus(source, folder, LANGUAGES, test_rows=wanted)
    except CorpusError:
        return
    assert 0 < split.test_rows <= wanted
    assert split.train_rows > 0
    assert not sentences(split.train) & sentences(split.test)
    assert sorted(rows_of(split.train) + rows_of(split.test)) == sorted(set(rows))


def test_the_training_run_finds_no_leak(tmp_path: Path) -> None:
    from toolkit.recipe import make_recipe
    from toolkit.training.mixture import mix

    rows = [*many(60), *((f"The House {n}!", f"puri {n}") for n in range(30))]
    split = split_corpus(write(tmp_path / "my.tsv", rows), tmp_path, LANGUAGES)
    source = {"path": str(split.train), "directions": ["eng>ban"]}
    test = {"path": str(split.test), "directions": ["eng>ban"]}
    recipe = make_recipe({"language": "ban", "base": "pocket", "data": [source], "evaluation": [test]})
    assert mix(recipe).sources[0].rows == split.train_rows


def test_the_same_split_again_changes_nothing_and_another_is_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "my.tsv", many(50))
    split = split_corpus(source, tmp_path / "data", LANGUAGES)
    before = split.train.stat().st_mtime_ns
    assert split_corpus(source, tmp_path / "data", LANGUAGES) == split
    assert split.train.stat().st_mtime_ns == before
    kept = split.test.read_bytes()
    with pytest.raises(OutputError, match="is there already and holds something else"):
        split_corpus(source, tmp_path / "data", LANGUAGES, seed=3)
    assert split.test.read_bytes() == kept
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["test.tsv", "train.tsv"]


@pytest.mark.parametrize(
    ("rows", "wanted", "message"),
    [
        (many(3), None, "0 of 3 usable rows"),
        (many(3), 3, "3 of 3 usable rows"),
        (many(3), 0, "0 of 3 usable rows"),
        ([("a", "")], None, "nothing left after cleaning"),
        ([("same house", f"umah {n}") for n in range(40)], None, "most rows share a sentence"),
    ],
)
def test_what_cannot_be_split_is_said(
    tmp_path: Path, rows: list[tuple[str, str]], wanted: int | None, message: str
) -> None:
    with pytest.raises(CorpusError, match=message):
        split_corpus(write(tmp_path / "my.tsv", rows), tmp_path, LANGUAGES, test_rows=wanted)
    assert not list(tmp_path.glob("t*.tsv"))


def test_a_split_names_its_files(tmp_path: Path) -> None:
    split = split_corpus(write(tmp_path / "my.tsv", many(50)), tmp_path / "new" / "data", LANGUAGES, test_rows=5)
    assert split == Split(tmp_path / "new/data/train.tsv", tmp_path / "new/data/test.tsv", 45, 5, {})


def test_no_row_to_train_on_holds_a_test_sentence_in_a_longer_one(tmp_path: Path) -> None:
    """Which rows are tested on is not known before, so every row has one that holds it."""
    short = [
        (f"on day {number} the old fisherman mended his nets beside the river", f"dina {number}")
        for number in range(60)
    ]
    long = [(f"They say: {left.upper()}, and then slept.", f"umah {right} gede") for left, right in short]
    split = split_corpus(write(tmp_path / "my.tsv", short + long), tmp_path / "data", LANGUAGES, test_rows=20)
    tested = [left.lower() for left, _ in rows_of(split.test)]
    trained = " | ".join(left.lower() for left, _ in rows_of(split.train))
    assert not [sentence for sentence in tested if sentence in trained]
    assert split.dropped == {"holds a sentence of a test row": 120 - 20 - split.train_rows}
    assert split.train_rows < 100
