"""Lets a model answer a task, through the task's lm-eval file on disk: the file that a stranger would run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lm_eval.tasks import TaskManager

from toolkit.errors import EvaluationError
from toolkit.evaluation.lm import EvaluationLM, default_batch_size, quiet_lm_eval
from toolkit.evaluation.task import Task
from toolkit.tokens import prompt_ids


class Answerer:
    """A loaded model beside a folder of tasks; whatever weights the model has when asked, those answer."""

    def __init__(self, model: Any, tokenizer: Any, tasks: Path, batch_size: int | None = None) -> None:
        self.batch_size = batch_size or default_batch_size(model.config, model.dtype, model.device)
        with quiet_lm_eval():
            self._lm = EvaluationLM(model, tokenizer, self.batch_size)
            self._manager = TaskManager(include_path=str(tasks), include_defaults=False)

    def check(self, task: Task) -> None:
        """Raise unless every prompt of the task, with its answer, fits into the model's context.

        Raises:
            EvaluationError: naming the longest prompt's length.
        """
        longest = max(len(prompt_ids(self._lm.tokenizer, row["prompt"])) for row in task.rows)
        room = self._lm.max_length - task.max_new_tokens
        if longest > room:
            raise EvaluationError(
                f"{task.name}: a prompt of {longest} tokens and an answer of {task.max_new_tokens} exceed "
                f"the model's {self._lm.max_length}",
                "use fewer shots, a smaller max_new_tokens, or leave out the longest sentences",
            )

    def answer(self, task: Task, on_sentences: Callable[[int], None]) -> list[str]:
        """The model's answer to every prompt of the task, in the task's order.

        Args:
            on_sentences: called with the number of sentences of each finished batch.

        Raises:
            EvaluationError: if the device has too little memory for a batch.
        """
        self._lm.on_sentences = on_sentences
        with quiet_lm_eval():
            lm_eval_task: Any = self._manager.load([task.name])["tasks"][task.name]
            requests = [
                lm_eval_task.construct_requests(
                    row, lm_eval_task.fewshot_context(row, num_fewshot=0), metadata=(task.name, index, 1)
                )
                for index, row in lm_eval_task.doc_iterator()
            ]
            try:
                answers = self._lm.generate_until(requests)
            except torch.OutOfMemoryError as error:
                raise EvaluationError(
                    f"no memory left for {self.batch_size} sentences at a time", "give a smaller --batch-size"
                ) from error
        return [answer.strip() for answer in answers]

    def decoding(self, task: Task) -> dict[str, Any]:
        """How answers are made, as a record keeps it."""
        model = self._lm.model
        facts = {
            "strategy": "greedy",
            "stop": task.stop,
            "max_new_tokens": task.max_new_tokens,
            "batch_size": self.batch_size,
            "dtype": str(model.dtype).removeprefix("torch."),
            "device": model.device.type,
        }
        otherwise = self._lm.reads_otherwise([row["prompt"] for row in task.rows])
        return facts | ({"prompts_that_lm_eval_tokenizes_otherwise": otherwise} if otherwise else {})
