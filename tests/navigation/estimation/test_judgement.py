"""What is said of a source that may not be shown."""

from dataclasses import replace

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
