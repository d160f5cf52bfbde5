"""The ways to train a selection: neurons, LoRA, one end after the other, beside 4-bit layers, and with a backend."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import make_tiny_base
from safetensors.torch import load_file
from training_runs import recipe, run, trained_of, write_corpus

from toolkit.adaptation import prepare, train_delta
from toolkit.delta import merge
from toolkit.errors import BaseModelError, MissingPartError, SelectionError, TrainingError
from toolkit.pretrained import load_base
from toolkit.records import SelectionInfo
from toolkit.selection import read_layout, resolve_selection
from toolkit.training import TrainingStep
from toolkit.training.methods import make_trainable
from toolkit.training.neurons import NeuronMLP, train_neurons

NEURONS = {0: (3, 40), 2: (0, 1, 2), 3: ()}
PARTS = ("gate_proj", "up_proj", "down_proj")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("data"))


def subnetwork(base: Path, neurons: dict[int, tuple[int, ...]], **changes: Any) -> SelectionInfo:
    layout = read_layout(base)
    parameters = tuple(
        f"model.layers.{layer}.mlp.{part}.weight" for layer, chosen in neurons.items() if chosen for part in PARTS
    )
    width = layout.shapes[layout.embeddings][1]
    fields: dict[str, Any] = {
        "method": "subnetwork",
        "layers": tuple(neurons),
        "n_layers": layout.n_layers,
        "embeddings": False,
        "head": False,
        "final_norm": False,
        "parameters": parameters,
        "neurons": neurons,
        "trained_weights": 3 * width * sum(map(len, neurons.values())),
        "total_weights": layout.n_weights,
    }
    return SelectionInfo(**(fields | changes))


# --- neurons


def test_only_the_selected_neurons_change(corpus: Path, tiny_base: Path, tmp_path: Path) -> None:
    chosen = subnetwork(tiny_base, NEURONS)
    record = run(recipe(corpus, tiny_base, learning_rate=1e-2), tmp_path / "run", chosen)
    base, trained = load_file(tiny_base / "model.safetensors"), trained_of(tmp_path / "run")
    assert set(trained) == set(chosen.parameters)
    for name, tensor in trained.items():
        layer, part = int(name.split(".")[2]), name.split(".")[4]
        differs = (tensor != base[name]).any(dim=0 if part == "down_proj" else 1)
        assert tuple(differs.nonzero().flatten().tolist()) == NEURONS[layer], name
    assert record.method == "neurons"
    assert record.trained_parameters == chosen.trained_weights == 3 * 32 * 5
    assert record.final_loss < record.first_loss


def test_gradients_and_optimizer_are_as_large_as_the_neurons(
    corpus: Path, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toolkit.training import trainer

    sizes: list[int] = []
    save = trainer.PartialTrainer.save_model

    def count(self: Any, *args: Any, **options: Any) -> None:
        sizes.append(sum(state["exp_avg"].numel() for state in self.optimizer.state.values()))
        save(self, *args, **options)

    monkeypatch.setattr(trainer.PartialTrainer, "save_model", count)
    chosen = subnetwork(tiny_base, NEURONS)
    run(recipe(corpus, tiny_base), tmp_path / "run", chosen)
    assert set(sizes) == {chosen.trained_weights}


def test_training_neurons_takes_the_steps_that_training_their_rows_of_the_whole_matrices_would(
    tiny_base: Path,
) -> None:
    chosen = subnetwork(tiny_base, NEURONS)
    ids = torch.randint(1, 300, (3, 9), generator=torch.Generator().manual_seed(0))
    whole, _ = load_base(tiny_base, dtype="float32")
    whole.requires_grad_(False)
    for name in chosen.parameters:
        whole.get_parameter(name).requires_grad_(True)
    part, _ = load_base(tiny_base, dtype="float32")
    part.requires_grad_(False)
    trained = train_neurons(part, chosen, torch.float32)
    losses = []
    for model in (whole, part):
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    for tensor in trained:
        layer, name = int(tensor.name.split(".")[2]), tensor.name.split(".")[4]
        expected = whole.get_parameter(tensor.name).grad
        index = torch.tensor(NEURONS[layer])
        rows = expected[:, index] if name == "down_proj" else expected[index]
        torch.testing.assert_close(tensor.parameters[0].grad, rows, rtol=1e-4, atol=1e-7)


def test_the_frozen_matrices_of_a_block_are_shared_not_copied(corpus: Path, tiny_base: Path) -> None:
    model, _ = load_base(tiny_base, dtype="float32")
    before = {name: parameter.data_ptr() for name, parameter in model.named_parameters()}
    make_trainable(model, recipe(corpus, tiny_base), subnetwork(tiny_base, NEURONS))
    after = {name: parameter.data_ptr() for name, parameter in model.named_parameters()}
    assert {name: after[name] for name in before} == before
    assert isinstance(model.model.layers[0].mlp, NeuronMLP)


def test_the_delta_of_a_subnetwork_is_small(corpus: Path, tmp_path: Path) -> None:
    base = make_tiny_base(tmp_path / "base", width=128, inner=512)
    sizes = {}
    for name, neurons in {"few": {1: tuple(range(0, 512, 128))}, "all": {1: tuple(range(512))}}.items():
        plan = prepare(recipe(corpus, base, learning_rate=1e-3, max_steps=2), tmp_path / name)
        plan = plan.__class__(**(plan.__dict__ | {"selection": subnetwork(base, neurons)}))
        _, delta = train_delta(plan)
        sizes[name] = sum(tensor.size_bytes for tensor in delta.tensors)
        merge(plan.run.delta, base, tmp_path / f"{name}-merged")
    assert sizes["few"] < sizes["all"] / 10
    assert sizes["few"] < 2 * 3 * 4 * 128 + 6000  # two bytes for each weight that trains, and three small headers


def test_neurons_train_beside_whole_tensors(corpus: Path, tiny_base: Path, tmp_path: Path) -> None:
    chosen = subnetwork(tiny_base, {1: (5,)})
    chosen = chosen.model_copy(update={"parameters": (*chosen.parameters, "lm_head.weight"), "head": True})
    record = run(recipe(corpus, tiny_base), tmp_path / "run", chosen)
    base, trained = load_file(tiny_base / "model.safetensors"), trained_of(tmp_path / "run")
    assert not torch.equal(trained["lm_head.weight"], base["lm_head.weight"])
    assert record.trained_parameters == 3 * 32 + base["lm_head.weight"].numel()


@pytest.mark.parametrize("kind", ["Mistral", "Qwen2", "Qwen3", "Gemma", "Gemma2", "Gemma3"])
def test_neurons_of_other_architectures_train(kind: str) -> None:
    import transformers

    suffix = "TextConfig" if kind == "Gemma3" else "Config"
    config = getattr(transformers, f"{kind}{suffix}")(
        vocab_size=50, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, max_position_embeddings=64, pad_token_id=0,
    )  # fmt: skip
    torch.manual_seed(0)
    model = getattr(transformers, f"{kind}ForCausalLM")(config).eval()
    ids = torch.randint(1, 50, (2, 5))
    expected = model(input_ids=ids).logits
    chosen = SelectionInfo(
        method="subnetwork", layers=(1,), n_layers=2, embeddings=False, head=False, final_norm=False,
        parameters=tuple(f"model.layers.1.mlp.{part}.weight" for part in PARTS), neurons={1: (7, 2)},
        trained_weights=192, total_weights=1,
    )  # fmt: skip
    model.requires_grad_(False)
    trained = train_neurons(model, chosen, torch.float32)
    logits = model(input_ids=ids).logits
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-5)
    logits.sum().backward()
    assert {tensor.name for tensor in trained} == set(chosen.parameters)
    assert all(parameter.grad is not None for tensor in trained for parameter in tensor.parameters)


def test_a_base_with_another_kind_of_block_is_refused() -> None:
    from transformers import Phi3Config, Phi3ForCausalLM

    config = Phi3Config(
        vocab_size=50, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, pad_token_id=0
    )
    chosen = SelectionInfo(
        method="subnetwork", layers=(1,), n_layers=2, embeddings=False, head=False, final_norm=False, parameters=(),
        neurons={1: (7,)}, trained_weights=96, total_weights=1,
    )  # fmt: skip
    with pytest.raises(BaseModelError, match="layer 1 of Phi3ForCausalLM has no feed-forward block with gate_proj"):
        train_neurons(Phi3ForCausalLM(config), chosen, torch.float32)


def test_a_block_that_computes_something_else_is_refused(tiny_base: Path) -> None:
    model, _ = load_base(tiny_base, dtype="float32")
    block = model.model.layers[0].mlp
    block.forward = lambda x: block.down_proj(block.up_proj(x) * block.gate_proj(x))
    with pytest.raises(BaseModelError, match="layer 0 combines gate, up and down in a way"):
        train_neurons(model, subnetwork(tiny_base, NEURONS), torch.float32)


@pytest.mark.parametrize(("neurons", "seen"), [((48,), "neuron 48"), ((1, 1), "a neuron twice")])
def test_neurons_that_the_base_does_not_have_are_refused(tiny_base: Path, neurons: tuple[int, ...], seen: str) -> None:
    model, _ = load_base(tiny_base, dtype="float32")
    with pytest.raises(BaseModelError, match=f"names {seen} in layer 1, which has neurons 0 to 47"):
        train_neurons(model, subnetwork(tiny_base, {1: neurons}), torch.float32)


# --- every method can be stopped and resumed

METHODS: dict[str, dict[str, Any]] = {
    "neurons": {},
    "lora": {"method": "lora", "select": "cogsym:2", "lora_dropout": 0.1},
    "front_then_rear": {"order": "front_then_rear", "select": "cogsym:2"},
    "rear_then_front": {"order": "rear_then_front", "select": "cogsym:2"},
    "4bit": {"frozen": "4bit", "select": "cogsym:2"},
}


@pytest.mark.parametrize("stop_after", [1, 3, 5])
@pytest.mark.parametrize("name", METHODS)
def test_a_stopped_run_goes_on_to_the_same_weights(
    corpus: Path, tiny_base: Path, tmp_path: Path, name: str, stop_after: int
) -> None:
    chosen = recipe(corpus, tiny_base, max_steps=3 if "then" in name else 6, checkpoint_steps=100, **METHODS[name])
    selection = subnetwork(tiny_base, NEURONS) if name == "neurons" else None
    whole = run(chosen, tmp_path / "whole", selection)

    def interrupt(step: TrainingStep) -> None:
        assert step.steps == 6
        if step.step == stop_after:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(TrainingError, match=f"stopped at step {stop_after} of 6; a checkpoint is saved"):
        run(chosen, tmp_path / "parts", selection, report=interrupt)
    record = run(chosen, tmp_path / "parts", selection, resume=True)
    assert (record.steps, record.tokens) == (whole.steps, whole.tokens) == (6, whole.tokens)
    assert (record.first_loss, record.final_loss) == (whole.first_loss, whole.final_loss)
    expected, seen = trained_of(tmp_path / "whole"), trained_of(tmp_path / "parts")
    assert set(expected) == set(seen)
    assert all(torch.equal(expected[tensor], seen[tensor]) for tensor in expected)


# --- LoRA


def test_adapters_are_where_the_selection_is_and_nowhere_else(corpus: Path, tiny_base: Path, tmp_path: Path) -> None:
    record = run(recipe(corpus, tiny_base, select="cogsym:2", method="lora", lora_rank=4), tmp_path / "run")
    base, trained = load_file(tiny_base / "model.safetensors"), trained_of(tmp_path / "run")
    assert set(trained) == {name for name in record.selection.parameters if "norm" not in name}
    assert {"model.embed_tokens.weight", "lm_head.weight", "model.layers.3.self_attn.q_proj.weight"} <= set(trained)
    for name, tensor in trained.items():
        assert tensor.dtype == base[name].dtype
        assert not torch.equal(tensor, base[name])
    assert record.method == "lora"
    assert record.trained_parameters == sum(4 * sum(base[name].shape) for name in trained)
    assert "peft" in record.versions


def test_the_merged_adapter_is_the_model_that_was_trained_rounded_once(corpus: Path, tmp_path: Path) -> None:
    base = make_tiny_base(tmp_path / "base", dtype="float32")
    run(recipe(corpus, base, select="cogsym:2", method="lora", learning_rate=1e-2), tmp_path / "run")
    merged, _ = load_base(base, dtype="float32")
    merged.load_state_dict(trained_of(tmp_path / "run"), strict=False)
    live = with_adapter(base, tmp_path / "run" / "adapter")
    plain, _ = load_base(base, dtype="float32")
    ids = torch.randint(1, 300, (2, 8), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected, seen, before = (model(input_ids=ids).logits for model in (live, merged, plain))
    torch.testing.assert_close(seen, expected, rtol=1e-4, atol=1e-4)
    assert (before - expected).abs().max() > 1e-2


def with_adapter(base: Path, adapter: Path) -> Any:
    from peft import PeftModel

    model, _ = load_base(base, dtype="float32")
    return PeftModel.from_pretrained(model, adapter).eval()


def test_the_adapter_folder_is_a_standard_one_and_names_no_path(corpus: Path, tiny_base: Path, tmp_path: Path) -> None:
    chosen = recipe(corpus, tiny_base, select="cogsym:2", method="lora", learning_rate=1e-2)
    run(chosen, tmp_path / "run")
    adapter = tmp_path / "run" / "adapter"
    assert {path.name for path in adapter.iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
    assert str(tmp_path) not in (adapter / "adapter_config.json").read_text()
    assert str(tiny_base.parent) not in (adapter / "adapter_config.json").read_text()
    model = with_adapter(tiny_base, adapter)
    loaded = {name.replace(".default", ""): tensor for name, tensor in model.named_parameters() if ".lora_" in name}
    saved = load_file(adapter / "adapter_model.safetensors")
    assert set(loaded) == set(saved)
    assert all(torch.equal(tensor, saved[name]) for name, tensor in loaded.items())


def test_an_adapter_starts_the_same_with_the_same_seed(corpus: Path, tiny_base: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(recipe(corpus, tiny_base, method="lora", max_steps=1, seed=seed), tmp_path / name)
        torch.manual_seed(ord(name))
    a, b, c = (load_file(tmp_path / name / "adapter" / "adapter_model.safetensors") for name in "abc")
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert any(not torch.equal(a[name], c[name]) for name in a)


def test_lora_refuses_what_it_cannot_adapt(corpus: Path, tiny_base: Path, tmp_path: Path) -> None:
    chosen = recipe(corpus, tiny_base, method="lora")
    with pytest.raises(SelectionError, match="subnetwork trains single neurons"):
        run(chosen, tmp_path / "run", subnetwork(tiny_base, NEURONS))
    tied = make_tiny_base(tmp_path / "tied", tied=True)
    with pytest.raises(SelectionError, match="embeddings that are the LM head too") as caught:
        run(recipe(corpus, tied, method="lora"), tmp_path / "run")
    assert "`embeddings: false`" in (caught.value.hint or "")
    run(recipe(corpus, tied, method="lora", embeddings=False, head=False, max_steps=1), tmp_path / "run")


# --- one end after the other


def test_each_end_trains_alone_and_both_are_in_the_delta(
    corpus: Path, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toolkit.training import trainer

    seen: list[tuple[int, set[str]]] = []
    save = trainer.PartialTrainer.save_model

    def watch(self: Any, *args: Any, **options: Any) -> None:
        state = sum(state["exp_avg"].numel() for state in self.optimizer.state.values())
        seen.append((state, set(trainer.trained_parameters(self.model))))
        save(self, *args, **options)

    monkeypatch.setattr(trainer.PartialTrainer, "save_model", watch)
    chosen = recipe(corpus, tiny_base, select="cogsym:2", order="rear_then_front", max_steps=3, checkpoint_steps=9)
    record = run(chosen, tmp_path / "run")
    rear = {name for name in record.selection.parameters if ".3." in name} | {"lm_head.weight"}
    front = set(record.selection.parameters) - rear
    assert [names for _, names in seen] == [rear, front]
    assert all(size < 0.6 * record.selection.trained_weights for size, _ in seen)
    assert set(trained_of(tmp_path / "run")) == rear | front
    assert record.steps == 6
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert [int(line.split('"step": ')[1].split(",")[0]) for line in lines] == [1, 2, 3, 4, 5, 6]


def test_the_second_end_trains_on_top_of_the_first(corpus: Path, tiny_base: Path, tmp_path: Path) -> None:
    base = load_file(tiny_base / "model.safetensors")
    both = run(recipe(corpus, tiny_base, select="cogsym:2", order="front_then_rear"), tmp_path / "both")
    run(recipe(corpus, tiny_base, select="layers:0", embeddings=True), tmp_path / "front")
    front, trained = trained_of(tmp_path / "front"), trained_of(tmp_path / "both")
    assert all(torch.equal(trained[name], tensor) for name, tensor in front.items())
    assert not torch.equal(trained["lm_head.weight"], base["lm_head.weight"])
    assert both.final_loss < both.first_loss


def test_tied_embeddings_train_in_both_phases(corpus: Path, tmp_path: Path) -> None:
    tied = make_tiny_base(tmp_path / "tied", tied=True)
    run(recipe(corpus, tied, select="cogsym:2", order="front_then_rear", max_steps=2), tmp_path / "run")
    assert "model.embed_tokens.weight" in trained_of(tmp_path / "run")


@pytest.mark.parametrize("select", ["full", "front:2", "middle:2", "layers:0,2"])
def test_an_order_needs_two_ends(corpus: Path, tiny_base: Path, tmp_path: Path, select: str) -> None:
    with pytest.raises(SelectionError, match="`order: front_then_rear` trains one end after the other") as caught:
        prepare(recipe(corpus, tiny_base, select=select, order="front_then_rear"), tmp_path / "run")
    assert "cogsym:25%" in (caught.value.hint or "")
    assert not (tmp_path / "run").exists()


# --- frozen layers in 4 bits


def test_frozen_layers_are_in_4_bits_and_the_delta_is_taken_against_the_base(corpus: Path, tmp_path: Path) -> None:
    base = make_tiny_base(tmp_path / "base", width=64, inner=128)
    plan = prepare(recipe(corpus, base, select="cogsym:2", frozen="4bit", max_steps=12), tmp_path / "run")
    record, delta = train_delta(plan)
    assert record.final_loss < record.first_loss
    assert {tensor.name for tensor in delta.tensors} <= set(plan.selection.parameters)
    merge(plan.run.delta, base, tmp_path / "merged")
    merged, original = (load_file(folder / "model.safetensors") for folder in (tmp_path / "merged", base))
    for name in original:
        if name not in plan.selection.parameters:
            assert torch.equal(merged[name], original[name]), name
    assert not torch.equal(merged["model.layers.0.mlp.up_proj.weight"], original["model.layers.0.mlp.up_proj.weight"])
    assert "bitsandbytes" in record.versions


@pytest.mark.parametrize("changes", [{}, {"method": "lora"}])
def test_only_what_does_not_train_is_quantized(corpus: Path, tmp_path: Path, changes: dict[str, Any]) -> None:
    from bitsandbytes.nn import Linear4bit

    from toolkit.training.backends import load_to_train

    base = make_tiny_base(tmp_path / "base", width=64, inner=128)
    chosen = recipe(corpus, base, select="cogsym:2", frozen="4bit", **changes)
    selection = resolve_selection(chosen.select, read_layout(base))
    model, _ = load_to_train(chosen, selection, base)
    quantized = {name for name, module in model.named_modules() if isinstance(module, Linear4bit)}
    assert len(quantized) == 2 * 7
    assert {int(name.split(".")[2]) for name in quantized} == {1, 2}
    assert all(model.get_submodule(name).weight.dtype == torch.uint8 for name in quantized)
    exact, _ = load_base(base, dtype="float32")
    for name in selection.parameters:
        assert torch.equal(model.get_parameter(name), exact.get_parameter(name))


def test_neurons_train_beside_4_bit_attention(corpus: Path, tmp_path: Path) -> None:
    base = make_tiny_base(tmp_path / "base", width=64, inner=128)
    chosen = subnetwork(base, {0: (1, 2), 3: (100,)})
    record = run(recipe(corpus, base, frozen="4bit", learning_rate=1e-2), tmp_path / "run", chosen)
    assert record.final_loss < record.first_loss


def test_4_bits_need_something_frozen_and_bitsandbytes(
    corpus: Path, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SelectionError, match="`frozen: 4bit` has nothing to work on: full freezes no decoder layer"):
        prepare(recipe(corpus, tiny_base, select="full", frozen="4bit"), tmp_path / "run")
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(MissingPartError, match="`frozen: 4bit` needs bitsandbytes") as caught:
        prepare(recipe(corpus, tiny_base, frozen="4bit"), tmp_path / "run")
    assert "pip install 'cogsym-toolkit[8bit]'" in (caught.value.hint or "")
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MissingPartError, match="`method: lora` needs peft") as caught:
        prepare(recipe(corpus, tiny_base, method="lora"), tmp_path / "run")
    assert "pip install 'cogsym-toolkit[lora]'" in (caught.value.hint or "")


# --- backends


def test_without_a_gpu_auto_means_transformers(corpus: Path, tiny_base: Path, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.fail("this test is for machines without a GPU; tests/gpu has the other one")
    assert run(recipe(corpus, tiny_base, max_steps=1), tmp_path / "run").backend == "transformers"
    assert "unsloth" not in sys.modules


@pytest.mark.parametrize(("installed", "message"), [(False, "which is not installed"), (True, "needs an NVIDIA card")])
def test_unsloth_that_cannot_run_is_told_before_training(
    corpus: Path,
    tiny_base: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    installed: bool,
    message: str,
) -> None:
    from toolkit.training import backends

    monkeypatch.setattr(backends, "is_installed", lambda package: installed)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(MissingPartError, match=message) as caught:
        prepare(recipe(corpus, tiny_base, backend="unsloth"), tmp_path / "run")
    assert "pip install 'cogsym-toolkit[unsloth]'" in (caught.value.hint or "") or installed
    assert not (tmp_path / "run").exists()


@pytest.fixture
def unsloth(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What a stand-in for unsloth was asked for; like the real one, it makes the inputs need a gradient."""
    from types import SimpleNamespace

    from toolkit.training import backends

    asked: list[dict[str, Any]] = []

    class FastLanguageModel:
        @staticmethod
        def from_pretrained(name: str, **options: Any) -> tuple[Any, Any]:
            asked.append({"name": name} | options)
            model, tokenizer = load_base(Path(name), dtype="float32")
            model.enable_input_require_grads()
            return model, tokenizer

    monkeypatch.setitem(sys.modules, "unsloth", SimpleNamespace(FastLanguageModel=FastLanguageModel))
    monkeypatch.setattr(sys.modules["toolkit.training.record"], "backend_of", lambda recipe: "unsloth")
    monkeypatch.setattr(backends, "backend_of", lambda recipe: "unsloth")
    return asked


