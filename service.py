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
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, NoReturn
from uuid import uuid4

import numpy as np
import typer
from fastapi import FastAPI
from rich.console import Console
from threadpoolctl import threadpool_limits

from acquisition.archive import ArchivedStudy, StudyArchive
from acquisition.board import Board
from acquisition.calibration import Calibration, CalibrationError, load_calibration
from acquisition.command import Outcome, run_morning
from acquisition.commands.ending import SiteFile, fail, log_to_stderr
from acquisition.commands.exchange import add_exchange
from acquisition.commands.instrument import instrument_commands
from acquisition.commands.upkeep import add_upkeep
from acquisition.imaging import Imager
from acquisition.intake import Intake
from acquisition.localising import Localiser
from acquisition.mapping import Decided, MapInUse, share_left
from acquisition.quality.settings import CheckSource, MorningSettings
from acquisition.quality.technologist import Unattended
from acquisition.quality.terminal import Keyboard, Terminal
from acquisition.reading import StudyMap, StudyReader
from acquisition.recording import Recorder, record
from acquisition.resection.resection import Resection
from acquisition.session.checklist import Equipment
from acquisition.session.frames import confirmed_frames
from acquisition.session.journal import Journal, JournalUnusable, open_journal
from acquisition.session.reception import Reception
from acquisition.session.session import Session
from acquisition.session.worklist import ask_worklists
from acquisition.studies import Knowledge, read_studies
from acquisition.synchronise import SeenTip, TipChain
from acquisition.tracking.budget import Budgeting
from acquisition.tracking.following import Camera
from acquisition.tracking.joining import Joining
from acquisition.tracking.landmark_plan import LandmarkPlan, PlanUnusable, read_plan
from acquisition.tracking.operator import AtTerminal, Operator, Rigged, Unasked
from acquisition.tracking.register import Hand as RegisteringHand
from acquisition.tracking.register import RegisterOutcome, run_register, run_verify
from acquisition.tracking.settings import RegistrationSettings, TimingSettings, TipSettings
from acquisition.tracking.timing import SweptProbe, Timing, TimingOutcome, load_timing, run_timing
from acquisition.tracking.tip_file import TipCalibration, load_tip
from acquisition.tracking.tool import ToolOutcome, run_tool
from config.nuclides import load_nuclides
from config.settings import NavigationSettings, Site
from config.site import SiteFileError, read_site
from devices.clock import monotonic
from devices.dicom.settings import NodeSettings
from devices.dicom.study import ReceivedStudy
from devices.dicom.web.access import TokenUnusable
from devices.errors import DeviceError, DeviceUnavailable
from devices.igtl_server import IgtlServer, serve_igtl
from devices.mqtt import MqttPublisher
from devices.reaching import Reach, reach, reach_broker, reach_igtl, reach_index, reach_node, reach_peer
from devices.readings import DeviceHealth
from display.access.admission import AccessFiles, Admission
from display.access.command import add_person
from display.access.people import PeopleUnusable
from display.app import Exhibits, create_app
from display.composer import Composer
from display.composition import ShownDevice
from display.key_messages import KeyState
from display.messages import State
from display.metrics import RoomCollector
from display.procedure_states import ProcedureView
from display.server import AddressInUse, Certificate, Server, listen
from display.sharing import share
from display.stage import Signboard, Stage
from display.summary import sum_up
from navigation.error_budget import ErrorBudget
from navigation.errors import NavigationError
from navigation.estimation.estimate import Posterior, TargetEstimate
from navigation.frames import Frame
from navigation.observations import Observations
from navigation.registration_error import RegistrationError
from navigation.skin import SkinSurface
from navigation.transforms import RigidTransform
from navigation.volume import Volume
from simulators.bench import BenchFault
from simulators.bench_room import POLL_INTERVAL_S, open_bench
from simulators.happenings import Excision, ImpossibleHappening, Unplugging
from simulators.scene import Scene, sentinel_node_scene
from simulators.theatre import DESCRIPTION, TOOL_FROM_TIP, Theatre, open_theatre
from simulators.tool_bench import HandFault, open_tool_bench, write_markups
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
        self._timing = _load_timing(site, is_simulated=is_simulated)
        nuclide, session_id = load_nuclides()[site.nuclide], uuid4().hex
        self._localiser = Localiser(clock=monotonic, on_accepted=self._follow)
        self._imager = Imager(clock=monotonic)
        self._reader = StudyReader()
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
            half_life_s=nuclide.half_life_s,
            share_left=lambda archived: share_left(archived.study, nuclide, datetime.now(tz=UTC)),
            sort=map_in_use.sort,
            clock=monotonic,
            now=lambda: datetime.now(tz=UTC),
        )
        self._journal = journal
        self._session.note("started", {"session_id": session_id, "simulated": is_simulated})
        procedure = self._session.procedure
        if procedure.number:
            taken_out = self._session.resume()
            map_in_use.resume(
                Decided(
                    study_uid=procedure.study_uid,
                    taken_out=taken_out,
                    sorts=procedure.sorts,
                    drawn=tuple(procedure.drawn.values()),
                )
            )
        archive = StudyArchive(
            patient_id=procedure.patient_id or site.procedure.patient_id,
            patient_name=procedure.patient_name,
            awaited=procedure.study_uid or None,
            read=self._read_study,
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
                _tip_chain(site, site.navigation, is_simulated=is_simulated),
                longest_gap_s=site.navigation.longest_gap_s,
                calibrated=self._calibration.provenance.identity if self._calibration else "",
                delay_s=self._timing.delay_s if self._timing else 0.0,
            )
        self._joining = self._join(site, map_in_use, archive, is_simulated=is_simulated)
        signboard = Signboard(
            site=site.site.name,
            room=site.site.room,
            session_id=session_id,
            simulated=is_simulated,
            stale_after_s=site.display.stale_after_s,
            language=site.display.language,
            keys=tuple(KeyState(key=key, act=act) for key, act in site.display.keys.items()),
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
            registration=self._registration_error,
            budget=self._budgeting(site, is_simulated=is_simulated),
            stranger=self.intake.stranger,
            integration_s=site.display.integration_s,
            session_id=signboard.session_id,
            simulated=is_simulated,
        )
        synchroniser = self.intake.synchroniser
        self.reception = Reception(
            self._session,
            archive,
            ask=partial(ask_worklists, site.dicom),
            now=lambda: datetime.now(tz=UTC),
        )
        self._stage = Stage(
            signboard,
            board=self.board,
            archive=archive,
            composer=composer,
            imager=self._imager,
            resection=self._resection,
            session=self._session,
            reception=self.reception,
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
        yield "reader", self._reader.run()
        yield "live image", self._imager.run()
        if self._joining is not None:
            yield "what joins tip and patient", self._joining.run()
        if self.followed_by is not None:
            yield "openigtlink", self.followed_by.run()
        yield from self._stage.jobs()

    def _join(
        self, site: Site, map_in_use: MapInUse, archive: StudyArchive, *, is_simulated: bool
    ) -> Joining | None:
        synchroniser, navigation = self.intake.synchroniser, site.navigation
        if synchroniser is None or navigation is None:
            return None
        return Joining(
            synchroniser,
            tip=_load_tip(site, navigation, is_simulated=is_simulated),
            settings=navigation.registration,
            error=_registration_error(site),
            is_simulated=is_simulated,
            patient_id=lambda: archive.in_use.study.patient_id if archive.in_use else "",
            space_uid=lambda: archive.in_use.study.frame_of_reference_uid if archive.in_use else "",
            skin=lambda: archive.in_use.map.skin if archive.in_use else None,
            note=self._session.note,
            on_registered=map_in_use.begin_anew,
            now=lambda: datetime.now(tz=UTC),
        )

    def _registration_error(self) -> RegistrationError | None:
        return self._joining.error if self._joining else None

    def _budgeting(self, site: Site, *, is_simulated: bool) -> Callable[[SeenTip, TipChain], ErrorBudget] | None:
        navigation = site.navigation
        if navigation is None:
            return None
        tip = _load_tip(site, navigation, is_simulated=is_simulated)
        measured = {"delay_sigma_s": self._timing.sigma_s} if self._timing else {}
        return Budgeting(
            navigation.accuracy.model_copy(update=measured),
            tip_covariance_mm2=tip.covariance_mm2 if tip else None,
            registration=self._registration_error,
        ).of

    def _follow(self, accepted: Observations, posterior: Posterior) -> None:
        """Hand on what the estimate accepted."""
        self._imager.take(accepted, posterior)
        self._resection.take(accepted, posterior)

    async def _read_study(self, received: ReceivedStudy) -> StudyMap:
        """Read a study with what the site and persons know of it."""
        same_frames = confirmed_frames(self._journal, received.study_uid)
        knowledge = Knowledge(calibrations=self._site.spect, same_frames=same_frames)
        return await self._reader.read(received.objects, knowledge)

    def _share_tip(self) -> None:
        synchroniser = self.intake.synchroniser
        if self.followed_by is not None and synchroniser is not None:
            seen = synchroniser.newest_tip()
            self.followed_by.send_tip(
                seen.patient_from_tip if seen and not seen.doubt else None,
                seen.taken_at_s if seen else monotonic(),
            )

    def _share_state(self, state: State) -> None:
        if self.followed_by is not None:
            share(state, self.followed_by)

    async def _show(self, archived: ArchivedStudy | None) -> None:
        if archived is not None:
            self._resection.serve(archived.study.patient_id)
        if self._joining is not None:
            self._joining.reconsider()  # the former patient's registration is none of hers
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
        chain = synchroniser.chain if synchroniser else None
        return Equipment(
            nuclide=site.nuclide,
            window_kev=site.window_kev(probe),
            calibration=self._calibration,
            stranger=self.intake.stranger(),
            probe=self.board.health.get(probe),
            tracker=self.board.health.get(tracker),
            tracker_error_mm=seen.error_mm if seen else None,
            is_registered=bool(chain and chain.patient_from_reference),
            doubt=(chain.tip_doubt or chain.registration_doubt) if chain else "",
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


def _tip_chain(site: Site, navigation: NavigationSettings, *, is_simulated: bool) -> TipChain:
    rows, tool, doubt = navigation.patient_from_reference, site.probes[navigation.probe].tool or "", ""
    tool_from_tip = RigidTransform.from_matrix(navigation.tool_from_tip, to=Frame.TOOL, from_=Frame.TIP)
    if (calibration := _load_tip(site, navigation, is_simulated=is_simulated)) is not None:
        tool_from_tip, doubt = calibration.transform, calibration.doubt(datetime.now(tz=UTC))
    return TipChain(
        tool=tool,
        reference=navigation.reference_tool,
        tool_from_tip=tool_from_tip,
        tip_doubt=doubt,
        patient_from_reference=None
        if rows is None
        else RigidTransform.from_matrix(rows, to=Frame.PATIENT, from_=Frame.REFERENCE),
    )


def _load_tip(site: Site, navigation: NavigationSettings, *, is_simulated: bool) -> TipCalibration | None:
    tip, tool = navigation.tip, site.probes[navigation.probe].tool or ""
    if tip is None:
        return None
    try:
        return load_tip(tip.file, tool=tool, serial=tip.serial, is_simulated=is_simulated)
    except CalibrationError as exc:
        raise ServiceError(str(exc)) from exc


def _load_timing(site: Site, *, is_simulated: bool) -> Timing | None:
    navigation = site.navigation
    if navigation is None or navigation.timing is None:
        return None
    names = {"probe": navigation.probe, "tracker": navigation.tracker}
    try:
        return load_timing(navigation.timing.file, **names, is_simulated=is_simulated)
    except CalibrationError as exc:
        raise ServiceError(str(exc)) from exc


def _registration_error(site: Site) -> RegistrationError | None:
    navigation = site.navigation
    if navigation is None or navigation.landmarks_mm is None or navigation.fre_mm is None:
        return None
    return RegistrationError.of_residual(np.array(navigation.landmarks_mm), fre_mm=navigation.fre_mm)


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
            room.exhibits(),
            collector=room.collector(),
            admission=admission,
            reception=room.reception,
            hosts=site.display.names,
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
    log_to_stderr()
    if simulate == (config is not None):
        fail("give either --config SITE.toml for real devices or --simulate")
    if config is not None and (unplug, excise, keep) != (None, None, None):
        fail("--unplug, --excise and --keep are of a simulated room: they go with --simulate")
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
        fail(str(exc))
    if seconds is not None:
        print(json.dumps(summary))


@radionav.command()
def check(context: typer.Context, config: SiteFile = None) -> None:
    """Say for each device of a site file whether it can be reached, and what to do if not."""
    log_to_stderr(logging.CRITICAL)
    site = _named_site(context, config)
    found = asyncio.run(_reach_all(site))
    for one in found:
        print(f"{one.device:12} {'ok  ' if one.is_reached else 'FAIL'}  {one.sentence}")
    if not all(one.is_reached for one in found):
        raise typer.Exit(1)


@radionav.command()
def schema() -> None:
    """Print the JSON schema of the site file."""
    print(json.dumps(Site.model_json_schema(), indent=2))


def _named_site(context: typer.Context, config: Path | None) -> Site:
    config = config or (context.parent.params["config"] if context.parent else None)
    if config is None:
        fail(f"{context.command.name} needs --config SITE.toml")
    try:
        return read_site(config)
    except SiteFileError as exc:
        fail(str(exc))


def _storage_node(context: typer.Context, config: Path | None) -> NodeSettings:
    node = _named_site(context, config).dicom
    if node is None:
        fail("the site file has no [dicom]: nothing is received, and nothing is kept")
    return node


def _people(context: typer.Context, config: Path | None) -> Path:
    access = _named_site(context, config).display.access
    if access is None:
        fail("the site file has no [display.access]: nobody signs in")
    return access.people


add_exchange(radionav, _storage_node)
add_upkeep(
    radionav,
    _storage_node,
    patient_of=lambda context, config: _named_site(context, config).procedure.patient_id,
)
add_person(radionav, _people)
radionav.add_typer(instrument_commands(), name="instrument")


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


def _simulated_tip() -> TipSettings:
    up = tuple(TOOL_FROM_TIP.rotation[:, 1].tolist())
    return TipSettings(file=SIMULATED_FOLDER / "simulated-tip.json", up=up, longest_s=20.0)


def _connect(site: Site, theatre: Theatre, folder: Path) -> Site:
    """Fill in where the simulated devices are; nothing else changes."""
    probes = {
        name: probe.model_copy(update={"port": theatre.ports[name].url}) for name, probe in site.probes.items()
    }
    for name, probe in probes.items():
        if _simulated_calibration(name).exists():
            probes[name] = probe.model_copy(update={"response": _simulated_calibration(name)})
    navigation, tip, registration = site.navigation, _simulated_tip(), _simulated_registration()
    if navigation is not None and tip.file.exists():
        navigation = navigation.model_copy(update={"tip": tip})
    if navigation is not None and registration.file.exists():
        navigation = navigation.model_copy(update={"registration": registration})
    place = {"host": theatre.tracker.host, "port": theatre.tracker.port}
    trackers = {name: tracker.model_copy(update=place) for name, tracker in site.trackers.items()}
    dicom = site.dicom and site.dicom.model_copy(update={"folder": folder / "studies"})
    procedure = site.procedure.model_copy(update={"database": folder / "procedures.sqlite"})
    update = {
        "probes": probes,
        "trackers": trackers,
        "navigation": navigation,
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
                for path in (written, _simulated_tip().file, _simulated_registration().file):
                    if path.exists():
                        print(f"SIMULATED calibration: {path}, written by acquire", file=sys.stderr)
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
    help="Is this probe fit for today, how does it respond, and where is its tip?",
    add_completion=False,
    pretty_exceptions_enable=False,
)


AsJson = Annotated[bool, typer.Option("--json", help="Print the outcome as one JSON line.")]
Seed = Annotated[int, typer.Option(help="With --simulate: seed of every draw.")]
Yes = Annotated[bool, typer.Option("--yes", help="Wait for no Enter: each step begins when it has been said.")]


def _conclude(outcome: Outcome | ToolOutcome | RegisterOutcome | TimingOutcome, *, as_json: bool) -> NoReturn:
    """Tell a program what came of it, and end: exit status 0 only where it passed."""
    if as_json:
        print(json.dumps(outcome.to_dict()))
    raise typer.Exit(0 if outcome.passed else 1)


@acquire.callback(invoke_without_command=True)
def _acquire(
    context: typer.Context,
    config: SiteFile = None,
    *,
    simulate: Annotated[
        bool, typer.Option("--simulate", help="With a simulated probe on a simulated bench.")
    ] = False,
    probe: Annotated[str | None, typer.Option(help="Name of the probe; else the one that navigates.")] = None,
    as_json: AsJson = False,
    fault: Annotated[BenchFault | None, typer.Option(help="With --simulate: what is wrong this morning.")] = None,
    seed: Seed = 1,
) -> None:
    """Check and calibrate a probe; exit status 0 only if it passed."""
    if context.invoked_subcommand is not None:
        return
    log_to_stderr(logging.WARNING)
    if simulate == (config is not None):
        fail("give either --config SITE.toml for a real probe or --simulate")
    try:
        site = simulated_site() if config is None else read_site(config)
        name = _named_probe(site, probe)
        if simulate:
            outcome = asyncio.run(_acquire_simulated(site, name, fault=fault, rng=np.random.default_rng(seed)))
        else:
            outcome = asyncio.run(_acquire_real(site, name))
    except (SiteFileError, ServiceError, CalibrationError, DeviceError, NavigationError) as exc:
        fail(str(exc))
    _conclude(outcome, as_json=as_json)


@acquire.command("tool")
def _acquire_tool(
    context: typer.Context,
    config: SiteFile = None,
    *,
    simulate: Annotated[bool, typer.Option("--simulate", help="With a simulated hand before a tracker.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
    fault: Annotated[HandFault | None, typer.Option(help="With --simulate: what the hand does wrongly.")] = None,
    seed: Seed = 1,
) -> None:
    """Find where the probe's tip is on its marker and which way it looks; exit status 0 only if both passed."""
    with _tracking(context, config, simulate=simulate) as site:
        work = _tool_simulated(site, fault, seed) if site.is_simulated else _tool_real(site.site, yes=yes)
        outcome = asyncio.run(work)
    _conclude(outcome, as_json=as_json)


@dataclass(frozen=True, slots=True, kw_only=True)
class _TrackingSite:
    site: Site
    is_simulated: bool


@contextlib.contextmanager
def _tracking(context: typer.Context, config: Path | None, *, simulate: bool) -> Iterator[_TrackingSite]:
    """Give the site of an ``acquire`` command, whose options may stand before its name too."""
    log_to_stderr(logging.WARNING)
    before = context.parent.params if context.parent else {}
    config, simulate = config or before.get("config"), simulate or bool(before.get("simulate"))
    if simulate == (config is not None):
        fail("give either --config SITE.toml for a real tracker or --simulate")
    try:
        site = simulated_site() if config is None else read_site(config)
        yield _TrackingSite(site=site, is_simulated=simulate)
    except (SiteFileError, ServiceError, CalibrationError, DeviceError, NavigationError) as exc:
        fail(str(exc))


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


async def _tool_real(site: Site, *, yes: bool) -> ToolOutcome:
    camera, console = replace(_camera(site), reference=None), Console(stderr=True)
    if site.navigation is None or site.navigation.tip is None:
        raise ServiceError(
            "the site file has no [navigation.tip]: name the file that the tip's calibration goes to"
        )
    return await run_tool(
        camera=camera, operator=_operator(console, yes=yes), settings=site.navigation.tip, console=console
    )


def _simulated_registration() -> RegistrationSettings:
    return RegistrationSettings(file=SIMULATED_FOLDER / "simulated-registration.json", longest_s=20.0)


Landmarks = Annotated[
    Path | None, typer.Option(help="Landmarks marked in the study: markups of 3D Slicer, .mrk.json.")
]


@acquire.command("register")
def _acquire_register(
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
    simulate: Annotated[bool, typer.Option("--simulate", help="With a simulated hand and patient.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
    fault: Annotated[HandFault | None, typer.Option(help="With --simulate: what the hand does wrongly.")] = None,
    seed: Seed = 1,
) -> None:
    """Register the patient on the table by landmarks; exit status 0 only if it is good enough."""
    with _tracking(context, config, simulate=simulate) as tracking:
        anatomy = _anatomy_in(ct)
        skin = SkinSurface(anatomy) if anatomy else None
        outcome = asyncio.run(
            _register(
                tracking,
                lambda **with_hand: run_register(points=points, skin=skin, **with_hand),
                landmarks=landmarks,
                frame_of_reference_uid=anatomy.geometry.frame_of_reference_uid if anatomy else "",
                patient_id=patient_id,
                yes=yes,
                fault=fault,
                seed=seed,
            )
        )
    _conclude(outcome, as_json=as_json)


@acquire.command("verify")
def _acquire_verify(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the landmark that is touched again.")],
    config: SiteFile = None,
    *,
    landmarks: Landmarks = None,
    simulate: Annotated[bool, typer.Option("--simulate", help="With a simulated hand and patient.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
    fault: Annotated[HandFault | None, typer.Option(help="With --simulate: what the hand does wrongly.")] = None,
    seed: Seed = 2,
) -> None:
    """Touch a landmark again: does the registration still hold? Exit status 0 only if it does."""
    with _tracking(context, config, simulate=simulate) as tracking:
        outcome = asyncio.run(
            _register(
                tracking,
                lambda **with_hand: run_verify(name=name, **with_hand),
                landmarks=landmarks,
                frame_of_reference_uid="",
                patient_id=None,
                yes=yes,
                fault=fault,
                seed=seed,
            )
        )
    _conclude(outcome, as_json=as_json)


def _anatomy_in(folder: Path | None) -> Volume | None:
    if folder is None:
        return None
    cts = [study.anatomy for study in read_studies(sorted(folder.rglob("*"))) if study.anatomy is not None]
    if len(cts) != 1:
        raise ServiceError(f"--ct {folder}: holds {len(cts)} studies with a CT that can be used, wanted one")
    return cts[0]


async def _register(
    tracking: _TrackingSite,
    run: Callable[..., Coroutine[Any, Any, RegisterOutcome]],
    *,
    landmarks: Path | None,
    frame_of_reference_uid: str,
    patient_id: str | None,
    yes: bool,
    fault: HandFault | None,
    seed: int,
) -> RegisterOutcome:
    site, console = tracking.site, Console(stderr=True)
    camera, navigation = _camera(site), site.navigation
    if tracking.is_simulated:
        tool_from_tip, tip, serial, settings = TOOL_FROM_TIP, None, "", _simulated_registration()
    elif navigation is None or navigation.registration is None:
        raise ServiceError("the site file has no [navigation.registration]: name the file that it goes to")
    else:
        chain = _tip_chain(site, navigation, is_simulated=False)
        if chain.tip_doubt:
            raise ServiceError(chain.tip_doubt)
        tool_from_tip, settings = chain.tool_from_tip, navigation.registration
        tip = _load_tip(site, navigation, is_simulated=False)
        serial = navigation.tip.serial if navigation.tip else ""
    patient = patient_id or site.procedure.patient_id
    async with contextlib.AsyncExitStack() as stack:
        operator: Operator
        if not tracking.is_simulated:
            operator = _operator(console, yes=yes)
        else:
            rng = np.random.default_rng(seed)
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="radionav-")))
            bench = await stack.enter_async_context(open_tool_bench(folder, rng=rng, clock=monotonic, fault=fault))
            place = {"host": bench.tracker.host, "port": bench.tracker.port}
            camera = replace(camera, device=site.trackers[camera.name].model_copy(update=place))
            operator = Rigged(bench.hand)
        plan = _landmark_plan(landmarks, is_simulated=tracking.is_simulated)
        hand = RegisteringHand(
            camera=camera,
            tool_from_tip=tool_from_tip,
            serial=serial,
            operator=operator,
            patient_id=patient or "",
            tip_calibrated_at=tip.calibrated_at if tip else None,
            frame_of_reference_uid=frame_of_reference_uid,
            is_simulated=tracking.is_simulated,
        )
        return await run(hand=hand, plan=plan, settings=settings, console=console)


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


@acquire.command("timing")
def _acquire_timing(
    context: typer.Context,
    config: SiteFile = None,
    *,
    simulate: Annotated[bool, typer.Option("--simulate", help="With a simulated hand over a source.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
    fault: Annotated[HandFault | None, typer.Option(help="With --simulate: what the hand does wrongly.")] = None,
    seed: Seed = 1,
) -> None:
    """Find how late counts are behind poses; exit status 0 only if that is known well enough."""
    with _tracking(context, config, simulate=simulate) as tracking:
        outcome = asyncio.run(_timing(tracking, yes=yes, fault=fault, seed=seed))
    _conclude(outcome, as_json=as_json)


async def _timing(tracking: _TrackingSite, *, yes: bool, fault: HandFault | None, seed: int) -> TimingOutcome:
    site, console = tracking.site, Console(stderr=True)
    camera, name = replace(_camera(site), reference=None), _probe_in_hand(site)
    navigation, calibration = site.navigation, _load_calibration(site, is_simulated=tracking.is_simulated)
    if navigation is None or calibration is None:
        raise ServiceError(f"probes.{name}.response names no calibration: run acquire first")
    chain = _tip_chain(site, navigation, is_simulated=tracking.is_simulated)
    probe = SweptProbe(
        name=name, device=site.probes[name], response=calibration.response, tool_from_tip=chain.tool_from_tip
    )
    if not tracking.is_simulated:
        if navigation.timing is None:
            raise ServiceError("the site file has no [navigation.timing]: name the file that the delay goes to")
        return await run_timing(
            camera=camera,
            probe=probe,
            operator=_operator(console, yes=yes),
            settings=navigation.timing,
            console=console,
        )
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory(prefix="radionav-") as folder:
        async with open_tool_bench(Path(folder), rng=rng, clock=monotonic, fault=fault) as bench:
            place = {"host": bench.tracker.host, "port": bench.tracker.port}
            device = site.trackers[camera.name].model_copy(update=place)
            at_port = site.probes[name].model_copy(update={"port": bench.probe})
            return await run_timing(
                camera=replace(camera, device=device),
                probe=replace(probe, device=at_port),
                operator=Rigged(bench.hand),
                settings=TimingSettings(file=SIMULATED_FOLDER / "simulated-timing.json"),
                console=console,
                is_simulated=True,
            )


async def _tool_simulated(site: _TrackingSite, fault: HandFault | None, seed: int) -> ToolOutcome:
    camera = replace(_camera(site.site), reference=None)
    rng = np.random.default_rng(seed)
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="radionav-")))
        bench = await stack.enter_async_context(open_tool_bench(folder, rng=rng, clock=monotonic, fault=fault))
        place = {"host": bench.tracker.host, "port": bench.tracker.port}
        device = site.site.trackers[camera.name].model_copy(update=place)
        return await run_tool(
            camera=replace(camera, device=device),
            operator=Rigged(bench.hand),
            settings=_simulated_tip(),
            console=Console(stderr=True),
            is_simulated=True,
        )


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
