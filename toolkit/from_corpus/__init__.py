"""From a corpus to a finished run in one go: drafted (checked, split, planned), then carried out."""

from toolkit.from_corpus.carrying_out import Adapted, Workplace, carry_out, drafting_place, is_done, keep, reopen
from toolkit.from_corpus.drafting import Draft, draft
from toolkit.from_corpus.wish import Known, Wish

__all__ = [
    "Adapted",
    "Draft",
    "Known",
    "Wish",
    "Workplace",
    "carry_out",
    "draft",
    "drafting_place",
    "is_done",
    "keep",
    "reopen",
]
