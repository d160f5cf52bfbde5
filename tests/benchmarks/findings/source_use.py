"""How much of what a run has learnt depends on the sentence to translate: bits per byte that the right source saves.

    python tests/benchmarks/findings/source_use.py --out source_use.json sweeps/ceb-methods/*.seed?

Each run must have been evaluated on `data/ceb_wrong.tsv` as well (`ceb-wrong.yaml`), where every verse stands beside
another verse's source. A translation is as long and as fluent in either; only the right source tells which one it is.
"""

from __future__ import annotations

import argparse
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

RIGHT, WRONG = "verses_likelihood", "wrong-sources_likelihood"
DIRECTIONS = ("ceb>eng", "eng>ceb")
RESAMPLES = 1000
COMPARED = (("cogsym-4", "full"), ("front-4", "rear-4"), ("front-4", "middle-4"), ("alpha-4", "neurons-count-4"))

Bits = Mapping[str, float]
"""By the text: how many bits it takes."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--out", required=True, type=Path, help="JSON file to write")
    given = parser.parse_args()
    runs: dict[str, list[Path]] = {}
    for run in given.runs:
        runs.setdefault(re.sub(r"\.seed\d+$", "", run.name), []).append(run)
    found = []
    for direction in DIRECTIONS:
        saved = {name: mean_of([saving(run, direction, "adapted") for run in seeds]) for name, seeds in runs.items()}
        saved["base"] = saving(given.runs[0], direction, "base")
        for name, bits in saved.items():
            found.append({"direction": direction, "run": name, "seeds": len(runs.get(name, [""])), **interval([bits])})
        for one, other in COMPARED:
            if one in saved and other in saved:
                apart = interval([saved[one], saved[other]])
                found.append({"direction": direction, "run": one, "against": other, **apart})
    given.out.write_text(json.dumps(found, indent=1) + "\n")
    for each in found:
        print(each)


def saving(run: Path, direction: str, model: str) -> Bits:
    """For each text, the bits that it takes after a wrong source beyond those after its own."""
    right, wrong = (read(run, f"{test}_{direction.replace('>', '_')}.{model}.jsonl") for test in (RIGHT, WRONG))
    if right.keys() != wrong.keys():
        raise SystemExit(f"{run}: {direction} was not evaluated on the same texts with right and wrong sources")
    return {text: wrong[text] - bits for text, bits in right.items()}


def read(run: Path, name: str) -> dict[str, float]:
    file = run / "samples" / name
    if not file.is_file():
        raise SystemExit(f"{file} is missing; make it: cogsym evaluate {run} --recipe ceb-wrong.yaml")
    lines = file.read_text(encoding="utf-8").splitlines()
    return {sample["text"]: -sample["loglikelihood"] / math.log(2) for sample in map(json.loads, lines)}


def mean_of(seeds: Sequence[Bits]) -> Bits:
    return {text: sum(bits[text] for bits in seeds) / len(seeds) for text in seeds[0]}


def interval(saved: Sequence[Bits]) -> dict[str, float]:
    """Bits per byte saved, or the first minus the second, with the middle 95% of paired resamples of the texts."""
    texts = sorted(saved[0])
    sizes = np.array([len(text.encode()) for text in texts])
    bits = np.array([saved[0][text] for text in texts])
    if len(saved) > 1:
        bits = bits - np.array([saved[1][text] for text in texts])
    drawn = np.random.default_rng(12345).integers(len(texts), size=(RESAMPLES, len(texts)))
    values = np.sort(bits[drawn].sum(1) / sizes[drawn].sum(1))
    low, high = values[[RESAMPLES // 40, RESAMPLES - 1 - RESAMPLES // 40]]
    value = bits.sum() / sizes.sum()
    return {name: round(float(each), 5) for name, each in (("bits_per_byte", value), ("low", low), ("high", high))}


if __name__ == "__main__":
    main()
