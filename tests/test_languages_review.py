"""What a pull request does to language files: found without running anything, and told without meaning anything."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hub_server import HubServer
from published_run import REPO, make_run

from toolkit.contributions.commenting import MARKER, MAX_COMMENT, as_comment
from toolkit.contributions.reviewing import FileReview, FoundProblem, ModelReview, Review, ScoreChange, review
from toolkit.contributions.taking import take_language_files
from toolkit.errors import LanguageError
from toolkit.languages.registry import FOLDER

pytest_plugins = ("hub_server.fixtures",)
Run = Callable[..., Any]
JAVANESE = (FOLDER / "jav.yaml").read_text(encoding="utf-8")
HOSTILE = "@everyone #1 `x` <script>alert(1)</script> [a](javascript:b) ![](https://x.example/p.png)\n\n# x | y \u202e"


def folders(tmp_path: Path, before: str | None, after: str | None, name: str = "jav.yaml") -> tuple[Path, Path]:
    made = tmp_path / "before", tmp_path / "after"
    for folder, text in zip(made, (before, after), strict=True):
        folder.mkdir()
        if text is not None:
            (folder / name).write_text(text, encoding="utf-8")
    return made


def with_fields(**fields: Any) -> str:
    return yaml.safe_dump(yaml.safe_load(JAVANESE) | fields, allow_unicode=True, sort_keys=False)


def test_a_sound_change_is_told_with_its_credit(tmp_path: Path) -> None:
    people = [{"name": "Ana Example", "roles": ["review", "smoke pairs"]}]
    found = review(*folders(tmp_path, JAVANESE, with_fields(contributors=people)))
    assert found.ok
    text = as_comment(found)
    assert text.startswith(MARKER)
    assert "`jav.yaml`, `Javanese`: changed" in text
    assert "`Ana Example (review, smoke pairs)`" in text
    assert "Nothing to mend" in text


def test_files_that_stay_as_they_are_are_not_looked_at(tmp_path: Path) -> None:
    found = review(*folders(tmp_path, JAVANESE, JAVANESE))
    assert found.files == ()
    assert "No language file is changed" in as_comment(found)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (JAVANESE, None, "no longer be known"),
        (None, "code: jw\n", "use jv"),
        (None, "a: &x [1]\nb: *x\n", "anchors and aliases are refused"),
        (None, "x" * 70_000, "more than 64 KiB"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, before: str | None, after: str | None, said: str) -> None:
    found = review(*folders(tmp_path, before, after))
    assert not found.ok
    assert said in " ".join(f"{one.message} {one.fix}" for file in found.files for one in file.problems)


def declared(hub: HubServer, tmp_path: Path, score: float) -> dict[str, Any]:
    """A model on the Hub at a new commit, as a language file declares it."""
    from toolkit.hub import publish

    run = make_run(tmp_path / f"run-{score}", score=score, delta=f"delta {score} ".encode() * 100)
    publish(run, REPO)
    digest = json.loads(run.delta_info.read_text())["sha256"]
    return {
        "repository": REPO,
        "revision": hub.store.repositories[REPO].main().oid,
        "base": "tests/tiny-base",
        "digests": [{"file": "delta.safetensors", "sha256": digest}],
    }


def test_scores_of_a_declared_model_are_put_beside_those_of_its_old_revision(hub: HubServer, tmp_path: Path) -> None:
    old, new = declared(hub, tmp_path, 50.0), declared(hub, tmp_path, 54.5)
    found = review(*folders(tmp_path, with_fields(models=[old]), with_fields(models=[new])))
    assert found.ok, found
    text = as_comment(found)
    assert "| 50.0 | 54.5 | +4.5 |" in text
    assert f"`{REPO}@{old['revision']}`" in text
    assert "<details><summary>Card of <code>org/tiny-jav</code>" in text
    assert "````markdown" in text or "```markdown" in text


def test_a_pinned_digest_that_is_not_the_published_one_is_told(hub: HubServer, tmp_path: Path) -> None:
    model = declared(hub, tmp_path, 50.0) | {"digests": [{"file": "delta.safetensors", "sha256": "0" * 64}]}
    found = review(*folders(tmp_path, JAVANESE, with_fields(models=[model])))
    assert "another SHA-256" in str(found.files[0].problems)
    text = as_comment(found)
    assert "another SHA-256" in text
    assert "Not looked at: " in text


def test_a_model_that_is_for_another_language_or_not_there_is_told(hub: HubServer, tmp_path: Path) -> None:
    model = declared(hub, tmp_path, 50.0)
    sundanese = yaml.safe_load((FOLDER / "sun.yaml").read_text(encoding="utf-8"))
    text = json.dumps(sundanese | {"models": [model, model | {"repository": "org/nothing"}]})  # which is YAML
    found = review(*folders(tmp_path, None, text, "sun.yaml"))
    troubles = [model.trouble for model in found.files[0].models]
    assert "it is for jav, not for sun" in str(troubles[0])
    assert "org/nothing" in str(troubles[1])
    assert not found.ok


def rendered(text: str) -> str:
    """HTML as GitHub's Markdown (CommonMark with tables) makes it."""
    from markdown_it import MarkdownIt

    return str(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [(3.149, 8.451, "3.1 | 8.5 | +5.4"), (0.9, 1.5, "0.9 | 1.5 | +0.6"), (0.81249, 0.9, "0.812 | 0.900 | +0.088")],
)
def test_a_difference_agrees_with_the_numbers_beside_it(before: float, after: float, shown: str) -> None:
    score = ScoreChange(what="x", dataset="y", metric="z", before=before, after=after, comparable=True)
    model = ModelReview(repository="org/name", revision="main", scores=(score,))
    file = FileReview(file="jav.yaml", change="changed", models=(model,))
    assert f"| `x` | `y` | `z` | {shown} |" in as_comment(Review(files=(file,)))


