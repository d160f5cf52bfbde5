"""A corpus of broken corpora: each is told with file and line, and its good rows are kept or refused as was asked.

Every case goes through both ways in: the audit, which reads on and tells all there is, and the reader of training,
which stops, or leaves broken rows out where the recipe says `on_bad_row: drop`.
"""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from toolkit.auditing import Audit, audit
from toolkit.corpus import lines
from toolkit.errors import CogsymError, CorpusError
from toolkit.pocket.phrasebook import sentences
from toolkit.recipe import make_recipe
from toolkit.training import Mixture, mix

PAIRS = [(row["eng"], row["jav"]) for row in sentences("dev")[:30]]
FRENCH = [
    "Bonjour, comment allez-vous ce matin, mes chers amis ?",
    "Les enfants jouent dans la rue devant la grande maison blanche.",
    "Nous irons demain au marché pour acheter du pain et du poisson.",
    "Il pleut depuis trois jours et la route du village est fermée.",
    "Ma grand-mère raconte des histoires quand le travail est terminé.",
    "Le professeur nous demande de lire toute la lettre avant de répondre.",
    "Elle habite depuis longtemps près de la rivière avec sa famille.",
    "Quelle heure est-il maintenant, s'il vous plaît, monsieur ?",
    "Cette année la récolte a été meilleure que l'année dernière.",
    "Les pêcheurs sont partis avant le lever du soleil avec leurs filets.",
    "Je voudrais apprendre cette langue pour parler avec mes voisins.",
    "Le médecin arrive toujours en retard quand il pleut beaucoup.",
]


def table(rows: list[tuple[str, ...]], delimiter: str = "\t", header: tuple[str, ...] = ("eng", "jav")) -> str:
    return "".join(delimiter.join(cells) + "\n" for cells in [header, *rows])


def tsv(*extra: str, at: int = 5) -> str:
    """Good rows with other lines among them, the first of which is line `at`."""
    whole = table(PAIRS).splitlines(keepends=True)
    return "".join([*whole[: at - 1], *(line + "\n" for line in extra), *whole[at - 1 :]])


@dataclass(frozen=True)
class Case:
    """One broken file, and what is to be said about it."""

    name: str
    suffix: str
    content: bytes
    code: str | None  # of the audit's finding; None where there must be none
    severity: str = "look"
    place: str | None = None  # of the finding's first example
    stops: str | None = None  # a part of the reader's message, where it refuses the file as it stands
    kept: int | None = len(PAIRS)  # rows that the reader keeps with `on_bad_row: drop`; None: it refuses all the same
    dropped: dict[str, int] = field(default_factory=dict)


def case(name: str, suffix: str, content: str | bytes, code: str | None, **rest: Any) -> Any:
    raw = content.encode("utf-8", errors="surrogatepass") if isinstance(content, str) else content
    return pytest.param(Case(name, suffix, raw, code, **rest), id=name)


