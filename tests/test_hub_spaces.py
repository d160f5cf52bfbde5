"""Spaces: made and renewed over published deltas, on a Hub that runs on this machine and in a folder; and run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hub_server import TOKEN, HubServer, Refuse
from published_run import BASE, make_run

from hub_cards.metadata import read_front_matter
from toolkit import __version__
from toolkit.errors import HubError, OutputError
from toolkit.hub import PublishReport, publish, push_space, space_files

pytest_plugins = ("hub_server.fixtures",)
JAVANESE, SPACE = "org/tiny-jav", "org/translator"
STORED = f"spaces/{SPACE}"
VERSIONS = {"gradio": "6.31.0", "transformers": "5.23.0"}


@pytest.fixture
def shelf(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HubServer:
    """A Hub with a delta and its base, seen by a toolkit that came from PyPI."""
    publish(make_run(tmp_path / "run"), JAVANESE, verify=False, endpoint=hub.endpoint)
    hub.store.add_files(BASE.id, {"config.json": b"{}", "model.safetensors": b"w", "pytorch_model.bin": b"p"})
    repository = hub.store.repositories[BASE.id]
    repository.refs["c" * 40] = repository.refs["main"]  # the commit that the delta names
    monkeypatch.setattr(space_files, "_from_elsewhere", lambda: f"cogsym-toolkit=={__version__}")
    monkeypatch.setattr("importlib.metadata.version", lambda name: VERSIONS[name])
    hub.faults.clear()
    return hub


def push(hub: HubServer, *deltas: str, target: str | Path = SPACE, **options: Any) -> PublishReport:
    return push_space(target, deltas, endpoint=hub.endpoint, **options)


def head(hub: HubServer, repo_id: str = JAVANESE) -> str:
    return hub.store.repositories[repo_id].refs["main"]


def titles(hub: HubServer) -> list[str]:
    return [commit.title for commit in hub.store.repositories[STORED].commits.values()]


def make_wheel(folder: Path, *, version: str = __version__, name: str = "cogsym-toolkit", page: bool = True) -> Path:
    """A wheel with as much of the toolkit in it as a Space's app.py calls."""
    path = folder / f"cogsym_toolkit-{version}-py3-none-any.whl"
    requires = "Requires-Dist: torch>=2.6\nRequires-Dist: gradio>=6\nRequires-Dist: peft>=0.18; extra == 'lora'\n"
    with zipfile.ZipFile(path, "w") as wheel:
        fields = f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n{requires}\n"
        wheel.writestr(f"cogsym_toolkit-{version}.dist-info/METADATA", fields)
        wheel.writestr("toolkit/__init__.py", "")
        wheel.writestr("toolkit/cli/__init__.py", "")
        wheel.writestr(
            "toolkit/cli/space.py",
            "from pathlib import Path\ndef page_folder(): return Path(__file__).parents[1] / 'space'\n",
        )
        if page:
            wheel.writestr(
                "toolkit/space/app.py",
                "import os, sys\nprint(__name__, os.environ['COGSYM_DELTAS'].split(), sys.path[0])",
            )
    return path


def test_a_space_is_one_commit_of_three_files_over_pinned_deltas(shelf: HubServer) -> None:
    report = push(shelf, JAVANESE)
    files = shelf.store.files(STORED)
    assert sorted(files) == ["README.md", "app.py", "requirements.txt"]
    assert titles(shelf) == ["initial commit", "Update the CogSym translation page"]
    assert report.verified_files == 3
    assert report.url == f"{shelf.endpoint}/spaces/{SPACE}"
    assert report.commit_url == f"{report.url}/commit/{shelf.store.repositories[STORED].refs['main']}"
    assert f"{JAVANESE}@{head(shelf)}" in files["app.py"].decode().splitlines()
    assert files["requirements.txt"].decode() == f"cogsym-toolkit=={__version__}\ntransformers==5.23.0\n"
    fields = read_front_matter(files["README.md"].decode())
    assert (fields["sdk"], fields["sdk_version"], fields["suggested_hardware"]) == ("gradio", "6.31.0", "cpu-basic")
    assert fields["models"] == [JAVANESE, BASE.id]
    delta, base = fields["preload_from_hub"]
    assert delta == (
        f"{JAVANESE} config.json,delta.safetensors,records/card.json,records/delta.json,"
        f"records/evaluation/adapted_eng_jav.json,records/training.json {head(shelf)}"
    )
    assert base == f"{BASE.id} config.json,model.safetensors {head(shelf, BASE.id)}"


