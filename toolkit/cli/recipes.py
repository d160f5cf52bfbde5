"""`cogsym recipes`: the recipes that come with the toolkit, to copy and change."""

from __future__ import annotations

from typing import Annotated

import typer

from toolkit.cli.console import out


def recipes(
    name: Annotated[str | None, typer.Argument(help="Recipe to print; save it with `> my.yaml`.")] = None,
) -> None:
    """List the recipes that come with the toolkit, or print one to start from."""
    from toolkit.recipes import find_recipe, shipped_recipes

    if name is not None:
        typer.echo(find_recipe(name).read_text(encoding="utf-8"), nl=False)
        return
    for shipped, path in shipped_recipes().items():
        about = [line[2:] for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("# ")]
        out.print(f"[bold]{shipped}[/]  {about[1] if len(about) > 1 else ''}")
