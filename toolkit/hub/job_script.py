"""What a rented machine does: train the recipe that came with the job, evaluate, write the card, publish.

The job calls this file with the recipe and the place to publish; the recipe's data files lie beside it.
"""

from __future__ import annotations

import subprocess
import sys

RUN = "run"


def steps(recipe: str, target: str, private: bool) -> list[list[str]]:
    """The commands, in order; each is what a person would type."""
    return [
        ["cogsym", "train", "--recipe", recipe, "--out", RUN],
        ["cogsym", "evaluate", RUN],
        ["cogsym", "card", RUN],
        ["cogsym", "publish", RUN, target, *(["--private"] if private else [])],
    ]


def main() -> None:
    recipe, target, visibility, *_ = sys.argv[1:]
    for command in steps(recipe, target, visibility == "private"):
        finished = subprocess.run(command)
        if finished.returncode:
            raise SystemExit(finished.returncode)


if __name__ == "__main__":
    main()
