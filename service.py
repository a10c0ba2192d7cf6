"""The composition root: reads the site file, builds the objects, runs them; both commands start here."""

import asyncio
import contextlib
import json
import logging
import signal
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar
from uuid import uuid4

import msgspec
import numpy as np
import structlog
import typer
from rich.console import Console

from acquisition.archive import ArchivedStudy, StudyArchive
from acquisition.board import Board
from acquisition.calibration import CalibrationError, load_response
from acquisition.command import Outcome, run_morning
from acquisition.localising import Localiser
from acquisition.mapping import begin_estimate
from acquisition.quality.settings import CheckSource, MorningSettings
from acquisition.quality.technologist import Unattended
from acquisition.quality.terminal import Keyboard, Terminal
from acquisition.reading import read_map_apart
from acquisition.recording import Recorder, record
from acquisition.synchronise import Synchroniser, TipChain, TrackedCount
from config.nuclides import load_nuclides
from config.settings import Site
from config.site import SiteFileError, read_site
from devices.clock import monotonic, wall_time
from devices.dicom.client import StorageNode, run_node
from devices.dicom.settings import NodeSettings
from devices.errors import DeviceError, DeviceUnavailable
from devices.mqtt import MqttPublisher
from devices.protocols import DeviceSettings
from devices.reaching import Reach, reach, reach_broker, reach_node
from devices.readings import CountReading, DeviceHealth, LinkState, PoseReading
from devices.supervision import Supervisor
from display.app import Exhibits, create_app
from display.composer import Composer
from display.composition import ShownDevice, list_studies, show_device, show_study
from display.hub import Hub
from display.messages import VERSION, Hello, StudyChoice
from display.server import AddressInUse, Server, listen
from display.shelf import Shelf, shelve
from display.summary import sum_up
from navigation.errors import NavigationError
from navigation.estimate import Posterior
from navigation.frames import Frame
from navigation.response import Response
from navigation.transforms import RigidTransform
from simulators.bench import BenchFault
from simulators.bench_room import POLL_INTERVAL_S, open_bench
from simulators.scene import Scene, sentinel_node_scene
from simulators.theatre import DESCRIPTION, Theatre, open_theatre
from simulators.truth import compare

Reading = TypeVar("Reading")

FRAME_INTERVAL_S = 0.05
NODE_RESTART_S = 1.0

SIMULATED_CALIBRATION = Path("var") / "simulated-gamma.json"
"""What ``acquire --simulate`` writes, and ``radionav --simulate`` uses in place of the shipped one."""


class ServiceError(Exception):
    """Raised when the service cannot start; the message says what to do."""


