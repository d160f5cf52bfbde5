"""`cogsym space push`: the translation page as a Space on the Hub, or as a folder that could be one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from toolkit.cli.publication import tell


def push(
    target: Annotated[str, typer.Argument(help="`org/name` of the Space, or a folder such as ./space.")],
    delta: Annotated[
        list[str] | None,
        typer.Option(
            help="ORG/NAME or ORG/NAME@revision, once for each; default all that the Space's owner has published."
        ),
    ] = None,
    title: Annotated[str | None, typer.Option(help="Title of the Space.")] = None,
    hardware: Annotated[
        str | None, typer.Option(help="Machine to suggest, e.g. zero-a10g; default the smallest that the base needs.")
    ] = None,
    wheel: Annotated[
        Path | None, typer.Option(help="Wheel of this toolkit, to send along where its version is not on PyPI.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and list everything; write nothing.")] = False,
    create_pr: Annotated[bool, typer.Option("--create-pr", help="Open a pull request, or go on with yours.")] = False,
    private: Annotated[bool, typer.Option("--private", help="Make a new Space private.")] = False,
    revision: Annotated[str | None, typer.Option(help="Branch of the Space's repository, or refs/pr/N.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make a Space over published deltas, or renew it: checked, pushed in one commit, read back.

    Each delta is pinned to the commit that it has now; push again to take over newer ones.

    Example: cogsym space push my-org/translator --delta my-org/llama-2-7b-cogsym-jav --dry-run
    """
    from hub_cards.space import DEFAULT_TITLE
    from toolkit import hub

    report = hub.push_space(
        target,
        delta or (),
        title=title or DEFAULT_TITLE,
        hardware=hardware,
        wheel=wheel,
        dry_run=dry_run,
        create_pr=create_pr,
        private=private or None,
        revision=revision,
    )
    tell(report, as_json=as_json)
