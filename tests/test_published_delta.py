"""A real delta through a Hub on this machine and back: trained, published, tried out, pulled, loaded, all by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hub_server import HubServer
from published_run import REPO, make_run
from test_pipeline import made_up_corpus, write_recipe

import toolkit

pytest_plugins = ("hub_server.fixtures",)


@pytest.fixture
def run(tmp_path: Path, tiny_base: Path, cogsym: Callable[..., Any]) -> Path:
    fields = made_up_corpus(tmp_path / "corpus") | {"base": str(tiny_base)}
    recipe = write_recipe(tmp_path / "corpus" / "recipe.json", fields)
    for arguments in (
        ("train", "--recipe", recipe, "--out", tmp_path / "run"),
        ("evaluate", tmp_path / "run", "--limit", 2),
    ):
        outcome = cogsym(*arguments)
        assert outcome.code == 0, outcome.err
    return tmp_path / "run"


def test_a_delta_goes_to_the_hub_and_comes_back_by_name(
    hub: HubServer, run: Path, tiny_base: Path, cogsym: Callable[..., Any]
) -> None:
    done = cogsym("publish", run, REPO)
    assert done.code == 0, done.err
    assert "tried out: " in done.out
    assert "tensors merge to the right digests; eng>jav: the " in done.out
    assert f"cogsym translate {REPO}" in hub.store.files(REPO)["README.md"].decode()

    fetched = toolkit.from_pretrained(REPO, base=tiny_base, dtype="bfloat16")
    local = dict(toolkit.from_pretrained(run, base=tiny_base, dtype="bfloat16").named_parameters())
    assert all(torch.equal(tensor, local[name]) for name, tensor in fetched.named_parameters())

    translated = cogsym("translate", REPO, "the sun is near the moon", "--direction", "eng>jav", "--base", tiny_base)
    assert "RepoNotFound" not in translated.err
    again = cogsym("publish", run, REPO, "--no-try")
    assert "nothing to do" in again.out


def test_a_trial_that_fails_says_that_it_is_published_all_the_same(
    hub: HubServer, tmp_path: Path, tiny_base: Path, cogsym: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path / "run")  # whose delta is no delta at all
    monkeypatch.setattr("toolkit.sharing.base_here", lambda run: tiny_base)
    done = cogsym("publish", run.root, REPO)
    assert done.code == 1
    assert "error: org/tiny-jav is published, but does not work: " in done.err
    assert hub.store.files(REPO)["delta.safetensors"] == run.delta.read_bytes()
