"""What a recipe needs: the arithmetic of memory and time, what would make it fit, and the command that says so."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import thread_time
from typing import Any

import pytest
from conftest import WORDS
from transformers import AutoTokenizer

from toolkit.delta import read_base_info
from toolkit.errors import OutputError, SelectionError, TrainingError
from toolkit.pretrained import resolve_config
from toolkit.prompts import Example
from toolkit.recipe import Recipe, make_recipe, read_recipe
from toolkit.recipes import find_recipe
from toolkit.run_folder import RunFolder
from toolkit.selection import ModelLayout, possible_selections, read_layout, resolve_recipe, resolve_selection
from toolkit.training import Requirements, mix, refuse_what_cannot_fit, requirements, requirements_of, train
from toolkit.training.batches import ExampleDataset
from toolkit.training.memory import MemoryParts, Setup, memory_parts, shape_of
from toolkit.training.speed import flops_per_token

LLAMA = resolve_config("meta-llama/Llama-2-7b-hf")
CARD = 24 * 2**30
GB = 1e9


@pytest.fixture(scope="module")
def layout() -> ModelLayout:
    return read_layout(LLAMA)


@pytest.fixture
def llama_recipe() -> Recipe:
    return read_recipe(find_recipe("llama-2-7b-jav"), Path())


def parts(layout: ModelLayout, select: str = "cogsym:25%", **changes: Any) -> MemoryParts:
    setup = Setup(examples=4, tokens=512, frozen_bytes=2, trained_bytes=2, optimizer="adamw_8bit", on_gpu=True)
    return memory_parts(shape_of(LLAMA), layout, resolve_selection(select, layout), replace(setup, **changes))


def needs(recipe: Recipe, layout: ModelLayout, **options: Any) -> Requirements:
    return requirements(recipe, LLAMA, layout, possible_selections(recipe, layout), **options)


def test_the_parts_of_llama_2_7b_are_those_of_the_arithmetic_by_hand(layout: ModelLayout) -> None:
    found = parts(layout)
    layer, table = 202_383_360, 131_072_000  # weights of one layer; of the embeddings, and of the LM head
    assert found.weights == 2 * (32 * layer + 2 * table + 4096) == pytest.approx(13.5 * GB, rel=0.01)
    trained = 8 * layer + 2 * table
    assert found.gradients == 2 * trained
    # Two bytes and the scales per weight; the embeddings keep their moments in 32 bits.
    assert found.optimizer == pytest.approx(2 * (trained - table) + 8 * table, rel=0.02)
    # About 21 GB before activations, plus those 32-bit moments.
    assert found.weights + found.gradients + found.optimizer == pytest.approx(21 * GB + 6 * table, rel=0.01)
    assert found.logits == 4 * 512 * 32_000 * 14


def test_full_fine_tuning_takes_about_40_gb_before_activations(layout: ModelLayout) -> None:
    found = parts(layout, "full")
    assert found.weights + found.gradients + found.optimizer == pytest.approx(40.4 * GB + 6 * 131_072_000, rel=0.01)


def test_a_frozen_middle_in_4_bit_saves_about_7_gb(layout: ModelLayout) -> None:
    saved = parts(layout).weights - parts(layout, frozen_in_4bit=True).weights
    assert saved == pytest.approx(24 * 202_375_168 * (2 - 0.5625), rel=0.001)


def test_one_end_after_the_other_needs_the_memory_of_one_end(layout: ModelLayout, llama_recipe: Recipe) -> None:
    together = needs(llama_recipe, layout, card_bytes=CARD).memory
    front, rear = (
        needs(llama_recipe.model_copy(update={"order": order}), layout, card_bytes=CARD).memory
        for order in ("front_then_rear", "rear_then_front")
    )
    assert front == rear
    assert front.gradients == pytest.approx(together.gradients / 2, rel=0.01)
    assert front.optimizer < 0.6 * together.optimizer


@pytest.mark.parametrize(
    ("change", "part", "direction"),
    [
        ({"gradient_checkpointing": True}, "activations", "less"),
        ({"examples": 1}, "activations", "less"),
        ({"examples": 1}, "logits", "less"),
        ({"tokens": 256}, "activations", "less"),
        ({"optimizer": "adamw"}, "optimizer", "more"),
        ({"trained_bytes": 4}, "weights", "more"),
        ({"accumulates": True}, "peak", "more"),
        ({"adapter_rank": 16}, "gradients", "less"),
    ],
)
def test_each_option_moves_its_part(layout: ModelLayout, change: dict[str, Any], part: str, direction: str) -> None:
    before, after = getattr(parts(layout), part), getattr(parts(layout, **change), part)
    assert (after < before) if direction == "less" else (after > before)


def test_nothing_is_kept_below_the_lowest_layer_that_trains(layout: ModelLayout) -> None:
    assert parts(layout, "rear:25%").activations < 0.4 * parts(layout, "front:25%").activations


def test_training_a_quarter_costs_about_three_quarters_of_the_time(layout: ModelLayout) -> None:
    setup = Setup(examples=1, tokens=512, frozen_bytes=2, trained_bytes=2)

    def flops(select: str) -> float:
        return flops_per_token(shape_of(LLAMA), layout, resolve_selection(select, layout), setup)

    assert flops("full") == pytest.approx(6 * 6.607e9 + 3 * 32 * 4 * 512 * 4096, rel=0.01)
    assert flops("cogsym:25%") / flops("full") == pytest.approx(0.76, abs=0.01)


def test_the_shipped_recipe_fits_a_card_with_24_gib(layout: ModelLayout, llama_recipe: Recipe) -> None:
    found = needs(llama_recipe, layout, card_bytes=CARD)
    assert found.fits
    assert found.remedies == ()
    assert found.time is not None
    assert not found.time.measured
    assert "assuming that the card does 20 to 100 trillion operations per second" in found.time.assumes
    assert found.time.step.most == pytest.approx(found.flops_per_step / 20e12)


@pytest.mark.parametrize(
    ("change", "card_gib", "remedy"),
    [
        ({"gradient_checkpointing": False, "micro_batch_size": 1}, 24, "`gradient_checkpointing: true`"),
        ({"micro_batch_size": 32, "batch_size": 32}, 24, "`micro_batch_size: 1`"),
        ({"optimizer": "adamw", "micro_batch_size": 1}, 24, "`optimizer: adamw_8bit`"),
        ({"max_tokens": 2048, "micro_batch_size": 1, "optimizer": "adamw_8bit"}, 23, "`max_tokens: 256`"),
        ({"select": "full"}, 24, "`select: cogsym:25%`"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(
    layout: ModelLayout, llama_recipe: Recipe, change: dict[str, Any], card_gib: int, remedy: str
) -> None:
    found = needs(llama_recipe.model_copy(update=change), layout, card_bytes=card_gib * 2**30)
    assert not found.fits
    with pytest.raises(TrainingError, match=r"needs about [\d.]+ GB of GPU memory, and [\d.]+ GB are free") as caught:
        refuse_what_cannot_fit(found)
    assert remedy in (caught.value.hint or "")
    assert "--force" in (caught.value.hint or "")


def test_every_remedy_fits(layout: ModelLayout, llama_recipe: Recipe) -> None:
    found = needs(llama_recipe.model_copy(update={"gradient_checkpointing": False}), layout, card_bytes=CARD)
    assert found.remedies
    for remedy in found.remedies:
        assert float(remedy.rpartition("(")[2].removesuffix(" GB)")) <= CARD / GB


def test_where_nothing_helps_that_is_said(layout: ModelLayout, llama_recipe: Recipe) -> None:
    with pytest.raises(TrainingError) as caught:
        refuse_what_cannot_fit(needs(llama_recipe, layout, card_bytes=2**30))
    assert "a smaller base" in (caught.value.hint or "")


def test_a_disk_that_is_too_small_is_told(layout: ModelLayout, llama_recipe: Recipe) -> None:
    found = replace(needs(llama_recipe, layout, card_bytes=CARD), free_disk_bytes=10**9)
    with pytest.raises(OutputError, match=r"need up to [\d.]+ GB of disk, and 1.0 GB are free"):
        refuse_what_cannot_fit(found)


def tiny_plan(base: Path, **options: Any) -> Requirements:
    examples = options.pop("examples", None)
    measure = options.pop("measure", False)
    fields = {"language": "jav", "base": str(base), "data": [{"path": "a.tsv"}], "select": "cogsym:2", "batch_size": 4}
    recipe, layout = make_recipe(fields | options), read_layout(base)
    selections = possible_selections(recipe, layout)
    return requirements(recipe, base, layout, selections, examples=examples, measure=measure, ranks=True)


def test_steps_are_counted_from_the_examples(tiny_base: Path) -> None:
    examples = [Example("the sun", " the moon", "a")] * 80
    known = tiny_plan(tiny_base, examples=examples, epochs=2)
    unknown = tiny_plan(tiny_base)
    assert (known.steps, unknown.steps) == (40, None)
    assert known.mean_tokens < unknown.mean_tokens == 512
    assert tiny_plan(tiny_base, examples=examples, epochs=2, order="front_then_rear").steps == 80
    assert known.time is None, "it was not measured"


def test_text_is_counted_as_it_is_packed_and_what_is_too_long_is_not(tiny_base: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("\n".join(f"{n} the sun and the moon and the river" for n in range(150)), encoding="utf-8")
    fields = {"data": [{"path": str(text), "kind": "text"}], "max_tokens": 64, "max_steps": None}
    chosen = make_recipe({"language": "jav", "base": str(tiny_base), "select": "cogsym:2", "batch_size": 4} | fields)
    documents = mix(chosen).examples
    packed = ExampleDataset(AutoTokenizer.from_pretrained(tiny_base), documents, 64)
    found = requirements_of(chosen, examples=documents, measure=False)
    assert found.steps == pytest.approx(chosen.steps(len(packed)), abs=1)
    assert found.steps < chosen.steps(len(documents))
    assert found.mean_tokens == pytest.approx(64)

    pairs = [Example("the sun", " the moon" * times, "a") for times in (1, 200)] * 20
    assert tiny_plan(tiny_base, examples=pairs, max_tokens=64).steps == 20 / 4


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"order": "rear_then_front"},
        {"select": "subnetwork:20%"},
        {"method": "lora", "gradient_checkpointing": True},
        {"trained_dtype": "bfloat16", "optimizer": "adamw_8bit", "select": "full"},
        {"select": "fisher:2"},
    ],
)
def test_a_step_takes_about_as_long_as_was_estimated(
    tiny_base: Path, tmp_path: Path, fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the clock of this thread, within a factor that a broken estimate would miss; benchmarks are more exact."""
    from toolkit.training import needs as module

    monkeypatch.setattr(module, "measure_pace", partial(module.measure_pace, clock=thread_time))
    (tmp_path / "a.txt").write_text(
        "the sun is near the moon and the river\n" * 3
        + "".join(f"the {a} is near the {b} and the {c}\n" for a in WORDS for b in WORDS[:9] for c in WORDS[:5])
    )
    recipe = make_recipe(
        {"language": "jav", "base": str(tiny_base), "data": [{"path": str(tmp_path / "a.txt"), "kind": "text"}]}
        | {"select": "cogsym:2", "max_steps": 8, "batch_size": 8, "max_tokens": 128, "checkpoint_steps": 99}
        | fields
    )
    layout = read_layout(tiny_base)
    selection = possible_selections(recipe, layout)[0]
    estimate = requirements(recipe, tiny_base, layout, (selection,)).time
    assert estimate is not None
    assert estimate.measured
    stamps: list[float] = []
    train(
        recipe,
        mix(recipe),
        tiny_base,
        read_base_info(tiny_base, "tiny"),
        selection,
        RunFolder(tmp_path / "run"),
        report=lambda step: stamps.append(thread_time()),
    )
    measured = median(second - first for first, second in pairwise(stamps))
    assert estimate.step.least / 3 < measured < estimate.step.most * 3


