"""`cogsym languages table`: the committed table says what the language files say."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hub_server import HubServer
from markdown_it import MarkdownIt
from published_run import make_run

from toolkit.contributions.overview import languages_page, published_scores
from toolkit.errors import HubError
from toolkit.hub import publish
from toolkit.languages import Language, all_languages
from toolkit.languages.registry import FOLDER

pytest_plugins = ("hub_server.fixtures",)
REPO = "org/tiny-jav"
_SCORES = re.compile(r" \(chrF\+\+ [^)]*\)")


def with_model(revision: str) -> Language:
    model = {
        "repository": REPO,
        "revision": revision,
        "base": "meta-llama/Llama-2-7b-hf",
        "digests": [{"file": "delta.safetensors", "sha256": "0" * 64}],
    }
    fields = all_languages()["jav"].model_dump(exclude_none=True)
    return Language.model_validate(fields | {"models": [model]})


def test_the_committed_table_is_current() -> None:
    committed = (FOLDER / "README.md").read_text(encoding="utf-8")
    wanted = languages_page(all_languages().values())
    assert _SCORES.sub("", committed) == wanted, "run: cogsym languages table --out toolkit/languages/README.md"


def test_each_language_has_a_row_with_as_many_cells_as_the_head(cogsym: Callable[..., Any]) -> None:
    page = cogsym("languages", "table").out
    rows = re.findall(r"<tr>.*?</tr>", MarkdownIt("gfm-like", {"linkify": False}).render(page), re.DOTALL)
    assert len(rows) == len(all_languages()) + 1
    assert {len(re.findall("<t[hd]", row)) for row in rows} == {8}
    assert all(f'href="{code}.yaml"' in row for code, row in zip(sorted(all_languages()), rows[1:], strict=True))


def test_words_of_people_stay_in_their_cell() -> None:
    names = {"english": "A|B", "own": "<script>*x*"}
    language = Language.model_validate({"code": "qaa", "script": "Latn", "glottocode": "test1234", "names": names})
    html = MarkdownIt("gfm-like", {"linkify": False}).render(languages_page([language]))
    assert "<td>A|B</td>" in html
    assert "<td>&lt;script&gt;*x*</td>" in html


def test_scores_come_from_the_published_records(hub: HubServer, tmp_path: Path) -> None:
    publish(make_run(tmp_path / "run"), REPO, verify=False, endpoint=hub.endpoint)
    language = with_model(hub.store.repositories[REPO].refs["main"])
    page = languages_page([language], published_scores([language], endpoint=hub.endpoint))
    assert f"[{REPO}](https://huggingface.co/{REPO}/tree/{language.models[0].revision}) on meta-llama" in page
    shown = MarkdownIt().enable("table").render(page)
    assert "(chrF++ eng&gt;jav 71.2" in shown
    assert _SCORES.sub("", shown) == MarkdownIt().enable("table").render(languages_page([language]))
    with pytest.raises(HubError, match="no such revision"):
        published_scores([with_model("1" * 40)], endpoint=hub.endpoint)


def test_the_table_goes_to_a_file(cogsym: Callable[..., Any], tmp_path: Path) -> None:
    assert cogsym("languages", "table", "--out", tmp_path / "README.md").code == 0
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == languages_page(all_languages().values())
