"""Constancy: the check source against its own past, decay taken off."""

from collections.abc import Sequence
from dataclasses import dataclass

from acquisition.quality.counts import Count
from acquisition.quality.placements import Exposure, Source, around_tip
from acquisition.quality.results import Figure, StepResult, failure
from acquisition.quality.settings import CheckSource, ConstancyLimits
from acquisition.quality.steps import Known
from navigation.statistics.counting import constancy, critical_level


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckConstancy:
    """Count of the check source in its fixture."""

    limits: ConstancyLimits
    source: CheckSource
    name: str = "constancy"
    needs_assay: bool = False

    @property
    def exposures(self) -> Sequence[Exposure]:
        """One count of the check source."""
        called = " ".join(filter(None, ("the", self.source.nuclide, "check source", self.source.label)))
        return (
            Exposure(
                placement=around_tip(Source.CHECK, called, self.source.distance_mm),
                longest_s=self.limits.longest_s,
                counts_wanted=self.limits.counts,
            ),
        )

    @property
    def limit(self) -> str:
        """What passes, in words."""
        return f"within ±{self.limits.limit:.0%} of the decayed reference"

    def evaluate(self, counts: Sequence[Count], known: Known) -> StepResult:
        """Compare with the reference; a deviation that chance alone can make of few counts does not pass."""
        (count,) = counts
        net = known.net(count)
        found = constancy(
            net,
            reference_cps=self.source.reference_cps,
            elapsed_s=(count.middle_at - self.source.reference_at).total_seconds(),
            half_life_s=known.nuclides[self.source.nuclide].half_life_s,
        )
        figures = (
            Figure(name="net rate", value=net.rate_cps, unit="cps", sigma=net.sigma_cps),
            Figure(name="expected", value=found.expected_cps, unit="cps"),
            Figure(name="deviation", value=100 * found.deviation, unit="%", sigma=100 * found.sigma),
        )
        if count.counts == 0:
            reason = "no counts at all: crystal, its supply, window or cable is dead"
            return failure(self.name, self.limit, reason, *figures)
        background_counts = (count.rate.rate_cps - net.rate_cps) * count.live_time_s
        if net.rate_cps * count.live_time_s <= critical_level(max(background_counts, 0.0)):
            reason = "no more than background: the check source is not there, or the shown value is stuck"
            return failure(self.name, self.limit, reason, *figures)
        if abs(found.deviation) > self.limits.limit:
            reason = (
                f"{found.deviation:+.0%} of the expected rate: another source, another distance, a window set for "
                "another nuclide, or the probe's gain has drifted"
            )
            return failure(self.name, self.limit, reason, *figures)
        if found.sigma > self.limits.limit / 3:
            reason = f"too few counts to tell: the error alone is {found.sigma:.0%}; count longer"
            return failure(self.name, self.limit, reason, *figures)
        is_far = abs(found.deviation) > self.limits.warning
        return StepResult(
            name=self.name,
            passed=True,
            figures=figures,
            limit=self.limit,
            reason=f"{found.deviation:+.1%} of the expected rate"
            + (f", past the warning at ±{self.limits.warning:.0%}: watch it" if is_far else ""),
        )
