"""What a probe counts from a point source: the calibrated forward model.

A crystal disc of radius a sits behind an opening of radius b. Seen from the source, the opening casts a
shadow on the crystal, and the share of the crystal that is lit is the overlap of two discs, which is what makes
a probe look one way, and sharper near the tip than far from it. Added to it are what passes the collimator's
edge, what leaks through the shield, and what scatters in tissue into the energy window from outside the field.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from navigation.errors import NavigationError
from navigation.probe.sight import Sight
from navigation.tissue import NoTissue, Skin, Tissue

Array = NDArray[np.float64]

FITTED = (
    "sensitivity_cps_per_mbq",
    "recess_mm",
    "crystal_thickness_mm",
    "crystal_radius_mm",
    "aperture_radius_mm",
    "penumbra",
    "penumbra_deg",
    "leak",
    "attenuation_per_mm",
    "buildup",
    "halo",
    "halo_angle_deg",
    "halo_core_deg",
)
"""What a calibration determines, in the order of ``Response.covariance``; positive, so kept in logarithm."""

COUNTED = ("dead_time_s", "background_cps")
"""What it determines beside them, in the order of ``Response.counting_covariance``; may be zero: kept as it is."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Response:
    """A probe calibrated for one nuclide and one energy window.

    Attributes
    ----------
    probe
        The probe's name in the site file.
    nuclide
        As ``"Tc-99m"``.
    window_kev
        Lower and upper edge of the energy window.
    calibrated_at
        ISO 8601 date and time.
    sensitivity_cps_per_mbq
        Rate of 1 MBq in air on axis at ``reference_distance_mm`` from the tip, background and dead time taken off.
    reference_distance_mm
        From the tip.
    recess_mm
        From the opening at the tip back to the crystal's front.
    crystal_thickness_mm
        Depth over which the crystal counts.
    crystal_radius_mm, aperture_radius_mm
        Radii of crystal and opening.
    penumbra, penumbra_deg
        What passes the collimator's edge: a Gaussian in the angle at the tip, its height over what an open
        crystal would count, and its standard deviation.
    leak
        Rate through the shield from any side, over the rate on axis at the same distance, in air.
    attenuation_per_mm
        Of tissue, per mm of path.
    buildup
        Share of the primary beam that scatter by small angles adds in the window, once there is enough tissue.
    halo, halo_angle_deg, halo_core_deg
        Scatter from outside the field of view: its share on axis per mean free path of tissue, the angle (at the
        tip) over which it falls by e, and the angle below which it is flat.
    dead_time_s
        Non-paralysable dead time per event.
    background_cps
        Rate without a source.
    model_error, stray_error
        Relative error of the rate that remains after calibration, inside the field of view and outside it (one
        standard deviation).
    covariance
        Of the logarithms of the parameters named in ``FITTED``, in that order, shape (13, 13).
    residuals
        What the fit left of each count on the bench, shape (R, 5): angle at the tip (deg), distance from the tip
        (mm), logarithm of net count over expectation, its standard error, 1 in air and 0 in water.
    greatest_distance_mm, greatest_angle_deg
        Farthest source from the tip and widest angle at the tip that the calibration saw.
    counting_covariance
        Of what ``COUNTED`` names, in that order and its own units, with the logarithms of ``FITTED`` and then with
        each other, shape (2, 15); None where the calibration took both as given.

    Raises
    ------
    NavigationError
        Where a number is not finite or not positive, or the covariance is none.

    """

    probe: str
    nuclide: str
    window_kev: tuple[float, float]
    calibrated_at: str
    sensitivity_cps_per_mbq: float
    reference_distance_mm: float
    recess_mm: float
    crystal_thickness_mm: float
    crystal_radius_mm: float
    aperture_radius_mm: float
    penumbra: float
    penumbra_deg: float
    leak: float
    attenuation_per_mm: float
    buildup: float
    halo: float
    halo_angle_deg: float
    halo_core_deg: float
    dead_time_s: float
    background_cps: float
    model_error: float
    stray_error: float
    covariance: Array
    residuals: Array
    greatest_distance_mm: float
    greatest_angle_deg: float
    counting_covariance: Array | None = None
    _scale: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in (*FITTED, "reference_distance_mm", "greatest_distance_mm", "greatest_angle_deg"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise NavigationError(f"response of {self.probe}: {name} is {value}, not a positive number")
        for name in ("dead_time_s", "background_cps", "model_error", "stray_error"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise NavigationError(f"response of {self.probe}: {name} is {value}, not zero or more")
        if not 0 <= self.window_kev[0] < self.window_kev[1]:
            raise NavigationError(f"response of {self.probe}: window {self.window_kev} keV is no interval")
        covariance = self._checked_covariance()
        residuals = np.array(self.residuals, dtype=np.float64).reshape(-1, 5)
        if not np.isfinite(residuals).all() or (residuals[:, 3] <= 0).any():
            raise NavigationError(
                f"response of {self.probe}: the bench's residuals want finite numbers and errors"
            )
        for name, array in (
            ("covariance", covariance),
            ("residuals", residuals),
            ("counting_covariance", self._checked_counting(covariance)),
        ):
            if isinstance(array, np.ndarray):
                array.flags.writeable = False
            object.__setattr__(self, name, array)
        object.__setattr__(self, "_scale", 1.0)
        reference = self.expected_rate_cps(
            [[0.0, 0.0, self.reference_distance_mm]], [[0.0, 0.0, 0.0]], [[0.0, 0.0, 1.0]], NoTissue()
        )
        object.__setattr__(self, "_scale", self.sensitivity_cps_per_mbq / reference.item())

    def _checked_covariance(self) -> Array:
        covariance = np.array(self.covariance, dtype=np.float64)
        if covariance.shape != (len(FITTED), len(FITTED)) or not np.isfinite(covariance).all():
            raise NavigationError(
                f"response of {self.probe}: wants a finite {len(FITTED)} x {len(FITTED)} covariance"
            )
        if not np.allclose(covariance, covariance.T) or np.linalg.eigvalsh(covariance).min() < -1e-9:
            raise NavigationError(f"response of {self.probe}: the covariance is not symmetric and positive")
        return covariance

    def _checked_counting(self, covariance: Array) -> Array | None:
        if self.counting_covariance is None:
            return None
        counting = np.array(self.counting_covariance, dtype=np.float64)
        size = len(FITTED)
        if counting.shape != (len(COUNTED), size + len(COUNTED)) or not np.isfinite(counting).all():
            raise NavigationError(
                f"response of {self.probe}: wants a finite {len(COUNTED)} x {size + len(COUNTED)} covariance of "
                f"{' and '.join(COUNTED)}"
            )
        own, cross = counting[:, size:], counting[:, :size]
        variances = np.diag(own)
        if not np.allclose(own, own.T, atol=0.0) or (variances <= 0).any():
            raise NavigationError(
                f"response of {self.probe}: the covariance of {' and '.join(COUNTED)} is not positive"
            )
        # of numbers so different in size only the correlations can be compared with zero
        spread = np.sqrt(np.concatenate((np.maximum(np.diag(covariance), 1e-30), variances)))
        whole = np.block([[covariance, cross.T], [cross, own]]) / np.outer(spread, spread)
        if np.linalg.eigvalsh(whole).min() < -1e-6:
            raise NavigationError(
                f"response of {self.probe}: the covariance of {' and '.join(COUNTED)} is none with the rest's"
            )
        return counting

    @property
    def crystal_depth_mm(self) -> float:
        """From the tip back to the middle of the crystal: the point that inverse squares are counted from."""
        return self.recess_mm + self.crystal_thickness_mm / 2

    def expected_rate_cps(self, points_mm: ArrayLike, tip_mm: ArrayLike, axis: ArrayLike, tissue: Tissue) -> Array:
        """Rate of 1 MBq at each of M points (M, 3) seen from N poses (N, 3), shape (N, M), cps.

        Without background and before dead time.
        """
        tips = np.asarray(tip_mm, dtype=np.float64)
        return self.rate_cps(
            np.asarray(points_mm, dtype=np.float64), tips, np.asarray(axis, dtype=np.float64), tissue.skin_at(tips)
        )

    def rate_cps(self, points_mm: Array, tip_mm: Array, axis: Array, skin: Skin) -> Array:
        """Rate of 1 MBq, shape (N, M), cps.

        ``points_mm`` is (M, 3), the same for every pose, or (N, M, 3), a set for each.
        """
        return np.asarray(self._scale * Sight(self, points_mm, tip_mm, axis, skin).rate)

    def rate_and_gradient(self, points_mm: Array, tip_mm: Array, axis: Array, skin: Skin) -> tuple[Array, Array]:
        """Rate of 1 MBq, as ``rate_cps``, and its gradient by the point: (N, M), cps, and (N, M, 3), cps/mm."""
        sight = Sight(self, points_mm, tip_mm, axis, skin)
        return self._scale * sight.rate, self._scale * sight.gradient()

    def angular_response(self, angle_deg: ArrayLike, distance_mm: float) -> Array:
        """Rate in air at an angle about the tip's centre, over the rate on axis at the same distance."""
        angle = np.radians(np.atleast_1d(np.asarray(angle_deg, dtype=np.float64)))
        points = distance_mm * np.stack((np.sin(angle), np.zeros_like(angle), np.cos(angle)), axis=-1)
        ahead = np.array([[0.0, 0.0, distance_mm]])
        rates = self.expected_rate_cps(
            np.concatenate((ahead, points)), np.zeros((1, 3)), np.array([[0.0, 0.0, 1.0]]), NoTissue()
        )[0]
        return np.asarray(rates[1:] / rates[0])

    def scaled(self, log_factors: Mapping[str, float]) -> Self:
        """Return the same probe with parameters of ``FITTED`` multiplied by the exponential of each entry."""
        changed = {name: getattr(self, name) * math.exp(value) for name, value in log_factors.items()}
        return replace(self, **changed)

    def is_calibrated_for(self, points_mm: ArrayLike, tip_mm: ArrayLike, axis: ArrayLike) -> NDArray[np.bool_]:
        """Whether each point (M, 3) lies within the distances and angles that were calibrated, (N, M)."""
        offset = np.asarray(points_mm, dtype=np.float64)[None] - np.asarray(tip_mm, dtype=np.float64)[:, None]
        ahead = np.einsum("nmk,nk->nm", offset, np.asarray(axis, dtype=np.float64))
        distance = np.linalg.norm(offset, axis=-1)
        angle = np.degrees(np.arccos(np.clip(ahead / np.maximum(distance, 1e-9), -1, 1)))
        return np.asarray((distance <= self.greatest_distance_mm) & (angle <= self.greatest_angle_deg))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types; ``from_dict`` reads them back."""
        plain = {each.name: getattr(self, each.name) for each in fields(self) if each.init}
        arrays = ("covariance", "residuals", "counting_covariance")
        lists = {name: None if plain[name] is None else plain[name].tolist() for name in arrays}
        return plain | lists | {"window_kev": list(self.window_kev)}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Read what ``to_dict`` wrote.

        Raises
        ------
        NavigationError
            Where a key is missing or unknown, or a value is none of its kind.

        """
        known = {each.name for each in fields(cls) if each.init}
        if missing := sorted(known - {"counting_covariance"} - set(plain)):
            raise NavigationError(f"response: {', '.join(missing)} missing; calibrate the probe again")
        if unknown := sorted(set(plain) - known):
            raise NavigationError(f"response: {', '.join(unknown)} unknown; written by another version")
        texts = {"probe", "nuclide", "calibrated_at"}
        try:
            low_kev, high_kev = plain["window_kev"]
            numbers = {
                name: float(plain[name])
                for name in known - texts - {"window_kev", "covariance", "residuals", "counting_covariance"}
            }
            counting = plain.get("counting_covariance")
            counting_covariance = None if counting is None else np.array(counting, dtype=np.float64)
            covariance = np.array(plain["covariance"], dtype=np.float64)
            residuals = np.array(plain["residuals"], dtype=np.float64).reshape(-1, 5)
            window_kev = (float(low_kev), float(high_kev))
        except (TypeError, ValueError) as exc:
            raise NavigationError(f"response: a value is not of its kind: {exc}") from exc
        words = {name: str(plain[name]) for name in texts}
        arrays = {
            "covariance": covariance,
            "residuals": residuals,
            "counting_covariance": counting_covariance,
        }
        values: dict[str, Any] = {**words, **numbers, **arrays, "window_kev": window_kev}
        return cls(**values)
