"""Which codes of languages and scripts are real, and what to write instead of one that is not.

The facts are those of the IANA subtag registry, which langcodes brings along: every language of ISO 639-3, under its
two-letter code where it has one, with macrolanguages and retired codes marked, and every script of ISO 15924.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any

# ISO 639-2's bibliographic codes, which are no codes of ISO 639-3.
_BIBLIOGRAPHIC = {
    "alb": "sqi", "arm": "hye", "baq": "eus", "bur": "mya", "chi": "zho", "cze": "ces", "dut": "nld", "fre": "fra",
    "geo": "kat", "ger": "deu", "gre": "ell", "ice": "isl", "mac": "mkd", "mao": "mri", "may": "msa", "per": "fas",
    "rum": "ron", "slo": "slk", "tib": "bod", "wel": "cym",
}  # fmt: skip
# CLDR, from which langcodes takes its aliases, renames these; ISO 639 does not.
_KEPT = {"tgl": "tl", "hrv": "hr", "srp": "sr", "hbs": "sh"}
_RETIRED = ("scr", "scc", "mol")
_SHORT, _ALIKE = 4, 0.83  # letters up to which a name has no other spelling, and how much alike two spellings are
_NO_MARKS = str.maketrans("(),-", "    ")
_RIGHT_TO_LEFT = frozenset(
    """
    Adlm Arab Aran Armi Avst Chrs Cprt Elym Hatr Hebr Hung Khar Lydi Mand Mani Mend Merc Mero Narb Nbat Nkoo Orkh Palm
    Phli Phlp Phnx Prti Rohg Samr Sarb Sogd Syrc Thaa Yezi
    """.split()  # noqa: SIM905 (a list would be longer)
)


@dataclass(frozen=True)
class Wrong:
    """What is wrong with a code, and what to write instead."""

    message: str
    fix: str


def check_code(code: str, english: str | None = None) -> Wrong | None:
    """What is wrong with a language's ISO 639-3 code, or None.

    Args:
        code: as written, of any length.
        english: the language's English name, for a suggestion.
    """
    if code in _BIBLIOGRAPHIC:
        right = _BIBLIOGRAPHIC[code]
        return check_code(right) or Wrong(f"'{code}' is a library's code, not one of ISO 639-3", f"use {right}")
    if len(code) == 3 and "qaa" <= code <= "qtz":
        return None
    subtag = _two_letters().get(code, code)
    entry = _languages().get(subtag)
    if entry is None or code in _RETIRED:
        return Wrong(f"'{code}' is no code of ISO 639-3", _suggestion(code, english))
    if "Deprecated" in entry:
        preferred = entry.get("Preferred-Value")
        if preferred is None:
            return Wrong(f"'{code}' is deprecated", _suggestion(code, english))
        three = three_letters(preferred)
        use = preferred if preferred == three else f"{preferred} / {three}"
        return Wrong(f"'{code}' is deprecated", f"use {use}")
    if entry.get("Scope") == "macrolanguage":
        members = _members(subtag)
        listed = ", ".join(members[:8]) + (" ..." if len(members) > 8 else "")
        return Wrong(
            f"'{code}' is a macrolanguage ({entry['Description'][0]}), which is several languages",
            f"use the one that the data is in: {listed}",
        )
    if "Scope" in entry:
        return Wrong(f"'{code}' is not one language but {entry['Description'][0]}", _suggestion(code, english))
    if len(code) == 2:
        return Wrong(f"'{code}' has two letters", f"use {three_letters(code)}")
    return None


def is_deprecated(code: str) -> bool:
    """Whether a code was one once."""
    return "Deprecated" in _languages().get(code, {})


def two_letters(code: str) -> str | None:
    """The ISO 639-1 code of a language or, for the member that a macrolanguage mostly means, of that macrolanguage."""
    if code in _two_letters():
        return _two_letters()[code]
    macro = _languages().get(code, {}).get("Macrolanguage", "")
    return macro if len(macro) == 2 and _members(macro)[:1] == [code] else None


def usual_tag(code: str) -> str:
    """The shortest tag of a language that is not retired, as BCP 47 has it: `jv` for `jav` and for `jw`.

    Raises:
        ValueError: if it is no tag.
    """
    import langcodes

    if code in _KEPT.values():
        return code
    return _KEPT.get(code) or langcodes.standardize_tag(code)


def english_names(code: str) -> tuple[str, ...]:
    """What ISO 639-3 calls a language, the usual name first; a code for local use has none."""
    return tuple(_languages().get(_two_letters().get(code, code), {}).get("Description", ()))


def macrolanguage(code: str) -> str | None:
    """The subtag of the macrolanguage that a language belongs to: `ms` for Indonesian; None for most."""
    return _languages().get(_two_letters().get(code, code), {}).get("Macrolanguage")


def three_letters(subtag: str) -> str:
    """The ISO 639-3 code of a language that the IANA registry may list under two letters."""
    return next((three for three, two in _two_letters().items() if two == subtag), subtag)


def check_script(script: str) -> Wrong | None:
    """What is wrong with the ISO 15924 code of a script, or None."""
    # Codes with Z and Q are for symbols, for undetermined text and for private use.
    scripts = {code: names for code, names in _scripts().items() if code[0] not in "QZ"}
    if script in scripts:
        return None
    names = {name.lower(): code for code, described in scripts.items() for name in [*described, code]}
    near = get_close_matches(script.lower(), names, n=1, cutoff=0.6)
    fix = (
        f"did you mean {names[near[0]]} ({scripts[names[near[0]]][0]})?" if near else "use a code such as Latn or Deva"
    )
    return Wrong(f"'{script}' is no script of ISO 15924 that text is written in", fix)


def writing_direction(script: str) -> str:
    """`rtl` or `ltr`."""
    return "rtl" if script in _RIGHT_TO_LEFT else "ltr"


def script_names(script: str) -> tuple[str, ...]:
    """The English names of a script, the usual one first, e.g. Latin."""
    return tuple(_scripts()[script])


def named(text: str) -> list[tuple[str, str]]:
    """Code and name of each language that has this code or name in ISO 639-3, whether or not the toolkit knows it.

    What stands in brackets behind a name need not be given: `Waray` is `Waray (Philippines)`. Where no name is the
    text, spellings that hardly differ from it count: `Ilokano` is `Iloko`.
    """
    wanted = " ".join(text.casefold().split())
    entries = {
        three_letters(subtag): (subtag, [str(described) for described in entry["Description"]])
        for subtag, entry in _languages().items()
        if "Deprecated" not in entry and "Scope" not in entry
    }
    spelt = {
        code: {_bare(each) for each in names} | {*map(str.casefold, names)} for code, (_, names) in entries.items()
    }
    found = [code for code, (subtag, _) in entries.items() if wanted in (code, subtag, *spelt[code])]
    if not found and len(wanted) > _SHORT:
        every = {name: code for code, names in spelt.items() for name in names if len(name) > _SHORT}
        found = list(dict.fromkeys(every[name] for name in get_close_matches(wanted, every, n=3, cutoff=_ALIKE)))
    return [(code, entries[code][1][0]) for code in found]


def _bare(name: str) -> str:
    """A name in small letters, without what stands in brackets behind it."""
    return name.partition("(")[0].strip().casefold()


def find_codes(text: str, limit: int = 8) -> list[tuple[str, str]]:
    """Code and name of the languages of ISO 639-3 that a text may mean, the likeliest first, whoever knows them.

    A code or a whole name comes first, then names that hold the text as a word, then other spellings.
    """
    wanted = " ".join(text.casefold().split())
    if not wanted:
        return []
    names: dict[str, str] = {}
    ranked = list[tuple[float, str, str]]()
    for subtag, entry in _languages().items():
        if "Deprecated" in entry or "Scope" in entry:
            continue
        code, described = three_letters(subtag), [str(name) for name in entry["Description"]]
        names.update({name.casefold(): code for name in described})
        best = max(_likeness(wanted, name.casefold()) for name in described)
        if wanted in (code, subtag) or best:
            ranked.append((2.0 if wanted in (code, subtag) else best, code, described[0]))
    if not any(likeness >= 1 for likeness, _, _ in ranked):
        listed = {code for _, code, _ in ranked}
        near = [names[name] for name in get_close_matches(wanted, names, n=limit, cutoff=0.72)]
        found = [code for code in dict.fromkeys(near) if code not in listed]
        ranked += [(-place, code, english_name(code)) for place, code in enumerate(found)]
    ranked.sort(key=lambda one: (-one[0], len(one[2])))
    return [(code, name) for _, code, name in ranked[:limit]]


def _likeness(wanted: str, name: str) -> float:
    if name == wanted:
        return 1.0
    if f" {wanted} " in f" {name.translate(_NO_MARKS)} ":
        return 0.8
    return 0.5 if name.startswith(wanted) and len(wanted) > 2 else 0.0


def english_name(code: str) -> str:
    """The English name of a language of ISO 639-3, the usual one."""
    return str(_languages()[_two_letters().get(code, code)]["Description"][0])


def likely_script(code: str) -> str | None:
    """The ISO 15924 code of the script that a language is mostly written in, if Unicode CLDR says so."""
    from langcodes.data_dicts import LIKELY_SUBTAGS

    tag = LIKELY_SUBTAGS.get(code) or LIKELY_SUBTAGS.get(two_letters(code) or "")
    return str(tag).split("-")[1] if tag else None


def _suggestion(code: str, english: str | None) -> str:
    names = {
        name.lower(): three_letters(subtag)
        for subtag, entry in _languages().items()
        if "Deprecated" not in entry and "Scope" not in entry
        for name in entry["Description"]
    }
    for wanted in (english, code):
        near = get_close_matches(wanted.lower(), names, n=1, cutoff=0.85) if wanted else []
        if near:
            return f"did you mean {names[near[0]]} ({near[0].title()})?"
    return (
        "look it up at https://iso639-3.sil.org; a language without a code takes one of qaa to qtz and its Glottocode"
    )


def _members(macro: str) -> list[str]:
    """ISO 639-3 codes of a macrolanguage's members, the one that it mostly means first."""
    from langcodes.data_dicts import NORMALIZED_MACROLANGUAGES

    usual = [member for member, whole in NORMALIZED_MACROLANGUAGES.items() if whole == macro]
    members = [
        subtag
        for subtag, entry in _languages().items()
        if entry.get("Macrolanguage") == macro and "Deprecated" not in entry
    ]
    usual = usual if len(usual) == 1 else []
    return [three_letters(member) for member in [*usual, *sorted(set(members) - set(usual))]]


@cache
def _registry() -> tuple[dict[str, Any], ...]:
    from langcodes.registry_parser import parse_registry

    return tuple(parse_registry())


@cache
def _languages() -> dict[str, dict[str, Any]]:
    return {entry["Subtag"]: entry for entry in _registry() if entry["Type"] == "language" and "Subtag" in entry}


@cache
def _scripts() -> dict[str, list[str]]:
    return {entry["Subtag"]: entry["Description"] for entry in _registry() if entry["Type"] == "script"}


@cache
def _two_letters() -> dict[str, str]:
    """ISO 639-1 codes by the ISO 639-3 codes that the IANA registry leaves out for them."""
    from langcodes.data_dicts import LANGUAGE_REPLACEMENTS

    known = _languages()
    pairs = {
        three: two
        for three, two in LANGUAGE_REPLACEMENTS.items()
        if len(three) == 3 and len(two) == 2 and three not in known and three not in _BIBLIOGRAPHIC
    }
    return {three: two for three, two in (pairs | _KEPT).items() if three not in _RETIRED}
