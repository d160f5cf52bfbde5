"""Outputs in the making: hidden names beside their targets, and what killed processes have left of them."""

from __future__ import annotations

import glob
import os
import shutil
from pathlib import Path


def draft_of(out: Path) -> Path:
    """Where this process prepares `out`, on the same file system, so that a rename makes it appear whole."""
    return out.with_name(f".{out.name}.{os.getpid()}.tmp")


def remove_abandoned(out: Path) -> None:
    """Delete drafts of `out` whose process is gone: killed before it could clean up."""
    for draft in out.parent.glob(f".{glob.escape(out.name)}.*.tmp"):
        process = draft.name.removesuffix(".tmp").rpartition(".")[2]
        if process.isdecimal() and not _is_running(int(process)):
            if draft.is_dir():
                shutil.rmtree(draft, ignore_errors=True)
            else:
                draft.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
