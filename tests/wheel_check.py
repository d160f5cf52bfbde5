"""Builds the wheel, installs it into an empty environment elsewhere, and runs the demo there as a stranger would."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import urllib.request
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent


def run(*command: object, where: Path) -> None:
    print("$", *command, flush=True)
    environment = os.environ | {"PYTHONPATH": "", "HF_HUB_OFFLINE": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    subprocess.run([str(part) for part in command], cwd=where, env=environment, check=True)


def serve(cogsym: Path, where: Path) -> None:
    """The page must come up from the wheel alone."""
    command = [cogsym, "space", "serve", "--delta", "demo/run", "--no-open", "--port", "7931"]
    print("$", *command, flush=True)
    page = subprocess.Popen(command, cwd=where, env=os.environ | {"PYTHONPATH": "", "HF_HUB_OFFLINE": "1"})
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                with urllib.request.urlopen("http://127.0.0.1:7931", timeout=5) as answer:
                    assert b"CogSym" in answer.read()
                    return
            except OSError:
                assert page.poll() is None, "the page stopped"
                assert time.monotonic() < deadline, "the page did not come up in two minutes"
                time.sleep(1)
    finally:
        page.terminate()
        page.wait(30)


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
        run(cogsym, "comet", "status", where=elsewhere)
        run(cogsym, "demo", "--quick", "--out", "demo", where=elsewhere)
        run(cogsym, "translate", "demo/run", "the dog is big", "--direction", "eng>jav", where=elsewhere)
        serve(cogsym, where=elsewhere)
    print("the wheel works")


if __name__ == "__main__":
    main()
