"""Which languages the sides of a file seem to be in, and what that is worth.

Identification errs on short sentences and close relatives, and knows few small languages: a Balinese sentence is
Indonesian to a model that has never seen Balinese. So a finding is something to look at, with two exceptions that do
not depend on telling relatives apart: columns that are exchanged, and a language that the model knows of which it finds
nothing while nearly all rows are surely in one that is no relative.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from toolkit.auditing.known import Known, known, letters_by_script
from toolkit.auditing.record import Finding
from toolkit.corpus.identifier import Identifier, is_language
from toolkit.corpus.shelf import Shelf
from toolkit.languages import all_languages
from toolkit.languages.codes import english_names
from toolkit.records import Identification

SAMPLE = 10_000  # rows per side, spread evenly
_LEAST_ROWS = 10
_LETTERS = 40  # of a text, from which on a guess about it alone is worth something
_SURE = 0.8  # probability, likewise
_RATHER_SURE = 0.6  # of a whole side: lid.176 is at 0.7 and more where it is right, at 0.4 where it takes bjn for id
_HEARD = 0.6  # share of a side in its own language from which on the model can tell it
_SWAPPED, _MORE = 0.6, 0.3  # share in the other's column, and how much less it must be in its own
_FEW_LETTERS = 0.2  # share of letters in its own script below which a column is not in that script
_NEARLY_ALL, _MOST, _NEARLY_NONE = 0.9, 0.8, 0.02


@dataclass
class Tongue:
    """What one side looks like."""

    language: Known
    step: int  # every so many rows were looked at
    labels: Counter[str | None] = field(default_factory=Counter)
    scripts: Counter[str] = field(default_factory=Counter)
    guesses: list[tuple[int, str | None, float]] = field(default_factory=list)  # row, label, probability; long texts
    mean_probability: float = 0.0
    foreign_script: list[int] = field(default_factory=list)
    is_known: bool = False

    @property
    def rows(self) -> int:
        return self.labels.total()

    def share_of(self, codes: Sequence[str]) -> float:
        """Share of rows taken for the language with these codes."""
        return sum(n for label, n in self.labels.items() if is_language(label, codes)) / max(1, self.rows)

    @property
    def own_script_share(self) -> float:
        letters = self.scripts.total()
        return sum(n for s, n in self.scripts.items() if self.language.is_written_in(s)) / letters if letters else 1.0

    def identification(self, name: str) -> Identification:
        """The record of it."""
        others = [
            (n, label) for label, n in self.labels.items() if label and not is_language(label, self.language.codes)
        ]
        return Identification(
            language=self.language.code,
            rows=self.rows,
            share=round(self.share_of(self.language.codes), 4) if self.is_known else None,
            next_best=max(others)[1] if others else None,
            next_share=round(max(others)[0] / self.rows, 4) if others else None,
            identifier=name,
        )


def listen(rows: Shelf, keys: Mapping[str, Known], identifier: Identifier | None) -> dict[str, Tongue]:
    """What the sides of some rows look like, by key."""
    step = max(1, -(-len(rows) // SAMPLE))
    tongues = {key: Tongue(language, step) for key, language in keys.items()}
    sums = dict.fromkeys(keys, 0.0)
    for index in range(0, len(rows), step):
        row = rows[index]
        for key, tongue in tongues.items():
            text = row[key]
            here: Counter[str] = Counter()
            letters_by_script(text, here)
            tongue.scripts += here
            letters = here.total()
            own = sum(n for script, n in here.items() if tongue.language.is_written_in(script))
            if letters >= 10 and 2 * own < letters:
                tongue.foreign_script.append(index)
            if identifier is not None:
                label, probability = identifier(text.replace("\n", " "))
                tongue.labels[label] += 1
                sums[key] += probability
                if letters >= _LETTERS:
                    tongue.guesses.append((index, label, probability))
    for key, tongue in tongues.items():
        tongue.is_known = identifier is not None and identifier.knows(tongue.language.codes)
        tongue.mean_probability = sums[key] / max(1, tongue.rows)
    return tongues


def swapped(tongues: Iterable[Tongue]) -> Finding | None:
    """Whether two columns are exchanged: each language is in the other's column and not in its own."""
    sides = list(tongues)
    for one in sides:
        for other in sides:
            if one is other:
                continue
            by_script = (
                one.own_script_share < _FEW_LETTERS
                and other.own_script_share < _FEW_LETTERS
                and one.language.script != other.language.script
            )
            here, there = one.share_of(one.language.codes), other.share_of(one.language.codes)
            by_ear = one.is_known and one.rows >= _LEAST_ROWS and there >= max(_SWAPPED, here + _MORE)
            if by_script or by_ear:
                seen = f"{there:.0%} of the other column looks like {one.language.name}, and {here:.0%} of its own"
                if not by_ear:
                    seen = f"the letters of the one are in the other: {_scripts(one)} in {one.language.code}"
                names = f"{one.language.name} and {other.language.name}"
                return Finding(
                    code="swapped-columns",
                    severity="stop",
                    count=1,
                    message=f"The columns of {names} seem to be exchanged: {seen}.",
                    fix="exchange the two names in the first line, or the columns in --columns",
                )
    return None


def wrong_language(tongue: Tongue, identifier: str) -> Finding | None:
    """Whether nearly all of one side is surely in another language than the one claimed.

    Of a relative it is something to look at: a model may take one for the other, though it finds some of each where it
    is unsure.
    """
    if not tongue.is_known or tongue.rows < _LEAST_ROWS:
        return None
    label, count = tongue.labels.most_common(1)[0]
    language = tongue.language
    share = count / tongue.rows
    is_relative = is_language(label, tuple(language.related))
    least, sure = (_MOST, _RATHER_SURE) if is_relative else (_NEARLY_ALL, _SURE)
    if label is None or share < least or tongue.mean_probability < sure:
        return None
    if tongue.share_of(language.codes) > _NEARLY_NONE:
        return None
    if is_relative:
        message = (
            f"{share:.0%} of the {language.name} column looks like {_name_of(label)}, a close relative of "
            f"{language.name}, to {identifier}, which knows both and finds next to no {language.name}."
        )
    else:
        message = (
            f"{share:.0%} of the {language.name} column is '{label}' to {identifier}, which knows {language.name} and "
            "finds next to none of it."
        )
    return Finding(
        code="wrong-language",
        severity="look" if is_relative else "stop",
        count=count,
        share=round(share, 4),
        message=message,
        fix="see whether this is the right file and column",
    )


def _name_of(label: str) -> str:
    """The English name of the language that a label is for."""
    code = label.partition("_")[0]
    names = (known(each.code) for each in all_languages().values())
    return next((each.name for each in names if code in each.codes), next(iter(english_names(code)), label))


def other_languages(tongue: Tongue) -> dict[int, str]:
    """Rows of a side that seem to be in a language that is neither its own nor a relative.

    Of a language that the model does not know, or hardly finds where it is, there are none: labels would be guesses.
    Nor are there of one without blanks between words, whose characters it shares with others.
    """
    language = tongue.language
    if not (tongue.is_known and language.has_words) or tongue.share_of(language.codes) < _HEARD:
        return {}
    return {
        index: label
        for index, label, probability in tongue.guesses
        if label is not None
        and probability >= _SURE
        and not is_language(label, language.codes)
        and not is_language(label, tuple(language.related))
    }


def _scripts(tongue: Tongue) -> str:
    return " and ".join(script.title() for script, _ in tongue.scripts.most_common(2))
