"""What a file is by its first bytes, where that is not the text which its name promises."""

from __future__ import annotations

import re
from pathlib import Path

from toolkit.corpus.lines import AS_UTF8
from toolkit.errors import CorpusError

_LOOKED_AT = 2**16
_AS_TABLE = "open it in a spreadsheet program and save the sheet as 'CSV UTF-8' or as tab-separated text"
_UNPACK = "unpack it first, and give the file that is inside"
_FORMATS = (
    (b"PK\x03\x04", "a spreadsheet or another zip archive", _AS_TABLE),
    (b"\xd0\xcf\x11\xe0", "a spreadsheet or document of old Office programs", _AS_TABLE),
    (b"%PDF-", "a PDF", "copy its sentences into a spreadsheet, one pair in each row"),
    (b"{\\rtf", "a rich-text document", "copy its sentences into a spreadsheet, one pair in each row"),
    (b"\x1f\x8b", "packed with gzip", _UNPACK),
    (b"\xfd7zXZ\x00", "packed with xz", _UNPACK),
    (b"BZh", "packed with bzip2", _UNPACK),
    (b"PAR1", "a Parquet file", "save it as jsonl, or give the Hub data set by `hub:`"),
    (b"version https://git-lfs", "a pointer to the data, not the data", "fetch the file itself: `git lfs pull`"),
)
_WEB_PAGE = re.compile(rb"\s*<(!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_MARKS = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
_SHARE_OF_NULS = 0.2  # of bytes, from which on text is UTF-16 without its mark


def check_beginning(path: Path) -> str:
    """The first characters of a text file, without a byte order mark.

    Raises:
        CorpusError: if the file is missing, unreadable, empty, in UTF-16, or no text at all.
    """
    beginning = read_beginning(path)
    refuse_what_is_no_text(path.name, beginning)
    encoding = wide_encoding(beginning)
    if encoding:
        raise CorpusError(f"{path.name} is in {encoding}, not in UTF-8 (seen at line 1, byte 1)", AS_UTF8)
    return beginning.decode("utf-8-sig", errors="replace")


def refuse_what_is_no_text(name: str, beginning: bytes) -> None:
    """Tell an archive, a web page, or nothing from text.

    Raises:
        CorpusError: saying what it is instead.
    """
    for magic, what, fix in _FORMATS:
        if beginning.startswith(magic):
            raise CorpusError(f"{name} is {what}, whatever its name says", fix)
    if _WEB_PAGE.match(beginning.removeprefix(b"\xef\xbb\xbf")):
        raise CorpusError(
            f"{name} is a web page (HTML), not the data",
            "download the file itself: on GitHub with the button 'Raw', elsewhere with 'Download'",
        )
    if not beginning.strip(b"\xef\xbb\xbf \t\r\n") and len(beginning) < _LOOKED_AT:
        raise CorpusError(f"{name} is empty", "give a file with a header line and rows")


def wide_encoding(beginning: bytes) -> str | None:
    """UTF-16 or UTF-32, by the mark at the beginning or by the zeros between letters; None for neither."""
    for mark, encoding in _MARKS.items():
        if beginning.startswith(mark):
            return encoding
    zeros = (beginning[::2].count(0), beginning[1::2].count(0))
    # Zeros in every other place are the upper halves of letters; elsewhere they are damage, told with its line.
    if max(zeros) >= _SHARE_OF_NULS * len(beginning) / 2 and min(zeros) * 10 < max(zeros) and max(zeros) > 1:
        return "UTF-16"
    return None


def read_beginning(path: Path) -> bytes:
    """The first bytes of a file.

    Raises:
        CorpusError: if it is missing or unreadable.
    """
    try:
        with path.open("rb") as file:
            return file.read(_LOOKED_AT)
    except FileNotFoundError:
        raise CorpusError(f"no file at {path}", "check the path; it is relative to the recipe's folder") from None
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror}", "check the path and its permissions") from error
