"""The translation page without a browser: what it offers, says, escapes and keeps, and its endpoints for programs."""

from __future__ import annotations

import json
import re
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import card_records
import pytest
from conftest import WORDS, Outcome

from hub_cards import collect
from toolkit.cli.space import page_folder
from toolkit.errors import BaseModelError
from toolkit.languages import Direction, Names, all_languages, get_language
from toolkit.records import DeltaInfo, EvaluationRecord, Score, TensorChange
from toolkit.run_folder import RunFolder

sys.path.insert(0, str(page_folder()))

import comparison
import facts
import visits
from catalogue import Catalogue, open_catalogue
from examples import EXAMPLES
from feedback import LIMIT_A_MINUTE, Entry, FeedbackStore
from interface_texts import ENGLISH, INDONESIAN, INTERFACES, choose_interface, say
from language_names import label, tag
from settings import Settings, read_settings

EVIL = "<script>alert(1)</script> <img src=x onerror=alert(1)> {text} `x` | **b**"


@pytest.fixture(scope="module")
def catalogue(tiny_base: Path, tiny_deltas: dict[str, Path]) -> Catalogue:
    return open_catalogue(Settings(base=str(tiny_base), deltas=tuple(map(str, tiny_deltas.values()))))


def evaluation(model: str, direction: str, value: float, dataset: str = "held-out") -> EvaluationRecord:
    """A record as the card tests make them, with this score."""
    score = Score(metric="chrF++", value=value, low=value - 2, high=value + 2, signature="chrF2++|v:2")
    made = card_records.evaluation(direction, model, "target", (score,), dataset)
    return made.model_copy(update={"n": 200, "samples": ()})


def measured(run: Path, model: str, direction: str, value: float, dataset: str = "held-out") -> None:
    path = RunFolder(run).evaluation_records / f"{model}-{direction.replace('>', '-')}.json"
    evaluation(model, direction, value, dataset).write(path)


# Settings and texts


def test_settings_come_from_the_environment() -> None:
    environment = {
        "COGSYM_BASE": "pocket",
        "COGSYM_DELTAS": "org/a@abc\n\n  runs/b \n",
        "COGSYM_FOLDER": "deltas",
        "COGSYM_OWNERS": "org\nana",
        "COGSYM_FEEDBACK": "fb",
    }
    assert read_settings(environment) == Settings(
        base="pocket",
        deltas=("org/a@abc", "runs/b"),
        folder=Path("deltas"),
        owners=("org", "ana"),
        feedback=Path("fb"),
    )
    sent = read_settings({"COGSYM_FEEDBACK_DATASET": "org/said"})
    assert (sent.feedback, sent.feedback_dataset) == (Path("feedback"), "org/said")
    assert read_settings({}) == Settings()


def test_every_text_is_in_every_interface_language_with_the_same_fields() -> None:
    def fields(text: str) -> set[str]:
        return set(re.findall(r"\{(\w+)\}", text))

    for texts in INTERFACES.values():
        assert texts.keys() == ENGLISH.keys()
        assert {key: fields(text) for key, text in texts.items()} == {k: fields(t) for k, t in ENGLISH.items()}
    assert INDONESIAN["translate"] != ENGLISH["translate"]


@pytest.mark.parametrize(
    ("header", "interface"),
    [("id-ID,id;q=0.9,en;q=0.8", "id"), ("en-GB", "en"), ("fr,id;q=0.5", "id"), ("xx", "en"), (None, "en"), ("", "en")],
)
def test_the_page_speaks_the_first_language_that_the_browser_asks_for(header: str | None, interface: str) -> None:
    assert choose_interface(header) == interface


def test_a_visitors_words_are_never_taken_for_fields() -> None:
    text = say("en", "too_long", count=3, limit=2, sentence="{count} {limit} {sentence}")
    assert "“{count} {limit} {sentence}”" in text