def test_pushing_again_makes_no_commit_and_a_newer_delta_makes_one(shelf: HubServer, tmp_path: Path) -> None:
    first = push(shelf, JAVANESE)
    second = push(shelf, JAVANESE)
    assert (second.changed, second.commit) == (False, first.commit)
    publish(make_run(tmp_path / "newer", delta=b"newer", score=80.0), JAVANESE, verify=False, endpoint=shelf.endpoint)
    third = push(shelf, JAVANESE)
    assert set(third.uploads) == {"README.md", "app.py"}
    assert head(shelf) in shelf.store.files(STORED)["app.py"].decode()
    pinned = push(shelf, f"{JAVANESE}@{list(shelf.store.repositories[JAVANESE].commits)[1]}")
    assert set(pinned.uploads) == {"README.md", "app.py"}
    assert pinned.commit != first.commit
    assert shelf.store.repositories[STORED].main().files == shelf.store.repositories[STORED].at(first.commit).files


def test_without_names_a_space_serves_what_its_owner_has_published(shelf: HubServer) -> None:
    shelf.store.add_files("org/broken", {"README.md": b"---\ntags: [cogsym-delta]\n---\n"})
    shelf.store.add_files("eve/sun", {"README.md": b"---\ntags: [cogsym-delta]\n---\n"})
    report = push(shelf)
    assert f"{JAVANESE}@{head(shelf)}" in shelf.store.files(STORED)["app.py"].decode()
    assert report.notes == ("left out org/broken: org/broken is not a published delta",)
    with pytest.raises(HubError, match="eve has published no delta that can be read"):
        push(shelf, target="eve/space")


def test_a_dry_run_lists_the_files_and_asks_the_hub_about_the_card_alone(shelf: HubServer) -> None:
    report = push(shelf, JAVANESE, dry_run=True)
    assert report.ok
    assert sorted(report.uploads) == ["README.md", "app.py", "requirements.txt"]
    assert [check.name for check in report.checks] == ["one base", "toolkit", "files", "card, by the Hub"]
    assert STORED not in shelf.store.repositories
    assert {(r.method, r.path) for r in shelf.faults.requests if r.method not in ("GET", "HEAD")} == {
        ("POST", "/api/validate-yaml")
    }
    assert {file["path"] for file in report.as_dict()["files"]} == set(report.uploads)
    shelf.store.complaint = "no such colour"
    assert push(shelf, JAVANESE, dry_run=True).checks[-1].problems == ("no such colour",)
    with pytest.raises(HubError, match="card, by the Hub: no such colour"):
        push(shelf, JAVANESE)
    assert STORED not in shelf.store.repositories


def test_a_space_can_be_private_on_a_branch_and_a_pull_request(shelf: HubServer) -> None:
    push(shelf, JAVANESE, private=True)
    assert shelf.store.repositories[STORED].private
    before = shelf.store.files(STORED)
    assert push(shelf, JAVANESE, title="Another title", create_pr=True).pull_request == 1
    assert push(shelf, JAVANESE, title="A third title", create_pr=True).pull_request == 1
    assert push(shelf, JAVANESE, title="A branch", revision="v2").url == f"{shelf.endpoint}/spaces/{SPACE}"
    assert shelf.store.files(STORED) == before
    assert b"# A third title" in shelf.store.files(STORED, "refs/pr/1")["README.md"]
    assert b"# A branch" in shelf.store.files(STORED, "v2")["README.md"]


