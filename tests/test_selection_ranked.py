"""Ranked selections, against small cases worked out by other means and on small models of every kind."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import WORDS, make_tiny_base
from safetensors.torch import load_file, save_file

from toolkit.errors import BaseModelError, SelectionError
from toolkit.prompts import Example
from toolkit.records import SelectionInfo
from toolkit.selection import Evidence, layout_of, looks_at, read_layout, resolve_selection
from toolkit.selection.activations import activation_rates
from toolkit.selection.alpha import eigenvalues, hill_alpha
from toolkit.selection.evidence import Ranking
from toolkit.selection.feed_forward import feed_forwards
from toolkit.selection.fisher import layer_scores, log_likelihood
from toolkit.selection.lape import entropies, neurons_of, specific_neurons, threshold

EXAMPLES = tuple(Example(f"the {a} is", f" near the {b}", "eng>jav") for a in WORDS[:6] for b in WORDS[6:10])
TEXTS = {
    "eng": tuple(f"the {a} is near the {b}" for a in WORDS[:5] for b in WORDS[5:]),
    "jav": tuple(f"{a} cedhak {b}" for a in WORDS[:5] for b in WORDS[5:]),
}


def evidence_on(base: Path, **fields: Any) -> Evidence:
    def load() -> tuple[Any, Any]:
        from toolkit.pretrained import load_base

        return load_base(base, dtype="float32")

    return Evidence(base, load, **({"language": "jav", "examples": EXAMPLES, "texts": TEXTS} | fields))


@pytest.fixture(scope="module")
def loaded(tiny_base: Path) -> tuple[Any, Any]:
    return evidence_on(tiny_base).load()


# Rankings


def test_the_highest_scores_are_taken_and_of_equal_ones_the_earlier() -> None:
    assert Ranking((1.0, 3.0, 2.0, 3.0, 2.0), {}).top(3) == (1, 2, 3)
    assert Ranking((0.0, 0.0, 0.0), {}).top(2) == (0, 1)
    assert Ranking((1.0, math.inf), {}).top(1) == (1,)


# Alpha


def test_alpha_is_hill_s_estimate_worked_out_by_hand() -> None:
    # Of 1, 2, 4, 8 the tail is 4, 8: 1 + 2 / (ln 1 + ln 2). Of five values it is the last three.
    assert hill_alpha(torch.tensor([1.0, 2.0, 4.0, 8.0])) == pytest.approx(1 + 2 / math.log(2))
    assert hill_alpha(torch.tensor([1.0, 2.0, 4.0, 8.0, 16.0])) == pytest.approx(1 + 3 / math.log(8))
    assert hill_alpha(torch.tensor([3.0])) == math.inf
    assert hill_alpha(torch.ones(4)) == math.inf


def test_the_peak_tail_starts_where_most_eigenvalues_are() -> None:
    # Four of seven logarithms are in the last bin but one of a hundred: the tail is those and the largest.
    values = torch.tensor([0.0, 30.0, 98.1, 98.2, 98.3, 98.4, 100.0]).div(100).exp()
    above = sum(value - 98.1 for value in (98.1, 98.2, 98.3, 98.4, 100.0)) / 100
    assert hill_alpha(values, "peak") == pytest.approx(1 + 5 / above, rel=1e-4)
    assert hill_alpha(torch.ones(4), "peak") == math.inf


def test_alpha_finds_the_exponent_that_its_sample_was_drawn_with() -> None:
    # A density falling with lambda^-3 above 1: inverse transform of evenly spread probabilities.
    levels = (np.arange(20_000) + 0.5) / 20_000
    values = np.sort((1 - levels) ** (-1 / 2))
    assert hill_alpha(torch.from_numpy(values)) == pytest.approx(3, abs=0.01)


def test_eigenvalues_are_those_of_the_correlation_matrix_without_the_zeros() -> None:
    matrix = np.random.default_rng(0).normal(size=(12, 7)).astype(np.float32)
    expected = np.linalg.eigvalsh(matrix.T.astype(np.float64) @ matrix)
    assert np.allclose(eigenvalues(torch.from_numpy(matrix)), expected, rtol=1e-4)
    rank_two = torch.from_numpy(matrix[:, :2] @ matrix[:2, :])
    assert len(eigenvalues(rank_two)) == 2


@pytest.mark.parametrize(
    ("matrix", "message"),
    [(torch.zeros(3, 3), "all zeros"), (torch.tensor([[1.0, math.nan]]), "not finite")],
)
def test_a_matrix_without_a_spectrum_is_refused(matrix: torch.Tensor, message: str) -> None:
    with pytest.raises(BaseModelError, match=message):
        eigenvalues(matrix)


def test_alpha_averages_over_the_seven_matrices_and_takes_the_highest(tiny_base: Path) -> None:
    def never() -> Any:
        raise AssertionError("alpha must not load the model")

    selection = resolve_selection("alpha:2", read_layout(tiny_base), evidence=Evidence(tiny_base, never))
    assert selection.scores is not None
    assert selection.embeddings
    assert selection.head
    assert not selection.final_norm
    tensors = load_file(tiny_base / "model.safetensors")
    for layer, score in enumerate(selection.scores):
        alphas = []
        for name, tensor in tensors.items():
            if f".layers.{layer}." in name and tensor.ndim == 2:
                values = np.linalg.svd(tensor.float().numpy(), compute_uv=False)[::-1].astype(np.float64) ** 2
                tail = values[len(values) // 2 :]
                alphas.append(1 + len(tail) / np.log(tail / tail[0]).sum())
        assert len(alphas) == 7
        assert score == pytest.approx(np.mean(alphas), rel=1e-3)
    assert min(selection.scores[layer] for layer in selection.layers) >= sorted(selection.scores)[-2]


def test_a_checkpoint_with_other_names_is_refused_by_alpha(tiny_base: Path, tmp_path: Path) -> None:
    tensors = load_file(tiny_base / "model.safetensors")
    save_file({f"other.{name}": tensor for name, tensor in tensors.items()}, tmp_path / "model.safetensors")
    with pytest.raises(BaseModelError, match=r"holds no model\.layers\.0\."):
        resolve_selection("alpha:2", read_layout(tiny_base), evidence=evidence_on(tmp_path))


# Fisher


def per_example_gradients(
    model: Any, rows: Sequence[tuple[list[int], int]], value: Callable[..., torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Gradients of `value(logits, ids, prompt_length)` for each row, through torch.func: (rows, ...)."""
    weights = {name: parameter.detach() for name, parameter in model.named_parameters()}
    found = []
    for ids, prompt_length in rows:

        def of(weights: dict[str, torch.Tensor], ids: list[int] = ids, start: int = prompt_length) -> torch.Tensor:
            logits = torch.func.functional_call(model, weights, kwargs={"input_ids": torch.tensor([ids])}).logits[0]
            return value(logits, ids, start)

        found.append(torch.func.grad(of)(weights))
    return {name: torch.stack([gradients[name] for gradients in found]) for name in weights}


