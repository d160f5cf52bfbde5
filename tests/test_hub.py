"""Publishing to a local folder: what goes, what is refused, and what is left when it fails."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from published_run import BASE, make_run

from hub_cards import write_card
from toolkit.errors import CogsymError, HubError, OutputError
from toolkit.hub import PublishReport, publish
from toolkit.hub import local as local_module
from toolkit.hub.target import Target, parse_target
from toolkit.run_folder import RunFolder

TOKEN = "hf_" + "aB3" * 12
PUBLISHED = [
    "README.md",
    "config.json",
    "delta.safetensors",
    "figures/layers.png",
    "figures/scores.png",
    "records/card.json",
    "records/delta.json",
    "records/evaluation/adapted_eng_jav.json",
    "records/training.json",
    "samples/eng_jav.jsonl",
]


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return make_run(tmp_path / "run")


def files_below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def problems(report: PublishReport) -> dict[str, tuple[str, ...]]:
    return {check.name: check.problems for check in report.checks if not check.ok}


def test_a_published_folder_holds_what_the_run_holds_and_nothing_private(run: RunFolder, tmp_path: Path) -> None:
    target = tmp_path / "published"
    report = publish(run, target)
    there = files_below(target)
    assert sorted(there) == PUBLISHED
    assert all(content == (run.root / path).read_bytes() for path, content in there.items())
    assert report.changed
    assert report.ok
    assert report.verified_files == len(PUBLISHED)
    assert sorted(os.listdir(tmp_path)) == ["published", "run"], "no draft is left behind"


def test_publishing_again_writes_nothing(run: RunFolder, tmp_path: Path) -> None:
    target = tmp_path / "published"
    publish(run, target)
    before = target.stat().st_ino, {path: path.stat().st_mtime_ns for path in target.rglob("*")}
    report = publish(run, target)
    assert not report.changed
    assert report.uploads == report.deletions == ()
    assert before == (target.stat().st_ino, {path: path.stat().st_mtime_ns for path in target.rglob("*")})


def test_a_new_version_replaces_the_old_one_whole(run: RunFolder, tmp_path: Path) -> None:
    target = tmp_path / "published"
    publish(run, target)
    shutil.rmtree(run.root)
    newer = make_run(run.root, delta=b"newer", score=80.0)
    (newer.samples / "more.jsonl").write_text("{}\n")
    report = publish(newer, target)
    assert (target / "delta.safetensors").read_bytes() == b"newer"
    assert "samples/more.jsonl" in report.uploads
    assert "figures/layers.png" not in report.uploads
    (newer.samples / "more.jsonl").unlink()
    assert publish(newer, target).deletions == ("samples/more.jsonl",)
    assert sorted(files_below(target)) == PUBLISHED


def test_dry_run_lists_everything_and_writes_nothing(run: RunFolder, tmp_path: Path) -> None:
    report = publish(run, tmp_path / "published", dry_run=True)
    assert [file.path for file in report.files] == PUBLISHED
    assert report.uploads == tuple(PUBLISHED)
    assert not report.changed
    assert not (tmp_path / "published").exists()


def test_a_published_folder_can_be_published_again(run: RunFolder, tmp_path: Path) -> None:
    publish(run, tmp_path / "one")
    publish(RunFolder(tmp_path / "one"), tmp_path / "two")
    assert files_below(tmp_path / "one") == files_below(tmp_path / "two")


def test_unknown_files_stay_at_home_and_are_named(run: RunFolder, tmp_path: Path) -> None:
    (run.root / "model.pkl").write_bytes(b"\x80\x04")
    (run.samples / "evil.py").write_text("print()")
    (run.root / ".env").write_text("SECRET=1")
    report = publish(run, tmp_path / "published")
    assert set(report.left_out) == {"model.pkl", "samples/evil.py", ".env"}
    assert sorted(files_below(tmp_path / "published")) == PUBLISHED


@pytest.mark.parametrize("link", ["figures/layers.png", "samples/eng_jav.jsonl"])
def test_symbolic_links_are_refused(run: RunFolder, tmp_path: Path, link: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (run.root / link).unlink()
    (run.root / link).symlink_to(secret)
    with pytest.raises(HubError, match="is a symbolic link, and would publish a file from outside"):
        publish(run, tmp_path / "published")


def test_a_linked_folder_is_not_followed(run: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "private.jsonl").write_text("{}\n")
    shutil.rmtree(run.samples)
    run.samples.symlink_to(tmp_path / "elsewhere")
    report = publish(run, tmp_path / "published", dry_run=True)
    assert "samples/private.jsonl" not in [file.path for file in report.files]
    assert "samples" in report.left_out


def test_foreign_folders_are_never_replaced(run: RunFolder, tmp_path: Path) -> None:
    target = tmp_path / "thesis"
    target.mkdir()
    (target / "chapter1.tex").write_text("years of work")
    with pytest.raises(OutputError, match=r"thesis holds files that no publication has: chapter1\.tex"):
        publish(run, target)
    (target / "chapter1.tex").rename(target / "README.md")
    with pytest.raises(OutputError, match="is not empty, and not a published delta"):
        publish(run, target)
    assert (target / "README.md").read_text() == "years of work"
    with pytest.raises(OutputError, match="exists and is not a folder"):
        publish(run, target / "README.md")
    with pytest.raises(OutputError, match=r"holds files that no publication has: metrics\.jsonl, recipe\.yaml"):
        publish(run, run.root)


@pytest.mark.parametrize("failing", ["_copy", "os.rename"])
def test_a_failed_write_leaves_the_old_publication(
    run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    target = tmp_path / "published"
    publish(run, target)
    before = files_below(target)
    shutil.rmtree(run.root)
    newer = make_run(run.root, delta=b"newer")
    calls = []

    def full(*arguments: object) -> None:
        calls.append(arguments)
        if failing == "_copy" or len(calls) == 2:
            raise OSError(28, "No space left on device")
        return real_rename(*arguments)

    real_rename = os.rename
    if failing == "_copy":
        monkeypatch.setattr(local_module, "_copy", full)
    else:
        monkeypatch.setattr(os, "rename", full)
    with pytest.raises(OutputError, match=r"cannot publish to .*No space left"):
        publish(newer, target)
    monkeypatch.undo()
    assert files_below(target) == before
    assert sorted(os.listdir(tmp_path)) == ["published", "run"]
    assert publish(newer, target).changed


def test_a_file_that_changes_during_publishing_is_noticed(
    run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def publish_late(folder: Path, contents: object) -> None:
        run.delta.write_bytes(b"still training")
        local_module.publish_locally(folder, contents)  # type: ignore[arg-type]

    monkeypatch.setattr("toolkit.hub.publishing.publish_locally", publish_late)
    with pytest.raises(OutputError, match="changed while it was being published"):
        publish(run, tmp_path / "published")
    assert not (tmp_path / "published").exists()


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


TAMPERED = [
    ("delta.safetensors", "delta delta", "delta dexta", "delta", "is not the one that config.json describes"),
    ("README.md", "value: 71.2", "value: 91.2", "card", "the card's scores are not those of the records"),
    ("README.md", "- cogsym-delta\n", "", "card", "tags do not hold cogsym-delta"),
    ("README.md", "- jv", "- jw", "card", "the Hub rejects the language code 'jw'"),
    ("README.md", "- jv", "- no", "card", "YAML reads an unquoted `no` as false"),
    ("README.md", "license: apache-2.0", "license: free", "card", "license 'free' is no tag of the Hub's"),
    ("README.md", "name: tiny-jav", "name:", "card", "model-index[0].name is null: leave it out"),
    ("README.md", "figures/layers.png", "figures/lost.png", "card", "links to figures/lost.png, which is not there"),
    ("README.md", "base_model: tests/tiny-base", "base_model: /home/me/llama", "card", "'/home/me/llama' is no Hub id"),
    ("README.md", "---\nlanguage", "language", "card", "front matter"),
    ("README.md", "# Javanese", f"# {TOKEN} Javanese", "no tokens", "README.md holds a Hugging Face token"),
    ("README.md", "# Javanese", "# /home/ana/runs/jav", "card", "/home/ana/runs/jav"),
    ("records/card.json", '"n_weights": 1000', '"n_weights": 2000', "card", "the records have changed since the card"),
    ("samples/eng_jav.jsonl", "banyu", TOKEN, "no tokens", "samples/eng_jav.jsonl holds a Hugging Face token"),
    ("records/delta.json", "tests/tiny-base", "/home/ana/tiny", "no local paths", "/home/ana/tiny"),
    ("records/delta.json", "tests/tiny-base", r"C:\\Users\\ana", "no local paths", r"C:\\Users\\ana"),
    ("records/training.json", '"language": "jav",\n  "base"', '"language": "sun",\n  "base"', "records", "about jav"),
    ("records/training.json", '"steps": 10', '"steps": "ten"', "records", "training.json is not a TrainingRecord"),
    ("records/training.json", '"embeddings": true', '"embeddings": false', "records", "give different selections"),
    ("records/delta.json", '"b' + "b" * 63, '"a' + "b" * 63, "records", "different fingerprints of the base"),
    ("records/delta.json", "tests/tiny-base", "tests/other", "records", "records/delta.json the base tests/other@"),
    ("records/evaluation/adapted_eng_jav.json", '"eng_jav.jsonl"', '"ind_jav.jsonl"', "records", "which is missing"),
    ("records/evaluation/adapted_eng_jav.json", '_sha256": "', '_sha256": "0', "records", "with another delta"),
    ("records/evaluation/adapted_eng_jav.json", '"value": 71', '"value": 91', "card", "not those of the records"),
    ("config.json", '"delta_sha256": "', '"delta_sha256": "0', "delta", "different digests of the delta"),
]


@pytest.mark.parametrize(("file", "old", "new", "check", "message"), TAMPERED)
def test_a_tampered_run_is_refused(
    run: RunFolder, tmp_path: Path, file: str, old: str, new: str, check: str, message: str
) -> None:
    edit(run.root / file, old, new)
    report = publish(run, tmp_path / "published", dry_run=True)
    assert not report.ok
    assert any(message in problem for problem in problems(report)[check]), problems(report)
    with pytest.raises(HubError, match="run is not ready to be published") as caught:
        publish(run, tmp_path / "published")
    assert message in caught.value.message
    assert TOKEN not in str(caught.value)
    assert not (tmp_path / "published").exists()


@pytest.mark.parametrize("missing", ["README.md", "config.json", "delta.safetensors", "records/training.json"])
def test_an_incomplete_run_is_refused(run: RunFolder, tmp_path: Path, missing: str) -> None:
    (run.root / missing).unlink()
    with pytest.raises(HubError, match=f"complete: {missing} is missing: run `cogsym "):
        publish(run, tmp_path / "published")


def test_the_place_of_the_run_itself_is_found_in_any_text(run: RunFolder, tmp_path: Path) -> None:
    (run.samples / "more.jsonl").write_text(f"from {run.root}")
    report = publish(run, tmp_path / "published", dry_run=True)
    assert problems(report)["no local paths"][0].startswith("samples/more.jsonl names a path of this machine")


def test_sentences_and_addresses_that_only_look_like_paths_pass(run: RunFolder, tmp_path: Path) -> None:
    (run.samples / "more.jsonl").write_text("the file is in /home/ana/x")
    edit(run.card, "# Javanese", "# Javanese, https://example.org/home/ana/x and and/or/tmp/x")
    assert publish(run, tmp_path / "published").ok


def test_llama2_deltas_need_the_notice_and_the_use_policy(tmp_path: Path) -> None:
    llama = BASE.model_copy(update={"id": "meta-llama/Llama-2-7b-hf", "licence": "llama2"})
    run = make_run(tmp_path / "run", base=llama)
    publish(run, tmp_path / "published")
    assert {"NOTICE.txt", "USE_POLICY.md"} <= set(files_below(tmp_path / "published"))
    (run.root / "NOTICE.txt").write_text("Made with Llama.\n")
    (run.root / "USE_POLICY.md").unlink()
    found = problems(publish(run, tmp_path / "published", dry_run=True))
    assert "Copyright (c) Meta Platforms, Inc. All Rights Reserved." in found["licence"][0]
    assert "USE_POLICY.md is missing" in found["licence"][1]


def test_the_smoke_test_gets_the_published_folder_and_its_words_are_reported(run: RunFolder, tmp_path: Path) -> None:
    report = publish(run, tmp_path / "published", smoke=lambda folder: f"read {len(files_below(folder))} files")
    assert report.smoke == f"read {len(PUBLISHED)} files"


def test_the_scores_of_a_full_fine_tune_are_published_with_the_run(run: RunFolder, tmp_path: Path) -> None:
    (record,) = run.read_evaluations()
    full = record.model_copy(update={"model": "full", "delta_sha256": "f" * 64, "samples": ()})
    full.write(run.evaluation_records / f"{record.task}.full.json")
    write_card(run, name="org/tiny-jav")
    report = publish(run, tmp_path / "published")
    assert "records/evaluation/pocket_eng_jav.full.json" in [file.path for file in report.files]
    assert "| Full training |" in (tmp_path / "published" / "README.md").read_text(encoding="utf-8")


def test_options_of_the_hub_are_refused_for_a_folder(run: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(HubError, match=r"exist on the Hub, but .* is a folder"):
        publish(run, tmp_path / "published", create_pr=True)


def test_a_missing_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(HubError, match="there is no run folder"):
        publish(RunFolder(tmp_path / "nowhere"), tmp_path / "published")


def test_the_report_as_json_names_no_place_of_this_machine_but_the_target(run: RunFolder, tmp_path: Path) -> None:
    target = tmp_path / "published"
    plain = json.dumps(publish(run, target).as_dict())
    described = {file["path"]: file for file in json.loads(plain)["files"]}
    assert described["delta.safetensors"] == {
        "path": "delta.safetensors",
        "size_bytes": 1200,
        "sha256": run.read_config().delta_sha256,
    }
    assert str(run.root) not in plain.replace(str(target), "")


TARGETS = [
    ("org/name", "org/name", None),
    ("org-1/llama-2-7b-cogsym-jav", "org-1/llama-2-7b-cogsym-jav", None),
    ("hf://org/name", "org/name", None),
    ("./org/name", None, "org/name"),
    ("../name", None, "../name"),
    ("./name", None, "name"),
    ("a/b/c", None, "a/b/c"),
    ("existing", None, "existing"),
    ("existing/inner", None, "existing/inner"),
]


@pytest.mark.parametrize(("text", "repo_id", "folder"), TARGETS)
def test_a_target_is_the_hub_or_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, repo_id: str | None, folder: str | None
) -> None:
    (tmp_path / "existing" / "inner").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert parse_target(text) == Target(repo_id, Path(folder) if folder else None)


def test_a_path_is_always_a_folder() -> None:
    assert parse_target(Path("org/name")) == Target(folder=Path("org/name"))


def test_a_home_folder_is_expanded() -> None:
    assert parse_target("~/published").folder == Path.home() / "published"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("existing/new", r"could be a Hub repository or a new folder in \./existing"),
        ("name", "is neither a Hub repository nor a folder"),
        ("org/na--me", "is neither a Hub repository nor a folder"),
        ("org/-name", "is neither a Hub repository nor a folder"),
        ("org/name.git", "is neither a Hub repository nor a folder"),
        ("", "no target is given"),
        ("hf://org", "names no Hub repository"),
        ("hf://../x", "names no Hub repository"),
    ],
)
def test_targets_that_could_mean_anything_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    (tmp_path / "existing").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HubError, match=message) as caught:
        parse_target(text)
    assert isinstance(caught.value, CogsymError)
    assert caught.value.hint
