"""The metrics of a run: one JSON line per logged step, cut back to the checkpoint when a run goes on from there."""

from __future__ import annotations

import json
import os
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
