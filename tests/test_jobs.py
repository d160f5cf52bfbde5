"""toolkit/hub/jobs.py: what is sent to train on a rented machine, through the Hub's real client.

Files for jobs travel through a storage whose protocol (Xet) the small Hub does not speak: those two calls of the client
are replaced, everything else is its own.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
from hub_server import HubServer
from hub_server.server import TOKEN

from toolkit import __version__
from toolkit.errors import HubError, RecipeError
from toolkit.hub import job_script, plan_job, start_job
from toolkit.recipe import Recipe, make_recipe, read_recipe, resolve_paths

pytest_plugins = ("hub_server.fixtures",)


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    for name in ("train.tsv", "test.tsv"):
        (tmp_path / name).write_text("eng\tjav\nOne.\tSiji.\n", encoding="utf-8")
    fields: dict[str, Any] = {
        "language": "jav",
        "base": "pocket",
        "data": [{"path": "train.tsv", "directions": ["eng>jav"]}],
        "evaluation": [{"path": "test.tsv", "directions": ["eng>jav"]}],
        "optimizer": "adamw_8bit",
    }
    return resolve_paths(make_recipe(fields), tmp_path)


@pytest.fixture
def shipped(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Name -> content of every file that went to the storage of jobs."""
    files: dict[str, bytes] = {}

    def batch(self: Any, *, bucket_id: str, add: list[tuple[Path, str]], token: Any) -> None:
        files.update({remote.rpartition("/")[2]: Path(local).read_bytes() for local, remote in add})

    bucket = SimpleNamespace(url="bucket")
    monkeypatch.setattr(huggingface_hub.HfApi, "create_bucket", lambda self, **_: bucket)
    monkeypatch.setattr(huggingface_hub.HfApi, "batch_bucket_files", batch)
    return files


def test_a_job_carries_recipe_and_files_and_publishes_what_it_trained(
    hub: HubServer, recipe: Recipe, shipped: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = plan_job(recipe, "org/jav", private=True, flavor="a10g-large", timeout="2h")
    url = start_job(plan, endpoint=hub.endpoint)
    assert url.endswith("/jobs/org/job1")
    [spec] = hub.store.jobs
    assert (spec["flavor"], spec["timeoutSeconds"]) == ("a10g-large", 7200)
    command = spec["command"]
    assert command[:4] == ["uv", "run", "--with", f"cogsym-toolkit[8bit]=={__version__}"]
    script, arguments = command[4], command[5:]
    folder = str(Path(script).parent)
    assert arguments == [f"{folder}/recipe.yaml", "org/jav", "private", f"{folder}/train.tsv", f"{folder}/test.tsv"]
    assert spec["secrets"] == {"HF_TOKEN": TOKEN}
    said = capsys.readouterr()
    assert TOKEN not in said.out + said.err + repr(plan) + "".join(command)
    # What arrived there is a whole recipe again.
    (tmp_path / "there").mkdir()
    for name, content in shipped.items():
        (tmp_path / "there" / name).write_bytes(content)
    there = read_recipe(tmp_path / "there" / "recipe.yaml")
    assert Path(there.data[0].path).is_file()
    assert Path(there.evaluation[0].path).is_file()
    assert str(tmp_path).encode() not in shipped["recipe.yaml"]


def test_the_rented_machine_runs_the_four_commands_and_stops_at_the_first_that_fails(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    cogsym = tools / "cogsym"
    cogsym.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n[ "$1" != card ] || exit 3\n')
    cogsym.chmod(0o755)
    command = [sys.executable, job_script.__file__, "recipe.yaml", "org/jav", "public", "train.tsv"]
    done = subprocess.run(command, env={"PATH": f"{tools}:/usr/bin:/bin"}, cwd=tmp_path)
    assert done.returncode == 3
    assert (tmp_path / "calls").read_text().splitlines() == [
        "train --recipe recipe.yaml --out run",
        "evaluate run",
        "card run",
    ]


def test_nothing_is_sent_without_a_login(
    hub: HubServer, recipe: Recipe, shipped: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(HubError, match="not logged in"):
        start_job(plan_job(recipe, "org/jav"), endpoint=hub.endpoint)
    assert not hub.store.jobs
    assert not shipped


def test_a_refusal_is_told(hub: HubServer, recipe: Recipe, shipped: dict[str, bytes]) -> None:
    with pytest.raises(HubError, match="no permission"):
        start_job(plan_job(recipe, "stranger/jav"), endpoint=hub.endpoint)


def test_what_a_job_cannot_do_is_said_before(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(HubError, match="is a folder"):
        plan_job(recipe, "./jav")
    with pytest.raises(RecipeError, match="on this machine alone"):
        plan_job(recipe.model_copy(update={"base": str(tmp_path)}), "org/jav")
    other = tmp_path / "other" / "train.tsv"
    other.parent.mkdir()
    other.write_text("eng\tjav\n", encoding="utf-8")
    twice = (*recipe.data, recipe.data[0].model_copy(update={"path": str(other)}))
    with pytest.raises(RecipeError, match=r"two of the recipe's files are called train\.tsv"):
        plan_job(recipe.model_copy(update={"data": twice}), "org/jav")
    (tmp_path / "test.tsv").unlink()
    with pytest.raises(RecipeError, match="no file at"):
        plan_job(recipe, "org/jav")


def test_the_dry_run_shows_what_would_be_sent_and_sends_nothing(
    hub: HubServer, recipe: Recipe, shipped: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from toolkit.cli import main
    from toolkit.recipe import write_recipe

    write_recipe(recipe, tmp_path / "mine.yaml", opening="cogsym train")
    command = ["train", "--recipe", str(tmp_path / "mine.yaml"), "--on", "jobs", "--target", "org/jav", "--dry-run"]
    with pytest.raises(SystemExit) as finished:
        main(command)
    assert finished.value.code in (None, 0)
    said = capsys.readouterr().out
    for part in ("a job of org on l4x1", "sends train.tsv", "runs cogsym publish run org/jav", "nothing was sent"):
        assert part in said
    assert TOKEN not in said
    assert not hub.store.jobs
    assert not shipped
