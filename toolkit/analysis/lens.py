"""Where in a model a language appears: language probabilities and cross-lingual similarity, layer by layer.

The logit lens reads `head(norm(h))` of the state after each layer at the last token of a prompt, where the answer's
first token is foretold. Similarity is the cosine between mean-pooled states of sentences that translate each other;
beside it stands the same for sentences that do not, because states of one layer all point much the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import combinations
from pathlib import Path
from typing import Any

import torch

from toolkit.analysis.hidden import Decoder, last, mean, mean_after_first
from toolkit.analysis.language_tokens import coverage, telling_tokens
from toolkit.analysis.lens_record import LanguageCurve, LensRecord, Model, SimilarityCurve
from toolkit.analysis.parallel_text import ParallelText
from toolkit.environment import package_versions
from toolkit.errors import BaseModelError, CorpusError
from toolkit.languages import Direction, get_language, parse_direction
from toolkit.prompts import get_template
from toolkit.run_folder import RunFolder
from toolkit.tokens import prompt_ids

BATCH = 16

Progress = Callable[[str, int, int], None]
"""Called with what is being read, how many rows of it are done, and how many there are."""


def read_lens(
    text: ParallelText,
    *,
    words: Mapping[str, Sequence[str]] | None = None,
    run: RunFolder | None = None,
    base: str | Path | None = None,
    directions: Sequence[str] = (),
    prompt: str | None = None,
    report: Progress | None = None,
) -> LensRecord:
    """Read a base, and the same base with a delta on it, layer by layer.

    Args:
        words: by language, what its words are known by; default the words of the text.
        run: a run folder or a downloaded delta; None reads the base alone.
        base: default the base that the delta names.
        directions: what to ask for, e.g. `eng>jav`; default those of the delta that the text can ask, else from the
            text's first language into each other one.
        prompt: wording; default the delta's, else `lines`.

    Raises:
        CorpusError: if a direction is not in the text, or its languages cannot be told apart by tokens.
        BaseModelError: if the base cannot be loaded, or the lens does not know its kind.
        WrongBaseError: if the delta was made for another base.
    """
    from toolkit.delta.checkpoint import read_base_info
    from toolkit.pretrained import base_of, load_base, resolve_base

    if run is None and base is None:
        raise BaseModelError("which model should be read?", "give a run folder or a delta, or --base")
    config = run.read_config() if run is not None else None
    wanted = _directions(text, directions, config.directions if config else ())
    template = get_template(prompt or (config.prompt if config else "lines"))
    if base is not None:
        folder = resolve_base(base)
    else:
        assert run is not None
        folder = base_of(run)
    model, tokenizer = load_base(folder)
    sentences = {language: [row[language] for row in text.rows] for language in text.languages}
    telling = telling_tokens(tokenizer, sentences if words is None else words)
    prompts = {
        direction: [
            template.translate(row[direction.source], get_language(direction.source), get_language(direction.target))
            for row in text.rows
        ]
        for direction in wanted
    }
    decoder = Decoder(model)
    decoder.check(prompt_ids(tokenizer, prompts[wanted[0]][0]))
    speaks: list[LanguageCurve] = []
    alike: list[SimilarityCurve] = []
    for name, active in _models(model, folder, run):
        with active:
            for direction in wanted:
                rows = [prompt_ids(tokenizer, each) for each in prompts[direction]]
                curves = _languages(decoder, rows, telling, _of(report, f"{name} {direction}"))
                speaks.append(LanguageCurve(model=name, direction=str(direction), probability=curves))
            states = {
                language: _pooled(decoder, tokenizer, sentences[language], _of(report, f"{name} {language}"))
                for language in text.languages
            }
        alike += [_similarity(name, pair, states) for pair in combinations(text.languages, 2)]
    return LensRecord(
        base=config.base if config else read_base_info(folder, _base_id(base, folder)),
        delta_sha256=config.delta_sha256 if config else None,
        trained_layers=config.selection.layers if config else (),
        text=text.name,
        text_fingerprint=text.fingerprint,
        rows=len(text.rows),
        languages=text.languages,
        prompt=template.name,
        example_prompt=prompts[wanted[0]][0],
        telling_tokens={language: len(tokens) for language, tokens in telling.items()},
        coverage={language: coverage(tokenizer, sentences[language], telling[language]) for language in telling},
        speaks=tuple(speaks),
        alike=tuple(alike),
        versions=package_versions(),
    )


def _base_id(base: str | Path | None, folder: Path) -> str:
    """The base as it was asked for, or the name of its folder."""
    return folder.name if base is None or Path(base).is_dir() else str(base)


def _directions(text: ParallelText, asked: Sequence[str], trained: Sequence[str]) -> list[Direction]:
    held = set(text.languages)
    if asked:
        found = [parse_direction(each) for each in dict.fromkeys(asked)]
        for direction in found:
            missing = {direction.source, direction.target} - held
            if missing:
                raise CorpusError(
                    f"{text.name} holds {', '.join(text.languages)}, and {direction} asks for {sorted(missing)[0]}",
                    "choose a direction between its languages",
                )
        return found
    found = [parse_direction(each) for each in trained]
    found = [direction for direction in found if {direction.source, direction.target} <= held]
    return found or [Direction(text.languages[0], other) for other in text.languages[1:]]


def _models(model: Any, folder: Path, run: RunFolder | None) -> Iterator[tuple[Model, AbstractContextManager[None]]]:
    """The base, and the base with the delta laid over it, one after the other; loaded once."""
    yield "base", nullcontext()
    if run is not None:
        from toolkit.delta import LanguageSwitcher

        switcher = LanguageSwitcher(model, folder)
        switcher.add("adapted", run.root / run.read_config().delta_file)
        yield "adapted", switcher.use("adapted")


def _languages(
    decoder: Decoder, rows: Sequence[Sequence[int]], telling: Mapping[str, frozenset[int]], report: Progress | None
) -> dict[str, tuple[float, ...]]:
    """Mean probability of each language's telling tokens, per layer."""
    place = decoder.model.device
    tokens = {language: torch.tensor(sorted(found), device=place) for language, found in telling.items()}
    sums = {language: torch.zeros(decoder.n_layers + 1, dtype=torch.float64) for language in telling}
    for batch in _batches(rows, report):
        for layer, states in enumerate(decoder.states(batch, last)):  # one layer at a time: V is large
            found = decoder.probabilities(states)  # (B, V)
            for language, wanted in tokens.items():
                sums[language][layer] += found[:, wanted].sum().double().cpu()
    return {language: tuple((total / len(rows)).tolist()) for language, total in sums.items()}


