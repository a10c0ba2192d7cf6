"""Steps in water: sensitivity in scatter, and spatial resolution."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, isinf, log

from acquisition.calibrating.settings import ResolutionLimits, ScatterLimits
from acquisition.quality.counts import Count
from acquisition.quality.placements import Exposure, Medium, PlacedSource, Placement, Source
from acquisition.quality.results import Figure, StepResult, failure
from acquisition.quality.sensitivity import per_mbq
from acquisition.quality.settings import PointSource
from acquisition.quality.steps import Known
from navigation.probe.bench import TIP_ABOVE_WATER_MM
from navigation.statistics.counting import Rate, width_at, width_sigma_at

TOLD_APART = 6.0
"""Errors that the least attenuation lies above none, at least: an empty tank then passes once in 30,000 times."""


def in_water(source: PointSource, depth_mm: float, offset_mm: float = 0.0) -> Placement:
    """Place the point source under the surface that the tip all but touches."""
    where = "under the tip" if offset_mm == 0 else f"{offset_mm:g} mm aside of the axis"
    return Placement(
        instruction=f"Place the {source.nuclide} point source {depth_mm:g} mm deep in water, {where}",
        sources=(PlacedSource(source=Source.POINT, position_mm=(offset_mm, 0.0, depth_mm + TIP_ABOVE_WATER_MM)),),
        medium=Medium.WATER,
    )


def _in_air(source: PointSource, distance_mm: float) -> Placement:
    return Placement(
        instruction=(
            f"Take the water away: the {source.nuclide} point source {distance_mm:g} mm under where it reached"
        ),
        sources=(PlacedSource(source=Source.POINT, position_mm=(0.0, 0.0, distance_mm + TIP_ABOVE_WATER_MM)),),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SensitivityInScatter:
    """The point source on axis in water, and at the greatest depth without the water."""

    limits: ScatterLimits
    source: PointSource
    counts: int
    longest_s: float
    name: str = "sensitivity in scatter"
    needs_assay: bool = True

    @property
    def exposures(self) -> Sequence[Exposure]:
        """One count at each depth, the last again in air."""
        placements = [in_water(self.source, depth_mm) for depth_mm in self.limits.depths_mm]
        placements.append(_in_air(self.source, self.limits.depths_mm[-1]))
        return tuple(
            Exposure(placement=placement, longest_s=self.longest_s, counts_wanted=self.counts)
            for placement in placements
        )

    @property
    def limit(self) -> str:
        """What passes, in words."""
        return (
            f"{self.limits.least_share:.0%} to {self.limits.greatest_share:.0%} of a narrow beam's attenuation "
            f"at {self.limits.depths_mm[-1]:g} mm"
        )

    def evaluate(self, counts: Sequence[Count], known: Known) -> StepResult:
        """Judge what the water takes away."""
        *wet, dry = (
            per_mbq(known.net(count), known.activity_mbq(self.source.nuclide, count.middle_at)) for count in counts
        )
        figures = [
            Figure(name=f"{depth_mm:g} mm", value=rate.rate_cps, unit="cps/MBq", sigma=rate.sigma_cps)
            for depth_mm, rate in zip(self.limits.depths_mm, wet, strict=True)
        ]
        if any(rate.rate_cps <= 3 * rate.sigma_cps for rate in (*wet, dry)):
            reason = "no more than background at some depth: the point source is missing, or the value is stuck"
            return failure(self.name, self.limit, reason, *figures)
        depth_mm = self.limits.depths_mm[-1]
        attenuation, sigma = _attenuation(wet[-1], dry, depth_mm)
        table = known.nuclides[self.source.nuclide].main_line.water_attenuation_per_mm
        figures.append(Figure(name="attenuation", value=attenuation, unit="/mm", sigma=sigma))
        figures.append(Figure(name="of narrow beam", value=100 * attenuation / table, unit="%"))
        if attenuation + 2 * sigma < self.limits.least_share * table:
            reason = (
                f"water takes {attenuation / table:.0%} of what it must: the tank is not full, the source lies "
                "less deep, or the window lets scatter in"
            )
            return failure(self.name, self.limit, reason, *figures)
        if attenuation - 2 * sigma > self.limits.greatest_share * table:
            reason = f"water takes {attenuation / table:.0%} of what it must: the source lies deeper or aside"
            return failure(self.name, self.limit, reason, *figures)
        if TOLD_APART * sigma > self.limits.least_share * table:
            reason = (
                f"too few counts to tell a full tank from an empty one: the error is {sigma / table:.0%} of what "
                "water must take; count longer, or use a stronger source"
            )
            return failure(self.name, self.limit, reason, *figures)
        reason = f"{depth_mm:g} mm of water leave {wet[-1].rate_cps / dry.rate_cps:.0%}"
        return StepResult(name=self.name, passed=True, figures=tuple(figures), limit=self.limit, reason=reason)


def _attenuation(wet: Rate, dry: Rate, depth_mm: float) -> tuple[float, float]:
    relative = ((wet.sigma_cps / wet.rate_cps) ** 2 + (dry.sigma_cps / dry.rate_cps) ** 2) ** 0.5
    return -log(wet.rate_cps / dry.rate_cps) / depth_mm, relative / depth_mm


@dataclass(frozen=True, slots=True, kw_only=True)
class SpatialResolution:
    """The point source aside of the axis, at one depth in water."""

    limits: ResolutionLimits
    source: PointSource
    depth_mm: float
    counts: int
    longest_s: float
    is_judged: bool = True
    """Whether widths are held against limits; else the counts are for the fit alone."""
    needs_assay: bool = True

    @property
    def name(self) -> str:
        """With its depth, where it is not the one that is judged."""
        return "spatial resolution" if self.is_judged else f"offsets at {self.depth_mm:g} mm"

    @property
    def offsets_mm(self) -> tuple[float, ...]:
        """From the axis outwards."""
        return (0.0, *self.limits.offsets_mm)

    @property
    def exposures(self) -> Sequence[Exposure]:
        """One count at each offset, the axis first."""
        return tuple(
            Exposure(
                placement=in_water(self.source, self.depth_mm, offset_mm),
                longest_s=self.longest_s,
                counts_wanted=self.counts,
            )
            for offset_mm in self.offsets_mm
        )

    @property
    def limit(self) -> str:
        """What passes, in words."""
        if not self.is_judged:
            return "counted for the response"
        return (
            f"FWHM {self.limits.least_width_mm:g}-{self.limits.greatest_width_mm:g} mm, "
            f"FWTM at most {self.limits.greatest_tenth_mm:g} mm"
        )

    def evaluate(self, counts: Sequence[Count], known: Known) -> StepResult:
        """Judge the widths at a half and at a tenth of the maximum, straight lines between the counts."""
        found = [
            per_mbq(known.net(count), known.activity_mbq(self.source.nuclide, count.middle_at)) for count in counts
        ]
        if found[0].rate_cps <= 3 * found[0].sigma_cps:
            reason = "no more than background under the tip: the point source is missing, or the value is stuck"
            return failure(self.name, self.limit, reason)
        relative = [rate.rate_cps / found[0].rate_cps for rate in found]
        half_mm, tenth_mm = (width_at(self.offsets_mm, relative, level=level) for level in (0.5, 0.1))
        half_sigma_mm, tenth_sigma_mm = (
            width_sigma_at(self.offsets_mm, found, level=level) for level in (0.5, 0.1)
        )
        figures = tuple(
            Figure(name=name, value=value, unit="mm", sigma=sigma if isfinite(sigma) else None)
            for name, value, sigma in (("FWHM", half_mm, half_sigma_mm), ("FWTM", tenth_mm, tenth_sigma_mm))
            if not isinf(value)
        )
        if not self.is_judged:
            reason = f"{len(counts)} counts for the response"
            return StepResult(name=self.name, passed=True, figures=figures, limit=self.limit, reason=reason)
        if not self.limits.least_width_mm <= half_mm <= self.limits.greatest_width_mm:
            reason = (
                f"{half_mm:.0f} mm wide: the collimator is loose or another one, or the offsets were set wrongly"
            )
            return failure(self.name, self.limit, reason, *figures)
        if 4 * half_sigma_mm > self.limits.greatest_width_mm - self.limits.least_width_mm:
            reason = (
                f"too few counts to tell: the error of {half_mm:.0f} mm is {half_sigma_mm:.0f} mm; use a stronger "
                "source, or count longer"
            )
            return failure(self.name, self.limit, reason, *figures)
        if tenth_mm > self.limits.greatest_tenth_mm:
            reason = f"{tenth_mm:.0f} mm wide at a tenth: scatter in the window, or the collimator lets through"
            return failure(self.name, self.limit, reason, *figures)
        reason = f"{half_mm:.0f} mm wide at {self.depth_mm:g} mm, {tenth_mm:.0f} mm at a tenth"
        return StepResult(name=self.name, passed=True, figures=figures, limit=self.limit, reason=reason)
