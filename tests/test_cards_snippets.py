"""Every snippet of a card is run as it stands, beside a published pocket delta.

Nothing in a snippet is replaced. Around them: the published folder lies in the current folder, as the card says; the
recipe is saved from the card and the data files lie beside it, as the card says; the page that `cogsym space serve`
opens is fetched once and then stopped. What `pip install` would bring is this checkout.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from hub_cards import lint, write_card
from toolkit.records import EvaluationRecord
from toolkit.run_folder import RunFolder

NAME = "pocket-cogsym-jav"
# A pocket run so short that it learns nothing: snippets need a delta, not a good one.
RECIPE = """
language: jav
base: pocket
select: cogsym:25%
data:
  - {path: data/train.tsv, directions: [eng>jav, jav>eng], limit: 24, licence: cc0-1.0, origin: phrasebook}
replay:
  - {path: data/train.tsv, directions: [eng>ind], limit: 8}
evaluation:
  - {path: data/test.tsv, name: pocket phrasebook, directions: [eng>jav, eng>ind], limit: 3, max_new_tokens: 8}
prompt: lines
max_tokens: 128
max_steps: 2
batch_size: 4
"""


@dataclass(frozen=True)
class Snippet:
    """One fenced block of a card."""

    language: str
    code: str

    @property
    def commands(self) -> list[str]:
        return [line for line in self.code.splitlines() if line.strip()]


def snippets(card: str) -> list[Snippet]:
    tokens = MarkdownIt("commonmark").parse(card)
    return [Snippet(token.info, token.content) for token in tokens if token.type == "fence"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a pocket delta as it was published: the run itself is elsewhere."""
    from toolkit import hub, pocket
    from toolkit.adaptation import prepare, train_delta
    from toolkit.evaluation import evaluate
    from toolkit.recipe import read_recipe

    made = tmp_path_factory.mktemp("made")
    pocket.write_corpus(made / "data")
    (made / "pocket.yaml").write_text(RECIPE)
    plan = prepare(read_recipe(made / "pocket.yaml"), made / "run")
    train_delta(plan)
    evaluate(plan.run)
    write_card(plan.run, name=NAME)
    folder = tmp_path_factory.mktemp("place")
    hub.publish(plan.run, folder / NAME)
    for name in ("train.tsv", "test.tsv"):
        (folder / name).symlink_to(made / "data" / name)
    return folder


@pytest.fixture
def card(place: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(place)
    return (place / NAME / "README.md").read_text(encoding="utf-8")


def run_command(line: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Run `cogsym ...` or `lm_eval ...` in this process, split as a shell splits it; what it printed."""
    program, *arguments = shlex.split(line)
    if program == "cogsym":
        from toolkit.cli import main
    else:
        assert program == "lm_eval", line
        from lm_eval.__main__ import cli_evaluate

        def main(arguments: list[str]) -> None:  # type: ignore[misc]
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(sys, "argv", ["lm_eval", *arguments])
                cli_evaluate()

    code: object = 0
    try:
        main(arguments)
    except SystemExit as stop:
        code = stop.code
    captured = capsys.readouterr()
    assert not code, f"{line}\n{captured.out}{captured.err}"
    return captured.out


def test_a_published_pocket_card_passes_the_lint(card: str, place: Path) -> None:
    assert lint(card, place / NAME) == []
    assert "no native speaker has reviewed them yet" in card


def test_every_block_of_the_card_is_of_a_kind_that_is_run_here(card: str) -> None:
    kinds = [snippet.language for snippet in snippets(card)]
    assert set(kinds) == {"bash", "python", "yaml", "text", "bibtex"}  # text and bibtex are nothing to run
    lines = [line for snippet in snippets(card) if snippet.language == "bash" for line in snippet.commands]
    verbs = [" ".join(line.split()[:2]) for line in lines]
    assert verbs == [
        "cogsym translate",
        "cogsym merge",
        "cogsym space",
        "cogsym train",
        "cogsym evaluate",
        "cogsym card",
        "lm_eval --model",
    ]


def test_the_commands_that_use_the_delta_run(card: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    usage = snippets(card)[0]
    translate, merge, _ = usage.commands
    assert run_command(translate, capsys).strip()
    run_command(merge, capsys)
    merged = place / "pocket-jav"
    assert (merged / "model.safetensors").is_file()
    from transformers import AutoModelForCausalLM

    assert AutoModelForCausalLM.from_pretrained(merged).config.num_hidden_layers == 16


def test_the_python_block_runs(card: str, capsys: pytest.CaptureFixture[str]) -> None:
    block = next(snippet for snippet in snippets(card) if snippet.language == "python")
    names: dict[str, object] = {}
    exec(block.code, names)
    assert type(names["model"]).__name__ == "LlamaForCausalLM"
    assert capsys.readouterr().out.strip()


def test_the_way_to_reproduce_the_run_ends_in_the_same_numbers(
    card: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = snippets(card)
    recipe = next(snippet for snippet in blocks if snippet.language == "yaml")
    (place / "recipe.yaml").write_text(recipe.code, encoding="utf-8")
    again, lm_eval = [snippet for snippet in blocks if snippet.language == "bash"][1:]
    for command in again.commands:
        run_command(command, capsys)
    first, second = RunFolder(place / NAME), RunFolder(place / "again")
    assert second.read_config().delta_sha256 == first.read_config().delta_sha256
    assert [scores(record) for record in second.read_evaluations()] == [
        scores(record) for record in first.read_evaluations()
    ]
    table = run_command(lm_eval.commands[0], capsys)
    for record in first.read_evaluations():
        if record.model == "adapted":
            assert record.task in table


def scores(record: EvaluationRecord) -> tuple[object, ...]:
    return record.task, record.model, tuple((score.metric, score.value) for score in record.scores)


def test_the_page_of_the_card_is_served(card: str, place: Path) -> None:
    serve = snippets(card)[0].commands[2]
    command = [sys.executable, "-m", "toolkit", *shlex.split(serve)[1:], "--no-open"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, cwd=place, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        deadline = time.monotonic() + 120
        address = None
        for line in process.stdout:
            if match := re.search(r"http://\S+", line):
                address = match.group(0)
                break
            assert time.monotonic() < deadline
        assert address, "the page said no address"
        with urllib.request.urlopen(address, timeout=30) as page:
            assert page.status == 200
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
