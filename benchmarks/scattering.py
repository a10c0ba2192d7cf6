"""What a probe counts of point sources in water: the simulators' probe, with one Compton scatter worked out.

The photons that come straight are those of ``simulators.probe_physics``. Those that scatter once in the water and
then pass the opening are integrated over the field of view, with the Klein-Nishina cross-section and the energy
window. Nothing here is shared with ``navigation.probe.response``, whose scatter is a formula with parameters to be
fitted. Photons that scatter twice are left out.
"""

from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from simulators.probe_physics import ProbePhysics

Array = NDArray[np.float64]

LINE_KEV = 140.511
"""Gamma line of Tc-99m (ICRP Publication 107)."""

WINDOW_KEV = (120.0, 160.0)
"""Energy window of the recordings."""

RESOLUTION_KEV = 14.0 / 2.3548
"""Standard deviation of the energy that the crystal gives: 10 % full width at half maximum."""

ELECTRONS_PER_MM3 = 3.343e20
"""Of water: 10 electrons a molecule, 18.015 g/mol, 1 g/cm3."""

CLASSICAL_RADIUS_MM = 2.8179403e-12
"""Of the electron (CODATA)."""

ELECTRON_KEV = 510.99895
"""Rest energy of the electron (CODATA)."""

FARTHEST_MM = 80.0
"""Depth of the field of view over which scatter is summed: five mean free paths of the way in and out."""

LAYERS, RINGS, SPOKES = 18, 5, 10
"""Cells of the field of view: along the axis, across, and around; enough for scatter to a tenth."""

_COSINES = np.linspace(-1.0, 1.0, 401)
_DISTANCES = (np.arange(4000) + 0.5) / 200
"""From a point to the centre of a ball, over the ball's radius."""
_IN_BALL = (
    1.5
    * (1 + (1 - _DISTANCES**2) / (2 * _DISTANCES) * np.log((1 + _DISTANCES) / np.abs(1 - _DISTANCES)))
    * (1 + _DISTANCES**2)
)
"""Mean over the ball of the inverse square of the distance to the point, in closed form, times the sum of the
squares of radius and distance: 3 at the centre, 1 far away."""


def scattered_per_mm(cosine: Array) -> Array:
    """Differential attenuation of water by Compton scatter into the window, per mm and sr, by the angle's cosine.

    Klein and Nishina's cross-section (Knoll, 2.19) at 140.5 keV, times the share of scattered photons that the
    window takes over that of unscattered ones.
    """
    kept = 1 / (1 + LINE_KEV / ELECTRON_KEV * (1 - cosine))
    cross_section_mm2 = 0.5 * CLASSICAL_RADIUS_MM**2 * kept**2 * (kept + 1 / kept - 1 + cosine**2)
    return np.asarray(ELECTRONS_PER_MM3 * cross_section_mm2 * _in_window(LINE_KEV * kept) / _in_window(LINE_KEV))


def _in_window(energy_kev: Array | float) -> Array:
    low, high = ((edge - energy_kev) / RESOLUTION_KEV for edge in WINDOW_KEV)
    return np.asarray(ndtr(high) - ndtr(low))


