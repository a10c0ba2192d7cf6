"""The commands ``acquire``, which alone is the morning's check, and ``acquire calibrate``."""

import asyncio
from typing import Annotated, TypeAlias

import typer

from acquisition.commands.ending import AsJson, AtBench, Person, ProbeName, Seed, SiteFile, Yes, conclude
from composition.guided import calibrate_probe, check_probe
from composition.hands import Hands
from composition.named import workplace
from simulators.bench import BenchFault

Activity: TypeAlias = Annotated[
    float | None, typer.Option(min=0.0, help="With --yes: MBq of the point source, as measured just now.")
]


def add_guided(app: typer.Typer) -> None:
    """Add the morning's check, for where no command is named, and ``calibrate``."""
    app.callback(invoke_without_command=True)(_check)
    app.command("calibrate")(_calibrate)


def _check(
    context: typer.Context,
    config: SiteFile = None,
    *,
    simulate: AtBench = False,
    probe: ProbeName = None,
    person: Person = None,
    yes: Yes = False,
    activity: Activity = None,
    as_json: AsJson = False,
    fault: Annotated[BenchFault | None, typer.Option(help="With --simulate: what is wrong this morning.")] = None,
    seed: Seed = 1,
) -> None:
    """Check and calibrate a probe; exit status 0 only if it passed."""
    if context.invoked_subcommand is not None:
        return
    with workplace(context, config, simulate=simulate) as place:
        hands = Hands(person=person, is_unasked=yes, activity_mbq=activity)
        outcome = asyncio.run(check_probe(place, probe, hands=hands, fault=fault, seed=seed))
    conclude(outcome, as_json=as_json)


def _calibrate(
    context: typer.Context,
    config: SiteFile = None,
    *,
    simulate: AtBench = False,
    probe: ProbeName = None,
    person: Person = None,
    yes: Yes = False,
    activity: Activity = None,
    decay: Annotated[
        bool, typer.Option(help="Count a decaying source through the night at the end, for the count rate.")
    ] = True,
    as_json: AsJson = False,
    fault: Annotated[BenchFault | None, typer.Option(help="With --simulate: what is wrong at the bench.")] = None,
    seed: Seed = 1,
) -> None:
    """Calibrate a probe for nuclide and window by every test of acceptance; exit status 0 only if it passed."""
    with workplace(context, config, simulate=simulate) as place:
        hands = Hands(person=person, is_unasked=yes, activity_mbq=activity)
        outcome = asyncio.run(calibrate_probe(place, probe, hands=hands, with_decay=decay, fault=fault, seed=seed))
    conclude(outcome, as_json=as_json)
