"""The commands ``acquire count``, ``background`` and ``exvivo``."""

import asyncio
from functools import partial
from typing import Annotated, Final

import typer

from acquisition.commands.ending import (
    AsJson,
    AtBench,
    Person,
    ProbeName,
    Seed,
    SiteFile,
    Yes,
    conclude,
    entered_label,
    entered_names,
    fail,
)
from acquisition.counting.bench import Counting, counts_for
from acquisition.counting.exvivo import ExVivo, ExVivoOutcome, run_exvivo
from acquisition.counting.seeking import Sought
from acquisition.counting.timed import run_background, run_count
from acquisition.quality.placements import Exposure
from acquisition.quality.settings import BackgroundLimits
from composition.counting import SpecimenPlaces, count_at, placed_for_count, specimens_of, tray_of
from composition.hands import Hands
from composition.named import workplace
from navigation.resection.specimens import TenPercentRule

COUNT_S: Final = 10.0
"""How long something is counted where nothing else is said."""

Seconds = Annotated[float, typer.Option(min=0.5, max=86400.0, help="How long; the longest with --error.")]


def add_counting(app: typer.Typer) -> None:
    """Add ``count``, ``background`` and ``exvivo``."""
    for name, command in (("count", _count), ("background", _background), ("exvivo", _exvivo)):
        app.command(name)(command)


def _count(
    context: typer.Context,
    label: Annotated[
        str, typer.Argument(callback=entered_label, help="What is counted, as it stands in the record.")
    ] = "what is counted",
    config: SiteFile = None,
    *,
    seconds: Annotated[
        float | None,
        typer.Option(min=0.5, max=86400.0, help=f"How long; the longest with --error. Else {COUNT_S:g} s."),
    ] = None,
    error: Annotated[
        float | None, typer.Option(help="End as soon as the relative standard error is so small, as 0.01.")
    ] = None,
    above: Annotated[
        float | None,
        typer.Option(
            help="Count only until it is decided whether a source makes it so many times the background."
        ),
    ] = None,
    wrong: Annotated[
        float, typer.Option(min=0.0001, max=0.2, help="With --above: share of wrong verdicts.")
    ] = 0.01,
    simulate: AtBench = False,
    probe: ProbeName = None,
    person: Person = None,
    yes: Yes = False,
    as_json: AsJson = False,
    seed: Seed = 1,
) -> None:
    """Count for a time, to an error or until it is decided; rate with exact limits, above background, detected."""
    if above is not None and (seconds is not None or error is not None):
        fail("--above ends the count by itself: leave out --seconds and --error")
    with workplace(context, config, simulate=simulate) as place:
        hands = Hands(person=person, is_unasked=yes)
        exposure = Exposure(
            placement=placed_for_count(label, tray=tray_of(place, probe), is_simulated=place.is_simulated),
            longest_s=seconds or COUNT_S,
            counts_wanted=None if error is None else counts_for(error),
        )
        sought = None if above is None else Sought(factor=above, error=wrong)
        measure = partial(run_count, exposure=exposure, label=label, sought=sought)
        outcome = asyncio.run(count_at(place, probe, hands, measure, seed=seed))
    conclude(outcome, as_json=as_json)


def _background(
    context: typer.Context,
    config: SiteFile = None,
    *,
    seconds: Seconds = 60.0,
    simulate: AtBench = False,
    probe: ProbeName = None,
    person: Person = None,
    yes: Yes = False,
    as_json: AsJson = False,
    seed: Seed = 1,
) -> None:
    """Count with every source away, for the counts of the day; exit status 0 only if it is clean."""
    with workplace(context, config, simulate=simulate) as place:
        hands = Hands(person=person, is_unasked=yes)
        acquire = place.site.acquire
        limits = acquire.background if acquire else BackgroundLimits()
        measure = partial(run_background, limits=limits.model_copy(update={"count_s": seconds}))
        outcome = asyncio.run(count_at(place, probe, hands, measure, seed=seed))
    conclude(outcome, as_json=as_json)


def _exvivo(
    context: typer.Context,
    config: SiteFile = None,
    *,
    specimen: Annotated[
        list[str] | None,
        typer.Option(callback=entered_names, help="Name of a specimen; once for each. Else asked for one by one."),
    ] = None,
    seconds: Seconds = 10.0,
    background: Annotated[float, typer.Option(min=1.0, max=3600.0, help="Seconds of the bench's count.")] = 30.0,
    fraction: Annotated[float, typer.Option(help="Of the hottest, above which one is hot.")] = 0.1,
    simulate: AtBench = False,
    probe: ProbeName = None,
    person: Person = None,
    yes: Yes = False,
    as_json: AsJson = False,
    seed: Seed = 1,
) -> None:
    """Count specimens one by one, each beside the hottest; exit status 0 only if all could be compared."""
    with workplace(context, config, simulate=simulate) as place:
        hands = Hands(person=person, is_unasked=yes)
        rule = TenPercentRule(fraction=fraction)

        async def measure(counting: Counting) -> ExVivoOutcome:
            asked = ExVivo(
                specimens=specimens_of(specimen or [], counting.bench),
                placed=SpecimenPlaces(tray=tray_of(place, probe), is_simulated=place.is_simulated),
                count_s=seconds,
                background_s=background,
                rule=rule,
            )
            return await run_exvivo(counting, asked)

        outcome = asyncio.run(count_at(place, probe, hands, measure, seed=seed))
    conclude(outcome, as_json=as_json)
