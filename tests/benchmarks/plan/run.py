"""Predicted against measured peak memory and step time of training, each case in a process of its own.

    python tests/benchmarks/plan/run.py             # every case; a few minutes on two cores
    python tests/benchmarks/plan/run.py NAME ...    # some of them

On a machine with a GPU the same cases run there. Results go to `results.json`.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolkit.recipe import Recipe

HERE = Path(__file__).parent
# Seconds that this thread spent computing: other programs take none of them. With one thread of OpenMP that is all the
# work there is, on a CPU; where a GPU works, only the clock on the wall sees it.
CLOCK = time.perf_counter if shutil.which("nvidia-smi") else time.thread_time
STEPS = 4


@dataclass(frozen=True)
class Case:
    """One model and one way to train it; lengths in tokens."""

    name: str
    width: int = 512
    feed_forward: int = 1376
    layers: int = 8
    heads: int = 8
    keys: int = 8
    vocabulary: int = 8000
    batch: int = 4
    micro: int = 4
    tokens: int = 256
    select: str = "cogsym:25%"
    optimizer: str = "adamw"
    trained_dtype: str = "auto"
    checkpointing: bool = False
    method: str = "weights"
    order: str = "together"


CASES = (
    Case("cogsym"),
    Case("full", select="full"),
    Case("front", select="front:25%"),
    Case("rear", select="rear:25%"),
    Case("middle", select="middle:50%"),
    Case("wide", width=1024, feed_forward=2752, layers=6, heads=16, keys=16, select="cogsym:2", tokens=128),
    Case("deep", width=384, feed_forward=1024, layers=24, heads=6, keys=6),
    Case("grouped-keys", keys=2, select="full"),
    Case("many-words", vocabulary=32000, layers=6, select="cogsym:2"),
    Case("long", tokens=1024, batch=2, micro=2),
    Case("accumulating", batch=8, micro=2, select="full"),
    Case("8bit", optimizer="adamw_8bit", select="full", tokens=128),
    Case("checkpointing", checkpointing=True, select="full", tokens=512),
    Case("bfloat16", trained_dtype="bfloat16", optimizer="adamw_8bit", select="full", tokens=128),
    Case("lora", method="lora"),
    Case("neurons", select="subnetwork:1%"),
    Case("front-then-rear", order="front_then_rear"),
    Case("lora-front-then-rear", method="lora", order="front_then_rear"),
)


def make_base(case: Case, folder: Path) -> Path:
    """A random Llama of the case's size with the pocket's tokenizer."""
    from transformers import LlamaConfig, LlamaForCausalLM

    from toolkit import pocket

    folder.mkdir()
    for path in pocket.folder().iterdir():
        if path.name.startswith(("tokenizer", "special")):
            shutil.copy(path, folder)
    config = LlamaConfig(
        vocab_size=case.vocabulary,
        hidden_size=case.width,
        intermediate_size=case.feed_forward,
        num_hidden_layers=case.layers,
        num_attention_heads=case.heads,
        num_key_value_heads=case.keys,
        max_position_embeddings=2048,
    )
    LlamaForCausalLM(config).bfloat16().save_pretrained(folder)
    return folder


def recipe_of(case: Case, base: Path, text: Path) -> Recipe:
    """The case in the words of a recipe."""
    from toolkit.recipe import make_recipe

    return make_recipe(
        {
            "language": "jav",
            "base": str(base),
            "select": case.select,
            "data": [{"path": str(text), "kind": "text"}],
            "max_tokens": case.tokens,
            "max_steps": STEPS,
            "batch_size": case.batch,
            "micro_batch_size": case.micro,
            "optimizer": case.optimizer,
            "trained_dtype": case.trained_dtype,
            "gradient_checkpointing": case.checkpointing,
            "checkpoint_steps": 1000,
            "method": case.method,
            "order": case.order,
        }
    )


def plan_and_train(case: Case, folder: Path) -> dict[str, Any]:
    """Predict, then train a few steps and watch."""
    import torch

    from toolkit.delta import read_base_info
    from toolkit.run_folder import RunFolder
    from toolkit.selection import possible_selections, read_layout
    from toolkit.training import mix, requirements, train

    base = folder / "base"
    text = folder / "text.txt"
    lines = 60 + case.batch * STEPS * case.tokens // 12
    text.write_text("\n".join(f"{n} the market is open in the morning, and the river is near" for n in range(lines)))
    recipe = recipe_of(case, base, text)
    layout = read_layout(base)
    selection = possible_selections(recipe, layout)[-1]  # of neurons, those that are spread over all layers
    needs = requirements(recipe, base, layout, (selection,), measure=False)
    mixture = mix(recipe)
    info = read_base_info(base, "random")
    before = step_of(recipe, base, layout, selection)
    stamps: list[float] = []
    with Peak() as peak:
        record = train(
            recipe,
            mixture,
            base,
            info,
            selection,
            RunFolder(folder / "run"),
            report=lambda step: stamps.append(CLOCK()),
        )
    after = step_of(recipe, base, layout, selection)
    on_gpu = torch.cuda.is_available()
    measured = torch.cuda.max_memory_allocated() if on_gpu else peak.bytes
    steps = [second - first for first, second in pairwise(stamps)]
    del steps[STEPS - 1 :: STEPS]  # from one phase to the next
    # The first step of each phase makes the optimiser's state, and is left out with what came before it.
    step = statistics.mean(steps)
    predicted = statistics.mean([before.least, before.most, after.least, after.most])
    return {
        "case": asdict(case),
        "weights": layout.n_weights,
        "predicted_bytes": needs.memory.peak,
        "measured_bytes": measured,
        "ratio": round(needs.memory.peak / measured, 3),
        "parts": asdict(needs.memory),
        "predicted_step_seconds": [round(each, 3) for span in (before, after) for each in (span.least, span.most)],
        "measured_step_seconds": [round(each, 3) for each in steps],
        "time_ratio": round(predicted / step, 3),
        "step_is_in_range": min(before.least, after.least) <= step <= max(before.most, after.most),
        "device": record.hardware.device,
        "versions": record.versions,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def step_of(recipe: Recipe, base: Path, layout: Any, selection: Any) -> Any:
    """The time of a step as `cogsym plan` estimates it, on the benchmark's clock."""
    import torch

    from toolkit.training.distributed import accumulation_steps
    from toolkit.training.needs import setup_of
    from toolkit.training.pace import Span, measure_pace
    from toolkit.training.phases import narrowed, phases_of
    from toolkit.training.speed import step_seconds

    setup = setup_of(recipe, on_gpu=torch.cuda.is_available())
    pace = measure_pace(recipe, base, layout, selection, examples=setup.examples, tokens=setup.tokens, clock=CLOCK)
    assert pace is not None
    phases = phases_of(recipe, selection, layout)
    total = Span(0.0, 0.0)
    for phase in phases:
        part = narrowed(selection, phase, layout)
        total += step_seconds(pace, layout, part, setup, accumulation_steps(recipe))
    return total * (1 / len(phases))