JSON_ROWS = [json.dumps({"eng": a, "jav": b}, ensure_ascii=False) for a, b in PAIRS]
ONE = "one more sentence"
CASES = [
    # The file itself.
    case("byte-order-mark", "tsv", b"\xef\xbb\xbf" + table(PAIRS).encode(), None),
    case("two-byte-order-marks", "tsv", b"\xef\xbb\xbf\xef\xbb\xbf" + table(PAIRS).encode(), None),
    case("crlf", "tsv", table(PAIRS).replace("\n", "\r\n"), None),
    case("bare-cr", "tsv", table(PAIRS).replace("\n", "\r"), None),
    case("all-three-line-ends", "csv", 'eng,jav\r"' + '"\r\n"'.join('","'.join(p) for p in PAIRS) + '"\n', None),
    case("no-last-line-end", "tsv", table(PAIRS).rstrip("\n"), None),
    case(
        "utf-16", "tsv", table(PAIRS).encode("utf-16"), "wide-encoding", severity="stop",
        stops="is in UTF-16, not in UTF-8 (seen at line 1, byte 1)", kept=None,
    ),
    case(
        "utf-16-without-mark", "csv", table(PAIRS, ";").replace(";", ",").encode("utf-16-be"), "wide-encoding",
        severity="stop", stops="is in UTF-16", kept=None,
    ),
    case("utf-32", "tsv", table(PAIRS).encode("utf-32"), "wide-encoding", severity="stop", stops="UTF-32", kept=None),
    case(
        "windows-1252", "tsv", tsv("a café there\tora ana").encode("cp1252"), "not-utf-8", severity="stop",
        place="line 5", stops="line 5: byte 6 (0xE9) is not UTF-8; read as Windows-1252 it says 'a café there",
        dropped={"not UTF-8": 1},
    ),
    case(
        "utf-8-cut-in-a-letter", "tsv", tsv("@@\tora ana").encode().replace(b"@@", b"caf\xc3"), "not-utf-8",
        severity="stop", place="line 5", stops="line 5: byte 4 (0xC3) is not UTF-8", dropped={"not UTF-8": 1},
    ),
    case(
        "nul", "tsv", tsv("one\0more\tsiji maneh"), "nul-byte", severity="stop", place="line 5",
        stops="line 5: byte 4 is NUL", dropped={"NUL byte": 1},
    ),
    case("spreadsheet", "csv", b"PK\x03\x04\x14\x00" + bytes(200), "not-a-table", severity="stop",
         stops="is a spreadsheet or another zip archive", kept=None),
    case("web-page", "tsv", "<!DOCTYPE html>\n<html><body>eng\tjav</body></html>\n", "not-a-table", severity="stop",
         stops="is a web page (HTML)", kept=None),
    case("gzip", "jsonl", b"\x1f\x8b\x08\x00" + bytes(40), "not-a-table", severity="stop", stops="gzip", kept=None),
    case("large-file-pointer", "tsv", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
         "not-a-table", severity="stop", stops="a pointer to the data", kept=None),
    case("empty", "tsv", b"", "not-a-table", severity="stop", stops="is empty", kept=None),
    case("blank", "csv", "\n\r\n  \n", "not-a-table", severity="stop", stops="is empty", kept=None),
    case("header-alone", "tsv", "eng\tjav\n", "not-a-table", severity="stop", stops="holds a header line and no rows",
         kept=None),
    # Columns.
    case("semicolons", "csv", table(PAIRS, ";"), None),  # as spreadsheets write where the comma is the decimal sign
    case("semicolons-and-quotes", "csv", '"eng";"jav"\n' + "".join(f'"{a}; so";"{b}, {a}"\n' for a, b in PAIRS), None),
    case(
        "semicolons-in-tsv", "tsv", table(PAIRS, ";"), "delimiter", severity="stop", place="line 1",
        stops="line 1: the columns are parted by semicolons, not by tabs ('eng;jav')", kept=None,
    ),
    case("vertical-bars", "csv", table(PAIRS, "|"), "delimiter", severity="stop", place="line 1",
         stops="parted by vertical bars, not by commas", kept=None),
    case("commas-in-tsv", "tsv", table(PAIRS, ","), "delimiter", severity="stop", place="line 1",
         stops="parted by commas, not by tabs", kept=None),
    case("tabs-in-csv", "csv", table(PAIRS), "delimiter", severity="stop", place="line 1",
         stops="parted by tabs, not by commas", kept=None),
    case("no-header", "tsv", table(PAIRS, header=("the two old teachers read a book", "guru loro sing tuwa maca buku")),
         "no-header", severity="stop", place="line 1", stops="is the line with the names of the columns missing?",
         kept=None),
    case("other-names", "tsv", table(PAIRS, header=("English", "Javanese")), "columns-by-name",
         stops="has no column 'eng'; its columns are: English, Javanese", kept=None),
    case("nameless", "tsv", table(PAIRS, header=("A", "B")), "no-column", severity="stop",
         stops="has no column 'eng'", kept=None),
    case("twins", "tsv", table([(*pair, "x") for pair in PAIRS], header=("eng", "jav", "jav")), "twin-columns",
         severity="stop", stops="line 1: two columns are called 'jav'", kept=None),
    case("blanks-around-names", "csv", table([(f'"{a}"', f'"{b}"') for a, b in PAIRS], ",", (" eng ", "jav ")), None),
    case("swapped", "tsv", table([(b, a) for a, b in PAIRS]), "swapped-columns", severity="stop"),
    case(
        "too-many-columns", "tsv", tsv("one\ttwo\tthree"), "too-many-columns", severity="stop", place="line 5",
        stops="line 5: it has 3 columns, the header 2", dropped={"more columns than the header": 1},
    ),
    case("too-few-columns", "tsv", tsv("alone"), "empty-side", severity="drop", place="line 5",
         dropped={"empty side": 1}),
    case("one-sided", "tsv", tsv("alone\t", "\tdhewekan", " \u00a0\tdhewekan"), "empty-side", severity="drop",
         dropped={"empty side": 3}),
    case("empty-rows", "tsv", tsv("\t", " \t "), "empty-row", severity="drop", place="line 5",
         dropped={"empty side": 2}),
    # Quotation marks.
    case(
        "open-quote", "csv", table([("good", "apik"), ('"open', "x"), *PAIRS], ","), "open-quote", severity="stop",
        place="line 3", stops="line 3: a quotation mark is left open", kept=len(PAIRS) + 1,
        dropped={"quotation mark left open": 1},
    ),
    case(
        "quote-inside", "csv", 'eng,jav\n"she said "yes" to me",ya\n' + table(PAIRS, ",", ("good", "apik")),
        "open-quote", severity="stop", place="line 2", stops="line 2: a quotation mark is left open", kept=31,
        dropped={"quotation mark left open": 1},
    ),
    case("quoted-tsv", "tsv", tsv('"she said ""yes"" to me"\t"dheweke kandha ""iya"""'), "quoted-cells", place="line 5",
         kept=31),
    case("line-break-in-cell", "csv", table([('"two\nlines"', "rong larik"), *PAIRS], ","), "line-breaks",
         place="line 2", kept=31),
    # JSON.
    case(
        "broken-jsonl", "jsonl", "\n".join([*JSON_ROWS[:3], '{"eng": "a", "jav": }', *JSON_ROWS[3:]]), "no-json",
        severity="stop", place="line 4", stops="line 4: it is no readable JSON: Expecting value, column 21",
        dropped={"no JSON": 1},
    ),
    case(
        "list-in-jsonl", "jsonl", "\n".join(["[1, 2]", *JSON_ROWS]).removeprefix("[1, 2]\n") + "\n[1, 2]\n",
        "no-json-object", severity="stop", place="line 31", stops="line 31: it is a list, not an object",
        dropped={"no object with named fields": 1},
    ),
    case("array-with-a-broken-row", "json", "[" + ",\n".join([JSON_ROWS[0], '{"eng": "a" "b"}', *JSON_ROWS[1:]]) + "]",
         "no-json", severity="stop", place="row 2 (line 2)", stops="row 2 (line 2): it is no readable JSON",
         dropped={"no JSON": 1}),
    case("array-cut-off", "json", "[" + ",\n".join(JSON_ROWS), "cut-off", severity="stop",
         stops="the file ends before its array does", dropped={"file cut off": 1}),
    case("deep-brackets", "jsonl", "\n".join([*JSON_ROWS, "[" * 100_000]), "no-json", severity="stop", place="line 31",
         stops="line 31: its brackets are nested too deep", dropped={"no JSON": 1}),
    case("half-a-character", "jsonl", "\n".join([*JSON_ROWS, '{"eng": "a \\ud800", "jav": "b"}']), "half-character",
         severity="stop", place="line 31", stops="\\ud800 is half of a character", dropped={"half of a character": 1}),
    case("list-in-a-cell", "jsonl", "\n".join([*JSON_ROWS, '{"eng": ["a", "b"], "jav": "b"}']), "nested",
         severity="stop", place="line 31", kept=31),
    case("nested", "jsonl", "\n".join(f'{{"translation": {row}}}' for row in JSON_ROWS), "columns-by-name",
         stops="has no column 'eng'; its columns are: translation", kept=None),
    # What the sentences are.
    case("untranslated", "tsv", tsv(f"{ONE}\t{ONE}"), "untranslated", severity="drop", place="line 5",
         dropped={"same text in two languages": 1}),
    case("hardly-translated", "tsv", tsv(f"{ONE}\t{ONE.upper()}."), "hardly-translated", place="line 5", kept=31),
    case("everything-twice", "tsv", table(PAIRS + PAIRS), "repeated", severity="drop", place="line 32",
         dropped={"repeated row": len(PAIRS)}),
    case("one-row-only", "tsv", table(PAIRS[:1] * 50), "repeated", severity="drop", place="line 3", kept=1,
         dropped={"repeated row": 49}),
    case("two-translations", "tsv", tsv(f"{PAIRS[0][0]}\tliyane maneh"), "several-translations", kept=31),
    case("far-too-long", "tsv", tsv(f"{PAIRS[0][0]} and {' and '.join(a for a, _ in PAIRS[:8])}\tcekak"),
         "length-ratio", place="line 5", kept=31),
    case("other-language", "tsv", tsv(*(f"{text}\t{b} maneh" for text, (_, b) in zip(FRENCH, PAIRS, strict=False))),
         "other-language", place="line 5", kept=30 + len(FRENCH)),
    case("another-language-altogether", "tsv", table([(f, j) for f, (_, j) in zip(FRENCH, PAIRS, strict=False)]),
         "wrong-language", severity="stop", kept=len(FRENCH)),
    case("other-script", "tsv", tsv("Мы пойдём завтра на рынок\tsesuk menyang pasar"), "wrong-script", place="line 5",
         kept=31),
    case("html", "tsv", tsv("<b>Good</b>&nbsp;day to you\tsugeng siyang"), "markup", place="line 5", kept=31),
    case("addresses", "tsv", tsv("see https://example.org/x\tdeleng kana"), "address", place="line 5", kept=31),
    case("personal", "tsv", tsv("write to ana@somewhere.id today\ttulisen saiki"), "personal", place="line 5", kept=31),
    case("misread", "tsv", tsv("the cafÃ© is openâ€¦\twarunge bukak"), "misread", place="line 5", kept=31),
    case("lost-letter", "tsv", tsv("the caf\ufffd is open\twarunge bukak"), "damaged", place="line 5", kept=31),
    case("control", "tsv", tsv("one\x07more\tsiji maneh"), "control", place="line 5", kept=31),
    case("zero-width", "tsv", tsv("one\u200bmore\tsiji maneh"), "invisible", place="line 5", kept=31),
    case("unassigned", "tsv", tsv("one \U000e0fff more\tsiji maneh"), "unassigned", place="line 5", kept=31),
    case("private-use", "tsv", tsv("one \ue000 more\tsiji maneh"), "private-use", place="line 5", kept=31),
    case("look-alikes", "tsv", tsv("one word\tmεni maneh"), "look-alikes", place="line 5", kept=31),
    case("turned-round", "tsv", tsv("one \u202emore\u202c\tsiji maneh"), "direction", place="line 5", kept=31),
    case("right-to-left-marks-where-none-belong", "tsv", tsv("one \u200fmore\tsiji maneh"), "direction",
         place="line 5", kept=31),
    case("no-letters", "tsv", tsv("...\tsiji maneh"), "no-words", place="line 5", kept=31),
    case("endless-cell", "tsv", tsv("word " * 400 + "\tsiji maneh"), "long", place="line 5", kept=31),
]  # fmt: skip


