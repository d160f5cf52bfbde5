"""From the phrasebook to the pocket base: tokenizer, a Llama trained from scratch on English and Indonesian, files."""

from __future__ import annotations

import math
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, GenerationConfig, LlamaConfig, LlamaForCausalLM

from toolkit.errors import OutputError
from toolkit.languages import get_language
from toolkit.pocket.phrasebook import sentences
from toolkit.pocket.tokenizer import build_tokenizer
from toolkit.prompts import LINES, Example
from toolkit.tokens import example_ids

KNOWN = ("eng", "ind")
SEED = 0
STEPS = 3000
BATCH_SIZE = 32  # examples
LEARNING_RATE = 5e-3
WARMUP_SHARE = 0.06
MONOLINGUAL_SHARE = 0.06  # plain sentences of the two languages, loss on every token
TOKENIZED = 20_000  # examples that the tokenizer learns from; more change nothing: every word has been seen often
IGNORED = -100
SHAPE: dict[str, Any] = {
    "hidden_size": 96,
    "intermediate_size": 256,
    "num_hidden_layers": 16,  # a quarter is two first and two last
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": 512,
    "tie_word_embeddings": False,
}


@dataclass(frozen=True)
class Step:
    """What there is to show while the base trains."""

    step: int
    steps: int
    loss: float  # nats per token


def rebuild(
    out: Path,
    *,
    seed: int = SEED,
    steps: int = STEPS,
    threads: int | None = None,
    progress: Callable[[Step], None] | None = None,
) -> list[float]:
    """Build the pocket base from the phrasebook and write it to `out`; return the loss of every step.

    Args:
        out: folder to make, with config, generation config, weights (bfloat16) and tokenizer.
        seed: of the first weights and of the order of the examples.
        threads: of torch; default as it is.
        progress: called after each step.

    Raises:
        OutputError: if `out` exists and is not an empty folder.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OutputError(f"{out} exists already", "give another folder, or remove it first")
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        with tempfile.TemporaryDirectory() as folder:
            made = Path(folder)
            examples = training_examples(seed)
            build_tokenizer((each.prompt + each.completion for each in examples[:TOKENIZED]), made)
            tokenizer = AutoTokenizer.from_pretrained(made)
            model = new_model(tokenizer, seed)
            losses = pretrain(model, tokenizer, examples, steps=steps, seed=seed, progress=progress)
            save(model, made)
            out.mkdir(parents=True, exist_ok=True)
            for file in sorted(made.iterdir()):
                shutil.copyfile(file, out / file.name)
    finally:
        torch.set_num_threads(before)
    return losses


def training_examples(seed: int) -> list[Example]:
    """Both directions of the training split in the project's own wording, and some plain sentences, shuffled."""
    draw = random.Random(seed)
    english, indonesian = (get_language(code) for code in KNOWN)
    examples = []
    for sentence in sentences("train"):
        for source, target in ((english, indonesian), (indonesian, english)):
            prompt = LINES.translate(sentence[source.code], source, target)
            answer = LINES.completion(sentence[target.code])
            examples.append(Example(prompt, answer, f"{source.code}>{target.code}"))
            if draw.random() < MONOLINGUAL_SHARE:
                examples.append(Example("", sentence[target.code], target.code))
    draw.shuffle(examples)
    return examples


def new_model(tokenizer: Any, seed: int, shape: Mapping[str, Any] = SHAPE) -> LlamaForCausalLM:
    """An untrained Llama: weights of deviation 1/sqrt(fan in), less where a layer adds to the residual.

    Args:
        shape: fields of its config; default the pocket's.
    """
    config = LlamaConfig(
        vocab_size=len(tokenizer), bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, **shape
    )
    torch.manual_seed(seed)
    model = LlamaForCausalLM(config)
    for name, weight in model.named_parameters():
        if weight.dim() < 2:
            continue
        deviation = 1.0 / math.sqrt(weight.shape[1])
        if "o_proj" in name or "down_proj" in name:
            deviation /= math.sqrt(2 * config.num_hidden_layers)
        torch.nn.init.normal_(weight, std=deviation)
    return model


def pretrain(
    model: LlamaForCausalLM,
    tokenizer: Any,
    examples: Sequence[Example],
    *,
    steps: int,
    seed: int,
    progress: Callable[[Step], None] | None = None,
) -> list[float]:
    """AdamW on a cosine with warm-up, loss on the answers alone; the loss of every step."""
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.01, fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))
    losses = []
    model.train()
    for step, (ids, labels) in zip(range(steps), _batches(tokenizer, examples, seed), strict=False):
        loss = model(input_ids=ids, labels=labels).loss  # padding is on the right, where nothing looks back at it
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        if progress is not None:
            progress(Step(step + 1, steps, losses[-1]))
    return losses


def save(model: LlamaForCausalLM, out: Path) -> None:
    """Write config, generation config and weights in bfloat16."""
    model.generation_config = GenerationConfig(
        bos_token_id=model.config.bos_token_id,
        eos_token_id=model.config.eos_token_id,
        pad_token_id=model.config.eos_token_id,
        do_sample=False,
        max_new_tokens=64,
    )
    model.bfloat16().save_pretrained(out)


def _rate(step: int, steps: int) -> float:
    """Share of the learning rate: linear warm-up, then half a cosine down to nothing."""
    warmup = max(1, round(WARMUP_SHARE * steps))
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def _batches(tokenizer: Any, examples: Sequence[Example], seed: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Batches without end, each of examples of about the same length: token ids and labels, (B, T)."""
    draw = random.Random(seed)
    order, pool = list(examples), 50 * BATCH_SIZE
    while True:
        draw.shuffle(order)
        for start in range(0, len(order) - pool + 1, pool):
            encoded = [example_ids(tokenizer, example) for example in order[start : start + pool]]
            part = sorted(encoded, key=lambda item: len(item[0]))
            groups = [part[i : i + BATCH_SIZE] for i in range(0, pool, BATCH_SIZE)]
            draw.shuffle(groups)
            for group in groups:
                longest = max(len(ids) for ids, _ in group)
                ids = [ids + [0] * (longest - len(ids)) for ids, _ in group]
                labels = [[IGNORED] * prompt + ids[prompt:] + [IGNORED] * (longest - len(ids)) for ids, prompt in group]
                yield torch.tensor(ids), torch.tensor(labels)