class Room:
    """Everything that serves one operating room, joined: the way of the data, from readings to frames."""

    def __init__(self, site: Site, *, is_simulated: bool, recorder: Recorder, rng: np.random.Generator) -> None:
        self.site = site
        self.is_simulated = is_simulated
        self.board = Board()
        self.localiser = Localiser(clock=monotonic)
        self.node: asyncio.Future[StorageNode] = asyncio.get_running_loop().create_future()
        self._session_id = uuid4().hex
        self._hub = Hub()
        self._shelf = Shelf()
        self._archive = StudyArchive(patient_id=site.procedure.patient_id, read=read_map_apart, on_use=self._use)
        self._recorder = recorder
        self._rng = rng
        self._nuclide = load_nuclides()[site.nuclide]
        self._response = _load_response(site, is_simulated=is_simulated)
        self._synchroniser = _synchroniser(site, self._track)
        self._shown = _shown_devices(site)
        self._publisher = MqttPublisher(site.mqtt, on_health=self._tell, jitter=rng.random) if site.mqtt else None
        self._composer = Composer(
            board=self.board,
            localiser=self.localiser,
            synchroniser=self._synchroniser,
            archive=self._archive,
            devices=self._shown,
            probe=site.navigation.probe if site.navigation else next(iter(site.probes)),
            response=self._response,
            integration_s=site.display.integration_s,
            session_id=self._session_id,
            simulated=is_simulated,
        )

    @property
    def posterior(self) -> Posterior | None:
        """What is believed now; None before the first count with a map."""
        return self.localiser.newest.posterior if self.localiser.newest else None

    def exhibits(self) -> Exhibits:
        """Name what the display's server shows."""
        return Exhibits(
            hub=self._hub,
            shelf=self._shelf,
            hello=self._hello,
            studies=lambda: list_studies(self._archive),
            choose=self._choose,
            clock=monotonic,
        )

    def jobs(self) -> Iterator[tuple[str, Coroutine[Any, Any, None]]]:
        """Name everything that runs for ever."""
        for name, probe in self.site.probes.items():
            yield name, self._supervise(name, probe, self._count)
        for name, tracker in self.site.trackers.items():
            yield name, self._supervise(name, tracker, self._pose)
        if self.site.dicom is not None:
            yield "dicom", self._receive_studies(self.site.dicom)
        if self._publisher is not None:
            yield "mqtt", self._publisher.run()
        yield "posterior", self.localiser.run()
        yield "frames", self._compose()

    def _hello(self) -> Hello:
        now_s = monotonic()
        return Hello(
            version=VERSION,
            session_id=self._session_id,
            simulated=self.is_simulated,
            site=self.site.site.name,
            room=self.site.site.room,
            server_monotonic_s=now_s,
            server_time_utc=wall_time(now_s).isoformat(),
            stale_after_s=self.site.display.stale_after_s,
        )

    def _supervise(
        self, name: str, settings: DeviceSettings[Reading], take: Callable[[Reading], None]
    ) -> Coroutine[Any, Any, None]:
        supervisor = Supervisor(
            name, settings, on_reading=take, on_health=self._tell, clock=monotonic, jitter=self._rng.random
        )
        return supervisor.run()

    def _count(self, reading: CountReading) -> None:
        self._recorder.count(reading)
        self.board.count(reading)
        navigation = self.site.navigation
        if self._synchroniser is not None and navigation is not None and reading.device == navigation.probe:
            self._synchroniser.add_count(reading, now_s=monotonic())

    def _pose(self, reading: PoseReading) -> None:
        self._recorder.pose(reading)
        self.board.pose(reading)
        navigation = self.site.navigation
        if self._synchroniser is not None and navigation is not None and reading.device == navigation.tracker:
            self._synchroniser.add_pose(reading, now_s=monotonic())

    def _track(self, tracked: TrackedCount) -> None:
        self.board.tally.tracked_counts += 1
        self.localiser.take(tracked)

    def _tell(self, health: DeviceHealth) -> None:
        self.board.link(health)
        if self._publisher is not None:
            state = show_device(health.device, self._shown[health.device], self.board, now_s=monotonic())
            self._publisher.publish_latest(f"health/{health.device}", msgspec.json.encode(state), retain=True)

    async def _receive_studies(self, settings: NodeSettings) -> None:
        """Run the storage node, and start it again if it ends: what it stored it announces anew."""
        while True:
            try:
                async with run_node(settings, clock=monotonic) as node:
                    if not self.node.done():
                        self.node.set_result(node)
                    self._tell(node.health)
                    async for received in node.studies():
                        self._recorder.study(received)
                        self.board.tally.studies += 1
                        self.board.delivered_s[node.device] = monotonic()
                        await self._archive.take(received)
            except DeviceUnavailable as exc:
                self._tell(
                    DeviceHealth(device=exc.device, state=LinkState.LOST, since_s=monotonic(), detail=str(exc))
                )
            await asyncio.sleep(NODE_RESTART_S)

    async def _choose(self, choice: StudyChoice) -> str | None:
        return await self._archive.choose(
            choice.study_uid, patient_id=choice.patient_id, patient_name=choice.patient_name
        )

    async def _use(self, archived: ArchivedStudy) -> None:
        """Take a study's map into use: its volumes on the shelf, its hot spots as the prior."""
        self._composer.study = None
        self.localiser.begin(None)
        volumes = (archived.study.anatomy, archived.study.activity)
        anatomy, activity = [await asyncio.to_thread(shelve, volume) if volume else None for volume in volumes]
        estimator = None
        if self._response is not None:
            now = datetime.now(tz=UTC)
            estimator = await asyncio.to_thread(begin_estimate, archived, self._response, self._nuclide, now=now)
        self._shelf.replace(*(volume for volume in (anatomy, activity) if volume))
        self._composer.study = show_study(
            archived,
            anatomy=anatomy.state if anatomy else None,
            activity=activity.state if activity else None,
        )
        self.localiser.begin(estimator)

    async def _compose(self) -> None:
        """Make a frame each 50 ms; after a stall go on from now."""
        due_s = monotonic()
        while True:
            now_s = monotonic()
            if self._synchroniser is not None:
                self._synchroniser.advance(now_s=now_s)
            state = self._composer.compose(now_s=now_s)
            self.board.tally.frames += 1
            self._hub.publish(state)
            if self._publisher is not None:
                self._publisher.publish_latest("state", msgspec.json.encode(state), retain=True)
                self._publisher.publish_latest("guidance", msgspec.json.encode(state.guidance))
            due_s = max(due_s + FRAME_INTERVAL_S, now_s)
            await asyncio.sleep(due_s - monotonic())


