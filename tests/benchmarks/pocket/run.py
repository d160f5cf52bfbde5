"""What each selection learns on the pocket: three seeds, two languages, the recipe that `cogsym demo` uses.

    python tests/benchmarks/pocket/run.py jav        # half an hour on two cores; goes on where it stopped
    python tests/benchmarks/pocket/run.py --table    # prints the table of what is there

Each point is a whole run through the toolkit's own code: train, extract, and evaluate from the delta on disk.
"""

from __future__ import annotations

import argparse
import datetime
import json
import statistics
import tempfile
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).parent
LANGUAGES = ("jav", "sun")
SELECTIONS = ("cogsym:25%", "full", "front:25%", "rear:25%", "middle:25%")
SEEDS = (0, 1, 2)


def measure(language: str, select: str, seed: int, folder: Path) -> dict[str, object]:
    """Scores, sizes and seconds of one run."""
    from toolkit import pocket
    from toolkit.adaptation import prepare, train_delta
    from toolkit.environment import hardware
    from toolkit.evaluation import evaluate
    from toolkit.recipe import read_recipe
    from toolkit.recipes import find_recipe

    pocket.write_corpus(folder / "data")
    shipped = find_recipe(f"pocket-{language}")
    (folder / shipped.name).write_text(shipped.read_text(encoding="utf-8"), encoding="utf-8")
    recipe = read_recipe(folder / shipped.name).model_copy(update={"select": select, "seed": seed})
    plan = prepare(recipe, folder / "run")
    training, delta = train_delta(plan)
    scores: dict[str, dict[str, float]] = defaultdict(dict)
    for record in evaluate(plan.run):
        score = record.score("chrF++")
        assert score is not None
        scores[record.model][record.direction] = round(score.value, 2)
    return {
        "language": language,
        "select": select,
        "seed": seed,
        "chrF++": scores,
        "share_of_weights": round(plan.selection.share, 4),
        "training_seconds": training.seconds,
        "steps": training.steps,
        "delta_bytes": delta.size_bytes,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "hardware": hardware().device,
        "versions": training.versions,
    }


def table(points: list[dict[str, object]]) -> str:
    """Mean chrF++ (and range) over seeds, one row per language and selection."""
    lines = []
    for language in LANGUAGES:
        directions = [f"eng>{language}", f"{language}>eng", "eng>ind"]
        lines += [f"\n| {language} | {' | '.join(directions)} | weights | seconds | seeds |", "|---|" + "---|" * 6]
        for select in ("base", *SELECTIONS):
            chosen = [p for p in points if p["language"] == language and (select == "base" or p["select"] == select)]
            if not chosen:
                continue
            cells = []
            for direction in directions:
                model = "base" if select == "base" else "adapted"
                values = [p["chrF++"][model][direction] for p in chosen]  # type: ignore[index]
                spread = "" if select == "base" else f" ({min(values):.1f}-{max(values):.1f})"
                cells.append(f"{statistics.mean(values):.1f}{spread}")
            if select == "base":
                cells += ["-", "-", "-"]
            else:
                cells.append(f"{chosen[0]['share_of_weights']:.0%}")
                cells.append(f"{statistics.median(p['training_seconds'] for p in chosen):.0f}")  # type: ignore[type-var]
                cells.append(str(len(chosen)))
            lines.append(f"| {select} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("language", nargs="?", choices=LANGUAGES, default=LANGUAGES[0])
    parser.add_argument("--table", action="store_true", help="print the table of what is there")
    arguments = parser.parse_args()
    if arguments.table:
        print(table([point for path in sorted(HERE.glob("*.json")) for point in json.loads(path.read_text())]))
        return
    from toolkit.cli.console import quiet_libraries

    quiet_libraries()
    results = HERE / f"{arguments.language}.json"
    points = json.loads(results.read_text()) if results.exists() else []
    done = {(point["select"], point["seed"]) for point in points}
    for seed in SEEDS:
        for select in SELECTIONS:
            if (select, seed) in done:
                continue
            with tempfile.TemporaryDirectory() as folder:
                points.append(measure(arguments.language, select, seed, Path(folder)))
            results.write_text(json.dumps(points, indent=1) + "\n")
            print(arguments.language, select, seed, points[-1]["chrF++"], flush=True)
    print(table(points))


if __name__ == "__main__":
    main()
