"""Every error that we expect, in one tree; the command line prints them without a traceback.

CogsymError
├── LanguageError          unknown code, bad language file
├── RecipeError            unknown key, value out of range, contradicting fields
├── CorpusError            missing or unreadable file, wrong columns, nothing left after cleaning
├── SelectionError         unknown method, budget odd or larger than the model
├── BaseModelError         base missing, unreadable, truncated, or without the parts we need
├── TrainingError          out of memory, loss not finite
│   └── TrainingStopped    by the person who started it
├── DeltaError
│   ├── DamagedDeltaError  a delta file that breaks its format or fails a checksum
│   ├── NewerFormatError   a delta written by a newer major version of the format
│   └── WrongBaseError     a delta that was made for other base weights
├── TranslationError       a direction that no model serves, a sentence longer than the model can read
├── EvaluationError        missing test set, a score that cannot be computed
├── CardError              records that contradict each other or cannot be rendered
├── HubError               not found, gated, no permission, conflict, no network
├── OutputError            output exists already, disk full, target not writable
└── MissingPartError       an optional package or program is not installed
"""

from __future__ import annotations


class CogsymError(Exception):
    """What is wrong with the value seen (`message`), and what to do about it (`hint`)."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class LanguageError(CogsymError):
    """A language code or a language file that cannot be used."""


class RecipeError(CogsymError):
    """A recipe with an unknown key, a value out of range, or fields that contradict each other."""


class CorpusError(CogsymError):
    """A corpus that is missing, unreadable, has other columns, or is empty after cleaning."""


class SelectionError(CogsymError):
    """A selection that this model cannot satisfy."""


class BaseModelError(CogsymError):
    """A base model that is missing, unreadable, or lacks the parts that a selection needs."""


class TrainingError(CogsymError):
    """A training run that had to stop."""


class TrainingStopped(TrainingError):
    """A training run that was interrupted; its checkpoint is kept."""


class DeltaError(CogsymError):
    """A delta that cannot be made, read or applied."""


class DamagedDeltaError(DeltaError):
    """A delta file that breaks its format or fails a checksum."""


class NewerFormatError(DeltaError):
    """A delta written by a newer major version of the format than this reader knows."""


class WrongBaseError(DeltaError):
    """A delta that was made for other base weights than the ones given."""


class TranslationError(CogsymError):
    """A direction that no model here serves, or a sentence longer than the model can read."""


class EvaluationError(CogsymError):
    """A test set that is missing or damaged, or a score that cannot be computed."""


class CardError(CogsymError):
    """Records that contradict each other or cannot be rendered into a card."""


class HubError(CogsymError):
    """A repository that cannot be reached, read or written."""


class OutputError(CogsymError):
    """An output that exists already, or a target that cannot be written."""


class MissingPartError(CogsymError):
    """An optional package or program that this action needs is not installed."""