def log_p(logits: torch.Tensor, ids: list[int], start: int) -> torch.Tensor:
    probabilities = torch.softmax(logits, -1)
    return sum(torch.log(probabilities[place - 1, ids[place]]) for place in range(start, len(ids)))  # type: ignore


def scores_of(gradients: dict[str, torch.Tensor], layers: Sequence[Sequence[str]]) -> list[float]:
    fisher = {name: (gradient**2).mean(0) for name, gradient in gradients.items()}
    return [sum((fisher[name] ** 2).sum().sqrt().item() for name in names) for names in layers]


ROWS = [([1, 5, 9, 30, 7, 2], 3), ([1, 8, 6, 44, 2], 2), ([1, 3, 100, 12, 13, 14, 2], 5)]


def test_fisher_is_the_mean_of_squared_gradients_of_each_example(loaded: tuple[Any, Any], tiny_base: Path) -> None:
    model = loaded[0]
    layers = read_layout(tiny_base).layers
    expected = scores_of(per_example_gradients(model, ROWS, log_p), layers)
    assert layer_scores(model, ROWS, layers) == pytest.approx(expected, rel=1e-4)


def test_fisher_differs_from_its_published_mistakes(loaded: tuple[Any, Any], tiny_base: Path) -> None:
    # A raw logit instead of log p, the first row again and again, and the square of the mean gradient.
    model = loaded[0]
    layers = read_layout(tiny_base).layers
    right = layer_scores(model, ROWS, layers)
    raw = per_example_gradients(
        model, ROWS, lambda logits, ids, start: sum(logits[at - 1, ids[at]] for at in range(start, len(ids)))
    )
    gradients = per_example_gradients(model, ROWS, log_p)
    batched = {name: gradient.mean(0, keepdim=True) for name, gradient in gradients.items()}
    for wrong in (scores_of(raw, layers), layer_scores(model, ROWS[:1] * 3, layers), scores_of(batched, layers)):
        assert right != pytest.approx(wrong, rel=0.005)


