"""Sensitivity: the point source on the axis, at several distances."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from acquisition.quality.counts import Count
from acquisition.quality.placements import Exposure, Source, around_tip
from acquisition.quality.results import Figure, StepResult, failure
from acquisition.quality.settings import PointSource, SensitivityLimits
from acquisition.quality.steps import Known
from navigation.statistics.counting import Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """Counts of the point source at rising distances on the axis."""

    limits: SensitivityLimits
    source: PointSource
    name: str = "sensitivity"
    needs_assay: bool = True

    @property
    def exposures(self) -> Sequence[Exposure]:
        """One count at each distance."""
        return tuple(
            Exposure(
                placement=around_tip(Source.POINT, f"the {self.source.nuclide} point source", distance_mm),
                longest_s=self.limits.longest_s,
                counts_wanted=self.limits.counts,
            )
            for distance_mm in self.limits.distances_mm
        )

    @property
    def limit(self) -> str:
        """What passes, in words."""
        return (
            f"{self.limits.reference_cps_per_mbq:g} cps/MBq ±{self.limits.tolerance:.0%} "
            f"at {self.limits.reference_distance_mm:g} mm"
        )

    def evaluate(self, counts: Sequence[Count], known: Known) -> StepResult:
        """Compare with acceptance at one distance, and all distances with the inverse square."""
        found = [
            per_mbq(known.net(count), known.activity_mbq(self.source.nuclide, count.middle_at)) for count in counts
        ]
        figures = tuple(
            Figure(name=f"{distance_mm:g} mm", value=rate.rate_cps, unit="cps/MBq", sigma=rate.sigma_cps)
            for distance_mm, rate in zip(self.limits.distances_mm, found, strict=True)
        )
        if any(rate.rate_cps <= 3 * rate.sigma_cps for rate in found):
            reason = "no more than background at some distance: the point source is missing, or the value is stuck"
            return failure(self.name, self.limit, reason, *figures)
        reference = found[self.limits.distances_mm.index(self.limits.reference_distance_mm)]
        deviation = reference.rate_cps / self.limits.reference_cps_per_mbq - 1
        if abs(deviation) > self.limits.tolerance:
            reason = (
                f"{deviation:+.0%} of acceptance: another activity or nuclide than stated, a window set for "
                "another nuclide, or a probe that has changed"
            )
            return failure(self.name, self.limit, reason, *figures)
        error = reference.sigma_cps / self.limits.reference_cps_per_mbq
        if error > self.limits.tolerance / 3:
            reason = (
                f"too few counts to tell: the error alone is {error:.0%}; use a stronger source, or count longer"
            )
            return failure(self.name, self.limit, reason, *figures)
        worst_mm, excess = self._off_inverse_square(found)
        if excess > 2 * self.limits.tolerance:
            reason = (
                f"the count at {worst_mm:g} mm is {excess:.0%} off what the other distances say: the source stood "
                "elsewhere"
            )
            return failure(self.name, self.limit, reason, *figures)
        reason = f"{deviation:+.1%} of acceptance, and the distances agree"
        return StepResult(name=self.name, passed=True, figures=figures, limit=self.limit, reason=reason)

    def _off_inverse_square(self, found: Sequence[Rate]) -> tuple[float, float]:
        """Distance whose rate is farthest from what the others predict, and by what share.

        A crystal behind the tip sees 1 / (d + depth)^2, so that 1 / sqrt(rate) is a straight line in d; each
        point is compared with the line through the rest.
        """
        distances_mm = np.array(self.limits.distances_mm)
        roots = 1 / np.sqrt([rate.rate_cps for rate in found])
        off = []
        for number, distance_mm in enumerate(distances_mm):
            line = np.polynomial.Polynomial.fit(np.delete(distances_mm, number), np.delete(roots, number), deg=1)
            off.append(abs(float((line(distance_mm) / roots[number]) ** 2) - 1))
        worst = int(np.argmax(off))
        return float(distances_mm[worst]), off[worst]


def per_mbq(net: Rate, activity_mbq: float) -> Rate:
    """Net rate of 1 MBq."""
    return Rate(rate_cps=net.rate_cps / activity_mbq, sigma_cps=net.sigma_cps / activity_mbq)
