"""Splits one file of sentence pairs into a file to train on and a file to test on.

Rows that have a side in common, in any language, stay together, and a row that holds a sentence of a test row inside a
longer text is left out, compared as training compares them with test sets: so nothing that is tested on was trained on.
Which rows are tested on depends on the rows alone, whatever their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from toolkit.corpus import BrokenRow, comparable, pairs_form, read_file
from toolkit.corpus.digests import Digests, digest
from toolkit.corpus.overlap import SentenceIndex
from toolkit.corpus.rows import nothing_left
from toolkit.corpus.shelf import Shelf
from toolkit.corpus.writing import write_new
from toolkit.errors import CorpusError

TRAIN_FILE, TEST_FILE = "train.tsv", "test.tsv"
HOLDS_TESTED = "holds a sentence of a test row"
# A tenth to test on, but enough that a score says something, and no more than a fifth of a small file.
_USUAL_SHARE, _LARGEST_SHARE = 0.1, 0.2
_FEWEST, _MOST = 100, 1000


@dataclass(frozen=True)
class Split:
    """Two files with a column for each language, named by its code, and how many rows went where."""

    train: Path
    test: Path
    train_rows: int
    test_rows: int
    dropped: dict[str, int]  # rows in neither file, by reason


def split_corpus(
    source: Path,
    out: Path,
    languages: Sequence[str],
    *,
    columns: Mapping[str, str] | None = None,
    header: Sequence[str] | None = None,
    test_rows: int | None = None,
    seed: int = 0,
    on_bad_row: Literal["stop", "drop"] = "stop",
) -> Split:
    """Write `train.tsv` and `test.tsv` with the clean rows of a file, in their order.

    The same rows and seed always give the same files; where they are there already, nothing is written.

    Args:
        source: tsv, csv, json or jsonl file.
        out: the folder for the two files; made where it is missing.
        languages: ISO 639-3 codes, at least two.
        columns: column name of each language; a language left out is looked for under its code.
        header: names of the columns, where a tsv or csv file begins without them.
        test_rows: how many rows to test on; default a tenth, at least 100 and at most 1,000, but of a small file no
            more than a fifth. Fewer where rows that belong together do not fit.
        seed: another one draws other rows.
        on_bad_row: whether a row that cannot be read stops everything, or is left out and counted.

    Raises:
        CorpusError: if the file cannot be read, or there are too few rows for both.
        OutputError: if a file of that name is there and holds something else.
    """
    form = pairs_form(source.name, languages, columns)
    rows, seen, dropped = Shelf(form.keys), Digests(), dict[str, int]()

    def leave_out(row: BrokenRow) -> None:
        dropped[row.fault] = dropped.get(row.fault, 0) + 1

    on_broken = leave_out if on_bad_row == "drop" else None
    table = read_file(source, header=header, on_broken=on_broken).require(form.columns)
    draws, sentences = list[int](), [list[int]() for _ in form.keys]
    for _, raw in table.rows:
        texts, fault = form.clean_row(raw)
        identity = digest("\x1f".join(texts[key] for key in form.keys))
        if fault is None and identity in seen:
            fault = "repeated row"
        if fault is not None:
            dropped[fault] = dropped.get(fault, 0) + 1
            continue
        seen.add(identity)
        rows.add(texts)
        draws.append(digest(f"{seed}\x1f" + "\x1f".join(sorted(texts.values()))))
        for column, key in zip(sentences, form.keys, strict=True):
            column.append(digest(comparable(texts[key])))
    if not rows:
        raise nothing_left(source.name, dropped)
    wanted = usual_test_rows(len(rows)) if test_rows is None else test_rows
    if not 0 < wanted < len(rows):
        raise CorpusError(
            f"{source.name}: {wanted:,} of {len(rows):,} usable rows cannot be kept for testing",
            "collect more sentences" if test_rows is None else "ask for fewer test rows",
        )
    groups = _together(np.array(sentences, dtype=np.uint64))
    is_test = _drawn(groups, np.array(draws, dtype=np.uint64), wanted)
    to_test, to_train = np.flatnonzero(is_test).tolist(), np.flatnonzero(~is_test).tolist()
    count = len(to_test)
    if not count:
        raise CorpusError(
            f"{source.name}: no row can be kept for testing, because most rows share a sentence with others",
            "check that the columns are right, or collect rows whose sentences differ",
        )
    tested = SentenceIndex()
    for row in rows.pick(to_test):
        for text in row.values():
            tested.add(text, TEST_FILE)
    kept = [number for number in to_train if not tested.find(rows[number].values())]
    if not kept:
        raise CorpusError(
            f"{source.name}: no row is left to train on, because all hold a sentence of the {count:,} test rows",
            "collect rows whose sentences differ",
        )
    if len(kept) < len(to_train):
        dropped[HOLDS_TESTED] = len(to_train) - len(kept)
    split = Split(out / TRAIN_FILE, out / TEST_FILE, len(kept), count, dropped)
    write_new(split.test, _lines(form.keys, rows.pick(to_test)))
    write_new(split.train, _lines(form.keys, rows.pick(kept)))
    return split


def usual_test_rows(rows: int) -> int:
    """How many of so many rows are kept for testing where nobody says."""
    return min(max(round(_USUAL_SHARE * rows), _FEWEST), _MOST, int(_LARGEST_SHARE * rows))


def _together(sentences: NDArray[np.uint64]) -> NDArray[np.int64]:
    """For each row the first row of those that belong with it.

    Args:
        sentences: digests, (languages, rows). The same one in two languages counts too, as it does in training.
    """
    rows = sentences.shape[1]
    first = np.arange(rows)

    def first_of(row: int) -> int:
        while first[row] != row:
            first[row] = first[first[row]]
            row = first[row]
        return row

    flat = sentences.reshape(-1)
    order = np.argsort(flat, kind="stable")
    same = flat[order[1:]] == flat[order[:-1]]
    for one, other in zip(order[:-1][same] % rows, order[1:][same] % rows, strict=True):
        low, high = sorted((first_of(int(one)), first_of(int(other))))
        first[high] = low
    return np.array([first_of(row) for row in range(rows)])


def _drawn(groups: NDArray[np.int64], draws: NDArray[np.uint64], wanted: int) -> NDArray[np.bool_]:
    """Which rows are to be tested on: whole groups, those of one row first, in the order of their draws."""
    names, of_row, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    lowest = np.full(len(names), np.iinfo(np.uint64).max, dtype=np.uint64)
    np.minimum.at(lowest, of_row, draws)
    chosen, left = np.zeros(len(names), dtype=bool), wanted
    for group in np.lexsort((lowest, sizes)):
        if not left or sizes[group] > left:
            break
        chosen[group] = True
        left -= int(sizes[group])
    return chosen[of_row]


def _lines(keys: Sequence[str], rows: Iterable[Mapping[str, str]]) -> Iterator[str]:
    """A tsv file; clean text holds no tabs and no line breaks."""
    yield "\t".join(keys) + "\n"
    for row in rows:
        yield "\t".join(row[key] for key in keys) + "\n"
