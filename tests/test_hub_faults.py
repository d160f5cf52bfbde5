"""Publishing when the connection breaks at any point, and when the Hub says no: never half, always with advice."""

from __future__ import annotations

import itertools
import logging
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_server import TOKEN, Fault, HubServer, Lose, Refuse, Status
from huggingface_hub import constants
from huggingface_hub.errors import EntryNotFoundError, HFValidationError, LocalTokenNotFoundError
from published_run import REPO, make_run

from hub_cards import write_card
from toolkit.errors import HubError
from toolkit.hub import publish, pull, search
from toolkit.hub.failures import explain, hub_errors
from toolkit.run_folder import RunFolder

pytest_plugins = ("hub_server.fixtures",)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return make_run(tmp_path / "run")


def contents(run: RunFolder) -> dict[str, bytes]:
    private = ("checkpoints", "trained", "tasks", "recipe.yaml", "metrics.jsonl")
    paths = [path for path in run.root.rglob("*") if path.is_file()]
    named = {path.relative_to(run.root).as_posix(): path.read_bytes() for path in paths}
    return {path: content for path, content in named.items() if not path.startswith(private)}


def slim(run: RunFolder, delta: bytes = b"delta") -> RunFolder:
    """The smallest run that may be published, so that all its requests can be cut one by one."""
    shutil.rmtree(run.root)
    made = make_run(run.root, delta=delta)
    for folder in (made.samples, made.evaluation_records):
        shutil.rmtree(folder)
    write_card(made, name=REPO)
    shutil.rmtree(made.figures)
    made.card.write_text(re.sub(r"!\[.*\n", "", made.card.read_text()))
    return made


def publish_cut_at(hub: HubServer, run: RunFolder, number: int, fault: Fault, **options: bool) -> bool:
    """Publish to a server that is gone from this request on; whether it came to that."""
    hub.faults.clear()
    hub.faults.from_request(number, fault)
    try:
        publish(run, REPO, endpoint=hub.endpoint, **options)  # type: ignore[arg-type]
    except HubError as error:
        told = error.hint
    else:
        told = None
    reached = len(hub.faults.requests) > number
    hub.faults.clear()
    assert reached == ("run the same command again" in (told or "")), f"told after a cut at request {number}: {told}"
    return reached


@pytest.mark.parametrize("fault", [Refuse(), Lose(), Status(503)], ids=["refused", "answer lost", "503"])
def test_cut_at_any_request_a_first_publish_leaves_all_or_nothing(hub: HubServer, run: RunFolder, fault: Fault) -> None:
    whole = contents(slim(run))
    for number in itertools.count():
        hub.store.reset()
        if not publish_cut_at(hub, run, number, fault):
            break
        if REPO in hub.store.repositories:
            assert hub.store.files(REPO) in ({}, whole), f"half a publication after request {number}"
        publish(run, REPO, verify=False, endpoint=hub.endpoint)
        assert hub.store.files(REPO) == whole
        assert len(hub.store.repositories[REPO].commits) == 2, f"two commits after a cut at request {number}"
    assert number > 15


@pytest.mark.parametrize("fault", [Refuse(), Lose()], ids=["refused", "answer lost"])
@pytest.mark.parametrize("create_pr", [False, True], ids=["commit", "pull request"])
def test_cut_at_any_request_a_new_version_is_there_whole_or_not_at_all(
    hub: HubServer, run: RunFolder, fault: Fault, create_pr: bool
) -> None:
    old, new = contents(slim(run)), contents(slim(run, b"a newer delta"))
    for number in itertools.count():
        hub.store.reset()
        hub.store.add_files(REPO, old)
        if not publish_cut_at(hub, run, number, fault, create_pr=create_pr):
            break
        repository = hub.store.repositories[REPO]
        states = [hub.store.files(REPO, name) for name in repository.refs]
        assert all(state in (old, new) for state in states), f"half a version after request {number}"
        publish(run, REPO, create_pr=create_pr, verify=False, endpoint=hub.endpoint)
        assert hub.store.files(REPO) == (old if create_pr else new)
        assert hub.store.files(REPO, "refs/pr/1" if create_pr else "main") == new
        assert len(repository.pulls) == int(create_pr), f"a second pull request after a cut at request {number}"
        assert len(repository.commits) == 3
    assert number > 15


