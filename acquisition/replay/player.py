"""Plays a recording into a room: what devices delivered, the studies, what persons did, each at its time.

What the estimate began from, and which counts it was told together, stand in the recording too, so that the replay
comes to the same numbers; where it takes longer than it did then, the replay's time waits for it.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from acquisition.apart import START_S
from acquisition.archive import StudyArchive
from acquisition.estimate.localising import Localiser
from acquisition.intake import Intake
from acquisition.mapping import MapInUse, decided_of
from acquisition.patient import Patient
from acquisition.replay.black_box import FOREIGN, Recorded, Recording
from acquisition.replay.clock import ReplayClock
from acquisition.replay.comparison import Comparison
from acquisition.resection.resection import Resection
from acquisition.session.frames import JOINED, PARTED, confirmed_frames
from acquisition.session.journal import Journal
from acquisition.session.names import MAPPED
from acquisition.tracking.joining import Joining
from devices.dicom.study import ReceivedStudy
from devices.readings import CountReading, DeviceHealth, LinkState, PoseReading
from navigation.estimation.estimate import Posterior

ESTIMATE_S = 5 * START_S
"""Longest wait for an estimate that stands in the recording: its process may have to start first, or again."""

LOOK_S = 0.1
"""Between two looks at which devices are silent."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """The parts of a room that a recording is played into.

    Attributes
    ----------
    intake, localiser, archive, map_in_use, resection, journal, joining
        Of the room; no joining where nothing is tracked.
    silence_s
        Of each device: how long none of its readings may come, s.
    studies
        Folder of the received objects; None where the room receives none.
    registration
        The file that the registration is read from; None where the site file has a matrix.
    on_health
        Told of every change of a link.

    """

    intake: Intake
    localiser: Localiser
    archive: StudyArchive
    map_in_use: MapInUse
    resection: Resection
    journal: Journal
    joining: Joining | None
    silence_s: Mapping[str, float]
    studies: Path | None
    registration: Path | None
    on_health: Callable[[DeviceHealth], None]


class Player:
    """Plays a recording once; at its end the replay's time stands still.

    Parameters
    ----------
    recording
        What is played.
    clock
        The time of the room that it is played into.
    room
        The parts of that room.
    say
        Takes sentences for whoever runs it.

    """

    def __init__(
        self, recording: Recording, clock: ReplayClock, room: Played, *, say: Callable[[str], None]
    ) -> None:
        self._recording = recording
        self._clock = clock
        self._room = room
        self._say = say
        self._beliefs: asyncio.Queue[Posterior] = asyncio.Queue()
        self._is_awaiting = True
        self._released = 0
        """Batches that are not known to be believed yet."""
        self._newest_s: dict[str, float] = {}
        self._states: dict[str, LinkState] = {}
        self.comparison = Comparison()

    def believed(self, posterior: Posterior) -> None:
        """Take what the room believes, each time that it believes anything new, while anybody waits for it."""
        if self._is_awaiting:
            self._beliefs.put_nowait(posterior)

    async def run(self) -> None:
        """Play it to its end."""
        watching = asyncio.create_task(self._watch(), name="silence in the recording")
        try:
            self._clock.let_go()
            for message in self._recording.messages():
                await self._clock.until(message.at_s)
                await self._play(message)
                await asyncio.sleep(0)  # also where the replay is late: others want the loop too
            self._clock.hold()
        finally:
            watching.cancel()
            await asyncio.wait({watching})
        damage = f"{self._recording.damage}; what stands before was played. " if self._recording.damage else ""
        self._say(f"the recording has ended and stands still: {damage}{self.comparison.sentence()}")

    async def _play(self, message: Recorded) -> None:
        reading = message.reading
        if reading is not None:
            self._deliver(reading)
            return
        parts: dict[str, Callable[[Mapping[str, Any]], Any]] = {
            "/files": self._renew_file,
            "/reading": self._read,
            "/map": self._begin,
            "/asked": self._release,
            "/estimates": self._compare,
            "/resection": self._act,
        }
        if (part := parts.get(message.topic)) is None:
            return
        with self._clock.held():
            try:
                await part(message.told)
            except FOREIGN as exc:
                log.warning("not played", topic=message.topic, reason=repr(exc))

    def _deliver(self, reading: CountReading | PoseReading) -> None:
        if reading.device not in self._room.silence_s:
            if reading.device not in self._newest_s:
                self._say(f"{reading.device} is in the recording, but not in the site file: it is left out")
            self._newest_s[reading.device] = reading.taken_at_s
            return
        self._newest_s[reading.device] = self._clock()
        self._enter(reading.device, LinkState.LIVE, "")
        if isinstance(reading, CountReading):
            self._room.intake.count(reading)
        else:
            self._room.intake.pose(reading)

    async def _watch(self) -> None:
        """Call silent, for ever, what does not come any more."""
        while True:
            await asyncio.sleep(LOOK_S)
            for device, limit_s in self._room.silence_s.items():
                newest_s = self._newest_s.get(device)
                if newest_s is not None and self._clock() - newest_s > limit_s:
                    self._enter(device, LinkState.SILENT, f"no reading for {limit_s:g} s in the recording")

    def _enter(self, device: str, state: LinkState, detail: str) -> None:
        if self._states.get(device) is not state:
            self._states[device] = state
            health = DeviceHealth(device=device, state=state, since_s=self._clock(), detail=detail)
            self._room.on_health(health)

    async def _renew_file(self, told: Mapping[str, Any]) -> None:
        """Take a registration that was made meanwhile; the other files are those of the beginning."""
        if told["role"] == "registration" and self._room.registration and self._room.joining:
            await asyncio.to_thread(self._room.registration.write_text, told["text"])
            await self._room.joining.look()

    async def _read(self, told: Mapping[str, Any]) -> None:
        """Read a study from the files that it was read from then, which the node keeps."""
        study_uid, folder, archive = told["study_uid"], self._room.studies, self._room.archive
        objects = tuple(folder / study_uid / name for name in told["files"]) if folder else ()
        missing = await asyncio.to_thread(lambda: [path for path in objects if not path.is_file()])
        if missing or not objects:
            where = f"{len(missing)} of its {len(objects)} objects are not in {folder}" if folder else "no [dicom]"
            self._say(f"study {study_uid} cannot be read any more ({where}): it is played without its map")
            return
        self._join_frames(
            study_uid, [(one, other) for one, other in (each["frames"] for each in told["same_frames"])]
        )
        for named in told.get("names", ()):
            self._room.journal.add(
                MAPPED,
                {
                    "study_uid": study_uid,
                    "frame_of_reference_uid": named["frame_of_reference_uid"],
                    "spots": {named["name"]: named["centre_mm"]},
                },
            )
        received = ReceivedStudy(
            study_uid=study_uid, calling_ae=told["calling_ae"], objects=objects, reason=told["reason"]
        )
        if not await archive.take(received):
            await archive.read_again(study_uid, holds=True)

    def _join_frames(self, study_uid: str, frames: list[tuple[str, str]]) -> None:
        """Say of frames of reference what persons had said of them then."""
        journal = self._room.journal
        known = {frozenset(each.frames) for each in confirmed_frames(journal, study_uid)}
        wanted = {frozenset(each) for each in frames}
        for kind, pairs in ((JOINED, wanted - known), (PARTED, known - wanted)):
            for pair in pairs:
                journal.add(kind, {"study_uid": study_uid, "frames": sorted(pair)})

    async def _begin(self, told: Mapping[str, Any]) -> None:
        """Begin an estimate from the same map, and with the same decided about it."""
        archive, maps, decided = self._room.archive, self._room.map_in_use, decided_of(told)
        self._is_awaiting = True
        if not decided.study_uid:
            await archive.await_patient(Patient(patient_id=""))
        elif archive.in_use is not None and archive.in_use.received.study_uid == decided.study_uid:
            await maps.begin_as(decided)
        elif (archived := archive.find(decided.study_uid)) is not None:
            maps.resume(decided)
            study = archived.study
            refusal = await archive.choose(
                decided.study_uid, patient_id=study.patient_id, patient_name=study.patient_name
            )
            if refusal is not None:
                self._say(f"study {decided.study_uid} is not used: {refusal}")
        while not self._beliefs.empty():
            self._beliefs.get_nowait()
        self._released = 0

    async def _release(self, _: Mapping[str, Any]) -> None:
        self._room.localiser.release()
        self._released += 1

    async def _compare(self, told: Mapping[str, Any]) -> None:
        """Wait until the same counts are believed, and compare."""
        self.comparison.note(told, await self._awaited())

    async def _awaited(self) -> Posterior | None:
        """Wait until all that was released is believed."""
        if not self._is_awaiting or not self._room.localiser.is_estimating:
            return None
        with suppress(TimeoutError):
            async with asyncio.timeout(ESTIMATE_S):
                posterior = None
                while self._released:
                    posterior = await self._beliefs.get()
                    self._released -= 1
                return posterior
        log.warning("an estimate of the recording did not come")
        self._is_awaiting = False  # none after it will: what it rests on is not the same
        return None

    async def _act(self, told: Mapping[str, Any]) -> None:
        """Do again what a person did after an excision; the answers come by themselves."""
        resection, refusal = self._room.resection, None
        match told["event"]:
            case "removed":
                refusal = await resection.remove(told["target"])
            case "not removed":
                refusal = await resection.restore(told["number"])
            case "counting" if told["what"] == "bed":
                refusal = resection.count_bed(told["number"])
            case "counting":
                refusal = resection.count_bench(told["what"])
            case "stopped":
                refusal = resection.stop()
            case "specimen discarded":
                refusal = resection.discard(told["number"])
            case "specimen labelled":
                refusal = resection.label(told["number"], told["of"])
        if refusal is not None:
            self._say(f"what was done then is refused in the replay ({told['event']}): {refusal}")
