"""Sentences per second of the translation evaluation, against lm-eval's own loop on the same model, tasks and batches.

    python tests/benchmarks/evaluation/throughput.py RUN            # a run that `cogsym evaluate` has been through
    python tests/benchmarks/evaluation/throughput.py RUN --repeats 5

The two take turns, in an order that changes, and every answer must be the same. Also timed: laying the delta over the
loaded base, against loading the merged model from disk.
"""

from __future__ import annotations

import argparse
import datetime
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results.json"


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def generation(model: Any, tokenizer: Any, tasks: list[Any], batch_size: int, repeats: int) -> dict[str, Any]:
    """Seconds of both loops over all tasks, and their ratio per repeat."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    from toolkit.evaluation.lm import EvaluationLM, quiet_lm_eval

    def answers(lm: Any) -> list[str]:
        requests = []
        for task in tasks:
            settings = task.asks.config["generation_kwargs"]
            requests.append([Instance("generate_until", {}, (row["prompt"], dict(settings)), 0) for row in task.rows])
        return [answer for group in requests for answer in lm.generate_until(group, disable_tqdm=True)]

    with quiet_lm_eval():
        loops = {
            "lm_eval": HFLM(pretrained=model, tokenizer=tokenizer, batch_size=batch_size),
            "toolkit": EvaluationLM(model, tokenizer, batch_size),
        }
        answers(loops["toolkit"])  # warm-up
        seconds: dict[str, list[float]] = {name: [] for name in loops}
        given: dict[str, list[str]] = {}
        for turn in range(repeats):
            for name in sorted(loops, reverse=bool(turn % 2)):
                taken, given[name] = timed(partial(answers, loops[name]))
                seconds[name].append(round(taken, 3))
    sentences = sum(len(task.rows) for task in tasks)
    ratios = [a / b for a, b in zip(seconds["lm_eval"], seconds["toolkit"], strict=True)]
    return {
        "sentences": sentences,
        "seconds": seconds,
        "sentences_per_second": {name: round(sentences / statistics.median(each), 1) for name, each in seconds.items()},
        "speed_up": round(statistics.median(ratios), 3),
        "speed_up_of_the_best": round(min(seconds["lm_eval"]) / min(seconds["toolkit"]), 3),
        "different_answers": sum(a != b for a, b in zip(given["lm_eval"], given["toolkit"], strict=True)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--limit", type=int)
    options = parser.parse_args()

    from toolkit.delta import LanguageSwitcher, merge
    from toolkit.environment import hardware, package_versions
    from toolkit.evaluation.asking import Write
    from toolkit.evaluation.lm import default_batch_size
    from toolkit.evaluation.making import make_tasks
    from toolkit.pretrained import base_of, load_base
    from toolkit.recipe import read_recipe
    from toolkit.run_folder import RunFolder

    run = RunFolder(options.run)
    recipe = read_recipe(run.recipe)
    made = make_tasks(recipe.evaluation, recipe.language, recipe.prompt, only=["translation"], limit=options.limit)
    tasks = [draws[0] for draws in made]
    answer_tokens = max(task.asks.max_new_tokens for task in tasks if isinstance(task.asks, Write))
    base = base_of(run)
    model, tokenizer = load_base(base)
    batch_size = default_batch_size(model.config, model.dtype, model.device)
    switcher = LanguageSwitcher(model, base)
    adding, _ = timed(lambda: switcher.add("adapted", run.delta))
    results: dict[str, Any] = {"base": generation(model, tokenizer, tasks, batch_size, options.repeats)}
    switching, _ = timed(lambda: switcher.activate("adapted"))
    results["adapted"] = generation(model, tokenizer, tasks, batch_size, options.repeats)
    with tempfile.TemporaryDirectory() as folder:
        merge(run.delta, base, Path(folder) / "merged")
        loading, _ = timed(lambda: load_base(Path(folder) / "merged"))
    report = {
        "base": run.read_config().base.model_dump(),
        "batch_size": batch_size,
        "max_new_tokens": answer_tokens,
        "generation": results,
        "switching_seconds": {
            "open and check the delta": round(adding, 3),
            "lay it over the base": round(switching, 3),
            "instead: load the merged model": round(loading, 3),
        },
        "hardware": hardware().device,
        "versions": package_versions(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }
    RESULTS.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
