"""One pass over a file that reads on whatever is wrong, a look at all usable rows, and what was found, in words."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Literal

from toolkit.auditing.catalogue import BROKEN, CATALOGUE, LONG_PAIR, LONG_TEXT
from toolkit.auditing.columns import find_columns
from toolkit.auditing.expectation import expectation
from toolkit.auditing.held_out import held_out_sentences
from toolkit.auditing.known import Known, known
from toolkit.auditing.lengths import length_bars, ratio_outliers
from toolkit.auditing.opening import Opened, open_tolerantly
from toolkit.auditing.reading import Reading
from toolkit.auditing.record import SEVERITIES, Audit, Example, Finding, Kind, Ratio, Side, Tokens
from toolkit.auditing.tally import KEPT, Tally, rows
from toolkit.auditing.token_costs import ENGLISH, SAMPLE, count_tokens, in_words, load_tokenizer
from toolkit.auditing.tongues import (
    Tongue,
    examples,
    listen,
    other_languages,
    swapped,
    swapped_rows,
    wrong_language,
)
from toolkit.corpus import BrokenRow
from toolkit.corpus.identification import can_identify, get_identifier
from toolkit.corpus.identifier import Identifier
from toolkit.errors import CorpusError
from toolkit.languages import Language
from toolkit.test_sets import TestSet

_FIELDS = ("instruction", "input", "output")
_MOST_UNUSUAL = 20


def audit(
    path: Path,
    languages: Sequence[str | Language],
    *,
    kind: Kind = "parallel",
    columns: Mapping[str, str] | None = None,
    header: Sequence[str] | None = None,
    base: Path | None = None,
    tests: Sequence[Path | TestSet] = (),
    identifier: Identifier | Literal["auto"] | None = "auto",
    on_bad_row: Literal["stop", "drop"] = "stop",
) -> Audit:
    """Everything that is wrong with a file, and what to expect of it. Nothing in the file stops it.

    Args:
        path: tsv, csv, json, jsonl or txt file.
        languages: ISO 639-3 codes, or entries that are not in the registry yet; the one to learn first.
        kind: as in a recipe.
        columns: column of each language; default the one named by its code.
        header: names of the columns, where a tsv or csv file begins without them.
        base: folder of a base; its tokenizer counts tokens.
        tests: test sets whose sentences must not be in the file, as a recipe has them or as files.
        identifier: `auto` takes the one that is there; None does without.
        on_bad_row: as in the recipe: whether training would stop at rows that cannot be read.

    Raises:
        CorpusError: if the file, or a test set, is missing or of a kind that is not read.
        LanguageError: if a language has no such code.
    """
    wanted = [known(language) for language in languages]
    if kind == "parallel" and len({language.code for language in wanted}) < 2:
        raise CorpusError("sentence pairs need two languages", "name both, e.g. ban and eng; or say what kind it is")
    ear = _identifier(identifier)
    broken = Tally()
    faults: dict[str, BrokenRow] = {}

    def leave_out(row: BrokenRow) -> None:
        code = BROKEN.get(row.fault, "broken")
        faults.setdefault(code, row)
        broken.add(code, row.place, row.message)

    opened = open_tolerantly(path, header, leave_out)
    found, required = _columns(opened, wanted, kind, columns or {}, ear)
    keys = _languages_by_key(wanted, kind)
    held_out = [held_out_sentences(test, wanted, found) for test in tests]
    reading = Reading(
        kind, opened.unit, found, required, {key: keys[key] for key in found}, held_out, tabs=_has_tabs(path)
    )
    if all(key in found for key in required):
        for number, row in opened.rows:
            reading.add(number, row)
    else:
        reading.rows = sum(1 for _ in opened.rows)
    findings = [*opened.findings]
    total = reading.rows + broken.counts.total()
    findings += [_broken(code, row, broken, total, on_bad_row) for code, row in faults.items()]
    findings += _of_rows(reading)
    sides, ratios, more = _of_sides(reading, ear, base, kind)
    findings += more
    usable = len(reading.usable)
    if total and not usable and not any(finding.severity == "stop" for finding in findings):
        findings.append(
            Finding(
                code="nothing-left",
                severity="stop",
                count=total,
                share=1.0,
                message="No row is left that could train.",
                fix="see what was left out, and why; then mend the file",
            )
        )
    findings.sort(key=lambda finding: (SEVERITIES.index(finding.severity), -(finding.share or 2.0)))
    return Audit(
        name=path.name,
        kind=kind,
        languages=tuple(language.code for language in wanted),
        columns=found,
        rows=total,
        usable=usable,
        findings=tuple(findings),
        expectation=expectation(kind, usable),
        sides=sides,
        ratios=ratios,
        unusual=dict(reading.characters.most_common(_MOST_UNUSUAL)),
        base=base.name if base else None,
        identifier=ear.name if ear else None,
    )


def _identifier(wanted: Identifier | Literal["auto"] | None) -> Identifier | None:
    if wanted == "auto":
        return get_identifier() if can_identify() else None
    return wanted


def _has_tabs(path: Path) -> bool:
    return path.suffix.lower() == ".tsv"


def _columns(
    opened: Opened, wanted: Sequence[Known], kind: Kind, given: Mapping[str, str], ear: Identifier | None
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Column by key, and the keys that each row must have; what is missing goes to the findings."""
    if kind == "parallel":
        found = find_columns(wanted, given, opened.columns, opened.first, ear)
        if opened.columns:
            opened.findings += found.findings
        return found.columns, tuple(language.code for language in wanted)
    if kind == "instructions":
        fields = {key: key for key in _FIELDS}
    else:
        fields = {"text": given.get(wanted[0].code, given.get("text", "text"))}
    required = tuple(key for key in fields if key != "input")
    missing = [fields[key] for key in required if fields[key] not in opened.columns]
    if missing and opened.columns:
        listed = ", ".join(f"'{column}'" for column in opened.columns[:20])
        opened.findings.append(
            Finding(
                code="no-column",
                severity="stop",
                count=1,
                message=f"There is no column '{missing[0]}'; the columns are {listed}.",
                fix="call the columns instruction, input and output"
                if kind == "instructions"
                else f"name the column of the text: --columns {wanted[0].code}={opened.columns[-1]}",
            )
        )
    have = {key: column for key, column in fields.items() if column in opened.columns or key == "input"}
    return (have if not missing else {}), required