def write(tmp_path: Path, broken: Case) -> Path:
    path = tmp_path / f"{broken.name}.{broken.suffix}"
    path.write_bytes(broken.content)
    return path


def read(path: Path, on_bad_row: str = "stop", **rest: Any) -> Mixture:
    """As training reads it: each row is one example."""
    source = {"path": str(path), "directions": ["eng>jav"], "on_bad_row": on_bad_row} | rest
    return mix(make_recipe({"language": "jav", "base": "pocket", "data": [source], "prompt": "lines"}))


def attempt(path: Path, on_bad_row: str = "stop", **rest: Any) -> tuple[Mixture | None, CogsymError]:
    """What training reads, or the error that it stops with; any other error is a defect."""
    try:
        return read(path, on_bad_row, **rest), CogsymError("")
    except CogsymError as error:
        return None, error


@pytest.mark.parametrize("broken", CASES)
def test_the_audit_names_it_with_its_line(tmp_path: Path, broken: Case) -> None:
    found = audit(write(tmp_path, broken), ["jav", "eng"])
    if broken.code is None:
        assert [finding.code for finding in found.findings] == []
        assert (found.rows, found.usable) == (len(PAIRS), len(PAIRS))
        return
    finding = found.find(broken.code)
    assert finding is not None, f"found instead: {[(each.code, each.message) for each in found.findings]}"
    assert finding.severity == broken.severity
    assert finding.message
    assert finding.fix
    if broken.place is not None:
        assert finding.examples[0].place == broken.place
    assert Audit.model_validate_json(found.model_dump_json()) == found
    assert str(tmp_path) not in found.model_dump_json()


