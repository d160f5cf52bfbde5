"""`cogsym languages new`: with questions or with flags, a language file and a recipe to begin with."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from toolkit.contributions.language_file import language_text
from toolkit.languages import all_languages, get_language
from toolkit.languages.checking import check_language_file
from toolkit.languages.codes import find_codes, likely_script
from toolkit.languages.licences import nearest_licence
from toolkit.languages.registry import FOLDER
from toolkit.languages.strict_yaml import read_plain_yaml
from toolkit.recipe import read_recipe

Run = Callable[..., Any]
SMOKE = "This house is good. = Nasayaat daytoy a balay."


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder to work in."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Somebody at a terminal who gives these answers; Ctrl-C where one is an exception. Returns the questions."""

    def answer(*said: str | type[BaseException]) -> list[str]:
        answers, questions = iter(said), list[str]()

        def ask(prompt: str = "") -> str:
            questions.append(prompt)
            one = next(answers)
            if isinstance(one, str):
                return one
            raise one

        monkeypatch.setattr(builtins, "input", ask)
        monkeypatch.setattr(sys, "stdin", type("Terminal", (), {"isatty": lambda self: True})())
        return questions

    return answer


def write_pairs(path: Path, rows: int = 300, header: str = "English\tIlocano") -> Path:
    lines = [f"the house {number}\tti balay {number}" for number in range(rows)]
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


FLAGS = ("languages", "new", "--code", "ilo", "--own-name", "Ilokano", "--alias", "Ilocano", "--yes")


def test_flags_alone_make_language_recipe_and_split(cogsym: Run, here: Path) -> None:
    write_pairs(here / "my.tsv")
    outcome = cogsym(*FLAGS, "--smoke", SMOKE, "--contributor", "A. Speaker", "--data", "my.tsv", "--licence", "mit")
    assert outcome.code == 0, outcome.err
    assert files(here) == ["data/test.tsv", "data/train.tsv", "ilo-recipe.yaml", "ilo.yaml", "my.tsv"]
    assert outcome.out == (here / "ilo.yaml").read_text()
    assert outcome.out.startswith("# yaml-language-server: $schema=schema.json\ncode: ilo\nscript: Latn\nnames:\n")
    assert check_language_file(here / "ilo.yaml", all_languages()) == []
    assert "data/train.tsv (240 rows)" in outcome.err
    assert get_language("ilo").smoke[0].expected == "Nasayaat daytoy a balay."
    recipe = read_recipe(here / "ilo-recipe.yaml")
    assert (recipe.language, recipe.data[0].licence, recipe.evaluation[0].shots) == ("ilo", "mit", 2)
    assert recipe.base_revision
    assert recipe.epochs == 3
    assert cogsym("train", "--recipe", "ilo-recipe.yaml", "--base", "pocket", "--dry-run").code == 0


def test_a_small_base_gets_small_numbers(cogsym: Run, here: Path) -> None:
    write_pairs(here / "my.tsv")
    assert cogsym(*FLAGS, "--data", "my.tsv", "--base", "pocket", "--test-rows", "7").code == 0
    recipe = read_recipe(here / "ilo-recipe.yaml")
    assert (recipe.base, recipe.prompt, recipe.base_revision, recipe.evaluation[0].shots) == (
        "pocket",
        "lines",
        None,
        0,
    )
    assert len((here / "data/test.tsv").read_text().splitlines()) == 8


def test_what_is_there_is_never_overwritten(cogsym: Run, here: Path) -> None:
    write_pairs(here / "my.tsv")
    assert cogsym(*FLAGS, "--data", "my.tsv").code == 0
    before = {name: (here / name).read_bytes() for name in files(here)}
    again = cogsym(*FLAGS, "--own-name", "Iluko")
    assert again.code == 1
    assert "ilo is known already: in ilo.yaml" in again.err
    other = cogsym(*FLAGS, "--data", "my.tsv", "--test-rows", "3")
    assert "is there already and holds something else" in other.err
    assert {name: (here / name).read_bytes() for name in files(here)} == before
    assert cogsym(*FLAGS, "--data", "my.tsv").code == 0  # the same once more is no change
    (here / "kab.yaml").write_text("not: a language\n")
    refused = cogsym("languages", "new", "--code", "kab", "--own-name", "Taqbaylit", "--yes")
    assert "kab.yaml is there already" in refused.err


