"""Which study's map is in use: the one of the patient on the table, and never another's."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypedDict

import pytest

from acquisition.archive import ArchivedStudy, StudyArchive
from acquisition.studies import Study
from acquisition.studies.reading import ReaderDied, StudyMap
from devices.dicom.study import FOUND_AT_START, ReceivedStudy
from tests.acquisition.received import received, study, study_map


class Identifiers(TypedDict):
    """Both that a person confirms."""

    patient_id: str
    patient_name: str


ANNA = Identifiers(patient_id="A-1", patient_name="ANNA^A")
BERTA = Identifiers(patient_id="B-2", patient_name="BERTA^B")


class Ward:
    """An archive whose studies are read from what a test laid out, and what came into use, in order."""

    def __init__(self, patient_id: str | None, *laid_out: Study, awaited: str | None = None) -> None:
        self.laid_out = {one.study_uid: one for one in laid_out}
        self.dead: set[str] = set()
        self.reads = 0
        self.used: list[ArchivedStudy | None] = []
        self.slow: dict[str, asyncio.Event] = {}
        self.archive = StudyArchive(patient_id=patient_id, awaited=awaited, read=self._read, on_use=self._use)

    async def _read(self, received: ReceivedStudy) -> StudyMap:
        self.reads += 1
        uid = received.study_uid
        if uid in self.dead:
            raise ReaderDied("it ended without an answer, exit code -9")
        return study_map(self.laid_out[uid])

    async def _use(self, archived: ArchivedStudy | None) -> None:
        if archived is not None and (gate := self.slow.get(archived.study.study_uid)):
            await gate.wait()
        self.used.append(archived)

    @property
    def used_uids(self) -> list[str | None]:
        """What came into use, in order."""
        return [None if one is None else one.study.study_uid for one in self.used]

    @property
    def in_use(self) -> str | None:
        """What is in use."""
        return None if self.archive.in_use is None else self.archive.in_use.study.study_uid

    @property
    def listed(self) -> list[str]:
        """What is listed, newest first."""
        return [one.received.study_uid for one in self.archive.newest_first()]


async def test_only_the_patient_on_the_table_comes_into_use_by_itself() -> None:
    """Another patient's study is listed, newest first, and nothing more."""
    ward = Ward("A-1", study("1.1", **ANNA), study("2.2", **BERTA))
    await ward.archive.take(received("2.2"))
    assert (ward.used_uids, ward.in_use) == ([], None)
    await ward.archive.take(received("1.1"))
    assert (ward.used_uids, ward.in_use) == (["1.1"], "1.1")
    await ward.archive.take(received("2.2", objects=2))
    assert (ward.used_uids, ward.in_use) == (["1.1"], "1.1")
    assert ward.listed == ["2.2", "1.1"]


async def test_an_object_that_replaces_another_renews_the_map_and_one_kept_aside_does_not(tmp_path: Path) -> None:
    """A path that holds another file is read again; a conflict that changes no file in use is only counted."""
    used = tmp_path / "1.1" / "0.dcm"
    used.parent.mkdir()
    used.write_bytes(b"first")
    ward = Ward("A-1", study("1.1", **ANNA))
    first = replace(received("1.1"), objects=(used,))
    assert await ward.archive.take(first)
    assert not await ward.archive.take(replace(first, conflicts=1))
    (listed,) = ward.archive.newest_first()
    assert (listed.received.conflicts, ward.reads, ward.archive.revision) == (1, 1, 3)
    written = used.with_name("written")
    written.write_bytes(b"other")
    written.replace(used)
    assert await ward.archive.take(replace(first, conflicts=1))
    assert (ward.reads, ward.used_uids) == (2, ["1.1", "1.1"])


async def test_nobody_on_the_table_means_no_map() -> None:
    """Before a person has said who lies there, no study comes into use, not even one without a patient ID."""
    nameless = study("3.3", patient_id="", patient_name="")
    ward = Ward(None, study("1.1", **ANNA), nameless)
    await ward.archive.take(received("1.1"))
    await ward.archive.take(received("3.3"))
    assert (ward.used_uids, ward.in_use) == ([], None)
    assert "holds no map" in (await ward.archive.choose("3.3", patient_id="", patient_name="") or "")