# What comes along with some cases, and is true as well.
ALSO = {
    "one-row-only": {"several-translations"},
    "misread": {"control"},
    "endless-cell": {"length-ratio"},
    "list-in-a-cell": {"empty-side"},
}


@pytest.mark.parametrize("broken", CASES)
def test_the_audit_blames_nothing_else(tmp_path: Path, broken: Case) -> None:
    found = {finding.code for finding in audit(write(tmp_path, broken), ["jav", "eng"]).findings}
    assert found <= {broken.code} | ALSO.get(broken.name, set())


@pytest.mark.parametrize("broken", CASES)
def test_training_stops_with_file_and_line_or_keeps_the_good_rows(tmp_path: Path, broken: Case) -> None:
    path = write(tmp_path, broken)
    if broken.stops is not None:
        with pytest.raises(CorpusError) as caught:
            read(path)
        assert path.name in caught.value.message
        assert broken.stops in caught.value.message
        assert caught.value.hint
        assert str(tmp_path) not in str(caught.value)
    else:
        assert len(read(path).examples) == broken.kept


@pytest.mark.parametrize("broken", CASES)
def test_broken_rows_are_left_out_where_the_recipe_says_so(tmp_path: Path, broken: Case) -> None:
    path = write(tmp_path, broken)
    if broken.kept is None:
        with pytest.raises(CorpusError):
            read(path, on_bad_row="drop")
        return
    mixture = read(path, on_bad_row="drop")
    source = mixture.sources[0]
    assert len(mixture.examples) == broken.kept
    assert source.dropped == broken.dropped
    assert source.first_dropped.keys() == broken.dropped.keys()
    finding = audit(path, ["jav", "eng"], on_bad_row="drop").find(broken.code or "")
    if finding is not None and finding.code in ("not-utf-8", "nul-byte", "too-many-columns", "open-quote", "no-json"):
        assert finding.severity == "drop"
        assert source.first_dropped == {next(iter(broken.dropped)): broken.place}


