"""What findings are called, how serious they are, and the words in which they are told."""

from __future__ import annotations

from dataclasses import dataclass

from toolkit.auditing.characters import UNICODE
from toolkit.auditing.record import Severity


@dataclass(frozen=True)
class Entry:
    """One thing that rows can have; `{rows}` in the message becomes `12 rows`."""

    severity: Severity
    message: str
    fix: str


LONG_PAIR, LONG_TEXT = 1_000, 50_000  # characters; sentences are shorter
CATALOGUE = {
    # What training leaves out by itself.
    "empty-side": Entry(
        "drop", "{rows} without text in {where}.", "fill in what is missing; rows with one side teach nothing"
    ),
    "empty-row": Entry("drop", "{rows} without text.", "nothing: empty rows are left out"),
    "untranslated": Entry(
        "drop",
        "{rows} with the same text in two languages.",
        "translate them; a name or a number that is the same in both is better left out too",
    ),
    "repeated": Entry(
        "drop", "{rows} standing in the file more than once, not counting the first time.", "nothing: each is used once"
    ),
    # What somebody should look at.
    "hardly-translated": Entry(
        "look",
        "{rows} with the same text in two languages but for capitals and full stops.",
        "translate them, or take them out: they teach the model to copy",
    ),
    "several-translations": Entry(
        "look",
        "{rows} whose text in {where} came before with another translation.",
        "fine where a sentence can be said in several ways; if one of them is a slip, take it out",
    ),
    "no-words": Entry(
        "look",
        "{rows} with a side without any letter.",
        "fill in the sentence, or take the row out: a mark or a number teaches no language",
    ),
    "length-ratio": Entry(
        "look",
        "{rows} of which one side is far too long or too short for the other ({where}).",
        "see whether the two sides say the same: often a row slipped, or half of a sentence is missing",
    ),
    "long": Entry(
        "look",
        "{rows} of more than {limit:,} characters.",
        "cut them into sentences, the same way in each language: rows that are too long for a model are left out",
    ),
    "too-many-tokens": Entry(
        "drop",
        "{rows} of more than 512 tokens in {where}, which a recipe leaves out unless its `max_tokens` is larger.",
        "cut them into sentences, the same way in each language",
    ),
    "apostrophes": Entry(
        "look",
        "The apostrophe inside of words of {where} is typed in several ways: {rows}.",
        "choose one for the language, and use it everywhere: to the model these are different words",
    ),
    "line-breaks": Entry(
        "look",
        "{rows} with line breaks inside of a cell.",
        "check that each cell is one sentence; training reads the breaks as blanks",
    ),
    "quoted-cells": Entry(
        "look",
        "{rows} whose cells have quotation marks around them and doubled ones inside.",
        "a tsv file needs none: export it again without 'quote all text cells', or as .csv",
    ),
    "markup": Entry(
        "look",
        "{rows} with tags or codes of web pages (<b>, &amp;, [[…]]).",
        "take them out, or the model will write them",
    ),
    "address": Entry(
        "look",
        "{rows} with addresses of web pages.",
        "take them out where they are not part of the sentence; usual in texts of social media",
    ),
    "personal": Entry(
        "look",
        "{rows} with e-mail addresses or telephone numbers.",
        "take them out: what a model has read, it may tell to everybody",
    ),
    "misread": Entry(
        "look",
        "{rows} with letters that were read in the wrong encoding, such as 'Ã©' for 'é'.",
        "export the text again as UTF-8 from where it came from; opening and saving it will not bring the letters back",
    ),
    "damaged": Entry(
        "look",
        "{rows} with the sign � (U+FFFD), which stands for a letter that was lost.",
        "type the lost letters again, or take the rows out",
    ),
    "control": Entry(
        "look", "{rows} with control characters, which are no text.", "take them out: another program left them"
    ),
    "invisible": Entry(
        "look",
        "{rows} with invisible characters (zero-width blanks, soft hyphens, marks of the byte order).",
        "take them out: a word with one of them is another word to the model",
    ),
    "direction": Entry(
        "look",
        "{rows} with invisible marks that turn the direction of writing.",
        "take them out of languages that are written from left to right, and everywhere those that force a direction",
    ),
    "private-use": Entry(
        "look",
        "{rows} with private-use characters, which only one font can show.",
        "type them as Unicode letters; ask us where your letters are missing in Unicode",
    ),
    "unassigned": Entry(
        "look",
        f"{{rows}} with code points that mean nothing in Unicode {UNICODE}.",
        "check them; they may be newer than this Python (emoji often are), or damage",
    ),
    "surrogate": Entry("look", "{rows} with halves of characters.", "export the text again as UTF-8"),
    "look-alikes": Entry(
        "look",
        "{rows} with words that mix letters of two scripts which look alike.",
        "type them with the letters of the language, the same everywhere: ɛ (U+025B) and ε (U+03B5) are different "
        "letters to the model",
    ),
    "nested": Entry(
        "stop",
        "{rows} with a list or fields where text should be ({where}).",
        "name the field inside of it with a dot, e.g. --columns eng=translation.en, or save plain text",
    ),
    "wrong-script": Entry(
        "look",
        "{rows} mostly not in {script} letters in {where}.",
        "see whether they are in the right column; where people write the language so, say so in its `script`",
    ),
    "other-column": Entry(
        "look",
        "{rows} whose text in {where} is made of the words of the other column.",
        "read them: often a sentence was left untranslated, or stands on the wrong side",
    ),
    "other-language": Entry(
        "look",
        "{rows} of {where} in another language, as it seems.",
        "read them: identification errs, most on short sentences, names and related languages",
    ),
    "swapped-rows": Entry(
        "look",
        "{rows} with each side in the other's column, as it seems.",
        "exchange the two cells of these rows",
    ),
    "leaked": Entry(
        "stop",
        "{rows} with a sentence of the test set {where}.",
        "take them out of the data: what was trained on cannot be tested on (a recipe with `on_leak: drop` leaves "
        "them out)",
    ),
    "leaked-left-out": Entry(
        "drop", "{rows} with a sentence of the test set {where}.", "nothing: the recipe leaves them out of training"
    ),
}  # fmt: skip

# Rows that cannot be read, by the reader's word for it.
BROKEN = {
    "not UTF-8": "not-utf-8",
    "NUL byte": "nul-byte",
    "endless line": "endless-line",
    "endless block": "endless-block",
    "more columns than the header": "too-many-columns",
    "cell without an end": "open-quote",
    "quotation mark left open": "open-quote",
    "no JSON": "no-json",
    "no object with named fields": "no-json-object",
    "half of a character": "half-character",
    "file cut off": "cut-off",
}