@pytest.mark.parametrize(
    ("patient_id", "patient_name"), [("A-1", "BERTA^B"), ("B-2", "ANNA^A"), ("A-1", ""), ("", "ANNA^A"), ("", "")]
)
async def test_confirming_needs_both_identifiers(patient_id: str, patient_name: str) -> None:
    """One wrong or empty identifier leaves everything as it was, and says why."""
    ward = Ward("B-2", study("1.1", **ANNA), study("2.2", **BERTA))
    await ward.archive.take(received("2.2"))
    await ward.archive.take(received("1.1"))
    refusal = await ward.archive.choose("1.1", patient_id=patient_id, patient_name=patient_name)
    assert refusal is not None
    assert "ID and name" in refusal
    assert (ward.used_uids, ward.in_use) == (["2.2"], "2.2")
    await ward.archive.take(received("1.1", objects=2))
    assert ward.in_use == "2.2"


async def test_a_confirmed_patient_is_the_one_on_the_table_from_then_on() -> None:
    """Her study comes into use, and one of the former patient's that comes later does not."""
    ward = Ward("B-2", study("1.1", **ANNA), study("2.2", **BERTA))
    await ward.archive.take(received("1.1"))
    assert await ward.archive.choose("1.1", **ANNA) is None
    await ward.archive.take(received("2.2"))
    assert (ward.used_uids, ward.in_use) == (["1.1"], "1.1")


async def test_what_cannot_be_used_is_refused_with_words() -> None:
    """A study without a map and one that never came are no choice."""
    ward = Ward("A-1", study("1.1", **ANNA, has_map=False))
    await ward.archive.take(received("1.1"))
    assert ward.in_use is None
    assert "no SPECT or PET" in (await ward.archive.choose("1.1", **ANNA) or "")
    assert await ward.archive.choose("9.9", **ANNA) == "no such study has come in"
    assert ward.used == []


async def test_a_second_study_of_hers_waits_to_be_chosen() -> None:
    """What is in use is not exchanged under the surgeon's hands."""
    ward = Ward("A-1", study("1.1", **ANNA), study("1.9", **ANNA))
    await ward.archive.take(received("1.1"))
    await ward.archive.take(received("1.9"))
    assert ward.in_use == "1.1"
    assert await ward.archive.choose("1.9", **ANNA) is None
    assert ward.used_uids == ["1.1", "1.9"]


async def test_a_study_that_grew_is_read_again_and_stays_in_use() -> None:
    """Late objects renew the map in use; each change can be seen by its revision."""
    ward = Ward("A-1", study("1.1", **ANNA))
    await ward.archive.take(received("1.1"))
    revision = ward.archive.revision
    await ward.archive.take(received("1.1", objects=3))
    assert ward.archive.revision > revision
    assert ward.used_uids == ["1.1", "1.1"]
    assert ward.archive.in_use is ward.used[-1]
    assert ward.archive.in_use is not None
    assert len(ward.archive.in_use.received.objects) == 3
    assert ward.listed == ["1.1"]


async def test_a_study_that_comes_again_unchanged_is_left_alone() -> None:
    """A restarted node announces all that it finds: what was counted on the map is not forgotten for that."""
    ward = Ward("A-1", study("1.1", **ANNA))
    await ward.archive.take(received("1.1", objects=2))
    await ward.archive.take(received("1.1", objects=2))
    assert (ward.reads, ward.used_uids) == (1, ["1.1"])


@pytest.mark.parametrize(
    "grown",
    [
        pytest.param(study("1.1", patient_id="", patient_name="", has_map=False), id="two patients in one study"),
        pytest.param(study("1.1", **BERTA), id="relabelled as somebody else's"),
        pytest.param(study("1.1", **ANNA, has_map=False), id="no map left"),
    ],
)
async def test_a_study_that_turns_out_wrong_goes_out_of_use(grown: Study) -> None:
    """Late objects that contradict the patient take the map away; nothing of it stays on the displays."""
    ward = Ward("A-1", study("1.1", **ANNA))
    await ward.archive.take(received("1.1"))
    ward.laid_out["1.1"] = grown
    await ward.archive.take(received("1.1", objects=2))
    assert (ward.used_uids, ward.in_use) == (["1.1", None], None)


async def test_a_reader_that_dies_is_listed_with_its_reason() -> None:
    """The study stands in the list with what happened, and is no map."""
    ward = Ward("A-1", study("1.1", **ANNA))
    ward.dead.add("1.1")
    await ward.archive.take(received("1.1", objects=4))
    (listed,) = ward.archive.newest_first()
    assert not listed.is_usable
    (report,) = listed.study.series
    assert (report.accepted, report.objects) == (False, 4)
    assert "exit code -9" in report.reason
    assert (ward.used_uids, ward.in_use) == ([], None)
    ward.dead.clear()
    await ward.archive.take(received("1.1", objects=4))
    assert ward.in_use == "1.1"


