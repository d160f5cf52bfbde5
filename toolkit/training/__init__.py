"""From a base and a recipe to trained weights and a training record."""

from toolkit.training.mixture import Mixture, mix
from toolkit.training.needs import Requirements, refuse_what_cannot_fit, requirements
from toolkit.training.train import TrainingStep, train

__all__ = ["Mixture", "Requirements", "TrainingStep", "mix", "refuse_what_cannot_fit", "requirements", "train"]
