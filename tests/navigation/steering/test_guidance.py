from dataclasses import replace

import numpy as np
import pytest

from navigation.errors import FrameMismatch, NavigationError
from navigation.estimation.estimate import Posterior, TargetEstimate, region_of
from navigation.frames import Frame
from navigation.statistics.radius import probability_within
from navigation.steering.guidance import Track, bearing_of, guide, motion_of
from navigation.tissue import HalfSpace, NoTissue
from navigation.transforms import RigidTransform

COVARIANCE = np.diag([4.0, 4.0, 9.0])
LOOKING_DOWN = np.diag([1.0, -1.0, -1.0])
"""Tip to patient of a probe over a patient on the back: looks along -z, its up mark to -y."""


def _target(place: tuple[float, float, float], *, reason: str = "", name: str = "node") -> TargetEstimate:
    semi_axes, axes = region_of(COVARIANCE)
    return TargetEstimate(
        name=name,
        kind="target",
        presence=0.99,
        centre_mm=np.array(place),
        covariance_mm2=COVARIANCE,
        log_activity_mean=-2.3,
        log_activity_sigma=0.2,
        is_localisable=not reason,
        reason=reason,
        region_semi_axes_mm=semi_axes,
        region_axes=axes,
        mapped_mm=None,
    )


def _posterior(*targets: TargetEstimate) -> Posterior:
    return Posterior(
        targets=targets,
        background_cps=4.0,
        readings=100,
        expected_rate_cps=42.0,
        is_consistent=True,
        misfit=0.0,
        recent_misfit=0.0,
        restarts=0,
        map_shift=None,
        is_within_calibration=True,
    )


def _pose(rotation: np.ndarray, place: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> RigidTransform:
    return RigidTransform(to=Frame.PATIENT, from_=Frame.TIP, rotation=rotation, translation_mm=np.array(place))


def test_right_is_right_for_someone_who_looks_ahead() -> None:
    """Looking along +z with +y up, what lies at -x is to the right: ahead x up points there."""
    ahead, up = np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0])
    to_the_right = np.cross(ahead, up)
    bearing = bearing_of(_target(tuple(10 * to_the_right)), _pose(np.eye(3)))
    assert to_the_right.tolist() == [-1.0, 0.0, 0.0]
    assert bearing.right_mm == pytest.approx(10.0)


def test_a_surgeon_over_the_patient_is_sent_the_right_way() -> None:
    """Probe held down on a patient seen from the feet: a node towards the patient's right is named as it lies."""
    pose = _pose(LOOKING_DOWN, (0.0, 0.0, 5.0))
    bearing = bearing_of(_target((10.0, 0.0, -25.0)), pose)
    # ahead is -z, up is -y, so right = ahead x up = (-z) x (-y) = z x y = -x
    assert bearing.right_mm == pytest.approx(-10.0)
    assert bearing.up_mm == pytest.approx(0.0)
    assert bearing.ahead_mm == pytest.approx(30.0)
    assert bearing.distance_mm == pytest.approx(np.hypot(10, 30))
    assert bearing.off_axis_deg == pytest.approx(np.degrees(np.arctan2(10, 30)))
    assert guide(_posterior(_target((10.0, 0.0, -25.0))), pose).sentence == (
        "Node: 32 mm ± 6, tilt left 18°, 30 mm deeper ahead"
    )


def test_the_distance_has_the_interval_along_the_line_of_sight() -> None:
    """Half width is 1.96 standard deviations of the covariance in the direction of the target."""
    bearing = bearing_of(_target((0.0, 0.0, 20.0)), _pose(np.eye(3)))
    assert bearing.distance_half_width_mm == pytest.approx(1.96 * 3.0)
    assert guide(_posterior(_target((0.0, 0.0, 20.0))), _pose(np.eye(3))).sentence == (
        "Node: 20 mm ± 6, straight ahead"
    )


def test_what_cannot_be_located_gets_no_bearing() -> None:
    """Without a location there is no arrow, and the sentence says why and what to do."""
    unsure = guide(
        _posterior(_target((0.0, 0.0, 20.0), reason="its region still reaches 22 mm")), _pose(np.eye(3))
    )
    assert unsure.bearing is None
    assert "Cannot tell yet" in unsure.sentence
    assert "22 mm" in unsure.sentence


def test_what_does_not_fit_steers_nobody() -> None:
    """Counts that fit nothing, no counts, no target, no pose: each is said, and none has a bearing."""
    sure = _posterior(_target((0.0, 0.0, 20.0)))
    for posterior, pose, words in (
        (replace(sure, is_consistent=False), _pose(np.eye(3)), "do not fit"),
        (replace(sure, readings=0), _pose(np.eye(3)), "Nothing counted"),
        (replace(sure, targets=()), _pose(np.eye(3)), "No target yet"),
        (sure, None, "not tracked"),
        (_posterior(replace(_target((0, 0, 20.0)), presence=0.01)), _pose(np.eye(3)), "speak against"),
    ):
        guidance = guide(posterior, pose)
        assert guidance.bearing is None
        assert words in guidance.sentence


