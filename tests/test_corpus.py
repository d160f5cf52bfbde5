"""Reading and cleaning text: what comes out, and what each bad file is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from toolkit.auditing.opening import open_tolerantly
from toolkit.corpus import column_names, read_file, read_instructions, read_pairs
from toolkit.errors import CorpusError

GOOD = [{"eng": "good morning", "jav": "sugeng enjing"}, {"eng": "thank you", "jav": "matur nuwun"}]


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.tsv", "eng\tjav\ngood morning\tsugeng enjing\nthank you\tmatur nuwun\n"),
        ("a.csv", 'jav,eng,note\nsugeng enjing,"good morning",x\nmatur nuwun,thank you,y\n'),
        ("a.jsonl", "\n".join(json.dumps(row) for row in GOOD)),
        ("a.json", json.dumps(GOOD)),
        ("crlf.tsv", "eng\tjav\r\ngood morning\tsugeng enjing\r\nthank you\tmatur nuwun\r\n"),
        ("spaces.tsv", "eng\tjav\n good   morning\tsugeng enjing \nthank you\tmatur nuwun\n"),
    ],
)
def test_every_format_gives_the_same_rows(tmp_path: Path, name: str, text: str) -> None:
    rows = read_pairs(write(tmp_path / name, text), ["eng", "jav"])
    assert list(rows.rows) == GOOD
    assert rows.dropped == {}
    assert rows.name == name


def test_columns_are_named_in_the_recipe(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", ",english,javanese\n0,good morning,sugeng enjing\n1,thank you,matur nuwun\n")
    assert list(read_pairs(path, ["eng", "jav"], {"eng": "english", "jav": "javanese"}).rows) == GOOD


def test_words_that_look_like_missing_values_are_words(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", 'eng\tjav\nNA\tnull\n"quoted\tora "kuwi"\n12\trolas\n')
    assert [row["eng"] for row in read_pairs(path, ["eng", "jav"]).rows] == ["NA", '"quoted', "12"]


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "eng\tjav\none\tsiji\none\tsiji\n\tloro\ntelu\ttelu\n")
    rows = read_pairs(path, ["eng", "jav"])
    assert rows.dropped == {"repeated row": 1, "empty side": 1, "same text in two languages": 1}
    assert len(rows.rows) == 1


def test_the_fingerprint_changes_with_any_row(tmp_path: Path) -> None:
    one = read_pairs(write(tmp_path / "a.tsv", "eng\tjav\none\tsiji\n"), ["eng", "jav"])
    other = read_pairs(write(tmp_path / "b.tsv", "eng\tjav\none\tsijine\n"), ["eng", "jav"])
    again = read_pairs(write(tmp_path / "c.csv", "jav,eng\nsiji,one\n"), ["eng", "jav"])
    assert one.fingerprint != other.fingerprint
    assert one.fingerprint == again.fingerprint


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("none.tsv", None, "no file at"),
        ("a.docx", "x", "'.docx' files are not read here"),
        ("empty.tsv", "", "empty.tsv is empty"),
        ("blank.tsv", "\n\n", "blank.tsv is empty"),
        ("header.tsv", "eng\tjav\n", "header.tsv holds a header line and no rows"),
        ("one.tsv", "eng\ngood morning\nthanks\n", "has no column 'jav'; its columns are: eng"),
        ("other.tsv", "english\tjava\na\tb\n", "has no column 'eng'; its columns are: english, java"),
        (
            "latin.tsv",
            b"eng\tjav\nok\tok ya\ncaf\xe9\tkopi\n",
            "latin.tsv, line 3: byte 4 (0xE9) is not UTF-8; read as Windows-1252 it says 'café",
        ),
        ("nul.tsv", b"eng\tjav\na\x00\tb\n", "nul.tsv, line 2: byte 2 is NUL"),
        (
            "utf16.tsv",
            "eng\tjav\na\tb\n".encode("utf-16"),
            "utf16.tsv is in UTF-16, not in UTF-8 (seen at line 1, byte 1)",
        ),
        ("ragged.csv", "eng,jav\na,b\nc,d,e,f\n", "ragged.csv, line 3: it has 4 columns, the header 2"),
        ("broken.jsonl", '{"eng": "a"\n', "broken.jsonl, line 1: it is no readable JSON: Expecting ',' delimiter"),
        ("same.tsv", "eng\tjav\na\ta\n", "nothing left after cleaning (1 x same text in two languages)"),
    ],
)
def test_a_bad_file_is_told_what_is_wrong(tmp_path: Path, name: str, text: str | bytes | None, message: str) -> None:
    path = tmp_path / name
    if text is not None:
        write(path, text)
    with pytest.raises(CorpusError) as caught:
        read_pairs(path, ["eng", "jav"])
    assert message in caught.value.message
    assert caught.value.hint


def test_one_column_cannot_hold_a_translation(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "text\nhello\n")
    with pytest.raises(CorpusError, match="cannot hold a translation"):
        read_pairs(path, ["eng", "jav"], {"eng": "text", "jav": "text"})


def test_instructions_keep_their_lines_and_may_have_no_input(tmp_path: Path) -> None:
    rows = [{"instruction": "Say hi", "input": "", "output": "hi\nhello"}, {"instruction": "", "output": "x"}]
    path = write(tmp_path / "a.json", json.dumps(rows))
    read = read_instructions(path)
    assert list(read.rows) == [{"instruction": "Say hi", "input": "", "output": "hi\nhello"}]
    assert read.dropped == {"empty instruction or output": 1}


@pytest.mark.real_data
def test_nusax_is_read_whole(real_data: Path) -> None:
    rows = read_pairs(real_data / "nusax/mt/train.csv", ["eng", "jav"], {"eng": "english", "jav": "javanese"})
    assert len(rows.rows) == 500
    assert not rows.dropped


def test_one_column_without_a_header_may_hold_any_sign(tmp_path: Path) -> None:
    path = tmp_path / "text.tsv"
    path.write_text("Good morning, friend.\nHow are you; well | good?\n", encoding="utf-8")
    assert [row["text"] for _, row in read_file(path, header=["text"]).rows] == path.read_text().splitlines()
    opened = open_tolerantly(path, ["text"], lambda row: None)
    assert (len(list(opened.rows)), opened.findings) == (2, [])


def test_columns_are_known_although_the_first_rows_lack_some_or_are_broken(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text("eng\tjav\nhello\nyes\tiya\tone too many\nno\tora\n", encoding="utf-8")
    assert column_names(path) == ("eng", "jav")
    nested = tmp_path / "pairs.jsonl"
    nested.write_text('{"translation": {"eng": "no", "jav": "ora"}}\n', encoding="utf-8")
    assert set(column_names(nested)) == {"translation", "translation.eng", "translation.jav"}
