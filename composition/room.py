"""One operating room: what comes in, what is believed, what is shown, joined as the site file says."""

from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from acquisition.archive import ArchivedStudy, StudyArchive
from acquisition.board import Board
from acquisition.estimate.estimating import Misplaced
from acquisition.estimate.localising import Localiser
from acquisition.image.imaging import Imager
from acquisition.intake import Intake
from acquisition.mapping import Decided, MapInUse, share_left
from acquisition.recording import Recorder
from acquisition.replay.black_box import Recording
from acquisition.replay.clock import ReplayClock
from acquisition.replay.player import Played, Player
from acquisition.resection.resection import Resection
from acquisition.session.chapter import Chapter
from acquisition.session.checklist import Equipment
from acquisition.session.frames import confirmed_frames
from acquisition.session.journal import Journal, JournalUnusable
from acquisition.session.names import names_in_use
from acquisition.session.rate_trend import RateTrend
from acquisition.session.reception import Reception
from acquisition.session.session import Session
from acquisition.session.swept_path import SweptPath
from acquisition.session.worklist import ask_worklists
from acquisition.session.yardstick import Yardstick
from acquisition.studies import Knowledge
from acquisition.studies.reading import StudyMap, StudyReader, StudyUnread
from acquisition.tracking.desk import Desk
from acquisition.tracking.joining import REGISTERED
from acquisition.tracking.suspicion import last_suspicion
from composition.calibrating import Calibrating
from composition.in_use import read_in_use
from composition.instruments import (
    budgeting,
    equipment,
    files_of,
    join,
    load_response,
    probe_in_hand,
    shown_devices,
    tip_chain,
)
from config.nuclides import load_nuclides
from config.settings import Site
from devices.clock import monotonic
from devices.dicom.study import ReceivedStudy
from devices.igtl_server import IgtlServer
from devices.mqtt import MqttPublisher
from devices.readings import DeviceHealth
from display.app import Exhibits
from display.composer import Composer
from display.messages.feed import State
from display.messages.key import KeyState
from display.metrics import RoomCollector
from display.sharing import share
from display.stage import Signboard, Stage
from display.states.procedure import ProcedureView
from navigation.estimation.estimate import Posterior
from navigation.observations import Observations
from navigation.registration_error import RegistrationError
from navigation.transforms import RigidTransform


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
        now: Callable[[], datetime],
        replay: ReplayClock | None = None,
    ) -> None:
        clock = replay or monotonic
        self._site = site
        self._replay = replay
        self._player: Player | None = None
        self._recorder = recorder
        self.followed_by = followed_by
        self._calibration = load_response(site, is_simulated=is_simulated)
        response = self._calibration.response if self._calibration else None
        self._in_use = read_in_use(site, is_simulated=is_simulated)
        nuclide, session_id = load_nuclides()[site.nuclide], uuid4().hex
        self._localiser = Localiser(
            clock=clock,
            on_accepted=self._follow,
            on_misplaced=self._suspect,
            on_asked=recorder.asked,
            is_paced=replay is not None,
        )
        self._imager = Imager(clock=clock)
        self._reader = StudyReader(site.dicom.folder if site.dicom else None)
        self.board, self.desk = Board(), Desk()
        self._map_in_use = map_in_use = MapInUse(
            self._localiser,
            self._imager,
            response=response,
            nuclide=nuclide,
            show=self._show,
            wall_time=now,
            taken_out_of=lambda uid: self._resection.taken_out_of(uid),  # noqa: PLW0108 - it is made below
            on_begin=lambda decided: recorder.map(decided.told()),
        )
        self._resection = Resection(
            self._localiser,
            probe=probe_in_hand(site),
            response=response,
            half_life_s=nuclide.half_life_s,
            take_out=map_in_use.take_out,
            record=self._record_resection,
            clock=clock,
            is_calibrating=lambda: self.desk.is_running,
            patient_from_reference=self._patient_from_reference,
        )
        self._session = Session(
            journal,
            resection=self._resection,
            localiser=self._localiser,
            equipment=self._equipment,
            response=response,
            half_life_s=nuclide.half_life_s,
            share_left=lambda archived: share_left(archived.study, nuclide, now()),
            sort=map_in_use.sort,
            clock=clock,
            now=now,
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
        self._archive = archive = StudyArchive(
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
            clock=clock,
            jitter=rng.random,
            unentered=lambda: self._session.failure,
        )
        if site.navigation is not None:
            self.intake.navigate(
                site.navigation.probe,
                site.navigation.tracker,
                tip_chain(site, site.navigation, self._in_use.tip, now=now()),
                longest_gap_s=site.navigation.longest_gap_s,
                calibrated=self._calibration.provenance.identity if self._calibration else "",
                delay_s=self._in_use.timing.delay_s if self._in_use.timing else 0.0,
            )
        self._joining = join(
            site,
            self.intake.synchroniser,
            archive,
            tip=self._in_use.tip,
            superseded=partial(self._in_use.superseded, site, is_simulated=is_simulated),
            is_simulated=is_simulated,
            note=self._note_joining,
            on_registered=self._register_anew,
            now=now,
            suspected=last_suspicion(journal),
        )
        self._record_files(*files_of(site))
        signboard = Signboard(
            site=site.site.name,
            room=site.site.room,
            session_id=session_id,
            simulated=is_simulated,
            stale_after_s=site.display.stale_after_s,
            language=site.display.language,
            keys=tuple(KeyState(key=key, act=act) for key, act in site.display.keys.items()),
            replayed=replay is not None,
        )
        chapter = Chapter(lambda: self._session.procedure, journal, note=self._session.note)
        composer = Composer(
            board=self.board,
            localiser=self._localiser,
            synchroniser=self.intake.synchroniser,
            archive=archive,
            devices=shown_devices(site, is_replayed=replay is not None),
            probe=probe_in_hand(site),
            resection=self._resection,
            procedure=ProcedureView(self._session),
            yardstick=Yardstick(chapter),
            path=SweptPath(chapter),
            response=response,
            registration=self._registration_error,
            budget=budgeting(
                site, tip=self._in_use.tip, timing=self._in_use.timing, registration=self._registration_error
            ),
            stranger=self.intake.stranger,
            is_calibrating=lambda: self.desk.is_running,
            integration_s=site.display.integration_s,
            session_id=signboard.session_id,
            simulated=is_simulated,
            replayed=replay is not None,
        )
        self.calibrating: Calibrating | None = None
        if site.navigation is not None:
            self.calibrating = Calibrating(
                desk=self.desk,
                site=site,
                navigation=site.navigation,
                in_use=self._in_use,
                intake=self.intake,
                archive=archive,
                resection=self._resection,
                note=self._session.note,
                is_simulated=is_simulated,
            )
        synchroniser = self.intake.synchroniser
        self.reception = Reception(self._session, archive, ask=partial(ask_worklists, site.dicom), now=now)
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
            trend=RateTrend(chapter, device=probe_in_hand(site), now=now),
            advance=lambda now_s: synchroniser.advance(now_s=now_s) if synchroniser else None,
            publisher=MqttPublisher(site.mqtt, on_health=self._tell, jitter=rng.random) if site.mqtt else None,
            on_state=self._share_state,
            clock=clock,
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
        if self._replay is None:
            site = self._site
            yield from self.intake.jobs(probes=site.probes, trackers=site.trackers, node=site.dicom)
        else:
            yield from self.intake.jobs(probes={}, trackers={}, node=None)
        yield "reader", self._reader.run()
        yield "live image", self._imager.run()
        if self._joining is not None:
            yield "what joins tip and patient", self._joining.run()
        if self.calibrating is not None:
            yield "calibrations", self.desk.run()
        if self.followed_by is not None:
            yield "openigtlink", self.followed_by.run()
        yield from self._stage.jobs()

    def player(self, recording: Recording, *, studies: Path | None, say: Callable[[str], None]) -> Player:
        """Make what plays a recording into this room, whose studies are in a folder."""
        if self._replay is None:
            raise RuntimeError("a room that is live")
        site = self._site
        parts = Played(
            intake=self.intake,
            localiser=self._localiser,
            archive=self._archive,
            map_in_use=self._map_in_use,
            resection=self._resection,
            journal=self._journal,
            joining=self._joining,
            silence_s={name: each.silence_s for name, each in (*site.probes.items(), *site.trackers.items())},
            studies=studies,
            registration=files_of(site).get("registration"),
            on_health=self._tell,
        )
        self._player = Player(recording, self._replay, parts, say=say)
        return self._player

    async def _register_anew(self) -> None:
        """Begin again: whatever was counted was counted in another registration's places."""
        self._resection.leave_bed()
        await self._map_in_use.begin_anew()

    def _patient_from_reference(self) -> RigidTransform | None:
        synchroniser = self.intake.synchroniser
        return synchroniser.chain.patient_from_reference if synchroniser else None

    def _registration_error(self) -> RegistrationError | None:
        return self._joining.error if self._joining else None

    def _follow(self, accepted: Observations, posterior: Posterior) -> None:
        """Hand on what the estimate accepted."""
        self._recorder.estimate(posterior)
        self._imager.take(accepted, posterior)
        self._resection.take(accepted, posterior)
        if self._player is not None:
            self._player.believed(posterior)

    async def _read_study(self, received: ReceivedStudy) -> StudyMap:
        """Read a study with what the site and persons know of it."""
        try:
            same_frames = confirmed_frames(self._journal, received.study_uid)
            names = names_in_use(self._journal, received.study_uid)
        except JournalUnusable as exc:  # under other names its hot spots would be others
            raise StudyUnread(str(exc)) from exc
        self._recorder.reading(received, same_frames, names)
        knowledge = Knowledge(calibrations=self._site.spect, same_frames=same_frames)
        found = await self._reader.read(received.objects, knowledge)
        return found.named_as(names, self._session.procedure.names_drawn)

    def _share_tip(self) -> None:
        synchroniser = self.intake.synchroniser
        # with each pose of each tool: not for nobody
        if self.followed_by is not None and self.followed_by.clients and synchroniser is not None:
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
            self._joining.begin_anew()  # the former patient's registration is none of hers
        await self._session.use(archived)
        await self._stage.show(archived)

    def _tell(self, health: DeviceHealth) -> None:
        if self._replay is not None and health.device == "recorder":
            return  # a replay is not recorded for anybody
        former = self.board.health.get(health.device)
        self.board.link(health)
        self._stage.tell(health)
        if former is None or former.state is not health.state:
            told = {"device": health.device, "state": health.state.value, "detail": health.detail}
            self._session.note("alert", told)

    def _suspect(self, misplaced: Misplaced) -> None:
        if self._joining is not None:
            self._joining.suspect(misplaced)

    def _note_joining(self, kind: str, told: Mapping[str, Any]) -> None:
        self._session.note(kind, told)
        if kind == REGISTERED:
            self._record_files("registration")

    def _record_files(self, *roles: str) -> None:
        """Record the files that the room navigates by; one that is not there yet, or is no text, says nothing."""
        for role in roles:
            with suppress(OSError, UnicodeDecodeError):
                self._recorder.file(role, files_of(self._site)[role].read_text(encoding="utf-8"))

    def _record_resection(self, at_s: float, event: Mapping[str, Any]) -> None:
        self._recorder.resection(at_s, event)
        self._session.record(at_s, event)

    def _equipment(self) -> Equipment:
        return equipment(
            self._site,
            calibration=self._calibration,
            stranger=self.intake.stranger(),
            health=self.board.health,
            synchroniser=self.intake.synchroniser,
        )