def test_a_language_of_the_toolkit_gets_a_recipe_only(cogsym: Run, here: Path) -> None:
    nothing = cogsym("languages", "new", "--code", "ban", "--yes")
    assert nothing.code == 1
    assert "ban is known already: toolkit/languages/ban.yaml" in nothing.err
    assert "for a recipe, add --data FILE" in nothing.err
    write_pairs(here / "my.tsv", header="eng\tBasa Bali")
    assert cogsym("languages", "new", "--code", "ban", "--data", "my.tsv", "--yes").code == 0
    assert files(here) == ["ban-recipe.yaml", "data/test.tsv", "data/train.tsv", "my.tsv"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--yes",), "which language is it?\nhint: add --code"),
        (("--code", "jw"), "'jw' is deprecated\nhint: use jv / jav"),
        (("--code", "swa"), "'swa' is a macrolanguage"),
        (("--code", "ilo"), "names.own is missing: what its speakers call it, in that script\nhint: add --own-name"),
        (("--code", "quy", "--own-name", "x"), "script is missing"),
        (("--code", "ilo", "--own-name", "x", "--script", "Lant"), "did you mean Latn (Latin)?"),
        (("--code", "ilo", "--own-name", "Filipino"), "'filipino' is a name of tgl (Tagalog) too"),
        (("--code", "ilo", "--own-name", "x", "--smoke", "one"), "'one' is not a pair"),
        (("--code", "ilo", "--own-name", "x", "--speakers", "5"), "speakers.source is missing"),
        (("--code", "ilo", "--own-name", "x", "--related", "swa"), "'swa' is a macrolanguage"),
        (("--code", "qaa", "--name", "Mine", "--script", "Latn", "--own-name", "x"), "glottocode is missing"),
        (("--code", "urd", "--own-name", "Urdu"), "'Urdu' is in Latin letters, and `script` says Arab (Arabic)"),
    ],
)
def test_without_a_terminal_what_is_missing_or_wrong_is_said(
    cogsym: Run, here: Path, flags: tuple[str, ...], message: str
) -> None:
    outcome = cogsym("languages", "new", *flags)
    assert outcome.code == 1
    assert message in outcome.err
    assert files(here) == []


def test_data_that_cannot_be_used_leaves_the_language_and_says_how_to_go_on(cogsym: Run, here: Path) -> None:
    write_pairs(here / "my.tsv", header="left\tright")
    outcome = cogsym(*FLAGS, "--data", "my.tsv")
    assert outcome.code == 1
    assert "then `cogsym languages new --code ilo --data my.tsv` goes on from here" in outcome.err
    assert files(here) == ["ilo.yaml", "my.tsv"]
    assert cogsym("languages", "new", "--code", "ilo", "--data", "my.tsv", "--columns", "ilo=right,eng=left").code == 0


def test_a_right_to_left_script_says_so_itself(cogsym: Run, here: Path) -> None:
    assert cogsym("languages", "new", "--code", "ckb", "--own-name", "کوردیی ناوەندی", "--yes").code == 0
    assert yaml.safe_load((here / "ckb.yaml").read_text())["direction"] == "rtl"


def test_a_language_without_a_code_takes_a_local_one(cogsym: Run, here: Path) -> None:
    flags = ("--code", "qaa", "--name", "Mine", "--own-name", "Mine", "--script", "Latn", "--glottocode", "test1234")
    assert cogsym("languages", "new", *flags, "--yes").code == 0
    assert get_language("qaa").is_local


def test_questions_lead_from_a_name_to_the_files(cogsym: Run, here: Path, person: Callable[..., list[str]]) -> None:
    write_pairs(here / "my.tsv")
    questions = person(
        "iloko", "1", "", "Lant", "", "Ilokano", "Ilocano, Iluko", "", "", "Philippines", "9,000,000", "", "a census",
        "2020", "tgl", SMOKE, "A. Speaker", "nothere.tsv", "my.tsv", "y", "CC BY 4.0", "cc-by-4.0",
    )  # fmt: skip
    outcome = cogsym("languages", "new")
    assert outcome.code == 0, outcome.err
    assert "did you mean Latn (Latin)?" in outcome.err  # of a script that was wrong, asked again at once
    assert "no file at nothere.tsv" in outcome.err
    assert "did you mean cc-by-4.0?" in outcome.err
    assert read_recipe(here / "ilo-recipe.yaml").data[0].licence == "cc-by-4.0"
    language = get_language("ilo")
    assert (language.names.english, language.names.aliases) == ("Iloko", ("Ilocano", "Iluko"))
    assert language.speakers is not None
    assert (language.speakers.count, language.speakers.year, language.related) == (9_000_000, 2020, ("tgl",))
    assert files(here) == ["data/test.tsv", "data/train.tsv", "ilo-recipe.yaml", "ilo.yaml", "my.tsv"]
    assert len(questions) == 22


