"""Sections of a card that a person has written, between markers, so that making the card again keeps them.

<!-- yours: limits -->
Ngoko only: the training sentences hold no krama.
<!-- end of yours -->
"""

from __future__ import annotations

import re

from toolkit.errors import CardError

PLACES = ("about", "evaluation", "limits", "data", "more")
"""Where the template leaves room. A section of another name is kept too, in the last place."""
END = "<!-- end of yours -->"
_START = re.compile(r"[ \t]*<!--\s*yours:\s*([\w-]+)[^\n]*?-->[ \t]*")
_END = re.compile(r"[ \t]*<!--\s*end of yours\s*-->[ \t]*")


def start_marker(name: str) -> str:
    """The line above a section; a reader of the page does not see it."""
    return f"<!-- yours: {name} (what you write between these two lines stays when the card is made again) -->"


def read_sections(card: str) -> dict[str, str]:
    """The text between each pair of markers, by name, empty ones left out.

    Raises:
        CardError: if a marker has no partner or a name stands twice: guessing would lose what somebody wrote.
    """
    sections: dict[str, str] = {}
    name, lines = "", list[str]()
    for line in card.split("\n"):
        text = line.removesuffix("\r")
        start = _START.fullmatch(text)
        if (start and name) or (_END.fullmatch(text) and not name):
            raise CardError(
                f"the card has a marker without its partner: {text.strip()}",
                f"close each section with {END}",
            )
        if start:
            name, lines = start.group(1), []
        elif _END.fullmatch(text):
            if name in sections:
                raise CardError(f"the card has two sections `yours: {name}`", "give one of them another name")
            sections[name] = "\n".join(lines).strip("\r\n")
            name = ""
        else:
            lines.append(line)
    if name:
        raise CardError(f"the section `yours: {name}` of the card is not closed", f"end it with {END}")
    return {name: text for name, text in sections.items() if text.strip()}


def insert_sections(card: str, sections: dict[str, str]) -> str:
    """The freshly rendered card with these sections in their places; no other character of them is touched."""
    unplaced = dict(sections)
    output = []
    for line in card.split("\n"):
        output.append(line)
        start = _START.fullmatch(line)
        if start and start.group(1) in unplaced:
            output.append(unplaced.pop(start.group(1)))
        if _END.fullmatch(line) and output and _last_place(output):
            for name, text in unplaced.items():
                output += ["", start_marker(name), text, END]
            unplaced = {}
    return "\n".join(output)


def _last_place(lines: list[str]) -> bool:
    starts = [match for line in lines if (match := _START.fullmatch(line))]
    return bool(starts) and starts[-1].group(1) == PLACES[-1]
