"""An organ on the display: named as what it is, warned of where it shines in, and no target for anybody."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from acquisition.image.imaging import _left_out
from display.states.shine import show_shine
from display.states.target import show_target
from navigation.estimation.belief import Belief
from navigation.estimation.estimate import Posterior, TargetEstimate
from navigation.estimation.judgement import judge
from navigation.estimation.prior import Prior
from navigation.frames import Frame
from navigation.transforms import RigidTransform
from tests.navigation.bench import SKIN, calibrated

ORGAN_MM, NODE_MM = (20.0, 0.0, -30.0), (-30.0, 0.0, -20.0)


def estimate(name: str, kind: str, centre_mm: tuple[float, float, float], activity_mbq: float) -> TargetEstimate:
    spot = SimpleNamespace(
        name=name, kind=kind, centre_mm=np.array(centre_mm), covariance_mm2=4.0 * np.eye(3),
        activity_mbq=activity_mbq, activity_factor=1.5,
    )  # fmt: skip
    prior = Prior.from_hotspots([cast("Any", spot)], shift_sigma_mm=1.0).sources[0]
    belief = replace(Belief.before(prior), presence=0.99, log_evidence=50.0)
    return judge(prior, belief, is_counted=True, dispersion=1.0, log_strength=0.0)


@pytest.fixture
def posterior() -> Posterior:
    """A node, and an organ of a hundred times its activity."""
    return Posterior(
        targets=(estimate("target 1", "target", NODE_MM, 0.1), estimate("target 2", "organ", ORGAN_MM, 10.0)),
        background_cps=4.0, readings=100, expected_rate_cps=1000.0, is_consistent=True, misfit=1.0,
        recent_misfit=1.0, restarts=0, map_shift=None, is_within_calibration=True,
    )  # fmt: skip


def looking(tip_mm: tuple[float, float, float]) -> RigidTransform:
    """Hold the tip on the skin, looking down."""
    return RigidTransform(
        to=Frame.PATIENT, from_=Frame.TIP, rotation=np.diag([1.0, -1.0, -1.0]), translation_mm=np.array(tip_mm)
    )


def test_an_organ_is_shown_as_one(posterior: Posterior) -> None:
    """Located without a word of evidence asked for: it is known to be there; its kind is its own."""
    node, organ = (show_target(each, looking((0.0, 0.0, 0.0))) for each in posterior.targets)
    assert (node.kind, organ.kind) == ("target", "organ")
    assert organ.localisable


def test_an_organ_that_shines_in_is_warned_of(posterior: Posterior) -> None:
    """Over it the probe mostly counts the organ; over the node it does not; the live image is made without it."""
    response, _ = calibrated(np.random.default_rng(3))
    over = show_shine(posterior, response, SKIN, looking((20.0, 0.0, 0.0)))
    assert over is not None
    assert (over.name, over.is_warned) == ("target 2", True)
    node_alone = replace(posterior, targets=posterior.targets[:1])
    assert show_shine(node_alone, response, SKIN, looking((20.0, 0.0, 0.0))) is None
    assert [each.name for each in _left_out(posterior)] == ["target 2"]
