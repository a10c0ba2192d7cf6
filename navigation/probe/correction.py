"""What the response still gets wrong, as a smooth random surface over angle, distance and tilt.

A formula of a dozen numbers follows a real probe to some per cent where it looks, and far worse at the edge of its
field and in the scatter beyond. Beside an injection site a thousand times as strong as the node that error
decides. So it is a Gaussian process (Rasmussen and Williams, 2006, 2.2) on the logarithm of the rate: narrowed by
what the bench left over, then learnt from the counts as one more set of unknowns. Its leading principal
components are these unknowns, each of unit prior variance.

Two parts add up, each with its own surface over angle and distance: one for a probe that is square on the skin,
one in proportion to the tilt. The second is there for scatter: photons that scatter in the tissue around a
source and then pass the opening come from the bulk below, so that a probe that leans away from the source
sees more of them than the angle alone would say.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from navigation.probe.response import Response
from navigation.tissue import Skin

Array = NDArray[np.float64]

DISTANCES_MM = (10.0, 14.0, 20.0, 30.0, 45.0, 75.0)
"""Distances from the tip between which the surface is linear, in logarithm."""

EDGE_LENGTH_DEG = 5.0
"""Angle over which the error stays alike where the response falls steeply."""

LENGTH_DEG = 20.0
"""The same elsewhere."""

EDGE_REACH_DEG = 8.0
"""How far from where it falls steeply the response still counts as near its edge."""

NODES_A_LENGTH = 2
"""Angles of the surface to a length over which it stays alike."""

LENGTH_LOG_MM = 0.5
"""The same for the logarithm of distance."""

EDGE_DEG = 0.7
"""How far the field's edge may lie elsewhere than the response has it (a standard deviation)."""

SCATTER_SHARE = 0.004
"""Scatter that the response may miss, over the rate on axis."""

GREATEST_SCATTER = 1.0
"""Largest standard deviation of the logarithm of the rate that is granted to scatter."""

PATIENT_FACTOR = 2.0
"""How much farther off the response may be in a patient than the bench would have it.

Beside an injection site this decides between a node and the site's own flank: on photon-transport recordings the
evidence of a false node falls below nothing, that of a true one hardly changes.
"""

TILT_DEG = 20.0
"""Tilt at which the tilted part is as large as the upright one, for a source at ``TILT_MM``."""

TILT_MM = 20.0
"""Farther off the tilted part falls with distance, as does the angle that the scatter around a source fills."""

COMPONENTS = 64
"""Components kept, the last one for the bench's mean; what is left out is noise on each reading."""

HELD = 20.0
"""The bench's mean over its own standard deviation: it stands, but for a twentieth."""

_FIELD_OVER = 0.02
"""A response below this share of that on axis has no edge any more."""

_STEEP_PER_DEG = 0.05
"""Slope of the logarithm of the response from which on it counts as an edge."""

_AT_MM = 25.0
"""Distance at which the edge and the scatter are looked up."""


def _hats(values: Array, nodes: Array) -> Array:
    """Weights (..., nodes) of linear interpolation between nodes, held beyond the ends."""
    place = np.interp(values, nodes, np.arange(len(nodes)))
    return np.asarray(np.maximum(1 - np.abs(place[..., None] - np.arange(len(nodes))), 0.0))


def _angle_deg(offset: Array, distance: Array, direction: Array) -> Array:
    """Between each offset (N, M, 3), of known length, and a unit vector a row (N, 3)."""
    cosine = np.einsum("nmk,nk->nm", offset, direction) / distance
    return np.asarray(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))


def _profile(response: Response, angle_deg: Array) -> Array:
    """Rate in deep tissue over that on axis, at angles about the tip."""
    angle = np.radians(np.concatenate(([0.0], angle_deg)))
    points = _AT_MM * np.stack((np.sin(angle), np.zeros_like(angle), np.cos(angle)), axis=-1)
    skin = Skin(height_mm=np.full(1, -1e3), normal=np.array([[0.0, 0.0, -1.0]]))
    rate = response.rate_and_gradient(points, np.zeros((1, 3)), np.array([[0.0, 0.0, 1.0]]), skin)[0][0]
    return np.asarray(np.maximum(rate[1:] / rate[0], 1e-6))


