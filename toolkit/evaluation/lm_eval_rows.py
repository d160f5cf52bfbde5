"""Reads the rows that lie beside an lm-eval task; copied there, so it imports nothing of this toolkit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from datasets import Dataset


def load(file: str, **_: Any) -> dict[str, Dataset]:
    """The rows of `file` as the split `test`; lm-eval calls this with the task's `dataset_kwargs` and metadata."""
    with (Path(__file__).parent / file).open(encoding="utf-8") as lines:
        return {"test": Dataset.from_list([json.loads(line) for line in lines])}
