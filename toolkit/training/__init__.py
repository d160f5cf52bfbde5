"""From a base and a recipe to trained weights and a training record."""

from toolkit.training.distributed import from_leader, leads
from toolkit.training.mixture import Mixture, mix, mix_if_here, refuse_repetition
from toolkit.training.needs import Requirements, refuse_what_cannot_fit, requirements, requirements_of
from toolkit.training.preflight import preflight, refuse_contradictions
from toolkit.training.snapshots import Snapshots
from toolkit.training.train import train
from toolkit.training.watch import TrainingStep

__all__ = [
    "Mixture",
    "Requirements",
    "Snapshots",
    "TrainingStep",
    "from_leader",
    "leads",
    "mix",
    "mix_if_here",
    "preflight",
    "refuse_contradictions",
    "refuse_repetition",
    "refuse_what_cannot_fit",
    "requirements",
    "requirements_of",
    "train",
]
