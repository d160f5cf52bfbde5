"""`cogsym train`: adapt a base to a language as a recipe says, and keep the exact difference as a delta."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.filesize import decimal

from toolkit.cli.chosen_recipe import (
    BaseOption,
    FrozenOption,
    MethodOption,
    OrderOption,
    SelectOption,
    read_chosen_recipe,
)
from toolkit.cli.console import err, let_one_speak, out, quiet_libraries, ranking_progress, steps_progress
from toolkit.errors import RecipeError

if TYPE_CHECKING:
    from toolkit.adaptation import Plan
    from toolkit.recipe import Recipe
    from toolkit.records import DataInfo, DeltaInfo, Identification, SelectionInfo, TrainingRecord
    from toolkit.run_folder import RunFolder


_BESIDE_RESUME = ("resume", "force", "dry_run", "as_json", "help")


def train(
    context: typer.Context,
    recipe: Annotated[
        str | None, typer.Option("--recipe", help="YAML file, or the name of a recipe that comes with the toolkit.")
    ] = None,
    to: Annotated[Path | None, typer.Option("--out", help="Run folder to make.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Run folder to continue.")] = None,
    select: SelectOption = None,
    base: BaseOption = None,
    seed: Annotated[int | None, typer.Option(help="Seed instead of the recipe's.")] = None,
    method: MethodOption = None,
    order: OrderOption = None,
    frozen: FrozenOption = None,
    backend: Annotated[str | None, typer.Option(help="auto, transformers, or unsloth.")] = None,
    report_to: Annotated[
        list[str] | None,
        typer.Option(help="Show metrics in tensorboard, wandb or trackio too; may come several times."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Train even if it looks too large for this machine.")] = False,
    on: Annotated[str | None, typer.Option(help="jobs: train on a machine rented from the Hub; see --target.")] = None,
    target: Annotated[str | None, typer.Option(help="With --on jobs: where to publish, org/name; org pays.")] = None,
    flavor: Annotated[str, typer.Option(help="With --on jobs: the Hub's name for a kind of machine.")] = "l40sx1",
    timeout: Annotated[str, typer.Option(help="With --on jobs: end it after this, e.g. 90m or 8h.")] = "8h",
    private: Annotated[bool, typer.Option("--private", help="With --on jobs: publish privately.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would train; write nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Train a language and save the exact difference.

    Example: cogsym train --recipe llama-2-7b-jav --out runs/jav
    """
    let_one_speak()
    from toolkit.adaptation import prepare, reopen, train_delta
    from toolkit.environment import import_unsloth_first

    if resume is not None:
        _refuse_beside_resume(context, resume)
        chosen, folder = reopen(resume), resume
    else:
        instead: dict[str, Any] = {"select": select, "base": base, "seed": seed, "method": method, "order": order}
        instead |= {"frozen": frozen, "backend": backend, "report_to": report_to or None}
        chosen = read_chosen_recipe(recipe, instead)
        if on is not None:
            quiet_libraries()
            _train_on(on, chosen, target, flavor=flavor, timeout=timeout, private=private, dry_run=dry_run, force=force)
            return
        if to is None and not dry_run:
            raise RecipeError("where should the run go?", "add --out FOLDER")
        folder = to or Path()
    if not dry_run:
        import_unsloth_first(chosen.backend)
    quiet_libraries()
    if dry_run:
        _show_dry_run(chosen, as_json)
        return
    with ranking_progress(quiet=as_json) as report:
        plan = prepare(chosen, folder, resume=resume is not None, report=report)
    if not as_json:
        print_plan(plan)
        _print_idle_cards()
    _check_requirements(plan, force=force, quiet=as_json)
    training, delta = train_with_bar(plan, train_delta, resume=resume is not None)
    if as_json:
        out.print_json(json.dumps({"training": training.model_dump(), "delta": delta.model_dump()}, default=str))
        return
    print_outcome(plan.run, training, delta)
    err.print(f"next: cogsym evaluate {folder}", style="dim")


