"""Text from strangers cannot break a card: not its table, not its front matter, not its page, not its commands."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from card_records import BASE, DATA, SCORES, make_records, write_samples
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from hub_cards import collect, lint, render, write_card
from hub_cards.metadata import dump_yaml, read_front_matter, split_card
from hub_cards.text import code_span, escape_markdown, fence, one_line, quote_python, quote_shell
from toolkit.records import EvaluationRecord, Hardware
from toolkit.run_folder import RunFolder

HOSTILE = {
    "pipe": "a | b || c",
    "pipe in code": "`a | b`",
    "newline": "first\nsecond\r\n\r\n# third",
    "line separators": "a\u2028b\u2029c\x85d\x0be",
    "backticks": "`` ` ``` ```` x",
    "fence": "\n```\n# out of the block\n```bash\nrm -rf ~\n",
    "html": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "comment": "<!-- yours: x --> <!-- end of yours --> -->",
    "details": "</details></table><details>",
    "link": "[click](https://evil.example) ![pic](http://evil.example/x.png) <https://evil.example>",
    "reference": "[a]: https://evil.example\n[a]",
    "bare address": "https://evil.example www.evil.example me@evil.example mailto:x@evil.example",
    "emphasis": "**bold** _it_ ~~gone~~ __x__ *",
    "heading": "# heading",
    "list": "- item",
    "numbered list": "1. item",
    "rule": "---",
    "underline": "=====",
    "quote": "> quoted",
    "front matter": "x\n---\nlicense: mit\n---\n",
    "yaml": "key: [a, {b: c}] # comment & *anchor !!python/object:os.system %TAG",
    "yaml boolean": "no",
    "yaml number": "1e3",
    "yaml null": "~",
    "yaml date": "2026-11-20",
    "quotes": "it's \"quoted\" \\ \\n",
    "jinja": "{{ 7 * 7 }} {% for x in y %} {# gone #} {{ facts.__class__.__mro__ }}",
    "formula": "$x^2$ $$y$$ \\(z\\)",
    "shell": "$(touch x); `id` && rm -rf / | cat > y # ' \" \\",
    "entities": "&lt;b&gt; &#60; &nbsp; &amp",
    "right to left": "\u202eevil\u202c \u200f\u061c \u2066x",
    "hebrew": "שלום | עולם",
    "arabic": "مرحبا (12.5)",
    "invisible": "a\u200bb\ufeffc\u00add\x00e\x1b[31mf",
    "joiners": "क्\u200dष می\u200cخواهم",
    "surrogate": "a\udcffb",
    "long": "x" * 10_000,
    "long words": "wörd | " * 2_000,
    "emoji": "👩‍👩‍👧 🇮🇩",
    "backslash at the end": "path\\",
    "format": "%s {0} {} ${HOME} \\1 \\g<0>",
}  # fmt: skip


def page(card: str) -> list[tuple[str, ...]]:
    """The structure of a card's page without its words: what a reader's browser would build."""
    skeleton: list[tuple[str, ...]] = []
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(split_card(card)[1]):
        skeleton.append((token.type, token.tag, token.info))
        if token.type == "html_block":
            skeleton.append(("html", token.content))
        if token.type == "inline":
            skeleton += inline_structure(token.children or [])
    return skeleton


def inline_structure(children: list[Any]) -> list[tuple[str, ...]]:
    structure = []
    for child in children:
        if child.type == "code_inline" or child.content == "<code>":
            structure.append(("code",))
        elif child.type not in ("text", "softbreak") and child.content != "</code>":
            structure.append((child.type, str(child.attrGet("href") or child.attrGet("src") or "")))
    return structure


def plain_text(markdown: str, *, table: bool = False) -> str | None:
    """What a reader sees of this text alone in a paragraph or table cell; None if it is more than words."""
    parser = MarkdownIt("commonmark").enable("table")
    tokens = parser.parse(f"| {markdown} |\n|---|\n" if table else f"{markdown}\n")
    shapes = [token.type for token in tokens if token.type != "inline"]
    wanted = ["table_open", "thead_open", "tr_open", "th_open", "th_close", "tr_close", "thead_close", "table_close"]
    if shapes != (wanted if table else ["paragraph_open", "paragraph_close"]):
        return None
    children = next(token for token in tokens if token.type == "inline").children or []
    words = [child.content for child in children if child.content not in ("<code>", "</code>")]
    if any(child.type not in ("text", "code_inline", "html_inline") for child in children):
        return None
    return "".join(words).replace("\u2068", "").replace("\u2069", "")


def everywhere(root: Path, text: str) -> RunFolder:
    """Records with this text in every field that takes text."""
    base = BASE.model_copy(update={"id": "my-base", "licence": None, "revision": text})
    training = {
        "data": tuple(
            source.model_copy(update={"name": text, "licence": f"{text} nc", "dropped": {text: 3}}) for source in DATA
        ),
        "recipe": {"language": "jav", "prompt": text, "notes": {text: [text]}},
        "recipe_changes": {"prompt": text, "notes": {text: [text]}},
        "hardware": Hardware(device=text),
        "versions": {"python": text, "torch": text, "transformers": "5", "cogsym-toolkit": "1"},
        "trained_dtype": text,
        "date": text,
    }
    run = make_records(root, base=base, training=training, dataset=text, delta={"file": text}, config={"prompt": text})
    for path in run.evaluation_records.glob("*.json"):
        record = EvaluationRecord.read(path)
        scores = tuple(score.model_copy(update={"signature": text}) for score in record.scores)
        changes = {"scores": scores, "prompt": text, "decoding": {"do_sample": False, "stop": text, "n": 1}}
        record.model_copy(update=changes).write(path)
        if record.direction == "eng>jav":
            write_samples(run, record, [(text, text, text, text)] * 2)
    return run


@pytest.fixture(scope="module")
def card_full_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Makes the card of records full of a text, less the lone surrogates that no record can hold."""

    @cache
    def make(text: str) -> str:
        run = everywhere(tmp_path_factory.mktemp("hostile") / "run", text.encode("utf-8", "replace").decode())
        return render(collect(run, "org/name")).readme

    return make