def test_an_audit_tells_everything_in_one_go(tmp_path: Path) -> None:
    """A file with ten things wrong with it: nobody wants to run a command ten times."""
    wrong = [
        "a\tb\tc", "\tdhewekan", f"{ONE}\t{ONE}", "one\0more\tx y z", "<b>bold</b>\tkandel", "see www.x.org\tdeleng",
        "one\u200bmore\tsiji", "cafÃ© there\tneng kana", "\t", f"{PAIRS[0][0]}\t{PAIRS[0][1]}",
    ]  # fmt: skip
    path = tmp_path / "a.tsv"
    path.write_bytes((tsv(*wrong) + "x@@\ty\n").encode().replace(b"@@", b"\xff"))
    found = audit(path, ["jav", "eng"])
    assert {finding.code for finding in found.findings} >= {
        "too-many-columns", "empty-side", "untranslated", "nul-byte", "markup", "address", "invisible", "misread",
        "empty-row", "repeated", "not-utf-8",
    }  # fmt: skip
    assert found.rows == len(PAIRS) + 11
    assert [finding.severity for finding in found.findings] == sorted(
        (finding.severity for finding in found.findings), key=("stop", "drop", "look").index
    )


def test_test_sentences_inside_are_told_by_both(tmp_path: Path) -> None:
    data, test = tmp_path / "train.tsv", tmp_path / "test.tsv"
    data.write_text(table(PAIRS), encoding="utf-8")
    test.write_text(table([(PAIRS[3][0].upper() + "!", "liyane"), ("never seen", PAIRS[7][1])]), encoding="utf-8")
    found = audit(data, ["jav", "eng"], tests=[test])
    leaked = found.find("leaked")
    assert leaked is not None
    assert (leaked.severity, leaked.count, found.usable) == ("stop", 2, len(PAIRS) - 2)
    assert [place for place, _ in leaked.examples] == ["line 5", "line 9"]
    assert "test.tsv" in leaked.message
    fields = {"language": "jav", "base": "pocket", "data": [{"path": str(data), "directions": ["eng>jav"]}]}
    recipe = make_recipe(fields | {"evaluation": [{"path": str(test), "directions": ["eng>jav"]}]})
    with pytest.raises(CorpusError, match=r"train.tsv: 2 of its rows share a sentence .*first: line 5"):
        mix(recipe)
    assert audit(data, ["jav", "eng"], tests=recipe.evaluation).find("leaked") is not None
    mixture = mix(recipe.model_copy(update={"on_leak": "drop"}))
    assert len(mixture.examples) == len(PAIRS) - 2
    assert mixture.sources[0].first_dropped == {"also in a test set": "line 5"}


