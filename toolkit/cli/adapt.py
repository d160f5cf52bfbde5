"""`cogsym adapt`: from a corpus to a finished run: check, split, train, evaluate, card; publish on request."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from toolkit.cli.audit_view import print_audit
from toolkit.cli.columns import read_columns, read_header
from toolkit.cli.console import err, out, quiet_libraries
from toolkit.errors import CorpusError, OutputError

if TYPE_CHECKING:
    from toolkit.auditing import Audit
    from toolkit.from_corpus import Adapted, Draft, Known, Wish
    from toolkit.from_corpus.carrying_out import Workplace
    from toolkit.hub.target import Target


def adapt(
    language: Annotated[str | None, typer.Option(help="ISO 639-3 code of the language to learn, e.g. ban.")] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(help="tsv, csv, json, jsonl or txt file to learn from; repeat for several."),
    ] = None,
    to: Annotated[Path | None, typer.Option("--out", help="Folder to make.")] = None,
    base: Annotated[str, typer.Option(help="pocket, a folder, or a Hub id such as meta-llama/Llama-2-7b-hf.")] = (
        "pocket"
    ),
    other: Annotated[
        str | None, typer.Option("--with", help="Code of the other side of sentence pairs; default as the columns say.")
    ] = None,
    columns: Annotated[
        str | None, typer.Option(help="Columns that bear other names, CODE=COLUMN,...: ban=bali,eng=english.")
    ] = None,
    header: Annotated[
        str | None, typer.Option(help="Names of the columns, where your files begin without them: ban,eng.")
    ] = None,
    test: Annotated[
        Path | None, typer.Option(help="Test set of your own, instead of rows of the first file of pairs.")
    ] = None,
    replay: Annotated[
        list[str] | None,
        typer.Option(
            help="File in languages that the base knows, so that it keeps them; CODE=FILE for text in one that is "
            "not English; repeat for several."
        ),
    ] = None,
    select: Annotated[
        str | None, typer.Option(help="Which weights train, e.g. front:25%; see `cogsym select --help`.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Optimiser steps; default by the base and the data.")] = None,
    licence: Annotated[
        str | None, typer.Option(help="Licence of your data as the Hub spells it, e.g. cc-by-4.0; the card says it.")
    ] = None,
    publish: Annotated[
        str | None, typer.Option(help="Publish in the end: org/name on the Hub, or a folder such as ./published.")
    ] = None,
    card: Annotated[
        float | None, typer.Option("--card", min=1, help="With --dry-run: plan for a GPU with this many GiB.")
    ] = None,
    drop_bad_rows: Annotated[
        bool, typer.Option("--drop-bad-rows", help="Leave rows out that cannot be read, instead of stopping there.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Train although the check finds fault, or it looks too large.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before training.")] = False,
    resume: Annotated[Path | None, typer.Option(help="Folder that was begun before, to go on with.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check, split and plan; show everything, train nothing, write nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; asks nothing.")] = False,
) -> None:
    """Teach a base your language from a file of sentences: check it, train, measure, write the card, publish.

    What was used is written to OUT/recipe.yaml, so that `cogsym train --recipe` can do it again.

    Example: cogsym adapt --language ban --data my.tsv --base meta-llama/Llama-2-7b-hf --out ban --dry-run
    """
    quiet_libraries()
    from toolkit.cli.story import Storyteller
    from toolkit.from_corpus import Wish, carry_out, is_done, reopen
    from toolkit.hub import parse_target
    from toolkit.languages import own_code

    goal = None if publish is None else parse_target(publish)  # a wrong one is told before hours of training
    if card is not None and not dry_run:
        raise OutputError("--card only plans, for another machine", "add --dry-run, or leave it out")
    if resume is not None:
        place = reopen(resume)
        if publish is None and is_done(place):
            err.print(f"nothing left to do in {escape(str(resume))}: it is trained, measured and described")
    else:
        if language is None or not data:
            raise CorpusError("what should be learnt, and from what?", "add --language CODE and --data FILE")
        if to is None and not dry_run:
            raise OutputError("where should the run go?", "add --out FOLDER")
        wish = Wish(
            language=own_code(language),
            data=tuple(data),
            base=base,
            other=None if other is None else own_code(other),
            columns=read_columns(columns),
            header=read_header(header),
            test=test,
            replay=tuple(map(_known, replay or ())),
            select=select,
            steps=steps,
            on_bad_row="drop" if drop_bad_rows else "stop",
            force=force,
            licence=licence,
        )
        begun = _begin(
            wish,
            to or Path(language),
            card_bytes=None if card is None else round(card * 2**30),
            goal=goal,
            asks=not (yes or as_json),
            dry_run=dry_run,
            as_json=as_json,
        )
        if begun is None:
            return
        place = begun
    with Storyteller() as listener:
        adapted = carry_out(place, listener, publish_to=publish)
    if as_json:
        out.print_json(json.dumps(_outcome(adapted)))
        return
    _print_outcome(adapted)


def _known(text: str) -> Known:
    """`FILE`, or `ind=FILE`."""
    from toolkit.from_corpus import Known
    from toolkit.languages import get_language, own_code

    code, equals, file = text.partition("=")
    if not equals or Path(text).exists():
        return Known(Path(text))
    return Known(Path(file), get_language(own_code(code)).code)


def _begin(
    wish: Wish,
    folder: Path,
    *,
    card_bytes: int | None,
    goal: Target | None,
    asks: bool,
    dry_run: bool,
    as_json: bool,
) -> Workplace | None:
    """Draft and show it; the folder to go on in, or None where that was all that was wanted."""
    from toolkit.from_corpus import draft, drafting_place, keep
    from toolkit.training import refuse_what_cannot_fit

    with drafting_place(folder, dry_run=dry_run) as where:
        made = draft(wish, where, card_bytes=card_bytes)
        if as_json and dry_run:
            out.print_json(json.dumps(_planned(made)))
        elif not as_json:
            _print_draft(made, wish)
            if goal is not None:
                err.print(escape(f"publishes in the end to {goal.repo_id or goal.folder}"), soft_wrap=True)
        if not wish.force:
            refuse_what_cannot_fit(made.needs)
        if dry_run:
            err.print("dry run: nothing was written", style="dim")
            return None
        if asks:
            typer.confirm("Train this now?", abort=True, err=True)
        return keep(where, folder)


def _print_draft(made: Draft, wish: Wish) -> None:
    from toolkit.cli.plan import print_ranking, print_requirements
    from toolkit.cli.train import print_sources, print_what_trains

    for audit in made.audits:
        print_audit(audit, err, more=f"a report: {_report_command(audit, wish)}")
    if made.split is not None:
        err.print(f"kept for testing: {made.split.test_rows:,} rows, {made.split.train_rows:,} to learn from")
        for reason, count in made.split.dropped.items():
            err.print(f"  {count:,} rows left out: {reason}")
    print_sources(made.mixture.sources)
    if not made.recipe.replay:
        err.print(
            "no --replay: nothing keeps the base from forgetting the languages it knows, nor measures it",
            style="yellow",
            soft_wrap=True,
        )
    if made.selection is None:
        print_ranking(made.recipe.select, made.needs)
    else:
        print_what_trains(made.recipe, made.selection, wish.base)
    print_requirements(made.needs)


def _report_command(audit: Audit, wish: Wish) -> str:
    """What shows the whole audit of one of the files."""
    path = next(path for path in wish.data if path.name == audit.name)
    command = ["cogsym", "data", "audit", str(path), "--language", wish.language]
    command += ["--with", wish.other] if wish.other else []
    if wish.columns:
        command += ["--columns", ",".join(f"{code}={column}" for code, column in wish.columns.items())]
    command += ["--header", ",".join(wish.header)] if wish.header else []
    return shlex.join([*command, "--report", "report.html"])


def _print_outcome(made: Adapted) -> None:
    from toolkit.cli.publication import tell
    from toolkit.cli.table import print_table
    from toolkit.cli.train import print_outcome

    run = made.place.run
    print_outcome(run, made.training, made.delta)
    print_table(made.evaluations)
    out.print(f"recipe {escape(str(made.place.recipe))}\ncard {escape(str(run.card))}", soft_wrap=True)
    if made.published is not None:
        tell(made.published, as_json=False)
    for next_step in (f"space serve --delta {run.root}", f"publish {run.root} ORG/NAME --dry-run"):
        err.print(f"next: cogsym {next_step}", style="dim", soft_wrap=True, markup=False)


def _planned(made: Draft) -> dict[str, object]:
    needs = made.needs
    return {
        "audits": [audit.model_dump(mode="json") for audit in made.audits],
        "recipe": made.recipe.changes(),
        "train_rows": sum(source.rows for source in made.mixture.sources if source.role == "target"),
        "test_rows": made.split.test_rows if made.split else None,
        "dropped": made.split.dropped if made.split else {},
        "selection": made.selection.model_dump(mode="json") if made.selection else None,
        "needed_bytes": needs.needed_bytes,
        "free_bytes": needs.free_bytes,
        "seconds": asdict(needs.time.whole) if needs.time and needs.time.whole else None,
        "fits": needs.fits,
    }


def _outcome(made: Adapted) -> dict[str, object]:
    return {
        "recipe": str(made.place.recipe),
        "run": str(made.place.run.root),
        "training": made.training.model_dump(mode="json"),
        "delta": made.delta.model_dump(mode="json"),
        "evaluation": [record.model_dump(mode="json") for record in made.evaluations],
        "published": made.published.as_dict() if made.published else None,
    }
