"""Scores, intervals and p values are sacrebleu's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.significance import PairedTest

from toolkit.errors import EvaluationError
from toolkit.evaluation.bootstrap import RESAMPLES, SEED, paired_p_value, resample
from toolkit.evaluation.lm_eval_functions import corpus_spbleu, spbleu
from toolkit.evaluation.metrics import Metric, translation_metrics

REFERENCES = [
    "The bird sits near the river.",
    "Watu iku gedhe banget, ya?",
    "omah",
    "A man reads the old book (slowly).",
    "ꦲꦏ꧀ꦱꦫꦗꦮ is the script",
    "The wind and the rain came from the hill.",
] * 5
GOOD = [text.replace("the", "a") if index % 4 else text for index, text in enumerate(REFERENCES)]
BAD = [text[: 3 + index % 7] if index % 3 else "" for index, text in enumerate(REFERENCES)]
SACREBLEU = {"chrF++": lambda: CHRF(word_order=2), "BLEU": lambda: BLEU()}


def samples(hypotheses: list[str]) -> list[dict[str, str]]:
    pairs = zip(hypotheses, REFERENCES, strict=False)
    return [{"hypothesis": hypothesis, "reference": reference} for hypothesis, reference in pairs]


@pytest.fixture(params=["chrF++", "BLEU"])
def metric(request: pytest.FixtureRequest) -> Metric:
    return next(metric for metric in translation_metrics() if metric.name == request.param)


@pytest.mark.parametrize(
    "hypotheses",
    [GOOD, BAD, REFERENCES, [""] * len(REFERENCES), ["x"] * len(REFERENCES)],
    ids=["good", "bad", "perfect", "empty", "wrong"],
)
def test_scores_and_signatures_are_those_of_sacrebleu(metric: Metric, hypotheses: list[str]) -> None:
    theirs = SACREBLEU[metric.name]()
    expected = theirs.corpus_score(hypotheses, [REFERENCES], n_bootstrap=RESAMPLES)
    ours = resample(metric, metric.statistics(samples(hypotheses)))
    assert ours.value == expected.score
    assert metric.signature == f"{expected.name}|{theirs.get_signature().format()}"


@pytest.mark.parametrize("hypotheses", [GOOD, BAD], ids=["good", "bad"])
def test_intervals_are_as_wide_as_those_of_sacrebleu(metric: Metric, hypotheses: list[str]) -> None:
    expected = SACREBLEU[metric.name]().corpus_score(hypotheses, [REFERENCES], n_bootstrap=RESAMPLES)
    ours = resample(metric, metric.statistics(samples(hypotheses)))
    low, high = ours.interval
    assert (high - low) / 2 == pytest.approx(expected._ci, rel=1e-5)
    assert ours.draws.mean() == pytest.approx(expected._mean, rel=1e-5)
    assert low <= ours.value <= high


@pytest.mark.parametrize(("baseline", "system"), [(BAD, GOOD), (GOOD, [*GOOD[:-1], "house"]), (GOOD, BAD)])
def test_p_values_are_those_of_sacrebleu(metric: Metric, baseline: list[str], system: list[str]) -> None:
    theirs = SACREBLEU[metric.name]()
    test = PairedTest([("base", baseline), ("system", system)], {"metric": theirs}, [REFERENCES], test_type="bs")
    _, results = test()
    expected = next(scores for name, scores in results.items() if name != "System")[1]
    base = resample(metric, metric.statistics(samples(baseline)))
    ours = resample(metric, metric.statistics(samples(system)))
    assert paired_p_value(ours, base) == pytest.approx(expected.p_value, abs=2 / RESAMPLES)


def test_a_system_does_not_differ_from_itself(metric: Metric) -> None:
    own = resample(metric, metric.statistics(samples(GOOD)))
    assert paired_p_value(own, own) == 1.0


def test_one_sentence_has_no_width(metric: Metric) -> None:
    own = resample(metric, metric.statistics(samples(GOOD[:1])))
    assert own.interval == (own.value, own.value)


def test_resampling_is_seeded(metric: Metric) -> None:
    statistics = metric.statistics(samples(GOOD))
    assert (resample(metric, statistics).draws == resample(metric, statistics).draws).all()
    assert f"|bs:{RESAMPLES}|seed:{SEED}|" in metric.signature


@pytest.fixture
def pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which sacrebleu looks for its SentencePiece models; with one of a few words, as spBLEU's."""
    import sentencepiece

    (tmp_path / "text.txt").write_text("\n".join(REFERENCES), encoding="utf-8")
    (tmp_path / "models").mkdir()
    sentencepiece.SentencePieceTrainer.train(
        input=str(tmp_path / "text.txt"),
        model_prefix=str(tmp_path / "models" / "tiny"),
        vocab_size=90,
        model_type="bpe",
        minloglevel=2,
    )
    monkeypatch.setattr("sacrebleu.tokenizers.tokenizer_spm.SACREBLEU_DIR", str(tmp_path))
    return tmp_path / "models"


def test_spbleu_is_that_of_sacrebleu_and_of_the_task_file(pieces: Path) -> None:
    (pieces / "tiny.model").rename(pieces / "flores200sacrebleuspm")
    metric = next(metric for metric in translation_metrics(spbleu=True) if metric.name == "spBLEU")
    theirs = BLEU(tokenize="flores200")
    expected = theirs.corpus_score(GOOD, [REFERENCES], n_bootstrap=RESAMPLES)
    assert resample(metric, metric.statistics(samples(GOOD))).value == expected.score
    assert metric.signature == f"{expected.name}|{theirs.get_signature().format()}"
    assert "|tok:flores200|" in metric.signature
    pairs = [spbleu(references=[right], predictions=[said]) for right, said in zip(REFERENCES, GOOD, strict=True)]
    assert corpus_spbleu(pairs) == expected.score
    assert expected.score != BLEU().corpus_score(GOOD, [REFERENCES]).score


def test_spbleu_without_its_model_is_told(pieces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(url: str, path: str) -> None:
        raise OSError("no network")

    monkeypatch.setattr("sacrebleu.tokenizers.tokenizer_spm.download_file", fail)
    with pytest.raises(EvaluationError, match="spBLEU needs the SentencePiece model of FLORES-200") as caught:
        translation_metrics(spbleu=True)
    assert "leave out `spbleu`" in (caught.value.hint or "")
