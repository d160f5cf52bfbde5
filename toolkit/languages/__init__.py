"""The languages that the toolkit knows: one YAML file each, read into `Language`."""

from toolkit.languages.language import Direction, Language, Names, parse_direction
from toolkit.languages.registry import all_languages, get_language, look_in, own_code, own_direction
from toolkit.languages.searching import Match, search_languages

__all__ = [
    "Direction",
    "Language",
    "Match",
    "Names",
    "all_languages",
    "get_language",
    "look_in",
    "own_code",
    "own_direction",
    "parse_direction",
    "search_languages",
]
