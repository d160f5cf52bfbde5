"""Publishing to a Hub that runs on this machine, with the Hub's real client."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest
from hub_server import HubServer, Slow
from hub_server.faults import Request
from published_run import REPO, make_run

from toolkit.errors import DamagedDeltaError, HubError
from toolkit.hub import PublishReport, publish
from toolkit.run_folder import RunFolder

pytest_plugins = ("hub_server.fixtures",)
OTHERS = "other/jav"
TITLE = "Publish the CogSym delta for jav"


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return make_run(tmp_path / "run")


def contents(run: RunFolder) -> dict[str, bytes]:
    private = ("checkpoints", "trained", "tasks", "recipe.yaml", "metrics.jsonl")
    paths = [path for path in run.root.rglob("*") if path.is_file()]
    named = {path.relative_to(run.root).as_posix(): path.read_bytes() for path in paths}
    return {path: content for path, content in named.items() if not path.startswith(private)}


def newer(run: RunFolder, delta: bytes = b"a newer delta", repo_id: str = REPO) -> RunFolder:
    shutil.rmtree(run.root)
    return make_run(run.root, delta=delta, score=75.5, repo_id=repo_id)


def titles(hub: HubServer, repo_id: str = REPO) -> list[str]:
    return [commit.title for commit in hub.store.repositories[repo_id].commits.values()]


def sent(hub: HubServer, method: str, part: str) -> list[Request]:
    return [request for request in hub.faults.requests if request.method == method and part in request.path]


def test_one_commit_holds_everything_and_is_read_back(hub: HubServer, run: RunFolder) -> None:
    report = publish(run, REPO, endpoint=hub.endpoint)
    repository = hub.store.repositories[REPO]
    assert hub.store.files(REPO) == contents(run)
    assert titles(hub) == ["initial commit", TITLE]
    assert report.changed
    assert report.commit == repository.refs["main"]
    assert report.url == f"{hub.endpoint}/{REPO}"
    assert report.verified_files == len(contents(run))
    assert not repository.private


def test_unchanged_content_makes_no_commit(hub: HubServer, run: RunFolder) -> None:
    first = publish(run, REPO, endpoint=hub.endpoint)
    hub.faults.clear()
    second = publish(run, REPO, endpoint=hub.endpoint)
    assert not second.changed
    assert second.commit == first.commit
    assert titles(hub) == ["initial commit", TITLE]
    assert sent(hub, "POST", "/commit/") == sent(hub, "PUT", "") == []


def test_a_new_version_sends_what_differs_and_takes_away_what_is_gone(hub: HubServer, run: RunFolder) -> None:
    run.samples.joinpath("old.jsonl").write_text("{}\n")
    publish(run, REPO, endpoint=hub.endpoint)
    hub.store.add_files(REPO, {"docs/thanks.md": b"by a person", ".gitattributes": b"* lfs\n"})
    report = publish(newer(run), REPO, endpoint=hub.endpoint)
    assert report.deletions == ("samples/old.jsonl",)
    assert "delta.safetensors" in report.uploads
    assert "figures/layers.png" not in report.uploads
    assert hub.store.files(REPO) == contents(run) | {"docs/thanks.md": b"by a person"}


def test_a_new_repository_is_private_if_asked(hub: HubServer, run: RunFolder) -> None:
    publish(run, REPO, private=True, endpoint=hub.endpoint)
    assert hub.store.repositories[REPO].private


def test_a_branch_is_made_and_main_stays(hub: HubServer, run: RunFolder) -> None:
    publish(run, REPO, endpoint=hub.endpoint)
    before = hub.store.files(REPO)
    report = publish(newer(run), REPO, revision="v2", endpoint=hub.endpoint)
    assert hub.store.files(REPO) == before
    assert hub.store.files(REPO, "v2") == contents(run)
    assert report.commit == hub.store.repositories[REPO].refs["v2"]
    assert not publish(run, REPO, revision="v2", endpoint=hub.endpoint).changed


def test_a_branch_of_a_repository_that_does_not_exist_is_made_with_it(hub: HubServer, run: RunFolder) -> None:
    publish(run, REPO, revision="v2", endpoint=hub.endpoint)
    assert hub.store.files(REPO) == {}
    assert hub.store.files(REPO, "v2") == contents(run)


def test_a_pull_request_is_opened_once_and_then_continued(hub: HubServer, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", repo_id=OTHERS)
    hub.store.add_files(OTHERS, {"README.md": b"# Ours"})
    first = publish(run, OTHERS, create_pr=True, endpoint=hub.endpoint)
    assert (first.pull_request, first.url) == (1, f"{hub.endpoint}/{OTHERS}/discussions/1")
    assert first.verified_files == len(contents(run))
    assert hub.store.files(OTHERS) == {"README.md": b"# Ours"}
    assert hub.store.files(OTHERS, "refs/pr/1") == contents(run)
    again = publish(run, OTHERS, create_pr=True, endpoint=hub.endpoint)
    assert (again.pull_request, again.changed) == (1, False)
    third = publish(newer(run, repo_id=OTHERS), OTHERS, create_pr=True, endpoint=hub.endpoint)
    assert (third.pull_request, third.changed) == (1, True)
    assert hub.store.files(OTHERS, "refs/pr/1") == contents(run)
    fourth = publish(newer(run, b"and another", OTHERS), OTHERS, revision="refs/pr/1", endpoint=hub.endpoint)
    assert (fourth.pull_request, fourth.changed) == (1, True)
    assert len(hub.store.repositories[OTHERS].pulls) == 1


def test_closed_pull_requests_and_those_of_others_are_left_alone(hub: HubServer, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", repo_id=OTHERS)
    hub.store.add_files(OTHERS, {"README.md": b"# Ours"})
    publish(run, OTHERS, create_pr=True, endpoint=hub.endpoint)
    pulls = hub.store.repositories[OTHERS].pulls
    pulls[0].author = "eve"
    assert publish(run, OTHERS, create_pr=True, endpoint=hub.endpoint).pull_request == 2
    pulls[1].status = "closed"
    assert publish(run, OTHERS, create_pr=True, endpoint=hub.endpoint).pull_request == 3


def test_a_pull_request_needs_a_repository_and_main(hub: HubServer, run: RunFolder) -> None:
    with pytest.raises(HubError, match="org/tiny-jav does not exist, so there is nothing to open a pull request"):
        publish(run, REPO, create_pr=True, endpoint=hub.endpoint)
    with pytest.raises(HubError, match="a pull request is made against main, not v2"):
        publish(run, REPO, create_pr=True, revision="v2", endpoint=hub.endpoint)
    hub.store.create(REPO)
    with pytest.raises(HubError, match="org/tiny-jav has no such revision"):
        publish(run, REPO, revision="refs/pr/7", endpoint=hub.endpoint)


def test_a_dry_run_asks_the_hub_and_writes_nothing(hub: HubServer, run: RunFolder) -> None:
    publish(run, REPO, endpoint=hub.endpoint)
    before = hub.store.files(REPO)
    hub.faults.clear()
    report = publish(newer(run), REPO, dry_run=True, endpoint=hub.endpoint)
    assert report.ok
    assert "delta.safetensors" in report.uploads
    assert "figures/layers.png" not in report.uploads
    assert [check.name for check in report.checks][-1] == "card, by the Hub"
    assert hub.store.files(REPO) == before
    assert {(r.method, r.path) for r in hub.faults.requests if r.method not in ("GET", "HEAD")} == {
        ("POST", "/api/validate-yaml")
    }


def test_a_dry_run_for_a_new_repository_does_not_make_it(hub: HubServer, run: RunFolder) -> None:
    report = publish(run, REPO, dry_run=True, endpoint=hub.endpoint)
    assert len(report.uploads) == len(contents(run))
    assert hub.store.repositories == {}


def test_nothing_is_asked_before_the_local_checks_have_passed(hub: HubServer, run: RunFolder) -> None:
    run.delta.write_bytes(b"tampered")
    with pytest.raises(HubError, match=r"is not the one that config\.json describes"):
        publish(run, REPO, endpoint=hub.endpoint)
    assert not publish(run, REPO, dry_run=True, endpoint=hub.endpoint).ok
    assert hub.faults.requests == []


def test_nothing_is_made_when_the_hub_does_not_like_the_card(hub: HubServer, run: RunFolder) -> None:
    hub.store.complaint = '"license" must be one of [...]'
    dry = publish(run, REPO, dry_run=True, endpoint=hub.endpoint)
    assert dry.checks[-1].problems == ('"license" must be one of [...]',)
    with pytest.raises(HubError, match='card, by the Hub: "license" must be one of'):
        publish(run, REPO, endpoint=hub.endpoint)
    assert hub.store.repositories == {}


def test_a_card_whose_commands_name_another_repository_is_refused(hub: HubServer, run: RunFolder) -> None:
    with pytest.raises(HubError, match="its commands name org/tiny-jav, not org/new: run `cogsym card run --name org/"):
        publish(run, "org/new", endpoint=hub.endpoint)
    assert hub.faults.requests == []


@pytest.mark.parametrize(
    "foreign", [{"config.json": b'{"model_type": "llama"}'}, {"config.json": b"no json"}, {"model.safetensors": b"w"}]
)
def test_another_model_is_never_overwritten(hub: HubServer, run: RunFolder, foreign: dict[str, bytes]) -> None:
    hub.store.add_files(REPO, foreign)
    with pytest.raises(HubError, match=f"org/tiny-jav holds another model .see its {next(iter(foreign))}"):
        publish(run, REPO, endpoint=hub.endpoint)
    assert hub.store.files(REPO) == foreign


def test_of_two_publishers_at_once_one_wins_and_the_other_is_told(
    hub: HubServer, run: RunFolder, tmp_path: Path
) -> None:
    other = make_run(tmp_path / "other", delta=b"of somebody else", score=60.0)
    publish(run, REPO, endpoint=hub.endpoint)
    newer(run)
    both_there = threading.Barrier(2, timeout=60)

    def meet(request: Request) -> None:
        if request.method == "POST" and "/commit/" in request.path:
            both_there.wait()

    hub.faults.rule = meet
    outcomes: dict[str, PublishReport | HubError] = {}

    def go(folder: RunFolder) -> None:
        try:
            outcomes[folder.root.name] = publish(folder, REPO, endpoint=hub.endpoint)
        except HubError as error:
            outcomes[folder.root.name] = error

    threads = [threading.Thread(target=go, args=(folder,)) for folder in (run, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lost = [name for name, outcome in outcomes.items() if isinstance(outcome, HubError)]
    assert len(lost) == 1, outcomes
    error = outcomes[lost[0]]
    assert isinstance(error, HubError)
    assert "somebody else changed org/tiny-jav in the meantime" in error.message
    assert "nothing of yours was written" in (error.hint or "")
    winner = other if lost == ["run"] else run
    assert hub.store.files(REPO) == contents(winner)
    assert len(titles(hub)) == 3


def test_what_comes_back_different_is_noticed(hub: HubServer, run: RunFolder) -> None:
    def spoil(request: Request) -> None:
        if request.method == "GET" and "/cdn/" in request.path:
            stored = hub.store.lfs / request.path.removeprefix("/cdn/")
            stored.write_bytes(bytes(stored.stat().st_size))

    hub.faults.rule = spoil
    with pytest.raises(
        HubError, match=r"org/tiny-jav@\w{12} came back different from what was sent: delta.safetensors"
    ):
        publish(run, REPO, endpoint=hub.endpoint)


def test_the_smoke_test_gets_a_fresh_download_that_is_thrown_away(hub: HubServer, run: RunFolder) -> None:
    seen: list[Path] = []

    def smoke(folder: Path) -> str:
        seen.append(folder)
        assert (folder / "delta.safetensors").read_bytes() == run.delta.read_bytes()
        assert RunFolder(folder).read_config().language == "jav"
        return "eng>jav: water -> banyu"

    report = publish(run, REPO, smoke=smoke, endpoint=hub.endpoint)
    assert report.smoke == "eng>jav: water -> banyu"
    assert not seen[0].exists()


def test_a_delta_that_does_not_work_after_all_is_reported(hub: HubServer, run: RunFolder) -> None:
    def smoke(folder: Path) -> str:
        raise DamagedDeltaError("chunk 3 fails its checksum", "make the delta again")

    with pytest.raises(HubError, match="org/tiny-jav is published, but does not work: chunk 3 fails its checksum"):
        publish(run, REPO, smoke=smoke, endpoint=hub.endpoint)


def test_a_slow_hub_is_waited_for(hub: HubServer, run: RunFolder) -> None:
    hub.faults.rule = lambda request: Slow(0.05)
    assert publish(run, REPO, endpoint=hub.endpoint).verified_files == len(contents(run))


def test_trees_of_many_pages_are_read_whole(hub: HubServer, run: RunFolder) -> None:
    hub.page_size = 2
    publish(run, REPO, endpoint=hub.endpoint)
    hub.faults.clear()
    assert not publish(run, REPO, verify=False, endpoint=hub.endpoint).changed
    assert len(sent(hub, "GET", "/tree/")) > 4


def test_the_collection_lists_it_and_its_note_follows_the_scores(hub: HubServer, run: RunFolder) -> None:
    report = publish(run, REPO, collection="CogSym deltas", endpoint=hub.endpoint)
    slug = "org/cogsym-deltas-" + "0" * 24
    assert report.notes == (f"listed in {hub.endpoint}/collections/{slug}",)
    (item,) = hub.store.collections[slug]["items"]
    assert item["id"] == REPO
    note = "Javanese for tiny-base. English → Javanese chrF++ {} (good, pocket phrasebook). {} on top of the base"
    assert item["note"]["text"] == note.format(71.2, "1.2 kB")
    publish(newer(run), REPO, collection="CogSym deltas", endpoint=hub.endpoint)
    (item,) = hub.store.collections[slug]["items"]
    assert item["note"]["text"] == note.format(75.5, "13 bytes")


def test_an_older_repository_points_to_the_new_one(hub: HubServer, run: RunFolder) -> None:
    publish(make_run(run.root.with_name("old"), repo_id="org/old-jav"), "org/old-jav", endpoint=hub.endpoint)
    card = hub.store.files("org/old-jav")["README.md"].decode()
    report = publish(newer(run), REPO, replaces="org/old-jav", endpoint=hub.endpoint)
    assert report.notes == ("org/old-jav points to org/tiny-jav",)
    changed = hub.store.files("org/old-jav")["README.md"].decode()
    assert changed == card.replace("---\n", "---\nnew_version: org/tiny-jav\n", 1)
    publish(run, REPO, replaces="org/old-jav", endpoint=hub.endpoint)
    assert titles(hub, "org/old-jav") == ["initial commit", TITLE, "Point to the new version, org/tiny-jav"]


def test_surroundings_that_cannot_be_updated_do_no_harm(hub: HubServer, run: RunFolder) -> None:
    hub.store.add_files("other/old", {"README.md": b"---\nlicense: mit\n---\n# Old\n"})
    report = publish(run, REPO, replaces="other/old", endpoint=hub.endpoint)
    assert report.changed
    assert "cannot point from other/old to the new version: you have no permission for other/old" in report.notes[0]


def test_a_trusted_publisher_needs_no_stored_token(
    hub: HubServer, run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("huggingface_hub._oidc", reason="this client knows no trusted publishers")
    hub.store.create(REPO)
    hub.store.trusted[REPO] = "ana"
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setenv("HF_OIDC_ID_TOKEN", "identity of the workflow")
    monkeypatch.setenv("HF_OIDC_RESOURCE", "org/another")
    with pytest.raises(HubError, match=r"no permission for org/tiny-jav \(no trusted publisher matches"):
        publish(run, REPO, endpoint=hub.endpoint)
    monkeypatch.setenv("HF_OIDC_RESOURCE", REPO)
    assert publish(run, REPO, endpoint=hub.endpoint).verified_files == len(contents(run))
    assert {request.token for request in hub.faults.requests if "/commit/" in request.path} == {"hf_jwt_" + "ci" * 20}


def test_pull_requests_leave_the_surroundings_alone(hub: HubServer, run: RunFolder) -> None:
    hub.store.add_files(REPO, {"README.md": b"# Ours"})
    publish(run, REPO, create_pr=True, collection="CogSym deltas", endpoint=hub.endpoint)
    assert hub.store.collections == {}
