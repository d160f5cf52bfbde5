"""`cogsym publish`: a run as a repository, in a local folder or on the Hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.filesize import decimal
from rich.markup import escape

from toolkit.cli.card import base_on_this_machine
from toolkit.cli.console import err, out
from toolkit.errors import TranslationError

if TYPE_CHECKING:
    from toolkit.hub import PublishReport, Smoke
    from toolkit.run_folder import RunFolder


def publish(
    run: Annotated[Path, typer.Argument(help="Run folder, as `cogsym train --out` wrote it.")],
    target: Annotated[str, typer.Argument(help="`org/name` on the Hub, or a folder such as ./published.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and list everything; publish nothing.")] = False,
    create_pr: Annotated[bool, typer.Option("--create-pr", help="Open a pull request, or go on with yours.")] = False,
    private: Annotated[bool, typer.Option("--private", help="Make a new repository private.")] = False,
    revision: Annotated[str | None, typer.Option(help="Branch of the repository, or refs/pr/N.")] = None,
    collection: Annotated[str | None, typer.Option(help="Title of your collection to list it in.")] = None,
    replaces: Annotated[str | None, typer.Option(help="Older repository, whose card will point to this one.")] = None,
    try_out: Annotated[
        bool, typer.Option("--try/--no-try", help="Merge and translate with what was published, if the base is here.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Publish a run: check it, push it in one commit, read it back, try it out.

    The card is made, or made again, where its commands would name another place. A push that was interrupted goes on
    when the same command is given again.

    Example: cogsym publish runs/jav my-org/llama-2-7b-cogsym-jav --dry-run
    """
    from toolkit import hub
    from toolkit.run_folder import RunFolder

    folder = RunFolder(run)
    place = hub.parse_target(target)
    _renew_card(folder, place.repo_id or (place.folder.resolve().name if place.folder else None))
    report = hub.publish(
        folder,
        target,
        dry_run=dry_run,
        create_pr=create_pr,
        private=private,
        revision=revision,
        collection=collection,
        replaces=replaces,
        smoke=_trial(folder) if try_out else None,
    )
    if as_json:
        out.print_json(json.dumps(report.as_dict()))
    else:
        _print(report)
    if not report.ok:
        err.print("[bold red]error:[/] not ready to be published")
        raise typer.Exit(1)


def _renew_card(run: RunFolder, name: str | None) -> None:
    """Make the card where there is none, or where its commands name another place than the one it goes to."""
    from hub_cards import CardFacts, write_card

    if not run.root.is_dir():
        return  # told better by what follows
    made = run.card.is_file() and run.card_facts.is_file()
    if not made or (name and CardFacts.read(run.card_facts).name != name):
        write_card(run, name=name, base=base_on_this_machine(run))


def _trial(run: RunFolder) -> Smoke | None:
    """Merges a published delta in memory, digest by digest, and translates one sentence; None without the base."""
    base = base_on_this_machine(run)
    if base is None:
        return None

    def translate_once(folder: Path) -> str:
        from toolkit.delta import verify
        from toolkit.run_folder import RunFolder
        from toolkit.translator import Translator

        verified = verify(folder, base, full=True)
        direction, text = _one_sentence(RunFolder(folder))
        try:
            translation = Translator.from_pretrained(folder, base).translate(text, direction)
        except TranslationError as error:  # a weak model, but a sound publication
            translation = error.message
        return f"tried out: {verified.tensors} tensors merge to the right digests; {direction}: {text} → {translation}"

    return translate_once


def _one_sentence(run: RunFolder) -> tuple[str, str]:
    """A direction that was tested, into the new language where possible, and the first sentence of its test set."""
    config = run.read_config()
    tested = [record for record in run.read_evaluations() if record.model == "adapted" and record.kind == "translation"]
    for record in sorted(tested, key=lambda record: not record.direction.endswith(f">{config.language}")):
        with (run.samples / record.samples[0]).open(encoding="utf-8") as lines:
            return record.direction, str(json.loads(lines.readline())["source"])
    return config.directions[0], "water"


def _print(report: PublishReport) -> None:
    if report.dry_run:
        _print_plan(report)
    out.print(escape(_outcome(report)), soft_wrap=True)
    for note in report.notes:
        out.print(f"note: {escape(note)}", soft_wrap=True)


def _print_plan(report: PublishReport) -> None:
    changed = set(report.uploads)
    for file in report.files:
        mark = "new" if file.path in changed else "same"
        out.print(f"{mark:>6}  {decimal(file.size_bytes):>10}  {escape(file.path)}", soft_wrap=True)
    for mark, paths in (("remove", report.deletions), ("stays", report.left_out)):
        for path in paths:
            out.print(f"[dim]{mark:>6}  {'':>10}  {escape(path)}[/]", soft_wrap=True)
    for check in report.checks:
        out.print(f"{'[green]ok[/]' if check.ok else '[red]failed[/]'}  {check.name}")
        for problem in check.problems:
            out.print(f"    {escape(problem)}", soft_wrap=True)


def _outcome(report: PublishReport) -> str:
    size = f"{len(report.files)} files, {decimal(report.size_bytes)}"
    if report.dry_run:
        if not report.uploads and not report.deletions:
            return f"{report.target} holds exactly this already: {size}"
        return f"would publish to {report.target}: {size}, of which {len(report.uploads)} changed"
    done = f"published to {report.url}" if report.changed else f"nothing to do, {report.url} holds exactly this already"
    read_back = f"; {report.verified_files} files read back and equal" if report.verified_files else ""
    smoke = f"\n{report.smoke}" if report.smoke else ""
    return f"{done}: {size}{read_back}{smoke}"
