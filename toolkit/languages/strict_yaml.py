"""Reads the plain part of YAML: mappings, lists and scalars, and nothing that a stranger could turn against us.

Refused: anchors, aliases and merge keys (a few lines of them unfold into gigabytes), tags, keys that stand twice or are
not text, more than one document, files that are too large or too deep, and characters that nobody sees. Two steps: the
events first, which need no recursion and say whether the rest is safe to build.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from toolkit.errors import LanguageError
from toolkit.languages.texts import hostile_character, shown, visible

MAX_BYTES = 64 * 1024
MAX_DEPTH = 6
_LONGEST_NUMBER = 40  # characters; a hexadecimal number of 60,000 digits can be read, but not printed

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # several times faster, where PyYAML was built with libyaml
_OPENS = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
_CLOSES = (yaml.MappingEndEvent, yaml.SequenceEndEvent)


def read_plain_yaml(path: Path) -> dict[str, Any]:
    """The mapping that a YAML file holds.

    Raises:
        LanguageError: if it cannot be read, or has anything but plain YAML in it; with the line.
    """
    return plain_mapping(_text(path), path)


def plain_mapping(text: str, path: Path, max_depth: int = MAX_DEPTH) -> dict[str, Any]:
    """The mapping that a text in plain YAML holds.

    Args:
        path: where the text is from, for messages.
        max_depth: levels of mappings and lists.

    Raises:
        LanguageError: if it has anything but plain YAML in it; with the line.
    """
    try:
        _refuse_what_is_not_plain(text, path, max_depth)
        node = yaml.compose(text, Loader=_Loader)
        if not isinstance(node, yaml.MappingNode):
            raise LanguageError(f"{path}: there are no fields in it", "write `code: ...` and so on, as in jav.yaml")
        return _mapping(node, path)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = visible(getattr(error, "problem", None) or "it cannot be parsed")
        hint = "check the indentation, and put quotes around text with a colon or a hash"
        raise LanguageError(f"{path}{line}: this is not YAML: {problem}", hint) from error


def _text(path: Path) -> str:
    if not path.is_file():
        raise LanguageError(f"{path}: this is not a file", "give the path of one YAML file")
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise LanguageError(f"{path}: this cannot be read: {error.strerror}", "check its permissions") from error
    if len(raw) > MAX_BYTES:
        raise LanguageError(
            f"{path}: this has more than {MAX_BYTES // 1024} KiB",
            "describe the data there, and keep the data elsewhere",
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise LanguageError(f"{path}, line {line}: this is not UTF-8", "save the file as UTF-8") from error
    found = hostile_character(text, allowed="\n\r\t")
    if found:
        position, what = found
        line = text.count("\n", 0, position) + 1
        raise LanguageError(f"{path}, line {line}: {what}", "remove it, or type that line again")
    return text


def _refuse_what_is_not_plain(text: str, path: Path, max_depth: int) -> None:
    depth, documents = 0, 0
    for event in yaml.parse(text, Loader=_Loader):
        line = f"{path}, line {event.start_mark.line + 1 if event.start_mark else 1}"
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise LanguageError(f"{line}: anchors and aliases are refused", "write the value out where it is needed")
        tag = getattr(event, "tag", None)
        if tag:
            raise LanguageError(f"{line}: the tag {shown(tag)} is refused", "write plain text, numbers and lists")
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise LanguageError(f"{line}: a second document starts", "describe one language per file")
        if isinstance(event, _OPENS):
            depth += 1
            if depth > max_depth:
                raise LanguageError(f"{line}: more than {max_depth} levels deep", "no field is that deep")
        elif isinstance(event, _CLOSES):
            depth -= 1


def _mapping(node: yaml.MappingNode, path: Path) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for key, value in node.value:
        line = f"{path}, line {key.start_mark.line + 1}"
        if key.tag == "tag:yaml.org,2002:merge":
            raise LanguageError(f"{line}: merge keys (<<) are refused", "write the fields out")
        name = _built(key, path)
        if not isinstance(name, str):
            raise LanguageError(f"{line}: the key {shown(name)} is not text", "field names are words")
        if name in fields:
            raise LanguageError(f"{line}: {shown(name)} stands there twice", "keep one of them")
        fields[name] = _built(value, path)
    return fields


def _built(node: yaml.Node, path: Path) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path)
    if isinstance(node, yaml.SequenceNode):
        return [_built(item, path) for item in node.value]
    if node.tag == "tag:yaml.org,2002:str":
        return node.value
    if len(node.value) > _LONGEST_NUMBER:
        line = node.start_mark.line + 1
        raise LanguageError(
            f"{path}, line {line}: {shown(node.value)} is no number that is used", "put quotes around text"
        )
    try:
        return yaml.constructor.SafeConstructor().construct_object(node)
    except ValueError as error:  # a date such as 2020-13-45
        line = node.start_mark.line + 1
        raise LanguageError(f"{path}, line {line}: {shown(node.value)}: {error}", "put quotes around text") from error
