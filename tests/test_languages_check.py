"""`cogsym languages check`: each way in which a language file can be wrong or hostile is refused in plain words."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.languages import Language, all_languages, strict_yaml
from toolkit.languages.checking import check_language_file
from toolkit.languages.problems import Problem
from toolkit.languages.texts import shown, unsafe_path

Run = Callable[..., Any]
GOOD: dict[str, Any] = {
    "code": "ilo",
    "script": "Latn",
    "glottocode": "ilok1237",
    "names": {"english": "Ilocano", "own": "Ilokano", "aliases": ["Iloko"]},
    "spoken_in": "Philippines (northern Luzon)",
    "speakers": {"count": 6920760, "year": 2000, "source": "Census of the Philippines, 2000"},
    "related": ["tgl"],
    "data": [{"name": "Test", "kind": "parallel", "hub": "org/data", "licence": "cc-by-4.0", "files": ["data/*.tsv"]}],
    "smoke": [{"direction": "eng>ilo", "text": "one", "expected": "maysa"}],
    "contributors": [{"name": "A. Speaker", "roles": ["registry", "data"]}],
}
MODEL: dict[str, Any] = {
    "repository": "org/model",
    "revision": "0" * 40,
    "base": "meta-llama/Llama-2-7b-hf",
    "digests": [{"file": "delta.safetensors", "sha256": "0" * 64}],
}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def check(folder: Path, text: str | bytes, name: str = "ilo.yaml") -> list[Problem]:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return check_language_file(path, all_languages())


def changed(**changes: Any) -> str:
    return yaml.safe_dump(GOOD | changes, allow_unicode=True, sort_keys=False)


def said(problems: list[Problem]) -> str:
    return "\n".join(f"{problem} | {problem.fix}" for problem in problems)


def test_a_good_file_is_fine(tmp_path: Path) -> None:
    assert check(tmp_path, changed()) == []
    assert check(tmp_path, changed(models=[MODEL])) == []
    assert hash(Language.model_validate(GOOD | {"models": [MODEL]}))
    assert check(tmp_path, b"\xef\xbb\xbf" + changed().replace("\n", "\r\n").encode()) == []


@pytest.mark.parametrize(
    ("changes", "field", "message", "fix"),
    [
        ({"code": "jw"}, "code", "'jw' is deprecated", "use jv / jav"),
        ({"code": "jv"}, "code", "'jv' has two letters", "use jav"),
        ({"code": "in"}, "code", "'in' is deprecated", "use id / ind"),
        ({"code": "kxe"}, "code", "'kxe' is deprecated", "use tvd"),
        ({"code": "swa"}, "code", "'swa' is a macrolanguage", "swh, swc"),
        ({"code": "zho"}, "code", "'zho' is a macrolanguage", "cmn, "),
        ({"code": "nep"}, "code", "'nep' is a macrolanguage", "npi, dty"),
        ({"code": "aka"}, "code", "'aka' is a macrolanguage", "fat, twi"),
        ({"code": "ger"}, "code", "'ger' is a library's code", "use deu"),
        ({"code": "btk"}, "code", "'btk' is not one language", "iso639-3.sil.org"),
        ({"code": "xyq"}, "code", "'xyq' is no code of ISO 639-3", "iso639-3.sil.org"),
        ({"code": "iol", "names": {"english": "Iloko", "own": "Ilokano"}}, "code", "no code", "ilo (Iloko)"),
        ({"code": "ILO"}, "code", "'ILO' is not of the right form", "three small letters"),
        ({"code": "qaa", "glottocode": None}, "glottocode", "local use", "glottocode"),
        ({"iso639_1": "il"}, "iso639_1", "no two-letter code, not 'il'", "leave it out"),
        ({"script": "Latin"}, "script", "'Latin' is not of the right form", "Latn"),
        ({"script": "Lant"}, "script", "'Lant' is no script", "did you mean Latn (Latin)?"),
        ({"script": "Zyyy"}, "script", "'Zyyy' is no script", ""),
        ({"script": "Deva"}, "names.own", "is in Latin letters, and `script` says Deva", "mend `script`"),
        ({"direction": "rtl"}, "direction", "Latin does not run rtl", "write ltr"),
        ({"glottocode": "ilocano"}, "glottocode", "'ilocano' is not of the right form", "java1254"),
        ({"related": ["swa"]}, "related.0", "macrolanguage", "swh"),
        ({"related": ["ilo"]}, "related", "itself", "remove"),
        ({"names": {"english": "Ilocano", "own": "Filipino"}}, "names", "'filipino' is a name of tgl", "which"),
        ({"names": {"english": "Ilocano"}}, "names.own", "it is missing", "fill it in"),
        ({"names": {"english": False, "own": "x"}}, "names.english", "as yes or no, not as text", "quotes"),
        ({"names": {"english": 7, "own": "x"}}, "names.english", "as a number, not as text", "quotes"),
        ({"names": {"english": "x" * 10_000, "own": "x"}}, "names.english", "(10000 characters): at most 80", "short"),
        ({"names": {"english": "a\u202eb", "own": "x"}}, "", "U+202E", "type"),
        ({"names": {"english": " Ilocano", "own": "x"}}, "names.english", "starts or ends with a blank", "remove"),
        ({"other_codes": ["swa"]}, "code", "'swa' leads to swh (Swahili) too", "one"),
        ({"other_codes": ["Ilocano"]}, "other_codes.0", "not of the right form", "compare"),
        ({"speakers": {"count": 6000000}}, "speakers.source", "it is missing", "fill"),
        ({"speakers": {"count": -1, "source": "x"}}, "speakers.count", "'-1': input should be greater", "mend"),
        ({"spekers": 3}, "spekers", "there is no such field", "did you mean 'speakers'?"),
        ({"smoke": [{"direction": "eng>jav", "text": "a", "expected": "b"}]}, "smoke.0.direction", "nothing to do", ""),
        ({"smoke": [{"direction": "ilo>ilo", "text": "a", "expected": "b"}]}, "smoke.0.direction", "into itself", ""),
        ({"contributors": ["me"]}, "contributors.0", "'me'", ""),
        ({"contributors": [{"name": "me", "roles": ["boss"]}]}, "contributors.0.roles.0", "choices", "'registry'"),
        ({"contributors": [{"name": "me", "roles": ["data"], "url": "javascript:alert(1)"}]}, "contributors.0.url",
         "not a web address", "https://"),
        ({"models": [MODEL | {"revision": "main"}]}, "models.0.revision", "'main'", "40 hexadecimal digits"),
        ({"models": [MODEL | {"digests": []}]}, "models.0.digests", "'[]' is too few: at least 1", "add"),
        ({"models": [MODEL | {"digests": [{"file": "../x", "sha256": "0"}]}]}, "models.0.digests.0.file", "climb", ""),
        ({"models": [MODEL | {"digests": [{"file": "x", "sha256": "0"}]}]}, "models.0.digests.0.sha256", "'0'", "64"),
        ({"models": [MODEL | {"repository": "../../etc"}]}, "models.0.repository", "not the name of a", "ORG/NAME"),
        ({"models": [MODEL | {"base": "/home/me/llama"}]}, "models.0.base", "not the name of a", "ORG/NAME"),
    ],
)  # fmt: skip
def test_each_mistake_names_field_value_and_fix(
    tmp_path: Path, changes: dict[str, Any], field: str, message: str, fix: str
) -> None:
    fields = {key: value for key, value in (GOOD | changes).items() if value is not None}
    code = str(fields["code"])
    problems = check(tmp_path, yaml.safe_dump(fields, allow_unicode=True), f"{code}.yaml")
    assert any(problem.field == field and message in problem.message and fix in problem.fix for problem in problems), (
        said(problems)
    )


@pytest.mark.parametrize(
    ("licence", "expected"),
    [("CC BY-SA 4.0", "did you mean cc-by-sa-4.0?"), ("cc-by-4", "did you mean cc-by-4.0?"), ("qqqqqq", "Hub's tag")],
)
def test_an_unknown_licence_suggests_the_tag(tmp_path: Path, licence: str, expected: str) -> None:
    data = [GOOD["data"][0] | {"licence": licence}]
    (problem,) = check(tmp_path, changed(data=data))
    assert problem.field == "data.0.licence"
    assert expected in problem.fix


def test_an_unstated_licence_needs_a_note(tmp_path: Path) -> None:
    data = [GOOD["data"][0] | {"licence": "unknown"}]
    assert "say in `note:`" in said(check(tmp_path, changed(data=data)))
    assert check(tmp_path, changed(data=[data[0] | {"note": "nobody says"}])) == []


def test_a_data_set_must_be_somewhere(tmp_path: Path) -> None:
    data = [{"name": "Test", "kind": "parallel", "licence": "mit"}]
    assert "give `hub: ORG/NAME` or `url: https://...`" in said(check(tmp_path, changed(data=data)))


def test_a_missing_two_letter_code_is_asked_for(tmp_path: Path) -> None:
    fields = {"code": "jav", "script": "Latn", "names": {"english": "Javanese", "own": "Basa Jawa"}}
    assert said(check(tmp_path, yaml.safe_dump(fields), "jav.yaml")) == "jav.yaml: iso639_1: it is missing | write jv"
    wrong = yaml.safe_dump(fields | {"iso639_1": "jw"})
    assert said(check(tmp_path, wrong, "jav.yaml")) == "jav.yaml: iso639_1: 'jw' is deprecated | write jv"


def test_the_file_is_named_by_its_code(tmp_path: Path) -> None:
    (problem,) = check(tmp_path, changed(), "ilocano.yaml")
    assert "call it ilo.yaml" in problem.fix


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    problems = check(tmp_path, changed(code="swa", script="Latin", glottocode="x", spekers=1))
    assert [problem.field for problem in problems] == ["code", "script", "glottocode", "spekers"]


BOMB = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))


@pytest.mark.parametrize("loader", ["CSafeLoader", "SafeLoader"])
@pytest.mark.parametrize(
    ("text", "message", "fix"),
    [
        (BOMB, "line 1: anchors and aliases are refused", "write the value out"),
        ("code: &x ilo", "line 1: anchors and aliases are refused", "write the value out"),
        ("code: *x", "line 1", ""),
        ("a: {<<: {b: 1}}", "merge keys", "write the fields out"),
        ("code: !!python/object/apply:os.system ['true']", "tag", "plain text"),
        ("code: !!str ilo", "line 1: the tag", "plain text"),
        ("code: !mine ilo", "line 1: the tag '!mine' is refused", "plain text"),
        ("%TAG ! tag:x,2000:\n---\ncode: !y ilo", "tag", "plain text"),
        ("code: ilo\n---\ncode: jav", "line 2: a second document starts", "one language per file"),
        ("code: ilo\ncode: jav", "line 2: 'code' stands there twice", "keep one"),
        ("names:\n  own: a\n  own: b", "line 3: 'own' stands there twice", "keep one"),
        ("1: a", "the key '1' is not text", "words"),
        ("? [a, b]\n: c", "is not text", "words"),
        ("on: a", "the key 'True' is not text", "words"),
        ("[" * 20_000, "more than 6 levels deep", "no field"),
        ("{a: " * 10_000, "more than 6 levels deep", "no field"),
        ("- " * 10_000 + "a", "more than 6 levels deep", "no field"),
        ("# " + "x" * 70_000, "more than 64 KiB", "elsewhere"),
        ("", "there are no fields", "jav.yaml"),
        ("- a\n- b", "there are no fields", "jav.yaml"),
        ("just words", "there are no fields", "jav.yaml"),
        ("code: [ilo", "this is not YAML", "indentation"),
        ("code: a: b", "line 1: this is not YAML", "quotes"),
        ("code: ilo\n\tx: y", "line 2: this is not YAML", "indentation"),
        ("code: 2020-13-45", "line 1: '2020-13-45': month must be in 1..12", "quotes"),
        ("code: ilo\x00", "line 1: U+0000, a control character", "remove it"),
        ("code: ilo\n# \x1b[31mred", "line 2: U+001B, a control character", "remove it"),
        ("code: ilo # \u202e", "line 1: U+202E, an invisible or direction-changing", "remove it"),
        ("code: ilo # \u200f", "U+200F, an invisible or direction-changing", "remove it"),
        ("code: il\u200bo", "U+200B, an invisible or direction-changing", "remove it"),
        ("code: \U000e0041", "U+E0041, an invisible", "remove it"),
        ("code: \ufdd0", "U+FDD0, a code point that Unicode ", "remove it"),
        ("code: a\u00a0b", "U+00A0, a blank that is not the ordinary one", "type that line again"),
        ("code: \ue000", "U+E000, a private-use character", "remove it"),
        ("code: ilo".encode("utf-16"), "line 1: this is not UTF-8", "save the file as UTF-8"),
        (b"code: ilo\nnames: \xff", "line 2: this is not UTF-8", "save the file as UTF-8"),
        (b"\x00" * 100, "U+0000", "remove it"),
        (b"PK\x03\x04" + b"\x80" * 50, "this is not UTF-8", "UTF-8"),
    ],
)
def test_hostile_yaml_is_refused_with_its_line(
    tmp_path: Path, text: str | bytes, message: str, fix: str, loader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not hasattr(yaml, loader):
        pytest.skip("PyYAML was built without libyaml")
    monkeypatch.setattr(strict_yaml, "_Loader", getattr(yaml, loader))
    started = time.process_time()
    (problem,) = check(tmp_path, text)
    assert time.process_time() - started < 2
    assert message in problem.message
    assert fix in problem.fix
    assert problem.message.isprintable()


@pytest.mark.parametrize(
    "escape", ["\\u202e", "\\u0000", "\\e[31m", "\\u200f", "\\n", "\\ufeff", "\\U000E0041", "\\u2028", "\\ud800"]
)
def test_escapes_hide_nothing(tmp_path: Path, escape: str) -> None:
    text = f'code: ilo\nscript: Latn\nnames:\n  english: "Ilo{escape}cano"\n  own: Ilokano\n'
    problems = check(tmp_path, text)
    assert problems
    assert all(problem.message.isprintable() for problem in problems), said(problems)


def test_keys_and_file_names_are_quoted_visibly(tmp_path: Path) -> None:
    text = changed() + '"\\e[31m\\u202e": 1\n"\\e[31m": 1\n'
    for problem in check(tmp_path, text, "ilo.yaml\x1b[31m"):
        assert str(problem).isprintable()
    (twice,) = check(tmp_path, text + '"\\e[31m": 1\n')
    assert twice.message.isprintable()


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.text("abilo:{}[]&*!|>-?#%@`'\" \n,0.~<", max_size=300)))
def test_whatever_is_in_a_file_the_check_answers(
    tmp_path_factory: pytest.TempPathFactory, content: str | bytes
) -> None:
    problems = check(tmp_path_factory.getbasetemp(), content)
    assert problems
    assert all(str(problem).isprintable() and problem.fix for problem in problems)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from([*Language.model_fields, "x"]), JSON, max_size=6))
def test_whatever_the_fields_hold_the_check_answers(
    tmp_path_factory: pytest.TempPathFactory, fields: dict[str, Any]
) -> None:
    text = yaml.safe_dump(GOOD | fields, allow_unicode=True)
    for problem in check(tmp_path_factory.getbasetemp(), text):
        assert str(problem).isprintable()
        assert problem.fix


def test_joiners_that_languages_are_spelt_with_are_kept(tmp_path: Path) -> None:
    fields = {"code": "sin", "script": "Sinh", "iso639_1": "si", "names": {"english": "Sinhala", "own": "ශ්‍රී"}}
    assert check(tmp_path, yaml.safe_dump(fields, allow_unicode=True), "sin.yaml") == []


@pytest.mark.parametrize(
    ("code", "script", "own", "direction"),
    [("nqo", "Nkoo", "ߒߞߏ", "rtl"), ("urd", "Arab", "اردو", "rtl"), ("jpn", "Jpan", "日本語", "ltr"),
     ("yue", "Hant", "粵語", "ltr"), ("kor", "Kore", "한국어", "ltr"), ("mni", "Mtei", "ꯃꯩꯇꯩꯂꯣꯟ", "ltr"),
     ("chr", "Cher", "ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ", "ltr"), ("iku", "Cans", "ᐃᓄᒃᑎᑐᑦ", "ltr")],
)  # fmt: skip
def test_own_names_of_all_the_worlds_scripts_are_read(
    tmp_path: Path, code: str, script: str, own: str, direction: str
) -> None:
    fields = {"code": code, "script": script, "direction": direction, "names": {"english": code, "own": own}}
    fields_of = {
        problem.field for problem in check(tmp_path, yaml.safe_dump(fields, allow_unicode=True), f"{code}.yaml")
    }
    assert fields_of <= {"iso639_1", "code"}  # iku is a macrolanguage
    fields["direction"] = "ltr" if direction == "rtl" else "rtl"
    assert "direction" in said(check(tmp_path, yaml.safe_dump(fields, allow_unicode=True), f"{code}.yaml"))


def test_a_contributed_file_is_never_run(tmp_path: Path) -> None:
    trap = tmp_path / "ran"
    check(tmp_path, f"code: !!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path ['{trap}']]")
    assert not trap.exists()


def test_what_is_not_a_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    for path in (tmp_path, tmp_path / "missing.yaml", tmp_path / "pipe.yaml", Path("/dev/zero")):
        (problem,) = check_language_file(path, {})
        assert "not a file" in problem.message


@pytest.mark.parametrize(
    "path",
    [
        "../secret", "data/../../secret", "..", "/etc/passwd", "//server/share", "~/.ssh/id", "C:/x", "C:\\x", "D:rel",
        "\\\\server\\share\\x", "data\\x", "a/../b", "./x", "a//b", "a/", "nul", "data/CON.tsv", "com1", "x.", "x ",
        " x",         "a|b", 'a"b', "a<b", "file.txt:stream", "--help", "-rf", "", ".",
    ],
)  # fmt: skip
def test_unsafe_paths_are_refused(tmp_path: Path, path: str) -> None:
    assert unsafe_path(path)
    data = [GOOD["data"][0] | {"files": [path]}]
    (problem,) = check(tmp_path, changed(data=data))
    assert problem.field == "data.0.files.0"


@pytest.mark.parametrize("path", ["train.tsv", "data/train-*.csv", "a/b/c.json", "data/[a-z]?.tsv", "Nəm.txt", ".x/y"])
def test_plain_paths_are_kept(path: str) -> None:
    assert unsafe_path(path) is None


def test_a_path_with_a_control_character_is_refused(tmp_path: Path) -> None:
    data = [GOOD["data"][0] | {"files": ["a\u0000b"]}]
    assert check(tmp_path, changed(data=data))


def test_values_are_quoted_short_and_visible() -> None:
    assert shown("a\u202eb") == "'a\\u202eb'"
    assert len(shown("x" * 10_000)) < 100
    assert shown({"a": "\u202e"}).isprintable()


def test_the_command_says_what_is_wrong_and_exits_1(cogsym: Run, tmp_path: Path) -> None:
    good, bad = tmp_path / "ilo.yaml", tmp_path / "jw.yaml"
    good.write_text(changed())
    bad.write_text(changed(code="jw"))
    outcome = cogsym("languages", "check", str(good), str(bad))
    assert outcome.code == 1
    assert f"{good}: fine" in outcome.out
    assert "error: jw.yaml: code: 'jw' is deprecated\nhint: use jv / jav" in outcome.err
    assert cogsym("languages", "check", str(good)).code == 0
    told = cogsym("languages", "check", str(bad), "--json")
    assert told.code == 1
    report = json.loads(told.out)[str(bad)]
    assert [problem["fix"] for problem in report["problems"]] == ["use jv / jav"]
    assert not report["ok"]
    missing = cogsym("languages", "check", str(tmp_path / "ban.yaml"))
    assert missing.err == "error: ban.yaml: this is not a file\nhint: give the path of one YAML file\n"
