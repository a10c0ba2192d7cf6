"""How a probe sees points: the forward model itself, for given parameters of a ``Response``.

The rate and its gradient come from one computation, so that the formula stands once; the gradient is worked out
where it is asked for. Most points of a search lie in the collimator's shadow: only those that light some of the
crystal are followed through the lens of two discs. Vectors are kept with their components outermost in memory
(shape (N, M, 3) all the same): sums over them then run through memory in order, five times as fast.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from navigation.tissue import Skin

Array = NDArray[np.float64]

BUILDUP_LENGTH_MM = 10.0
"""Tissue after which small-angle scatter in the window has reached its share of the primary beam."""

_DEPTHS, _WEIGHTS = (each[:, None] for each in np.polynomial.legendre.leggauss(3))
_NEAREST_MM = 1e-3
"""A source nearer to the opening's plane than this is taken to lie there, so that nothing is divided by zero."""


class ProbeParameters(Protocol):
    """What the forward model reads of a ``Response``."""

    @property
    def aperture_radius_mm(self) -> float: ...  # noqa: D102 - Response documents them
    @property
    def attenuation_per_mm(self) -> float: ...  # noqa: D102
    @property
    def buildup(self) -> float: ...  # noqa: D102
    @property
    def crystal_depth_mm(self) -> float: ...  # noqa: D102
    @property
    def crystal_radius_mm(self) -> float: ...  # noqa: D102
    @property
    def crystal_thickness_mm(self) -> float: ...  # noqa: D102
    @property
    def halo(self) -> float: ...  # noqa: D102
    @property
    def halo_angle_deg(self) -> float: ...  # noqa: D102
    @property
    def halo_core_deg(self) -> float: ...  # noqa: D102
    @property
    def leak(self) -> float: ...  # noqa: D102
    @property
    def penumbra(self) -> float: ...  # noqa: D102
    @property
    def penumbra_deg(self) -> float: ...  # noqa: D102
    @property
    def recess_mm(self) -> float: ...  # noqa: D102


class _Overlap:
    """Share of a disc (radius ``crystal``) inside another (radius ``opening``), centres ``offset`` apart.

    The overlap's area falls with the chord and grows with the arc, so the derivatives have a closed form too.
    """

    def __init__(self, offset: Array, crystal: Array, opening: float) -> None:
        self._crystal = crystal
        nearest, farthest = np.abs(opening - crystal), opening + crystal
        apart = np.clip(offset, nearest + 1e-12, farthest - 1e-12)
        difference = (crystal - opening) * farthest
        cos_crystal = np.clip((apart**2 + difference) / (2 * apart * crystal), -1.0, 1.0)
        cos_opening = np.clip((apart**2 - difference) / (2 * apart * opening), -1.0, 1.0)
        self._arc = np.arccos(cos_crystal)
        self._half_chord = crystal * np.sqrt(1 - cos_crystal**2)
        area = crystal * (crystal * self._arc - self._half_chord * cos_crystal) + opening * (
            opening * np.arccos(cos_opening) - self._half_chord * cos_opening
        )
        self._full = np.pi * crystal**2
        self._is_whole = offset <= nearest
        self._is_partial = ~self._is_whole & (offset < farthest)
        self._is_in_opening = crystal <= opening
        whole = np.where(self._is_whole, np.pi * np.minimum(crystal, opening) ** 2, 0)
        self.share = np.where(self._is_partial, area, whole) / self._full

    def by_offset(self) -> Array:
        """Differentiate the share by ``offset``."""
        return np.where(self._is_partial, -2 * self._half_chord, 0.0) / self._full

    def by_crystal(self) -> Array:
        """Differentiate the share by ``crystal``."""
        grows = np.where(self._is_partial, 2 * self._crystal * self._arc, 0.0)
        grows = np.where(self._is_whole & self._is_in_opening, 2 * np.pi * self._crystal, grows)
        return np.asarray(grows / self._full - 2 * self.share / self._crystal)


class _Primary:
    """Lit share of the crystal over the distance squared, per mm2, for sources ``side`` and ``ahead`` of the tip.

    The crystal counts at three depths (Gauss-Legendre), on the leading axis; points are flat.
    """

    def __init__(self, probe: ProbeParameters, side: Array, ahead: Array) -> None:
        self._shape = side.shape
        front = np.maximum(ahead, _NEAREST_MM)
        depth = probe.recess_mm + probe.crystal_thickness_mm * (_DEPTHS + 1) / 2
        # in the shadow at the least depth is in the shadow at every depth
        beyond = (side - probe.aperture_radius_mm) * depth.min()
        is_lit = (ahead > 0) & (beyond < (probe.aperture_radius_mm + probe.crystal_radius_mm) * front)
        self._lit = np.flatnonzero(is_lit)
        self._side, front = side.ravel()[self._lit], front.ravel()[self._lit]
        self._reach = front + depth
        self._by_side_offset = depth / self._reach
        self._shrink_by_ahead = self._by_side_offset / self._reach
        self._crystal_mm = probe.crystal_radius_mm
        self._crystal = probe.crystal_radius_mm * front / self._reach
        self._overlap = _Overlap(self._side * self._by_side_offset, self._crystal, probe.aperture_radius_mm)
        # a disc sees less than its centre would: to second order the mean of 1/r2 over it
        self._inverse = 1 / (self._side**2 + self._reach**2 + 0.75 * self._crystal**2)
        self._weighted = self._inverse * (_WEIGHTS / 2)
        self.rate = self._spread((self._weighted * self._overlap.share).sum(axis=0))

    def _spread(self, lit: Array) -> Array:
        every = np.zeros(self._shape)
        every.ravel()[self._lit] = lit
        return every

    def gradient(self) -> tuple[Array, Array]:
        """Differentiate the rate by side and by ahead."""
        by_offset = self._overlap.by_offset()
        falls = 2 * self._overlap.share * self._inverse
        crystal_by_ahead = self._crystal_mm * self._shrink_by_ahead
        by_side = self._weighted * (by_offset * self._by_side_offset - falls * self._side)
        by_ahead = self._weighted * (
            self._overlap.by_crystal() * crystal_by_ahead
            - by_offset * self._side * self._shrink_by_ahead
            - falls * (self._reach + 0.75 * self._crystal * crystal_by_ahead)
        )
        return self._spread(by_side.sum(axis=0)), self._spread(by_ahead.sum(axis=0))


