"""Where the files of one run live; no other module spells these names.

    run/
      recipe.yaml            everything that determines the run
      beginning.json         what it was begun with, for resuming; not published
      metrics.jsonl          one line per logged training step
      tensorboard/           the same for TensorBoard, where asked for; not published
      checkpoints/           to resume from; not published
      trained/               the trained tensors, until the delta is made; not published
      step-100/              the run as it was after 100 steps, where asked for; not published
      tasks/                 lm-eval tasks and their test data; not published
      README.md              card                                    \\
      config.json            DeltaConfig                              |
      languages/             files of languages that the toolkit did  |
                             not have when the run was trained        |
      delta.safetensors      (or sharded, with an index)              | published
      records/               selection, training, delta, card;      |
                             evaluation/                            |
      samples/               evaluation samples, jsonl                |
      adapter/               of a LoRA run, as peft saves it          |
      figures/               PNG                                     /
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from toolkit.errors import DeltaError
from toolkit.languages import look_in
from toolkit.languages.registry import CARRIED
from toolkit.records import DeltaConfig, DeltaInfo, EvaluationRecord, SelectionInfo, TrainingRecord

INNER = "run"
"""The run folder in what `cogsym adapt` and `cogsym demo` make, beside the recipe and the data."""


@dataclass(frozen=True)
class RunFolder:
    """The paths of one run. A downloaded or published delta repository is the same, less the unpublished parts."""

    root: Path

    @property
    def name(self) -> str:
        """What tables and other runs call this one: its folder; of the `run` in a folder that a command made, that."""
        folder = self.root.resolve()
        return folder.parent.name or folder.name if folder.name == INNER else folder.name

    @property
    def recipe(self) -> Path:
        return self.root / "recipe.yaml"

    @property
    def beginning(self) -> Path:
        """What the run was begun with, which resuming compares; earlier versions did not write it."""
        return self.root / "beginning.json"

    @property
    def metrics(self) -> Path:
        return self.root / "metrics.jsonl"

    @property
    def tensorboard(self) -> Path:
        return self.root / "tensorboard"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    def phase_checkpoints(self, phase: str) -> Path:
        """Folder of the checkpoints of one phase; an empty name is the only phase of a run."""
        return self.checkpoints / phase

    @property
    def is_trained(self) -> bool:
        """Whether the delta is made, so that nothing of the training is left to do."""
        return self.config.is_file() and not self.trained.exists()

    @property
    def trained(self) -> Path:
        """Folder of the trained tensors, in safetensors."""
        return self.root / "trained"

    def snapshot(self, step: int) -> RunFolder:
        """The run folder of the weights as they were after so many steps."""
        return RunFolder(self.root / f"step-{step}")

    @property
    def adapter(self) -> Path:
        """Folder of the LoRA adapter, where the run trained one."""
        return self.root / "adapter"

    @property
    def tasks(self) -> Path:
        return self.root / "tasks"

    @property
    def card(self) -> Path:
        return self.root / "README.md"

    @property
    def config(self) -> Path:
        return self.root / "config.json"

    @property
    def languages(self) -> Path:
        """Folder of language files that travel with the delta, because a toolkit may not have them."""
        return self.root / CARRIED

    @property
    def delta(self) -> Path:
        return self.root / "delta.safetensors"

    @property
    def records(self) -> Path:
        return self.root / "records"

    @property
    def selection(self) -> Path:
        """Which weights train, found before training; a resumed run reads it."""
        return self.records / "selection.json"

    @property
    def training_record(self) -> Path:
        return self.records / "training.json"

    @property
    def full_training_record(self) -> Path:
        """How a full fine-tune was trained whose scores stand beside this run's, where there is one."""
        return self.records / "training.full.json"

    @property
    def delta_info(self) -> Path:
        return self.records / "delta.json"

    @property
    def evaluation_records(self) -> Path:
        """Folder of the evaluation records, one file per model, task and direction."""
        return self.records / "evaluation"

    @property
    def samples(self) -> Path:
        return self.root / "samples"

    @property
    def figures(self) -> Path:
        return self.root / "figures"

    @property
    def card_facts(self) -> Path:
        """Every number of the card, as JSON."""
        return self.records / "card.json"

    @property
    def eval_results(self) -> Path:
        """Folder of scores on benchmarks that the Hub knows."""
        return self.root / ".eval_results"

    def read_config(self) -> DeltaConfig:
        """What the delta is; its languages are known from then on, where it carries their files.

        Raises:
            DeltaError: if the folder only holds a run, or holds a whole model.
            CardError: if the config cannot be read.
        """
        self.refuse_what_is_no_delta()
        config = DeltaConfig.read(self.config)
        look_in(self.root, {config.language, *config.known_languages})
        return config

    def refuse_what_is_no_delta(self) -> None:
        """Raise where this is the folder around a run, or a whole model, which people take for a delta.

        Raises:
            DeltaError: saying which one was meant.
        """
        inner = self.root / INNER
        if not self.config.is_file() and (inner / self.config.name).is_file():
            raise DeltaError(f"{self.root} holds no {self.config.name}, so it is not a delta", f"did you mean {inner}?")
        stated = self.config.read_text(encoding="utf-8", errors="replace") if self.config.is_file() else ""
        if '"model_type"' in stated and '"delta_file"' not in stated:
            raise DeltaError(
                f"{self.root} is a whole model, not a delta",
                "give the run folder or the published delta; transformers loads a whole model as any other",
            )

    def read_selection(self) -> SelectionInfo:
        return SelectionInfo.read(self.selection)

    def read_training(self) -> TrainingRecord:
        return TrainingRecord.read(self.training_record)

    def read_delta_info(self) -> DeltaInfo:
        return DeltaInfo.read(self.delta_info)

    def read_evaluations(self) -> list[EvaluationRecord]:
        """All evaluation records, in the order of their file names; empty where none was made."""
        return [EvaluationRecord.read(path) for path in sorted(self.evaluation_records.glob("*.json"))]
