"""A test sentence is found wherever it stands, and a phrase that anybody writes is not taken for one."""

from __future__ import annotations

import json
import random
from pathlib import Path
from textwrap import fill
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.auditing import audit
from toolkit.corpus import SentenceIndex
from toolkit.errors import CorpusError
from toolkit.evaluation.leaks import find_leaks
from toolkit.recipe import make_recipe, write_recipe
from toolkit.run_folder import RunFolder
from toolkit.training import mix

ENG = "Every morning the old fisherman mends his nets beside the quiet river."
JAV = "Saben esuk nelayan tuwa iku ndandani jalané ing pinggir kali sing sepi."
NEXT = ("My aunt sells rice cakes and sweet tea at the market near the bridge.", "Bulikku dodol jajan lan tèh legi.")
THAI = "ชาวประมงชราซ่อมแหของเขาริมแม่น้ำที่เงียบสงบทุกเช้าก่อนพระอาทิตย์ขึ้น"
CHINESE = "老渔夫每天早上都在安静的河边修补他的渔网，然后回家吃饭。"
HINDI = "बूढ़ा मछुआरा हर सुबह शांत नदी के किनारे अपने जाल की मरम्मत करता है।"


def index(*texts: str) -> SentenceIndex:
    made = SentenceIndex()
    for text in texts:
        made.add(text, "t")
    return made


@pytest.mark.parametrize(
    ("tested", "text"),
    [
        (ENG, f"Translate into Javanese: {ENG}"),
        (ENG, f"Translate into Javanese:«{ENG.upper()}»"),
        (ENG, "He wrote:\nevery morning the old fisherman mends his\n  nets, beside the quiet\nriver; and left."),
        (ENG, "**Every** morning, the old fisherman - mends his nets beside _the quiet_ river"),
        (f"{ENG} {NEXT[0]}", f"Who knows. {NEXT[0]} Nobody."),
        ("Well, don't you know that she's the dog's owner?", "I say: well, DON’T you know that she’s the dog’s owner"),
        ("Yes. No. I do. You do. We do.", "He said: yes! No! I do; you do; we do."),
        ("Internationale Zusammenarbeit zwischen Universitätsbibliotheken gelingt", "„Internationale Zusammenarbeit "
         "zwischen Universitätsbibliotheken gelingt“, sagt sie."),
        (THAI, f"เขาบอกว่า{THAI}แล้วก็กลับบ้าน"),
        (CHINESE, f"他说：{CHINESE[:9]}\n{CHINESE[9:]}再见。"),
        (HINDI, f"उसने कहा {HINDI} फिर गया"),
    ],
)  # fmt: skip
def test_a_sentence_inside_is_found(tested: str, text: str) -> None:
    assert index(tested).find([text]), text
    assert index("Something else that is long enough to be looked for in here", tested).find(["nothing", text])


@pytest.mark.parametrize(
    ("tested", "text"),
    [
        ("Good morning, how are you?", "She said: good morning, how are you? He left."),
        ("I do not know him", "I think I do not know him any more"),
        (ENG, ENG.replace("quiet", "loud")),
        (ENG, ENG.removesuffix(" quiet river.")),
        (ENG, ENG.replace("his nets", "hisnets")),
        (HINDI, HINDI.replace("की", "का")),
        (CHINESE, CHINESE[:15]),
        ("谢谢你们。", "他说谢谢你们。"),
        ("ขอบคุณมากครับ", "เขาบอกว่าขอบคุณมากครับแล้วก็ไป"),
        (f"{ENG} Thank you.", "He says: Thank you."),
    ],
)
def test_short_phrases_and_other_sentences_are_no_leak(tested: str, text: str) -> None:
    assert not index(tested).find([text], plain=False)


def test_short_sentences_count_as_whole_cells_and_in_plain_text_as_lines_and_sentences() -> None:
    short = index("Good morning, friend!")
    assert short.find(["good morning,  FRIEND"]) == {"t": "Good morning, friend!"}
    assert not short.find(["Ana. Good morning, friend! Lan."])
    assert short.find(["Ana. Good morning, friend! Lan."], plain=True)
    assert short.find(["Ana banyu. Good\nmorning, friend! Lan."], plain=True)
    assert not short.find([""], plain=True)
    assert not index("...", "").find(["...", "?"])


