"""Deltas that come, change, break and go while the page is up."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Outcome
from hub_server import HubServer, Refuse
from space_pages import Catalogue, open_catalogue, open_over

from toolkit.cli.space import page_folder
from toolkit.errors import DeltaError
from toolkit.languages import Direction

sys.path.insert(0, str(page_folder()))

import arrivals
import facts
import visits
from offers import Offer
from settings import Settings

pytest_plugins = ("hub_server.fixtures",)


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    folder = tmp_path / "shelf"
    folder.mkdir()
    return folder


def put(delta: Path, shelf: Path, name: str) -> Path:
    return Path(shutil.copytree(delta, shelf / name))


def languages(catalogue: Catalogue) -> list[str]:
    return sorted(adaptation.config.language for adaptation in catalogue.translator.adaptations.values())


def last_view(catalogue: Catalogue, text: str, target: str) -> visits.View:
    *_, last = visits.translate(catalogue, visits.Running(), "me", text, "eng", target, False, "en")
    return last


def test_a_delta_that_comes_into_the_folder_is_served_without_a_restart(
    tiny_base: Path, tiny_deltas: dict[str, Path], shelf: Path
) -> None:
    catalogue = open_over(tiny_base, folder=shelf)
    assert languages(catalogue) == []
    put(tiny_deltas["jav"], shelf, "one")
    catalogue.look()
    assert languages(catalogue) == ["jav"]
    assert last_view(catalogue, "sun.", "jav").translation == "moon."
    put(tiny_deltas["sun"], shelf, "two")
    catalogue.look()
    assert languages(catalogue) == ["jav", "sun"]
    assert last_view(catalogue, "sun.", "sun").translation == "river."
    shutil.rmtree(shelf / "one")
    catalogue.look()
    assert languages(catalogue) == ["sun"]
    assert catalogue.skipped == ()


def test_nothing_is_read_again_that_did_not_change(
    tiny_base: Path, tiny_deltas: dict[str, Path], shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tiny_deltas["jav"], shelf, "good")
    (put(tiny_deltas["sun"], shelf, "broken") / "delta.safetensors").write_bytes(b"no delta")
    catalogue = open_over(tiny_base, folder=shelf)
    assert [one.name for one in catalogue.skipped] == ["broken"]
    monkeypatch.setattr(catalogue.translator, "add", lambda *_, **__: pytest.fail("read again"))
    for _ in range(3):
        catalogue.look()
    assert languages(catalogue) == ["jav"]


def test_a_half_copied_delta_is_left_out_until_it_is_whole(
    tiny_base: Path, tiny_deltas: dict[str, Path], shelf: Path
) -> None:
    coming = put(tiny_deltas["jav"], shelf, "coming")
    whole = (coming / "delta.safetensors").read_bytes()
    (coming / "delta.safetensors").write_bytes(whole[: len(whole) // 2])
    catalogue = open_over(tiny_base, folder=shelf)
    assert [one.name for one in catalogue.skipped] == ["coming"]
    (coming / "delta.safetensors").write_bytes(whole)
    catalogue.look()
    assert catalogue.skipped == ()
    assert languages(catalogue) == ["jav"]


def test_a_changed_delta_takes_the_place_of_the_one_before(
    tiny_base: Path, tiny_deltas: dict[str, Path], shelf: Path
) -> None:
    put(tiny_deltas["jav"], shelf, "one")
    catalogue = open_over(tiny_base, folder=shelf)
    shutil.rmtree(shelf / "one")
    put(tiny_deltas["sun"], shelf, "one")
    catalogue.look()
    assert languages(catalogue) == ["sun"]


def test_a_named_delta_that_vanishes_is_told_and_comes_back(
    tiny_base: Path, tiny_deltas: dict[str, Path], shelf: Path
) -> None:
    delta = put(tiny_deltas["jav"], shelf, "mine")
    catalogue = open_over(tiny_base, delta)
    delta.rename(shelf / "elsewhere")
    catalogue.look()
    (skipped,) = catalogue.skipped
    assert skipped.name == "mine"
    assert str(shelf) not in facts.skipped_notes(catalogue, "en")
    (shelf / "elsewhere").rename(delta)
    catalogue.look()
    assert catalogue.skipped == ()
    assert languages(catalogue) == ["jav"]


@pytest.mark.parametrize("how", ["cut", "spoilt"])
def test_a_file_that_breaks_while_it_is_served_costs_its_language_and_nothing_else(
    how: str, tiny_base: Path, tiny_deltas: dict[str, Path], shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolkit.translator._RESIDENT_SHARE", 0.0)  # decoded anew at each switch, as large deltas are
    broken, good = put(tiny_deltas["jav"], shelf, "broken"), put(tiny_deltas["sun"], shelf, "good")
    catalogue = open_over(tiny_base, broken, good)
    assert last_view(catalogue, "sun.", "sun").translation == "river."
    path = broken / "delta.safetensors"
    size = path.stat().st_size
    with path.open("r+b") as file:  # in place: the page has it open
        if how == "cut":
            file.truncate(size // 2)
        else:
            file.seek(size // 2)
            file.write(bytes(size - size // 2))
    failed = last_view(catalogue, "sun.", "jav")
    assert "cannot be used any more" in failed.problem
    assert not failed.translation
    assert languages(catalogue) == ["sun"]
    assert [one.name for one in catalogue.skipped] == ["broken"]
    assert last_view(catalogue, "sun.", "sun").translation == "river."
    assert "No model here translates" in last_view(catalogue, "sun.", "jav").problem
    shutil.copy(tiny_deltas["jav"] / "delta.safetensors", path)
    catalogue.look()
    assert last_view(catalogue, "sun.", "jav").translation == "moon."


def test_a_delta_may_come_while_another_is_left_out(tiny_base: Path, tiny_deltas: dict[str, Path]) -> None:
    catalogue = open_over(tiny_base, tiny_deltas["jav"])
    tried = catalogue._arrivals._tried

    class ComesMeanwhile(arrivals._Tried):
        def __getattribute__(self, name: str) -> Any:
            tried.setdefault("new", arrivals._Tried(Offer("new", None, "")))
            return super().__getattribute__(name)

    first, served = next(iter(tried.items()))
    tried[first] = ComesMeanwhile(served.offer, served.name)
    catalogue.leave_out("jav", DeltaError("damaged", "fetch it again"))
    assert languages(catalogue) == []
    assert [one.reason for one in catalogue.skipped] == ["damaged"]


def test_a_file_that_is_deleted_while_it_is_served_goes_on_until_it_is_noticed(
    tiny_base: Path, tiny_deltas: dict[str, Path], shelf: Path
) -> None:
    delta = put(tiny_deltas["jav"], shelf, "mine")
    catalogue = open_over(tiny_base, delta)
    (delta / "delta.safetensors").unlink()
    assert last_view(catalogue, "sun.", "jav").translation == "moon."
    catalogue.look()
    assert languages(catalogue) == []
    assert "holds no delta.safetensors" in catalogue.skipped[0].reason


def test_a_delta_that_goes_in_the_middle_of_a_translation_is_a_sentence_to_its_visitor(
    tiny_base: Path, tiny_deltas: dict[str, Path], shelf: Path
) -> None:
    put(tiny_deltas["jav"], shelf, "one")
    catalogue = open_over(tiny_base, folder=shelf)
    text = "\n".join(f"{word}." for word in ("sun", "moon", "river", "stone", "bird", "fish", "house", "tree", "rain"))
    visit = visits.translate(catalogue, visits.Running(), "me", text, "eng", "jav", False, "en")
    next(visit)
    shutil.rmtree(shelf / "one")
    catalogue.look()
    last = list(visit)[-1]
    assert "cannot be used any more" in last.problem
    assert not last.running


def test_hostile_folders_are_left_out_one_by_one(tiny_base: Path, tiny_deltas: dict[str, Path], shelf: Path) -> None:
    config = json.loads((tiny_deltas["jav"] / "config.json").read_text())
    wrong: dict[str, Any] = {
        "code": {"language": "<script>alert(1)</script>"},
        "path": {"delta_file": "../../../../etc/passwd"},
        "prompt": {"prompt": "{{ config }}"},
        "directions": {"directions": ["eng>jav", "../../x"]},
    }
    for name, change in wrong.items():
        (put(tiny_deltas["jav"], shelf, name) / "config.json").write_text(json.dumps(config | change))
    put(tiny_deltas["sun"], shelf, "<img src=x onerror=alert(1)>")
    (shelf / "endless").mkdir()
    (shelf / "endless" / "config.json").write_text("[" * 100_000)
    (shelf / "device").mkdir()
    (shelf / "device" / "config.json").symlink_to("/dev/zero")
    catalogue = open_over(tiny_base, folder=shelf)
    assert languages(catalogue) == ["sun"]
    assert {one.name for one in catalogue.skipped} == {*wrong, "endless"}
    notes = facts.skipped_notes(catalogue, "en")
    assert "<script" not in notes
    assert "<img" not in notes


def test_visitors_never_wait_for_a_look_at_what_is_new(
    tiny_base: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = open_over(tiny_base, folder=shelf)
    looks: list[int] = []
    monkeypatch.setattr(catalogue, "look", lambda: looks.append(1))
    object.__setattr__(catalogue.settings, "refresh_seconds", 3600)
    catalogue.look_soon()
    assert not looks, "it looked a moment ago"
    object.__setattr__(catalogue.settings, "refresh_seconds", 0)
    catalogue.look_soon()
    deadline = time.monotonic() + 60
    while not looks:
        assert time.monotonic() < deadline, "it never looked"
        time.sleep(0.01)


# From the Hub


@pytest.fixture
def published(hub: HubServer, tiny_deltas: dict[str, Path]) -> Callable[..., None]:
    """Publishes one of the tiny deltas, as its owner would."""

    def publish(code: str, repo_id: str, base: str = "tiny-llama") -> None:
        card = f"---\ntags: [cogsym-delta]\nbase_model: {base}\n---\n# A delta\n"
        files = {path.name: path.read_bytes() for path in tiny_deltas[code].iterdir() if path.is_file()}
        hub.store.add_files(repo_id, {**files, "README.md": card.encode()})

    return publish


def test_what_an_account_publishes_appears_and_what_others_publish_does_not(
    hub: HubServer, published: Callable[..., None], tiny_base: Path
) -> None:
    published("jav", "org/javanese")
    published("sun", "stranger/sundanese")
    published("sun", "org/for-another-base", base="meta-llama/Llama-2-7b-hf")
    catalogue = open_over(tiny_base, owners=("org",))
    assert languages(catalogue) == ["jav"]
    published("sun", "org/sundanese")
    catalogue.look()
    assert languages(catalogue) == ["jav", "sun"]
    before = len(hub.faults.requests)
    catalogue.look()
    assert len(hub.faults.requests) == before + 1, "one question, nothing downloaded"
    hub.store.repositories.pop("org/javanese")
    catalogue.look()
    assert languages(catalogue) == ["sun"]


def test_a_hub_that_is_away_is_told_and_what_is_served_stays(
    hub: HubServer, published: Callable[..., None], tiny_base: Path
) -> None:
    published("jav", "org/javanese")
    catalogue = open_over(tiny_base, owners=("org",))
    hub.faults.from_request(0, Refuse())
    catalogue.look()
    assert languages(catalogue) == ["jav"]
    assert [one.name for one in catalogue.skipped] == ["org"]
    assert last_view(catalogue, "sun.", "jav").translation == "moon."
    hub.faults.clear()
    catalogue.look()
    assert catalogue.skipped == ()


def test_a_page_opens_although_the_hub_is_away(
    hub: HubServer, published: Callable[..., None], tiny_base: Path, tiny_deltas: dict[str, Path]
) -> None:
    published("sun", "org/sundanese")
    hub.faults.from_request(0, Refuse())
    catalogue = open_over(tiny_base, tiny_deltas["jav"], owners=("org",))
    assert languages(catalogue) == ["jav"]
    hub.faults.clear()
    catalogue.look()
    assert languages(catalogue) == ["jav", "sun"]


def test_a_download_that_fails_is_tried_again(hub: HubServer, published: Callable[..., None], tiny_base: Path) -> None:
    published("jav", "org/javanese")
    hub.faults.rule = lambda request: Refuse() if "/api/models/" in request.path or "resolve" in request.path else None
    catalogue = open_over(tiny_base, owners=("org",))
    assert languages(catalogue) == []
    assert [one.name for one in catalogue.skipped] == ["org/javanese"]
    hub.faults.clear()
    catalogue.look()
    assert languages(catalogue) == ["jav"]


def newest(hub: HubServer, repo_id: str) -> str:
    return hub.store.repositories[repo_id].main().oid


def test_a_named_delta_follows_its_newest_commit_and_a_pinned_one_stays(
    hub: HubServer, published: Callable[..., None], tiny_base: Path
) -> None:
    published("jav", "org/moving")
    published("jav", "org/pinned")
    settings = {"base": str(tiny_base), "refresh_seconds": 0}
    moving = open_catalogue(Settings(deltas=("org/moving",), **settings))
    pinned = open_catalogue(Settings(deltas=(f"org/pinned@{newest(hub, 'org/pinned')}",), **settings))
    branch = open_catalogue(Settings(deltas=("org/moving@main",), **settings))
    assert languages(moving) == languages(pinned) == languages(branch) == ["jav"]
    before = len(hub.faults.requests)
    moving.look()
    assert len(hub.faults.requests) == before + 1, "one question, nothing downloaded"
    pinned.look()
    assert len(hub.faults.requests) == before + 1, "a commit never changes"
    for repo_id in ("org/moving", "org/pinned"):
        published("sun", repo_id)
    for catalogue in (moving, pinned, branch):
        catalogue.look()
    assert languages(moving) == languages(branch) == ["sun"]
    assert languages(pinned) == ["jav"]
    assert last_view(moving, "sun.", "sun").translation == "river."


def test_a_named_delta_stays_while_the_hub_is_away_or_its_newer_one_cannot_be_had(
    hub: HubServer, published: Callable[..., None], tiny_base: Path
) -> None:
    published("jav", "org/moving")
    catalogue = open_over(tiny_base, Path("org/moving"))
    hub.faults.from_request(0, Refuse())
    catalogue.look()
    assert languages(catalogue) == ["jav"]
    assert catalogue.skipped == ()
    hub.faults.clear()
    published("sun", "org/moving")
    hub.faults.rule = lambda request: Refuse() if "resolve" in request.path else None
    catalogue.look()
    assert languages(catalogue) == ["jav"]
    assert last_view(catalogue, "sun.", "jav").translation == "moon."
    hub.faults.clear()
    catalogue.look()
    assert languages(catalogue) == ["sun"]


def test_a_named_delta_that_the_hub_cannot_give_at_first_comes_later(
    hub: HubServer, published: Callable[..., None], tiny_base: Path
) -> None:
    published("jav", "org/moving")
    hub.faults.from_request(0, Refuse())
    catalogue = open_over(tiny_base, Path("org/moving"))
    assert languages(catalogue) == []
    assert len(catalogue.skipped) == 1
    hub.faults.clear()
    catalogue.look()
    assert languages(catalogue) == ["jav"]
    assert catalogue.skipped == ()


# Which records count


def test_records_of_other_kinds_are_not_taken_for_translations(tiny_base: Path, tiny_deltas: dict[str, Path]) -> None:
    catalogue = open_over(tiny_base, tiny_deltas["jav"])
    from test_space import evaluation

    adaptation = catalogue.translator.adaptations["jav"]
    other = evaluation("adapted", "eng>jav", 99.0).model_copy(update={"kind": "sentiment"})
    single = evaluation("adapted", "eng>jav", 99.0).model_copy(update={"kind": "sentiment", "direction": "jav"})
    object.__setattr__(adaptation, "evaluations", (other, single))
    shown = facts.direction_facts(catalogue, Direction("eng", "jav"), "en")
    assert "99.0" not in shown
    assert "Nobody has measured" in shown
    assert "99.0" not in facts.languages_table(catalogue, "en")


def test_a_visitor_begins_with_a_language_that_they_read(tiny_base: Path, tiny_deltas: dict[str, Path]) -> None:
    catalogue = open_over(tiny_base, tiny_deltas["jav"])
    assert catalogue.first_direction() == Direction("eng", "jav")
    assert catalogue.first_direction(reads="jv") == Direction("jav", "eng")
    assert catalogue.linked("eng", "jav") == Direction("eng", "jav")
    assert catalogue.linked("jav", None) == Direction("jav", "eng"), "a link may name one language"
    assert catalogue.linked(None, "jav") == Direction("eng", "jav")
    assert catalogue.linked("urd", None) is None
    assert catalogue.linked(None, None) is None
    assert catalogue.first_direction(reads="id") == Direction("eng", "jav")


def test_the_command_takes_a_folder_and_an_account(cogsym: Callable[..., Outcome], tmp_path: Path) -> None:
    done = cogsym("space", "serve", "--base", tmp_path / "nothing", "--folder", tmp_path, "--owner", "org", "--no-open")
    assert done.code == 1
    assert "no base model at" in done.err
