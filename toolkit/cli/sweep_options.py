"""The options that every `cogsym sweep` has, written once and put beside those of each kind."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from toolkit.cli.chosen_recipe import BaseOption
from toolkit.errors import RecipeError

BudgetOption = Annotated[str, typer.Option("--budget", help="Layers that train, e.g. 8 or 25%.")]


@dataclass(frozen=True)
class SweepOptions:
    """What every sweep can be told, whatever it varies."""

    recipe: Annotated[
        str | None, typer.Option("--recipe", help="YAML file, or the name of a recipe of the toolkit.")
    ] = None
    to: Annotated[Path | None, typer.Option("--out", help="Folder of the sweep, to make or to go on with.")] = None
    base: BaseOption = None
    seeds: Annotated[str | None, typer.Option("--seeds", help="Train each point with these, e.g. 0,1,2.")] = None
    method: Annotated[
        str | None, typer.Option("--method", help="weights, lora, or weights,lora; default the recipe's.")
    ] = None
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Sentences per test set, the first ones.")] = None
    full: Annotated[bool, typer.Option("--full/--no-full", help="Also train everything, to compare with.")] = True
    reuse: Annotated[
        list[Path] | None,
        typer.Option("--reuse", help="Another sweep, or a run, to take finished runs from; repeat for several."),
    ] = None
    force: Annotated[bool, typer.Option("--force", help="Train even what looks too large for this machine.")] = False
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the runs and what each trains; write nothing.")] = (
        False
    )
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False


def with_sweep_options(
    run: Callable[[str, dict[str, Any], SweepOptions], None],
) -> Callable[[Callable[..., dict[str, Any]]], Callable[..., None]]:
    """Makes a command of a function that says what its kind of sweep varies.

    The function's name is the kind, its docstring the help, and its options stand after `--recipe` and `--out`.

    Args:
        run: called with the kind, what varies, and the shared options.
    """

    def command_of(varies: Callable[..., dict[str, Any]]) -> Callable[..., None]:
        kinds = get_type_hints(SweepOptions, include_extras=True)
        shared = [
            inspect.Parameter(
                each.name, inspect.Parameter.KEYWORD_ONLY, default=each.default, annotation=kinds[each.name]
            )
            for each in fields(SweepOptions)
        ]
        hints = get_type_hints(varies, include_extras=True)
        own = [
            each.replace(annotation=hints[each.name], kind=inspect.Parameter.KEYWORD_ONLY)
            for each in inspect.signature(varies).parameters.values()
        ]

        def command(**given: Any) -> None:
            varied = varies(**{each.name: given.pop(each.name) for each in own})
            run(varies.__name__, varied, SweepOptions(**given))

        ordered = [*shared[:2], *own, *shared[2:]]
        command.__name__, command.__doc__ = varies.__name__, varies.__doc__
        command.__signature__ = inspect.Signature(ordered)  # type: ignore[attr-defined]
        command.__annotations__ = {each.name: each.annotation for each in ordered}
        return command

    return command_of


def words_of(text: str | None) -> tuple[str, ...] | None:
    """`a,b` as its parts; None where nothing was said."""
    words = tuple(dict.fromkeys(word.strip() for word in (text or "").split(",") if word.strip()))
    return words or None


def numbers_of(option: str, text: str | None) -> tuple[int, ...] | None:
    """`1,2` as its parts; None where nothing was said.

    Raises:
        RecipeError: naming the option and what is no whole number.
    """
    words = words_of(text)
    wrong = next((word for word in words or () if not (word.isascii() and word.isdigit())), None)
    if wrong is not None:
        raise RecipeError(f"{option}: '{wrong}' is not a whole number", f"write it like {option} 0,1,2")
    return tuple(map(int, words)) if words else None