class Sight:
    """N poses of a probe that look at M points each.

    Parameters
    ----------
    probe
        Its calibration; the sensitivity is left out.
    points_mm
        Shape (M, 3), the same for every pose, or (N, M, 3), a set for each.
    tip_mm, axis
        Of each pose, shape (N, 3).
    skin
        As each tip meets it.

    Attributes
    ----------
    rate
        Rate of 1 MBq over the sensitivity of the whole crystal at 1 mm, shape (N, M).

    """

    def __init__(self, probe: ProbeParameters, points_mm: Array, tip_mm: Array, axis: Array, skin: Skin) -> None:
        self._probe, self._axis, self._skin = probe, axis, skin
        components = np.ascontiguousarray(points_mm.T if points_mm.ndim == 2 else points_mm.transpose(2, 0, 1))
        components = components[:, None] if points_mm.ndim == 2 else components
        self._offset = (components - tip_mm.T[:, :, None]).transpose(1, 2, 0)
        self._ahead = np.einsum("nmk,nk->nm", self._offset, axis)
        self._square = np.maximum(np.einsum("nmk,nmk->nm", self._offset, self._offset), _NEAREST_MM**2)
        self._side = np.sqrt(np.maximum(self._square - self._ahead**2, 1e-12))
        self._range = np.sqrt(self._square)
        path = skin.path_mm(self._offset, self._range)
        self._primary = _Primary(probe, self._side, self._ahead)
        self._back = self._ahead + probe.crystal_depth_mm
        self._inverse_square = 1 / (self._side**2 + self._back**2)
        angle = np.arctan2(self._side, self._ahead)
        self._halo, self._halo_by_angle = _halo(probe, angle)
        edge, self._edge_by_angle = _penumbra(probe, angle)
        self._free_paths = probe.attenuation_per_mm * path
        self._through = np.exp(-self._free_paths)
        self._settled = np.exp(-path / BUILDUP_LENGTH_MM)
        self._built = 1 + probe.buildup * (1 - self._settled)
        self._around = probe.leak + edge + self._free_paths * self._halo
        self._inside = self._primary.rate * self._built + self._around * self._inverse_square
        self.rate: Array = self._through * self._inside

    def gradient(self) -> Array:
        """Gradient of ``rate`` by the point, per mm, shape (N, M, 3)."""
        probe = self._probe
        by_angle = self._edge_by_angle + self._free_paths * self._halo_by_angle
        around_by_angle = self._inverse_square * by_angle / self._square
        by_path = self._through * (
            self._primary.rate * probe.buildup * self._settled / BUILDUP_LENGTH_MM
            + probe.attenuation_per_mm * (self._halo * self._inverse_square - self._inside)
        )
        falls = -2 * self._around * self._inverse_square**2
        primary_by_side, primary_by_ahead = self._primary.gradient()
        by_side = self._through * (
            primary_by_side * self._built + around_by_angle * self._ahead + falls * self._side
        )
        by_ahead = self._through * (
            primary_by_ahead * self._built - around_by_angle * self._side + falls * self._back
        )
        aside = by_side / self._side
        along = by_ahead - aside * self._ahead
        gradient = aside * self._offset.transpose(2, 0, 1)
        gradient += along * self._axis.T[:, :, None]
        gradient += by_path * self._skin.path_gradient(self._offset, self._range).transpose(2, 0, 1)
        return np.asarray(gradient.transpose(1, 2, 0))


def _halo(probe: ProbeParameters, angle: Array) -> tuple[Array, Array]:
    """Angular shape of what scatters in from outside the field, with its derivative."""
    core, fall = math.radians(probe.halo_core_deg), math.radians(probe.halo_angle_deg)
    rounded = np.sqrt(angle**2 + core**2)
    shape = probe.halo * np.exp(-(rounded - core) / fall)
    return shape, -shape * angle / (rounded * fall)


def _penumbra(probe: ProbeParameters, angle: Array) -> tuple[Array, Array]:
    """Angular shape of what passes the collimator's edge, with its derivative."""
    width = math.radians(probe.penumbra_deg)
    shape = probe.penumbra * np.exp(-0.5 * (angle / width) ** 2)
    return shape, -shape * angle / width**2
