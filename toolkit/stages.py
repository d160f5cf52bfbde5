"""The stages that every language goes through once its recipe stands: train, evaluate, publish; told to a listener.

Each can be called again after an interruption, and goes on with what is there.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from toolkit.adaptation import prepare, reopen, train_delta
from toolkit.errors import TrainingStopped
from toolkit.recipe import Recipe
from toolkit.records import DeltaInfo, EvaluationRecord, TrainingRecord
from toolkit.run_folder import RunFolder

if TYPE_CHECKING:
    from toolkit.hub import PublishReport


class Listener(Protocol):
    """Whoever shows the work to a person."""

    def stage(self, title: str, why: str) -> None:
        """A new stage begins; `why` says in one sentence why it matters."""

    def step(self, done: int, total: int, note: str) -> None:
        """The stage has come so far."""


def train(recipe: Recipe, run: RunFolder, listener: Listener, *, go_on: str) -> tuple[TrainingRecord, DeltaInfo]:
    """Train what the recipe says, or go on with the run that was begun in this folder; a finished one is left alone.

    Args:
        go_on: the command that goes on after an interruption.

    Raises:
        TrainingStopped: if it was interrupted.
        CogsymError: as `prepare` and `train_delta`.
    """
    if run.is_trained:
        return run.read_training(), run.read_delta_info()
    begun = run.recipe.is_file()
    plan = prepare(reopen(run.root) if begun else recipe, run.root, resume=begun)
    selection = plan.selection
    budget = f", {selection.budget} of the layers" if selection.budget else ""
    listener.stage(
        f"Train {selection.method}{budget}",
        "A model understands a language in its first layers and speaks it in its last ones: only those are trained."
        if selection.method == "cogsym"
        else "What is learned is kept as the exact difference to the base.",
    )
    try:
        return train_delta(plan, report=_training_report(listener), resume=begun)
    except TrainingStopped as stop:
        raise TrainingStopped(stop.message, f"{go_on} goes on from there") from stop


def evaluate(run: RunFolder, listener: Listener, *, limit: int | None = None) -> list[EvaluationRecord]:
    """Score base and adapted model on the run's test sets; what was scored before is not computed again."""
    from toolkit.evaluation import evaluate as score

    listener.stage(
        "Evaluate base and adapted model",
        "On sentences that neither has seen; where there are some of a known language, also that it is not forgotten.",
    )
    return score(run, limit=limit, report=_evaluation_report(listener))


def describe(run: RunFolder, listener: Listener) -> None:
    """Write the card from the run's records."""
    from hub_cards import write_card
    from toolkit.pretrained import base_here

    listener.stage("Write the card", "What was learned from what, how well, and what it costs: from records alone.")
    write_card(run, base=base_here(run))


def publish(
    run: RunFolder, target: str | os.PathLike[str], listener: Listener, *, try_out: bool = True
) -> PublishReport:
    """Write the card for this place and publish there; a place that holds exactly this already is left as it is."""
    from toolkit.hub import parse_target
    from toolkit.sharing import share

    place = parse_target(target)
    listener.stage(
        "Write the card and publish",
        "A repository that the Hub would take, made in a local folder."
        if place.folder
        else f"Checked, pushed to {place.repo_id} in one commit, and read back.",
    )
    return share(run, target, try_out=try_out)


def _training_report(listener: Listener) -> Callable[[Any], None]:
    def report(step: Any) -> None:
        listener.step(step.step, step.steps, "" if step.loss is None else f"loss {step.loss:.2f}")

    return report


def _evaluation_report(listener: Listener) -> Callable[[Any], None]:
    return lambda step: listener.step(step.sentences, step.total_sentences, f"{step.model}, {step.direction}")
