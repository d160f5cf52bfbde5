"""One pass over a file that reads on whatever is wrong, a look at all usable rows, and what was found, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from toolkit.auditing.catalogue import BROKEN, CATALOGUE, LONG_PAIR, LONG_TEXT
from toolkit.auditing.characters import describe, several_apostrophes
from toolkit.auditing.columns import find_columns
from toolkit.auditing.expectation import expectation
from toolkit.auditing.held_out import held_out_sentences
from toolkit.auditing.known import Known, known
from toolkit.auditing.opening import Opened, open_tolerantly
from toolkit.auditing.reading import Reading
from toolkit.auditing.record import SEVERITIES, Audit, Finding, Kind, Severity
from toolkit.auditing.sides import look_at_sides
from toolkit.auditing.tally import Tally, rows
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
    on_leak: Literal["stop", "drop"] = "stop",
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
        on_leak: as in the recipe: whether it would stop at rows that share a sentence with a test set.

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
    held_out = held_out_sentences(tests, wanted, found)
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
    findings += _of_rows(reading, on_leak)
    sides, ratios, more = look_at_sides(reading, ear, base)
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
    findings.sort(key=_seriousness)
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
        headless = any(finding.code == "no-header" for finding in opened.findings)
        if opened.columns and not headless:  # columns without names are guessed: the header is what is missing
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


def _of_rows(reading: Reading, on_leak: Severity) -> list[Finding]:
    """The findings of the first pass, in the catalogue's words."""
    findings = []
    limit = LONG_PAIR if reading.kind == "parallel" else LONG_TEXT
    for name, count in reading.tally.counts.items():
        code, _, where = name.partition(":")
        entry = CATALOGUE["leaked-left-out" if code == "leaked" and on_leak == "drop" else code]
        message = entry.message.format(rows=rows(count), where=where, limit=limit)
        finding = reading.tally.finding(name, entry.severity, message, entry.fix, reading.rows)
        findings.append(finding.model_copy(update={"code": code}))
    kinds = several_apostrophes(reading.apostrophes)
    if kinds:
        entry = CATALOGUE["apostrophes"]
        listed = ", ".join(f"{describe(kind)} {count:,} times" for kind, count in kinds)
        message = entry.message.format(rows=listed, where=next(iter(reading.languages.values())).code)
        findings.append(Finding(code="apostrophes", severity=entry.severity, count=1, message=message, fix=entry.fix))
    return findings


def _seriousness(finding: Finding) -> tuple[int, float]:
    """Stops first, then what concerns the whole file, then by the share of the rows; what tokens cost comes last."""
    share = 2.0 if finding.share is None else finding.share
    return SEVERITIES.index(finding.severity), 1.0 if finding.code == "tokens" else -share