def test_what_was_uploaded_before_a_cut_is_not_uploaded_again(hub: HubServer, run: RunFolder) -> None:
    hub.faults.always("POST", "/commit/", Refuse())
    with pytest.raises(HubError, match="run the same command again: it goes on where it stopped"):
        publish(run, REPO, endpoint=hub.endpoint)
    assert len([r for r in hub.faults.requests if r.method == "PUT"]) == 3
    hub.faults.clear()
    publish(run, REPO, endpoint=hub.endpoint)
    assert not [r for r in hub.faults.requests if r.method == "PUT"]


def test_a_hiccup_of_the_storage_is_not_even_noticed(hub: HubServer, run: RunFolder) -> None:
    hub.faults.once("PUT", "/upload/", Status(500))
    assert publish(run, REPO, endpoint=hub.endpoint).changed


REFUSALS = [
    (Status(401), "the Hub does not accept your token", "renew it with `hf auth login`"),
    (Status(403, "Forbidden"), r"you have no permission for org/tiny-jav \(Forbidden\)", "publish with --create-pr"),
    (Status(404, "gone", "RepoNotFound"), "org/tiny-jav does not exist, or your account", "check the spelling"),
    (Status(409), "somebody else changed org/tiny-jav in the meantime", "nothing of yours was written"),
    (Status(412), "somebody else changed org/tiny-jav in the meantime", "nothing of yours was written"),
    (Status(413, "too large"), r"the Hub refused it \(413\) \(too large\)", "correct what it names"),
    (Status(416), "a file changed while it was being downloaded", "run the same command again"),
    (Status(429), "too many requests in a short time", "wait five minutes, then run the same command again"),
    (Status(500, "oops"), r"the Hub has a fault \(500\) \(oops\)", "wait a little, then run the same command again"),
    (Status(504), r"the Hub has a fault \(504\)", "wait a little"),
]


@pytest.mark.parametrize(("fault", "message", "hint"), REFUSALS, ids=[str(fault.code) for fault, *_ in REFUSALS])
def test_every_refusal_of_a_commit_says_what_to_do(
    hub: HubServer, run: RunFolder, fault: Status, message: str, hint: str
) -> None:
    hub.faults.always("POST", "/commit/", fault)
    with pytest.raises(HubError, match="cannot publish to org/tiny-jav: " + message) as caught:
        publish(run, REPO, endpoint=hub.endpoint)
    assert hint in (caught.value.hint or "")
    assert hub.store.files(REPO) == {}


@pytest.mark.parametrize(
    ("method", "part"),
    [("GET", "/api/models/"), ("POST", "/repos/create"), ("POST", "/preupload/"), ("POST", "/lfs/objects/batch")],
)
def test_a_lack_of_rights_is_told_wherever_it_shows(hub: HubServer, run: RunFolder, method: str, part: str) -> None:
    hub.faults.always(method, part, Status(403, "Forbidden"))
    with pytest.raises(HubError, match="you have no permission for org/tiny-jav"):
        publish(run, REPO, endpoint=hub.endpoint)


def test_a_foreign_organisation_is_told_apart(hub: HubServer, tmp_path: Path) -> None:
    with pytest.raises(HubError, match=r"no permission for eve/jav .*rights to create a model under the namespace eve"):
        publish(make_run(tmp_path / "eve", repo_id="eve/jav"), "eve/jav", endpoint=hub.endpoint)


