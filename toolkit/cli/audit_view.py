"""An audit on a terminal: the most serious first, each with what to do and the first places."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from rich.console import Console

    from toolkit.auditing import Audit, Finding

_WORDS = {"stop": "[bold red]mend[/]", "drop": "[yellow]left out[/]", "look": "look"}
_PLACES = 3
_MOST_LOOKS = 8  # the report has them all


def print_audit(found: Audit, console: Console, *, more: str) -> None:
    """Print what was read, what was found, and what to expect.

    Args:
        more: where the smaller things stand that are not shown.
    """
    pair = f", {' beside '.join(found.languages)}" if found.kind == "parallel" else ""
    read_as = ", ".join(f"{code} from '{column}'" for code, column in found.columns.items() if code != column)
    console.print(
        f"[bold]{escape(found.name)}[/]{escape(pair)}: {found.rows:,} rows, {found.usable:,} of them usable"
        + (f" ({escape(read_as)})" if read_as and found.kind == "parallel" else ""),
        soft_wrap=True,
    )
    looks = [finding for finding in found.findings if finding.severity == "look"]
    shown = [finding for finding in found.findings if finding.severity != "look"] + looks[:_MOST_LOOKS]
    if shown:
        console.print(_table(shown))
    if len(looks) > _MOST_LOOKS:
        console.print(f"[dim]{len(looks) - _MOST_LOOKS} smaller things to look at are in {escape(more)}[/]")
    if not found.findings:
        console.print("[green]nothing wrong was found[/]")
    judged, _, known = found.expectation.partition("\n\n")
    console.print(f"\n{escape(judged)}\n[dim]{escape(known)}[/]")
    unheard = [side.name for side in found.sides if side.identified is not None and side.identified.share is None]
    if unheard:
        said = (
            f"{found.identifier} does not know {' or '.join(unheard)}: whether the sentences are in it was not checked"
        )
        console.print(f"[dim]{escape(said)}[/]", soft_wrap=True)
    if found.identifier is None:
        console.print("[dim]languages were not identified: pip install 'cogsym-toolkit\\[langid]'[/]")


def _table(findings: list[Finding]) -> Table:
    table = Table(box=None, padding=(0, 2, 1, 0))
    table.add_column("")
    table.add_column("rows", justify="right")
    table.add_column("what, and what to do")
    table.add_column("first", no_wrap=True)
    for finding in findings:
        count = "" if finding.share is None else f"{finding.count:,}"
        told = f"{escape(finding.message)}\n[dim]{escape(finding.fix)}[/]"
        where = "\n".join(place for place, _ in finding.examples[:_PLACES])
        table.add_row(_WORDS[finding.severity], count, told, escape(where))
    return table
