"""Drawn targets beside found ones, and organs that are only proposed."""

import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from scipy import ndimage

from navigation import hotspots
from navigation.hotspots import Hotspot, Resolution, propose_organs
from navigation.outlines import Outline
from navigation.volume import Volume, VolumeGeometry

UID = "1.2"
KNOWN = Resolution(fwhm_mm=9.0, sigma_mm=0.0)
add_drawn = partial(hotspots.add_drawn, resolution=KNOWN)


def spot(name: str, centre_mm: tuple[float, float, float], volume_ml: float = 1.0) -> Hotspot:
    """A spot of some size."""
    return Hotspot(
        name=name,
        kind="target",
        centre_mm=np.array(centre_mm),
        covariance_mm2=np.eye(3),
        activity_mbq=0.4,
        activity_factor=2.0,
        peak=100.0,
        volume_ml=volume_ml,
        relative_to_hottest=1.0,
    )


def body(width_mm: float, depth_mm: float) -> Volume:
    """A block of tissue about the origin, 200 mm high."""
    shape = (30, 40, 50)
    affine = np.eye(4)
    affine[:3, :3] = np.array([[0, 0, 8.0], [0, 8.0, 0], [8.0, 0, 0]])
    affine[:3, 3] = -4.0 * (np.array(shape)[::-1] - 1)
    geometry = VolumeGeometry(patient_from_voxel=affine, shape=shape, frame_of_reference_uid=UID)
    at_mm = np.abs(geometry.positions_mm(np.moveaxis(np.indices(shape), 0, -1)))
    inside = (at_mm[..., 0] < width_mm / 2) & (at_mm[..., 1] < depth_mm / 2) & (at_mm[..., 2] < 100)
    values = np.where(inside, 40.0, -1000.0).astype(np.float32)
    return Volume(geometry=geometry, values=values, quantity="attenuation", unit="HU")


TRUNK, NECK = body(340, 220), body(150, 140)


@pytest.mark.parametrize(
    ("ct", "spots", "proposals"),
    [
        (TRUNK, [spot("a", (60, 60, 10), 40), spot("b", (-55, 62, 0), 35)], ["kidney", "kidney"]),
        (TRUNK, [spot("a", (3, -10, -60), 80)], ["bladder"]),
        (TRUNK, [spot("a", (-80, -20, 50), 200)], ["liver"]),
        (NECK, [spot("a", (45, 0, 20), 12), spot("b", (-47, 5, 25), 10)], ["salivary", "salivary"]),
        (NECK, [spot("a", (10, -35, -40), 6)], ["thyroid"]),
        # what is no organ: small, alone, or as deep as a node
        (TRUNK, [spot("a", (60, 60, 10), 1), spot("b", (-55, 62, 0), 1)], ["", ""]),
        (TRUNK, [spot("a", (60, 60, 10), 40)], [""]),
        (TRUNK, [spot("a", (3, -10, -60), 2)], [""]),
        (NECK, [spot("a", (45, 0, 20), 12)], [""]),
    ],
)
def test_organs_are_proposed(ct: Volume, spots: list[Hotspot], proposals: list[str]) -> None:
    """By place and size an organ is proposed, with the reason; the spot stays a target until a person confirms."""
    proposed = propose_organs(spots, ct)
    assert [one.proposal.partition("?")[0].partition(" ")[0] for one in proposed] == proposals
    assert {one.kind for one in proposed} == {"target"}


def test_without_a_ct_nothing_is_proposed() -> None:
    """Nobody knows where in the body a spot lies."""
    spots = (spot("a", (3, -10, -60), 80),)
    assert propose_organs(spots, None) == spots


def test_the_injection_is_no_organ() -> None:
    """An injection site keeps its kind, wherever it lies."""
    injection = replace(spot("injection", (3, -10, -60), 80), kind="injection")
    assert propose_organs([injection], TRUNK)[0].proposal == ""


def outline(name: str, centre_mm: tuple[float, float, float], radius_mm: float = 6.0, uid: str = UID) -> Outline:
    """A drawn ball."""
    axis = np.arange(-radius_mm, radius_mm + 0.5)
    points = np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3)
    points = points[np.linalg.norm(points, axis=1) <= radius_mm]
    return Outline(
        name=name,
        points_mm=points + np.array(centre_mm),
        volume_ml=4 / 3 * math.pi * radius_mm**3 / 1000,
        frame_of_reference_uid=uid,
        origin="contours of rt.dcm",
    )


def test_a_drawn_target_names_the_spot_in_it() -> None:
    """What was measured of the found spot stays, its name is the physician's, and others are left alone."""
    spots = add_drawn(
        [spot("target 1", (1, 2, 3)), spot("target 2", (60, 0, 0))], [outline("LN axilla", (0, 0, 0))], None
    )
    assert [(one.name, one.origin) for one in spots] == [
        ("LN axilla", "contours of rt.dcm"),
        ("target 2", "found"),
    ]
    assert spots[0].centre_mm == pytest.approx((1, 2, 3))
    assert spots[0].activity_mbq == 0.4


