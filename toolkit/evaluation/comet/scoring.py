"""COMET scores of segments, from a process that has loaded the model once."""

from __future__ import annotations

import json
import math
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from toolkit.errors import EvaluationError
from toolkit.evaluation.comet.environment import INSTALL_COMMAND, look, worker_surroundings
from toolkit.evaluation.comet.models import DEFAULT_MODEL, resolve_model

BATCH_SIZE = 16
WORKER = Path(__file__).with_name("worker.py")
_SHOWN_LINES = 3

Segment = tuple[str, str, str]  # source, hypothesis, reference

_MISSING = {
    "missing": "COMET is not installed",
    "unfinished": "the installation of COMET was interrupted",
    "outdated": "COMET was installed by another version of the toolkit",
}
# By the kind of the worker's failure: what it means, and what to do about it.
_FAILURES = {
    "environment": ("COMET cannot be imported", f"run `{INSTALL_COMMAND}`, or mend the environment it is in"),
    "not found": ("the Hub has no COMET model {name}", f"check the name; the usual one is {DEFAULT_MODEL}"),
    "gated": ("{name} is gated", "ask for access on its page, then log in with `hf auth login`"),
    "refused": ("the Hub refuses to give {name}", "check your login with `hf auth whoami`, or try again later"),
    "unreachable": (
        "the COMET model {name}, or the tokenizer that it needs, is not in the cache, and the Hub cannot be reached",
        "check the connection and HF_HUB_OFFLINE, or give a local checkpoint; `cogsym comet status` shows the cache",
    ),
    "checkpoint": ("the checkpoint of {name} cannot be read", "download it again, or give another model"),
    "unsafe": (
        "the checkpoint of {name} holds more than weights, and reading it could run code",
        "if you trust it, set TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1 and try again",
    ),
    "memory": (
        "no memory left for COMET",
        "give a smaller batch size, or free some memory; the default model takes 5 GB while it loads",
    ),
    "other": ("COMET failed", "the message is COMET's own; `cogsym comet status` shows its versions"),
}


@dataclass(frozen=True)
class CometScores:
    """What COMET thinks of each segment, and what is needed to compute it again."""

    values: tuple[float, ...]  # one per segment; the default model was trained towards 0 (bad) to 1 (perfect)
    signature: str  # metric | model | checkpoint fingerprint | dtype | COMET's version

    @property
    def metric(self) -> str:
        """The metric's name: `COMET-22` for the default model, else `COMET`."""
        return self.signature.partition("|")[0]

    @property
    def mean(self) -> float:
        """The score of the whole, as COMET's authors define it."""
        return math.fsum(self.values) / len(self.values)


