"""Choosing the patient: from the worklist before a study is there, and never another's study in her procedure."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from acquisition.archive import StudyArchive
from acquisition.patient import Patient
from acquisition.session.journal import Journal, acting_as, open_journal
from acquisition.session.reception import Reception
from acquisition.session.steps import Step
from acquisition.session.worklist import Schedule
from acquisition.studies import Study
from acquisition.studies.reading import StudyMap
from devices.dicom.clients.worklist import ScheduledStep
from devices.dicom.study import FOUND_AT_START, ReceivedStudy
from tests.acquisition.received import received, study, study_map
from tests.acquisition.session.test_session import ANNA, BERTA, SURGEON, Theatre


def scheduled(patient: Patient) -> ScheduledStep:
    return ScheduledStep(
        patient_name=patient.name,
        patient_id=patient.patient_id,
        birth_date=None,
        sex="",
        accession_number="",
        study_uid="",
        procedure="Sentinel node",
        step="",
        modality="NM",
        station_ae="",
        start_date=None,
        start_time="",
        physician="",
    )


NAMELESS = Patient(patient_id="", name="ANNA^A")


class Desk:
    """A room whose patient is chosen: an archive whose studies are laid out, and a worklist of two."""

    def __init__(
        self, journal: Journal, *laid_out: Study, awaited: str | None = None, hers: Patient = NAMELESS
    ) -> None:
        self.laid_out = {one.study_uid: one for one in laid_out}
        self.theatre = Theatre(journal)
        self.asked: list[date] = []
        self.archive = StudyArchive(
            patient_id=hers.patient_id,
            patient_name=hers.name if hers.patient_id else "",
            awaited=awaited,
            read=self._read,
            on_use=self.theatre.session.use,
        )
        self.reception = Reception(self.theatre.session, self.archive, ask=self._ask, now=self.theatre.now)

    async def _read(self, received: ReceivedStudy) -> StudyMap:
        return study_map(self.laid_out[received.study_uid])

    async def _ask(self, on: date) -> Schedule:
        self.asked.append(on)
        return Schedule(steps=tuple(scheduled(each) for each in (ANNA, BERTA, NAMELESS)))

    async def choose(self, patient: Patient, *, person: str = SURGEON) -> str | None:
        """Choose somebody of the worklist, by what is seen now."""
        with acting_as(person):
            revision = self.theatre.session.procedure.revision
            return await self.reception.choose_scheduled(patient, revision=revision)

    @property
    def in_use(self) -> str | None:
        """What is in use."""
        return None if self.archive.in_use is None else self.archive.in_use.study.study_uid


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """An empty record."""
    with open_journal(tmp_path / "record.sqlite", now=lambda: datetime.now(tz=UTC)) as opened:
        yield opened


async def test_a_patient_is_chosen_before_her_study_has_come(journal: Journal) -> None:
    """Her procedure begins; her study is used when it comes, and another's, or another name's, never is."""
    other = study("3.3", patient_id="A-1", patient_name="ANNE^A")
    desk = Desk(journal, study("1.1"), study("2.2", patient_id="B-2", patient_name="BERTA^B"), other)
    assert len((await desk.reception.schedule()).steps) == 3
    assert desk.asked == [desk.theatre.now().astimezone().date()]
    assert await desk.choose(ANNA) is None
    procedure = desk.theatre.session.procedure
    assert (procedure.patient_id, procedure.patient_name, procedure.study_uid) == ("A-1", "ANNA^A", "")
    for uid in ("2.2", "3.3"):
        await desk.archive.take(received(uid))
        assert desk.in_use is None
        refusal = await desk.reception.choose_study(
            uid, Patient(patient_id="A-1", name="ANNE^A"), seen=desk.archive.revision
        )
        assert "never loaded" in str(refusal)
    await desk.archive.take(received("1.1"))
    assert desk.in_use == "1.1"
    assert desk.theatre.session.procedure.study_uid == "1.1"
    assert [source.name for source in desk.theatre.session.sources] == ["target 1"]
    await desk.archive.take(received("2.2", objects=2))
    assert desk.in_use == "1.1"


async def test_of_what_came_before_her_newest_is_used(journal: Journal) -> None:
    """And whatever of another patient was in use goes out of it."""
    now = datetime.now(tz=UTC)
    newest = replace(study("1.2"), taken_at=now)
    earlier = replace(study("1.1"), taken_at=now - timedelta(hours=2))
    desk = Desk(journal, newest, earlier, study("2.2", patient_id="B-2", patient_name="BERTA^B"), hers=BERTA)
    for uid in ("2.2", "1.2", "1.1"):
        await desk.archive.take(received(uid))
    assert desk.in_use == "2.2"
    await desk.reception.schedule()
    assert await desk.choose(ANNA) is None
    assert desk.in_use == "1.2"
    assert desk.theatre.session.procedure.study_uid == "1.2"


async def test_without_a_study_of_hers_nobody_s_is_in_use(journal: Journal) -> None:
    """The former patient's map is gone as soon as another is chosen."""
    desk = Desk(journal, study("2.2", patient_id="B-2", patient_name="BERTA^B"), hers=BERTA)
    await desk.archive.take(received("2.2"))
    await desk.reception.schedule()
    assert await desk.choose(ANNA) is None
    assert desk.in_use is None
    assert desk.theatre.session.sources == ()


