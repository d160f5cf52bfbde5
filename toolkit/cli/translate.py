"""`cogsym translate`: put text through a delta over its base, from the arguments or line by line from a pipe."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolkit.cli.console import err, out, quiet_libraries
from toolkit.errors import TranslationError

if TYPE_CHECKING:
    from toolkit.translator import Translator


def translate(
    delta: Annotated[str, typer.Argument(help="Run folder, downloaded delta, or Hub id.")],
    text: Annotated[str | None, typer.Argument(help="What to translate; left out, lines are read from a pipe.")] = None,
    direction: Annotated[
        str | None, typer.Option("--direction", "-d", help="source>target, quoted; default the delta's first.")
    ] = None,
    base: Annotated[
        str | None, typer.Option(help="pocket, a folder, or a Hub id; default the base that the delta names.")
    ] = None,
    base_revision: Annotated[str | None, typer.Option(help="Commit of a base on the Hub, with --base.")] = None,
    revision: Annotated[str | None, typer.Option(help="Commit of a delta on the Hub.")] = None,
    compare: Annotated[bool, typer.Option("--compare", help="Also show what the unadapted base says.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object a text.")] = False,
) -> None:
    """Translate text.

    Example: cogsym translate runs/jav "I drink tea." --direction 'eng>jav'
    """
    quiet_libraries()
    texts = _texts(text)
    from toolkit.languages import own_direction, parse_direction

    if direction is not None:
        direction = own_direction(direction)
        parse_direction(direction)  # before a base is loaded for nothing
    from toolkit.run_folder import RunFolder
    from toolkit.translator import Translator

    RunFolder(Path(delta).expanduser()).refuse_what_is_no_delta()
    translator = Translator.from_pretrained(delta, base, base_revision=base_revision, revision=revision)
    chosen = direction or next(iter(translator.adaptations.values())).config.directions[0]
    models = _models(translator, chosen, compare)
    for one in texts:
        _print(one, chosen, {model: _translated(translator, one, chosen, model) for model in models}, as_json)


def _texts(text: str | None) -> list[str]:
    if text is not None:
        if not text.strip():
            raise TranslationError("there is no text to translate", "give it after the delta, in quotes")
        return [text]
    if sys.stdin.isatty():
        raise TranslationError("there is no text to translate", "give it after the delta, in quotes, or through a pipe")
    return sys.stdin.read().splitlines()


def _models(translator: Translator, direction: str, compare: bool) -> list[str]:
    """The adaptation for what it was trained on; the base, and that is said, for what it knows by itself.

    Raises:
        TranslationError: if neither serves the direction.
    """
    from toolkit.routing import BASE

    best = translator.model_for(direction)
    if best == BASE and not compare:
        err.print(f"{direction} is served by the unadapted base, which knows both languages", style="dim")
    return [best, *(name for name in (BASE, *translator.adaptations) if compare and name != best)]


def _translated(translator: Translator, text: str, direction: str, model: str) -> str:
    *_, whole = translator.stream(text, direction, model=model)
    for sentence in whole.unended:
        err.print(f"warning: {model} found no end to its translation of: {sentence[:60]}", style="yellow", markup=False)
    return whole.text


def _print(text: str, direction: str, translations: dict[str, str], as_json: bool) -> None:
    if as_json:
        row: dict[str, Any] = {"text": text, "direction": direction, "translations": translations}
        sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
    elif len(translations) == 1:
        out.print(next(iter(translations.values())), markup=False, soft_wrap=True)
    else:
        width = max(map(len, translations))
        for model, translation in translations.items():
            out.print(f"{model.ljust(width)}  {translation}", markup=False, soft_wrap=True)