def _load_response(site: Site, *, is_simulated: bool) -> Response | None:
    if site.navigation is None:
        return None
    path = site.probes[site.navigation.probe].response
    if path is None:
        return None
    try:
        return load_response(path, is_simulated=is_simulated)
    except CalibrationError as exc:
        raise ServiceError(str(exc)) from exc


def _synchroniser(site: Site, emit: Callable[[TrackedCount], None]) -> Synchroniser | None:
    navigation = site.navigation
    if navigation is None:
        return None
    rows = navigation.patient_from_reference
    chain = TipChain(
        tool=site.probes[navigation.probe].tool or "",
        reference=navigation.reference_tool,
        tool_from_tip=RigidTransform.from_matrix(navigation.tool_from_tip, to=Frame.TOOL, from_=Frame.TIP),
        patient_from_reference=None
        if rows is None
        else RigidTransform.from_matrix(rows, to=Frame.PATIENT, from_=Frame.REFERENCE),
    )
    return Synchroniser(chain, emit=emit, longest_gap_s=navigation.longest_gap_s)


def _shown_devices(site: Site) -> Mapping[str, ShownDevice]:
    navigation = site.navigation
    primary = {navigation.probe, navigation.tracker} if navigation else set(site.probes)
    shown: dict[str, ShownDevice] = {}
    for name, probe in site.probes.items():
        shown[name] = ShownDevice(
            kind="probe", label=probe.label or name, primary=name in primary, stale_after_s=probe.silence_s
        )
    for name, tracker in site.trackers.items():
        shown[name] = ShownDevice(
            kind="tracker", label=tracker.label, primary=name in primary, stale_after_s=tracker.silence_s
        )
    if site.dicom is not None:
        shown["dicom"] = ShownDevice(kind="dicom", label="Scanner", primary=False, stale_after_s=None)
    if site.mqtt is not None:
        shown["mqtt"] = ShownDevice(kind="mqtt", label="Hospital broker", primary=False, stale_after_s=None)
    return shown


async def run_room(
    site: Site,
    *,
    is_simulated: bool,
    stop: asyncio.Event,
    rng: np.random.Generator,
    on_ready: Callable[[Room, str], Coroutine[Any, Any, None]],
) -> Room:
    """Run a room until ``stop`` is set.

    Raises
    ------
    ServiceError
        Where it cannot start: a port in use, a calibration that is missing or another probe's.

    """
    try:
        listener = listen(site.display.host, site.display.port)
    except AddressInUse as exc:
        raise ServiceError(f"display: {exc}") from exc
    with (
        contextlib.closing(listener),
        record(site.recordings, simulated=is_simulated) as recorder,
    ):
        room = Room(site, is_simulated=is_simulated, recorder=recorder, rng=rng)
        server = Server(create_app(room.exhibits()))
        host, port = listener.getsockname()[:2]
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(server.serve(sockets=[listener]), name="display")
            running = [tasks.create_task(job, name=name) for name, job in room.jobs()]
            running.append(tasks.create_task(on_ready(room, f"http://{host}:{port}/"), name="ready"))
            await stop.wait()
            server.close()
            await serving
            for task in running:
                task.cancel()
    return room


# --- radionav ---------------------------------------------------------------------------------------------

radionav = typer.Typer(
    help="Radioguided surgery: where the node is, how far from the probe's tip, and how sure.",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
)

SiteFile = Annotated[Path | None, typer.Option("--config", help="The site file (TOML).")]


@radionav.callback(invoke_without_command=True)
def _run(
    context: typer.Context,
    config: SiteFile = None,
    *,
    simulate: Annotated[bool, typer.Option(help="Run on simulated devices; everything says so.")] = False,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="End after so long and print a summary.")] = None,
    unplug: Annotated[
        str | None, typer.Option(help="With --simulate: pull a probe's plug, as gamma:10:5 (after, for; s).")
    ] = None,
    seed: Annotated[int, typer.Option(help="With --simulate: seed of every draw.")] = 1,
) -> None:
    """Serve one operating room."""
    if context.invoked_subcommand is not None:
        return
    _log_to_stderr()
    if simulate == (config is not None):
        _fail("give either --config SITE.toml for real devices or --simulate")
    try:
        if config is not None:
            if unplug is not None:
                _fail("--unplug pulls the plug of a simulated probe: it goes with --simulate")
            summary = asyncio.run(_serve(read_site(config), seconds=seconds))
        else:
            summary = asyncio.run(_serve_simulated(seconds=seconds, unplug=_unplugging(unplug), seed=seed))
    except (SiteFileError, ServiceError) as exc:
        _fail(str(exc))
    if seconds is not None:
        print(json.dumps(summary))


