"""COMET scores, worked out by a process in an environment of its own, because unbabel-comet needs transformers 4."""

from toolkit.evaluation.comet.languages import is_supported
from toolkit.evaluation.comet.models import DEFAULT_MODEL
from toolkit.evaluation.comet.scoring import CometScorer, CometScores, comet_scores

__all__ = ["DEFAULT_MODEL", "CometScorer", "CometScores", "comet_scores", "is_supported"]