def test_each_test_set_is_told_with_the_sentence_that_it_shares() -> None:
    made = SentenceIndex()
    made.add(f"{NEXT[0]} {ENG}", "one")
    made.add(ENG, "two")
    made.add(ENG, "two")
    made.add(NEXT[0], "three")
    assert made.find([f"Note: {ENG}"]) == {"one": ENG, "two": ENG}
    assert not SentenceIndex().find([ENG])


@given(st.lists(st.sampled_from(["ba", "di", "ku", "mo", "ré", "我", "ส"]), min_size=8, max_size=60), st.randoms())
@settings(deadline=None, max_examples=300)
def test_whatever_is_long_enough_is_found_wherever_it_is_cut_from(words: list[str], draw: random.Random) -> None:
    begin = draw.randrange(len(words))
    sentence = words[begin : begin + 40]
    made = index(" ".join(sentence))
    enough = sum({"我": 0.5, "ส": 0.25}.get(word, 1) for word in sentence) >= 8
    assert bool(made.find([" , ".join(["x", *words, "y"])])) is (enough or len("".join(sentence)) >= 40)


def sources(folder: Path) -> list[dict[str, Any]]:
    """One source of each kind; the second of three rows holds the sentence."""
    (folder / "p.tsv").write_text(
        f"eng\tjav\nstone\twatu\n{ENG} {NEXT[0]}\t{NEXT[1]} Ya.\nfish\tiwak\n", encoding="utf-8"
    )
    (folder / "t.txt").write_text(f"Ana watu.\n\nAna banyu,\n{fill(JAV, 30)}\n\nAna iwak.\n", encoding="utf-8")
    asked = ["Watu?", f"Translate into Javanese: {ENG}", "Iwak?"]
    rows = [{"instruction": text, "input": "", "output": "ya"} for text in asked]
    (folder / "i.json").write_text(json.dumps(rows), encoding="utf-8")
    return [
        {"path": str(folder / "p.tsv"), "directions": ["eng>jav"]},
        {"path": str(folder / "t.txt"), "kind": "text"},
        {"path": str(folder / "i.json"), "kind": "instructions"},
    ]


@pytest.mark.parametrize("number", range(3))
def test_training_and_the_audit_find_it_in_every_kind_of_data(tmp_path: Path, number: int) -> None:
    source = sources(tmp_path)[number]
    test = tmp_path / "held.tsv"
    test.write_text(f"eng\tjav\n{ENG}\t{JAV}\n", encoding="utf-8")
    fields = {"language": "jav", "base": "pocket", "data": [source]}
    recipe = make_recipe(fields | {"evaluation": [{"path": str(test), "directions": ["eng>jav"]}]})
    with pytest.raises(CorpusError, match=r"1 of its rows share a sentence .*\(first: \w+ \d\)") as caught:
        mix(recipe)
    sentence = JAV if source.get("kind") == "text" else ENG
    assert f"'{sentence}' of held" in caught.value.message
    (info,) = mix(recipe.model_copy(update={"on_leak": "drop"})).sources
    assert (info.rows, info.dropped) == (2, {"also in a test set": 1})
    found = audit(Path(source["path"]), ["jav", "eng"], kind=source.get("kind", "parallel"), tests=[test])
    leaked = found.find("leaked")
    assert leaked is not None
    assert (leaked.count, found.usable) == (1, 2)
    assert leaked.examples[0].text == sentence


@pytest.mark.parametrize("number", range(3))
def test_evaluation_finds_it_afterwards(tmp_path: Path, number: int) -> None:
    source = sources(tmp_path)[number]
    run = RunFolder(tmp_path / "run")
    run.root.mkdir()
    write_recipe(make_recipe({"language": "jav", "base": "pocket", "data": [source]}), run.recipe, opening="")
    tests = []
    for name, row in (("other", f"{NEXT[0]}!!\tOra ana"), ("held", f"{ENG}\t{JAV}"), ("clean", "Not here\tOra ana")):
        (tmp_path / f"{name}.tsv").write_text(f"eng\tjav\n{row}\n", encoding="utf-8")
        test = {"path": str(tmp_path / f"{name}.tsv"), "directions": ["eng>jav"]}
        tests += make_recipe({"language": "jav", "base": "pocket", "data": [source], "evaluation": [test]}).evaluation
    other, held, clean = find_leaks(run, tests)
    assert (other is not None) == (number == 0)
    assert held is not None
    assert held.rows == 1
    assert held.words.startswith("held shares sentences with 1 rows of the training data (first: ")
    assert clean is None
