"""What a delta changes and what each tensor costs, from the file alone."""

from __future__ import annotations

from pathlib import Path

from toolkit.delta.delta import load_delta
from toolkit.records import DeltaInfo


def inspect(delta: Path) -> DeltaInfo:
    """How large a delta is and what it changes, tensor by tensor; every byte but those of the streams is checked.

    Raises:
        DamagedDeltaError: if there is none, or its headers are damaged.
        NewerFormatError: if it was written by a newer major version of the format.
    """
    with load_delta(delta) as opened:
        return opened.info