class CometScorer:
    """A COMET model in a process of its own, loaded when the context is entered.

    The process runs in COMET's environment, or with this Python where COMET is installed beside the toolkit: one way
    for both, so that COMET's memory is given back, and its crash is an error. The model goes to the first GPU while it
    scores, if there is one.
    """

    def __init__(self, model: str = DEFAULT_MODEL, *, stage: Callable[[str], None] | None = None) -> None:
        """Choose the model; nothing is started yet.

        Args:
            model: Hub id, folder, or `.ckpt` file.
            stage: called with a few words when something longer begins: importing, downloading, loading.

        Raises:
            EvaluationError: if the model is a path where no checkpoint lies.
        """
        self.model = resolve_model(model)
        self._stage = stage or (lambda words: None)

    def __enter__(self) -> Self:
        """Start the process and load the model, which takes its time.

        Raises:
            EvaluationError: if COMET is not installed, or the model cannot be found or loaded.
        """
        environment = look()
        if environment.python is None:
            raise EvaluationError(
                f"COMET scores need an environment of their own: {_MISSING[environment.state]}",
                f"run `{INSTALL_COMMAND}` once",
            )
        self._log: IO[bytes] = tempfile.TemporaryFile()
        self._worker = subprocess.Popen(
            [environment.python, "-P", WORKER],  # -P: the modules beside the worker must not hide anybody else's
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            encoding="utf-8",
            env=worker_surroundings(),
        )
        try:
            checkpoint = str(self.model.checkpoint) if self.model.checkpoint else None
            for answer in self._ask({"name": self.model.name, "checkpoint": checkpoint}, until="ready"):
                if "stage" in answer:
                    self._stage(answer["stage"])
                elif "ready" in answer:
                    self._signature = self._signature_of(answer["ready"])
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end()

    def score(
        self, segments: Sequence[Segment], *, batch_size: int = BATCH_SIZE, report: Callable[[int], None] | None = None
    ) -> CometScores:
        """COMET's values of these segments, in their order; to the digit those of its Python API.

        Args:
            segments: source, hypothesis and reference of each.
            batch_size: segments at a time; it moves values in the last digits, as padding does.
            report: called with the number of segments of each finished batch.

        Raises:
            EvaluationError: if there is nothing to score, or COMET fails or is killed.
        """
        if not segments:
            raise EvaluationError("there are no segments for COMET to score", "give at least one")
        values: list[float] = []
        for answer in self._ask(
            {"segments": [list(segment) for segment in segments], "batch_size": batch_size}, "values"
        ):
            if "scored" in answer and report:
                report(answer["scored"])
            values = answer.get("values", values)
        if len(values) != len(segments) or not all(math.isfinite(value) for value in values):
            raise EvaluationError(
                f"COMET gave {sum(map(math.isfinite, values))} finite scores for {len(segments)} segments",
                f"check the model {self.model.name}",
            )
        return CometScores(tuple(values), self._signature)

    def _ask(self, request: dict[str, Any], until: str) -> Iterator[dict[str, Any]]:
        """The worker's answers to one request, up to the one with this key."""
        assert self._worker.stdin
        assert self._worker.stdout
        with suppress(BrokenPipeError):  # where it has died, what it said before is still to be read
            self._worker.stdin.write(json.dumps(request) + "\n")
            self._worker.stdin.flush()
        for line in self._worker.stdout:
            answer = json.loads(line)
            if "error" in answer:
                raise self._failure(answer)
            yield answer
            if until in answer:
                return
        raise self._death()

    def _signature_of(self, ready: dict[str, str]) -> str:
        dtype = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}.get(ready["dtype"], ready["dtype"])
        facts = {"model": self.model.name, "sha256": ready["sha256"][:16], "dtype": dtype, "comet": ready["comet"]}
        return "|".join([self.model.metric, *(f"{name}:{value}" for name, value in facts.items())])

    def _failure(self, answer: dict[str, str]) -> EvaluationError:
        message, hint = _FAILURES[answer["kind"]]
        return EvaluationError(f"{message.format(name=self.model.name)}: {answer['error']}", hint)

    def _death(self) -> EvaluationError:
        """What to tell when the worker ended without an answer."""
        code = self._worker.wait()
        self._log.seek(0)
        lines = [line for line in self._log.read().decode("utf-8", "replace").splitlines() if line.strip()]
        said = "".join(f"\n{line}" for line in lines[-_SHOWN_LINES:])
        if code == -9:
            return EvaluationError("COMET was killed, most likely because memory ran out", _FAILURES["memory"][1])
        return EvaluationError(f"COMET ended with status {code}{said}", _FAILURES["other"][1])

    def _end(self) -> None:
        """End the worker; it keeps nothing that could be lost."""
        self._worker.kill()
        self._worker.wait()
        for stream in (self._worker.stdin, self._worker.stdout, self._log):
            if stream:
                with suppress(BrokenPipeError):
                    stream.close()


def comet_scores(
    segments: Sequence[Segment],
    *,
    model: str = DEFAULT_MODEL,
    batch_size: int = BATCH_SIZE,
    report: Callable[[int], None] | None = None,
) -> CometScores:
    """COMET's values of these segments, from a model loaded for them alone; see `CometScorer` for several lots."""
    with CometScorer(model) as scorer:
        return scorer.score(segments, batch_size=batch_size, report=report)