def test_another_space_is_never_overwritten_and_an_empty_one_is_filled(shelf: HubServer) -> None:
    shelf.store.add_files(STORED, {"README.md": b"---\nsdk: gradio\n---\n", "app.py": b"years of work"})
    with pytest.raises(HubError, match="org/translator holds another Space, which a push would overwrite"):
        push(shelf, JAVANESE)
    assert shelf.store.files(STORED)["app.py"] == b"years of work"
    shelf.store.add_files("spaces/org/fresh", {"README.md": b"---\nsdk: gradio\n---\n"})
    assert push(shelf, JAVANESE, target="org/fresh").changed


def test_a_folder_gets_the_same_files_and_only_its_own_are_replaced(shelf: HubServer, tmp_path: Path) -> None:
    push(shelf, JAVANESE)
    folder = tmp_path / "space"
    assert push(shelf, JAVANESE, target=folder).changed
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == shelf.store.files(STORED)
    assert not push(shelf, JAVANESE, target=folder).changed
    assert push(shelf, JAVANESE, target=folder, title="New").uploads == ("README.md",)
    (folder / "README.md").write_text("# Mine")
    with pytest.raises(OutputError, match="is not empty, and not a Space that was pushed before"):
        push(shelf, JAVANESE, target=folder)
    with pytest.raises(HubError, match="is a folder"):
        push(shelf, JAVANESE, target=folder, create_pr=True)
    with pytest.raises(HubError, match="no delta is named"):
        push(shelf, target=tmp_path / "new")


def test_what_a_build_cannot_fetch_is_said(shelf: HubServer) -> None:
    shelf.store.repositories[JAVANESE].private = True
    shelf.store.repositories[BASE.id].gated = True
    report = push(shelf, JAVANESE, dry_run=True)
    assert report.notes == (
        f"{JAVANESE} is private: give the Space a secret HF_TOKEN, in its settings, that may read it",
        f"{BASE.id} is gated: give the Space a secret HF_TOKEN, in its settings, that may read it",
    )
    push(shelf, JAVANESE)
    assert "preload_from_hub" not in read_front_matter(shelf.store.files(STORED)["README.md"].decode())
    del shelf.store.repositories[BASE.id]
    assert f"{BASE.id} cannot be seen from here" in push(shelf, JAVANESE, dry_run=True).notes[1]


def test_deltas_over_two_bases_are_refused_before_anything_is_made(shelf: HubServer, tmp_path: Path) -> None:
    other = make_run(tmp_path / "other", base=BASE.model_copy(update={"id": "tests/other"}), repo_id="org/other")
    for name in ("config.json", "records/delta.json", "records/evaluation/adapted_eng_jav.json", "records/card.json"):
        path = other.root / name
        path.write_text(path.read_text().replace("b" * 64, "a" * 64))
    publish(other, "org/other", verify=False, endpoint=shelf.endpoint)
    with pytest.raises(HubError, match=r"org/other is for tests/other@c{12}, org/tiny-jav for tests/tiny-base@c{12}"):
        push(shelf, JAVANESE, "org/other")
    assert STORED not in shelf.store.repositories


@pytest.mark.parametrize(
    ("delta", "message"),
    [
        ("./runs/jav", "'./runs/jav' is not on the Hub"),
        ("org/nothing", "cannot look at org/nothing: org/nothing does not exist"),
        ("tests/tiny-base", "tests/tiny-base is not a published delta"),
        (f"{JAVANESE}@nowhere", "org/tiny-jav has no such revision"),
    ],
)
def test_what_cannot_be_served_is_named(shelf: HubServer, delta: str, message: str) -> None:
    with pytest.raises(HubError, match=message):
        push(shelf, delta)