def test_log_likelihood_is_of_the_completion_alone(loaded: tuple[Any, Any]) -> None:
    model = loaded[0]
    ids, start = ROWS[0]
    with torch.no_grad():
        labels = torch.tensor([[-100] * start + ids[start:]])
        mean_loss = model(input_ids=torch.tensor([ids]), labels=labels).loss
        assert log_likelihood(model, ids, start).item() == pytest.approx(-3 * mean_loss.item(), rel=1e-4)


def test_fisher_is_the_same_in_groups_of_layers_and_leaves_no_gradient(
    loaded: tuple[Any, Any], tiny_base: Path
) -> None:
    model = loaded[0]
    layers = read_layout(tiny_base).layers
    calls: list[tuple[int, int]] = []
    grouped = layer_scores(model, ROWS, layers, layers_at_once=3, report=lambda _, done, of: calls.append((done, of)))
    assert grouped == pytest.approx(layer_scores(model, ROWS, layers), rel=1e-5)
    assert calls[-1] == (6, 6)
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in model.parameters())


def test_fisher_takes_the_rows_that_the_seed_draws(tiny_base: Path) -> None:
    layout = read_layout(tiny_base)

    def found(**fields: Any) -> SelectionInfo:
        seed = fields.pop("seed", 0)
        return resolve_selection("fisher:2", layout, seed=seed, evidence=evidence_on(tiny_base, **fields))

    first, again, other = found(rows=5), found(rows=5), found(rows=5, seed=1)
    assert first == again
    assert first.scores != other.scores
    assert first.evidence["fingerprint"] != other.evidence["fingerprint"]
    assert found().evidence["rows"] == len(EXAMPLES)
    assert first.evidence["rows"] == 5
    assert first.evidence["of"] == len(EXAMPLES)
    longer = Example("the " * 40, " sun", "eng>jav")
    assert found(examples=(*EXAMPLES[:3], longer), max_tokens=30).evidence["too_long"] == 1
    with pytest.raises(SelectionError, match="all 1 examples are longer than 30 tokens"):
        found(examples=(longer,), max_tokens=30)
    document = Example("", "the sun " * 40, "text")
    assert found(examples=(document,), max_tokens=30).evidence["too_long"] == 0


def test_fisher_needs_examples(tiny_base: Path) -> None:
    with pytest.raises(SelectionError, match="there are none"):
        resolve_selection("fisher", read_layout(tiny_base), evidence=evidence_on(tiny_base, examples=()))


# Neurons


def test_rates_are_the_share_of_tokens_with_an_active_gate(loaded: tuple[Any, Any], tiny_base: Path) -> None:
    model, tokenizer = loaded
    blocks = feed_forwards(read_layout(tiny_base))
    texts = {"eng": [*TEXTS["eng"][:17], ""], "jav": list(TEXTS["jav"][:3])}  # more than a batch, unequal lengths
    rates, tokens = activation_rates(model, tokenizer, texts, blocks, max_tokens=9)
    for row, (language, sentences) in enumerate(texts.items()):
        active, total = np.zeros(4 * 48), 0
        for sentence in sentences:
            ids = tokenizer(sentence, add_special_tokens=False).input_ids[:9]
            if not ids:
                continue
            with torch.no_grad():
                states = model(input_ids=torch.tensor([[1, *ids]]), output_hidden_states=True).hidden_states
            for layer, block in enumerate(model.model.layers):
                # What enters the block is not among the hidden states: work it out from the layer's input.
                inside: list[torch.Tensor] = []
                hook = block.mlp.register_forward_pre_hook(lambda _, inputs, kept=inside: kept.append(inputs[0]))
                with torch.no_grad():
                    where = torch.arange(len(ids) + 1)[None]
                    rope = model.model.rotary_emb(states[layer], where)
                    block(states[layer], position_embeddings=rope, position_ids=where)
                    gate = torch.nn.functional.silu(inside[0] @ block.mlp.gate_proj.weight.T)[0, 1:]
                hook.remove()
                active[48 * layer : 48 * (layer + 1)] += (gate > 0).sum(0).numpy()
            total += len(ids)
        assert tokens[language] == total
        # Padding changes the last bits, so a gate next to zero may fall on its other side.
        assert np.abs(rates[row] * total - active).max() <= 1
        assert (rates[row] * total != pytest.approx(active)) <= 2


def reference_lape(rates: Sequence[Sequence[float]]) -> list[int]:
    """LAPE in plain Python: indices of the specific neurons, the lowest entropy first."""
    flat = sorted(rate for row in rates for rate in row)
    place = 0.95 * (len(flat) - 1)
    low = int(place)
    bar = flat[low] + (place - low) * (flat[min(low + 1, len(flat) - 1)] - flat[low])
    found = []
    for neuron in range(len(rates[0])):
        own = [row[neuron] for row in rates]
        if max(own) <= bar:
            continue
        shares = [rate / sum(own) for rate in own]
        found.append((-sum(share * math.log(share) for share in shares if share > 0), neuron))
    return [neuron for _, neuron in sorted(found)][: round(0.01 * len(rates[0]))]


