"""Tip and axis of a tool that a simulated camera sees by four spheres, 0.1 mm of noise on each axis of each."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from navigation.calibration.pivot import calibrate_pivot
from navigation.calibration.spin import calibrate_spin, tool_from_tip
from navigation.errors import NavigationError
from navigation.frames import Frame
from navigation.transforms import RigidTransform

SPHERES_MM = np.array([(0.0, 0, 0), (50, 5, 0), (-40, 10, 25), (5, 55, -15)])
TIP_MM = np.array((12.0, -18.0, 190.0))
AXIS = np.array((0.05, -0.08, 1.0)) / np.linalg.norm((0.05, -0.08, 1.0))
PIVOT_MM = np.array((100.0, -50.0, -1500.0))


def measured(
    rotation: Rotation, rng: np.random.Generator, sigma_mm: float, at_mm: NDArray[np.float64]
) -> RigidTransform:
    """The pose that fits the spheres of a tool whose tip is at ``at_mm``."""
    true_mm = rotation.apply(SPHERES_MM - TIP_MM) + at_mm
    seen_mm = true_mm + rng.normal(0, sigma_mm, true_mm.shape)
    centre_mm, middle_mm = seen_mm.mean(axis=0), SPHERES_MM.mean(axis=0)
    turn, _ = Rotation.align_vectors(seen_mm - centre_mm, SPHERES_MM - middle_mm)
    return RigidTransform(
        to=Frame.TRACKER,
        from_=Frame.TOOL,
        rotation=turn.as_matrix(),
        translation_mm=centre_mm - turn.apply(middle_mm),
    )


def tilts(rng: np.random.Generator, count: int, *, sideways: float = 1.0) -> list[Rotation]:
    """Tilts by up to 30° forwards and backwards and, times ``sideways``, to both sides, the hand turning."""
    angles = rng.uniform(-30, 30, (count, 3)) * (1, sideways, 0.5 * sideways)
    return [Rotation.from_euler("xyz", one, degrees=True) for one in angles]


def pivoting(seed: int, *, count: int = 300, sigma_mm: float = 0.1, sideways: float = 1.0) -> list[RigidTransform]:
    rng = np.random.default_rng(seed)
    return [measured(turn, rng, sigma_mm, PIVOT_MM) for turn in tilts(rng, count, sideways=sideways)]


def spinning(seed: int, *, arc_deg: float = 180, sway_deg: float = 0.3) -> list[RigidTransform]:
    rng = np.random.default_rng(seed)
    found = []
    for angle in np.radians(rng.uniform(-arc_deg, arc_deg, 300)):
        sway = Rotation.from_rotvec(np.radians(rng.normal(0, sway_deg, 3)))
        found.append(measured(sway * Rotation.from_rotvec(angle * AXIS), rng, 0.1, PIVOT_MM))
    return found


@pytest.mark.parametrize("seed", range(10))
def test_tip_to_a_fifth_of_a_millimetre(seed: int) -> None:
    """The tip is found to 0.2 mm, and within four of its own standard errors."""
    found = calibrate_pivot(pivoting(seed))
    error_mm = np.linalg.norm(found.tip_mm - TIP_MM)
    assert error_mm < 0.2
    assert error_mm < 4 * found.tip_sigma_mm
    np.testing.assert_allclose(found.pivot_mm, PIVOT_MM, atol=0.2)


def test_exact_poses_give_the_exact_tip() -> None:
    """Without noise nothing is left over and nothing is left out."""
    found = calibrate_pivot(pivoting(1, sigma_mm=0.0))
    np.testing.assert_allclose(found.tip_mm, TIP_MM, atol=1e-6)
    assert found.rms_mm < 1e-6
    assert found.is_used.all()


def test_rms_is_the_distance_in_space() -> None:
    """With 1 mm of noise on each axis of the marker alone, the RMS is the root of 3 mm, not 1 mm."""
    rng = np.random.default_rng(2)
    poses = [
        RigidTransform(
            to=pose.to,
            from_=pose.from_,
            rotation=pose.rotation,
            translation_mm=pose.translation_mm + rng.normal(0, 1, 3),
        )
        for pose in pivoting(2, count=2000, sigma_mm=0.0)
    ]
    assert calibrate_pivot(poses).rms_mm == pytest.approx(np.sqrt(3), rel=0.05)


def test_what_is_known_of_the_tip_is_in_the_tools_axes() -> None:
    """A camera that stands elsewhere, looking another way, changes neither tip nor covariance.

    The tool is tilted forwards and backwards twice as far as to the sides, so that no axis is like another.
    """
    poses = pivoting(3, sideways=0.5)
    turn = Rotation.from_euler("xyz", (70.0, -40.0, 25.0), degrees=True).as_matrix()
    elsewhere = [
        RigidTransform(
            to=Frame.TRACKER,
            from_=Frame.TOOL,
            rotation=turn @ pose.rotation,
            translation_mm=turn @ pose.translation_mm + (10.0, 20.0, 30.0),
        )
        for pose in poses
    ]
    here, there = calibrate_pivot(poses), calibrate_pivot(elsewhere)
    np.testing.assert_allclose(there.tip_mm, here.tip_mm, atol=1e-6)
    np.testing.assert_allclose(there.tip_covariance_mm2, here.tip_covariance_mm2, rtol=1e-6, atol=1e-12)


def test_the_spread_is_that_of_the_least_turned_axis() -> None:
    """Of 20,000 directions that the tool may have, none was turned by less: RMS sine about its mean."""
    poses = pivoting(4, sideways=0.5)
    rotations = np.array([pose.rotation for pose in poses])
    directions = np.random.default_rng(4).normal(size=(20_000, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    means = directions @ rotations.mean(axis=0).T
    turned_deg = np.degrees(np.arcsin(np.sqrt(1 - (means**2).sum(axis=1))))
    assert calibrate_pivot(poses).spread_deg == pytest.approx(float(turned_deg.min()), abs=0.05)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("slip_mm", "still_used"), [(5.0, 0), (2.0, 2)])
def test_slips_are_left_out_and_named(seed: int, slip_mm: float, still_used: int) -> None:
    """Three tenths of the poses beside the divot, all to one side, neither move the tip nor count as used.

    They draw the least squares of all poses so far that these tell none of them from the others. Of those that are
    only 2 mm beside it, where noise takes a few towards the divot, two may pass for poses in it.
    """
    rng = np.random.default_rng(seed)
    poses = pivoting(seed)
    turns = tilts(rng, 90)
    poses[:90] = [measured(turn, rng, 0.1, PIVOT_MM + np.array((slip_mm, 0.0, 0.0))) for turn in turns]
    found = calibrate_pivot(poses)
    assert np.count_nonzero(found.is_used[:90]) <= still_used
    assert found.is_used[90:].mean() > 0.97
    assert np.linalg.norm(found.tip_mm - TIP_MM) < 0.2


def test_what_cannot_give_a_tip_is_refused() -> None:
    """Few poses, a tool held still, or pushed and not tilted, one turned about one axis, a tip that wanders."""
    with pytest.raises(NavigationError, match="too few"):
        calibrate_pivot(pivoting(1, count=19))
    rng = np.random.default_rng(1)
    with pytest.raises(NavigationError, match="held still"):
        calibrate_pivot([measured(Rotation.identity(), rng, 0.1, PIVOT_MM) for _ in range(100)])
    pushed = [measured(Rotation.identity(), rng, 0.1, PIVOT_MM + (5.0 if n < 40 else 0)) for n in range(100)]
    with pytest.raises(NavigationError, match="held still"):
        calibrate_pivot(pushed)
    with pytest.raises(NavigationError, match="one axis only"):
        calibrate_pivot(pivoting(1, sideways=0.0))
    slipped = [
        measured(turn, rng, 0.1, PIVOT_MM + rng.uniform(-40, 40, 3)) for turn in tilts(rng, 30)
    ]  # what alone was tilted to both sides was out of the divot
    with pytest.raises(NavigationError, match="one axis only"):
        calibrate_pivot([*pivoting(1, count=100, sideways=0.0), *slipped])
    wandering = [
        measured(turn, rng, 0.1, PIVOT_MM + (0 if n < 60 else rng.uniform(-40, 40, 3)))
        for n, turn in enumerate(tilts(rng, 100))
    ]
    with pytest.raises(NavigationError, match="the tip moved"):
        calibrate_pivot(wandering)


@pytest.mark.parametrize("seed", range(10))
def test_axis_to_half_a_degree(seed: int) -> None:
    """The axis is found to 0.5° and looks from the marker towards the tip."""
    found = calibrate_spin(spinning(seed), tip_mm=TIP_MM)
    assert np.degrees(np.arccos(min(1.0, float(found.axis @ AXIS)))) < 0.5
    assert found.wobble_deg == pytest.approx(0.3 * np.sqrt(2), abs=0.2)


@pytest.mark.parametrize("count", [30, 120])
def test_poses_that_do_not_fit_the_axis_are_left_out(count: int) -> None:
    """One or four tenths of the poses, tilted to one side when the hand let go, do not turn the axis."""
    rng, poses = np.random.default_rng(1), spinning(1)
    aside = Rotation.from_euler("x", 15, degrees=True)
    for n in range(count):
        turn = Rotation.from_rotvec(rng.uniform(-np.pi, np.pi) * AXIS)
        poses[n] = measured(aside * turn, rng, 0.1, PIVOT_MM)
    found = calibrate_spin(poses, tip_mm=TIP_MM)
    assert not found.is_used[:count].any()
    assert found.is_used[count:].mean() > 0.97
    assert np.degrees(np.arccos(min(1.0, float(found.axis @ AXIS)))) < 0.2


def test_what_cannot_give_an_axis_is_refused() -> None:
    """Hardly spun, swaying, few poses, or a tip beside the marker: each named."""
    with pytest.raises(NavigationError, match="are needed"):
        calibrate_spin(spinning(1, arc_deg=20), tip_mm=TIP_MM)
    with pytest.raises(NavigationError, match="swayed"):
        calibrate_spin(spinning(1, sway_deg=5), tip_mm=TIP_MM)
    with pytest.raises(NavigationError, match="too few"):
        calibrate_spin(spinning(1)[:19], tip_mm=TIP_MM)
    with pytest.raises(NavigationError, match="beside the marker"):
        calibrate_spin(spinning(1), tip_mm=(100.0, 0.0, 0.0))


def test_tip_looks_along_the_axis() -> None:
    """+z of the tip is the axis, +y the mark as far as it points across, and the frame is right-handed."""
    found = tool_from_tip(tip_mm=TIP_MM, axis=AXIS, up=(0, 1, 0))
    np.testing.assert_allclose(found.direction((0, 0, 1)), AXIS)
    np.testing.assert_allclose(found.points_mm((0, 0, 0)), TIP_MM)
    assert found.direction((0, 1, 0))[1] > 0.99


@pytest.mark.parametrize("beside_deg", [0.0, 9.5, 170.5, 180.0])
def test_an_up_mark_along_the_axis_is_refused(beside_deg: float) -> None:
    """Within 10° of it, to either end: it does not say how the probe is turned."""
    with pytest.raises(NavigationError, match="up mark points along"):
        tool_from_tip(tip_mm=TIP_MM, axis=AXIS, up=beside(beside_deg))


@pytest.mark.parametrize("beside_deg", [10.5, 169.5])
def test_an_up_mark_that_hardly_points_across_is_taken(beside_deg: float) -> None:
    """Beyond 10° it does: +y lies in the plane of both."""
    found = tool_from_tip(tip_mm=TIP_MM, axis=AXIS, up=beside(beside_deg))
    assert found.direction((0, 1, 0)) @ beside(beside_deg) == pytest.approx(np.sin(np.radians(beside_deg)))


def beside(angle_deg: float) -> NDArray[np.float64]:
    """A direction at an angle to the axis."""
    across = np.cross(AXIS, (1.0, 0.0, 0.0))
    return Rotation.from_rotvec(np.radians(angle_deg) * across / np.linalg.norm(across)).apply(AXIS)
