"""Where rows come from: a file, or one split of a data set on the Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

_HUB_FIELDS = ("config", "split", "revision")
_HEADED = (".tsv", ".csv")


class Place(BaseModel):
    """One place, named in a recipe; `path` is a file, `hub` a data set on the Hub."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str | None = Field(
        default=None, description="tsv, csv, json, jsonl or (text) txt file, relative to the recipe's folder"
    )
    hub: str | None = Field(
        default=None, pattern=r"^[\w.-]+/[\w.-]+$", description="ORG/NAME of a data set on the Hub, instead of path"
    )
    header: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="path: names of the columns, where a tsv or csv file begins without them",
    )
    config: str | None = Field(default=None, description="hub: which configuration of the data set")
    split: str = Field(default="train", description="hub: which split")
    revision: str | None = Field(default=None, description="hub: commit; pin it, so that the run can be repeated")

    @model_validator(mode="after")
    def _one_place_and_its_options(self) -> Self:
        if (self.path is None) == (self.hub is None):
            raise ValueError("give either a `path:` or a `hub:` data set, and one of them")
        if self.header is not None and not str(self.path).endswith(_HEADED):
            raise ValueError("`header` names the columns of a tsv or csv file")
        if self.path is not None:
            for field in _HUB_FIELDS:
                if getattr(self, field) != type(self).model_fields[field].default:
                    raise ValueError(f"`{field}` is for data sets on the Hub, and this source is a file")
        return self

    def file_beside(self, path: str) -> Place:
        """Another file in the form of this one; a form that has no header line needs no names for it."""
        return Place(path=path, header=self.header if path.endswith(_HEADED) else None)

    @property
    def where(self) -> str:
        """What records and messages call it: the file's name or the Hub id."""
        return self.hub or Path(self.path or "").name