class Correction:
    """Principal components of the error of one response.

    Attributes
    ----------
    mean
        Prior mean of the components: what the bench left over, shape (``COMPONENTS``,).
    edge_error
        Relative error of a rate within the field, at each of ``angles_deg``.
    angles_deg
        Angles at the tip between which the surface is linear, closest at the field's edge.

    """

    def __init__(self, response: Response) -> None:
        log_distances = np.log(DISTANCES_MM)
        fine = np.linspace(0.0, 120.0, 241)
        profile = _profile(response, fine)
        slope = np.where(profile > _FIELD_OVER, np.abs(np.gradient(np.log(profile), fine)), 0.0)
        smooth = np.convolve(np.pad(slope, 8, mode="edge"), np.full(17, 1 / 17), mode="valid")
        is_edge = (
            ndimage.maximum_filter1d(smooth, 2 * int(EDGE_REACH_DEG / (fine[1] - fine[0])) + 1) > _STEEP_PER_DEG
        )
        length = np.where(is_edge, EDGE_LENGTH_DEG, LENGTH_DEG)
        lengths = np.concatenate(([0.0], np.cumsum((fine[1] - fine[0]) / length[1:])))
        warped = np.linspace(0.0, lengths[-1], math.ceil(lengths[-1] * NODES_A_LENGTH) + 1)
        angles = np.interp(warped, lengths, fine)
        self.angles_deg = angles
        self.edge_error = np.hypot(response.model_error, EDGE_DEG * np.interp(angles, fine, smooth))
        scatter = np.minimum(np.log1p(SCATTER_SHARE / np.interp(angles, fine, profile)), GREATEST_SCATTER)
        amplitude = np.hypot(np.where(scatter > self.edge_error, response.stray_error, self.edge_error), scatter)
        alike = np.kron(
            np.exp(-0.5 * np.square(warped[:, None] - warped)),
            np.exp(-0.5 * np.square((log_distances[:, None] - log_distances) / LENGTH_LOG_MM)),
        )
        spread = PATIENT_FACTOR * np.repeat(amplitude, len(DISTANCES_MM))
        covariance = alike * np.outer(spread, spread)
        mean = np.zeros(len(spread))
        upright = covariance
        if len(response.residuals):
            angle_deg, distance_mm, log_ratio, sigma, in_air = response.residuals.T
            seen = self._nodes(angle_deg, distance_mm)
            # a count in air says nothing of scatter
            noise = sigma**2 + np.where(
                in_air > 0, (PATIENT_FACTOR * np.interp(angle_deg, angles, scatter)) ** 2, 0.0
            )
            gain = np.linalg.solve(seen @ covariance @ seen.T + np.diag(noise), seen @ covariance).T
            mean = gain @ log_ratio
            upright = covariance - gain @ seen @ covariance
        both = np.zeros((2 * len(spread), 2 * len(spread)))
        both[: len(spread), : len(spread)] = (upright + upright.T) / 2
        leaning = np.tile(np.minimum(TILT_MM / np.array(DISTANCES_MM), 1.0), len(angles))
        both[len(spread) :, len(spread) :] = covariance * np.outer(leaning, leaning)
        # what is kept is chosen by what it moves the counts by: much in the field, little in the dark
        matters = np.tile(np.repeat(np.sqrt(np.interp(angles, fine, profile)), len(DISTANCES_MM)), 2)
        values, vectors = np.linalg.eigh(both * np.outer(matters, matters))
        kept = np.argsort(values)[::-1][: COMPONENTS - 1]
        leading = vectors[:, kept] * np.sqrt(np.maximum(values[kept], 1e-12)) / matters[:, None]
        # where the bench counted well little spread is left: no leading component could carry what it found there
        carrier = np.concatenate((mean, np.zeros(len(spread)))) / HELD
        self._basis = np.column_stack((leading, carrier))
        self.mean = np.append(np.zeros(COMPONENTS - 1), HELD)

    def _nodes(self, angle_deg: Array, distance_mm: Array) -> Array:
        """Weights of the nodes of one surface, shape (..., nodes)."""
        by_angle = _hats(angle_deg, self.angles_deg)
        by_distance = _hats(np.log(distance_mm), np.log(DISTANCES_MM))
        outer = by_angle[..., :, None] * by_distance[..., None, :]
        return np.asarray(outer.reshape(*angle_deg.shape, len(self.angles_deg) * len(DISTANCES_MM)))

    def components_at(self, points_mm: Array, tip_mm: Array, axis: Array, skin: Skin) -> Array:
        """Look up the components, shape (N, M, ``COMPONENTS``).

        ``points_mm`` (M, 3), ``tip_mm`` and ``axis`` (N, 3) in the patient frame. The logarithm of the rate
        changes by the components times their values.
        """
        offset = points_mm[None] - tip_mm[:, None]
        distance = np.maximum(np.linalg.norm(offset, axis=-1), 1e-3)
        angle = _angle_deg(offset, distance, axis)
        tilt = np.clip((angle - _angle_deg(offset, distance, -skin.normal)) / TILT_DEG, -1.5, 1.5)
        tilt = np.where(np.isfinite(skin.height_mm)[:, None], tilt, 0.0)
        nodes = self._nodes(angle, distance)
        size = nodes.shape[-1]
        components = nodes @ self._basis[:size] + (nodes * tilt[..., None]) @ self._basis[size:]
        return np.asarray(components)

    def error_at(self, points_mm: Array, tip_mm: Array, axis: Array) -> Array:
        """Look up the relative error of a single reading, shape (N, M); arguments as ``components_at``."""
        offset = points_mm[None] - tip_mm[:, None]
        distance = np.maximum(np.linalg.norm(offset, axis=-1), 1e-3)
        return np.asarray(np.interp(_angle_deg(offset, distance, axis), self.angles_deg, self.edge_error))
