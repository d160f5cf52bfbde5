"""`cogsym languages check` with data and models: nothing is called fine that was not looked at, and nothing is run."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import WORDS, teach_tiny_delta
from hub_server import HubServer

from toolkit.contributions import located
from toolkit.contributions.checking import check_contribution
from toolkit.contributions.located import _matches, find_under
from toolkit.contributions.report import FileReport
from toolkit.hub import fetch_base
from toolkit.languages import all_languages, look_in, registry
from toolkit.languages.entries import DataSet
from toolkit.records import DeltaConfig

pytest_plugins = ("hub_server.fixtures",)
Run = Callable[..., Any]
FIELDS: dict[str, Any] = {"code": "ilo", "script": "Latn", "names": {"english": "Ilocano", "own": "Ilokano"}}
DATA = {"name": "Pairs", "kind": "parallel", "hub": "org/pairs", "licence": "cc-by-4.0", "beside": ["eng"]}
TEST = DATA | {"name": "Tests", "kind": "translation", "files": ["data/test.tsv"]}
NOWHERE = "http://127.0.0.1:9"
REPO, BASE = "org/tiny-ilo", "tests/tiny-base"


@pytest.fixture(autouse=True)
def empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")


def language_file(folder: Path, **changes: Any) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "ilo.yaml"
    fields = json.loads(json.dumps(FIELDS | changes))  # so that nothing is written as an alias of something
    path.write_text(yaml.safe_dump(fields, allow_unicode=True), encoding="utf-8")
    return path


def table(rows: int, start: int = 0) -> bytes:
    lines = [f"the big house number {n} is near\tti dakkel a balay {n} ket asideg" for n in range(start, start + rows)]
    return ("eng\tilo\n" + "\n".join(lines) + "\n").encode()


def lay(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def said(report: FileReport) -> str:
    problems = [f"problem: {problem} | {problem.fix}" for problem in report.problems]
    remarks = [f"look: {remark.field}: {remark.message}" for remark in report.remarks]
    seen = [f"seen: {one.field}: {one.message}" for one in report.seen]
    return "\n".join(
        [
            *problems,
            *remarks,
            *seen,
            *(f"unchecked: {one.field}: {one.what}: {one.because}" for one in report.unchecked),
        ]
    )


TRAIN = DATA | {"files": ["data/train.tsv"], "rows": 400}


def test_files_under_the_folder_are_read_and_compared(tmp_path: Path) -> None:
    file = language_file(tmp_path / "mine", data=[TRAIN], evaluation=[TEST])
    folder = lay(tmp_path / "files", {"data/train.tsv": table(400), "data/test.tsv": table(50, 1000)})
    report = check_contribution(file, data=folder)
    assert report.ok, said(report)
    assert "seen: data.0: data/train.tsv: 400 of 400 rows can be used" in said(report)
    assert "seen: data.0: data/train.tsv: compared with test.tsv" in said(report)
    assert "400 usable sentence pairs. A beginning." in said(report)
    assert report == check_contribution(file, data=folder)


@pytest.mark.parametrize("below", ["pairs", "Pairs"])
def test_a_folder_may_hold_several_data_sets_by_their_names(tmp_path: Path, below: str) -> None:
    file = language_file(tmp_path / "mine", data=[TRAIN])
    report = check_contribution(file, data=lay(tmp_path / "files", {f"{below}/data/train.tsv": table(400)}))
    assert "400 of 400 rows" in said(report)


def test_a_leak_is_a_problem_unless_a_note_speaks_of_it(tmp_path: Path) -> None:
    folder = lay(tmp_path / "files", {"data/train.tsv": table(400), "data/test.tsv": table(50, 380)})
    report = check_contribution(language_file(tmp_path / "mine", data=[TRAIN], evaluation=[TEST]), data=folder)
    assert "problem: ilo.yaml: data.0: data/train.tsv: 20 rows" in said(report)
    assert "the test set test.tsv" in said(report)
    assert not report.ok
    noted = language_file(tmp_path / "mine", data=[TRAIN], evaluation=[TEST | {"note": "20 of them are in training"}])
    assert check_contribution(noted, data=folder).ok


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            b"\xff\xfe" + "eng\tilo\na\tb\n".encode("utf-16-le"),
            "problem: ilo.yaml: data.0: data/train.tsv: The file is",
        ),
        (b"\x00\x01" * 200, "problem: ilo.yaml: data.0: data/train.tsv:"),
        (table(400).replace(b"eng\tilo", b"left\tright"), "unchecked: data.0: what the rows of data/train.tsv hold"),
        (table(30) + table(30)[8:], "look: data.0: data/train.tsv: 30 rows"),
        (table(300), "look: data.0: Pairs: `rows` says 400, and there are 300"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(tmp_path: Path, content: bytes, told: str) -> None:
    file = language_file(tmp_path / "mine", data=[TRAIN])
    assert told in said(check_contribution(file, data=lay(tmp_path / "files", {"data/train.tsv": content})))


def test_what_was_not_looked_at_is_said(tmp_path: Path, cogsym: Run) -> None:
    file = language_file(
        tmp_path / "mine", data=[TRAIN], smoke=[{"direction": "eng>ilo", "text": "a", "expected": "b"}]
    )
    outcome = cogsym("languages", "check", file)
    assert outcome.code == 0
    assert f"{file}: fine, as far as it was checked" in outcome.out
    assert "not checked: data: the files of 1 data sets, because neither --data FOLDER nor --download" in outcome.out
    assert "not checked: smoke: the pairs, because no model is declared" in outcome.out
    empty = check_contribution(file, data=tmp_path / "empty")
    assert "nothing under empty matches data/train.tsv" in said(empty)
    asked = json.loads(cogsym("languages", "check", file, "--data", tmp_path / "empty", "--json").out)[str(file)]
    assert asked["ok"]
    assert asked["unchecked"][0]["because"] == "nothing under empty matches data/train.tsv"
    nowhere = cogsym("languages", "check", file, "--data", tmp_path / "nowhere")
    assert (nowhere.code, nowhere.err.split("\n")[0]) == (1, f"error: no folder {tmp_path / 'nowhere'}")


def test_links_that_lead_out_of_the_folder_are_never_opened(tmp_path: Path) -> None:
    secret = lay(tmp_path / "elsewhere", {"train.tsv": table(400)})
    folder = tmp_path / "files"
    (folder / "data").mkdir(parents=True)
    (folder / "data/train.tsv").symlink_to(secret / "train.tsv")
    report = check_contribution(language_file(tmp_path / "mine", data=[TRAIN]), data=folder)
    assert [problem.message for problem in report.problems] == [
        "Pairs: data/train.tsv is a link that leads out of the folder"
    ]
    (folder / "data/train.tsv").unlink()
    (folder / "data").rmdir()
    (folder / "data").symlink_to(secret)
    assert not check_contribution(language_file(tmp_path / "mine", data=[TRAIN]), data=folder).ok
    source = DataSet.model_validate(DATA | {"files": ["**/*.tsv"]})
    assert find_under(folder, source).files == ()


def test_a_link_within_the_folder_and_what_is_no_file(tmp_path: Path) -> None:
    folder = lay(tmp_path / "files", {"real.tsv": table(400)})
    (folder / "data").mkdir()
    (folder / "data/train.tsv").symlink_to(folder / "real.tsv")
    os.mkfifo(folder / "data/pipe.tsv")
    source = DataSet.model_validate(DATA | {"files": ["data/*.tsv"]})
    assert [name for name, _ in find_under(folder, source).files] == ["data/train.tsv"]


@pytest.mark.parametrize(
    ("path", "pattern", "fits"),
    [
        ("data/train.tsv", "data/*.tsv", True),
        ("data/a/train.tsv", "data/*.tsv", False),
        ("data/a/train.tsv", "data/**/*.tsv", True),
        ("train.tsv", "**/*.tsv", True),
        ("data/a/b/c.tsv", "data/**/c.tsv", True),
        ("other/c.tsv", "data/**/c.tsv", False),
        ("data", "data/**/c.tsv", False),
    ],
)
def test_patterns_on_the_hub_mean_what_they_mean_in_a_folder(
    tmp_path: Path, path: str, pattern: str, fits: bool
) -> None:
    assert _matches(path, pattern) is fits
    lay(tmp_path / "tree", {path: b"x"})
    assert any(found.is_file() for found in (tmp_path / "tree").glob(pattern)) is fits


def test_data_sets_come_from_the_hub_and_nothing_but_their_tables(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(located, "MAX_FETCHED_BYTES", 60_000)
    files = {"data/train.tsv": table(400), "data/train.py": b"import os", "data/train2.tsv": table(2000)}
    hub.store.add_files("org/pairs", files)
    data = DATA | {"files": ["data/train*", "data/none.tsv"]}
    report = check_contribution(language_file(tmp_path / "mine", data=[data]), download=True, endpoint=hub.endpoint)
    assert "data/train.tsv: 400 of 400 rows can be used" in said(report)
    assert "unchecked: data.0: files of Pairs: data/train.py is no table or text that is read here" in said(report)
    assert "data/train2.tsv has 0.1 MB, and a file of more than 0.1 is not fetched" in said(report)
    monkeypatch.setattr(located, "MAX_FETCHED_BYTES_IN_ALL", 100)
    bounded = check_contribution(tmp_path / "mine/ilo.yaml", download=True, endpoint=hub.endpoint)
    assert "and no more than 0 are fetched for one language" in said(bounded)
    assert "problem: ilo.yaml: data.0: Pairs: org/pairs holds no file data/none.tsv" in said(report)
    assert not list((tmp_path / "cache").rglob("*.py"))


def test_a_data_set_that_is_not_there_or_out_of_reach(hub: HubServer, tmp_path: Path) -> None:
    file = language_file(tmp_path / "mine", data=[TRAIN])
    missing = check_contribution(file, download=True, endpoint=hub.endpoint)
    assert "problem: ilo.yaml: data.0: Pairs: cannot look at org/pairs" in said(missing)
    away = check_contribution(file, download=True, endpoint=NOWHERE)
    assert away.ok
    assert "unchecked: data.0: files of Pairs: the Hub cannot be asked about org/pairs" in said(away)


@pytest.fixture(scope="module")
def taught(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A delta that has learnt the word game; it carries its language's file."""
    folder = tmp_path_factory.mktemp("ilo") / "delta"
    known = language_file(folder.parent / "known")
    look_in(known.parent)
    teach_tiny_delta(tiny_base, folder, "ilo")
    del all_languages()["ilo"], registry._own_files["ilo"]
    lay(folder, {"records/delta.json": b"{}", "languages/ilo.yaml": known.read_bytes()})
    (folder / "README.md").write_text(f"---\nlanguage: [ilo, en]\nbase_model: {BASE}\n---\n# Card\n")
    return folder