def _refuse_beside_resume(context: typer.Context, run: Path) -> None:
    """Raise where an option would be ignored, because the run goes on with the recipe in its folder."""
    options = {each.name: each.opts[0] for each in context.command.params if each.name not in _BESIDE_RESUME}
    # By its name: typer may carry a click of its own.
    given = [
        option
        for name, option in options.items()
        if getattr(context.get_parameter_source(name or ""), "name", "") == "COMMANDLINE"
    ]
    if given:
        raise RecipeError(
            f"--resume goes on with the recipe in {run}, without {', '.join(given)}",
            f"leave that out; what cannot change the result, such as `micro_batch_size`, may be edited in "
            f"{run / 'recipe.yaml'}; anything else is another run: --recipe and --out",
        )


def _train_on(place: str, recipe: Recipe, target: str | None, *, dry_run: bool, **options: Any) -> None:
    """Start a job on the Hub, or show what would be sent."""
    from toolkit.cli.plan import print_requirements
    from toolkit.jobs import plan_job, start_job

    if place != "jobs":
        raise RecipeError(f"--on {place} is no place to train", "write --on jobs, or leave it out to train here")
    if target is None:
        raise RecipeError("where should the job publish what it trained?", "add --target org/name")
    plan = plan_job(recipe, target, **options)
    if plan.needs is not None:
        print_requirements(plan.needs)
    else:
        err.print(f"whether it fits on {plan.flavor} is not known here", style="yellow")
    out.print(f"a job of {plan.namespace} on {plan.flavor}, ended after {plan.timeout} at the latest")
    keys = "".join(f" and {name}" for name in plan.secrets[1:])
    secrets = f"gets your Hub token{keys} as a secret" + "s" * bool(keys)
    toolkit, *others = plan.dependencies
    installed = ", ".join([f"{toolkit} ({plan.package.where})", *others])
    out.print(f"installs {installed}", markup=False, soft_wrap=True)
    out.print(f"{secrets}, to read the base and to publish", markup=False)
    out.print(
        f"copies the run folder to the bucket {plan.kept} until it is published: of a job that ends before, the same "
        f"command goes on from the last checkpoint (every {recipe.checkpoint_steps} steps)",
        markup=False,
        soft_wrap=True,
    )
    if plan.may_be_cut_short:
        err.print(f"training alone may take longer than {plan.timeout}: give it more with --timeout", style="yellow")
    if plan.package.source is not None:
        out.print("sends the toolkit's source")
    for name, path in plan.files.items():
        out.print(f"sends {name} ({decimal(path.stat().st_size)})", markup=False)
    for command in plan.commands:
        out.print(f"runs {command}", markup=False)
    if dry_run:
        out.print("dry run: nothing was sent", style="dim")
        return
    out.print(f"started: {start_job(plan)}", soft_wrap=True)


def train_with_bar(plan: Plan, work: Any, **options: Any) -> tuple[TrainingRecord, DeltaInfo]:
    """Run `train_delta` under a progress bar with loss, speed and time left.

    What libraries print meanwhile (trackio says where its dashboard is) goes to stderr: stdout is for results.
    """
    with redirect_stdout(sys.stderr), steps_progress() as progress:
        task = progress.add_task(f"training {plan.recipe.select}", total=None, note="")

        def report(step: Any) -> None:
            note = "" if step.loss is None else f"loss {step.loss:.2f}  {step.tokens_per_second or 0:,.0f} tokens/s"
            progress.update(task, completed=step.step, total=step.steps, note=note)

        return work(plan, report=report, **options)


def print_plan(plan: Plan) -> None:
    """Print what is about to happen."""
    print_what_trains(plan.recipe, plan.selection, plan.base_info.id)
    print_sources(plan.mixture.sources)


def _print_idle_cards() -> None:
    """Say that other GPUs could train along."""
    from toolkit.training.distributed import idle_cards

    idle = idle_cards()
    if idle:
        err.print(
            f"1 of {idle + 1} GPUs trains; `accelerate launch -m toolkit train ...` uses all {idle + 1}", soft_wrap=True
        )


