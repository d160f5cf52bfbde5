"""A language that is not in the toolkit yet is one file, which is found where one works and travels with a delta."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import WORDS, teach_tiny_delta
from published_run import make_run

from toolkit.adaptation import prepare, train_delta
from toolkit.errors import LanguageError
from toolkit.hub.checks import check_run
from toolkit.hub.contents import DELTA, list_contents
from toolkit.hub.local import publish_locally
from toolkit.languages import all_languages, get_language, look_in
from toolkit.recipe import local_files, read_recipe
from toolkit.routing import read_adaptation
from toolkit.run_folder import RunFolder

Run = Callable[..., Any]
FIELDS: dict[str, Any] = {
    "code": "qaa",
    "script": "Latn",
    "glottocode": "test1234",
    "names": {"english": "Test Speech", "own": "Basa Uji"},
}


@pytest.fixture(autouse=True)
def empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing lies in the folder that the test is in."""
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")


def write(folder: Path, **changes: Any) -> Path:
    fields = FIELDS | changes
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{fields['code']}.yaml"
    path.write_text(yaml.safe_dump(fields, allow_unicode=True), encoding="utf-8")
    return path


def write_recipe(folder: Path, base: Path) -> Path:
    rows = "".join(f"the {word} is near\tuji {word} cedek\n" for word in WORDS)
    (folder / "train.tsv").write_text(f"eng\tqaa\n{rows}", encoding="utf-8")
    source = {"path": "train.tsv", "columns": {"eng": "eng", "qaa": "qaa"}}
    recipe = {"language": "qaa", "base": str(base), "select": "cogsym:2", "data": [source], "max_steps": 1}
    path = folder / "qaa-recipe.yaml"
    path.write_text(yaml.safe_dump(recipe | {"prompt": "lines", "batch_size": 2, "max_tokens": 64}), encoding="utf-8")
    return path


def test_a_file_in_the_folder_that_one_is_in_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LanguageError, match="unknown language 'qaa'") as unknown:
        get_language("qaa")
    assert "`cogsym languages new` adds yours" in str(unknown.value.hint)
    write(tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    assert get_language("qaa").names.own == "Basa Uji"


@pytest.mark.parametrize("below", ["", "languages"])
def test_a_file_beside_the_recipe_is_found(tmp_path: Path, tiny_base: Path, below: str) -> None:
    file = write(tmp_path / "mine" / below)
    recipe = read_recipe(write_recipe(tmp_path / "mine", tiny_base))
    assert get_language("qaa").names.english == "Test Speech"
    assert file in local_files(recipe)  # a rented machine gets it too


def test_what_comes_with_the_toolkit_is_never_replaced(tmp_path: Path) -> None:
    write(tmp_path, code="jav", iso639_1="jv", names={"english": "Not Javanese", "own": "x"})
    look_in(tmp_path)
    assert get_language("jav").names.english == "Javanese"


def test_a_file_that_is_wrong_is_told_when_it_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "here", script="Latin")
    (tmp_path / "here" / "abc.yaml").write_text("language: jav\nbase: pocket\n")  # a recipe
    monkeypatch.chdir(tmp_path / "here")
    look_in(tmp_path / "here")
    with pytest.raises(LanguageError, match=r"qaa\.yaml: script: 'Latin' is not of the right form"):
        get_language("qaa")
    write(tmp_path / "here")
    assert get_language("qaa").script == "Latn"


def test_two_languages_under_one_code_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "one")
    write(tmp_path / "other", names={"english": "Other Speech", "own": "x"})
    write(tmp_path / "same", spoken_in="here")
    look_in(tmp_path / "one")
    look_in(tmp_path / "same")
    with pytest.raises(LanguageError, match=r"'qaa': Test Speech in .* and Other Speech in"):
        look_in(tmp_path / "other")
    assert get_language("qaa").names.english == "Test Speech"
    write(tmp_path / "one", names={"english": "Edited Speech", "own": "x"})
    look_in(tmp_path / "one")
    assert get_language("qaa").names.english == "Edited Speech"


def test_a_run_carries_its_language_and_is_read_where_nobody_knows_it(tmp_path: Path, tiny_base: Path) -> None:
    file = write(tmp_path / "mine")
    plan = prepare(read_recipe(write_recipe(tmp_path / "mine", tiny_base)), tmp_path / "run")
    train_delta(plan)
    run = RunFolder(tmp_path / "run")
    carried = run.languages / "qaa.yaml"
    assert carried.read_bytes() == file.read_bytes()
    assert DELTA.holds(carried.relative_to(run.root).as_posix())
    shutil.rmtree(tmp_path / "mine")
    code = (
        "import sys; from pathlib import Path; from toolkit.run_folder import RunFolder;"
        "from toolkit.routing import read_adaptation;"
        f"print(read_adaptation('a', RunFolder(Path({str(run.root)!r}))).language.names.own)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert told.stdout == "Basa Uji\n"


def test_a_delta_from_a_stranger_brings_no_other_language(tmp_path: Path, tiny_base: Path) -> None:
    write(tmp_path / "known")
    look_in(tmp_path / "known")
    folder = teach_tiny_delta(tiny_base, tmp_path / "delta", "qaa", steps=1)
    write(folder / "languages")
    write(folder / "languages", code="qab", names={"english": "Uninvited", "own": "x"})
    assert read_adaptation("a", RunFolder(folder)).language.code == "qaa"
    assert "qab" not in all_languages()


def test_publishing_asks_for_the_file_of_a_language_that_others_do_not_have(tmp_path: Path) -> None:
    look_in(write(tmp_path / "known").parent)
    run = make_run(tmp_path / "run")
    config = run.read_config()
    config.model_copy(update={"language": "qaa"}).write(run.config)
    missing = "languages/qaa.yaml is missing: the toolkit has no qaa, and nobody could use the delta without that file"
    assert missing in check_run(run, list_contents(run.root))[0].problems
    write(run.languages)
    contents = list_contents(run.root)
    assert check_run(run, contents)[0].ok
    assert contents.find("languages/qaa.yaml")
    publish_locally(tmp_path / "there", contents)
    assert (tmp_path / "there/languages/qaa.yaml").is_file()


@pytest.mark.parametrize("path", ["languages/../x.yaml", "languages/recipe.yaml", "languages/qaa.yml", "qaa.yaml"])
def test_nothing_else_goes_along_in_that_folder(path: str) -> None:
    assert not DELTA.holds(path)


def test_the_list_shows_what_lies_here(cogsym: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    assert "Basa Uji" in cogsym("languages", "list").out
    assert "qaa" in cogsym("languages", "search", "uji").out
