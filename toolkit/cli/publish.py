"""`cogsym publish`: a run as a repository, in a local folder or on the Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from toolkit.cli.publication import tell


def publish(
    run: Annotated[Path, typer.Argument(help="Run folder, as `cogsym train --out` wrote it.")],
    target: Annotated[str, typer.Argument(help="`org/name` on the Hub, or a folder such as ./published.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and list everything; write nothing.")] = False,
    create_pr: Annotated[bool, typer.Option("--create-pr", help="Open a pull request, or go on with yours.")] = False,
    private: Annotated[bool, typer.Option("--private", help="Make a new repository private.")] = False,
    revision: Annotated[str | None, typer.Option(help="Branch of the repository, or refs/pr/N.")] = None,
    collection: Annotated[str | None, typer.Option(help="Title of your collection to list it in.")] = None,
    replaces: Annotated[str | None, typer.Option(help="Older repository, whose card will point to this one.")] = None,
    base: Annotated[
        Path | None, typer.Option(help="Folder of the base, to try the delta out; found by itself where it is here.")
    ] = None,
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
    from toolkit.run_folder import RunFolder
    from toolkit.sharing import share

    report = share(
        RunFolder(run),
        target,
        dry_run=dry_run,
        create_pr=create_pr,
        private=private or None,
        revision=revision,
        collection=collection,
        replaces=replaces,
        base=base,
        try_out=try_out,
    )
    tell(report, as_json=as_json)
