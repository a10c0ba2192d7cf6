"""What is said of a source that may not be shown."""

from dataclasses import replace
from math import inf, nan
from typing import Any

import numpy as np
import pytest

from navigation.estimation.belief import Belief
from navigation.estimation.judgement import judge
from navigation.estimation.prior import Prior


@pytest.mark.parametrize(
    ("presence", "said"), [(0.12, "12 %"), (0.796, "80 %"), (0.01, "1 %"), (0.004, "< 1 %"), (0.0, "< 1 %")]
)
def test_a_probability_is_written_as_the_page_writes_it(presence: float, said: str) -> None:
    """Beside "12 % sure" stands "probability 12 %"; and nothing is ever held for impossible."""
    prior = Prior.from_hotspots([]).unmapped
    belief = replace(Belief.before(prior), presence=presence)
    estimate = judge(prior, belief, is_counted=True, dispersion=1.0, log_strength=0.0)
    assert estimate.reason == f"the counts do not show it (probability {said})"


SHOWN: dict[str, Any] = {"presence": 0.99, "log_evidence": 30.0, "covariance_mm2": np.eye(3)}


@pytest.mark.parametrize(
    "wrong", [{"presence": nan}, {"log_evidence": nan}, {"centre_mm": np.array([0.0, nan, 0.0])}]
)
def test_what_is_no_number_is_no_location(wrong: dict[str, Any]) -> None:
    """No comparison with a limit finds it out: each is false."""
    prior = Prior.from_hotspots([]).unmapped
    belief = replace(Belief.before(prior), **(SHOWN | wrong))
    estimate = judge(prior, belief, is_counted=True, dispersion=1.0, log_strength=0.0)
    assert not estimate.is_localisable
    assert "went wrong" in estimate.reason


@pytest.mark.parametrize("evidence", [30.0, inf])
def test_what_is_believed_and_told_apart_is_a_location(evidence: float) -> None:
    """All limits kept, without any end to the evidence too."""
    prior = Prior.from_hotspots([]).unmapped
    belief = replace(Belief.before(prior), **(SHOWN | {"log_evidence": evidence}))
    assert judge(prior, belief, is_counted=True, dispersion=1.0, log_strength=0.0).is_localisable
