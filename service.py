"""The composition root: reads the site file, builds the objects, runs them; both commands start here.

It is long because it is the only place that knows every room; what it joins stands in the rooms themselves.
"""

import asyncio
import contextlib
import gc
import json
import logging
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, NoReturn
from uuid import uuid4

import numpy as np
import structlog
import typer
from fastapi import FastAPI
from rich.console import Console
from threadpoolctl import threadpool_limits

from acquisition import exchange, upkeep
from acquisition.archive import ArchivedStudy, StudyArchive
from acquisition.board import Board
from acquisition.calibration import Calibration, CalibrationError, load_calibration
from acquisition.command import Outcome, run_morning
from acquisition.imaging import Imager
from acquisition.intake import Intake
from acquisition.localising import Localiser
from acquisition.mapping import Decided, MapInUse, share_left
from acquisition.quality.settings import CheckSource, MorningSettings
from acquisition.quality.technologist import Unattended
from acquisition.quality.terminal import Keyboard, Terminal
from acquisition.reading import read_map_apart
from acquisition.recording import Recorder, record
from acquisition.resection.resection import Resection
from acquisition.session.checklist import Equipment
from acquisition.session.journal import Journal, JournalUnusable, open_journal
from acquisition.session.session import Session
from acquisition.studies import Knowledge
from acquisition.synchronise import TipChain
from config.nuclides import load_nuclides
from config.settings import NavigationSettings, Site
from config.site import SiteFileError, read_site
from devices.clock import monotonic
from devices.dicom.settings import NodeSettings
from devices.dicom.web.access import TokenUnusable
from devices.errors import DeviceError, DeviceUnavailable
from devices.igtl_server import IgtlServer, serve_igtl
from devices.mqtt import MqttPublisher
from devices.reaching import Reach, reach, reach_broker, reach_igtl, reach_index, reach_node, reach_peer
from devices.readings import DeviceHealth
from display.access.admission import AccessFiles, Admission
from display.access.people import PeopleUnusable, Role, change_person
from display.app import Exhibits, create_app
from display.composer import Composer
from display.composition import ShownDevice
from display.messages import State
from display.metrics import RoomCollector
from display.procedure_states import ProcedureView
from display.server import AddressInUse, Certificate, Server, listen
from display.sharing import share
from display.stage import Signboard, Stage
from display.summary import sum_up
from navigation.errors import NavigationError
from navigation.estimation.estimate import Posterior, TargetEstimate
from navigation.frames import Frame
from navigation.observations import Observations
from navigation.registration_error import RegistrationError
from navigation.transforms import RigidTransform
from simulators.bench import BenchFault
from simulators.bench_room import POLL_INTERVAL_S, open_bench
from simulators.happenings import Excision, ImpossibleHappening, Unplugging
from simulators.scene import Scene, sentinel_node_scene
from simulators.theatre import DESCRIPTION, Theatre, open_theatre
from simulators.truth import compare

SIMULATED_FOLDER = Path("var")
"""Where ``acquire --simulate`` writes, and ``radionav --simulate`` looks first for a calibration."""


class ServiceError(Exception):
    """Raised when the service cannot start; the message says what to do."""