@radionav.command()
def check(config: SiteFile = None) -> None:
    """Say for each device of a site file whether it can be reached, and what to do if not."""
    _log_to_stderr(logging.CRITICAL)
    if config is None:
        _fail("check needs --config SITE.toml")
    try:
        site = read_site(config)
    except SiteFileError as exc:
        _fail(str(exc))
    found = asyncio.run(_reach_all(site))
    for one in found:
        print(f"{one.device:12} {'ok  ' if one.is_reached else 'FAIL'}  {one.sentence}")
    if not all(one.is_reached for one in found):
        raise typer.Exit(1)


@radionav.command()
def schema() -> None:
    """Print the JSON schema of the site file."""
    print(json.dumps(Site.model_json_schema(), indent=2))


def _fail(sentence: str) -> NoReturn:
    print(sentence, file=sys.stderr)
    raise typer.Exit(2)


def _log_to_stderr(level: int = logging.INFO) -> None:
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _stop_on_signals(seconds: float | None) -> asyncio.Event:
    """Make an event that SIGINT, SIGTERM or the end of the time sets."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if seconds is not None:
        loop.call_later(seconds, stop.set)
    return stop


async def _announce(_: Room, address: str) -> None:
    print(f"the display is at {address}", file=sys.stderr)


async def _serve(site: Site, *, seconds: float | None) -> dict[str, Any]:
    room = await run_room(
        site,
        is_simulated=False,
        stop=_stop_on_signals(seconds),
        rng=np.random.default_rng(),
        on_ready=_announce,
    )
    return sum_up(room.board.tally, room.posterior)


async def _reach_all(site: Site) -> list[Reach]:
    asked: list[Coroutine[Any, Any, Reach]] = []
    for name, device in (*site.probes.items(), *site.trackers.items()):
        asked.append(reach(name, device, clock=monotonic))
    if site.dicom is not None:
        asked.append(reach_node(site.dicom))
    if site.mqtt is not None:
        asked.append(reach_broker(site.mqtt))
    return list(await asyncio.gather(*asked))


# --- radionav --simulate ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unplugging:
    probe: str
    after_s: float
    for_s: float


def _unplugging(written: str | None) -> _Unplugging | None:
    if written is None:
        return None
    probe, *times = written.split(":")
    try:
        after_s, for_s = (float(time) for time in times)
    except ValueError as exc:
        raise ServiceError(f"--unplug {written!r}: write NAME:AFTER_S:FOR_S, as gamma:10:5") from exc
    return _Unplugging(probe=probe, after_s=after_s, for_s=for_s)


def simulated_site() -> Site:
    """Read the shipped site file of the simulated room."""
    return read_site(Path(str(files("config"))) / "simulated.toml")


def _connect(site: Site, theatre: Theatre, folder: Path) -> Site:
    """Fill in where the simulated devices are; nothing else changes."""
    probes = {
        name: probe.model_copy(update={"port": theatre.ports[name].url}) for name, probe in site.probes.items()
    }
    if SIMULATED_CALIBRATION.exists():
        probes["gamma"] = probes["gamma"].model_copy(update={"response": SIMULATED_CALIBRATION})
    place = {"host": theatre.tracker.host, "port": theatre.tracker.port}
    trackers = {name: tracker.model_copy(update=place) for name, tracker in site.trackers.items()}
    dicom = site.dicom and site.dicom.model_copy(update={"folder": folder / "studies"})
    update = {"probes": probes, "trackers": trackers, "dicom": dicom, "recordings": folder / "recordings"}
    return site.model_copy(update=update)


async def _serve_simulated(*, seconds: float | None, unplug: _Unplugging | None, seed: int) -> dict[str, Any]:
    site, scene = simulated_site(), sentinel_node_scene()
    rng = np.random.default_rng(seed)
    if unplug is not None and unplug.probe not in site.probes:
        raise ServiceError(f"--unplug {unplug.probe}: the simulated probes are {', '.join(site.probes)}")
    with tempfile.TemporaryDirectory(prefix="radionav-") as named:
        folder = Path(named)
        async with open_theatre(scene, folder, rng=rng, clock=monotonic) as theatre:

            async def on_ready(room: Room, address: str) -> None:
                for line in (*DESCRIPTION, f"the display is at {address}"):
                    print(line, file=sys.stderr)
                node = await room.node
                await theatre.send_study(node.host, node.port, called_ae="RADIONAV")
                if unplug is not None:
                    await asyncio.sleep(unplug.after_s)
                    await theatre.ports[unplug.probe].unplug(unplug.for_s)

            room = await run_room(
                _connect(site, theatre, folder),
                is_simulated=True,
                stop=_stop_on_signals(seconds),
                rng=rng,
                on_ready=on_ready,
            )
    summary = sum_up(room.board.tally, room.posterior)
    return summary | {"targets": _compare(summary["targets"], room.posterior, scene)}


def _compare(shown: list[dict[str, Any]], posterior: Posterior | None, scene: Scene) -> list[dict[str, Any]]:
    """Add to each target how far it is from the truth, which only a simulation knows."""
    found = {target.name: target for target in (posterior.targets if posterior else ())}
    compared = []
    for target in shown:
        estimate = found[target["name"]]
        miss = (
            compare(
                scene,
                centre_mm=estimate.centre_mm,
                semi_axes_mm=estimate.region_semi_axes_mm,
                axes=estimate.region_axes,
            )
            if estimate.is_localisable
            else None
        )
        compared.append(
            target
            | {
                "error_mm": round(miss.error_mm, 2) if miss else None,
                "in_region": miss.is_in_region if miss else None,
            }
        )
    return compared


# --- acquire ----------------------------------------------------------------------------------------------

acquire = typer.Typer(
    help="The technologist's morning: is this probe fit for today, and how does it respond?",
    add_completion=False,
    pretty_exceptions_enable=False,
)


@acquire.command()
def _acquire(
    config: SiteFile = None,
    *,
    simulate: Annotated[bool, typer.Option(help="With a simulated probe on a simulated bench.")] = False,
    probe: Annotated[str | None, typer.Option(help="Name of the probe; else the one that navigates.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as one JSON line.")] = False,
    fault: Annotated[BenchFault | None, typer.Option(help="With --simulate: what is wrong this morning.")] = None,
    seed: Annotated[int, typer.Option(help="With --simulate: seed of every draw.")] = 1,
) -> None:
    """Check and calibrate a probe; exit status 0 only if it passed."""
    _log_to_stderr(logging.WARNING)
    if simulate == (config is not None):
        _fail("give either --config SITE.toml for a real probe or --simulate")
    try:
        site = simulated_site() if config is None else read_site(config)
        name = probe or (site.navigation.probe if site.navigation else next(iter(site.probes)))
        if name not in site.probes:
            raise ServiceError(f"--probe {name}: the site file has {', '.join(site.probes)}")
        if simulate:
            outcome = asyncio.run(_acquire_simulated(site, name, fault=fault, rng=np.random.default_rng(seed)))
        else:
            outcome = asyncio.run(_acquire_real(site, name))
    except (SiteFileError, ServiceError, CalibrationError, DeviceError, NavigationError) as exc:
        _fail(str(exc))
    if as_json:
        print(json.dumps(outcome.to_dict()))
    raise typer.Exit(0 if outcome.passed else 1)


def _morning_settings(site: Site) -> MorningSettings:
    if site.acquire is None:
        raise ServiceError("the site file has no [acquire]: say which check source and which limits hold here")
    return site.acquire


async def _acquire_real(site: Site, name: str) -> Outcome:
    calibration = site.probes[name].response
    if calibration is None:
        raise ServiceError(f"probes.{name}.response must name the calibration file to write")
    console = Console(stderr=True)
    terminal = Terminal(console, Keyboard(sys.stdin.fileno()), now=lambda: datetime.now(tz=UTC))
    return await run_morning(
        probe=name,
        device=site.probes[name],
        technologist=terminal,
        settings=_morning_settings(site),
        nuclides=load_nuclides(),
        calibration=calibration,
        console=console,
    )


async def _acquire_simulated(
    site: Site, name: str, *, fault: BenchFault | None, rng: np.random.Generator
) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="radionav-") as folder:
        async with open_bench(Path(folder), rng=rng, clock=monotonic, fault=fault) as room:
            at_pace = {"port": room.port, "interval_s": POLL_INTERVAL_S}
            check_source = CheckSource.model_validate(room.bench.label())
            return await run_morning(
                probe=name,
                device=site.probes[name].model_copy(update=at_pace),
                technologist=Unattended(room.bench),
                settings=_morning_settings(site).model_copy(update={"check_source": check_source}),
                nuclides=load_nuclides(),
                calibration=SIMULATED_CALIBRATION,
                console=Console(stderr=True),
                clock=room.clock,
                wall_time=room.clock.wall_time,
                is_simulated=True,
            )
