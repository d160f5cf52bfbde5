"""Writes what the findings are measured on: data files cut from real text, and an untrained Llama with its tokenizer.

    python tests/benchmarks/findings/prepare.py --data DIR --out DIR

The books of RUT, EST and JHN are for testing: nothing that trains holds a verse of them, in any language.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from transformers import AutoTokenizer

from toolkit.pocket.rebuild import new_model, save
from toolkit.pocket.tokenizer import build_tokenizer

TEST_BOOKS = ("RUT", "EST", "JHN")
SEED = 0
TEST_ROWS = 200
LONGEST = 200  # characters of the English side of a pair that is learned from
LONGEST_TEST = 110
LENGTH_RATIO = 4.0  # a pair that is further apart is not a translation
KNOWN = {"eng": "eng_bbe", "deu": "deu", "fra": "fra", "cmn": "zho"}
NEW = {"tgl": "verses_full", "ceb": "verses_full", "hat": "verses_full", "swh": "verses_nt"}
ROWS_TO_LEARN = 4000
CONTINUATIONS = 1500  # of each language

PIECES = 8000
COVERAGE = 0.9995  # a rare Chinese character is spelled in bytes
ROTATION = 37  # rows between a verse and the one that stands beside it where sources are wrong
SHAPE = {
    "hidden_size": 128,
    "intermediate_size": 352,
    "num_hidden_layers": 16,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": 512,
    "tie_word_embeddings": False,
}

# What stands before a verse whose next one is wanted; in each language, and in English about each.
GO_ON = {
    "eng": "Write the sentence that comes next.",
    "deu": "Schreibe den Satz, der als nächster kommt.",
    "fra": "Écris la phrase qui vient ensuite.",
    "cmn": "請寫出下一句。",
    "swh": "Andika sentensi inayofuata.",
}
GO_ON_IN = "Write the sentence that comes next. Answer in {language}."
NAMES = {"eng": "English", "deu": "German", "fra": "French", "cmn": "Chinese", "swh": "Swahili"}

Verse = dict[str, str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with bible/, chilit/, nusax/")
    parser.add_argument("--out", type=Path, required=True, help="folder to make")
    asked = parser.parse_args()
    data = asked.out / "data"
    data.mkdir(parents=True, exist_ok=True)
    full = list(read_verses(asked.data / "bible" / "verses_full.tsv"))
    testament = list(read_verses(asked.data / "bible" / "verses_nt.tsv"))
    write_known(full, data)
    for code, file in NEW.items():
        write_new(code, full if file == "verses_full" else testament, data)
    write_wrong("ceb", data)
    write_text("ceb", full, data)
    write_answers("swh", testament, data)
    write_blocks(data / "books_eng.txt", paragraphs(asked.data / "chilit"))
    write_nusantara(asked.data, data)
    make_start(data, asked.out / "start")
    for file in sorted(data.iterdir()):
        print(f"{file.name}: {file.stat().st_size / 1e6:.2f} MB")


def read_verses(file: Path) -> Iterator[Verse]:
    """Rows with clean cells: without the marks of other numbering, and without what stands for a missing verse."""
    with file.open(encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows, delimiter="\t", quoting=csv.QUOTE_NONE):
            if row["verse"][:3] == "PSA":  # its numbering differs between translations
                continue
            yield {column: _clean(cell or "") for column, cell in row.items()}


def _clean(cell: str) -> str:
    text = unicodedata.normalize("NFC", re.sub(r"\([A-Z]?\d[^)]*\)", "", cell))
    return " ".join(text.split()) if any(character.isalpha() for character in text) else ""


def is_test(verse: Verse) -> bool:
    return verse["verse"][:3] in TEST_BOOKS


def write_known(verses: Sequence[Verse], data: Path) -> None:
    """What the base learns from: chapters of each language, pairs with English, sentences to go on from; and tests."""
    draw = random.Random(SEED)
    train = [verse for verse in verses if not is_test(verse)]
    for code, column in KNOWN.items():
        write_blocks(data / f"bible_{code}.txt", chapters(train, column))
    pairs = [{code: verse[column] for code, column in KNOWN.items()} for verse in train]
    write_table(data / "known.tsv", [pair for pair in pairs if fits(pair, LONGEST)])
    continuations: list[dict[str, str]] = []
    for code, column in KNOWN.items():
        for n, (one, two) in enumerate(draw.sample(neighbours(train, column), CONTINUATIONS)):
            wish = GO_ON[code] if n % 2 else GO_ON_IN.format(language=NAMES[code])
            continuations.append({"instruction": wish, "input": one[column], "output": two[column]})
    draw.shuffle(continuations)
    write_lines(data / "go_on.jsonl", continuations)
    tests = [{code: verse[column] for code, column in KNOWN.items()} for verse in verses if is_test(verse)]
    write_table(data / "known_test.tsv", draw.sample([row for row in tests if fits(row, LONGEST_TEST)], TEST_ROWS))


def write_new(code: str, verses: Sequence[Verse], data: Path) -> None:
    """A few thousand pairs with English, text of the language alone, and a test of both."""
    draw = random.Random(SEED)
    english = "eng_bbe"
    rows = [{"eng": verse[english], code: verse[code], "verse": verse["verse"]} for verse in verses]
    learn = [row for row in rows if not is_test(row) and fits(_texts(row), LONGEST)]
    test = [row for row in rows if is_test(row) and fits(_texts(row), LONGEST_TEST)]
    write_table(data / f"{code}.tsv", map(_texts, draw.sample(learn, min(ROWS_TO_LEARN, len(learn)))))
    write_table(data / f"{code}_test.tsv", map(_texts, draw.sample(test, TEST_ROWS)))


def write_wrong(code: str, data: Path) -> None:
    """The test of a language with another verse beside each: what a translation costs whose source is of no use."""
    heading, *lines = (data / f"{code}_test.tsv").read_text(encoding="utf-8").splitlines()
    first, second = heading.split("\t")
    rows = [line.split("\t") for line in lines]
    moved = [*rows[ROTATION:], *rows[:ROTATION]]
    wrong = [{first: other[0], second: row[1]} for row, other in zip(rows, moved, strict=True)]
    write_table(data / f"{code}_wrong.tsv", wrong)


def write_text(code: str, verses: Sequence[Verse], data: Path) -> None:
    """The language alone, chapter by chapter; and tests of it and of known languages, from the same books."""
    learn, test = [verse for verse in verses if not is_test(verse)], [verse for verse in verses if is_test(verse)]
    write_blocks(data / f"bible_{code}.txt", chapters(learn, code))
    for known in (code, "eng", "deu", "fra"):
        write_blocks(data / f"{known}_text_test.txt", chapters(test, KNOWN.get(known, known)))


def write_answers(code: str, verses: Sequence[Verse], data: Path) -> None:
    """Sentences to go on from in the new language, whichever of instruction and sentence is in English; and a test."""
    draw, english = random.Random(SEED), "eng_bbe"
    pairs = [(one, two) for one, two in neighbours(verses, code) if 0 < len(one[english]) <= LONGEST]
    rows = []
    for n, (one, two) in enumerate(draw.sample([pair for pair in pairs if not is_test(pair[0])], CONTINUATIONS)):
        wish = GO_ON[code] if n % 2 else GO_ON_IN.format(language=NAMES[code])
        rows.append({"instruction": wish, "input": one[code if n % 4 < 2 else english], "output": two[code]})
    write_lines(data / f"go_on_{code}.jsonl", rows)
    asked = draw.sample([pair for pair in pairs if is_test(pair[0])], TEST_ROWS // 2)
    questions = [{"question": one[code], "question_eng": one[english], "answer": two[code]} for one, two in asked]
    write_lines(data / f"go_on_{code}_test.jsonl", questions)


def neighbours(verses: Sequence[Verse], column: str) -> list[tuple[Verse, Verse]]:
    """Verses that follow each other in a chapter, neither of them long."""
    return [
        (one, two)
        for one, two in pairwise(verses)
        if _chapter(one) == _chapter(two) and 0 < len(one[column]) <= LONGEST and 0 < len(two[column]) <= LONGEST
    ]


def _texts(row: Verse) -> Verse:
    return {key: text for key, text in row.items() if key != "verse"}


def fits(row: Mapping[str, str], longest: int) -> bool:
    """Whether every language has this sentence, the English is short enough, and Latin letters are about as many."""
    lengths = [len(text) for code, text in row.items() if code != "cmn"]
    return all(row.values()) and len(row["eng"]) <= longest and max(lengths) <= LENGTH_RATIO * min(lengths)


def chapters(verses: Iterable[Verse], column: str) -> Iterator[str]:
    """The text of each chapter."""
    texts: dict[str, list[str]] = {}
    for verse in verses:
        if verse[column]:
            texts.setdefault(_chapter(verse), []).append(verse[column])
    joint = "" if column == "cmn" else " "
    return (joint.join(parts) for parts in texts.values())


def _chapter(verse: Verse) -> str:
    return verse["verse"].partition(":")[0]


def paragraphs(folder: Path) -> Iterator[str]:
    """The books' paragraphs, their wrapped lines joined; without title and author."""
    for file in sorted(folder.glob("*.txt")):
        text = file.read_text(encoding="utf-8").split("\n", 2)[2]
        for block in re.split(r"\n\s*\n", text):
            joined = " ".join(block.split())
            if len(joined) >= 40:
                yield joined


