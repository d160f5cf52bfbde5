"""From a base and a recipe to trained weights and a training record."""

from toolkit.training.mixture import Mixture, mix
from toolkit.training.train import TrainingStep, train

__all__ = ["Mixture", "TrainingStep", "mix", "train"]