@pytest.fixture(scope="module")
def harmless(card_full_of: Callable[[str], str]) -> list[tuple[str, ...]]:
    return page(card_full_of("harmless"))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_page_full_of_hostile_text_has_the_same_structure_as_one_of_harmless_text(
    card_full_of: Callable[[str], str], text: str, harmless: list[tuple[str, ...]]
) -> None:
    card = card_full_of(text)
    assert page(card) == harmless
    assert not set("\u202a\u202b\u202c\u202d\u202e\u200f\u061c\x00\x1b") & set(card)
    assert len(card) < 200_000


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_front_matter_of_hostile_text_reads_back_as_it_was_meant(card_full_of: Callable[[str], str], text: str) -> None:
    fields = read_front_matter(card_full_of(text))
    assert fields["license"] == "unknown"
    dataset = fields["model-index"][0]["results"][0]["dataset"]
    assert dataset["name"] == one_line(text.encode("utf-8", "replace").decode())
    assert re.fullmatch(r"[a-z0-9-]+", dataset["type"])
    assert all(isinstance(part, str) for part in (*dataset.values(), *fields["tags"], *fields["language"]))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_words_stay_words_in_paragraphs_and_table_cells(text: str) -> None:
    line = one_line(text)
    for shown in (escape_markdown(text), code_span(text)):
        assert plain_text(shown) == line
        assert plain_text(shown, table=True) == line


@given(st.text(max_size=60))
@settings(max_examples=150, deadline=None)
def test_any_text_stays_words(text: str) -> None:
    line = one_line(text)
    if line:
        assert plain_text(f"x {escape_markdown(text)} x") == f"x {line} x"
        assert plain_text(f"{escape_markdown(text)} x") == f"{line} x"
        assert plain_text(f"x {escape_markdown(text)} x", table=True) == f"x {line} x"
        assert plain_text(f"x {code_span(text)} x", table=True) == f"x {line} x"


@given(st.recursive(st.text(max_size=30), lambda part: st.lists(part, max_size=3), max_leaves=6))
@settings(max_examples=100, deadline=None)
def test_any_text_reads_back_from_yaml(value: Any) -> None:
    text = dump_yaml({"key": value})
    assert yaml.safe_load(text) == {"key": value}
    assert "\n---" not in text


@pytest.mark.parametrize(
    "text", ["no", "1e3", "0o17", "1_000", "12:30", "~", "", "Yes", "nan", "=", "<<", "0x1f", ".5"]
)
def test_words_that_some_yaml_readers_take_for_something_else_are_quoted(text: str) -> None:
    assert dump_yaml({"key": text}) == f'key: "{text}"\n'


@pytest.mark.parametrize("text", [text for text in HOSTILE.values() if "\x00" not in text and "\udcff" not in text])
def test_a_shell_and_python_read_quoted_text_back_as_it_was(text: str) -> None:
    quoted = quote_shell(text)
    assert "\n" not in quoted
    done = subprocess.run(["bash", "-c", f"printf %s {quoted}"], capture_output=True, check=True)
    assert done.stdout.decode() == text
    if text.isprintable():
        assert shlex.split(quoted) == [text]
    assert ast.literal_eval(quote_python(text)) == text
    assert "\n" not in quote_python(text)


def test_no_code_can_close_its_own_block() -> None:
    block = fence("a\n```\nb\n`````\n", "bash")
    tokens = MarkdownIt("commonmark").parse(f"{block}\n\nafter")
    assert [token.type for token in tokens] == ["fence", "paragraph_open", "inline", "paragraph_close"]
    assert tokens[0].content == "a\n```\nb\n`````\n"


def test_a_value_is_never_read_as_a_template(card_full_of: Callable[[str], str]) -> None:
    card = card_full_of("{{ 7 * 7 }}{% raw %}")
    assert "{{ 7 \\* 7 }}" in card
    assert "49" not in split_card(card)[1]


def test_right_to_left_text_is_shut_off_from_the_numbers_beside_it() -> None:
    assert escape_markdown("مرحبا (12.5)") == "\u2068مرحبا (12.5)\u2069"


@pytest.mark.filterwarnings("ignore:Glyph")  # the picture's font lacks some scripts, and draws boxes
def test_pictures_of_hostile_text_can_be_drawn(tmp_path: Path) -> None:
    run = make_records(tmp_path / "run", scores={"eng>jav": SCORES["eng>jav"], "eng>ind": SCORES["eng>ind"]})
    for path in run.evaluation_records.glob("*ind*.json"):
        record = EvaluationRecord.read(path)
        record.model_copy(update={"dataset": "$\\frac{$ 漢字 \\ % _^ " + "y" * 500}).write(path)
    write_card(run)
    assert (run.figures / "scores.png").stat().st_size < 200_000


@pytest.mark.parametrize("name", ["link", "fence", "shell", "quotes", "jinja", "html"])
def test_hostile_records_leave_a_card_that_passes_the_lint(tmp_path: Path, name: str) -> None:
    run = everywhere(tmp_path / "run", HOSTILE[name])
    write_card(run, name="org/name")
    problems = lint(run.card.read_text(encoding="utf-8"), run.root)
    assert [problem for problem in problems if problem.code != "missing-file"] == []
