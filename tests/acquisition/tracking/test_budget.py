"""The error that is told at the tip, where a part of it is not known; ``tests.system`` holds it to the truth."""

import numpy as np
import pytest

from navigation.error_budget import ErrorBudget, round_error


@pytest.mark.parametrize("missing", ["registration", "tracker", "calibration", "motion", "tissue"])
def test_an_unknown_part_makes_no_number(missing: str) -> None:
    """Where one part is not known nothing is told of the whole, and the others are told."""
    parts = dict.fromkeys(("registration", "tracker", "calibration", "motion", "tissue"), round_error(1.0))
    assert ErrorBudget(**parts).within_mm == pytest.approx(np.sqrt(5 / 3) * 2.7955, rel=1e-3)
    budget = ErrorBudget(**(parts | {missing: None}))
    assert budget.within_mm is None
    rms_mm = budget.rms_mm()
    assert rms_mm.pop(missing) is None
    assert all(part == pytest.approx(1.0) for part in rms_mm.values())
