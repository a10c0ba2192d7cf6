"""Background: what the probe counts with every source put away."""

from collections.abc import Sequence
from dataclasses import dataclass

from acquisition.quality.counts import Count
from acquisition.quality.detectable import SHOWN_S, detects_in_shown_cps
from acquisition.quality.placements import Exposure, emptied
from acquisition.quality.results import Figure, StepResult
from acquisition.quality.settings import BackgroundLimits
from acquisition.quality.steps import Known
from navigation.statistics.counting import poisson_interval

BACKGROUND = "background"


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """Count with no source near; contamination and forgotten sources show."""

    limits: BackgroundLimits
    name: str = BACKGROUND
    needs_assay: bool = False

    @property
    def exposures(self) -> Sequence[Exposure]:
        """One count with everything put away."""
        return (Exposure(placement=emptied("every source"), longest_s=self.limits.count_s),)

    @property
    def limit(self) -> str:
        """What passes, in words."""
        return f"at most {self.limits.greatest_cps:g} cps"

    def evaluate(self, counts: Sequence[Count], known: Known) -> StepResult:  # noqa: ARG002 - the first step knows nothing yet
        """Fail where the rate is surely above the limit: its 95 % interval lies above (Garwood)."""
        (count,) = counts
        least_cps = poisson_interval(count.counts)[0] / count.live_time_s
        passed = least_cps <= self.limits.greatest_cps
        found_cps = detects_in_shown_cps(count.rate.rate_cps)
        rate = f"{count.rate.rate_cps:.1f} cps"
        if not passed:
            reason = f"{rate} with every source away: probe or bench is contaminated, or a source was left near"
        elif count.counts == 0:
            reason = f"no counts in {count.live_time_s:.0f} s: whether the probe counts, the check source tells"
        else:
            reason = f"{rate}, as an empty bench gives"
        return StepResult(
            name=self.name,
            passed=passed,
            figures=(
                Figure(name="rate", value=count.rate.rate_cps, unit="cps", sigma=count.rate.sigma_cps),
                Figure(name=f"detects in {SHOWN_S:g} s", value=found_cps, unit="cps"),
            ),
            limit=self.limit,
            reason=reason,
        )
