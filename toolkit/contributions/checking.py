"""The check of a language file and of everything it names, as far as a machine can see; the same here and in review."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from toolkit.contributions.located import HubFiles, Located, Source, find_under
from toolkit.contributions.report import FileReport, Item, Unchecked, make_report
from toolkit.languages import Language, all_languages, look_in
from toolkit.languages.checking import check_language_file
from toolkit.languages.registry import read_language
from toolkit.languages.texts import visible

GIB = 2**30
DEFAULT_MAX_BYTES = 4 * GIB  # of a published delta; that of a 7B model has about 3


def check_contribution(
    path: Path,
    *,
    data: Path | None = None,
    download: bool = False,
    max_bytes: int = DEFAULT_MAX_BYTES,
    endpoint: str | None = None,
) -> FileReport:
    """Everything that can be seen of one language file. Nothing in it, and nothing that it names, is run.

    Args:
        path: the YAML file.
        data: folder in which the files of its data sets lie.
        download: fetch what it names from the Hub: data sets' tables and text, declared models.
        max_bytes: no larger model is downloaded.
        endpoint: address of the Hub; default HF_ENDPOINT, else the public one.
    """
    problems = check_language_file(path, all_languages())
    if problems:
        because = "the file itself has to be mended first"
        return make_report(str(path), [*problems, Unchecked("", "what the file names", because)])
    language = read_language(path)
    look_in(path.parent, {language.code})  # a model of it can only be asked where it is known
    return make_report(str(path), _named(visible(path.name), language, data, download, max_bytes, endpoint))


def _named(
    file: str, language: Language, data: Path | None, download: bool, max_bytes: int, endpoint: str | None
) -> Iterator[Item]:
    if data is not None or download:
        from toolkit.contributions.data_sets import check_data_sets

        yield from check_data_sets(file, language, partial(_locate, data, HubFiles(endpoint) if download else None))
    elif language.data or language.evaluation:
        count = len(language.data) + len(language.evaluation)
        yield Unchecked("data", f"the files of {count} data sets", "neither --data FOLDER nor --download is given")
    if language.models:
        from toolkit.contributions.models import Reach, check_models

        yield from check_models(file, language, Reach(download, max_bytes, endpoint))
    elif language.smoke:
        yield Unchecked("smoke", "the pairs", "no model is declared that could translate them")
    if language.contributors or language.speakers:
        yield Unchecked("", "whether its facts about people and places are true", "that is for a person to see")


def _locate(data: Path | None, hub: HubFiles | None, source: Source) -> Located:
    """On this machine where the files are here, else on the Hub."""
    here = find_under(data, source) if data is not None else Located(missing=("--data is not given",))
    if here.files or here.wrong or hub is None:
        return here
    if source.hub is None:
        return Located(missing=("it is not on the Hub; download it yourself, and add --data FOLDER",))
    return hub.fetch(source)