def _pooled(decoder: Decoder, tokenizer: Any, sentences: Sequence[str], report: Progress | None) -> torch.Tensor:
    """Mean-pooled states of each sentence, (L + 1, sentences, D), in float32."""
    rows = [prompt_ids(tokenizer, sentence) for sentence in sentences]
    pool = mean if tokenizer.bos_token_id is None else mean_after_first
    return torch.cat([decoder.states(batch, pool).cpu() for batch in _batches(rows, report)], dim=1)


def _similarity(model: Model, pair: tuple[str, str], states: Mapping[str, torch.Tensor]) -> SimilarityCurve:
    one, other = (states[language] for language in pair)
    cosine = torch.nn.functional.cosine_similarity
    return SimilarityCurve(
        model=model,
        languages=pair,
        translations=tuple(cosine(one, other, dim=-1).mean(1).tolist()),
        unrelated=tuple(cosine(one, other.roll(1, dims=1), dim=-1).mean(1).tolist()),
    )


def _batches(rows: Sequence[Sequence[int]], report: Progress | None) -> Iterator[Sequence[Sequence[int]]]:
    for first in range(0, len(rows), BATCH):
        batch = rows[first : first + BATCH]
        yield batch
        if report:
            report("", first + len(batch), len(rows))


def _of(report: Progress | None, what: str) -> Progress | None:
    return None if report is None else lambda _, done, total: report(what, done, total)