def test_hostile_values_mean_nothing_in_the_comment() -> None:
    hostile = FileReview(
        file=HOSTILE,
        change="new",
        english=HOSTILE,
        own=HOSTILE,
        contributors=(HOSTILE,),
        unchecked=(HOSTILE,),
        problems=(FoundProblem(field=HOSTILE, message=HOSTILE, fix=HOSTILE),),
        models=(
            ModelReview(
                repository=HOSTILE,
                revision=HOSTILE,
                replaces=HOSTILE,
                trouble=HOSTILE,
                card=f"````\n</details>{HOSTILE}\n~~~~",
                scores=(
                    ScoreChange(what=HOSTILE, dataset=HOSTILE, metric=HOSTILE, before=1, after=2, comparable=False),
                ),
            ),
        ),
    )
    html = rendered(as_comment(Review(files=(hostile,))))
    outside = _without_code(html)
    for word in ("everyone", "#1", "script", "javascript", "x.example", "\u202e", "<a ", "<img"):
        assert word not in outside, word
    assert outside.count("<details>") == outside.count("</details>") == 1
    assert "\u202e" not in html


def _without_code(html: str) -> str:
    import re

    return re.sub(r"<code[^>]*>.*?</code>", "", html, flags=re.DOTALL)


def test_the_comment_is_bounded_and_leaves_no_block_open() -> None:
    problem = FoundProblem(field="names", message="x" * 500, fix="y" * 500)
    model = ModelReview(repository="org/x", revision="a" * 40, card="`" * 11_000)
    files = tuple(FileReview(file=f"{n}.yaml", change="new", problems=(problem,) * 50) for n in range(20))
    with_cards = tuple(FileReview(file=f"{n}.yaml", change="new", models=(model,) * 10) for n in range(10))
    for review_ in (Review(files=files), Review(files=with_cards)):
        text = as_comment(review_)
        assert len(text) <= MAX_COMMENT
        assert text.count("<details>") == text.count("</details>")
        assert "did not fit" in text


def test_a_record_from_elsewhere_is_read_strictly(cogsym: Run, tmp_path: Path) -> None:
    record = tmp_path / "review.json"
    for text in ("[]", '{"files": [], "x": 1}', '{"files": [{"file": "' + "x" * 600 + '", "change": "new"}]}', "{"):
        record.write_text(text)
        refused = cogsym("languages", "comment", record)
        assert refused.code == 1, text
        assert "Traceback" not in refused.err
    record.write_text(" " * 4_000_001)
    assert "that is no review" in cogsym("languages", "comment", record).err
    record.write_text('{"files": []}')
    assert cogsym("languages", "comment", record).out.startswith(MARKER)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A repository to commit language files to."""
    (tmp_path / "repository" / "toolkit" / "languages").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "repository")
    for name, value in (("NAME", "t"), ("EMAIL", "t@example.org")):
        monkeypatch.setenv(f"GIT_AUTHOR_{name}", value)
        monkeypatch.setenv(f"GIT_COMMITTER_{name}", value)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    subprocess.run(["git", "init", "-q", "-b", "main"], check=True)

    def commit() -> None:
        subprocess.run(["git", "add", "-A"], check=True)
        subprocess.run(["git", "commit", "-qm", "x", "--allow-empty"], check=True)

    return commit


def test_files_come_out_of_a_commit_as_data(repository: Callable[..., None], cogsym: Run, tmp_path: Path) -> None:
    place = Path("toolkit/languages")
    repository()
    (place / "jav.yaml").write_text(JAVANESE, encoding="utf-8")
    (place / "evil.py").write_text("raise SystemExit('run!')")
    repository()
    assert take_language_files("HEAD", tmp_path / "out") == ["jav.yaml"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["jav.yaml"]
    told = cogsym("languages", "review", "HEAD^1", "HEAD")
    assert told.code == 0, told.err
    assert "`jav.yaml`, `Javanese`: new" in told.out


def test_links_odd_names_and_what_is_no_commit_are_refused(repository: Callable[..., None], tmp_path: Path) -> None:
    place = Path("toolkit/languages")
    (place / "jav.yaml").symlink_to("/etc/passwd")
    repository()
    with pytest.raises(LanguageError, match="not an ordinary file"):
        take_language_files("HEAD", tmp_path / "out")
    (place / "jav.yaml").unlink()
    (place / "a\n b.yaml").write_text("x: 1\n")
    repository()
    with pytest.raises(LanguageError, match="not an ordinary file"):
        take_language_files("HEAD", tmp_path / "out")
    for commit in ("--output=x", "-h", "", "HEAD; rm", "nowhere"):
        with pytest.raises(LanguageError):
            take_language_files(commit, tmp_path / "out")
