"""The metrics of a run: one JSON line per logged step, cut back to the checkpoint when a run goes on from there."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def append_metrics(path: Path, line: dict[str, Any]) -> None:
    """Write one line at the end."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Every whole line; the last one may have been cut off when the program was killed or the disk was full."""
    if not path.is_file():
        return []
    found = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def keep_metrics_until(path: Path, step: int) -> None:
    """Forget what was logged after this step: it will be trained, and logged, again."""
    lines = [line for line in read_metrics(path) if line["step"] <= step]
    draft = path.with_name(f".{path.name}.tmp")
    draft.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    os.replace(draft, path)


def closing_loss(losses: Sequence[tuple[int, float]]) -> tuple[float, int]:
    """The mean loss at the end of training, and of how many steps it is.

    One step tells little: batches hold examples of like length, and short ones are harder per token. So it is the last
    tenth of the steps, at least ten, at most half of them.

    Args:
        losses: each logged step, and the mean loss of the steps since the one logged before; not empty.
    """
    last = losses[-1][0]
    wanted = max(1, min(last // 2, max(10, last // 10)))
    befores = (0, *(step for step, _ in losses))
    total, covered = 0.0, 0
    for (step, loss), before in zip(reversed(losses), reversed(befores[:-1]), strict=True):
        total += loss * (step - before)
        covered += step - before
        if covered >= wanted:
            break
    return total / covered, covered
