"""The morning: each step in order, each asked for, counted, judged, and repeated where it failed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from acquisition.quality.angular import AngularResponse
from acquisition.quality.background import Background
from acquisition.quality.battery import Battery
from acquisition.quality.chi_square import Scatter
from acquisition.quality.constancy import CheckConstancy
from acquisition.quality.counts import Count, CountProgress, WallTime, open_counter
from acquisition.quality.dead_time import TwoSources
from acquisition.quality.light import LightTightness
from acquisition.quality.peak import EnergyPeak
from acquisition.quality.placements import Exposure, Placement
from acquisition.quality.results import StepResult, failure
from acquisition.quality.sensitivity import Sensitivity
from acquisition.quality.settings import MorningSettings
from acquisition.quality.spectra import EnergyScale
from acquisition.quality.steps import Assay, Known, Step, judge
from acquisition.quality.technologist import (
    Choice,
    Decision,
    MorningAborted,
    StepInterrupted,
    Technologist,
    interruptible,
    until_interrupted,
)
from acquisition.quality.trend import Follower
from devices.clock import Clock
from devices.errors import DeviceError
from devices.identity import FirstAnswer
from devices.protocols import DeviceSettings
from devices.readings import CountReading
from navigation.errors import NavigationError
from navigation.nuclides import Nuclide


def steps_of(settings: MorningSettings, scale: EnergyScale | None = None) -> tuple[Step, ...]:
    """List the steps in order; a source stays where it is for the next step where that allows it.

    ``scale`` is the probe's, where it gives spectra.
    """
    check = CheckConstancy(limits=settings.constancy, source=settings.check_source)
    sensitivity = Sensitivity(limits=settings.sensitivity, source=settings.point_source)
    background = Background(limits=settings.background)
    return (
        Battery(limits=settings.battery, background=background),
        background,
        LightTightness(limits=settings.light),
        check,
        Scatter(limits=settings.chi_square, placement=check.exposures[0].placement),
        EnergyPeak(
            limits=settings.peak,
            source=settings.point_source,
            scale=scale,
            placement=sensitivity.exposures[0].placement,
        ),
        sensitivity,
        AngularResponse(limits=settings.angular, source=settings.point_source),
        TwoSources(limits=settings.dead_time),
    )


class Screen(Protocol):
    """Where the morning shows what it does."""

    def begin(self, step: Step, number: int, total: int) -> None:
        """Show that a step begins."""

    def show(self, exposure: Exposure, done: int, total: int, progress: CountProgress) -> None:
        """Show how far a count is; ``done`` of ``total`` counts of the step are over."""

    def close(self) -> None:
        """Take away what shows a count that runs, so that a question stands alone."""

    def end(self, result: StepResult) -> None:
        """Show a step's verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Morning:
    """What the steps gave.

    Attributes
    ----------
    identity
        What the probe said it is.
    results
        Verdicts, in order; fewer than steps where it was aborted.
    counts
        Of each counted step, by name, from its last attempt.
    known
        Background and assay.
    aborted
        Why it ended early, or the empty string.

    """

    identity: str
    results: tuple[StepResult, ...]
    counts: Mapping[str, tuple[Count, ...]]
    known: Known
    aborted: str = ""

    @property
    def passed(self) -> bool:
        """Whether every step was run and passed."""
        return not self.aborted and all(result.passed for result in self.results)