def test_a_cut_push_leaves_the_old_space_or_the_new_one_and_goes_on(shelf: HubServer) -> None:
    push(shelf, JAVANESE)
    old = shelf.store.files(STORED)
    shelf.faults.clear()
    push(shelf, JAVANESE, title="New")
    requests = len(shelf.faults.requests)
    new = shelf.store.files(STORED)
    failed = 0
    for number in range(requests):
        repository = shelf.store.repositories[STORED]
        repository.commit("main", "back", {**repository.main().files, **_blobs(shelf, old)}, repository.refs["main"])
        shelf.faults.clear()
        shelf.faults.from_request(number, Refuse())
        try:
            push(shelf, JAVANESE, title="New")
        except HubError:
            failed += 1
        assert shelf.store.files(STORED) in (old, new)
        shelf.faults.clear()
        push(shelf, JAVANESE, title="New")
        assert shelf.store.files(STORED) == new
    assert failed >= requests - 1, "the first push also fetched a file that the cache has since"


def _blobs(hub: HubServer, files: dict[str, bytes]) -> dict[str, Any]:
    return {path: hub.store.blob(path, content) for path, content in files.items()}


def test_a_toolkit_that_pip_cannot_find_is_refused_with_what_to_do(
    shelf: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(space_files, "_from_elsewhere", lambda: space_files.pip_requirement(_Installed(None)))
    assert push(shelf, JAVANESE, dry_run=True).ok
    monkeypatch.setattr(
        space_files, "_from_elsewhere", lambda: space_files.pip_requirement(_Installed({"url": "file:///src"}))
    )
    report = push(shelf, JAVANESE, dry_run=True)
    (problem,) = next(check.problems for check in report.checks if check.name == "toolkit")
    assert "was installed from files of this machine" in problem
    assert f"--wheel dist/cogsym_toolkit-{__version__}-" in problem
    with pytest.raises(HubError, match="the Space org/translator is not ready to be published"):
        push(shelf, JAVANESE)


class _Installed:
    """As much of a distribution as says where it came from."""

    def __init__(self, origin: Any, version: str = __version__) -> None:
        self.version, self._origin = version, origin

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return None if self._origin is None else json.dumps(self._origin)


VCS = {"vcs": "git", "commit_id": "f" * 40}


@pytest.mark.parametrize(
    ("installed", "line"),
    [
        (_Installed(None), f"cogsym-toolkit=={__version__}"),
        (
            _Installed({"url": "https://example.org/c.git", "vcs_info": VCS}),
            f"cogsym-toolkit @ git+https://example.org/c.git@{'f' * 40}",
        ),
        (_Installed({"url": "https://user:secret@example.org/c.git", "vcs_info": VCS}), None),
        (_Installed({"url": "file:///home/ana/cogsym", "dir_info": {"editable": True}}), None),
        (_Installed(None, "0.0.9"), None),
        (None, None),
    ],
)
def test_the_requirement_is_exactly_what_runs_here(installed: Any, line: str | None) -> None:
    if line:
        assert space_files.pip_requirement(installed) == line
        return
    with pytest.raises(HubError, match="a Space cannot install it") as refused:
        space_files.pip_requirement(installed)
    assert "secret" not in str(refused.value)


def test_a_wheel_goes_along_and_app_py_runs_the_page_in_it(shelf: HubServer, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path)
    push(shelf, JAVANESE, wheel=wheel)
    assert shelf.store.files(STORED)[wheel.name] == wheel.read_bytes()
    assert shelf.store.files(STORED)["requirements.txt"].decode() == "torch>=2.6\ntransformers==5.23.0\n"
    folder = tmp_path / "space"
    push(shelf, JAVANESE, wheel=wheel, target=folder)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-S", "-E", str(folder / "app.py")]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", env=environment, check=True)
    assert done.stdout.startswith(f"__main__ ['{JAVANESE}@{head(shelf)}']")
    assert done.stdout.rstrip().endswith("toolkit/space")
    (folder / wheel.name).rename(folder / "cogsym_toolkit-0.0.1-py3-none-any.whl")
    assert push(shelf, JAVANESE, wheel=wheel, target=folder).deletions == ("cogsym_toolkit-0.0.1-py3-none-any.whl",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"version": "0.0.1"}, r"is of version 0\.0\.1, but .* runs here"),
        ({"name": "other"}, "is not a wheel of cogsym-toolkit with its page"),
        ({"page": False}, "is not a wheel of cogsym-toolkit with its page"),
    ],
)
def test_a_wheel_of_something_else_is_refused(
    shelf: HubServer, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(HubError, match=message):
        push(shelf, JAVANESE, wheel=make_wheel(tmp_path, **options))
    assert STORED not in shelf.store.repositories


def test_a_wheel_under_another_name_is_refused(shelf: HubServer, tmp_path: Path) -> None:
    renamed = make_wheel(tmp_path).rename(tmp_path / "mine.whl")
    with pytest.raises(HubError, match=r"mine\.whl is not a wheel of cogsym-toolkit with its page"):
        push(shelf, JAVANESE, wheel=renamed)


def test_a_strangers_file_names_cannot_change_what_is_preloaded(shelf: HubServer) -> None:
    shelf.store.add_files(JAVANESE, {"records/a.json org/evil": b"{}", "records/a,b.json": b"{}"})
    push(shelf, JAVANESE)
    delta, _ = read_front_matter(shelf.store.files(STORED)["README.md"].decode())["preload_from_hub"]
    assert delta.count(" ") == 2
    assert "evil" not in delta
    assert "a,b" not in delta


def test_a_file_that_is_no_wheel_is_refused(shelf: HubServer, tmp_path: Path) -> None:
    path = tmp_path / f"cogsym_toolkit-{__version__}-py3-none-any.whl"
    path.write_bytes(b"no zip")
    with pytest.raises(HubError, match="is no wheel"):
        push(shelf, JAVANESE, wheel=path)


def test_the_index_lists_what_an_organisation_has_published(
    shelf: HubServer, cogsym: Callable[..., Any], tmp_path: Path
) -> None:
    shelf.store.add_files("org/broken", {"README.md": b"---\ntags: [cogsym-delta]\n---\n"})
    listed = cogsym("index", "--author", "org", "--organisation")
    assert listed.code == 0
    assert "[Javanese](https://huggingface.co/org/tiny-jav)" in listed.out
    assert "left out org/broken" in listed.err
    assert cogsym("index", JAVANESE, "--title", "Java").out.startswith("# Java\n")
    assert cogsym("index", tmp_path / "run", JAVANESE).out.count("Basa Jawa") == 2
    assert "there is no delta to list" in cogsym("index").err


def test_the_verb_plans_and_pushes(shelf: HubServer, cogsym: Callable[..., Any], tmp_path: Path) -> None:
    planned = cogsym("space", "push", SPACE, "--delta", JAVANESE, "--dry-run")
    assert planned.code == 0
    assert "app.py" in planned.out
    assert f"would publish to {SPACE}: 3 files" in planned.out
    done = cogsym("space", "push", SPACE, "--delta", JAVANESE)
    assert f"published to {shelf.endpoint}/spaces/{SPACE}: 3 files" in done.out
    assert "nothing to do" in cogsym("space", "push", SPACE, "--delta", JAVANESE).out
    folder = cogsym("space", "push", tmp_path / "space", "--delta", JAVANESE, "--json")
    assert json.loads(folder.out)["verified_files"] == 3
    refused = cogsym("space", "push", SPACE, "--delta", JAVANESE, "--wheel", tmp_path / "no.whl", "--dry-run")
    assert refused.code == 1
    assert "failed  toolkit" in refused.out
    assert TOKEN not in "".join(text for call in (planned, done, folder, refused) for text in (call.out, call.err))
