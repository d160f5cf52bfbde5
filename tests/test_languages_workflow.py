"""The workflows that look at language files: no secret, nothing of the pull request is run, commands as they stand."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
WORKFLOWS = ROOT / ".github" / "workflows"
REVIEW, COMMENT = "languages.yml", "languages-comment.yml"
LANGUAGES = ROOT / "toolkit" / "languages"
Run = Callable[..., Any]


def workflow(name: str) -> dict[str, Any]:
    made: dict[str, Any] = yaml.safe_load((WORKFLOWS / name).read_text(encoding="utf-8"))
    return made | {"on": made[True]}  # YAML 1.1 reads the key `on` as true


def step(name: str, job: str, title: str) -> dict[str, Any]:
    return dict(next(one for one in workflow(name)["jobs"][job]["steps"] if one.get("name") == title))


@pytest.mark.parametrize("name", [REVIEW, COMMENT])
def test_no_secret_no_input_in_scripts_and_only_the_rights_that_are_needed(name: str) -> None:
    text = (WORKFLOWS / name).read_text(encoding="utf-8")
    assert not re.search(r"\$\{\{[^}]*secrets", text)
    assert "pull_request_target" not in text
    made = workflow(name)
    assert made["permissions"] == {}
    for job in made["jobs"].values():
        for one in job["steps"]:
            assert "${{" not in one.get("run", ""), "a value in a script's text would be run as code"
            if "checkout" in one.get("uses", "") and job["permissions"].get("contents") != "write":
                assert one["with"]["persist-credentials"] is False


def test_the_job_that_sees_the_pull_request_may_write_nothing_and_runs_the_base() -> None:
    job = workflow(REVIEW)["jobs"]["review"]
    assert job["permissions"] == {"contents": "read"}
    checkouts = [one for one in job["steps"] if "checkout" in one.get("uses", "")]
    assert [one["with"]["ref"] for one in checkouts] == ["${{ github.event.pull_request.base.sha }}"]
    runs = [one["run"] for one in job["steps"] if "run" in one]
    assert not any(re.search(r"git (checkout|merge|pull|switch|worktree)", run) for run in runs)
    install = next(index for index, run in enumerate(runs) if run.startswith("pip install"))
    fetch = next(index for index, run in enumerate(runs) if run.startswith("git fetch"))
    assert install < fetch, "nothing is installed once anything of the pull request is here"


def test_the_job_that_may_comment_takes_nothing_from_the_pull_request_but_the_artifact() -> None:
    made = workflow(COMMENT)
    assert made["on"] == {"workflow_run": {"workflows": [workflow(REVIEW)["name"]], "types": ["completed"]}}
    job = made["jobs"]["comment"]
    assert job["permissions"] == {"contents": "read", "actions": "read", "pull-requests": "write"}
    (checkout,) = (one for one in job["steps"] if "checkout" in one.get("uses", ""))
    assert "ref" not in checkout["with"], "the default branch's own code"
    (download,) = (one for one in job["steps"] if "download-artifact" in one.get("uses", ""))
    assert download["with"]["path"].startswith("${{ runner.temp }}"), "outside of the code that runs"


def test_only_main_writes_the_table() -> None:
    made = workflow(REVIEW)
    assert made["on"]["push"]["branches"] == ["main"]
    job = made["jobs"]["table"]
    assert job["if"] == "${{ github.event_name == 'push' }}"
    assert job["permissions"] == {"contents": "write"}


def command(name: str, job: str, title: str, environment: dict[str, str], cogsym: Run) -> Any:
    """Run the command of one step as the runner would, with these values in its environment."""
    text = re.sub(r"\$(\w+)", lambda match: environment[match.group(1)], step(name, job, title)["run"])
    words = shlex.split(text)
    assert words[0] == "cogsym"
    return cogsym(*words[1:])


@pytest.fixture
def merged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A clone with the commit that a pull request makes of main: a new language, and code that must not run."""
    place = tmp_path / "clone" / "toolkit" / "languages"
    place.mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "clone")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "t")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "t@example.org")

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q", "-b", "main")
    (place / "jav.yaml").write_bytes((LANGUAGES / "jav.yaml").read_bytes())
    git("add", "-A")
    git("commit", "-qm", "main")
    fields = {"code": "epo", "script": "Latn", "iso639_1": "eo", "names": {"english": "Esperanto", "own": "Esperanto"}}
    (place / "epo.yaml").write_text(json.dumps(fields))
    (place / "checking.py").write_text("raise SystemExit('contributed code was run')")
    git("add", "-A")
    git("commit", "-qm", "pull request")
    commit = git("rev-parse", "HEAD")
    git("checkout", "-q", "HEAD^1")
    return commit