class Room:
    """Everything that serves one operating room: what comes in, what is believed, what is shown."""

    def __init__(
        self,
        site: Site,
        *,
        is_simulated: bool,
        recorder: Recorder,
        journal: Journal,
        followed_by: IgtlServer | None,
        rng: np.random.Generator,
    ) -> None:
        self._site = site
        self._recorder = recorder
        self.followed_by = followed_by
        self._calibration = _load_calibration(site, is_simulated=is_simulated)
        response = self._calibration.response if self._calibration else None
        nuclide, session_id = load_nuclides()[site.nuclide], uuid4().hex
        self._localiser = Localiser(clock=monotonic, on_accepted=self._follow)
        self._imager = Imager(clock=monotonic)
        self.board = Board()
        map_in_use = MapInUse(
            self._localiser,
            self._imager,
            response=response,
            nuclide=nuclide,
            show=self._show,
            wall_time=lambda: datetime.now(tz=UTC),
        )
        self._resection = Resection(
            self._localiser,
            probe=_probe_in_hand(site),
            response=response,
            half_life_s=nuclide.half_life_s,
            take_out=map_in_use.take_out,
            record=self._record_resection,
            clock=monotonic,
        )
        self._session = Session(
            journal,
            resection=self._resection,
            localiser=self._localiser,
            equipment=self._equipment,
            response=response,
            share_left=lambda archived: share_left(archived.study, nuclide, datetime.now(tz=UTC)),
            sort=map_in_use.sort,
            clock=monotonic,
            now=lambda: datetime.now(tz=UTC),
        )
        self._session.note("started", {"session_id": session_id, "simulated": is_simulated})
        procedure = self._session.procedure
        if procedure.number:
            taken_out = self._session.resume()
            map_in_use.resume(Decided(study_uid=procedure.study_uid, taken_out=taken_out, sorts=procedure.sorts))
        archive = StudyArchive(
            patient_id=procedure.patient_id or site.procedure.patient_id,
            awaited=procedure.study_uid or None,
            read=partial(read_map_apart, knowledge=Knowledge(calibrations=site.spect)),
            on_use=map_in_use.use,
        )
        self.intake = Intake(
            board=self.board,
            recorder=recorder,
            localiser=self._localiser,
            archive=archive,
            resection=self._resection,
            on_health=self._tell,
            on_pose=self._share_tip,
            clock=monotonic,
            jitter=rng.random,
        )
        if site.navigation is not None:
            self.intake.navigate(
                site.navigation.probe,
                site.navigation.tracker,
                _tip_chain(site, site.navigation),
                longest_gap_s=site.navigation.longest_gap_s,
                calibrated=self._calibration.provenance.identity if self._calibration else "",
            )
        signboard = Signboard(
            site=site.site.name,
            room=site.site.room,
            session_id=session_id,
            simulated=is_simulated,
            stale_after_s=site.display.stale_after_s,
            language=site.display.language,
        )
        composer = Composer(
            board=self.board,
            localiser=self._localiser,
            synchroniser=self.intake.synchroniser,
            archive=archive,
            devices=_shown_devices(site),
            probe=_probe_in_hand(site),
            resection=self._resection,
            procedure=ProcedureView(self._session),
            response=response,
            registration=_registration_error(site),
            stranger=self.intake.stranger,
            integration_s=site.display.integration_s,
            session_id=signboard.session_id,
            simulated=is_simulated,
        )
        synchroniser = self.intake.synchroniser
        self._stage = Stage(
            signboard,
            board=self.board,
            archive=archive,
            composer=composer,
            imager=self._imager,
            resection=self._resection,
            session=self._session,
            journal=journal,
            advance=lambda now_s: synchroniser.advance(now_s=now_s) if synchroniser else None,
            publisher=MqttPublisher(site.mqtt, on_health=self._tell, jitter=rng.random) if site.mqtt else None,
            on_state=self._share_state,
            clock=monotonic,
        )

    @property
    def posterior(self) -> Posterior | None:
        """What is believed now; None before the first count with a map."""
        return self._localiser.newest.posterior if self._localiser.newest else None

    def exhibits(self) -> Exhibits:
        """Name what the display's server shows."""
        return self._stage.exhibits()

    def collector(self) -> RoomCollector:
        """Give what reads the room's figures for Prometheus."""
        return RoomCollector(
            board=self.board,
            localiser=self._localiser,
            hub=self._stage.exhibits().hub,
            figures=lambda: self.intake.running_node.figures if self.intake.running_node else None,
            clock=monotonic,
        )

    def jobs(self) -> Iterator[tuple[str, Coroutine[Any, Any, None]]]:
        """Name everything that runs for ever."""
        yield from self.intake.jobs(probes=self._site.probes, trackers=self._site.trackers, node=self._site.dicom)
        yield "live image", self._imager.run()
        if self.followed_by is not None:
            yield "openigtlink", self.followed_by.run()
        yield from self._stage.jobs()

    def _follow(self, accepted: Observations, posterior: Posterior) -> None:
        """Hand on what the estimate accepted."""
        self._imager.take(accepted, posterior)
        self._resection.take(accepted, posterior)

    def _share_tip(self) -> None:
        synchroniser = self.intake.synchroniser
        if self.followed_by is not None and synchroniser is not None:
            seen = synchroniser.newest_tip()
            self.followed_by.send_tip(
                seen.patient_from_tip if seen else None, seen.taken_at_s if seen else monotonic()
            )

    def _share_state(self, state: State) -> None:
        if self.followed_by is not None:
            share(state, self.followed_by)

    async def _show(self, archived: ArchivedStudy | None) -> None:
        if archived is not None:
            self._resection.serve(archived.study.patient_id)
        await self._session.use(archived)
        await self._stage.show(archived)

    def _tell(self, health: DeviceHealth) -> None:
        former = self.board.health.get(health.device)
        self.board.link(health)
        self._stage.tell(health)
        if former is None or former.state is not health.state:
            told = {"device": health.device, "state": health.state.value, "detail": health.detail}
            self._session.note("alert", told)

    def _record_resection(self, at_s: float, event: Mapping[str, Any]) -> None:
        self._recorder.resection(at_s, event)
        self._session.record(at_s, event)

    def _equipment(self) -> Equipment:
        site, synchroniser = self._site, self.intake.synchroniser
        probe = _probe_in_hand(site)
        tracker = site.navigation.tracker if site.navigation else ""
        seen = synchroniser.newest_tip() if synchroniser else None
        return Equipment(
            nuclide=site.nuclide,
            window_kev=site.window_kev(probe),
            calibration=self._calibration,
            stranger=self.intake.stranger(),
            probe=self.board.health.get(probe),
            tracker=self.board.health.get(tracker),
            tracker_error_mm=seen.error_mm if seen else None,
            is_registered=bool(synchroniser and synchroniser.chain.patient_from_reference),
        )


