"""The questions of `cogsym languages new`: each answer is checked at once, as `cogsym languages check` would."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.prompt import Prompt

from toolkit.cli.console import err
from toolkit.errors import CogsymError, LanguageError


@dataclass
class Answers:
    """What was said so far, by field of the language file; None where nothing was."""

    given: dict[str, Any]
    code: str | None = None

    def as_command(self) -> str:
        """The command that says the same."""
        words = ["cogsym", "languages", "new", "--code", str(self.code)]
        for name, value in self.given.items():
            flag = _FLAGS.get(name, "--" + name.replace(".", "-").replace("_", "-"))
            for one in value if isinstance(value, list) else [value]:
                if one is not None:
                    words += [flag, str(one)]
        return shlex.join(words)


_FLAGS = {
    "names.english": "--name",
    "names.own": "--own-name",
    "names.aliases": "--alias",
    "speakers.count": "--speakers",
    "contributors": "--contributor",
}


@dataclass(frozen=True)
class Question:
    """One field of the language file, and how to ask for it."""

    name: str  # of the field, as problems name it
    text: str
    read: Callable[[str], Any] = str
    needed: bool = False
    put: Callable[[Any, Mapping[str, Any]], Any] = field(default=lambda value, fields: value)
    only_after: str | None = None  # a field without which this one is not asked for


def _several(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _number(text: str) -> int | str:
    plain = text.replace(",", "").replace(".", "").replace(" ", "")
    return int(plain) if plain.isdecimal() else text


def _pairs(texts: list[str], fields: Mapping[str, Any]) -> list[dict[str, str]]:
    pairs = []
    for text in texts:
        sentence, equals, translation = (part.strip() for part in text.partition("="))
        if not (equals and sentence and translation):
            raise LanguageError(f"'{text}' is not a pair", "write 'English sentence = its translation'")
        pairs.append({"direction": f"eng>{fields['code']}", "text": sentence, "expected": translation})
    return pairs


def _person(name: str, fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"name": name, "roles": ["registry"]}]


QUESTIONS = (
    Question("names.english", "English name", needed=True),
    Question("script", "Script, as its four letters in ISO 15924 (Latn, Arab, Cyrl, Deva ...)", needed=True),
    Question("names.own", "What its speakers call it, in that script", needed=True),
    Question("names.aliases", "Other names that people look for, with commas between", _several),
    Question("glottocode", "Its Glottocode, as in java1254"),
    Question("variety", "Which variety or standard you mean, where people may ask"),
    Question("spoken_in", "Where it is spoken, e.g. Philippines (northern Luzon)"),
    Question("speakers.count", "How many people speak it, if you know who says so", _number),
    Question("speakers.source", "Who gives that figure, and what was counted", needed=True,
             only_after="speakers.count"),
    Question("speakers.year", "The year that the figure is about", _number, only_after="speakers.count"),
    Question("related", "ISO 639-3 codes of related languages that a base may know, with commas between", _several),
    Question("smoke", "A short English sentence with its translation: This house is good. = ...", lambda text: [text],
             put=_pairs),
    Question("contributors", "Your name, as you wish to be thanked", put=_person),
)  # fmt: skip


def ask_code() -> str:
    """The code of a language that is looked for by any of its names."""
    from toolkit.contributions.starting import first_fields, free_code
    from toolkit.languages.codes import find_codes

    said = ""
    while True:
        said = said or Prompt.ask("Which language? A name or a code", console=err).strip()
        if not said:
            continue
        found = find_codes(said)
        if not found:
            err.print(f"  nothing found for {escape(said)}", soft_wrap=True)
        for number, (code, name) in enumerate(found, start=1):
            err.print(f"  [bold]{number}[/]  {code}  {escape(name)}")
        err.print("  [bold]n[/]  none of these: it has no code in ISO 639-3")
        chosen = Prompt.ask("Number, or another name to look for", console=err, default="1" if found else None)
        if chosen == "n":
            return free_code(Path())
        if chosen and not chosen.isdecimal():
            said = chosen
        elif not chosen or not found:
            said = ""
        elif not 0 < int(chosen) <= len(found):
            _complain(f"there is no number {chosen}", "type one of the numbers above, n, or another name")
        else:
            code = found[int(chosen) - 1][0]
            try:
                first_fields(code)
                return code
            except LanguageError as error:
                _complain(error.message, error.hint)


def ask_data() -> Path | None:
    """A file of sentence pairs; None if there is none yet."""
    while True:
        said = Prompt.ask("A file of sentence pairs, if you have one [dim](Enter: none)[/]", console=err, default="",
                          show_default=False)  # fmt: skip
        if not said or Path(said).is_file():
            return Path(said) if said else None
        _complain(f"no file at {said}", "give its path, or press Enter")


def ask_licence() -> str | None:
    """The licence of a person's sentences, as the Hub spells it; None where nothing is said."""
    from toolkit.languages.licences import LICENCES, nearest_licence

    while True:
        said = Prompt.ask("Their licence, as in cc-by-4.0 [dim](Enter: say nothing)[/]", console=err, default="",
                          show_default=False)  # fmt: skip
        if not said or said in LICENCES:
            return said or None
        near = nearest_licence(said)
        _complain(f"'{said}' is no licence that the Hub knows", f"did you mean {near}?" if near else None)