def _languages_by_key(wanted: Sequence[Known], kind: Kind) -> dict[str, Known]:
    if kind == "parallel":
        return {language.code: language for language in wanted}
    return dict.fromkeys(("text", *_FIELDS), wanted[0])


def _broken(code: str, row: BrokenRow, tally: Tally, total: int, on_bad_row: str) -> Finding:
    count = tally.counts[code]
    message = f"{rows(count)} cannot be read ({row.fault}); {row.place}: {row.message}."
    drop = "leave such rows out with `on_bad_row: drop` in the recipe"
    fix = row.hint if on_bad_row == "drop" else f"{row.hint}; or {drop}"
    return tally.finding(code, "drop" if on_bad_row == "drop" else "stop", message, fix, total)


def _of_rows(reading: Reading) -> list[Finding]:
    """The findings of the first pass, in the catalogue's words."""
    findings = []
    limit = LONG_PAIR if reading.kind == "parallel" else LONG_TEXT
    for name, count in reading.tally.counts.items():
        code, _, where = name.partition(":")
        entry = CATALOGUE[code]
        message = entry.message.format(rows=rows(count), where=where, limit=limit)
        finding = reading.tally.finding(name, entry.severity, message, entry.fix, reading.rows)
        findings.append(finding.model_copy(update={"code": code}))
    return findings


