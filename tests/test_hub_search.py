"""Finding published deltas by tag, through all pages; and the verbs that do it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hub_server import TOKEN, HubServer
from published_run import make_run

from toolkit.errors import HubError, LanguageError
from toolkit.hub import publish, search
from toolkit.hub.surroundings import set_new_version

pytest_plugins = ("hub_server.fixtures",)
REPO = "org/tiny-jav"


@pytest.fixture
def shelf(hub: HubServer, tmp_path: Path) -> HubServer:
    """A Hub with a Javanese delta, a Sundanese one, and a model that is no delta."""
    publish(make_run(tmp_path / "run"), REPO, verify=False, endpoint=hub.endpoint)
    sundanese = b"---\nlanguage: su\ntags: [cogsym-delta]\n---\n"
    hub.store.add_files("eve/sun", {"README.md": sundanese, "delta.safetensors": b"d" * 42})
    hub.store.add_files("eve/gpt", {"README.md": b"---\nlanguage: jv\n---\n", "model.safetensors": b"w"})
    return hub


def test_search_tells_base_scores_and_size(shelf: HubServer) -> None:
    (found,) = search("jav", endpoint=shelf.endpoint)
    assert found.repo_id == REPO
    assert found.languages[0] == "jv"
    assert found.base == "tests/tiny-base"
    assert [(score.metric, score.value, score.dataset) for score in found.scores] == [
        ("chrF++", 71.2, "pocket phrasebook")
    ]
    assert found.size_bytes == 1200
    assert found.last_modified == "2026-11-20"


def test_search_finds_deltas_of_every_language_and_nothing_else(shelf: HubServer) -> None:
    assert {found.repo_id: found.size_bytes for found in search(endpoint=shelf.endpoint)} == {REPO: 1200, "eve/sun": 42}
    assert [found.repo_id for found in search(author="eve", endpoint=shelf.endpoint)] == ["eve/sun"]
    assert search("mad", endpoint=shelf.endpoint) == []


@pytest.mark.parametrize("code", ["sun", "su"])
def test_search_takes_both_codes_of_a_language(shelf: HubServer, code: str) -> None:
    assert [found.repo_id for found in search(code, endpoint=shelf.endpoint)] == ["eve/sun"]


def test_search_knows_languages_that_the_registry_does_not(shelf: HubServer) -> None:
    shelf.store.add_files("eve/mad", {"README.md": b"---\nlanguage: mad\ntags: [cogsym-delta]\n---\n"})
    assert [found.repo_id for found in search("mad", endpoint=shelf.endpoint)] == ["eve/mad"]


def test_search_refuses_what_is_no_language(shelf: HubServer) -> None:
    with pytest.raises(LanguageError, match="javanese"):
        search("javanese", endpoint=shelf.endpoint)


def test_search_reads_all_pages_up_to_the_limit(hub: HubServer) -> None:
    for number in range(7):
        hub.store.add_files(f"org/d{number}", {"README.md": b"---\ntags: [cogsym-delta]\n---\n"})
    hub.page_size = 2
    assert len(search(endpoint=hub.endpoint)) == 7
    assert len(search(limit=3, endpoint=hub.endpoint)) == 3


def test_malformed_cards_of_others_do_not_stop_the_search(shelf: HubServer) -> None:
    card = b"---\ntags: [cogsym-delta]\nlanguage: 3\nmodel-index: [{name: x, results: [{task: 3}]}]\n---\n"
    shelf.store.add_files("eve/odd", {"README.md": card})
    assert {found.repo_id for found in search(endpoint=shelf.endpoint)} == {REPO, "eve/sun", "eve/odd"}


@pytest.mark.usefixtures("shelf")
def test_the_verb_search_prints_a_table_and_json(cogsym: Callable[..., Any]) -> None:
    found = json.loads(cogsym("search", "--language", "jav", "--json").out)
    assert found[0]["repo_id"] == REPO
    listed = cogsym("search")
    assert listed.code == 0
    assert "eve/sun" in listed.out
    nothing = cogsym("search", "--language", "mad")
    assert (nothing.code, nothing.out) == (0, "")
    assert "nothing found for mad" in nothing.err


@pytest.mark.usefixtures("shelf")
def test_the_verb_pull_says_what_came_and_where_it_is(cogsym: Callable[..., Any], tmp_path: Path) -> None:
    done = cogsym("pull", REPO, "--out", tmp_path / "jav")
    assert done.code == 0
    assert "digest checked" in done.out
    assert "jav (eng>jav) on tests/tiny-base" in done.out
    assert (tmp_path / "jav/delta.safetensors").is_file()
    told = json.loads(cogsym("pull", REPO, "--offline", "--json").out)
    assert told["language"] == "jav"


def test_the_verb_publish_plans_refuses_and_publishes(
    shelf: HubServer, cogsym: Callable[..., Any], tmp_path: Path
) -> None:
    run = make_run(tmp_path / "other")
    planned = cogsym("publish", run.root, "org/new", "--dry-run")
    assert planned.code == 0
    assert "would publish to org/new: 10 files" in planned.out
    assert "org/new" not in shelf.store.repositories
    done = cogsym("publish", run.root, "org/new")
    assert (done.code, done.err.count("error")) == (0, 0)
    assert f"published to {shelf.endpoint}/org/new: 10 files" in done.out
    assert "10 files read back and equal" in done.out
    run.delta.write_bytes(b"tampered")
    refused = cogsym("publish", run.root, "org/new")
    assert refused.code == 1
    assert "error: other is not ready to be published" in refused.err
    planned = cogsym("publish", run.root, "org/new", "--dry-run")
    assert planned.code == 1
    assert "failed  delta" in planned.out
    assert TOKEN not in "".join(text for call in (done, refused, planned) for text in (call.out, call.err))


def test_a_new_version_is_set_without_touching_the_rest_of_a_card() -> None:
    card = "---\r\nlicense: mit\r\ntags:\r\n- 'a: b'\r\n---\r\n# Title\r\n\r\n---\r\nnew_version: not this\r\n"
    changed = set_new_version(card, "org/new")
    assert changed == card.replace("---\r\n", "---\r\nnew_version: org/new\n", 1)
    assert set_new_version(changed, "org/newer") == card.replace("---\r\n", "---\r\nnew_version: org/newer\n", 1)
    with pytest.raises(HubError, match="has no front matter"):
        set_new_version("# Title", "org/new")