def _probe_in_hand(site: Site) -> str:
    return site.navigation.probe if site.navigation else next(iter(site.probes))


def _load_calibration(site: Site, *, is_simulated: bool) -> Calibration | None:
    if site.navigation is None:
        return None
    probe = site.navigation.probe
    path = site.probes[probe].response
    if path is None:
        return None
    try:
        calibration = load_calibration(path, probe=probe, is_simulated=is_simulated)
    except CalibrationError as exc:
        raise ServiceError(str(exc)) from exc
    response, window_kev = calibration.response, site.window_kev(probe)
    if response.nuclide != site.nuclide or window_kev not in {None, response.window_kev}:
        raise ServiceError(
            f"{path}: made for {response.nuclide} in {response.window_kev} keV, but the site file has "
            f"{site.nuclide} in {window_kev} keV: run acquire, or name the calibration that fits"
        )
    return calibration


def _tip_chain(site: Site, navigation: NavigationSettings) -> TipChain:
    rows = navigation.patient_from_reference
    return TipChain(
        tool=site.probes[navigation.probe].tool or "",
        reference=navigation.reference_tool,
        tool_from_tip=RigidTransform.from_matrix(navigation.tool_from_tip, to=Frame.TOOL, from_=Frame.TIP),
        patient_from_reference=None
        if rows is None
        else RigidTransform.from_matrix(rows, to=Frame.PATIENT, from_=Frame.REFERENCE),
    )


