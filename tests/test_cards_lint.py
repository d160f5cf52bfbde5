"""The lint finds what the Hub would reject and what would mislead a reader, and nothing in a fresh card."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from card_records import BASE, make_records

from hub_cards import lint, write_card
from hub_cards.lint import _languages
from toolkit.run_folder import RunFolder


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    made = make_records(tmp_path / "run")
    write_card(made, name="org/name")
    return made


def codes(run: RunFolder, change: Callable[[str], str] = str) -> dict[str, str]:
    """What the lint finds in the changed card: messages by code."""
    before = run.card.read_text(encoding="utf-8")
    after = change(before)
    assert after != before or change is str, "the change did nothing"
    return {problem.code: problem.message for problem in lint(after, run.root)}


def test_a_fresh_card_has_no_problem(run: RunFolder) -> None:
    assert codes(run) == {}


def test_a_fresh_card_of_a_pocket_has_no_problem(tmp_path: Path) -> None:
    made = make_records(tmp_path / "run", base=BASE.model_copy(update={"id": "pocket", "licence": None}))
    write_card(made)
    assert codes(made) == {}


@pytest.mark.parametrize(
    ("pattern", "replacement", "code", "message"),
    [
        ("license: llama2", "license: llama-2-chat", "licence", "license 'llama-2-chat' is no tag of the Hub's"),
        ("license: llama2", "license: other", "licence", "license `other` needs a license_name"),
        ("license: llama2\n", "", "licence", "license None is no tag"),
        ("- jv\n", "- jw\n", "language", "the Hub rejects the language code 'jw': write 'jv'"),
        ("- jv\n", "- jav\n", "language", "the Hub rejects the language code 'jav': write 'jv'"),
        ("- jv\n", "- tgl\n", "language", "the Hub rejects the language code 'tgl': write 'tl'"),
        ("- jv\n", "- msa\n", "language", "the Hub rejects the language code 'msa': write 'ms'"),
        ("- jv\n", "- no\n", "language", "a language is true or false"),
        ("- jv\n", "- javanese\n", "language", "'javanese' is no ISO 639-1 or 639-3 code"),
        ("- jv\n", "- xyz\n", "language", "'xyz' is no ISO 639-1 or 639-3 code"),
        ("language:\n- jv\n- en\n", "", "language", "language is missing"),
        ("library_name: cogsym-toolkit", "library_name:", "null", "library_name is null: leave it out"),
        ("      split: test", "      split: null", "null", r"model-index\[0\].results\[0\].dataset.split is null"),
        ("base_model: .*", "base_model: /data/llama", "hub-id", "base_model '/data/llama' is no Hub id"),
        ("metrics:\n", "datasets:\n- ./corpus\nmetrics:\n", "hub-id", "datasets './corpus' is no Hub id"),
        ("- cogsym-delta\n", "", "tags", "tags do not hold cogsym-delta"),
        ("      value: 47.3", "      value: .nan", "model-index", "chrf has no number"),
        ("      value: 47.3", "      value: '47.3'", "model-index", "chrf has no number"),
        ("    - type: chrf\n      value: 47.3", "    - value: 47.3", "model-index", "a metric without a type"),
        ("      type: nusax\n", "", "model-index", r"has no dataset.type"),
        ("      value: 47.3", "      value: 57.3", "stale", "the card's scores are not those of the records"),
        ("\\A---\n", "", "front-matter", "the card has no front matter"),
        ("library_name:", "library_name: [", "front-matter", "the front matter is not YAML"),
        ("## Use it", "/home/me/data.tsv", "local-path", "names a path of this machine: /home/me/data.tsv"),
        ("## Use it", r"C:\\Users\\me", "local-path", "names a path of this machine: C:"),
        ("## Use it", "file:///etc/passwd", "local-path", "names a path of this machine"),
        ("## Use it", "~/runs/jav", "local-path", "names a path of this machine"),
        ("## Use it", "hf_" + "a" * 34, "token", "holds an access token"),
        ("## Use it", "\u202ereversed", "turning-marks", "marks that turn the writing direction"),
        ("## Use it", "[x](missing.md)", "missing-file", "links to missing.md, which is not there"),
        ("## Use it", "![x](figures/gone.png)", "missing-file", "links to figures/gone.png, which is not there"),
        ("## Use it", '<img src="gone.png">', "missing-file", "links to gone.png, which is not there"),
        ("## Use it", "[x](../../secret)", "missing-file", "outside of the repository"),
        ("## Use it", "<!-- yours: x -->", "markers", "not closed|without its partner"),
        ("## Use it", "x" * 1_100_000, "size", "larger than 1000 kB"),
    ],
)
def test_each_fault_is_found_and_named(run: RunFolder, pattern: str, replacement: str, code: str, message: str) -> None:
    found = codes(run, lambda card: re.sub(pattern, lambda _: replacement.replace(r"\\", "\\"), card, count=1))
    assert code in found
    assert re.search(message, found[code])


def test_the_hub_takes_every_language_of_the_registry() -> None:
    from toolkit.languages import all_languages

    fields = {"language": [language.hub_code for language in all_languages().values() if language.hub_code]}
    assert "tl" in fields["language"]
    assert list(_languages(fields["language"])) == []


@pytest.mark.parametrize("text", ["```\ncode without an end", "<!-- a comment", "<details>\n<summary>x</summary>"])
def test_a_section_that_would_swallow_the_rest_of_the_page_is_found(run: RunFolder, text: str) -> None:
    found = codes(run, lambda card: re.sub(r"(<!-- yours: limits.*\n)", lambda m: f"{m.group(1)}{text}\n", card))
    assert "your section `limits` opens a code block" in found["open-block"]


def test_a_section_with_closed_blocks_is_fine(run: RunFolder) -> None:
    text = "```\ncode\n```\n\n<details>\n\nmore\n\n</details>\n\n- a list\n  - in a list"
    assert codes(run, lambda c: re.sub(r"(<!-- yours: limits.*\n)", lambda m: f"{m.group(1)}{text}\n", c)) == {}


def test_links_in_code_and_to_other_sites_are_not_looked_for(run: RunFolder) -> None:
    assert codes(run, lambda card: card + "\n`[x](gone.md)` [y](https://example.org/gone) [z](#use-it)\n") == {}


def test_a_record_that_changed_after_the_card_was_made_is_found(run: RunFolder) -> None:
    record = run.read_training()
    record.model_copy(update={"seconds": 1.0}).write(run.training_record)
    assert "the records have changed since the card was made" in codes(run)["stale"]


def test_a_picture_too_large_for_a_page_is_found(run: RunFolder) -> None:
    with (run.figures / "scores.png").open("ab") as file:
        file.truncate(6_000_000)
    assert "figures/scores.png is larger than 5 MB" in codes(run)["size"]


def test_the_folders_own_path_is_found_wherever_it_lies(run: RunFolder) -> None:
    assert "local-path" in codes(run, lambda card: f"{card}\n{run.root.resolve()}\n")


def test_card_command_says_what_is_to_mend_before_publishing(cogsym: object, run: RunFolder) -> None:
    text = run.card.read_text(encoding="utf-8")
    run.card.write_text(re.sub(r"(<!-- yours: more.*\n)", r"\1See /home/me/notes.txt\n", text), encoding="utf-8")
    done = cogsym("card", run.root)  # type: ignore[operator]
    assert done.code == 0
    assert "before you publish: the card names a path of this machine: /home/me/notes.txt" in done.err
