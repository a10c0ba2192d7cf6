"""A timed count and what it says: rate with exact limits, dead time, background, decay, and what it detects."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from rich.markup import escape
from rich.table import Table

from acquisition.counting.bench import Counting, OpenBench, told_count
from acquisition.counting.ending import Ending
from acquisition.counting.seeking import Sought, deciding, in_words
from acquisition.logbook.records import Kind
from acquisition.quality.background import Background
from acquisition.quality.counts import Count
from acquisition.quality.detectable import SHOWN_S, detectable, detects_in_shown_cps
from acquisition.quality.placements import Exposure, emptied
from acquisition.quality.results import Figure, StepResult
from acquisition.quality.settings import BackgroundLimits
from acquisition.quality.steps import Known, judge
from navigation.decay import decay_within
from navigation.errors import NavigationError
from navigation.probe.response import Response
from navigation.statistics.counting import Rate, critical_level, net_rate, poisson_interval
from navigation.statistics.dead_time import DeadTimeModel
from navigation.statistics.detection import MOST_COUNTS, critical_over_counted, least_detected
from navigation.statistics.sequential import Decision

OVERLOADED: Final = "the instrument says that it counts too few: move it farther away and count again"


@dataclass(frozen=True, slots=True, kw_only=True)
class CountOutcome:
    """What a count came to.

    Attributes
    ----------
    probe, identity, person, is_simulated
        As in a record.
    label
        What was counted.
    count
        As counted; None where it was broken off or left out.
    ending
        How it ended.
    figures
        What it says.
    said
        In a sentence.
    decision
        Whether it was the background or a source, where that was asked; None: it was not, or nothing was counted.
    result
        The verdict, where one was asked for.
    number, is_refused
        Of its record; whether the logbook did not take it.

    """

    probe: str
    identity: str
    person: str
    is_simulated: bool
    label: str
    count: Count | None
    ending: Ending
    figures: tuple[Figure, ...]
    said: str
    decision: Decision | None = None
    result: StepResult | None = None
    number: int | None = None
    is_refused: bool = False

    @property
    def passed(self) -> bool:
        """Whether there is a recorded count to be relied on, and it passed where a verdict was asked for."""
        is_counted = self.count is not None and not self.count.is_overloaded and not self.is_refused
        return is_counted and (self.result is None or self.result.passed)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        counted = told_count(self.count) if self.count else None
        return {
            "probe": self.probe,
            "identity": self.identity,
            "person": self.person,
            "simulated": self.is_simulated,
            "record": self.number,
            "label": self.label,
            "passed": self.passed,
            "count": counted,
            **self.ending.to_dict(),
            "figures": [
                {"name": each.name, "value": each.value, "unit": each.unit, "sigma": each.sigma}
                for each in self.figures
            ],
            "said": self.said,
            "decision": self.decision.value if self.decision else None,
            "steps": [self.result.to_dict()] if self.result else [],
        }


async def run_count(
    counting: Counting, exposure: Exposure, *, label: str, sought: Sought | None = None
) -> CountOutcome:
    """Count what is placed, say what that tells, and record it.

    It counts for a time or to a number of counts, or where something is ``sought`` until that is decided. What is
    broken off is recorded as that.

    Raises
    ------
    DeviceError
        Where the probe cannot be opened.
    LogbookUnusable
        Where the background of the day cannot be read, before anything is counted.
    NavigationError
        Where what is sought cannot be decided over the background of the day; then nothing is counted either.

    """
    async with counting.open() as at:
        background = await counting.background(at.identity)
        test, decision = sought.test(background) if sought else None, None
        if test is not None:
            exposure = deciding(exposure, test)
        count, ending = await _counted(at, exposure)
    said, figures = str(ending), tuple[Figure, ...]()
    if count is not None:
        half_life_s, response = counting.nuclide.half_life_s, counting.response_of(at.identity)
        said, figures = tell(count, background, half_life_s=half_life_s, response=response)
        if test is not None and not count.is_overloaded:
            decision = test.decide(count.counts, count.live_time_s)
            said = f"{said}; {in_words(decision, test, count)}"
    outcome = CountOutcome(
        probe=counting.bench.probe,
        identity=at.identity,
        person=counting.bench.person,
        is_simulated=counting.bench.is_simulated,
        label=label,
        count=count,
        ending=ending,
        figures=figures,
        said=said,
        decision=decision,
    )
    return await _recorded(counting, Kind.COUNT, outcome, passed=None if count else False)


async def run_background(counting: Counting, limits: BackgroundLimits) -> CountOutcome:
    """Count with every source away, judge it, and record it for the counts of the day.

    Raises
    ------
    DeviceError
        As ``run_count``.

    """
    step = Background(limits=limits)
    (exposure,) = step.exposures
    exposure = replace(exposure, placement=emptied("every source", counting.bench.device))
    async with counting.open() as at:
        count, ending = await _counted(at, exposure)
    said, result, figures = str(ending), None, tuple[Figure, ...]()
    if count is not None:
        result = judge(step, [count], Known(nuclides={}))
        said, response = result.reason, counting.response_of(at.identity)
        figures = result.figures
        if response is not None:
            limit_cps = detects_in_shown_cps(count.rate.rate_cps)
            figures += (detectable(response, limit_cps, during=f"{SHOWN_S:g} s"),)
    outcome = CountOutcome(
        probe=counting.bench.probe,
        identity=at.identity,
        person=counting.bench.person,
        is_simulated=counting.bench.is_simulated,
        label="background",
        count=count,
        ending=ending,
        figures=figures,
        said=said,
        result=result,
    )
    return await _recorded(counting, Kind.BACKGROUND, outcome, passed=outcome.passed)


async def _counted(at: OpenBench, exposure: Exposure) -> tuple[Count | None, Ending]:
    """Count; None where it was broken off."""
    counts = list[Count]()

    async def count() -> None:
        counts.append(await at.count(exposure))

    ending = await at.until_ended(count())
    return counts[0] if counts else None, ending


async def _recorded(counting: Counting, kind: Kind, outcome: CountOutcome, *, passed: bool | None) -> CountOutcome:
    told = outcome.to_dict()
    if kind is Kind.BACKGROUND:
        told["background"] = told["count"]
    table = Table(show_header=False)
    for figure in outcome.figures:
        table.add_row(escape(str(figure)))
    counting.bench.console.print(table if outcome.figures else "")
    colour = "green" if outcome.passed else "red"
    counting.bench.console.print(f"[{colour}]{escape(outcome.said)}[/{colour}]")
    kept = await counting.record(kind, outcome.identity, passed=passed, told=told)
    return replace(outcome, number=kept.number) if kept else replace(outcome, is_refused=True)


def tell(
    count: Count, background: Count | None, *, half_life_s: float, response: Response | None = None
) -> tuple[str, tuple[Figure, ...]]:
    """Say what a count tells.

    Parameters
    ----------
    count
        As counted.
    background
        Counted without a source; None: unknown, and then nothing is said of a net rate.
    half_life_s
        Of the nuclide.
    response
        The probe's calibration; None: none is known, and then nothing is said of an activity.

    Returns
    -------
    tuple
        A sentence and its figures: the gross rate with its exact 95 % limits, the rate without dead time, above
        background, and as it was when the count began; and what rate, and what activity at the calibration's
        distance, would be detected in as long a count.

    """
    low, high = (bound / count.live_time_s for bound in poisson_interval(count.counts))
    figures = [
        Figure(name="counts", value=count.counts, unit=""),
        Figure(name="live time", value=count.live_time_s, unit="s"),
        Figure(name="rate", value=count.rate.rate_cps, unit="cps", sigma=count.rate.sigma_cps),
        Figure(name="at least (95 %)", value=low, unit="cps"),
        Figure(name="at most (95 %)", value=high, unit="cps"),
    ]
    if count.is_overloaded:
        return OVERLOADED, tuple(figures)
    try:
        true = DeadTimeModel(non_extending_s=count.dead_time_s).true_rate(count.rate).rate
    except NavigationError as exc:
        return str(exc), tuple(figures)
    if count.dead_time_s:
        figures.append(Figure(name="without dead time", value=true.rate_cps, unit="cps", sigma=true.sigma_cps))
    if background is None:
        return "no background of today is known: acquire background", tuple(figures)
    said, above = _above(count, true, background, half_life_s=half_life_s, response=response)
    return said, (*figures, *above)


def _above(
    count: Count, true: Rate, background: Count, *, half_life_s: float, response: Response | None
) -> tuple[str, Sequence[Figure]]:
    net = net_rate(true, background.true_rate)
    left = decay_within(half_life_s=half_life_s, counting_s=count.real_time_s)
    ratio = count.live_time_s / background.live_time_s
    if background.counts > MOST_COUNTS:
        critical = int(background.counts * ratio + critical_level(background.counts, time_ratio=ratio))
    else:
        critical = critical_over_counted(background.counts, time_ratio=ratio)
    limit_cps = least_detected(background.counts, time_ratio=ratio) / count.live_time_s
    figures: tuple[Figure, ...] = (
        Figure(name="background", value=background.rate.rate_cps, unit="cps", sigma=background.rate.sigma_cps),
        Figure(name="net rate", value=net.rate_cps, unit="cps", sigma=net.sigma_cps),
        Figure(name="net rate when it began", value=net.rate_cps / left, unit="cps", sigma=net.sigma_cps / left),
        Figure(name="critical counts (5 %)", value=critical, unit=""),
        Figure(name="detects in this time", value=limit_cps, unit="cps"),
    )
    if response is not None:
        figures += (detectable(response, limit_cps, during="this time"),)
    if count.counts > critical:
        said = f"{net.rate_cps:.1f} ± {net.sigma_cps:.1f} cps above the background"
    else:
        said = (
            f"no more than background: {count.counts} counts, of which up to {critical} happen without a source; "
            f"{limit_cps:.1f} cps would be found in 19 of 20 counts"
        )
    return said, figures
