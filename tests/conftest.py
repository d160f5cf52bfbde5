"""Small models and corpora made on the fly; every test runs on one thread, offline."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

WORDS = ("sun moon river stone bird fish house tree rain wind fire road hill door cup book").split()


@dataclass(frozen=True)
class Outcome:
    """What one call of `cogsym` did."""

    code: int
    out: str
    err: str


@pytest.fixture
def cogsym(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Runs `cogsym ARGS...` in this process."""

    def run(*arguments: object) -> Outcome:
        from toolkit.cli import main

        code = 0
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run


def make_tiny_base(
    folder: Path, *, layers: int = 4, seed: int = 0, dtype: str = "bfloat16", tied: bool = False
) -> Path:
    """A random Llama of `layers` x 32 with a SentencePiece tokenizer of its own, saved in `folder`."""
    import sentencepiece
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, LlamaTokenizer

    torch.set_num_threads(1)
    folder.mkdir(parents=True)
    sentences = [f"the {a} is near the {b}" for a in WORDS for b in WORDS]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences),
        model_prefix=str(folder / "tokenizer"),
        vocab_size=320,
        model_type="bpe",
        byte_fallback=True,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    (folder / "tokenizer.vocab").unlink()
    tokenizer = LlamaTokenizer.from_pretrained(folder, add_bos_token=True)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=layers,
        num_attention_heads=4,
        max_position_embeddings=256,
        tie_word_embeddings=tied,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    LlamaForCausalLM(config).to(getattr(torch, dtype)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a random 4-layer Llama in bf16 with its tokenizer; do not write into it."""
    return make_tiny_base(tmp_path_factory.mktemp("base") / "tiny-llama")


@pytest.fixture
def real_data() -> Path:
    """Folder of real data sets; the test says so when there is none."""
    folder = os.environ.get("COGSYM_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("needs real data: set COGSYM_DATA to its folder")
    return Path(folder)
