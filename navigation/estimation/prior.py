"""What is believed before the first count: sources on the map, and the ones that are not.

A mapped source lies near its hotspot, moved by registration and shift of the tissue; an always-present uniform
share lets the counts overrule the map. Activities are log-normal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from navigation.errors import NavigationError

Array = NDArray[np.float64]

SHIFT_SIGMA_MM = 8.0
"""Shift of tissue from scan to surgery, a standard deviation an axis.

Supine breast, scan to surgery, after rigid registration: 9.3 +- 1.7 mm of target registration error
(PubMed 34382176).
"""

COMMON_SHARE = 0.7
"""Share of the shift's variance that a map's sources have in common: posture and registration move them all."""

LEAST_UNIFORM_SHARE = 0.05
"""Share of the prior that ignores the map: less, and a wrong map could not be overruled."""

PRESENCE = 0.7
"""Probability before the counts that what the map shows is there.

Likelier than not, and little enough that the counts decide: beside an injection site, where they can hardly speak
against a spot, one that is not there is not kept up by the map.
"""

NODE_ACTIVITY_MBQ = 0.05
"""Median activity where nothing is known: melanoma nodes 40 Bq to 250 kBq, breast nodes above that."""

NODE_ACTIVITY_FACTOR = 5.0
"""Its one-sigma factor."""


class MappedSpot(Protocol):
    """What the prior reads of a hotspot."""

    @property
    def name(self) -> str: ...  # noqa: D102 - Hotspot documents them
    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def centre_mm(self) -> Array: ...  # noqa: D102
    @property
    def covariance_mm2(self) -> Array: ...  # noqa: D102
    @property
    def activity_mbq(self) -> float | None: ...  # noqa: D102
    @property
    def activity_factor(self) -> float: ...  # noqa: D102


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SourcePrior:
    """What is believed of one source.

    Attributes
    ----------
    name, kind
        As on the map; kind is ``"target"``, ``"injection"`` or ``"organ"``, which takes up tracer by its nature.
    centre_mm, covariance_mm2
        Normal part of the position's density, shift included, shapes (3,) and (3, 3), patient frame; None where
        the source is on no map.
    shift_sigma_mm
        Part of that covariance which all mapped sources share, a standard deviation an axis: see ``MapShift``.
    uniform_share
        Weight of the part that is uniform over what the probe has looked at; 1 without a map.
    log_activity_mean, log_activity_sigma
        Of the natural logarithm of the activity in MBq.
    presence
        Probability that it is there at all; 1 for what is no target.

    """

    name: str
    kind: str
    centre_mm: Array | None
    covariance_mm2: Array | None
    shift_sigma_mm: float
    uniform_share: float
    log_activity_mean: float
    log_activity_sigma: float
    presence: float
    _precision: Array | None = field(init=False, repr=False)
    _log_norm: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        covariance = self.covariance_mm2
        precision = None if covariance is None else np.linalg.inv(covariance)
        log_norm = 0.0 if covariance is None else -0.5 * float(np.linalg.slogdet(2 * np.pi * covariance)[1])
        object.__setattr__(self, "_precision", precision)
        object.__setattr__(self, "_log_norm", log_norm)

    @property
    def is_injection(self) -> bool:
        """Whether it is where the tracer was injected, never a target."""
        return self.kind == "injection"

    @property
    def is_target(self) -> bool:
        """Whether it is looked for; else it is known to be there, and explains its own counts."""
        return self.kind == "target"

    def log_density(self, points_mm: Array, volume_mm3: float) -> tuple[Array, NDArray[np.bool_]]:
        """Logarithm of the position's density at points (M, 3), per mm3, and where the map's part rules it."""
        flat = np.full(len(points_mm), math.log(max(self.uniform_share, 1e-300) / volume_mm3))
        if self.centre_mm is None or self._precision is None:
            return flat, np.zeros(len(points_mm), dtype=bool)
        offset = points_mm - self.centre_mm
        square = ((offset @ self._precision) * offset).sum(axis=1)
        mapped = math.log1p(-self.uniform_share) + self._log_norm - 0.5 * square
        return np.logaddexp(flat, mapped), mapped > flat


def _require_spot(spot: MappedSpot) -> None:
    """Refuse a hotspot that no study can have shown."""
    if spot.kind not in ("target", "injection", "organ"):
        raise NavigationError(f"prior: {spot.name} is a {spot.kind!r}, no target, injection or organ")
    if not (np.shape(spot.centre_mm) == (3,) and np.isfinite(spot.centre_mm).all()):
        raise NavigationError(f"prior: {spot.name} lies at {spot.centre_mm}: wants three finite millimetres")
    covariance = np.asarray(spot.covariance_mm2, np.float64)
    if not (
        covariance.shape == (3, 3) and np.isfinite(covariance).all() and np.allclose(covariance, covariance.T)
    ):
        raise NavigationError(f"prior: the covariance of {spot.name} wants 3 x 3 finite, symmetric numbers")
    is_positive = spot.activity_mbq is None or 0 < spot.activity_mbq < math.inf
    if not (is_positive and 1 < spot.activity_factor < math.inf):
        raise NavigationError(
            f"prior: {spot.name} has {spot.activity_mbq} MBq, right to a factor of {spot.activity_factor}: wants "
            "finite numbers, an activity above 0 (None where it is not known) and a factor above 1"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """All that is believed before the first count.

    Attributes
    ----------
    sources
        One for each hotspot of the map.
    unmapped
        Of a source that is on no map.

    """

    sources: tuple[SourcePrior, ...]
    unmapped: SourcePrior

    @classmethod
    def from_hotspots(
        cls,
        hotspots: Sequence[MappedSpot],
        *,
        shift_sigma_mm: float = SHIFT_SIGMA_MM,
        uniform_share: float = LEAST_UNIFORM_SHARE,
        presence: float = PRESENCE,
        unmapped_presence: float = 0.05,
    ) -> Self:
        """Take a map's hotspots.

        Parameters
        ----------
        hotspots
            Positions and covariances in the patient frame, mm; activities at the time of the counts, MBq.
        shift_sigma_mm
            Registration and shift added to every position, a standard deviation an axis.
        uniform_share
            At least ``LEAST_UNIFORM_SHARE``.
        presence, unmapped_presence
            Probability that a target of the map is there, and that there is one that the map does not show.

        Raises
        ------
        NavigationError
            Where the share is too small, a kind is unknown, a name comes twice or a number makes no sense.

        """
        if not LEAST_UNIFORM_SHARE <= uniform_share <= 1:
            raise NavigationError(f"prior: a uniform share of {uniform_share} cannot overrule a wrong map")
        if not (0 < presence < 1 and 0 < unmapped_presence < 1):
            raise NavigationError("prior: a probability of 0 or 1 could never be learnt otherwise")
        if len({spot.name for spot in hotspots}) != len(hotspots):
            raise NavigationError("prior: two hotspots share a name")
        sources = []
        for spot in hotspots:
            _require_spot(spot)
            covariance = np.asarray(spot.covariance_mm2, np.float64) + shift_sigma_mm**2 * np.eye(3)
            if np.linalg.eigvalsh(covariance).min() <= 0:
                raise NavigationError(f"prior: the covariance of {spot.name} is not positive")
            is_known = spot.activity_mbq is not None
            sources.append(
                SourcePrior(
                    name=spot.name,
                    kind=spot.kind,
                    centre_mm=np.array(spot.centre_mm, np.float64),
                    covariance_mm2=covariance,
                    shift_sigma_mm=shift_sigma_mm * math.sqrt(COMMON_SHARE),
                    uniform_share=uniform_share,
                    log_activity_mean=math.log(spot.activity_mbq or NODE_ACTIVITY_MBQ),
                    log_activity_sigma=math.log(spot.activity_factor if is_known else NODE_ACTIVITY_FACTOR),
                    presence=presence if spot.kind == "target" else 1.0,
                )
            )
        return cls(
            sources=tuple(sources),
            unmapped=SourcePrior(
                name="unmapped",
                kind="target",
                centre_mm=None,
                covariance_mm2=None,
                shift_sigma_mm=0.0,
                uniform_share=1.0,
                log_activity_mean=math.log(NODE_ACTIVITY_MBQ),
                log_activity_sigma=math.log(NODE_ACTIVITY_FACTOR),
                presence=unmapped_presence,
            ),
        )
