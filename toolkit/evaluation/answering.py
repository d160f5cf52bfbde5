"""Lets a model answer a task, through the task's lm-eval file on disk: the file that a stranger would run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lm_eval.tasks import TaskManager

from toolkit.errors import EvaluationError
from toolkit.evaluation.asking import Choose, Expect, Write
from toolkit.evaluation.lm import EvaluationLM, batch_size_for_text, default_batch_size, quiet_lm_eval
from toolkit.evaluation.samples import Answer
from toolkit.evaluation.task import Task
from toolkit.tokens import prompt_ids


class Answerer:
    """A loaded model beside a folder of tasks; whatever weights the model has when asked, those answer."""

    def __init__(self, model: Any, tokenizer: Any, tasks: Path, batch_size: int | None = None) -> None:
        self._model = model
        self._batch_size = batch_size
        with quiet_lm_eval():
            self._lm = EvaluationLM(model, tokenizer, 1)
            self._manager = TaskManager(include_path=str(tasks), include_defaults=False)

    def check(self, task: Task) -> None:
        """Raise unless every prompt of the task, with its answer, fits into the model's context.

        Raises:
            EvaluationError: naming the longest prompt's length.
        """
        if isinstance(task.asks, Write):
            answer, longest = task.asks.max_new_tokens, max(self._length(row["prompt"]) for row in task.rows)
        elif isinstance(task.asks, Choose):
            row = max(task.rows, key=lambda row: len(row["prompt"]) + max(map(len, row["choices"])))
            answer, longest = max(self._length(choice) for choice in row["choices"]), self._length(row["prompt"])
        elif isinstance(task.asks, Expect):
            row = max(task.rows, key=lambda row: len(row["prompt"]) + len(row["text"]))
            answer, longest = self._length(row["text"]), self._length(row["prompt"])
        else:  # text is read in windows
            return
        if longest > self._lm.max_length - answer:
            raise EvaluationError(
                f"{task.name}: a prompt of {longest} tokens and an answer of {answer} exceed "
                f"the model's {self._lm.max_length}",
                "use fewer shots, a smaller max_new_tokens, or leave out the longest sentences",
            )

    def answer(self, task: Task, on_rows: Callable[[int], None]) -> list[Answer]:
        """The model's answer to every row of the task, in the task's order.

        Args:
            on_rows: called with the number of rows that each finished batch brought.

        Raises:
            EvaluationError: if the device has too little memory for a batch.
        """
        batch_size = self.batch_size(task)
        self._lm.batch_size_per_gpu = batch_size
        with quiet_lm_eval():
            lm_eval_task: Any = self._manager.load([task.name])["tasks"][task.name]
            asked = [
                lm_eval_task.construct_requests(
                    row, lm_eval_task.fewshot_context(row, num_fewshot=0), metadata=(task.name, index, 1)
                )
                for index, row in lm_eval_task.doc_iterator()
            ]
            progress = _Rows(on_rows, len(asked), sum(len(each) if isinstance(each, list) else 1 for each in asked))
            self._lm.on_requests = progress.requests_done
            try:
                answers = self._ask(task, asked)
            except torch.OutOfMemoryError as error:
                raise EvaluationError(
                    f"no memory left for {batch_size} sentences at a time", "give a smaller --batch-size"
                ) from error
            finally:
                self._lm.on_requests = None
        progress.all_done()
        return answers

    def _ask(self, task: Task, asked: list[Any]) -> list[Answer]:
        if isinstance(task.asks, Write):
            return [{"hypothesis": text.strip()} for text in self._lm.generate_until(asked)]
        if isinstance(task.asks, Choose):
            flat = self._lm.loglikelihood([request for requests in asked for request in requests], disable_tqdm=True)
            answers: list[Answer] = []
            for row in task.rows:
                likelihoods = [float(flat.pop(0)[0]) for _ in row["choices"]]
                chosen = int(np.argmax(likelihoods))  # as lm-eval decides, the first of equal ones
                hypothesis = row["choices"][chosen]
                answers.append({"hypothesis": hypothesis, "chosen": chosen, "loglikelihoods": likelihoods})
            return answers
        if isinstance(task.asks, Expect):
            return [{"loglikelihood": float(value)} for value, _ in self._lm.loglikelihood(asked, disable_tqdm=True)]
        return [{"loglikelihood": float(value)} for value in self._lm.loglikelihood_rolling(asked, disable_tqdm=True)]

    def batch_size(self, task: Task) -> int:
        """Rows at a time: as asked for, or as many as fit the memory that a model of this size is run in."""
        if self._batch_size:
            return self._batch_size
        config, dtype, device = self._model.config, self._model.dtype, self._model.device
        if isinstance(task.asks, Write):
            return default_batch_size(config, dtype, device)
        if isinstance(task.asks, Expect):
            texts = [row["prompt"] + row["text"] for row in task.rows]
        else:
            texts = [row["prompt"] or row["text"] for row in task.rows]
        longest = max(map(self._length, sorted(texts, key=len)[-3:]))
        return batch_size_for_text(config, dtype, device, min(longest, self._lm.max_length))

    def decoding(self, task: Task) -> dict[str, Any]:
        """How answers are made, as a record keeps it."""
        facts = task.asks.facts | {
            "batch_size": self.batch_size(task),
            "dtype": str(self._model.dtype).removeprefix("torch."),
            "device": self._model.device.type,
        }
        otherwise = self._lm.reads_otherwise([row["prompt"] for row in task.rows])
        return facts | ({"prompts_that_lm_eval_tokenizes_otherwise": otherwise} if otherwise else {})

    def _length(self, text: str) -> int:
        return len(prompt_ids(self._lm.tokenizer, text))


class _Rows:
    """Counts rows from finished requests, of which a row may have several or share one with another."""

    def __init__(self, on_rows: Callable[[int], None], rows: int, requests: int) -> None:
        self._on_rows, self._all, self._share = on_rows, rows, rows / max(1, requests)
        self._requests, self._told = 0, 0

    def requests_done(self, number: int) -> None:
        self._requests += number
        self._tell(min(self._all, int(self._requests * self._share)))

    def all_done(self) -> None:
        self._tell(self._all)

    def _tell(self, rows: int) -> None:
        if rows > self._told:
            self._on_rows(rows - self._told)
            self._told = rows
