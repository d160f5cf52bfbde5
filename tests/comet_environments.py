"""Environments for tests of COMET: one with a stand-in for it, and programs that stand in for Python and pip."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from toolkit.evaluation.comet import environment

FAKE = Path(__file__).parent / "fake_comet"


def script(path: Path, body: str) -> Path:
    """A shell script that can be run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}")
    path.chmod(0o755)
    return path


def fake_environment(folder: Path) -> Path:
    """A finished environment whose Python is this one, and whose COMET is `fake_comet`."""
    script(folder / "bin" / "python", f'PYTHONPATH="{FAKE}" exec "{sys.executable}" "$@"\n')
    mark = {"requirements": environment._requirements_digest(), "versions": {"unbabel-comet": "0.0.1"}}
    (folder / environment._MARK).write_text(json.dumps(mark))
    return folder


def fake_checkpoint(folder: Path, behaviour: str = "scores") -> Path:
    """A model's folder, as COMET publishes them, for `fake_comet`."""
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "model.ckpt").write_text(json.dumps({"behaviour": behaviour}))
    (folder / "hparams.yaml").write_text("class_identifier: regression_metric\npretrained_model: org/encoder\n")
    return folder


def fake_python(path: Path, *, pip: str = "echo Successfully installed", check: str | None = None) -> Path:
    """A Python whose `-m venv` makes a folder with another Python in it, for which `pip` and `check` are run."""
    versions = json.dumps(dict.fromkeys(environment.PACKAGES, "1.0"))
    made = f"""case "$*" in
*" pip "*) {pip} ;;
*" -c "*) {check or f"echo '{versions}'"} ;;
esac
"""
    inner = script(path.with_name(f"{path.name}-inner"), made)
    return script(path, f'echo making "$3"\nmkdir -p "$3/bin"\ncp "{inner}" "$3/bin/python"\n')


def closed_index() -> dict[str, str]:
    """Variables with which pip knows no index but one that refuses every connection."""
    return {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_FIND_LINKS": "",
        "PIP_NO_CACHE_DIR": "1",
        "PIP_RETRIES": "0",
    }
