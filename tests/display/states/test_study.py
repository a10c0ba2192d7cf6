"""What was made of a study as whoever asks sees it; and two frames of reference that a person answers for."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pytest
from pydicom import dcmread

from acquisition.archive import ArchivedStudy, StudyArchive
from acquisition.estimate.localising import Localiser
from acquisition.patient import Patient
from acquisition.resection.resection import Resection
from acquisition.session.frames import confirmed_frames
from acquisition.session.journal import Journal, acting_as, open_journal
from acquisition.session.session import Session
from acquisition.session.steps import Step
from acquisition.studies import Knowledge
from acquisition.studies.reading import ReaderDied, StudyMap, read_map
from devices.clock import monotonic
from devices.dicom.study import ReceivedStudy
from display.messages.study import FramesRequest, StudyReport
from display.states.study import act, list_studies, report_study
from simulators.console.study import make_study
from simulators.scene import sentinel_node_scene
from tests.acquisition.resected import resection
from tests.display.recorded import unbegun

OTHER_FRAME = "2.25.4711"
SURGEON = "Dr. Sokolova"


@pytest.fixture(scope="module")
def reprocessed(tmp_path_factory: pytest.TempPathFactory) -> ReceivedStudy:
    """A SPECT/CT whose SPECT a workstation has given a frame of reference of its own."""
    folder, taken_at = tmp_path_factory.mktemp("study"), datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
    files = make_study(sentinel_node_scene(), folder, rng=np.random.default_rng(3), taken_at=taken_at)
    spect = dcmread(files[-1])
    spect.FrameOfReferenceUID = OTHER_FRAME
    spect.save_as(files[-1])
    return ReceivedStudy(
        study_uid=str(spect.StudyInstanceUID), calling_ae="A", objects=tuple(files), reason="complete"
    )


class Room:
    """An archive that reads by the journal, and a session; what came into use, in order."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.used: list[ArchivedStudy | None] = []
        self.is_dead = False
        self.is_reading, self.may_read = asyncio.Event(), asyncio.Event()
        self.may_read.set()
        localiser = Localiser(clock=monotonic)
        table: Resection = resection(localiser)
        self.session: Session = unbegun(table, localiser, journal)
        self.archive = StudyArchive(patient_id="SIM-0001", read=self._read, on_use=self._use)

    async def _read(self, received: ReceivedStudy) -> StudyMap:
        known = Knowledge(same_frames=confirmed_frames(self.journal, received.study_uid))
        self.is_reading.set()
        await self.may_read.wait()
        if self.is_dead:
            raise ReaderDied("exit code -9")
        return read_map(received.objects, known)

    async def _use(self, archived: ArchivedStudy | None) -> None:
        self.used.append(archived)

    def report(self, study_uid: str) -> StudyReport:
        """What is told of a study."""
        report = report_study(self.archive, study_uid)
        assert report is not None
        return report

    async def say(self, request: FramesRequest) -> str | None:
        """Say something of two frames as the surgeon."""
        with acting_as(SURGEON):
            return await act(self.archive, self.session, self.journal, request)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """An empty record."""
    with open_journal(tmp_path / "record.sqlite", now=lambda: datetime(2026, 11, 22, 9, 5, tzinfo=UTC)) as opened:
        yield opened


def same(report: StudyReport, *, is_same: bool = True) -> FramesRequest:
    """Say of what a report names that it is one space, or no longer."""
    (pair,) = report.apart
    return FramesRequest(
        study_uid=report.study_uid, one_uid=pair.one_uid, other_uid=pair.other_uid, is_same=is_same
    )


