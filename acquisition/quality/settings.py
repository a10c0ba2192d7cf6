"""What the site says about its sources and about what a good probe must keep."""

from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, lt=1)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Span = tuple[Finite, Finite]
"""Least and greatest value that pass."""


class Section(BaseModel):
    """A table of the settings: fixed once read, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class CheckSource(Section):
    """The long-lived source that the probe is checked against, and its rate when the probe was accepted."""

    nuclide: str = "Co-57"
    label: str = ""
    """Serial number, as engraved."""
    reference_at: AwareDatetime
    """When ``reference_cps`` was measured."""
    reference_cps: Positive
    """Net rate in the fixture, in the window used now."""
    distance_mm: Positive = 10.0
    """From the tip, on the axis, as the fixture holds it."""


class PointSource(Section):
    """The source of the day's nuclide; its activity is measured each morning in the dose calibrator."""

    nuclide: str = "Tc-99m"
    window_kev: tuple[Positive, Positive] = (126.0, 154.0)
    """The probe's energy window for it; the calibration holds for this one."""
    least_mbq: Positive = 0.1
    greatest_mbq: Positive = 10.0

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.window_kev[0] >= self.window_kev[1] or self.least_mbq >= self.greatest_mbq:
            raise ValueError("window_kev and least_mbq, greatest_mbq want the lower value first")
        return self


class BatteryLimits(Section):
    """What the instrument says of its supply; a value without a limit here is told and not judged."""

    count_s: Positive = 5.0
    least_battery_v: Positive | None = None
    """Voltage of its battery. An instrument that itself says that it is low fails without a limit, too."""
    bias_v: Span | None = None
    """Size of its detector's bias, whatever its sign: it falls when what feeds it does."""
    board_degc: Span | None = None
    """Temperature of its electronics."""
    detector_degc: Span | None = None
    """Temperature of a detector that is cooled."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name in ("bias_v", "board_degc", "detector_degc"):
            span: Span | None = getattr(self, name)
            if span is not None and span[0] >= span[1]:
                raise ValueError(f"{name} wants the lower value first")
        return self


class BackgroundLimits(Section):
    """No source near: more than this is contamination, or a source left out."""

    count_s: Positive = 60.0
    greatest_cps: Positive = 10.0


class LightLimits(Section):
    """A lamp at the tip and no source near: more than this above the background is light that leaks in."""

    count_s: Positive = 30.0
    greatest_cps: Positive = 3.0


class PeakLimits(Section):
    """Place and width of the photopeak, where the probe gives a spectrum."""

    counts: Annotated[int, Field(ge=1000)] = 10_000
    longest_s: Positive = 60.0
    greatest_shift: Share = 0.03
    """Of the peak from the nuclide's line, over its energy."""
    greatest_resolution: Share = 0.15
    """Full width at half maximum over energy: CsI with a photodiode has 0.08 at 140 keV, NaI 0.10."""


class ConstancyLimits(Section):
    """Deviation of the check source from what decay has left; 5 % warns, 10 % fails."""

    counts: Annotated[int, Field(ge=100)] = 5000
    longest_s: Positive = 60.0
    warning: Share = 0.05
    limit: Share = 0.10


class ChiSquareLimits(Section):
    """Scatter of equal counts; a share ``tail`` of good sets falls outside at each end."""

    counts: Annotated[int, Field(ge=5, le=100)] = 10
    count_s: Positive = 5.0
    tail: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    """Outside these limits the step fails: 3.33 to 16.92 for ten counts."""
    watched_tail: Annotated[float, Field(gt=0, lt=0.5)] = 0.10
    """Outside these, the narrower, it is said: 4.17 to 14.68 for ten counts."""
    greatest_drift: Share = 0.02
    """Change from the first to the last count, relative to their mean, that chance does not explain."""


class SensitivityLimits(Section):
    """Rate of the point source on axis, against the value at acceptance."""

    distances_mm: Annotated[tuple[Positive, ...], Field(min_length=3)] = (10.0, 30.0, 50.0, 100.0)
    reference_distance_mm: Positive = 30.0
    reference_cps_per_mbq: Positive
    tolerance: Share = 0.10
    counts: Annotated[int, Field(ge=100)] = 10_000
    longest_s: Positive = 60.0

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if list(self.distances_mm) != sorted(set(self.distances_mm)):
            raise ValueError("distances_mm wants rising distances")
        if self.reference_distance_mm not in self.distances_mm:
            raise ValueError(f"distances_mm lacks the reference distance, {self.reference_distance_mm:g} mm")
        return self


class AngularLimits(Section):
    """Rate of the point source around the tip's centre, relative to the axis."""

    angles_deg: Annotated[tuple[Annotated[float, Field(ge=0, le=90)], ...], Field(min_length=4)] = (
        0.0,
        10.0,
        20.0,
        30.0,
        40.0,
        50.0,
        60.0,
    )
    distance_mm: Positive = 30.0
    least_width_deg: Positive = 20.0
    greatest_width_deg: Positive = 50.0
    """Full width at half maximum; surgeons ask for less than 40 (Wengenmair)."""
    greatest_leak: Share = 0.005
    """Relative rate at the widest angle."""
    counts: Annotated[int, Field(ge=100)] = 10_000
    longest_s: Positive = 60.0

    @model_validator(mode="after")
    def _from_axis(self) -> Self:
        if list(self.angles_deg) != sorted(set(self.angles_deg)) or self.angles_deg[0] != 0:
            raise ValueError("angles_deg wants rising angles, the first 0")
        return self


class DeadTimeLimits(Section):
    """Dead time by two sources, each counted alone and both together."""

    count_s: Positive = 20.0
    distance_mm: Positive = 10.0
    apart_mm: Positive = 10.0
    greatest_s: Positive = 20e-6
    least_loss: Share = 0.01
    """Share of counts that the two together must lose at ``greatest_s``, or the sources are too weak to tell."""


class ResponseLimits(Section):
    """How well one response must explain all counts of the point source."""

    greatest_model_error: Share = 0.05
    """Relative error that must be added to Poisson's for response and counts to agree."""
    shape_sigmas: Annotated[float, Field(gt=0)] = 4.0
    """How many errors a count may lie off what the full calibration foretells, once brought up to date."""
    shape_granted: Share = 0.05
    """Share of a count that it may lie off beyond that, as sources do not stand quite where they should."""


class TrendLimits(Section):
    """Lines that the figures of all mornings are held against, besides today's limits."""

    base: Annotated[int, Field(ge=5, le=100)] = 15
    """Mornings that the lines are learnt from; before so many there are none."""
    since: AwareDatetime | None = None
    """Begin anew from here: after a repair, or with another check source."""
    fails: bool = True
    """Whether a figure out of its lines fails the morning; else it is only said."""


class MorningSettings(Section):
    """The morning's sources, times and limits."""

    check_source: CheckSource
    point_source: PointSource = PointSource()
    battery: BatteryLimits = BatteryLimits()
    background: BackgroundLimits = BackgroundLimits()
    light: LightLimits = LightLimits()
    constancy: ConstancyLimits = ConstancyLimits()
    chi_square: ChiSquareLimits = ChiSquareLimits()
    peak: PeakLimits = PeakLimits()
    sensitivity: SensitivityLimits
    angular: AngularLimits = AngularLimits()
    dead_time: DeadTimeLimits = DeadTimeLimits()
    response: ResponseLimits = ResponseLimits()
    trend: TrendLimits = TrendLimits()
    settle_s: Annotated[float, Field(ge=0)] = 0.5
    """After a source is placed, readings that begin earlier than this are not used."""
