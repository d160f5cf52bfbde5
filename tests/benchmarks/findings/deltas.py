"""What the deltas of finished runs take: bytes, bits per weight against the limit, time to merge and to switch.

    python tests/benchmarks/findings/deltas.py --base base --out deltas.json RUN...

A run is a folder of a sweep. The limit is H(difference | exponent of the base), as in `../delta/`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "delta"))
import peers
from run import read_bits
from transformers import AutoModelForCausalLM

from toolkit.delta import LanguageSwitcher, merge
from toolkit.run_folder import RunFolder

TIMES = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument("runs", type=Path, nargs="+")
    asked = parser.parse_args()
    model = AutoModelForCausalLM.from_pretrained(asked.base, dtype="bfloat16")
    rows = [measure(RunFolder(run), asked.base, model) for run in asked.runs]
    asked.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    for row in rows:
        print(row)


def measure(run: RunFolder, base: Path, model: Any) -> dict[str, Any]:
    """One delta: its size, how close to the limit, and the median time to merge it and to switch to it."""
    config = run.read_config()
    delta = run.root / config.delta_file
    with tempfile.TemporaryDirectory() as folder:
        merged = Path(folder) / "merged"
        began = time.perf_counter()
        merge(delta, base, merged)
        seconds = time.perf_counter() - began
        old, new = read_bits(base / "model.safetensors"), read_bits(merged / "model.safetensors")
    changed = {name: bits for name, bits in new.items() if (bits != old[name]).any()}
    weights = sum(bits.size for bits in changed.values())
    limit = float(sum(peers.bound_bits(old[name], bits) for name, bits in changed.items()) / 8)
    size = delta.stat().st_size
    switcher = LanguageSwitcher(model, base)
    switcher.add("resident", delta, resident=True)
    switcher.add("cold", delta)

    def swap() -> None:
        switcher.activate("resident")
        switcher.deactivate()

    def switch_cold() -> None:
        switcher.deactivate()
        switcher.forget_working_copy()
        switcher.activate("cold")

    there_and_back = median(swap)
    switcher.activate("cold")  # the first time also allocates
    switcher.forget_working_copy()
    cold = median(switch_cold)
    switcher.deactivate()
    return {
        "run": run.root.name,
        "trained_share": round(config.selection.trained_weights / config.selection.total_weights, 4),
        "trained_weights": config.selection.trained_weights,
        "weights_of_changed_tensors": weights,
        "bytes": size,
        "of_base": round(size / (base / "model.safetensors").stat().st_size, 4),
        "bits_per_weight": round(8 * size / weights, 3),
        "limit_bits_per_weight": round(8 * limit / weights, 3),
        "over_limit": round(size / limit, 3),
        "merge_seconds": round(seconds, 3),
        "switch_resident_ms": round(500 * there_and_back, 2),
        "switch_cold_ms": round(1000 * cold, 2),
    }


def median(action: Callable[[], object]) -> float:
    """Seconds, the median of a few times."""
    seconds = []
    for _ in range(TIMES):
        began = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