def _of_sides(
    reading: Reading, ear: Identifier | None, base: Path | None, kind: Kind
) -> tuple[tuple[Side, ...], tuple[Ratio, ...], list[Finding]]:
    """What all usable rows together show."""
    usable = reading.usable
    shown = [key for key in reading.columns if kind == "parallel" or key in ("text", "output")]
    if not len(usable):
        return (), (), []
    findings: list[Finding] = []
    lengths = {key: array("q") for key in shown}
    for row in usable:
        for key in shown:
            lengths[key].append(len(row[key]))
    tongues = listen(usable, {key: reading.languages[key] for key in shown}, ear)
    findings += _of_tongues(reading, tongues, ear)
    ratios = []
    for index, one in enumerate(shown):
        for other in shown[index + 1 :]:
            measured = ratio_outliers(lengths[one], lengths[other], (one, other))
            if measured is None:
                continue
            ratio, far = measured
            ratios.append(ratio)
            if far:
                where = f"{one} is usually {ratio.median:g} times as long as {other}; told are rows {ratio.factor:g} "
                where += "times from that"
                entry = CATALOGUE["length-ratio"]
                findings.append(
                    Finding(
                        code="length-ratio",
                        severity=entry.severity,
                        count=len(far),
                        share=round(len(far) / len(usable), 4),
                        message=entry.message.format(rows=rows(len(far)), where=where),
                        fix=entry.fix,
                        examples=tuple(
                            Example(reading.place(i), f"{usable[i][one][:60]} ⇥ {usable[i][other][:60]}")
                            for i in far[:KEPT]
                        ),
                    )
                )
    tokens, told = _tokens(reading, shown, base)
    findings += told
    sides = tuple(_side(reading, key, lengths[key], tongues[key], tokens.get(key), ear) for key in shown)
    return sides, tuple(ratios), findings


def _side(
    reading: Reading, key: str, lengths: array[int], tongue: Tongue, tokens: Tokens | None, ear: Identifier | None
) -> Side:
    language = reading.languages[key]
    step = max(1, len(reading.usable) // SAMPLE)
    words = [len(reading.usable[i][key].split()) for i in range(0, len(reading.usable), step)]
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
        languages={label or "unknown": n for label, n in tongue.labels.most_common(8)},
        tokens=tokens,
    )


def _of_tongues(reading: Reading, tongues: Mapping[str, Tongue], ear: Identifier | None) -> list[Finding]:
    findings: list[Finding] = []
    exchanged = swapped(tongues.values())
    if exchanged:
        return [exchanged]
    for key, tongue in tongues.items():
        if tongue.foreign_script:
            script = tongue.language.script_name
            findings.append(_told("wrong-script", reading, key, tongue.foreign_script, tongue, script=script))
        if ear is None:
            continue
        wrong = wrong_language(tongue, ear.name)
        if wrong:
            findings.append(wrong)
            continue
        found, labels = other_languages(tongue)
        if found:
            findings.append(_told("other-language", reading, key, found, tongue, labels=labels))
    pairs = list(tongues.items())
    for index, (key, one) in enumerate(pairs):
        for _, other in pairs[index + 1 :]:
            both = swapped_rows(one, other)
            if both:
                findings.append(_told("swapped-rows", reading, key, both, one))
    return findings


def _told(
    code: str,
    reading: Reading,
    key: str,
    indices: Sequence[int],
    tongue: Tongue,
    *,
    script: str = "",
    labels: Mapping[int, str] | None = None,
) -> Finding:
    entry = CATALOGUE[code]
    shown = examples(indices, reading.usable, key, reading.place)
    if labels:
        shown = tuple(
            Example(example.place, f"[{labels[index]}] {example.text}")
            for example, index in zip(shown, indices, strict=False)
        )
    looked_at = tongue.rows or len(reading.usable)
    return Finding(
        code=code,
        severity=entry.severity,
        count=len(indices),
        share=round(len(indices) / looked_at, 4),
        message=entry.message.format(rows=rows(len(indices)), where=tongue.language.code, script=script),
        fix=entry.fix,
        examples=shown,
    )


def _tokens(reading: Reading, keys: Sequence[str], base: Path | None) -> tuple[dict[str, Tokens], list[Finding]]:
    """Tokens of each side, and a sentence for each language beside English (or the file's other one)."""
    if base is None:
        return {}, []
    try:
        tokenizer = load_tokenizer(base)
    except Exception as error:  # whatever a damaged folder makes the library raise
        message = f"The tokenizer of the base '{base.name}' cannot be read ({type(error).__name__})."
        return {}, [Finding(code="no-tokenizer", severity="look", count=1, message=message, fix="check --base")]
    usable = reading.usable
    step = max(1, -(-len(usable) // SAMPLE))
    counted: dict[str, Tokens] = {}
    for key in keys:
        texts = (usable[index][key] for index in range(0, len(usable), step))
        tokens = count_tokens(tokenizer, texts, has_words=reading.languages[key].has_words)
        if tokens is not None:
            counted[key] = tokens
    findings = []
    english = counted.get("eng")
    beside = english or count_tokens(tokenizer, ENGLISH, has_words=True)
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
