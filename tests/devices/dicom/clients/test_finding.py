"""C-FIND as user: real worklists and archives, and answers that no peer should give."""

import asyncio
import itertools
import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pynetdicom import evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    ModalityWorklistInformationFind,
    StudyRootQueryRetrieveInformationModelFind,
)

from devices.dicom.clients.association import PeerFailed
from devices.dicom.clients.finding import Found, days
from devices.dicom.clients.studies import FoundStudy, find_studies
from devices.dicom.clients.worklist import find_scheduled
from tests.devices.dicom.clients.conftest import data_set
from tests.devices.dicom.clients.walled import INSIDE, walled

WORKLIST_FILE = """
(0008,0005) CS ISO_IR 100
(0008,0050) SH A{number}
(0010,0010) PN {name}
(0010,0020) LO P{number}
(0010,0030) DA 19610203
(0010,0040) CS F
(0020,000d) UI 1.2.3.{number}
(0032,1032) PN Referring^Doctor
(0032,1060) LO Sentinel node
(0040,0100) SQ
(fffe,e000) -
(0008,0060) CS NM
(0040,0001) AE {station}
(0040,0002) DA {day}
(0040,0003) TM 0815
(0040,0006) PN Performing^Doctor
(0040,0007) LO Injection
(0040,0009) SH STEP{number}
(fffe,e00d) -
(fffe,e0dd) -
(0040,1001) SH PROC{number}
"""
"""As dump2dcm reads it (DCMTK)."""

SCHEDULED = (
    ("1", "M\u00fcller^Anna", "SPECT1", "20260105"),
    ("2", "Doe^Jane", "SPECT1", "20260106"),
    ("3", "Roe^Mary", "PETCT2", "20260105"),
)
"""Number, patient, station and day of each step."""


async def write_worklist(folder: Path, run: Any) -> Path:
    """Write worklist files as wlmscpfs reads them."""
    files = folder / "worklists" / "PEER"
    files.mkdir(parents=True)
    (files / "lockfile").touch()
    for number, name, station, day in SCHEDULED:
        dump = folder / "dump.txt"
        content = WORKLIST_FILE.format(number=number, name=name, station=station, day=day)
        dump.write_bytes(content.encode("latin-1"))
        code, output = await run("dump2dcm", dump, files / f"{number}.wl")
        assert code == 0, output
    return files.parent


@pytest.mark.peer("dcmtk", "socat")
async def test_a_worklist_is_asked_by_day_station_patient(
    walls: None, peer: Any, run: Any, tmp_path: Path
) -> None:
    """Wlmscpfs gives what matches and nothing else; names come in their own letters, times and days as such."""
    files = await write_worklist(tmp_path, run)
    async with walled("wlmscpfs", "-csk", "-dfp", files, INSIDE, folder=tmp_path, title="PEER") as port:

        async def found(**asked: Any) -> set[str]:
            answer = await asyncio.to_thread(find_scheduled, peer(port), calling_ae="RADIONAV", **asked)
            assert not answer.unreadable
            assert not answer.is_cut
            return {step.patient_id for step in answer.items}

        assert await found() == {"P1", "P2", "P3"}
        assert await found(on=date(2026, 1, 5)) == {"P1", "P3"}
        assert await found(on=date(2026, 1, 5), station_ae="SPECT1") == {"P1"}
        assert await found(patient_id="P2") == {"P2"}
        assert await found(patient_id="P9") == set()
        answer = await asyncio.to_thread(find_scheduled, peer(port), calling_ae="RADIONAV", patient_id="P1")
        (step,) = answer.items
    assert step.patient_name == "M\u00fcller^Anna"
    assert (step.birth_date, step.sex) == (date(1961, 2, 3), "F")
    assert (step.start_date, step.start_time) == (date(2026, 1, 5), "0815")
    assert (step.accession_number, step.study_uid, step.station_ae) == ("A1", "1.2.3.1", "SPECT1")
    assert (step.procedure, step.step, step.modality) == ("Sentinel node", "Injection", "NM")
    assert step.physician == "Performing^Doctor"