def test_the_command_plans_llama_without_its_weights(cogsym: Callable[..., Any]) -> None:
    done = cogsym("plan", "--recipe", "llama-2-7b-jav", "--card", "24")
    assert done.code == 0, done.err
    assert "gradients" in done.out
    facts = json.loads(cogsym("plan", "--recipe", "llama-2-7b-jav", "--card", "24", "--json").out)
    assert facts["fits"] is True
    assert facts["memory"]["gradients"] == pytest.approx(3.76e9, rel=0.01)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--frozen", "4bit", "--select", "full"), "`frozen: 4bit` has nothing to work on"),
        (("--method", "lora", "--select", "subnetwork:1%"), "adapters beside whole matrices"),
        (("--order", "front_then_rear", "--select", "front:4"), "one end after the other"),
    ],
)
def test_what_no_machine_could_train_is_told_by_plan_and_dry_run(
    cogsym: Callable[..., Any], options: tuple[str, ...], message: str
) -> None:
    for command in (("plan", "--card", "80"), ("train", "--dry-run")):
        refused = cogsym(*command, "--recipe", "llama-2-7b-jav", *options)
        assert refused.code == 1
        assert message in " ".join(refused.err.split())


def test_the_command_counts_the_steps_where_the_data_is(
    cogsym: Callable[..., Any], tiny_base: Path, tmp_path: Path
) -> None:
    (tmp_path / "r.yaml").write_text(
        f"language: jav\nbase: {tiny_base}\nprompt: lines\nmax_tokens: 64\nbatch_size: 4\nepochs: 2\n"
        "data:\n  - {path: a.tsv, directions: [eng>jav]}\n"
    )
    call = ("plan", "--recipe", tmp_path / "r.yaml", "--no-measure", "--json")
    without = cogsym(*call)
    assert json.loads(without.out)["steps"] is None
    assert "time is told per step" in without.err
    (tmp_path / "a.tsv").write_text("eng\tjav\n" + "".join(f"the sun {n}\tthe moon {n}\n" for n in range(10)))
    assert json.loads(cogsym(*call).out)["steps"] == 6
    (tmp_path / "a.tsv").write_text("eng\tjav\nthe sun\tthe moon\tthe cup\n")
    broken = cogsym(*call)
    assert broken.code == 0
    assert json.loads(broken.out)["steps"] is None
    assert "the rows cannot be counted: " in broken.err
    assert "line 2" in broken.err


