"""What all usable rows together show: lengths, languages and tokens of each side, and the rows that stand out."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from toolkit.auditing.catalogue import CATALOGUE
from toolkit.auditing.lengths import length_bars, ratio_outliers
from toolkit.auditing.reading import Reading
from toolkit.auditing.record import Example, Finding, Ratio, Side, Tokens
from toolkit.auditing.tally import KEPT, excerpt, rows
from toolkit.auditing.token_costs import ENGLISH, SAMPLE, count_tokens, in_words, load_tokenizer
from toolkit.auditing.tongues import Tongue, listen, other_languages, swapped, wrong_language
from toolkit.auditing.words import SAMPLE as WORDS_SAMPLE
from toolkit.auditing.words import misplaced
from toolkit.corpus.identifier import Identifier

_LANGUAGES = 8  # most common labels that are kept


def look_at_sides(
    reading: Reading, ear: Identifier | None, base: Path | None
) -> tuple[tuple[Side, ...], tuple[Ratio, ...], list[Finding]]:
    """Facts of each side, ratios of each pair, and findings."""
    keys = [key for key in reading.columns if reading.kind == "parallel" or key in ("text", "output")]
    if not len(reading.usable):
        return (), (), []
    lengths = {key: array("q") for key in keys}
    for row in reading.usable:
        for key in keys:
            lengths[key].append(len(row[key]))
    tongues = listen(reading.usable, {key: reading.languages[key] for key in keys}, ear)
    findings = _of_languages(reading, tongues, ear)
    ratios, far = _ratios(reading, keys, lengths)
    tokens, costs = _tokens(reading, keys, base)
    sides = tuple(_side(reading, key, lengths[key], tongues[key], tokens.get(key), ear) for key in keys)
    return sides, ratios, findings + far + costs


def _side(
    reading: Reading, key: str, lengths: array[int], tongue: Tongue, tokens: Tokens | None, ear: Identifier | None
) -> Side:
    language = reading.languages[key]
    words = [len(reading.usable[index][key].split()) for index in _spread(reading)]
    top = tongue.scripts.most_common(1)
    return Side(
        language=language.code,
        name=language.name,
        column=reading.columns[key],
        characters=round(median(lengths)),
        words=median(words) if language.has_words else None,
        lengths=length_bars(lengths),
        script=top[0][0].title() if top else None,
        identified=tongue.identification(ear.name) if ear else None,
        languages={label or "unknown": n for label, n in tongue.labels.most_common(_LANGUAGES)},
        tokens=tokens,
    )


def _of_languages(reading: Reading, tongues: Mapping[str, Tongue], ear: Identifier | None) -> list[Finding]:
    """Columns that are exchanged; else rows in another script, in another language, or on the wrong side."""
    exchanged = swapped(tongues.values())
    if exchanged:
        return [exchanged]
    findings: list[Finding] = []
    for key, tongue in tongues.items():
        looked_at = -(-len(reading.usable) // tongue.step)
        if tongue.foreign_script:
            shown = _examples(reading, key, tongue.foreign_script)
            script = tongue.language.script_name
            findings.append(_told("wrong-script", len(tongue.foreign_script), looked_at, shown, key=key, script=script))
        wrong = wrong_language(tongue, ear.name) if ear else None
        if wrong:
            findings.append(wrong)
            continue
        labels = other_languages(tongue)
        if labels:
            shown = tuple(
                Example(place, f"[{label}] {text}")
                for (place, text), label in zip(_examples(reading, key, list(labels)), labels.values(), strict=False)
            )
            findings.append(_told("other-language", len(labels), looked_at, shown, key=key))
    if reading.kind == "parallel":
        findings += _misplaced(reading, [key for key, tongue in tongues.items() if tongue.language.has_words])
    return findings


def _misplaced(reading: Reading, keys: Sequence[str]) -> list[Finding]:
    found = dict(misplaced(reading.usable, keys))
    looked_at = min(len(reading.usable), WORDS_SAMPLE)
    findings = []
    for one, other in list(found):
        both = sorted(set(found[one, other]) & set(found.get((other, one), ())))
        if both:
            found[one, other] = [index for index in found[one, other] if index not in both]
            found[other, one] = [index for index in found[other, one] if index not in both]
            shown = tuple(
                Example(reading.place(i), excerpt(" ⇥ ".join(reading.usable[i].values()))) for i in both[:KEPT]
            )
            findings.append(_told("swapped-rows", len(both), looked_at, shown))
    for (key, _), indices in found.items():
        if indices:
            shown = _examples(reading, key, indices)
            findings.append(_told("other-column", len(indices), looked_at, shown, key=key))
    return findings


def _ratios(
    reading: Reading, keys: Sequence[str], lengths: Mapping[str, array[int]]
) -> tuple[tuple[Ratio, ...], list[Finding]]:
    ratios, findings = [], []
    for index, one in enumerate(keys):
        for other in keys[index + 1 :]:
            measured = ratio_outliers(lengths[one], lengths[other], (one, other))
            if measured is None:
                continue
            ratio, far = measured
            ratios.append(ratio)
            if far:
                rule = (
                    f"{one} usually has {ratio.median:.2f} times the characters of {other}; told are rows "
                    f"{ratio.factor:.1f} times off that"
                )
                shown = tuple(
                    Example(
                        reading.place(i), f"{excerpt(reading.usable[i][one][:60])} ⇥ {reading.usable[i][other][:60]}"
                    )
                    for i in far[:KEPT]
                )
                findings.append(_told("length-ratio", len(far), len(reading.usable), shown, key=rule))
    return tuple(ratios), findings


def _examples(reading: Reading, key: str, indices: Sequence[int]) -> tuple[Example, ...]:
    return tuple(Example(reading.place(index), excerpt(reading.usable[index][key])) for index in indices[:KEPT])


def _told(
    code: str, count: int, looked_at: int, shown: tuple[Example, ...], *, key: str = "", script: str = ""
) -> Finding:
    entry = CATALOGUE[code]
    return Finding(
        code=code,
        severity=entry.severity,
        count=count,
        share=round(count / looked_at, 4),
        message=entry.message.format(rows=rows(count), where=key, script=script),
        fix=entry.fix,
        examples=shown,
    )


def _spread(reading: Reading) -> range:
    """Indices of usable rows, spread evenly."""
    return range(0, len(reading.usable), max(1, -(-len(reading.usable) // SAMPLE)))


def _tokens(reading: Reading, keys: Sequence[str], base: Path | None) -> tuple[dict[str, Tokens], list[Finding]]:
    """Tokens of each side, and a sentence for each language beside English (or the file's other one)."""
    if base is None:
        return {}, []
    try:
        tokenizer = load_tokenizer(base)
    except Exception as error:  # whatever a damaged folder makes the library raise
        message = f"The tokenizer of the base '{base.name}' cannot be read ({type(error).__name__})."
        return {}, [Finding(code="no-tokenizer", severity="look", count=1, message=message, fix="check --base")]
    usable, indices = reading.usable, _spread(reading)
    counted: dict[str, Tokens] = {}
    findings = []
    for key in keys:
        texts = (usable[index][key] for index in indices)
        measured = count_tokens(tokenizer, texts, has_words=reading.languages[key].has_words)
        if measured is None:
            continue
        counted[key], long = measured
        if long and reading.kind != "text":  # which is packed, whatever its length
            shown = _examples(reading, key, [indices[each] for each in long])
            findings.append(_told("too-many-tokens", len(long), len(indices), shown, key=key))
    english = counted.get("eng")
    own = count_tokens(tokenizer, ENGLISH, has_words=True)
    beside = english or (own[0] if own else None)
    for key, tokens in counted.items():
        language = reading.languages[key]
        if language.code == "eng" or beside is None:
            continue
        message = in_words(language.name, tokens, "English", beside, same_rows=english is not None)
        if tokens.pieces >= 0.05:
            message += f" {tokens.pieces:.0%} of its tokens are single bytes or unknown."
        findings.append(
            Finding(
                code="tokens",
                severity="look",
                count=1,
                message=message,
                fix="nothing: this is how the base reads the language; plan time and `max_tokens` with it",
            )
        )
    return counted, findings
