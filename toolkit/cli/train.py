"""`cogsym train`: adapt a base to a language as a recipe says, and keep the exact difference as a delta."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolkit.cli.console import err, out, quiet_libraries, steps_progress
from toolkit.errors import RecipeError

if TYPE_CHECKING:
    from toolkit.adaptation import Plan
    from toolkit.recipe import Recipe
    from toolkit.records import DeltaInfo, Identification, TrainingRecord


def train(
    recipe: Annotated[
        str | None, typer.Option("--recipe", help="YAML file, or the name of a recipe that comes with the toolkit.")
    ] = None,
    to: Annotated[Path | None, typer.Option("--out", help="Run folder to make.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Run folder to continue.")] = None,
    select: Annotated[str | None, typer.Option(help="Selection instead of the recipe's, e.g. front:25%.")] = None,
    base: Annotated[
        str | None, typer.Option(help="Base instead of the recipe's: pocket, a folder, or a Hub id.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed instead of the recipe's.")] = None,
    report_to: Annotated[
        list[str] | None,
        typer.Option(help="Show metrics in tensorboard, wandb or trackio too; may come several times."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Train even if it looks too large for this machine.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would train; write nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Train a language and save the exact difference.

    Example: cogsym train --recipe llama-2-7b-jav --out runs/jav
    """
    quiet_libraries()
    from toolkit.adaptation import prepare, reopen, train_delta

    if resume is not None:
        chosen, folder = reopen(resume), resume
    else:
        chosen = read_chosen_recipe(
            recipe, {"select": select, "base": base, "seed": seed, "report_to": report_to or None}
        )
        if to is None and not dry_run:
            raise RecipeError("where should the run go?", "add --out FOLDER")
        folder = to or Path()
    if dry_run:
        _show_dry_run(chosen, as_json)
        return
    plan = prepare(chosen, folder, resume=resume is not None)
    if not as_json:
        print_plan(plan)
    _check_requirements(plan, force=force, quiet=as_json)
    training, delta = train_with_bar(plan, train_delta, resume=resume is not None)
    if as_json:
        out.print_json(json.dumps({"training": training.model_dump(), "delta": delta.model_dump()}, default=str))
        return
    print_outcome(plan, training, delta)
    err.print(f"next: cogsym evaluate {folder}", style="dim")


def train_with_bar(plan: Plan, work: Any, **options: Any) -> tuple[TrainingRecord, DeltaInfo]:
    """Run `train_delta` under a progress bar with loss, speed and time left."""
    with steps_progress() as progress:
        task = progress.add_task(f"training {plan.recipe.select}", total=plan.recipe.max_steps, note="")

        def report(step: Any) -> None:
            note = "" if step.loss is None else f"loss {step.loss:.2f}  {step.tokens_per_second or 0:,.0f} tokens/s"
            progress.update(task, completed=step.step, total=step.steps, note=note)

        return work(plan, report=report, **options)


def print_plan(plan: Plan) -> None:
    """Print what is about to happen."""
    from toolkit.selection import describe_layers

    selection = plan.selection
    parts = [f"layers {describe_layers(selection.layers)} of {selection.n_layers}"]
    parts += ["embeddings"] * selection.embeddings + ["LM head"] * selection.head
    err.print(
        f"base {plan.base_info.id}: {selection.total_weights:,} weights; {selection.trained_weights:,} of them train "
        f"({selection.share:.0%}): {', '.join(parts)}",
        soft_wrap=True,
    )
    for source in plan.mixture.sources:
        dropped = ", ".join(f"{count} left out: {reason}" for reason, count in source.dropped.items())
        use = "teaches" if source.role == "target" else "replays"
        err.print(
            f"data {source.name}: {source.rows:,} rows, {use} {'-'.join(source.languages)}"
            + (f" ({dropped})" if dropped else "")
        )
        for found in source.identified:
            err.print(f"  {_identification(found)}", style="dim")


def _check_requirements(plan: Plan, *, force: bool, quiet: bool) -> None:
    """Print what the run needs, and refuse what cannot fit unless forced."""
    from toolkit.cli.plan import print_requirements
    from toolkit.selection import read_layout
    from toolkit.training import refuse_what_cannot_fit, requirements

    needs = requirements(
        plan.recipe,
        plan.base,
        read_layout(plan.base),
        plan.selection,
        out=plan.run.root,
        examples=plan.mixture.examples,
    )
    if not quiet:
        print_requirements(needs)
    if not force:
        refuse_what_cannot_fit(needs)


def _identification(found: Identification) -> str:
    """One line on what language identification made of one side of a source."""
    if found.share is None:
        return f"{found.language}: not identified (lid.176 does not know it)"
    other = (
        f"; {found.next_share:.0%} look like {found.next_best}" if found.next_share and found.next_share >= 0.01 else ""
    )
    return f"{found.language}: {found.share:.0%} of {found.rows:,} rows look like it to lid.176{other}"


def print_outcome(plan: Plan, training: TrainingRecord, delta: DeltaInfo) -> None:
    """Print what training left behind."""
    out.print(
        f"trained {training.steps} steps in {training.seconds:.0f} s, loss {training.first_loss:.2f} to "
        f"{training.final_loss:.2f}"
    )
    out.print(
        f"delta {plan.run.delta}: {delta.size_bytes / 1e6:,.2f} MB, {delta.bits_per_weight:.2f} bits per weight, "
        f"{delta.size_bytes / plan.base_info.size_bytes:.1%} of the model"
    )


def read_chosen_recipe(recipe: str | None, changes: dict[str, Any]) -> Recipe:
    """The recipe of this name or file, with what the options change."""
    from toolkit.recipe import make_recipe, read_recipe
    from toolkit.recipes import FOLDER, find_recipe

    if recipe is None:
        raise RecipeError(
            "which recipe?", "add --recipe FILE, or --resume RUN to continue one; `cogsym recipes` lists some"
        )
    path = find_recipe(recipe)
    # A recipe that comes with the toolkit has no data beside it: its files are looked for here.
    chosen = read_recipe(path, Path.cwd() if path.parent == FOLDER else None)
    changes = {key: value for key, value in changes.items() if value is not None}
    return make_recipe(chosen.model_dump() | changes, where="the options") if changes else chosen


def _show_dry_run(recipe: Recipe, as_json: bool) -> None:
    from toolkit.cli.select import print_selection
    from toolkit.pretrained import resolve_config
    from toolkit.selection import read_layout, resolve_selection

    layout = read_layout(resolve_config(recipe.base, recipe.base_revision))
    selection = resolve_selection(
        recipe.select, layout, embeddings=recipe.embeddings, head=recipe.head, final_norm=recipe.final_norm
    )
    paths = [source.path for source in (*recipe.data, *recipe.replay) if source.path is not None]
    paths += [test.path for test in recipe.evaluation]
    files = {path: Path(path).is_file() for path in paths}
    if as_json:
        out.print_json(json.dumps({"selection": selection.model_dump(), "data": files}))
        return
    print_selection(selection)
    for path, found in files.items():
        out.print(f"data {path}: {'found' if found else '[yellow]not there yet[/]'}", soft_wrap=True)
    for source in (*recipe.data, *recipe.replay):
        if source.hub is not None:
            out.print(f"data {source.hub}: on the Hub, downloaded when training starts")
    out.print("dry run: nothing was written", style="dim")
