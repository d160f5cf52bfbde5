"""What a run trains on: sources of every kind, their weights, and what is left out of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import WORDS

from toolkit.adaptation import prepare
from toolkit.corpus import hub_data
from toolkit.corpus.digests import Digests, digest
from toolkit.corpus.identification import identify
from toolkit.errors import CogsymError, CorpusError, HubError, RecipeError
from toolkit.recipe import Recipe, make_recipe, portable, read_recipe, write_recipe
from toolkit.training import mix, refuse_repetition
from toolkit.training.batches import IGNORED, ExampleDataset

PAIRS = [(f"the {a} {b}", f"{b} kang {a}") for a in WORDS for b in WORDS]


def write_pairs(path: Path, rows: list[tuple[str, str]], header: str = "eng\tjav") -> Path:
    path.write_text(header + "\n" + "".join(f"{a}\t{b}\n" for a, b in rows), encoding="utf-8")
    return path


def recipe(*data: dict[str, Any], **changes: Any) -> Recipe:
    return make_recipe({"language": "jav", "base": "pocket", "data": list(data), "prompt": "lines"} | changes)


def pairs(path: Path, **changes: Any) -> dict[str, Any]:
    return {"path": str(path), "directions": ["eng>jav", "jav>eng"]} | changes


def test_the_order_of_a_seed_is_the_one_that_runs_so_far_were_trained_in(tmp_path: Path) -> None:
    source = pairs(write_pairs(tmp_path / "a.tsv", PAIRS[:6]), limit=4)
    completions = [example.completion for example in mix(recipe(source, seed=3)).examples]
    assert completions == [
        " stone kang sun",
        " fish kang sun",
        " bird kang sun",
        " the sun fish",
        " moon kang sun",
        " the sun moon",
        " the sun bird",
        " the sun stone",
    ]


@pytest.mark.parametrize(
    ("weight", "times"), [(1, {1}), (2, {2}), (0.5, {0, 1}), (2.5, {2, 3})], ids=["once", "twice", "half", "mixed"]
)
def test_a_weight_says_how_often_the_examples_of_a_source_come(tmp_path: Path, weight: float, times: set[int]) -> None:
    many = pairs(write_pairs(tmp_path / "a.tsv", PAIRS[:20]), directions=["eng>jav"])
    few = pairs(write_pairs(tmp_path / "b.tsv", PAIRS[20:30]), directions=["eng>jav"], weight=weight)
    mixture = mix(recipe(many, few))
    prompts = [example.prompt for example in mixture.examples]
    assert {prompts.count(f"English: {eng}\nJavanese:") for eng, _ in PAIRS[20:30]} == times
    assert {prompts.count(f"English: {eng}\nJavanese:") for eng, _ in PAIRS[:20]} == {1}
    assert len(prompts) == 20 + round(10 * weight)
    assert [source.weight for source in mixture.sources] == [1, weight]


def test_a_row_of_an_earlier_source_is_left_out(tmp_path: Path) -> None:
    first = pairs(write_pairs(tmp_path / "a.tsv", PAIRS[:20]))
    second = pairs(write_pairs(tmp_path / "b.tsv", [(b, a) for a, b in PAIRS[15:30]], "jav\teng"))
    mixture = mix(recipe(first, second))
    assert [source.dropped for source in mixture.sources] == [{}, {"also in an earlier source": 5}]
    assert len(mixture.examples) == len(set(mixture.examples)) == 60


def test_what_a_limit_left_out_of_one_source_may_come_from_the_next(tmp_path: Path) -> None:
    path = write_pairs(tmp_path / "a.tsv", PAIRS[:20])
    mixture = mix(recipe(pairs(path, limit=5), pairs(path)))
    assert [source.rows for source in mixture.sources] == [5, 15]


def test_the_other_direction_of_the_same_rows_is_no_repetition(tmp_path: Path) -> None:
    path = write_pairs(tmp_path / "a.tsv", PAIRS[:20])
    mixture = mix(recipe(pairs(path, directions=["eng>jav"]), pairs(path, directions=["jav>eng"])))
    assert [source.rows for source in mixture.sources] == [20, 20]


def test_the_bare_sentences_of_each_language_are_at_hand(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("siji\nloro\n")
    first, second = pairs(write_pairs(tmp_path / "a.tsv", PAIRS[:3])), {"path": str(tmp_path / "a.txt"), "kind": "text"}
    texts = mix(recipe(first, second)).texts
    assert texts["eng"][:] == [eng for eng, _ in PAIRS[:3]]
    assert list(texts["jav"]) == [*(jav for _, jav in PAIRS[:3]), "siji", "loro"]
    assert texts["jav"][-1] == "loro"


def test_one_row_again_and_again_is_no_corpus(tmp_path: Path) -> None:
    same = pairs(write_pairs(tmp_path / "same.tsv", PAIRS[:1] * 3))
    with pytest.raises(CorpusError, match=r"same\.tsv: one row is all that is left .*; 2 that repeat") as refused:
        prepare(recipe(same), tmp_path / "run")
    assert refused.value.hint
    assert not (tmp_path / "run").exists()
    other = pairs(write_pairs(tmp_path / "other.tsv", PAIRS[1:2]))
    refuse_repetition(mix(recipe(same, other)))
    refuse_repetition(mix(recipe(other)))  # few, but nothing is repeated


def test_a_source_that_only_repeats_another_is_refused(tmp_path: Path) -> None:
    path = write_pairs(tmp_path / "a.tsv", PAIRS[:20])
    with pytest.raises(CorpusError, match=r"nothing left after cleaning \(20 x also in an earlier source\)"):
        mix(recipe(pairs(path), pairs(path)))


def test_rows_are_held_out_by_their_text_alone(tmp_path: Path) -> None:
    forward = pairs(write_pairs(tmp_path / "a.tsv", PAIRS))
    backward = pairs(write_pairs(tmp_path / "b.tsv", [(b, a) for a, b in reversed(PAIRS)], "jav\teng"))
    splits = []
    for source, seed in ((forward, 0), (backward, 1)):
        mixture = mix(recipe(source, held_out_share=0.2, seed=seed))
        held_out = {example.completion for example in mixture.held_out}
        assert held_out.isdisjoint(example.completion for example in mixture.examples)
        assert mixture.sources[0].rows + mixture.sources[0].held_out == len(PAIRS)
        splits.append(held_out)
    assert splits[0] == splits[1]
    assert len(splits[0]) == pytest.approx(2 * 0.2 * len(PAIRS), rel=0.4)


def test_a_limit_holds_for_the_rows_held_out_as_well(tmp_path: Path) -> None:
    path = write_pairs(tmp_path / "a.tsv", PAIRS)
    whole = mix(recipe(pairs(path), held_out_share=0.2)).sources[0]
    half = mix(recipe(pairs(path, limit=whole.rows // 2), held_out_share=0.2)).sources[0]
    assert half.rows == whole.rows // 2
    assert half.held_out == pytest.approx(whole.held_out / 2, abs=1)


def test_a_test_sentence_inside_plain_text_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Ana watu.\n\nIki dawa. Mangga kang wulan! Lan liyane.\n\nAna banyu.\n")
    tests = [
        {"path": str(write_pairs(tmp_path / "t.tsv", [("a mango", "mangga kang wulan")])), "directions": ["eng>jav"]}
    ]
    source = {"path": str(tmp_path / "a.txt"), "kind": "text"}
    with pytest.raises(CorpusError, match=r"a.txt: 1 of its rows share a sentence .* \(first: line 3\)"):
        mix(recipe(source, evaluation=tests))
    assert mix(recipe(source, evaluation=tests, on_leak="drop")).sources[0].rows == 2


@pytest.mark.parametrize(
    ("name", "text", "documents"),
    [
        ("lines.txt", "siji\nloro\ntelu\n", ["siji", "loro", "telu"]),
        ("blocks.txt", "\nsiji\nloro\n\n\ntelu\n\n", ["siji\nloro", "telu"]),
        ("bom.txt", "\ufeffsiji\nsiji\nloro", ["siji", "loro"]),
        ("rows.jsonl", '{"text": "siji\\nloro"}\n{"text": ""}\n', ["siji\nloro"]),
        ("named.csv", "id,body\n1,siji\n2,loro\n", ["siji", "loro"]),
    ],
)
def test_plain_text_comes_as_lines_blocks_or_rows(tmp_path: Path, name: str, text: str, documents: list[str]) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    columns = {"jav": "body"} if name == "named.csv" else {}
    mixture = mix(recipe({"path": str(tmp_path / name), "kind": "text", "columns": columns}))
    assert sorted(example.completion for example in mixture.examples) == sorted(documents)
    assert mixture.sources[0].languages == ("jav",)
    assert mixture.directions == ()


def test_plain_text_is_packed_with_the_loss_on_every_token(tmp_path: Path, tiny_base: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    (tmp_path / "a.txt").write_text("\n".join(f"the {a} is near the {b}" for a in WORDS for b in WORDS))
    examples = mix(recipe({"path": str(tmp_path / "a.txt"), "kind": "text"})).examples
    dataset = ExampleDataset(tokenizer, examples, 32)
    items = [dataset[index] for index in range(len(dataset))]
    assert {len(item["input_ids"]) for item in items[:-1]} == {32}
    assert all(item["labels"] == item["input_ids"] for item in items)
    joined = [token for item in items for token in item["input_ids"]]
    wanted = [tokenizer.bos_token_id, *tokenizer(examples[0].completion, add_special_tokens=False).input_ids]
    assert joined[: len(wanted) + 1] == [*wanted, tokenizer.eos_token_id]
    assert joined.count(tokenizer.eos_token_id) == len(examples)
    assert dataset["length"] == [len(item["input_ids"]) for item in items]


def test_text_and_pairs_train_side_by_side(tmp_path: Path, tiny_base: Path) -> None:
    from transformers import AutoTokenizer

    (tmp_path / "a.txt").write_text("the sun is near the moon\n")
    text = {"path": str(tmp_path / "a.txt"), "kind": "text"}
    mixture = mix(recipe(text, pairs(write_pairs(tmp_path / "a.tsv", PAIRS[:3]))))
    dataset = ExampleDataset(AutoTokenizer.from_pretrained(tiny_base), mixture.examples, 64)
    whole = [IGNORED not in item["labels"] for item in dataset]
    assert sorted(whole) == [False] * 6 + [True]
    assert mixture.directions == ("eng>jav", "jav>eng")


def test_replayed_text_and_instructions_say_their_language(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([{"instruction": "Name fruit", "output": "apples"}]))
    replay = [{"path": str(tmp_path / "a.json"), "kind": "instructions", "language": "eng"}]
    data = pairs(write_pairs(tmp_path / "a.tsv", PAIRS[:30]))
    assert mix(recipe(data, replay=replay)).sources[1].languages == ("eng",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '[{"eng": "a", "jav": "b"}, {"eng": "c" "jav": "d"}]',
            "row 2 (line 1): it is no readable JSON: Expecting ',' delimiter",
        ),
        ('[{"eng": "a", "jav": "b"}', "row 2 (line 1): the file ends before its array does"),
        ('["a"]', "row 1 (line 1): it is a text, not an object with named fields"),
        ('{"eng": "a", "jav": "b"}\n3\n', "line 2: it is a number, not an object with named fields"),
    ],
)
def test_broken_json_is_told_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(CorpusError) as caught:
        mix(recipe(pairs(tmp_path / "a.json")))
    assert message in caught.value.message


def test_a_json_array_of_any_size_is_read_piece_by_piece(tmp_path: Path) -> None:
    rows = [{"eng": f"{a} {n} [,]}}", "jav": f"{b} {n}", "note": "x" * 200} for n in range(5) for a, b in PAIRS]
    (tmp_path / "a.json").write_text(json.dumps(rows, indent=1))
    assert mix(recipe(pairs(tmp_path / "a.json"))).sources[0].rows == len(rows)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"path": "a.tsv", "hub": "org/name"}, "either a `path:` or a `hub:` data set"),
        ({}, "either a `path:` or a `hub:` data set"),
        ({"path": "a.tsv", "config": "jav"}, "`config` is for data sets on the Hub"),
        ({"hub": "name"}, "hub: String should match pattern"),
        ({"path": "a.tsv", "language": "jav"}, "`language` is for instructions and text"),
        ({"path": "a.txt", "kind": "text", "directions": ["eng>jav"]}, "`directions` are for sentence pairs"),
        ({"path": "a.tsv", "weight": 0}, "weight: Input should be greater than 0"),
        ({"path": "a.txt", "kind": "text", "language": "jaw"}, "unknown language 'jaw'"),
    ],
)
def test_a_source_that_contradicts_itself_is_refused(source: dict[str, Any], message: str) -> None:
    with pytest.raises(CogsymError) as caught:
        recipe(source)
    assert message in caught.value.message


def test_a_hub_data_set_is_read_like_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import datasets

    asked: list[Any] = []

    def load_dataset(*arguments: Any, **options: Any) -> Any:
        asked.append((arguments, options))
        return datasets.Dataset.from_list([{"english": a, "javanese": b} for a, b in PAIRS[:9]])

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    source = {"hub": "org/words", "config": "jv", "revision": "abc", "columns": {"eng": "english", "jav": "javanese"}}
    chosen = recipe(source)
    mixture = mix(chosen)
    assert asked == [(("org/words", "jv"), {"split": "train", "revision": "abc"})]
    assert mixture.sources[0].name == "org/words"
    assert mixture.sources[0].rows == 9
    write_recipe(portable(chosen), tmp_path / "r.yaml", opening="x")
    assert read_recipe(tmp_path / "r.yaml").data[0].hub == "org/words"


def test_a_hub_data_set_out_of_reach_is_told() -> None:
    with pytest.raises(HubError, match="data set nobody/nothing is neither in the cache here nor") as caught:
        hub_data.read_hub("nobody/nothing")
    assert "path:" in (caught.value.hint or "")


def test_none_of_the_data_in_the_language_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    with pytest.raises(RecipeError, match="none of the data is in jav"):
        mix(recipe({"path": str(tmp_path / "a.txt"), "kind": "text", "language": "eng"}))


def test_languages_are_identified_where_the_package_is_there(tmp_path: Path) -> None:
    english = ["The market is open in the morning.", "Where did you put the book?", "It rained all night long."]
    french = ["Le marché est ouvert le matin.", "Où as-tu mis le livre ?", "Il a plu toute la nuit."]
    assert identify(english, "eng").share == 1
    mistaken = identify(french, "eng")
    assert (mistaken.share, mistaken.next_best, mistaken.next_share) == (0, "fr", 1)
    rows = list(zip(english, french, strict=True))
    source = mix(recipe(pairs(write_pairs(tmp_path / "a.tsv", rows)))).sources[0]
    assert [(found.language, found.rows) for found in source.identified] == [("eng", 3), ("jav", 3)]
    assert source.identified[1].share == 0


def test_a_language_that_the_identification_does_not_know_is_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from toolkit.corpus.identifier import Identifier

    monkeypatch.setattr(Identifier, "labels", frozenset({"en"}))
    found = identify(["Sugeng enjing"], "jav")
    assert (found.share, found.rows, found.next_best) == (None, 0, None)


def test_identification_reaches_for_no_network(tmp_path: Path) -> None:
    code = (
        "import socket\n"
        "def refuse(*_, **__): raise AssertionError('the network was asked')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from toolkit.corpus.identification import identify\n"
        "print(identify(['Where is the market?'], 'eng').share)"
    )
    environment = {"FTLANG_CACHE": str(tmp_path / "none"), "PATH": "", "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60)
    assert done.stdout == "1.0\n", done.stderr
    assert not (tmp_path / "none").exists()


def test_without_the_package_nothing_is_identified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from toolkit.training import gathering

    monkeypatch.setattr(gathering, "can_identify", lambda: False)
    assert mix(recipe(pairs(write_pairs(tmp_path / "a.tsv", PAIRS[:3])))).sources[0].identified == ()


def test_a_set_of_digests_holds_what_a_set_holds() -> None:
    values = [digest(str(number)) for number in range(5000)]
    digests = Digests()
    for value in values + values[:100]:
        digests.add(value)
    assert len(digests) == 5000
    assert set(digests) == set(values)
    assert all(value in digests for value in values)
    assert not any(digest(f"other {number}") in digests for number in range(1000))


def test_memory_does_not_grow_with_the_text(tmp_path: Path) -> None:
    """30 MB of sentences pass through reading, mixing and tokenization; memory grows by far less."""
    with (tmp_path / "a.txt").open("w") as file:
        for number in range(30_000):
            file.write(f"{number} " + "lorem ipsum dolor sit amet " * 38 + "\n")
    code = (
        "import resource, sys\n"
        "from toolkit.recipe import make_recipe\n"
        "from toolkit.training import mix\n"
        "from toolkit.training.batches import ExampleDataset\n"
        "from types import SimpleNamespace\n"
        "class Bytes:\n"
        "    bos_token_id, eos_token_id = 1, 2\n"
        "    def __call__(self, text, **_): return SimpleNamespace(input_ids=[*text.encode()])\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024\n"
        "def run(path, limit):\n"
        "    source = {'path': path, 'kind': 'text', 'limit': limit}\n"
        "    mixture = mix(make_recipe({'language': 'jav', 'base': 'pocket', 'data': [source]}))\n"
        "    return len(ExampleDataset(Bytes(), mixture.examples[:10_000], 512))\n"
        "open(sys.argv[1] + '.small.txt', 'w').write('a b\\nc d\\n')\n"
        "run(sys.argv[1] + '.small.txt', None)\n"
        "before = peak()\n"
        "assert run(sys.argv[1], None) > 15_000\n"
        "print(peak() - before)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "a.txt"], capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 15, "MiB, for 30 MB of text and 40 MB of token ids"
