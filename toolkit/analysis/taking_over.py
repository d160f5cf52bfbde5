"""Runs that another sweep, or a person, has trained already: taken over where they are what this sweep would train."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from toolkit.analysis.continuing import differences_of_recipes, planned
from toolkit.analysis.points import Point, Sweep
from toolkit.analysis.record import SweepFolder, is_trained
from toolkit.delta import base_fingerprint
from toolkit.errors import OutputError
from toolkit.recipe import read_recipe
from toolkit.records import DataInfo
from toolkit.run_folder import RunFolder
from toolkit.selection import ModelLayout

_Learnt = list[tuple[str, str]]
"""Role and fingerprint of every source."""


def take_over(sweep: Sweep, folder: SweepFolder, others: Sequence[Path], data: Sequence[DataInfo]) -> tuple[str, ...]:
    """Copy into the sweep what lies finished in other folders: the same recipe, base and data, test sets aside.

    Args:
        others: folders of sweeps, or of single runs.
        data: what the sweep's own recipe learns from, with its seed.

    Returns:
        The names of the points that need not be trained any more.

    Raises:
        OutputError: if there is no run in one of the folders.
        CorpusError: if the data cannot be read.
    """
    from toolkit.pretrained import resolve_base
    from toolkit.selection import read_layout

    folder_of_base = resolve_base(sweep.recipe.base, sweep.recipe.base_revision)
    by_recipe = runs_by_recipe(sweep, others, read_layout(folder_of_base))
    origin = _Origin(sweep, data)
    taken = []
    for point in sweep.points:
        alike = by_recipe[point.name]
        if not alike or folder.run(point.name).root.exists():
            continue
        wanted = origin.of(point)
        same = next((run for run in alike if _origin_of(run) == wanted), None)
        if same is not None:
            _copy(same, folder.run(point.name))
            taken.append(point.name)
    return tuple(taken)


def refuse_other_origin(sweep: Sweep, folder: SweepFolder, names: Collection[str], data: Sequence[DataInfo]) -> None:
    """Raise where one of these runs, which lie in the sweep's folder, learnt from other rows or on another base.

    Raises:
        OutputError: naming the run.
        CorpusError: if the data cannot be read.
    """
    origin = _Origin(sweep, data)
    for point in sweep.points:
        run = folder.run(point.name)
        if point.name in names and _origin_of(run) != origin.of(point):
            raise OutputError(
                f"{run.root} was trained on other data, or on another base",
                "choose another folder with --out, or delete that one to train it again",
            )


class _Origin:
    """What the runs of a sweep learn from, and the base they learn on; each is found out once."""

    def __init__(self, sweep: Sweep, data: Sequence[DataInfo]) -> None:
        self._recipe = sweep.recipe
        self._learnt = {sweep.recipe.seed: _learnt(data)}  # by seed, which draws the rows where a source has a limit
        self._fingerprint: str | None = None

    def of(self, point: Point) -> tuple[_Learnt, str]:
        from toolkit.pretrained import resolve_base
        from toolkit.training import mix

        seed = point.recipe.seed
        if seed not in self._learnt:
            self._learnt[seed] = _learnt(mix(point.recipe).sources)
        if self._fingerprint is None:
            self._fingerprint = base_fingerprint(resolve_base(self._recipe.base, self._recipe.base_revision))
        return self._learnt[seed], self._fingerprint


def runs_by_recipe(sweep: Sweep, others: Sequence[Path], layout: ModelLayout) -> dict[str, list[RunFolder]]:
    """For each point, the finished runs in other folders that have its recipe; data and base are not looked at.

    Raises:
        OutputError: if there is no run in one of the folders.
    """
    finished = [run for other in others for run in _runs_in(other)]
    return {point.name: [run for run in finished if _is_of(point, run, layout)] for point in sweep.points}


def _runs_in(other: Path) -> Iterator[RunFolder]:
    """The finished runs of a folder, itself or those inside."""
    inside = sorted(path for path in other.iterdir() if path.is_dir() and path.name[0] != ".") if other.is_dir() else []
    runs = [RunFolder(path) for path in (other, *inside) if RunFolder(path).recipe.is_file()]
    if not runs:
        raise OutputError(f"{other} holds no run to take over", "name the folder of a sweep, or of a run")
    return (run for run in runs if run.is_trained and run.training_record.is_file())


def _is_of(point: Point, run: RunFolder, layout: ModelLayout) -> bool:
    """Whether this run has what the point would be trained by; data and base aside."""
    if differences_of_recipes(read_recipe(run.recipe), point.recipe, layout):
        return False
    return is_trained(planned(point), run)


def _learnt(sources: Sequence[DataInfo]) -> _Learnt:
    return [(source.role, source.fingerprint) for source in sources]


def _origin_of(run: RunFolder) -> tuple[_Learnt, str]:
    return _learnt(run.read_training().data), run.read_config().base_fingerprint


def _copy(run: RunFolder, to: RunFolder) -> None:
    """The whole folder or nothing."""
    draft = to.root.with_name(f".{to.root.name}.tmp")
    draft.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(draft, ignore_errors=True)
    try:
        shutil.copytree(run.root, draft)
        draft.rename(to.root)
    except OSError as error:
        raise OutputError(f"{to.root} cannot be written: {error}", "make room, or choose another --out") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
