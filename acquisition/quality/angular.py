"""Angular response: the point source around the tip's centre."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, isinf

from acquisition.quality.counts import Count
from acquisition.quality.placements import Exposure, Source, around_tip
from acquisition.quality.results import Figure, StepResult, failure
from acquisition.quality.sensitivity import per_mbq
from acquisition.quality.settings import AngularLimits, PointSource
from acquisition.quality.steps import Known
from navigation.statistics.counting import width_at, width_sigma_at


@dataclass(frozen=True, slots=True, kw_only=True)
class AngularResponse:
    """Counts of the point source on a circle about the tip's centre."""

    limits: AngularLimits
    source: PointSource
    name: str = "angular response"
    needs_assay: bool = True

    @property
    def exposures(self) -> Sequence[Exposure]:
        """One count at each angle."""
        called = f"the {self.source.nuclide} point source"
        return tuple(
            Exposure(
                placement=around_tip(Source.POINT, called, self.limits.distance_mm, angle_deg),
                longest_s=self.limits.longest_s,
                counts_wanted=self.limits.counts,
            )
            for angle_deg in self.limits.angles_deg
        )

    @property
    def limit(self) -> str:
        """What passes, in words."""
        return (
            f"FWHM {self.limits.least_width_deg:g}-{self.limits.greatest_width_deg:g}°, "
            f"at most {self.limits.greatest_leak:.2%} at {self.limits.angles_deg[-1]:g}°"
        )

    def evaluate(self, counts: Sequence[Count], known: Known) -> StepResult:
        """Judge the width between half maxima, and what comes through the shield at the widest angle."""
        found = [
            per_mbq(known.net(count), known.activity_mbq(self.source.nuclide, count.middle_at)) for count in counts
        ]
        ahead = found[0]
        if ahead.rate_cps <= 3 * ahead.sigma_cps:
            reason = "no more than background on the axis: the point source is missing, or the value is stuck"
            return failure(self.name, self.limit, reason)
        relative = [rate.rate_cps / ahead.rate_cps for rate in found]
        width_deg = width_at(self.limits.angles_deg, relative)
        leak, leak_sigma = relative[-1], found[-1].sigma_cps / ahead.rate_cps
        leaking = Figure(
            name=f"at {self.limits.angles_deg[-1]:g}°", value=100 * leak, unit="%", sigma=100 * leak_sigma
        )
        if isinf(width_deg):
            reason = "the rate never falls to one half: the collimator is missing, or the value is stuck"
            return failure(self.name, self.limit, reason, leaking)
        tenth_deg = width_at(self.limits.angles_deg, relative, level=0.1)
        tenth = () if isinf(tenth_deg) else (Figure(name="FWTM", value=tenth_deg, unit="°"),)
        width_sigma = width_sigma_at(self.limits.angles_deg, found)
        width = Figure(
            name="FWHM", value=width_deg, unit="°", sigma=width_sigma if isfinite(width_sigma) else None
        )
        figures = (width, *tenth, leaking)
        if not self.limits.least_width_deg <= width_deg <= self.limits.greatest_width_deg:
            reason = (
                f"{width_deg:.0f}° wide: the collimator is loose or another one, or the angles were set wrongly"
            )
            return failure(self.name, self.limit, reason, *figures)
        if leak - 2 * leak_sigma > self.limits.greatest_leak:
            reason = f"{leak:.2%} at {self.limits.angles_deg[-1]:g}°: the shield leaks, or a source was left near"
            return failure(self.name, self.limit, reason, *figures)
        if leak_sigma > self.limits.greatest_leak:
            reason = f"too few counts to tell the leak: its error is {leak_sigma:.1%}; use a stronger source"
            return failure(self.name, self.limit, reason, *figures)
        reason = f"{width_deg:.0f}° wide, and the shield holds"
        return StepResult(name=self.name, passed=True, figures=figures, limit=self.limit, reason=reason)
