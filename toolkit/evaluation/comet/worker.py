"""Scores segments with COMET for another process: JSON lines in, JSON lines out; imports nothing of this toolkit.

Run by the Python that has unbabel-comet. The first line names the model; each further one holds segments to score:

    in   {"name": "Unbabel/wmt22-comet-da", "checkpoint": null}     a path instead of null for a file of this machine
    out  {"stage": "loading"} ... {"ready": {"sha256": "...", "comet": "2.2.7", "dtype": "float32"}}
    in   {"segments": [["source", "hypothesis", "reference"]], "batch_size": 16}
    out  {"scored": 1} ... {"values": [0.79]}

Values are the doubles that COMET's own `predict` gives; JSON keeps them to the last bit. What goes wrong is one line
{"error": "...", "kind": "..."}, and the end. COMET's command line is not used: it halves the model, and so changes
scores.
"""

import contextlib
import hashlib
import json
import os
import pickle
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

CHECKPOINT = "checkpoints/model.ckpt"  # within a repository of the Hub


class Failure(Exception):
    """An expected failure, of a kind that the other side knows."""

    def __init__(self, kind: str, message: object) -> None:
        super().__init__(str(message))
        self.kind = kind


def main() -> None:
    """Answer until there are no more lines."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the other side's to handle
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints must not get between the answers

    def answer(**fields: Any) -> None:
        answers.write(json.dumps(fields) + "\n")
        answers.flush()

    try:
        model = None
        for line in sys.stdin:
            request = json.loads(line)
            if model is None:
                model = load(request["name"], request["checkpoint"], answer)
            else:
                answer(values=score(model, request["segments"], request["batch_size"], answer))
    except Failure as failure:
        answer(error=str(failure), kind=failure.kind)
        sys.exit(1)


def load(name: str, checkpoint: str | None, answer: Callable[..., None]) -> Any:
    """The model, on the CPU and in evaluation mode; tells what it is."""
    prepare()
    if checkpoint is None:
        checkpoint = fetch(name, answer)
    answer(stage="importing COMET")
    with failing("environment"):
        import comet
    answer(stage="loading the COMET model")
    with failing("checkpoint"):
        with open(checkpoint, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        model = comet.load_from_checkpoint(checkpoint)
    dtype = str(next(model.parameters()).dtype).removeprefix("torch.")
    answer(ready={"sha256": digest, "comet": comet.__version__, "dtype": dtype})
    return model


def prepare() -> None:
    """Keep libraries quiet, and checkpoints from running code unless the user has said that they may."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD" not in os.environ:
        os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"


def fetch(name: str, answer: Callable[..., None]) -> str:
    """Path of a published model's checkpoint: out of the cache, else from the Hub."""
    from huggingface_hub import errors, snapshot_download, try_to_load_from_cache

    cached = try_to_load_from_cache(name, CHECKPOINT)
    if isinstance(cached, str):
        return cached
    answer(stage=f"downloading {name}")
    try:
        path = os.path.join(snapshot_download(name), *CHECKPOINT.split("/"))
    except errors.GatedRepoError as error:
        raise Failure("gated", first_line(error)) from error
    except (errors.RepositoryNotFoundError, errors.HFValidationError) as error:
        raise Failure("not found", first_line(error)) from error
    except Exception as error:
        if isinstance(error, errors.HfHubHTTPError) and not isinstance(error, errors.LocalEntryNotFoundError):
            raise Failure("refused", first_line(error)) from error
        if getattr(error, "errno", None) is not None:  # the disk, not the Hub
            raise Failure("other", first_line(error)) from error
        raise Failure("unreachable", first_line(error)) from error
    if not os.path.isfile(path):
        raise Failure("not found", f"the repository has no {CHECKPOINT}")
    return path


def score(model: Any, segments: list[list[str]], batch_size: int, answer: Callable[..., None]) -> list[float]:
    """The model's value for each segment, as its `predict` gives them in one call."""
    import torch

    samples = [{"src": source, "mt": hypothesis, "ref": reference} for source, hypothesis, reference in segments]
    left = len(samples)

    def count(_: Any, __: Any, output: Any) -> None:
        nonlocal left
        left -= len(output["score"])
        answer(scored=len(output["score"]))

    # `predict` has no callback, but the model is called once for each batch; not by every class of models, however.
    counting = model.register_forward_hook(count)
    gpus = int(torch.cuda.is_available())
    try:
        # Without workers of its own, tokenizing cannot fail for want of shared memory.
        with failing("other"):
            output = model.predict(samples, batch_size=batch_size, gpus=gpus, progress_bar=False, num_workers=0)
    finally:
        counting.remove()
    if left:
        answer(scored=left)
    return [float(value) for value in output["scores"]]


@contextlib.contextmanager
def failing(kind: str) -> Iterator[None]:
    """Turn any exception into a failure: of this kind, or of one that its type or text tells."""
    try:
        yield
    except Exception as error:
        text = str(error)
        if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or "allocate memory" in text:
            raise Failure("memory", first_line(error)) from error
        if isinstance(error, pickle.UnpicklingError) and "Weights only load failed" in text:
            raise Failure("unsafe", text.strip().splitlines()[-1].strip()) from error
        if kind == "checkpoint" and isinstance(error, OSError) and error.errno is None:  # the encoder's tokenizer
            raise Failure("unreachable", first_line(error)) from error
        raise Failure(kind, first_line(error)) from error


def first_line(error: Exception) -> str:
    """The type of an error, and the first sentence of what it says."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0].partition('. ')[0]}" if lines else type(error).__name__


if __name__ == "__main__":
    main()