@pytest.mark.parametrize("seed", range(5))
def test_lape_agrees_with_a_straightforward_reference(seed: int) -> None:
    draw = np.random.default_rng(seed)
    rates = draw.beta(0.5, 2, size=(3, 700)) * (draw.random((3, 700)) > 0.2)
    assert specific_neurons(rates).tolist() == reference_lape(rates.tolist())


def test_entropy_by_hand_and_never_active_neurons_are_never_specific() -> None:
    rates = np.array([[0.5, 0.9, 0.0, 0.3], [0.5, 0.0, 0.0, 0.1]])
    expected = [math.log(2), 0.0, math.inf, -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))]
    assert entropies(rates) == pytest.approx(expected)
    assert len(specific_neurons(np.zeros((2, 400)))) == 0
    assert len(neurons_of(np.zeros((2, 400)), 0)) == 0


def test_neurons_of_a_language_pass_the_threshold_and_come_most_specific_first() -> None:
    rates = np.random.default_rng(0).random((3, 900)) ** 4
    own = neurons_of(rates, 1)
    assert set(own) == set(np.flatnonzero(rates[1] > threshold(rates)))
    assert (np.diff(entropies(rates)[own]) >= 0).all()


def test_neurons_count_is_the_number_of_specific_neurons_per_layer(tiny_base: Path, loaded: tuple[Any, Any]) -> None:
    layout = read_layout(tiny_base)
    selection = resolve_selection("neurons-count:2", layout, evidence=evidence_on(tiny_base, rows=10))
    assert selection.scores is not None
    assert sum(selection.scores) == round(0.01 * 4 * 48)
    assert selection.embeddings
    assert selection.head
    assert selection.evidence["sentences"] == {"eng": 10, "jav": 10}
    assert selection.evidence["tokens"]["eng"] > 20
    assert SelectionInfo.model_validate_json(selection.model_dump_json()) == selection


def test_a_subnetwork_is_the_language_s_neurons_within_its_share(tiny_base: Path, tmp_path: Path) -> None:
    layout = read_layout(tiny_base)
    evidence = evidence_on(tiny_base)
    selection = resolve_selection("subnetwork:0.5%", layout, evidence=evidence)
    assert selection.neurons is not None
    count = sum(map(len, selection.neurons.values()))
    assert selection.trained_weights == 3 * 32 * count
    assert selection.share <= 0.005 < selection.share + 3 * 32 / selection.total_weights
    assert selection.layers == tuple(selection.neurons)
    assert selection.parameters == tuple(
        f"model.layers.{layer}.mlp.{part}_proj.weight" for layer in selection.layers for part in ("gate", "up", "down")
    )
    assert (selection.embeddings, selection.head, selection.scores) == (False, False, None)
    assert all(list(own) == sorted(set(own)) and 0 <= min(own) <= max(own) < 48 for own in selection.neurons.values())
    assert SelectionInfo.read(selection.write(tmp_path / "selection.json")) == selection

    everything = resolve_selection("subnetwork:100%", layout, evidence=evidence)
    assert sum(map(len, everything.neurons.values())) == everything.evidence["active_neurons"]
    least = resolve_selection("subnetwork:0.0001%", layout, evidence=evidence)
    assert sum(map(len, least.neurons.values())) == 1
    with_head = resolve_selection("subnetwork:0.5%", layout, head=True, evidence=evidence)
    assert with_head.trained_weights == selection.trained_weights + layout.count((layout.head,))


def test_a_random_subnetwork_has_as_many_neurons_drawn_from_the_whole_model(tiny_base: Path) -> None:
    layout, evidence = read_layout(tiny_base), evidence_on(tiny_base)
    own = resolve_selection("subnetwork", layout, evidence=evidence)
    drawn = [resolve_selection("random:subnetwork:1%", layout, seed=seed, evidence=evidence) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1]
    assert drawn[0].neurons != drawn[2].neurons
    assert {one.trained_weights for one in drawn} == {own.trained_weights}
    assert drawn[0].neurons != own.neurons
    with pytest.raises(SelectionError, match="part of the feed-forward matrices"):
        resolve_selection("ffn:subnetwork", layout, evidence=evidence)


