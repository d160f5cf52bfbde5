"""The pocket tokenizer: SentencePiece BPE with byte fallback, trained on English and Indonesian alone.

As with Llama-2, a language that it never saw costs more pieces, and a line break goes through the byte fallback.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

PIECES = 1500
SETTINGS = {
    "tokenizer_class": "LlamaTokenizer",
    "bos_token": "<s>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "add_bos_token": True,
    "add_eos_token": False,
    "legacy": False,
    "clean_up_tokenization_spaces": False,
    "model_max_length": 512,
}


def build_tokenizer(texts: Iterable[str], out: Path, *, pieces: int = PIECES, coverage: float = 1.0) -> None:
    """Train on these texts and write tokenizer.model, tokenizer.json and tokenizer_config.json into `out`.

    Args:
        coverage: share of the texts' characters that are pieces themselves; the others are spelled in bytes.
    """
    from transformers import LlamaTokenizer

    (out / "tokenizer.model").write_bytes(sentencepiece_model(texts, pieces, coverage))
    config = out / "tokenizer_config.json"
    config.write_text(json.dumps(SETTINGS, indent=2) + "\n", encoding="utf-8")
    (out / "tokenizer.json").unlink(missing_ok=True)  # would be read instead of the new tokenizer.model
    LlamaTokenizer.from_pretrained(out).save_pretrained(out)
    config.write_text(json.dumps(SETTINGS, indent=2) + "\n", encoding="utf-8")  # without this library version's keys


def sentencepiece_model(texts: Iterable[str], pieces: int = PIECES, coverage: float = 1.0) -> bytes:
    """The serialised SentencePiece model; the same bytes for the same texts."""
    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2

    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=_lines(texts),
        model_writer=written,
        model_type="bpe",
        vocab_size=pieces,
        byte_fallback=True,
        character_coverage=coverage,
        split_digits=True,
        normalization_rule_name="identity",  # keeps line breaks and double spaces
        remove_extra_whitespaces=False,
        add_dummy_prefix=False,
        num_threads=1,
        minloglevel=2,
    )
    model = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]
    model.ParseFromString(written.getvalue())
    model.normalizer_spec.add_dummy_prefix = True  # from here on, as Llama-2: a text starts as after a space
    return model.SerializeToString(deterministic=True)


def _lines(texts: Iterable[str]) -> Iterator[str]:
    """Lines as the model meets them: only the first of a text follows a (dummy) space."""
    for text in texts:
        first, *others = text.split("\n")
        yield " " + first
        yield from others
