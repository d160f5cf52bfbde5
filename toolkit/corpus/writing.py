"""Files that appear whole, and never in the place of another."""

from __future__ import annotations

import filecmp
import os
from collections.abc import Iterable
from pathlib import Path

from toolkit.errors import OutputError


def write_new(path: Path, pieces: Iterable[str]) -> None:
    """Write text to a file that is not there yet; one that holds the same already is left as it is.

    Args:
        path: its folder is made where it is missing.
        pieces: of the text, in UTF-8 and with line feeds as they are.

    Raises:
        OutputError: if a file that holds something else is there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with draft.open("w", encoding="utf-8", newline="") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        if not path.exists():
            os.replace(draft, path)
        elif not path.is_file() or not filecmp.cmp(draft, path, shallow=False):
            raise OutputError(
                f"{path} is there already and holds something else", "give another folder, or move it away"
            )
    finally:
        draft.unlink(missing_ok=True)