async def test_a_reader_that_dies_on_late_objects_does_not_take_the_map_away() -> None:
    """What was read before stays in use, not begun anew, and the list says what failed."""
    ward = Ward("A-1", study("1.1", **ANNA))
    await ward.archive.take(received("1.1"))
    ward.dead.add("1.1")
    await ward.archive.take(received("1.1", objects=2))
    assert (ward.used_uids, ward.in_use) == (["1.1"], "1.1")
    (listed,) = ward.archive.newest_first()
    assert listed.is_usable
    assert "exit code -9" in listed.study.series[-1].reason


async def test_two_choices_at_once_end_with_one_study_listed_and_shown() -> None:
    """The later choice waits for the slower one before it, so that what is listed in use is what is shown."""
    ward = Ward(None, study("1.1", **ANNA), study("2.2", **BERTA))
    await ward.archive.take(received("1.1"))
    await ward.archive.take(received("2.2"))
    ward.slow["1.1"] = asyncio.Event()
    first = asyncio.create_task(ward.archive.choose("1.1", **ANNA))
    second = asyncio.create_task(ward.archive.choose("2.2", **BERTA))
    for _ in range(5):
        await asyncio.sleep(0)
    ward.slow["1.1"].set()
    assert await first is None
    assert await second is None
    assert ward.used_uids == ["1.1", "2.2"]
    assert ward.in_use == "2.2"


async def test_a_choice_made_while_a_study_is_read_is_not_overruled() -> None:
    """The table's patient is asked when the reading is done, not when it began."""
    reading = asyncio.Event()
    used: list[str] = []

    async def read(received: ReceivedStudy) -> StudyMap:
        uid = received.study_uid
        if uid == "1.1":
            await reading.wait()
        return study_map(study(uid, **(ANNA if uid == "1.1" else BERTA)))

    async def use(archived: ArchivedStudy | None) -> None:
        assert archived is not None
        used.append(archived.study.study_uid)

    archive = StudyArchive(patient_id="A-1", read=read, on_use=use)
    await archive.take(received("2.2"))
    taking = asyncio.create_task(archive.take(received("1.1")))
    await asyncio.sleep(0)
    assert await archive.choose("2.2", **BERTA) is None
    reading.set()
    await taking
    assert used == ["2.2"]


async def test_of_what_is_there_at_the_start_the_newest_is_used() -> None:
    """Last year's study, found first, gives way to today's; today's gives way to nothing older."""
    today = datetime(2026, 11, 22, 8, tzinfo=UTC)
    old = replace(study("1.1", **ANNA), taken_at=today - timedelta(days=400))
    new = replace(study("2.2", **ANNA), taken_at=today)
    older = replace(study("3.3", **ANNA), taken_at=today - timedelta(days=800))
    ward = Ward("A-1", old, new, older)
    for uid in ("1.1", "2.2", "3.3"):
        await ward.archive.take(replace(received(uid), reason=FOUND_AT_START))
    assert ward.used_uids == ["1.1", "2.2"]


async def test_what_a_person_chose_is_kept_when_the_node_starts_anew() -> None:
    """A newer study that the node finds does not take the place of a map that a person confirmed."""
    today = datetime(2026, 11, 22, 8, tzinfo=UTC)
    chosen = replace(study("1.1", **ANNA), taken_at=today - timedelta(days=400))
    ward = Ward(None, chosen, replace(study("2.2", **ANNA), taken_at=today))
    await ward.archive.take(received("1.1"))
    assert await ward.archive.choose("1.1", **ANNA) is None
    await ward.archive.take(replace(received("2.2"), reason=FOUND_AT_START))
    assert ward.in_use == "1.1"


async def test_after_a_restart_the_confirmed_study_is_waited_for() -> None:
    """A newer one of the same patient takes nobody's place; a person may still choose it."""
    ward = Ward("A-1", study("1.1"), study("1.2"), awaited="1.1")
    for uid in ("1.2", "1.1"):
        await ward.archive.take(replace(received(uid), reason=FOUND_AT_START))
    assert ward.used_uids == ["1.1"]
    assert await ward.archive.choose("1.2", **ANNA) is None
    assert ward.used_uids == ["1.1", "1.2"]
