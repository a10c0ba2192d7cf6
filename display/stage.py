"""What the displays of one room see: frames as counts come and between, the study in use, who asks for what."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec

from acquisition.archive import ArchivedStudy, StudyArchive
from acquisition.board import Board
from acquisition.image.imaging import Imager
from acquisition.patient import Patient
from acquisition.resection.resection import Resection
from acquisition.session.journal import Journal
from acquisition.session.rate_trend import RateTrend
from acquisition.session.reception import Reception
from acquisition.session.session import Session
from devices.clock import Clock, monotonic, wall_time
from devices.mqtt import MqttPublisher
from devices.readings import DeviceHealth
from display.app import Exhibits
from display.composer import Composer, Sight
from display.hub import Hub
from display.messages.feed import VERSION, DeviceLink, GuidanceNotice, HealthNotice, Hello, State
from display.messages.key import KeyState
from display.messages.resection import ResectionRequest
from display.messages.study import StudyChoice
from display.shelf import Shelf, shelve, shelve_surface
from display.states.device import show_link
from display.states.kept import keep_rate, live_rate, space_of
from display.states.live_image import ShelvedImage
from display.states.procedure import act as act_in_procedure
from display.states.resection import act
from display.states.study import act as act_on_frames
from display.states.study import list_studies, report_study, show_study
from display.states.target import point
from display.trend import TrendMemory

FRAME_INTERVAL_S = 0.05

LONGEST_INTERVAL_S = 0.06
"""Where no count comes; longer than the other, so that it does not come just before one at 10 counts a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signboard:
    """What stands on every display of the room.

    Attributes
    ----------
    site, room
        Names.
    session_id
        New with each start of the service.
    simulated
        Whether anything of it is simulated.
    replayed
        Whether it was recorded before, and is not of now.
    stale_after_s
        Silence after which a display stops looking live.
    language
        Of the page, until somebody chooses.
    keys
        What keys of a pedal do.

    """

    site: str
    room: str
    session_id: str
    simulated: bool
    stale_after_s: float
    language: Literal["en", "ru"] = "en"
    keys: tuple[KeyState, ...] = ()
    replayed: bool = False


async def _refuse(_: object) -> str:
    return "this is a replay of a recording: nothing is done in it"


