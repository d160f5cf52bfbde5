"""Sharing a run: a card for its place, a dry run that changes nothing, and `push_to_hub` for programs."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hub_server import TOKEN, HubServer, Status
from published_run import REPO, make_run

import toolkit
from toolkit.errors import HubError
from toolkit.hub import PublishReport
from toolkit.run_folder import RunFolder
from toolkit.sharing import share

pytest_plugins = ("hub_server.fixtures",)
NEW = "org/new-jav"
GIVEN = "a-token-of-another-form-0123456789"


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return make_run(tmp_path / "run")


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Everything below, with the times of change."""
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def failures(report: PublishReport) -> dict[str, tuple[str, ...]]:
    return {check.name: check.problems for check in report.checks if not check.ok}


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("missing", [(), ("README.md",), ("README.md", "records/card.json"), ("figures",)])
@pytest.mark.parametrize("target", [NEW, "./elsewhere"])
def test_a_dry_run_leaves_the_run_folder_as_it_is(
    run: RunFolder, target: str, missing: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run.root.parent)
    for name in missing:
        path = run.root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    before = state(run.root)
    report = share(run, target, dry_run=True)
    assert report.ok, failures(report)
    assert {"README.md", "records/card.json", "figures/scores.png", "delta.safetensors"} <= set(report.uploads)
    assert state(run.root) == before
    assert sorted(path.name for path in run.root.parent.iterdir() if path.name not in ("hub", "cache")) == ["run"]
    done = share(run, target)
    planned = {(file["path"], file["sha256"]) for file in report.as_dict()["files"]}
    assert {(file["path"], file["sha256"]) for file in done.as_dict()["files"]} == planned, "what was planned came"


@pytest.mark.usefixtures("hub")
def test_a_dry_run_finds_the_same_faults_as_the_publication(run: RunFolder) -> None:
    (run.samples / "more.jsonl").write_text(f"from {run.root}")
    run.delta.write_bytes(b"tampered")
    report = share(run, NEW, dry_run=True)
    assert set(failures(report)) == {"no local paths", "delta"}
    with pytest.raises(HubError, match="run is not ready to be published") as refused:
        share(run, NEW)
    assert all(problem in refused.value.message for problems in failures(report).values() for problem in problems)


def test_a_dry_run_refuses_links_out_of_the_run(run: RunFolder, tmp_path: Path) -> None:
    (run.samples / "more.jsonl").symlink_to("/etc/hostname")
    with pytest.raises(HubError, match="is a symbolic link, and would publish a file from outside"):
        share(run, tmp_path / "published", dry_run=True)


def test_what_stays_at_home_is_named_by_a_dry_run_too(run: RunFolder, tmp_path: Path) -> None:
    (run.root / "notes.txt").write_text("mine")
    assert share(run, tmp_path / "published", dry_run=True).left_out == ("notes.txt",)


def test_what_a_person_wrote_goes_with_the_renewed_card(hub: HubServer, run: RunFolder) -> None:
    text = run.card.read_text(encoding="utf-8")
    run.card.write_text(text.replace("<!-- end of yours -->", "Ngoko only.\n<!-- end of yours -->", 1), "utf-8")
    share(run, NEW)
    card = hub.store.files(NEW)["README.md"].decode()
    assert "Ngoko only." in card
    assert f"cogsym translate {NEW} " in card


def test_push_to_hub_returns_the_commit(hub: HubServer, run: RunFolder) -> None:
    url = toolkit.push_to_hub(run.root, NEW, private=True, commit_message="Javanese, first try")
    repository = hub.store.repositories[NEW]
    assert url == f"{hub.endpoint}/{NEW}/commit/{repository.refs['main']}"
    assert repository.main().title == "Javanese, first try"
    assert repository.private
    assert toolkit.push_to_hub(str(run.root), NEW) == url, "nothing has changed, so nothing is written"
    assert len(repository.commits) == 2


def test_push_to_hub_opens_a_pull_request_and_goes_on_with_it(hub: HubServer, run: RunFolder) -> None:
    toolkit.push_to_hub(run.root, NEW)
    (run.samples / "more.jsonl").write_text("{}\n")
    first = toolkit.push_to_hub(run.root, NEW, create_pr=True, commit_message="More samples")
    assert first.endswith(hub.store.repositories[NEW].refs["refs/pr/1"])
    (run.samples / "more.jsonl").write_text("{}\n{}\n")
    toolkit.push_to_hub(run.root, NEW, create_pr=True, commit_message="More samples")
    assert [pull.title for pull in hub.store.repositories[NEW].pulls] == ["More samples"]


def test_a_new_repository_is_as_its_owner_has_set_it_unless_said(hub: HubServer, run: RunFolder) -> None:
    asked: list[Any] = []
    create = hub.store.create

    def remember(repo_id: str, *, private: bool = False, gated: bool = False) -> Any:
        asked.append((repo_id, private))
        return create(repo_id, private=private, gated=gated)

    hub.store.create = remember  # type: ignore[method-assign]
    hub.store.private_by_default.add("org")
    toolkit.push_to_hub(run.root, NEW)
    toolkit.push_to_hub(run.root, "org/open-jav", private=False)
    assert asked == [(NEW, True), ("org/open-jav", False)]


def test_push_to_hub_wants_a_repository_and_a_sound_run(hub: HubServer, run: RunFolder) -> None:
    with pytest.raises(HubError, match=r"'\./here' is a folder, not a Hub repository"):
        toolkit.push_to_hub(run.root, "./here")
    run.delta.write_bytes(b"tampered")
    with pytest.raises(HubError, match="run is not ready to be published"):
        toolkit.push_to_hub(run.root, NEW)
    assert hub.store.repositories == {}


def test_a_token_that_is_given_is_used_and_never_told(
    hub: HubServer,
    run: RunFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    hub.store.users[GIVEN] = "ana"
    monkeypatch.delenv("HF_TOKEN")
    with caplog.at_level(logging.DEBUG):
        with pytest.raises(HubError, match="you are not logged in"):
            toolkit.push_to_hub(run.root, NEW)
        with pytest.raises(HubError, match="you are not logged in"):
            toolkit.push_to_hub(run.root, NEW, token=False)
        toolkit.push_to_hub(run.root, NEW, token=GIVEN)
    hub.faults.rule = lambda request: Status(400, f"your token {GIVEN} is bad")
    with pytest.raises(HubError, match=r"your token \[token hidden\] is bad") as caught:
        toolkit.push_to_hub(run.root, NEW, token=GIVEN)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with pytest.raises(HubError, match=r"your token \[token hidden\] is bad"):
        toolkit.push_to_hub(run.root, NEW, token=GIVEN)
    assert {request.token for request in hub.faults.requests if "/commit/" in request.path} == {GIVEN}
    assert caught.value.__cause__ is None
    assert GIVEN not in caplog.text
    assert not any(GIVEN in text for text in capfd.readouterr())
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and GIVEN.encode() in path.read_bytes()]


def test_the_verb_plans_for_another_place_without_touching_the_run(
    hub: HubServer, run: RunFolder, cogsym: Callable[..., Any]
) -> None:
    before = state(run.root)
    planned = cogsym("publish", run.root, NEW, "--dry-run")
    assert planned.code == 0
    assert f"would publish to {NEW}: 10 files" in planned.out
    assert state(run.root) == before
    assert hub.store.repositories == {}
    assert REPO in run.card.read_text(encoding="utf-8")
