"""The registry of languages: every file that comes with it, finding them, and what other rooms rely on."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import langcodes
import pytest
from card_records import make_records
from pydantic import ValidationError

from hub_cards import collect, render
from toolkit.errors import LanguageError
from toolkit.hub.searching import hub_code
from toolkit.languages import Language, Names, all_languages, get_language, own_code, own_direction, search_languages
from toolkit.languages.checking import check_language_file
from toolkit.languages.entries import Contributor, DataSet, EvaluationSet
from toolkit.languages.registry import FOLDER
from toolkit.languages.schema import SCHEMA_FILE, schema_text
from toolkit.prompts import LINES
from toolkit.recipe import DataSource
from toolkit.test_sets.kinds import KINDS
from toolkit.test_sets.suites import all_suites, suite

Run = Callable[..., Any]
FILES = sorted(FOLDER.glob("*.yaml"))
WANTED = {
    "jav", "sun", "ban", "mad", "min", "ace", "bjn", "bug", "nij", "bbc", "ceb", "tgl", "swh", "hau", "twi", "ewe",
    "wol", "zul", "tsn", "pcm", "hat", "npi", "sin", "mri", "eng", "ind", "deu", "fra", "rus", "cmn",
}  # fmt: skip
# As the header of NusaX's mt/test.csv spells them, and its folders.
NUSAX_COLUMNS = {
    "ace": "acehnese", "ban": "balinese", "bbc": "toba_batak", "bjn": "banjarese", "bug": "buginese",
    "jav": "javanese", "mad": "madurese", "min": "minangkabau", "nij": "ngaju", "sun": "sundanese",
}  # fmt: skip


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_of_the_registry_passes_the_check_that_contributors_run(path: Path) -> None:
    assert check_language_file(path, all_languages()) == []


def test_the_registry_knows_the_languages_it_promises() -> None:
    assert set(all_languages()) >= WANTED


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_tells_editors_its_schema_and_names_where_a_figure_comes_from(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=schema.json\n")
    language = get_language(path.stem)
    assert language.glottocode
    assert language.spoken_in
    assert language.evaluation, "there is nothing to measure this language with"
    assert all(source.hub or source.url for source in (*language.data, *language.evaluation))


def test_the_schema_that_editors_read_is_that_of_the_model() -> None:
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(), "run `python -m toolkit.languages.schema`"
    assert json.loads(schema_text())["additionalProperties"] is False


def test_every_field_of_a_language_file_is_described() -> None:
    schema = json.loads(schema_text())
    for name, model in {"Language": schema, **schema["$defs"]}.items():
        for field, described in model["properties"].items():
            assert "description" in described or field == "names", f"{name}.{field} says nothing"


@pytest.mark.parametrize("code", sorted(NUSAX_COLUMNS))
def test_nusax_finds_the_columns_of_its_languages_by_their_english_names(code: str) -> None:
    tests = suite("nusax", code, Path("data"))
    columns = [test.columns[code] for test in tests if code in getattr(test, "columns", {})]
    assert columns
    assert set(columns) == {NUSAX_COLUMNS[code]}
    declared = [source for source in get_language(code).evaluation if source.name == "NusaX sentiment"]
    assert declared[0].files == (f"datasets/sentiment/{NUSAX_COLUMNS[code]}/test.csv",)


@pytest.mark.real_data
def test_the_declared_files_and_rows_are_those_of_the_sources(real_data: Path) -> None:
    with (real_data / "nusax/mt/test.csv").open(encoding="utf-8", newline="") as file:
        assert set(next(csv.reader(file))) >= set(NUSAX_COLUMNS.values())
    folders = {"datasets/": real_data / "nusax", "data/nusa_": real_data / "nusa_writes"}
    folders["data/json_files/"] = real_data / "lafand_mt"
    counted = 0
    for language in all_languages().values():
        for source in (*language.data, *language.evaluation):
            for start, folder in folders.items():
                paths = [folder / name.removeprefix(start.removesuffix("nusa_")) for name in source.files]
                if source.rows and all(name.startswith(start) for name in source.files) and paths:
                    counted += 1
                    assert sum(count_rows(path) for path in paths) == source.rows, f"{language.code}: {source.name}"
    assert counted >= 40


def count_rows(path: Path) -> int:
    with path.open(encoding="utf-8", newline="") as file:
        return sum(1 for _ in file) if path.suffix == ".json" else sum(1 for _ in csv.reader(file)) - 1


def test_suites_and_languages_name_each_other() -> None:
    for language in all_languages().values():
        for source in language.evaluation:
            assert source.suite is None or source.suite in all_suites()
            if source.suite in ("flores", "belebele"):
                asked = str(suite(source.suite, language.code)[0])
                assert f"'{source.config}'" in asked, f"{language.code}: the suite {source.suite} asks for another"
    assert {code for code, one in all_languages().items() if any(e.suite == "nusax" for e in one.evaluation)} == set(
        NUSAX_COLUMNS
    )


def test_data_and_test_sets_have_the_kinds_that_recipes_have() -> None:
    def kinds(model: Any) -> set[str]:
        return set(get_args(model.model_fields["kind"].annotation))

    assert kinds(DataSet) == kinds(DataSource)
    assert kinds(EvaluationSet) == set(KINDS)


def test_names_in_prompts_stay_what_published_deltas_were_trained_with() -> None:
    names = {"eng": "English", "ind": "Indonesian", "jav": "Javanese", "sun": "Sundanese", "deu": "German",
             "fra": "French", "rus": "Russian", "cmn": "Chinese"}  # fmt: skip
    assert {code: get_language(code).prompt_name for code in names} == names


def test_a_prompt_can_call_a_language_by_another_name_than_its_tables() -> None:
    cirebon = Language(
        code="qcb",
        script="Latn",
        glottocode="cire1240",
        names=Names(english="Cirebonese", own="Basa Cerbon", in_prompts="Javanese"),
    )
    assert LINES.translate("hello", get_language("eng"), cirebon) == "English: hello\nJavanese:"


@pytest.mark.parametrize(
    ("code", "hub", "tag"),
    [("jav", "jv", "jav_Latn"), ("ban", "ban", "ban_Latn"), ("cmn", "zh", "cmn_Hans"), ("npi", "ne", "npi_Deva")],
)
def test_the_hub_gets_two_letters_where_they_exist(code: str, hub: str, tag: str) -> None:
    assert get_language(code).hub_code == hub
    assert get_language(code).tag == tag
    assert langcodes.tag_is_valid(hub)


def test_a_language_without_an_iso_code_has_none_on_the_hub_and_is_found_there_by_its_tag(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    local = get_language("jav").model_copy(update={"code": "qaa"})
    assert local.hub_code is None
    monkeypatch.setitem(all_languages(), "qaa", local)
    assert hub_code("qaa") == "qaa_Latn"


def test_a_card_thanks_the_people_of_the_language_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    people = (Contributor(name="Ibu Sari", roles=("data",)), Contributor(name="A. Speaker", roles=("review",)))
    thanked = get_language("jav").model_copy(update={"contributors": people})
    monkeypatch.setitem(all_languages(), "jav", thanked)
    card = render(collect(make_records(tmp_path / "run"), "org/name")).readme
    assert "Thanks to Ibu Sari and A. Speaker." in card


def test_languages_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        get_language("jav").code = "sun"  # type: ignore[misc]


def test_reading_the_registry_is_quick_and_loads_no_table_of_codes() -> None:
    # A loose bound on the time of the processor; measured by hand it is under 0.1 s for 30 languages.
    code = (
        "import sys, time; from toolkit.languages import all_languages; start = time.process_time(); all_languages();"
        "assert time.process_time() - start < 1.0; assert 'langcodes' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize(
    ("text", "code", "field"),
    [
        ("jav", "jav", "code"),
        ("jv", "jav", "iso639_1"),
        ("java1254", "jav", "glottocode"),
        ("NPI_DEVA", "npi", "tag"),
        ("swa", "swh", "other_codes"),
        ("fil", "tgl", "other_codes"),
        ("Javanese", "jav", "names.english"),
        ("javaneese", "jav", "names.english"),
        ("kreyol ayisyen", "hat", "names.own"),
        ("te reo maori", "mri", "names.own"),
        ("TE-REO", "mri", "names.aliases"),
        ("bhasa madhura", "mad", "names.own"),
        ("evegbe", "ewe", "names.own"),
        ("isizulu", "zul", "names.own"),
        ("swahilli", "swh", "names.english"),
        ("नेपाली", "npi", "names.own"),
        ("ᨅᨔ ᨕᨘᨁᨗ", "bug", "names.aliases"),
        ("普通话", "cmn", "names.aliases"),
        ("Kahayan", "nij", "spoken_in"),
        ("jw", "jav", "other_codes"),
        ("jf", "jav", "iso639_1"),
    ],
)
def test_search_finds_a_language_by_what_people_type(text: str, code: str, field: str) -> None:
    first = search_languages(text, all_languages().values())[0]
    assert (first.language.code, first.field) == (code, field)


def test_search_by_country_finds_all_its_languages() -> None:
    assert {"twi", "ewe", "hau"} <= {
        match.language.code for match in search_languages("ghana", all_languages().values())
    }


def test_a_whole_name_brings_no_part_of_another() -> None:
    assert [match.language.code for match in search_languages("chinese", all_languages().values())] == ["cmn"]


@pytest.mark.parametrize("text", ["", "   ", "qqqqqq", "?!"])
def test_search_does_not_invent(text: str) -> None:
    assert search_languages(text, all_languages().values()) == []


def test_an_unknown_code_suggests_the_language_that_was_meant() -> None:
    with pytest.raises(LanguageError) as caught:
        get_language("nepali")
    assert "did you mean 'npi'?" in str(caught.value)
    with pytest.raises(LanguageError) as caught:
        get_language("x" * 10_000)
    assert "languages list" in str(caught.value)


def test_codes_that_people_type_are_known_and_others_are_told_by_their_name(cogsym: Run) -> None:
    for code in ("tl", "fil", "tgl"):
        assert own_code(code) == "tgl"
        assert "Wikang Tagalog" in cogsym("languages", "show", code).out
    assert own_direction("en>fil") == "eng>tgl"
    assert (own_code("xx"), own_code("hil")) == ("xx", "hil")
    with pytest.raises(LanguageError) as caught:
        get_language("fil")
    assert "write tgl" in str(caught.value)
    with pytest.raises(LanguageError) as caught:
        get_language("hil")
    assert "hil is Hiligaynon" in str(caught.value)
    assert "`cogsym languages new --code hil`" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "found"),
    [("ilo", "ilo (Iloko)"), ("Ilokano", "ilo (Iloko)"), ("war", "war (Waray (Philippines))"), ("Waray", "war (Waray")],
)
def test_search_knows_the_codes_and_names_of_iso_as_people_write_them(cogsym: Run, text: str, found: str) -> None:
    assert f"ISO 639-3 has {found}" in cogsym("languages", "search", text).err


def test_the_command_lists_finds_and_shows(cogsym: Run) -> None:
    listed = cogsym("languages", "list").out
    for part in ("te reo Māori", "New Zealand", "125 thousand", "1.7 billion"):
        assert part in listed
    assert {row["code"] for row in json.loads(cogsym("languages", "list", "--json").out)} >= WANTED
    assert "names.aliases: Filipino" in cogsym("languages", "search", "filipino").out
    found = json.loads(cogsym("languages", "search", "filipino", "--json").out)
    assert found[0] == {"code": "tgl", "field": "names.aliases", "value": "Filipino", "likeness": 1.0}
    nothing = cogsym("languages", "search", "qqqqqq")
    assert (nothing.code, nothing.out) == (0, "")
    assert "nothing found" in nothing.err
    assert "ISO 639-3 has hin (Hindi); to add" in cogsym("languages", "search", "hindi").err
    page = cogsym("languages", "show", "twi").out
    for part in ("twii1234", "Ashanti", "cc-by-nc-4.0", "twi_Latn_akua1239", "3,355,000 (2004)"):
        assert part in page
    assert Language.model_validate_json(cogsym("languages", "show", "twi", "--json").out) == get_language("twi")