@pytest.mark.parametrize(
    ("select", "texts", "message"),
    [
        ("neurons-count", {"jav": TEXTS["jav"]}, "two at least, but the data hold jav"),
        ("subnetwork", {}, "the data hold no text"),
        ("subnetwork", {"eng": TEXTS["eng"], "ind": TEXTS["jav"]}, "language to learn, jav; the data hold eng, ind"),
        ("neurons-count", {"eng": TEXTS["eng"], "jav": ("",)}, "text in jav holds no tokens"),
    ],
)
def test_neurons_need_text_in_two_languages(tiny_base: Path, select: str, texts: Any, message: str) -> None:
    with pytest.raises(SelectionError) as caught:
        resolve_selection(select, read_layout(tiny_base), evidence=evidence_on(tiny_base, texts=texts))
    assert message in caught.value.message
    assert caught.value.hint


# Models of other kinds

SIZES = {
    "vocab_size": 320,
    "hidden_size": 16,
    "intermediate_size": 128,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 8,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "max_position_embeddings": 64,
    "initializer_range": 0.5,  # so that a neuron's activity depends on the token
}
KINDS = ["llama", "llama tied", "mistral", "qwen2", "qwen3", "gemma2", "gemma3_text"]


def make_base(folder: Path, kind: str, tokenizer: Any) -> Path:
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    name, _, tied = kind.partition(" ")
    options = {"tie_word_embeddings": True} if tied else {}
    config = AutoConfig.for_model(name, **SIZES, **options)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_every_method_works_on_decoders_of_other_kinds(tmp_path: Path, kind: str, loaded: tuple[Any, Any]) -> None:
    base = make_base(tmp_path / "base", kind, loaded[1])
    layout, evidence = read_layout(base), evidence_on(base, rows=8)
    names = set(load_file(base / "model.safetensors"))
    for text in (
        *("cogsym:2", "shifted:2@1", "final:1", "ffn", "random:2", "full"),
        *("fisher:2", "alpha:2", "neurons-count:2", "subnetwork:1%", "random:subnetwork:1%"),
    ):
        selection = resolve_selection(text, layout, evidence=evidence)
        assert set(selection.parameters) <= names
        assert 0 < selection.trained_weights <= selection.total_weights
        assert len(set(selection.parameters)) == len(selection.parameters)
        if selection.scores is not None:
            assert len(selection.scores) == 4
            assert len(selection.layers) == 2
            assert all(math.isfinite(score) and score >= 0 for score in selection.scores)
        if selection.embeddings and (layout.tied or text == "full"):
            assert selection.head


@pytest.mark.parametrize(("kind", "missing"), [("phi3", "gate_proj"), ("gpt2", "gate_proj"), ("mixtral", "gate_proj")])
def test_a_model_without_gated_neurons_is_refused_by_the_missing_part(kind: str, missing: str) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    with torch.device("meta"):
        layout = layout_of(AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **SIZES)))
    for text in ("subnetwork", "neurons-count", "ffn"):
        with pytest.raises(BaseModelError, match=f"has no matrix '{missing}'"):
            looks_at(text, layout) or resolve_selection(text, layout)
    assert resolve_selection("cogsym:2", layout).layers == (0, len(layout.layers) - 1)


def test_a_wrapper_for_pictures_ranks_the_layers_of_its_text_decoder() -> None:
    from transformers import AutoModelForCausalLM, Gemma3Config

    pictures = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2}
    text = {name: value for name, value in SIZES.items() if name != "head_dim"} | {"head_dim": 8}
    model = AutoModelForCausalLM.from_config(Gemma3Config(text_config=text, vision_config=pictures))
    layout = layout_of(model)
    assert layout.n_layers == 4
    assert all("language_model.layers" in name for layer in layout.layers for name in layer)
    assert all(score > 0 for score in layer_scores(model.eval(), ROWS, layout.layers))


def test_experts_are_no_matrices(tmp_path: Path, loaded: tuple[Any, Any]) -> None:
    base = make_base(tmp_path / "base", "mixtral", loaded[1])
    with pytest.raises(BaseModelError, match="3 dimensions"):
        resolve_selection("alpha:2", read_layout(base), evidence=replace(evidence_on(base), texts={}))


def test_weights_that_are_not_finite_are_told_before_training(tmp_path: Path) -> None:
    base = make_tiny_base(tmp_path / "base", dtype="float32")
    tensors = load_file(base / "model.safetensors")
    tensors["model.layers.2.mlp.up_proj.weight"][0, 0] = math.nan
    save_file(tensors, base / "model.safetensors", metadata={"format": "pt"})
    for text in ("fisher:2", "alpha:2"):
        with pytest.raises(BaseModelError):
            resolve_selection(text, read_layout(base), evidence=evidence_on(base, rows=2))
