"""Files that strangers made to do harm: each test is an attack that once worked."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from hub_server import HubServer
from published_run import REPO, make_run
from rich.console import Console
from rich.table import Table

from toolkit.auditing import audit
from toolkit.auditing.characters import mixed_word
from toolkit.auditing.markup import markup, personal
from toolkit.auditing.report import markdown
from toolkit.cli.console import VisibleConsole
from toolkit.contributions.located import _chosen, find_under
from toolkit.contributions.models import _front_matter
from toolkit.contributions.overview import languages_page
from toolkit.errors import HubError, LanguageError
from toolkit.hub import publish, published, read_published
from toolkit.hub.declared import ListedFile, Listing
from toolkit.languages import Language, all_languages, get_language, look_in
from toolkit.languages.checking import check_language_file
from toolkit.languages.entries import DataSet
from toolkit.languages.likeness import as_seen

pytest_plugins = ("hub_server.fixtures",)
ROOT = Path(__file__).parent.parent
FIELDS: dict[str, Any] = {
    "code": "qaa",
    "script": "Latn",
    "glottocode": "test1234",
    "names": {"english": "Test Speech", "own": "Basa Uji"},
}
AT_ONCE = 3  # seconds of the processor; each of these took minutes


def write(folder: Path, text: str | None = None, **changes: Any) -> Path:
    fields = FIELDS | changes
    path = folder / f"{fields['code']}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(fields, ensure_ascii=False) if text is None else text, encoding="utf-8")
    return path


# Language files


@pytest.mark.parametrize("number", ["0x" + "f" * 60_000, "0b" + "1" * 60_000, "1:" * 30_000 + "1", "1:" * 300 + "1.5"])
def test_a_number_that_cannot_be_printed_is_told(tmp_path: Path, number: str) -> None:
    (problem,) = check_language_file(write(tmp_path, f"code: {number}\n"), all_languages())
    assert "is no number that is used" in problem.message


def test_a_file_with_a_thousand_faults_is_answered_at_once(tmp_path: Path) -> None:
    wrong = [f"z{a}{b}" for a in "abcdefghijk" for b in "abcdefghijklmnopqrst"]
    sources = [
        {"name": "x", "kind": "text", "hub": "a/b", "licence": "mit", "beside": wrong[20 * n : 20 * n + 20]}
        for n in range(11)
    ]
    for path in (
        write(tmp_path / "codes", data=sources * 4),
        write(tmp_path / "fields", "".join(f"a{n}: 1\n" for n in range(6000))),
    ):
        started = time.process_time()
        problems = check_language_file(path, all_languages())
        assert len(problems) == 50
        assert time.process_time() - started < 15


@pytest.mark.parametrize("name", ["Javanese", "JAVANESE", "J\u0430vanese", "Java\u200cnese", "Java\u034fnese"])
def test_a_name_that_looks_like_another_languages_is_a_problem(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, names={"english": name, "own": "Basa Uji"})
    (problem,) = check_language_file(path, all_languages())
    assert "is a name of jav (Javanese) too" in problem.message


@pytest.mark.parametrize(
    "changes",
    [
        {"names": {"english": "J\u0430vanese", "own": "x"}},
        {"names": {"english": "x", "own": "Basa Jawa"}},
        {"names": {"english": "x", "own": "y", "aliases": ["Java\u200dnese"]}},
        {"other_codes": ["jav"]},
        {"iso639_1": "jv"},
    ],
)
def test_a_delta_cannot_bring_a_language_that_passes_for_one_of_the_toolkits(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    write(tmp_path / "languages", **changes)
    look_in(tmp_path, {"qaa"})
    assert "qaa" not in all_languages()
    with pytest.raises(LanguageError, match=r"jav \(Javanese\)"):
        get_language("qaa")


def test_the_toolkits_own_languages_look_different_from_each_other() -> None:
    seen = [{as_seen(n) for n in (one.names.english, one.names.own)} for one in all_languages().values()]
    assert len(set().union(*seen)) == sum(map(len, seen))


def test_words_of_people_are_no_links_in_the_table() -> None:
    from markdown_it import MarkdownIt

    said = {"spoken_in": "www.evil.example, https://evil.example &lt;b&gt;"}
    page = languages_page([Language.model_validate(FIELDS | said)])
    assert "www.evil" not in page
    assert "https://evil" not in page
    assert "&amp;lt;b" in MarkdownIt("gfm-like", {"linkify": False}).render(page)


# What a language file names


def test_a_name_that_is_the_folder_above_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "secret.tsv").write_text("x")
    fields = {"name": "..", "kind": "text", "url": "https://a.example/..", "licence": "mit", "files": ["*.tsv"]}
    found = find_under(tmp_path / "folder", DataSet.model_validate(fields))
    assert (found.files, found.wrong) == ((), ())


def test_a_repository_of_very_many_files_is_looked_through_at_once() -> None:
    files = tuple(ListedFile(f"data/{n}.tsv", 1, None) for n in range(20_000))
    started = time.process_time()
    chosen, missing, _ = _chosen(Listing("a/b", "dataset", "0" * 40, files), ["data/*.tsv"])
    assert (len(chosen), missing) == (40, ["19960 more files match"])
    assert time.process_time() - started < AT_ONCE


@pytest.mark.parametrize(
    "text",
    [
        "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 19)),
        "language: 2020-13-45",
        "a: " + "[" * 50_000,
        "a: 0x" + "f" * 60_000,
    ],
)
def test_a_card_made_to_choke_its_reader_says_nothing(tmp_path: Path, text: str) -> None:
    card = tmp_path / "README.md"
    card.write_text(f"---\n{text}\n---\n")
    started = time.process_time()
    assert _front_matter(card) == {}
    assert time.process_time() - started < AT_ONCE


def test_a_record_that_is_too_large_is_not_downloaded(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(make_run(tmp_path / "run"), REPO, verify=False, endpoint=hub.endpoint)
    assert read_published([REPO], endpoint=hub.endpoint)
    monkeypatch.setattr(published, "MAX_BYTES", 100)
    with pytest.raises(HubError, match=r"config\.json of .* has .* bytes"):
        read_published([REPO], endpoint=hub.endpoint)


# Corpora


@pytest.mark.parametrize(
    ("look", "text"),
    [
        (personal, "a" * 200_000 + " @"),
        (personal, "a" * 100_000 + "@b." + "." * 100_000),
        (markup, "[" * 200_000),
        (markup, "{" * 200_000),
        (mixed_word, "é" * 200_000),
    ],
)
def test_a_cell_made_to_choke_a_pattern_is_read_at_once(look: Any, text: str) -> None:
    started = time.process_time()
    assert look(text) is None
    assert time.process_time() - started < AT_ONCE


def test_the_patterns_find_what_they_found() -> None:
    assert [markup(text) for text in ("x [[a]]", "[[a[1]]]", "{{a|b}}", "[[a", "[a]]", "{{}}")] == [
        2, 0, 0, None, None, None,
    ]  # fmt: skip
    assert [personal(text) for text in ("to a.b@c.org", "x@y", "a@example.org", "mail@c.-d")] == [3, None, None, 0]
    assert mixed_word("éa ok mаle") == (6, "mаle")


def test_names_of_columns_mean_nothing_in_a_report(tmp_path: Path) -> None:
    from markdown_it import MarkdownIt

    rows = "".join(f"uji {n} kata,x{n}\n" for n in range(20))
    file = tmp_path / "x.csv"
    for bad in ("![x](//evil.example/a)", "[y](//evil.example)", '"\n\n# Big\n\n"', "`[z](//evil.example)", "*z*"):
        file.write_text(f"{bad},x\n{rows}")
        found = audit(file, ["jav", "eng"])
        assert found.find("no-column") or found.find("columns-by-name")
        text = markdown(found, [])
        html = MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(text)
        for harm in ("<img", "<a ", "<h1>Big", "<em>z"):
            assert harm not in html


# The terminal


@pytest.mark.parametrize("bad", ["\x1b]0;taken\x07", "\x1b[2J", "\x9b2J", "\x08\x08", "\ra", "\u202e", "\u2066"])
def test_nothing_that_is_printed_commands_the_terminal(bad: str, capsys: pytest.CaptureFixture[str]) -> None:
    console = VisibleConsole(highlight=False, width=200)
    table = Table(bad)
    table.add_row(bad)
    console.print(f"a{bad}b", f"[bold]{bad}[/]")
    console.print(table)
    printed = capsys.readouterr().out
    assert bad not in printed
    assert "\x1b" not in printed
    assert "a\\" in printed


def test_what_is_usual_in_text_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    text = "ක්\u200dෂ می\u200cخواهم 'x' [b]\n\ty"
    VisibleConsole(highlight=False).print(text, markup=False)
    Console(highlight=False).print(text, markup=False)
    printed = capsys.readouterr().out
    assert printed[: len(printed) // 2] == printed[len(printed) // 2 :]


# The comment under a pull request

GH = """#!/usr/bin/env bash
case "$*" in
    *pulls/*/files*) cat "$ANSWERS/files" ;;
    *pulls/*) cat "$ANSWERS/head" ;;
    *-X*) echo "$*" >> "$ANSWERS/asked" ;;
esac
"""


@pytest.mark.parametrize(
    ("files", "count", "comments"),
    [
        ("toolkit/languages/qaa.yaml\nREADME.md\n", 2, True),
        ("toolkit/languages/qaa.yaml\n.github/workflows/languages.yml\n", 2, False),
        (".github/comment.sh\n", 1, False),
        ("a/.github/x\n", 1, True),
        ("toolkit/languages/qaa.yaml\n", 4000, False),  # GitHub lists no more than 3,000
    ],
)
def test_what_a_changed_workflow_says_is_never_repeated(tmp_path: Path, files: str, count: int, comments: bool) -> None:
    (tmp_path / "gh").write_text(GH)
    (tmp_path / "gh").chmod(0o755)
    written = {"head": f"abc {count}\n", "files": files, "number": "12", "comment.md": "<!-- m -->\nNothing to mend.\n"}
    for name, text in written.items():
        (tmp_path / name).write_text(text)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", str(ROOT / ".github/comment.sh"), "number", "comment.md"],
        cwd=tmp_path,
        env={"PATH": path, "GH_REPO": "o/r", "HEAD": "abc", "ANSWERS": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "asked").exists() is comments
    assert comments or "no comment" in done.stderr
