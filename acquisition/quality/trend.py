"""Today's figures among those of all mornings: on Shewhart's chart, and by their moving average."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

from acquisition.logbook.records import Kept
from acquisition.quality.chi_square import CHI_SQUARE, DEVIATE
from acquisition.quality.results import TREND_OF, Figure, StepResult
from acquisition.quality.settings import MorningSettings, TrendLimits
from navigation.statistics.control import STANDARD, Point, Process, Signal, chart, process_of

LIMIT = "value and moving average within their lines"


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """A figure that is followed from morning to morning.

    Attributes
    ----------
    name
        As it is called in the table of results.
    step, figure
        Names of the step and of its figure.
    unit
        Of the figure.
    process
        Where its values come from, where that is known beforehand; None: learnt from a base.

    """

    name: str
    step: str
    figure: str
    unit: str
    process: Process | None = None


def followed(settings: MorningSettings) -> tuple[Followed, ...]:
    """List what is followed; a figure that a probe does not give is never met with."""
    at_reference = f"{settings.sensitivity.reference_distance_mm:g} mm"
    return (
        Followed(name="background", step="background", figure="rate", unit="cps"),
        Followed(name="constancy", step="constancy", figure="deviation", unit="%"),
        Followed(name="chi-square", step=CHI_SQUARE, figure=DEVIATE, unit="SD", process=STANDARD),
        Followed(name="sensitivity", step="sensitivity", figure=at_reference, unit="cps/MBq"),
        Followed(name="angular width", step="angular response", figure="FWHM", unit="°"),
        Followed(name="peak", step="peak", figure="peak", unit="keV"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A figure of one morning: its time, value, and standard error by its counts, 0 where it is not told."""

    at: datetime
    value: float
    sigma: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """All values of a followed figure, oldest first, and the lines they are held against.

    Attributes
    ----------
    followed
        Which figure.
    measured
        Its values.
    process
        Where they come from; None while there are fewer than a base wants.
    points
        Of the values after the base, on the charts.

    """

    followed: Followed
    measured: tuple[Measured, ...]
    process: Process | None
    points: tuple[Point, ...]

    @property
    def signal(self) -> Signal:
        """What the charts say of the newest value."""
        return self.points[-1].signal if self.points else Signal.IN_ORDER

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        base = len(self.measured) - len(self.points)
        return {
            "name": self.followed.name,
            "unit": self.followed.unit,
            "centre": self.process.centre if self.process else None,
            "sigma": self.process.sigma if self.process else None,
            "signal": self.signal.value if self.points else None,
            "values": [
                {"at": each.at.isoformat(), "value": each.value, "sigma": each.sigma} for each in self.measured
            ],
            "averages": [
                {"at": each.at.isoformat(), "average": point.average, "line": point.average_line}
                for each, point in zip(self.measured[base:], self.points, strict=True)
            ],
        }


def measured_in(figure: Followed, at: datetime, steps: Iterable[StepResult]) -> Measured | None:
    """Find a figure in a morning's results; None where the step failed, for then its own name says so."""
    for step in steps:
        if step.name == figure.step and step.passed:
            for one in step.figures:
                if one.name == figure.figure:
                    return Measured(at=at, value=one.value, sigma=one.sigma or 0.0)
    return None


def trend_of(figure: Followed, measured: Sequence[Measured], limits: TrendLimits) -> Trend:
    """Hold a figure's values against lines that its first values give, or that are known."""
    kept = tuple(each for each in measured if limits.since is None or each.at >= limits.since)
    process, base = figure.process, 0
    if process is None and len(kept) > limits.base:
        base = limits.base
        first = kept[:base]
        sigma = median(each.sigma for each in first)
        # values that are all alike and carry no error make no lines: no figure of ours is such
        process = process_of([each.value for each in first], counting_sigma=sigma or abs(first[0].value) * 1e-6)
    points = chart([each.value for each in kept[base:]], process) if process else []
    return Trend(followed=figure, measured=kept, process=process, points=tuple(points))


