"""Measures the start of the page, and of other checkouts in turn with it: until it answers, until it translates.

python tests/benchmarks/space/start.py --delta demo/jav/run --beside ../before --out tests/benchmarks/space/start.json
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import httpx
from space_visitor import translate_event, visit

HERE = Path(__file__).parents[3]
PORT = 7954
LONGEST_SECONDS = 300
TEXT, SOURCE, TARGET = "The child wants to drink milk.", "eng", "jav"


def measure(checkout: Path, deltas: list[Path]) -> dict[str, float]:
    """One start of one checkout: seconds by the clock, and seconds that its process used of processors."""
    options = [part for delta in deltas for part in ("--delta", str(delta.resolve()))]
    command = [sys.executable, "-m", "toolkit", "space", "serve", *options, "--no-open", "--port", str(PORT)]
    environment = {**os.environ, "PYTHONPATH": str(checkout.resolve())}
    begin = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=checkout, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    address = f"http://127.0.0.1:{PORT}/"
    try:
        while not _answers(address):
            if process.poll() is not None or time.perf_counter() - begin > LONGEST_SECONDS:
                raise SystemExit(f"the page of {checkout} did not come up")
            time.sleep(0.05)
        page, page_cpu = time.perf_counter() - begin, _processor_seconds(process.pid)
        if not visit(address, translate_event(address), TEXT, SOURCE, TARGET).text:
            raise SystemExit(f"the page of {checkout} did not translate")
        words, words_cpu = time.perf_counter() - begin, _processor_seconds(process.pid)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
    return {"page": page, "page_processor": page_cpu, "translation": words, "translation_processor": words_cpu}


def _answers(address: str) -> bool:
    try:
        return httpx.get(address, timeout=60).status_code == 200
    except httpx.TransportError:
        return False


def _processor_seconds(process: int) -> float:
    """User and system time of a process and of its children that ended."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def summary(rounds: list[dict[str, float]]) -> dict[str, Any]:
    """Median, best and worst of each measure, in seconds."""
    return {
        name: {
            "median": round(statistics.median(one[name] for one in rounds), 2),
            "best": round(min(one[name] for one in rounds), 2),
            "worst": round(max(one[name] for one in rounds), 2),
        }
        for name in rounds[0]
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delta", type=Path, action="append", required=True, help="run folder of the pocket demo")
    parser.add_argument("--beside", type=Path, action="append", default=[], help="another checkout, in turn with this")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    rounds: dict[str, list[dict[str, float]]] = {}
    for checkout in (HERE, *asked.beside):  # files come into the machine's cache
        measure(checkout, asked.delta)
    for _ in range(asked.rounds):
        for name, checkout in [("here", HERE), *((one.name, one) for one in asked.beside)]:
            rounds.setdefault(name, []).append(measure(checkout, asked.delta))
            print(name, json.dumps(rounds[name][-1]), file=sys.stderr)
    result = {
        "machine": f"{os.cpu_count()} cores shared with other work",
        "load_average": [round(part, 1) for part in os.getloadavg()],
        "threads": os.environ.get("OMP_NUM_THREADS", "all"),
        "rounds": asked.rounds,
        "seconds": {name: summary(found) for name, found in rounds.items()},
    }
    asked.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