def blurred_ball(diameter_mm: float, *, background_bq_per_ml: float = 0.0, noise: float = 0.0) -> Volume:
    """A ball of 50 kBq/mL in the middle of a fine grid, as a camera of 9 mm shows it."""
    step_mm, sides = 1.0, (80, 80, 80)
    affine = np.zeros((4, 4))
    affine[2, 0] = affine[1, 1] = affine[0, 2] = step_mm
    affine[:3, 3] = -39.5 * step_mm
    affine[3, 3] = 1.0
    geometry = VolumeGeometry(patient_from_voxel=affine, shape=sides, frame_of_reference_uid=UID)
    distance_mm = np.linalg.norm(geometry.positions_mm(np.moveaxis(np.indices(sides), 0, -1)), axis=-1)
    ball = 5e4 * (distance_mm < diameter_mm / 2)
    values = background_bq_per_ml + ndimage.gaussian_filter(ball, 9.0 / 2.3548 / step_mm)
    values += noise * np.random.default_rng(1).normal(size=sides)
    return Volume(
        geometry=geometry, values=values.astype(np.float32), quantity="activity concentration", unit="Bq/mL"
    )


def ball_mbq(diameter_mm: float) -> float:
    """What such a ball holds."""
    return 5e4 * math.pi / 6 * diameter_mm**3 / 1000 / 1e6


@pytest.mark.parametrize("diameter_mm", [8.0, 12.0, 20.0, 30.0])
@pytest.mark.parametrize("background_bq_per_ml", [0.0, 2000.0])
def test_a_drawn_target_gets_back_what_the_blur_took(diameter_mm: float, background_bq_per_ml: float) -> None:
    """A ball of 8 mm shows a sixth of its activity within itself at 9 mm: as drawn it holds all of it."""
    activity = blurred_ball(diameter_mm, background_bq_per_ml=background_bq_per_ml)
    (added,) = add_drawn([], [outline("LN", (0, 0, 0), radius_mm=diameter_mm / 2)], activity)
    assert added.activity_mbq == pytest.approx(ball_mbq(diameter_mm), rel=0.12)
    assert added.mean < 0.9 * (5e4 + background_bq_per_ml)


def test_an_unsure_resolution_makes_a_small_target_less_sure() -> None:
    """At 9 +- 2 mm a ball of 8 mm is known to a factor 2.1, at 9 mm exactly to 1.75; one of 30 mm hardly less."""
    unsure = Resolution(fwhm_mm=9.0, sigma_mm=2.0)
    factors = {}
    for diameter_mm in (8.0, 30.0):
        for resolution in (KNOWN, unsure):
            (added,) = add_drawn(
                [],
                [outline("LN", (0, 0, 0), radius_mm=diameter_mm / 2)],
                blurred_ball(diameter_mm),
                resolution=resolution,
            )
            factors[diameter_mm, resolution.sigma_mm] = added.activity_factor
    assert factors[8.0, 0.0] == pytest.approx(1.75, abs=0.05)
    assert factors[8.0, 2.0] == pytest.approx(2.12, abs=0.04)
    assert factors[30.0, 2.0] == pytest.approx(factors[30.0, 0.0], abs=0.06)


def test_a_drawn_target_that_does_not_stand_out_has_no_activity() -> None:
    """In an even image, and in one whose noise is as high, the image says nothing of how much is in it."""
    even = blurred_ball(0.0, background_bq_per_ml=5e4)
    noisy = blurred_ball(8.0, background_bq_per_ml=5e4, noise=2.5e4)
    for activity in (even, noisy):
        (added,) = add_drawn([], [outline("LN", (0, 0, 0), radius_mm=4.0)], activity)
        assert added.activity_mbq is None
        assert math.isfinite(added.mean)


def test_a_drawn_target_without_a_spot_is_added() -> None:
    """It lies where it was drawn, its name is its own."""
    spots = add_drawn([spot("LN", (60, 0, 0))], [outline("LN", (0, 0, 0))], blurred_ball(12.0))
    added = spots[-1]
    assert added.name == "LN (2)"
    assert added.centre_mm == pytest.approx((0, 0, 0), abs=1e-9)
    assert 1.15 < added.activity_factor < 2.0


def test_a_drawn_target_outside_the_activity_has_no_activity() -> None:
    """Where the image does not reach, nothing is known of how much; nor in relative counts."""
    values = np.full((30, 40, 50), 5e4, dtype=np.float32)
    for unit, centre_mm in (("Bq/mL", (0.0, 0.0, 500.0)), ("1", (0.0, 0.0, 0.0))):
        activity = Volume(geometry=TRUNK.geometry, values=values, quantity="counts", unit=unit)
        (added,) = add_drawn([], [outline("LN", centre_mm)], activity)
        assert added.activity_mbq is None
