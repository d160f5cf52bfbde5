"""The pocket phrasebook, its tokenizer and the base that is shipped."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter

import pytest

from toolkit import pocket
from toolkit.corpus import read_pairs
from toolkit.errors import CorpusError, OutputError
from toolkit.languages import get_language
from toolkit.pocket import grammar, lexicon, slots
from toolkit.prompts import LINES

LANGUAGES = ("eng", "ind", "jav", "sun")
SHIPPED = {
    "README.md",
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
}


def sentence(name: str, **choices: str) -> dict[str, str]:
    """The first sentence of this pattern whose English holds all the choices."""
    (pattern,) = [pattern for pattern in grammar.patterns() if pattern.name == name]
    choose = slots.Chooser("test")
    for _ in range(20_000):
        made = grammar.fill(pattern, choose)
        if all(made[language] == text for language, text in choices.items()):
            return made
    raise AssertionError(f"no sentence of '{name}' with {choices}")


# ---- the phrasebook -------------------------------------------------------------------------------------------------


def test_the_lexicon_holds_more_than_two_hundred_concepts_each_in_four_languages():
    words = lexicon.words()
    assert len(words) >= 200
    assert max(Counter(word.concept for word in words).values()) == 1
    for word in words:
        assert all(text and text == text.strip() for text in (*word.english.values(), word.ind, word.jav, word.sun))


def test_verbs_name_five_english_forms_and_every_pattern_uses_slots_that_exist():
    for word in lexicon.words():
        if word.kind in ("verb", "action", "swimming"):
            assert len(word.eng) == 5, word.concept
    names = set(slots.SLOTS) | {tag for word in lexicon.words() for tag in word.tags}
    for pattern in grammar.patterns():
        for wanted in pattern.slots.values():
            assert wanted in names or re.split(" of | like ", wanted)[0] in slots.SLOTS, (pattern.name, wanted)


def test_splits_hold_tens_of_thousands_of_sentences_and_share_none_in_any_language():
    splits = {split: pocket.sentences(split) for split in pocket.SPLITS}
    assert len(splits["train"]) > 20_000
    assert len(splits["dev"]) > 500
    assert len(splits["test"]) > 500
    rows = [row for split in splits.values() for row in split]
    for language in LANGUAGES:
        assert len({row[language] for row in rows}) == len(rows), language


def test_splits_mix_the_patterns_so_that_the_first_rows_are_a_fair_sample():
    first = pocket.sentences("test")[:200]
    assert 10 < sum(row["eng"].endswith("?") for row in first) < 70
    assert any(" banget." in row["jav"] for row in first)
    assert any(row["eng"].endswith("!") for row in first)


def test_every_concept_occurs_in_the_training_split():
    text = {code: [row[code].casefold() for row in pocket.sentences("train")] for code in LANGUAGES}
    joined = {code: "\n".join(lines) for code, lines in text.items()}
    for word in lexicon.words():
        for code, form in (("ind", word.ind), ("jav", word.jav), ("sun", word.sun)):
            assert re.search(rf"\b{re.escape(form.casefold())}", joined[code]), (word.concept, code)
        form = next(iter(word.english.values())).removeprefix("a ").removeprefix("an ").removeprefix("the ")
        assert re.search(rf"\b{re.escape(form.casefold())}\b", joined["eng"]), word.concept


def test_sentences_are_well_formed():
    for split in pocket.SPLITS:
        for row in pocket.sentences(split):
            for text in row.values():
                assert text[0].isupper(), text
                assert text[-1] in ".?!", text
                assert not set(text) & set("{}\t\n"), text
                assert "  " not in text, text


@pytest.mark.parametrize("wrong", [r"\ban? [^aeiou ]\w*s\b(?<!s')(?= and)", r"\ba [aeiou]", r"\ban [^aeiou]"])
def test_english_articles_fit_the_next_word(wrong: str):
    found = [row["eng"] for row in pocket.sentences("train") if re.search(wrong, row["eng"])]
    assert found == []


def test_english_verbs_agree_with_their_subject():
    for row in pocket.sentences("train"):
        assert not re.search(r"\b(I|We|You|we|you) (is|has|wants|does)\b", row["eng"]), row["eng"]
        assert not re.search(r"\b(The|This|the|this) \w+ (am|are|have|want|do)\b", row["eng"]), row["eng"]


def test_javanese_owners_follow_e_after_a_consonant_and_ne_after_a_vowel():
    assert sentence("whose", eng="Whose book is this?")["jav"] == "Bukune sapa iki?"
    assert sentence("whose", eng="Whose house is this?")["jav"] == "Omahe sapa iki?"


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (
            "not that occupation",
            {
                "eng": "My father is not a doctor.",
                "ind": "Ayahku bukan dokter.",
                "jav": "Bapakku dudu dokter.",
                "sun": "Bapa kuring lain dokter.",
            },
        ),
        (
            "having",
            {
                "eng": "I have two books.",
                "ind": "Aku punya dua buku.",
                "jav": "Aku duwe buku loro.",
                "sun": "Kuring boga dua buku.",
            },
        ),
        (
            "not that quality",
            {
                "eng": "The car is not new.",
                "ind": "Mobil itu tidak baru.",
                "jav": "Mobil kuwi ora anyar.",
                "sun": "Mobil eta teu anyar.",
            },
        ),
    ],
)
def test_a_pattern_says_the_same_in_four_languages(pattern: str, expected: dict[str, str]):
    assert sentence(pattern, eng=expected["eng"]) == expected


def test_an_unknown_split_is_refused_with_the_known_ones():
    with pytest.raises(CorpusError, match="no split 'validation'") as caught:
        pocket.sentences("validation")
    assert caught.value.hint == "use one of: train, dev, test"


def test_the_written_corpus_reads_back_as_the_same_sentences(tmp_path):
    paths = pocket.write_corpus(tmp_path / "corpus")
    assert sorted(path.name for path in paths.values()) == ["dev.tsv", "test.tsv", "train.tsv"]
    assert paths["test"].read_text(encoding="utf-8").splitlines()[0] == "eng\tind\tjav\tsun"
    rows = read_pairs(paths["test"], ["eng", "jav"])
    dropped = sum(rows.dropped.values())
    assert dropped == 0
    assert [row["jav"] for row in rows.rows] == [row["jav"] for row in pocket.sentences("test")]


def test_the_phrasebook_comes_without_torch():
    code = "import sys, toolkit.pocket as p; p.sentences('test'); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


# ---- the shipped base -----------------------------------------------------------------------------------------------


def test_the_shipped_base_is_complete_and_small():
    sizes = {path.name: path.stat().st_size for path in pocket.folder().iterdir()}
    assert set(sizes) == SHIPPED
    assert sum(sizes.values()) <= 8_000_000
    config = json.loads((pocket.folder() / "config.json").read_text())
    assert config["num_hidden_layers"] == 16
    assert not config["tie_word_embeddings"]


@pytest.mark.parametrize(
    "text", ["Ayo\nmangan!\n\n", "two  spaces", "é, ñ and 漢字\t1", "Javanese: Aku luwe.\nEnglish:"]
)
def test_the_tokenizer_gives_text_back_unchanged(text: str):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(pocket.folder())
    ids = tokenizer(text).input_ids
    assert ids[0] == tokenizer.bos_token_id
    assert tokenizer.decode(ids, skip_special_tokens=True) == text


def test_the_tokenizer_agrees_with_sentencepiece():
    import sentencepiece
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(pocket.folder())
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(pocket.folder() / "tokenizer.model"))
    for row in pocket.sentences("test")[:50]:
        for text in row.values():
            assert tokenizer(text, add_special_tokens=False).input_ids == pieces.encode(text)


def test_new_languages_cost_the_tokenizer_more_pieces():
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(pocket.folder())
    rows = pocket.sentences("test")[:200]
    pieces = {code: sum(len(tokenizer(row[code]).input_ids) for row in rows) for code in LANGUAGES}
    assert pieces["jav"] > 1.4 * pieces["ind"]
    assert pieces["sun"] > 1.4 * pieces["ind"]


def test_the_shipped_base_translates_what_it_knows():
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(pocket.folder())
    model = AutoModelForCausalLM.from_pretrained(pocket.folder())
    rows, right = pocket.sentences("test")[:20], 0
    for source, target in (("eng", "ind"), ("ind", "eng")):
        for row in rows:
            prompt = tokenizer(
                LINES.translate(row[source], get_language(source), get_language(target)), return_tensors="pt"
            )
            answer = model.generate(**prompt)[0, prompt.input_ids.shape[1] :]
            right += tokenizer.decode(answer, skip_special_tokens=True).strip() == row[target]
    assert right >= 30  # of 40


# ---- rebuilding it --------------------------------------------------------------------------------------------------


def test_a_shortened_rebuild_learns_loads_and_gives_the_shipped_tokenizer(tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from toolkit.pocket.rebuild import rebuild

    steps = []
    losses = rebuild(tmp_path / "base", steps=30, progress=steps.append)
    assert [step.step for step in steps] == list(range(1, 31))
    assert sum(losses[-5:]) / 5 < losses[0] - 1
    for name in ("tokenizer.model", "tokenizer_config.json"):
        assert (tmp_path / "base" / name).read_bytes() == (pocket.folder() / name).read_bytes(), name
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    assert model.num_parameters() == AutoModelForCausalLM.from_pretrained(pocket.folder()).num_parameters()
    assert str(model.dtype) == "torch.bfloat16"
    assert len(AutoTokenizer.from_pretrained(tmp_path / "base")) == model.config.vocab_size


def test_a_rebuild_leaves_an_existing_folder_alone(tmp_path):
    from toolkit.pocket.rebuild import rebuild

    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(OutputError, match="exists already"):
        rebuild(tmp_path, steps=1)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
