"""Light: whether the theatre's lamp makes the probe count."""

from collections.abc import Sequence
from dataclasses import dataclass

from acquisition.quality.counts import Count
from acquisition.quality.placements import Exposure, PlacedSource, Placement, Source
from acquisition.quality.results import Figure, StepResult, failure
from acquisition.quality.settings import LightLimits
from acquisition.quality.steps import Known

LAMP_MM = 100.0
"""Of the lamp from the tip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LightTightness:
    """Count with a lamp at the tip and no source near: light must not add to the background."""

    limits: LightLimits
    name: str = "light"
    needs_assay: bool = False

    @property
    def exposures(self) -> Sequence[Exposure]:
        """One count under the lamp."""
        placement = Placement(
            instruction="Leave every source away and shine a bright lamp at the probe's tip",
            sources=(PlacedSource(source=Source.LAMP, position_mm=(0.0, 0.0, LAMP_MM)),),
        )
        return (Exposure(placement=placement, longest_s=self.limits.count_s),)

    @property
    def limit(self) -> str:
        """What passes, in words."""
        return f"at most {self.limits.greatest_cps:g} cps above the background"

    def evaluate(self, counts: Sequence[Count], known: Known) -> StepResult:
        """Fail where light surely adds more than the limit."""
        (count,) = counts
        added = known.net(count)
        figures = (Figure(name="by light", value=added.rate_cps, unit="cps", sigma=added.sigma_cps),)
        if added.rate_cps - 2 * added.sigma_cps > self.limits.greatest_cps:
            reason = (
                f"{added.rate_cps:.0f} cps more under the lamp: light leaks in; look at the tip's window and the "
                "cable's collar, and do not use it under theatre lights"
            )
            return failure(self.name, self.limit, reason, *figures)
        if 2 * added.sigma_cps > self.limits.greatest_cps:
            reason = f"too few counts to tell: the error alone is {added.sigma_cps:.1f} cps; count longer"
            return failure(self.name, self.limit, reason, *figures)
        reason = f"{added.rate_cps:+.1f} cps under the lamp: no light gets in"
        return StepResult(name=self.name, passed=True, figures=figures, limit=self.limit, reason=reason)
