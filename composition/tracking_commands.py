"""The commands ``acquire tool``, ``axis``, ``register``, ``verify`` and ``timing``."""

import asyncio
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from acquisition.commands.ending import AsJson, Seed, SiteFile, Yes, conclude
from acquisition.tracking.register import run_register, run_verify
from composition.named import workplace
from composition.tracking import anatomy_in, check_axis, find_delay, find_tip, register
from navigation.calibration.approach import Lying
from navigation.skin import SkinSurface
from simulators.tool_bench import HandFault

Landmarks: TypeAlias = Annotated[
    Path | None, typer.Option(help="Landmarks marked in the study: markups of 3D Slicer, .mrk.json.")
]

SimulatedPatient: TypeAlias = Annotated[
    bool, typer.Option("--simulate", help="With a simulated hand and patient.")
]

Fault: TypeAlias = Annotated[HandFault | None, typer.Option(help="With --simulate: what the hand does wrongly.")]


def add_tracking(app: typer.Typer) -> None:
    """Add ``tool``, ``axis``, ``register``, ``verify`` and ``timing``."""
    for command in (_tool, _axis, _register, _verify, _timing):
        app.command(command.__name__.removeprefix("_"))(command)


def _tool(
    context: typer.Context,
    config: SiteFile = None,
    *,
    simulate: Annotated[bool, typer.Option("--simulate", help="With a simulated hand before a tracker.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
    fault: Fault = None,
    seed: Seed = 1,
) -> None:
    """Find where the probe's tip is on its marker and which way it looks; exit status 0 only if both passed."""
    with workplace(context, config, simulate=simulate) as place:
        outcome = asyncio.run(find_tip(place, yes=yes, fault=fault, seed=seed))
    conclude(outcome, as_json=as_json)


def _axis(
    context: typer.Context,
    config: SiteFile = None,
    *,
    simulate: Annotated[bool, typer.Option("--simulate", help="With a simulated hand about a source.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
    fault: Annotated[HandFault | None, typer.Option(help="With --simulate: what the hand does wrongly.")] = None,
    seed: Seed = 1,
) -> None:
    """Hold the probe's axis against what it counts from a point source; exit status 0 only if both agree."""
    with workplace(context, config, simulate=simulate) as place:
        outcome = asyncio.run(check_axis(place, yes=yes, fault=fault, seed=seed))
    conclude(outcome, as_json=as_json)


def _register(
    context: typer.Context,
    config: SiteFile = None,
    *,
    landmarks: Landmarks = None,
    ct: Annotated[
        Path | None, typer.Option(exists=True, help="Folder with her CT: the tip is drawn over her skin too.")
    ] = None,
    patient_id: Annotated[str | None, typer.Option(help="Patient ID; else the site file's.")] = None,
    points: Annotated[
        int | None, typer.Option(min=3, max=12, help="Touch so many in any order, instead of each by its name.")
    ] = None,
    lies: Annotated[
        Lying, typer.Option(help="How she lies on the table: the tip comes from above.")
    ] = Lying.SUPINE,
    simulate: SimulatedPatient = False,
    yes: Yes = False,
    as_json: AsJson = False,
    fault: Fault = None,
    seed: Seed = 1,
) -> None:
    """Register the patient on the table by landmarks; exit status 0 only if it is good enough."""
    with workplace(context, config, simulate=simulate) as place:
        anatomy = anatomy_in(ct)
        skin = SkinSurface(anatomy) if anatomy else None
        outcome = asyncio.run(
            register(
                place,
                lambda **with_hand: run_register(points=points, skin=skin, lying=lies, **with_hand),
                landmarks=landmarks,
                frame_of_reference_uid=anatomy.geometry.frame_of_reference_uid if anatomy else "",
                patient_id=patient_id,
                yes=yes,
                fault=fault,
                seed=seed,
            )
        )
    conclude(outcome, as_json=as_json)


def _verify(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the landmark that is touched again.")],
    config: SiteFile = None,
    *,
    landmarks: Landmarks = None,
    simulate: SimulatedPatient = False,
    yes: Yes = False,
    as_json: AsJson = False,
    fault: Fault = None,
    seed: Seed = 2,
) -> None:
    """Touch a landmark again: does the registration still hold? Exit status 0 only if it does."""
    with workplace(context, config, simulate=simulate) as place:
        outcome = asyncio.run(
            register(
                place,
                lambda **with_hand: run_verify(name=name, **with_hand),
                landmarks=landmarks,
                frame_of_reference_uid="",
                patient_id=None,
                yes=yes,
                fault=fault,
                seed=seed,
            )
        )
    conclude(outcome, as_json=as_json)


def _timing(
    context: typer.Context,
    config: SiteFile = None,
    *,
    simulate: Annotated[bool, typer.Option("--simulate", help="With a simulated hand over a source.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
    fault: Fault = None,
    seed: Seed = 1,
) -> None:
    """Find how late counts are behind poses; exit status 0 only if that is known well enough."""
    with workplace(context, config, simulate=simulate) as place:
        outcome = asyncio.run(find_delay(place, yes=yes, fault=fault, seed=seed))
    conclude(outcome, as_json=as_json)