@pytest.mark.parametrize(
    ("patient", "said"),
    [
        (Patient(patient_id="A-1", name="BERTA^B"), "nobody of this ID and name"),
        (Patient(patient_id="B-2", name="ANNA^A"), "nobody of this ID and name"),
        (Patient(patient_id="A-1"), "nobody of this ID and name"),
        (NAMELESS, "no patient ID"),
    ],
)
async def test_both_identifiers_are_the_worklist_s(journal: Journal, patient: Patient, said: str) -> None:
    """Whoever is not on it by ID and name is not chosen from it, and nothing begins."""
    desk = Desk(journal)
    await desk.reception.schedule()
    assert said in str(await desk.choose(patient))
    assert desk.theatre.session.procedure.number == 0


async def test_a_worklist_that_was_not_asked_has_nobody(journal: Journal) -> None:
    """After a restart it is asked anew: what stood on it before may hold no longer."""
    assert "ask it again" in str(await Desk(journal).choose(ANNA))


async def test_nobody_is_chosen_while_another_s_procedure_goes_on(journal: Journal) -> None:
    """Not from the worklist, not by a study; once it is ended, both."""
    desk = Desk(journal, study("1.1"), study("2.2", patient_id="B-2", patient_name="BERTA^B"))
    await desk.reception.schedule()
    for uid in ("1.1", "2.2"):
        await desk.archive.take(received(uid))
    assert await desk.choose(ANNA) is None
    assert "is not ended" in str(await desk.choose(BERTA))
    assert "is not ended" in str(await desk.reception.choose_study("2.2", BERTA, seen=desk.archive.revision))
    assert (desk.in_use, desk.theatre.session.procedure.patient_id) == ("1.1", "A-1")
    assert await desk.theatre.move(Step.ENDED, "called off") is None
    assert await desk.choose(BERTA) is None
    assert (desk.in_use, desk.theatre.session.procedure.patient_id) == ("2.2", "B-2")


async def test_of_two_who_choose_at_once_the_later_sees_the_earlier(journal: Journal) -> None:
    """Two patients' studies, both free to be chosen: one procedure begins, and its own study is in use."""
    desk = Desk(journal, study("1.1"), study("2.2", patient_id="B-2", patient_name="BERTA^B"))
    for uid in ("1.1", "2.2"):
        await desk.archive.take(received(uid))
    outcomes = await asyncio.gather(
        desk.reception.choose_study("1.1", ANNA, seen=desk.archive.revision),
        desk.reception.choose_study("2.2", BERTA, seen=desk.archive.revision),
    )
    assert outcomes[0] is None
    assert "another study has come into use meanwhile" in str(outcomes[1])
    assert [entry.told["patient_id"] for entry in journal.after(0) if entry.kind == "begun"] == ["A-1"]
    assert desk.in_use == "1.1"


async def test_of_two_who_choose_her_studies_at_once_the_later_is_told(journal: Journal) -> None:
    """He has not seen that another came into use; a study that only came in since changes nothing."""
    desk = Desk(journal, study("1.1"), study("1.2"), study("2.2", patient_id="B-2", patient_name="BERTA^B"))
    for uid in ("1.1", "1.2"):
        await desk.archive.take(received(uid))
    seen = desk.archive.revision
    await desk.archive.take(received("2.2"))
    first, second = await asyncio.gather(
        desk.reception.choose_study("1.1", ANNA, seen=seen), desk.reception.choose_study("1.2", ANNA, seen=seen)
    )
    assert (first, desk.in_use) == (None, "1.1")
    assert "another study has come into use meanwhile" in str(second)
    assert await desk.reception.choose_study("1.2", ANNA, seen=desk.archive.revision) is None
    assert desk.in_use == "1.2"


async def test_whoever_has_not_seen_the_newest_chooses_nobody(journal: Journal) -> None:
    """Somebody else has begun and ended a procedure since."""
    desk = Desk(journal)
    await desk.reception.schedule()
    seen = desk.theatre.session.procedure.revision
    assert await desk.choose(BERTA) is None
    assert await desk.theatre.move(Step.ENDED, "called off") is None
    assert "acted meanwhile" in str(await desk.reception.choose_scheduled(ANNA, revision=seen))


