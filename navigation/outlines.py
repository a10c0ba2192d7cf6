"""Regions that a person drew on an image, as points that fill them."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from navigation.errors import NavigationError
from navigation.volume import Volume

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """A drawn target.

    Attributes
    ----------
    name
        As the person called it.
    points_mm
        Points that fill it evenly, LPS mm, (N, 3), N above 0; read-only.
    volume_ml
        Of the whole, each point stands for an equal share.
    frame_of_reference_uid
        The space that the points are in.
    origin
        Where it is from, for people.

    Raises
    ------
    NavigationError
        Without points, or where a number is not finite.

    """

    name: str
    points_mm: Array
    volume_ml: float
    frame_of_reference_uid: str
    origin: str

    def __post_init__(self) -> None:
        points_mm = np.array(self.points_mm, dtype=np.float64)
        if points_mm.ndim != 2 or points_mm.shape[1:] != (3,) or not len(points_mm):
            raise NavigationError(f"outline {self.name}: wants points (N, 3)")
        if not (np.isfinite(points_mm).all() and 0 < self.volume_ml < math.inf):
            raise NavigationError(f"outline {self.name}: wants finite points and a volume above 0")
        points_mm.flags.writeable = False
        object.__setattr__(self, "points_mm", points_mm)

    @property
    def centre_mm(self) -> Array:
        """Middle of the region, LPS mm, (3,)."""
        return np.asarray(self.points_mm.mean(axis=0))

    @property
    def extent_mm2(self) -> Array:
        """Covariance of the points about the middle, 3 x 3."""
        offset_mm = self.points_mm - self.centre_mm
        return np.asarray(offset_mm.T @ offset_mm / len(offset_mm))

    def values_in(self, volume: Volume) -> Array:
        """Trilinear values of a volume at the points, (N,); NaN where it does not reach.

        Raises
        ------
        NavigationError
            Where the volume is of another frame of reference.

        """
        if volume.geometry.frame_of_reference_uid != self.frame_of_reference_uid:
            raise NavigationError(f"outline {self.name}: drawn in another frame of reference than the volume's")
        return volume.sample(self.points_mm, outside=math.nan)
