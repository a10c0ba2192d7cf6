"""What a collimated probe would see: plain geometry, written apart from ``navigation.probe.response``.

The crystal is a flat disc at the bottom of a bore in a shield; photons reach it through the round opening at
the tip. Bench and theatre both use this, so that their probe is the same one. The navigation's response model
is another's derivation of its own: here the crystal is thin and sampled, and the opening's edge lets photons
through, so that a test which localises with it proves something.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

CRYSTAL_SAMPLES = 256
"""Points that stand for the crystal's face; on-axis solid angles agree with the closed form to 0.1 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbePhysics:
    """One probe with one nuclide and one energy window.

    The defaults make a CsI probe with a tungsten collimator and a Tc-99m window: about 2,000 cps/MBq at 30 mm
    on axis (SURGEOGUIDE II: 2,040, irjnm.tums.ac.ir/article_33695) and 40 degrees of angular width.

    Attributes
    ----------
    crystal_radius_mm
        Radius of the crystal's face.
    aperture_radius_mm
        Radius of the round opening in the plane of the tip.
    crystal_depth_mm
        How far the crystal's face lies behind the tip.
    edge_mm
        Width over which the opening's edge lets photons through: about the free path in tungsten, 1 / 3.6 mm.
    photons_per_decay
        Photons in the energy window for each decay (Tc-99m at 140.5 keV: 0.89).
    efficiency
        Counts in the window for each such photon that strikes the crystal.
    leak
        Share of photons that pass the shield from anywhere.
    attenuation_per_mm
        Effective linear attenuation of tissue in the window (water at 140.5 keV: 0.0153).
    dead_time_s
        Non-paralysable dead time, for the instrument that counts; not applied here.
    background_cps
        Rate without any source.

    """

    crystal_radius_mm: float = 5.5
    aperture_radius_mm: float = 5.2
    crystal_depth_mm: float = 23.0
    edge_mm: float = 0.3
    photons_per_decay: float = 0.89
    efficiency: float = 0.84
    leak: float = 5e-4
    attenuation_per_mm: float = 0.0153
    dead_time_s: float = 5e-6
    background_cps: float = 5.0
    _face_mm: NDArray[np.float64] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # equal areas on a sunflower spiral (Vogel 1979), so that each point weighs the same
        number = np.arange(CRYSTAL_SAMPLES) + 0.5
        radius_mm = self.crystal_radius_mm * np.sqrt(number / CRYSTAL_SAMPLES)
        turn_rad = number * np.pi * (3 - np.sqrt(5))
        face_mm = np.stack([radius_mm * np.cos(turn_rad), radius_mm * np.sin(turn_rad)], axis=1)
        face_mm.flags.writeable = False
        object.__setattr__(self, "_face_mm", face_mm)

    def acceptance(self, sources_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Share of the photons of each source, (M, 3) mm in the TIP frame, that strike the crystal; (M,).

        Solid angle over 4 pi of the part of the crystal that sees the source through the opening, and of the
        whole crystal through the leaking shield.
        """
        sources_mm = np.atleast_2d(sources_mm)
        lateral_mm = sources_mm[:, None, :2] - self._face_mm
        ahead_mm = sources_mm[:, 2] + self.crystal_depth_mm
        distance_mm = np.sqrt((lateral_mm**2).sum(axis=2) + ahead_mm[:, None] ** 2)
        in_front = sources_mm[:, 2] > 0
        crossing = self.crystal_depth_mm / np.where(in_front, ahead_mm, self.crystal_depth_mm)
        crossing_mm = np.hypot(*np.moveaxis(self._face_mm + lateral_mm * crossing[:, None, None], 2, 0))
        into_edge = (crossing_mm - self.aperture_radius_mm) / (self.edge_mm / 4)
        passes = 1 / (1 + np.exp(np.clip(into_edge, -60, 60)))
        area_mm2 = np.pi * self.crystal_radius_mm**2
        solid_angle = area_mm2 * (passes * ahead_mm[:, None] / distance_mm**3).mean(axis=1)
        centre_mm = np.hypot(np.hypot(sources_mm[:, 0], sources_mm[:, 1]), ahead_mm)
        leaked_angle = self.leak * area_mm2 / np.maximum(centre_mm, self.crystal_radius_mm) ** 2
        return np.asarray(np.where(in_front, solid_angle, 0.0) + leaked_angle) / (4 * np.pi)

    def rate_cps(
        self,
        sources_mm: NDArray[np.float64],
        activity_mbq: NDArray[np.float64],
        path_mm: NDArray[np.float64],
    ) -> float:
        """Events in the window each second, background included, before dead time.

        Parameters
        ----------
        sources_mm
            Point sources, (M, 3) mm in the TIP frame: origin at the tip's centre, +z the way it looks.
        activity_mbq
            Their activities, (M,) MBq.
        path_mm
            Water that attenuates as what lies between each and the tip, (M,) mm; zero in air.

        """
        photons_per_s = 1e6 * self.photons_per_decay * np.asarray(activity_mbq, dtype=np.float64)
        through = np.exp(-self.attenuation_per_mm * np.asarray(path_mm, dtype=np.float64))
        seen = photons_per_s * through * self.acceptance(np.asarray(sources_mm, dtype=np.float64))
        return self.background_cps + self.efficiency * float(seen.sum())