def test_unsloth_gets_the_same_base_and_selection(
    corpus: Path,
    tiny_base: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    unsloth: list[dict[str, Any]],
) -> None:
    record = run(recipe(corpus, tiny_base), tmp_path / "unsloth")
    assert record.backend == "unsloth"
    [asked] = unsloth
    assert asked["name"] == str(tiny_base)
    assert asked["full_finetuning"]
    for unwanted in ("load_in_4bit", "use_gradient_checkpointing", "offload_embedding"):
        assert asked[unwanted] is False
    assert asked["local_files_only"]
    monkeypatch.undo()
    run(recipe(corpus, tiny_base), tmp_path / "plain")
    plain, other = trained_of(tmp_path / "plain"), trained_of(tmp_path / "unsloth")
    assert all(torch.equal(plain[name], other[name]) for name in plain)


@pytest.mark.parametrize(
    ("backend", "installed", "gpu", "imported"),
    [
        ("unsloth", True, True, True),
        ("auto", True, True, True),
        ("auto", True, False, False),
        ("auto", False, True, False),
        ("transformers", True, True, False),
    ],
)
def test_unsloth_is_imported_ahead_only_where_it_will_train(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str, installed: bool, gpu: bool, imported: bool
) -> None:
    from toolkit import environment

    (tmp_path / "unsloth.py").write_text("print('a greeting')\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(environment, "is_installed", lambda package: installed)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    environment.import_unsloth_first(backend)
    assert (sys.modules.pop("unsloth", None) is not None) == imported


def test_the_train_command_imports_unsloth_before_transformers(tmp_path: Path) -> None:
    (tmp_path / "unsloth.py").write_text(
        "import sys\nprint('a greeting')\nprint('transformers' in sys.modules, file=sys.stderr)\nraise SystemExit(7)\n",
        encoding="utf-8",
    )
    code = (
        "import sys, torch; sys.path.insert(0, sys.argv.pop(1)); torch.cuda.is_available = lambda: True; "
        "from toolkit.cli import main; main()"
    )
    command = ["train", "--recipe", "pocket-jav", "--out", str(tmp_path / "run"), "--backend", "unsloth"]
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path), *command], capture_output=True, text=True)
    assert done.returncode == 7
    assert done.stdout == ""
    assert done.stderr.splitlines() == ["a greeting", "False"]