class Peak:
    """The most anonymous memory of this process in use at one time, beyond what was in use at the start.

    Anonymous memory leaves out the mapped model file and libraries, whose pages the system takes back when it needs
    them. On systems without /proc it is not measured.
    """

    def __enter__(self) -> Peak:
        self._before = self._most = _anonymous_bytes()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.002):
            self._most = max(self._most, _anonymous_bytes())

    @property
    def bytes(self) -> int:
        return self._most - self._before


def _anonymous_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this system does not tell how much memory is anonymous")


def child(name: str) -> None:
    """Measure one case, after a tiny one has loaded every library that training loads."""
    from toolkit.cli.console import quiet_libraries

    quiet_libraries()
    case = next(case for case in CASES if case.name == name)
    tiny = Case(
        "tiny",
        width=64,
        feed_forward=96,
        layers=4,
        heads=2,
        keys=2,
        batch=case.batch,
        micro=case.micro,
        tokens=32,
        select="full" if case.order == "together" else "cogsym:2",
        optimizer=case.optimizer,
        trained_dtype=case.trained_dtype,
        checkpointing=case.checkpointing,
        method=case.method,
        order=case.order,
    )
    with tempfile.TemporaryDirectory() as folder:
        make_base(tiny, Path(folder) / "base")
        plan_and_train(tiny, Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        # In a process of its own, so that building the model leaves no freed memory to be used again.
        make = f"run.make_base(run.Case(**{asdict(case)!r}), Path({folder!r}) / 'base')"
        build = f"import run; from pathlib import Path; {make}"
        subprocess.run([sys.executable, "-c", build], check=True, cwd=HERE)
        print(json.dumps(plan_and_train(case, Path(folder))))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help="cases; default all")
    parser.add_argument(
        "--default-malloc", action="store_true", help="measure with the C allocator as it is; print, and write nothing"
    )
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child)
        return
    results = HERE / "results.json"
    points = {point["case"]["name"]: point for point in (json.loads(results.read_text()) if results.exists() else [])}
    for case in CASES:
        if arguments.names and case.name not in arguments.names:
            continue
        started = time.monotonic()
        command = [sys.executable, __file__, "--child", case.name]
        environment = os.environ if arguments.default_malloc else os.environ | {"MALLOC_MMAP_THRESHOLD_": "200000"}
        environment = dict(environment) | {"OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if done.returncode:
            sys.exit(f"{case.name}: {done.stderr[-2000:]}")
        point = json.loads(done.stdout.splitlines()[-1])
        print(
            f"{case.name:14} {point['weights'] / 1e6:6.1f} M weights  "
            f"predicted {point['predicted_bytes'] / 1e6:7.1f} MB  "
            f"measured {point['measured_bytes'] / 1e6:7.1f} MB  "
            f"ratio {point['ratio']:.2f}  time ratio {point['time_ratio']:.2f}  ({time.monotonic() - started:.0f} s)",
            flush=True,
        )
        if arguments.default_malloc:
            continue
        points[case.name] = point
        ordered = [points[each.name] for each in CASES if each.name in points]
        results.write_text(json.dumps(ordered, indent=1) + "\n")


if __name__ == "__main__":
    main()
