"""The audit of a corpus: what it makes of columns, languages, lengths and tokens, and how it tells it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Outcome
from fasttext_file import write_classifier
from playwright.sync_api import sync_playwright

from toolkit import pocket
from toolkit.auditing import Audit, audit
from toolkit.auditing.characters import misread, mixed_word, unusual
from toolkit.auditing.columns import columns_by_name
from toolkit.auditing.expectation import expectation
from toolkit.auditing.guessing import guess_kind, guess_others
from toolkit.auditing.markup import address, markup, personal
from toolkit.auditing.report import write_report
from toolkit.corpus.identifier import Identifier
from toolkit.errors import CorpusError, LanguageError
from toolkit.from_corpus.files import look_into
from toolkit.languages import get_language
from toolkit.pocket.phrasebook import sentences

Run = Callable[..., Outcome]
ROWS = sentences("dev")


def write(path: Path, rows: list[tuple[str, ...]], header: tuple[str, ...] = ("eng", "jav")) -> Path:
    path.write_text("".join("\t".join(cells) + "\n" for cells in [header, *rows]), encoding="utf-8")
    return path


def pairs(one: str = "eng", other: str = "jav", count: int = 150) -> list[tuple[str, ...]]:
    return [(row[one], row[other]) for row in ROWS[:count]]


def codes(found: Audit) -> list[str]:
    return [finding.code for finding in found.findings]


def test_a_sound_file_is_praised_by_silence(tmp_path: Path) -> None:
    found = audit(write(tmp_path / "a.tsv", pairs()), ["jav", "eng"])
    assert found.findings == ()
    assert (found.rows, found.usable, found.languages, found.name) == (150, 150, ("jav", "eng"), "a.tsv")
    assert found.columns == {"jav": "jav", "eng": "eng"}
    assert [side.name for side in found.sides] == ["Javanese", "English"]
    assert sum(found.sides[0].lengths.counts) == 150
    assert sum(found.ratios[0].bars.counts) == 150
    assert found.sides[1].identified is not None
    assert (found.sides[1].identified.share or 0) > 0.9


@pytest.mark.parametrize(
    "header",
    [
        ("English", "Javanese"),
        ("english", "Basa Jawa"),
        ("en", "jv"),
        ("text_eng", "text_jav"),
        ("eng_Latn", "jav_Latn"),
        ("English (US)", "Javanese (ngoko)"),
    ],
)
def test_columns_are_found_by_their_names(tmp_path: Path, header: tuple[str, str]) -> None:
    found = audit(write(tmp_path / "a.tsv", pairs(), header), ["jav", "eng"])
    assert found.columns == {"jav": header[1], "eng": header[0]}
    assert codes(found) == ["columns-by-name"]
    assert not found.stops
    assert f"jav={header[1]}" in found.findings[0].fix


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (("eng", "jav", "id"), {"jav": "jav", "eng": "eng"}),
        (("English sentence", "Terjemahan Jawa", "No"), {"jav": "Terjemahan Jawa", "eng": "English sentence"}),
        (("English sentence", "Bahasa Jawa", "No"), {"jav": "Bahasa Jawa", "eng": "English sentence"}),
        (("text_eng", "text_jav", "row_id"), {"jav": "text_jav", "eng": "text_eng"}),
        (("eng_Latn", "jav_Latn", "id"), {"jav": "jav_Latn", "eng": "eng_Latn"}),
        (("English", "English to Javanese", "Javanese"), {"jav": "Javanese", "eng": "English"}),
        (("en", "jv", "id"), {"jav": "jv", "eng": "en"}),
        (("left", "right", "id"), None),
    ],
)
def test_every_command_finds_the_same_columns(
    tmp_path: Path, header: tuple[str, ...], expected: dict[str, str] | None
) -> None:
    numbered = [(a, b, str(index)) for index, (a, b) in enumerate(pairs())]
    path = write(tmp_path / "a.tsv", numbered, header)
    audited = audit(path, ["jav", "eng"], identifier=None)
    if expected is None:
        assert audited.stops
        with pytest.raises(CorpusError, match="column"):
            look_into(path, "jav")
        return
    assert not audited.stops
    assert audited.columns == look_into(path, "jav").columns == expected
    assert guess_others(path, "jav") == ("eng",)


def test_a_word_in_several_names_and_a_column_of_numbers_tell_no_language() -> None:
    rows = [{"Bahasa Inggris": "a house", "id": "1"}]
    assert columns_by_name(["Bahasa Inggris", "id"], rows) == {}
    assert columns_by_name(["Javanese (ngoko)", "Javanese notes"]) == {}
    assert columns_by_name(["id"], [{"id": "sebuah rumah"}]) == {"ind": "id"}


def test_columns_without_names_are_found_by_their_texts(tmp_path: Path) -> None:
    rows = [(str(index), a, b) for index, (a, b) in enumerate(pairs())]
    found = audit(write(tmp_path / "a.tsv", rows, ("id", "A", "B")), ["jav", "eng"])
    (stop,) = found.stops
    assert stop.code == "no-column"
    assert "'A' seems to be eng" in stop.message
    assert '"eng=A,jav=B"' in stop.fix or '"jav=B,eng=A"' in stop.fix
    assert found.usable == 150
    named = audit(tmp_path / "a.tsv", ["jav", "eng"], columns=found.columns)
    assert named.findings == ()


def test_a_column_that_was_named_and_is_not_there_stops(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", pairs(), ("eng", "Javanese"))
    found = audit(path, ["jav", "eng"], columns={"jav": "jawa"})
    (stop,) = found.stops
    assert "There is no column 'jawa'" in stop.message
    assert "'Javanese' for jav" in stop.message


def test_a_file_without_a_header_is_read_with_the_names_that_are_given(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("".join(f"{a}\t{b}\n" for a, b in pairs()), encoding="utf-8")
    found = audit(path, ["jav", "eng"], header=["eng", "jav"])
    assert (found.rows, found.findings) == (150, ())


@pytest.mark.parametrize("known", ["jav", "qaj"])
def test_exchanged_columns_are_told_even_of_a_language_that_nobody_knows(tmp_path: Path, known: str) -> None:
    language = get_language("jav").model_copy(update={"code": known, "related": ()})
    swapped = [(b, a) for a, b in pairs()]
    found = audit(write(tmp_path / "a.tsv", swapped, ("eng", known)), [language, "eng"])
    assert [finding.code for finding in found.stops] == ["swapped-columns"]
    right = audit(write(tmp_path / "b.tsv", pairs(), ("eng", known)), [language, "eng"])
    assert right.findings == ()


def test_exchanged_columns_of_two_scripts_need_no_identification(tmp_path: Path) -> None:
    nepali = [(row["eng"], "यो राम्रो वाक्य हो " + "क" * (1 + index)) for index, row in enumerate(ROWS[:40])]
    right = write(tmp_path / "a.tsv", nepali, ("eng", "npi"))
    assert audit(right, ["npi", "eng"], identifier=None).findings == ()
    wrong = write(tmp_path / "b.tsv", nepali, ("npi", "eng"))
    assert codes(audit(wrong, ["npi", "eng"], identifier=None)) == ["swapped-columns"]


def test_a_column_in_a_close_relative_is_something_to_look_at(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", pairs("eng", "ind"), ("eng", "jav"))
    told = audit(path, ["jav", "eng"]).find("wrong-language")
    assert told is not None
    assert told.severity == "look"
    assert re.match(r"8\d% of the Javanese column looks like Indonesian, a close relative of Javanese", told.message)
    right = audit(write(tmp_path / "b.tsv", pairs()), ["jav", "eng"])
    assert right.sides[0].identified is not None
    assert (right.sides[0].identified.share or 0) < 0.5  # hardly known, and not taken for the relative either
    assert right.findings == ()


def test_the_last_column_is_taken_only_where_nothing_speaks_against_it(tmp_path: Path) -> None:
    balinese = write(tmp_path / "a.tsv", pairs("eng", "jav"), ("eng", "B"))
    (stop,) = audit(balinese, ["ban", "eng"]).stops
    assert "The only column left for ban is 'B'." in stop.message
    assert "By its texts" not in stop.message
    chinese = [(row["eng"], f"我们的房子很漂亮，有{index}扇窗户。") for index, row in enumerate(ROWS[:60])]
    for identifier in ("auto", None):
        found = audit(write(tmp_path / "b.tsv", chinese, ("eng", "B")), ["ceb", "eng"], identifier=identifier)
        assert "seems to be" not in found.stops[0].message + found.stops[0].fix
        assert "left" not in found.stops[0].message
        assert found.columns == {"eng": "eng"}
    english = [(row["eng"], f"{row['eng']} and that is all that we know of it") for row in ROWS[:60]]
    assert "ban" not in audit(write(tmp_path / "c.tsv", english, ("eng", "B")), ["ban", "eng"]).columns
    named = write(tmp_path / "d.tsv", pairs("eng", "jav"), ("eng", "Tagalog"))
    assert "ceb" not in audit(named, ["ceb", "eng"], identifier=None).columns


def test_relatives_are_not_held_against_a_language_that_nobody_can_tell(tmp_path: Path) -> None:
    """Indonesian in the column of a language that identification does not know: it says `id`, and we say nothing."""
    found = audit(write(tmp_path / "a.tsv", pairs("eng", "ind"), ("eng", "ban")), ["ban", "eng"])
    assert found.findings == ()
    assert found.sides[0].identified is not None
    assert found.sides[0].identified.share is None


def test_rows_on_the_wrong_side_are_found_by_the_words_of_the_file(tmp_path: Path) -> None:
    rows = pairs()
    rows[20] = (rows[20][0], f"{rows[21][0]} and {rows[22][0].lower()}")
    rows[30] = (rows[30][1], rows[30][0])
    found = audit(write(tmp_path / "a.tsv", rows), ["jav", "eng"], identifier=None)
    other, exchanged = found.find("other-column"), found.find("swapped-rows")
    assert other is not None
    assert exchanged is not None
    assert [place for place, _ in other.examples] == ["line 22"]
    assert [place for place, _ in exchanged.examples] == ["line 32"]


def test_the_rule_for_lengths_is_the_median_of_the_file(tmp_path: Path) -> None:
    rows = [("word " * (5 + index % 7), "panjang " * 4 * (5 + index % 7) + str(index)) for index in range(60)]
    rows[10] = ("word " * 30, "cekak")
    found = audit(write(tmp_path / "a.tsv", rows), ["jav", "eng"], identifier=None)
    far = found.find("length-ratio")
    assert far is not None
    assert (far.count, far.examples[0].place) == (1, "line 12")
    assert found.ratios[0].median == pytest.approx(8 * 4 / 5, rel=0.05)
    assert "3.0 times off" in far.message


def test_tokens_say_what_a_language_costs(tmp_path: Path) -> None:
    found = audit(write(tmp_path / "a.tsv", pairs()), ["jav", "eng"], base=pocket.folder())
    assert codes(found) == ["tokens"]
    javanese, english = found.sides
    assert javanese.tokens is not None
    assert english.tokens is not None
    assert javanese.tokens.per_word > english.tokens.per_word  # type: ignore[operator]
    times = javanese.tokens.per_row / english.tokens.per_row
    assert times > 1.5
    said = r"Javanese takes about \d\.\d tokens per word, English \d\.\d: sentences .* as long"
    assert re.search(said, found.findings[0].message)


def test_letters_that_the_tokenizer_lacks_are_told_as_bytes(tmp_path: Path) -> None:
    rows = [(row["eng"], "यो राम्रो वाक्य हो " + "क" * (index % 9)) for index, row in enumerate(ROWS[:40])]
    found = audit(write(tmp_path / "a.tsv", rows, ("eng", "npi")), ["npi", "eng"], base=pocket.folder())
    tokens = found.find("tokens")
    assert tokens is not None
    assert re.search(r"\d+% of its tokens are single bytes or unknown", tokens.message)
    assert found.sides[0].tokens is not None
    assert found.sides[0].tokens.pieces > 0.8


def test_rows_of_too_many_tokens_are_left_out(tmp_path: Path) -> None:
    rows = [*pairs(count=30), ("good day " * 90, "zqx " * 240)]
    found = audit(write(tmp_path / "a.tsv", rows), ["jav", "eng"], base=pocket.folder(), identifier=None)
    long = found.find("too-many-tokens")
    assert long is not None
    assert (long.severity, long.examples[0].place) == ("drop", "line 32")


def test_a_folder_without_a_tokenizer_is_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    found = audit(write(tmp_path / "a.tsv", pairs()), ["jav", "eng"], base=tmp_path)
    assert codes(found) == ["no-tokenizer"]
    assert found.usable == 150


def test_identification_that_is_not_there_is_no_fault_of_the_file(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("toolkit.auditing.file_audit.can_identify", lambda: False)
    found = audit(write(tmp_path / "a.tsv", pairs()), ["jav", "eng"])
    assert (found.findings, found.identifier) == ((), None)
    assert found.sides[0].identified is None


def test_another_model_may_be_given(tmp_path: Path) -> None:
    words = {
        "jav_Latn": [word for row in ROWS for word in row["jav"].lower().split()],
        "eng_Latn": [word for row in ROWS for word in row["eng"].lower().split()],
    }
    model = write_classifier(tmp_path / "own.bin", {label: sorted(set(known)) for label, known in words.items()})
    found = audit(write(tmp_path / "a.tsv", pairs()), ["jav", "eng"], identifier=Identifier(model, "own.bin"))
    assert found.identifier == "own.bin"
    assert found.sides[0].identified is not None
    assert found.sides[0].identified.identifier == "own.bin"


def test_a_language_that_is_not_in_the_registry_yet_may_be_audited(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", pairs(), ("eng", "Iloko"))
    found = audit(path, ["ilo", "eng"])
    assert found.columns == {"ilo": "Iloko", "eng": "eng"}
    assert found.sides[0].name.startswith("Ilo")
    with pytest.raises(LanguageError):
        audit(path, ["xx", "eng"])


def test_instructions_and_plain_text(tmp_path: Path) -> None:
    rows = [{"instruction": row["ind"], "input": "", "output": row["jav"]} for row in ROWS[:30]]
    rows += [{"instruction": "Apa?", "input": "", "output": ""}]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    found = audit(path, ["jav"], kind="instructions")
    assert (found.rows, found.usable, codes(found)) == (31, 30, ["empty-side"])
    assert found.findings[0].examples[0].place == "row 31"
    text = tmp_path / "a.txt"
    text.write_text("\n\n".join(row["jav"] for row in ROWS[:30]) + "\n\nora <b>apik</b>\n", encoding="utf-8")
    found = audit(text, ["jav"], kind="text", tests=[write(tmp_path / "t.tsv", pairs(count=3))])
    assert sorted(codes(found)) == ["leaked", "markup"]
    assert (found.rows, found.usable) == (31, 28)


def test_apostrophes_of_several_kinds_are_told_of_the_language_to_learn(tmp_path: Path) -> None:
    rows = [(f"it's the house number {index}", f"ka{'’' if index % 3 else chr(39)}ba {index}") for index in range(60)]
    found = audit(write(tmp_path / "a.tsv", rows), ["jav", "eng"], identifier=None)
    told = found.find("apostrophes")
    assert told is not None
    assert "U+2019" in told.message
    assert "U+0027" in told.message


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("plain, with émigré and ɛ", []),
        ("क्‍ष and می‌خواهم", []),  # joiner and non-joiner, which spelling needs
        ("a\u200bb", ["invisible"]),
        ("a\u00adb", ["invisible"]),
        ("a\ufeffb", ["invisible"]),
        ("a\x07b\x1b[0m", ["control"]),
        ("a\u2028b", ["control"]),
        ("a\ue123b", ["private-use"]),
        ("a\U000e0fffb", ["unassigned"]),
        ("a\u202eb", ["direction"]),
        ("a\u200fb", ["direction"]),
        ("a\ufffdb", ["damaged"]),
        ("\tcell\n", []),
    ],
)
def test_unusual_characters(text: str, kinds: list[str]) -> None:
    assert [kind for _, kind, _ in unusual(text, rtl=False)] == kinds


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("cafÃ©", "é"), ("itâ€™s", "’"), ("Â°", "°"), ("É›wÉ”", "ɛ"), ("à¤•", "क"), ("Ð¿Ñ€", "п"),
        ("l'été », dit-il", None), ("« essoufflé\u00a0», a-t-il", None), ("O CAFÉ” disse", None), ("São João", None),
        ("Ãngelo Åsa", None), ("Ɛyɛ", None), ("plain", None), ("à» demain", None), ("NÃO…", None), ("voilà…", None),
    ],
)  # fmt: skip
def test_letters_read_in_the_wrong_encoding(text: str, meant: str | None) -> None:
    found = misread(text)
    assert (found[2] if found else None) == meant


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("kε mεni", "mεni"),
        ("kε ne", None),
        ("amεni", "amεni"),
        ("Мoscow", "Мoscow"),
        ("ɛyɛ", None),
        ("πr² μm", None),
        ("Москва town", None),
    ],
)
def test_words_of_two_scripts(text: str, word: str | None) -> None:
    found = mixed_word(text)
    assert (found[1] if found else None) == word


def test_what_is_markup_and_what_is_not() -> None:
    assert markup("a <b>bold</b>") == 2
    assert markup("fish &amp; rice") == 5
    assert markup("I <3 you, 4 < 5 > 2, R&B, it''s ''''' ok") is None
    assert address("see https://x.org") == 4
    assert address("wwww.") is None
    assert personal("ana@somewhere.id") == 0
    assert personal("@ana +62 812 3456 7890") == 5
    assert personal("1 + 1, @home, john@example.com") is None


@pytest.mark.parametrize(
    ("usable", "said"),
    [(0, "Too few"), (500, "A beginning"), (5_000, "first model"), (50_000, "good corpus"), (60_000, "or more")],
)
def test_expectations_grow_with_the_data_and_say_what_they_rest_on(usable: int, said: str) -> None:
    words = expectation("parallel", usable)
    assert said in words
    assert f"{usable:,} usable" in words
    assert "our judgement, not a measurement" in words
    assert "arXiv 2604.00923" in words


def test_what_a_bare_file_holds_is_guessed(tmp_path: Path) -> None:
    table = write(tmp_path / "a.tsv", pairs(), ("english", "jav"))
    assert (guess_kind(table), guess_others(table, "jav")) == ("parallel", ("eng",))
    (tmp_path / "a.txt").write_text("siji\n", encoding="utf-8")
    (tmp_path / "a.jsonl").write_text('{"instruction": "a", "output": "b"}\n', encoding="utf-8")
    (tmp_path / "b.jsonl").write_text('{"text": "a"}\n', encoding="utf-8")
    assert [guess_kind(tmp_path / name) for name in ("a.txt", "a.jsonl", "b.jsonl")] == [
        "text", "instructions", "text",
    ]  # fmt: skip


def test_the_command_prints_lines_and_fails_where_something_stops(tmp_path: Path, cogsym: Run) -> None:
    rows = pairs(count=30)
    good = write(tmp_path / "good.tsv", rows)
    ran = cogsym("data", "audit", good, "--language", "jav")
    assert (ran.code, "30 rows, 30 of them usable" in ran.out, "nothing wrong was found" in ran.out) == (0, True, True)
    bad = write(tmp_path / "bad.tsv", [*rows[:3], ("a", "b", "c"), *rows[3:]])
    ran = cogsym("data", "audit", bad, "--language", "jav", "--with", "eng")
    assert ran.code == 1
    assert "line 5" in ran.out
    assert "mend" in ran.out
    assert cogsym("data", "audit", bad, "--language", "jav", "--bad-rows", "drop").code == 0
    ran = cogsym("data", "audit", bad, "--language", "jav", "--json")
    assert ran.code == 1
    assert Audit.model_validate_json(ran.out).stops[0].code == "too-many-columns"


def test_the_command_names_the_pair_and_audits_against_english_or_the_only_other_one(
    tmp_path: Path, cogsym: Run
) -> None:
    rows = [(row["ind"], row["jav"], row["sun"]) for row in ROWS[:30]]
    several = write(tmp_path / "a.tsv", rows, ("ind", "jav", "sun"))
    refused = cogsym("data", "audit", several, "--language", "jv")
    assert refused.code == 1
    assert "which language is on the other side? It has ind, sun" in refused.err
    assert "--with ind" in refused.err
    assert "a.tsv, jav beside sun:" in cogsym("data", "audit", several, "--language", "jv", "--with", "su").out
    english = write(tmp_path / "b.tsv", rows, ("ind", "jav", "English"))
    assert "b.tsv, jav beside eng:" in cogsym("data", "audit", english, "--language", "jav").out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--language", "xx"], "unknown language 'xx'"),
        (["--language", "jav", "--columns", "jav"], "--columns: 'jav' names no column"),
        (["--language", "jav", "--kind", "poems"], "--kind poems is no kind of data"),
        (["--language", "jav", "--bad-rows", "keep"], "--bad-rows keep is neither stop nor drop"),
        (["--language", "jav", "--report", "a.pdf"], "a report cannot be written as '.pdf'"),
        (["--language", "jav", "--base", "no/such/folder"], "no base model at"),
        (["--language", "jav", "--test", "nowhere.tsv"], "no file at"),
    ],
)
def test_what_cannot_be_asked_is_told(tmp_path: Path, cogsym: Run, options: list[str], message: str) -> None:
    path = write(tmp_path / "a.tsv", pairs(count=30))
    ran = cogsym("data", "audit", path, *options)
    assert ran.code == 1
    assert message in ran.err
    assert "hint:" in ran.err


def test_a_file_that_is_not_there_or_no_table_is_told(tmp_path: Path, cogsym: Run) -> None:
    assert "no file at" in cogsym("data", "audit", tmp_path / "no.tsv", "--language", "jav").err
    (tmp_path / "a.xlsx").write_bytes(b"PK\x03\x04")
    ran = cogsym("data", "audit", tmp_path / "a.xlsx", "--language", "jav")
    assert (ran.code, "save the sheet as 'CSV UTF-8'" in ran.err) == (1, True)
    with pytest.raises(CorpusError):
        audit(tmp_path, ["jav", "eng"])


HOSTILE = [
    '<script>document.title = "taken"</script>', "<img src=x onerror=\"document.title='taken'\">", "[a](javascript:x)",
    "</td></table><h1>big", "`code` | pipe | ![x](http://x.org/x.png)", "{{ 7 * 7 }} {% raw %}", "\x1b[31mred",
    "$\\frac{1}$", "\u202egnorw\u202c", "&lt;b&gt;", "]]><svg onload=alert(1)>",
]  # fmt: skip


def hostile_audit(folder: Path) -> Audit:
    rows = [*pairs(count=60), *((text, f"{text} maneh {index}") for index, text in enumerate(HOSTILE))]
    path = folder / "<b>$x$ & 'y'.tsv"
    write(path, [(a, b, "x") for a, b in rows], ("<i>eng</i>", "jav", "x"))
    return audit(path, ["jav", "eng"], columns={"eng": "<i>eng</i>"}, base=pocket.folder())


def test_hostile_cells_do_nothing_in_markdown(tmp_path: Path) -> None:
    written = write_report(hostile_audit(tmp_path), tmp_path / "out" / "report.md")
    assert {path.suffix for path in written} == {".md", ".png", ".svg"}
    text = written[0].read_text(encoding="utf-8")
    html = markdown_html(text)
    for harm in ("<script", "<img src=x", "<svg", "<h1>big", "javascript:", "<i>", 'http://x.org/x.png"'):
        assert harm not in html
    for image in re.findall(r'<img src="([^"]+)"', html):
        assert (written[0].parent / image).is_file()


def markdown_html(text: str) -> str:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": True}).enable("table").render(text)


@pytest.mark.browser
def test_the_page_stands_alone_and_hostile_cells_do_nothing(tmp_path: Path) -> None:
    browser_path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser_path is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    (page_file,) = write_report(hostile_audit(tmp_path), tmp_path / "report.html")
    assert str(tmp_path) not in page_file.read_text(encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"])
        for width in (360, 1200):
            page = browser.new_page(viewport={"width": width, "height": 800})
            asked: list[str] = []
            faults: list[str] = []
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            page.on("console", lambda message, faults=faults: faults.append(message.text))
            page.goto(page_file.as_uri())
            assert "taken" not in page.title()
            assert asked == [page_file.as_uri()]
            assert faults == []
            assert page.evaluate("document.querySelectorAll('script, img, iframe, h1 b, h1 i').length") == 0
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.locator("figure svg").count() >= 4
            assert page.locator("text=document.title").count() > 0  # shown as text
            ids = page.evaluate("[...document.querySelectorAll('[id]')].map(each => each.id)")
            assert len(ids) == len(set(ids))
        browser.close()


@pytest.mark.real_data
def test_known_problems_of_real_data_are_found(real_data: Path) -> None:
    """What the people who collected these files wrote about them."""
    train = real_data / "nusa_writes/nusa_kalimat-mt-jav-train.csv"
    names = {"jav": "tgt_text", "ind": "ind_text"}
    found = audit(train, ["jav", "ind"], columns=names, tests=[train.with_name("nusa_kalimat-mt-jav-test.csv")])
    assert [finding.code for finding in found.stops] == ["leaked"]
    damaged = audit(real_data / "lafand_mt/en-zul/dev.json", ["zul", "eng"]).find("damaged")
    assert damaged is not None
    test = real_data / "nusax/mt/test.csv"
    same = audit(test, ["jav", "eng"], tests=[real_data / "nusax/sentiment/javanese/test.csv"])
    assert same.usable == 0
    bible = audit(real_data / "bible/verses_nt.tsv", ["ewe", "eng"], columns={"eng": "eng_bsb"})
    empty = bible.find("empty-side")
    assert empty is not None
    assert not bible.stops


@pytest.mark.real_data
def test_good_real_data_is_not_stopped(real_data: Path) -> None:
    nusax = real_data / "nusax/mt/train.csv"
    for code in ("ban", "bug", "ace", "mad", "min", "jav", "sun", "bjn", "bbc", "nij"):
        found = audit(nusax, [code, "eng"])
        assert not found.stops, code
        assert found.find("wrong-language") is None, code
        assert not audit(nusax, [code, "ind"]).stops, code
    for pair in ("en-hau", "en-pcm", "en-tsn", "en-twi", "en-zul"):
        target = pair.removeprefix("en-")
        assert not audit(real_data / f"lafand_mt/{pair}/dev.json", [target, "eng"]).stops, pair
    for code in ("deu", "fra", "tgl", "ceb", "hat"):
        assert not audit(real_data / "bible/verses_short.tsv", [code, "eng"], columns={"eng": "eng_bbe"}).stops, code


@pytest.mark.real_data
def test_tagalog_in_the_column_of_cebuano_is_told(real_data: Path) -> None:
    bible = real_data / "bible/verses_short.tsv"
    told = audit(bible, ["ceb", "eng"], columns={"ceb": "tgl", "eng": "eng_bbe"}).find("wrong-language")
    assert told is not None
    assert "looks like Tagalog, a close relative of Cebuano" in told.message
    assert audit(bible, ["ceb", "eng"], columns={"eng": "eng_bbe"}).find("wrong-language") is None