async def test_a_persons_word_joins_and_parts_two_frames(journal: Journal, reprocessed: ReceivedStudy) -> None:
    """Nothing is a target until she answers for it; her name stands with the map, and she may take it back."""
    room, uid = Room(journal), reprocessed.study_uid
    await room.archive.take(reprocessed)
    apart = room.report(uid)
    assert (apart.joined_by, apart.candidates, room.used) == ("", (), [])
    (listed,) = list_studies(room.archive).studies
    assert (listed.joined_by, listed.apart, listed.usable) == ("", apart.apart, False)
    request = same(apart)
    assert request.other_uid == OTHER_FRAME
    assert await room.say(request) is None
    joined = room.report(uid)
    assert joined.joined_by == f"confirmed by {SURGEON} on 2026-11-22 at 09:05 UTC as the same space"
    assert joined.joined_by in joined.series[-1].reason
    (listed,) = list_studies(room.archive).studies
    assert (listed.joined_by, listed.apart, listed.usable) == (joined.joined_by, (), True)
    assert joined.apart == ()
    for spot in joined.candidates:
        truth = next(each for each in sentinel_node_scene().scan_sources if each.kind == spot.kind)
        assert np.linalg.norm(np.subtract(spot.centre_mm, truth.centre_mm)) < 3.0
        # a person's word is taken for less than a scanner's: 4 mm an axis
        assert np.linalg.eigvalsh(np.array(spot.covariance_mm2)).min() > 16.0
    assert len(joined.candidates) == 2
    assert [each is not None for each in room.used] == [True]
    assert await room.say(msgspec.structs.replace(request, is_same=False)) is None
    assert room.report(uid) == apart
    assert room.used[-1] is None, "a map that nobody answers for stayed in use"
    told = [(entry.kind, entry.person, entry.told["frames"]) for entry in journal.after(0)]
    frames = [request.one_uid, request.other_uid]
    assert told == [("frames joined", SURGEON, frames), ("frames parted", SURGEON, frames)]


async def test_depths_along_a_planned_approach(journal: Journal, reprocessed: ReceivedStudy) -> None:
    """From straight in front the way to each spot is as long as the body is there, never the shortest one."""
    room, uid = Room(journal), reprocessed.study_uid
    await room.archive.take(reprocessed)
    assert await room.say(same(room.report(uid))) is None
    report = report_study(room.archive, uid, (0.0, 1.0, 0.0))
    assert report is not None
    for spot in report.candidates:
        assert spot.planned_route is not None
        assert spot.shortest_route is not None
        assert spot.planned_route.direction == (0.0, 1.0, 0.0)
        assert spot.planned_route.entry_mm[0] == pytest.approx(spot.centre_mm[0])
        depth_mm = spot.centre_mm[1] - spot.planned_route.entry_mm[1]
        assert spot.planned_route.depth_mm == pytest.approx(depth_mm)
        assert depth_mm > spot.shortest_route.depth_mm - 1.0
    assert all(spot.planned_route is None for spot in room.report(uid).candidates)


async def test_a_restart_holds_to_what_was_confirmed(journal: Journal, reprocessed: ReceivedStudy) -> None:
    """The record says it; of another study it says nothing."""
    room = Room(journal)
    await room.archive.take(reprocessed)
    assert await room.say(same(room.report(reprocessed.study_uid))) is None
    restarted = Room(journal)
    await restarted.archive.take(reprocessed)
    assert SURGEON in restarted.report(reprocessed.study_uid).joined_by
    assert confirmed_frames(journal, "1.2.3") == ()


async def test_what_cannot_be_confirmed_is_refused(journal: Journal, reprocessed: ReceivedStudy) -> None:
    """An unknown study, frames that are not apart, a word that nobody gave: a sentence, and nothing is entered."""
    room = Room(journal)
    assert report_study(room.archive, reprocessed.study_uid) is None
    await room.archive.take(reprocessed)
    request = same(room.report(reprocessed.study_uid))
    for wrong, said in (
        ({"study_uid": "1.2.3"}, "no such study"),
        ({"other_uid": "1.2.3"}, "no two frames of reference"),
        ({"other_uid": request.one_uid}, "no two frames of reference"),
        ({"is_same": False}, "nobody has confirmed"),
    ):
        assert said in (await room.say(msgspec.structs.replace(request, **wrong)) or "")
    assert journal.newest_seq == 0