def test_the_commands_review_and_comment(merged: str, cogsym: Run, tmp_path: Path) -> None:
    done = command(REVIEW, "review", "Review", {"MERGED": merged}, cogsym)
    assert done.code == 0, done.err
    review = json.loads(Path("review/review.json").read_text(encoding="utf-8"))
    assert [file["file"] for file in review["files"]] == ["epo.yaml"]
    written = command(COMMENT, "comment", "Write", {"RUNNER_TEMP": "."}, cogsym)
    assert written.code == 0, written.err
    assert "`epo.yaml`, `Esperanto`: new" in Path("comment.md").read_text(encoding="utf-8")


def test_the_table_is_the_one_that_is_there(cogsym: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("toolkit/languages").mkdir(parents=True)
    assert command(REVIEW, "table", "Table", {}, cogsym).code == 0
    made = Path("toolkit/languages/README.md").read_text(encoding="utf-8")
    assert made == (LANGUAGES / "README.md").read_text(encoding="utf-8")
    assert "git add toolkit/languages/README.md" in step(REVIEW, "table", "Commit")["run"]


def test_a_review_that_finds_fault_fails_and_leaves_its_record(merged: str, cogsym: Run, tmp_path: Path) -> None:
    done = cogsym("languages", "review", merged, f"{merged}^1", "--out", "review/review.json")  # removes a language
    assert done.code == 1
    assert json.loads(Path("review/review.json").read_text(encoding="utf-8"))["files"][0]["change"] == "removed"


GH = """#!/usr/bin/env bash
# Stands in for GitHub's command: answers from files, and writes down what it was asked.
printf '%s\\n' "$*" >> "$ASKED"
case "$*" in
    *pulls/*/files*) echo toolkit/languages/qaa.yaml ;;
    *pulls/*) echo "$(cat "$ANSWERS/head") 1" ;;
    *comments*--paginate*) cat "$ANSWERS/earlier" ;;
esac
"""


@pytest.mark.parametrize(
    ("number", "head", "earlier", "asked", "code"),
    [
        ("12", "abc", "", "-X POST repos/cogsym/cogsym-toolkit/issues/12/comments", 0),
        ("12", "abc", "99", "-X PATCH repos/cogsym/cogsym-toolkit/issues/comments/99", 0),
        ("12", "other", "", None, 0),
        ("12/../../../user", "abc", "", None, 1),
        ("$(touch x)", "abc", "", None, 1),
        ("0", "abc", "", None, 1),
        ("", "abc", "", None, 1),
    ],
)
def test_a_comment_goes_only_to_the_pull_request_that_was_checked(
    tmp_path: Path, number: str, head: str, earlier: str, asked: str | None, code: int
) -> None:
    (tmp_path / "gh").write_text(GH)
    (tmp_path / "gh").chmod(0o755)
    for name, text in (("head", head), ("earlier", earlier), ("number", number), ("comment.md", "<!-- m -->\nx\n")):
        (tmp_path / name).write_text(text)
    run = step(COMMENT, "comment", "Comment")["run"].split()
    assert run[:2] == ["bash", ".github/comment.sh"]
    environment = {
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "GH_REPO": "cogsym/cogsym-toolkit",
        "HEAD": "abc",
        "ASKED": str(tmp_path / "asked"),
        "ANSWERS": str(tmp_path),
    }
    done = subprocess.run(
        ["bash", str(ROOT / run[1]), "number", "comment.md"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == code, done.stderr
    log = (tmp_path / "asked").read_text() if (tmp_path / "asked").is_file() else ""
    assert ("-X" in log) == (asked is not None)
    assert asked is None or asked in log
    assert not (tmp_path / "x").exists()
