"""How far an answer is from the scene's truth: only a simulation can say."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulators.scene import Scene


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """Distance of an answer from the nearest target of the scene, and whether the region holds that target."""

    error_mm: float
    is_in_region: bool


def compare(
    scene: Scene,
    *,
    centre_mm: NDArray[np.float64],
    semi_axes_mm: NDArray[np.float64],
    axes: NDArray[np.float64],
) -> Miss:
    """Compare a position and its ellipsoid (semi-axes, and a unit axis a row) with the scene's targets."""
    truths_mm = [source.centre_mm for source in scene.sources if source.kind == "target"]
    offset_mm = min((truth_mm - centre_mm for truth_mm in truths_mm), key=lambda each: float(np.linalg.norm(each)))
    inside = float((((axes @ offset_mm) / semi_axes_mm) ** 2).sum()) <= 1.0
    return Miss(error_mm=float(np.linalg.norm(offset_mm)), is_in_region=inside)