def _registration_error(site: Site) -> RegistrationError | None:
    navigation = site.navigation
    if navigation is None or navigation.landmarks_mm is None or navigation.fre_mm is None:
        return None
    return RegistrationError(landmarks_mm=np.array(navigation.landmarks_mm), fre_mm=navigation.fre_mm)


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
    shown["recorder"] = ShownDevice(kind="recorder", label="Recording", primary=False, stale_after_s=None)
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
    async with contextlib.AsyncExitStack() as stack:
        # more threads cost more than they give: matrices are small, the event loop waits
        stack.enter_context(threadpool_limits(limits=1))
        stack.enter_context(contextlib.closing(listener))
        try:
            recorder = stack.enter_context(record(site.recordings, simulated=is_simulated))
        except OSError as exc:
            raise ServiceError(f"recordings: {site.recordings} cannot be written: {exc.strerror}") from exc
        try:
            journal = stack.enter_context(open_journal(site.procedure.database, now=lambda: datetime.now(tz=UTC)))
        except JournalUnusable as exc:
            raise ServiceError(str(exc)) from exc
        followed_by = await stack.enter_async_context(_follow_by_igtl(site, is_simulated=is_simulated))
        room = Room(
            site,
            is_simulated=is_simulated,
            recorder=recorder,
            journal=journal,
            followed_by=followed_by,
            rng=rng,
        )
        admission = _admission(site)
        app = create_app(
            room.exhibits(), collector=room.collector(), admission=admission, hosts=site.display.names
        )
        server = _server(app, site)
        gc.collect()
        gc.freeze()  # what stays for ever is not looked through again: each time it cost the frames up to 150 ms
        host, port = listener.getsockname()[:2]
        scheme = "https" if site.display.tls else "http"
        address = f"{scheme}://[{host}]:{port}/" if ":" in host else f"{scheme}://{host}:{port}/"
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(server.serve(sockets=[listener]), name="display")
            running = [tasks.create_task(job, name=name) for name, job in room.jobs()]
            if admission is not None:
                running.append(tasks.create_task(admission.watch(), name="access"))
            running.append(tasks.create_task(on_ready(room, address), name="ready"))
            await stop.wait()
            server.close()
            await serving
            for task in running:
                task.cancel()
    return room


@contextlib.asynccontextmanager
async def _follow_by_igtl(site: Site, *, is_simulated: bool) -> AsyncIterator[IgtlServer | None]:
    """Let others follow by OpenIGTLink, where the site file says so."""
    if site.openigtlink is None:
        yield None
        return
    navigation = site.navigation
    try:
        async with serve_igtl(
            site.openigtlink,
            pose_lasts_s=site.trackers[navigation.tracker].silence_s if navigation else 0.0,
            rate_lasts_s=site.probes[_probe_in_hand(site)].silence_s,
            is_simulated=is_simulated,
        ) as server:
            yield server
    except DeviceUnavailable as exc:
        raise ServiceError(str(exc)) from exc


def _admission(site: Site) -> Admission | None:
    access = site.display.access
    if access is None:
        return None
    files = AccessFiles(view_token=access.view_token, people=access.people, engineer_token=access.engineer_token)
    try:
        return Admission(files, monotonic)
    except (PeopleUnusable, TokenUnusable) as exc:
        raise ServiceError(f"display.access: {exc}") from exc


def _server(app: FastAPI, site: Site) -> Server:
    tls = site.display.tls
    certificate = Certificate(certificate=tls.certificate, key=tls.key) if tls else None
    server = Server(app, tls=certificate)
    try:
        server.config.load()
    except OSError as exc:
        raise ServiceError(
            f"display.tls: {tls}: {exc}: name certificate and key that can be read and belong together"
        ) from exc
    return server


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
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Run on simulated devices; everything says so.")
    ] = False,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="End after so long and print a summary.")] = None,
    unplug: Annotated[
        str | None, typer.Option(help="With --simulate: pull a probe's plug, as gamma:10:5 (after, for; s).")
    ] = None,
    excise: Annotated[
        str | None,
        typer.Option(
            help="With --simulate: cut a source out, as node:60 (after the study is sent; s) or node (at SIGUSR1)."
        ),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(help="With --simulate: folder that outlives the run, so that another goes on from it."),
    ] = None,
    seed: Annotated[int, typer.Option(help="With --simulate: seed of every draw.")] = 1,
    port: Annotated[int | None, typer.Option(help="TCP port of the display, in place of the site file's.")] = None,
    dicom_port: Annotated[int | None, typer.Option(help="TCP port of the storage node, likewise.")] = None,
) -> None:
    """Serve one operating room."""
    if context.invoked_subcommand is not None:
        return
    _log_to_stderr()
    if simulate == (config is not None):
        _fail("give either --config SITE.toml for real devices or --simulate")
    if config is not None and (unplug, excise, keep) != (None, None, None):
        _fail("--unplug, --excise and --keep are of a simulated room: they go with --simulate")
    try:
        site = (simulated_site() if config is None else read_site(config)).on_ports(port, dicom_port)
        if config is not None:
            summary = asyncio.run(_serve(site, seconds=seconds))
        else:
            scene, happenings = sentinel_node_scene(), list[Unplugging | Excision]()
            if unplug is not None:
                happenings.append(Unplugging.read(unplug, probes=site.probes))
            if excise is not None:
                happenings.append(Excision.read(excise, scene=scene))
            summary = asyncio.run(_serve_simulated(site, scene, happenings, keep=keep, seconds=seconds, seed=seed))
    except (SiteFileError, ServiceError, ImpossibleHappening) as exc:
        _fail(str(exc))
    if seconds is not None:
        print(json.dumps(summary))


