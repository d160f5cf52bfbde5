"""What happens inside: sweeps over budgets, positions, methods, order and time; the logit lens."""

from toolkit.analysis.points import KINDS, Kind, Point, Sweep, Variation, plan_sweep, selection_of
from toolkit.analysis.record import PointRecord, SweepFolder, SweepRecord
from toolkit.analysis.sweep import TAKEN_OVER, Outlined, SweepStep, outline, run_sweep

__all__ = [
    "KINDS",
    "TAKEN_OVER",
    "Kind",
    "Outlined",
    "Point",
    "PointRecord",
    "Sweep",
    "SweepFolder",
    "SweepRecord",
    "SweepStep",
    "Variation",
    "outline",
    "plan_sweep",
    "run_sweep",
    "selection_of",
]
