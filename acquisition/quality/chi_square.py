"""Chi-square: whether equal counts scatter as radioactivity must, and stay where they were."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import stdev

from acquisition.quality.counts import Count
from acquisition.quality.placements import Exposure, Placement
from acquisition.quality.results import Figure, StepResult, failure
from acquisition.quality.settings import ChiSquareLimits
from acquisition.quality.steps import Known
from navigation.statistics.control import chi_square_deviate
from navigation.statistics.counting import ChiSquare, chi_square, drift

CHI_SQUARE = "chi-square"
DEVIATE = "deviate"
"""Its figure that can be followed from day to day: the normal deviate that is as rare as the chi-square."""


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
        bounds = self._bounds(self.limits.tail)
        return (
            f"{bounds.low:.2f} to {bounds.high:.2f} for {self.limits.counts} counts, "
            f"no drift past {self.limits.greatest_drift:.0%}"
        )

    def _bounds(self, tail: float) -> ChiSquare:
        return chi_square([1] * self.limits.counts, tail=tail)

    def evaluate(self, counts: Sequence[Count], known: Known) -> StepResult:  # noqa: ARG002 - counts judge themselves
        """Judge rates brought to the mean time, since an instrument's intervals need not be equal to the last ms.

        Too low means that values repeat or are averaged before they are sent, so that they are no counts.
        """
        if not any(count.counts for count in counts):
            return failure(self.name, self.limit, "no counts at all: crystal, its supply, window or cable is dead")
        mean_s = sum(count.live_time_s for count in counts) / len(counts)
        brought = [round(count.rate.rate_cps * mean_s) for count in counts]
        found, course = chi_square(brought, tail=self.limits.tail), drift(brought)
        mean = sum(brought) / len(brought)
        figures = (
            Figure(name=CHI_SQUARE, value=found.value, unit=""),
            Figure(name=DEVIATE, value=chi_square_deviate(found.value, len(counts) - 1), unit="SD"),
            Figure(name="mean", value=mean / mean_s, unit="cps"),
            Figure(name="variation", value=100 * stdev(brought) / mean, unit="%"),
            Figure(name="by chance", value=100 / sqrt(mean), unit="%"),
            Figure(name="drift", value=100 * course.share, unit="%", sigma=100 * course.sigma),
        )
        shown = f"{found.value:.2f}"
        if found.value < found.low:
            reason = f"{shown} is too regular for counts: the value is stuck, or smoothed before it is sent"
            return failure(self.name, self.limit, reason, *figures)
        if abs(course.share) > max(self.limits.greatest_drift, 3 * course.sigma):
            reason = (
                f"{course.share:+.0%} from the first count to the last: it warms up, its supply falls, or the "
                "source moved"
            )
            return failure(self.name, self.limit, reason, *figures)
        if found.value > found.high:
            reason = f"{shown} is too much scatter: loose cable, noise, unstable supply, or the source moved"
            return failure(self.name, self.limit, reason, *figures)
        return StepResult(
            name=self.name, passed=True, figures=figures, limit=self.limit, reason=f"{shown}: {self._said(found)}"
        )

    def _said(self, found: ChiSquare) -> str:
        watched = self._bounds(self.limits.watched_tail)
        within = f"{watched.low:.2f} to {watched.high:.2f}"
        if watched.low <= found.value <= watched.high:
            return f"the counts scatter as chance has it, within {within} too"
        return f"as chance has it, but outside {within}, where {2 * self.limits.watched_tail:.0%} of good sets are"
