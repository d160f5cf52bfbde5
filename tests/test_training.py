"""Training: what changes, what must not, and what happens when it is stopped or goes wrong."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import make_tiny_base
from safetensors.torch import load_file
from training_runs import ROWS, recipe, run, trained_of, write_corpus, write_rows

from toolkit.errors import CorpusError, MissingPartError, OutputError, RecipeError, TrainingError
from toolkit.prompts import Example
from toolkit.training import TrainingStep, mix
from toolkit.training.batches import IGNORED, ExampleDataset, pad
from toolkit.training.trainer import last_checkpoint


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize(
    ("select", "layers"), [("cogsym:2", {0, 3}), ("rear:1", {3}), ("middle:2", {1, 2}), ("full", {0, 1, 2, 3})]
)
def test_only_what_is_selected_is_saved_and_changes(
    corpus: Path, tiny_base: Path, tmp_path: Path, select: str, layers: set[int]
) -> None:
    record = run(recipe(corpus, tiny_base, select=select), tmp_path / "run")
    trained = trained_of(tmp_path / "run")
    base = load_file(tiny_base / "model.safetensors")
    assert set(trained) == set(record.selection.parameters)
    assert {int(name.split(".")[2]) for name in trained if ".layers." in name} == layers
    assert all(tensor.dtype == base[name].dtype for name, tensor in trained.items())
    assert any(not torch.equal(tensor, base[name]) for name, tensor in trained.items())
    assert record.steps == 6
    assert record.tokens > 0
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_an_epoch_shows_every_row_once(
    corpus: Path, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the rows do not fill the last batch, and most of a batch is left."""
    seen: list[int] = []
    fetch = ExampleDataset.__getitem__

    def watched(self: ExampleDataset, index: int | str) -> Any:
        if isinstance(index, int):
            seen.append(index)
        return fetch(self, index)

    monkeypatch.setattr(ExampleDataset, "__getitem__", watched)
    write_rows(tmp_path / "train.tsv", ROWS[:9])
    source = {"path": str(tmp_path / "train.tsv"), "directions": ["eng>jav"]}
    chosen = recipe(corpus, tiny_base, data=[source], max_steps=None, epochs=2, batch_size=8, micro_batch_size=2)
    record = run(chosen, tmp_path / "run")
    assert (record.examples, record.steps) == (9, 4)
    assert sorted(seen) == sorted([*range(9)] * 2)