def test_languages_are_found_by_own_name_english_name_and_code() -> None:
    assert label(get_language("jav")) == "Basa Jawa · Javanese · Ngoko · jav"
    assert label(get_language("sun")) == "Basa Sunda · Sundanese · sun"
    assert label(get_language("eng")) == "English · eng"
    accented = get_language("jav").model_copy(
        update={
            "code": "tur",
            "names": Names(own="Türkçe", english="Turkish", aliases=("İstanbul Türkçesi",)),
        }
    )
    assert label(accented) == "Türkçe · Turkish · İstanbul Türkçesi · Turkce · Istanbul Turkcesi · tur"


@pytest.mark.parametrize(
    ("code", "expected"), [("jav", "jv"), ("eng", "en"), ("cmn", "zh-Hans"), ("npi", "ne-Deva"), ("ban", "ban")]
)
def test_text_says_its_script_where_that_is_not_latin(code: str, expected: str) -> None:
    assert tag(get_language(code)) == expected


def test_a_language_without_a_code_of_its_own_has_a_page_too(
    tiny_base: Path, tiny_deltas: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = get_language("jav").model_copy(update={"code": "qaa", "iso639_1": None})
    monkeypatch.setitem(all_languages(), "qaa", local)
    run = Path(shutil.copytree(tiny_deltas["jav"], tmp_path / "qaa"))
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(
        json.dumps({**config, "language": "qaa", "directions": ["eng>qaa", "qaa>eng"]}), encoding="utf-8"
    )
    page = open_catalogue(Settings(base=str(tiny_base), deltas=(str(run),)))
    assert 'data-target-lang="qaa"' in facts.direction_facts(page, Direction("eng", "qaa"), "en")


def test_every_script_of_the_registry_has_fonts_named_for_it() -> None:
    styles = (page_folder() / "page.css").read_text(encoding="utf-8")
    scripts = {language.script for language in all_languages().values()} - {"Latn"}
    assert scripts
    for script in scripts:
        assert re.search(rf'\[lang\$="-{script}"\][^{{}}]*{{[^}}]*--script:', styles), (
            f"page.css names no font for {script}"
        )


def test_values_that_run_from_the_right_keep_their_punctuation() -> None:
    assert "“\u2068كتاب…\u2069”" in say("en", "too_long", count=3, limit=2, sentence="كتاب…")
    assert say("en", "by_delta", language="Basa Jawa") == "Basa Jawa adaptation"


def test_examples_fit_one_sentence_prompts_and_known_languages() -> None:
    for code, sentences in EXAMPLES.items():
        get_language(code)
        assert all(0 < len(sentence) < 80 for sentence in sentences)


# The catalogue


def test_the_page_offers_what_its_deltas_serve(catalogue: Catalogue) -> None:
    assert [language.code for language in catalogue.sources()] == ["eng", "jav", "sun"]
    assert [language.code for language in catalogue.targets("eng")] == ["jav", "sun"]
    assert catalogue.first_direction() == Direction("eng", "jav")
    assert catalogue.served("eng", "jav") == Direction("eng", "jav")
    for source, target in [("jav", "sun"), ("eng", "eng"), ("xxx", "jav"), (None, "jav"), ("eng", None), ("", "")]:
        assert catalogue.served(source, target) is None


def test_broken_deltas_are_left_out_with_a_reason_and_the_page_stays_up(
    tiny_base: Path, tiny_deltas: dict[str, Path], tmp_path: Path
) -> None:
    damaged, hostile, foreign = tmp_path / "damaged", tmp_path / "hostile", tmp_path / "foreign"
    for folder in (damaged, hostile, foreign):
        shutil.copytree(tiny_deltas["sun"], folder)
    data = (damaged / "delta.safetensors").read_bytes()
    (damaged / "delta.safetensors").write_bytes(data[: len(data) // 2])
    (hostile / "config.json").write_text("[" * 100_000)
    config = json.loads((foreign / "config.json").read_text())
    (foreign / "config.json").write_text(json.dumps({**config, "language": "xxx"}))
    deltas = [damaged, hostile, tiny_deltas["jav"], foreign, tmp_path / "missing"]
    page = open_catalogue(Settings(base=str(tiny_base), deltas=tuple(map(str, deltas))))
    assert list(page.translator.adaptations) == ["jav"]
    assert [one.name for one in page.skipped] == ["damaged", "hostile", "foreign", "missing"]
    assert all(one.reason for one in page.skipped)
    assert page.translator.translate("sun.", "eng>jav") == "moon."
    notes = facts.skipped_notes(page, "en")
    assert notes.count('class="warning"') == 4
    assert str(tmp_path) not in notes


def test_a_base_that_is_not_there_stops_the_page_with_a_reason(tmp_path: Path) -> None:
    with pytest.raises(BaseModelError, match="no base model at"):
        open_catalogue(Settings(base=str(tmp_path / "nothing")))


# One visit


def views(catalogue: Catalogue, text: str, compare: bool = False, target: str = "jav") -> list[visits.View]:
    return list(visits.translate(catalogue, visits.Running(), "me", text, "eng", target, compare, "en"))


def test_a_visit_begins_grows_and_ends(catalogue: Catalogue) -> None:
    seen = views(catalogue, "sun.\nmoon.")
    assert seen[0].running
    assert not seen[-1].running
    assert seen[-1].translation == "moon.\nriver."
    assert "tokens/s" in seen[-1].status
    assert not seen[-1].problem
    assert not seen[-1].base_translation


def test_the_base_is_shown_beside_on_demand(catalogue: Catalogue) -> None:
    last = views(catalogue, "sun.", compare=True)[-1]
    assert last.translation == "moon."
    assert last.base_translation
    assert last.base_translation != "moon."


@pytest.mark.parametrize(
    ("text", "target", "message"),
    [
        ("", "jav", "Write something first"),
        ("sun", "ind", "No model here translates from English to Bahasa Indonesia"),
        ("sun", "", "No language can be translated"),
        ("sun moon " * 100, "jav", "One sentence has"),
        ("a. " * 400_000, "jav", "1,200,000 characters"),
    ],
)
def test_what_cannot_be_translated_is_said_inline(catalogue: Catalogue, text: str, target: str, message: str) -> None:
    (only,) = views(catalogue, text, target=target)
    assert message in only.problem
    assert 'role="alert"' in only.problem
    assert not only.running


def test_what_a_visitor_writes_is_never_markup(catalogue: Catalogue) -> None:
    problem = visits.problem_html(visits.problem_with(catalogue, EVIL + " sun" * 200, "eng", "jav", "en"))
    assert "&lt;script&gt;" in problem
    assert "<script" not in problem
    assert "<img" not in problem


def test_a_failure_is_a_sentence_and_the_next_visit_works(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("secret detail")

    with monkeypatch.context() as broken:
        broken.setattr(catalogue.translator, "_answer", fail)
        last = views(catalogue, "sun.")[-1]
    assert "it is not your text" in last.problem
    assert "secret" not in last.problem
    assert views(catalogue, "sun.")[-1].translation == "moon."


def test_a_visitor_stops_their_own_translation_alone(catalogue: Catalogue) -> None:
    running = visits.Running()
    mine = visits.translate(catalogue, running, "me", "sun.", "eng", "jav", True, "en")
    next(mine)
    running.stop("somebody else")
    running.stop("me")
    last = list(mine)[-1]
    assert "Stopped" in last.status
    assert not last.running


def test_a_new_translation_stops_the_same_visitors_earlier_one() -> None:
    running = visits.Running()
    first, other = running.start("me"), running.start("you")
    second = running.start("me")
    assert first.is_set()
    assert not second.is_set()
    assert not other.is_set()
    running.finish("me", first)
    running.stop("me")
    assert second.is_set()


# Facts


def test_facts_come_from_the_records_and_the_unmeasured_is_left_out(
    tiny_base: Path, tiny_deltas: dict[str, Path], tmp_path: Path
) -> None:
    run = tmp_path / "jav"
    shutil.copytree(tiny_deltas["jav"], run)
    measured(run, "adapted", "eng>jav", 71.25)
    measured(run, "base", "eng>jav", 12.5)
    measured(run, "adapted", "jav>eng", 21.0, dataset=EVIL)
    page = open_catalogue(Settings(base=str(tiny_base), deltas=(str(run),)))
    strong = facts.direction_facts(page, Direction("eng", "jav"), "en")
    assert "chrF++ 71.2 (69.2–73.2)" in strong
    assert "before: 12.5 (10.5–14.5)" in strong
    assert "200 sentences, held-out" in strong
    assert "warning" not in strong
    assert "Licence" not in strong
    weak = facts.direction_facts(page, Direction("jav", "eng"), "en")
    assert "This direction is poor" in weak
    assert "before" not in weak
    assert "<script" not in weak
    assert "&lt;script&gt;" in weak
    table = facts.languages_table(page, "en")
    assert table.count("<tr>") == 3
    assert "71.2" in table
    assert "not measured" in table
    assert "<script" not in table


@pytest.mark.parametrize(
    ("base", "adapted", "word", "said"),
    [
        (12.0, 71.2, "good", None),
        (12.0, 41.5, "weak", "weak"),  # the interval reaches below 40, where the value does not
        (12.0, 41.96, "fair", None),  # 39.96 is shown as 40.0
        (3.1, 8.5, "poor", "poor"),
        (41.0, 42.0, "no gain", "no_gain"),
        (60.0, 50.0, "worse", "worse"),
    ],
)
def test_the_page_and_the_card_have_one_word_for_a_direction(
    tiny_base: Path, tiny_deltas: dict[str, Path], tmp_path: Path, base: float, adapted: float, word: str, said: str
) -> None:
    run = Path(shutil.copytree(tiny_deltas["jav"], tmp_path / "jav"))
    measured(run, "base", "eng>jav", base)
    measured(run, "adapted", "eng>jav", adapted)
    page = open_catalogue(Settings(base=str(tiny_base), deltas=(str(run),)))
    shown = facts.direction_facts(page, Direction("eng", "jav"), "en")
    for key in ("weak", "poor", "no_gain", "worse"):
        assert (ENGLISH[key] in shown) == (key == said)
    card = card_records.make_records(tmp_path / "card", scores={})
    for model, value in (("base", base), ("adapted", adapted)):
        evaluation(model, "eng>jav", value).write(card.evaluation_records / f"{model}.json")
    assert [verdict.grade for verdict in collect(card).verdicts] == [word]


def test_what_the_base_serves_has_one_value_before_and_what_each_delta_left_of_it(
    tiny_base: Path, tiny_deltas: dict[str, Path], tmp_path: Path
) -> None:
    kept = {"jav": 90.5, "sun": 81.25}
    for code, after in kept.items():
        run = Path(shutil.copytree(tiny_deltas[code], tmp_path / code))
        config = json.loads((run / "config.json").read_text())
        (run / "config.json").write_text(json.dumps({**config, "known_languages": ["eng", "ind"]}))
        measured(run, "base", "eng>ind", 98.0)
        measured(run, "adapted", "eng>ind", after)
    page = open_catalogue(Settings(base=str(tiny_base), deltas=tuple(str(tmp_path / code) for code in kept)))
    assert page.adaptation(Direction("eng", "ind")) is None
    rows = facts.languages_table(page, "en").split("<tr>")
    [row] = [row for row in rows if "Bahasa Indonesia" in row and row.index("English") < row.index("Bahasa Indonesia")]
    before, after, _, model, _ = re.findall(r"<td>(.*?)</td>", row)
    assert "98.0" in before
    assert ENGLISH["by_base"] in model
    assert "bar" not in after, "the base has no after"
    for name, value in (("Basa Jawa", "90.5"), ("Basa Sunda", "81.2")):
        assert re.search(rf"{name}[^:]*: <span[^>]*>{value}", after)


def test_the_page_names_the_command_that_adds_a_language(catalogue: Catalogue) -> None:
    for interface in INTERFACES:
        assert "<code>cogsym adapt</code>" in facts.languages_table(catalogue, interface)


@pytest.mark.parametrize(
    ("source", "target", "told"),
    [
        (None, None, None),
        ("eng", "jav", None),
        (None, "jav", None),
        ("eng", None, None),
        (
            "ceb",
            "tgl",
            f"The link asks for {get_language('ceb').names.own} to {get_language('tgl').names.own}, which no",
        ),
        ("jav", None, "The link asks for Basa Jawa to Basa Jawa, which no model here translates. Chosen instead: Eng"),
        ("<b>" * 9, "jav", "The link asks for <b><b><b><b><b><b><b to Basa Jawa"),
    ],
)
def test_a_link_to_what_nobody_serves_is_told(source: str | None, target: str | None, told: str | None) -> None:
    shown = Direction("eng", "jav")
    found = visits.problem_with_link(source, target, shown, "en")
    assert found is None if told is None else (found or "").startswith(told)
    assert visits.problem_with_link("eng", "jav", None, "en") == say(
        "en", "no_direction", source="English", target="Basa Jawa"
    )


def test_what_was_learnt_stands_before_what_the_base_knew(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Direction("eng", "ind")
    monkeypatch.setattr(type(catalogue), "directions", (known, *catalogue.directions))
    table = facts.languages_table(catalogue, "en")
    assert table.rindex("Basa Jawa") < table.index("Bahasa Indonesia")


def test_an_unmeasured_direction_says_so(catalogue: Catalogue) -> None:
    shown = facts.direction_facts(catalogue, Direction("eng", "jav"), "en")
    assert "Nobody has measured this direction yet" in shown
    assert "chrF++" not in shown
    assert facts.direction_facts(catalogue, None, "en") == ""


def test_the_change_map_shows_every_layer_and_the_still_middle_as_empty(catalogue: Catalogue) -> None:
    base = next(iter(catalogue.translator.adaptations.values())).config.base
    info = DeltaInfo(
        format_version="1",
        file="delta.safetensors",
        size_bytes=1,
        sha256="0",
        base=base,
        base_fingerprint="0",
        merged_fingerprint="0",
        tensors=tuple(
            TensorChange(name=name, layer=layer, weights=4, changed=4, size_bytes=1, rms=rms)
            for name, layer, rms in [
                ("model.layers.0.mlp.up_proj.weight", 0, 0.04),
                ("model.layers.3.mlp.up_proj.weight", 3, 0.01),
                ("lm_head.weight", None, 0.02),
            ]
        ),
    )
    evil = get_language("jav").model_copy(
        update={"names": Names(own="Jawa", english="Javanese").model_copy(update={"own": EVIL})}
    )
    shown = facts.change_map(info, evil, "en")
    assert re.findall(r"--heat:([\d.]+)\" title=\"up_proj", shown) == ["1.000", "0.000", "0.000", "0.500"]
    assert "lm_head" in shown
    assert "<script" not in shown


def test_base_and_adapted_are_compared_on_the_first_sentences_of_the_test_set(
    tiny_base: Path, tiny_deltas: dict[str, Path], tmp_path: Path
) -> None:
    run = RunFolder(Path(shutil.copytree(tiny_deltas["jav"], tmp_path / "jav")))
    run.samples.mkdir()
    lines = [(f"{word}.", EVIL if word == "moon" else f"r {word}") for word in WORDS]
    for model in ("base", "adapted"):
        record = evaluation(model, "eng>jav", 50.0).model_copy(update={"samples": (f"../../{model}.jsonl",)})
        record.write(run.evaluation_records / f"{model}.json")
        rows = [{"source": text, "reference": good, "hypothesis": f"{model} {text}"} for text, good in lines]
        text = "\n".join(json.dumps(row) for row in rows) + "\n[" * 9
        (run.samples / f"{model}.jsonl").write_text(text, encoding="utf-8")
    page = open_catalogue(Settings(base=str(tiny_base), deltas=(str(run.root),)))
    shown = facts.what_changed(page, "en")
    assert shown.count("<tr>") == 1 + comparison.SHOWN
    assert re.findall(r">((?:base|adapted) \w+\.)<", shown)[:2] == ["base sun.", "adapted sun."]
    assert 'lang="jv"' in shown
    assert "<script" not in shown
    (run.samples / "base.jsonl").write_text("no json")
    assert comparison.comparison_tables(page.translator.adaptations["jav"], "en") == ""


# Feedback


def entry(text: str = "sun.", suggestion: str | None = None) -> Entry:
    opinion = "suggestion" if suggestion else "good"
    return Entry("eng", "jav", text, "moon.", "jav", "tiny", opinion, suggestion)  # type: ignore[arg-type]


def test_feedback_keeps_human_and_model_text_apart_and_no_visitor(tmp_path: Path) -> None:
    store = FeedbackStore(tmp_path / "new")
    assert store.add(entry(EVIL + "\n\u2028x", "mine"), "visitor-17") == "thanks"
    (line,) = store.path.read_text(encoding="utf-8").rstrip("\n").split("\n")
    row = json.loads(line)
    assert (row["text"], row["model_output"], row["suggestion"]) == (EVIL + "\n\u2028x", "moon.", "mine")
    assert "visitor-17" not in line


def test_feedback_twice_or_in_floods_is_refused(tmp_path: Path) -> None:
    store = FeedbackStore(tmp_path)
    assert store.add(entry(), "me") == "thanks"
    assert store.add(entry(), "you") == "known_already"
    answers = [store.add(entry(f"{n}"), "me") for n in range(LIMIT_A_MINUTE)]
    assert answers == ["thanks"] * (LIMIT_A_MINUTE - 1) + ["slow_down"]
    assert store.add(entry("other"), "you") == "thanks"
    assert len(store.path.read_text().splitlines()) == LIMIT_A_MINUTE + 1


def test_a_full_disk_loses_nothing_that_was_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FeedbackStore(tmp_path)
    store.add(entry(), "me")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr("feedback.os.fsync", full)
        assert store.add(entry("second"), "me") == "feedback_failed"
    assert store.add(entry("second"), "me") == "thanks"
    assert [json.loads(line)["text"] for line in store.path.read_text().splitlines()] == ["sun.", "second"]


# Served


@pytest.fixture(scope="module")
def address(catalogue: Catalogue) -> Iterator[str]:
    from page import build_page, launch_options

    page = build_page(catalogue)
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, inbrowser=False, **launch_options())
    yield url
    page.close()


def test_programs_translate_through_named_endpoints(address: str) -> None:
    from gradio_client import Client

    client = Client(address, verbose=False)
    assert client.predict("sun.\nmoon.", "eng", "jav", api_name="/translate") == "moon.\nriver."
    directions = client.predict(api_name="/languages")
    assert {(one["source"], one["target"]) for one in directions} == {
        ("eng", "jav"),
        ("jav", "eng"),
        ("eng", "sun"),
        ("sun", "eng"),
    }
    assert directions[0]["models"] == ["jav", "base"]
    with pytest.raises(Exception, match="No model here translates"):
        client.predict("sun.", "jav", "sun", api_name="/translate")
    with pytest.raises(Exception, match="no model named"):
        client.predict("sun.", "eng", "jav", "../../etc", api_name="/translate")
    names = set(client.view_api(return_format="dict", print_info=False)["named_endpoints"])
    assert names == {"/translate", "/alternatives", "/languages"}
    (one,) = client.predict("sun.", "eng", "jav", api_name="/alternatives")
    assert one["sentence"] == "sun."
    assert one["alternatives"][0]["text"] == "moon."
    assert one["alternatives"][0]["score"] > one["alternatives"][-1]["score"]


def test_the_endpoints_are_tools_for_agents(catalogue: Catalogue) -> None:
    import asyncio

    client = pytest.importorskip("mcp.client.streamable_http", reason="needs mcp: pip install 'gradio[mcp]'")
    from mcp import ClientSession
    from space_pages import served

    async def ask(address: str) -> tuple[dict[str, Any], Any, Any]:
        async with (
            client.streamablehttp_client(f"{address}gradio_api/mcp/") as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            tools = {tool.name: tool for tool in (await session.list_tools()).tools}
            name = next(name for name in tools if name.endswith("translate"))
            answer = await session.call_tool(name, {"text": "sun.", "source": "eng", "target": "jav"})
            refused = await session.call_tool(name, {"text": "sun.", "source": "jav", "target": "sun"})
            return tools, answer, refused

    with served(catalogue, mcp_server=True) as address:
        tools, answer, refused = asyncio.run(ask(address))
    assert {name.rpartition("_")[2] for name in tools} == {"translate", "alternatives", "languages"}
    translate = next(tool for name, tool in tools.items() if name.endswith("translate"))
    assert translate.description.startswith("Translate text.")
    assert "ISO 639-3" in translate.inputSchema["properties"]["source"]["description"]
    assert answer.content[0].text == "moon."
    assert refused.isError
    assert "No model here translates" in refused.content[0].text


def test_programs_at_once_each_get_their_own_answer(address: str) -> None:
    from gradio_client import Client

    client, found = Client(address, verbose=False), {}

    def ask(number: int) -> None:
        target, shift = (("jav", 1), ("sun", 2))[number % 2]
        answer = client.predict(f"{WORDS[number]}.", "eng", target, api_name="/translate")
        found[number] = answer == f"{WORDS[(number + shift) % len(WORDS)]}."

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(WORDS))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == dict.fromkeys(range(len(WORDS)), True)


@pytest.mark.parametrize(
    "path", ["/etc/passwd", str(Path(__file__).parent.parent / "pyproject.toml"), str(page_folder() / "app.py")]
)
def test_files_of_the_machine_are_not_served(address: str, path: str) -> None:
    import httpx

    for url in (f"gradio_api/file={path}", f"gradio_api/file=..%2f..{path}", f"file={path}", f"static/..{path}"):
        answer = httpx.get(f"{address}{url}")
        assert answer.status_code in (403, 404), url


def test_files_cannot_be_uploaded(address: str) -> None:
    import httpx

    answer = httpx.post(f"{address}gradio_api/upload", files={"files": ("x.txt", b"x" * 2000)})
    assert answer.status_code >= 400


def test_the_page_uses_no_component_that_takes_or_serves_files(catalogue: Catalogue) -> None:
    from page import build_page

    used = {block.__class__.__name__ for block in build_page(catalogue).blocks.values()}
    assert used <= {"Blocks", "HTML", "Tabs", "Tab", "Column", "Row", "Form", "Dropdown", "Button", "Textbox"} | {
        "Checkbox",
        "Accordion",
        "State",
        "JSON",
        "Api",
    }
    for path in page_folder().glob("*.py"):
        assert "gr.load" not in path.read_text(encoding="utf-8")
        assert "allowed_paths" not in path.read_text(encoding="utf-8")


def test_the_space_on_the_hub_is_described_in_its_front_matter() -> None:
    import yaml

    text = (page_folder() / "README.md").read_text(encoding="utf-8")
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["sdk"] == "gradio"
    assert re.fullmatch(r"\d+\.\d+\.\d+", front["sdk_version"])
    assert (page_folder() / front["app_file"]).is_file()
    assert len(front["short_description"]) <= 60
    requirements = (page_folder() / "requirements.txt").read_text(encoding="utf-8").split()
    assert any(line.startswith("cogsym-toolkit==") for line in requirements)


def test_the_command_serves_no_page_without_a_base(cogsym: Callable[..., Outcome], tmp_path: Path) -> None:
    done = cogsym("space", "serve", "--base", tmp_path / "nothing", "--no-open")
    assert done.code == 1
    assert "no base model at" in done.err
