"""Writes the card of a run, with its figures and licence files, into the run folder."""

from __future__ import annotations

import os
from pathlib import Path

from hub_cards.collect import collect
from hub_cards.figures import LAYERS_FILE, SCORES_FILE, draw_layers, draw_scores
from hub_cards.licences import LICENCE_FILES, licence_files
from hub_cards.render import render
from toolkit.errors import CardError
from toolkit.run_folder import RunFolder


def write_card(
    run: RunFolder, *, name: str | None = None, base: Path | None = None, out: Path | None = None
) -> list[Path]:
    """Make or renew the card of this run; what a person has written between its markers stays.

    Nothing is written unless everything could be rendered. Files that have not changed are left alone.

    Args:
        run: a trained run, or a downloaded delta.
        name: what the card's commands call it: the Hub id where it will be published, or a folder's name.
        base: folder of the base, from which licence, notice and policy are copied where it holds them.
        out: folder to write into; default the run folder.

    Returns:
        The card and every file that belongs to it.

    Raises:
        CardError: if a record is missing, damaged, or contradicts another; or the card's markers are damaged.
    """
    facts = collect(run, name)
    pictures = {SCORES_FILE: draw_scores(facts.scores), LAYERS_FILE: draw_layers(run.read_delta_info())}
    figures = {name: data for name, data in pictures.items() if data is not None}
    licences = licence_files(facts.base_licence, base)
    licences |= {
        name: (run.root / name).read_bytes()
        for name in LICENCE_FILES
        if (run.root / name).is_file() and (base is None or name not in licences)
    }
    card = render(facts, figures=figures.keys(), files=licences.keys(), earlier=_earlier(run))
    target = RunFolder(out) if out else run
    files = {target.card: card.readme.encode(), target.card_facts: card.json.encode()}
    files |= {target.figures / name: data for name, data in figures.items()}
    files |= {target.root / name: data for name, data in licences.items()}
    files |= {target.eval_results / name: text.encode() for name, text in card.eval_results.items()}
    for path, data in files.items():
        _write(path, data)
    _remove_stale(target, files)
    return list(files)


def _earlier(run: RunFolder) -> str:
    try:
        return run.card.read_text(encoding="utf-8") if run.card.is_file() else ""
    except UnicodeDecodeError as error:
        raise CardError(f"{run.card.name} is not UTF-8 text", "convert it, or move it away") from error


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all."""
    if path.is_file() and path.read_bytes() == data:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    draft.write_bytes(data)
    os.replace(draft, path)


def _remove_stale(run: RunFolder, written: dict[Path, bytes]) -> None:
    """Remove what an earlier card had and this one has not: a stale picture or score would be wrong."""
    own = [run.figures / SCORES_FILE, run.figures / LAYERS_FILE, *run.eval_results.glob("*.yaml")]
    for path in own:
        if path not in written:
            path.unlink(missing_ok=True)