class Stage:
    """Makes frames for the displays and the broker.

    Parameters
    ----------
    signboard
        Names and limits.
    board, archive, composer
        What is known, what came in, what makes frames of it.
    imager, resection, session
        Make the live image, take what a person marks and counts after an excision, and lead through the procedure.
    reception
        Takes the patient whom a person has confirmed.
    journal
        The procedure's record.
    trend
        Keeps the rate of the last minutes.
    advance
        Called before each frame with the time: lets what waits for a missing pose go on.
    publisher
        To the hospital's broker, None without one.
    on_state
        Called with each frame.
    clock
        Of what came in: the host's monotonic clock, or that of a recording.
    feed_clock
        Host monotonic clock, by which frames are stamped.

    """

    def __init__(
        self,
        signboard: Signboard,
        *,
        board: Board,
        archive: StudyArchive,
        composer: Composer,
        imager: Imager,
        resection: Resection,
        session: Session,
        reception: Reception,
        journal: Journal,
        trend: RateTrend,
        advance: Callable[[float], None],
        publisher: MqttPublisher | None,
        on_state: Callable[[State], None],
        clock: Clock,
        feed_clock: Clock = monotonic,
    ) -> None:
        self._signboard = signboard
        self._board = board
        self._archive = archive
        self._composer = composer
        self._imager = imager
        self._resection = resection
        self._session = session
        self._reception = reception
        self._journal = journal
        self._advance = advance
        self._publisher = publisher
        self._on_state = on_state
        self._clock = clock
        self._feed_clock = feed_clock
        self._hub = Hub()
        self._shelf = Shelf()
        self._trend = TrendMemory(trend)
        self._told: dict[str, DeviceLink] = {}

    def exhibits(self) -> Exhibits:
        """Name what the display's server shows."""
        shown = Exhibits(
            hub=self._hub,
            shelf=self._shelf,
            hello=self._hello,
            studies=lambda: list_studies(self._archive),
            choose=self._choose,
            report=lambda study_uid, approach: report_study(self._archive, study_uid, approach),
            frames=lambda request: act_on_frames(self._archive, self._session, self._journal, request),
            resect=self._resect,
            proceed=lambda request: act_in_procedure(
                self._session, self._composer.yardstick, request, self._hub.newest
            ),
            journal=self._journal,
            trend=self._trend,
            path=self._composer.path,
            clock=self._feed_clock,
        )
        if self._signboard.replayed:
            return replace(shown, choose=_refuse, frames=_refuse, resect=_refuse, proceed=_refuse)
        return shown

    async def _resect(self, request: ResectionRequest) -> str | None:
        """Do what is asked after an excision; once it is answered its entry is on the disk."""
        refusal = await act(self._resection, request)
        if refusal is None:
            await self._journal.settle()
        return refusal or self._journal.failure or None

    def jobs(self) -> Iterator[tuple[str, Coroutine[Any, Any, None]]]:
        """Name what runs for ever."""
        yield "frames", self._make_frames()
        yield "shelf", self._shelve_images()
        yield "swept path", self._composer.path.run()
        if self._publisher is not None:
            yield "mqtt", self._publisher.run()

    def tell(self, health: DeviceHealth) -> None:
        """Pass a change of a link on to the broker; displays see it in the next frame."""
        link = show_link(health.device, self._composer.devices[health.device], health)
        if self._publisher is not None and self._told.get(health.device) != link:
            self._told[health.device] = link  # what else changes each second, metrics give
            notice = HealthNotice(
                version=VERSION,
                session_id=self._signboard.session_id,
                simulated=self._signboard.simulated,
                replayed=self._signboard.replayed,
                server_time_utc=self._utc(self._clock()),
                since_utc=self._utc(health.since_s),
                device=link,
            )
            self._publisher.publish_latest(f"health/{health.device}", msgspec.json.encode(notice), retain=True)

    def frame(self, *, now_s: float, sent_s: float | None = None) -> State:
        """Make the next frame of what is so at ``now_s``, once what would be gone with it is kept."""
        sight = self._composer.look(now_s=now_s)
        self._keep(sight)
        return self._composer.compose(sight, sent_s=sent_s)

    async def show(self, archived: ArchivedStudy | None) -> None:
        """Put a study's volumes on the shelf and the study into every frame; None takes the last one away."""
        shown = self._composer.study
        named = archived and (archived.study.study_uid, archived.study.patient_id)
        if shown is None or named != (shown.study_uid, shown.patient_id):
            # first, so that no frame shows the former patient's map while the new one is packed
            self._composer.study = None
            self._shelf.replace()
        if archived is None:
            return
        volumes = (archived.study.anatomy, archived.study.activity)
        anatomy, activity = [await asyncio.to_thread(shelve, volume) if volume else None for volume in volumes]
        surfaces = [await asyncio.to_thread(shelve_surface, each) for each in archived.map.surfaces]
        self._shelf.replace(*(volume for volume in (anatomy, activity) if volume), *surfaces)
        self._composer.study = show_study(
            archived,
            anatomy=anatomy.state if anatomy else None,
            activity=activity.state if activity else None,
            surfaces=tuple(each.state for each in surfaces),
        )

    def _keep(self, sight: Sight) -> None:
        """Keep a rate that is of now, and a tip that nothing speaks against."""
        composer, in_use = self._composer, self._archive.in_use
        composer.yardstick.take(
            keep_rate(live_rate(sight.rate, sight.devices)),
            device=composer.probe,
            patient_id=in_use.study.patient_id if in_use else "",
            now_s=sight.at_s,
        )
        registration = composer.synchroniser.chain.patient_from_reference if composer.synchroniser else None
        space = space_of(in_use.study, registration) if in_use and registration else None
        tip_mm = point(sight.tip.translation_mm) if sight.tip else None
        composer.path.follow(space, tip_mm, now_s=sight.at_s)

    def _hello(self) -> Hello:
        now_s = self._feed_clock()
        return Hello(
            version=VERSION,
            session_id=self._signboard.session_id,
            simulated=self._signboard.simulated,
            replayed=self._signboard.replayed,
            site=self._signboard.site,
            room=self._signboard.room,
            server_monotonic_s=now_s,
            server_time_utc=wall_time(now_s, clock=self._feed_clock).isoformat(),
            stale_after_s=self._signboard.stale_after_s,
            language=self._signboard.language,
            keys=self._signboard.keys,
        )

    def _utc(self, at_s: float) -> str:
        return wall_time(at_s, clock=self._clock).isoformat()

    async def _choose(self, choice: StudyChoice) -> str | None:
        patient = Patient(patient_id=choice.patient_id, name=choice.patient_name)
        return await self._reception.choose_study(choice.study_uid, patient, seen=choice.revision)

    async def _shelve_images(self) -> None:
        """Put each live image on the shelf and into every frame; none where there is none any more."""
        while True:
            image = await self._imager.renewed()
            if image is None:
                self._composer.live_image = None
                self._shelf.clear_images()
                continue
            volume = await asyncio.to_thread(shelve, image.activity) if image.known_ml > 0 else None
            if image is self._imager.newest:
                if volume is not None:
                    self._shelf.renew(volume)
                self._composer.live_image = ShelvedImage(image=image, volume=volume.state if volume else None)

    async def _make_frames(self) -> None:
        """Make a frame of each count as soon as it is there, and others between."""
        is_due_to_count = True
        while True:
            now_s, sent_s = self._clock(), self._feed_clock()
            self._board.counted.clear()
            self._advance(now_s)
            state = self.frame(now_s=now_s, sent_s=sent_s)
            self._board.tally.frames += 1
            self._hub.publish(state)
            self._trend.note(state)
            self._on_state(state)
            if self._publisher is not None:
                notice = GuidanceNotice(
                    version=VERSION,
                    session_id=state.session_id,
                    simulated=state.simulated,
                    replayed=state.replayed,
                    server_time_utc=state.server_time_utc,
                    guidance=state.guidance,
                )
                self._publisher.publish_latest("state", msgspec.json.encode(state), retain=True)
                self._publisher.publish_latest("guidance", msgspec.json.encode(notice))
            interval_s = FRAME_INTERVAL_S if is_due_to_count else LONGEST_INTERVAL_S
            is_due_to_count = await self._count_within(sent_s + interval_s - self._feed_clock())

    async def _count_within(self, wait_s: float) -> bool:
        """Wait for a count; false where none comes in this time."""
        try:
            async with asyncio.timeout(wait_s):
                await self._board.counted.wait()
        except TimeoutError:
            return False
        return True
