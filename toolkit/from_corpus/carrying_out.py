"""Carries a draft out: train, evaluate, card, and publish where that was asked for; goes on where it was stopped."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit import stages
from toolkit.adaptation import refuse_existing
from toolkit.errors import OutputError
from toolkit.from_corpus.drafting import RECIPE
from toolkit.recipe import Recipe, read_recipe
from toolkit.records import DeltaInfo, EvaluationRecord, TrainingRecord
from toolkit.run_folder import INNER, RunFolder
from toolkit.stages import Listener

if TYPE_CHECKING:
    from toolkit.hub import PublishReport


@dataclass(frozen=True)
class Workplace:
    """The folder that `cogsym adapt --out` makes: `recipe.yaml`, `data/`, and the run in `run/`."""

    root: Path

    @property
    def recipe(self) -> Path:
        return self.root / RECIPE

    @property
    def run(self) -> RunFolder:
        return RunFolder(self.root / INNER)


@dataclass(frozen=True)
class Adapted:
    """What came of it."""

    place: Workplace
    recipe: Recipe
    training: TrainingRecord
    delta: DeltaInfo
    evaluations: tuple[EvaluationRecord, ...]
    published: PublishReport | None = None


@contextmanager
def drafting_place(out: Path, *, dry_run: bool) -> Iterator[Path]:
    """A folder to draft in, gone afterwards unless it was kept; beside `out`, so that keeping it is one rename.

    A dry run drafts where temporary files go.

    Raises:
        OutputError: if `out` is taken, or nothing can be written there.
    """
    refuse_existing(out)
    if not dry_run:
        out.absolute().parent.mkdir(parents=True, exist_ok=True)
    beside = None if dry_run else out.absolute().parent
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=beside, ignore_cleanup_errors=True) as folder:
        place = Path(folder) / "draft"
        place.mkdir()
        yield place


def keep(draft: Path, out: Path) -> Workplace:
    """The draft as the folder `out`, which appears whole or not at all."""
    os.replace(draft, out)
    return Workplace(out)


def reopen(out: Path) -> Workplace:
    """A folder that was begun before.

    Raises:
        OutputError: if it holds no recipe.
    """
    place = Workplace(out)
    if not place.recipe.is_file():
        raise OutputError(
            f"{out} holds no {RECIPE}, so nothing was begun there", "give --language, --data and --out instead"
        )
    return place


def is_done(place: Workplace) -> bool:
    """Whether the run is trained, measured on all tests of its recipe, and described."""
    run = place.run
    if not (run.is_trained and run.card.is_file()):
        return False
    delta = run.read_config().delta_sha256
    measured = {
        (record.dataset, record.direction)
        for record in run.read_evaluations()
        if record.model == "adapted" and record.delta_sha256 == delta
    }
    tests = read_recipe(run.recipe).evaluation
    return all((test.dataset, one) in measured for test in tests for one in getattr(test, "directions", ()))


def carry_out(place: Workplace, listener: Listener, *, publish_to: str | None = None) -> Adapted:
    """Train, evaluate, write the card, and publish; each of these only as far as it is not done.

    Args:
        publish_to: `org/name`, or a folder such as `./published`.

    Raises:
        TrainingStopped: if it was interrupted; the same call goes on.
        CogsymError: as the stages.
    """
    recipe, run = read_recipe(place.recipe), place.run
    if publish_to is None and is_done(place):
        return Adapted(place, recipe, run.read_training(), run.read_delta_info(), tuple(run.read_evaluations()))
    training, delta = stages.train(recipe, run, listener, go_on=f"`cogsym adapt --resume {place.root}`")
    evaluations = tuple(stages.evaluate(run, listener))
    published = None
    if publish_to is None:
        stages.describe(run, listener)
    else:
        published = stages.publish(run, publish_to, listener)
    return Adapted(place, recipe, training, delta, evaluations, published)