@pytest.mark.peer("dcmtk", "socat")
async def test_a_worklist_is_cut_at_the_limit(walls: None, peer: Any, run: Any, tmp_path: Path) -> None:
    """Of three answers two are taken, wlmscpfs is told to stop, and the answer says that there are more."""
    files = await write_worklist(tmp_path, run)
    async with walled("wlmscpfs", "-csk", "-dfp", files, INSIDE, folder=tmp_path, title="PEER") as port:
        answer = await asyncio.to_thread(find_scheduled, peer(port), calling_ae="RADIONAV", limit=2)
    assert len(answer.items) == 2
    assert answer.is_cut


def answering(*answers: Dataset, then: int = 0x0000) -> Any:
    def handle(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        for answer in answers:
            yield 0xFF00, answer
        yield then, None

    return evt.EVT_C_FIND, handle


def asked(port: int, peer: Any, **said: Any) -> Found[FoundStudy]:
    return find_studies(peer(port), calling_ae="RADIONAV", patient_id="P1", **said)


FIND = StudyRootQueryRetrieveInformationModelFind


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        ("ISO_IR 192", "\u738b^\u5c0f\u6771"),
        ("ISO_IR 100", "B\u00e9r\u00e9nice^\u00c6"),
        ("ISO_IR 144", "\u041b\u044e\u043ace\u043c\u0431yp\u0433"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=\u5c71\u7530^\u592a\u90ce"),
    ],
    ids=["UTF-8", "Latin-1", "Cyrillic", "Kanji"],
)
def test_names_come_in_their_letters(serve: Any, peer: Any, charset: Any, name: str) -> None:
    """The character set that an answer states is the one it is read in (PS3.3 C.12.1.1.2)."""
    answer = data_set(SpecificCharacterSet=charset, StudyInstanceUID="1.2.3", PatientName=name)
    with serve([FIND], answering(answer)) as port:
        (study,) = asked(port, peer).items
    assert study.patient_name == name


def test_what_a_study_is_comes_typed(serve: Any, peer: Any) -> None:
    """Days, numbers and several modalities; what the archive leaves away is empty or None."""
    answer = data_set(
        StudyInstanceUID="1.2.3",
        StudyDate="20260105",
        StudyTime="101500",
        ModalitiesInStudy=["CT", "NM"],
        NumberOfStudyRelatedInstances=401,
        PatientBirthDate="",
    )
    with serve([FIND], answering(answer)) as port:
        (study,) = asked(port, peer).items
    assert study == FoundStudy(
        study_uid="1.2.3",
        study_date=date(2026, 1, 5),
        study_time="101500",
        accession_number="",
        patient_name="",
        patient_id="",
        birth_date=None,
        sex="",
        description="",
        modalities="CT, NM",
        series=None,
        objects=401,
    )


