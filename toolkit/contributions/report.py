"""What the check of a language file found: what must change, what is right, and what nobody looked at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from toolkit.languages.problems import Problem


@dataclass(frozen=True)
class Remark:
    """Something to look at, which stops nothing."""

    field: str
    message: str
    fix: str = ""


@dataclass(frozen=True)
class Seen:
    """Something that was looked at and is right."""

    field: str
    message: str


@dataclass(frozen=True)
class Unchecked:
    """Something that nobody looked at, and why."""

    field: str
    what: str
    because: str


Item: TypeAlias = Problem | Remark | Seen | Unchecked


@dataclass(frozen=True)
class FileReport:
    """The whole check of one language file. It is never better than what was seen."""

    file: str
    problems: tuple[Problem, ...]
    remarks: tuple[Remark, ...]
    seen: tuple[Seen, ...]
    unchecked: tuple[Unchecked, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing must change, as far as was looked."""
        return not self.problems

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"ok": self.ok} | asdict(self)


def make_report(file: str, items: Iterable[Item]) -> FileReport:
    """The report with these items, in their order."""
    found = tuple(items)
    return FileReport(
        file,
        tuple(one for one in found if isinstance(one, Problem)),
        tuple(one for one in found if isinstance(one, Remark)),
        tuple(one for one in found if isinstance(one, Seen)),
        tuple(one for one in found if isinstance(one, Unchecked)),
    )