@pytest.fixture
def published(hub: HubServer, tmp_path: Path, tiny_base: Path, taught: Path) -> dict[str, Any]:
    """A model on the Hub that plays a word game, and how a language file declares it; its base is in the cache."""
    files = {path.name: path.read_bytes() for path in tiny_base.iterdir()}
    commit = hub.store.add_files(BASE, files).oid
    fetch_base(BASE, revision=commit, endpoint=hub.endpoint)
    folder = shutil.copytree(taught, tmp_path / "delta")
    config = DeltaConfig.read(folder / "config.json")
    base = config.base.model_copy(update={"id": BASE, "revision": commit})
    config.model_copy(update={"base": base}).write(folder / "config.json")
    shared = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    digest = hashlib.sha256(shared["delta.safetensors"]).hexdigest()
    return {
        "repository": REPO,
        "revision": hub.store.add_files(REPO, shared).oid,
        "base": BASE,
        "base_revision": commit,
        "digests": [{"file": "delta.safetensors", "sha256": digest}],
        "records": ["records/delta.json"],
    }


def smoke(number: int = 0, shift: int = 1) -> dict[str, str]:
    """A pair of the word game that the tiny delta knows by heart."""
    return {"direction": "eng>ilo", "text": f"{WORDS[number]}.", "expected": f"{WORDS[number + shift]}."}


