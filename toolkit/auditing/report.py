"""An audit as a page that stands alone, or as Markdown with its figures beside it."""

from __future__ import annotations

import os
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

from toolkit.analysis.style import save
from toolkit.auditing.figures import as_svg, draw
from toolkit.auditing.record import Audit, Severity
from toolkit.errors import CorpusError

HEADINGS: dict[Severity, tuple[str, str]] = {
    "stop": ("Mend before training", "Training would refuse the file, or learn the wrong thing."),
    "drop": ("Left out by itself", "Training leaves these rows out. Mend them if you want them in."),
    "look": ("Worth a look", "These may be fine. Read the lines, and decide."),
}

# What Markdown reads as markup or HTML, and what makes a link of a bare address.
_MARKS = re.compile(r"[\\*_\[\]<>&|~#$]|:(?=//)|(?<=www)\.", re.IGNORECASE)


def write_report(audit: Audit, path: Path) -> list[Path]:
    """Write the report, a page or Markdown by the suffix; the files that were written, the report first.

    Raises:
        CorpusError: if the suffix is neither.
    """
    if path.suffix.lower() not in (".html", ".md"):
        raise CorpusError(f"a report cannot be written as '{path.suffix}'", "name it report.html or report.md")
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() == ".html":
        _write_whole(path, html(audit))
        return [path]
    folder = path.with_name(f"{path.stem}_figures")
    figures = {name: (said, save(figure, folder, name)) for name, (said, figure) in draw(audit).items()}
    shown = [(said, f"{folder.name}/{png.name}") for said, (png, _) in figures.values()]
    _write_whole(path, markdown(audit, shown))
    return [path, *(file for _, both in figures.values() for file in both)]


def html(audit: Audit) -> str:
    """One page with everything in it: no script, nothing fetched, every text escaped."""
    from markupsafe import Markup

    figures = [(said, Markup(as_svg(figure, name))) for name, (said, figure) in draw(audit).items()]
    return _render("report.html.jinja", audit, figures, autoescape=True)


def markdown(audit: Audit, figures: list[tuple[str, str]]) -> str:
    """Markdown in which no text of the file is markup.

    Args:
        figures: what each shows, and its file.
    """
    return _render("report.md.jinja", audit, figures, autoescape=False)


def _render(template: str, audit: Audit, figures: list[Any], *, autoescape: bool) -> str:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=autoescape, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["plain"] = _plain
    environment.filters["code"] = _code
    environment.filters["words"] = _words
    source = (files("toolkit.auditing") / "templates" / template).read_text(encoding="utf-8")
    groups = [
        (severity, *HEADINGS[severity], [finding for finding in audit.findings if finding.severity == severity])
        for severity in HEADINGS
    ]
    judged, _, known = audit.expectation.partition("\n\n")
    return environment.from_string(source).render(
        audit=audit, groups=[group for group in groups if group[3]], figures=figures, judged=judged, known=known
    )


def _code(text: str) -> str:
    """Text for the page, escaped, with what stands between backticks as code."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _plain(text: str) -> str:
    """Text of a file as Markdown that shows it and does nothing else: code, without what would end it."""
    shown = " ".join(text.split()).replace("`", "ˋ").replace("|", "¦").replace("<", "‹").replace(">", "›")
    return f"`{shown}`" if shown else "*(nothing)*"


def _words(text: str) -> str:
    """A sentence of ours in Markdown, with what stands between backticks as code; names of columns may be in it."""
    parts = " ".join(text.split()).split("`")
    if len(parts) % 2 == 0:  # one of them is not ours
        parts = ["ˋ".join(parts)]
    return "".join(
        _plain(part) if index % 2 and part.strip() else _MARKS.sub(r"\\\g<0>", part) for index, part in enumerate(parts)
    )


def _write_whole(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        draft.write_text(text, encoding="utf-8", errors="backslashreplace")
        os.replace(draft, path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
