"""`cogsym select`: which weights of a base a selection means."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolkit.cli.console import err, out, quiet_libraries, ranking_progress
from toolkit.errors import OutputError, RecipeError, SelectionError

if TYPE_CHECKING:
    from toolkit.recipe import Recipe
    from toolkit.records import SelectionInfo
    from toolkit.selection import Evidence

BAR_WIDTH = 24
POCKET = "pocket"


def select(
    base: Annotated[str | None, typer.Option(help="pocket, a folder, or a Hub id; default the recipe's.")] = None,
    select: Annotated[
        str | None, typer.Option(help="METHOD[:BUDGET], as below; default the recipe's, or cogsym:25%.")
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(help="YAML file, or the name of a recipe that comes with the toolkit.")
    ] = None,
    language: Annotated[str | None, typer.Option(help="Language to learn, with --data: ISO 639-3.")] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(help="File to rank by instead of a recipe's; columns named by language code, or Alpaca rows."),
    ] = None,
    rows: Annotated[
        int | None,
        typer.Option(min=1, help="Examples (fisher, default 250) or sentences per language (neurons, 1000)."),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of what is drawn; default the recipe's, or 0.")] = None,
    base_revision: Annotated[str | None, typer.Option(help="Commit of a base on the Hub.")] = None,
    embeddings: Annotated[bool | None, typer.Option(help="Train the embeddings; default: the method's rule.")] = None,
    head: Annotated[bool | None, typer.Option(help="Train the LM head; default: the method's rule.")] = None,
    final_norm: Annotated[bool | None, typer.Option(help="Train the norm before the LM head.")] = None,
    to: Annotated[Path | None, typer.Option("--out", help="JSON file to save what was found in.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with every parameter name.")] = False,
) -> None:
    """Show which weights would train, and by which scores.

    By position: cogsym:25%, front:8, rear:8, middle:8, shifted:8@4 (each half 4 layers inward), layers:0-3,28-31,
    final:5% (of all weights), ffn (feed-forward matrices), random:cogsym:25%, full. Reads the base's config alone.

    By the base's weights: alpha:25%, alpha-peak:25%.

    By weights and text: fisher:25%, neurons-count:25%, subnetwork:1% (of all weights). The text is the recipe's or that
    of --data; the pocket has its own.

    Example: cogsym select --base pocket --select fisher:25%
    """
    quiet_libraries()
    from toolkit.pretrained import resolve_config
    from toolkit.selection import looks_at, read_layout, resolve_selection

    if to is not None and (to.exists() or not to.absolute().parent.is_dir()):
        what = "exists already" if to.exists() else f"cannot be made: there is no folder {to.parent}"
        raise OutputError(f"{to} {what}", "choose another file")
    chosen = _read(recipe)
    base = base or (chosen.base if chosen else None)
    if base is None:
        raise RecipeError("which base?", "add --base pocket, a folder or a Hub id, or --recipe")
    if chosen is not None and base == chosen.base:
        base_revision = base_revision or chosen.base_revision
    wanted = select or (chosen.select if chosen else "cogsym:25%")
    layout = read_layout(resolve_config(base, base_revision))

    def setting(given: Any, name: str, default: Any) -> Any:
        return given if given is not None else getattr(chosen, name) if chosen else default

    changes = {"base": base, "base_revision": base_revision, "select": wanted, "select_rows": rows, "seed": seed}
    needs = looks_at(wanted, layout)
    with ranking_progress(quiet=as_json) as report:
        evidence = None
        if needs == "weights":
            evidence = _base_alone(base, base_revision, report)
        elif needs is not None:
            evidence = _with_text(chosen, language, data or [], changes, report)
        selection = resolve_selection(
            wanted,
            layout,
            embeddings=setting(embeddings, "embeddings", None),
            head=setting(head, "head", None),
            final_norm=setting(final_norm, "final_norm", False),
            seed=setting(seed, "seed", 0),
            evidence=evidence,
        )
    if to is not None:
        selection.write(to)
        err.print(f"saved {to}", style="dim")
    if as_json:
        out.print_json(selection.model_dump_json())
    else:
        print_selection(selection)


def print_selection(selection: SelectionInfo) -> None:
    """Draw the model from input to output, with what trains filled in, and list scores and parameters."""
    from toolkit.selection import describe_parameters

    layers = "".join(_mark(index in selection.layers) for index in range(selection.n_layers))
    out.print(f"embeddings {_mark(selection.embeddings)}  layers {layers}  LM head {_mark(selection.head)}")
    out.print(
        f"{selection.method}: {describe(selection)}; "
        f"{selection.trained_weights:,} of {selection.total_weights:,} weights train ({selection.share:.1%})",
        soft_wrap=True,
    )
    _print_scores(selection)
    for name, value in selection.evidence.items():
        out.print(f"  {name}: {value}", style="dim", soft_wrap=True)
    for name in describe_parameters(selection.parameters):
        out.print(f"  {name}", style="dim", soft_wrap=True)


def describe(selection: SelectionInfo) -> str:
    """What trains of the layers, in words: `layers 0-3, 28-31 of 32`."""
    from toolkit.selection import describe_layers

    layers = f"layers {describe_layers(selection.layers)} of {selection.n_layers}"
    if selection.neurons is not None:
        return f"{sum(map(len, selection.neurons.values())):,} feed-forward neurons in {layers}"
    return layers


def _mark(trains: bool) -> str:
    return "[green]■[/]" if trains else "[dim]□[/]"


def _print_scores(selection: SelectionInfo) -> None:
    """A bar for each layer: its score, or how many of its neurons train."""
    scores = selection.scores
    if selection.neurons is not None:
        scores = tuple(float(len(selection.neurons.get(layer, ()))) for layer in range(selection.n_layers))
    if scores is None:
        return
    longest = max((score for score in scores if score != float("inf")), default=0.0) or 1.0
    for layer, score in enumerate(scores):
        bar = "█" * round(BAR_WIDTH * min(score / longest, 1))
        out.print(f"  {layer:>3} {_mark(layer in selection.layers)} {bar:<{BAR_WIDTH}} {score:.4g}")


def _read(recipe: str | None) -> Recipe | None:
    from toolkit.recipe import read_recipe
    from toolkit.recipes import FOLDER, find_recipe

    if recipe is None:
        return None
    path = find_recipe(recipe)
    return read_recipe(path, Path.cwd() if path.parent == FOLDER else None)


def _base_alone(base: str, revision: str | None, report: Any) -> Evidence:
    from toolkit.pretrained import load_to_rank, resolve_base
    from toolkit.selection import Evidence

    folder = resolve_base(base, revision)
    return Evidence(folder, lambda: load_to_rank(folder), report=report)


def _with_text(
    chosen: Recipe | None, language: str | None, data: list[Path], changes: dict[str, Any], report: Any
) -> Evidence:
    """The base with the text of the recipe, of the files given, or of the pocket's own phrasebook."""
    from toolkit.adaptation import evidence_of
    from toolkit.pretrained import resolve_base
    from toolkit.recipe import make_recipe
    from toolkit.training import mix
    from toolkit.training.sources import describe_file

    given = {name: value for name, value in changes.items() if value is not None}
    if data:
        language = language or (chosen.language if chosen else None)
        if language is None:
            raise SelectionError("which language is to be learned from --data?", "add --language, e.g. --language jav")
        sources = [describe_file(path, language).model_dump() for path in data]
        fields = {} if chosen is None else chosen.model_dump() | {"replay": []}
        used = make_recipe(fields | {"language": language, "data": sources} | given, where="the options")
        mixture = mix(used)
    elif chosen is not None:
        used = make_recipe(chosen.model_dump() | given, where="the options")
        mixture = mix(used)
    elif changes["base"] == POCKET:
        with _phrasebook(language or "jav") as shipped:
            used = make_recipe(shipped.model_dump() | given, where="the options")
            mixture = mix(used)
    else:
        raise SelectionError(
            f"{changes['select']} looks at the text that a run trains on, and none is given",
            "add --recipe, or --language jav --data FILE",
        )
    return evidence_of(used, resolve_base(used.base, used.base_revision), mixture, report=report)


@contextmanager
def _phrasebook(language: str) -> Iterator[Recipe]:
    """The recipe of the demo, with its files in a folder that is gone afterwards."""
    from toolkit import pocket
    from toolkit.recipe import read_recipe
    from toolkit.recipes import find_recipe

    with tempfile.TemporaryDirectory(prefix="cogsym-select-") as folder:
        pocket.write_corpus(Path(folder) / "data")
        yield read_recipe(find_recipe(f"pocket-{language}"), Path(folder))
