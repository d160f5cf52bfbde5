"""Which column holds which language: as it was said, by the columns' names, or by what the texts look like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from toolkit.auditing.known import Known, known, letters_by_script
from toolkit.auditing.record import Finding
from toolkit.corpus.identifier import Identifier, is_language
from toolkit.languages import all_languages
from toolkit.languages.searching import plain

_LOOKED_AT = 100
_SEEMS = 0.5  # share of a column's texts in a language from which on it seems to be that language's
_SURE = 0.8  # probability from which on a guess can speak against a language
_FEW_LETTERS = 0.2  # share of letters in its own script below which a column is not in that script


@dataclass
class Found:
    """The column of each language, where one was found, and what there is to say about that."""

    columns: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def find_columns(
    languages: Sequence[Known],
    given: Mapping[str, str],
    have: Sequence[str],
    first: Sequence[Mapping[str, Any]],
    identifier: Identifier | None,
) -> Found:
    """Look for the column of each language.

    Args:
        given: columns that the user named, by language.
        have: the columns that there are.
        first: some rows.
    """
    found = Found()
    for language in languages:
        wanted = given.get(language.code, language.code)
        if wanted in have:
            found.columns[language.code] = wanted
            if f"{wanted} (2)" in have:
                found.findings.append(
                    _stop("twin-columns", f"Two columns are called '{wanted}'.", "give each column a name of its own")
                )
    free = [column for column in have if column not in found.columns.values()]
    wanted_codes = {language.code for language in languages} - set(found.columns)
    named_columns = columns_by_name(free, first, languages)
    by_name = {code: column for code, column in named_columns.items() if code in wanted_codes}
    found.columns |= by_name
    unnamed = [language for language in languages if language.code not in found.columns]
    texts = _texts(have, first, found.columns.values())
    seeming = _by_look(unnamed, texts, identifier)
    # A column that is called by another language is not left over.
    others = {column for code, column in named_columns.items() if code not in wanted_codes} | {*seeming.values()}
    left = _left_over(
        unnamed, {name: cells for name, cells in texts.items() if name not in others}, seeming, identifier
    )
    guessed = seeming | left
    found.columns |= guessed
    found.columns = {each.code: found.columns[each.code] for each in languages if each.code in found.columns}
    if by_name:
        named = ",".join(f"{code}={column}" for code, column in by_name.items())
        listed = ", ".join(f"{code}: {column}" for code, column in by_name.items())
        wrong = [code for code in by_name if code in given]
        found.findings.append(
            Finding(
                code="columns-by-name",
                severity="stop" if wrong else "look",
                count=1,
                message=(f"There is no column '{given[wrong[0]]}'. " if wrong else "")
                + "By their names, columns were taken for languages: "
                + ", ".join(f"'{column}' for {code}" for code, column in by_name.items())
                + ".",
                fix=f'write --columns "{named}", and in a recipe columns: {{{listed}}}',
            )
        )
    if unnamed:
        listed = ", ".join(f"'{column}'" for column in have[:20]) or "none"
        missing = " and ".join(given.get(language.code, language.code) for language in unnamed)
        message = f"There is no column for {missing}; the columns are {listed}."
        fix = "name the column of each language with --columns, e.g. --columns eng=english,ban=balinese"
        if guessed:
            named = ",".join(f"{code}={column}" for code, column in found.columns.items())
            seems = ", ".join(f"'{column}' seems to be {code}" for code, column in seeming.items())
            message += f" By its texts, {seems}." if seeming else ""
            message += "".join(f" The only column left for {code} is '{column}'." for code, column in left.items())
            fix = f'if that is right, write --columns "{named}", or name the columns by their codes in the file'
        found.findings.append(_stop("no-column", message, fix))
    return found


def columns_by_name(
    have: Sequence[str], first: Sequence[Mapping[str, Any]] = (), languages: Sequence[Known] = ()
) -> dict[str, str]:
    """Column by language, in the columns' order, for each column whose name tells its language.

    A code counts more than a name, a name more than other codes, and a part of a column's name (`Terjemahan Bali`)
    least. What two columns could be, or what could be two languages, is left out rather than guessed.

    Args:
        first: some rows: a column of numbers that is called `id` holds no Indonesian.
        languages: those that are asked for; all that the registry knows are looked for, too.
    """
    everyone = {code: known(code) for code in all_languages()} | {each.code: each for each in languages}
    wordy = [column for column in have if not _is_numbers(column, first)]
    common = _in_several_names(everyone.values())

    def has_part(column: str, language: Known) -> bool:
        parts = {plain(part) for part in "".join(c if c.isalnum() else " " for c in column).split()}
        return bool((parts - common) & {*language.codes, *map(plain, language.names)})

    found: dict[str, str] = {}
    several: set[str] = set()
    for tells, columns in ((_is_code, have), (_is_name, have), (_is_other_code, wordy), (has_part, wordy)):
        free = [column for column in columns if column not in found.values()]
        sought = [language for code, language in everyone.items() if code not in found and code not in several]
        claims = {column: [each.code for each in sought if tells(column, each)] for column in free}
        claimed = Counter(code for codes in claims.values() if len(codes) == 1 for code in codes)
        several |= {code for code, count in claimed.items() if count > 1}
        found |= {codes[0]: column for column, codes in claims.items() if len(codes) == 1 and claimed[codes[0]] == 1}
    order = list(have)
    return dict(sorted(found.items(), key=lambda item: order.index(item[1])))


def _is_code(column: str, language: Known) -> bool:
    return column.strip().casefold() == language.code


def _is_name(column: str, language: Known) -> bool:
    return plain(column) in {plain(name) for name in language.names}


def _is_other_code(column: str, language: Known) -> bool:
    return column.strip().casefold() in language.codes


def _in_several_names(languages: Iterable[Known]) -> set[str]:
    """Words such as `bahasa`, which is a name for Indonesian and stands in the names of its neighbours, too."""
    of_each = [{word for name in language.names for word in plain(name).split()} for language in languages]
    return {word for word, count in Counter(word for words in of_each for word in words).items() if count > 1}


def _is_numbers(column: str, first: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a column counts or names rows: it holds digits more than letters."""
    cells = "".join(str(row.get(column) or "") for row in first)
    return sum(map(str.isdigit, cells)) > sum(map(str.isalpha, cells))