def write_nusantara(source: Path, data: Path) -> None:
    """Javanese and Sundanese: NusaX with English, NusaWrites with Indonesian."""
    for code, name in (("jav", "javanese"), ("sun", "sundanese")):
        for split in ("train", "valid", "test"):
            with (source / "nusax" / "mt" / f"{split}.csv").open(encoding="utf-8", newline="") as rows:
                table = [
                    {"eng": " ".join(row["english"].split()), code: " ".join(row[name].split())}
                    for row in csv.DictReader(rows)
                ]
            target = data / (f"{code}_test.tsv" if split == "test" else f"{code}.tsv")
            table = table[:TEST_ROWS] if split == "test" else table
            write_table(target, table, add=split == "valid")


def write_table(path: Path, rows: Iterable[Mapping[str, str]], *, add: bool = False) -> None:
    rows = list(rows)
    with path.open("a" if add else "w", encoding="utf-8", newline="") as file:
        if not add:
            file.write("\t".join(rows[0]) + "\n")
        file.writelines("\t".join(row.values()) + "\n" for row in rows)


def write_lines(path: Path, rows: Iterable[Mapping[str, str]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def write_blocks(path: Path, blocks: Iterable[str]) -> None:
    path.write_text("".join(block + "\n\n" for block in blocks), encoding="utf-8")


def make_start(data: Path, out: Path) -> None:
    """The untrained base: a tokenizer of the known languages, and weights drawn by the seed."""
    out.mkdir(parents=True, exist_ok=True)
    build_tokenizer(_sentences(data), out, pieces=PIECES, coverage=COVERAGE)
    save(new_model(AutoTokenizer.from_pretrained(out), SEED, SHAPE), out)


def _sentences(data: Path) -> Iterator[str]:
    """What the tokenizer is trained on: a third books, the rest the known languages in equal parts."""
    draw = random.Random(SEED)
    books = (data / "books_eng.txt").read_text(encoding="utf-8").split("\n\n")
    yield from draw.sample([text for text in books if text], 10_000)
    with (data / "known.tsv").open(encoding="utf-8", newline="") as rows:
        for row in list(csv.DictReader(rows, delimiter="\t", quoting=csv.QUOTE_NONE))[::2]:
            yield from row.values()


if __name__ == "__main__":
    main()