@radionav.command()
def check(context: typer.Context, config: SiteFile = None) -> None:
    """Say for each device of a site file whether it can be reached, and what to do if not."""
    _log_to_stderr(logging.CRITICAL)
    site = _named_site(context, config)
    found = asyncio.run(_reach_all(site))
    for one in found:
        print(f"{one.device:12} {'ok  ' if one.is_reached else 'FAIL'}  {one.sentence}")
    if not all(one.is_reached for one in found):
        raise typer.Exit(1)


Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"])]
PeerName = Annotated[str | None, typer.Option("--from", help="Name of the peer, where there are several.")]
PatientId = Annotated[str, typer.Option(help="Patient ID.")]


@radionav.command()
def worklist(
    context: typer.Context,
    config: SiteFile = None,
    *,
    peer: PeerName = None,
    on: Day = None,
    station: Annotated[str, typer.Option(help="AE title of the station.")] = "",
    patient_id: PatientId = "",
) -> None:
    """List what is scheduled, today unless said otherwise."""
    day = (on or datetime.now(tz=UTC).astimezone()).date()
    with _exchanging(context, config) as (node, console):
        exchange.show_worklist(node, peer=peer, on=day, station_ae=station, patient_id=patient_id, console=console)


@radionav.command()
def query(
    context: typer.Context,
    config: SiteFile = None,
    *,
    peer: PeerName = None,
    patient_id: PatientId = "",
    name: Annotated[str, typer.Option(help="Patient's name, as DOE^J*.")] = "",
    accession: Annotated[str, typer.Option(help="Accession number.")] = "",
    since: Day = None,
    until: Day = None,
) -> None:
    """List studies that an archive has."""
    with _exchanging(context, config) as (node, console):
        exchange.show_studies(
            node,
            peer=peer,
            patient_id=patient_id,
            patient_name=name,
            accession_number=accession,
            since=since.date() if since else None,
            until=until.date() if until else None,
            console=console,
        )


@radionav.command()
def pull(context: typer.Context, study_uid: str, config: SiteFile = None, peer: PeerName = None) -> None:
    """Have an archive send a study to the running node; exit status 0 only if all of it came."""
    with _exchanging(context, config) as (node, console):
        is_whole = exchange.pull(node, study_uid, peer=peer, console=console)
    raise typer.Exit(0 if is_whole else 1)


@radionav.command()
def send(
    context: typer.Context,
    study_uid: str,
    to: Annotated[str, typer.Option(help="Name of the destination.")],
    config: SiteFile = None,
) -> None:
    """Send a received study; what is not taken is tried again by the running service. Exit 0 only if all was."""
    with _exchanging(context, config) as (node, console):
        is_sent = exchange.send(node, study_uid, to=to, console=console)
    raise typer.Exit(0 if is_sent else 1)


@radionav.command()
def outbox(context: typer.Context, config: SiteFile = None) -> None:
    """List what was sent, what waits, and what was answered."""
    with _exchanging(context, config) as (node, console):
        is_empty = exchange.show_outbox(node, console=console)
    raise typer.Exit(0 if is_empty else 1)