def test_nothing_is_computed_backwards_below_the_lowest_layer_that_trains(
    corpus: Path, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers.models.llama.modeling_llama import LlamaDecoderLayer

    needed: dict[int, bool] = {}
    forward = LlamaDecoderLayer.forward

    def watched(self: Any, hidden_states: torch.Tensor, *args: Any, **options: Any) -> Any:
        needed[self.self_attn.layer_idx] = hidden_states.requires_grad
        return forward(self, hidden_states, *args, **options)

    monkeypatch.setattr(LlamaDecoderLayer, "forward", watched)
    run(recipe(corpus, tiny_base, select="rear:1", max_steps=1), tmp_path / "run")
    assert needed == {0: False, 1: False, 2: False, 3: False}  # inputs of the layers: the last one starts the graph


def test_the_optimizer_keeps_state_for_trained_weights_alone(
    corpus: Path, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toolkit.training import trainer

    seen: list[int] = []
    save = trainer.PartialTrainer.save_model

    def count(self: Any, *args: Any, **options: Any) -> None:
        seen.append(sum(state["exp_avg"].numel() for state in self.optimizer.state.values()))
        save(self, *args, **options)

    monkeypatch.setattr(trainer.PartialTrainer, "save_model", count)
    record = run(recipe(corpus, tiny_base, select="rear:1"), tmp_path / "run")
    assert set(seen) == {record.selection.trained_weights}


def test_the_loss_is_on_the_answer_and_its_end_alone(tiny_base: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    examples = [Example("English: the sun\nJavanese:", " the moon", "a"), Example("a:", " b", "a")]
    dataset = ExampleDataset(tokenizer, examples, 64)
    item = dataset[0]
    answer = [label for label in item["labels"] if label != IGNORED]
    assert tokenizer.decode(answer[:-1]).strip() == "the moon"
    assert answer[-1] == tokenizer.eos_token_id
    assert item["input_ids"][0] == tokenizer.bos_token_id
    batch = pad([dataset[0], dataset[1]])
    assert batch["labels"].shape == batch["input_ids"].shape == batch["attention_mask"].shape
    assert (batch["labels"][batch["attention_mask"] == 0] == IGNORED).all()


def test_examples_that_are_too_long_are_counted_or_refused(corpus: Path, tiny_base: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="longer than 8 tokens"):
        run(recipe(corpus, tiny_base, max_tokens=8), tmp_path / "run")


def test_ctrl_c_keeps_a_checkpoint_and_resuming_gives_the_same_weights(
    corpus: Path, tiny_base: Path, tmp_path: Path
) -> None:
    chosen = recipe(corpus, tiny_base, checkpoint_steps=100)
    run(chosen, tmp_path / "whole")

    def interrupt(step: TrainingStep) -> None:
        if step.step == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(TrainingError, match="stopped at step 3 of 6; a checkpoint is saved") as caught:
        run(chosen, tmp_path / "parts", report=interrupt)
    assert "--resume" in (caught.value.hint or "")
    record = run(chosen, tmp_path / "parts", resume=True)
    assert record.steps == 6
    whole = trained_of(tmp_path / "whole")
    parts = trained_of(tmp_path / "parts")
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    steps = [line for line in (tmp_path / "parts" / "metrics.jsonl").read_text().splitlines() if line]
    assert steps


def test_a_checkpoint_that_was_cut_off_is_passed_over(tmp_path: Path) -> None:
    for step, whole in ((2, True), (10, True), (12, False)):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "trained.safetensors").touch()
        if whole:
            (folder / "trainer_state.json").write_text("{}")
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-10"
    assert last_checkpoint(tmp_path / "none") is None


def test_a_loss_that_is_not_finite_stops_the_run(corpus: Path, tmp_path: Path) -> None:
    base = make_tiny_base(tmp_path / "base", layers=2)
    weights = load_file(base / "model.safetensors")
    weights["model.norm.weight"][0] = float("nan")
    from safetensors.torch import save_file

    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(TrainingError, match="the loss became nan at step"):
        run(recipe(corpus, base), tmp_path / "run")


def test_a_full_disk_is_told_and_the_run_can_go_on(
    corpus: Path, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors import SafetensorError

    from toolkit.training import trainer

    def full(*_: Any) -> None:
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    with monkeypatch.context() as patched:
        patched.setattr(trainer, "save_file", full)
        with pytest.raises(OutputError, match="No space left"):
            run(recipe(corpus, tiny_base), tmp_path / "run")
    assert run(recipe(corpus, tiny_base), tmp_path / "run", resume=True).steps == 6


BF16 = {"trained_dtype": "bfloat16", "optimizer": "adamw_8bit"}


def test_a_float16_base_trained_in_bfloat16_keeps_what_was_not_learned(corpus: Path, tmp_path: Path) -> None:
    base = make_tiny_base(tmp_path / "base", dtype="float16", layers=2)
    run(recipe(corpus, base, **BF16, learning_rate=1e-12, max_steps=1), tmp_path / "run")
    trained = trained_of(tmp_path / "run")
    original = load_file(base / "model.safetensors")
    assert all(torch.equal(tensor, original[name]) for name, tensor in trained.items())
    assert any(not torch.equal(original[name].bfloat16().half(), original[name]) for name in trained)


def test_the_8_bit_optimizer_trains(corpus: Path, tiny_base: Path, tmp_path: Path) -> None:
    assert run(recipe(corpus, tiny_base, optimizer="adamw_8bit", max_steps=2), tmp_path / "run").steps == 2


def test_a_missing_8_bit_optimizer_is_named(
    corpus: Path, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(MissingPartError, match="needs bitsandbytes") as caught:
        run(recipe(corpus, tiny_base, optimizer="adamw_8bit"), tmp_path / "run")
    assert "pip install 'cogsym-toolkit[8bit]'" in (caught.value.hint or "")


def test_replay_has_its_share_and_directions_are_those_of_the_new_language(corpus: Path, tiny_base: Path) -> None:
    replay = [{"path": str(corpus / "known.tsv"), "directions": ["eng>ind"]}]
    mixture = mix(recipe(corpus, tiny_base, replay=replay, replay_share=0.2))
    groups = [example.group for example in mixture.examples]
    assert groups.count("eng>ind") == round(200 * 0.2 / 0.8)
    assert mixture.directions == ("eng>jav", "jav>eng")
    assert [source.role for source in mixture.sources] == ["target", "replay"]


def test_test_sentences_never_train(corpus: Path, tiny_base: Path) -> None:
    tests = [{"path": str(corpus / "test.tsv"), "directions": ["eng>jav"]}]
    with pytest.raises(CorpusError, match=r"train.tsv: 5 of its rows share a sentence .* \(first: line 97\)") as caught:
        mix(recipe(corpus, tiny_base, evaluation=tests))
    assert "on_leak: drop" in (caught.value.hint or "")
    mixture = mix(recipe(corpus, tiny_base, evaluation=tests, on_leak="drop"))
    assert mixture.sources[0].dropped == {"also in a test set": 5}
    held_out = {text for row in ROWS[95:120] for text in row}
    assert not any(sentence in example.prompt.split("\n")[0] for example in mixture.examples for sentence in held_out)


def test_the_same_seed_gives_the_same_mixture_and_another_one_another_order(corpus: Path, tiny_base: Path) -> None:
    first, again = mix(recipe(corpus, tiny_base, seed=1)), mix(recipe(corpus, tiny_base, seed=1))
    other = mix(recipe(corpus, tiny_base, seed=2))
    assert first.examples == again.examples
    assert first.examples != other.examples
    assert set(first.examples) == set(other.examples)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"columns": {}}, "which languages does it hold?"),
        ({"directions": ["eng>ind"], "columns": {"ind": "jav"}}, "none of the data is in jav"),
    ],
)
def test_data_must_say_what_it_holds(corpus: Path, tiny_base: Path, source: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        mix(recipe(corpus, tiny_base, data=[{"path": str(corpus / "train.tsv")} | source]))
    assert message in caught.value.message


def test_instructions_train_beside_pairs(corpus: Path, tiny_base: Path, tmp_path: Path) -> None:
    (tmp_path / "alpaca.json").write_text(
        '[{"instruction": "Sebutna rong woh", "input": "", "output": "jambu, pelem"}]'
    )
    chosen = recipe(corpus, tiny_base, data=[{"path": str(tmp_path / "alpaca.json"), "kind": "instructions"}])
    mixture = mix(chosen)
    assert mixture.examples == (Example("Instruction: Sebutna rong woh\nResponse:", " jambu, pelem", "instructions"),)
    assert mixture.directions == ()


def test_what_libraries_print_while_training_is_no_result(capsys: pytest.CaptureFixture[str]) -> None:
    from types import SimpleNamespace

    from toolkit.cli.train import train_with_bar

    def work(plan: Any, report: Any) -> tuple[str, str]:
        print("a dashboard is here")
        return "training", "delta"

    plan: Any = SimpleNamespace(recipe=SimpleNamespace(select="cogsym:25%"))
    assert train_with_bar(plan, work) == ("training", "delta")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "a dashboard is here" in captured.err
