"""The steps of a full calibration, in order, and which of their counts the response is fitted to."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import atan2, degrees, hypot

from acquisition.calibrating.count_rate import CountRateCapability
from acquisition.calibrating.settings import CalibrationSettings
from acquisition.calibrating.shield import ShieldLeak
from acquisition.calibrating.water import SensitivityInScatter, SpatialResolution
from acquisition.quality.angular import AngularResponse
from acquisition.quality.background import Background
from acquisition.quality.battery import Battery
from acquisition.quality.chi_square import Scatter
from acquisition.quality.constancy import CheckConstancy
from acquisition.quality.counts import Count
from acquisition.quality.dead_time import TwoSources
from acquisition.quality.light import LightTightness
from acquisition.quality.peak import EnergyPeak
from acquisition.quality.placements import Medium, Placement
from acquisition.quality.sensitivity import Sensitivity
from acquisition.quality.settings import MorningSettings
from acquisition.quality.spectra import EnergyScale
from acquisition.quality.steps import Known, Step
from navigation.probe.bench import TIP_ABOVE_WATER_MM, PointSourceCount


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationPlan:
    """What is measured; fixed before it begins."""

    steps: tuple[Step, ...]
    dead_time: TwoSources
    fitted: tuple[Step, ...]
    """Those whose counts of the point source the response is fitted to."""

    def points(self, counts: Mapping[str, Sequence[Count]], known: Known, nuclide: str) -> list[PointSourceCount]:
        """Give the counts to fit, each with its place and the activity at its time."""
        return list(self._points(counts, known, nuclide))

    def _points(
        self, counts: Mapping[str, Sequence[Count]], known: Known, nuclide: str
    ) -> Iterator[PointSourceCount]:
        for step in self.fitted:
            placements = chain.from_iterable([exposure.placement] * exposure.times for exposure in step.exposures)
            for placement, count in zip(placements, counts[step.name], strict=True):
                yield point_of(placement, count, known.activity_mbq(nuclide, count.middle_at))


def point_of(placement: Placement, count: Count, activity_mbq: float) -> PointSourceCount:
    """Give a count of the one source that stands, with its place as the fit wants it."""
    (placed,) = placement.sources
    x, y, z = placed.position_mm
    aside_mm, is_wet = hypot(x, y), placement.medium is Medium.WATER
    return PointSourceCount(
        medium=placement.medium.value,
        distance_mm=z - TIP_ABOVE_WATER_MM if is_wet else hypot(aside_mm, z),
        lateral_mm=aside_mm if is_wet else 0.0,
        angle_deg=0.0 if is_wet else degrees(atan2(aside_mm, z)),
        activity_mbq=activity_mbq,
        live_time_s=count.live_time_s,
        counts=count.counts,
    )


def plan_of(
    morning: MorningSettings, settings: CalibrationSettings, scale: EnergyScale | None, *, with_decay: bool
) -> CalibrationPlan:
    """Lay out the steps: a morning's with more places, then water, shield and count rate.

    ``scale`` is the probe's, where it gives spectra; ``with_decay`` has the night's decay counted at the end.
    """
    source, longest_s, wanted = morning.point_source, settings.longest_s, settings.counts
    check = CheckConstancy(limits=morning.constancy, source=morning.check_source)
    counting = {"counts": wanted, "longest_s": longest_s}
    distances = tuple(sorted({*settings.distances_mm, morning.sensitivity.reference_distance_mm}))
    sensitivity = Sensitivity(
        limits=morning.sensitivity.model_copy(update={"distances_mm": distances} | counting), source=source
    )
    angular = AngularResponse(
        limits=morning.angular.model_copy(update={"angles_deg": settings.angles_deg} | counting), source=source
    )
    water = SensitivityInScatter(limits=settings.scatter, source=source, counts=wanted, longest_s=longest_s)
    resolution, near = (
        SpatialResolution(
            limits=settings.resolution,
            source=source,
            depth_mm=depth_mm,
            counts=wanted,
            longest_s=longest_s,
            is_judged=is_judged,
        )
        for depth_mm, is_judged in ((settings.resolution.depth_mm, True), (settings.near_depth_mm, False))
    )
    shield = ShieldLeak(limits=settings.shield, source=source, counts=wanted)
    dead_time = TwoSources(limits=morning.dead_time.model_copy(update={"count_s": settings.dead_time_s}))
    background = Background(limits=morning.background.model_copy(update={"count_s": settings.background_s}))
    steps: list[Step] = [
        Battery(limits=morning.battery, background=background),
        background,
        LightTightness(limits=morning.light),
        check,
        Scatter(limits=morning.chi_square, placement=check.exposures[0].placement),
        EnergyPeak(limits=morning.peak, source=source, scale=scale, placement=sensitivity.exposures[0].placement),
        sensitivity,
        angular,
        shield,
        water,
        resolution,
        near,
        dead_time,
    ]
    if with_decay:
        steps.append(CountRateCapability(limits=settings.count_rate, source=source))
    return CalibrationPlan(
        steps=tuple(steps), dead_time=dead_time, fitted=(sensitivity, angular, water, resolution, near)
    )
