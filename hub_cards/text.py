"""Puts values into Markdown, shell and Python so that no value can be anything but itself.

Names, licences and sentences in a card come from strangers. `escape_markdown` is what the templates apply to every
value by default; the others are for values inside code.
"""

from __future__ import annotations

import re
import shlex
import unicodedata

from markupsafe import Markup

MAX_CHARACTERS = 160
"""Longer values are cut with an ellipsis: a name of 10,000 characters helps nobody."""
_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"
_PUNCTUATION = re.compile(r"([\\`*_\[\]~$#|])")
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# A bare address becomes a link by itself in most Markdown dialects; an entity in the middle stops that.
_ADDRESS = re.compile(r"(?i)(://|www\.|@|mailto:)")
_LIST_OR_HEADING = re.compile(r"^(\d{1,9})([.)])(?=\s|$)|^([-+=])(?=[\s\-+=]|$)")


def one_line(text: str, limit: int = MAX_CHARACTERS) -> str:
    """The text on one line without control, format or lone surrogate characters, at most `limit` characters long.

    Marks that turn the writing direction go too, since they reach beyond the value; joiners, which Arabic and Indic
    spelling needs, stay.
    """
    kept = "".join(
        " " if unicodedata.category(character) in ("Cc", "Zl", "Zp") else character
        for character in text
        if unicodedata.category(character) not in ("Cf", "Cs", "Co", "Cn") or character in "\u200c\u200d"
    )
    line = " ".join(kept.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def escape_markdown(text: str, limit: int = MAX_CHARACTERS) -> Markup:
    """The text as words of a Markdown line or table cell: no markup, no HTML, no link, no line break."""
    line = one_line(text, limit)
    escaped = _PUNCTUATION.sub(r"\\\1", line)
    escaped = "".join(_HTML.get(character, character) for character in escaped)
    escaped = _ADDRESS.sub(lambda match: _as_entities(match.group(0)), escaped)
    escaped = _LIST_OR_HEADING.sub(lambda match: f"{match.group(1) or ''}\\{match.group(2) or match.group(3)}", escaped)
    return Markup(_isolate(escaped))


def code_span(text: str, limit: int = MAX_CHARACTERS) -> Markup:
    """The text in a code span that also holds inside a table cell."""
    line = one_line(text, limit)
    if not line:
        return Markup("")
    if not re.search(r"[`|\\]", line):
        return Markup(f"`{_isolate(line)}`")
    return Markup(f"<code>{_isolate(_as_entities(line))}</code>")  # a code span cannot hold these in a table


def quote_shell(text: str) -> Markup:
    """The text as one word of a POSIX shell command, on one line."""
    if all(character.isprintable() for character in text):
        return Markup(shlex.quote(text))
    escaped = "".join(_ansi_c(character) for character in text)
    return Markup(f"$'{escaped}'")


def quote_python(text: str) -> Markup:
    """The text as a Python string literal, with double quotes where that needs no escape."""
    literal = ascii(text) if not text.isprintable() else repr(text)
    if literal.startswith("'") and '"' not in literal and "\\" not in literal:
        literal = f'"{literal[1:-1]}"'
    return Markup(literal)


def fence(code: str, language: str) -> Markup:
    """A fenced code block whose fence is longer than any in the code."""
    longest = max((len(run) for run in re.findall(r"`+", code)), default=0)
    ticks = "`" * max(3, longest + 1)
    return Markup(f"{ticks}{language}\n{code.strip(chr(10))}\n{ticks}")


def _as_entities(text: str) -> str:
    """Every ASCII punctuation mark as a numeric entity, which no Markdown dialect reads as markup."""
    return re.sub(r"[!-/:-@\[-`{-~]", lambda match: f"&#{ord(match.group(0))};", text)


def _isolate(text: str) -> str:
    """Right-to-left text shut off from its surroundings, so that it cannot reorder the numbers beside it."""
    if any(unicodedata.bidirectional(character) in ("R", "AL") for character in text):
        return f"{_FIRST_STRONG_ISOLATE}{text}{_POP_ISOLATE}"
    return text


def _ansi_c(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    if character.isprintable():
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))