def _texts(have: Sequence[str], first: Sequence[Mapping[str, Any]], taken: Collection[str]) -> dict[str, list[str]]:
    """The first cells of each column of text that no language has yet, without empty ones."""
    texts = {column: [str(row.get(column) or "") for row in first[:_LOOKED_AT]] for column in have}
    filled = {column: [cell for cell in cells if cell.strip()] for column, cells in texts.items()}
    return {column: cells for column, cells in filled.items() if column not in taken and _is_text(cells)}


def _by_look(
    languages: Sequence[Known], texts: Mapping[str, Sequence[str]], identifier: Identifier | None
) -> dict[str, str]:
    """For each language the column whose texts look like it."""
    guessed: dict[str, str] = {}
    for language in languages:
        shares = {
            column: _share(cells, language, identifier)
            for column, cells in texts.items()
            if column not in guessed.values()
        }
        best = max(shares, key=lambda column: shares[column], default=None)
        if best is not None and shares[best] >= _SEEMS:
            guessed[language.code] = best
    return guessed


def _left_over(
    languages: Sequence[Known],
    texts: Mapping[str, Sequence[str]],
    guessed: Collection[str],
    identifier: Identifier | None,
) -> dict[str, str]:
    """The last column for the last language, unless its texts speak against it.

    Args:
        texts: of the columns that are left.
        guessed: codes of the languages that have one.
    """
    lacking = [language for language in languages if language.code not in guessed]
    if len(texts) != 1 or len(lacking) != 1:
        return {}
    ((column, cells),) = texts.items()
    return {} if _speaks_against(cells, lacking[0], identifier) else {lacking[0].code: column}


def _speaks_against(cells: Sequence[str], language: Known, identifier: Identifier | None) -> bool:
    """Whether texts are in other letters than a language, or surely in one that is no relative."""
    if _own_script_share(cells, language) < _FEW_LETTERS:
        return True
    if identifier is None:
        return False
    guesses = [identifier(cell) for cell in cells]
    sure = Counter(label for label, probability in guesses if probability >= _SURE)
    akin = (*language.codes, *language.related)
    return any(count >= _SEEMS * len(cells) and not is_language(label, akin) for label, count in sure.items())


def _is_text(filled: Sequence[str]) -> bool:
    letters = sum(sum(map(str.isalpha, cell)) for cell in filled)
    return bool(filled) and letters > 0.5 * sum(map(len, filled)) and len(set(filled)) > len(filled) / 10


def _share(cells: Sequence[str], language: Known, identifier: Identifier | None) -> float:
    if identifier is not None and identifier.knows(language.codes):
        return sum(is_language(identifier(cell)[0], language.codes) for cell in cells) / len(cells)
    if language.script in (None, "Latn"):  # nearly everything is in Latin letters: that tells nothing
        return 0.0
    return _own_script_share(cells, language)


def _own_script_share(cells: Sequence[str], language: Known) -> float:
    scripts: Counter[str] = Counter()
    for cell in cells:
        letters_by_script(cell, scripts)
    return sum(n for script, n in scripts.items() if language.is_written_in(script)) / max(1, scripts.total())


def _stop(code: str, message: str, fix: str) -> Finding:
    return Finding(code=code, severity="stop", count=1, message=message, fix=fix)