@contextlib.contextmanager
def _exchanging(context: typer.Context, config: Path | None) -> Iterator[tuple[NodeSettings, Console]]:
    _log_to_stderr(logging.WARNING)
    node = _storage_node(_named_site(context, config))
    try:
        yield node, exchange.terminal()
    except exchange.ExchangeRefused as exc:
        _fail(str(exc))


@radionav.command()
def reindex(context: typer.Context, config: SiteFile = None) -> None:
    """Make the index of received objects anew from their files; the node makes up for what it lacks by itself."""
    _log_to_stderr(logging.WARNING)
    try:
        is_whole = upkeep.reindex(_storage_node(_named_site(context, config)), Console())
    except upkeep.UpkeepRefused as exc:
        _fail(str(exc))
    raise typer.Exit(0 if is_whole else 1)


@radionav.command()
def retention(
    context: typer.Context,
    config: SiteFile = None,
    *,
    delete: Annotated[bool, typer.Option("--delete", help="Delete them; without it they are listed.")] = False,
) -> None:
    """List the received studies that the rules of the site file name; nothing is ever deleted by itself."""
    _log_to_stderr(logging.WARNING)
    site = _named_site(context, config)
    apply = upkeep.delete_by_rule if delete else upkeep.list_by_rule
    try:
        is_done = apply(_storage_node(site), patient_id=site.procedure.patient_id, console=Console())
    except upkeep.UpkeepRefused as exc:
        _fail(str(exc))
    raise typer.Exit(0 if is_done else 1)


@radionav.command()
def person(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="As she signs in, and as the record names her.")],
    config: SiteFile = None,
    *,
    role: Annotated[Role, typer.Option(help="act: in the procedure; engineer: read the figures.")] = Role.ACT,
    remove: Annotated[bool, typer.Option("--remove", help="She may sign in no longer.")] = False,
) -> None:
    """Let somebody sign in at the displays, or no longer; asks for her secret, or reads it from standard input."""
    access = _named_site(context, config).display.access
    if access is None:
        _fail("the site file has no [display.access]: nobody signs in")
    secret = ""
    if not remove:
        asked = typer.prompt("secret", hide_input=True, confirmation_prompt=True) if sys.stdin.isatty() else None
        secret = asked or sys.stdin.readline().rstrip("\n")
    try:
        change_person(access.people, name, role=None if remove else role, secret=secret)
    except PeopleUnusable as exc:
        _fail(str(exc))


@radionav.command()
def schema() -> None:
    """Print the JSON schema of the site file."""
    print(json.dumps(Site.model_json_schema(), indent=2))


def _named_site(context: typer.Context, config: Path | None) -> Site:
    config = config or (context.parent.params["config"] if context.parent else None)
    if config is None:
        _fail(f"{context.command.name} needs --config SITE.toml")
    try:
        return read_site(config)
    except SiteFileError as exc:
        _fail(str(exc))


def _storage_node(site: Site) -> NodeSettings:
    if site.dicom is None:
        _fail("the site file has no [dicom]: nothing is received, and nothing is kept")
    return site.dicom


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


async def _announce(room: Room, address: str) -> None:
    print(f"the display is at {address}", file=sys.stderr)
    node = await room.intake.node
    print(f"the DICOM node listens at {node.host}:{node.port}", file=sys.stderr)
    if node.web_port is not None:
        print(f"DICOMweb listens on port {node.web_port}", file=sys.stderr)
    if (served := room.followed_by) is not None:
        print(f"OpenIGTLink is served at {served.host}:{served.port}", file=sys.stderr)


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
        if site.dicom.index is not None:
            asked.append(reach_index(site.dicom))
        asked.extend(reach_peer(peer, calling_ae=site.dicom.ae_title) for peer in site.dicom.peers)
    if site.mqtt is not None:
        asked.append(reach_broker(site.mqtt))
    if site.openigtlink is not None:
        asked.append(reach_igtl(site.openigtlink))
    return list(await asyncio.gather(*asked))


# --- radionav --simulate ----------------------------------------------------------------------------------