# --- no work for frozen weights


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("select", ["rear:1", "middle:2", "cogsym:2"])
def test_no_graph_is_built_below_the_lowest_layer_that_trains(
    corpus: Path, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, select: str, checkpointing: bool
) -> None:
    from transformers.models.llama.modeling_llama import LlamaAttention

    calls: list[tuple[int, bool]] = []
    forward = LlamaAttention.forward

    def watched(self: Any, hidden_states: torch.Tensor, *args: Any, **options: Any) -> Any:
        calls.append((self.layer_idx, hidden_states.requires_grad))
        return forward(self, hidden_states, *args, **options)

    monkeypatch.setattr(LlamaAttention, "forward", watched)
    chosen = recipe(corpus, tiny_base, select=select, max_steps=1, gradient_checkpointing=checkpointing)
    run(chosen, tmp_path / "run")
    lowest = resolve_selection(select, read_layout(tiny_base)).layers[0]
    assert calls[:4] == [(layer, layer >= lowest) for layer in range(4)]
    again = sorted(layer for layer, _ in calls[4:])  # what the backward pass runs once more
    assert again == (list(range(lowest, 4)) if checkpointing else [])


@pytest.mark.usefixtures("unsloth")
@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("select", ["rear:1", "middle:2"])
def test_no_graph_is_built_there_with_unsloth_either(
    corpus: Path, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, select: str, checkpointing: bool
) -> None:
    test_no_graph_is_built_below_the_lowest_layer_that_trains(
        corpus, tiny_base, tmp_path, monkeypatch, select, checkpointing
    )


def test_frozen_linear_layers_keep_no_inputs_for_the_backward_pass(tiny_base: Path) -> None:
    model, _ = load_base(tiny_base, dtype="float32")
    kept: list[torch.Tensor] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor)
        return tensor

    linear = model.model.layers[1].mlp.down_proj
    x = torch.randn(2, 5, 48, requires_grad=True)
    for trains in (False, True):
        linear.weight.requires_grad_(trains)
        kept.clear()
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            linear(x)
        assert any(tensor.shape[-1] == 48 and tensor.numel() == x.numel() for tensor in kept) == trains