def test_a_declared_model_is_fetched_verified_and_asked(
    hub: HubServer, published: dict[str, Any], tmp_path: Path
) -> None:
    file = language_file(tmp_path / "mine", models=[published], smoke=[smoke(), smoke(3)])
    report = check_contribution(file, download=True, endpoint=hub.endpoint)
    assert report.ok, said(report)
    assert "digests, config, card and records are what the file says" in said(report)
    assert f"the delta is whole, and made for {BASE}" in said(report)
    assert f"seen: smoke.0: '{WORDS[0]}.' became '{WORDS[1]}.'" in said(report)
    assert not [one for one in report.unchecked if one.field]
    assert [path.name for path in (tmp_path / "cache").rglob("languages/*")] == ["ilo.yaml"]  # it came along
    hub.close()  # what is in the cache is checked without --download too
    again = check_contribution(file)
    assert again.ok
    assert "smoke.1" in said(again)


def test_a_wrong_answer_is_a_problem(hub: HubServer, published: dict[str, Any], tmp_path: Path) -> None:
    wrong = {"direction": "eng>ilo", "text": f"{WORDS[0]}.", "expected": "Nasayaat daytoy a balay."}
    other = {"direction": "ind>ilo", "text": "satu", "expected": "maysa"}
    file = language_file(tmp_path / "mine", models=[published], smoke=[wrong, other])
    report = check_contribution(file, download=True, endpoint=hub.endpoint)
    assert "problem: ilo.yaml: smoke.0: 'sun.' became 'moon.', and 'Nasayaat daytoy a balay.' is expected" in said(
        report
    )
    assert "under 35 | mend the pair if the answer is right as well" in said(report)
    assert "unchecked: smoke.1: 'satu': delta.safetensors was not trained in ind>ilo" in said(report)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"revision": "1" * 40}, "models.0.revision: cannot look at org/tiny-ilo: org/tiny-ilo has no such revision"),
        ({"repository": "org/other"}, "models.0.revision: cannot look at org/other"),
        ({"digests": [{"file": "delta.safetensors", "sha256": "1" * 64}]}, "has another SHA-256 than the one written"),
        ({"digests": [{"file": "config.json", "sha256": "1" * 64}]}, "config.json has another SHA-256"),
        ({"digests": [{"file": "model.safetensors", "sha256": "1" * 64}]}, "org/tiny-ilo holds no model.safetensors"),
        ({"records": ["records/none.json"]}, "models.0.records.0: org/tiny-ilo holds no records/none.json"),
        ({"base": "org/other-base"}, "its config names the base tests/tiny-base, this file org/other-base"),
        ({"base": "org/other-base"}, "the front matter of its card does not name the base org/other-base"),
        ({"base_revision": "1" * 40}, "models.0.base_revision: its config names the commit"),
    ],
)
def test_each_untrue_declaration_is_told(
    hub: HubServer, published: dict[str, Any], tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    file = language_file(tmp_path / "mine", models=[published | changes])
    report = check_contribution(file, download=True, endpoint=hub.endpoint)
    assert not report.ok
    assert told in said(report)


@pytest.mark.parametrize("max_bytes", [0, 10**9])
def test_a_name_that_a_model_was_not_trained_with_is_told(
    hub: HubServer, published: dict[str, Any], tmp_path: Path, max_bytes: int
) -> None:
    file = language_file(tmp_path / "mine", models=[published], names={"english": "Iloko", "own": "Ilokano"})
    report = check_contribution(file, download=True, max_bytes=max_bytes, endpoint=hub.endpoint)
    assert "names.in_prompts: a model was trained with 'Ilocano' in its prompts, and this file says 'Iloko'" in said(
        report
    )
    names = {"english": "Iloko", "in_prompts": "Ilocano", "own": "Ilokano"}
    kept = language_file(tmp_path / "mine", models=[published], names=names)
    assert check_contribution(kept, download=True, max_bytes=max_bytes, endpoint=hub.endpoint).ok


def test_a_model_of_another_language_is_told(hub: HubServer, published: dict[str, Any], tmp_path: Path) -> None:
    fields = {
        "code": "ceb",
        "script": "Latn",
        "names": {"english": "Cebuano", "own": "Binisaya"},
        "models": [published],
    }
    path = tmp_path / "ceb.yaml"
    path.write_text(yaml.safe_dump(fields))
    report = check_contribution(path, download=True, endpoint=hub.endpoint)
    assert "its config names the language ilo, this file ceb" in said(report)
    assert "the front matter of its card does not name the language ceb" in said(report)


def test_a_damaged_delta_is_told(hub: HubServer, published: dict[str, Any], tmp_path: Path) -> None:
    content = bytearray(hub.store.files(REPO)["delta.safetensors"])
    content[-40] ^= 1
    config = json.loads(hub.store.files(REPO)["config.json"])
    digest = hashlib.sha256(content).hexdigest()
    files = {"delta.safetensors": bytes(content), "config.json": json.dumps(config | {"delta_sha256": digest}).encode()}
    changed = published | {"revision": hub.store.add_files(REPO, files).oid}
    changed["digests"] = [{"file": "delta.safetensors", "sha256": digest}]
    report = check_contribution(
        language_file(tmp_path / "mine", models=[changed], smoke=[smoke()]), download=True, endpoint=hub.endpoint
    )
    assert "problem: ilo.yaml: models.0: the delta is damaged" in said(report)


def test_what_is_too_large_or_not_at_hand_is_said(
    hub: HubServer, published: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = language_file(tmp_path / "mine", models=[published], smoke=[smoke()])
    assert "not in the cache here; --download fetches it" in said(check_contribution(file))
    small = check_contribution(file, download=True, max_bytes=1000, endpoint=hub.endpoint)
    assert small.ok
    assert "is more than is downloaded (--max-gib)" in said(small)
    assert "listed digests, config, card and records are what the file says" in said(small)
    other = language_file(tmp_path / "mine", models=[published | {"base": "org/other-base"}])
    told = said(check_contribution(other, download=True, max_bytes=0, endpoint=hub.endpoint))
    assert "its config names the base tests/tiny-base, this file org/other-base" in told
    file = language_file(tmp_path / "mine", models=[published], smoke=[smoke()])
    monkeypatch.setattr("toolkit.environment.free_memory_bytes", lambda: 1000)
    memory = check_contribution(file, download=True, endpoint=hub.endpoint)
    assert memory.ok
    assert "unchecked: models.0: 1 smoke pairs: the base takes" in said(memory)
    shutil.rmtree(tmp_path / "cache" / f"models--{BASE.replace('/', '--')}")
    alone = check_contribution(file, download=True, endpoint=hub.endpoint)
    assert alone.ok
    assert "every chunk of the delta fits its checksum" in said(alone)
    assert f"the base {BASE} is not on this machine" in said(alone)
    changed = published | {"revision": "2" * 40}
    away = check_contribution(language_file(tmp_path / "mine", models=[changed]), download=True, endpoint=NOWHERE)
    assert away.ok
    assert "the Hub cannot be asked about org/tiny-ilo" in said(away)


def test_a_file_that_is_wrong_is_mended_before_anything_is_fetched(hub: HubServer, tmp_path: Path) -> None:
    file = language_file(tmp_path / "mine", script="Lant", data=[TRAIN])
    report = check_contribution(file, download=True, endpoint=hub.endpoint)
    assert [problem.field for problem in report.problems] == ["script"]
    assert [one.because for one in report.unchecked] == ["the file itself has to be mended first"]
    assert hub.faults.requests == []
