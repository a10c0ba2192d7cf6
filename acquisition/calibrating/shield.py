"""Leak through the shield, on the side and at the back."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot

from acquisition.calibrating.settings import ShieldLimits
from acquisition.quality.counts import Count
from acquisition.quality.placements import Exposure, PlacedSource, Placement, Source, around_tip
from acquisition.quality.results import Figure, StepResult, failure
from acquisition.quality.sensitivity import per_mbq
from acquisition.quality.settings import PointSource
from acquisition.quality.steps import Known

SIDES = (
    ("left of", (-1.0, 0.0)),
    ("right of", (1.0, 0.0)),
    ("above", (0.0, -1.0)),
    ("below", (0.0, 1.0)),
)

SURE_ERRORS = 4.0
"""Errors above the limit at which a leak is no chance.

The count from behind is hardly more than background, and its error half of the limit: two errors would fail one in
forty of the probes that leak as much as the limit allows, four one in thirty thousand.
"""

LIKELY_ERRORS = 2.0
"""Errors above what is found that a leak may well reach: one in forty is greater."""

COUNT_MORE = "use a stronger source, or count longer"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShieldLeak:
    """The point source ahead, on four sides of the crystal, and behind the probe."""

    limits: ShieldLimits
    source: PointSource
    counts: int
    name: str = "shield"
    needs_assay: bool = True

    @property
    def places_mm(self) -> tuple[tuple[float, float, float], ...]:
        """Where the source stands, TIP frame: ahead, four sides, behind."""
        limits = self.limits
        ahead = (0.0, 0.0, limits.distance_mm)
        sides = [
            (limits.distance_mm * x, limits.distance_mm * y, -limits.crystal_behind_tip_mm) for _, (x, y) in SIDES
        ]
        return (ahead, *sides, (0.0, 0.0, -limits.back_mm))

    @property
    def exposures(self) -> Sequence[Exposure]:
        """One count of each place, behind as long as a leak so far off takes to be told."""
        limits, called = self.limits, f"the {self.source.nuclide} point source"
        asked = [
            around_tip(Source.POINT, called, limits.distance_mm).instruction,
            *(
                f"Place {called} {side} the shaft, {limits.distance_mm:g} mm from its axis and "
                f"{limits.crystal_behind_tip_mm:g} mm behind the tip"
                for side, _ in SIDES
            ),
            f"Place {called} behind the probe, on its axis, {limits.back_mm:g} mm behind the tip",
        ]
        return tuple(
            Exposure(
                placement=Placement(
                    instruction=instruction, sources=(PlacedSource(source=Source.POINT, position_mm=place_mm),)
                ),
                longest_s=limits.back_s if number == len(asked) - 1 else limits.count_s,
                counts_wanted=self.counts if number == 0 else None,
            )
            for number, (instruction, place_mm) in enumerate(zip(asked, self.places_mm, strict=True))
        )

    @property
    def limit(self) -> str:
        """What passes, in words."""
        return f"at most {self.limits.greatest_leak:.2%} of the rate ahead, so far from the crystal"

    def evaluate(self, counts: Sequence[Count], known: Known) -> StepResult:
        """Judge the greatest leak, brought to the distance of the count ahead by the inverse square."""
        found = [
            per_mbq(known.net(count), known.activity_mbq(self.source.nuclide, count.middle_at)) for count in counts
        ]
        ahead = found[0]
        if ahead.rate_cps <= 3 * ahead.sigma_cps:
            reason = "no more than background ahead: the point source is missing, or the value is stuck"
            return failure(self.name, self.limit, reason)
        squares = [hypot(x, y, z + self.limits.crystal_behind_tip_mm) ** 2 for x, y, z in self.places_mm]
        scales = [square / squares[0] / ahead.rate_cps for square in squares[1:]]
        leaks = [rate.rate_cps * scale for rate, scale in zip(found[1:], scales, strict=True)]
        errors = [rate.sigma_cps * scale for rate, scale in zip(found[1:], scales, strict=True)]
        names = [side for side, _ in SIDES] + ["behind"]
        figures = tuple(
            Figure(name=name, value=100 * leak, unit="%", sigma=100 * sigma)
            for name, leak, sigma in zip(names, leaks, errors, strict=True)
        )
        greatest = self.limits.greatest_leak
        sure = [leak - SURE_ERRORS * sigma for leak, sigma in zip(leaks, errors, strict=True)]
        worst = sure.index(max(sure))
        if sure[worst] > greatest:
            reason = f"{leaks[worst]:.2%} {names[worst]} the shaft: the shield leaks, or a source was left near"
            return failure(self.name, self.limit, reason, *figures)
        if max(errors) > greatest:
            reason = f"too few counts to tell: the error is {max(errors):.2%}; {COUNT_MORE}"
            return failure(self.name, self.limit, reason, *figures)
        likely = [max(leak, 0.0) + LIKELY_ERRORS * sigma for leak, sigma in zip(leaks, errors, strict=True)]
        most = max(likely)
        if most > greatest:
            where = names[likely.index(most)]
            reason = f"at most {most:.2%} {where} the shaft, which cannot be told from the limit: {COUNT_MORE}"
        else:
            reason = f"at most {most:.2%}: the shield holds"
        figures += (Figure(name="at most", value=100 * most, unit="%"),)
        return StepResult(name=self.name, passed=True, figures=figures, limit=self.limit, reason=reason)
