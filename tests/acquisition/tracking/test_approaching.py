"""Where the tip came from, held against how she lies: landmarks that are turned by half are refused by name."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from acquisition.tracking.approaching import judge_approach
from acquisition.tracking.judging import Found, judge_registration
from acquisition.tracking.landmark_plan import LandmarkPlan
from navigation.calibration.approach import Lying
from simulators.theatre import PATIENT_FROM_REFERENCE
from tests.acquisition.tracking.registering import SETTINGS, plan, touched

TURN = np.array((-1.0, -1.0, 1.0))
INTO_HER = np.array(((0.0, 1.0, 0.0), (-0.6, 0.8, 0.0), (0.6, 0.8, 0.0), (0.0, 0.94, 0.34)))
"""From the front, patient frame: straight, from her left, from her right, from her feet."""


def axes(patient: np.ndarray = INTO_HER) -> list[np.ndarray]:
    """The ways that the tip truly looked, frame ``REFERENCE``."""
    return list(PATIENT_FROM_REFERENCE.inverse.direction(patient))


def registered(planned: LandmarkPlan, marked_mm: np.ndarray) -> Found:
    """Register landmarks that were marked there, and touched where they are."""
    marked = replace(planned, patient_mm=marked_mm, targets_mm={})
    found, result = judge_registration(marked, touched(planned), SETTINGS)
    assert found is not None
    assert result.reason.startswith("very good"), "no distance shows it"
    return found


def test_half_a_turn_is_named_where_the_tip_came_from_above(tmp_path: Path) -> None:
    """The simulated body lies evenly about its axis: RAS that was saved as LPS shows in this alone."""
    planned = plan(tmp_path)
    meant, passed = judge_approach(registered(planned, planned.patient_mm), axes(), Lying.SUPINE)
    assert meant is not None
    assert passed.passed
    assert "not turned by half" in passed.reason
    found, refused = judge_approach(registered(planned, planned.patient_mm * TURN), axes(), Lying.SUPINE)
    assert found is None
    assert not refused.passed
    assert "if she lies on her back: the landmarks are turned by half, as where RAS was saved" in refused.reason


def test_a_flat_set_that_is_mirrored_is_named_too(tmp_path: Path) -> None:
    """Landmarks on a plane fit their mirror image by half a turn: the tip then came from below."""
    planned = plan(tmp_path)
    flat = replace(planned, patient_mm=planned.patient_mm * (1, 0, 1) - (0, 100, 0))
    found = registered(flat, flat.patient_mm * (-1, 1, 1))
    _, refused = judge_approach(found, axes(), Lying.SUPINE)
    assert "turned by half" in refused.reason


@pytest.mark.parametrize(
    ("lying", "looked"),
    [
        (Lying.SUPINE, (0.0, 1.0, 0.0)),
        (Lying.PRONE, (0.0, -1.0, 0.0)),
        (Lying.LEFT, (1.0, 0.0, 0.0)),
        (Lying.RIGHT, (-1.0, 0.0, 0.0)),
    ],
)
def test_however_she_lies_the_tip_comes_from_above(
    tmp_path: Path, lying: Lying, looked: tuple[float, float, float]
) -> None:
    """On each of her sides the right registration passes and the turned one does not."""
    planned = plan(tmp_path)
    from_above = axes(np.array([looked]))
    right = registered(planned, planned.patient_mm)
    turned = registered(planned, planned.patient_mm * TURN)
    assert judge_approach(right, from_above, lying)[1].passed
    assert not judge_approach(turned, from_above, lying)[1].passed


def test_from_the_side_nothing_is_told_and_that_is_said(tmp_path: Path) -> None:
    """A tip that lay level passes, right or turned, and does not pass for a check."""
    planned = plan(tmp_path)
    level = axes(np.array([(0.97, 0.2, 0.0), (-0.97, -0.2, 0.0), (0.0, 0.0, 1.0)]))
    for marked_mm in (planned.patient_mm, planned.patient_mm * TURN):
        found, result = judge_approach(registered(planned, marked_mm), level, Lying.SUPINE)
        assert found is not None
        assert "would not show" in result.reason