def test_the_chosen_target_goes_before_the_nearest() -> None:
    """Without a choice the nearest is taken; a chosen one is kept."""
    posterior = _posterior(_target((0.0, 0.0, 50.0), name="far"), _target((0.0, 0.0, 20.0), name="near"))
    assert guide(posterior, _pose(np.eye(3))).target == "near"
    assert guide(posterior, _pose(np.eye(3)), target="far").target == "far"
    assert "turn the probe round" in guide(_posterior(_target((0.0, 0.0, -20.0))), _pose(np.eye(3))).sentence


def test_a_pose_of_other_frames_is_refused() -> None:
    """A pose of the tool, not of the tip, is refused."""
    pose = RigidTransform.identity(Frame.PATIENT, Frame.TOOL)
    with pytest.raises(FrameMismatch):
        guide(_posterior(_target((0.0, 0.0, 20.0))), pose)


def _track(speed_mm_per_s: float, *, seconds: float = 2.0, noise_mm: float = 0.0) -> Track:
    times = np.linspace(0.0, seconds, round(30 * seconds))
    tips = np.column_stack((30.0 - speed_mm_per_s * times, 0 * times, 0 * times))
    return Track(taken_at_s=times, tip_mm=tips + np.random.default_rng(2).normal(0, noise_mm, tips.shape))


def test_the_motion_is_toward_away_or_still() -> None:
    """The last second decides; a hand at rest, with the tracker's noise, is still; a short track tells nothing."""
    place = np.zeros(3)
    assert motion_of(_track(10.0), place) == "toward"
    assert motion_of(_track(-10.0), place) == "away"
    assert motion_of(_track(2.0), place) == "still"
    assert motion_of(_track(0.0, noise_mm=0.3), place) == "still"
    assert motion_of(_track(10.0, seconds=0.2), place) is None
    back = Track(
        taken_at_s=np.arange(40) / 10,
        tip_mm=np.column_stack((np.abs(np.arange(40) - 20) + 5.0, np.zeros(40), np.zeros(40))),
    )
    assert motion_of(back, place) == "away"


def test_a_track_that_runs_backwards_is_refused() -> None:
    """Times that fall, numbers that are none and shapes that do not fit are refused."""
    for times, tips in (
        (np.array([1.0, 0.5]), np.zeros((2, 3))),
        (np.array([0.0, 1.0]), np.full((2, 3), np.nan)),
        (np.array([0.0]), np.zeros((2, 3))),
    ):
        with pytest.raises(NavigationError):
            Track(taken_at_s=times, tip_mm=tips)


def test_depth_motion_and_nearness_are_told_of_what_is_located() -> None:
    """A target 20 mm under the skin: its depth with the interval along the normal, and how likely it is near."""
    skin = HalfSpace(point_mm=np.array([0.0, 0.0, 5.0]), normal=np.array([0.0, 0.0, 1.0]))
    pose = _pose(LOOKING_DOWN, (0.0, 0.0, 6.0))
    track = Track(taken_at_s=np.arange(10) / 10, tip_mm=np.array([[0.0, 0.0, 26.0 - each] for each in range(10)]))
    told = guide(_posterior(_target((0.0, 0.0, -15.0))), pose, tissue=skin, track=track)
    assert told.depth_mm == pytest.approx(20.0)
    assert told.depth_half_width_mm == pytest.approx(1.96 * 3.0)
    assert told.motion == "toward"
    assert told.probability_near == pytest.approx(0.99 * probability_within(COVARIANCE, 5.0))
    in_air = guide(_posterior(_target((0.0, 0.0, -15.0))), None, tissue=NoTissue(), track=track)
    assert in_air.depth_mm is None
    assert in_air.motion is None


def test_nothing_is_told_of_what_is_not_located() -> None:
    """A target whose region is too large, or counts that fit nothing, have no depth, nearness or motion."""
    skin = HalfSpace(point_mm=np.zeros(3), normal=np.array([0.0, 0.0, 1.0]))
    unsure = _posterior(_target((0.0, 0.0, -15.0), reason="its region still reaches 22 mm"))
    misfit = replace(_posterior(_target((0.0, 0.0, -15.0))), is_consistent=False)
    for posterior in (unsure, misfit):
        told = guide(posterior, _pose(LOOKING_DOWN), tissue=skin, track=_track(10.0))
        assert (told.depth_mm, told.depth_half_width_mm, told.probability_near, told.motion) == (None,) * 4
