"""Run by the Python that has COMET: makes a tiny checkpoint, or scores with COMET's API alone, for comparison.

python comet_checkpoint.py make FOLDER
python comet_checkpoint.py score CHECKPOINT BATCH_SIZE... < segments.json > values.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
import yaml
from comet import load_from_checkpoint
from comet.models import RegressionMetric
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import XLMRobertaConfig, XLMRobertaTokenizerFast

SENTENCES = ("the dog is big", "asu kuwi gedhe", "where is the market?", "pasare ana ing ngendi?") * 20


def make(folder: Path) -> None:
    """A regression metric over a random XLM-R of two layers, as COMET publishes its models; the encoder lies beside."""
    encoder = (folder / "encoder").resolve()
    encoder.mkdir(parents=True)
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer.train_from_iterator(
        SENTENCES, trainers.UnigramTrainer(vocab_size=120, special_tokens=special, unk_token="<unk>")
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    fast = XLMRobertaTokenizerFast(tokenizer_object=tokenizer)
    fast.save_pretrained(encoder)
    XLMRobertaConfig(
        vocab_size=len(fast),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=66,
        type_vocab_size=1,
    ).save_pretrained(encoder)
    torch.manual_seed(0)
    facts = {"pretrained_model": str(encoder), "hidden_sizes": [16, 8], "layer_norm": False}
    model = RegressionMetric(load_pretrained_weights=False, local_files_only=True, **facts)
    (folder / "checkpoints").mkdir()
    # As old as the published default model: written by Lightning 1.8, with a buffer that transformers no longer has.
    positions = {"encoder.model.embeddings.position_ids": torch.arange(66).expand((1, -1))}
    checkpoint = {
        "state_dict": model.state_dict() | positions,
        "hparams_name": "kwargs",
        "hyper_parameters": dict(model.hparams),
        "pytorch-lightning_version": "1.8.3.post1",
        "epoch": 0,
        "global_step": 0,
    }
    torch.save(checkpoint, folder / "checkpoints" / "model.ckpt")
    (folder / "hparams.yaml").write_text(yaml.safe_dump({"class_identifier": "regression_metric", **facts}))


def score(checkpoint: Path, batch_sizes: list[int]) -> None:
    """What COMET's own API gives, as its documentation calls it."""
    names = ("src", "mt", "ref")
    samples = [dict(zip(names, segment, strict=True)) for segment in json.load(sys.stdin)]
    model, gpus = load_from_checkpoint(str(checkpoint)), int(torch.cuda.is_available())
    outputs = [model.predict(samples, batch_size=batch_size, gpus=gpus) for batch_size in batch_sizes]
    print(json.dumps([{"values": output.scores, "mean": output.system_score} for output in outputs]))


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(Path(sys.argv[2]))
    else:
        score(Path(sys.argv[2]), [int(text) for text in sys.argv[3:]])
