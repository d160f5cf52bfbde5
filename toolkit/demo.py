"""The whole way on the pocket: adapt, delta, evaluate, card, publish, merge, translate."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.adaptation import refuse_existing
from toolkit.analysis import SweepFolder
from toolkit.errors import OutputError, TrainingError
from toolkit.recipe import Recipe, read_recipe
from toolkit.recipes import find_recipe
from toolkit.records import DeltaInfo, EvaluationRecord, TrainingRecord
from toolkit.run_folder import INNER, RunFolder
from toolkit.stages import Listener, evaluate, publish, train

if TYPE_CHECKING:
    from toolkit.translator import Translator

COMPARED = ("front:25%", "rear:25%", "middle:25%")  # and full
QUICK_STEPS, QUICK_SENTENCES = 40, 12


@dataclass
class Demo:
    """What the demo made; filled as it goes on."""

    folder: Path
    language: str
    example: tuple[str, str]  # a test sentence in English, and what the phrasebook says
    before: str = ""  # the base's translation of it
    after: str = ""  # what the base with the published delta says
    back: str = ""  # and what it makes of that in English
    training: TrainingRecord | None = None
    delta: DeltaInfo | None = None
    evaluations: list[EvaluationRecord] = field(default_factory=list)
    compared: dict[str, list[EvaluationRecord]] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def run(self) -> RunFolder:
        return RunFolder(self.folder / INNER)

    @property
    def published(self) -> Path:
        return self.folder / "published" / f"pocket-cogsym-{self.language}"

    @property
    def merged(self) -> Path:
        return self.folder / "merged"

    @property
    def comparison(self) -> SweepFolder:
        return SweepFolder(self.folder / "compare")

    @property
    def recipe(self) -> Path:
        return self.folder / f"pocket-{self.language}.yaml"


def run_demo(
    out: Path, listener: Listener, *, language: str = "jav", quick: bool = False, compare: bool = False, seed: int = 0
) -> Demo:
    """Teach the pocket model a language and carry the result through every stage that Llama-2 goes through.

    Called again after an interruption it goes on, and what is done already is only shown.

    Args:
        out: folder to make, or one that the same demo was begun in.
        language: `jav` or `sun`.
        quick: only show that every stage works; the model learns next to nothing.
        compare: also train full, front, rear and middle, and evaluate them.
        seed: of mixing and shuffling.

    Raises:
        OutputError: if `out` holds something else already, a demo of other options among them.
        LanguageError: if the pocket has no such language.
    """
    started = time.monotonic()
    recipe = _write_inputs(out, language, quick, seed, listener)
    demo = Demo(out, language, _example(recipe, language))

    demo.training, demo.delta = train(recipe, demo.run, listener, go_on="the same command again")
    demo.evaluations = evaluate(demo.run, listener, limit=QUICK_SENTENCES if quick else None)
    publish(demo.run, demo.published, listener, try_out=False)  # the next stage tries it out
    _use(demo, listener)
    if compare:
        _compare(demo, recipe, listener, quick)
    demo.seconds = time.monotonic() - started
    return demo


def _write_inputs(out: Path, language: str, quick: bool, seed: int, listener: Listener) -> Recipe:
    from toolkit import pocket

    shipped = find_recipe(f"pocket-{language}")
    text, own = shipped.read_text(encoding="utf-8"), out / shipped.name
    changes = {"seed": seed, **({"max_steps": QUICK_STEPS} if quick else {})}
    if own.is_file() and own.read_text(encoding="utf-8") == text:
        _refuse_other_options(RunFolder(out / INNER), read_recipe(own).model_copy(update=changes))
        listener.stage(f"Go on in {out}", "What was done there is kept.")
    else:
        try:
            refuse_existing(out)
        except OutputError as error:
            raise OutputError(f"{error.message}, and not by this demo", "choose another folder with --out") from error
        listener.stage(
            "Write the phrasebook", "Sentences are all that a language needs; these are files like yours would be."
        )
    out.mkdir(parents=True, exist_ok=True)
    own.write_text(text, encoding="utf-8")  # first, since it tells a demo that was begun
    pocket.write_corpus(out / "data")
    return read_recipe(own).model_copy(update=changes)


def _refuse_other_options(run: RunFolder, recipe: Recipe) -> None:
    """Raise where the run that was begun is not the one that is wanted."""
    begun = read_recipe(run.recipe) if run.recipe.is_file() else recipe
    if (begun.seed, begun.max_steps) != (recipe.seed, recipe.max_steps):
        raise OutputError(
            f"the demo in {run.root.parent} was begun with {begun.max_steps} steps and seed {begun.seed}, "
            f"not with {recipe.max_steps} and {recipe.seed}",
            "give the options that it was begun with, or choose another folder with --out",
        )


def _example(recipe: Recipe, language: str) -> tuple[str, str]:
    from toolkit.test_sets import read_rows

    rows = read_rows(recipe.evaluation[0], f"eng>{language}").rows
    row = max(rows[:50], key=lambda row: len(row["eng"]))
    return row["eng"], row[language]


def _use(demo: Demo, listener: Listener) -> None:
    from toolkit.delta import merge
    from toolkit.pretrained import base_of
    from toolkit.routing import BASE
    from toolkit.translator import Translator

    listener.stage("Merge and translate", "What others do with it: the published delta on the base, bit for bit.")
    if not demo.merged.is_dir():  # which appears when it is complete
        merge(demo.published / demo.run.delta.name, base_of(demo.run), demo.merged)
    translator = Translator.from_pretrained(demo.published)
    english, _ = demo.example
    demo.before = _say(translator, english, f"eng>{demo.language}", model=BASE)
    demo.after = _say(translator, english, f"eng>{demo.language}")
    demo.back = _say(translator, demo.after, f"{demo.language}>eng")


def _compare(demo: Demo, recipe: Recipe, listener: Listener, quick: bool) -> None:
    from toolkit.analysis import TAKEN_OVER, SweepStep, Variation, plan_sweep, run_sweep
    from toolkit.pretrained import base_of
    from toolkit.selection import read_layout

    layout = read_layout(base_of(demo.run))
    selections = (recipe.select, *COMPARED)
    limit = QUICK_SENTENCES if quick else None
    sweep = plan_sweep("methods", recipe, layout, Variation(select=selections), limit=limit)
    series = {point.name: point.series for point in sweep.points}
    shown: list[str] = []

    def report(step: SweepStep) -> None:
        if step.stage == TAKEN_OVER:
            return
        if step.point not in shown:
            shown.append(step.point)
            listener.stage(
                f"Compare: train {series[step.point]}", "The same data, steps and seed; only the trained layers differ."
            )
        listener.step(step.done, step.total, f"{step.stage}, {step.note}")

    record = run_sweep(sweep, demo.comparison.root, reuse=[demo.run.root], report=report)
    for point in record.points[1:]:
        if point.state == "failed":
            raise TrainingError(f"{point.name}: {point.error}", "run the demo again, or without --compare")
        demo.compared[point.series] = demo.comparison.run(point.name).read_evaluations()


def _say(translator: Translator, text: str, direction: str, model: str | None = None) -> str:
    """The translation as far as it came: a base that does not know the language may find no end."""
    *_, last = translator.stream(text, direction, model=model)
    return last.text