def test_right_to_left_text_may_have_marks_of_direction(tmp_path: Path) -> None:
    """Marks belong there; what forces a direction does not. Arabic stands in for any language of that script."""
    from toolkit.languages import get_language

    arabic = get_language("jav").model_copy(update={"code": "qaj", "script": "Arab", "direction": "rtl"})
    rows = [(a, f"\u200fكتاب {index}\u200f") for index, (a, _) in enumerate(PAIRS)]
    rows[4] = (rows[4][0], "\u202eكتاب جديد\u202c")
    path = tmp_path / "a.tsv"
    path.write_text(table(rows, header=("eng", "qaj")), encoding="utf-8")
    found = audit(path, [arabic, "eng"])
    turned = found.find("direction")
    assert turned is not None
    assert (turned.count, turned.examples[0].place) == (1, "line 6")
    assert "⟨U+202E⟩" in turned.examples[0].text


@pytest.mark.parametrize(
    ("suffix", "begin", "piece", "end", "kept"),
    [
        ("tsv", "eng\tjav\ngood\tapik\n", "x", "\nday\tdina\n", 2),
        ("tsv", "eng\tjav\ngood\tapik\n", "x\t", "\nday\tdina\n", 2),
        ("csv", "eng,jav\ngood,apik\n", '"x, ', "\nday,dina\n", 2),
        ("jsonl", '{"eng": "good", "jav": "apik"}\n', "[", '\n{"eng": "day", "jav": "dina"}\n', 2),
        ("json", '[{"eng": "good", "jav": "apik"},\n{"eng": "', "x", '},\n{"eng": "day", "jav": "dina"}]', 2),
    ],
)
def test_an_endless_line_takes_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, begin: str, piece: str, end: str, kept: int
) -> None:
    """48 MB on one line, with the limit at 1 MB: neither way in holds much more than the limit."""
    for module in ("toolkit.corpus.lines", "toolkit.corpus.json_rows"):
        monkeypatch.setattr(f"{module}.MAX_LINE_CHARACTERS", 2**20)
    path = tmp_path / f"endless.{suffix}"
    block = piece * (2**20 // len(piece))
    with path.open("w", encoding="utf-8") as file:
        file.write(begin)
        for _ in range(48):
            file.write(block)
        file.write(end)
    ways: list[Callable[[], int]] = [
        lambda: len(read(path, on_bad_row="drop").examples),
        lambda: audit(path, ["jav", "eng"], identifier=None).usable,
    ]
    for way in ways:
        tracemalloc.start()
        got = way()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert got == kept
        assert peak < 24 * 2**20
    with pytest.raises(CorpusError, match=rf"endless.{suffix}, (line|row) \d"):
        read(path)


def test_a_line_as_long_as_the_limit_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_LINE_CHARACTERS", 16)
    path = tmp_path / "a.tsv"
    path.write_text("eng\tjav\n" + "a" * 12 + "\tbb\n" + "a" * 13 + "\tbb\n" + "c\td\n", encoding="utf-8", newline="")
    mixture = read(path, on_bad_row="drop")
    assert [example.prompt for example in mixture.examples if "aaa" in example.prompt] == [
        f"English: {'a' * 12}\nJavanese:"
    ]
    assert mixture.sources[0].dropped == {"endless line": 1}


def test_the_card_says_how_many_were_left_out_and_where(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text(tsv("a\tb\tc", "d\te\tf"), encoding="utf-8")
    source = read(path, on_bad_row="drop").sources[0]
    assert (source.dropped, source.first_dropped) == (
        {"more columns than the header": 2},
        {"more columns than the header": "line 5"},
    )


QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PIECES = st.sampled_from(
    [b"eng", b"jav", b"\t", b",", b";", b"\n", b"\r", b"\r\n", b'"', b"\\", b"{", b"}", b"[", b"]", b":", b"\x00",
     b"\xff", b"\xc3", b"\xef\xbb\xbf", b"\xff\xfe", "é".encode(), "\u202e".encode(), b"\\ud800", b"a", b"good day",
     b"<b>", b"&amp;", b" ", b'{"eng": "a", "jav": "b"}', b"eng\tjav\n", b"eng,jav\n", "𞤀".encode(), b"1", b"-"]
)  # fmt: skip


@QUICK
@given(
    content=st.one_of(st.binary(max_size=300), st.lists(PIECES, max_size=60).map(b"".join)),
    suffix=st.sampled_from(["tsv", "csv", "jsonl", "json", "txt"]),
    on_bad_row=st.sampled_from(["stop", "drop"]),
)
@example(content=b"en,jv\nx,y", suffix="csv", on_bad_row="stop")
def test_whatever_the_bytes_there_is_no_traceback(tmp_path: Path, content: bytes, suffix: str, on_bad_row: str) -> None:
    path = tmp_path / f"any.{suffix}"
    path.write_bytes(content)
    kind = "text" if suffix == "txt" else "parallel"
    languages = ["jav"] if kind == "text" else ["jav", "eng"]
    found = audit(path, languages, kind=kind, on_bad_row=on_bad_row)  # type: ignore[arg-type]
    assert found.rows >= found.usable >= 0
    assert Audit.model_validate_json(found.model_dump_json()) == found
    # As the audit tells a person to write the columns that it found by their names.
    rest = {"kind": "text", "directions": []} if kind == "text" else {"columns": found.columns}
    mixture, error = attempt(path, on_bad_row, **rest)
    if mixture is not None:
        assert len(mixture.examples) == found.usable
    else:
        assert path.name in error.message
        assert error.hint
        assert found.stops or found.usable == 0


@QUICK
@given(rows=st.lists(st.tuples(st.text(max_size=20), st.text(max_size=20)), min_size=1, max_size=20))
def test_what_a_spreadsheet_writes_is_read_as_it_was(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    """Whatever text stands in the cells of a csv file, audit and training agree on the usable rows."""
    import csv

    rows = [tuple(cell.encode(errors="ignore").decode().replace("\0", "") for cell in row) for row in rows]  # type: ignore[misc]
    path = tmp_path / "any.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("eng", "jav"), *rows])
    found = audit(path, ["jav", "eng"], identifier=None)
    assert not any(finding.code in ("open-quote", "too-many-columns") for finding in found.findings)
    mixture, error = attempt(path)
    assert found.usable == (0 if mixture is None else len(mixture.examples))
    assert mixture is not None or "nothing left" in error.message
