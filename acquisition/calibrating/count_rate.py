"""Count-rate capability: a strong source that decays before the probe."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isinf

from acquisition.calibrating.settings import CountRateLimits
from acquisition.quality.counts import Count
from acquisition.quality.placements import Exposure, Source, around_tip
from acquisition.quality.results import Figure, StepResult, failure
from acquisition.quality.settings import PointSource
from acquisition.quality.steps import Known
from navigation.decay import decay_factor
from navigation.statistics.count_rate import CountRate, DecayingCount, fit_decaying_source
from navigation.statistics.counting import chance_of

GREATEST_LOST = 20.0
"""True events in a dead time, above which no decay could be seen in the counts."""

GREATEST_OFF = 0.05
"""Share by which the strongest count, corrected, may miss what the decay says of it."""

LEAST_CHANCE = 1e-6
"""Below this probability no dead time of either kind explains the counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountRateCapability:
    """Counts of a source that nobody touches, hours apart."""

    limits: CountRateLimits
    source: PointSource
    name: str = "count rate"
    needs_assay: bool = False

    @property
    def exposures(self) -> Sequence[Exposure]:
        """Equal counts at equal distances in time."""
        pause_s = 3600 * self.limits.hours / (self.limits.counts - 1) - self.limits.count_s
        placement = around_tip(
            Source.STRONG, f"a strong {self.source.nuclide} source for the night", self.limits.distance_mm
        )
        return tuple(
            Exposure(
                placement=placement,
                longest_s=self.limits.count_s,
                wait_s=max(pause_s, 0.0) if number else 0.0,
            )
            for number in range(self.limits.counts)
        )

    @property
    def limit(self) -> str:
        """What passes, in words."""
        return f"{self.limits.least_cps:g} cps counted before 20% are lost"

    def measure(self, counts: Sequence[Count], known: Known) -> CountRate:
        """Fit the decay to what the instrument counted of real time, its own correction left out.

        Raises
        ------
        NavigationError, MissingStep
            Where the counts are too few, or there is no background.

        """
        begin = counts[0].started_at
        return fit_decaying_source(
            [
                DecayingCount(
                    elapsed_s=(count.started_at - begin).total_seconds(),
                    time_s=count.real_time_s,
                    counts=count.counts,
                )
                for count in counts
            ],
            half_life_s=known.nuclides[self.source.nuclide].half_life_s,
            background_cps=known.counted_background.rate.rate_cps,
        )

    def _off(self, found: CountRate, counts: Sequence[Count], known: Known) -> float:
        """Give by what share the strongest count, corrected as readings are, misses what the decay says of it."""
        strongest = max(counts, key=lambda count: count.counts / count.real_time_s)
        elapsed_s = (strongest.middle_at - counts[0].started_at).total_seconds()
        left = decay_factor(half_life_s=known.nuclides[self.source.nuclide].half_life_s, elapsed_s=elapsed_s)
        expected_cps = found.start_cps * left + known.counted_background.true_rate.rate_cps
        return strongest.true_rate.rate_cps / expected_cps - 1

    def evaluate(self, counts: Sequence[Count], known: Known) -> StepResult:
        """Judge what is counted where a fifth is lost, and the correction; raises as ``measure`` does."""
        found = self.measure(counts, known)
        loss_cps, highest_cps = found.loss_counted_cps, max(count.counts / count.real_time_s for count in counts)
        kind = ("extending" if found.is_extending else "non-extending") if found.is_told else "of either kind"
        figures = [
            Figure(name="dead time", value=found.dead_time_s * 1e6, unit="µs", sigma=found.sigma_s * 1e6),
            Figure(name="most counted", value=highest_cps, unit="cps"),
        ]
        if not isinf(loss_cps):
            figures.append(Figure(name="20% lost", value=loss_cps, unit="cps"))
        shown = f"{found.dead_time_s * 1e6:.1f} ± {found.sigma_s * 1e6:.1f} µs, {kind}"
        if found.start_cps * found.dead_time_s > GREATEST_LOST:
            reason = "the counts hardly fall as the source decays: the value is stuck, or the probe is paralysed"
            return failure(self.name, self.limit, reason, *figures)
        if chance_of(found.chi2, found.degrees) < LEAST_CHANCE:
            reason = (
                f"the counts do not fall as {self.source.nuclide} does with any dead time: another nuclide is in "
                "it, the source was moved, or the value is stuck"
            )
            return failure(self.name, self.limit, reason, *figures)
        if loss_cps < self.limits.least_cps:
            reason = f"20% are lost at {loss_cps:.0f} cps already ({shown}): the electronics are too slow"
            return failure(self.name, self.limit, reason, *figures)
        if highest_cps < self.limits.least_cps:
            reason = f"{highest_cps:.0f} cps at most: too weak a source to tell; take a stronger one"
            return failure(self.name, self.limit, reason, *figures)
        off = self._off(found, counts, known)
        figures.append(Figure(name="corrected rate off", value=100 * off, unit="%"))
        if abs(off) > GREATEST_OFF:
            key = "extending_dead_time_s" if found.is_extending else "dead_time_s"
            reason = (
                f"{shown}, but what is corrected for leaves the rate {off:+.0%} off at {highest_cps:.0f} cps: set "
                f"{key} = {found.dead_time_s:.2g} in the site file, and no other; where the instrument measures "
                "its live time, its fast threshold is wrong"
            )
            return failure(self.name, self.limit, reason, *figures)
        reason = f"{shown}: 20% are lost at {loss_cps:.0f} cps counted, and the rate is corrected for it"
        return StepResult(name=self.name, passed=True, figures=tuple(figures), limit=self.limit, reason=reason)