async def test_a_restart_before_her_study_has_come_still_waits_for_hers(journal: Journal) -> None:
    """By both identifiers, from the record alone; whatever was stored meanwhile is looked at by them."""
    desk = Desk(journal)
    await desk.reception.schedule()
    assert await desk.choose(ANNA) is None
    laid_out = study("2.2", patient_id="A-1", patient_name="BERTA^B"), study("1.1")
    procedure = Theatre(journal).session.procedure
    hers = Patient(patient_id=procedure.patient_id, name=procedure.patient_name)
    later = Desk(journal, *laid_out, hers=hers, awaited=procedure.study_uid or None)
    for uid in ("2.2", "1.1"):
        await later.archive.take(replace(received(uid), reason=FOUND_AT_START))
    assert later.in_use == "1.1"
    assert later.theatre.session.procedure.study_uid == "1.1"


async def test_a_patient_confirmed_again_keeps_the_study_that_was_chosen(journal: Journal) -> None:
    """A newer study of hers takes no place in mid-procedure: the map and what was said of it stay as they are."""
    newer = replace(study("1.2"), taken_at=datetime.now(tz=UTC))
    desk = Desk(journal, study("1.1"), newer)
    for uid in ("1.1", "1.2"):
        await desk.archive.take(received(uid))
    await desk.reception.schedule()
    with acting_as(SURGEON):
        assert await desk.reception.choose_study("1.1", ANNA, seen=desk.archive.revision) is None
        assert await desk.theatre.move(Step.PLAN) is None
        assert await desk.theatre.session.sort("target 1", "organ") is None
    used = desk.archive.used_revision
    assert await desk.choose(ANNA) is None
    procedure = desk.theatre.session.procedure
    assert (desk.in_use, procedure.study_uid, desk.archive.used_revision) == ("1.1", "1.1", used)
    assert procedure.sorts == {"target 1": "organ"}


async def test_a_procedure_names_the_study_that_is_in_use(journal: Journal) -> None:
    """Whatever brings another study of hers into use: the record says so, and what was sorted is sorted anew."""
    desk = Desk(journal, study("1.1"), study("1.2"))
    for uid in ("1.1", "1.2"):
        await desk.archive.take(received(uid))
    with acting_as(SURGEON):
        assert await desk.reception.choose_study("1.1", ANNA, seen=desk.archive.revision) is None
        assert await desk.theatre.move(Step.PLAN) is None
        assert await desk.theatre.session.sort("target 1", "organ") is None
    await desk.archive.choose("1.2", patient_id=ANNA.patient_id, patient_name=ANNA.name)
    procedure = desk.theatre.session.procedure
    assert (desk.in_use, procedure.study_uid, procedure.sorts) == ("1.2", "1.2", {})


async def test_a_late_study_of_the_former_patient_is_not_the_next_one_s(journal: Journal) -> None:
    """It comes after her procedure began and before the archive was told: the record never names it as hers."""
    desk = Desk(journal, study("1.1"), study("2.2", patient_id="B-2", patient_name="BERTA^B"), hers=ANNA)
    await desk.archive.take(received("1.1"))
    await desk.theatre.session.begin(BERTA, study_uid="")
    await desk.archive.take(received("1.1", objects=2))
    assert desk.theatre.session.procedure.study_uid == ""
    await desk.archive.await_patient(BERTA)
    await desk.archive.take(received("2.2"))
    assert (desk.in_use, desk.theatre.session.procedure.study_uid) == ("2.2", "2.2")


@pytest.mark.parametrize("is_known", [True, False], ids=["failed before", "fails as she is chosen"])
async def test_nobody_is_chosen_whose_procedure_cannot_be_recorded(journal: Journal, *, is_known: bool) -> None:
    """The person is told why; without a procedure of hers, no study of hers is waited for."""
    desk = Desk(journal, study("1.1"), study("2.2", patient_id="B-2", patient_name="BERTA^B"), hers=BERTA)
    for uid in ("1.1", "2.2"):
        await desk.archive.take(received(uid))
    await desk.reception.schedule()
    journal._database.execute("PRAGMA query_only = ON")
    if is_known:
        journal.add("marked", {})
    assert "not recorded any more" in str(await desk.choose(ANNA))
    assert (desk.in_use, desk.theatre.session.is_open) == ("2.2", False)
    assert "not recorded any more" in str(
        await desk.reception.choose_study("1.1", ANNA, seen=desk.archive.revision)
    )
    assert (desk.in_use, desk.theatre.session.is_open) == ("2.2", False)
