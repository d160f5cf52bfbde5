"""What is not language in a text: tags, entities, addresses of pages and of people."""

from __future__ import annotations

import re

_NAMES = (
    "a|abbr|b|blockquote|body|br|center|code|div|em|font|form|h[1-6]|head|hr|html|i|iframe|img|input|li|link|meta|ol|p|"
    "pre|q|s|script|small|span|strike|strong|style|sub|sup|svg|table|tbody|td|th|title|tr|u|ul|video"
)
_TAG = re.compile(rf"</?(?:{_NAMES})(?:\s[^<>]*)?/?>|<!--|<!doctype", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:[a-zA-Z]{2,8}|#\d{1,7}|#x[0-9a-fA-F]{1,6});")
# None of these looks twice at a character from several beginnings, however long a cell is: texts come from strangers.
_WIKI = re.compile(r"\[\[(?:[^\[\]]|\[(?!\[))+\]\]|\{\{(?:[^{}]|\{(?!\{))+\}\}|(?<!')'''[^']+'''(?!')")
_URL = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@(?!example\.|email\.com)[\w-]+\.[.-]*\w")
_PHONE = re.compile(r"(?<![\w.,])\+\d[\d ()-]{7,}\d")


def markup(text: str) -> int | None:
    """Where the first tag, entity or wiki code begins."""
    if "<" in text or "&" in text or "[[" in text or "{{" in text or "'''" in text:
        found = _TAG.search(text) or _ENTITY.search(text) or _WIKI.search(text)
        return found.start() if found else None
    return None


def address(text: str) -> int | None:
    """Where the first address of a page begins."""
    found = _URL.search(text) if "://" in text or "www." in text.lower() else None
    return found.start() if found else None


def personal(text: str) -> int | None:
    """Where the first e-mail address or international telephone number begins."""
    found = (_EMAIL.search(text) if "@" in text else None) or (_PHONE.search(text) if "+" in text else None)
    return found.start() if found else None
