"""What a rented machine does: train the recipe that came with the job, evaluate, write the card, publish.

The job calls this file with the recipe and the place to publish; the recipe's data files lie beside it. The run folder
is copied to a bucket meanwhile: a job that was ended goes on there when it is started again.
"""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
from pathlib import Path

from toolkit.hub.client import hub_client
from toolkit.jobs.keeping import KeptRun
from toolkit.run_folder import RunFolder

log = logging.getLogger(__name__)

RUN = "run"


def steps(
    recipe: str, target: str, private: bool, *, force: bool = False, cards: int = 1, measures: bool = True
) -> list[list[str]]:
    """The commands, in order; each is what a person would type.

    Args:
        cards: GPUs that train together, with a process each.
        measures: whether the recipe names test sets.
    """
    together = ["accelerate", "launch", "--num_processes", str(cards), "-m", "toolkit"]
    train = ["train", "--recipe", recipe, "--out", RUN, *(["--force"] if force else [])]
    return [
        [*(together if cards > 1 else ["cogsym"]), *train],
        *([["cogsym", "evaluate", RUN]] if measures else []),
        ["cogsym", "card", RUN],
        ["cogsym", "publish", RUN, target, *(["--private"] if private else [])],
    ]


def left_to_do(commands: list[list[str]], run: Path) -> list[list[str]]:
    """The commands that a run which was begun before still needs."""
    train, *others = commands
    if RunFolder(run).is_trained:
        return others
    if RunFolder(run).recipe.is_file():
        begin = train.index("--recipe")
        train = [*train[:begin], "--resume", str(run), *train[begin + 4 :]]
    return [train, *others]


def as_run(command: list[str]) -> list[str]:
    """The command in this very Python, whose programs need not be where programs are looked for."""
    program, *rest = command
    if program == "accelerate":
        return [sys.executable, "-m", "accelerate.commands.accelerate_cli", *rest]
    return [sys.executable, "-m", "toolkit", *rest]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("recipe")
    parser.add_argument("files", nargs="*")  # they are beside the recipe
    parser.add_argument("--target", required=True)
    parser.add_argument("--private", action="store_true")
    parser.add_argument("--force", action="store_true")
    parser.add_argument("--cards", type=int, default=1)
    parser.add_argument("--unmeasured", action="store_true", help="the recipe names no test set")
    parser.add_argument("--kept", required=True, help="ORG/BUCKET/FOLDER for a copy of the run folder")
    given = parser.parse_args(arguments)
    logging.basicConfig(format="%(message)s")
    log.setLevel(logging.INFO)
    run = Path(RUN)
    kept = KeptRun(run, given.kept, hub_client())
    if kept.bring_back():
        log.info("going on with the run that an earlier job left in %s", given.kept)
    chosen = {"force": given.force, "cards": given.cards, "measures": not given.unmeasured}
    commands = steps(given.recipe, given.target, given.private, **chosen)
    for command in left_to_do(commands, run):
        with kept.saved_meanwhile():
            finished = subprocess.run(as_run(command))
        if finished.returncode:
            raise SystemExit(finished.returncode)
    kept.forget()


if __name__ == "__main__":
    main()
