"""Surfaces of skin, bone and activity: where they are in the patient, closed, and facing outwards."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from acquisition.studies.surfaces import Surface, find_surfaces
from navigation.volume import Volume, VolumeGeometry
from tests.acquisition.received import hotspot

CENTRE_MM = np.array([12.0, -20.0, 30.0])


def ball(*, radius_mm: float, inside: float, outside: float, unit: str, turn: bool = False) -> Volume:
    """A ball on a grid of 2 mm whose rows may run the other way."""
    shape = (60, 50, 40)
    affine = np.zeros((4, 4))
    affine[2, 0], affine[1, 1], affine[0, 2], affine[3, 3] = 2.0, 2.0, 2.0, 1.0
    if turn:
        affine[0, 2] = -2.0
    middle = affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    affine[:3, 3] = CENTRE_MM - middle
    geometry = VolumeGeometry(patient_from_voxel=affine, shape=shape, frame_of_reference_uid="1.2")
    place_mm = geometry.positions_mm(np.moveaxis(np.indices(shape), 0, -1))
    is_in = np.linalg.norm(place_mm - CENTRE_MM, axis=-1) < radius_mm
    values = np.where(is_in, inside, outside).astype(np.float32)
    return Volume(geometry=geometry, values=values, quantity="any", unit=unit)


def volume_mm3(surface: Surface) -> float:
    """Signed volume that it encloses (divergence theorem): positive where it faces outwards."""
    a, b, c = (surface.vertices_mm[surface.triangles[:, n]].astype(np.float64) - CENTRE_MM for n in range(3))
    return float(np.einsum("ni,ni->", a, np.cross(b, c)) / 6)


def edges(surface: Surface) -> NDArray[np.int64]:
    """How many triangles each edge belongs to."""
    sides = np.concatenate(
        [surface.triangles[:, [0, 1]], surface.triangles[:, [1, 2]], surface.triangles[:, [2, 0]]]
    )
    return np.asarray(np.unique(np.sort(sides, axis=1), axis=0, return_counts=True)[1])


@pytest.mark.parametrize("turn", [False, True])
def test_a_ball_of_tissue_has_its_skin_where_it_is(turn: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """Radius within 1.5 mm, closed, outwards whichever way the grid runs; without bone there is none."""
    (skin,) = find_surfaces(ball(radius_mm=30, inside=40, outside=-1000, unit="HU", turn=turn), None, ())
    assert skin.kind == "skin"
    radius_mm = np.linalg.norm(skin.vertices_mm - CENTRE_MM, axis=1)
    assert radius_mm.mean() == pytest.approx(30.0, abs=1.5)
    assert radius_mm.std() < 1.0
    assert set(edges(skin)) == {2}
    assert volume_mm3(skin) == pytest.approx(4 / 3 * np.pi * 30**3, rel=0.15)


def test_bone_and_activity_lie_within() -> None:
    """A ball of bone has both surfaces; the activity's lies at a share of the faintest target's peak."""
    activity = ball(radius_mm=10, inside=100.0, outside=0.0, unit="Bq/mL")
    spots = (hotspot(), replace(hotspot(), name="injection", kind="injection", peak=9000.0))
    found = find_surfaces(ball(radius_mm=30, inside=900, outside=-1000, unit="HU"), activity, spots)
    assert [surface.kind for surface in found] == ["skin", "bone", "activity"]
    radius_mm = np.linalg.norm(found[2].vertices_mm - CENTRE_MM, axis=1)
    assert radius_mm.mean() == pytest.approx(10.0, abs=1.0)


def test_what_reaches_the_edge_is_closed_and_nothing_has_no_surface() -> None:
    """A scan that cuts through the patient ends there; air alone, or a map without hot spots, gives none."""
    (skin,) = find_surfaces(ball(radius_mm=45, inside=40, outside=-1000, unit="HU"), None, ())
    assert set(edges(skin)) == {2}
    assert find_surfaces(ball(radius_mm=0, inside=0, outside=-1000, unit="HU"), None, ()) == ()
    assert find_surfaces(None, ball(radius_mm=10, inside=1, outside=0, unit="Bq/mL"), ()) == ()
    assert find_surfaces(None, None, ()) == ()
