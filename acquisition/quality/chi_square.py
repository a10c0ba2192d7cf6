"""Chi-square: do equal counts scatter as radioactivity must."""

from collections.abc import Sequence
from dataclasses import dataclass

from acquisition.quality.counts import Count
from acquisition.quality.placements import Exposure, Placement
from acquisition.quality.results import Figure, StepResult, failure
from acquisition.quality.settings import ChiSquareLimits
from acquisition.quality.steps import Known
from navigation.statistics.counting import chi_square

CHI_SQUARE = "chi-square"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scatter:
    """Equal counts of the source that stands in ``placement``."""

    limits: ChiSquareLimits
    placement: Placement
    name: str = CHI_SQUARE
    needs_assay: bool = False

    @property
    def exposures(self) -> Sequence[Exposure]:
        """The counts, all of one placement."""
        return (Exposure(placement=self.placement, longest_s=self.limits.count_s, times=self.limits.counts),)

    @property
    def limit(self) -> str:
        """What passes, in words."""
        bounds = chi_square([1] * self.limits.counts, tail=self.limits.tail)
        return f"{bounds.low:.2f} to {bounds.high:.2f} for {self.limits.counts} counts"

    def evaluate(self, counts: Sequence[Count], known: Known) -> StepResult:  # noqa: ARG002 - counts judge themselves
        """Judge rates brought to the mean time, since an instrument's intervals need not be equal to the last ms.

        Too low means that values repeat or are averaged before they are sent, so that they are no counts.
        """
        if not any(count.counts for count in counts):
            return failure(self.name, self.limit, "no counts at all: crystal, its supply, window or cable is dead")
        mean_s = sum(count.live_time_s for count in counts) / len(counts)
        found = chi_square([round(count.rate.rate_cps * mean_s) for count in counts], tail=self.limits.tail)
        mean_cps = sum(count.counts for count in counts) / (mean_s * len(counts))
        figures = (
            Figure(name="chi-square", value=found.value, unit=""),
            Figure(name="mean", value=mean_cps, unit="cps"),
        )
        shown = f"{found.value:.2f}"
        if found.value < found.low:
            reason = f"{shown} is too regular for counts: the value is stuck, or smoothed before it is sent"
            return failure(self.name, self.limit, reason, *figures)
        if found.value > found.high:
            reason = f"{shown} is too much scatter: loose cable, noise, unstable supply, or the source moved"
            return failure(self.name, self.limit, reason, *figures)
        reason = f"{shown}: the counts scatter as chance has it"
        return StepResult(name=self.name, passed=True, figures=figures, limit=self.limit, reason=reason)