@dataclass(frozen=True, slots=True, kw_only=True)
class ScatteringProbe:
    """A probe over flat water: z up, water below 0, mm.

    Attributes
    ----------
    physics
        The probe; its attenuation is that of the unscattered beam.

    """

    physics: ProbePhysics
    _cells_mm: Array = field(init=False, repr=False, compare=False)
    _weight: Array = field(init=False, repr=False, compare=False)
    _radius_mm: Array = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        probe = self.physics
        edges = np.geomspace(1.0, FARTHEST_MM + 1.0, LAYERS + 1) - 1.0
        ahead = (edges[1:] + edges[:-1]) / 2
        widest = probe.aperture_radius_mm + probe.edge_mm
        spread = (widest + probe.crystal_radius_mm) / probe.crystal_depth_mm
        across = (np.arange(RINGS) + 0.5) / RINGS
        turn = 2 * np.pi * (np.arange(SPOKES) + 0.5) / SPOKES
        side = np.outer(widest + spread * ahead, across)
        volume = np.diff(edges)[:, None] * 2 * np.pi * side * side[:, :1] * 2 / SPOKES
        cells = np.stack(
            np.broadcast_arrays(
                side[:, :, None] * np.cos(turn), side[:, :, None] * np.sin(turn), ahead[:, None, None]
            ),
            axis=-1,
        ).reshape(-1, 3)
        volume = np.repeat(volume.ravel(), SPOKES)
        object.__setattr__(self, "_cells_mm", cells)
        object.__setattr__(self, "_weight", volume * probe.acceptance(cells))
        object.__setattr__(self, "_radius_mm", np.cbrt(0.75 * volume / np.pi))

    def wrong(self, *, width: float, attenuation: float, leak: float) -> Self:
        """Change the probe by these factors; on axis at 30 mm in air it counts as before."""
        physics = replace(
            self.physics,
            crystal_radius_mm=self.physics.crystal_radius_mm * width,
            aperture_radius_mm=self.physics.aperture_radius_mm * width,
            attenuation_per_mm=self.physics.attenuation_per_mm * attenuation,
            leak=self.physics.leak * leak,
        )
        ahead = np.array([[0.0, 0.0, 30.0]])
        kept = float((self.physics.acceptance(ahead) / physics.acceptance(ahead))[0])
        return replace(self, physics=replace(physics, efficiency=physics.efficiency * kept))

    def rate_cps(
        self, sources_mm: Array, activity_mbq: Array, tip_mm: Array, axis: Array, *, is_in_air: bool = False
    ) -> Array:
        """Count true events in the window each second at N poses, background left out, before dead time.

        Parameters
        ----------
        sources_mm, activity_mbq
            Shapes (M, 3) and (M,).
        tip_mm, axis
            Centre of the opening and the unit vector that the probe looks along, shape (N, 3).
        is_in_air
            Without water.

        Returns
        -------
        rate_cps
            Shape (N,).

        """
        probe = self.physics
        tips, directions = np.atleast_2d(tip_mm), np.atleast_2d(axis)
        per_mbq = np.zeros(len(tips))
        around = np.zeros(len(tips))
        places = None if is_in_air else self._cells_at(tips, directions)
        for source_mm, activity in zip(np.atleast_2d(sources_mm), np.atleast_1d(activity_mbq), strict=True):
            offset = source_mm - tips
            whole = np.linalg.norm(offset, axis=1)
            ahead = np.einsum("nk,nk->n", offset, directions)
            side = np.sqrt(np.maximum(whole**2 - ahead**2, 0.0))
            path = np.zeros(len(tips)) if is_in_air else whole * _share_in_water(tips[:, 2], source_mm[2])
            seen = probe.acceptance(np.stack((side, np.zeros_like(side), ahead), axis=-1))
            per_mbq += activity * seen * np.exp(-probe.attenuation_per_mm * path)
            if places is not None:
                around += activity * self._scattered(source_mm, *places)
        return np.asarray(1e6 * probe.photons_per_decay * probe.efficiency * (per_mbq + around))

    def _cells_at(self, tips: Array, directions: Array) -> tuple[Array, Array, Array]:
        """Cells (N, K, 3), the way from each to the crystal (N, K, 3), and what a photon from each would count."""
        upright = np.where(np.abs(directions[:, :1]) < 0.7, [[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]])
        first = np.cross(directions, upright)
        first /= np.linalg.norm(first, axis=1)[:, None]
        rotation = np.stack((first, np.cross(directions, first), directions), axis=-1)
        cells = tips[:, None] + np.einsum("nij,kj->nki", rotation, self._cells_mm)
        homeward = np.array([0.0, 0.0, -self.physics.crystal_depth_mm]) - self._cells_mm
        homeward /= np.linalg.norm(homeward, axis=1)[:, None]
        path = np.linalg.norm(self._cells_mm, axis=1) * _share_in_water(tips[:, 2:], cells[:, :, 2])
        counted = self._weight * np.exp(-self.physics.attenuation_per_mm * path)
        return cells, np.einsum("nij,kj->nki", rotation, homeward), np.where(cells[:, :, 2] < 0, counted, 0.0)

    def _scattered(self, source_mm: Array, cells: Array, homeward: Array, counted: Array) -> Array:
        offset = cells - source_mm
        whole = np.sqrt(np.einsum("nki,nki->nk", offset, offset))
        cosine = np.einsum("nki,nki->nk", offset, homeward) / np.maximum(whole, 1e-6)
        turned = np.interp(cosine, _COSINES, scattered_per_mm(_COSINES))
        spread = np.interp(whole / self._radius_mm, _DISTANCES, _IN_BALL) / (self._radius_mm**2 + whole**2)
        arrives = np.exp(-self.physics.attenuation_per_mm * whole) * spread
        return np.asarray((counted * turned * arrives).sum(axis=1))


def _share_in_water(height_mm: Array, place_z_mm: Array | float) -> Array:
    """Share of the line from a tip at a height to a place in the water that lies in it."""
    above = np.maximum(height_mm, 0.0)
    return np.asarray(np.where(np.less(place_z_mm, 0), place_z_mm / np.minimum(place_z_mm - above, -1e-9), 0.0))
