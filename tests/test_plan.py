"""What a recipe needs: the arithmetic of memory and time, what would make it fit, and the command that says so."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from toolkit.errors import OutputError, TrainingError
from toolkit.pretrained import resolve_config
from toolkit.recipe import Recipe, make_recipe, read_recipe
from toolkit.recipes import find_recipe
from toolkit.selection import ModelLayout, read_layout, resolve_selection
from toolkit.training import Requirements, refuse_what_cannot_fit, requirements
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
    return requirements(recipe, LLAMA, layout, resolve_selection(recipe.select, layout), **options)


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
        ({"adapter_weights": 10_000_000}, "gradients", "less"),
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
    assert found.seconds_per_step is None, "another machine's speed is not known"


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


def test_time_is_estimated_from_the_examples(tiny_base: Path) -> None:
    recipe = make_recipe({"language": "jav", "base": str(tiny_base), "data": [{"path": "a.tsv"}], "epochs": 2})
    from toolkit.prompts import Example

    layout, selection = read_layout(tiny_base), resolve_selection("cogsym:2", read_layout(tiny_base))
    examples = [Example("the sun", " the moon", "a")] * 80
    known = requirements(recipe, tiny_base, layout, selection, examples=examples)
    unknown = requirements(recipe, tiny_base, layout, selection)
    assert (known.steps, unknown.steps) == (20, None)
    assert known.mean_tokens < unknown.mean_tokens == 512
    assert known.seconds is not None
    assert unknown.seconds is None
    assert unknown.seconds_per_step is not None


def test_the_command_plans_llama_without_its_weights(cogsym: Callable[..., Any]) -> None:
    done = cogsym("plan", "--recipe", "llama-2-7b-jav", "--card", "24")
    assert done.code == 0, done.err
    assert "gradients" in done.out
    facts = json.loads(cogsym("plan", "--recipe", "llama-2-7b-jav", "--card", "24", "--json").out)
    assert facts["fits"] is True
    assert facts["memory"]["gradients"] == pytest.approx(3.76e9, rel=0.01)


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


def test_a_ranked_selection_is_not_planned_but_what_to_plan_instead_is_said(cogsym: Callable[..., Any]) -> None:
    done = cogsym("plan", "--recipe", "llama-2-7b-jav", "--card", "24", "--select", "fisher:25%")
    assert done.code == 1
    assert "--select cogsym:25%" in done.err
