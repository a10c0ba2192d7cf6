"""Surfaces of a study for a view in three dimensions: skin and bone of its CT, and what is hot in its activity.

Marching cubes (Lewiner et al., J. Graphics Tools 8, 2003) on a grid that is made coarse first: a surface is looked
at from a metre away, and sent to every display.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import marching_cubes

from navigation.errors import NavigationError
from navigation.hotspots import Hotspot
from navigation.skin import body_of
from navigation.volume import Volume, VolumeGeometry, coarsen

Kind = Literal["skin", "bone", "activity"]

STEP_MM = 4.0
"""Grid of the surfaces of a CT, about."""

SMOOTH = 0.5
"""Smoothing of them (Gaussian sigma), in voxels of that grid: no steps of single voxels."""

MOST_VOXELS = 2**24
"""Of an image whose surface is found: twice a whole body's in voxels of 2.5 mm."""

BONE_ABOVE_HU = 250.0

HOT_SHARE = 0.4
"""Share of the faintest target's peak at which the surface of the activity lies."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Surface:
    """A surface of triangles.

    Attributes
    ----------
    kind
        What it is of.
    vertices_mm
        LPS, shape (V, 3), float32.
    triangles
        Indices of vertices, shape (T, 3), uint32; counterclockwise seen from outside.

    """

    kind: Kind
    vertices_mm: NDArray[np.float32]
    triangles: NDArray[np.uint32]


def find_surfaces(
    anatomy: Volume | None, activity: Volume | None, hotspots: Sequence[Hotspot]
) -> tuple[Surface, ...]:
    """Find the surfaces of a study; one of which there is nothing is left away."""
    found: list[Surface | None] = []
    if anatomy is not None and anatomy.unit == "HU":
        coarse = coarsen(anatomy, STEP_MM, at_most=MOST_VOXELS)
        try:
            body = ndimage.gaussian_filter(body_of(coarse).astype(np.float32), SMOOTH)
        except NavigationError:
            body = np.zeros(coarse.values.shape, dtype=np.float32)
        found.append(_surface("skin", body, 0.5, coarse.geometry))
        smooth = ndimage.gaussian_filter(coarse.values, SMOOTH)
        found.append(_surface("bone", smooth * body, BONE_ABOVE_HU, coarse.geometry))
    peaks = [spot.peak for spot in hotspots if spot.kind == "target"] or [spot.peak for spot in hotspots]
    if activity is not None and peaks:
        level = HOT_SHARE * min(peaks)
        coarse = coarsen(activity, 0.0, at_most=MOST_VOXELS)
        found.append(_surface("activity", coarse.values, level, coarse.geometry))
    return tuple(surface for surface in found if surface is not None)


def _surface(kind: Kind, values: NDArray[np.float32], level: float, geometry: VolumeGeometry) -> Surface | None:
    # below every value outside, so that what reaches the grid's edge is closed there
    padded = np.pad(values, 1, constant_values=min(float(values.min()), level - 1.0))
    if not padded.max() > level:
        return None
    vertices, triangles, _, _ = marching_cubes(padded, level)  # type: ignore[no-untyped-call]  # it has no types
    places_mm = geometry.positions_mm(vertices - 1.0)
    faces = triangles.astype(np.uint32)
    if np.linalg.det(geometry.patient_from_voxel[:3, :3]) > 0:
        faces = faces[:, ::-1]
    return Surface(kind=kind, vertices_mm=places_mm.astype(np.float32), triangles=np.ascontiguousarray(faces))
