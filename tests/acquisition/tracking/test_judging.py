"""What touched landmarks are taken for."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from acquisition.tracking.judging import judge_registration
from navigation.registration_error import RegistrationError
from simulators.theatre import PATIENT_FROM_REFERENCE
from tests.acquisition.tracking.registering import SETTINGS, plan, touched


def test_good_landmarks_register_and_tell_the_error_at_target_and_tip(tmp_path: Path) -> None:
    """The motion is found, and the error is predicted from the assumed one of a landmark, in words too."""
    planned = plan(tmp_path)
    points = touched(planned)
    found, result = judge_registration(planned, points, SETTINGS, tip_mm=points[-1])
    assert result.passed
    assert found is not None
    at_mm = planned.targets_mm["target node"]
    wrong_mm = found.registration.patient_from_reference.points_mm(PATIENT_FROM_REFERENCE.inverse.points_mm(at_mm))
    assert np.linalg.norm(wrong_mm - at_mm) < 3.0
    figures = {figure.name: figure.value for figure in result.figures}
    predicted_mm = RegistrationError.of_landmarks(planned.patient_mm, fle_mm=2.0).at(at_mm)
    assert figures["error at target node"] == pytest.approx(predicted_mm)
    assert figures["error at the tip"] > 0
    assert "xiphoid, left out" in figures
    assert result.reason.startswith("very good")


def test_swapped_landmarks_are_told_apart_and_named(tmp_path: Path) -> None:
    """Two landmarks touched in each other's place are paired rightly, and said to have been swapped."""
    planned = plan(tmp_path)
    found, result = judge_registration(planned, touched(planned)[[0, 2, 1, 3, 4, 5]], SETTINGS)
    assert result.passed
    assert "left shoulder and right shoulder were swapped" in result.reason
    assert found is not None
    np.testing.assert_allclose(
        found.registration.patient_from_reference.matrix, PATIENT_FROM_REFERENCE.matrix, atol=4.0
    )


def test_any_order_with_a_point_too_many_and_one_missing(tmp_path: Path) -> None:
    """What fits is used, what does not is named."""
    planned = plan(tmp_path)
    points = np.vstack((touched(planned)[[5, 3, 0, 1, 2]], [[0.0, 0.0, 0.0]]))
    found, result = judge_registration(planned, points, SETTINGS)
    assert result.passed
    assert "without left rib" in result.reason
    assert "1 points fit no landmark" in result.reason
    assert found is not None
    assert "left rib" not in found.names


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda points: points * (1, 1, -1), "mirror those of the study"),
        (lambda points: points / 1000, "check the units"),
        (lambda points: np.linspace(-150, 150, len(points))[:, None] * np.array((1.0, 0, 0)), "on one line"),
        (lambda points: points[:2], "2 measured points"),
    ],
)
def test_a_mistake_fails_under_its_name(tmp_path: Path, made: object, words: str) -> None:
    """Mirrored coordinates, metres for millimetres, collinear points and too few: each fails for its reason."""
    assert callable(made)
    planned = plan(tmp_path)
    found, result = judge_registration(planned, made(touched(planned)), SETTINGS)
    assert found is None
    assert not result.passed
    assert re.search(words, result.reason)


def test_collinear_landmarks_are_refused(tmp_path: Path) -> None:
    """Landmarks of the study that lie on one line leave the turn about it open."""
    planned = plan(tmp_path)
    line_mm = np.array([(x, -100.0, 0.0) for x in (-100.0, -30, 10, 60, 90, 140)])
    flat = replace(planned, patient_mm=line_mm)
    found, result = judge_registration(flat, touched(flat), SETTINGS)
    assert found is None
    assert "on one line" in result.reason


def test_near_one_line_is_warned_of(tmp_path: Path) -> None:
    """The smallest axis is what warns: it passes where the target is near, and says so."""
    planned = plan(tmp_path)
    near = replace(
        planned,
        patient_mm=np.array(
            [(x, -100.0 + y, 0.0) for x, y in ((-100.0, 0), (-30, 14), (10, -9), (60, 12), (95, -4))]
        ),
        names=planned.names[:5],
        targets_mm={"target node": np.array([0.0, -100.0, 5.0])},
    )
    _, result = judge_registration(near, touched(near, sigma_mm=0.3), SETTINGS)
    assert result.passed
    assert "near one line" in result.reason


def test_a_symmetric_set_is_ambiguous_unless_touched_in_order(tmp_path: Path) -> None:
    """An even triangle in another order is refused; in the plan's order that is taken for granted, and said."""
    planned = plan(tmp_path)
    even = replace(
        planned,
        names=planned.names[:3],
        patient_mm=np.array([(100.0, -100.0, 0), (-50, -100.0, 86.6), (-50, -100.0, -86.6)]),
        targets_mm={},
    )
    points = touched(even, sigma_mm=0.1)
    _, in_order = judge_registration(even, points, SETTINGS)
    assert in_order.passed
    assert "taken for granted" in in_order.reason
    _, with_another = judge_registration(even, np.vstack((points, [[0.0, 0.0, 0.0]])), SETTINGS)
    assert not with_another.passed
    assert "fit alike" in with_another.reason


def test_a_moved_landmark_is_named(tmp_path: Path) -> None:
    """One that is 4 mm off fails the fit, and leaving out says which; at 8 mm it is left out itself."""
    planned = plan(tmp_path)
    settings = SETTINGS.model_copy(update={"fle_mm": 1.0})
    points = touched(planned, sigma_mm=0.4)
    points[3] += (4.0, 0.0, 0.0)
    found, result = judge_registration(planned, points, settings)
    assert found is None
    assert "most doubtful is xiphoid" in result.reason
    points[3] += (4.0, 0.0, 0.0)
    _, left_out = judge_registration(planned, points, settings)
    assert "without xiphoid" in left_out.reason


def test_a_target_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    """Where more than the site's limit is to be expected, nothing is registered."""
    planned = plan(tmp_path)
    far = replace(planned, targets_mm={"target far": np.array([0.0, 0.0, -1500.0])})
    found, result = judge_registration(far, touched(far), SETTINGS)
    assert found is None
    assert "at target far: add landmarks around it" in result.reason
