"""`cogsym select`: which weights of a base a selection means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from toolkit.cli.console import out

if TYPE_CHECKING:
    from toolkit.records import SelectionInfo


def select(
    base: Annotated[str, typer.Option(help="pocket, a folder, or a Hub id.")],
    select: Annotated[
        str, typer.Option(help="METHOD[:BUDGET], e.g. cogsym:25%, front:8, layers:0-3,28-31.")
    ] = "cogsym:25%",
    base_revision: Annotated[str | None, typer.Option(help="Commit of a base on the Hub.")] = None,
    embeddings: Annotated[bool | None, typer.Option(help="Train the embeddings; default: the method's rule.")] = None,
    head: Annotated[bool | None, typer.Option(help="Train the LM head; default: the method's rule.")] = None,
    final_norm: Annotated[bool, typer.Option(help="Train the norm before the LM head.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with every parameter name.")] = False,
) -> None:
    """Show which weights would train; reads the base's config alone."""
    from toolkit.pretrained import resolve_config
    from toolkit.selection import read_layout, resolve_selection

    layout = read_layout(resolve_config(base, base_revision))
    selection = resolve_selection(select, layout, embeddings=embeddings, head=head, final_norm=final_norm)
    if as_json:
        out.print_json(selection.model_dump_json())
    else:
        print_selection(selection)


def print_selection(selection: SelectionInfo) -> None:
    """Draw the model from input to output, with what trains filled in, and list the parameters."""
    from toolkit.selection import describe_layers

    def mark(trains: bool) -> str:
        return "[green]■[/]" if trains else "[dim]□[/]"

    layers = "".join(mark(index in selection.layers) for index in range(selection.n_layers))
    out.print(f"embeddings {mark(selection.embeddings)}  layers {layers}  LM head {mark(selection.head)}")
    out.print(
        f"{selection.method}: layers {describe_layers(selection.layers)} of {selection.n_layers}; "
        f"{selection.trained_weights:,} of {selection.total_weights:,} weights train ({selection.share:.1%})"
    )
    for name in selection.parameters:
        out.print(f"  {name}", style="dim")
