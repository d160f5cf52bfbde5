"""What a delta is worth: tasks, scores with their uncertainty, and the table that compares them."""

from toolkit.evaluation.runner import EvaluationStep, evaluate
from toolkit.evaluation.table import Row, comparison_table

__all__ = ["EvaluationStep", "Row", "comparison_table", "evaluate"]