async def test_the_map_of_a_procedure_under_way_is_not_changed(
    journal: Journal, reprocessed: ReceivedStudy
) -> None:
    """While she is planned her hot spots are to be said anew; from the time-out on the map stays as it is."""
    room, uid = Room(journal), reprocessed.study_uid
    await room.archive.take(reprocessed)
    request = same(room.report(uid))
    assert await room.say(request) is None
    with acting_as(SURGEON):
        await room.session.begin(Patient(patient_id="SIM-0001", name="SIMULATED^PATIENT"), study_uid=uid)
        assert await room.session.move(Step.PLAN, "") is None
        archived = room.archive.find(uid)
        await room.session.use(archived)
        assert await room.session.sort("target 1", "organ") is None
        assert room.session.procedure.sorts == {"target 1": "organ"}
        assert await room.session.move(Step.TIME_OUT, "for a test") is None
    parted = msgspec.structs.replace(request, is_same=False)
    assert "go back to plan first" in (await room.say(parted) or "")
    assert SURGEON in room.report(uid).joined_by
    with acting_as(SURGEON):
        assert await room.session.move(Step.PLAN, "") is None
    assert await room.say(parted) is None
    assert room.session.procedure.sorts == {}


async def test_nobody_plans_by_a_study_that_is_being_read_again(
    journal: Journal, reprocessed: ReceivedStudy
) -> None:
    """What is said of the old hot spots would be taken for the new ones': refused until they are there."""
    room, uid = Room(journal), reprocessed.study_uid
    await room.archive.take(reprocessed)
    request = same(room.report(uid))
    assert await room.say(request) is None
    with acting_as(SURGEON):
        await room.session.begin(Patient(patient_id="SIM-0001", name="SIMULATED^PATIENT"), study_uid=uid)
        assert await room.session.move(Step.PLAN, "") is None
    await room.session.use(room.archive.find(uid))
    room.may_read.clear()
    room.is_reading.clear()
    parted = msgspec.structs.replace(request, is_same=False)
    parting = asyncio.create_task(room.say(parted))
    async with asyncio.timeout(60):
        await room.is_reading.wait()
    assert room.used[-1] is None, "a map that nobody answers for stayed in use while it was read"
    before = journal.newest_seq
    for refusal in (
        await room.session.sort("target 1", "target"),
        await room.session.draw("target", (0.0, 0.0, 0.0), 5.0, name="", activity_mbq=None),
        await room.session.erase("drawn target 1"),
        await room.session.move(Step.TIME_OUT, "for a test"),
        await room.session.confirm_frames(uid, (request.one_uid, OTHER_FRAME), is_same=True, read_again=never),
    ):
        assert "being read again" in str(refusal)
    assert journal.newest_seq == before
    room.may_read.set()
    async with asyncio.timeout(60):
        assert await parting is None
    assert await room.session.move(Step.TIME_OUT, "for a test") is None


async def never() -> str | None:
    """Read nothing: nobody may ask for it."""
    raise AssertionError


async def test_a_reader_that_dies_is_told_and_a_parted_map_stays_out_of_use(
    journal: Journal, reprocessed: ReceivedStudy
) -> None:
    """Joined but not read: say it again. Parted but not read: nobody can choose the wrongly joined map."""
    room, uid = Room(journal), reprocessed.study_uid
    await room.archive.take(reprocessed)
    request = same(room.report(uid))
    room.is_dead = True
    assert "exit code -9" in str(await room.say(request))
    room.is_dead = False
    assert await room.say(request) is None
    assert room.used[-1] is not None
    room.is_dead = True
    said = str(await room.say(msgspec.structs.replace(request, is_same=False)))
    assert "exit code -9" in said
    assert "until it is sent again" in said
    assert room.used[-1] is None
    assert room.archive.in_use is None
    refusal = await room.archive.choose(uid, patient_id="SIM-0001", patient_name="SIMULATED^PATIENT")
    assert refusal is not None
    room.is_dead = False
    assert await room.archive.take(reprocessed), "it was not read again when it came again"
    assert room.report(uid).joined_by == ""
    assert len(room.report(uid).apart) == 1
    assert room.archive.in_use is None
