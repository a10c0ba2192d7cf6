"""Dead time: two sources, each alone and both together."""

from collections.abc import Sequence
from dataclasses import dataclass

from acquisition.quality.counts import Count
from acquisition.quality.placements import Exposure, PlacedSource, Placement, Source
from acquisition.quality.results import Figure, StepResult, failure
from acquisition.quality.settings import DeadTimeLimits
from acquisition.quality.steps import Known
from navigation.statistics.counting import DeadTime, two_source_dead_time

UNSEEN_S = 1e-6
"""A dead time that hides: a fifth of it, the allowance beside chance, takes 0.4 % of 20,000 cps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoSources:
    """First source, both, second source, none moved between: what they lose together is dead time."""

    limits: DeadTimeLimits
    name: str = "dead time"
    needs_assay: bool = False

    @property
    def exposures(self) -> Sequence[Exposure]:
        """Three counts, so ordered that each source is put down once and stays."""
        aside_mm, ahead_mm = self.limits.apart_mm / 2, self.limits.distance_mm
        first = PlacedSource(source=Source.FIRST, position_mm=(-aside_mm, 0.0, ahead_mm))
        second = PlacedSource(source=Source.SECOND, position_mm=(aside_mm, 0.0, ahead_mm))
        asked = (
            (f"Place the first of two strong sources {ahead_mm:g} mm before the tip, left of the axis", (first,)),
            ("Leave it exactly there and place the second one right of the axis", (first, second)),
            ("Take the first away without touching the second", (second,)),
        )
        return tuple(
            Exposure(placement=Placement(instruction=instruction, sources=sources), longest_s=self.limits.count_s)
            for instruction, sources in asked
        )

    @property
    def limit(self) -> str:
        """What passes, in words."""
        return f"at most {self.limits.greatest_s * 1e6:g} µs, and as the site file states"

    def measure(self, counts: Sequence[Count], known: Known) -> DeadTime:
        """Dead time that is left in the counts over their live times.

        Raises
        ------
        NavigationError, MissingStep
            Where the rates are not those of two sources, or there is no background.

        """
        first, both, second = counts
        return two_source_dead_time(first.rate, second.rate, both.rate, known.counted_background.rate)

    def evaluate(self, counts: Sequence[Count], known: Known) -> StepResult:
        """Judge what is left; an instrument that corrects by its own live time leaves none."""
        found = self.measure(counts, known)
        both = counts[1]
        figures = (
            Figure(name="dead time", value=found.dead_time_s * 1e6, unit="µs", sigma=found.sigma_s * 1e6),
            Figure(name="together", value=both.rate.rate_cps, unit="cps"),
        )
        shown = f"{found.dead_time_s * 1e6:.1f} ± {found.sigma_s * 1e6:.1f} µs"
        if both.rate.rate_cps * self.limits.greatest_s < self.limits.least_loss:
            reason = f"{both.rate.rate_cps:.0f} cps together are too few to tell: use stronger sources"
            return failure(self.name, self.limit, reason, *figures)
        stated_s = both.dead_time_s
        allowed_s = 3 * found.sigma_s + 0.2 * max(stated_s, UNSEEN_S)
        if found.dead_time_s < -allowed_s:
            reason = f"{shown}: together they count more than alone, so a source was moved"
            return failure(self.name, self.limit, reason, *figures)
        if found.dead_time_s - 2 * found.sigma_s > self.limits.greatest_s:
            return failure(self.name, self.limit, f"{shown}: the electronics lose too many counts", *figures)
        if abs(found.dead_time_s - stated_s) > allowed_s:
            reason = (
                f"{shown}, but {stated_s * 1e6:g} µs are corrected for: set dead_time_s in the site file, "
                "or a source was moved"
            )
            return failure(self.name, self.limit, reason, *figures)
        if 3 * found.sigma_s > self.limits.greatest_s:
            reason = f"{shown}: too few counts to tell; use stronger sources, or count longer"
            return failure(self.name, self.limit, reason, *figures)
        return StepResult(
            name=self.name,
            passed=True,
            figures=figures,
            limit=self.limit,
            reason=f"{shown}, {stated_s * 1e6:g} µs are corrected for",
        )
