"""toolkit/training/metrics.py: the loss that a run is said to end with."""

from __future__ import annotations

from pathlib import Path

import pytest
from card_records import make_records

from toolkit.training.metrics import closing_loss


@pytest.mark.parametrize(
    ("losses", "mean", "steps"),
    [
        ([(1, 5.0)], 5.0, 1),
        ([(1, 5.0), (2, 3.0), (3, 4.0)], 4.0, 1),
        ([(step, 100.0 - step) for step in range(1, 31)], 74.5, 10),
        ([(step, 1.0 if step % 20 else 3.0) for step in range(10, 410, 10)], 2.0, 40),
        ([(10, 9.0), (20, 2.0), (25, 4.0), (30, 6.0)], 5.0, 10),  # a checkpoint was logged between
        ([(10, 9.0), (20, 2.0), (24, 4.0)], 2.0 * 10 / 14 + 4.0 * 4 / 14, 14),
    ],
)
def test_the_closing_loss_is_the_mean_over_the_last_steps(
    losses: list[tuple[int, float]], mean: float, steps: int
) -> None:
    assert closing_loss(losses) == (pytest.approx(mean), steps)


def test_one_easy_batch_at_the_end_makes_no_good_ending() -> None:
    losses = [(step, 2.0) for step in range(1, 100)]
    assert closing_loss([*losses, (100, 0.1)])[0] == pytest.approx(1.81)


def test_a_record_from_before_still_reads(tmp_path: Path) -> None:
    record = make_records(tmp_path).read_training()
    old = record.model_dump(exclude={"final_loss_steps"})
    assert type(record).model_validate(old).final_loss_steps is None