def simulated_site() -> Site:
    """Read the shipped site file of the simulated room."""
    return read_site(Path(str(files("config"))) / "simulated.toml")


def _simulated_calibration(probe: str) -> Path:
    return SIMULATED_FOLDER / f"simulated-{probe}.json"


def _connect(site: Site, theatre: Theatre, folder: Path) -> Site:
    """Fill in where the simulated devices are; nothing else changes."""
    probes = {
        name: probe.model_copy(update={"port": theatre.ports[name].url}) for name, probe in site.probes.items()
    }
    for name, probe in probes.items():
        if _simulated_calibration(name).exists():
            probes[name] = probe.model_copy(update={"response": _simulated_calibration(name)})
    place = {"host": theatre.tracker.host, "port": theatre.tracker.port}
    trackers = {name: tracker.model_copy(update=place) for name, tracker in site.trackers.items()}
    dicom = site.dicom and site.dicom.model_copy(update={"folder": folder / "studies"})
    procedure = site.procedure.model_copy(update={"database": folder / "procedures.sqlite"})
    update = {
        "probes": probes,
        "trackers": trackers,
        "dicom": dicom,
        "procedure": procedure,
        "recordings": folder / "recordings",
    }
    return site.model_copy(update=update)


async def _serve_simulated(
    site: Site,
    scene: Scene,
    happenings: Sequence[Unplugging | Excision],
    *,
    keep: Path | None,
    seconds: float | None,
    seed: int,
) -> dict[str, Any]:
    stop, rng = _stop_on_signals(seconds), np.random.default_rng(seed)
    with tempfile.TemporaryDirectory(prefix="radionav-") as named:
        folder = Path(named)
        async with open_theatre(scene, folder, rng=rng, clock=monotonic) as theatre:

            async def on_ready(room: Room, address: str) -> None:
                for line in DESCRIPTION:
                    print(line, file=sys.stderr)
                written = _simulated_calibration(_probe_in_hand(site))
                if written.exists():
                    print(f"SIMULATED calibration: {written}, written by acquire", file=sys.stderr)
                await _announce(room, address)
                node = await room.intake.node
                await theatre.send_study(node.host, node.port, called_ae="RADIONAV")
                await asyncio.gather(*(each.happen(theatre) for each in happenings))

            room = await run_room(
                _connect(site, theatre, keep or folder),
                is_simulated=True,
                stop=stop,
                rng=rng,
                on_ready=on_ready,
            )
    return sum_up(room.board.tally, room.posterior, judge=lambda target: _judge(target, scene))


def _judge(target: TargetEstimate, scene: Scene) -> dict[str, Any]:
    """Say how far a target is from the truth, which only a simulation knows."""
    if not target.is_localisable:
        return {"error_mm": None, "in_region": None}
    miss = compare(
        scene,
        centre_mm=target.centre_mm,
        semi_axes_mm=target.region_semi_axes_mm,
        axes=target.region_axes,
    )
    return {"error_mm": round(miss.error_mm, 2), "in_region": miss.is_in_region}


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
    simulate: Annotated[
        bool, typer.Option("--simulate", help="With a simulated probe on a simulated bench.")
    ] = False,
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
        name = _named_probe(site, probe)
        if simulate:
            outcome = asyncio.run(_acquire_simulated(site, name, fault=fault, rng=np.random.default_rng(seed)))
        else:
            outcome = asyncio.run(_acquire_real(site, name))
    except (SiteFileError, ServiceError, CalibrationError, DeviceError, NavigationError) as exc:
        _fail(str(exc))
    if as_json:
        print(json.dumps(outcome.to_dict()))
    raise typer.Exit(0 if outcome.passed else 1)


def _named_probe(site: Site, name: str | None) -> str:
    if name is not None and name not in site.probes:
        raise ServiceError(f"--probe {name}: the site file has {', '.join(site.probes)}")
    return name or _probe_in_hand(site)


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
                calibration=_simulated_calibration(name),
                console=Console(stderr=True),
                clock=room.clock,
                wall_time=room.clock.wall_time,
                is_simulated=True,
            )