def trends_of(settings: MorningSettings, records: Iterable[Kept]) -> tuple[Trend, ...]:
    """Make the trends of an instrument's figures from its mornings, oldest first.

    One whose seal does not fit is left out.
    """
    found: dict[str, list[Measured]] = {}
    for _, figure, measured in _measured(settings, records):
        found.setdefault(figure.name, []).append(measured)
    return tuple(
        trend_of(figure, found[figure.name], settings.trend)
        for figure in followed(settings)
        if figure.name in found
    )


def _measured(settings: MorningSettings, records: Iterable[Kept]) -> Iterator[tuple[str, Followed, Measured]]:
    """Take out of records what is followed: the instrument's identity, which figure, and its value."""
    figures = followed(settings)
    names = frozenset(figure.step for figure in figures)
    for each in records:
        if not each.doubt:
            steps = results_in(each.record.told, names)
            for figure in figures:
                measured = measured_in(figure, each.record.at, steps)
                if measured is not None:
                    yield each.record.identity, figure, measured


def results_in(told: Any, names: frozenset[str] | None = None) -> tuple[StepResult, ...]:
    """Read the steps that a record tells, those of some names or all; another version's are left out."""
    found = []
    for step in told.get("steps", ()):
        try:
            if names is not None and step["name"] not in names:
                continue
            figures = tuple(Figure(**figure) for figure in step["figures"])
            found.append(StepResult(**{**step, "figures": figures, "remarks": tuple(step.get("remarks", ()))}))
        except (KeyError, TypeError):
            continue
    return tuple(found)


class Follower:
    """Judges a figure as soon as its step has passed, so that the step can be repeated while its source stands.

    Each morning reads all former ones, and ten years hold some 2,500: what is followed is taken from them once.

    Parameters
    ----------
    settings
        Of the morning.
    records
        Former mornings with the same entry of the site file, oldest first; one whose seal does not fit is left
        out.

    """

    def __init__(self, settings: MorningSettings, records: Iterable[Kept]) -> None:
        self._settings = settings
        self._former: dict[tuple[str, str], list[Measured]] = {}
        """By the instrument's identity and the figure's name."""
        for identity, figure, measured in _measured(settings, records):
            self._former.setdefault((identity, figure.name), []).append(measured)

    def judge(self, identity: str, result: StepResult, at: datetime) -> tuple[StepResult, ...]:
        """Say of each followed figure of a step that passed whether it is where it was, a result for each.

        Only mornings of the instrument that calls itself ``identity`` are looked at.
        """
        judged = []
        for figure in followed(self._settings):
            today = measured_in(figure, at, [result])
            if today is not None:
                former = self._former.get((identity, figure.name), [])
                judged.append(
                    _judged(trend_of(figure, [*former, today], self._settings.trend), self._settings.trend)
                )
        return tuple(judged)


def _judged(trend: Trend, limits: TrendLimits) -> StepResult:
    name, unit = f"{TREND_OF} {trend.followed.name}", trend.followed.unit
    newest, process = trend.measured[-1], trend.process
    now = Figure(name="today", value=newest.value, unit=unit, sigma=newest.sigma or None)
    if process is None:
        reason = f"{len(trend.measured)} of {limits.base + 1} mornings that it takes: no lines yet"
        return StepResult(name=name, passed=True, figures=(now,), limit=LIMIT, reason=reason)
    point = trend.points[-1]
    figures = (
        now,
        Figure(name="base", value=process.centre, unit=unit, sigma=process.sigma),
        Figure(name="moving average", value=point.average, unit=unit),
    )
    away = (newest.value - process.centre) / process.sigma
    said = f"{away:+.1f} standard deviations from its base"
    if not point.signal.is_out:
        watch = ": watch it" if point.signal is Signal.WARNING else ""
        reason = f"{said}, {point.signal.value}{watch}"
        return StepResult(name=name, passed=True, figures=figures, limit=LIMIT, reason=reason)
    reason = f"{point.signal.value}, {said}: the probe, a source or the bench has changed since its base"
    if not limits.fails:
        reason += "; the site file lets it pass"
    return StepResult(name=name, passed=not limits.fails, figures=figures, limit=LIMIT, reason=reason)