def ask_columns(error: CogsymError, code: str) -> str:
    """Which column is which language, after a look at the file did not tell."""
    _complain(error.message, None)
    return Prompt.ask(f"Which column is which language, as {code}=COLUMN,eng=COLUMN", console=err)


def fill_in(answers: Answers, asks: bool) -> dict[str, Any]:
    """The fields of the language file, from what was given, what is known, and what a person answers.

    Raises:
        LanguageError: if nobody is to be asked and an answer is missing or wrong.
    """
    from toolkit.contributions.starting import first_fields

    assert answers.code is not None
    fields = first_fields(answers.code)
    for question in QUESTIONS:
        if question.only_after and _get(fields, question.only_after) is None:
            continue
        needed = question.needed or (question.name == "glottocode" and "qaa" <= answers.code <= "qtz")
        given = answers.given.get(question.name)
        while True:
            if given is None and asks:
                given = _ask(question, _get(fields, question.name), needed)
            if given is None:
                if needed and _get(fields, question.name) is None:
                    flag = _FLAGS.get(question.name, f"--{question.name.replace('.', '-')}")
                    raise LanguageError(f"{question.name} is missing: {question.text.lower()}", f"add {flag}")
                break
            try:
                fields = _checked(fields, question, given)
            except LanguageError as error:
                if not asks:
                    raise
                _complain(error.message, error.hint)
                given = None
                continue
            answers.given[question.name] = given
            break
    return fields


def _ask(question: Question, default: Any, needed: bool) -> Any:
    label = escape(question.text) + ("" if needed else " [dim](Enter: leave it out)[/]")
    while True:
        said = Prompt.ask(label, console=err, default=default or "", show_default=bool(default)).strip()
        if said or not needed:
            return question.read(said) if said else None


def _checked(fields: dict[str, Any], question: Question, given: Any) -> dict[str, Any]:
    from toolkit.contributions.starting import problems_of, with_script

    value = question.put(given, fields)
    if question.name == "script":
        changed = with_script(fields, None) | {"script": value}
        wrong = problems_of(changed, "script")
        changed = changed if wrong else with_script(fields, value)
    else:
        changed = _with(fields, question.name, value)
        wrong = problems_of(changed, question.name)
    if wrong:
        raise LanguageError(str(wrong[0]).partition(": ")[2], wrong[0].fix)
    return changed


def _get(fields: Mapping[str, Any], name: str) -> Any:
    first, _, rest = name.partition(".")
    value = fields.get(first)
    return value.get(rest) if rest and isinstance(value, Mapping) else None if rest else value


def _with(fields: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    first, _, rest = name.partition(".")
    return fields | {first: {**(fields.get(first) or {}), rest: value} if rest else value}


def _complain(message: str, hint: str | None) -> None:
    err.print(f"[bold red]error:[/] {escape(message)}", soft_wrap=True)
    if hint:
        err.print(f"[bold]hint:[/] {escape(hint)}", soft_wrap=True)