def test_without_a_login_nothing_is_sent(hub: HubServer, run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(HubError, match="cannot publish to org/tiny-jav: you are not logged in") as caught:
        publish(run, REPO, endpoint=hub.endpoint)
    assert "hf auth login" in (caught.value.hint or "")
    assert hub.faults.requests == []


def test_a_wrong_token_is_named_as_such_but_never_shown(
    hub: HubServer, run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_" + "wRoNg" * 8)
    with pytest.raises(HubError, match="does not accept your token") as caught:
        publish(run, REPO, endpoint=hub.endpoint)
    assert "wRoNg" not in str(caught.value)


def test_offline_mode_says_so(hub: HubServer, run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(HubError, match="offline mode is on") as caught:
        publish(run, REPO, endpoint=hub.endpoint)
    assert "unset HF_HUB_OFFLINE" in (caught.value.hint or "")


def test_a_server_that_is_not_there_says_so(hub: HubServer, run: RunFolder) -> None:
    hub.close()
    with pytest.raises(HubError, match=r"cannot publish to org/tiny-jav: the connection .* failed"):
        publish(run, REPO, endpoint=hub.endpoint)


@pytest.mark.parametrize(
    ("error", "message", "hint"),
    [
        (
            RuntimeError("Data processing error: CAS service error"),
            "the transfer failed (Data processing",
            "DISABLE_XET",
        ),
        (ValueError("LFS batch API returned errors:\nquota"), "the transfer failed (LFS batch API", "run the same"),
        (type("OIDCError", (Exception,), {})("no identity"), "no identity", "docs/hub/trusted-publishers"),
        (LocalTokenNotFoundError("x"), "you are not logged in", "hf auth login"),
        (EntryNotFoundError("x"), "a file is missing in org/tiny-jav", "published delta"),
        (HFValidationError("Repo id must be"), "Repo id must be", "org/name"),
    ],
)
def test_errors_without_an_answer_are_told_too(error: Exception, message: str, hint: str) -> None:
    told = explain(error, "publish", REPO)
    assert told is not None
    assert told.message.startswith(f"cannot publish: {message}")
    assert hint in (told.hint or "")


@pytest.mark.parametrize("error", [ValueError("ours"), OSError(28, "No space left on device"), KeyError("ours")])
def test_errors_that_are_not_of_the_hub_are_left_alone(error: Exception) -> None:
    assert explain(error, "publish", REPO) is None
    with pytest.raises(type(error)), hub_errors("publish", REPO):
        raise error


def errors_of_all_kinds(hub: HubServer, run: RunFolder) -> Iterator[str]:
    """Everything that a user can be told while publishing and fetching fails in every way."""
    faults: list[Fault] = [Refuse(), *(fault for fault, *_ in REFUSALS)]
    for fault in faults:
        hub.faults.rule = lambda request, fault=fault: fault  # type: ignore[misc]
        for attempt in (
            lambda: publish(run, REPO, endpoint=hub.endpoint),
            lambda: pull(REPO, cache_dir=run.root / "fresh", endpoint=hub.endpoint),
            lambda: search(endpoint=hub.endpoint),
        ):
            with pytest.raises(HubError) as caught:
                attempt()
            yield str(caught.value)
            # A traceback shows these.
            yield repr(caught.value.__cause__)


def test_the_token_is_in_nothing_that_is_written_or_told(
    hub: HubServer,
    run: RunFolder,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with caplog.at_level(logging.DEBUG):
        publish(run, REPO, endpoint=hub.endpoint)
        pull(REPO, out=tmp_path / "pulled", endpoint=hub.endpoint)
        told = list(errors_of_all_kinds(hub, run))
    assert len(told) == 66
    assert any(request.token == TOKEN for request in hub.faults.requests), "the token was in use"
    assert not any(TOKEN in text for text in told)
    assert TOKEN not in caplog.text
    assert not any(TOKEN in text for text in capfd.readouterr())
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 30
    assert [path for path in written if TOKEN.encode() in path.read_bytes()] == []


def test_a_token_that_the_hub_itself_repeats_is_hidden(hub: HubServer, run: RunFolder) -> None:
    hub.faults.rule = lambda request: Status(400, f"your token {TOKEN} is bad")
    with pytest.raises(HubError, match=r"the Hub refused it \(400\) \(your token \[token hidden\] is bad\)"):
        publish(run, REPO, endpoint=hub.endpoint)


def test_the_token_never_goes_to_the_storage_of_another_origin(hub: HubServer, run: RunFolder) -> None:
    publish(run, REPO, endpoint=hub.endpoint)
    elsewhere = [request for request in hub.faults.requests if request.host.startswith("localhost")]
    assert elsewhere
    assert all(request.token is None for request in elsewhere)
