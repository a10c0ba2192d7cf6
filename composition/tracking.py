"""What is measured before a tracker, by hand or by a simulated hand: tip and axis, registration, delay."""

import contextlib
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from acquisition.quality.terminal import Keyboard, Terminal
from acquisition.studies import read_studies
from acquisition.tracking.axis import AxisOutcome, run_axis
from acquisition.tracking.following import Camera
from acquisition.tracking.landmark_plan import LandmarkPlan, PlanUnusable, read_plan
from acquisition.tracking.operator import AtTerminal, Operator, Rigged, Unasked
from acquisition.tracking.register import RegisterOutcome
from acquisition.tracking.swept_probe import Sweeping, SweptProbe
from acquisition.tracking.timing import TimingOutcome, run_timing
from acquisition.tracking.tip_file import TipCalibration
from acquisition.tracking.tool import ToolOutcome, run_tool
from acquisition.tracking.touching import Hand as RegisteringHand
from composition.errors import ServiceError
from composition.instruments import load_response, probe_in_hand, tip_chain, tip_of
from composition.named import Workplace
from composition.simulated import (
    navigating_by,
    simulated_registration,
    simulated_timing,
    simulated_tip,
    tip_in_use,
)
from config.settings import Site
from devices.clock import monotonic
from navigation.volume import Volume
from simulators.tool_bench import HandFault, open_tool_bench, write_markups


def _camera(site: Site) -> Camera:
    navigation = site.navigation
    if navigation is None:
        raise ServiceError("the site file has no [navigation]: say which tracker sees which probe")
    return Camera(
        name=navigation.tracker,
        device=site.trackers[navigation.tracker],
        tool=site.probes[navigation.probe].tool or "",
        reference=navigation.reference_tool,
        clock=monotonic,
    )


def _operator(console: Console, *, yes: bool) -> Operator:
    if yes:
        return Unasked(console)
    return AtTerminal(Terminal(console, Keyboard(sys.stdin.fileno()), now=lambda: datetime.now(tz=UTC)))


@contextlib.asynccontextmanager
async def _before(
    place: Workplace, camera: Camera, console: Console, *, yes: bool, fault: HandFault | None, seed: int
) -> AsyncIterator[tuple[Camera, Operator, str]]:
    """Give the camera and who moves before it: a person, or the hand of a simulated bench.

    Last the port of that bench's probe; empty where the site file's is meant.
    """
    if not place.is_simulated:
        yield camera, _operator(console, yes=yes), ""
        return
    with tempfile.TemporaryDirectory(prefix="radionav-") as folder:
        rng = np.random.default_rng(seed)
        async with open_tool_bench(Path(folder), rng=rng, clock=monotonic, fault=fault) as bench:
            at = {"host": bench.tracker.host, "port": bench.tracker.port}
            turned = replace(camera, device=place.site.trackers[camera.name].model_copy(update=at))
            yield turned, Rigged(bench.hand), bench.probe


async def find_tip(place: Workplace, *, yes: bool, fault: HandFault | None, seed: int) -> ToolOutcome:
    """Find where the tip is on its marker, and which way it looks.

    Raises
    ------
    ServiceError
        Where the site file does not say what this needs.

    """
    camera, console = replace(_camera(place.site), reference=None), Console(stderr=True)
    navigation = place.site.navigation
    settings = simulated_tip() if place.is_simulated else navigation.tip if navigation else None
    if settings is None:
        raise ServiceError(
            "the site file has no [navigation.tip]: name the file that the tip's calibration goes to"
        )
    async with _before(place, camera, console, yes=yes, fault=fault, seed=seed) as (at, operator, _):
        return await run_tool(
            camera=at, operator=operator, settings=settings, console=console, is_simulated=place.is_simulated
        )


def anatomy_in(folder: Path | None) -> Volume | None:
    """Read the one CT in a folder, if a folder is given."""
    if folder is None:
        return None
    cts = [study.anatomy for study in read_studies(sorted(folder.rglob("*"))) if study.anatomy is not None]
    if len(cts) != 1:
        raise ServiceError(f"--ct {folder}: holds {len(cts)} studies with a CT that can be used, wanted one")
    return cts[0]


