"""Places, times and limits of the full calibration; what the morning has too is taken from there."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from acquisition.quality.settings import Positive, Section, Share

Places = Annotated[tuple[Positive, ...], Field(min_length=3)]


def _is_rising(places: tuple[float, ...]) -> bool:
    return list(places) == sorted(set(places))


class ScatterLimits(Section):
    """Sensitivity in water, on axis, and what comes through it."""

    depths_mm: Places = (8.0, 15.0, 20.0, 30.0, 50.0)
    least_share: Share = 0.2
    greatest_share: Annotated[float, Field(gt=0, lt=2)] = 1.2
    """Effective attenuation at the greatest depth over that of a narrow beam; scatter in the window lessens it."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not _is_rising(self.depths_mm) or self.least_share >= self.greatest_share:
            raise ValueError("depths_mm wants rising depths, and least_share less than greatest_share")
        return self


class ShieldLimits(Section):
    """What passes the shield on the side and at the back."""

    distance_mm: Positive = 30.0
    """Of the source from the shaft's axis, and from the tip for the count ahead."""
    crystal_behind_tip_mm: Positive = 20.0
    """Where along the shaft the crystal is: from the data sheet, or from an earlier calibration."""
    back_mm: Positive = 150.0
    """Of the source behind the tip, on the axis, for the count from behind."""
    greatest_leak: Share = 0.001
    """Over the rate ahead, at the same distance from the crystal; Wengenmair (Augsburg) asks for 0.1 %."""
    count_s: Positive = 60.0
    back_s: Positive = 600.0
    """Of the count from behind, which is hardly more than background."""


class ResolutionLimits(Section):
    """Spatial resolution in water: the source aside of the axis."""

    depth_mm: Positive = 30.0
    offsets_mm: Places = (5.0, 10.0, 15.0, 20.0, 30.0, 40.0)
    least_width_mm: Positive = 8.0
    greatest_width_mm: Positive = 35.0
    """Full width at half maximum."""
    greatest_tenth_mm: Positive = 70.0
    """Full width at a tenth of the maximum."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not _is_rising(self.offsets_mm) or self.least_width_mm >= self.greatest_width_mm:
            raise ValueError("offsets_mm wants rising offsets, and least_width_mm less than greatest_width_mm")
        return self


class CountRateLimits(Section):
    """Count-rate capability, by a strong source that decays before the probe."""

    distance_mm: Positive = 10.0
    counts: Annotated[int, Field(ge=4, le=100)] = 10
    hours: Positive = 18.0
    """From the first count to the last: three half-lives of Tc-99m, a night."""
    count_s: Positive = 30.0
    least_cps: Positive = 10_000.0
    """Rate that must be counted before a fifth is lost; probes reach some 10,000."""


class HeldBackLimits(Section):
    """Counts that are held back in turn, and must be foretold by a fit to the rest."""

    parts: Annotated[int, Field(ge=2, le=20)] = 4
    granted: Share = 0.05
    """Share of a count that it may be off beyond its errors."""
    greatest_sigmas: Positive = 4.0


class CalibrationSettings(Section):
    """The full calibration: more places than a morning's, and the tests that a probe is accepted by."""

    background_s: Positive = 600.0
    """As long as ``shield.back_s``: a short one would be what keeps a leak from being told."""
    distances_mm: Places = (5.0, 10.0, 20.0, 30.0, 50.0, 70.0, 100.0)
    angles_deg: Annotated[tuple[Annotated[float, Field(ge=0, le=90)], ...], Field(min_length=4)] = (
        0.0,
        5.0,
        10.0,
        15.0,
        20.0,
        25.0,
        30.0,
        35.0,
        40.0,
        45.0,
        50.0,
        60.0,
        75.0,
        90.0,
    )
    longest_s: Positive = 60.0
    """Of a count of the point source that does not come to ``counts`` before."""
    counts: Annotated[int, Field(ge=1000)] = 20_000
    dead_time_s: Positive = 60.0
    """Of each count of the two sources."""
    scatter: ScatterLimits = ScatterLimits()
    shield: ShieldLimits = ShieldLimits()
    resolution: ResolutionLimits = ResolutionLimits()
    near_depth_mm: Positive = 15.0
    """Second depth at which the offsets of ``resolution`` are counted, for the fit alone."""
    count_rate: CountRateLimits = CountRateLimits()
    held_back: HeldBackLimits = HeldBackLimits()