def test_the_query_says_what_was_asked(serve: Any, peer: Any) -> None:
    """Patient ID, name, accession number and the range of days are sent as matching keys, at study level."""
    queries: list[Dataset] = []

    def handle(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        queries.append(event.identifier)
        yield 0x0000, None

    with serve([FIND], (evt.EVT_C_FIND, handle)) as port:
        find_studies(
            peer(port),
            calling_ae="RADIONAV",
            patient_id="P1",
            patient_name="M\u00fcller*",
            accession_number="A1",
            since=date(2026, 1, 1),
            until=date(2026, 1, 31),
        )
    (query,) = queries
    assert query.QueryRetrieveLevel == "STUDY"
    assert (query.PatientID, query.PatientName, query.AccessionNumber) == ("P1", "M\u00fcller*", "A1")
    assert query.StudyDate == "20260101-20260131"
    assert query["StudyInstanceUID"].is_empty


@pytest.mark.parametrize(
    ("since", "until", "encoded"),
    [
        (None, None, ""),
        (date(2026, 1, 1), None, "20260101-"),
        (None, date(2026, 1, 1), "-20260101"),
        (date(2026, 1, 1), date(2026, 1, 1), "20260101"),
    ],
)
def test_ranges_of_days(since: date | None, until: date | None, encoded: str) -> None:
    """As PS3.4 C.2.2.2.5 writes them."""
    assert days(since, until) == encoded


def test_a_bad_answer_is_named_and_the_others_count(serve: Any, peer: Any) -> None:
    """No UID, no date where one stands, no number: each answer is named with what is wrong; the sound stay."""
    good = data_set(StudyInstanceUID="1.2.3")
    odd_date = data_set(StudyInstanceUID="1.2.4")
    odd_date.add_new("StudyDate", "LO", "yesterday")
    odd_number = data_set(StudyInstanceUID="1.2.5")
    odd_number.add_new("NumberOfStudyRelatedInstances", "LO", "many")
    with serve([FIND], answering(data_set(PatientID="P1"), good, odd_date, odd_number)) as port:
        found = asked(port, peer)
    assert [study.study_uid for study in found.items] == ["1.2.3"]
    first, third, fourth = found.unreadable
    assert first == "answer 1: it has no StudyInstanceUID"
    assert third.startswith("answer 3: StudyDate ")
    assert fourth.startswith("answer 4: NumberOfStudyRelatedInstances ")


def test_a_worklist_answer_without_its_step_is_named(serve: Any, peer: Any) -> None:
    """An item without a Scheduled Procedure Step Sequence is left out by name."""
    good = data_set(PatientID="P1", ScheduledProcedureStepSequence=Items([data_set(Modality="NM")]))
    with serve([ModalityWorklistInformationFind], answering(data_set(PatientID="P2"), good)) as port:
        found = find_scheduled(peer(port), calling_ae="RADIONAV")
    assert [step.patient_id for step in found.items] == ["P1"]
    assert "answer 1: it has no ScheduledProcedureStepSequence" in found.unreadable[0]


def test_the_limit_cancels(serve: Any, peer: Any) -> None:
    """At the limit the peer is told to stop (C-CANCEL), stops, and nothing beyond the limit is taken."""
    is_cancelled = []

    def handle(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        for number in itertools.count(1):
            is_asked = event.is_cancelled  # true once
            while number > 10 and not is_asked:
                threading.Event().wait(0.001)  # no race with C-CANCEL: it answers no more until it has come
                is_asked = event.is_cancelled
            if is_asked:
                is_cancelled.append(number)
                yield 0xFE00, None
                return
            yield 0xFF00, data_set(StudyInstanceUID=f"1.2.{number}")

    with serve([FIND], (evt.EVT_C_FIND, handle)) as port:
        found = asked(port, peer, limit=5)
    assert [study.study_uid for study in found.items] == [f"1.2.{number}" for number in range(1, 6)]
    assert found.is_cut
    assert is_cancelled


def test_a_peer_that_does_not_stop_is_left(serve: Any, peer: Any) -> None:
    """Answers without end, C-CANCEL or not: the association is aborted, with a sentence."""

    def handle(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        while event.assoc.is_established:
            yield 0xFF00, data_set(StudyInstanceUID="1.2.3")

    with (
        serve([FIND], (evt.EVT_C_FIND, handle)) as port,
        pytest.raises(PeerFailed, match="do not end: ask for less"),
    ):
        asked(port, peer, limit=1)


@pytest.mark.parametrize(("status", "said"), [(0xA700, "A700"), (0xC001, "C001"), (0xFE00, "FE00")])
def test_a_failure_is_said(serve: Any, peer: Any, status: int, said: str) -> None:
    """A status other than Success at the end is an error that names it, also when answers came before."""
    with (
        serve([FIND], answering(data_set(StudyInstanceUID="1.2.3"), then=status)) as port,
        pytest.raises(PeerFailed, match=f"answers the query with status {said}"),
    ):
        asked(port, peer)


def test_a_break_in_the_middle_is_said(serve: Any, peer: Any) -> None:
    """An abort between answers is an error, never a short list."""

    def handle(event: Any) -> Iterator[tuple[int, Dataset | None]]:
        yield 0xFF00, data_set(StudyInstanceUID="1.2.3")
        event.assoc.abort()
        yield 0x0000, None

    with (
        serve([FIND], (evt.EVT_C_FIND, handle)) as port,
        pytest.raises(PeerFailed, match="broken the association off"),
    ):
        asked(port, peer)


def test_a_service_that_is_not_there_is_said(serve: Any, peer: Any) -> None:
    """A peer that serves verification alone: the error says to switch the service on."""
    with (
        serve(["1.2.840.10008.1.1"]) as port,
        pytest.raises(PeerFailed, match="accepts nothing of what we ask for"),
    ):
        asked(port, peer)