def test_nothing_a_wrong_number_and_an_unknown_name_are_told_and_asked_again(
    cogsym: Run, here: Path, person: Callable[..., list[str]]
) -> None:
    person("", "qqqqqq", "iloko", "9", "1", "", "", "Ilokano", "", "", "", "", "two million", "2,000,000", "a census",
           "", "tagalog", "", "", "", "", "y")  # fmt: skip
    outcome = cogsym("languages", "new")
    assert outcome.code == 0, outcome.err
    assert "nothing found for qqqqqq" in outcome.err
    assert "there is no number 9" in outcome.err
    assert "write it in digits, e.g. 2100000" in outcome.err
    assert "three small letters of ISO 639-3 for each" in outcome.err


@pytest.mark.parametrize(("said", "meant"), [("CC-BY", "cc-by-4.0"), ("cc by sa", "cc-by-sa-4.0"), ("MIT", "mit")])
def test_the_licence_that_was_meant_is_named(said: str, meant: str) -> None:
    assert nearest_licence(said) == meant


def test_another_name_and_the_columns_are_asked_for_again(
    cogsym: Run, here: Path, person: Callable[..., list[str]]
) -> None:
    write_pairs(here / "my.tsv", header="left\tright")
    person("qqqqqq", "iloko", "1", "", "", "Ilokano", *[""] * 8, "my.tsv", "y", "", "ilo=right", "ilo=right,eng=left")
    outcome = cogsym("languages", "new")
    assert outcome.code == 0, outcome.err
    assert "no column is called ilo or Iloko; its columns are 'left', 'right'" in outcome.err
    assert "ilo-recipe.yaml" in files(here)


def test_ctrl_c_after_the_language_file_says_how_to_go_on(
    cogsym: Run, here: Path, person: Callable[..., list[str]]
) -> None:
    write_pairs(here / "my.tsv", header="left\tright")
    person("ilo", "1", "", "", "Ilokano", *[""] * 8, "my.tsv", "y", "", KeyboardInterrupt)
    outcome = cogsym("languages", "new")
    assert outcome.code == 130
    assert "to go on: cogsym languages new --code ilo --data my.tsv" in outcome.err
    assert files(here) == ["ilo.yaml", "my.tsv"]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, EOFError])
def test_ctrl_c_keeps_what_was_said(
    cogsym: Run, here: Path, person: Callable[..., list[str]], stop: type[BaseException]
) -> None:
    person("iloko", "1", "Ilocano", "", "Ilokano", stop)
    outcome = cogsym("languages", "new")
    assert outcome.code == 130
    assert "nothing was written" in outcome.err
    assert "cogsym languages new --code ilo --name Ilocano --own-name Ilokano --script Latn" in outcome.err
    assert files(here) == []


def test_no_at_the_end_writes_nothing(cogsym: Run, here: Path, person: Callable[..., list[str]]) -> None:
    person("ilo", "1", "", "", "Ilokano", *[""] * 9, "n")
    assert cogsym("languages", "new").code == 130
    assert files(here) == []


@pytest.mark.parametrize(
    ("said", "code"),
    [("Iloko", "ilo"), ("ilo", "ilo"), ("kabyle", "kab"), ("crimean  tatar", "crh"), ("hawaian", "haw"), ("jv", "jav")],
)
def test_codes_are_found_by_name(said: str, code: str) -> None:
    assert find_codes(said)[0][0] == code


def test_nothing_is_found_for_nothing() -> None:
    assert find_codes("  ") == []
    assert find_codes("qqqqqqqqq") == []


@pytest.mark.parametrize(("code", "script"), [("ilo", "Latn"), ("urd", "Arab"), ("jav", "Latn"), ("quy", None)])
def test_the_usual_script_is_known_where_cldr_knows_it(code: str, script: str | None) -> None:
    assert likely_script(code) == script


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_form_holds_every_language_of_the_toolkit(path: Path, here: Path) -> None:
    fields = read_plain_yaml(path)
    text = language_text(fields)
    (here / path.name).write_text(text, encoding="utf-8")
    assert read_plain_yaml(here / path.name) == fields
    assert text.splitlines()[0] == path.read_text(encoding="utf-8").splitlines()[0]