def print_what_trains(recipe: Recipe, selection: SelectionInfo, base: str) -> None:
    """Print which weights of the base train, and how."""
    from toolkit.cli.select import describe

    parts = [describe(selection)]
    parts += ["embeddings"] * selection.embeddings + ["LM head"] * selection.head
    err.print(
        f"base {base}: {selection.total_weights:,} weights; {selection.trained_weights:,} of them train "
        f"({selection.share:.0%}): {', '.join(parts)}",
        soft_wrap=True,
    )
    if recipe.method == "lora":
        err.print(f"method lora: adapters of rank {recipe.lora_rank} train beside these weights")
    if recipe.order != "together":
        err.print(f"order {recipe.order}: each end trains for all steps, with the other one frozen")


def print_sources(sources: Iterable[DataInfo]) -> None:
    """Print what each source gives, what of it is left out, and what it looks like."""
    for source in sources:
        dropped = ", ".join(
            f"{count} left out: {reason}, first {source.first_dropped[reason]}"
            if reason in source.first_dropped
            else f"{count} left out: {reason}"
            for reason, count in source.dropped.items()
        )
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
    from toolkit.training import leads, refuse_what_cannot_fit, requirements

    needs = requirements(
        plan.recipe,
        plan.base,
        read_layout(plan.base),
        (plan.selection,),
        out=plan.run.root,
        examples=plan.mixture.examples,
        measure=leads() and not quiet,
    )
    if not quiet:
        print_requirements(needs)
    if not force:
        refuse_what_cannot_fit(needs)


def _identification(found: Identification) -> str:
    """One line on what language identification made of one side of a source."""
    if found.share is None:
        return f"{found.language}: not identified ({found.identifier} does not know it)"
    other = (
        f"; {found.next_share:.0%} look like {found.next_best}" if found.next_share and found.next_share >= 0.01 else ""
    )
    return f"{found.language}: {found.share:.0%} of {found.rows:,} rows look like it to {found.identifier}{other}"


def print_outcome(run: RunFolder, training: TrainingRecord, delta: DeltaInfo) -> None:
    """Print what training left behind."""
    ending = "" if training.final_loss_steps is None else f" (mean of the last {training.final_loss_steps})"
    out.print(
        f"trained {training.steps} steps in {training.seconds:.0f} s, loss {training.first_loss:.2f} to "
        f"{training.final_loss:.2f}{ending}"
    )
    out.print(
        f"delta {run.delta}: {delta.size_bytes / 1e6:,.2f} MB, {delta.bits_per_weight:.2f} bits per weight, "
        f"{delta.size_bytes / delta.base.size_bytes:.1%} of the model"
    )


def _show_dry_run(recipe: Recipe, as_json: bool) -> None:
    from toolkit.cli.select import print_selection
    from toolkit.pretrained import resolve_config
    from toolkit.recipe import local_files
    from toolkit.selection import looks_at, possible_selections, read_layout
    from toolkit.training import refuse_contradictions

    layout = read_layout(resolve_config(recipe.base, recipe.base_revision))
    possible = possible_selections(recipe, layout)
    refuse_contradictions(recipe, possible[0], layout)
    # Ranked ones need more than a plan: the base's weights, or the data.
    selection = possible[0] if looks_at(recipe.select, layout) is None else None
    files = {str(path): path.is_file() for path in local_files(recipe)}
    if as_json:
        planned = selection.model_dump(mode="json") if selection else None
        out.print_json(json.dumps({"selection": planned, "data": files}))
        return
    if selection is None:
        out.print(f"{recipe.select}: found from the base when the run starts; `cogsym select --recipe` shows it now")
    else:
        print_selection(selection)
    for path, found in files.items():
        out.print(f"data {path}: {'found' if found else '[yellow]not there yet[/]'}", soft_wrap=True)
    for source in (*recipe.data, *recipe.replay):
        if source.hub is not None:
            out.print(f"data {source.hub}: on the Hub, downloaded when training starts")
    out.print("dry run: nothing was written", style="dim")