def test_the_command_plans_what_train_can_be_told(cogsym: Callable[..., Any]) -> None:
    def needed(*options: str) -> float:
        done = cogsym("plan", "--recipe", "llama-2-7b-jav", "--card", "24", "--json", *options)
        return float(json.loads(done.out)["needed_bytes"])

    usual = needed()
    assert needed("--frozen", "4bit") < 0.75 * usual
    assert needed("--order", "front_then_rear") < 0.9 * usual
    assert needed("--method", "lora") < 0.75 * usual


def test_the_command_fails_where_it_does_not_fit(cogsym: Callable[..., Any]) -> None:
    call = ("plan", "--recipe", "llama-2-7b-jav", "--card", "24", "--select", "full")
    done = cogsym(*call)
    assert done.code == 1
    assert "select: cogsym:25%" in done.err
    assert cogsym(*call, "--force").code == 0


def test_training_is_refused_before_it_starts_unless_forced(
    cogsym: Callable[..., Any], tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toolkit.training import needs as module

    monkeypatch.setattr(module, "free_memory_bytes", lambda: 1000)
    (tmp_path / "a.tsv").write_text("eng\tjav\nthe sun\tthe moon\nthe cup\tthe book\n")
    (tmp_path / "r.yaml").write_text(
        f"language: jav\nbase: {tiny_base}\nprompt: lines\nmax_tokens: 64\nmax_steps: 1\n"
        "data:\n  - {path: a.tsv, directions: [eng>jav]}\n"
    )
    call = ("train", "--recipe", tmp_path / "r.yaml", "--out", tmp_path / "run")
    done = cogsym(*call)
    assert done.code == 1
    assert "needs about 0.0 GB of memory" in done.err
    assert not (tmp_path / "run").exists()
    assert cogsym(*call, "--force").code == 0
    assert (tmp_path / "run" / "delta.safetensors").exists()


def test_a_ranked_selection_is_planned_for_the_layers_that_need_most(layout: ModelLayout, llama_recipe: Recipe) -> None:
    def planned(select: str, **fields: Any) -> Requirements:
        recipe = llama_recipe.model_copy(update={"select": select} | fields)
        return needs(recipe, layout, card_bytes=CARD, ranks=True)

    fisher, outer = planned("fisher:25%"), planned("cogsym:25%")
    assert fisher.trained_weights == outer.trained_weights
    assert fisher.memory.peak >= outer.memory.peak
    assert fisher.memory.gradients == outer.memory.gradients
    assert outer.ranking is None
    assert fisher.ranking is not None
    assert fisher.ranking.bytes > 2 * layout.n_weights, "the whole base lies in memory, and more"
    assert "gradients of 250 examples" in fisher.ranking.does
    assert fisher.fits
    spectra = planned("alpha:25%").ranking
    assert spectra is not None
    assert spectra.bytes == 16 * 4096 * 11008, "one matrix at a time"
    counting = planned("neurons-count:25%", select_rows=50).ranking
    assert counting is not None
    assert "up to 100 sentences in 2 languages" in counting.does


def test_a_subnetwork_needs_no_more_than_its_neurons(layout: ModelLayout, llama_recipe: Recipe) -> None:
    recipe = llama_recipe.model_copy(update={"select": "subnetwork:1%"})
    found = needs(recipe, layout, card_bytes=CARD)
    assert found.trained_weights <= 0.01 * layout.n_weights
    assert found.memory.gradients == 2 * found.trained_weights
    assert found.memory.optimizer < 3 * found.trained_weights


def test_what_is_drawn_like_a_ranked_selection_is_known_beforehand(layout: ModelLayout, llama_recipe: Recipe) -> None:
    recipe = llama_recipe.model_copy(update={"select": "random:fisher:25%"})
    (only,) = possible_selections(recipe, layout)
    assert only == resolve_recipe(recipe, layout, assumed="front")
    assert len(only.layers) == 8


@pytest.mark.parametrize("select", ["fisher:1", "alpha:7", "fisher:8", "neurons-count:100%"])
def test_assumed_layers_are_as_many_as_the_budget(layout: ModelLayout, llama_recipe: Recipe, select: str) -> None:
    recipe = llama_recipe.model_copy(update={"select": select})
    found = possible_selections(recipe, layout)
    (count,) = {len(selection.layers) for selection in found}
    assert all(layer in range(32) for selection in found for layer in selection.layers)
    assert count == {"fisher:1": 1, "alpha:7": 7, "fisher:8": 8, "neurons-count:100%": 32}[select]


def test_lora_trains_one_end_at_a_time_with_half_of_the_optimiser(layout: ModelLayout, llama_recipe: Recipe) -> None:
    lora = llama_recipe.model_copy(update={"method": "lora", "trained_dtype": "auto"})
    together = needs(lora, layout, card_bytes=CARD)
    apart = needs(lora.model_copy(update={"order": "front_then_rear"}), layout, card_bytes=CARD)
    assert together.memory.gradients == 4 * 16 * sum(
        sum(layout.shapes[name]) for name in resolve_recipe(lora, layout).parameters if len(layout.shapes[name]) > 1
    ), "adapters train in float32"
    assert apart.memory.gradients == pytest.approx(together.memory.gradients / 2, rel=0.01)
    assert apart.memory.optimizer == pytest.approx(together.memory.optimizer / 2, rel=0.01)
    assert apart.memory.weights == pytest.approx(together.memory.weights, rel=1e-3), "both adapters are always there"
    assert apart.flops_per_step < together.flops_per_step, "nothing is computed backwards below the rear"


def test_one_end_after_the_other_needs_two_ends(layout: ModelLayout, llama_recipe: Recipe) -> None:
    recipe = llama_recipe.model_copy(update={"order": "front_then_rear", "select": "fisher:1"})
    with pytest.raises(SelectionError, match="fisher:1 cannot have two ends"):
        needs(recipe, layout, card_bytes=CARD)
    assert needs(recipe.model_copy(update={"select": "fisher:8"}), layout, card_bytes=CARD).fits


def test_remedies_count_what_ranking_takes_and_only_layers_at_two_ends(
    layout: ModelLayout, llama_recipe: Recipe
) -> None:
    recipe = llama_recipe.model_copy(update={"order": "front_then_rear", "select": "fisher:25%"})
    small = needs(recipe, layout, card_bytes=16 * 2**30, ranks=True)
    assert not small.fits
    assert small.remedies, "layers that cannot have two ends are left aside here too"
    quantized = recipe.model_copy(update={"order": "together", "frozen": "4bit", "method": "lora"})
    ranked = needs(quantized, layout, card_bytes=14 * 2**30, ranks=True)
    assert ranked.memory.peak < 13 * GB < 2 * layout.n_weights < ranked.needed_bytes
    assert all("`select:" in each for each in ranked.remedies), "the base has to lie in memory whole to rank its layers"


def test_the_command_plans_a_ranked_selection(cogsym: Callable[..., Any]) -> None:
    done = cogsym("plan", "--recipe", "llama-2-7b-jav", "--card", "24", "--select", "fisher:25%")
    assert done.code == 0, done.err
    assert "fisher:25%: up to 1,881,210,880 weights (28%) train" in done.err
    assert "before training: gradients of 250 examples" in done.err


def test_the_command_measures_unless_told_otherwise(
    cogsym: Callable[..., Any], tiny_base: Path, tmp_path: Path
) -> None:
    (tmp_path / "r.yaml").write_text(f"language: jav\nbase: {tiny_base}\nmax_steps: 10\ndata: [{{path: a.tsv}}]\n")
    done = cogsym("plan", "--recipe", tmp_path / "r.yaml", "--select", "alpha:2")
    assert re.search(
        r"takes [\d.,]+ to [\d.,]+ (ms|s) per step, [\d.,]+ to [\d.,]+ (ms|s|min) for 10 steps", done.err
    ), done.err
    assert "timed on a layer of these shapes just now" in done.err
    assert re.search(r"finding them takes about 0.0 GB and [^,]+ (ms|s), before training: singular", done.err), done.err
    assert " per step" not in cogsym("plan", "--recipe", tmp_path / "r.yaml", "--no-measure").err


def test_a_base_that_is_too_large_to_be_tried_out_has_no_time(
    llama_recipe: Recipe, layout: ModelLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toolkit.training import pace

    monkeypatch.setattr(pace, "free_memory_bytes", lambda: 10**9)
    assert needs(llama_recipe, layout).time is None
