"""From a base and a recipe to trained weights and a training record."""

from toolkit.training.distributed import from_leader, leads, wait_for_all
from toolkit.training.mixture import Mixture, mix
from toolkit.training.preflight import preflight
from toolkit.training.train import train
from toolkit.training.watch import TrainingStep

__all__ = ["Mixture", "TrainingStep", "from_leader", "leads", "mix", "preflight", "train", "wait_for_all"]
