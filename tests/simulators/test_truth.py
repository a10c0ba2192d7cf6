"""How far an answer is from the truth, in cases that can be worked out by hand."""

import numpy as np
import pytest

from simulators.scene import Scene, Source
from simulators.truth import compare


def source(name: str, *centre_mm: float, kind: str = "target") -> Source:
    return Source(
        name=name,
        kind="injection" if kind == "injection" else "target",
        centre_mm=np.array(centre_mm),
        activity_mbq=1.0,
        radius_mm=5.0,
    )


SCENE = Scene(
    sources=(source("node", 10, 0, 0), source("far", 100, 0, 0), source("skin", 0, 0, 0, kind="injection"))
)
SEMI_AXES_MM = np.array([5.0, 3.0, 1.0])


def test_the_distance_is_to_the_nearest_target() -> None:
    """3-4-5: and the injection site, though nearer, is no target."""
    miss = compare(SCENE, centre_mm=np.array([7.0, 4.0, 0.0]), semi_axes_mm=SEMI_AXES_MM, axes=np.eye(3))
    assert miss.error_mm == pytest.approx(5.0)
    other = compare(SCENE, centre_mm=np.array([98.0, 0.0, 0.0]), semi_axes_mm=SEMI_AXES_MM, axes=np.eye(3))
    assert other.error_mm == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("offset_mm", "is_inside"),
    [
        ((4.9, 0, 0), True),
        ((5.1, 0, 0), False),
        ((0, 2.9, 0), True),
        ((0, 3.1, 0), False),
        ((0, 0, 0.9), True),
        ((0, 0, 1.1), False),
        ((4.0, 1.7, 0), True),
        ((4.0, 1.9, 0), False),
    ],
)
def test_the_region_is_the_ellipsoid(offset_mm: tuple[float, float, float], is_inside: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """(x/5)^2 + (y/3)^2 + z^2 <= 1 about the answer: 16/25 leaves 1.8 mm on the second axis."""
    centre_mm = np.array([10.0, 0.0, 0.0]) - offset_mm
    miss = compare(SCENE, centre_mm=centre_mm, semi_axes_mm=SEMI_AXES_MM, axes=np.eye(3))
    assert miss.is_in_region is is_inside


def test_axes_are_rows() -> None:
    """A long axis along (0.6, 0.8, 0) holds what lies there, and not its mirror image."""
    axes = np.array([[0.6, 0.8, 0.0], [-0.8, 0.6, 0.0], [0.0, 0.0, 1.0]])
    node_mm = np.array([10.0, 0.0, 0.0])
    along, mirrored = 4.5 * np.array([0.6, 0.8, 0.0]), 4.5 * np.array([0.6, -0.8, 0.0])
    inside = [
        compare(SCENE, centre_mm=node_mm - offset, semi_axes_mm=SEMI_AXES_MM, axes=axes).is_in_region
        for offset in (along, mirrored)
    ]
    assert inside == [True, False]
