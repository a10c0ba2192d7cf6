"""Whether a replay comes to the estimates of the recording: none is taken for the same that is not."""

import json
from dataclasses import replace

import numpy as np
import pytest

from acquisition.recording import tell_posterior
from acquisition.replay.comparison import Comparison
from navigation.estimation.estimate import Posterior
from tests.display.test_composer import believed, estimate

THEN = believed(estimate(), until_s=9.9).posterior


def moved(by_mm: float) -> Posterior:
    """The same with its target elsewhere."""
    centre_mm = estimate().centre_mm + np.array([by_mm, 0.0, 0.0])
    return replace(THEN, targets=(replace(estimate(), centre_mm=centre_mm),))


OTHERS = {
    "moved": moved(0.5),
    "not located": replace(THEN, targets=(estimate(is_localisable=False),)),
    "less sure": replace(THEN, targets=(replace(estimate(), presence=0.5),)),
    "one target fewer": replace(THEN, targets=()),
    "begun anew": replace(THEN, restarts=THEN.restarts + 1),
    "fewer counts": replace(THEN, readings=THEN.readings - 1),
    "does not fit": replace(THEN, is_consistent=not THEN.is_consistent),
}


def recorded(posterior: Posterior) -> dict[str, object]:
    """As it comes back from a recording."""
    told: dict[str, object] = json.loads(json.dumps(tell_posterior(posterior), allow_nan=False))
    return told


def test_what_comes_out_as_it_was_is_the_same() -> None:
    """To the last digit, or as near as another order of summing comes."""
    comparison = Comparison()
    comparison.note(recorded(THEN), THEN)
    comparison.note(recorded(THEN), moved(1e-6))
    assert comparison.sentence() == "2 of 2 estimates came out as they were"


@pytest.mark.parametrize("case", OTHERS)
def test_what_comes_out_otherwise_is_not(case: str) -> None:
    """In place, in being located, in presence, in number, in counts or in fit."""
    comparison = Comparison()
    comparison.note(recorded(THEN), OTHERS[case])
    assert (comparison.compared, comparison.same) == (1, 0)
    assert comparison.sentence().startswith("0 of 1 estimates came out as they were, the farthest ")


def test_one_that_does_not_come_is_missed() -> None:
    """It is neither the same nor another; without any nothing is claimed."""
    comparison = Comparison()
    assert comparison.sentence() == "no estimate stands in it to compare with"
    comparison.note(recorded(THEN), None)
    assert comparison.to_dict() == {"compared": 0, "same": 0, "missed": 1, "greatest_mm": 0.0}
    assert comparison.sentence().endswith("; 1 did not come")
