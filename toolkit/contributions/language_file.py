"""The text of a new language file, in the form of the shipped ones, with what may be added as comments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toolkit.contributions.house_yaml import yaml_text
from toolkit.languages import Language

_SCHEMA = "# yaml-language-server: $schema=schema.json"

# What a file may also say, shown where it does not yet.
_EXAMPLES = {
    "variety": "variety: which dialect or standard is meant, where people may ask",
    "spoken_in": "spoken_in: Country (regions)",
    "speakers": "speakers:\n  count: 100000\n  year: 2020\n  source: who says so, and what was counted",
    "related": "related: [ind]  # ISO 639-3 codes of related languages that a base may know",
    "data": """
data:  # what anybody can learn from: on the Hub, or somewhere on the web
  - name: what people call it
    kind: parallel  # or instructions, or text
    hub: ORG/NAME  # or url: https://...
    files: [data/train.tsv]
    beside: [eng]  # the languages on the other side
    licence: cc-by-sa-4.0""",
    "evaluation": """
evaluation:  # test sets, never trained on
  - name: what people call it
    kind: translation
    hub: ORG/NAME
    files: [data/test.tsv]
    beside: [eng]
    licence: cc-by-sa-4.0""",
    "models": """
models:  # deltas that you have published; `cogsym pull ORG/NAME` says revision and digest
  - repository: ORG/NAME
    revision: the commit, 40 hexadecimal digits
    base: meta-llama/Llama-2-7b-hf
    base_revision: the commit, 40 hexadecimal digits
    digests:
      - file: delta.safetensors
        sha256: 64 hexadecimal digits
    records: [records/delta.json]""",
    "smoke": """
smoke:  # short sentences that a model should get right
  - direction: eng>{code}
    text: This house is good.
    expected: a right translation of it""",
    "contributors": "contributors:\n  - name: as you wish to be named\n    roles: [registry, data]",
}


def language_text(fields: Mapping[str, Any]) -> str:
    """A language file with these fields, in the order of the schema; what is None or empty is left out."""
    ordered = {name: fields[name] for name in Language.model_fields if name in fields}
    body = yaml_text(_filled(ordered))
    missing = [text.strip().format(code=fields["code"]) for name, text in _EXAMPLES.items() if not fields.get(name)]
    comments = "".join(f"# {line}\n" for text in missing for line in text.splitlines())
    opening = "#\n# What may be added, each with its real facts; leave out what you do not know:\n#\n"
    return f"{_SCHEMA}\n{body}{opening + comments if missing else ''}"


def _filled(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _filled(one) for key, one in value.items() if one not in (None, "", [], (), {})}
    if isinstance(value, list | tuple):
        return [_filled(one) for one in value]
    return value
