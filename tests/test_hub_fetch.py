"""Bringing deltas and bases from a Hub that runs on this machine: pinned, resumed, checked, and offline afterwards."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path

import pytest
from hub_server import Cut, HubServer, Refuse, Status
from huggingface_hub import constants
from published_run import make_run

from toolkit.errors import DamagedDeltaError, HubError, OutputError
from toolkit.hub import fetch_base, fetch_config, fetch_delta, publish, pull, resume
from toolkit.run_folder import RunFolder

pytest_plugins = ("hub_server.fixtures",)
REPO, BASE = "org/tiny-jav", "meta/llama"
BASE_FILES = {
    "config.json": b"{}",
    "model-00001-of-00002.safetensors": b"one",
    "model-00002-of-00002.safetensors": b"two",
    "model.safetensors.index.json": b'{"weight_map": {"a": "model-00001-of-00002.safetensors", '
    b'"b": "model-00002-of-00002.safetensors"}}',
    "tokenizer.model": b"pieces",
    "LICENSE.txt": b"terms",
    "pytorch_model.bin": b"\x80\x04 pickled",
    "modeling_llama.py": b"import os",
    "original/consolidated.00.pth": b"\x80\x04 pickled",
}


@pytest.fixture
def published(hub: HubServer, tmp_path: Path) -> HubServer:
    """The Hub with one delta of 300 kB on it."""
    run = make_run(tmp_path / "run", delta=random.Random(0).randbytes(300_000))
    publish(run, REPO, verify=False, endpoint=hub.endpoint)
    hub.faults.clear()
    return hub


@pytest.fixture
def large_from_100_kb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resume, "RESUMED_BYTES", 100_000)
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 10_000)


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def head(hub: HubServer, repo_id: str = REPO) -> str:
    return hub.store.repositories[repo_id].refs["main"]


def test_a_delta_is_fetched_whole_and_nothing_else_with_it(published: HubServer, tmp_path: Path) -> None:
    published.store.add_files(REPO, {"evil.py": b"import os", "delta.bin": b"\x80\x04", "tokenizer.model": b""})
    folder = fetch_delta(REPO, endpoint=published.endpoint)
    assert folder.name == head(published)
    assert {name: (folder / name).read_bytes() for name in names(folder)} == {
        name: content
        for name, content in published.store.files(REPO).items()
        if name not in ("evil.py", "delta.bin", "tokenizer.model")
    }
    assert RunFolder(folder).read_config().language == "jav"


def test_a_pinned_delta_in_the_cache_needs_no_network_and_no_login(
    published: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fetch_delta(REPO, revision=head(published), endpoint=published.endpoint)
    published.faults.clear()
    published.close()
    monkeypatch.delenv("HF_TOKEN")
    assert fetch_delta(REPO, revision=head(published), endpoint=published.endpoint) == folder
    assert published.faults.requests == []


def test_an_unpinned_delta_follows_main(published: HubServer) -> None:
    first = fetch_delta(REPO, endpoint=published.endpoint)
    published.store.add_files(REPO, {"samples/more.jsonl": b"{}\n"})
    second = fetch_delta(REPO, endpoint=published.endpoint)
    assert first != second
    assert (second / "samples/more.jsonl").exists()
    assert fetch_delta(REPO, revision=first.name, endpoint=published.endpoint) == first


@pytest.mark.parametrize("fault", [Refuse(), Status(503)])
def test_what_is_in_the_cache_is_used_while_the_hub_is_away(published: HubServer, fault: Refuse | Status) -> None:
    folder = fetch_delta(REPO, endpoint=published.endpoint)
    published.faults.rule = lambda request: fault
    assert fetch_delta(REPO, endpoint=published.endpoint) == folder


def test_a_refusal_is_not_hidden_by_the_cache(published: HubServer) -> None:
    fetch_delta(REPO, endpoint=published.endpoint)
    published.faults.rule = lambda request: Status(404, "gone", "RepoNotFound")
    with pytest.raises(HubError, match="org/tiny-jav does not exist, or your account may not see it"):
        fetch_delta(REPO, endpoint=published.endpoint)


def test_offline_mode_uses_the_cache_and_asks_nobody(published: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HubError, match="org/tiny-jav is not on this machine, or only in part, and offline mode is on"):
        fetch_delta(REPO, local_files_only=True, endpoint=published.endpoint)
    folder = fetch_delta(REPO, endpoint=published.endpoint)
    published.faults.clear()
    assert fetch_delta(REPO, local_files_only=True, endpoint=published.endpoint) == folder
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert fetch_delta(REPO, endpoint=published.endpoint) == folder
    assert published.faults.requests == []
    with pytest.raises(HubError, match="org/other is not on this machine") as caught:
        fetch_delta("org/other", endpoint=published.endpoint)
    assert "unset HF_HUB_OFFLINE" in (caught.value.hint or "")


@pytest.mark.usefixtures("large_from_100_kb")
def test_a_download_that_was_cut_goes_on_where_it_stopped(published: HubServer) -> None:
    rest = iter([Cut(50_000), Cut(50_000)])
    published.faults.rule = lambda request: next(rest, Refuse()) if "/cdn/" in request.path else None
    with pytest.raises(HubError, match="run the same command again: it goes on where it stopped"):
        fetch_delta(REPO, endpoint=published.endpoint)
    (partial,) = Path(constants.HF_HUB_CACHE).rglob("*.cogsym.incomplete")
    arrived = partial.stat().st_size
    assert arrived >= 50_000
    published.faults.clear()
    folder = fetch_delta(REPO, endpoint=published.endpoint)
    asked = [request.range for request in published.faults.requests if "/cdn/" in request.path]
    assert asked[0] == f"bytes={arrived}-"
    assert (folder / "delta.safetensors").read_bytes() == published.store.files(REPO)["delta.safetensors"]


@pytest.mark.usefixtures("large_from_100_kb")
def test_a_partial_download_that_is_damaged_is_thrown_away(published: HubServer) -> None:
    published.faults.rule = lambda request: Cut(0) if "/cdn/" in request.path else None
    with pytest.raises(HubError):
        fetch_delta(REPO, endpoint=published.endpoint)
    (partial,) = Path(constants.HF_HUB_CACHE).rglob("*.cogsym.incomplete")
    partial.write_bytes(b"x" * 200_000)
    published.faults.clear()
    with pytest.raises(HubError, match=r"delta\.safetensors arrived damaged"):
        fetch_delta(REPO, endpoint=published.endpoint)
    assert fetch_delta(REPO, endpoint=published.endpoint)
    assert not list(Path(constants.HF_HUB_CACHE).rglob("*.cogsym.incomplete"))


@pytest.mark.usefixtures("large_from_100_kb")
def test_a_server_that_knows_no_ranges_is_no_trouble(published: HubServer) -> None:
    published.ranges = False
    first = iter([Cut(50_000)])
    published.faults.rule = lambda request: next(first, Refuse()) if "/cdn/" in request.path else None
    with pytest.raises(HubError):
        fetch_delta(REPO, endpoint=published.endpoint)
    published.faults.clear()
    with suppress(HubError):  # old clients need one more attempt
        fetch_delta(REPO, endpoint=published.endpoint)
    folder = fetch_delta(REPO, endpoint=published.endpoint)
    assert (folder / "delta.safetensors").read_bytes() == published.store.files(REPO)["delta.safetensors"]


@pytest.mark.usefixtures("large_from_100_kb")
def test_a_partial_download_longer_than_the_file_is_begun_anew(published: HubServer) -> None:
    published.faults.rule = lambda request: Cut(0) if "/cdn/" in request.path else None
    with pytest.raises(HubError):
        fetch_delta(REPO, endpoint=published.endpoint)
    (partial,) = Path(constants.HF_HUB_CACHE).rglob("*.cogsym.incomplete")
    partial.write_bytes(b"x" * 400_000)
    published.faults.clear()
    assert fetch_delta(REPO, endpoint=published.endpoint)


def test_a_delta_that_is_not_the_one_its_config_describes_is_refused(published: HubServer) -> None:
    published.store.add_files(REPO, {"delta.safetensors": b"swapped"})
    with pytest.raises(DamagedDeltaError, match=r"delta\.safetensors of org/tiny-jav has the sha256 \w+\.\.\., not"):
        fetch_delta(REPO, endpoint=published.endpoint)


def test_a_spoilt_cache_is_noticed_and_can_be_filled_again(published: HubServer) -> None:
    folder = fetch_delta(REPO, endpoint=published.endpoint)
    (folder / "delta.safetensors").resolve().write_bytes(b"bit rot")
    with pytest.raises(DamagedDeltaError) as caught:
        fetch_delta(REPO, endpoint=published.endpoint)
    assert "cogsym pull --force" in (caught.value.hint or "")
    assert pull(REPO, force=True, endpoint=published.endpoint).folder == folder
    assert fetch_delta(REPO, endpoint=published.endpoint) == folder


def test_a_repository_without_a_delta_is_told(hub: HubServer) -> None:
    hub.store.add_files("org/empty", {"README.md": b"# Nothing"})
    with pytest.raises(HubError, match="org/empty is not a published delta"):
        fetch_delta("org/empty", endpoint=hub.endpoint)
    hub.store.add_files("org/llama", {"config.json": b'{"model_type": "llama"}', "model.safetensors": b"w"})
    with pytest.raises(HubError, match="org/llama is not a published delta"):
        fetch_delta("org/llama", endpoint=hub.endpoint)


def test_missing_repositories_and_revisions_are_told_apart(
    published: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(HubError, match="cannot download org/nothing: org/nothing does not exist, or your account"):
        fetch_delta("org/nothing", endpoint=published.endpoint)
    with pytest.raises(HubError, match="org/tiny-jav has no such revision"):
        fetch_delta(REPO, revision="v9", endpoint=published.endpoint)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(HubError, match="org/nothing does not exist or is private, and you are not logged in"):
        fetch_delta("org/nothing", endpoint=published.endpoint)


def test_a_base_comes_without_pickles_and_code(hub: HubServer) -> None:
    hub.store.add_files(BASE, BASE_FILES)
    folder = fetch_base(BASE, endpoint=hub.endpoint)
    assert names(folder) == set(BASE_FILES) - {"pytorch_model.bin", "modeling_llama.py", "original/consolidated.00.pth"}


def test_the_configuration_of_a_base_comes_alone(hub: HubServer) -> None:
    hub.store.add_files(BASE, BASE_FILES)
    assert names(fetch_config(BASE, endpoint=hub.endpoint)) == {"config.json"}
    with pytest.raises(HubError, match="meta/none"):
        fetch_config("meta/none", endpoint=hub.endpoint)


def test_a_gated_base_is_asked_for_before_anything_is_downloaded(hub: HubServer) -> None:
    hub.store.add_files(BASE, BASE_FILES)
    hub.store.repositories[BASE].gated = True
    with pytest.raises(HubError, match="meta/llama is gated, and your account has no access to it yet") as caught:
        fetch_base(BASE, endpoint=hub.endpoint)
    hint = caught.value.hint or ""
    assert f"ask for access at {hub.endpoint}/meta/llama" in hint
    assert "hf auth login" in hint
    assert "--base FOLDER" in hint
    assert [request.path for request in hub.faults.requests] == ["/api/models/meta/llama/auth-check"]
    hub.store.granted.add(("ana", BASE))
    assert fetch_base(BASE, endpoint=hub.endpoint).is_dir()


def test_a_gated_base_asks_strangers_to_log_in(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.store.add_files(BASE, BASE_FILES)
    hub.store.repositories[BASE].gated = True
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(HubError, match="meta/llama is gated, and you are not logged in"):
        fetch_base(BASE, endpoint=hub.endpoint)


def test_a_gated_base_that_is_pinned_and_here_already_is_not_asked_for(
    hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.store.add_files(BASE, BASE_FILES)
    folder = fetch_base(BASE, revision=head(hub, BASE), endpoint=hub.endpoint)
    hub.store.repositories[BASE].gated = True
    monkeypatch.delenv("HF_TOKEN")
    assert fetch_base(BASE, revision=head(hub, BASE), endpoint=hub.endpoint) == folder


def test_half_a_base_in_the_cache_is_completed(hub: HubServer) -> None:
    hub.store.add_files(BASE, BASE_FILES)
    pinned = head(hub, BASE)
    (fetch_base(BASE, revision=pinned, endpoint=hub.endpoint) / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(HubError, match=f"meta/llama@{pinned} is not on this machine, or only in part"):
        fetch_base(BASE, revision=pinned, local_files_only=True, endpoint=hub.endpoint)
    folder = fetch_base(BASE, revision=pinned, endpoint=hub.endpoint)
    assert (folder / "model-00002-of-00002.safetensors").read_bytes() == b"two"


def test_a_base_of_pickles_alone_is_refused(hub: HubServer) -> None:
    hub.store.add_files(BASE, {"config.json": b"{}", "pytorch_model.bin": b"\x80\x04"})
    with pytest.raises(HubError, match="meta/llama holds no weights in safetensors"):
        fetch_base(BASE, endpoint=hub.endpoint)


def test_pull_lays_plain_files_into_a_folder(published: HubServer, tmp_path: Path) -> None:
    report = pull(REPO, out=tmp_path / "jav", endpoint=published.endpoint)
    assert report.commit == head(published)
    assert names(tmp_path / "jav") == set(published.store.files(REPO))
    assert not any(path.is_symlink() for path in (tmp_path / "jav").rglob("*"))
    assert report.size_bytes == sum(map(len, published.store.files(REPO).values()))
    before = (tmp_path / "jav").stat().st_ino
    pull(REPO, out=tmp_path / "jav", endpoint=published.endpoint)
    assert (tmp_path / "jav").stat().st_ino == before


def test_pull_replaces_an_older_delta_and_nothing_else(published: HubServer, tmp_path: Path) -> None:
    pull(REPO, out=tmp_path / "jav", endpoint=published.endpoint)
    published.store.add_files(REPO, {"samples/more.jsonl": b"{}\n"})
    pull(REPO, out=tmp_path / "jav", endpoint=published.endpoint)
    assert (tmp_path / "jav/samples/more.jsonl").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("mine")
    published.faults.clear()
    with pytest.raises(OutputError, match=r"mine holds files that no publication has: notes\.txt"):
        pull(REPO, out=tmp_path / "mine", endpoint=published.endpoint)
    assert published.faults.requests == [], "refused before anything is downloaded"


def test_pull_wants_a_repository(hub: HubServer) -> None:
    with pytest.raises(HubError, match=r"'\./jav' names no Hub repository"):
        pull("./jav", endpoint=hub.endpoint)


def test_a_pulled_delta_can_be_published_again(published: HubServer, tmp_path: Path) -> None:
    pull(REPO, out=tmp_path / "jav", endpoint=published.endpoint)
    assert not publish(RunFolder(tmp_path / "jav"), REPO, endpoint=published.endpoint).changed