class Round:
    """One morning, or one calibration, with one probe; ``run`` it once.

    The probe is opened anew for each step, so that a cable pulled in one step is mended in its repeat.
    """

    def __init__(
        self,
        *,
        probe: str,
        device: DeviceSettings[CountReading],
        technologist: Technologist,
        settings: MorningSettings,
        steps: Sequence[Step],
        nuclides: Mapping[str, Nuclide],
        follower: Follower | None = None,
        screen: Screen,
        clock: Clock,
        wall_time: WallTime,
    ) -> None:
        for named in (settings.check_source.nuclide, settings.point_source.nuclide):
            if named not in nuclides:
                raise NavigationError(f"nuclide {named!r} is unknown; known are {', '.join(sorted(nuclides))}")
        self._probe = probe
        self._device = device
        self._technologist = technologist
        self._settings = settings
        self._follower = follower
        self._steps = steps
        self._screen = screen
        self._clock = clock
        self._wall_time = wall_time
        self._known = Known(nuclides=nuclides)
        self._counts: dict[str, tuple[Count, ...]] = {}
        self._results: dict[str, StepResult] = {}
        self._names: dict[str, list[str]] = {}
        """Of each step's results."""
        self._first = FirstAnswer(probe)
        self._placed: Placement | None = None

    async def run(self) -> Morning:
        """Go through the steps; Ctrl-C ends them early, as the technologist may.

        Raises
        ------
        DeviceError
            Where the probe cannot be opened at the start.

        """
        async with self._device.connect(self._probe, clock=self._clock) as connection:
            self._first.check(connection.identity, connection)
        aborted = ""
        try:
            await until_interrupted(self._go_through())
        except MorningAborted as exc:
            aborted = str(exc)
        return Morning(
            identity=self._first.identity,
            results=tuple(self._results.values()),
            counts=self._counts,
            known=self._known,
            aborted=aborted,
        )

    async def _go_through(self) -> None:
        for number, step in enumerate(self._steps, start=1):
            self._screen.begin(step, number, len(self._steps))
            await self._settle(step)

    async def _settle(self, step: Step) -> None:
        """Run a step until it passes, or the technologist goes on or leaves it out."""
        attempts, remarks = 0, tuple[str, ...]()
        while True:
            attempts += 1
            decision: Decision | None = None
            try:
                result = await self._attempt(step)
            except StepInterrupted as exc:
                self._screen.close()
                decision = await self._technologist.explain(exc.decision)
                result = failure(
                    step.name, step.limit, f"interrupted to {decision.choice.value}: {decision.reason}"
                )
            results = self._followed(replace(result, attempts=attempts, remarks=remarks))
            worst = next((each for each in results if not each.passed), None)
            if worst is None:
                return
            decision = decision or await self._technologist.judge(worst)
            if decision.reason:
                remarks = (*remarks, f"{decision.choice.value}: {decision.reason}")
                self._results[worst.name] = replace(worst, remarks=remarks)
            if decision.choice is not Choice.REPEAT:
                return
            self._placed = None

    def _followed(self, result: StepResult) -> tuple[StepResult, ...]:
        """Note a step's result and what its figures are among those of former mornings."""
        now = self._wall_time(self._clock())
        trends = self._follower.judge(self._first.identity, result, now) if self._follower else ()
        results = (result, *(replace(each, attempts=result.attempts, remarks=result.remarks) for each in trends))
        for name in self._names.pop(result.name, ()):  # of an attempt before
            del self._results[name]
        self._names[result.name] = [each.name for each in results]
        for each in results:
            self._results[each.name] = each
            self._screen.end(each)
        return results

    async def _attempt(self, step: Step) -> StepResult:
        self._counts.pop(step.name, None)
        if step.needs_assay and self._known.assay is None:
            assay: Assay = await self._technologist.assay(self._settings.point_source)
            self._known = replace(self._known, assay=assay)
        try:
            counts = await self._count(step)
        except DeviceError as exc:
            return failure(step.name, step.limit, str(exc))
        self._counts[step.name] = counts
        if isinstance(step, Background):
            self._known = replace(self._known, background=counts[0])
        return judge(step, counts, self._known)

    async def _count(self, step: Step) -> tuple[Count, ...]:
        total = sum(exposure.times for exposure in step.exposures)
        counts: list[Count] = []
        async with (
            self._device.connect(self._probe, clock=self._clock) as connection,
            open_counter(
                self._probe,
                connection,
                streams=self._device.streams,
                silence_s=self._device.silence_s,
                clock=self._clock,
                wall_time=self._wall_time,
            ) as counter,
        ):
            self._first.check(connection.identity, connection)
            for exposure in step.exposures:
                await self._place(exposure.placement)
                if exposure.wait_s:
                    await self._technologist.wait(exposure.wait_s)
                for number in range(exposure.times):

                    def show(progress: CountProgress, exposure: Exposure = exposure) -> None:
                        self._screen.show(exposure, len(counts), total, progress)

                    # hands leave the bench after a placement, not between counts of one
                    settle_s = 0.0 if number else self._settings.settle_s
                    counting = counter.count(exposure, settle_s=settle_s, on_progress=show)
                    counts.append(await interruptible(counting, self._technologist, f"{self._probe} count"))
        return tuple(counts)

    async def _place(self, placement: Placement) -> None:
        """Ask for a placement, unless it is the one that stands."""
        if placement != self._placed:
            self._placed = None
            await self._technologist.place(placement)
            self._placed = placement
