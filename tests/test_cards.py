"""Cards from records: what they say, what they leave out, and that every copy of a number is the same."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from card_records import BASE, DATA, POCKET_BASE, SCORES, SELECTION, evaluation, make_records

from hub_cards import CardFacts, collect, lint, render, write_card
from hub_cards.compared import take_over_full
from hub_cards.licences import LLAMA2_NOTICE
from hub_cards.metadata import read_front_matter
from toolkit.errors import CardError
from toolkit.records import Score
from toolkit.run_folder import RunFolder

GOLDEN = Path(__file__).parent / "golden" / "card.md"
NAME = "cogsym/llama-2-7b-cogsym-jav"


def card_of(root: Path, **changes: Any) -> str:
    """Text of the card of these records."""
    return render(collect(make_records(root / "run", **changes), NAME)).readme


def section(card: str, title: str) -> str:
    """The text below this heading."""
    return re.split(rf"(?m)^#+ {re.escape(title)}$", card)[1].split("\n## ")[0]


def test_a_card_of_plain_records_is_the_golden_card(tmp_path: Path) -> None:
    run = make_records(tmp_path / "run")
    write_card(run, name=NAME)
    text = run.card.read_text(encoding="utf-8")
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8"), (
        "if the change is meant: UPDATE_GOLDEN=1 pytest tests/test_cards.py"
    )


def test_page_model_index_benchmark_files_and_json_say_the_same_numbers_as_the_records(tmp_path: Path) -> None:
    run = make_records(tmp_path / "run", dataset="indonlp/NusaX-MT")
    write_card(run, name=NAME)
    readme = run.card.read_text(encoding="utf-8")
    measured = {
        (record.direction, score.metric, record.model): score.value
        for record in run.read_evaluations()
        for score in record.scores
    }
    assert len(measured) == 12
    names = {"jav": "Javanese", "eng": "English", "ind": "Indonesian"}
    facts = CardFacts.read(run.card_facts)
    index = read_front_matter(readme)["model-index"][0]["results"]
    benchmarks = yaml.safe_load((run.eval_results / "indonlp-nusax-mt.yaml").read_text())
    for (direction, metric, model), value in measured.items():
        shown = f"{value:.1f}"
        source, target = (names[code] for code in direction.split(">"))
        row = next(
            line
            for line in section(readme, "How well it translates").splitlines()
            if line.startswith(f"| {source} → {target} | {metric} |")
        )
        cell = row.split("|")[3 if model == "base" else 4]
        assert re.search(rf"(?<![\d.]){re.escape(shown)} \(", cell), (shown, row)
        fact = next(each for each in facts.scores if (each.direction, each.metric) == (direction, metric))
        assert fact.of(model).value == float(shown)  # type: ignore[union-attr]
        if model == "adapted":
            result = next(r for r in index if r["dataset"]["config"] == direction.replace(">", "-"))
            assert {m["name"]: m["value"] for m in result["metrics"]}[metric] == float(shown)
        if model == "adapted" and metric == "chrF++":
            task = f"NusaX_{direction.replace('>', '_')}"
            assert next(b["value"] for b in benchmarks if b["dataset"]["task_id"] == task) == float(shown)
    differences = {
        line.split("|")[-2].strip() for line in readme.splitlines() if line.startswith("| English → Javanese")
    }
    assert "+22.5" in differences  # 47.3 - 24.8, as a reader would subtract


def test_benchmark_files_are_left_out_where_the_hub_library_does_not_know_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    run = make_records(tmp_path / "run", dataset="indonlp/NusaX-MT")
    assert render(collect(run)).eval_results
    monkeypatch.setitem(sys.modules, "huggingface_hub", type(huggingface_hub)("huggingface_hub"))
    assert render(collect(run)).eval_results == {}


def test_hub_cards_imports_neither_the_hub_nor_a_plotting_or_model_library() -> None:
    code = "import hub_cards, sys; print([n for n in ('huggingface_hub', 'matplotlib', 'torch') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_front_matter_names_languages_base_and_tags_as_the_hub_wants_them(tmp_path: Path) -> None:
    fields = read_front_matter(card_of(tmp_path))
    assert fields["language"] == ["jv", "en"]
    assert fields["license"] == "llama2"
    assert fields["base_model"] == "meta-llama/Llama-2-7b-hf"
    assert fields["base_model_relation"] == "adapter"
    assert {"cogsym-delta", "jav_Latn", "arxiv:2604.00923"} <= set(fields["tags"])
    assert fields["metrics"] == ["chrf", "bleu"]
    assert "datasets" not in fields  # files, none of them a data set on the Hub


def test_a_local_base_is_never_given_to_the_hub_as_a_base_model(tmp_path: Path) -> None:
    fields = read_front_matter(card_of(tmp_path, base=BASE.model_copy(update={"id": "my-base", "licence": None})))
    assert "base_model" not in fields
    assert fields["license"] == "unknown"


def test_a_language_without_an_entry_in_the_registry_still_gets_a_card(tmp_path: Path) -> None:
    changes = {"language": "ita", "directions": ("eng>ita",), "known_languages": ()}
    card = card_of(tmp_path, config=changes, training={"language": "ita", "data": ()}, scores={})
    assert read_front_matter(card)["language"] == ["it", "en"]
    assert card.split("\n# ")[1].startswith("ita for Llama-2-7b-hf")


def test_what_was_not_measured_is_left_out(tmp_path: Path) -> None:
    card = card_of(tmp_path, scores={}, training={"energy_kwh": None, "peak_memory_bytes": None, "data": ()})
    assert "model-index" not in read_front_matter(card)
    assert "## How well it translates" not in card
    assert "No scores are known for this delta" in card
    assert "## Training data" not in card
    assert "kWh" not in card
    assert "None" not in card
    assert "chrF" not in card


def test_emissions_are_claimed_where_the_country_is_known_and_a_persons_own_figure_stays(tmp_path: Path) -> None:
    run = make_records(tmp_path / "run")
    write_card(run)
    card = run.card.read_text(encoding="utf-8")
    assert read_front_matter(card)["co2_eq_emissions"] == {
        "emissions": 1280.0,
        "source": "codecarbon",
        "training_type": "fine-tuning",
        "geographical_location": "Indonesia",
        "hardware_used": "NVIDIA GeForce RTX 4090",
    }
    assert "CO₂: 1.28 kg for that energy, by the mix of power of Indonesia" in section(
        card, "Hardware, time and energy"
    )
    unknown = {"emissions_grams": None, "country": None}
    run.read_training().model_copy(update=unknown).write(run.training_record)
    write_card(run)
    card = run.card.read_text(encoding="utf-8")
    assert "co2_eq_emissions" not in read_front_matter(card), "what is not known any more is not claimed any more"
    assert "CO₂" not in card
    assert "1.9 kWh" in card
    own = {"emissions": 40, "source": "the invoice of our own turbine"}
    run.card.write_text(card.replace("---\nlanguage:", f"---\nco2_eq_emissions: {own}\nlanguage:", 1), "utf-8")
    write_card(run)
    assert read_front_matter(run.card.read_text(encoding="utf-8"))["co2_eq_emissions"] == own


def test_a_delta_without_a_training_record_gets_a_card_without_recipe(tmp_path: Path) -> None:
    run = make_records(tmp_path / "run")
    run.training_record.unlink()
    card = render(collect(run, NAME)).readme
    assert "## Recipe" not in card
    assert "cogsym train" not in card
    assert "## How well it translates" in card


@pytest.mark.parametrize(
    ("base", "adapted", "word", "said"),
    [
        ((20.0, 1), (64.0, 1), "good", "is good on this test set. Other text can come out much worse"),
        ((20.0, 1), (60.5, 1), "fair", "is fair: good for drafts"),  # the interval reaches below 60
        ((20.0, 1), (40.5, 1), "weak", "is weak.** Expect wrong and missing words"),
        ((12.0, 1), (25.5, 1), "poor", "is poor.** Most sentences come out wrong"),
        ((50.0, 1), (49.0, 1), "worse", "is worse than the base**, which reaches 50.0. For that direction use"),
    ],
)
def test_the_word_for_a_direction_follows_from_the_lower_end_of_its_interval(
    tmp_path: Path, base: tuple[float, float], adapted: tuple[float, float], word: str, said: str
) -> None:
    card = card_of(tmp_path, scores={"eng>jav": ("target", {"chrF++": (base, adapted)})})
    row = next(line for line in card.splitlines() if line.startswith("| English → Javanese |"))
    assert row.split("|")[2].strip() == word
    assert said in section(card, "Limits and risks")


def test_a_gain_within_chance_is_no_gain_and_a_known_language_that_got_worse_is_named(tmp_path: Path) -> None:
    run = make_records(tmp_path / "run")
    for record in run.read_evaluations():
        if record.direction == "jav>eng" and record.model == "adapted":
            scores = tuple(score.model_copy(update={"p_value": 0.3}) for score in record.scores)
            path = run.evaluation_records / f"{record.task}.adapted.json"
            record.model_copy(update={"scores": scores}).write(path)
    limits = section(render(collect(run)).readme, "Limits and risks")
    assert "**Javanese → English (chrF++ 36.9 on NusaX) is no better than the base.** The adaptation has not" in limits
    assert "**English → Indonesian has got worse**: chrF++ 57.3 before, 54.1 now (−3.2)" in limits


def test_both_numbers_of_a_loss_have_their_digits(tmp_path: Path) -> None:
    scores = {**SCORES, "eng>ind": ("known", {"chrF++": ((57.0, 1.0), (54.0, 1.0))})}
    assert "chrF++ 57.0 before, 54.0 now (−3.0)" in card_of(tmp_path, scores=scores)
    scores = {**SCORES, "eng>ind": ("known", {"COMET-22": ((0.81, 0.01), (0.7, 0.01))})}
    assert "COMET-22 0.810 before, 0.700 now (−0.110)" in card_of(tmp_path, scores=scores)


def test_a_known_language_that_stayed_is_not_called_worse(tmp_path: Path) -> None:
    scores = {**SCORES, "eng>ind": ("known", {"chrF++": ((57.2, 1.0), (58.1, 1.0))})}
    assert "got worse" not in card_of(tmp_path, scores=scores)


def test_trained_but_untested_directions_and_small_tests_are_said(tmp_path: Path) -> None:
    run = make_records(tmp_path / "run", scores={"eng>jav": SCORES["eng>jav"]})
    for path in run.evaluation_records.glob("*.json"):
        record = next(r for r in run.read_evaluations() if path.name == f"{r.task}.{r.model}.json")
        record.model_copy(update={"n": 40}).write(path)
    limits = section(render(collect(run)).readme, "Limits and risks")
    assert "`jav>eng` was trained but not tested" in limits
    assert "**A small test**: `eng>jav` on 40 sentences of NusaX. These numbers are rough." in limits


def test_machine_translated_and_non_commercial_data_pass_into_the_limits(tmp_path: Path) -> None:
    limits = section(card_of(tmp_path), "Limits and risks")
    assert "**Machine-translated training data** (`alpaca_jav.json`)" in limits
    assert "**Data for non-commercial use** (`alpaca_jav.json`)" in limits


PHRASEBOOK = DATA[1].model_copy(
    update={"name": "phrases.tsv", "origin": "phrasebook", "licence": "cc0-1.0", "weight": 1.0, "identified": ()}
)
OWN = DATA[1].model_copy(update={"name": "train.tsv", "origin": None, "licence": None, "weight": 1.0, "identified": ()})


def test_a_pocket_card_says_that_it_is_an_unreviewed_phrasebook(tmp_path: Path) -> None:
    card = card_of(tmp_path, base=POCKET_BASE, training={"data": (PHRASEBOOK,)})
    assert "demonstration on a very small model**. It has learnt a phrasebook, not the language." in card
    limits = section(card, "Limits and risks")
    assert "**Phrasebook sentences** (`phrases.tsv`)" in limits
    assert "no native speaker has reviewed them yet" in limits
    fields = read_front_matter(card)
    assert fields["license"] == "apache-2.0"
    assert "base_model" not in fields


def test_sentences_of_ones_own_are_no_phrasebook_though_the_pocket_learnt_them_and_a_phrasebook_was_replayed(
    tmp_path: Path,
) -> None:
    replayed = PHRASEBOOK.model_copy(update={"role": "replay", "languages": ("eng", "ind")})
    card = card_of(tmp_path, base=POCKET_BASE, training={"data": (OWN, replayed)})
    prose = card.replace(section(card, "Training data"), "")  # whose table says how the replayed rows came to be
    assert "hrasebook" not in prose
    assert "**This is a demonstration on a very small model** of 2.06 million weights, too few to know a lang" in card


def test_every_source_stands_with_its_role_and_its_licence_or_that_none_is_recorded(tmp_path: Path) -> None:
    replayed = PHRASEBOOK.model_copy(update={"name": "known-train.tsv", "role": "replay"})
    told = section(card_of(tmp_path, training={"data": (OWN, replayed)}), "Licence and notices")
    assert "- `train.tsv`, which teaches the new language: **no licence is recorded**\n" in told
    assert "- `known-train.tsv`, which keeps a known one: CC0 1.0\n" in told
    assert "Where none is recorded, ask those who hold the rights" in told
    told = section(card_of(tmp_path / "all", training={"data": (PHRASEBOOK,)}), "Licence and notices")
    assert "recorded" not in told


@pytest.mark.parametrize(
    ("stop", "shown"),
    [("\n", '"&#92;n"'), ("\n\n", '"&#92;n&#92;n"'), (" ", '" "'), ("", '""'), ("###", "###"), (["\n"], '["&#92;n"]')],
)
def test_a_setting_that_nobody_would_see_is_shown_in_quotes(tmp_path: Path, stop: Any, shown: str) -> None:
    run = make_records(tmp_path / "run")
    for record in run.read_evaluations():
        path = run.evaluation_records / f"{record.task}.{record.model}.json"
        record.model_copy(update={"decoding": {"stop": stop}}).write(path)
    rows = [line for line in render(collect(run)).readme.splitlines() if line.startswith("| `NusaX_eng_jav`")]
    cell = html.unescape(rows[0].split("|")[5].strip(" `").removeprefix("<code>").removesuffix("</code>"))
    assert cell == f"stop: {html.unescape(shown)}"


def test_other_runs_get_a_column_of_their_own(tmp_path: Path) -> None:
    run = make_records(tmp_path / "run")
    score = Score(metric="chrF++", value=48.9, low=48.0, high=49.8, signature=collect(run).scores[0].signature)
    record = evaluation("eng>jav", "full", "target", (score,))
    record.write(run.evaluation_records / f"{record.task}.full.json")
    card = render(collect(run)).readme
    assert "| This delta | Change | Full training |" in card
    row = next(line for line in card.splitlines() if line.startswith("| English → Javanese | chrF++ |"))
    assert row == "| English → Javanese | chrF++ | 24.8 (24.2–25.4) | **47.3 (46.4–48.2)** | +22.5 | 48.9 (48.0–49.8) |"


FULL_SELECTION = SELECTION.model_copy(update={"method": "full", "budget": None, "trained_weights": 6_738_415_616})


def full_run(root: Path, **changes: Any) -> RunFolder:
    """A run that trained every weight, measured on one of the three tests."""
    scores = {"eng>jav": ("target", {"chrF++": ((24.81, 0.6), (48.92, 0.9)), "BLEU": ((2.13, 0.4), (18.4, 1.2))})}
    changes.setdefault("config", {"selection": FULL_SELECTION})
    changes.setdefault("training", {"selection": FULL_SELECTION, "seconds": 52_000.0})
    return make_records(root, **{"scores": scores, **changes})


def test_the_scores_of_a_full_fine_tune_stand_beside_those_of_the_delta(tmp_path: Path, cogsym: Any) -> None:
    run, full = make_records(tmp_path / "run"), full_run(tmp_path / "full")
    training = full.read_training()
    recipe = {**training.recipe, "select": "full", "learning_rate": 1e-5}
    training.model_copy(update={"recipe": recipe}).write(full.training_record)
    assert cogsym("card", run.root, "--full", full.root, "--name", NAME).code == 0
    card = run.card.read_text(encoding="utf-8")
    shown = section(card, "How well it translates")
    assert (
        "| English → Javanese | chrF++ | 24.8 (24.2–25.4) | **47.3 (46.4–48.2)** | +22.5 | 48.9 (48.0–49.8) |" in shown
    )
    assert "| Javanese → English | chrF++ | 33.0 (32.2–33.8) | **36.9 (36.0–37.8)** | +3.9 | – |" in shown
    assert "| English → Indonesian | chrF++ | 57.3 (56.5–58.1) | **54.1 (53.3–54.9)** | −3.2 |\n" in shown
    assert (
        "*Full training* is the same base with every weight trained on the same data: 6.74 billion weights, 6,533 "
        "steps, 14 h 26 min on NVIDIA GeForce RTX 4090. Its recipe also differs in `learning_rate: 1e-05`." in shown
    )
    index = read_front_matter(card)["model-index"][0]["results"]
    assert index[0]["metrics"][0]["value"] == 47.3, "machines read the scores of what is published here"
    assert (run.samples / "NusaX_eng_jav.full.jsonl").read_bytes() == (
        full.samples / "NusaX_eng_jav.adapted.jsonl"
    ).read_bytes()
    assert cogsym("card", run.root).code == 0
    assert run.card.read_text(encoding="utf-8") == card, "the records stay with the run"
    assert lint(card, run.root) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"config": {"selection": SELECTION}}, "full trained cogsym, not every weight"),
        ({"config": {"selection": FULL_SELECTION, "language": "sun"}}, "full is about sun on meta-llama"),
        ({"training": {"selection": FULL_SELECTION, "data": ()}}, "full was trained on other rows than run"),
        ({"scores": {}}, "full was evaluated on none of the tests of run"),
    ],
)
def test_a_run_that_cannot_be_compared_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    run, full = make_records(tmp_path / "run"), full_run(tmp_path / "full", **changes)
    before = sorted(run.root.rglob("*"))
    with pytest.raises(CardError, match=message):
        take_over_full(run, full)
    assert sorted(run.root.rglob("*")) == before


def test_a_full_fine_tune_on_what_was_the_data_before_is_refused(tmp_path: Path) -> None:
    run = make_records(tmp_path / "run")
    take_over_full(run, full_run(tmp_path / "full"))
    run.read_training().model_copy(update={"data": ()}).write(run.training_record)
    with pytest.raises(
        CardError, match=r"the full fine-tune in records/training\.full\.json was trained on other rows"
    ):
        collect(run)


def test_contradicting_records_are_refused_with_what_to_do(tmp_path: Path) -> None:
    run = make_records(tmp_path / "run")
    run.read_config().model_copy(update={"delta_sha256": "0" * 64}).write(run.config)
    with pytest.raises(CardError, match=r"the delta: records/delta.json says d{12}, config.json says 0{12}"):
        collect(run)
    run = make_records(tmp_path / "other")
    record = run.read_evaluations()[0]
    record.model_copy(update={"delta_sha256": "0" * 64}).write(run.evaluation_records / f"{record.task}.adapted.json")
    with pytest.raises(CardError, match=r"the evaluation .* says 0{12}, config.json says d{12}") as refused:
        collect(run)
    assert refused.value.hint == "run `cogsym evaluate` again"


def test_a_score_computed_in_two_ways_is_refused(tmp_path: Path) -> None:
    run = make_records(tmp_path / "run")
    record = next(r for r in run.read_evaluations() if r.model == "base")
    scores = tuple(score.model_copy(update={"signature": "another"}) for score in record.scores)
    record.model_copy(update={"scores": scores}).write(run.evaluation_records / f"{record.task}.base.json")
    with pytest.raises(CardError, match="was computed in two ways"):
        collect(run)


def test_making_a_card_again_keeps_what_a_person_has_written(tmp_path: Path) -> None:
    run = make_records(tmp_path / "run")
    write_card(run, name=NAME)
    mine = "Ngoko only.\n\n\n| a | b |\n|---|---|\n  ```\n{{ facts }} {% raw %} \\1 \\g<0>\n  ```\nSiti"
    text = run.card.read_text(encoding="utf-8")
    text = re.sub(r"(<!-- yours: limits[^\n]*\n)", lambda m: m.group(1) + mine + "\n", text)
    text += "\n<!-- yours: thanks -->\nTo everyone.\n<!-- end of yours -->\n"
    text = text.replace("---\nlanguage:", "---\nthumbnail: https://example.org/a.png\nlanguage:")
    run.card.write_text(text, encoding="utf-8")
    write_card(run, name=NAME)
    renewed = run.card.read_text(encoding="utf-8")
    assert mine in section(renewed, "Limits and risks")
    assert "To everyone." in renewed
    assert read_front_matter(renewed)["thumbnail"] == "https://example.org/a.png"
    write_card(run)
    assert run.card.read_text(encoding="utf-8") == renewed


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("<!-- yours: a -->\ntext", "the section `yours: a` of the card is not closed"),
        ("<!-- end of yours -->", "a marker without its partner"),
        ("<!-- yours: a -->\n<!-- yours: b -->\n<!-- end of yours -->", "a marker without its partner"),
        ("<!-- yours: limits -->\nx\n<!-- end of yours -->", "two sections `yours: limits`"),
    ],
)
def test_damaged_markers_stop_the_card_before_anything_is_lost(tmp_path: Path, damage: str, message: str) -> None:
    run = make_records(tmp_path / "run")
    write_card(run)
    before = run.card.read_text(encoding="utf-8") + "\n" + damage + "\n"
    run.card.write_text(before, encoding="utf-8")
    with pytest.raises(CardError, match=re.escape(message)):
        write_card(run)
    assert run.card.read_text(encoding="utf-8") == before


def test_writing_twice_changes_no_file_and_stale_files_go(tmp_path: Path) -> None:
    run = make_records(tmp_path / "run", dataset="indonlp/NusaX-MT")
    files = write_card(run)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}
    assert write_card(run) == files
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files} == before
    for path in run.evaluation_records.glob("*.json"):
        path.unlink()
    write_card(run)
    assert not (run.figures / "scores.png").exists()
    assert not list(run.eval_results.glob("*"))


def test_the_name_is_the_hub_id_once_given_else_the_folder(tmp_path: Path) -> None:
    run = make_records(tmp_path / "my-run")
    write_card(run)
    assert "cogsym translate my-run " in run.card.read_text(encoding="utf-8")
    write_card(run, name=NAME)
    write_card(run)
    assert f"cogsym translate {NAME} " in run.card.read_text(encoding="utf-8")
    with pytest.raises(CardError, match="neither a Hub id nor the name of a folder"):
        write_card(run, name="a/b/c")


def test_llama_2_brings_its_notice_policy_and_clause_on_outputs(tmp_path: Path) -> None:
    run = make_records(tmp_path / "run")
    write_card(run)
    assert (run.root / "NOTICE.txt").read_text() == LLAMA2_NOTICE + "\n"
    assert LLAMA2_NOTICE == (
        "Llama 2 is licensed under the LLAMA 2 Community License, "
        "Copyright (c) Meta Platforms, Inc. All Rights Reserved."
    )
    assert "https://ai.meta.com/llama/use-policy/" in (run.root / "USE_POLICY.md").read_text()
    assert not (run.root / "LICENSE.txt").exists()
    licence = section(run.card.read_text(encoding="utf-8"), "Licence and notices")
    assert "[Meta's page](https://ai.meta.com/llama/license/)" in licence
    assert "may not be used to improve any other large language model" in licence


def test_licence_files_of_the_base_are_copied_and_stay_when_the_base_is_gone(tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    (base / "LICENSE.txt").write_text("the whole agreement")
    (base / "USE_POLICY.md").write_text("the whole policy")
    (base / "Notice").write_text("someone else's notice")
    run = make_records(tmp_path / "run")
    write_card(run, base=base)
    for _ in range(2):
        assert (run.root / "LICENSE.txt").read_text() == "the whole agreement"
        assert (run.root / "USE_POLICY.md").read_text() == "the whole policy"
        assert (run.root / "NOTICE.txt").read_text() == f"{LLAMA2_NOTICE}\nsomeone else's notice"
        assert "[LICENSE.txt](LICENSE.txt)" in run.card.read_text(encoding="utf-8")
        write_card(run)


def test_figures_are_pictures_with_words_for_those_who_do_not_see_them(tmp_path: Path) -> None:
    run = make_records(tmp_path / "run")
    write_card(run)
    for name in ("scores.png", "layers.png"):
        assert (run.figures / name).read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        assert re.search(rf"!\[[^\]]{{20,}}\]\(figures/{name}\)", run.card.read_text(encoding="utf-8"))


def test_card_command_writes_the_card_and_tells_what_it_wrote(cogsym: Any, tmp_path: Path) -> None:
    run = make_records(tmp_path / "run")
    done = cogsym("card", run.root, "--name", NAME)
    assert done.code == 0, done.err
    assert str(run.card) in done.out
    assert f"cogsym translate {NAME}" in run.card.read_text(encoding="utf-8")
    elsewhere = tmp_path / "look"
    assert cogsym("card", run.root, "--out", elsewhere).code == 0
    assert RunFolder(elsewhere).card.read_bytes() == run.card.read_bytes()


def test_card_command_refuses_a_folder_without_records(cogsym: Any, tmp_path: Path) -> None:
    done = cogsym("card", tmp_path)
    assert done.code == 1
    assert "config.json cannot be read" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"method": "subnetwork", "budget": "1%", "layers": (0, 3), "neurons": {0: (1, 5), 3: (2,)}},
            "Trained by `subnetwork:1%`: 3 feed-forward neurons in the decoder layers 0 and 3 of 32.",
        ),
        (
            {"method": "ffn", "budget": "full", "layers": tuple(range(32))},
            "Trained by `ffn:full`: the feed-forward matrices of all 32 decoder layers.",
        ),
    ],
)
def test_a_card_says_which_part_of_the_layers_trained(tmp_path: Path, fields: dict[str, Any], sentence: str) -> None:
    selection = SELECTION.model_copy(update=fields | {"embeddings": False, "head": False})
    assert sentence in card_of(tmp_path, config={"selection": selection}, training={"selection": selection})


@pytest.mark.parametrize(
    ("training", "text"),
    [
        (
            {"method": "lora", "trained_parameters": 12_300_000},
            "adapters of rank 8, 12.30 million numbers in all,",
        ),
        ({"method": "neurons"}, "only the rows and columns of chosen neurons trained"),
        (
            {"recipe": {"order": "rear_then_front"}},
            "one after the other (`rear_then_front`), each for half",
        ),
        ({"recipe": {"frozen": "4bit"}}, "were kept in 4 bits meanwhile; the delta is against the base itself"),
        ({"backend": "unsloth"}, "Trained with unsloth."),
    ],
)
def test_how_the_selection_trained_is_told(tmp_path: Path, training: dict[str, Any], text: str) -> None:
    assert text not in card_of(tmp_path / "plain")
    training = training | {"recipe": {"lora_rank": 8} | training.get("recipe", {})}
    assert text in card_of(tmp_path / "told", training=training)


def test_the_card_says_how_sources_were_weighed_and_what_their_language_looked_like(tmp_path: Path) -> None:
    card = card_of(tmp_path)
    assert "parallel, drawn 2.5 times" in card
    assert "- `nusax_train.csv`: `eng` 99% of 500 rows, `jav` not identified\n" in card
    assert "- `alpaca_jav.json`: `jav`" not in card