async def register(
    place: Workplace,
    run: Callable[..., Coroutine[Any, Any, RegisterOutcome]],
    *,
    landmarks: Path | None,
    frame_of_reference_uid: str,
    patient_id: str | None,
    yes: bool,
    fault: HandFault | None,
    seed: int,
) -> RegisterOutcome:
    """Register the patient, or verify how she is registered, as ``run`` does.

    Raises
    ------
    ServiceError
        Where the site file does not say what this needs, or the tip is in doubt.

    """
    site, console = place.site, Console(stderr=True)
    if place.is_simulated:
        site = navigating_by(site, tip=tip_in_use(), registration=simulated_registration())
    camera, navigation = _camera(site), site.navigation
    if navigation is None or navigation.registration is None:
        raise ServiceError("the site file has no [navigation.registration]: name the file that it goes to")
    tip = tip_of(site, navigation, is_simulated=place.is_simulated)
    chain = tip_chain(site, navigation, tip, now=datetime.now(tz=UTC))
    if chain.tip_doubt:
        raise ServiceError(chain.tip_doubt)
    patient = patient_id or site.procedure.patient_id
    async with _before(place, camera, console, yes=yes, fault=fault, seed=seed) as (at, operator, _):
        plan = _landmark_plan(landmarks, is_simulated=place.is_simulated)
        hand = RegisteringHand(
            camera=at,
            tool_from_tip=chain.tool_from_tip,
            serial=navigation.tip.serial if navigation.tip else "",
            operator=operator,
            patient_id=patient or "",
            tip_calibrated_at=tip.calibrated_at if tip else None,
            frame_of_reference_uid=frame_of_reference_uid,
            is_simulated=place.is_simulated,
        )
        return await run(hand=hand, plan=plan, settings=navigation.registration, console=console)


def _landmark_plan(path: Path | None, *, is_simulated: bool) -> LandmarkPlan:
    try:
        if path is not None:
            return read_plan(path)
        if not is_simulated:
            raise ServiceError("give --landmarks FILE.mrk.json: points that were marked in the study in 3D Slicer")
        with tempfile.TemporaryDirectory(prefix="radionav-") as folder:
            written = Path(folder) / "landmarks.mrk.json"
            write_markups(written)
            return read_plan(written)
    except PlanUnusable as exc:
        raise ServiceError(str(exc)) from exc


async def check_axis(place: Workplace, *, yes: bool, fault: HandFault | None, seed: int) -> AxisOutcome:
    """Hold the probe's axis against what it counts from a point source.

    Raises
    ------
    ServiceError
        Where the site file does not say what this needs.

    """
    navigation = place.site.navigation
    settings = simulated_tip() if place.is_simulated else navigation.tip if navigation else None
    if settings is None:
        raise ServiceError("the site file has no [navigation.tip]: run acquire tool first, it finds the axis")
    async with before_source(place, yes=yes, fault=fault, seed=seed) as (sweeping, tip):
        return await run_axis(sweeping=sweeping, tip=tip, settings=settings)


@contextlib.asynccontextmanager
async def before_source(
    place: Workplace, *, yes: bool, fault: HandFault | None, seed: int
) -> AsyncIterator[tuple[Sweeping, TipCalibration | None]]:
    """Give what moves a site's probe over a point source, and its tip; None where that is typed in.

    Raises
    ------
    ServiceError
        Where the site file does not say what this needs, or the tip cannot be read.

    """
    site, console = place.site, Console(stderr=True)
    if place.is_simulated and simulated_tip().file.exists():
        site = navigating_by(site, tip=simulated_tip())
    camera, name = replace(_camera(site), reference=None), probe_in_hand(site)
    navigation, calibration = site.navigation, load_response(site, is_simulated=place.is_simulated)
    if navigation is None or calibration is None:
        raise ServiceError(f"probes.{name}.response names no calibration: run acquire first")
    tip = tip_of(site, navigation, is_simulated=place.is_simulated)
    chain = tip_chain(site, navigation, tip, now=datetime.now(tz=UTC))
    probe = SweptProbe(
        name=name, device=site.probes[name], response=calibration.response, tool_from_tip=chain.tool_from_tip
    )
    async with _before(place, camera, console, yes=yes, fault=fault, seed=seed) as (at, operator, port):
        if port:
            probe = replace(probe, device=site.probes[name].model_copy(update={"port": port}))
        sweeping = Sweeping(
            camera=at, probe=probe, operator=operator, console=console, is_simulated=place.is_simulated
        )
        yield sweeping, tip


async def find_delay(place: Workplace, *, yes: bool, fault: HandFault | None, seed: int) -> TimingOutcome:
    """Find how late counts are behind poses.

    Raises
    ------
    ServiceError
        Where the site file does not say what this needs.

    """
    navigation = place.site.navigation
    settings = simulated_timing() if place.is_simulated else navigation.timing if navigation else None
    if settings is None:
        raise ServiceError("the site file has no [navigation.timing]: name the file that the delay goes to")
    async with before_source(place, yes=yes, fault=fault, seed=seed) as (sweeping, _):
        return await run_timing(sweeping=sweeping, settings=settings)
