"""Small models and corpora made on the fly; every test runs on one thread, offline."""

from __future__ import annotations

import os
import signal

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ["COGSYM_IDENTIFIER"] = "lid.176"  # whatever else was downloaded here

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

WORDS = [
    "sun",
    "moon",
    "river",
    "stone",
    "bird",
    "fish",
    "house",
    "tree",
    "rain",
    "wind",
    "fire",
    "road",
    "hill",
    "door",
    "cup",
    "book",
]


@dataclass(frozen=True)
class Outcome:
    """What one call of `cogsym` did."""

    code: int
    out: str
    err: str


# Started in the background, tests may have been told to ignore Ctrl-C; what they start would ignore it too.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def forget_languages() -> Iterator[Callable[[], None]]:
    """Forgets languages from elsewhere, as a new process does; also when the test ends."""
    from toolkit.languages import all_languages, registry

    shipped = dict(all_languages())

    def forget() -> None:
        registry._own_files.clear()
        registry._unusable.clear()
        all_languages().clear()
        all_languages().update(shipped)

    yield forget
    forget()


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
    folder: Path,
    *,
    layers: int = 4,
    width: int = 32,
    inner: int = 48,
    seed: int = 0,
    dtype: str = "bfloat16",
    tied: bool = False,
) -> Path:
    """A random Llama of `layers` x `width` with a SentencePiece tokenizer of its own, saved in `folder`."""
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
        hidden_size=width,
        intermediate_size=inner,
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


def teach_tiny_delta(base: Path, folder: Path, language: str = "jav", shift: int = 1, steps: int = 200) -> Path:
    """A delta over a tiny base that has learned a word game by heart, so that its answers are known and do end.

    From English each word of `WORDS` becomes the word `shift` places on, and back. Full stops are kept.
    """
    import torch
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from toolkit.delta import extract, read_base_info
    from toolkit.languages import get_language
    from toolkit.prompts import LINES, Example
    from toolkit.records import DeltaConfig, SelectionInfo
    from toolkit.run_folder import RunFolder
    from toolkit.tokens import example_ids

    torch.set_num_threads(1)
    torch.manual_seed(shift)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(base)
    english, other = get_language("eng"), get_language(language)
    rows, labels = [], []
    for place, word in enumerate(WORDS):
        moved = WORDS[(place + shift) % len(WORDS)]
        for text, source, target, answer in ((word, english, other, moved), (moved, other, english, word)):
            example = Example(LINES.translate(f"{text}.", source, target), LINES.completion(f"{answer}."), "")
            ids, prompt = example_ids(tokenizer, example)
            rows.append(torch.tensor(ids))
            labels.append(torch.tensor([-100] * prompt + ids[prompt:]))
    batch = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=0)
    wanted = torch.nn.utils.rnn.pad_sequence(labels, batch_first=True, padding_value=-100)
    trained = {name: weight for name, weight in model.named_parameters() if not any(f".{n}." in name for n in (1, 2))}
    optimizer = torch.optim.AdamW(trained.values(), lr=1e-2, weight_decay=0.0)
    for _ in range(steps):
        model(input_ids=batch, labels=wanted).loss.backward()
        optimizer.step()
        model.zero_grad()
    run = RunFolder(folder)
    run.trained.mkdir(parents=True)
    tensors = {name: weight.detach().bfloat16() for name, weight in trained.items()}
    save_file(tensors, run.trained / "model.safetensors")
    base_info = read_base_info(base)
    info = extract(base, run.trained, run.delta, base_info=base_info)
    DeltaConfig(
        format_version=info.format_version,
        language=language,
        directions=(f"eng>{language}", f"{language}>eng"),
        prompt="lines",
        max_tokens=64,
        base=base_info,
        base_fingerprint=info.base_fingerprint,
        selection=SelectionInfo(
            method="cogsym",
            layers=(0, 3),
            n_layers=4,
            embeddings=True,
            head=True,
            final_norm=True,
            parameters=tuple(trained),
            trained_weights=sum(weight.numel() for weight in trained.values()),
            total_weights=base_info.n_weights,
        ),
        delta_file=info.file,
        delta_sha256=info.sha256,
    ).write(run.config)
    return folder


@pytest.fixture(scope="session")
def tiny_deltas(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Run folders of two word games over `tiny_base`, by language; do not write into them."""
    folder = tmp_path_factory.mktemp("deltas")
    return {code: teach_tiny_delta(tiny_base, folder / code, code, shift) for code, shift in (("jav", 1), ("sun", 2))}


@pytest.fixture
def real_data() -> Path:
    """Folder of real data sets; the test says so when there is none."""
    folder = os.environ.get("COGSYM_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("needs real data: set COGSYM_DATA to its folder")
    return Path(folder)
