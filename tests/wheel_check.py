"""Builds the wheel, installs it into an empty environment elsewhere, and runs the demo there as a stranger would."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent


def run(*command: object, where: Path) -> None:
    print("$", *command, flush=True)
    environment = os.environ | {"PYTHONPATH": "", "HF_HUB_OFFLINE": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    subprocess.run([str(part) for part in command], cwd=where, env=environment, check=True)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="cogsym-wheel-") as folder:
        elsewhere = Path(folder)
        run(sys.executable, "-m", "build", "--wheel", "--outdir", elsewhere, ROOT, where=elsewhere)
        (wheel,) = elsewhere.glob("*.whl")
        size_mb = wheel.stat().st_size / 1e6
        print(f"{wheel.name}: {size_mb:.1f} MB")
        assert size_mb < 12, "the wheel carries more than the pocket"
        venv.create(elsewhere / "env", with_pip=True)
        python = elsewhere / "env" / "bin" / "python"
        constraints = ROOT / "constraints" / "default.txt"
        run(python, "-m", "pip", "install", "--quiet", "--constraint", constraints, wheel, where=elsewhere)
        cogsym = python.with_name("cogsym")
        run(cogsym, "--version", where=elsewhere)
        run(cogsym, "doctor", where=elsewhere)
        run(cogsym, "demo", "--quick", "--out", "demo", where=elsewhere)
        run(cogsym, "translate", "demo/run", "the dog is big", "--direction", "eng>jav", where=elsewhere)
        run(cogsym, "space", "serve", "--delta", "demo/run", "--check", where=elsewhere)
    print("the wheel works")


if __name__ == "__main__":
    main()
