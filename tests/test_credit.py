"""Who helped is named where CONTRIBUTING.md says: in CITATION.cff, and in the page's table (the card: test_cards)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import space_pages  # noqa: F401  (lets the modules of the page be found)
import yaml

from toolkit.languages import Direction, Language, get_language
from toolkit.languages.entries import Contributor
from toolkit.languages.registry import FOLDER, read_language

CITATION = Path(__file__).parent.parent / "CITATION.cff"
PEOPLE = (Contributor(name="Ibu Sari", roles=("data",)), Contributor(name="A. <b>", roles=("review",)))


def forgotten(citation: Mapping[str, Any], languages: Iterable[Language]) -> set[str]:
    """Names in language files that the citation lacks."""
    cited = {
        author.get("name") or f"{author['given-names']} {author['family-names']}" for author in citation["authors"]
    }
    return {person.name for language in languages for person in language.contributors} - cited


def test_everybody_in_a_shipped_language_file_is_in_the_citation() -> None:
    citation = yaml.safe_load(CITATION.read_text(encoding="utf-8"))
    assert forgotten(citation, [read_language(path) for path in sorted(FOLDER.glob("???.yaml"))]) == set()


def test_somebody_who_is_missing_in_the_citation_is_found() -> None:
    thanked = get_language("jav").model_copy(update={"contributors": PEOPLE})
    citation = {"authors": [{"name": "A. <b>"}, {"given-names": "Ana", "family-names": "Example"}]}
    assert forgotten(citation, [thanked]) == {"Ibu Sari"}


def test_the_table_of_the_page_thanks_them() -> None:
    import facts

    thanked = get_language("jav").model_copy(update={"contributors": PEOPLE})
    run = SimpleNamespace(read_delta_info=lambda: SimpleNamespace(size_bytes=1))
    served = SimpleNamespace(language=thanked, evaluations=(), name="x", run=run)
    there, back = Direction("eng", "jav"), Direction("eng", "ind")
    catalogue = SimpleNamespace(
        adaptation=lambda direction: served if direction == there else None,
        directions=(there, back),
        adaptations={"x": served},
    )
    table = facts.languages_table(catalogue, "en")
    assert "Ibu Sari, A. &lt;b&gt;" in table
