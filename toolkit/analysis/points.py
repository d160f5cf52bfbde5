"""The points of a sweep: which runs one recipe becomes when its selection, order or method is varied.

The kinds follow the figures of CogSym (arXiv 2604.00923). L is the number of decoder layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from toolkit.errors import CogsymError, RecipeError, SelectionError
from toolkit.recipe import Recipe, make_recipe
from toolkit.records import SelectionInfo
from toolkit.selection import ModelLayout, looks_at, resolve_recipe
from toolkit.selection.budget import layers_for
from toolkit.selection.methods import POSITIONS, RANKED, parse

Kind = Literal["budgets", "positions", "methods", "order", "time"]
KINDS: tuple[Kind, ...] = get_args(Kind)

FULL = "full"
LORA = " (LoRA)"  # behind the name of a series, where the weights themselves train in another one
REGIONS = ("cogsym", "front", "rear")
COMPARED = ("cogsym", "fisher", "alpha", "neurons-count", "front", "rear", "middle", "random")
ORDERS = ("together", "front_then_rear", "rear_then_front")
CHECKPOINTS = 10  # that a sweep over time measures unless it is told which


@dataclass(frozen=True)
class Point:
    """One run of a sweep."""

    name: str  # of its run folder, by what it trains: cogsym-4.seed0
    series: str  # the line, or the bar, that it belongs to
    x: int | None  # its place along the axis: layers, offset or steps; None where the series is a bar or a dotted line
    recipe: Recipe
    snapshots: tuple[int, ...] = ()  # steps after which the weights are kept, too


@dataclass(frozen=True)
class Sweep:
    """A recipe and the runs that it becomes; nothing has been written yet."""

    kind: Kind
    recipe: Recipe
    points: tuple[Point, ...]
    limit: int | None = None  # sentences per test set


@dataclass(frozen=True)
class Variation:
    """What a sweep varies; `None` leaves the choice to the kind."""

    select: tuple[str, ...] | None = None
    budgets: tuple[str, ...] | None = None  # in layers, or shares of them
    budget: str = "25%"
    offsets: tuple[int, ...] | None = None
    steps: tuple[int, ...] | None = None
    seeds: tuple[int, ...] | None = None
    methods: tuple[str, ...] | None = None  # weights, lora
    full: bool = True  # train everything once more, to compare with


def plan_sweep(
    kind: Kind, recipe: Recipe, layout: ModelLayout, variation: Variation, *, limit: int | None = None
) -> Sweep:
    """The runs that a recipe becomes.

    Raises:
        SelectionError: if a method is unknown, or a budget or an offset does not fit the model.
        RecipeError: if the recipe has no test set, or a value is out of its range.
        MissingPartError: if a run needs what is not installed.
    """
    if not recipe.evaluation:
        raise RecipeError(
            "the recipe names no test set, so there would be nothing to compare", "add `evaluation:` to the recipe"
        )
    methods = variation.methods or (recipe.method,)
    points: dict[str, Point] = {}
    for seed in variation.seeds or (recipe.seed,):
        for method in methods:
            for series, x, changes, snapshots in _VARIED[kind](recipe, layout, variation):
                chosen = make_recipe(
                    _fields(recipe, method) | {"seed": seed, "method": method} | changes,
                    where=f"sweep over {kind}",
                )
                point = Point(
                    _name(chosen, kind),
                    series + LORA if method == "lora" and len(set(methods)) > 1 else series,
                    x,
                    chosen,
                    snapshots,
                )
                points.setdefault(point.name, point)
    for point in points.values():
        _check(point, layout)
    return Sweep(kind, recipe, tuple(points.values()), limit)


def _fields(recipe: Recipe, method: str) -> dict[str, Any]:
    """What the recipe says; of LoRA, only to runs that train adapters."""
    said = recipe.model_dump(exclude_unset=True)
    return {name: value for name, value in said.items() if method == "lora" or not name.startswith("lora_")}


def selection_of(point: Point, layout: ModelLayout) -> SelectionInfo | None:
    """What the point trains, where the layout tells it; None for a method that has to look at weights or text.

    Raises:
        SelectionError: if it does not fit the model.
    """
    recipe = point.recipe
    if looks_at(recipe.select, layout) is not None:
        return None
    return resolve_recipe(recipe, layout)


def _check(point: Point, layout: ModelLayout) -> None:
    """Tell now what a run could not do later."""
    from toolkit.training import preflight

    try:
        selection = selection_of(point, layout)
        if selection is not None:
            preflight(point.recipe, selection, layout)
    except CogsymError as error:
        leave_out = "; --no-full leaves it out" if is_reference(point.series) else ""
        raise type(error)(f"{point.name}: {error.message}", f"{error.hint}{leave_out}") from error


def is_reference(series: str) -> bool:
    """Whether a series is what the others are compared with: everything trained."""
    return series.removesuffix(LORA) == FULL


# One run, but for seed and method: its series, its place on the axis, the recipe's changed fields, its snapshots.
_Varied = tuple[str, int | None, dict[str, Any], tuple[int, ...]]


def _budgets(recipe: Recipe, layout: ModelLayout, wanted: Variation) -> Iterator[_Varied]:
    """Figures 1 to 3: each region grown in steps of two layers, up to all L."""
    budgets = wanted.budgets or tuple(str(layers) for layers in range(2, layout.n_layers + 1, 2))
    for name in wanted.select or REGIONS:
        for budget in budgets:
            layers = _layers(name, budget, layout)
            yield name, layers, {"select": _select(name, layers)}, ()
    yield from _full(wanted)


def _positions(recipe: Recipe, layout: ModelLayout, wanted: Variation) -> Iterator[_Varied]:
    """Figure 5: two blocks of m / 2 layers moved inward, by m / 2 each time, until they meet."""
    layers = _layers("cogsym", wanted.budget, layout)
    furthest = (layout.n_layers - layers) // 2
    offsets = wanted.offsets or tuple(sorted({*range(0, furthest + 1, layers // 2), furthest}))
    for offset in offsets:
        yield "shifted", offset, {"select": f"shifted:{layers}@{offset}"}, ()
    yield from _full(wanted)


def _methods(recipe: Recipe, layout: ModelLayout, wanted: Variation) -> Iterator[_Varied]:
    """Figures 6 and 7: the same number of layers, chosen by each method."""
    for name in wanted.select or COMPARED:
        if _is_layered(name):
            yield name, None, {"select": _select(name, _layers(name, wanted.budget, layout))}, ()
        else:
            yield name, None, {"select": _checked(name, layout)}, ()
    yield from _full(wanted)


def _order(recipe: Recipe, layout: ModelLayout, wanted: Variation) -> Iterator[_Varied]:
    """Figure 9: both ends together, and one after the other."""
    for select in wanted.select or ("cogsym:25%",):
        for order in ORDERS:
            series = order if len(wanted.select or ()) < 2 else f"{select} {order}"
            yield series, None, {"select": _counted(select, layout), "order": order}, ()
    for series, x, changes, snapshots in _full(wanted):
        yield series, x, changes | {"order": "together"}, snapshots


def _time(recipe: Recipe, layout: ModelLayout, wanted: Variation) -> Iterator[_Varied]:
    """Figure 4: the same runs, measured again and again while they train."""
    if recipe.order != "together":
        raise RecipeError(
            f"`order: {recipe.order}` trains one end after the other, each for all steps, so that no step is alike",
            "write `order: together`, or compare orders: cogsym sweep order",
        )
    snapshots = _snapshot_steps(recipe, wanted.steps)
    selections = wanted.select or tuple(f"{name}:25%" for name in REGIONS)
    names = [select.partition(":")[0] for select in selections]
    for select, name in zip(selections, names, strict=True):
        series = name if names.count(name) == 1 else select
        yield series, recipe.max_steps, {"select": _counted(select, layout)}, snapshots
    for series, _, changes, _ in _full(wanted):
        yield series, recipe.max_steps, changes, snapshots


_VARIED: dict[Kind, Callable[[Recipe, ModelLayout, Variation], Iterator[_Varied]]] = {
    "budgets": _budgets,
    "positions": _positions,
    "methods": _methods,
    "order": _order,
    "time": _time,
}


def _full(wanted: Variation) -> Iterator[_Varied]:
    if wanted.full:
        yield FULL, None, {"select": FULL}, ()


def _snapshot_steps(recipe: Recipe, steps: Sequence[int] | None) -> tuple[int, ...]:
    """The steps to keep the weights after; the last one is the run itself."""
    if recipe.max_steps is None:
        raise RecipeError(
            "a sweep over time needs to know the number of steps before it starts, and the recipe counts in epochs",
            "write `max_steps:` in the recipe",
        )
    if steps is None:
        steps = [max(1, round(recipe.max_steps * part / CHECKPOINTS)) for part in range(1, CHECKPOINTS)]
    wrong = [step for step in steps if not 0 < step <= recipe.max_steps]
    if wrong:
        raise RecipeError(
            f"step {wrong[0]} is not one of the {recipe.max_steps} steps of this recipe",
            f"use steps from 1 to {recipe.max_steps}",
        )
    return tuple(sorted({step for step in steps if 0 < step < recipe.max_steps}))


def _is_layered(name: str) -> bool:
    """Whether this names a method alone, one whose budget is a number of layers."""
    return name in POSITIONS or name in RANKED or name == "random"


def _layers(name: str, budget: str, layout: ModelLayout) -> int:
    parse(name)  # an unknown name is told first
    if not _is_layered(name):
        raise SelectionError(
            f"'{name}' takes no budget of layers", f"use some of: {', '.join((*POSITIONS, *RANKED, 'random'))}"
        )
    return layers_for(budget, layout.n_layers, even=name == "random" or (name in POSITIONS and POSITIONS[name].even))


def _select(name: str, layers: int) -> str:
    return f"random:cogsym:{layers}" if name == "random" else f"{name}:{layers}"


def _counted(select: str, layout: ModelLayout) -> str:
    """The selection with its budget in layers where it has one, so that 25% and 8 of 32 are the same run."""
    name, budget = parse(select)
    if name in POSITIONS or name in RANKED:
        return _select(name, _layers(name, budget, layout))
    return _checked(select, layout)


def canonical(select: str, layout: ModelLayout) -> str:
    """One way to write what trains the same: budgets in layers, and no shift for what it is.

    Raises:
        SelectionError: if it does not fit the model.
    """
    if select.startswith("shifted:") and select.endswith("@0"):
        select = "cogsym" + select.removeprefix("shifted").removesuffix("@0")
    return _counted(select, layout)


def _checked(select: str, layout: ModelLayout) -> str:
    looks_at(select, layout)
    return select


def _name(recipe: Recipe, kind: Kind) -> str:
    parts = [recipe.select.replace(":", "-").replace("%", "pct")]
    parts += [recipe.order] if kind == "order" and recipe.select != FULL else []
    parts += ["lora"] if recipe.method == "lora" else []
    return ".".join([*parts, f"seed{recipe.seed}"])
