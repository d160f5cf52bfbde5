"""The workflow that publishes from CI: its commands run as they stand, and it holds no secret."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hub_server import HubServer
from published_run import REPO, make_run

pytest_plugins = ("hub_server.fixtures",)
WORKFLOW = Path(__file__).parent.parent / ".github" / "workflows" / "publish.yml"


def job() -> dict[str, Any]:
    made: dict[str, Any] = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    assert made["permissions"] == {}, "nothing is allowed that a job does not ask for"
    (only,) = made["jobs"].values()
    return dict(only)


def test_the_workflow_needs_no_stored_secret_and_may_write_nothing_here() -> None:
    text = WORKFLOW.read_text(encoding="utf-8")
    assert not re.search(r"\$\{\{[^}]*secrets", text)
    assert job()["permissions"] == {"contents": "read", "id-token": "write"}
    assert "pull_request_target" not in text
    for step in job()["steps"]:
        assert "${{" not in step.get("run", ""), "an input in a script's text would be run as code"


def run_step(name: str, inputs: dict[str, str], monkeypatch: pytest.MonkeyPatch, cogsym: Callable[..., Any]) -> Any:
    """Run the command of one step as the runner would, with these values for its inputs."""
    step = next(step for step in job()["steps"] if step.get("name") == name)
    for key, value in {**job()["env"], **step.get("env", {})}.items():
        given = re.sub(r"\$\{\{ (.+?) \}\}", lambda match: inputs[match.group(1)], value)
        monkeypatch.setenv(key, given)
    words = shlex.split(os.path.expandvars(step["run"]))
    assert words[0] == "cogsym"
    return cogsym(*words[1:])


@pytest.mark.parametrize("create_pr", ["", "--create-pr"])
def test_its_commands_publish_with_the_identity_of_the_workflow(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cogsym: Callable[..., Any], create_pr: str
) -> None:
    pytest.importorskip("huggingface_hub._oidc", reason="this client knows no trusted publishers")
    run = make_run(tmp_path / "run")
    hub.store.create(REPO)
    hub.store.trusted[REPO] = "ana"
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setenv("HF_OIDC_ID_TOKEN", "identity of the workflow")
    monkeypatch.chdir(tmp_path)
    inputs = {
        "inputs.release": "v1",
        "inputs.repository": REPO,
        "inputs.create_pr && '--create-pr' || ''": create_pr,
    }
    checked = run_step("Check", inputs, monkeypatch, cogsym)
    assert checked.code == 0, checked.err
    assert f"would publish to {REPO}" in checked.out
    done = run_step("Publish", inputs, monkeypatch, cogsym)
    assert done.code == 0, done.err
    there = hub.store.files(REPO, "refs/pr/1" if create_pr else "main")
    assert there["delta.safetensors"] == run.delta.read_bytes()
    assert (hub.store.files(REPO) == {}) == bool(create_pr)
