"""What is told again to another process: all that the estimate still rests on, nothing twice."""

import numpy as np
import pytest

from acquisition.estimate.ledger import PART, Ledger
from navigation.estimation.posterior import RECENT_READINGS
from navigation.observations import Observations


def readings(first: int, many: int) -> Observations:
    return Observations(
        counts=np.arange(first, first + many, dtype=np.float64),
        live_time_s=np.full(many, 0.1),
        tip_mm=np.zeros((many, 3)),
        axis=np.tile([0.0, 0.0, 1.0], (many, 1)),
        taken_at_s=0.1 * np.arange(first, first + many, dtype=np.float64),
    )


def told(ledger: Ledger) -> list[float]:
    """Numbers of the readings that would be told again."""
    return [count for part in ledger for count in part.counts.tolist()]


@pytest.mark.parametrize("size", [1, 3, 7, PART, 3 * PART])
def test_all_is_told_again_in_order_and_in_few_parts(size: int) -> None:
    """However it came, singly or many at once."""
    ledger = Ledger()
    for first in range(0, 1200, size):
        ledger.note(readings(first, min(size, 1200 - first)), restarts=0)
    assert told(ledger) == list(range(1200))
    assert len(list(ledger)) <= 1200 / PART * 1.1 + 1


@pytest.mark.parametrize("size", [1, 30, 300])
def test_what_was_forgotten_is_not_told_again(size: int) -> None:
    """An estimate that begins anew rests on the newest readings and on what follows; so does another's of it."""
    ledger = Ledger(2)
    for first in range(0, 600, size):
        ledger.note(readings(first, size), restarts=2)
    ledger.note(readings(600, size), restarts=3)
    ledger.note(readings(600 + size, size), restarts=3)
    begun = 600 + size
    assert told(ledger) == list(range(begun - RECENT_READINGS, begun + size))
    assert ledger.restarts == 3
